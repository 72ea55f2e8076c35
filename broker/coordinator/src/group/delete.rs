//! DeleteGroups, OffsetDelete and the deletion of topics: what is taken away on purpose.
//! Core.

use std::collections::BTreeMap;

use ottla_model::{ErrorCode, GroupId, TopicId, TopicName};

use super::Group;
use super::classic::ClassicGroupState;
use super::shard::GroupShard;
use super::turn::Effects;
use crate::record::Record;

/// Partitions of one topic whose offsets shall go.
pub struct OffsetDeletePartitions {
    pub name: TopicName,
    pub partitions: Vec<i32>,
}

impl GroupShard {
    /// Deletes an empty group with all its offsets.
    pub fn on_delete_group(&mut self, group_id: &str) -> Result<Effects, ErrorCode> {
        match self.groups.get(group_id) {
            None => return Err(ErrorCode::GroupIdNotFound),
            Some(Group::Classic(group)) => match group.state() {
                ClassicGroupState::Empty => {}
                ClassicGroupState::Dead => return Err(ErrorCode::GroupIdNotFound),
                _ => return Err(ErrorCode::NonEmptyGroup),
            },
            Some(group) if !group.is_empty() => return Err(ErrorCode::NonEmptyGroup),
            Some(_) => {}
        }
        let group = GroupId::new(group_id);
        let mut effects = Effects::default();
        for (topic, partition) in self.offsets.partitions_of(group_id) {
            effects.records.push(Record::OffsetCommit {
                group: group.clone(),
                topic,
                partition,
                value: None,
            });
        }
        effects.records.extend(self.groups.get(group_id).into_iter().flat_map(Group::tombstones));
        Ok(effects)
    }

    /// Deletes single offsets; those of topics that a member reads stay. The errors are those of the topics.
    pub fn on_offset_delete(
        &mut self,
        group_id: &str,
        topics: &[OffsetDeletePartitions],
    ) -> Result<(Effects, Vec<ErrorCode>), ErrorCode> {
        let group = self.groups.get(group_id).ok_or(ErrorCode::GroupIdNotFound)?;
        match group {
            Group::Consumer(_) | Group::Streams(_) => {}
            Group::Share(_) => return Err(ErrorCode::GroupIdNotFound),
            Group::Classic(classic) => match classic.state() {
                ClassicGroupState::Dead => return Err(ErrorCode::GroupIdNotFound),
                ClassicGroupState::Empty => {}
                _ if classic.uses_consumer_group_protocol() => {}
                _ => return Err(ErrorCode::NonEmptyGroup),
            },
        }
        let mut effects = Effects::default();
        let mut errors = Vec::with_capacity(topics.len());
        for topic in topics {
            let is_subscribed = group.is_subscribed_to_topic(topic.name.as_str());
            errors.push(if is_subscribed { ErrorCode::GroupSubscribedToTopic } else { ErrorCode::None });
            let mut partitions = BTreeMap::new();
            for &partition in &topic.partitions {
                if partitions.insert(partition, ()).is_none()
                    && !is_subscribed
                    && self.offsets.holds(group_id, topic.name.as_str(), partition)
                {
                    effects.records.push(Record::OffsetCommit {
                        group: GroupId::new(group_id),
                        topic: topic.name.clone(),
                        partition,
                        value: None,
                    });
                }
            }
        }
        Ok((effects, errors))
    }

    /// The offsets of deleted topics go with them. A topic that was made again under the same name has
    /// another id, and its offsets stay.
    pub fn on_topics_deleted(&mut self, topics: &[(TopicName, TopicId)]) -> Effects {
        let mut effects = Effects { split: true, ..Effects::default() };
        for group in self.groups.values().filter_map(Group::as_share) {
            effects.records.extend(group.without_topics(topics));
        }
        for (group, topic, partition) in self.offsets.of_topics(topics) {
            effects.records.push(Record::OffsetCommit { group, topic, partition, value: None });
        }
        effects
    }
}
