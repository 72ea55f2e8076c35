//! Rows: the client metrics keys, as Apache Kafka 4.3.1 defines them; the sentences are ours.
//! Core.

use crate::row::ConfigType::*;
use crate::row::DynamicMode::*;
use crate::row::Importance::*;
use crate::row::Validation::*;
use crate::row::{ConfigRow, list, row as entry};

#[rustfmt::skip]
pub static ROWS: &[ConfigRow] = &[
    entry("interval.ms", Int, Some("300000"), Any, ClusterWide, Medium)
        .doc("How often clients push their metrics."),
    entry("match", List, Some(""), list(&[], true), ClusterWide, Medium)
        .doc("Which clients are meant, as attribute=pattern separated by commas."),
    entry("metrics", List, Some(""), list(&[], true), ClusterWide, Medium)
        .doc("Names or prefixes of the metrics that clients push."),
];

/// The row of a key.
pub fn row(name: &str) -> Option<&'static ConfigRow> {
    ROWS.iter().find(|row| row.name == name)
}
