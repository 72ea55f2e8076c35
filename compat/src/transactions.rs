//! Transactions as every client library has them: committed, aborted, with offsets, fenced.
//! Shell: client processes and the clock.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::contract::{Client, Event, Program};
use crate::failure::{Outcome, While, fail};
use crate::ledger::{PARTITION_COUNT, crc32};
use crate::steps::{Setting, Steps};

const VERB_LIMIT: Duration = Duration::from_secs(60);
/// An end may be answered before the markers that show it to readers, in Kafka as here.
const VISIBLE_LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);

/// Turns of a producer that aborts right behind a commit.
const TURN_COUNT: usize = 60;

/// Plays the four cases, each on what the one before left behind; and the turns, for a client with that verb.
pub fn play(program: &Program, has_turns: bool, setting: &Setting, steps: &mut Steps) -> Outcome<()> {
    let mut scene = Scene {
        driver: Client::start(program, "transactions", &setting.bootstrap, &setting.work_dir)?,
        topic: format!("{}-txn", setting.namespace),
        output: format!("{}-txn-output", setting.namespace),
        group: format!("{}-txn-group", setting.namespace),
        id: setting.namespace.clone(),
        count: setting.amounts.records_per_transaction,
        replicas: setting.replicas,
    };
    steps.step("txn-commit", || scene.commit())?;
    steps.step("txn-abort", || scene.abort())?;
    steps.step("txn-copy", || scene.copy())?;
    steps.step("txn-fence", || scene.fence())?;
    if has_turns {
        steps.step("txn-turns", || scene.turns(&format!("{}-turns", setting.namespace)))?;
    }
    scene.driver.tell("quit")?;
    scene.driver.wait_for_end(VERB_LIMIT)
}

struct Scene {
    driver: Client,
    topic: String,
    output: String,
    group: String,
    /// Begins every transactional id.
    id: String,
    /// Records of a transaction.
    count: usize,
    replicas: usize,
}

/// What a partition holds: the numbers of its records, in order, with their offsets.
type Seen = BTreeMap<i32, Vec<(i64, usize)>>;

impl Scene {
    fn ask(&mut self, line: &str) -> Outcome<Vec<Event>> {
        self.driver.ask(line, VERB_LIMIT)
    }

    /// The records of the n-th transaction of this scene.
    fn ids(&self, transaction: usize) -> Range<usize> {
        transaction * self.count..(transaction + 1) * self.count
    }

    fn send(&mut self, name: &str, ids: &Range<usize>) -> Outcome<()> {
        let line = format!("send {name} {} {} {}", self.topic, ids.start, ids.len());
        self.ask(&line).map(drop)
    }

    /// Several partitions in one transaction: nothing of it before the commit, all of it afterwards.
    fn commit(&mut self) -> Outcome<()> {
        let (topic, ids) = (self.topic.clone(), self.ids(0));
        self.ask(&format!("create {topic} {PARTITION_COUNT} {}", self.replicas))?;
        self.ask(&format!("transactional first {}-id", self.id))?;
        self.ask("begin first")?;
        self.send("first", &ids)?;
        self.sees(&topic, "read_uncommitted", std::slice::from_ref(&ids))?;
        self.sees(&topic, "read_committed", &[])?;
        self.ask("commit first")?;
        self.comes_to_see(&topic, "read_committed", &[ids])
    }

    /// A producer that aborts right behind a commit, while its markers may be on their way, stays alive (KAFKA-18464).
    fn turns(&mut self, topic: &str) -> Outcome<()> {
        let ids = 0..3 * TURN_COUNT;
        self.ask(&format!("create {topic} {PARTITION_COUNT} {}", self.replicas))?;
        self.ask(&format!("turns {}-turns {topic} {} {TURN_COUNT}", self.id, ids.start))?;
        self.comes_to_see(topic, "read_committed", &[ids])
    }

    /// What was aborted never comes; what was committed behind it does, so the reader has passed it.
    fn abort(&mut self) -> Outcome<()> {
        let (topic, before, aborted, after) = (self.topic.clone(), self.ids(0), self.ids(1), self.ids(2));
        self.ask("begin first")?;
        self.send("first", &aborted)?;
        self.sees(&topic, "read_committed", std::slice::from_ref(&before))?;
        self.ask("abort first")?;
        self.ask("begin first")?;
        self.send("first", &after)?;
        self.ask("commit first")?;
        self.comes_to_see(&topic, "read_committed", &[before.clone(), after.clone()])?;
        self.sees(&topic, "read_uncommitted", &[before, aborted, after])
    }

