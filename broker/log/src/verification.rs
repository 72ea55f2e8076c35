//! Writes that begin a transaction in a partition: verified by the transaction coordinator before they are appended.
//! Core.
//!
//! The coordinator must know that the partition is part of the transaction before its first batch is appended, or no
//! marker would ever end it there (KIP-890). The verification is begun here, which gives a guard; the coordinator is
//! asked; the batch is appended with the guard. A marker that comes in between takes the guard away, and the batch is
//! refused: what the coordinator said of one transaction is never used for the next.
//!
//! Invariants:
//! - V1. A guard is given once and never again: not after a marker, not after a restart of the log.
//! - V2. A producer has at most one guard, and none once its transaction has a batch here.

use std::collections::BTreeMap;

use ottla_model::{ProducerEpoch, ProducerId, Sequence};
use ottla_records::BatchHeader;

/// What a write has to show that was verified (`VerificationGuard`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VerificationGuard(u64);

/// Makes guards; outlives the state that they are kept in (V1).
#[derive(Default, Debug)]
pub struct GuardSource(u64);

impl GuardSource {
    pub fn fresh(&mut self) -> VerificationGuard {
        self.0 += 1;
        VerificationGuard(self.0)
    }
}

/// The first batch of a write, as far as its verification goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FirstBatch {
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub sequence: Sequence,
    /// Of a client of the second generation, which has an epoch for each transaction.
    pub has_epoch_bump: bool,
}

impl FirstBatch {
    pub fn of(header: &BatchHeader, has_epoch_bump: bool) -> FirstBatch {
        FirstBatch {
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            sequence: header.base_sequence,
            has_epoch_bump,
        }
    }
}

/// What a transactional write needs (`UnifiedLog.maybeStartTransactionVerification`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verification {
    /// The transaction has a batch here, so that the coordinator knows of the partition.
    Ongoing,
    /// The coordinator has to be asked, and the write appended with this.
    Needed(VerificationGuard),
}

/// A verification that was begun (`VerificationStateEntry`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pending {
    guard: VerificationGuard,
    begun_ms: i64,
    epoch: ProducerEpoch,
    /// The lowest that was tried: a batch behind it must not come first.
    pub lowest_sequence: Sequence,
    pub has_epoch_bump: bool,
}

/// The verifications of one partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Verifications(BTreeMap<ProducerId, Pending>);

impl Verifications {
    /// `fresh` is used where the producer has no guard yet.
    pub fn begin(&mut self, batch: &FirstBatch, fresh: VerificationGuard, now_ms: i64) -> VerificationGuard {
        let pending = self.0.entry(batch.producer_id).or_insert(Pending {
            guard: fresh,
            begun_ms: now_ms,
            epoch: batch.producer_epoch,
            lowest_sequence: batch.sequence,
            has_epoch_bump: batch.has_epoch_bump,
        });
        let is_new_epoch = batch.producer_epoch > pending.epoch;
        let is_lower = batch.producer_epoch == pending.epoch && batch.sequence < pending.lowest_sequence;
        if is_new_epoch || is_lower {
            pending.epoch = batch.producer_epoch;
            pending.lowest_sequence = batch.sequence;
        }
        pending.guard
    }

    pub fn get(&self, id: ProducerId) -> Option<&Pending> {
        self.0.get(&id)
    }

    pub fn is_verified(&self, id: ProducerId, guard: Option<VerificationGuard>) -> bool {
        guard.is_some_and(|guard| self.0.get(&id).is_some_and(|pending| pending.guard == guard))
    }

    pub fn clear(&mut self, id: ProducerId) {
        self.0.remove(&id);
    }

