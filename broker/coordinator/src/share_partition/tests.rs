//! Tests of one share partition, by operation: acquired, acknowledged, released, restored.
//! Core.

use std::time::Duration;

use ottla_env::Monotonic;
use ottla_model::{ErrorCode, MemberId};

use super::in_flight::States;
use super::{
    AbortedTransaction, Acknowledgement, Acquire, Acquired, AcquiredRange, FetchedBatch, Limits, RecordState,
    SharePartition,
};
use crate::share::{SharePartitionState, StateBatch};

const LIMITS: Limits = Limits {
    delivery_count_limit: 5,
    record_locks_max: 200,
    lock_duration_ms: 30_000,
    is_renew_enabled: true,
};

fn stored(start_offset: i64, batches: Vec<StateBatch>) -> SharePartitionState {
    SharePartitionState {
        snapshot_epoch: 0,
        state_epoch: 3,
        leader_epoch: 0,
        start_offset,
        delivery_complete_count: 0,
        create_timestamp_ms: 0,
        write_timestamp_ms: 0,
        batches,
    }
}

fn state(first_offset: i64, last_offset: i64, delivery_state: i8, delivery_count: i16) -> StateBatch {
    StateBatch { first_offset, last_offset, delivery_state, delivery_count }
}

fn batch(base_offset: i64, last_offset: i64) -> FetchedBatch {
    FetchedBatch {
        base_offset,
        last_offset,
        producer_id: -1,
        is_transactional: false,
        is_abort_marker: false,
    }
}

fn at(ms: u64) -> Monotonic {
    Monotonic(Duration::from_millis(ms))
}

fn range(first_offset: i64, last_offset: i64, delivery_count: i16) -> AcquiredRange {
    AcquiredRange { first_offset, last_offset, delivery_count }
}

fn says(first_offset: i64, last_offset: i64, types: &[i8]) -> Acknowledgement {
    Acknowledgement { first_offset, last_offset, types: types.to_vec() }
}

/// A share partition with the calls of one member at a time.
struct Lab {
    core: SharePartition,
    limits: Limits,
    now: Monotonic,
}

impl Lab {
    fn new() -> Lab {
        Lab::restored(0, Vec::new())
    }

    fn restored(start_offset: i64, batches: Vec<StateBatch>) -> Lab {
        let core = SharePartition::restore(&stored(start_offset, batches), start_offset, 0)
            .unwrap_or_else(|_| panic!("a state that makes sense"));
        Lab { core, limits: LIMITS, now: at(1_000) }
    }

    fn acquire(&mut self, member: &str, records_max: i32, batches: &[FetchedBatch]) -> Vec<AcquiredRange> {
        self.acquire_with(member, records_max, batches, false, &[]).ranges
    }

    fn acquire_with(
        &mut self,
        member: &str,
        records_max: i32,
        batches: &[FetchedBatch],
        is_record_limit: bool,
        aborted: &[AbortedTransaction],
    ) -> Acquired {
        let member = MemberId::new(member);
        let request = Acquire {
            member: &member,
            is_record_limit,
            batch_records: records_max,
            records_max,
            fetch_offset: self.core.next_fetch_offset(),
            now: self.now,
        };
        self.core.acquire(&request, batches, aborted, &self.limits)
    }

    /// What is written to the persister, which takes it.
    fn acknowledge(&mut self, member: &str, what: &[Acknowledgement]) -> Result<Vec<StateBatch>, ErrorCode> {
        let change =
            self.core.acknowledge(member, what, &self.limits, self.now).map_err(|error| error.code)?;
        let written = change.batches.clone();
        self.core.commit(change);
        Ok(written)
    }

    fn states(&self) -> Vec<(i64, RecordState, i16)> {
        let mut found = Vec::new();
        for batch in self.core.batches() {
            for offset in batch.first_offset..=batch.last_offset {
                let state = batch.state_at(offset).unwrap_or_else(|| panic!("a record of the batch"));
                found.push((offset, state.state, state.delivery_count));
            }
        }
        found
    }
}

#[test]
fn records_are_with_one_member_and_the_next_fetch_goes_on_behind_them() {
    let mut lab = Lab::new();
    assert_eq!(lab.core.next_fetch_offset(), 0);
    assert_eq!(lab.acquire("a", 500, &[batch(0, 9)]), [range(0, 9, 1)]);
    assert_eq!(lab.core.next_fetch_offset(), 10);
    assert_eq!(lab.acquire("b", 500, &[batch(0, 9)]), [], "somebody has them");
    assert_eq!(lab.acquire("b", 500, &[batch(10, 14)]), [range(10, 14, 1)]);
    assert_eq!((lab.core.start_offset(), lab.core.end_offset()), (0, 14));
}

