//! Requests by API and error, and how long they took.
//! Shell.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use parking_lot::{Mutex, RwLock};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
};

/// Bounds of the latency buckets in seconds: from a request answered from memory to a long poll.
const SECONDS: [f64; 12] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

pub struct ApiMetrics {
    requests: IntCounterVec,
    seconds: HistogramVec,
    pub refused: IntCounter,
    pub logins: Logins,
    pub software: SoftwareCounts,
    /// What each API's requests add to, looked up once; the index is the API key.
    by_key: RwLock<Vec<Option<PerApi>>>,
}

/// What became of logins.
pub struct Logins {
    pub succeeded: IntCounter,
    pub failed: IntCounter,
    /// Of clients that were known and authenticated again (KIP-368).
    pub succeeded_again: IntCounter,
    pub failed_again: IntCounter,
    /// Connections closed because their session had ended.
    pub expired: IntCounter,
}

impl Logins {
    fn register(registry: &Registry) -> Result<Logins, prometheus::Error> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        Ok(Logins {
            succeeded: counter("ottla_logins_succeeded_total", "Connections whose client logged in.")?,
            failed: counter("ottla_logins_failed_total", "Connections whose login failed.")?,
            succeeded_again: counter("ottla_relogins_succeeded_total", "Re-authentications that succeeded.")?,
            failed_again: counter("ottla_relogins_failed_total", "Re-authentications that failed.")?,
            expired: counter(
                "ottla_sessions_expired_total",
                "Connections closed because they sent a request after their session had ended.",
            )?,
        })
    }
}

/// Open connections by the software at their other end (KIP-511).
pub struct SoftwareCounts {
    gauge: IntGaugeVec,
    counts: Mutex<BTreeMap<Arc<(String, String)>, i64>>,
}

/// Kinds of software that are told apart; whoever calls itself something new beyond them is `other`.
const SOFTWARE_MAX: usize = 200;

impl SoftwareCounts {
    fn register(registry: &Registry) -> Result<SoftwareCounts, prometheus::Error> {
        let gauge = IntGaugeVec::new(
            Opts::new("ottla_client_connections", "Connections that are open, by the client's software."),
            &["software_name", "software_version"],
        )?;
        registry.register(Box::new(gauge.clone()))?;
        Ok(SoftwareCounts { gauge, counts: Mutex::default() })
    }

    /// Its name and version, held once for all connections that have them: thousands of clients are of a few kinds.
    pub fn on_known(&self, name: &str, version: &str) -> Arc<(String, String)> {
        let mut counts = self.counts.lock();
        let software = (name.to_owned(), version.to_owned());
        let known = counts.get_key_value(&software).map(|(known, _)| Arc::clone(known));
        let is_other = known.is_none() && counts.len() >= SOFTWARE_MAX;
        let software = known.unwrap_or_else(|| Arc::new(software));
        let counted = if is_other { Arc::new(other_software()) } else { Arc::clone(&software) };
        self.gauge.with_label_values(&[&counted.0, &counted.1]).inc();
        *counts.entry(counted).or_default() += 1;
        software
    }

    /// `software` as it was given.
    pub fn on_close(&self, software: &Arc<(String, String)>) {
        let mut counts = self.counts.lock();
        // One of its name may have come later, when there was room.
        let is_own = counts.get_key_value(&**software).is_some_and(|(known, _)| Arc::ptr_eq(known, software));
        let key = if is_own { Arc::clone(software) } else { Arc::new(other_software()) };
        let Some(count) = counts.get_mut(&key) else { return };
        *count -= 1;
        match *count {
            0 => {
                counts.remove(&key);
                // Nobody else takes a series away.
                let _there = self.gauge.remove_label_values(&[&key.0, &key.1]);
            }
            count => self.gauge.with_label_values(&[&key.0, &key.1]).set(count),
        }
    }
}

fn other_software() -> (String, String) {
    ("other".to_owned(), String::new())
}

#[derive(Clone)]
struct PerApi {
    name: &'static str,
    success: IntCounter,
    seconds: Histogram,
}

