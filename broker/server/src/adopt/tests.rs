//! Adoptions on a disk in memory: what is refused, what is copied, and what a crash leaves.
//! Core.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::BytesMut;
use ottla_env::Disk;
use ottla_env::memory::{FaultyDisk, MemoryDisk};
use ottla_model::{LeaderEpoch, Offset, TopicId};
use ottla_protocol::codec::RecordSet;
use ottla_protocol::records::encode_framed;
use ottla_protocol::records::metadata::{
    ClientQuotaRecord, ConfigRecord, DelegationTokenRecord, FeatureLevelRecord, MetadataRecord,
    PartitionRecord, RegisterBrokerRecord, RegisterControllerRecord, TopicRecord,
};
use ottla_records::BatchBuilder;

use super::{MARKER, Plan, Refusal, adopt, refuse_unfinished};

const KAFKA: &str = "/kafka/data";
const OURS: &str = "/ours/data";
const PROPERTIES: &str =
    "#\nversion=1\ncluster.id=4L6g3nShT-eMCtK--X86sw\nnode.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAw\n";
const QUORUM: &str = r#"{"leaderId":1,"leaderEpoch":1,"currentVoters":[{"voterId":1}],"data_version":0}"#;
const METADATA_LOG: &str = "__cluster_metadata-0/00000000000000000000.log";
const TOPIC_ID: TopicId = TopicId(uuid_of(7));
const DIRECTORY_ID: uuid::Uuid = uuid_of(3);

const fn uuid_of(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(number)
}

fn feature(name: &str, level: i16) -> MetadataRecord {
    let name = name.to_owned().into();
    FeatureLevelRecord { name, feature_level: level, ..FeatureLevelRecord::default() }.into()
}

fn broker(id: i32, log_dirs: Vec<uuid::Uuid>) -> MetadataRecord {
    RegisterBrokerRecord { broker_id: id, log_dirs, ..RegisterBrokerRecord::default() }.into()
}

fn config(name: &str, value: &str) -> MetadataRecord {
    ConfigRecord {
        resource_type: 2,
        resource_name: "words".into(),
        name: name.to_owned().into(),
        value: Some(value.to_owned().into()),
        ..ConfigRecord::default()
    }
    .into()
}

fn partition(replicas: Vec<i32>, isr: Vec<i32>) -> MetadataRecord {
    PartitionRecord {
        partition_id: 0,
        topic_id: TOPIC_ID.0,
        replicas,
        isr,
        leader: -1,
        ..PartitionRecord::default()
    }
    .into()
}

/// What a Kafka of one node with a topic of one partition leaves.
fn records() -> Vec<MetadataRecord> {
    vec![
        feature("metadata.version", 30),
        feature("group.version", 1),
        feature("share.version", 1),
        RegisterControllerRecord { controller_id: 1, ..RegisterControllerRecord::default() }.into(),
        broker(1, vec![DIRECTORY_ID]),
        TopicRecord { name: "words".into(), topic_id: TOPIC_ID.0, ..TopicRecord::default() }.into(),
        partition(vec![1], vec![1]),
        config("retention.ms", "7000"),
    ]
}

fn metadata_log(records: &[MetadataRecord]) -> Vec<u8> {
    let mut builder = BatchBuilder::new().base_offset(Offset::ZERO).leader_epoch(LeaderEpoch(1));
    for record in records {
        let mut framed = BytesMut::new();
        encode_framed(record, record.highest_version(), &mut framed).expect("a whole record");
        builder.append(0, None, Some(&framed), &[]);
    }
    builder.build().to_vec()
}

/// A directory as path and content.
fn files(records: &[MetadataRecord]) -> BTreeMap<&'static str, Vec<u8>> {
    let topic_id = format!("version: 0\ntopic_id: {TOPIC_ID}");
    let mut files: BTreeMap<&'static str, Vec<u8>> = [
        ("meta.properties", PROPERTIES),
        (".kafka_cleanshutdown", "{\"version\":0,\"brokerEpoch\":8}"),
        (".lock", ""),
        ("recovery-point-offset-checkpoint", "0\n1\nwords 0 12\n"),
        ("__cluster_metadata-0/quorum-state", QUORUM),
        ("words-0/partition.metadata", &topic_id),
        ("words-0/00000000000000000000.log", "the records, which nobody looks at"),
        ("words-0/00000000000000000000.index", ""),
        ("words-0/00000000000000000009.log.deleted", "gone"),
        ("gone-0.4bd6a1c1b2f94e7ab9f0dbf1b0a3f8c1-delete/00000000000000000000.log", "gone"),
    ]
    .map(|(path, text)| (path, text.as_bytes().to_vec()))
    .into();
    files.insert(METADATA_LOG, metadata_log(records));
    files
}

