//! The only function that changes cluster facts: a record applied to an image.
//! Core. It cannot fail: what makes no sense (a partition of an unknown topic) changes nothing.

use std::sync::Arc;

use ottla_model::{BrokerId, LeaderEpoch, Offset, PartitionIndex, TopicId, TopicName};
use ottla_protocol::records::metadata::{
    BrokerRegistrationChangeRecord, ConfigRecord, MetadataRecord, PartitionChangeRecord, PartitionRecord,
    TopicRecord,
};
use ottla_security::ScramMechanism;
use smallvec::SmallVec;

use crate::controller::features::KRAFT_VERSION;
use crate::controller::{acls, scram};
use crate::delta::Delta;
use crate::image::{
    ConfigResource, Image, LoggedVoters, Overrides, PartitionImage, RarePartitionFacts, Replicas,
    ResourceType, TopicImage, collision_name,
};
use crate::voter_set::VoterSet;

/// `PartitionChangeRecord.leader` when it stays.
pub(crate) const NO_LEADER_CHANGE: i32 = -2;

/// An image that records are being applied to, and what they changed since it was last published.
#[derive(Clone, Debug)]
pub struct Working {
    pub image: Image,
    pub delta: Delta,
    /// Records of a metadata transaction (KIP-868) that has not ended.
    pending: Option<Vec<MetadataRecord>>,
}

impl Working {
    pub fn new(image: Image) -> Working {
        Working { image, delta: Delta::default(), pending: None }
    }

    /// The same facts, of which nothing has changed yet.
    pub fn without_delta(&self) -> Working {
        let Working { image, delta: _, pending } = self;
        Working { image: image.clone(), delta: Delta::default(), pending: pending.clone() }
    }

    /// Applies the record at `offset`, written under the controller's epoch `epoch`.
    pub fn replay(&mut self, record: MetadataRecord, offset: Offset, epoch: LeaderEpoch) {
        self.advance(offset, epoch);
        match record {
            MetadataRecord::BeginTransaction(_) => self.pending = Some(Vec::new()),
            MetadataRecord::AbortTransaction(_) => self.pending = None,
            MetadataRecord::EndTransaction(_) => {
                for record in self.pending.take().unwrap_or_default() {
                    apply(&mut self.image, &mut self.delta, record);
                }
            }
            record => match &mut self.pending {
                Some(pending) => pending.push(record),
                None => apply(&mut self.image, &mut self.delta, record),
            },
        }
    }

    /// A leader began its epoch.
    pub fn replay_leader_change(&mut self, leader: BrokerId, offset: Offset, epoch: LeaderEpoch) {
        self.advance(offset, epoch);
        self.image.controller_id = leader;
    }

    /// Who votes from here on.
    pub fn replay_voters(&mut self, voters: VoterSet, offset: Offset, epoch: LeaderEpoch) {
        self.advance(offset, epoch);
        self.image.voters = Some(LoggedVoters { set: Arc::new(voters), offset });
    }

    /// The level of kraft.version from here on. It is shown as the other features are, and never written as they are.
    pub fn replay_kraft_version(&mut self, level: i16, offset: Offset, epoch: LeaderEpoch) {
        self.advance(offset, epoch);
        self.delta.features_changed = true;
        match level {
            ..=0 => drop(self.image.features.remove(KRAFT_VERSION)),
            1.. => drop(self.image.features.insert(KRAFT_VERSION.to_owned(), level)),
        }
    }

    /// Any other control record was written: it moves the offset and says whose epoch it is.
    pub fn replay_control(&mut self, offset: Offset, epoch: LeaderEpoch) {
        self.advance(offset, epoch);
    }

    fn advance(&mut self, offset: Offset, epoch: LeaderEpoch) {
        self.image.offset = offset;
        self.image.epoch = epoch;
    }

    /// Whether a metadata transaction is under way (only in a log another controller wrote).
    pub fn in_transaction(&self) -> bool {
        self.pending.is_some()
    }
}

