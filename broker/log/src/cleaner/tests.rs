//! Tests of whole rounds: a log on a disk in memory, cleaned through the manager's interface.
//! Shell.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ottla_env::memory::{FaultyDisk, MemoryClock, NoNet, SeededRng, ThreadTasks};
use ottla_env::{BoxFuture, Clock, Disk, Env, Monotonic, OpenMode};
use ottla_model::{LeaderEpoch, Offset, TopicId, TopicPartition};
use ottla_records::{BatchBuilder, batches};

use super::swap::finish_interrupted;
use crate::{
    AppendOrigin, CleanerSettings, CleanupPolicy, LogConfig, LogManager, LogManagerSettings, ReadData,
    ReadLimits, UnifiedLog,
};

const NOW_MS: i64 = 1_700_000_000_000;
const FOLDER: &str = "/data/t-0";

struct World {
    disk: FaultyDisk,
    manager: Arc<LogManager>,
    log: Arc<UnifiedLog>,
}

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 220,
        cleanup_policy: CleanupPolicy { delete: false, compact: true },
        delete_retention_ms: 1_000,
        ..LogConfig::default()
    }
}

fn open(disk: &FaultyDisk, config: LogConfig, cleaner: CleanerSettings) -> World {
    open_at(disk, config, cleaner, Arc::new(MemoryClock::new(NOW_MS)))
}

fn open_at(disk: &FaultyDisk, config: LogConfig, cleaner: CleanerSettings, clock: Arc<dyn Clock>) -> World {
    let env = Env {
        clock,
        disk: Arc::new(disk.clone()),
        net: Arc::new(NoNet),
        rng: Arc::new(SeededRng::new(1)),
        tasks: Arc::new(ThreadTasks),
    };
    let settings = LogManagerSettings {
        flusher_threads: 0,
        is_background_on: false,
        reserve_bytes: 0,
        cleaner,
        ..LogManagerSettings::default()
    };
    let (manager, _) = LogManager::open(env, vec![PathBuf::from("/data")], settings).expect("opens");
    let partition = TopicPartition::parse("t-0").expect("a partition");
    let log = manager.get_or_create(&partition, TopicId::ZERO, Arc::new(config)).expect("a log");
    World { disk: disk.clone(), manager, log }
}

fn world(config: LogConfig) -> World {
    open(&FaultyDisk::new(1), config, CleanerSettings::default())
}

impl World {
    /// One batch a record; three or so fill a segment.
    fn append(&self, records: &[(&str, Option<&str>)]) {
        for (key, value) in records {
            let mut builder = BatchBuilder::new();
            builder.append(NOW_MS, Some(key.as_bytes()), value.map(str::as_bytes), &[]);
            self.log.append(builder.build(), LeaderEpoch(0), AppendOrigin::Client, NOW_MS).expect("appended");
        }
    }

    /// `key=value` by offset, a tombstone without a value.
    fn contents(&self) -> Vec<String> {
        let (mut from, bound) = (self.log.log_start_offset(), self.log.log_end_offset());
        let mut found = Vec::new();
        while from < bound {
            let limits = ReadLimits { max_bytes: 200, bound, min_one_batch: true };
            let slice = self.log.read(from, limits).expect("readable");
            found.extend(records_in(&slice.read_bytes().expect("readable")));
            assert!(slice.next_offset > from);
            from = slice.next_offset;
        }
        found
    }

    fn names(&self, suffix: &str) -> Vec<String> {
        let entries = self.disk.read_dir(Path::new(FOLDER)).expect("a folder");
        entries.into_iter().map(|entry| entry.name).filter(|name| name.ends_with(suffix)).collect()
    }
}

fn records_in(bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for batch in batches(bytes) {
        let batch = batch.expect("a batch");
        let mut scratch = Vec::new();
        for record in batch.records(&mut scratch).expect("opens") {
            let record = record.expect("a record");
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let value = record.value.map_or(String::new(), text);
            found.push(format!("{}:{}={value}", record.offset, text(record.key.unwrap_or_default())));
        }
    }
    found
}

