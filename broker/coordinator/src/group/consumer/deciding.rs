//! The steps of a request that a member's heartbeat and a classic member's join share.
//! Core. Nothing of the group changes here: each step adds its records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_model::{MemberId, TopicId, TopicName};

use super::current_assignment::Surroundings;
use super::target::AssignorInput;
use super::timers::PhaseChange;
use super::{ConsumerGroup, ConsumerMember, MemberState};
use crate::group::modern::{Assigning, Awaited, GroupError, NextEpoch, TargetTask};
use crate::record::consumer::{ConsumerGroupEpoch, ConsumerRecord};
use crate::record::{Assignment, Record, TargetAssignmentEpoch};
use crate::settings::{ConsumerGroupConfig, GroupSettings};
use crate::topic_lookup::TopicLookup;

/// Why a turn ends before it is decided.
pub(in crate::group) enum Stop {
    Assign(TargetTask<AssignorInput>),
    Refused(GroupError),
}

impl From<GroupError> for Stop {
    fn from(error: GroupError) -> Stop {
        Stop::Refused(error)
    }
}

/// One request while it is decided.
pub(in crate::group) struct Deciding<'a> {
    pub group: &'a ConsumerGroup,
    pub topics: &'a dyn TopicLookup,
    pub config: &'a ConsumerGroupConfig,
    pub settings: &'a GroupSettings,
    pub wall_ms: i64,
    pub member_id: MemberId,
    /// The static member whose place the member takes.
    pub replaced: Option<MemberId>,
    pub records: Vec<Record>,
    /// The topics were looked at.
    pub is_refreshed: bool,
    /// The target is another one when this is over.
    pub awaited: Option<Awaited>,
}

impl<'a> Deciding<'a> {
    pub fn record(&mut self, record: ConsumerRecord) {
        self.records.push(self.group.record(record));
    }

