//! IncrementalAlterConfigs and AlterConfigs for topics, brokers, groups and client metrics.
//! Core. Loggers are not cluster facts: the caller handles BROKER_LOGGER before.

use std::collections::{BTreeMap, HashMap, HashSet};

use ottla_config::OpType;
use ottla_model::{BrokerId, ErrorCode};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, alter_configs_request, alter_configs_response,
    incremental_alter_configs_request, incremental_alter_configs_response,
};
use ottla_protocol::records::metadata::{ClearElrRecord, ConfigRecord, MetadataRecord};

use crate::controller::features::{CORDONED_LOG_DIRS, METADATA_VERSION};
use crate::controller::partition_change::has_eligible_replicas;
use crate::controller::{ApiError, Decision, Rules, duplicates, wire_error};
use crate::image::{ConfigResource, Image, ResourceType};

/// Longest value of a setting: Kafka keeps it in 15 bits.
const VALUE_CHARS_MAX: usize = i16::MAX as usize;
const MIN_ISR: &str = "min.insync.replicas";
const CORDONED: &str = "cordoned.log.dirs";

/// Whom a client asked for a change of settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Through {
    /// A broker, which has looked at changes of its own settings.
    Broker,
    /// The controller itself, which doesn't know the brokers' configurations (KIP-919).
    Controller,
}

/// One setting as requested.
struct Change<'a> {
    name: &'a str,
    operation: i8,
    value: Option<&'a str>,
}

/// Changes the named settings and leaves the others.
pub fn decide_incremental_alter_configs(
    image: &Image,
    rules: &Rules,
    through: Through,
    request: &IncrementalAlterConfigsRequest,
) -> Decision<IncrementalAlterConfigsResponse> {
    let decide = |resource: &incremental_alter_configs_request::AlterConfigsResource| {
        let changes: Vec<Change<'_>> = resource
            .configs
            .iter()
            .map(|config| Change {
                name: config.name.as_str(),
                operation: config.config_operation,
                value: config.value.as_deref(),
            })
            .collect();
        let (kind, name) = (resource.resource_type, &resource.resource_name);
        alter_incrementally(image, rules, through, kind, name, &changes)
    };
    let twice = repeated(request.resources.iter().map(|r| (r.resource_type, r.resource_name.as_str())));
    let mut records = Vec::new();
    let mut response = IncrementalAlterConfigsResponse::default();
    for resource in &request.resources {
        let is_twice = twice[&(resource.resource_type, resource.resource_name.as_str())] > 1;
        let result = if is_twice { Err(appears_twice()) } else { decide(resource) };
        let (code, text) = wire_error(&result.map(|made| records.extend(made)));
        response.responses.push(
            incremental_alter_configs_response::AlterConfigsResourceResponse::default()
                .with_error_code(code)
                .with_error_message(text)
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone()),
        );
    }
    Decision { records: finish(image, records, request.validate_only), response }
}

/// Replaces all settings of the resources: what is not named is removed.
pub fn decide_alter_configs(
    image: &Image,
    rules: &Rules,
    through: Through,
    request: &AlterConfigsRequest,
) -> Decision<AlterConfigsResponse> {
    let twice = repeated(request.resources.iter().map(|r| (r.resource_type, r.resource_name.as_str())));
    let mut records = Vec::new();
    let mut response = AlterConfigsResponse::default();
    for resource in &request.resources {
        let is_twice = twice[&(resource.resource_type, resource.resource_name.as_str())] > 1;
        let result = if is_twice { Err(appears_twice()) } else { replace(image, rules, through, resource) };
        let (code, text) = wire_error(&result.map(|made| records.extend(made)));
        response.responses.push(
            alter_configs_response::AlterConfigsResourceResponse::default()
                .with_error_code(code)
                .with_error_message(text)
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone()),
        );
    }
    Decision { records: finish(image, records, request.validate_only), response }
}

fn repeated<'a>(resources: impl Iterator<Item = (i8, &'a str)>) -> HashMap<(i8, &'a str), usize> {
    let mut counts = HashMap::new();
    for resource in resources {
        *counts.entry(resource).or_insert(0) += 1;
    }
    counts
}

fn appears_twice() -> ApiError {
    invalid_request("Each resource must appear at most once.")
}

fn invalid_request(text: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, text)
}

fn invalid_config(text: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::InvalidConfig, text)
}

