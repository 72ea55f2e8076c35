//! `kafka-dump-log`: prints what is in the files of a partition, and whether its indexes agree with its log.
//! Shell over files; `segment` reads a log batch by batch, `indexes` and `snapshots` the files beside it.
//!
//! The records inside of internal topics are not taken apart: the decoders of Kafka's tool are refused.

mod control;
mod indexes;
mod segment;
mod snapshots;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::command::{Line, required};
use crate::error::{Exception, Failure};
use crate::options::{Known, Options, flag, value};
use crate::terminal::Terminal;

const OPTIONS: &[Known] = &[
    value("files", "REQUIRED: the files, between commas."),
    flag("print-data-log", "Print keys and values."),
    flag("deep-iteration", "Print each record, not only batches."),
    flag("skip-record-metadata", "Print keys and values alone."),
    flag("verify-index-only", "Check indexes without printing them."),
    flag("index-sanity-check", "Check indexes as a start does."),
    value("max-message-size", "The size of the largest batch."),
    value("max-bytes", "Read so many bytes of each log at most."),
    Known {
        is_value_optional: true,
        ..flag("key-decoder-class", "How keys are printed: StringDecoder, LongDecoder or IntegerDecoder.")
    },
    Known { is_value_optional: true, ..flag("value-decoder-class", "How values are printed.") },
    flag("offsets-decoder", "Not there: the records of __consumer_offsets are printed as they are."),
    flag("transaction-log-decoder", "Not there."),
    flag("cluster-metadata-decoder", "Not there."),
    flag("remote-log-metadata-decoder", "Not there."),
    flag("share-group-state-decoder", "Not there."),
    flag("help", "Show this."),
    flag("version", "Show the version."),
];

pub const LINE: Line = Line {
    about: "This tool helps to parse a log file and dump its contents to the console, useful for debugging a seemingly \
            corrupt log segment.",
    options: OPTIONS,
    run,
};

const DECODERS: [&str; 5] = [
    "offsets-decoder",
    "transaction-log-decoder",
    "cluster-metadata-decoder",
    "remote-log-metadata-decoder",
    "share-group-state-decoder",
];

/// How keys or values become text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decoder {
    Text,
    Long,
    Integer,
}

impl Decoder {
    fn of(options: &Options, name: &str) -> Result<Decoder, Failure> {
        let class = options.get(name).unwrap_or_default();
        match class.rsplit('.').next().unwrap_or_default() {
            "" | "StringDecoder" => Ok(Decoder::Text),
            "LongDecoder" => Ok(Decoder::Long),
            "IntegerDecoder" => Ok(Decoder::Integer),
            _ => {
                let message = format!("Failed to load decoder class {class}");
                Err(Exception::new("java.lang.RuntimeException", message).into())
            }
        }
    }

    fn text(self, bytes: &[u8]) -> Result<String, Exception> {
        let wrong = |what: &str| {
            Exception::new(
                "org.apache.kafka.common.errors.SerializationException",
                format!("Size of data received by {what} is not what it must be"),
            )
        };
        match self {
            Decoder::Text => Ok(String::from_utf8_lossy(bytes).into_owned()),
            Decoder::Long => {
                let bytes = bytes.try_into().map_err(|_| wrong("LongDeserializer"))?;
                Ok(i64::from_be_bytes(bytes).to_string())
            }
            Decoder::Integer => {
                let bytes = bytes.try_into().map_err(|_| wrong("IntegerDeserializer"))?;
                Ok(i32::from_be_bytes(bytes).to_string())
            }
        }
    }
}

/// What the command line asks for.
struct Wanted {
    contents: bool,
    records: bool,
    skip_metadata: bool,
    verify_only: bool,
    sanity_only: bool,
    max_message_bytes: u64,
    max_bytes: Option<u64>,
    key: Decoder,
    value: Decoder,
}

/// What is wrong with the files, told when all are printed.
#[derive(Debug, Default)]
struct Findings {
    /// By index: the offset that it names, and that of the batch at its position.
    index_mismatches: BTreeMap<PathBuf, Vec<(i64, i64)>>,
    times: indexes::TimeFindings,
    /// By log: an offset, and the one that follows it.
    gaps: BTreeMap<PathBuf, Vec<(i64, i64)>>,
}

fn run(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    required(options, "files")?;
    if let Some(decoder) = DECODERS.into_iter().find(|decoder| options.has(decoder)) {
        let message = format!("--{decoder} is not there: this command prints keys and values as they are.");
        return Err(Failure::Sentence(message, 1));
    }
    let wanted = wanted(options)?;
    let mut findings = Findings::default();
    for name in options.get("files").unwrap_or_default().split(',') {
        let path = Path::new(name);
        terminal.say(&format!("Dumping {name}"))?;
        dump(path, &wanted, &mut findings, terminal)?;
    }
    terminal.out.flush()?;
    for line in findings.lines() {
        writeln!(terminal.err, "{line}")?;
    }
    Ok(())
}

