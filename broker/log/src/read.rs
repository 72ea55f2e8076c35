//! Reading: finds whole batches and hands out where they are, not the bytes.
//! Shell.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use ottla_env::File;
use ottla_model::Offset;

use crate::error::ReadError;
use crate::place::Place;
use crate::positions::Position;
use crate::segment::Segment;
use crate::txn_index::{self, AbortedTxn};
use crate::unified_log::UnifiedLog;
use crate::{names, scan};

/// Where the bytes of a read are.
#[derive(Clone)]
pub enum ReadData {
    Empty,
    /// A range of a file: for sendfile, or `read_bytes`.
    File {
        file: Arc<dyn File>,
        position: u64,
        len: usize,
    },
    /// Bytes at hand.
    Memory(Vec<Bytes>),
}

/// Whole batches, the first of which holds the offset asked for.
#[derive(Clone)]
pub struct ReadSlice {
    pub data: ReadData,
    pub bytes: usize,
    /// How many bytes Kafka would send: `bytes`, and the part of the next batch that the limit cuts off.
    pub counted_bytes: usize,
    /// Where a reader of all of it continues.
    pub next_offset: Offset,
    pub log_start_offset: Offset,
    /// Whether more would have come with a larger limit.
    pub is_cut: bool,
}

impl ReadSlice {
    fn empty(at: Offset, log_start_offset: Offset, is_cut: bool) -> ReadSlice {
        ReadSlice {
            data: ReadData::Empty,
            bytes: 0,
            counted_bytes: 0,
            next_offset: at,
            log_start_offset,
            is_cut,
        }
    }

    /// The bytes themselves, for who must look into them. Copies where they are in a file.
    pub fn read_bytes(&self) -> std::io::Result<Bytes> {
        match &self.data {
            ReadData::Empty => Ok(Bytes::new()),
            ReadData::File { file, position, len } => {
                let mut bytes = vec![0; *len];
                file.read_exact_at(&mut bytes, *position)?;
                Ok(Bytes::from(bytes))
            }
            ReadData::Memory(pieces) => match pieces.as_slice() {
                [one] => Ok(one.clone()),
                pieces => Ok(Bytes::from(pieces.concat())),
            },
        }
    }
}

/// How far a read may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadLimits {
    pub max_bytes: usize,
    /// No record at or above it: a high watermark, a last stable offset, or the log's end.
    pub bound: Offset,
    /// Give the first batch even when it alone is larger than `max_bytes` (KIP-74).
    pub min_one_batch: bool,
}

/// Failed looks, with nothing changed between them, after which the device is at fault.
const READ_FAILURES_MAX: u32 = 3;

impl UnifiedLog {
    /// Finds whole batches from the one that holds `from` on. Never waits for a writer.
    pub fn read(&self, from: Offset, limits: ReadLimits) -> Result<ReadSlice, ReadError> {
        self.check_readable()?;
        let log_start_offset = self.log_start_offset();
        let log_end_offset = self.log_end_offset();
        if from < log_start_offset || from > log_end_offset {
            return Err(ReadError::OffsetOutOfRange { offset: from, log_start_offset, log_end_offset });
        }
        let bound = limits.bound.min(log_end_offset);
        if from >= bound {
            return Ok(ReadSlice::empty(from, log_start_offset, false));
        }
        let mut failures = 0;
        loop {
            let segments = self.segments.load_full();
            match self.look_for(&segments, from, bound, &limits) {
                Ok(Look::Found(found)) => return Ok(found.into_slice(log_start_offset)),
                Ok(Look::FirstIsTooLarge) => return Ok(ReadSlice::empty(from, log_start_offset, true)),
                Ok(Look::Nothing) => return Ok(ReadSlice::empty(from, log_start_offset, false)),
                Ok(Look::Damaged { file, position }) => return Err(ReadError::Corrupt { file, position }),
                Ok(Look::Moved) => self.check_still_there(from)?,
                Err(error) => {
                    self.check_readable()?;
                    self.check_still_there(from)?;
                    // A segment that was removed while it was looked at is looked for again.
                    if self.segments.is_same(&segments) {
                        failures += 1;
                    }
                    if failures == READ_FAILURES_MAX {
                        let what = format!("reading {}", self.place().folder.display());
                        return Err(self.place().dir.fail(&what, &error).into());
                    }
                }
            }
        }
    }

    fn check_still_there(&self, from: Offset) -> Result<(), ReadError> {
        let log_start_offset = self.log_start_offset();
        if from >= log_start_offset {
            return Ok(());
        }
        let log_end_offset = self.log_end_offset();
        Err(ReadError::OffsetOutOfRange { offset: from, log_start_offset, log_end_offset })
    }