    /// The members of the group, the deciding one as it will be (none, if it leaves).
    pub fn members_with<'b>(
        &'b self,
        member: Option<&'b ConsumerMember>,
    ) -> impl Iterator<Item = (&'b MemberId, &'b ConsumerMember)> {
        let is_other = |id: &MemberId| *id != self.member_id && self.replaced.as_ref() != Some(id);
        let others = self.group.members().iter().filter(move |(id, _)| is_other(id));
        others.chain(member.map(|member| (&self.member_id, member)))
    }

    /// Takes a static member's place: the records of it (`GroupMetadataManager.replaceMember`).
    pub fn replace(&mut self, old: &MemberId) -> ConsumerMember {
        let was = &self.group.members()[old];
        let member = ConsumerMember { member_epoch: 0, previous_member_epoch: 0, ..was.clone() };
        self.group.remove_member(old, &mut self.records);
        let id = || self.member_id.clone();
        let target = self.group.modern.target().of(old).map(|target| Assignment::clone(target));
        let made = [
            ConsumerRecord::MemberMetadata { member: id(), value: Some(Arc::clone(&member.metadata)) },
            ConsumerRecord::TargetAssignmentMember { member: id(), value: Some(target.unwrap_or_default()) },
            ConsumerRecord::CurrentMemberAssignment {
                member: id(),
                value: Some(member.to_current_assignment()),
            },
        ];
        made.into_iter().for_each(|record| self.record(record));
        self.replaced = Some(old.clone());
        member
    }

    /// Writes down what the member is; whether it names other topics than before.
    pub fn write_member(&mut self, before: &ConsumerMember, member: &ConsumerMember) -> bool {
        if member.metadata == before.metadata {
            return false;
        }
        let value = Some(Arc::clone(&member.metadata));
        self.record(ConsumerRecord::MemberMetadata { member: self.member_id.clone(), value });
        member.metadata.subscribed_topics != before.metadata.subscribed_topics
    }

    /// The group's epoch with the member as it will be, where something asks for a look.
    pub fn next_epoch(&mut self, is_changed: bool, member: &ConsumerMember) -> i32 {
        let modern = &self.group.modern;
        if !is_changed && !modern.needs_refresh() {
            return modern.epoch();
        }
        let subscribed = self.subscribed_topics(Some(member));
        let NextEpoch { epoch, new_hash, is_refreshed } =
            modern.next_epoch(is_changed, &subscribed, self.topics);
        self.is_refreshed = is_refreshed;
        if let Some(metadata_hash) = new_hash {
            self.record(ConsumerRecord::Metadata(Some(ConsumerGroupEpoch { epoch, metadata_hash })));
        }
        if self.group.has_partition_metadata {
            self.record(ConsumerRecord::PartitionMetadata(None));
        }
        epoch
    }

    /// All topics that somebody reads. What matched a regular expression that nobody has any more goes with it.
    fn subscribed_topics(&self, member: Option<&ConsumerMember>) -> BTreeSet<TopicName> {
        let mut topics = BTreeSet::new();
        let mut patterns = BTreeSet::new();
        for (_, member) in self.members_with(member) {
            topics.extend(member.metadata.subscribed_topics.iter().cloned());
            patterns.insert(&member.metadata.pattern);
        }
        for resolved in patterns.into_iter().filter_map(|pattern| self.group.patterns.get(pattern)) {
            topics.extend(resolved.topics.iter().cloned());
        }
        topics
    }

    /// The target assignment of the member, a new one if the group is ahead of it.
    pub fn next_target(
        &mut self,
        member: &ConsumerMember,
        epoch: i32,
        assigning: Assigning<Assignment>,
    ) -> Result<(i32, Arc<Assignment>), Stop> {
        let (modern, target) = (&self.group.modern, self.group.modern.target());
        if !target.is_due(epoch, self.config.assignment_interval_ms, self.wall_ms) {
            return Ok((target.epoch(), self.known_target(member)));
        }
        let task =
            |under_way| TargetTask::again(modern, epoch, self.assignor_input(member, epoch), under_way);
        let mut assignments = match (assigning, modern.assigning()) {
            (Assigning::Outside, Some(under_way)) => {
                self.awaited = Some(under_way.clone());
                return Ok((target.epoch(), self.known_target(member)));
            }
            (Assigning::Outside, None) => return Err(Stop::Assign(task(None))),
            (Assigning::With(computed), _) => match computed.if_current(modern, epoch) {
                Ok(assignments) => assignments,
                Err(under_way) => return Err(Stop::Assign(task(Some(under_way)))),
            },
            (Assigning::Here, _) => self.assignor_input(member, epoch).assign()?,
        };
        let changed: Vec<_> = target.changed(&assignments).map(|(id, to)| (id.clone(), to.clone())).collect();
        for (member, assignment) in changed {
            self.record(ConsumerRecord::TargetAssignmentMember { member, value: Some(assignment) });
        }
        let value = TargetAssignmentEpoch { epoch, timestamp_ms: self.wall_ms };
        self.record(ConsumerRecord::TargetAssignmentMetadata(Some(value)));
        Ok((epoch, Arc::new(assignments.remove(&self.member_id).unwrap_or_default())))
    }

    /// `ConsumerGroup.targetAssignment`: a static member's is found by its instance id.
    pub fn known_target(&self, member: &ConsumerMember) -> Arc<Assignment> {
        let id = match &member.metadata.instance_id {
            None => Some(&self.member_id),
            Some(instance) => self.group.static_members.get(instance),
        };
        id.and_then(|id| self.group.modern.target().of(id)).cloned().unwrap_or_default()
    }

    /// Takes the member a step towards its target. Says what becomes of its rebalance timeout.
    pub fn reconcile(
        &mut self,
        member: &mut ConsumerMember,
        (target_epoch, target): (i32, &Assignment),
        has_subscription_changed: bool,
        owned: Option<&[(TopicId, Vec<i32>)]>,
    ) -> Result<Option<PhaseChange>, GroupError> {
        if !has_subscription_changed && member.is_reconciled_to(target_epoch) {
            return Ok(None);
        }
        let names = self.group.topics_of(member);
        let subscribed: BTreeSet<TopicId> =
            names.filter_map(|name| self.topics.topic_id(name.as_str())).collect();
        let next = member.next_assignment(&Surroundings {
            target_epoch,
            target,
            has_subscription_changed,
            subscribed: &subscribed,
            partition_epoch: &|topic, partition| self.group.partition_epoch(topic, partition),
            owned,
        })?;
        if next == *member {
            return Ok(None);
        }
        *member = next;
        let value = Some(member.to_current_assignment());
        self.record(ConsumerRecord::CurrentMemberAssignment { member: self.member_id.clone(), value });
        Ok(match member.state {
            // Members of the classic protocol have a time to join and one to sync instead.
            _ if member.uses_classic_protocol() => None,
            MemberState::UnrevokedPartitions => Some(PhaseChange::Rebalance {
                member_epoch: member.member_epoch,
                timeout_ms: member.metadata.rebalance_timeout_ms,
            }),
            _ => Some(PhaseChange::End),
        })
    }

    /// How many members read by a regular expression, with the deciding one as it will be.
    pub fn pattern_members_with(&self, member: &ConsumerMember) -> BTreeMap<Arc<str>, usize> {
        let mut counts = BTreeMap::new();
        let members = self.members_with(Some(member)).map(|(_, member)| &member.metadata.pattern);
        for pattern in members.filter(|pattern| !pattern.is_empty()) {
            *counts.entry(Arc::clone(pattern)).or_default() += 1;
        }
        counts
    }
}
