//! The share coordinator's shards, and the operations at its door.
//! Shell. A shard's lock is its loop, as with groups: decide, append, replay, let go; waiting is outside.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};

use ottla_env::tasks::TaskHandle;
use ottla_env::{BoxFuture, Clock, Tasks};
use ottla_model::{ErrorCode, Offset, TopicId};
use ottla_records::batches;
use parking_lot::{Mutex, RwLock};

use super::codec;
use super::state::{
    SharePartitionKey, SharePartitionState, ShareStateRecord, ShareStateShard, StateError, StateSummary,
    StateWrite,
};
use crate::java_hash;
use crate::runtime::{CoordinatorLog, Durable, response_error};

/// The numbers that share state is kept by, under Kafka's names.
#[derive(Clone, Debug, PartialEq)]
pub struct ShareCoordinatorSettings {
    /// `share.coordinator.snapshot.update.records.per.snapshot`.
    pub updates_per_snapshot: i32,
    /// `share.coordinator.state.topic.prune.interval.ms`.
    pub prune_interval_ms: i64,
    /// `share.coordinator.cold.partition.snapshot.interval.ms`.
    pub cold_snapshot_interval_ms: i64,
}

enum Phase {
    Loading,
    Active(ShareStateShard),
    /// Unloaded, or its log has failed.
    Gone,
}

struct Shard {
    partition: i32,
    phase: Mutex<Phase>,
}

impl Shard {
    fn close(&self) {
        *self.phase.lock() = Phase::Gone;
    }
}

impl Phase {
    fn core(&mut self) -> Result<&mut ShareStateShard, ErrorCode> {
        match self {
            Phase::Loading => Err(ErrorCode::CoordinatorLoadInProgress),
            Phase::Active(core) => Ok(core),
            Phase::Gone => Err(ErrorCode::NotCoordinator),
        }
    }
}

pub struct ShareCoordinator {
    settings: ShareCoordinatorSettings,
    log: Arc<dyn CoordinatorLog>,
    clock: Arc<dyn Clock>,
    tasks: Arc<dyn Tasks>,
    shards: RwLock<HashMap<i32, Arc<Shard>>>,
    /// Runs once there is a shard: who has no share groups has no task.
    timers: Mutex<Option<TaskHandle>>,
    me: Weak<ShareCoordinator>,
}

impl ShareCoordinator {
    pub fn new(
        settings: ShareCoordinatorSettings,
        log: Arc<dyn CoordinatorLog>,
        clock: Arc<dyn Clock>,
        tasks: Arc<dyn Tasks>,
    ) -> Arc<ShareCoordinator> {
        Arc::new_cyclic(|me| ShareCoordinator {
            settings,
            log,
            clock,
            tasks,
            shards: RwLock::new(HashMap::new()),
            timers: Mutex::new(None),
            me: me.clone(),
        })
    }

    pub fn is_topic_there(&self) -> bool {
        self.log.partition_count().is_some()
    }

