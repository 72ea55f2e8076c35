//! The control API, `/lab/v1`: which address is what, and the clusters of the lab.
//! Shell. Each address answers JSON; an error names the field that is wrong.

mod clock;
mod clusters;
mod disks;
mod faults;
mod groups;
mod lint;
mod members;
mod offsets;
mod openapi;
mod producers;
mod recordings;
mod records;
mod reply;
mod requests;
mod reset;
mod snapshots;
mod transactions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use bytes::BytesMut;
use ottla_admin::{Asked, Route, Told, serve_route};
use ottla_env::memory::{Lose, MemoryDisk, SteeredDisk};
use ottla_env::net::Stream;
use ottla_env::tasks::TaskHandle;
use ottla_env::{BoxFuture, Clock, Env};
use ottla_network::TakesHttp;
use parking_lot::Mutex;
use serde_json::json;

use crate::bad::Bad;
use crate::clock::LabClock;
use crate::cluster::{Cluster, Port};
use crate::settings::ClusterSettings;
use reply::{Failed, Reply, fail, ok};
use snapshots::Snapshot;

pub use recordings::Recording;

/// The cluster that a lab begins with.
pub const MAIN: &str = "main";
const BASE: &str = "/lab/v1";
/// Where the disk of a snapshot has the data directory.
pub const SNAPSHOT: &str = "/snapshot";

/// Starts and stops the brokers of the lab's clusters.
pub trait Host: Send + Sync {
    /// `from` is a disk that holds a data directory in `SNAPSHOT`, with which it begins.
    fn create(
        &self,
        cluster: Arc<Cluster>,
        settings: ClusterSettings,
        from: Option<MemoryDisk>,
    ) -> BoxFuture<'static, Result<Created, String>>;

    /// What a cluster has on its disk now, as if it were stopped at once, below `SNAPSHOT`.
    fn copy(&self, id: &str) -> Option<MemoryDisk>;

    fn disk(&self, id: &str) -> Option<SteeredDisk>;

    /// Its machine stops at once and starts again behind the same port. The future ends when it serves.
    fn crash(&self, id: &str, lose: Lose) -> BoxFuture<'static, Result<(), String>>;

    /// It starts again behind the same port, on a disk that holds a data directory in `SNAPSHOT`.
    fn restore(&self, id: &str, disk: &MemoryDisk) -> BoxFuture<'static, Result<Created, String>>;

    /// The future ends when nothing of it is left.
    fn delete(&self, id: &str) -> BoxFuture<'static, ()>;
}

/// Where a cluster serves.
#[derive(Clone, Debug)]
pub struct Created {
    pub bootstrap: String,
    pub cluster_id: String,
    pub node_id: i32,
}

pub struct Lab {
    env: Env,
    pub seed: u64,
    clusters: Mutex<BTreeMap<String, Known>>,
    snapshots: Mutex<BTreeMap<String, Arc<Snapshot>>>,
    recordings: Mutex<BTreeMap<String, Arc<Recording>>>,
    /// Names of clusters that are being made.
    coming: Mutex<BTreeSet<String>>,
    next: AtomicU64,
    host: OnceLock<Arc<dyn Host>>,
}

#[derive(Clone)]
struct Known {
    cluster: Arc<Cluster>,
    created: Created,
    /// What it is again after a reset.
    born: Arc<ClusterSettings>,
    /// Deletes it when its time is over; ends with it.
    _ttl: Option<Arc<Mutex<TaskHandle>>>,
}

/// A name that nobody else can take meanwhile.
struct Name<'a> {
    lab: &'a Lab,
    id: String,
}

impl Drop for Name<'_> {
    fn drop(&mut self) {
        self.lab.coming.lock().remove(&self.id);
    }
}

impl Lab {
    pub fn new(env: Env, seed: u64) -> Arc<Lab> {
        Arc::new(Lab {
            env,
            seed,
            clusters: Mutex::default(),
            snapshots: Mutex::default(),
            recordings: Mutex::default(),
            coming: Mutex::default(),
            next: AtomicU64::new(1),
            host: OnceLock::new(),
        })
    }

    /// Who starts brokers from here on.
    pub fn set_host(&self, host: Arc<dyn Host>) {
        let is_first = self.host.set(host).is_ok();
        assert!(is_first, "a lab has one host");
    }

    /// Makes a cluster, and waits until it serves.
    pub async fn create(self: &Arc<Lab>, settings: ClusterSettings) -> Result<Created, String> {
        self.make(settings, None).await.map(|known| known.created).map_err(|failed| failed.to_string())
    }

