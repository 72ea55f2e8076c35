//! The active controller, wherever it is: who leads now, and trying again until somebody does.
//! Shell.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::{BoxFuture, Env, Monotonic};
use ottla_metadata::{ApiError, Leadership, Metadata, OperationError, Voter};
use ottla_model::{BrokerId, ErrorCode};
use ottla_network::outgoing::{Peer, PeerSettings};
use parking_lot::Mutex;

use super::observe::settings_of;

/// Before who leads is asked again although nothing was heard of a change.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// A controller that answers nothing for so long is dialled anew.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the active controller is.
#[derive(Clone)]
pub enum Active {
    Here,
    There(Peer),
}

/// The controllers at their listeners, as far as it is known where these are.
pub struct ControllerNodes {
    env: Env,
    node_id: BrokerId,
    settings: PeerSettings,
    known: Mutex<BTreeMap<BrokerId, Node>>,
}

struct Node {
    address: Voter,
    peer: Peer,
    /// Another connection, for requests that are answered late.
    observed: Peer,
}

impl ControllerNodes {
    /// `voters`: those that the configuration names.
    pub fn new(env: Env, node_id: BrokerId, voters: &[Voter], settings: &PeerSettings) -> ControllerNodes {
        let settings = PeerSettings { request_timeout: REQUEST_TIMEOUT, ..settings.clone() };
        let nodes = ControllerNodes { env, node_id, settings, known: Mutex::default() };
        nodes.learn(voters);
        nodes
    }

    /// One that listens elsewhere now is dialled there.
    pub fn learn(&self, controllers: &[Voter]) {
        let mut known = self.known.lock();
        for address in controllers.iter().filter(|one| one.id != self.node_id) {
            if known.get(&address.id).is_some_and(|node| node.address == *address) {
                continue;
            }
            let dial = |settings: PeerSettings| {
                Peer::new(self.env.clone(), address.host.clone(), address.port, settings)
            };
            let (peer, observed) = (dial(self.settings.clone()), dial(settings_of(&self.settings)));
            known.insert(address.id, Node { address: address.clone(), peer, observed });
        }
    }

    fn peer(&self, id: BrokerId) -> Option<Peer> {
        self.known.lock().get(&id).map(|node| node.peer.clone())
    }

    /// For fetches of the metadata log.
    pub fn observed(&self, id: BrokerId) -> Option<Peer> {
        self.known.lock().get(&id).map(|node| node.observed.clone())
    }
}

pub struct Controllers {
    env: Env,
    node_id: BrokerId,
    metadata: Arc<Metadata>,
    others: Arc<ControllerNodes>,
}

impl Controllers {
    pub fn new(
        env: Env,
        node_id: BrokerId,
        metadata: Arc<Metadata>,
        others: Arc<ControllerNodes>,
    ) -> Controllers {
        Controllers { env, node_id, metadata, others }
    }

    pub fn leads_here(&self) -> bool {
        self.metadata.leadership().leader == Some(self.node_id)
    }

    /// All others that are known, leading or not.
    pub fn others(&self) -> Vec<Peer> {
        self.others.known.lock().values().map(|node| node.peer.clone()).collect()
    }

    fn active(&self, leadership: Leadership) -> Option<Active> {
        match leadership.leader? {
            leader if leader == self.node_id => Some(Active::Here),
            leader => self.others.peer(leader).map(Active::There),
        }
    }

    /// Makes attempts until one gives something, the time is over, or the node stops. An attempt is given up as
    /// soon as somebody else leads: who is asked does not decide any more.
    pub async fn reach<T: Send>(
        &self,
        patience: Duration,
        mut attempt: impl FnMut(Active) -> BoxFuture<'static, Option<T>> + Send,
    ) -> Result<T, OperationError> {
        let clock = &self.env.clock;
        let deadline = clock.monotonic().after(patience);
        let mut changes = self.metadata.leadership_changes();
        loop {
            let leadership = *changes.borrow_and_update();
            if let Some(active) = self.active(leadership) {
                tokio::select! {
                    biased;
                    answer = attempt(active) => if let Some(answer) = answer { return Ok(answer) },
                    changed = changes.changed() => match changed {
                        Ok(()) => continue,
                        Err(_ended) => return Err(OperationError::Stopping),
                    },
                    () = clock.sleep_until(deadline) => {}
                }
            }
            let now = clock.monotonic();
            if now >= deadline {
                return Err(OperationError::Refused(ApiError::bare(ErrorCode::NotController)));
            }
            let again: Monotonic = deadline.min(now.after(RETRY_PAUSE));
            tokio::select! {
                biased;
                changed = changes.changed() => if changed.is_err() { return Err(OperationError::Stopping) },
                () = clock.sleep_until(again) => {}
            }
        }
    }
}
