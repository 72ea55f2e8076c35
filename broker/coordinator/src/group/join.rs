//! JoinGroup: who may come in, and what a member that comes again changes.
//! Core.

use std::sync::Arc;

use ottla_env::Monotonic;
use ottla_model::{ErrorCode, MemberId};

use super::answers::{Joined, JoinedMember};
use super::classic::{ClassicGroup, ClassicGroupState};
use super::member::{ClassicGroupMember, Protocol};
use super::turn::{Then, Turn, Waiter};
use crate::record::Record;
use crate::timers::TimerKey;

/// A JoinGroup request, with who sent it.
pub struct Joiner {
    pub member_id: Box<str>,
    pub group_instance_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    pub protocol_type: Arc<str>,
    pub protocols: Vec<Protocol>,
    /// How long its software wants the first rebalance held (`client_quirks`).
    pub first_rebalance_wait_ms: i64,
    /// A dynamic member comes back with the id that it is given, so that one whose first answer is lost leaves no ghost
    /// behind (KIP-394).
    pub must_know_its_id: bool,
    /// It can be told that it leads and has nothing to assign (KIP-814).
    pub may_skip_assignment: bool,
}

/// What is needed to put a static member's predecessor back when the replacement cannot be stored.
#[derive(Clone, PartialEq, Debug)]
pub struct Replaced {
    instance_id: Arc<str>,
    old_member_id: MemberId,
    new_member_id: MemberId,
    old_protocols: Vec<Protocol>,
    old_rebalance_timeout_ms: i32,
    old_session_timeout_ms: i32,
    old_leader: Option<MemberId>,
    may_skip_assignment: bool,
    waiter: Waiter,
}

impl ClassicGroup {
    /// `random` becomes the member's id if it needs one.
    pub fn on_join(&mut self, turn: &mut Turn<'_>, joiner: Joiner, waiter: Waiter, random: [u8; 16]) {
        if !self.accepts_joining_member(&joiner.member_id, turn.settings.members_max) {
            self.remove(turn, &joiner.member_id);
            return turn.answer_join_error(waiter, "", ErrorCode::GroupMaxSizeReached);
        }
        if self.is_in_state(ClassicGroupState::Empty) {
            self.first_wait_ms = self.first_wait_ms.max(joiner.first_rebalance_wait_ms);
        }
        if joiner.member_id.is_empty() {
            self.on_join_new_member(turn, joiner, waiter, random);
        } else {
            self.on_join_existing_member(turn, joiner, waiter);
        }
    }

    fn accepts_joining_member(&self, member_id: &str, members_max: i32) -> bool {
        let max = members_max.max(0) as usize;
        let member = self.members.get(member_id);
        match self.state {
            ClassicGroupState::Empty | ClassicGroupState::Dead => true,
            ClassicGroupState::PreparingRebalance => {
                member.is_some_and(ClassicGroupMember::is_awaiting_join) || self.awaiting_join_count < max
            }
            ClassicGroupState::CompletingRebalance | ClassicGroupState::Stable => {
                member.is_some() || self.members.len() < max
            }
        }
    }

    fn on_join_new_member(&mut self, turn: &mut Turn<'_>, joiner: Joiner, waiter: Waiter, random: [u8; 16]) {
        if self.is_in_state(ClassicGroupState::Dead) {
            return turn.answer_join_error(waiter, "", ErrorCode::CoordinatorNotAvailable);
        }
        if !self.supports_protocols(&joiner.protocol_type, &joiner.protocols) {
            return turn.answer_join_error(waiter, "", ErrorCode::InconsistentGroupProtocol);
        }
        let uuid = uuid::Builder::from_random_bytes(random).into_uuid();
        let prefix = joiner.group_instance_id.as_ref().unwrap_or(&joiner.client_id);
        let new_member_id = MemberId::new(&format!("{prefix}-{uuid}"));
        match &joiner.group_instance_id {
            Some(instance) => match self.static_members.get(instance).cloned() {
                Some(old) => self.replace_static_member(turn, joiner, old, new_member_id, waiter),
                None => self.add_member(turn, joiner, new_member_id, waiter),
            },
            None if joiner.must_know_its_id => {
                let key = TimerKey::Member(self.group_id.clone(), new_member_id.clone());
                let timer =
                    turn.timers.schedule(turn.now.after_ms(i64::from(joiner.session_timeout_ms)), key);
                turn.answer_join_error(waiter, new_member_id.as_str(), ErrorCode::MemberIdRequired);
                self.pending_join_members.insert(new_member_id, timer);
            }
            None => self.add_member(turn, joiner, new_member_id, waiter),
        }
    }

