//! Raw sockets against a running broker: order, waiting, broken frames, promises of bytes, and many at once.
//! Shell: starts brokers, opens sockets.

use std::io::Write;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use ottla_protocol_tests::broker::Broker;
use ottla_protocol_tests::codec::{request_frame, response};
use ottla_protocol_tests::connection::{Arrival, Connection};
use ottla_protocol_tests::golden;
use ottla_protocol_tests::schema::{Api, Schemas};
use ottla_protocol_tests::seeded::Seeded;
use serde_json::{Value, json};

const MIB: u64 = 1 << 20;

fn broker() -> Broker {
    Broker::start(&[]).expect("a broker")
}

fn connect(broker: &Broker) -> Connection {
    Connection::open(&broker.bootstrap).expect("a connection")
}

fn api(name: &str) -> &'static Api {
    Schemas::kafka().api(name).expect("a known API")
}

fn frame(name: &str, version: i16, correlation_id: i32, body: Value) -> Vec<u8> {
    request_frame(api(name), version, correlation_id, "wire", &body).expect("a request")
}

/// The next answer, which has to be the one to `correlation_id`.
fn answer(connection: &mut Connection, name: &str, version: i16, correlation_id: i32) -> Value {
    match connection.receive().expect("a whole frame") {
        Arrival::Answer(id, bytes) => {
            assert_eq!(id, correlation_id, "an answer out of order");
            response(api(name), version, &bytes).expect("an answer of that API")
        }
        other => panic!("{name} {correlation_id}: {other:?}"),
    }
}

fn ask(connection: &mut Connection, name: &str, version: i16, body: Value) -> Value {
    connection.send(&frame(name, version, 77, body));
    answer(connection, name, version, 77)
}

/// Somebody else is served as if nothing were.
fn assert_serves(broker: &Broker) {
    let mut connection = connect(broker);
    let told = ask(&mut connection, "ApiVersions", 0, json!({}));
    assert_eq!(told["errorCode"], 0, "{}", broker.log());
}

fn make_topic(broker: &Broker, name: &str) {
    let mut connection = connect(broker);
    let topic = json!({"name": name, "numPartitions": 1, "replicationFactor": 1});
    let told = ask(&mut connection, "CreateTopics", 5, json!({"topics": [topic], "timeoutMs": 10_000}));
    assert_eq!(told["topics"][0]["errorCode"], 0, "{told}");
}

fn produce_body(topic: &str, acks: i16, value_bytes: u64) -> Value {
    let records = json!({"records": [{"value": {"size": value_bytes}}]});
    let data = json!([{"name": topic, "partitionData": [{"index": 0, "records": records}]}]);
    json!({"acks": acks, "timeoutMs": 5_000, "topicData": data})
}

fn fetch_body(topic: &str, offset: i64, max_wait_ms: i32) -> Value {
    let partition = json!({"partition": 0, "fetchOffset": offset, "partitionMaxBytes": 10_000_000});
    json!({"maxWaitMs": max_wait_ms, "minBytes": 1, "topics": [{"topic": topic, "partitions": [partition]}]})
}

#[test]
fn thousands_of_requests_in_flight_are_answered_in_order() {
    let broker = broker();
    make_topic(&broker, "order");
    let mut connection = connect(&broker);
    let mut writer = connection.stream().try_clone().expect("a second handle");
    let request = |index: i32| match index % 4 {
        0 => ("ApiVersions", 3, json!({"clientSoftwareName": "w", "clientSoftwareVersion": "1"})),
        1 => ("Produce", 9, produce_body("order", -1, 10)),
        2 => ("Metadata", 9, json!({"topics": [{"name": "order"}]})),
        _ => ("Fetch", 11, fetch_body("order", 0, 0)),
    };
    let sender = std::thread::spawn(move || {
        for index in 0..8_000 {
            let (name, version, body) = request(index);
            writer.write_all(&frame(name, version, index, body)).expect("room in the socket");
        }
    });
    for index in 0..8_000 {
        let (name, version, _) = request(index);
        let told = answer(&mut connection, name, version, index);
        if name == "Produce" {
            let offset = &told["responses"][0]["partitionResponses"][0]["baseOffset"];
            assert_eq!(*offset, json!(index / 4), "writes happen in order too");
        }
    }
    sender.join().expect("the sender");
}

