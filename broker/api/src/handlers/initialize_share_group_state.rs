//! InitializeShareGroupState (key 83), versions 0-0: a group begins to keep state of partitions (KIP-932).
//! Core over the share coordinator; brokers send it.
//!
//! - v0 only.

use ottla_coordinator::share::StateError;
use ottla_model::TopicId;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::initialize_share_group_state_response::{
    InitializeStateResult, PartitionResult,
};
use ottla_protocol::messages::{InitializeShareGroupStateRequest, InitializeShareGroupStateResponse};

use super::prelude::*;
use crate::share;
use crate::share_state::{self, Wanted};

pub const API: Api = Api { key: ApiKey::InitializeShareGroupState, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: InitializeShareGroupStateRequest = request.decode()?;
    let topics = body.topics.into_iter().map(|topic| (TopicId(topic.topic_id), topic.partitions));
    let wanted = Wanted::new(&body.group_id, topics);
    if wanted.is_void(false) && share::may_keep_state(&Access::of(broker, &request)) {
        return request.ready(&InitializeShareGroupStateResponse::default());
    }
    share_state::for_each_partition(
        broker,
        request,
        wanted,
        |asked| asked.partition,
        |key, asked| {
            share::check_place(broker, key.topic_id, key.partition)?;
            Ok(((), broker.share_state.initialize(key, asked.state_epoch, asked.start_offset)?))
        },
        |partition, outcome| {
            let result = PartitionResult::default().with_partition(partition);
            match outcome {
                Ok(()) => result,
                Err(error) => refused(result, error),
            }
        },
        |topics| {
            let results = topics.into_iter().map(|(id, partitions)| {
                InitializeStateResult::default().with_topic_id(id.0).with_partitions(partitions)
            });
            InitializeShareGroupStateResponse::default().with_results(results.collect())
        },
    )
}

fn refused(result: PartitionResult, error: StateError) -> PartitionResult {
    result
        .with_error_code(error.code.code())
        .with_error_message(message(share::state_message("initialize share group state", error)))
}
