//! One topic's effective configuration as its logs obey it.
//! Core.

use std::sync::Arc;

use ottla_config::{
    BrokerConfig, CompressionType, ConfigSources, TimestampType as ConfigTimestampType, TopicConfig,
};
use ottla_log::{CleanupPolicy, LogConfig, TopicCompression};
use ottla_metadata::TopicImage;
use ottla_records::{Codec, TimestampType};

/// What a topic's logs obey: its overrides over the broker's values.
pub fn log_config(broker: &BrokerConfig, topic: &TopicImage) -> Arc<LogConfig> {
    let topic = TopicConfig::effective(&ConfigSources { broker, overrides: &topic.overrides });
    Arc::new(LogConfig {
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
        compression: compression(&topic),
        delete_retention_ms: topic.delete_retention_ms,
        flush_messages: topic.flush_messages,
        flush_ms: topic.flush_ms,
        min_compaction_lag_ms: topic.min_compaction_lag_ms,
        max_compaction_lag_ms: topic.max_compaction_lag_ms,
        min_cleanable_dirty_ratio: topic.min_cleanable_dirty_ratio,
    })
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
