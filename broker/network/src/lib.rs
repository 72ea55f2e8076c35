//! Listeners, connections, frames and the order of answers.
//! Shell. Knows no API: whole frames go to the one `Handler`, answers come back.

pub mod handler;
pub mod response;

pub use handler::{Admitted, Answer, ConnectionInfo, Handler, ListenerInfo};
pub use response::{Chunk, Response, ResponseBuilder};
