//! The partitions this broker hosts: name or id to `Partition`, kept in step with the metadata image.
//! Shell.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock, Weak};

use arc_swap::ArcSwap;
use ottla_config::DynamicBrokerConfig;
use ottla_log::{LogConfig, LogError, LogManager};
use ottla_metadata::{Delta, Image, ImageListener, ResourceType, TopicImage};
use ottla_model::{BrokerId, ErrorCode, Offset, PartitionIndex, TopicId, TopicName, TopicPartition};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::acknowledge::Durability;
use crate::config::{cleaner_settings, copy_rates, copy_windows, throttled_now, topic_settings};
use crate::hand_over::HandOver;
use crate::metrics::{ReplicaMetrics, TopicMetrics};
use crate::partition::Partition;
use crate::partition_map::PartitionMap;
use crate::read::Standing;
use crate::replication::Replication;
use crate::role::Assignment;
use crate::topic_logs::{ReplicaShared, TopicLogs};

/// A topic of which this broker hosts at least one partition.
pub struct HostedTopic {
    pub name: TopicName,
    pub id: TopicId,
    /// Only those that are hosted here: the image says how many the topic has.
    pub partitions: PartitionMap,
    pub metrics: Arc<TopicMetrics>,
    logs: Arc<TopicLogs>,
}

impl HostedTopic {
    /// `None`: not hosted here; `Hosted` says what is answered for it.
    pub fn partition(&self, index: i32) -> Option<&Arc<Partition>> {
        self.partitions.get(index)
    }

    /// The effective configuration of the topic's logs.
    pub fn config(&self) -> Arc<LogConfig> {
        self.logs.config()
    }
}

/// What is hosted at one moment, with the image that says so.
#[derive(Clone, Default)]
pub struct Hosted {
    by_name: imbl::HashMap<TopicName, Arc<HostedTopic>>,
    by_id: imbl::HashMap<TopicId, Arc<HostedTopic>>,
    image: Option<Arc<Image>>,
}

impl Hosted {
    pub fn by_name(&self, name: &str) -> Option<&Arc<HostedTopic>> {
        self.by_name.get(name)
    }

    pub fn by_id(&self, id: TopicId) -> Option<&Arc<HostedTopic>> {
        self.by_id.get(&id)
    }

    pub fn topics(&self) -> impl Iterator<Item = &Arc<HostedTopic>> {
        self.by_name.values()
    }

    pub(crate) fn image(&self) -> Option<&Arc<Image>> {
        self.image.as_ref()
    }

    /// Whether there is such a topic, here or elsewhere.
    pub fn is_topic(&self, name: &str) -> bool {
        self.image.as_ref().is_some_and(|image| image.topic(name).is_some())
    }

    pub fn partition(&self, name: &str, index: i32) -> Result<&Arc<Partition>, ErrorCode> {
        let found = self.by_name(name).and_then(|topic| topic.partition(index));
        found.ok_or_else(|| self.not_hosted(name, index))
    }

    /// What is answered for a partition that is not hosted here: it is elsewhere, or nowhere
    /// (`ReplicaManager.getPartitionOrError`).
    pub fn not_hosted(&self, name: &str, index: i32) -> ErrorCode {
        match self.image.as_ref().and_then(|image| image.partition(name, PartitionIndex(index))) {
            Some(_elsewhere) => ErrorCode::NotLeaderOrFollower,
            None => ErrorCode::UnknownTopicOrPartition,
        }
    }

    /// What the image says of a broker that fetches as a follower, under a registration of this epoch
    /// (`Partition.isReplicaIsrEligible`). -1 names no registration.
    pub fn standing_of(&self, id: BrokerId, broker_epoch: i64) -> Standing {
        let Some(broker) = self.image.as_ref().and_then(|image| image.broker(id)) else {
            return Standing::NotEligible;
        };
        let is_active = !broker.fenced && !broker.in_controlled_shutdown;
        match broker_epoch {
            0.. if !broker.fenced && broker.broker_epoch > broker_epoch => Standing::Stale,
            -1 if is_active => Standing::Eligible,
            epoch if is_active && epoch == broker.broker_epoch => Standing::Eligible,
            _ => Standing::NotEligible,
        }
    }

