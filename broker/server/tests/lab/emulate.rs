//! Clusters that clients see as an older Kafka.
//! Shell.

use ottla_protocol::ApiKey;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, ConsumerGroupHeartbeatRequest, MetadataRequest,
};
use serde_json::json;

use crate::client::{Client, PRODUCE_VERSION, count, http, produce, told, with_lab};
use crate::ports::make;

const UNSUPPORTED_VERSION: i16 = 35;

fn versions(at: &str, version: i16) -> ApiVersionsResponse {
    let named = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("a"))
        .with_client_software_version(StrBytes::from_static_str("1"));
    Client::at(at).ask(version, &named).expect("an answer")
}

fn range(told: &ApiVersionsResponse, key: ApiKey) -> Option<(i16, i16)> {
    let row = told.api_keys.iter().find(|row| row.api_key == key.to_i16())?;
    Some((row.min_version, row.max_version))
}

/// Supported and finalized levels of a feature.
fn feature(told: &ApiVersionsResponse, name: &str) -> (Option<(i16, i16)>, Option<i16>) {
    let supported = told.supported_features.iter().find(|row| row.name.as_str() == name);
    let finalized = told.finalized_features.iter().find(|row| row.name.as_str() == name);
    (supported.map(|row| (row.min_version, row.max_version)), finalized.map(|row| row.max_version_level))
}

#[test]
fn a_client_sees_the_versions_and_features_of_the_release() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        let old = make(at, json!({ "name": "old", "emulate": "2.8", "topics": ["a"] }));
        let told_of = versions(&old, 3);
        assert_eq!(range(&told_of, ApiKey::Produce), Some((0, 9)));
        // Version 0 to 3 cannot be read here any more.
        assert_eq!(range(&told_of, ApiKey::Fetch), Some((4, 12)));
        assert_eq!(range(&told_of, ApiKey::ConsumerGroupHeartbeat), None);
        assert!(
            told_of.supported_features.is_empty() && told_of.finalized_features.is_empty(),
            "{told_of:?}"
        );
        let newer = make(at, json!({ "emulate": "3.7.1" }));
        let told_of = versions(&newer, 3);
        assert_eq!(range(&told_of, ApiKey::Produce), Some((0, 10)));
        assert_eq!(feature(&told_of, "metadata.version"), (Some((7, 19)), Some(19)));
        assert_eq!(feature(&told_of, "transaction.version"), (None, None));
        let newer = make(at, json!({ "emulate": "4.0" }));
        let told_of = versions(&newer, 4);
        assert_eq!(feature(&told_of, "metadata.version"), (Some((7, 25)), Some(25)));
        assert_eq!(feature(&told_of, "transaction.version"), (Some((0, 2)), Some(2)));
        assert_eq!(feature(&told_of, "share.version"), (None, None));
        // A cluster that emulates nothing, and one that emulates this broker's own release, answer alike; but that Kafka
        // takes metrics of clients only where a plugin does (KIP-714).
        let same = make(at, json!({ "emulate": "4.3" }));
        for version in 0..=4 {
            let (mut own, mut emulated) = (versions(at, version), versions(&same, version));
            let of_telemetry = [ApiKey::GetTelemetrySubscriptions, ApiKey::PushTelemetry].map(ApiKey::to_i16);
            own.api_keys.retain(|row| !of_telemetry.contains(&row.api_key));
            own.finalized_features_epoch = 0;
            emulated.finalized_features_epoch = 0;
            assert!(own == emulated, "version {version}: {emulated:?}");
        }
        assert_eq!(http(at, "GET", "/clusters/old", None).1["emulate"], "2.8");
        assert_eq!(http(at, "GET", "/clusters/main", None).1["emulate"], json!(null));
    });
}

#[test]
fn what_the_release_has_not_closes_the_connection_and_all_else_is_served() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        let old = make(at, json!({ "name": "old", "emulate": "2.8", "topics": ["a"] }));
        // It says which versions of ApiVersions there are (KIP-511).
        let asked = Client::at(&old).ask_in(4, 0, &ApiVersionsRequest::default()).expect("an answer");
        assert_eq!(
            (asked.error_code, range(&asked, ApiKey::ApiVersions)),
            (UNSUPPORTED_VERSION, Some((0, 3)))
        );
        assert_eq!(asked.api_keys.len(), 1);
        let entry = &http(&old, "GET", "/requests?api=ApiVersions", None).1["requests"][0];
        assert_eq!(entry["errors"], json!(["UNSUPPORTED_VERSION"]), "{entry}");
        let mut client = Client::at(&old);
        assert_eq!(told(client.ask(PRODUCE_VERSION, &produce(&["a"])))[0].1, 0);
        assert!(client.ask(11, &MetadataRequest::default()).is_some());
        // No rule is about what it cannot read.
        let rule = json!({ "api": "Metadata", "error": "UNKNOWN_TOPIC_OR_PARTITION" });
        assert_eq!(http(&old, "POST", "/faults", Some(rule)).0, 201);
        assert!(client.ask(12, &MetadataRequest::default()).is_none(), "2.8 has no Metadata 12");
        assert_eq!(http(&old, "GET", "/faults", None).1["faults"][0]["hits"], 0);
        let heartbeat = ConsumerGroupHeartbeatRequest::default();
        assert!(Client::at(&old).ask(0, &heartbeat).is_none(), "2.8 has no such groups");
        // Who is sent there by the port of all sees the same.
        let mut named = Client::at(at);
        named.1 = "old.app";
        assert!(named.ask(12, &MetadataRequest::default()).is_none());
        assert!(Client::at(at).ask(12, &MetadataRequest::default()).is_some());
        assert_eq!(count(&old, "a"), 1);
    });
}

#[test]
fn a_fork_and_a_cluster_that_is_reset_emulate_what_they_did() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        make(at, json!({ "name": "old", "emulate": "3.7" }));
        let (status, forked) = http(at, "POST", "/clusters/old/fork", Some(json!({ "name": "fork" })));
        assert_eq!((status, &forked["emulate"]), (201, &json!("3.7")), "{forked}");
        let fork = forked["bootstrap"].as_str().expect("an address").to_owned();
        assert_eq!(range(&versions(&fork, 3), ApiKey::Produce), Some((0, 10)));
        assert_eq!(feature(&versions(&fork, 3), "metadata.version"), (Some((7, 19)), Some(19)));
        let (status, bad) = http(at, "POST", "/clusters/old/fork", Some(json!({ "emulate": "3.8" })));
        assert_eq!((status, &bad["error"]["field"]), (400, &json!("emulate")), "{bad}");
        assert_eq!(http(at, "POST", "/clusters/fork/reset", None).0, 200);
        assert_eq!(feature(&versions(&fork, 3), "metadata.version"), (Some((7, 19)), Some(19)));
        let (status, bad) = http(at, "POST", "/clusters", Some(json!({ "emulate": "2.7" })));
        assert_eq!((status, &bad["error"]["field"]), (400, &json!("emulate")), "{bad}");
    });
}
