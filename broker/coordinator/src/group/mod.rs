//! Groups and their offsets: one shard's state machine, cut by operation.
//! Core. Reading order: `turn`, `member`, `classic`, `join`, `rebalance`, `sync`, `heartbeat`, `leave`,
//! `describe`, `offsets`, `commit`, `fetch`, `delete`, `tick`, `shard`.
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
pub mod offsets;
mod rebalance;
pub mod shard;
mod sync;
mod tick;
pub mod turn;

pub use classic::{ClassicGroup, ClassicGroupState};
pub use commit::{Committer, OffsetToCommit};
pub use delete::OffsetDeletePartitions;
pub use fetch::FetchedOffset;
pub use join::Joiner;
pub use leave::Leaver;
pub use member::Protocol;
pub use shard::GroupShard;
pub use turn::{Answer, Effects, Response, Then, Waiter};

/// A group by the protocol that runs it.
pub enum Group {
    Classic(ClassicGroup),
}

impl Group {
    pub fn is_empty(&self) -> bool {
        match self {
            Group::Classic(group) => group.is_in_state(ClassicGroupState::Empty),
        }
    }

    /// Whether a member reads the topic, as far as the coordinator can tell.
    pub fn is_subscribed_to_topic(&self, topic: &str) -> bool {
        match self {
            Group::Classic(group) => group.is_subscribed_to_topic(topic),
        }
    }
}

#[cfg(test)]
mod tests;
