//! Rows: the broker keys about the node, its sockets, its quorum and replication, as Apache Kafka 4.3.1 defines them; the sentences are ours.
//! Core.

use crate::row::ConfigType::*;
use crate::row::DynamicMode::*;
use crate::row::Importance::*;
use crate::row::Validation::*;
use crate::row::{ConfigRow, at_least, list, row};

#[rustfmt::skip]
pub(crate) static NODE: &[ConfigRow] = &[
    row("alter.config.policy.class.name", Class, None, Any, ReadOnly, Low)
        .doc("Java class that may veto config changes."),
    row("alter.log.dirs.replication.quota.window.num", Int, Some("11"), at_least(1), ReadOnly, Low)
        .doc("How many samples the quota for moves between log directories keeps."),
    row("alter.log.dirs.replication.quota.window.size.seconds", Int, Some("1"), at_least(1), ReadOnly, Low)
        .doc("Length of one sample of the quota for moves between log directories."),
    row("background.threads", Int, Some("10"), at_least(1), ClusterWide, High)
        .doc("Threads for background work."),
    row("broker.id", Int, Some("-1"), Any, ReadOnly, High)
        .doc("Older name of node.id."),
    row("client.quota.callback.class", Class, None, Any, ReadOnly, Low)
        .doc("Java class that decides client quotas."),
    row("config.providers", List, Some(""), list(&[], true), ClusterWide, Low)
        .doc("Names of providers that resolve variables in config values."),
    row("controlled.shutdown.enable", Boolean, Some("true"), Any, ReadOnly, Medium)
        .doc("Whether leadership is handed over before a shutdown."),
    row("controller.performance.always.log.threshold.ms", Long, Some("2000"), at_least(0), ReadOnly, Medium).internal()
        .doc("Controller events slower than this are always logged."),
    row("controller.performance.sample.period.ms", Long, Some("60000"), at_least(100), ReadOnly, Medium).internal()
        .doc("How often the slowest controller events are reported."),
    row("controller.quorum.append.linger.ms", Int, Some("25"), at_least(0), ReadOnly, Medium)
        .doc("How long the metadata leader gathers writes before it flushes them."),
    row("controller.quorum.election.backoff.max.ms", Int, Some("1000"), at_least(0), ReadOnly, High)
        .doc("Longest pause before a new election of the quorum."),
    row("controller.quorum.election.timeout.ms", Int, Some("1000"), at_least(0), ReadOnly, High)
        .doc("How long a candidate waits for votes."),
    row("controller.quorum.fetch.max.bytes", Int, Some("1048576"), at_least(1), ReadOnly, Low)
        .doc("Most bytes of the metadata log fetched at once."),
    row("controller.quorum.fetch.snapshot.max.bytes", Int, Some("1048576"), at_least(1), ReadOnly, Low)
        .doc("Most bytes of a metadata snapshot fetched at once."),
    row("controller.quorum.fetch.timeout.ms", Int, Some("2000"), at_least(0), ReadOnly, High)
        .doc("Without a successful fetch for this long a new quorum leader is sought."),
    row("controller.quorum.request.timeout.ms", Int, Some("2000"), at_least(0), ReadOnly, Medium)
        .doc("How long a request inside the quorum may take."),
    row("controller.quorum.retry.backoff.ms", Int, Some("20"), at_least(0), ReadOnly, Low)
        .doc("Pause before a request inside the quorum is repeated."),
    row("controller.socket.timeout.ms", Int, Some("30000"), Any, ReadOnly, Medium)
        .doc("Socket timeout of connections to the controller."),
    row("create.topic.policy.class.name", Class, None, Any, ReadOnly, Low)
        .doc("Java class that may veto the creation of topics."),
    row("delete.records.purgatory.purge.interval.requests", Int, Some("1"), Any, ReadOnly, Medium)
        .doc("How many waiting DeleteRecords requests pass between cleanings."),
    row("early.start.listeners", List, None, list(&[], true), ReadOnly, High)
        .doc("Listeners opened before the authorizer is ready."),
    row("fetch.purgatory.purge.interval.requests", Int, Some("1000"), Any, ReadOnly, Medium)
        .doc("How many waiting fetches pass between cleanings."),
    row("internal.metadata.delete.delay.millis", Long, Some("60000"), Any, ReadOnly, Low).internal()
        .doc("Delay before an old metadata file is removed."),
    row("internal.metadata.log.segment.bytes", Int, None, Any, ReadOnly, Low).internal()
        .doc("Segment size of the metadata log, for tests."),
    row("internal.metadata.max.batch.size.in.bytes", Int, Some("8388608"), Any, ReadOnly, Low).internal()
        .doc("Largest batch of the metadata log."),
    row("kafka.metrics.polling.interval.secs", Int, Some("10"), at_least(1), ReadOnly, Low)
        .doc("How often the older metrics reporters poll."),
    row("kafka.metrics.reporters", List, Some(""), list(&[], true), ReadOnly, Low)
        .doc("Java classes that report the older metrics."),
    row("metadata.log.dir", String, None, Any, ReadOnly, High)
        .doc("Directory of the cluster metadata; unset, the first log directory."),
    row("metadata.log.max.record.bytes.between.snapshots", Long, Some("20971520"), at_least(1), ReadOnly, High)
        .doc("Bytes of metadata between two snapshots."),
    row("metadata.log.max.snapshot.interval.ms", Long, Some("3600000"), at_least(0), ReadOnly, High)
        .doc("Longest time between two snapshots of the metadata."),
    row("metadata.log.segment.bytes", Int, Some("1073741824"), at_least(8388608), ReadOnly, High)
        .doc("Largest segment of the metadata log."),
    row("metadata.log.segment.ms", Long, Some("604800000"), Any, ReadOnly, High)
        .doc("Time after which the metadata log begins a new segment."),
    row("metadata.max.idle.interval.ms", Int, Some("500"), at_least(0), ReadOnly, Low)
        .doc("How often an idle controller writes a no-op record; 0 is never."),
    row("metadata.max.retention.bytes", Long, Some("104857600"), Any, ReadOnly, High)
        .doc("Bytes of metadata log and snapshots that are kept."),
    row("metadata.max.retention.ms", Long, Some("604800000"), Any, ReadOnly, High)
        .doc("Time that old metadata files are kept."),
    row("metric.reporters", List, Some("org.apache.kafka.common.metrics.JmxReporter"), list(&[], true), ClusterWide, Low)
        .doc("Java classes that report metrics."),
    row("metrics.num.samples", Int, Some("2"), at_least(1), ReadOnly, Low)
        .doc("Samples kept for each metric."),
    row("metrics.recording.level", String, Some("INFO"), Any, ReadOnly, Low)
        .doc("How detailed metrics are: INFO, DEBUG or TRACE."),
    row("metrics.sample.window.ms", Long, Some("30000"), at_least(1), ReadOnly, Low)
        .doc("Length of one metrics sample."),
    row("num.io.threads", Int, Some("8"), at_least(1), ClusterWide, High)
        .doc("Threads that work on requests; the runtime here sizes itself."),
    row("num.network.threads", Int, Some("3"), at_least(1), ClusterWide, High)
        .doc("Threads that read and write sockets; the runtime here sizes itself."),
    row("num.replica.alter.log.dirs.threads", Int, None, Any, ReadOnly, High)
        .doc("Threads that move replicas between directories."),
    row("num.replica.fetchers", Int, Some("1"), at_least(1), ClusterWide, High)
        .doc("Threads that fetch from each other broker."),
    row("producer.purgatory.purge.interval.requests", Int, Some("1000"), Any, ReadOnly, Medium)
        .doc("How many waiting produce requests pass between cleanings."),
    row("queued.max.request.bytes", Long, Some("-1"), Any, ReadOnly, Medium)
        .doc("Bytes of queued requests after which no more are read; -1 is no limit."),
    row("queued.max.requests", Int, Some("500"), at_least(1), ReadOnly, High)
        .doc("Queued requests after which no more are read."),
    row("replica.socket.receive.buffer.bytes", Int, Some("65536"), Any, ReadOnly, High)
        .doc("Receive buffer of a follower's socket."),
    row("replica.socket.timeout.ms", Int, Some("30000"), Any, ReadOnly, High)
        .doc("Timeout of a follower's requests."),
    row("request.timeout.ms", Int, Some("30000"), Any, ReadOnly, High)
        .doc("How long requests of this broker to others may take."),
    row("server.max.startup.time.ms", Long, Some("9223372036854775807"), at_least(0), ReadOnly, Medium).internal()
        .doc("Longest time a start may take."),
    row("socket.connection.setup.timeout.max.ms", Long, Some("30000"), Any, ReadOnly, Medium)
        .doc("Longest time to set up a connection to another broker."),
    row("socket.connection.setup.timeout.ms", Long, Some("10000"), Any, ReadOnly, Medium)
        .doc("First time allowed to set up a connection to another broker."),
    row("socket.listen.backlog.size", Int, Some("50"), at_least(1), ReadOnly, Medium)
        .doc("Connections the system queues before they are accepted."),
];