    async fn make(
        self: &Arc<Lab>,
        settings: ClusterSettings,
        from: Option<&Snapshot>,
    ) -> Result<Known, Failed> {
        let Some(host) = self.host.get() else { return Err(Failed::of(503, "the lab does not serve yet")) };
        let mut settings = settings;
        if let Some(from) = from {
            let of_base = from.born.emulate;
            if settings.emulate.is_some_and(|release| Some(release) != of_base) {
                let why = "a fork emulates what its base does: the levels of features are on its disk";
                return Err(Bad::new("emulate", why).into());
            }
            settings.emulate = of_base;
        }
        let name = self.reserve(settings.name.clone())?;
        let id = name.id.clone();
        let (seed, ttl) = (settings.seed.unwrap_or_else(|| self.seed ^ fold(&id)), settings.ttl);
        let http = Arc::new(AtPort { lab: Arc::downgrade(self), id: id.clone() });
        let clock = match from {
            Some(from) => from.clock.copy(),
            None => LabClock::new(self.env.clock.clone()),
        };
        if let Some(mode) = settings.clock {
            clock.set_mode(mode);
        }
        let cluster = Cluster::new(id.clone(), seed, self.env.clone(), clock, http, settings.emulate);
        let rules = settings.faults.iter().map(|fault| fault.0.clone()).collect();
        let now = cluster.clock.monotonic();
        if cluster.faults.lock().replace(rules, now).is_none() {
            return Err(Failed::bad(Bad::new("faults", "too many rules")));
        }
        let mut born = settings.clone();
        if let Some(from) = from {
            // What it was made with goes before what is said of the fork.
            settings.configs = [from.born.configs.clone(), settings.configs].concat();
            born.configs.clone_from(&settings.configs);
            born.topics = [from.born.topics.clone(), born.topics].concat();
        }
        let born = Arc::new(born);
        let disk = from.map(|from| from.disk.clone());
        let created =
            host.create(Arc::clone(&cluster), settings, disk).await.map_err(|why| Failed::of(400, why))?;
        let ttl = ttl.map(|ttl| Arc::new(Mutex::new(clusters::delete_after(self, &id, ttl))));
        let known = Known { cluster, created, born, _ttl: ttl };
        let earlier = self.clusters.lock().insert(id, known.clone());
        assert!(earlier.is_none(), "the name was reserved");
        Ok(known)
    }

