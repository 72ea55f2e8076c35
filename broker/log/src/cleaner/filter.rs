//! Which records of a batch stay, and what the batch becomes.
//! Core. (Kafka's `Cleaner.cleanInto` and `MemoryRecords.filterTo`.)
//!
//! A batch keeps its base and last offset, its epoch, producer and sequence whatever goes. The
//! first time a batch is met whose tombstones (or marker without a transaction) could go, its base
//! timestamp becomes the time until which they stay, and attribute bit 6 says so; what is relative
//! to the base timestamp is written anew.

use std::collections::BTreeMap;

use ottla_model::{Offset, ProducerEpoch, ProducerId};
use ottla_records::compression::compress_onto;
use ottla_records::header::{NO_TIMESTAMP, checksum};
use ottla_records::varint::{read_varint, read_varlong, varlong_bytes, write_varint, write_varlong};
use ottla_records::view::ReadRecordsError;
use ottla_records::{
    BatchHeader, BatchView, Codec, ControlRecordType, HEADER_BYTES, LOG_OVERHEAD_BYTES, Record,
    RecordFormatError, TimestampType,
};

use super::offset_map::OffsetMap;
use super::transactions::CleanedTransactions;

/// What a producer that is still active wrote last here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastRecord {
    /// `None`: only a marker is known of it.
    pub data_offset: Option<Offset>,
    pub epoch: ProducerEpoch,
}

pub type ActiveProducers = BTreeMap<ProducerId, LastRecord>;

/// What decides in one round.
pub struct Rules<'a> {
    pub map: &'a OffsetMap,
    pub producers: &'a ActiveProducers,
    pub now_ms: i64,
    pub delete_retention_ms: i64,
}

/// What a batch became.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The bytes as they are.
    Kept,
    /// Other bytes, behind what was in the buffer.
    Rewritten,
    /// Its header alone: it says something that no other batch does.
    Emptied,
    Gone,
}

/// Buffers that a walk reuses.
#[derive(Default)]
pub struct Scratch {
    expanded: Vec<u8>,
    retained: Vec<u8>,
}

impl Scratch {
    /// What one giant batch made is not kept.
    pub fn shrink(&mut self, bytes_max: usize) {
        for buffer in [&mut self.expanded, &mut self.retained] {
            if buffer.capacity() > bytes_max {
                *buffer = Vec::new();
            }
        }
    }
}

/// What was seen of the records of a batch.
struct Seen {
    retained: i32,
    has_tombstone: bool,
    max_timestamp: i64,
}

