//! OffsetFetch: what a group has committed.
//! Core.

use ottla_model::{ErrorCode, TopicId, TopicName};

use super::Group;
use super::shard::GroupShard;
use crate::record::CommittedOffset;

/// One partition of the answer.
#[derive(Clone, PartialEq, Debug)]
pub struct FetchedOffset {
    pub partition: i32,
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: String,
    pub error: ErrorCode,
}

impl FetchedOffset {
    fn none(partition: i32, error: ErrorCode) -> FetchedOffset {
        FetchedOffset { partition, offset: -1, leader_epoch: -1, metadata: String::new(), error }
    }

    fn of(partition: i32, value: &CommittedOffset) -> FetchedOffset {
        FetchedOffset {
            partition,
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: value.metadata.to_string(),
            error: ErrorCode::None,
        }
    }
}

impl GroupShard {
    /// Whether who says that it is a member may fetch; a classic group asks nobody.
    pub fn validate_offset_fetch(
        &self,
        group_id: &str,
        member_id: Option<&str>,
        member_epoch: i32,
    ) -> Result<(), ErrorCode> {
        match self.groups.get(group_id) {
            Some(Group::Consumer(group)) => group.validate_offset_fetch(member_id, member_epoch),
            Some(Group::Streams(group)) => group.validate_offset_fetch(member_id, member_epoch),
            _ => Ok(()),
        }
    }

    /// The offsets of the named partitions. A group or partition without one answers -1 and no error.
    /// `topic_id` is zero where the client named no id.
    pub fn fetch_offsets(
        &self,
        group_id: &str,
        topic: &TopicName,
        topic_id: TopicId,
        partitions: &[i32],
        require_stable: bool,
    ) -> Vec<FetchedOffset> {
        let committed = self.offsets.of_group(group_id).and_then(|topics| topics.get(topic));
        partitions
            .iter()
            .map(|&partition| {
                if require_stable && self.offsets.is_pending(group_id, topic, partition) {
                    return FetchedOffset::none(partition, ErrorCode::UnstableOffsetCommit);
                }
                // An offset of an older topic of this name says nothing about this one.
                let is_of_topic = |value: &&CommittedOffset| {
                    value.topic_id.is_zero() || topic_id.is_zero() || value.topic_id == topic_id
                };
                match committed.and_then(|partitions| partitions.get(&partition)).filter(is_of_topic) {
                    Some(value) => FetchedOffset::of(partition, value),
                    None => FetchedOffset::none(partition, ErrorCode::None),
                }
            })
            .collect()
    }

    /// Every offset of the group, by topic.
    pub fn fetch_all_offsets(
        &self,
        group_id: &str,
        require_stable: bool,
    ) -> Vec<(TopicName, Vec<FetchedOffset>)> {
        let Some(topics) = self.offsets.of_group(group_id) else { return Vec::new() };
        topics
            .iter()
            .map(|(topic, partitions)| {
                let fetched = partitions.iter().map(|(&partition, value)| {
                    if require_stable && self.offsets.is_pending(group_id, topic, partition) {
                        FetchedOffset::none(partition, ErrorCode::UnstableOffsetCommit)
                    } else {
                        FetchedOffset::of(partition, value)
                    }
                });
                (topic.clone(), fetched.collect())
            })
            .collect()
    }
}
