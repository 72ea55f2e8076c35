//! Requests, flushes and connections under Kafka's names: what the registry counts already, said again.
//! Core: the gathered families are an argument.

use ottla_admin::MetricsText;
use prometheus::proto::{Histogram, Metric, MetricFamily};

/// The quantiles that the JMX exporter's sample rules give.
const QUANTILES: [(&str, f64); 6] =
    [("0.50", 0.5), ("0.75", 0.75), ("0.95", 0.95), ("0.98", 0.98), ("0.99", 0.99), ("0.999", 0.999)];

/// `is_alone`: no follower fetches here, so every Fetch is a consumer's.
pub fn write(families: &[MetricFamily], is_alone: bool, text: &mut MetricsText<'_>) {
    let of = |name: &str| {
        families.iter().find(|family| family.name() == name).map_or(&[][..], |family| family.get_metric())
    };
    write_requests(of("ottla_request_seconds"), is_alone, text);
    write_errors(of("ottla_requests_total"), text);
    write_flushes(of("ottla_fsync_seconds"), text);
    let total = |name: &str| of(name).iter().map(|one| one.get_gauge().get_value()).sum::<f64>();
    let name = "kafka_server_socket_server_metrics_connection_count";
    text.metric(name, "gauge", "Connections that are open.");
    text.sample(name, &[("networkProcessor", "0")], total("ottla_connections"));
    // Kafka has them of its process, too (LinuxIoMetricsCollector).
    for (own, name, help) in [
        ("ottla_process_disk_read_bytes", "disk_read", "Bytes that the process had read from devices."),
        ("ottla_process_disk_write_bytes", "disk_write", "Bytes that the process had written to devices."),
    ] {
        let name = format!("kafka_server_kafkaserver_linux_{name}_bytes");
        text.metric(&name, "gauge", help);
        text.sample(&name, &[], total(own));
    }
    let name = "kafka_server_socket_server_metrics_connections_software";
    text.metric(name, "gauge", "Connections that are open, by the client's software.");
    for one in of("ottla_client_connections") {
        let labels = [
            ("clientSoftwareName", label(one, "software_name")),
            ("clientSoftwareVersion", label(one, "software_version")),
            ("networkProcessor", "0"),
        ];
        text.sample(name, &labels, one.get_gauge().get_value());
    }
}

fn label<'a>(metric: &'a Metric, name: &str) -> &'a str {
    metric.get_label().iter().find(|pair| pair.name() == name).map_or("", |pair| pair.value())
}

fn write_requests(requests: &[Metric], is_alone: bool, text: &mut MetricsText<'_>) {
    let names = |api: &str| -> Vec<String> {
        match api {
            "Fetch" if is_alone => vec!["Fetch".to_owned(), "FetchConsumer".to_owned()],
            other => vec![other.to_owned()],
        }
    };
    let mut each =
        |name: &str, kind: &str, help: &str, write: &dyn Fn(&mut MetricsText<'_>, &str, &Histogram)| {
            text.metric(name, kind, help);
            for metric in requests {
                for request in names(label(metric, "api")) {
                    write(text, &request, metric.get_histogram());
                }
            }
        };
    const REQUESTS: &str = "kafka_network_requestmetrics_requests_total";
    each(REQUESTS, "counter", "Requests answered.", &|text, request, seconds| {
        text.sample(REQUESTS, &[("request", request)], seconds.get_sample_count());
    });
    const COUNT: &str = "kafka_network_requestmetrics_totaltimems_count";
    each(COUNT, "counter", "Requests whose time was taken.", &|text, request, seconds| {
        text.sample(COUNT, &[("request", request)], seconds.get_sample_count());
    });
    const TIMES: &str = "kafka_network_requestmetrics_totaltimems";
    each(
        TIMES,
        "gauge",
        "Time from a request's arrival to its answer, since the start.",
        &|text, request, seconds| {
            for (name, share) in QUANTILES {
                text.sample(TIMES, &[("request", request), ("quantile", name)], quantile_ms(seconds, share));
            }
        },
    );
    // A connection admits its own requests: none ever waits in a queue.
    const QUEUE: &str = "kafka_network_requestmetrics_requestqueuetimems";
    each(
        QUEUE,
        "gauge",
        "Time in a queue before a request is looked at: there is none.",
        &|text, request, _| {
            for (name, _) in QUANTILES {
                text.sample(QUEUE, &[("request", request), ("quantile", name)], 0);
            }
        },
    );
    const QUEUE_SIZE: &str = "kafka_network_requestchannel_requestqueuesize";
    text.metric(QUEUE_SIZE, "gauge", "Requests in a queue before they are looked at: there is none.");
    text.sample(QUEUE_SIZE, &[], 0);
}

