//! The shell around the shards: the log beneath, the clock, the parked requests.
//! Shell. Reading order: `log`, `shard`, `coordinator`, then the APIs in `membership`, `offsets`, `admin`,
//! and `load`, `timers`.
//!
//! A shard's lock is its loop: a call takes it, decides, appends, replays and lets go, all without
//! waiting (see docs/decisions/0003-a-coordinator-shard-is-a-lock.md). What has to wait (a rebalance, an fsync)
//! waits outside, on a future of its own.

mod admin;
mod coordinator;
mod load;
mod log;
mod membership;
mod offsets;
mod shard;
mod share_groups;
mod timers;
mod transactions;

use ottla_env::BoxFuture;
use ottla_model::{TopicId, TopicName};

pub use coordinator::GroupCoordinator;
pub use load::LoadSummary;
pub use log::CoordinatorLog;
pub(crate) use log::response_error;
pub use share_groups::{DeletingShareGroup, ShareHeartbeatReply};
pub use transactions::Durable;

/// Who asks.
#[derive(Clone, Debug)]
pub struct RequestContext {
    pub api_version: i16,
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

/// What the coordinator asks about topics; answered from one image of the cluster's metadata.
pub trait TopicLookup {
    fn topic_id(&self, name: &str) -> Option<TopicId>;
    fn topic_name(&self, id: TopicId) -> Option<TopicName>;
    fn has_partition(&self, name: &str, partition: i32) -> bool;

    /// How many partitions a topic has.
    fn partition_count(&self, id: TopicId) -> Option<i32>;

    /// Kafka's hash of a topic's shape; 0 of one that is not there.
    fn topic_hash(&self, name: &str) -> i64;
}

#[cfg(test)]
mod tests;
