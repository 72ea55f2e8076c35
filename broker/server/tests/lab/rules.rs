//! What the rarer words of a rule do to a client: answers that are cut or spoilt, requests in another order, rules of a time.
//! Shell.

use std::io::{Read, Write};
use std::time::Duration;

use bytes::BytesMut;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::{FetchRequest, TopicName};
use ottla_protocol::{ApiKey, Encode, RequestHeader, StrBytes};
use ottla_records::batches;
use serde_json::{Value as Json, json};

use crate::client::{Client, PRODUCE_VERSION, count, http, produce, told, topics, with_lab};

const CORRUPT_MESSAGE: i16 = 2;
const NOT_LEADER_OR_FOLLOWER: i16 = 6;

fn rule(at: &str, rule: Json) -> String {
    let (status, fault) = http(at, "POST", "/faults", Some(rule));
    assert_eq!(status, 201, "{fault}");
    fault["id"].as_str().expect("an id").to_owned()
}

fn hits(at: &str, id: &str) -> Json {
    http(at, "GET", &format!("/faults/{id}"), None).1["hits"].clone()
}

#[test]
fn a_rule_begins_after_what_comes_before_it_and_ends_with_its_time() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        topics(at, &["a"]);
        assert_eq!(http(at, "PUT", "/clock", Some(json!({ "mode": "frozen" }))).0, 200);
        // The broker closes connections that were idle for as long as a test lets pass.
        let code = || told(Client::connect(created).ask(PRODUCE_VERSION, &produce(&["a"])))[0].1;
        let words = json!({
            "api": "Produce", "after": 1, "for": "1m", "error": "NOT_LEADER_OR_FOLLOWER"
        });
        rule(at, words);
        assert_eq!([code(), code(), code()], [0, NOT_LEADER_OR_FOLLOWER, NOT_LEADER_OR_FOLLOWER]);
        let advance = |by: &str| http(at, "POST", "/clock/advance", Some(json!({ "by": by }))).0;
        assert_eq!((advance("59s"), code()), (200, NOT_LEADER_OR_FOLLOWER));
        assert_eq!((advance("1s"), code()), (200, 0));
        let words = json!({ "api": "Produce", "after": "1h", "error": "NOT_LEADER_OR_FOLLOWER" });
        rule(at, words);
        assert_eq!((code(), advance("1h"), code()), (0, 200, NOT_LEADER_OR_FOLLOWER));
    });
}

/// Sends a request, and returns what comes before the connection ends, or the first so many bytes.
fn raw(client: &mut Client, bytes: Option<usize>) -> Vec<u8> {
    let header = RequestHeader {
        api_key: ApiKey::Produce.to_i16(),
        api_version: PRODUCE_VERSION,
        correlation_id: 5,
        client_id: Some(StrBytes::from_static_str("app")),
    };
    let mut frame = BytesMut::new();
    header.encode(&mut frame);
    produce(&["a"]).encode(&mut frame, PRODUCE_VERSION).expect("it can be written");
    let len = (frame.len() as i32).to_be_bytes();
    client.0.write_all(&len).and_then(|()| client.0.write_all(&frame)).expect("it is sent");
    let mut found = Vec::new();
    match bytes {
        Some(bytes) => {
            found.resize(bytes, 0);
            client.0.read_exact(&mut found).expect("an answer");
        }
        None => {
            client.0.read_to_end(&mut found).expect("the connection ends");
        }
    }
    found
}

#[test]
fn an_answer_is_cut_or_says_a_length_that_none_has_and_the_request_had_its_effect() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        topics(at, &["a"]);
        let whole = raw(&mut Client::connect(created), Some(4));
        rule(at, json!({ "api": "Produce", "once": true, "truncate": 11 }));
        let cut = raw(&mut Client::connect(created), None);
        assert_eq!((cut.len(), &cut[..4], &cut[4..8]), (11, &whole[..], &5_i32.to_be_bytes()[..]));
        assert_eq!(count(at, "a"), 2);
        rule(at, json!({ "api": "Produce", "once": true, "corrupt": "length" }));
        assert_eq!(raw(&mut Client::connect(created), Some(4)), (-2_i32).to_be_bytes());
        assert_eq!(count(at, "a"), 3);
        assert_eq!(http(at, "DELETE", "/faults?expect=hit", None).0, 200);
        let (_, journal) = http(at, "GET", "/requests?api=Produce", None);
        let outcomes: Vec<&Json> =
            journal["requests"].as_array().expect("a list").iter().map(|one| &one["outcome"]).collect();
        assert_eq!(outcomes, ["answered", "answered", "answered"], "as the broker answered");
    });
}

/// Whether the records of a topic are what their checksum says; none where there are none.
pub fn fetch(client: &mut Client, topic: &str) -> Option<bool> {
    let partition = FetchPartition::default().with_partition(0).with_partition_max_bytes(1_000_000);
    let name = TopicName(StrBytes::from_string(topic.to_owned()));
    let topic = FetchTopic::default().with_topic(name).with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_wait_ms(0)
        .with_max_bytes(1_000_000)
        .with_session_epoch(-1)
        .with_topics(vec![topic]);
    let answer = client.ask(11, &request).expect("an answer");
    let records = answer.responses[0].partitions[0].records.clone().unwrap_or_default();
    let batch = batches(&records).next()?.expect("a batch");
    Some(batch.verify_checksum().is_ok())
}

#[test]
fn records_are_spoilt_on_their_way_in_and_out_and_only_those_that_are_meant() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        topics(at, &["a", "b"]);
        let mut client = Client::connect(created);
        rule(at, json!({ "api": "Produce", "topic": "a", "once": true, "corrupt": "crc" }));
        let answer = told(client.ask(PRODUCE_VERSION, &produce(&["a", "b"])));
        assert_eq!(answer, [("a".to_owned(), CORRUPT_MESSAGE, -1), ("b".to_owned(), 0, 0)]);
        let of_fetch = rule(at, json!({ "api": "Fetch", "topic": "a", "once": true, "corrupt": "crc" }));
        // There is nothing to spoil yet, and the rule has not acted.
        assert_eq!((fetch(&mut client, "a"), hits(at, &of_fetch)), (None, json!(0)));
        assert_eq!(told(client.ask(PRODUCE_VERSION, &produce(&["a"])))[0].1, 0);
        assert_eq!(fetch(&mut client, "b"), Some(true));
        assert_eq!((fetch(&mut client, "a"), hits(at, &of_fetch)), (Some(false), json!(1)));
        assert_eq!(fetch(&mut client, "a"), Some(true), "on the disk it is as it was");
        assert_eq!(http(at, "DELETE", "/faults?expect=hit", None).0, 200);
    });
}

#[test]
fn requests_of_several_connections_go_on_from_the_last_to_the_first() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        topics(at, &["a"]);
        let id = rule(at, json!({ "api": "Produce", "times": 3, "reorder": 3 }));
        let path = format!("/faults/{id}");
        let offsets = std::thread::scope(|scope| {
            let asked = [1, 2, 0].map(|waits_for| {
                let mut client = Client::connect(created);
                let asked = scope.spawn(move || told(client.ask(PRODUCE_VERSION, &produce(&["a"])))[0].2);
                while http(at, "GET", &path, None).1["waiting"] != waits_for {}
                asked
            });
            asked.map(|one| one.join().expect("an answer"))
        });
        assert_eq!(offsets, [2, 1, 0]);
        let mut client = Client::connect(created);
        client.0.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        assert_eq!(told(client.ask(PRODUCE_VERSION, &produce(&["a"]))), [("a".to_owned(), 0, 3)]);
    });
}
