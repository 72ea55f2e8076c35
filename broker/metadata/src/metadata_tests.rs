//! The room over a disk that counts, loses power, fails and fills up; and over the machine's own.
//! Shell. Tests only.

use std::any::Any;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use ottla_config::BrokerConfig;
use ottla_env::disk::{Entry, Space};
use ottla_env::memory::{Faults, FaultyDisk};
use ottla_env::{Disk, Env, File, OpenMode, memory};
use ottla_log::{LogManager, LogManagerSettings};
use ottla_model::{BrokerId, LeaderEpoch, Offset, PartitionIndex, TopicName};
use ottla_protocol::messages::alter_user_scram_credentials_request::ScramCredentialUpsertion;
use ottla_protocol::messages::create_acls_request::AclCreation;
use ottla_protocol::messages::update_features_request::FeatureUpdateKey;
use ottla_protocol::messages::{
    AlterUserScramCredentialsRequest, CreateAclsRequest, CreateTopicsRequest, DeleteTopicsRequest,
    DescribeQuorumRequest, UpdateFeaturesRequest,
};
use parking_lot::Mutex;

use crate::controller::testing::{IntoStr, features, topic};
use crate::snapshot::SnapshotId;
use crate::{
    CommitError, Delta, Image, ImageListener, Metadata, MetadataOptions, OpenError, OperationError,
    ProducerIdBlock, Registration,
};

pub(crate) const DIR: &str = "/data";

pub(crate) fn options(logs: Option<Arc<LogManager>>) -> MetadataOptions {
    MetadataOptions {
        logs,
        cluster_id: "AAAAAAAAAAAAAAAAAAAAAQ".to_owned(),
        config: BrokerConfig::defaults(),
        features: features(),
        first_users: Vec::new(),
        sync: true,
        unclean_stop: false,
        accept_loss: false,
        quorum: None,
    }
}

/// A world whose disk is given.
pub(crate) fn world(seed: u64, disk: Arc<dyn Disk>) -> Env {
    disk.create_dir_all(Path::new(DIR)).expect("a folder");
    disk.sync_dir(Path::new("/")).expect("a durable folder");
    disk.sync_dir(Path::new(DIR)).expect("a durable folder");
    Env { disk, ..memory::env(seed) }
}

/// The log room over one directory, all its work done by the caller.
pub(crate) fn logs(env: &Env, dir: &Path) -> Arc<LogManager> {
    let settings = LogManagerSettings {
        flusher_threads: 0,
        is_background_on: false,
        recovery_threads: 1,
        reserve_bytes: 4096,
        ..LogManagerSettings::default()
    };
    LogManager::open(env.clone(), vec![dir.to_owned()], settings).expect("the directory opens").0
}

pub(crate) fn open(env: &Env) -> Arc<Metadata> {
    Metadata::open(env, options(Some(logs(env, Path::new(DIR))))).expect("it opens")
}

pub(crate) fn start(env: &Env) -> Arc<Metadata> {
    let metadata = open(env);
    metadata.start(&Registration::default()).expect("it starts");
    metadata
}

/// A start after a kill or a loss of power.
pub(crate) fn open_after_crash(env: &Env, accept_loss: bool) -> Result<Arc<Metadata>, OpenError> {
    let options = options(Some(logs(env, Path::new(DIR))));
    Metadata::open(env, MetadataOptions { unclean_stop: true, accept_loss, ..options })
}

fn start_after_crash(env: &Env) -> Arc<Metadata> {
    let metadata = open_after_crash(env, false).expect("it opens");
    metadata.start(&Registration::default()).expect("it starts");
    metadata
}

pub(crate) fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn request(names: &[&str]) -> CreateTopicsRequest {
    CreateTopicsRequest::default().with_topics(names.iter().map(|name| topic(name, 2, 1)).collect())
}

/// Creates a topic; the code of its answer, or why there is none.
pub(crate) async fn create(metadata: &Metadata, name: &str) -> Result<i16, OperationError> {
    metadata.create_topics(request(&[name])).await.map(|response| response.topics[0].error_code)
}

