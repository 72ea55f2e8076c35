//! A shard comes and goes with the leadership of its partition.
//! Shell.

use std::sync::Arc;

use ottla_model::{ErrorCode, Offset};
use ottla_records::{BatchView, EndTxnMarker, batches};

use super::coordinator::GroupCoordinator;
use super::shard::Shard;
use crate::group::GroupShard;
use crate::record::codec::{self, Decoded};

/// What a load found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LoadSummary {
    pub records: u64,
    /// Records of kinds that this release does not keep.
    pub records_of_other_kinds: u64,
    /// Records that could not be read.
    pub records_damaged: u64,
    pub groups: usize,
}

impl GroupCoordinator {
    /// Reads a partition of `__consumer_offsets` and answers for its groups from then on; meanwhile they
    /// are told COORDINATOR_LOAD_IN_PROGRESS. Blocks as long as the log is long.
    pub fn load(&self, partition: i32) -> Result<LoadSummary, ErrorCode> {
        let shard = Arc::new(Shard::loading(partition));
        let before = self.shards.write().insert(partition, Arc::clone(&shard));
        if let Some(before) = before {
            before.close(&*self.log, self.clock.monotonic(), self.clock.wall_ms());
        }
        let loaded = self.read_shard(partition).and_then(|(core, summary)| {
            shard.activate(core, &*self.log, self.clock.monotonic(), self.clock.wall_ms())?;
            Ok(summary)
        });
        match &loaded {
            Ok(summary) => tracing::debug!(partition, ?summary, "loaded the groups of a partition"),
            Err(error) => {
                tracing::error!(partition, %error, "the groups of a partition could not be loaded");
                shard.close(&*self.log, self.clock.monotonic(), self.clock.wall_ms());
            }
        }
        self.wake.notify_one();
        loaded
    }

    /// The partition is led elsewhere, or the broker stops.
    pub fn unload(&self, partition: i32) {
        let shard = self.shards.write().remove(&partition);
        if let Some(shard) = shard {
            shard.close(&*self.log, self.clock.monotonic(), self.clock.wall_ms());
        }
    }

    pub fn unload_all(&self) {
        let shards = std::mem::take(&mut *self.shards.write());
        for shard in shards.into_values() {
            shard.close(&*self.log, self.clock.monotonic(), self.clock.wall_ms());
        }
    }

    fn read_shard(&self, partition: i32) -> Result<(GroupShard, LoadSummary), ErrorCode> {
        let mut core = GroupShard::new(Arc::clone(&self.settings));
        let mut summary = LoadSummary::default();
        let (mut from, mut scratch) = (Offset::ZERO, Vec::new());
        loop {
            let (bytes, next) = self.log.read(partition, from)?;
            if bytes.is_empty() {
                summary.groups = core.group_ids().count();
                return Ok((core, summary));
            }
            for batch in batches(&bytes) {
                let batch = batch.map_err(|_| ErrorCode::KafkaStorageError)?;
                replay_batch(&mut core, &batch, &mut scratch, &mut summary)?;
            }
            from = next;
        }
    }
}

fn replay_batch(
    core: &mut GroupShard,
    batch: &BatchView<'_>,
    scratch: &mut Vec<u8>,
    summary: &mut LoadSummary,
) -> Result<(), ErrorCode> {
    let header = batch.header();
    if header.attributes.is_control() {
        if let Some(marker) = EndTxnMarker::parse(batch) {
            core.replay_end_transaction_marker(header.base_offset, header.producer_id.0, marker.is_commit);
        }
        return Ok(());
    }
    let producer_id = header.attributes.is_transactional().then_some(header.producer_id.0);
    for record in batch.records(scratch).map_err(|_| ErrorCode::KafkaStorageError)? {
        let record = record.map_err(|_| ErrorCode::KafkaStorageError)?;
        summary.records += 1;
        let offset = header.base_offset + i64::from(record.offset_delta);
        let decoded = record.key.map(|key| codec::decode(key, record.value));
        match decoded {
            Some(Ok(Decoded::Record(record))) => core.replay(offset, producer_id, record),
            Some(Ok(Decoded::Other)) => summary.records_of_other_kinds += 1,
            Some(Err(error)) => {
                summary.records_damaged += 1;
                tracing::error!(%offset, %error, "a record of __consumer_offsets cannot be read and is passed over");
            }
            None => summary.records_damaged += 1,
        }
    }
    Ok(())
}
