//! The figures again under the names that the usual exporters of Kafka give them (`ottla.metrics.kafka.names`).
//! Shell: reads what is hosted, the image and the registry when a scrape asks; names are made from rows.
//!
//! Two spellings: that of the sample rules of the Prometheus JMX exporter (`kafka_server_…`), which Strimzi's and most
//! boards use, and that of the Kafka exporter (`kafka_topic_partition_…`, `kafka_consumergroup_…`). A figure that is not
//! measured here is not there under Kafka's name either (docs/exceptions/telemetry.md).

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_admin::MetricsText;
use ottla_log::UnifiedLog;
use ottla_metadata::{Image, Metadata, PartitionImage};
use ottla_model::BrokerId;
use ottla_replica::metrics::TopicMetrics;
use ottla_replica::{HostedTopic, ReplicaManager};
use prometheus::Registry;

use crate::figures::{Lag, Omitted};
use crate::request_figures;

/// Partitions of which one metric shows a series each, whatever `ottla.metrics.series.max` allows: a partition has a
/// dozen of these series.
const PARTITIONS_MAX: usize = 2000;
const BROKER_IS_RUNNING: u8 = 3;

pub struct KafkaNames {
    pub node_id: BrokerId,
    pub metadata: Arc<Metadata>,
    pub replicas: Arc<ReplicaManager>,
    pub registry: Registry,
    pub series_max: usize,
}

/// A counter of topics: one series a topic, and one over all of them without the label.
type OfTopics = (&'static str, &'static str, fn(&TopicMetrics) -> u64);

const OF_TOPICS: [OfTopics; 7] = [
    ("messagesin", "Records from clients.", |topic| topic.messages_in.get()),
    ("bytesin", "Bytes from clients.", |topic| topic.bytes_in.get()),
    ("bytesout", "Bytes to consumers.", |topic| topic.bytes_out.get()),
    ("totalproducerequests", "Partitions in Produce requests.", |topic| topic.produce_requests.get()),
    ("totalfetchrequests", "Partitions in Fetch requests.", |topic| topic.fetch_requests.get()),
    ("failedproducerequests", "Those of Produce that were refused.", |topic| {
        topic.failed_produce_requests.get()
    }),
    ("failedfetchrequests", "Those of Fetch that were refused.", |topic| topic.failed_fetch_requests.get()),
];

/// A gauge of a partition, from the image.
type OfPartitions = (&'static str, &'static str, fn(&PartitionImage) -> i64);

/// As the JMX exporter names them.
const OF_PARTITIONS: [OfPartitions; 3] = [
    ("kafka_cluster_partition_replicascount", "Replicas of a partition.", |one| one.replicas.len() as i64),
    ("kafka_cluster_partition_insyncreplicascount", "Those in sync.", |one| one.isr.len() as i64),
    ("kafka_cluster_partition_underreplicated", "1 where a replica is not in sync.", |one| {
        i64::from(one.isr.len() < one.replicas.len())
    }),
];

/// As the Kafka exporter names them.
const OF_EXPORTER: [OfPartitions; 5] = [
    ("kafka_topic_partition_leader", "The leader of a partition.", |one| {
        one.leader.map_or(-1, |id| i64::from(id.0))
    }),
    ("kafka_topic_partition_leader_is_preferred", "1 where the first replica leads.", |one| {
        i64::from(one.leader.is_some() && one.leader == one.preferred_leader())
    }),
    ("kafka_topic_partition_replicas", "Replicas of a partition.", |one| one.replicas.len() as i64),
    ("kafka_topic_partition_in_sync_replica", "Those in sync.", |one| one.isr.len() as i64),
    ("kafka_topic_partition_under_replicated_partition", "1 where a replica is not in sync.", |one| {
        i64::from(one.isr.len() < one.replicas.len())
    }),
];

/// A gauge of a partition's log.
type OfLogs = (&'static str, &'static str, fn(&UnifiedLog) -> i64);

