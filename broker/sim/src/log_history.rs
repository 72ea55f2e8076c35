//! Histories of one log on a disk that forgets, tears, fails and fills up, against a plain model.
//! Shell.
//!
//! The rule: what was acknowledged (flushed) is readable, exactly; what was not is absent or
//! whole, and nothing comes after something absent. Deleted records stay deleted, truncated ones
//! truncated; leader epochs and producers are those of the records that are there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_env::memory::{Faults, FaultyDisk, MemoryClock, NoNet, SeededRng, ThreadTasks};
use ottla_env::{Clock, Env};
use ottla_log::{
    AppendError, AppendOrigin, CleanupPolicy, LogConfig, LogError, LogManager, LogManagerSettings,
    ReadLimits, UnifiedLog,
};
use ottla_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TopicId, TopicPartition};
use ottla_records::{BatchBuilder, Codec, batches};

/// One batch as the model remembers it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Stored {
    base: i64,
    values: Vec<u64>,
    epoch: i32,
    producer: Option<(i64, i32)>,
}

impl Stored {
    fn end(&self) -> i64 {
        self.base + self.values.len() as i64
    }
}

/// A log, the world it lives in, and what must be true of it.
pub struct LogHistory {
    rng: SeededRng,
    disk: FaultyDisk,
    clock: MemoryClock,
    manager: Option<Arc<LogManager>>,
    log: Option<Arc<UnifiedLog>>,
    batches: Vec<Stored>,
    /// A batch whose append failed: there or not after a restart.
    uncertain: Option<Stored>,
    /// Everything below was acknowledged.
    flushed: i64,
    log_start: i64,
    end: i64,
    epoch: i32,
    next_value: u64,
    sequences: BTreeMap<i64, i32>,
    pub trace: Vec<String>,
}

impl LogHistory {
    pub fn new(seed: u64) -> LogHistory {
        let mut history = LogHistory {
            rng: SeededRng::new(seed),
            disk: FaultyDisk::new(seed ^ 0x5eed),
            clock: MemoryClock::new(1_700_000_000_000),
            manager: None,
            log: None,
            batches: Vec::new(),
            uncertain: None,
            flushed: 0,
            log_start: 0,
            end: 0,
            epoch: 0,
            next_value: 0,
            sequences: BTreeMap::new(),
            trace: Vec::new(),
        };
        history.open();
        history
    }

    /// Plays `steps` random steps and checks after each restart and at the end.
    pub fn play(&mut self, steps: usize) {
        for _ in 0..steps {
            self.clock.advance(Duration::from_millis(self.rng.below(2_000)));
            match self.rng.below(100) {
                0..45 => self.append(),
                45..60 => self.flush(),
                60..66 => self.background(),
                66..72 => self.check_random_read(),
                72..76 => self.truncate(),
                76..80 => self.delete_records(),
                80..83 => self.retain(),
                83..86 => self.restart("clean"),
                86..90 => self.restart("kill"),
                90..96 => self.restart("power loss"),
                _ => self.fail_something(),
            }
        }
        self.check_everything();
    }

