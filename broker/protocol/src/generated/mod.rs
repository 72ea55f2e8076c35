//! What ottla-protocol-generator writes from Kafka's message definitions.
//! Core. `cargo run -p ottla-protocol-generator` renews it, `-- --check` compares.

mod error_codes;
pub(crate) mod layouts;
pub mod messages;
pub mod records;
pub(crate) mod shapes;
pub(crate) mod versions;
