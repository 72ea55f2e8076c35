//! The other brokers at their inter-broker listeners, by what they registered.
//! Shell.

use std::collections::HashMap;
use std::sync::Arc;

use ottla_env::Env;
use ottla_metadata::Metadata;
use ottla_model::BrokerId;
use ottla_network::outgoing::{Nodes, Peer, PeerSettings};
use parking_lot::Mutex;

pub struct ImageNodes {
    env: Env,
    metadata: Arc<Metadata>,
    listener: String,
    settings: PeerSettings,
    /// The shared connections, with the addresses they are to.
    known: Mutex<HashMap<BrokerId, (Address, Peer)>>,
}

pub type Address = (String, u16);

impl ImageNodes {
    /// `listener`: the name of the inter-broker listener.
    pub fn new(env: Env, metadata: Arc<Metadata>, listener: String, settings: PeerSettings) -> ImageNodes {
        ImageNodes { env, metadata, listener, settings, known: Mutex::default() }
    }

    pub fn address(&self, id: BrokerId) -> Option<Address> {
        let image = self.metadata.image();
        let end_points = &image.broker(id)?.end_points;
        let found = end_points.iter().find(|end_point| end_point.name.as_str() == self.listener)?;
        Some((found.host.to_string(), found.port))
    }

    /// How a connection of a purpose of its own is made.
    pub fn settings(&self, purpose: &str) -> PeerSettings {
        PeerSettings { client_id: format!("{}-{purpose}", self.settings.client_id), ..self.settings.clone() }
    }

    fn dial(&self, (host, port): Address, settings: PeerSettings) -> Peer {
        Peer::new(self.env.clone(), host, port, settings)
    }
}

impl Nodes for ImageNodes {
    fn peer(&self, id: BrokerId) -> Option<Peer> {
        let address = self.address(id);
        let mut known = self.known.lock();
        let Some(address) = address else {
            known.remove(&id);
            return None;
        };
        match known.get(&id) {
            Some((of, peer)) if *of == address => Some(peer.clone()),
            _ => {
                let peer = self.dial(address.clone(), self.settings.clone());
                known.insert(id, (address, peer.clone()));
                Some(peer)
            }
        }
    }

    fn dedicated(&self, id: BrokerId, purpose: &str) -> Option<Peer> {
        Some(self.dial(self.address(id)?, self.settings(purpose)))
    }
}
