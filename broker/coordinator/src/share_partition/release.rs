//! Releasing: records leave a member that went away, or whose lock ended.
//! Core.

use ottla_env::Monotonic;

use super::acknowledge::written;
use super::in_flight::{InFlightState, RecordState, States};
use super::partition::{Change, Limits, SharePartition};

impl SharePartition {
    /// All that a member has is available again; its session is over.
    pub fn release(&mut self, member: &str, limits: &Limits) -> Change {
        self.release_where(limits, |state| state.is_acquired_by(member))
    }

    /// All whose lock has ended is available again. There is no way back from this: where the persister
    /// refuses, the records are available all the same.
    pub fn release_expired(&mut self, now: Monotonic, limits: &Limits) -> Change {
        let change = self.release_where(limits, |state| {
            state.state == RecordState::Acquired && state.lock_until.is_some_and(|until| until <= now)
        });
        self.next_lock_deadline = self.earliest_lock();
        change
    }

    fn earliest_lock(&self) -> Option<Monotonic> {
        let locks = self.batches.values().flat_map(|batch| match &batch.states {
            States::Batch(state) => std::slice::from_ref(state),
            States::Offsets(states) => states.as_slice(),
        });
        locks.filter_map(|state| state.lock_until).min()
    }

    fn release_where(&mut self, limits: &Limits, is_to_go: impl Fn(&InFlightState) -> bool) -> Change {
        let start_offset = self.start_offset;
        let mut change = Change::default();
        let mut completed = 0;
        for (key, batch) in &mut self.batches {
            let (first_offset, last_offset) = (batch.first_offset, batch.last_offset);
            let holds_start = first_offset < start_offset && last_offset >= start_offset;
            if let States::Batch(state) = &mut batch.states {
                if !is_to_go(state) {
                    continue;
                }
                if !holds_start {
                    change.before.push((*key, None, state.clone()));
                    let is_before = last_offset < start_offset;
                    state.leave_for(to(is_before), limits.delivery_count_limit);
                    change.batches.push(written(first_offset, last_offset, state));
                    if state.state.is_terminal() && !is_before {
                        completed += (last_offset - first_offset + 1) as i32;
                    }
                    continue;
                }
            }
            for (index, state) in batch.per_offset().iter_mut().enumerate() {
                if !is_to_go(state) {
                    continue;
                }
                let offset = first_offset + index as i64;
                change.before.push((*key, Some(index), state.clone()));
                state.leave_for(to(offset < start_offset), limits.delivery_count_limit);
                change.batches.push(written(offset, offset, state));
                completed += i32::from(state.state.is_terminal() && offset >= start_offset);
            }
        }
        self.delivery_complete_count += completed;
        change.completed = completed;
        change
    }
}

/// What lies before the start is not delivered again.
fn to(is_before_start: bool) -> RecordState {
    if is_before_start { RecordState::Archived } else { RecordState::Available }
}