fn put(disk: &dyn Disk, dir: &str, files: &BTreeMap<&'static str, Vec<u8>>) {
    for (path, bytes) in files {
        let path = Path::new(dir).join(path);
        let folder = path.parent().expect("a folder");
        disk.create_dir_all(folder).expect("made");
        disk.write_atomically(&path, bytes).expect("written");
        for folder in path.ancestors().skip(1) {
            disk.sync_dir(folder).expect("synced");
        }
    }
}

fn plan() -> Plan {
    Plan { sources: vec![KAFKA.into()], data_dirs: vec![OURS.into()], check_only: false }
}

fn served(name: &str) -> i16 {
    match name {
        "metadata.version" => 30,
        "transaction.version" => 2,
        _ => 0,
    }
}

fn run(disk: &dyn Disk) -> Result<String, Refusal> {
    adopt(disk, &plan(), served)
}

/// All files below a folder.
fn tree(disk: &dyn Disk, dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in disk.read_dir(&folder).expect("a folder") {
            let path = folder.join(&entry.name);
            if entry.is_dir {
                waiting.push(path);
            } else {
                found.insert(
                    path.strip_prefix(dir).expect("below").to_owned(),
                    disk.read(&path).expect("read"),
                );
            }
        }
    }
    found
}

/// What must be there in the end.
fn expected() -> BTreeMap<PathBuf, Vec<u8>> {
    let left = |path: &str| path == ".lock" || path.ends_with(".deleted") || path.contains("-delete/");
    files(&records()).into_iter().filter(|(path, _)| !left(path)).map(|(p, b)| (p.into(), b)).collect()
}

