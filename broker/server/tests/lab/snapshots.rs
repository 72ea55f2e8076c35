//! Clusters that begin as another one is, or was, and data directories that leave the lab and come back.
//! Shell.

use std::path::Path;

use ottla_env::real;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::{FetchRequest, TopicName};
use ottla_records::batches;
use ottla_server::wiring::{self, StartOptions};
use serde_json::{Value as Json, json};

use crate::client::{Client, PRODUCE_VERSION, count, http, http_bytes, produce, told, topics, with_lab};

fn fork(at: &str, path: &str, settings: Json) -> (String, Json) {
    let (status, made) = http(at, "POST", path, Some(settings));
    assert_eq!(status, 201, "{made}");
    (made["bootstrap"].as_str().expect("an address").to_owned(), made)
}

fn write(at: &str, topic: &str, values: &[&str]) {
    let records: Vec<Json> = values.iter().map(|value| json!({ "value": value })).collect();
    let (status, answer) = http(at, "POST", &format!("/topics/{topic}/records"), Some(json!(records)));
    assert_eq!(status, 201, "{answer}");
}

#[test]
fn a_fork_begins_as_its_base_is_and_both_go_their_own_ways() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        topics(at, &["a"]);
        write(at, "a", &["one", "two"]);
        let commit = json!([{ "topic": "a", "partition": 0, "offset": 1 }]);
        assert_eq!(http(at, "PUT", "/groups/g/offsets", Some(commit)).0, 200);
        assert_eq!(
            http(at, "POST", "/transactions/tx/hang", Some(json!({ "topic": "a", "partition": 1 }))).0,
            200
        );
        let moved = json!({ "by": "8d", "what": ["records"] });
        let (_, clock) = http(at, "POST", "/clock/advance", Some(moved));

        let (status, bad) =
            http(at, "POST", "/clusters/main/fork", Some(json!({ "name": "f", "brokers": 3 })));
        assert_eq!((status, &bad["error"]["field"]), (400, &json!("brokers")));
        assert_eq!(http(at, "GET", "/clusters", None).1["clusters"].as_array().map(Vec::len), Some(1));
        let rules = json!([{ "api": "Fetch", "delay": 1 }]);
        let asked = json!({ "name": "f", "topics": ["more"], "faults": rules });
        let (there, made) = fork(at, "/clusters/main/fork", asked);
        assert_eq!((&made["id"], &made["faults"]), (&json!("f"), &json!(1)));
        assert_ne!(there, at);
        assert_eq!((count(&there, "a"), count(&there, "more")), (3, 0));
        assert_eq!(http(&there, "GET", "/groups/g", None).1["offsets"][0]["offset"], 1);
        assert_eq!(http(&there, "GET", "/transactions/tx", None).1["state"], "Empty");
        let known = http(&there, "GET", "/producers?topic=a", None).1;
        assert_eq!(known["producers"][0]["transaction_began_at"], 0, "{known}");
        assert!(http(&there, "GET", "/clock", None).1["records"].as_i64() >= clock["records"].as_i64());

        write(&there, "a", &["three"]);
        assert_eq!(http(&there, "DELETE", "/groups/g/offsets", None).0, 200);
        assert_eq!((count(&there, "a"), count(at, "a")), (4, 3));
        assert_eq!(http(at, "GET", "/groups/g", None).1["offsets"][0]["offset"], 1);
        assert_eq!(http(at, "GET", "/topics/more/records", None).0, 404);
        write(at, "a", &["x", "y", "z"]);
        assert_eq!((count(&there, "a"), count(at, "a")), (4, 6));
        // A fork of a fork, at its own port.
        let (third, _) = fork(&there, "/fork", json!({}));
        assert_eq!(http(at, "DELETE", "/clusters/f", None).0, 200);
        assert_eq!(count(&third, "a"), 4);
    });
}

