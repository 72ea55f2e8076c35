//! What a partition knows of its idempotent and transactional producers.
//! Core.
//!
//! Invariants:
//! - I1. `end_offset` is the offset after the last batch that was applied.
//! - I2. A key of `ongoing` is the first offset of an open transaction of exactly one producer.
//! - I3. A batch is applied only after `check` let it pass, or when it is already in the log.

use std::collections::BTreeMap;

use ottla_model::{Offset, ProducerEpoch, ProducerId, Sequence};
use ottla_records::{BatchHeader, EndTxnMarker};
use smallvec::SmallVec;

use crate::verification::{FirstBatch, Verification, VerificationGuard, Verifications};

/// Batches remembered for each producer, to know a repeated one.
pub const BATCHES_REMEMBERED: usize = 5;

/// One remembered batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchMetadata {
    pub last_sequence: Sequence,
    pub last_offset: Offset,
    pub offset_delta: i32,
    pub timestamp: i64,
}

impl BatchMetadata {
    pub fn first_offset(&self) -> Offset {
        self.last_offset + -i64::from(self.offset_delta)
    }

    fn first_sequence(&self) -> Sequence {
        // Sequences wrap at i32::MAX to 0, so the first one may be the larger number.
        let first = i64::from(self.last_sequence.0) - i64::from(self.offset_delta);
        Sequence(if first < 0 { first + i64::from(i32::MAX) + 1 } else { first } as i32)
    }
}

/// One producer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProducerEntry {
    pub epoch: ProducerEpoch,
    pub coordinator_epoch: i32,
    pub last_timestamp: i64,
    pub current_txn_first_offset: Option<Offset>,
    pub batches: SmallVec<[BatchMetadata; 1]>,
}

impl ProducerEntry {
    fn new() -> ProducerEntry {
        ProducerEntry {
            epoch: ProducerEpoch::NONE,
            coordinator_epoch: -1,
            last_timestamp: -1,
            current_txn_first_offset: None,
            batches: SmallVec::new(),
        }
    }

    pub fn last_sequence(&self) -> Sequence {
        self.batches.last().map_or(Sequence::NONE, |batch| batch.last_sequence)
    }

    fn set_epoch(&mut self, epoch: ProducerEpoch) {
        if self.epoch != epoch {
            self.batches.clear();
            self.epoch = epoch;
        }
    }
}

/// Why a batch is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProducerRefusal {
    OutOfOrderSequence(String),
    InvalidProducerEpoch(String),
    InvalidTxnState(String),
    TransactionCoordinatorFenced(String),
}

/// What a batch that is not refused is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Checked {
    New,
    /// It was stored before; this is where.
    Duplicate(BatchMetadata),
}

/// Whether a transactional batch has to be part of a transaction that the coordinator knows of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guarding {
    /// The leader judged it.
    None,
    /// It begins the transaction here with this guard, or goes on with it.
    Guard(Option<VerificationGuard>),
}

/// A transaction that a marker ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CompletedTxn {
    pub producer_id: ProducerId,
    pub first_offset: Offset,
    pub last_offset: Offset,
    pub is_aborted: bool,
    /// The last stable offset once this is done: the first offset of the next open transaction.
    pub last_stable_offset: Offset,
}

/// All producers of one partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProducerState {
    producers: BTreeMap<ProducerId, ProducerEntry>,
    ongoing: BTreeMap<Offset, ProducerId>,
    /// Ended, but the marker may not be on every replica yet: first offset -> marker's offset.
    unreplicated: BTreeMap<Offset, Offset>,
    verifications: Verifications,
    end_offset: Offset,
}

impl ProducerState {
    pub fn starting_at(end_offset: Offset) -> ProducerState {
        ProducerState { end_offset, ..ProducerState::default() }
    }

