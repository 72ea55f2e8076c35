//! The topology that a member of a streams group gives: its topics' names, and the value that is stored.
//! Core.

use std::collections::{BTreeMap, BTreeSet};

use ottla_coordinator::group::modern::GroupError;
use ottla_coordinator::record::streams::{CopartitionGroup, Subtopology, TopicConfig, TopicInfo, Topology};
use ottla_model::limits::STREAMS_SUBTOPOLOGIES_MAX;
use ottla_model::{ErrorCode, TopicName};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::streams_group_heartbeat_request as asked;
use ottla_security::AclOperation;

use crate::access::Access;
use crate::handlers::prelude::text;

/// Names that topics can have, topics that are not the broker's own, and that the client may know of.
pub fn check_topics(access: &Access, topology: &asked::Topology) -> Result<(), GroupError> {
    let refused = |message: String| Err(GroupError { code: ErrorCode::StreamsInvalidTopology, message });
    let names = names_of(topology);
    let of = |is_wrong: &dyn Fn(&TopicName) -> bool| -> Vec<&str> {
        names.iter().copied().filter(|name| is_wrong(&TopicName::new(name))).collect()
    };
    let prohibited = of(&|name| name.is_internal());
    if !prohibited.is_empty() {
        let list = prohibited.join(",");
        return refused(format!(
            "Use of Kafka internal topics {list} in a Kafka Streams topology is prohibited."
        ));
    }
    let unnamed = of(&|name| name.validate().is_err());
    if !unnamed.is_empty() {
        return refused(format!("Topic names {} are not valid topic names.", unnamed.join(",")));
    }
    if access.is_limited() && !names.iter().all(|name| access.topic(AclOperation::Describe, name)) {
        return Err(GroupError { code: ErrorCode::TopicAuthorizationFailed, message: String::new() });
    }
    let ids: BTreeSet<&str> = topology.subtopologies.iter().map(|one| &*one.subtopology_id).collect();
    let count = topology.subtopologies.len();
    if ids.len() < count {
        return refused("A subtopology is in the topology twice.".to_owned());
    }
    if count > STREAMS_SUBTOPOLOGIES_MAX {
        return refused(format!("A topology has at most {STREAMS_SUBTOPOLOGIES_MAX} subtopologies."));
    }
    match topology.epoch < 0 {
        true => refused("Topology epoch must be non-negative.".to_owned()),
        false => Ok(()),
    }
}

/// Of all topics that the topology reads and writes.
fn names_of(topology: &asked::Topology) -> BTreeSet<&str> {
    let names = topology.subtopologies.iter().flat_map(|one| {
        let internal = one.repartition_source_topics.iter().chain(&one.state_changelog_topics);
        let named = one.source_topics.iter().chain(&one.repartition_sink_topics);
        named.chain(internal.map(|topic| &topic.name)).map(|name| &**name)
    });
    names.collect()
}

/// The values are copied: they stay long after the frame is gone.
pub fn stored_topology(topology: &asked::Topology) -> Topology {
    let subtopologies = topology.subtopologies.iter().map(|one| {
        let subtopology = Subtopology {
            subtopology_id: text(&one.subtopology_id),
            source_topics: texts(&one.source_topics),
            source_topic_regex: texts(&one.source_topic_regex),
            state_changelog_topics: one.state_changelog_topics.iter().map(stored_topic).collect(),
            repartition_sink_topics: texts(&one.repartition_sink_topics),
            repartition_source_topics: one.repartition_source_topics.iter().map(stored_topic).collect(),
            copartition_groups: one
                .copartition_groups
                .iter()
                .map(|group| CopartitionGroup {
                    source_topics: group.source_topics.clone(),
                    source_topic_regex: group.source_topic_regex.clone(),
                    repartition_source_topics: group.repartition_source_topics.clone(),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        };
        (one.subtopology_id.to_string(), subtopology)
    });
    let subtopologies: BTreeMap<String, Subtopology> = subtopologies.collect();
    Topology { epoch: topology.epoch, subtopologies }
}

fn texts(list: &[StrBytes]) -> Vec<StrBytes> {
    list.iter().map(|one| text(one)).collect()
}

fn stored_topic(topic: &asked::TopicInfo) -> TopicInfo {
    let configs = topic.topic_configs.iter().map(|config| TopicConfig {
        key: text(&config.key),
        value: text(&config.value),
        ..Default::default()
    });
    TopicInfo {
        name: text(&topic.name),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        topic_configs: configs.collect(),
        ..Default::default()
    }
}
