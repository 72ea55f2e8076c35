//! ReadShareGroupState (key 84), versions 0-0: what a new leader of share partitions goes on from (KIP-932).
//! Core over the share coordinator's door; asked by brokers.
//!
//! - v0 only.

use ottla_coordinator::share::{SharePartitionKey, StateError};
use ottla_model::{ErrorCode, GroupId, TopicId};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::read_share_group_state_response::{
    PartitionResult, ReadStateResult, StateBatch,
};
use ottla_protocol::messages::{ReadShareGroupStateRequest, ReadShareGroupStateResponse};

use super::prelude::*;
use crate::share;

pub const API: Api = Api { key: ApiKey::ReadShareGroupState, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ReadShareGroupStateRequest = request.decode()?;
    let may = share::may_keep_state(&Access::of(broker, &request));
    let is_void = body.group_id.is_empty()
        || body.topics.is_empty()
        || body.topics.iter().any(|topic| topic.partitions.is_empty());
    if may && is_void {
        return request.ready(&ReadShareGroupStateResponse::default());
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
                true => broker.share_state.read(&key, asked.leader_epoch),
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
                let outcome = match outcome {
                    Ok((state, wait)) => share::durable(Ok(wait)).await.map(|()| state),
                    Err(error) => Err(error),
                };
                told.push(match outcome {
                    Ok(state) => result
                        .with_start_offset(state.start_offset)
                        .with_state_epoch(state.state_epoch)
                        .with_state_batches(state.batches.iter().map(wire_batch).collect()),
                    Err(error) => refused(result, error),
                });
            }
            results.push(ReadStateResult::default().with_topic_id(topic_id).with_partitions(told));
        }
        request.answer(&ReadShareGroupStateResponse::default().with_results(results))
    })
}

fn wire_batch(batch: &ottla_coordinator::share::StateBatch) -> StateBatch {
    StateBatch::default()
        .with_first_offset(batch.first_offset)
        .with_last_offset(batch.last_offset)
        .with_delivery_state(batch.delivery_state)
        .with_delivery_count(batch.delivery_count)
}

fn refused(result: PartitionResult, error: StateError) -> PartitionResult {
    result
        .with_error_code(error.code.code())
        .with_error_message(message(share::state_message("read share group state", error)))
}
