//! Seeded histories: producers of both generations write while the process dies between any two steps.
//! Shell in memory. Every log keeps of what was not flushed as much as chance has it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use ottla_env::memory::{MemoryClock, SeededRng};
use ottla_env::tasks::{TaskHandle, ThreadHandle};
use ottla_env::{BoxFuture, Tasks};
use ottla_log::producer_state::{Guarding, ProducerRefusal, ProducerState};
use ottla_log::verification::{FirstBatch, GuardSource, Verification, VerificationGuard};
use ottla_model::{
    BrokerId, ErrorCode, LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TopicPartition,
};
use ottla_records::{BatchBuilder, BatchHeader, BatchView, EndTxnMarker};
use parking_lot::Mutex;

use super::super::*;
use super::place;
use crate::CoordinatorRecord;
use crate::runtime::{CoordinatorLog, Durable, Loader};

const PARTITIONS: i32 = 3;

/// What one partition's log holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Entry {
    Data { producer_id: ProducerId, epoch: ProducerEpoch, transaction: u64 },
    Marker { producer_id: ProducerId, epoch: ProducerEpoch, is_commit: bool },
}

/// What a client knows of a transaction.
#[derive(Default, Debug)]
struct Fact {
    /// Acknowledged writes by partition.
    written: BTreeMap<i32, usize>,
    /// What was asked, if anything was.
    asked: Option<bool>,
    /// Whether the answer was a success.
    is_answered: bool,
}

#[derive(Default)]
struct Disk {
    log: Vec<Bytes>,
    log_flushed: usize,
    partitions: BTreeMap<i32, Partition>,
}

/// One partition's log, how far it is flushed, and what it knows of its producers.
#[derive(Default)]
struct Partition {
    entries: Vec<Entry>,
    flushed: usize,
    producers: ProducerState,
    guards: GuardSource,
}

impl Entry {
    /// As a batch at this offset.
    fn header(&self, offset: usize) -> (BatchHeader, Option<EndTxnMarker>) {
        let (bytes, marker) = match *self {
            Entry::Data { producer_id, epoch, .. } => {
                let mut batch =
                    BatchBuilder::new().transactional().producer(producer_id, epoch, Sequence::NONE);
                batch.append(0, None, None, &[]);
                (batch.build(), None)
            }
            Entry::Marker { producer_id, epoch, is_commit } => {
                let marker = EndTxnMarker { is_commit, coordinator_epoch: 0, timestamp: 0 };
                (marker.build(producer_id, epoch), Some(marker))
            }
        };
        let header = *BatchView::first(&bytes).expect("a batch").header();
        (BatchHeader { base_offset: Offset(offset as i64), ..header }, marker)
    }
}

impl Partition {
    /// What a restart knows: what is in the log.
    fn restart(&mut self) {
        self.producers = ProducerState::default();
        for (offset, entry) in self.entries.iter().enumerate() {
            let (header, marker) = entry.header(offset);
            self.producers.apply(&header, marker.as_ref());
        }
    }
}

/// The world: what outlives a crash, and the tasks, which do not.
struct World {
    disk: Mutex<Disk>,
    rng: SeededRng,
    tasks: Mutex<Vec<BoxFuture<'static, ()>>>,
    facts: Mutex<BTreeMap<u64, Fact>>,
    ids: Mutex<i64>,
    epoch: Mutex<i32>,
}

/// Completes when it is true; whoever polls at random needs no waker.
fn until(holds: impl Fn() -> bool + Send + 'static) -> BoxFuture<'static, Result<(), ErrorCode>> {
    Box::pin(std::future::poll_fn(move |_| if holds() { Poll::Ready(Ok(())) } else { Poll::Pending }))
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
        let mut disk = self.0.disk.lock();
        let offset = disk.log.len() as i64;
        let mut bytes = batch.to_vec();
        bytes[..8].copy_from_slice(&offset.to_be_bytes());
        disk.log.push(bytes.into());
        Ok(Offset(offset))
    }

    fn committed(
        &self,
        _: i32,
        _: LeaderEpoch,
        offset: Offset,
    ) -> Option<BoxFuture<'static, Result<(), ErrorCode>>> {
        let world = self.0.clone();
        let is_flushed = move || world.disk.lock().log_flushed as i64 > offset.0;
        (!is_flushed()).then(|| until(is_flushed))
    }

    fn read(&self, _: i32, from: Offset) -> Result<(Bytes, Offset), ErrorCode> {
        let disk = self.0.disk.lock();
        Ok(match disk.log.get(from.0 as usize) {
            Some(batch) => (batch.clone(), from + 1),
            None => (Bytes::new(), from),
        })
    }
}

