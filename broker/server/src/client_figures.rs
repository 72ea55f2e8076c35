//! The metrics that clients pushed, written as they were meant: by their own names, with labels that say whose they are.
//! Shell.

use ottla_admin::MetricsText;
use ottla_env::Monotonic;
use ottla_telemetry::{ClientTelemetry, Kind, Scrape, Series};

/// Writes the clients' series after the broker's own.
pub fn write(telemetry: &ClientTelemetry, now: Monotonic, text: &mut MetricsText<'_>) {
    let Scrape { metrics, clients, values_left_out, payloads_refused } = telemetry.scrape(now);
    const CLIENTS: &str = "ottla_telemetry_clients";
    text.metric(CLIENTS, "gauge", "Clients that asked which metrics to push, and have not left.");
    text.sample(CLIENTS, &[], clients);
    const LEFT_OUT: &str = "ottla_telemetry_values_left_out_total";
    text.metric(LEFT_OUT, "counter", "Pushed values that were not kept: no room, no number or no name.");
    text.sample(LEFT_OUT, &[], values_left_out);
    const REFUSED: &str = "ottla_telemetry_payloads_refused_total";
    text.metric(REFUSED, "counter", "Pushed payloads that could not be read.");
    text.sample(REFUSED, &[], payloads_refused);
    for (name, series) in &metrics {
        text.metric(name, kind_of(series), "Pushed by clients.");
        for Series { client, labels, value, .. } in series {
            let labels: Vec<(&str, &str)> =
                client.iter().chain(labels).map(|(name, value)| (name.as_str(), value.as_str())).collect();
            text.sample(name, &labels, number(*value));
        }
    }
}

/// Clients may disagree on what a metric is.
fn kind_of(series: &[Series]) -> &'static str {
    match (
        series.iter().all(|one| one.kind == Kind::Counter),
        series.iter().all(|one| one.kind == Kind::Gauge),
    ) {
        (true, _) => "counter",
        (_, true) => "gauge",
        _ => "untyped",
    }
}

/// As Prometheus reads it.
fn number(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_prometheus_reads() {
        let written = [1.5, 0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(number);
        assert_eq!(written, ["1.5", "0", "NaN", "+Inf", "-Inf"]);
    }
}
