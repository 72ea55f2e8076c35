//! What those get who are not in, or not allowed: what they hold of a broker, what they may claim, what it logs of them.
//! Shell: starts brokers, opens sockets.

use std::io::Write;

use ottla_protocol_tests::broker::Broker;
use ottla_protocol_tests::codec::{request_frame, response};
use ottla_protocol_tests::connection::{Arrival, Connection};
use ottla_protocol_tests::oracle::{Library, SIDE_BY_SIDE};
use ottla_protocol_tests::schema::{Api, Schemas};
use serde_json::{Value, json};

const AUTHORIZER: &str = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer";
const TOPIC: i64 = 29;
const TRANSACTIONAL_ID: i64 = 53;

const LOGINS: [&str; 3] = [
    "listener.security.protocol.map=PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
    "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512",
    "listener.name.plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \
     required user_alice=\"alice-secret\";",
];

fn api(name: &str) -> &'static Api {
    Schemas::kafka().api(name).expect("a known API")
}

fn ask(connection: &mut Connection, name: &str, version: i16, body: &Value) -> Value {
    connection.send(&request_frame(api(name), version, 7, "logins", body).expect("a request"));
    match connection.receive().expect("a whole frame") {
        Arrival::Answer(_, bytes) => response(api(name), version, &bytes).expect("an answer of that API"),
        other => panic!("{name} v{version}: {other:?}"),
    }
}

/// Every secret that the scripts of logins use, as it is set, sent or kept.
const SECRETS: [&str; 8] = [
    "alice-secret",
    "bob-secret",
    "sam-secret",
    "cluster-secret",
    // The salted password of sam1, as bytes and in base64.
    "d9cadbebbd7f0fb27517567043a18ea1",
    "2crb671/D7J1F1ZwQ6GOoS6zZKet",
    // A password in the token of PLAIN, as hexadecimal digits and in base64.
    "616c6963652d736563726574",
    "YWxpY2Utc2VjcmV0",
];

/// CVE-2026-33558: whatever is logged, no secret is.
#[test]
fn no_secret_is_logged_at_any_level() {
    let mut brokers = Vec::new();
    for prefix in ["12-security", "23-sasl-plain", "23-sasl-scram", "24-delegation-tokens"] {
        let mut start = |settings: &[String]| {
            let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
            let broker = Broker::start_logging(Some("trace"), &settings)?;
            let address = broker.bootstrap.clone();
            brokers.push(broker);
            Ok::<String, String>(address)
        };
        let report = Library::open().check(&mut start, SIDE_BY_SIDE, prefix).expect("scripts and answers");
        assert!(report.exchange_count > 5, "{prefix}: {} exchanges", report.exchange_count);
    }
    assert!(brokers.len() >= 4, "{} brokers were started", brokers.len());
    let mut is_told = false;
    for broker in &brokers {
        let log = broker.log();
        is_told |= log.contains("DEBUG") && log.contains("alice");
        for secret in SECRETS {
            let line = log.lines().find(|line| line.to_lowercase().contains(&secret.to_lowercase()));
            assert_eq!(line, None, "{secret} is in the log");
        }
    }
    assert!(is_told, "the logs tell of logins");
}

/// CVE-2022-34917: thousands who promise much, say little, or say it slowly hold little memory, and a client that is
/// known is served meanwhile.
#[test]
fn ten_thousand_who_never_log_in_hold_little_and_harm_nobody() {
    // In debug builds as well; each connection has a task and a socket.
    const EACH_BYTES_MAX: u64 = 12 << 10;
    let broker = Broker::start(&LOGINS).expect("a broker");
    let mut known = Connection::open(&broker.bootstrap).expect("a connection");
    ask(&mut known, "SaslHandshake", 1, &json!({"mechanism": "PLAIN"}));
    let token = json!({"authBytes": "hex:00616c69636500616c6963652d736563726574"});
    assert_eq!(ask(&mut known, "SaslAuthenticate", 2, &token)["errorCode"], 0);
    let handshake = request_frame(api("SaslHandshake"), 1, 1, "", &json!({"mechanism": "SCRAM-SHA-512"}));
    let handshake = handshake.expect("a request");
    let before = broker.resident_bytes().expect("its memory");
    let count = connections_max();
    let mut halves = Vec::new();
    for number in 0..count {
        let half = Connection::open(&broker.bootstrap).expect("a connection");
        let mut socket = half.stream();
        let sent = match number % 5 {
            // A promise of all that may be promised, and one byte of it.
            0 => socket.write_all(&[&524_288_i32.to_be_bytes()[..], &[0]].concat()),
            // Half a length, and half a request.
            1 => socket.write_all(&[0, 0]),
            2 => socket.write_all(&handshake[..handshake.len() - 3]),
            // A login that stops half way.
            3 => socket.write_all(&handshake),
            // Nothing at all.
            _ => Ok(()),
        };
        sent.expect("there is room for a few bytes");
        halves.push(half);
        if number % 1_000 == 0 {
            assert_eq!(ask(&mut known, "ListGroups", 0, &json!({}))["errorCode"], 0);
        }
    }
    // Huge: as much of a frame as may come before a login, of some of them.
    for half in halves.iter().step_by(5).take(40) {
        half.stream().write_all(&vec![0; 400_000]).expect("it is read");
    }
    assert_eq!(ask(&mut known, "ListGroups", 0, &json!({}))["errorCode"], 0);
    let held = broker.resident_bytes().expect("its memory").saturating_sub(before);
    let bound = count as u64 * EACH_BYTES_MAX + 40 * 600_000;
    assert!(held <= bound, "{held} bytes are held by {count} connections, {bound} may be");
    // And others log in as before.
    let mut other = Connection::open(&broker.bootstrap).expect("a connection");
    other.send(&handshake);
    assert!(matches!(other.receive(), Ok(Arrival::Answer(1, _))));
}

