//! DescribeQuorum (key 55), versions 0-2: the state of the metadata quorum (KIP-595).
//! Core over the metadata image.
//!
//! - v1: time stamps (KIP-836). v2: directory ids and nodes (KIP-853).

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse};
use uuid::Uuid;

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
    let response = broker.metadata.describe_quorum(&body);
    request.ready(&in_version(response, request.version()))
}

/// Without what an older version has no place for.
fn in_version(mut response: DescribeQuorumResponse, version: i16) -> DescribeQuorumResponse {
    if version >= 2 {
        return response;
    }
    response.nodes = Vec::new();
    for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        partition.error_message = None;
        for replica in partition.current_voters.iter_mut().chain(&mut partition.observers) {
            replica.replica_directory_id = Uuid::nil();
            if version < 1 {
                (replica.last_fetch_timestamp, replica.last_caught_up_timestamp) = (-1, -1);
            }
        }
    }
    response
}