    pub fn remove_expired(&mut self, now_ms: i64, expiration_ms: i64) {
        self.0.retain(|_, pending| now_ms.saturating_sub(pending.begun_ms) < expiration_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::producer_state::{Checked, Guarding, ProducerRefusal, ProducerState};
    use ottla_model::Offset;
    use ottla_records::{BatchBuilder, BatchView, EndTxnMarker};

    fn header(epoch: i16, sequence: i32, count: usize, offset: i64) -> BatchHeader {
        let mut builder =
            BatchBuilder::new().producer(ProducerId(7), ProducerEpoch(epoch), Sequence(sequence));
        for _ in 0..count {
            builder.append(1, None, Some(b"v"), &[]);
        }
        let bytes = builder.base_offset(Offset(offset)).build();
        *BatchView::first(&bytes).expect("a batch").header()
    }

    fn check(state: &ProducerState, header: &BatchHeader) -> Result<Checked, ProducerRefusal> {
        state.check(header, None, true, Guarding::None, header.base_offset, &"t-0")
    }

    fn transactional(epoch: i16, sequence: i32, offset: i64) -> BatchHeader {
        let mut builder = BatchBuilder::new()
            .transactional()
            .producer(ProducerId(7), ProducerEpoch(epoch), Sequence(sequence))
            .base_offset(Offset(offset));
        builder.append(1, None, Some(b"v"), &[]);
        *BatchView::first(&builder.build()).expect("a batch").header()
    }

    fn marker(epoch: i16, offset: i64) -> (BatchHeader, EndTxnMarker) {
        let marker = EndTxnMarker { is_commit: false, coordinator_epoch: 1, timestamp: 2 };
        let bytes = marker.build(ProducerId(7), ProducerEpoch(epoch));
        let built = *BatchView::first(&bytes).expect("a batch").header();
        (BatchHeader { base_offset: Offset(offset), ..built }, marker)
    }

    #[test]
    fn a_producer_of_the_second_generation_begins_at_zero_where_nothing_is_known_of_it() {
        let mut guards = GuardSource::default();
        let mut begins = |state: &ProducerState, has_epoch_bump, sequence| {
            let (mut state, batch) = (state.clone(), header(0, sequence, 1, 0));
            state.begin_verification(&FirstBatch::of(&batch, has_epoch_bump), guards.fresh(), 0);
            check(&state, &batch).is_ok()
        };
        let mut state = ProducerState::default();
        assert!(begins(&state, true, 0));
        assert!(!begins(&state, true, 5));
        assert!(begins(&state, false, 5));
        state.apply(&header(0, 0, 1, 0), None);
        // From here on its sequence is judged.
        assert!(begins(&state, true, 1));
        assert!(!begins(&state, true, 5));
    }

    #[test]
    fn a_transaction_begins_with_the_lowest_sequence_that_was_tried() {
        let (mut state, mut guards) = (ProducerState::default(), GuardSource::default());
        let mut verify = |state: &mut ProducerState, batch: &BatchHeader| {
            state.begin_verification(&FirstBatch::of(batch, false), guards.fresh(), 0)
        };
        let (first, second) = (transactional(0, 3, 0), transactional(0, 4, 0));
        verify(&mut state, &first);
        verify(&mut state, &second);
        assert!(matches!(check(&state, &second), Err(ProducerRefusal::OutOfOrderSequence(_))));
        assert_eq!(check(&state, &first), Ok(Checked::New));
        // A new epoch has sequences of its own.
        let next = transactional(1, 9, 0);
        verify(&mut state, &next);
        assert_eq!(check(&state, &next), Ok(Checked::New));
    }

    #[test]
    fn a_transactional_batch_is_appended_with_a_guard_that_no_marker_took_away() {
        let (mut state, mut guards) = (ProducerState::default(), GuardSource::default());
        let check = |state: &ProducerState, header: &BatchHeader, guard| {
            state.check(header, None, true, Guarding::Guard(guard), header.base_offset, &"t-0")
        };
        let is_refused = |outcome| matches!(outcome, Err(ProducerRefusal::InvalidTxnState(_)));
        let batch = transactional(0, 0, 0);
        assert!(is_refused(check(&state, &batch, None)));
        let mut verify = |state: &mut ProducerState, batch: &BatchHeader| {
            state.begin_verification(&FirstBatch::of(batch, false), guards.fresh(), 0)
        };
        let Verification::Needed(stale) = verify(&mut state, &batch) else { panic!("nothing is open") };
        assert_eq!(verify(&mut state, &batch), Verification::Needed(stale), "one guard a producer");
        assert_eq!(check(&state, &batch, Some(stale)), Ok(Checked::New));
        // The transaction was ended between the coordinator's answer and the append.
        let (control, end) = marker(0, 0);
        state.apply(&control, Some(&end));
        let batch = transactional(0, 0, 1);
        assert!(is_refused(check(&state, &batch, Some(stale))));
        let Verification::Needed(guard) = verify(&mut state, &batch) else { panic!("nothing is open") };
        assert!(is_refused(check(&state, &batch, Some(stale))), "a guard is given once");
        assert_eq!(check(&state, &batch, Some(guard)), Ok(Checked::New));
        state.apply(&batch, None);
        // From here on the coordinator knows, until a marker comes; but not for another epoch.
        let (next, newer) = (transactional(0, 1, 2), transactional(1, 0, 2));
        assert_eq!(verify(&mut state, &next), Verification::Ongoing);
        assert_eq!(check(&state, &next, None), Ok(Checked::New));
        assert!(matches!(verify(&mut state, &newer), Verification::Needed(_)));
        assert!(is_refused(check(&state, &newer, None)));
        // Batches outside of transactions have no guard.
        assert_eq!(check(&ProducerState::default(), &header(0, 0, 1, 0), None), Ok(Checked::New));
    }

    #[test]
    fn verifications_that_lead_to_nothing_are_forgotten() {
        let (mut state, mut guards) = (ProducerState::default(), GuardSource::default());
        let batch = transactional(0, 0, 0);
        let mut verify = |state: &mut ProducerState, now_ms| {
            state.begin_verification(&FirstBatch::of(&batch, false), guards.fresh(), now_ms)
        };
        let begun = verify(&mut state, 0);
        state.remove_expired(99, 100);
        assert_eq!(verify(&mut state, 99), begun);
        state.remove_expired(100, 100);
        assert_ne!(verify(&mut state, 100), begun);
    }
}
