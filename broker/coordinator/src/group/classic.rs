//! A classic group: its members, generation and state, and the questions its operations ask of them.
//! Core. After Kafka's `ClassicGroup`. Members are kept in the order of their ids, so every run is alike.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_env::Monotonic;
use ottla_model::{ErrorCode, GroupId, MemberId, Offset};

use super::member::{ClassicGroupMember, Protocol};
use super::turn::{Turn, Waiter};
use crate::record::{GroupMetadata, MemberMetadata};
use crate::timers::{TimerId, TimerKey};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClassicGroupState {
    /// No members; offsets may be there.
    Empty,
    /// Members are asked to join again.
    PreparingRebalance,
    /// All have joined; the leader's assignment is awaited.
    CompletingRebalance,
    Stable,
    /// Unloaded; nothing more happens to it.
    Dead,
}

impl ClassicGroupState {
    /// Kafka's name of the state.
    pub fn name(self) -> &'static str {
        match self {
            ClassicGroupState::Empty => "Empty",
            ClassicGroupState::PreparingRebalance => "PreparingRebalance",
            ClassicGroupState::CompletingRebalance => "CompletingRebalance",
            ClassicGroupState::Stable => "Stable",
            ClassicGroupState::Dead => "Dead",
        }
    }

    fn may_follow(self, previous: ClassicGroupState) -> bool {
        use ClassicGroupState::*;
        match self {
            Empty | CompletingRebalance => previous == PreparingRebalance,
            PreparingRebalance => matches!(previous, Stable | CompletingRebalance | Empty),
            Stable => previous == CompletingRebalance,
            Dead => true,
        }
    }
}

/// How the first rebalance of an empty group waits for more members.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum InitialRebalance {
    /// As Kafka: a fixed delay, again as long as new members came, up to the rebalance timeout.
    Delayed { delay_ms: i64, remaining_ms: i64 },
    /// At once, but for members that have been given their id and are on their way back, and for
    /// clients that can't take it so soon (`client_quirks`).
    Adaptive { until: Monotonic, not_before: Monotonic },
}

pub struct ClassicGroup {
    pub(super) group_id: GroupId,
    pub(super) state: ClassicGroupState,
    pub(super) previous_state: ClassicGroupState,
    /// When the state was entered, on the wall clock; offsets expire by it.
    pub(super) current_state_timestamp_ms: Option<i64>,
    pub(super) protocol_type: Option<Arc<str>>,
    pub(super) protocol_name: Option<Arc<str>>,
    pub(super) generation_id: i32,
    pub(super) leader_id: Option<MemberId>,
    pub(super) members: BTreeMap<MemberId, ClassicGroupMember>,
    /// Instance id to member id.
    pub(super) static_members: BTreeMap<Arc<str>, MemberId>,
    /// Members that were given their id and have yet to come back with it.
    pub(super) pending_join_members: BTreeMap<MemberId, TimerId>,
    pub(super) awaiting_join_count: usize,
    /// How many members offer each protocol.
    pub(super) supported_protocols: BTreeMap<Arc<str>, usize>,
    /// Members that have yet to sync.
    pub(super) pending_sync_members: BTreeSet<MemberId>,
    /// What the members read; `None` when that cannot be known.
    pub(super) subscribed_topics: Option<BTreeSet<String>>,
    pub(super) new_member_added: bool,
    pub(super) initial: Option<InitialRebalance>,
    /// How long the members that joined an empty group want its first rebalance held.
    pub(super) first_wait_ms: i64,
    pub(super) join_timer: Option<TimerId>,
    pub(super) sync_timer: Option<TimerId>,
    /// What the log holds of this group; changed by replay alone.
    pub(super) stored: Option<Arc<GroupMetadata>>,
    /// The group's last record, of metadata or of an offset: answers wait for its commit.
    pub(super) last_record_offset: Option<Offset>,
}