fn apply(image: &mut Image, delta: &mut Delta, record: MetadataRecord) {
    match record {
        MetadataRecord::Topic(record) => replay_topic(image, delta, &record),
        MetadataRecord::Partition(record) => replay_partition(image, delta, &record),
        MetadataRecord::PartitionChange(record) => replay_partition_change(image, delta, &record),
        MetadataRecord::RemoveTopic(record) => replay_remove_topic(image, delta, TopicId(record.topic_id)),
        MetadataRecord::Config(record) => replay_config(image, delta, &record),
        MetadataRecord::ClearElr(record) => replay_clear_elr(image, delta, &record.topic_name),
        MetadataRecord::FeatureLevel(record) => {
            delta.features_changed = true;
            if record.feature_level == 0 {
                image.features.remove(record.name.as_str());
            } else {
                image.features.insert(record.name.as_str().to_owned(), record.feature_level);
            }
        }
        MetadataRecord::RegisterBroker(record) => {
            delta.brokers_changed = true;
            image.brokers.insert(BrokerId(record.broker_id), Arc::new(record));
        }
        MetadataRecord::UnregisterBroker(record) => {
            delta.brokers_changed = true;
            image.brokers.remove(&BrokerId(record.broker_id));
        }
        MetadataRecord::FenceBroker(record) => change_fencing(image, delta, BrokerId(record.id), true),
        MetadataRecord::UnfenceBroker(record) => change_fencing(image, delta, BrokerId(record.id), false),
        MetadataRecord::BrokerRegistrationChange(record) => replay_broker_change(image, delta, &record),
        MetadataRecord::RegisterController(record) => {
            image.controllers.insert(BrokerId(record.controller_id), Arc::new(record));
        }
        MetadataRecord::ProducerIds(ref ids) => {
            delta.producer_ids_changed = true;
            image.next_producer_id = ids.next_producer_id;
            image.producer_ids = Some(Arc::new(record));
        }
        MetadataRecord::AccessControlEntry(record) => {
            delta.others_changed = true;
            Arc::make_mut(&mut image.acls).insert(record.id, acls::binding_of(&record));
        }
        MetadataRecord::RemoveAccessControlEntry(record) => {
            delta.others_changed = true;
            Arc::make_mut(&mut image.acls).remove(record.id);
        }
        MetadataRecord::UserScramCredential(record) => {
            delta.others_changed = true;
            if let Some((mechanism, credential)) = scram::credential_of(&record) {
                image.scram.insert(&record.name, mechanism, credential);
            }
        }
        MetadataRecord::RemoveUserScramCredential(record) => {
            delta.others_changed = true;
            if let Some(mechanism) = ScramMechanism::from_code(record.mechanism) {
                image.scram.remove(&record.name, mechanism);
            }
        }
        MetadataRecord::ClientQuota(record) => {
            delta.others_changed = true;
            image.client_quotas.replay(&record);
        }
        MetadataRecord::DelegationToken(record) => {
            delta.others_changed = true;
            image.tokens.insert(record.token_id.to_string(), Arc::new(record));
        }
        MetadataRecord::RemoveDelegationToken(record) => {
            delta.others_changed = true;
            image.tokens.remove(record.token_id.as_str());
        }
        // Nothing of ZooKeeper's time is kept; transactions are the caller's.
        MetadataRecord::NoOp(_)
        | MetadataRecord::ZkMigrationState(_)
        | MetadataRecord::BeginTransaction(_)
        | MetadataRecord::EndTransaction(_)
        | MetadataRecord::AbortTransaction(_) => {}
    }
}

fn replay_topic(image: &mut Image, delta: &mut Delta, record: &TopicRecord) {
    let name = TopicName::new(&record.name);
    let id = TopicId(record.topic_id);
    if let Some(older) = image.topics.get(&name).map(|topic| topic.id) {
        replay_remove_topic(image, delta, older);
    }
    if let Some(key) = collision_name(name.as_str()) {
        let mut names = image.collisions.get(&key).cloned().unwrap_or_default();
        names.insert(name.clone(), ());
        image.collisions.insert(key, names);
    }
    let topic = TopicImage {
        name: name.clone(),
        id,
        partitions: Vec::new(),
        internal: name.is_internal(),
        overrides: Overrides::default(),
    };
    image.names.insert(id, name.clone());
    image.topics.insert(name, Arc::new(topic));
    delta.topics_created.insert(id);
}

