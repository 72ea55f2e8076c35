//! StreamsGroupDescribe and ListGroups: what can be seen of a streams group.
//! Core.

use std::ops::Deref;

use ottla_model::ErrorCode;
use ottla_protocol::messages::streams_group_describe_response as wire;
use ottla_protocol::messages::streams_group_describe_response::DescribedGroup;

use super::topics::{ConfiguredSubtopology, ConfiguredTopology, InternalTopic};
use super::{StreamsGroup, StreamsMember, not_a_streams_group};
use crate::group::Group;
use crate::group::modern::GroupError;
use crate::group::shard::GroupShard;
use crate::record::streams::{Subtopology, Tasks, TasksTuple, TopicInfo, Topology};
use crate::wire::{ListedGroup, StrBytes, text};

impl StreamsGroup {
    fn describe(&self) -> DescribedGroup {
        let topology = match self.configured.as_ref().filter(|configured| configured.is_ready()) {
            Some(configured) => Some(described_configured(configured)),
            None => self.topology.as_deref().map(described_topology),
        };
        let members = self.members().iter().map(|(id, member)| {
            let target = self.modern.target().of(id);
            wire::Member { member_id: text(id.as_str()), ..described_member(member, target.map(|of| &**of)) }
        });
        DescribedGroup {
            group_id: text(self.group_id().as_str()),
            group_state: text(self.state_name()),
            group_epoch: self.epoch(),
            assignment_epoch: self.modern.target().epoch(),
            topology,
            members: members.collect(),
            ..Default::default()
        }
    }

    pub(in crate::group) fn list(&self) -> ListedGroup {
        ListedGroup::default()
            .with_group_id(text(self.group_id().as_str()).into())
            .with_protocol_type(text("streams"))
            .with_group_state(text(self.state_name()))
            .with_group_type(text("streams"))
    }
}

fn described_member(member: &StreamsMember, target: Option<&TasksTuple>) -> wire::Member {
    let metadata = &member.metadata;
    let active: Tasks = member
        .assigned
        .active
        .iter()
        .map(|(id, tasks)| (id.clone(), tasks.keys().copied().collect()))
        .collect();
    let tags = metadata.client_tags.iter().map(|(key, value)| key_value(key, value));
    wire::Member {
        member_epoch: member.member_epoch,
        instance_id: metadata.instance_id.as_deref().map(text),
        rack_id: metadata.rack_id.as_deref().map(text),
        client_id: text(&metadata.client_id),
        client_host: text(&metadata.client_host),
        topology_epoch: metadata.topology_epoch,
        process_id: text(&metadata.process_id),
        user_endpoint: metadata.user_endpoint.as_ref().map(|endpoint| wire::Endpoint {
            host: text(&endpoint.host),
            port: endpoint.port,
            ..Default::default()
        }),
        client_tags: tags.collect(),
        assignment: wire::Assignment {
            active_tasks: task_ids(&active),
            standby_tasks: task_ids(&member.assigned.standby),
            warmup_tasks: task_ids(&member.assigned.warmup),
            ..Default::default()
        },
        target_assignment: target.map_or_else(Default::default, |target| wire::Assignment {
            active_tasks: task_ids(&target.active),
            standby_tasks: task_ids(&target.standby),
            warmup_tasks: task_ids(&target.warmup),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn task_ids(tasks: &Tasks) -> Vec<wire::TaskIds> {
    let ids = tasks.iter().map(|(id, partitions)| wire::TaskIds {
        subtopology_id: text(id),
        partitions: partitions.iter().copied().collect(),
        ..Default::default()
    });
    ids.collect()
}

fn key_value(key: &str, value: &str) -> wire::KeyValue {
    wire::KeyValue { key: text(key), value: text(value), ..Default::default() }
}

/// As the members gave it.
fn described_topology(topology: &Topology) -> wire::Topology {
    let subtopology = |(id, one): (&String, &Subtopology)| wire::Subtopology {
        subtopology_id: text(id),
        source_topics: sorted(&one.source_topics),
        repartition_sink_topics: sorted(&one.repartition_sink_topics),
        state_changelog_topics: by_name(one.state_changelog_topics.iter().map(described_info)),
        repartition_source_topics: by_name(one.repartition_source_topics.iter().map(described_info)),
        ..Default::default()
    };
    wire::Topology {
        epoch: topology.epoch,
        subtopologies: Some(topology.subtopologies.iter().map(subtopology).collect()),
        ..Default::default()
    }
}

/// With the partition counts that were decided.
fn described_configured(configured: &ConfiguredTopology) -> wire::Topology {
    let subtopology = |(id, one): (&String, &ConfiguredSubtopology)| wire::Subtopology {
        subtopology_id: text(id),
        source_topics: sorted(&one.source_topics),
        repartition_sink_topics: sorted(&one.repartition_sink_topics),
        state_changelog_topics: by_name(one.state_changelog_topics.iter().map(described_internal)),
        repartition_source_topics: by_name(one.repartition_source_topics.iter().map(described_internal)),
        ..Default::default()
    };
    wire::Topology {
        epoch: configured.epoch,
        subtopologies: Some(configured.subtopologies.iter().flatten().map(subtopology).collect()),
        ..Default::default()
    }
}

fn described_info(topic: &TopicInfo) -> wire::TopicInfo {
    wire::TopicInfo {
        name: text(&topic.name),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        topic_configs: topic.topic_configs.iter().map(|one| key_value(&one.key, &one.value)).collect(),
        ..Default::default()
    }
}

fn described_internal(topic: &InternalTopic) -> wire::TopicInfo {
    wire::TopicInfo {
        name: text(&topic.name),
        partitions: topic.partition_count,
        replication_factor: topic.replication_factor.unwrap_or(0),
        topic_configs: topic.configs.iter().map(|(key, value)| key_value(key, value)).collect(),
        ..Default::default()
    }
}

/// Each name once, as in a set of Kafka's.
fn sorted<T: Deref<Target = str>>(names: &[T]) -> Vec<StrBytes> {
    let mut names: Vec<&str> = names.iter().map(|name| &**name).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(text).collect()
}

fn by_name(topics: impl Iterator<Item = wire::TopicInfo>) -> Vec<wire::TopicInfo> {
    let mut topics: Vec<wire::TopicInfo> = topics.collect();
    topics.sort_by_cached_key(|topic| topic.name.to_string());
    topics
}

impl GroupShard {
    pub fn describe_streams(&self, group_id: &str) -> Result<DescribedGroup, GroupError> {
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
