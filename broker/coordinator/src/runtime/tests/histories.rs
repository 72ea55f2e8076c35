//! Histories of shards whose leadership is lost and comes back in the middle of appends, loads and ends.
//! Shell in memory: two nodes over one log, in which nothing moves but by a seed.
//!
//! The rule: an answer is given by the leader epoch that took the request, or it is an error; what was answered is
//! found by every later leader; and no request waits for ever.

mod groups;
mod share_state;
mod transactions;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use ottla_env::memory::{MemoryClock, SeededRng};
use ottla_env::tasks::{TaskHandle, ThreadHandle};
use ottla_env::{BoxFuture, Tasks};
use ottla_model::{ErrorCode, LeaderEpoch, Offset};
use ottla_records::{BatchBuilder, BatchView};
use parking_lot::Mutex;

use super::super::{CoordinatorLog, CoordinatorRuntime, Loader};
use crate::record::codec::CoordinatorRecord;
use crate::shard::CoordinatorShard;

const SEEDS: u64 = 60;
const STEPS: usize = 600;

type Hook = Box<dyn FnOnce() + Send>;

/// The one partition, as its replicas keep it. A deposed leader appends nothing, and a new one may lack what was
/// not committed.
#[derive(Default)]
struct Log {
    batches: Vec<(i64, Bytes)>,
    end: i64,
    committed: i64,
    leader: Option<usize>,
    epoch: i32,
}

struct Replicas {
    log: Mutex<Log>,
    /// How far each node knows the log to be committed: only its leader hears of more.
    seen_committed: [Mutex<i64>; 2],
    /// Happens in the middle of the next read.
    on_read: Mutex<Option<Hook>>,
}

struct NodeLog {
    node: usize,
    replicas: Arc<Replicas>,
}

impl CoordinatorLog for NodeLog {
    fn ensure_topic(&self) -> BoxFuture<'static, Result<(), ErrorCode>> {
        Box::pin(async { Ok(()) })
    }

    fn append(
        &self,
        partition: i32,
        epoch: LeaderEpoch,
        records: &[CoordinatorRecord],
        wall_ms: i64,
    ) -> Result<Offset, ErrorCode> {
        let mut batch = BatchBuilder::new();
        for record in records {
            batch.append(wall_ms, Some(&record.key), record.value.as_deref(), &[]);
        }
        self.append_batch(partition, epoch, batch.build(), wall_ms)
    }

    fn append_batch(&self, _: i32, epoch: LeaderEpoch, batch: Bytes, _: i64) -> Result<Offset, ErrorCode> {
        let mut log = self.replicas.log.lock();
        if (log.leader, log.epoch) != (Some(self.node), epoch.0) {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        let base = log.end;
        let mut bytes = batch.to_vec();
        bytes[..8].copy_from_slice(&base.to_be_bytes());
        let view = BatchView::first(&bytes).expect("a batch that was just built");
        log.end = view.header().next_offset().0;
        log.batches.push((base, bytes.into()));
        Ok(Offset(log.end - 1))
    }

    fn committed(
        &self,
        _: i32,
        _: LeaderEpoch,
        offset: Offset,
    ) -> Option<BoxFuture<'static, Result<(), ErrorCode>>> {
        let (node, replicas) = (self.node, Arc::clone(&self.replicas));
        let is_committed = move || *replicas.seen_committed[node].lock() > offset.0;
        if is_committed() {
            return None;
        }
        Some(Box::pin(std::future::poll_fn(move |_| match is_committed() {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        })))
    }

    fn is_empty(&self, _: i32) -> bool {
        self.replicas.log.lock().end == 0
    }

    fn read(&self, _: i32, from: Offset) -> Result<(Bytes, Offset), ErrorCode> {
        let hook = self.replicas.on_read.lock().take();
        if let Some(hook) = hook {
            hook();
        }
        let log = self.replicas.log.lock();
        Ok(match log.batches.iter().find(|(base, _)| *base >= from.0) {
            Some((_, batch)) => {
                let view = BatchView::first(batch).expect("a batch of this log");
                (batch.clone(), view.header().next_offset())
            }
            None => (Bytes::new(), from),
        })
    }
}

