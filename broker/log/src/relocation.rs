//! A log moves to another log directory while it is read and appended to (AlterReplicaLogDirs).
//! Shell.
//!
//! ```text
//! 1  <dir>/<partition>.<unique>-future     the segments are copied and synced, and the log goes on
//! 2  the writer waits from here on: what came since is copied, everything is synced, and the checkpoints of
//!    the new directory are written
//! 3  a file in the new directory says that the copy counts only where it is alone (`<partition>.ottla-moved`),
//!    and the copy gets the partition's name
//! 4  the old folder is renamed to -delete, durably: the copy is the log
//! 5  readers and the writer go on in the new folder; the mark and the old folder are removed
//! ```
//!
//! A start that finds `-future` has the copy made anew. One that finds the partition twice drops the folder
//! with the mark: step 4 was not done, and the other folder may have got records since.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use ottla_env::{Disk, File, OpenMode};
use ottla_model::Offset;

use crate::error::StorageFailure;
use crate::log_dir::{LogDir, WriteFailure};
use crate::names;
use crate::place::Place;
use crate::segment::Segment;
use crate::unified_log::UnifiedLog;
use crate::writer::Writer;

/// Bytes copied in one step, which nothing interrupts.
const STEP_BYTES: usize = 1 << 20;
/// What may be left to copy when the writer is made to wait.
const TAIL_BYTES: u64 = 1 << 20;

/// Why a log stays where it is.
#[derive(Debug)]
pub(crate) enum NotMoved {
    /// The partition was deleted.
    Deleted,
    /// The new directory has no room.
    NoSpace(String),
    /// One of both directories is offline.
    Storage(StorageFailure),
}

impl From<WriteFailure> for NotMoved {
    fn from(failure: WriteFailure) -> NotMoved {
        match failure {
            WriteFailure::NoSpace(text) => NotMoved::NoSpace(text),
            WriteFailure::Storage(failure) => NotMoved::Storage(failure),
        }
    }
}

impl From<StorageFailure> for NotMoved {
    fn from(failure: StorageFailure) -> NotMoved {
        NotMoved::Storage(failure)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Copied(u64),
    /// So little is left that the writer can wait for it.
    CaughtUp,
}

/// A segment of which the copy has the first bytes.
struct Copied {
    segment: Arc<Segment>,
    bytes: u64,
    file: Arc<dyn File>,
    /// Nothing more is appended, and its indexes are copied and everything is synced.
    is_complete: bool,
}

/// How far the copy is; shared with those who describe it.
#[derive(Default)]
pub(crate) struct CopyProgress {
    bytes: AtomicU64,
    end: AtomicI64,
}

impl CopyProgress {
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Below it the copy has every record.
    pub fn end(&self) -> Offset {
        Offset(self.end.load(Ordering::Relaxed))
    }
}

/// One move under way.
pub(crate) struct Relocation {
    log: Arc<UnifiedLog>,
    to: Arc<LogDir>,
    /// The folder while it is a copy.
    folder: PathBuf,
    /// By base offset.
    copied: BTreeMap<Offset, Copied>,
    /// The writer's, when the first byte was copied: what was cut since is not what was copied.
    generation: u64,
    progress: Arc<CopyProgress>,
}

impl Relocation {
    pub fn begin(
        log: Arc<UnifiedLog>,
        to: Arc<LogDir>,
        progress: Arc<CopyProgress>,
    ) -> Result<Relocation, NotMoved> {
        assert!(!Arc::ptr_eq(&log.place().dir, &to), "a log moves to another directory");
        log.ensure_loaded()?;
        to.check()?;
        let unique = u128::from_le_bytes(log.shared.env.rng.next_16());
        let folder = to.path().join(names::future_folder(&log.partition, unique));
        let generation = log.writer.lock().generation();
        let moving = Relocation { log, to, folder, copied: BTreeMap::new(), generation, progress };
        moving.remove_old_mark()?;
        moving
            .log
            .shared
            .env
            .disk
            .create_dir_all(&moving.folder)
            .map_err(|error| moving.write_failed(&error))?;
        Ok(moving)
    }

