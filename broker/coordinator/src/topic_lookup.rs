//! What a decision about groups must know of topics; the room above answers it from the metadata image.
//! Core.

use ottla_model::{TopicId, TopicName};

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
