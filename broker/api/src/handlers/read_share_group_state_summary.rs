//! ReadShareGroupStateSummary (key 87), versions 0-1: how far a share group is in partitions (KIP-932).
//! Core over the share coordinator; brokers send it.
//!
//! - v1: how many records are done with (KIP-1226).

use ottla_coordinator::share::StateError;
use ottla_model::TopicId;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::read_share_group_state_summary_response::{
    PartitionResult, ReadStateSummaryResult,
};
use ottla_protocol::messages::{ReadShareGroupStateSummaryRequest, ReadShareGroupStateSummaryResponse};

use super::prelude::*;
use crate::share;
use crate::share_state::{self, Wanted};

pub const API: Api = Api { key: ApiKey::ReadShareGroupStateSummary, min: 0, max: 1, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ReadShareGroupStateSummaryRequest = request.decode()?;
    let topics = body.topics.into_iter().map(|topic| (TopicId(topic.topic_id), topic.partitions));
    let wanted = Wanted::new(&body.group_id, topics);
    if wanted.is_void(true) && share::may_keep_state(&Access::of(broker, &request)) {
        return request.ready(&ReadShareGroupStateSummaryResponse::default());
    }
    share_state::for_each_partition(
        broker,
        request,
        wanted,
        |asked| asked.partition,
        |key, _| {
            share::check_place(broker, key.topic_id, key.partition)?;
            broker.share_state.summary(key)
        },
        |partition, outcome| match outcome {
            Ok(summary) => PartitionResult {
                partition,
                state_epoch: summary.state_epoch,
                leader_epoch: summary.leader_epoch,
                start_offset: summary.start_offset,
                delivery_complete_count: summary.delivery_complete_count,
                ..Default::default()
            },
            Err(error) => refused(partition, error),
        },
        |topics| {
            let results = topics.into_iter().map(|(id, partitions)| ReadStateSummaryResult {
                topic_id: id.0,
                partitions,
                ..Default::default()
            });
            ReadShareGroupStateSummaryResponse { results: results.collect(), ..Default::default() }
        },
    )
}

fn refused(partition: i32, error: StateError) -> PartitionResult {
    PartitionResult {
        partition,
        error_code: error.code.code(),
        error_message: message(share::state_message("read share group state summary", error)),
        ..Default::default()
    }
}
