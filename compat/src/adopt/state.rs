//! What a broker holds, a fact a line, and how two brokers' facts are compared.
//! Core, but for the reading of the file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::failure::{Outcome, While, fail};

/// Lines as the Java program wrote them: the first word says what each is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts(Vec<String>);

/// Differences that a failure shows.
const SHOWN_MAX: usize = 12;

/// What a partition's folders hold, wherever they lie.
const DATA: [&str; 6] = ["group", "transaction", "offset", "producer", "read_uncommitted", "read_committed"];

impl Facts {
    pub(super) fn read(path: &Path) -> Outcome<Self> {
        let text = std::fs::read_to_string(path).while_doing(|| format!("reading {}", path.display()))?;
        Ok(Self(text.lines().map(str::to_owned).collect()))
    }

    fn about(&self, word: &str) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str).filter(move |line| line.split(' ').next() == Some(word))
    }

    /// Name and partition count of each topic.
    pub(super) fn topics(&self) -> BTreeMap<&str, i32> {
        let topic = |line: &str| -> Option<(usize, i32)> {
            let words: Vec<&str> = line.split(' ').collect();
            Some((words.get(1)?.len(), words.get(3)?.parse().ok()?))
        };
        self.about("topic")
            .filter_map(|line| topic(line).map(|(len, count)| (&line["topic ".len()..][..len], count)))
            .collect()
    }

    /// A topic's own settings.
    pub(super) fn topic_configs(&self, topic: &str) -> Vec<(&str, &str)> {
        let head = format!("config TOPIC '{topic}' DYNAMIC_TOPIC_CONFIG ");
        self.about("config").filter_map(|line| line.strip_prefix(&head)?.split_once('=')).collect()
    }

    /// Every line must be there on both sides.
    pub(super) fn expect_same(&self, other: &Self) -> Outcome<()> {
        compare(self.0.iter().map(String::as_str), other.0.iter().map(String::as_str))
    }

    /// The same of what the folders of partitions hold.
    pub(super) fn expect_same_data(&self, other: &Self) -> Outcome<()> {
        let data = |facts: &'_ Self| -> Vec<String> {
            DATA.iter().flat_map(|word| facts.about(word).map(str::to_owned)).collect()
        };
        let (ours, theirs) = (data(self), data(other));
        compare(ours.iter().map(String::as_str), theirs.iter().map(String::as_str))
    }

    /// After the transactions that were open before have ended: nothing is open, and a reader of committed
    /// records has what the one that was committed wrote, and nothing of the aborted one.
    pub(super) fn expect_ended_transactions(&self, before: &Self) -> Outcome<()> {
        let open =
            |facts: &Self| facts.about("transaction").filter(|line| line.contains(" Ongoing ")).count();
        if (open(before), open(self)) != (2, 0) {
            return fail(format!("{} transactions were open before, {} are now", open(before), open(self)));
        }
        // 40 before the move and 10 after it, and 10 of the next transaction of the other producer.
        let committed =
            |facts: &Self| facts.about("read_committed").filter(|line| line.contains(" txn-")).count();
        let more = committed(self).saturating_sub(committed(before));
        if more != 60 {
            return fail(format!("{more} more committed records are there, not 60"));
        }
        let stable: BTreeSet<_> = self.about("offset").filter(|line| line.contains(" latest txn-")).collect();
        let of = |isolation: &str| -> Vec<&str> {
            let head = format!("offset {isolation} latest ");
            stable.iter().filter_map(|line| line.strip_prefix(&head)).collect()
        };
        if of("READ_COMMITTED") == of("READ_UNCOMMITTED") {
            return Ok(());
        }
        fail(format!("the last stable offset stands behind: {stable:?}"))
    }
}

fn compare<'a>(ours: impl Iterator<Item = &'a str>, theirs: impl Iterator<Item = &'a str>) -> Outcome<()> {
    let mut counts: BTreeMap<&str, i32> = BTreeMap::new();
    for line in ours {
        *counts.entry(line).or_default() += 1;
    }
    for line in theirs {
        *counts.entry(line).or_default() -= 1;
    }
    let different: Vec<String> = counts
        .iter()
        .filter(|(_, count)| **count != 0)
        .map(|(line, count)| format!("{} {line}", if *count > 0 { "only before:" } else { "only after: " }))
        .collect();
    if different.is_empty() {
        return Ok(());
    }
    let shown: Vec<&str> = different.iter().map(String::as_str).take(SHOWN_MAX).collect();
    fail(format!("{} facts differ\n{}", different.len(), shown.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(lines: &[&str]) -> Facts {
        Facts(lines.iter().map(|line| (*line).to_owned()).collect())
    }

    const OPEN: [&str; 5] = [
        "topic txn abc 2",
        "config TOPIC 'txn' DYNAMIC_TOPIC_CONFIG retention.ms=-1",
        "transaction a Ongoing producer 1",
        "transaction b Ongoing producer 2",
        "offset READ_COMMITTED latest txn-0 3 -1",
    ];

    #[test]
    fn a_lost_a_doubled_and_a_new_line_are_seen() {
        let before = facts(&OPEN);
        assert_eq!(before.expect_same(&before), Ok(()));
        assert!(before.expect_same(&facts(&OPEN[1..])).is_err());
        assert!(before.expect_same(&facts(&[&OPEN[..], &["offset x"]].concat())).is_err());
        assert!(before.expect_same(&facts(&[&OPEN[..], &OPEN[..1]].concat())).is_err());
        // Who a topic is does not count when only its folders moved.
        assert_eq!(before.expect_same_data(&facts(&OPEN[2..])), Ok(()));
    }

    #[test]
    fn topics_are_read_with_their_settings() {
        let before = facts(&OPEN);
        assert_eq!(before.topics(), BTreeMap::from([("txn", 2)]));
        assert_eq!(before.topic_configs("txn"), [("retention.ms", "-1")]);
    }

    #[test]
    fn an_end_is_seen_in_transactions_and_offsets() {
        let before = facts(&OPEN);
        let mut lines: Vec<String> = (0..60).map(|n| format!("read_committed txn-0 {n}")).collect();
        lines.push("offset READ_COMMITTED latest txn-0 9 -1".to_owned());
        lines.push("offset READ_UNCOMMITTED latest txn-0 9 -1".to_owned());
        assert_eq!(Facts(lines.clone()).expect_ended_transactions(&before), Ok(()));
        assert!(Facts(lines[1..].to_vec()).expect_ended_transactions(&before).is_err());
        lines.push("transaction b Ongoing producer 2".to_owned());
        assert!(Facts(lines).expect_ended_transactions(&before).is_err());
    }
}