const OF_LOGS: [OfLogs; 4] = [
    ("kafka_log_log_size", "Bytes of a partition on disk.", |log| {
        i64::try_from(log.size_bytes()).unwrap_or(i64::MAX)
    }),
    ("kafka_log_log_logendoffset", "Where the next record goes.", |log| log.log_end_offset().0),
    ("kafka_log_log_logstartoffset", "The first record that is there.", |log| log.log_start_offset().0),
    ("kafka_log_log_numlogsegments", "Segments of a partition.", |log| log.segment_count() as i64),
];

/// A partition that has records, with its log.
struct Used<'a> {
    topic: &'a str,
    index: String,
    image: Option<Arc<PartitionImage>>,
    /// How many must be in sync: never more than there are.
    min_isr: usize,
    log: Arc<UnifiedLog>,
}

impl KafkaNames {
    pub fn write(&self, topics: &[Arc<HostedTopic>], text: &mut MetricsText<'_>, omitted: &mut Omitted) {
        let image = self.metadata.image();
        self.write_topics(topics, text);
        self.write_broker(&image, text);
        self.write_controller(&image, text);
        self.write_partitions(topics, &image, text, omitted);
        self.write_exporter(&image, text);
        request_figures::write(&self.registry.gather(), !has_peers(&image, self.node_id), text);
    }

    fn write_topics(&self, topics: &[Arc<HostedTopic>], text: &mut MetricsText<'_>) {
        let is_used =
            |topic: &&Arc<HostedTopic>| OF_TOPICS.iter().any(|(_, _, read)| read(&topic.metrics) > 0);
        let shown: Vec<&Arc<HostedTopic>> = topics.iter().filter(is_used).take(self.series_max).collect();
        for (name, help, read) in OF_TOPICS {
            let name = format!("kafka_server_brokertopicmetrics_{name}_total");
            text.metric(&name, "counter", help);
            text.sample(&name, &[], topics.iter().map(|topic| read(&topic.metrics)).sum::<u64>());
            for topic in &shown {
                text.sample(&name, &[("topic", topic.name.as_str())], read(&topic.metrics));
            }
        }
        // Formats of before 0.11 are neither taken nor given: nothing is ever converted.
        for name in ["producemessageconversions", "fetchmessageconversions"] {
            let name = format!("kafka_server_brokertopicmetrics_{name}_total");
            text.metric(&name, "counter", "Records that were rewritten from or to an old format.");
            text.sample(&name, &[], 0);
        }
    }

    fn write_broker(&self, image: &Image, text: &mut MetricsText<'_>) {
        let counts = self.replicas.replica_counts();
        gauge(text, "kafka_server_replicamanager_leadercount", "Partitions led here.", counts.led);
        let hosted = counts.led + counts.followed;
        gauge(text, "kafka_server_replicamanager_partitioncount", "Partitions with a replica here.", hosted);
        gauge(
            text,
            "kafka_server_replicamanager_underreplicatedpartitions",
            "Partitions led here of which a replica is not in sync.",
            counts.under_replicated,
        );
        gauge(
            text,
            "kafka_server_replicamanager_underminisrpartitioncount",
            "Partitions led here with fewer replicas in sync than min.insync.replicas.",
            counts.under_min_isr,
        );
        let (shrinks, expands) = self.replicas.isr_moves();
        for (name, help, count) in [
            ("isrshrinks", "In-sync replicas of a partition led here that became fewer.", shrinks),
            ("isrexpands", "In-sync replicas of a partition led here that became more.", expands),
        ] {
            let name = format!("kafka_server_replicamanager_{name}_total");
            text.metric(&name, "counter", help);
            text.sample(&name, &[], count);
        }
        gauge(text, "kafka_server_kafkaserver_brokerstate", "3: the broker is running.", BROKER_IS_RUNNING);
        gauge(
            text,
            "kafka_log_logmanager_offlinelogdirectorycount",
            "Log directories that failed.",
            self.replicas.logs().offline_dirs().len(),
        );
        gauge(text, "kafka_brokers", "Brokers of the cluster.", image.brokers().count());
        text.metric("kafka_broker_info", "gauge", "1 for each broker.");
        for (id, broker) in image.brokers() {
            let address = broker.end_points.first();
            let address = address.map(|point| format!("{}:{}", &*point.host, point.port)).unwrap_or_default();
            text.sample("kafka_broker_info", &[("id", &id.0.to_string()), ("address", &address)], 1);
        }
    }

