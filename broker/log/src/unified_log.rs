//! One partition's log: what the rest of the process holds of it.
//! Shell. Its operations are beside this file: `append`, `read`, `flush`, `truncate`, `retention`, `lookup`,
//! `recovery`, `close`. What they change is in parts, each with one file that alone touches its fields: `bounds`,
//! `segment_list`, `producers` and `epochs` are shared with readers; `active_segment` and `flush_state` are the
//! writer's own (`writer`).
//!
//! Invariants:
//! - I1. The bytes of every batch below the log's end are written.
//! - I2. Below the flushed offset everything is on the device.
//! - I3. The writer's lock is never held while a file is synced, except to truncate or to move the log.
//! - I4. Readers take no lock that is held while a file is written or synced (`tests/readers.rs`).

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use ottla_env::Env;
use ottla_model::{LeaderEpoch, Offset, ProducerId, TopicId, TopicPartition};
use parking_lot::{Mutex, RwLock};

use crate::bounds::Bounds;
use crate::checkpoint::EpochEntry;
use crate::cleaner::{Cleaner, CleaningMark};
use crate::config::{LogConfig, LogManagerSettings};
use crate::damage::is_damage;
use crate::epochs::Epochs;
use crate::error::{AppendError, ReadError, StorageFailure};
use crate::flusher::{FlushListener, FlushTurn, Flusher};
use crate::load_report::LoadReport;
use crate::log_dir::LogDir;
use crate::open_files::OpenFiles;
use crate::place::Place;
use crate::producer_state::ProducerEntry;
use crate::producers::Producers;
use crate::read_turns::ReadTurns;
use crate::segment_list::SegmentList;
use crate::verification::{FirstBatch, Verification};
use crate::writer_lock::WriterLock;

/// What every log of a manager shares.
pub(crate) struct Shared {
    pub env: Env,
    pub files: OpenFiles,
    pub settings: LogManagerSettings,
    pub flusher: Flusher,
    pub reads: ReadTurns,
    pub cleaner: Cleaner,
    /// Logs with something to flush or to checkpoint.
    pub dirty: Mutex<Vec<Arc<UnifiedLog>>>,
    /// Called with how long each sync took.
    pub on_sync: OnceLock<Arc<SyncObserver>>,
    /// Called when a log is given a directory, at first or for another.
    pub on_place: OnceLock<Arc<PlaceObserver>>,
}

/// Hears how long a sync of one log took.
pub type SyncObserver = dyn Fn(Duration) + Send + Sync;

/// Hears that the log of a partition is in a directory that it was not in before. May hold up appends: it only takes note.
pub type PlaceObserver = dyn Fn(&TopicPartition) + Send + Sync;

impl Shared {
    pub fn report_place(&self, partition: &TopicPartition) {
        if let Some(observer) = self.on_place.get() {
            observer(partition);
        }
    }
}

pub struct UnifiedLog {
    pub(crate) partition: TopicPartition,
    place: ArcSwap<Place>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) config: ArcSwap<LogConfig>,
    pub(crate) topic_id: Mutex<TopicId>,
    /// Whether the last stop left this folder in order.
    pub(crate) was_clean: bool,
    is_loaded: AtomicBool,
    /// Why nothing of this log is served: its bytes are damaged where they were on the device.
    damage: OnceLock<StorageFailure>,
    is_deleted: AtomicBool,
    /// A topic claimed this log, with its configuration. One that a start found and no topic claimed
    /// has none of its own: nothing is removed by a default that may not be its topic's.
    is_claimed: AtomicBool,
    /// An aborted transaction is missing in the index of those: its directory is offline.
    pub(crate) lacks_aborted: AtomicBool,
    /// Whether `shared.dirty` knows of this log.
    pub(crate) is_dirty: AtomicBool,
    pub(crate) bounds: Bounds,
    /// The first leader epoch that may append; changed with the writer's lock held.
    pub(crate) appends_from: AtomicI32,
    pub(crate) segments: SegmentList,
    pub(crate) producers: Producers,
    pub(crate) epochs: Epochs,
    pub(crate) writer: WriterLock,
    pub(crate) flush_turn: FlushTurn,
    pub(crate) cleaning: CleaningMark,
    pub(crate) flush_listener: RwLock<Option<Arc<dyn FlushListener>>>,
}

