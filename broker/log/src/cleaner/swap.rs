//! Puts a cleaned segment in the place of those it was made of, whole or not at all.
//! Shell. A crash at any point leaves either, and the next start finishes what it interrupted. The names are
//! Kafka's, and a Kafka that finds them finishes the same way.
//!
//! ```text
//! 1  <base>.log.cleaned  .index.cleaned  .timeindex.cleaned  .txnindex.cleaned     written, synced
//! 2  <base>.log.swap     .index.swap     .timeindex.swap     .txnindex.swap        renamed, folder synced:
//!                                                               from here on the new segment counts
//! 3  <base>.txnindex takes the new one's place; the list of segments is changed
//! 4  files of the other replaced segments are removed, folder synced
//! 5  <base>.log  <base>.index  <base>.timeindex                                    renamed, folder synced
//! ```
//!
//! A start that finds `.log.swap` does 3 to 5; one that finds `.log.cleaned` alone removes it. The
//! last batch of the replaced segments is the last of the new one, so what it covers can be read
//! from it. Readers of replaced segments go on with the files they hold.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ottla_env::disk::Name;
use ottla_env::{Disk, File, OpenMode};
use ottla_model::Offset;

use crate::index::{IndexEntry, OffsetEntry, TimeEntry};
use crate::log_dir::WriteFailure;
use crate::names;
use crate::scan::HeaderScan;
use crate::segment::Segment;
use crate::txn_index::{self, AbortedTxn};
use crate::unified_log::UnifiedLog;

pub const CLEANED_SUFFIX: &str = ".cleaned";
pub const SWAP_SUFFIX: &str = ".swap";

/// Why a cleaned segment is not in its place.
pub enum SwapFailure {
    /// The log is not what it was when the round began.
    Changed,
    Io(io::Error),
    /// Only the next start puts the folder in order.
    Halfway(io::Error),
}

