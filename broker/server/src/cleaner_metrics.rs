//! Figures of the log cleaner, as Kafka's JMX metrics of it say.
//! Shell: gathered when somebody asks.

use std::sync::Arc;

use ottla_log::{CleanerFigures, LogManager};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, IntCounter, Opts, Registry};

type Read = fn(&CleanerFigures) -> f64;
type Count = fn(&CleanerFigures) -> u64;

/// Kafka's `LogCleaner` and `LogCleanerManager`, in the order of their names there.
const GAUGES: &[(&str, &str, Read)] = &[
    ("ottla_log_cleaner_dead_threads", "Threads of the cleaner that should run and don't.", |figures| {
        figures.dead_threads as f64
    }),
    (
        "ottla_log_cleaner_recopy_percent",
        "Of the last cleaning: bytes kept in a hundred bytes read.",
        |figures| figures.recopy_percent,
    ),
    (
        "ottla_log_cleaner_buffer_utilization_percent",
        "Of the last cleaning: how full the buffer for keys was.",
        |figures| figures.buffer_utilization_percent,
    ),
    ("ottla_log_cleaner_clean_seconds", "How long the last cleaning took.", |figures| {
        figures.last_clean.as_secs_f64()
    }),
    (
        "ottla_log_cleaner_max_compaction_delay_seconds",
        "How long the oldest record waits beyond its max.compaction.lag.ms, at the last look.",
        |figures| figures.max_compaction_delay.as_secs_f64(),
    ),
    (
        "ottla_log_cleaner_max_dirty_percent",
        "Dirty bytes in a hundred of the log that needs cleaning most, at the last look.",
        |figures| figures.max_dirty_percent,
    ),
    (
        "ottla_log_cleaner_seconds_since_last_run",
        "Time since a log was cleaned; -1 when none was since the start.",
        |figures| figures.since_last_run.map_or(-1.0, |since| since.as_secs_f64()),
    ),
    (
        "ottla_log_cleaner_uncleanable_bytes",
        "Bytes of logs that are left alone because of a damaged batch.",
        |figures| figures.uncleanable_bytes as f64,
    ),
    (
        "ottla_log_cleaner_uncleanable_partitions",
        "Logs that are left alone because of a damaged batch.",
        |figures| figures.uncleanable_partitions as f64,
    ),
];

const COUNTERS: &[(&str, &str, Count)] = &[
    ("ottla_log_cleaner_rounds_total", "Cleanings of a log that were finished.", |figures| figures.rounds),
    ("ottla_log_cleaner_read_bytes_total", "Bytes read by the cleaner.", |figures| figures.read_bytes),
    ("ottla_log_cleaner_written_bytes_total", "Bytes written by the cleaner.", |figures| {
        figures.written_bytes
    }),
];

struct CleanerMetrics {
    logs: Arc<LogManager>,
    gauges: Vec<(Gauge, Read)>,
    counters: Vec<(IntCounter, Count)>,
}

/// Shows the cleaner's figures from here on.
pub fn register(registry: &Registry, logs: Arc<LogManager>) -> Result<(), prometheus::Error> {
    let gauge =
        |(name, help, read): &(&str, &str, Read)| Ok((Gauge::with_opts(Opts::new(*name, *help))?, *read));
    let counter = |(name, help, count): &(&str, &str, Count)| {
        Ok((IntCounter::with_opts(Opts::new(*name, *help))?, *count))
    };
    registry.register(Box::new(CleanerMetrics {
        logs,
        gauges: GAUGES.iter().map(gauge).collect::<Result<_, prometheus::Error>>()?,
        counters: COUNTERS.iter().map(counter).collect::<Result<_, prometheus::Error>>()?,
    }))
}

impl Collector for CleanerMetrics {
    fn desc(&self) -> Vec<&Desc> {
        let gauges = self.gauges.iter().flat_map(|(gauge, _)| gauge.desc());
        gauges.chain(self.counters.iter().flat_map(|(counter, _)| counter.desc())).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let figures = self.logs.cleaner_figures();
        for (gauge, read) in &self.gauges {
            gauge.set(read(&figures));
        }
        for (counter, count) in &self.counters {
            counter.inc_by(count(&figures).saturating_sub(counter.get()));
        }
        let gauges = self.gauges.iter().flat_map(|(gauge, _)| gauge.collect());
        gauges.chain(self.counters.iter().flat_map(|(counter, _)| counter.collect())).collect()
    }
}
