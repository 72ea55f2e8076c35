//! One simulated broker of a replica history: its disk, its logs, its replica room, and what it fetches.
//! Shell.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_config::DynamicBrokerConfig;
use ottla_env::memory::{FaultyDisk, MemoryClock, NoNet, SeededRng};
use ottla_env::{Clock, Env};
use ottla_log::{LogConfig, LogManager, LogManagerSettings, UnifiedLog};
use ottla_metadata::{Image, ImageListener, Working};
use ottla_model::{BrokerId, ErrorCode, LeaderEpoch, Offset, TopicId};
use ottla_protocol::messages::fetch_response::{EpochEndOffset, FetchableTopicResponse, PartitionData};
use ottla_protocol::messages::{FetchRequest, FetchResponse};
use ottla_protocol::records::metadata::MetadataRecord;
use prometheus::Registry;

use crate::acknowledge::Durability;
use crate::fetch_plan::{FetchPlan, FetchSettings, Next};
use crate::fetch_step::{Begun, Blocking, Step, begin, finish};
use crate::metrics::ReplicaMetrics;
use crate::partition::Partition;
use crate::read::{FollowerState, PartitionRead, ReadRequest, Reader, read};
use crate::replica_manager::ReplicaManager;
use crate::test_world::{ID, NoTasks};

pub const BACKOFF: Duration = Duration::from_millis(100);

pub struct Node {
    pub id: BrokerId,
    pub disk: FaultyDisk,
    clock: MemoryClock,
    pub life: u64,
    pub was_clean: bool,
    /// How many of the controller's records it has heard of.
    pub heard: usize,
    /// Its registration, once it has heard of it.
    pub broker_epoch: Option<i64>,
    pub alive: Option<Alive>,
}

/// What a process has.
pub struct Alive {
    pub logs: Arc<LogManager>,
    pub replicas: Arc<ReplicaManager>,
    working: Working,
    pub plans: BTreeMap<BrokerId, Plan>,
    pub blocking: Vec<(BrokerId, Blocking)>,
}

pub struct Plan {
    pub plan: FetchPlan,
    /// The number of the request that is under way.
    pub asked: Option<u64>,
}

fn config(id: BrokerId) -> Arc<DynamicBrokerConfig> {
    let given = [
        ("node.id", id.0.to_string()),
        ("log.dirs", "/data".to_owned()),
        ("min.insync.replicas", "2".to_owned()),
        ("replica.lag.time.max.ms", "1000".to_owned()),
    ];
    let given: Vec<_> = given.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let (config, _warnings) = ottla_config::load(None, &[], &given).expect("a valid configuration");
    Arc::new(DynamicBrokerConfig::new(config))
}

impl Node {
    pub fn new(id: BrokerId, clock: MemoryClock, seed: u64) -> Node {
        let disk = FaultyDisk::new(seed ^ (id.0 as u64) << 32);
        let mut node =
            Node { id, disk, clock, life: 0, was_clean: true, heard: 0, broker_epoch: None, alive: None };
        node.start();
        node
    }

    pub fn start(&mut self) {
        let env = Env {
            clock: Arc::new(self.clock.clone()),
            disk: Arc::new(self.disk.of_process()),
            net: Arc::new(NoNet),
            rng: Arc::new(SeededRng::new(self.life)),
            tasks: Arc::new(NoTasks),
        };
        let settings = LogManagerSettings {
            flusher_threads: 1,
            is_background_on: false,
            recovery_threads: 1,
            background_flush_ms: 300,
            checkpoint_interval_ms: 500,
            ..LogManagerSettings::default()
        };
        let (logs, recovery) = LogManager::open(env, vec![PathBuf::from("/data")], settings).expect("opens");
        self.was_clean = recovery.dirs.iter().all(|dir| dir.was_clean);
        let metrics = Arc::new(ReplicaMetrics::new(&Registry::new()).expect("metrics"));
        let replicas = ReplicaManager::new(logs.clone(), config(self.id), Durability::Os, metrics);
        let working = Working::new(Image::empty("cluster", BrokerId(9)));
        self.life += 1;
        self.heard = 0;
        self.broker_epoch = None;
        self.alive = Some(Alive { logs, replicas, working, plans: BTreeMap::new(), blocking: Vec::new() });
    }

