//! What streams groups keep in `__consumer_offsets`: the records as values, and as Kafka 4.3.1 writes them.
//! Core.
//!
//! ```text
//! key 17 | group              epoch, hash of the topics, validated topology epoch, settings of the assignor
//! key 19 | group | member     client, process, endpoint, tags, topology epoch    values are version 0
//! key 20 | group              epoch and time of the target assignment
//! key 21 | group | member     the member's target assignment
//! key 22 | group | member     the member's epochs, state, tasks, and tasks to be revoked
//! key 23 | group              the topology
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_model::{GroupId, MemberId};
use ottla_protocol::EncodeError;
use ottla_protocol::records::group::{
    GroupKey, GroupValue, StreamsGroupCurrentMemberAssignmentKey, StreamsGroupCurrentMemberAssignmentValue,
    StreamsGroupMemberMetadataKey, StreamsGroupMemberMetadataValue, StreamsGroupMetadataKey,
    StreamsGroupMetadataValue, StreamsGroupTargetAssignmentMemberKey,
    StreamsGroupTargetAssignmentMemberValue, StreamsGroupTargetAssignmentMetadataKey,
    StreamsGroupTargetAssignmentMetadataValue, StreamsGroupTopologyKey, StreamsGroupTopologyValue,
    streams_group_current_member_assignment_value as current_value,
    streams_group_member_metadata_value as member_value, streams_group_metadata_value as epoch_value,
    streams_group_target_assignment_member_value as target_value,
};
use ottla_protocol::records::{encode_key, encode_value};

use super::TargetAssignmentEpoch;
use super::codec::CoordinatorRecord;
use crate::wire::text;

pub use crate::assignor::streams::{Tasks, TasksTuple};
pub use ottla_protocol::records::group::streams_group_topology_value::{
    CopartitionGroup, Subtopology, TopicConfig, TopicInfo,
};

const VALUE_VERSION: i16 = 0;

/// Each task with the epoch in which it was assigned.
pub type EpochTasks = BTreeMap<String, BTreeMap<i32, i32>>;

/// Kafka's `TasksTupleWithEpochs`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TasksTupleWithEpochs {
    pub active: EpochTasks,
    pub standby: Tasks,
    pub warmup: Tasks,
}

impl TasksTupleWithEpochs {
    pub fn is_empty(&self) -> bool {
        self.active.is_empty() && self.standby.is_empty() && self.warmup.is_empty()
    }
}

/// What the application's members have to run (Kafka's `StreamsTopology`).
#[derive(Clone, PartialEq, Debug)]
pub struct Topology {
    pub epoch: i32,
    pub subtopologies: BTreeMap<String, Subtopology>,
}