    /// State as a snapshot kept it.
    pub fn from_entries(
        entries: impl IntoIterator<Item = (ProducerId, ProducerEntry)>,
        end_offset: Offset,
    ) -> ProducerState {
        let mut state = ProducerState::starting_at(end_offset);
        for (id, entry) in entries {
            if let Some(first) = entry.current_txn_first_offset {
                state.ongoing.insert(first, id);
            }
            state.producers.insert(id, entry);
        }
        state
    }

    pub fn end_offset(&self) -> Offset {
        self.end_offset
    }

    pub fn entries(&self) -> impl ExactSizeIterator<Item = (ProducerId, &ProducerEntry)> {
        self.producers.iter().map(|(id, entry)| (*id, entry))
    }

    pub fn entry(&self, id: ProducerId) -> Option<&ProducerEntry> {
        self.producers.get(&id)
    }

    /// The first offset that a read_committed reader may not pass.
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        let ongoing = self.ongoing.keys().next().copied();
        let unreplicated = self.unreplicated.keys().next().copied();
        match (ongoing, unreplicated) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// The producer's transaction has a batch here, under the same epoch.
    fn has_ongoing(&self, id: ProducerId, epoch: ProducerEpoch) -> bool {
        let entry = self.producers.get(&id);
        entry.is_some_and(|entry| entry.current_txn_first_offset.is_some() && entry.epoch == epoch)
    }

    /// What a transactional write needs before it may be appended.
    pub fn begin_verification(
        &mut self,
        batch: &FirstBatch,
        fresh: VerificationGuard,
        now_ms: i64,
    ) -> Verification {
        match self.has_ongoing(batch.producer_id, batch.producer_epoch) {
            true => Verification::Ongoing,
            false => Verification::Needed(self.verifications.begin(batch, fresh, now_ms)),
        }
    }

    /// Judges a batch about to be stored at `offset`. `from_client` batches must be in sequence.
    pub fn check(
        &self,
        header: &BatchHeader,
        marker: Option<&EndTxnMarker>,
        from_client: bool,
        guarding: Guarding,
        offset: Offset,
        partition: &dyn std::fmt::Display,
    ) -> Result<Checked, ProducerRefusal> {
        if !header.has_producer_id() {
            return Ok(Checked::New);
        }
        let entry = self.producers.get(&header.producer_id);
        if from_client && let Some(found) = entry.and_then(|entry| find_duplicate(entry, header)) {
            return Ok(Checked::Duplicate(found));
        }
        let id = header.producer_id.0;
        if let Guarding::Guard(guard) = guarding
            && header.attributes.is_transactional()
            && !header.attributes.is_control()
            && !self.has_ongoing(header.producer_id, header.producer_epoch)
            && !self.verifications.is_verified(header.producer_id, guard)
        {
            return Err(ProducerRefusal::InvalidTxnState(format!(
                "Record was not part of an ongoing transaction: producer {id} at offset {offset} in partition {partition}"
            )));
        }
        if let Some(entry) = entry
            && header.producer_epoch < entry.epoch
        {
            return Err(ProducerRefusal::InvalidProducerEpoch(format!(
                "Epoch of producer {id} at offset {offset} in {partition} is {}, which is smaller than the last seen epoch {}",
                header.producer_epoch.0, entry.epoch.0
            )));
        }
        if let Some(marker) = marker {
            return match entry {
                Some(entry) if entry.coordinator_epoch > marker.coordinator_epoch => {
                    Err(ProducerRefusal::TransactionCoordinatorFenced(format!(
                        "Invalid coordinator epoch for producerId {id} at offset {offset} in partition {partition}: {} (zombie), {} (current)",
                        marker.coordinator_epoch, entry.coordinator_epoch
                    )))
                }
                _ => Ok(Checked::New),
            };
        }
        if from_client {
            self.check_beginning(entry, header, offset, partition)?;
        }
        let Some(entry) = entry else { return Ok(Checked::New) };
        if from_client {
            check_sequence(entry, header, offset, partition)?;
        }
        if entry.current_txn_first_offset.is_some()
            && !header.attributes.is_transactional()
            && !header.attributes.is_control()
        {
            return Err(ProducerRefusal::InvalidTxnState(format!(
                "Expected transactional write from producer {id} at offset {offset} in partition {partition}"
            )));
        }
        Ok(Checked::New)
    }

