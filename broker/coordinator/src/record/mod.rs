//! What groups and offsets keep in `__consumer_offsets`: the records as values.
//! Core. Replay takes these; `codec` turns them into Kafka's bytes and back.

pub mod codec;
pub mod consumer;
pub mod share;
pub mod streams;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use ottla_model::{GroupId, MemberId, Offset, TopicId, TopicName};

/// One record; a value of `None` is a tombstone.
#[derive(Clone, PartialEq, Debug)]
pub enum Record {
    GroupMetadata { group: GroupId, value: Option<Arc<GroupMetadata>> },
    OffsetCommit { group: GroupId, topic: TopicName, partition: i32, value: Option<CommittedOffset> },
    Share { group: GroupId, record: share::ShareRecord },
    Consumer { group: GroupId, record: consumer::ConsumerRecord },
    Streams { group: GroupId, record: streams::StreamsRecord },
}

impl Record {
    pub fn group(&self) -> &GroupId {
        match self {
            Record::GroupMetadata { group, .. }
            | Record::OffsetCommit { group, .. }
            | Record::Share { group, .. }
            | Record::Consumer { group, .. }
            | Record::Streams { group, .. } => group,
        }
    }
}

/// Partitions by topic.
pub type Assignment = BTreeMap<TopicId, BTreeSet<i32>>;

/// For which epoch of a group of the newer protocols the target assignment was computed, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TargetAssignmentEpoch {
    pub epoch: i32,
    pub timestamp_ms: i64,
}

/// A classic group as of its last stable assignment (Kafka's `GroupMetadataValue`).
#[derive(Clone, PartialEq, Debug)]
pub struct GroupMetadata {
    /// Empty when no member ever joined.
    pub protocol_type: Arc<str>,
    pub generation: i32,
    pub protocol: Option<Arc<str>>,
    pub leader: Option<MemberId>,
    /// Wall clock; -1 when not known.
    pub current_state_timestamp_ms: i64,
    pub members: Vec<MemberMetadata>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct MemberMetadata {
    pub member_id: MemberId,
    pub group_instance_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    pub subscription: Bytes,
    pub assignment: Bytes,
}

/// Kafka's `OffsetCommitValue`.
#[derive(Clone, PartialEq, Debug)]
pub struct CommittedOffset {
    pub offset: i64,
    /// -1 when the client did not say.
    pub leader_epoch: i32,
    pub metadata: Arc<str>,
    pub commit_timestamp_ms: i64,
    /// Only clients up to OffsetCommit v4 may ask for one.
    pub expire_timestamp_ms: Option<i64>,
    /// Zero when the commit did not know it.
    pub topic_id: TopicId,
    /// Where the record lies in the log; set by replay.
    pub record_offset: Offset,
}
