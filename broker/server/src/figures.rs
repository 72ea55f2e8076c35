//! Figures that are gathered when somebody asks: traffic of topics, sizes of logs, how far groups lag behind.
//! Shell.
//!
//! No figure is kept for people who watch: a scrape walks over a snapshot of what is hosted, and takes a lock
//! that a request needs only for a short piece of groups. A metric shows `series_max` series at most; how many
//! more there would be is a metric itself.

use std::sync::Arc;

use ottla_admin::MetricsText;
use ottla_coordinator::group::WatchedOffset;
use ottla_env::Env;
use ottla_log::{ReadData, ReadLimits, UnifiedLog};
use ottla_model::Offset;
use ottla_quota::ClientQuotas;
use ottla_records::{BatchHeader, HEADER_BYTES};
use ottla_replica::metrics::TopicMetrics;
use ottla_replica::{HostedTopic, ReplicaManager};
use ottla_telemetry::ClientTelemetry;

use crate::cluster_figures::ClusterFigures;
use crate::group_figures::Coordinators;
use crate::kafka_names::KafkaNames;
use crate::{client_figures, quota_figures};

const OMITTED: &str = "ottla_metrics_omitted_series";

pub struct Figures {
    replicas: Arc<ReplicaManager>,
    coordinators: Coordinators,
    telemetry: Arc<ClientTelemetry>,
    quotas: Arc<ClientQuotas>,
    env: Env,
    series_max: usize,
    /// On a node of several.
    cluster: Option<Arc<ClusterFigures>>,
    /// The same under Kafka's names, unless they are switched off.
    names: Option<KafkaNames>,
}