    /// Whether a broker is registered and not fenced.
    pub fn is_alive(&self, id: BrokerId) -> bool {
        self.image.as_ref().and_then(|image| image.broker(id)).is_some_and(|broker| !broker.fenced)
    }

    /// The same where the request names the topic by its id.
    pub fn not_hosted_by_id(&self, id: TopicId, index: i32) -> ErrorCode {
        match self.image.as_ref().and_then(|image| image.topic_by_id(id)) {
            Some(topic) => self.not_hosted(topic.name.as_str(), index),
            None => ErrorCode::UnknownTopicId,
        }
    }
}

pub struct ReplicaManager {
    pub(crate) me: Weak<ReplicaManager>,
    pub(crate) node_id: BrokerId,
    pub(crate) shared: Arc<ReplicaShared>,
    pub(crate) config: Arc<DynamicBrokerConfig>,
    hosted: ArcSwap<Hosted>,
    /// Held while what is hosted changes.
    hosting: Mutex<()>,
    /// Set where there are other nodes.
    pub(crate) replication: OnceLock<Replication>,
    /// High watermarks as they were last written down.
    pub(crate) checkpointed: Mutex<BTreeMap<TopicPartition, Offset>>,
    pub metrics: Arc<ReplicaMetrics>,
    pub hand_over: HandOver,
    /// How many log directories have failed.
    dir_failures: watch::Sender<usize>,
}

impl ReplicaManager {
    pub fn new(
        logs: Arc<LogManager>,
        config: Arc<DynamicBrokerConfig>,
        durability: Durability,
        metrics: Arc<ReplicaMetrics>,
    ) -> Arc<ReplicaManager> {
        let node_id = BrokerId(config.started_with().node_id);
        let hosted = ArcSwap::default();
        let replicas = Arc::new_cyclic(|me| ReplicaManager {
            me: me.clone(),
            node_id,
            shared: ReplicaShared::new(logs, durability),
            config,
            hosted,
            hosting: Mutex::default(),
            replication: OnceLock::new(),
            checkpointed: Mutex::default(),
            metrics,
            hand_over: HandOver::default(),
            dir_failures: watch::Sender::new(0),
        });
        replicas.set_throttles();
        replicas.set_cordoned();
        let of_logs = Arc::downgrade(&replicas);
        replicas.logs().on_dir_failure(Arc::new(move |dir, _reason| {
            if let Some(replicas) = of_logs.upgrade() {
                replicas.on_dir_failure(dir);
            }
        }));
        replicas
    }

    /// Takes the partitions of a log directory offline. Those that nothing has opened find out when they
    /// are opened.
    fn on_dir_failure(&self, dir: &Path) {
        for partition in self.hosted.load().topics().flat_map(|topic| &topic.partitions) {
            if partition.opened_log().is_some_and(|log| log.dir() == dir) {
                partition.on_dir_failure();
            }
        }
        self.dir_failures.send_modify(|failures| *failures += 1);
    }

    /// Changes when a log directory has failed, once its partitions are offline.
    pub fn dir_failures(&self) -> watch::Receiver<usize> {
        self.dir_failures.subscribe()
    }

    /// An image of a time before this process: nothing of it is hosted, and it only says what there is in the cluster.
    pub fn on_early_image(&self, image: &Arc<Image>) {
        let _hosting = self.hosting.lock();
        let hosted = Hosted { image: Some(image.clone()), ..Hosted::default() };
        assert!(self.hosted.load().by_id.is_empty(), "this comes before anything is hosted");
        self.hosted.store(Arc::new(hosted));
    }

    /// What is hosted now; a snapshot.
    pub fn hosted(&self) -> arc_swap::Guard<Arc<Hosted>> {
        self.hosted.load()
    }

    pub fn partition(&self, topic: &str, index: i32) -> Option<Arc<Partition>> {
        self.hosted.load().by_name(topic)?.partition(index).cloned()
    }

