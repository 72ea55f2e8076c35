//! Histories of one compacted log on a disk that breaks, against a plain model.
//! Shell. The process dies at any step of a cleaning.
//!
//! The rule, for a reader of committed records who starts at the beginning: every record it sees
//! was written, at that offset; offsets grow; the last value of each key is there; no value is
//! there without what superseded it; a tombstone is there for as long as `delete.retention.ms`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_env::memory::{FaultyDisk, MemoryClock, NoNet, SeededRng, ThreadTasks};
use ottla_env::{Clock, Disk, Env};
use ottla_log::verification::FirstBatch;
use ottla_log::{
    AppendOrigin, CleanerSettings, CleanupPolicy, LogConfig, LogError, LogManager, LogManagerSettings,
    ReadLimits, UnifiedLog,
};
use ottla_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TopicId, TopicPartition};
use ottla_records::{BatchBuilder, BatchView, Codec, EndTxnMarker, batches};

const KEYS: u64 = 6;
const DELETE_RETENTION_MS: i64 = 20_000;

/// One record as the model remembers it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Stored {
    key: u64,
    /// `None`: a tombstone.
    value: Option<u64>,
    written_ms: i64,
    is_aborted: bool,
}

/// A compacted log, the world it lives in, and what must be true of it.
pub struct CleanerHistory {
    rng: SeededRng,
    disk: FaultyDisk,
    clock: MemoryClock,
    manager: Option<Arc<LogManager>>,
    log: Option<Arc<UnifiedLog>>,
    /// By offset; markers have none.
    records: BTreeMap<i64, Stored>,
    /// Where batches end.
    ends: Vec<i64>,
    high_watermark: i64,
    log_start: i64,
    end: i64,
    next_value: u64,
    /// Producer to the offset and sequence of its last batch.
    sequences: BTreeMap<i64, (i64, i32)>,
    /// Producers whose last batch was cut off: the one before may be cleaned away, so what is known
    /// of them is the log's to say.
    unsure: Vec<i64>,
    pub cleanings: usize,
    pub trace: Vec<String>,
}

impl CleanerHistory {
    pub fn new(seed: u64) -> CleanerHistory {
        let mut history = CleanerHistory {
            rng: SeededRng::new(seed),
            disk: FaultyDisk::new(seed ^ 0xc1ea),
            clock: MemoryClock::new(1_700_000_000_000),
            manager: None,
            log: None,
            records: BTreeMap::new(),
            ends: Vec::new(),
            high_watermark: 0,
            log_start: 0,
            end: 0,
            next_value: 0,
            sequences: BTreeMap::new(),
            unsure: Vec::new(),
            cleanings: 0,
            trace: Vec::new(),
        };
        history.open();
        history
    }

    /// Plays `steps` random steps and checks after each cleaning, each restart and at the end.
    pub fn play(&mut self, steps: usize) {
        for _ in 0..steps {
            self.clock.advance(Duration::from_millis(self.rng.below(3_000)));
            match self.rng.below(100) {
                0..50 => self.append(),
                50..60 => self.append_transaction(),
                60..68 => self.flush(),
                68..80 => self.clean(),
                80..84 => self.delete_records(),
                84..87 => self.truncate(),
                87..89 => self.restart("clean"),
                89..92 => self.restart("kill"),
                92..94 => self.restart("power loss"),
                _ => self.die_while_cleaning(),
            }
        }
        self.check();
    }

    fn log(&self) -> &Arc<UnifiedLog> {
        self.log.as_ref().expect("open between steps")
    }

    fn manager(&self) -> &Arc<LogManager> {
        self.manager.as_ref().expect("open between steps")
    }

    fn note(&mut self, text: String) {
        self.trace.push(text);
    }

