//! What the rooms below report, as Kafka's error codes.
//! Core. The one place, and every match without a wildcard; the rooms above use it too.

use ottla_log::{AppendError, ChangeError, ReadError};
use ottla_model::ErrorCode;
use ottla_records::InvalidKind;

use crate::acknowledge::NotAcknowledged;
use crate::partition::{AppendRefused, Unavailable};

/// A partition that cannot serve (`Partition.getLocalLog`, `ReplicaManager.getPartitionOrError`).
pub fn unavailable(unavailable: Unavailable) -> ErrorCode {
    match unavailable {
        Unavailable::FencedLeaderEpoch => ErrorCode::FencedLeaderEpoch,
        Unavailable::UnknownLeaderEpoch => ErrorCode::UnknownLeaderEpoch,
        Unavailable::NotLeader => ErrorCode::NotLeaderOrFollower,
        Unavailable::Deleted => ErrorCode::UnknownTopicOrPartition,
        Unavailable::Storage => ErrorCode::KafkaStorageError,
    }
}

/// An append that was refused.
pub fn append_refused(refused: &AppendRefused) -> ErrorCode {
    match refused {
        AppendRefused::Unavailable(error) => unavailable(*error),
        AppendRefused::NotEnoughReplicas => ErrorCode::NotEnoughReplicas,
        AppendRefused::Log(error) => append_error(error),
    }
}

/// An append that the log refused.
fn append_error(error: &AppendError) -> ErrorCode {
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

/// An append that was made and not acknowledged (`DelayedProduce`).
pub fn not_acknowledged(error: NotAcknowledged) -> ErrorCode {
    match error {
        NotAcknowledged::NotLeader => ErrorCode::NotLeaderOrFollower,
        NotAcknowledged::Deleted => ErrorCode::UnknownTopicOrPartition,
        NotAcknowledged::Storage => ErrorCode::KafkaStorageError,
        NotAcknowledged::NotEnoughReplicas => ErrorCode::NotEnoughReplicasAfterAppend,
        NotAcknowledged::TimedOut => ErrorCode::RequestTimedOut,
    }
}

/// A read that gave nothing.
pub fn read_error(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ReadError::Corrupt { .. } => ErrorCode::CorruptMessage,
        ReadError::Storage(_) => ErrorCode::KafkaStorageError,
        ReadError::Deleted => ErrorCode::UnknownTopicOrPartition,
    }
}

/// A refused change of a log's bounds.
pub fn change_error(error: &ChangeError) -> ErrorCode {
    match error {
        ChangeError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ChangeError::Storage(_) | ChangeError::NoSpace(_) => ErrorCode::KafkaStorageError,
        ChangeError::Deleted => ErrorCode::UnknownTopicOrPartition,
    }
}
