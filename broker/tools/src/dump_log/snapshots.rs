//! The state of producers at an offset, and the aborted transactions of a segment.
//! Shell over files.
//!
//! ```text
//! .snapshot: version i16 (1) | crc u32 of all that follows | count i32
//!   | (producer id i64 | epoch i16 | last sequence i32 | last offset i64 | offset delta i32 | timestamp i64
//!      | coordinator epoch i32 | first offset of the open transaction i64)*
//! .txnindex: (version i16 (0) | producer id i64 | first offset i64 | last offset i64 | last stable offset i64)*
//! ```

use std::path::Path;

use ottla_records::checksum::crc32c;

use super::read;
use crate::error::{Exception, Failure};
use crate::terminal::Terminal;

const PRODUCER_BYTES: usize = 46;
const ABORTED_BYTES: usize = 34;

fn at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    *bytes[at..].first_chunk().expect("entries are whole")
}

pub fn dump_producers(path: &Path, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    match producer_lines(&read(path)?) {
        Ok(lines) => {
            for line in lines {
                terminal.say(&line)?;
            }
            Ok(())
        }
        Err(message) => {
            terminal.out.flush()?;
            Ok(writeln!(terminal.err, "{message}")?)
        }
    }
}

fn producer_lines(bytes: &[u8]) -> Result<Vec<String>, String> {
    let schema = || "Snapshot failed schema validation: the file is too short".to_owned();
    let head = bytes.first_chunk::<10>().ok_or_else(schema)?;
    let version = i16::from_be_bytes(at(head, 0));
    if version != 1 {
        return Err(format!("Snapshot contained an unknown file version {version}"));
    }
    let (stored, computed) = (u32::from_be_bytes(at(head, 2)), crc32c(&bytes[6..]));
    if stored != computed {
        return Err(format!(
            "Snapshot is corrupt (CRC is no longer valid). Stored crc: {stored}. Computed crc: {computed}"
        ));
    }
    let count = usize::try_from(i32::from_be_bytes(at(head, 6))).map_err(|_| schema())?;
    let entries = &bytes[10..];
    if count.checked_mul(PRODUCER_BYTES).is_none_or(|needed| needed > entries.len()) {
        return Err(schema());
    }
    Ok(entries.chunks_exact(PRODUCER_BYTES).take(count).map(producer_line).collect())
}

fn producer_line(bytes: &[u8]) -> String {
    let (id, epoch) = (i64::from_be_bytes(at(bytes, 0)), i16::from_be_bytes(at(bytes, 8)));
    let (sequence, offset) = (i32::from_be_bytes(at(bytes, 10)), i64::from_be_bytes(at(bytes, 14)));
    let (delta, timestamp) = (i32::from_be_bytes(at(bytes, 22)), i64::from_be_bytes(at(bytes, 26)));
    let (coordinator, open) = (i32::from_be_bytes(at(bytes, 34)), i64::from_be_bytes(at(bytes, 38)));
    let open = if open >= 0 { format!("OptionalLong[{open}]") } else { "OptionalLong.empty".to_owned() };
    let mut line = format!(
        "producerId: {id} producerEpoch: {epoch} coordinatorEpoch: {coordinator} currentTxnFirstOffset: {open} \
         lastTimestamp: {timestamp}"
    );
    if offset >= 0 {
        // Sequences wrap at the largest number to 0.
        let first = i64::from(sequence) - i64::from(delta);
        let first = if first < 0 { first + i64::from(i32::MAX) + 1 } else { first };
        line.push_str(&format!(
            " firstSequence: {first} lastSequence: {sequence} lastOffset: {offset} offsetDelta: {delta} timestamp: {timestamp}"
        ));
    }
    line
}

pub fn dump_aborted(path: &Path, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    super::base_offset(path)?;
    for line in aborted_lines(&read(path)?)? {
        terminal.say(&line)?;
    }
    Ok(())
}

fn aborted_lines(bytes: &[u8]) -> Result<Vec<String>, Exception> {
    let one = |bytes: &[u8]| {
        let version = i16::from_be_bytes(at(bytes, 0));
        if version > 0 {
            let message = format!("Unexpected aborted transaction version {version}, current version is 0");
            return Err(Exception::new("org.apache.kafka.common.KafkaException", message));
        }
        let [producer, first, last, stable] =
            [2, 10, 18, 26].map(|place| i64::from_be_bytes(at(bytes, place)));
        Ok(format!(
            "version: {version} producerId: {producer} firstOffset: {first} lastOffset: {last} lastStableOffset: {stable}"
        ))
    };
    bytes.chunks_exact(ABORTED_BYTES).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn producers_are_told_with_their_last_batch() {
        let mut bytes = vec![0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
        bytes.extend(7_i64.to_be_bytes());
        bytes.extend(2_i16.to_be_bytes());
        bytes.extend(9_i32.to_be_bytes());
        bytes.extend(40_i64.to_be_bytes());
        bytes.extend(4_i32.to_be_bytes());
        bytes.extend(123_i64.to_be_bytes());
        bytes.extend((-1_i32).to_be_bytes());
        bytes.extend((-1_i64).to_be_bytes());
        let crc = crc32c(&bytes[6..]);
        bytes[2..6].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(
            producer_lines(&bytes).expect("a good file"),
            [
                "producerId: 7 producerEpoch: 2 coordinatorEpoch: -1 currentTxnFirstOffset: OptionalLong.empty lastTimestamp: \
                 123 firstSequence: 5 lastSequence: 9 lastOffset: 40 offsetDelta: 4 timestamp: 123"
            ]
        );
        bytes[20] ^= 1;
        assert!(producer_lines(&bytes).is_err_and(|message| message.starts_with("Snapshot is corrupt")));
        assert!(producer_lines(&bytes[..5]).is_err());
    }

    #[test]
    fn an_aborted_transaction_is_a_line() {
        let mut bytes = vec![0, 0];
        for number in [7_i64, 1, 5, 3] {
            bytes.extend(number.to_be_bytes());
        }
        assert_eq!(
            aborted_lines(&bytes).expect("a good file"),
            ["version: 0 producerId: 7 firstOffset: 1 lastOffset: 5 lastStableOffset: 3"]
        );
        bytes[1] = 9;
        assert!(aborted_lines(&bytes).is_err());
    }
}
