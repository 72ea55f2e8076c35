//! The log through its interface, on a disk in memory.
//! Shell.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use ottla_env::memory::{Faults, FaultyDisk, MemoryClock, MemoryDisk, NoNet, SeededRng, ThreadTasks};
use ottla_env::{Disk, Env};
use ottla_log::verification::FirstBatch;
use ottla_log::{
    AppendError, AppendInfo, AppendOrigin, ChangeError, LogConfig, LogManager, LogManagerSettings, ReadError,
    ReadLimits, TopicCompression, UnifiedLog,
};
use ottla_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TopicId, TopicPartition};
use ottla_records::{
    BatchBuilder, BatchView, Codec, CompressionType, EndTxnMarker, InvalidKind, TimestampType, batches,
};

const NOW: i64 = 1_700_000_000_000;

fn env_on(disk: Arc<dyn Disk>) -> Env {
    Env {
        clock: Arc::new(MemoryClock::new(NOW)),
        disk,
        net: Arc::new(NoNet),
        rng: Arc::new(SeededRng::new(1)),
        tasks: Arc::new(ThreadTasks),
    }
}

fn settings() -> LogManagerSettings {
    LogManagerSettings {
        flusher_threads: 0,
        is_background_on: false,
        recovery_threads: 1,
        ..LogManagerSettings::default()
    }
}

fn open(disk: &Arc<dyn Disk>) -> Arc<LogManager> {
    LogManager::open(env_on(disk.clone()), vec![PathBuf::from("/data")], settings()).expect("opens").0
}

fn partition() -> TopicPartition {
    TopicPartition::parse("t-0").expect("a partition")
}

fn id() -> TopicId {
    TopicId(uuid::Uuid::from_u128(77))
}

fn log_of(manager: &LogManager, config: LogConfig) -> Arc<UnifiedLog> {
    manager.get_or_create(&partition(), id(), Arc::new(config)).expect("a log")
}

fn batch(values: &[&str]) -> Bytes {
    batch_at(NOW, values)
}

fn batch_at(timestamp: i64, values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new();
    for value in values {
        builder.append(timestamp, Some(b"k"), Some(value.as_bytes()), &[]);
    }
    builder.build()
}

fn append(log: &Arc<UnifiedLog>, records: Bytes) -> Result<AppendInfo, AppendError> {
    log.append(records, LeaderEpoch(0), AppendOrigin::Client, NOW)
}

fn read(log: &UnifiedLog, from: i64, max_bytes: usize) -> Vec<(i64, String)> {
    let limits = ReadLimits { max_bytes, bound: log.log_end_offset(), min_one_batch: true };
    let slice = log.read(Offset(from), limits).expect("readable");
    let bytes = slice.read_bytes().expect("readable");
    let mut records = Vec::new();
    for batch in batches(&bytes) {
        let batch = batch.expect("whole batches");
        batch.verify_checksum().expect("right");
        let mut scratch = Vec::new();
        for record in batch.records(&mut scratch).expect("opens") {
            let record = record.expect("a record");
            let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
            records.push((record.offset.0, value));
        }
    }
    records
}

fn read_all(log: &UnifiedLog) -> Vec<String> {
    let mut values = Vec::new();
    let mut from = log.log_start_offset().0;
    while from < log.log_end_offset().0 {
        let records = read(log, from, 1 << 20);
        from = records.last().expect("progress").0 + 1;
        values.extend(records.into_iter().map(|(_, value)| value));
    }
    values
}

#[test]
fn what_is_appended_is_read_from_any_offset() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk);
    let log = log_of(&manager, LogConfig { segment_bytes: 2_000, ..LogConfig::default() });
    for n in 0..100 {
        let values = [format!("a{n}"), format!("b{n}")];
        let info = append(&log, batch(&[&values[0], &values[1]])).expect("stored");
        assert_eq!((info.base_offset, info.last_offset), (Offset(2 * n), Offset(2 * n + 1)));
    }
    assert!(log.segment_count() > 3);
    assert_eq!(log.log_end_offset(), Offset(200));
    for from in 0..200 {
        let records = read(&log, from, 1);
        assert_eq!(records[0].0, from / 2 * 2, "from {from}");
        assert_eq!(records.len(), 2, "one batch although max_bytes is 1");
    }
    assert_eq!(read_all(&log).len(), 200);
    let end = ReadLimits { max_bytes: 100, bound: Offset(i64::MAX), min_one_batch: true };
    assert_eq!(log.read(Offset(200), end).expect("at the end").bytes, 0);
    assert!(matches!(log.read(Offset(201), end), Err(ReadError::OffsetOutOfRange { .. })));
}

