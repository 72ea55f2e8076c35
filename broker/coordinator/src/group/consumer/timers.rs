//! What goes by time in a consumer group: sessions, and how long a member may take for a step.
//! Core. None of it is in a record; a load begins it anew.

use std::collections::BTreeMap;

use ottla_model::{ErrorCode, GroupId, MemberId};

use super::{ConsumerGroup, ConsumerMember, MemberState};
use crate::group::Group;
use crate::group::answers::Joined;
use crate::group::modern::SessionEnd;
use crate::group::shard::GroupShard;
use crate::group::turn::{Turn, Waiter};
use crate::timers::{TimerId, TimerKey, Timers};

/// The step that a member has begun and has to end in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// It gives back partitions; over once it has another epoch.
    Rebalance { member_epoch: i32 },
    /// A classic member was told to join again.
    Join,
    /// A classic member has joined and has to ask for its assignment.
    Sync,
}

/// What a request makes of the member's step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PhaseChange {
    Rebalance {
        member_epoch: i32,
        timeout_ms: i32,
    },
    Sync {
        timeout_ms: i32,
    },
    /// Unless a step is under way.
    JoinIfNone {
        timeout_ms: i32,
    },
    End,
}

/// The members that are in a step.
pub(super) struct Phases {
    group_id: GroupId,
    by_member: BTreeMap<MemberId, (Phase, TimerId)>,
}

impl Phases {
    pub fn new(group_id: GroupId) -> Phases {
        Phases { group_id, by_member: BTreeMap::new() }
    }

    fn begin(&mut self, turn: &mut Turn<'_>, member: &MemberId, phase: Phase, timeout_ms: i32) {
        self.end(turn.timers, member);
        let key = TimerKey::Rebalance(self.group_id.clone(), member.clone());
        let timer = turn.timers.schedule(turn.now.after_ms(i64::from(timeout_ms.max(0))), key);
        self.by_member.insert(member.clone(), (phase, timer));
    }

    pub fn end(&mut self, timers: &mut Timers, member: &MemberId) {
        if let Some((_, timer)) = self.by_member.remove(member) {
            timers.cancel(&mut Some(timer));
        }
    }

    pub fn end_all(&mut self, timers: &mut Timers) {
        for (_, timer) in std::mem::take(&mut self.by_member).into_values() {
            timers.cancel(&mut Some(timer));
        }
    }
}

/// What a turn does once its records are in the log, or when it has none.
#[derive(Clone, PartialEq, Debug)]
pub struct AfterRecords {
    pub member: MemberId,
    pub session_timeout_ms: i32,
    pub phase: Option<PhaseChange>,
    pub is_refreshed: bool,
    pub is_resolving: bool,
    /// The group was a classic one until now.
    pub is_upgraded: bool,
    /// A classic member that waits for its answer.
    pub joined: Option<(Waiter, Joined)>,
}

impl AfterRecords {
    pub(super) fn of(member: MemberId) -> AfterRecords {
        AfterRecords {
            member,
            session_timeout_ms: 0,
            phase: None,
            is_refreshed: false,
            is_resolving: false,
            is_upgraded: false,
            joined: None,
        }
    }
}

impl ConsumerGroup {
    pub(super) fn change_phase(&mut self, turn: &mut Turn<'_>, member: &MemberId, change: PhaseChange) {
        match change {
            PhaseChange::Rebalance { member_epoch, timeout_ms } => {
                self.phases.begin(turn, member, Phase::Rebalance { member_epoch }, timeout_ms);
            }
            PhaseChange::Sync { timeout_ms } => self.phases.begin(turn, member, Phase::Sync, timeout_ms),
            PhaseChange::JoinIfNone { timeout_ms } => {
                if !self.phases.by_member.contains_key(member) {
                    self.phases.begin(turn, member, Phase::Join, timeout_ms);
                }
            }
            PhaseChange::End => self.phases.end(turn.timers, member),
        }
    }