    /// The process ends.
    pub fn stop(&mut self, end: End) {
        let alive = self.alive.take().expect("it runs");
        match end {
            End::Clean => {
                while alive.logs.flush_next() {}
                alive.replicas.write_high_watermarks();
                alive.logs.clean_shutdown();
                self.disk.kill();
            }
            End::Kill => self.disk.kill(),
            End::PowerLoss => self.disk.lose_power(),
        }
    }

    /// Its disk is another one.
    pub fn wipe(&mut self) {
        self.disk = FaultyDisk::new(self.life);
    }

    /// Hears of brokers, but not yet of what that means for partitions.
    pub fn hear_brokers(&mut self, records: &[MetadataRecord]) {
        let Some(alive) = &mut self.alive else { return };
        let of_brokers = records[self.heard..].iter().filter(|record| {
            matches!(record, MetadataRecord::RegisterBroker(_) | MetadataRecord::BrokerRegistrationChange(_))
        });
        for record in of_brokers {
            let offset = alive.working.image.metadata_offset() + 1;
            alive.working.replay(record.clone(), offset, LeaderEpoch(0));
        }
        let delta = std::mem::take(&mut alive.working.delta);
        alive.replicas.on_image(&delta, &Arc::new(alive.working.image.clone()));
    }

    /// Hears of the controller's records up to `until`.
    pub fn hear(&mut self, records: &[MetadataRecord], until: usize, registered_at: usize) {
        let epoch = match records.get(registered_at) {
            Some(MetadataRecord::RegisterBroker(record)) => record.broker_epoch,
            _ => unreachable!("it registered there"),
        };
        let Some(alive) = &mut self.alive else { return };
        for record in &records[self.heard..until] {
            let offset = alive.working.image.metadata_offset() + 1;
            alive.working.replay(record.clone(), offset, LeaderEpoch(0));
        }
        self.heard = until;
        let delta = std::mem::take(&mut alive.working.delta);
        alive.replicas.on_image(&delta, &Arc::new(alive.working.image.clone()));
        if until > registered_at {
            self.broker_epoch = Some(epoch);
        }
        let Some(partition) = self.partition() else { return };
        if let Ok(log) = partition.log() {
            // Smaller than the configuration allows.
            let small = LogConfig { segment_bytes: 600, ..(*log.config()).clone() };
            log.set_config(Arc::new(small));
        }
        self.follow(&partition);
    }

    fn follow(&mut self, partition: &Arc<Partition>) {
        let settings = FetchSettings {
            replica_id: self.id,
            wait_ms_max: 500,
            bytes_min: 1,
            partition_bytes_max: 700,
            response_bytes_max: 2_000,
            backoff_max: BACKOFF,
        };
        let Some(alive) = &mut self.alive else { return };
        let follows = partition.follows();
        for (leader, plan) in &mut alive.plans {
            if follows.is_none_or(|(followed, _)| followed != *leader) {
                plan.plan.unfollow((ID, 0));
            }
        }
        if let Some((leader, epoch)) = follows {
            let plan = alive
                .plans
                .entry(leader)
                .or_insert_with(|| Plan { plan: FetchPlan::new(settings), asked: None });
            plan.plan.follow((ID, 0), partition.clone(), epoch);
        }
    }

    pub fn partition(&self) -> Option<Arc<Partition>> {
        self.alive.as_ref()?.replicas.partition("t", 0)
    }

    pub fn log(&self) -> Option<Arc<UnifiedLog>> {
        self.partition()?.opened_log().cloned()
    }

    /// What it would ask a leader for now.
    pub fn ask(&mut self, leader: BrokerId, number: u64) -> Option<FetchRequest> {
        let (now, broker_epoch) = (self.clock.monotonic(), self.broker_epoch?);
        let plan = self.alive.as_mut()?.plans.get_mut(&leader)?;
        if plan.asked.is_some() {
            return None;
        }
        loop {
            match plan.plan.next(broker_epoch, now) {
                Next::Place => {
                    for (key, partition, epoch) in plan.plan.take_unplaced() {
                        Step::place(key, partition, epoch).conclude(&mut plan.plan, now);
                    }
                }
                Next::Idle(_) => return None,
                Next::Fetch(request) => {
                    plan.asked = Some(number);
                    return Some(*request);
                }
            }
        }
    }

