//! All logs of this broker: its directories, their start and stop.
//! Shell.

mod placement;
mod removal;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use ottla_env::tasks::{ThreadHandle, Worker};
use ottla_env::{Clock, Env};
use ottla_model::{Offset, TopicId, TopicPartition};
use parking_lot::{Mutex, RwLock};

use crate::background::Background;
use crate::checkpoint::{self, MetaProperties};
use crate::cleaner::{self, CleanedStats, Cleaner, CleanerFigures};
use crate::config::{CleanerSettings, LogConfig, LogManagerSettings};
use crate::error::{ChangeError, LogError, OpenError, StorageFailure};
use crate::flusher::Flusher;
use crate::load_report::{DirRecovery, LoadReport, RecoveryReport};
use crate::log_dir::{DirFailureListener, LogDir};
use crate::mover::Moves;
use crate::names;
use crate::open_files::OpenFiles;
use crate::read_turns::ReadTurns;
use crate::startup::{Settled, find_partitions, open_dir, recover, remove_clean_marker, settle_moves, tell};
use crate::unified_log::{PlaceObserver, Shared, SyncObserver, UnifiedLog};

type Logs = BTreeMap<TopicPartition, Arc<UnifiedLog>>;

pub struct LogManager {
    pub(crate) shared: Arc<Shared>,
    pub(crate) dirs: Vec<Arc<LogDir>>,
    logs: RwLock<Logs>,
    locks: Mutex<Vec<Box<dyn Any + Send + Sync>>>,
    threads: Mutex<Vec<ThreadHandle>>,
    pub(crate) background: Background,
    pub(crate) moves: Arc<Moves>,
    mover: Mutex<Option<ThreadHandle>>,
    pub(crate) is_closed: AtomicBool,
    /// The broker epoch that the mark of a clean stop says; -1: none.
    broker_epoch: AtomicI64,
    /// Directories that get no new partitions, by their places in `dirs`.
    cordoned: RwLock<BTreeSet<usize>>,
}

/// What a thread of the flusher does.
struct FlusherThread(Arc<Shared>);

impl Worker for FlusherThread {
    fn run(&self) {
        self.0.flusher.work();
    }

    fn has_work(&self) -> bool {
        self.0.flusher.has_work()
    }

    fn step(&self) {
        self.0.flusher.work_once();
    }
}

/// A directory as DescribeLogDirs shows it.
#[derive(Clone, Debug)]
pub struct DirState {
    pub path: PathBuf,
    pub total_bytes: u64,
    pub usable_bytes: u64,
    pub offline: Option<StorageFailure>,
}

