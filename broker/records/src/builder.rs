//! Writes v2 batches, laid out as Kafka's own builder lays them out.
//! Core.

use bytes::Bytes;
use ottla_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};

use crate::compression::{Codec, compress_onto};
use crate::header::{
    Attributes, BatchHeader, HEADER_BYTES, LOG_OVERHEAD_BYTES, MAGIC, NO_TIMESTAMP, TimestampType, checksum,
};
use crate::varint::{varint_bytes, varlong_bytes, write_varint, write_varlong};

/// A record header: key and nullable value.
pub type HeaderRef<'a> = (&'a [u8], Option<&'a [u8]>);

/// One batch in the making.
pub struct BatchBuilder {
    codec: Codec,
    is_transactional: bool,
    is_control: bool,
    /// The time that every record gets instead of its own.
    log_append_time: Option<i64>,
    base_offset: Offset,
    leader_epoch: LeaderEpoch,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    base_sequence: Sequence,
    base_timestamp: Option<i64>,
    max_timestamp: i64,
    last_offset_delta: i32,
    count: i32,
    records: Vec<u8>,
}

impl Default for BatchBuilder {
    fn default() -> BatchBuilder {
        BatchBuilder::new()
    }
}

impl BatchBuilder {
    /// A plain batch as a client without idempotence sends it.
    pub fn new() -> BatchBuilder {
        BatchBuilder {
            codec: Codec::None,
            is_transactional: false,
            is_control: false,
            log_append_time: None,
            base_offset: Offset::ZERO,
            leader_epoch: LeaderEpoch::NONE,
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
            base_sequence: Sequence::NONE,
            base_timestamp: None,
            max_timestamp: NO_TIMESTAMP,
            last_offset_delta: -1,
            count: 0,
            records: Vec::new(),
        }
    }

    pub fn codec(mut self, codec: Codec) -> BatchBuilder {
        self.codec = codec;
        self
    }

    pub fn transactional(mut self) -> BatchBuilder {
        self.is_transactional = true;
        self
    }

    pub fn control(mut self) -> BatchBuilder {
        self.is_control = true;
        self
    }

    pub fn log_append_time(mut self, now_ms: i64) -> BatchBuilder {
        self.log_append_time = Some(now_ms);
        self
    }

    pub fn base_offset(mut self, base_offset: Offset) -> BatchBuilder {
        self.base_offset = base_offset;
        self
    }

    pub fn leader_epoch(mut self, leader_epoch: LeaderEpoch) -> BatchBuilder {
        self.leader_epoch = leader_epoch;
        self
    }

    pub fn producer(mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: Sequence) -> BatchBuilder {
        self.producer_id = id;
        self.producer_epoch = epoch;
        self.base_sequence = base_sequence;
        self
    }

    pub fn count(&self) -> i32 {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes so far, before compression.
    pub fn size_bytes(&self) -> usize {
        HEADER_BYTES + self.records.len()
    }

    /// Adds a record right behind the last one.
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[HeaderRef<'_>],
    ) {
        self.append_at(self.last_offset_delta + 1, timestamp, key, value, headers.iter().copied());
    }

    /// Adds a record at an offset of its own (compaction leaves gaps). Deltas must grow.
    pub fn append_at<'h>(
        &mut self,
        offset_delta: i32,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl ExactSizeIterator<Item = HeaderRef<'h>> + Clone,
    ) {
        assert!(offset_delta > self.last_offset_delta, "offset deltas must grow");
        let timestamp = self.log_append_time.unwrap_or(timestamp);
        let base_timestamp = *self.base_timestamp.get_or_insert(timestamp);
        let timestamp_delta = timestamp.wrapping_sub(base_timestamp);
        self.last_offset_delta = offset_delta;
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.count += 1;

        let mut bytes = 1 + varlong_bytes(timestamp_delta) + varint_bytes(offset_delta);
        bytes += nullable_bytes(key) + nullable_bytes(value) + varint_bytes(headers.len() as i32);
        for (key, value) in headers.clone() {
            bytes += nullable_bytes(Some(key)) + nullable_bytes(value);
        }
        let out = &mut self.records;
        write_varint(out, bytes as i32);
        let start = out.len();
        out.push(0);
        write_varlong(out, timestamp_delta);
        write_varint(out, offset_delta);
        write_nullable(out, key);
        write_nullable(out, value);
        write_varint(out, headers.len() as i32);
        for (key, value) in headers {
            write_nullable(out, Some(key));
            write_nullable(out, value);
        }
        debug_assert_eq!(out.len() - start, bytes);
    }