    /// The partition, or what is answered because it is not hosted here.
    pub fn find(&self, topic: &str, index: i32) -> Result<Arc<Partition>, ErrorCode> {
        self.hosted.load().partition(topic, index).cloned()
    }

    pub fn logs(&self) -> &Arc<LogManager> {
        &self.shared.logs
    }

    /// The topic as it is hosted from now on; `None` when none of it is.
    fn host(&self, topic: &TopicImage, known: Option<&Arc<HostedTopic>>) -> Option<Arc<HostedTopic>> {
        let logs = match known {
            Some(known) => {
                let was = Arc::clone(&known.logs.throttled());
                if let Some(now) = throttled_now(&self.config.current(), topic, &was) {
                    known.logs.set_throttled(now);
                }
                known.logs.clone()
            }
            None => {
                let settings = topic_settings(&self.config.current(), topic);
                Arc::new(TopicLogs::new(self.shared.clone(), settings))
            }
        };
        let here = (0..).zip(&topic.partitions).filter_map(|(index, image)| {
            let assignment = Assignment::from(&**image);
            let known = known.and_then(|known| known.partition(index));
            match (assignment.is_hosted_by(self.node_id), known) {
                (true, Some(known)) => {
                    known.assign(self.node_id, &assignment);
                    Some(known.clone())
                }
                (true, None) => Some(self.add_partition(topic, index, &assignment, &logs)),
                (false, Some(known)) => {
                    known.mark_moved(assignment.leader_epoch);
                    self.delete_folder(&known.name);
                    None
                }
                (false, None) => None,
            }
        });
        let partitions: PartitionMap = here.collect();
        if partitions.is_empty() {
            return None;
        }
        let metrics = known.map(|known| known.metrics.clone()).unwrap_or_default();
        Some(Arc::new(HostedTopic { name: topic.name.clone(), id: topic.id, partitions, metrics, logs }))
    }

    fn add_partition(
        &self,
        topic: &TopicImage,
        index: i32,
        assignment: &Assignment<'_>,
        logs: &Arc<TopicLogs>,
    ) -> Arc<Partition> {
        let name = TopicPartition::new(topic.name.clone(), PartitionIndex(index));
        self.claim_folder(&name, topic.id, &logs.config(), assignment.is_replicated());
        let role = assignment.role_of(self.node_id, logs.now());
        Arc::new(Partition::new(name, topic.id, logs.clone(), role))
    }

    /// A folder that a start found gets its topic's configuration at once, so that retention follows it
    /// though nobody uses the partition. One that belongs to an earlier topic of that name was to be
    /// deleted when the process ended.
    fn claim_folder(&self, name: &TopicPartition, id: TopicId, config: &Arc<LogConfig>, is_replicated: bool) {
        if self.logs().get(name).is_none() {
            return;
        }
        match self.logs().get_or_create(name, id, config.clone()) {
            // Nothing is removed by a rule before it is known what is committed.
            Ok(claimed) if is_replicated => claimed.on_high_watermark(Offset::ZERO),
            Ok(_claimed) => {}
            Err(LogError::InconsistentTopicId { found, .. }) => {
                tracing::info!(partition = %name, id = %found, "removing what is left of a deleted topic");
                self.delete_folder(name);
            }
            Err(error) => tracing::error!(partition = %name, %error, "the partition's folder can't be used"),
        }
    }

    fn delete_folder(&self, name: &TopicPartition) {
        if let Err(error) = self.logs().delete(name) {
            tracing::error!(partition = %name, %error, "a deleted partition's folder can't be moved away");
        }
    }

    /// The rates of the configuration are in force.
    fn set_throttles(&self) {
        let config = self.config.current();
        let (throttles, rates) = (&self.shared.throttles, copy_rates(&config));
        throttles.leading.set(rates.leading, copy_windows(&config, config.leader_replication_throttled_rate));
        throttles
            .following
            .set(rates.following, copy_windows(&config, config.follower_replication_throttled_rate));
    }

    fn set_cordoned(&self) {
        let config = self.config.current();
        let places = 0..config.log_dirs.len();
        self.logs().set_cordoned(places.filter(|place| config.is_cordoned(*place)).collect());
    }

