//! The cluster's facts at one offset of the metadata log: immutable, cheap to clone, read by everyone.
//! Core.
//!
//! Maps are persistent (imbl): a change copies a path of a few nodes, so ten thousand topics created
//! one after another cost ten thousand small steps, and a reader keeps its image as long as it likes.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;
use ottla_model::{BrokerId, LeaderEpoch, Offset, PartitionIndex, TopicId, TopicName};
use ottla_protocol::records::metadata::{
    DelegationTokenRecord, MetadataRecord, RegisterBrokerRecord, RegisterControllerRecord,
};
use ottla_security::{Acls, ScramCredentials};
use smallvec::SmallVec;
use uuid::Uuid;

use crate::client_quotas::ClientQuotas;
use crate::voter_set::VoterSet;

/// Broker ids of a partition's replicas; up to four need no allocation.
pub type Replicas = SmallVec<[BrokerId; 4]>;

/// Settings of one resource, name to value.
pub type Overrides = Arc<BTreeMap<String, String>>;

/// Kafka's `DirectoryId.UNASSIGNED`: the replica's log directory is not chosen by the controller.
pub const DIRECTORY_UNASSIGNED: Uuid = Uuid::nil();

/// What a configuration belongs to; the numbers are those of the wire (`ConfigResource.Type`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum ResourceType {
    Topic = 2,
    Broker = 4,
    BrokerLogger = 8,
    ClientMetrics = 16,
    Group = 32,
}

impl ResourceType {
    pub fn from_code(code: i8) -> Option<ResourceType> {
        Some(match code {
            2 => ResourceType::Topic,
            4 => ResourceType::Broker,
            8 => ResourceType::BrokerLogger,
            16 => ResourceType::ClientMetrics,
            32 => ResourceType::Group,
            _ => return None,
        })
    }

    pub fn code(self) -> i8 {
        self as i8
    }
}

/// A thing that has settings: a topic, a broker (empty name: all brokers), a group, ...
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct ConfigResource {
    pub resource_type: ResourceType,
    pub name: String,
}

