//! Rows: the topic keys with their broker synonyms, as Apache Kafka 4.3.1 defines them; the sentences are ours.
//! Core. A key that does something stands beside the typed field that reads it.

use std::string::String as Text;
use std::sync::LazyLock;

use crate::keys::keys;
use crate::row::ConfigType::*;
use crate::row::DynamicMode::*;
use crate::row::Importance::*;
use crate::row::Validation::*;
use crate::row::{ConfigRow, Synonym, at_least, between, list, row as entry};
use crate::topic_config::{CleanupPolicy, CompressionType, TimestampType};
use crate::validators;

keys! {
    /// The keys of a topic that do something; fields follow the keys' names.
    #[derive(Clone, Debug, PartialEq)]
    pub struct TopicConfig;
    rows IN_FORCE;

    pub cleanup_policy: CleanupPolicy = entry("cleanup.policy", List, Some("delete"), list(&["compact", "delete"], true), ClusterWide, Medium).synonyms(&[Synonym { name: "log.cleanup.policy", scale: 1 }])
        .doc("What becomes of old data: delete, compact, both, or nothing when empty.");
    pub compression_gzip_level: i32 = entry("compression.gzip.level", Int, Some("-1"), Custom(validators::gzip_level), ClusterWide, Medium).synonyms(&[Synonym { name: "compression.gzip.level", scale: 1 }])
        .doc("Level used when the topic is stored as gzip; -1 is the codec's own default.");
    pub compression_lz4_level: i32 = entry("compression.lz4.level", Int, Some("9"), between(1, 17), ClusterWide, Medium).synonyms(&[Synonym { name: "compression.lz4.level", scale: 1 }])
        .doc("Level used when the topic is stored as lz4.");
    pub compression_type: CompressionType = entry("compression.type", String, Some("producer"), OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), ClusterWide, Medium).synonyms(&[Synonym { name: "compression.type", scale: 1 }])
        .doc("Codec in which the topic is stored; producer keeps what the producer chose.");
    pub compression_zstd_level: i32 = entry("compression.zstd.level", Int, Some("3"), between(-131072, 22), ClusterWide, Medium).synonyms(&[Synonym { name: "compression.zstd.level", scale: 1 }])
        .doc("Level used when the topic is stored as zstd.");
    pub delete_retention_ms: i64 = entry("delete.retention.ms", Long, Some("86400000"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "log.cleaner.delete.retention.ms", scale: 1 }])
        .doc("How long a delete marker stays in a compacted topic.");
    pub flush_messages: i64 = entry("flush.messages", Long, Some("9223372036854775807"), at_least(1), ClusterWide, Medium).synonyms(&[Synonym { name: "log.flush.interval.messages", scale: 1 }])
        .doc("Records after which a partition is forced to disk.");
    pub flush_ms: i64 = entry("flush.ms", Long, Some("9223372036854775807"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "log.flush.interval.ms", scale: 1 }, Synonym { name: "log.flush.scheduler.interval.ms", scale: 1 }])
        .doc("Time after which a partition is forced to disk.");
    pub follower_replication_throttled_replicas: Vec<Text> = entry("follower.replication.throttled.replicas", List, Some(""), Custom(validators::throttled_replicas), ClusterWide, Medium)
        .doc("Replicas throttled on the follower's side, as partition:broker, or * for all.");
    pub leader_replication_throttled_replicas: Vec<Text> = entry("leader.replication.throttled.replicas", List, Some(""), Custom(validators::throttled_replicas), ClusterWide, Medium)
        .doc("Replicas throttled on the leader's side, as partition:broker, or * for all.");
    pub index_interval_bytes: i32 = entry("index.interval.bytes", Int, Some("4096"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "log.index.interval.bytes", scale: 1 }])
        .doc("Bytes of data between two entries of the offset index.");
    /// Kafka's own tests ask for tiny segments by it; it wins over `segment_bytes`.
    pub(crate) internal_segment_bytes: Option<i32> = entry("internal.segment.bytes", Int, None, Any, ClusterWide, Medium).internal()
        .doc("Largest size of a segment file without a lower bound, for tests.");
    pub max_compaction_lag_ms: i64 = entry("max.compaction.lag.ms", Long, Some("9223372036854775807"), at_least(1), ClusterWide, Medium).synonyms(&[Synonym { name: "log.cleaner.max.compaction.lag.ms", scale: 1 }])
        .doc("A record is cleaned after this time at the latest.");
    pub max_message_bytes: i32 = entry("max.message.bytes", Int, Some("1048588"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "message.max.bytes", scale: 1 }])
        .doc("Largest record batch that is accepted, as it is on the wire.");
    pub message_timestamp_after_max_ms: i64 = entry("message.timestamp.after.max.ms", Long, Some("3600000"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "log.message.timestamp.after.max.ms", scale: 1 }])
        .doc("How far in the future a record's timestamp may lie.");
    pub message_timestamp_before_max_ms: i64 = entry("message.timestamp.before.max.ms", Long, Some("9223372036854775807"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "log.message.timestamp.before.max.ms", scale: 1 }])
        .doc("How far in the past a record's timestamp may lie.");
    pub message_timestamp_type: TimestampType = entry("message.timestamp.type", String, Some("CreateTime"), OneOf(&["CreateTime", "LogAppendTime"]), ClusterWide, Medium).synonyms(&[Synonym { name: "log.message.timestamp.type", scale: 1 }])
        .doc("Whether timestamps are the producer's or the time of the append.");
    pub min_cleanable_dirty_ratio: f64 = entry("min.cleanable.dirty.ratio", Double, Some("0.5"), DoubleRange { min: 0.0, max: 1.0 }, ClusterWide, Medium).synonyms(&[Synonym { name: "log.cleaner.min.cleanable.ratio", scale: 1 }])
        .doc("Share of a log that must be dirty before it is cleaned.");
    pub min_compaction_lag_ms: i64 = entry("min.compaction.lag.ms", Long, Some("0"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "log.cleaner.min.compaction.lag.ms", scale: 1 }])
        .doc("A record stays untouched by the cleaner for at least this time.");
    pub min_insync_replicas: i32 = entry("min.insync.replicas", Int, Some("1"), at_least(1), ClusterWide, Medium).synonyms(&[Synonym { name: "min.insync.replicas", scale: 1 }])
        .doc("Replicas that must have a write before acks=all is answered.");
    /// -1 is no limit.
    pub retention_bytes: i64 = entry("retention.bytes", Long, Some("-1"), Any, ClusterWide, Medium).synonyms(&[Synonym { name: "log.retention.bytes", scale: 1 }])
        .doc("Bytes of a partition that are kept; -1 is no limit.");
    /// -1 is for ever.
    pub retention_ms: i64 = entry("retention.ms", Long, Some("604800000"), at_least(-1), ClusterWide, Medium).synonyms(&[Synonym { name: "log.retention.ms", scale: 1 }, Synonym { name: "log.retention.minutes", scale: 60000 }, Synonym { name: "log.retention.hours", scale: 3600000 }])
        .doc("Milliseconds that data is kept; -1 is for ever.");
    pub segment_bytes: i32 = entry("segment.bytes", Int, Some("1073741824"), at_least(1048576), ClusterWide, Medium).synonyms(&[Synonym { name: "log.segment.bytes", scale: 1 }])
        .doc("Largest size of a segment file.");
    pub segment_index_bytes: i32 = entry("segment.index.bytes", Int, Some("10485760"), at_least(4), ClusterWide, Medium).synonyms(&[Synonym { name: "log.index.size.max.bytes", scale: 1 }])
        .doc("Largest size of an index file.");
    pub segment_jitter_ms: i64 = entry("segment.jitter.ms", Long, Some("0"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "log.roll.jitter.ms", scale: 1 }, Synonym { name: "log.roll.jitter.hours", scale: 3600000 }])
        .doc("Most milliseconds randomly taken off the roll time.");
    pub segment_ms: i64 = entry("segment.ms", Long, Some("604800000"), at_least(1), ClusterWide, Medium).synonyms(&[Synonym { name: "log.roll.ms", scale: 1 }, Synonym { name: "log.roll.hours", scale: 3600000 }])
        .doc("Milliseconds after which a new segment is begun.");
    pub unclean_leader_election_enable: bool = entry("unclean.leader.election.enable", Boolean, Some("false"), Any, ClusterWide, Medium).synonyms(&[Synonym { name: "unclean.leader.election.enable", scale: 1 }])
        .doc("Whether a replica that is out of sync may become leader and lose data.");
}