#[test]
fn whole_batches_are_taken_unless_the_limit_of_records_is_strict() {
    let batches = [batch(0, 4), batch(5, 9), batch(10, 14)];
    let mut lab = Lab::new();
    assert_eq!(
        lab.acquire("a", 7, &batches),
        [range(0, 9, 1)],
        "up to the end of the batch with the seventh"
    );
    let mut strict = Lab::new();
    let first = strict.acquire_with("a", 7, &batches, true, &[]);
    assert_eq!((first.ranges.as_slice(), first.count), ([range(0, 6, 1)].as_slice(), 7));
    assert_eq!(strict.core.next_fetch_offset(), 7, "the rest of the batch is free");
    let second = strict.acquire_with("b", 7, &batches[1..], true, &[]);
    assert_eq!(second.ranges.first().map(|range| range.first_offset), Some(7));
}

#[test]
fn ranges_are_cut_at_batches() {
    let mut lab = Lab::new();
    let member = MemberId::new("a");
    let request = Acquire {
        member: &member,
        is_record_limit: false,
        batch_records: 5,
        records_max: 100,
        fetch_offset: 0,
        now: lab.now,
    };
    let batches = [batch(0, 3), batch(4, 8), batch(9, 12)];
    let acquired = lab.core.acquire(&request, &batches, &[], &LIMITS);
    assert_eq!(acquired.ranges, [range(0, 8, 1), range(9, 12, 1)]);
    assert_eq!(acquired.count, 13);
}

#[test]
fn what_is_accepted_moves_the_start_and_is_written() {
    let mut lab = Lab::new();
    lab.acquire("a", 500, &[batch(0, 9)]);
    assert_eq!(
        lab.acknowledge("a", &[says(5, 9, &[1])]),
        Ok((5..=9).map(|at| state(at, at, 2, 1)).collect())
    );
    assert_eq!(lab.core.start_offset(), 0, "the first five are still with the member");
    assert_eq!(lab.core.delivery_complete_count(), 5);
    lab.acknowledge("a", &[says(0, 4, &[1])]).unwrap();
    assert_eq!((lab.core.start_offset(), lab.core.end_offset()), (10, 10));
    assert_eq!(lab.core.delivery_complete_count(), 0);
    assert_eq!(lab.core.in_flight_count(), 0);
}

#[test]
fn each_record_may_be_told_of_on_its_own() {
    let mut lab = Lab::new();
    lab.acquire("a", 500, &[batch(0, 3)]);
    // Accepted, released, rejected, a gap.
    lab.acknowledge("a", &[says(0, 3, &[1, 2, 3, 0])]).unwrap();
    assert_eq!(lab.core.start_offset(), 1);
    assert_eq!(
        lab.states()[1..],
        [(1, RecordState::Available, 1), (2, RecordState::Archived, 1), (3, RecordState::Archived, 1)]
    );
    assert_eq!(lab.core.next_fetch_offset(), 1);
    assert_eq!(lab.acquire("b", 500, &[batch(0, 3)]), [range(1, 1, 2)], "the released one, a second time");
}

#[test]
fn only_who_has_a_record_may_speak_of_it() {
    let mut lab = Lab::new();
    let unknown = lab.acknowledge("a", &[says(0, 0, &[1])]);
    assert_eq!(unknown, Err(ErrorCode::InvalidRecordState), "nothing is in flight");
    lab.acquire("a", 500, &[batch(0, 3)]);
    assert_eq!(lab.acknowledge("b", &[says(0, 3, &[1])]), Err(ErrorCode::InvalidRecordState));
    assert_eq!(lab.acknowledge("a", &[says(0, 9, &[1])]), Err(ErrorCode::InvalidRequest), "past the end");
    assert_eq!(lab.acknowledge("a", &[says(0, 0, &[7])]), Err(ErrorCode::InvalidRequest), "no such type");
    lab.acknowledge("a", &[says(0, 1, &[1])]).unwrap();
    assert_eq!(
        lab.acknowledge("a", &[says(2, 3, &[1]), says(2, 3, &[1])]),
        Err(ErrorCode::InvalidRecordState)
    );
    assert_eq!(
        lab.states()[2..],
        [(2, RecordState::Acquired, 1), (3, RecordState::Acquired, 1)],
        "one that is refused undoes all that came with it"
    );
    assert_eq!(
        lab.acknowledge("a", &[says(0, 1, &[1])]),
        Ok(Vec::new()),
        "done with before the start: nothing to do"
    );
}