    pub(super) fn renew_session(&mut self, turn: &mut Turn<'_>, member: &MemberId, timeout_ms: i32) {
        let deadline = turn.now.after_ms(i64::from(timeout_ms));
        self.modern.sessions().renew(turn.timers, member, deadline);
    }

    pub(in crate::group) fn on_records_appended(
        &mut self,
        turn: &mut Turn<'_>,
        after: &AfterRecords,
        outcome: Result<(), ErrorCode>,
    ) {
        if outcome.is_err() {
            return;
        }
        if after.is_refreshed {
            self.modern.on_refreshed();
        }
        self.is_resolving |= after.is_resolving;
        if after.is_upgraded {
            self.begin_sessions(turn);
        }
        if !self.members().contains_key(&after.member) {
            return;
        }
        self.renew_session(turn, &after.member, after.session_timeout_ms);
        if let Some(change) = after.phase {
            self.change_phase(turn, &after.member, change);
        }
    }

    /// Sessions begin anew (`GroupMetadataManager.onLoaded`).
    pub(in crate::group) fn on_loaded(&mut self, turn: &mut Turn<'_>) {
        self.begin_sessions(turn);
        let unrevoked: Vec<_> = self
            .members()
            .iter()
            .filter(|(_, member)| member.state == MemberState::UnrevokedPartitions)
            .map(|(id, member)| (id.clone(), member.member_epoch, member.metadata.rebalance_timeout_ms))
            .collect();
        for (member, member_epoch, timeout_ms) in unrevoked {
            self.change_phase(turn, &member, PhaseChange::Rebalance { member_epoch, timeout_ms });
        }
    }

    fn begin_sessions(&mut self, turn: &mut Turn<'_>) {
        let config = turn.settings.consumer_configs.of(self.group_id().as_str());
        let timeout_of = |member: &ConsumerMember| {
            let classic = member.metadata.classic.as_ref();
            classic.map_or(config.session_timeout_ms, |classic| classic.session_timeout_ms)
        };
        let members: Vec<_> =
            self.members().iter().map(|(id, member)| (id.clone(), timeout_of(member))).collect();
        for (member, timeout_ms) in members {
            self.renew_session(turn, &member, timeout_ms);
        }
    }

    /// A timer of a member came due: it has to go, or was heard meanwhile.
    pub(in crate::group) fn on_timer(&mut self, turn: &mut Turn<'_>, key: &TimerKey) {
        let (member, why) = match key {
            TimerKey::Member(_, member) if self.is_session_over(turn, member) => {
                (member, "its session ended")
            }
            TimerKey::Rebalance(_, member) if self.is_step_over(member) => {
                (member, "it took too long for a step of the rebalance")
            }
            _ => return,
        };
        tracing::info!(group = %self.group_id(), %member, why, "a member of a consumer group is let go");
        turn.effects = self.fence(std::slice::from_ref(member), turn.settings, turn.wall_ms);
    }

    fn is_session_over(&mut self, turn: &mut Turn<'_>, member: &MemberId) -> bool {
        let ended = self.modern.sessions().on_timer(turn.timers, member, turn.now);
        ended == SessionEnd::Ended && self.members().contains_key(member)
    }

    /// Whether the member has not ended its step in time.
    fn is_step_over(&mut self, member: &MemberId) -> bool {
        let Some((phase, _)) = self.phases.by_member.remove(member) else { return false };
        let known = self.members().get(member);
        known.is_some_and(|known| match phase {
            Phase::Rebalance { member_epoch } => known.member_epoch == member_epoch,
            Phase::Join | Phase::Sync => true,
        })
    }
}

impl GroupShard {
    pub(in crate::group) fn consumer_group_mut(&mut self, group_id: &str) -> Option<&mut ConsumerGroup> {
        match self.groups.get_mut(group_id) {
            Some(Group::Consumer(group)) => Some(group),
            _ => None,
        }
    }
}
