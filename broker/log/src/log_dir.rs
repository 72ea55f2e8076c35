//! One log directory: whether it may still be written, its reserve, and its checkpoint files.
//! Shell.
//!
//! Invariants:
//! - I1. After a failed write or sync nothing more is written here: a retry could report success
//!   for bytes that the kernel has already dropped.
//! - I2. A full device is no failure: the write is taken back, and the next one may succeed.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use ottla_env::{Disk, OpenMode};
use ottla_model::{Offset, TopicPartition};
use parking_lot::Mutex;

use crate::checkpoint;
use crate::error::StorageFailure;
use crate::names;

/// Called once when a directory goes offline: the directory and why.
pub type DirFailureListener = dyn Fn(&Path, &str) + Send + Sync;

type Offsets = BTreeMap<TopicPartition, Offset>;

pub struct LogDir {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    poison: OnceLock<String>,
    is_full: AtomicBool,
    reserve_bytes: u64,
    listener: OnceLock<Arc<DirFailureListener>>,
    recovery_points: Mutex<Points>,
    log_starts: Mutex<Offsets>,
    /// Below it a log has been cleaned.
    cleaned: Mutex<Offsets>,
    folders_made: AtomicU64,
    /// Of those, how many are surely on the device.
    folders_synced: Mutex<u64>,
    /// The last process left nothing to recover here.
    was_clean: bool,
    /// The broker epoch under which the last process stopped cleanly, if it had one.
    previous_broker_epoch: Option<i64>,
}

#[derive(Default)]
struct Points {
    current: Offsets,
    /// What the file on disk says.
    written: Offsets,
}

/// What the mark of a clean stop says (`CleanShutdownFileHandler`); -1 is a broker that had no epoch.
fn clean_epoch(disk: &dyn Disk, mark: &Path) -> Option<i64> {
    let text = disk.read(mark).ok()?;
    let mark: serde_json::Value = serde_json::from_slice(&text).ok()?;
    mark.get("brokerEpoch")?.as_i64().filter(|epoch| *epoch >= 0)
}

/// Why the device took a write back.
pub enum WriteFailure {
    NoSpace(String),
    Storage(StorageFailure),
}

impl LogDir {
    pub fn new(path: PathBuf, disk: Arc<dyn Disk>, reserve_bytes: u64) -> LogDir {
        let mark = path.join(names::CLEAN_SHUTDOWN);
        let was_clean = disk.exists(&mark);
        let previous_broker_epoch = if was_clean { clean_epoch(&*disk, &mark) } else { None };
        LogDir {
            path,
            disk,
            poison: OnceLock::new(),
            is_full: AtomicBool::new(false),
            reserve_bytes,
            listener: OnceLock::new(),
            recovery_points: Mutex::default(),
            log_starts: Mutex::default(),
            cleaned: Mutex::default(),
            folders_made: AtomicU64::new(1),
            folders_synced: Mutex::new(0),
            was_clean,
            previous_broker_epoch,
        }
    }

    /// The broker epoch under which the last process stopped cleanly, if it had one.
    pub fn previous_broker_epoch(&self) -> Option<i64> {
        self.previous_broker_epoch
    }

