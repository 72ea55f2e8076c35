//! What would make the brokers of a cluster evenly used, and the steps of getting there.
//! Core.
//!
//! Reading order: `sizes` (what brokers say they have), `plan` (a cluster as it is gives moves with reasons), `leaving` (where the replicas of a broker go that is to
//! have none), `balancer` (one move after the other, and never against a person). The active controller of a cluster uses
//! them, and so do `ottla balance` and `ottla decommission`: a plan is the same whoever asks for it.

pub mod balancer;
pub mod leaving;
pub mod plan;
pub mod sizes;

use std::collections::BTreeMap;
use std::sync::Arc;

/// Partitions that move at once where a person asked for it.
pub const MOVING_MAX: usize = 50;

/// A broker that is registered.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Broker {
    pub id: i32,
    pub rack: Option<String>,
    /// Whether it lives and takes new replicas. One that does not has its rack still.
    pub is_taking: bool,
    /// `None` where it is not known.
    pub disk: Option<Disk>,
}

/// All log directories of a broker together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Disk {
    pub total_bytes: u64,
    pub usable_bytes: u64,
}

/// A partition with the replicas that stay or come; the first one is to lead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partition {
    pub topic: Arc<str>,
    pub index: i32,
    pub replicas: Vec<i32>,
}

/// What a partition costs whoever has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Load {
    pub bytes: u64,
    /// What clients write to it.
    pub bytes_in_per_second: u64,
}

/// By topic and index; what is not there is not known to have any.
pub type Loads = BTreeMap<(Arc<str>, i32), Load>;

/// One partition that changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Move {
    pub topic: Arc<str>,
    pub index: i32,
    /// The replicas that it was decided from.
    pub before: Vec<i32>,
    pub target: Vec<i32>,
    /// What has to be copied.
    pub bytes: u64,
    pub reason: String,
}

impl Move {
    /// Brokers that get a replica.
    pub fn adding(&self) -> impl Iterator<Item = i32> {
        self.target.iter().copied().filter(|id| !self.before.contains(id))
    }
}

impl std::fmt::Display for Move {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let target: Vec<String> = self.target.iter().map(i32::to_string).collect();
        write!(out, "{}-{}: to {} ({})", self.topic, self.index, target.join(","), self.reason)
    }
}