fn alter_incrementally(
    image: &Image,
    rules: &Rules,
    through: Through,
    type_code: i8,
    name: &str,
    changes: &[Change<'_>],
) -> Result<Vec<MetadataRecord>, ApiError> {
    let is_null = |change: &&Change<'_>| change.operation != 1 && change.value.is_none();
    check_keys(
        changes.iter().map(|change| change.name),
        changes.iter().filter(is_null).map(|change| change.name),
    )?;
    let resource = check_resource(rules, type_code, name)?;
    let existing = image.overrides(&resource);
    let mut altered = Vec::new();
    for change in changes {
        let current = existing.get(change.name);
        let operation = OpType::from_code(change.operation)
            .ok_or_else(|| invalid_request(format!("Unknown operations type {}", change.operation)))?;
        let before = current.map(String::as_str);
        let next = rules.apply(resource.resource_type, change.name, before, operation, change.value)?;
        if current != next.as_ref() || resource.resource_type == ResourceType::Broker {
            altered.push((change.name.to_owned(), next));
        }
    }
    commit_checked(image, rules, through, &resource, altered)
}

fn replace(
    image: &Image,
    rules: &Rules,
    through: Through,
    asked: &alter_configs_request::AlterConfigsResource,
) -> Result<Vec<MetadataRecord>, ApiError> {
    let nulls = asked.configs.iter().filter(|config| config.value.is_none());
    check_keys(
        asked.configs.iter().map(|config| config.name.as_str()),
        nulls.map(|config| config.name.as_str()),
    )?;
    let resource = check_resource(rules, asked.resource_type, &asked.resource_name)?;
    let existing = image.overrides(&resource);
    let mut altered = Vec::new();
    for config in &asked.configs {
        let value = config.value.as_ref().map(|value| value.as_str().to_owned());
        if existing.get(config.name.as_str()) != value.as_ref()
            || resource.resource_type == ResourceType::Broker
        {
            altered.push((config.name.as_str().to_owned(), value));
        }
    }
    let named: HashSet<&str> = asked.configs.iter().map(|config| config.name.as_str()).collect();
    let unnamed = existing.keys().filter(|name| !named.contains(name.as_str()));
    altered.extend(unnamed.map(|name| (name.clone(), None)));
    commit_checked(image, rules, through, &resource, altered)
}

fn check_keys<'a>(
    names: impl Iterator<Item = &'a str>,
    nulls: impl Iterator<Item = &'a str>,
) -> Result<(), ApiError> {
    if !duplicates(names).is_empty() {
        return Err(invalid_request("Error due to duplicate config keys"));
    }
    let nulls: Vec<&str> = nulls.collect();
    if nulls.is_empty() {
        return Ok(());
    }
    Err(invalid_request(format!("Null value not supported for : {}", nulls.join(", "))))
}

/// The resource, if it is one this broker may change.
fn check_resource(rules: &Rules, type_code: i8, name: &str) -> Result<ConfigResource, ApiError> {
    let unknown = || invalid_request(format!("Unknown resource type {type_code}"));
    let resource_type = ResourceType::from_code(type_code).ok_or_else(unknown)?;
    match resource_type {
        ResourceType::BrokerLogger => return Err(unknown()),
        ResourceType::Broker if !name.is_empty() => match name.parse::<i32>() {
            Err(_) => {
                return Err(invalid_request(format!("Node id must be an integer, but it is: {name}")));
            }
            // In a cluster the request was forwarded, perhaps for another broker.
            Ok(id) if BrokerId(id) != rules.node_id && rules.is_alone() => {
                return Err(invalid_request(format!(
                    "Unexpected broker id, expected {}, but received {name}",
                    rules.node_id
                )));
            }
            Ok(_) => {}
        },
        ResourceType::Topic if name.is_empty() => {
            return Err(invalid_request("Default topic resources are not allowed."));
        }
        ResourceType::Group if name.is_empty() => {
            return Err(invalid_request("Default group resources are not allowed."));
        }
        ResourceType::Topic | ResourceType::Broker | ResourceType::Group | ResourceType::ClientMetrics => {}
    }
    Ok(ConfigResource::new(resource_type, name))
}

