//! The parts of the process that others need too: what a simulated world wires as well, and the adoption of
//! a Kafka's data.
//! Shell.

pub mod adopt;
pub mod share;
pub mod transactions;
