//! What a decision about groups must know of topics, and the answers of a metadata image.
//! Core.

use std::fmt;
use std::sync::Arc;

use ottla_metadata::Image;
use ottla_model::{PartitionIndex, TopicId, TopicName};
use parking_lot::RwLock;

use crate::topic_hash::topic_hash;

/// What the coordinator asks about topics; answered from one image of the cluster's metadata.
pub trait TopicLookup {
    fn topic_id(&self, name: &str) -> Option<TopicId>;
    fn topic_name(&self, id: TopicId) -> Option<TopicName>;
    fn has_partition(&self, name: &str, partition: i32) -> bool;

    /// How many partitions a topic has.
    fn partition_count(&self, id: TopicId) -> Option<i32>;

    /// Kafka's hash of a topic's shape; 0 of one that is not there.
    fn topic_hash(&self, name: &str) -> i64;
}

/// The topics of one metadata image.
pub struct ImageTopics(pub Arc<Image>);

impl TopicLookup for ImageTopics {
    fn topic_id(&self, name: &str) -> Option<TopicId> {
        self.0.topic(name).map(|topic| topic.id)
    }

    fn topic_name(&self, id: TopicId) -> Option<TopicName> {
        self.0.topic_by_id(id).map(|topic| topic.name.clone())
    }

    fn has_partition(&self, name: &str, partition: i32) -> bool {
        self.0.partition(name, PartitionIndex(partition)).is_some()
    }

    fn partition_count(&self, id: TopicId) -> Option<i32> {
        self.0.topic_by_id(id).map(|topic| topic.partitions.len() as i32)
    }

    fn topic_hash(&self, name: &str) -> i64 {
        let Some(topic) = self.0.topic(name) else { return 0 };
        let rack_of = |id| self.0.broker(id)?.rack.as_ref().map(|rack| rack.to_string());
        let racks: Vec<Vec<String>> = topic
            .partitions
            .iter()
            .map(|partition| partition.replicas.iter().filter_map(|id| rack_of(*id)).collect())
            .collect();
        topic_hash(topic.id, name, &racks)
    }
}

/// Topics as they are now, for what goes by time and has no request that brings them. All copies are one.
#[derive(Clone)]
pub struct CurrentTopics(Arc<RwLock<Current>>);

struct Current {
    topics: Arc<dyn TopicLookup + Send + Sync>,
    /// The offset of the image that had the newest topic first; -1 before there is one.
    newest_version: i64,
}

impl CurrentTopics {
    pub fn get(&self) -> Arc<dyn TopicLookup + Send + Sync> {
        Arc::clone(&self.0.read().topics)
    }

    pub fn newest_version(&self) -> i64 {
        self.0.read().newest_version
    }

    /// Topics have changed; `version` is the image's, where it has a topic that was not there.
    pub fn set(&self, topics: Arc<dyn TopicLookup + Send + Sync>, version: Option<i64>) {
        let mut current = self.0.write();
        current.topics = topics;
        if let Some(version) = version {
            current.newest_version = version;
        }
    }
}

impl Default for CurrentTopics {
    fn default() -> CurrentTopics {
        CurrentTopics(Arc::new(RwLock::new(Current { topics: Arc::new(NoTopics), newest_version: -1 })))
    }
}

impl fmt::Debug for CurrentTopics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CurrentTopics").field(&self.newest_version()).finish()
    }
}

/// Before there is an image.
struct NoTopics;

impl TopicLookup for NoTopics {
    fn topic_id(&self, _: &str) -> Option<TopicId> {
        None
    }

    fn topic_name(&self, _: TopicId) -> Option<TopicName> {
        None
    }

    fn has_partition(&self, _: &str, _: i32) -> bool {
        false
    }

    fn partition_count(&self, _: TopicId) -> Option<i32> {
        None
    }

    fn topic_hash(&self, _: &str) -> i64 {
        0
    }
}
