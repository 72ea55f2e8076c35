//! The few requests that the crash tests send over their own connection, and their answers as plain values.
//! Shell: one blocking socket, through `wire`.

use std::time::{Duration, Instant};

use crate::failure::{Outcome, fail};
use crate::wire::{Answer, Body, Connection};

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const LIST_OFFSETS: i16 = 2;
const DELETE_TOPICS: i16 = 20;
const DELETE_RECORDS: i16 = 21;
const INIT_PRODUCER_ID: i16 = 22;

const REQUEST_TIMEOUT_MS: i32 = 30_000;

pub const NO_ERROR: i16 = 0;
pub const DUPLICATE_SEQUENCE_NUMBER: i16 = 46;

/// How long a partition may be without a leader after a start or its creation.
const LEADER_LIMIT: Duration = Duration::from_secs(20);

/// UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE and NOT_LEADER_OR_FOLLOWER: not yet, ask again.
pub fn asks_for_another_try(error_code: i16) -> bool {
    matches!(error_code, 3 | 5 | 6)
}

/// What a broker said to one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProduceAnswer {
    pub error_code: i16,
    pub base_offset: i64,
    pub error_message: Option<String>,
}

/// What a broker served of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchAnswer {
    pub error_code: i16,
    pub high_watermark: i64,
    pub bytes: Vec<u8>,
}

impl Connection {
    /// InitProducerId v0 without a transactional id.
    pub fn init_producer_id(&mut self) -> Outcome<(i64, i16)> {
        let answer = self.ask(INIT_PRODUCER_ID, 0, Body::default().null_string().i32(REQUEST_TIMEOUT_MS))?;
        let mut answer = Answer(&answer);
        let (_throttle_ms, code) = (answer.i32()?, answer.i16()?);
        if code != NO_ERROR {
            return fail(format!("InitProducerId answered error {code}"));
        }
        Ok((answer.i64()?, answer.i16()?))
    }

    /// Produce v8 of one batch with acks=all; the answer comes through `receive_produce`.
    pub fn send_produce(&mut self, topic: &str, partition: i32, batch: &[u8]) -> Outcome<()> {
        let body = Body::default().null_string().i16(-1).i32(REQUEST_TIMEOUT_MS).i32(1).string(topic);
        self.send(PRODUCE, 8, body.i32(1).i32(partition).bytes(batch))
    }

    pub fn receive_produce(&mut self) -> Outcome<ProduceAnswer> {
        let answer = self.receive()?;
        let mut answer = Answer(&answer);
        let (_topics, _topic, _partitions, _partition) =
            (answer.i32()?, answer.string()?, answer.i32()?, answer.i32()?);
        let (error_code, base_offset) = (answer.i16()?, answer.i64()?);
        let (_append_time, _log_start) = (answer.i64()?, answer.i64()?);
        let mut error_message = None;
        for _ in 0..answer.i32()? {
            let _batch_index = answer.i32()?;
            error_message = answer.string()?.or(error_message);
        }
        error_message = answer.string()?.or(error_message);
        Ok(ProduceAnswer { error_code, base_offset, error_message })
    }

    pub fn produce(&mut self, topic: &str, partition: i32, batch: &[u8]) -> Outcome<ProduceAnswer> {
        self.send_produce(topic, partition, batch)?;
        self.receive_produce()
    }

    /// Fetch v4 of one partition; waits a little when there is nothing.
    pub fn fetch(&mut self, topic: &str, partition: i32, offset: i64) -> Outcome<FetchAnswer> {
        const BYTES_MAX: i32 = 4 << 20;
        let body = Body::default().i32(-1).i32(100).i32(1).i32(BYTES_MAX).i8(0).i32(1).string(topic);
        let answer = self.ask(FETCH, 4, body.i32(1).i32(partition).i64(offset).i32(BYTES_MAX))?;
        let mut answer = Answer(&answer);
        let (_throttle_ms, _topics, _topic, _partitions, _partition) =
            (answer.i32()?, answer.i32()?, answer.string()?, answer.i32()?, answer.i32()?);
        let (error_code, high_watermark, _last_stable) = (answer.i16()?, answer.i64()?, answer.i64()?);
        for _ in 0..answer.i32()? {
            let _aborted = (answer.i64()?, answer.i64()?);
        }
        Ok(FetchAnswer { error_code, high_watermark, bytes: answer.bytes()?.to_vec() })
    }

    /// ListOffsets v1; -1 asks for the end, -2 for the start, anything else for a time. Apache Kafka may have
    /// to be asked again right after a start or a creation, when it does not lead yet.
    pub fn list_offset(&mut self, topic: &str, partition: i32, timestamp_ms: i64) -> Outcome<i64> {
        let body = Body::default().i32(-1).i32(1).string(topic).i32(1).i32(partition).i64(timestamp_ms);
        let deadline = Instant::now() + LEADER_LIMIT;
        loop {
            let answer = self.ask(LIST_OFFSETS, 1, body.clone())?;
            let mut answer = Answer(&answer);
            let (_topics, _topic, _partitions, _partition) =
                (answer.i32()?, answer.string()?, answer.i32()?, answer.i32()?);
            match (answer.i16()?, answer.i64()?, answer.i64()?) {
                (NO_ERROR, _timestamp_ms, offset) => return Ok(offset),
                (code, _, _) if asks_for_another_try(code) && Instant::now() < deadline => {}
                (code, _, _) => return fail(format!("ListOffsets of {topic} answered error {code}")),
            }
        }
    }

    /// DeleteRecords v0 of one partition.
    pub fn delete_records(&mut self, topic: &str, partition: i32, before_offset: i64) -> Outcome<()> {
        let body = Body::default().i32(1).string(topic).i32(1).i32(partition).i64(before_offset);
        let answer = self.ask(DELETE_RECORDS, 0, body.i32(REQUEST_TIMEOUT_MS))?;
        let mut answer = Answer(&answer);
        let (_throttle_ms, _topics, _topic, _partitions, _partition, low_watermark) =
            (answer.i32()?, answer.i32()?, answer.string()?, answer.i32()?, answer.i32()?, answer.i64()?);
        match answer.i16()? {
            NO_ERROR if low_watermark == before_offset => Ok(()),
            code => {
                fail(format!("DeleteRecords of {topic} answered error {code}, low watermark {low_watermark}"))
            }
        }
    }

    /// DeleteTopics v1 of one topic.
    pub fn delete_topic(&mut self, topic: &str) -> Outcome<()> {
        let answer =
            self.ask(DELETE_TOPICS, 1, Body::default().i32(1).string(topic).i32(REQUEST_TIMEOUT_MS))?;
        let mut answer = Answer(&answer);
        let (_throttle_ms, _topics, _topic) = (answer.i32()?, answer.i32()?, answer.string()?);
        match answer.i16()? {
            NO_ERROR => Ok(()),
            code => fail(format!("DeleteTopics of {topic} answered error {code}")),
        }
    }
}
