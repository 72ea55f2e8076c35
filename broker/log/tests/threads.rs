//! Writers, readers, flushes, retention and deletion at the same time, on real threads.
//! Shell.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;

use bytes::Bytes;
use ottla_env::memory::{MemoryClock, MemoryDisk, NoNet, SeededRng, ThreadTasks};
use ottla_env::{Disk, Env};
use ottla_log::{
    AppendOrigin, CleanupPolicy, FlushListener, LogConfig, LogManager, LogManagerSettings, ReadError,
    ReadLimits, StorageFailure, UnifiedLog,
};
use ottla_model::{LeaderEpoch, Offset, TopicId, TopicPartition};
use ottla_records::{BatchBuilder, batches};

const NOW: i64 = 1_700_000_000_000;

fn manager() -> Arc<LogManager> {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let env = Env {
        clock: Arc::new(MemoryClock::new(NOW)),
        disk,
        net: Arc::new(NoNet),
        rng: Arc::new(SeededRng::new(1)),
        tasks: Arc::new(ThreadTasks),
    };
    let settings =
        // So few files that they are closed and opened again all the time.
        LogManagerSettings { flusher_threads: 2, is_background_on: false, open_files_max: 6, ..LogManagerSettings::default() };
    LogManager::open(env, vec![PathBuf::from("/data")], settings).expect("opens").0
}

fn log_of(manager: &LogManager, name: &str) -> Arc<UnifiedLog> {
    let partition = TopicPartition::parse(name).expect("a partition");
    let config = LogConfig {
        segment_bytes: 20_000,
        retention_ms: -1,
        retention_bytes: 200_000,
        index_interval_bytes: 500,
        ..LogConfig::default()
    };
    manager.get_or_create(&partition, TopicId::METADATA, Arc::new(config)).expect("a log")
}

fn batch(count: usize) -> Bytes {
    let mut builder = BatchBuilder::new();
    for _ in 0..count {
        builder.append(NOW, None, Some(&[7; 40]), &[]);
    }
    builder.build()
}

/// Remembers how far the log is flushed, as a replica does for its high watermark.
struct Watermark(AtomicI64);

impl FlushListener for Watermark {
    fn on_flush(&self, flushed: Result<Offset, StorageFailure>) {
        self.0.fetch_max(flushed.expect("memory does not fail").0, Ordering::AcqRel);
    }
}

/// Reads from the start to the bound, again and again; every answer continues the one before.
fn follow(log: &UnifiedLog, watermark: &Watermark, is_over: &AtomicBool, max_bytes: usize) -> i64 {
    let mut at = 0;
    let mut seen = 0;
    loop {
        let was_over = is_over.load(Ordering::Acquire);
        let bound = watermark.0.load(Ordering::Acquire);
        let limits = ReadLimits { max_bytes, bound: Offset(bound), min_one_batch: true };
        match log.read(Offset(at), limits) {
            Ok(slice) => {
                let bytes = slice.read_bytes().expect("memory");
                for batch in batches(&bytes) {
                    let batch = batch.expect("whole batches");
                    batch.verify_checksum().expect("right");
                    let header = batch.header();
                    assert!(header.base_offset.0 == at || at == 0 || seen == 0, "no hole before {at}");
                    at = header.next_offset().0;
                    assert!(at <= bound, "nothing above the bound {bound}");
                    seen += 1;
                }
                if slice.bytes == 0 && was_over {
                    return at;
                }
            }
            Err(ReadError::OffsetOutOfRange { log_start_offset, .. }) => {
                at = log_start_offset.0;
                seen = 0;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn readers_see_every_flushed_batch_in_order_while_everything_moves() {
    let manager = manager();
    let log = log_of(&manager, "busy-0");
    let watermark = Arc::new(Watermark(AtomicI64::new(0)));
    log.set_flush_listener(Some(watermark.clone()));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = [1, 700, 5_000, 1 << 20]
            .into_iter()
            .map(|max_bytes| {
                let (log, watermark, is_over) = (&log, &watermark, &is_over);
                scope.spawn(move || follow(log, watermark, is_over, max_bytes))
            })
            .collect();
        let writers: Vec<_> = (1..4)
            .map(|count| {
                let log = log.clone();
                scope.spawn(move || {
                    let batch = batch(count);
                    for _ in 0..3_000 {
                        let info = log
                            .append(batch.clone(), LeaderEpoch(0), AppendOrigin::Client, NOW)
                            .expect("stored");
                        log.request_flush(info.last_offset + 1);
                    }
                })
            })
            .collect();
        let retention = scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                log.run_retention(NOW).expect("runs");
                manager.checkpoint();
                thread::yield_now();
            }
        });
        for writer in writers {
            writer.join().expect("a writer");
        }
        let flushed = log.flush().expect("memory");
        watermark.0.fetch_max(flushed.0, Ordering::AcqRel);
        is_over.store(true, Ordering::Release);
        for reader in readers {
            assert_eq!(Offset(reader.join().expect("a reader")), log.log_end_offset());
        }
        retention.join().expect("retention");
    });
    assert_eq!(log.log_end_offset(), Offset(3_000 * 6));
    manager.clean_shutdown();
}

