//! What DescribeConfigs answers: every key with its value, where it comes from, and the chain of its synonyms.
//! Core.

use crate::broker;
use crate::client_metrics;
use crate::group;
use crate::inherit::{effective_value, inherited};
use crate::row::{ConfigRow, ConfigType, DynamicMode, Visibility};
use crate::settings::{BrokerConfig, BrokerSettings, ConfigMap};
use crate::topic;
use crate::topic_config::ConfigSources;
use crate::value;

/// Where a value comes from; the numbers are Kafka's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum ConfigSource {
    Topic = 1,
    DynamicBroker = 2,
    DynamicDefaultBroker = 3,
    StaticBroker = 4,
    Default = 5,
    ClientMetrics = 7,
    Group = 8,
}

impl ConfigSource {
    /// The code on the wire.
    pub const fn code(self) -> i8 {
        self as i8
    }
}

/// One place that has a value for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    pub name: String,
    pub value: Option<String>,
    pub source: ConfigSource,
}

/// One key of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    pub name: String,
    pub value: Option<String>,
    pub read_only: bool,
    pub is_default: bool,
    pub source: ConfigSource,
    pub is_sensitive: bool,
    /// First the one that wins.
    pub synonyms: Vec<ConfigSynonym>,
    /// None for keys nobody knows (code 0).
    pub config_type: Option<ConfigType>,
    pub documentation: Option<&'static str>,
}

impl ConfigEntry {
    /// The type code on the wire.
    pub fn config_type_code(&self) -> i8 {
        self.config_type.map_or(0, ConfigType::code)
    }
}

/// The keys of a topic. `keys` limits the answer; nothing and an empty list both mean all, as in Kafka.
pub fn describe_topic(sources: &ConfigSources<'_>, keys: Option<&[String]>) -> Vec<ConfigEntry> {
    let mut entries = Vec::with_capacity(topic::rows().len());
    for row in topic::rows() {
        let own = sources.overrides.contains_key(row.name);
        if !(wanted(keys, row.name) && (own || row.visibility == Visibility::Described)) {
            continue;
        }
        let is_hidden = !own && row.synonyms.iter().any(|synonym| sources.broker.is_resolved(synonym.name));
        let text = effective_value(sources.broker, sources.overrides, row).text().filter(|_| !is_hidden);
        let mut synonyms = row
            .synonyms
            .first()
            .map(|synonym| broker_synonyms(sources.broker, synonym.name, false))
            .unwrap_or_default();
        if own {
            synonyms.insert(0, synonym(row.name, text.clone(), ConfigSource::Topic));
        }
        let entry = entry(row, text, synonyms);
        entries.push(ConfigEntry { is_sensitive: entry.is_sensitive || is_hidden, ..entry });
    }
    entries
}

/// The keys of this broker (a BROKER resource with its id).
pub fn describe_broker(config: &BrokerConfig, keys: Option<&[String]>) -> Vec<ConfigEntry> {
    let mut names: Vec<&str> = broker::rows()
        .iter()
        .filter(|row| row.visibility == Visibility::Described)
        .map(|row| row.name)
        .chain(config.given.keys().map(String::as_str))
        .chain(config.dynamic_cluster_default.keys().map(String::as_str))
        .chain(config.dynamic_broker.keys().map(String::as_str))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter(|name| wanted(keys, name))
        .map(|name| broker_entry(config, name, broker_text(config, name), |_| true))
        .collect()
}

/// The dynamic cluster defaults that are set (a BROKER resource without name).
pub fn describe_cluster_default(config: &BrokerConfig, keys: Option<&[String]>) -> Vec<ConfigEntry> {
    let default_only = |source: ConfigSource| source == ConfigSource::DynamicDefaultBroker;
    config
        .dynamic_cluster_default
        .iter()
        .filter(|(name, _)| wanted(keys, name))
        .map(|(name, text)| broker_entry(config, name, Some(text.clone()), default_only))
        .collect()
}

/// The keys of a group; `overrides` is what the group itself has set.
pub fn describe_group(
    config: &BrokerConfig,
    overrides: &ConfigMap,
    keys: Option<&[String]>,
) -> Vec<ConfigEntry> {
    let mut entries = Vec::with_capacity(group::rows().len());
    for row in group::rows().iter().filter(|row| wanted(keys, row.name)) {
        let inherited = inherited(config, row).text();
        let mut synonyms = match row.synonyms.first() {
            Some(synonym) => broker_synonyms(config, synonym.name, false),
            None => vec![synonym(row.name, inherited.clone(), ConfigSource::Default)],
        };
        let own = overrides.get(row.name).and_then(|text| value::parse(row, text).ok());
        let text = own.as_ref().map_or(inherited, |value| value.text());
        if own.is_some() {
            synonyms.insert(0, synonym(row.name, text.clone(), ConfigSource::Group));
        }
        entries.push(entry(row, text, synonyms));
    }
    entries
}

