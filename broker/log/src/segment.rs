//! One segment: a `.log` file of batches as they were sent, and its indexes.
//! Shell. The `.log` layout is `ottla_records::header`'s, batch after batch, nothing between.
//!
//! Invariants:
//! - I1. `size_bytes` counts whole batches only, and grows only after they are written.
//! - I2. Every byte below `size_bytes` that was not written or scanned by this process is checked
//!   (CRC) before it is served for the first time.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ottla_env::{File, OpenMode};
use ottla_model::Offset;
use ottla_records::BatchHeader;
use parking_lot::Mutex;

use crate::index::{Index, OffsetEntry, TimeEntry};
use crate::log_dir::LogDir;
use crate::names;
use crate::open_files::{FileSlot, OpenFiles};
use crate::scan::{HeaderScan, verify};

/// The largest timestamp of a segment and the last offset of its batch.
pub type MaxTimestamp = TimeEntry;

pub struct Segment {
    base_offset: Offset,
    log: Arc<FileSlot>,
    pub(crate) index: Index<OffsetEntry>,
    pub(crate) time_index: Index<TimeEntry>,
    size_bytes: AtomicU64,
    max_timestamp: Mutex<Option<MaxTimestamp>>,
    /// Bytes from here on were written or scanned by this process.
    checked_from: AtomicU64,
    /// Other checked ranges, in order, merged.
    checked: Mutex<Vec<(u64, u64)>>,
    /// When this process first saw the segment, for records without timestamps.
    pub(crate) created_ms: i64,
    /// The first batch's timestamp, once known.
    first_timestamp: Mutex<Option<i64>>,
    /// Room on the device was requested up to here.
    reserved_to: AtomicU64,
}

/// A file smaller than this gets no room in advance: most partitions stay small.
const RESERVE_FROM_BYTES: u64 = 1 << 20;
/// Room requested at once, at most. It is never more than what the file has already.
const RESERVE_BYTES_MAX: u64 = 16 << 20;

impl Segment {
    /// One that is made: none of its files is there.
    pub fn new(folder: &Path, base_offset: Offset, created_ms: i64) -> Segment {
        Segment::found(folder, base_offset, 0, created_ms, [false; 2])
    }

    /// One that a folder lists: the bytes of its `.log`, and whether its offset index and its time
    /// index are there as well.
    pub(crate) fn found(
        folder: &Path,
        base_offset: Offset,
        size_bytes: u64,
        created_ms: i64,
        [has_index, has_time_index]: [bool; 2],
    ) -> Segment {
        let slot = |suffix| FileSlot::new(names::segment_file(folder, base_offset, suffix));
        Segment {
            base_offset,
            log: slot(names::LOG_SUFFIX),
            index: Index::new(base_offset, slot(names::INDEX_SUFFIX), !has_index),
            time_index: Index::new(base_offset, slot(names::TIME_INDEX_SUFFIX), !has_time_index),
            size_bytes: AtomicU64::new(size_bytes),
            max_timestamp: Mutex::new(None),
            checked_from: AtomicU64::new(size_bytes),
            checked: Mutex::new(Vec::new()),
            created_ms,
            first_timestamp: Mutex::new(None),
            reserved_to: AtomicU64::new(0),
        }
    }

    /// One whose files (log, offset index, time index) are open under other names.
    pub(crate) fn cleaned(
        folder: &Path,
        base_offset: Offset,
        created_ms: i64,
        files: [Arc<dyn File>; 3],
    ) -> Segment {
        let [log, index, time_index] = files;
        let slot = |suffix, file| FileSlot::holding(names::segment_file(folder, base_offset, suffix), file);
        Segment {
            log: slot(names::LOG_SUFFIX, log),
            index: Index::new(base_offset, slot(names::INDEX_SUFFIX, index), true),
            time_index: Index::new(base_offset, slot(names::TIME_INDEX_SUFFIX, time_index), true),
            ..Segment::new(folder, base_offset, created_ms)
        }
    }

