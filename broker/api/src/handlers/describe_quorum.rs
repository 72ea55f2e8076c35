//! DescribeQuorum (key 55), versions 0-2: the state of the metadata quorum (KIP-595).
//! Core over the metadata image.
//!
//! - v1: time stamps (KIP-836). v2: directory ids and nodes (KIP-853).

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse};

use super::prelude::*;
use crate::access::text_of;

pub const API: Api = Api { key: ApiKey::DescribeQuorum, min: 0, max: 2, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DescribeQuorumRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::Describe) {
        let error = ErrorCode::ClusterAuthorizationFailed;
        let refused = DescribeQuorumResponse::default()
            .with_error_code(error.code())
            .with_error_message(message(text_of(error)));
        return request.ready(&refused);
    }
    request.ready(&broker.metadata.describe_quorum(&body, request.version()))
}
