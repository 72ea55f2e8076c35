//! The log of metadata records: a partition of the log room's, `__cluster_metadata-0`.
//! Shell.
//!
//! Invariants:
//! - I1. A batch is one decision: it is there whole or not at all.
//! - I2. After a refused append nothing of it is in the log. After a failed write or sync the log's
//!   directory is offline: nothing more is appended until the process starts anew.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use ottla_log::{
    AppendError, AppendOrigin, ChangeError, CleanupPolicy, LogConfig, LogError, LogManager, ReadError,
    ReadLimits, StorageFailure, UnifiedLog,
};
use ottla_model::{LeaderEpoch, Offset, PartitionIndex, TopicId, TopicName, TopicPartition};
use ottla_records::batches;

use crate::batch::{Entry, UnreadableRecord, decode_batch};

/// Bytes of a read while replaying.
const READ_BYTES: usize = 4 * 1024 * 1024;

/// What is true after a failed append or sync.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Nothing was written; a later append may succeed.
    #[error("the metadata log can't be written: {0}")]
    Refused(String),
    /// Nothing is known of what was written; nothing more will be until the process starts anew.
    #[error("the metadata log failed and takes nothing more until a restart: {0}")]
    Poisoned(String),
}

impl From<StorageFailure> for CommitError {
    fn from(failure: StorageFailure) -> CommitError {
        CommitError::Poisoned(failure.to_string())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LogOpenError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error("reading {path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error(
        "the metadata log begins at offset {start}, but what comes before it (from offset {known}) is missing"
    )]
    Gap { start: Offset, known: Offset },
    #[error(transparent)]
    Unreadable(#[from] UnreadableRecord),
}

/// The partition that holds the cluster's facts: never a topic of a client's.
pub fn metadata_partition() -> TopicPartition {
    TopicPartition::new(TopicName::new("__cluster_metadata"), PartitionIndex(0))
}

/// Kept until a snapshot stands for it, whatever the broker's defaults are.
fn log_config() -> LogConfig {
    LogConfig {
        segment_bytes: 64 << 20,
        retention_ms: -1,
        retention_bytes: -1,
        cleanup_policy: CleanupPolicy { delete: true, compact: false },
        timestamp_after_max_ms: i64::MAX,
        ..LogConfig::default()
    }
}

pub struct MetadataLog {
    log: Arc<UnifiedLog>,
    epoch: LeaderEpoch,
    bytes_since_snapshot: u64,
}

impl MetadataLog {
    /// The log, not yet read.
    pub fn new(logs: &LogManager) -> Result<MetadataLog, LogOpenError> {
        let log = logs.get_or_create(&metadata_partition(), TopicId::METADATA, Arc::new(log_config()))?;
        Ok(MetadataLog { log, epoch: LeaderEpoch(0), bytes_since_snapshot: 0 })
    }

    /// The folder that also holds snapshots and the materialised image.
    pub fn folder(&self) -> PathBuf {
        self.log.dir().join(metadata_partition().to_string())
    }

