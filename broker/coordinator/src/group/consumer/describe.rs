//! ConsumerGroupDescribe and ListGroups: what can be seen of a consumer group.
//! Core.

use std::collections::BTreeMap;

use ottla_model::{MemberId, TopicId, TopicName};
use ottla_protocol::messages::consumer_group_describe_response::{
    Assignment as WireAssignment, DescribedGroup, Member, TopicPartitions,
};

use super::target::preferred_assignor;
use super::{ConsumerGroup, ConsumerMember};
use crate::assignor::ConsumerAssignor;
use crate::group::modern::GroupError;
use crate::group::shard::GroupShard;
use crate::java_hash;
use crate::topic_lookup::TopicLookup;
use crate::wire::{ListedGroup, text};

impl ConsumerGroup {
    fn describe(&self, default_assignor: ConsumerAssignor, topics: &dyn TopicLookup) -> DescribedGroup {
        let assignor = preferred_assignor(self.members().values()).unwrap_or(default_assignor);
        let mut members: Vec<_> = self.members().iter().collect();
        java_hash::order_as_in_timeline(&mut members, |(id, _)| java_hash::string_hash(id.as_str()));
        let members = members.into_iter().map(|(id, member)| self.describe_member(id, member, topics));
        DescribedGroup::default()
            .with_group_id(text(self.group_id().as_str()).into())
            .with_group_state(text(self.state_name()))
            .with_group_epoch(self.epoch())
            .with_assignment_epoch(self.assignment_epoch())
            .with_assignor_name(text(assignor.name()))
            .with_members(members.collect())
    }

    fn describe_member(&self, id: &MemberId, member: &ConsumerMember, topics: &dyn TopicLookup) -> Member {
        // What it has still to give back is its own until then.
        let mut owned: BTreeMap<TopicId, Vec<i32>> = BTreeMap::new();
        for (topic, partitions) in member.assigned.iter().chain(member.pending_revocation.iter()) {
            owned.entry(*topic).or_default().extend(partitions.keys());
        }
        let target = self.modern.target().of(id);
        let target = target.iter().flat_map(|target| target.iter());
        let target = target.map(|(topic, partitions)| (*topic, partitions.iter().copied().collect()));
        let metadata = &member.metadata;
        let mut names: Vec<&TopicName> = metadata.subscribed_topics.iter().collect();
        let capacity = java_hash::copied_capacity(names.len());
        java_hash::order_as_listed(&mut names, capacity, |name| java_hash::string_hash(name.as_str()));
        let names = names.into_iter().map(|name| text(name.as_str()).into());
        let is_classic = member.uses_classic_protocol();
        Member::default()
            .with_member_id(text(id.as_str()))
            .with_instance_id(metadata.instance_id.as_deref().map(text))
            .with_rack_id(metadata.rack_id.as_deref().map(text))
            .with_member_epoch(member.member_epoch)
            .with_client_id(text(&metadata.client_id))
            .with_client_host(text(&metadata.client_host))
            .with_subscribed_topic_names(names.collect())
            .with_subscribed_topic_regex(Some(text(&metadata.pattern)))
            .with_assignment(assignment(owned.into_iter(), topics))
            .with_target_assignment(assignment(target, topics))
            .with_member_type(if is_classic { 0 } else { 1 })
    }

    pub(in crate::group) fn list(&self) -> ListedGroup {
        ListedGroup::default()
            .with_group_id(text(self.group_id().as_str()).into())
            .with_protocol_type(text("consumer"))
            .with_group_state(text(self.state_name()))
            .with_group_type(text("consumer"))
    }
}

fn assignment(
    partitions: impl Iterator<Item = (TopicId, Vec<i32>)>,
    topics: &dyn TopicLookup,
) -> WireAssignment {
    let known = partitions.filter_map(|(id, partitions)| {
        let name = topics.topic_name(id)?;
        Some(
            TopicPartitions::default()
                .with_topic_id(id.0)
                .with_topic_name(text(name.as_str()).into())
                .with_partitions(partitions),
        )
    });
    WireAssignment::default().with_topic_partitions(known.collect())
}

impl GroupShard {
    pub fn describe_consumer(
        &self,
        group_id: &str,
        topics: &dyn TopicLookup,
    ) -> Result<DescribedGroup, GroupError> {
        Ok(self.consumer_group(group_id)?.describe(self.settings.consumer_assignors[0], topics))
    }
}
