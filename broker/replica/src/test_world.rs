//! A broker's replicas on a disk and a clock in memory, for the tests of this room.
//! Shell.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use ottla_env::memory::{Faults, FaultyDisk, MemoryClock, NoNet, SeededRng};
use ottla_env::tasks::{TaskHandle, ThreadHandle};
use ottla_env::{BoxFuture, Clock, Env, Monotonic, Tasks};
use ottla_log::{AppendOrigin, LogConfig, LogManager, LogManagerSettings};
use ottla_model::{BrokerId, LeaderEpoch, Offset, TopicId, TopicPartition};
use ottla_records::BatchBuilder;

use crate::acknowledge::{Acks, Durability};
use crate::config::TopicSettings;
use crate::partition::{AppendRefused, Appended, Partition};
use crate::replica_progress::FollowerFetch;
use crate::role::Assignment;
use crate::topic_logs::{ReplicaShared, TopicLogs};

pub const NOW: i64 = 1_700_000_000_000;
pub const ME: BrokerId = BrokerId(1);
pub const B: BrokerId = BrokerId(2);
pub const C: BrokerId = BrokerId(3);
pub const ID: TopicId = TopicId(uuid::Uuid::from_u128(77));

/// Nothing happens that a test does not do.
pub struct NoTasks;

impl Tasks for NoTasks {
    fn spawn(&self, name: &'static str, _work: BoxFuture<'static, ()>) -> TaskHandle {
        unreachable!("no replica starts the task {name}")
    }

    fn spawn_thread(&self, _name: &'static str, _work: Box<dyn FnOnce() + Send>) -> ThreadHandle {
        ThreadHandle::new(Box::new(|| {}))
    }
}

pub struct World {
    pub clock: MemoryClock,
    pub disk: FaultyDisk,
    pub logs: Arc<LogManager>,
}

impl World {
    /// Files are synced when `sync` is called.
    pub fn new() -> World {
        let (clock, disk) = (MemoryClock::new(NOW), FaultyDisk::new(1));
        let env = Env {
            clock: Arc::new(clock.clone()),
            disk: Arc::new(disk.clone()),
            net: Arc::new(NoNet),
            rng: Arc::new(SeededRng::new(1)),
            tasks: Arc::new(NoTasks),
        };
        let settings = LogManagerSettings {
            flusher_threads: 1,
            is_background_on: false,
            recovery_threads: 1,
            ..LogManagerSettings::default()
        };
        let (logs, _) = LogManager::open(env, vec![PathBuf::from("/data")], settings).expect("opens");
        World { clock, disk, logs }
    }

    pub fn sync(&self) {
        while self.logs.flush_next() {}
    }

    pub fn break_syncs(&self) {
        self.disk.set_faults(Faults { sync_fails: 1000, ..Faults::default() });
    }

    pub fn partition(&self, durability: Durability, min_isr: i32, assigned: &Assigned) -> Arc<Partition> {
        let settings = TopicSettings { log: Arc::new(LogConfig::default()), min_insync_replicas: min_isr };
        let topic = Arc::new(TopicLogs::new(ReplicaShared::new(self.logs.clone(), durability), settings));
        let name = TopicPartition::parse("t-0").expect("a partition");
        Arc::new(Partition::new(name, ID, topic, assigned.assignment().role_of(ME, self.clock.monotonic())))
    }

    /// The only replica, in its first leader epoch.
    pub fn alone(&self, durability: Durability) -> Arc<Partition> {
        self.partition(durability, 1, &Assigned::led_by(ME, 0, &[ME]))
    }

    /// Completes when `wait` has passed on the clock of this world.
    pub fn deadline(&self, wait: Duration) -> BoxFuture<'static, ()> {
        self.clock.sleep_until(self.clock.monotonic().after(wait))
    }
}

/// An assignment that owns its lists.
pub struct Assigned {
    pub leader: Option<BrokerId>,
    pub epoch: i32,
    /// Each is one more than that made before.
    pub partition_epoch: i32,
    pub replicas: Vec<BrokerId>,
    pub isr: Vec<BrokerId>,
}

impl Assigned {
    pub fn led_by(leader: BrokerId, epoch: i32, replicas: &[BrokerId]) -> Assigned {
        static NEXT: AtomicI32 = AtomicI32::new(0);
        let partition_epoch = NEXT.fetch_add(1, Ordering::SeqCst);
        let (replicas, isr) = (replicas.to_vec(), replicas.to_vec());
        Assigned { leader: Some(leader), epoch, partition_epoch, replicas, isr }
    }

    pub fn with_isr(mut self, isr: &[BrokerId]) -> Assigned {
        self.isr = isr.to_vec();
        self
    }

    fn assignment(&self) -> Assignment<'_> {
        Assignment {
            leader: self.leader,
            leader_epoch: LeaderEpoch(self.epoch),
            partition_epoch: self.partition_epoch,
            replicas: &self.replicas,
            isr: &self.isr,
        }
    }

    pub fn reach(&self, partition: &Partition) {
        partition.assign(ME, &self.assignment());
    }
}

pub fn batch(count: usize) -> Bytes {
    let mut batch = BatchBuilder::new();
    for _ in 0..count {
        batch.append(NOW, None, Some(b"value"), &[]);
    }
    batch.build()
}

pub fn append(partition: &Arc<Partition>, count: usize, acks: Acks) -> Result<Appended, AppendRefused> {
    partition.append(batch(count), AppendOrigin::Client, acks, NOW)
}

pub fn high_watermark(partition: &Partition) -> i64 {
    partition.high_watermark().expect("led here").0
}

/// One look at a future.
pub fn poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    match std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// A follower that may not join fetches from `end` on.
pub fn fetched(partition: &Arc<Partition>, follower: BrokerId, end: i64) {
    fetched_from(partition, follower, -1, end);
}

/// The same, and says where its log starts.
pub fn fetched_from(partition: &Arc<Partition>, follower: BrokerId, log_start: i64, end: i64) {
    let led = partition.led(-1).expect("led here");
    let fetch = FollowerFetch {
        follower,
        broker_epoch: -1,
        is_eligible: false,
        end: Offset(end),
        log_start: Offset(log_start),
        leader_start: Offset(-1),
        leader_end: led.log().log_end_offset(),
        received: Monotonic::default(),
        lag_time_max: Duration::from_secs(30),
    };
    partition.on_follower_fetch(&led, &fetch);
}
