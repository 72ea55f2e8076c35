//! What share groups keep in `__consumer_offsets`: the records as values, and as Kafka 4.3.1 writes them.
//! Core.
//!
//! ```text
//! key 10 | group | member     rack, client, host, subscribed topics          values are version 0
//! key 11 | group              epoch, hash of the subscribed topics
//! key 12 | group              epoch and time of the target assignment
//! key 13 | group | member     the member's target assignment
//! key 14 | group | member     the member's epochs, state and assignment
//! key 15 | group              topics whose share state is being set up, is there, is being deleted
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_model::{GroupId, MemberId, TopicId, TopicName};
use ottla_protocol::EncodeError;
use ottla_protocol::records::group::{
    GroupKey, GroupValue, ShareGroupCurrentMemberAssignmentKey, ShareGroupCurrentMemberAssignmentValue,
    ShareGroupMemberMetadataKey, ShareGroupMemberMetadataValue, ShareGroupMetadataKey,
    ShareGroupMetadataValue, ShareGroupStatePartitionMetadataKey, ShareGroupStatePartitionMetadataValue,
    ShareGroupTargetAssignmentMemberKey, ShareGroupTargetAssignmentMemberValue,
    ShareGroupTargetAssignmentMetadataKey, ShareGroupTargetAssignmentMetadataValue,
    share_group_current_member_assignment_value as current_value,
    share_group_state_partition_metadata_value as state_value,
    share_group_target_assignment_member_value as target_value,
};
use ottla_protocol::records::{encode_key, encode_value};

use super::codec::CoordinatorRecord;
use super::{Assignment, TargetAssignmentEpoch};
use crate::wire::text;

const VALUE_VERSION: i16 = 0;