#[test]
fn the_last_value_of_each_key_stays_and_small_segments_become_one() {
    let world = world(config());
    world.append(&[("a", Some("1")), ("b", Some("1")), ("a", Some("2")), ("a", Some("3"))]);
    world.append(&[("c", Some("1")), ("b", Some("2")), ("a", Some("4")), ("d", Some("1"))]);
    assert_eq!(world.log.segment_count(), 3);
    let stats = world.manager.clean(NOW_MS).expect("it is all dirty");
    assert_eq!((stats.keys, stats.segments_before), (3, 2));
    // The active segment, from 6 on, is not looked at.
    assert_eq!(world.contents(), ["3:a=3", "4:c=1", "5:b=2", "6:a=4", "7:d=1"]);
    assert!(world.names(".cleaned").is_empty() && world.names(".swap").is_empty());
    let checkpoint = world.disk.read(Path::new("/data/cleaner-offset-checkpoint")).expect("written");
    assert_eq!(checkpoint, b"0\n1\nt 0 6\n");
    assert_eq!(world.manager.clean(NOW_MS), None, "nothing was appended since");
    // What is now small goes together.
    world.append(&[("c", Some("2")), ("d", Some("2")), ("e", Some("1")), ("e", Some("2"))]);
    world.append(&[("c", Some("3")), ("d", Some("3")), ("e", Some("3"))]);
    world.log.set_config(Arc::new(LogConfig { segment_bytes: 10_000, ..config() }));
    let stats = world.manager.clean(NOW_MS).expect("more than half is dirty");
    assert_eq!(stats.segments_after, 1, "{stats:?}");
    assert_eq!(world.log.segment_count(), 2);
    let expected = ["5:b=2", "6:a=4", "8:c=2", "9:d=2", "11:e=2", "12:c=3", "13:d=3", "14:e=3"];
    assert_eq!(world.contents(), expected);
}

#[test]
fn a_reader_of_replaced_segments_reads_on() {
    let world = world(config());
    world.append(&[("a", Some("1")), ("a", Some("2")), ("a", Some("3")), ("a", Some("4"))]);
    world.append(&[("b", Some("1"))]);
    let bound = world.log.log_end_offset();
    let slice = world
        .log
        .read(Offset(0), ReadLimits { max_bytes: 1000, bound, min_one_batch: true })
        .expect("readable");
    assert!(matches!(slice.data, ReadData::File { .. }));
    world.manager.clean(NOW_MS).expect("dirty");
    assert_eq!(records_in(&slice.read_bytes().expect("still there")), ["0:a=1", "1:a=2", "2:a=3"]);
    // Where it goes on is a gap now, or the end of it.
    assert_eq!(world.contents(), ["2:a=3", "3:a=4", "4:b=1"]);
}

#[test]
fn an_uncleanable_log_is_left_alone_and_others_are_not() {
    let world = world(config());
    world.append(&[("a", Some("1")), ("a", Some("2")), ("a", Some("3")), ("a", Some("4"))]);
    world.log.flush().expect("flushed");
    world.disk.flip(Path::new("/data/t-0/00000000000000000000.log"), 100, 3);
    let other = world
        .manager
        .get_or_create(&TopicPartition::parse("u-0").expect("a partition"), TopicId::ZERO, Arc::new(config()))
        .expect("a log");
    let good = World { disk: world.disk.clone(), manager: world.manager.clone(), log: other };
    good.append(&[("a", Some("1")), ("a", Some("2")), ("a", Some("3")), ("a", Some("4"))]);
    let cleaned = (0..4).filter(|_| world.manager.clean(NOW_MS).is_some()).count();
    assert_eq!(cleaned, 1, "the good one");
    assert_eq!(good.contents(), ["2:a=3", "3:a=4"]);
    world.append(&[("a", Some("5")), ("a", Some("6")), ("a", Some("7"))]);
    assert_eq!(world.manager.clean(NOW_MS), None);
    assert!(world.manager.dirs()[0].offline.is_none());
    assert!(world.names(".cleaned").is_empty());
}

