//! What goes with an error code in an answer: texts, offsets, record errors.
//! Core. The codes of logs and replicas are those of `ottla_replica::error_codes`.

pub use ottla_replica::error_codes::{
    append_refused, change_error, not_acknowledged, read_error, unavailable,
};

use ottla_log::AppendError;
use ottla_metadata::OperationError;
use ottla_model::ErrorCode;
use ottla_replica::{AppendRefused, Unavailable};

/// `Errors.UNKNOWN_TOPIC_OR_PARTITION`'s own text, where Kafka sends it.
pub const NOT_HOSTED: &str = "This server does not host this topic-partition.";

/// Whether the answer to a refused append carries the log's start: Kafka does, but for the errors it expects of a
/// client or a disk (`ReplicaManager.appendToLocalLog`).
pub fn has_log_start(code: ErrorCode) -> bool {
    !matches!(
        code,
        ErrorCode::UnknownTopicOrPartition
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::MessageTooLarge
            | ErrorCode::RecordListTooLarge
            | ErrorCode::CorruptMessage
            | ErrorCode::KafkaStorageError
    )
}

/// The text that goes with a refused append: as in Kafka where records are named, and where only a
/// text can say what is wrong (a full disk, a directory that failed).
pub fn append_text(refused: &AppendRefused) -> Option<String> {
    let error = match refused {
        AppendRefused::Log(error) => error,
        AppendRefused::Unavailable(Unavailable::Storage) => return Some(refused.to_string()),
        AppendRefused::Unavailable(_) | AppendRefused::NotEnoughReplicas => return None,
    };
    match error {
        AppendError::NoSpace(_) | AppendError::Storage(_) => Some(error.to_string()),
        AppendError::Invalid(invalid) if !invalid.record_errors.is_empty() => Some(error.to_string()),
        _ => None,
    }
}

/// Records that a refused batch names, with a text each (KIP-467).
pub fn record_errors(refused: &AppendRefused) -> Vec<(i32, String)> {
    let AppendRefused::Log(error) = refused else { return Vec::new() };
    match error {
        AppendError::Invalid(invalid) => {
            invalid.record_errors.iter().map(|one| (one.batch_index, one.message.clone())).collect()
        }
        AppendError::BatchTooLarge(_)
        | AppendError::OutOfOrderSequence(_)
        | AppendError::InvalidProducerEpoch(_)
        | AppendError::InvalidTxnState(_)
        | AppendError::TransactionCoordinatorFenced(_)
        | AppendError::FencedLeaderEpoch { .. }
        | AppendError::UnexpectedOffset { .. }
        | AppendError::NoSpace(_)
        | AppendError::Storage(_)
        | AppendError::Deleted => Vec::new(),
    }
}

/// A code of an answer of ours.
pub fn code_of(code: i16) -> ErrorCode {
    ErrorCode::from_code(code).unwrap_or(ErrorCode::UnknownServerError)
}

/// Code and text when the controller has no answer of its own to a request.
pub fn operation_error(error: &OperationError) -> (ErrorCode, Option<String>) {
    match error {
        OperationError::Refused(refused) => (refused.error, refused.message.clone()),
        OperationError::Commit(commit) => (ErrorCode::KafkaStorageError, Some(commit.to_string())),
        // Retriable, and true: there is no controller any more.
        OperationError::Stopping => (ErrorCode::NotController, Some(error.to_string())),
    }
}
