//! The controller's listener: frames of other voters, and before them whoever serves the rest.
//! Shell. It serves voters before the node knows its cluster, so that they can agree on one.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use ottla_env::Env;
use ottla_metadata::Metadata;
use ottla_model::BrokerId;
use ottla_network::{Admitted, Answer, ConnectionInfo, Handler, ResponseBuilder};
use ottla_security::{AclOperation, Acls, Asking, Authorizer, CLUSTER_NAME, Identity, ResourceType};
use parking_lot::{Mutex, RwLock};

use super::frame;
use crate::authentication::Authentication;
use crate::context::Broker;
use crate::table::Endpoint;

/// Who takes what other voters send.
pub trait VoterEvents: Send + Sync {
    fn on_frame(&self, from: BrokerId, bytes: Bytes);

    /// A connection with a voter has ended.
    fn on_disconnected(&self, voter: BrokerId);
}

/// Hands on what is heard of other voters; nobody listens before the quorum is there.
#[derive(Default)]
pub struct Voices(RwLock<Option<Arc<dyn VoterEvents>>>);

impl Voices {
    /// From here on `events` hears them. What came before is lost, as a frame may be.
    pub fn follow(&self, events: Arc<dyn VoterEvents>) {
        *self.0.write() = Some(events);
    }

    /// Nobody hears them any more.
    pub fn end(&self) {
        *self.0.write() = None;
    }

    pub(super) fn on_disconnected(&self, voter: BrokerId) {
        if let Some(events) = &*self.0.read() {
            events.on_disconnected(voter);
        }
    }

    fn on_frame(&self, from: BrokerId, bytes: Bytes) {
        if let Some(events) = &*self.0.read() {
            events.on_frame(from, bytes);
        }
    }
}

/// The handler of a controller's listener.
pub struct Inlet {
    env: Env,
    node_id: BrokerId,
    /// There is a quorum to be heard in.
    has_peers: bool,
    voices: Arc<Voices>,
    authorizer: Option<Arc<Authorizer>>,
    /// Where ACLs are, once they are read.
    metadata: OnceLock<Arc<Metadata>>,
    /// Serves what is no voter's frame, and lets nodes log in where the listener asks them to.
    behind: Arc<Authentication>,
    /// The voters at the other ends of connections.
    connections: Mutex<HashMap<u64, BrokerId>>,
}

impl Inlet {
    /// Which controllers are heard is the quorum's to say; none has this node's id, and a node without peers has none.
    pub fn new(
        env: Env,
        (node_id, has_peers): (BrokerId, bool),
        voices: Arc<Voices>,
        authorizer: Option<Arc<Authorizer>>,
        behind: Arc<Authentication>,
    ) -> Inlet {
        Inlet {
            env,
            node_id,
            has_peers,
            voices,
            authorizer,
            metadata: OnceLock::new(),
            behind,
            connections: Mutex::default(),
        }
    }

    /// Opens the listener for everything else.
    pub fn serve(&self, broker: Arc<Broker>) {
        assert!(self.metadata.set(broker.metadata.clone()).is_ok(), "a listener is opened once");
        self.behind.serve(broker, Endpoint::Controller);
    }

    fn take(&self, connection: &Arc<ConnectionInfo>, frame: Bytes) -> Admitted {
        let refused = |why: &str| {
            tracing::debug!(connection = connection.id, peer = %connection.peer_addr, why, "a voter's frame is refused");
            Admitted::Ready(Answer::Close("a voter's frame was refused"))
        };
        let frame = match frame::decode(frame) {
            Ok(frame) => frame,
            Err(error) => return refused(&error.to_string()),
        };
        if frame.from == self.node_id || !self.has_peers {
            return refused("it comes from no other node");
        }
        if self.has_ended(connection) {
            // The voter comes again, and logs in.
            return Admitted::Ready(Answer::Close("the session has ended"));
        }
        if !self.may_act(connection) {
            return refused("its sender may not act for the cluster");
        }
        self.connections.lock().insert(connection.id, frame.from);
        self.voices.on_frame(frame.from, frame.bytes);
        let mut answer = ResponseBuilder::with_capacity(4);
        answer.buffer.extend_from_slice(&frame.correlation_id.to_be_bytes());
        match answer.finish() {
            Some(answer) => Admitted::Ready(Answer::Respond(answer)),
            None => unreachable!("four bytes are a frame"),
        }
    }

    /// A session without an end costs no look at the clock.
    fn has_ended(&self, connection: &ConnectionInfo) -> bool {
        let identity = connection.identity().filter(|identity| identity.expires_at.is_some());
        identity.is_some_and(|identity| identity.is_expired(self.env.clock.monotonic().0))
    }

    /// ClusterAction, as everything that nodes send each other needs it. Before the ACLs are read only super users
    /// have it.
    fn may_act(&self, connection: &ConnectionInfo) -> bool {
        let Some(authorizer) = &self.authorizer else { return true };
        let acls = match self.metadata.get() {
            Some(metadata) => metadata.image().acls().clone(),
            None => Arc::new(Acls::default()),
        };
        let identity = connection.identity();
        let principal = &identity.as_deref().unwrap_or(Identity::anonymous()).principal;
        let asking = Asking { principal, host: connection.peer_addr.ip().to_canonical() };
        let cluster = ResourceType::Cluster;
        authorizer.is_allowed(&acls, asking, AclOperation::ClusterAction, cluster, CLUSTER_NAME)
    }
}

impl Handler for Inlet {
    fn admit(&self, connection: &Arc<ConnectionInfo>, frame: Bytes) -> Admitted {
        if frame::is_of_voter(&frame) && !connection.is_unauthenticated() {
            return self.take(connection, frame);
        }
        self.behind.admit(connection, frame)
    }

    fn on_close(&self, connection: &Arc<ConnectionInfo>) {
        let voter = self.connections.lock().remove(&connection.id);
        if let Some(voter) = voter {
            self.voices.on_disconnected(voter);
        }
        self.behind.on_close(connection);
    }
}
