//! The brokers of a test lab: each cluster is a whole one in memory, in this process.
//! Shell.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ottla_admin::Route;
use ottla_config::StartTopic;
use ottla_env::memory::{Lose, MemoryDisk, SeededRng, SteeredDisk};
use ottla_env::{BoxFuture, Disk, Env};
use ottla_lab::{Cluster, ClusterSettings, Created, Host, MAIN, NamedTasks, Release, SNAPSHOT};
use ottla_log::MetaProperties;
use ottla_network::{Handler, ListenerInfo};
use parking_lot::Mutex;

use crate::lab_behind::BehindRooms;
use crate::rooms::Rooms;
use crate::start_topics;
use crate::wiring::{self, Broker, StartOptions};

/// Tests end often, and nobody waits for the last answers of a cluster that is dropped.
const ANSWERS_WAIT: Duration = Duration::from_millis(5);
const GONE: &str = "the cluster does not serve";

/// Where the lab takes part in a broker.
#[derive(Clone)]
pub struct LabHook {
    pub cluster: Arc<Cluster>,
    /// For the HTTP listener, where there is one.
    pub route: Option<Arc<dyn Route>>,
}

impl std::fmt::Debug for LabHook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LabHook({:?})", self.cluster)
    }
}

/// What the listeners hand frames to: without a lab the handler itself.
pub fn in_front(
    lab: Option<&LabHook>,
    handler: Arc<dyn Handler>,
    listeners: &[Arc<ListenerInfo>],
    rooms: &Rooms,
) -> Arc<dyn Handler> {
    match (lab, listeners.first()) {
        (Some(lab), Some(listener)) => {
            lab.cluster.around(handler, listener.clone(), Arc::new(BehindRooms::new(rooms)))
        }
        _without => handler,
    }
}

/// Starts and stops them.
pub struct Brokers {
    env: Env,
    /// Of the main cluster.
    port: u16,
    overrides: Vec<(String, String)>,
    route: Arc<dyn Route>,
    running: Arc<Mutex<HashMap<String, Running>>>,
}

struct Running {
    broker: Broker,
    disk: SteeredDisk,
    /// With which it starts again.
    start: Start,
}

/// What a broker of a cluster starts with, also when its machine has stopped.
#[derive(Clone)]
struct Start {
    cluster: Arc<Cluster>,
    route: Option<Arc<dyn Route>>,
    keys: Vec<(String, String)>,
    features: Vec<(String, i16)>,
}

impl Start {
    async fn broker(&self, machine: &Env, disk: MemoryDisk) -> Result<(Broker, SteeredDisk), String> {
        let (config, _warnings) =
            ottla_config::load(None, &[], &self.keys).map_err(|error| error.to_string())?;
        let disk = SteeredDisk::new(disk, machine.tasks.clone());
        let env = Env {
            disk: Arc::new(disk.clone()),
            clock: Arc::new(self.cluster.clock.clone()),
            rng: Arc::new(SeededRng::new(self.cluster.seed)),
            tasks: Arc::new(NamedTasks::new(machine.tasks.clone())),
            ..machine.clone()
        };
        let lab = Some(LabHook { cluster: Arc::clone(&self.cluster), route: self.route.clone() });
        let features = self.features.clone();
        let options = StartOptions { ephemeral: true, features, lab, ..StartOptions::default() };
        let broker = wiring::start(env, machine.disk.clone(), config, options).await?;
        Ok((broker, disk))
    }
}

/// Where a cluster has its data directory.
fn folder(id: &str) -> PathBuf {
    Path::new("/lab").join(id)
}

impl Brokers {
    pub fn new(env: Env, port: u16, overrides: Vec<(String, String)>, route: Arc<dyn Route>) -> Arc<Brokers> {
        Arc::new(Brokers { env, port, overrides, route, running: Arc::default() })
    }

    /// The address of the main cluster's HTTP listener.
    pub fn http(&self) -> Option<String> {
        self.running.lock().get(MAIN).and_then(|running| running.broker.http())
    }

    pub async fn stop_all(&self) {
        let running: Vec<Running> = self.running.lock().drain().map(|(_, running)| running).collect();
        for running in running {
            running.broker.stop(ANSWERS_WAIT).await;
        }
    }

    fn keys(&self, id: &str, settings: &ClusterSettings) -> Vec<(String, String)> {
        let is_main = id == MAIN;
        let port = if is_main { self.port } else { 0 };
        let text = |key: &str, value: String| (key.to_owned(), value);
        let mut keys = vec![
            text("listeners", format!("PLAINTEXT://{}:{port}", Ipv4Addr::LOCALHOST)),
            text("log.dirs", folder(id).display().to_string()),
            text("ottla.http.listener", if is_main { "127.0.0.1:0".to_owned() } else { String::new() }),
            // So that each fetch names all its partitions, and rules can be about them.
            text("max.incremental.fetch.session.cache.slots", "0".to_owned()),
        ];
        if is_main {
            keys.extend(self.overrides.iter().cloned());
        }
        keys.extend(settings.configs.iter().cloned());
        keys
    }
}