#[test]
fn a_bound_and_a_limit_are_never_passed() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk);
    let log = log_of(&manager, LogConfig { index_interval_bytes: 1, ..LogConfig::default() });
    for n in 0..200 {
        append(&log, batch(&[&format!("value {n}"), "x", "y"])).expect("stored");
    }
    for bound in [1, 2, 3, 4, 299, 300, 301, 599, 600] {
        for from in (0..bound).step_by(7) {
            for max_bytes in [1, 100, 250, 1_000, 1 << 20] {
                let limits = ReadLimits { max_bytes, bound: Offset(bound), min_one_batch: false };
                let slice = log.read(Offset(from), limits).expect("readable");
                assert!(slice.bytes <= max_bytes);
                let bytes = slice.read_bytes().expect("readable");
                let mut end = from / 3 * 3;
                for batch in batches(&bytes) {
                    let header = *batch.expect("whole").header();
                    assert_eq!(header.base_offset.0, end);
                    end = header.next_offset().0;
                }
                assert!(end <= bound, "from {from} bound {bound} max {max_bytes}: {end}");
                if max_bytes == 1 << 20 {
                    assert_eq!(end, (bound / 3 * 3).max(from / 3 * 3));
                }
                if slice.bytes > 0 {
                    assert!(slice.next_offset.0 >= end.min(bound));
                }
            }
        }
    }
}

#[test]
fn everything_is_there_after_a_clean_stop_and_after_a_kill() {
    for is_clean in [true, false] {
        let faulty = FaultyDisk::new(3);
        let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
        let config = LogConfig { segment_bytes: 1_500, ..LogConfig::default() };
        let manager = open(&disk);
        let log = log_of(&manager, config.clone());
        for n in 0..50 {
            log.append(batch(&[&format!("v{n}")]), LeaderEpoch(n / 20), AppendOrigin::Client, NOW)
                .expect("stored");
        }
        let before = (read_all(&log), log.leader_epochs());
        if is_clean {
            manager.clean_shutdown();
        }
        drop((log, manager));
        faulty.kill();
        let (manager, report) =
            LogManager::open(env_on(disk.clone()), vec![PathBuf::from("/data")], settings()).expect("opens");
        assert_eq!(report.dirs[0].was_clean, is_clean);
        let log = log_of(&manager, config);
        assert_eq!((read_all(&log), log.leader_epochs()), before, "clean: {is_clean}");
        assert_eq!(append(&log, batch(&["next"])).map(|info| info.base_offset.0).ok(), None, "fenced epoch");
        let info = log.append(batch(&["next"]), LeaderEpoch(2), AppendOrigin::Client, NOW).expect("stored");
        assert_eq!(info.base_offset, Offset(50));
        assert_eq!(log.topic_id(), id());
    }
}

#[test]
fn a_torn_tail_is_cut_and_flushed_records_stay() {
    let faulty = FaultyDisk::new(4);
    let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
    let manager = open(&disk);
    let log = log_of(&manager, LogConfig::default());
    append(&log, batch(&["kept"])).expect("stored");
    assert_eq!(log.flush().expect("synced"), Offset(1));
    append(&log, batch(&["torn"])).expect("stored");
    drop((log, manager));
    faulty.kill();
    let path = PathBuf::from("/data/t-0/00000000000000000000.log");
    let len = disk.read(&path).expect("there").len();
    faulty.flip(&path, len - 1, 0);
    let manager = open(&disk);
    let log = log_of(&manager, LogConfig::default());
    assert_eq!(read_all(&log), ["kept"]);
    assert_eq!(append(&log, batch(&["again"])).expect("stored").base_offset, Offset(1));
}

