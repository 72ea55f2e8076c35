//! Streams groups (KIP-1071): members that run the tasks of one topology, and the topology itself.
//! Core. After Kafka's `StreamsGroup` and the streams part of its `GroupMetadataManager`. Reading order: this file,
//! `topics` (what a topology needs of the cluster's topics), `heartbeat`, `reconcile` (from the tasks a member has to
//! those it is to have), `owners`, `endpoints`, `leave`, `rebalance_timeouts`,
//! `after` (what a heartbeat leaves behind), `replay`, `offsets`,
//! `describe`.
//!
//! Invariants:
//! - I1. What a restart must find is changed by replay alone (see `modern`). Sessions, delays, the configured topology,
//!   the epoch of endpoints and a wish to shut down are not stored: they begin anew.
//! - I2. A task is active in one process at a time: nobody is given one that another process still has (`owners`).

mod after;
mod describe;
mod endpoints;
mod heartbeat;
mod leave;
mod offsets;
mod owners;
mod rebalance_timeouts;
mod reconcile;
mod replay;
#[cfg(test)]
mod tests;
pub mod topics;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use ottla_model::{ErrorCode, GroupId, MemberId, Offset, TopicName};

use super::modern::{GroupError, ModernGroup, ModernMember};
use crate::record::Record;
use crate::record::streams::{
    StreamsMemberMetadata, StreamsRecord, TasksTuple, TasksTupleWithEpochs, Topology,
};
use crate::timers::TimerId;
use owners::TaskOwners;
use rebalance_timeouts::RebalanceTimeouts;
use topics::ConfiguredTopology;

pub use after::HeartbeatAftermath;
pub use describe::{StreamsDescription, StreamsMemberDescription};
pub use endpoints::EndpointPartitions;
pub use heartbeat::{StreamsHeartbeat, StreamsHeartbeatOutcome, StreamsHeartbeatTurn, assign};

/// How far a member is on its way to its target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemberState {
    Stable,
    /// It has tasks that it is to give up.
    UnrevokedTasks,
    /// It waits for tasks that others have.
    UnreleasedTasks,
    /// Of a later release.
    Unknown,
}

impl MemberState {
    /// Kafka's number.
    pub fn number(self) -> i8 {
        match self {
            MemberState::Stable => 1,
            MemberState::UnrevokedTasks => 2,
            MemberState::UnreleasedTasks => 3,
            MemberState::Unknown => 127,
        }
    }

    pub fn of(number: i8) -> MemberState {
        match number {
            1 => MemberState::Stable,
            2 => MemberState::UnrevokedTasks,
            3 => MemberState::UnreleasedTasks,
            _ => MemberState::Unknown,
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct StreamsMember {
    pub metadata: Arc<StreamsMemberMetadata>,
    pub member_epoch: i32,
    pub previous_member_epoch: i32,
    pub state: MemberState,
    pub assigned: Arc<TasksTupleWithEpochs>,
    pub pending_revocation: Arc<TasksTupleWithEpochs>,
}

impl Default for StreamsMember {
    fn default() -> StreamsMember {
        StreamsMember {
            metadata: Arc::default(),
            member_epoch: 0,
            previous_member_epoch: 0,
            state: MemberState::Stable,
            assigned: Arc::default(),
            pending_revocation: Arc::default(),
        }
    }
}

impl StreamsMember {
    fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.member_epoch == target_epoch
    }
}

impl ModernMember for StreamsMember {
    type Assignment = TasksTuple;

    /// What is read is the topology's affair, not a member's.
    fn subscribed_topics(&self) -> &BTreeSet<TopicName> {
        static NONE: LazyLock<BTreeSet<TopicName>> = LazyLock::new(BTreeSet::new);
        &NONE
    }
}

/// The epoch of a group that has had no member: the first member's is 2, as in Kafka.
const FIRST_EPOCH: i32 = 1;

/// The name under which the number of standby replicas is stored.
const NUM_STANDBY_REPLICAS: &str = "num.standby.replicas";

pub struct StreamsGroup {
    modern: ModernGroup<StreamsMember>,
    topology: Option<Arc<Topology>>,
    /// -1 where the topology was found not to be good.
    validated_topology_epoch: i32,
    /// What the last assignment went by.
    assignment_configs: BTreeMap<String, String>,
    owners: TaskOwners,
    /// What the topology came to with the topics of the cluster.
    configured: Option<Arc<ConfiguredTopology>>,
    /// The member that wants the whole application to end.
    shutdown_requested_by: Option<MemberId>,
    /// Rises whenever somebody who asks for state has to ask elsewhere.
    endpoint_epoch: i32,
    /// Runs while the first assignment waits for more members.
    delay: Option<TimerId>,
    rebalance_timeouts: RebalanceTimeouts,
    pub(super) last_record_offset: Option<Offset>,
}

impl StreamsGroup {
    pub fn new(group_id: GroupId) -> StreamsGroup {
        StreamsGroup {
            rebalance_timeouts: RebalanceTimeouts::new(group_id.clone()),
            modern: ModernGroup::new(group_id, FIRST_EPOCH),
            topology: None,
            validated_topology_epoch: 0,
            assignment_configs: BTreeMap::new(),
            owners: TaskOwners::default(),
            configured: None,
            shutdown_requested_by: None,
            endpoint_epoch: 0,
            delay: None,
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

    pub fn members(&self) -> &BTreeMap<MemberId, StreamsMember> {
        self.modern.members()
    }

    pub fn epoch(&self) -> i32 {
        self.modern.epoch()
    }

    pub fn topology(&self) -> Option<&Arc<Topology>> {
        self.topology.as_ref()
    }

    /// Kafka's name of the state the group is in.
    pub fn state_name(&self) -> &'static str {
        let target_epoch = self.modern.target().epoch();
        let validated = self.validated_topology_epoch;
        if self.is_empty() {
            "Empty"
        } else if self.topology.as_ref().is_none_or(|topology| topology.epoch != validated) {
            "NotReady"
        } else if self.epoch() > target_epoch {
            "Assigning"
        } else if !self.members().values().all(|member| member.is_reconciled_to(target_epoch)) {
            "Reconciling"
        } else {
            "Stable"
        }
    }

    /// Whether the topology reads the topic, as long as somebody runs it.
    pub fn is_subscribed_to_topic(&self, topic: &str) -> bool {
        !self.is_empty() && self.subtopology_reading(topic).is_some()
    }

    fn subtopology_reading(&self, topic: &str) -> Option<&str> {
        let subtopologies = self.topology.iter().flat_map(|topology| &topology.subtopologies);
        let mut reading = subtopologies.filter(|(_, subtopology)| {
            subtopology.source_topics.iter().any(|name| **name == *topic)
                || subtopology.repartition_source_topics.iter().any(|info| *info.name == *topic)
        });
        reading.next().map(|(id, _)| id.as_str())
    }

    /// The topics of the cluster have changed.
    pub(in crate::group) fn request_refresh(&mut self) {
        self.modern.request_refresh();
    }

    fn record(&self, record: StreamsRecord) -> Record {
        Record::Streams { group: self.group_id().clone(), record }
    }

    fn unknown_member(&self, member_id: &str) -> GroupError {
        let message = format!("Member {member_id} is not a member of group {}.", self.group_id());
        GroupError { code: ErrorCode::UnknownMemberId, message }
    }
}

fn not_a_streams_group(group_id: &str) -> GroupError {
    let message = format!("Group {group_id} is not a streams group.");
    GroupError { code: ErrorCode::GroupIdNotFound, message }
}
