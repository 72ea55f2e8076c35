//! Looking offsets up by timestamp, right to the record (ListOffsets).
//! Shell.

use std::io;
use std::sync::Arc;

use ottla_env::File;
use ottla_model::{LeaderEpoch, Offset};
use ottla_records::{BatchHeader, BatchView, Record};

use crate::error::ReadError;
use crate::scan::HeaderScan;
use crate::segment::Segment;
use crate::unified_log::UnifiedLog;

/// A record found by its timestamp.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimestampOffset {
    pub timestamp: i64,
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
}

impl UnifiedLog {
    /// The first record whose timestamp is not before `timestamp`; looks into its batch. The
    /// caller judges whether it is visible (below the high watermark).
    pub fn offset_for_timestamp(&self, timestamp: i64) -> Result<Option<TimestampOffset>, ReadError> {
        self.check_readable()?;
        self.retry_replaced(|| self.find_timestamp(timestamp)).map_err(|error| self.lookup_failed(&error))
    }

    /// The first record that has the largest timestamp of the log.
    pub fn max_timestamp(&self) -> Result<Option<TimestampOffset>, ReadError> {
        self.check_readable()?;
        self.retry_replaced(|| self.find_max_timestamp()).map_err(|error| self.lookup_failed(&error))
    }

    pub(crate) fn lookup_failed(&self, error: &io::Error) -> ReadError {
        if error.kind() == io::ErrorKind::InvalidData {
            return ReadError::Corrupt {
                file: format!("{} ({error})", self.place().folder.display()),
                position: 0,
            };
        }
        match self.check_readable() {
            Err(deleted) => deleted,
            Ok(()) => {
                self.place().dir.fail(&format!("reading {}", self.place().folder.display()), error).into()
            }
        }
    }

    /// The first record of the log, with its epoch.
    pub fn earliest(&self) -> Result<(Offset, Option<LeaderEpoch>), ReadError> {
        self.check_readable()?;
        let start = self.log_start_offset();
        Ok((start, self.epochs.load().epoch_for(start)))
    }

    /// The first record that is on this disk, with its epoch (ListOffsets' EARLIEST_LOCAL).
    pub fn earliest_local(&self) -> Result<(Offset, Option<LeaderEpoch>), ReadError> {
        self.check_readable()?;
        let start = self.local_log_start_offset();
        Ok((start, self.epochs.load().epoch_for(start)))
    }

    fn find_timestamp(&self, timestamp: i64) -> io::Result<Option<TimestampOffset>> {
        let files = &self.shared.files;
        let start = self.log_start_offset();
        for segment in self.segments.load().iter() {
            if segment.max_timestamp(files)?.is_none_or(|max| max.timestamp < timestamp) {
                continue;
            }
            // The entry before the first that is late enough: its batch and all before are earlier.
            let entry = segment.time_index.floor(files, |entry| entry.timestamp < timestamp)?;
            let from = entry.map_or(segment.base_offset(), |entry| entry.offset).max(start);
            let Some((position, _)) = segment.find(files, from)? else { continue };
            let file = segment.file(files)?;
            let mut scan = HeaderScan::new(&*file, position, segment.size_bytes());
            while let Some((position, header)) = scan.next()? {
                if header.max_timestamp < timestamp || header.last_offset() < start {
                    continue;
                }
                let found = find_record(segment, &file, position, &header, |record| {
                    record.timestamp >= timestamp && record.offset >= start
                })?;
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }

    fn find_max_timestamp(&self) -> io::Result<Option<TimestampOffset>> {
        let files = &self.shared.files;
        let mut best: Option<(Arc<Segment>, i64, Offset)> = None;
        for segment in self.segments.load().iter() {
            if segment.size_bytes() == 0 {
                continue;
            }
            if let Some(max) = segment.max_timestamp(files)?
                && best.as_ref().is_none_or(|(_, timestamp, _)| max.timestamp > *timestamp)
            {
                best = Some((segment.clone(), max.timestamp, max.offset));
            }
        }
        let Some((segment, timestamp, offset)) = best else { return Ok(None) };
        let Some((position, header)) = segment.find(files, offset)? else { return Ok(None) };
        let file = segment.file(files)?;
        find_record(&segment, &file, position, &header, |record| record.timestamp == timestamp)
    }
}

/// The first record of a batch that fits, reading and expanding only that batch.
fn find_record(
    segment: &Segment,
    file: &Arc<dyn File>,
    position: u64,
    header: &BatchHeader,
    fits: impl Fn(&Record<'_>) -> bool,
) -> io::Result<Option<TimestampOffset>> {
    let end = position + header.size_bytes() as u64;
    let damaged = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    if segment.ensure_checked(&**file, position, end)? != end {
        return Err(damaged(format!("a batch at byte {position} fails its checksum")));
    }
    let mut bytes = vec![0; header.size_bytes()];
    file.read_exact_at(&mut bytes, position)?;
    let batch = BatchView::first(&bytes).map_err(|error| damaged(error.to_string()))?;
    let mut scratch = Vec::new();
    for record in batch.records(&mut scratch).map_err(|error| damaged(error.to_string()))? {
        let record = record.map_err(|error| damaged(error.to_string()))?;
        if fits(&record) {
            return Ok(Some(TimestampOffset {
                timestamp: record.timestamp,
                offset: record.offset,
                leader_epoch: header.leader_epoch,
            }));
        }
    }
    Ok(None)
}