impl ClassicGroup {
    pub fn new(group_id: GroupId, wall_ms: i64) -> ClassicGroup {
        ClassicGroup {
            group_id,
            state: ClassicGroupState::Empty,
            previous_state: ClassicGroupState::Dead,
            current_state_timestamp_ms: Some(wall_ms),
            protocol_type: None,
            protocol_name: None,
            generation_id: 0,
            leader_id: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_join_members: BTreeMap::new(),
            awaiting_join_count: 0,
            supported_protocols: BTreeMap::new(),
            pending_sync_members: BTreeSet::new(),
            subscribed_topics: None,
            new_member_added: false,
            initial: None,
            first_wait_ms: 0,
            join_timer: None,
            sync_timer: None,
            stored: None,
            last_record_offset: None,
        }
    }

    /// The group as its record tells it, at a start.
    pub fn from_stored(group_id: GroupId, stored: Arc<GroupMetadata>) -> ClassicGroup {
        let mut group = ClassicGroup::new(group_id, 0);
        group.generation_id = stored.generation;
        group.protocol_type = (!stored.protocol_type.is_empty()).then(|| stored.protocol_type.clone());
        group.protocol_name = stored.protocol.clone();
        group.leader_id = stored.leader.clone();
        group.current_state_timestamp_ms =
            (stored.current_state_timestamp_ms != -1).then_some(stored.current_state_timestamp_ms);
        for member in &stored.members {
            let protocol = Protocol {
                name: stored.protocol.clone().unwrap_or_default(),
                metadata: member.subscription.clone(),
            };
            group.add(ClassicGroupMember {
                member_id: member.member_id.clone(),
                group_instance_id: member.group_instance_id.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                rebalance_timeout_ms: member.rebalance_timeout_ms,
                session_timeout_ms: member.session_timeout_ms,
                supported_protocols: vec![protocol],
                assignment: member.assignment.clone(),
                awaiting_join: None,
                awaiting_sync: None,
                is_new: false,
                session_deadline: Monotonic::default(),
                session_timer: None,
            });
        }
        if !stored.members.is_empty() {
            group.state = ClassicGroupState::Stable;
        }
        group.stored = Some(stored);
        group.subscribed_topics = group.compute_subscribed_topics();
        group
    }

    pub fn group_id(&self) -> &GroupId {
        &self.group_id
    }

    pub fn state(&self) -> ClassicGroupState {
        self.state
    }

    pub fn generation_id(&self) -> i32 {
        self.generation_id
    }

    pub fn leader_id(&self) -> Option<&MemberId> {
        self.leader_id.as_ref()
    }

    pub fn member_ids(&self) -> impl Iterator<Item = &MemberId> {
        self.members.keys()
    }

    /// What the log holds of this group.
    pub fn stored(&self) -> Option<&Arc<GroupMetadata>> {
        self.stored.as_ref()
    }

    pub fn is_in_state(&self, state: ClassicGroupState) -> bool {
        self.state == state
    }

    /// Whether offsets alone have made it: nobody ever joined.
    pub(super) fn is_simple(&self) -> bool {
        self.is_in_state(ClassicGroupState::Empty) && self.protocol_type.is_none()
    }

    pub(super) fn transition_to(&mut self, state: ClassicGroupState, wall_ms: i64) {
        assert!(state.may_follow(self.state), "group {}: {:?} after {:?}", self.group_id, state, self.state);
        self.previous_state = self.state;
        self.state = state;
        self.current_state_timestamp_ms = Some(wall_ms);
    }

    pub(super) fn can_rebalance(&self) -> bool {
        ClassicGroupState::PreparingRebalance.may_follow(self.state)
    }

    pub fn is_leader(&self, member_id: &str) -> bool {
        self.leader_id.as_ref().is_some_and(|leader| leader.as_str() == member_id)
    }