impl UnifiedLog {
    pub(crate) fn new(
        partition: TopicPartition,
        dir: Arc<LogDir>,
        shared: Arc<Shared>,
        config: Arc<LogConfig>,
        was_clean: bool,
    ) -> UnifiedLog {
        let place = ArcSwap::from_pointee(Place::new(dir, &partition));
        UnifiedLog {
            partition,
            place,
            shared,
            config: ArcSwap::new(config),
            topic_id: Mutex::new(TopicId::ZERO),
            was_clean,
            is_loaded: AtomicBool::new(false),
            damage: OnceLock::new(),
            is_deleted: AtomicBool::new(false),
            is_claimed: AtomicBool::new(false),
            lacks_aborted: AtomicBool::new(false),
            is_dirty: AtomicBool::new(false),
            bounds: Bounds::default(),
            appends_from: AtomicI32::new(0),
            segments: SegmentList::default(),
            producers: Producers::default(),
            epochs: Epochs::default(),
            writer: WriterLock::default(),
            flush_turn: FlushTurn::default(),
            cleaning: CleaningMark::default(),
            flush_listener: RwLock::new(None),
        }
    }

    pub fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// The log directory that holds the partition's folder.
    pub fn dir(&self) -> PathBuf {
        self.place().dir.path().to_owned()
    }

    /// Where the files are. Who holds the files or the writer's lock finds them there; for others they may
    /// have moved by the time they look.
    #[inline]
    pub(crate) fn place(&self) -> Guard<Arc<Place>> {
        self.place.load()
    }

    /// Under the files' and the writer's lock.
    pub(crate) fn set_place(&self, place: Arc<Place>) {
        self.place.store(place);
    }

    /// Whether the log directory failed.
    pub fn is_dir_offline(&self) -> bool {
        self.place().dir.poisoned().is_some()
    }

    pub fn config(&self) -> Arc<LogConfig> {
        self.config.load_full()
    }

    /// Whether the configuration is the topic's own.
    pub(crate) fn is_claimed(&self) -> bool {
        self.is_claimed.load(Ordering::Acquire)
    }

    pub(crate) fn claim(self: &Arc<Self>, config: Arc<LogConfig>) {
        self.set_config(config);
        self.is_claimed.store(true, Ordering::Release);
    }

    /// In force from the next operation on.
    pub fn set_config(self: &Arc<Self>, config: Arc<LogConfig>) {
        self.config.store(config);
        self.note_cleanable();
    }

    /// `ZERO` when neither the folder nor a topic said one.
    pub fn topic_id(&self) -> TopicId {
        *self.topic_id.lock()
    }

    /// Reads the folder on first use. Cheap once that is done.
    #[inline]
    pub(crate) fn ensure_loaded(&self) -> Result<(), StorageFailure> {
        if self.is_loaded.load(Ordering::Acquire) { Ok(()) } else { self.load_now() }
    }

    #[cold]
    fn load_now(&self) -> Result<(), StorageFailure> {
        self.try_load().map(|_| ())
    }

    fn try_load(&self) -> Result<LoadReport, StorageFailure> {
        let mut writer = self.writer.lock();
        if self.is_loaded.load(Ordering::Acquire) {
            return Ok(LoadReport::default());
        }
        self.place().dir.check()?;
        if let Some(damage) = self.damage.get() {
            return Err(damage.clone());
        }
        let report = self.load(&mut writer).map_err(|error| self.load_failed(&error))?;
        self.is_loaded.store(true, Ordering::Release);
        Ok(report)
    }

    /// Damage closes this log alone, until a restart; a failed read its whole directory.
    fn load_failed(&self, error: &std::io::Error) -> StorageFailure {
        if !is_damage(error) {
            return self.place().dir.fail(&format!("reading {}", self.place().folder.display()), error);
        }
        tracing::error!("{} is not served: {error}", self.partition);
        let failure = StorageFailure { dir: self.place().folder.clone(), reason: error.to_string() };
        self.damage.get_or_init(|| failure).clone()
    }

    /// For a start after an unclean stop. A folder that can't be read has taken its directory
    /// offline, which every request for it gets as its answer.
    pub(crate) fn load_and_report(&self) -> LoadReport {
        self.try_load().unwrap_or_default()
    }

    pub(crate) fn is_loaded(&self) -> bool {
        self.is_loaded.load(Ordering::Acquire)
    }

    /// A log whose folder can't be read reports an empty range; every operation on it then says
    /// that the directory is offline.
    fn loaded(&self) {
        if let Err(failure) = self.ensure_loaded() {
            tracing::debug!(partition = %self.partition, %failure, "log is not readable");
        }
    }

    /// The first offset that may be read.
    pub fn log_start_offset(&self) -> Offset {
        self.loaded();
        self.bounds.log_start()
    }

    /// The first offset that may be read from this disk. Records before it, if there are any, are
    /// elsewhere: it is the log's start until there is tiered storage.
    pub fn local_log_start_offset(&self) -> Offset {
        self.loaded();
        self.bounds.local_start()
    }

    /// The offset that the next record gets.
    #[inline]
    pub fn log_end_offset(&self) -> Offset {
        self.loaded();
        self.bounds.log_end()
    }

    /// Below it every record is on the device.
    #[inline]
    pub fn flushed_offset(&self) -> Offset {
        self.loaded();
        self.bounds.flushed()
    }