    fn write_controller(&self, image: &Image, text: &mut MetricsText<'_>) {
        const PREFIX: &str = "kafka_controller_kafkacontroller_";
        let is_active = image.controller_id() == self.node_id;
        let (mut offline, mut imbalanced, mut elections) = (0, 0, 0);
        for partition in image.topics().flat_map(|topic| &topic.partitions) {
            offline += usize::from(partition.leader.is_none());
            imbalanced += usize::from(partition.leader != partition.preferred_leader());
            elections += i64::from(partition.leader_epoch.0.max(0));
        }
        let active = image.active_brokers().count();
        // Only the active controller counts for the cluster: boards add up what the nodes say.
        let here = |count: usize| if is_active { count } else { 0 };
        for (name, help, value) in [
            ("activecontrollercount", "1 on the active controller.", usize::from(is_active)),
            ("offlinepartitionscount", "Partitions without a leader.", here(offline)),
            (
                "preferredreplicaimbalancecount",
                "Partitions that another replica than the first leads.",
                here(imbalanced),
            ),
            ("globaltopiccount", "Topics of the cluster.", here(image.topic_count())),
            ("globalpartitioncount", "Partitions of the cluster.", here(image.partition_count())),
            ("activebrokercount", "Brokers that serve.", here(active)),
            (
                "fencedbrokercount",
                "Brokers that are registered and do not serve.",
                here(image.brokers().count() - active),
            ),
        ] {
            gauge(text, &format!("{PREFIX}{name}"), help, value);
        }
        let name = "kafka_controller_controllerstats_leaderelectionrateandtimems_count";
        text.metric(name, "counter", "Elections: the leader epochs of all partitions.");
        text.sample(name, &[], if is_active { elections } else { 0 });
    }

    /// Partitions that have records come alone: thousands of zeros help nobody.
    fn write_partitions(
        &self,
        topics: &[Arc<HostedTopic>],
        image: &Image,
        text: &mut MetricsText<'_>,
        omitted: &mut Omitted,
    ) {
        let (mut used, mut left_out) = (Vec::new(), 0);
        for topic in topics {
            let known = image.topic(topic.name.as_str());
            for partition in &topic.partitions {
                let Some(log) = self.replicas.logs().get(&partition.name) else { continue };
                if log.size_bytes() == 0 {
                    continue;
                }
                if used.len() == PARTITIONS_MAX.min(self.series_max) {
                    left_out += 1;
                    continue;
                }
                let index = partition.name.partition;
                let image = known.and_then(|topic| topic.partition(index)).cloned();
                let most = image.as_ref().map_or(0, |one| one.replicas.len());
                let min_isr = usize::try_from(partition.min_isr()).unwrap_or(0).min(most);
                used.push(Used { topic: topic.name.as_str(), index: index.to_string(), image, min_isr, log });
            }
        }
        for (name, help, read) in OF_LOGS {
            write_of(text, name, help, &used, |one| Some(read(&one.log)));
        }
        for (name, help, read) in OF_PARTITIONS.into_iter().chain(OF_EXPORTER) {
            write_of(text, name, help, &used, |one| one.image.as_deref().map(read));
        }
        let in_sync = |one: &Used<'_>| one.image.as_ref().map(|image| image.isr.len());
        let under = |one: &Used<'_>| in_sync(one).map(|count| i64::from(count < one.min_isr));
        let name = "kafka_cluster_partition_underminisr";
        write_of(text, name, "1 where fewer are in sync than min.insync.replicas.", &used, under);
        let at = |one: &Used<'_>| in_sync(one).map(|count| i64::from(count == one.min_isr));
        let name = "kafka_cluster_partition_atminisr";
        write_of(text, name, "1 where as many are in sync as must be.", &used, at);
        let end = |one: &Used<'_>| Some(one.log.log_end_offset().0);
        write_of(text, "kafka_topic_partition_current_offset", "Where the next record goes.", &used, end);
        let start = |one: &Used<'_>| Some(one.log.log_start_offset().0);
        write_of(
            text,
            "kafka_topic_partition_oldest_offset",
            "The first record that is there.",
            &used,
            start,
        );
        omitted.push(("kafka_log_log_size", left_out));
    }

