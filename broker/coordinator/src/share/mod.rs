//! The share coordinator: how far each share group is in each partition, kept in `__share_group_state`.
//! Core, but for `coordinator`, which is its shell, and `channel` and `remote`, by which other nodes' are reached.
//!
//! Reading order: `combine` (ranges of records and their delivery), `state` (one share partition, and
//! the partitions of one shard), `codec` (its records), then the shell.
//!
//! Invariants:
//! - I1. `ShareStateShard::replay` alone changes what a restart must find.
//! - I2. An answer rests on records that are durable.

pub mod channel;
pub mod codec;
pub mod combine;
pub mod coordinator;
mod remote;
pub mod state;
#[cfg(test)]
mod tests;

pub use channel::{OtherShareCoordinators, ShareStateChannel};
pub use combine::StateBatch;
pub use coordinator::{ShareCoordinator, ShareCoordinatorSettings};
pub use state::{SharePartitionKey, SharePartitionState, StateError, StateSummary, StateWrite};
