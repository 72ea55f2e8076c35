//! What clients sent, were told and have read, and what of it contradicts itself.
//! Core.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::transactions::Transactions;

/// A partition of the topic.
pub type Place = i32;

#[derive(Default)]
pub struct Book {
    next_value: u64,
    /// Each value with the producer that sent it, and where to.
    sent: BTreeMap<u64, (usize, Place)>,
    /// Acknowledged, with the offsets that were told.
    acked: BTreeMap<(Place, i64), u64>,
    acked_values: BTreeMap<u64, Place>,
    read: BTreeMap<(Place, i64), u64>,
    offset_of: BTreeMap<u64, (Place, i64)>,
    last_ack: BTreeMap<Place, Duration>,
    /// Commits of offsets that were acknowledged, and when the last of each client was.
    committed: usize,
    last_commit: BTreeMap<usize, Duration>,
    pub transactions: Transactions,
    /// Records before these were asked to be deleted, and were.
    deletion_asked: BTreeMap<Place, i64>,
    deleted: BTreeMap<Place, i64>,
    pub register: Register,
}

/// What one client sets again and again: a value of a setting.
#[derive(Default)]
pub struct Register {
    acked: u64,
    /// May have been set, or may still be.
    unknown: BTreeSet<u64>,
}

impl Register {
    pub fn on_asked(&mut self, value: u64) {
        self.unknown.insert(value);
    }

    pub fn on_acked(&mut self, value: u64) {
        self.acked = value;
        self.unknown.remove(&value);
    }

    /// Whether it may have this value. Zero: it was never set.
    pub fn may_be(&self, found: u64) -> bool {
        found == self.acked || self.unknown.contains(&found)
    }
}

impl Book {
    pub fn value(&mut self, producer: usize, place: Place) -> u64 {
        self.next_value += 1;
        self.sent.insert(self.next_value, (producer, place));
        self.next_value
    }

    /// Values were acknowledged, the first at an offset. `None`: the leader had them already, and did not say where.
    pub fn on_acked(&mut self, now: Duration, place: Place, base: Option<i64>, values: &[u64]) {
        self.last_ack.insert(place, now);
        for (number, value) in values.iter().enumerate() {
            self.acked_values.insert(*value, place);
            let Some(base) = base else { continue };
            let offset = base + number as i64;
            let other = self.acked.insert((place, offset), *value);
            assert!(other.is_none_or(|other| other == *value), "{place}@{offset} is acknowledged twice");
            self.is_at(place, offset, *value, "acknowledged");
        }
    }

    pub fn on_read(&mut self, place: Place, offset: i64, value: u64) {
        assert!(
            self.sent.get(&value).is_some_and(|(_, to)| *to == place),
            "{place}@{offset}: {value} was not sent there"
        );
        self.is_at(place, offset, value, "read");
        self.read.insert((place, offset), value);
    }

    pub fn on_deleting(&mut self, place: Place, before: i64) {
        let asked = self.deletion_asked.entry(place).or_default();
        *asked = before.max(*asked);
    }

    pub fn on_deleted(&mut self, place: Place, before: i64) {
        let deleted = self.deleted.entry(place).or_default();
        *deleted = before.max(*deleted);
    }

    /// All records before are gone for good.
    pub fn deleted(&self, place: Place) -> i64 {
        self.deleted.get(&place).copied().unwrap_or_default()
    }

    /// Records before may be gone.
    pub fn deletion_asked(&self, place: Place) -> i64 {
        self.deletion_asked.get(&place).copied().unwrap_or_default()
    }

    /// A value has one offset, and an offset one value, for ever.
    fn is_at(&mut self, place: Place, offset: i64, value: u64, how: &str) {
        let known = *self.offset_of.entry(value).or_insert((place, offset));
        assert!(known == (place, offset), "{value} is {how} at {place}@{offset}, and was at {known:?}");
        for known in [self.read.get(&(place, offset)), self.acked.get(&(place, offset))].into_iter().flatten()
        {
            assert!(*known == value, "{place}@{offset} is {how} as {value}, and was {known}");
        }
    }

    pub fn last_acked(&self, place: Place) -> Option<i64> {
        self.acked.range((place, 0)..(place + 1, 0)).next_back().map(|((_, offset), _)| *offset)
    }

    pub fn is_acked_since(&self, place: Place, moment: Duration) -> bool {
        self.last_ack.get(&place).is_some_and(|last| *last > moment)
    }

    pub fn on_committed(&mut self, now: Duration, client: usize) {
        self.committed += 1;
        self.last_commit.insert(client, now);
    }

    pub fn is_committed_since(&self, client: usize, moment: Duration) -> bool {
        self.last_commit.get(&client).is_some_and(|last| *last > moment)
    }

    pub fn committed_count(&self) -> usize {
        self.committed
    }

    pub fn acked_count(&self) -> usize {
        self.acked_values.len()
    }

    pub fn read_count(&self) -> usize {
        self.read.len()
    }

    /// Of what was acknowledged, and of what was committed: what no reader has found, and nobody has deleted.
    pub fn missing(&self) -> Vec<(u64, Place)> {
        let is_read =
            |value: &u64| self.offset_of.get(value).is_some_and(|place| self.read.get(place) == Some(value));
        let acked = self.acked_values.iter().filter(|(value, _)| !is_read(value)).map(|(v, p)| (*v, *p));
        let committed = self.transactions.missing().into_iter().map(|value| (value, self.sent[&value].1));
        acked.chain(committed).filter(|(value, place)| !self.may_be_deleted(*value, *place)).collect()
    }

    fn may_be_deleted(&self, value: u64, place: Place) -> bool {
        // The leader may not have said where it is.
        let offset = self.offset_of.get(&value).map_or(0, |(_, offset)| *offset);
        offset < self.deletion_asked(place)
    }

    /// The values of one producer stand in each partition in the order in which it sent them.
    pub fn check_order(&self) {
        let mut last: BTreeMap<(usize, Place), u64> = BTreeMap::new();
        for ((place, offset), value) in &self.read {
            let (producer, _) = self.sent[value];
            let before = last.insert((producer, *place), *value);
            assert!(
                before.is_none_or(|before| before < *value),
                "{place}@{offset}: {value} of producer {producer} stands behind {before:?}"
            );
        }
    }
}