fn wanted(options: &Options) -> Result<Wanted, Failure> {
    let number = |name: &str| -> Result<Option<u64>, Failure> {
        let Some(text) = options.get(name) else { return Ok(None) };
        let parsed = text.parse::<i32>().ok().and_then(|number| u64::try_from(number).ok());
        parsed
            .map(Some)
            .ok_or_else(|| Failure::Usage(format!("Cannot parse argument '{text}' of option {name}")))
    };
    let contents =
        ["print-data-log", "key-decoder-class", "value-decoder-class"].iter().any(|name| options.has(name));
    Ok(Wanted {
        contents,
        records: contents || options.has("deep-iteration"),
        skip_metadata: options.has("skip-record-metadata"),
        verify_only: options.has("verify-index-only"),
        sanity_only: options.has("index-sanity-check"),
        max_message_bytes: number("max-message-size")?.unwrap_or(5 * 1024 * 1024),
        max_bytes: number("max-bytes")?.filter(|bytes| *bytes != i32::MAX as u64),
        key: Decoder::of(options, "key-decoder-class")?,
        value: Decoder::of(options, "value-decoder-class")?,
    })
}

fn dump(
    path: &Path,
    wanted: &Wanted,
    findings: &mut Findings,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match name.rsplit_once('.').map(|(_, suffix)| suffix) {
        Some("log" | "checkpoint") => segment::dump(path, wanted, findings, terminal),
        Some("index") => indexes::dump_offsets(path, wanted, findings, terminal),
        Some("timeindex") => indexes::dump_times(path, wanted, &mut findings.times, terminal),
        Some("snapshot") => snapshots::dump_producers(path, terminal),
        Some("txnindex") => snapshots::dump_aborted(path, terminal),
        _ => {
            terminal.out.flush()?;
            Ok(writeln!(terminal.err, "Ignoring unknown file {}", path.display())?)
        }
    }
}

impl Findings {
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (path, pairs) in &self.index_mismatches {
            lines.push(format!("Mismatches in :{}", path.display()));
            lines.extend(
                pairs.iter().map(|(index, log)| format!("  Index offset: {index}, log offset: {log}")),
            );
        }
        lines.extend(self.times.lines());
        for (path, pairs) in &self.gaps {
            lines.push(format!("Non-consecutive offsets in {}", path.display()));
            lines.extend(pairs.iter().map(|(first, second)| format!("  {first} is followed by {second}")));
        }
        lines
    }
}

/// The offset that the name of a segment's file says.
fn base_offset(path: &Path) -> Result<i64, Exception> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let digits = name.split('.').next().unwrap_or_default();
    digits.parse().map_err(|_| {
        Exception::new("java.lang.NumberFormatException", format!("For input string: \"{digits}\""))
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Exception> {
    std::fs::read(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Exception {
    let class = match error.kind() {
        std::io::ErrorKind::NotFound => "java.nio.file.NoSuchFileException",
        _ => "java.io.IOException",
    };
    Exception::new(class, path.display().to_string())
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_printed_as_what_they_are() {
        assert_eq!(Decoder::Text.text(b"a\xff"), Ok("a\u{fffd}".to_owned()));
        assert_eq!(Decoder::Long.text(&7_i64.to_be_bytes()), Ok("7".to_owned()));
        assert_eq!(Decoder::Integer.text(&(-7_i32).to_be_bytes()), Ok("-7".to_owned()));
        assert!(Decoder::Long.text(b"7").is_err());
    }

    #[test]
    fn what_is_wrong_is_told_at_the_end() {
        let mut findings = Findings::default();
        findings.index_mismatches.insert(PathBuf::from("/d/0.index"), vec![(4, 3)]);
        findings.gaps.insert(PathBuf::from("/d/0.log"), vec![(1, 3)]);
        assert_eq!(
            findings.lines(),
            [
                "Mismatches in :/d/0.index",
                "  Index offset: 4, log offset: 3",
                "Non-consecutive offsets in /d/0.log",
                "  1 is followed by 3",
            ]
        );
    }

    #[test]
    fn a_segment_s_name_is_its_offset() {
        assert_eq!(base_offset(Path::new("/d/00000000000000000042.log")), Ok(42));
        assert!(base_offset(Path::new("x.log")).is_err());
    }
}
