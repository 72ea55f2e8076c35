//! What the clients of a history know, and what must be true of it.
//! Core.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;

/// One record that an application made of an input: which transaction, application, input, and the how
/// many-th of those it makes of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Output {
    pub transaction: u64,
    pub app: usize,
    pub input: i64,
    pub place: i64,
}

impl Output {
    pub fn text(&self) -> String {
        format!("{} {} {} {}", self.transaction, self.app, self.input, self.place)
    }

    pub fn parse(value: &[u8]) -> Output {
        let text = String::from_utf8_lossy(value);
        let mut numbers = text.split(' ').map(|number| number.parse::<i64>().expect("a number"));
        let mut next = || numbers.next().expect("four numbers");
        Output { transaction: next() as u64, app: next() as usize, input: next(), place: next() }
    }
}

/// How many records an input becomes, and where they go.
pub fn output_count(app: usize, input: i64) -> i64 {
    1 + (input * 7 + app as i64 * 3) % 3
}

pub fn output_partition(app: usize, input: i64, place: i64) -> i32 {
    ((input + place * 2 + app as i64) % i64::from(super::OUT_PARTITIONS)) as i32
}

/// What is known of one transaction.
#[derive(Clone, Debug)]
pub struct Fact {
    pub app: usize,
    pub first_input: i64,
    pub end_input: i64,
    /// What was asked, if anything was.
    pub asked: Option<bool>,
    /// Whether the answer was a success.
    pub is_answered: bool,
}

#[derive(Default)]
struct Known {
    facts: BTreeMap<u64, Fact>,
    /// What a reader of committed records was shown, by partition and offset.
    seen: BTreeMap<(i32, i64), Output>,
    /// The offsets of each application's acknowledged commits.
    committed_to: BTreeMap<usize, i64>,
    producers: BTreeSet<i64>,
    trace: Vec<String>,
}

/// The outside checker's memory.
#[derive(Default)]
pub struct Book(Mutex<Known>);

impl Book {
    pub fn note(&self, text: String) {
        self.0.lock().trace.push(text);
    }

    pub fn trace(&self) -> Vec<String> {
        self.0.lock().trace.clone()
    }

    pub fn begin(&self, app: usize, first_input: i64, end_input: i64) -> u64 {
        let mut known = self.0.lock();
        let number = known.facts.len() as u64;
        let fact = Fact { app, first_input, end_input, asked: None, is_answered: false };
        known.facts.insert(number, fact);
        number
    }

    pub fn ask(&self, transaction: u64, is_commit: bool) {
        let mut known = self.0.lock();
        known.facts.get_mut(&transaction).expect("begun").asked = Some(is_commit);
    }

    pub fn answered(&self, transaction: u64) {
        let mut known = self.0.lock();
        let fact = known.facts.get_mut(&transaction).expect("begun");
        fact.is_answered = true;
        let (app, end, is_commit) = (fact.app, fact.end_input, fact.asked == Some(true));
        if is_commit {
            let committed = known.committed_to.entry(app).or_default();
            *committed = end.max(*committed);
        }
    }

    /// Below this no application may be sent back.
    pub fn committed_to(&self, app: usize) -> i64 {
        self.0.lock().committed_to.get(&app).copied().unwrap_or(0)
    }

    pub fn facts(&self) -> BTreeMap<u64, Fact> {
        self.0.lock().facts.clone()
    }

    /// Commits whose success a client was told.
    pub fn acknowledged_commits(&self) -> usize {
        let is_done = |fact: &&Fact| fact.is_answered && fact.asked == Some(true);
        self.0.lock().facts.values().filter(is_done).count()
    }

    /// A reader of committed records was shown this.
    pub fn saw(&self, partition: i32, offset: i64, output: Output) {
        let mut known = self.0.lock();
        let asked = known.facts.get(&output.transaction).and_then(|fact| fact.asked);
        assert_eq!(
            asked,
            Some(true),
            "aborted: {output:?} of {:?} was shown at {partition}@{offset}",
            known.facts.get(&output.transaction)
        );
        let before = known.seen.insert((partition, offset), output);
        assert!(
            before.is_none_or(|before| before == output),
            "{partition}@{offset} was {before:?} and is {output:?}"
        );
    }

    pub fn seen(&self) -> BTreeMap<(i32, i64), Output> {
        self.0.lock().seen.clone()
    }

    /// A new transactional id got this producer id with epoch 0.
    pub fn new_producer(&self, id: i64) {
        let is_new = self.0.lock().producers.insert(id);
        assert!(is_new, "producer id {id} was given out twice");
    }
}