fn write_errors(requests: &[Metric], text: &mut MetricsText<'_>) {
    const NAME: &str = "kafka_network_requestmetrics_errors_total";
    text.metric(NAME, "counter", "Answers by API and error.");
    for metric in requests {
        let labels = [("request", label(metric, "api")), ("error", label(metric, "error"))];
        text.sample(NAME, &labels, metric.get_counter().get_value());
    }
}

fn write_flushes(flushes: &[Metric], text: &mut MetricsText<'_>) {
    const COUNT: &str = "kafka_log_logflushstats_logflushrateandtimems_count";
    text.metric(COUNT, "counter", "Flushes of logs.");
    let Some(flushes) = flushes.first() else { return };
    text.sample(COUNT, &[], flushes.get_histogram().get_sample_count());
    const TIMES: &str = "kafka_log_logflushstats_logflushrateandtimems";
    text.metric(TIMES, "gauge", "Time of a flush, since the start.");
    for (name, share) in QUANTILES {
        text.sample(TIMES, &[("quantile", name)], quantile_ms(flushes.get_histogram(), share));
    }
}

/// As PromQL's `histogram_quantile`: evenly between the bounds of the bucket that holds it. Milliseconds, to the
/// microsecond.
fn quantile_ms(histogram: &Histogram, share: f64) -> f64 {
    (quantile_seconds(histogram, share) * 1_000_000.0).round() / 1_000.0
}

fn quantile_seconds(histogram: &Histogram, share: f64) -> f64 {
    let rank = share * histogram.get_sample_count() as f64;
    let (mut below, mut from) = (0.0, 0.0);
    for bucket in histogram.get_bucket() {
        let (count, to) = (bucket.cumulative_count() as f64, bucket.upper_bound());
        if count >= rank && count > below {
            let is_last = to.is_infinite();
            return if is_last { from } else { from + (to - from) * (rank - below) / (count - below) };
        }
        (below, from) = (count, to);
    }
    from
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prometheus::{HistogramOpts, HistogramVec, IntGauge, Registry};

    use super::*;

    #[test]
    fn a_quantile_lies_between_the_bounds_of_its_bucket() {
        let registry = Registry::new();
        let seconds = HistogramVec::new(
            HistogramOpts::new("ottla_request_seconds", "x").buckets(vec![0.001, 0.01, 0.1]),
            &["api"],
        );
        let seconds = seconds.expect("a metric");
        registry.register(Box::new(seconds.clone())).expect("registered");
        let open = IntGauge::new("ottla_connections", "x").expect("a metric");
        registry.register(Box::new(open.clone())).expect("registered");
        open.set(3);
        let fetch = seconds.with_label_values(&["Fetch"]);
        (0..50).for_each(|_| fetch.observe(0.0005));
        (0..50).for_each(|_| fetch.observe(0.05));
        let mut written = Vec::new();
        let mut send = |piece: bytes::Bytes| {
            written.extend_from_slice(&piece);
            true
        };
        let mut text = MetricsText::new(&mut send);
        write(&registry.gather(), true, &mut text);
        assert!(text.finish());
        let written = String::from_utf8(written).expect("text");
        let has = |line: &str| written.lines().any(|written| written == line);
        assert!(
            has("kafka_network_requestmetrics_requests_total{request=\"FetchConsumer\"} 100"),
            "{written}"
        );
        assert!(
            has("kafka_network_requestmetrics_totaltimems{request=\"Fetch\",quantile=\"0.50\"} 1"),
            "{written}"
        );
        assert!(
            has("kafka_network_requestmetrics_totaltimems{request=\"Fetch\",quantile=\"0.75\"} 55"),
            "{written}"
        );
        assert!(
            has("kafka_server_socket_server_metrics_connection_count{networkProcessor=\"0\"} 3"),
            "{written}"
        );
        let kinds: BTreeSet<&str> = written.lines().filter(|line| line.starts_with("# TYPE")).collect();
        let lines = written.lines().filter(|line| line.starts_with("# TYPE")).count();
        assert_eq!(kinds.len(), lines, "a metric has one head");
    }
}
