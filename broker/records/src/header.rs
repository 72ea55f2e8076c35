//! The header of a v2 batch: its layout, parsing, and the few fields a leader writes.
//! Core.
//!
//! ```text
//!  @0  base offset            i64   \  the leader's: outside the checksum
//!  @8  batch length           i32    | bytes that follow this field
//! @12  partition leader epoch i32   /
//! @16  magic                  i8       2
//! @17  crc                    u32      CRC-32C of everything from @21 to the end
//! @21  attributes             i16      bits 0-2 codec, 3 timestamp type, 4 transactional, 5 control,
//!                                      6 the base timestamp is a delete horizon
//! @23  last offset delta      i32
//! @27  base timestamp         i64
//! @35  max timestamp          i64
//! @43  producer id            i64
//! @51  producer epoch         i16
//! @53  base sequence          i32
//! @57  record count           i32
//! @61  records                         compressed as one block when a codec is set
//! ```

use crate::checksum::crc32c_of_two;
use ottla_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};

use crate::compression::CompressionType;

/// Bytes before the records.
pub const HEADER_BYTES: usize = 61;
/// Bytes that the length field does not count.
pub const LOG_OVERHEAD_BYTES: usize = 12;
/// The only format stored.
pub const MAGIC: i8 = 2;
/// "No timestamp".
pub const NO_TIMESTAMP: i64 = -1;

pub(crate) const LENGTH_AT: usize = 8;
pub(crate) const EPOCH_AT: usize = 12;
pub(crate) const MAGIC_AT: usize = 16;
pub(crate) const CRC_AT: usize = 17;
pub(crate) const ATTRIBUTES_AT: usize = 21;
pub(crate) const MAX_TIMESTAMP_AT: usize = 35;

const _: () = assert!(LENGTH_AT + 4 == LOG_OVERHEAD_BYTES, "the length counts what follows it");
const _: () = assert!(
    EPOCH_AT + 4 == MAGIC_AT && MAGIC_AT + 1 == CRC_AT,
    "the leader's fields are before the checksum"
);

/// Who a record's timestamp comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimestampType {
    #[default]
    CreateTime,
    LogAppendTime,
}

/// The attribute bits of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Attributes(pub i16);

impl Attributes {
    const TIMESTAMP_TYPE: i16 = 1 << 3;
    const TRANSACTIONAL: i16 = 1 << 4;
    const CONTROL: i16 = 1 << 5;
    const DELETE_HORIZON: i16 = 1 << 6;

    pub fn new(
        compression: CompressionType,
        timestamp_type: TimestampType,
        is_transactional: bool,
        is_control: bool,
    ) -> Attributes {
        let mut bits = compression.id();
        if timestamp_type == TimestampType::LogAppendTime {
            bits |= Self::TIMESTAMP_TYPE;
        }
        if is_transactional {
            bits |= Self::TRANSACTIONAL;
        }
        if is_control {
            bits |= Self::CONTROL;
        }
        Attributes(bits)
    }

    /// `None` for a codec number that Kafka does not know.
    pub fn compression(self) -> Option<CompressionType> {
        CompressionType::from_id(self.0 & 7)
    }

    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::TIMESTAMP_TYPE == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    pub fn with_timestamp_type(self, timestamp_type: TimestampType) -> Attributes {
        match timestamp_type {
            TimestampType::CreateTime => Attributes(self.0 & !Self::TIMESTAMP_TYPE),
            TimestampType::LogAppendTime => Attributes(self.0 | Self::TIMESTAMP_TYPE),
        }
    }

    pub fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    pub fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    pub fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }

    pub fn with_delete_horizon(self) -> Attributes {
        Attributes(self.0 | Self::DELETE_HORIZON)
    }

    /// Nothing is compressed and the base timestamp is a timestamp again.
    pub fn plain(self) -> Attributes {
        Attributes(self.0 & !(7 | Self::DELETE_HORIZON))
    }
}

/// Every field before the records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchHeader {
    pub base_offset: Offset,
    pub batch_length: i32,
    pub leader_epoch: LeaderEpoch,
    pub magic: i8,
    pub crc: u32,
    pub attributes: Attributes,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub base_sequence: Sequence,
    pub record_count: i32,
}

