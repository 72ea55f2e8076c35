//! Rows: the broker keys about logs, compression and tiering, as Apache Kafka 4.3.1 defines them; the sentences are ours.
//! Core.

use crate::row::ConfigType::*;
use crate::row::DynamicMode::*;
use crate::row::Importance::*;
use crate::row::Validation::*;
use crate::row::{ConfigRow, at_least, between, list, row};
use crate::validators;

#[rustfmt::skip]
pub(crate) static LOG: &[ConfigRow] = &[
    row("compression.gzip.level", Int, Some("-1"), Custom(validators::gzip_level), ClusterWide, Medium)
        .doc("Level used when a topic is stored as gzip; -1 is the codec's own default."),
    row("compression.lz4.level", Int, Some("9"), between(1, 17), ClusterWide, Medium)
        .doc("Level used when a topic is stored as lz4."),
    row("compression.type", String, Some("producer"), OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), ClusterWide, High)
        .doc("Codec in which topics are stored; producer keeps what the producer chose."),
    row("compression.zstd.level", Int, Some("3"), between(-131072, 22), ClusterWide, Medium)
        .doc("Level used when a topic is stored as zstd."),
    row("follower.fetch.last.tiered.offset.enable", Boolean, Some("false"), Any, ClusterWide, Medium)
        .doc("Whether an empty follower starts at the last tiered offset."),
    row("log.cleaner.delete.retention.ms", Long, Some("86400000"), at_least(0), ClusterWide, Medium)
        .doc("How long a delete marker stays in a compacted log."),
    row("log.cleaner.max.compaction.lag.ms", Long, Some("9223372036854775807"), at_least(1), ClusterWide, Medium)
        .doc("A record is cleaned after this time at the latest."),
    row("log.cleaner.min.cleanable.ratio", Double, Some("0.5"), DoubleRange { min: 0.0, max: 1.0 }, ClusterWide, Medium)
        .doc("Share of a log that must be dirty before it is cleaned."),
    row("log.cleaner.min.compaction.lag.ms", Long, Some("0"), at_least(0), ClusterWide, Medium)
        .doc("A record stays untouched by the cleaner for at least this time."),
    row("log.cleanup.policy", List, Some("delete"), list(&["compact", "delete"], true), ClusterWide, Medium)
        .doc("What becomes of old data: delete, compact, both, or nothing when empty."),
    row("log.dir.failure.timeout.ms", Long, Some("30000"), at_least(1), ReadOnly, Low)
        .doc("A broker that cannot report a failed directory within this time stops."),
    row("log.flush.interval.messages", Long, Some("9223372036854775807"), at_least(1), ClusterWide, High)
        .doc("Records after which a partition is forced to disk."),
    row("log.flush.interval.ms", Long, None, Any, ClusterWide, High)
        .doc("Time after which a partition is forced to disk; unset, the scheduler interval is taken."),
    row("log.flush.scheduler.interval.ms", Long, Some("9223372036854775807"), Any, ReadOnly, High)
        .doc("How often it is looked whether a partition is due for a flush."),
    row("log.flush.start.offset.checkpoint.interval.ms", Int, Some("60000"), at_least(0), ReadOnly, High)
        .doc("How often the log start offsets are written down."),
    row("log.index.interval.bytes", Int, Some("4096"), at_least(0), ClusterWide, Medium)
        .doc("Bytes of data between two entries of the offset index."),
    row("log.index.size.max.bytes", Int, Some("10485760"), at_least(4), ClusterWide, Medium)
        .doc("Largest size of an index file."),
    row("log.initial.task.delay.ms", Long, Some("30000"), at_least(0), ReadOnly, Low).internal()
        .doc("Delay before the periodic tasks of the log start."),
    row("log.local.retention.bytes", Long, Some("-2"), at_least(-2), ClusterWide, Medium)
        .doc("Bytes kept on this disk for a tiered partition; -2 takes log.retention.bytes."),
    row("log.local.retention.ms", Long, Some("-2"), at_least(-2), ClusterWide, Medium)
        .doc("Time kept on this disk for a tiered partition; -2 takes log.retention.ms."),
    row("log.message.timestamp.after.max.ms", Long, Some("3600000"), at_least(0), ClusterWide, Medium)
        .doc("How far in the future a record's timestamp may lie."),
    row("log.message.timestamp.before.max.ms", Long, Some("9223372036854775807"), at_least(0), ClusterWide, Medium)
        .doc("How far in the past a record's timestamp may lie."),
    row("log.message.timestamp.type", String, Some("CreateTime"), OneOf(&["CreateTime", "LogAppendTime"]), ClusterWide, Medium)
        .doc("Whether timestamps are the producer's or the time of the append."),
    row("log.preallocate", Boolean, Some("false"), Any, ClusterWide, Medium)
        .doc("Whether segment files are created at full size."),
    row("log.retention.bytes", Long, Some("-1"), Any, ClusterWide, High)
        .doc("Bytes of a partition that are kept; -1 is no limit."),
    row("log.retention.hours", Int, Some("168"), Any, ReadOnly, High)
        .doc("Hours that data is kept; minutes and milliseconds win over it."),
    row("log.retention.minutes", Int, None, Any, ReadOnly, High)
        .doc("Minutes that data is kept; milliseconds win over it."),
    row("log.retention.ms", Long, None, Any, ClusterWide, High)
        .doc("Milliseconds that data is kept; -1 is for ever."),
    row("log.roll.hours", Int, Some("168"), at_least(1), ReadOnly, High)
        .doc("Hours after which a new segment is begun; log.roll.ms wins over it."),
    row("log.roll.jitter.hours", Int, Some("0"), at_least(0), ReadOnly, High)
        .doc("Most hours randomly taken off the roll time; log.roll.jitter.ms wins over it."),
    row("log.roll.jitter.ms", Long, None, Any, ClusterWide, High)
        .doc("Most milliseconds randomly taken off the roll time."),
    row("log.roll.ms", Long, None, Any, ClusterWide, High)
        .doc("Milliseconds after which a new segment is begun."),
    row("log.segment.bytes", Int, Some("1073741824"), at_least(1048576), ClusterWide, High)
        .doc("Largest size of a segment file."),
    row("log.segment.delete.delay.ms", Long, Some("60000"), at_least(0), ClusterWide, High)
        .doc("How long a deleted file stays on disk before it is removed."),
    row("message.max.bytes", Int, Some("1048588"), at_least(0), ClusterWide, High)
        .doc("Largest record batch that is accepted, as it is on the wire."),
    row("remote.fetch.max.wait.ms", Int, Some("500"), at_least(1), ClusterWide, Medium)
        .doc("How long a fetch may wait for tiered data."),
    row("remote.list.offsets.request.timeout.ms", Long, Some("30000"), at_least(1), ClusterWide, Medium)
        .doc("How long an offset look-up in tiered data may take."),
    row("remote.log.index.file.cache.total.size.bytes", Long, Some("1073741824"), at_least(1), ClusterWide, Low)
        .doc("Disk space for cached indexes of tiered segments."),
    row("remote.log.index.file.cache.ttl.ms", Long, Some("900000"), at_least(-1), ReadOnly, Low).internal()
        .doc("How long the index of a tiered segment stays cached."),
    row("remote.log.manager.copier.thread.pool.size", Int, Some("10"), at_least(1), ClusterWide, Medium)
        .doc("Threads that copy segments to the tier."),
    row("remote.log.manager.copy.max.bytes.per.second", Long, Some("9223372036854775807"), at_least(1), ClusterWide, Medium)
        .doc("Most bytes a second copied to the tier."),
    row("remote.log.manager.copy.quota.window.num", Int, Some("11"), at_least(1), ReadOnly, Medium)
        .doc("How many samples the quota of copies to the tier keeps."),
    row("remote.log.manager.copy.quota.window.size.seconds", Int, Some("1"), at_least(1), ReadOnly, Medium)
        .doc("Length of one sample of the quota of copies to the tier."),
    row("remote.log.manager.expiration.thread.pool.size", Int, Some("10"), at_least(1), ClusterWide, Medium)
        .doc("Threads that remove expired tiered segments."),
    row("remote.log.manager.fetch.max.bytes.per.second", Long, Some("9223372036854775807"), at_least(1), ClusterWide, Medium)
        .doc("Most bytes a second read from the tier."),
    row("remote.log.manager.fetch.quota.window.num", Int, Some("11"), at_least(1), ReadOnly, Medium)
        .doc("How many samples the quota of reads from the tier keeps."),
    row("remote.log.manager.fetch.quota.window.size.seconds", Int, Some("1"), at_least(1), ReadOnly, Medium)
        .doc("Length of one sample of the quota of reads from the tier."),
    row("remote.log.manager.follower.thread.pool.size", Int, Some("2"), at_least(1), ClusterWide, Medium)
        .doc("Threads that follow tiered partitions."),
    row("remote.log.manager.task.interval.ms", Long, Some("30000"), at_least(1), ReadOnly, Low)
        .doc("How often segments are copied and expired segments removed."),
    row("remote.log.manager.task.retry.backoff.max.ms", Long, Some("30000"), at_least(1), ReadOnly, Low).internal()
        .doc("Longest pause before a tier task is tried again."),
    row("remote.log.manager.task.retry.backoff.ms", Long, Some("500"), at_least(1), ReadOnly, Low).internal()
        .doc("First pause before a tier task is tried again."),
    row("remote.log.manager.task.retry.jitter", Double, Some("0.2"), DoubleRange { min: 0.0, max: 0.5 }, ReadOnly, Low).internal()
        .doc("Randomness of the pause before a tier task is tried again."),
    row("remote.log.manager.thread.pool.size", Int, Some("2"), at_least(1), ReadOnly, Medium)
        .doc("Threads of the older pool for tier tasks."),
    row("remote.log.metadata.custom.metadata.max.bytes", Int, Some("128"), at_least(0), ReadOnly, Low)
        .doc("Largest custom metadata of a tiered segment."),
    row("remote.log.metadata.manager.class.name", String, Some("org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager"), NonEmpty, ReadOnly, Medium)
        .doc("Java class that keeps metadata of tiered segments."),
    row("remote.log.metadata.manager.class.path", String, None, Any, ReadOnly, Medium)
        .doc("Class path of the metadata plugin of the tier."),
    row("remote.log.metadata.manager.impl.prefix", String, Some("rlmm.config."), NonEmpty, ReadOnly, Medium)
        .doc("Prefix of configs handed to the metadata plugin of the tier."),
    row("remote.log.metadata.manager.listener.name", String, None, NonEmpty, ReadOnly, Medium)
        .doc("Listener the metadata plugin of the tier connects to."),
    row("remote.log.reader.max.pending.tasks", Int, Some("100"), at_least(1), ReadOnly, Medium)
        .doc("Queue of reads from the tier."),
    row("remote.log.reader.threads", Int, Some("10"), at_least(1), ClusterWide, Medium)
        .doc("Threads that read from the tier."),
    row("remote.log.storage.manager.class.name", String, None, NonEmpty, ReadOnly, Medium)
        .doc("Java class that stores tiered segments."),
    row("remote.log.storage.manager.class.path", String, None, Any, ReadOnly, Medium)
        .doc("Class path of the storage plugin of the tier."),
    row("remote.log.storage.manager.impl.prefix", String, Some("rsm.config."), NonEmpty, ReadOnly, Medium)
        .doc("Prefix of configs handed to the storage plugin of the tier."),
    row("remote.log.storage.system.enable", Boolean, Some("false"), Any, ReadOnly, Medium)
        .doc("Whether tiered storage is switched on."),
];
