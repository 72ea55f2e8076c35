//! Members of the classic protocol in a consumer group: JoinGroup, SyncGroup, Heartbeat and LeaveGroup.
//! Core. A classic member's steps are those of the new protocol, one for each time it joins; its partitions are
//! assigned by the group like everybody's. An assignment that its join needs is computed under the lock.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_model::{ErrorCode, MemberId, TopicId, TopicName};

use super::deciding::{Deciding, Stop};
use super::heartbeat::{fenced_instance, unknown_instance};
use super::pattern::PatternChange;
use super::timers::{AfterRecords, PhaseChange};
use super::{ConsumerGroup, ConsumerMember, MemberState};
use crate::consumer_protocol::{self, NamedPartitions, Subscription};
use crate::group::answers::{Beat, Joined, Synced, Syncer};
use crate::group::join::Joiner;
use crate::group::leave::{Leaver, Left};
use crate::group::modern::{Assigning, GroupError};
use crate::group::turn::{Downgraded, Effects, Then, Turn, Waiter};
use crate::record::consumer::{ClassicMember, ConsumerMemberMetadata, Owned};
use crate::settings::MigrationPolicy;
use crate::topic_lookup::TopicLookup;

const PROTOCOL_TYPE: &str = "consumer";
fn refused(code: ErrorCode) -> GroupError {
    GroupError::new(code, code.message())
}

/// The text of random bits, as Kafka's ids of this kind are: it doesn't begin with `-`. Bits are drawn once for a turn,
/// so where they would, the next first letter stands in.
fn new_member_id(random: [u8; 16]) -> String {
    let bits = Cell::new(random);
    let next = || {
        let tried = bits.get();
        let mut other = tried;
        // The first letter is of the upper six bits.
        other[0] = tried[0].wrapping_add(1 << 2);
        bits.set(other);
        tried
    };
    TopicId::from_random(next).to_string()
}

/// A classic member that joins, as it is looked at here.
struct Join<'a> {
    joiner: &'a Joiner,
    is_new: bool,
    subscription: Subscription,
    owned: Vec<(TopicId, Vec<i32>)>,
}

impl ConsumerGroup {
    /// `classicGroupJoinToConsumerGroup`: a group that has members.
    pub(in crate::group) fn on_classic_join(
        &self,
        turn: &mut Turn<'_>,
        joiner: &Joiner,
        waiter: Waiter,
        random: [u8; 16],
    ) {
        if let Err(error) = self.join_classic(turn, joiner, waiter, random) {
            turn.answer_join_error(waiter, "", error.code);
        }
    }

    fn join_classic(
        &self,
        turn: &mut Turn<'_>,
        joiner: &Joiner,
        waiter: Waiter,
        random: [u8; 16],
    ) -> Result<(), GroupError> {
        if turn.settings.consumer_migration_policy == MigrationPolicy::Disabled {
            return Err(refused(ErrorCode::InconsistentGroupProtocol));
        }
        let is_new = joiner.member_id.is_empty();
        let made_id = new_member_id(random);
        let member_id = if is_new { &*made_id } else { &*joiner.member_id };
        self.check_size(member_id, turn.settings)?;
        if !self.supports_classic(joiner) {
            return Err(refused(ErrorCode::InconsistentGroupProtocol));
        }
        if is_new && joiner.group_instance_id.is_none() && joiner.must_know_its_id {
            turn.answer_join_error(waiter, member_id, ErrorCode::MemberIdRequired);
            return Ok(());
        }
        let first = joiner.protocols.first().map(|protocol| &protocol.metadata[..]);
        let subscription = first
            .and_then(consumer_protocol::subscription)
            .ok_or_else(|| refused(ErrorCode::UnknownServerError))?;
        let topics = turn.settings.topics.get();
        let owned = known_partitions(&subscription.owned, &*topics);
        let join = Join { joiner, is_new, subscription, owned };
        let config = turn.settings.consumer_configs.of(self.group_id().as_str());
        let mut deciding = Deciding {
            group: self,
            topics: &*topics,
            config: &config,
            settings: turn.settings,
            wall_ms: turn.wall_ms,
            member_id: MemberId::new(member_id),
            replaced: None,
            records: Vec::new(),
            is_refreshed: false,
            awaited: None,
        };
        let decided = deciding.classic_join(&join).map_err(|stop| match stop {
            Stop::Refused(error) => error,
            Stop::Assign(_) => unreachable!("the assignment is computed here"),
        })?;
        let (is_refreshed, member) = (deciding.is_refreshed, deciding.member_id);
        turn.effects.records = deciding.records;
        let response = Joined {
            error: ErrorCode::None,
            member_id: member.clone(),
            generation_id: decided.member.member_epoch,
            protocol_type: Some(Arc::from(PROTOCOL_TYPE)),
            protocol_name: joiner.protocols.first().map(|protocol| Arc::clone(&protocol.name)),
            leader: None,
            members: Vec::new(),
            skip_assignment: false,
        };
        let joined = Some((waiter, response));
        turn.effects.then = Some(match decided.downgraded {
            Some(downgraded) => Then::Downgraded(Box::new(Downgraded { joined, ..downgraded })),
            None => {
                let after = AfterRecords {
                    session_timeout_ms: joiner.session_timeout_ms,
                    phase: Some(PhaseChange::Sync { timeout_ms: joiner.rebalance_timeout_ms }),
                    is_refreshed,
                    joined,
                    ..AfterRecords::of(member)
                };
                Then::Consumer { group: self.group_id().clone(), after: Box::new(after) }
            }
        });
        Ok(())
    }

