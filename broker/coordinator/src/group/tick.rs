//! What time brings: sessions that end, phases that end, offsets that expire.
//! Core.

use ottla_env::Monotonic;
use ottla_model::GroupId;

use super::Group;
use super::classic::{ClassicGroup, ClassicGroupState};
use super::shard::GroupShard;
use super::turn::{Effects, Turn};
use crate::record::{CommittedOffset, Record};
use crate::timers::TimerKey;

impl GroupShard {
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.timers.next_deadline()
    }

    /// Handles the earliest timer that is due; `None` when none is. The shell calls until then, so that
    /// the records of one timer are in the log before the next is looked at.
    pub fn on_tick(&mut self, now: Monotonic, wall_ms: i64) -> Option<Effects> {
        let (_, key) = self.timers.pop_due(now)?;
        if key == TimerKey::OffsetExpiration {
            let effects = self.cleanup_group_metadata(wall_ms);
            self.schedule_offset_expiration(now);
            return Some(effects);
        }
        let mut turn = Turn {
            timers: &mut self.timers,
            settings: &self.settings,
            now,
            wall_ms,
            effects: Effects::default(),
        };
        let (TimerKey::Member(group_id, _)
        | TimerKey::Rebalance(group_id, _)
        | TimerKey::Join(group_id)
        | TimerKey::Sync(group_id)) = &key
        else {
            return Some(turn.effects);
        };
        match self.groups.get_mut(group_id) {
            Some(Group::Classic(group)) => match &key {
                TimerKey::Member(_, member_id) => group.on_session_timer(&mut turn, member_id.as_str()),
                TimerKey::Join(_) => group.on_join_timer(&mut turn),
                TimerKey::Sync(_) => group.on_sync_timer(&mut turn),
                TimerKey::Rebalance(..) | TimerKey::OffsetExpiration => {}
            },
            Some(Group::Share(group)) => {
                if let TimerKey::Member(_, member_id) = &key {
                    group.on_session_timer(&mut turn, member_id);
                }
            }
            Some(Group::Consumer(group)) => group.on_timer(&mut turn, &key),
            Some(Group::Streams(group)) => match &key {
                TimerKey::Member(_, member_id) => group.on_session_timer(&mut turn, member_id),
                TimerKey::Rebalance(_, member_id) => group.on_rebalance_timer(&mut turn, member_id),
                TimerKey::Join(_) => group.on_delay_timer(),
                TimerKey::Sync(_) | TimerKey::OffsetExpiration => {}
            },
            None => {}
        }
        Some(turn.effects)
    }

    pub(super) fn schedule_offset_expiration(&mut self, now: Monotonic) {
        let at = now.after_ms(self.settings.offsets_retention_check_interval_ms.max(1));
        self.timers.schedule(at, TimerKey::OffsetExpiration);
    }

    /// Offsets past their retention go, and with the last of them the empty group.
    pub fn cleanup_group_metadata(&self, wall_ms: i64) -> Effects {
        let mut effects = Effects { split: true, ..Effects::default() };
        for (group_id, group) in &self.groups {
            // A share group has no offsets, and stays until somebody deletes it.
            if group.as_share().is_some() {
                continue;
            }
            let are_all_expired = self.expire_offsets(group_id, group, wall_ms, &mut effects);
            if are_all_expired && group.is_empty() {
                effects.records.extend(group.tombstones());
            }
        }
        effects
    }

    /// True when nothing is left of the group's offsets.
    fn expire_offsets(&self, group_id: &GroupId, group: &Group, wall_ms: i64, effects: &mut Effects) -> bool {
        let has_pending = self.offsets.has_pending(group_id.as_str());
        let Some(topics) = self.offsets.of_group(group_id.as_str()) else { return !has_pending };
        let Some(basis) = group.expiration_basis() else { return false };
        let mut are_all_expired = true;
        for (topic, partitions) in topics.iter() {
            let is_subscribed = group.is_subscribed_to_topic(topic.as_str());
            for (&partition, value) in partitions.iter() {
                let is_expired = !is_subscribed
                    && basis.is_expired(value, wall_ms, self.settings.offsets_retention_ms)
                    && !self.offsets.is_pending(group_id.as_str(), topic, partition);
                if is_expired {
                    effects.records.push(Record::OffsetCommit {
                        group: group_id.clone(),
                        topic: topic.clone(),
                        partition,
                        value: None,
                    });
                } else {
                    are_all_expired = false;
                }
            }
        }
        are_all_expired && !has_pending
    }
}

/// From when the retention of a group's offsets counts.
pub(super) enum ExpirationBasis {
    /// Since the group is empty; since the commit where that is not known.
    EmptySince(Option<i64>),
    Commit,
}

impl ExpirationBasis {
    fn is_expired(&self, value: &CommittedOffset, wall_ms: i64, retention_ms: i64) -> bool {
        if let Some(expire_ms) = value.expire_timestamp_ms {
            return wall_ms >= expire_ms;
        }
        let since_ms = match self {
            ExpirationBasis::EmptySince(Some(since_ms)) => *since_ms,
            ExpirationBasis::EmptySince(None) | ExpirationBasis::Commit => value.commit_timestamp_ms,
        };
        wall_ms.saturating_sub(since_ms) >= retention_ms
    }
}

impl Group {
    /// `None`: nothing of this group expires now.
    fn expiration_basis(&self) -> Option<ExpirationBasis> {
        match self {
            Group::Classic(group) => group.expiration_basis(),
            Group::Share(_) => None,
            Group::Consumer(_) | Group::Streams(_) => Some(ExpirationBasis::Commit),
        }
    }
}

impl ClassicGroup {
    /// `None`: nothing of this group expires now.
    fn expiration_basis(&self) -> Option<ExpirationBasis> {
        if self.protocol_type.is_none() {
            return Some(ExpirationBasis::Commit);
        }
        if self.is_in_state(ClassicGroupState::Empty) {
            return Some(ExpirationBasis::EmptySince(self.current_state_timestamp_ms));
        }
        // Of a stable consumer group, offsets of topics that nobody reads any more.
        let is_known = self.uses_consumer_group_protocol() && self.subscribed_topics.is_some();
        (is_known && self.is_in_state(ClassicGroupState::Stable)).then_some(ExpirationBasis::Commit)
    }

    /// A member's timer came due: its session is over, or was prolonged meanwhile.
    fn on_session_timer(&mut self, turn: &mut Turn<'_>, member_id: &str) {
        if self.pending_join_members.contains_key(member_id) {
            return self.remove_pending_member_and_update(turn, member_id);
        }
        let Some(member) = self.members.get_mut(member_id) else { return };
        member.session_timer = None;
        if member.session_deadline > turn.now {
            let key = TimerKey::Member(self.group_id.clone(), member.member_id.clone());
            member.session_timer = Some(turn.timers.schedule(member.session_deadline, key));
            return;
        }
        // A member whose request is parked here lives; its session goes on with the answer.
        if !member.has_satisfied_heartbeat() {
            tracing::info!(group = %self.group_id, member = member_id, "a member's session ended");
            self.remove_member_and_update(turn, member_id);
        }
    }
}