#[test]
fn lost_and_damaged_indexes_are_made_again() {
    let faulty = FaultyDisk::new(5);
    let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
    let config = LogConfig { index_interval_bytes: 1, segment_bytes: 3_000, ..LogConfig::default() };
    let manager = open(&disk);
    let log = log_of(&manager, config.clone());
    for n in 0..100 {
        append(&log, batch_at(NOW + n, &[&format!("v{n}")])).expect("stored");
    }
    let before = read_all(&log);
    manager.clean_shutdown();
    drop((log, manager));
    for entry in disk.read_dir(&PathBuf::from("/data/t-0")).expect("there") {
        let path = PathBuf::from("/data/t-0").join(&entry.name);
        if entry.name.ends_with(".index") {
            for byte in (0..entry.len as usize).step_by(3) {
                faulty.flip(&path, byte, 2);
            }
        } else if entry.name.ends_with("index") {
            disk.remove_file(&path).expect("there");
        }
    }
    let manager = open(&disk);
    let log = log_of(&manager, config);
    assert_eq!(read_all(&log), before);
    for n in 0..100 {
        assert_eq!(read(&log, n, 1)[0].1, format!("v{n}"));
        let found = log.offset_for_timestamp(NOW + n).expect("readable").expect("found");
        assert_eq!((found.offset, found.timestamp), (Offset(n), NOW + n));
    }
}

#[test]
fn flipped_bytes_below_the_recovery_point_are_not_served() {
    let faulty = FaultyDisk::new(6);
    let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
    let manager = open(&disk);
    let log = log_of(&manager, LogConfig::default());
    let first = append(&log, batch(&["good"])).expect("stored").bytes;
    append(&log, batch(&["bad"])).expect("stored");
    manager.clean_shutdown();
    drop((log, manager));
    faulty.flip(&PathBuf::from("/data/t-0/00000000000000000000.log"), first + 65, 1);
    let manager = open(&disk);
    let log = log_of(&manager, LogConfig::default());
    assert_eq!(read(&log, 0, 1 << 20), [(0, "good".to_owned())]);
    let limits = ReadLimits { max_bytes: 1 << 20, bound: Offset(2), min_one_batch: true };
    assert!(matches!(log.read(Offset(1), limits), Err(ReadError::Corrupt { .. })));
}

#[test]
fn retries_are_known_again_also_after_a_restart() {
    let disk: Arc<dyn Disk> = Arc::new(FaultyDisk::new(7));
    let manager = open(&disk);
    let log = log_of(&manager, LogConfig::default());
    let numbered = |sequence: i32| {
        let mut builder = BatchBuilder::new().producer(ProducerId(9), ProducerEpoch(0), Sequence(sequence));
        builder.append(NOW, None, Some(b"v"), &[]);
        builder.build()
    };
    for sequence in 0..3 {
        assert!(!append(&log, numbered(sequence)).expect("stored").duplicate);
    }
    let again = append(&log, numbered(1)).expect("known");
    assert!(again.duplicate);
    assert_eq!(again.base_offset, Offset(1));
    assert!(matches!(append(&log, numbered(7)), Err(AppendError::OutOfOrderSequence(_))));
    manager.clean_shutdown();
    drop((log, manager));
    let manager = open(&disk);
    let log = log_of(&manager, LogConfig::default());
    let again = append(&log, numbered(2)).expect("known");
    assert_eq!((again.duplicate, again.base_offset), (true, Offset(2)));
    assert_eq!(append(&log, numbered(3)).expect("stored").base_offset, Offset(3));
    assert_eq!(log.log_end_offset(), Offset(4));
}

