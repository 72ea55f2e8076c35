//! ShareGroupHeartbeat: a member joins, stays, changes what it reads, and hears what it is assigned.
//! Core.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_env::Monotonic;
use ottla_model::{ErrorCode, GroupId, MemberId, TopicId, TopicName};

use super::assignor::{AssignorInput, MemberSpec};
use super::state::ShareInitialize;
use super::{ShareGroup, ShareMember};
use crate::group::Group;
use crate::group::modern::{Assigning, GroupError, HeartbeatTurn, TargetTask};
use crate::group::shard::GroupShard;
use crate::group::turn::{Effects, Turn};
use crate::record::share::{CurrentAssignment, ShareGroupEpoch, ShareMemberMetadata, ShareRecord};
use crate::record::{Assignment, TargetAssignmentEpoch};
use crate::settings::{GroupSettings, ShareGroupConfig};
use crate::topic_lookup::TopicLookup;

/// A member's heartbeat.
pub struct ShareHeartbeat<'a> {
    pub group_id: &'a str,
    pub member_id: &'a str,
    /// 0 joins, -1 leaves.
    pub member_epoch: i32,
    pub rack_id: Option<&'a str>,
    pub client_id: &'a str,
    pub client_host: &'a str,
    /// `None` when it is as before.
    pub subscribed_topics: Option<BTreeSet<TopicName>>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct ShareHeartbeatOutcome {
    pub member_epoch: i32,
    pub heartbeat_interval_ms: i32,
    /// `None` when the member knows it.
    pub assignment: Option<Assignment>,
    /// Share state that is to be set up before its partitions can be assigned.
    pub initialize: Option<ShareInitialize>,
}

pub type ShareHeartbeatTurn = HeartbeatTurn<ShareHeartbeatOutcome, AssignorInput>;

impl GroupShard {
    pub fn on_share_heartbeat(
        &mut self,
        beat: &ShareHeartbeat<'_>,
        topics: &dyn TopicLookup,
        config: &ShareGroupConfig,
        assigning: Assigning<Assignment>,
        now: Monotonic,
        wall_ms: i64,
    ) -> Result<ShareHeartbeatTurn, GroupError> {
        let is_join = beat.member_epoch == 0;
        let fresh;
        let group = match self.groups.get(beat.group_id) {
            Some(Group::Share(group)) => group,
            Some(_) => return Err(not_a_share_group(beat.group_id)),
            None if is_join => {
                fresh = ShareGroup::new(GroupId::new(beat.group_id));
                &fresh
            }
            None => {
                let message = format!("Share group {} not found.", beat.group_id);
                return Err(GroupError::new(ErrorCode::GroupIdNotFound, message));
            }
        };
        let mut heartbeat = Heartbeat {
            group,
            topics,
            config,
            settings: &self.settings,
            wall_ms,
            member_id: MemberId::new(beat.member_id),
            effects: Effects::default(),
        };
        let (outcome, is_refreshed) = match heartbeat.decide(beat, assigning)? {
            Decided::Done(outcome, is_refreshed) => (outcome, is_refreshed),
            Decided::Assign(task) => return Ok(ShareHeartbeatTurn::Assign(task)),
        };
        let effects = heartbeat.effects;
        if is_refreshed && let Some(Group::Share(group)) = self.groups.get_mut(beat.group_id) {
            group.modern.on_refreshed();
        }
        self.renew_share_session(beat, config, now);
        Ok(ShareHeartbeatTurn::Done(effects, outcome))
    }

    /// A member that has just joined gets its session with its record: see `replay`.
    fn renew_share_session(&mut self, beat: &ShareHeartbeat<'_>, config: &ShareGroupConfig, now: Monotonic) {
        let deadline = now.after_ms(i64::from(config.session_timeout_ms));
        let member = MemberId::new(beat.member_id);
        match self.groups.get_mut(beat.group_id) {
            Some(Group::Share(group)) => group.modern.sessions().renew(&mut self.timers, &member, deadline),
            _not_yet => {
                self.share_sessions_to_come.insert((GroupId::new(beat.group_id), member), deadline);
            }
        }
    }
}

pub(super) fn not_a_share_group(group_id: &str) -> GroupError {
    GroupError::new(ErrorCode::GroupIdNotFound, format!("Group {group_id} is not a share group."))
}

enum Decided {
    Done(ShareHeartbeatOutcome, bool),
    Assign(TargetTask<AssignorInput>),
}

/// One heartbeat while it is decided.
struct Heartbeat<'a> {
    group: &'a ShareGroup,
    topics: &'a dyn TopicLookup,
    config: &'a ShareGroupConfig,
    settings: &'a GroupSettings,
    wall_ms: i64,
    member_id: MemberId,
    effects: Effects,
}

