//! How a fetch is answered: the encoded frame around slices of files, which no encoder may touch.
//! Shell: short slices are read into the frame.

use bytes::BufMut;
use ottla_env::File;
use ottla_log::ReadData;
use ottla_model::{BrokerId, ErrorCode, LeaderEpoch};
use ottla_network::{Answer, Chunk, ResponseBuilder};
use ottla_replica::PartitionRead;

use crate::cluster::{LeaderHints, Node};
use crate::context::Broker;
use crate::fetch_plan::{Requested, answered};
use crate::fetch_session::FetchContext;
use crate::quotas::rest;
use crate::request::Request;
use crate::wire;

/// Slices of files up to this length are copied into the response.
const COPIED_SLICE_BYTES_MAX: usize = 8 << 10;
/// Once a response holds so much, nothing more is copied into it: what waits for a slow client waits in files.
const COPIED_RESPONSE_BYTES_MAX: usize = 32 << 10;

/// A response that carries only a top-level error.
pub(crate) fn answer_error(request: &Request, error: ErrorCode) -> Answer {
    let mut builder = request.response(16);
    let flexible = request.version() >= 12;
    let throttle_ms = request.settle_throttle();
    put_head(&mut builder, request.version(), throttle_ms, error, 0);
    wire::put_array_len(&mut builder.buffer, 0, flexible);
    wire::put_no_tags(&mut builder.buffer, flexible);
    rest(request.finish(builder, &[error]), throttle_ms)
}

/// Answers without records: the client asks for the same again when it has rested. The session is as it was
/// (`FetchContext.getThrottledResponse`).
pub(crate) fn answer_throttled(request: &Request, context: &FetchContext, throttle_ms: i32) -> Answer {
    let (session_id, error) = match context {
        FetchContext::Incremental { session_id, epoch, session } => {
            let is_over = session.answer(*epoch).is_none();
            let error = if is_over { ErrorCode::InvalidFetchSessionEpoch } else { ErrorCode::None };
            (*session_id, error)
        }
        _ => (0, ErrorCode::None),
    };
    let flexible = request.version() >= 12;
    let mut builder = request.response(24);
    put_head(&mut builder, request.version(), throttle_ms, error, session_id);
    wire::put_array_len(&mut builder.buffer, 0, flexible);
    wire::put_no_tags(&mut builder.buffer, flexible);
    rest(request.finish(builder, &[error]), throttle_ms)
}

/// What the whole response would take, as Kafka counts it: the body and four bytes.
pub(crate) fn response_bytes(
    version: i16,
    context: &FetchContext,
    answers: &[(Requested, PartitionRead)],
) -> usize {
    let (flexible, by_id) = (version >= 12, version >= 13);
    // The fixed fields, and the lengths of lists: 1 to 5 bytes as varints, 4 otherwise.
    let len_bytes = |len: usize| match flexible {
        true => (usize::BITS - (len + 1).leading_zeros()).div_ceil(7) as usize,
        false => 4,
    };
    let head = 4 + 4 + if version >= 7 { 6 } else { 0 } + usize::from(flexible);
    let fixed = 4 + 2 + 8 + 8 + if version >= 5 { 8 } else { 0 } + if version >= 11 { 4 } else { 0 };
    let mut bytes = head + len_bytes(answers.len());
    let mut last_topic = None;
    for (requested, read) in
        answers.iter().filter(|(requested, read)| context.names(requested.slot, &answered(read)))
    {
        let topic = (requested.id(), requested.name());
        if last_topic != Some(topic) {
            last_topic = Some(topic);
            let name = if flexible { len_bytes(topic.1.len()) } else { 2 } + topic.1.len();
            bytes += if by_id { 16 } else { name } + len_bytes(1) + usize::from(flexible);
        }
        let aborted = read.aborted_transactions.as_ref().map_or(0, Vec::len);
        bytes += fixed + len_bytes(aborted) + aborted * (16 + usize::from(flexible));
        bytes += len_bytes(read.record_bytes()) + read.record_bytes() + usize::from(flexible);
    }
    bytes
}

fn put_head(
    builder: &mut ResponseBuilder,
    version: i16,
    throttle_ms: i32,
    error: ErrorCode,
    session_id: i32,
) {
    builder.buffer.put_i32(throttle_ms);
    if version >= 7 {
        builder.buffer.put_i16(error.code());
        builder.buffer.put_i32(session_id);
    }
}

