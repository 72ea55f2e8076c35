//! Acknowledging: a member says what became of records that it has.
//! Core.

use ottla_env::Monotonic;
use ottla_model::ErrorCode;

use super::in_flight::{InFlightState, RecordState, States};
use super::partition::{Change, Limits, SharePartition};
use crate::share::StateBatch;

/// The records from `first_offset` to `last_offset`: one type for all of them, or one for each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acknowledgement {
    pub first_offset: i64,
    pub last_offset: i64,
    /// 0 there is no such record (a gap), 1 accept, 2 release, 3 reject, 4 renew the lock.
    pub types: Vec<i8>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AcknowledgeError {
    pub code: ErrorCode,
    pub message: String,
}

const GAP: i8 = 0;
const ACCEPT: i8 = 1;
const RELEASE: i8 = 2;
const RENEW: i8 = 4;

fn invalid_state(message: &str) -> AcknowledgeError {
    AcknowledgeError { code: ErrorCode::InvalidRecordState, message: message.to_owned() }
}

fn invalid_request(message: impl Into<String>) -> AcknowledgeError {
    AcknowledgeError { code: ErrorCode::InvalidRequest, message: message.into() }
}

/// What a type says of a record; `None` renews its lock.
fn target(kind: i8) -> Option<RecordState> {
    match kind {
        ACCEPT => Some(RecordState::Acknowledged),
        RELEASE => Some(RecordState::Available),
        RENEW => None,
        // A gap and a rejection: it is not delivered again.
        _ => Some(RecordState::Archived),
    }
}

impl SharePartition {
    /// All of a member's acknowledgements or none. The change counts once the persister takes it: see
    /// `commit` and `roll_back`.
    pub fn acknowledge(
        &mut self,
        member: &str,
        acknowledgements: &[Acknowledgement],
        limits: &Limits,
        now: Monotonic,
    ) -> Result<Change, AcknowledgeError> {
        let mut change = Change::default();
        for one in acknowledgements {
            if let Err(error) = self.acknowledge_one(member, one, limits, now, &mut change) {
                self.roll_back(change);
                return Err(error);
            }
        }
        Ok(change)
    }

    fn acknowledge_one(
        &mut self,
        member: &str,
        one: &Acknowledgement,
        limits: &Limits,
        now: Monotonic,
        change: &mut Change,
    ) -> Result<(), AcknowledgeError> {
        if one.types.iter().any(|kind| !(GAP..=RENEW).contains(kind)) {
            let types: Vec<String> = one.types.iter().map(i8::to_string).collect();
            return Err(invalid_request(format!("Invalid acknowledge type: [{}]", types.join(", "))));
        }
        // What lies before the start is done with, whatever is said of it.
        if one.last_offset < self.start_offset {
            return Ok(());
        }
        for key in self.batches_of(one)? {
            let Some(batch) = self.batches.get_mut(&key) else { continue };
            if batch.last_offset < self.start_offset {
                continue;
            }
            if let States::Batch(state) = &batch.states {
                if state.member.is_none() {
                    let message = "The batch cannot be acknowledged. The batch is not in the acquired state.";
                    return Err(invalid_state(message));
                }
                if !state.is_of(member) {
                    return Err(invalid_state("Member is not the owner of batch record"));
                }
            }
            let is_whole = batch.lies_within(one.first_offset, one.last_offset);
            let has_start = batch.first_offset < self.start_offset;
            if is_whole && !batch.is_per_offset() && one.types.len() == 1 && !has_start {
                self.acknowledge_batch(key, one.types[0], limits, now, change)?;
                continue;
            }
            if let States::Batch(state) = &batch.states
                && state.state != RecordState::Acquired
            {
                let message =
                    "The batch cannot be acknowledged. The subset batch is not in the acquired state.";
                return Err(invalid_state(message));
            }
            batch.per_offset();
            self.acknowledge_offsets(key, member, one, limits, now, change)?;
        }
        Ok(())
    }

