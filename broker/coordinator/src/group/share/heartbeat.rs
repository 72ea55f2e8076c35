//! ShareGroupHeartbeat: a member joins, stays, changes what it reads, and hears what it is assigned.
//! Core.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_env::Monotonic;
use ottla_model::{ErrorCode, GroupId, MemberId, TopicId, TopicName};

use super::assignor::{self, MemberSpec};
use super::state::ShareInitialize;
use super::{GroupError, Session, ShareGroup, ShareMember};
use crate::group::Group;
use crate::group::shard::GroupShard;
use crate::group::turn::{Effects, Turn};
use crate::record::share::{
    Assignment, CurrentAssignment, ShareGroupEpoch, ShareMemberMetadata, ShareRecord, TargetAssignmentEpoch,
};
use crate::runtime::TopicLookup;
use crate::settings::{GroupSettings, ShareGroupConfig};
use crate::timers::TimerKey;
use crate::topic_hash::group_hash;

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

impl GroupShard {
    pub fn on_share_heartbeat(
        &mut self,
        beat: &ShareHeartbeat<'_>,
        topics: &dyn TopicLookup,
        config: &ShareGroupConfig,
        now: Monotonic,
        wall_ms: i64,
    ) -> Result<(Effects, ShareHeartbeatOutcome), GroupError> {
        let is_join = beat.member_epoch == 0;
        let fresh;
        let group = match self.groups.get(beat.group_id) {
            Some(Group::Share(group)) => group,
            Some(Group::Classic(_)) => return Err(not_a_share_group(beat.group_id)),
            None if is_join => {
                fresh = ShareGroup::new(GroupId::new(beat.group_id));
                &fresh
            }
            None => {
                let message = format!("Share group {} not found.", beat.group_id);
                return Err(GroupError::new(ErrorCode::GroupIdNotFound, message));
            }
        };
        let (effects, outcome, is_refreshed) =
            group.heartbeat(beat, topics, config, &self.settings, wall_ms)?;
        if let Some(Group::Share(group)) = self.groups.get_mut(beat.group_id) {
            group.needs_refresh &= !is_refreshed;
        }
        self.prolong_share_session(beat, config, now);
        Ok((effects, outcome))
    }

    /// A member that has just joined gets its session with its record: see `replay`.
    fn prolong_share_session(
        &mut self,
        beat: &ShareHeartbeat<'_>,
        config: &ShareGroupConfig,
        now: Monotonic,
    ) {
        let deadline = now.after_ms(i64::from(config.session_timeout_ms));
        let member = MemberId::new(beat.member_id);
        let Some(Group::Share(group)) = self.groups.get_mut(beat.group_id) else {
            self.share_sessions_to_come.insert((GroupId::new(beat.group_id), member), deadline);
            return;
        };
        let key = TimerKey::Member(group.group_id.clone(), member.clone());
        match group.sessions.get_mut(&member) {
            // The timer in the queue is moved when it comes due, unless it would come too late.
            Some(session) if session.timer.is_some_and(|timer| timer.at() <= deadline) => {
                session.deadline = deadline;
            }
            session => {
                if let Some(session) = session {
                    self.timers.cancel(&mut session.timer);
                }
                let timer = Some(self.timers.schedule(deadline, key));
                group.sessions.insert(member, Session { deadline, timer });
            }
        }
    }
}

pub(super) fn not_a_share_group(group_id: &str) -> GroupError {
    GroupError::new(ErrorCode::GroupIdNotFound, format!("Group {group_id} is not a share group."))
}

impl ShareGroup {
    fn heartbeat(
        &self,
        beat: &ShareHeartbeat<'_>,
        topics: &dyn TopicLookup,
        config: &ShareGroupConfig,
        settings: &GroupSettings,
        wall_ms: i64,
    ) -> Result<(Effects, ShareHeartbeatOutcome, bool), GroupError> {
        let member_id = MemberId::new(beat.member_id);
        let before = self.check_member(beat, settings)?;
        let mut effects = Effects::default();
        let mut member = updated(&before, beat);
        let mut bumps_epoch = false;
        if member != before || !self.members.contains_key(&member_id) {
            let value = Some(Arc::clone(&member.metadata));
            let record = ShareRecord::MemberMetadata { member: member_id.clone(), value };
            effects.records.push(self.record(record));
            bumps_epoch = member.metadata.subscribed_topics != before.metadata.subscribed_topics;
        }
        let subscribed = self.subscribed_topics_with(&member_id, Some(&member));
        let mut epoch = self.epoch;
        if self.assignment_epoch >= epoch {
            bumps_epoch |= self.is_initialized_assignment_pending();
        }
        let is_refreshed = bumps_epoch || self.needs_refresh;
        if is_refreshed {
            let metadata_hash = group_hash(subscribed.iter().map(|name| topics.topic_hash(name.as_str())));
            bumps_epoch |= metadata_hash != self.metadata_hash;
            if bumps_epoch {
                epoch += 1;
                let value = Some(ShareGroupEpoch { epoch, metadata_hash });
                effects.records.push(self.record(ShareRecord::Metadata(value)));
            }
        }
        let (target_epoch, target) =
            self.next_target(&member_id, &member, epoch, topics, config, wall_ms, &mut effects);
        if bumps_epoch || member.member_epoch != target_epoch {
            self.reconcile(&member_id, &mut member, target_epoch, target, bumps_epoch, topics, &mut effects);
        }
        let is_told =
            beat.member_epoch == 0 || beat.subscribed_topics.is_some() || member.assigned != before.assigned;
        let initialize = self.initialize(epoch, &subscribed, topics, settings, wall_ms, &mut effects);
        let outcome = ShareHeartbeatOutcome {
            member_epoch: member.member_epoch,
            heartbeat_interval_ms: config.heartbeat_interval_ms,
            assignment: is_told.then_some(member.assigned),
            initialize,
        };
        Ok((effects, outcome, is_refreshed))
    }