/// Partitions of one topic that follow each other in the answers stand under one topic entry.
pub(crate) fn encode(
    broker: &Broker,
    request: &Request,
    session_id: i32,
    is_follower: bool,
    answers: &[(Requested, PartitionRead)],
) -> Answer {
    let version = request.version();
    let (flexible, by_id) = (version >= 12, version >= 13);
    let mut builder = request.response(24 + 96 * answers.len());
    put_head(&mut builder, version, 0, ErrorCode::None, session_id);
    let is_same = |one: &(Requested, PartitionRead), other: &(Requested, PartitionRead)| match by_id {
        true => one.0.id() == other.0.id(),
        false => one.0.name() == other.0.name(),
    };
    let topic_count = answers.chunk_by(is_same).count();
    wire::put_array_len(&mut builder.buffer, topic_count, flexible);
    let mut hints = LeaderHints::of(broker, &request.connection);
    for topic in answers.chunk_by(is_same) {
        match by_id {
            true => builder.buffer.put_slice(topic[0].0.id().0.as_bytes()),
            false => wire::put_string(&mut builder.buffer, topic[0].0.name(), flexible),
        }
        wire::put_array_len(&mut builder.buffer, topic.len(), flexible);
        for (requested, read) in topic {
            put_partition(&mut hints, &mut builder, version, requested, read);
        }
        wire::put_no_tags(&mut builder.buffer, flexible);
    }
    if flexible {
        // A follower knows where brokers are.
        let hinted = if is_follower { Vec::new() } else { hints.nodes() };
        put_tags(&mut builder, &hinted);
    }
    let errors: Vec<ErrorCode> =
        answers.iter().map(|(_, read)| read.error).filter(|error| !error.is_none()).collect();
    request.finish(builder, &errors)
}

fn put_partition(
    hints: &mut LeaderHints<'_>,
    builder: &mut ResponseBuilder,
    version: i16,
    requested: &Requested,
    read: &PartitionRead,
) {
    let flexible = version >= 12;
    let buffer = &mut builder.buffer;
    buffer.put_i32(requested.partition);
    buffer.put_i16(read.error.code());
    buffer.put_i64(read.high_watermark);
    buffer.put_i64(read.last_stable_offset);
    if version >= 5 {
        buffer.put_i64(read.log_start_offset);
    }
    match &read.aborted_transactions {
        None => wire::put_null_array(buffer, flexible),
        Some(aborted) => {
            wire::put_array_len(buffer, aborted.len(), flexible);
            for transaction in aborted {
                buffer.put_i64(transaction.producer_id.0);
                buffer.put_i64(transaction.first_offset.0);
                wire::put_no_tags(buffer, flexible);
            }
        }
    }
    if version >= 11 {
        buffer.put_i32(read.preferred.map_or(-1, |id| id.0));
    }
    wire::put_bytes_len(buffer, read.record_bytes(), flexible);
    if let Some(slice) = &read.data {
        push_records(builder, &slice.data);
    }
    if !flexible {
        return;
    }
    let is_moved = matches!(read.error, ErrorCode::FencedLeaderEpoch | ErrorCode::NotLeaderOrFollower);
    let leader = match is_moved && version >= 16 {
        true => hints.add_by_id(requested.id(), requested.partition),
        false => None,
    };
    put_partition_tags(builder, read, leader);
}

fn put_partition_tags(
    builder: &mut ResponseBuilder,
    read: &PartitionRead,
    leader: Option<(BrokerId, LeaderEpoch)>,
) {
    let count = u32::from(read.diverging.is_some()) + u32::from(leader.is_some());
    let buffer = &mut builder.buffer;
    wire::put_uvarint(buffer, count);
    if let Some((epoch, end)) = read.diverging {
        // tag 0: DivergingEpoch { epoch i32, end_offset i64, tags }
        wire::put_uvarint(buffer, 0);
        wire::put_uvarint(buffer, 13);
        buffer.put_i32(epoch.0);
        buffer.put_i64(end.0);
        buffer.put_u8(0);
    }
    if let Some((leader, epoch)) = leader {
        // tag 1: CurrentLeader { leader_id i32, leader_epoch i32, tags }
        wire::put_uvarint(buffer, 1);
        wire::put_uvarint(buffer, 9);
        buffer.put_i32(leader.0);
        buffer.put_i32(epoch.0);
        buffer.put_u8(0);
    }
}

/// The response's tags: tag 0, NodeEndpoints, when a leader was hinted at.
fn put_tags(builder: &mut ResponseBuilder, hinted: &[Node]) {
    let buffer = &mut builder.buffer;
    if hinted.is_empty() {
        wire::put_no_tags(buffer, true);
        return;
    }
    let mut endpoints = bytes::BytesMut::new();
    wire::put_node_endpoints(&mut endpoints, hinted);
    wire::put_uvarint(buffer, 1);
    wire::put_uvarint(buffer, 0);
    wire::put_uvarint(buffer, endpoints.len() as u32);
    buffer.put_slice(&endpoints);
}

