//! Share groups (KIP-932): members, epochs, assignment, and the topics whose share state is there.
//! Core. After Kafka's `ShareGroup` and the share part of its `GroupMetadataManager`. Reading order:
//! this file, `assignor`, `heartbeat`, `leave`, `replay`, `state` (share state of topics), `describe`.
//!
//! Invariants:
//! - I1. All but sessions and `needs_refresh` is changed by replay alone.

pub mod assignor;
mod describe;
mod heartbeat;
mod leave;
mod replay;
mod state;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ottla_env::Monotonic;
use ottla_model::{ErrorCode, GroupId, MemberId, Offset, TopicName};

use crate::record::Record;
use crate::record::share::{Assignment, ShareMemberMetadata, ShareRecord, StatePartitions};
use crate::timers::TimerId;

pub use heartbeat::{ShareHeartbeat, ShareHeartbeatOutcome};
pub use state::{AlteredOffsets, DeletedOffsets, OffsetsToAlter, RefusedTopic, ShareInitialize};

/// Why a group refuses; the text is Kafka's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupError {
    pub code: ErrorCode,
    pub message: String,
}

impl GroupError {
    fn new(code: ErrorCode, message: impl Into<String>) -> GroupError {
        GroupError { code, message: message.into() }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct ShareMember {
    pub metadata: Arc<ShareMemberMetadata>,
    pub member_epoch: i32,
    pub previous_member_epoch: i32,
    pub assigned: Assignment,
}

impl Default for ShareMember {
    fn default() -> ShareMember {
        ShareMember {
            metadata: Arc::default(),
            member_epoch: 0,
            previous_member_epoch: -1,
            assigned: Assignment::new(),
        }
    }
}

struct Session {
    deadline: Monotonic,
    timer: Option<TimerId>,
}

pub struct ShareGroup {
    pub(super) group_id: GroupId,
    epoch: i32,
    metadata_hash: i64,
    members: BTreeMap<MemberId, ShareMember>,
    assignment_epoch: i32,
    assignment_timestamp_ms: i64,
    target: BTreeMap<MemberId, Assignment>,
    state_partitions: Option<StatePartitions>,
    /// The topics may be others than those of the hash.
    needs_refresh: bool,
    sessions: HashMap<MemberId, Session>,
    pub(super) last_record_offset: Option<Offset>,
}

impl ShareGroup {
    pub fn new(group_id: GroupId) -> ShareGroup {
        ShareGroup {
            group_id,
            // As in Kafka: the first member's is 2.
            epoch: 1,
            metadata_hash: 0,
            members: BTreeMap::new(),
            assignment_epoch: 0,
            assignment_timestamp_ms: 0,
            target: BTreeMap::new(),
            state_partitions: None,
            needs_refresh: true,
            sessions: HashMap::new(),
            last_record_offset: None,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub fn member_count(&self) -> usize {
        self.members.len()
    }

    pub fn members(&self) -> impl Iterator<Item = (&MemberId, &ShareMember)> {
        self.members.iter()
    }

    pub fn epoch(&self) -> i32 {
        self.epoch
    }

    pub fn state_partitions(&self) -> Option<&StatePartitions> {
        self.state_partitions.as_ref()
    }

    pub fn state_name(&self) -> &'static str {
        if self.is_empty() { "Empty" } else { "Stable" }
    }

    pub fn is_subscribed_to_topic(&self, topic: &str) -> bool {
        self.members.values().any(|member| member.metadata.subscribed_topics.contains(topic))
    }

    /// All topics that a member reads, with one member as it will be.
    fn subscribed_topics_with(&self, changed: &MemberId, now: Option<&ShareMember>) -> BTreeSet<TopicName> {
        let others = self.members.iter().filter(|(id, _)| *id != changed).map(|(_, member)| member);
        others.chain(now).flat_map(|member| member.metadata.subscribed_topics.iter().cloned()).collect()
    }

    fn record(&self, record: ShareRecord) -> Record {
        Record::Share { group: self.group_id.clone(), record }
    }
}
