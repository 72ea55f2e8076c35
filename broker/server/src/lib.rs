//! The parts of the process that a simulated world wires as well.
//! Shell.

pub mod groups_follow;
pub mod groups_log;
pub mod share;
pub mod transactions;
