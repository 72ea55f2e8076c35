//! The ledger of the frameworks: a row a job with its results here and on Apache Kafka, as a TOML file.
//! Core: text in, rows out, and back.
//!
//! ```toml
//! [flink]
//! job = "…"              # what is run
//! versions = "…"         # of the framework and of the Kafka client that it carries
//! ottla = "passed"       # passed, failed or not run
//! kafka = "passed"       # the same on Apache Kafka 4.3.1
//! seconds = 90           # of the last run on Ottla
//! kafka_seconds = 120    # of the last run on Apache Kafka, where it was noted
//! memory_mib = 600       # the most that one process of the framework held
//! seen_to_fail = true    # its check was seen to fail on a broker that kept one record to itself
//! reason = "…"           # why it cannot be had, or what else there is to know
//! ```

use std::collections::BTreeMap;

use crate::failure::{Outcome, fail};
use crate::verdict::Verdict;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    pub job: String,
    pub versions: String,
    pub ottla: Verdict,
    pub kafka: Verdict,
    pub seconds: u64,
    pub kafka_seconds: u64,
    pub memory_mib: u64,
    pub seen_to_fail: bool,
    pub reason: Option<String>,
}

/// All rows, by the name of the job.
pub type Rows = BTreeMap<String, Row>;

/// Reads what [`print`] wrote, and what a person changed in it.
pub fn parse(text: &str) -> Outcome<Rows> {
    let mut rows = Rows::new();
    let mut current: Option<&mut Row> = None;
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            current = Some(rows.entry(name.to_owned()).or_default());
            continue;
        }
        let read = match (current.as_mut(), line.split_once(" = ")) {
            (Some(row), Some((key, value))) => take(row, key, value),
            _ => None,
        };
        if read.is_none() {
            return fail(format!("line {} of the ledger cannot be read: {line}", index + 1));
        }
    }
    Ok(rows)
}

fn take(row: &mut Row, key: &str, value: &str) -> Option<()> {
    let text = || value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match key {
        "seconds" => row.seconds = value.parse().ok()?,
        "kafka_seconds" => row.kafka_seconds = value.parse().ok()?,
        "memory_mib" => row.memory_mib = value.parse().ok()?,
        "seen_to_fail" => row.seen_to_fail = value.parse().ok()?,
        "job" => row.job = text()?.to_owned(),
        "versions" => row.versions = text()?.to_owned(),
        "reason" => row.reason = Some(text()?.to_owned()),
        "ottla" => row.ottla = Verdict::parse(text()?)?,
        "kafka" => row.kafka = Verdict::parse(text()?)?,
        _ => return None,
    }
    Some(())
}

/// The file's text; quotes and backslashes become apostrophes and slashes, so that no escapes are needed.
pub fn print(rows: &Rows) -> String {
    let mut text = String::from(
        "# Frameworks around Kafka: a real job of each on Ottla and on Apache Kafka 4.3.1, the broker killed in the middle.\n\
         # `cargo compat frameworks --ledger [--against kafka] [--lying] [NAME...]` writes results; reasons are kept.\n",
    );
    let plain = |text: &str| text.replace('"', "'").replace('\\', "/");
    for (name, row) in rows {
        text.push_str(&format!(
            "\n[{name}]\njob = \"{}\"\nversions = \"{}\"\nottla = \"{}\"\nkafka = \"{}\"\n",
            plain(&row.job),
            plain(&row.versions),
            row.ottla.name(),
            row.kafka.name()
        ));
        if row.ottla != Verdict::NotRun || row.kafka != Verdict::NotRun {
            text.push_str(&format!(
                "seconds = {}\nmemory_mib = {}\nseen_to_fail = {}\n",
                row.seconds, row.memory_mib, row.seen_to_fail
            ));
        }
        if row.kafka_seconds > 0 {
            text.push_str(&format!("kafka_seconds = {}\n", row.kafka_seconds));
        }
        if let Some(reason) = &row.reason {
            text.push_str(&format!("reason = \"{}\"\n", plain(reason)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frameworks::jobs;

    fn ledger() -> Rows {
        parse(include_str!("../../ledger/frameworks.toml")).expect("it can be read")
    }

    #[test]
    fn what_was_printed_is_read_again() {
        let rows = ledger();
        assert_eq!(parse(&print(&rows)), Ok(rows));
        assert!(parse("[a]\nottla = \"maybe\"\n").is_err());
        assert!(parse("ottla = \"passed\"\n").is_err());
    }

    /// The bar: a job that passes on Apache Kafka passes here, by a check that was seen to fail; the others say why.
    #[test]
    fn no_row_of_the_ledger_falls_short_of_apache_kafka() {
        let rows = ledger();
        for job in jobs() {
            assert!(rows.contains_key(job.name), "{} has no row", job.name);
        }
        for (name, row) in &rows {
            if row.kafka == Verdict::Passed {
                assert_eq!(row.ottla, Verdict::Passed, "{name}");
                assert!(row.seen_to_fail, "{name}");
            } else {
                assert!(row.reason.is_some(), "{name} passed on Apache Kafka, or says why not");
            }
        }
    }
}