    /// The member as it is, if it may be here with its epoch.
    fn check_member(
        &self,
        beat: &ShareHeartbeat<'_>,
        settings: &GroupSettings,
    ) -> Result<ShareMember, GroupError> {
        let known = self.members.get(beat.member_id);
        if known.is_none() && self.members.len() >= settings.share_members_max.max(0) as usize {
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
        let message = format!("Member {member_id} is not a member of group {}.", self.group_id);
        GroupError::new(ErrorCode::UnknownMemberId, message)
    }

    /// Whether share state is there by now that is not yet assigned, or assigned and not there any more.
    fn is_initialized_assignment_pending(&self) -> bool {
        let Some(state) = self.state_partitions.as_ref().filter(|_| !self.is_empty()) else { return false };
        let mut assigned: BTreeMap<TopicId, BTreeSet<i32>> = BTreeMap::new();
        for (id, partitions) in self.target.values().flatten() {
            assigned.entry(*id).or_default().extend(partitions);
        }
        state
            .initialized
            .iter()
            .filter(|(_, topic)| self.is_subscribed_to_topic(topic.name.as_str()))
            .any(|(id, topic)| assigned.get(id) != Some(&topic.partitions))
    }

    /// The target assignment of the member, computed anew if the group is ahead of it.
    #[allow(clippy::too_many_arguments)] // What the assignment depends on.
    fn next_target(
        &self,
        member_id: &MemberId,
        member: &ShareMember,
        epoch: i32,
        topics: &dyn TopicLookup,
        config: &ShareGroupConfig,
        wall_ms: i64,
        effects: &mut Effects,
    ) -> (i32, Assignment) {
        let may_compute = self.assignment_timestamp_ms == 0
            || wall_ms >= self.assignment_timestamp_ms + i64::from(config.assignment_interval_ms);
        if self.assignment_epoch >= epoch || !may_compute {
            return (self.assignment_epoch, self.target.get(member_id).cloned().unwrap_or_default());
        }
        let nothing = Assignment::new();
        let others = self.members.iter().filter(|(id, _)| *id != member_id);
        let specs = others
            .chain([(member_id, member)])
            .map(|(id, member)| {
                let names = member.metadata.subscribed_topics.iter();
                let topics = names.filter_map(|name| topics.topic_id(name.as_str())).collect();
                (id, MemberSpec { topics, current: self.target.get(id).unwrap_or(&nothing) })
            })
            .collect();
        let assignable = self.state_partitions.iter().flat_map(|state| &state.initialized);
        let assignable = assignable.map(|(id, topic)| (*id, topic.partitions.clone())).collect();
        let mut assignments = assignor::assign(&specs, &assignable);
        for (id, assignment) in &assignments {
            if self.target.get(id) != Some(assignment) {
                let value = Some(assignment.clone());
                let record = ShareRecord::TargetAssignmentMember { member: id.clone(), value };
                effects.records.push(self.record(record));
            }
        }
        let value = Some(TargetAssignmentEpoch { epoch, timestamp_ms: wall_ms });
        effects.records.push(self.record(ShareRecord::TargetAssignmentMetadata(value)));
        (epoch, assignments.remove(member_id).unwrap_or_default())
    }

    #[allow(clippy::too_many_arguments)] // What the member becomes.
    fn reconcile(
        &self,
        member_id: &MemberId,
        member: &mut ShareMember,
        target_epoch: i32,
        target: Assignment,
        has_subscription_changed: bool,
        topics: &dyn TopicLookup,
        effects: &mut Effects,
    ) {
        let before = member.clone();
        let subscribed: BTreeSet<TopicId> = member
            .metadata
            .subscribed_topics
            .iter()
            .filter_map(|name| topics.topic_id(name.as_str()))
            .collect();
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
            let record = ShareRecord::CurrentMemberAssignment { member: member_id.clone(), value };
            effects.records.push(self.record(record));
        }
    }

    pub(in crate::group) fn on_loaded(&mut self, turn: &mut Turn<'_>) {
        let deadline = turn.now.after_ms(i64::from(turn.settings.share_session_timeout_ms));
        for member in self.members.keys() {
            let key = TimerKey::Member(self.group_id.clone(), member.clone());
            let timer = Some(turn.timers.schedule(deadline, key));
            self.sessions.insert(member.clone(), Session { deadline, timer });
        }
    }

    /// The topics of the cluster have changed.
    pub(in crate::group) fn request_refresh(&mut self) {
        self.needs_refresh = true;
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
