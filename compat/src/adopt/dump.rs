//! Apache Kafka's log tool over everything that lies in a data directory of ours.
//! Shell: child processes and files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::broker;
use crate::failure::{Outcome, While, fail};
use crate::process::{capture, last_lines_of};
use crate::reference::java;

const DUMP_LOG: &str = "org.apache.kafka.tools.DumpLogSegments";
const LIMIT: Duration = Duration::from_secs(180);
const HEAP_MIB: u32 = 512;

/// What the tool says, in any of its ways, when it does not like what it reads.
const COMPLAINTS: [&str; 11] = [
    "Mismatches in",
    "mismatch",
    "out of order",
    "Out of order",
    "isvalid: false",
    "orrupt",
    "Exception",
    "Ignoring unknown",
    "Skipping",
    "Error",
    "could not",
];

/// Runs the tool in each of its ways and expects no complaint.
pub(super) fn all(data_dir: &Path, work_dir: &Path) -> Outcome<()> {
    fs::create_dir_all(work_dir)?;
    let files = Files::find(data_dir)?;
    let run = |name: &str, way: &[&str], paths: &[PathBuf], signs: &[&str]| -> Outcome<()> {
        if paths.is_empty() {
            return fail(format!("{name}: no such file is in {}", data_dir.display()));
        }
        let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        let mut command = java(HEAP_MIB)?;
        command.arg(DUMP_LOG).args(way).args(["--files", &paths.join(",")]);
        let printed = capture(name, &mut command, None, work_dir, LIMIT)?;
        let text = format!("{}\n{}", printed.output, printed.errors);
        if let Some(line) = complaint(&text) {
            return fail(format!("{name}: the tool complains: {line}\n{}", last_lines_of(&text, 10)));
        }
        if !way.iter().any(|option| option.ends_with("-decoder")) {
            same_without_jvm(name, way, &paths.join(","), (&printed.output, &printed.errors), work_dir)?;
        }
        match signs.iter().find(|sign| !text.contains(*sign)) {
            None => Ok(()),
            Some(sign) => fail(format!("{name}: \"{sign}\" was expected\n{}", last_lines_of(&text, 10))),
        }
    };
    let ends = |suffixes: &[&str]| -> Vec<PathBuf> {
        let fits = |path: &&PathBuf| {
            suffixes.iter().any(|suffix| path.as_os_str().as_encoded_bytes().ends_with(suffix.as_bytes()))
        };
        files.data.iter().filter(fits).cloned().collect()
    };
    run(
        "records",
        &["--deep-iteration"],
        &ends(&[".log"]),
        &["compresscodec: zstd", "isTransactional: true"],
    )?;
    run("indexes", &[], &ends(&[".index", ".timeindex"]), &["offset: ", "timestamp: "])?;
    run("sanity", &["--index-sanity-check"], &ends(&[".index", ".timeindex"]), &["passed sanity check"])?;
    run("states", &[], &ends(&[".snapshot", ".txnindex"]), &["producerId: ", "lastStableOffset: "])?;
    run(
        "groups",
        &["--offsets-decoder"],
        &files.offsets,
        &[r#"{"type":"1","data":{"group":"classic-group","topic":"plain""#],
    )?;
    run(
        "transactions",
        &["--transaction-log-decoder"],
        &files.transactions,
        &[r#"{"type":"0","data":{"transactionalId":"open-to-commit""#],
    )?;
    run("metadata", &["--cluster-metadata-decoder"], &files.metadata, &["TOPIC_RECORD", "LeaderChange"])
}

/// Ottla's own command prints the same, line by line; what is wrong with files stands in no order.
pub(crate) fn same_without_jvm(
    name: &str,
    way: &[&str],
    files: &str,
    (output, errors): (&str, &str),
    work_dir: &Path,
) -> Outcome<()> {
    let mut command = Command::new(broker::ottla_binary()?);
    command.arg("kafka-dump-log").args(way).args(["--files", files]);
    let printed = capture(&format!("own-{name}"), &mut command, None, work_dir, LIMIT)?;
    let unlike = output.lines().zip(printed.output.lines()).find(|(theirs, ours)| theirs != ours);
    if let Some((theirs, ours)) = unlike {
        return fail(format!("{name}: Kafka's tool prints\n{theirs}\nand Ottla's\n{ours}"));
    }
    let counts = [output, &printed.output].map(|text| text.lines().count());
    if counts[0] != counts[1] {
        return fail(format!("{name}: Kafka's tool prints {} lines, Ottla's {}", counts[0], counts[1]));
    }
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    if sorted(errors) == sorted(&printed.errors) {
        return Ok(());
    }
    fail(format!("{name}: Kafka's tool finds\n{errors}\nand Ottla's\n{}", printed.errors))
}

/// The first line that says that something is wrong.
fn complaint(text: &str) -> Option<&str> {
    let mut is_compacted = false;
    text.lines().find(|line| {
        if line.starts_with("Non-consecutive offsets in ") {
            is_compacted = line.contains("/compacted-");
            return false;
        }
        // A gap: expected where compaction has taken records. The tool sees one (from -1) in front of every
        // segment but the first as well.
        let is_gap = line.contains(" is followed by ") && !line.trim_start().starts_with("-1 ");
        (is_gap && !is_compacted) || COMPLAINTS.iter().any(|word| line.contains(word))
    })
}

#[derive(Default)]
struct Files {
    /// Of the clients' topics, all kinds.
    data: Vec<PathBuf>,
    offsets: Vec<PathBuf>,
    transactions: Vec<PathBuf>,
    metadata: Vec<PathBuf>,
}

impl Files {
    fn find(data_dir: &Path) -> Outcome<Self> {
        let mut files = Self::default();
        for folder in fs::read_dir(data_dir).while_doing(|| format!("reading {}", data_dir.display()))? {
            let folder = folder?.path();
            let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if !folder.is_dir() || name.ends_with("-delete") {
                continue;
            }
            for file in fs::read_dir(&folder)? {
                let path = file?.path();
                let is_log = path.extension().is_some_and(|extension| extension == "log");
                let is_snapshot = path.extension().is_some_and(|extension| extension == "checkpoint");
                let kind = match name.rsplit_once('-').map_or("", |(topic, _)| topic) {
                    "__consumer_offsets" if is_log => &mut files.offsets,
                    "__transaction_state" if is_log => &mut files.transactions,
                    "__cluster_metadata" if is_log || is_snapshot => &mut files.metadata,
                    topic if topic.starts_with("__") => continue,
                    _ => &mut files.data,
                };
                kind.push(path);
            }
        }
        for kind in [&mut files.data, &mut files.offsets, &mut files.transactions, &mut files.metadata] {
            kind.sort();
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_counts_where_nothing_was_compacted() {
        let of = |topic: &str, from: &str| {
            format!(
                "isvalid: true\nNon-consecutive offsets in /d/{topic}-0/0.log\n  {from} is followed by 9\n"
            )
        };
        assert_eq!(complaint(&of("plain", "5")), Some("  5 is followed by 9"));
        assert_eq!(complaint(&of("plain", "-1")), None);
        assert_eq!(complaint(&of("compacted", "5")), None);
        assert_eq!(complaint("crc: 1 isvalid: false"), Some("crc: 1 isvalid: false"));
        assert!(complaint("Mismatches in :/d/plain-0/0.index").is_some());
    }
}
