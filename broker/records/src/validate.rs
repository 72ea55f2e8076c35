//! What a batch must satisfy before a leader stores it (Kafka's `LogValidator`), and recompression.
//! Core.
//!
//! Stricter than Kafka in one place: an uncompressed batch whose record offset deltas are not
//! 0, 1, 2, ... is refused; Kafka stores it and its consumers then see wrong offsets. A compressed
//! one is rewritten, as Kafka does.

use bytes::Bytes;
use ottla_model::limits::RECORD_ERRORS_PER_BATCH_MAX;

use crate::builder::BatchBuilder;
use crate::compression::{Codec, CodecError, WalkError, walk_body};
use crate::header::{NO_TIMESTAMP, TimestampType};
use crate::record::{Record, RecordFormatError, Walk};
use crate::view::{BatchError, BatchView, ReadRecordsError};

/// The kind of a refusal; each becomes one error code of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InvalidKind {
    InvalidRecord,
    CorruptMessage,
    MessageTooLarge,
    InvalidTimestamp,
    UnsupportedCompressionType,
}

/// One refused record: its place in the batch and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordError {
    pub batch_index: i32,
    pub message: String,
}

/// Nothing was stored.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct InvalidRecords {
    pub kind: InvalidKind,
    pub message: String,
    pub record_errors: Vec<RecordError>,
}

impl InvalidRecords {
    pub fn new(kind: InvalidKind, message: String) -> InvalidRecords {
        InvalidRecords { kind, message, record_errors: Vec::new() }
    }

    fn record(message: String) -> InvalidRecords {
        InvalidRecords::new(InvalidKind::InvalidRecord, message)
    }
}

impl From<BatchError> for InvalidRecords {
    fn from(error: BatchError) -> InvalidRecords {
        let kind = match error {
            BatchError::Truncated { .. } | BatchError::UnsupportedMagic(_) => InvalidKind::InvalidRecord,
            BatchError::InvalidLength(_) | BatchError::Corrupt { .. } => InvalidKind::CorruptMessage,
        };
        InvalidRecords::new(kind, error.to_string())
    }
}

impl From<CodecError> for InvalidRecords {
    fn from(error: CodecError) -> InvalidRecords {
        let kind = match error {
            CodecError::Unknown(_) => InvalidKind::UnsupportedCompressionType,
            CodecError::Malformed(_) | CodecError::TooLarge => InvalidKind::InvalidRecord,
        };
        InvalidRecords::new(kind, error.to_string())
    }
}

impl From<RecordFormatError> for InvalidRecords {
    fn from(error: RecordFormatError) -> InvalidRecords {
        InvalidRecords::record(error.to_string())
    }
}

/// The topic's rules and who sends.
#[derive(Clone, Copy, Debug)]
pub struct ValidationRules {
    /// Whether a client sends: it may not set offsets or write control batches.
    pub from_client: bool,
    pub max_message_bytes: usize,
    pub is_compacted: bool,
    pub timestamp_type: TimestampType,
    pub timestamp_before_max_ms: i64,
    pub timestamp_after_max_ms: i64,
    /// The codec the topic demands; `None` takes what comes.
    pub compression: Option<Codec>,
}

/// What a leader must do with a batch that passed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Store it as it came.
    AsIs { max_timestamp: i64 },
    /// Store it with these in its header and a new checksum.
    Timestamps { timestamp_type: TimestampType, max_timestamp: i64 },
    /// Store this instead.
    Rewritten { batch: Bytes, max_timestamp: i64 },
}

