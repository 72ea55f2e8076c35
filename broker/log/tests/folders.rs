//! Whose folder it is that a start finds.
//! Shell.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ottla_env::memory::{FaultyDisk, MemoryClock, MemoryDisk, NoNet, SeededRng, ThreadTasks};
use ottla_env::tasks::{TaskHandle, ThreadHandle};
use ottla_env::{BoxFuture, Disk, Env, Tasks};
use ottla_log::{AppendOrigin, LogConfig, LogError, LogManager, LogManagerSettings, UnifiedLog};
use ottla_model::{LeaderEpoch, Offset, TopicId, TopicPartition};
use ottla_records::BatchBuilder;

const NOW: i64 = 1_700_000_000_000;

fn open(disk: &Arc<dyn Disk>, dirs: &[&str]) -> Arc<LogManager> {
    open_with(disk, dirs, Arc::new(ThreadTasks))
}

fn open_with(disk: &Arc<dyn Disk>, dirs: &[&str], tasks: Arc<dyn Tasks>) -> Arc<LogManager> {
    let env = Env {
        clock: Arc::new(MemoryClock::new(NOW)),
        disk: disk.clone(),
        net: Arc::new(NoNet),
        rng: Arc::new(SeededRng::new(1)),
        tasks,
    };
    let settings = LogManagerSettings {
        flusher_threads: 0,
        is_background_on: false,
        reserve_bytes: 4096,
        recovery_threads: 1,
        ..LogManagerSettings::default()
    };
    LogManager::open(env, dirs.iter().map(PathBuf::from).collect(), settings).expect("opens").0
}

fn log(manager: &LogManager, name: &str, id: TopicId) -> Result<Arc<UnifiedLog>, LogError> {
    let partition = TopicPartition::parse(name).expect("a partition");
    manager.get_or_create(&partition, id, Arc::new(LogConfig::default()))
}

fn append(log: &Arc<UnifiedLog>) {
    let mut batch = BatchBuilder::new();
    batch.append(NOW, None, Some(b"v"), &[]);
    log.append(batch.build(), LeaderEpoch(0), AppendOrigin::Client, NOW).expect("stored");
}

fn id(number: u128) -> TopicId {
    TopicId(uuid::Uuid::from_u128(number))
}

#[test]
fn a_folder_whose_id_never_reached_the_device_is_nobodys() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk, &["/data"]);
    append(&log(&manager, "t-0", id(7)).expect("a log"));
    drop(manager);
    let path = Path::new("/data/t-0/partition.metadata");
    let written = disk.read(path).expect("there");
    for cut in [0, 5, written.len() - 1] {
        disk.write_atomically(path, &written[..cut]).expect("written");
        let manager = open(&disk, &["/data"]);
        let claimed = log(&manager, "t-0", id(8));
        assert!(matches!(claimed, Err(LogError::InconsistentTopicId { found: TopicId::ZERO, .. })));
    }
    disk.write_atomically(path, &written).expect("written");
    let manager = open(&disk, &["/data"]);
    assert_eq!(log(&manager, "t-0", id(7)).expect("its own").log_end_offset(), Offset(1));
}

#[test]
fn the_log_of_a_follower_that_begins_at_its_leaders_start_is_its_own_after_a_restart() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk, &["/data"]);
    let first = log(&manager, "t-0", id(7)).expect("a log");
    first.truncate_fully_and_start_at(Offset(33)).expect("begins there");
    append(&first);
    manager.clean_shutdown();
    drop((first, manager));
    let found = log(&open(&disk, &["/data"]), "t-0", id(7)).expect("its own");
    assert_eq!((found.log_start_offset(), found.log_end_offset()), (Offset(33), Offset(34)));
}

#[test]
fn a_promised_record_has_its_topics_id_beside_it_after_a_power_loss() {
    for seed in 0..50 {
        let faulty = FaultyDisk::new(seed);
        let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
        let manager = open(&disk, &["/data"]);
        let first = log(&manager, "t-0", id(7)).expect("a log");
        append(&first);
        first.flush().expect("synced");
        faulty.lose_power();
        let found = log(&open(&disk, &["/data"]), "t-0", id(7)).expect("its own");
        assert_eq!((found.log_end_offset(), found.topic_id()), (Offset(1), id(7)), "seed {seed}");
    }
}

#[test]
fn the_metadata_log_stays_in_its_directory_however_the_others_fill() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let dirs = ["/a", "/b"];
    let manager = open(&disk, &dirs);
    let metadata = log(&manager, "__cluster_metadata-0", TopicId::METADATA).expect("a log");
    append(&metadata);
    assert_eq!(metadata.dir(), Path::new("/a"));
    for number in 0..4 {
        append(&log(&manager, &format!("t-{number}"), id(7)).expect("a log"));
    }
    for number in 0..4 {
        let partition = TopicPartition::parse(&format!("t-{number}")).expect("a partition");
        if log(&manager, &format!("t-{number}"), id(7)).expect("there").dir() == Path::new("/b") {
            manager.delete(&partition).expect("deleted");
        }
    }
    drop((metadata, manager));
    for order in [["/a", "/b"], ["/b", "/a"]] {
        let manager = open(&disk, &order);
        let again = log(&manager, "__cluster_metadata-0", TopicId::METADATA).expect("a log");
        assert_eq!((again.dir().as_path(), again.log_end_offset()), (Path::new("/a"), Offset(1)));
    }
}

