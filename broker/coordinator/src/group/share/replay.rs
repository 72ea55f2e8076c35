//! What a share group's records make of it.
//! Core.

use ottla_model::{GroupId, MemberId};

use super::ShareGroup;
use crate::group::Group;
use crate::group::shard::GroupShard;
use crate::record::Assignment;
use crate::record::share::ShareRecord;

impl GroupShard {
    pub(in crate::group) fn replay_share(&mut self, group_id: GroupId, record: ShareRecord) {
        if let ShareRecord::Metadata(None) = record {
            if let Some(Group::Share(mut group)) = self.take_share_group(&group_id) {
                group.modern.sessions().end_all(&mut self.timers);
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
        if let Some(member) = left {
            group.modern.sessions().end(&mut self.timers, &member);
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
        let members: Vec<MemberId> = group.modern.members().keys().cloned().collect();
        for member in members {
            let key = (group_id.clone(), member);
            if let Some(deadline) = self.share_sessions_to_come.remove(&key) {
                group.modern.sessions().renew(&mut self.timers, &key.1, deadline);
            }
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
                self.modern.replay_member(member).metadata = metadata;
            }
            ShareRecord::MemberMetadata { member, value: None } => {
                self.modern.replay_member_gone(&member);
                return Some(member);
            }
            ShareRecord::Metadata(value) => {
                if let Some(value) = value {
                    self.modern.replay_epoch(value.epoch, value.metadata_hash);
                }
            }
            ShareRecord::TargetAssignmentMetadata(value) => {
                let (epoch, timestamp_ms) = value.map_or((-1, 0), |value| (value.epoch, value.timestamp_ms));
                self.modern.replay_target().replay_epoch(epoch, timestamp_ms);
            }
            ShareRecord::TargetAssignmentMember { member, value } => {
                self.modern.replay_target().replay_member(member, value);
            }
            ShareRecord::CurrentMemberAssignment { member, value: Some(value) } => {
                let member = self.modern.replay_member(member);
                member.member_epoch = value.member_epoch;
                member.previous_member_epoch = value.previous_member_epoch;
                member.assigned = value.assigned;
            }
            ShareRecord::CurrentMemberAssignment { member, value: None } => {
                if let Some(member) = self.modern.replay_known_member(&member) {
                    member.member_epoch = -1;
                    member.previous_member_epoch = -1;
                    member.assigned = Assignment::new();
                }
            }
            ShareRecord::StatePartitionMetadata(value) => {
                self.modern.replay_other();
                self.state_partitions = value;
            }
        }
        None
    }
}