/// Decides about a batch; what is to be written goes behind `out`, unless it is the batch as it
/// is. `must_stay`: as an empty one if need be, since it is the last of a segment.
pub fn filter_batch(
    batch: &BatchView<'_>,
    rules: &Rules<'_>,
    transactions: &mut CleanedTransactions,
    must_stay: bool,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<Outcome, ReadRecordsError> {
    let header = batch.header();
    let is_control = header.attributes.is_control();
    let can_discard = if is_control {
        let kind = control_type(batch, &mut scratch.expanded)?;
        transactions.on_control_batch(header, kind)
    } else {
        transactions.on_batch(header)
    };
    let discards = if is_control {
        can_discard && header.delete_horizon_ms().is_some_and(|horizon| horizon <= rules.now_ms)
    } else {
        can_discard
    };
    let stays_empty = must_stay || is_last_of_producer(header, rules.producers);
    if discards {
        return Ok(if stays_empty { empty(header, out) } else { Outcome::Gone });
    }
    let sets_horizon_for_marker = is_control && can_discard;
    scratch.retained.clear();
    let mut seen = Seen { retained: 0, has_tombstone: false, max_timestamp: NO_TIMESTAMP };
    // Bytes are copied only from the first record on that goes.
    let mut kept_bytes = 0;
    let mut is_whole = true;
    for record in batch.records(&mut scratch.expanded)? {
        let record = record?;
        if is_control || stays(&record, header, rules) {
            seen.retained += 1;
            seen.has_tombstone |= record.value.is_none();
            seen.max_timestamp = seen.max_timestamp.max(record.timestamp);
            if is_whole {
                kept_bytes += record.bytes().len();
            } else {
                scratch.retained.extend_from_slice(record.bytes());
            }
        } else {
            is_whole = false;
        }
    }
    if seen.retained == 0 {
        return Ok(if stays_empty { empty(header, out) } else { Outcome::Gone });
    }
    let sets_horizon =
        (seen.has_tombstone || sets_horizon_for_marker) && header.delete_horizon_ms().is_none();
    if is_whole && !sets_horizon {
        return Ok(Outcome::Kept);
    }
    let expanded: &[u8] = if header.attributes.compression().is_some_and(|codec| codec.is_none()) {
        batch.body()
    } else {
        &scratch.expanded
    };
    let parts = [&expanded[..kept_bytes], &scratch.retained];
    let horizon = sets_horizon.then(|| rules.now_ms.saturating_add(rules.delete_retention_ms));
    rewrite(header, parts, &seen, horizon, out)?;
    Ok(Outcome::Rewritten)
}

fn control_type(
    batch: &BatchView<'_>,
    expanded: &mut Vec<u8>,
) -> Result<Option<ControlRecordType>, ReadRecordsError> {
    let Some(record) = batch.records(expanded)?.next() else { return Ok(None) };
    // A control record that can't be understood is kept: not for us to throw away.
    let key = record?.key.and_then(ControlRecordType::parse_key);
    Ok(Some(key.unwrap_or(ControlRecordType::Unknown(-1))))
}

fn is_last_of_producer(header: &BatchHeader, producers: &ActiveProducers) -> bool {
    if !header.has_producer_id() {
        return false;
    }
    producers.get(&header.producer_id).is_some_and(|last| match last.data_offset {
        Some(offset) => header.last_offset() == offset,
        None => header.attributes.is_control() && header.producer_epoch == last.epoch,
    })
}

fn stays(record: &Record<'_>, header: &BatchHeader, rules: &Rules<'_>) -> bool {
    if rules.map.latest_offset().is_none_or(|latest| record.offset > latest) {
        return true;
    }
    // A record without a key has no place in a compacted log.
    let Some(key) = record.key else { return false };
    let is_latest = rules.map.get(key).is_none_or(|latest| record.offset >= latest);
    let is_kept_tombstone = || header.delete_horizon_ms().is_none_or(|horizon| rules.now_ms < horizon);
    is_latest && (record.value.is_some() || is_kept_tombstone())
}

fn empty(header: &BatchHeader, out: &mut Vec<u8>) -> Outcome {
    if header.record_count == 0 {
        return Outcome::Kept;
    }
    let mut header = BatchHeader {
        batch_length: (HEADER_BYTES - LOG_OVERHEAD_BYTES) as i32,
        attributes: header.attributes.plain(),
        base_timestamp: NO_TIMESTAMP,
        record_count: 0,
        ..*header
    };
    header.crc = checksum(&header.write(), &[]);
    out.extend_from_slice(&header.write());
    Outcome::Emptied
}

/// Writes the batch with the records in `parts` alone, compressed as it was.
fn rewrite(
    header: &BatchHeader,
    parts: [&[u8]; 2],
    seen: &Seen,
    new_horizon: Option<i64>,
    out: &mut Vec<u8>,
) -> Result<(), ReadRecordsError> {
    let start = out.len();
    out.resize(start + HEADER_BYTES, 0);
    let codec = header.attributes.compression().map_or(Codec::None, Codec::default_of);
    let mut records = Vec::new();
    let bytes: Vec<u8> = match new_horizon {
        Some(horizon) => {
            for part in parts {
                rebase(part, header.base_timestamp, horizon, &mut records)?;
            }
            records
        }
        None => parts.concat(),
    };
    compress_onto(codec, &bytes, out);
    let mut new = BatchHeader {
        batch_length: (out.len() - start - LOG_OVERHEAD_BYTES) as i32,
        record_count: seen.retained,
        ..*header
    };
    if let Some(horizon) = new_horizon {
        new.attributes = new.attributes.with_delete_horizon();
        new.base_timestamp = horizon;
    }
    if header.attributes.timestamp_type() == TimestampType::CreateTime {
        new.max_timestamp = seen.max_timestamp;
    }
    let body = start + HEADER_BYTES;
    new.crc = checksum(&new.write(), &out[body..]);
    out[start..body].copy_from_slice(&new.write());
    Ok(())
}

/// Copies records with their timestamps relative to another base.
fn rebase(records: &[u8], from: i64, to: i64, out: &mut Vec<u8>) -> Result<(), RecordFormatError> {
    let mut at = 0;
    while at < records.len() {
        let parsed = (|| {
            let length = usize::try_from(read_varint(records, &mut at)?).ok()?;
            let body = records.get(at..at.checked_add(length)?)?;
            at += length;
            let attributes = *body.first()?;
            let mut behind = 1;
            let delta = read_varlong(body, &mut behind)?;
            Some((attributes, delta, &body[behind..]))
        })();
        let Some((attributes, delta, rest)) = parsed else { return Err(RecordFormatError::Remaining) };
        let delta = from.wrapping_add(delta).wrapping_sub(to);
        write_varint(out, (1 + varlong_bytes(delta) + rest.len()) as i32);
        out.push(attributes);
        write_varlong(out, delta);
        out.extend_from_slice(rest);
    }
    Ok(())
}
