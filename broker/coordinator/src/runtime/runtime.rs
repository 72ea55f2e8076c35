//! A coordinator's shards: how a call finds and leaves one, and what its answer waits for.
//! Shell.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use ottla_env::tasks::TaskHandle;
use ottla_env::{BoxFuture, Clock};
use ottla_model::{ErrorCode, Offset};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, oneshot};

use super::loader::Loader;
use super::log::CoordinatorLog;
use super::shard::{CommitWait, NEVER, Outside, ParkedAnswer, Shard, ShardGuard};
use super::{Durable, Reply};
use crate::java_hash;
use crate::shard::CoordinatorShard;

/// "There is no topic" in the atomic copy.
const NO_TOPIC: i32 = -1;

/// Does what a shard wants done outside of its lock.
pub(crate) type Perform<S> = dyn Fn(&Arc<Shard<S>>, <S as CoordinatorShard>::Action) + Send + Sync;

pub struct CoordinatorRuntime<S: CoordinatorShard> {
    pub(crate) settings: Arc<S::Settings>,
    pub(crate) outside: Arc<Outside>,
    pub(super) loader: Arc<Loader>,
    perform: Box<Perform<S>>,
    pub(super) shards: RwLock<HashMap<i32, Arc<Shard<S>>>>,
    /// As the metadata image has it, once the shards of that image are there.
    partition_count: AtomicI32,
    /// Wakes the timer task when a deadline comes before the one it sleeps for.
    pub(super) wake: Notify,
    pub(super) armed_us: AtomicU64,
    pub(super) timers: Mutex<Option<TaskHandle>>,
}

impl<S: CoordinatorShard> CoordinatorRuntime<S> {
    pub(crate) fn new(
        settings: S::Settings,
        log: Arc<dyn CoordinatorLog>,
        clock: Arc<dyn Clock>,
        loader: Arc<Loader>,
        perform: Box<Perform<S>>,
    ) -> Arc<CoordinatorRuntime<S>> {
        Arc::new(CoordinatorRuntime {
            settings: Arc::new(settings),
            outside: Arc::new(Outside { log, clock }),
            loader,
            perform,
            shards: RwLock::new(HashMap::new()),
            partition_count: AtomicI32::new(NO_TOPIC),
            wake: Notify::new(),
            armed_us: AtomicU64::new(NEVER),
            timers: Mutex::new(None),
        })
    }

    /// `None` while the topic does not exist.
    pub fn partition_count(&self) -> Option<i32> {
        match self.partition_count.load(Ordering::Acquire) {
            NO_TOPIC => None,
            count => Some(count),
        }
    }

    /// Call when the shards of the new partitions are there.
    pub fn set_partition_count(&self, count: Option<i32>) {
        assert!(count.is_none_or(|count| count > 0), "a topic has a partition");
        self.partition_count.store(count.unwrap_or(NO_TOPIC), Ordering::Release);
    }

    /// Makes the topic on its first use.
    pub fn ensure_topic(&self) -> BoxFuture<'static, Result<(), ErrorCode>> {
        self.outside.log.ensure_topic()
    }

    /// The partition of the topic that holds the key; `None` while the topic does not exist.
    pub fn partition_for(&self, key: &str) -> Option<i32> {
        self.partition_count().map(|count| java_hash::partition_for(key, count))
    }

    pub(crate) fn shard_for(&self, key: &str) -> Result<Arc<Shard<S>>, ErrorCode> {
        self.shard(self.partition_for(key).ok_or(ErrorCode::NotCoordinator)?)
    }

    pub(crate) fn shard(&self, partition: i32) -> Result<Arc<Shard<S>>, ErrorCode> {
        self.shards.read().get(&partition).cloned().ok_or(ErrorCode::NotCoordinator)
    }

    pub(crate) fn all_shards(&self) -> Vec<Arc<Shard<S>>> {
        let mut shards: Vec<_> = self.shards.read().values().cloned().collect();
        shards.sort_by_key(|shard| shard.partition);
        shards
    }

    /// One turn of a shard.
    pub(crate) fn turn<R>(
        &self,
        shard: &Arc<Shard<S>>,
        call: impl FnOnce(&mut ShardGuard<'_, S>) -> R,
    ) -> Result<R, ErrorCode> {
        let mut guard = shard.enter()?;
        let result = call(&mut guard);
        self.leave(shard, guard);
        Ok(result)
    }

    pub(super) fn leave(&self, shard: &Arc<Shard<S>>, guard: ShardGuard<'_, S>) {
        for action in guard.leave() {
            (self.perform)(shard, action);
        }
        if shard.next_deadline_us() < self.armed_us.load(Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }

    /// The wait for a record's commit, if it is not yet committed.
    pub(crate) fn commit_wait(&self, shard: &Arc<Shard<S>>, after: Option<Offset>) -> Option<CommitWait<S>> {
        CommitWait::new(shard, after?)
    }

    /// The same as a future.
    pub(crate) fn durable(&self, shard: &Arc<Shard<S>>, after: Option<Offset>) -> Durable {
        let wait = self.commit_wait(shard, after)?;
        Some(Box::pin(wait.wait()))
    }

    /// Lets a response go when what it rests on is committed.
    pub(crate) fn reply_after<T: Send + 'static>(
        &self,
        shard: &Arc<Shard<S>>,
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
    pub(crate) fn reply_parked<T: Send + 'static>(
        self: &Arc<Self>,
        shard: Arc<Shard<S>>,
        mut receiver: oneshot::Receiver<ParkedAnswer<S::Response>>,
        response_of: impl FnOnce(S::Response) -> T + Send + 'static,
        on_error: impl FnOnce(ErrorCode) -> T + Send + 'static,
    ) -> Reply<T> {
        match receiver.try_recv() {
            Ok(ParkedAnswer { response, after }) => {
                self.reply_after(&shard, after, response_of(response), on_error)
            }
            Err(oneshot::error::TryRecvError::Closed) => Reply::Now(on_error(ErrorCode::NotCoordinator)),
            Err(oneshot::error::TryRecvError::Empty) => {
                let runtime = Arc::clone(self);
                Reply::Later(Box::pin(async move {
                    match receiver.await {
                        // It was answered in time, but has not left: the epoch that answered it is over.
                        Ok(ParkedAnswer { after: Some(_), .. }) if shard.has_ended() => {
                            on_error(ErrorCode::NotCoordinator)
                        }
                        Ok(ParkedAnswer { response, after }) => {
                            let reply = runtime.reply_after(&shard, after, response_of(response), on_error);
                            reply.into_future().await
                        }
                        // The shard ended with the request in it.
                        Err(_) => on_error(ErrorCode::NotCoordinator),
                    }
                }))
            }
        }
    }
}
