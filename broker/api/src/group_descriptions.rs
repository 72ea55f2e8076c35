//! Groups of the newer protocols as their describe APIs answer them.
//! Core.

use ottla_coordinator::group::answers::DescribedPartitions;
use ottla_coordinator::group::consumer::{ConsumerDescription, ConsumerMemberDescription};
use ottla_coordinator::group::modern::GroupError;
use ottla_coordinator::group::share::{ShareDescription, ShareMemberDescription};
use ottla_coordinator::group::streams::{StreamsDescription, StreamsMemberDescription};
use ottla_coordinator::record::streams::{Subtopology, Tasks, TasksTuple, TopicInfo, Topology};
use ottla_model::{ErrorCode, TopicId, TopicName};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::{
    consumer_group_describe_response as consumer_wire, share_group_describe_response as share_wire,
    streams_group_describe_response as streams_wire,
};

use crate::group_describe::Described;
use crate::handlers::prelude::text;

pub fn consumer(
    group_id: StrBytes,
    group: Result<ConsumerDescription, GroupError>,
) -> consumer_wire::DescribedGroup {
    let group = match group {
        Ok(group) => group,
        Err(error) => {
            // Only of what is not there is it said why.
            let message = (error.code == ErrorCode::GroupIdNotFound).then(|| text(&error.message));
            return Described::refused(group_id, error.code, message);
        }
    };
    consumer_wire::DescribedGroup::default()
        .with_group_id(group_id.into())
        .with_group_state(text(group.state))
        .with_group_epoch(group.epoch)
        .with_assignment_epoch(group.assignment_epoch)
        .with_assignor_name(text(group.assignor))
        .with_members(group.members.into_iter().map(consumer_member).collect())
}

fn consumer_member(member: ConsumerMemberDescription) -> consumer_wire::Member {
    let assignment = |partitions: DescribedPartitions| {
        let topic = |(id, name, partitions): (TopicId, TopicName, Vec<i32>)| {
            consumer_wire::TopicPartitions::default()
                .with_topic_id(id.0)
                .with_topic_name(text(name.as_str()).into())
                .with_partitions(partitions)
        };
        consumer_wire::Assignment::default()
            .with_topic_partitions(partitions.into_iter().map(topic).collect())
    };
    let (metadata, names) = (member.metadata, member.subscribed_topics);
    consumer_wire::Member::default()
        .with_member_id(text(member.member_id.as_str()))
        .with_instance_id(metadata.instance_id.as_deref().map(text))
        .with_rack_id(metadata.rack_id.as_deref().map(text))
        .with_member_epoch(member.member_epoch)
        .with_client_id(text(&metadata.client_id))
        .with_client_host(text(&metadata.client_host))
        .with_subscribed_topic_names(names.iter().map(|name| text(name.as_str()).into()).collect())
        .with_subscribed_topic_regex(Some(text(&metadata.pattern)))
        .with_assignment(assignment(member.assignment))
        .with_target_assignment(assignment(member.target_assignment))
        .with_member_type(if member.is_classic { 0 } else { 1 })
}

pub fn share(group_id: StrBytes, group: Result<ShareDescription, GroupError>) -> share_wire::DescribedGroup {
    let group = match group {
        Ok(group) => group,
        Err(error) => return Described::refused(group_id, error.code, Some(text(&error.message))),
    };
    share_wire::DescribedGroup::default()
        .with_group_id(group_id.into())
        .with_group_state(text(group.state))
        .with_group_epoch(group.epoch)
        .with_assignment_epoch(group.assignment_epoch)
        .with_assignor_name(text(group.assignor))
        .with_members(group.members.into_iter().map(share_member).collect())
}