/// The records of a resource's changes, once the settings as they would become are valid.
fn commit_checked(
    image: &Image,
    rules: &Rules,
    through: Through,
    resource: &ConfigResource,
    altered: Vec<(String, Option<String>)>,
) -> Result<Vec<MetadataRecord>, ApiError> {
    let existing = image.overrides(resource);
    let mut settings: BTreeMap<String, String> = (*existing).clone();
    for (name, value) in &altered {
        check_min_isr(image, resource, name, value.as_ref())?;
        if resource.resource_type == ResourceType::Broker && name == CORDONED {
            check_cordoned(image, through, existing.get(CORDONED), value.as_ref())?;
        }
        match value {
            None => settings.remove(name),
            Some(value) if value.encode_utf16().count() > VALUE_CHARS_MAX => {
                return Err(invalid_config(
                    "The configuration value cannot be added because it exceeds the maximum value size of \
                     32767 bytes.",
                ));
            }
            Some(value) => settings.insert(name.clone(), value.clone()),
        };
    }
    if resource.resource_type == ResourceType::Topic {
        ottla_model::TopicName::new(&resource.name)
            .validate()
            .map_err(|error| ApiError::new(ErrorCode::InvalidTopicException, error.to_string()))?;
    }
    rules.validate(resource, &settings, &existing)?;
    if resource.resource_type == ResourceType::Topic && image.topic(&resource.name).is_none() {
        let text = format!("The topic '{}' does not exist.", resource.name);
        return Err(ApiError::new(ErrorCode::UnknownTopicOrPartition, text));
    }
    let record = |(name, value): (String, Option<String>)| {
        let record = ConfigRecord {
            resource_type: resource.resource_type.code(),
            resource_name: StrBytes::from_string(resource.name.clone()),
            name: StrBytes::from_string(name),
            value: value.map(StrBytes::from_string),
            ..ConfigRecord::default()
        };
        record.into()
    };
    Ok(altered.into_iter().map(record).collect())
}

/// With eligible leader replicas the minimum is the cluster's, and must be there.
fn check_min_isr(
    image: &Image,
    resource: &ConfigResource,
    name: &str,
    value: Option<&String>,
) -> Result<(), ApiError> {
    if resource.resource_type != ResourceType::Broker || name != MIN_ISR || !has_eligible_replicas(image) {
        return Ok(());
    }
    if !resource.name.is_empty() {
        return Err(invalid_config(
            "Broker-level min.insync.replicas cannot be altered while ELR is enabled.",
        ));
    }
    match value {
        Some(_) => Ok(()),
        None => {
            Err(invalid_config("Cluster-level min.insync.replicas cannot be removed while ELR is enabled."))
        }
    }
}

/// Cordoned directories have a metadata.version (KIP-1066), and a controller that is asked by itself cannot look whether
/// a broker has those that are new (`ConfigurationControlManager.isCordonedLogDirsInvalid`).
fn check_cordoned(
    image: &Image,
    through: Through,
    before: Option<&String>,
    value: Option<&String>,
) -> Result<(), ApiError> {
    if image.feature_level(METADATA_VERSION) < CORDONED_LOG_DIRS {
        return Err(invalid_config(
            "The cordoned.log.dirs configuration value cannot be set because it requires metadata.version >= \
             4.3-IV0",
        ));
    }
    let entries = |text: &String| text.trim().split(',').map(|entry| entry.trim().to_owned()).collect();
    let (Through::Controller, Some(value)) = (through, value.filter(|value| !value.trim().is_empty())) else {
        return Ok(());
    };
    let (before, after): (HashSet<String>, HashSet<String>) =
        (before.map(entries).unwrap_or_default(), entries(value));
    if after.is_subset(&before) {
        return Ok(());
    }
    Err(invalid_config(
        "When updating cordoned.log.dirs via controllers,  the new value must be a subset of the current \
         configuration value.",
    ))
}

