//! A coordinator's topic, as its shards use it.
//! Shell's interface; `partition_log` is the one of a broker.

use bytes::Bytes;
use ottla_env::BoxFuture;
use ottla_log::verification::{FirstBatch, Verification};
use ottla_model::{ErrorCode, LeaderEpoch, Offset, TopicId};

use crate::record::codec::CoordinatorRecord;

pub trait CoordinatorLog: Send + Sync {
    /// Makes the topic if it is not there, and completes when it can be written.
    fn ensure_topic(&self) -> BoxFuture<'static, Result<(), ErrorCode>>;

    /// Appends the records as one batch and returns the offset of the last. Does not wait for the device.
    /// After an error nothing was appended; NOT_LEADER_OR_FOLLOWER says that the partition is not led
    /// under this epoch.
    fn append(
        &self,
        partition: i32,
        epoch: LeaderEpoch,
        records: &[CoordinatorRecord],
        wall_ms: i64,
    ) -> Result<Offset, ErrorCode>;

    /// Appends a batch that is a producer's: a transaction's marker.
    fn append_batch(
        &self,
        partition: i32,
        epoch: LeaderEpoch,
        batch: Bytes,
        wall_ms: i64,
    ) -> Result<Offset, ErrorCode>;

    /// What offsets that a transaction commits need before they are appended (KIP-890). Where the log has no
    /// guards, nothing.
    fn begin_verification(
        &self,
        _partition: i32,
        _batch: &FirstBatch,
        _wall_ms: i64,
    ) -> Result<Verification, ErrorCode> {
        Ok(Verification::Ongoing)
    }

    /// Appends a batch of a transaction whose coordinator has verified it.
    fn append_verified(
        &self,
        partition: i32,
        epoch: LeaderEpoch,
        batch: Bytes,
        _verification: Verification,
        wall_ms: i64,
    ) -> Result<Offset, ErrorCode> {
        self.append_batch(partition, epoch, batch, wall_ms)
    }

    /// Completes when the record at `offset`, appended under this epoch or before it, is committed; `None` when
    /// it already is. An error means that it may be lost: the shard is of no use any more.
    fn committed(
        &self,
        partition: i32,
        epoch: LeaderEpoch,
        offset: Offset,
    ) -> Option<BoxFuture<'static, Result<(), ErrorCode>>>;

    /// Whether nothing has to be read before the partition's shard can answer. Does not block.
    fn is_empty(&self, _partition: i32) -> bool {
        false
    }

    /// Whole batches from `from` on, and the offset to go on with; no bytes at the end of the log. May
    /// block.
    fn read(&self, partition: i32, from: Offset) -> Result<(Bytes, Offset), ErrorCode>;

    /// Deletes the records before an offset. A log may keep them: they are only of no use any more.
    fn delete_before(&self, _partition: i32, _before: Offset) -> Result<(), ErrorCode> {
        Ok(())
    }

    /// Whether the cluster has a topic of this id.
    fn has_topic(&self, _id: TopicId) -> bool {
        true
    }
}

/// What a client is answered when the log refuses (Kafka's `CoordinatorOperationExceptionHelper`).
pub(crate) fn response_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::NotEnoughReplicas
        | ErrorCode::NotEnoughReplicasAfterAppend
        | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge | ErrorCode::InvalidFetchSize => {
            ErrorCode::UnknownServerError
        }
        other => other,
    }
}
