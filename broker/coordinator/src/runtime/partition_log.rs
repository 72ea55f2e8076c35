//! A coordinator's topic on this broker: it appends and reads as any client of the replica room would.
//! Shell.

use std::sync::Arc;

use bytes::Bytes;
use ottla_env::BoxFuture;
use ottla_log::{AppendOrigin, ReadLimits};
use ottla_metadata::Metadata;
use ottla_model::{ErrorCode, LeaderEpoch, Offset, TopicId, TopicName};
use ottla_records::{BatchBuilder, Codec};
use ottla_replica::errors::{append_error, change_error, read_error};
use ottla_replica::{AllDurable, Partition, Pending, ReplicaManager, Unavailable};

use super::log::CoordinatorLog;
use crate::record::codec::CoordinatorRecord;

/// Bytes read in one go while a coordinator loads (`offsets.load.buffer.size`).
const LOAD_BYTES_MAX: usize = 5 << 20;

pub struct PartitionLog {
    topic: &'static str,
    replicas: Arc<ReplicaManager>,
    metadata: Arc<Metadata>,
    codec: Codec,
}

impl PartitionLog {
    pub fn new(
        topic: &'static str,
        replicas: Arc<ReplicaManager>,
        metadata: Arc<Metadata>,
        codec: Codec,
    ) -> PartitionLog {
        PartitionLog { topic, replicas, metadata, codec }
    }

    fn partition(&self, index: i32) -> Result<Arc<Partition>, ErrorCode> {
        self.replicas.partition(self.topic, index).ok_or(ErrorCode::NotLeaderOrFollower)
    }
}

impl CoordinatorLog for PartitionLog {
    fn ensure_topic(&self) -> BoxFuture<'static, Result<(), ErrorCode>> {
        let (metadata, topic) = (self.metadata.clone(), self.topic);
        Box::pin(async move {
            // It may be there already: what counts is that it is there afterwards.
            if let Err(error) = metadata.auto_create_topics(vec![TopicName::new(topic)]).await {
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
        let partition = self.partition(partition)?;
        if partition.leader_epoch() != epoch {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        let appended = partition
            .append(batch, AppendOrigin::Coordinator, wall_ms)
            .map_err(|error| append_error(&error))?;
        Ok(appended.info.last_offset)
    }

    fn committed(&self, partition: i32, offset: Offset) -> Option<BoxFuture<'static, Result<(), ErrorCode>>> {
        let Ok(partition) = self.partition(partition) else {
            return Some(Box::pin(async { Err(ErrorCode::NotLeaderOrFollower) }));
        };
        let end = offset + 1;
        let epoch = partition.leader_epoch();
        if !partition.waits_for_flush() || partition.is_durable(end) {
            return None;
        }
        Some(Box::pin(async move {
            let waited = Pending::new(partition.clone(), end);
            let outcomes = AllDurable::new(vec![waited]).await;
            match outcomes.into_iter().all(|outcome| outcome.is_ok()) {
                // Under another epoch it may be another record that lies there.
                true if partition.leader_epoch() != epoch => Err(ErrorCode::NotLeaderOrFollower),
                true => Ok(()),
                false => Err(ErrorCode::KafkaStorageError),
            }
        }))
    }

    fn is_empty(&self, partition: i32) -> bool {
        let Ok(partition) = self.partition(partition) else { return false };
        partition.log().is_ok_and(|log| log.log_start_offset() >= log.log_end_offset())
    }

    fn read(&self, partition: i32, from: Offset) -> Result<(Bytes, Offset), ErrorCode> {
        let partition = self.partition(partition)?;
        let log = partition.log().map_err(Unavailable::code)?;
        let from = from.max(log.log_start_offset());
        let end = log.log_end_offset();
        if from >= end {
            return Ok((Bytes::new(), end));
        }
        let limits = ReadLimits { max_bytes: LOAD_BYTES_MAX, bound: end, min_one_batch: true };
        let slice = log.read(from, limits).map_err(|error| read_error(&error))?;
        let bytes = slice.read_bytes().map_err(|error| {
            tracing::error!(partition = %partition.name, %error, "the coordinator's log can't be read");
            ErrorCode::KafkaStorageError
        })?;
        Ok((bytes, slice.next_offset))
    }

    fn delete_before(&self, partition: i32, before: Offset) -> Result<(), ErrorCode> {
        let partition = self.partition(partition)?;
        let log = partition.log().map_err(Unavailable::code)?;
        if before <= log.log_start_offset() {
            return Ok(());
        }
        log.delete_records(before).map(|_| ()).map_err(|error| change_error(&error))
    }

    fn has_topic(&self, id: TopicId) -> bool {
        self.metadata.image().topic_by_id(id).is_some()
    }
}