    /// Sets aside the folders of partitions that have no replica here: they moved away, or their topic was deleted, while
    /// this node was down. The image is the cluster's of now when this is called (`LogManager.isStrayReplica`). May block.
    pub fn set_strays_aside(&self) {
        let _nothing_comes = self.hosting.lock();
        let hosted = self.hosted.load();
        for log in self.logs().logs() {
            let name = log.partition();
            if hosted.partition(name.topic.as_str(), name.partition.0).is_ok() {
                continue;
            }
            if let Err(error) = self.logs().set_aside(name) {
                tracing::error!(partition = %name, %error, "the folder of a partition that is not here can't be set aside");
            }
        }
    }

    fn drop_topic(&self, topic: &HostedTopic) {
        for partition in &topic.partitions {
            partition.mark_deleted();
            self.delete_folder(&partition.name);
        }
    }

    fn reconfigure(&self, topic: &TopicImage, hosted: &HostedTopic) {
        hosted.logs.set(topic_settings(&self.config.current(), topic));
        let config = hosted.config();
        for partition in &hosted.partitions {
            partition.set_config(config.clone());
        }
    }
}

impl ImageListener for ReplicaManager {
    fn on_image(&self, delta: &Delta, image: &Arc<Image>) {
        let brokers_changed =
            delta.configs_changed.iter().any(|resource| resource.resource_type == ResourceType::Broker);
        if brokers_changed {
            let config = self.config.current();
            self.logs().set_cleaner_settings(cleaner_settings(&config));
            self.logs().set_move_bytes_per_second_max(copy_rates(&config).between_dirs);
            self.set_throttles();
            self.set_cordoned();
        }
        let _hosting = self.hosting.lock();
        let mut hosted = Hosted::clone(&self.hosted.load());
        let is_alone = self.replication.get().is_none();
        let mut moved: Vec<Arc<Partition>> = Vec::new();
        for (name, id) in &delta.topics_deleted {
            if let Some(gone) = hosted.by_id.remove(id) {
                if hosted.by_name.get(name.as_str()).is_some_and(|named| named.id == *id) {
                    hosted.by_name.remove(name.as_str());
                }
                self.drop_topic(&gone);
                moved.extend(gone.partitions.iter().filter(|_| !is_alone).cloned());
            }
        }
        let changed = delta
            .topics_created
            .iter()
            .chain(delta.partitions_added.keys())
            .chain(delta.partitions_changed.iter().map(|(id, _)| id));
        for id in changed {
            let Some(topic) = image.topic_by_id(*id) else { continue };
            let known = hosted.by_id.get(id);
            let before = known.iter().flat_map(|known| &known.partitions);
            moved.extend(before.filter(|_| !is_alone).cloned());
            match self.host(topic, known) {
                Some(now) => {
                    moved.extend(now.partitions.iter().filter(|_| !is_alone).cloned());
                    hosted.by_name.insert(topic.name.clone(), now.clone());
                    hosted.by_id.insert(*id, now);
                }
                None => {
                    hosted.by_name.remove(topic.name.as_str());
                    hosted.by_id.remove(id);
                }
            }
        }
        if brokers_changed {
            for known in hosted.by_name.values() {
                if let Some(topic) = image.topic_by_id(known.id) {
                    self.reconfigure(topic, known);
                }
            }
        } else {
            let topics = delta.configs_changed.iter().filter(|r| r.resource_type == ResourceType::Topic);
            for resource in topics {
                let name = resource.name.as_str();
                if let (Some(known), Some(topic)) = (hosted.by_name.get(name), image.topic(name)) {
                    self.reconfigure(topic, known);
                }
            }
        }
        hosted.image = Some(image.clone());
        self.hosted.store(Arc::new(hosted));
        if !is_alone {
            if !moved.is_empty() {
                self.shared.high_watermarks.note();
            }
            self.follow_replication(moved.iter());
            if delta.brokers_changed {
                // Who is fenced is not waited for.
                self.review_followers(self.logs().clock().monotonic());
            }
        }
    }
}
