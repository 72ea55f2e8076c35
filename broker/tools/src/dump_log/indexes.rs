//! The indexes of a segment: by offset and by time.
//! Shell over files.
//!
//! ```text
//! .index:     (offset - base i32 | position i32)*
//! .timeindex: (timestamp i64 | offset - base i32)*
//! ```
//! Zeros may follow where a broker was not stopped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::segment::LogFile;
use super::{Findings, Wanted, absolute, base_offset, read};
use crate::error::{Exception, Failure};
use crate::terminal::Terminal;

const OFFSET_ENTRY_BYTES: usize = 8;
const TIME_ENTRY_BYTES: usize = 12;

/// Kafka's class of a file beside the log that cannot be right.
const CORRUPT: &str = "org.apache.kafka.storage.internals.log.CorruptIndexException";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OffsetEntry {
    offset: i64,
    position: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TimeEntry {
    timestamp: i64,
    offset: i64,
}

fn number(bytes: &[u8]) -> i64 {
    i64::from(i32::from_be_bytes(*bytes.first_chunk().expect("entries are whole")))
}

fn offset_entries(bytes: &[u8], base: i64) -> Vec<OffsetEntry> {
    let entry = |bytes: &[u8]| OffsetEntry {
        offset: base + number(bytes),
        position: u64::try_from(number(&bytes[4..])).unwrap_or(0),
    };
    bytes.chunks_exact(OFFSET_ENTRY_BYTES).map(entry).collect()
}

fn time_entries(bytes: &[u8], base: i64) -> Vec<TimeEntry> {
    let entry = |bytes: &[u8]| TimeEntry {
        timestamp: i64::from_be_bytes(*bytes.first_chunk().expect("entries are whole")),
        offset: base + number(&bytes[8..]),
    };
    bytes.chunks_exact(TIME_ENTRY_BYTES).map(entry).collect()
}

/// Entries up to the zeros.
fn filled<E>(entries: &[E], is_zero: impl Fn(&E) -> bool) -> &[E] {
    let zero = entries.iter().skip(1).position(is_zero);
    &entries[..zero.map_or(entries.len(), |at| at + 1)]
}

pub(super) fn dump_offsets(
    path: &Path,
    wanted: &Wanted,
    findings: &mut Findings,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let base = base_offset(path)?;
    let log = LogFile::open(&path.with_extension("log"))?;
    let bytes = read(path)?;
    let entries = offset_entries(&bytes, base);
    if entries.is_empty() {
        return Ok(terminal.say(&format!("{} is empty.", path.display()))?);
    }
    if wanted.sanity_only {
        check_offsets(path, &bytes, &entries, base)?;
        return Ok(terminal.say(&format!("{} passed sanity check.", path.display()))?);
    }
    for entry in filled(&entries, |entry| entry.offset == base) {
        let end = entry.position.saturating_add(wanted.max_message_bytes);
        let batch = log.batch(entry.position, end)?;
        let batch = batch.ok_or_else(|| Exception::new("java.util.NoSuchElementException", "null"))?;
        let last = batch.view().header().last_offset().0;
        if last != entry.offset {
            findings.index_mismatches.entry(absolute(path)).or_default().push((entry.offset, last));
        }
        if !wanted.verify_only {
            terminal.say(&format!("offset: {} position: {}", entry.offset, entry.position))?;
        }
    }
    Ok(())
}

fn check_offsets(path: &Path, bytes: &[u8], entries: &[OffsetEntry], base: i64) -> Result<(), Exception> {
    let (path, last) = (absolute(path), entries.last().map_or(base, |entry| entry.offset));
    if last < base {
        return Err(Exception::new(
            CORRUPT,
            format!(
                "Corrupt index found, index file ({}) has non-zero size but the last offset is {last} which is less than \
                 the base offset {base}",
                path.display()
            ),
        ));
    }
    check_size("Index", &path, bytes.len(), OFFSET_ENTRY_BYTES)
}

fn check_size(what: &str, path: &Path, bytes: usize, entry_bytes: usize) -> Result<(), Exception> {
    if bytes.is_multiple_of(entry_bytes) {
        return Ok(());
    }
    Err(Exception::new(
        CORRUPT,
        format!(
            "{what} file {} is corrupt, found {bytes} bytes which is neither positive nor a multiple of {entry_bytes}",
            path.display()
        ),
    ))
}

/// What is wrong with time indexes.
#[derive(Debug, Default)]
pub struct TimeFindings {
    /// By index: the time that it names, and that of the log.
    mismatches: BTreeMap<PathBuf, Vec<(i64, i64)>>,
    /// By index: a time, and the one before it.
    disorder: BTreeMap<PathBuf, Vec<(i64, i64)>>,
    /// By index: an offset that it names, and the one that was found.
    absent: BTreeMap<PathBuf, Vec<(i64, i64)>>,
}

impl TimeFindings {
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (path, pairs) in &self.mismatches {
            lines.push(format!("Found timestamp mismatch in :{}", path.display()));
            let each = pairs.iter();
            lines
                .extend(each.map(|(index, log)| format!("  Index timestamp: {index}, log timestamp: {log}")));
        }
        for (path, pairs) in &self.disorder {
            lines.push(format!("Found out of order timestamp in :{}", path.display()));
            lines.extend(pairs.iter().map(|(index, before)| {
                format!("  Index timestamp: {index}, Previously indexed timestamp: {before}")
            }));
        }
        for pairs in self.absent.values() {
            lines.push("The following indexed offsets are not found in the log.".to_owned());
            lines.extend(
                pairs.iter().map(|(index, log)| format!("Indexed offset: {index}, found log offset: {log}")),
            );
        }
        lines
    }
}