/// An image without what two starts differ in: offset, leader epoch, this broker's registration.
pub(crate) fn facts(image: &Image) -> Image {
    let mut facts = image.clone();
    facts.offset = Offset::NONE;
    facts.epoch = LeaderEpoch(0);
    facts.brokers.clear();
    facts
}

#[test]
fn a_new_folder_becomes_a_cluster_and_a_restart_finds_it() {
    let env = world(1, Arc::new(FaultyDisk::new(1)));
    let metadata = start(&env);
    let before = run(async {
        assert_eq!(create(&metadata, "a").await, Ok(0));
        assert_eq!(create(&metadata, "b").await, Ok(0));
        assert_eq!(create(&metadata, "a").await, Ok(36));
        let names = DeleteTopicsRequest::default().with_topic_names(vec!["b".into_str().into()]);
        assert!(metadata.delete_topics(names).await.is_ok_and(|r| r.responses[0].error_code == 0));
        let block = metadata.allocate_producer_ids().await;
        assert!(matches!(block, Ok(ProducerIdBlock { first, count: 1000 }) if first.0 == 0));
        metadata.stop().await;
        metadata.image().clone()
    });
    assert_eq!(before.feature_level("metadata.version"), 30);
    assert_eq!(before.broker(BrokerId(1)).map(|broker| broker.fenced), Some(false));

    let again = start(&env);
    let after = again.image().clone();
    assert_eq!(facts(&after), facts(&before));
    assert_eq!(after.leader_epoch(), LeaderEpoch(before.leader_epoch().0 + 1));
    assert!(after.metadata_offset() > before.metadata_offset());
    run(async {
        let block = again.allocate_producer_ids().await;
        assert!(matches!(block, Ok(ProducerIdBlock { first, .. }) if first.0 == 1000));
        let request = DescribeQuorumRequest::default();
        assert_eq!(again.describe_quorum(&request).nodes.len(), 1);
        again.stop().await;
        assert_eq!(create(&again, "late").await, Err(OperationError::Stopping));
    });
}

#[test]
fn acls_and_credentials_survive_a_loss_of_power() {
    let disk = Arc::new(FaultyDisk::new(9));
    let env = world(9, disk.clone());
    let metadata = start(&env);
    let acl = AclCreation::default()
        .with_resource_type(2)
        .with_resource_name("t".into_str())
        .with_resource_pattern_type(4)
        .with_principal("User:a".into_str())
        .with_host("*".into_str())
        .with_operation(3)
        .with_permission_type(2);
    let credential = ScramCredentialUpsertion::default()
        .with_name("a".into_str())
        .with_mechanism(2)
        .with_iterations(4096)
        .with_salt(Bytes::from_static(b"salt"))
        .with_salted_password(Bytes::from_static(b"password"));
    run(async {
        let created = metadata.create_acls(CreateAclsRequest::default().with_creations(vec![acl])).await;
        assert!(created.is_ok_and(|response| response.results[0].error_code == 0));
        let request = AlterUserScramCredentialsRequest::default().with_upsertions(vec![credential]);
        let altered = metadata.alter_user_scram_credentials(request).await;
        assert!(altered.is_ok_and(|response| response.results[0].error_code == 0));
    });
    let before = metadata.image().clone();
    disk.lose_power();
    let after = start_after_crash(&env).image().clone();
    assert_eq!((after.acls().count(), after.acls()), (1, before.acls()));
    assert!(after.scram_credentials().of_user("a").is_some());
    assert_eq!(after.scram_credentials(), before.scram_credentials());
}