/// Series that were left out, by metric.
pub type Omitted = Vec<(&'static str, usize)>;

/// A metric of topics, and where it is read.
struct OfTopics {
    name: &'static str,
    help: &'static str,
    read: fn(&TopicMetrics) -> u64,
}

const OF_TOPICS: [OfTopics; 3] = [
    OfTopics {
        name: "ottla_bytes_in_total",
        help: "Bytes of record batches appended by clients.",
        read: |topic| topic.bytes_in.get(),
    },
    OfTopics {
        name: "ottla_bytes_out_total",
        help: "Bytes of record batches sent to consumers.",
        read: |topic| topic.bytes_out.get(),
    },
    OfTopics {
        name: "ottla_messages_in_total",
        help: "Records appended by clients.",
        read: |topic| topic.messages_in.get(),
    },
];

/// How far a group is behind at one partition.
pub struct Lag {
    pub place: WatchedOffset,
    pub records: i64,
    pub seconds: f64,
}

impl Figures {
    pub fn new(
        replicas: Arc<ReplicaManager>,
        coordinators: Coordinators,
        telemetry: Arc<ClientTelemetry>,
        quotas: Arc<ClientQuotas>,
        env: Env,
        series_max: usize,
        names: Option<KafkaNames>,
    ) -> Figures {
        Figures { replicas, coordinators, telemetry, quotas, env, series_max, cluster: None, names }
    }

    /// The same with those of the cluster.
    pub fn of_cluster(self, cluster: Option<Arc<ClusterFigures>>) -> Figures {
        Figures { cluster, ..self }
    }

    pub fn write(&self, text: &mut MetricsText<'_>) {
        let mut omitted = Omitted::new();
        let mut topics: Vec<Arc<HostedTopic>> = self.replicas.hosted().topics().cloned().collect();
        topics.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        self.write_traffic(&topics, text, &mut omitted);
        self.write_replicas(text);
        if let Some(cluster) = &self.cluster {
            omitted.push(("ottla_replica_lag_records", cluster.write(self.series_max, text)));
        }
        self.write_log_sizes(&topics, text, &mut omitted);
        let of_groups = self.coordinators.figures();
        of_groups.write(text);
        if let Some(names) = &self.names {
            names.write(&topics, text, &mut omitted);
            of_groups.write_kafka_names(text);
        }
        drop(topics);
        self.write_lag(text, &mut omitted);
        let now = self.env.clock.monotonic();
        let left_out = quota_figures::write(&self.quotas, now, self.series_max, text);
        omitted.push(("ottla_client_quota_rate", left_out));
        text.metric(OMITTED, "gauge", "Series left out because of ottla.metrics.series.max, by metric.");
        for (metric, count) in omitted {
            text.sample(OMITTED, &[("metric", metric)], count);
        }
        client_figures::write(&self.telemetry, self.env.clock.monotonic(), text);
    }

    /// Topics that were used come first; the rest are zeros.
    fn write_traffic(&self, topics: &[Arc<HostedTopic>], text: &mut MetricsText<'_>, omitted: &mut Omitted) {
        let is_used = |topic: &&Arc<HostedTopic>| OF_TOPICS.iter().any(|of| (of.read)(&topic.metrics) > 0);
        let used = topics.iter().filter(is_used);
        let unused = topics.iter().filter(|topic| !is_used(topic));
        let shown: Vec<&Arc<HostedTopic>> = used.chain(unused).take(self.series_max).collect();
        for OfTopics { name, help, read } in OF_TOPICS {
            text.metric(name, "counter", help);
            for topic in &shown {
                text.sample(name, &[("topic", topic.name.as_str())], read(&topic.metrics));
            }
            omitted.push((name, topics.len() - shown.len()));
        }
    }

    fn write_replicas(&self, text: &mut MetricsText<'_>) {
        let counts = self.replicas.replica_counts();
        for (name, help, count) in [
            ("ottla_partitions_led", "Partitions that this broker leads.", counts.led),
            ("ottla_partitions_followed", "Partitions that this broker follows.", counts.followed),
            (
                "ottla_partitions_under_replicated",
                "Partitions led here of which a replica is not in sync.",
                counts.under_replicated,
            ),
            (
                "ottla_partitions_under_min_isr",
                "Partitions led here with fewer replicas in sync than min.insync.replicas.",
                counts.under_min_isr,
            ),
        ] {
            text.metric(name, "gauge", help);
            text.sample(name, &[], count);
        }
        let (shrinks, expands) = self.replicas.isr_moves();
        for (name, help, count) in [
            (
                "ottla_isr_shrinks_total",
                "In-sync replicas of a partition led here that became fewer.",
                shrinks,
            ),
            (
                "ottla_isr_expands_total",
                "In-sync replicas of a partition led here that became more.",
                expands,
            ),
        ] {
            text.metric(name, "counter", help);
            text.sample(name, &[], count);
        }
    }

    /// A partition that was never written to is left out: thousands of zeros help nobody.
    fn write_log_sizes(
        &self,
        topics: &[Arc<HostedTopic>],
        text: &mut MetricsText<'_>,
        omitted: &mut Omitted,
    ) {
        const NAME: &str = "ottla_log_size_bytes";
        text.metric(NAME, "gauge", "Bytes a partition takes on disk.");
        let (mut shown, mut left_out) = (0, 0);
        for partition in topics.iter().flat_map(|topic| &topic.partitions) {
            let Some(log) = self.replicas.logs().get(&partition.name) else { continue };
            if shown == self.series_max {
                left_out += 1;
                continue;
            }
            let size_bytes = log.size_bytes();
            if size_bytes > 0 {
                let name = log.partition();
                let index = name.partition.to_string();
                text.sample(NAME, &[("topic", name.topic.as_str()), ("partition", &index)], size_bytes);
                shown += 1;
            }
        }
        omitted.push((NAME, left_out));
    }

    /// Groups with members come first.
    fn write_lag(&self, text: &mut MetricsText<'_>, omitted: &mut Omitted) {
        const RECORDS: &str = "ottla_group_lag_records";
        const SECONDS: &str = "ottla_group_lag_seconds";
        let (watched, count) = self.coordinators.groups.watch_offsets(self.series_max);
        let left_out = count.saturating_sub(watched.len());
        let now_ms = self.env.clock.wall_ms();
        let lags: Vec<Lag> = watched
            .into_iter()
            .map_while(|place| text.is_read().then_some(place))
            .filter_map(|place| self.lag(place, now_ms))
            .collect();
        let mut write = |name: &'static str, help: &str, value: fn(&Lag) -> f64| {
            text.metric(name, "gauge", help);
            for lag in &lags {
                let (place, index) = (&lag.place, lag.place.partition.to_string());
                let labels =
                    [("group", place.group.as_str()), ("topic", place.topic.as_str()), ("partition", &index)];
                text.sample(name, &labels, value(lag));
            }
            omitted.push((name, left_out));
        };
        write(RECORDS, "Records between a group's committed offset and the end.", |lag| lag.records as f64);
        write(
            SECONDS,
            "Age of the oldest record a group has not committed; 0 when it is at the end.",
            |lag| lag.seconds,
        );
        if let Some(names) = &self.names {
            names.write_lags(&lags, text);
        }
    }

    /// `None` for a partition that is not here any more.
    fn lag(&self, place: WatchedOffset, now_ms: i64) -> Option<Lag> {
        let partition = self.replicas.partition(place.topic.as_str(), place.partition)?;
        let led = partition.led(-1).ok()?;
        let (log, end) = (led.log(), led.high_watermark());
        let from = Offset(place.offset).max(log.log_start_offset());
        let records = (end - from).max(0);
        let seconds = match records {
            0 => 0.0,
            // The oldest record the group has not committed tells since when it is behind.
            _ => batch_timestamp(log, from, end)
                .map_or(0.0, |timestamp| (now_ms - timestamp).max(0) as f64 / 1000.0),
        };
        Some(Lag { place, records, seconds })
    }
}

/// The time of the batch that holds an offset, from its header alone.
fn batch_timestamp(log: &UnifiedLog, offset: Offset, end: Offset) -> Option<i64> {
    let limits = ReadLimits { max_bytes: 0, bound: end, min_one_batch: true };
    let mut header = [0; HEADER_BYTES];
    match log.read(offset, limits).ok()?.data {
        ReadData::Empty => return None,
        ReadData::File { file, position, .. } => file.read_exact_at(&mut header, position).ok()?,
        ReadData::Memory(pieces) => header.copy_from_slice(pieces.first()?.get(..HEADER_BYTES)?),
    }
    Some(BatchHeader::parse(&header).base_timestamp)
}
