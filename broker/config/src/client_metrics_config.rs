//! A client metrics subscription, made of its keys (KIP-714): which clients push which metrics, and how often.
//! Core. The keys are in `client_metrics.rs`.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use crate::client_metrics::row;
use crate::settings::ConfigMap;
use crate::value::{self, ConfigValue};

/// What a subscription may match on.
const MATCH_ATTRIBUTES: [&str; 6] = [
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

/// A compiled pattern takes no more memory than this.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// Which clients a subscription is for: a pattern by attribute. Without any it is for all.
#[derive(Clone, Debug, Default)]
pub struct ClientMatch {
    patterns: BTreeMap<String, Regex>,
}

impl ClientMatch {
    /// `ClientMetricsConfigs.parseMatchingPatterns`; the error is the entry that is none. Patterns run in linear time: a
    /// few that Java takes are refused (looking around, back references).
    pub fn parse(entries: &[String]) -> Result<ClientMatch, String> {
        let mut patterns = BTreeMap::new();
        for entry in entries {
            let (attribute, pattern) = pair(entry)
                .filter(|(attribute, _)| MATCH_ATTRIBUTES.contains(attribute))
                .ok_or_else(|| entry.clone())?;
            // The group alone first, so that no half of a pattern closes the one around it.
            let compiled = Regex::new(pattern)
                .and_then(|_| {
                    RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(PATTERN_BYTES_MAX).build()
                })
                .map_err(|_| entry.clone())?;
            patterns.insert(attribute.to_owned(), compiled);
        }
        Ok(ClientMatch { patterns })
    }

    /// Whether each pattern fits the whole of its attribute. What a client has not said fits none.
    pub fn matches<'a>(&self, attribute: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.patterns.iter().all(|(name, pattern)| attribute(name).is_some_and(|text| pattern.is_match(text)))
    }
}

/// As Java splits at `=`: there are two parts, and empty ones at the end do not count.
fn pair(entry: &str) -> Option<(&str, &str)> {
    let (attribute, pattern) = entry.trim_end_matches('=').split_once('=')?;
    (!pattern.contains('=')).then(|| (attribute.trim(), pattern.trim()))
}

/// One subscription: which clients push which metrics, and how often.
#[derive(Clone, Debug)]
pub struct ClientMetricsSubscription {
    pub interval_ms: i32,
    /// Prefixes of names; `*` for all.
    pub metrics: Vec<String>,
    pub clients: ClientMatch,
}

impl ClientMetricsSubscription {
    /// From what was set. A value that does not parse is passed over: it was checked when accepted.
    pub fn of(values: &ConfigMap) -> ClientMetricsSubscription {
        let value = |name: &str| {
            let row = row(name)?;
            let set = values.get(name).and_then(|text| value::parse(row, text).ok());
            set.or_else(|| value::parse(row, row.default?).ok())
        };
        let list = |name: &str| match value(name) {
            Some(ConfigValue::List(entries)) => entries,
            _ => Vec::new(),
        };
        let interval = value("interval.ms").and_then(|value| i32::try_from(value.as_i64()?).ok());
        ClientMetricsSubscription {
            interval_ms: interval.unwrap_or(CLIENT_METRICS_INTERVAL_MS),
            metrics: list("metrics"),
            clients: ClientMatch::parse(&list("match")).unwrap_or_default(),
        }
    }
}

/// How often a client asks that no subscription is for.
pub const CLIENT_METRICS_INTERVAL_MS: i32 = 300_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_split_as_java_does_and_fit_the_whole() {
        let parse = |entries: &[&str]| {
            ClientMatch::parse(&entries.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>())
        };
        for bad in [
            "client_id",
            "client_id=",
            "=a",
            "shoe_size=4",
            "client_id=a=b",
            "client_id=([",
            "client_id=a)|(b",
        ] {
            assert_eq!(parse(&[bad]).expect_err("no pattern"), bad);
        }
        let both = parse(&[" client_id = a.*=", "client_software_version=1\\.[0-9]"]).expect("patterns");
        let client = |id: &'static str, version: &'static str| {
            move |name: &str| match name {
                "client_id" => Some(id),
                "client_software_version" => Some(version),
                _ => None,
            }
        };
        assert!(both.matches(client("abc", "1.2")));
        assert!(!both.matches(client("abc", "1.23")));
        assert!(!both.matches(client("cab", "1.2")));
        assert!(!both.matches(|_| None));
        assert!(ClientMatch::default().matches(|_| None));
    }
}
