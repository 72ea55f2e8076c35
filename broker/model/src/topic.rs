//! Topics and partitions: their names, ids and numbers.
//! Core.

use std::fmt;
use std::sync::Arc;

use crate::limits::TOPIC_NAME_BYTES_MAX;

/// The topic that keeps groups and their offsets (`Topic.GROUP_METADATA_TOPIC_NAME`).
pub const GROUP_METADATA_TOPIC: &str = "__consumer_offsets";
/// The topic that keeps transactions (`Topic.TRANSACTION_STATE_TOPIC_NAME`).
pub const TRANSACTION_STATE_TOPIC: &str = "__transaction_state";
/// The topic that keeps the state of share groups (`Topic.SHARE_GROUP_STATE_TOPIC_NAME`).
pub const SHARE_GROUP_STATE_TOPIC: &str = "__share_group_state";

/// A topic's name. Cheap to clone; not checked on construction, because a client may ask about any
/// name: `validate` is what a creation must pass.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName(Arc<str>);

/// Why a name can't be a topic's. The text is Kafka's (`org.apache.kafka.common.internals.Topic`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTopicName {
    #[error("Topic name is invalid: the empty string is not allowed")]
    Empty,
    #[error("Topic name is invalid: '{0}' is not allowed")]
    Dots(String),
    #[error(
        "Topic name is invalid: the length of '{0}' is longer than the max allowed length {TOPIC_NAME_BYTES_MAX}"
    )]
    TooLong(String),
    #[error(
        "Topic name is invalid: '{0}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    )]
    Characters(String),
}

impl TopicName {
    pub fn new(name: &str) -> TopicName {
        TopicName(Arc::from(name))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Kafka's rules for a name (`Topic.validate`).
    pub fn validate(&self) -> Result<(), InvalidTopicName> {
        let name = self.as_str();
        if name.is_empty() {
            return Err(InvalidTopicName::Empty);
        }
        if name == "." || name == ".." {
            return Err(InvalidTopicName::Dots(name.to_owned()));
        }
        if name.len() > TOPIC_NAME_BYTES_MAX {
            return Err(InvalidTopicName::TooLong(name.to_owned()));
        }
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
            return Err(InvalidTopicName::Characters(name.to_owned()));
        }
        Ok(())
    }

    /// Topics the broker keeps for itself (`Topic.isInternal`).
    pub fn is_internal(&self) -> bool {
        matches!(self.as_str(), GROUP_METADATA_TOPIC | TRANSACTION_STATE_TOPIC | SHARE_GROUP_STATE_TOPIC)
    }

    /// Names that differ only in `.` and `_` collide in metric names, so Kafka refuses the second
    /// (`Topic.hasCollision`).
    pub fn collides_with(&self, other: &TopicName) -> bool {
        self.0.len() == other.0.len()
            && self
                .0
                .bytes()
                .zip(other.0.bytes())
                .all(|(a, b)| (if a == b'.' { b'_' } else { a }) == (if b == b'.' { b'_' } else { b }))
    }
}

impl std::borrow::Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.as_str())
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl From<&str> for TopicName {
    fn from(name: &str) -> TopicName {
        TopicName::new(name)
    }
}

/// A topic's identity over its whole life (KIP-516); a recreated topic gets another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TopicId(pub uuid::Uuid);

impl TopicId {
    /// "No id": what old requests carry.
    pub const ZERO: TopicId = TopicId(uuid::Uuid::nil());
    /// The id Kafka reserves for the metadata topic.
    pub const METADATA: TopicId = TopicId(uuid::Uuid::from_u128(1));

    /// Builds an id from random bits, skipping the ones Kafka reserves and those whose text starts
    /// with `-` (they upset command lines; `Uuid.randomUuid`).
    pub fn from_random(bits: impl Fn() -> [u8; 16]) -> TopicId {
        loop {
            let id = TopicId(uuid::Builder::from_random_bytes(bits()).into_uuid());
            if id != TopicId::ZERO && id != TopicId::METADATA && !id.to_string().starts_with('-') {
                return id;
            }
        }
    }

    pub fn is_zero(self) -> bool {
        self == TopicId::ZERO
    }

    /// Parses Kafka's text form (see `Display`).
    pub fn parse(text: &str) -> Option<TopicId> {
        let mut bits: u128 = 0;
        if text.len() != 22 {
            return None;
        }
        for (index, byte) in text.bytes().enumerate() {
            let value = BASE64_URL.iter().position(|c| *c == byte)? as u128;
            if index < 21 {
                bits = (bits << 6) | value;
            } else {
                bits = (bits << 2) | (value >> 4);
            }
        }
        Some(TopicId(uuid::Uuid::from_u128(bits)))
    }
}

const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Kafka prints ids as URL-safe base64 without padding: 22 characters.
impl fmt::Display for TopicId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0.as_u128();
        let mut text = [0u8; 22];
        for (index, slot) in text.iter_mut().enumerate() {
            let value = if index < 21 { bits >> (128 - 6 * (index + 1)) } else { bits << 4 };
            *slot = BASE64_URL[(value & 63) as usize];
        }
        formatter.write_str(std::str::from_utf8(&text).expect("base64 is ASCII"))
    }
}

/// The number of a partition within its topic, from 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct PartitionIndex(pub i32);

impl fmt::Display for PartitionIndex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// One partition, by name: what its folder is called (`topic-0`).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TopicPartition {
    pub topic: TopicName,
    pub partition: PartitionIndex,
}

impl TopicPartition {
    pub fn new(topic: TopicName, partition: PartitionIndex) -> TopicPartition {
        TopicPartition { topic, partition }
    }

    /// Parses a folder's name: everything before the last `-` is the topic.
    pub fn parse(folder: &str) -> Option<TopicPartition> {
        let (topic, partition) = folder.rsplit_once('-')?;
        let partition: i32 = partition.parse().ok()?;
        (partition >= 0 && !topic.is_empty())
            .then(|| TopicPartition::new(TopicName::new(topic), PartitionIndex(partition)))
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.topic, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_kafka_s_rules() {
        assert_eq!(TopicName::new("orders.v1_a-b").validate(), Ok(()));
        assert_eq!(TopicName::new("").validate(), Err(InvalidTopicName::Empty));
        assert_eq!(TopicName::new("..").validate(), Err(InvalidTopicName::Dots("..".into())));
        assert!(matches!(TopicName::new("a b").validate(), Err(InvalidTopicName::Characters(_))));
        assert!(matches!(TopicName::new(&"x".repeat(250)).validate(), Err(InvalidTopicName::TooLong(_))));
        assert!(TopicName::new("a.b").collides_with(&TopicName::new("a_b")));
        assert!(!TopicName::new("a.b").collides_with(&TopicName::new("a-b")));
    }

    #[test]
    fn ids_print_and_parse_as_kafka_s() {
        // org.apache.kafka.common.Uuid.METADATA_TOPIC_ID prints so.
        assert_eq!(TopicId::METADATA.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        let id = TopicId(uuid::Uuid::from_u128(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210));
        assert_eq!(TopicId::parse(&id.to_string()), Some(id));
        assert_eq!(TopicId::parse("short"), None);
    }

    #[test]
    fn a_folder_name_is_split_at_its_last_dash() {
        let parsed = TopicPartition::parse("a-b-12").expect("a partition's folder");
        assert_eq!(parsed, TopicPartition::new(TopicName::new("a-b"), PartitionIndex(12)));
        assert_eq!(TopicPartition::parse("nodash"), None);
        assert_eq!(TopicPartition::parse("-3"), None);
    }
}
