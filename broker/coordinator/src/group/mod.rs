//! Groups and their offsets: one shard's state machine, cut by operation.
//! Core. Reading order: `turn`, `answers`, `member`, `classic`, `join`, `rebalance`, `sync`, `heartbeat`, `leave`,
//! `describe`, `offsets`, `commit`, `fetch`, `delete`, `tick`, `watch`, `shard`; then `modern`, what the newer protocols share,
//! `share`, the groups of KIP-932, `consumer`, those of KIP-848, and `streams`, those of KIP-1071.
//!
//! Invariants:
//! - I1. What a restart must find (`ClassicGroup::stored`, `Offsets`) is changed by replay alone.
//! - I2. Every waiter that is parked is answered exactly once: when its phase ends, when its member
//!   leaves, dies or is replaced, or when the shard is unloaded.

pub mod answers;
pub mod classic;
mod commit;
pub mod consumer;
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
pub mod streams;
mod sync;
mod tick;
pub mod turn;
mod watch;

use ottla_model::{ErrorCode, GroupId, Offset};

use turn::Turn;

use crate::record::Record;
use crate::settings::GroupSettings;

pub use answers::{Beat, ClassicDescription, Joined, ListedGroup, Synced, Syncer};
pub use classic::{ClassicGroup, ClassicGroupState};
pub use commit::{Committer, OffsetToCommit};
pub use consumer::ConsumerGroup;
pub use delete::OffsetDeletePartitions;
pub use fetch::FetchedOffset;
pub use join::Joiner;
pub use leave::{Leaver, Left};
pub use member::Protocol;
pub use shard::GroupShard;
pub use share::ShareGroup;
pub use streams::StreamsGroup;
pub use turn::{Answer, Effects, Response, Then, Waiter};
pub use watch::WatchedOffset;

/// A group by the protocol that runs it.
pub enum Group {
    /// Boxed, so that a map of groups has no empty places of a group's size.
    Classic(Box<ClassicGroup>),
    Share(Box<ShareGroup>),
    Consumer(Box<ConsumerGroup>),
    Streams(Box<StreamsGroup>),
}

impl Group {
    fn new_classic(group_id: GroupId, wall_ms: i64) -> Group {
        Group::Classic(Box::new(ClassicGroup::new(group_id, wall_ms)))
    }

    pub fn is_empty(&self) -> bool {
        match self {
            Group::Classic(group) => group.is_in_state(ClassicGroupState::Empty),
            Group::Share(group) => group.is_empty(),
            Group::Consumer(group) => group.is_empty(),
            Group::Streams(group) => group.is_empty(),
        }
    }

    /// Whether a member reads the topic, as far as the coordinator can tell.
    pub fn is_subscribed_to_topic(&self, topic: &str) -> bool {
        match self {
            Group::Classic(group) => group.is_subscribed_to_topic(topic),
            Group::Share(group) => group.is_subscribed_to_topic(topic),
            Group::Consumer(group) => group.is_subscribed_to_topic(topic),
            Group::Streams(group) => group.is_subscribed_to_topic(topic),
        }
    }

    pub fn as_classic(&self) -> Option<&ClassicGroup> {
        match self {
            Group::Classic(group) => Some(group),
            _ => None,
        }
    }

    pub fn as_classic_mut(&mut self) -> Option<&mut ClassicGroup> {
        match self {
            Group::Classic(group) => Some(group),
            _ => None,
        }
    }

    pub fn as_share(&self) -> Option<&ShareGroup> {
        match self {
            Group::Share(group) => Some(group),
            _ => None,
        }
    }

    /// Kafka's name of the state the group is in.
    fn state_name(&self) -> &'static str {
        match self {
            Group::Classic(group) => group.state().name(),
            Group::Share(group) => group.state_name(),
            Group::Consumer(group) => group.state_name(),
            Group::Streams(group) => group.state_name(),
        }
    }

    fn list(&self) -> ListedGroup {
        match self {
            Group::Classic(group) => group.list(),
            Group::Share(group) => group.list(),
            Group::Consumer(group) => group.list(),
            Group::Streams(group) => group.list(),
        }
    }

    /// The topics of the cluster have changed.
    fn request_refresh(&mut self) {
        match self {
            Group::Classic(_) => {}
            Group::Share(group) => group.request_refresh(),
            Group::Consumer(group) => group.request_refresh(),
            Group::Streams(group) => group.request_refresh(),
        }
    }

    fn on_loaded(&mut self, turn: &mut Turn<'_>) {
        match self {
            Group::Classic(group) => group.on_loaded(turn),
            Group::Share(group) => group.on_loaded(turn),
            Group::Consumer(group) => group.on_loaded(turn),
            Group::Streams(group) => group.on_loaded(turn),
        }
    }

    /// The records by which an empty group goes, but for its offsets.
    fn tombstones(&self) -> Vec<Record> {
        match self {
            Group::Classic(group) => {
                vec![Record::GroupMetadata { group: group.group_id.clone(), value: None }]
            }
            Group::Share(group) => group.tombstones(),
            Group::Consumer(group) => group.tombstones(),
            Group::Streams(group) => group.tombstones(),
        }
    }

    /// Whether the member may commit these offsets in its transaction.
    fn validate_transactional_commit(
        &self,
        committer: &Committer<'_>,
        offsets: &[OffsetToCommit<'_>],
        settings: &GroupSettings,
    ) -> Result<(), ErrorCode> {
        match self {
            Group::Classic(group) => group.validate_transactional_commit(committer),
            Group::Share(_) => Err(ErrorCode::GroupIdNotFound),
            Group::Consumer(group) => group.validate_transactional_commit(committer, offsets, settings),
            Group::Streams(group) => group.validate_transactional_commit(committer, offsets),
        }
    }

    fn last_record_offset(&self) -> Option<Offset> {
        match self {
            Group::Classic(group) => group.last_record_offset,
            Group::Share(group) => group.last_record_offset,
            Group::Consumer(group) => group.last_record_offset,
            Group::Streams(group) => group.last_record_offset,
        }
    }

    fn set_last_record_offset(&mut self, offset: Offset) {
        match self {
            Group::Classic(group) => group.last_record_offset = Some(offset),
            Group::Share(group) => group.last_record_offset = Some(offset),
            Group::Consumer(group) => group.last_record_offset = Some(offset),
            Group::Streams(group) => group.last_record_offset = Some(offset),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
