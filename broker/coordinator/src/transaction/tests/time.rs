//! What the coordinator does by itself: it ends late transactions, forgets ids, and tries again.
//! Shell in memory. What is appended is durable at once, unless the log refuses it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use ottla_env::memory::MemoryClock;
use ottla_env::tasks::{TaskHandle, ThreadHandle};
use ottla_env::{BoxFuture, Clock, Tasks};
use ottla_model::{BrokerId, ErrorCode, LeaderEpoch, Offset, ProducerEpoch, ProducerId, TopicPartition};
use ottla_records::BatchBuilder;
use parking_lot::Mutex;

use super::super::*;
use super::place;
use crate::CoordinatorRecord;
use crate::runtime::{CoordinatorLog, Loader};

#[derive(Default)]
struct World {
    log: Mutex<Vec<Bytes>>,
    /// Appends that are still to be refused.
    refusals: AtomicUsize,
    markers: Mutex<Vec<(TopicPartition, ProducerEpoch, bool)>>,
    tasks: Mutex<Vec<BoxFuture<'static, ()>>>,
}

struct Outside(Arc<World>);

impl CoordinatorLog for Outside {
    fn ensure_topic(&self) -> BoxFuture<'static, Result<(), ErrorCode>> {
        Box::pin(async { Ok(()) })
    }

    fn append(
        &self,
        _: i32,
        epoch: LeaderEpoch,
        records: &[CoordinatorRecord],
        wall_ms: i64,
    ) -> Result<Offset, ErrorCode> {
        let mut batch = BatchBuilder::new();
        for record in records {
            batch.append(wall_ms, Some(&record.key), record.value.as_deref(), &[]);
        }
        self.append_batch(0, epoch, batch.build(), wall_ms)
    }

    fn append_batch(&self, _: i32, _: LeaderEpoch, batch: Bytes, _: i64) -> Result<Offset, ErrorCode> {
        let one_less = |left: usize| left.checked_sub(1);
        if self.0.refusals.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less).is_ok() {
            return Err(ErrorCode::KafkaStorageError);
        }
        let mut log = self.0.log.lock();
        let offset = log.len() as i64;
        let mut bytes = batch.to_vec();
        bytes[..8].copy_from_slice(&offset.to_be_bytes());
        log.push(bytes.into());
        Ok(Offset(offset))
    }

    fn committed(
        &self,
        _: i32,
        _: LeaderEpoch,
        _: Offset,
    ) -> Option<BoxFuture<'static, Result<(), ErrorCode>>> {
        None
    }

    fn read(&self, _: i32, from: Offset) -> Result<(Bytes, Offset), ErrorCode> {
        let log = self.0.log.lock();
        Ok(log.get(from.0 as usize).map_or((Bytes::new(), from), |batch| (batch.clone(), from + 1)))
    }
}

impl MarkerChannel for Outside {
    fn leader_of(&self, _: &TopicPartition) -> Result<BrokerId, ErrorCode> {
        Ok(BrokerId(0))
    }

    fn send(&self, _: BrokerId, sent: TransactionMarker) -> BoxFuture<'static, MarkerOutcomes> {
        let outcomes = vec![Ok(()); sent.partitions.len()];
        let (epoch, is_commit) = (sent.producer_epoch, sent.marker.is_commit);
        let markers = sent.partitions.into_iter().map(|partition| (partition, epoch, is_commit));
        self.0.markers.lock().extend(markers);
        Box::pin(async move { outcomes })
    }
}

impl ProducerIdSource for Outside {
    fn next(&self) -> BoxFuture<'static, Result<ProducerId, ErrorCode>> {
        Box::pin(async { Ok(ProducerId(7)) })
    }
}

impl Tasks for Outside {
    fn spawn(&self, _: &'static str, work: BoxFuture<'static, ()>) -> TaskHandle {
        self.0.tasks.lock().push(work);
        TaskHandle::new(Box::new(|| {}), Box::pin(async {}))
    }

    fn spawn_thread(&self, _: &'static str, work: Box<dyn FnOnce() + Send>) -> ThreadHandle {
        work();
        ThreadHandle::new(Box::new(|| {}))
    }
}

struct Lab {
    world: Arc<World>,
    clock: Arc<MemoryClock>,
    coordinator: Arc<TransactionCoordinator>,
}

const ID: &str = "id";

impl Lab {
    fn new() -> Lab {
        Lab::over(Arc::default(), Arc::new(MemoryClock::new(1_700_000_000_000)))
    }

    /// The next life of the same coordinator.
    fn restarted(self) -> Lab {
        self.world.tasks.lock().clear();
        Lab::over(self.world, self.clock)
    }

    fn over(world: Arc<World>, clock: Arc<MemoryClock>) -> Lab {
        let outside = || Arc::new(Outside(world.clone()));
        let settings = TransactionSettings {
            timeout_max_ms: 900_000,
            id_expiration_ms: 60_000,
            abort_interval_ms: 10_000,
            expiration_interval_ms: 30_000,
        };
        let loader = Loader::new(outside());
        let coordinator = TransactionCoordinator::new(
            settings,
            outside(),
            outside(),
            outside(),
            clock.clone(),
            outside(),
            loader,
        );
        coordinator.runtime.set_partition_count(Some(1));
        assert!(matches!(coordinator.runtime.load_now(0, LeaderEpoch(0)), Some(Ok(_))));
        Lab { world, clock, coordinator }
    }

