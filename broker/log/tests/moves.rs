//! A log that moves to another directory while it is used.
//! Shell.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ottla_env::memory::{FaultyDisk, MemoryClock, MemoryDisk, NoNet, SeededRng, ThreadTasks};
use ottla_env::{Disk, Env};
use ottla_log::{
    AppendOrigin, LogConfig, LogManager, LogManagerSettings, MoveRefused, OpenError, ReadLimits, UnifiedLog,
};
use ottla_model::{LeaderEpoch, Offset, TopicId, TopicPartition};
use ottla_records::BatchBuilder;

const NOW: i64 = 1_700_000_000_000;
const DIRS: [&str; 2] = ["/a", "/b"];

fn try_open(disk: &Arc<dyn Disk>, seed: u64) -> Result<Arc<LogManager>, OpenError> {
    let env = Env {
        clock: Arc::new(MemoryClock::new(NOW)),
        disk: disk.clone(),
        net: Arc::new(NoNet),
        rng: Arc::new(SeededRng::new(seed)),
        tasks: Arc::new(ThreadTasks),
    };
    let settings = LogManagerSettings {
        flusher_threads: 0,
        is_background_on: false,
        reserve_bytes: 4096,
        recovery_threads: 1,
        ..LogManagerSettings::default()
    };
    LogManager::open(env, DIRS.iter().map(PathBuf::from).collect(), settings).map(|(manager, _)| manager)
}

fn open(disk: &Arc<dyn Disk>) -> Arc<LogManager> {
    try_open(disk, 1).expect("opens")
}

fn partition() -> TopicPartition {
    TopicPartition::parse("t-0").expect("a partition")
}

fn log(manager: &LogManager) -> Arc<UnifiedLog> {
    let config = LogConfig { segment_bytes: 4000, ..LogConfig::default() };
    let id = TopicId(uuid::Uuid::from_u128(7));
    manager.get_or_create(&partition(), id, Arc::new(config)).expect("a log")
}

fn append(log: &Arc<UnifiedLog>, number: i64) {
    let mut batch = BatchBuilder::new();
    batch.append(NOW + number, None, Some(format!("{number:0300}").as_bytes()), &[]);
    let info = log.append(batch.build(), LeaderEpoch(0), AppendOrigin::Client, NOW).expect("stored");
    assert_eq!(info.base_offset, Offset(number));
}

/// The bytes of every batch.
fn content(log: &UnifiedLog) -> Vec<u8> {
    let (mut from, mut bytes) = (log.log_start_offset(), Vec::new());
    while from < log.log_end_offset() {
        let limits = ReadLimits { max_bytes: 1 << 20, bound: log.log_end_offset(), min_one_batch: true };
        let slice = log.read(from, limits).expect("readable");
        bytes.extend_from_slice(&slice.read_bytes().expect("readable"));
        assert!(slice.next_offset > from, "a read goes on");
        from = slice.next_offset;
    }
    bytes
}

/// Waits until nothing moves: the thread that moves logs ends then.
fn settle(manager: &LogManager) {
    while !manager.moves_under_way().is_empty() {
        std::thread::yield_now();
    }
}

fn other(dir: &Path) -> &'static Path {
    if dir == Path::new("/a") { Path::new("/b") } else { Path::new("/a") }
}

#[test]
fn a_log_that_moves_loses_nothing_and_is_whole_after_a_start() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk);
    let moving = log(&manager);
    (0..100).for_each(|number| append(&moving, number));
    let (before, from) = (content(&moving), moving.dir());
    manager.move_log(&partition(), other(&from)).expect("begun");
    settle(&manager);
    assert_eq!(moving.dir(), other(&from));
    assert_eq!(content(&moving), before);
    assert_eq!(moving.flushed_offset(), Offset(100), "what was moved was synced");
    (100..150).for_each(|number| append(&moving, number));
    let (after, segments) = (content(&moving), moving.segment_count());
    assert!(segments > 3, "more than one segment moved: {segments}");
    let names = disk.read_names(&from).expect("a directory");
    assert!(!names.iter().any(|name| name.text.starts_with("t-0")), "nothing stays behind: {names:?}");
    manager.clean_shutdown();
    drop((moving, manager));
    let manager = open(&disk);
    let found = log(&manager);
    assert_eq!((found.dir().as_path(), found.log_end_offset()), (other(&from), Offset(150)));
    assert_eq!(content(&found), after);
}

#[test]
fn appends_and_reads_go_on_while_a_log_moves_to_and_fro() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk);
    let moving = log(&manager);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..8 {
                manager.move_log(&partition(), other(&moving.dir())).expect("begun");
                settle(&manager);
            }
            is_over.store(true, Ordering::Release);
        });
        scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                let end = moving.log_end_offset();
                let from = Offset((end.0 - 30).max(0));
                let limits = ReadLimits { max_bytes: 4096, bound: end, min_one_batch: true };
                let slice = moving.read(from, limits).expect("readable");
                assert!(from == end || slice.next_offset > from);
                moving.aborted_transactions(from, end).expect("readable");
            }
        });
        let mut number = 0;
        while !is_over.load(Ordering::Acquire) {
            if number < 1_500 {
                append(&moving, number);
                number += 1;
            }
        }
        assert!(number > 100, "records came while the log moved: {number}");
    });
    let (bytes, end) = (content(&moving), moving.log_end_offset());
    drop((moving, manager));
    // As after a kill: what is in the page cache is there.
    let found = log(&open(&disk));
    assert_eq!((found.log_end_offset(), content(&found) == bytes), (end, true));
}

