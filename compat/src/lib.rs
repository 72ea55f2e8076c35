//! Foreign clients and tools, unmodified, run against a broker in another process; and the starters of such brokers.
//! shell: processes, files, sockets and the clock; nothing here is linked into the broker.

pub mod broker;
pub mod failure;
pub mod places;
pub mod process;
pub mod reference;
pub mod wire;
