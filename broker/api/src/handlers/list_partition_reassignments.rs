//! ListPartitionReassignments (key 46), versions 0-0: reassignments under way (KIP-455).
//! Core over the metadata image.
//!
//! - v0 only.

use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::ListPartitionReassignmentsRequest;

use super::prelude::*;

pub const API: Api =
    Api { key: ApiKey::ListPartitionReassignments, min: 0, max: 0, class: Class::Inline, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ListPartitionReassignmentsRequest = request.decode()?;
    request.ready(&broker.metadata.list_partition_reassignments(&body))
}