    fn on_join_existing_member(&mut self, turn: &mut Turn<'_>, joiner: Joiner, waiter: Waiter) {
        let member_id = joiner.member_id.clone();
        if self.is_in_state(ClassicGroupState::Dead) {
            return turn.answer_join_error(waiter, &member_id, ErrorCode::CoordinatorNotAvailable);
        }
        if !self.supports_protocols(&joiner.protocol_type, &joiner.protocols) {
            return turn.answer_join_error(waiter, &member_id, ErrorCode::InconsistentGroupProtocol);
        }
        if self.pending_join_members.contains_key(&*member_id) {
            if joiner.group_instance_id.is_some() {
                // Only dynamic members are ever pending; Kafka fails on an assertion here.
                return turn.answer_join_error(waiter, &member_id, ErrorCode::UnknownServerError);
            }
            return self.add_member(turn, joiner, MemberId::new(&member_id), waiter);
        }
        if let Err(error) = self.validate_member(&member_id, joiner.group_instance_id.as_deref()) {
            return turn.answer_join_error(waiter, &member_id, error);
        }
        let same_protocols = self
            .members
            .get(&*member_id)
            .is_some_and(|member| member.supported_protocols == joiner.protocols);
        match self.state {
            ClassicGroupState::PreparingRebalance => self.update_member(turn, joiner, waiter),
            // The member did not get the answer to its last JoinGroup: here it is again.
            ClassicGroupState::CompletingRebalance if same_protocols => {
                let response = self.join_response(&member_id);
                turn.answer_join(waiter, response);
            }
            // Members other than the leader rejoin without change after a lost answer; the leader
            // rejoins because what it assigns has changed.
            ClassicGroupState::Stable if same_protocols && !self.is_leader(&member_id) => {
                let response = self.join_response(&member_id);
                turn.answer_join(waiter, response);
            }
            ClassicGroupState::CompletingRebalance | ClassicGroupState::Stable => {
                self.update_member(turn, joiner, waiter);
            }
            ClassicGroupState::Empty | ClassicGroupState::Dead => {
                turn.answer_join_error(waiter, &member_id, ErrorCode::UnknownMemberId);
            }
        }
    }

    fn add_member(&mut self, turn: &mut Turn<'_>, joiner: Joiner, member_id: MemberId, waiter: Waiter) {
        if self.is_in_state(ClassicGroupState::PreparingRebalance)
            && self.previous_state == ClassicGroupState::Empty
        {
            self.new_member_added = true;
        }
        if self.members.is_empty() {
            self.protocol_type = Some(joiner.protocol_type.clone());
        }
        self.remove_pending(turn, member_id.as_str());
        self.add(ClassicGroupMember {
            member_id: member_id.clone(),
            group_instance_id: joiner.group_instance_id,
            client_id: joiner.client_id,
            client_host: joiner.client_host,
            rebalance_timeout_ms: joiner.rebalance_timeout_ms,
            session_timeout_ms: joiner.session_timeout_ms,
            supported_protocols: joiner.protocols,
            assignment: bytes::Bytes::new(),
            awaiting_join: Some(waiter),
            awaiting_sync: None,
            is_new: true,
            session_deadline: Monotonic::default(),
            session_timer: None,
        });
        // A new member does not heartbeat while it waits; it is dropped when the wait grows too long,
        // as its client has then given up on the request.
        let wait_ms = turn.settings.new_member_join_timeout_ms;
        self.schedule_session(turn, member_id.as_str(), wait_ms);
        self.maybe_prepare_rebalance_or_complete_join(turn, "a new member");
    }

    fn update_member(&mut self, turn: &mut Turn<'_>, joiner: Joiner, waiter: Waiter) {
        let member_id = joiner.member_id.clone();
        self.set_protocols(
            &member_id,
            joiner.protocols,
            joiner.rebalance_timeout_ms,
            joiner.session_timeout_ms,
        );
        self.park_join(turn, &member_id, waiter);
        self.maybe_prepare_rebalance_or_complete_join(turn, "a member joining again");
    }

