//! A byte that flips in a partition's files: what was on the device is not cut off, and not served wrong.
//! Shell.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ottla_env::memory::{FaultyDisk, MemoryClock, NoNet, SeededRng, ThreadTasks};
use ottla_env::{Disk, Env};
use ottla_log::{
    AppendError, AppendOrigin, CleanupPolicy, LogConfig, LogManager, LogManagerSettings, ReadError,
    ReadLimits, UnifiedLog,
};
use ottla_model::{LeaderEpoch, Offset, TopicId, TopicPartition};
use ottla_records::{BatchBuilder, HEADER_BYTES, batches};

const NOW: i64 = 1_700_000_000_000;
const BATCHES: usize = 30;
/// The topics whose records answers wait for.
const PARTITIONS: [&str; 4] =
    ["t-0", "__consumer_offsets-0", "__transaction_state-0", "__share_group_state-0"];

fn open(disk: &FaultyDisk) -> Arc<LogManager> {
    open_at(disk, MemoryClock::new(NOW))
}

fn open_at(disk: &FaultyDisk, clock: MemoryClock) -> Arc<LogManager> {
    let env = Env {
        clock: Arc::new(clock),
        disk: Arc::new(disk.clone()),
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
    LogManager::open(env, vec![PathBuf::from("/data")], settings).expect("opens").0
}

fn log(manager: &LogManager, name: &str) -> Arc<UnifiedLog> {
    let partition = TopicPartition::parse(name).expect("a partition");
    let id = TopicId(uuid::Uuid::from_u128(7));
    manager.get_or_create(&partition, id, Arc::new(LogConfig::default())).expect("a log")
}

fn append(log: &Arc<UnifiedLog>) -> Result<(), AppendError> {
    let mut batch = BatchBuilder::new();
    batch.append(NOW, None, Some(&[b'v'; 100]), &[]);
    log.append(batch.build(), LeaderEpoch(0), AppendOrigin::Coordinator, NOW).map(|_| ())
}

/// Where reading everything from the start ends, and why if not at the end.
fn read_all(log: &UnifiedLog) -> (Offset, Option<ReadError>) {
    let mut next = log.log_start_offset();
    while next < log.log_end_offset() {
        let limits = ReadLimits { max_bytes: 300, bound: log.log_end_offset(), min_one_batch: true };
        match log.read(next, limits) {
            Ok(slice) if slice.next_offset > next => next = slice.next_offset,
            Ok(_) => return (next, None),
            Err(error) => return (next, Some(error)),
        }
    }
    (next, None)
}

fn file(name: &str) -> PathBuf {
    Path::new("/data").join(name).join("00000000000000000000.log")
}

/// Records in every partition, all on the device; then the process is gone.
fn written(seed: u64, is_clean: bool, is_checkpointed: bool) -> FaultyDisk {
    let disk = FaultyDisk::new(seed);
    let clock = MemoryClock::new(NOW);
    let manager = open_at(&disk, clock.clone());
    for name in PARTITIONS {
        let log = log(&manager, name);
        (0..BATCHES).for_each(|_| append(&log).expect("stored"));
        log.flush().expect("synced");
    }
    if is_checkpointed {
        clock.advance(Duration::from_secs(10));
        manager.tick();
        manager.checkpoint();
    }
    if is_clean {
        manager.clean_shutdown();
    }
    drop(manager);
    disk.kill();
    disk
}

/// A byte of the header and one of the records, of a batch in each third of the file.
fn places(len: usize) -> Vec<(usize, usize)> {
    let size = len / BATCHES;
    let thirds = (0..3).map(|third| BATCHES / 6 + third * BATCHES / 3);
    thirds.flat_map(|batch| [(batch, batch * size + 9), (batch, batch * size + HEADER_BYTES + 20)]).collect()
}

#[test]
fn damage_in_what_was_on_the_device_closes_one_log_and_cuts_nothing() {
    for (is_clean, is_checkpointed) in [(true, true), (true, false), (false, true)] {
        for name in PARTITIONS {
            let disk = written(1, is_clean, is_checkpointed);
            let whole = disk.read(&file(name)).expect("the log");
            for (batch, position) in places(whole.len()) {
                disk.flip(&file(name), position, 2);
                let damaged = disk.read(&file(name)).expect("the log");
                let manager = open(&disk);
                let log_of = log(&manager, name);
                let (end, error) = read_all(&log_of);
                let place = format!("{name}, byte {position} in batch {batch}, clean: {is_clean}");
                match error {
                    // The records are wrong: they are not served, and the rest of the log lives.
                    Some(ReadError::Corrupt { .. }) => {
                        assert_eq!(
                            (end, log_of.log_end_offset()),
                            (Offset(batch as i64), Offset(30)),
                            "{place}"
                        );
                    }
                    // The walk over the batches ends there: nothing is served, nor written.
                    None => {
                        let refused = append(&log_of).expect_err("not written").to_string();
                        assert!(refused.contains("00000000000000000000.log is damaged at byte"), "{refused}");
                    }
                    Some(error) => panic!("{place}: {error}"),
                }
                assert_eq!(disk.read(&file(name)).expect("the log"), damaged, "{place}");
                for other in PARTITIONS.iter().filter(|other| **other != name) {
                    assert_eq!(read_all(&log(&manager, other)).0, Offset(30), "{other} with {place}");
                }
                if is_clean {
                    manager.clean_shutdown();
                }
                drop(manager);
                disk.kill();
                disk.flip(&file(name), position, 2);
            }
            assert_eq!(read_all(&log(&open(&disk), name)).0, Offset(30), "{name} is whole again");
        }
    }
}

#[test]
fn what_was_not_known_to_be_on_the_device_is_cut_at_the_first_wrong_batch() {
    for name in PARTITIONS {
        for place in 0..6 {
            let disk = written(2, false, false);
            let len = disk.read(&file(name)).expect("the log").len();
            let (batch, position) = places(len)[place];
            disk.flip(&file(name), position, 2);
            let manager = open(&disk);
            let log = log(&manager, name);
            assert_eq!(read_all(&log).0, Offset(batch as i64));
            append(&log).expect("it goes on");
            assert_eq!(read_all(&log).0, Offset(batch as i64 + 1));
        }
    }
}

#[test]
fn a_batch_in_a_wrong_place_is_no_torn_write() {
    let disk = written(3, false, false);
    let size = disk.read(&file("t-0")).expect("the log").len() / BATCHES;
    // The base offset of a batch goes up: the checksum does not cover it, and the next one is behind it.
    disk.flip(&file("t-0"), 12 * size + 6, 0);
    let damaged = disk.read(&file("t-0")).expect("the log");
    let manager = open(&disk);
    let refused = append(&log(&manager, "t-0")).expect_err("not written").to_string();
    assert!(refused.contains("is damaged at byte"), "{refused}");
    assert_eq!(disk.read(&file("t-0")).expect("the log"), damaged);
}

/// A log of which the cleaner keeps the last value of each key.
fn compacted(manager: &LogManager) -> Arc<UnifiedLog> {
    let config = LogConfig {
        segment_bytes: 220,
        cleanup_policy: CleanupPolicy { delete: false, compact: true },
        ..LogConfig::default()
    };
    let partition = TopicPartition::parse("c-0").expect("a partition");
    manager.get_or_create(&partition, TopicId(uuid::Uuid::from_u128(8)), Arc::new(config)).expect("a log")
}

/// Sets a few keys to this value, over some segments.
fn set_all(log: &Arc<UnifiedLog>, value: &str) {
    for key in ["a", "b", "c", "a", "b"] {
        let mut batch = BatchBuilder::new();
        batch.append(NOW, Some(key.as_bytes()), Some(value.as_bytes()), &[]);
        log.append(batch.build(), LeaderEpoch(0), AppendOrigin::Client, NOW).expect("stored");
    }
}

/// The last value of each key.
fn last_values(log: &UnifiedLog) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let (mut next, bound) = (log.log_start_offset(), log.log_end_offset());
    let mut values = BTreeMap::new();
    while next < bound {
        let slice =
            log.read(next, ReadLimits { max_bytes: 300, bound, min_one_batch: true }).expect("readable");
        for batch in batches(&slice.read_bytes().expect("readable")) {
            let mut scratch = Vec::new();
            for record in batch.expect("a batch").records(&mut scratch).expect("opens") {
                let record = record.expect("a record");
                let bytes = |bytes: Option<&[u8]>| bytes.unwrap_or_default().to_vec();
                values.insert(bytes(record.key), bytes(record.value));
            }
        }
        next = slice.next_offset;
    }
    values
}

