//! What consumer groups keep in `__consumer_offsets`: the records as values, and as Kafka 4.3.1 writes them.
//! Core.
//!
//! ```text
//! key 3  | group              epoch, hash of the subscribed topics            values are version 0
//! key 4  | group              topics as Kafka before 4.1 kept them; only its tombstone is written
//! key 5  | group | member     who the member is and what it reads
//! key 6  | group              epoch and time of the target assignment
//! key 7  | group | member     the member's target assignment
//! key 8  | group | member     the member's epochs, state, partitions and those it has to give back
//! key 16 | group | pattern    the topics that match a regular expression
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use ottla_model::{GroupId, MemberId, TopicId, TopicName};
use ottla_protocol::EncodeError;
use ottla_protocol::records::group::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue, ConsumerGroupPartitionMetadataKey, ConsumerGroupRegularExpressionKey,
    ConsumerGroupRegularExpressionValue, ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMemberValue, ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMetadataValue, GroupKey, GroupValue,
    consumer_group_current_member_assignment_value as current_value,
    consumer_group_member_metadata_value as member_value,
    consumer_group_target_assignment_member_value as target_value,
};
use ottla_protocol::records::{encode_key, encode_value};

use super::codec::{CoordinatorRecord, shared_text};
use super::{Assignment, TargetAssignmentEpoch};
use crate::wire::text;

const VALUE_VERSION: i16 = 0;

/// A member's partitions by topic, each with the group's epoch in which the member was given it (KIP-1251).
pub type Owned = BTreeMap<TopicId, BTreeMap<i32, i32>>;

