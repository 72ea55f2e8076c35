//! Which member can be asked about which partitions (interactive queries).
//! Core. After Kafka's `EndpointToPartitionsManager`.

use std::collections::BTreeSet;

use super::topics::ConfiguredTopology;
use super::{StreamsGroup, StreamsMember};
use crate::record::streams::Endpoint;
use crate::topic_lookup::TopicLookup;

/// A topic and partitions of it.
pub type TopicPartitions = (String, Vec<i32>);

#[derive(Clone, PartialEq, Debug)]
pub struct EndpointPartitions {
    pub endpoint: Endpoint,
    pub active: Vec<TopicPartitions>,
    pub standby: Vec<TopicPartitions>,
}

impl StreamsGroup {
    /// Of all members with an endpoint, one of them as it will be.
    pub(super) fn partitions_by_endpoint(
        &self,
        member_id: &str,
        member: &StreamsMember,
        configured: &ConfiguredTopology,
        topics: &dyn TopicLookup,
    ) -> Vec<EndpointPartitions> {
        let others = self.members().iter().filter(|(id, _)| id.as_str() != member_id).map(|(_, other)| other);
        let partitions = |member: &StreamsMember| {
            let endpoint = member.metadata.user_endpoint.clone()?;
            let tasks = &member.assigned;
            let active = tasks.active.iter().map(|(id, tasks)| (id, tasks.keys().copied().collect()));
            let standby = tasks.standby.iter().map(|(id, tasks)| (id, tasks.clone()));
            Some(EndpointPartitions {
                endpoint,
                active: active.flat_map(|(id, tasks)| of_tasks(id, &tasks, configured, topics)).collect(),
                standby: standby.flat_map(|(id, tasks)| of_tasks(id, &tasks, configured, topics)).collect(),
            })
        };
        others.chain([member]).filter_map(partitions).collect()
    }
}

fn of_tasks(
    subtopology: &str,
    tasks: &BTreeSet<i32>,
    configured: &ConfiguredTopology,
    topics: &dyn TopicLookup,
) -> Vec<TopicPartitions> {
    let known = configured.subtopologies.as_ref().and_then(|subtopologies| subtopologies.get(subtopology));
    let Some(subtopology) = known else { return Vec::new() };
    let repartition = subtopology.repartition_source_topics.iter().map(|topic| topic.name.as_str());
    let read: BTreeSet<&str> =
        subtopology.source_topics.iter().map(String::as_str).chain(repartition).collect();
    read.into_iter()
        .filter_map(|name| {
            let count = topics.partition_count(topics.topic_id(name)?)?.max(0) as usize;
            // A topic with fewer partitions than there are tasks belongs to the first of them.
            let partitions =
                tasks.iter().copied().take(if count < tasks.len() { count } else { tasks.len() });
            Some((name.to_owned(), partitions.collect()))
        })
        .collect()
}