    /// `classicGroupSyncToConsumerGroup`.
    pub(in crate::group) fn on_sync(&mut self, turn: &mut Turn<'_>, request: &Syncer<'_>, waiter: Waiter) {
        match self.sync_classic(turn, request) {
            Ok(response) => turn.answer_sync(waiter, response),
            Err(error) => turn.answer_sync_error(waiter, error.code),
        }
    }

    /// `classicGroupLeaveToConsumerGroup`.
    pub(in crate::group) fn on_classic_leave(&self, turn: &mut Turn<'_>, leavers: Vec<Leaver>) -> Left {
        let mut gone: Vec<MemberId> = Vec::new();
        let answers = leavers.into_iter().map(|leaver| {
            let error = match self.leaver(&leaver) {
                Ok(member) => {
                    if !gone.contains(member) {
                        gone.push(member.clone());
                    }
                    ErrorCode::None
                }
                Err(error) => error.code,
            };
            (leaver, error)
        });
        let members = answers.collect();
        let Effects { records, then, .. } = self.fence(&gone, turn.settings, turn.wall_ms);
        (turn.effects.records, turn.effects.then) = (records, then);
        Ok(members)
    }
}

/// What a classic join comes to.
struct ClassicJoined {
    member: ConsumerMember,
    /// Nobody of the new protocol is left: the group becomes a classic one.
    downgraded: Option<Downgraded>,
}

impl Deciding<'_> {
    fn classic_join(&mut self, join: &Join<'_>) -> Result<ClassicJoined, Stop> {
        let before = self.classic_member_of(join)?;
        let is_downgraded = self.replaced.as_ref().is_some_and(|replaced| {
            self.group.is_classic_but_for(std::slice::from_ref(replaced))
                && !self.group.members()[replaced].uses_classic_protocol()
                && self.group.may_downgrade_to(self.group.members().len(), self.settings)
        });
        let mut member = join.updated(&before);
        let has_names_changed = self.write_member(&before, &member);
        let pattern = self.update_pattern(&before, &member, None)?;
        let is_changed = has_names_changed || pattern != PatternChange::None;
        let epoch = self.next_epoch(is_changed, &member);
        let owned = Some(&join.owned[..]);
        if is_downgraded {
            let is_rebalancing = self.group.assignment_epoch() < epoch;
            if !is_rebalancing {
                let target = self.known_target(&member);
                let target = (self.group.assignment_epoch(), &*target);
                self.reconcile(&mut member, target, is_changed, owned)?;
            }
            let downgraded = self.downgrade_with(&member, is_rebalancing)?;
            return Ok(ClassicJoined { member, downgraded: Some(downgraded) });
        }
        let (target_epoch, target) = self.next_target(&member, epoch, Assigning::Here)?;
        self.reconcile(&mut member, (target_epoch, &target), is_changed, owned)?;
        Ok(ClassicJoined { member, downgraded: None })
    }

    fn classic_member_of(&mut self, join: &Join<'_>) -> Result<ConsumerMember, GroupError> {
        let known = self.group.members().get(&self.member_id).cloned().unwrap_or_default();
        let Some(instance_id) = join.joiner.group_instance_id.as_deref() else { return Ok(known) };
        match self.group.static_member(instance_id) {
            None if join.is_new => Ok(known),
            None => Err(unknown_instance(instance_id)),
            Some((id, _)) if join.is_new => {
                let id = id.clone();
                Ok(self.replace(&id))
            }
            Some((id, _)) if *id != self.member_id => {
                Err(fenced_instance(self.member_id.as_str(), instance_id, id))
            }
            Some((_, existing)) => Ok(existing.clone()),
        }
    }
}

