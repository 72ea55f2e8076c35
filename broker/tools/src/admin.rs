//! The questions that several commands ask a cluster.
//! Shell over the client; what is asked and what came back are values.

use std::collections::BTreeMap;

use ottla_protocol::messages::delete_topics_request::DeleteTopicState;
use ottla_protocol::messages::describe_configs_request::DescribeConfigsResource;
use ottla_protocol::messages::describe_configs_response::DescribeConfigsResult;
use ottla_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use ottla_protocol::messages::describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic;
use ottla_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use ottla_protocol::messages::list_partition_reassignments_response::OngoingPartitionReassignment;
use ottla_protocol::messages::{
    DeleteTopicsRequest, DescribeConfigsRequest, DescribeTopicPartitionsRequest,
    IncrementalAlterConfigsRequest, ListPartitionReassignmentsRequest, StrBytes, TopicName,
};
use regex::Regex;

use crate::client::Client;
use crate::error::Exception;
use crate::terminal::Terminal;

/// Kafka's types of config resources.
pub const TOPIC: i8 = 2;
pub const BROKER: i8 = 4;
pub const BROKER_LOGGER: i8 = 8;
pub const CLIENT_METRICS: i8 = 16;
pub const GROUP: i8 = 32;

/// Kafka's sources of config values.
pub const TOPIC_SOURCE: i8 = 1;
pub const BROKER_SOURCE: i8 = 2;
pub const DEFAULT_BROKER_SOURCE: i8 = 3;
pub const STATIC_SOURCE: i8 = 4;
pub const DEFAULT_SOURCE: i8 = 5;
pub const LOGGER_SOURCE: i8 = 6;
pub const CLIENT_METRICS_SOURCE: i8 = 7;
pub const GROUP_SOURCE: i8 = 8;

const PARTITIONS_PER_RESPONSE: i32 = 2000;

pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// Every topic's name with whether it is internal, sorted.
pub fn list_topics(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
) -> Result<BTreeMap<String, bool>, Exception> {
    let response = client.metadata(terminal, "listTopics", None)?;
    let named = response.topics.iter().filter_map(|topic| Some((topic.name.as_ref()?, topic.is_internal)));
    Ok(named.map(|(name, internal)| (name.to_string(), internal)).collect())
}

/// Topics with their partitions; an unknown one is an exception.
pub fn describe_topics(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    names: &[String],
) -> Result<Vec<DescribeTopicPartitionsResponseTopic>, Exception> {
    let mut topics: Vec<DescribeTopicPartitionsResponseTopic> = Vec::new();
    let mut cursor: Option<Cursor> = None;
    if names.is_empty() {
        return Ok(topics);
    }
    loop {
        let asked = names.iter().map(|name| TopicRequest::default().with_name(topic_name(name))).collect();
        let request = DescribeTopicPartitionsRequest::default()
            .with_topics(asked)
            .with_response_partition_limit(PARTITIONS_PER_RESPONSE)
            .with_cursor(cursor.take());
        let response = client.any(terminal, "describeTopicPartitions", &request)?;
        for mut topic in response.topics {
            Exception::check(topic.error_code, None)?;
            // A topic that a response cuts goes on in the next one.
            match topics.last_mut().filter(|last| last.name == topic.name) {
                Some(last) => last.partitions.append(&mut topic.partitions),
                None => topics.push(topic),
            }
        }
        let Some(next) = response.next_cursor else { return Ok(topics) };
        cursor = Some(
            Cursor::default().with_topic_name(next.topic_name).with_partition_index(next.partition_index),
        );
    }
}

/// Deletes topics; the first that is refused is an exception.
pub fn delete_topics(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    names: &[String],
) -> Result<(), Exception> {
    let topics = names.iter().map(|name| DeleteTopicState::default().with_name(Some(topic_name(name))));
    let request = DeleteTopicsRequest::default().with_topics(topics.collect()).with_timeout_ms(30_000);
    let response = client.any(terminal, "deleteTopics", &request)?;
    for result in &response.responses {
        Exception::check(result.error_code, result.error_message.as_deref())?;
    }
    Ok(())
}

