//! What a share group's records make of it.
//! Core.

use std::sync::Arc;

use ottla_model::{GroupId, MemberId};

use super::{Session, ShareGroup, ShareMember};
use crate::group::Group;
use crate::group::shard::GroupShard;
use crate::record::share::{Assignment, ShareRecord};
use crate::timers::TimerKey;

impl GroupShard {
    pub(in crate::group) fn replay_share(&mut self, group_id: GroupId, record: ShareRecord) {
        if let ShareRecord::Metadata(None) = record {
            if let Some(Group::Share(mut group)) = self.take_share_group(&group_id) {
                for session in group.sessions.values_mut() {
                    self.timers.cancel(&mut session.timer);
                }
            }
            return;
        }
        if !self.groups.contains_key(&group_id) {
            if record.is_tombstone() {
                return;
            }
            self.groups.insert(group_id.clone(), Group::Share(Box::new(ShareGroup::new(group_id.clone()))));
        }
        let Some(Group::Share(group)) = self.groups.get_mut(&group_id) else { return };
        let left = group.replay(record);
        if let Some(mut session) = left.and_then(|member| group.sessions.remove(&member)) {
            self.timers.cancel(&mut session.timer);
        }
        self.open_share_sessions(&group_id);
    }

    fn take_share_group(&mut self, group_id: &GroupId) -> Option<Group> {
        match self.groups.get(group_id) {
            Some(Group::Share(_)) => self.groups.remove(group_id),
            _ => None,
        }
    }

    /// The first heartbeat of a group came before the group was there.
    fn open_share_sessions(&mut self, group_id: &GroupId) {
        if self.share_sessions_to_come.is_empty() {
            return;
        }
        let Some(Group::Share(group)) = self.groups.get_mut(group_id) else { return };
        for member in group.members.keys() {
            let Some(deadline) = self.share_sessions_to_come.remove(&(group_id.clone(), member.clone()))
            else {
                continue;
            };
            let timer = self.timers.schedule(deadline, TimerKey::Member(group_id.clone(), member.clone()));
            group.sessions.insert(member.clone(), Session { deadline, timer: Some(timer) });
        }
    }
}

impl ShareRecord {
    fn is_tombstone(&self) -> bool {
        match self {
            ShareRecord::MemberMetadata { value, .. } => value.is_none(),
            ShareRecord::Metadata(value) => value.is_none(),
            ShareRecord::TargetAssignmentMetadata(value) => value.is_none(),
            ShareRecord::TargetAssignmentMember { value, .. } => value.is_none(),
            ShareRecord::CurrentMemberAssignment { value, .. } => value.is_none(),
            ShareRecord::StatePartitionMetadata(value) => value.is_none(),
        }
    }
}

impl ShareGroup {
    /// The member that left, if one did.
    fn replay(&mut self, record: ShareRecord) -> Option<MemberId> {
        match record {
            ShareRecord::MemberMetadata { member, value: Some(metadata) } => {
                self.members.entry(member).or_default().metadata = Arc::clone(&metadata);
            }
            ShareRecord::MemberMetadata { member, value: None } => {
                self.members.remove(&member);
                return Some(member);
            }
            ShareRecord::Metadata(value) => {
                if let Some(value) = value {
                    self.epoch = value.epoch;
                    self.metadata_hash = value.metadata_hash;
                }
            }
            ShareRecord::TargetAssignmentMetadata(value) => {
                self.assignment_epoch = value.map_or(-1, |value| value.epoch);
                self.assignment_timestamp_ms = value.map_or(0, |value| value.timestamp_ms);
            }
            ShareRecord::TargetAssignmentMember { member, value: Some(assignment) } => {
                self.target.insert(member, assignment);
            }
            ShareRecord::TargetAssignmentMember { member, value: None } => {
                self.target.remove(&member);
            }
            ShareRecord::CurrentMemberAssignment { member, value } => match value {
                Some(value) => {
                    let member = self.members.entry(member).or_default();
                    member.member_epoch = value.member_epoch;
                    member.previous_member_epoch = value.previous_member_epoch;
                    member.assigned = value.assigned;
                }
                None => {
                    if let Some(member) = self.members.get_mut(&member) {
                        let metadata = Arc::clone(&member.metadata);
                        *member = ShareMember {
                            metadata,
                            member_epoch: -1,
                            previous_member_epoch: -1,
                            assigned: Assignment::new(),
                        };
                    }
                }
            },
            ShareRecord::StatePartitionMetadata(value) => self.state_partitions = value,
        }
        None
    }
}
