//! What an application wrote in transactions, what it was told of their ends, and what a reader of committed records found.
//! Core.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How far the end of a transaction has come, as its application knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// Nobody has asked for its commit.
    Open,
    Asked,
    Committed,
}

struct Transaction {
    values: Vec<u64>,
    end: End,
}

#[derive(Default)]
pub struct Transactions {
    all: Vec<Transaction>,
    of_value: BTreeMap<u64, usize>,
    found: BTreeSet<u64>,
    last_commit: Option<Duration>,
}

impl Transactions {
    pub fn begin(&mut self) -> usize {
        self.all.push(Transaction { values: Vec::new(), end: End::Open });
        self.all.len() - 1
    }

    pub fn add(&mut self, transaction: usize, values: &[u64]) {
        self.all[transaction].values.extend_from_slice(values);
        self.of_value.extend(values.iter().map(|value| (*value, transaction)));
    }

    pub fn on_asked(&mut self, transaction: usize) {
        self.all[transaction].end = End::Asked;
    }

    pub fn on_committed(&mut self, now: Duration, transaction: usize) {
        self.all[transaction].end = End::Committed;
        self.last_commit = Some(now);
    }

    /// A reader of committed records was given a value.
    pub fn on_found(&mut self, value: u64) {
        let Some(transaction) = self.of_value.get(&value) else { return };
        assert!(
            self.all[*transaction].end != End::Open,
            "{value} is read as committed, and nobody has asked for the commit of transaction {transaction}"
        );
        self.found.insert(value);
    }

    pub fn is_committed_since(&self, moment: Duration) -> bool {
        self.last_commit.is_some_and(|last| last > moment)
    }

    pub fn committed(&self) -> usize {
        self.all.iter().filter(|one| one.end == End::Committed).count()
    }

    /// What was committed and is not found yet. A transaction whose commit was asked for is found whole or not at all.
    pub fn missing(&self) -> Vec<u64> {
        let is_there = |one: &&Transaction| {
            one.end == End::Committed
                || one.end == End::Asked && one.values.iter().any(|value| self.found.contains(value))
        };
        let values = self.all.iter().filter(is_there).flat_map(|one| one.values.iter().copied());
        values.filter(|value| !self.found.contains(value)).collect()
    }
}
