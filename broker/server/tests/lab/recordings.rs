//! What clients and a broker said to each other, kept and played again.
//! Shell.

use ottla_protocol::StrBytes;
use ottla_protocol::messages::{
    FindCoordinatorRequest, GroupId, InitProducerIdRequest, JoinGroupRequest, MetadataRequest,
    ProduceRequest, SyncGroupRequest,
};
use serde_json::{Value as Json, json};

use crate::by_hand::{begin, commit, coordinators};
use crate::client::{Client, PRODUCE_VERSION, count, http, http_bytes, produce, told, with_lab};
use crate::ports;

/// Its coordinators are there.
fn make(at: &str, settings: Json) -> String {
    let made = ports::make(at, settings);
    coordinators(&made);
    made
}

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

/// How often it asks.
const EXCHANGES: usize = 11;

/// A group of one, which has a member id, and a producer that has an id, and what both write.
fn talk(client: &mut Client) -> (StrBytes, i64) {
    let metadata = client.ask(12, &MetadataRequest::default().with_topics(None)).expect("an answer");
    assert!(!metadata.topics.is_empty());
    assert_eq!(told(client.ask(PRODUCE_VERSION, &produce(&["a"])))[0].1, 0);
    for (kind, name) in [(0, "g"), (1, "tx")] {
        let find =
            FindCoordinatorRequest::default().with_key_type(kind).with_coordinator_keys(vec![text(name)]);
        assert!(client.ask(4, &find).is_some());
    }
    let producer = begin(client, "a");
    assert_eq!(commit(client, producer), 0);
    let group = GroupId(text("g"));
    let join = |member: StrBytes| {
        JoinGroupRequest::default()
            .with_group_id(group.clone())
            .with_member_id(member)
            .with_protocol_type(text("consumer"))
            .with_session_timeout_ms(30_000)
            .with_rebalance_timeout_ms(30_000)
            .with_protocols(vec![
                ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol::default()
                    .with_name(text("range")),
            ])
    };
    let first = client.ask(9, &join(StrBytes::default())).expect("an answer");
    let joined = client.ask(9, &join(first.member_id.clone())).expect("an answer");
    assert_eq!(joined.error_code, 0);
    let sync = SyncGroupRequest::default()
        .with_group_id(group.clone())
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_protocol_type(Some(text("consumer")))
        .with_protocol_name(Some(text("range")));
    assert_eq!(client.ask(5, &sync).expect("an answer").error_code, 0);
    (joined.member_id, producer.0)
}

/// The id of what was recorded of a cluster with topic a.
fn record(at: &str, of: &str) -> String {
    let (status, made) = http(of, "POST", "/recordings", None);
    assert_eq!(status, 201, "{made}");
    talk(&mut Client::at(of));
    let id = made["recording"].as_str().expect("an id").to_owned();
    assert_eq!(http(of, "POST", "/recordings", None).0, 409, "one at a time");
    let (status, stopped) = http(at, "POST", &format!("/recordings/{id}/stop"), None);
    assert_eq!((status, &stopped["requests"], &stopped["has_ended"]), (200, &json!(EXCHANGES), &json!(true)));
    id
}

#[test]
fn a_recording_is_played_to_another_cluster_whose_ids_are_others() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        let one = make(at, json!({ "name": "one" }));
        let id = record(at, &one);
        let play = |to: &str| {
            let (status, played) = http(at, "POST", "/replays", Some(json!({ "recording": id, "to": to })));
            assert_eq!(status, 200, "{played}");
            played
        };
        let three = make(at, json!({ "name": "three", "seed": 99 }));
        // Its ids of producers begin elsewhere, for one is taken.
        let taken = InitProducerIdRequest {
            transactional_id: Some(text("taken")),
            transaction_timeout_ms: 60_000,
            producer_id: -1,
            producer_epoch: -1,
            ..Default::default()
        };
        assert_eq!(Client::at(&three).ask(4, &taken).expect("an answer").error_code, 0);
        let same = play(&three);
        assert_eq!(
            (&same["sent"], &same["same"], &same["differences"]),
            (&json!(EXCHANGES), &json!(EXCHANGES), &json!([]))
        );
        assert_eq!(count(&three, "a"), 2);
        let groups = http(&three, "GET", "/groups/g", None).1;
        assert_eq!(groups["members"].as_array().map(Vec::len), Some(1), "{groups}");
        // Where coordinators must be made first it is as with any client: asked again, and then the same.
        let four = ports::make(at, json!({ "name": "four", "topics": ["a", "spare"] }));
        let late = play(&four);
        let is_about = |one: &Json| one["api"] != "Metadata";
        let differences = late["differences"].as_array().expect("a list").iter().filter(|one| is_about(one));
        assert_eq!(differences.count(), 0, "{late}");
        // What is not the same is told: a topic more, and an offset.
        let two = make(at, json!({ "name": "two", "topics": ["b"] }));
        assert_eq!(told(Client::at(&two).ask(PRODUCE_VERSION, &produce(&["a"])))[0].1, 0);
        let other = play(&two);
        let paths: Vec<(String, String)> = other["differences"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| (one["api"].to_string(), one["path"].to_string()))
            .collect();
        let has = |api: &str, path: &str| {
            let is = |(of, at): &(String, String)| of.contains(api) && at.contains(path);
            assert!(paths.iter().any(is), "{api} {path}: {other}");
        };
        has("Metadata", "topics[");
        has("Produce", "baseOffset");
        assert_eq!(other["sent"], EXCHANGES);
    });
}

