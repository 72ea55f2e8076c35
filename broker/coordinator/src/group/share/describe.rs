//! ShareGroupDescribe and ListGroups: what can be seen of a share group.
//! Core.

use std::sync::Arc;

use ottla_model::{ErrorCode, MemberId};

use super::ShareGroup;
use super::heartbeat::not_a_share_group;
use crate::group::Group;
use crate::group::answers::{DescribedPartitions, ListedGroup};
use crate::group::modern::GroupError;
use crate::group::shard::GroupShard;
use crate::record::{Assignment, share::ShareMemberMetadata};
use crate::topic_lookup::TopicLookup;

/// The only assignor there is.
const ASSIGNOR: &str = "simple";

/// A share group as ShareGroupDescribe shows it.
#[derive(Clone, PartialEq, Debug)]
pub struct ShareDescription {
    pub state: &'static str,
    pub epoch: i32,
    pub assignment_epoch: i32,
    pub assignor: &'static str,
    pub members: Vec<ShareMemberDescription>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct ShareMemberDescription {
    pub member_id: MemberId,
    pub member_epoch: i32,
    pub metadata: Arc<ShareMemberMetadata>,
    pub assignment: DescribedPartitions,
}

impl ShareGroup {
    fn describe(&self, topics: &dyn TopicLookup) -> ShareDescription {
        let members = self.members().map(|(id, member)| ShareMemberDescription {
            member_id: id.clone(),
            member_epoch: member.member_epoch,
            metadata: Arc::clone(&member.metadata),
            assignment: named(&member.assigned, topics),
        });
        ShareDescription {
            state: self.state_name(),
            epoch: self.epoch(),
            assignment_epoch: self.modern.target().epoch(),
            assignor: ASSIGNOR,
            members: members.collect(),
        }
    }

    pub(in crate::group) fn list(&self) -> ListedGroup {
        ListedGroup {
            group_id: self.group_id().clone(),
            protocol_type: Arc::from("share"),
            state: self.state_name(),
            group_type: "share",
        }
    }
}

fn named(assigned: &Assignment, topics: &dyn TopicLookup) -> DescribedPartitions {
    let known = assigned.iter().filter_map(|(id, partitions)| {
        Some((*id, topics.topic_name(*id)?, partitions.iter().copied().collect()))
    });
    known.collect()
}

impl GroupShard {
    pub fn describe_share(
        &self,
        group_id: &str,
        topics: &dyn TopicLookup,
    ) -> Result<ShareDescription, GroupError> {
        match self.groups.get(group_id) {
            Some(Group::Share(group)) => Ok(group.describe(topics)),
            Some(_) => Err(not_a_share_group(group_id)),
            None => Err(GroupError::new(ErrorCode::GroupIdNotFound, format!("Group {group_id} not found."))),
        }
    }
}