/// The keys of a client metrics subscription.
pub fn describe_client_metrics(overrides: &ConfigMap, keys: Option<&[String]>) -> Vec<ConfigEntry> {
    let mut entries = Vec::with_capacity(client_metrics::ROWS.len());
    for row in client_metrics::ROWS.iter().filter(|row| wanted(keys, row.name)) {
        let own = overrides.get(row.name).and_then(|text| value::parse(row, text).ok());
        let synonyms =
            own.iter().map(|value| synonym(row.name, value.text(), ConfigSource::ClientMetrics)).collect();
        let text = own.map_or_else(|| row.default.map(str::to_owned), |value| value.text());
        entries.push(entry(row, text, synonyms));
    }
    entries
}

fn wanted(keys: Option<&[String]>, name: &str) -> bool {
    keys.is_none_or(|keys| keys.is_empty() || keys.iter().any(|key| key == name))
}

fn synonym(name: &str, value: Option<String>, source: ConfigSource) -> ConfigSynonym {
    ConfigSynonym { name: name.to_owned(), value, source }
}

/// An entry that may be altered; its source is that of its first synonym.
fn entry(row: &ConfigRow, value: Option<String>, synonyms: Vec<ConfigSynonym>) -> ConfigEntry {
    let source = synonyms.first().map_or(ConfigSource::Default, |first| first.source);
    ConfigEntry {
        name: row.name.to_owned(),
        value,
        read_only: row.dynamic == DynamicMode::ReadOnly,
        is_default: source == ConfigSource::Default,
        source,
        is_sensitive: row.is_sensitive(),
        synonyms,
        config_type: Some(row.kind),
        documentation: Some(row.doc),
    }
}

fn broker_entry(
    config: &BrokerSettings,
    name: &str,
    text: Option<String>,
    shown: impl Fn(ConfigSource) -> bool,
) -> ConfigEntry {
    let row = broker::typed_row(name);
    // What nobody knows may be a secret.
    let is_sensitive = row.is_none_or(ConfigRow::is_sensitive) || config.is_resolved(name);
    let mut synonyms = broker_synonyms(config, name, is_sensitive);
    synonyms.retain(|synonym| shown(synonym.source));
    let source = synonyms.first().map_or(ConfigSource::Default, |first| first.source);
    ConfigEntry {
        name: name.to_owned(),
        value: text.filter(|_| !is_sensitive),
        read_only: broker::row(name).is_none_or(|row| row.dynamic == DynamicMode::ReadOnly),
        is_default: source == ConfigSource::Default,
        source,
        is_sensitive,
        synonyms,
        config_type: row.map(|row| row.kind),
        documentation: row.map(|row| row.doc),
    }
}

/// The text in force; for keys without a row, what was written.
fn broker_text(config: &BrokerSettings, name: &str) -> Option<String> {
    if broker::row(name).is_some() {
        return config.value(name).text();
    }
    let dynamic = config.dynamic_broker.get(name).or_else(|| config.dynamic_cluster_default.get(name));
    dynamic.or_else(|| config.given.get(name).map(|given| &given.value)).cloned()
}

/// All places that have a value for a broker key, from the one that wins to the default. Values of alternates that
/// would win over the key itself are not listed, as in Kafka.
fn broker_synonyms(config: &BrokerSettings, name: &str, is_sensitive: bool) -> Vec<ConfigSynonym> {
    let is_sensitive = is_sensitive || config.is_resolved(name);
    let alternates = broker::alternates(name);
    let default = |key: &str| {
        let row = broker::row(key).filter(|row| row.visibility != Visibility::DynamicOnly)?;
        broker::default_of(row).map(str::to_owned)
    };
    let given = |key: &str| config.given.get(key).map(|given| given.value.clone());
    let mut found = Vec::new();
    let mut add = |source: ConfigSource, look_up: &dyn Fn(&str) -> Option<String>| {
        for key in &alternates {
            if let Some(text) = look_up(key) {
                found.push(synonym(key, Some(text).filter(|_| !is_sensitive), source));
            }
        }
    };
    add(ConfigSource::DynamicBroker, &|key| config.dynamic_broker.get(key).cloned());
    add(ConfigSource::DynamicDefaultBroker, &|key| config.dynamic_cluster_default.get(key).cloned());
    add(ConfigSource::StaticBroker, &given);
    add(ConfigSource::Default, &default);
    let first = found.iter().position(|synonym| synonym.name == name).unwrap_or(found.len());
    found.split_off(first)
}
