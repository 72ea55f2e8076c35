//! The parts of the process that others need too: those a simulated world wires, and the adoption of Kafka's data.
//! Shell.

pub mod adopt;
pub mod cluster;
pub mod controller_registration;
pub mod detection;
pub mod identity;
pub mod issuers;
pub mod lifecycle;
pub mod membership;
pub mod rooms;
pub mod scram_users;
pub mod settings;
pub mod share;
pub mod transactions;