    fn look_for(
        &self,
        segments: &[Arc<Segment>],
        from: Offset,
        bound: Offset,
        limits: &ReadLimits,
    ) -> std::io::Result<Look> {
        if from < self.local_log_start_offset() {
            // Its segment is gone from the list, or about to: what comes first now lies behind a hole.
            return Ok(Look::Moved);
        }
        let Some(range) = self.range_of(segments, from, bound)? else { return Ok(Look::Nothing) };
        let segment = &segments[range.index];
        let file = segment.file(&self.shared.files)?;
        let Some(cut) = self.cut_to(segment, &*file, &range, limits)? else { return Ok(Look::Nothing) };
        if cut.end == range.start {
            return Ok(Look::FirstIsTooLarge);
        }
        let checked = segment.ensure_checked(&*file, range.start, cut.end)?;
        if checked <= range.start {
            let file = segment.slot().path().display().to_string();
            return Ok(Look::Damaged { file, position: range.start });
        }
        assert!(checked <= cut.end, "a read never goes on behind its end");
        let is_whole = checked == cut.end;
        if is_whole {
            let cursor =
                Position { offset: cut.next_offset, segment: segment.base_offset(), position: cut.end };
            self.segments.push_cursor(segment, range.index, cursor);
        }
        let len = (checked - range.start) as usize;
        // The batch behind a cut is longer than what is left of the limit.
        let within_limit = limits.max_bytes.min((range.limit - range.start) as usize);
        Ok(Look::Found(Found {
            file,
            position: range.start,
            len,
            counted_bytes: if cut.is_cut { len.max(within_limit) } else { len },
            // What is before a damaged batch is served, and the reader comes again.
            next_offset: if is_whole { cut.next_offset } else { from },
            is_cut: cut.is_cut,
        }))
    }

    /// The bytes of one segment from the batch that holds `from` on, below the bound. `None`: there are none.
    fn range_of(
        &self,
        segments: &[Arc<Segment>],
        from: Offset,
        bound: Offset,
    ) -> std::io::Result<Option<Range>> {
        let Some((mut index, mut start)) = self.locate(segments, from)? else { return Ok(None) };
        // Offsets may end before a segment does (compaction, truncation): go on with the next.
        while start >= segments[index].size_bytes() {
            index += 1;
            start = 0;
            if index == segments.len() {
                return Ok(None);
            }
        }
        let segment = &segments[index];
        if segment.base_offset() >= bound {
            return Ok(None);
        }
        let next_base = segments.get(index + 1).map(|next| next.base_offset());
        let (limit, limit_offset) = match next_base {
            Some(next_base) if next_base <= bound => (segment.size_bytes(), next_base),
            _ => match self.locate(segments, bound)? {
                Some((bound_index, position)) if bound_index == index => (position, bound),
                // The bound is where the next segment starts, or past what is in this one.
                _ => (segment.size_bytes(), bound),
            },
        };
        Ok((start < limit).then_some(Range { index, start, limit, limit_offset }))
    }

    /// How much of the range a reader gets; nothing when its first batch alone is too large.
    fn cut_to(
        &self,
        segment: &Segment,
        file: &dyn File,
        range: &Range,
        limits: &ReadLimits,
    ) -> std::io::Result<Option<Cut>> {
        if range.limit - range.start <= limits.max_bytes as u64 {
            return Ok(Some(Cut { end: range.limit, next_offset: range.limit_offset, is_cut: false }));
        }
        let target = range.start + limits.max_bytes as u64;
        let whole = segment.whole_batches(&self.shared.files, file, range.start, target)?;
        Ok(whole.next.map(|(next, position)| {
            if whole.end > range.start {
                let next_offset = next.min(range.limit_offset);
                Cut { end: whole.end.min(range.limit), next_offset, is_cut: true }
            } else {
                let end = if limits.min_one_batch { position.min(range.limit) } else { range.start };
                Cut { end, next_offset: next, is_cut: true }
            }
        }))
    }

    /// Where the first batch that ends at or after `offset` begins; for the log's end, where the next batch will
    /// (`UnifiedLog.convertToOffsetMetadataOrThrow`).
    pub fn position_of(&self, offset: Offset) -> Result<Position, ReadError> {
        self.check_readable()?;
        let (log_start_offset, log_end_offset) = (self.log_start_offset(), self.log_end_offset());
        if offset < log_start_offset || offset > log_end_offset {
            return Err(ReadError::OffsetOutOfRange { offset, log_start_offset, log_end_offset });
        }
        let found = self.retry_replaced(|| {
            let segments = self.segments.load();
            let Some((mut index, mut position)) = self.locate(&segments, offset)? else {
                // The first append makes the first segment.
                return Ok(Position { offset, segment: log_end_offset, position: 0 });
            };
            // Offsets may end before a segment does (compaction, truncation): go on with the next.
            while position >= segments[index].size_bytes() && index + 1 < segments.len() {
                index += 1;
                position = 0;
            }
            Ok(Position { offset, segment: segments[index].base_offset(), position })
        });
        found.map_err(|error| self.lookup_failed(&error))
    }

