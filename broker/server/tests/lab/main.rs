//! The test lab over sockets: what a rule does to a client's requests, and the control API on Kafka's own port.
//! Shell: a broker in memory, a client that writes frames, and HTTP by hand.

mod by_hand;
mod client;
mod disks;
mod emulate;
mod lint;
mod ports;
mod recordings;
mod rules;
mod snapshots;

use std::net::TcpStream;

use ottla_protocol::StrBytes;
use ottla_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::streams_group_heartbeat_request::{Subtopology, Topology};
use ottla_protocol::messages::{
    ConsumerGroupHeartbeatRequest, EndTxnRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest,
    IncrementalAlterConfigsRequest, InitProducerIdRequest, JoinGroupRequest, ListConfigResourcesRequest,
    ListGroupsRequest, ProducerId, StreamsGroupHeartbeatRequest, TopicName, TransactionalId,
};
use serde_json::{Value as Json, json};

use client::{Client, PRODUCE_VERSION, count, http, produce, told, topics, with_lab};

const NOT_LEADER_OR_FOLLOWER: i16 = 6;
const UNKNOWN_MEMBER_ID: i16 = 25;
const PRODUCER_FENCED: i16 = 90;
const GROUP: i8 = 32;

#[test]
fn a_rule_about_one_topic_leaves_the_others_of_a_request_alone() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        topics(at, &["a", "b"]);
        let rule = json!({ "api": "Produce", "topic": "a", "once": true, "error": "NOT_LEADER_OR_FOLLOWER" });
        let (status, fault) = http(at, "POST", "/faults", Some(rule));
        assert_eq!(status, 201, "{fault}");
        let mut client = Client::connect(created);
        let answer = told(client.ask(PRODUCE_VERSION, &produce(&["a", "b"])));
        assert_eq!(answer, [("a".to_owned(), NOT_LEADER_OR_FOLLOWER, -1), ("b".to_owned(), 0, 0)]);
        let answer = told(client.ask(PRODUCE_VERSION, &produce(&["a", "b"])));
        assert_eq!(answer, [("a".to_owned(), 0, 0), ("b".to_owned(), 0, 1)]);
        assert_eq!((count(at, "a"), count(at, "b")), (1, 2));
        let words = json!({ "api": "Produce", "error": "NOT_LEADER_OR_FOLLOWER" });
        let (_, counted) = http(at, "POST", "/requests/count", Some(words));
        assert_eq!(counted["count"], 1);
        let (_, journal) = http(at, "GET", "/requests?api=Produce", None);
        assert_eq!(journal["requests"][0]["fault"], fault["id"]);
        assert_eq!(journal["requests"][0]["request"]["topicData"][0]["name"], "a");
        let id = fault["id"].as_str().expect("an id").to_owned();
        let (status, held) = http(at, "DELETE", &format!("/faults/{id}?expect=hit"), None);
        assert_eq!((status, &held["hits"]), (200, &json!(1)));
    });
}

#[test]
fn an_answer_can_be_lost_after_the_effect_and_a_request_before_it() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        topics(at, &["a"]);
        let rules = json!([
            { "api": "Produce", "nth": 1, "disconnect": "before" },
            { "api": "Produce", "nth": 1, "disconnect": "after" },
            { "api": "Produce", "nth": 1, "duplicate": true },
            { "api": "Produce", "nth": 1, "when": "response", "error": "REQUEST_TIMED_OUT" },
        ]);
        assert_eq!(http(at, "PUT", "/faults", Some(rules)).0, 200);
        assert!(Client::connect(created).ask(PRODUCE_VERSION, &produce(&["a"])).is_none());
        assert_eq!(count(at, "a"), 0);
        assert!(Client::connect(created).ask(PRODUCE_VERSION, &produce(&["a"])).is_none());
        assert_eq!(count(at, "a"), 1);
        let mut client = Client::connect(created);
        assert_eq!(told(client.ask(PRODUCE_VERSION, &produce(&["a"]))), [("a".to_owned(), 0, 1)]);
        assert_eq!(count(at, "a"), 3);
        assert_eq!(told(client.ask(PRODUCE_VERSION, &produce(&["a"])))[0].1, 7);
        assert_eq!(count(at, "a"), 4);
        assert_eq!(told(client.ask(PRODUCE_VERSION, &produce(&["a"]))), [("a".to_owned(), 0, 4)]);
        assert_eq!(http(at, "DELETE", "/faults?expect=hit", None).0, 200);
    });
}

