//! What can go wrong in a log, one enum per operation; each variant says what is true afterwards.
//! Core.

use std::io;
use std::path::PathBuf;

use ottla_model::{Offset, TopicId, TopicPartition};
use ottla_records::InvalidRecords;

/// The directory took a failed write or sync: nothing more is written there until a restart.
#[derive(Clone, Debug, thiserror::Error)]
#[error("log directory {dir} is offline: {reason}", dir = dir.display())]
pub struct StorageFailure {
    pub dir: PathBuf,
    pub reason: String,
}

/// Why an append stored nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    #[error(transparent)]
    Invalid(#[from] InvalidRecords),
    /// Larger than a segment may be.
    #[error("{0}")]
    BatchTooLarge(String),
    #[error("{0}")]
    OutOfOrderSequence(String),
    #[error("{0}")]
    InvalidProducerEpoch(String),
    #[error("{0}")]
    InvalidTxnState(String),
    #[error("{0}")]
    TransactionCoordinatorFenced(String),
    /// The leader epoch is older than one already in the log.
    #[error("leader epoch {given} is older than the log's {latest}")]
    FencedLeaderEpoch { given: i32, latest: i32 },
    /// A follower's batch does not continue the log.
    #[error("batch at offset {given} does not continue the log, which ends at {end}")]
    UnexpectedOffset { given: Offset, end: Offset },
    /// The device is full: the write was taken back; reads, deletes and later writes go on.
    #[error("{0}")]
    NoSpace(String),
    #[error(transparent)]
    Storage(#[from] StorageFailure),
    /// The partition was deleted.
    #[error("the log was deleted")]
    Deleted,
}

/// Why a read gave nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    #[error("offset {offset} is outside [{log_start_offset}, {log_end_offset}]")]
    OffsetOutOfRange { offset: Offset, log_start_offset: Offset, log_end_offset: Offset },
    /// The stored bytes fail their checksum; they are not served.
    #[error("the stored batch at {file} byte {position} is corrupt")]
    Corrupt { file: String, position: u64 },
    #[error(transparent)]
    Storage(#[from] StorageFailure),
    #[error("the log was deleted")]
    Deleted,
}

/// Why a change of a log's bounds (truncation, deletion of records) did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("offset {offset} is outside [{log_start_offset}, {log_end_offset}]")]
    OffsetOutOfRange { offset: Offset, log_start_offset: Offset, log_end_offset: Offset },
    #[error(transparent)]
    Storage(#[from] StorageFailure),
    #[error("{0}")]
    NoSpace(String),
    #[error("the log was deleted")]
    Deleted,
}

/// What helps, behind the system's own words.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; it belongs to another user: give it to this one (chown), or choose another log.dirs"
        }
        io::ErrorKind::NotADirectory => "; a part of the path is a file: choose another log.dirs",
        io::ErrorKind::ReadOnlyFilesystem => "; choose a log.dirs that may be written",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room there, or choose another log.dirs"
        }
        _ => "",
    }
}

/// Why the directories can't be used at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("no log directory was given")]
    NoDirectory,
    #[error(
        "another process uses {dir} (it holds {dir}/.lock); stop it, or choose another log.dirs",
        dir = dir.display()
    )]
    Locked { dir: PathBuf },
    #[error("log directory {dir} can't be used: {error}{advice}", dir = dir.display(), advice = advice(error))]
    Io { dir: PathBuf, error: io::Error },
    /// Which of both counts can't be known.
    #[error(
        "partition {partition} is there twice, in {first} and in {second}: move the folder that is not to count out of its log directory",
        first = first.display(), second = second.display()
    )]
    Twice { partition: TopicPartition, first: PathBuf, second: PathBuf },
}

/// Why a partition's log can't be handed out.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The folder belongs to an earlier topic of the same name.
    #[error("the log on disk belongs to topic id {found}, not {expected}")]
    InconsistentTopicId { expected: TopicId, found: TopicId },
    #[error(transparent)]
    Storage(#[from] StorageFailure),
}
