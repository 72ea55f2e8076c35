//! The quorum of controllers: how several nodes agree on one metadata log.
//! Cores (`effects`, `node`, `library`, `machine`, `peers`, `snapshot_fetch`, `wire`, `founding`) and shells (`log_store`, `writer`, `threads`).
//!
//! Reading order: `wire`, `log_store`, `effects`, `library`, `node`, `peers`, `snapshot_fetch`, `machine`, `writer`, `threads`, `founding`.
//! A voter has three threads: one for the quorum, which waits for nothing but what comes in; one that writes; and the
//! room's own, which decides and publishes.

#[cfg(test)]
mod checks;
pub(crate) mod effects;
pub mod founding;
mod library;
pub(crate) mod log_store;
pub(crate) mod machine;
pub(crate) mod node;
pub(crate) mod peers;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod sim_observers;
#[cfg(test)]
mod sim_tests;
#[cfg(test)]
mod sim_voters;
mod snapshot_fetch;
pub(crate) mod threads;
pub(crate) mod voter_history;
#[cfg(test)]
mod voter_tests;
pub mod wire;
pub(crate) mod writer;