    fn open(&mut self) {
        let env = Env {
            clock: Arc::new(self.clock.clone()),
            disk: Arc::new(self.disk.of_process()),
            net: Arc::new(NoNet),
            rng: Arc::new(SeededRng::new(self.rng.below(u64::MAX))),
            tasks: Arc::new(ThreadTasks),
        };
        let settings = LogManagerSettings {
            flusher_threads: 0,
            is_background_on: false,
            recovery_threads: 1,
            reserve_bytes: 0,
            background_flush_ms: 1_000,
            checkpoint_interval_ms: 2_000,
            cleaner: CleanerSettings {
                // Sometimes less than the keys need: a log is then cleaned in several rounds.
                dedupe_buffer_bytes: 24 * (4 + self.rng.below(20)),
                ..CleanerSettings::default()
            },
            ..LogManagerSettings::default()
        };
        let (manager, _report) =
            LogManager::open(env, vec![PathBuf::from("/data")], settings).expect("the directory opens");
        let partition = TopicPartition::parse("history-0").expect("a partition");
        let config = LogConfig {
            segment_bytes: 500 + self.rng.below(900),
            index_interval_bytes: 1 + self.rng.below(300),
            cleanup_policy: CleanupPolicy { delete: false, compact: true },
            min_cleanable_dirty_ratio: self.rng.below(500) as f64 / 1000.0,
            min_compaction_lag_ms: if self.rng.chance(200) { 4_000 } else { 0 },
            delete_retention_ms: DELETE_RETENTION_MS,
            ..LogConfig::default()
        };
        let id = TopicId(uuid::Uuid::from_u128(1 << 64));
        let config = Arc::new(config);
        let log = match manager.get_or_create(&partition, id, config.clone()) {
            // What never got its id to the device never promised anything: it is begun again.
            Err(LogError::InconsistentTopicId { found, .. }) if found.is_zero() => {
                assert!(self.high_watermark <= self.log_start, "a folder of acknowledged records has an id");
                manager.delete(&partition).expect("deleted");
                (self.log_start, self.high_watermark) = (0, 0);
                manager.get_or_create(&partition, id, config)
            }
            opened => opened,
        };
        let log = log.expect("the log opens");
        log.on_high_watermark(Offset(self.high_watermark));
        self.manager = Some(manager);
        self.log = Some(log);
    }

    fn batch(&mut self, mut builder: BatchBuilder, is_aborted: bool) -> (BatchBuilder, Vec<Stored>) {
        let mut records = Vec::new();
        for _ in 0..1 + self.rng.below(4) {
            let key = self.rng.below(KEYS);
            let value = (!self.rng.chance(200)).then(|| {
                self.next_value += 1;
                self.next_value
            });
            let text = value.map(|value| format!("{value} {}", ".".repeat(self.rng.below(60) as usize)));
            let now_ms = self.clock.wall_ms();
            builder.append(now_ms, Some(&key.to_be_bytes()), text.as_ref().map(String::as_bytes), &[]);
            records.push(Stored { key, value, written_ms: now_ms, is_aborted });
        }
        (builder, records)
    }

    fn codec(&self) -> Codec {
        if self.rng.chance(300) { Codec::Lz4(9) } else { Codec::None }
    }

    fn append(&mut self) {
        let mut builder = BatchBuilder::new().codec(self.codec());
        let mut producer = None;
        if self.rng.chance(500) {
            let id = 1 + self.rng.below(2) as i64;
            let sequence = self.sequences.get(&id).map_or(0, |(_, last)| last + 1);
            builder = builder.producer(ProducerId(id), ProducerEpoch(0), Sequence(sequence));
            producer = Some((id, sequence));
        }
        let (builder, records) = self.batch(builder, false);
        self.note(format!("append at {} {records:?}", self.end));
        self.write(builder.build(), records, producer, AppendOrigin::Client);
    }

    /// A whole transaction: one batch or two, and the marker.
    fn append_transaction(&mut self) {
        let id = 11 + self.rng.below(2) as i64;
        let is_aborted = self.rng.chance(500);
        for _ in 0..1 + self.rng.below(2) {
            let sequence = self.sequences.get(&id).map_or(0, |(_, last)| last + 1);
            let builder = BatchBuilder::new().codec(self.codec()).transactional().producer(
                ProducerId(id),
                ProducerEpoch(0),
                Sequence(sequence),
            );
            let (builder, records) = self.batch(builder, is_aborted);
            self.note(format!("transaction of {id} at {} {records:?}", self.end));
            let batch = builder.build();
            let first = FirstBatch::of(BatchView::first(&batch).expect("a batch").header(), false);
            let verification = self.log().begin_verification(&first, self.clock.wall_ms());
            self.write(batch, records, Some((id, sequence)), AppendOrigin::verified_client(verification));
            if self.rng.chance(300) {
                self.append();
            }
        }
        let marker =
            EndTxnMarker { is_commit: !is_aborted, coordinator_epoch: 0, timestamp: self.clock.wall_ms() };
        let bytes = marker.build(ProducerId(id), ProducerEpoch(0));
        self.note(format!("marker at {}", self.end));
        self.write(bytes, Vec::new(), None, AppendOrigin::Coordinator);
        // A crash between a transaction and its marker is another test's.
        self.flush();
    }