#[test]
fn refusals_carry_kafka_s_kinds() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk);
    let config = LogConfig { max_message_bytes: 500, ..LogConfig::default() };
    let log = log_of(&manager, config.clone());
    let kind = |result: Result<AppendInfo, AppendError>| match result {
        Err(AppendError::Invalid(invalid)) => invalid.kind,
        other => panic!("{other:?}"),
    };
    let good = batch(&["v"]);
    let mut bad = good.to_vec();
    *bad.last_mut().expect("bytes") ^= 1;
    assert_eq!(kind(append(&log, bad.into())), InvalidKind::CorruptMessage);
    assert_eq!(kind(append(&log, good.slice(..good.len() - 1))), InvalidKind::InvalidRecord);
    assert_eq!(kind(append(&log, [good.clone(), good.clone()].concat().into())), InvalidKind::InvalidRecord);
    assert_eq!(kind(append(&log, Bytes::new())), InvalidKind::InvalidRecord);
    assert_eq!(kind(append(&log, batch(&[&"x".repeat(600)]))), InvalidKind::MessageTooLarge);
    let late = append(&log, batch_at(NOW + 3_600_001, &["v", "w"]));
    let Err(AppendError::Invalid(invalid)) = late else { panic!("{late:?}") };
    assert_eq!((invalid.kind, invalid.record_errors.len()), (InvalidKind::InvalidTimestamp, 2));
    let control = EndTxnMarker { is_commit: true, coordinator_epoch: 0, timestamp: NOW };
    let control = control.build(ProducerId(1), ProducerEpoch(0));
    assert_eq!(kind(append(&log, control)), InvalidKind::InvalidRecord);
    let mut old = good.to_vec();
    old[16] = 1;
    assert_eq!(kind(append(&log, old.into())), InvalidKind::InvalidRecord);
    let mut compacted = config;
    compacted.cleanup_policy.compact = true;
    log.set_config(Arc::new(compacted));
    let mut keyless = BatchBuilder::new();
    keyless.append(NOW, None, Some(b"v"), &[]);
    assert_eq!(kind(append(&log, keyless.build())), InvalidKind::InvalidRecord);
    assert_eq!(log.log_end_offset(), Offset(0));
}

#[test]
fn the_topic_s_codec_and_clock_are_honoured() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk);
    let config = LogConfig {
        compression: TopicCompression::Codec(Codec::Zstd(3)),
        timestamp_type: TimestampType::LogAppendTime,
        ..LogConfig::default()
    };
    let log = log_of(&manager, config.clone());
    let info = append(&log, batch_at(5, &["v"])).expect("stored");
    assert_eq!(info.log_append_time, NOW);
    log.set_config(Arc::new(LogConfig { compression: TopicCompression::Producer, ..config }));
    append(&log, batch_at(5, &["w"])).expect("stored");
    let limits = ReadLimits { max_bytes: 1 << 20, bound: Offset(2), min_one_batch: true };
    let bytes = log.read(Offset(0), limits).expect("readable").read_bytes().expect("readable");
    let kinds: Vec<_> = batches(&bytes)
        .map(|batch| {
            let batch: BatchView<'_> = batch.expect("whole");
            batch.verify_checksum().expect("right");
            let header = batch.header();
            assert_eq!(header.max_timestamp, NOW);
            assert_eq!(header.attributes.timestamp_type(), TimestampType::LogAppendTime);
            header.attributes.compression().expect("known")
        })
        .collect();
    assert_eq!(kinds, [CompressionType::Zstd, CompressionType::None]);
}

#[test]
fn retention_by_time_and_by_size_removes_whole_old_segments() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk);
    let config = LogConfig { segment_bytes: 500, retention_ms: 1_000, ..LogConfig::default() };
    let log = log_of(&manager, config.clone());
    for n in 0..40 {
        append(&log, batch_at(NOW + n * 100, &["v"])).expect("stored");
    }
    let segments = log.segment_count();
    assert!(log.run_retention(NOW + 3_000).expect("runs") > 0);
    let start = log.log_start_offset();
    assert!(start > Offset(0) && start < Offset(40) && log.segment_count() < segments);
    assert!(matches!(
        log.read(Offset(0), ReadLimits { max_bytes: 1, bound: Offset(40), min_one_batch: true }),
        Err(ReadError::OffsetOutOfRange { .. })
    ));
    log.set_config(Arc::new(LogConfig { retention_ms: -1, retention_bytes: 600, ..config.clone() }));
    log.run_retention(NOW).expect("runs");
    assert!(log.size_bytes() >= 600 && log.size_bytes() < 600 + 500);
    log.set_config(Arc::new(LogConfig { retention_ms: 1, ..config }));
    log.run_retention(NOW + 1_000_000).expect("runs");
    assert_eq!((log.log_start_offset(), log.size_bytes()), (Offset(40), 0));
    assert_eq!(append(&log, batch(&["v"])).expect("stored").base_offset, Offset(40));
}

