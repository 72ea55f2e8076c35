//! WriteShareGroupState (key 85), versions 0-1: a leader stores what became of records (KIP-932).
//! Core over the share coordinator's door; asked by brokers.
//!
//! - v1: how many records are done with (KIP-1226).

use ottla_coordinator::share::{SharePartitionKey, StateBatch, StateError, StateWrite};
use ottla_model::{ErrorCode, GroupId, TopicId};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::write_share_group_state_request::PartitionData;
use ottla_protocol::messages::write_share_group_state_response::{PartitionResult, WriteStateResult};
use ottla_protocol::messages::{WriteShareGroupStateRequest, WriteShareGroupStateResponse};

use super::prelude::*;
use crate::share;

pub const API: Api = Api { key: ApiKey::WriteShareGroupState, min: 0, max: 1, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: WriteShareGroupStateRequest = request.decode()?;
    let may = share::may_keep_state(&Access::of(broker, &request));
    let is_void = body.group_id.is_empty()
        || body.topics.is_empty()
        || body.topics.iter().any(|topic| topic.partitions.is_empty());
    if may && is_void {
        return request.ready(&WriteShareGroupStateResponse::default());
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
                true => broker.share_state.write(&key, &write_of(&asked)),
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
                told.push(match share::durable(outcome).await {
                    Ok(()) => PartitionResult { partition, ..Default::default() },
                    Err(error) => refused(partition, error),
                });
            }
            results.push(WriteStateResult { topic_id, partitions: told, ..Default::default() });
        }
        request.answer(&WriteShareGroupStateResponse { results, ..Default::default() })
    })
}

fn write_of(asked: &PartitionData) -> StateWrite {
    let batches = asked.state_batches.iter().map(|batch| StateBatch {
        first_offset: batch.first_offset,
        last_offset: batch.last_offset,
        delivery_state: batch.delivery_state,
        delivery_count: batch.delivery_count,
    });
    StateWrite {
        state_epoch: asked.state_epoch,
        leader_epoch: asked.leader_epoch,
        start_offset: asked.start_offset,
        delivery_complete_count: asked.delivery_complete_count,
        batches: batches.collect(),
    }
}

fn refused(partition: i32, error: StateError) -> PartitionResult {
    PartitionResult {
        partition,
        error_code: error.code.code(),
        error_message: message(share::state_message("write share group state", error)),
        ..Default::default()
    }
}
