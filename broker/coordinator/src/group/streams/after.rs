//! What a heartbeat leaves behind that no record has: sessions, deadlines, and what the group knows for a while.
//! Core.

use std::sync::Arc;

use ottla_env::Monotonic;
use ottla_model::{GroupId, MemberId};

use super::StreamsGroup;
use super::topics::ConfiguredTopology;
use crate::group::Group;
use crate::group::shard::GroupShard;
use crate::group::turn::Turn;
use crate::timers::{TimerKey, Timers};

/// Done when the records of the heartbeat are in the log.
#[derive(Clone, PartialEq, Debug)]
pub struct HeartbeatAftermath {
    pub(super) member: MemberId,
    pub(super) session_timeout_ms: i32,
    /// The group's first assignment waits for so long.
    pub(super) delay_ms: Option<i32>,
    /// The member's tasks or epoch are others than before.
    pub(super) has_reconciled: bool,
    pub(super) configured: Option<Arc<ConfiguredTopology>>,
    pub(super) is_refreshed: bool,
    pub(super) endpoint_epoch: Option<i32>,
    pub(super) wants_shutdown: bool,
}

impl GroupShard {
    pub(in crate::group) fn after_streams_heartbeat(
        &mut self,
        group_id: &GroupId,
        aftermath: HeartbeatAftermath,
        now: Monotonic,
    ) {
        if let Some(Group::Streams(group)) = self.groups.get_mut(group_id) {
            group.after_heartbeat(&mut self.timers, aftermath, now);
        }
    }
}

impl StreamsGroup {
    fn after_heartbeat(&mut self, timers: &mut Timers, aftermath: HeartbeatAftermath, now: Monotonic) {
        let member_id = &aftermath.member;
        let deadline = now.after_ms(i64::from(aftermath.session_timeout_ms));
        self.modern.sessions().renew(timers, member_id, deadline);
        if aftermath.has_reconciled {
            self.limit_rebalance(timers, member_id, now);
        }
        if let (Some(delay_ms), None) = (aftermath.delay_ms, self.delay) {
            let key = TimerKey::Join(self.group_id().clone());
            self.delay = Some(timers.schedule(now.after_ms(i64::from(delay_ms)), key));
        }
        if let Some(configured) = aftermath.configured {
            self.configured = Some(configured);
        }
        if aftermath.is_refreshed {
            self.modern.on_refreshed();
        }
        if let Some(endpoint_epoch) = aftermath.endpoint_epoch {
            self.endpoint_epoch = endpoint_epoch;
        }
        if aftermath.wants_shutdown {
            self.request_shutdown(member_id);
        }
    }

    /// A member that is to give tasks up has its own timeout for it.
    fn limit_rebalance(&mut self, timers: &mut Timers, member_id: &MemberId, now: Monotonic) {
        let Some(member) = self.modern.members().get(member_id) else { return };
        let deadline = now.after_ms(i64::from(member.metadata.rebalance_timeout_ms));
        match member.state.is_revoking() {
            true => self.rebalance_timeouts.begin(timers, member_id, member.member_epoch, deadline),
            false => self.rebalance_timeouts.end(timers, member_id),
        }
    }

    /// The first who asks is named.
    pub(super) fn request_shutdown(&mut self, member_id: &MemberId) {
        self.shutdown_requested_by.get_or_insert_with(|| member_id.clone());
    }

    pub(in crate::group) fn on_loaded(&mut self, turn: &mut Turn<'_>) {
        let deadline = turn.now.after_ms(i64::from(turn.settings.streams_session_timeout_ms));
        let members: Vec<MemberId> = self.members().keys().cloned().collect();
        for member in &members {
            self.modern.sessions().renew(turn.timers, member, deadline);
            self.limit_rebalance(turn.timers, member, turn.now);
        }
    }
}
