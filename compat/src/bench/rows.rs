//! The rows of the table: what is asked of Ottla in each, and the limit of the machine that stands beside a figure.
//! Core: values only.

use super::limits::Limits;
use super::table::Figure;

/// A figure and the limit of the machine that it is held against.
pub type Limit = (Figure, fn(&Limits) -> f64);

/// One row.
#[derive(Debug)]
pub struct Row {
    pub name: &'static str,
    /// Ottla against Apache Kafka, as the project wants it.
    pub target: &'static str,
    pub limits: &'static [Limit],
}

const fn row(name: &'static str, target: &'static str, limits: &'static [Limit]) -> Row {
    Row { name, target, limits }
}

const PRODUCE: &[Limit] = &[
    (Figure::MegabytesPerSecond, |limits| limits.generator.gb_per_second * 1e3),
    (Figure::CpuSecondsPerGb, Limits::produce_cpu),
];
const REQUEST: &[Limit] = &[
    (Figure::PerSecond, |limits| limits.echo_per_second),
    (Figure::CpuMicrosPerRequest, |limits| limits.echo_us),
];
const FETCH: &[Limit] = &[
    (Figure::MegabytesPerSecond, |limits| limits.sendfile.gb_per_second * 1e3),
    (Figure::CpuSecondsPerGb, |limits| limits.sendfile.cpu_seconds_per_gb),
];
const SYNCED: &[Limit] = &[
    (Figure::MegabytesPerSecond, |limits| limits.synced_1m.gb_per_second * 1e3),
    (Figure::CpuSecondsPerGb, Limits::produce_cpu),
];
const ALONE: &[Limit] = &[(Figure::P50Ms, |limits| limits.echo_alone_ms)];
const TRANSACTIONS: &str = "per s at least 4, p99 at most 0.2";
const OPEN_LOOP: &str = "p50 at most 0.4, p99 and p99.9 at most 0.3";