    /// A mark that an earlier move left would speak of the folder that this one leaves.
    fn remove_old_mark(&self) -> Result<(), NotMoved> {
        let (disk, from) = (&self.log.shared.env.disk, self.log.place().dir.clone());
        let mark = from.path().join(names::moved_mark(&self.log.partition));
        if disk.exists(&mark) {
            let removed = disk.remove_file(&mark).and_then(|()| disk.sync_dir(from.path()));
            removed.map_err(|error| self.read_failed(&error))?;
        }
        Ok(())
    }

    fn mark(&self) -> PathBuf {
        self.to.path().join(names::moved_mark(&self.log.partition))
    }

    fn write_failed(&self, error: &io::Error) -> NotMoved {
        self.to.write_failed(&format!("writing {}", self.folder.display()), error).into()
    }

    fn read_failed(&self, error: &io::Error) -> NotMoved {
        if self.log.is_deleted() {
            return NotMoved::Deleted;
        }
        let place = self.log.place();
        place.dir.fail(&format!("reading {}", place.folder.display()), error).into()
    }

    fn is_in_list(&self, segment: &Arc<Segment>) -> bool {
        self.log.segments.load().iter().any(|other| Arc::ptr_eq(other, segment))
    }

    /// Copies what comes next, or says that the rest can be copied while the writer waits.
    pub fn step(&mut self) -> Result<Step, NotMoved> {
        if self.log.is_deleted() {
            return Err(NotMoved::Deleted);
        }
        self.log.place().dir.check()?;
        self.to.check()?;
        let generation = self.log.writer.lock().generation();
        let segments = self.log.segments.load_full();
        self.drop_copies_of_removed(&segments, generation)?;
        let left: u64 =
            segments.iter().map(|segment| segment.size_bytes().saturating_sub(self.bytes_of(segment))).sum();
        let next = segments.iter().enumerate().find(|(index, segment)| {
            let is_last = index + 1 == segments.len();
            self.bytes_of(segment) < segment.size_bytes() || (!is_last && !self.is_complete(segment))
        });
        let Some((index, segment)) = next else { return self.sync_tail().map(|()| Step::CaughtUp) };
        let is_last = index + 1 == segments.len();
        if is_last && left <= TAIL_BYTES {
            return self.sync_tail().map(|()| Step::CaughtUp);
        }
        let copied = self.copy_log(segment, STEP_BYTES)?;
        if !is_last && self.bytes_of(segment) == segment.size_bytes() {
            self.complete(segment)?;
        }
        Ok(Step::Copied(copied))
    }

    fn copy_of(&self, segment: &Arc<Segment>) -> Option<&Copied> {
        self.copied.get(&segment.base_offset()).filter(|copy| Arc::ptr_eq(&copy.segment, segment))
    }

    fn is_complete(&self, segment: &Arc<Segment>) -> bool {
        self.copy_of(segment).is_some_and(|copy| copy.is_complete)
    }

    fn bytes_of(&self, segment: &Arc<Segment>) -> u64 {
        self.copy_of(segment).map_or(0, |copy| copy.bytes)
    }

    fn file_of(&self, segment: &Segment, suffix: &str) -> PathBuf {
        names::segment_file(&self.folder, segment.base_offset(), suffix)
    }