#[test]
fn a_partition_deleted_under_load_harms_nobody() {
    let manager = manager();
    for round in 0..50 {
        let log = log_of(&manager, "gone-0");
        assert_eq!(log.log_end_offset(), Offset(0), "round {round}: a new log is empty");
        thread::scope(|scope| {
            for _ in 0..2 {
                let log = log.clone();
                scope.spawn(move || {
                    let batch = batch(3);
                    while let Ok(info) = log.append(batch.clone(), LeaderEpoch(0), AppendOrigin::Client, NOW)
                    {
                        log.request_flush(info.last_offset + 1);
                        // Whatever it says while the log goes away, it must not take the directory along.
                        let _told = log.delete_records(info.base_offset);
                    }
                });
            }
            while log.log_end_offset() < Offset(30) {
                thread::yield_now();
            }
            assert!(manager.delete(log.partition()).expect("deleted"));
        });
        assert!(manager.dirs()[0].offline.is_none(), "round {round}: {:?}", manager.dirs()[0].offline);
    }
    manager.clean_shutdown();
}

/// Record n: key n modulo 50, value and timestamp n; its offset is n, too.
fn numbered(first: i64, count: i64) -> Bytes {
    let mut builder = BatchBuilder::new();
    for n in first..first + count {
        builder.append(n, Some(&(n % 50).to_be_bytes()), Some(&n.to_be_bytes()), &[]);
    }
    builder.build()
}

/// Reads from the start to the end, again and again, until a pass that began after the last append.
fn follow_cleaned(log: &UnifiedLog, is_over: &AtomicBool, max_bytes: usize) -> usize {
    loop {
        let was_over = is_over.load(Ordering::Acquire);
        let end = log.log_end_offset();
        let (mut from, mut last, mut count) = (Offset(0), -1, 0);
        while from < end {
            let bound = log.log_end_offset();
            let limits = ReadLimits { max_bytes, bound, min_one_batch: true };
            let slice = log.read(from, limits).expect("readable");
            for batch in batches(&slice.read_bytes().expect("memory")) {
                let batch = batch.expect("whole batches");
                batch.verify_checksum().expect("right");
                let mut scratch = Vec::new();
                for record in batch.records(&mut scratch).expect("opens") {
                    let record = record.expect("a record");
                    assert!(record.offset.0 > last, "offsets go back at {}", record.offset);
                    last = record.offset.0;
                    assert_eq!(record.value, Some(&last.to_be_bytes()[..]));
                    count += 1;
                }
            }
            // What is below a bound of before may be gone, for what is above it: then the next look shows more.
            assert!(slice.next_offset > from || slice.bytes == 0, "progress at {from}");
            from = slice.next_offset;
        }
        if was_over {
            assert_eq!(last, end.0 - 1, "the last value is there");
            return count;
        }
    }
}

#[test]
fn readers_of_a_log_that_is_cleaned_never_go_back_and_miss_no_last_value() {
    let manager = manager();
    let partition = TopicPartition::parse("cleaned-0").expect("a partition");
    let config = LogConfig {
        segment_bytes: 5_000,
        index_interval_bytes: 300,
        cleanup_policy: CleanupPolicy { delete: false, compact: true },
        min_cleanable_dirty_ratio: 0.0,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        ..LogConfig::default()
    };
    let log = manager.get_or_create(&partition, TopicId::METADATA, Arc::new(config)).expect("a log");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = [1, 900, 1 << 20]
            .into_iter()
            .map(|max_bytes| {
                let (log, is_over) = (&log, &is_over);
                scope.spawn(move || follow_cleaned(log, is_over, max_bytes))
            })
            .collect();
        let seeker = scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                let end = log.log_end_offset();
                // The last record is never cleaned away.
                if end > Offset(0) {
                    let found = log.offset_for_timestamp(end.0 - 1).expect("readable").expect("there");
                    assert!(found.offset >= end + -1);
                }
                log.run_retention(NOW).expect("runs");
            }
        });
        let cleaner = scope.spawn(|| {
            let mut rounds = 0;
            loop {
                // A last look behind the last append: on a busy machine it may be the first.
                let was_over = is_over.load(Ordering::Acquire);
                rounds += usize::from(manager.clean(NOW).is_some());
                if was_over {
                    return rounds;
                }
            }
        });
        let mut next = 0;
        for round in 0..4_000 {
            let count = 1 + round % 7;
            let stored =
                log.append(numbered(next, count), LeaderEpoch(0), AppendOrigin::Client, NOW).expect("stored");
            assert_eq!(stored.base_offset.0, next);
            next += count;
        }
        is_over.store(true, Ordering::Release);
        assert!(cleaner.join().expect("the cleaner") > 0);
        seeker.join().expect("the seeker");
        for reader in readers {
            assert!(reader.join().expect("a reader") >= 50);
        }
    });
    assert!(manager.dirs()[0].offline.is_none());
    manager.clean_shutdown();
}
