//! A coordinator's topic on this broker: it appends and reads as any client of the replica room would.
//! Shell.

use std::sync::Arc;

use bytes::Bytes;
use ottla_env::BoxFuture;
use ottla_log::verification::{FirstBatch, Verification};
use ottla_log::{AppendOrigin, ReadLimits};
use ottla_metadata::{ControllerChannel, Metadata};
use ottla_model::{ErrorCode, LeaderEpoch, Offset, TopicId, TopicName};
use ottla_records::{BatchBuilder, Codec};
use ottla_replica::{Acks, Partition, ReplicaManager, error_codes};

use super::log::CoordinatorLog;
use crate::record::codec::CoordinatorRecord;

/// Bytes read in one go while a coordinator loads (`offsets.load.buffer.size`).
const LOAD_BYTES_MAX: usize = 5 << 20;

pub struct PartitionLog {
    topic: &'static str,
    replicas: Arc<ReplicaManager>,
    metadata: Arc<Metadata>,
    controller: Arc<dyn ControllerChannel>,
    codec: Codec,
}

impl PartitionLog {
    pub fn new(
        topic: &'static str,
        replicas: Arc<ReplicaManager>,
        metadata: Arc<Metadata>,
        controller: Arc<dyn ControllerChannel>,
        codec: Codec,
    ) -> PartitionLog {
        PartitionLog { topic, replicas, metadata, controller, codec }
    }

    fn partition(&self, index: i32) -> Result<Arc<Partition>, ErrorCode> {
        self.replicas.partition(self.topic, index).ok_or(ErrorCode::NotLeaderOrFollower)
    }
}

impl PartitionLog {
    fn append_as(
        &self,
        partition: i32,
        epoch: LeaderEpoch,
        batch: Bytes,
        origin: AppendOrigin,
        wall_ms: i64,
    ) -> Result<Offset, ErrorCode> {
        let appended = self
            .partition(partition)?
            .append_in(epoch, batch, origin, Acks::All, wall_ms)
            .map_err(|refused| error_codes::append_refused(&refused))?;
        Ok(appended.info.last_offset)
    }
}

impl CoordinatorLog for PartitionLog {
    fn ensure_topic(&self) -> BoxFuture<'static, Result<(), ErrorCode>> {
        let (metadata, controller, topic) = (self.metadata.clone(), self.controller.clone(), self.topic);
        Box::pin(async move {
            let request = metadata.auto_create_request(&[TopicName::new(topic)]);
            // It may be there already: what counts is that it is there afterwards.
            if let Err(error) = controller.create_topics(request).await {
                tracing::error!(topic, %error, "the coordinator's topic can't be created");
                return Err(ErrorCode::CoordinatorNotAvailable);
            }
            match metadata.image().topic(topic) {
                Some(_) => Ok(()),
                None => Err(ErrorCode::CoordinatorNotAvailable),
            }
        })
    }

    fn append(
        &self,
        partition: i32,
        epoch: LeaderEpoch,
        records: &[CoordinatorRecord],
        wall_ms: i64,
    ) -> Result<Offset, ErrorCode> {
        let mut batch = BatchBuilder::new().codec(self.codec);
        for record in records {
            batch.append(wall_ms, Some(&record.key), record.value.as_deref(), &[]);
        }
        self.append_batch(partition, epoch, batch.build(), wall_ms)
    }

    fn append_batch(
        &self,
        partition: i32,
        epoch: LeaderEpoch,
        batch: Bytes,
        wall_ms: i64,
    ) -> Result<Offset, ErrorCode> {
        self.append_as(partition, epoch, batch, AppendOrigin::Coordinator, wall_ms)
    }

    fn begin_verification(
        &self,
        partition: i32,
        batch: &FirstBatch,
        wall_ms: i64,
    ) -> Result<Verification, ErrorCode> {
        let partition = self.partition(partition)?;
        let led = partition.led(-1).map_err(error_codes::unavailable)?;
        Ok(led.log().begin_verification(batch, wall_ms))
    }

    fn append_verified(
        &self,
        partition: i32,
        epoch: LeaderEpoch,
        batch: Bytes,
        verification: Verification,
        wall_ms: i64,
    ) -> Result<Offset, ErrorCode> {
        let origin = match verification {
            Verification::Ongoing => AppendOrigin::Coordinator,
            Verification::Needed(guard) => AppendOrigin::VerifiedCoordinator(guard),
        };
        self.append_as(partition, epoch, batch, origin, wall_ms)
    }

    fn committed(
        &self,
        partition: i32,
        epoch: LeaderEpoch,
        offset: Offset,
    ) -> Option<BoxFuture<'static, Result<(), ErrorCode>>> {
        let Ok(partition) = self.partition(partition) else {
            return Some(Box::pin(async { Err(ErrorCode::NotLeaderOrFollower) }));
        };
        match partition.pending(epoch, offset + 1) {
            Ok(None) => None,
            Ok(Some(pending)) => {
                Some(Box::pin(
                    async move { pending.acknowledged().await.map_err(error_codes::not_acknowledged) },
                ))
            }
            Err(error) => Some(Box::pin(async move { Err(error_codes::not_acknowledged(error)) })),
        }
    }

    fn is_empty(&self, partition: i32) -> bool {
        let Ok(partition) = self.partition(partition) else { return false };
        partition.log().is_ok_and(|log| log.log_start_offset() >= log.log_end_offset())
    }

    fn read(&self, partition: i32, from: Offset) -> Result<(Bytes, Offset), ErrorCode> {
        let partition = self.partition(partition)?;
        let led = partition.led(-1).map_err(error_codes::unavailable)?;
        let log = led.log();
        let from = from.max(log.log_start_offset());
        // All of it: what is not committed yet will be, or this leader epoch ends.
        let end = log.log_end_offset();
        if from >= end {
            return Ok((Bytes::new(), end));
        }
        let limits = ReadLimits { max_bytes: LOAD_BYTES_MAX, bound: end, min_one_batch: true };
        let slice = log.read(from, limits).map_err(|error| error_codes::read_error(&error))?;
        let bytes = slice.read_bytes().map_err(|error| {
            tracing::error!(partition = %partition.name, %error, "the coordinator's log can't be read");
            ErrorCode::KafkaStorageError
        })?;
        Ok((bytes, slice.next_offset))
    }

    fn delete_before(&self, partition: i32, before: Offset) -> Result<(), ErrorCode> {
        let partition = self.partition(partition)?;
        let led = partition.led(-1).map_err(error_codes::unavailable)?;
        let log = led.log();
        if before <= log.log_start_offset() {
            return Ok(());
        }
        log.delete_records(before).map_err(|error| error_codes::change_error(&error))?;
        partition.tell_log_start();
        Ok(())
    }

    fn has_topic(&self, id: TopicId) -> bool {
        self.metadata.image().topic_by_id(id).is_some()
    }
}