    /// Hands every entry from `from` on to `on_entry`. A line says what could not be kept.
    pub fn replay(
        &mut self,
        from: Offset,
        on_entry: &mut dyn FnMut(Entry, Offset, LeaderEpoch),
    ) -> Result<Option<String>, LogOpenError> {
        let start = self.log.log_start_offset();
        if start > from {
            return Err(LogOpenError::Gap { start, known: from });
        }
        if self.log.log_end_offset() < from {
            // A snapshot is written after its records are on the device; here they are gone.
            let line = format!(
                "the metadata log ends at offset {}, before its snapshot: it goes on at {from}",
                self.log.log_end_offset()
            );
            self.log.truncate_fully_and_start_at(from)?;
            return Ok(Some(line));
        }
        let mut next = from;
        while next < self.log.log_end_offset() {
            let bound = self.log.log_end_offset();
            let limits = ReadLimits { max_bytes: READ_BYTES, bound, min_one_batch: true };
            let slice = match self.log.read(next, limits) {
                Ok(slice) => slice,
                Err(error @ ReadError::Corrupt { .. }) => return self.cut(next, &error.to_string()),
                Err(error) => return Err(error.into()),
            };
            let io_error = |source| LogOpenError::Io { path: self.folder(), source };
            let bytes = slice.read_bytes().map_err(io_error)?;
            let before = next;
            let mut damage = None;
            for view in batches(&bytes) {
                let view = match view.and_then(|view| view.verify_checksum().map(|()| view)) {
                    Ok(view) => view,
                    Err(error) => {
                        damage = Some(error.to_string());
                        break;
                    }
                };
                // The first batch may begin before what a snapshot holds.
                decode_batch(&view, &mut |entry, offset, epoch| {
                    if offset >= next {
                        on_entry(entry, offset, epoch);
                    }
                })?;
                next = next.max(view.header().next_offset());
                self.bytes_since_snapshot += view.bytes().len() as u64;
            }
            match damage {
                Some(why) => return self.cut(next, &why),
                None if next == before => return self.cut(next, "no batch follows"),
                None => {}
            }
        }
        Ok(None)
    }

    /// Nothing that fails its checksum is believed: the log ends before it.
    fn cut(&self, at: Offset, why: &str) -> Result<Option<String>, LogOpenError> {
        let end = self.log.log_end_offset();
        self.log.truncate_to(at)?;
        Ok(Some(format!(
            "the metadata log is damaged at offset {at} ({why}): records up to {} are lost",
            end.0 - 1
        )))
    }

    /// Bytes behind `offset`, about: what a start would read. From the files' sizes alone.
    pub fn bytes_after(&self, offset: Offset) -> u64 {
        let (start, end) = (self.log.log_start_offset(), self.log.log_end_offset());
        let all = (end - start).max(1) as u64;
        let after = (end - start.max(offset + 1)).max(0) as u64;
        (u128::from(self.log.size_bytes()) * u128::from(after) / u128::from(all)) as u64
    }

    /// The reign that later appends belong to.
    pub fn set_epoch(&mut self, epoch: LeaderEpoch) {
        self.epoch = epoch;
    }

    /// Bytes replayed and appended since the last snapshot.
    pub fn bytes_since_snapshot(&self) -> u64 {
        self.bytes_since_snapshot
    }

    /// Writes batches, all or none. They are in the page cache when this returns.
    pub fn append(&mut self, batches: &[Bytes], now_ms: i64) -> Result<(), CommitError> {
        let records = match batches {
            [one] => one.clone(),
            several => {
                let mut joined = BytesMut::with_capacity(several.iter().map(Bytes::len).sum());
                several.iter().for_each(|batch| joined.extend_from_slice(batch));
                joined.freeze()
            }
        };
        let bytes = records.len() as u64;
        match self.log.append(records, self.epoch, AppendOrigin::Internal, now_ms) {
            Ok(_appended) => {
                self.bytes_since_snapshot += bytes;
                Ok(())
            }
            Err(AppendError::Storage(failure)) => Err(failure.into()),
            Err(refused) => Err(CommitError::Refused(refused.to_string())),
        }
    }

    /// Waits until all that was appended is on the device.
    pub fn sync(&mut self) -> Result<(), CommitError> {
        self.log.flush()?;
        Ok(())
    }

    /// A snapshot of everything so far is being written.
    pub fn on_snapshot_begun(&mut self) {
        self.bytes_since_snapshot = 0;
    }

    /// Drops the records before `end`, which a snapshot now stands for; whole segments go.
    pub fn drop_before(&mut self, end: Offset, now_ms: i64) -> Result<(), ChangeError> {
        if end > self.log.log_start_offset() {
            self.log.delete_records(end)?;
            self.log.run_retention(now_ms)?;
        }
        Ok(())
    }
}