#[test]
fn deleted_records_stay_deleted_after_a_power_loss() {
    for seed in 0..20 {
        let faulty = FaultyDisk::new(seed);
        let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
        let manager = open(&disk);
        let log = log_of(&manager, LogConfig { segment_bytes: 300, ..LogConfig::default() });
        for n in 0..20 {
            append(&log, batch(&[&format!("v{n}")])).expect("stored");
        }
        log.flush().expect("synced");
        assert_eq!(log.delete_records(Offset(7)).expect("deleted"), Offset(7));
        assert!(matches!(log.delete_records(Offset(21)), Err(ChangeError::OffsetOutOfRange { .. })));
        drop((log, manager));
        faulty.lose_power();
        let manager = open(&disk);
        let log = log_of(&manager, LogConfig::default());
        assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(7), Offset(20)), "seed {seed}");
        assert_eq!(read(&log, 7, 1)[0].1, "v7");
    }
}

#[test]
fn truncation_takes_back_records_epochs_and_producers() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk);
    let log = log_of(&manager, LogConfig { segment_bytes: 400, ..LogConfig::default() });
    for n in 0..30 {
        let mut builder = BatchBuilder::new().producer(ProducerId(1), ProducerEpoch(0), Sequence(n));
        builder.append(NOW, None, Some(format!("v{n}").as_bytes()), &[]);
        log.append(builder.build(), LeaderEpoch(n / 10), AppendOrigin::Client, NOW).expect("stored");
    }
    log.truncate_to(Offset(15)).expect("cut");
    assert_eq!(log.log_end_offset(), Offset(15));
    assert_eq!(read_all(&log).last().map(String::as_str), Some("v14"));
    assert_eq!(log.latest_epoch(), Some(LeaderEpoch(1)));
    assert_eq!(log.producers()[0].1.last_sequence(), Sequence(14));
    assert_eq!(log.end_offset_for_epoch(LeaderEpoch(0)), Some((LeaderEpoch(0), Offset(10))));
    log.truncate_fully_and_start_at(Offset(100)).expect("cut");
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(100), Offset(100)));
    assert_eq!(append(&log, batch(&["v"])).expect("stored").base_offset, Offset(100));
}

#[test]
fn p4_an_epoch_that_began_and_appended_nothing_goes_with_a_truncation_at_the_end() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk);
    let log = log_of(&manager, LogConfig::default());
    append(&log, batch(&["a", "b"])).expect("stored");
    // Two elections in a row, and nothing was appended in either.
    log.assign_epoch(LeaderEpoch(4));
    log.assign_epoch(LeaderEpoch(6));
    assert_eq!(log.latest_epoch(), Some(LeaderEpoch(6)));
    log.truncate_to(Offset(2)).expect("cut");
    assert_eq!(log.latest_epoch(), Some(LeaderEpoch(0)));
    assert_eq!(log.end_offset_for_epoch(LeaderEpoch(0)), Some((LeaderEpoch(0), Offset(2))));
    log.assign_epoch(LeaderEpoch(6));
    log.truncate_to(Offset(9)).expect("behind the end");
    assert_eq!((log.latest_epoch(), log.log_end_offset()), (Some(LeaderEpoch(0)), Offset(2)));
}

#[test]
fn a_follower_s_segments_leave_no_hole_where_its_leader_s_records_are_gone() {
    let faulty = FaultyDisk::new(8);
    let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
    let config = || LogConfig { segment_bytes: 400, ..LogConfig::default() };
    let from_leader = |offset: i64| {
        let mut builder = BatchBuilder::new().base_offset(Offset(offset)).leader_epoch(LeaderEpoch(3));
        builder.append(NOW, None, Some(format!("v{offset}").as_bytes()), &[]);
        builder.build()
    };
    let manager = open(&disk);
    let log = log_of(&manager, config());
    let offsets: Vec<i64> = (0..30).map(|n| n * 7).collect();
    for offset in &offsets {
        log.append_as_follower(from_leader(*offset), NOW).expect("stored");
    }
    assert!(log.segment_count() > 3);
    let expected: Vec<String> = offsets.iter().map(|offset| format!("v{offset}")).collect();
    assert_eq!(read_all(&log), expected);
    drop((log, manager));
    faulty.kill();
    let manager = open(&disk);
    let log = log_of(&manager, config());
    assert_eq!(read_all(&log), expected, "what a start found");
    assert_eq!((log.log_end_offset(), log.latest_epoch()), (Offset(29 * 7 + 1), Some(LeaderEpoch(3))));
}