/// What a thread does, until it has run.
type Thread = Arc<Mutex<Option<Hook>>>;

/// Tasks and threads that go on when the history says so.
#[derive(Default)]
struct TurnTasks {
    works: Mutex<Vec<BoxFuture<'static, ()>>>,
    threads: Mutex<Vec<Thread>>,
}

impl Tasks for TurnTasks {
    fn spawn(&self, _: &'static str, work: BoxFuture<'static, ()>) -> TaskHandle {
        self.works.lock().push(work);
        TaskHandle::new(Box::new(|| {}), Box::pin(async {}))
    }

    fn spawn_thread(&self, _: &'static str, work: Box<dyn FnOnce() + Send>) -> ThreadHandle {
        let work = Arc::new(Mutex::new(Some(work)));
        self.threads.lock().push(Arc::clone(&work));
        ThreadHandle::new(Box::new(move || run(&work)))
    }
}

impl TurnTasks {
    fn poll_works(&self) {
        let works = std::mem::take(&mut *self.works.lock());
        for mut work in works {
            if work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                self.works.lock().push(work);
            }
        }
    }
}

fn run(work: &Mutex<Option<Hook>>) {
    let work = work.lock().take();
    if let Some(work) = work {
        work();
    }
}

/// Who leads from now on, and under which epoch.
type News = (Option<usize>, i32);

struct Node<S: CoordinatorShard> {
    runtime: Arc<CoordinatorRuntime<S>>,
    tasks: Arc<TurnTasks>,
    news: Mutex<VecDeque<News>>,
    /// The epoch that this node knows to lead under.
    leads: Mutex<Option<i32>>,
}

struct Cluster<S: CoordinatorShard> {
    replicas: Arc<Replicas>,
    nodes: [Node<S>; 2],
    loads_cut: AtomicUsize,
    assignors_cut: AtomicUsize,
}

impl<S: CoordinatorShard> Cluster<S> {
    /// The next news reaches a node: first its replica, then its coordinator.
    fn deliver(&self, place: usize) {
        let node = &self.nodes[place];
        let Some((leader, epoch)) = node.news.lock().pop_front() else { return };
        if leader == Some(place) {
            *node.leads.lock() = Some(epoch);
            *self.replicas.seen_committed[place].lock() = self.replicas.log.lock().committed;
            node.runtime.load(0, LeaderEpoch(epoch));
        } else {
            node.runtime.unload(0, LeaderEpoch(epoch));
            *node.leads.lock() = None;
        }
    }

    fn deliver_all(&self) {
        for place in 0..self.nodes.len() {
            while !self.nodes[place].news.lock().is_empty() {
                self.deliver(place);
            }
        }
    }

    fn elect(&self, leader: Option<usize>, lacks: impl FnOnce(u64) -> u64) {
        let mut log = self.replicas.log.lock();
        if log.leader != leader || leader.is_none() {
            // What was not committed may be with the old leader alone.
            let uncommitted = log.batches.iter().filter(|(base, _)| *base >= log.committed).count();
            let keeps = log.batches.len() - lacks(uncommitted as u64 + 1) as usize;
            log.batches.truncate(keeps);
            log.end = log.batches.last().map_or(0, |(_, batch)| {
                BatchView::first(batch).expect("a batch of this log").header().next_offset().0
            });
        }
        log.epoch += 1;
        log.leader = leader;
        for node in &self.nodes {
            node.news.lock().push_back((leader, log.epoch));
        }
    }

    /// A node loses the leadership, and has it again with another epoch and what the log holds by then.
    fn lose_and_regain(&self, node: usize, lacks: impl FnOnce(u64) -> u64) {
        let before = *self.nodes[node].leads.lock();
        self.elect(Some(1 - node), lacks);
        self.elect(Some(node), |_| 0);
        while !self.nodes[node].news.lock().is_empty() {
            self.deliver(node);
        }
        self.run_threads(node);
        self.assignors_cut.fetch_add(usize::from(before.is_some()), Ordering::Relaxed);
    }

