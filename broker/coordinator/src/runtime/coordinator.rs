//! The group coordinator: its shards in the runtime, and what concerns all of them.
//! Shell.

use std::sync::Arc;

use ottla_env::{BoxFuture, Clock, Monotonic, Rng, Tasks};
use ottla_model::topic::GROUP_METADATA_TOPIC;
use ottla_model::{ErrorCode, Offset, TopicId, TopicName};
use ottla_protocol::{DecodeError, EncodeError};

use super::loader::Loader;
use super::log::CoordinatorLog;
use super::runtime::CoordinatorRuntime;
use crate::group::turn::{Answer, Effects};
use crate::group::{GroupShard, Response, Then, WatchedOffset};
use crate::record::Record;
use crate::record::codec::{self, CoordinatorRecord, Decoded};
use crate::settings::GroupSettings;
use crate::shard::CoordinatorShard;

pub struct GroupCoordinator {
    pub runtime: Arc<CoordinatorRuntime<GroupShard>>,
    pub(super) rng: Arc<dyn Rng>,
}

impl GroupCoordinator {
    pub fn new(
        settings: GroupSettings,
        log: Arc<dyn CoordinatorLog>,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
        loader: Arc<Loader>,
    ) -> Arc<GroupCoordinator> {
        let perform = Box::new(|_: &_, action| match action {});
        let runtime = CoordinatorRuntime::new(settings, log, clock, loader, perform);
        Arc::new(GroupCoordinator { runtime, rng })
    }

    /// The partition of `__consumer_offsets` that holds the group; `None` while the topic does not exist.
    pub fn partition_for(&self, group_id: &str) -> Option<i32> {
        self.runtime.partition_for(group_id)
    }

    /// Makes `__consumer_offsets` on its first use (FindCoordinator answers 15 meanwhile).
    pub fn ensure_topic(&self) -> BoxFuture<'static, Result<(), ErrorCode>> {
        self.runtime.ensure_topic()
    }

    pub fn start_timers(&self, tasks: &dyn Tasks) {
        self.runtime.start_timers(tasks);
    }

    /// Handles the deadlines that have passed; for simulated time.
    pub fn tick(&self) {
        self.runtime.tick();
    }

    /// The broker stops.
    pub fn close(&self) {
        self.runtime.close();
    }

    /// Topics came, went or grew: groups look at what they read with their next heartbeat.
    pub fn on_topics_changed(&self) {
        for shard in self.runtime.all_shards() {
            // What is not loaded looks at it anyway.
            let _ = self.runtime.turn(&shard, |guard| guard.core().refresh_groups());
        }
    }

    /// The offsets of deleted topics go with them; call once for every deletion that took effect.
    pub fn on_topics_deleted(&self, topics: &[(TopicName, TopicId)]) {
        for shard in self.runtime.all_shards() {
            // A shard that is being loaded looks for deleted topics when it is, and one whose log refuses
            // keeps the offsets: expiry will take them later.
            let _ = self.runtime.turn(&shard, |guard| {
                let effects = guard.core().on_topics_deleted(topics);
                guard.perform(effects)
            });
        }
    }

    /// Committed offsets for people who watch: at most `most`, those of groups with members first, and
    /// how many there are in all. Shards are locked one by one for a piece each, so that no request waits
    /// longer than for another request.
    pub fn watch_offsets(&self, most: usize) -> (Vec<WatchedOffset>, usize) {
        let (shards, mut all) = (self.runtime.all_shards(), 0);
        for shard in &shards {
            all += self.runtime.turn(shard, |guard| guard.core().offsets().count()).unwrap_or(0);
        }
        let mut watched = Vec::with_capacity(all.min(most));
        for with_members in [true, false] {
            for shard in &shards {
                let mut after = None;
                loop {
                    let room = most - watched.len();
                    if room == 0 {
                        return (watched, all);
                    }
                    // A shard that is being loaded or was given away shows nothing.
                    let piece = self.runtime.turn(shard, |guard| {
                        guard.core().watch_offsets(after.as_ref(), with_members, room, &mut watched)
                    });
                    after = piece.ok().flatten();
                    if after.is_none() {
                        break;
                    }
                }
            }
        }
        (watched, all)
    }
}

impl CoordinatorShard for GroupShard {
    const TOPIC: &'static str = GROUP_METADATA_TOPIC;

    type Settings = GroupSettings;
    type Record = Record;
    type Response = Response;
    type Then = Then;
    type Action = std::convert::Infallible;

    fn new(settings: &Arc<GroupSettings>) -> GroupShard {
        GroupShard::new(Arc::clone(settings))
    }

    fn encode(record: &Record) -> Result<CoordinatorRecord, EncodeError> {
        codec::encode(record)
    }

    fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<Record>, DecodeError> {
        Ok(match codec::decode(key, value)? {
            Decoded::Record(record) => Some(record),
            Decoded::Other => None,
        })
    }

    fn replay(&mut self, offset: Offset, producer_id: Option<i64>, record: Record) {
        GroupShard::replay(self, offset, producer_id, record);
    }

    fn replay_end_transaction_marker(&mut self, offset: Offset, producer_id: i64, is_commit: bool) {
        GroupShard::replay_end_transaction_marker(self, offset, producer_id, is_commit);
    }

    fn last_record_offset(&self, group_id: &str) -> Option<Offset> {
        GroupShard::last_record_offset(self, group_id)
    }

    fn on_loaded(&mut self, now: Monotonic, wall_ms: i64) -> Effects {
        GroupShard::on_loaded(self, now, wall_ms)
    }

    /// A deletion is answered before the removal of the topic's offsets is on the disk: where the power
    /// went between, they are back, and would be taken for those of the next topic of that name.
    fn forget_missing_topics(&mut self, is_there: &dyn Fn(TopicId) -> bool) -> Effects {
        let mut gone: Vec<_> = self
            .offsets()
            .iter()
            .filter(|(.., value)| !value.topic_id.is_zero() && !is_there(value.topic_id))
            .map(|(_, name, _, value)| (name.clone(), value.topic_id))
            .collect();
        gone.sort();
        gone.dedup();
        match gone.is_empty() {
            true => Effects::default(),
            false => self.on_topics_deleted(&gone),
        }
    }

    fn on_unloaded(&mut self, now: Monotonic, wall_ms: i64) -> Vec<Answer> {
        GroupShard::on_unloaded(self, now, wall_ms).answers
    }

    fn on_appended(
        &mut self,
        then: Then,
        outcome: Result<(), ErrorCode>,
        now: Monotonic,
        wall_ms: i64,
    ) -> Effects {
        GroupShard::on_appended(self, then, outcome, now, wall_ms)
    }

    fn next_deadline(&self) -> Option<Monotonic> {
        GroupShard::next_deadline(self)
    }

    fn on_tick(&mut self, now: Monotonic, wall_ms: i64) -> Option<Effects> {
        GroupShard::on_tick(self, now, wall_ms)
    }
}