#[test]
fn a_snapshot_is_what_was_there_then_however_often_it_is_forked() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        topics(at, &["a"]);
        write(at, "a", &["one"]);
        assert_eq!(http(at, "POST", "/clusters/main/snapshots", Some(json!({ "of": 1 }))).0, 400);
        assert_eq!(http(at, "GET", "/snapshots", None).1["snapshots"], json!([]));
        let (status, snapshot) = http(at, "POST", "/clusters/main/snapshots", None);
        assert_eq!((status, &snapshot["cluster"]), (201, &json!("main")), "{snapshot}");
        let id = snapshot["snapshot"].as_str().expect("an id").to_owned();
        write(at, "a", &["two"]);
        for _fork in 0..2 {
            let (there, _) = fork(at, &format!("/snapshots/{id}/fork"), json!({}));
            assert_eq!(count(&there, "a"), 1);
            write(&there, "a", &["three"]);
        }
        assert_eq!(http(at, "DELETE", &format!("/snapshots/{id}"), None).0, 200);
        assert_eq!(http(at, "POST", &format!("/snapshots/{id}/fork"), Some(json!({}))).0, 404);
        assert_eq!(http(at, "POST", "/clusters/none/fork", Some(json!({}))).0, 404);
    });
}

/// Puts the files of an archive below a folder, by the program that everybody has.
#[test]
fn a_cluster_becomes_what_a_snapshot_is_behind_the_same_port() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        let made = http(at, "POST", "/clusters", Some(json!({ "name": "one", "topics": ["a"] }))).1;
        let one = made["bootstrap"].as_str().expect("an address").to_owned();
        write(&one, "a", &["first"]);
        let snapshot = http(at, "POST", "/clusters/one/snapshots", None).1["snapshot"].clone();
        write(&one, "a", &["second"]);
        assert_eq!(http(&one, "POST", "/clock/advance", Some(json!({ "by": "8d" }))).0, 200);
        let later = http(&one, "GET", "/clock", None).1["records"].as_i64().expect("a time");
        for _ in 0..2 {
            write(&one, "b", &["made here"]);
            let (status, told) =
                http(at, "POST", "/clusters/one/restore", Some(json!({ "snapshot": snapshot })));
            assert_eq!((status, &told["cluster_id"]), (200, &made["cluster_id"]), "{told}");
            assert_eq!(values(&one, "a"), ["first"]);
            assert_eq!(http(&one, "GET", "/topics/b/records", None).0, 404);
        }
        let now = http(&one, "GET", "/clock", None).1["records"].as_i64().expect("a time");
        assert!(now < later - 7 * 86_400_000, "records' time went back with them");
        // That of another cluster, with its id.
        let two = http(at, "POST", "/clusters", Some(json!({ "name": "two", "topics": ["c"] }))).1;
        let other = http(at, "POST", "/clusters/two/snapshots", None).1["snapshot"].clone();
        assert_eq!(http(at, "POST", "/clusters/one/restore", Some(json!({ "snapshot": other }))).0, 200);
        assert_eq!(http(at, "GET", "/clusters/one", None).1["cluster_id"], two["cluster_id"]);
        for (words, field) in [(json!({}), "snapshot"), (json!({ "snapshot": "s99" }), "snapshot")] {
            let (status, bad) = http(at, "POST", "/clusters/one/restore", Some(words));
            assert_eq!((status, &bad["error"]["field"]), (400, &json!(field)), "{bad}");
        }
        let old = json!({ "name": "old", "emulate": "3.7" });
        assert_eq!(http(at, "POST", "/clusters", Some(old)).0, 201);
        let words = json!({ "snapshot": snapshot });
        assert_eq!(http(at, "POST", "/clusters/old/restore", Some(words.clone())).0, 400);
        assert_eq!(http(&one, "POST", "/restore", Some(words)).0, 409, "who would hear the answer?");
    });
}

fn unpack(archive: &[u8], folder: &Path) {
    let packed = folder.join("archive.tar");
    std::fs::write(&packed, archive).expect("a folder of the test");
    let unpacked = std::process::Command::new("tar").arg("-xf").arg(&packed).arg("-C").arg(folder).status();
    assert!(unpacked.is_ok_and(|status| status.success()));
    std::fs::remove_file(&packed).expect("it was written");
}

