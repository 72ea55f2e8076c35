//! A share partition: the records between its start and its end, and where the next fetch goes on.
//! Core. Rules are those of Kafka's `SharePartition`; its asynchronous state transitions are one step
//! here, as the persister takes or refuses a change at once.

use std::collections::BTreeMap;

use ottla_env::Monotonic;

use super::in_flight::{InFlightBatch, InFlightState, RecordState, States};
use crate::settings::ShareGroupConfig;
use crate::share::{SharePartitionState, StateBatch, StateWrite};

/// The settings of the group that a call is held to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    pub delivery_count_limit: i32,
    pub record_locks_max: i32,
    pub lock_duration_ms: i64,
    pub is_renew_enabled: bool,
}

impl From<&ShareGroupConfig> for Limits {
    fn from(config: &ShareGroupConfig) -> Limits {
        Limits {
            delivery_count_limit: config.delivery_count_limit,
            record_locks_max: config.partition_record_locks_max,
            lock_duration_ms: i64::from(config.record_lock_duration_ms),
            is_renew_enabled: config.is_renew_enabled,
        }
    }
}

/// Where the state that was read at the start had holes: records that were acquired, and of which
/// nothing was ever written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct GapWindow {
    pub end_offset: i64,
    pub gap_start_offset: i64,
}

pub struct SharePartition {
    pub(super) start_offset: i64,
    /// The last offset in flight; with none in flight, the next to be fetched.
    pub(super) end_offset: i64,
    /// By first offset.
    pub(super) batches: BTreeMap<i64, InFlightBatch>,
    /// Set when records before the end may be available.
    pub(super) find_next_fetch_offset: bool,
    pub(super) gap: Option<GapWindow>,
    /// Records from the start on that are done with.
    pub(super) delivery_complete_count: i32,
    state_epoch: i32,
    leader_epoch: i32,
    /// No lock ends before it; `None` while nothing is locked.
    pub(super) next_lock_deadline: Option<Monotonic>,
}

/// A change that the persister is to take, and what undoes it.
#[derive(Debug, Default)]
pub struct Change {
    /// What is written; empty when nothing has changed.
    pub batches: Vec<StateBatch>,
    /// The states before, by batch and place in it.
    pub(super) before: Vec<(i64, Option<usize>, InFlightState)>,
    pub(super) completed: i32,
}

/// A state batch that cannot be what a leader wrote.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidState;

impl SharePartition {
    /// Goes on from what was stored. `start_offset` is the stored one, or where a group begins that has
    /// none.
    pub fn restore(
        stored: &SharePartitionState,
        start_offset: i64,
        leader_epoch: i32,
    ) -> Result<SharePartition, InvalidState> {
        let mut partition = SharePartition {
            start_offset,
            end_offset: start_offset,
            batches: BTreeMap::new(),
            find_next_fetch_offset: false,
            gap: None,
            delivery_complete_count: 0,
            state_epoch: stored.state_epoch,
            leader_epoch,
            next_lock_deadline: None,
        };
        let mut has_gap = false;
        let mut previous_last = start_offset - 1;
        for batch in &stored.batches {
            if batch.first_offset <= previous_last || batch.last_offset < batch.first_offset {
                return Err(InvalidState);
            }
            has_gap |= batch.first_offset > previous_last + 1;
            previous_last = batch.last_offset;
            let state = RecordState::from_id(batch.delivery_state).ok_or(InvalidState)?;
            if state.is_terminal() {
                partition.delivery_complete_count += (batch.last_offset - batch.first_offset + 1) as i32;
            }
            let in_flight =
                InFlightState { state, delivery_count: batch.delivery_count, member: None, lock_until: None };
            partition.batches.insert(
                batch.first_offset,
                InFlightBatch::whole(batch.first_offset, batch.last_offset, in_flight),
            );
        }
        if !partition.batches.is_empty() {
            partition.find_next_fetch_offset = true;
            partition.end_offset = previous_last;
            partition.gap =
                has_gap.then_some(GapWindow { end_offset: previous_last, gap_start_offset: start_offset });
            partition.move_start_offset();
        }
        Ok(partition)
    }

    pub fn start_offset(&self) -> i64 {
        self.start_offset
    }

    pub fn end_offset(&self) -> i64 {
        self.end_offset
    }

    pub fn delivery_complete_count(&self) -> i32 {
        self.delivery_complete_count
    }

    pub fn batches(&self) -> impl Iterator<Item = &InFlightBatch> {
        self.batches.values()
    }

    pub fn next_lock_deadline(&self) -> Option<Monotonic> {
        self.next_lock_deadline
    }

    pub fn write_of(&self, batches: Vec<StateBatch>) -> StateWrite {
        StateWrite {
            state_epoch: self.state_epoch,
            leader_epoch: self.leader_epoch,
            start_offset: self.start_offset,
            delivery_complete_count: self.delivery_complete_count,
            batches,
        }
    }