/// Judges one whole batch. `partition` is for the texts.
pub fn validate_batch(
    batch: &BatchView<'_>,
    rules: &ValidationRules,
    now_ms: i64,
    partition: &dyn std::fmt::Display,
) -> Result<Verdict, InvalidRecords> {
    let header = batch.header();
    if rules.from_client && header.base_offset.0 != 0 {
        return Err(InvalidRecords::record(format!(
            "The baseOffset of the record batch in the append to {partition} should be 0, but it is {}",
            header.base_offset
        )));
    }
    check_size(batch.bytes().len(), rules, partition)?;
    batch.verify_checksum()?;
    if rules.from_client {
        check_header(batch, partition)?;
    }
    let codec = header
        .attributes
        .compression()
        .ok_or(CodecError::Unknown(header.attributes.0 & 7))
        .map_err(InvalidRecords::from)?;
    let walk = walk_body(codec, batch.body(), header.record_count).map_err(|error| match error {
        WalkError::Codec(error) => InvalidRecords::from(error),
        WalkError::Format(error) => InvalidRecords::from(error),
    })?;
    if breaks_a_record_rule(batch, rules, now_ms, &walk) {
        check_records(batch, rules, now_ms, partition)?;
    }
    if !walk.offset_deltas_in_order && codec.is_none() && rules.from_client {
        return Err(InvalidRecords::record(format!(
            "The offset deltas of the records in the append to {partition} are not consecutive from 0"
        )));
    }
    let target = rules
        .compression
        .filter(|target| target.compression_type() != codec && !header.attributes.is_control());
    if target.is_some() || (rules.from_client && !walk.offset_deltas_in_order) {
        let batch = rewrite(batch, target.unwrap_or(Codec::default_of(codec)), rules, now_ms)?;
        check_size(batch.len(), rules, partition)?;
        let rewritten = *BatchView::first(&batch).map_err(InvalidRecords::from)?.header();
        assert!(rewritten.record_count == header.record_count, "a rewritten batch has the same records");
        assert!(rewritten.producer_id == header.producer_id, "a rewritten batch is of the same producer");
        return Ok(Verdict::Rewritten { batch, max_timestamp: rewritten.max_timestamp });
    }
    Ok(match rules.timestamp_type {
        TimestampType::LogAppendTime => {
            Verdict::Timestamps { timestamp_type: TimestampType::LogAppendTime, max_timestamp: now_ms }
        }
        TimestampType::CreateTime => {
            let max_timestamp = max_timestamp(batch, &walk);
            if max_timestamp == header.max_timestamp
                && header.attributes.timestamp_type() == TimestampType::CreateTime
            {
                Verdict::AsIs { max_timestamp }
            } else {
                Verdict::Timestamps { timestamp_type: TimestampType::CreateTime, max_timestamp }
            }
        }
    })
}

fn check_size(
    bytes: usize,
    rules: &ValidationRules,
    partition: &dyn std::fmt::Display,
) -> Result<(), InvalidRecords> {
    if bytes <= rules.max_message_bytes {
        return Ok(());
    }
    Err(InvalidRecords::new(
        InvalidKind::MessageTooLarge,
        format!(
            "The record batch size in the append to {partition} is {bytes} bytes which exceeds the maximum configured value of {}.",
            rules.max_message_bytes
        ),
    ))
}

fn check_header(batch: &BatchView<'_>, partition: &dyn std::fmt::Display) -> Result<(), InvalidRecords> {
    let header = batch.header();
    let range = (header.base_offset, header.last_offset());
    let count_from_offsets = i64::from(header.last_offset_delta) + 1;
    if count_from_offsets <= 0 {
        return Err(InvalidRecords::record(format!(
            "Batch has an invalid offset range: [{}, {}] in topic partition {partition}",
            range.0, range.1
        )));
    }
    if header.record_count <= 0 {
        return Err(InvalidRecords::record(format!(
            "Invalid reported count for record batch: {} in topic partition {partition}",
            header.record_count
        )));
    }
    if count_from_offsets != i64::from(header.record_count) {
        return Err(InvalidRecords::record(format!(
            "Inconsistent batch offset range [{}, {}] and count of records {} in topic partition {partition}",
            range.0, range.1, header.record_count
        )));
    }
    if header.attributes.is_control() {
        return Err(InvalidRecords::record(format!(
            "Clients are not allowed to write control records in topic partition {partition}"
        )));
    }
    if header.has_producer_id() && header.base_sequence.0 < 0 {
        return Err(InvalidRecords::record(format!(
            "Invalid sequence number {} in record batch with producerId {} in topic partition {partition}",
            header.base_sequence.0, header.producer_id.0
        )));
    }
    Ok(())
}

fn max_timestamp(batch: &BatchView<'_>, walk: &Walk) -> i64 {
    let header = batch.header();
    if header.record_count == 0 {
        return NO_TIMESTAMP;
    }
    if header.attributes.timestamp_type() == TimestampType::LogAppendTime {
        return header.max_timestamp;
    }
    header.base_timestamp.wrapping_add(walk.timestamp_delta_max).max(NO_TIMESTAMP)
}

/// Whether any record may break a rule, from the extremes of the walk alone; if so, each is looked at.
fn breaks_a_record_rule(batch: &BatchView<'_>, rules: &ValidationRules, now_ms: i64, walk: &Walk) -> bool {
    let header = batch.header();
    if header.record_count == 0 || header.attributes.is_control() {
        return false;
    }
    if rules.is_compacted && walk.null_keys {
        return true;
    }
    if header.attributes.timestamp_type() == TimestampType::LogAppendTime {
        return true;
    }
    let extremes = header
        .base_timestamp
        .checked_add(walk.timestamp_delta_min)
        .zip(header.base_timestamp.checked_add(walk.timestamp_delta_max));
    rules.timestamp_type == TimestampType::CreateTime
        && extremes.is_none_or(|(first, last)| {
            is_out_of_range(first, rules, now_ms) || is_out_of_range(last, rules, now_ms)
        })
}