    pub fn was_clean(&self) -> bool {
        self.was_clean
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn set_listener(&self, listener: Arc<DirFailureListener>) {
        // Plugged once, in wiring; a second one is ignored.
        let _first_wins = self.listener.set(listener);
    }

    /// Why the directory is offline, if it is.
    pub fn poisoned(&self) -> Option<StorageFailure> {
        self.poison.get().map(|reason| StorageFailure { dir: self.path.clone(), reason: reason.clone() })
    }

    #[inline]
    pub fn check(&self) -> Result<(), StorageFailure> {
        match self.poisoned() {
            None => Ok(()),
            Some(failure) => Err(failure),
        }
    }

    /// Takes the directory offline. Returns what every request gets from now on.
    pub fn fail(&self, what: &str, error: &io::Error) -> StorageFailure {
        let mut is_first = false;
        let reason = self.poison.get_or_init(|| {
            is_first = true;
            format!("{what}: {error}")
        });
        if is_first {
            tracing::error!(dir = %self.path.display(), %reason, "log directory is offline; nothing more is acknowledged from it");
            if let Some(listener) = self.listener.get() {
                listener(&self.path, reason);
            }
        }
        StorageFailure { dir: self.path.clone(), reason: reason.clone() }
    }

    /// A folder was made here; `sync_folders` with the number returned makes its name durable.
    pub fn note_folder(&self) -> u64 {
        self.folders_made.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// One sync for all folders made before it.
    pub fn sync_folders(&self, number: u64) -> io::Result<()> {
        let mut synced = self.folders_synced.lock();
        if *synced >= number {
            return Ok(());
        }
        let made = self.folders_made.load(Ordering::Acquire);
        self.disk.sync_dir(&self.path)?;
        *synced = made;
        Ok(())
    }

    /// Sorts a failed write: a full device, or the end of this directory.
    pub fn write_failed(&self, what: &str, error: &io::Error) -> WriteFailure {
        if is_full(error) {
            WriteFailure::NoSpace(self.on_full())
        } else {
            WriteFailure::Storage(self.fail(what, error))
        }
    }

    fn on_full(&self) -> String {
        if !self.is_full.swap(true, Ordering::Relaxed) {
            tracing::warn!(dir = %self.path.display(), "the device is full: writes are refused until there is room");
            // Given back so that deletes, truncations and the cluster's own records can go on.
            if self.reserve_bytes > 0
                && let Err(error) = self.disk.remove_file(&self.path.join(names::RESERVE))
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(dir = %self.path.display(), %error, "the reserve could not be given back");
            }
        }
        self.full_text()
    }

    fn full_text(&self) -> String {
        format!("no space left on the device of log directory {}", self.path.display())
    }

    /// Whether a client's write of so many bytes may be tried. On a full device it is not, until
    /// there is room for it and for the reserve.
    #[inline]
    pub fn admit(&self, bytes: u64) -> Result<(), String> {
        if !self.is_full.load(Ordering::Relaxed) || self.find_room(bytes) {
            return Ok(());
        }
        Err(self.full_text())
    }

    /// Whether room may be claimed for bytes that are only likely to come: they must be few against
    /// what is left.
    pub fn may_reserve(&self, bytes: u64) -> bool {
        !self.is_full.load(Ordering::Relaxed)
            && self.disk.space(&self.path).is_ok_and(|space| space.usable_bytes / 256 >= bytes)
    }

    fn find_room(&self, bytes: u64) -> bool {
        let Ok(space) = self.disk.space(&self.path) else { return false };
        if space.usable_bytes < bytes + 2 * self.reserve_bytes {
            return false;
        }
        if self.make_reserve().is_err() {
            return false;
        }
        self.is_full.store(false, Ordering::Relaxed);
        tracing::info!(dir = %self.path.display(), "the device has room again");
        true
    }

    /// Claims the reserve; without room for it the directory counts as full from the start.
    pub fn prepare_reserve(&self) {
        if self.reserve_bytes > 0
            && let Err(error) = self.make_reserve()
        {
            if is_full(&error) {
                self.on_full();
            } else {
                tracing::warn!(dir = %self.path.display(), %error, "no reserve for a full disk could be made");
            }
        }
    }

    fn make_reserve(&self) -> io::Result<()> {
        if self.reserve_bytes == 0 {
            return Ok(());
        }
        let file = self.disk.open(&self.path.join(names::RESERVE), OpenMode::Create)?;
        let mut at = file.len()?;
        // Written, not just sized: a sparse file would reserve nothing.
        let zeros = vec![0; 1 << 20];
        while at < self.reserve_bytes {
            let count = (self.reserve_bytes - at).min(zeros.len() as u64);
            file.write_all_at(&zeros[..count as usize], at)?;
            at += count;
        }
        Ok(())
    }

    /// Reads both offset checkpoints. A malformed one counts as empty, with a warning: everything
    /// is then scanned.
    pub fn load_checkpoints(&self) {
        let points = self.read_offsets(names::RECOVERY_POINT_CHECKPOINT);
        *self.recovery_points.lock() = Points { current: points.clone(), written: points };
        *self.log_starts.lock() = self.read_offsets(names::LOG_START_CHECKPOINT);
        *self.cleaned.lock() = self.read_offsets(names::CLEANER_CHECKPOINT);
    }

    pub fn read_offsets(&self, name: &str) -> Offsets {
        let path = self.path.join(name);
        let text = match self.disk.read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Offsets::new(),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "checkpoint can't be read; everything is scanned");
                return Offsets::new();
            }
        };
        checkpoint::parse_offsets(&text).unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "checkpoint is damaged; everything is scanned");
            Offsets::new()
        })
    }

    pub fn recovery_point(&self, partition: &TopicPartition) -> Offset {
        self.recovery_points.lock().current.get(partition).copied().unwrap_or(Offset::ZERO)
    }

    pub fn set_recovery_point(&self, partition: &TopicPartition, offset: Offset) {
        let mut points = self.recovery_points.lock();
        match points.current.get_mut(partition) {
            Some(known) => *known = offset,
            None => {
                points.current.insert(partition.clone(), offset);
            }
        }
    }

    /// After a truncation, or a start that found less: what is appended there is new.
    pub fn lower_recovery_point(&self, partition: &TopicPartition, offset: Offset) {
        if let Some(known) = self.recovery_points.lock().current.get_mut(partition) {
            *known = (*known).min(offset);
        }
    }

    /// Writes the recovery points when any moved since the last time.
    pub fn write_recovery_points(&self) -> Result<(), WriteFailure> {
        self.check().map_err(WriteFailure::Storage)?;
        let mut points = self.recovery_points.lock();
        if points.current == points.written {
            return Ok(());
        }
        self.write_offsets(names::RECOVERY_POINT_CHECKPOINT, &points.current)?;
        points.written = points.current.clone();
        Ok(())
    }

    pub fn log_start(&self, partition: &TopicPartition) -> Option<Offset> {
        self.log_starts.lock().get(partition).copied()
    }

    /// Makes a log's start durable before it returns.
    pub fn write_log_start(&self, partition: &TopicPartition, offset: Offset) -> Result<(), WriteFailure> {
        self.check().map_err(WriteFailure::Storage)?;
        let mut starts = self.log_starts.lock();
        if starts.get(partition).is_some_and(|known| *known >= offset) {
            return Ok(());
        }
        let before = starts.insert(partition.clone(), offset);
        let written = self.write_offsets(names::LOG_START_CHECKPOINT, &starts);
        if written.is_err() {
            match before {
                Some(before) => starts.insert(partition.clone(), before),
                None => starts.remove(partition),
            };
        }
        written
    }

    /// The log begins anew, before where it began.
    pub fn lower_log_start(&self, partition: &TopicPartition, offset: Offset) -> Result<(), WriteFailure> {
        let mut starts = self.log_starts.lock();
        match starts.get_mut(partition) {
            Some(known) if *known > offset => *known = offset,
            _ => return Ok(()),
        }
        self.write_offsets(names::LOG_START_CHECKPOINT, &starts)
    }

    pub fn cleaned_to(&self, partition: &TopicPartition) -> Option<Offset> {
        self.cleaned.lock().get(partition).copied()
    }

    pub fn write_cleaned(&self, partition: &TopicPartition, to: Offset) -> Result<(), WriteFailure> {
        self.check().map_err(WriteFailure::Storage)?;
        let mut cleaned = self.cleaned.lock();
        if cleaned.insert(partition.clone(), to) == Some(to) {
            return Ok(());
        }
        self.write_offsets(names::CLEANER_CHECKPOINT, &cleaned)
    }

    /// What is appended from there on was never cleaned.
    pub fn lower_cleaned(&self, partition: &TopicPartition, end: Offset) -> Result<(), WriteFailure> {
        let mut cleaned = self.cleaned.lock();
        match cleaned.get_mut(partition) {
            Some(known) if *known > end => *known = end,
            _ => return Ok(()),
        }
        self.write_offsets(names::CLEANER_CHECKPOINT, &cleaned)
    }

    /// Forgets a deleted partition. Its log start must not meet a later one of the same name.
    pub fn forget(&self, partition: &TopicPartition) -> Result<(), WriteFailure> {
        self.recovery_points.lock().current.remove(partition);
        let mut cleaned = self.cleaned.lock();
        if cleaned.remove(partition).is_some() {
            self.write_offsets(names::CLEANER_CHECKPOINT, &cleaned)?;
        }
        drop(cleaned);
        let mut starts = self.log_starts.lock();
        if starts.remove(partition).is_some() {
            self.write_offsets(names::LOG_START_CHECKPOINT, &starts)?;
        }
        Ok(())
    }

    /// Before the first byte of a new log: a recovery point of an earlier one of the same name
    /// must be gone from the disk, or a crash would skip the scan of bytes never synced.
    pub fn forget_stale_point(&self, partition: &TopicPartition) -> Result<(), WriteFailure> {
        let mut points = self.recovery_points.lock();
        if !points.written.contains_key(partition) {
            return Ok(());
        }
        points.current.remove(partition);
        self.write_offsets(names::RECOVERY_POINT_CHECKPOINT, &points.current)?;
        points.written = points.current.clone();
        Ok(())
    }

    pub fn write_offsets(&self, name: &str, offsets: &Offsets) -> Result<(), WriteFailure> {
        let text = checkpoint::write_offsets(offsets.iter().map(|(partition, offset)| (partition, *offset)));
        let path = self.path.join(name);
        self.disk
            .write_atomically(&path, text.as_bytes())
            .map_err(|error| self.write_failed(&format!("writing {}", path.display()), &error))
    }
}

pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
