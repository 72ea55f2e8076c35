//! Readers wait for no writer: each read function answers while a change of the files stands still.
//! Shell.
//!
//! The disk holds back the writes, syncs, renames and removals that a test names. While one is held
//! back every read function is called from another thread and must come back. `PATIENCE` is never
//! used up by a test that passes.

use std::any::Any;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use ottla_env::disk::{Entry, Space};
use ottla_env::memory::{MemoryClock, MemoryDisk, NoNet, SeededRng, ThreadTasks};
use ottla_env::{Disk, Env, File, OpenMode};
use ottla_log::verification::FirstBatch;
use ottla_log::{
    AppendOrigin, CleanupPolicy, LogConfig, LogManager, LogManagerSettings, ReadLimits, UnifiedLog,
};
use ottla_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TopicId, TopicPartition};
use ottla_records::{BatchBuilder, BatchView, EndTxnMarker};
use parking_lot::{Condvar, Mutex};

const NOW: i64 = 1_700_000_000_000;
const PATIENCE: Duration = Duration::from_secs(30);

/// What is held back: changes of paths that contain this text.
#[derive(Default)]
struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    held_back: Option<&'static str>,
    /// What the device was given before it had to be.
    write_outs: Vec<Range<u64>>,
    waiting: usize,
    /// Nothing more will come.
    is_over: bool,
}

impl Gate {
    fn close(&self, text: &'static str) {
        self.state.lock().held_back = Some(text);
    }

    fn open(&self) {
        self.state.lock().held_back = None;
        self.changed.notify_all();
    }

    /// Waits until something waits at the gate. `false`: nothing came.
    fn wait_for_arrival(&self) -> bool {
        let mut state = self.state.lock();
        while state.waiting == 0 && !state.is_over {
            self.changed.wait(&mut state);
        }
        state.waiting > 0
    }

    fn end(&self) {
        self.state.lock().is_over = true;
        self.changed.notify_all();
    }

    fn pass(&self, path: &Path) {
        let mut state = self.state.lock();
        while state.held_back.is_some_and(|text| path.to_string_lossy().contains(text)) {
            state.waiting += 1;
            self.changed.notify_all();
            self.changed.wait(&mut state);
            state.waiting -= 1;
        }
    }
}

struct GatedDisk {
    disk: MemoryDisk,
    gate: Arc<Gate>,
}

struct GatedFile {
    file: Arc<dyn File>,
    path: PathBuf,
    gate: Arc<Gate>,
}

impl Disk for GatedDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let file = self.disk.open(path, mode)?;
        Ok(Arc::new(GatedFile { file, path: path.to_owned(), gate: self.gate.clone() }))
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
        self.gate.pass(from);
        self.disk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.gate.pass(path);
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

impl File for GatedFile {
    fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(bytes, position)
    }

    fn write_vectored_all_at(&self, slices: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        self.gate.pass(&self.path);
        self.file.write_vectored_all_at(slices, position)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.gate.pass(&self.path);
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.gate.pass(&self.path);
        self.file.sync_data()
    }

    fn std_file(&self) -> Option<&std::fs::File> {
        self.file.std_file()
    }

    fn start_write_out(&self, position: u64, bytes: u64) {
        self.gate.state.lock().write_outs.push(position..position + bytes);
        self.gate.pass(&self.path.with_extension("write-out"));
    }

    fn shared_bytes(&self, position: u64, len: usize) -> Option<Bytes> {
        self.file.shared_bytes(position, len)
    }
}

struct World {
    gate: Arc<Gate>,
    clock: MemoryClock,
    disk: MemoryDisk,
    manager: Arc<LogManager>,
    log: Arc<UnifiedLog>,
}

fn world() -> World {
    let config = LogConfig {
        segment_bytes: 10_000,
        // An entry for each batch but the first.
        index_interval_bytes: 1,
        cleanup_policy: CleanupPolicy { delete: true, compact: true },
        min_cleanable_dirty_ratio: 0.0,
        ..LogConfig::default()
    };
    world_with(config, 0)
}

fn world_with(config: LogConfig, flusher_threads: usize) -> World {
    let (gate, clock) = (Arc::new(Gate::default()), MemoryClock::new(NOW));
    let disk = MemoryDisk::new();
    let env = Env {
        clock: Arc::new(clock.clone()),
        disk: Arc::new(GatedDisk { disk: disk.clone(), gate: gate.clone() }),
        net: Arc::new(NoNet),
        rng: Arc::new(SeededRng::new(1)),
        tasks: Arc::new(ThreadTasks),
    };
    let settings = LogManagerSettings {
        flusher_threads,
        is_background_on: false,
        recovery_threads: 1,
        ..LogManagerSettings::default()
    };
    let manager = LogManager::open(env, vec![PathBuf::from("/data")], settings).expect("opens").0;
    let partition = TopicPartition::parse("t-0").expect("a partition");
    let log = manager.get_or_create(&partition, TopicId::METADATA, Arc::new(config)).expect("a log");
    World { gate, clock, disk, manager, log }
}

