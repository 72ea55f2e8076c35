//! The log of metadata records, `__cluster_metadata-0`, and up to where it is committed.
//! Shell. A partition of the log room's, or (`--ephemeral`) offsets alone.
//!
//! Invariants:
//! - I1. A batch holds whole decisions: it is there or not. Whatever is answered was appended as one batch
//!   and synced before the next was appended, so a crash leaves nothing whole behind a torn batch but
//!   records of a start (`damage.rs`).
//! - I2. After a refused append nothing of it is in the log. After a failed write or sync the log's
//!   directory is offline: nothing more is appended until the process starts anew.
//! - I3. `commit_offset <= end_offset`; neither goes back. The one voter commits by itself: a record that
//!   somebody is answered for when it is synced, any other when it is appended.
//! - I4. Offsets are contiguous, leader epochs never go back.

use std::path::PathBuf;
use std::sync::Arc;

use ottla_log::{
    AppendError, AppendOrigin, ChangeError, CleanupPolicy, LogConfig, LogError, LogManager, ReadError,
    ReadLimits, StorageFailure, UnifiedLog,
};
use ottla_model::{LeaderEpoch, Offset, PartitionIndex, TopicId, TopicName, TopicPartition};
use ottla_records::{BatchHeader, batches};

use crate::batch::{Batch, Entry, UnreadableRecord, decode_batch};

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
    /// Another node leads, or nobody; what was decided may be committed yet, or not.
    #[error("this node does not lead the metadata quorum any more")]
    NotLeader,
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

/// The topic of the metadata log.
pub const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";

/// The partition that holds the cluster's facts: never a topic of a client's.
pub fn metadata_partition() -> TopicPartition {
    TopicPartition::new(TopicName::new(CLUSTER_METADATA_TOPIC), PartitionIndex(0))
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
    /// `None`: the facts live in memory alone.
    kept: Option<Kept>,
    epoch: LeaderEpoch,
    /// The offset that the next record gets.
    end_offset: Offset,
    /// Below it everything is committed.
    commit_offset: Offset,
    /// Below it everything is on the device.
    synced_offset: Offset,
}

struct Kept {
    log: Arc<UnifiedLog>,
    bytes_since_snapshot: u64,
}

impl MetadataLog {
    /// A log without a device.
    pub fn in_memory() -> MetadataLog {
        MetadataLog::starting(None)
    }

    /// The log in these directories, not yet read.
    pub fn on_disk(logs: &LogManager) -> Result<MetadataLog, LogOpenError> {
        let log = logs.get_or_create(&metadata_partition(), TopicId::METADATA, Arc::new(log_config()))?;
        Ok(MetadataLog::starting(Some(Kept { log, bytes_since_snapshot: 0 })))
    }

    fn starting(kept: Option<Kept>) -> MetadataLog {
        let zero = Offset::ZERO;
        MetadataLog {
            kept,
            epoch: LeaderEpoch(0),
            end_offset: zero,
            commit_offset: zero,
            synced_offset: zero,
        }
    }

    pub fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// The folder that also holds snapshots and the materialised image.
    pub fn folder(&self) -> Option<PathBuf> {
        self.kept.as_ref().map(|kept| kept.log.dir().join(metadata_partition().to_string()))
    }

    /// Below it everything is committed.
    pub fn commit_offset(&self) -> Offset {
        self.commit_offset
    }

    /// Whether a sync has passed everything that was appended.
    pub fn is_synced(&self) -> bool {
        self.synced_offset == self.end_offset
    }

    /// Hands every entry from `from` on to `on_entry`; what the log holds at a start is committed. A line
    /// says what could not be kept.
    pub fn replay(
        &mut self,
        from: Offset,
        on_entry: &mut dyn FnMut(Entry, Offset, LeaderEpoch),
    ) -> Result<Option<String>, LogOpenError> {
        let Some(kept) = &mut self.kept else { return Ok(None) };
        let line = kept.replay(from, on_entry)?;
        self.end_offset = kept.log.log_end_offset();
        self.commit_offset = self.end_offset;
        Ok(line)
    }

    /// As `replay`, for one voter of several: what the log holds may be committed or not.
    pub fn scan(
        &mut self,
        from: Offset,
        on_entry: &mut dyn FnMut(Entry, Offset, LeaderEpoch),
    ) -> Result<Option<String>, LogOpenError> {
        let line = self.replay(from, on_entry)?;
        self.commit_offset = from;
        Ok(line)
    }

    /// The log beneath; `None` where the facts live in memory alone.
    pub fn unified(&self) -> Option<&Arc<UnifiedLog>> {
        self.kept.as_ref().map(|kept| &kept.log)
    }

    /// Bytes behind `offset`, about: what a start would read. From the files' sizes alone.
    pub fn bytes_after(&self, offset: Offset) -> u64 {
        let Some(Kept { log, .. }) = &self.kept else { return 0 };
        let (start, end) = (log.log_start_offset(), log.log_end_offset());
        let all = (end - start).max(1) as u64;
        let after = (end - start.max(offset + 1)).max(0) as u64;
        (u128::from(log.size_bytes()) * u128::from(after) / u128::from(all)) as u64
    }