fn share_member(member: ShareMemberDescription) -> share_wire::Member {
    let topic = |(id, name, partitions): (TopicId, TopicName, Vec<i32>)| {
        share_wire::TopicPartitions::default()
            .with_topic_id(id.0)
            .with_topic_name(text(name.as_str()).into())
            .with_partitions(partitions)
    };
    let topics = member.assignment.into_iter().map(topic).collect();
    let metadata = member.metadata;
    let names = metadata.subscribed_topics.iter().map(|name| text(name.as_str()).into());
    share_wire::Member::default()
        .with_member_id(text(member.member_id.as_str()))
        .with_rack_id(metadata.rack_id.as_deref().map(text))
        .with_member_epoch(member.member_epoch)
        .with_client_id(text(&metadata.client_id))
        .with_client_host(text(&metadata.client_host))
        .with_subscribed_topic_names(names.collect())
        .with_assignment(share_wire::Assignment::default().with_topic_partitions(topics))
}

pub fn streams(
    group_id: StrBytes,
    group: Result<StreamsDescription, GroupError>,
) -> streams_wire::DescribedGroup {
    let group = match group {
        Ok(group) => group,
        Err(error) => return Described::refused(group_id, error.code, Some(text(&error.message))),
    };
    streams_wire::DescribedGroup {
        group_id,
        group_state: text(group.state),
        group_epoch: group.epoch,
        assignment_epoch: group.assignment_epoch,
        topology: group.topology.map(topology),
        members: group.members.into_iter().map(streams_member).collect(),
        ..Default::default()
    }
}

fn streams_member(member: StreamsMemberDescription) -> streams_wire::Member {
    let metadata = member.metadata;
    let endpoint = metadata.user_endpoint.as_ref().map(|endpoint| streams_wire::Endpoint {
        host: text(&endpoint.host),
        port: endpoint.port,
        ..Default::default()
    });
    streams_wire::Member {
        member_id: text(member.member_id.as_str()),
        member_epoch: member.member_epoch,
        instance_id: metadata.instance_id.as_deref().map(text),
        rack_id: metadata.rack_id.as_deref().map(text),
        client_id: text(&metadata.client_id),
        client_host: text(&metadata.client_host),
        topology_epoch: metadata.topology_epoch,
        process_id: text(&metadata.process_id),
        user_endpoint: endpoint,
        client_tags: metadata
            .client_tags
            .iter()
            .map(|(key, value)| key_value(text(key), text(value)))
            .collect(),
        assignment: tasks(&member.assignment),
        target_assignment: tasks(&member.target_assignment),
        ..Default::default()
    }
}

fn tasks(tasks: &TasksTuple) -> streams_wire::Assignment {
    let ids = |tasks: &Tasks| {
        let ids = tasks.iter().map(|(id, partitions)| streams_wire::TaskIds {
            subtopology_id: text(id),
            partitions: partitions.iter().copied().collect(),
            ..Default::default()
        });
        ids.collect()
    };
    streams_wire::Assignment {
        active_tasks: ids(&tasks.active),
        standby_tasks: ids(&tasks.standby),
        warmup_tasks: ids(&tasks.warmup),
        ..Default::default()
    }
}

fn topology(topology: Topology) -> streams_wire::Topology {
    let infos = |topics: Vec<TopicInfo>| topics.into_iter().map(topic_info).collect();
    let subtopology = |(id, one): (String, Subtopology)| streams_wire::Subtopology {
        subtopology_id: text(&id),
        source_topics: one.source_topics,
        repartition_sink_topics: one.repartition_sink_topics,
        state_changelog_topics: infos(one.state_changelog_topics),
        repartition_source_topics: infos(one.repartition_source_topics),
        ..Default::default()
    };
    streams_wire::Topology {
        epoch: topology.epoch,
        subtopologies: Some(topology.subtopologies.into_iter().map(subtopology).collect()),
        ..Default::default()
    }
}

fn topic_info(topic: TopicInfo) -> streams_wire::TopicInfo {
    streams_wire::TopicInfo {
        name: topic.name,
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        topic_configs: topic.topic_configs.into_iter().map(|one| key_value(one.key, one.value)).collect(),
        ..Default::default()
    }
}

fn key_value(key: StrBytes, value: StrBytes) -> streams_wire::KeyValue {
    streams_wire::KeyValue { key, value, ..Default::default() }
}
