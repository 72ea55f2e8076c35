//! Partitions this broker hosts: leading them, acknowledging, and the requests that wait for them.
//! Shell over cores. Knows no API and no wire.
//!
//! Reading order: `replica_manager` (name to partition), `partition` (append and epochs), `read`
//! (what a fetch may see), `wake` (who is woken), `durable` and `tail` (the two waits).
//!
//! Invariants:
//! - I1. An acknowledgement to all in-sync replicas leaves only after the flush gate passed its end.
//! - I2. A waiting fetch is registered before it looks, so no append is missed.

pub mod config;
pub mod durable;
pub mod errors;
pub mod metrics;
pub mod partition;
pub mod read;
pub mod replica_manager;
pub mod tail;
pub mod wake;

pub use durable::{AllDurable, Pending};
pub use partition::{Appended, Durability, Partition, Unavailable};
pub use read::{FetchIsolation, PartitionRead, ReadRequest, read};
pub use replica_manager::{Hosted, HostedTopic, ReplicaManager};
pub use tail::{TailWait, Woken};
