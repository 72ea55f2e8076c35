//! ConsumerGroupHeartbeat: a member joins, stays, changes what it reads, and hears what it has.
//! Core.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_env::Monotonic;
use ottla_model::{ErrorCode, GroupId, MemberId, TopicId, TopicName};

use super::deciding::Stop;
use super::pattern::{PatternChange, PatternTask};
use super::target::AssignorInput;
use super::timers::AfterRecords;
use super::{ConsumerGroup, ConsumerMember, LEAVE_STATIC_EPOCH, not_a_consumer_group};
use crate::group::Group;
use crate::group::modern::{Assigning, Awaited, GroupError, HeartbeatTurn};
use crate::group::shard::GroupShard;
use crate::group::turn::{Effects, Then, Turn};
use crate::record::consumer::{ConsumerMemberMetadata, Owned};
use crate::record::{Assignment, Record};
use crate::settings::GroupSettings;
use crate::topic_lookup::TopicLookup;

pub(super) use super::deciding::Deciding;

/// A member's heartbeat.
pub struct ConsumerHeartbeat<'a> {
    pub group_id: &'a str,
    pub member_id: &'a str,
    /// 0 joins.
    pub member_epoch: i32,
    pub instance_id: Option<&'a str>,
    pub rack_id: Option<&'a str>,
    /// -1 where it is as before.
    pub rebalance_timeout_ms: i32,
    pub client_id: &'a str,
    pub client_host: &'a str,
    pub subscribed_topics: Option<BTreeSet<TopicName>>,
    pub pattern: Option<&'a str>,
    /// What is wrong with it (`check_pattern`); said unless another member has it already.
    pub pattern_error: Option<GroupError>,
    pub server_assignor: Option<&'a str>,
    /// What the member says that it has.
    pub owned: Option<Vec<(TopicId, Vec<i32>)>>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct ConsumerHeartbeatOutcome {
    pub member_id: MemberId,
    pub member_epoch: i32,
    /// 0 for one who leaves.
    pub heartbeat_interval_ms: i32,
    /// `None` when the member knows it.
    pub assignment: Option<Arc<Owned>>,
    /// To be resolved outside of the lock.
    pub patterns: Option<PatternTask>,
    /// The member has joined, and its target is being computed: a heartbeat behind that has it.
    pub awaited: Option<Awaited>,
}

pub type ConsumerHeartbeatTurn = HeartbeatTurn<ConsumerHeartbeatOutcome, AssignorInput>;

/// The group that a turn is about: the one that is there, or one that its records will make.
pub(super) enum Found<'a> {
    There(&'a ConsumerGroup),
    /// With the records that make it.
    Made(Box<ConsumerGroup>, Vec<Record>),
}

impl GroupShard {
    pub fn on_consumer_heartbeat(
        &mut self,
        beat: &ConsumerHeartbeat<'_>,
        topics: &dyn TopicLookup,
        assigning: Assigning<Assignment>,
        now: Monotonic,
        wall_ms: i64,
    ) -> Result<ConsumerHeartbeatTurn, GroupError> {
        let found = self.find_or_make_consumer_group(beat, topics)?;
        let (group, records, assigning) = match &found {
            Found::There(group) => (*group, Vec::new(), assigning),
            // It is there once its records are: what is computed outside could not be held against it.
            Found::Made(group, records) => (&**group, records.clone(), Assigning::Here),
        };
        let config = self.settings.consumer_configs.of(beat.group_id);
        let mut deciding = Deciding {
            group,
            topics,
            config: &config,
            settings: &self.settings,
            wall_ms,
            member_id: MemberId::new(beat.member_id),
            replaced: None,
            records,
            is_refreshed: false,
            awaited: None,
        };
        let (outcome, mut after) = match deciding.heartbeat(beat, assigning) {
            Ok(decided) => decided,
            Err(Stop::Refused(error)) => return Err(error),
            Err(Stop::Assign(task)) => {
                if let Some(group) = self.consumer_group_mut(beat.group_id) {
                    group.modern.on_assigning(task.awaited());
                }
                return Ok(ConsumerHeartbeatTurn::Assign(task));
            }
        };
        let records = deciding.records;
        if beat.member_epoch == 0 {
            tracing::info!(
                group = beat.group_id,
                member = beat.member_id,
                "a member joins the consumer group"
            );
        }
        let mut effects = Effects::of_records(records);
        if let Some(Group::Classic(classic)) = self.groups.get_mut(beat.group_id) {
            tracing::info!(group = beat.group_id, "a classic group becomes a consumer group");
            after.is_upgraded = true;
            let mut turn = Turn {
                timers: &mut self.timers,
                settings: &self.settings,
                now,
                wall_ms,
                effects: Effects::default(),
            };
            classic.send_away(&mut turn);
            effects.answers = turn.effects.answers;
        }
        self.after_records(beat.group_id, after, &mut effects, now, wall_ms);
        Ok(ConsumerHeartbeatTurn::Done(effects, outcome))
    }

