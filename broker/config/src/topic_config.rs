//! The effective configuration of a topic: its own values over the broker's.
//! Core. The keys with their fields are in `topic.rs`.

use crate::inherit::effective_value;
use crate::keys::FromValue;
use crate::settings::{BrokerConfig, ConfigMap};
use crate::topic::TopicConfig;
use crate::value::ConfigValue;

/// What a topic's values come from: the topic's overrides, then the broker (which carries its dynamic values).
#[derive(Clone, Copy, Debug)]
pub struct ConfigSources<'a> {
    pub broker: &'a BrokerConfig,
    pub overrides: &'a ConfigMap,
}

/// `cleanup.policy`; neither is Kafka's empty list: nothing is ever removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    pub delete: bool,
    pub compact: bool,
}

/// `compression.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionType {
    Producer,
    Uncompressed,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// `message.timestamp.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}

impl FromValue for CleanupPolicy {
    fn from_value(value: ConfigValue) -> Option<CleanupPolicy> {
        let ConfigValue::List(entries) = value else { return None };
        let has = |policy: &str| entries.iter().any(|entry| entry == policy);
        Some(CleanupPolicy { delete: has("delete"), compact: has("compact") })
    }
}

impl FromValue for CompressionType {
    fn from_value(value: ConfigValue) -> Option<CompressionType> {
        match value.text()?.as_str() {
            "producer" => Some(CompressionType::Producer),
            "uncompressed" => Some(CompressionType::Uncompressed),
            "gzip" => Some(CompressionType::Gzip),
            "snappy" => Some(CompressionType::Snappy),
            "lz4" => Some(CompressionType::Lz4),
            "zstd" => Some(CompressionType::Zstd),
            _ => None,
        }
    }
}

impl FromValue for TimestampType {
    fn from_value(value: ConfigValue) -> Option<TimestampType> {
        match value.text()?.as_str() {
            "CreateTime" => Some(TimestampType::CreateTime),
            "LogAppendTime" => Some(TimestampType::LogAppendTime),
            _ => None,
        }
    }
}

impl TopicConfig {
    /// The values in force. An override that does not parse is passed over: it was checked when accepted.
    pub fn effective(sources: &ConfigSources<'_>) -> TopicConfig {
        let mut config = TopicConfig::read(|row| effective_value(sources.broker, sources.overrides, row));
        if let Some(bytes) = config.internal_segment_bytes {
            config.segment_bytes = bytes;
        }
        config
    }
}