#[test]
fn a_waiting_fetch_does_not_hold_back_the_write_behind_it() {
    let broker = broker();
    make_topic(&broker, "park");
    let mut connection = connect(&broker);
    let start = Instant::now();
    connection.send(&frame("Fetch", 11, 1, fetch_body("park", 0, 9_000)));
    connection.send(&frame("Produce", 9, 2, produce_body("park", -1, 10)));
    let fetched = answer(&mut connection, "Fetch", 11, 1);
    let batches = &fetched["responses"][0]["partitions"][0]["records"];
    assert_eq!(batches[0]["baseOffset"], 0, "the write behind it wakes the fetch: {fetched}");
    let produced = answer(&mut connection, "Produce", 9, 2);
    assert_eq!(produced["responses"][0]["partitionResponses"][0]["errorCode"], 0);
    assert!(start.elapsed() < Duration::from_secs(5), "it waited for {:?}", start.elapsed());
}

#[test]
fn api_versions_from_the_future_gets_the_old_layout_and_goes_on() {
    let broker = broker();
    let mut connection = connect(&broker);
    for version in [5, 6, i16::MAX] {
        let told = ask(&mut connection, "ApiVersions", version, json!({}));
        let own = json!({"apiKey": 18, "minVersion": 0, "maxVersion": 4});
        assert_eq!(told, json!({"errorCode": 35, "apiKeys": [own]}));
    }
    assert_eq!(ask(&mut connection, "ApiVersions", 4, named())["errorCode"], 0);
}

fn named() -> Value {
    json!({"clientSoftwareName": "wire", "clientSoftwareVersion": "1"})
}

#[test]
fn a_broken_frame_closes_its_own_connection_only() {
    let broker = broker();
    let mut good = connect(&broker);
    let frames: [&[u8]; 8] = [
        // Lengths below zero, of nothing, and above socket.request.max.bytes.
        &[0xff, 0xff, 0xff, 0xff],
        &[0x80, 0, 0, 0],
        &[0, 0, 0, 0],
        &[0x06, 0x40, 0x00, 0x01],
        &[0x7f, 0xff, 0xff, 0xff],
        // A header that is cut off, an unknown key, an unknown version.
        &[0, 0, 0, 3, 0, 3, 0],
        &[0, 0, 0, 10, 0x0f, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff],
        &[0, 0, 0, 10, 0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff],
    ];
    for bytes in frames {
        let mut bad = connect(&broker);
        bad.send(bytes);
        assert_eq!(bad.receive().expect("no half answer"), Arrival::Closed, "{bytes:02x?}");
        assert_eq!(ask(&mut good, "ApiVersions", 4, named())["errorCode"], 0);
    }
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let broker = broker();
    let mut connection = connect(&broker);
    for byte in frame("ApiVersions", 4, 5, named()) {
        connection.send(&[byte]);
    }
    assert_eq!(answer(&mut connection, "ApiVersions", 4, 5)["errorCode"], 0);
}

#[test]
fn what_was_whole_is_answered_although_the_client_says_no_more() {
    let broker = broker();
    let mut connection = connect(&broker);
    let mut bytes = frame("ApiVersions", 4, 5, named());
    // A second request that will never be whole.
    bytes.extend(&frame("ApiVersions", 4, 6, named())[..9]);
    connection.send(&bytes);
    assert_eq!(answer(&mut connection, "ApiVersions", 4, 5)["errorCode"], 0);
    connection.stream().shutdown(Shutdown::Write).expect("half a close");
    assert_eq!(connection.receive().expect("no half answer"), Arrival::Closed);
    assert_serves(&broker);
}

