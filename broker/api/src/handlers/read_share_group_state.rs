//! ReadShareGroupState (key 84), versions 0-0: what a new leader of share partitions goes on from (KIP-932).
//! Core over the share coordinator; brokers send it.
//!
//! - v0 only.

use ottla_coordinator::share::StateError;
use ottla_model::TopicId;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::read_share_group_state_response::{
    PartitionResult, ReadStateResult, StateBatch,
};
use ottla_protocol::messages::{ReadShareGroupStateRequest, ReadShareGroupStateResponse};

use super::prelude::*;
use crate::share;
use crate::share_state::{self, Wanted};

pub const API: Api = Api { key: ApiKey::ReadShareGroupState, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ReadShareGroupStateRequest = request.decode()?;
    let topics = body.topics.into_iter().map(|topic| (TopicId(topic.topic_id), topic.partitions));
    let wanted = Wanted::new(&body.group_id, topics);
    if wanted.is_void(true) && share::may_keep_state(&Access::of(broker, &request)) {
        return request.ready(&ReadShareGroupStateResponse::default());
    }
    share_state::for_each_partition(
        broker,
        request,
        wanted,
        |asked| asked.partition,
        |key, asked| broker.share_state.read(key, asked.leader_epoch),
        |partition, outcome| {
            let result = PartitionResult::default().with_partition(partition);
            match outcome {
                Ok(state) => result
                    .with_start_offset(state.start_offset)
                    .with_state_epoch(state.state_epoch)
                    .with_state_batches(state.batches.iter().map(wire_batch).collect()),
                Err(error) => refused(result, error),
            }
        },
        |topics| {
            let results = topics.into_iter().map(|(id, partitions)| {
                ReadStateResult::default().with_topic_id(id.0).with_partitions(partitions)
            });
            ReadShareGroupStateResponse::default().with_results(results.collect())
        },
    )
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
