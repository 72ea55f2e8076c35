//! DescribeConfigs (key 32), versions 1-4: every key of a resource, and where its value comes from.
//! Core.
//!
//! - v1: synonyms (KIP-226). v3: types and documentation (KIP-569). v4: flexible.
//!
//! Loggers (resource type 8) are those of this process, and no facts of the cluster (KIP-412).

use ottla_config::{
    BrokerConfig, ConfigEntry, ConfigSources, describe_broker, describe_client_metrics,
    describe_cluster_default, describe_group, describe_topic,
};
use ottla_metadata::{Image, ResourceType};
use ottla_model::{ErrorCode, TopicName};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::describe_configs_request::DescribeConfigsResource;
use ottla_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use ottla_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

use super::prelude::*;
use crate::access::text_of;
use crate::config_access;
use crate::loggers::LogLevel;

pub const API: Api = Api { key: ApiKey::DescribeConfigs, min: 1, max: 4, admit };

type Described<Entry = ConfigEntry> = Result<Vec<Entry>, (ErrorCode, String)>;

/// `ConfigSource.DYNAMIC_BROKER_LOGGER_CONFIG`.
const LOGGER_SOURCE: i8 = 6;

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DescribeConfigsRequest = request.decode()?;
    let image = broker.image();
    let config = broker.dynamic_config.current();
    let access = Access::of(broker, &request);
    let results = body
        .resources
        .iter()
        .map(|resource| {
            let (kind, name) = (resource.resource_type, &resource.resource_name);
            let wire = |entry| wire_entry(entry, body.include_synonyms, body.include_documentation);
            let described = config_access::check(&access, AclOperation::DescribeConfigs, kind, name)
                .map_err(|error| (error, text_of(error).to_owned()))
                .and_then(|()| match ResourceType::from_code(kind) {
                    Some(ResourceType::BrokerLogger) => describe_loggers(broker, resource),
                    _ => Ok(describe(broker, &image, &config, resource)?.into_iter().map(wire).collect()),
                });
            let result = DescribeConfigsResult::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone());
            match described {
                Ok(entries) => result.with_error_message(message("")).with_configs(entries),
                Err((error, why)) => result.with_error_code(error.code()).with_error_message(message(why)),
            }
        })
        .collect();
    request.ready(&DescribeConfigsResponse::default().with_results(results))
}

fn describe_loggers(
    broker: &Broker,
    resource: &DescribeConfigsResource,
) -> Described<DescribeConfigsResourceResult> {
    let (name, ours) = (resource.resource_name.as_str(), broker.node_id.0);
    let invalid = |why: String| Err((ErrorCode::InvalidRequest, why));
    if name.is_empty() {
        return invalid("Broker id must not be empty".to_owned());
    }
    match name.parse::<i32>() {
        Ok(id) if id == ours => {}
        Ok(_) => return invalid(format!("Unexpected broker id, expected {ours} but received {name}")),
        Err(_) => return invalid(format!("Broker id must be an integer, but it is: {name}")),
    }
    let keys = resource.configuration_keys.as_deref().filter(|keys| !keys.is_empty());
    let is_wanted = |name: &str| keys.is_none_or(|keys| keys.iter().any(|key| key.as_str() == name));
    let loggers = broker.loggers.describe().into_iter().filter(|(name, _)| is_wanted(name));
    let entry = |(name, level): (String, LogLevel)| {
        DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_string(name))
            .with_value(Some(text(level.name())))
            .with_config_source(LOGGER_SOURCE)
            .with_documentation(None)
    };
    Ok(loggers.map(entry).collect())
}

fn describe(
    broker: &Broker,
    image: &Image,
    config: &BrokerConfig,
    resource: &DescribeConfigsResource,
) -> Described {
    let keys: Option<Vec<String>> = resource
        .configuration_keys
        .as_ref()
        .map(|keys| keys.iter().map(|key| key.as_str().to_owned()).collect());
    let keys = keys.as_deref();
    let name = resource.resource_name.as_str();
    match ResourceType::from_code(resource.resource_type) {
        Some(ResourceType::Topic) => {
            let unknown = |text: String| (ErrorCode::UnknownTopicOrPartition, text);
            TopicName::new(name)
                .validate()
                .map_err(|invalid| (ErrorCode::InvalidTopicException, invalid.to_string()))?;
            let topic = image.topic(name).ok_or_else(|| unknown(String::new()))?;
            Ok(describe_topic(&ConfigSources { broker: config, overrides: &topic.overrides }, keys))
        }
        Some(ResourceType::Broker) if name.is_empty() => Ok(describe_cluster_default(config, keys)),
        Some(ResourceType::Broker) => {
            let ours = broker.node_id.0;
            match name.parse::<i32>() {
                Ok(id) if id == ours => Ok(describe_broker(config, keys)),
                Ok(id) => Err((
                    ErrorCode::InvalidRequest,
                    format!("Unexpected broker id, expected {ours} or empty string, but received {id}"),
                )),
                Err(_) => Err((
                    ErrorCode::InvalidRequest,
                    format!("Broker id must be an integer, but it is: {name}"),
                )),
            }
        }
        Some(ResourceType::Group) if name.is_empty() => {
            Err((ErrorCode::InvalidRequest, "Group name must not be empty".to_owned()))
        }
        Some(ResourceType::Group) => Ok(describe_group(config, &image.group_overrides(name), keys)),
        Some(ResourceType::ClientMetrics) => {
            if name.is_empty() {
                return Err((
                    ErrorCode::InvalidRequest,
                    "Client metrics subscription name must not be empty".to_owned(),
                ));
            }
            Ok(describe_client_metrics(&image.client_metrics(name), keys))
        }
        Some(ResourceType::BrokerLogger) | None => {
            Err((ErrorCode::InvalidRequest, format!("Unsupported resource type: {}", resource.resource_type)))
        }
    }
}

fn wire_entry(entry: ConfigEntry, synonyms: bool, documentation: bool) -> DescribeConfigsResourceResult {
    let wire = |value: Option<String>| value.map(StrBytes::from_string);
    let config_type = entry.config_type_code();
    let result = DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_string(entry.name))
        .with_value(wire(entry.value))
        .with_read_only(entry.read_only)
        .with_config_source(entry.source.code())
        .with_is_sensitive(entry.is_sensitive)
        .with_config_type(config_type)
        .with_documentation(entry.documentation.filter(|_| documentation).map(text));
    if !synonyms {
        return result;
    }
    let synonyms = entry
        .synonyms
        .into_iter()
        .map(|synonym| {
            DescribeConfigsSynonym::default()
                .with_name(StrBytes::from_string(synonym.name))
                .with_value(wire(synonym.value))
                .with_source(synonym.source.code())
        })
        .collect();
    result.with_synonyms(synonyms)
}