fn refused(change: impl FnOnce(&mut BTreeMap<&'static str, Vec<u8>>)) -> Refusal {
    let disk = MemoryDisk::new();
    let mut files = files(&records());
    change(&mut files);
    put(&disk, KAFKA, &files);
    let before = tree(&disk, Path::new(KAFKA));
    let refusal = run(&disk).expect_err("a refusal");
    assert_eq!(tree(&disk, Path::new(KAFKA)), before);
    assert!(!disk.exists(Path::new(OURS)), "{refusal}");
    refusal
}

fn refused_with(more: MetadataRecord) -> Refusal {
    refused(|files| {
        let mut records = records();
        records.push(more);
        files.insert(METADATA_LOG, metadata_log(&records));
    })
}

#[test]
fn a_stopped_kafka_is_copied_and_left_as_it_was() {
    let disk = MemoryDisk::new();
    put(&disk, KAFKA, &files(&records()));
    let before = tree(&disk, Path::new(KAFKA));
    let check = Plan { data_dirs: Vec::new(), check_only: true, ..plan() };
    let told = adopt(&disk, &check, served).expect("it can be taken over");
    assert!(told.contains("1 topics with 1 partitions"), "{told}");
    assert!(!disk.exists(Path::new(OURS)));
    let told = run(&disk).expect("taken over");
    assert!(told.contains("share.version 1; the first start lowers it to 0"), "{told}");
    assert!(told.contains("-delete (deleted)"), "{told}");
    assert!(told.contains("node.id=1 and log.dirs=/ours/data"), "{told}");
    assert_eq!(tree(&disk, Path::new(OURS)), expected());
    assert_eq!(tree(&disk, Path::new(KAFKA)), before);
    assert_eq!(refuse_unfinished(&disk, &[OURS.into()]), Ok(()));
    assert!(matches!(run(&disk), Err(Refusal::NotEmpty { .. })));
}

#[test]
fn quotas_come_along_and_tokens_are_told() {
    let disk = MemoryDisk::new();
    let mut records = records();
    records
        .push(ClientQuotaRecord { key: "producer_byte_rate".into(), ..ClientQuotaRecord::default() }.into());
    records.push(DelegationTokenRecord::default().into());
    put(&disk, KAFKA, &files(&records));
    let told = run(&disk).expect("taken over");
    assert!(told.contains("1 delegation tokens come along") && !told.contains("quota"), "{told}");
}

#[test]
fn what_is_no_directory_of_a_stopped_kafka_is_refused() {
    assert!(matches!(refused(|files| drop(files.remove("meta.properties"))), Refusal::NotKafka(_)));
    let old = "version=0\nbroker.id=1\ncluster.id=x\n";
    let refusal = refused(|files| drop(files.insert("meta.properties", old.into())));
    assert!(matches!(refusal, Refusal::Properties { .. }));
    assert!(matches!(
        refused(|files| drop(files.remove(".kafka_cleanshutdown"))),
        Refusal::NotCleanlyStopped(_)
    ));
    let refusal = refused(|files| files.retain(|path, _| !path.starts_with("__cluster_metadata")));
    assert!(matches!(refusal, Refusal::NoMetadata));
    let refusal = refused(|files| drop(files.remove(METADATA_LOG)));
    assert!(refusal.to_string().ends_with("the cluster was never started"), "{refusal}");
    let refusal = refused(|files| files.get_mut(METADATA_LOG).expect("the log")[40] ^= 1);
    assert!(refusal.to_string().contains("is damaged at byte 0"), "{refusal}");
    let refusal = refused(|files| drop(files.insert("words-0/00000000000000000000.log.swap", Vec::new())));
    assert!(matches!(refusal, Refusal::HalfSwapped(_)));
}

#[test]
fn more_than_one_node_is_refused() {
    let refusal = refused_with(broker(2, Vec::new()));
    assert!(refusal.to_string().contains("other brokers than node 1: 2;"), "{refusal}");
    let controller = RegisterControllerRecord { controller_id: 5, ..RegisterControllerRecord::default() };
    assert!(matches!(refused_with(controller.into()), Refusal::OtherNodes { what: "controllers", .. }));
    let voters = QUORUM.replace("[{\"voterId\":1}]", "[{\"voterId\":1},{\"voterId\":9}]");
    let refusal =
        refused(|files| drop(files.insert("__cluster_metadata-0/quorum-state", voters.into_bytes())));
    assert!(refusal.to_string().contains("other voters in its quorum than node 1: 9;"), "{refusal}");
    let refusal = refused_with(partition(vec![1, 2], vec![1]));
    assert!(refusal.to_string().starts_with("words-0 has its replicas on 1, 2,"), "{refusal}");
    assert!(matches!(refused_with(partition(vec![1], Vec::new())), Refusal::NoLeader(_)));
}

#[test]
fn what_this_release_does_not_know_is_refused_by_name() {
    let refusal = refused_with(feature("metadata.version", 31));
    assert!(refusal.to_string().starts_with("metadata.version is finalized at 31"), "{refusal}");
    assert!(matches!(refused_with(feature("metadata.version", 6)), Refusal::FeatureLevel { .. }));
    assert!(matches!(refused_with(feature("queues.of.cats", 1)), Refusal::FeatureUnknown { .. }));
    assert!(matches!(refused_with(config("remote.storage.enable", "true")), Refusal::RemoteStorage(_)));
    let refusal = refused(|files| {
        let mut builder = BatchBuilder::new().base_offset(Offset::ZERO);
        builder.append(0, None, Some(&[1, 99, 0, 0]), &[]);
        files.insert(METADATA_LOG, builder.build().to_vec());
    });
    assert!(refusal.to_string().ends_with("no record with the API key 99"), "{refusal}");
}

#[test]
fn every_log_directory_and_every_partition_must_be_there() {
    let other = uuid_of(4);
    let refusal = refused_with(broker(1, vec![DIRECTORY_ID, other]));
    assert!(refusal.to_string().ends_with(&format!("directory.id {}", TopicId(other))), "{refusal}");
    let refusal = refused(|files| files.retain(|path, _| !path.starts_with("words-0")));
    assert!(refusal.to_string().starts_with("words-0 is in none"), "{refusal}");
    let wrong = "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAACQ";
    let refusal = refused(|files| drop(files.insert("words-0/partition.metadata", wrong.into())));
    assert!(matches!(refusal, Refusal::PartitionMissing(_)));
}

#[test]
fn two_directories_go_to_two() {
    let disk = MemoryDisk::new();
    let second_id = uuid_of(4);
    let mut records = records();
    records.push(broker(1, vec![DIRECTORY_ID, second_id]));
    let mut first = files(&records);
    let words: BTreeMap<&'static str, Vec<u8>> =
        first.iter().filter(|(path, _)| path.starts_with("words-0")).map(|(p, b)| (*p, b.clone())).collect();
    first.retain(|path, _| !path.starts_with("words-0"));
    let mut second = words;
    let properties = PROPERTIES.replace("AAAAAAAAAAAAAAAAAAAAAw", &TopicId(second_id).to_string());
    second.insert("meta.properties", properties.into_bytes());
    put(&disk, "/k1", &first);
    put(&disk, "/k2", &second);
    let two = |sources: [&str; 2]| Plan {
        sources: sources.map(PathBuf::from).to_vec(),
        data_dirs: vec!["/o1".into(), "/o2".into()],
        check_only: false,
    };
    assert!(matches!(adopt(&disk, &two(["/k1", "/k2"]), served), Err(Refusal::NotCleanlyStopped(_))));
    second.insert(".kafka_cleanshutdown", Vec::new());
    put(&disk, "/k2", &second);
    let one = Plan { sources: vec!["/k1".into()], ..plan() };
    assert!(matches!(adopt(&disk, &one, served), Err(Refusal::DirectoryMissing(_))));
    let counts = Plan { data_dirs: vec![OURS.into()], ..two(["/k1", "/k2"]) };
    assert!(matches!(adopt(&disk, &counts, served), Err(Refusal::Counts { .. })));
    let inside = Plan { data_dirs: vec!["/k1/x".into(), "/o2".into()], ..two(["/k1", "/k2"]) };
    assert!(matches!(adopt(&disk, &inside, served), Err(Refusal::Overlap(..))));
    adopt(&disk, &two(["/k1", "/k2"]), served).expect("taken over");
    assert!(disk.exists(Path::new("/o2/words-0/00000000000000000000.log")));
    assert!(disk.exists(Path::new("/o1/__cluster_metadata-0/quorum-state")));
    assert!(!disk.exists(Path::new("/o1/words-0")));
}

/// The process or the machine dies after each change in turn: a broker does not start on what is left
/// unless it is whole, and the next adoption makes it whole.
#[test]
fn a_crash_leaves_what_can_be_done_again() {
    let mut whole_at_once = false;
    for changes in 0.. {
        let disk = FaultyDisk::new(changes);
        put(&disk, KAFKA, &files(&records()));
        let before = tree(&disk, Path::new(KAFKA));
        disk.die_after(changes);
        whole_at_once = run(&disk).is_ok();
        if changes % 2 == 0 {
            disk.kill()
        } else {
            disk.lose_power()
        }
        let ours = Path::new(OURS);
        let may_start = refuse_unfinished(&disk, &[OURS.into()]).is_ok();
        let has_data = disk.exists(&ours.join("meta.properties"));
        if may_start && has_data {
            assert_eq!(tree(&disk, ours), expected(), "after {changes} changes");
        } else {
            run(&disk).unwrap_or_else(|refusal| panic!("after {changes} changes: {refusal}"));
            assert_eq!(tree(&disk, ours), expected(), "after {changes} changes");
        }
        assert!(!disk.exists(&ours.join(MARKER)));
        assert_eq!(tree(&disk, Path::new(KAFKA)), before);
        if whole_at_once {
            break;
        }
    }
    assert!(whole_at_once);
}

#[test]
fn a_full_device_and_a_held_lock_are_told_before_anything_is_copied() {
    let files = files(&records());
    let bytes: usize = files.values().map(Vec::len).sum();
    let disk = MemoryDisk::with_room(bytes as u64 * 3 / 2);
    put(&disk, KAFKA, &files);
    assert!(matches!(run(&disk), Err(Refusal::NoRoom { .. })));
    assert!(!disk.exists(&Path::new(OURS).join(MARKER)));
    let disk = MemoryDisk::new();
    put(&disk, KAFKA, &files);
    disk.create_dir_all(Path::new(OURS)).expect("made");
    let held = disk.lock(&Path::new(OURS).join(".lock")).expect("free");
    assert!(matches!(run(&disk), Err(Refusal::Locked(_))));
    drop(held);
    run(&disk).expect("taken over");
}
