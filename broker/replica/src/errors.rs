//! What the log refuses as Kafka's codes, once, without a wildcard.
//! Core.

use ottla_log::{AppendError, ChangeError, ReadError};
use ottla_model::ErrorCode;
use ottla_records::InvalidKind;

/// `ProduceResponse` codes of a refused append.
pub fn append_error(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::Invalid(invalid) => match invalid.kind {
            InvalidKind::InvalidRecord => ErrorCode::InvalidRecord,
            InvalidKind::CorruptMessage => ErrorCode::CorruptMessage,
            InvalidKind::MessageTooLarge => ErrorCode::MessageTooLarge,
            InvalidKind::InvalidTimestamp => ErrorCode::InvalidTimestamp,
            InvalidKind::UnsupportedCompressionType => ErrorCode::UnsupportedCompressionType,
        },
        AppendError::BatchTooLarge(_) => ErrorCode::RecordListTooLarge,
        AppendError::OutOfOrderSequence(_) => ErrorCode::OutOfOrderSequenceNumber,
        AppendError::InvalidProducerEpoch(_) => ErrorCode::InvalidProducerEpoch,
        AppendError::InvalidTxnState(_) => ErrorCode::InvalidTxnState,
        AppendError::TransactionCoordinatorFenced(_) => ErrorCode::TransactionCoordinatorFenced,
        AppendError::FencedLeaderEpoch { .. } => ErrorCode::FencedLeaderEpoch,
        AppendError::UnexpectedOffset { .. } => ErrorCode::UnknownServerError,
        AppendError::NoSpace(_) | AppendError::Storage(_) => ErrorCode::KafkaStorageError,
        AppendError::Deleted => ErrorCode::UnknownTopicOrPartition,
    }
}

/// Codes of a refused change of a log's bounds.
pub fn change_error(error: &ChangeError) -> ErrorCode {
    match error {
        ChangeError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ChangeError::Storage(_) | ChangeError::NoSpace(_) => ErrorCode::KafkaStorageError,
        ChangeError::Deleted => ErrorCode::UnknownTopicOrPartition,
    }
}

/// The code of a read that gave nothing.
pub fn read_error(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ReadError::Corrupt { .. } => ErrorCode::CorruptMessage,
        ReadError::Storage(_) => ErrorCode::KafkaStorageError,
        ReadError::Deleted => ErrorCode::UnknownTopicOrPartition,
    }
}
