//! ConsumerGroupDescribe and ListGroups: what can be seen of a consumer group.
//! Core.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_model::{MemberId, TopicId, TopicName};

use super::target::preferred_assignor;
use super::{ConsumerGroup, ConsumerMember};
use crate::assignor::ConsumerAssignor;
use crate::group::answers::{DescribedPartitions, ListedGroup};
use crate::group::modern::GroupError;
use crate::group::shard::GroupShard;
use crate::java_hash;
use crate::record::consumer::ConsumerMemberMetadata;
use crate::topic_lookup::TopicLookup;

/// A consumer group as ConsumerGroupDescribe shows it.
#[derive(Clone, PartialEq, Debug)]
pub struct ConsumerDescription {
    pub state: &'static str,
    pub epoch: i32,
    pub assignment_epoch: i32,
    pub assignor: &'static str,
    pub members: Vec<ConsumerMemberDescription>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct ConsumerMemberDescription {
    pub member_id: MemberId,
    pub member_epoch: i32,
    pub metadata: Arc<ConsumerMemberMetadata>,
    /// Those of the metadata, in Kafka's order.
    pub subscribed_topics: Vec<TopicName>,
    pub assignment: DescribedPartitions,
    pub target_assignment: DescribedPartitions,
    pub is_classic: bool,
}

impl ConsumerGroup {
    fn describe(&self, default_assignor: ConsumerAssignor, topics: &dyn TopicLookup) -> ConsumerDescription {
        let assignor = preferred_assignor(self.members().values()).unwrap_or(default_assignor);
        let mut members: Vec<_> = self.members().iter().collect();
        java_hash::order_as_in_timeline(&mut members, |(id, _)| java_hash::string_hash(id.as_str()));
        let members = members.into_iter().map(|(id, member)| self.describe_member(id, member, topics));
        ConsumerDescription {
            state: self.state_name(),
            epoch: self.epoch(),
            assignment_epoch: self.assignment_epoch(),
            assignor: assignor.name(),
            members: members.collect(),
        }
    }

    fn describe_member(
        &self,
        id: &MemberId,
        member: &ConsumerMember,
        topics: &dyn TopicLookup,
    ) -> ConsumerMemberDescription {
        // What it has still to give back is its own until then.
        let mut owned: BTreeMap<TopicId, Vec<i32>> = BTreeMap::new();
        for (topic, partitions) in member.assigned.iter().chain(member.pending_revocation.iter()) {
            owned.entry(*topic).or_default().extend(partitions.keys());
        }
        let target = self.modern.target().of(id);
        let target = target.iter().flat_map(|target| target.iter());
        let target = target.map(|(topic, partitions)| (*topic, partitions.iter().copied().collect()));
        let mut names: Vec<&TopicName> = member.metadata.subscribed_topics.iter().collect();
        let capacity = java_hash::copied_capacity(names.len());
        java_hash::order_as_listed(&mut names, capacity, |name| java_hash::string_hash(name.as_str()));
        ConsumerMemberDescription {
            member_id: id.clone(),
            member_epoch: member.member_epoch,
            metadata: Arc::clone(&member.metadata),
            subscribed_topics: names.into_iter().cloned().collect(),
            assignment: named(owned.into_iter(), topics),
            target_assignment: named(target, topics),
            is_classic: member.uses_classic_protocol(),
        }
    }

    pub(in crate::group) fn list(&self) -> ListedGroup {
        ListedGroup {
            group_id: self.group_id().clone(),
            protocol_type: Arc::from("consumer"),
            state: self.state_name(),
            group_type: "consumer",
        }
    }
}

fn named(
    partitions: impl Iterator<Item = (TopicId, Vec<i32>)>,
    topics: &dyn TopicLookup,
) -> DescribedPartitions {
    partitions.filter_map(|(id, partitions)| Some((id, topics.topic_name(id)?, partitions))).collect()
}

impl GroupShard {
    pub fn describe_consumer(
        &self,
        group_id: &str,
        topics: &dyn TopicLookup,
    ) -> Result<ConsumerDescription, GroupError> {
        Ok(self.consumer_group(group_id)?.describe(self.settings.consumer_assignors[0], topics))
    }
}
