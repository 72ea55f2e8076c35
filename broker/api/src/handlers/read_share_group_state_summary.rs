//! ReadShareGroupStateSummary (key 87), versions 0-1: how far a share group is in partitions (KIP-932).
//! Core over the share coordinator's door; asked by brokers.
//!
//! - v1: how many records are done with (KIP-1226).

use ottla_coordinator::share::{SharePartitionKey, StateError};
use ottla_model::{ErrorCode, GroupId, TopicId};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::read_share_group_state_summary_response::{
    PartitionResult, ReadStateSummaryResult,
};
use ottla_protocol::messages::{ReadShareGroupStateSummaryRequest, ReadShareGroupStateSummaryResponse};

use super::prelude::*;
use crate::share;

pub const API: Api = Api { key: ApiKey::ReadShareGroupStateSummary, min: 0, max: 1, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ReadShareGroupStateSummaryRequest = request.decode()?;
    let may = share::may_keep_state(&Access::of(broker, &request));
    let is_void = body.group_id.is_empty()
        || body.topics.is_empty()
        || body.topics.iter().any(|topic| topic.partitions.is_empty());
    if may && is_void {
        return request.ready(&ReadShareGroupStateSummaryResponse::default());
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
                    .and_then(|()| broker.share_state.summary(&key)),
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
                let outcome = match outcome {
                    Ok((summary, wait)) => share::durable(Ok(wait)).await.map(|()| summary),
                    Err(error) => Err(error),
                };
                told.push(match outcome {
                    Ok(summary) => PartitionResult {
                        partition,
                        state_epoch: summary.state_epoch,
                        leader_epoch: summary.leader_epoch,
                        start_offset: summary.start_offset,
                        delivery_complete_count: summary.delivery_complete_count,
                        ..Default::default()
                    },
                    Err(error) => refused(partition, error),
                });
            }
            results.push(ReadStateSummaryResult { topic_id, partitions: told, ..Default::default() });
        }
        request.answer(&ReadShareGroupStateSummaryResponse { results, ..Default::default() })
    })
}

fn refused(partition: i32, error: StateError) -> PartitionResult {
    PartitionResult {
        partition,
        error_code: error.code.code(),
        error_message: message(share::state_message("read share group state summary", error)),
        ..Default::default()
    }
}
