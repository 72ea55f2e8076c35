//! Connections to other nodes: dialling, agreeing on versions, requests in flight, and trying again.
//! Shell over cores. It knows one API, ApiVersions, with which each connection begins; the requests that
//! travel over it are its callers'.
//!
//! Reading order: `backoff` and `versions` (cores), `link` (one connection), `login`, `peer` (a node that is
//! dialled again when it was lost); `get` (the keys of tokens, over HTTP).
//!
//! Invariants:
//! - O1. Requests leave in the order in which they were sent, and answers are given in that order: an
//!   answer with another correlation id than that of the oldest request closes the connection.
//! - O2. Every request ends: with its answer, with its deadline, or with its connection.
//! - O3. A request that may have reached the other node says so when it fails: only the caller knows
//!   whether it can be sent again.

mod backoff;
mod get;
mod link;
#[cfg(test)]
mod link_tests;
mod login;
#[cfg(test)]
mod login_tests;
mod nodes;
mod peer;
#[cfg(test)]
mod peer_tests;
mod versions;

use std::time::Duration;

use ottla_env::net::SocketBuffers;
use ottla_protocol::{ApiKey, EncodeError};
use ottla_security::tls::ClientTls;

pub use backoff::Backoff;
pub use get::{GetError, Location, get};
pub use link::Link;
pub use login::{PeerLogin, PeerSecret};
pub use nodes::Nodes;
pub use peer::{Peer, introduce_over};
pub use versions::PeerVersions;

/// How a node is spoken to.
#[derive(Clone, Debug)]
pub struct PeerSettings {
    /// What the other node's logs and metrics show.
    pub client_id: String,
    /// Name and version of the software, as ApiVersions reports them (KIP-511).
    pub software: (String, String),
    /// For a connection, and again from then to the end of the handshake, of ApiVersions and the login, where it is doubled
    /// each time that the other node is too slow for it (`socket.connection.setup.timeout.ms`).
    pub setup_timeout: Duration,
    /// From a request to its answer; a late one closes the connection (`request.timeout.ms`).
    pub request_timeout: Duration,
    /// Between attempts to reach a node that cannot be reached (`reconnect.backoff.ms` and `.max.ms`).
    pub backoff: Backoff,
    /// Requests sent and not answered; one more is refused with `CallError::TooMany`.
    pub in_flight_max: usize,
    /// A response that promises more closes the connection.
    pub response_bytes_max: usize,
    pub buffers: SocketBuffers,
    /// Who this node is there, where its listener has SASL.
    pub login: Option<PeerLogin>,
    /// TLS where the other node's listener has it; the node must have the name it is dialled by.
    pub tls: Option<ClientTls>,
    /// A node that acknowledges nothing for so long is taken to be away, whatever the kernel would still try.
    pub silence_max: Option<Duration>,
    /// Whether the connection begins with ApiVersions. Without, only private requests can be sent behind the login.
    pub agrees_on_versions: bool,
}

impl Default for PeerSettings {
    fn default() -> PeerSettings {
        PeerSettings {
            client_id: "ottla".to_owned(),
            software: ("ottla".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            setup_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            backoff: Backoff { min: Duration::from_millis(50), max: Duration::from_secs(1) },
            in_flight_max: 1024,
            response_bytes_max: 104_857_600,
            buffers: SocketBuffers::default(),
            login: None,
            tls: None,
            silence_max: None,
            agrees_on_versions: true,
        }
    }
}

/// Why a call has no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CallError {
    /// The node was not reached: nothing was sent.
    #[error("the node cannot be reached: {0}")]
    Unreachable(String),
    /// The connection ended after the request was given to it: whether the other node has seen it is
    /// not known.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// No answer came in time; the connection is closed.
    #[error("no answer came in time")]
    TimedOut,
    /// More requests wait for an answer than may.
    #[error("too many requests wait for an answer")]
    TooMany,
    /// The other node has no version of this API that this one has.
    #[error("no common version of {0}")]
    NoVersion(ApiKey),
    /// The request has something that the common version cannot say.
    #[error("the request cannot be said in version {version}: {why}")]
    Encode { version: i16, why: String },
    /// The other node does not let this one in.
    #[error("no login: {0}")]
    Login(String),
    /// The answer is not one of this API and version; the connection is closed.
    #[error("an answer is malformed: {0}")]
    Malformed(String),
}

impl CallError {
    fn encode(version: i16, error: &EncodeError) -> CallError {
        CallError::Encode { version, why: error.to_string() }
    }
}
