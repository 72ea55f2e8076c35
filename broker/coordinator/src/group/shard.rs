//! The groups of one partition of `__consumer_offsets`: look-up, replay, and the turn of each call.
//! Core.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ottla_env::Monotonic;
use ottla_model::{ErrorCode, GroupId, MemberId, Offset};

use super::Group;
use super::answers::{Beat, Joined, Syncer};
use super::classic::ClassicGroup;
use super::join::Joiner;
use super::leave::{Leaver, Left};
use super::offsets::Offsets;
use super::turn::{Effects, Then, Turn, Waiter};
use crate::record::{CommittedOffset, GroupMetadata, Record};
use crate::settings::GroupSettings;
use crate::timers::Timers;

pub struct GroupShard {
    pub(super) settings: Arc<GroupSettings>,
    /// Sorted: a walk can stop and go on, every run is alike, and the map's nodes go with its groups.
    pub(super) groups: BTreeMap<GroupId, Group>,
    pub(super) offsets: Offsets,
    pub(super) timers: Timers,
    /// Sessions of share group members whose first record is about to be replayed.
    pub(super) share_sessions_to_come: HashMap<(GroupId, MemberId), Monotonic>,
    /// Until the log has been read, groups are what their records say; after that, the other way round.
    is_loaded: bool,
    last_replayed_offset: Option<Offset>,
}

/// Lends the shard's parts to one turn.
macro_rules! turn {
    ($shard:expr, $now:expr, $wall_ms:expr) => {
        Turn {
            timers: &mut $shard.timers,
            settings: &$shard.settings,
            now: $now,
            wall_ms: $wall_ms,
            effects: Effects::default(),
        }
    };
}

impl GroupShard {
    pub fn new(settings: Arc<GroupSettings>) -> GroupShard {
        GroupShard {
            settings,
            groups: BTreeMap::new(),
            offsets: Offsets::default(),
            timers: Timers::default(),
            share_sessions_to_come: HashMap::new(),
            is_loaded: false,
            last_replayed_offset: None,
        }
    }

    pub fn group(&self, group_id: &str) -> Option<&Group> {
        self.groups.get(group_id)
    }

    pub fn classic_group(&self, group_id: &str) -> Option<&ClassicGroup> {
        self.groups.get(group_id).and_then(Group::as_classic)
    }

    /// The topics of the cluster have changed.
    pub fn refresh_groups(&mut self) {
        self.groups.values_mut().for_each(Group::request_refresh);
    }

    pub fn group_ids(&self) -> impl Iterator<Item = &GroupId> {
        self.groups.keys()
    }

    pub fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    /// How many deadlines are scheduled.
    pub fn timer_count(&self) -> usize {
        self.timers.count()
    }

    /// What is answered about a group must wait until this record is committed: the group's last, or of
    /// a group that is not there the last of all, which may be the one that deleted it.
    pub fn last_record_offset(&self, group_id: &str) -> Option<Offset> {
        match self.groups.get(group_id) {
            Some(group) => group.last_record_offset(),
            None => self.last_replayed_offset,
        }
    }

    /// What makes room for a member of the classic protocol: an empty group of another protocol goes, and its
    /// offsets stay.
    pub fn make_room_for_classic(&self, group_id: &str) -> Effects {
        match self.groups.get(group_id) {
            Some(group @ (Group::Consumer(_) | Group::Streams(_))) if group.is_empty() => {
                Effects::of_records(group.tombstones())
            }
            _ => Effects::default(),
        }
    }

    pub fn on_join(
        &mut self,
        group_id: &str,
        joiner: Joiner,
        waiter: Waiter,
        now: Monotonic,
        wall_ms: i64,
        random: [u8; 16],
    ) -> Effects {
        let mut turn = turn!(self, now, wall_ms);
        let is_new = !self.groups.contains_key(group_id);
        if is_new {
            if !joiner.member_id.is_empty() {
                turn.answer_join_error(waiter, &joiner.member_id, ErrorCode::UnknownMemberId);
                return turn.effects;
            }
            let group = GroupId::new(group_id);
            self.groups.insert(group.clone(), Group::new_classic(group, wall_ms));
        }
        if let Some(Group::Share(_) | Group::Streams(_)) = self.groups.get(group_id) {
            turn.answer_join_error(waiter, "", ErrorCode::InconsistentGroupProtocol);
        } else if let Some(Group::Consumer(group)) = self.groups.get(group_id) {
            group.on_classic_join(&mut turn, &joiner, waiter, random);
        } else if let Some(Group::Classic(group)) = self.groups.get_mut(group_id) {
            group.on_join(&mut turn, joiner, waiter, random);
            if is_new && turn.effects.records.is_empty() {
                // Even a group without a generation is there after a restart, as on Kafka.
                let value = GroupMetadata {
                    protocol_type: Arc::from(""),
                    generation: 0,
                    protocol: None,
                    leader: None,
                    current_state_timestamp_ms: wall_ms,
                    members: Vec::new(),
                };
                let group = GroupId::new(group_id);
                turn.effects
                    .records
                    .push(Record::GroupMetadata { group: group.clone(), value: Some(Arc::new(value)) });
                turn.effects.then = Some(Then::NewGroup { group });
            }
        }
        turn.effects
    }

