//! Rows: the group keys with their broker synonyms, as Apache Kafka 4.3.1 defines them; the sentences are ours.
//! Core. A key that does something stands beside the typed field that reads it.

use std::sync::LazyLock;

use crate::group_config::{AutoOffsetReset, IsolationLevel};
use crate::keys::keys;
use crate::row::ConfigType::*;
use crate::row::DynamicMode::*;
use crate::row::Importance::*;
use crate::row::Validation::*;
use crate::row::{ConfigRow, Synonym, at_least, row as entry};
use crate::validators;

keys! {
    /// What holds for one share group: its own settings over the broker's.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct ShareGroupConfig;
    rows IN_FORCE;

    pub assignment_interval_ms: i32 = entry("share.assignment.interval.ms", Int, Some("1000"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "group.share.assignment.interval.ms", scale: 1 }])
        .doc("Shortest time between two assignments of the group.");
    pub auto_offset_reset: AutoOffsetReset = entry("share.auto.offset.reset", String, Some("latest"), Custom(validators::auto_offset_reset), ClusterWide, Medium)
        .doc("Where a new share group begins: latest, earliest or by_duration:P...");
    pub delivery_count_limit: i32 = entry("share.delivery.count.limit", Int, Some("5"), at_least(2), ClusterWide, Medium).synonyms(&[Synonym { name: "group.share.delivery.count.limit", scale: 1 }])
        .doc("How often a record is delivered at most.");
    pub heartbeat_interval_ms: i32 = entry("share.heartbeat.interval.ms", Int, Some("5000"), at_least(1), ClusterWide, Medium).synonyms(&[Synonym { name: "group.share.heartbeat.interval.ms", scale: 1 }])
        .doc("Heartbeat interval given to the members.");
    pub isolation_level: IsolationLevel = entry("share.isolation.level", String, Some("read_uncommitted"), OneOf(&["read_committed", "read_uncommitted"]), ClusterWide, Medium)
        .doc("Whether records of open and aborted transactions are delivered.");
    pub partition_record_locks_max: i32 = entry("share.partition.max.record.locks", Int, Some("2000"), at_least(100), ClusterWide, Medium).synonyms(&[Synonym { name: "group.share.partition.max.record.locks", scale: 1 }])
        .doc("Most records locked at once in a partition.");
    pub record_lock_duration_ms: i32 = entry("share.record.lock.duration.ms", Int, Some("30000"), at_least(1000), ClusterWide, Medium).synonyms(&[Synonym { name: "group.share.record.lock.duration.ms", scale: 1 }])
        .doc("How long a record stays locked for the member that acquired it.");
    pub is_renew_enabled: bool = entry("share.renew.acknowledge.enable", Boolean, Some("true"), Any, ClusterWide, Medium)
        .doc("Whether a member may renew its lock on a record.");
    pub session_timeout_ms: i32 = entry("share.session.timeout.ms", Int, Some("45000"), at_least(1), ClusterWide, Medium).synonyms(&[Synonym { name: "group.share.session.timeout.ms", scale: 1 }])
        .doc("A member silent for this long leaves the group.");
}

keys! {
    /// What holds for one consumer group: its own settings over the broker's.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct ConsumerGroupConfig;
    rows CONSUMER_IN_FORCE;

    pub assignment_interval_ms: i32 = entry("consumer.assignment.interval.ms", Int, Some("1000"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "group.consumer.assignment.interval.ms", scale: 1 }])
        .doc("Shortest time between two assignments of the group.");
    pub heartbeat_interval_ms: i32 = entry("consumer.heartbeat.interval.ms", Int, Some("5000"), at_least(1), ClusterWide, Medium).synonyms(&[Synonym { name: "group.consumer.heartbeat.interval.ms", scale: 1 }])
        .doc("Heartbeat interval given to the members.");
    pub session_timeout_ms: i32 = entry("consumer.session.timeout.ms", Int, Some("45000"), at_least(1), ClusterWide, Medium).synonyms(&[Synonym { name: "group.consumer.session.timeout.ms", scale: 1 }])
        .doc("A member silent for this long leaves the group.");
}

keys! {
    /// What holds for one streams group: its own settings over the broker's.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct StreamsGroupConfig;
    rows STREAMS_IN_FORCE;

    pub assignment_interval_ms: i32 = entry("streams.assignment.interval.ms", Int, Some("1000"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "group.streams.assignment.interval.ms", scale: 1 }])
        .doc("Shortest time between two assignments of the group.");
    pub heartbeat_interval_ms: i32 = entry("streams.heartbeat.interval.ms", Int, Some("5000"), at_least(1), ClusterWide, Medium).synonyms(&[Synonym { name: "group.streams.heartbeat.interval.ms", scale: 1 }])
        .doc("Heartbeat interval given to the members.");
    pub initial_rebalance_delay_ms: i32 = entry("streams.initial.rebalance.delay.ms", Int, Some("3000"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "group.streams.initial.rebalance.delay.ms", scale: 1 }])
        .doc("How long a new group waits for more members.");
    pub num_standby_replicas: i32 = entry("streams.num.standby.replicas", Int, Some("0"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "group.streams.num.standby.replicas", scale: 1 }])
        .doc("Standby replicas of each task.");
    pub session_timeout_ms: i32 = entry("streams.session.timeout.ms", Int, Some("45000"), at_least(1), ClusterWide, Medium).synonyms(&[Synonym { name: "group.streams.session.timeout.ms", scale: 1 }])
        .doc("A member silent for this long leaves the group.");
}

/// The keys in force, with the fields that read them.
pub(crate) const TABLES: &[(&[ConfigRow], &[&str])] = &[
    (IN_FORCE, ShareGroupConfig::FIELDS),
    (CONSUMER_IN_FORCE, ConsumerGroupConfig::FIELDS),
    (STREAMS_IN_FORCE, StreamsGroupConfig::FIELDS),
];

/// Whether a key does something.
pub(crate) fn is_in_force(name: &str) -> bool {
    TABLES.iter().flat_map(|(rows, _)| *rows).any(|row| row.name == name)
}

static SORTED: LazyLock<Vec<&'static ConfigRow>> = LazyLock::new(|| {
    let mut rows: Vec<&'static ConfigRow> = TABLES.iter().flat_map(|(rows, _)| *rows).collect();
    rows.sort_by_key(|row| row.name);
    assert!(rows.windows(2).all(|pair| pair[0].name < pair[1].name), "a key is in one table");
    rows
});

/// Every group row, by name.
pub fn rows() -> &'static [&'static ConfigRow] {
    &SORTED
}

/// The row of a key.
pub fn row(name: &str) -> Option<&'static ConfigRow> {
    SORTED.binary_search_by(|row| row.name.cmp(name)).ok().map(|index| SORTED[index])
}
