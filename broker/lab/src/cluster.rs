//! One cluster of the lab: its rules, its journal, its gates, and the handler that they stand in front of.
//! Shell.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use ottla_env::net::Stream;
use ottla_env::{BoxFuture, Env};
use ottla_network::{Admitted, Answer, ConnectionInfo, Handler, ListenerInfo, TakesHttp};
use ottla_protocol::RequestHeader;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::behind::Behind;
use crate::clock::LabClock;
use crate::control::Recording;
use crate::faults::{Faults, RULES_MAX};
use crate::journal::Journal;
use crate::passing::Passing;
use crate::played::Played;
use crate::releases::Release;
use crate::scope::TopicNames;
use crate::turns::Turns;

pub struct Cluster {
    /// As the control API names it.
    pub id: String,
    pub seed: u64,
    /// The machine: what the lab itself waits for is not on the cluster's clocks.
    pub(crate) env: Env,
    /// The cluster's own.
    pub clock: LabClock,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) journal: Mutex<Journal>,
    /// Something in the journal is new.
    pub(crate) news: Notify,
    /// By the name that a rule gives them, and no longer than one does. Locked before the rules are.
    gates: Mutex<BTreeMap<String, Gate>>,
    /// Requests that wait for one another.
    pub(crate) turns: Turns,
    /// What is being recorded.
    pub(crate) recorder: Mutex<Option<Arc<Recording>>>,
    /// A recording that answers in the broker's place.
    pub(crate) played: Mutex<Option<Played>>,
    /// Another one after a crash.
    inside: RwLock<Option<Arc<Inside>>>,
    port: Arc<dyn Port>,
    /// The release of Apache Kafka that its clients see; none is that of the broker.
    pub(crate) emulate: Option<&'static Release>,
    /// Unsafe habits of its clients are told when it is deleted.
    pub(crate) is_strict: AtomicBool,
    /// It was deleted.
    is_gone: AtomicBool,
}

/// What comes to a cluster's listener and is perhaps not for it.
pub trait Port: TakesHttp {
    /// Another cluster whose name stands before the first dot of a client's id, where the port is for all.
    fn cluster_of(&self, client_id: &str) -> Option<Arc<Cluster>>;
}

/// What the lab stands in front of.
struct Inside {
    handler: Arc<dyn Handler>,
    listener: Arc<ListenerInfo>,
    behind: Arc<dyn Behind>,
}

struct Gate {
    /// How often it was opened.
    opened: watch::Sender<u64>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cluster({})", self.id)
    }
}

impl Cluster {
    /// `port` takes the connections to its listener that speak HTTP.
    pub fn new(
        id: String,
        seed: u64,
        env: Env,
        clock: LabClock,
        port: Arc<dyn Port>,
        emulate: Option<&'static Release>,
    ) -> Arc<Cluster> {
        Arc::new(Cluster {
            id,
            seed,
            clock,
            env,
            faults: Mutex::new(Faults::new(seed)),
            journal: Mutex::new(Journal::default()),
            news: Notify::new(),
            gates: Mutex::default(),
            turns: Turns::default(),
            recorder: Mutex::default(),
            played: Mutex::default(),
            inside: RwLock::default(),
            port,
            emulate,
            is_strict: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
        })
    }

    /// The handler with the lab in front of it.
    pub fn around(
        self: &Arc<Cluster>,
        handler: Arc<dyn Handler>,
        listener: Arc<ListenerInfo>,
        behind: Arc<dyn Behind>,
    ) -> Arc<dyn Handler> {
        *self.inside.write() = Some(Arc::new(Inside { handler, listener, behind }));
        Arc::new(InFront { cluster: Arc::clone(self), others: Mutex::default() })
    }

    /// Connections that came by the port of all are closed with their next request.
    pub(crate) fn on_deleted(&self) {
        self.is_gone.store(true, Ordering::Release);
    }

    fn inside(&self) -> Option<Arc<Inside>> {
        self.inside.read().clone()
    }

    pub(crate) fn handler(&self) -> Option<Arc<dyn Handler>> {
        self.inside().map(|inside| Arc::clone(&inside.handler))
    }