    /// The same segment, its files in another folder: what is known of its records stays known.
    pub(crate) fn relocated(&self, folder: &Path) -> Segment {
        let is_made = [self.index.is_made(), self.time_index.is_made()];
        Segment {
            max_timestamp: Mutex::new(*self.max_timestamp.lock()),
            checked_from: AtomicU64::new(self.checked_from.load(Ordering::Acquire)),
            checked: Mutex::new(self.checked.lock().clone()),
            first_timestamp: Mutex::new(*self.first_timestamp.lock()),
            ..Segment::found(folder, self.base_offset, self.size_bytes(), self.created_ms, is_made)
        }
    }

    /// The files have their own names now.
    pub(crate) fn settle_files(&self, files: &OpenFiles) {
        for slot in [&self.log, self.index.slot(), self.time_index.slot()] {
            files.settle(slot);
        }
    }

    pub fn base_offset(&self) -> Offset {
        self.base_offset
    }

    pub fn size_bytes(&self) -> u64 {
        self.size_bytes.load(Ordering::Acquire)
    }

    pub(crate) fn set_size_bytes(&self, size_bytes: u64) {
        self.size_bytes.store(size_bytes, Ordering::Release);
    }

    pub(crate) fn slot(&self) -> &Arc<FileSlot> {
        &self.log
    }

    pub fn file(&self, files: &OpenFiles) -> io::Result<Arc<dyn File>> {
        files.get(&self.log, OpenMode::Read)
    }

    pub(crate) fn create_file(&self, files: &OpenFiles) -> io::Result<Arc<dyn File>> {
        files.get(&self.log, OpenMode::Create)
    }

    /// Finds room on the device for what comes after `position`, some MiB at a time: a file system
    /// does that cheaper than block by block under each write (a fifth of an append's cost on ext4).
    /// What is left over is given back by `release_reserved`, or by the next append after a crash.
    pub(crate) fn reserve(&self, file: &dyn File, dir: &LogDir, position: u64, bytes: u64, bytes_max: u64) {
        let end = position + bytes;
        if position < RESERVE_FROM_BYTES || end <= self.reserved_to.load(Ordering::Relaxed) {
            return;
        }
        let wanted = position.min(RESERVE_BYTES_MAX).min(bytes_max.saturating_sub(position)).max(bytes);
        if dir.may_reserve(wanted) {
            file.reserve(position, wanted);
        }
        // Refused or not, it is not requested again at once.
        self.reserved_to.store(position + wanted, Ordering::Relaxed);
    }

    /// No more comes: room that was found in advance is given back.
    pub(crate) fn release_reserved(&self, files: &OpenFiles) -> io::Result<()> {
        let size = self.size_bytes();
        if self.reserved_to.swap(0, Ordering::Relaxed) > size {
            self.file(files)?.set_len(size)?;
        }
        Ok(())
    }

    pub(crate) fn close_files(&self) {
        for slot in [&self.log, self.index.slot(), self.time_index.slot()] {
            slot.pin(false);
            slot.close();
        }
    }

    pub(crate) fn retire_files(&self) {
        for slot in [&self.log, self.index.slot(), self.time_index.slot()] {
            slot.retire();
        }
    }

    /// The first batch whose last offset is not below `offset`, and where it is.
    pub fn find(&self, files: &OpenFiles, offset: Offset) -> io::Result<Option<(u64, BatchHeader)>> {
        let file = self.file(files)?;
        let size = self.size_bytes();
        // The entry names a batch by its last offset: one at or before the target is no later.
        let floor = match self.index.floor(files, |entry| entry.offset <= offset) {
            Ok(floor) => floor,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(error),
        };
        let from = match floor {
            Some(entry) if self.is_at(&*file, size, entry)? => entry.position,
            // A missing or damaged index costs time, not correctness.
            _ => 0,
        };
        let mut scan = HeaderScan::new(&*file, from, size);
        while let Some((position, header)) = scan.next()? {
            if header.last_offset() >= offset {
                return Ok(Some((position, header)));
            }
        }
        Ok(None)
    }

