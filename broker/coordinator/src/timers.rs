//! Deadlines of one shard, in order.
//! Core. Members' sessions are scheduled lazily: a heartbeat only moves the member's own deadline, and
//! the entry here is moved when it comes due, so a heartbeat costs the queue nothing.

use std::collections::BTreeMap;

use ottla_env::Monotonic;
use ottla_model::{GroupId, MemberId};

/// What to do when a deadline passes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TimerKey {
    /// A member's session, or the id that a pending member has not yet come back with.
    Member(GroupId, MemberId),
    /// A member was to give something up until now.
    Rebalance(GroupId, MemberId),
    /// The join phase of a group ends, or a new streams group's wait for more members.
    Join(GroupId),
    /// The sync phase of a group ends.
    Sync(GroupId),
    /// Offsets past their retention are looked for.
    OffsetExpiration,
}

/// Names one scheduled deadline, to cancel it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TimerId {
    at: Monotonic,
    sequence: u64,
}

impl TimerId {
    pub fn at(self) -> Monotonic {
        self.at
    }
}

#[derive(Default)]
pub struct Timers {
    queue: BTreeMap<TimerId, TimerKey>,
    next_sequence: u64,
}

impl Timers {
    pub fn schedule(&mut self, at: Monotonic, key: TimerKey) -> TimerId {
        let id = TimerId { at, sequence: self.next_sequence };
        self.next_sequence += 1;
        let before = self.queue.insert(id, key);
        assert!(before.is_none(), "a number names one deadline");
        id
    }

    /// Cancels the timer in the slot, if there is one.
    pub fn cancel(&mut self, slot: &mut Option<TimerId>) {
        if let Some(id) = slot.take() {
            self.queue.remove(&id);
        }
    }

    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.queue.first_key_value().map(|(id, _)| id.at)
    }

    /// Takes the earliest timer that is due.
    pub fn pop_due(&mut self, now: Monotonic) -> Option<(TimerId, TimerKey)> {
        let entry = self.queue.first_entry()?;
        (entry.key().at <= now).then(|| entry.remove_entry())
    }

    pub fn count(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_come_due_in_order_and_can_be_cancelled() {
        let at = |ms| Monotonic::default().after_ms(ms);
        let group = GroupId::new("g");
        let mut timers = Timers::default();
        timers.schedule(at(30), TimerKey::Sync(group.clone()));
        let mut join = Some(timers.schedule(at(10), TimerKey::Join(group.clone())));
        timers.schedule(at(10), TimerKey::OffsetExpiration);
        assert_eq!(timers.next_deadline(), Some(at(10)));
        assert_eq!(timers.pop_due(at(9)), None);
        timers.cancel(&mut join);
        assert_eq!(join, None);
        assert_eq!(timers.pop_due(at(10)).map(|(_, key)| key), Some(TimerKey::OffsetExpiration));
        assert_eq!(timers.pop_due(at(29)), None);
        assert_eq!(timers.pop_due(at(31)).map(|(_, key)| key), Some(TimerKey::Sync(group)));
        assert_eq!(timers.count(), 0);
    }
}
