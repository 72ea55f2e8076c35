//! Making the indexes of a segment right again after a stop that was not clean.
//! Shell. They are hints: what does not fit the batches is made again, what fits is left alone.

use std::io;
use std::sync::Arc;

use ottla_env::File;
use ottla_model::Offset;
use ottla_records::BatchHeader;

use crate::index::{OffsetEntry, TimeEntry};
use crate::load_report::LoadReport;
use crate::scan::HeaderScan;
use crate::segment::Segment;
use crate::unified_log::UnifiedLog;

/// How far a walk over a segment came, and what the indexes still need.
pub(crate) struct Repair {
    pub(crate) position: u64,
    pub(crate) next: Offset,
    pub(crate) bytes_since_entry: u64,
    index_interval_bytes: u64,
}

impl Repair {
    fn step(&mut self, position: u64, header: &BatchHeader) {
        let bytes = header.size_bytes() as u64;
        self.position = position + bytes;
        self.next = header.next_offset();
        self.bytes_since_entry += bytes;
    }

    pub(crate) fn note(
        &mut self,
        log: &UnifiedLog,
        segment: &Segment,
        position: u64,
        header: &BatchHeader,
    ) -> io::Result<()> {
        let files = &log.shared.files;
        segment.note_timestamp(header.max_timestamp, header.last_offset());
        if self.bytes_since_entry > self.index_interval_bytes {
            segment.append_index_entries(OffsetEntry { offset: header.last_offset(), position }, files)?;
            self.bytes_since_entry = 0;
        }
        self.step(position, header);
        Ok(())
    }
}

impl UnifiedLog {
    /// Makes both indexes right up to the recovery point, walking headers from their last entry
    /// that fits; the entries of what is scanned next are then added behind.
    pub(crate) fn repair_indexes(
        &self,
        segment: &Arc<Segment>,
        file: &dyn File,
        recovery_point: Offset,
        report: &mut LoadReport,
    ) -> io::Result<Repair> {
        let files = &self.shared.files;
        let size = segment.size_bytes();
        segment.index.truncate(files, |entry| entry.position < size && entry.offset < recovery_point)?;
        let last = segment.index.last(files)?;
        if last.is_none()
            && let Some(repair) = self.keep_lone_time_entry(segment, file, recovery_point)?
        {
            return Ok(repair);
        }
        let is_right = match last {
            Some(entry) => segment.is_at(file, size, entry)?,
            None => true,
        };
        let bound = last.map_or(segment.base_offset(), |entry| entry.offset);
        segment.time_index.truncate(files, |entry| entry.offset <= bound)?;
        let last_time = segment.time_index.last(files)?;
        // Timestamps mostly grow, so the last entries of both speak of one batch; if not, the time
        // index may have lost some, and only the batches know.
        let is_time_right = last_time.map_or(last.is_none(), |time| time.offset >= bound);
        let mut repair = self.repair_from_start(segment);
        if let (Some(entry), true, true) = (last, is_right, is_time_right) {
            repair.position = entry.position;
            segment.set_max_timestamp(last_time);
        } else {
            if last.is_some() || last_time.is_some() {
                report.rebuilt_indexes += 1;
            }
            segment.index.truncate(files, |_| false)?;
            segment.time_index.truncate(files, |_| false)?;
            segment.set_max_timestamp(None);
        }
        let from_entry = repair.position;
        let mut scan = HeaderScan::new(file, repair.position, size);
        // Without a look at the file when nothing in it is below the recovery point.
        while repair.next < recovery_point
            && let Some((position, header)) = scan.next()?
        {
            if header.next_offset() > recovery_point || header.base_offset < repair.next {
                break;
            }
            if position == from_entry && last.is_some() && from_entry > 0 {
                // The entry itself is in the index already.
                segment.note_timestamp(header.max_timestamp, header.last_offset());
                repair.step(position, &header);
            } else {
                repair.note(self, segment, position, &header)?;
            }
        }
        Ok(repair)
    }

    fn repair_from_start(&self, segment: &Segment) -> Repair {
        Repair {
            position: 0,
            next: segment.base_offset(),
            bytes_since_entry: 0,
            index_interval_bytes: self.config.load().index_interval_bytes,
        }
    }

    /// A short segment that was closed has one time entry and nothing else in its indexes. Where the
    /// batches say the same it stays: a start after a kill would write to each of many folders
    /// otherwise. `None`: the indexes are to be looked at as any others.
    fn keep_lone_time_entry(
        &self,
        segment: &Arc<Segment>,
        file: &dyn File,
        recovery_point: Offset,
    ) -> io::Result<Option<Repair>> {
        let files = &self.shared.files;
        let (size, mut repair) = (segment.size_bytes(), self.repair_from_start(segment));
        if size > repair.index_interval_bytes || segment.time_index.len(files)? != 1 {
            return Ok(None);
        }
        let entry = segment.time_index.last(files)?;
        let mut max: Option<TimeEntry> = None;
        let mut scan = HeaderScan::new(file, 0, size);
        while repair.next < recovery_point
            && let Some((position, header)) = scan.next()?
        {
            if header.next_offset() > recovery_point || header.base_offset < repair.next {
                break;
            }
            if max.is_none_or(|max| header.max_timestamp > max.timestamp) {
                max = Some(TimeEntry { timestamp: header.max_timestamp, offset: header.last_offset() });
            }
            repair.step(position, &header);
        }
        if max.is_none() || max != entry {
            return Ok(None);
        }
        segment.set_max_timestamp(max);
        Ok(Some(repair))
    }
}
