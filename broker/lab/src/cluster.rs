//! One cluster of the lab: its rules, its journal, its gates, and the handler that they stand in front of.
//! Shell.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use ottla_env::net::Stream;
use ottla_env::{BoxFuture, Env};
use ottla_network::{Admitted, ConnectionInfo, Handler, ListenerInfo, TakesHttp};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::behind::Behind;
use crate::clock::LabClock;
use crate::faults::{Faults, RULES_MAX};
use crate::journal::Journal;
use crate::passing::Passing;
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
    inside: OnceLock<Inside>,
    http: Arc<dyn TakesHttp>,
}

/// What the lab stands in front of.
struct Inside {
    handler: Arc<dyn Handler>,
    listener: Arc<ListenerInfo>,
    behind: Box<dyn Behind>,
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
    /// `http` takes the connections to its listener that speak HTTP.
    pub fn new(id: String, seed: u64, env: Env, http: Arc<dyn TakesHttp>) -> Arc<Cluster> {
        Arc::new(Cluster {
            id,
            seed,
            clock: LabClock::new(env.clock.clone()),
            env,
            faults: Mutex::new(Faults::new(seed)),
            journal: Mutex::new(Journal::default()),
            news: Notify::new(),
            gates: Mutex::default(),
            turns: Turns::default(),
            inside: OnceLock::new(),
            http,
        })
    }

    /// The handler with the lab in front of it.
    pub fn around(
        self: &Arc<Cluster>,
        handler: Arc<dyn Handler>,
        listener: Arc<ListenerInfo>,
        behind: Box<dyn Behind>,
    ) -> Arc<dyn Handler> {
        let is_first = self.inside.set(Inside { handler, listener, behind }).is_ok();
        assert!(is_first, "a cluster has one handler");
        Arc::new(InFront(Arc::clone(self)))
    }

    pub(crate) fn handler(&self) -> Option<&Arc<dyn Handler>> {
        self.inside.get().map(|inside| &inside.handler)
    }

    pub(crate) fn listener(&self) -> Option<&Arc<ListenerInfo>> {
        self.inside.get().map(|inside| &inside.listener)
    }

    pub(crate) fn behind(&self) -> Option<&dyn Behind> {
        self.inside.get().map(|inside| &*inside.behind)
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
        self.inside.get()?.behind.name_of(id)
    }
}

/// Where every frame of a client meets the lab.
struct InFront(Arc<Cluster>);

impl Handler for InFront {
    fn admit(&self, connection: &Arc<ConnectionInfo>, frame: Bytes) -> Admitted {
        let handler = self.0.handler().expect("the handler was set before it is asked");
        match Passing::begin(&self.0, handler, connection, &frame) {
            Some(passing) => passing.admit(frame),
            None => handler.admit(connection, frame),
        }
    }

    fn on_close(&self, connection: &Arc<ConnectionInfo>) {
        if let Some(handler) = self.0.handler() {
            handler.on_close(connection);
        }
    }

    fn http(&self) -> Option<Arc<dyn TakesHttp>> {
        Some(Arc::new(AtCluster(Arc::clone(&self.0))))
    }
}

/// HTTP on the listener of a cluster.
struct AtCluster(Arc<Cluster>);

impl TakesHttp for AtCluster {
    fn take(&self, stream: Box<dyn Stream>, bytes: BytesMut) -> BoxFuture<'static, ()> {
        self.0.http.take(stream, bytes)
    }
}