#[test]
fn a_held_request_goes_on_when_its_gate_is_opened() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        topics(at, &["a"]);
        let rule = json!({ "do": { "hold": "gate" }, "match": { "api": "Produce" } });
        assert_eq!(http(at, "POST", "/faults", Some(rule)).0, 201);
        let mut client = Client::connect(created);
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| told(client.ask(PRODUCE_VERSION, &produce(&["a"]))));
            let wait = json!({ "match": { "api": "Produce", "outcome": "waiting" }, "timeout": "10s" });
            assert_eq!(http(at, "POST", "/requests/wait", Some(wait)).0, 200);
            assert_eq!(count(at, "a"), 0);
            loop {
                let (_, released) = http(at, "POST", "/gates/gate/release", None);
                if released["released"] == 1 {
                    break;
                }
            }
            assert_eq!(asked.join().ok(), Some(vec![("a".to_owned(), 0, 0)]));
        });
    });
}

/// So many gates come and go that their number would not be bounded by itself.
#[test]
fn a_gate_goes_with_its_rule_and_those_who_wait_at_it_go_on() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        topics(at, &["a"]);
        let mut client = Client::connect(created);
        for round in 0..3 {
            let rule = json!({ "do": { "hold": format!("gate-{round}") }, "match": { "api": "Produce" } });
            assert_eq!(http(at, "POST", "/faults", Some(rule)).0, 201);
            std::thread::scope(|scope| {
                let asked = scope.spawn(|| told(client.ask(PRODUCE_VERSION, &produce(&["a"]))));
                while http(at, "GET", "/gates", None).1["gates"][0]["waiting"] != 1 {}
                assert_eq!(http(at, "DELETE", "/faults?expect=hit", None).0, 200);
                assert_eq!(asked.join().ok(), Some(vec![("a".to_owned(), 0, round)]));
            });
            assert_eq!(http(at, "GET", "/gates", None).1["gates"], json!([]));
        }
    });
}

#[test]
fn a_name_is_given_once_and_the_time_of_a_cluster_ends_with_it() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        let make = |asked: Json| http(at, "POST", "/clusters", Some(asked)).0;
        let both = std::thread::scope(|scope| {
            let asked = [(); 2].map(|()| scope.spawn(|| make(json!({ "name": "twin" }))));
            let mut both = asked.map(|one| one.join().expect("an answer"));
            both.sort_unstable();
            both
        });
        assert_eq!(both, [201, 409]);
        assert_eq!(make(json!({ "name": "c1" })), 201);
        assert_eq!(make(json!({})), 201, "a name that is free");
        assert_eq!(make(json!({ "name": "a", "ttl": "100ms" })), 201);
        assert_eq!(http(at, "DELETE", "/clusters/a", None).0, 200);
        assert_eq!(make(json!({ "name": "a" })), 201);
        assert_eq!(make(json!({ "name": "later", "ttl": "300ms" })), 201);
        while http(at, "GET", "/clusters/later", None).0 == 200 {}
        assert_eq!(http(at, "GET", "/clusters/a", None).0, 200, "its time is not that of the one before");
    });
}

