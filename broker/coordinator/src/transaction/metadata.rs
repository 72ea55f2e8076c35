//! One transactional id as its record keeps it.
//! Core.

use std::collections::BTreeSet;

use ottla_model::{ProducerEpoch, ProducerId, TopicPartition};

pub type PartitionSet = BTreeSet<TopicPartition>;

/// Kafka's `TransactionState`; the numbers are those of the records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransactionState {
    Empty,
    Ongoing,
    PrepareCommit,
    PrepareAbort,
    CompleteCommit,
    CompleteAbort,
    Dead,
}

impl TransactionState {
    pub(super) const ALL: [TransactionState; 7] = [
        TransactionState::Empty,
        TransactionState::Ongoing,
        TransactionState::PrepareCommit,
        TransactionState::PrepareAbort,
        TransactionState::CompleteCommit,
        TransactionState::CompleteAbort,
        TransactionState::Dead,
    ];

    pub fn id(self) -> i8 {
        self as i8
    }

    pub fn from_id(id: i8) -> Option<TransactionState> {
        usize::try_from(id).ok().and_then(|id| TransactionState::ALL.get(id)).copied()
    }

    pub fn from_name(name: &str) -> Option<TransactionState> {
        TransactionState::ALL.into_iter().find(|state| state.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            TransactionState::Empty => "Empty",
            TransactionState::Ongoing => "Ongoing",
            TransactionState::PrepareCommit => "PrepareCommit",
            TransactionState::PrepareAbort => "PrepareAbort",
            TransactionState::CompleteCommit => "CompleteCommit",
            TransactionState::CompleteAbort => "CompleteAbort",
            TransactionState::Dead => "Dead",
        }
    }

    /// Kafka's `validPreviousStates`.
    pub fn may_follow(self, before: TransactionState) -> bool {
        use TransactionState::*;
        match self {
            Empty | Dead => matches!(before, Empty | CompleteCommit | CompleteAbort),
            Ongoing | PrepareAbort => matches!(before, Ongoing | Empty | CompleteCommit | CompleteAbort),
            PrepareCommit => before == Ongoing,
            CompleteCommit => before == PrepareCommit,
            CompleteAbort => before == PrepareAbort,
        }
    }

    /// The end was decided, and its markers are on their way.
    pub fn is_ending(self) -> bool {
        matches!(self, TransactionState::PrepareCommit | TransactionState::PrepareAbort)
    }
}

/// The generation of the protocol that a client speaks (`transaction.version`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TransactionVersion(pub i16);

impl TransactionVersion {
    pub const V0: TransactionVersion = TransactionVersion(0);
    pub const V2: TransactionVersion = TransactionVersion(2);

    /// KIP-890: every end gives the producer a new epoch.
    pub fn supports_epoch_bump(self) -> bool {
        self >= TransactionVersion::V2
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransactionMetadata {
    pub producer_id: ProducerId,
    pub previous_producer_id: ProducerId,
    /// Takes over from `producer_id` when the transaction completes, whose epochs are used up.
    pub next_producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    /// The epoch before the last bump by the producer itself; not in the record, as in Kafka.
    pub last_producer_epoch: ProducerEpoch,
    pub timeout_ms: i32,
    pub state: TransactionState,
    pub partitions: PartitionSet,
    /// Wall clock; -1 when none was started.
    pub start_timestamp_ms: i64,
    pub last_update_timestamp_ms: i64,
    pub client_version: TransactionVersion,
}

/// The last epoch is kept for the coordinator, which must always be able to fence a producer.
pub fn is_epoch_exhausted(epoch: ProducerEpoch) -> bool {
    epoch.0 >= i16::MAX - 1
}

impl TransactionMetadata {
    /// What holds of every transition (`TransactionMetadata.completeTransitionTo`): a bug ends here, and not in the
    /// log.
    pub fn assert_follows(&self, before: &TransactionMetadata) {
        let (state, last) = (self.state, before.state);
        assert!(state.may_follow(last), "a transaction goes from {last:?} to {state:?}");
        let (id, epoch) = (self.producer_id, self.producer_epoch);
        match id == before.producer_id {
            true => {
                assert!(epoch >= before.producer_epoch, "the epoch of producer {id:?} goes back to {epoch:?}")
            }
            false => assert_eq!(epoch, ProducerEpoch(0), "a new producer id begins with the first epoch"),
        }
        assert_eq!(self.previous_producer_id, before.producer_id, "the producer id before is not lost");
        match state {
            TransactionState::PrepareCommit | TransactionState::PrepareAbort => {
                // Every partition that was added gets its marker.
                assert!(
                    last != TransactionState::Ongoing || self.partitions.len() == before.partitions.len()
                );
                assert_eq!(id, before.producer_id, "markers bear the id under which was written");
            }
            TransactionState::Ongoing => {
                assert!(
                    last != TransactionState::Ongoing || self.partitions.len() >= before.partitions.len()
                );
                assert!(self.start_timestamp_ms >= 0, "an open transaction has a beginning");
            }
            _ => assert!(self.partitions.is_empty(), "{state:?} has no partitions"),
        }
        assert!(state.is_ending() || self.next_producer_id.is_none(), "a next producer id is an end's");
    }

    /// The producer's epoch was raised by the end that it now asks for again.
    pub fn is_end_retried(&self, epoch: ProducerEpoch) -> bool {
        i32::from(self.producer_epoch.0) == i32::from(epoch.0) + 1
    }
}
