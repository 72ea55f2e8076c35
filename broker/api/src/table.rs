//! One row per API key: what is served, and in which versions. The ApiVersions answer derives from it.
//! Core. The rows themselves are listed in `handlers/mod.rs`.

use std::sync::Arc;

use ottla_protocol::api_key::ApiKey;
use ottla_protocol::versions;

use crate::context::Broker;
use crate::handlers::ROWS;
use crate::request::{Handled, Request};

/// One API this broker serves, as its handler says.
pub struct Api {
    pub key: ApiKey,
    /// The first version that is served.
    pub min: i16,
    pub max: i16,
    pub admit: fn(&Arc<Broker>, Request) -> Handled,
}

/// What becomes of a request before its handler has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Treatment {
    Ordinary,
    /// A broker whose controller is not active leaves it to the one that is (`ApiKeys.forwardable`).
    Forwarded,
    /// Nodes of a cluster say it to each other: its time is nobody's quota (`sendResponseExemptThrottle`).
    Exempt,
}

/// One row of the table.
pub struct Row {
    pub key: ApiKey,
    /// The first version that is served.
    pub min: i16,
    pub max: i16,
    pub admit: fn(&Arc<Broker>, Request) -> Handled,
    pub treatment: Treatment,
}

impl Row {
    pub(crate) const fn of(api: &Api, treatment: Treatment) -> Row {
        Row { key: api.key, min: api.min, max: api.max, admit: api.admit, treatment }
    }

    pub fn is_forwarded(&self) -> bool {
        self.treatment == Treatment::Forwarded
    }

    /// The first version ApiVersions names. It differs from the first served for Produce alone:
    /// older librdkafka takes "from 0" as a sign of compression support (KAFKA-18659).
    pub fn advertised_min(&self) -> i16 {
        let of = versions::of(self.key);
        of.broker.or(of.controller).map_or(self.min, |range| range.min)
    }
}

/// The last version that is served; `unstable` serves what is not released, too (`unstable.api.versions.enable`).
pub fn version_max(api: &Row, unstable: bool) -> i16 {
    versions::of(api.key).unstable.filter(|_| unstable).unwrap_or(api.max)
}

/// What kind of listener a request came through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Endpoint {
    Broker,
    Controller,
}

/// Every API that one kind of listener serves, in the order of keys. An API that is not here is not advertised.
pub fn rows(endpoint: Endpoint) -> impl Iterator<Item = &'static Row> {
    served(endpoint).iter().flatten().copied()
}

/// The rows by key, so that a request finds its own without a search.
pub type ByKey = [Option<&'static Row>; ApiKey::COUNT];

/// What one kind of listener serves.
pub fn served(endpoint: Endpoint) -> &'static ByKey {
    match endpoint {
        Endpoint::Broker => &OF_BROKERS,
        Endpoint::Controller => &OF_CONTROLLERS,
    }
}

/// The row of a key.
pub fn find(served: &'static ByKey, key: i16) -> Option<&'static Row> {
    *served.get(usize::try_from(key).ok()?)?
}

static OF_BROKERS: ByKey = by_key(Endpoint::Broker);
static OF_CONTROLLERS: ByKey = by_key(Endpoint::Controller);

/// As Kafka's own lists of listeners say (`versions`).
const fn is_of(key: ApiKey, endpoint: Endpoint) -> bool {
    let of = versions::of(key);
    match endpoint {
        // Kafka lists telemetry on no listener: it advertises it with a plugin alone.
        Endpoint::Broker => of.broker.is_some() || of.controller.is_none(),
        Endpoint::Controller => of.controller.is_some(),
    }
}

const fn by_key(endpoint: Endpoint) -> ByKey {
    let mut table = [None; ApiKey::COUNT];
    let mut index = 0;
    while index < ROWS.len() {
        let api = &ROWS[index];
        assert!(
            index == 0 || (ROWS[index - 1].key as i16) < api.key as i16,
            "the rows are in the order of keys"
        );
        assert!(api.min <= api.max, "an API serves a version");
        if is_of(api.key, endpoint) {
            table[api.key as usize] = Some(api);
        }
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_serve_exactly_kafka_s_versions() {
        for api in ROWS {
            let of = versions::of(api.key);
            // Kafka advertises telemetry with a plugin alone.
            let is_plugin = [ApiKey::GetTelemetrySubscriptions, ApiKey::PushTelemetry].contains(&api.key);
            let served = of.broker.or(of.controller).or(of.decodable.filter(|_| is_plugin));
            let kafka = served.expect("a key of some listener");
            assert_eq!(api.advertised_min(), kafka.min, "{:?}", api.key);
            assert_eq!(api.max, kafka.max, "{:?}", api.key);
            assert_eq!(version_max(api, false), kafka.max, "{:?}", api.key);
            let last = of.decodable.map_or(kafka.max, |range| range.max);
            assert_eq!(version_max(api, true), last, "{:?}", api.key);
            let decodable = versions::of(api.key).decodable.expect("a key with messages");
            assert_eq!(api.min, decodable.min.max(kafka.min), "{:?}", api.key);
            if let (Some(broker), Some(controller)) = (of.broker, of.controller) {
                assert_eq!(broker, controller, "one row serves both kinds of listeners");
            }
        }
    }

    /// As many as Kafka has of either kind among those that are served; a controller decides what a broker forwards.
    #[test]
    fn what_is_forwarded_is_served_by_both_kinds_of_listeners() {
        let has = |endpoint, row: &Row| find(served(endpoint), row.key.to_i16()).is_some();
        let of = |treatment| ROWS.iter().filter(move |row| row.treatment == treatment);
        assert_eq!((of(Treatment::Forwarded).count(), of(Treatment::Exempt).count()), (20, 9));
        for row in of(Treatment::Forwarded) {
            assert!(has(Endpoint::Controller, row) && has(Endpoint::Broker, row), "{:?}", row.key);
        }
    }

    #[test]
    fn a_listener_serves_what_kafka_s_serves_there() {
        let has = |endpoint, key: ApiKey| find(served(endpoint), key.to_i16()).is_some();
        for api in ROWS {
            let of = versions::of(api.key);
            let is_plugin = of.broker.is_none() && of.controller.is_none();
            assert_eq!(has(Endpoint::Broker, api.key), of.broker.is_some() || is_plugin, "{:?}", api.key);
            assert_eq!(has(Endpoint::Controller, api.key), of.controller.is_some(), "{:?}", api.key);
        }
        assert!(!has(Endpoint::Controller, ApiKey::Metadata) && !has(Endpoint::Controller, ApiKey::Produce));
        assert!(
            has(Endpoint::Controller, ApiKey::CreateTopics) && has(Endpoint::Controller, ApiKey::ApiVersions)
        );
        for endpoint in [Endpoint::Broker, Endpoint::Controller] {
            let find = |key| find(served(endpoint), key);
            assert!(find(4).is_none() && find(-1).is_none() && find(i16::MAX).is_none());
            assert!(rows(endpoint).count() > 10);
        }
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
            ROWS.iter().map(|api| format!("{}.rs", api.key.name().to_lowercase())).collect();
        files.sort();
        named.sort();
        assert_eq!(files, named);
    }
}