#[test]
fn a_change_that_the_persister_refuses_leaves_all_as_it_was() {
    let mut lab = Lab::new();
    lab.acquire("a", 500, &[batch(0, 3)]);
    let before = lab.states();
    let change = lab.core.acknowledge("a", &[says(0, 3, &[1])], &LIMITS, lab.now).unwrap();
    assert_eq!(change.batches, [state(0, 3, 2, 1)]);
    lab.core.roll_back(change);
    assert_eq!(lab.states(), before);
    assert_eq!(lab.core.delivery_complete_count(), 0);
    assert_eq!(lab.acknowledge("a", &[says(0, 3, &[1])]), Ok(vec![state(0, 3, 2, 1)]));
}

#[test]
fn a_lock_ends_and_the_records_are_there_for_others() {
    let mut lab = Lab::new();
    lab.acquire("a", 500, &[batch(0, 3)]);
    assert_eq!(lab.core.next_lock_deadline(), Some(at(31_000)));
    assert_eq!(lab.core.release_expired(at(30_999), &LIMITS).batches, []);
    let change = lab.core.release_expired(at(31_000), &LIMITS);
    assert_eq!(change.batches, [state(0, 3, 0, 1)]);
    lab.core.commit(change);
    assert_eq!(lab.core.next_lock_deadline(), None);
    assert_eq!(lab.acquire("b", 500, &[batch(0, 3)]), [range(0, 3, 2)]);
    assert_eq!(lab.acknowledge("a", &[says(0, 3, &[1])]), Err(ErrorCode::InvalidRecordState));
}

#[test]
fn a_renewed_lock_ends_later() {
    let mut lab = Lab::new();
    lab.acquire("a", 500, &[batch(0, 1)]);
    lab.now = at(20_000);
    assert_eq!(lab.acknowledge("a", &[says(0, 1, &[4])]), Ok(Vec::new()), "nothing is to be stored");
    assert_eq!(lab.core.release_expired(at(31_000), &LIMITS).batches, []);
    assert_eq!(lab.core.release_expired(at(50_000), &LIMITS).batches, [state(0, 1, 0, 1)]);
    lab.limits.is_renew_enabled = false;
    lab.acquire("a", 500, &[batch(0, 1)]);
    assert_eq!(lab.acknowledge("a", &[says(0, 1, &[4])]), Err(ErrorCode::InvalidRecordState));
}

#[test]
fn a_member_that_goes_leaves_what_it_has() {
    let mut lab = Lab::new();
    lab.acquire("a", 500, &[batch(0, 1)]);
    lab.acquire("b", 500, &[batch(2, 3)]);
    let change = lab.core.release("a", &LIMITS);
    assert_eq!(change.batches, [state(0, 1, 0, 1)]);
    assert!(lab.core.commit(change), "who waits for records has some now");
    assert_eq!(lab.core.next_fetch_offset(), 0);
    assert_eq!(lab.acquire("c", 500, &[batch(0, 3)]), [range(0, 1, 2)]);
}

#[test]
fn what_was_delivered_often_enough_is_not_delivered_again() {
    let mut lab = Lab::new();
    lab.limits.delivery_count_limit = 2;
    for delivery_count in 1..=2 {
        assert_eq!(lab.acquire("a", 500, &[batch(0, 0)]), [range(0, 0, delivery_count)]);
        lab.acknowledge("a", &[says(0, 0, &[2])]).unwrap();
    }
    assert_eq!((lab.core.start_offset(), lab.core.next_fetch_offset()), (1, 1), "it is archived");
    assert_eq!(lab.acquire("a", 500, &[batch(0, 0)]), []);
}

#[test]
fn what_fails_again_and_again_is_delivered_in_ever_smaller_parts() {
    let mut lab = Lab::new();
    let mut taken = Vec::new();
    for _ in 0..4 {
        let ranges = lab.acquire("a", 500, &[batch(0, 7)]);
        taken.push(ranges.clone());
        let (first, last) = (ranges[0].first_offset, ranges[ranges.len() - 1].last_offset);
        lab.acknowledge("a", &[says(first, last, &[2])]).unwrap();
    }
    assert_eq!(taken[0], [range(0, 7, 1)]);
    assert_eq!(taken[1], [range(0, 7, 2)]);
    assert_eq!(taken[2], [range(0, 7, 3)]);
    let fourth: i64 = taken[3].iter().map(|range| range.last_offset - range.first_offset + 1).sum();
    assert_eq!(fourth, 4, "half of them: one of the eight may be what the members fail at");
}