    /// Consume, produce and commit the offsets in one transaction: aborted, then again and committed.
    fn copy(&mut self) -> Outcome<()> {
        let (output, group) = (self.output.clone(), self.group.clone());
        let copied = [self.ids(0), self.ids(2)];
        self.ask(&format!("create {output} {PARTITION_COUNT} {}", self.replicas))?;
        let line = format!("{}-copier {} {output} {group} {}", self.id, self.topic, 2 * self.count);
        self.ask(&format!("copy aborts {line}"))?;
        self.sees(&output, "read_uncommitted", &copied)?;
        self.sees(&output, "read_committed", &[])?;
        self.has_committed(None)?;
        self.ask("abort aborts")?;
        // The same records come again, since their offsets were not committed.
        self.ask(&format!("copy commits {line}"))?;
        self.sees(&output, "read_committed", &[])?;
        self.has_committed(None)?;
        self.ask("commit commits")?;
        self.comes_to_see(&output, "read_committed", &copied)?;
        let seen = self.read(&self.topic.clone(), "read_committed", 2 * self.count)?;
        let deadline = Instant::now() + VISIBLE_LIMIT;
        loop {
            match self.has_committed(Some(&seen)) {
                Err(_) if Instant::now() < deadline => std::thread::sleep(PAUSE),
                outcome => return outcome,
            }
        }
    }

    /// A second producer of the same id takes over: the open transaction of the first is aborted, its commit refused.
    fn fence(&mut self) -> Outcome<()> {
        let (topic, lost, kept) = (self.topic.clone(), self.ids(3), self.ids(4));
        self.ask("begin first")?;
        self.send("first", &lost)?;
        self.ask(&format!("transactional second {}-id", self.id))?;
        match self.ask("commit first") {
            Ok(_) => return fail("a producer whose id another one has taken over could commit"),
            Err(refused) if is_fencing(&refused.0) => {}
            Err(other) => return fail(format!("the commit should be refused as fenced, but: {other}")),
        }
        self.ask("begin second")?;
        self.send("second", &kept)?;
        self.ask("commit second")?;
        self.comes_to_see(&topic, "read_committed", &[self.ids(0), self.ids(2), kept])
    }

    fn read(&mut self, topic: &str, isolation: &str, expected_count: usize) -> Outcome<Seen> {
        let mut seen = Seen::new();
        for event in self.ask(&format!("read {topic} {isolation} {expected_count}"))? {
            if let Event::Record(record) = event {
                let number =
                    record.key.as_deref().and_then(|key| key.strip_prefix('k')?.parse::<usize>().ok());
                let Some(id) = number.filter(|id| record.value_crc == crc32(id.to_string().as_bytes()))
                else {
                    return fail(format!("a record that nobody produced: {record:?}"));
                };
                seen.entry(record.partition).or_default().push((record.offset, id));
            }
        }
        Ok(seen)
    }

    /// A reader sees exactly these records, each once, in its partition and in order.
    fn sees(&mut self, topic: &str, isolation: &str, ranges: &[Range<usize>]) -> Outcome<()> {
        let mut expected: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for id in ranges.iter().cloned().flatten() {
            let partition = i32::try_from(id % PARTITION_COUNT).unwrap_or(-1);
            expected.entry(partition).or_default().push(id);
        }
        let expected_count = expected.values().map(Vec::len).sum();
        let seen = self.read(topic, isolation, expected_count)?;
        let ids = |records: &Vec<(i64, usize)>| records.iter().map(|(_, id)| *id).collect::<Vec<usize>>();
        let seen: BTreeMap<i32, Vec<usize>> =
            seen.iter().map(|(partition, records)| (*partition, ids(records))).collect();
        if seen == expected {
            return Ok(());
        }
        fail(format!("a {isolation} reader of {topic} should see records {ranges:?}, it saw {seen:?}"))
    }

    fn comes_to_see(&mut self, topic: &str, isolation: &str, ranges: &[Range<usize>]) -> Outcome<()> {
        let deadline = Instant::now() + VISIBLE_LIMIT;
        loop {
            match self.sees(topic, isolation, ranges) {
                Err(_) if Instant::now() < deadline => std::thread::sleep(PAUSE),
                outcome => return outcome.while_doing(|| format!("within {VISIBLE_LIMIT:?}")),
            }
        }
    }

    /// The group has committed nothing, or that it has read all of `read`: a marker behind the last may be counted in.
    fn has_committed(&mut self, read: Option<&Seen>) -> Outcome<()> {
        let mut committed = BTreeMap::new();
        for event in self.ask(&format!("committed {}", self.group.clone()))? {
            if let Event::Offset { partition, offset } = event
                && offset >= 0
            {
                committed.insert(partition, offset);
            }
        }
        let expected: BTreeMap<i32, i64> = read
            .into_iter()
            .flatten()
            .filter_map(|(partition, records)| Some((*partition, records.last()?.0 + 1)))
            .collect();
        let fits = |(partition, offset): (&i32, &i64)| {
            expected.get(partition).is_some_and(|next| (*next..=*next + 1).contains(offset))
        };
        if committed.len() == expected.len() && committed.iter().all(fits) {
            return Ok(());
        }
        fail(format!("committed offsets are {committed:?} where {expected:?} are due"))
    }
}

/// Every library has words of its own for it: fenced, or an epoch that is old; sarama has only the number of
/// PRODUCER_FENCED.
fn is_fencing(text: &str) -> bool {
    let text = text.to_lowercase();
    ["fence", "old epoch", "producer_epoch", "error code = 90"].iter().any(|words| text.contains(words))
}
