//! WriteShareGroupState (key 85), versions 0-1: a leader stores what became of records (KIP-932).
//! Core over the share coordinator; brokers send it.
//!
//! - v1: how many records are done with (KIP-1226).

use ottla_coordinator::share::{StateBatch, StateError, StateWrite};
use ottla_model::TopicId;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::write_share_group_state_request::PartitionData;
use ottla_protocol::messages::write_share_group_state_response::{PartitionResult, WriteStateResult};
use ottla_protocol::messages::{WriteShareGroupStateRequest, WriteShareGroupStateResponse};

use super::prelude::*;
use crate::share;
use crate::share_state::{self, Wanted};

pub const API: Api = Api { key: ApiKey::WriteShareGroupState, min: 0, max: 1, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: WriteShareGroupStateRequest = request.decode()?;
    let topics = body.topics.into_iter().map(|topic| (TopicId(topic.topic_id), topic.partitions));
    let wanted = Wanted::new(&body.group_id, topics);
    if wanted.is_void(true) && share::may_keep_state(&Access::of(broker, &request)) {
        return request.ready(&WriteShareGroupStateResponse::default());
    }
    share_state::for_each_partition(
        broker,
        request,
        wanted,
        |asked| asked.partition,
        |key, asked| Ok(((), broker.share_state.write(key, &write_of(asked))?)),
        |partition, outcome| match outcome {
            Ok(()) => PartitionResult { partition, ..Default::default() },
            Err(error) => refused(partition, error),
        },
        |topics| {
            let results = topics.into_iter().map(|(id, partitions)| WriteStateResult {
                topic_id: id.0,
                partitions,
                ..Default::default()
            });
            WriteShareGroupStateResponse { results: results.collect(), ..Default::default() }
        },
    )
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
