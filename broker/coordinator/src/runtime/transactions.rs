//! TxnOffsetCommit, and the markers that decide on its offsets.
//! Shell.

use ottla_log::verification::{FirstBatch, Verification};
use ottla_model::{ErrorCode, ProducerEpoch, ProducerId, Sequence};
use ottla_records::EndTxnMarker;

use super::Durable;
use super::coordinator::GroupCoordinator;
use super::log::response_error;
use super::shard::Outside;
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

    /// Stores offsets that count once the transaction commits. The errors are those of the offsets, in their order; an
    /// error for all is the outer one. `verification` is what the group's partition
    /// of `__consumer_offsets` gave before the transaction coordinator was asked.
    pub fn commit_transactional_offsets(
        &self,
        committer: &Committer<'_>,
        offsets: &[OffsetToCommit<'_>],
        producer: (ProducerId, ProducerEpoch),
        verification: Verification,
    ) -> Result<(Vec<ErrorCode>, Durable), ErrorCode> {
        let shard = self.runtime.shard_for(committer.group_id)?;
        let (errors, last) = self.runtime.turn(&shard, |guard| {
            let wall_ms = guard.wall_ms;
            let (records, errors) = guard.core().on_transactional_commit(committer, offsets, wall_ms)?;
            let last = guard.append_transactional(producer.0, producer.1, verification, records)?;
            Ok::<_, ErrorCode>((errors, last))
        })??;
        Ok((errors, self.runtime.durable(&shard, last)))
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
