//! The effective configuration of a topic: its own values over the broker's, all 33 keys typed.
//! core

use std::sync::Arc;

use crate::row::ConfigRow;
use crate::settings::{BrokerConfig, BrokerSettings, ConfigMap};
use crate::topic;
use crate::value::{self, ConfigValue};

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

/// All keys of a topic; names follow the keys.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicConfig {
    pub cleanup_policy: CleanupPolicy,
    pub compression_type: CompressionType,
    pub compression_gzip_level: i32,
    pub compression_lz4_level: i32,
    pub compression_zstd_level: i32,
    pub delete_retention_ms: i64,
    pub file_delete_delay_ms: i64,
    pub flush_messages: i64,
    pub flush_ms: i64,
    pub follower_replication_throttled_replicas: Vec<String>,
    pub index_interval_bytes: i32,
    pub leader_replication_throttled_replicas: Vec<String>,
    /// -2 takes `retention_bytes`.
    pub local_retention_bytes: i64,
    /// -2 takes `retention_ms`.
    pub local_retention_ms: i64,
    pub max_compaction_lag_ms: i64,
    pub max_message_bytes: i32,
    pub message_timestamp_after_max_ms: i64,
    pub message_timestamp_before_max_ms: i64,
    pub message_timestamp_type: TimestampType,
    pub min_cleanable_dirty_ratio: f64,
    pub min_compaction_lag_ms: i64,
    pub min_insync_replicas: i32,
    pub preallocate: bool,
    pub remote_log_copy_disable: bool,
    pub remote_log_delete_on_disable: bool,
    pub remote_storage_enable: bool,
    /// -1 is no limit.
    pub retention_bytes: i64,
    /// -1 is for ever.
    pub retention_ms: i64,
    pub segment_bytes: i32,
    pub segment_index_bytes: i32,
    pub segment_jitter_ms: i64,
    pub segment_ms: i64,
    pub unclean_leader_election_enable: bool,
}

impl TopicConfig {
    /// The values in force. An override that does not parse is passed over: it was checked when accepted.
    pub fn effective(sources: &ConfigSources<'_>) -> Arc<Self> {
        let reader = Reader { sources };
        Arc::new(TopicConfig {
            cleanup_policy: reader.cleanup_policy(),
            compression_type: reader.compression_type(),
            compression_gzip_level: reader.int("compression.gzip.level"),
            compression_lz4_level: reader.int("compression.lz4.level"),
            compression_zstd_level: reader.int("compression.zstd.level"),
            delete_retention_ms: reader.long("delete.retention.ms"),
            file_delete_delay_ms: reader.long("file.delete.delay.ms"),
            flush_messages: reader.long("flush.messages"),
            flush_ms: reader.long("flush.ms"),
            follower_replication_throttled_replicas: reader.list("follower.replication.throttled.replicas"),
            index_interval_bytes: reader.int("index.interval.bytes"),
            leader_replication_throttled_replicas: reader.list("leader.replication.throttled.replicas"),
            local_retention_bytes: reader.long("local.retention.bytes"),
            local_retention_ms: reader.long("local.retention.ms"),
            max_compaction_lag_ms: reader.long("max.compaction.lag.ms"),
            max_message_bytes: reader.int("max.message.bytes"),
            message_timestamp_after_max_ms: reader.long("message.timestamp.after.max.ms"),
            message_timestamp_before_max_ms: reader.long("message.timestamp.before.max.ms"),
            message_timestamp_type: reader.timestamp_type(),
            min_cleanable_dirty_ratio: reader.double("min.cleanable.dirty.ratio"),
            min_compaction_lag_ms: reader.long("min.compaction.lag.ms"),
            min_insync_replicas: reader.int("min.insync.replicas"),
            preallocate: reader.boolean("preallocate"),
            remote_log_copy_disable: reader.boolean("remote.log.copy.disable"),
            remote_log_delete_on_disable: reader.boolean("remote.log.delete.on.disable"),
            remote_storage_enable: reader.boolean("remote.storage.enable"),
            retention_bytes: reader.long("retention.bytes"),
            retention_ms: reader.long("retention.ms"),
            segment_bytes: reader.segment_bytes(),
            segment_index_bytes: reader.int("segment.index.bytes"),
            segment_jitter_ms: reader.long("segment.jitter.ms"),
            segment_ms: reader.long("segment.ms"),
            unclean_leader_election_enable: reader.boolean("unclean.leader.election.enable"),
        })
    }