/// The values in partition 0 of a topic of a broker that is no lab's.
fn values(bootstrap: &str, topic: &str) -> Vec<String> {
    let partition = FetchPartition::default().with_partition(0).with_partition_max_bytes(1_000_000);
    let name = TopicName(StrBytes::from_string(topic.to_owned()));
    let topic = FetchTopic::default().with_topic(name).with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_bytes(1_000_000)
        .with_session_epoch(-1)
        .with_topics(vec![topic]);
    let answer = Client::at(bootstrap).ask(11, &request).expect("an answer");
    let partition = &answer.responses[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    let mut values = Vec::new();
    for batch in batches(&partition.records.clone().unwrap_or_default()) {
        let batch = batch.expect("a batch");
        let mut scratch = Vec::new();
        for record in batch.records(&mut scratch).expect("records") {
            let value = record.expect("a record").value.map(<[u8]>::to_vec).unwrap_or_default();
            values.push(String::from_utf8(value).expect("a text"));
        }
    }
    values
}

#[test]
fn a_data_directory_leaves_the_lab_a_broker_starts_on_it_and_it_comes_back() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        topics(at, &["a"]);
        write(at, "a", &["one", "two"]);
        let id = http(at, "POST", "/snapshots", None).1["snapshot"].as_str().expect("an id").to_owned();
        let (status, archive) = http_bytes(at, "GET", &format!("/snapshots/{id}/export"), b"");
        assert_eq!(status, 200);
        // Nothing is held back for a device that fills up: there is none.
        assert!(archive.windows(14).all(|name| name != b".ottla-reserve"), "{} bytes", archive.len());

        let folder = std::env::temp_dir().join(format!("ottla-lab-export-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        unpack(&archive, &folder);
        let keys = [
            ("listeners", "PLAINTEXT://127.0.0.1:0".to_owned()),
            ("ottla.http.listener", String::new()),
            ("log.dirs", folder.display().to_string()),
        ];
        let keys = keys.map(|(key, value)| (key.to_owned(), value));
        let (config, _warnings) = ottla_config::load(None, &[], &keys).expect("a configuration");
        let cluster_id = created.cluster_id.clone();
        let ran = real::run(Some(2), async move {
            let env = real::env();
            let disk = env.disk.clone();
            let broker = wiring::start(env, disk, config, StartOptions::default()).await.expect("it starts");
            assert_eq!(broker.cluster_id(), cluster_id);
            let bootstrap = broker.bootstrap();
            let (done, is_done) = tokio::sync::oneshot::channel();
            let asked = std::thread::spawn(move || {
                let found = values(&bootstrap, "a");
                let more = told(Client::at(&bootstrap).ask(PRODUCE_VERSION, &produce(&["a"])));
                // The runtime waits for it.
                let _gone = done.send(());
                (found, more)
            });
            let _ended = is_done.await;
            broker.stop(std::time::Duration::ZERO).await;
            asked.join().expect("an answer")
        });
        let (found, more) = ran.expect("a runtime");
        assert_eq!((found, more), (vec!["one".to_owned(), "two".to_owned()], vec![("a".to_owned(), 0, 2)]));

        std::fs::remove_dir_all(&folder).expect("it was made");
        let (status, answer) = http_bytes(at, "POST", "/snapshots", &archive);
        assert_eq!(status, 201);
        let imported: Json = serde_json::from_slice(&answer).expect("JSON");
        let path = format!("/snapshots/{}/fork", imported["snapshot"].as_str().expect("an id"));
        let (there, made) = fork(at, &path, json!({ "name": "back" }));
        assert_eq!((count(&there, "a"), &made["cluster_id"]), (2, &json!(created.cluster_id)));

        let known = http(at, "GET", "/snapshots", None).1;
        let (status, answer) = http_bytes(at, "POST", "/snapshots", &archive[..archive.len() / 2]);
        assert_eq!(status, 400, "{}", String::from_utf8_lossy(&answer));
        // Without its first file, which says whose it is.
        let at_properties =
            archive.windows(15).position(|name| name == b"meta.properties").expect("a header");
        let without = [&archive[..at_properties], &archive[at_properties + 1024..]].concat();
        let (status, answer) = http_bytes(at, "POST", "/snapshots", &without);
        let bad: Json = serde_json::from_slice(&answer).expect("JSON");
        assert_eq!((status, &bad["error"]["field"]), (400, &json!("meta.properties")));
        assert_eq!(http(at, "GET", "/snapshots", None).1, known, "nothing was half applied");
    });
}