    fn write(
        &mut self,
        bytes: Bytes,
        records: Vec<Stored>,
        producer: Option<(i64, i32)>,
        origin: AppendOrigin,
    ) {
        let info = self
            .log()
            .append(bytes, LeaderEpoch(0), origin, self.clock.wall_ms())
            .unwrap_or_else(|error| panic!("append refused: {error}"));
        assert_eq!(info.base_offset.0, self.end, "an append gets the next offset");
        let count = records.len() as i64;
        for (index, record) in records.into_iter().enumerate() {
            self.records.insert(self.end + index as i64, record);
        }
        self.end += count.max(1);
        self.ends.push(self.end);
        if let Some((id, first)) = producer {
            self.unsure.retain(|unsure| *unsure != id);
            self.sequences.insert(id, (self.end - 1, first + count as i32 - 1));
        }
    }

    fn flush(&mut self) {
        let flushed = self.log().flush().expect("nothing is wrong with the disk");
        assert_eq!(flushed.0, self.end);
        self.high_watermark = self.end;
        self.log().on_high_watermark(flushed);
        self.note(format!("flushed {flushed}"));
    }

    fn clean(&mut self) {
        let now_ms = self.clock.wall_ms();
        while let Some(stats) = self.manager().clean(now_ms) {
            self.cleanings += 1;
            self.note(format!("cleaned {stats:?}"));
        }
        assert!(self.manager().dirs()[0].offline.is_none(), "nothing is wrong with the disk");
        self.check();
    }

    fn die_while_cleaning(&mut self) {
        let changes = self.rng.below(60);
        self.disk.die_after(changes);
        let now_ms = self.clock.wall_ms();
        while let Some(stats) = self.manager().clean(now_ms) {
            self.cleanings += 1;
            self.note(format!("cleaned {stats:?}"));
        }
        self.note(format!("died after {changes} changes"));
        // Who still reads finds everything.
        if self.manager().dirs()[0].offline.is_none() {
            self.check();
        }
        self.restart(if self.rng.chance(500) { "kill" } else { "power loss" });
        if self.rng.chance(300) {
            // And again, while the next start finishes what was begun.
            self.log = None;
            self.manager = None;
            self.disk.kill();
            self.open();
        }
    }

    fn delete_records(&mut self) {
        let room = (self.high_watermark - self.log_start).max(0) as u64;
        let before = self.log_start + self.rng.below(room / 4 + 1) as i64;
        self.note(format!("delete records before {before}"));
        self.log().delete_records(Offset(before)).expect("below the high watermark");
        self.log_start = self.log_start.max(before);
        self.check();
    }

    /// Not below the high watermark: what is there was replicated, and may be cleaned.
    fn truncate(&mut self) {
        let floor = self.high_watermark;
        let candidates: Vec<i64> = self.ends.iter().copied().filter(|end| *end >= floor).collect();
        if candidates.is_empty() {
            return;
        }
        let to = candidates[self.rng.below(candidates.len() as u64) as usize];
        self.note(format!("truncate to {to}"));
        self.log().truncate_to(Offset(to)).expect("nothing is wrong with the disk");
        self.cut_model(to);
        self.check();
    }

    fn cut_model(&mut self, to: i64) {
        self.records.retain(|offset, _| *offset < to);
        self.ends.retain(|end| *end <= to);
        self.end = to;
        if self.sequences.values().any(|(offset, _)| *offset >= to) {
            self.sequences = self.producers();
            self.unsure = self.sequences.keys().copied().collect();
        }
    }

    fn restart(&mut self, how: &str) {
        self.note(format!("restart: {how}"));
        let manager = self.manager.take().expect("open");
        if how == "clean" {
            manager.clean_shutdown();
        }
        self.log = None;
        drop(manager);
        match how {
            "power loss" => self.disk.lose_power(),
            _ => self.disk.kill(),
        }
        if how != "clean" && self.rng.chance(150) {
            // Everything is scanned then, gaps and all.
            let _there = self.disk.remove_file(&PathBuf::from("/data/recovery-point-offset-checkpoint"));
            self.note("the recovery points are lost".to_owned());
        }
        self.open();
        let (start, end) = (self.log().log_start_offset().0, self.log().log_end_offset().0);
        self.note(format!("found {start}..{end}, the high watermark was {}", self.high_watermark));
        assert!(end >= self.high_watermark, "acknowledged records are lost: {end}");
        assert!(end <= self.end, "nobody wrote what was found");
        assert!(how == "power loss" || end == self.end, "a killed process loses nothing that was written");
        self.cut_model(end);
        assert!(start >= self.log_start, "deleted records are back: {start}");
        self.log_start = start;
        // The first segment may be lost with what was never flushed.
        self.high_watermark = self.high_watermark.max(start);
        self.log().on_high_watermark(Offset(self.high_watermark));
        let known = self.producers();
        let mut unsure = self.unsure.clone();
        // One whose batches were deleted may be forgotten with them.
        unsure.extend(self.sequences.iter().filter(|(_, last)| last.0 < start).map(|(id, _)| *id));
        for id in unsure {
            match known.get(&id) {
                Some(last) => self.sequences.insert(id, *last),
                None => self.sequences.remove(&id),
            };
        }
        self.check();
    }

