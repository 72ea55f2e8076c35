//! The group coordinator: its shards, and how a call finds and leaves one.
//! Shell.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ottla_env::{BoxFuture, Clock, Rng};
use ottla_model::{ErrorCode, GroupId, Offset, TopicId, TopicName};
use parking_lot::RwLock;
use tokio::sync::{Notify, oneshot};

use super::Reply;
use super::log::CoordinatorLog;
use super::shard::{CommitWait, NEVER, Parked, Shard, Turnstile};
use crate::group::WatchedOffset;
use crate::java_hash;
use crate::record::CommittedOffset;
use crate::settings::GroupSettings;

pub struct GroupCoordinator {
    pub(super) settings: Arc<GroupSettings>,
    pub(super) log: Arc<dyn CoordinatorLog>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rng: Arc<dyn Rng>,
    pub(super) shards: RwLock<HashMap<i32, Arc<Shard>>>,
    /// Wakes the timer task when a deadline comes before the one it sleeps for.
    pub(super) wake: Notify,
    pub(super) armed_us: AtomicU64,
}

impl GroupCoordinator {
    pub fn new(
        settings: GroupSettings,
        log: Arc<dyn CoordinatorLog>,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
    ) -> Arc<GroupCoordinator> {
        Arc::new(GroupCoordinator {
            settings: Arc::new(settings),
            log,
            clock,
            rng,
            shards: RwLock::new(HashMap::new()),
            wake: Notify::new(),
            armed_us: AtomicU64::new(NEVER),
        })
    }

    /// The partition of `__consumer_offsets` that holds the group; `None` while the topic does not exist.
    pub fn partition_for(&self, group_id: &str) -> Option<i32> {
        self.log.partition_count().map(|count| java_hash::partition_for(group_id, count))
    }

    /// Makes `__consumer_offsets` on its first use (FindCoordinator answers 15 meanwhile).
    pub fn ensure_topic(&self) -> BoxFuture<'static, Result<(), ErrorCode>> {
        self.log.ensure_topic()
    }

    pub(super) fn shard_for(&self, group_id: &str) -> Result<Arc<Shard>, ErrorCode> {
        let partition = self.partition_for(group_id).ok_or(ErrorCode::NotCoordinator)?;
        self.shards.read().get(&partition).cloned().ok_or(ErrorCode::NotCoordinator)
    }

    pub(super) fn all_shards(&self) -> Vec<Arc<Shard>> {
        let mut shards: Vec<_> = self.shards.read().values().cloned().collect();
        shards.sort_by_key(|shard| shard.partition);
        shards
    }

    /// One turn of a shard.
    pub(super) fn turn<R>(
        &self,
        shard: &Shard,
        call: impl FnOnce(&mut Turnstile<'_>) -> R,
    ) -> Result<R, ErrorCode> {
        let mut turnstile = shard.enter(&*self.log, self.clock.monotonic(), self.clock.wall_ms())?;
        let result = call(&mut turnstile);
        drop(turnstile);
        if shard.next_deadline_us() < self.armed_us.load(Ordering::SeqCst) {
            self.wake.notify_one();
        }
        Ok(result)
    }

    /// The wait for a record's commit, if it is not yet committed.
    pub(super) fn commit_wait(&self, shard: &Arc<Shard>, after: Option<Offset>) -> Option<CommitWait> {
        let committed = self.log.committed(shard.partition, after?)?;
        Some(CommitWait {
            shard: Arc::clone(shard),
            log: Arc::clone(&self.log),
            clock: Arc::clone(&self.clock),
            committed,
        })
    }

    /// Lets a response go when what it rests on is committed.
    pub(super) fn reply_after<T: Send + 'static>(
        &self,
        shard: &Arc<Shard>,
        after: Option<Offset>,
        response: T,
        on_error: impl FnOnce(ErrorCode) -> T + Send + 'static,
    ) -> Reply<T> {
        match self.commit_wait(shard, after) {
            None => Reply::Now(response),
            Some(wait) => Reply::Later(Box::pin(async move {
                match wait.wait().await {
                    Ok(()) => response,
                    Err(error) => on_error(error),
                }
            })),
        }
    }

    /// Lets a parked request go when it is answered and what the answer rests on is committed.
    pub(super) fn reply_parked<T: Send + 'static>(
        self: &Arc<Self>,
        shard: Arc<Shard>,
        mut receiver: oneshot::Receiver<Parked<T>>,
        on_error: impl FnOnce(ErrorCode) -> T + Send + 'static,
    ) -> Reply<T> {
        match receiver.try_recv() {
            Ok(Parked { response, after }) => self.reply_after(&shard, after, response, on_error),
            Err(oneshot::error::TryRecvError::Closed) => Reply::Now(on_error(ErrorCode::NotCoordinator)),
            Err(oneshot::error::TryRecvError::Empty) => {
                let coordinator = Arc::clone(self);
                Reply::Later(Box::pin(async move {
                    match receiver.await {
                        Ok(Parked { response, after }) => {
                            coordinator.reply_after(&shard, after, response, on_error).into_future().await
                        }
                        // The shard was closed with the request in it.
                        Err(_) => on_error(ErrorCode::NotCoordinator),
                    }
                }))
            }
        }
    }

    /// The offsets of deleted topics go with them; call once for every deletion that took effect.
    pub fn on_topics_deleted(&self, topics: &[(TopicName, TopicId)]) {
        for shard in self.all_shards() {
            // A shard that is not loaded has no offsets to delete, and one whose log refuses keeps them:
            // expiry will take them later.
            let _ = self.turn(&shard, |turnstile| {
                let effects = turnstile.core().on_topics_deleted(topics);
                turnstile.perform(effects)
            });
        }
    }

    /// Committed offsets for people who watch: at most `most`, those of groups with members first, and
    /// how many there are in all. Shards are locked one by one for a piece each, so that no request waits
    /// longer than for another request.
    pub fn watch_offsets(&self, most: usize) -> (Vec<WatchedOffset>, usize) {
        let (shards, mut all) = (self.all_shards(), 0);
        for shard in &shards {
            all += self.turn(shard, |turnstile| turnstile.core().offsets().count()).unwrap_or(0);
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
                    let piece = self.turn(shard, |turnstile| {
                        turnstile.core().watch_offsets(after.as_ref(), with_members, room, &mut watched)
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

    /// Shows every committed offset. A shard is locked while it shows its own.
    pub fn for_each_offset(&self, mut visit: impl FnMut(&GroupId, &TopicName, i32, &CommittedOffset)) {
        for shard in self.all_shards() {
            let _ = self.turn(&shard, |turnstile| {
                for (group, topic, partition, value) in turnstile.core().offsets().iter() {
                    visit(group, topic, partition, value);
                }
            });
        }
    }
}