pub(super) fn dump_times(
    path: &Path,
    wanted: &Wanted,
    findings: &mut TimeFindings,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let base = base_offset(path)?;
    let log = LogFile::open(&path.with_extension("log"))?;
    let offsets = offset_entries(&read(&path.with_extension("index"))?, base);
    let bytes = read(path)?;
    let entries = time_entries(&bytes, base);
    if wanted.sanity_only {
        check_times(path, &bytes, &entries, base)?;
        return Ok(terminal.say(&format!("{} passed sanity check.", path.display()))?);
    }
    let key = absolute(path);
    let mut before = -1;
    for entry in filled(&entries, |entry| entry.offset == base) {
        match batch_with(&log, &offsets, entry.offset)? {
            Some((last, latest)) if last == entry.offset => {
                if latest != entry.timestamp {
                    findings.mismatches.entry(key.clone()).or_default().push((entry.timestamp, latest));
                }
                if before >= entry.timestamp {
                    findings.disorder.entry(key.clone()).or_default().push((entry.timestamp, before));
                }
            }
            found => {
                let last = found.map_or(-1, |(last, _)| last);
                findings.absent.entry(key.clone()).or_default().push((entry.offset, last));
            }
        }
        if !wanted.verify_only {
            terminal.say(&format!("timestamp: {} offset: {}", entry.timestamp, entry.offset))?;
        }
        before = entry.timestamp;
    }
    Ok(())
}

/// The last offset of the first batch that reaches an offset, and the latest time in it.
fn batch_with(log: &LogFile, offsets: &[OffsetEntry], offset: i64) -> Result<Option<(i64, i64)>, Exception> {
    let known = offsets.iter().take_while(|entry| entry.offset <= offset).last();
    let mut position = known.map_or(0, |entry| entry.position);
    while let Some(batch) = log.batch(position, u64::MAX)? {
        let last = batch.view().header().last_offset().0;
        if last >= offset {
            let latest = if last == offset { batch.max_timestamp()? } else { -1 };
            return Ok(Some((last, latest)));
        }
        assert!(batch.next() > position, "a search goes forward");
        position = batch.next();
    }
    Ok(None)
}

fn check_times(path: &Path, bytes: &[u8], entries: &[TimeEntry], base: i64) -> Result<(), Exception> {
    let path = absolute(path);
    let wrong = |what: &str, last: i64, side: &str, first: i64| {
        Exception::new(
            CORRUPT,
            format!(
                "Corrupt time index found, time index file ({}) has non-zero size but the last {what} is {last} which is \
                 less than the first {side} {first}",
                path.display()
            ),
        )
    };
    if let (Some(first), Some(last)) = (entries.first(), entries.last()) {
        if last.timestamp < first.timestamp {
            return Err(wrong("timestamp", last.timestamp, "timestamp", first.timestamp));
        }
        if last.offset < base {
            return Err(wrong("offset", last.offset, "offset", base));
        }
    }
    check_size("Time index", &path, bytes.len(), TIME_ENTRY_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_end_where_the_zeros_begin() {
        let mut bytes = Vec::new();
        for (offset, position) in [(3_i32, 0_i32), (9, 70), (0, 0), (0, 0)] {
            bytes.extend(offset.to_be_bytes());
            bytes.extend(position.to_be_bytes());
        }
        let entries = offset_entries(&bytes, 10);
        let filled = filled(&entries, |entry| entry.offset == 10);
        assert_eq!(
            filled,
            [OffsetEntry { offset: 13, position: 0 }, OffsetEntry { offset: 19, position: 70 }]
        );
        assert_eq!(check_offsets(Path::new("/d/0.index"), &bytes, &entries, 10), Ok(()));
        let told = check_offsets(Path::new("/d/0.index"), &bytes[1..], &entries, 10).err();
        let message =
            "Index file /d/0.index is corrupt, found 31 bytes which is neither positive nor a multiple of 8";
        assert_eq!(told.map(|error| error.message).as_deref(), Some(message));
    }

    #[test]
    fn times_must_not_go_back() {
        let entries = [TimeEntry { timestamp: 5, offset: 1 }, TimeEntry { timestamp: 4, offset: 2 }];
        let told = check_times(Path::new("/d/0.timeindex"), &[], &entries, 0).err();
        assert!(told.is_some_and(|error| error.message.ends_with("less than the first timestamp 5")));
        let mut findings = TimeFindings::default();
        findings.disorder.insert(PathBuf::from("/d/0.timeindex"), vec![(4, 5)]);
        findings.absent.insert(PathBuf::from("/d/0.timeindex"), vec![(2, -1)]);
        assert_eq!(
            findings.lines(),
            [
                "Found out of order timestamp in :/d/0.timeindex",
                "  Index timestamp: 4, Previously indexed timestamp: 5",
                "The following indexed offsets are not found in the log.",
                "Indexed offset: 2, found log offset: -1",
            ]
        );
    }
}
