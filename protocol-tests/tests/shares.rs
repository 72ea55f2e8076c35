//! A share group over a `kill -9`: what was acknowledged is not delivered again, what was not is.
//! Shell: starts and kills brokers, opens sockets.

use std::time::{Duration, Instant};

use ottla_protocol_tests::broker::Broker;
use ottla_protocol_tests::codec::{request_frame, response};
use ottla_protocol_tests::connection::{Arrival, Connection};
use ottla_protocol_tests::schema::{Api, Schemas};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(20);

fn api(name: &str) -> &'static Api {
    Schemas::kafka().api(name).expect("a known API")
}

fn ask(connection: &mut Connection, name: &str, version: i16, body: Value) -> Value {
    connection.send(&request_frame(api(name), version, 7, "shares", &body).expect("a request"));
    match connection.receive().expect("a whole frame") {
        Arrival::Answer(_, bytes) => response(api(name), version, &bytes).expect("an answer of that API"),
        other => panic!("{name}: {other:?}"),
    }
}

fn ask_until(
    connection: &mut Connection,
    name: &str,
    version: i16,
    body: &Value,
    is_it: impl Fn(&Value) -> bool,
) -> Value {
    let begin = Instant::now();
    loop {
        let answer = ask(connection, name, version, body.clone());
        if is_it(&answer) {
            return answer;
        }
        assert!(begin.elapsed() < LIMIT, "{name}: {answer}");
    }
}

/// A topic with six records in as many batches, whose id is the answer, and a group that begins with the first.
fn set_up(connection: &mut Connection) -> Value {
    let topic = json!({"name": "t", "numPartitions": 1, "replicationFactor": 1});
    let made = ask(connection, "CreateTopics", 7, json!({"topics": [topic], "timeoutMs": 10_000}));
    assert_eq!(made["topics"][0]["errorCode"], 0);
    for _ in 0..6 {
        let data = json!([{"name": "t", "partitionData": [{"index": 0, "records": {"records": 1}}]}]);
        let told = ask(connection, "Produce", 9, json!({"acks": -1, "timeoutMs": 5_000, "topicData": data}));
        assert_eq!(told["responses"][0]["partitionResponses"][0]["errorCode"], 0, "{told}");
    }
    let earliest = json!([{"name": "share.auto.offset.reset", "configOperation": 0, "value": "earliest"}]);
    let group = json!([{"resourceType": 32, "resourceName": "g", "configs": earliest}]);
    ask(connection, "IncrementalAlterConfigs", 1, json!({"resources": group}));
    made["topics"][0]["topicId"].clone()
}

/// A member that is assigned the topic.
fn join(connection: &mut Connection, member: &str) {
    let find = json!({"keyType": 0, "coordinatorKeys": ["g"]});
    ask_until(connection, "FindCoordinator", 4, &find, |told| told["coordinators"][0]["errorCode"] == 0);
    let beat = |epoch: &Value| json!({"groupId": "g", "memberId": member, "memberEpoch": epoch, "subscribedTopicNames": ["t"]});
    let mut told = ask(connection, "ShareGroupHeartbeat", 1, beat(&json!(0)));
    let begin = Instant::now();
    while told["assignment"]["topicPartitions"] == json!([]) {
        told = ask(connection, "ShareGroupHeartbeat", 1, beat(&told["memberEpoch"]));
        assert!(begin.elapsed() < LIMIT && told["errorCode"] == 0, "{told}");
    }
}

fn fetch(connection: &mut Connection, member: &str, topic_id: &Value) -> Vec<(i64, i64, i64)> {
    let topics = json!([{"topicId": topic_id, "partitions": [{"partitionIndex": 0}]}]);
    let body = json!({
        "groupId": "g", "memberId": member, "shareSessionEpoch": 0, "maxWaitMs": 10_000, "minBytes": 1,
        "maxBytes": 100_000, "maxRecords": 500, "batchSize": 500, "topics": topics,
    });
    let told = ask(connection, "ShareFetch", 1, body);
    let acquired = told["responses"][0]["partitions"][0]["acquiredRecords"].as_array().cloned();
    let number = |range: &Value, name: &str| range[name].as_i64().expect("a number");
    let ranges = acquired.unwrap_or_else(|| panic!("{told}"));
    let triple = |range: &Value| {
        (number(range, "firstOffset"), number(range, "lastOffset"), number(range, "deliveryCount"))
    };
    ranges.iter().map(triple).collect()
}

#[test]
fn what_became_of_records_survives_a_kill() {
    let mut broker = Broker::start(&["group.share.assignment.interval.ms=0"]).expect("a broker");
    let mut connection = Connection::open(&broker.bootstrap).expect("a connection");
    let topic_id = set_up(&mut connection);
    join(&mut connection, "m1");
    assert_eq!(fetch(&mut connection, "m1", &topic_id), [(0, 5, 1)]);
    // Accepted, accepted, released, accepted; of the last two nothing is said.
    let batches = json!([{"firstOffset": 0, "lastOffset": 3, "acknowledgeTypes": [1, 1, 2, 1]}]);
    let partitions = json!([{"partitionIndex": 0, "acknowledgementBatches": batches}]);
    let topics = json!([{"topicId": topic_id, "partitions": partitions}]);
    let body = json!({"groupId": "g", "memberId": "m1", "shareSessionEpoch": 1, "topics": topics});
    let told = ask(&mut connection, "ShareAcknowledge", 1, body);
    assert_eq!(told["responses"][0]["partitions"][0]["errorCode"], 0, "{told}");

    broker.kill_and_start_again().expect("it starts again");
    let mut connection = Connection::open(&broker.bootstrap).expect("a connection");
    // The group is there with its first member, which is not heard of again.
    join(&mut connection, "m2");
    assert_eq!(fetch(&mut connection, "m2", &topic_id), [(2, 2, 2), (4, 5, 1)], "{}", broker.log());
}