fn replay_remove_topic(image: &mut Image, delta: &mut Delta, id: TopicId) {
    let Some(name) = image.names.remove(&id) else { return };
    if let Some(topic) = image.topics.remove(&name) {
        image.partition_count -= topic.partitions.len();
    }
    if let Some(key) = collision_name(name.as_str())
        && let Some(names) = image.collisions.get(&key)
    {
        let mut names = names.clone();
        names.remove(&name);
        if names.is_empty() {
            image.collisions.remove(&key);
        } else {
            image.collisions.insert(key, names);
        }
    }
    delta.on_topic_deleted(name, id);
}

fn topic_mut(image: &mut Image, id: TopicId) -> Option<&mut TopicImage> {
    let name = image.names.get(&id)?;
    image.topics.get_mut(name).map(Arc::make_mut)
}

fn replay_partition(image: &mut Image, delta: &mut Delta, record: &PartitionRecord) {
    let id = TopicId(record.topic_id);
    let Ok(index) = usize::try_from(record.partition_id) else { return };
    let Some(topic) = topic_mut(image, id) else { return };
    let partition = partition_image(record);
    let known = topic.partitions.len();
    if index < known {
        topic.partitions[index] = Arc::new(partition);
        delta.on_partition_changed(id, PartitionIndex(record.partition_id));
        return;
    }
    // A snapshot may list partitions in any order: the ones between follow.
    let absent = Arc::new(partition_image(&PartitionRecord::default()));
    topic.partitions.resize(index, absent);
    topic.partitions.push(Arc::new(partition));
    image.partition_count += index + 1 - known;
    delta.on_partition_added(id, PartitionIndex(known as i32));
}

fn replicas(ids: &[i32]) -> Replicas {
    ids.iter().copied().map(BrokerId).collect()
}

fn broker_ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

fn leader(id: i32) -> Option<BrokerId> {
    (id >= 0).then_some(BrokerId(id))
}

fn rare(facts: RarePartitionFacts) -> Option<Box<RarePartitionFacts>> {
    (facts != RarePartitionFacts::default()).then(|| Box::new(facts))
}

fn partition_image(record: &PartitionRecord) -> PartitionImage {
    PartitionImage {
        leader: leader(record.leader),
        leader_epoch: LeaderEpoch(record.leader_epoch),
        partition_epoch: record.partition_epoch,
        replicas: replicas(&record.replicas),
        isr: replicas(&record.isr),
        directories: SmallVec::from_slice(&record.directories),
        recovering: record.leader_recovery_state == 1,
        rare: rare(RarePartitionFacts {
            adding_replicas: broker_ids(&record.adding_replicas),
            removing_replicas: broker_ids(&record.removing_replicas),
            elr: broker_ids(record.eligible_leader_replicas.as_deref().unwrap_or_default()),
            last_known_elr: broker_ids(record.last_known_elr.as_deref().unwrap_or_default()),
        }),
    }
}

fn replay_partition_change(image: &mut Image, delta: &mut Delta, record: &PartitionChangeRecord) {
    let id = TopicId(record.topic_id);
    let Some(topic) = topic_mut(image, id) else { return };
    let Some(slot) = usize::try_from(record.partition_id).ok().and_then(|i| topic.partitions.get_mut(i))
    else {
        return;
    };
    change_partition(Arc::make_mut(slot), record);
    delta.on_partition_changed(id, PartitionIndex(record.partition_id));
}

/// A partition as it is after a change that is not replayed yet.
pub(crate) fn changed_partition(
    partition: &PartitionImage,
    record: &PartitionChangeRecord,
) -> PartitionImage {
    let mut partition = partition.clone();
    change_partition(&mut partition, record);
    partition
}