    /// The segment (by place in the list) and position of the first batch that ends at or after
    /// `offset`; the segment's end when none does.
    pub(crate) fn locate(
        &self,
        segments: &[Arc<Segment>],
        offset: Offset,
    ) -> std::io::Result<Option<(usize, u64)>> {
        let place = |base: Offset| segments.partition_point(|segment| segment.base_offset() <= base);
        if let Some(known) = self.segments.find_known(segments, offset) {
            return Ok(Some(known));
        }
        let Some(index) = place(offset).checked_sub(1).or((!segments.is_empty()).then_some(0)) else {
            return Ok(None);
        };
        let segment = &segments[index];
        // Read before the search: what is appended during it lies behind.
        let size = segment.size_bytes();
        let position = segment.find(&self.shared.files, offset)?.map_or(size, |(position, _)| position);
        Ok(Some((index, position)))
    }

    /// Looks again when a segment was replaced while it was looked at.
    pub(crate) fn retry_replaced<T>(
        &self,
        mut look: impl FnMut() -> std::io::Result<T>,
    ) -> std::io::Result<T> {
        loop {
            let before = self.segments.load_full();
            match look() {
                Err(error)
                    if error.kind() == std::io::ErrorKind::NotFound && !self.segments.is_same(&before) => {}
                result => return result,
            }
        }
    }

    /// Aborted transactions that touch `from..bound`, for a read_committed reader.
    pub fn aborted_transactions(&self, from: Offset, bound: Offset) -> Result<Vec<AbortedTxn>, ReadError> {
        self.check_readable()?;
        loop {
            let place = self.place().clone();
            let found = self.aborted_in(&place, from, bound);
            // An index that is not there has no entry; in a folder that the log has left, that says nothing.
            if Arc::ptr_eq(&place, &self.place()) {
                return found;
            }
        }
    }

    fn aborted_in(&self, place: &Place, from: Offset, bound: Offset) -> Result<Vec<AbortedTxn>, ReadError> {
        if self.lacks_aborted.load(Ordering::Acquire) {
            place.dir.check()?;
        }
        let segments = self.segments.load();
        let first = segments.partition_point(|segment| segment.base_offset() <= from).saturating_sub(1);
        let mut found = Vec::new();
        for segment in segments.iter().skip(first) {
            let path = names::segment_file(&place.folder, segment.base_offset(), names::TXN_INDEX_SUFFIX);
            let entries = txn_index::read(&*self.shared.env.disk, &path)
                .map_err(|error| place.dir.fail(&format!("reading {}", path.display()), &error))?;
            for entry in entries {
                if entry.last_offset >= from && entry.first_offset < bound {
                    found.push(entry);
                }
                if entry.last_stable_offset >= bound {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    /// Walks the headers of all batches in `from..to` by position of their segment.
    pub(crate) fn for_each_header(
        &self,
        segments: &[Arc<Segment>],
        from: Offset,
        to: Offset,
        mut on_header: impl FnMut(&Segment, &dyn File, u64, &ottla_records::BatchHeader) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        let files = &self.shared.files;
        let first = segments.partition_point(|segment| segment.base_offset() <= from).saturating_sub(1);
        for (index, segment) in segments.iter().enumerate().skip(first) {
            if segment.base_offset() >= to || segment.size_bytes() == 0 {
                continue;
            }
            let start = if index == first {
                segment.find(files, from)?.map_or(segment.size_bytes(), |(position, _)| position)
            } else {
                0
            };
            let file = segment.file(files)?;
            let mut headers = scan::HeaderScan::new(&*file, start, segment.size_bytes());
            while let Some((position, header)) = headers.next()? {
                if header.base_offset >= to {
                    return Ok(());
                }
                on_header(segment, &*file, position, &header)?;
            }
        }
        Ok(())
    }
}

/// What one look for batches found.
enum Look {
    Found(Found),
    /// Not one whole batch is within `max_bytes`.
    FirstIsTooLarge,
    /// No batch is between the offset and the bound.
    Nothing,
    /// The offset is not on this disk any more.
    Moved,
    /// The first batch fails its checksum.
    Damaged {
        file: String,
        position: u64,
    },
}

struct Found {
    file: Arc<dyn File>,
    position: u64,
    len: usize,
    counted_bytes: usize,
    next_offset: Offset,
    is_cut: bool,
}

impl Found {
    fn into_slice(self, log_start_offset: Offset) -> ReadSlice {
        ReadSlice {
            data: ReadData::File { file: self.file, position: self.position, len: self.len },
            bytes: self.len,
            counted_bytes: self.counted_bytes,
            next_offset: self.next_offset,
            log_start_offset,
            is_cut: self.is_cut,
        }
    }
}

/// A part of the segment at `index`, and the offset that its end stands for.
struct Range {
    index: usize,
    start: u64,
    limit: u64,
    limit_offset: Offset,
}

/// Where the part that a reader gets ends.
struct Cut {
    end: u64,
    next_offset: Offset,
    is_cut: bool,
}