pub const ROWS: &[Row] = &[
    row("produce-64k", "CPU s/GB at most 0.25, MB/s at least 2, p99.9 at most 1", PRODUCE),
    row("produce-100x100", "CPU s/GB at most 0.15", PRODUCE),
    row("produce-tiny", "CPU us/req at most 0.12", REQUEST),
    row("acks-all-64k", "MB/s at least 1.3", SYNCED),
    row("acks-all-64k-kafka-unsynced", "MB/s at least 0.75 (Kafka without fsync)", SYNCED),
    row(
        "acks-all-64-producers",
        "per s at least 8",
        &[(Figure::PerSecond, |limits| limits.syncs_per_second)],
    ),
    row("fetch-hot-1", "CPU s/GB at most 0.45", FETCH),
    row("fetch-hot-4", "CPU s/GB at most 0.45", FETCH),
    row("fetch-hot-16", "CPU s/GB at most 0.45", FETCH),
    row("fetch-hot-4-discarded", "", FETCH),
    row(
        "fetch-cold",
        "at least 0.85 of the disk",
        &[(Figure::MegabytesPerSecond, |limits| limits.cold_read.gb_per_second * 1e3)],
    ),
    row(
        "produce-and-tail",
        "CPU s/GB moved at most 0.4",
        &[(Figure::CpuSecondsPerGb, |limits| {
            (limits.produce_cpu() + 3.0 * limits.sendfile.cpu_seconds_per_gb) / 4.0
        })],
    ),
    row("storm-metadata", "CPU us/req at most 0.12", REQUEST),
    row("storm-api-versions", "CPU us/req at most 0.12", REQUEST),
    row("storm-offset-commit", "CPU us/req at most 0.12", REQUEST),
    row("storm-heartbeat", "CPU us/req at most 0.12", REQUEST),
    row("open-loop-1k", OPEN_LOOP, ALONE),
    row("open-loop-1k-e2e", OPEN_LOOP, ALONE),
    row("open-loop-10k", OPEN_LOOP, ALONE),
    row("open-loop-10k-e2e", OPEN_LOOP, ALONE),
    row("group-500-members", "time and CPU at most 0.5", &[]),
    row("parked-2000-consumers", "CPU us/req at most 0.1", REQUEST),
    row("kafka-producer-perf-test", "CPU s/GB at most 0.3", PRODUCE),
    row("kafka-consumer-perf-test", "", FETCH),
    row("kafka-e2e-latency", "", ALONE),
    row("rdkafka-performance-produce", "CPU s/GB at most 0.3", PRODUCE),
    row("rdkafka-performance-consume", "", FETCH),
    row("transactions-java-1", TRANSACTIONS, &[]),
    row("transactions-java-3", TRANSACTIONS, &[]),
    row("transactions-rdkafka-1", TRANSACTIONS, &[]),
    row("transactions-rdkafka-3", TRANSACTIONS, &[]),
    row("transactions-rdkafka-3-kafka-unsynced", "", &[]),
    row("rdkafka-consume-min-1mib", "MB/s at least 1", FETCH),
    row("log-cleaner", "", &[]),
    row("partitions-10000", "time at most 1 s, CPU at most 1 s, +50 MiB, idle CPU under 0.5 %", &[]),
    row("partitions-100000", "at most 8 KiB each, no descriptor each, restart under 3 s", &[]),
    row("consumer-group-quiet", "CPU us/req at most 0.1", REQUEST),
    row("consumer-group-join", "time at most 0.5, p99 under 5 ms", &[]),
    row("consumer-group-leave", "time at most 0.5, p99 under 5 ms", &[]),
    row("start-empty", "time at most 0.012 (50 ms), at most 6 ms", &[]),
    row("start-clean-1gb", "time at most 0.012 (50 ms)", &[]),
    row("kill-1gb", "at most 150 ms", &[]),
    row("kill-11000-partitions", "at most 1 s", &[]),
    row("idle-memory", "at most 10 MiB", &[]),
    row("connections-5000", "per s at least 3, at most 16 KiB each", &[]),
    row("produce-64k-tls", "CPU s/GB at most 0.5, and at most that of produce-64k + 0.35", &[]),
    row("fetch-hot-1-tls", "CPU s/GB at most 0.5", &[]),
    row("fetch-hot-8-tls", "CPU s/GB at most 0.5", &[]),
    row("tls-handshakes-ecdsa", "CPU us/req at most 0.33", &[]),
    row("tls-handshakes-rsa", "CPU us/req at most 0.67", &[]),
    row("connections-5000-tls", "memory at most 0.3, at most 30 KiB each", &[]),
    row("scram-logins", "CPU us/req at most 0.2", &[]),
    row("quota-produce", "9.5 to 10.5 MB/s: the bound is 10", &[]),
    row("quota-fetch", "9.5 to 10.5 MB/s: the bound is 10", &[]),
    row("cluster-produce-64k", "CPU s/GB of all nodes at most 0.35, MB/s at least 2", PRODUCE),
    row("cluster-open-loop-1k", "p50 at most 0.5, p99 at most 0.3", ALONE),
    row("cluster-10000-created", "time at most 0.1", &[]),
    row("cluster-10000-in-sync", "time at most 0.1", &[]),
    row("cluster-10000-idle", "CPU at most 0.05 and under 2 %, MiB a node at most 0.1", &[]),
    row("cluster-return-1gb", "time at most 0.7", &[]),
    row("cluster-100000-start", "under 10 s", &[]),
    row("cluster-100000-failover", "under 2 s", &[]),
    row("churn-100000", "memory at most +2 MiB", &[]),
    row("groups-one-offset", "memory at most 1 KiB each", &[]),
    row("metrics-10000-groups", "time at most 100 ms, p99 at most that of the row below + 10 ms", &[]),
    row("metrics-10000-groups-quiet", "", &[]),
    row("memory-budget", "below the budget, 64 KiB a connection and the idle memory: 290 MiB", &[]),
    row("growth-1-partition", "", PRODUCE),
    row("growth-10000-partitions", "CPU s/GB within 15 % of the row above", PRODUCE),
    row("growth-empty-log", "", PRODUCE),
    row("growth-50gb-log", "CPU s/GB within 15 % of the row above", PRODUCE),
];