#[test]
fn as_many_records_are_in_flight_as_may_be() {
    let mut lab = Lab::new();
    lab.limits.record_locks_max = 10;
    assert_eq!(lab.acquire("a", 500, &[batch(0, 5)]), [range(0, 5, 1)]);
    assert!(lab.core.can_acquire(&lab.limits));
    assert_eq!(lab.acquire("a", 500, &[batch(6, 11), batch(12, 17)]), [range(6, 11, 1)]);
    assert!(!lab.core.can_acquire(&lab.limits));
    assert_eq!(lab.acquire("a", 500, &[batch(12, 17)]), []);
    lab.acknowledge("a", &[says(0, 5, &[1])]).unwrap();
    assert!(lab.core.can_acquire(&lab.limits));
}

#[test]
fn a_leader_goes_on_from_what_was_stored() {
    let stored = vec![state(10, 11, 2, 1), state(12, 13, 0, 1), state(16, 17, 2, 1)];
    let mut lab = Lab::restored(10, stored);
    assert_eq!(lab.core.start_offset(), 10, "it moves when the gap has been looked at");
    assert_eq!(lab.core.end_offset(), 17);
    assert_eq!(lab.core.delivery_complete_count(), 4);
    assert_eq!(lab.core.next_fetch_offset(), 12);
    // 14 and 15 were with a member when the leader went: nothing was ever written of them.
    assert_eq!(lab.acquire("a", 500, &[batch(12, 17)]), [range(12, 13, 2), range(14, 15, 1)]);
    assert_eq!(lab.core.next_fetch_offset(), 18);
    lab.acknowledge("a", &[says(12, 15, &[1])]).unwrap();
    assert_eq!(lab.core.start_offset(), 16, "there may be a gap still");
    assert_eq!(lab.acquire("a", 500, &[batch(18, 19)]), [range(18, 19, 1)]);
    lab.acknowledge("a", &[says(18, 19, &[1])]).unwrap();
    assert_eq!((lab.core.start_offset(), lab.core.next_fetch_offset()), (20, 20));
}

#[test]
fn a_stored_state_that_makes_no_sense_is_refused() {
    let restore = |batches| SharePartition::restore(&stored(10, batches), 10, 0).is_ok();
    assert!(restore(vec![state(10, 11, 0, 1), state(12, 12, 4, 5)]));
    assert!(!restore(vec![state(9, 11, 0, 1)]), "it begins before the start");
    assert!(!restore(vec![state(12, 13, 0, 1), state(13, 14, 0, 1)]), "they overlap");
    assert!(!restore(vec![state(12, 11, 0, 1)]), "the last is before the first");
    assert!(
        !restore(vec![state(10, 11, 1, 1)]) || !restore(vec![state(10, 11, 3, 1)]),
        "no state that is stored"
    );
}

#[test]
fn records_that_the_log_has_deleted_are_not_waited_for() {
    let mut lab = Lab::new();
    lab.acquire("a", 500, &[batch(0, 9)]);
    lab.acknowledge("a", &[says(0, 9, &[2])]).unwrap();
    lab.core.on_log_start(5);
    assert_eq!(lab.core.start_offset(), 5);
    assert_eq!(lab.acquire("b", 500, &[batch(5, 9)]), [range(5, 9, 2)]);
    let mut untouched = Lab::new();
    untouched.core.on_log_start(7);
    assert_eq!((untouched.core.start_offset(), untouched.core.next_fetch_offset()), (7, 7));
}

#[test]
fn records_of_aborted_transactions_are_nobodys() {
    let transactional = |base_offset, last_offset, producer_id, is_abort_marker| FetchedBatch {
        producer_id,
        is_transactional: true,
        is_abort_marker,
        ..batch(base_offset, last_offset)
    };
    let batches = [
        batch(0, 1),
        transactional(2, 4, 7, false),
        transactional(5, 6, 8, false),
        transactional(7, 7, 7, true),
    ];
    let aborted = [AbortedTransaction { producer_id: 7, first_offset: 2 }];
    let mut lab = Lab::new();
    let acquired = lab.acquire_with("a", 500, &batches, false, &aborted);
    assert_eq!(acquired.ranges, [range(0, 1, 1), range(5, 7, 1)]);
    assert_eq!(acquired.count, 5);
    assert_eq!(lab.core.delivery_complete_count(), 3);
    let archived = lab.states().into_iter().filter(|(_, state, _)| *state == RecordState::Archived);
    assert_eq!(archived.map(|(offset, ..)| offset).collect::<Vec<_>>(), [2, 3, 4]);
}

#[test]
fn a_batch_is_kept_as_one_until_its_records_differ() {
    let mut lab = Lab::new();
    lab.acquire("a", 500, &[batch(0, 9)]);
    let is_whole = |lab: &Lab| lab.core.batches().all(|batch| matches!(batch.states, States::Batch(_)));
    assert!(is_whole(&lab));
    lab.acknowledge("a", &[says(3, 3, &[1])]).unwrap();
    assert!(!is_whole(&lab));
}