    /// What it answers to a follower. The records are read when the answer leaves, as the network does it.
    pub fn answer(&self, request: &FetchRequest) -> Option<FetchAnswer> {
        let replicas = &self.alive.as_ref()?.replicas;
        let state = &request.replica_state;
        let id = BrokerId(state.replica_id.0);
        let reader = replicas.replica_reader(id, state.replica_epoch, self.clock.monotonic());
        let mut answers = Vec::new();
        for asked in request.topics.iter().flat_map(|topic| &topic.partitions) {
            let found = match replicas.hosted().by_id(ID).and_then(|topic| topic.partition(0).cloned()) {
                None => PartitionRead::failed(ErrorCode::UnknownTopicId),
                Some(partition) => {
                    let wanted = ReadRequest {
                        partition,
                        fetch_offset: asked.fetch_offset,
                        current_leader_epoch: asked.current_leader_epoch,
                        last_fetched_epoch: asked.last_fetched_epoch,
                        partition_max_bytes: asked.partition_max_bytes,
                        follower: FollowerState {
                            log_start_offset: asked.log_start_offset,
                            high_watermark: asked.high_watermark,
                        },
                    };
                    let max_bytes = request.max_bytes.max(0) as usize;
                    read(&[wanted], Reader::Follower(reader), max_bytes).pop().expect("an answer")
                }
            };
            answers.push(found);
        }
        Some(FetchAnswer(answers))
    }

    /// Applies an answer, up to what waits for the disk.
    pub fn apply(&mut self, leader: BrokerId, number: u64, response: Option<FetchResponse>) {
        let now = self.clock.monotonic();
        let wall_ms = self.clock.wall_ms();
        let Some(alive) = &mut self.alive else { return };
        let Some(plan) = alive.plans.get_mut(&leader).filter(|plan| plan.asked == Some(number)) else {
            return;
        };
        plan.asked = None;
        let Some(response) = response else {
            plan.plan.on_no_answer();
            return;
        };
        for one in plan.plan.on_answer(response).unwrap_or_default() {
            match begin(one, wall_ms) {
                Begun::Made(step) => step.conclude(&mut plan.plan, now),
                Begun::Blocks(work) => alive.blocking.push((leader, work)),
            }
        }
    }

    /// Does what waits for the disk.
    pub fn work(&mut self) {
        let now = self.clock.monotonic();
        let Some(alive) = &mut self.alive else { return };
        for (leader, work) in std::mem::take(&mut alive.blocking) {
            let step = finish(work);
            if let Some(plan) = alive.plans.get_mut(&leader) {
                step.conclude(&mut plan.plan, now);
            }
        }
    }
}

/// How a life ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Clean,
    Kill,
    PowerLoss,
}

/// An answer whose records are still in the leader's files.
pub struct FetchAnswer(Vec<PartitionRead>);

impl FetchAnswer {
    pub fn errors(&self) -> Vec<ErrorCode> {
        self.0.iter().map(|found| found.error).collect()
    }

    /// `None`: the files do not have them any more, and the connection ends.
    pub fn send(self) -> Option<FetchResponse> {
        let mut partitions = Vec::new();
        for found in self.0 {
            let records = match &found.data {
                Some(slice) => slice.read_bytes().ok()?,
                None => Bytes::new(),
            };
            let (epoch, end) = found.diverging.unwrap_or((LeaderEpoch(-1), Offset(-1)));
            partitions.push(
                PartitionData::default()
                    .with_error_code(found.error.code())
                    .with_high_watermark(found.high_watermark)
                    .with_log_start_offset(found.log_start_offset)
                    .with_diverging_epoch(
                        EpochEndOffset::default().with_epoch(epoch.0).with_end_offset(end.0),
                    )
                    .with_records(Some(records)),
            );
        }
        let topic_id: TopicId = ID;
        let topic = FetchableTopicResponse::default().with_topic_id(topic_id.0).with_partitions(partitions);
        Some(FetchResponse::default().with_responses(vec![topic]))
    }
}