    pub(super) fn set_protocols(
        &mut self,
        member_id: &str,
        protocols: Vec<Protocol>,
        rebalance_timeout_ms: i32,
        session_timeout_ms: i32,
    ) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        let before = std::mem::take(&mut member.supported_protocols);
        member.supported_protocols.clone_from(&protocols);
        member.rebalance_timeout_ms = rebalance_timeout_ms;
        member.session_timeout_ms = session_timeout_ms;
        self.uncount_protocols(&before);
        self.count_protocols(&protocols);
    }

    /// A static member came back under a new id: it takes the old one's place, which is fenced.
    fn replace_static_member(
        &mut self,
        turn: &mut Turn<'_>,
        joiner: Joiner,
        old: MemberId,
        new: MemberId,
        waiter: Waiter,
    ) {
        let instance = joiner.group_instance_id.clone().unwrap_or_default();
        let old_leader = self.leader_id.clone();
        self.rename_static_member(turn, &instance, &old, &new);
        let before = &self.members[&new];
        let replaced = Replaced {
            instance_id: instance,
            old_member_id: old,
            new_member_id: new.clone(),
            old_protocols: before.supported_protocols.clone(),
            old_rebalance_timeout_ms: before.rebalance_timeout_ms,
            old_session_timeout_ms: before.session_timeout_ms,
            old_leader,
            may_skip_assignment: joiner.may_skip_assignment,
            waiter,
        };
        self.reschedule_heartbeat(turn, new.as_str());
        self.set_protocols(
            new.as_str(),
            joiner.protocols,
            joiner.rebalance_timeout_ms,
            joiner.session_timeout_ms,
        );
        self.park_join(turn, new.as_str(), waiter);
        match self.state {
            // The assignment still holds: no rebalance, but the new id must be known after a restart.
            ClassicGroupState::Stable if self.select_protocol() == self.protocol_name => {
                let value = self.to_metadata(|member| member.assignment.clone());
                turn.effects.records.push(Record::GroupMetadata {
                    group: self.group_id.clone(),
                    value: Some(Arc::new(value)),
                });
                turn.effects.then = Some(Then::StaticMemberReplaced {
                    group: self.group_id.clone(),
                    replaced: Box::new(replaced),
                });
            }
            ClassicGroupState::Stable => {
                self.maybe_prepare_rebalance_or_complete_join(turn, "a static member changed the protocol");
            }
            ClassicGroupState::CompletingRebalance => {
                self.prepare_rebalance(turn, "a static member restarted")
            }
            _ => self.maybe_complete_join_phase(turn),
        }
    }

    fn rename_static_member(
        &mut self,
        turn: &mut Turn<'_>,
        instance: &Arc<str>,
        old: &MemberId,
        new: &MemberId,
    ) {
        let Some(mut member) = self.members.remove(old) else { return };
        turn.timers.cancel(&mut member.session_timer);
        // Whoever still waits under the old id is a duplicate.
        if let Some(waiter) = member.awaiting_join.take() {
            self.awaiting_join_count -= 1;
            turn.answer_join_error(waiter, old.as_str(), ErrorCode::FencedInstanceId);
        }
        if let Some(waiter) = member.awaiting_sync.take() {
            turn.answer_sync_error(waiter, ErrorCode::FencedInstanceId);
        }
        member.member_id = new.clone();
        member.is_new = false;
        self.members.insert(new.clone(), member);
        if self.leader_id.as_ref() == Some(old) {
            self.leader_id = Some(new.clone());
        }
        // The old id can no longer sync; the new one has to before the phase may end.
        if self.pending_sync_members.remove(old) {
            self.pending_sync_members.insert(new.clone());
        }
        self.static_members.insert(instance.clone(), new.clone());
    }

    /// The record of a replaced static member is in the log, or was refused.
    pub(super) fn on_static_member_stored(
        &mut self,
        turn: &mut Turn<'_>,
        replaced: Replaced,
        outcome: Result<(), ErrorCode>,
    ) {
        let new = replaced.new_member_id.as_str();
        let Err(error) = outcome else {
            let mut response = self.join_response(new);
            if replaced.may_skip_assignment {
                response.skip_assignment = self.is_leader(new);
            } else {
                // Older clients would assign anew if they were told that they lead (KIP-345); they are
                // told the leader of before.
                response.members = Vec::new();
                response.leader = replaced.old_leader;
            }
            return self.complete_join(turn, new, response);
        };
        if self.members.get(new).is_some_and(|member| member.awaiting_join == Some(replaced.waiter)) {
            let mut response = self.join_response(new);
            response.members = Vec::new();
            response.member_id = MemberId::new("");
            response.leader = replaced.old_leader;
            response.error = error;
            self.complete_join(turn, new, response);
        }
        self.set_protocols(
            new,
            replaced.old_protocols,
            replaced.old_rebalance_timeout_ms,
            replaced.old_session_timeout_ms,
        );
        self.rename_static_member(
            turn,
            &replaced.instance_id,
            &replaced.new_member_id,
            &replaced.old_member_id,
        );
        self.reschedule_heartbeat(turn, replaced.old_member_id.as_str());
    }

    /// What a member is told of the generation; the leader also learns who the members are.
    pub(super) fn join_response(&self, member_id: &str) -> Joined {
        Joined {
            error: ErrorCode::None,
            member_id: MemberId::new(member_id),
            generation_id: self.generation_id,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader_id.clone(),
            members: if self.is_leader(member_id) { self.joined_members() } else { Vec::new() },
            skip_assignment: false,
        }
    }

    fn joined_members(&self) -> Vec<JoinedMember> {
        let name = self.protocol_name.as_deref().unwrap_or("");
        let joined = |member: &ClassicGroupMember| JoinedMember {
            member_id: member.member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            metadata: member.metadata(name),
        };
        self.members.values().map(joined).collect()
    }
}
