//! IncrementalAlterConfigs and AlterConfigs for topics, brokers, groups and client metrics.
//! Core. Loggers are not cluster facts: the caller handles BROKER_LOGGER before.

use std::collections::{BTreeMap, HashMap};

use ottla_model::{BrokerId, ErrorCode};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
    alter_configs_request, alter_configs_response, incremental_alter_configs_request,
    incremental_alter_configs_response,
};
use ottla_protocol::records::metadata::{ClearElrRecord, ConfigRecord, MetadataRecord};

use crate::controller::{ApiError, Decision, Rules, duplicates, wire_error};
use crate::image::{ConfigResource, Image, ResourceType};

/// Longest value of a setting: Kafka keeps it in 15 bits.
const VALUE_CHARS_MAX: usize = i16::MAX as usize;
const MIN_ISR: &str = "min.insync.replicas";

#[derive(Clone, Copy, PartialEq, Debug)]
enum Operation {
    Set,
    Delete,
    Append,
    Subtract,
}

/// One setting as asked for.
struct Change<'a> {
    name: &'a str,
    operation: i8,
    value: Option<&'a str>,
}

/// Changes the named settings and leaves the others.
pub fn decide_incremental_alter_configs(
    image: &Image,
    rules: &Rules,
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
        alter_incrementally(image, rules, resource.resource_type, &resource.resource_name, &changes)
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
    request: &AlterConfigsRequest,
) -> Decision<AlterConfigsResponse> {
    let twice = repeated(request.resources.iter().map(|r| (r.resource_type, r.resource_name.as_str())));
    let mut records = Vec::new();
    let mut response = AlterConfigsResponse::default();
    for resource in &request.resources {
        let is_twice = twice[&(resource.resource_type, resource.resource_name.as_str())] > 1;
        let result = if is_twice { Err(appears_twice()) } else { replace(image, rules, resource) };
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
    type_code: i8,
    name: &str,
    changes: &[Change<'_>],
) -> Result<Vec<MetadataRecord>, ApiError> {
    let is_null = |change: &&Change<'_>| change.operation != 1 && change.value.is_none();
    check_keys(changes.iter().map(|change| change.name), changes.iter().filter(is_null).map(|change| change.name))?;
    let resource = check_resource(rules, type_code, name)?;
    let existing = image.overrides(&resource);
    let mut altered = Vec::new();
    for change in changes {
        let current = existing.get(change.name);
        let value = change.value.unwrap_or_default();
        let next = match operation(change.operation)? {
            Operation::Set => Some(value.to_owned()),
            Operation::Delete => None,
            operation => {
                if !rules.is_list(resource.resource_type, change.name) {
                    return Err(not_a_list(&resource, operation, change.name));
                }
                Some(change_list(rules, &resource, change.name, current, operation, value))
            }
        };
        if current != next.as_ref() || resource.resource_type == ResourceType::Broker {
            altered.push((change.name.to_owned(), next));
        }
    }
    commit_checked(image, rules, &resource, altered)
}

fn operation(code: i8) -> Result<Operation, ApiError> {
    Ok(match code {
        0 => Operation::Set,
        1 => Operation::Delete,
        2 => Operation::Append,
        3 => Operation::Subtract,
        other => return Err(invalid_request(format!("Unknown operations type {other}"))),
    })
}

fn not_a_list(resource: &ConfigResource, operation: Operation, name: &str) -> ApiError {
    if resource.resource_type == ResourceType::Broker {
        let word = if operation == Operation::Append { "append" } else { "subtract" };
        return invalid_config(format!("Config value {word} is not allowed for config key: {name}"));
    }
    let word = if operation == Operation::Append { "APPEND" } else { "SUBTRACT" };
    invalid_config(format!("Can't {word} to key {name} because its type is not LIST."))
}

fn change_list(
    rules: &Rules,
    resource: &ConfigResource,
    name: &str,
    current: Option<&String>,
    operation: Operation,
    value: &str,
) -> String {
    let before = match current {
        Some(current) => current.clone(),
        None => rules.default_value(resource.resource_type, name).unwrap_or_default(),
    };
    let mut parts: Vec<&str> = before.split(',').filter(|part| !part.is_empty()).collect();
    for part in value.split(',') {
        match operation {
            Operation::Append if !parts.contains(&part) => parts.push(part),
            Operation::Subtract => parts.retain(|known| *known != part),
            _ => {}
        }
    }
    parts.join(",")
}

fn replace(
    image: &Image,
    rules: &Rules,
    asked: &alter_configs_request::AlterConfigsResource,
) -> Result<Vec<MetadataRecord>, ApiError> {
    let nulls = asked.configs.iter().filter(|config| config.value.is_none());
    check_keys(asked.configs.iter().map(|config| config.name.as_str()), nulls.map(|config| config.name.as_str()))?;
    let resource = check_resource(rules, asked.resource_type, &asked.resource_name)?;
    let existing = image.overrides(&resource);
    let mut altered = Vec::new();
    for config in &asked.configs {
        let value = config.value.as_ref().map(|value| value.as_str().to_owned());
        if existing.get(config.name.as_str()) != value.as_ref() || resource.resource_type == ResourceType::Broker {
            altered.push((config.name.as_str().to_owned(), value));
        }
    }
    for name in existing.keys() {
        if !asked.configs.iter().any(|config| config.name.as_str() == name) {
            altered.push((name.clone(), None));
        }
    }
    commit_checked(image, rules, &resource, altered)
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
            Ok(id) if BrokerId(id) != rules.node_id => {
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
    resource: &ConfigResource,
    altered: Vec<(String, Option<String>)>,
) -> Result<Vec<MetadataRecord>, ApiError> {
    let existing = image.overrides(resource);
    let mut settings: BTreeMap<String, String> = (*existing).clone();
    for (name, value) in &altered {
        check_min_isr(image, resource, name, value.as_ref())?;
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

fn is_elr_enabled(image: &Image) -> bool {
    image.feature_level("eligible.leader.replicas.version") >= 1
}

/// With eligible leader replicas the minimum is the cluster's, and must be there.
fn check_min_isr(
    image: &Image,
    resource: &ConfigResource,
    name: &str,
    value: Option<&String>,
) -> Result<(), ApiError> {
    if resource.resource_type != ResourceType::Broker || name != MIN_ISR || !is_elr_enabled(image) {
        return Ok(());
    }
    if !resource.name.is_empty() {
        return Err(invalid_config("Broker-level min.insync.replicas cannot be altered while ELR is enabled."));
    }
    match value {
        Some(_) => Ok(()),
        None => {
            Err(invalid_config("Cluster-level min.insync.replicas cannot be removed while ELR is enabled."))
        }
    }
}

/// A new minimum makes what was known of eligible leaders void.
fn finish(image: &Image, mut records: Vec<MetadataRecord>, validate_only: bool) -> Vec<MetadataRecord> {
    if validate_only {
        return Vec::new();
    }
    if !is_elr_enabled(image) {
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
