//! Reading: finds whole batches and hands out where they are, not the bytes.
//! Shell.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use ottla_env::File;
use ottla_model::Offset;

use crate::error::ReadError;
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
        // A segment that retention removes while it is looked at is looked for again.
        let mut attempts = 0;
        loop {
            attempts += 1;
            let before = self.segments.load_full();
            match self.try_read(from, bound, &limits, log_start_offset) {
                Ok(Some(slice)) => return Ok(slice),
                Ok(None) => return Ok(ReadSlice::empty(from, log_start_offset, false)),
                Err(ReadFailure::Corrupt { file, position }) => {
                    return Err(ReadError::Corrupt { file, position });
                }
                Err(ReadFailure::Io(error)) => {
                    self.check_readable()?;
                    if !Arc::ptr_eq(&before, &self.segments.load()) {
                        attempts -= 1;
                    }
                    let log_start_offset = self.log_start_offset();
                    if from < log_start_offset {
                        let log_end_offset = self.log_end_offset();
                        return Err(ReadError::OffsetOutOfRange {
                            offset: from,
                            log_start_offset,
                            log_end_offset,
                        });
                    }
                    if attempts == 3 {
                        return Err(self
                            .dir
                            .fail(&format!("reading {}", self.folder.display()), &error)
                            .into());
                    }
                }
            }
        }
    }

    fn try_read(
        &self,
        from: Offset,
        bound: Offset,
        limits: &ReadLimits,
        log_start_offset: Offset,
    ) -> Result<Option<ReadSlice>, ReadFailure> {
        let files = &self.shared.files;
        let segments = self.segments.load();
        if from < self.log_start_offset() {
            // Its segment is gone from the list, or about to: what comes first now lies behind a hole.
            return Err(ReadFailure::Io(std::io::ErrorKind::NotFound.into()));
        }
        let Some((mut index, start)) = self.locate(&segments, from)? else { return Ok(None) };
        let mut start = start;
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
        let bound_is_beyond = next_base.is_some_and(|next| next <= bound);
        let (limit, limit_offset) = if bound_is_beyond {
            (segment.size_bytes(), next_base.unwrap_or(bound))
        } else {
            match self.locate(&segments, bound)? {
                Some((bound_index, position)) if bound_index == index => (position, bound),
                // The bound is where the next segment starts, or past what is in this one.
                _ => (segment.size_bytes(), bound),
            }
        };
        if start >= limit {
            return Ok(None);
        }
        let file = segment.file(files)?;
        let (end, next_offset, is_cut) = if limit - start <= limits.max_bytes as u64 {
            (limit, limit_offset, false)
        } else {
            let whole = segment.whole_batches(files, &*file, start, start + limits.max_bytes as u64)?;
            match whole.next {
                Some((next, position)) if whole.end == start => {
                    if !limits.min_one_batch {
                        return Ok(Some(ReadSlice::empty(from, log_start_offset, true)));
                    }
                    (position.min(limit), next, true)
                }
                Some((next, _)) => (whole.end.min(limit), next.min(limit_offset), true),
                None => return Ok(None),
            }
        };
        let checked = segment.ensure_checked(&*file, start, end)?;
        if checked <= start {
            return Err(ReadFailure::Corrupt {
                file: segment.slot().path().display().to_string(),
                position: start,
            });
        }
        let next_offset = if checked < end { from } else { next_offset };
        if checked == end {
            let cursor = Position { offset: next_offset, segment: segment.base_offset(), position: end };
            let mut positions = self.positions.lock();
            if self.is_current(segment, index) {
                positions.push_cursor(cursor);
            }
        }
        let len = (checked - start) as usize;
        // The batch behind a cut is longer than what is left of the limit.
        let counted_bytes = if is_cut { len.max(limits.max_bytes.min((limit - start) as usize)) } else { len };
        Ok(Some(ReadSlice {
            data: ReadData::File { file, position: start, len },
            bytes: len,
            counted_bytes,
            next_offset,
            log_start_offset,
            is_cut,
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
        if let Some(known) = self.find_known(segments, offset) {
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

    /// A place that was remembered, if it is one in these segments.
    fn find_known(&self, segments: &[Arc<Segment>], offset: Offset) -> Option<(usize, u64)> {
        let positions = self.positions.lock();
        let known = positions.find(offset)?;
        let index =
            segments.partition_point(|segment| segment.base_offset() <= known.segment).checked_sub(1)?;
        let segment = &segments[index];
        // The cleaner changes segments and positions together, under the lock that is held here.
        let is_known = segment.base_offset() == known.segment && self.is_current(segment, index);
        is_known.then_some((index, known.position))
    }

    /// Whether the segment is (still, or by now) the log's. `index`: where it is likely to be.
    fn is_current(&self, segment: &Arc<Segment>, index: usize) -> bool {
        let now = self.segments.load();
        now.get(index).is_some_and(|other| Arc::ptr_eq(other, segment))
            || now.iter().any(|other| Arc::ptr_eq(other, segment))
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
                    if error.kind() == std::io::ErrorKind::NotFound
                        && !Arc::ptr_eq(&before, &self.segments.load()) => {}
                result => return result,
            }
        }
    }

    /// Aborted transactions that touch `from..bound`, for a read_committed reader.
    pub fn aborted_transactions(&self, from: Offset, bound: Offset) -> Result<Vec<AbortedTxn>, ReadError> {
        self.check_readable()?;
        if self.lacks_aborted.load(Ordering::Acquire) {
            self.dir.check()?;
        }
        let segments = self.segments.load();
        let first = segments.partition_point(|segment| segment.base_offset() <= from).saturating_sub(1);
        let mut found = Vec::new();
        for segment in segments.iter().skip(first) {
            let path = names::segment_file(&self.folder, segment.base_offset(), names::TXN_INDEX_SUFFIX);
            let entries = txn_index::read(&*self.shared.env.disk, &path)
                .map_err(|error| self.dir.fail(&format!("reading {}", path.display()), &error))?;
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

enum ReadFailure {
    Io(std::io::Error),
    Corrupt { file: String, position: u64 },
}

impl From<std::io::Error> for ReadFailure {
    fn from(error: std::io::Error) -> ReadFailure {
        ReadFailure::Io(error)
    }
}