    pub fn in_flight_count(&self) -> i64 {
        if self.batches.is_empty() { 0 } else { self.end_offset - self.start_offset + 1 }
    }

    /// Where the next fetch reads: the first record that is available, or behind the last in flight.
    pub fn next_fetch_offset(&mut self) -> i64 {
        let is_past_all =
            self.batches.last_key_value().is_none_or(|(_, last)| self.start_offset > last.last_offset);
        if !self.find_next_fetch_offset {
            return if is_past_all { self.end_offset } else { self.end_offset + 1 };
        }
        if is_past_all {
            self.find_next_fetch_offset = false;
            return self.end_offset;
        }
        let is_gap_active = self.is_gap_active();
        let mut gap_start = self.gap.map_or(-1, |gap| gap.gap_start_offset);
        for batch in self.batches.values() {
            if is_gap_active {
                if batch.first_offset > gap_start {
                    return gap_start;
                }
                gap_start = gap_start.max(batch.last_offset + 1);
            }
            let available = match &batch.states {
                States::Batch(state) => (state.state == RecordState::Available).then_some(batch.first_offset),
                States::Offsets(states) => states
                    .iter()
                    .position(|state| state.state == RecordState::Available)
                    .map(|index| batch.first_offset + index as i64),
            };
            if let Some(offset) = available {
                return offset;
            }
        }
        self.find_next_fetch_offset = false;
        self.end_offset + 1
    }

    /// Whether a fetch may bring anything: not when as many records are in flight as may be.
    pub fn can_acquire(&mut self, limits: &Limits) -> bool {
        self.next_fetch_offset() != self.end_offset + 1
            || self.in_flight_count() < i64::from(limits.record_locks_max)
    }

    /// The log begins later now: what lies before it is not delivered any more.
    pub fn on_log_start(&mut self, log_start_offset: i64) {
        if log_start_offset <= self.start_offset {
            return;
        }
        if self.batches.is_empty() {
            self.start_offset = log_start_offset;
            self.end_offset = log_start_offset;
            self.delivery_complete_count = 0;
            return;
        }
        let completed = self.completed_before(log_start_offset);
        let keys: Vec<i64> = self.batches.keys().copied().collect();
        if self.archive(&keys, self.start_offset, log_start_offset - 1, RecordState::Available, false) {
            self.find_next_fetch_offset = true;
        }
        self.start_offset = log_start_offset;
        self.delivery_complete_count -= completed;
        self.end_offset = self.end_offset.max(self.start_offset);
        assert!(self.delivery_complete_count >= 0, "more records left than were done with");
    }

    fn completed_before(&self, offset: i64) -> i32 {
        let mut count = 0;
        for batch in self.batches.range(..offset).map(|(_, batch)| batch) {
            let (first, last) =
                (self.start_offset.max(batch.first_offset), (offset - 1).min(batch.last_offset));
            count += (first..=last)
                .filter(|at| batch.state_at(*at).is_some_and(|state| state.state.is_terminal()))
                .count() as i32;
        }
        count
    }

    /// Archives the records of the named batches that are in a state and in a range; true when there
    /// were any.
    pub(super) fn archive(
        &mut self,
        keys: &[i64],
        first_offset: i64,
        last_offset: i64,
        initial: RecordState,
        counts: bool,
    ) -> bool {
        let mut archived = 0;
        let mut is_any = false;
        for key in keys.iter().take_while(|key| **key <= last_offset) {
            let Some(batch) = self.batches.get_mut(key) else { continue };
            let is_whole = batch.lies_within(first_offset, last_offset);
            let (batch_first, count) = (batch.first_offset, batch.record_count());
            if let States::Batch(state) = &mut batch.states {
                if state.state != initial {
                    continue;
                }
                if is_whole {
                    state.archive();
                    archived += count as i32;
                    is_any = true;
                    continue;
                }
            }
            for (offset, state) in (batch_first..).zip(batch.per_offset()) {
                if (first_offset..=last_offset).contains(&offset) && state.state == initial {
                    state.archive();
                    archived += 1;
                    is_any = true;
                }
            }
        }
        if counts {
            self.delivery_complete_count += archived;
        }
        is_any
    }

    pub(super) fn is_gap_active(&self) -> bool {
        self.gap.is_some_and(|gap| gap.end_offset == self.end_offset)
    }

    /// Everything before `offset` has been looked at.
    pub(super) fn move_gap_start(&mut self, offset: i64) {
        self.gap = self
            .gap
            .filter(|gap| gap.end_offset == self.end_offset && offset <= gap.end_offset)
            .map(|gap| GapWindow { gap_start_offset: offset, ..gap });
    }