    /// Lets every task go on as far as it can.
    fn run_tasks(&self) {
        let tasks = std::mem::take(&mut *self.world.tasks.lock());
        let mut left = Vec::new();
        for mut task in tasks {
            if task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                left.push(task);
            }
        }
        self.world.tasks.lock().append(&mut left);
    }

    fn pass(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
        self.run_tasks();
        // What a timer began is done by a task of its own.
        self.run_tasks();
    }

    async fn begin(&self, timeout_ms: i32) -> (ProducerId, ProducerEpoch) {
        let producer = self.coordinator.init_producer_id(ID, timeout_ms, None).await.expect("a producer");
        let partitions = PartitionSet::from([place(0), place(1)]);
        let (id, epoch) = producer;
        let added = self.coordinator.add_partitions(ID, id, epoch, &partitions, TransactionVersion::V0).await;
        assert_eq!(added, Ok(()));
        producer
    }

    /// The state's name, or the error of who asks for it.
    fn state(&self) -> String {
        match self.coordinator.describe(ID) {
            Ok(described) => described.state.name().to_owned(),
            Err(error) => format!("{error:?}"),
        }
    }

    fn listed(&self) -> usize {
        self.coordinator.list(&WantedTransactions::default(), |_| true).expect("it is loaded").len()
    }
}

#[tokio::test]
async fn the_timer_task_aborts_what_is_late_and_forgets_ids_that_nobody_uses() {
    let lab = Lab::new();
    lab.coordinator.start_timers(&Outside(lab.world.clone()));
    lab.run_tasks();
    let (_, epoch) = lab.begin(15_000).await;
    lab.pass(10_000);
    assert_eq!(lab.state(), "Ongoing");
    lab.pass(10_000);
    assert_eq!(lab.state(), "CompleteAbort");
    let aborted = |index| (place(index), ProducerEpoch(epoch.0 + 1), false);
    assert_eq!(*lab.world.markers.lock(), [aborted(0), aborted(1)]);
    // Idle from now on, and looked at every thirty seconds.
    lab.pass(10_000);
    for _ in 0..5 {
        lab.pass(10_000);
    }
    assert_eq!((lab.state().as_str(), lab.listed()), ("CompleteAbort", 1));
    lab.pass(10_000);
    assert_eq!((lab.state().as_str(), lab.listed()), ("TransactionalIdNotFound", 0));
    let clock = lab.clock.wall_ms();
    let lab = lab.restarted();
    assert_eq!((lab.state().as_str(), lab.clock.wall_ms()), ("TransactionalIdNotFound", clock));
}

#[tokio::test]
async fn an_open_transaction_is_never_forgotten() {
    let lab = Lab::new();
    lab.begin(900_000).await;
    lab.clock.advance(Duration::from_millis(600_000));
    lab.coordinator.tick();
    assert_eq!((lab.state().as_str(), lab.listed()), ("Ongoing", 1));
}

#[tokio::test]
async fn a_tombstone_that_is_refused_is_written_at_the_next_turn() {
    let lab = Lab::new();
    lab.coordinator.init_producer_id(ID, 60_000, None).await.expect("a producer");
    lab.clock.advance(Duration::from_millis(60_000));
    lab.world.refusals.store(1, Ordering::Release);
    lab.coordinator.tick();
    assert_eq!(lab.state(), "Empty", "what is not in the log has not happened");
    lab.clock.advance(Duration::from_millis(29_999));
    lab.coordinator.tick();
    assert_eq!(lab.state(), "Empty");
    lab.clock.advance(Duration::from_millis(1));
    lab.coordinator.tick();
    assert_eq!(lab.listed(), 0);
}

type Ended = Result<(ProducerId, ProducerEpoch), ErrorCode>;

/// An EndTxn whose answer is looked for by hand.
struct Ends(BoxFuture<'static, Ended>);

impl Ends {
    async fn new(lab: &Lab, is_commit: bool) -> Ends {
        let (producer_id, producer_epoch) = lab.begin(60_000).await;
        let ending = Ending { producer_id, producer_epoch, is_commit, version: TransactionVersion::V0 };
        let coordinator = lab.coordinator.clone();
        Ends(Box::pin(async move { coordinator.end_transaction(ID, ending).await }))
    }

    fn is_answered(&mut self) -> bool {
        match self.0.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer.map(|_| true).expect("decided"),
            Poll::Pending => false,
        }
    }
}

#[tokio::test]
async fn an_end_is_answered_when_its_markers_are_there() {
    let lab = Lab::new();
    let mut ends = Ends::new(&lab, true).await;
    assert!(!ends.is_answered(), "its producer would begin again and have to come back");
    assert_eq!((lab.state().as_str(), lab.world.markers.lock().len()), ("PrepareCommit", 0));
    lab.run_tasks();
    assert!(ends.is_answered());
    assert_eq!((lab.state().as_str(), lab.world.markers.lock().len()), ("CompleteCommit", 2));
}

#[tokio::test]
async fn a_completion_that_a_full_device_refuses_is_recorded_later() {
    let lab = Lab::new();
    let mut ends = Ends::new(&lab, true).await;
    assert!(!ends.is_answered());
    lab.world.refusals.store(3, Ordering::Release);
    lab.pass(49);
    assert!(!ends.is_answered());
    lab.pass(1);
    assert!(ends.is_answered(), "what was decided is not held back any longer");
    assert_eq!((lab.world.markers.lock().len(), lab.state().as_str()), (2, "PrepareCommit"));
    for _ in 0..3 {
        lab.pass(100);
    }
    assert_eq!(lab.state(), "CompleteCommit");
    assert!(lab.world.tasks.lock().is_empty());
    assert_eq!(lab.world.markers.lock().len(), 2, "the markers are not written again");
}
