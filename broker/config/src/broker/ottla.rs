//! Rows: the broker keys that are Ottla's own, and the list of Kafka's defaults that differ here, with reasons.
//! core

use crate::row::ConfigType::*;
use crate::row::DynamicMode::*;
use crate::row::Importance::*;
use crate::row::Validation::*;
use crate::row::{ConfigRow, at_least, row};
use crate::validators;

#[rustfmt::skip]
pub(crate) static OTTLA: &[ConfigRow] = &[
    row("ottla.durability", String, Some("survive-one"), OneOf(&["survive-one", "os", "fsync"]), ReadOnly, High).used()
        .doc("What acks=all promises: survive-one is a second copy or, on a lone replica, an fsync; os leaves it to the page cache; fsync always waits for the disk."),
    row("ottla.http.listener", String, Some("127.0.0.1:9644"), Custom(validators::http_listener), ReadOnly, Medium).used()
        .doc("Where metrics and health are served over HTTP, as host:port; port 0 is a free port, empty switches it off. When it is not set and its port is taken, a free one serves."),
    row("ottla.memory.budget.bytes", Long, Some("268435456"), at_least(16_777_216), ReadOnly, Medium).used()
        .doc("Bytes that requests and answers in flight may hold over all connections; beyond it sockets are not read."),
    row("ottla.metrics.series.max", Int, Some("10000"), at_least(0), ReadOnly, Medium).used()
        .doc("Series that one metric of topics, partitions or groups shows at most; groups with members and topics in use come first."),
];

/// A default that is not Kafka's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OttlaDefault {
    pub name: &'static str,
    pub value: &'static str,
    pub reason: &'static str,
}

/// Every default that differs from Kafka's. `group.initial.rebalance.delay.ms` keeps Kafka's value here and is
/// adaptive as long as nobody sets it (see `BrokerSettings::group_initial_rebalance_delay_is_set`).
pub static OTTLA_DEFAULTS: &[OttlaDefault] = &[
    OttlaDefault {
        name: "listeners",
        value: "PLAINTEXT://127.0.0.1:9092",
        reason: "without security, a broker nobody configured is for this machine alone",
    },
    OttlaDefault {
        name: "log.dir",
        value: "./ottla-data",
        reason: "data that must survive does not belong in /tmp",
    },
    OttlaDefault {
        name: "node.id",
        value: "1",
        reason: "Kafka has none; a start needs no configuration here",
    },
    OttlaDefault {
        name: "process.roles",
        value: "broker,controller",
        reason: "Kafka has none; one process is both here",
    },
];

/// The default in force: ours where it differs, otherwise Kafka's.
pub fn default_of(row: &ConfigRow) -> Option<&'static str> {
    OTTLA_DEFAULTS.iter().find(|ours| ours.name == row.name).map(|ours| ours.value).or(row.default)
}