#[test]
fn keys_that_do_not_fit_take_several_rounds() {
    let settings = CleanerSettings {
        dedupe_buffer_bytes: 24 * 4,
        dedupe_buffer_load_factor: 0.9,
        ..CleanerSettings::default()
    };
    let world = open(&FaultyDisk::new(1), config(), settings);
    for round in 0..3 {
        for key in ["a", "b", "c", "d", "e", "f"] {
            world.append(&[(key, Some(&round.to_string()))]);
        }
    }
    let mut rounds = 0;
    while let Some(stats) = world.manager.clean(NOW_MS) {
        assert!(stats.keys <= 3);
        rounds += 1;
    }
    assert!(rounds > 1);
    let contents = world.contents();
    for key in ["a", "b", "c", "d", "e", "f"] {
        let last = contents.iter().rfind(|record| record.contains(&format!(":{key}="))).expect("a value");
        assert!(last.ends_with("=2"), "{last}");
    }
}

#[test]
fn a_log_that_is_not_compacted_is_not_cleaned_until_it_is() {
    let delete = CleanupPolicy { delete: true, compact: false };
    let world = world(LogConfig { cleanup_policy: delete, ..config() });
    world.append(&[("a", Some("1")), ("a", Some("2")), ("a", Some("3")), ("a", Some("4"))]);
    assert_eq!(world.manager.clean(NOW_MS), None);
    world.log.set_config(Arc::new(config()));
    assert!(world.manager.clean(NOW_MS).is_some());
}

#[test]
fn a_segment_rolls_when_its_first_record_would_wait_too_long() {
    let world = world(LogConfig { max_compaction_lag_ms: 5_000, segment_bytes: 10_000, ..config() });
    let append = |at_ms: i64| {
        let mut builder = BatchBuilder::new();
        builder.append(at_ms, Some(b"a"), Some(b"1"), &[]);
        world.log.append(builder.build(), LeaderEpoch(0), AppendOrigin::Client, at_ms).expect("appended");
    };
    append(NOW_MS);
    append(NOW_MS + 4_000);
    assert_eq!(world.log.segment_count(), 1);
    append(NOW_MS + 5_001);
    assert_eq!(world.log.segment_count(), 2);
}

#[test]
fn a_start_finishes_a_swap_as_kafka_does() {
    let world = world(config());
    world.append(&[("a", Some("1")), ("a", Some("2")), ("a", Some("3")), ("b", Some("1"))]);
    world.append(&[("b", Some("2")), ("b", Some("3")), ("c", Some("1"))]);
    let cleaned = {
        let mut builder = BatchBuilder::new().base_offset(Offset(5));
        builder.append(NOW_MS, Some(b"b"), Some(b"3"), &[]);
        builder.build()
    };
    world.manager.clean_shutdown();
    let disk = world.disk.clone();
    let write = |name: &str, bytes: &[u8]| {
        let file = disk.open(&Path::new(FOLDER).join(name), OpenMode::Truncate).expect("opens");
        file.write_all_at(bytes, 0).expect("written");
    };
    // Segments from 0 and from 3 became one; only the log's file has its second name yet.
    write("00000000000000000000.log.swap", &cleaned);
    write("00000000000000000000.index.cleaned", &[]);
    drop(world);
    let world = open(&disk, config(), CleanerSettings::default());
    assert_eq!(world.contents(), ["5:b=3", "6:c=1"]);
    assert_eq!(world.names(".log"), ["00000000000000000000.log", "00000000000000000006.log"]);
    assert!(world.names(".swap").is_empty() && world.names(".cleaned").is_empty());
    assert!(world.names(".timeindex").contains(&"00000000000000000000.timeindex".to_owned()), "made again");
}