    /// The leader epoch of later appends.
    pub fn set_epoch(&mut self, epoch: LeaderEpoch) {
        assert!(epoch >= self.epoch, "leader epochs never go back");
        self.epoch = epoch;
    }

    /// Bytes replayed and appended since the last snapshot.
    pub fn bytes_since_snapshot(&self) -> u64 {
        self.kept.as_ref().map_or(0, |kept| kept.bytes_since_snapshot)
    }

    /// Writes a batch, all or nothing. It is in the page cache when this returns, and not committed.
    pub fn append(&mut self, batch: &Batch, now_ms: i64) -> Result<(), CommitError> {
        if let Some(kept) = &mut self.kept {
            let bytes = batch.bytes.clone();
            match kept.log.append(bytes, self.epoch, AppendOrigin::Internal, now_ms) {
                Ok(appended) => assert!(
                    appended.base_offset == batch.base && appended.last_offset + 1 == batch.next,
                    "a batch was decided at offset {} and appended at {}",
                    batch.base,
                    appended.base_offset
                ),
                Err(AppendError::Storage(failure)) => return Err(failure.into()),
                Err(refused) => return Err(CommitError::Refused(refused.to_string())),
            }
            kept.bytes_since_snapshot += batch.bytes.len() as u64;
        }
        assert!(batch.base == self.end_offset && batch.next > batch.base, "offsets are contiguous");
        self.end_offset = batch.next;
        Ok(())
    }

    /// Waits until all that was appended is on the device.
    pub fn sync(&mut self) -> Result<(), CommitError> {
        if let Some(kept) = &self.kept {
            kept.log.flush()?;
        }
        self.synced_offset = self.end_offset;
        Ok(())
    }

    /// The offset that the next record gets.
    pub fn end_offset(&self) -> Offset {
        self.end_offset
    }

    /// Everything below `offset` is committed. Who votes decides that: the one voter of today when it has
    /// synced what somebody is answered for (or, with `ottla.durability=os`, appended it).
    pub fn commit_to(&mut self, offset: Offset) {
        assert!(
            self.commit_offset <= offset && offset <= self.end_offset,
            "the commit offset {} can't become {offset} in a log that ends at {}",
            self.commit_offset,
            self.end_offset
        );
        self.commit_offset = offset;
    }

    /// A snapshot of everything so far is being written.
    pub fn on_snapshot_begun(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.bytes_since_snapshot = 0;
        }
    }

    /// Drops the records before `end`, which a snapshot now stands for; whole segments go.
    pub fn drop_before(&mut self, end: Offset, now_ms: i64) -> Result<(), ChangeError> {
        assert!(end <= self.commit_offset, "a snapshot holds committed records alone");
        if let Some(Kept { log, .. }) = &self.kept
            && end > log.log_start_offset()
        {
            log.delete_records(end)?;
            log.run_retention(now_ms)?;
        }
        Ok(())
    }
}

impl Kept {
    /// As `MetadataLog::replay`.
    fn replay(
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
        let (mut next, mut last_epoch) = (from, LeaderEpoch(0));
        while next < self.log.log_end_offset() {
            let bound = self.log.log_end_offset();
            let limits = ReadLimits { max_bytes: READ_BYTES, bound, min_one_batch: true };
            let slice = match self.log.read(next, limits) {
                Ok(slice) => slice,
                Err(error @ ReadError::Corrupt { .. }) => return self.cut(next, &error.to_string()),
                Err(error) => return Err(error.into()),
            };
            let io_error = |source| LogOpenError::Io { path: self.log.dir().to_owned(), source };
            let bytes = slice.read_bytes().map_err(io_error)?;
            let before = next;
            let mut damage = None;
            for view in batches(&bytes) {
                // The log has looked at the checksums of what it gave.
                let view = match view {
                    Ok(view) => view,
                    Err(error) => {
                        damage = Some(error.to_string());
                        break;
                    }
                };
                damage = misplaced(view.header(), next, last_epoch);
                if damage.is_some() {
                    break;
                }
                last_epoch = view.header().leader_epoch;
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
}

/// Why a batch whose checksum is right can't stand where the log must go on with offset `next`: neither
/// its offset nor its leader epoch is under the checksum.
pub(crate) fn misplaced(header: &BatchHeader, next: Offset, last_epoch: LeaderEpoch) -> Option<String> {
    if header.base_offset > next || header.next_offset() <= next {
        return Some(format!(
            "the batch holds offsets {} to {} where {next} is next",
            header.base_offset,
            header.last_offset()
        ));
    }
    if header.leader_epoch < last_epoch {
        return Some(format!("its leader epoch {} comes after {last_epoch}", header.leader_epoch));
    }
    None
}