impl LogManager {
    /// The clock of all logs.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.env.clock
    }

    /// Locks the directories and finds the partitions in them. After a clean stop no folder is
    /// opened; after another, all are put in order before this returns.
    pub fn open(
        env: Env,
        dirs: Vec<PathBuf>,
        settings: LogManagerSettings,
    ) -> Result<(Arc<LogManager>, RecoveryReport), OpenError> {
        if dirs.is_empty() {
            return Err(OpenError::NoDirectory);
        }
        let shared = Arc::new(Shared {
            files: OpenFiles::new(env.disk.clone(), settings.open_files_max),
            flusher: Flusher::new(settings.flusher_threads == 0),
            reads: ReadTurns::default(),
            cleaner: Cleaner::new(settings.cleaner.clone()),
            settings: settings.clone(),
            dirty: Mutex::default(),
            on_sync: OnceLock::new(),
            on_place: OnceLock::new(),
            env,
        });
        let mut report = RecoveryReport::default();
        let mut found_in_dirs = Vec::new();
        let mut locks = Vec::new();
        for path in dirs {
            let started = shared.env.clock.monotonic();
            let (dir, lock) = open_dir(&shared, &path)?;
            locks.push(lock);
            let was_clean = dir.was_clean();
            let found = find_partitions(&shared, &dir, was_clean)
                .map_err(|error| OpenError::Io { dir: path.clone(), error })?;
            let total = if was_clean { LoadReport::default() } else { recover(&shared, &found.logs) };
            remove_clean_marker(&shared, &path, was_clean)
                .map_err(|error| OpenError::Io { dir: path.clone(), error })?;
            let millis = started.until(shared.env.clock.monotonic()).as_millis() as u64;
            let recovery = DirRecovery { dir: path, was_clean, partitions: found.logs.len(), total, millis };
            tell(&recovery);
            report.dirs.push(recovery);
            found_in_dirs.push((dir, found));
        }
        let opened = found_in_dirs.iter().map(|(dir, _)| dir.clone()).collect();
        let Settled { logs, unfinished } = settle_moves(&shared, found_in_dirs)?;
        let now = shared.env.clock.monotonic();
        let manager = Arc::new(LogManager {
            shared,
            dirs: opened,
            logs: RwLock::new(logs),
            locks: Mutex::new(locks),
            threads: Mutex::default(),
            background: Background::new(now),
            moves: Arc::default(),
            mover: Mutex::default(),
            is_closed: AtomicBool::new(false),
            broker_epoch: AtomicI64::new(-1),
            cordoned: RwLock::default(),
        });
        manager.start_threads();
        manager.resume_moves(unfinished);
        Ok((manager, report))
    }

    fn start_threads(self: &Arc<Self>) {
        for _ in 0..self.shared.settings.flusher_threads {
            let worker = Arc::new(FlusherThread(self.shared.clone()));
            let thread = self.shared.env.tasks.spawn_worker("log-flusher", worker);
            self.threads.lock().push(thread);
        }
        if self.shared.settings.flusher_threads > 0 {
            // What recovery found in the page cache only.
            for log in self.shared.dirty.lock().iter() {
                log.enqueue_flush();
            }
        }
        if !self.shared.settings.is_background_on {
            return;
        }
        self.start_cleaner_threads();
        self.start_background();
    }

    fn start_cleaner_threads(&self) {
        if !self.shared.settings.is_background_on {
            return;
        }
        for _ in 0..self.shared.cleaner.take_missing_threads() {
            let shared = self.shared.clone();
            let work = Box::new(move || cleaner::work(&shared));
            self.threads.lock().push(self.shared.env.tasks.spawn_thread("log-cleaner", work));
        }
    }

    pub(crate) fn moves(&self) -> &Moves {
        &self.moves
    }

    pub(crate) fn start_mover(&self) {
        let moves = self.moves.clone();
        let mut mover = self.mover.lock();
        // The one before has nothing more to do.
        if let Some(before) = mover.take() {
            before.join();
        }
        *mover = Some(self.shared.env.tasks.spawn_thread("log-mover", Box::new(move || moves.work())));
    }

    pub(crate) fn dir_at(&self, path: &Path) -> Option<Arc<LogDir>> {
        self.dirs.iter().find(|dir| dir.path() == path).cloned()
    }

    /// What of `log.cleaner.*` changed while the broker runs. In force from the next round on, the
    /// speed at once.
    pub fn set_cleaner_settings(&self, settings: CleanerSettings) {
        if *self.shared.cleaner.settings() != settings {
            self.shared.cleaner.set_settings(settings);
            self.start_cleaner_threads();
        }
    }

    pub fn cleaner_settings(&self) -> Arc<CleanerSettings> {
        self.shared.cleaner.settings()
    }

    /// What the cleaner has done so far.
    pub fn cleaner_figures(&self) -> CleanerFigures {
        let cleaner = &self.shared.cleaner;
        let is_background_on = self.shared.settings.is_background_on;
        let wanted = if is_background_on { cleaner.settings().threads_wanted() } else { 0 };
        cleaner.figures.read(self.shared.env.clock.monotonic(), cleaner.thread_count(), wanted)
    }

    /// Does on the caller's thread what a thread of the flusher would do next; false when nothing waits.
    /// For a world that has no such threads. May block.
    pub fn flush_next(&self) -> bool {
        self.shared.flusher.work_once()
    }

    /// Cleans the compacted log that needs it most, on the caller's thread and unthrottled. `None`:
    /// none is due. May block.
    pub fn clean(&self, now_ms: i64) -> Option<CleanedStats> {
        cleaner::clean_dirtiest(&self.shared, now_ms, false)
    }

    /// The partition's log; made when there is none. Nothing is written before the first append.
    pub fn get_or_create(
        &self,
        partition: &TopicPartition,
        topic_id: TopicId,
        config: Arc<LogConfig>,
    ) -> Result<Arc<UnifiedLog>, LogError> {
        if let Some(log) = self.get(partition) {
            log.claim(config);
            if !topic_id.is_zero() && log.topic_id().is_zero() && self.never_got_its_id(&log) {
                return Err(LogError::InconsistentTopicId { expected: topic_id, found: TopicId::ZERO });
            }
            return self.with_topic_id(log, topic_id);
        }
        let (log, is_new) = {
            let mut logs = self.logs.write();
            if let Some(log) = logs.get(partition) {
                (log.clone(), false)
            } else {
                let dir = self.dir_for(partition, &logs)?;
                // The folder may be there all the same: the metadata log's is no find of a start.
                let was_clean = dir.was_clean();
                let shared = self.shared.clone();
                let log = UnifiedLog::new(partition.clone(), dir, shared, config.clone(), was_clean);
                let log = Arc::new(log);
                log.claim(config);
                logs.insert(partition.clone(), log.clone());
                (log, true)
            }
        };
        if is_new {
            self.shared.report_place(partition);
        }
        self.with_topic_id(log, topic_id)
    }

    /// A folder that says another id belongs to an earlier topic of that name.
    fn with_topic_id(&self, log: Arc<UnifiedLog>, topic_id: TopicId) -> Result<Arc<UnifiedLog>, LogError> {
        if topic_id.is_zero() {
            return Ok(log);
        }
        let mut known = *log.topic_id.lock();
        if known.is_zero() {
            known = self.read_topic_id(&log);
        }
        if known.is_zero() {
            *log.topic_id.lock() = topic_id;
        } else if known != topic_id {
            return Err(LogError::InconsistentTopicId { expected: topic_id, found: known });
        }
        Ok(log)
    }

    /// Whether a folder that a start found is without its id because the writing of it did not get to
    /// the device. The id is synced before the first record is promised: nothing in the folder was,
    /// and it may be what is left of an earlier topic of that name.
    fn never_got_its_id(&self, log: &UnifiedLog) -> bool {
        let disk = &self.shared.env.disk;
        match disk.read(&log.place().folder.join(names::PARTITION_METADATA)) {
            Ok(bytes) => checkpoint::is_unfinished_partition_metadata(&bytes),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound && disk.exists(&log.place().folder),
        }
    }

    /// The id in the folder, read without opening the rest of it.
    fn read_topic_id(&self, log: &UnifiedLog) -> TopicId {
        if log.is_loaded() {
            return log.topic_id();
        }
        let read = self.shared.env.disk.read(&log.place().folder.join(names::PARTITION_METADATA));
        read.ok()
            .and_then(|bytes| checkpoint::parse_partition_metadata(&String::from_utf8_lossy(&bytes)))
            .unwrap_or(TopicId::ZERO)
    }

    pub fn get(&self, partition: &TopicPartition) -> Option<Arc<UnifiedLog>> {
        self.logs.read().get(partition).cloned()
    }

    /// Hears how long each sync takes; plugged once, in wiring.
    pub fn on_sync(&self, observer: Arc<SyncObserver>) {
        let _first_wins = self.shared.on_sync.set(observer);
    }

    /// Hears which logs are in other directories than before; plugged once.
    pub fn on_place(&self, observer: Arc<PlaceObserver>) {
        let _first_wins = self.shared.on_place.set(observer);
    }

    /// All logs, also those that a start found and no topic has claimed yet.
    pub fn logs(&self) -> Vec<Arc<UnifiedLog>> {
        self.logs.read().values().cloned().collect()
    }

    /// Does work that waits for the disk on a thread that may, in the order in which it is given.
    pub fn run_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        self.shared.flusher.run(work);
    }

    /// High watermarks as the last `write_high_watermarks` left them.
    pub fn read_high_watermarks(&self) -> BTreeMap<TopicPartition, Offset> {
        let mut all = BTreeMap::new();
        for dir in &self.dirs {
            all.append(&mut dir.read_offsets(names::REPLICATION_CHECKPOINT));
        }
        all
    }

    /// Keeps high watermarks for the next start (`replication-offset-checkpoint`). May block.
    pub fn write_high_watermarks(
        &self,
        high_watermarks: &BTreeMap<TopicPartition, Offset>,
    ) -> Result<(), ChangeError> {
        let logs = self.logs.read().clone();
        for dir in &self.dirs {
            let of_dir: BTreeMap<TopicPartition, Offset> = high_watermarks
                .iter()
                .filter(|(partition, _)| {
                    logs.get(partition).is_some_and(|log| Arc::ptr_eq(&log.place().dir, dir))
                })
                .map(|(partition, offset)| (partition.clone(), *offset))
                .collect();
            dir.check()?;
            dir.write_offsets(names::REPLICATION_CHECKPOINT, &of_dir)?;
        }
        Ok(())
    }

    /// The broker epoch under which the last process stopped cleanly, where all directories say the same.
    pub fn previous_broker_epoch(&self) -> Option<i64> {
        let first = self.dirs.first()?.previous_broker_epoch();
        first.filter(|_| self.dirs.iter().all(|dir| dir.previous_broker_epoch() == first))
    }

    /// The directories that failed, by their places in `log.dirs`.
    pub fn offline_dirs(&self) -> Vec<usize> {
        let dirs = self.dirs.iter().enumerate();
        dirs.filter(|(_, dir)| dir.poisoned().is_some()).map(|(place, _)| place).collect()
    }

    /// The epoch that the mark of a clean stop will say.
    pub fn set_broker_epoch(&self, epoch: i64) {
        self.broker_epoch.store(epoch, Ordering::Release);
    }

    pub fn dirs(&self) -> Vec<DirState> {
        let disk = &self.shared.env.disk;
        let state = |dir: &Arc<LogDir>| {
            let space = disk.space(dir.path()).ok();
            DirState {
                path: dir.path().to_owned(),
                total_bytes: space.map_or(0, |space| space.total_bytes),
                usable_bytes: space.map_or(0, |space| space.usable_bytes),
                offline: dir.poisoned(),
            }
        };
        self.dirs.iter().map(state).collect()
    }

    /// Called once for each directory that goes offline.
    pub fn on_dir_failure(&self, listener: Arc<DirFailureListener>) {
        for dir in &self.dirs {
            dir.set_listener(listener.clone());
        }
    }

    /// Who the directory belongs to, as its `meta.properties` says.
    pub fn meta_properties(&self, dir: &Path) -> std::io::Result<Option<MetaProperties>> {
        match self.shared.env.disk.read(&dir.join(names::META_PROPERTIES)) {
            Ok(bytes) => Ok(MetaProperties::parse(&String::from_utf8_lossy(&bytes))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub fn write_meta_properties(&self, dir: &Path, properties: &MetaProperties) -> std::io::Result<()> {
        self.shared
            .env
            .disk
            .write_atomically(&dir.join(names::META_PROPERTIES), properties.write().as_bytes())
    }

    /// Flushes and closes everything; the next start has nothing to recover. No appends may come
    /// after it. May block.
    pub fn clean_shutdown(&self) {
        if self.is_closed.swap(true, Ordering::AcqRel) {
            return;
        }
        self.background.end();
        self.shared.cleaner.close();
        self.moves.close();
        if let Some(mover) = self.mover.lock().take() {
            mover.join();
        }
        for log in self.logs().into_iter().filter(|log| log.is_loaded()) {
            self.shared.flusher.run(Box::new(move || {
                if let Err(failure) = log.close() {
                    tracing::warn!(partition = %log.partition(), %failure, "not closed cleanly");
                }
            }));
        }
        // Beside the threads, and in their place in a world that has none.
        while self.flush_next() {}
        self.shared.flusher.close();
        for thread in std::mem::take(&mut *self.threads.lock()) {
            thread.join();
        }
        for dir in &self.dirs {
            if dir.poisoned().is_some() || dir.write_recovery_points().is_err() {
                continue;
            }
            let marker = dir.path().join(names::CLEAN_SHUTDOWN);
            let epoch = self.broker_epoch.load(Ordering::Acquire);
            let mark = format!("{{\"version\":0,\"brokerEpoch\":{epoch}}}");
            let written = self.shared.env.disk.write_atomically(&marker, mark.as_bytes());
            if let Err(error) = written {
                tracing::warn!(dir = %dir.path().display(), %error, "no mark of a clean stop; the next start recovers");
            }
        }
        self.locks.lock().clear();
    }
}

impl Drop for LogManager {
    /// As after a crash, but without leaving threads behind.
    fn drop(&mut self) {
        self.shared.cleaner.close();
        self.moves.close();
        self.shared.flusher.close();
        // They hold what holds them.
        drop(std::mem::take(&mut *self.shared.dirty.lock()));
    }
}
