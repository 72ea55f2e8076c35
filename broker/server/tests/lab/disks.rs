//! Disks that are full, slow, failing or rotten, and machines that stop.
//! Shell.

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::client::{Client, PRODUCE_VERSION, count, http, produce, told, with_lab};
use crate::ports::make;
use crate::rules::fetch;

const KAFKA_STORAGE_ERROR: i16 = 56;

fn write(at: &str) -> i16 {
    told(Client::at(at).ask(PRODUCE_VERSION, &produce(&["a"])))[0].1
}

fn put(at: &str, words: Json) -> Json {
    let (status, told) = http(at, "PUT", "/disk", Some(words));
    assert_eq!(status, 200, "{told}");
    told
}

fn crash(at: &str, name: &str, lose: &str) {
    let (status, told) = http(at, "POST", &format!("/clusters/{name}/crash"), Some(json!({ "lose": lose })));
    assert_eq!(status, 200, "{told}");
}

#[test]
fn a_full_disk_refuses_records_until_there_is_room() {
    with_lab(|created| {
        let one = make(&created.bootstrap, json!({ "topics": ["a"] }));
        assert_eq!(write(&one), 0);
        put(&one, json!({ "free_bytes": 0 }));
        assert_eq!(write(&one), KAFKA_STORAGE_ERROR);
        assert_eq!(put(&one, json!({ "free_bytes": null }))["free_bytes"], Json::Null);
        assert_eq!((write(&one), count(&one, "a")), (0, 2));
    });
}

#[test]
fn a_slow_sync_is_waited_for_where_durability_asks_for_it() {
    with_lab(|created| {
        let configs = json!({ "ottla.durability": "fsync" });
        let one = make(&created.bootstrap, json!({ "topics": ["a"], "configs": configs }));
        let took = |at: &str| {
            let began = Instant::now();
            assert_eq!(write(at), 0);
            began.elapsed()
        };
        took(&one);
        let told = put(&one, json!({ "fsync": { "delay": "400ms" } }));
        assert_eq!(told["fsync"], json!({ "delay": "400ms", "error": false }));
        assert!(took(&one) >= Duration::from_millis(400));
        assert_eq!(http(&one, "DELETE", "/disk", None).1["fsync"]["delay"], Json::Null);
        let least = (0..5).map(|_| took(&one)).min();
        assert!(least < Some(Duration::from_millis(400)), "{least:?}");
    });
}

#[test]
fn a_directory_whose_disk_failed_stays_away_until_the_node_starts_anew() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        let configs = json!({ "ottla.durability": "fsync" });
        let one = make(at, json!({ "name": "one", "topics": ["a"], "configs": configs }));
        assert_eq!(write(&one), 0);
        put(&one, json!({ "fsync": { "error": true } }));
        assert_eq!(write(&one), KAFKA_STORAGE_ERROR);
        assert_eq!(http(&one, "DELETE", "/disk", None).0, 200);
        assert_eq!(write(&one), KAFKA_STORAGE_ERROR, "as in Kafka");
        crash(at, "one", "unsynced");
        assert_eq!((write(&one), count(&one, "a")), (0, 2), "what was acknowledged is there");
    });
}

#[test]
fn what_rots_is_read_as_another_byte_and_only_there() {
    with_lab(|created| {
        let one = make(&created.bootstrap, json!({ "topics": ["a", "b"] }));
        let mut client = Client::at(&one);
        assert!(told(client.ask(PRODUCE_VERSION, &produce(&["a", "b"]))).iter().all(|one| one.1 == 0));
        assert_eq!((fetch(&mut client, "a"), fetch(&mut client, "b")), (Some(true), Some(true)));
        put(&one, json!({ "read": { "corrupt": [{ "topic": "a" }] } }));
        assert_eq!((fetch(&mut client, "a"), fetch(&mut client, "b")), (Some(false), Some(true)));
        put(&one, json!({ "read": null }));
        assert_eq!(fetch(&mut client, "a"), Some(true));
    });
}

#[test]
fn a_machine_that_stops_comes_back_at_its_port_with_what_was_on_its_disk() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        let soft = make(at, json!({ "name": "soft", "topics": ["a"] }));
        let configs = json!({ "ottla.durability": "fsync" });
        let hard = make(at, json!({ "name": "hard", "topics": ["a"], "configs": configs }));
        let mut idle = Client::at(&soft);
        for cluster in [&soft, &hard] {
            assert_eq!(write(cluster), 0);
        }
        crash(at, "soft", "none");
        assert_eq!(idle.0.read(&mut [0]).expect("an end"), 0, "its connections are gone");
        assert!(TcpStream::connect(&soft).is_ok());
        assert_eq!((count(&soft, "a"), write(&soft), count(&soft, "a")), (1, 0, 2));
        // Without a sync an acknowledged record of one node is lost with its machine, as Kafka's is.
        crash(at, "soft", "unsynced");
        crash(at, "hard", "unsynced");
        // With the first one it had started.
        assert_eq!((count(&soft, "a"), count(&hard, "a")), (1, 1));
        assert_eq!((write(&soft), write(&hard)), (0, 0));
        // By the port of all, too, and with the journal of before.
        let mut named = Client::at(at);
        named.1 = "hard.app";
        assert_eq!(told(named.ask(PRODUCE_VERSION, &produce(&["a"])))[0].1, 0);
        assert_eq!(count(&hard, "a"), 3);
        assert_eq!(http(at, "DELETE", "/clusters/soft", None).0, 200);
    });
}

#[test]
fn what_is_wrong_is_named_and_nothing_of_it_is_done() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        let one = make(at, json!({ "name": "one", "topics": ["a"] }));
        for (words, field) in [
            (json!({ "free_bytes": -1 }), "free_bytes"),
            (json!({ "room": 1 }), "room"),
            (json!({ "free_bytes": 0, "fsync": { "delay": "soon" } }), "fsync.delay"),
            (json!({ "fsync": { "delay": "2m" } }), "fsync.delay"),
            (json!({ "fsync": { "error": "yes" } }), "fsync.error"),
            (json!({ "fsync": { "fails": true } }), "fsync.fails"),
            (json!({ "fsync": 1 }), "fsync"),
            (json!({ "read": {} }), "read.corrupt"),
            (json!({ "read": { "corrupt": [{ "topic": "a" }, {}] } }), "read.corrupt[1].topic"),
            (
                json!({ "read": { "corrupt": [{ "topic": "a", "partition": -1 }] } }),
                "read.corrupt[0].partition",
            ),
            (json!({ "read": { "corrupt": [{ "topic": "a", "offset": 1 }] } }), "read.corrupt[0].offset"),
        ] {
            let (status, bad) = http(&one, "PUT", "/disk", Some(words));
            assert_eq!((status, &bad["error"]["field"]), (400, &json!(field)), "{bad}");
        }
        let untouched = json!({ "free_bytes": null, "fsync": { "delay": null, "error": false }, "read": { "corrupt": [] } });
        assert_eq!(http(&one, "GET", "/disk", None).1, untouched);
        let (status, bad) = http(at, "POST", "/clusters/one/crash", Some(json!({ "lose": "all" })));
        assert_eq!((status, &bad["error"]["field"]), (400, &json!("lose")), "{bad}");
        assert_eq!(http(&one, "POST", "/crash", None).0, 409, "who would hear the answer?");
        assert_eq!(http(at, "POST", "/crash", None).0, 409, "the lab itself");
        assert_eq!(http(at, "POST", "/clusters/none/crash", None).0, 404);
        assert_eq!(write(&one), 0);
    });
}