#[test]
fn a_log_that_begins_anew_before_its_start_does_so_after_a_restart_too() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk);
    let log = log_of(&manager, LogConfig::default());
    append(&log, batch(&["a", "b", "c", "d"])).expect("stored");
    log.on_high_watermark(Offset(4));
    log.delete_records(Offset(3)).expect("below the high watermark");
    log.truncate_to(Offset(1)).expect("cut");
    append(&log, batch(&["x"])).expect("stored");
    manager.clean_shutdown();
    drop((log, manager));
    let manager = open(&disk);
    let log = log_of(&manager, LogConfig::default());
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(1), Offset(2)));
    assert_eq!(read_all(&log), ["x"]);
}

#[test]
fn transactions_hold_the_stable_offset_and_leave_an_index_of_aborts() {
    let faulty = FaultyDisk::new(8);
    let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
    let manager = open(&disk);
    let log = log_of(&manager, LogConfig::default());
    let data = |sequence: i32| {
        let mut builder =
            BatchBuilder::new().transactional().producer(ProducerId(5), ProducerEpoch(0), Sequence(sequence));
        builder.append(NOW, None, Some(b"v"), &[]);
        builder.build()
    };
    append(&log, batch(&["plain"])).expect("stored");
    let first = data(0);
    assert!(
        matches!(append(&log, first.clone()), Err(AppendError::InvalidTxnState(_))),
        "nobody verified it"
    );
    let header = *BatchView::first(&first).expect("a batch").header();
    let verification = log.begin_verification(&FirstBatch::of(&header, false), NOW);
    let origin = AppendOrigin::verified_client(verification);
    log.append(first, LeaderEpoch(0), origin, NOW).expect("stored");
    assert!(log.has_ongoing_transaction(ProducerId(5)));
    assert_eq!(log.last_stable_offset(Offset(2)), Offset(1));
    let marker = EndTxnMarker { is_commit: false, coordinator_epoch: 0, timestamp: NOW };
    let marker = marker.build(ProducerId(5), ProducerEpoch(0));
    log.append(marker, LeaderEpoch(0), AppendOrigin::Coordinator, NOW).expect("stored");
    log.on_high_watermark(Offset(3));
    assert_eq!(log.last_stable_offset(Offset(3)), Offset(3));
    let aborted = log.aborted_transactions(Offset(0), Offset(3)).expect("readable");
    assert_eq!((aborted[0].first_offset, aborted[0].last_offset), (Offset(1), Offset(2)));
    drop((log, manager));
    // Killed: the state is built again from the batches.
    faulty.kill();
    disk.remove_file(&PathBuf::from("/data/t-0/00000000000000000000.txnindex")).expect("there");
    let manager = open(&disk);
    let log = log_of(&manager, LogConfig::default());
    assert_eq!(log.aborted_transactions(Offset(0), Offset(3)).expect("readable"), aborted);
    assert!(!log.has_ongoing_transaction(ProducerId(5)));
}

#[test]
fn a_full_disk_refuses_and_recovers_without_a_restart() {
    let faulty = FaultyDisk::new(9);
    let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
    let manager = open(&disk);
    let log = log_of(&manager, LogConfig::default());
    append(&log, batch(&["before"])).expect("stored");
    faulty.set_faults(Faults { write_is_full: 1000, ..Faults::default() });
    for _ in 0..3 {
        let refused = append(&log, batch(&["refused"]));
        assert!(
            matches!(&refused, Err(AppendError::NoSpace(text)) if text.contains("no space")),
            "{refused:?}"
        );
    }
    assert_eq!(read_all(&log), ["before"]);
    faulty.set_faults(Faults::default());
    assert_eq!(append(&log, batch(&["after"])).expect("room again").base_offset, Offset(1));
    assert_eq!(read_all(&log), ["before", "after"]);
}

#[test]
fn a_failed_sync_takes_the_directory_offline_and_reads_go_on() {
    let faulty = FaultyDisk::new(10);
    let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
    let manager = open(&disk);
    let log = log_of(&manager, LogConfig::default());
    append(&log, batch(&["v"])).expect("stored");
    faulty.set_faults(Faults { sync_fails: 1000, ..Faults::default() });
    assert!(log.flush().is_err());
    faulty.set_faults(Faults::default());
    assert!(log.flush().is_err(), "never tried again");
    assert!(matches!(append(&log, batch(&["w"])), Err(AppendError::Storage(_))));
    assert_eq!(read_all(&log), ["v"]);
    assert!(manager.dirs()[0].offline.is_some());
}