fn is_out_of_range(timestamp: i64, rules: &ValidationRules, now_ms: i64) -> bool {
    let difference = i128::from(now_ms) - i128::from(timestamp);
    difference > i128::from(rules.timestamp_before_max_ms)
        || -difference > i128::from(rules.timestamp_after_max_ms)
}

/// The slow way: looks at each record and names those that break a rule.
fn check_records(
    batch: &BatchView<'_>,
    rules: &ValidationRules,
    now_ms: i64,
    partition: &dyn std::fmt::Display,
) -> Result<(), InvalidRecords> {
    let mut errors = Vec::new();
    let mut is_timestamp = false;
    let batch_type = batch.header().attributes.timestamp_type();
    let mut scratch = Vec::new();
    for (index, record) in batch.records(&mut scratch).map_err(invalid)?.enumerate() {
        let record = record?;
        let message = if rules.is_compacted && record.key.is_none() {
            format!("Compacted topic cannot accept message without key in topic partition {partition}")
        } else if let Some(message) = timestamp_error(&record, batch_type, rules, now_ms) {
            is_timestamp = true;
            message
        } else {
            continue;
        };
        errors.push(RecordError { batch_index: index as i32, message });
        if errors.len() == RECORD_ERRORS_PER_BATCH_MAX {
            break;
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    if is_timestamp {
        return Err(InvalidRecords {
            kind: InvalidKind::InvalidTimestamp,
            message: "One or more records have been rejected due to invalid timestamp".to_owned(),
            record_errors: errors,
        });
    }
    let shown: Vec<String> = errors
        .iter()
        .take(3)
        .map(|error| format!("RecordError(batchIndex={}, message='{}')", error.batch_index, error.message))
        .collect();
    Err(InvalidRecords {
        kind: InvalidKind::InvalidRecord,
        message: format!(
            "One or more records have been rejected due to {} record errors in total, and only showing the first three errors at most: [{}]",
            errors.len(),
            shown.join(", ")
        ),
        record_errors: errors,
    })
}

fn timestamp_error(
    record: &Record<'_>,
    batch_type: TimestampType,
    rules: &ValidationRules,
    now_ms: i64,
) -> Option<String> {
    if rules.timestamp_type == TimestampType::CreateTime && record.timestamp != NO_TIMESTAMP {
        is_out_of_range(record.timestamp, rules, now_ms).then(|| {
            format!(
                "Timestamp {} of message with offset {} is out of range. The timestamp should be within [{}, {}]",
                record.timestamp,
                record.offset,
                now_ms.wrapping_sub(rules.timestamp_before_max_ms),
                now_ms.wrapping_add(rules.timestamp_after_max_ms)
            )
        })
    } else if batch_type == TimestampType::LogAppendTime {
        Some(format!(
            "Invalid timestamp type in message at offset {}. Producer should not set timestamp type to LogAppendTime.",
            record.offset
        ))
    } else {
        None
    }
}

fn invalid(error: ReadRecordsError) -> InvalidRecords {
    match error {
        ReadRecordsError::Codec(error) => error.into(),
        ReadRecordsError::Format(error) => error.into(),
    }
}

/// Builds the batch again with another codec, offsets from 0.
fn rewrite(
    batch: &BatchView<'_>,
    codec: Codec,
    rules: &ValidationRules,
    now_ms: i64,
) -> Result<Bytes, InvalidRecords> {
    let header = batch.header();
    let mut builder = BatchBuilder::new().codec(codec).producer(
        header.producer_id,
        header.producer_epoch,
        header.base_sequence,
    );
    if header.attributes.is_transactional() {
        builder = builder.transactional();
    }
    if rules.timestamp_type == TimestampType::LogAppendTime {
        builder = builder.log_append_time(now_ms);
    }
    let mut scratch = Vec::new();
    for (delta, record) in batch.records(&mut scratch).map_err(invalid)?.enumerate() {
        let record = record?;
        let headers: Vec<_> = record.headers().collect();
        builder.append_at(delta as i32, record.timestamp, record.key, record.value, headers.iter().copied());
    }
    Ok(builder.build())
}
