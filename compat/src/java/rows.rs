//! The ledger of Kafka's Java suites: a row a test with its results here and on Apache Kafka, as a TOML file.
//! Core: text in, rows out, and back.
//!
//! A table a class, a line a test:
//!
//! ```toml
//! [kafka.server.JoinGroupRequestTest]
//! "testJoin[1]" = { ottla = "passed", kafka = "passed", seconds = 0.4 }
//! ```
//!
//! `ottla` and `kafka` are passed, failed, skipped or not run; `seconds` are of the last run on Ottla, or on Apache Kafka
//! where there is none. `waits` says what Ottla lacks (a run writes it when the harness knows, a person otherwise), and
//! `reason` why a test passes on neither, or cannot be told passed or failed by anybody outside of a broker's JVM.

use std::collections::BTreeMap;

use super::report::Ended;
use crate::broker::Against;
use crate::failure::{Outcome, fail};
use crate::verdict::Verdict;

/// What the harness puts before the reasons of a skipped test.
const WAITS: &str = "waits: ";

/// One test of a suite.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    pub ottla: Verdict,
    pub kafka: Verdict,
    pub tenths: u64,
    pub waits: Option<String>,
    pub reason: Option<String>,
}

impl Row {
    /// Writes a result into the row. What a person wrote stays until the test passes here.
    pub fn note(&mut self, against: Against, ended: &Ended) {
        if against == Against::Kafka {
            self.kafka = ended.verdict;
            if self.ottla == Verdict::NotRun {
                self.tenths = ended.tenths();
            }
            return;
        }
        let was_skipped = self.ottla == Verdict::Skipped;
        (self.ottla, self.tenths) = (ended.verdict, ended.tenths());
        match ended.verdict {
            Verdict::Passed => (self.waits, self.reason) = (None, None),
            Verdict::Skipped => match ended.said.strip_prefix(WAITS) {
                Some(what) => (self.waits, self.reason) = (Some(what.to_owned()), None),
                None => (self.waits, self.reason) = (None, Some(ended.said.clone())),
            },
            // Why it was skipped, in the harness' words, is not why it fails.
            Verdict::Failed if was_skipped => (self.waits, self.reason) = (None, None),
            Verdict::Failed | Verdict::NotRun => {}
        }
    }

    /// Whether the row keeps the bar: what passes on Apache Kafka passes here, or says what it waits for; and what
    /// fails here without a result there says why.
    pub fn is_good(&self) -> bool {
        match (self.ottla, self.kafka) {
            (Verdict::Passed, _) => true,
            // An answer that only the inside of a JVM has: the harness wrote the reason.
            (Verdict::Skipped, _) => self.waits.is_some() || self.reason.is_some(),
            (_, Verdict::Passed) => self.waits.is_some(),
            _ => self.waits.is_some() || self.reason.is_some(),
        }
    }
}

/// All rows: by class, then by test.
pub type Rows = BTreeMap<String, BTreeMap<String, Row>>;

/// Reads what [`print`] wrote, and what a person changed in it.
pub fn parse(text: &str) -> Outcome<Rows> {
    let mut rows = Rows::new();
    let mut class: Option<&mut BTreeMap<String, Row>> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let bad = || format!("line {} of the ledger cannot be read: {line}", index + 1);
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            class = Some(rows.entry(name.to_owned()).or_default());
            continue;
        }
        let Some((test, row)) = parse_line(line) else { return fail(bad()) };
        let Some(class) = class.as_mut() else { return fail(bad()) };
        class.insert(test, row);
    }
    Ok(rows)
}

fn parse_line(line: &str) -> Option<(String, Row)> {
    let (test, fields) = line.strip_prefix('"')?.split_once("\" = { ")?;
    let mut row = Row::default();
    let mut rest = fields.strip_suffix(" }")?;
    loop {
        let (key, after) = rest.split_once(" = ")?;
        let (value, next) = match after.strip_prefix('"') {
            Some(text) => text.split_once('"')?,
            None => after.split_once(',').map_or((after, ""), |(value, _)| (value, &after[value.len()..])),
        };
        match key {
            "ottla" => row.ottla = Verdict::parse(value)?,
            "kafka" => row.kafka = Verdict::parse(value)?,
            "seconds" => row.tenths = value.replace('.', "").parse().ok()?,
            "waits" => row.waits = Some(value.to_owned()),
            "reason" => row.reason = Some(value.to_owned()),
            _ => return None,
        }
        match next.strip_prefix(", ") {
            Some(more) => rest = more,
            None if next.is_empty() => return Some((test.to_owned(), row)),
            None => return None,
        }
    }
}

/// How many tests ended how, on both brokers, and what those that do not pass here wait for.
fn counts<'a>(tests: impl Iterator<Item = &'a Row>) -> String {
    let (mut ottla, mut kafka) = (BTreeMap::new(), BTreeMap::new());
    let (mut waits, mut count) = (BTreeMap::new(), 0);
    for row in tests {
        count += 1;
        *ottla.entry(row.ottla).or_insert(0) += 1;
        *kafka.entry(row.kafka).or_insert(0) += 1;
        if let Some(what) = &row.waits {
            *waits.entry(what.as_str()).or_insert(0) += 1;
        }
    }
    let verdicts = |counts: &BTreeMap<Verdict, u32>| {
        let words = counts.iter().map(|(verdict, count)| format!("{count} {}", verdict.name()));
        words.collect::<Vec<_>>().join(", ")
    };
    let mut text = format!("{count} tests: {}; Apache Kafka: {}", verdicts(&ottla), verdicts(&kafka));
    for (index, (what, count)) in waits.iter().enumerate() {
        text.push_str(&format!("{} {count} for {what}", if index == 0 { "; waiting:" } else { "," }));
    }
    text
}

