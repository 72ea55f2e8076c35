//! One row per API key: what is served, and in which versions. The ApiVersions answer derives from it.
//! Core. The rows themselves are listed in `handlers/mod.rs`.

use std::sync::Arc;

use ottla_protocol::api_key::ApiKey;
use ottla_protocol::versions;

use crate::context::Broker;
use crate::handlers::ROWS;
use crate::request::{Handled, Request};

/// One API this broker serves.
pub struct Api {
    pub key: ApiKey,
    /// The first version that is served.
    pub min: i16,
    pub max: i16,
    pub admit: fn(&Arc<Broker>, Request) -> Handled,
}

impl Api {
    /// The first version ApiVersions names. It differs from the first served for Produce alone:
    /// older librdkafka takes "from 0" as a sign of compression support (KAFKA-18659).
    pub fn advertised_min(&self) -> i16 {
        versions::of(self.key).broker.map_or(self.min, |range| range.min)
    }
}

/// Every API that is served, in the order of keys. An API that is not here is not advertised.
pub fn rows() -> impl Iterator<Item = &'static Api> {
    ROWS.iter().copied()
}

/// The row of a key.
pub fn find(key: i16) -> Option<&'static Api> {
    *BY_KEY.get(usize::try_from(key).ok()?)?
}

/// The rows by key, so that a request finds its own without a search.
static BY_KEY: [Option<&'static Api>; ApiKey::COUNT] = by_key();

const fn by_key() -> [Option<&'static Api>; ApiKey::COUNT] {
    let mut table = [None; ApiKey::COUNT];
    let mut index = 0;
    while index < ROWS.len() {
        let api = ROWS[index];
        assert!(
            index == 0 || (ROWS[index - 1].key as i16) < api.key as i16,
            "the rows are in the order of keys"
        );
        assert!(api.min <= api.max, "an API serves a version");
        table[api.key as usize] = Some(api);
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_serve_exactly_kafka_s_versions() {
        for api in rows() {
            let of = versions::of(api.key);
            // Kafka advertises telemetry with a plugin alone.
            let is_plugin = [ApiKey::GetTelemetrySubscriptions, ApiKey::PushTelemetry].contains(&api.key);
            let served = of.broker.or(of.decodable.filter(|_| is_plugin));
            let kafka = served.expect("a key of the broker's listener");
            assert_eq!(api.advertised_min(), kafka.min, "{:?}", api.key);
            assert_eq!(api.max, kafka.max, "{:?}", api.key);
            let decodable = versions::of(api.key).decodable.expect("a key with messages");
            assert_eq!(api.min, decodable.min.max(kafka.min), "{:?}", api.key);
            assert!(find(api.key.to_i16()).is_some_and(|found| found.key == api.key));
        }
        assert!(find(4).is_none());
        assert!(find(-1).is_none());
        assert!(find(i16::MAX).is_none());
    }

    #[test]
    fn every_file_of_a_handler_is_named_as_its_api_and_has_a_row() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/handlers");
        let files = std::fs::read_dir(folder).expect("the handlers' folder");
        let mut files: Vec<String> = files
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().replace(['_'], ""))
            .filter(|name| name != "mod.rs" && name != "prelude.rs")
            .collect();
        let mut named: Vec<String> =
            rows().map(|api| format!("{}.rs", api.key.name().to_lowercase())).collect();
        files.sort();
        named.sort();
        assert_eq!(files, named);
    }
}
