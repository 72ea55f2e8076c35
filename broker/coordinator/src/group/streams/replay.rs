//! What a streams group's records make of it.
//! Core.

use std::sync::Arc;

use ottla_model::{GroupId, MemberId};

use super::{MemberState, StreamsGroup, StreamsMember};
use crate::group::Group;
use crate::group::shard::GroupShard;
use crate::record::streams::{CurrentTasks, StreamsRecord};

impl GroupShard {
    pub(in crate::group) fn replay_streams(&mut self, group_id: GroupId, record: StreamsRecord) {
        if let StreamsRecord::Metadata(None) = record {
            if let Some(Group::Streams(group)) = self.groups.get_mut(&group_id) {
                group.end_timers(&mut self.timers);
                self.groups.remove(&group_id);
            }
            return;
        }
        let is_there = match self.groups.get(&group_id) {
            Some(Group::Streams(_)) => true,
            // A group that offsets alone have made is what its records say.
            Some(Group::Classic(group)) if group.is_simple() => false,
            Some(_) => return,
            None => false,
        };
        if !is_there {
            if record.is_tombstone() {
                return;
            }
            let group = Box::new(StreamsGroup::new(group_id.clone()));
            self.groups.insert(group_id.clone(), Group::Streams(group));
        }
        let Some(Group::Streams(group)) = self.groups.get_mut(&group_id) else { return };
        if let Some(member) = group.replay(record) {
            group.modern.sessions().end(&mut self.timers, &member);
            group.rebalance_timeouts.end(&mut self.timers, &member);
        }
    }
}

impl StreamsRecord {
    fn is_tombstone(&self) -> bool {
        match self {
            StreamsRecord::Metadata(value) => value.is_none(),
            StreamsRecord::MemberMetadata { value, .. } => value.is_none(),
            StreamsRecord::TargetAssignmentMetadata(value) => value.is_none(),
            StreamsRecord::TargetAssignmentMember { value, .. } => value.is_none(),
            StreamsRecord::CurrentMemberAssignment { value, .. } => value.is_none(),
            StreamsRecord::Topology(value) => value.is_none(),
        }
    }
}

impl StreamsGroup {
    /// The member that left, if one did.
    fn replay(&mut self, record: StreamsRecord) -> Option<MemberId> {
        match record {
            StreamsRecord::Metadata(value) => {
                if let Some(value) = value {
                    self.modern.replay_epoch(value.epoch, value.metadata_hash);
                    self.validated_topology_epoch = value.validated_topology_epoch;
                    self.assignment_configs = value.assignment_configs;
                }
            }
            StreamsRecord::MemberMetadata { member, value: Some(metadata) } => {
                self.change_member(member, |member| member.metadata = metadata);
            }
            StreamsRecord::MemberMetadata { member, value: None } => {
                if let Some(known) = self.modern.members().get(&member) {
                    self.owners.remove(known);
                }
                self.modern.replay_member_gone(&member);
                if self.is_empty() {
                    self.shutdown_requested_by = None;
                }
                return Some(member);
            }
            StreamsRecord::TargetAssignmentMetadata(value) => {
                let (epoch, timestamp_ms) = value.map_or((-1, 0), |value| (value.epoch, value.timestamp_ms));
                self.modern.replay_target().replay_epoch(epoch, timestamp_ms);
            }
            StreamsRecord::TargetAssignmentMember { member, value } => {
                self.modern.replay_target().replay_member(member, value);
            }
            StreamsRecord::CurrentMemberAssignment { member, value: Some(value) } => {
                self.change_member(member, |member| set_current(member, value));
            }
            StreamsRecord::CurrentMemberAssignment { member, value: None } => {
                // Its epochs tell no story any more; the member itself goes with its own tombstone.
                if self.modern.members().contains_key(&member) {
                    self.change_member(member, |member| {
                        member.member_epoch = -1;
                        member.previous_member_epoch = -1;
                        (member.assigned, member.pending_revocation) = Default::default();
                    });
                }
            }
            StreamsRecord::Topology(value) => {
                self.modern.replay_other();
                self.topology = value;
            }
        }
        None
    }

    fn change_member(&mut self, id: MemberId, change: impl FnOnce(&mut StreamsMember)) {
        if let Some(known) = self.modern.members().get(&id) {
            self.owners.remove(known);
        }
        let member = self.modern.replay_member(id);
        change(member);
        self.owners.add(member);
    }
}

fn set_current(member: &mut StreamsMember, value: CurrentTasks) {
    member.member_epoch = value.member_epoch;
    member.previous_member_epoch = value.previous_member_epoch;
    member.state = MemberState::of(value.state);
    member.assigned = Arc::new(value.assigned);
    member.pending_revocation = Arc::new(value.pending_revocation);
}
