//! The transaction coordinator in these histories: producers that come back, transactions that are begun and ended.
//! Shell in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use ottla_env::memory::{MemoryClock, SeededRng};
use ottla_env::{BoxFuture, Tasks};
use ottla_model::{
    BrokerId, ErrorCode, PartitionIndex, ProducerEpoch, ProducerId, TopicName, TopicPartition,
};
use parking_lot::Mutex;

use super::{Subject, play};
use crate::runtime::{CoordinatorLog, CoordinatorRuntime, Loader};
use crate::transaction::shard::TransactionShard;
use crate::transaction::{
    Ending, MarkerChannel, MarkerOutcomes, PartitionSet, ProducerIdSource, TransactionCoordinator,
    TransactionMarker, TransactionSettings, TransactionVersion,
};

const ID: &str = "id";
const SETTINGS: TransactionSettings = TransactionSettings {
    timeout_max_ms: i32::MAX,
    id_expiration_ms: 1 << 40,
    abort_interval_ms: 10_000,
    expiration_interval_ms: 100_000,
};

/// The partition that the transactions write to, and the ids of all producers: one.
#[derive(Default)]
struct Outside {
    /// How each producer epoch's transaction ended.
    ends: Mutex<BTreeMap<(ProducerId, ProducerEpoch), bool>>,
    coordinator_epoch: Mutex<i32>,
}

thread_local! {
    /// That of the history that runs: both nodes write to one partition.
    static OUTSIDE: RefCell<Weak<Outside>> = const { RefCell::new(Weak::new()) };
}

impl MarkerChannel for Outside {
    fn leader_of(&self, _: &TopicPartition) -> Result<BrokerId, ErrorCode> {
        Ok(BrokerId(1))
    }

    fn send(&self, _: BrokerId, marker: TransactionMarker) -> BoxFuture<'static, MarkerOutcomes> {
        let count = marker.partitions.len();
        let mut newest = self.coordinator_epoch.lock();
        if marker.marker.coordinator_epoch < *newest {
            return Box::pin(async move { vec![Err(ErrorCode::TransactionCoordinatorFenced); count] });
        }
        *newest = marker.marker.coordinator_epoch;
        let is_commit = marker.marker.is_commit;
        let producer = (marker.producer_id, marker.producer_epoch);
        let ended = *self.ends.lock().entry(producer).or_insert(is_commit);
        assert_eq!(ended, is_commit, "a transaction that was committed and aborted");
        Box::pin(async move { vec![Ok(()); count] })
    }
}

impl ProducerIdSource for Outside {
    fn next(&self) -> BoxFuture<'static, Result<ProducerId, ErrorCode>> {
        Box::pin(async { Ok(ProducerId(7)) })
    }
}

struct Transactions {
    coordinator: Arc<TransactionCoordinator>,
    ends_next: AtomicBool,
}

/// What a producer meets that is not alone, or too early.
fn neutral<T>(outcome: Result<T, ErrorCode>) -> Result<T, ErrorCode> {
    outcome.map_err(|error| match error {
        ErrorCode::InvalidProducerEpoch | ErrorCode::ProducerFenced | ErrorCode::InvalidTxnState => {
            ErrorCode::ConcurrentTransactions
        }
        other => other,
    })
}

impl Transactions {
    fn init(&self) -> BoxFuture<'static, Result<i64, ErrorCode>> {
        let coordinator = Arc::clone(&self.coordinator);
        Box::pin(async move {
            let producer = coordinator.init_producer_id(ID, i32::MAX, None).await;
            neutral(producer).map(|(_, epoch)| i64::from(epoch.0))
        })
    }
}

impl Subject for Transactions {
    type Shard = TransactionShard;

    fn new(
        log: Arc<dyn CoordinatorLog>,
        clock: Arc<MemoryClock>,
        loader: Arc<Loader>,
        _rng: Arc<SeededRng>,
        tasks: Arc<dyn Tasks>,
    ) -> Transactions {
        let outside = OUTSIDE.with_borrow_mut(|known| {
            let outside = known.upgrade().unwrap_or_default();
            *known = Arc::downgrade(&outside);
            outside
        });
        let coordinator =
            TransactionCoordinator::new(SETTINGS, log, outside.clone(), outside, clock, tasks, loader);
        Transactions { coordinator, ends_next: AtomicBool::new(false) }
    }

    fn runtime(&self) -> &Arc<CoordinatorRuntime<TransactionShard>> {
        &self.coordinator.runtime
    }

    /// Every producer that comes gets a greater epoch than all before it.
    fn write(&self, _number: i64) -> BoxFuture<'static, Result<i64, ErrorCode>> {
        self.init()
    }

    fn read(&self) -> BoxFuture<'static, Result<i64, ErrorCode>> {
        self.init()
    }

    /// Begins a transaction, or commits it.
    fn other(&self) -> Option<BoxFuture<'static, Result<i64, ErrorCode>>> {
        let described = self.coordinator.describe(ID).ok()?;
        let (producer_id, producer_epoch) = (described.producer_id, described.producer_epoch);
        let coordinator = Arc::clone(&self.coordinator);
        let version = TransactionVersion::V0;
        let ends = self.ends_next.fetch_xor(true, Ordering::Relaxed);
        Some(Box::pin(async move {
            if ends {
                let ending = Ending { producer_id, producer_epoch, is_commit: true, version };
                return neutral(coordinator.end_transaction(ID, ending).await).map(|_| 0);
            }
            let place = TopicPartition::new(TopicName::new("t"), PartitionIndex(0));
            let partitions = PartitionSet::from([place]);
            let added =
                coordinator.add_partitions(ID, producer_id, producer_epoch, &partitions, version).await;
            neutral(added).map(|()| 0)
        }))
    }
}

#[test]
fn transactions_are_answered_by_the_epoch_that_took_the_request() {
    play::<Transactions>();
}