/// Ten thousand, or as many as this machine lets a process have.
fn connections_max() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let files = limit.current.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
    let count = files.saturating_sub(500).min(10_000);
    assert!(count >= 400, "only {files} files may be open");
    count
}

/// What is refused to everybody, on a broker that allows all the rest.
fn with_denied(denied: &[Value]) -> (Broker, Connection) {
    let broker = Broker::start(&[AUTHORIZER, "allow.everyone.if.no.acl.found=true"]).expect("a broker");
    let mut connection = Connection::open(&broker.bootstrap).expect("a connection");
    let topic = json!({"name": "t", "numPartitions": 1, "replicationFactor": 1});
    let made = ask(&mut connection, "CreateTopics", 7, &json!({"topics": [topic], "timeoutMs": 10_000}));
    assert_eq!(made["topics"][0]["errorCode"], 0);
    let told = ask(&mut connection, "CreateAcls", 3, &json!({"creations": denied}));
    assert!(
        told["results"].as_array().is_some_and(|all| all.iter().all(|one| one["errorCode"] == 0)),
        "{told}"
    );
    (broker, connection)
}

fn denial(resource: i64, name: &str, operation: i64) -> Value {
    json!({"resourceType": resource, "resourceName": name, "resourcePatternType": 3, "principal": "User:ANONYMOUS",
           "host": "*", "operation": operation, "permissionType": 2})
}

/// CVE-2018-1288: who may read a topic is no follower of it by saying so.
#[test]
fn a_replica_id_counts_only_for_whoever_may_act_for_the_cluster() {
    let (_broker, mut connection) = with_denied(&[denial(4, "kafka-cluster", 9)]);
    let write = json!([{"name": "t", "partitionData": [{"index": 0, "records": {"records": 1}}]}]);
    let body = json!({"acks": -1, "timeoutMs": 5000, "topicData": write});
    let told = ask(&mut connection, "Produce", 9, &body);
    assert_eq!(told["responses"][0]["partitionResponses"][0]["errorCode"], 0);
    let metadata = |connection: &mut Connection| {
        ask(connection, "Metadata", 12, &json!({"topics": [{"name": "t"}]}))["topics"][0].clone()
    };
    let before = metadata(&mut connection);
    let topic_id = &before["topicId"];
    for version in 4..=18 {
        let is_by_id = version >= 13;
        let partitions =
            json!([{"partition": 0, "fetchOffset": 0, "partitionMaxBytes": 1000, "currentLeaderEpoch": -1}]);
        let topic = match is_by_id {
            true => json!({"topicId": topic_id, "partitions": partitions}),
            false => json!({"topic": "t", "partitions": partitions}),
        };
        let mut body =
            json!({"maxWaitMs": 0, "minBytes": 1, "maxBytes": 1000, "sessionEpoch": -1, "topics": [topic]});
        let read = ask(&mut connection, "Fetch", version, &body);
        let partition = &read["responses"][0]["partitions"][0];
        assert_eq!(
            (&partition["errorCode"], &partition["highWatermark"]),
            (&json!(0), &json!(1)),
            "v{version}: {read}"
        );
        match version >= 15 {
            true => body["replicaState"] = json!({"replicaId": 2, "replicaEpoch": -1}),
            false => body["replicaId"] = json!(2),
        }
        let refused = ask(&mut connection, "Fetch", version, &body);
        let partition = &refused["responses"][0]["partitions"][0];
        assert_eq!(partition["errorCode"], TOPIC, "v{version}: {refused}");
        assert!(partition["records"].as_array().is_none_or(Vec::is_empty), "v{version}: {refused}");
    }
    let after = metadata(&mut connection);
    assert_eq!(after["partitions"], before["partitions"], "nobody joined or left");
}

/// CVE-2018-17196: the batch says whether it is of a transaction, and the request's field does not.
#[test]
fn a_batch_of_a_transaction_is_one_whatever_the_request_says() {
    let (_broker, mut connection) = with_denied(&[denial(5, "theirs", 4)]);
    for version in [3, 9, 12] {
        for (id, attributes, code) in [
            (json!(null), 0x10, TRANSACTIONAL_ID),
            (json!("theirs"), 0x10, TRANSACTIONAL_ID),
            (json!(null), 0, 0),
            // As with Kafka: no record of a transaction, no question.
            (json!("theirs"), 0, 0),
        ] {
            let has_producer = attributes != 0;
            let (producer, epoch, sequence) = if has_producer { (5, 0, 0) } else { (-1, -1, -1) };
            let records = json!({"records": 1, "attributes": attributes, "producerId": producer,
                                 "producerEpoch": epoch, "baseSequence": sequence});
            let write = json!([{"name": "t", "partitionData": [{"index": 0, "records": records}]}]);
            let body = json!({"transactionalId": id, "acks": -1, "timeoutMs": 5000, "topicData": write});
            let told = ask(&mut connection, "Produce", version, &body);
            assert_eq!(
                told["responses"][0]["partitionResponses"][0]["errorCode"], code,
                "v{version} {id} {attributes}"
            );
        }
    }
}