fn append(log: &Arc<UnifiedLog>, epoch: i32, count: usize) {
    for _ in 0..count {
        let mut builder = BatchBuilder::new();
        builder.append(NOW, Some(b"key"), Some(&[7; 20]), &[]);
        log.append(builder.build(), LeaderEpoch(epoch), AppendOrigin::Client, NOW).expect("room");
    }
}

/// Three segments, two leader epochs, an aborted transaction and an open one.
fn fill(World { clock, manager, log, .. }: &World) {
    append(log, 0, 5);
    let of_producer = |sequence| {
        let mut builder =
            BatchBuilder::new().transactional().producer(ProducerId(7), ProducerEpoch(0), Sequence(sequence));
        builder.append(NOW, Some(b"key"), Some(b"value"), &[]);
        builder.build()
    };
    let batch = of_producer(0);
    let origin = verified(log, &batch);
    log.append(batch, LeaderEpoch(0), origin, NOW).expect("room");
    let marker = EndTxnMarker { is_commit: false, coordinator_epoch: 0, timestamp: NOW };
    let marker = marker.build(ProducerId(7), ProducerEpoch(0));
    log.append(marker, LeaderEpoch(0), AppendOrigin::Coordinator, NOW).expect("room");
    append(log, 1, 400);
    let batch = of_producer(1);
    let origin = verified(log, &batch);
    log.append(batch, LeaderEpoch(1), origin, NOW).expect("room");
    // Flushes and writes the checkpoints.
    clock.advance(Duration::from_secs(10));
    manager.tick();
    log.on_high_watermark(log.log_end_offset());
    assert!(log.segment_count() >= 3);
}

/// The coordinator knows of the transaction.
fn verified(log: &UnifiedLog, batch: &[u8]) -> AppendOrigin {
    let header = *BatchView::first(batch).expect("a batch").header();
    AppendOrigin::verified_client(log.begin_verification(&FirstBatch::of(&header, false), NOW))
}

/// Calls all that a reader may call.
fn read_everything(log: &UnifiedLog) {
    let (start, end) = (log.log_start_offset(), log.log_end_offset());
    assert!(start < end);
    log.flushed_offset();
    log.recovery_point();
    log.first_unstable_offset();
    log.last_stable_offset(end);
    log.size_bytes();
    log.segment_count();
    log.config();
    log.topic_id();
    assert!(!log.leader_epochs().is_empty());
    log.latest_epoch().expect("there are epochs");
    log.end_offset_for_epoch(LeaderEpoch(0)).expect("a known epoch");
    log.producers();
    log.has_ongoing_transaction(ProducerId(7));
    assert_eq!(log.earliest().expect("readable").0, start);
    log.offset_for_timestamp(NOW).expect("readable");
    log.max_timestamp().expect("readable");
    log.aborted_transactions(start, end).expect("readable");
    for from in [start, Offset(i64::midpoint(start.0, end.0)), end + -1] {
        for max_bytes in [1, 1 << 20] {
            let limits = ReadLimits { max_bytes, bound: end, min_one_batch: true };
            log.read(from, limits).expect("readable").read_bytes().expect("memory");
        }
    }
    // The replicas say how far they are.
    log.on_high_watermark(end);
}

/// Holds back the first change that `change` makes to a path with `text` in it, and reads meanwhile.
fn reads_go_on_while(text: &'static str, change: impl FnOnce(&World) + Send + 'static) {
    let world = Arc::new(world());
    fill(&world);
    world.gate.close(text);
    let writer = {
        let world = world.clone();
        thread::spawn(move || {
            change(&world);
            world.gate.end();
        })
    };
    let has_arrived = world.gate.wait_for_arrival();
    let (answer, answered) = mpsc::channel();
    let reader = {
        let log = world.log.clone();
        thread::spawn(move || {
            read_everything(&log);
            answer.send(()).expect("somebody waits");
        })
    };
    let result = answered.recv_timeout(PATIENCE);
    world.gate.open();
    writer.join().expect("the change ends well");
    reader.join().expect("the reads end well");
    assert!(has_arrived, "nothing touched a path with {text} in it");
    result.expect("a reader waited for the writer");
    read_everything(&world.log);
}

#[test]
fn an_append_is_written() {
    reads_go_on_while(".log", |world| append(&world.log, 2, 1));
}

#[test]
fn an_aborted_transaction_is_noted() {
    reads_go_on_while(".txnindex", |world| {
        let marker = EndTxnMarker { is_commit: false, coordinator_epoch: 0, timestamp: NOW };
        let marker = marker.build(ProducerId(7), ProducerEpoch(0));
        world.log.append(marker, LeaderEpoch(1), AppendOrigin::Coordinator, NOW).expect("room");
    });
}

