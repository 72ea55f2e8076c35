//! Share groups (KIP-932): members, epochs, assignment, and the topics whose share state is there.
//! Core. After Kafka's `ShareGroup` and the share part of its `GroupMetadataManager`. Reading order:
//! this file, `assignor`, `heartbeat`, `leave`, `replay`, `state` (share state of topics), `describe`.
//!
//! Invariants:
//! - I1. All but sessions and the wish to refresh is changed by replay alone (see `modern`).

pub mod assignor;
mod describe;
mod heartbeat;
mod leave;
mod replay;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_model::{GroupId, MemberId, Offset, TopicName};

use super::modern::{ModernGroup, ModernMember};
use crate::record::share::{ShareMemberMetadata, ShareRecord, StatePartitions};
use crate::record::{Assignment, Record};

pub use describe::{ShareDescription, ShareMemberDescription};
pub use heartbeat::{ShareHeartbeat, ShareHeartbeatOutcome, ShareHeartbeatTurn};
pub use state::{AlteredOffsets, DeletedOffsets, OffsetsToAlter, RefusedTopic, ShareInitialize};

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

impl ModernMember for ShareMember {
    type Assignment = Assignment;

    fn subscribed_topics(&self) -> &BTreeSet<TopicName> {
        &self.metadata.subscribed_topics
    }
}

/// The epoch of a group that has had no member: the first member's is 2, as in Kafka.
const FIRST_EPOCH: i32 = 1;

pub struct ShareGroup {
    modern: ModernGroup<ShareMember>,
    state_partitions: Option<StatePartitions>,
    pub(super) last_record_offset: Option<Offset>,
}

impl ShareGroup {
    pub fn new(group_id: GroupId) -> ShareGroup {
        ShareGroup {
            modern: ModernGroup::new(group_id, FIRST_EPOCH),
            state_partitions: None,
            last_record_offset: None,
        }
    }

    pub fn group_id(&self) -> &GroupId {
        self.modern.group_id()
    }

    pub fn is_empty(&self) -> bool {
        self.modern.members().is_empty()
    }

    pub fn member_count(&self) -> usize {
        self.modern.members().len()
    }

    pub fn members(&self) -> impl Iterator<Item = (&MemberId, &ShareMember)> {
        self.modern.members().iter()
    }

    pub fn epoch(&self) -> i32 {
        self.modern.epoch()
    }

    pub fn state_partitions(&self) -> Option<&StatePartitions> {
        self.state_partitions.as_ref()
    }

    pub fn state_name(&self) -> &'static str {
        if self.is_empty() { "Empty" } else { "Stable" }
    }

    pub fn is_subscribed_to_topic(&self, topic: &str) -> bool {
        self.modern.is_subscribed_to_topic(topic)
    }

    /// The topics of the cluster have changed.
    pub(in crate::group) fn request_refresh(&mut self) {
        self.modern.request_refresh();
    }

    fn record(&self, record: ShareRecord) -> Record {
        Record::Share { group: self.group_id().clone(), record }
    }
}
