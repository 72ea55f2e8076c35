//! The effective configuration as the logs and their cleaner obey it.
//! Core.

use std::sync::Arc;

use ottla_config::{
    Balance, BrokerConfig, CompressionType, ConfigSources, TimestampType as ConfigTimestampType, TopicConfig,
};
use ottla_log::{CleanerSettings, CleanupPolicy, LogConfig, TopicCompression};
use ottla_metadata::TopicImage;
use ottla_model::BrokerId;
use ottla_quota::Windows;
use ottla_records::{Codec, TimestampType};

use crate::throttle::{Throttled, ThrottledReplicas};

/// What the log cleaner obeys.
pub fn cleaner_settings(broker: &BrokerConfig) -> CleanerSettings {
    CleanerSettings {
        is_enabled: broker.log_cleaner_enable,
        threads: usize::try_from(broker.log_cleaner_threads).unwrap_or(0),
        backoff_ms: broker.log_cleaner_backoff_ms,
        dedupe_buffer_bytes: u64::try_from(broker.log_cleaner_dedupe_buffer_bytes).unwrap_or(0),
        dedupe_buffer_load_factor: broker.log_cleaner_io_buffer_load_factor,
        io_buffer_bytes: usize::try_from(broker.log_cleaner_io_buffer_bytes).unwrap_or(0),
        io_bytes_per_second_max: broker.log_cleaner_io_bytes_per_second_max,
    }
}

/// How fast records are copied, at most, by whom: bytes a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CopyRates {
    /// To followers of the replicas that are throttled.
    pub leading: i64,
    pub following: i64,
    /// Between the log directories of this broker; `None`: as fast as they are.
    pub between_dirs: Option<u64>,
}

pub fn copy_rates(broker: &BrokerConfig) -> CopyRates {
    let between_dirs = broker.alter_log_dirs_bytes_per_second_max;
    // What a person set holds for what the cluster moves by itself, too.
    let rate = |given: i64| match given {
        i64::MAX if broker.balance == Balance::Auto => broker.balance_bytes_per_second,
        given => given,
    };
    CopyRates {
        leading: rate(broker.leader_replication_throttled_rate),
        following: rate(broker.follower_replication_throttled_rate),
        between_dirs: (between_dirs != i64::MAX).then_some(between_dirs.unsigned_abs()),
    }
}

/// Over how long a rate is measured. Kafka's windows let ten seconds' worth through at once, which clients would feel
/// whenever the cluster moves something by itself.
pub fn copy_windows(broker: &BrokerConfig, given: i64) -> Windows {
    match given {
        i64::MAX => Windows { count: 2, length_ms: 1000 },
        _ => Windows::of_seconds(broker.replication_quota_windows, broker.replication_quota_window_seconds),
    }
}

/// What a topic's replicas obey.
pub struct TopicSettings {
    pub log: Arc<LogConfig>,
    pub min_insync_replicas: i32,
    pub throttled: Throttled,
}

/// A topic's overrides over the broker's values.
pub fn topic_settings(broker: &BrokerConfig, topic: &TopicImage) -> TopicSettings {
    let config = TopicConfig::effective(&ConfigSources { broker, overrides: &topic.overrides });
    TopicSettings {
        min_insync_replicas: config.min_insync_replicas,
        throttled: throttled(broker, &config, topic),
        log: Arc::new(log_config(&config)),
    }
}

/// Which replicas are throttled: those that a person named, and where the cluster moves replicas by itself those that are
/// being added (docs/decisions/0043).
fn throttled(broker: &BrokerConfig, config: &TopicConfig, topic: &TopicImage) -> Throttled {
    let node = BrokerId(broker.node_id);
    let mut throttled = Throttled {
        leading: ThrottledReplicas::of(&config.leader_replication_throttled_replicas, node),
        following: ThrottledReplicas::of(&config.follower_replication_throttled_replicas, node),
    };
    if broker.balance == Balance::Auto {
        for (index, partition) in (0..).zip(&topic.partitions) {
            let adding = partition.adding_replicas();
            if !adding.is_empty() {
                throttled.leading.insert(index);
            }
            if adding.contains(&node) {
                throttled.following.insert(index);
            }
        }
    }
    throttled
}

/// What is throttled once partitions of the topic have changed; `None` where that is what it was.
pub fn throttled_now(broker: &BrokerConfig, topic: &TopicImage, was: &Throttled) -> Option<Throttled> {
    let is_concerned = broker.balance == Balance::Auto
        && (*was != Throttled::default()
            || topic.partitions.iter().any(|partition| !partition.adding_replicas().is_empty()));
    is_concerned.then(|| topic_settings(broker, topic).throttled).filter(|now| now != was)
}

fn log_config(topic: &TopicConfig) -> LogConfig {
    LogConfig {
        segment_bytes: topic.segment_bytes as u64,
        segment_ms: topic.segment_ms,
        segment_jitter_ms: topic.segment_jitter_ms,
        segment_index_bytes: topic.segment_index_bytes as u64,
        index_interval_bytes: topic.index_interval_bytes as u64,
        retention_ms: topic.retention_ms,
        retention_bytes: topic.retention_bytes,
        max_message_bytes: topic.max_message_bytes as usize,
        timestamp_type: match topic.message_timestamp_type {
            ConfigTimestampType::CreateTime => TimestampType::CreateTime,
            ConfigTimestampType::LogAppendTime => TimestampType::LogAppendTime,
        },
        timestamp_before_max_ms: topic.message_timestamp_before_max_ms,
        timestamp_after_max_ms: topic.message_timestamp_after_max_ms,
        cleanup_policy: CleanupPolicy {
            delete: topic.cleanup_policy.delete,
            compact: topic.cleanup_policy.compact,
        },
        compression: compression(topic),
        delete_retention_ms: topic.delete_retention_ms,
        flush_messages: topic.flush_messages,
        flush_ms: topic.flush_ms,
        min_compaction_lag_ms: topic.min_compaction_lag_ms,
        max_compaction_lag_ms: topic.max_compaction_lag_ms,
        min_cleanable_dirty_ratio: topic.min_cleanable_dirty_ratio,
    }
}

fn compression(topic: &TopicConfig) -> TopicCompression {
    match topic.compression_type {
        CompressionType::Producer => TopicCompression::Producer,
        CompressionType::Uncompressed => TopicCompression::Codec(Codec::None),
        CompressionType::Gzip => TopicCompression::Codec(Codec::Gzip(topic.compression_gzip_level)),
        CompressionType::Snappy => TopicCompression::Codec(Codec::Snappy),
        CompressionType::Lz4 => TopicCompression::Codec(Codec::Lz4(topic.compression_lz4_level)),
        CompressionType::Zstd => TopicCompression::Codec(Codec::Zstd(topic.compression_zstd_level)),
    }
}
