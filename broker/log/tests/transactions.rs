//! What a log keeps of producers and transactions over restarts of every kind.
//! Shell.

use std::path::PathBuf;
use std::sync::Arc;

use ottla_env::memory::{FaultyDisk, MemoryClock, NoNet, SeededRng, ThreadTasks};
use ottla_env::{Disk, Env};
use ottla_log::verification::FirstBatch;
use ottla_log::{
    AbortedTxn, AppendError, AppendInfo, AppendOrigin, LogConfig, LogManager, LogManagerSettings, ReadError,
    UnifiedLog,
};
use ottla_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TopicId, TopicPartition};
use ottla_records::{BatchBuilder, BatchView, EndTxnMarker};

const NOW: i64 = 1_700_000_000_000;
const PRODUCER: ProducerId = ProducerId(5);

fn open(disk: &FaultyDisk) -> (Arc<LogManager>, Arc<UnifiedLog>) {
    open_at(disk, NOW)
}

fn open_at(disk: &FaultyDisk, now_ms: i64) -> (Arc<LogManager>, Arc<UnifiedLog>) {
    let env = Env {
        clock: Arc::new(MemoryClock::new(now_ms)),
        disk: Arc::new(disk.clone()) as Arc<dyn Disk>,
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
    let manager = LogManager::open(env, vec![PathBuf::from("/data")], settings).expect("opens").0;
    let partition = TopicPartition::parse("t-0").expect("a partition");
    let id = TopicId(uuid::Uuid::from_u128(77));
    let log = manager.get_or_create(&partition, id, Arc::new(LogConfig::default())).expect("a log");
    (manager, log)
}

fn produce(log: &Arc<UnifiedLog>, epoch: i16, sequence: i32) -> Result<AppendInfo, AppendError> {
    let mut builder =
        BatchBuilder::new().transactional().producer(PRODUCER, ProducerEpoch(epoch), Sequence(sequence));
    builder.append(NOW, None, Some(b"v"), &[]);
    let batch = builder.build();
    let origin = verified(log, &batch);
    log.append(batch, LeaderEpoch(0), origin, NOW)
}

/// The coordinator knows of the transaction.
fn verified(log: &UnifiedLog, batch: &[u8]) -> AppendOrigin {
    let header = *BatchView::first(batch).expect("a batch").header();
    AppendOrigin::verified_client(log.begin_verification(&FirstBatch::of(&header, false), NOW))
}

fn end(log: &Arc<UnifiedLog>, epoch: i16, is_commit: bool) {
    let marker = EndTxnMarker { is_commit, coordinator_epoch: 0, timestamp: NOW };
    let batch = marker.build(PRODUCER, ProducerEpoch(epoch));
    log.append(batch, LeaderEpoch(0), AppendOrigin::Coordinator, NOW).expect("stored");
}

fn aborted(log: &UnifiedLog) -> Vec<AbortedTxn> {
    log.aborted_transactions(Offset::ZERO, log.log_end_offset()).expect("readable")
}

#[test]
fn an_abort_that_a_start_found_in_the_page_cache_is_promised_with_its_marker() {
    for seed in 0..40 {
        let disk = FaultyDisk::new(seed);
        let (manager, log) = open(&disk);
        produce(&log, 0, 0).expect("stored");
        end(&log, 1, false);
        let before = aborted(&log);
        assert_eq!((before[0].first_offset, before[0].last_offset), (Offset(0), Offset(1)));
        drop((log, manager));
        disk.kill();
        let (manager, log) = open(&disk);
        assert_eq!(log.flush().expect("synced"), Offset(2));
        manager.checkpoint();
        manager.clean_shutdown();
        drop((log, manager));
        disk.lose_power();
        let (_manager, log) = open(&disk);
        assert_eq!(aborted(&log), before, "seed {seed}");
    }
}

#[test]
fn an_abort_that_the_index_did_not_take_is_shown_to_nobody() {
    let disk = FaultyDisk::new(1);
    let (manager, log) = open(&disk);
    produce(&log, 0, 0).expect("stored");
    // The marker is written, and its entry is not.
    disk.die_after(1);
    let marker = EndTxnMarker { is_commit: false, coordinator_epoch: 0, timestamp: NOW };
    let batch = marker.build(PRODUCER, ProducerEpoch(1));
    let _may_say_either = log.append(batch, LeaderEpoch(0), AppendOrigin::Coordinator, NOW);
    assert_eq!(log.log_end_offset(), Offset(2));
    let refused = log.aborted_transactions(Offset::ZERO, Offset(2));
    assert!(matches!(refused, Err(ReadError::Storage(_))), "{refused:?}");
    drop((log, manager));
    disk.kill();
    let (_manager, log) = open(&disk);
    assert_eq!(aborted(&log).len(), 1);
}

#[test]
fn a_producers_last_batch_is_known_again_from_a_snapshot_and_five_from_the_records() {
    for is_clean in [false, true] {
        let disk = FaultyDisk::new(3);
        let (manager, log) = open(&disk);
        for sequence in 0..7 {
            produce(&log, 0, sequence).expect("stored");
        }
        log.flush().expect("synced");
        if is_clean {
            manager.clean_shutdown();
        }
        drop((log, manager));
        disk.kill();
        let (_manager, log) = open(&disk);
        let known: Vec<bool> = (0..7)
            .map(|sequence| produce(&log, 0, sequence).is_ok_and(|appended| appended.duplicate))
            .collect();
        let remembered = if is_clean { 1 } else { 5 };
        let expected: Vec<bool> = (0..7).map(|sequence| sequence >= 7 - remembered).collect();
        assert_eq!(known, expected, "is_clean {is_clean}");
        assert!(!produce(&log, 0, 7).expect("the next").duplicate);
    }
}

/// An idempotent batch without a transaction.
fn produce_plain(log: &Arc<UnifiedLog>, id: ProducerId, sequence: i32) -> Result<AppendInfo, AppendError> {
    let mut builder = BatchBuilder::new().producer(id, ProducerEpoch(0), Sequence(sequence));
    builder.append(NOW, None, Some(b"v"), &[]);
    log.append(builder.build(), LeaderEpoch(0), AppendOrigin::Client, NOW)
}

fn known(log: &UnifiedLog) -> Vec<ProducerId> {
    log.producers().iter().map(|(id, _)| *id).collect()
}

#[test]
fn producers_are_forgotten_a_day_after_their_last_batch_but_for_open_transactions() {
    const DAY_MS: i64 = 86_400_000;
    let silent = ProducerId(9);
    let disk = FaultyDisk::new(4);
    let (manager, log) = open(&disk);
    produce_plain(&log, silent, 0).expect("stored");
    produce(&log, 0, 0).expect("stored");
    log.flush().expect("synced");
    manager.run_retention(NOW + DAY_MS - 1);
    assert_eq!(known(&log), [PRODUCER, silent]);
    // Who is known is held to its sequence; who is not may go on with any.
    assert!(matches!(produce_plain(&log, silent, 7), Err(AppendError::OutOfOrderSequence(_))));
    manager.clean_shutdown();
    drop((log, manager));
    // A start counts the time that passed, also from a snapshot.
    let (manager, log) = open_at(&disk, NOW + DAY_MS);
    assert_eq!(known(&log), [PRODUCER]);
    produce_plain(&log, silent, 7).expect("nobody knows it");
    assert_eq!(known(&log), [PRODUCER, silent]);
    manager.run_retention(NOW + DAY_MS);
    assert_eq!(known(&log), [PRODUCER]);
    end(&log, 0, true);
    manager.run_retention(NOW + DAY_MS);
    assert_eq!(known(&log), [ProducerId(0); 0]);
}