impl Heartbeat<'_> {
    fn decide(
        &mut self,
        beat: &ShareHeartbeat<'_>,
        assigning: Assigning<Assignment>,
    ) -> Result<Decided, GroupError> {
        let group = self.group;
        let before = group.check_member(beat, self.settings)?;
        let mut member = updated(&before, beat);
        let mut is_changed = false;
        if member != before || !group.modern.members().contains_key(&self.member_id) {
            let value = Some(Arc::clone(&member.metadata));
            self.record(ShareRecord::MemberMetadata { member: self.member_id.clone(), value });
            is_changed = member.metadata.subscribed_topics != before.metadata.subscribed_topics;
        }
        let subscribed = group.modern.subscribed_topics_with(&self.member_id, Some(&member));
        if group.modern.target().epoch() >= group.epoch() {
            is_changed |= group.is_initialized_assignment_pending();
        }
        let next = group.modern.next_epoch(is_changed, &subscribed, self.topics);
        if let Some(metadata_hash) = next.new_hash {
            let value = Some(ShareGroupEpoch { epoch: next.epoch, metadata_hash });
            self.record(ShareRecord::Metadata(value));
        }
        let (target_epoch, target) = match self.next_target(&member, next.epoch, assigning) {
            Ok(target) => target,
            Err(task) => return Ok(Decided::Assign(task)),
        };
        let is_new_epoch = next.new_hash.is_some();
        if is_new_epoch || member.member_epoch != target_epoch {
            self.reconcile(&mut member, target_epoch, target, is_new_epoch);
        }
        let is_reported =
            beat.member_epoch == 0 || beat.subscribed_topics.is_some() || member.assigned != before.assigned;
        let initialize = group.initialize(
            next.epoch,
            &subscribed,
            self.topics,
            self.settings,
            self.wall_ms,
            &mut self.effects,
        );
        let outcome = ShareHeartbeatOutcome {
            member_epoch: member.member_epoch,
            heartbeat_interval_ms: self.config.heartbeat_interval_ms,
            assignment: is_reported.then_some(member.assigned),
            initialize,
        };
        Ok(Decided::Done(outcome, next.is_refreshed))
    }

    fn record(&mut self, record: ShareRecord) {
        self.effects.records.push(self.group.record(record));
    }

    /// The target assignment of the member, a new one if the group is ahead of it.
    fn next_target(
        &mut self,
        member: &ShareMember,
        epoch: i32,
        assigning: Assigning<Assignment>,
    ) -> Result<(i32, Assignment), TargetTask<AssignorInput>> {
        let (modern, target) = (&self.group.modern, self.group.modern.target());
        if !target.is_due(epoch, self.config.assignment_interval_ms, self.wall_ms) {
            let known = target.of(&self.member_id).map(|known| Assignment::clone(known));
            return Ok((target.epoch(), known.unwrap_or_default()));
        }
        let task = || TargetTask::new(modern, epoch, self.assignor_input(member));
        let computed = match assigning {
            Assigning::Outside => return Err(task()),
            Assigning::With(computed) => computed.if_current(modern, epoch).ok(),
            Assigning::Here => task().compute(AssignorInput::assign).if_current(modern, epoch).ok(),
        };
        let Some(mut assignments) = computed else { return Err(task()) };
        let changed = target.changed(&assignments).map(|(id, assignment)| {
            ShareRecord::TargetAssignmentMember { member: id.clone(), value: Some(assignment.clone()) }
        });
        let changed: Vec<ShareRecord> = changed.collect();
        changed.into_iter().for_each(|record| self.record(record));
        let value = Some(TargetAssignmentEpoch { epoch, timestamp_ms: self.wall_ms });
        self.record(ShareRecord::TargetAssignmentMetadata(value));
        Ok((epoch, assignments.remove(&self.member_id).unwrap_or_default()))
    }

    fn assignor_input(&self, member: &ShareMember) -> AssignorInput {
        let modern = &self.group.modern;
        let others = modern.members().iter().filter(|(id, _)| **id != self.member_id);
        let members = others
            .chain([(&self.member_id, member)])
            .map(|(id, member)| {
                let names = member.metadata.subscribed_topics.iter();
                let topics = names.filter_map(|name| self.topics.topic_id(name.as_str())).collect();
                let current = modern.target().of(id).cloned().unwrap_or_default();
                (id.clone(), MemberSpec { topics, current })
            })
            .collect();
        let state = self.group.state_partitions.iter().flat_map(|state| &state.initialized);
        let assignable = state.map(|(id, topic)| (*id, topic.partitions.clone())).collect();
        AssignorInput { members, assignable }
    }

    fn reconcile(
        &mut self,
        member: &mut ShareMember,
        target_epoch: i32,
        target: Assignment,
        has_subscription_changed: bool,
    ) {
        let before = member.clone();
        let names = member.metadata.subscribed_topics.iter();
        let subscribed: BTreeSet<TopicId> =
            names.filter_map(|name| self.topics.topic_id(name.as_str())).collect();
        let is_read = |id: &TopicId| subscribed.contains(id);
        let assigned: Assignment = target.into_iter().filter(|(id, _)| is_read(id)).collect();
        if member.member_epoch != target_epoch {
            member.previous_member_epoch = member.member_epoch;
            member.member_epoch = target_epoch;
            member.assigned = assigned;
        } else if has_subscription_changed {
            member.assigned = assigned;
        }
        if *member != before {
            let value = Some(CurrentAssignment {
                member_epoch: member.member_epoch,
                previous_member_epoch: member.previous_member_epoch,
                state: 0,
                assigned: member.assigned.clone(),
            });
            self.record(ShareRecord::CurrentMemberAssignment { member: self.member_id.clone(), value });
        }
    }
}