    /// A segment that retention removed or the cleaner replaced is no longer part of the log. Of a log that was
    /// cut nothing that was copied is sure.
    fn drop_copies_of_removed(&mut self, segments: &[Arc<Segment>], generation: u64) -> Result<(), NotMoved> {
        let is_cut = std::mem::replace(&mut self.generation, generation) != generation;
        if is_cut {
            self.progress.end.store(0, Ordering::Relaxed);
        }
        let is_kept = |copy: &Copied| {
            let at =
                segments.binary_search_by_key(&copy.segment.base_offset(), |segment| segment.base_offset());
            !is_cut && at.is_ok_and(|at| Arc::ptr_eq(&segments[at], &copy.segment))
        };
        let removed: Vec<Copied> =
            self.copied.extract_if(.., |_, copy| !is_kept(copy)).map(|(_, copy)| copy).collect();
        for copy in removed {
            self.progress.bytes.fetch_sub(copy.bytes, Ordering::Relaxed);
            for suffix in names::SEGMENT_SUFFIXES {
                let path = self.file_of(&copy.segment, suffix);
                match self.log.shared.env.disk.remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(self.write_failed(&error));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Copies up to `max` bytes of a segment's records. Returns how many.
    fn copy_log(&mut self, segment: &Arc<Segment>, max: usize) -> Result<u64, NotMoved> {
        let base = segment.base_offset();
        if !self.copied.contains_key(&base) {
            let path = self.file_of(segment, names::LOG_SUFFIX);
            let file = self.log.shared.env.disk.open(&path, OpenMode::Truncate);
            let file = file.map_err(|error| self.write_failed(&error))?;
            self.copied.insert(base, Copied { segment: segment.clone(), bytes: 0, file, is_complete: false });
        }
        let (from, size) = (self.bytes_of(segment), segment.size_bytes());
        let mut bytes = vec![0; max.min(size.saturating_sub(from) as usize)];
        if bytes.is_empty() {
            return Ok(0);
        }
        let read = segment.file(&self.log.shared.files).and_then(|file| file.read_exact_at(&mut bytes, from));
        if let Err(error) = read {
            // It was removed or cut meanwhile: the next step sees that.
            if !self.is_in_list(segment) || segment.size_bytes() < size {
                return Ok(0);
            }
            return Err(self.read_failed(&error));
        }
        self.to.admit(bytes.len() as u64).map_err(NotMoved::NoSpace)?;
        let count = bytes.len() as u64;
        let copy = self.copied.get_mut(&base).expect("it was made above");
        let written = copy.file.write_all_at(&bytes, from);
        copy.bytes += count;
        written.map_err(|error| self.write_failed(&error))?;
        self.progress.bytes.fetch_add(count, Ordering::Relaxed);
        Ok(count)
    }

    /// Copies the indexes of a segment to which nothing more is appended, and syncs the whole.
    fn complete(&mut self, segment: &Arc<Segment>) -> Result<(), NotMoved> {
        let log = self.log.clone();
        let _files = log.hold_files();
        // Who removes a segment holds the files: one that is in the list has all of its files.
        if log.is_deleted() || !self.is_in_list(segment) {
            return Ok(());
        }
        self.complete_held(segment)
    }

    fn complete_held(&mut self, segment: &Arc<Segment>) -> Result<(), NotMoved> {
        let disk = &*self.log.shared.env.disk;
        segment.flush_indexes(&self.log.shared.files).map_err(|error| self.read_failed(&error))?;
        let folder = self.log.place().folder.clone();
        for suffix in names::INDEX_SUFFIXES {
            let from = names::segment_file(&folder, segment.base_offset(), suffix);
            if disk.exists(&from) {
                self.copy_whole(&from, &self.file_of(segment, suffix))?;
            }
        }
        let Some(copy) = self.copied.get_mut(&segment.base_offset()) else { return Ok(()) };
        assert!(copy.bytes <= segment.size_bytes(), "no more is copied than there is");
        copy.is_complete = true;
        let synced = copy.file.sync_data();
        synced.map_err(|error| self.write_failed(&error))?;
        let next =
            self.log.segments.load().iter().map(|s| s.base_offset()).find(|b| *b > segment.base_offset());
        if let Some(next) = next {
            self.progress.end.fetch_max(next.0, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Copies an index or a snapshot, synced. A file that can't be read is not the new directory's fault.
    fn copy_whole(&self, from: &Path, to: &Path) -> Result<(), NotMoved> {
        let disk = &*self.log.shared.env.disk;
        let bytes = disk.read(from).map_err(|error| self.read_failed(&error))?;
        let written = disk.open(to, OpenMode::Truncate).and_then(|file| {
            file.write_all_at(&bytes, 0)?;
            file.sync_data()
        });
        written.map_err(|error| self.write_failed(&error))
    }

    /// Brings what is copied of the active segment to the device, so that little is left for when the writer waits.
    fn sync_tail(&mut self) -> Result<(), NotMoved> {
        match self.copied.values().next_back().filter(|copy| !copy.is_complete) {
            Some(copy) => copy.file.sync_data().map_err(|error| self.write_failed(&error)),
            None => Ok(()),
        }
    }

    /// Copies what is left while the writer waits, and moves the log. `Ok(false)`: the log was cut or grew so much
    /// meanwhile that copying goes on.
    pub fn finish(&mut self) -> Result<bool, NotMoved> {
        let log = self.log.clone();
        let flushed = {
            let _files = log.hold_files();
            let _turn = log.cleaning.swap_turn.lock();
            let mut writer = log.writer.lock();
            if log.is_deleted() {
                return Err(NotMoved::Deleted);
            }
            let segments = log.segments.load_full();
            self.drop_copies_of_removed(&segments, writer.generation())?;
            let left: u64 = segments.iter().map(|s| s.size_bytes() - self.bytes_of(s)).sum();
            if left > 8 * TAIL_BYTES {
                return Ok(false);
            }
            self.copy_rest(&mut writer, &segments)?;
            let old = self.take_place(&mut writer, &segments)?;
            log.shared.flusher.run({
                let (disk, mark) = (log.shared.env.disk.clone(), self.mark());
                Box::new(move || {
                    remove_mark(&*disk, &mark);
                    crate::startup::remove_folder(&*disk, &old);
                })
            });
            log.bounds.flushed()
        };
        log.report_flushed(flushed);
        Ok(true)
    }

    fn copy_rest(&mut self, writer: &mut Writer, segments: &[Arc<Segment>]) -> Result<(), NotMoved> {
        let log = self.log.clone();
        if let Some(active) = writer.active.segment() {
            active.finish(&log.shared.files).map_err(|error| self.read_failed(&error))?;
        }
        for segment in segments {
            while self.bytes_of(segment) < segment.size_bytes() {
                self.copy_log(segment, STEP_BYTES)?;
            }
            if self.copy_of(segment).is_none() {
                // An empty one has its file all the same.
                self.copy_log(segment, 0)?;
            }
            if !self.is_complete(segment) {
                self.complete_held(segment)?;
            }
        }
        self.write_companions(writer, segments)?;
        self.write_checkpoints()
    }

    /// What else a start reads in the folder.
    fn write_companions(&self, writer: &mut Writer, segments: &[Arc<Segment>]) -> Result<(), NotMoved> {
        if segments.is_empty() {
            return Ok(());
        }
        let log = &self.log;
        let disk = &*log.shared.env.disk;
        let old = log.place().folder.clone();
        let write = |name: &str, text: &[u8]| {
            disk.write_atomically(&self.folder.join(name), text).map_err(|error| self.write_failed(&error))
        };
        let topic_id = *log.topic_id.lock();
        if !topic_id.is_zero() {
            write(
                names::PARTITION_METADATA,
                crate::checkpoint::write_partition_metadata(topic_id).as_bytes(),
            )?;
        }
        let epochs = crate::checkpoint::write_epochs(log.epochs.load().entries());
        write(names::LEADER_EPOCH_CHECKPOINT, epochs.as_bytes())?;
        let names_found = disk.read_names(&old).map_err(|error| self.read_failed(&error))?;
        for name in names_found.iter().filter(|name| name.text.ends_with(names::SNAPSHOT_SUFFIX)) {
            self.copy_whole(&old.join(&name.text), &self.folder.join(&name.text))?;
        }
        if let Some((offset, bytes)) = log.encode_snapshot(writer) {
            let path = names::segment_file(&self.folder, offset, names::SNAPSHOT_SUFFIX);
            disk.write_atomically(&path, &bytes).map_err(|error| self.write_failed(&error))?;
        }
        disk.sync_dir(&self.folder).map_err(|error| self.write_failed(&error))
    }

    /// What the directory remembers of its logs. An earlier log of that name must leave nothing behind there.
    fn write_checkpoints(&self) -> Result<(), NotMoved> {
        let (partition, from) = (&self.log.partition, self.log.place().dir.clone());
        self.to.forget(partition)?;
        self.to.forget_stale_point(partition)?;
        if let Some(start) = from.log_start(partition) {
            self.to.write_log_start(partition, start)?;
        }
        if let Some(cleaned) = from.cleaned_to(partition) {
            self.to.write_cleaned(partition, cleaned)?;
        }
        self.to.set_recovery_point(partition, self.log.bounds.log_end());
        self.to.write_recovery_points()?;
        Ok(())
    }

    /// Steps 3 to 5. Returns the old folder's last name.
    fn take_place(&self, writer: &mut Writer, segments: &[Arc<Segment>]) -> Result<PathBuf, NotMoved> {
        let log = &self.log;
        let disk = &*log.shared.env.disk;
        let place = Arc::new(Place::new(self.to.clone(), &log.partition));
        let old = log.place().clone();
        let unique = u128::from_le_bytes(log.shared.env.rng.next_16());
        let gone = old.dir.path().join(names::delete_folder(&log.partition, unique));
        if segments.is_empty() {
            // Nothing was appended yet: there is no folder, and the first append makes it.
            disk.remove_dir_all(&self.folder).map_err(|error| self.write_failed(&error))?;
        } else {
            disk.write_atomically(&self.mark(), b"")
                .and_then(|()| disk.rename(&self.folder, &place.folder))
                .and_then(|()| disk.sync_dir(self.to.path()))
                .map_err(|error| self.write_failed(&error))?;
            let is_moved = disk.rename(&old.folder, &gone).and_then(|()| disk.sync_dir(old.dir.path()));
            if let Err(error) = is_moved {
                // Nothing is appended any more, so both folders say the same, whichever the next start finds.
                return Err(old.dir.fail(&format!("renaming {}", old.folder.display()), &error).into());
            }
        }
        let moved: Vec<Arc<Segment>> =
            segments.iter().map(|segment| Arc::new(segment.relocated(&place.folder))).collect();
        log.go_on_in(writer, place, moved);
        for segment in segments {
            segment.retire_files();
        }
        // What the old directory still remembers is dropped with its folder by then.
        if let Err(WriteFailure::NoSpace(text)) = old.dir.forget(&log.partition) {
            tracing::debug!(%text, "the checkpoints of the old directory keep the partition until they are written again");
        }
        Ok(gone)
    }

    /// Gives up. What can't be removed is removed by the next start.
    pub fn discard(self) {
        let disk = &*self.log.shared.env.disk;
        if disk.exists(&self.folder) {
            crate::startup::remove_folder(disk, &self.folder);
            remove_mark(disk, &self.mark());
        }
    }
}

impl UnifiedLog {
    fn go_on_in(&self, writer: &mut Writer, place: Arc<Place>, segments: Vec<Arc<Segment>>) {
        let end = self.bounds.log_end();
        let active_bytes = segments.last().map_or(0, |active| active.size_bytes());
        self.set_place(place);
        self.shared.report_place(&self.partition);
        if let Some(active) = segments.last() {
            writer.active.relocate(active.clone());
        }
        writer.flush.note_moved(active_bytes);
        self.segments.relocate(&mut writer.turn, segments);
        self.bounds.advance_flushed(&mut writer.turn, end);
    }
}

/// The folder is the partition's only one: it need not be said any more that it was moved.
fn remove_mark(disk: &dyn Disk, mark: &Path) {
    if let Err(error) = disk.remove_file(mark)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!(path = %mark.display(), %error, "left for the next start");
    }
}

#[cfg(test)]
#[path = "relocation_tests.rs"]
mod tests;
