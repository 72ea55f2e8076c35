//! The `.snapshot` file: producer state as of an offset, so that a start need not read the log.
//! Core: bytes in, bytes out.
//!
//! ```text
//! version i16 (1) | crc u32: CRC-32C of all that follows | entry count i32
//! | (producer id i64 | epoch i16 | last sequence i32 | last offset i64 | offset delta i32
//!   | timestamp i64 | coordinator epoch i32 | first offset of the open transaction i64 (-1: none))*
//! ```

use ottla_model::{Offset, ProducerEpoch, ProducerId, Sequence};
use smallvec::smallvec;

use crate::producer_state::{BatchMetadata, ProducerEntry, ProducerState};

const VERSION: i16 = 1;
const HEAD_BYTES: usize = 10;
const ENTRY_BYTES: usize = 46;

pub fn write(state: &ProducerState) -> Vec<u8> {
    let entries = state.entries();
    let mut bytes = Vec::with_capacity(HEAD_BYTES + ENTRY_BYTES * entries.len());
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&(entries.len() as i32).to_be_bytes());
    for (id, entry) in entries {
        let last = entry.batches.last();
        bytes.extend_from_slice(&id.0.to_be_bytes());
        bytes.extend_from_slice(&entry.epoch.0.to_be_bytes());
        bytes.extend_from_slice(&entry.last_sequence().0.to_be_bytes());
        bytes.extend_from_slice(&last.map_or(-1, |batch| batch.last_offset.0).to_be_bytes());
        bytes.extend_from_slice(&last.map_or(0, |batch| batch.offset_delta).to_be_bytes());
        bytes.extend_from_slice(&entry.last_timestamp.to_be_bytes());
        bytes.extend_from_slice(&entry.coordinator_epoch.to_be_bytes());
        bytes.extend_from_slice(&entry.current_txn_first_offset.map_or(-1, |o| o.0).to_be_bytes());
    }
    let crc = crc32c::crc32c(&bytes[6..]);
    bytes[2..6].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// `None` when the file is torn, damaged or of another version.
pub fn parse(bytes: &[u8], end_offset: Offset) -> Option<ProducerState> {
    let version = i16::from_be_bytes(*bytes.first_chunk()?);
    let crc = u32::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
    if version != VERSION || crc != crc32c::crc32c(bytes.get(6..)?) {
        return None;
    }
    let count = i32::from_be_bytes(*bytes.get(6..)?.first_chunk()?);
    let entries = bytes.get(HEAD_BYTES..)?;
    if entries.len() != usize::try_from(count).ok()?.checked_mul(ENTRY_BYTES)? {
        return None;
    }
    let entries = entries.chunks_exact(ENTRY_BYTES).map(parse_entry);
    Some(ProducerState::from_entries(entries, end_offset))
}

fn parse_entry(bytes: &[u8]) -> (ProducerId, ProducerEntry) {
    fn at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
        *bytes[at..].first_chunk().expect("entries are whole")
    }
    let last_offset = i64::from_be_bytes(at(bytes, 14));
    let timestamp = i64::from_be_bytes(at(bytes, 26));
    let open = i64::from_be_bytes(at(bytes, 38));
    let mut entry = ProducerEntry {
        epoch: ProducerEpoch(i16::from_be_bytes(at(bytes, 8))),
        coordinator_epoch: i32::from_be_bytes(at(bytes, 34)),
        last_timestamp: timestamp,
        current_txn_first_offset: (open >= 0).then_some(Offset(open)),
        batches: smallvec![],
    };
    if last_offset >= 0 {
        entry.batches.push(BatchMetadata {
            last_sequence: Sequence(i32::from_be_bytes(at(bytes, 10))),
            last_offset: Offset(last_offset),
            offset_delta: i32::from_be_bytes(at(bytes, 22)),
            timestamp,
        });
    }
    (ProducerId(i64::from_be_bytes(at(bytes, 0))), entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_survives_a_round_trip_and_any_damage_is_seen() {
        let entry = ProducerEntry {
            epoch: ProducerEpoch(2),
            coordinator_epoch: 3,
            last_timestamp: 44,
            current_txn_first_offset: Some(Offset(5)),
            batches: smallvec![BatchMetadata {
                last_sequence: Sequence(9),
                last_offset: Offset(10),
                offset_delta: 4,
                timestamp: 44
            }],
        };
        let state = ProducerState::from_entries([(ProducerId(1), entry)], Offset(11));
        let bytes = write(&state);
        assert_eq!(bytes.len(), HEAD_BYTES + ENTRY_BYTES);
        assert_eq!(parse(&bytes, Offset(11)), Some(state));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert_eq!(parse(&damaged, Offset(11)), None, "flip at {at}");
            assert_eq!(parse(&bytes[..at], Offset(11)), None, "cut at {at}");
        }
    }
}
