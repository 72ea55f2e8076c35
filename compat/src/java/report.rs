//! What the JVM of a suite says of its tests: a line a test, written when it has ended.
//! Core: text in, results out.

use std::collections::BTreeMap;

use crate::verdict::Verdict;

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub verdict: Verdict,
    pub millis: u64,
    /// Why it failed or was skipped.
    pub said: String,
}

impl Ended {
    pub fn tenths(&self) -> u64 {
        self.millis / 100
    }
}

/// Results by class and test.
pub type Results = BTreeMap<(String, String), Ended>;

/// Reads a report; a line that was cut by the end of the JVM is left out, for its test has not ended.
pub fn parse(text: &str) -> Results {
    let line_of = |line: &str| {
        let mut fields = line.split('\t');
        let verdict = Verdict::parse(fields.next()?)?;
        let (class, test) = (fields.next()?.to_owned(), fields.next()?.to_owned());
        let millis = fields.next()?.parse().ok()?;
        let said = fields.next()?.replace("\\n", "\n");
        Some(((class, test), Ended { verdict, millis, said }))
    };
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).filter_map(line_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_but_for_a_line_without_its_end() {
        let text = "passed\ta.BTest\ttestC[1]\t12\t\nfailed\ta.BTest\ttestD\t3\tError: x\\n at y\nskipped\ta.BTest\ttestE\t3\twai";
        let results = parse(text);
        let key = |test: &str| ("a.BTest".to_owned(), test.to_owned());
        assert_eq!(results.len(), 2);
        assert_eq!(
            results[&key("testC[1]")],
            Ended { verdict: Verdict::Passed, millis: 12, said: String::new() }
        );
        assert_eq!(results[&key("testD")].said, "Error: x\n at y");
    }
}