/// Reads a short slice into the response: one system call more, where sending it from the file costs two and a path
/// through the kernel that only pays for itself with longer ones. False: it is to be sent from the file.
fn copy_records(builder: &mut ResponseBuilder, file: &dyn File, position: u64, len: usize) -> bool {
    // A file in memory is sent as it is.
    let is_short = len <= COPIED_SLICE_BYTES_MAX && builder.memory_bytes() + len <= COPIED_RESPONSE_BYTES_MAX;
    let buffer = &mut builder.buffer;
    let start = buffer.len();
    if !is_short || file.std_file().is_none() {
        return false;
    }
    buffer.resize(start + len, 0);
    let is_copied = file.read_exact_at(&mut buffer[start..], position).is_ok();
    if !is_copied {
        // Sending it meets the same failure, and closes the connection.
        buffer.truncate(start);
    }
    is_copied
}

fn push_records(builder: &mut ResponseBuilder, data: &ReadData) {
    match data {
        ReadData::Empty => {}
        ReadData::File { file, position, len } => {
            if copy_records(builder, &**file, *position, *len) {
                return;
            }
            builder.push(Chunk::File { file: file.clone(), position: *position, len: *len });
        }
        ReadData::Memory(chunks) => {
            for bytes in chunks {
                builder.push(Chunk::Bytes(bytes.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::BufMut;
    use ottla_env::disk::{Disk, OpenMode};
    use ottla_env::real::RealDisk;

    use super::*;

    /// A file of the machine whose byte at each place is the place's lowest byte.
    fn file(name: &str, len: usize) -> Arc<dyn File> {
        let path = std::env::temp_dir().join(format!("ottla-fetch-{}-{name}", std::process::id()));
        let file = RealDisk.open(&path, OpenMode::Truncate).unwrap_or_else(|error| panic!("{error}"));
        RealDisk.remove_file(&path).unwrap_or_else(|error| panic!("{error}"));
        file.write_all_at(&content(0, len), 0).unwrap_or_else(|error| panic!("{error}"));
        file
    }

    fn content(from: usize, len: usize) -> Vec<u8> {
        (from..from + len).map(|place| (place % 256) as u8).collect()
    }

    #[test]
    fn short_slices_are_copied_and_long_ones_sent_from_the_file() {
        let file = file("lengths", COPIED_SLICE_BYTES_MAX + 2);
        for len in [1, COPIED_SLICE_BYTES_MAX, COPIED_SLICE_BYTES_MAX + 1] {
            let mut builder = ResponseBuilder::with_capacity(16);
            builder.buffer.put_u8(7);
            push_records(&mut builder, &ReadData::File { file: file.clone(), position: 1, len });
            builder.buffer.put_u8(9);
            let response = builder.finish().unwrap_or_else(|| panic!("it fits into a frame"));
            assert_eq!(response.len(), 4 + 1 + len + 1);
            let is_copied = response.rest.is_empty();
            assert_eq!(is_copied, len <= COPIED_SLICE_BYTES_MAX);
            if is_copied {
                let expected = [&[7][..], &content(1, len), &[9]].concat();
                assert_eq!(&response.head[4..], expected);
            }
        }
    }

    #[test]
    fn a_response_holds_only_so_much_of_files_in_memory() {
        let file = file("many", COPIED_SLICE_BYTES_MAX);
        let mut builder = ResponseBuilder::with_capacity(16);
        for _ in 0..100 {
            let slice = ReadData::File { file: file.clone(), position: 0, len: COPIED_SLICE_BYTES_MAX };
            push_records(&mut builder, &slice);
        }
        let response = builder.finish().unwrap_or_else(|| panic!("it fits into a frame"));
        assert_eq!(response.len(), 4 + 100 * COPIED_SLICE_BYTES_MAX);
        assert!(response.memory_bytes() <= COPIED_RESPONSE_BYTES_MAX, "{}", response.memory_bytes());
        assert!(response.memory_bytes() > COPIED_RESPONSE_BYTES_MAX - COPIED_SLICE_BYTES_MAX - 4);
    }

    #[test]
    fn what_a_file_no_longer_has_is_left_to_the_sending() {
        let mut builder = ResponseBuilder::with_capacity(16);
        push_records(&mut builder, &ReadData::File { file: file("cut", 10), position: 5, len: 6 });
        let response = builder.finish().unwrap_or_else(|| panic!("it fits into a frame"));
        assert_eq!((response.head.len(), response.rest.len(), response.len()), (4, 1, 10));
    }
}