    /// What a verification says of the sequence that a transaction may begin with here: the lowest that was tried;
    /// and of a producer of the second generation that nothing is known of, 0 (KIP-890).
    fn check_beginning(
        &self,
        entry: Option<&ProducerEntry>,
        header: &BatchHeader,
        offset: Offset,
        partition: &dyn std::fmt::Display,
    ) -> Result<(), ProducerRefusal> {
        let Some(pending) = self.verifications.get(header.producer_id) else { return Ok(()) };
        let (id, first) = (header.producer_id.0, header.base_sequence.0);
        if pending.has_epoch_bump && first != 0 && entry.is_none_or(|entry| entry.batches.is_empty()) {
            return Err(ProducerRefusal::OutOfOrderSequence(format!(
                "Invalid sequence number for producer {id} at offset {offset} in partition {partition}: {first} (incoming seq. number). Expected sequence 0 for transactions v2 idempotent producer with no existing state."
            )));
        }
        if first > pending.lowest_sequence.0 {
            return Err(ProducerRefusal::OutOfOrderSequence(format!(
                "Out of order sequence number for producer {id} at offset {offset} in partition {partition}: {first} (incoming seq. number), {} (earliest seen sequence)",
                pending.lowest_sequence.0
            )));
        }
        Ok(())
    }

    /// Takes in a batch that is in the log; its offsets are final.
    pub fn apply(&mut self, header: &BatchHeader, marker: Option<&EndTxnMarker>) -> Option<CompletedTxn> {
        self.end_offset = header.next_offset();
        if !header.has_producer_id() {
            return None;
        }
        let id = header.producer_id;
        if header.attributes.is_transactional() {
            // The transaction has its first batch here now, or its end.
            self.verifications.clear(id);
        }
        if header.attributes.is_control() {
            return self.apply_marker(header, marker?);
        }
        let entry = self.producers.entry(id).or_insert_with(ProducerEntry::new);
        entry.set_epoch(header.producer_epoch);
        if entry.batches.len() == BATCHES_REMEMBERED {
            entry.batches.remove(0);
        }
        entry.batches.push(BatchMetadata {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        });
        entry.last_timestamp = header.max_timestamp;
        if header.attributes.is_transactional() && entry.current_txn_first_offset.is_none() {
            entry.current_txn_first_offset = Some(header.base_offset);
            self.ongoing.insert(header.base_offset, id);
        }
        None
    }

    fn apply_marker(&mut self, header: &BatchHeader, marker: &EndTxnMarker) -> Option<CompletedTxn> {
        let id = header.producer_id;
        let entry = self.producers.entry(id).or_insert_with(ProducerEntry::new);
        entry.set_epoch(header.producer_epoch);
        entry.coordinator_epoch = marker.coordinator_epoch;
        entry.last_timestamp = marker.timestamp;
        let first_offset = entry.current_txn_first_offset.take()?;
        self.ongoing.remove(&first_offset);
        self.unreplicated.insert(first_offset, header.base_offset);
        let next_open = self.ongoing.keys().next().copied();
        Some(CompletedTxn {
            producer_id: id,
            first_offset,
            last_offset: header.base_offset,
            is_aborted: !marker.is_commit,
            last_stable_offset: next_open.unwrap_or(header.base_offset + 1),
        })
    }

    /// Markers below the high watermark are on every replica.
    pub fn on_high_watermark(&mut self, high_watermark: Offset) {
        self.unreplicated.retain(|_, marker| *marker >= high_watermark);
    }