#[test]
fn leader_epochs_rise_after_an_unclean_stop_alone() {
    let env = world(2, Arc::new(FaultyDisk::new(2)));
    let metadata = start(&env);
    run(async {
        assert_eq!(create(&metadata, "t").await, Ok(0));
        metadata.stop().await;
    });
    let epoch_after = |unclean_stop: bool| {
        let options = MetadataOptions { unclean_stop, ..options(Some(logs(&env, Path::new(DIR)))) };
        let metadata = Metadata::open(&env, options).expect("it opens");
        let image = metadata.image().clone();
        let partition = image.partition("t", PartitionIndex(1)).expect("a partition");
        (partition.leader, partition.leader_epoch.0)
    };
    assert_eq!(epoch_after(false), (Some(BrokerId(1)), 0));
    assert_eq!(epoch_after(true), (Some(BrokerId(1)), 1));
    assert_eq!(epoch_after(false), (Some(BrokerId(1)), 1));
}

/// Writes down what it hears, and what readers see meanwhile.
struct Recorder {
    name: &'static str,
    seen: Arc<Mutex<Vec<(&'static str, usize)>>>,
}

impl ImageListener for Recorder {
    fn on_image(&self, delta: &Delta, image: &Arc<Image>) {
        if !delta.topics_created.is_empty() {
            self.seen.lock().push((self.name, image.topic_count()));
        }
    }
}

#[test]
fn listeners_have_the_image_before_the_answer_in_their_order() {
    let env = world(3, Arc::new(FaultyDisk::new(3)));
    let metadata = start(&env);
    let seen = Arc::new(Mutex::new(Vec::new()));
    for name in ["first", "second"] {
        metadata.subscribe(Arc::new(Recorder { name, seen: seen.clone() }));
    }
    run(async {
        assert_eq!(create(&metadata, "a").await, Ok(0));
        assert_eq!(*seen.lock(), [("first", 1), ("second", 1)]);
        assert!(metadata.image().topic("a").is_some());
        // A late subscriber gets all that is known as one change.
        metadata.subscribe(Arc::new(Recorder { name: "late", seen: seen.clone() }));
        assert_eq!(seen.lock().last(), Some(&("late", 1)));
        metadata.stop().await;
    });
}

/// Asks for a level of a feature; the code of the answer. An upgrade is 1, a safe downgrade 2.
pub(crate) async fn update_feature(metadata: &Metadata, name: &str, level: i16, upgrade_type: i8) -> i16 {
    let update = FeatureUpdateKey::default()
        .with_feature(name.into_str())
        .with_max_version_level(level)
        .with_upgrade_type(upgrade_type);
    let request = UpdateFeaturesRequest::default().with_feature_updates(vec![update]);
    metadata.update_features(request).await.expect("an answer").error_code
}

#[test]
fn levels_of_features_stay_as_the_operator_left_them() {
    let env = world(11, Arc::new(FaultyDisk::new(11)));
    let on = |env: &Env| {
        let mut options = options(Some(logs(env, Path::new(DIR))));
        let of_transactions = options.features.iter_mut().find(|one| one.name == "transaction.version");
        of_transactions.expect("it is served").finalized = 2;
        let metadata = Metadata::open(env, options).expect("it opens");
        metadata.start(&Registration::default()).expect("it starts");
        metadata
    };
    let levels = |metadata: &Metadata| {
        let image = metadata.image();
        ["metadata.version", "transaction.version", "group.version"].map(|name| image.feature_level(name))
    };
    let first = on(&env);
    assert_eq!(levels(&first), [30, 2, 0]);
    run(async {
        assert_eq!(update_feature(&first, "transaction.version", 0, 2).await, 0);
        assert_eq!(update_feature(&first, "group.version", 1, 1).await, 0);
        first.stop().await;
    });
    // What a new cluster would get is not given to one that is there.
    for _ in 0..2 {
        let again = on(&env);
        assert_eq!(levels(&again), [30, 0, 1]);
        run(again.stop());
    }
}

/// Counts the syncs of log segments.
struct CountingDisk {
    disk: FaultyDisk,
    log_syncs: Arc<AtomicUsize>,
}

struct CountingFile {
    file: Arc<dyn File>,
    syncs: Option<Arc<AtomicUsize>>,
}

impl Disk for CountingDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let file = self.disk.open(path, mode)?;
        let is_log = path.extension().is_some_and(|extension| extension == "log");
        Ok(Arc::new(CountingFile { file, syncs: is_log.then(|| self.log_syncs.clone()) }))
    }
    fn exists(&self, path: &Path) -> bool {
        self.disk.exists(path)
    }
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir_all(path)
    }
    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.disk.read_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_file(path)
    }
    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_dir_all(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_dir(path)
    }
    fn space(&self, path: &Path) -> io::Result<Space> {
        self.disk.space(path)
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        self.disk.lock(path)
    }
}

