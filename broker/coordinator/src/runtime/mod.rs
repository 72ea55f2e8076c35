//! The shell around the shards of every coordinator, and the APIs of groups.
//! Shell. Reading order: `log` and `shard` (one shard under one leader epoch), `runtime` (all shards of a
//! coordinator), `load` and `loader`, `timers`, `follow` (the metadata image), `partition_log` (the log of
//! a broker), `task_set`; then the group coordinator: `coordinator`, and its APIs in `membership`, `offsets`, `admin`,
//! `modern_groups`, `share_groups`, `consumer_groups`, `streams_groups` and `transactions`.
//!
//! A shard's lock is its loop: a call takes it, decides, appends, replays and lets go, all without
//! waiting (see docs/decisions/0003-a-coordinator-shard-is-a-lock.md). What has to wait (a rebalance, an fsync)
//! waits outside, on a future of its own.

mod admin;
mod consumer_groups;
mod coordinator;
mod follow;
mod load;
mod loader;
mod log;
mod membership;
mod modern_groups;
mod offsets;
mod partition_log;
#[allow(clippy::module_inception, reason = "the type that the folder is named after")]
mod runtime;
mod shard;
mod share_groups;
mod streams_groups;
mod task_set;
mod timers;
mod transactions;

use ottla_env::BoxFuture;
use ottla_model::ErrorCode;

pub use crate::topic_lookup::TopicLookup;
pub use consumer_groups::ConsumerHeartbeatReply;
pub use coordinator::GroupCoordinator;
pub use follow::CoordinatorListener;
pub use load::LoadSummary;
pub use loader::Loader;
pub use log::CoordinatorLog;
pub use offsets::{FetchedOffsets, WantedOffsets, WantedTopic};
pub use partition_log::PartitionLog;
pub use runtime::CoordinatorRuntime;
pub(crate) use shard::{Shard, ShardGuard};
pub use share_groups::{DeletingShareGroup, ShareHeartbeatReply};
pub use streams_groups::StreamsHeartbeatReply;
pub(crate) use task_set::{BoundedTasks, TaskSet};

/// When what was written is durable; `None` when it already is.
pub type Durable = Option<BoxFuture<'static, Result<(), ErrorCode>>>;

/// Who asks.
#[derive(Clone, Debug)]
pub struct RequestContext {
    pub client_id: String,
    /// The client's address as Kafka prints it: `/127.0.0.1`.
    pub client_host: String,
    /// What `client_quirks` says of the client's software.
    pub first_rebalance_wait_ms: i64,
}

/// An answer that is there, or that comes.
pub enum Reply<T> {
    Now(T),
    Later(BoxFuture<'static, T>),
}

impl<T: Send + 'static> Reply<T> {
    /// The answer as a future, whichever it is.
    pub fn into_future(self) -> BoxFuture<'static, T> {
        match self {
            Reply::Now(value) => Box::pin(async move { value }),
            Reply::Later(future) => future,
        }
    }

    pub fn map<U: Send + 'static>(self, change: impl FnOnce(T) -> U + Send + 'static) -> Reply<U> {
        match self {
            Reply::Now(value) => Reply::Now(change(value)),
            Reply::Later(future) => Reply::Later(Box::pin(async move { change(future.await) })),
        }
    }
}

#[cfg(test)]
mod tests;