    fn run_threads(&self, node: usize) {
        let threads = std::mem::take(&mut *self.nodes[node].tasks.threads.lock());
        for thread in threads {
            run(&thread);
        }
    }

    /// Some more of the log is with all replicas, and its leader hears of it.
    fn commit(&self, batches: u64) {
        let mut log = self.replicas.log.lock();
        let Some(leader) = log.leader else { return };
        let ends = log.batches.iter().map(|(base, _)| *base).chain([log.end]);
        let committed = log.committed;
        if let Some(next) = ends.filter(|end| *end > committed).take(batches as usize).last() {
            log.committed = next;
        }
        // A leader that does not know of its new epoch yet does not know of its commits either.
        if *self.nodes[leader].leads.lock() == Some(log.epoch) {
            *self.replicas.seen_committed[leader].lock() = log.committed;
        }
    }
}

/// What a history does to one coordinator. A write stores a number that is greater than all before it.
trait Subject: Send + Sync + 'static {
    type Shard: CoordinatorShard;

    fn new(
        log: Arc<dyn CoordinatorLog>,
        clock: Arc<MemoryClock>,
        loader: Arc<Loader>,
        rng: Arc<SeededRng>,
        tasks: Arc<dyn Tasks>,
    ) -> Self;

    fn runtime(&self) -> &Arc<CoordinatorRuntime<Self::Shard>>;

    fn write(&self, number: i64) -> BoxFuture<'static, Result<i64, ErrorCode>>;

    /// The number that was stored last, -1 while there is none.
    fn read(&self) -> BoxFuture<'static, Result<i64, ErrorCode>>;

    /// A request of another kind, if there is one: it may be parked.
    fn other(&self) -> Option<BoxFuture<'static, Result<i64, ErrorCode>>> {
        None
    }

    /// A request that computes something outside of the shard's lock, if there is one; `meanwhile` happens then.
    fn compute(&self, _number: i64, _meanwhile: Hook) -> Option<BoxFuture<'static, Result<i64, ErrorCode>>> {
        None
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Write(i64),
    Read,
    Other,
}

struct InFlight {
    node: usize,
    kind: Kind,
    /// What the node led under when it took the request.
    epoch: Option<i32>,
    /// What had been answered before; `None` where the node leads no more and does not know it yet: what it reads
    /// may be old.
    floor: Option<i64>,
    work: BoxFuture<'static, Result<i64, ErrorCode>>,
}

/// What happened, over all seeds: a history that never meets what it is for proves nothing.
#[derive(Default, Debug)]
struct Totals {
    answered: usize,
    cut: usize,
    loads_cut: usize,
    loading: usize,
    assignors_cut: usize,
}

struct History<U: Subject> {
    seed: u64,
    rng: SeededRng,
    clock: Arc<MemoryClock>,
    subjects: [U; 2],
    cluster: Arc<Cluster<U::Shard>>,
    in_flight: Vec<InFlight>,
    attempted: i64,
    floor: i64,
    totals: Totals,
}

impl<U: Subject> History<U> {
    fn new(seed: u64) -> History<U> {
        let clock = Arc::new(MemoryClock::new(1_700_000_000_000));
        let replicas = Arc::new(Replicas {
            log: Mutex::default(),
            seen_committed: Default::default(),
            on_read: Mutex::default(),
        });
        let tasks: [Arc<TurnTasks>; 2] = Default::default();
        let subjects = [0, 1].map(|node| {
            let log = Arc::new(NodeLog { node, replicas: Arc::clone(&replicas) });
            let loader = Loader::new(tasks[node].clone());
            let rng = Arc::new(SeededRng::new(seed ^ node as u64));
            U::new(log, clock.clone(), loader, rng, tasks[node].clone())
        });
        let nodes = [0, 1].map(|node| {
            let runtime = Arc::clone(subjects[node].runtime());
            runtime.set_partition_count(Some(1));
            let tasks = tasks[node].clone();
            Node { runtime, tasks, news: Mutex::default(), leads: Mutex::default() }
        });
        let cluster = Arc::new(Cluster {
            replicas,
            nodes,
            loads_cut: AtomicUsize::new(0),
            assignors_cut: AtomicUsize::new(0),
        });
        History {
            seed,
            rng: SeededRng::new(seed),
            clock,
            subjects,
            cluster,
            in_flight: Vec::new(),
            attempted: 0,
            floor: -1,
            totals: Totals::default(),
        }
    }