    pub(crate) fn listener(&self) -> Option<Arc<ListenerInfo>> {
        self.inside().map(|inside| Arc::clone(&inside.listener))
    }

    pub(crate) fn behind(&self) -> Option<Arc<dyn Behind>> {
        self.inside().map(|inside| Arc::clone(&inside.behind))
    }

    /// Waits until a gate is opened, or no rule names it any more.
    pub(crate) async fn wait_at(&self, gate: &str) {
        let mut receiver = {
            let mut gates = self.gates.lock();
            if !self.faults.lock().names_gate(gate) {
                return;
            }
            let gate = gates.entry(gate.to_owned()).or_insert_with(|| Gate { opened: watch::Sender::new(0) });
            gate.opened.subscribe()
        };
        // Without its sender the gate is gone.
        let _opened = receiver.changed().await.is_ok();
    }

    /// Lets those go on that wait at a gate. Returns how many.
    pub(crate) fn open_gate(&self, gate: &str) -> usize {
        let gates = self.gates.lock();
        let Some(gate) = gates.get(gate) else { return 0 };
        let waiting = gate.opened.receiver_count();
        gate.opened.send_modify(|opened| *opened += 1);
        waiting
    }

    /// The gates with how many wait at each.
    pub(crate) fn gates(&self) -> Vec<(String, usize)> {
        self.gates.lock().iter().map(|(name, gate)| (name.clone(), gate.opened.receiver_count())).collect()
    }

    /// Nobody waits at a gate that no rule names any more.
    pub(crate) fn open_forgotten_gates(&self) {
        let mut gates = self.gates.lock();
        let faults = self.faults.lock();
        gates.retain(|gate, _| faults.names_gate(gate));
        assert!(gates.len() <= RULES_MAX, "a gate is named by a rule");
    }
}

impl TopicNames for Cluster {
    fn name_of(&self, id: Uuid) -> Option<String> {
        self.inside()?.behind.name_of(id)
    }
}

/// Where every frame of a client meets the lab.
struct InFront {
    cluster: Arc<Cluster>,
    /// Whose each connection is; none where it is this cluster's. Its first request says so.
    others: Mutex<HashMap<u64, Option<Arc<Cluster>>>>,
}

impl InFront {
    fn other_of(&self, connection: &ConnectionInfo, frame: &Bytes) -> Option<Arc<Cluster>> {
        let mut others = self.others.lock();
        others.entry(connection.id).or_insert_with(|| self.named_by(frame)).clone()
    }

    fn named_by(&self, frame: &Bytes) -> Option<Arc<Cluster>> {
        let header = RequestHeader::decode(&mut frame.clone()).ok()?;
        self.cluster.port.cluster_of(header.client_id?.as_str())
    }
}

impl Handler for InFront {
    fn admit(&self, connection: &Arc<ConnectionInfo>, frame: Bytes) -> Admitted {
        let other = self.other_of(connection, &frame);
        let cluster = other.as_ref().unwrap_or(&self.cluster);
        if cluster.is_gone.load(Ordering::Acquire) {
            return Admitted::Ready(Answer::Close("its cluster was deleted"));
        }
        let handler = cluster.handler().expect("the handler was set before it is asked");
        match Passing::begin(cluster, &handler, connection, &frame) {
            Some(passing) => passing.admit(frame),
            None => handler.admit(connection, frame),
        }
    }

    fn on_close(&self, connection: &Arc<ConnectionInfo>) {
        let other = self.others.lock().remove(&connection.id).flatten();
        if let Some(handler) = other.as_ref().unwrap_or(&self.cluster).handler() {
            handler.on_close(connection);
        }
    }

    fn http(&self) -> Option<Arc<dyn TakesHttp>> {
        Some(Arc::new(AtCluster(Arc::clone(&self.cluster))))
    }
}

/// HTTP on the listener of a cluster.
struct AtCluster(Arc<Cluster>);

impl TakesHttp for AtCluster {
    fn take(&self, stream: Box<dyn Stream>, bytes: BytesMut) -> BoxFuture<'static, ()> {
        self.0.port.take(stream, bytes)
    }
}
