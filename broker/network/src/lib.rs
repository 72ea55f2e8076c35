//! Listeners, connections, frames and the order of answers; and connections to other nodes.
//! Shell. Knows no API: whole frames go to the one `Handler`, answers come back. The one exception is
//! ApiVersions, with which an outgoing connection begins.

mod answer_queue;
mod connection;
#[cfg(test)]
mod connection_tests;
mod frame_reader;
pub mod handler;
mod handshake;
mod http_preface;
mod listener;
#[cfg(test)]
mod listener_tests;
#[cfg(test)]
mod login_tests;
mod memory_budget;
mod metrics;
pub mod outgoing;
pub mod response;
mod server;
mod settings;
#[cfg(test)]
mod test_world;

pub use handler::{Admitted, Answer, ConnectionInfo, Handler, ListenerInfo, TakesHttp};
pub use listener::{BindError, ListenerSpec, Listeners};
pub use metrics::{CloseReason, NetworkMetrics};
pub use response::{Chunk, Response, ResponseBuilder};
pub use server::NetworkServer;
pub use settings::{CONNECTION_FREE_BYTES, ConnectionLimits, NetworkSettings};