#[test]
fn a_cut_and_a_removal_while_a_log_moves_are_in_the_copy() {
    for cut in [5, 40, 95] {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        let manager = open(&disk);
        let moving = log(&manager);
        (0..100).for_each(|number| append(&moving, number));
        let to = other(&moving.dir());
        std::thread::scope(|scope| {
            scope.spawn(|| manager.move_log(&partition(), to).expect("begun"));
            moving.on_high_watermark(Offset(100));
            moving.delete_records(Offset(3)).expect("moved");
            moving.truncate_to(Offset(cut)).expect("cut");
            (cut..120).for_each(|number| append(&moving, number));
        });
        settle(&manager);
        assert_eq!(moving.dir(), to);
        let bytes = content(&moving);
        drop((moving, manager));
        let found = log(&open(&disk));
        assert_eq!((found.log_start_offset(), found.log_end_offset()), (Offset(3), Offset(120)), "cut {cut}");
        assert_eq!(content(&found), bytes);
    }
}

/// Power is lost after so many changes of the disk, and whatever was moved by then gets records. Whether the move
/// was done.
fn lose_power_in_a_move(changes: u64, seed: u64) -> bool {
    let faulty = FaultyDisk::new(seed);
    let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
    let manager = try_open(&disk, seed).expect("opens");
    let moving = log(&manager);
    (0..30).for_each(|number| append(&moving, number));
    moving.flush().expect("synced");
    let from = moving.dir();
    faulty.die_after(changes);
    manager.move_log(&partition(), other(&from)).expect("begun");
    settle(&manager);
    let is_done = moving.dir() != from;
    if is_done {
        faulty.die_after(u64::MAX);
        (30..40).for_each(|number| append(&moving, number));
        moving.flush().expect("synced");
    }
    let (bytes, end) = (content(&moving), moving.log_end_offset());
    drop((moving, manager));
    faulty.lose_power();
    let what = format!("after {changes} changes, seed {seed}");
    let manager = try_open(&disk, seed + 1).unwrap_or_else(|error| panic!("{what}: {error}"));
    settle(&manager);
    let found = log(&manager);
    assert_eq!((found.log_start_offset(), found.log_end_offset()), (Offset(0), end), "{what}");
    assert!(content(&found) == bytes, "{what}");
    let folders = DIRS.iter().filter(|dir| disk.exists(&Path::new(dir).join("t-0"))).count();
    assert_eq!(folders, 1, "{what}");
    is_done
}

/// Everything that was synced is there, once, in one of both directories.
#[test]
fn a_power_loss_at_any_step_of_a_move_loses_nothing_that_was_synced() {
    let (mut changes, mut done) = (0, 0);
    while done < 10 {
        done += u64::from((0..6).all(|seed| lose_power_in_a_move(changes, changes * 100 + seed)));
        changes += 1;
        assert!(changes < 1_000, "the move is never done");
    }
    assert!(changes > 40, "a move has many steps: {changes}");
}

#[test]
fn what_can_not_be_moved_is_refused() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk);
    let unknown = manager.move_log(&partition(), Path::new("/c"));
    assert_eq!(unknown, Err(MoveRefused::UnknownDir("/c".to_owned())));
    let long = TopicPartition::parse(&format!("{}-0", "x".repeat(240))).expect("a partition");
    assert_eq!(manager.move_log(&long, Path::new("/a")), Err(MoveRefused::NameTooLong));
    manager.set_cordoned([1].into());
    assert_eq!(manager.move_log(&partition(), Path::new("/b")), Err(MoveRefused::Cordoned));
    assert_eq!(manager.move_log(&partition(), Path::new("/a")), Ok(()));
    manager.set_cordoned([].into());
    for dir in DIRS {
        // One that is not here yet is made where it was wanted.
        let wanted = TopicPartition::parse(&format!("wanted{}-0", &dir[1..])).expect("a partition");
        manager.move_log(&wanted, Path::new(dir)).expect("remembered");
        let made = manager.get_or_create(&wanted, TopicId::ZERO, Arc::default()).expect("a log");
        assert_eq!(made.dir(), Path::new(dir));
    }
}

#[test]
fn a_partition_that_is_there_twice_stops_the_start() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk);
    append(&log(&manager), 0);
    drop(manager);
    for dir in DIRS {
        disk.create_dir_all(&Path::new(dir).join("t-0")).expect("made");
    }
    let Err(refused) = try_open(&disk, 1) else { panic!("one of both counts") };
    let text = refused.to_string();
    assert!(text.contains("t-0") && text.contains("/a/t-0") && text.contains("/b/t-0"), "{text}");
}