/// The file's text; quotes and backslashes in notes become apostrophes and slashes, so that no escapes are needed.
pub fn print(rows: &Rows, about: &str) -> String {
    let mut text = format!(
        "# {about} of Apache Kafka 4.3.1: results on Ottla and on Apache Kafka, both as processes of their own.\n\
         # `cargo compat java --ledger [--against kafka] [CLASS]...` writes results; a person writes waits and reason\n\
         # of what fails, and they stay until it passes.\n"
    );
    text.push_str(&format!("# {}\n", counts(rows.values().flat_map(BTreeMap::values))));
    for (class, tests) in rows {
        text.push_str(&format!("\n[{class}]\n# {}\n", counts(tests.values())));
        for (test, row) in tests {
            let (whole, tenth) = (row.tenths / 10, row.tenths % 10);
            text.push_str(&format!(
                "\"{test}\" = {{ ottla = \"{}\", kafka = \"{}\", seconds = {whole}.{tenth}",
                row.ottla.name(),
                row.kafka.name(),
            ));
            for (key, note) in [("waits", &row.waits), ("reason", &row.reason)] {
                if let Some(note) = note {
                    let plain = note.replace('"', "'").replace('\\', "/").replace('\n', " ");
                    text.push_str(&format!(", {key} = \"{plain}\""));
                }
            }
            text.push_str(" }\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(verdict: Verdict, said: &str) -> Ended {
        Ended { verdict, millis: 1_234, said: said.to_owned() }
    }

    #[test]
    fn what_is_printed_reads_the_same() {
        let row = Row {
            ottla: Verdict::Skipped,
            kafka: Verdict::Passed,
            tenths: 123,
            waits: Some("several nodes, all of them".to_owned()),
            reason: Some("a 'word' = 1".to_owned()),
        };
        let tests = BTreeMap::from([("testA[1]".to_owned(), Row::default()), ("testB".to_owned(), row)]);
        let rows = Rows::from([("kafka.server.ATest".to_owned(), tests)]);
        assert_eq!(parse(&print(&rows, "The cluster tests")), Ok(rows));
    }

    #[test]
    fn the_counts_name_what_is_waited_for() {
        let waiting = Row { ottla: Verdict::Skipped, waits: Some("SASL".to_owned()), ..Row::default() };
        let passing = Row { ottla: Verdict::Passed, kafka: Verdict::Passed, ..Row::default() };
        assert_eq!(
            counts([waiting.clone(), passing, waiting].iter()),
            "3 tests: 1 passed, 2 skipped; Apache Kafka: 1 passed, 2 not run; waiting: 2 for SASL"
        );
    }

    #[test]
    fn a_line_that_is_no_row_is_refused_with_its_number() {
        for bad in [
            "\"a\" = { ottla = \"maybe\" }",
            "\"a\" = { ottla = \"passed\"",
            "ottla = \"passed\"",
            "\"a\" = { x = 1 }",
        ] {
            let refused = parse(&format!("[A]\n{bad}\n")).unwrap_err();
            assert_eq!(refused.0, format!("line 2 of the ledger cannot be read: {bad}"));
        }
        assert!(parse("\"a\" = { ottla = \"passed\" }").is_err(), "a row without a class");
    }

    #[test]
    fn a_result_keeps_what_a_person_wrote_until_the_test_passes() {
        let mut row = Row { waits: Some("streams groups".to_owned()), ..Row::default() };
        row.note(Against::Ottla, &ended(Verdict::Failed, "expected 1"));
        assert_eq!(
            (row.ottla, row.tenths, row.waits.as_deref()),
            (Verdict::Failed, 12, Some("streams groups"))
        );
        row.note(Against::Kafka, &ended(Verdict::Passed, ""));
        assert!(row.is_good() && row.kafka == Verdict::Passed);
        row.note(Against::Ottla, &ended(Verdict::Passed, ""));
        assert_eq!(row.waits, None);
        row.note(Against::Ottla, &ended(Verdict::Skipped, "waits: several nodes"));
        assert_eq!((row.waits.as_deref(), row.reason.as_deref()), (Some("several nodes"), None));
        row.note(Against::Ottla, &ended(Verdict::Skipped, "inside: KafkaBroker.logManager"));
        assert_eq!(
            (row.waits.as_deref(), row.reason.as_deref()),
            (None, Some("inside: KafkaBroker.logManager"))
        );
        // What the harness wrote of a test that it skipped says nothing of one that fails.
        row.note(Against::Ottla, &ended(Verdict::Failed, "expected 1"));
        assert!(row.reason.is_none() && !row.is_good());
    }

    #[test]
    fn a_row_that_fails_here_alone_is_not_good() {
        let row = |ottla, kafka, waits: Option<&str>, reason: Option<&str>| Row {
            ottla,
            kafka,
            tenths: 0,
            waits: waits.map(str::to_owned),
            reason: reason.map(str::to_owned),
        };
        use Verdict::{Failed, NotRun, Passed, Skipped};
        assert!(!row(Failed, Passed, None, Some("a reason is no excuse")).is_good());
        assert!(!row(Failed, NotRun, None, None).is_good());
        assert!(!row(Skipped, Passed, None, None).is_good());
        assert!(row(Failed, Failed, None, Some("both")).is_good());
        assert!(row(Failed, Passed, Some("TLS"), None).is_good());
        assert!(row(Passed, Failed, None, None).is_good());
    }
}
