//! Rows: the topic keys with their broker synonyms, as Apache Kafka 4.3.1 defines them; the sentences are ours.
//! core

use crate::row::ConfigType::*;
use crate::row::DynamicMode::*;
use crate::row::Importance::*;
use crate::row::Validation::*;
use crate::row::{ConfigRow, Synonym, at_least, between, list, row as entry};
use crate::validators;

#[rustfmt::skip]
pub static ROWS: &[ConfigRow] = &[
    entry("cleanup.policy", List, Some("delete"), list(&["compact", "delete"], true), ClusterWide, Medium).synonyms(&[Synonym { name: "log.cleanup.policy", scale: 1 }]).used()
        .doc("What becomes of old data: delete, compact, both, or nothing when empty."),
    entry("compression.gzip.level", Int, Some("-1"), Custom(validators::gzip_level), ClusterWide, Medium).synonyms(&[Synonym { name: "compression.gzip.level", scale: 1 }]).used()
        .doc("Level used when the topic is stored as gzip; -1 is the codec's own default."),
    entry("compression.lz4.level", Int, Some("9"), between(1, 17), ClusterWide, Medium).synonyms(&[Synonym { name: "compression.lz4.level", scale: 1 }]).used()
        .doc("Level used when the topic is stored as lz4."),
    entry("compression.type", String, Some("producer"), OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), ClusterWide, Medium).synonyms(&[Synonym { name: "compression.type", scale: 1 }]).used()
        .doc("Codec in which the topic is stored; producer keeps what the producer chose."),
    entry("compression.zstd.level", Int, Some("3"), between(-131072, 22), ClusterWide, Medium).synonyms(&[Synonym { name: "compression.zstd.level", scale: 1 }]).used()
        .doc("Level used when the topic is stored as zstd."),
    entry("delete.retention.ms", Long, Some("86400000"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "log.cleaner.delete.retention.ms", scale: 1 }]).used()
        .doc("How long a delete marker stays in a compacted topic."),
    entry("file.delete.delay.ms", Long, Some("60000"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "log.segment.delete.delay.ms", scale: 1 }]).used()
        .doc("How long a deleted file stays on disk before it is removed."),
    entry("flush.messages", Long, Some("9223372036854775807"), at_least(1), ClusterWide, Medium).synonyms(&[Synonym { name: "log.flush.interval.messages", scale: 1 }]).used()
        .doc("Records after which a partition is forced to disk."),
    entry("flush.ms", Long, Some("9223372036854775807"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "log.flush.interval.ms", scale: 1 }, Synonym { name: "log.flush.scheduler.interval.ms", scale: 1 }]).used()
        .doc("Time after which a partition is forced to disk."),
    entry("follower.replication.throttled.replicas", List, Some(""), Custom(validators::throttled_replicas), ClusterWide, Medium)
        .doc("Replicas throttled on the follower's side, as partition:broker, or * for all."),
    entry("index.interval.bytes", Int, Some("4096"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "log.index.interval.bytes", scale: 1 }]).used()
        .doc("Bytes of data between two entries of the offset index."),
    entry("internal.segment.bytes", Int, None, Any, ClusterWide, Medium).internal()
        .doc("Largest size of a segment file without a lower bound, for tests."),
    entry("leader.replication.throttled.replicas", List, Some(""), Custom(validators::throttled_replicas), ClusterWide, Medium)
        .doc("Replicas throttled on the leader's side, as partition:broker, or * for all."),
    entry("local.retention.bytes", Long, Some("-2"), at_least(-2), ClusterWide, Medium).synonyms(&[Synonym { name: "log.local.retention.bytes", scale: 1 }])
        .doc("Bytes kept on this disk when the topic is tiered; -2 takes retention.bytes."),
    entry("local.retention.ms", Long, Some("-2"), at_least(-2), ClusterWide, Medium).synonyms(&[Synonym { name: "log.local.retention.ms", scale: 1 }])
        .doc("Time kept on this disk when the topic is tiered; -2 takes retention.ms."),
    entry("max.compaction.lag.ms", Long, Some("9223372036854775807"), at_least(1), ClusterWide, Medium).synonyms(&[Synonym { name: "log.cleaner.max.compaction.lag.ms", scale: 1 }]).used()
        .doc("A record is cleaned after this time at the latest."),
    entry("max.message.bytes", Int, Some("1048588"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "message.max.bytes", scale: 1 }]).used()
        .doc("Largest record batch that is accepted, as it is on the wire."),
    entry("message.timestamp.after.max.ms", Long, Some("3600000"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "log.message.timestamp.after.max.ms", scale: 1 }]).used()
        .doc("How far in the future a record's timestamp may lie."),
    entry("message.timestamp.before.max.ms", Long, Some("9223372036854775807"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "log.message.timestamp.before.max.ms", scale: 1 }]).used()
        .doc("How far in the past a record's timestamp may lie."),
    entry("message.timestamp.type", String, Some("CreateTime"), OneOf(&["CreateTime", "LogAppendTime"]), ClusterWide, Medium).synonyms(&[Synonym { name: "log.message.timestamp.type", scale: 1 }]).used()
        .doc("Whether timestamps are the producer's or the time of the append."),
    entry("min.cleanable.dirty.ratio", Double, Some("0.5"), DoubleRange { min: 0.0, max: 1.0 }, ClusterWide, Medium).synonyms(&[Synonym { name: "log.cleaner.min.cleanable.ratio", scale: 1 }]).used()
        .doc("Share of a log that must be dirty before it is cleaned."),
    entry("min.compaction.lag.ms", Long, Some("0"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "log.cleaner.min.compaction.lag.ms", scale: 1 }]).used()
        .doc("A record stays untouched by the cleaner for at least this time."),
    entry("min.insync.replicas", Int, Some("1"), at_least(1), ClusterWide, Medium).synonyms(&[Synonym { name: "min.insync.replicas", scale: 1 }]).used()
        .doc("Replicas that must have a write before acks=all is answered."),
    entry("preallocate", Boolean, Some("false"), Any, ClusterWide, Medium).synonyms(&[Synonym { name: "log.preallocate", scale: 1 }])
        .doc("Whether segment files are created at full size."),
    entry("remote.log.copy.disable", Boolean, Some("false"), Any, ClusterWide, Medium)
        .doc("Whether a tiered topic stops copying new segments to the tier."),
    entry("remote.log.delete.on.disable", Boolean, Some("false"), Any, ClusterWide, Medium)
        .doc("Whether tiered data is deleted when tiering is switched off."),
    entry("remote.storage.enable", Boolean, Some("false"), Any, ClusterWide, Medium)
        .doc("Whether the topic is tiered."),
    entry("retention.bytes", Long, Some("-1"), Any, ClusterWide, Medium).synonyms(&[Synonym { name: "log.retention.bytes", scale: 1 }]).used()
        .doc("Bytes of a partition that are kept; -1 is no limit."),
    entry("retention.ms", Long, Some("604800000"), at_least(-1), ClusterWide, Medium).synonyms(&[Synonym { name: "log.retention.ms", scale: 1 }, Synonym { name: "log.retention.minutes", scale: 60000 }, Synonym { name: "log.retention.hours", scale: 3600000 }]).used()
        .doc("Milliseconds that data is kept; -1 is for ever."),
    entry("segment.bytes", Int, Some("1073741824"), at_least(1048576), ClusterWide, Medium).synonyms(&[Synonym { name: "log.segment.bytes", scale: 1 }]).used()
        .doc("Largest size of a segment file."),
    entry("segment.index.bytes", Int, Some("10485760"), at_least(4), ClusterWide, Medium).synonyms(&[Synonym { name: "log.index.size.max.bytes", scale: 1 }]).used()
        .doc("Largest size of an index file."),
    entry("segment.jitter.ms", Long, Some("0"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "log.roll.jitter.ms", scale: 1 }, Synonym { name: "log.roll.jitter.hours", scale: 3600000 }]).used()
        .doc("Most milliseconds randomly taken off the roll time."),
    entry("segment.ms", Long, Some("604800000"), at_least(1), ClusterWide, Medium).synonyms(&[Synonym { name: "log.roll.ms", scale: 1 }, Synonym { name: "log.roll.hours", scale: 3600000 }]).used()
        .doc("Milliseconds after which a new segment is begun."),
    entry("unclean.leader.election.enable", Boolean, Some("false"), Any, ClusterWide, Medium).synonyms(&[Synonym { name: "unclean.leader.election.enable", scale: 1 }])
        .doc("Whether a replica that is out of sync may become leader and lose data."),
];

/// The row of a key.
pub fn row(name: &str) -> Option<&'static ConfigRow> {
    ROWS.iter().find(|row| row.name == name)
}
