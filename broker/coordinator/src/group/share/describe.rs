//! ShareGroupDescribe and ListGroups: what can be seen of a share group.
//! Core.

use ottla_model::ErrorCode;
use ottla_protocol::messages::share_group_describe_response::{
    Assignment as WireAssignment, DescribedGroup, Member, TopicPartitions,
};

use super::ShareGroup;
use super::heartbeat::not_a_share_group;
use crate::group::Group;
use crate::group::modern::GroupError;
use crate::group::shard::GroupShard;
use crate::record::Assignment;
use crate::topic_lookup::TopicLookup;
use crate::wire::{ListedGroup, text};

/// The only assignor there is.
const ASSIGNOR: &str = "simple";

impl ShareGroup {
    fn describe(&self, topics: &dyn TopicLookup) -> DescribedGroup {
        let members = self.members().map(|(id, member)| {
            let names = member.metadata.subscribed_topics.iter();
            Member::default()
                .with_member_id(text(id.as_str()))
                .with_rack_id(member.metadata.rack_id.as_deref().map(text))
                .with_member_epoch(member.member_epoch)
                .with_client_id(text(&member.metadata.client_id))
                .with_client_host(text(&member.metadata.client_host))
                .with_subscribed_topic_names(names.map(|name| text(name.as_str()).into()).collect())
                .with_assignment(
                    WireAssignment::default().with_topic_partitions(partitions(&member.assigned, topics)),
                )
        });
        DescribedGroup::default()
            .with_group_id(text(self.group_id().as_str()).into())
            .with_group_state(text(self.state_name()))
            .with_group_epoch(self.epoch())
            .with_assignment_epoch(self.modern.target().epoch())
            .with_assignor_name(text(ASSIGNOR))
            .with_members(members.collect())
    }

    pub(in crate::group) fn list(&self) -> ListedGroup {
        ListedGroup::default()
            .with_group_id(text(self.group_id().as_str()).into())
            .with_protocol_type(text("share"))
            .with_group_state(text(self.state_name()))
            .with_group_type(text("share"))
    }
}

fn partitions(assigned: &Assignment, topics: &dyn TopicLookup) -> Vec<TopicPartitions> {
    let known =
        assigned.iter().filter_map(|(id, partitions)| Some((id, topics.topic_name(*id)?, partitions)));
    known
        .map(|(id, name, partitions)| {
            TopicPartitions::default()
                .with_topic_id(id.0)
                .with_topic_name(text(name.as_str()).into())
                .with_partitions(partitions.iter().copied().collect())
        })
        .collect()
}

impl GroupShard {
    pub fn describe_share(
        &self,
        group_id: &str,
        topics: &dyn TopicLookup,
    ) -> Result<DescribedGroup, GroupError> {
        match self.groups.get(group_id) {
            Some(Group::Share(group)) => Ok(group.describe(topics)),
            Some(_) => Err(not_a_share_group(group_id)),
            None => Err(GroupError::new(ErrorCode::GroupIdNotFound, format!("Group {group_id} not found."))),
        }
    }
}
