//! A move step by step, with what else happens to a log between two steps.
//! Shell.

use std::path::PathBuf;
use std::sync::Arc;

use ottla_env::Env;
use ottla_env::memory::{MemoryClock, MemoryDisk, NoNet, SeededRng, ThreadTasks};
use ottla_model::{LeaderEpoch, Offset, TopicId, TopicPartition};
use ottla_records::BatchBuilder;

use super::*;
use crate::append::AppendOrigin;
use crate::config::{LogConfig, LogManagerSettings};
use crate::manager::LogManager;
use crate::read::ReadLimits;

const NOW: i64 = 1_700_000_000_000;

fn world() -> (Arc<LogManager>, Arc<UnifiedLog>, Arc<LogDir>) {
    let env = Env {
        clock: Arc::new(MemoryClock::new(NOW)),
        disk: Arc::new(MemoryDisk::new()),
        net: Arc::new(NoNet),
        rng: Arc::new(SeededRng::new(1)),
        tasks: Arc::new(ThreadTasks),
    };
    let settings = LogManagerSettings {
        flusher_threads: 0,
        is_background_on: false,
        reserve_bytes: 4096,
        recovery_threads: 1,
        ..LogManagerSettings::default()
    };
    let dirs = vec![PathBuf::from("/a"), PathBuf::from("/b")];
    let (manager, _) = LogManager::open(env, dirs.clone(), settings).expect("opens");
    let config = LogConfig { segment_bytes: 4000, ..LogConfig::default() };
    let partition = TopicPartition::parse("t-0").expect("a partition");
    let log = manager.get_or_create(&partition, TopicId::ZERO, Arc::new(config)).expect("a log");
    let to = dirs.iter().find(|dir| **dir != log.dir()).and_then(|dir| manager.dir_at(dir)).expect("another");
    (manager, log, to)
}

fn append(log: &Arc<UnifiedLog>, numbers: std::ops::Range<i64>, word: &str) {
    for number in numbers {
        let mut batch = BatchBuilder::new();
        batch.append(NOW, None, Some(format!("{number:0300}{word}").as_bytes()), &[]);
        let info = log.append(batch.build(), LeaderEpoch(0), AppendOrigin::Client, NOW).expect("stored");
        assert_eq!(info.base_offset, Offset(number));
    }
}

fn content(log: &UnifiedLog) -> Vec<u8> {
    let (mut from, mut bytes) = (log.log_start_offset(), Vec::new());
    while from < log.log_end_offset() {
        let limits = ReadLimits { max_bytes: 1 << 20, bound: log.log_end_offset(), min_one_batch: true };
        let slice = log.read(from, limits).expect("readable");
        bytes.extend_from_slice(&slice.read_bytes().expect("readable"));
        from = slice.next_offset;
    }
    bytes
}

/// Copies until the writer may be made to wait, does something to the log, and ends the move.
fn with_a_change(change: impl FnOnce(&Arc<UnifiedLog>)) {
    let (manager, log, to) = world();
    append(&log, 0..100, "first");
    let mut moving = Relocation::begin(log.clone(), to.clone(), Arc::default()).expect("begun");
    while moving.step().expect("copied") != Step::CaughtUp {}
    change(&log);
    let (bytes, start, end) = (content(&log), log.log_start_offset(), log.log_end_offset());
    while !moving.finish().expect("moved") {
        while moving.step().expect("copied") != Step::CaughtUp {}
    }
    assert_eq!((log.dir().as_path(), content(&log) == bytes), (to.path(), true));
    let disk = log.shared.env.disk.clone();
    let files = |suffix: &str| {
        let names = disk.read_names(&log.place().folder).expect("a folder");
        names.iter().filter(|name| name.text.ends_with(suffix)).count()
    };
    assert_eq!(files(".log"), log.segment_count(), "a copy of what was removed stays behind");
    log.close().expect("closed");
    drop(manager);
    // What a start makes of the folder.
    let config = Arc::new(LogConfig::default());
    let found = UnifiedLog::new(log.partition().clone(), to, log.shared.clone(), config, false);
    assert_eq!((found.log_start_offset(), found.log_end_offset()), (start, end));
    assert!(content(&found) == bytes);
}

#[test]
fn what_was_cut_and_written_anew_is_copied_anew() {
    for cut in [5, 40, 95, 99] {
        with_a_change(|log| {
            log.truncate_to(Offset(cut)).expect("cut");
            append(log, cut..120, "again");
        });
    }
}

#[test]
fn what_was_removed_leaves_the_copy() {
    with_a_change(|log| {
        log.on_high_watermark(Offset(100));
        log.delete_records(Offset(60)).expect("removed");
    });
}

#[test]
fn records_that_came_last_are_in_the_copy() {
    with_a_change(|log| append(log, 100..104, "last"));
    with_a_change(|_| {});
}

#[test]
fn a_deleted_partition_ends_its_move() {
    let (manager, log, to) = world();
    append(&log, 0..100, "first");
    let mut moving = Relocation::begin(log.clone(), to.clone(), Arc::default()).expect("begun");
    moving.step().expect("copied");
    manager.delete(log.partition()).expect("deleted");
    assert!(matches!(moving.step(), Err(NotMoved::Deleted)));
    assert!(matches!(moving.finish(), Err(NotMoved::Deleted)));
    moving.discard();
    let left = log.shared.env.disk.read_names(to.path()).expect("a directory");
    assert!(!left.iter().any(|name| name.text.starts_with("t-0")), "{left:?}");
}

#[test]
fn a_file_that_can_not_be_read_is_not_the_new_directory_s_fault() {
    let (_manager, log, to) = world();
    append(&log, 0..100, "first");
    let unreadable = names::segment_file(&log.place().folder, Offset(0), names::TXN_INDEX_SUFFIX);
    log.shared.env.disk.create_dir_all(&unreadable).expect("made");
    let mut moving = Relocation::begin(log.clone(), to.clone(), Arc::default()).expect("begun");
    let failed = loop {
        match moving.step() {
            Ok(step) => assert_ne!(step, Step::CaughtUp, "the index is read before"),
            Err(failed) => break failed,
        }
    };
    let NotMoved::Storage(failure) = failed else { panic!("{failed:?}") };
    assert_eq!((failure.dir, log.is_dir_offline()), (log.dir(), true));
    assert!(to.poisoned().is_none());
}
