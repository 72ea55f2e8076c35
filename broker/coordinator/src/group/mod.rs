//! Groups and their offsets: one shard's state machine, cut by operation.
//! Core. Reading order: `turn`, `member`, `classic`, `join`, `rebalance`, `sync`, `heartbeat`, `leave`,
//! `describe`, `offsets`, `commit`, `fetch`, `delete`, `tick`, `watch`, `shard`; then `modern`, what the newer protocols share, and
//! `share`, the groups of KIP-932.
//!
//! Invariants:
//! - I1. What a restart must find (`ClassicGroup::stored`, `Offsets`) is changed by replay alone.
//! - I2. Every waiter that is parked is answered exactly once: when its phase ends, when its member
//!   leaves, dies or is replaced, or when the shard is unloaded.

pub mod classic;
mod commit;
mod delete;
mod describe;
mod fetch;
mod heartbeat;
mod join;
mod leave;
mod member;
pub mod modern;
pub mod offsets;
mod rebalance;
pub mod shard;
pub mod share;
mod sync;
mod tick;
pub mod turn;
mod watch;

use ottla_model::{GroupId, Offset};

pub use classic::{ClassicGroup, ClassicGroupState};
pub use commit::{Committer, OffsetToCommit};
pub use delete::OffsetDeletePartitions;
pub use fetch::FetchedOffset;
pub use join::Joiner;
pub use leave::Leaver;
pub use member::Protocol;
pub use shard::GroupShard;
pub use share::ShareGroup;
pub use turn::{Answer, Effects, Response, Then, Waiter};
pub use watch::WatchedOffset;

/// A group by the protocol that runs it.
pub enum Group {
    /// Boxed, so that a map of groups has no empty places of a group's size.
    Classic(Box<ClassicGroup>),
    Share(Box<ShareGroup>),
}

impl Group {
    fn new_classic(group_id: GroupId, wall_ms: i64) -> Group {
        Group::Classic(Box::new(ClassicGroup::new(group_id, wall_ms)))
    }

    pub fn is_empty(&self) -> bool {
        match self {
            Group::Classic(group) => group.is_in_state(ClassicGroupState::Empty),
            Group::Share(group) => group.is_empty(),
        }
    }

    /// Whether a member reads the topic, as far as the coordinator can tell.
    pub fn is_subscribed_to_topic(&self, topic: &str) -> bool {
        match self {
            Group::Classic(group) => group.is_subscribed_to_topic(topic),
            Group::Share(group) => group.is_subscribed_to_topic(topic),
        }
    }

    pub fn as_classic(&self) -> Option<&ClassicGroup> {
        match self {
            Group::Classic(group) => Some(group),
            Group::Share(_) => None,
        }
    }

    pub fn as_classic_mut(&mut self) -> Option<&mut ClassicGroup> {
        match self {
            Group::Classic(group) => Some(group),
            Group::Share(_) => None,
        }
    }

    pub fn as_share(&self) -> Option<&ShareGroup> {
        match self {
            Group::Share(group) => Some(group),
            Group::Classic(_) => None,
        }
    }

    fn last_record_offset(&self) -> Option<Offset> {
        match self {
            Group::Classic(group) => group.last_record_offset,
            Group::Share(group) => group.last_record_offset,
        }
    }

    fn set_last_record_offset(&mut self, offset: Offset) {
        match self {
            Group::Classic(group) => group.last_record_offset = Some(offset),
            Group::Share(group) => group.last_record_offset = Some(offset),
        }
    }
}

#[cfg(test)]
mod tests;
