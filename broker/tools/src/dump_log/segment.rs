//! A log, batch by batch: its headers as they stand, and its records.
//! Shell over a file; what is printed is made by plain functions.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use ottla_records::header::{HEADER_BYTES, LOG_OVERHEAD_BYTES};
use ottla_records::{BatchHeader, BatchView, Record, TimestampType};

use super::{Findings, Wanted, absolute, base_offset, control, unreadable};
use crate::error::{Exception, Failure};
use crate::terminal::Terminal;

/// What a batch of any format has at least behind its offset and length.
const BATCH_BYTES_MIN: i32 = 14;
const MAGIC_AT: usize = 16;

/// A log file that is read at places.
pub struct LogFile {
    file: File,
    path: String,
    /// Where reading ends.
    end: u64,
}

/// One batch, whole.
pub struct Batch {
    bytes: Vec<u8>,
    pub position: u64,
}

impl LogFile {
    pub fn open(path: &Path) -> Result<LogFile, Exception> {
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let end = file.metadata().map_err(|error| unreadable(path, &error))?.len();
        Ok(LogFile { file, path: path.display().to_string(), end })
    }

    /// The batch that begins at a position; `None` at the end, or where the rest of a batch is missing.
    pub fn batch(&self, position: u64, end: u64) -> Result<Option<Batch>, Exception> {
        let end = end.min(self.end);
        let mut head = [0; MAGIC_AT + 1];
        if position + head.len() as u64 > end {
            return Ok(None);
        }
        let failed = |error: std::io::Error| Exception::new("java.io.IOException", error.to_string());
        self.file.read_exact_at(&mut head, position).map_err(failed)?;
        let length = i32::from_be_bytes(*head[8..].first_chunk().expect("the head is longer"));
        if length < BATCH_BYTES_MIN {
            let path = &self.path;
            return Err(Exception::kafka(
                "CorruptRecordException",
                format!(
                    "Found record size {length} smaller than minimum record overhead ({BATCH_BYTES_MIN}) in file {path}."
                ),
            ));
        }
        let bytes = LOG_OVERHEAD_BYTES as u64 + u64::from(length.unsigned_abs());
        if position + bytes > end {
            return Ok(None);
        }
        let magic = head[MAGIC_AT] as i8;
        if magic != 2 || bytes < HEADER_BYTES as u64 {
            let message = format!("Batches of format {magic} are not read by this command.");
            return Err(Exception::kafka("UnsupportedForMessageFormatException", message));
        }
        let mut batch = vec![0; bytes as usize];
        self.file.read_exact_at(&mut batch, position).map_err(failed)?;
        Ok(Some(Batch { bytes: batch, position }))
    }

    pub fn end(&self) -> u64 {
        self.end
    }
}

impl Batch {
    pub fn view(&self) -> BatchView<'_> {
        BatchView::first(&self.bytes).expect("format and length were looked at")
    }

    pub fn next(&self) -> u64 {
        self.position + self.bytes.len() as u64
    }

    /// The latest time of its records.
    pub fn max_timestamp(&self) -> Result<i64, Exception> {
        let mut scratch = Vec::new();
        let mut latest = -1;
        for record in self.view().records(&mut scratch).map_err(corrupt)? {
            latest = latest.max(record.map_err(corrupt)?.timestamp);
        }
        Ok(latest)
    }
}

fn corrupt(error: impl std::fmt::Display) -> Exception {
    Exception::kafka("CorruptRecordException", error.to_string())
}

pub(super) fn dump(
    path: &Path,
    wanted: &Wanted,
    findings: &mut Findings,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    terminal.say(&title(path)?)?;
    let file = LogFile::open(path)?;
    let end = file.end().min(wanted.max_bytes.unwrap_or(u64::MAX));
    let (mut position, mut last) = (0, -1);
    while let Some(batch) = file.batch(position, end)? {
        terminal.say(&batch_line(&batch.view(), position))?;
        if wanted.records {
            dump_records(path, &batch, wanted, (&mut last, findings), terminal)?;
        }
        assert!(
            batch.next() > position && batch.next() <= end,
            "a dump goes forward, and not beyond the end"
        );
        position = batch.next();
    }
    if end > position && wanted.max_bytes.is_none() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        terminal.say(&format!("Found {} invalid bytes at the end of {name}", end - position))?;
    }
    Ok(())
}

