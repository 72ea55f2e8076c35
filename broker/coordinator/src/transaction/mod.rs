//! Transactions of the producers with a transactional id: what is decided, and what a restart must find.
//! Core, but for `coordinator`, `markers`, `partition_markers`, `produce` and `reads`, which are its shell.
//!
//! Reading order: `metadata` (one transactional id), `codec` (its record), `shard` (the ids of one
//! partition of `__transaction_state`), `decide` (the rules), then the shell.
//!
//! Invariants:
//! - I1. `TransactionShard::replay` alone changes what a restart must find.
//! - I2. A transaction completes only after its marker is durable in every one of its partitions.
//! - I3. A record of a transaction is appended after the record that its partition belongs to it is durable, and
//!   with a guard that its partition's log gave before that was asked and that a marker takes away: it is never
//!   behind the marker.

pub mod codec;
pub mod coordinator;
pub mod decide;
pub mod markers;
pub mod metadata;
mod partition_markers;
mod produce;
mod reads;
mod remote_markers;
pub mod shard;
#[cfg(test)]
mod tests;

pub use coordinator::{ProducerIdSource, TransactionCoordinator, TransactionSettings};
pub use decide::Ending;
pub use markers::{MarkerChannel, MarkerOutcomes, TransactionMarker};
pub use metadata::{PartitionSet, TransactionMetadata, TransactionState, TransactionVersion};
pub use partition_markers::PartitionMarkers;
pub use produce::{Joining, Verified};
pub use reads::{ListedTransaction, TransactionDescription, WantedTransactions};
