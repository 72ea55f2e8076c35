//! What clients with limits use of them, one series a bucket: gathered when somebody asks.
//! Shell.

use ottla_admin::MetricsText;
use ottla_env::Monotonic;
use ottla_quota::{Bucket, ClientQuotas, QuotaType};

const RATE: &str = "ottla_client_quota_rate";
const THROTTLES: &str = "ottla_client_quota_throttles_total";
const SECONDS: &str = "ottla_client_quota_throttle_seconds_total";

struct Row {
    quota: QuotaType,
    bucket: Bucket,
    rate: Option<f64>,
    throttles: u64,
    throttled_ms: u64,
}

/// Writes at most `series_max` buckets, those that were throttled most often first. Answers how many were left out.
pub fn write(quotas: &ClientQuotas, now: Monotonic, series_max: usize, text: &mut MetricsText<'_>) -> usize {
    let mut rows = Vec::new();
    quotas.for_each(now, |quota, bucket, shown| {
        rows.push(Row {
            quota,
            bucket: bucket.clone(),
            rate: shown.rate,
            throttles: shown.throttles,
            throttled_ms: shown.throttled_ms,
        });
    });
    // As stable as the names are: a bucket keeps its place from scrape to scrape.
    rows.sort_by_key(|row| std::cmp::Reverse(row.throttles));
    let left_out = rows.len().saturating_sub(series_max);
    rows.truncate(series_max);
    let mut write = |name: &'static str, kind: &str, help: &str, value: fn(&Row) -> Option<f64>| {
        text.metric(name, kind, help);
        for row in &rows {
            let Some(value) = value(row) else { continue };
            let (user, client_id) = (&*row.bucket.user, &*row.bucket.client_id);
            text.sample(
                name,
                &[("quota", row.quota.name()), ("user", user), ("client_id", client_id)],
                value,
            );
        }
    };
    write(RATE, "gauge", "What a client with a limit uses a second: bytes, or percent of a thread.", |row| {
        row.rate
    });
    write(THROTTLES, "counter", "Requests whose client was told to rest.", |row| Some(row.throttles as f64));
    write(SECONDS, "counter", "How long a client was told to rest.", |row| {
        Some(row.throttled_ms as f64 / 1000.0)
    });
    left_out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use ottla_quota::{Client, Limits, QuotaCache, QuotaMetrics, QuotaSettings, Windows};
    use prometheus::Registry;

    use super::*;

    #[test]
    fn the_most_throttled_clients_are_shown_and_the_rest_is_counted() {
        let windows = Windows::of_seconds(11, 1);
        let settings = QuotaSettings { windows, controller_windows: windows };
        let metrics = QuotaMetrics::register(&Registry::new()).expect("free names");
        let clock = Arc::new(ottla_env::memory::MemoryClock::new(0));
        let quotas = ClientQuotas::new(settings, clock, metrics);
        let mut limits = Limits::default();
        limits.insert(None, Some(None), 10.0);
        quotas.set_limits(QuotaType::Produce, limits);
        let now = Monotonic(Duration::from_secs(5));
        for (client_id, bytes) in [("a", 1.0), ("b\"", 200.0), ("c", 2.0)] {
            let cache = QuotaCache::default();
            let client = Client { user: "u", client_id, cache: &cache };
            quotas.record(QuotaType::Produce, client, bytes, now);
        }
        let mut written = Vec::new();
        let mut send = |piece: bytes::Bytes| {
            written.extend_from_slice(&piece);
            true
        };
        let mut text = MetricsText::new(&mut send);
        assert_eq!(super::write(&quotas, now, 2, &mut text), 1);
        assert!(text.finish());
        let written = String::from_utf8(written).expect("text");
        let labels = "{quota=\"produce\",user=\"\",client_id=\"b\\\"\"}";
        assert!(written.contains(&format!("ottla_client_quota_rate{labels} 20\n")), "{written}");
        assert!(written.contains(&format!("ottla_client_quota_throttles_total{labels} 1\n")), "{written}");
        assert!(
            written.contains(&format!("ottla_client_quota_throttle_seconds_total{labels} 10\n")),
            "{written}"
        );
        assert!(written.contains("client_id=\"a\"") && !written.contains("client_id=\"c\""), "{written}");
    }
}
