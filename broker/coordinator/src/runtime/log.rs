//! The door to `__consumer_offsets`, which the room above the replicas plugs in.
//! Shell's door.

use bytes::Bytes;
use ottla_env::BoxFuture;
use ottla_model::{ErrorCode, Offset};

use crate::record::codec::CoordinatorRecord;

pub trait CoordinatorLog: Send + Sync {
    /// How many partitions the topic has; `None` while it does not exist.
    fn partition_count(&self) -> Option<i32>;

    /// Makes the topic if it is not there, and completes when it can be written.
    fn ensure_topic(&self) -> BoxFuture<'static, Result<(), ErrorCode>>;

    /// Appends the records as one batch and returns the offset of the last. Does not wait for the device.
    /// After an error nothing was appended.
    fn append(
        &self,
        partition: i32,
        records: &[CoordinatorRecord],
        wall_ms: i64,
    ) -> Result<Offset, ErrorCode>;

    /// Appends a batch that is a producer's: offsets of a transaction, or its marker.
    fn append_batch(&self, partition: i32, batch: Bytes, wall_ms: i64) -> Result<Offset, ErrorCode>;

    /// The reign under which the partition is led, which markers carry.
    fn leader_epoch(&self, partition: i32) -> i32;

    /// Completes when the record at `offset` is committed; `None` when it already is. An error means that
    /// it may be lost: the partition is of no use any more.
    fn committed(&self, partition: i32, offset: Offset) -> Option<BoxFuture<'static, Result<(), ErrorCode>>>;

    /// Whole batches from `from` on, and the offset to go on with; no bytes at the end of the log. May
    /// block.
    fn read(&self, partition: i32, from: Offset) -> Result<(Bytes, Offset), ErrorCode>;

    /// Deletes the records before an offset. A log may keep them: they are only of no use any more.
    fn delete_before(&self, _partition: i32, _before: Offset) -> Result<(), ErrorCode> {
        Ok(())
    }
}

/// What a client is told when the log refuses (Kafka's `CoordinatorOperationExceptionHelper`).
pub(crate) fn response_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UnknownTopicOrPartition | ErrorCode::NotEnoughReplicas | ErrorCode::RequestTimedOut => {
            ErrorCode::CoordinatorNotAvailable
        }
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge | ErrorCode::InvalidFetchSize => {
            ErrorCode::UnknownServerError
        }
        other => other,
    }
}
