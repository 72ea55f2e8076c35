//! ListOffsets (key 2), versions 1-11: the offset at a time, or at one of the special places.
//! Shell: a look-up by time reads the log's files, which the connection's task does not wait for.
//!
//! - v1: one offset a partition. v2: isolation level (KIP-98). v4: leader epochs (KIP-320).
//! - v6: flexible. v7: max timestamp, -3 (KIP-734). v8: earliest local, -4 (KIP-405).
//! - v9: latest tiered, -5 (KIP-1005). v10: timeout (KIP-1075). v11: earliest pending upload, -6
//!   (KIP-1023).

use std::collections::HashSet;

use ottla_model::{ErrorCode, Offset};
use ottla_network::Answer;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::list_offsets_request::ListOffsetsPartition;
use ottla_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use ottla_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use ottla_replica::Partition;
use tokio::sync::oneshot;

use super::prelude::*;
use crate::errors;

pub const API: Api = Api { key: ApiKey::ListOffsets, min: 1, max: 11, admit };

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// What a look-up found.
struct Found {
    timestamp: i64,
    offset: i64,
    leader_epoch: i32,
}

/// `ListOffsetsRequest.CONSUMER_REPLICA_ID`.
const CONSUMER_REPLICA_ID: i32 = -1;

const NOTHING: Found = Found { timestamp: -1, offset: -1, leader_epoch: -1 };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ListOffsetsRequest = request.decode()?;
    let mut partitions = body.topics.iter().flat_map(|topic| &topic.partitions);
    if !partitions.any(|requested| is_read_from_segments(requested.timestamp)) {
        return request.ready(&respond(broker, &request, &body));
    }
    let (sender, receiver) = oneshot::channel();
    let of_work = broker.clone();
    let work = move || {
        // A client that is gone hears nothing.
        if !sender.is_closed() {
            let response = respond(&of_work, &request, &body);
            let _gone = sender.send((request, response));
        }
    };
    broker.replicas.logs().read_aside(Box::new(work));
    park(async move {
        match receiver.await {
            Ok((request, response)) => request.answer(&response),
            Err(_) => Answer::Close("offsets could not be looked up"),
        }
    })
}

/// Whether the answer is in the files of the log; what is in memory is answered at once.
fn is_read_from_segments(timestamp: i64) -> bool {
    timestamp >= 0 || timestamp == MAX_TIMESTAMP
}

fn respond(broker: &Broker, request: &Request, body: &ListOffsetsRequest) -> ListOffsetsResponse {
    let version = request.version();
    // A replica is answered with the end, whatever isolation it requests.
    let committed_only = body.isolation_level == 1 && body.replica_id == CONSUMER_REPLICA_ID;
    let hosted = broker.replicas.hosted();
    let access = Access::of(broker, request);
    let doubled = named_twice(body);
    let mut answered = HashSet::new();
    let topics = body
        .topics
        .iter()
        .map(|topic| {
            if !access.topic(AclOperation::Describe, &topic.name) {
                let refuse = |requested: &ListOffsetsPartition| {
                    let refused = Err(ErrorCode::TopicAuthorizationFailed);
                    partition_response(requested.partition_index, version, refused)
                };
                let partitions = topic.partitions.iter().map(refuse).collect();
                return ListOffsetsTopicResponse {
                    name: topic.name.clone(),
                    partitions,
                    ..Default::default()
                };
            }
            let partitions = topic
                .partitions
                .iter()
                .filter(|requested| {
                    let place = (topic.name.as_str(), requested.partition_index);
                    !doubled.contains(&place) || answered.insert(place)
                })
                .map(|requested| {
                    let place = (topic.name.as_str(), requested.partition_index);
                    let outcome = if doubled.contains(&place) {
                        Err(ErrorCode::InvalidRequest)
                    } else {
                        hosted
                            .partition(topic.name.as_str(), requested.partition_index)
                            .and_then(|partition| look_up(partition, requested, version, committed_only))
                    };
                    partition_response(requested.partition_index, version, outcome)
                })
                .collect();
            ListOffsetsTopicResponse { name: topic.name.clone(), partitions, ..Default::default() }
        })
        .collect();
    ListOffsetsResponse { topics, ..Default::default() }
}

/// A partition named twice is refused (`ListOffsetsRequest.duplicatePartitions`).
fn named_twice(body: &ListOffsetsRequest) -> HashSet<(&str, i32)> {
    let mut seen = HashSet::new();
    let all = body.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(move |partition| (topic.name.as_str(), partition.partition_index))
    });
    all.filter(|place| !seen.insert(*place)).collect()
}

fn partition_response(
    index: i32,
    version: i16,
    outcome: Result<Found, ErrorCode>,
) -> ListOffsetsPartitionResponse {
    let (error, found) = match outcome {
        Ok(found) => (ErrorCode::None, found),
        Err(error) => (error, NOTHING),
    };
    ListOffsetsPartitionResponse {
        partition_index: index,
        error_code: error.code(),
        timestamp: found.timestamp,
        offset: found.offset,
        leader_epoch: if version >= 4 { found.leader_epoch } else { -1 },
        ..Default::default()
    }
}

/// The first version that knows a special timestamp; `None` for one that no version knows.
fn special_since(timestamp: i64) -> Option<i16> {
    match timestamp {
        LATEST | EARLIEST => Some(1),
        MAX_TIMESTAMP => Some(7),
        EARLIEST_LOCAL => Some(8),
        LATEST_TIERED => Some(9),
        EARLIEST_PENDING_UPLOAD => Some(11),
        _ => None,
    }
}

fn look_up(
    partition: &Partition,
    requested: &ListOffsetsPartition,
    version: i16,
    committed_only: bool,
) -> Result<Found, ErrorCode> {
    let timestamp = requested.timestamp;
    if timestamp < 0 && special_since(timestamp).is_none_or(|since| version < since) {
        return Err(ErrorCode::UnsupportedVersion);
    }
    let led = partition.led(requested.current_leader_epoch).map_err(errors::unavailable)?;
    let log = led.log();
    let visible_end = if committed_only { led.last_stable_offset() } else { led.high_watermark() };
    let leader_epoch = led.epoch().0;
    let found = match timestamp {
        LATEST if !led.is_latest_known() => return Err(ErrorCode::OffsetNotAvailable),
        LATEST => Found { timestamp: -1, offset: visible_end.0, leader_epoch },
        EARLIEST | EARLIEST_LOCAL => {
            let first = if timestamp == EARLIEST { log.earliest() } else { log.earliest_local() };
            let (start, epoch) = first.map_err(|error| errors::read_error(&error))?;
            Found { timestamp: -1, offset: start.0, leader_epoch: epoch.map_or(-1, |epoch| epoch.0) }
        }
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => NOTHING,
        _ => {
            let place = if timestamp == MAX_TIMESTAMP {
                log.max_timestamp()
            } else {
                log.offset_for_timestamp(timestamp)
            };
            let place = place.map_err(|error| errors::read_error(&error))?;
            match place {
                Some(place) if place.offset < visible_end => Found {
                    timestamp: place.timestamp,
                    offset: place.offset.0,
                    leader_epoch: place.leader_epoch.0,
                },
                _ => NOTHING,
            }
        }
    };
    assert!(found.offset >= -1 && Offset(found.offset) <= log.log_end_offset(), "an offset of this log");
    Ok(found)
}