#[test]
fn without_acks_there_is_silence_and_an_error_closes() {
    let broker = broker();
    make_topic(&broker, "silent");
    let mut connection = connect(&broker);
    for index in 0..100 {
        connection.send(&frame("Produce", 9, index, produce_body("silent", 0, 10)));
    }
    connection.send(&frame("ListOffsets", 7, 500, latest("silent")));
    let told = answer(&mut connection, "ListOffsets", 7, 500);
    assert_eq!(told["topics"][0]["partitions"][0]["offset"], 100, "{told}");
    connection.send(&frame("Produce", 9, 501, produce_body("no-such-topic", 0, 10)));
    assert_eq!(connection.receive().expect("no half answer"), Arrival::Closed);
    assert_serves(&broker);
}

fn latest(topic: &str) -> Value {
    let partition = json!({"partitionIndex": 0, "timestamp": -1});
    json!({"replicaId": -1, "topics": [{"name": topic, "partitions": [partition]}]})
}

#[test]
fn a_promise_of_bytes_allocates_nothing() {
    let broker = broker();
    assert_serves(&broker);
    let before = broker.resident_bytes().expect("a figure");
    let mut promising: Vec<Connection> = (0..200).map(|_| connect(&broker)).collect();
    for connection in &mut promising {
        // 100 MiB are promised, a header and a little more are sent.
        let mut bytes = 104_857_600_i32.to_be_bytes().to_vec();
        bytes.extend(&frame("Produce", 9, 1, produce_body("promise", 1, 1_000))[4..]);
        connection.send(&bytes);
    }
    for _ in 0..200 {
        assert_serves(&broker);
    }
    let grown = broker.resident_bytes().expect("a figure").saturating_sub(before);
    assert!(grown < 32 * MIB, "{grown} bytes for 200 promises");
    drop(promising);
    assert_serves(&broker);
}

#[test]
fn five_thousand_connections_are_served_within_the_memory_budget() {
    let broker = broker();
    let mut connections: Vec<Connection> = (0..5_000).map(|_| connect(&broker)).collect();
    for round in 0..2 {
        for connection in &mut connections {
            connection.send(&frame("ApiVersions", 4, round, named()));
        }
        for connection in &mut connections {
            assert_eq!(answer(connection, "ApiVersions", 4, round)["errorCode"], 0);
        }
    }
    let resident = broker.resident_bytes().expect("a figure");
    assert!(resident < 160 * MIB, "{resident} bytes with 5,000 connections");
}

#[test]
fn a_reader_that_never_reads_costs_others_nothing() {
    let broker = broker();
    make_topic(&broker, "slow");
    let mut connection = connect(&broker);
    for index in 0..8 {
        let told = ask(&mut connection, "Produce", 9, produce_body("slow", 1, MIB - 1_000));
        assert_eq!(told["responses"][0]["partitionResponses"][0]["baseOffset"], index, "{told}");
    }
    let before = broker.resident_bytes().expect("a figure");
    let mut lazy: Vec<Connection> = (0..20).map(|_| connect(&broker)).collect();
    for connection in &mut lazy {
        for index in 0..50 {
            connection.send(&frame("Fetch", 11, index, fetch_body("slow", 0, 0)));
        }
    }
    // 8 GB of answers are wanted by now; those who read are served, and memory stays.
    for _ in 0..50 {
        let told = ask(&mut connection, "Fetch", 11, fetch_body("slow", 7, 0));
        assert_eq!(told["responses"][0]["partitions"][0]["records"][0]["baseOffset"], 7);
    }
    let grown = broker.resident_bytes().expect("a figure").saturating_sub(before);
    assert!(grown < 64 * MIB, "{grown} bytes for readers that do not read");
}

/// The APIs that this broker advertises, as shapes.
fn served(broker: &Broker) -> Vec<&'static Api> {
    let mut connection = connect(broker);
    let told = ask(&mut connection, "ApiVersions", 0, json!({}));
    let keys = told["apiKeys"].as_array().expect("a list").iter();
    keys.filter_map(|range| Schemas::kafka().by_key(i16::try_from(range["apiKey"].as_i64()?).ok()?)).collect()
}