    /// Forgets producers that were silent for too long and have no open transaction.
    pub fn remove_expired(&mut self, now_ms: i64, expiration_ms: i64) {
        self.verifications.remove_expired(now_ms, expiration_ms);
        self.producers.retain(|_, entry| {
            entry.current_txn_first_offset.is_some()
                || now_ms.saturating_sub(entry.last_timestamp) < expiration_ms
        });
    }

    /// The same of one producer, however lately it wrote. `None` where it is not known.
    pub fn forget(&mut self, id: ProducerId) -> Option<bool> {
        let entry = self.producers.get(&id)?;
        let is_forgotten = entry.current_txn_first_offset.is_none();
        if is_forgotten {
            self.producers.remove(&id);
        }
        Some(is_forgotten)
    }

    /// Moves on over batches that carry no producer.
    pub fn advance_to(&mut self, end_offset: Offset) {
        self.end_offset = self.end_offset.max(end_offset);
    }
}

fn find_duplicate(entry: &ProducerEntry, header: &BatchHeader) -> Option<BatchMetadata> {
    if entry.epoch != header.producer_epoch {
        return None;
    }
    let range = (header.base_sequence, header.last_sequence());
    entry.batches.iter().find(|batch| (batch.first_sequence(), batch.last_sequence) == range).copied()
}

