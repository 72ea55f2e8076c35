//! Where offsets are in their files, and how many bytes a limited read counts.
//! Shell.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use ottla_env::memory::{MemoryClock, MemoryDisk, NoNet, SeededRng, ThreadTasks};
use ottla_env::{Disk, Env};
use ottla_log::{
    AppendOrigin, LogConfig, LogManager, LogManagerSettings, Position, ReadError, ReadLimits, ReadSlice,
    UnifiedLog,
};
use ottla_model::{LeaderEpoch, Offset, TopicId, TopicPartition};
use ottla_records::BatchBuilder;

const NOW: i64 = 1_700_000_000_000;

fn open(disk: &Arc<dyn Disk>) -> Arc<LogManager> {
    let env = Env {
        clock: Arc::new(MemoryClock::new(NOW)),
        disk: disk.clone(),
        net: Arc::new(NoNet),
        rng: Arc::new(SeededRng::new(1)),
        tasks: Arc::new(ThreadTasks),
    };
    let settings = LogManagerSettings {
        flusher_threads: 0,
        is_background_on: false,
        recovery_threads: 1,
        ..LogManagerSettings::default()
    };
    LogManager::open(env, vec![PathBuf::from("/data")], settings).expect("opens").0
}

fn log_of(manager: &LogManager, segment_bytes: u64) -> Arc<UnifiedLog> {
    let partition = TopicPartition::parse("t-0").expect("a partition");
    let config = LogConfig { segment_bytes, index_interval_bytes: 1, ..LogConfig::default() };
    let id = TopicId(uuid::Uuid::from_u128(77));
    manager.get_or_create(&partition, id, Arc::new(config)).expect("a log")
}

/// A batch of two records, as long as every other.
fn batch() -> Bytes {
    let mut builder = BatchBuilder::new();
    for value in ["one", "two"] {
        builder.append(NOW, None, Some(value.as_bytes()), &[]);
    }
    builder.build()
}

fn append(log: &Arc<UnifiedLog>) {
    log.append(batch(), LeaderEpoch(0), AppendOrigin::Client, NOW).expect("stored");
}

fn read(log: &UnifiedLog, from: i64, max_bytes: usize, min_one_batch: bool) -> ReadSlice {
    let limits = ReadLimits { max_bytes, bound: log.log_end_offset(), min_one_batch };
    log.read(Offset(from), limits).expect("readable")
}

#[test]
fn an_offset_is_where_its_batch_begins_also_after_a_start() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let one = batch().len() as u64;
    let at = |offset: i64, segment: i64, batches: u64| Position {
        offset: Offset(offset),
        segment: Offset(segment),
        position: batches * one,
    };
    let manager = open(&disk);
    // Three batches fit into a segment.
    let log = log_of(&manager, 3 * one);
    assert_eq!(log.position_of(Offset(0)).expect("known"), at(0, 0, 0));
    for _ in 0..3 {
        append(&log);
    }
    assert_eq!(log.position_of(Offset(6)).expect("known"), at(6, 0, 3), "nothing is rolled yet");
    for _ in 0..80 {
        append(&log);
    }
    let check = |log: &UnifiedLog| {
        for offset in 0..=log.log_end_offset().0 {
            let segment = offset.min(log.log_end_offset().0 - 1) / 6 * 6;
            let expected = at(offset, segment, (offset - segment) as u64 / 2);
            assert_eq!(log.position_of(Offset(offset)).expect("known"), expected);
        }
    };
    check(&log);
    for outside in [-1, 167] {
        let refused = log.position_of(Offset(outside));
        assert!(matches!(refused, Err(ReadError::OffsetOutOfRange { .. })), "{outside}");
    }
    manager.clean_shutdown();
    check(&log_of(&open(&disk), 3 * one));
}

#[test]
fn a_batch_that_a_limit_cuts_off_counts_as_far_as_the_limit() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let one = batch().len();
    let manager = open(&disk);
    let log = log_of(&manager, 3 * one as u64);
    for _ in 0..5 {
        append(&log);
    }
    let read = |from: i64, max_bytes: usize, min_one_batch: bool| {
        let slice = read(&log, from, max_bytes, min_one_batch);
        (slice.bytes, slice.counted_bytes)
    };
    // From inside a batch the whole batch counts; no read goes beyond its segment.
    assert_eq!(read(1, 3 * one, false), (3 * one, 3 * one));
    assert_eq!(read(0, 3 * one + 1, false), (3 * one, 3 * one));
    assert_eq!(read(0, 3 * one - 1, false), (2 * one, 3 * one - 1));
    assert_eq!(read(2, one + 1, true), (one, one + 1));
    assert_eq!(read(2, one, true), (one, one));
    // The first batch comes whole or not at all, and so it counts.
    assert_eq!(read(2, one - 1, true), (one, one));
    assert_eq!(read(2, one - 1, false), (0, 0));
    assert_eq!(read(2, 0, true), (one, one));
    assert_eq!(read(6, 1 << 20, false), (2 * one, 2 * one));
    assert_eq!(read(10, 1 << 20, true), (0, 0));
}
