//! Figures of what this broker hosts, by topic.
//! Shell.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry};

/// Bounds of the sync times in seconds: from a device with a cache of its own to a tired disk.
const SYNC_SECONDS: [f64; 10] = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.05, 0.25, 1.0];

/// Counters over all topics; one set a broker.
pub struct ReplicaMetrics {
    bytes_in: IntCounterVec,
    bytes_out: IntCounterVec,
    messages_in: IntCounterVec,
    pub sync_seconds: Histogram,
}

/// The counters of one topic, looked up once so that a request only adds.
pub struct TopicMetrics {
    pub bytes_in: IntCounter,
    pub bytes_out: IntCounter,
    pub messages_in: IntCounter,
}

impl ReplicaMetrics {
    pub fn new(registry: &Registry) -> Result<ReplicaMetrics, prometheus::Error> {
        let counters = |name: &str, help: &str| -> Result<IntCounterVec, prometheus::Error> {
            let counters = IntCounterVec::new(Opts::new(name, help), &["topic"])?;
            registry.register(Box::new(counters.clone()))?;
            Ok(counters)
        };
        let sync_seconds = Histogram::with_opts(
            HistogramOpts::new(
                "ottla_fsync_seconds",
                "Time to bring one partition's written bytes to the device.",
            )
            .buckets(SYNC_SECONDS.to_vec()),
        )?;
        registry.register(Box::new(sync_seconds.clone()))?;
        Ok(ReplicaMetrics {
            sync_seconds,
            bytes_in: counters("ottla_bytes_in_total", "Bytes of record batches appended by clients.")?,
            bytes_out: counters("ottla_bytes_out_total", "Bytes of record batches sent to consumers.")?,
            messages_in: counters("ottla_messages_in_total", "Records appended by clients.")?,
        })
    }

    pub fn topic(&self, topic: &str) -> TopicMetrics {
        TopicMetrics {
            bytes_in: self.bytes_in.with_label_values(&[topic]),
            bytes_out: self.bytes_out.with_label_values(&[topic]),
            messages_in: self.messages_in.with_label_values(&[topic]),
        }
    }

    /// A deleted topic's figures go with it.
    pub fn forget_topic(&self, topic: &str) {
        for counters in [&self.bytes_in, &self.bytes_out, &self.messages_in] {
            // A topic nobody counted for is simply not there.
            let _missing = counters.remove_label_values(&[topic]);
        }
    }
}