#[rustfmt::skip]
static WITHOUT_EFFECT: &[ConfigRow] = &[
    entry("file.delete.delay.ms", Long, Some("60000"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "log.segment.delete.delay.ms", scale: 1 }])
        .doc("How long a deleted file stays on disk before it is removed."),
    entry("local.retention.bytes", Long, Some("-2"), at_least(-2), ClusterWide, Medium).synonyms(&[Synonym { name: "log.local.retention.bytes", scale: 1 }])
        .doc("Bytes kept on this disk when the topic is tiered; -2 takes retention.bytes."),
    entry("local.retention.ms", Long, Some("-2"), at_least(-2), ClusterWide, Medium).synonyms(&[Synonym { name: "log.local.retention.ms", scale: 1 }])
        .doc("Time kept on this disk when the topic is tiered; -2 takes retention.ms."),
    entry("preallocate", Boolean, Some("false"), Any, ClusterWide, Medium).synonyms(&[Synonym { name: "log.preallocate", scale: 1 }])
        .doc("Whether segment files are created at full size."),
    entry("remote.log.copy.disable", Boolean, Some("false"), Any, ClusterWide, Medium)
        .doc("Whether a tiered topic stops copying new segments to the tier."),
    entry("remote.log.delete.on.disable", Boolean, Some("false"), Any, ClusterWide, Medium)
        .doc("Whether tiered data is deleted when tiering is switched off."),
    entry("remote.storage.enable", Boolean, Some("false"), Any, ClusterWide, Medium)
        .doc("Whether the topic is tiered."),
];

static SORTED: LazyLock<Vec<&'static ConfigRow>> = LazyLock::new(|| {
    let mut rows: Vec<&'static ConfigRow> = IN_FORCE.iter().chain(WITHOUT_EFFECT).collect();
    rows.sort_by_key(|row| row.name);
    assert!(rows.windows(2).all(|pair| pair[0].name < pair[1].name), "a key is in one table");
    rows
});

/// Every topic row, by name.
pub fn rows() -> &'static [&'static ConfigRow] {
    &SORTED
}

/// The row of a key.
pub fn row(name: &str) -> Option<&'static ConfigRow> {
    SORTED.binary_search_by(|row| row.name.cmp(name)).ok().map(|index| SORTED[index])
}