impl From<io::Error> for SwapFailure {
    fn from(error: io::Error) -> SwapFailure {
        SwapFailure::Io(error)
    }
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn file(folder: &Path, base: Offset, suffix: &str, state: &str) -> PathBuf {
    with(&names::segment_file(folder, base, suffix), state)
}

fn remove_if_there(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn rename_if_there(disk: &dyn Disk, from: &Path, to: &Path) -> io::Result<()> {
    match disk.rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A segment in the making. Its handles are open on the `.cleaned` files and stay so while those
/// are renamed to what the segment calls them.
pub struct CleanedFiles {
    pub segment: Arc<Segment>,
    pub file: Arc<dyn File>,
    others: [Arc<dyn File>; 2],
    /// Everything is on the device under the first names.
    is_finished: AtomicBool,
}

impl CleanedFiles {
    pub fn create(log: &UnifiedLog, group: &[Arc<Segment>]) -> Result<CleanedFiles, SwapFailure> {
        let _files = log.hold_files();
        let first = group.first().ok_or(SwapFailure::Changed)?;
        if log.is_deleted() {
            return Err(SwapFailure::Changed);
        }
        let disk = &log.shared.env.disk;
        let open = |suffix| {
            disk.open(
                &file(&log.place().folder, first.base_offset(), suffix, CLEANED_SUFFIX),
                OpenMode::Truncate,
            )
        };
        let log_file = open(names::LOG_SUFFIX)?;
        let others = [open(names::INDEX_SUFFIX)?, open(names::TIME_INDEX_SUFFIX)?];
        let created_ms = group.iter().map(|segment| segment.created_ms).max().unwrap_or_default();
        let segment = Segment::cleaned(
            &log.place().folder,
            first.base_offset(),
            created_ms,
            [log_file.clone(), others[0].clone(), others[1].clone()],
        );
        Ok(CleanedFiles {
            segment: Arc::new(segment),
            file: log_file,
            others,
            is_finished: AtomicBool::new(false),
        })
    }

    /// Whether the transaction index would be what the replaced segment has.
    pub fn has_same_index(&self, log: &UnifiedLog, retained: &[AbortedTxn]) -> io::Result<bool> {
        let path =
            names::segment_file(&log.place().folder, self.segment.base_offset(), names::TXN_INDEX_SUFFIX);
        Ok(txn_index::read(&*log.shared.env.disk, &path)? == retained)
    }

    /// Everything on the device, under the first names.
    pub fn finish(&self, log: &UnifiedLog, retained: &[AbortedTxn]) -> io::Result<()> {
        self.segment.finish(&log.shared.files)?;
        let _files = log.hold_files();
        if log.is_deleted() {
            return Ok(());
        }
        let disk = &*log.shared.env.disk;
        let path =
            file(&log.place().folder, self.segment.base_offset(), names::TXN_INDEX_SUFFIX, CLEANED_SUFFIX);
        txn_index::rewrite(disk, &path, retained)?;
        if !retained.is_empty() {
            disk.open(&path, OpenMode::ReadWrite)?.sync_data()?;
        }
        self.file.sync_data()?;
        for other in &self.others {
            other.sync_data()?;
        }
        disk.sync_dir(&log.place().folder)?;
        self.is_finished.store(true, Ordering::Release);
        Ok(())
    }

    /// Gives up. What can't be removed is removed by the next start.
    pub fn discard(&self, log: &UnifiedLog) {
        let _files = log.hold_files();
        if log.is_deleted() {
            return;
        }
        for suffix in names::SEGMENT_SUFFIXES {
            let path = file(&log.place().folder, self.segment.base_offset(), suffix, CLEANED_SUFFIX);
            if let Err(error) = remove_if_there(&*log.shared.env.disk, &path) {
                tracing::debug!(path = %path.display(), %error, "left for the next start");
            }
        }
    }

    /// Takes the place of the group.
    pub fn swap_in(
        &self,
        log: &Arc<UnifiedLog>,
        group: &[Arc<Segment>],
        generation: u64,
    ) -> Result<(), SwapFailure> {
        let _files = log.hold_files();
        let _turn = log.cleaning.swap_turn.lock();
        if !log.is_unchanged(group, generation) {
            drop((_turn, _files));
            self.discard(log);
            return Err(SwapFailure::Changed);
        }
        // From the first new name on there is no way back but a start.
        self.replace(log, group).map_err(SwapFailure::Halfway)
    }

    /// What must be so before the first segment is replaced.
    fn check_steps_before(&self, log: &UnifiedLog, group: &[Arc<Segment>]) {
        let base = self.segment.base_offset();
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            unreachable!("a group has a segment")
        };
        assert_eq!(base, first.base_offset(), "a cleaned segment starts where its group does");
        assert!(self.is_finished.load(Ordering::Acquire), "step 2 comes after step 1: all bytes are synced");
        let recovery_point = log.place().dir.recovery_point(&log.partition);
        assert!(
            last.base_offset() < recovery_point,
            "segment {} is replaced, but the recovery point is {recovery_point}",
            last.base_offset()
        );
    }

    fn replace(&self, log: &UnifiedLog, group: &[Arc<Segment>]) -> io::Result<()> {
        let disk = &*log.shared.env.disk;
        let base = self.segment.base_offset();
        self.check_steps_before(log, group);
        for suffix in names::SEGMENT_SUFFIXES {
            rename_if_there(
                disk,
                &file(&log.place().folder, base, suffix, CLEANED_SUFFIX),
                &file(&log.place().folder, base, suffix, SWAP_SUFFIX),
            )?;
        }
        disk.sync_dir(&log.place().folder)?;
        place(disk, &log.place().folder, base, names::TXN_INDEX_SUFFIX)?;
        log.replace_segments(group, &self.segment);
        for segment in group {
            segment.retire_files();
        }
        let others = &group[1..];
        for segment in others {
            remove_files(disk, &log.place().folder, segment.base_offset())?;
        }
        if !others.is_empty() {
            disk.sync_dir(&log.place().folder)?;
        }
        for suffix in [names::INDEX_SUFFIX, names::TIME_INDEX_SUFFIX, names::LOG_SUFFIX] {
            place(disk, &log.place().folder, base, suffix)?;
        }
        disk.sync_dir(&log.place().folder)?;
        self.segment.settle_files(&log.shared.files);
        Ok(())
    }
}

/// Gives the `.swap` file its last name; without one, nothing may have that name.
fn place(disk: &dyn Disk, folder: &Path, base: Offset, suffix: &str) -> io::Result<()> {
    let to = names::segment_file(folder, base, suffix);
    match disk.rename(&with(&to, SWAP_SUFFIX), &to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => remove_if_there(disk, &to),
        result => result,
    }
}

/// The producer snapshot of that offset stays: it is true whatever segments there are.
fn remove_files(disk: &dyn Disk, folder: &Path, base: Offset) -> io::Result<()> {
    for suffix in names::SEGMENT_SUFFIXES {
        remove_if_there(disk, &names::segment_file(folder, base, suffix))?;
    }
    Ok(())
}

impl UnifiedLog {
    /// Whether the group is still part of the log as it was.
    fn is_unchanged(&self, group: &[Arc<Segment>], generation: u64) -> bool {
        let writer = self.writer.lock();
        let segments = self.segments.load();
        let is_there = |wanted: &Arc<Segment>| {
            !writer.active.is(wanted) && segments.iter().any(|segment| Arc::ptr_eq(segment, wanted))
        };
        writer.generation() == generation && !self.is_deleted() && group.iter().all(is_there)
    }

    /// Changes the list and what is remembered of positions at once: no reader finds a position of
    /// one segment and takes it for the other's.
    fn replace_segments(&self, group: &[Arc<Segment>], cleaned: &Arc<Segment>) {
        let mut writer = self.writer.lock();
        writer.flush.forget(|segment| group.iter().any(|other| Arc::ptr_eq(other, segment)));
        self.segments.replace(&mut writer.turn, group, cleaned);
    }

    /// Remembers how far this log is cleaned, unless it was cut meanwhile.
    pub(super) fn note_cleaned(&self, generation: u64, to: Offset) -> Result<(), WriteFailure> {
        let _turn = self.cleaning.swap_turn.lock();
        if self.writer.lock().generation() != generation || self.is_deleted() {
            return Ok(());
        }
        self.place().dir.write_cleaned(&self.partition, to)
    }
}

/// Finishes what a crash interrupted. Returns whether the folder looks different now.
pub(crate) fn finish_interrupted(disk: &dyn Disk, folder: &Path, names_found: &[Name]) -> io::Result<bool> {
    let bases = |state: &str| -> Vec<Offset> {
        let base = |name: &Name| names::offset_of(name.text.strip_suffix(state)?, names::LOG_SUFFIX);
        names_found.iter().filter_map(base).collect()
    };
    let mut is_changed = false;
    for base in bases(SWAP_SUFFIX) {
        is_changed = true;
        let swapped = file(folder, base, names::LOG_SUFFIX, SWAP_SUFFIX);
        let next = next_offset(disk, &swapped, base)?;
        // Companions that were not renamed yet.
        for suffix in names::INDEX_SUFFIXES {
            rename_if_there(
                disk,
                &file(folder, base, suffix, CLEANED_SUFFIX),
                &file(folder, base, suffix, SWAP_SUFFIX),
            )?;
        }
        for name in names_found {
            if let Some(other) = names::offset_of(&name.text, names::LOG_SUFFIX)
                && other > base
                && other < next
            {
                remove_files(disk, folder, other)?;
            }
        }
        disk.sync_dir(folder)?;
        for suffix in
            [names::TXN_INDEX_SUFFIX, names::INDEX_SUFFIX, names::TIME_INDEX_SUFFIX, names::LOG_SUFFIX]
        {
            place(disk, folder, base, suffix)?;
        }
        let log = names::segment_file(folder, base, names::LOG_SUFFIX);
        rebuild_indexes(disk, folder, base, &log)?;
        disk.sync_dir(folder)?;
        tracing::info!(folder = %folder.display(), %base, "finished an interrupted cleaning");
    }
    let is_left = |name: &&Name| name.text.ends_with(SWAP_SUFFIX) || name.text.ends_with(CLEANED_SUFFIX);
    for name in names_found.iter().filter(is_left) {
        is_changed = true;
        remove_if_there(disk, &folder.join(&name.text))?;
    }
    Ok(is_changed)
}

/// Indexes that a crash took are made again, here and not at each read.
fn rebuild_indexes(disk: &dyn Disk, folder: &Path, base: Offset, log: &Path) -> io::Result<()> {
    const INTERVAL_BYTES: u64 = 4096;
    let (index, time_index) = (
        names::segment_file(folder, base, names::INDEX_SUFFIX),
        names::segment_file(folder, base, names::TIME_INDEX_SUFFIX),
    );
    if disk.exists(&index) && disk.exists(&time_index) {
        return Ok(());
    }
    let log = disk.open(log, OpenMode::Read)?;
    let mut scan = HeaderScan::new(&*log, 0, log.len()?);
    let (mut offsets, mut times) = (Vec::new(), Vec::new());
    let mut max = TimeEntry { timestamp: -1, offset: base };
    let (mut noted, mut entry_at) = (-1, 0);
    while let Some((position, header)) = scan.next()? {
        if header.max_timestamp > max.timestamp {
            max = TimeEntry { timestamp: header.max_timestamp, offset: header.last_offset() };
        }
        if position - entry_at > INTERVAL_BYTES {
            entry_at = position;
            OffsetEntry { offset: header.last_offset(), position }.write(base, &mut offsets);
            if max.timestamp > noted {
                noted = max.timestamp;
                max.write(base, &mut times);
            }
        }
    }
    if max.timestamp > noted {
        max.write(base, &mut times);
    }
    for (path, bytes) in [(index, offsets), (time_index, times)] {
        let file = disk.open(&path, OpenMode::Truncate)?;
        file.write_all_at(&bytes, 0)?;
        file.sync_data()?;
    }
    Ok(())
}

fn next_offset(disk: &dyn Disk, path: &Path, base: Offset) -> io::Result<Offset> {
    let log = disk.open(path, OpenMode::Read)?;
    let mut scan = HeaderScan::new(&*log, 0, log.len()?);
    let mut next = base;
    while let Some((_, header)) = scan.next()? {
        next = header.next_offset();
    }
    Ok(next)
}
