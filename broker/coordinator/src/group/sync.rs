//! SyncGroup: the leader's assignment on its way to the members.
//! Core.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use ottla_model::{ErrorCode, MemberId};

use super::answers::{Synced, Syncer};
use super::classic::{ClassicGroup, ClassicGroupState};
use super::turn::{Then, Turn, Waiter};
use crate::record::Record;

impl ClassicGroup {
    pub fn on_sync(&mut self, turn: &mut Turn<'_>, request: &Syncer<'_>, waiter: Waiter) {
        if let Err(error) = self.validate_sync(request) {
            return turn.answer_sync_error(waiter, error);
        }
        let member_id = request.member_id;
        match self.state {
            ClassicGroupState::Empty => turn.answer_sync_error(waiter, ErrorCode::UnknownMemberId),
            ClassicGroupState::Dead => turn.answer_sync_error(waiter, ErrorCode::CoordinatorNotAvailable),
            ClassicGroupState::PreparingRebalance => {
                turn.answer_sync_error(waiter, ErrorCode::RebalanceInProgress);
            }
            ClassicGroupState::CompletingRebalance => {
                self.park_sync(turn, member_id, waiter);
                self.remove_pending_sync_member(turn, member_id);
                if self.is_leader(member_id) {
                    self.store_assignment(turn, request);
                }
            }
            ClassicGroupState::Stable => {
                self.remove_pending_sync_member(turn, member_id);
                let assignment =
                    self.members.get(member_id).map(|member| member.assignment.clone()).unwrap_or_default();
                let response = self.sync_response(assignment);
                turn.answer_sync(waiter, response);
            }
        }
    }

    fn validate_sync(&self, request: &Syncer<'_>) -> Result<(), ErrorCode> {
        if self.is_in_state(ClassicGroupState::Dead) {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        if self.is_in_state(ClassicGroupState::Empty) {
            return Err(ErrorCode::UnknownMemberId);
        }
        self.validate_member(request.member_id, request.group_instance_id)?;
        if request.generation_id != self.generation_id {
            return Err(ErrorCode::IllegalGeneration);
        }
        let differs = |theirs: Option<&str>, ours: &Option<Arc<str>>| match (theirs, ours) {
            (Some(theirs), Some(ours)) => *theirs != **ours,
            _ => false,
        };
        if differs(request.protocol_type, &self.protocol_type)
            || differs(request.protocol_name, &self.protocol_name)
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        Ok(())
    }

    fn park_sync(&mut self, turn: &mut Turn<'_>, member_id: &str, waiter: Waiter) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        if let Some(older) = member.awaiting_sync.replace(waiter) {
            turn.answer_sync_error(older, ErrorCode::RebalanceInProgress);
        }
    }

    fn remove_pending_sync_member(&mut self, turn: &mut Turn<'_>, member_id: &str) {
        self.pending_sync_members.remove(member_id);
        if self.pending_sync_members.is_empty() {
            turn.timers.cancel(&mut self.sync_timer);
        }
    }

    fn store_assignment(&mut self, turn: &mut Turn<'_>, request: &Syncer<'_>) {
        // The bytes are copied: they stay long after the request's frame is gone.
        let assignment: HashMap<MemberId, Bytes> = request
            .assignments
            .iter()
            .map(|(member, assignment)| (MemberId::new(member), Bytes::copy_from_slice(assignment)))
            .collect();
        let value = self.to_metadata(|member| assignment.get(&member.member_id).cloned().unwrap_or_default());
        turn.effects
            .records
            .push(Record::GroupMetadata { group: self.group_id.clone(), value: Some(Arc::new(value)) });
        turn.effects.then =
            Some(Then::Synced { group: self.group_id.clone(), generation: self.generation_id, assignment });
    }

    /// The assignment is in the log, or was refused.
    pub(super) fn on_assignment_stored(
        &mut self,
        turn: &mut Turn<'_>,
        generation: i32,
        assignment: &HashMap<MemberId, Bytes>,
        outcome: Result<(), ErrorCode>,
    ) {
        if !self.is_in_state(ClassicGroupState::CompletingRebalance) || generation != self.generation_id {
            return;
        }
        if let Err(error) = outcome {
            self.reset_and_propagate_assignment_with_error(turn, error);
            return self.maybe_prepare_rebalance_or_complete_join(turn, "the assignment could not be stored");
        }
        for member in self.members.values_mut() {
            member.assignment = assignment.get(&member.member_id).cloned().unwrap_or_default();
        }
        self.propagate_assignment(turn, None);
        self.transition_to(ClassicGroupState::Stable, turn.wall_ms);
    }

    pub(super) fn reset_and_propagate_assignment_with_error(
        &mut self,
        turn: &mut Turn<'_>,
        error: ErrorCode,
    ) {
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
        }
        self.propagate_assignment(turn, Some(error));
    }

    fn propagate_assignment(&mut self, turn: &mut Turn<'_>, error: Option<ErrorCode>) {
        let mut answered = Vec::new();
        for member in self.members.values_mut() {
            if let Some(waiter) = member.awaiting_sync.take() {
                answered.push((member.member_id.clone(), waiter, member.assignment.clone()));
            }
        }
        for (member_id, waiter, assignment) in answered {
            match error {
                Some(error) => turn.answer_sync_error(waiter, error),
                None => {
                    let response = self.sync_response(assignment);
                    turn.answer_sync(waiter, response);
                }
            }
            self.reschedule_heartbeat(turn, member_id.as_str());
        }
    }

    fn sync_response(&self, assignment: Bytes) -> Synced {
        let (protocol_type, protocol_name) = (self.protocol_type.clone(), self.protocol_name.clone());
        Synced { error: ErrorCode::None, protocol_type, protocol_name, assignment }
    }

    /// Members that joined but never asked for their assignment are let go.
    pub(super) fn on_sync_timer(&mut self, turn: &mut Turn<'_>) {
        self.sync_timer = None;
        let waits = matches!(self.state, ClassicGroupState::CompletingRebalance | ClassicGroupState::Stable);
        if !waits || self.pending_sync_members.is_empty() {
            return;
        }
        let missing = std::mem::take(&mut self.pending_sync_members);
        for member_id in &missing {
            self.remove(turn, member_id.as_str());
        }
        tracing::info!(group = %self.group_id, count = missing.len(), "removed members that did not sync in time");
        self.prepare_rebalance(turn, "members did not sync in time");
    }
}