    pub fn on_sync(&mut self, request: &Syncer<'_>, waiter: Waiter, now: Monotonic, wall_ms: i64) -> Effects {
        let mut turn = turn!(self, now, wall_ms);
        match self.groups.get_mut(request.group_id) {
            Some(Group::Classic(group)) => group.on_sync(&mut turn, request, waiter),
            Some(Group::Consumer(group)) => group.on_sync(&mut turn, request, waiter),
            _ => turn.answer_sync_error(waiter, ErrorCode::UnknownMemberId),
        }
        turn.effects
    }

    pub fn on_heartbeat(&mut self, beat: &Beat<'_>, now: Monotonic, wall_ms: i64) -> Result<(), ErrorCode> {
        let mut turn = turn!(self, now, wall_ms);
        match self.groups.get_mut(beat.group_id) {
            Some(Group::Classic(group)) => group.on_heartbeat(&mut turn, beat),
            Some(Group::Consumer(group)) => group.on_classic_heartbeat(&mut turn, beat),
            _ => Err(ErrorCode::UnknownMemberId),
        }
    }

    pub fn on_leave(
        &mut self,
        group_id: &str,
        leavers: Vec<Leaver>,
        now: Monotonic,
        wall_ms: i64,
    ) -> (Effects, Left) {
        let mut turn = turn!(self, now, wall_ms);
        let left = match self.groups.get_mut(group_id) {
            Some(Group::Classic(group)) => group.on_leave(&mut turn, leavers),
            Some(Group::Consumer(group)) => group.on_classic_leave(&mut turn, leavers),
            _ => Ok(leavers.into_iter().map(|leaver| (leaver, ErrorCode::UnknownMemberId)).collect()),
        };
        (turn.effects, left)
    }

    /// Goes on after the records of `then` were appended and replayed, or refused.
    pub fn on_appended(
        &mut self,
        then: Then,
        outcome: Result<(), ErrorCode>,
        now: Monotonic,
        wall_ms: i64,
    ) -> Effects {
        if let Then::StreamsHeartbeat { group, aftermath } = then {
            if outcome.is_ok() {
                self.after_streams_heartbeat(&group, *aftermath, now);
            }
            return Effects::default();
        }
        let mut turn = turn!(self, now, wall_ms);
        if let Some((waiter, response)) = then.joined() {
            match outcome {
                Ok(()) => turn.answer_join(*waiter, response.clone()),
                Err(error) => turn.answer_join_error(*waiter, "", error),
            }
        }
        let group = match self.groups.get_mut(then.group()) {
            Some(Group::Classic(group)) => group,
            Some(Group::Consumer(group)) => {
                if let Then::Consumer { after, .. } = &then {
                    group.on_records_appended(&mut turn, after, outcome);
                }
                return turn.effects;
            }
            _ => return turn.effects,
        };
        match then {
            // The group has become another kind meanwhile.
            Then::Consumer { .. } | Then::StreamsHeartbeat { .. } => {}
            Then::Downgraded(downgraded) => group.on_downgraded(&mut turn, &downgraded),
            Then::NewGroup { group: group_id } => {
                if let Err(error) = outcome {
                    group.drop_unstored(&mut turn, error);
                    self.groups.remove(&group_id);
                }
            }
            Then::Synced { generation, assignment, .. } => {
                group.on_assignment_stored(&mut turn, generation, &assignment, outcome);
            }
            Then::StaticMemberReplaced { replaced, .. } => {
                group.on_static_member_stored(&mut turn, *replaced, outcome);
            }
        }
        turn.effects
    }