#[test]
fn half_made_files_are_removed_at_the_start() {
    let disk = FaultyDisk::new(1);
    let folder = Path::new("/f");
    disk.create_dir_all(folder).expect("made");
    for name in
        ["00000000000000000007.log.cleaned", "00000000000000000007.index.swap", "00000000000000000007.log"]
    {
        disk.open(&folder.join(name), OpenMode::Create).expect("made");
    }
    let entries = disk.read_names(folder).expect("a folder");
    assert!(finish_interrupted(&disk, folder, &entries).expect("done"));
    let left: Vec<String> =
        disk.read_dir(folder).expect("a folder").into_iter().map(|entry| entry.name).collect();
    assert_eq!(left, ["00000000000000000007.log"]);
    let entries = disk.read_names(folder).expect("a folder");
    assert!(!finish_interrupted(&disk, folder, &entries).expect("done"), "nothing to do");
}

#[test]
fn a_log_with_both_policies_is_compacted_and_loses_what_is_too_old() {
    let both = CleanupPolicy { delete: true, compact: true };
    let config = LogConfig { cleanup_policy: both, retention_ms: 10_000, ..config() };
    let world = world(config.clone());
    world.append(&[("a", Some("1")), ("b", Some("1")), ("a", Some("2")), ("a", Some("3"))]);
    world.append(&[("c", Some("1")), ("a", Some("4")), ("d", Some("1"))]);
    world.log.flush().expect("flushed");
    world.log.on_high_watermark(world.log.log_end_offset());
    world.manager.clean(NOW_MS).expect("it is all dirty");
    let cleaned = ["1:b=1", "4:c=1", "5:a=4", "6:d=1"];
    assert_eq!(world.contents(), cleaned);
    assert_eq!(world.manager.run_retention(NOW_MS + 10_000), 0, "the last values are young");
    assert_eq!(world.contents(), cleaned);
    // Of a compacted log the last values stay however old they are; with both policies they go.
    let compact = CleanupPolicy { delete: false, compact: true };
    world.log.set_config(Arc::new(LogConfig { cleanup_policy: compact, ..config.clone() }));
    assert_eq!(world.manager.run_retention(NOW_MS + 10_001), 0);
    world.log.set_config(Arc::new(config));
    assert!(world.manager.run_retention(NOW_MS + 10_001) > 0);
    assert_eq!(world.contents(), [""; 0]);
    assert_eq!(world.log.log_start_offset(), Offset(7));
}

/// Time passes only by being asked for.
struct AskedClock(MemoryClock);

impl Clock for AskedClock {
    fn wall_ms(&self) -> i64 {
        self.0.wall_ms()
    }

    fn monotonic(&self) -> Monotonic {
        self.0.advance(Duration::from_millis(20));
        self.0.monotonic()
    }

    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        self.0.sleep_until(deadline)
    }
}

#[test]
fn a_cleaner_thread_keeps_to_its_speed() {
    const BYTES_PER_SECOND: u64 = 1_000;
    let cleaner = CleanerSettings {
        threads: 1,
        io_bytes_per_second_max: BYTES_PER_SECOND as f64,
        ..CleanerSettings::default()
    };
    let clean = |is_throttled| {
        let clock = MemoryClock::new(NOW_MS);
        let asked = Arc::new(AskedClock(clock.clone()));
        let world = open_at(&FaultyDisk::new(1), config(), cleaner.clone(), asked);
        for _ in 0..40 {
            world.append(&[("a", Some("1")), ("b", Some("2"))]);
        }
        let (shared, before_ms) = (world.log.shared.clone(), clock.wall_ms());
        let stats = std::thread::scope(|scope| {
            let thread = scope.spawn(|| super::clean_dirtiest(&shared, NOW_MS, is_throttled).expect("dirty"));
            while !thread.is_finished() {
                shared.cleaner.tick(clock.monotonic());
                std::thread::yield_now();
            }
            thread.join().expect("cleaned")
        });
        (stats.mapped_bytes + stats.read_bytes + stats.written_bytes, clock.wall_ms() - before_ms)
    };
    let (bytes, took_ms) = clean(true);
    // For the last segment that was read nobody rests any more.
    let least_ms = (bytes - 220) * 1_000 / BYTES_PER_SECOND;
    assert!(took_ms >= least_ms as i64, "{bytes} bytes in {took_ms} ms");
    assert!(clean(false).1 < took_ms / 10, "who calls the cleaner himself does not wait");
}