/// One record of a streams group; a value of `None` is a tombstone.
#[derive(Clone, PartialEq, Debug)]
pub enum StreamsRecord {
    Metadata(Option<StreamsGroupEpoch>),
    MemberMetadata { member: MemberId, value: Option<Arc<StreamsMemberMetadata>> },
    TargetAssignmentMetadata(Option<TargetAssignmentEpoch>),
    TargetAssignmentMember { member: MemberId, value: Option<TasksTuple> },
    CurrentMemberAssignment { member: MemberId, value: Option<CurrentTasks> },
    Topology(Option<Arc<Topology>>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamsGroupEpoch {
    pub epoch: i32,
    pub metadata_hash: i64,
    /// -1 where no topology has been found good.
    pub validated_topology_epoch: i32,
    /// What the assignor went by: `num.standby.replicas`.
    pub assignment_configs: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamsMemberMetadata {
    pub instance_id: Option<Arc<str>>,
    pub rack_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub rebalance_timeout_ms: i32,
    pub topology_epoch: i32,
    pub process_id: Arc<str>,
    pub user_endpoint: Option<Endpoint>,
    pub client_tags: BTreeMap<String, String>,
}

/// Where the member answers questions about its state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    pub host: Arc<str>,
    pub port: u16,
}

impl Default for StreamsMemberMetadata {
    fn default() -> StreamsMemberMetadata {
        StreamsMemberMetadata {
            instance_id: None,
            rack_id: None,
            client_id: Arc::default(),
            client_host: Arc::default(),
            rebalance_timeout_ms: -1,
            topology_epoch: -1,
            process_id: Arc::default(),
            user_endpoint: None,
            client_tags: BTreeMap::new(),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CurrentTasks {
    pub member_epoch: i32,
    pub previous_member_epoch: i32,
    /// Kafka's number of the member's state.
    pub state: i8,
    pub assigned: TasksTupleWithEpochs,
    pub pending_revocation: TasksTupleWithEpochs,
}

pub fn encode(group: &GroupId, record: &StreamsRecord) -> Result<CoordinatorRecord, EncodeError> {
    let group_id = text(group.as_str());
    let (key, value): (GroupKey, Option<GroupValue>) = match record {
        StreamsRecord::Metadata(value) => {
            (StreamsGroupMetadataKey { group_id }.into(), value.as_ref().map(|value| epoch(value).into()))
        }
        StreamsRecord::MemberMetadata { member, value } => (
            StreamsGroupMemberMetadataKey { group_id, member_id: text(member.as_str()) }.into(),
            value.as_ref().map(|value| member_metadata(value).into()),
        ),
        StreamsRecord::TargetAssignmentMetadata(value) => (
            StreamsGroupTargetAssignmentMetadataKey { group_id }.into(),
            value.map(|value| {
                StreamsGroupTargetAssignmentMetadataValue {
                    assignment_epoch: value.epoch,
                    assignment_timestamp: value.timestamp_ms,
                    ..Default::default()
                }
                .into()
            }),
        ),
        StreamsRecord::TargetAssignmentMember { member, value } => (
            StreamsGroupTargetAssignmentMemberKey { group_id, member_id: text(member.as_str()) }.into(),
            value.as_ref().map(|value| {
                StreamsGroupTargetAssignmentMemberValue {
                    active_tasks: target_tasks(&value.active),
                    standby_tasks: target_tasks(&value.standby),
                    warmup_tasks: target_tasks(&value.warmup),
                    ..Default::default()
                }
                .into()
            }),
        ),
        StreamsRecord::CurrentMemberAssignment { member, value } => (
            StreamsGroupCurrentMemberAssignmentKey { group_id, member_id: text(member.as_str()) }.into(),
            value.as_ref().map(|value| current_assignment(value).into()),
        ),
        StreamsRecord::Topology(value) => (
            StreamsGroupTopologyKey { group_id }.into(),
            value.as_ref().map(|topology| {
                StreamsGroupTopologyValue {
                    epoch: topology.epoch,
                    subtopologies: topology.subtopologies.values().cloned().collect(),
                    ..Default::default()
                }
                .into()
            }),
        ),
    };
    let value = value.map(|value| encode_value(&value, VALUE_VERSION)).transpose()?;
    Ok(CoordinatorRecord { key: encode_key(&key)?, value })
}

fn epoch(value: &StreamsGroupEpoch) -> StreamsGroupMetadataValue {
    let configs = value.assignment_configs.iter().map(|(key, value)| epoch_value::LastAssignmentConfig {
        key: text(key),
        value: text(value),
        ..Default::default()
    });
    StreamsGroupMetadataValue {
        epoch: value.epoch,
        metadata_hash: value.metadata_hash,
        validated_topology_epoch: value.validated_topology_epoch,
        last_assignment_configs: Some(configs.collect()),
        ..Default::default()
    }
}

fn member_metadata(value: &StreamsMemberMetadata) -> StreamsGroupMemberMetadataValue {
    let tags = value.client_tags.iter().map(|(key, value)| member_value::KeyValue {
        key: text(key),
        value: text(value),
        ..Default::default()
    });
    StreamsGroupMemberMetadataValue {
        instance_id: value.instance_id.as_deref().map(text),
        rack_id: value.rack_id.as_deref().map(text),
        client_id: text(&value.client_id),
        client_host: text(&value.client_host),
        rebalance_timeout_ms: value.rebalance_timeout_ms,
        topology_epoch: value.topology_epoch,
        process_id: text(&value.process_id),
        user_endpoint: value.user_endpoint.as_ref().map(|endpoint| member_value::Endpoint {
            host: text(&endpoint.host),
            port: endpoint.port,
            ..Default::default()
        }),
        client_tags: tags.collect(),
        ..Default::default()
    }
}

fn target_tasks(tasks: &Tasks) -> Vec<target_value::TaskIds> {
    let tasks = tasks.iter().map(|(subtopology, partitions)| target_value::TaskIds {
        subtopology_id: text(subtopology),
        partitions: partitions.iter().copied().collect(),
        ..Default::default()
    });
    tasks.collect()
}

fn current_assignment(value: &CurrentTasks) -> StreamsGroupCurrentMemberAssignmentValue {
    StreamsGroupCurrentMemberAssignmentValue {
        member_epoch: value.member_epoch,
        previous_member_epoch: value.previous_member_epoch,
        state: value.state,
        active_tasks: active_tasks(&value.assigned.active),
        standby_tasks: other_tasks(&value.assigned.standby),
        warmup_tasks: other_tasks(&value.assigned.warmup),
        active_tasks_pending_revocation: active_tasks(&value.pending_revocation.active),
        standby_tasks_pending_revocation: other_tasks(&value.pending_revocation.standby),
        warmup_tasks_pending_revocation: other_tasks(&value.pending_revocation.warmup),
        ..Default::default()
    }
}

fn active_tasks(tasks: &EpochTasks) -> Vec<current_value::TaskIds> {
    let tasks = tasks.iter().map(|(subtopology, partitions)| current_value::TaskIds {
        subtopology_id: text(subtopology),
        partitions: partitions.keys().copied().collect(),
        assignment_epochs: Some(partitions.values().copied().collect()),
        ..Default::default()
    });
    tasks.collect()
}

fn other_tasks(tasks: &Tasks) -> Vec<current_value::TaskIds> {
    let tasks = tasks.iter().map(|(subtopology, partitions)| current_value::TaskIds {
        subtopology_id: text(subtopology),
        partitions: partitions.iter().copied().collect(),
        assignment_epochs: None,
        ..Default::default()
    });
    tasks.collect()
}

/// Whether the key is one of those above.
pub fn keeps(key: &GroupKey) -> bool {
    matches!(
        key,
        GroupKey::StreamsGroupMetadata(_)
            | GroupKey::StreamsGroupMemberMetadata(_)
            | GroupKey::StreamsGroupTargetAssignmentMetadata(_)
            | GroupKey::StreamsGroupTargetAssignmentMember(_)
            | GroupKey::StreamsGroupCurrentMemberAssignment(_)
            | GroupKey::StreamsGroupTopology(_)
    )
}

/// `None` for a pair that is no streams group's.
pub fn decode(key: GroupKey, value: Option<GroupValue>) -> Option<(GroupId, StreamsRecord)> {
    use {GroupKey as Key, GroupValue as Value};
    let member = |id: &str| MemberId::new(id);
    let (group_id, record) = match (key, value) {
        (Key::StreamsGroupMetadata(key), None) => (key.group_id, StreamsRecord::Metadata(None)),
        (Key::StreamsGroupMetadata(key), Some(Value::StreamsGroupMetadata(value))) => {
            (key.group_id, StreamsRecord::Metadata(Some(stored_epoch(&value))))
        }
        (Key::StreamsGroupMemberMetadata(key), None) => {
            let record = StreamsRecord::MemberMetadata { member: member(&key.member_id), value: None };
            (key.group_id, record)
        }
        (Key::StreamsGroupMemberMetadata(key), Some(Value::StreamsGroupMemberMetadata(value))) => {
            let value = Some(Arc::new(stored_member(&value)));
            (key.group_id, StreamsRecord::MemberMetadata { member: member(&key.member_id), value })
        }
        (Key::StreamsGroupTargetAssignmentMetadata(key), None) => {
            (key.group_id, StreamsRecord::TargetAssignmentMetadata(None))
        }
        (
            Key::StreamsGroupTargetAssignmentMetadata(key),
            Some(Value::StreamsGroupTargetAssignmentMetadata(value)),
        ) => {
            let value = TargetAssignmentEpoch {
                epoch: value.assignment_epoch,
                timestamp_ms: value.assignment_timestamp,
            };
            (key.group_id, StreamsRecord::TargetAssignmentMetadata(Some(value)))
        }
        (Key::StreamsGroupTargetAssignmentMember(key), None) => {
            let member = member(&key.member_id);
            (key.group_id, StreamsRecord::TargetAssignmentMember { member, value: None })
        }
        (
            Key::StreamsGroupTargetAssignmentMember(key),
            Some(Value::StreamsGroupTargetAssignmentMember(value)),
        ) => {
            let value = TasksTuple {
                active: stored_target(&value.active_tasks),
                standby: stored_target(&value.standby_tasks),
                warmup: stored_target(&value.warmup_tasks),
            };
            let member = member(&key.member_id);
            (key.group_id, StreamsRecord::TargetAssignmentMember { member, value: Some(value) })
        }
        (Key::StreamsGroupCurrentMemberAssignment(key), None) => {
            let member = member(&key.member_id);
            (key.group_id, StreamsRecord::CurrentMemberAssignment { member, value: None })
        }
        (
            Key::StreamsGroupCurrentMemberAssignment(key),
            Some(Value::StreamsGroupCurrentMemberAssignment(value)),
        ) => {
            let member = member(&key.member_id);
            let value = Some(stored_current(&value));
            (key.group_id, StreamsRecord::CurrentMemberAssignment { member, value })
        }
        (Key::StreamsGroupTopology(key), None) => (key.group_id, StreamsRecord::Topology(None)),
        (Key::StreamsGroupTopology(key), Some(Value::StreamsGroupTopology(value))) => {
            let subtopologies = value.subtopologies.into_iter();
            let topology = Topology {
                epoch: value.epoch,
                subtopologies: subtopologies.map(|one| (one.subtopology_id.to_string(), one)).collect(),
            };
            (key.group_id, StreamsRecord::Topology(Some(Arc::new(topology))))
        }
        _ => return None,
    };
    Some((GroupId::new(&group_id), record))
}

fn stored_epoch(value: &StreamsGroupMetadataValue) -> StreamsGroupEpoch {
    let configs = value.last_assignment_configs.iter().flatten();
    StreamsGroupEpoch {
        epoch: value.epoch,
        metadata_hash: value.metadata_hash,
        validated_topology_epoch: value.validated_topology_epoch,
        assignment_configs: configs.map(|one| (one.key.to_string(), one.value.to_string())).collect(),
    }
}

fn stored_member(value: &StreamsGroupMemberMetadataValue) -> StreamsMemberMetadata {
    let tags = value.client_tags.iter().map(|tag| (tag.key.to_string(), tag.value.to_string()));
    StreamsMemberMetadata {
        instance_id: value.instance_id.as_deref().map(Arc::from),
        rack_id: value.rack_id.as_deref().map(Arc::from),
        client_id: Arc::from(&*value.client_id),
        client_host: Arc::from(&*value.client_host),
        rebalance_timeout_ms: value.rebalance_timeout_ms,
        topology_epoch: value.topology_epoch,
        process_id: Arc::from(&*value.process_id),
        user_endpoint: value
            .user_endpoint
            .as_ref()
            .map(|endpoint| Endpoint { host: Arc::from(&*endpoint.host), port: endpoint.port }),
        client_tags: tags.collect(),
    }
}

fn stored_target(tasks: &[target_value::TaskIds]) -> Tasks {
    tasks
        .iter()
        .map(|ids| (ids.subtopology_id.to_string(), ids.partitions.iter().copied().collect()))
        .collect()
}

fn stored_current(value: &StreamsGroupCurrentMemberAssignmentValue) -> CurrentTasks {
    let active = |tasks: &[current_value::TaskIds]| -> EpochTasks {
        let epochs_of = |ids: &current_value::TaskIds| {
            // Records of an older Kafka have no epochs: the member's stands for them.
            let epochs = ids.assignment_epochs.as_ref().filter(|epochs| epochs.len() == ids.partitions.len());
            let epoch = |place: usize| epochs.map_or(value.member_epoch, |epochs| epochs[place]);
            ids.partitions.iter().enumerate().map(|(place, partition)| (*partition, epoch(place))).collect()
        };
        tasks.iter().map(|ids| (ids.subtopology_id.to_string(), epochs_of(ids))).collect()
    };
    let others = |tasks: &[current_value::TaskIds]| -> Tasks {
        let partitions = |ids: &current_value::TaskIds| ids.partitions.iter().copied().collect();
        tasks.iter().map(|ids| (ids.subtopology_id.to_string(), partitions(ids))).collect()
    };
    CurrentTasks {
        member_epoch: value.member_epoch,
        previous_member_epoch: value.previous_member_epoch,
        state: value.state,
        assigned: TasksTupleWithEpochs {
            active: active(&value.active_tasks),
            standby: others(&value.standby_tasks),
            warmup: others(&value.warmup_tasks),
        },
        pending_revocation: TasksTupleWithEpochs {
            active: active(&value.active_tasks_pending_revocation),
            standby: others(&value.standby_tasks_pending_revocation),
            warmup: others(&value.warmup_tasks_pending_revocation),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::record::codec::{self, Decoded};

    fn tasks(subtopology: &str, partitions: &[i32]) -> Tasks {
        Tasks::from([(subtopology.to_owned(), partitions.iter().copied().collect())])
    }

    fn records() -> Vec<StreamsRecord> {
        let member = MemberId::new("m");
        let topic = TopicInfo { name: text("s-changelog"), replication_factor: 1, ..Default::default() };
        let subtopology = Subtopology {
            subtopology_id: text("0"),
            source_topics: vec![text("in")],
            state_changelog_topics: vec![topic],
            copartition_groups: vec![CopartitionGroup { source_topics: vec![0], ..Default::default() }],
            ..Default::default()
        };
        let assigned = TasksTupleWithEpochs {
            active: EpochTasks::from([("0".to_owned(), BTreeMap::from([(0, 3), (2, 4)]))]),
            standby: tasks("0", &[1]),
            warmup: Tasks::new(),
        };
        vec![
            StreamsRecord::Topology(Some(Arc::new(Topology {
                epoch: 3,
                subtopologies: BTreeMap::from([("0".to_owned(), subtopology)]),
            }))),
            StreamsRecord::Metadata(Some(StreamsGroupEpoch {
                epoch: 7,
                metadata_hash: 77,
                validated_topology_epoch: 3,
                assignment_configs: BTreeMap::from([("num.standby.replicas".into(), "1".into())]),
            })),
            StreamsRecord::MemberMetadata {
                member: member.clone(),
                value: Some(Arc::new(StreamsMemberMetadata {
                    rack_id: Some(Arc::from("r")),
                    process_id: Arc::from("p"),
                    rebalance_timeout_ms: 1_000,
                    topology_epoch: 3,
                    user_endpoint: Some(Endpoint { host: Arc::from("h"), port: 65_000 }),
                    client_tags: BTreeMap::from([("zone".into(), "a".into())]),
                    ..StreamsMemberMetadata::default()
                })),
            },
            StreamsRecord::TargetAssignmentMetadata(Some(TargetAssignmentEpoch {
                epoch: 7,
                timestamp_ms: 9,
            })),
            StreamsRecord::TargetAssignmentMember {
                member: member.clone(),
                value: Some(TasksTuple { active: tasks("0", &[0, 2]), ..TasksTuple::default() }),
            },
            StreamsRecord::CurrentMemberAssignment {
                member,
                value: Some(CurrentTasks {
                    member_epoch: 7,
                    previous_member_epoch: 6,
                    state: 2,
                    pending_revocation: assigned.clone(),
                    assigned,
                }),
            },
        ]
    }

    fn tombstone_of(record: &StreamsRecord) -> StreamsRecord {
        match record {
            StreamsRecord::Metadata(_) => StreamsRecord::Metadata(None),
            StreamsRecord::MemberMetadata { member, .. } => {
                StreamsRecord::MemberMetadata { member: member.clone(), value: None }
            }
            StreamsRecord::TargetAssignmentMetadata(_) => StreamsRecord::TargetAssignmentMetadata(None),
            StreamsRecord::TargetAssignmentMember { member, .. } => {
                StreamsRecord::TargetAssignmentMember { member: member.clone(), value: None }
            }
            StreamsRecord::CurrentMemberAssignment { member, .. } => {
                StreamsRecord::CurrentMemberAssignment { member: member.clone(), value: None }
            }
            StreamsRecord::Topology(_) => StreamsRecord::Topology(None),
        }
    }

    #[test]
    fn records_and_their_tombstones_are_read_as_they_were_written() {
        let kinds: [u8; 6] = [23, 17, 19, 20, 21, 22];
        for (record, kind) in records().into_iter().zip(kinds) {
            for record in [tombstone_of(&record), record] {
                let record = Record::Streams { group: GroupId::new("g"), record };
                let bytes = codec::encode(&record).unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(&bytes.key[..2], [0, kind], "{record:?}");
                assert!(bytes.value.as_ref().is_none_or(|value| value[..2] == [0, 0]), "{record:?}");
                let decoded = codec::decode(&bytes.key, bytes.value.as_deref());
                assert_eq!(decoded.ok(), Some(Decoded::Record(record)));
            }
        }
    }

    #[test]
    fn a_task_without_an_epoch_has_its_member_s() {
        let value = StreamsGroupCurrentMemberAssignmentValue {
            member_epoch: 5,
            active_tasks: vec![current_value::TaskIds {
                subtopology_id: text("0"),
                partitions: vec![1],
                ..Default::default()
            }],
            ..Default::default()
        };
        let stored = stored_current(&value).assigned.active;
        assert_eq!(stored, EpochTasks::from([("0".to_owned(), BTreeMap::from([(1, 5)]))]));
    }
}
