//! Kafka's APIs: one row and one file per API key.
//! Shell over the rooms below.
//!
//! Reading order: `authentication` (who is there), `table` (what is served), `dispatch` (frame to handler),
//! `request` (what a handler gets and how it answers), `handlers/`, `peers/` (other nodes).
//!
//! Invariants:
//! - I1. Only what a row of the table serves is advertised.
//! - I2. A body reaches a message type only through the guard (`Request::decode`).
//! - I3. Who leads, coordinates and controls is asked of the image (`cluster`).

pub mod access;
mod audit;
pub mod authentication;
pub mod auto_create;
pub mod blocking;
pub mod broker_connections;
pub mod cluster;
pub mod config_access;
pub mod context;
mod delegation_tokens;
pub mod dispatch;
pub mod errors;
pub mod fence;
mod fetch_plan;
mod fetch_response;
pub mod fetch_session;
mod fetch_session_cache;
pub mod group_admin;
mod group_describe;
mod group_descriptions;
pub mod group_membership;
pub mod group_offsets;
pub mod groups;
mod handlers;
pub mod loggers;
mod metadata_log;
pub mod metrics;
pub mod missing_answers;
pub mod operation_audit;
mod own_settings;
pub mod owned_tasks;
mod parked_metadata;
mod partition_answer;
mod partition_end;
pub mod peers;
pub mod producer_ids;
pub mod quotas;
pub mod request;
mod seldom;
pub mod share;
mod share_state;
pub mod streams;
mod streams_topology;
pub mod table;
mod telemetry;
mod transaction_joining;
pub mod transactional_write;
pub mod transactions;
pub mod wire;
pub mod write_order;

pub use authentication::Authentication;
pub use context::{Broker, Rooms};
pub use dispatch::Dispatch;
pub use table::Endpoint;
