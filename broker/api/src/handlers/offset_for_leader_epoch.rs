//! OffsetForLeaderEpoch (key 23), versions 2-4: where a leader epoch ended.
//! Core over the log's interface. A reader tells by it whether its log parted from this one.
//!
//! - v2: current leader epoch (KIP-320), throttle time. v3: replica id. v4: flexible.

use ottla_model::{ErrorCode, LeaderEpoch};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use ottla_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use ottla_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use ottla_replica::Partition;

use super::prelude::*;
use crate::errors;

pub const API: Api = Api { key: ApiKey::OffsetForLeaderEpoch, min: 2, max: 4, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: OffsetForLeaderEpochRequest = request.decode()?;
    let hosted = broker.replicas.hosted();
    let access = Access::of(broker, &request);
    let quiet = access.quietly();
    let may_see = |topic: &str| {
        !access.is_limited()
            || quiet.cluster(AclOperation::ClusterAction)
            || access.topic(AclOperation::Describe, topic)
    };
    let topics = body
        .topics
        .iter()
        .map(|topic| {
            if !may_see(&topic.topic) {
                let refuse = |requested: &OffsetForLeaderPartition| {
                    failed(requested.partition, ErrorCode::TopicAuthorizationFailed)
                };
                let partitions = topic.partitions.iter().map(refuse).collect();
                return OffsetForLeaderTopicResult::default()
                    .with_topic(topic.topic.clone())
                    .with_partitions(partitions);
            }
            let partitions = topic
                .partitions
                .iter()
                .map(|requested| match hosted.partition(topic.topic.as_str(), requested.partition) {
                    Ok(partition) => answer(partition, requested),
                    Err(error) => failed(requested.partition, error),
                })
                .collect();
            OffsetForLeaderTopicResult::default().with_topic(topic.topic.clone()).with_partitions(partitions)
        })
        .collect();
    request.ready(&OffsetForLeaderEpochResponse::default().with_topics(topics))
}

fn failed(partition: i32, error: ErrorCode) -> EpochEndOffset {
    EpochEndOffset::default()
        .with_error_code(error.code())
        .with_partition(partition)
        .with_leader_epoch(-1)
        .with_end_offset(-1)
}

fn answer(partition: &Partition, requested: &OffsetForLeaderPartition) -> EpochEndOffset {
    match partition.led(requested.current_leader_epoch) {
        Ok(led) => {
            let log = led.log();
            // The leader's own epoch ends where the log does, whether or not anything was written under it.
            let requested_epoch = LeaderEpoch(requested.leader_epoch);
            let ended = if requested_epoch.0 < 0 {
                None
            } else if requested_epoch == led.epoch() {
                Some((requested_epoch, log.log_end_offset()))
            } else {
                log.end_offset_for_epoch(requested_epoch)
            };
            let (epoch, end) = ended.map_or((-1, -1), |(epoch, end)| (epoch.0, end.0));
            failed(requested.partition, ErrorCode::None).with_leader_epoch(epoch).with_end_offset(end)
        }
        Err(unavailable) => failed(requested.partition, errors::unavailable(unavailable)),
    }
}
