//! What changed between two images: all that a subscriber must look at.
//! Core.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_model::{PartitionIndex, TopicId, TopicName};

use crate::image::{ConfigResource, Image, ResourceType};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// New topics, with all their partitions and settings: these are in none of the other lists.
    pub topics_created: BTreeSet<TopicId>,
    pub topics_deleted: Vec<(TopicName, TopicId)>,
    /// Topics that grew, with the index of the first new partition.
    pub partitions_added: BTreeMap<TopicId, PartitionIndex>,
    /// Partitions whose leader, replicas or in-sync replicas changed.
    pub partitions_changed: BTreeSet<(TopicId, PartitionIndex)>,
    pub configs_changed: BTreeSet<ConfigResource>,
    /// The topics among `configs_changed`, by id.
    pub topics_configured: BTreeSet<TopicId>,
    pub brokers_changed: bool,
    pub features_changed: bool,
    pub producer_ids_changed: bool,
    /// Quotas, ACLs, credentials or tokens.
    pub others_changed: bool,
}

impl Delta {
    /// From nothing to this image.
    pub fn from_empty(image: &Image) -> Delta {
        Delta {
            topics_created: image.names.keys().copied().collect(),
            configs_changed: image.configs.keys().cloned().collect(),
            brokers_changed: !image.brokers.is_empty(),
            features_changed: !image.features.is_empty(),
            producer_ids_changed: image.producer_ids.is_some(),
            others_changed: !(image.tokens.is_empty()
                && image.acls.is_empty()
                && image.scram.is_empty()
                && image.client_quotas.is_empty()),
            ..Delta::default()
        }
    }

    /// From one image to a later one whose records are not known.
    pub(crate) fn between(before: &Image, after: &Image) -> Delta {
        let configs = before.configs.iter().chain(after.configs.iter());
        let is_changed =
            |resource: &ConfigResource| before.configs.get(resource) != after.configs.get(resource);
        let mut delta = Delta {
            configs_changed: configs
                .map(|(resource, _)| resource)
                .filter(|one| is_changed(one))
                .cloned()
                .collect(),
            brokers_changed: before.brokers != after.brokers || before.controllers != after.controllers,
            features_changed: before.features != after.features,
            producer_ids_changed: before.producer_ids != after.producer_ids,
            others_changed: before.tokens != after.tokens
                || before.acls != after.acls
                || before.scram != after.scram
                || before.client_quotas != after.client_quotas,
            ..Delta::default()
        };
        for (id, name) in before.names.iter().filter(|(id, _)| !after.names.contains_key(*id)) {
            delta.topics_deleted.push((name.clone(), *id));
        }
        for (id, name) in &after.names {
            let Some(topic) = after.topics.get(name) else { continue };
            let Some(old) = before.names.get(id).and_then(|name| before.topics.get(name)) else {
                delta.topics_created.insert(*id);
                continue;
            };
            if old.overrides != topic.overrides {
                delta.configs_changed.insert(ConfigResource::new(ResourceType::Topic, name.as_str()));
                delta.topics_configured.insert(*id);
            }
            if topic.partitions.len() > old.partitions.len() {
                delta.partitions_added.insert(*id, PartitionIndex(old.partitions.len() as i32));
            }
            for (index, (one, other)) in old.partitions.iter().zip(&topic.partitions).enumerate() {
                if one != other {
                    delta.partitions_changed.insert((*id, PartitionIndex(index as i32)));
                }
            }
        }
        delta
    }

    pub fn is_empty(&self) -> bool {
        *self == Delta::default()
    }

    pub(crate) fn on_topic_deleted(&mut self, name: TopicName, id: TopicId) {
        self.partitions_added.remove(&id);
        self.partitions_changed.retain(|(topic, _)| *topic != id);
        self.topics_configured.remove(&id);
        self.configs_changed.remove(&ConfigResource::new(ResourceType::Topic, name.as_str()));
        // A topic that came and went between two images was never there for a subscriber.
        if !self.topics_created.remove(&id) {
            self.topics_deleted.push((name, id));
        }
    }

    pub(crate) fn on_partition_added(&mut self, id: TopicId, index: PartitionIndex) {
        if !self.topics_created.contains(&id) {
            let first = self.partitions_added.entry(id).or_insert(index);
            *first = (*first).min(index);
        }
    }

    pub(crate) fn on_partition_changed(&mut self, id: TopicId, index: PartitionIndex) {
        let is_new = self.partitions_added.get(&id).is_some_and(|first| *first <= index);
        if !is_new && !self.topics_created.contains(&id) {
            self.partitions_changed.insert((id, index));
        }
    }
}

/// A room that follows the cluster's facts.
pub trait ImageListener: Send + Sync {
    /// Called from the room's thread, for each listener in the order of subscription and
    /// before any answer leaves, so that a client that was answered never meets an older state. It
    /// may write to the page cache but must not wait for a device or for the controller.
    fn on_image(&self, delta: &Delta, image: &Arc<Image>);
}