/// One record of a consumer group; a value of `None` is a tombstone.
#[derive(Clone, PartialEq, Debug)]
pub enum ConsumerRecord {
    Metadata(Option<ConsumerGroupEpoch>),
    /// `Some` where an older Kafka wrote one. Nothing but the tombstone is ever written.
    PartitionMetadata(Option<()>),
    MemberMetadata {
        member: MemberId,
        value: Option<Arc<ConsumerMemberMetadata>>,
    },
    TargetAssignmentMetadata(Option<TargetAssignmentEpoch>),
    TargetAssignmentMember {
        member: MemberId,
        value: Option<Assignment>,
    },
    CurrentMemberAssignment {
        member: MemberId,
        value: Option<ConsumerCurrentAssignment>,
    },
    RegularExpression {
        pattern: Arc<str>,
        value: Option<ResolvedPattern>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConsumerGroupEpoch {
    pub epoch: i32,
    pub metadata_hash: i64,
}

#[derive(Clone, PartialEq, Debug)]
pub struct ConsumerMemberMetadata {
    /// Of a static member.
    pub instance_id: Option<Arc<str>>,
    pub rack_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub subscribed_topics: BTreeSet<TopicName>,
    /// Empty where it reads topics by name alone.
    pub pattern: Arc<str>,
    /// -1 where it is not known.
    pub rebalance_timeout_ms: i32,
    pub server_assignor: Option<Arc<str>>,
    /// Of a member that speaks the classic protocol.
    pub classic: Option<ClassicMember>,
}

impl Default for ConsumerMemberMetadata {
    fn default() -> ConsumerMemberMetadata {
        ConsumerMemberMetadata {
            instance_id: None,
            rack_id: None,
            client_id: Arc::default(),
            client_host: Arc::default(),
            subscribed_topics: BTreeSet::new(),
            pattern: Arc::default(),
            rebalance_timeout_ms: -1,
            server_assignor: None,
            classic: None,
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct ClassicMember {
    pub session_timeout_ms: i32,
    /// Each with its subscription.
    pub protocols: Vec<(Arc<str>, Bytes)>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct ConsumerCurrentAssignment {
    pub member_epoch: i32,
    pub previous_member_epoch: i32,
    /// Kafka's `MemberState`.
    pub state: i8,
    pub assigned: Arc<Owned>,
    pub pending_revocation: Arc<Owned>,
}

/// The topics of a regular expression.
#[derive(Clone, PartialEq, Debug)]
pub struct ResolvedPattern {
    pub topics: BTreeSet<TopicName>,
    /// The metadata image that was looked through.
    pub version: i64,
    pub timestamp_ms: i64,
}

pub fn encode(group: &GroupId, record: &ConsumerRecord) -> Result<CoordinatorRecord, EncodeError> {
    let group_id = text(group.as_str());
    let (key, value): (GroupKey, Option<GroupValue>) = match record {
        ConsumerRecord::Metadata(value) => (
            ConsumerGroupMetadataKey { group_id }.into(),
            value.map(|value| {
                ConsumerGroupMetadataValue {
                    epoch: value.epoch,
                    metadata_hash: value.metadata_hash,
                    ..Default::default()
                }
                .into()
            }),
        ),
        ConsumerRecord::PartitionMetadata(value) => {
            assert!(value.is_none(), "only the tombstone is written");
            (ConsumerGroupPartitionMetadataKey { group_id }.into(), None)
        }
        ConsumerRecord::MemberMetadata { member, value } => (
            ConsumerGroupMemberMetadataKey { group_id, member_id: text(member.as_str()) }.into(),
            value.as_ref().map(|value| member_metadata(value).into()),
        ),
        ConsumerRecord::TargetAssignmentMetadata(value) => (
            ConsumerGroupTargetAssignmentMetadataKey { group_id }.into(),
            value.map(|value| {
                ConsumerGroupTargetAssignmentMetadataValue {
                    assignment_epoch: value.epoch,
                    assignment_timestamp: value.timestamp_ms,
                    ..Default::default()
                }
                .into()
            }),
        ),
        ConsumerRecord::TargetAssignmentMember { member, value } => (
            ConsumerGroupTargetAssignmentMemberKey { group_id, member_id: text(member.as_str()) }.into(),
            value.as_ref().map(|value| target_assignment(value).into()),
        ),
        ConsumerRecord::CurrentMemberAssignment { member, value } => (
            ConsumerGroupCurrentMemberAssignmentKey { group_id, member_id: text(member.as_str()) }.into(),
            value.as_ref().map(|value| current_assignment(value).into()),
        ),
        ConsumerRecord::RegularExpression { pattern, value } => (
            ConsumerGroupRegularExpressionKey { group_id, regular_expression: text(pattern) }.into(),
            value.as_ref().map(|value| {
                ConsumerGroupRegularExpressionValue {
                    topics: value.topics.iter().map(|name| text(name.as_str())).collect(),
                    version: value.version,
                    timestamp: value.timestamp_ms,
                    ..Default::default()
                }
                .into()
            }),
        ),
    };
    let value = value.map(|value| encode_value(&value, VALUE_VERSION)).transpose()?;
    Ok(CoordinatorRecord { key: encode_key(&key)?, value })
}

fn member_metadata(value: &ConsumerMemberMetadata) -> ConsumerGroupMemberMetadataValue {
    let protocol = |(name, metadata): &(Arc<str>, Bytes)| member_value::ClassicProtocol {
        name: text(name),
        metadata: metadata.clone(),
        ..Default::default()
    };
    ConsumerGroupMemberMetadataValue {
        instance_id: value.instance_id.as_deref().map(text),
        rack_id: value.rack_id.as_deref().map(text),
        client_id: text(&value.client_id),
        client_host: text(&value.client_host),
        subscribed_topic_names: value.subscribed_topics.iter().map(|name| text(name.as_str())).collect(),
        subscribed_topic_regex: Some(text(&value.pattern)),
        rebalance_timeout_ms: value.rebalance_timeout_ms,
        server_assignor: value.server_assignor.as_deref().map(text),
        classic_member_metadata: value.classic.as_ref().map(|classic| member_value::ClassicMemberMetadata {
            session_timeout_ms: classic.session_timeout_ms,
            supported_protocols: classic.protocols.iter().map(protocol).collect(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn target_assignment(value: &Assignment) -> ConsumerGroupTargetAssignmentMemberValue {
    let topics = value.iter().map(|(id, partitions)| target_value::TopicPartition {
        topic_id: id.0,
        partitions: partitions.iter().copied().collect(),
        ..Default::default()
    });
    ConsumerGroupTargetAssignmentMemberValue { topic_partitions: topics.collect(), ..Default::default() }
}

fn current_assignment(value: &ConsumerCurrentAssignment) -> ConsumerGroupCurrentMemberAssignmentValue {
    let topics = |owned: &Owned| {
        owned
            .iter()
            .map(|(id, partitions)| current_value::TopicPartitions {
                topic_id: id.0,
                partitions: partitions.keys().copied().collect(),
                assignment_epochs: Some(partitions.values().copied().collect()),
                ..Default::default()
            })
            .collect()
    };
    ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch: value.member_epoch,
        previous_member_epoch: value.previous_member_epoch,
        state: value.state,
        assigned_partitions: topics(&value.assigned),
        partitions_pending_revocation: topics(&value.pending_revocation),
        ..Default::default()
    }
}

/// Whether the key is a consumer group's.
pub fn keeps(key: &GroupKey) -> bool {
    matches!(
        key,
        GroupKey::ConsumerGroupMetadata(_)
            | GroupKey::ConsumerGroupPartitionMetadata(_)
            | GroupKey::ConsumerGroupMemberMetadata(_)
            | GroupKey::ConsumerGroupTargetAssignmentMetadata(_)
            | GroupKey::ConsumerGroupTargetAssignmentMember(_)
            | GroupKey::ConsumerGroupCurrentMemberAssignment(_)
            | GroupKey::ConsumerGroupRegularExpression(_)
    )
}

/// `None` for a pair that is no consumer group's.
pub fn decode(key: GroupKey, value: Option<GroupValue>) -> Option<(GroupId, ConsumerRecord)> {
    use GroupValue as V;
    let (group, record) = match (key, value) {
        (GroupKey::ConsumerGroupMetadata(key), None) => (key.group_id, ConsumerRecord::Metadata(None)),
        (GroupKey::ConsumerGroupMetadata(key), Some(V::ConsumerGroupMetadata(value))) => {
            let value = ConsumerGroupEpoch { epoch: value.epoch, metadata_hash: value.metadata_hash };
            (key.group_id, ConsumerRecord::Metadata(Some(value)))
        }
        (GroupKey::ConsumerGroupPartitionMetadata(key), value) => {
            (key.group_id, ConsumerRecord::PartitionMetadata(value.map(drop)))
        }
        (GroupKey::ConsumerGroupMemberMetadata(key), value) => {
            let value = match value {
                None => None,
                Some(V::ConsumerGroupMemberMetadata(value)) => Some(Arc::new(stored_member(&value))),
                Some(_) => return None,
            };
            (key.group_id, ConsumerRecord::MemberMetadata { member: MemberId::new(&key.member_id), value })
        }
        (GroupKey::ConsumerGroupTargetAssignmentMetadata(key), value) => {
            let value = match value {
                None => None,
                Some(V::ConsumerGroupTargetAssignmentMetadata(value)) => Some(TargetAssignmentEpoch {
                    epoch: value.assignment_epoch,
                    timestamp_ms: value.assignment_timestamp,
                }),
                Some(_) => return None,
            };
            (key.group_id, ConsumerRecord::TargetAssignmentMetadata(value))
        }
        (GroupKey::ConsumerGroupTargetAssignmentMember(key), value) => {
            let value = match value {
                None => None,
                Some(V::ConsumerGroupTargetAssignmentMember(value)) => Some(stored_target(&value)),
                Some(_) => return None,
            };
            let member = MemberId::new(&key.member_id);
            (key.group_id, ConsumerRecord::TargetAssignmentMember { member, value })
        }
        (GroupKey::ConsumerGroupCurrentMemberAssignment(key), value) => {
            let value = match value {
                None => None,
                Some(V::ConsumerGroupCurrentMemberAssignment(value)) => Some(stored_current(&value)),
                Some(_) => return None,
            };
            let member = MemberId::new(&key.member_id);
            (key.group_id, ConsumerRecord::CurrentMemberAssignment { member, value })
        }
        (GroupKey::ConsumerGroupRegularExpression(key), value) => {
            let value = match value {
                None => None,
                Some(V::ConsumerGroupRegularExpression(value)) => Some(ResolvedPattern {
                    topics: value.topics.iter().map(|name| TopicName::new(name)).collect(),
                    version: value.version,
                    timestamp_ms: value.timestamp,
                }),
                Some(_) => return None,
            };
            let pattern = Arc::from(&*key.regular_expression);
            (key.group_id, ConsumerRecord::RegularExpression { pattern, value })
        }
        _ => return None,
    };
    Some((GroupId::new(&group), record))
}

fn stored_member(value: &ConsumerGroupMemberMetadataValue) -> ConsumerMemberMetadata {
    let protocol = |protocol: &member_value::ClassicProtocol| {
        (Arc::from(&*protocol.name), Bytes::copy_from_slice(&protocol.metadata))
    };
    ConsumerMemberMetadata {
        instance_id: value.instance_id.as_deref().map(Arc::from),
        rack_id: value.rack_id.as_deref().map(Arc::from),
        client_id: Arc::from(&*value.client_id),
        client_host: Arc::from(&*value.client_host),
        subscribed_topics: value.subscribed_topic_names.iter().map(|name| TopicName::new(name)).collect(),
        pattern: shared_text(value.subscribed_topic_regex.as_deref().unwrap_or("")),
        rebalance_timeout_ms: value.rebalance_timeout_ms,
        server_assignor: value.server_assignor.as_deref().map(Arc::from),
        classic: value.classic_member_metadata.as_ref().map(|classic| ClassicMember {
            session_timeout_ms: classic.session_timeout_ms,
            protocols: classic.supported_protocols.iter().map(protocol).collect(),
        }),
    }
}

fn stored_target(value: &ConsumerGroupTargetAssignmentMemberValue) -> Assignment {
    let topics = value.topic_partitions.iter();
    topics.map(|topic| (TopicId(topic.topic_id), topic.partitions.iter().copied().collect())).collect()
}

fn stored_current(value: &ConsumerGroupCurrentMemberAssignmentValue) -> ConsumerCurrentAssignment {
    ConsumerCurrentAssignment {
        member_epoch: value.member_epoch,
        previous_member_epoch: value.previous_member_epoch,
        state: value.state,
        assigned: Arc::new(stored_partitions(&value.assigned_partitions, value.member_epoch)),
        pending_revocation: Arc::new(stored_partitions(
            &value.partitions_pending_revocation,
            value.member_epoch,
        )),
    }
}

/// `Utils.assignmentFromTopicPartitions`: a Kafka before KIP-1251 wrote no epochs of partitions.
fn stored_partitions(topics: &[current_value::TopicPartitions], member_epoch: i32) -> Owned {
    let owned = topics.iter().map(|topic| {
        let epochs = topic.assignment_epochs.as_ref();
        let epochs = epochs.filter(|epochs| epochs.len() == topic.partitions.len());
        let partitions = topic.partitions.iter().enumerate().map(|(place, partition)| {
            let epoch = epochs.map_or(member_epoch.max(0), |epochs| epochs[place]);
            (*partition, epoch)
        });
        (TopicId(topic.topic_id), partitions.collect())
    });
    owned.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::record::codec::{Decoded, decode, encode};

    fn round_trip(record: ConsumerRecord) -> CoordinatorRecord {
        let record = Record::Consumer { group: GroupId::new("g"), record };
        let bytes = encode(&record).unwrap_or_else(|error| panic!("{error}"));
        let decoded = decode(&bytes.key, bytes.value.as_deref()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(decoded, Decoded::Record(record));
        bytes
    }

    #[test]
    fn each_kind_has_its_key_and_comes_back_as_it_was() {
        let member = MemberId::new("m");
        let id = TopicId(uuid::Uuid::from_u128(1));
        let metadata = ConsumerMemberMetadata {
            instance_id: Some(Arc::from("i")),
            subscribed_topics: ["a", "b"].map(TopicName::new).into(),
            pattern: Arc::from("a.*"),
            classic: Some(ClassicMember {
                session_timeout_ms: 6_000,
                protocols: vec![(Arc::from("range"), Bytes::from_static(b"sub"))],
            }),
            ..ConsumerMemberMetadata::default()
        };
        let owned: Owned = [(id, [(0, 3), (2, 5)].into())].into();
        let epoch = TargetAssignmentEpoch { epoch: 4, timestamp_ms: 9 };
        let records = [
            (3, ConsumerRecord::Metadata(Some(ConsumerGroupEpoch { epoch: 2, metadata_hash: 7 }))),
            (4, ConsumerRecord::PartitionMetadata(None)),
            (5, ConsumerRecord::MemberMetadata { member: member.clone(), value: Some(Arc::new(metadata)) }),
            (6, ConsumerRecord::TargetAssignmentMetadata(Some(epoch))),
            (
                7,
                ConsumerRecord::TargetAssignmentMember {
                    member: member.clone(),
                    value: Some([(id, [1, 2].into())].into()),
                },
            ),
            (
                8,
                ConsumerRecord::CurrentMemberAssignment {
                    member,
                    value: Some(ConsumerCurrentAssignment {
                        member_epoch: 5,
                        previous_member_epoch: 4,
                        state: 1,
                        assigned: Arc::new(owned.clone()),
                        pending_revocation: Arc::new(owned),
                    }),
                },
            ),
            (
                16,
                ConsumerRecord::RegularExpression {
                    pattern: Arc::from("a.*"),
                    value: Some(ResolvedPattern {
                        topics: [TopicName::new("a")].into(),
                        version: 8,
                        timestamp_ms: 9,
                    }),
                },
            ),
        ];
        for (key, record) in records {
            assert_eq!(round_trip(record).key[..4], [0, key, 0, 1]);
        }
        for gone in [
            ConsumerRecord::Metadata(None),
            ConsumerRecord::TargetAssignmentMetadata(None),
            ConsumerRecord::RegularExpression { pattern: Arc::from("x"), value: None },
        ] {
            assert_eq!(round_trip(gone).value, None);
        }
    }

    #[test]
    fn partitions_without_epochs_of_their_own_have_the_members() {
        let topic = |epochs| current_value::TopicPartitions {
            topic_id: uuid::Uuid::from_u128(1),
            partitions: vec![4, 6],
            assignment_epochs: epochs,
            ..Default::default()
        };
        let of = |epochs, member_epoch| {
            let owned = stored_partitions(&[topic(epochs)], member_epoch);
            owned.into_values().flatten().collect::<Vec<_>>()
        };
        assert_eq!(of(None, 7), [(4, 7), (6, 7)]);
        assert_eq!(of(Some(vec![1]), 7), [(4, 7), (6, 7)], "their count does not fit");
        assert_eq!(of(Some(Vec::new()), -2), [(4, 0), (6, 0)], "a static member that is away");
        assert_eq!(of(Some(vec![1, 2]), 7), [(4, 1), (6, 2)]);
    }
}
