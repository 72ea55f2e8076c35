//! The ledger of librdkafka's suite: a row a test with its results here and on Apache Kafka, as a TOML file.
//! Core: text in, rows out, and back.
//!
//! The file holds one table a test and only these keys, each a string but for `seconds` and `client_only`:
//!
//! ```toml
//! [0012_produce_consume]
//! ottla = "passed"     # passed, failed, skipped (by the test itself) or not run
//! kafka = "passed"     # the same on Apache Kafka 4.3.1
//! seconds = 3          # of the last run on Ottla, or on Apache Kafka where there is none
//! mode = "whole"       # whole, or quick where the suite left out its longer steps (-Q); of both results
//! client_only = true   # no broker takes part, so one run stands for both
//! cluster = "…"        # what the test has beyond one broker that takes everybody
//! waits = "…"          # what Ottla lacks; the row is not run there unless it is named
//! reason = "…"         # why neither passes
//! ```

use std::collections::BTreeMap;

use crate::failure::{Outcome, fail};
use crate::verdict::Verdict;

/// How much of itself the suite did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Mode {
    /// `-Q`: fewer messages, and subtests that are not marked as quick are left out.
    #[default]
    Quick,
    Whole,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Whole => "whole",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Quick, Self::Whole].into_iter().find(|mode| mode.name() == name)
    }
}

/// One test of the suite.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    pub ottla: Verdict,
    pub kafka: Verdict,
    pub seconds: u64,
    pub mode: Mode,
    pub client_only: bool,
    pub cluster: Option<String>,
    pub waits: Option<String>,
    pub reason: Option<String>,
}

/// All rows, by the name of the test.
pub type Rows = BTreeMap<String, Row>;

/// The number of a test: what stands before its first underscore.
pub fn number(test: &str) -> &str {
    test.split('_').next().unwrap_or(test)
}

/// Reads what [`print`] wrote, and what a person changed in it.
pub fn parse(text: &str) -> Outcome<Rows> {
    let mut rows = Rows::new();
    let mut current: Option<&mut Row> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let bad = || format!("line {} of the ledger cannot be read: {line}", index + 1);
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            current = Some(rows.entry(name.to_owned()).or_default());
            continue;
        }
        let (Some(row), Some((key, value))) = (current.as_mut(), line.split_once(" = ")) else {
            return fail(bad());
        };
        if key == "seconds" {
            let Ok(seconds) = value.parse() else { return fail(bad()) };
            row.seconds = seconds;
            continue;
        }
        if key == "client_only" {
            let Ok(client_only) = value.parse() else { return fail(bad()) };
            row.client_only = client_only;
            continue;
        }
        let Some(text) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
            return fail(bad());
        };
        if key == "mode" {
            let Some(mode) = Mode::parse(text) else { return fail(bad()) };
            row.mode = mode;
            continue;
        }
        match (key, Verdict::parse(text)) {
            ("ottla", Some(verdict)) => row.ottla = verdict,
            ("kafka", Some(verdict)) => row.kafka = verdict,
            ("cluster", _) => row.cluster = Some(text.to_owned()),
            ("waits", _) => row.waits = Some(text.to_owned()),
            ("reason", _) => row.reason = Some(text.to_owned()),
            _ => return fail(bad()),
        }
    }
    Ok(rows)
}

/// The head of a ledger of this suite.
pub fn head(version: &str) -> String {
    format!(
        "# librdkafka {version}'s own tests: results on Ottla and on Apache Kafka 4.3.1.\n\
         # `cargo compat librdkafka --version {version} --ledger [--against kafka]` writes results; \
         waits and reason are kept.\n",
    )
}

/// The file's text; quotes and backslashes in notes become apostrophes and slashes, so that no escapes are needed.
pub fn print(rows: &Rows, head: &str) -> String {
    let mut text = head.to_owned();
    for (name, row) in rows {
        text.push_str(&format!(
            "\n[{name}]\nottla = \"{}\"\nkafka = \"{}\"\nseconds = {}\nmode = \"{}\"\n",
            row.ottla.name(),
            row.kafka.name(),
            row.seconds,
            row.mode.name()
        ));
        if row.client_only {
            text.push_str("client_only = true\n");
        }
        for (key, note) in [("cluster", &row.cluster), ("waits", &row.waits), ("reason", &row.reason)] {
            if let Some(note) = note {
                text.push_str(&format!("{key} = \"{}\"\n", note.replace('"', "'").replace('\\', "/")));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bar: what passes on Apache Kafka passes here; and what passes on neither says why.
    #[test]
    fn no_row_of_the_ledger_falls_short_of_apache_kafka() {
        let rows = parse(include_str!("../../ledger/librdkafka.toml")).expect("it can be read");
        assert!(rows.len() > 190, "{} rows", rows.len());
        for (name, row) in &rows {
            let is_good = match row.kafka {
                Verdict::Passed => row.ottla == Verdict::Passed,
                _ => row.ottla == Verdict::Passed || row.reason.is_some() || row.waits.is_some(),
            };
            assert!(is_good, "{name}: {row:?}");
        }
    }

    #[test]
    fn what_is_printed_reads_the_same() {
        let row = Row {
            ottla: Verdict::NotRun,
            kafka: Verdict::Passed,
            seconds: 12,
            mode: Mode::Whole,
            client_only: true,
            cluster: Some("three nodes".to_owned()),
            waits: Some("TLS is not served yet".to_owned()),
            reason: None,
        };
        let rows = Rows::from([("0001_multiobj".to_owned(), Row::default()), ("0170_x".to_owned(), row)]);
        assert_eq!(parse(&print(&rows, &head("2.15.1"))), Ok(rows));
    }

    #[test]
    fn a_word_that_is_no_verdict_is_refused_with_its_line() {
        let refused = parse("[0001_multiobj]\nottla = \"maybe\"\n").unwrap_err();
        assert_eq!(refused.0, "line 2 of the ledger cannot be read: ottla = \"maybe\"");
    }

    #[test]
    fn a_test_has_the_number_before_its_first_underscore() {
        assert_eq!(number("0045_subscribe_update_mock"), "0045");
    }
}
