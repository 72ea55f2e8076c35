//! Consumer groups of KIP-848: members, epochs, the target assignment and how members get there.
//! Core. After Kafka's `ConsumerGroup` and the consumer part of its `GroupMetadataManager`. Reading order: this file,
//! `current_assignment` (one member's next step towards its target), `target` (what assignors are given), `pattern`
//! (subscriptions by regular expression), `deciding` (the steps that heartbeats and classic joins share),
//! `heartbeat`, `leave`, `timers`, `replay`, `offsets`, `describe`; then `migration` and `classic_member`, for groups with
//! members of both protocols.
//!
//! Invariants:
//! - I1. All but sessions, timers and what is marked as soft is changed by replay alone (see `modern`).
//! - I2. A partition is one member's at a time: whoever is to get it waits (UNRELEASED_PARTITIONS) until the one who had
//!   it says that it has given it back, or is gone.

mod classic_member;
mod current_assignment;
mod deciding;
mod describe;
mod heartbeat;
mod leave;
mod migration;
mod offsets;
mod pattern;
mod replay;
mod target;
#[cfg(test)]
mod tests;
mod timers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_model::{ErrorCode, GroupId, MemberId, Offset, TopicId, TopicName};

use super::modern::GroupError;
use super::modern::{ModernGroup, ModernMember};
use crate::record::consumer::{
    ConsumerCurrentAssignment, ConsumerMemberMetadata, ConsumerRecord, Owned, ResolvedPattern,
};
use crate::record::{Assignment, Record};

pub use describe::{ConsumerDescription, ConsumerMemberDescription};
pub use heartbeat::{ConsumerHeartbeat, ConsumerHeartbeatOutcome, ConsumerHeartbeatTurn};
pub use pattern::{PatternTask, TopicNames, check_pattern};
pub use target::AssignorInput;
use timers::Phases;
pub use timers::{AfterRecords, PhaseChange};

/// `member_epoch` of a member that leaves, and of a static one that will be back.
pub const LEAVE_EPOCH: i32 = -1;
pub const LEAVE_STATIC_EPOCH: i32 = -2;

/// Kafka's `MemberState`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MemberState {
    #[default]
    Stable,
    /// It has to give back partitions before it gets to the next epoch.
    UnrevokedPartitions,
    /// It waits for partitions that others have not given back.
    UnreleasedPartitions,
    /// Of a newer release.
    Unknown,
}

impl MemberState {
    fn code(self) -> i8 {
        match self {
            MemberState::Stable => 0,
            MemberState::UnrevokedPartitions => 1,
            MemberState::UnreleasedPartitions => 2,
            MemberState::Unknown => 127,
        }
    }