    fn producers(&self) -> BTreeMap<i64, (i64, i32)> {
        let producers = self.log().producers();
        let last = |entry: &ottla_log::producer_state::ProducerEntry| {
            entry.batches.last().map(|batch| (batch.last_offset.0, batch.last_sequence.0))
        };
        producers.iter().filter_map(|(id, entry)| Some((id.0, last(entry)?))).collect()
    }

    /// What a read_committed reader sees from `from` on, by offset.
    fn read(&self) -> BTreeMap<i64, (u64, Option<u64>)> {
        let log = self.log();
        let bound = Offset(self.end);
        let mut seen = BTreeMap::new();
        let mut from = Offset(self.log_start);
        let mut last_offset = -1;
        while from < bound {
            let max_bytes = 1 + self.rng.below(2_000) as usize;
            let slice = log
                .read(from, ReadLimits { max_bytes, bound, min_one_batch: true })
                .unwrap_or_else(|error| panic!("{error}"));
            let bytes = slice.read_bytes().expect("readable");
            if bytes.is_empty() {
                break;
            }
            let mut aborted = log.aborted_transactions(from, slice.next_offset).expect("readable");
            aborted.sort_by_key(|txn| txn.first_offset);
            let mut skipped = Vec::new();
            for batch in batches(&bytes) {
                let batch = batch.expect("whole batches are served");
                batch.verify_checksum().expect("nothing wrong is served");
                let header = *batch.header();
                assert!(header.base_offset.0 > last_offset, "offsets go back at {}", header.base_offset);
                last_offset = header.last_offset().0;
                from = header.next_offset();
                for txn in aborted.extract_if(.., |txn| txn.first_offset <= header.last_offset()) {
                    skipped.push(txn.producer_id);
                }
                if header.attributes.is_control() {
                    if EndTxnMarker::parse(&batch).is_some_and(|marker| !marker.is_commit) {
                        skipped.retain(|id| *id != header.producer_id);
                    }
                    continue;
                }
                if header.attributes.is_transactional() && skipped.contains(&header.producer_id) {
                    continue;
                }
                let mut scratch = Vec::new();
                for record in batch.records(&mut scratch).expect("opens") {
                    let record = record.expect("a record");
                    let key =
                        u64::from_be_bytes(*record.key.and_then(|key| key.first_chunk()).expect("a key"));
                    let value = record.value.map(|value| {
                        let text = String::from_utf8_lossy(value);
                        text.split(' ').next().unwrap_or_default().parse().expect("a number")
                    });
                    if record.offset.0 >= self.log_start {
                        seen.insert(record.offset.0, (key, value));
                    }
                }
            }
        }
        seen
    }

    fn check(&self) {
        let log = self.log();
        assert_eq!(log.log_end_offset().0, self.end);
        assert_eq!(log.log_start_offset().0, self.log_start);
        let seen = self.read();
        for (offset, found) in &seen {
            let stored =
                self.records.get(offset).unwrap_or_else(|| panic!("nobody wrote {offset}: {found:?}"));
            assert_eq!(*found, (stored.key, stored.value), "the record at {offset}");
            assert!(!stored.is_aborted, "the record at {offset} was aborted");
        }
        let now_ms = self.clock.wall_ms();
        for key in 0..KEYS {
            let is_of_key = |stored: &Stored| stored.key == key && !stored.is_aborted;
            let last = self.records.range(self.log_start..).rfind(|(_, stored)| is_of_key(stored));
            let last_seen = seen.iter().rfind(|(_, found)| found.0 == key).map(|(offset, _)| *offset);
            let Some((offset, stored)) = last else { continue };
            match last_seen {
                Some(last_seen) => assert_eq!(last_seen, *offset, "key {key}: lost, or an older one is back"),
                None => {
                    assert_eq!(stored.value, None, "the last value of key {key}, at {offset}, is lost");
                    let age_ms = now_ms - stored.written_ms;
                    assert!(age_ms >= DELETE_RETENTION_MS, "a tombstone is gone after {age_ms} ms");
                }
            }
        }
        // One whose last batch was deleted may be forgotten.
        for (id, known) in self.sequences.iter().filter(|(_, known)| known.0 >= self.log_start) {
            assert_eq!(self.producers().get(id), Some(known), "producer {id}");
        }
    }
}