impl Join<'_> {
    fn updated(&self, before: &ConsumerMember) -> ConsumerMember {
        let (was, joiner) = (&before.metadata, self.joiner);
        let rack_id = self.subscription.rack_id.as_deref().filter(|rack| !rack.is_empty());
        let metadata = ConsumerMemberMetadata {
            instance_id: joiner.group_instance_id.clone().or_else(|| was.instance_id.clone()),
            rack_id: rack_id.map(Arc::from).or_else(|| was.rack_id.clone()),
            client_id: Arc::clone(&joiner.client_id),
            client_host: Arc::clone(&joiner.client_host),
            subscribed_topics: self.subscription.topics.iter().map(|name| TopicName::new(name)).collect(),
            pattern: Arc::default(),
            rebalance_timeout_ms: match joiner.rebalance_timeout_ms {
                -1 => was.rebalance_timeout_ms,
                timeout_ms => timeout_ms,
            },
            server_assignor: was.server_assignor.clone(),
            classic: Some(ClassicMember {
                session_timeout_ms: joiner.session_timeout_ms,
                protocols: joiner
                    .protocols
                    .iter()
                    .map(|protocol| (Arc::clone(&protocol.name), protocol.metadata.clone()))
                    .collect(),
            }),
        };
        match metadata == **was {
            true => before.clone(),
            false => ConsumerMember { metadata: Arc::new(metadata), ..before.clone() },
        }
    }
}

impl ConsumerGroup {
    fn classic_members(&self) -> impl Iterator<Item = &ClassicMember> {
        self.members().values().filter_map(|member| member.metadata.classic.as_ref())
    }

    /// One of the joiner's protocols must be that of all classic members.
    fn supports_classic(&self, joiner: &Joiner) -> bool {
        let is_everybodys = |name: &Arc<str>| {
            self.classic_members().all(|member| member.protocols.iter().any(|(theirs, _)| theirs == name))
        };
        *joiner.protocol_type == *PROTOCOL_TYPE
            && joiner.protocols.iter().any(|protocol| is_everybodys(&protocol.name))
    }