    fn find_or_make_consumer_group(
        &self,
        beat: &ConsumerHeartbeat<'_>,
        topics: &dyn TopicLookup,
    ) -> Result<Found<'_>, GroupError> {
        let is_join = beat.member_epoch == 0;
        let make = || Box::new(ConsumerGroup::new(GroupId::new(beat.group_id)));
        match self.groups.get(beat.group_id) {
            Some(Group::Consumer(group)) => Ok(Found::There(group)),
            None if is_join => Ok(Found::Made(make(), Vec::new())),
            None => {
                let message = format!("Consumer group {} not found.", beat.group_id);
                Err(GroupError::new(ErrorCode::GroupIdNotFound, message))
            }
            // Its offsets stay.
            Some(group @ Group::Classic(_)) if is_join && group.is_empty() => {
                let gone = Record::GroupMetadata { group: GroupId::new(beat.group_id), value: None };
                Ok(Found::Made(make(), vec![gone]))
            }
            Some(Group::Classic(group)) if is_join => {
                group.check_upgrade(&self.settings)?;
                let mut records = Vec::new();
                let made = group.to_consumer_group(topics, &mut records)?;
                Ok(Found::Made(made, records))
            }
            Some(_) => Err(not_a_consumer_group(beat.group_id)),
        }
    }

    /// What goes by time follows the records, or at once where there are none.
    pub(super) fn after_records(
        &mut self,
        group_id: &str,
        after: AfterRecords,
        effects: &mut Effects,
        now: Monotonic,
        wall_ms: i64,
    ) {
        let then = Then::Consumer { group: GroupId::new(group_id), after: Box::new(after) };
        match effects.records.is_empty() {
            true => *effects = self.on_appended(then, Ok(()), now, wall_ms),
            false => effects.then = Some(then),
        }
    }
}

impl Deciding<'_> {
    fn heartbeat(
        &mut self,
        beat: &ConsumerHeartbeat<'_>,
        assigning: Assigning<Assignment>,
    ) -> Result<(ConsumerHeartbeatOutcome, AfterRecords), Stop> {
        self.group.check_size(beat.member_id, self.settings)?;
        let before = self.member_of(beat)?;
        let mut member = updated(&before, beat);
        let has_names_changed = self.write_member(&before, &member);
        let pattern = self.update_pattern(&before, &member, beat.pattern_error.as_ref())?;
        let patterns = self.patterns_to_resolve(&member);
        let is_changed = has_names_changed || pattern == PatternChange::UpdatedAndResolved;
        let epoch = self.next_epoch(is_changed, &member);
        let (target_epoch, target) = self.next_target(&member, epoch, assigning)?;
        let has_subscription_changed = has_names_changed || pattern != PatternChange::None;
        let phase = self.reconcile(
            &mut member,
            (target_epoch, &target),
            has_subscription_changed,
            beat.owned.as_deref(),
        )?;
        let is_full_request = beat.rebalance_timeout_ms != -1
            && (beat.subscribed_topics.is_some() || beat.pattern.is_some())
            && beat.owned.is_some();
        let is_reported = beat.member_epoch == 0 || is_full_request || member.assigned != before.assigned;
        let outcome = ConsumerHeartbeatOutcome {
            member_id: self.member_id.clone(),
            member_epoch: member.member_epoch,
            heartbeat_interval_ms: self.config.heartbeat_interval_ms,
            assignment: is_reported.then(|| Arc::clone(&member.assigned)),
            patterns,
            awaited: self.awaited.take().filter(|_| beat.member_epoch == 0),
        };
        let after = AfterRecords {
            session_timeout_ms: self.config.session_timeout_ms,
            phase,
            is_refreshed: self.is_refreshed,
            is_resolving: outcome.patterns.is_some(),
            ..AfterRecords::of(self.member_id.clone())
        };
        Ok((outcome, after))
    }

    /// The member as it is, if it may be here with its epoch.
    fn member_of(&mut self, beat: &ConsumerHeartbeat<'_>) -> Result<ConsumerMember, GroupError> {
        let is_join = beat.member_epoch == 0;
        let Some(instance_id) = beat.instance_id else {
            let known = match self.group.members().get(beat.member_id) {
                None if is_join => return Ok(ConsumerMember::default()),
                _ => self.group.member(beat.member_id)?,
            };
            known.check_epoch(beat)?;
            return Ok(known.clone());
        };
        let existing = self.group.static_member(instance_id);
        match existing {
            None if is_join => Ok(self.group.members().get(beat.member_id).cloned().unwrap_or_default()),
            None => Err(unknown_instance(instance_id)),
            Some((id, existing)) if is_join => {
                if !existing.uses_classic_protocol() && existing.member_epoch != LEAVE_STATIC_EPOCH {
                    return Err(unreleased(beat.member_id, instance_id, id));
                }
                let id = id.clone();
                Ok(self.replace(&id))
            }
            Some((id, _)) if id.as_str() != beat.member_id => {
                Err(fenced_instance(beat.member_id, instance_id, id))
            }
            Some((_, existing)) => {
                existing.check_epoch(beat)?;
                Ok(existing.clone())
            }
        }
    }
}

