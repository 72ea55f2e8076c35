//! The wire, seen from outside: a codec of its own, scripts of raw requests, and golden bytes.
//! Core in codec, batch, script and compare; shell in connection, refusals, runner, broker and golden. The answers of two
//! brokers are compared; numbers come from a seeded source.

pub mod asked;
pub mod batch;
pub mod broker;
pub mod codec;
pub mod compare;
pub mod connection;
pub mod golden;
pub mod normalise;
pub mod offsets_topic;
pub mod oracle;
pub mod records;
pub mod refusals;
pub mod relaxed;
pub mod runner;
pub mod schema;
pub mod schema_source;
pub mod script;
pub mod seeded;

/// What went wrong, said for the person who runs the check.
pub type Outcome<T> = Result<T, String>;