    fn log(&self) -> &Arc<UnifiedLog> {
        self.log.as_ref().expect("open between steps")
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
            reserve_bytes: 64,
            background_flush_ms: 1_000,
            checkpoint_interval_ms: 2_000,
            ..LogManagerSettings::default()
        };
        let (manager, _report) =
            LogManager::open(env, vec![PathBuf::from("/data")], settings).expect("the directory opens");
        let partition = TopicPartition::parse("history-0").expect("a partition");
        let config = LogConfig {
            segment_bytes: 600 + self.rng.below(1_200),
            index_interval_bytes: 1 + self.rng.below(300),
            retention_ms: -1,
            cleanup_policy: CleanupPolicy { delete: true, compact: false },
            ..LogConfig::default()
        };
        let id = TopicId(uuid::Uuid::from_u128(1 << 64));
        let config = Arc::new(config);
        let log = match manager.get_or_create(&partition, id, config.clone()) {
            // What never got its id to the device never promised anything: it is begun again.
            Err(LogError::InconsistentTopicId { found, .. }) if found.is_zero() => {
                assert!(self.flushed <= self.log_start, "a folder of acknowledged records has an id");
                manager.delete(&partition).expect("deleted");
                (self.log_start, self.flushed) = (0, 0);
                manager.get_or_create(&partition, id, config)
            }
            opened => opened,
        };
        let log = log.expect("the log opens");
        self.manager = Some(manager);
        self.log = Some(log);
    }

    fn next_batch(&mut self) -> (Stored, Bytes) {
        let producer = self.rng.chance(500).then(|| 1 + self.rng.below(3) as i64);
        let count = 1 + self.rng.below(3) as usize;
        let codec = if self.rng.chance(200) { Codec::Lz4(9) } else { Codec::None };
        let mut builder = BatchBuilder::new().codec(codec);
        let mut producer_state = None;
        if let Some(id) = producer {
            let sequence = self.sequences.get(&id).map_or(0, |last| last + 1);
            builder = builder.producer(ProducerId(id), ProducerEpoch(0), Sequence(sequence));
            producer_state = Some((id, sequence + count as i32 - 1));
        }
        let mut values = Vec::new();
        let padding = vec![b'.'; self.rng.below(120) as usize];
        for _ in 0..count {
            let value = self.next_value;
            self.next_value += 1;
            values.push(value);
            let mut text = value.to_string().into_bytes();
            text.push(b' ');
            text.extend_from_slice(&padding);
            builder.append(self.clock.wall_ms(), Some(b"k"), Some(&text), &[]);
        }
        if self.rng.chance(50) {
            self.epoch += 1;
        }
        let stored = Stored { base: self.end, values, epoch: self.epoch, producer: producer_state };
        (stored, builder.build())
    }

    fn append(&mut self) {
        let (stored, bytes) = self.next_batch();
        self.note(format!("append {stored:?}"));
        let appended =
            self.log().append(bytes, LeaderEpoch(stored.epoch), AppendOrigin::Client, self.clock.wall_ms());
        match appended {
            Ok(info) => {
                assert_eq!(info.base_offset.0, stored.base, "an append gets the next offset");
                assert!(!info.duplicate);
                self.take_in(stored);
            }
            Err(AppendError::NoSpace(_)) => {
                assert_eq!(self.log().log_end_offset().0, self.end, "a refused append leaves no trace");
            }
            Err(AppendError::Storage(_)) => {
                if self.uncertain.is_none() {
                    self.uncertain = Some(stored);
                }
            }
            Err(error) => panic!("append refused: {error}"),
        }
    }

    fn take_in(&mut self, stored: Stored) {
        self.end = stored.end();
        if let Some((id, last)) = stored.producer {
            self.sequences.insert(id, last);
        }
        self.batches.push(stored);
    }

    fn flush(&mut self) {
        if let Ok(flushed) = self.log().flush() {
            assert_eq!(flushed.0, self.end, "a flush reaches the end of the log");
            self.flushed = self.end;
            self.note(format!("flushed {flushed}"));
        } else {
            self.note("flush failed".to_owned());
        }
    }

    fn background(&mut self) {
        self.note("background".to_owned());
        self.manager.as_ref().expect("open").tick();
        let flushed = self.log().flushed_offset().0;
        assert!(flushed >= self.flushed, "what was flushed stays flushed");
        self.flushed = flushed;
    }

    fn truncate(&mut self) {
        if self.end == 0 {
            return;
        }
        // Anywhere, but mostly near the end, as followers do.
        let back = if self.rng.chance(200) { self.end } else { 10.min(self.end) };
        let to = self.end - self.rng.below(back as u64 + 1) as i64;
        let to = self.batches.iter().find(|batch| batch.end() > to).map_or(to, |batch| batch.base.min(to));
        if to < self.log_start {
            return;
        }
        self.note(format!("truncate to {to}"));
        if self.log().truncate_to(Offset(to)).is_err() {
            return;
        }
        self.cut_model(to);
        self.check_everything();
    }

    fn cut_model(&mut self, to: i64) {
        self.batches.retain(|batch| batch.end() <= to);
        self.end = to;
        self.flushed = self.flushed.min(to);
        self.sequences.clear();
        for batch in &self.batches {
            if let Some((id, last)) = batch.producer {
                self.sequences.insert(id, last);
            }
        }
    }

    fn delete_records(&mut self) {
        let before = self.log_start + self.rng.below((self.end - self.log_start) as u64 + 1) as i64;
        self.note(format!("delete records before {before}"));
        if self.log().delete_records(Offset(before)).is_ok() {
            self.log_start = self.log_start.max(before);
            self.check_everything();
        }
    }

    fn retain(&mut self) {
        let config = (*self.log().config()).clone();
        let bytes = self.rng.below(4_000) as i64;
        self.note(format!("retain {bytes} bytes"));
        self.log().set_config(Arc::new(LogConfig { retention_bytes: bytes, ..config }));
        if self.log().run_retention(self.clock.wall_ms()).is_ok() {
            self.log_start = self.log_start.max(self.log().log_start_offset().0);
        }
    }

    /// Something goes wrong for a few steps; if it took the directory offline, the machine restarts.
    fn fail_something(&mut self) {
        let kind = self.rng.below(3);
        let faults = match kind {
            0 => Faults { write_is_full: 1000, ..Faults::default() },
            1 => Faults { write_fails: 400, ..Faults::default() },
            _ => Faults { sync_fails: 600, ..Faults::default() },
        };
        self.note(format!("faults {faults:?}"));
        self.disk.set_faults(faults);
        for _ in 0..self.rng.below(6) {
            if self.rng.chance(700) { self.append() } else { self.flush() }
        }
        self.disk.set_faults(Faults::default());
        self.note("faults end".to_owned());
        let is_offline = self.manager.as_ref().expect("open").dirs()[0].offline.is_some();
        if is_offline {
            self.restart("power loss");
        }
    }

    fn restart(&mut self, how: &str) {
        self.note(format!("restart: {how}"));
        let manager = self.manager.take().expect("open");
        if how == "clean" {
            manager.clean_shutdown();
            self.flushed = self.end;
        }
        self.log = None;
        drop(manager);
        match how {
            "power loss" => self.disk.lose_power(),
            _ => self.disk.kill(),
        }
        self.open();
        let (start, end) = (self.log().log_start_offset().0, self.log().log_end_offset().0);
        self.note(format!("found {start}..{end}, flushed was {}", self.flushed));
        assert!(end >= self.flushed, "acknowledged records are lost: {end} < {}", self.flushed);
        if how != "power loss" && self.uncertain.is_none() {
            assert_eq!(end, self.end, "a killed process loses nothing that was written");
        }
        if end > self.end {
            let uncertain = self.uncertain.take().expect("nobody wrote what was found");
            assert_eq!(end, uncertain.end(), "a batch is absent or whole");
            self.take_in(uncertain);
        }
        self.uncertain = None;
        self.cut_model(end);
        // What was found may be in the page cache only; a power loss can take it still.
        self.flushed = self.log().flushed_offset().0;
        assert!(start >= self.log_start, "deleted records are back: {start} < {}", self.log_start);
        self.log_start = start;
        self.check_everything();
    }

    fn check_random_read(&mut self) {
        if self.end == self.log_start {
            return;
        }
        let from = self.log_start + self.rng.below((self.end - self.log_start) as u64) as i64;
        let max_bytes = 1 + self.rng.below(2_000) as usize;
        self.check_read(from, max_bytes);
    }

    /// Reads once from `from`; returns where to go on.
    fn check_read(&self, from: i64, max_bytes: usize) -> i64 {
        let limits = ReadLimits { max_bytes, bound: Offset(self.end), min_one_batch: true };
        let slice = self.log().read(Offset(from), limits).unwrap_or_else(|error| panic!("{error}"));
        let bytes = slice.read_bytes().expect("readable");
        let mut expected = self.batches.iter().skip_while(|batch| batch.end() <= from);
        let mut next = from;
        for batch in batches(&bytes) {
            let batch = batch.expect("whole batches are served");
            batch.verify_checksum().expect("nothing wrong is served");
            let mut scratch = Vec::new();
            let values: Vec<u64> = batch
                .records(&mut scratch)
                .expect("opens")
                .map(|record| {
                    let value = record.expect("a record").value.unwrap_or_default();
                    let text = String::from_utf8_lossy(value);
                    text.split(' ').next().unwrap_or_default().parse().expect("a number")
                })
                .collect();
            let expected = expected.next().expect("no record that nobody wrote");
            assert_eq!((batch.header().base_offset.0, &values), (expected.base, &expected.values));
            assert_eq!(batch.header().leader_epoch.0, expected.epoch);
            next = batch.header().next_offset().0;
        }
        assert!(next > from, "a read from {from} below the end {} makes progress", self.end);
        next
    }

    fn check_everything(&self) {
        let log = self.log();
        assert_eq!(log.log_end_offset().0, self.end);
        assert_eq!(log.log_start_offset().0, self.log_start);
        let mut from = self.log_start;
        while from < self.end {
            from = self.check_read(from, 1_000);
        }
        let readable: Vec<&Stored> =
            self.batches.iter().filter(|batch| batch.end() > self.log_start).collect();
        if let Some(last) = readable.last() {
            assert_eq!(log.latest_epoch(), Some(LeaderEpoch(last.epoch)), "the last record's epoch");
        }
        let producers: BTreeMap<i64, i32> =
            log.producers().iter().map(|(id, entry)| (id.0, entry.last_sequence().0)).collect();
        for batch in readable {
            if let Some((id, _)) = batch.producer {
                assert_eq!(producers.get(&id), self.sequences.get(&id), "producer {id}");
            }
        }
    }
}
