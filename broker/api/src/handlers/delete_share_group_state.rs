//! DeleteShareGroupState (key 86), versions 0-0: the state of share partitions goes (KIP-932).
//! Core over the share coordinator's door; asked by brokers.
//!
//! - v0 only.

use ottla_coordinator::share::{SharePartitionKey, StateError};
use ottla_model::{ErrorCode, GroupId, TopicId};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::delete_share_group_state_response::{DeleteStateResult, PartitionResult};
use ottla_protocol::messages::{DeleteShareGroupStateRequest, DeleteShareGroupStateResponse};

use super::prelude::*;
use crate::share;

pub const API: Api = Api { key: ApiKey::DeleteShareGroupState, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DeleteShareGroupStateRequest = request.decode()?;
    let may = share::may_keep_state(&Access::of(broker, &request));
    let is_void = body.group_id.is_empty()
        || body.topics.is_empty()
        || body.topics.iter().any(|topic| topic.partitions.is_empty());
    if may && is_void {
        return request.ready(&DeleteShareGroupStateResponse::default());
    }
    let group = GroupId::new(&body.group_id);
    let mut begun = Vec::with_capacity(body.topics.len());
    for topic in body.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let key = SharePartitionKey {
                group: group.clone(),
                topic_id: TopicId(topic.topic_id),
                partition: asked.partition,
            };
            let outcome = match may {
                true => share::check_place(broker, key.topic_id, key.partition)
                    .and_then(|()| broker.share_state.delete(&key)),
                false => Err(ErrorCode::ClusterAuthorizationFailed.into()),
            };
            partitions.push((asked.partition, outcome));
        }
        begun.push((topic.topic_id, partitions));
    }
    park(async move {
        let mut results = Vec::with_capacity(begun.len());
        for (topic_id, partitions) in begun {
            let mut told = Vec::with_capacity(partitions.len());
            for (partition, outcome) in partitions {
                let result = PartitionResult::default().with_partition(partition);
                told.push(match share::durable(outcome).await {
                    Ok(()) => result,
                    Err(error) => refused(result, error),
                });
            }
            results.push(DeleteStateResult::default().with_topic_id(topic_id).with_partitions(told));
        }
        request.answer(&DeleteShareGroupStateResponse::default().with_results(results))
    })
}

fn refused(result: PartitionResult, error: StateError) -> PartitionResult {
    result
        .with_error_code(error.code.code())
        .with_error_message(message(share::state_message("delete share group state", error)))
}