    fn from_code(code: i8) -> MemberState {
        match code {
            0 => MemberState::Stable,
            1 => MemberState::UnrevokedPartitions,
            2 => MemberState::UnreleasedPartitions,
            _ => MemberState::Unknown,
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct ConsumerMember {
    pub metadata: Arc<ConsumerMemberMetadata>,
    pub member_epoch: i32,
    pub previous_member_epoch: i32,
    pub state: MemberState,
    pub assigned: Arc<Owned>,
    pub pending_revocation: Arc<Owned>,
}

impl Default for ConsumerMember {
    fn default() -> ConsumerMember {
        ConsumerMember {
            metadata: Arc::default(),
            member_epoch: 0,
            previous_member_epoch: -1,
            state: MemberState::Stable,
            assigned: Arc::default(),
            pending_revocation: Arc::default(),
        }
    }
}

impl ModernMember for ConsumerMember {
    type Assignment = Assignment;

    fn subscribed_topics(&self) -> &BTreeSet<TopicName> {
        &self.metadata.subscribed_topics
    }
}

impl ConsumerMember {
    fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.member_epoch == target_epoch
    }

    pub fn uses_classic_protocol(&self) -> bool {
        self.metadata.classic.is_some()
    }

    fn with_member_epoch(&self, epoch: i32) -> ConsumerMember {
        ConsumerMember { member_epoch: epoch, previous_member_epoch: self.member_epoch, ..self.clone() }
    }

    fn to_current_assignment(&self) -> ConsumerCurrentAssignment {
        ConsumerCurrentAssignment {
            member_epoch: self.member_epoch,
            previous_member_epoch: self.previous_member_epoch,
            state: self.state.code(),
            assigned: Arc::clone(&self.assigned),
            pending_revocation: Arc::clone(&self.pending_revocation),
        }
    }
}

/// The epochs of a group that has had no member.
const FIRST_EPOCH: i32 = 1;

pub struct ConsumerGroup {
    modern: ModernGroup<ConsumerMember>,
    /// By instance id.
    static_members: BTreeMap<Arc<str>, MemberId>,
    /// The epoch of the member that has a partition, or has still to give it back.
    partition_epochs: BTreeMap<TopicId, BTreeMap<i32, i32>>,
    patterns: BTreeMap<Arc<str>, ResolvedPattern>,
    /// How many members read by each regular expression.
    pattern_members: BTreeMap<Arc<str>, usize>,
    /// A Kafka before 4.1 left a record that has to go.
    has_partition_metadata: bool,
    phases: Phases,
    /// Soft: regular expressions are being resolved.
    is_resolving: bool,
    pub(super) last_record_offset: Option<Offset>,
}

impl ConsumerGroup {
    pub fn new(group_id: GroupId) -> ConsumerGroup {
        let mut modern = ModernGroup::new(group_id.clone(), FIRST_EPOCH);
        modern.replay_target().replay_epoch(FIRST_EPOCH, 0);
        ConsumerGroup {
            modern,
            static_members: BTreeMap::new(),
            partition_epochs: BTreeMap::new(),
            patterns: BTreeMap::new(),
            pattern_members: BTreeMap::new(),
            has_partition_metadata: false,
            phases: Phases::new(group_id),
            is_resolving: false,
            last_record_offset: None,
        }
    }

    pub fn group_id(&self) -> &GroupId {
        self.modern.group_id()
    }

    pub fn epoch(&self) -> i32 {
        self.modern.epoch()
    }

    pub fn assignment_epoch(&self) -> i32 {
        self.modern.target().epoch()
    }

    pub fn is_empty(&self) -> bool {
        self.modern.members().is_empty()
    }

    pub fn members(&self) -> &BTreeMap<MemberId, ConsumerMember> {
        self.modern.members()
    }

    pub fn is_subscribed_to_topic(&self, topic: &str) -> bool {
        self.modern.is_subscribed_to_topic(topic)
            || self.patterns.values().any(|resolved| resolved.topics.contains(topic))
    }

    /// Kafka's `ConsumerGroupState`.
    pub fn state_name(&self) -> &'static str {
        let epoch = self.assignment_epoch();
        if self.is_empty() {
            "Empty"
        } else if self.epoch() > epoch {
            "Assigning"
        } else if self.members().values().any(|member| !member.is_reconciled_to(epoch)) {
            "Reconciling"
        } else {
            "Stable"
        }
    }

    /// The topics of the cluster have changed.
    pub(in crate::group) fn request_refresh(&mut self) {
        self.modern.request_refresh();
    }

    fn static_member(&self, instance_id: &str) -> Option<(&MemberId, &ConsumerMember)> {
        let id = self.static_members.get(instance_id)?;
        self.members().get(id).map(|member| (id, member))
    }

    /// `UNKNOWN_MEMBER_ID` where it is none.
    fn member(&self, member_id: &str) -> Result<&ConsumerMember, GroupError> {
        self.members().get(member_id).ok_or_else(|| {
            let message = format!("Member {member_id} is not a member of group {}.", self.group_id());
            GroupError::new(ErrorCode::UnknownMemberId, message)
        })
    }

    /// -1 where nobody has the partition.
    fn partition_epoch(&self, topic: TopicId, partition: i32) -> i32 {
        self.partition_epochs.get(&topic).and_then(|epochs| epochs.get(&partition)).copied().unwrap_or(-1)
    }

    /// What a member reads: names, and what matches its regular expression as far as that is known.
    fn topics_of<'a>(&'a self, member: &'a ConsumerMember) -> impl Iterator<Item = &'a TopicName> {
        let resolved = self.patterns.get(&member.metadata.pattern);
        member.subscribed_topics().iter().chain(resolved.into_iter().flat_map(|resolved| &resolved.topics))
    }

    fn record(&self, record: ConsumerRecord) -> Record {
        Record::Consumer { group: self.group_id().clone(), record }
    }

    /// The tombstones of a member (`GroupMetadataManager.removeMember`).
    fn remove_member(&self, member: &MemberId, records: &mut Vec<Record>) {
        let gone = [
            ConsumerRecord::CurrentMemberAssignment { member: member.clone(), value: None },
            ConsumerRecord::TargetAssignmentMember { member: member.clone(), value: None },
            ConsumerRecord::MemberMetadata { member: member.clone(), value: None },
        ];
        records.extend(gone.into_iter().map(|record| self.record(record)));
    }

    /// The tombstones of the whole group (`ConsumerGroup.createGroupTombstoneRecords`).
    pub(in crate::group) fn tombstones(&self) -> Vec<Record> {
        let members: Vec<MemberId> = self.members().keys().cloned().collect();
        let mut records = Vec::new();
        self.tombstones_of(&members, &mut records);
        records
    }

    fn tombstones_of(&self, members: &[MemberId], records: &mut Vec<Record>) {
        let members = || members.iter().cloned();
        let current = members().map(|member| ConsumerRecord::CurrentMemberAssignment { member, value: None });
        let target = members().map(|member| ConsumerRecord::TargetAssignmentMember { member, value: None });
        let metadata = members().map(|member| ConsumerRecord::MemberMetadata { member, value: None });
        let patterns = self.patterns.keys().cloned();
        let patterns = patterns.map(|pattern| ConsumerRecord::RegularExpression { pattern, value: None });
        let gone = current
            .chain(target)
            .chain([ConsumerRecord::TargetAssignmentMetadata(None)])
            .chain(metadata)
            .chain(patterns)
            .chain([ConsumerRecord::PartitionMetadata(None), ConsumerRecord::Metadata(None)]);
        records.extend(gone.map(|record| self.record(record)));
    }
}

pub(super) fn not_a_consumer_group(group_id: &str) -> GroupError {
    GroupError::new(ErrorCode::GroupIdNotFound, format!("Group {group_id} is not a consumer group."))
}