#[test]
fn a_count_that_cannot_be_closes_the_connection_and_allocates_nothing() {
    let broker = broker();
    let apis = served(&broker);
    assert!(apis.len() >= 30, "{} APIs", apis.len());
    let before = broker.resident_bytes().expect("a figure");
    for api in apis {
        for version in api.versions.first..=api.versions.last {
            let lists = api.request.iter().filter(|field| {
                field.is_list && field.versions.contains(version) && field.tag_in(version).is_none()
            });
            for field in lists {
                let body = json!({&field.name: {"$count": 2_147_483_646}});
                let mut connection = connect(&broker);
                let bytes = request_frame(api, version, 1, "wire", &body).expect("a request");
                connection.send(&bytes);
                let arrival = connection.receive().expect("no half answer");
                assert_eq!(arrival, Arrival::Closed, "{} v{version} {}", api.name, field.name);
            }
        }
    }
    let grown = broker.resident_bytes().expect("a figure").saturating_sub(before);
    assert!(grown < 32 * MIB, "{grown} bytes for counts without elements");
    assert_serves(&broker);
}

#[test]
fn a_body_cut_anywhere_is_answered_or_closed() {
    let broker = broker();
    let served = served(&broker);
    for message in golden::requests() {
        let key = message.key.to_i16();
        let Some(api) = served.iter().find(|api| api.key == key && api.versions.last == message.version)
        else {
            continue;
        };
        // Those that would make, change or wait are cut only where they cannot be whole.
        let whole = request_frame(api, message.version, 1, "wire", &json!({})).expect("a request");
        let header_length =
            4 + 2 + 2 + 4 + 2 + "wire".len() + usize::from(api.flexible.contains(message.version));
        let step = (message.body.len() / 40).max(1);
        for cut in (0..message.body.len()).step_by(step) {
            let mut bytes = whole[..header_length].to_vec();
            bytes.extend(&message.body[..cut]);
            let length = i32::try_from(bytes.len() - 4).expect("a short request");
            bytes[..4].copy_from_slice(&length.to_be_bytes());
            let mut connection = connect(&broker);
            connection.send(&bytes);
            // The broker may have closed it by now.
            let _ = connection.stream().shutdown(Shutdown::Write);
            let arrival = connection.receive().expect("no half answer");
            assert_ne!(arrival, Arrival::Silence, "{} v{} cut at {cut}", api.name, message.version);
        }
    }
    assert_serves(&broker);
}

#[test]
fn noise_disturbs_nobody() {
    let broker = broker();
    let mut good = connect(&broker);
    let before = broker.resident_bytes().expect("a figure");
    for seed in 0..300 {
        let mut random = Seeded::new(seed);
        let mut bytes: Vec<u8> = (0..random.below(400) + 20).map(|_| random.next_u64() as u8).collect();
        if seed % 2 == 0 {
            // A right length and a served key in front, so that the noise reaches the decoder.
            let length = i32::try_from(bytes.len() - 4).expect("a short request");
            bytes[..4].copy_from_slice(&length.to_be_bytes());
            let keys = [0, 1, 2, 3, 8, 9, 10, 11, 18, 19, 32, 44];
            let key = keys[random.below(keys.len())];
            let api = Schemas::kafka().by_key(key).expect("a known API");
            bytes[4..6].copy_from_slice(&key.to_be_bytes());
            bytes[6..8].copy_from_slice(&api.versions.last.to_be_bytes());
            bytes[12..14].copy_from_slice(&[0xff, 0xff]);
        }
        let mut noisy = connect(&broker);
        noisy.send(&bytes);
        // The broker may have closed it by now.
        let _ = noisy.stream().shutdown(Shutdown::Write);
        let arrival = noisy.receive().expect("no half answer");
        assert_ne!(arrival, Arrival::Silence, "seed {seed}");
        assert_eq!(ask(&mut good, "ApiVersions", 4, named())["errorCode"], 0, "seed {seed}");
    }
    let grown = broker.resident_bytes().expect("a figure").saturating_sub(before);
    assert!(grown < 32 * MIB, "{grown} bytes for noise");
}