#[test]
fn a_cluster_of_its_own_port_has_its_own_topics_rules_and_journal() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        let asked = json!({ "name": "other", "topics": ["a:3"], "faults": [{ "api": "Fetch", "delay": 1 }] });
        let (status, other) = http(at, "POST", "/clusters", Some(asked.clone()));
        assert_eq!(status, 201, "{other}");
        assert_ne!(other["cluster_id"], json!(created.cluster_id));
        let there = other["bootstrap"].as_str().expect("an address").to_owned();
        let (status, answer) =
            http(&there, "POST", "/topics/a/records", Some(json!({ "partition": 2, "value": "x" })));
        assert_eq!((status, &answer["offsets"][0]["partition"]), (201, &json!(2)));
        assert_eq!(count(&there, "a"), 1);
        assert_eq!(http(at, "GET", "/topics/a/records", None).0, 404);
        // At its own port its rules are the short ones; from elsewhere it is named.
        for (port, path) in [(there.as_str(), "/faults"), (at, "/clusters/other/faults")] {
            assert_eq!(http(port, "GET", path, None).1["faults"][0]["id"], "f1");
        }
        assert_eq!(http(at, "GET", "/faults", None).1["faults"], json!([]));
        assert_eq!(http(at, "POST", "/clusters", Some(asked)).0, 409);
        assert_eq!(http(at, "DELETE", "/clusters/other", None).0, 200);
        assert!(TcpStream::connect(&there).is_err());
        assert_eq!(http(at, "DELETE", "/clusters/main", None).0, 409);
    });
}

#[test]
fn what_is_wrong_is_named_and_nothing_is_half_applied() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        for (method, path, body, status, field) in [
            ("POST", "/faults", json!({ "do": { "error": "NOPE" } }), 400, "do.error"),
            ("PUT", "/faults", json!([{ "delay": 1 }, { "delay": "x" }]), 400, "faults[1].delay"),
            ("POST", "/clusters", json!({ "topics": [{}] }), 400, "topics[0].name"),
            (
                "POST",
                "/topics/a/records",
                json!([{ "value": 1 }, { "partition": 7 }]),
                400,
                "records[1].partition",
            ),
            ("POST", "/requests/count", json!({ "apis": "Fetch" }), 400, "apis"),
            ("POST", "/requests/wait", json!({ "match": { "api": "Fetsch" } }), 400, "match.api"),
        ] {
            let (found, answer) = http(at, method, path, Some(body));
            assert_eq!((found, answer["error"]["field"].as_str()), (status, Some(field)), "{path}: {answer}");
        }
        assert_eq!(http(at, "GET", "/faults", None).1["faults"], json!([]));
        assert_eq!(http(at, "GET", "/nothing", None).0, 404);
        let (status, missed) =
            http(at, "POST", "/requests/wait", Some(json!({ "match": { "api": "Fetch" }, "timeout": 1 })));
        assert_eq!((status, &missed["count"]), (408, &json!(0)));
        let (status, missed) = http(at, "GET", "/topics/a/records?count=1&wait=1ms", None);
        assert_eq!(status, 408, "{missed}");
        assert_eq!(http(at, "GET", "/openapi.json", None).1["openapi"], "3.1.0");
    });
}

#[test]
fn a_week_passes_at_once_and_retention_takes_what_is_old() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        let topic = json!({ "name": "a", "partitions": 1, "configs": { "retention.ms": 86_400_000 } });
        let (status, other) =
            http(at, "POST", "/clusters", Some(json!({ "name": "other", "topics": [topic] })));
        assert_eq!(status, 201, "{other}");
        let there = other["bootstrap"].as_str().expect("an address").to_owned();
        assert_eq!(http(&there, "PUT", "/clock", Some(json!({ "mode": "frozen" }))).0, 200);
        assert_eq!(http(&there, "POST", "/topics/a/records", Some(json!({ "value": "x" }))).0, 201);
        let advance = |by: &str| http(&there, "POST", "/clock/advance", Some(json!({ "by": by }))).1;
        let hour = advance("1h");
        assert_eq!((&hour["settled"], count(&there, "a")), (&json!(true), 1), "{hour}");
        let week = advance("7d");
        assert_eq!(week["settled"], true, "{week}");
        assert_eq!(
            week["timers"].as_u64().zip(hour["timers"].as_u64()).map(|(a, b)| a - b),
            Some(7 * 86_400_000)
        );
        assert_eq!(
            week["records"].as_u64().zip(hour["records"].as_u64()).map(|(a, b)| a - b),
            Some(7 * 86_400_000)
        );
        // The look at what is old is a thread's, which was woken by the clock.
        while count(&there, "a") > 0 {}
        let (status, bad) =
            http(&there, "POST", "/clock/advance", Some(json!({ "by": "1h", "what": ["walls"] })));
        assert_eq!((status, &bad["error"]["field"]), (400, &json!("what")));
        // The main cluster has clocks of its own.
        assert_eq!(http(at, "GET", "/clock", None).1["mode"], "real");
    });
}