impl World {
    fn begin_verification(&self, partition: i32, producer: (ProducerId, ProducerEpoch)) -> Verification {
        let mut disk = self.disk.lock();
        let partition = disk.partitions.entry(partition).or_default();
        let first = FirstBatch {
            producer_id: producer.0,
            producer_epoch: producer.1,
            sequence: Sequence::NONE,
            has_epoch_bump: false,
        };
        partition.producers.begin_verification(&first, partition.guards.fresh(), 0)
    }

    /// Appends to a partition under the log's own rules.
    fn append(
        self: &Arc<Self>,
        partition: i32,
        entry: Entry,
        guard: Option<VerificationGuard>,
    ) -> Result<Durable, ErrorCode> {
        let mut disk = self.disk.lock();
        let log = disk.partitions.entry(partition).or_default();
        let (header, marker) = entry.header(log.entries.len());
        let (marker, guarding) = (marker.as_ref(), Guarding::Guard(guard));
        let checked = log.producers.check(&header, marker, false, guarding, header.base_offset, &"t");
        match checked {
            Ok(_) => {}
            Err(ProducerRefusal::InvalidTxnState(_)) => return Err(ErrorCode::InvalidTxnState),
            Err(_) => return Err(ErrorCode::InvalidProducerEpoch),
        }
        log.producers.apply(&header, marker);
        log.entries.push(entry);
        let (end, world) = (log.entries.len(), self.clone());
        Ok(Some(until(move || world.disk.lock().partitions[&partition].flushed >= end)))
    }
}

/// Two brokers, each with some of the partitions; one may be out of reach.
impl MarkerChannel for Outside {
    fn leader_of(&self, partition: &TopicPartition) -> Result<BrokerId, ErrorCode> {
        match self.0.rng.chance(50) {
            true => Err(ErrorCode::LeaderNotAvailable),
            false => Ok(BrokerId(partition.partition.0 % 2)),
        }
    }

    fn send(&self, broker: BrokerId, sent: TransactionMarker) -> BoxFuture<'static, MarkerOutcomes> {
        let (producer_id, epoch) = (sent.producer_id, sent.producer_epoch);
        let is_unreachable = self.0.rng.chance(50);
        let append = |name: &TopicPartition| {
            assert_eq!(broker.0, name.partition.0 % 2, "a marker goes to its partition's leader");
            if is_unreachable || self.0.rng.chance(200) {
                return Err(ErrorCode::NotLeaderOrFollower);
            }
            let marker = Entry::Marker { producer_id, epoch, is_commit: sent.marker.is_commit };
            self.0.append(name.partition.0, marker, None)
        };
        let appended: Vec<_> = sent.partitions.iter().map(append).collect();
        Box::pin(async move {
            let mut outcomes = MarkerOutcomes::new();
            for one in appended {
                outcomes.push(match one {
                    Ok(Some(durable)) => durable.await,
                    Ok(None) => Ok(()),
                    Err(error) => Err(error),
                });
            }
            outcomes
        })
    }
}

