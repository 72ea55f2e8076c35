//! The one trait a higher room plugs into the network: what becomes of a frame.
//! Shell: an interface. The network knows no API: it hands over whole frames in order and sends the
//! answers in the same order.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::{Bytes, BytesMut};
use ottla_env::BoxFuture;
use ottla_env::net::Stream;
use ottla_model::SecurityProtocol;
use ottla_quota::QuotaCache;
use ottla_security::Identity;
use ottla_security::sasl::Session;
use ottla_security::tls::TlsListener;
use parking_lot::Mutex;

use crate::response::Response;

/// A listener as the configuration names it.
#[derive(Clone, Debug)]
pub struct ListenerInfo {
    /// The listener's name (`PLAINTEXT`, or what the protocol map gives).
    pub name: String,
    pub protocol: SecurityProtocol,
    /// The largest frame of a client that has to say who it is and has not; counts on a SASL listener alone.
    pub login_frame_bytes_max: usize,
    /// There where the protocol has it.
    pub tls: Option<Arc<TlsListener>>,
    /// The advertised address, when configured; otherwise each client gets the address it dialled.
    pub advertised: Option<(String, u16)>,
    /// Where it listens, with the port that was picked.
    pub bound: SocketAddr,
}

/// One connection, as long as it lives.
pub struct ConnectionInfo {
    pub id: u64,
    pub listener: Arc<ListenerInfo>,
    pub peer_addr: SocketAddr,
    /// The address the client dialled.
    pub local_addr: SocketAddr,
    /// Name and version of the client's software, once ApiVersions reported them (KIP-511).
    pub software: OnceLock<Arc<(String, String)>>,
    /// The limits of its client, as its requests last found them.
    pub quotas: QuotaCache,
    identity: ArcSwapOption<Identity>,
    /// How far the login of a client of a SASL listener is; the handler's.
    pub login: Mutex<Option<Box<Session>>>,
}

impl std::fmt::Debug for ConnectionInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConnectionInfo({} from {} at {})", self.id, self.peer_addr, self.listener.name)
    }
}

impl ConnectionInfo {
    pub fn new(
        id: u64,
        listener: Arc<ListenerInfo>,
        peer_addr: SocketAddr,
        local_addr: SocketAddr,
    ) -> ConnectionInfo {
        ConnectionInfo {
            id,
            listener,
            peer_addr,
            local_addr,
            software: OnceLock::new(),
            quotas: QuotaCache::default(),
            identity: ArcSwapOption::empty(),
            login: Mutex::default(),
        }
    }

    /// What the connection is known as now; `None` where its client has not said. A request takes it
    /// once, when it is admitted, and keeps it: what changes the connection's identity afterwards does
    /// not change a request that waits.
    pub fn identity(&self) -> Option<Arc<Identity>> {
        self.identity.load_full()
    }

    /// The client has authenticated. Requests admitted from here on have this identity.
    pub fn authenticate(&self, identity: Arc<Identity>) {
        self.identity.store(Some(identity));
    }

    /// The client authenticates again; nothing is admitted for it until it has.
    pub fn forget_identity(&self) {
        self.identity.store(None);
    }

    /// Whether the listener wants to know who the client is and does not.
    pub fn is_unauthenticated(&self) -> bool {
        self.listener.protocol.has_sasl() && self.identity.load().is_none()
    }

    /// The host and port at which this client reaches this broker.
    pub fn advertised(&self) -> (String, u16) {
        match &self.listener.advertised {
            Some((host, port)) => (host.clone(), *port),
            None => (self.local_addr.ip().to_canonical().to_string(), self.local_addr.port()),
        }
    }
}

/// What `admit` made of a frame.
pub enum Admitted {
    /// Answered from memory.
    Ready(Answer),
    /// The answer comes later; further frames are admitted meanwhile. The future must not block
    /// and is dropped when the connection closes.
    Parked(BoxFuture<'static, Answer>),
    /// As `Parked`, but no frame is admitted until the answer is known: what follows depends on it.
    Exclusive(BoxFuture<'static, Answer>),
    /// As `Exclusive`, and the future is not polled before every earlier answer has left.
    ExclusiveAfterEarlier(BoxFuture<'static, Answer>),
}

/// How a request ends.
pub enum Answer {
    Respond(Response),
    /// Nothing is sent (Produce with acks=0); later answers go on.
    Silent,
    /// The connection is closed, after the answers before this one have been sent.
    Close(&'static str),
    /// Answers, and reads nothing more for so long (KIP-219). The time counts from when the answer is
    /// known: from admission for one that is ready. A longer time that runs already is kept.
    ThenMute {
        answer: Box<Answer>,
        mute: Duration,
    },
    /// Reads nothing more; after `delay` the response, if there is one, is sent and the connection
    /// closed (KIP-306).
    CloseAfter {
        response: Option<Response>,
        delay: Duration,
        why: &'static str,
    },
}

pub trait Handler: Send + Sync + 'static {
    /// Takes one frame (without its length prefix), a slice of the buffer it was read into: to keep a
    /// part of it is to keep that buffer (the frame, or up to 64 KiB when it is smaller). Called in
    /// order of arrival for one connection, from the connection's task: it must not block for longer
    /// than a write to the page cache.
    fn admit(&self, connection: &Arc<ConnectionInfo>, frame: Bytes) -> Admitted;

    /// The connection is gone; nothing more is admitted for it.
    fn on_close(&self, connection: &Arc<ConnectionInfo>);

    /// Who takes the connections whose first bytes are HTTP: nobody but in the test lab. Asked once a connection.
    fn http(&self) -> Option<Arc<dyn TakesHttp>> {
        None
    }
}

/// Serves HTTP on connections that came to a listener of Kafka's.
pub trait TakesHttp: Send + Sync {
    /// `bytes` were read off the stream already. The future ends with the connection.
    fn take(&self, stream: Box<dyn Stream>, bytes: BytesMut) -> BoxFuture<'static, ()>;
}