    /// `validateConsumerGroupMember` and `throwIfMemberDoesNotUseClassicProtocol`.
    fn classic_member(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(&MemberId, &ConsumerMember, &ClassicMember), GroupError> {
        let (id, member) = match instance_id {
            None => self.members().get_key_value(member_id),
            Some(instance_id) => self.static_member(instance_id),
        }
        .ok_or_else(|| refused(ErrorCode::UnknownMemberId))?;
        if id.as_str() != member_id {
            return Err(fenced_instance(member_id, instance_id.unwrap_or_default(), id));
        }
        let classic = member.metadata.classic.as_ref().ok_or_else(|| refused(ErrorCode::UnknownMemberId))?;
        Ok((id, member, classic))
    }

    fn sync_classic(&mut self, turn: &mut Turn<'_>, request: &Syncer<'_>) -> Result<Synced, GroupError> {
        let (id, member, classic) = self.classic_member(request.member_id, request.group_instance_id)?;
        if member.member_epoch != request.generation_id {
            return Err(refused(ErrorCode::IllegalGeneration));
        }
        let first = classic.protocols.first();
        let differs = |theirs: Option<&str>, ours: Option<&str>| theirs.is_some() && theirs != ours;
        if differs(request.protocol_type, Some(PROTOCOL_TYPE))
            || differs(request.protocol_name, first.map(|(name, _)| &**name))
        {
            return Err(refused(ErrorCode::InconsistentGroupProtocol));
        }
        let (id, session_timeout_ms) = (id.clone(), classic.session_timeout_ms);
        // One who gives back partitions has joined for this target already.
        if self.assignment_epoch() > member.member_epoch && member.state != MemberState::UnrevokedPartitions {
            let timeout_ms = member.metadata.rebalance_timeout_ms;
            self.change_phase(turn, &id, PhaseChange::JoinIfNone { timeout_ms });
            return Err(refused(ErrorCode::RebalanceInProgress));
        }
        let version = first.and_then(|(_, metadata)| consumer_protocol::subscription(metadata));
        let version = version.map_or(0, |subscription| subscription.version);
        let named = named_partitions(&member.assigned, &*turn.settings.topics.get());
        let response = Synced {
            error: ErrorCode::None,
            protocol_type: request.protocol_type.map(Arc::from),
            protocol_name: request.protocol_name.map(Arc::from),
            assignment: consumer_protocol::write_assignment(version, &named),
        };
        self.change_phase(turn, &id, PhaseChange::End);
        self.renew_session(turn, &id, session_timeout_ms);
        Ok(response)
    }

    /// `classicGroupHeartbeatToConsumerGroup`.
    pub(in crate::group) fn on_classic_heartbeat(
        &mut self,
        turn: &mut Turn<'_>,
        beat: &Beat<'_>,
    ) -> Result<(), ErrorCode> {
        let (id, member, classic) =
            self.classic_member(beat.member_id, beat.group_instance_id).map_err(|error| error.code)?;
        if member.member_epoch != beat.generation_id {
            return Err(ErrorCode::IllegalGeneration);
        }
        let must_join = member.member_epoch < self.assignment_epoch()
            || member.state == MemberState::UnrevokedPartitions
            || (member.state == MemberState::UnreleasedPartitions && !self.waits_for_others(id, member));
        let (id, session_timeout_ms) = (id.clone(), classic.session_timeout_ms);
        let timeout_ms = member.metadata.rebalance_timeout_ms;
        self.renew_session(turn, &id, session_timeout_ms);
        if !must_join {
            return Ok(());
        }
        self.change_phase(turn, &id, PhaseChange::JoinIfNone { timeout_ms });
        Err(ErrorCode::RebalanceInProgress)
    }

    /// Whether something of the member's target is still another's (`waitingOnUnreleasedPartition`).
    fn waits_for_others(&self, id: &MemberId, member: &ConsumerMember) -> bool {
        let target = self.modern.target().of(id);
        let mut wanted = target.iter().flat_map(|target| target.iter());
        wanted.any(|(topic, partitions)| {
            let assigned = member.assigned.get(topic);
            let has = |partition: &i32| assigned.is_some_and(|assigned| assigned.contains_key(partition));
            partitions
                .iter()
                .any(|partition| !has(partition) && self.partition_epoch(*topic, *partition) != -1)
        })
    }

    fn leaver(&self, leaver: &Leaver) -> Result<&MemberId, GroupError> {
        let Some(instance_id) = leaver.group_instance_id.as_deref() else {
            self.member(&leaver.member_id)?;
            let known = self.members().get_key_value(&*leaver.member_id);
            return known.map(|(id, _)| id).ok_or_else(|| refused(ErrorCode::UnknownMemberId));
        };
        match self.static_member(instance_id) {
            None => Err(unknown_instance(instance_id)),
            // An administrator names the instance alone.
            Some((id, _)) if leaver.member_id.is_empty() || *id.as_str() == *leaver.member_id => Ok(id),
            Some((id, _)) => Err(fenced_instance(&leaver.member_id, instance_id, id)),
        }
    }
}

/// What of it is still there.
pub(super) fn known_partitions(
    named: &NamedPartitions,
    topics: &dyn TopicLookup,
) -> Vec<(TopicId, Vec<i32>)> {
    let known =
        named.iter().filter_map(|(name, partitions)| Some((topics.topic_id(name)?, partitions.clone())));
    known.collect()
}

fn named_partitions(owned: &Owned, topics: &dyn TopicLookup) -> NamedPartitions {
    let named = owned.iter().filter_map(|(id, partitions): (&TopicId, &BTreeMap<i32, i32>)| {
        Some((topics.topic_name(*id)?.as_str().to_owned(), partitions.keys().copied().collect()))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::new_member_id;

    #[test]
    fn every_bits_give_a_member_id_that_does_not_begin_with_a_dash() {
        let ids: Vec<String> = (0..=u8::MAX).map(|first| new_member_id([first; 16])).collect();
        assert!(ids.iter().all(|id| id.len() == 22 && !id.starts_with('-')), "{ids:?}");
        assert_eq!(ids[0b1111_1000].as_bytes()[0], b'_');
    }
}