/// A new minimum makes what was known of eligible leaders void.
fn finish(image: &Image, mut records: Vec<MetadataRecord>, validate_only: bool) -> Vec<MetadataRecord> {
    if validate_only {
        return Vec::new();
    }
    if !has_eligible_replicas(image) {
        return records;
    }
    let clear = |record: &MetadataRecord| match record {
        MetadataRecord::Config(config) if config.name.as_str() == MIN_ISR => {
            let is_topic = config.resource_type == ResourceType::Topic.code();
            let topic_name = if is_topic { config.resource_name.clone() } else { StrBytes::new() };
            Some(ClearElrRecord { topic_name, ..ClearElrRecord::default() }.into())
        }
        _ => None,
    };
    let cleared: Vec<MetadataRecord> = records.iter().filter_map(clear).collect();
    records.extend(cleared);
    records
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::testing::{Cluster, IntoStr, topic};
    use ottla_protocol::messages::incremental_alter_configs_request::{
        AlterConfigsResource, AlterableConfig,
    };

    const TOPIC: i8 = 2;
    const BROKER: i8 = 4;
    const SET: i8 = 0;
    const DELETE: i8 = 1;
    const APPEND: i8 = 2;
    const SUBTRACT: i8 = 3;

    fn resource(kind: i8, name: &str, changes: &[(&str, i8, Option<&str>)]) -> AlterConfigsResource {
        let change = |(key, operation, value): &(&str, i8, Option<&str>)| {
            AlterableConfig::default()
                .with_name(key.into_str())
                .with_config_operation(*operation)
                .with_value(value.map(IntoStr::into_str))
        };
        AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(name.into_str())
            .with_configs(changes.iter().map(change).collect())
    }

    fn alter(cluster: &mut Cluster, resources: Vec<AlterConfigsResource>) -> Vec<(i16, Option<String>)> {
        let request = IncrementalAlterConfigsRequest::default().with_resources(resources);
        let decision =
            decide_incremental_alter_configs(cluster.image(), &cluster.rules, Through::Broker, &request);
        cluster.apply(decision.records);
        let text = |text: &StrBytes| text.as_str().to_owned();
        let responses = decision.response.responses;
        responses.iter().map(|r| (r.error_code, r.error_message.as_ref().map(text))).collect()
    }

    fn overrides(cluster: &Cluster, name: &str) -> Vec<(String, String)> {
        cluster.image().topic_overrides(name).iter().map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn settings_are_set_appended_subtracted_and_deleted() {
        let mut cluster = Cluster::of(&[1]);
        cluster.create(topic("t", 1, 1));
        let changes = [("retention.ms", SET, Some("5")), ("cleanup.policy", APPEND, Some("compact"))];
        assert_eq!(alter(&mut cluster, vec![resource(TOPIC, "t", &changes)]), [(0, None)]);
        let expected = [pair("cleanup.policy", "delete,compact"), pair("retention.ms", "5")];
        assert_eq!(overrides(&cluster, "t"), expected);
        let changes = [("retention.ms", DELETE, None), ("cleanup.policy", SUBTRACT, Some("delete"))];
        assert_eq!(alter(&mut cluster, vec![resource(TOPIC, "t", &changes)]), [(0, None)]);
        assert_eq!(overrides(&cluster, "t"), [pair("cleanup.policy", "compact")]);
        // Setting what is set writes nothing.
        let same = resource(TOPIC, "t", &[("cleanup.policy", SET, Some("compact"))]);
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![same]);
        let decision =
            decide_incremental_alter_configs(cluster.image(), &cluster.rules, Through::Broker, &request);
        assert!(decision.records.is_empty());
    }

    #[test]
    fn each_rule_has_kafka_s_code_and_text() {
        let mut cluster = Cluster::of(&[1]);
        cluster.create(topic("t", 1, 1));
        let long = "x".repeat(32_768);
        let cases: Vec<(AlterConfigsResource, i16, &str)> = vec![
            (resource(TOPIC, "no", &[("retention.ms", SET, Some("1"))]), 3, "The topic 'no' does not exist."),
            (
                resource(TOPIC, "", &[("retention.ms", SET, Some("1"))]),
                42,
                "Default topic resources are not allowed.",
            ),
            (resource(TOPIC, "t", &[("no.such", SET, Some("1"))]), 40, "Unknown topic config name: no.such"),
            (
                resource(TOPIC, "t", &[("retention.ms", SET, None)]),
                42,
                "Null value not supported for : retention.ms",
            ),
            (
                resource(TOPIC, "t", &[("retention.ms", APPEND, Some("1"))]),
                40,
                "Can't APPEND to key retention.ms because its type is not LIST.",
            ),
            (
                resource(TOPIC, "t", &[("retention.ms", SET, Some("1")), ("retention.ms", DELETE, None)]),
                42,
                "Error due to duplicate config keys",
            ),
            (
                resource(TOPIC, "t", &[("leader.replication.throttled.replicas", SET, Some(&long))]),
                40,
                "The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes.",
            ),
            (resource(99, "t", &[]), 42, "Unknown resource type 99"),
            (resource(BROKER, "2", &[]), 42, "Unexpected broker id, expected 1, but received 2"),
            (resource(BROKER, "x", &[]), 42, "Node id must be an integer, but it is: x"),
            (resource(32, "", &[]), 42, "Default group resources are not allowed."),
        ];
        for (asked, code, message) in cases {
            assert_eq!(alter(&mut cluster, vec![asked]), [(code, Some(message.to_owned()))]);
        }
        let twice = vec![resource(TOPIC, "t", &[]), resource(TOPIC, "t", &[])];
        let message = Some("Each resource must appear at most once.".to_owned());
        assert_eq!(alter(&mut cluster, twice), [(42, message.clone()), (42, message)]);
        assert_eq!(overrides(&cluster, "t"), []);
    }

    #[test]
    fn brokers_and_groups_have_settings_too() {
        let mut cluster = Cluster::of(&[1]);
        let answers = alter(
            &mut cluster,
            vec![
                resource(BROKER, "", &[("log.retention.ms", SET, Some("7000"))]),
                resource(BROKER, "1", &[("message.max.bytes", SET, Some("2000"))]),
                resource(32, "g", &[("consumer.session.timeout.ms", SET, Some("50000"))]),
            ],
        );
        assert_eq!(answers, [(0, None), (0, None), (0, None)]);
        let image = cluster.image().clone();
        assert_eq!(image.broker_dynamic(None).get("log.retention.ms").map(String::as_str), Some("7000"));
        assert_eq!(image.broker_dynamic(Some(BrokerId(1))).len(), 1);
        assert_eq!(image.group_overrides("g").len(), 1);
        cluster.rules.refresh(&image);
        let described = cluster.rules.describe_new_topic(&BTreeMap::new());
        let retention =
            described.iter().find(|entry| entry.name.as_str() == "retention.ms").expect("retention");
        assert_eq!(retention.value.as_deref(), Some("7000"));
        alter(&mut cluster, vec![resource(32, "g", &[("consumer.session.timeout.ms", DELETE, None)])]);
        assert_eq!(cluster.image().configured_resources().count(), 2);
    }

    #[test]
    fn cordoned_directories_are_checked_by_the_broker_that_has_them() {
        let mut cluster = Cluster::configured(&[1, 2], &[("ottla.brokers.join", "true")]);
        cluster.finalize(METADATA_VERSION, CORDONED_LOG_DIRS);
        let cordon = |cluster: &mut Cluster, through: Through, id: &str, value: &str| {
            let changes = [("cordoned.log.dirs", SET, Some(value))];
            let request = IncrementalAlterConfigsRequest::default()
                .with_resources(vec![resource(BROKER, id, &changes)]);
            let decision =
                decide_incremental_alter_configs(cluster.image(), &cluster.rules, through, &request);
            cluster.apply(decision.records);
            let response = &decision.response.responses[0];
            (response.error_code, response.error_message.as_ref().map(|text| text.as_str().to_owned()))
        };
        // Of another broker's directories this node knows nothing; of its own it does.
        assert_eq!(cordon(&mut cluster, Through::Broker, "2", "/d1,/d2"), (0, None));
        let (code, why) = cordon(&mut cluster, Through::Broker, "1", "/nowhere");
        assert!(code == 42 && why.is_some_and(|why| why.contains("must be present in log.dirs")));
        // A controller that is asked by itself takes none that is new.
        let subset = "When updating cordoned.log.dirs via controllers,  the new value must be a subset of the \
                      current configuration value.";
        let refused = (40, Some(subset.to_owned()));
        assert_eq!(cordon(&mut cluster, Through::Controller, "2", "/d2,/d3"), refused);
        assert_eq!(cordon(&mut cluster, Through::Controller, "2", "*"), refused);
        assert_eq!(cordon(&mut cluster, Through::Controller, "2", " /d2"), (0, None));
        assert_eq!(cordon(&mut cluster, Through::Controller, "2", ""), (0, None));
        cluster.finalize(METADATA_VERSION, CORDONED_LOG_DIRS - 1);
        let old = "The cordoned.log.dirs configuration value cannot be set because it requires metadata.version \
                   >= 4.3-IV0";
        assert_eq!(cordon(&mut cluster, Through::Broker, "2", "*"), (40, Some(old.to_owned())));
    }

    #[test]
    fn replacing_all_settings_removes_those_not_named() {
        let mut cluster = Cluster::of(&[1]);
        cluster.create(topic("t", 1, 1));
        let changes = [("retention.ms", SET, Some("5")), ("retention.bytes", SET, Some("6"))];
        alter(&mut cluster, vec![resource(TOPIC, "t", &changes)]);
        let config = alter_configs_request::AlterableConfig::default()
            .with_name("segment.ms".into_str())
            .with_value(Some("9".into_str()));
        let asked = alter_configs_request::AlterConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name("t".into_str())
            .with_configs(vec![config]);
        let mut request = AlterConfigsRequest::default().with_resources(vec![asked]).with_validate_only(true);
        let decision = decide_alter_configs(cluster.image(), &cluster.rules, Through::Broker, &request);
        assert!(decision.records.is_empty());
        request.validate_only = false;
        let decision = decide_alter_configs(cluster.image(), &cluster.rules, Through::Broker, &request);
        assert_eq!(decision.response.responses[0].error_code, 0);
        cluster.apply(decision.records);
        assert_eq!(overrides(&cluster, "t"), [pair("segment.ms", "9")]);
    }
}