    /// Whether the batch an index entry speaks of is where it says.
    pub(crate) fn is_at(&self, file: &dyn File, size: u64, entry: OffsetEntry) -> io::Result<bool> {
        if entry.position >= size {
            return Ok(false);
        }
        let found = HeaderScan::new(file, entry.position, size).next()?;
        Ok(found.is_some_and(|(_, header)| header.last_offset() == entry.offset))
    }

    /// The end of the last whole batch that starts at or after `start` and ends at or before
    /// `target`, and the offset after it. `None`: not even the first fits; its size instead.
    pub fn whole_batches(
        &self,
        files: &OpenFiles,
        file: &dyn File,
        start: u64,
        target: u64,
    ) -> io::Result<WholeBatches> {
        let size = self.size_bytes();
        let floor = match self.index.floor(files, |entry| entry.position <= target) {
            Ok(floor) => floor,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(error),
        };
        let from = match floor {
            Some(entry) if entry.position > start && self.is_at(file, size, entry)? => entry.position,
            _ => start,
        };
        let mut scan = HeaderScan::new(file, from, size);
        let mut result = WholeBatches { end: from, next: None };
        while let Some((position, header)) = scan.next()? {
            if scan.position() > target {
                if position == start {
                    return Ok(WholeBatches {
                        end: start,
                        next: Some((header.next_offset(), scan.position())),
                    });
                }
                // The next batch's own offset is where a reader continues.
                result.next = Some((header.base_offset, position));
                return Ok(result);
            }
            result =
                WholeBatches { end: scan.position(), next: Some((header.next_offset(), scan.position())) };
        }
        Ok(result)
    }

    /// Notes that this process wrote or scanned everything from `position` on.
    pub(crate) fn set_checked_from(&self, position: u64) {
        self.checked_from.store(position, Ordering::Release);
    }

    /// Checks the checksums in `start..end` unless that was done before. Returns up to where they
    /// are right.
    pub fn ensure_checked(&self, file: &dyn File, start: u64, end: u64) -> io::Result<u64> {
        let from = self.checked_from.load(Ordering::Acquire);
        if start >= from {
            return Ok(end);
        }
        let cold_end = end.min(from);
        {
            let checked = self.checked.lock();
            let before = checked.partition_point(|(checked_start, _)| *checked_start <= start);
            if before > 0 && checked[before - 1].1 >= cold_end {
                return Ok(end);
            }
        }
        let right = verify(file, start, cold_end, |_, _, _| true)?;
        self.note_checked(start, right);
        Ok(if right == cold_end { end } else { right })
    }

    fn note_checked(&self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let mut checked = self.checked.lock();
        checked.push((start, end));
        checked.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(checked.len());
        for range in checked.drain(..) {
            match merged.last_mut() {
                Some(last) if last.1 >= range.0 => last.1 = last.1.max(range.1),
                _ => merged.push(range),
            }
        }
        *checked = merged;
    }

    pub(crate) fn forget_checked(&self, size: u64) {
        let mut checked = self.checked.lock();
        checked.retain(|range| range.0 < size);
        if let Some(last) = checked.last_mut() {
            last.1 = last.1.min(size);
        }
        self.checked_from.fetch_min(size, Ordering::AcqRel);
    }

    /// The largest timestamp; from the time index when this process has not seen the records.
    pub fn max_timestamp(&self, files: &OpenFiles) -> io::Result<Option<MaxTimestamp>> {
        let mut known = self.max_timestamp.lock();
        if known.is_none() {
            *known = match self.time_index.last(files) {
                Ok(last) => last,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
                Err(error) => return Err(error),
            };
        }
        if known.is_none() && self.size_bytes() > 0 {
            *known = self.scan_max_timestamp(files)?;
        }
        Ok(*known)
    }