    fn step(&mut self) {
        let node = self.rng.below(2) as usize;
        match self.rng.below(100) {
            0..24 => self.begin(node),
            24..52 => self.poll_one(),
            52..66 => self.cluster.commit(1 + self.rng.below(3)),
            66..72 => {
                let leader = [None, Some(0), Some(1), Some(0), Some(1)][self.rng.below(5) as usize];
                self.cluster.elect(leader, |bound| self.rng.below(bound));
            }
            72..84 => self.cluster.deliver(node),
            84..91 => self.run_load(node),
            91..95 => self.cluster.nodes[node].tasks.poll_works(),
            _ => {
                self.clock.advance(Duration::from_millis(self.rng.below(20_000)));
                self.cluster.nodes[node].runtime.tick();
            }
        }
    }

    fn begin(&mut self, node: usize) {
        let subject = &self.subjects[node];
        self.attempted += 1;
        let taken_under = *self.cluster.nodes[node].leads.lock();
        let (kind, work) = match self.rng.below(12) {
            0..5 => (Kind::Write(self.attempted), subject.write(self.attempted)),
            5..8 => (Kind::Read, subject.read()),
            10.. => {
                let (cluster, is_cut) = (Arc::clone(&self.cluster), self.rng.below(3) > 0);
                let keeps = self.rng.below(2) == 0;
                let meanwhile = Box::new(move || {
                    if is_cut {
                        cluster.lose_and_regain(node, |bound| if keeps { 0 } else { bound - 1 });
                    }
                });
                match subject.compute(self.attempted, meanwhile) {
                    Some(work) => (Kind::Other, work),
                    None => return,
                }
            }
            _ => match subject.other() {
                Some(work) => (Kind::Other, work),
                None => return,
            },
        };
        self.push(node, kind, work);
        self.in_flight.last_mut().expect("it was just begun").epoch = taken_under;
        // What need not wait is answered now.
        self.poll(self.in_flight.len() - 1);
    }

    fn push(&mut self, node: usize, kind: Kind, work: BoxFuture<'static, Result<i64, ErrorCode>>) {
        let epoch = *self.cluster.nodes[node].leads.lock();
        let log = self.cluster.replicas.log.lock();
        let is_leader = log.leader == Some(node) && epoch == Some(log.epoch);
        drop(log);
        self.in_flight.push(InFlight { node, kind, epoch, floor: is_leader.then_some(self.floor), work });
    }

    fn poll_one(&mut self) {
        if self.in_flight.is_empty() {
            return;
        }
        let place = self.rng.below(self.in_flight.len() as u64) as usize;
        self.poll(place);
    }

