//! What replication does beside requests: proposals of in-sync replicas, looking for laggards, writing high watermarks down.
//! Shell. None of it runs before a partition here has a replica elsewhere.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ottla_env::tasks::TaskHandle;
use ottla_env::{Env, Monotonic};
use ottla_metadata::{BrokerEpoch, ControllerChannel};
use ottla_model::{BrokerId, ErrorCode, TopicPartition};
use ottla_network::outgoing::Nodes;
use parking_lot::Mutex;

use crate::assign_directories::{DirectoryIds, assign};
use crate::fetch_plan::FetchSettings;
use crate::fetcher::{FetcherRooms, Fetchers};
use crate::isr_changes::{AlterPartition, IsrChanges};
use crate::partition::{LeaderFacts, Partition};
use crate::read::{ReplicaReader, Standing};
use crate::replica_manager::ReplicaManager;
use crate::role::Role;

/// After an answer that says nothing of the partitions (`AlterPartitionManager`).
const RETRY: Duration = Duration::from_millis(50);

/// The other nodes, as replication reaches them.
pub struct OtherNodes {
    pub env: Env,
    pub controller: Arc<dyn ControllerChannel>,
    pub nodes: Arc<dyn Nodes>,
    /// Of this broker's registration in this life.
    pub broker_epoch: BrokerEpoch,
    /// Of the log directories of this broker.
    pub directories: DirectoryIds,
}

/// What runs beside requests.
pub(crate) struct Replication {
    pub others: OtherNodes,
    pub fetchers: Fetchers,
    tasks: Mutex<Option<[TaskHandle; 3]>>,
}

impl Replication {
    fn is_running(&self) -> bool {
        self.tasks.lock().is_some()
    }

    fn run(&self, replicas: &Weak<ReplicaManager>) {
        let proposals = propose(replicas.clone(), self.others.env.clone(), self.others.controller.clone());
        let upkeep = keep_up(replicas.clone(), self.others.env.clone());
        let assignments = assign(replicas.clone(), self.others.env.clone(), self.others.controller.clone());
        let tasks = &self.others.env.tasks;
        *self.tasks.lock() = Some([
            tasks.spawn("alter-partition", Box::pin(proposals)),
            tasks.spawn("replica-upkeep", Box::pin(upkeep)),
            tasks.spawn("assign-directories", Box::pin(assignments)),
        ]);
    }

    fn stop(&self) {
        self.fetchers.stop();
        drop(self.tasks.lock().take());
    }
}

impl ReplicaManager {
    /// There are other nodes, and this is how they are reached.
    pub fn replicate(&self, others: OtherNodes) {
        let fetchers = Fetchers::new(FetcherRooms {
            env: others.env.clone(),
            logs: self.logs().clone(),
            nodes: others.nodes.clone(),
            settings: self.fetch_settings(),
            broker_epoch: others.broker_epoch.clone(),
        });
        let replication = Replication { others, fetchers, tasks: Mutex::default() };
        assert!(self.replication.set(replication).is_ok(), "there is one way to the other nodes");
        let shared = Arc::downgrade(&self.shared);
        self.logs().on_place(Arc::new(move |partition| {
            if let Some(shared) = shared.upgrade() {
                shared.directory_assignments.note([partition.clone()]);
            }
        }));
        let hosted = self.hosted().clone();
        self.follow_replication(hosted.topics().flat_map(|topic| &topic.partitions));
    }

    fn fetch_settings(&self) -> FetchSettings {
        let config = self.config.started_with();
        FetchSettings {
            replica_id: self.node_id,
            wait_ms_max: config.replica_fetch_wait_ms_max,
            bytes_min: config.replica_fetch_bytes_min,
            partition_bytes_max: config.replica_fetch_bytes_max,
            response_bytes_max: config.replica_fetch_response_bytes_max,
            backoff_max: duration(config.replica_fetch_backoff_ms),
        }
    }

    /// These partitions may have other roles than before: they are fetched from whom they follow, and what
    /// replication needs runs once one has a replica elsewhere.
    pub(crate) fn follow_replication<'a>(&self, changed: impl Iterator<Item = &'a Arc<Partition>>) {
        let Some(replication) = self.replication.get() else { return };
        let mut is_replicated = false;
        let mut here = Vec::new();
        let changed = changed.map(|partition| {
            here.push(partition.name.clone());
            is_replicated |= partition.is_replicated();
            (partition.clone(), partition.follows())
        });
        replication.fetchers.assign(changed);
        self.shared.directory_assignments.note(here);
        if is_replicated && !replication.is_running() {
            replication.run(&self.me);
        }
    }

    /// Ends what runs beside requests, and writes down what the next start wants to know. May block.
    pub fn close(&self) {
        if let Some(replication) = self.replication.get() {
            replication.stop();
            self.write_high_watermarks();
        }
    }

    fn lag_time_max(&self) -> Duration {
        duration(self.config.started_with().replica_lag_time_ms_max)
    }

    fn upkeep_intervals(&self) -> [Duration; 2] {
        let checkpoint = self.config.started_with().replica_high_watermark_checkpoint_interval_ms;
        [self.lag_time_max() / 2, duration(checkpoint)]
    }

    /// A broker that fetches as a follower, by the image of now.
    pub fn replica_reader(&self, id: BrokerId, broker_epoch: i64, received: Monotonic) -> ReplicaReader {
        let standing = self.hosted().standing_of(id, broker_epoch);
        let lag_time_max = self.lag_time_max();
        ReplicaReader { id, broker_epoch, standing, received: Some(received), lag_time_max }
    }

    /// All changes of in-sync replicas that wait for the controller.
    pub fn take_isr_changes(&self) -> Option<AlterPartition> {
        let own_epoch = self.replication.get().and_then(|replication| replication.others.broker_epoch.get());
        let own_epoch = own_epoch.unwrap_or(-1);
        self.shared.isr_changes.take(self.node_id, own_epoch)
    }

    pub fn isr_changes(&self) -> &IsrChanges {
        &self.shared.isr_changes
    }

    /// Looks for followers that are behind for too long, at all partitions led here.
    pub fn review_followers(&self, now: Monotonic) {
        let (hosted, lag_time_max) = (self.hosted().clone(), self.lag_time_max());
        for partition in hosted.topics().flat_map(|topic| &topic.partitions) {
            let has_followers = partition.role().leader().is_some_and(|leader| !leader.is_only_replica());
            if has_followers {
                partition.review_followers(now, lag_time_max, |id, broker_epoch| {
                    hosted.standing_of(id, broker_epoch) == Standing::Eligible
                });
            }
        }
    }

    /// Writes down what is known to be committed, where others replicate too (`replication-offset-checkpoint`): a
    /// start does not find it in the log. May block.
    pub fn write_high_watermarks(&self) {
        if !self.shared.high_watermarks.take() {
            return;
        }
        let mut high_watermarks = BTreeMap::new();
        for partition in self.hosted().topics().flat_map(|topic| &topic.partitions) {
            if partition.is_replicated()
                && partition.opened_log().is_some()
                && let Some(high_watermark) = partition.role().high_watermark()
            {
                high_watermarks.insert(partition.name.clone(), high_watermark);
            }
        }
        let mut written = self.checkpointed.lock();
        if *written == high_watermarks {
            return;
        }
        match self.logs().write_high_watermarks(&high_watermarks) {
            Ok(()) => *written = high_watermarks,
            Err(error) => {
                self.shared.high_watermarks.note();
                tracing::warn!(%error, "high watermarks were not written down");
            }
        }
    }
}

