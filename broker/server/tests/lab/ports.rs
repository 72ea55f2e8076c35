//! Clusters behind the port of the main one, and clocks that clusters are made with.
//! Shell.

use ottla_protocol::messages::MetadataRequest;
use serde_json::{Value as Json, json};

use crate::client::{Client, PRODUCE_VERSION, count, http, produce, told, topics, with_lab};

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const NOT_LEADER_OR_FOLLOWER: i16 = 6;

fn named(bootstrap: &str, client_id: &'static str) -> Client {
    let mut client = Client::at(bootstrap);
    client.1 = client_id;
    client
}

pub fn make(at: &str, settings: Json) -> String {
    let (status, made) = http(at, "POST", "/clusters", Some(settings));
    assert_eq!(status, 201, "{made}");
    made["bootstrap"].as_str().expect("an address").to_owned()
}

#[test]
fn the_id_of_a_client_says_whose_its_connection_is() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        topics(at, &["a"]);
        let one = make(at, json!({ "name": "one", "topics": ["a"] }));
        make(at, json!({ "name": "two", "configs": { "auto.create.topics.enable": false } }));
        let code = |client: &mut Client| told(client.ask(PRODUCE_VERSION, &produce(&["a"])))[0].1;
        let mut of_one = named(at, "one.app");
        assert_eq!((code(&mut of_one), count(&one, "a"), count(at, "a")), (0, 1, 0));
        assert_eq!(code(&mut named(at, "two.app")), UNKNOWN_TOPIC_OR_PARTITION);
        for id in ["one", "none.app", "main.app", ".app", "app"] {
            assert_eq!(code(&mut named(at, id)), 0, "{id}");
        }
        assert_eq!((count(&one, "a"), count(at, "a")), (1, 5));
        // Who follows the addresses that it is told stays at this port.
        let told = of_one.ask(9, &MetadataRequest::default()).expect("an answer");
        assert_eq!(format!("127.0.0.1:{}", told.brokers[0].port), at);
        assert_ne!(told.cluster_id.map(|id| id.to_string()), Some(created.cluster_id.clone()));
        // Rules and journals are the cluster's own. What a connection said first counts for all of it.
        let rule = json!({ "api": "Produce", "client_id": "one.*", "error": "NOT_LEADER_OR_FOLLOWER" });
        assert_eq!(http(at, "POST", "/clusters/one/faults", Some(rule)).0, 201);
        of_one.1 = "two.app";
        assert_eq!(code(&mut of_one), 0);
        of_one.1 = "one.app";
        assert_eq!(code(&mut of_one), NOT_LEADER_OR_FOLLOWER);
        let words = json!({ "api": "Produce", "client_id": "one.app" });
        assert_eq!(http(at, "POST", "/clusters/one/requests/count", Some(words)).1["count"], 2);
        // At the port of another cluster nobody is sent elsewhere.
        assert_eq!((code(&mut named(&one, "two.app")), count(&one, "a")), (0, 3));
        assert_eq!(http(at, "DELETE", "/clusters/one", None).0, 200);
        assert!(of_one.ask(PRODUCE_VERSION, &produce(&["a"])).is_none(), "its cluster is gone");
    });
}

#[test]
fn clocks_stand_or_run_faster_from_the_birth_of_a_cluster() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        let frozen = make(at, json!({ "clock": "frozen", "topics": ["a"] }));
        let clock = |at: &str| http(at, "GET", "/clock", None).1;
        let stands = clock(&frozen);
        assert_eq!((&stands["mode"], &stands["scale"]), (&json!("frozen"), &json!(0.0)));
        let fast = make(at, json!({ "clock": { "mode": "scaled", "scale": 3600 } }));
        let from = clock(&fast)["records"].as_i64().expect("a time");
        let began = std::time::Instant::now();
        while clock(&fast)["records"].as_i64().is_none_or(|now| now < from + 600_000) {
            assert!(began.elapsed().as_secs() < 60, "ten minutes take a sixth of a second");
        }
        assert_eq!(clock(&frozen)["records"], stands["records"]);
        let (status, bad) = http(&fast, "PUT", "/clock", Some(json!({ "mode": "scaled", "scale": -1 })));
        assert_eq!((status, &bad["error"]["field"]), (400, &json!("scale")));
        assert_eq!(clock(&fast)["scale"], 3600.0);
        assert_eq!(http(&fast, "PUT", "/clock", Some(json!({ "mode": "real" }))).1["scale"], 1.0);
        let reset = http(&frozen, "POST", "/reset", None);
        assert_eq!((reset.0, &clock(&frozen)["mode"]), (200, &json!("frozen")), "as it was made");
        let (status, bad) = http(at, "POST", "/clusters", Some(json!({ "name": "x", "from": "s9" })));
        assert_eq!((status, &bad["error"]["field"]), (400, &json!("from")));
        assert_eq!(http(at, "GET", "/clusters/x", None).0, 404);
    });
}