    fn write_exporter(&self, image: &Image, text: &mut MetricsText<'_>) {
        const NAME: &str = "kafka_topic_partitions";
        text.metric(NAME, "gauge", "Partitions of a topic.");
        for topic in image.topics().take(self.series_max) {
            text.sample(NAME, &[("topic", topic.name.as_str())], topic.partitions.len());
        }
    }

    /// What the Kafka exporter says of groups; the offsets and lags were found already.
    pub fn write_lags(&self, lags: &[Lag], text: &mut MetricsText<'_>) {
        let mut of_groups = |name: &str, help: &str, value: fn(&Lag) -> i64| {
            text.metric(name, "gauge", help);
            for lag in lags {
                let (place, index) = (&lag.place, lag.place.partition.to_string());
                let labels = [
                    ("consumergroup", place.group.as_str()),
                    ("topic", place.topic.as_str()),
                    ("partition", index.as_str()),
                ];
                text.sample(name, &labels, value(lag));
            }
        };
        of_groups("kafka_consumergroup_current_offset", "What a group committed.", |lag| lag.place.offset);
        of_groups("kafka_consumergroup_lag", "Records behind the end.", |lag| lag.records);
        of_groups("kafka_consumergroup_uncommitted_offsets", "Records behind the end.", |lag| lag.records);
        of_groups(
            "kafka_consumer_lag_millis",
            "Age of the oldest record a group has not committed.",
            |lag| (lag.seconds * 1000.0) as i64,
        );
        let mut sums: BTreeMap<(&str, &str), (i64, i64)> = BTreeMap::new();
        for lag in lags {
            let sum = sums.entry((lag.place.group.as_str(), lag.place.topic.as_str())).or_default();
            *sum = (sum.0 + lag.place.offset, sum.1 + lag.records);
        }
        let mut sum = |name: &str, help: &str, value: fn(&(i64, i64)) -> i64| {
            text.metric(name, "gauge", help);
            for (&(group, topic), both) in &sums {
                text.sample(name, &[("consumergroup", group), ("topic", topic)], value(both));
            }
        };
        sum("kafka_consumergroup_current_offset_sum", "What a group committed, over a topic.", |both| both.0);
        sum("kafka_consumergroup_lag_sum", "Records behind the end, over a topic.", |both| both.1);
    }
}

fn has_peers(image: &Image, node_id: BrokerId) -> bool {
    image.brokers().any(|(id, _)| id != node_id)
}

fn gauge(text: &mut MetricsText<'_>, name: &str, help: &str, value: impl std::fmt::Display) {
    text.metric(name, "gauge", help);
    text.sample(name, &[], value);
}

fn write_of(
    text: &mut MetricsText<'_>,
    name: &str,
    help: &str,
    used: &[Used<'_>],
    read: impl Fn(&Used<'_>) -> Option<i64>,
) {
    text.metric(name, "gauge", help);
    for one in used {
        if let Some(value) = read(one) {
            text.sample(name, &[("topic", one.topic), ("partition", &one.index)], value);
        }
    }
}
