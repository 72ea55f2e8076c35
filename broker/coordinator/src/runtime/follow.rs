//! The coordinators follow the metadata image: a shard is where its partition is led.
//! Shell. Subscribed behind the replica room, so a partition is led before its shard loads. A shard has the epoch
//! of its leadership, and what belongs to deleted topics goes with them.

use std::collections::HashSet;
use std::sync::Arc;

use ottla_metadata::{Delta, Image, ImageListener, TopicImage};
use ottla_model::{BrokerId, PartitionIndex};

use super::GroupCoordinator;
use super::runtime::CoordinatorRuntime;
use crate::shard::CoordinatorShard;
use crate::share::ShareCoordinator;
use crate::share_partition::SharePartitionManager;
use crate::topic_lookup::ImageTopics;
use crate::transaction::TransactionCoordinator;

/// The one listener of all coordinators.
pub struct CoordinatorListener {
    pub node_id: BrokerId,
    pub groups: Arc<GroupCoordinator>,
    pub transactions: Arc<TransactionCoordinator>,
    pub share_state: Arc<ShareCoordinator>,
    pub share_partitions: Arc<SharePartitionManager>,
}

impl ImageListener for CoordinatorListener {
    fn on_image(&self, delta: &Delta, image: &Arc<Image>) {
        let topics_changed = !delta.topics_created.is_empty()
            || !delta.partitions_added.is_empty()
            || !delta.topics_deleted.is_empty();
        if topics_changed {
            let version = (!delta.topics_created.is_empty()).then(|| image.metadata_offset().0);
            self.groups.runtime.settings.topics.set(Arc::new(ImageTopics(image.clone())), version);
        }
        // Groups first: a transaction that a load finds undone writes to their partitions.
        self.groups.runtime.follow(self.node_id, delta, image);
        self.transactions.runtime.follow(self.node_id, delta, image);
        self.share_state.runtime.follow(self.node_id, delta, image);
        self.share_partitions.on_leaders_changed(delta, image);
        if topics_changed {
            self.groups.on_topics_changed();
        }
        if !delta.topics_deleted.is_empty() {
            self.groups.on_topics_deleted(&delta.topics_deleted);
            let gone: HashSet<_> = delta.topics_deleted.iter().map(|(_, id)| *id).collect();
            self.share_partitions.on_topics_deleted(&gone);
            self.share_state.on_topics_deleted(&gone);
        }
    }
}

impl<S: CoordinatorShard> CoordinatorRuntime<S> {
    /// Loads what this node leads from now on, and unloads what it does not lead any more.
    pub fn follow(self: &Arc<Self>, node_id: BrokerId, delta: &Delta, image: &Image) {
        if delta.topics_deleted.iter().any(|(name, _)| name.as_str() == S::TOPIC) {
            self.set_partition_count(None);
            self.unload_all();
        }
        let Some(topic) = image.topic(S::TOPIC) else { return };
        let count = topic.partitions.len() as i32;
        for partition in changed_partitions(delta, topic) {
            let led = &topic.partitions[partition as usize];
            match led.leader == Some(node_id) {
                true => self.load(partition, led.leader_epoch),
                false => self.unload(partition, led.leader_epoch),
            }
        }
        self.set_partition_count(Some(count));
    }
}

/// The partitions of the topic whose leader may be another one, in order.
fn changed_partitions(delta: &Delta, topic: &TopicImage) -> Vec<i32> {
    let count = topic.partitions.len() as i32;
    if delta.topics_created.contains(&topic.id) {
        return (0..count).collect();
    }
    let all = (topic.id, PartitionIndex(0))..(topic.id, PartitionIndex(count));
    let mut changed: Vec<i32> = delta.partitions_changed.range(all).map(|(_, index)| index.0).collect();
    if let Some(first) = delta.partitions_added.get(&topic.id) {
        changed.extend(first.0..count);
    }
    changed
}