impl ApiMetrics {
    pub fn new(registry: &Registry) -> Result<ApiMetrics, prometheus::Error> {
        let requests = IntCounterVec::new(
            Opts::new(
                "ottla_requests_total",
                "Requests answered, by API and by each error code in the answer.",
            ),
            &["api", "error"],
        )?;
        let seconds = HistogramVec::new(
            HistogramOpts::new("ottla_request_seconds", "Time from a request's arrival to its answer.")
                .buckets(SECONDS.to_vec()),
            &["api"],
        )?;
        let refused = IntCounter::new(
            "ottla_requests_refused_total",
            "Requests that closed their connection: malformed, unknown or in a version not served.",
        )?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(refused.clone()))?;
        let logins = Logins::register(registry)?;
        let software = SoftwareCounts::register(registry)?;
        Ok(ApiMetrics { requests, seconds, refused, logins, software, by_key: RwLock::default() })
    }

    pub fn on_answer(&self, key: i16, took: Duration, errors: impl Iterator<Item = i16>) {
        let Some(api) = self.api(key) else { return };
        api.seconds.observe(took.as_secs_f64());
        let mut failed = false;
        for code in errors.filter(|code| *code != 0) {
            failed = true;
            self.requests.with_label_values(&[api.name, &error_label(code)]).inc();
        }
        if !failed {
            api.success.inc();
        }
    }

    fn api(&self, key: i16) -> Option<PerApi> {
        let index = usize::try_from(key).ok()?;
        if let Some(Some(api)) = self.by_key.read().get(index) {
            return Some(api.clone());
        }
        let name = ApiKey::from_i16(key)?.name();
        let api = PerApi {
            name,
            success: self.requests.with_label_values(&[name, "NONE"]),
            seconds: self.seconds.with_label_values(&[name]),
        };
        let mut by_key = self.by_key.write();
        if by_key.len() <= index {
            by_key.resize(index + 1, None);
        }
        by_key[index] = Some(api.clone());
        Some(api)
    }
}

/// An error under the name Kafka's documentation gives it: `UnknownTopicId` is `UNKNOWN_TOPIC_ID`.
fn error_label(code: i16) -> String {
    let name = ErrorCode::from_code(code).map_or("Unknown", ErrorCode::name);
    let mut label = String::with_capacity(name.len() + 8);
    for (index, letter) in name.chars().enumerate() {
        if index > 0 && letter.is_ascii_uppercase() {
            label.push('_');
        }
        label.push(letter.to_ascii_uppercase());
    }
    label
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use prometheus::Registry;

    use super::{SOFTWARE_MAX, SoftwareCounts, error_label};

    #[test]
    fn connections_are_counted_by_their_software_while_they_are_open() {
        let registry = Registry::new();
        let counts = SoftwareCounts::register(&registry).expect("registered");
        let shown = || -> Vec<(String, f64)> {
            let families = registry.gather();
            let metrics = families.first().map_or(&[][..], |family| family.get_metric());
            let name = |one: &prometheus::proto::Metric| one.get_label()[0].value().to_owned();
            metrics.iter().map(|one| (name(one), one.get_gauge().get_value())).collect()
        };
        let (first, second) = (counts.on_known("a", "1"), counts.on_known("a", "1"));
        assert!(Arc::ptr_eq(&first, &second), "a name is held once");
        counts.on_close(&first);
        assert_eq!(shown(), [("a".to_owned(), 1.0)]);
        counts.on_close(&second);
        assert!(shown().is_empty(), "who is gone is not shown");
        let all: Vec<_> =
            (0..=SOFTWARE_MAX).map(|number| counts.on_known(&format!("n{number}"), "1")).collect();
        assert_eq!(shown().len(), SOFTWARE_MAX + 1);
        assert!(shown().contains(&("other".to_owned(), 1.0)));
        // With room again the last has its own series, and the one before it is still counted elsewhere.
        all[..2].iter().for_each(|one| counts.on_close(one));
        let late = counts.on_known(&format!("n{SOFTWARE_MAX}"), "1");
        assert!(shown().contains(&(format!("n{SOFTWARE_MAX}"), 1.0)));
        counts.on_close(&all[SOFTWARE_MAX]);
        assert!(!shown().contains(&("other".to_owned(), 1.0)), "{:?}", shown());
        assert!(shown().contains(&(format!("n{SOFTWARE_MAX}"), 1.0)));
        counts.on_close(&late);
        assert!(!shown().iter().any(|(name, _)| *name == format!("n{SOFTWARE_MAX}")));
    }

    #[test]
    fn errors_are_labelled_as_kafka_writes_them() {
        assert_eq!(error_label(3), "UNKNOWN_TOPIC_OR_PARTITION");
        assert_eq!(error_label(0), "NONE");
    }
}
