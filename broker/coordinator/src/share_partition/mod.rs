//! The leader's side of share groups: which records are with which member, and how often they were delivered.
//! Core, but for `manager`, `fetch` and `timers`, which are its shell.
//!
//! Reading order: `in_flight` (one record or batch), `partition` (all of one partition and where it
//! goes on), `acquire`, `aborted`, `acknowledge`, `release`, `session` (what each member fetches), then
//! the shell.
//!
//! Invariants:
//! - I1. A record is with one member at most, and for no longer than its lock.
//! - I2. A record that was accepted, rejected, or delivered as often as the limit says, is not
//!   delivered again.
//! - I3. A change of state is kept only when the persister took it: what an answer says of an
//!   acknowledgement rests on a record of `__share_group_state`.

mod aborted;
mod acknowledge;
mod acquire;
pub mod fetch;
pub mod in_flight;
pub mod manager;
pub mod partition;
mod release;
pub mod session;
#[cfg(test)]
mod tests;
mod timers;

pub use aborted::AbortedTransaction;
pub use acknowledge::{AcknowledgeError, Acknowledgement};
pub use acquire::{Acquire, Acquired, AcquiredRange, FetchedBatch};
pub use in_flight::RecordState;
pub use manager::SharePartitionManager;
pub use partition::{Change, Limits, SharePartition};