fn is_of_a_broker(kind: i8) -> bool {
    matches!(kind, BROKER | BROKER_LOGGER)
}

/// The configs of resources of one type.
pub fn describe_configs(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    kind: i8,
    names: &[String],
    with_synonyms: bool,
) -> Result<Vec<DescribeConfigsResult>, Exception> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let resource = |name: &String| {
        DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configuration_keys(None)
    };
    let request = DescribeConfigsRequest::default()
        .with_resources(names.iter().map(resource).collect())
        .with_include_synonyms(with_synonyms);
    // Only the broker itself knows its whole configuration, and its loggers.
    let node = names[0].parse().ok().filter(|_| is_of_a_broker(kind));
    let response = match node {
        Some(node) => client.node(terminal, "describeConfigs", node, &request)?,
        None => client.any(terminal, "describeConfigs", &request)?,
    };
    for result in &response.results {
        Exception::check(result.error_code, result.error_message.as_deref())?;
    }
    Ok(response.results)
}

/// Kafka's operations on a config.
const SET: i8 = 0;
const DELETE: i8 = 1;

/// Sets and deletes configs of one resource.
pub fn alter_configs(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    kind: i8,
    name: &str,
    added: &[(String, String)],
    deleted: &[String],
) -> Result<(), Exception> {
    let config = |key: &str, operation: i8, value: Option<&String>| {
        AlterableConfig::default()
            .with_name(text(key))
            .with_config_operation(operation)
            .with_value(value.map(|value| text(value)))
    };
    let added = added.iter().map(|(key, value)| config(key, SET, Some(value)));
    let configs = added.chain(deleted.iter().map(|key| config(key, DELETE, None))).collect();
    let altered = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(configs);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![altered]);
    let response = match name.parse().ok().filter(|_| is_of_a_broker(kind)) {
        Some(broker) => client.node(terminal, "incrementalAlterConfigs", broker, &request)?,
        None => client.any(terminal, "incrementalAlterConfigs", &request)?,
    };
    for result in &response.responses {
        Exception::check(result.error_code, result.error_message.as_deref())?;
    }
    Ok(())
}

/// The partitions whose replicas are on the move.
pub fn reassignments(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
) -> Result<BTreeMap<(String, i32), OngoingPartitionReassignment>, Exception> {
    let request = ListPartitionReassignmentsRequest::default().with_timeout_ms(30_000).with_topics(None);
    let response = client.any(terminal, "listPartitionReassignments", &request)?;
    Exception::check(response.error_code, response.error_message.as_deref())?;
    let mut moving = BTreeMap::new();
    for topic in response.topics {
        for partition in topic.partitions {
            moving.insert((topic.name.to_string(), partition.partition_index), partition);
        }
    }
    Ok(moving)
}

/// What `--topic` may say: a name, names between commas, or a regular expression of whole names
/// (`IncludeList` of `TopicFilter`).
pub fn topic_filter(text: &str) -> Result<Regex, Exception> {
    let cleaned: String = text.trim().replace(',', "|").chars().filter(|c| !c.is_whitespace()).collect();
    let cleaned = cleaned.trim_matches(['"', '\'']);
    Regex::new(&format!("^(?:{cleaned})$"))
        .map_err(|_| Exception::new("java.lang.RuntimeException", format!("{cleaned} is an invalid regex.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_means_whole_names() {
        let filter = topic_filter(" 'a.*, b' ").expect("a filter");
        for (name, is_meant) in [("a", true), ("abc", true), ("b", true), ("bc", false), ("xa", false)] {
            assert_eq!(filter.is_match(name), is_meant, "{name}");
        }
        assert!(topic_filter("(").is_err());
    }
}