    fn batches_of(&self, one: &Acknowledgement) -> Result<Vec<i64>, AcknowledgeError> {
        let floor = self.batches.range(..=one.first_offset).next_back().or_else(|| {
            let has_start = one.first_offset < self.start_offset && one.last_offset >= self.start_offset;
            has_start.then(|| self.batches.range(..=self.start_offset).next_back()).flatten()
        });
        let Some((floor, _)) = floor else {
            return Err(invalid_state(
                "Batch record not found. The request batch offsets are not found in the cache.",
            ));
        };
        let found: Vec<(i64, i64)> = match *floor <= one.last_offset {
            true => self.batches.range(*floor..=one.last_offset).map(|(k, b)| (*k, b.last_offset)).collect(),
            false => Vec::new(),
        };
        let last = found.last().map_or(-1, |(_, last)| *last);
        if last < one.first_offset {
            return Err(invalid_request(
                "Batch record not found. The first offset in request is past acquired records.",
            ));
        }
        if one.last_offset > last {
            return Err(invalid_request(
                "Batch record not found. The last offset in request is past acquired records.",
            ));
        }
        Ok(found.into_iter().map(|(key, _)| key).collect())
    }

    fn acknowledge_batch(
        &mut self,
        key: i64,
        kind: i8,
        limits: &Limits,
        now: Monotonic,
        change: &mut Change,
    ) -> Result<(), AcknowledgeError> {
        let until = self.lock_until(now, limits);
        let Some(batch) = self.batches.get_mut(&key) else { return Ok(()) };
        let (first_offset, last_offset) = (batch.first_offset, batch.last_offset);
        let States::Batch(state) = &mut batch.states else { return Ok(()) };
        if state.state != RecordState::Acquired {
            let message = "The batch cannot be acknowledged. The batch is not in the acquired state.";
            return Err(invalid_state(message));
        }
        let Some(to) = target(kind) else { return renew(state, until, limits) };
        change.before.push((key, None, state.clone()));
        state.leave_for(to, limits.delivery_count_limit);
        let is_terminal = state.state.is_terminal();
        change.batches.push(written(first_offset, last_offset, state));
        if is_terminal {
            let count = (last_offset - first_offset + 1) as i32;
            self.delivery_complete_count += count;
            change.completed += count;
        }
        Ok(())
    }

    fn acknowledge_offsets(
        &mut self,
        key: i64,
        member: &str,
        one: &Acknowledgement,
        limits: &Limits,
        now: Monotonic,
        change: &mut Change,
    ) -> Result<(), AcknowledgeError> {
        let until = self.lock_until(now, limits);
        let start_offset = self.start_offset;
        let Some(batch) = self.batches.get_mut(&key) else { return Ok(()) };
        let first_offset = batch.first_offset;
        for (index, state) in batch.per_offset().iter_mut().enumerate() {
            let offset = first_offset + index as i64;
            if offset < one.first_offset || offset < start_offset {
                continue;
            }
            if offset > one.last_offset {
                break;
            }
            if state.state != RecordState::Acquired {
                return Err(invalid_state("The offset cannot be acknowledged. The offset is not acquired."));
            }
            if !state.is_of(member) {
                return Err(invalid_state("Member is not the owner of offset"));
            }
            let kind = match one.types.as_slice() {
                [kind] => *kind,
                // As many types as records: the handler has seen to it.
                types => types.get((offset - one.first_offset) as usize).copied().unwrap_or(GAP),
            };
            let Some(to) = target(kind) else {
                renew(state, until, limits)?;
                continue;
            };
            change.before.push((key, Some(index), state.clone()));
            state.leave_for(to, limits.delivery_count_limit);
            change.batches.push(written(offset, offset, state));
            if state.state.is_terminal() {
                self.delivery_complete_count += 1;
                change.completed += 1;
            }
        }
        Ok(())
    }
}

fn renew(state: &mut InFlightState, until: Monotonic, limits: &Limits) -> Result<(), AcknowledgeError> {
    if !limits.is_renew_enabled {
        return Err(invalid_state("Renewing acquisition locks is not enabled for the group."));
    }
    state.lock_until = Some(until);
    Ok(())
}

pub(super) fn written(first_offset: i64, last_offset: i64, state: &InFlightState) -> StateBatch {
    StateBatch {
        first_offset,
        last_offset,
        delivery_state: state.state.id(),
        delivery_count: state.delivery_count,
    }
}