    /// The age at which a segment is rolled: a compacted topic does not wait beyond its compaction lag.
    pub fn segment_ms_max(&self) -> i64 {
        if self.cleanup_policy.compact && self.max_compaction_lag_ms > 0 {
            self.segment_ms.min(self.max_compaction_lag_ms)
        } else {
            self.segment_ms
        }
    }
}

/// What the topic gets from the broker when it says nothing itself.
pub(crate) fn inherited(broker: &BrokerSettings, row: &ConfigRow) -> ConfigValue {
    match row.name {
        "retention.ms" => ConfigValue::Long(broker.log_retention_ms()),
        "segment.ms" => ConfigValue::Long(broker.log_roll_ms()),
        "segment.jitter.ms" => ConfigValue::Long(broker.log_roll_jitter_ms()),
        "flush.ms" => ConfigValue::Long(broker.log_flush_interval_ms),
        _ => match row.synonyms.first() {
            Some(synonym) => broker.value(synonym.name).clone(),
            None => row
                .default
                .map_or(ConfigValue::Null, |default| value::parse(row, default).unwrap_or(ConfigValue::Null)),
        },
    }
}

/// The value in force of one topic key.
pub(crate) fn effective_value(sources: &ConfigSources<'_>, row: &ConfigRow) -> ConfigValue {
    let own = sources.overrides.get(row.name).and_then(|text| value::parse(row, text).ok());
    own.unwrap_or_else(|| inherited(sources.broker, row))
}

struct Reader<'a> {
    sources: &'a ConfigSources<'a>,
}

impl Reader<'_> {
    fn get(&self, name: &str) -> ConfigValue {
        match topic::row(name) {
            Some(row) => effective_value(self.sources, row),
            None => panic!("{name} is not a topic key"),
        }
    }

    fn long(&self, name: &str) -> i64 {
        match self.get(name).as_i64() {
            Some(number) => number,
            None => panic!("{name} has no whole number"),
        }
    }

    fn int(&self, name: &str) -> i32 {
        i32::try_from(self.long(name)).unwrap_or(i32::MAX)
    }

    fn boolean(&self, name: &str) -> bool {
        self.get(name) == ConfigValue::Boolean(true)
    }

    fn double(&self, name: &str) -> f64 {
        match self.get(name) {
            ConfigValue::Double(number) => number,
            other => panic!("{name} is no DOUBLE but {other:?}"),
        }
    }

    fn list(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            ConfigValue::List(entries) => entries,
            _ => Vec::new(),
        }
    }

    fn cleanup_policy(&self) -> CleanupPolicy {
        let entries = self.list("cleanup.policy");
        let has = |policy: &str| entries.iter().any(|entry| entry == policy);
        CleanupPolicy { delete: has("delete"), compact: has("compact") }
    }

    fn compression_type(&self) -> CompressionType {
        match self.get("compression.type").text().as_deref() {
            Some("uncompressed") => CompressionType::Uncompressed,
            Some("gzip") => CompressionType::Gzip,
            Some("snappy") => CompressionType::Snappy,
            Some("lz4") => CompressionType::Lz4,
            Some("zstd") => CompressionType::Zstd,
            _ => CompressionType::Producer,
        }
    }

    fn timestamp_type(&self) -> TimestampType {
        match self.get("message.timestamp.type").text().as_deref() {
            Some("LogAppendTime") => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        }
    }

    /// Kafka's internal key wins, so that its tests can ask for tiny segments.
    fn segment_bytes(&self) -> i32 {
        match self.get("internal.segment.bytes") {
            ConfigValue::Int(bytes) => bytes,
            _ => self.int("segment.bytes"),
        }
    }
}