impl Host for Brokers {
    fn create(
        &self,
        cluster: Arc<Cluster>,
        settings: ClusterSettings,
        from: Option<MemoryDisk>,
    ) -> BoxFuture<'static, Result<Created, String>> {
        let id = cluster.id.clone();
        let mut keys = self.keys(&id, &settings);
        let route = (id == MAIN).then(|| self.route.clone());
        let (running, machine) = (self.running.clone(), self.env.clone());
        Box::pin(async move {
            let disk = match &from {
                Some(from) => from.copy_of(Path::new(SNAPSHOT), &folder(&id)),
                None => MemoryDisk::new(),
            };
            if from.is_some() {
                keys.push(("node.id".to_owned(), node_id(&disk, &folder(&id))?));
            }
            let features = settings.emulate.map(Release::levels).unwrap_or_default();
            let mut start = Start { cluster, route, keys, features };
            let (broker, disk) = start.broker(&machine, disk).await?;
            // A later start is at the same address, and the cluster is there.
            start.keys.push(("listeners".to_owned(), format!("PLAINTEXT://{}", broker.bootstrap())));
            start.features.clear();
            let topics: Vec<StartTopic> = settings
                .topics
                .into_iter()
                .map(|topic| StartTopic {
                    name: topic.name,
                    partitions: topic.partitions.unwrap_or(-1),
                    configs: topic.configs,
                })
                .collect();
            if let Err(why) = start_topics::make(broker.rooms(), &topics).await {
                broker.stop(ANSWERS_WAIT).await;
                return Err(why);
            }
            let created = created(&broker);
            running.lock().insert(id, Running { broker, disk, start });
            Ok(created)
        })
    }

    fn disk(&self, id: &str) -> Option<SteeredDisk> {
        self.running.lock().get(id).map(|running| running.disk.clone())
    }

    fn crash(&self, id: &str, lose: Lose) -> BoxFuture<'static, Result<(), String>> {
        let left = match self.running.lock().get(id) {
            Some(running) => running.disk.after_crash(&folder(id), lose).map_err(|error| error.to_string()),
            None => Err(GONE.to_owned()),
        };
        let (running, machine, id) = (self.running.clone(), self.env.clone(), id.to_owned());
        Box::pin(async move { start_again(&running, &machine, id, left?).await.map(|_created| ()) })
    }

    fn restore(&self, id: &str, disk: &MemoryDisk) -> BoxFuture<'static, Result<Created, String>> {
        let disk = disk.copy_of(Path::new(SNAPSHOT), &folder(id));
        let (running, machine, id) = (self.running.clone(), self.env.clone(), id.to_owned());
        Box::pin(async move { start_again(&running, &machine, id, disk).await })
    }

    fn delete(&self, id: &str) -> BoxFuture<'static, ()> {
        let running = self.running.lock().remove(id);
        Box::pin(async move {
            if let Some(running) = running {
                running.broker.stop(ANSWERS_WAIT).await;
            }
        })
    }

    fn copy(&self, id: &str) -> Option<MemoryDisk> {
        let disk = self.running.lock().get(id).map(|running| running.disk.clone())?;
        Some(disk.copy_of(&folder(id), Path::new(SNAPSHOT)))
    }
}

/// In the place of the broker that is there, which ends without another word to its disk.
async fn start_again(
    running: &Mutex<HashMap<String, Running>>,
    machine: &Env,
    id: String,
    disk: MemoryDisk,
) -> Result<Created, String> {
    let node_id = node_id(&disk, &folder(&id))?;
    let ended = running.lock().remove(&id).ok_or(GONE)?;
    // What it still does is done to a disk that nobody reads any more.
    ended.broker.stop(ANSWERS_WAIT).await;
    let mut start = ended.start;
    start.keys.push(("node.id".to_owned(), node_id));
    let (broker, disk) = start.broker(machine, disk).await?;
    let created = created(&broker);
    running.lock().insert(id, Running { broker, disk, start });
    Ok(created)
}

fn created(broker: &Broker) -> Created {
    let (cluster_id, node_id) = (broker.cluster_id(), broker.node_id());
    Created { bootstrap: broker.bootstrap(), cluster_id, node_id }
}

/// The node that a directory belongs to.
fn node_id(disk: &MemoryDisk, folder: &Path) -> Result<String, String> {
    let path = folder.join("meta.properties");
    let bytes = disk.read(&path).map_err(|error| format!("meta.properties: {error}"))?;
    let properties = MetaProperties::parse(&String::from_utf8_lossy(&bytes));
    let properties = properties.ok_or("meta.properties: not one of version 1")?;
    Ok(properties.node_id.to_string())
}
