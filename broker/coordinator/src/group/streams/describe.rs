//! StreamsGroupDescribe and ListGroups: what can be seen of a streams group.
//! Core.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_model::{ErrorCode, MemberId};

use super::topics::{ConfiguredSubtopology, ConfiguredTopology, InternalTopic};
use super::{StreamsGroup, StreamsMember, not_a_streams_group};
use crate::group::Group;
use crate::group::answers::ListedGroup;
use crate::group::modern::GroupError;
use crate::group::shard::GroupShard;
use crate::record::streams::{
    StreamsMemberMetadata, Subtopology, Tasks, TasksTuple, TopicConfig, TopicInfo, Topology,
};
use crate::wire::{StrBytes, text};

/// A streams group as StreamsGroupDescribe shows it.
#[derive(Clone, PartialEq, Debug)]
pub struct StreamsDescription {
    pub state: &'static str,
    pub epoch: i32,
    pub assignment_epoch: i32,
    /// With the partition counts that were decided, where they were; its names are sorted.
    pub topology: Option<Topology>,
    pub members: Vec<StreamsMemberDescription>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct StreamsMemberDescription {
    pub member_id: MemberId,
    pub member_epoch: i32,
    pub metadata: Arc<StreamsMemberMetadata>,
    pub assignment: TasksTuple,
    pub target_assignment: TasksTuple,
}

impl StreamsGroup {
    fn describe(&self) -> StreamsDescription {
        let topology = match self.configured.as_ref().filter(|configured| configured.is_ready()) {
            Some(configured) => Some(configured_topology(configured)),
            None => self.topology.as_deref().map(given_topology),
        };
        let members = self.members().iter().map(|(id, member)| {
            let target = self.modern.target().of(id);
            described_member(id, member, target.map(|of| &**of))
        });
        StreamsDescription {
            state: self.state_name(),
            epoch: self.epoch(),
            assignment_epoch: self.modern.target().epoch(),
            topology,
            members: members.collect(),
        }
    }

    pub(in crate::group) fn list(&self) -> ListedGroup {
        ListedGroup {
            group_id: self.group_id().clone(),
            protocol_type: Arc::from("streams"),
            state: self.state_name(),
            group_type: "streams",
        }
    }
}

fn described_member(
    id: &MemberId,
    member: &StreamsMember,
    target: Option<&TasksTuple>,
) -> StreamsMemberDescription {
    let active: Tasks = member
        .assigned
        .active
        .iter()
        .map(|(id, tasks)| (id.clone(), tasks.keys().copied().collect()))
        .collect();
    StreamsMemberDescription {
        member_id: id.clone(),
        member_epoch: member.member_epoch,
        metadata: Arc::clone(&member.metadata),
        assignment: TasksTuple {
            active,
            standby: member.assigned.standby.clone(),
            warmup: member.assigned.warmup.clone(),
        },
        target_assignment: target.cloned().unwrap_or_default(),
    }
}

/// As the members gave it.
fn given_topology(topology: &Topology) -> Topology {
    let subtopology = |one: &Subtopology| Subtopology {
        source_topics: sorted(one.source_topics.iter().map(|name| &**name)),
        repartition_sink_topics: sorted(one.repartition_sink_topics.iter().map(|name| &**name)),
        state_changelog_topics: by_name(one.state_changelog_topics.iter().cloned()),
        repartition_source_topics: by_name(one.repartition_source_topics.iter().cloned()),
        ..one.clone()
    };
    let subtopologies = topology.subtopologies.iter().map(|(id, one)| (id.clone(), subtopology(one)));
    Topology { epoch: topology.epoch, subtopologies: subtopologies.collect() }
}

/// With the partition counts that were decided.
fn configured_topology(configured: &ConfiguredTopology) -> Topology {
    let subtopology = |(id, one): (&String, &ConfiguredSubtopology)| {
        let described = Subtopology {
            subtopology_id: text(id),
            source_topics: sorted(one.source_topics.iter().map(|name| &**name)),
            repartition_sink_topics: sorted(one.repartition_sink_topics.iter().map(|name| &**name)),
            state_changelog_topics: by_name(one.state_changelog_topics.iter().map(described_internal)),
            repartition_source_topics: by_name(one.repartition_source_topics.iter().map(described_internal)),
            ..Subtopology::default()
        };
        (id.clone(), described)
    };
    let subtopologies: BTreeMap<String, Subtopology> =
        configured.subtopologies.iter().flatten().map(subtopology).collect();
    Topology { epoch: configured.epoch, subtopologies }
}

fn described_internal(topic: &InternalTopic) -> TopicInfo {
    let config = |(key, value): &(String, String)| TopicConfig {
        key: text(key),
        value: text(value),
        ..TopicConfig::default()
    };
    TopicInfo {
        name: text(&topic.name),
        partitions: topic.partition_count,
        replication_factor: topic.replication_factor.unwrap_or(0),
        topic_configs: topic.configs.iter().map(config).collect(),
        ..TopicInfo::default()
    }
}

/// Each name once, as in a set of Kafka's.
fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<StrBytes> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(text).collect()
}

fn by_name(topics: impl Iterator<Item = TopicInfo>) -> Vec<TopicInfo> {
    let mut topics: Vec<TopicInfo> = topics.collect();
    topics.sort_by_cached_key(|topic| topic.name.to_string());
    topics
}

impl GroupShard {
    pub fn describe_streams(&self, group_id: &str) -> Result<StreamsDescription, GroupError> {
        match self.groups.get(group_id) {
            Some(Group::Streams(group)) => Ok(group.describe()),
            Some(_) => Err(not_a_streams_group(group_id)),
            None => {
                let message = format!("Group {group_id} not found.");
                Err(GroupError { code: ErrorCode::GroupIdNotFound, message })
            }
        }
    }
}
