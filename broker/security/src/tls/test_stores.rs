//! What the tests of TLS share: authorities, certificates and the keys of a listener.
//! Core.

use ottla_config::BrokerConfig;

use super::dev::{DevAuthority, DevIssued, DevKey, Validity};

/// The time of the tests: 2026-11-30.
pub(super) const NOW_MS: i64 = 1_796_000_000_000;
pub(super) const DAY_MS: i64 = 86_400_000;
/// A year on each side of now.
pub(super) const GOOD: Validity = Validity { from_ms: NOW_MS - 365 * DAY_MS, to_ms: NOW_MS + 365 * DAY_MS };

pub(super) fn authority(name: &str) -> DevAuthority {
    DevAuthority::new(name, GOOD).expect("an authority")
}

pub(super) fn issued(authority: &DevAuthority, subject: &str) -> DevIssued {
    authority.issue(subject, &["localhost", "127.0.0.1"], DevKey::Ec).expect("a certificate")
}

/// A configuration with these keys beside the defaults.
pub(super) fn config(pairs: &[(&str, &str)]) -> BrokerConfig {
    let pairs: Vec<(String, String)> =
        pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
    ottla_config::load(None, &[], &pairs).expect("a configuration").0
}