pub(super) fn unknown_instance(instance_id: &str) -> GroupError {
    GroupError::new(ErrorCode::UnknownMemberId, format!("Instance id {instance_id} is unknown."))
}

pub(super) fn fenced_instance(member_id: &str, instance_id: &str, by: &MemberId) -> GroupError {
    let message =
        format!("Static member {member_id} with instance id {instance_id} was fenced by member {by}.");
    GroupError::new(ErrorCode::FencedInstanceId, message)
}

fn unreleased(member_id: &str, instance_id: &str, by: &MemberId) -> GroupError {
    let message = format!(
        "Static member {member_id} with instance id {instance_id} cannot join the group because the instance id \
         is owned by {by} member."
    );
    GroupError::new(ErrorCode::UnreleasedInstanceId, message)
}

impl ConsumerGroup {
    /// `throwIfConsumerGroupIsFull`.
    pub(super) fn check_size(&self, member_id: &str, settings: &GroupSettings) -> Result<(), GroupError> {
        let max = settings.consumer_members_max;
        if self.members().len() < max.max(0) as usize || self.members().contains_key(member_id) {
            return Ok(());
        }
        let message = format!("The consumer group has reached its maximum capacity of {max} members.");
        Err(GroupError::new(ErrorCode::GroupMaxSizeReached, message))
    }
}

impl ConsumerMember {
    /// `throwIfConsumerGroupMemberEpochIsInvalid`.
    fn check_epoch(&self, beat: &ConsumerHeartbeat<'_>) -> Result<(), GroupError> {
        let (theirs, ours) = (beat.member_epoch, self.member_epoch);
        if theirs == 0 || theirs == ours {
            return Ok(());
        }
        // The answer with the new epoch may have been lost: such a member has nothing but what it was given.
        if theirs == self.previous_member_epoch && theirs < ours && self.has_all_of(beat.owned.as_deref()) {
            return Ok(());
        }
        let what = if theirs > ours { "greater" } else { "smaller" };
        let message = format!(
            "The consumer group member has a {what} member epoch ({theirs}) than the one known by the group \
             coordinator ({ours}). The member must abandon all its partitions and rejoin."
        );
        Err(GroupError::new(ErrorCode::FencedMemberEpoch, message))
    }

    fn has_all_of(&self, owned: Option<&[(TopicId, Vec<i32>)]>) -> bool {
        owned.is_some_and(|owned| {
            owned.iter().all(|(id, partitions)| {
                let assigned = self.assigned.get(id);
                assigned.is_some_and(|assigned| partitions.iter().all(|p| assigned.contains_key(p)))
            })
        })
    }
}

fn updated(before: &ConsumerMember, beat: &ConsumerHeartbeat<'_>) -> ConsumerMember {
    let was = &before.metadata;
    let changed = |new: Option<&str>, old: &Option<Arc<str>>| new.is_some() && new != old.as_deref();
    let is_same = *was.client_id == *beat.client_id
        && *was.client_host == *beat.client_host
        && was.classic.is_none()
        && !changed(beat.instance_id, &was.instance_id)
        && !changed(beat.rack_id, &was.rack_id)
        && !changed(beat.server_assignor, &was.server_assignor)
        && beat.pattern.is_none_or(|pattern| *pattern == *was.pattern)
        && [-1, was.rebalance_timeout_ms].contains(&beat.rebalance_timeout_ms)
        && beat.subscribed_topics.as_ref().is_none_or(|topics| *topics == was.subscribed_topics);
    if is_same {
        return before.clone();
    }
    let latest = |new: Option<&str>, old: &Option<Arc<str>>| new.map(Arc::from).or_else(|| old.clone());
    let metadata = ConsumerMemberMetadata {
        instance_id: latest(beat.instance_id, &was.instance_id),
        rack_id: latest(beat.rack_id, &was.rack_id),
        client_id: Arc::from(beat.client_id),
        client_host: Arc::from(beat.client_host),
        subscribed_topics: beat.subscribed_topics.clone().unwrap_or_else(|| was.subscribed_topics.clone()),
        pattern: beat.pattern.map_or_else(|| Arc::clone(&was.pattern), Arc::from),
        rebalance_timeout_ms: match beat.rebalance_timeout_ms {
            -1 => was.rebalance_timeout_ms,
            timeout_ms => timeout_ms,
        },
        server_assignor: latest(beat.server_assignor, &was.server_assignor),
        classic: None,
    };
    ConsumerMember { metadata: Arc::new(metadata), ..before.clone() }
}