/// What a file is, by its name.
fn title(path: &Path) -> Result<String, Exception> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some(stem) = name.strip_suffix(".checkpoint") else {
        return Ok(format!("Log starting offset: {}", base_offset(path)?));
    };
    if stem == "bootstrap" {
        return Ok("KRaft bootstrap snapshot".to_owned());
    }
    let numbers = stem
        .split_once('-')
        .and_then(|(offset, epoch)| Some((offset.parse::<i64>().ok()?, epoch.parse::<i32>().ok()?)));
    let (offset, epoch) =
        numbers.ok_or_else(|| Exception::new("java.util.NoSuchElementException", "No value present"))?;
    Ok(format!("Snapshot end offset: {offset}, epoch: {epoch}"))
}

fn dump_records(
    path: &Path,
    batch: &Batch,
    wanted: &Wanted,
    (last, findings): (&mut i64, &mut Findings),
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let view = batch.view();
    let is_control = view.header().attributes.is_control();
    let mut scratch = Vec::new();
    for record in view.records(&mut scratch).map_err(corrupt)? {
        let record = record.map_err(corrupt)?;
        let offset = record.offset.0;
        // Kafka's tool sees a gap before every segment but the first.
        if offset != *last + 1 {
            findings.gaps.entry(absolute(path)).or_default().push((*last, offset));
        }
        *last = offset;
        let mut line = String::new();
        if !wanted.skip_metadata {
            line.push_str(&record_text(view.header(), &record));
            if is_control {
                line.push_str(&control::text(&record)?);
            }
        }
        if wanted.contents && !is_control {
            let mut prefix = if wanted.skip_metadata { "| " } else { " " };
            if let Some(key) = record.key {
                line.push_str(&format!("{prefix}key: {}", wanted.key.text(key)?));
                prefix = " ";
            }
            if let Some(value) = record.value {
                line.push_str(&format!("{prefix}payload: {}", wanted.value.text(value)?));
            }
        }
        terminal.say(&line)?;
    }
    Ok(())
}

fn time_name(kind: TimestampType) -> &'static str {
    match kind {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

fn batch_line(view: &BatchView<'_>, position: u64) -> String {
    let header = view.header();
    let attributes = header.attributes;
    let horizon = match header.delete_horizon_ms() {
        Some(ms) => format!("OptionalLong[{ms}]"),
        None => "OptionalLong.empty".to_owned(),
    };
    let codec = attributes
        .compression()
        .map_or_else(|| "unknown".to_owned(), |codec| format!("{codec:?}").to_lowercase());
    format!(
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} \
         partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {horizon} position: {position} \
         {}: {} size: {} magic: {} compresscodec: {codec} crc: {} isvalid: {}",
        header.base_offset.0,
        header.last_offset().0,
        header.record_count,
        header.base_sequence.0,
        header.last_sequence().0,
        header.producer_id.0,
        header.producer_epoch.0,
        header.leader_epoch.0,
        attributes.is_transactional(),
        attributes.is_control(),
        time_name(attributes.timestamp_type()),
        header.max_timestamp,
        header.size_bytes(),
        header.magic,
        header.crc,
        view.verify_checksum().is_ok()
    )
}

fn record_text(header: &BatchHeader, record: &Record<'_>) -> String {
    let length = |bytes: Option<&[u8]>| match bytes {
        Some(bytes) => bytes.len().to_string(),
        None => "-1".to_owned(),
    };
    let sequence = match header.base_sequence.0 {
        base if base < 0 => -1,
        _ => header.base_sequence.advance(record.offset_delta).0,
    };
    let names: Vec<String> =
        record.headers().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
    format!(
        "| offset: {} {}: {} keySize: {} valueSize: {} sequence: {sequence} headerKeys: [{}]",
        record.offset.0,
        time_name(header.attributes.timestamp_type()),
        record.timestamp,
        length(record.key),
        length(record.value),
        names.join(",")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_what_it_is() {
        let told = |name: &str| title(Path::new(name));
        assert_eq!(told("/d/00000000000000000007.log"), Ok("Log starting offset: 7".to_owned()));
        assert_eq!(told("bootstrap.checkpoint"), Ok("KRaft bootstrap snapshot".to_owned()));
        assert_eq!(
            told("00000000000000000012-0000000003.checkpoint"),
            Ok("Snapshot end offset: 12, epoch: 3".to_owned())
        );
        assert!(told("x.checkpoint").is_err());
    }
}
