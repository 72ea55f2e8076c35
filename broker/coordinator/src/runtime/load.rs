//! A shard comes and goes with the leadership of its partition.
//! Shell. What has to be read is read by the loader's thread; meanwhile a call is answered
//! COORDINATOR_LOAD_IN_PROGRESS.

use std::sync::Arc;

use ottla_model::{ErrorCode, LeaderEpoch, Offset};
use ottla_records::{BatchView, EndTxnMarker, batches};

use super::loader::Load;
use super::runtime::CoordinatorRuntime;
use super::shard::Shard;
use crate::shard::CoordinatorShard;

/// What a load found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LoadSummary {
    pub records: u64,
    /// Records of kinds that this release does not keep.
    pub records_of_other_kinds: u64,
    /// Records that could not be read.
    pub records_damaged: u64,
    /// The first of them, and what is wrong with it.
    pub first_damage: Option<(Offset, String)>,
}

struct ShardLoad<S: CoordinatorShard> {
    runtime: Arc<CoordinatorRuntime<S>>,
    shard: Arc<Shard<S>>,
}

impl<S: CoordinatorShard> Load for ShardLoad<S> {
    fn is_stale(&self) -> bool {
        self.shard.has_ended()
    }

    fn run(self: Box<Self>) {
        if self.runtime.read_shard(&self.shard).is_err() && !self.shard.has_ended() {
            // This node leads on: nobody else will load it. Its clients hear that it is being loaded.
            let (loader, clock) = (self.runtime.loader.clone(), self.runtime.outside.clock.clone());
            loader.submit_later(self, clock);
        }
    }
}

impl<S: CoordinatorShard> CoordinatorRuntime<S> {
    /// This node leads the partition from now on, under this epoch (Kafka's `scheduleLoadOperation`).
    /// Does not wait for the device.
    pub fn load(self: &Arc<Self>, partition: i32, epoch: LeaderEpoch) {
        let Some(shard) = self.begin(partition, epoch) else { return };
        if self.outside.log.is_empty(partition) {
            self.activate(&shard, S::new(&self.settings));
        } else {
            self.loader.submit(Box::new(ShardLoad { runtime: Arc::clone(self), shard }));
        }
    }

    /// The same, and blocks until it is done. `None` when the epoch is known already.
    pub fn load_now(
        self: &Arc<Self>,
        partition: i32,
        epoch: LeaderEpoch,
    ) -> Option<Result<LoadSummary, ErrorCode>> {
        let shard = self.begin(partition, epoch)?;
        let loaded = self.read_shard(&shard);
        if loaded.is_err() {
            shard.close();
        }
        Some(loaded)
    }

    /// Makes the shard of a new epoch and ends that of the older one. `None` when the epoch is known.
    fn begin(&self, partition: i32, epoch: LeaderEpoch) -> Option<Arc<Shard<S>>> {
        let shard = Arc::new(Shard::loading(partition, epoch, Arc::clone(&self.outside)));
        let before = {
            let mut shards = self.shards.write();
            if shards.get(&partition).is_some_and(|known| known.epoch >= epoch) {
                return None;
            }
            shards.insert(partition, Arc::clone(&shard))
        };
        if let Some(before) = before {
            // Before the log is read: nothing is appended or answered under the old epoch from here on.
            before.close();
            assert!(before.has_ended(), "a partition has one shard that answers");
        }
        Some(shard)
    }

    /// The partition is led elsewhere from now on, under this epoch.
    pub fn unload(&self, partition: i32, epoch: LeaderEpoch) {
        let ended = {
            let mut shards = self.shards.write();
            match shards.get(&partition) {
                Some(shard) if shard.epoch <= epoch => shards.remove(&partition),
                _ => None,
            }
        };
        if let Some(shard) = ended {
            shard.close();
        }
    }

    /// The topic is gone, or the broker stops.
    pub fn unload_all(&self) {
        let shards = std::mem::take(&mut *self.shards.write());
        for shard in shards.into_values() {
            shard.close();
        }
    }

    fn activate(&self, shard: &Arc<Shard<S>>, core: S) {
        let Some(mut guard) = shard.activate(core) else { return };
        let (now, wall_ms) = (guard.now, guard.wall_ms);
        let effects = guard.core().on_loaded(now, wall_ms);
        // What is refused is logged there, and done by the next load.
        let _ = guard.perform(effects);
        self.leave(shard, guard);
        // A topic that was deleted before is missing in the image; one that is deleted from now on finds
        // the shard active.
        let log = &self.outside.log;
        let _ = self.turn(shard, |guard| {
            let effects = guard.core().forget_missing_topics(&|id| log.has_topic(id));
            guard.perform(effects)
        });
    }

    fn read_shard(&self, shard: &Arc<Shard<S>>) -> Result<LoadSummary, ErrorCode> {
        let (topic, partition, epoch) = (S::TOPIC, shard.partition, shard.epoch.0);
        let loaded = self.replay_log(shard);
        match &loaded {
            Ok((_, summary)) => {
                if let Some((offset, error)) = &summary.first_damage {
                    let damaged = summary.records_damaged;
                    tracing::error!(topic, partition, damaged, %offset, error, "records cannot be read and are passed over; the first is named here");
                }
                tracing::debug!(topic, partition, epoch, ?summary, "a coordinator's partition is loaded");
            }
            Err(_) if shard.has_ended() => {}
            Err(error) => {
                tracing::error!(topic, partition, epoch, %error, "a coordinator's partition could not be loaded");
            }
        }
        let (core, summary) = loaded?;
        self.activate(shard, core);
        Ok(summary)
    }

    fn replay_log(&self, shard: &Shard<S>) -> Result<(S, LoadSummary), ErrorCode> {
        let mut core = S::new(&self.settings);
        let mut summary = LoadSummary::default();
        let (mut from, mut scratch) = (Offset::ZERO, Vec::new());
        loop {
            if shard.has_ended() {
                return Err(ErrorCode::NotCoordinator);
            }
            let (bytes, next) = self.outside.log.read(shard.partition, from)?;
            if bytes.is_empty() {
                return Ok((core, summary));
            }
            assert!(next > from, "a load goes forward");
            for batch in batches(&bytes) {
                let batch = batch.map_err(|_| ErrorCode::KafkaStorageError)?;
                replay_batch(&mut core, &batch, &mut scratch, &mut summary)?;
            }
            from = next;
        }
    }
}

fn replay_batch<S: CoordinatorShard>(
    core: &mut S,
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
        let damage = match record.key.map(|key| S::decode(key, record.value)) {
            Some(Ok(Some(record))) => {
                core.replay(offset, producer_id, record);
                continue;
            }
            Some(Ok(None)) => {
                summary.records_of_other_kinds += 1;
                continue;
            }
            Some(Err(error)) => error.to_string(),
            None => "it has no key".to_owned(),
        };
        summary.records_damaged += 1;
        summary.first_damage.get_or_insert((offset, damage));
    }
    Ok(())
}