#[test]
fn a_new_speed_ends_a_rest() {
    let slow = CleanerSettings { io_bytes_per_second_max: 1.0, ..CleanerSettings::default() };
    let world = open(&FaultyDisk::new(1), config(), slow);
    for _ in 0..40 {
        world.append(&[("a", Some("1")), ("b", Some("2"))]);
    }
    let shared = world.log.shared.clone();
    // No time passes: only the new speed can end the rest.
    let cleaned = std::thread::scope(|scope| {
        let thread = scope.spawn(|| super::clean_dirtiest(&shared, NOW_MS, true));
        while !shared.cleaner.is_resting() {
            std::thread::yield_now();
        }
        world.manager.set_cleaner_settings(CleanerSettings::default());
        thread.join().expect("no panic")
    });
    assert!(cleaned.is_some());
}

#[test]
fn threads_come_and_go_with_the_settings() {
    let settings = |threads| CleanerSettings { threads, ..CleanerSettings::default() };
    let cleaner = super::Cleaner::new(settings(1));
    assert_eq!(cleaner.take_missing_threads(), 1);
    cleaner.set_settings(settings(3));
    assert_eq!(cleaner.take_missing_threads(), 2);
    assert_eq!((cleaner.take_missing_threads(), cleaner.thread_count()), (0, 3));
    cleaner.set_settings(settings(1));
    assert!(!cleaner.wait_for_look() && !cleaner.wait_for_look(), "two end");
    assert_eq!((cleaner.take_missing_threads(), cleaner.thread_count()), (0, 1));
    cleaner.close();
    assert!(!cleaner.wait_for_look());
    cleaner.set_settings(settings(2));
    assert_eq!(cleaner.take_missing_threads(), 0, "nothing begins any more");
}

#[test]
fn what_was_done_is_counted() {
    let world = world(config());
    for _ in 0..10 {
        world.append(&[("a", Some("1")), ("b", Some("2"))]);
    }
    assert_eq!(world.manager.cleaner_figures().rounds, 0);
    assert_eq!(world.manager.cleaner_figures().since_last_run, None);
    let stats = world.manager.clean(NOW_MS).expect("dirty");
    let figures = world.manager.cleaner_figures();
    assert_eq!((figures.rounds, figures.read_bytes), (1, stats.read_bytes));
    assert_eq!((figures.max_dirty_percent, figures.since_last_run), (100.0, Some(Duration::ZERO)));
    assert!(figures.recopy_percent > 0.0 && figures.recopy_percent < 50.0, "{figures:?}");
    assert!(figures.buffer_utilization_percent > 0.0);
    assert_eq!((figures.uncleanable_partitions, figures.uncleanable_bytes), (0, 0));
}

#[test]
fn a_damaged_log_is_counted_until_it_is_deleted() {
    let world = world(config());
    for _ in 0..10 {
        world.append(&[("a", Some("1")), ("b", Some("2"))]);
    }
    world.disk.flip(&Path::new(FOLDER).join("00000000000000000000.log"), 70, 1);
    assert!(world.manager.clean(NOW_MS).is_none());
    let figures = world.manager.cleaner_figures();
    assert_eq!(figures.uncleanable_partitions, 1);
    assert!(figures.uncleanable_bytes > 0);
    world.manager.delete(world.log.partition()).expect("memory");
    assert_eq!(world.manager.cleaner_figures().uncleanable_partitions, 0);
}