/// What this broker is to the partitions it hosts, for people who watch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReplicaCounts {
    pub led: usize,
    pub followed: usize,
    /// Led here, and not every replica is in sync.
    pub under_replicated: usize,
    /// Led here, and fewer are in sync than an acknowledgement by all of them needs.
    pub under_min_isr: usize,
}

impl ReplicaManager {
    /// What is led here and replicated, by name.
    pub fn led_partitions(&self) -> Vec<(TopicPartition, LeaderFacts)> {
        let hosted = self.hosted();
        let partitions = hosted.topics().flat_map(|topic| &topic.partitions);
        let facts = |partition: &Arc<Partition>| Some((partition.name.clone(), partition.leader_facts()?));
        let mut led: Vec<_> = partitions.filter_map(facts).collect();
        led.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        led
    }

    /// How often the in-sync replicas of a partition led here became fewer, and more.
    pub fn isr_moves(&self) -> (u64, u64) {
        let moves = &self.shared.isr_moves;
        (moves.shrinks.get(), moves.expands.get())
    }

    pub fn replica_counts(&self) -> ReplicaCounts {
        let mut counts = ReplicaCounts::default();
        for partition in self.hosted().topics().flat_map(|topic| &topic.partitions) {
            match &**partition.role() {
                Role::Leader(leader) => {
                    counts.led += 1;
                    counts.under_replicated += usize::from(leader.is_under_replicated());
                    counts.under_min_isr += usize::from(leader.is_under_min_isr(partition.topic.min_isr()));
                }
                Role::Follower(_) => counts.followed += 1,
                Role::Offline(_) => {}
            }
        }
        counts
    }
}

fn duration(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// Brings proposals to the controller, one request at a time, until it has answered each.
async fn propose(replicas: Weak<ReplicaManager>, env: Env, controller: Arc<dyn ControllerChannel>) {
    let Some(shared) = replicas.upgrade().map(|replicas| replicas.shared.clone()) else { return };
    let changes = &shared.isr_changes;
    loop {
        std::future::poll_fn(|context| changes.poll_waiting(context)).await;
        let Some(sent) = replicas.upgrade().map(|replicas| replicas.take_isr_changes()) else { return };
        let Some(sent) = sent else { continue };
        let answer = controller.alter_partition(sent.request.clone()).await;
        let is_again = match answer {
            Ok(answer) if answer.error_code == ErrorCode::None.code() => changes.on_answer(sent, &answer),
            Ok(answer) => {
                let error = ErrorCode::from_code(answer.error_code);
                tracing::debug!(?error, "the controller takes no in-sync replicas yet");
                changes.on_no_answer(sent);
                true
            }
            Err(error) => {
                tracing::debug!(%error, "in-sync replicas did not reach the controller");
                changes.on_no_answer(sent);
                true
            }
        };
        if is_again {
            env.clock.sleep_until(env.clock.monotonic().after(RETRY)).await;
        }
    }
}

/// Looks for followers that are behind, twice in the time that they may be, and writes high watermarks down.
async fn keep_up(replicas: Weak<ReplicaManager>, env: Env) {
    let Some([review_interval, checkpoint_interval]) =
        replicas.upgrade().map(|replicas| replicas.upkeep_intervals())
    else {
        return;
    };
    let now = env.clock.monotonic();
    let (mut review, mut checkpoint) = (now.after(review_interval), now.after(checkpoint_interval));
    loop {
        env.clock.sleep_until(review.min(checkpoint)).await;
        let Some(replicas) = replicas.upgrade() else { return };
        let now: Monotonic = env.clock.monotonic();
        if now >= review {
            replicas.review_followers(now);
            review = now.after(review_interval);
        }
        if now >= checkpoint {
            let of_task = replicas.clone();
            replicas.logs().run_blocking(Box::new(move || of_task.write_high_watermarks()));
            checkpoint = now.after(checkpoint_interval);
        }
    }
}
