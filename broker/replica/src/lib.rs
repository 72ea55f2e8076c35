//! Partitions this broker hosts: leading them, acknowledging, and the requests that wait for them.
//! Shell over cores. Knows no API and no wire.
//!
//! Reading order: `replica_manager` (name to partition), `partition` (append and role changes), `role`
//! (leader, follower, offline), `isr` and `high_watermark` (what is committed), `read` (what a fetch may
//! see), `delayed_fetch` (when that is enough), `acknowledge` and `flush_gate` (what an append waits for), `tail` and `wake` (waiting for
//! records), `directory_assignments` (in which log directory a replica is), `error_codes`.
//!
//! Invariants:
//! - I1. An append is acknowledged to all in-sync replicas when the high watermark has passed its end,
//!   when it is on the disk if the rule asks for that, and while the leader epoch that made it lasts.
//! - I2. A waiting fetch is registered before it looks, so no append is missed.
//! - I3. log start <= high watermark <= log end, after each step (`high_watermark`).

pub mod acknowledge;
mod assign_directories;
pub mod config;
pub mod delayed_fetch;
mod directory_assignments;
pub mod error_codes;
mod fetch_apply;
mod fetch_plan;
#[cfg(test)]
mod fetch_plan_tests;
mod fetch_step;
mod fetcher;
pub mod flush_gate;
pub mod following;
pub mod hand_over;
pub mod high_watermark;
#[cfg(test)]
mod hosting_tests;
pub mod isr;
pub mod isr_changes;
mod leading;
pub mod metrics;
pub mod partition;
pub mod partition_map;
#[cfg(test)]
mod partition_tests;
pub mod read;
mod read_replica;
#[cfg(test)]
mod read_tests;
#[cfg(test)]
mod replica_history;
pub mod replica_manager;
pub mod replica_progress;
pub mod replication;
pub mod role;
mod session_news;
#[cfg(test)]
mod session_news_tests;
pub mod tail;
#[cfg(test)]
mod test_world;
mod throttle;
mod topic_logs;
pub mod truncation;
mod waiting_list;
pub mod wake;

pub use acknowledge::{Acks, AllAcknowledged, Durability, NotAcknowledged, Pending};
pub use assign_directories::DirectoryIds;
pub use delayed_fetch::DelayedFetch;
pub use hand_over::HAND_OVER_MAX;
pub use partition::{AppendRefused, Appended, LeaderFacts, Led, Partition, Readable, Unavailable};
pub use partition_map::PartitionMap;
pub use read::{
    FetchIsolation, FollowerState, PartitionRead, ReadRequest, Reader, ReplicaReader, Standing, read,
};
pub use replica_manager::{Hosted, HostedTopic, ReplicaManager};
pub use replication::{OtherNodes, ReplicaCounts};
pub use role::{Assignment, Role};
pub use session_news::{Place, SessionNews};
pub use tail::{Look, TailWait, Woken};
pub use throttle::charge_followers;