impl ProducerIdSource for Outside {
    fn next(&self) -> BoxFuture<'static, Result<ProducerId, ErrorCode>> {
        let mut ids = self.0.ids.lock();
        *ids += 1;
        let id = ProducerId(*ids);
        Box::pin(async move { Ok(id) })
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

struct History {
    world: Arc<World>,
    clock: Arc<MemoryClock>,
    coordinator: Arc<TransactionCoordinator>,
}

fn coordinator(world: &Arc<World>, clock: &Arc<MemoryClock>) -> Arc<TransactionCoordinator> {
    let outside = || Arc::new(Outside(world.clone()));
    let settings = TransactionSettings {
        timeout_max_ms: 900_000,
        allows_two_phase: false,
        id_expiration_ms: 1 << 40,
        abort_interval_ms: 100,
        expiration_interval_ms: 3_600_000,
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
    let epoch = LeaderEpoch(*world.epoch.lock());
    assert!(matches!(coordinator.runtime.load_now(0, epoch), Some(Ok(_))));
    coordinator
}

/// A producer's life, until it fails: then the next instance of it begins anew.
async fn live(world: Arc<World>, coordinator: Arc<TransactionCoordinator>, id: &'static str, adds: bool) {
    let version = if adds { TransactionVersion::V2 } else { TransactionVersion::V0 };
    loop {
        let Ok(mut producer) = coordinator.init_producer_id(id, 2_000, None).await else {
            std::future::poll_fn(once()).await;
            continue;
        };
        while let Some(next) = transact(&world, &coordinator, id, producer, version).await {
            producer = next;
        }
    }
}

/// Lets the others go first.
fn once() -> impl FnMut(&mut Context<'_>) -> Poll<()> {
    let mut polls = 0;
    move |_| {
        polls += 1;
        if polls > 1 { Poll::Ready(()) } else { Poll::Pending }
    }
}

async fn transact(
    world: &Arc<World>,
    coordinator: &Arc<TransactionCoordinator>,
    id: &'static str,
    producer: (ProducerId, ProducerEpoch),
    version: TransactionVersion,
) -> Option<(ProducerId, ProducerEpoch)> {
    let adds = version.supports_epoch_bump();
    if adds && world.rng.chance(200) {
        return Some(abort_at_once(coordinator, id, producer).await);
    }
    let transaction = {
        let mut facts = world.facts.lock();
        let number = facts.len() as u64;
        facts.insert(number, Fact::default());
        number
    };
    for _ in 0..1 + world.rng.below(4) {
        let partition = world.rng.below(PARTITIONS as u64) as i32;
        let partitions = PartitionSet::from([place(partition)]);
        if !adds {
            loop {
                let added =
                    coordinator.add_partitions(id, producer.0, producer.1, &partitions, version).await;
                match added {
                    Ok(()) => break,
                    Err(ErrorCode::ConcurrentTransactions) => std::future::poll_fn(once()).await,
                    Err(_) => return None,
                }
            }
        }
        loop {
            let verification = world.begin_verification(partition, producer);
            let verified = match verification {
                Verification::Ongoing => Ok(None),
                Verification::Needed(guard) => {
                    let joining = Joining {
                        transactional_id: Box::from(id),
                        producer_id: producer.0,
                        producer_epoch: producer.1,
                        partitions: partitions.clone(),
                        adds,
                    };
                    let verified = coordinator.add_or_verify(joining).into_future().await;
                    if world.rng.chance(300) {
                        // The answer is a while on its way.
                        std::future::poll_fn(once()).await;
                    }
                    match verified.map(|errors| errors[0]) {
                        Ok(ErrorCode::None) => Ok(Some(guard)),
                        Ok(error) | Err(error) => Err(error),
                    }
                }
            };
            let (producer_id, epoch) = producer;
            let entry = Entry::Data { producer_id, epoch, transaction };
            match verified.and_then(|guard| world.append(partition, entry, guard)) {
                Ok(durable) => {
                    if let Some(durable) = durable {
                        durable.await.ok()?;
                    }
                    let mut facts = world.facts.lock();
                    *facts.entry(transaction).or_default().written.entry(partition).or_default() += 1;
                    break;
                }
                Err(ErrorCode::ConcurrentTransactions) => std::future::poll_fn(once()).await,
                Err(_) => return None,
            }
        }
    }
    if world.rng.chance(100) {
        // It hangs, and its successor finds the transaction open.
        return None;
    }
    let is_commit = world.rng.chance(600);
    world.facts.lock().entry(transaction).or_default().asked = Some(is_commit);
    let ending = Ending { producer_id: producer.0, producer_epoch: producer.1, is_commit, version };
    let next = coordinator.end_transaction(id, ending).await.ok()?;
    world.facts.lock().entry(transaction).or_default().is_answered = true;
    Some(next)
}

/// A transaction that is aborted before anything was written in it, right behind the end of the one before. No other
/// instance has the id, and nothing is open that could take too long: the producer must not be refused for good.
async fn abort_at_once(
    coordinator: &Arc<TransactionCoordinator>,
    id: &'static str,
    (producer_id, producer_epoch): (ProducerId, ProducerEpoch),
) -> (ProducerId, ProducerEpoch) {
    let version = TransactionVersion::V2;
    loop {
        let ending = Ending { producer_id, producer_epoch, is_commit: false, version };
        match coordinator.end_transaction(id, ending).await {
            Ok(next) => return next,
            Err(ErrorCode::ConcurrentTransactions) => std::future::poll_fn(once()).await,
            Err(error) => panic!("a live producer of {id} is refused: {error}"),
        }
    }
}

impl History {
    fn new(seed: u64) -> History {
        let world = Arc::new(World {
            disk: Mutex::default(),
            rng: SeededRng::new(seed),
            tasks: Mutex::default(),
            facts: Mutex::default(),
            ids: Mutex::new(0),
            epoch: Mutex::new(0),
        });
        let clock = Arc::new(MemoryClock::new(1_700_000_000_000));
        let coordinator = coordinator(&world, &clock);
        let history = History { world, clock, coordinator };
        history.start_clients();
        history
    }

    fn start_clients(&self) {
        for (id, adds) in [("classic", false), ("second", true), ("third", true)] {
            let life = live(self.world.clone(), self.coordinator.clone(), id, adds);
            self.world.tasks.lock().push(Box::pin(life));
        }
    }

    fn poll_one(&self) {
        let mut task = {
            let mut tasks = self.world.tasks.lock();
            if tasks.is_empty() {
                return;
            }
            let place = self.world.rng.below(tasks.len() as u64) as usize;
            tasks.swap_remove(place)
        };
        if task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            self.world.tasks.lock().push(task);
        }
    }

    fn flush_something(&self) {
        let mut disk = self.world.disk.lock();
        match self.world.rng.below(PARTITIONS as u64 + 1) as i32 {
            0 => disk.log_flushed = disk.log.len(),
            partition => {
                if let Some(log) = disk.partitions.get_mut(&(partition - 1)) {
                    log.flushed = log.entries.len();
                }
            }
        }
    }

    fn crash(&mut self) {
        self.world.tasks.lock().clear();
        let cut =
            |flushed: usize, len: usize| flushed + self.world.rng.below((len - flushed) as u64 + 1) as usize;
        {
            let mut disk = self.world.disk.lock();
            let end = cut(disk.log_flushed, disk.log.len());
            disk.log.truncate(end);
            disk.log_flushed = end;
            for log in disk.partitions.values_mut() {
                log.flushed = cut(log.flushed, log.entries.len());
                log.entries.truncate(log.flushed);
                log.restart();
            }
        }
        *self.world.epoch.lock() += 1;
        self.coordinator = coordinator(&self.world, &self.clock);
    }

    fn step(&self) {
        match self.world.rng.below(10) {
            0..6 => self.poll_one(),
            6..9 => self.flush_something(),
            _ => self.clock.advance(Duration::from_millis(20)),
        }
        if self.world.rng.chance(5) {
            self.coordinator.tick();
        }
    }

    /// No client any more: what is open is aborted in time, and everything comes to its end.
    fn settle(&mut self) {
        self.crash();
        self.clock.advance(Duration::from_secs(3));
        for _ in 0..4_000 {
            self.step();
            self.coordinator.tick();
        }
        assert!(self.world.tasks.lock().is_empty(), "a transaction was never completed");
    }

    fn check(&self) {
        let disk = self.world.disk.lock();
        let mut outcomes: BTreeMap<u64, BTreeSet<bool>> = BTreeMap::new();
        let mut found: BTreeMap<(u64, i32), usize> = BTreeMap::new();
        for (partition, log) in &disk.partitions {
            let mut open: BTreeMap<ProducerId, Vec<u64>> = BTreeMap::new();
            for entry in &log.entries {
                match entry {
                    Entry::Data { producer_id, transaction, .. } => {
                        open.entry(*producer_id).or_default().push(*transaction);
                        *found.entry((*transaction, *partition)).or_default() += 1;
                    }
                    Entry::Marker { producer_id, is_commit, .. } => {
                        for transaction in open.remove(producer_id).unwrap_or_default() {
                            outcomes.entry(transaction).or_default().insert(*is_commit);
                        }
                    }
                }
            }
            assert!(open.is_empty(), "the last stable offset of partition {partition} is stuck: {open:?}");
        }
        for (transaction, fact) in &*self.world.facts.lock() {
            let outcome = outcomes.get(transaction).cloned().unwrap_or_default();
            assert!(outcome.len() <= 1, "transaction {transaction} is torn");
            let Some(&is_commit) = outcome.first() else {
                assert!(fact.written.is_empty(), "transaction {transaction} lost all it wrote");
                continue;
            };
            if fact.is_answered {
                assert_eq!(Some(is_commit), fact.asked, "transaction {transaction} ended the other way");
            }
            if is_commit {
                assert_eq!(fact.asked, Some(true), "transaction {transaction} was not to be committed");
            }
            for (partition, count) in &fact.written {
                let stored = found.get(&(*transaction, *partition)).copied().unwrap_or(0);
                // A write that was cut off by a crash may be there without an answer: then it was aborted.
                let is_whole = if is_commit { stored == *count } else { stored >= *count };
                assert!(is_whole, "{count} records of transaction {transaction} are {stored}");
            }
        }
    }
}

#[test]
fn no_crash_tears_a_transaction_or_leaves_one_open() {
    let (mut committed, mut crashes) = (0, 0);
    for seed in 0..60 {
        let mut history = History::new(seed);
        for _ in 0..3_000 {
            history.step();
            if history.world.rng.chance(4) {
                history.crash();
                history.start_clients();
                crashes += 1;
            }
        }
        history.settle();
        history.check();
        let facts = history.world.facts.lock();
        committed += facts.values().filter(|fact| fact.is_answered && fact.asked == Some(true)).count();
    }
    assert!(committed > 500 && crashes > 300, "too little happened: {committed} commits, {crashes} crashes");
}
