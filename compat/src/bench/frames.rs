//! Requests encoded once and sent many times: the load costs its sender little more than the copy into the socket.
//! Core: values only.

use crate::crash::batch::{Origin, write, write_keyed};
use crate::places::now_ms;
use crate::wire::Body;

/// One whole request, and where its answer (length included) says whether it failed.
#[derive(Debug, Clone)]
pub struct Frame {
    pub bytes: Vec<u8>,
    /// The place of an error code that must be 0; none when the answer holds no such place.
    pub error_position: Option<usize>,
}

/// Length, correlation id, topic count, name, partition count and index come before the code of a v8 answer.
const PRODUCE_CODE_POSITION: usize = 22;
/// The same with the throttle time in front of it.
const FETCH_CODE_POSITION: usize = 26;
/// What lies between the code and the length of the records: two offsets and no aborted transactions.
const FETCH_LENGTH_AFTER_CODE: usize = 22;

/// As whom the load comes.
pub const CLIENT_ID: &str = "bench";

/// A request with header version 1.
pub fn request(key: i16, version: i16, body: &Body) -> Vec<u8> {
    let header = Body::default().i16(key).i16(version).i32(7).string(CLIENT_ID);
    let count = i32::try_from(header.0.len() + body.0.len()).unwrap_or(i32::MAX);
    let mut bytes = Body::default().i32(count).0;
    bytes.extend(header.0);
    bytes.extend(&body.0);
    bytes
}

/// A batch of equal records; the values look random enough that nothing on the way can shrink them.
pub fn batch(record_count: usize, value_bytes: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let values: Vec<Vec<u8>> = (0..record_count)
        .map(|_| {
            std::iter::repeat_with(|| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .take(value_bytes)
            .collect()
        })
        .collect();
    write(&values, Origin::NOBODY, now_ms())
}

/// A batch of small records whose keys are the numbers from `first_key` on.
pub fn keyed_batch(first_key: usize, record_count: usize, value_bytes: usize) -> Vec<u8> {
    let value = vec![0xA5; value_bytes];
    let keyed: Vec<_> = (first_key..first_key + record_count)
        .map(|key| (Some(format!("key-{key:010}").into_bytes()), value.clone()))
        .collect();
    write_keyed(&keyed, Origin::NOBODY, now_ms())
}

/// Produce v8 of one batch to one partition.
pub fn produce(topic: &str, partition: i32, acks: i16, batch: &[u8]) -> Frame {
    let body = Body::default().null_string().i16(acks).i32(30_000).i32(1).string(topic);
    let body = body.i32(1).i32(partition).bytes(batch);
    Frame { bytes: request(0, 8, &body), error_position: Some(PRODUCE_CODE_POSITION + topic.len()) }
}

/// Fetch v4 of one partition; the offset is put in place for every request.
#[derive(Debug, Clone)]
pub struct FetchFrame {
    pub frame: Frame,
    offset_position: usize,
    pub length_position: usize,
}

impl FetchFrame {
    pub fn new(topic: &str, partition: i32, bytes_max: i32, wait_ms: i32) -> Self {
        Self::of_at_least(1, topic, partition, bytes_max, wait_ms)
    }

    /// One that waits for so many bytes.
    pub fn of_at_least(bytes_min: i32, topic: &str, partition: i32, bytes_max: i32, wait_ms: i32) -> Self {
        let body = Body::default().i32(-1).i32(wait_ms).i32(bytes_min).i32(bytes_max).i8(0).i32(1);
        let body = body.string(topic);
        let bytes = request(1, 4, &body.i32(1).i32(partition).i64(0).i32(bytes_max));
        let code = FETCH_CODE_POSITION + topic.len();
        Self {
            offset_position: bytes.len() - 12,
            length_position: code + FETCH_LENGTH_AFTER_CODE,
            frame: Frame { bytes, error_position: Some(code) },
        }
    }

    pub fn seek(&mut self, offset: i64) {
        self.frame.bytes[self.offset_position..self.offset_position + 8]
            .copy_from_slice(&offset.to_be_bytes());
    }
}

/// ApiVersions v0.
pub fn api_versions() -> Frame {
    Frame { bytes: request(18, 0, &Body::default()), error_position: Some(8) }
}

/// Metadata v4 about the given topic.
pub fn metadata(topic: &str) -> Frame {
    Frame { bytes: request(3, 4, &Body::default().i32(1).string(topic).i8(0)), error_position: None }
}

/// OffsetCommit v2 of one partition for a group without members.
pub fn offset_commit(group: &str, topic: &str) -> Frame {
    let body = Body::default().string(group).i32(-1).string("").i64(-1).i32(1).string(topic);
    let bytes = request(8, 2, &body.i32(1).i32(0).i64(5).string(""));
    Frame { bytes, error_position: Some(PRODUCE_CODE_POSITION + topic.len()) }
}

/// Heartbeat v0 of a member.
pub fn heartbeat(group: &str, generation: i32, member: &str) -> Frame {
    let body = Body::default().string(group).i32(generation).string(member);
    Frame { bytes: request(12, 0, &body), error_position: Some(8) }
}