    /// The name that is asked for, or one that nobody has.
    fn reserve(&self, name: Option<String>) -> Result<Name<'_>, Failed> {
        let (clusters, mut coming) = (self.clusters.lock(), self.coming.lock());
        let is_taken = |id: &String| clusters.contains_key(id) || coming.contains(id);
        let id = match name {
            Some(id) if is_taken(&id) => return Err(Failed::of(409, format!("there is a cluster {id}"))),
            Some(id) => id,
            None => loop {
                let id = format!("c{}", self.next.fetch_add(1, Ordering::Relaxed));
                if !is_taken(&id) {
                    break id;
                }
            },
        };
        coming.insert(id.clone());
        Ok(Name { lab: self, id })
    }

    /// What answers the addresses of the lab; where none is named, of the main cluster.
    pub fn route(self: &Arc<Lab>) -> Arc<dyn Route> {
        Arc::new(AtPort { lab: Arc::downgrade(self), id: MAIN.to_owned() })
    }

    fn known(&self, id: &str) -> Result<Known, Failed> {
        let known = self.clusters.lock().get(id).cloned();
        known.ok_or_else(|| Failed::of(404, format!("there is no cluster {id}")))
    }

    async fn answer(self: &Arc<Lab>, here: &str, asked: Asked) -> Reply {
        let Some(path) = asked.path.strip_prefix(BASE) else {
            return fail(404, format!("the lab's API begins with {BASE}"));
        };
        let parts: Vec<String> =
            path.split('/').filter(|part| !part.is_empty()).map(reply::unescape).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let method = asked.method.as_str();
        match (method, parts.as_slice()) {
            ("GET", []) => {
                ok(json!({ "seed": self.seed, "cluster": here, "openapi": format!("{BASE}/openapi.json") }))
            }
            ("GET", ["openapi.json"]) => ok(openapi::document()),
            (_, ["clusters"]) => clusters::all(self, &asked).await,
            (_, ["recordings"]) => recordings::all(self, here, &asked),
            (_, ["recordings", id]) => recordings::one(self, id, &asked),
            ("POST", ["recordings", id, "stop"]) => recordings::stop(self, id),
            ("GET", ["recordings", id, "export"]) => recordings::export(self, id),
            (_, ["snapshots"]) => snapshots::all(self, here, &asked),
            (_, ["snapshots", id]) => snapshots::one(self, id, &asked),
            ("GET", ["snapshots", id, "export"]) => snapshots::export(self, id),
            ("POST", ["snapshots", id, "fork"]) => snapshots::fork(self, id, &asked).await,
            ("POST", ["clusters", id, "snapshots"]) => snapshots::take(self, id, &asked),
            ("POST", ["clusters", id, "restore"]) => snapshots::restore(self, here, id, &asked).await,
            ("POST", ["restore"]) => snapshots::restore(self, here, here, &asked).await,
            ("POST", ["clusters", id, "crash"]) => disks::crash(self, here, id, &asked).await,
            ("POST", ["crash"]) => disks::crash(self, here, here, &asked).await,
            ("POST", ["clusters", id, "fork"]) => snapshots::fork_cluster(self, id, &asked).await,
            ("POST", ["fork"]) => snapshots::fork_cluster(self, here, &asked).await,
            (_, ["clusters", id]) => clusters::one(self, id, &asked).await,
            (_, ["clusters", id, rest @ ..]) => self.of_cluster(id, rest, &asked).await,
            (_, rest) => self.of_cluster(here, rest, &asked).await,
        }
    }

    async fn of_cluster(self: &Arc<Lab>, id: &str, parts: &[&str], asked: &Asked) -> Reply {
        let known = self.known(id)?;
        let cluster = &known.cluster;
        let method = asked.method.as_str();
        match (method, parts) {
            (_, ["faults"]) => faults::all(cluster, asked),
            (_, ["faults", fault]) => faults::one(cluster, fault, asked),
            (_, ["disk"]) => disks::disk(self, &known, asked),
            ("POST", ["recordings"]) => recordings::start(self, &known, asked),
            (_, ["replays"]) => recordings::replays(self, &known, asked).await,
            ("POST", ["reset"]) => reset::reset(&known, asked).await,
            ("GET", ["gates"]) => faults::gates(cluster),
            ("POST", ["gates", gate, "release"]) => faults::release(cluster, gate),
            (_, ["clock"]) => clock::show(cluster, asked),
            ("POST", ["clock", "advance"]) => clock::advance(cluster, asked).await,
            ("POST", ["clock", "next"]) => clock::next(cluster, asked).await,
            (_, ["lint"]) => lint::all(cluster, asked),
            (_, ["requests"]) => requests::all(cluster, asked),
            ("POST", ["requests", "count"]) => requests::count(cluster, asked),
            ("POST", ["requests", "wait"]) => requests::wait(cluster, asked).await,
            ("POST", ["topics"]) => records::create_topic(cluster, asked).await,
            ("POST", ["topics", topic, "records"]) => records::produce(cluster, topic, asked).await,
            ("GET", ["topics", topic, "records"]) => records::read(cluster, topic, asked).await,
            ("GET", ["groups", group]) => groups::one(cluster, group, asked).await,
            ("POST", ["groups", group, "rebalance"]) => members::rebalance(cluster, group, asked).await,
            ("POST", ["groups", group, "members", member, "expire"]) => {
                members::expire(cluster, group, member, asked).await
            }
            ("PUT", ["groups", group, "offsets"]) => offsets::put(cluster, group, asked).await,
            ("DELETE", ["groups", group, "offsets"]) => offsets::delete(cluster, group, asked).await,
            ("GET", ["transactions"]) => transactions::all(cluster, asked).await,
            ("GET", ["transactions", id]) => transactions::one(cluster, id, asked).await,
            ("POST", ["transactions", id, act]) => transactions::act(cluster, id, act, asked).await,
            ("GET", ["producers"]) => producers::all(cluster, asked).await,
            ("POST", ["producers", id, "forget"]) => producers::forget(cluster, id, asked).await,
            _other => {
                fail(404, format!("{method} {} is no address of the lab ({BASE}/openapi.json)", asked.path))
            }
        }
    }
}

/// A number of a text (FNV-1a).
fn fold(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// The lab as it is seen from the port of one cluster.
struct AtPort {
    lab: Weak<Lab>,
    id: String,
}

impl Route for AtPort {
    fn takes(&self, path: &str) -> bool {
        path == "/lab" || path.starts_with("/lab/")
    }

    fn answer(&self, asked: Asked) -> BoxFuture<'static, Told> {
        let (lab, id) = (self.lab.upgrade(), self.id.clone());
        Box::pin(async move {
            let replied = match lab {
                Some(lab) => lab.answer(&id, asked).await,
                None => fail(503, "the lab has ended"),
            };
            reply::told(replied)
        })
    }
}

impl Port for AtPort {
    /// A cluster that serves already; only the main cluster's port is for all.
    fn cluster_of(&self, client_id: &str) -> Option<Arc<Cluster>> {
        let (name, _rest) = client_id.split_once('.').filter(|_| self.id == MAIN)?;
        let lab = self.lab.upgrade()?;
        let known = lab.clusters.lock().get(name).map(|known| Arc::clone(&known.cluster))?;
        (name != MAIN).then_some(known)
    }
}

impl TakesHttp for AtPort {
    fn take(&self, stream: Box<dyn Stream>, bytes: BytesMut) -> BoxFuture<'static, ()> {
        let Some(lab) = self.lab.upgrade() else { return Box::pin(async {}) };
        let route: Arc<dyn Route> = Arc::new(AtPort { lab: self.lab.clone(), id: self.id.clone() });
        let env = lab.env.clone();
        Box::pin(async move { serve_route(&env, stream, bytes, route).await })
    }
}