    /// Makes `__share_group_state` on its first use.
    pub fn ensure_topic(&self) -> BoxFuture<'static, Result<(), ErrorCode>> {
        self.log.ensure_topic()
    }

    fn shard_for(&self, key: &SharePartitionKey) -> Result<Arc<Shard>, ErrorCode> {
        let count = self.log.partition_count().ok_or(ErrorCode::NotCoordinator)?;
        let partition = java_hash::partition_for(&key.to_string(), count);
        self.shards.read().get(&partition).cloned().ok_or(ErrorCode::NotCoordinator)
    }

    fn all_shards(&self) -> Vec<Arc<Shard>> {
        let mut shards: Vec<_> = self.shards.read().values().cloned().collect();
        shards.sort_by_key(|shard| shard.partition);
        shards
    }

    /// Reads a partition of `__share_group_state` and answers for its share partitions from then on.
    /// Blocks as long as the log is long.
    pub fn load(&self, partition: i32) -> Result<(), ErrorCode> {
        let shard = Arc::new(Shard { partition, phase: Mutex::new(Phase::Loading) });
        if let Some(before) = self.shards.write().insert(partition, Arc::clone(&shard)) {
            before.close();
        }
        let core = self.read_shard(partition).inspect_err(|error| {
            tracing::error!(partition, %error, "the share state of a partition could not be loaded");
            shard.close();
        })?;
        *shard.phase.lock() = Phase::Active(core);
        self.start_timers();
        Ok(())
    }

    pub fn unload_all(&self) {
        drop(self.timers.lock().take());
        for shard in std::mem::take(&mut *self.shards.write()).into_values() {
            shard.close();
        }
    }

    fn read_shard(&self, partition: i32) -> Result<ShareStateShard, ErrorCode> {
        let mut core = ShareStateShard::default();
        let (mut from, mut scratch) = (Offset::ZERO, Vec::new());
        loop {
            let (bytes, next) = self.log.read(partition, from)?;
            if bytes.is_empty() {
                return Ok(core);
            }
            for batch in batches(&bytes) {
                let batch = batch.map_err(|_| ErrorCode::KafkaStorageError)?;
                if batch.header().attributes.is_control() {
                    continue;
                }
                let base = batch.header().base_offset;
                for record in batch.records(&mut scratch).map_err(|_| ErrorCode::KafkaStorageError)? {
                    let record = record.map_err(|_| ErrorCode::KafkaStorageError)?;
                    let offset = base + i64::from(record.offset_delta);
                    match record.key.map(|key| codec::decode(key, record.value)) {
                        Some(Ok(Some(record))) => {
                            core.replay(offset, record, self.settings.updates_per_snapshot);
                        }
                        Some(Ok(None)) | None => {}
                        Some(Err(error)) => {
                            tracing::error!(%offset, %error, "a record of __share_group_state cannot be read and is passed over");
                        }
                    }
                }
            }
            from = next;
        }
    }

    /// Appends and replays; the answer rests on the returned wait.
    fn append(
        &self,
        shard: &Shard,
        core: &mut ShareStateShard,
        records: Vec<ShareStateRecord>,
    ) -> Result<(), ErrorCode> {
        if records.is_empty() {
            return Ok(());
        }
        let encoded: Result<Vec<_>, _> = records.iter().map(codec::encode).collect();
        // A name that is too long for the record's format cannot have come over the wire.
        let encoded = encoded.map_err(|_| ErrorCode::UnknownServerError)?;
        let last =
            self.log.append(shard.partition, &encoded, self.clock.wall_ms()).map_err(response_error)?;
        let first = last.0 - (records.len() as i64 - 1);
        for (offset, record) in (first..).zip(records) {
            core.replay(Offset(offset), record, self.settings.updates_per_snapshot);
        }
        Ok(())
    }

    /// The wait for all that was appended to the shard so far.
    fn durable(&self, shard: &Arc<Shard>, core: &ShareStateShard) -> Durable {
        let wait = self.log.committed(shard.partition, core.last_replayed_offset()?)?;
        let shard = Arc::clone(shard);
        Some(Box::pin(async move {
            wait.await.map_err(|error| {
                tracing::error!(partition = shard.partition, %error, "records of the share coordinator were not committed; it stops answering");
                shard.close();
                response_error(error)
            })
        }))
    }

    fn turn<R>(
        &self,
        key: &SharePartitionKey,
        decide: impl FnOnce(&ShareStateShard, i64) -> Result<(R, Option<ShareStateRecord>), StateError>,
    ) -> Result<(R, Durable), StateError> {
        let shard = self.shard_for(key)?;
        let mut phase = shard.phase.lock();
        let core = phase.core()?;
        let (result, record) = decide(core, self.clock.wall_ms())?;
        self.append(&shard, core, record.into_iter().collect())?;
        let durable = self.durable(&shard, core);
        Ok((result, durable))
    }

    /// A share partition begins: `start_offset` is -1 where its first reader decides.
    pub fn initialize(
        &self,
        key: &SharePartitionKey,
        state_epoch: i32,
        start_offset: i64,
    ) -> Result<Durable, StateError> {
        let turn = self.turn(key, |core, wall_ms| {
            core.initialize(key, state_epoch, start_offset, wall_ms).map(|record| ((), Some(record)))
        });
        turn.map(|((), durable)| durable)
    }

    /// What a new leader goes on from; leaders before it are fenced.
    pub fn read(
        &self,
        key: &SharePartitionKey,
        leader_epoch: i32,
    ) -> Result<(SharePartitionState, Durable), StateError> {
        let updates = self.settings.updates_per_snapshot;
        self.turn(key, |core, wall_ms| core.read(key, leader_epoch, updates, wall_ms))
    }

    pub fn write(&self, key: &SharePartitionKey, write: &StateWrite) -> Result<Durable, StateError> {
        let updates = self.settings.updates_per_snapshot;
        let turn = self.turn(key, |core, wall_ms| {
            core.write(key, write, updates, wall_ms).map(|record| ((), Some(record)))
        });
        turn.map(|((), durable)| durable)
    }

    pub fn delete(&self, key: &SharePartitionKey) -> Result<Durable, StateError> {
        self.turn(key, |core, _| core.delete(key).map(|record| ((), record))).map(|((), durable)| durable)
    }

    pub fn summary(&self, key: &SharePartitionKey) -> Result<(StateSummary, Durable), StateError> {
        self.turn(key, |core, _| core.summary(key).map(|summary| (summary, None)))
    }

    /// The state of deleted topics goes with them; call once for every deletion that took effect.
    pub fn on_topics_deleted(&self, topics: &HashSet<TopicId>) {
        self.forget_topics(|id| topics.contains(&id));
    }

    /// What a start finds of topics that are no more goes too.
    pub fn forget_topics(&self, is_gone: impl Fn(TopicId) -> bool) {
        for shard in self.all_shards() {
            let mut phase = shard.phase.lock();
            let Ok(core) = phase.core() else { continue };
            let gone = core.keys_of_topics(&is_gone);
            let records = gone.into_iter().map(|key| ShareStateRecord::Snapshot(key, None)).collect();
            if let Err(error) = self.append(&shard, core, records) {
                tracing::warn!(partition = shard.partition, %error, "the share state of deleted topics stays for now");
            }
        }
    }

    /// Starts the task that snapshots cold state and deletes records that no state needs.
    fn start_timers(&self) {
        let Some(coordinator) = self.me.upgrade() else { return };
        self.timers.lock().get_or_insert_with(|| {
            let work = async move { coordinator.run_timers().await };
            self.tasks.spawn("share state timers", Box::pin(work))
        });
    }

    async fn run_timers(&self) {
        let now = self.clock.monotonic();
        let mut prune_at = now.after_ms(self.settings.prune_interval_ms.max(1));
        let mut snapshot_at = now.after_ms(self.settings.cold_snapshot_interval_ms.max(1));
        loop {
            self.clock.sleep_until(prune_at.min(snapshot_at)).await;
            let now = self.clock.monotonic();
            if now >= snapshot_at {
                self.snapshot_cold();
                snapshot_at = now.after_ms(self.settings.cold_snapshot_interval_ms.max(1));
            }
            if now >= prune_at {
                self.prune();
                prune_at = now.after_ms(self.settings.prune_interval_ms.max(1));
            }
        }
    }

    pub fn snapshot_cold(&self) {
        for shard in self.all_shards() {
            let mut phase = shard.phase.lock();
            let Ok(core) = phase.core() else { continue };
            let records =
                core.snapshots_of_cold(self.clock.wall_ms(), self.settings.cold_snapshot_interval_ms);
            // One that is refused is tried again with the next round.
            if let Err(error) = self.append(&shard, core, records) {
                tracing::warn!(partition = shard.partition, %error, "cold share state was not snapshotted");
            }
        }
    }

    /// Deletes the records before the first that any state rests on.
    pub fn prune(&self) {
        for shard in self.all_shards() {
            let (needed, last) = {
                let mut phase = shard.phase.lock();
                let Ok(core) = phase.core() else { continue };
                let Some(last) = core.last_replayed_offset() else { continue };
                // With no state at all the whole log is of no use, up to what is in it now.
                (core.first_needed_offset().unwrap_or(last + 1), last)
            };
            // The snapshots must be there for good before what they replace goes.
            if self.log.committed(shard.partition, last).is_some() {
                continue;
            }
            if let Err(error) = self.log.delete_before(shard.partition, needed) {
                tracing::warn!(partition = shard.partition, %error, "old share state was not deleted");
            }
        }
    }
}
