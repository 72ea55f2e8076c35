//! How often groups were rebalanced, by protocol and reason; for metrics.
//! Core. Counted are decisions and records of this process, not those that a start reads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::Group;

/// Counts of all shards of a coordinator.
#[derive(Debug, Default)]
pub struct GroupCounts {
    /// Rebalances of classic groups that began, by their reasons: texts of this crate, a dozen.
    classic: Mutex<BTreeMap<&'static str, u64>>,
    /// Those that came to an assignment.
    classic_completed: AtomicU64,
    consumer: AtomicU64,
    share: AtomicU64,
    streams: AtomicU64,
}

/// What the counts are at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rebalances {
    pub classic: BTreeMap<&'static str, u64>,
    pub classic_completed: u64,
    pub consumer: u64,
    pub share: u64,
    pub streams: u64,
}

impl GroupCounts {
    pub(super) fn on_classic_begun(&self, reason: &'static str) {
        *self.classic.lock().entry(reason).or_default() += 1;
    }

    pub(super) fn on_classic_completed(&self) {
        self.classic_completed.fetch_add(1, Ordering::Relaxed);
    }

    /// A group of a newer protocol has come to another epoch: what Kafka counts as its rebalance.
    pub(super) fn on_epoch(&self, group: &Group) {
        let count = match group {
            Group::Classic(_) => return,
            Group::Consumer(_) => &self.consumer,
            Group::Share(_) => &self.share,
            Group::Streams(_) => &self.streams,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    pub fn rebalances(&self) -> Rebalances {
        Rebalances {
            classic: self.classic.lock().clone(),
            classic_completed: self.classic_completed.load(Ordering::Relaxed),
            consumer: self.consumer.load(Ordering::Relaxed),
            share: self.share.load(Ordering::Relaxed),
            streams: self.streams.load(Ordering::Relaxed),
        }
    }
}