/// One record of a share group; a value of `None` is a tombstone.
#[derive(Clone, PartialEq, Debug)]
pub enum ShareRecord {
    MemberMetadata { member: MemberId, value: Option<Arc<ShareMemberMetadata>> },
    Metadata(Option<ShareGroupEpoch>),
    TargetAssignmentMetadata(Option<TargetAssignmentEpoch>),
    TargetAssignmentMember { member: MemberId, value: Option<Assignment> },
    CurrentMemberAssignment { member: MemberId, value: Option<CurrentAssignment> },
    StatePartitionMetadata(Option<StatePartitions>),
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct ShareMemberMetadata {
    pub rack_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub subscribed_topics: BTreeSet<TopicName>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShareGroupEpoch {
    pub epoch: i32,
    pub metadata_hash: i64,
}

#[derive(Clone, PartialEq, Debug)]
pub struct CurrentAssignment {
    pub member_epoch: i32,
    pub previous_member_epoch: i32,
    /// 0 is stable: share groups know no other.
    pub state: i8,
    pub assigned: Assignment,
}

/// A topic and those of its partitions that have share state, or are about to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateTopic {
    pub name: TopicName,
    pub partitions: BTreeSet<i32>,
    /// When it was asked for; not stored: after a restart it is asked for anew.
    pub since_ms: i64,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct StatePartitions {
    pub initializing: BTreeMap<TopicId, StateTopic>,
    pub initialized: BTreeMap<TopicId, StateTopic>,
    pub deleting: BTreeMap<TopicId, TopicName>,
}

pub fn encode(group: &GroupId, record: &ShareRecord) -> Result<CoordinatorRecord, EncodeError> {
    let group_id = text(group.as_str());
    let (key, value): (GroupKey, Option<GroupValue>) = match record {
        ShareRecord::MemberMetadata { member, value } => (
            ShareGroupMemberMetadataKey { group_id, member_id: text(member.as_str()) }.into(),
            value.as_ref().map(|value| member_metadata(value).into()),
        ),
        ShareRecord::Metadata(value) => (
            ShareGroupMetadataKey { group_id }.into(),
            value.map(|value| {
                ShareGroupMetadataValue {
                    epoch: value.epoch,
                    metadata_hash: value.metadata_hash,
                    ..Default::default()
                }
                .into()
            }),
        ),
        ShareRecord::TargetAssignmentMetadata(value) => (
            ShareGroupTargetAssignmentMetadataKey { group_id }.into(),
            value.map(|value| {
                ShareGroupTargetAssignmentMetadataValue {
                    assignment_epoch: value.epoch,
                    assignment_timestamp: value.timestamp_ms,
                    ..Default::default()
                }
                .into()
            }),
        ),
        ShareRecord::TargetAssignmentMember { member, value } => (
            ShareGroupTargetAssignmentMemberKey { group_id, member_id: text(member.as_str()) }.into(),
            value.as_ref().map(|value| target_assignment(value).into()),
        ),
        ShareRecord::CurrentMemberAssignment { member, value } => (
            ShareGroupCurrentMemberAssignmentKey { group_id, member_id: text(member.as_str()) }.into(),
            value.as_ref().map(|value| current_assignment(value).into()),
        ),
        ShareRecord::StatePartitionMetadata(value) => (
            ShareGroupStatePartitionMetadataKey { group_id }.into(),
            value.as_ref().map(|value| state_partitions(value).into()),
        ),
    };
    let value = value.map(|value| encode_value(&value, VALUE_VERSION)).transpose()?;
    Ok(CoordinatorRecord { key: encode_key(&key)?, value })
}

fn member_metadata(value: &ShareMemberMetadata) -> ShareGroupMemberMetadataValue {
    ShareGroupMemberMetadataValue {
        rack_id: value.rack_id.as_deref().map(text),
        client_id: text(&value.client_id),
        client_host: text(&value.client_host),
        subscribed_topic_names: value.subscribed_topics.iter().map(|name| text(name.as_str())).collect(),
        ..Default::default()
    }
}

fn target_assignment(value: &Assignment) -> ShareGroupTargetAssignmentMemberValue {
    let topics = value.iter().map(|(id, partitions)| target_value::TopicPartition {
        topic_id: id.0,
        partitions: partitions.iter().copied().collect(),
        ..Default::default()
    });
    ShareGroupTargetAssignmentMemberValue { topic_partitions: topics.collect(), ..Default::default() }
}

fn current_assignment(value: &CurrentAssignment) -> ShareGroupCurrentMemberAssignmentValue {
    let topics = value.assigned.iter().map(|(id, partitions)| current_value::TopicPartitions {
        topic_id: id.0,
        partitions: partitions.iter().copied().collect(),
        ..Default::default()
    });
    ShareGroupCurrentMemberAssignmentValue {
        member_epoch: value.member_epoch,
        previous_member_epoch: value.previous_member_epoch,
        state: value.state,
        assigned_partitions: topics.collect(),
        ..Default::default()
    }
}

fn state_partitions(value: &StatePartitions) -> ShareGroupStatePartitionMetadataValue {
    let infos = |topics: &BTreeMap<TopicId, StateTopic>| {
        topics
            .iter()
            .map(|(id, topic)| state_value::TopicPartitionsInfo {
                topic_id: id.0,
                topic_name: text(topic.name.as_str()),
                partitions: topic.partitions.iter().copied().collect(),
                ..Default::default()
            })
            .collect()
    };
    ShareGroupStatePartitionMetadataValue {
        initializing_topics: infos(&value.initializing),
        initialized_topics: infos(&value.initialized),
        deleting_topics: value
            .deleting
            .iter()
            .map(|(id, name)| state_value::TopicInfo {
                topic_id: id.0,
                topic_name: text(name.as_str()),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    }
}

/// `None` for a pair that is no share group's.
pub fn decode(key: GroupKey, value: Option<GroupValue>) -> Option<(GroupId, ShareRecord)> {
    let group = |id: &str| GroupId::new(id);
    let member = |id: &str| MemberId::new(id);
    Some(match (key, value) {
        (GroupKey::ShareGroupMemberMetadata(key), None) => (
            group(&key.group_id),
            ShareRecord::MemberMetadata { member: member(&key.member_id), value: None },
        ),
        (GroupKey::ShareGroupMemberMetadata(key), Some(GroupValue::ShareGroupMemberMetadata(value))) => {
            let value = ShareMemberMetadata {
                rack_id: value.rack_id.as_deref().map(Arc::from),
                client_id: Arc::from(&*value.client_id),
                client_host: Arc::from(&*value.client_host),
                subscribed_topics: value.subscribed_topic_names.iter().map(|n| TopicName::new(n)).collect(),
            };
            let member = member(&key.member_id);
            (group(&key.group_id), ShareRecord::MemberMetadata { member, value: Some(Arc::new(value)) })
        }
        (GroupKey::ShareGroupMetadata(key), None) => (group(&key.group_id), ShareRecord::Metadata(None)),
        (GroupKey::ShareGroupMetadata(key), Some(GroupValue::ShareGroupMetadata(value))) => {
            let value = ShareGroupEpoch { epoch: value.epoch, metadata_hash: value.metadata_hash };
            (group(&key.group_id), ShareRecord::Metadata(Some(value)))
        }
        (GroupKey::ShareGroupTargetAssignmentMetadata(key), None) => {
            (group(&key.group_id), ShareRecord::TargetAssignmentMetadata(None))
        }
        (
            GroupKey::ShareGroupTargetAssignmentMetadata(key),
            Some(GroupValue::ShareGroupTargetAssignmentMetadata(value)),
        ) => {
            let value = TargetAssignmentEpoch {
                epoch: value.assignment_epoch,
                timestamp_ms: value.assignment_timestamp,
            };
            (group(&key.group_id), ShareRecord::TargetAssignmentMetadata(Some(value)))
        }
        (GroupKey::ShareGroupTargetAssignmentMember(key), None) => (
            group(&key.group_id),
            ShareRecord::TargetAssignmentMember { member: member(&key.member_id), value: None },
        ),
        (
            GroupKey::ShareGroupTargetAssignmentMember(key),
            Some(GroupValue::ShareGroupTargetAssignmentMember(value)),
        ) => {
            let topics = value.topic_partitions.iter();
            let value =
                topics.map(|t| (TopicId(t.topic_id), t.partitions.iter().copied().collect())).collect();
            let member = member(&key.member_id);
            (group(&key.group_id), ShareRecord::TargetAssignmentMember { member, value: Some(value) })
        }
        (GroupKey::ShareGroupCurrentMemberAssignment(key), None) => (
            group(&key.group_id),
            ShareRecord::CurrentMemberAssignment { member: member(&key.member_id), value: None },
        ),
        (
            GroupKey::ShareGroupCurrentMemberAssignment(key),
            Some(GroupValue::ShareGroupCurrentMemberAssignment(value)),
        ) => {
            let topics = value.assigned_partitions.iter();
            let value = CurrentAssignment {
                member_epoch: value.member_epoch,
                previous_member_epoch: value.previous_member_epoch,
                state: value.state,
                assigned: topics
                    .map(|t| (TopicId(t.topic_id), t.partitions.iter().copied().collect()))
                    .collect(),
            };
            let member = member(&key.member_id);
            (group(&key.group_id), ShareRecord::CurrentMemberAssignment { member, value: Some(value) })
        }
        (GroupKey::ShareGroupStatePartitionMetadata(key), None) => {
            (group(&key.group_id), ShareRecord::StatePartitionMetadata(None))
        }
        (
            GroupKey::ShareGroupStatePartitionMetadata(key),
            Some(GroupValue::ShareGroupStatePartitionMetadata(value)),
        ) => (group(&key.group_id), ShareRecord::StatePartitionMetadata(Some(stored_partitions(&value)))),
        _ => return None,
    })
}

fn stored_partitions(value: &ShareGroupStatePartitionMetadataValue) -> StatePartitions {
    let topics = |infos: &[state_value::TopicPartitionsInfo]| {
        infos
            .iter()
            .map(|info| {
                let topic = StateTopic {
                    name: TopicName::new(&info.topic_name),
                    partitions: info.partitions.iter().copied().collect(),
                    since_ms: 0,
                };
                (TopicId(info.topic_id), topic)
            })
            .collect()
    };
    StatePartitions {
        initializing: topics(&value.initializing_topics),
        initialized: topics(&value.initialized_topics),
        deleting: value
            .deleting_topics
            .iter()
            .map(|topic| (TopicId(topic.topic_id), TopicName::new(&topic.topic_name)))
            .collect(),
    }
}