    pub fn uses_consumer_group_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some("consumer")
    }

    pub(super) fn has_all_members_joined(&self) -> bool {
        self.members.len() == self.awaiting_join_count && self.pending_join_members.is_empty()
    }

    /// Takes in a member; the caller has checked that its protocols fit.
    pub(super) fn add(&mut self, member: ClassicGroupMember) {
        if let Some(instance) = &member.group_instance_id {
            let before = self.static_members.insert(instance.clone(), member.member_id.clone());
            assert!(before.is_none(), "static member {instance} is already in group {}", self.group_id);
        }
        if self.leader_id.is_none() {
            self.leader_id = Some(member.member_id.clone());
        }
        self.count_protocols(&member.supported_protocols);
        self.awaiting_join_count += usize::from(member.is_awaiting_join());
        self.members.insert(member.member_id.clone(), member);
    }

    /// Takes a member or a pending member out, with its timer. Its parked requests must have been
    /// answered before, or are answered here as those of an unknown member.
    pub(super) fn remove(&mut self, turn: &mut Turn<'_>, member_id: &str) {
        if let Some(mut member) = self.members.remove(member_id) {
            self.uncount_protocols(&member.supported_protocols);
            turn.timers.cancel(&mut member.session_timer);
            if let Some(waiter) = member.awaiting_join.take() {
                self.awaiting_join_count -= 1;
                turn.answer_join_error(waiter, "", ErrorCode::UnknownMemberId);
            }
            if let Some(waiter) = member.awaiting_sync.take() {
                turn.answer_sync_error(waiter, ErrorCode::UnknownMemberId);
            }
            if let Some(instance) = &member.group_instance_id {
                self.static_members.remove(instance);
            }
        }
        if self.is_leader(member_id) {
            self.leader_id = self.members.keys().next().cloned();
        }
        self.remove_pending(turn, member_id);
        self.pending_sync_members.remove(member_id);
    }

    pub(super) fn remove_pending(&mut self, turn: &mut Turn<'_>, member_id: &str) {
        let mut timer = self.pending_join_members.remove(member_id);
        turn.timers.cancel(&mut timer);
    }

    pub(super) fn count_protocols(&mut self, protocols: &[Protocol]) {
        for protocol in protocols {
            *self.supported_protocols.entry(protocol.name.clone()).or_default() += 1;
        }
    }

    pub(super) fn uncount_protocols(&mut self, protocols: &[Protocol]) {
        for protocol in protocols {
            if let Some(count) = self.supported_protocols.get_mut(&*protocol.name) {
                *count -= 1;
                if *count == 0 {
                    self.supported_protocols.remove(&*protocol.name);
                }
            }
        }
    }

    /// Whether a member with these protocols can be one of this group: one of them must be everybody's.
    pub(super) fn supports_protocols(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        if self.is_in_state(ClassicGroupState::Empty) {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|protocol| {
                self.supported_protocols.get(&*protocol.name).copied().unwrap_or(0) == self.members.len()
            })
    }

    /// The protocol that most members name first among those that all offer. Of equals Kafka takes
    /// the first in the order of a Java hash map, and so do we.
    pub(super) fn select_protocol(&self) -> Option<Arc<str>> {
        let mut votes: Vec<(&Arc<str>, usize)> = Vec::new();
        for member in self.members.values() {
            let choice = member
                .supported_protocols
                .iter()
                .find(|protocol| self.supported_protocols.get(&*protocol.name) == Some(&self.members.len()));
            if let Some(protocol) = choice {
                match votes.iter_mut().find(|(name, _)| *name == &protocol.name) {
                    Some((_, count)) => *count += 1,
                    None => votes.push((&protocol.name, 1)),
                }
            }
        }
        let bucket = |name: &str| {
            let hash = crate::java_hash::string_hash(name) as u32;
            (hash ^ (hash >> 16)) & 15
        };
        votes.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), bucket(name)));
        votes.first().map(|(name, _)| Arc::clone(name))
    }

    /// The longest of the members' rebalance timeouts.
    pub(super) fn rebalance_timeout_ms(&self) -> i64 {
        self.members.values().map(|member| i64::from(member.rebalance_timeout_ms)).max().unwrap_or(0).max(0)
    }

    /// Checks that the member is known, and that no other goes by its instance id.
    pub(super) fn validate_member(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), ErrorCode> {
        if let Some(instance) = instance_id {
            match self.static_members.get(instance) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(existing) if existing.as_str() != member_id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    pub fn is_subscribed_to_topic(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_group_protocol(),
        }
    }

    pub(super) fn compute_subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if !self.uses_consumer_group_protocol() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let name = self.protocol_name.as_deref()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            for topic in crate::subscription::topics(&member.metadata(name))? {
                topics.insert(topic);
            }
        }
        Some(topics)
    }

    /// Moves the end of a member's session; the timer follows when it comes due.
    pub(super) fn reschedule_heartbeat(&mut self, turn: &mut Turn<'_>, member_id: &str) {
        if let Some(member) = self.members.get(member_id) {
            let timeout_ms = i64::from(member.session_timeout_ms);
            self.schedule_session(turn, member_id, timeout_ms);
        }
    }

    pub(super) fn schedule_session(&mut self, turn: &mut Turn<'_>, member_id: &str, timeout_ms: i64) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        member.session_deadline = turn.now.after_ms(timeout_ms);
        if member.session_timer.is_none_or(|timer| timer.at() > member.session_deadline) {
            turn.timers.cancel(&mut member.session_timer);
            let key = TimerKey::Member(self.group_id.clone(), member.member_id.clone());
            member.session_timer = Some(turn.timers.schedule(member.session_deadline, key));
        }
    }

    /// Parks a JoinGroup with its member. An older one of the same member is told to come again: its
    /// connection waits for an answer (Kafka forgets it).
    pub(super) fn park_join(&mut self, turn: &mut Turn<'_>, member_id: &str, waiter: Waiter) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        match member.awaiting_join.replace(waiter) {
            None => self.awaiting_join_count += 1,
            Some(older) => turn.answer_join_error(older, member_id, ErrorCode::RebalanceInProgress),
        }
    }

    /// Answers the member's parked JoinGroup, if there is one.
    pub(super) fn complete_join(
        &mut self,
        turn: &mut Turn<'_>,
        member_id: &str,
        response: super::answers::Joined,
    ) {
        let waiter = self.members.get_mut(member_id).and_then(|member| member.awaiting_join.take());
        if let Some(waiter) = waiter {
            self.awaiting_join_count -= 1;
            turn.answer_join(waiter, response);
        }
    }

    /// The group as its record will tell it, with the assignments of the members.
    pub(super) fn to_metadata(
        &self,
        assignment: impl Fn(&ClassicGroupMember) -> bytes::Bytes,
    ) -> GroupMetadata {
        let name = self.protocol_name.as_deref().unwrap_or("");
        let members = self.members.values().map(|member| MemberMetadata {
            member_id: member.member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            subscription: member.metadata(name),
            assignment: assignment(member),
        });
        GroupMetadata {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation_id,
            protocol: self.protocol_name.clone(),
            leader: self.leader_id.clone(),
            current_state_timestamp_ms: self.current_state_timestamp_ms.unwrap_or(-1),
            members: members.collect(),
        }
    }

    /// Cancels what is scheduled and answers whoever waits, as the coordinator is no longer here.
    pub(super) fn on_unloaded(&mut self, turn: &mut Turn<'_>) {
        turn.timers.cancel(&mut self.join_timer);
        turn.timers.cancel(&mut self.sync_timer);
        for (_, timer) in std::mem::take(&mut self.pending_join_members) {
            turn.timers.cancel(&mut Some(timer));
        }
        for member in self.members.values_mut() {
            turn.timers.cancel(&mut member.session_timer);
            if let Some(waiter) = member.awaiting_join.take() {
                turn.answer_join_error(waiter, member.member_id.as_str(), ErrorCode::NotCoordinator);
            }
            if let Some(waiter) = member.awaiting_sync.take() {
                turn.answer_sync_error(waiter, ErrorCode::NotCoordinator);
            }
        }
        self.awaiting_join_count = 0;
        self.transition_to(ClassicGroupState::Dead, turn.wall_ms);
    }
}