/// A group's member and a producer with a transactional id.
fn join_and_begin(client: &mut Client) -> (StrBytes, i64, i16) {
    let id = StrBytes::from_static_str("known");
    for key_type in [0, 1] {
        let find = FindCoordinatorRequest::default().with_key(id.clone()).with_key_type(key_type);
        while client.ask(3, &find).expect("an answer").error_code != 0 {}
    }
    let protocol = JoinGroupRequestProtocol::default().with_name(StrBytes::from_static_str("range"));
    let join = JoinGroupRequest::default()
        .with_group_id(GroupId(id.clone()))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(10_000)
        .with_protocol_type(StrBytes::from_static_str("consumer"))
        .with_protocols(vec![protocol]);
    let joined = client.ask(3, &join).expect("an answer");
    assert_eq!(joined.error_code, 0);
    let begin = InitProducerIdRequest {
        transactional_id: Some(id),
        transaction_timeout_ms: 10_000,
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    };
    let begun = client.ask(3, &begin).expect("an answer");
    assert_eq!(begun.error_code, 0);
    (joined.member_id, begun.producer_id, begun.producer_epoch)
}

/// A member of a group of the newer protocol, and one of a streams group; the topic is there.
fn join_newer_groups(client: &mut Client) {
    let member = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(GroupId(StrBytes::from_static_str("newer")))
        .with_member_id(StrBytes::from_static_str("m"))
        .with_rebalance_timeout_ms(10_000)
        .with_subscribed_topic_names(Some(vec![TopicName(StrBytes::from_static_str("a"))]))
        .with_topic_partitions(Some(Vec::new()));
    assert_eq!(client.ask(0, &member).expect("an answer").error_code, 0);
    let subtopology = Subtopology {
        subtopology_id: StrBytes::from_static_str("0"),
        source_topics: vec![StrBytes::from_static_str("a")],
        ..Default::default()
    };
    let streams = StreamsGroupHeartbeatRequest {
        group_id: StrBytes::from_static_str("streams"),
        member_id: StrBytes::from_static_str("m"),
        rebalance_timeout_ms: 10_000,
        topology: Some(Topology { subtopologies: vec![subtopology], ..Default::default() }),
        active_tasks: Some(Vec::new()),
        standby_tasks: Some(Vec::new()),
        warmup_tasks: Some(Vec::new()),
        process_id: Some(StrBytes::from_static_str("p")),
        ..Default::default()
    };
    assert_eq!(client.ask(0, &streams).expect("an answer").error_code, 0);
    let config = AlterableConfig::default()
        .with_name(StrBytes::from_static_str("consumer.session.timeout.ms"))
        .with_value(Some(StrBytes::from_static_str("50000")));
    let of_group = AlterConfigsResource::default()
        .with_resource_type(GROUP)
        .with_resource_name(StrBytes::from_static_str("newer"))
        .with_configs(vec![config]);
    let change = IncrementalAlterConfigsRequest::default().with_resources(vec![of_group]);
    assert_eq!(client.ask(1, &change).expect("an answer").responses[0].error_code, 0);
}

/// The names of groups, and of groups that have configs.
fn group_names(client: &mut Client) -> (Vec<String>, Vec<String>) {
    let listed = client.ask(5, &ListGroupsRequest::default()).expect("an answer");
    let mut groups: Vec<String> = listed.groups.iter().map(|group| group.group_id.0.to_string()).collect();
    groups.sort();
    let request = ListConfigResourcesRequest::default().with_resource_types(vec![GROUP]);
    let configs = client.ask(1, &request).expect("an answer").config_resources;
    (groups, configs.iter().map(|one| one.resource_name.to_string()).collect())
}

