//! The committed records of a topic as a reader found them, and what they must be.
//! Core: values only.

use std::collections::BTreeMap;

use crate::failure::{Outcome, fail};

/// How the values of a topic are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    Text,
    Long,
    /// Not the value but the offset of the record.
    Offset,
    /// The text, of aborted records too.
    OfAll,
}

/// Key and value of each record, by partition, in the order of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Dumped {
    pub(crate) partitions: BTreeMap<i32, Vec<(String, String)>>,
}

impl Dumped {
    /// A line a record: partition, key and value with tabs between.
    pub(crate) fn parse(text: &str) -> Outcome<Self> {
        let mut dumped = Self::default();
        for line in text.lines() {
            let mut words = line.splitn(3, '\t');
            let partition = words.next().and_then(|word| word.parse().ok());
            let (Some(partition), Some(key), Some(value)) = (partition, words.next(), words.next()) else {
                return fail(format!("a line outside the contract: {line}"));
            };
            dumped.partitions.entry(partition).or_default().push((key.to_owned(), value.to_owned()));
        }
        Ok(dumped)
    }

    pub(crate) fn record_count(&self) -> usize {
        self.partitions.values().map(Vec::len).sum()
    }

    /// The last value of each key must be its count.
    pub(crate) fn check_last(&self, what: &str, expected: &BTreeMap<&str, u64>) -> Outcome<()> {
        let mut last: BTreeMap<&str, u64> = BTreeMap::new();
        for (key, value) in self.partitions.values().flatten() {
            let Ok(count) = value.parse() else {
                return fail(format!("{what}: {key} has the count {value}"));
            };
            last.insert(key, count);
        }
        if last == *expected {
            return Ok(());
        }
        let words = expected.keys().chain(last.keys());
        let wrong: Vec<_> = words.filter(|word| last.get(*word) != expected.get(*word)).take(5).collect();
        let shown: Vec<_> = wrong
            .iter()
            .map(|word| format!("{word}: {:?} instead of {:?}", last.get(**word), expected.get(**word)))
            .collect();
        fail(format!("{what}: counts are wrong: {}", shown.join("; ")))
    }

    /// Each word's counts must be 1, 2, 3 … without a gap and without a repetition.
    pub(crate) fn check_each(&self, what: &str) -> Outcome<()> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for (partition, records) in &self.partitions {
            for (index, (key, value)) in records.iter().enumerate() {
                let count = counts.entry(key).or_default();
                *count += 1;
                if value.parse() != Ok(*count) {
                    return fail(format!(
                        "{what}, partition {partition}, committed record {index}: {key} counts {value} where {count} \
                         was due"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Each partition must hold exactly its lines, once and in order: line `n` lies in partition `n` modulo their count.
    pub(crate) fn check_lines(&self, what: &str, lines: &[String], partition_count: usize) -> Outcome<()> {
        for partition in 0..partition_count {
            let expected = lines.iter().skip(partition).step_by(partition_count);
            let records = i32::try_from(partition).ok().and_then(|number| self.partitions.get(&number));
            let mut found = records.into_iter().flatten().map(|(_, value)| value);
            for (index, line) in expected.enumerate() {
                match found.next() {
                    Some(value) if value == line => {}
                    other => {
                        return fail(format!(
                            "{what}, partition {partition}, committed record {index}: {other:?} where {line:?} was due"
                        ));
                    }
                }
            }
            if let Some(more) = found.next() {
                return fail(format!(
                    "{what}, partition {partition}: {more:?} came after everything had come"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_without_gap_or_repetition_pass() {
        let dumped = Dumped::parse("0\ta\t1\n1\tb\t1\n0\ta\t2\n").unwrap();
        assert_eq!(dumped.record_count(), 3);
        assert_eq!(dumped.check_each("out"), Ok(()));
        assert_eq!(dumped.check_last("out", &BTreeMap::from([("a", 2), ("b", 1)])), Ok(()));
    }

    #[test]
    fn a_doubled_and_a_lost_count_are_seen() {
        assert!(Dumped::parse("0\ta\t1\n0\ta\t1\n").unwrap().check_each("out").is_err());
        assert!(Dumped::parse("0\ta\t2\n").unwrap().check_each("out").is_err());
        let dumped = Dumped::parse("0\ta\t1\n").unwrap();
        assert!(dumped.check_last("out", &BTreeMap::from([("a", 2)])).is_err());
        assert!(dumped.check_last("out", &BTreeMap::from([("a", 1), ("b", 1)])).is_err());
        assert!(dumped.check_last("out", &BTreeMap::new()).is_err());
    }

    #[test]
    fn lines_must_be_there_once_and_in_order() {
        let lines: Vec<String> = ["0", "1", "2"].map(str::to_owned).to_vec();
        let check = |text: &str| Dumped::parse(text).unwrap().check_lines("out", &lines, 2);
        assert_eq!(check("0\t-\t0\n1\t-\t1\n0\t-\t2\n"), Ok(()));
        assert!(check("0\t-\t2\n1\t-\t1\n0\t-\t0\n").is_err());
        assert!(check("0\t-\t0\n1\t-\t1\n").is_err());
        assert!(check("0\t-\t0\n1\t-\t1\n0\t-\t2\n0\t-\t2\n").is_err());
    }
}
