//! DescribeQuorum (key 55), versions 0-2: the state of the metadata quorum (KIP-595).
//! Core over the metadata image.
//!
//! - v1: time stamps (KIP-836). v2: directory ids and nodes (KIP-853).

use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::DescribeQuorumRequest;

use super::prelude::*;

pub const API: Api = Api { key: ApiKey::DescribeQuorum, min: 0, max: 2, class: Class::Inline, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DescribeQuorumRequest = request.decode()?;
    request.ready(&broker.metadata.describe_quorum(&body, request.version()))
}