#[inline]
fn take<const N: usize>(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

impl BatchHeader {
    /// Reads the fields as they stand; `view::BatchView` is what judges them.
    #[inline]
    pub fn parse(bytes: &[u8; HEADER_BYTES]) -> BatchHeader {
        BatchHeader {
            base_offset: Offset(i64::from_be_bytes(take(bytes, 0))),
            batch_length: i32::from_be_bytes(take(bytes, LENGTH_AT)),
            leader_epoch: LeaderEpoch(i32::from_be_bytes(take(bytes, EPOCH_AT))),
            magic: bytes[MAGIC_AT] as i8,
            crc: u32::from_be_bytes(take(bytes, CRC_AT)),
            attributes: Attributes(i16::from_be_bytes(take(bytes, ATTRIBUTES_AT))),
            last_offset_delta: i32::from_be_bytes(take(bytes, 23)),
            base_timestamp: i64::from_be_bytes(take(bytes, 27)),
            max_timestamp: i64::from_be_bytes(take(bytes, MAX_TIMESTAMP_AT)),
            producer_id: ProducerId(i64::from_be_bytes(take(bytes, 43))),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(take(bytes, 51))),
            base_sequence: Sequence(i32::from_be_bytes(take(bytes, 53))),
            record_count: i32::from_be_bytes(take(bytes, 57)),
        }
    }

    pub fn write(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..8].copy_from_slice(&self.base_offset.0.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.leader_epoch.0.to_be_bytes());
        bytes[16] = self.magic as u8;
        bytes[17..21].copy_from_slice(&self.crc.to_be_bytes());
        bytes[21..23].copy_from_slice(&self.attributes.0.to_be_bytes());
        bytes[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        bytes[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        bytes[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        bytes[43..51].copy_from_slice(&self.producer_id.0.to_be_bytes());
        bytes[51..53].copy_from_slice(&self.producer_epoch.0.to_be_bytes());
        bytes[53..57].copy_from_slice(&self.base_sequence.0.to_be_bytes());
        bytes[57..61].copy_from_slice(&self.record_count.to_be_bytes());
        bytes
    }

    /// Bytes of the whole batch. Only meaningful once the length was judged.
    #[inline]
    pub fn size_bytes(&self) -> usize {
        LOG_OVERHEAD_BYTES + self.batch_length as usize
    }

    /// Whether this can be the header of a stored batch: the right magic and a possible length.
    #[inline]
    pub fn is_plausible(&self) -> bool {
        self.magic == MAGIC
            && self.batch_length >= (HEADER_BYTES - LOG_OVERHEAD_BYTES) as i32
            && self.base_offset.0 >= 0
            && self.last_offset_delta >= 0
    }

    #[inline]
    pub fn last_offset(&self) -> Offset {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    #[inline]
    pub fn next_offset(&self) -> Offset {
        self.base_offset + i64::from(self.last_offset_delta) + 1
    }

    /// When the tombstones or the marker in this batch may go, once the cleaner has set it.
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        self.attributes.has_delete_horizon().then_some(self.base_timestamp)
    }

    pub fn has_producer_id(&self) -> bool {
        self.producer_id.0 > ProducerId::NONE.0
    }

    /// The sequence of the last record; `NONE` for a producer that is not idempotent.
    pub fn last_sequence(&self) -> Sequence {
        if self.base_sequence.0 < 0 {
            Sequence::NONE
        } else {
            self.base_sequence.advance(self.last_offset_delta)
        }
    }
}

/// Writes what a leader decides into a copy of the header. Neither field is under the checksum.
#[inline]
pub fn assign_offset(header: &mut [u8; HEADER_BYTES], base_offset: Offset, leader_epoch: LeaderEpoch) {
    assert!(base_offset.0 >= 0, "a stored batch has an offset");
    header[0..8].copy_from_slice(&base_offset.0.to_be_bytes());
    header[EPOCH_AT..EPOCH_AT + 4].copy_from_slice(&leader_epoch.0.to_be_bytes());
}

/// Sets timestamp type and largest timestamp in a copy of the header, and the new checksum with
/// `records` behind it.
pub fn assign_timestamp(
    header: &mut [u8; HEADER_BYTES],
    records: &[u8],
    timestamp_type: TimestampType,
    max_timestamp: i64,
) {
    let attributes =
        Attributes(i16::from_be_bytes(take(header, ATTRIBUTES_AT))).with_timestamp_type(timestamp_type);
    header[ATTRIBUTES_AT..ATTRIBUTES_AT + 2].copy_from_slice(&attributes.0.to_be_bytes());
    header[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].copy_from_slice(&max_timestamp.to_be_bytes());
    let crc = checksum(header, records);
    header[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
}

/// The CRC-32C of a batch in two pieces.
#[inline]
pub fn checksum(header: &[u8; HEADER_BYTES], records: &[u8]) -> u32 {
    crc32c_of_two(&header[ATTRIBUTES_AT..], records)
}