    pub(super) fn lock_until(&mut self, now: Monotonic, limits: &Limits) -> Monotonic {
        let until = now.after_ms(limits.lock_duration_ms);
        self.next_lock_deadline = Some(self.next_lock_deadline.map_or(until, |next| next.min(until)));
        until
    }

    /// How many records of a range count as in flight.
    pub(super) fn in_flight_within(&self, first_offset: i64, last_offset: i64) -> i32 {
        match last_offset >= self.start_offset {
            true => (last_offset - self.start_offset.max(first_offset) + 1) as i32,
            false => 0,
        }
    }

    /// The persister took the change.
    pub fn commit(&mut self, change: Change) -> bool {
        let is_released = change.before.iter().any(|(key, index, _)| {
            self.state(*key, *index).is_some_and(|state| state.state == RecordState::Available)
        });
        self.find_next_fetch_offset |= is_released;
        if change.batches.is_empty() {
            return false;
        }
        let has_moved = self.move_start_offset();
        assert!(self.delivery_complete_count >= 0, "more records left than were done with");
        has_moved || is_released
    }

    /// The persister refused the change: all is as before.
    pub fn roll_back(&mut self, change: Change) {
        self.delivery_complete_count -= change.completed;
        assert!(self.delivery_complete_count >= 0, "a change is undone once");
        for (key, index, before) in change.before.into_iter().rev() {
            let Some(batch) = self.batches.get_mut(&key) else { continue };
            match (&mut batch.states, index) {
                (States::Batch(state), None) => *state = before,
                (States::Offsets(states), Some(index)) => states[index] = before,
                _ => unreachable!("a change is undone before the batch is split again"),
            }
        }
    }

    fn state(&self, key: i64, index: Option<usize>) -> Option<&InFlightState> {
        match (&self.batches.get(&key)?.states, index) {
            (States::Batch(state), None) => Some(state),
            (States::Offsets(states), Some(index)) => states.get(index),
            _ => None,
        }
    }

    /// The start moves past what is done with; true when it did.
    pub(super) fn move_start_offset(&mut self) -> bool {
        if !self.can_move_start_offset() {
            return false;
        }
        let (last_done, done_count) = self.last_done();
        let Some(last_done) = last_done else { return false };
        let Some((_, last)) = self.batches.last_key_value() else { return false };
        let last_cached = last.last_offset;
        if last_done == last_cached {
            self.start_offset = last_cached + 1;
            self.end_offset = last_cached + 1;
            self.batches.clear();
            self.delivery_complete_count = 0;
            self.next_lock_deadline = None;
            return true;
        }
        let Some((key, batch)) = self.batches.range(..=last_done).next_back() else { return false };
        let (key, batch_last) = (*key, batch.last_offset);
        let removed_before = if last_done == batch_last {
            let next = self.batches.range(last_done + 1..).next().map_or(last_done + 1, |(next, _)| *next);
            self.start_offset = self.start_offset.max(next);
            if self.is_gap_active() {
                let gap_start = self.gap.map_or(i64::MAX, |gap| gap.gap_start_offset);
                self.start_offset = self.start_offset.min(gap_start);
            }
            key + 1
        } else {
            self.start_offset = self.start_offset.max(last_done + 1);
            key
        };
        self.delivery_complete_count -= done_count;
        self.batches = self.batches.split_off(&removed_before);
        true
    }

    fn can_move_start_offset(&self) -> bool {
        let Some((_, batch)) = self.batches.range(..=self.start_offset).next_back() else {
            // There is a gap at the start, which is still to be fetched.
            return false;
        };
        match (&batch.states, batch.state_at(self.start_offset)) {
            (States::Batch(state), _) => state.state.is_terminal(),
            (States::Offsets(_), state) => state.is_some_and(|state| state.state.is_terminal()),
        }
    }

    /// The last of the records that are done with from the start on without a break, and their count.
    fn last_done(&self) -> (Option<i64>, i32) {
        let (mut last, mut count) = (None, 0);
        let is_gap_active = self.is_gap_active();
        for batch in self.batches.values() {
            if is_gap_active && self.gap.is_some_and(|gap| batch.last_offset >= gap.gap_start_offset) {
                break;
            }
            match &batch.states {
                States::Batch(state) if state.state.is_terminal() => {
                    last = Some(batch.last_offset);
                    count += self.in_flight_within(batch.first_offset, batch.last_offset);
                }
                States::Batch(_) => return (last, count),
                States::Offsets(states) => {
                    for (offset, state) in (batch.first_offset..).zip(states) {
                        if !state.state.is_terminal() {
                            return (last, count);
                        }
                        last = Some(offset);
                        count += i32::from(offset >= self.start_offset);
                    }
                }
            }
        }
        (last, count)
    }
}
