//! The rebalance: from the first cause to the answers of all JoinGroups.
//! Core.
//!
//! The first rebalance of an empty group is special, as its members start one after the other. Kafka
//! waits `group.initial.rebalance.delay.ms` (3 s) for more. Without that setting we do not wait for what
//! nobody announced: a lone first member goes on at the next turn. Members that were given their id
//! (`MEMBER_ID_REQUIRED`) and are on their way back did announce themselves and are waited for, for
//! `ADAPTIVE_WAIT_MS` at most. Later members cannot make a storm of it: a rebalance of a group with
//! members waits for each of them and for every announced one, so that all who come meanwhile share it.

use std::sync::Arc;

use ottla_model::{ErrorCode, MemberId};

use super::classic::{ClassicGroup, ClassicGroupState, InitialRebalance};
use super::turn::Turn;
use crate::record::Record;
use crate::timers::TimerKey;

/// How long the adaptive first rebalance waits for members that are on their way back with their id.
pub const ADAPTIVE_WAIT_MS: i64 = 500;

impl ClassicGroup {
    pub(super) fn maybe_prepare_rebalance_or_complete_join(
        &mut self,
        turn: &mut Turn<'_>,
        reason: &'static str,
    ) {
        if self.can_rebalance() {
            self.prepare_rebalance(turn, reason);
        } else {
            self.maybe_complete_join_phase(turn);
        }
    }

    /// Asks all members to join again.
    pub(super) fn prepare_rebalance(&mut self, turn: &mut Turn<'_>, reason: &'static str) {
        if self.is_in_state(ClassicGroupState::CompletingRebalance) {
            self.reset_and_propagate_assignment_with_error(turn, ErrorCode::RebalanceInProgress);
        }
        self.pending_sync_members.clear();
        turn.timers.cancel(&mut self.sync_timer);
        let is_initial = self.is_in_state(ClassicGroupState::Empty);
        if is_initial {
            self.schedule_initial_rebalance(turn);
        }
        self.transition_to(ClassicGroupState::PreparingRebalance, turn.wall_ms);
        turn.settings.counts.on_classic_begun(reason);
        tracing::debug!(group = %self.group_id, generation = self.generation_id, reason, "preparing to rebalance");
        if !is_initial {
            self.maybe_complete_join_else_schedule(turn);
        }
    }

    fn schedule_initial_rebalance(&mut self, turn: &mut Turn<'_>) {
        let timeout_ms = self.rebalance_timeout_ms();
        match turn.settings.initial_rebalance_delay_ms {
            Some(delay) => {
                let delay_ms = i64::from(delay);
                let remaining_ms = (timeout_ms - delay_ms).max(0);
                self.initial = Some(InitialRebalance::Delayed { delay_ms, remaining_ms });
                self.schedule_join(turn, delay_ms);
            }
            None => {
                let until = turn.now.after_ms(ADAPTIVE_WAIT_MS.min(timeout_ms));
                let not_before = turn.now.after_ms(self.first_wait_ms.min(timeout_ms));
                self.initial = Some(InitialRebalance::Adaptive { until, not_before });
                self.schedule_join(turn, self.first_wait_ms.min(timeout_ms));
            }
        }
    }

    fn schedule_join(&mut self, turn: &mut Turn<'_>, wait_ms: i64) {
        turn.timers.cancel(&mut self.join_timer);
        let key = TimerKey::Join(self.group_id.clone());
        self.join_timer = Some(turn.timers.schedule(turn.now.after_ms(wait_ms), key));
    }

    fn maybe_complete_join_else_schedule(&mut self, turn: &mut Turn<'_>) {
        if self.has_all_members_joined() {
            return self.complete_join_phase(turn);
        }
        let timeout_ms = self.rebalance_timeout_ms();
        self.schedule_join(turn, timeout_ms);
    }

    /// Ends the join phase if nobody is missing. The first rebalance ends by its timer only.
    pub(super) fn maybe_complete_join_phase(&mut self, turn: &mut Turn<'_>) {
        if !self.is_in_state(ClassicGroupState::PreparingRebalance) || !self.has_all_members_joined() {
            return;
        }
        if self.previous_state != ClassicGroupState::Empty {
            return self.complete_join_phase(turn);
        }
        if let Some(InitialRebalance::Adaptive { not_before, .. }) = self.initial {
            self.schedule_join(turn, turn.now.until(not_before).as_millis() as i64);
        }
    }

