//! A world in memory: for brokers without a directory, and for tests that need one to break.
//! Shell.

pub mod net;
