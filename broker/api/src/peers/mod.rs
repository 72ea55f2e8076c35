//! How this node speaks to the others of its cluster.
//! Shell.
//!
//! Reading order: `frame` (what voters send each other), `transport` (out), `inlet` (in), `nodes` (the brokers, by the
//! image), `controllers` (which of them is active), `channel` (what this broker asks of it), `forward` and `principal`
//! (what clients ask of it), `reached` (until this node knows what was decided), `observe` (a broker without a vote
//! reads the metadata log), `ping`, `presence` and `watch` (which nodes are heard).

mod channel;
mod controllers;
mod forward;
pub mod frame;
mod inlet;
mod nodes;
pub mod observe;
pub mod ping;
mod presence;
pub mod principal;
mod reached;
#[cfg(test)]
mod tests;
mod transport;
mod watch;

pub use channel::ToController;
pub use controllers::{Active, ControllerNodes, Controllers};
pub use forward::{Forward, Forwarded, OFFSET_TAG, client_address, envelope};
pub use inlet::{Inlet, Voices, VoterEvents};
pub use nodes::ImageNodes;
pub use presence::Presence;
pub use reached::Reached;
pub use transport::VoterTransport;
pub use watch::{Found, Watch};

use std::time::Duration;

use ottla_network::outgoing::{Backoff, PeerSettings};

/// A node that acknowledges nothing for so long is dialled anew.
const SILENCE_MAX: Duration = Duration::from_secs(1);

/// How other nodes are spoken to.
pub fn settings(client_id: String) -> PeerSettings {
    PeerSettings {
        client_id,
        setup_timeout: Duration::from_secs(1),
        backoff: Backoff { min: Duration::from_millis(20), max: Duration::from_millis(200) },
        silence_max: Some(SILENCE_MAX),
        ..PeerSettings::default()
    }
}
