//! One turn of a shard: what a call may use (time, timers, settings) and what it asks for (records, answers).
//! Core.

use std::collections::HashMap;

use bytes::Bytes;
use ottla_env::Monotonic;
use ottla_model::{ErrorCode, GroupId, MemberId};

use super::answers::{Joined, Synced};
use super::member::Protocol;
use super::shard::GroupShard;
use crate::settings::GroupSettings;
use crate::timers::Timers;

pub use crate::shard::Waiter;

#[derive(Clone, PartialEq, Debug)]
pub enum Response {
    Join(Joined),
    Sync(Synced),
}

pub type Answer = crate::shard::Answer<Response>;

pub type Effects = crate::shard::Effects<GroupShard>;

/// How a group goes on once its records are in the log, or were refused.
#[derive(Clone, PartialEq, Debug)]
pub enum Then {
    /// A group was made for its first member; refused, it is as if it had never been.
    NewGroup { group: GroupId },
    /// The leader's assignment was stored.
    Synced { group: GroupId, generation: i32, assignment: HashMap<MemberId, Bytes> },
    /// A restarted static member took the place of its predecessor in a stable group.
    StaticMemberReplaced { group: GroupId, replaced: Box<super::join::Replaced> },
    /// A member of a streams group was heard of.
    StreamsHeartbeat { group: GroupId, aftermath: Box<super::streams::HeartbeatAftermath> },
    /// A member of a consumer group was heard.
    Consumer { group: GroupId, after: Box<super::consumer::AfterRecords> },
    /// A consumer group became a classic one.
    Downgraded(Box<Downgraded>),
}

/// What no record has of a consumer group that became a classic one.
#[derive(Clone, PartialEq, Debug)]
pub struct Downgraded {
    pub group: GroupId,
    /// All protocols that a member offers.
    pub protocols: Vec<(MemberId, Vec<Protocol>)>,
    pub is_rebalancing: bool,
    /// Whose joining did it.
    pub joined: Option<(Waiter, Joined)>,
}

impl Then {
    pub fn group(&self) -> &GroupId {
        match self {
            Then::NewGroup { group }
            | Then::Synced { group, .. }
            | Then::StaticMemberReplaced { group, .. }
            | Then::Consumer { group, .. }
            | Then::StreamsHeartbeat { group, .. } => group,
            Then::Downgraded(downgraded) => &downgraded.group,
        }
    }

    /// Who waits for the records, and what it is answered.
    pub fn joined(&self) -> Option<&(Waiter, Joined)> {
        match self {
            Then::Consumer { after, .. } => after.joined.as_ref(),
            Then::Downgraded(downgraded) => downgraded.joined.as_ref(),
            Then::NewGroup { .. }
            | Then::Synced { .. }
            | Then::StaticMemberReplaced { .. }
            | Then::StreamsHeartbeat { .. } => None,
        }
    }
}

/// What a call works with.
pub struct Turn<'a> {
    pub timers: &'a mut Timers,
    pub settings: &'a GroupSettings,
    pub now: Monotonic,
    pub wall_ms: i64,
    pub effects: Effects,
}

impl Turn<'_> {
    /// Answers a JoinGroup.
    pub fn answer_join(&mut self, waiter: Waiter, response: Joined) {
        self.effects.answers.push(Answer { waiter, response: Response::Join(response) });
    }

    pub fn answer_join_error(&mut self, waiter: Waiter, member_id: &str, error: ErrorCode) {
        self.answer_join(waiter, Joined::refused(member_id, error));
    }

    pub fn answer_sync(&mut self, waiter: Waiter, response: Synced) {
        self.effects.answers.push(Answer { waiter, response: Response::Sync(response) });
    }

    pub fn answer_sync_error(&mut self, waiter: Waiter, error: ErrorCode) {
        self.answer_sync(waiter, Synced::refused(error));
    }
}
