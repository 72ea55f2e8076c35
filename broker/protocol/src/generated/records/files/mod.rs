//! Small files beside the log.
//! Core. Written by ottla-protocol-generator; never edited by hand.

pub mod producer_snapshot;
pub mod quorum_state_data;

pub use producer_snapshot::ProducerSnapshot;
pub use quorum_state_data::QuorumStateData;