impl File for CountingFile {
    fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(bytes, position)
    }
    fn write_vectored_all_at(&self, slices: &mut [io::IoSlice<'_>], position: u64) -> io::Result<()> {
        self.file.write_vectored_all_at(slices, position)
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        if let Some(syncs) = &self.syncs {
            syncs.fetch_add(1, Ordering::SeqCst);
        }
        self.file.sync_data()
    }
    fn std_file(&self) -> Option<&std::fs::File> {
        self.file.std_file()
    }
    fn shared_bytes(&self, position: u64, len: usize) -> Option<Bytes> {
        self.file.shared_bytes(position, len)
    }
}

#[test]
fn a_start_syncs_nothing_and_changes_queued_together_share_one_sync() {
    let log_syncs = Arc::new(AtomicUsize::new(0));
    let disk = CountingDisk { disk: FaultyDisk::new(4), log_syncs: log_syncs.clone() };
    let env = world(4, Arc::new(disk));
    let metadata = open(&env);
    run(async {
        let names: Vec<String> = (0..50).map(|index| format!("t{index}")).collect();
        let mut waiting: Vec<_> = names.iter().map(|name| Box::pin(create(&metadata, name))).collect();
        // One poll of each queues its request; nothing is decided before the start.
        for future in &mut waiting {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(future.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(log_syncs.load(Ordering::SeqCst), 0);
        metadata.start(&Registration::default()).expect("it starts");
        for future in waiting {
            assert_eq!(future.await, Ok(0));
        }
        assert_eq!(log_syncs.load(Ordering::SeqCst), 1);
        metadata.stop().await;
    });
}

#[test]
fn a_full_disk_refuses_changes_with_a_text_and_takes_them_again_later() {
    let disk = FaultyDisk::new(5);
    let env = world(5, Arc::new(disk.clone()));
    let metadata = start(&env);
    run(async {
        assert_eq!(create(&metadata, "a").await, Ok(0));
        disk.set_faults(Faults { write_is_full: 1000, ..Faults::default() });
        let refused = create(&metadata, "b").await;
        assert!(matches!(&refused, Err(OperationError::Commit(CommitError::Refused(_)))), "{refused:?}");
        assert!(metadata.image().topic("b").is_none());
        disk.set_faults(Faults::default());
        assert_eq!(create(&metadata, "b").await, Ok(0));
        metadata.stop().await;
    });
    assert_eq!(open(&env).image().topic_count(), 2);
}

#[test]
fn a_failed_sync_poisons_the_log_and_changes_nothing() {
    let disk = FaultyDisk::new(6);
    let env = world(6, Arc::new(disk.clone()));
    let metadata = start(&env);
    run(async {
        assert_eq!(create(&metadata, "a").await, Ok(0));
        disk.set_faults(Faults { sync_fails: 1000, ..Faults::default() });
        for _ in 0..2 {
            let refused = create(&metadata, "b").await;
            assert!(matches!(&refused, Err(OperationError::Commit(CommitError::Poisoned(_)))), "{refused:?}");
            assert!(metadata.image().topic("b").is_none());
            disk.set_faults(Faults::default());
        }
        // What needs no record is still answered.
        assert_eq!(create(&metadata, "a").await, Ok(36));
        metadata.stop().await;
    });
}

#[test]
fn what_was_acknowledged_survives_a_power_loss_and_the_rest_is_whole_or_absent() {
    for seed in 0..150 {
        let disk = FaultyDisk::new(seed);
        let env = world(seed, Arc::new(disk.clone()));
        let mut acknowledged: Vec<String> = Vec::new();
        let mut doubtful: Vec<String> = Vec::new();
        for life in 0..3 {
            let metadata = start_after_crash(&env);
            let image = metadata.image().clone();
            for name in &acknowledged {
                let found = image.topic(name).map(|topic| topic.partitions.len());
                assert_eq!(found, Some(2), "seed {seed}: {name} was acknowledged");
            }
            for topic in image.topics() {
                let is_known = acknowledged.iter().chain(&doubtful).any(|name| *name == topic.name.as_str());
                assert!(is_known && topic.partitions.len() == 2, "seed {seed}: {} is not whole", topic.name);
            }
            run(async {
                for index in 0..(seed % 7) {
                    let name = format!("t{life}-{index}");
                    if index == 3 {
                        disk.set_faults(Faults { sync_fails: 300, write_fails: 300, ..Faults::default() });
                    }
                    match create(&metadata, &name).await {
                        Ok(0) => acknowledged.push(name),
                        _ => doubtful.push(name),
                    }
                }
                disk.set_faults(Faults::default());
            });
            // The power goes while the controller still runs.
            disk.lose_power();
            run(metadata.stop());
        }
        let last = open_after_crash(&env, false).expect("it opens");
        assert_eq!(last.image().feature_level("metadata.version"), 30, "seed {seed}");
    }
}

#[test]
fn the_log_of_apache_kafka_is_taken_over() {
    let disk = FaultyDisk::new(9);
    let env = world(9, Arc::new(disk.clone()));
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kafka-4.3.1/__cluster_metadata-0");
    let folder = Path::new(DIR).join("__cluster_metadata-0");
    disk.create_dir_all(&folder).expect("a folder");
    for name in ["00000000000000000000.log", "quorum-state"] {
        let bytes = std::fs::read(fixture.join(name)).expect("a file of the fixture");
        disk.write_atomically(&folder.join(name), &bytes).expect("written");
    }
    let metadata = start(&env);
    let image = metadata.image().clone();
    let orders = image.topic("orders.v1").expect("the topic");
    assert_eq!((orders.partitions.len(), image.topic_count()), (5, 1));
    assert!(orders.partitions.iter().all(|partition| partition.leader == Some(BrokerId(1))));
    assert_eq!(orders.overrides.get("retention.ms").map(String::as_str), Some("5000"));
    assert_eq!(image.broker_dynamic(None).get("log.retention.ms").map(String::as_str), Some("7000"));
    assert_eq!((image.client_quotas().count(), image.tokens.len()), (1, 0));
    assert!(image.next_producer_id() % 1000 == 0);
    // What Kafka had switched on and this release does not serve is off again.
    let finalized: Vec<(String, i16)> =
        image.finalized_features().map(|(name, level)| (name.to_owned(), level)).collect();
    assert_eq!(
        finalized,
        [
            ("eligible.leader.replicas.version", 1),
            ("group.version", 1),
            ("metadata.version", 30),
            ("transaction.version", 2)
        ]
        .map(|(name, level)| (name.to_owned(), level))
    );
    run(async {
        assert_eq!(create(&metadata, "orders_v1").await, Ok(17));
        assert_eq!(create(&metadata, "new").await, Ok(0));
        metadata.stop().await;
    });
    assert_eq!(facts(open(&env).image().as_ref()), facts(&metadata.image()));
}

#[test]
fn an_ephemeral_broker_needs_no_disk() {
    let env = memory::env(7);
    let metadata = Metadata::open(&env, options(None)).expect("it opens");
    metadata.start(&Registration::default()).expect("it starts");
    run(async {
        assert_eq!(create(&metadata, "a").await, Ok(0));
        let made = metadata.auto_create_topics(vec![TopicName::new("__consumer_offsets")]).await;
        assert!(made.is_ok_and(|response| response.topics[0].num_partitions == 50));
        metadata.stop().await;
    });
    assert_eq!(metadata.image().topic_count(), 2);
}

/// A folder of the machine that goes with the test.
pub(crate) struct Folder(pub PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("ottla-metadata-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The machine's disk, everything else from memory.
pub(crate) fn on_machine() -> Env {
    Env { disk: Arc::new(ottla_env::real::RealDisk), ..memory::env(8) }
}

/// Fills a cluster until a snapshot was taken and the image was stored, then changes it some more.
pub(crate) fn fill(folder: &Folder) -> Arc<Image> {
    let env = on_machine();
    let metadata = Metadata::open(&env, options(Some(logs(&env, &folder.0)))).expect("it opens");
    metadata.set_upkeep_thresholds(60_000, 10_000);
    metadata.start(&Registration::default()).expect("it starts");
    run(async {
        for index in 0..60 {
            assert_eq!(create(&metadata, &format!("t.{index}")).await, Ok(0));
            let wide =
                CreateTopicsRequest::default().with_topics(vec![topic(&format!("wide{index}"), 20, 1)]);
            assert!(metadata.create_topics(wide).await.is_ok());
            if index % 3 == 0 {
                let names = vec![format!("t.{index}").into_str().into()];
                let names = DeleteTopicsRequest::default().with_topic_names(names);
                assert!(metadata.delete_topics(names).await.is_ok());
            }
        }
        metadata.stop().await;
    });
    metadata.image().clone()
}

fn reopened(folder: &Folder) -> Arc<Image> {
    let env = on_machine();
    Metadata::open(&env, options(Some(logs(&env, &folder.0)))).expect("it opens").image().clone()
}

pub(crate) fn files(folder: &Folder, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.0.join("__cluster_metadata-0")).expect("the folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut found: Vec<PathBuf> = paths.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    found.sort();
    found
}

#[test]
fn a_snapshot_stands_for_the_log_before_it() {
    let folder = Folder::new("snapshot");
    let before = fill(&folder);
    let snapshots = files(&folder, ".checkpoint");
    assert!(!snapshots.is_empty());
    let starts = std::fs::read_to_string(folder.0.join("log-start-offset-checkpoint")).expect("log starts");
    let newest = snapshots[snapshots.len() - 1].file_name().and_then(|name| name.to_str()).expect("a name");
    let id = SnapshotId::parse(newest).expect("a snapshot's name");
    assert!(starts.contains(&format!("__cluster_metadata 0 {}", id.end_offset)), "{starts}");
    assert_eq!(facts(&reopened(&folder)), facts(&before));
}

#[test]
fn the_materialised_image_equals_the_replayed_one_and_is_rebuilt_when_damaged() {
    let env = on_machine();
    let folder = Folder::new("store");
    let before = fill(&folder);
    let metadata_folder = folder.0.join("__cluster_metadata-0");
    let empty = || Image::empty(before.cluster_id(), before.controller_id());
    let stored = crate::store::load(&env, &metadata_folder, empty()).expect("a stored image");
    assert!(stored.topic_count() > 0 && stored.metadata_offset() <= before.metadata_offset());
    let wide = stored.topic("wide0").expect("an early topic");
    assert_eq!(Some(wide), before.topic("wide0"));
    // Brought up to date in one step it is the image.
    crate::store::update(&env, &metadata_folder, &before, &crate::store::Touched::Everything)
        .expect("stored");
    assert_eq!(crate::store::load(&env, &metadata_folder, empty()).expect("a stored image"), *before);

    let log = files(&folder, "image.sled")[0].clone();
    for entry in std::fs::read_dir(&log).expect("sled's folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let mut bytes = std::fs::read(&path).expect("a file");
            bytes.iter_mut().step_by(7).for_each(|byte| *byte ^= 0x55);
            std::fs::write(&path, bytes).expect("written");
        }
    }
    assert!(crate::store::load(&env, &metadata_folder, empty()).is_err());
    assert_eq!(facts(&reopened(&folder)), facts(&before));
}
