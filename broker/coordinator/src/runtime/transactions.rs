//! TxnOffsetCommit at the door, and the markers that decide on its offsets.
//! Shell.

use ottla_env::BoxFuture;
use ottla_model::{ErrorCode, Offset, ProducerEpoch, ProducerId, Sequence, TopicName};
use ottla_protocol::messages::TxnOffsetCommitRequest;
use ottla_records::{BatchBuilder, EndTxnMarker};

use super::TopicLookup;
use super::coordinator::GroupCoordinator;
use super::log::response_error;
use crate::group::{Committer, OffsetToCommit};
use crate::record::codec;

/// When what was written is durable; `None` when it already is.
pub type Durable = Option<BoxFuture<'static, Result<(), ErrorCode>>>;

impl GroupCoordinator {
    /// Stores offsets that count once the transaction commits. The errors are those of the request's
    /// partitions, in their order; an error for all is the outer one. The caller knows that the group's
    /// partition of `__consumer_offsets` belongs to the transaction.
    pub fn commit_transactional_offsets(
        &self,
        api_version: i16,
        request: &TxnOffsetCommitRequest,
        topics: &dyn TopicLookup,
    ) -> Result<(Vec<ErrorCode>, Durable), ErrorCode> {
        let committer = Committer {
            group_id: &request.group_id,
            member_id: &request.member_id,
            group_instance_id: request.group_instance_id.as_deref(),
            generation_id: request.generation_id,
            api_version,
            retention_time_ms: -1,
        };
        let names: Vec<TopicName> = request.topics.iter().map(|topic| TopicName::new(&topic.name)).collect();
        let (mut errors, mut offsets) = (Vec::new(), Vec::new());
        for (name, topic) in names.iter().zip(&request.topics) {
            for partition in &topic.partitions {
                match topics.topic_id(name.as_str()) {
                    Some(topic_id) if topics.has_partition(name.as_str(), partition.partition_index) => {
                        errors.push(None);
                        offsets.push(OffsetToCommit {
                            topic: name,
                            topic_id,
                            partition: partition.partition_index,
                            offset: partition.committed_offset,
                            leader_epoch: partition.committed_leader_epoch,
                            metadata: partition.committed_metadata.as_deref().unwrap_or(""),
                        });
                    }
                    _ => errors.push(Some(ErrorCode::UnknownTopicOrPartition)),
                }
            }
        }
        let shard = self.shard_for(&request.group_id)?;
        let producer = (ProducerId(request.producer_id.0), ProducerEpoch(request.producer_epoch));
        let (decided, last) = self.turn(&shard, |turnstile| {
            let wall_ms = turnstile.wall_ms;
            let (records, decided) =
                turnstile.core().on_transactional_commit(&committer, &offsets, wall_ms)?;
            if records.is_empty() {
                return Ok((decided, None));
            }
            let mut batch =
                BatchBuilder::new().transactional().producer(producer.0, producer.1, Sequence::NONE);
            for record in &records {
                let encoded = codec::encode(record).map_err(|_| ErrorCode::UnknownServerError)?;
                batch.append(wall_ms, Some(&encoded.key), encoded.value.as_deref(), &[]);
            }
            let last =
                self.log.append_batch(shard.partition, batch.build(), wall_ms).map_err(response_error)?;
            let first = last.0 - (records.len() as i64 - 1);
            for (offset, record) in (first..).zip(records) {
                turnstile.core().replay(Offset(offset), Some(producer.0.0), record);
            }
            Ok((decided, Some(last)))
        })??;
        let mut decided = decided.into_iter();
        let errors = errors
            .into_iter()
            .map(|refused| refused.or_else(|| decided.next()).unwrap_or(ErrorCode::UnknownServerError));
        Ok((errors.collect(), last.and_then(|last| self.log.committed(shard.partition, last))))
    }

    /// Appends a marker to a partition of `__consumer_offsets`, and lets its offsets count or forgets them.
    pub fn write_marker(
        &self,
        partition: i32,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        marker: EndTxnMarker,
    ) -> Result<Durable, ErrorCode> {
        let shard = self.shards.read().get(&partition).cloned().ok_or(ErrorCode::NotCoordinator)?;
        let offset = self.turn(&shard, |turnstile| {
            let batch = marker.build(producer_id, producer_epoch);
            let offset = self.log.append_batch(partition, batch, turnstile.wall_ms)?;
            turnstile.core().replay_end_transaction_marker(offset, producer_id.0, marker.is_commit);
            Ok(offset)
        })??;
        Ok(self.log.committed(partition, offset))
    }
}
