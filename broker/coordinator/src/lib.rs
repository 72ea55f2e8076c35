//! State machines kept in internal topics: consumer groups, their offsets, share groups, and transactions.
//! Core (`group/`, `assignor/`, `record`, `timers`, most of `share/`, `share_partition/` and `transaction/`) and shell
//! (`runtime/`).
//!
//! A call decides on a shard's state and returns records and answers; the shell appends the records to
//! the shard's partition of `__consumer_offsets`, replays them, and lets the answers go when they are
//! committed.

pub mod assignor;
pub mod client_quirks;
pub mod consumer_protocol;
pub mod group;
pub mod java_hash;
pub mod record;
pub mod runtime;
pub mod settings;
pub mod shard;
pub mod share;
pub mod share_partition;
mod small_map;
mod subscription;
pub mod timers;
pub mod topic_hash;
pub mod topic_lookup;
pub mod transaction;
mod wire;

pub use record::codec::CoordinatorRecord;
pub use runtime::{
    CoordinatorListener, CoordinatorLog, GroupCoordinator, LoadSummary, Loader, PartitionLog, Reply,
    RequestContext, TopicLookup,
};
pub use settings::{AutoOffsetReset, GroupSettings, ShareGroupConfig, ShareGroupConfigs};
pub use share::ShareCoordinator;
pub use share_partition::SharePartitionManager;
