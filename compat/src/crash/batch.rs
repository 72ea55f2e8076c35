//! The v2 record batch, written and read by hand for the crash tests, so that they share no code with the broker.
//! Core: values only.
//!
//! ```text
//!  0 base_offset i64 | 8 batch_length i32 | 12 leader_epoch i32 | 16 magic i8 = 2 | 17 crc32c u32 of all that follows
//! 21 attributes i16 | 23 last_offset_delta i32 | 27 base_timestamp i64 | 35 max_timestamp i64 | 43 producer_id i64
//! 51 producer_epoch i16 | 53 base_sequence i32 | 57 record_count i32 | 61 records
//! record: length varint, attributes i8, timestamp delta, offset delta, key length (-1), value length, value, headers 0
//! ```

use crate::failure::{Outcome, fail};
use crate::wire::{Answer, Body};

/// The bytes in front of what `batch_length` counts.
const PREFIX_BYTES: usize = 12;
const CRC_POSITION: usize = 17;
const CRC_END: usize = 21;

/// Who wrote a batch, and its place in that producer's sequence; -1 everywhere for nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
}

impl Origin {
    pub const NOBODY: Self = Self { producer_id: -1, producer_epoch: -1, base_sequence: -1 };
}

/// One consumed record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    pub offset: i64,
    pub value: Vec<u8>,
}

/// A batch of records without keys or headers, uncompressed.
pub fn write(values: &[Vec<u8>], origin: Origin, timestamp_ms: i64) -> Vec<u8> {
    let unkeyed: Vec<_> = values.iter().map(|value| (None, value.clone())).collect();
    write_keyed(&unkeyed, origin, timestamp_ms)
}

/// The same with keys, where there are any.
pub fn write_keyed(keyed: &[(Option<Vec<u8>>, Vec<u8>)], origin: Origin, timestamp_ms: i64) -> Vec<u8> {
    let mut records = Vec::new();
    for (delta, (key, value)) in keyed.iter().enumerate() {
        let mut record = vec![0];
        put_varint(&mut record, 0);
        put_varint(&mut record, i64::try_from(delta).unwrap_or(0));
        match key {
            Some(key) => {
                put_varint(&mut record, i64::try_from(key.len()).unwrap_or(0));
                record.extend(key);
            }
            None => put_varint(&mut record, -1),
        }
        put_varint(&mut record, i64::try_from(value.len()).unwrap_or(0));
        record.extend(value);
        put_varint(&mut record, 0);
        put_varint(&mut records, i64::try_from(record.len()).unwrap_or(0));
        records.extend(record);
    }
    let count = i32::try_from(keyed.len()).unwrap_or(i32::MAX);
    let mut checked = Body::default()
        .i16(0)
        .i32(count - 1)
        .i64(timestamp_ms)
        .i64(timestamp_ms)
        .i64(origin.producer_id)
        .i16(origin.producer_epoch)
        .i32(origin.base_sequence)
        .i32(count)
        .0;
    checked.extend(records);
    let crc = crc32c::crc32c(&checked);
    let batch_length = i32::try_from(CRC_END - PREFIX_BYTES + checked.len()).unwrap_or(i32::MAX);
    let mut batch = Body::default().i64(0).i32(batch_length).i32(-1).i8(2).0;
    batch.extend(crc.to_be_bytes());
    batch.extend(checked);
    batch
}

/// Every record of the whole batches in `bytes` from `from_offset` on; a batch cut short at the end is left out,
/// one that fails its checksum is a failure, for no broker may serve it.
pub fn read(bytes: &[u8], from_offset: i64) -> Outcome<Vec<Served>> {
    let mut served = Vec::new();
    for batch in whole_batches(bytes) {
        let base_offset = Answer(batch).i64()?;
        let crc = Answer(&batch[CRC_POSITION..]).u32()?;
        if crc != crc32c::crc32c(&batch[CRC_END..]) {
            return fail(format!(
                "the broker served a batch at offset {base_offset} that fails its checksum"
            ));
        }
        let count = Answer(&batch[57..]).i32()?;
        let mut records = Answer(&batch[61..]);
        for _ in 0..count {
            let _length = varint(&mut records)?;
            let _attributes = records.i8()?;
            let _timestamp_delta = varint(&mut records)?;
            let offset = base_offset + varint(&mut records)?;
            let key_bytes = usize::try_from(varint(&mut records)?).unwrap_or(0);
            records.take(key_bytes)?;
            let value_bytes = usize::try_from(varint(&mut records)?).unwrap_or(0);
            let value = records.take(value_bytes)?.to_vec();
            let _headers = varint(&mut records)?;
            if offset >= from_offset {
                served.push(Served { offset, value });
            }
        }
    }
    Ok(served)
}

/// Where each whole batch of a log file begins and how long it is.
pub fn places(log: &[u8]) -> Vec<(usize, usize)> {
    let mut position = 0;
    let mut places = Vec::new();
    for batch in whole_batches(log) {
        places.push((position, batch.len()));
        position += batch.len();
    }
    places
}

fn whole_batches(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = i32::from_be_bytes(rest.get(8..PREFIX_BYTES)?.try_into().ok()?);
        let (batch, after) = rest.split_at_checked(PREFIX_BYTES + usize::try_from(length).ok()?)?;
        rest = after;
        // Shorter than its own header: zeros after the end of what was written.
        (batch.len() > 61).then_some(batch)
    })
}

fn put_varint(bytes: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        bytes.push((rest & 0x7F) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

fn varint(answer: &mut Answer<'_>) -> Outcome<i64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = answer.i8()?.cast_unsigned();
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
    }
    fail("a number longer than ten bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Vec<Vec<u8>> {
        vec![b"one".to_vec(), vec![b'x'; 300], Vec::new()]
    }

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = write(&values(), Origin::NOBODY, 5);
        bytes.extend(write(&values(), Origin::NOBODY, 5));
        let served = read(&bytes, 1);
        let expected = [(1, 1), (2, 2), (0, 0), (1, 1), (2, 2)];
        // Both batches say base offset 0, as a producer writes them.
        let expected: Vec<Served> = expected
            .into_iter()
            .filter(|(offset, _)| *offset >= 1)
            .map(|(offset, index): (i64, usize)| Served { offset, value: values()[index].clone() })
            .collect();
        assert_eq!(served, Ok(expected));
        assert_eq!(places(&bytes).len(), 2);
    }

    #[test]
    fn a_key_does_not_hide_its_value() {
        let bytes = write_keyed(&[(Some(b"key".to_vec()), b"value".to_vec())], Origin::NOBODY, 5);
        assert_eq!(read(&bytes, 0), Ok(vec![Served { offset: 0, value: b"value".to_vec() }]));
    }

    #[test]
    fn a_flipped_bit_is_noticed_and_a_cut_batch_left_out() {
        let mut bytes = write(&values(), Origin::NOBODY, 5);
        assert_eq!(read(&bytes[..bytes.len() - 1], 0), Ok(Vec::new()));
        let last = bytes.len() - 1;
        bytes[last] ^= 4;
        assert!(read(&bytes, 0).is_err());
    }
}
