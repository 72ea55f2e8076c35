//! What a consumer group's records make of it.
//! Core.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_model::{GroupId, MemberId};

use super::{ConsumerGroup, ConsumerMember, LEAVE_EPOCH, MemberState};
use crate::group::Group;
use crate::group::shard::GroupShard;
use crate::record::consumer::{ConsumerRecord, Owned};

impl GroupShard {
    pub(in crate::group) fn replay_consumer(&mut self, group_id: GroupId, record: ConsumerRecord) {
        if let ConsumerRecord::Metadata(None) = record {
            if let Some(group) = self.consumer_group_mut(group_id.as_str()) {
                let mut phases = std::mem::replace(&mut group.phases, super::Phases::new(group_id.clone()));
                phases.end_all(&mut self.timers);
                if let Some(Group::Consumer(mut group)) = self.groups.remove(&group_id) {
                    group.modern.sessions().end_all(&mut self.timers);
                }
            }
            return;
        }
        let (is_ours, makes_room) = match self.groups.get(&group_id) {
            Some(Group::Consumer(_)) => (true, false),
            // A group that offsets alone have made.
            Some(Group::Classic(group)) => (false, group.is_simple()),
            Some(_) => (false, false),
            None => (false, true),
        };
        if !is_ours && record.is_tombstone() {
            return;
        }
        if makes_room {
            let group = Box::new(ConsumerGroup::new(group_id.clone()));
            self.groups.insert(group_id.clone(), Group::Consumer(group));
        }
        let Some(Group::Consumer(group)) = self.groups.get_mut(&group_id) else {
            tracing::error!(group = %group_id, ?record, "a consumer group's record, and the group is of another kind");
            return;
        };
        if let Some(member) = group.replay(record) {
            group.modern.sessions().end(&mut self.timers, &member);
            group.phases.end(&mut self.timers, &member);
        }
    }
}

impl ConsumerRecord {
    fn is_tombstone(&self) -> bool {
        match self {
            ConsumerRecord::Metadata(value) => value.is_none(),
            ConsumerRecord::PartitionMetadata(value) => value.is_none(),
            ConsumerRecord::MemberMetadata { value, .. } => value.is_none(),
            ConsumerRecord::TargetAssignmentMetadata(value) => value.is_none(),
            ConsumerRecord::TargetAssignmentMember { value, .. } => value.is_none(),
            ConsumerRecord::CurrentMemberAssignment { value, .. } => value.is_none(),
            ConsumerRecord::RegularExpression { value, .. } => value.is_none(),
        }
    }
}

impl ConsumerGroup {
    /// The member that is gone, if one is.
    pub(super) fn replay(&mut self, record: ConsumerRecord) -> Option<MemberId> {
        match record {
            ConsumerRecord::Metadata(value) => {
                if let Some(value) = value {
                    self.modern.replay_epoch(value.epoch, value.metadata_hash);
                }
            }
            ConsumerRecord::PartitionMetadata(value) => {
                self.modern.replay_other();
                self.has_partition_metadata = value.is_some();
            }
            ConsumerRecord::MemberMetadata { member, value: Some(metadata) } => {
                let known = self.members().get(&member).cloned().unwrap_or_default();
                self.replay_member(member, ConsumerMember { metadata, ..known });
            }
            ConsumerRecord::MemberMetadata { member, value: None } => {
                self.replay_member_gone(&member);
                return Some(member);
            }
            ConsumerRecord::TargetAssignmentMetadata(value) => {
                let (epoch, timestamp_ms) = value.map_or((-1, 0), |value| (value.epoch, value.timestamp_ms));
                self.modern.replay_target().replay_epoch(epoch, timestamp_ms);
            }
            ConsumerRecord::TargetAssignmentMember { member, value } => {
                self.modern.replay_target().replay_member(member, value);
            }
            ConsumerRecord::CurrentMemberAssignment { member, value: Some(value) } => {
                let known = self.members().get(&member).cloned().unwrap_or_default();
                let now = ConsumerMember {
                    metadata: known.metadata,
                    member_epoch: value.member_epoch,
                    previous_member_epoch: value.previous_member_epoch,
                    state: MemberState::from_code(value.state),
                    assigned: value.assigned,
                    pending_revocation: value.pending_revocation,
                };
                self.replay_member(member, now);
            }
            ConsumerRecord::CurrentMemberAssignment { member, value: None } => {
                if let Some(known) = self.members().get(&member) {
                    let now = ConsumerMember {
                        member_epoch: LEAVE_EPOCH,
                        previous_member_epoch: LEAVE_EPOCH,
                        assigned: Arc::default(),
                        pending_revocation: Arc::default(),
                        ..known.clone()
                    };
                    self.replay_member(member, now);
                }
            }
            ConsumerRecord::RegularExpression { pattern, value } => {
                self.modern.replay_other();
                match value {
                    Some(value) => self.patterns.insert(pattern, value),
                    None => self.patterns.remove(&pattern),
                };
            }
        }
        None
    }