    /// The only way by which what a restart must find changes. `producer_id` is set for the records of
    /// a transaction.
    pub fn replay(&mut self, offset: Offset, producer_id: Option<i64>, record: Record) {
        let group_id = record.group().clone();
        match record {
            Record::GroupMetadata { group, value } => self.replay_group_metadata(group, value),
            Record::OffsetCommit { group, topic, partition, value } => {
                if let Some(value) = &value {
                    self.replay_group_of_offset(&group, value);
                }
                let value = value.map(|value| CommittedOffset { record_offset: offset, ..value });
                self.offsets.replay_offset_commit((group, topic, partition), value, producer_id);
            }
            Record::Share { group, record } => self.replay_share(group, record),
            Record::Consumer { group, record } => self.replay_consumer(group, record),
            Record::Streams { group, record } => self.replay_streams(group, record),
        }
        self.last_replayed_offset = Some(offset);
        if let Some(group) = self.groups.get_mut(&group_id) {
            group.set_last_record_offset(offset);
        }
    }

    /// The end of a transaction in the log.
    pub fn replay_end_transaction_marker(&mut self, offset: Offset, producer_id: i64, is_commit: bool) {
        for group_id in self.offsets.groups_of_transaction(producer_id) {
            // What is told of the group from now on rests on the marker.
            if let Some(group) = self.groups.get_mut(&group_id) {
                group.set_last_record_offset(offset);
            }
        }
        self.offsets.replay_end_transaction_marker(producer_id, is_commit);
        self.last_replayed_offset = Some(offset);
    }

    fn replay_group_metadata(&mut self, group_id: GroupId, value: Option<Arc<GroupMetadata>>) {
        let Some(stored) = value else {
            if let Some(Group::Classic(group)) = self.groups.get_mut(&group_id) {
                // Ids that were given and never used, and members of a group that becomes a consumer group.
                for member in group.members.values_mut() {
                    self.timers.cancel(&mut member.session_timer);
                }
                for (_, timer) in std::mem::take(&mut group.pending_join_members) {
                    self.timers.cancel(&mut Some(timer));
                }
                self.timers.cancel(&mut group.join_timer);
                self.timers.cancel(&mut group.sync_timer);
                self.groups.remove(&group_id);
            }
            return;
        };
        match self.groups.get_mut(&group_id) {
            // The group is alive: what it was when the record was decided is older than what it is now.
            Some(Group::Classic(group)) if self.is_loaded => group.stored = Some(stored),
            _ => {
                let group = Box::new(ClassicGroup::from_stored(group_id.clone(), stored));
                self.groups.insert(group_id, Group::Classic(group));
            }
        }
    }

    /// An offset makes the group that it belongs to, if there is none (a simple consumer's).
    fn replay_group_of_offset(&mut self, group_id: &GroupId, value: &CommittedOffset) {
        if !self.groups.contains_key(group_id) {
            let group = Group::new_classic(group_id.clone(), value.commit_timestamp_ms);
            self.groups.insert(group_id.clone(), group);
        }
    }

    /// The log has been read to its end: sessions begin anew.
    pub fn on_loaded(&mut self, now: Monotonic, wall_ms: i64) -> Effects {
        self.is_loaded = true;
        let mut turn = turn!(self, now, wall_ms);
        self.groups.values_mut().for_each(|group| group.on_loaded(&mut turn));
        let effects = turn.effects;
        self.schedule_offset_expiration(now);
        effects
    }

    /// The partition is no longer led here: whoever waits is sent away.
    pub fn on_unloaded(&mut self, now: Monotonic, wall_ms: i64) -> Effects {
        let mut turn = turn!(self, now, wall_ms);
        for group in self.groups.values_mut().filter_map(Group::as_classic_mut) {
            group.on_unloaded(&mut turn);
        }
        turn.effects
    }
}

impl ClassicGroup {
    pub(super) fn on_loaded(&mut self, turn: &mut Turn<'_>) {
        let members: Vec<_> = self.members.keys().cloned().collect();
        for member_id in &members {
            self.reschedule_heartbeat(turn, member_id.as_str());
        }
        if self.members.len() > turn.settings.members_max.max(0) as usize && self.can_rebalance() {
            self.prepare_rebalance(turn, "a loaded group is over its size");
        }
    }

    /// The group could not be stored: all who wait for it are told so.
    fn drop_unstored(&mut self, turn: &mut Turn<'_>, error: ErrorCode) {
        let members: Vec<_> = self.members.keys().cloned().collect();
        for member_id in &members {
            let response = Joined::refused(member_id.as_str(), error);
            self.complete_join(turn, member_id.as_str(), response);
        }
        self.on_unloaded(turn);
    }
}