    /// Below it a restart scans nothing; as of now that is what was flushed.
    pub fn recovery_point(&self) -> Offset {
        self.flushed_offset()
    }

    /// The first offset that a read_committed reader may not pass because of an open transaction,
    /// or of one whose marker is not below the high watermark.
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        self.loaded();
        let first = self.producers.first_unstable_offset()?;
        Some(first.max(self.bounds.log_start()))
    }

    /// Where read_committed readers stop, given the high watermark.
    pub fn last_stable_offset(&self, high_watermark: Offset) -> Offset {
        self.first_unstable_offset().map_or(high_watermark, |first| first.min(high_watermark))
    }

    /// Reported by the replica room: what lies below is on every in-sync replica. Old segments above
    /// it are not deleted, and ended transactions below it stop holding readers back.
    pub fn on_high_watermark(&self, high_watermark: Offset) {
        self.bounds.set_high_watermark(high_watermark);
        self.producers.on_high_watermark(high_watermark);
    }

    pub(crate) fn deletable_below(&self) -> Offset {
        self.bounds.deletable_below()
    }

    /// Bytes of all segments.
    pub fn size_bytes(&self) -> u64 {
        self.loaded();
        self.segments.load().iter().map(|segment| segment.size_bytes()).sum()
    }

    pub fn segment_count(&self) -> usize {
        self.loaded();
        self.segments.load().len()
    }

    /// Which epochs have records here, and from which offset on.
    pub fn leader_epochs(&self) -> Vec<EpochEntry> {
        self.loaded();
        self.epochs.load().entries().to_vec()
    }

    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.loaded();
        self.epochs.latest().map(|entry| entry.epoch)
    }

    /// The largest epoch not above `epoch` and where its records end; `None` when the log does not
    /// know (OffsetForLeaderEpoch then answers -1/-1).
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        self.loaded();
        // The epochs first: an end that is read after them is behind the start of each.
        let epochs = self.epochs.load();
        epochs.end_offset_for(epoch, self.log_end_offset())
    }

    /// Notes that `epoch` starts at the end of the log, before its first record
    /// (`maybeAssignEpochStartOffset` of a new leader).
    pub fn assign_epoch(&self, epoch: LeaderEpoch) {
        self.loaded();
        let mut writer = self.writer.lock();
        let end = self.bounds.log_end();
        self.epochs.assign(&mut writer.turn, epoch, end);
    }

    /// Refuses appends of leader epochs before `epoch` from now on; those that were let in are complete.
    pub fn fence_appends_before(&self, epoch: LeaderEpoch) {
        let _writer = self.writer.lock();
        self.appends_from.fetch_max(epoch.0, Ordering::AcqRel);
    }

    /// For DescribeProducers.
    pub fn producers(&self) -> Vec<(ProducerId, ProducerEntry)> {
        self.loaded();
        self.producers.read(|state| state.entries().map(|(id, entry)| (id, entry.clone())).collect())
    }

    /// Forgets a producer, as its expiry does (`producer.id.expiration.ms`). `None` where it is not known; false where a
    /// transaction of it is open, which keeps it.
    pub fn forget_producer(&self, id: ProducerId) -> Option<bool> {
        self.loaded();
        let mut writer = self.writer.lock();
        self.producers.change(&mut writer.turn, |state| state.forget(id))
    }

    /// What a transactional write needs before it is appended (KIP-890): nothing, where the transaction has a
    /// batch here; else the word of its coordinator, which is asked after this.
    pub fn begin_verification(&self, batch: &FirstBatch, now_ms: i64) -> Verification {
        self.loaded();
        self.producers.begin_verification(batch, now_ms)
    }

    /// Whether the producer has an open transaction here.
    pub fn has_ongoing_transaction(&self, id: ProducerId) -> bool {
        self.loaded();
        self.producers
            .read(|state| state.entry(id).is_some_and(|entry| entry.current_txn_first_offset.is_some()))
    }

    pub(crate) fn mark_deleted(&self) {
        self.is_deleted.store(true, Ordering::Release);
    }

    pub fn is_deleted(&self) -> bool {
        self.is_deleted.load(Ordering::Acquire)
    }

    pub(crate) fn check_readable(&self) -> Result<(), ReadError> {
        if self.is_deleted() {
            return Err(ReadError::Deleted);
        }
        Ok(self.ensure_loaded()?)
    }

    pub(crate) fn check_writable(&self) -> Result<(), AppendError> {
        if self.is_deleted() {
            return Err(AppendError::Deleted);
        }
        self.place().dir.check()?;
        Ok(self.ensure_loaded()?)
    }

    /// Puts the log on the list of those to flush and checkpoint.
    pub(crate) fn mark_dirty(self: &Arc<Self>) {
        if !self.is_dirty.swap(true, Ordering::AcqRel) {
            self.shared.dirty.lock().push(self.clone());
        }
    }
}
