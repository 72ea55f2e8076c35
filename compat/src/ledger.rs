//! What was produced and what must therefore come back: every record of a scenario is known by its number.
//! Core: values only.

use std::collections::BTreeMap;

use crate::contract::Record;
use crate::failure::{Outcome, fail};

/// The scenario's topics have this many partitions; record `id` goes to partition `id % 3`.
pub const PARTITION_COUNT: usize = 3;
/// Smaller values than this may be null: every seventh is.
const NULL_VALUE_BYTES_MAX: usize = 1_000;

#[derive(Debug, Clone)]
struct Produced {
    codec: String,
    value_bytes: usize,
    offset: i64,
}

/// Everything that was acknowledged to the producer of one topic, in order.
#[derive(Debug, Clone)]
pub struct Ledger {
    base_timestamp_ms: i64,
    produced: Vec<Produced>,
    end_offsets: [i64; PARTITION_COUNT],
    seen: BTreeMap<(i32, i64), u32>,
}

impl Ledger {
    pub fn new(base_timestamp_ms: i64) -> Self {
        Self {
            base_timestamp_ms,
            produced: Vec::new(),
            end_offsets: [0; PARTITION_COUNT],
            seen: BTreeMap::new(),
        }
    }

    pub fn base_timestamp_ms(&self) -> i64 {
        self.base_timestamp_ms
    }

    /// The number that the next record will have.
    pub fn next_id(&self) -> usize {
        self.produced.len()
    }

    pub fn end_offsets(&self) -> &[i64; PARTITION_COUNT] {
        &self.end_offsets
    }

    /// Notes that `count` records were acknowledged.
    pub fn produced(&mut self, codec: &str, count: usize, value_bytes: usize) {
        for _ in 0..count {
            let end_offset = &mut self.end_offsets[self.produced.len() % PARTITION_COUNT];
            self.produced.push(Produced { codec: codec.to_owned(), value_bytes, offset: *end_offset });
            *end_offset += 1;
        }
    }

    /// Holds one consumed record against what was produced and notes that it came.
    pub fn consumed(&mut self, record: &Record) -> Outcome<usize> {
        let id = self.check(record)?;
        *self.seen.entry((record.partition, record.offset)).or_default() += 1;
        Ok(id)
    }

    /// Every field of a consumed record must be what its producer gave it.
    pub fn check(&self, record: &Record) -> Outcome<usize> {
        let id = record
            .headers
            .split(',')
            .find_map(|header| header.strip_prefix("id="))
            .and_then(|id| id.parse::<usize>().ok())
            .ok_or(())
            .or_else(|()| fail(format!("a record without its id header: {record:?}")))?;
        let Some(produced) = self.produced.get(id) else {
            return fail(format!("a record that nobody produced: {record:?}"));
        };
        let value = value(id, produced.value_bytes);
        let expected = Record {
            partition: i32::try_from(id % PARTITION_COUNT).unwrap_or(-1),
            offset: produced.offset,
            timestamp_ms: self.base_timestamp_ms + i64::try_from(id).unwrap_or(0),
            key: key(id),
            value_bytes: value.as_ref().map_or(-1, |value| i64::try_from(value.len()).unwrap_or(-1)),
            value_crc: value.as_deref().map_or(0, crc32),
            headers: format!("id={id},codec={},empty=", produced.codec),
        };
        if *record == expected {
            return Ok(id);
        }
        fail(format!("a record came back changed\n  produced {expected:?}\n  consumed {record:?}"))
    }

    /// How many produced records nobody has consumed yet.
    pub fn missing_count(&self) -> usize {
        self.produced.len() - self.seen.len()
    }

    /// How many consumptions were repetitions.
    pub fn repeated_count(&self) -> u32 {
        self.seen.values().map(|count| count - 1).sum()
    }

    /// The first record of a partition at or after a record's own time, as offsets by timestamp promise it.
    pub fn first_id_from(&self, id: usize, partition: usize) -> Option<usize> {
        (id..self.produced.len()).find(|candidate| candidate % PARTITION_COUNT == partition)
    }
}

/// The key of a record: every fifth is null, but never together with its value, which some clients refuse to send.
pub fn key(id: usize) -> Option<String> {
    (!id.is_multiple_of(5) || id.is_multiple_of(7)).then(|| format!("k{id}"))
}

/// The value of a record; the client programs make the same one.
pub fn value(id: usize, value_bytes: usize) -> Option<Vec<u8>> {
    if id.is_multiple_of(7) && value_bytes < NULL_VALUE_BYTES_MAX {
        return None;
    }
    Some(format!("{id}/").bytes().cycle().take(value_bytes).collect())
}

/// CRC-32 as zlib has it, which every language at hand has too.
pub fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let mut entry = i as u32;
            let mut bit = 0;
            while bit < 8 {
                entry = if entry & 1 == 1 { 0xEDB8_8320 ^ (entry >> 1) } else { entry >> 1 };
                bit += 1;
            }
            table[i] = entry;
            i += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, byte| TABLE[((crc ^ u32::from(*byte)) & 0xFF) as usize] ^ (crc >> 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: usize, offset: i64) -> Record {
        let value = value(id, 10);
        Record {
            partition: i32::try_from(id % PARTITION_COUNT).unwrap_or(-1),
            offset,
            timestamp_ms: 1_000 + i64::try_from(id).unwrap_or(0),
            key: key(id),
            value_bytes: value.as_ref().map_or(-1, |_| 10),
            value_crc: value.as_deref().map_or(0, crc32),
            headers: format!("id={id},codec=gzip,empty="),
        }
    }

    #[test]
    fn the_checksum_is_zlibs() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_record_as_produced_is_taken_and_a_changed_one_is_not() {
        let mut ledger = Ledger::new(1_000);
        ledger.produced("gzip", 8, 10);
        assert_eq!(ledger.consumed(&record(7, 2)), Ok(7));
        assert_eq!(ledger.consumed(&record(4, 1)), Ok(4));
        assert_eq!(ledger.missing_count(), 6);
        assert!(ledger.check(&record(4, 2)).is_err());
        assert!(ledger.check(&Record { value_crc: 1, ..record(4, 1) }).is_err());
        assert!(ledger.check(&record(9, 3)).is_err());
    }

    #[test]
    fn a_repetition_is_counted_once() {
        let mut ledger = Ledger::new(1_000);
        ledger.produced("gzip", 2, 10);
        for _ in 0..2 {
            assert_eq!(ledger.consumed(&record(1, 0)), Ok(1));
        }
        assert_eq!((ledger.repeated_count(), ledger.missing_count()), (1, 1));
    }
}