    fn replay_member(&mut self, id: MemberId, now: ConsumerMember) {
        let before = self.members().get(&id).cloned();
        if let Some(before) = &before {
            self.release(&before.assigned, before.member_epoch);
            self.release(&before.pending_revocation, before.member_epoch);
        }
        self.occupy(&now.assigned, now.member_epoch);
        self.occupy(&now.pending_revocation, now.member_epoch);
        let old_metadata = before.map(|before| before.metadata);
        let (old, new) = (old_metadata.as_ref(), &now.metadata);
        if let Some(instance_id) = &new.instance_id {
            self.static_members.insert(Arc::clone(instance_id), id.clone());
        }
        if old.map(|old| &old.pattern) != Some(&new.pattern) {
            self.count_pattern(&new.pattern, true);
            if let Some(old) = old {
                self.count_pattern(&old.pattern, false);
            }
        }
        // How far a member has come is nothing to an assignor.
        let is_progress = old_metadata.is_some_and(|old| Arc::ptr_eq(&old, &now.metadata));
        match if is_progress { self.modern.replay_progress(&id) } else { None } {
            Some(known) => *known = now,
            None => *self.modern.replay_member(id) = now,
        }
    }

    fn replay_member_gone(&mut self, id: &MemberId) {
        if let Some(gone) = self.members().get(id).cloned() {
            self.release(&gone.assigned, gone.member_epoch);
            self.release(&gone.pending_revocation, gone.member_epoch);
            self.count_pattern(&gone.metadata.pattern, false);
            if let Some(instance_id) = &gone.metadata.instance_id {
                self.static_members.remove(instance_id);
            }
        }
        self.modern.replay_member_gone(id);
    }

    fn count_pattern(&mut self, pattern: &Arc<str>, is_new: bool) {
        if pattern.is_empty() {
            return;
        }
        let count = self.pattern_members.entry(Arc::clone(pattern)).or_default();
        *count = if is_new { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            self.pattern_members.remove(pattern);
        }
    }

    /// A partition that another has got meanwhile, in another epoch, stays that one's.
    fn release(&mut self, owned: &Owned, member_epoch: i32) {
        for (id, partitions) in owned {
            let Some(epochs) = self.partition_epochs.get_mut(id) else { continue };
            for partition in partitions.keys() {
                if epochs.get(partition) == Some(&member_epoch) {
                    epochs.remove(partition);
                }
            }
            if epochs.is_empty() {
                self.partition_epochs.remove(id);
            }
        }
    }

    fn occupy(&mut self, owned: &Owned, member_epoch: i32) {
        for (id, partitions) in owned {
            let epochs: &mut BTreeMap<i32, i32> = self.partition_epochs.entry(*id).or_default();
            for partition in partitions.keys() {
                let before = epochs.insert(*partition, member_epoch);
                if before.is_some_and(|before| before >= member_epoch) {
                    let group = self.modern.group_id();
                    tracing::error!(%group, topic = %id, partition, ?before, member_epoch, "a partition is two members'");
                }
            }
        }
    }
}
