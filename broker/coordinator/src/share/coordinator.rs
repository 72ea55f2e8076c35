//! The share coordinator: the operations on share state, over the shards in the runtime.
//! Shell.

use std::collections::HashSet;
use std::sync::Arc;

use ottla_env::{BoxFuture, Clock, Monotonic, Tasks};
use ottla_model::topic::SHARE_GROUP_STATE_TOPIC;
use ottla_model::{ErrorCode, Offset, TopicId};
use ottla_protocol::{DecodeError, EncodeError};

use super::codec;
use super::state::{
    Prune, SharePartitionKey, SharePartitionState, ShareStateRecord, ShareStateShard, StateError,
    StateSummary, StateWrite,
};
use crate::record::codec::CoordinatorRecord;
use crate::runtime::{CoordinatorLog, CoordinatorRuntime, Durable, Loader};
use crate::shard::{CoordinatorShard, Effects};

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

pub struct ShareCoordinator {
    pub runtime: Arc<CoordinatorRuntime<ShareStateShard>>,
}

impl ShareCoordinator {
    pub fn new(
        settings: ShareCoordinatorSettings,
        log: Arc<dyn CoordinatorLog>,
        clock: Arc<dyn Clock>,
        loader: Arc<Loader>,
    ) -> Arc<ShareCoordinator> {
        let pruned = Arc::clone(&log);
        let perform = Box::new(move |shard: &Arc<_>, prune| delete_redundant(&*pruned, shard, prune));
        let runtime = CoordinatorRuntime::new(settings, log, clock, loader, perform);
        Arc::new(ShareCoordinator { runtime })
    }

    pub fn is_topic_there(&self) -> bool {
        self.runtime.partition_count().is_some()
    }

    /// Makes `__share_group_state` on its first use.
    pub fn ensure_topic(&self) -> BoxFuture<'static, Result<(), ErrorCode>> {
        self.runtime.ensure_topic()
    }

    /// Snapshots cold state and deletes records that no state needs, in their time.
    pub fn start_timers(&self, tasks: &dyn Tasks) {
        self.runtime.start_timers(tasks);
    }

    /// The broker stops.
    pub fn close(&self) {
        self.runtime.close();
    }

    fn turn<R>(
        &self,
        key: &SharePartitionKey,
        decide: impl FnOnce(&ShareStateShard, i64) -> Result<(R, Option<ShareStateRecord>), StateError>,
    ) -> Result<(R, Durable), StateError> {
        let placed_by = key.to_string();
        let shard = self.runtime.shard_for(&placed_by)?;
        let (result, after) = self.runtime.turn(&shard, |guard| {
            let wall_ms = guard.wall_ms;
            let (result, record) = decide(guard.core(), wall_ms)?;
            guard.append(record.into_iter().collect())?;
            Ok::<_, StateError>((result, guard.core().last_record_offset(&placed_by)))
        })??;
        Ok((result, self.runtime.durable(&shard, after)))
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
        self.turn(key, |core, wall_ms| core.read(key, leader_epoch, wall_ms))
    }

    pub fn write(&self, key: &SharePartitionKey, write: &StateWrite) -> Result<Durable, StateError> {
        let turn =
            self.turn(key, |core, wall_ms| core.write(key, write, wall_ms).map(|record| ((), Some(record))));
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
        for shard in self.runtime.all_shards() {
            // A shard that is being loaded looks for deleted topics when it is. What is refused stays
            // until the next load.
            let _ = self.runtime.turn(&shard, |guard| {
                let effects = guard.core().without_topics(|id| topics.contains(&id));
                guard.perform(effects)
            });
        }
    }
}

/// Deletes the records before the first that any state rests on.
fn delete_redundant(
    log: &dyn CoordinatorLog,
    shard: &crate::runtime::Shard<ShareStateShard>,
    Prune { needed, last }: Prune,
) {
    // The snapshots must be there for good before what they replace goes.
    if log.committed(shard.partition, shard.epoch, last).is_some() || shard.has_ended() {
        return;
    }
    if let Err(error) = log.delete_before(shard.partition, needed) {
        tracing::warn!(partition = shard.partition, %error, "old share state was not deleted");
    }
}

impl CoordinatorShard for ShareStateShard {
    const TOPIC: &'static str = SHARE_GROUP_STATE_TOPIC;

    type Settings = ShareCoordinatorSettings;
    type Record = ShareStateRecord;
    type Response = std::convert::Infallible;
    type Then = std::convert::Infallible;
    type Action = Prune;

    fn new(settings: &Arc<ShareCoordinatorSettings>) -> ShareStateShard {
        ShareStateShard::new(Arc::clone(settings))
    }

    fn encode(record: &ShareStateRecord) -> Result<CoordinatorRecord, EncodeError> {
        codec::encode(record)
    }

    fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<ShareStateRecord>, DecodeError> {
        codec::decode(key, value)
    }

    fn replay(&mut self, offset: Offset, _producer_id: Option<i64>, record: ShareStateRecord) {
        ShareStateShard::replay(self, offset, record);
    }

    /// Any record may be the one that the state rests on.
    fn last_record_offset(&self, _key: &str) -> Option<Offset> {
        self.last_replayed_offset()
    }

    fn on_loaded(&mut self, now: Monotonic, _wall_ms: i64) -> Effects<ShareStateShard> {
        self.schedule(now);
        Effects::default()
    }

    /// A deletion is answered before the removal of its share state is on the disk.
    fn forget_missing_topics(&mut self, is_there: &dyn Fn(TopicId) -> bool) -> Effects<ShareStateShard> {
        self.without_topics(|id| !is_there(id))
    }

    fn on_appended(
        &mut self,
        then: std::convert::Infallible,
        _outcome: Result<(), ErrorCode>,
        _now: Monotonic,
        _wall_ms: i64,
    ) -> Effects<ShareStateShard> {
        match then {}
    }

    fn next_deadline(&self) -> Option<Monotonic> {
        ShareStateShard::next_deadline(self)
    }

    fn on_tick(&mut self, now: Monotonic, wall_ms: i64) -> Option<Effects<ShareStateShard>> {
        ShareStateShard::on_tick(self, now, wall_ms)
    }
}
