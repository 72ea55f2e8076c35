//! TxnOffsetCommit, and the markers that decide on its offsets.
//! Shell.

use ottla_log::verification::{FirstBatch, Verification};
use ottla_model::{ErrorCode, ProducerEpoch, ProducerId, Sequence, TopicName};
use ottla_protocol::messages::TxnOffsetCommitRequest;
use ottla_records::EndTxnMarker;

use super::coordinator::GroupCoordinator;
use super::log::response_error;
use super::shard::Outside;
use super::{Durable, TopicLookup};
use crate::group::{Committer, OffsetToCommit};

impl GroupCoordinator {
    /// What offsets that a transaction commits need: where nothing is `Ongoing`, the word of the transaction
    /// coordinator, which is asked after this (KIP-890).
    pub fn begin_offset_verification(
        &self,
        group_id: &str,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        has_epoch_bump: bool,
    ) -> Result<Verification, ErrorCode> {
        let first = FirstBatch { producer_id, producer_epoch, sequence: Sequence::NONE, has_epoch_bump };
        let shard = self.runtime.shard_for(group_id)?;
        let Outside { log, clock } = &*self.runtime.outside;
        log.begin_verification(shard.partition, &first, clock.wall_ms()).map_err(response_error)
    }

    /// Stores offsets that count once the transaction commits. The errors are those of the request's
    /// partitions, in their order; an error for all is the outer one. `verification` is what the group's partition
    /// of `__consumer_offsets` gave before the transaction coordinator was asked.
    pub fn commit_transactional_offsets(
        &self,
        api_version: i16,
        request: &TxnOffsetCommitRequest,
        topics: &dyn TopicLookup,
        verification: Verification,
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
        let shard = self.runtime.shard_for(&request.group_id)?;
        let producer = (ProducerId(request.producer_id.0), ProducerEpoch(request.producer_epoch));
        let (decided, last) = self.runtime.turn(&shard, |guard| {
            let wall_ms = guard.wall_ms;
            let (records, decided) = guard.core().on_transactional_commit(&committer, &offsets, wall_ms)?;
            let last = guard.append_transactional(producer.0, producer.1, verification, records)?;
            Ok((decided, last))
        })??;
        let mut decided = decided.into_iter();
        let errors = errors
            .into_iter()
            .map(|refused| refused.or_else(|| decided.next()).unwrap_or(ErrorCode::UnknownServerError));
        Ok((errors.collect(), self.runtime.durable(&shard, last)))
    }

    /// Appends a marker to a partition of `__consumer_offsets`, and lets its offsets count or forgets them.
    pub fn write_marker(
        &self,
        partition: i32,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        marker: EndTxnMarker,
    ) -> Result<Durable, ErrorCode> {
        let shard = self.runtime.shard(partition)?;
        let offset =
            self.runtime.turn(&shard, |guard| guard.append_marker(producer_id, producer_epoch, marker))??;
        Ok(self.runtime.durable(&shard, Some(offset)))
    }
}