    /// The join timer has come due.
    pub(super) fn on_join_timer(&mut self, turn: &mut Turn<'_>) {
        self.join_timer = None;
        if !self.is_in_state(ClassicGroupState::PreparingRebalance) {
            return;
        }
        match self.initial {
            Some(InitialRebalance::Delayed { delay_ms, remaining_ms })
                if self.new_member_added && remaining_ms > 0 =>
            {
                self.new_member_added = false;
                let configured_ms = turn.settings.initial_rebalance_delay_ms.map_or(delay_ms, i64::from);
                let next_ms = configured_ms.min(remaining_ms);
                self.initial = Some(InitialRebalance::Delayed {
                    delay_ms: next_ms,
                    remaining_ms: (remaining_ms - delay_ms).max(0),
                });
                self.schedule_join(turn, next_ms);
            }
            Some(InitialRebalance::Adaptive { until, .. })
                if !self.pending_join_members.is_empty() && turn.now < until =>
            {
                let wait = turn.now.until(until);
                self.schedule_join(turn, wait.as_millis() as i64 + 1);
            }
            _ => self.complete_join_phase(turn),
        }
    }

    /// Goes to the next generation with the members that have joined.
    pub(super) fn complete_join_phase(&mut self, turn: &mut Turn<'_>) {
        turn.timers.cancel(&mut self.join_timer);
        self.initial = None;
        self.first_wait_ms = 0;
        self.new_member_added = false;
        if self.is_in_state(ClassicGroupState::Dead) {
            return;
        }
        // Static members may be away for a restart; only their session ends them.
        let missing: Vec<MemberId> = self
            .members
            .values()
            .filter(|member| !member.is_awaiting_join() && !member.is_static())
            .map(|member| member.member_id.clone())
            .collect();
        for member_id in &missing {
            self.remove(turn, member_id.as_str());
        }
        if !missing.is_empty() {
            tracing::info!(group = %self.group_id, count = missing.len(), "removed members that did not rejoin in time");
        }
        if !self.elect_joined_leader() && !self.members.is_empty() {
            let timeout_ms = self.rebalance_timeout_ms();
            return self.schedule_join(turn, timeout_ms);
        }
        self.init_next_generation(turn.wall_ms);
        if self.is_in_state(ClassicGroupState::Empty) {
            tracing::info!(group = %self.group_id, generation = self.generation_id, "group is now empty");
            let value = self.to_metadata(|member| member.assignment.clone());
            turn.effects
                .records
                .push(Record::GroupMetadata { group: self.group_id.clone(), value: Some(Arc::new(value)) });
            return;
        }
        tracing::info!(group = %self.group_id, generation = self.generation_id, members = self.members.len(), "group rebalanced");
        let ids: Vec<MemberId> = self.members.keys().cloned().collect();
        for member_id in ids {
            let response = self.join_response(member_id.as_str());
            self.complete_join(turn, member_id.as_str(), response);
            self.reschedule_heartbeat(turn, member_id.as_str());
            if let Some(member) = self.members.get_mut(&member_id) {
                member.is_new = false;
            }
            self.pending_sync_members.insert(member_id);
        }
        turn.timers.cancel(&mut self.sync_timer);
        let wait_ms = self.rebalance_timeout_ms();
        let key = TimerKey::Sync(self.group_id.clone());
        self.sync_timer = Some(turn.timers.schedule(turn.now.after_ms(wait_ms), key));
    }

    /// Keeps the leader if it has joined, otherwise takes one who has. False: nobody can lead.
    fn elect_joined_leader(&mut self) -> bool {
        let Some(leader) = &self.leader_id else { return false };
        if self.members.get(leader).is_some_and(|member| member.is_awaiting_join()) {
            return true;
        }
        let joined = self.members.values().find(|member| member.is_awaiting_join());
        match joined.map(|member| member.member_id.clone()) {
            Some(member_id) => {
                self.leader_id = Some(member_id);
                true
            }
            None => false,
        }
    }

    fn init_next_generation(&mut self, wall_ms: i64) {
        self.generation_id = self.generation_id.wrapping_add(1);
        self.protocol_name = self.select_protocol();
        self.subscribed_topics = self.compute_subscribed_topics();
        let next = if self.members.is_empty() {
            ClassicGroupState::Empty
        } else {
            ClassicGroupState::CompletingRebalance
        };
        self.transition_to(next, wall_ms);
        self.pending_sync_members.clear();
    }

    /// Takes a member out and sees what that means for the phase the group is in.
    pub(super) fn remove_member_and_update(&mut self, turn: &mut Turn<'_>, member_id: &str) {
        self.remove(turn, member_id);
        match self.state {
            ClassicGroupState::Stable | ClassicGroupState::CompletingRebalance => {
                self.maybe_prepare_rebalance_or_complete_join(turn, "a member's session ended");
            }
            ClassicGroupState::PreparingRebalance if self.has_all_members_joined() => {
                self.complete_join_phase(turn);
            }
            _ => {}
        }
    }

    pub(super) fn remove_pending_member_and_update(&mut self, turn: &mut Turn<'_>, member_id: &str) {
        self.remove(turn, member_id);
        if self.is_in_state(ClassicGroupState::PreparingRebalance) && self.has_all_members_joined() {
            self.complete_join_phase(turn);
        }
    }
}