fn check_sequence(
    entry: &ProducerEntry,
    header: &BatchHeader,
    offset: Offset,
    partition: &dyn std::fmt::Display,
) -> Result<(), ProducerRefusal> {
    let (id, first) = (header.producer_id.0, header.base_sequence.0);
    if header.producer_epoch != entry.epoch {
        if first != 0 && entry.epoch != ProducerEpoch::NONE {
            return Err(ProducerRefusal::OutOfOrderSequence(format!(
                "Invalid sequence number for new epoch of producer {id} at offset {offset} in partition {partition}: {} (request epoch), {first} (seq. number), {} (current producer epoch)",
                header.producer_epoch.0, entry.epoch.0
            )));
        }
        return Ok(());
    }
    let last = entry.last_sequence().0;
    let in_sequence = i64::from(first) == i64::from(last) + 1 || (first == 0 && last == i32::MAX);
    if in_sequence || entry.epoch == ProducerEpoch::NONE {
        return Ok(());
    }
    Err(ProducerRefusal::OutOfOrderSequence(format!(
        "Out of order sequence number for producer {id} at offset {offset} in partition {partition}: {first} (incoming seq. number), {last} (current end sequence number)"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_records::{BatchBuilder, BatchView};

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

    #[test]
    fn the_last_five_batches_are_known_again_and_older_ones_are_out_of_order() {
        let mut state = ProducerState::default();
        for n in 0..6 {
            let batch = header(0, n * 2, 2, i64::from(n) * 2);
            assert_eq!(check(&state, &batch), Ok(Checked::New));
            state.apply(&batch, None);
        }
        for n in 1..6 {
            let again = check(&state, &header(0, n * 2, 2, 100));
            let Ok(Checked::Duplicate(found)) = again else { panic!("batch {n}: {again:?}") };
            assert_eq!(found.first_offset(), Offset(i64::from(n) * 2));
        }
        assert!(matches!(check(&state, &header(0, 0, 2, 12)), Err(ProducerRefusal::OutOfOrderSequence(_))));
        assert!(matches!(check(&state, &header(0, 13, 1, 12)), Err(ProducerRefusal::OutOfOrderSequence(_))));
        assert_eq!(state.end_offset(), Offset(12));
    }

    #[test]
    fn an_unknown_producer_starts_anywhere_and_a_new_epoch_at_zero() {
        let mut state = ProducerState::default();
        let first = header(3, 41, 1, 0);
        assert_eq!(check(&state, &first), Ok(Checked::New));
        state.apply(&first, None);
        assert!(matches!(check(&state, &header(2, 0, 1, 1)), Err(ProducerRefusal::InvalidProducerEpoch(_))));
        assert!(matches!(check(&state, &header(4, 5, 1, 1)), Err(ProducerRefusal::OutOfOrderSequence(_))));
        assert_eq!(check(&state, &header(4, 0, 1, 1)), Ok(Checked::New));
    }

    #[test]
    fn silent_producers_are_forgotten_and_those_with_an_open_transaction_are_not() {
        let mut state = ProducerState::default();
        state.apply(&header(0, 0, 1, 0), None);
        let mut builder =
            BatchBuilder::new().transactional().producer(ProducerId(8), ProducerEpoch(0), Sequence(0));
        builder.append(1, None, Some(b"v"), &[]);
        let bytes = builder.base_offset(Offset(1)).build();
        state.apply(BatchView::first(&bytes).expect("a batch").header(), None);
        state.remove_expired(100, 100);
        assert_eq!(state.entries().len(), 2, "not yet");
        state.remove_expired(101, 100);
        assert!(state.entry(ProducerId(7)).is_none() && state.entry(ProducerId(8)).is_some());
        // A producer that is forgotten may go on with any sequence.
        assert_eq!(check(&state, &header(0, 41, 1, 2)), Ok(Checked::New));
    }

    #[test]
    fn sequences_wrap() {
        let mut state = ProducerState::default();
        state.apply(&header(0, i32::MAX - 1, 2, 0), None);
        assert_eq!(check(&state, &header(0, 0, 1, 2)), Ok(Checked::New));
        let across = header(0, i32::MAX - 1, 4, 0);
        let mut state = ProducerState::default();
        state.apply(&across, None);
        assert!(matches!(check(&state, &across), Ok(Checked::Duplicate(_))));
        assert_eq!(check(&state, &header(0, 2, 1, 4)), Ok(Checked::New));
    }

    #[test]
    fn a_transaction_holds_the_stable_offset_until_its_marker_is_replicated() {
        let mut state = ProducerState::default();
        let mut builder = BatchBuilder::new()
            .transactional()
            .producer(ProducerId(7), ProducerEpoch(0), Sequence(0))
            .base_offset(Offset(5));
        builder.append(1, None, Some(b"v"), &[]);
        let bytes = builder.build();
        state.apply(BatchView::first(&bytes).expect("a batch").header(), None);
        assert_eq!(state.first_unstable_offset(), Some(Offset(5)));
        assert!(matches!(check(&state, &header(0, 1, 1, 6)), Err(ProducerRefusal::InvalidTxnState(_))));

        let marker = EndTxnMarker { is_commit: false, coordinator_epoch: 1, timestamp: 2 };
        let bytes = marker.build(ProducerId(7), ProducerEpoch(0));
        let mut control = *BatchView::first(&bytes).expect("a batch").header();
        control.base_offset = Offset(6);
        let completed = state.apply(&control, Some(&marker)).expect("a transaction was open");
        assert!(completed.is_aborted);
        assert_eq!((completed.first_offset, completed.last_offset), (Offset(5), Offset(6)));
        assert_eq!(completed.last_stable_offset, Offset(7));
        assert_eq!(state.first_unstable_offset(), Some(Offset(5)));
        state.on_high_watermark(Offset(7));
        assert_eq!(state.first_unstable_offset(), None);
        let stale = EndTxnMarker { coordinator_epoch: 0, ..marker };
        assert!(matches!(
            state.check(&control, Some(&stale), false, Guarding::None, Offset(7), &"t-0"),
            Err(ProducerRefusal::TransactionCoordinatorFenced(_))
        ));
    }

    #[test]
    fn silent_producers_are_forgotten() {
        let mut state = ProducerState::default();
        state.apply(&header(0, 0, 1, 0), None);
        state.remove_expired(100, 100);
        assert!(state.entry(ProducerId(7)).is_some());
        state.remove_expired(101, 100);
        assert!(state.entry(ProducerId(7)).is_none());
    }
}
