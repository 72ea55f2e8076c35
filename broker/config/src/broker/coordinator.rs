//! Rows: the broker keys about groups, offsets, share groups and transactions, as Apache Kafka 4.3.1 defines them; the sentences are ours.
//! Core.

use crate::row::ConfigType::*;
use crate::row::DynamicMode::*;
use crate::row::Importance::*;
use crate::row::Validation::*;
use crate::row::{ConfigRow, at_least, between, list, row};

#[rustfmt::skip]
pub(crate) static COORDINATOR: &[ConfigRow] = &[
    row("add.partitions.to.txn.retry.backoff.max.ms", Int, Some("100"), at_least(0), ReadOnly, High)
        .doc("Longest pause between tries to add partitions to a transaction."),
    row("add.partitions.to.txn.retry.backoff.ms", Int, Some("20"), at_least(1), ReadOnly, High)
        .doc("First pause before adding partitions to a transaction is tried again."),
    row("group.consumer.assignment.interval.ms", Int, Some("1000"), at_least(0), ClusterWide, Medium)
        .doc("Shortest time between two assignments of a consumer group."),
    row("group.consumer.heartbeat.interval.ms", Int, Some("5000"), at_least(1), ReadOnly, Medium)
        .doc("Heartbeat interval given to members of consumer groups."),
    row("group.consumer.max.assignment.interval.ms", Int, Some("15000"), at_least(0), ReadOnly, Medium)
        .doc("Largest assignment interval a consumer group may set."),
    row("group.consumer.max.heartbeat.interval.ms", Int, Some("15000"), at_least(1), ReadOnly, Medium)
        .doc("Largest heartbeat interval a consumer group may set."),
    row("group.consumer.max.session.timeout.ms", Int, Some("60000"), at_least(1), ReadOnly, Medium)
        .doc("Largest session timeout a consumer group may set."),
    row("group.consumer.min.assignment.interval.ms", Int, Some("0"), at_least(0), ReadOnly, Medium)
        .doc("Smallest assignment interval a consumer group may set."),
    row("group.consumer.min.heartbeat.interval.ms", Int, Some("5000"), at_least(1), ReadOnly, Medium)
        .doc("Smallest heartbeat interval a consumer group may set."),
    row("group.consumer.min.session.timeout.ms", Int, Some("45000"), at_least(1), ReadOnly, Medium)
        .doc("Smallest session timeout a consumer group may set."),
    row("group.consumer.session.timeout.ms", Int, Some("45000"), at_least(1), ReadOnly, Medium)
        .doc("Session timeout of members of consumer groups."),
    row("group.coordinator.append.linger.ms", Int, Some("-1"), at_least(-1), ReadOnly, Medium)
        .doc("How long the group coordinator gathers writes; -1 adapts by itself."),
    row("group.coordinator.background.threads", Int, Some("2"), at_least(1), ReadOnly, High)
        .doc("Threads for background work of the group coordinator."),
    row("group.coordinator.cached.buffer.max.bytes", Int, Some("1048588"), at_least(524288), ClusterWide, Medium)
        .doc("Largest write buffer the group coordinator keeps for reuse."),
    row("group.coordinator.threads", Int, Some("4"), at_least(1), ReadOnly, High)
        .doc("Threads of the group coordinator."),
    row("group.share.assignment.interval.ms", Int, Some("1000"), at_least(0), ClusterWide, Medium)
        .doc("Shortest time between two assignments of a share group."),
    row("group.share.assignors", List, Some("simple"), list(&[], false), ReadOnly, Medium)
        .doc("Server-side assignors of share groups."),
    row("group.share.delivery.count.limit", Int, Some("5"), between(2, 10), ReadOnly, Medium)
        .doc("How often a record is delivered to a share group at most."),
    row("group.share.heartbeat.interval.ms", Int, Some("5000"), at_least(1), ReadOnly, Medium)
        .doc("Heartbeat interval given to members of share groups."),
    row("group.share.max.assignment.interval.ms", Int, Some("15000"), at_least(0), ReadOnly, Medium)
        .doc("Largest assignment interval a share group may set."),
    row("group.share.max.delivery.count.limit", Int, Some("10"), between(5, 25), ReadOnly, Medium)
        .doc("Largest delivery limit a share group may set."),
    row("group.share.max.heartbeat.interval.ms", Int, Some("15000"), at_least(1), ReadOnly, Medium)
        .doc("Largest heartbeat interval a share group may set."),
    row("group.share.max.partition.max.record.locks", Int, Some("4000"), between(2000, 10000), ReadOnly, Medium)
        .doc("Largest number of locked records per partition a share group may set."),
    row("group.share.max.record.lock.duration.ms", Int, Some("60000"), between(30000, 3600000), ReadOnly, Medium)
        .doc("Largest lock duration a share group may set."),
    row("group.share.max.session.timeout.ms", Int, Some("60000"), at_least(1), ReadOnly, Medium)
        .doc("Largest session timeout a share group may set."),
    row("group.share.min.assignment.interval.ms", Int, Some("0"), at_least(0), ReadOnly, Medium)
        .doc("Smallest assignment interval a share group may set."),
    row("group.share.min.delivery.count.limit", Int, Some("2"), between(2, 5), ReadOnly, Medium)
        .doc("Smallest delivery limit a share group may set."),
    row("group.share.min.heartbeat.interval.ms", Int, Some("5000"), at_least(1), ReadOnly, Medium)
        .doc("Smallest heartbeat interval a share group may set."),
    row("group.share.min.partition.max.record.locks", Int, Some("100"), between(100, 2000), ReadOnly, Medium)
        .doc("Smallest number of locked records per partition a share group may set."),
    row("group.share.min.record.lock.duration.ms", Int, Some("15000"), between(1000, 30000), ReadOnly, Medium)
        .doc("Smallest lock duration a share group may set."),
    row("group.share.min.session.timeout.ms", Int, Some("45000"), at_least(1), ReadOnly, Medium)
        .doc("Smallest session timeout a share group may set."),
    row("group.share.partition.max.record.locks", Int, Some("2000"), between(100, 10000), ReadOnly, Medium)
        .doc("Most records locked at once in a share partition."),
    row("group.share.persister.class.name", String, Some("org.apache.kafka.server.share.persister.DefaultStatePersister"), Any, ReadOnly, Medium).internal()
        .doc("Java class that stores the state of share groups."),
    row("group.share.record.lock.duration.ms", Int, Some("30000"), between(1000, 3600000), ReadOnly, Medium)
        .doc("How long a record stays locked for the member that acquired it."),
    row("group.share.session.timeout.ms", Int, Some("45000"), at_least(1), ReadOnly, Medium)
        .doc("Session timeout of members of share groups."),
    row("group.streams.assignment.interval.ms", Int, Some("1000"), at_least(0), ClusterWide, Medium)
        .doc("Shortest time between two assignments of a streams group."),
    row("group.streams.heartbeat.interval.ms", Int, Some("5000"), at_least(1), ReadOnly, Medium)
        .doc("Heartbeat interval given to members of streams groups."),
    row("group.streams.initial.rebalance.delay.ms", Int, Some("3000"), at_least(0), ReadOnly, Medium)
        .doc("How long a new streams group waits for more members."),
    row("group.streams.max.assignment.interval.ms", Int, Some("15000"), at_least(0), ReadOnly, Medium)
        .doc("Largest assignment interval a streams group may set."),
    row("group.streams.max.heartbeat.interval.ms", Int, Some("15000"), at_least(1), ReadOnly, Medium)
        .doc("Largest heartbeat interval a streams group may set."),
    row("group.streams.max.session.timeout.ms", Int, Some("60000"), at_least(1), ReadOnly, Medium)
        .doc("Largest session timeout a streams group may set."),
    row("group.streams.max.standby.replicas", Int, Some("2"), at_least(0), ReadOnly, Medium)
        .doc("Most standby replicas a streams group may set."),
    row("group.streams.min.assignment.interval.ms", Int, Some("0"), at_least(0), ReadOnly, Medium)
        .doc("Smallest assignment interval a streams group may set."),
    row("group.streams.min.heartbeat.interval.ms", Int, Some("5000"), at_least(1), ReadOnly, Medium)
        .doc("Smallest heartbeat interval a streams group may set."),
    row("group.streams.min.session.timeout.ms", Int, Some("45000"), at_least(1), ReadOnly, Medium)
        .doc("Smallest session timeout a streams group may set."),
    row("group.streams.num.standby.replicas", Int, Some("0"), at_least(0), ReadOnly, Medium)
        .doc("Standby replicas of each task of a streams group."),
    row("group.streams.session.timeout.ms", Int, Some("45000"), at_least(1), ReadOnly, Medium)
        .doc("Session timeout of members of streams groups."),
    row("offsets.commit.timeout.ms", Int, Some("5000"), at_least(1), ReadOnly, High)
        .doc("How long a commit may wait for its replicas."),
    row("offsets.load.buffer.size", Int, Some("5242880"), at_least(1), ReadOnly, High)
        .doc("Batch size for loading committed offsets."),
    row("producer.id.expiration.check.interval.ms", Int, Some("600000"), at_least(1), ReadOnly, Low).internal()
        .doc("How often it is looked for producers that went away."),
    row("share.coordinator.append.linger.ms", Int, Some("-1"), at_least(-1), ReadOnly, Medium)
        .doc("How long the share coordinator gathers writes; -1 adapts by itself."),
    row("share.coordinator.cached.buffer.max.bytes", Int, Some("1048588"), at_least(524288), ClusterWide, Medium)
        .doc("Largest write buffer the share coordinator keeps for reuse."),
    row("share.coordinator.load.buffer.size", Int, Some("5242880"), at_least(1), ReadOnly, High)
        .doc("Batch size for loading share state."),
    row("share.coordinator.state.topic.min.isr", Short, Some("2"), at_least(1), ReadOnly, High)
        .doc("Least in-sync replicas of the share state topic."),
    row("share.coordinator.threads", Int, Some("1"), at_least(1), ReadOnly, Medium)
        .doc("Threads of the share coordinator."),
    row("share.coordinator.write.timeout.ms", Int, Some("5000"), at_least(1), ReadOnly, High)
        .doc("How long a write of share state may take."),
    row("share.fetch.purgatory.purge.interval.requests", Int, Some("1000"), Any, ReadOnly, Medium)
        .doc("How many waiting share fetches pass between cleanings."),
    row("transaction.partition.verification.enable", Boolean, Some("true"), Any, ClusterWide, Low)
        .doc("Whether a partition checks with the coordinator that it belongs to the transaction."),
    row("transaction.state.log.load.buffer.size", Int, Some("5242880"), at_least(1), ReadOnly, High)
        .doc("Batch size for loading transaction state."),
];
