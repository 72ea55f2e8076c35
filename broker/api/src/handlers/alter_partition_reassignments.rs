//! AlterPartitionReassignments (key 45), versions 0-1: where replicas ought to be (KIP-455).
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.
//!
//! - v1: whether the replication factor may change (KIP-860).

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use ottla_protocol::messages::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse};

use super::prelude::*;
use crate::access::text_of;

pub const API: Api = Api { key: ApiKey::AlterPartitionReassignments, min: 0, max: 1, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: AlterPartitionReassignmentsRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::Alter) {
        let error = ErrorCode::ClusterAuthorizationFailed;
        return request.ready(&refused(&body, error, message(text_of(error))));
    }
    let (broker, wanted) = (broker.clone(), body.clone());
    let decision = async move { broker.metadata.alter_partition_reassignments(wanted).await };
    forward_to_controller(request, decision, move |error, why| refused(&body, error, why))
}

/// Every partition of the request gets the same code and text, and so does the whole.
fn refused(
    body: &AlterPartitionReassignmentsRequest,
    error: ErrorCode,
    why: Option<StrBytes>,
) -> AlterPartitionReassignmentsResponse {
    let topics = body.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            ReassignablePartitionResponse::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(error.code())
                .with_error_message(why.clone())
        });
        ReassignableTopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    AlterPartitionReassignmentsResponse::default()
        .with_error_code(error.code())
        .with_error_message(why.clone())
        .with_responses(topics.collect())
}
