//! The list of Kafka's defaults that differ here, with reasons.
//! Core.

use crate::row::ConfigRow;

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
