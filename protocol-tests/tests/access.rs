//! A broker that lets nobody do anything, and one whose every client is a super user, over raw sockets.
//! Shell: starts brokers, opens sockets.

use std::collections::BTreeSet;

use ottla_protocol_tests::asked::asked_of_ottla;
use ottla_protocol_tests::broker::Broker;
use ottla_protocol_tests::connection::Connection;
use ottla_protocol_tests::refusals;
use ottla_protocol_tests::schema::Schemas;
use serde_json::{Value, json};

const AUTHORIZER: &str = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer";

/// Of a topic that may not be described; Kafka asks it of others.
const ASKED_HERE_ALONE: [&str; 1] = ["Metadata Create Cluster quietly"];
/// Beside a refusal that decides already: of topics that may not be created or seen, and of what no line is written for
/// here.
const ASKED_BY_KAFKA_ALONE: [&str; 3] = [
    "CreateTopics DescribeConfigs Topic quietly",
    "DeleteTopics Delete Topic",
    "InitProducerId Write Topic quietly",
];

/// The answer, or nothing when the connection is closed instead.
fn ask(connection: &mut Connection, name: &str, version: i16, body: &Value) -> Option<Value> {
    refusals::ask(connection, name, version, body).expect("a whole answer, or the end")
}

#[test]
fn whoever_may_do_nothing_is_told_so_by_every_api() {
    let audit = Some("warn,kafka.authorizer.logger=trace");
    let broker = Broker::start_logging(audit, &[AUTHORIZER]).expect("a broker");
    let mut connection = Connection::open(&broker.bootstrap).expect("a connection");
    let told = ask(&mut connection, "ApiVersions", 0, &json!({})).expect("an answer");
    let mut unasked: Vec<i64> =
        told["apiKeys"].as_array().into_iter().flatten().filter_map(|key| key["apiKey"].as_i64()).collect();
    // Neither ApiVersions, nor logins (17, 36), nor telemetry (71, 72) need a permission.
    unasked.retain(|key| ![17, 18, 36, 71, 72].contains(key));
    let key = |name| i64::from(Schemas::kafka().api(name).expect("a known API").key);
    let asked: Vec<i64> = refusals::all().iter().map(|refusal| key(refusal.api)).collect();
    unasked.retain(|key| !asked.contains(key));
    assert_eq!(unasked, [] as [i64; 0], "nobody asks these");
    assert_eq!(refusals::play(&broker.bootstrap), Ok(Vec::new()), "{}", broker.log());
    // Apache Kafka throws where it refuses this one, and never answers.
    let told = ask(&mut connection, "DescribeUserScramCredentials", 0, &json!({"users": null}));
    assert_eq!(told.map(|told| told["errorCode"].clone()), Some(json!(refusals::CLUSTER)));
    // CVE-2026-41115: what Apache Kafka asks for whom is recorded, and this broker asks the same.
    let asked = asked_of_ottla(&broker.log());
    let recorded = include_str!("operations.txt").lines().filter(|line| !line.starts_with('#'));
    let recorded: BTreeSet<String> = recorded.map(str::to_owned).collect();
    let alone =
        |of: &BTreeSet<String>, other: &BTreeSet<String>| of.difference(other).cloned().collect::<Vec<_>>();
    assert_eq!(alone(&asked, &recorded), ASKED_HERE_ALONE);
    assert_eq!(alone(&recorded, &asked), ASKED_BY_KAFKA_ALONE);
}

#[test]
fn a_write_that_is_not_allowed_closes_where_nothing_is_answered() {
    let broker = Broker::start(&[AUTHORIZER]).expect("a broker");
    let mut connection = Connection::open(&broker.bootstrap).expect("a connection");
    let write = json!([{"name": "t", "partitionData": [{"index": 0, "records": json!({"records": 1})}]}]);
    let body = json!({"acks": 0, "timeoutMs": 100, "topicData": write});
    assert_eq!(ask(&mut connection, "Produce", 9, &body), None);
}

#[test]
fn a_super_user_may_do_what_no_acl_allows_and_what_acls_deny() {
    let settings = [AUTHORIZER, "super.users=User:root;User:ANONYMOUS"];
    let broker = Broker::start(&settings).expect("a broker");
    let mut connection = Connection::open(&broker.bootstrap).expect("a connection");
    let mut asked = |name: &str, version: i16, body: Value| {
        ask(&mut connection, name, version, &body).expect("an answer")
    };
    let denied = json!({"resourceType": 2, "resourceName": "t", "resourcePatternType": 3, "principal": "User:*", "host": "*", "operation": 2, "permissionType": 2});
    let told = asked("CreateAcls", 3, json!({"creations": [denied]}));
    assert_eq!(told["results"][0]["errorCode"], 0);
    let topic = json!({"name": "t", "numPartitions": 1, "replicationFactor": 1});
    let told = asked("CreateTopics", 7, json!({"topics": [topic], "timeoutMs": 10_000}));
    assert_eq!(
        (&told["topics"][0]["errorCode"], &told["topics"][0]["numPartitions"]),
        (&json!(0), &json!(1))
    );
    let told = asked("InitProducerId", 4, json!({"transactionalId": null, "transactionTimeoutMs": 9000}));
    assert_eq!(told["errorCode"], 0);
    let told = asked(
        "Metadata",
        8,
        json!({"topics": [{"name": "t"}], "includeClusterAuthorizedOperations": true, "includeTopicAuthorizedOperations": true}),
    );
    assert_eq!(told["topics"][0]["topicAuthorizedOperations"], 3576);
    assert_eq!(told["clusterAuthorizedOperations"], 8096);
}