    fn scan_max_timestamp(&self, files: &OpenFiles) -> io::Result<Option<MaxTimestamp>> {
        let file = self.file(files)?;
        let mut max = MaxTimestamp { timestamp: -1, offset: self.base_offset };
        let mut scan = HeaderScan::new(&*file, 0, self.size_bytes());
        while let Some((_, header)) = scan.next()? {
            if header.max_timestamp > max.timestamp {
                max = MaxTimestamp { timestamp: header.max_timestamp, offset: header.last_offset() };
            }
        }
        Ok(Some(max))
    }

    /// Takes a batch's timestamp into account.
    pub(crate) fn note_timestamp(&self, timestamp: i64, offset: Offset) {
        let mut known = self.max_timestamp.lock();
        if known.is_none_or(|known| timestamp > known.timestamp) {
            *known = Some(MaxTimestamp { timestamp, offset });
        }
    }

    pub(crate) fn set_max_timestamp(&self, max: Option<MaxTimestamp>) {
        *self.max_timestamp.lock() = max;
    }

    /// The timestamp a retention rule looks at.
    pub fn retention_timestamp(&self, files: &OpenFiles) -> io::Result<i64> {
        Ok(match self.max_timestamp(files)? {
            Some(max) if max.timestamp >= 0 => max.timestamp,
            _ => self.created_ms,
        })
    }

    /// The first batch's largest timestamp, for rolling by time.
    pub(crate) fn first_timestamp(&self, files: &OpenFiles) -> io::Result<Option<i64>> {
        let mut known = self.first_timestamp.lock();
        if known.is_none() && self.size_bytes() > 0 {
            let file = self.file(files)?;
            *known =
                HeaderScan::new(&*file, 0, self.size_bytes()).next()?.map(|(_, header)| header.max_timestamp);
        }
        Ok(*known)
    }

    pub(crate) fn set_first_timestamp(&self, timestamp: Option<i64>) {
        *self.first_timestamp.lock() = timestamp;
    }

    /// An entry of the offset index, and one of the time index where the largest timestamp grew.
    pub(crate) fn append_index_entries(&self, entry: OffsetEntry, files: &OpenFiles) -> io::Result<()> {
        self.index.append(entry, files)?;
        if let Some(max) = self.max_timestamp(files)?
            && max.timestamp >= 0
            && self.time_index.last(files)?.is_none_or(|last| max.timestamp > last.timestamp)
        {
            self.time_index.append(max, files)?;
        }
        Ok(())
    }

    /// Nothing more is appended for now: writes waiting index entries, and the last time entry, so
    /// that the files say everything, and claims no more room than that.
    pub(crate) fn finish(&self, files: &OpenFiles) -> io::Result<()> {
        if let Some(max) = self.max_timestamp(files)?
            && max.timestamp >= 0
            && self.time_index.last(files)?.is_none_or(|last| max.timestamp > last.timestamp)
        {
            self.time_index.append(max, files)?;
        }
        self.release_reserved(files)?;
        self.flush_indexes(files)
    }

    pub(crate) fn flush_indexes(&self, files: &OpenFiles) -> io::Result<()> {
        self.index.flush(files)?;
        self.time_index.flush(files)?;
        // Kafka's log tool reads a time index together with the other one, and fails when that is missing.
        if self.time_index.is_made() { self.index.make(files) } else { Ok(()) }
    }
}

/// See `Segment::whole_batches`.
pub struct WholeBatches {
    pub end: u64,
    /// The offset and position where a reader continues; when nothing fits, the end of the first.
    pub next: Option<(Offset, u64)>,
}

impl Segment {
    /// After a truncation: what is left decides.
    pub(crate) fn recompute_max_timestamp(&self, files: &OpenFiles) -> io::Result<()> {
        let max = if self.size_bytes() == 0 { None } else { self.scan_max_timestamp(files)? };
        self.set_max_timestamp(max);
        Ok(())
    }
}