#[test]
fn a_cordoned_directory_gets_nothing_new_where_another_is_left() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk, &["/a", "/b"]);
    let dir_of = |name: &str| log(&manager, name, id(7)).expect("a log").dir();
    manager.set_cordoned([0].into());
    for number in 0..4 {
        assert_eq!(dir_of(&format!("t-{number}")), Path::new("/b"));
    }
    manager.set_cordoned([0, 1].into());
    for number in 0..6 {
        assert_eq!(dir_of(&format!("u-{number}")), Path::new("/a"), "the first, it has to be somewhere");
    }
    manager.set_cordoned([].into());
    assert_eq!(dir_of("v-0"), Path::new("/b"), "the one with fewest");
}

#[test]
fn a_folder_that_was_set_aside_keeps_its_files_and_is_no_partitions_any_more() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk, &["/data"]);
    append(&log(&manager, "t-0", id(7)).expect("a log"));
    let partition = TopicPartition::parse("t-0").expect("a partition");
    manager.set_aside(&partition).expect("renamed");
    assert!(manager.get(&partition).is_none());
    drop(manager);
    let manager = open(&disk, &["/data"]);
    assert!(manager.logs().is_empty());
    assert_eq!(log(&manager, "t-0", id(8)).expect("another topic's").log_end_offset(), Offset(0));
    let names = disk.read_names(Path::new("/data")).expect("readable");
    let stray = names.iter().find(|name| name.text.ends_with("-stray")).expect("it is kept");
    let files = disk.read_names(&Path::new("/data").join(&stray.text)).expect("readable");
    assert!(files.iter().any(|file| file.text == "00000000000000000000.log"), "{files:?}");
}

#[test]
fn a_closed_log_claims_no_more_room_than_its_bytes() {
    use std::os::unix::fs::MetadataExt;

    let scratch = Scratch::new();
    let disk: Arc<dyn Disk> = Arc::new(ottla_env::real::RealDisk);
    let dir = scratch.0.to_str().expect("a UTF-8 path");
    let manager = open(&disk, &[dir]);
    let written = log(&manager, "t-0", id(7)).expect("a log");
    let value = vec![7; 600 * 1024];
    for _batch in 0..5 {
        let mut batch = BatchBuilder::new();
        batch.append(NOW, None, Some(&value), &[]);
        written.append(batch.build(), LeaderEpoch(0), AppendOrigin::Client, NOW).expect("stored");
    }
    let file = || std::fs::metadata(scratch.0.join("t-0/00000000000000000000.log")).expect("there");
    assert_eq!(file().len(), written.size_bytes(), "room that was found in advance is not length");
    let more_than_needed = file().blocks() * 512;
    written.close().expect("closed");
    assert_eq!(file().len(), written.size_bytes());
    let blocks_bytes = file().blocks() * 512;
    assert!(blocks_bytes <= more_than_needed && blocks_bytes < written.size_bytes() + 64 * 1024);
}

/// A folder of this machine that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        let path = std::env::temp_dir().join(format!("ottla-log-room-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn an_epoch_that_began_before_the_first_record_is_there_after_a_clean_stop() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk, &["/data"]);
    let led = log(&manager, "t-0", id(7)).expect("a log");
    led.assign_epoch(LeaderEpoch(0));
    // What a stop does to a log of which nothing is on the disk.
    led.close().expect("closed");
    append(&led);
    let before = led.leader_epochs();
    assert_eq!(before.len(), 1);
    manager.clean_shutdown();
    drop((led, manager));
    let found = log(&open(&disk, &["/data"]), "t-0", id(7)).expect("its own");
    assert_eq!(found.leader_epochs(), before);
}

/// Counts how often memory is given back.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Tasks for Counting {
    fn spawn(&self, name: &'static str, work: BoxFuture<'static, ()>) -> TaskHandle {
        ThreadTasks.spawn(name, work)
    }

    fn spawn_thread(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) -> ThreadHandle {
        ThreadTasks.spawn_thread(name, work)
    }

    fn give_back_memory(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The background has nothing to do with a log that is gone, whether it was to be flushed or checkpointed.
#[test]
fn nothing_is_kept_of_deleted_logs() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let tasks = Arc::new(Counting::default());
    let manager = open_with(&disk, &["/data"], tasks.clone());
    let given_back = || tasks.0.load(Ordering::Relaxed);
    manager.tick();
    assert_eq!(given_back(), 1, "what the start took");
    for is_flushed in [false, true] {
        let deleted = log(&manager, "t-0", id(7)).expect("a log");
        append(&deleted);
        if is_flushed {
            deleted.flush().expect("on the device");
            manager.tick();
        }
        let kept = Arc::downgrade(&deleted);
        let partition = deleted.partition().clone();
        drop(deleted);
        assert!(manager.delete(&partition).expect("deleted"));
        assert!(kept.upgrade().is_some(), "the background has it on a list");
        manager.tick();
        assert!(kept.upgrade().is_none(), "flushed: {is_flushed}");
    }
    assert_eq!(given_back(), 2, "in the round that flushed the second log no other went");
    manager.tick();
    manager.tick();
    assert_eq!(given_back(), 3, "once, when no more went");
    let unwritten = TopicPartition::parse("u-0").expect("a partition");
    assert!(!manager.delete(&unwritten).expect("deleted"), "there was none");
    manager.tick();
    manager.tick();
    assert_eq!(given_back(), 4);
}