#[test]
fn after_a_reset_a_cluster_is_as_it_was_made_and_refuses_what_its_clients_know() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        let asked = json!({ "topics": ["a:2"], "faults": [{ "api": "Fetch", "throttle": 1 }] });
        let (status, other) = http(at, "POST", "/clusters", Some(asked));
        assert_eq!(status, 201, "{other}");
        let there = other["bootstrap"].as_str().expect("an address").to_owned();
        topics(&there, &["b"]);
        let rule = json!({ "api": "Produce", "once": true, "hold": "gate" });
        assert_eq!(http(&there, "POST", "/faults", Some(rule)).0, 201);
        assert_eq!(http(&there, "POST", "/topics/a/records", Some(json!({ "value": "x" }))).0, 201);
        let mut client = Client::at(&there);
        let (member, producer_id, epoch) = join_and_begin(&mut client);
        join_newer_groups(&mut client);
        let all = ["known", "newer", "streams"].map(str::to_owned);
        assert_eq!(group_names(&mut client), (all.to_vec(), vec!["newer".to_owned()]));
        assert_eq!(http(&there, "POST", "/reset", Some(json!({ "what": "all" }))).0, 400);
        assert_eq!(count(&there, "a"), 1, "nothing is half applied");

        let (status, answer) = http(&there, "POST", "/reset", None);
        assert_eq!(status, 200, "{answer}");
        assert_eq!((count(&there, "a"), http(&there, "GET", "/topics/b/records", None).0), (0, 404));
        let (_, faults) = http(&there, "GET", "/faults", None);
        assert_eq!(faults["faults"].as_array().map(Vec::len), Some(1), "{faults}");
        assert_eq!(faults["faults"][0]["rule"]["api"], "Fetch");
        assert_eq!(http(&there, "GET", "/requests", None).1["count"], 0);
        assert_eq!(http(&there, "GET", "/groups/known", None).1["state"], "Dead");
        let (groups, configs) = group_names(&mut client);
        assert!(groups.is_empty(), "{groups:?}");
        assert!(configs.is_empty(), "{configs:?}");
        let id = StrBytes::from_static_str("known");
        let beat = HeartbeatRequest::default()
            .with_group_id(GroupId(id.clone()))
            .with_generation_id(1)
            .with_member_id(member);
        assert_eq!(client.ask(3, &beat).expect("an answer").error_code, UNKNOWN_MEMBER_ID);
        let end = EndTxnRequest::default()
            .with_transactional_id(TransactionalId(id))
            .with_producer_id(ProducerId(producer_id))
            .with_producer_epoch(epoch)
            .with_committed(true);
        assert_eq!(client.ask(3, &end).expect("an answer").error_code, PRODUCER_FENCED);
        // The connection is as good as a new one.
        assert_eq!(told(client.ask(PRODUCE_VERSION, &produce(&["a"]))), [("a".to_owned(), 0, 0)]);
        // What other clusters have is theirs.
        assert_eq!(http(at, "POST", "/clusters/main/reset", None).0, 200);
        assert_eq!(count(&there, "a"), 1);
    });
}

/// A record that the lab writes is as old as the cluster's own clock says.
#[test]
fn a_record_that_is_written_after_a_week_is_not_old() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        topics(at, &["a"]);
        let moved = json!({ "by": "8d", "what": ["records"] });
        let (_, clock) = http(at, "POST", "/clock/advance", Some(moved));
        assert_eq!(http(at, "POST", "/topics/a/records", Some(json!({ "value": "x" }))).0, 201);
        let (_, read) = http(at, "GET", "/topics/a/records", None);
        let written = read["records"][0]["timestamp"].as_i64().expect("a time");
        assert!(Some(written) >= clock["records"].as_i64(), "{written}: {clock}");
    });
}