impl ConfigResource {
    pub fn new(resource_type: ResourceType, name: impl Into<String>) -> ConfigResource {
        ConfigResource { resource_type, name: name.into() }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct Image {
    pub(crate) offset: Offset,
    pub(crate) epoch: LeaderEpoch,
    pub(crate) cluster_id: Arc<str>,
    pub(crate) controller_id: BrokerId,
    pub(crate) features: OrdMap<String, i16>,
    pub(crate) brokers: OrdMap<BrokerId, Arc<RegisterBrokerRecord>>,
    pub(crate) controllers: OrdMap<BrokerId, Arc<RegisterControllerRecord>>,
    pub(crate) topics: OrdMap<TopicName, Arc<TopicImage>>,
    pub(crate) names: OrdMap<TopicId, TopicName>,
    /// Names with `.` or `_`, by the name with every `.` made `_`: what must not collide.
    pub(crate) collisions: OrdMap<String, OrdMap<TopicName, ()>>,
    pub(crate) partition_count: usize,
    /// Settings of everything but topics, which carry their own.
    pub(crate) configs: OrdMap<ConfigResource, Overrides>,
    pub(crate) next_producer_id: i64,
    pub(crate) producer_ids: Option<Arc<MetadataRecord>>,
    pub(crate) acls: Arc<Acls>,
    pub(crate) scram: ScramCredentials,
    pub(crate) client_quotas: ClientQuotas,
    /// Delegation tokens by their ids. Without the cluster's secret nobody can use them.
    pub(crate) tokens: OrdMap<String, Arc<DelegationTokenRecord>>,
    /// Who votes, where the log says it (kraft.version 1).
    pub(crate) voters: Option<LoggedVoters>,
}

/// A set of voters with the place of its record.
#[derive(Clone, Debug)]
pub struct LoggedVoters {
    pub set: Arc<VoterSet>,
    /// Below 0 where no record says it but the snapshot that a directory was formatted with. A snapshot keeps the set and
    /// not its place.
    pub offset: Offset,
}

impl PartialEq for LoggedVoters {
    fn eq(&self, other: &LoggedVoters) -> bool {
        self.set == other.set
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct TopicImage {
    pub name: TopicName,
    pub id: TopicId,
    /// By partition index.
    pub partitions: Vec<Arc<PartitionImage>>,
    pub internal: bool,
    pub overrides: Overrides,
}

impl TopicImage {
    pub fn partition(&self, index: PartitionIndex) -> Option<&Arc<PartitionImage>> {
        usize::try_from(index.0).ok().and_then(|index| self.partitions.get(index))
    }

    pub fn replication_factor(&self) -> i16 {
        self.partitions.first().map_or(0, |partition| partition.replicas.len() as i16)
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct PartitionImage {
    pub leader: Option<BrokerId>,
    pub leader_epoch: LeaderEpoch,
    pub partition_epoch: i32,
    pub replicas: Replicas,
    pub isr: Replicas,
    /// The log directory of each replica, in the order of `replicas`.
    pub directories: SmallVec<[Uuid; 1]>,
    /// The leader was elected uncleanly and has not yet recovered.
    pub recovering: bool,
    /// What nearly no partition has.
    pub(crate) rare: Option<Box<RarePartitionFacts>>,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct RarePartitionFacts {
    pub adding_replicas: Vec<BrokerId>,
    pub removing_replicas: Vec<BrokerId>,
    pub elr: Vec<BrokerId>,
    pub last_known_elr: Vec<BrokerId>,
}

impl PartitionImage {
    /// Replicas that are being added by a reassignment.
    pub fn adding_replicas(&self) -> &[BrokerId] {
        self.rare.as_ref().map_or(&[], |rare| &rare.adding_replicas)
    }

    /// Replicas that are being removed by a reassignment.
    pub fn removing_replicas(&self) -> &[BrokerId] {
        self.rare.as_ref().map_or(&[], |rare| &rare.removing_replicas)
    }

    /// Eligible leader replicas (KIP-966).
    pub fn elr(&self) -> &[BrokerId] {
        self.rare.as_ref().map_or(&[], |rare| &rare.elr)
    }

    /// The last known members of the ELR (KIP-966).
    pub fn last_known_elr(&self) -> &[BrokerId] {
        self.rare.as_ref().map_or(&[], |rare| &rare.last_known_elr)
    }

    /// The first replica, which leads when it can.
    pub fn preferred_leader(&self) -> Option<BrokerId> {
        self.replicas.first().copied()
    }
}

impl Image {
    /// Nothing has been written yet.
    pub fn empty(cluster_id: &str, controller_id: BrokerId) -> Image {
        Image {
            offset: Offset::NONE,
            epoch: LeaderEpoch(0),
            cluster_id: Arc::from(cluster_id),
            controller_id,
            features: OrdMap::new(),
            brokers: OrdMap::new(),
            controllers: OrdMap::new(),
            topics: OrdMap::new(),
            names: OrdMap::new(),
            collisions: OrdMap::new(),
            partition_count: 0,
            configs: OrdMap::new(),
            next_producer_id: 0,
            producer_ids: None,
            acls: Arc::default(),
            scram: ScramCredentials::default(),
            client_quotas: ClientQuotas::default(),
            tokens: OrdMap::new(),
            voters: None,
        }
    }

    /// Who votes, where the log says it and not the configuration.
    pub fn voters(&self) -> Option<&LoggedVoters> {
        self.voters.as_ref()
    }

    /// The offset of the last record this image holds; -1 when there is none.
    pub fn metadata_offset(&self) -> Offset {
        self.offset
    }

    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    pub fn controller_id(&self) -> BrokerId {
        self.controller_id
    }

    /// The controller's epoch.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// What is switched on, by name; a level of 0 is not listed.
    pub fn finalized_features(&self) -> impl Iterator<Item = (&str, i16)> {
        self.features.iter().map(|(name, level)| (name.as_str(), *level))
    }

    /// The level of a feature; 0 when it is off.
    pub fn feature_level(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or(0)
    }

    /// Never goes back while the log lives: it is the metadata offset, as on Kafka's brokers.
    pub fn finalized_features_epoch(&self) -> i64 {
        self.offset.0
    }

    pub fn topic(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.topics.get(name)
    }

    pub fn topic_by_id(&self, id: TopicId) -> Option<&Arc<TopicImage>> {
        self.names.get(&id).and_then(|name| self.topics.get(name))
    }

    /// All topics in the order of their names.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.topics.values()
    }

    /// Topics whose names are not before `name`, in order: for answers that come in pages.
    pub fn topics_from(&self, name: &TopicName) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.topics.range(name.clone()..).map(|(_, topic)| topic)
    }

    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    pub fn partition_count(&self) -> usize {
        self.partition_count
    }

    pub fn partition(&self, name: &str, index: PartitionIndex) -> Option<&Arc<PartitionImage>> {
        self.topic(name)?.partition(index)
    }

    /// What was set on a resource; empty when nothing was.
    pub fn overrides(&self, resource: &ConfigResource) -> Overrides {
        let found = match resource.resource_type {
            ResourceType::Topic => self.topic(&resource.name).map(|topic| &topic.overrides),
            ResourceType::Broker
            | ResourceType::BrokerLogger
            | ResourceType::ClientMetrics
            | ResourceType::Group => self.configs.get(resource),
        };
        found.cloned().unwrap_or_default()
    }

    pub fn topic_overrides(&self, name: &str) -> Overrides {
        self.topic(name).map(|topic| topic.overrides.clone()).unwrap_or_default()
    }

    /// Dynamic settings of one broker, or (`None`) of all.
    pub fn broker_dynamic(&self, broker: Option<BrokerId>) -> Overrides {
        let name = broker.map_or(String::new(), |broker| broker.to_string());
        self.overrides(&ConfigResource::new(ResourceType::Broker, name))
    }

    pub fn group_overrides(&self, group: &str) -> Overrides {
        self.overrides(&ConfigResource::new(ResourceType::Group, group))
    }

    pub fn client_metrics(&self, name: &str) -> Overrides {
        self.overrides(&ConfigResource::new(ResourceType::ClientMetrics, name))
    }

    /// Every resource but topics that has settings.
    pub fn configured_resources(&self) -> impl Iterator<Item = (&ConfigResource, &Overrides)> {
        self.configs.iter()
    }

    /// Registered brokers by id.
    pub fn brokers(&self) -> impl Iterator<Item = (BrokerId, &Arc<RegisterBrokerRecord>)> {
        self.brokers.iter().map(|(id, broker)| (*id, broker))
    }

    pub fn broker(&self, id: BrokerId) -> Option<&Arc<RegisterBrokerRecord>> {
        self.brokers.get(&id)
    }

    /// Brokers that take new replicas, in the order of their ids.
    pub fn active_brokers(&self) -> impl Iterator<Item = BrokerId> {
        self.brokers
            .iter()
            .filter(|(_, broker)| !broker.fenced && !broker.in_controlled_shutdown)
            .map(|(id, _)| *id)
    }

    pub fn is_active(&self, id: BrokerId) -> bool {
        self.brokers.get(&id).is_some_and(|broker| !broker.fenced && !broker.in_controlled_shutdown)
    }

    /// Who may do what, as the authorizer reads it.
    pub fn acls(&self) -> &Arc<Acls> {
        &self.acls
    }

    pub fn scram_credentials(&self) -> &ScramCredentials {
        &self.scram
    }

    pub fn client_quotas(&self) -> &ClientQuotas {
        &self.client_quotas
    }

    /// Delegation tokens in the order of their ids, those that have ended too until they are removed.
    pub fn tokens(&self) -> impl Iterator<Item = &DelegationTokenRecord> {
        self.tokens.values().map(|token| &**token)
    }

    pub fn token(&self, id: &str) -> Option<&DelegationTokenRecord> {
        self.tokens.get(id).map(|token| &**token)
    }

    /// Nodes that registered as controllers.
    pub fn controllers(&self) -> impl Iterator<Item = BrokerId> {
        self.controllers.keys().copied()
    }

    /// Where a controller has registered this listener of its own.
    pub fn controller_at(&self, id: BrokerId, listener: &str) -> Option<(&str, u16)> {
        let mut end_points = self.controllers.get(&id)?.end_points.iter();
        let found = end_points.find(|one| one.name.as_str() == listener)?;
        Some((found.host.as_str(), found.port))
    }

    /// The first producer id that no block holds.
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }
}

/// The name that colliding names share; `None` when the name can't collide.
pub(crate) fn collision_name(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}
