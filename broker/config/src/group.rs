//! Rows: the group keys with their broker synonyms, as Apache Kafka 4.3.1 defines them; the sentences are ours.
//! core

use crate::row::ConfigType::*;
use crate::row::DynamicMode::*;
use crate::row::Importance::*;
use crate::row::Validation::*;
use crate::row::{ConfigRow, Synonym, at_least, row as entry};
use crate::validators;

#[rustfmt::skip]
pub static ROWS: &[ConfigRow] = &[
    entry("consumer.assignment.interval.ms", Int, Some("1000"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "group.consumer.assignment.interval.ms", scale: 1 }])
        .doc("Shortest time between two assignments of the group."),
    entry("consumer.heartbeat.interval.ms", Int, Some("5000"), at_least(1), ClusterWide, Medium).synonyms(&[Synonym { name: "group.consumer.heartbeat.interval.ms", scale: 1 }])
        .doc("Heartbeat interval given to the members."),
    entry("consumer.session.timeout.ms", Int, Some("45000"), at_least(1), ClusterWide, Medium).synonyms(&[Synonym { name: "group.consumer.session.timeout.ms", scale: 1 }])
        .doc("A member silent for this long leaves the group."),
    entry("share.assignment.interval.ms", Int, Some("1000"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "group.share.assignment.interval.ms", scale: 1 }])
        .doc("Shortest time between two assignments of the group."),
    entry("share.auto.offset.reset", String, Some("latest"), Custom(validators::auto_offset_reset), ClusterWide, Medium)
        .doc("Where a new share group begins: latest, earliest or by_duration:P..."),
    entry("share.delivery.count.limit", Int, Some("5"), at_least(2), ClusterWide, Medium).synonyms(&[Synonym { name: "group.share.delivery.count.limit", scale: 1 }])
        .doc("How often a record is delivered at most."),
    entry("share.heartbeat.interval.ms", Int, Some("5000"), at_least(1), ClusterWide, Medium).synonyms(&[Synonym { name: "group.share.heartbeat.interval.ms", scale: 1 }])
        .doc("Heartbeat interval given to the members."),
    entry("share.isolation.level", String, Some("read_uncommitted"), OneOf(&["read_committed", "read_uncommitted"]), ClusterWide, Medium)
        .doc("Whether records of open and aborted transactions are delivered."),
    entry("share.partition.max.record.locks", Int, Some("2000"), at_least(100), ClusterWide, Medium).synonyms(&[Synonym { name: "group.share.partition.max.record.locks", scale: 1 }])
        .doc("Most records locked at once in a partition."),
    entry("share.record.lock.duration.ms", Int, Some("30000"), at_least(1000), ClusterWide, Medium).synonyms(&[Synonym { name: "group.share.record.lock.duration.ms", scale: 1 }])
        .doc("How long a record stays locked for the member that acquired it."),
    entry("share.renew.acknowledge.enable", Boolean, Some("true"), Any, ClusterWide, Medium)
        .doc("Whether a member may renew its lock on a record."),
    entry("share.session.timeout.ms", Int, Some("45000"), at_least(1), ClusterWide, Medium).synonyms(&[Synonym { name: "group.share.session.timeout.ms", scale: 1 }])
        .doc("A member silent for this long leaves the group."),
    entry("streams.assignment.interval.ms", Int, Some("1000"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "group.streams.assignment.interval.ms", scale: 1 }])
        .doc("Shortest time between two assignments of the group."),
    entry("streams.heartbeat.interval.ms", Int, Some("5000"), at_least(1), ClusterWide, Medium).synonyms(&[Synonym { name: "group.streams.heartbeat.interval.ms", scale: 1 }])
        .doc("Heartbeat interval given to the members."),
    entry("streams.initial.rebalance.delay.ms", Int, Some("3000"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "group.streams.initial.rebalance.delay.ms", scale: 1 }])
        .doc("How long a new group waits for more members."),
    entry("streams.num.standby.replicas", Int, Some("0"), at_least(0), ClusterWide, Medium).synonyms(&[Synonym { name: "group.streams.num.standby.replicas", scale: 1 }])
        .doc("Standby replicas of each task."),
    entry("streams.session.timeout.ms", Int, Some("45000"), at_least(1), ClusterWide, Medium).synonyms(&[Synonym { name: "group.streams.session.timeout.ms", scale: 1 }])
        .doc("A member silent for this long leaves the group."),
];

/// The row of a key.
pub fn row(name: &str) -> Option<&'static ConfigRow> {
    ROWS.iter().find(|row| row.name == name)
}