impl ShareGroup {
    /// The member as it is, if it may be here with its epoch.
    fn check_member(
        &self,
        beat: &ShareHeartbeat<'_>,
        settings: &GroupSettings,
    ) -> Result<ShareMember, GroupError> {
        let known = self.modern.members().get(beat.member_id);
        if known.is_none() && self.member_count() >= settings.share_members_max.max(0) as usize {
            let max = settings.share_members_max;
            let message = format!("The share group has reached its maximum capacity of {max} members.");
            return Err(GroupError::new(ErrorCode::GroupMaxSizeReached, message));
        }
        let Some(member) = known else {
            return match beat.member_epoch {
                0 => Ok(ShareMember::default()),
                _ => Err(self.unknown_member(beat.member_id)),
            };
        };
        let (theirs, ours) = (beat.member_epoch, member.member_epoch);
        let fenced = |what: &str| {
            let message = format!(
                "The share group member has a {what} The member must abandon all its partitions and rejoin."
            );
            Err(GroupError::new(ErrorCode::FencedMemberEpoch, message))
        };
        if theirs == 0 || theirs == ours || theirs == member.previous_member_epoch {
            return Ok(member.clone());
        }
        if theirs > ours {
            return fenced(&format!(
                "greater member epoch ({theirs}) than the one known by the group coordinator ({ours})."
            ));
        }
        let previous = member.previous_member_epoch;
        fenced(&format!(
            "smaller member epoch ({theirs}) than the one known by the group coordinator ({ours}), and it does \
             not match the previous member epoch ({previous})."
        ))
    }

    pub(super) fn unknown_member(&self, member_id: &str) -> GroupError {
        let message = format!("Member {member_id} is not a member of group {}.", self.group_id());
        GroupError::new(ErrorCode::UnknownMemberId, message)
    }

    /// Whether share state is there by now that is not yet assigned, or assigned and not there any more.
    fn is_initialized_assignment_pending(&self) -> bool {
        let Some(state) = self.state_partitions.as_ref().filter(|_| !self.is_empty()) else { return false };
        let mut assigned: BTreeMap<TopicId, BTreeSet<i32>> = BTreeMap::new();
        for (id, partitions) in self.modern.target().assignments().flatten() {
            assigned.entry(*id).or_default().extend(partitions);
        }
        state
            .initialized
            .iter()
            .filter(|(_, topic)| self.is_subscribed_to_topic(topic.name.as_str()))
            .any(|(id, topic)| assigned.get(id) != Some(&topic.partitions))
    }

    pub(in crate::group) fn on_loaded(&mut self, turn: &mut Turn<'_>) {
        let deadline = turn.now.after_ms(i64::from(turn.settings.share_session_timeout_ms));
        let members: Vec<MemberId> = self.modern.members().keys().cloned().collect();
        for member in &members {
            self.modern.sessions().renew(turn.timers, member, deadline);
        }
    }
}

fn updated(before: &ShareMember, beat: &ShareHeartbeat<'_>) -> ShareMember {
    let was = &before.metadata;
    let metadata = ShareMemberMetadata {
        rack_id: beat.rack_id.map(Arc::from).or_else(|| was.rack_id.clone()),
        client_id: Arc::from(beat.client_id),
        client_host: Arc::from(beat.client_host),
        subscribed_topics: beat.subscribed_topics.clone().unwrap_or_else(|| was.subscribed_topics.clone()),
    };
    let metadata = if metadata == **was { Arc::clone(was) } else { Arc::new(metadata) };
    ShareMember { metadata, ..before.clone() }
}
