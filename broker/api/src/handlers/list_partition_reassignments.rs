//! ListPartitionReassignments (key 46), versions 0-0: reassignments under way (KIP-455).
//! Core over the metadata image.
//!
//! - v0 only.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};

use super::prelude::*;
use crate::access::text_of;

pub const API: Api = Api { key: ApiKey::ListPartitionReassignments, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ListPartitionReassignmentsRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::Describe) {
        let error = ErrorCode::ClusterAuthorizationFailed;
        let refused = ListPartitionReassignmentsResponse::default()
            .with_error_code(error.code())
            .with_error_message(message(text_of(error)));
        return request.ready(&refused);
    }
    request.ready(&broker.metadata.list_partition_reassignments(&body))
}