#[test]
fn a_recording_answers_a_client_in_the_place_of_a_broker() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        let one = make(at, json!({ "name": "one" }));
        let id = record(at, &one);
        let exported = http_bytes(at, "GET", &format!("/recordings/{id}/export"), &[]).1;
        let (status, brought) = http_bytes(at, "POST", "/recordings", &exported);
        assert_eq!(status, 201);
        let brought: Json = serde_json::from_slice(&brought).expect("JSON");
        assert_eq!(http(at, "DELETE", &format!("/recordings/{id}"), None).0, 200);
        // A cluster that has nothing of it.
        let two = ports::make(at, json!({ "name": "two" }));
        let words = json!({ "recording": brought["recording"], "as": "server" });
        assert_eq!(http(&two, "POST", "/replays", Some(words)).0, 200);
        let mut client = Client::at(&two);
        let metadata = client.ask(12, &MetadataRequest::default().with_topics(None)).expect("an answer");
        assert_eq!(format!("127.0.0.1:{}", metadata.brokers[0].port), two, "who follows it stays here");
        assert!(!metadata.topics.is_empty());
        // The same again, with what it drew then.
        let member = talk(&mut client).0;
        assert_eq!(talk(&mut client).0, member);
        let shown = http(&two, "GET", "/replays", None).1;
        assert_eq!(
            (&shown["left"], &shown["played"], &shown["missed"]),
            (&json!(0), &json!(EXCHANGES), &json!(0)),
            "{shown}"
        );
        assert_eq!(shown["repeated"], EXCHANGES + 1, "{shown}");
        // What was never asked ends the connection, and is told.
        assert!(client.ask(PRODUCE_VERSION, &ProduceRequest::default()).is_none());
        let shown = http(&two, "DELETE", "/replays", None).1;
        assert_eq!(
            (&shown["missed"], &shown["missing"][0]["api"]),
            (&json!(1), &json!("Produce")),
            "{shown}"
        );
        assert_eq!(http(&two, "GET", "/replays", None).0, 404);
        let own = Client::at(&two).ask(12, &MetadataRequest::default().with_topics(None)).expect("an answer");
        assert!(own.topics.is_empty(), "the broker answers again");
    });
}

#[test]
fn what_is_wrong_with_a_recording_or_a_replay_is_named() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        let id = http(at, "POST", "/recordings", None).1["recording"].clone();
        let bad = |words: Json| {
            let (status, bad) = http(at, "POST", "/replays", Some(words));
            assert_eq!(status, 400, "{bad}");
            bad["error"]["field"].as_str().map(str::to_owned)
        };
        for (words, field) in [
            (json!({}), "recording"),
            (json!({ "recording": "r99" }), "recording"),
            (json!({ "recording": id, "as": "judge" }), "as"),
            (json!({ "recording": id, "to": "here" }), "to"),
            (json!({ "recording": id, "to": "here:0" }), "to"),
            (json!({ "recording": id, "as": "server", "to": "here:1" }), "to"),
            (json!({ "recording": id, "speed": -1 }), "speed"),
            (json!({ "recording": id, "speed": "fast" }), "speed"),
            (json!({ "recording": id, "tempo": 1 }), "tempo"),
        ] {
            assert_eq!(bad(words.clone()).as_deref(), Some(field), "{words}");
        }
        let (status, refused) = http_bytes(at, "POST", "/recordings", b"{\"connection\":1}");
        let refused: Json = serde_json::from_slice(&refused).expect("JSON");
        assert_eq!((status, &refused["error"]["field"]), (400, &json!("line 1.request")), "{refused}");
        assert_eq!(http(at, "GET", "/recordings/r99", None).0, 404);
        assert_eq!(http(at, "GET", "/recordings", None).1["recordings"].as_array().map(Vec::len), Some(1));
        // Nobody listens there.
        let id = record_nothing_but_versions(at);
        let (status, refused) =
            http(at, "POST", "/replays", Some(json!({ "recording": id, "to": "127.0.0.1:1" })));
        assert_eq!(status, 502, "{refused}");
    });
}

#[test]
fn what_is_produced_without_acknowledgements_holds_nobody_up() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        let one = ports::make(at, json!({ "topics": ["a"] }));
        let id = http(&one, "POST", "/recordings", None).1["recording"].clone();
        let say = |at: &str| {
            let mut client = Client::at(at);
            client.send(PRODUCE_VERSION, &produce(&["a"]).with_acks(0));
            client.ask(12, &MetadataRequest::default()).map(|answer| answer.brokers.len())
        };
        assert_eq!((say(&one), count(&one, "a")), (Some(1), 1));
        let two = ports::make(at, json!({ "topics": ["a"] }));
        let (status, told) = http(&two, "POST", "/replays", Some(json!({ "recording": id })));
        assert_eq!((status, &told["same"], &told["different"]), (200, &json!(1), &json!(0)), "{told}");
        assert_eq!((&told["unanswered"], count(&two, "a")), (&json!(1), 1), "{told}");
        let words = json!({ "recording": id, "as": "server" });
        assert_eq!(http(&two, "POST", "/replays", Some(words)).0, 200);
        assert_eq!(say(&two), Some(1));
    });
}

fn record_nothing_but_versions(at: &str) -> Json {
    let open = http(at, "GET", "/recordings", None).1["recordings"][0]["recording"].clone();
    assert!(Client::at(at).ask(12, &MetadataRequest::default()).is_some());
    open
}