    /// The finished batch.
    pub fn build(self) -> Bytes {
        let mut out = Vec::with_capacity(HEADER_BYTES + self.records.len());
        out.resize(HEADER_BYTES, 0);
        compress_onto(self.codec, &self.records, &mut out);
        assert!(
            out.len() - LOG_OVERHEAD_BYTES <= i32::MAX as usize,
            "a batch is as long as its field can say"
        );
        assert!(
            i64::from(self.count) <= i64::from(self.last_offset_delta) + 1,
            "each record has an offset of its own"
        );
        let timestamp_type = match self.log_append_time {
            Some(_) => TimestampType::LogAppendTime,
            None => TimestampType::CreateTime,
        };
        let mut header = BatchHeader {
            base_offset: self.base_offset,
            batch_length: (out.len() - LOG_OVERHEAD_BYTES) as i32,
            leader_epoch: self.leader_epoch,
            magic: MAGIC,
            crc: 0,
            attributes: Attributes::new(
                self.codec.compression_type(),
                timestamp_type,
                self.is_transactional,
                self.is_control,
            ),
            last_offset_delta: self.last_offset_delta,
            base_timestamp: self.base_timestamp.unwrap_or(NO_TIMESTAMP),
            max_timestamp: self.max_timestamp,
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: self.base_sequence,
            record_count: self.count,
        };
        header.crc = checksum(&header.write(), &out[HEADER_BYTES..]);
        out[..HEADER_BYTES].copy_from_slice(&header.write());
        Bytes::from(out)
    }
}

fn nullable_bytes(bytes: Option<&[u8]>) -> usize {
    match bytes {
        None => 1,
        Some(bytes) => varint_bytes(bytes.len() as i32) + bytes.len(),
    }
}

fn write_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => write_varint(out, -1),
        Some(bytes) => {
            write_varint(out, bytes.len() as i32);
            out.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::BatchView;

    #[test]
    fn what_is_written_is_read_back() {
        for codec in [Codec::None, Codec::Gzip(6), Codec::Snappy, Codec::Lz4(9), Codec::Zstd(3)] {
            let mut builder = BatchBuilder::new().codec(codec).base_offset(Offset(100)).producer(
                ProducerId(5),
                ProducerEpoch(1),
                Sequence(10),
            );
            builder.append(1_000, Some(b"k"), Some(b"v"), &[(b"h", Some(b"x")), (b"h", None)]);
            builder.append(900, None, None, &[]);
            let bytes = builder.build();
            let view = BatchView::first(&bytes).expect("a batch");
            assert_eq!(view.verify_checksum(), Ok(()));
            let header = view.header();
            assert_eq!((header.base_timestamp, header.max_timestamp), (1_000, 1_000));
            assert_eq!((header.last_offset(), header.last_sequence()), (Offset(101), Sequence(11)));
            let mut scratch = Vec::new();
            let records: Vec<_> =
                view.records(&mut scratch).expect("opens").map(|record| record.expect("a record")).collect();
            assert_eq!(records.len(), 2, "{codec:?}");
            assert_eq!((records[0].key, records[0].value), (Some(&b"k"[..]), Some(&b"v"[..])));
            let headers: Vec<_> = records[0].headers().collect();
            assert_eq!(headers, [(&b"h"[..], Some(&b"x"[..])), (&b"h"[..], None)]);
            assert_eq!((records[1].key, records[1].value), (None, None));
            assert_eq!((records[1].offset, records[1].timestamp), (Offset(101), 900));
        }
    }

    #[test]
    fn append_time_replaces_the_records_own() {
        let mut builder = BatchBuilder::new().log_append_time(77);
        builder.append(5, None, Some(b"v"), &[]);
        let bytes = builder.build();
        let view = BatchView::first(&bytes).expect("a batch");
        assert_eq!(view.header().attributes.timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!(view.header().max_timestamp, 77);
    }
}