    fn poll(&mut self, place: usize) {
        let request = &mut self.in_flight[place];
        let Poll::Ready(outcome) = request.work.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            return;
        };
        let request = self.in_flight.swap_remove(place);
        let seed = self.seed;
        let leads = *self.cluster.nodes[request.node].leads.lock();
        match outcome {
            Ok(number) => {
                assert!(
                    leads.is_some() && leads == request.epoch,
                    "seed {seed}: {:?} was answered under {leads:?}, and taken under {:?}",
                    request.kind,
                    request.epoch,
                );
                self.totals.answered += 1;
                if request.kind != Kind::Other {
                    self.check(&request, number);
                }
            }
            Err(ErrorCode::CoordinatorLoadInProgress) => self.totals.loading += 1,
            Err(ErrorCode::NotCoordinator) => {
                self.totals.cut += usize::from(request.epoch.is_some() && leads != request.epoch);
            }
            // Another of the same transactional id is under way.
            Err(ErrorCode::ConcurrentTransactions) => {}
            Err(error) => panic!("seed {seed}: {error:?} to {:?}", request.kind),
        }
    }

    fn check(&mut self, request: &InFlight, number: i64) {
        let (seed, attempted) = (self.seed, self.attempted);
        assert!(number <= attempted, "seed {seed}: {number} was never written");
        let Some(floor) = request.floor else { return };
        let kind = request.kind;
        assert!(number >= floor, "seed {seed}: {kind:?} found {number}, but {floor} was answered before");
        self.floor = self.floor.max(number);
    }

    /// The loader's thread of a node gets its turn; in the middle of a read it may hear of another leader.
    fn run_load(&mut self, node: usize) {
        if self.rng.below(3) == 0 {
            let cluster = Arc::clone(&self.cluster);
            let elects = self.rng.below(2) == 0;
            *self.cluster.replicas.on_read.lock() = Some(Box::new(move || {
                if elects {
                    cluster.elect(Some(1 - node), |_| 0);
                }
                let before = *cluster.nodes[node].leads.lock();
                while !cluster.nodes[node].news.lock().is_empty() {
                    cluster.deliver(node);
                }
                let is_cut = before != *cluster.nodes[node].leads.lock();
                cluster.loads_cut.fetch_add(usize::from(is_cut), Ordering::Relaxed);
            }));
        }
        self.cluster.run_threads(node);
        drop(self.cluster.replicas.on_read.lock().take());
    }

    /// Everything that does not wait for a leader comes to its end.
    fn let_all_go_on(&mut self) {
        for _ in 0..4 {
            self.clock.advance(Duration::from_millis(100));
            self.cluster.commit(u64::MAX);
            for node in &self.cluster.nodes {
                node.tasks.poll_works();
            }
            for place in (0..self.in_flight.len()).rev() {
                self.poll(place);
            }
        }
    }

    /// Nobody leads any more: every request is answered. Then one leads, and finds what was answered.
    fn settle(&mut self) {
        let seed = self.seed;
        self.cluster.elect(None, |_| 0);
        self.cluster.deliver_all();
        self.let_all_go_on();
        let waiting: Vec<Kind> = self.in_flight.iter().map(|request| request.kind).collect();
        assert!(waiting.is_empty(), "seed {seed}: nobody leads, and these still wait: {waiting:?}");
        let leader = self.rng.below(2) as usize;
        self.cluster.elect(Some(leader), |_| 0);
        self.cluster.deliver_all();
        self.cluster.run_threads(0);
        self.cluster.run_threads(1);
        let answered = self.totals.answered;
        for _ in 0..5 {
            self.let_all_go_on();
            if self.totals.answered > answered {
                break;
            }
            self.attempted += 1;
            let work = self.subjects[leader].read();
            self.push(leader, Kind::Read, work);
        }
        assert!(self.totals.answered > answered, "seed {seed}: the last leader does not answer");
        self.totals.loads_cut = self.cluster.loads_cut.load(Ordering::Relaxed);
        self.totals.assignors_cut = self.cluster.assignors_cut.load(Ordering::Relaxed);
        for node in &self.cluster.nodes {
            node.runtime.close();
        }
    }
}

fn play<U: Subject>() -> Totals {
    let mut all = Totals::default();
    for seed in 0..SEEDS {
        let mut history = History::<U>::new(seed);
        for _ in 0..STEPS {
            history.step();
        }
        history.settle();
        all.answered += history.totals.answered;
        all.cut += history.totals.cut;
        all.loads_cut += history.totals.loads_cut;
        all.loading += history.totals.loading;
        all.assignors_cut += history.totals.assignors_cut;
    }
    let least = all.answered.min(all.cut).min(all.loads_cut).min(all.loading);
    assert!(least > 20, "a history that meets too little: {all:?}");
    all
}
