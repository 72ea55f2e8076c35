//! The other brokers of the cluster, by their ids.
//! Shell: an interface. Who follows the metadata image knows their addresses.

use ottla_model::BrokerId;

use super::Peer;

pub trait Nodes: Send + Sync {
    /// The broker at its inter-broker listener; `None` while it is not registered. Every caller gets the same
    /// connection as long as the address stays.
    fn peer(&self, id: BrokerId) -> Option<Peer>;

    /// A connection of the caller's own to the same broker, for requests that are answered late (a follower's
    /// fetches): nothing waits behind them.
    fn dedicated(&self, id: BrokerId, purpose: &str) -> Option<Peer>;
}