#[test]
fn a_damaged_checkpoint_loses_no_record() {
    let names = [
        "recovery-point-offset-checkpoint",
        "log-start-offset-checkpoint",
        "t-0/leader-epoch-checkpoint",
        "replication-offset-checkpoint",
        "cleaner-offset-checkpoint",
    ];
    for name in names {
        let disk = written(4, false, true);
        let manager = open(&disk);
        log(&manager, "t-0").delete_records(Offset(5)).expect("deleted");
        let keyed = compacted(&manager);
        set_all(&keyed, "before");
        set_all(&keyed, "now");
        manager.clean(NOW).expect("it is all dirty");
        set_all(&keyed, "last");
        keyed.flush().expect("synced");
        let expected = last_values(&keyed);
        assert!(expected.len() == 3 && expected.values().all(|value| value == b"last"), "{expected:?}");
        let committed =
            PARTITIONS.map(|name| (TopicPartition::parse(name).expect("a partition"), Offset(30)));
        manager.write_high_watermarks(&committed.into()).expect("written");
        drop((manager, keyed));
        disk.kill();
        let path = Path::new("/data").join(name);
        let whole = disk.read(&path).expect("the checkpoint");
        assert!(whole.len() > 4, "{name} has a line");
        for position in 0..whole.len() {
            disk.write_atomically(&path, &whole).expect("written");
            disk.flip(&path, position, (position % 3) as u8);
            let place = format!("byte {position} of {name}");
            let manager = open(&disk);
            assert_eq!(read_all(&log(&manager, "t-0")).0, Offset(30), "{place}");
            let keyed = compacted(&manager);
            // At most a few rounds are due; each is as long as the log.
            let rounds = (0..4).take_while(|_| manager.clean(NOW).is_some()).count();
            assert!(rounds < 4, "{place}: the cleaner comes to an end");
            assert_eq!(last_values(&keyed), expected, "{place}");
            manager.write_high_watermarks(&manager.read_high_watermarks()).expect("written again");
            drop((manager, keyed));
            disk.kill();
        }
    }
}
