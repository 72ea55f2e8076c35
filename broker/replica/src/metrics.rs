//! Figures of what this broker hosts, by topic.
//! Shell.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus::{Histogram, HistogramOpts, IntCounter, Registry};

/// Bounds of the sync times in seconds: from a device with a cache of its own to a tired disk.
const SYNC_SECONDS: [f64; 10] = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.05, 0.25, 1.0];

/// What is counted over all topics; one set a broker.
pub struct ReplicaMetrics {
    pub sync_seconds: Histogram,
    /// Partitions that followers' fetches looked at here.
    pub follower_looks: IntCounter,
}

/// The counters of one topic. They go with it; a scrape reads them where they are.
#[derive(Default)]
pub struct TopicMetrics {
    pub bytes_in: Counter,
    pub bytes_out: Counter,
    pub messages_in: Counter,
    /// Partitions in requests, as Kafka counts them, and those of them that were refused.
    pub produce_requests: Counter,
    pub failed_produce_requests: Counter,
    pub fetch_requests: Counter,
    pub failed_fetch_requests: Counter,
}

/// A number that only grows.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn inc_by(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl ReplicaMetrics {
    pub fn new(registry: &Registry) -> Result<ReplicaMetrics, prometheus::Error> {
        let sync_seconds = Histogram::with_opts(
            HistogramOpts::new(
                "ottla_fsync_seconds",
                "Time to bring one partition's written bytes to the device.",
            )
            .buckets(SYNC_SECONDS.to_vec()),
        )?;
        registry.register(Box::new(sync_seconds.clone()))?;
        let follower_looks = IntCounter::new(
            "ottla_follower_fetch_partitions_total",
            "Partitions that fetches of followers looked at: those with something new.",
        )?;
        registry.register(Box::new(follower_looks.clone()))?;
        Ok(ReplicaMetrics { sync_seconds, follower_looks })
    }
}
