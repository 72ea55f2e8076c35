//! Which connection of this node's controller a broker beats on, so that its end is noticed.
//! Shell: a map, and somebody to tell.

use std::collections::HashMap;
use std::sync::OnceLock;

use ottla_model::BrokerId;
use parking_lot::Mutex;
use tokio::sync::mpsc;

/// A broker, and the epoch it said.
pub type ClosedBroker = (BrokerId, i64);

#[derive(Default)]
pub struct BrokerConnections {
    beats: Mutex<HashMap<u64, ClosedBroker>>,
    tell: OnceLock<mpsc::Sender<ClosedBroker>>,
}

impl BrokerConnections {
    /// Closed connections of brokers are told from here on. On a node that is alone nobody follows.
    pub fn follow(&self, tell: mpsc::Sender<ClosedBroker>) {
        // Plugged once, in wiring; a second one is ignored.
        let _first_wins = self.tell.set(tell);
    }

    pub fn on_heartbeat(&self, connection: u64, id: BrokerId, epoch: i64) {
        if self.tell.get().is_some() {
            self.beats.lock().insert(connection, (id, epoch));
        }
    }

    /// One that finds no room is found out by its session.
    pub fn on_close(&self, connection: u64) {
        let Some(tell) = self.tell.get() else { return };
        if let Some(closed) = self.beats.lock().remove(&connection) {
            let _found_no_room = tell.try_send(closed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_connection_is_told_with_what_the_broker_said_last() {
        let connections = BrokerConnections::default();
        connections.on_heartbeat(1, BrokerId(7), 3);
        let (tell, mut told) = mpsc::channel(4);
        connections.follow(tell);
        connections.on_close(1);
        assert!(told.try_recv().is_err(), "nobody followed then");
        connections.on_heartbeat(1, BrokerId(7), 3);
        connections.on_heartbeat(1, BrokerId(7), 9);
        connections.on_close(2);
        connections.on_close(1);
        connections.on_close(1);
        assert_eq!(told.try_recv().ok(), Some((BrokerId(7), 9)));
        assert!(told.try_recv().is_err());
    }
}