#[test]
fn a_deleted_partition_is_gone_and_its_name_is_free() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk);
    let log = log_of(&manager, LogConfig::default());
    for _ in 0..3 {
        append(&log, batch(&["v"])).expect("stored");
    }
    log.delete_records(Offset(2)).expect("deleted");
    assert!(manager.delete(&partition()).expect("deleted"));
    assert!(matches!(append(&log, batch(&["v"])), Err(AppendError::Deleted)));
    assert!(manager.get(&partition()).is_none());
    let other = TopicId(uuid::Uuid::from_u128(78));
    let again = manager
        .get_or_create(&partition(), other, Arc::new(LogConfig::default()))
        .expect("a new topic of that name");
    assert_eq!(append(&again, batch(&["w"])).expect("stored").base_offset, Offset(0));
    assert_eq!(again.topic_id(), other);
    assert!(
        !disk.read_dir(&PathBuf::from("/data")).expect("there").iter().any(|e| e.name.ends_with("-delete"))
    );
}

#[test]
fn a_kill_after_a_clean_stop_leaves_the_indexes_of_a_short_log_alone() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk);
    let log = log_of(&manager, LogConfig::default());
    for n in 0..3 {
        append(&log, batch_at(NOW + n, &["v", "w"])).expect("stored");
    }
    manager.clean_shutdown();
    drop((log, manager));
    let time_index = PathBuf::from("/data/t-0/00000000000000000000.timeindex");
    let at_stop = disk.read(&time_index).expect("there");
    assert_eq!(at_stop.len(), 12, "one entry");
    drop(open(&disk));
    let recover = || {
        let dirs = vec![PathBuf::from("/data")];
        let (manager, report) = LogManager::open(env_on(disk.clone()), dirs, settings()).expect("opens");
        (manager, report.dirs[0].total.rebuilt_indexes)
    };
    let (manager, rebuilt) = recover();
    assert_eq!((rebuilt, disk.read(&time_index).expect("there")), (0, at_stop.clone()));
    let log = log_of(&manager, LogConfig::default());
    assert_eq!(log.max_timestamp().expect("readable").map(|max| max.timestamp), Some(NOW + 2));
    drop((log, manager));
    // One that says what no batch says goes.
    let mut wrong = at_stop;
    wrong[7] ^= 1;
    disk.write_atomically(&time_index, &wrong).expect("memory");
    let (manager, _) = recover();
    assert_eq!(disk.read(&time_index).expect("there"), Vec::<u8>::new());
    let log = log_of(&manager, LogConfig::default());
    assert_eq!(
        log.offset_for_timestamp(NOW + 2).expect("readable").map(|found| found.offset),
        Some(Offset(4))
    );
}

#[test]
fn a_second_user_of_the_directory_is_refused() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk);
    let second = LogManager::open(env_on(disk.clone()), vec![PathBuf::from("/data")], settings());
    assert!(matches!(second, Err(ottla_log::OpenError::Locked { .. })));
    manager.clean_shutdown();
    assert!(LogManager::open(env_on(disk), vec![PathBuf::from("/data")], settings()).is_ok());
}

#[test]
fn timestamps_are_found_to_the_record_inside_compressed_batches() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let manager = open(&disk);
    let log = log_of(&manager, LogConfig { segment_bytes: 1_000, ..LogConfig::default() });
    for n in 0..20i64 {
        let mut builder = BatchBuilder::new().codec(Codec::Lz4(9));
        for m in 0..5 {
            builder.append(NOW + n * 50 + m * 10, None, Some(&[b'x'; 50]), &[]);
        }
        append(&log, builder.build()).expect("stored");
    }
    for n in 0..100 {
        let found = log.offset_for_timestamp(NOW + n * 10 - 5).expect("readable").expect("found");
        assert_eq!((found.offset, found.timestamp), (Offset(n), NOW + n * 10));
    }
    assert_eq!(log.offset_for_timestamp(NOW + 1_000).expect("readable"), None);
    let max = log.max_timestamp().expect("readable").expect("found");
    assert_eq!((max.offset, max.timestamp), (Offset(99), NOW + 990));
}