fn change_partition(partition: &mut PartitionImage, record: &PartitionChangeRecord) {
    partition.partition_epoch += 1;
    if record.leader != NO_LEADER_CHANGE {
        partition.leader = leader(record.leader);
        partition.leader_epoch = LeaderEpoch(partition.leader_epoch.0 + 1);
    }
    if let Some(ids) = &record.isr {
        partition.isr = replicas(ids);
    }
    if let Some(ids) = &record.replicas {
        partition.replicas = replicas(ids);
    }
    if let Some(directories) = &record.directories {
        partition.directories = SmallVec::from_slice(directories);
    }
    match record.leader_recovery_state {
        0 => partition.recovering = false,
        1 => partition.recovering = true,
        _ => {}
    }
    let mut facts = partition.rare.take().map_or_else(RarePartitionFacts::default, |facts| *facts);
    for (field, change) in [
        (&mut facts.adding_replicas, &record.adding_replicas),
        (&mut facts.removing_replicas, &record.removing_replicas),
        (&mut facts.elr, &record.eligible_leader_replicas),
        (&mut facts.last_known_elr, &record.last_known_elr),
    ] {
        if let Some(ids) = change {
            *field = broker_ids(ids);
        }
    }
    partition.rare = rare(facts);
}

fn replay_clear_elr(image: &mut Image, delta: &mut Delta, topic_name: &str) {
    let ids: Vec<TopicId> = if topic_name.is_empty() {
        image.names.keys().copied().collect()
    } else {
        image.topics.get(topic_name).map(|topic| topic.id).into_iter().collect()
    };
    for id in ids {
        let has_elr = |partition: &Arc<PartitionImage>| {
            !partition.elr().is_empty() || !partition.last_known_elr().is_empty()
        };
        if !image.topic_by_id(id).is_some_and(|topic| topic.partitions.iter().any(has_elr)) {
            continue;
        }
        let Some(topic) = topic_mut(image, id) else { continue };
        for (index, slot) in topic.partitions.iter_mut().enumerate().filter(|(_, slot)| has_elr(slot)) {
            let partition = Arc::make_mut(slot);
            let mut facts = partition.rare.take().map_or_else(RarePartitionFacts::default, |facts| *facts);
            facts.elr.clear();
            facts.last_known_elr.clear();
            partition.rare = rare(facts);
            delta.on_partition_changed(id, PartitionIndex(index as i32));
        }
    }
}

fn changed(overrides: &Overrides, record: &ConfigRecord) -> Overrides {
    let mut overrides = overrides.clone();
    let settings = Arc::make_mut(&mut overrides);
    match &record.value {
        Some(value) => settings.insert(record.name.as_str().to_owned(), value.as_str().to_owned()),
        None => settings.remove(record.name.as_str()),
    };
    overrides
}

fn replay_config(image: &mut Image, delta: &mut Delta, record: &ConfigRecord) {
    let Some(resource_type) = ResourceType::from_code(record.resource_type) else { return };
    let resource = ConfigResource::new(resource_type, record.resource_name.as_str());
    if resource_type == ResourceType::Topic {
        let Some(topic) = image.topics.get_mut(resource.name.as_str()).map(Arc::make_mut) else { return };
        topic.overrides = changed(&topic.overrides, record);
        if !delta.topics_created.contains(&topic.id) {
            delta.topics_configured.insert(topic.id);
            delta.configs_changed.insert(resource);
        }
        return;
    }
    let overrides = changed(&image.configs.get(&resource).cloned().unwrap_or_default(), record);
    if overrides.is_empty() {
        image.configs.remove(&resource);
    } else {
        image.configs.insert(resource.clone(), overrides);
    }
    delta.configs_changed.insert(resource);
}

fn change_fencing(image: &mut Image, delta: &mut Delta, id: BrokerId, fenced: bool) {
    if let Some(broker) = image.brokers.get_mut(&id) {
        Arc::make_mut(broker).fenced = fenced;
        delta.brokers_changed = true;
    }
}

fn replay_broker_change(image: &mut Image, delta: &mut Delta, record: &BrokerRegistrationChangeRecord) {
    let Some(broker) = image.brokers.get_mut(&BrokerId(record.broker_id)) else { return };
    let broker = Arc::make_mut(broker);
    match record.fenced {
        -1 => broker.fenced = false,
        1 => broker.fenced = true,
        _ => {}
    }
    if record.in_controlled_shutdown == 1 {
        broker.in_controlled_shutdown = true;
    }
    if !record.log_dirs.is_empty() {
        broker.log_dirs.clone_from(&record.log_dirs);
    }
    if record.cordoned_log_dirs.is_some() {
        broker.cordoned_log_dirs.clone_from(&record.cordoned_log_dirs);
    }
    delta.brokers_changed = true;
}