#[test]
fn a_segment_is_rolled() {
    // Index entries are written out, then a producer snapshot.
    reads_go_on_while(".index", |world| append(&world.log, 1, 200));
    reads_go_on_while(".timeindex", |world| append(&world.log, 1, 200));
    reads_go_on_while(".snapshot", |world| append(&world.log, 1, 200));
}

#[test]
fn a_log_is_flushed_and_checkpointed() {
    reads_go_on_while(".log", |world| {
        // The epoch is noted, nothing is appended that could wait at the gate.
        world.log.truncate_to(world.log.log_end_offset() + -1).expect("memory");
        world.log.flush().expect("memory");
    });
    reads_go_on_while("leader-epoch-checkpoint", |world| {
        world.log.assign_epoch(LeaderEpoch(2));
        world.log.close().expect("memory");
    });
}

#[test]
fn a_log_is_cut() {
    for text in [".log", ".index", ".timeindex", "recovery-point-offset-checkpoint"] {
        // Whole segments go, and one is cut.
        reads_go_on_while(text, |world| world.log.truncate_to(Offset(50)).expect("memory"));
    }
}

#[test]
fn records_are_deleted() {
    for text in ["log-start-offset-checkpoint", ".log"] {
        reads_go_on_while(text, |world| {
            world.log.delete_records(Offset(250)).expect("memory");
        });
    }
}

#[test]
fn a_log_is_cleaned() {
    for text in [".cleaned", ".swap", "cleaner-offset-checkpoint"] {
        reads_go_on_while(text, |world| {
            world.manager.clean(NOW).expect("something to clean");
        });
    }
}

#[test]
fn a_checkpoint_does_not_outlive_a_truncation() {
    let world = Arc::new(world());
    fill(&world);
    world.log.assign_epoch(LeaderEpoch(2));
    world.gate.close("leader-epoch-checkpoint");
    let checkpoint = {
        let world = world.clone();
        thread::spawn(move || {
            world.log.close().expect("memory");
            world.gate.end();
        })
    };
    assert!(world.gate.wait_for_arrival());
    world.log.truncate_to(Offset(50)).expect("memory");
    world.gate.open();
    checkpoint.join().expect("the checkpoint ends well");
    world.manager.checkpoint();
    let points = world.disk.read(Path::new("/data/recovery-point-offset-checkpoint")).expect("written");
    let points = ottla_log::checkpoint::parse_offsets(&String::from_utf8_lossy(&points)).expect("whole");
    assert_eq!(points.get(world.log.partition()), Some(&Offset(50)));
}

/// Appends so many MiB in batches of some 64 KiB.
fn append_mib(log: &Arc<UnifiedLog>, mib: usize) {
    let mut builder = BatchBuilder::new();
    builder.append(NOW, None, Some(&[7; 65_000]), &[]);
    let batch = builder.build();
    for _ in 0..(mib << 20).div_ceil(batch.len()) {
        log.append(batch.clone(), LeaderEpoch(0), AppendOrigin::Client, NOW).expect("room");
    }
}

#[test]
fn the_device_is_given_bytes_ahead_and_no_append_waits_for_it() {
    let world = world_with(LogConfig::default(), 2);
    world.gate.close("write-out");
    append_mib(&world.log, 5);
    assert!(world.gate.wait_for_arrival());
    // The device takes its time: appends and flushes go on, and nothing more is given.
    append_mib(&world.log, 10);
    read_from_end(&world.log);
    assert_eq!(world.gate.state.lock().write_outs.len(), 1);
    world.gate.open();
    world.log.flush().expect("memory");
    let flushed_bytes = world.log.size_bytes();
    // The turn is free again as soon as the thread that had it comes to say so.
    while world.gate.state.lock().write_outs.len() < 2 {
        append_mib(&world.log, 1);
        thread::yield_now();
    }
    world.manager.clean_shutdown();
    let given = world.gate.state.lock().write_outs.clone();
    assert!(given[0].start == 0 && given[0].end >= 4 << 20, "{given:?}");
    assert!(given.windows(2).all(|pair| pair[0].end <= pair[1].start), "{given:?}");
    assert!(given.last().is_some_and(|last| last.start >= flushed_bytes), "{given:?}");
    assert!(given.last().is_some_and(|last| last.end <= world.log.size_bytes()), "{given:?}");
}

fn read_from_end(log: &UnifiedLog) {
    let end = log.log_end_offset();
    let limits = ReadLimits { max_bytes: 1, bound: end, min_one_batch: true };
    assert_eq!(log.read(end + -1, limits).expect("readable").next_offset, end);
}
