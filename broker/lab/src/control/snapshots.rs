//! `/snapshots` and forks: a cluster as it is now, from which others begin; as a tar of a data directory, too.
//! Shell. A snapshot is what a disk has when its machine stops at once, and a fork is a broker that starts on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ottla_admin::Asked;
use ottla_env::memory::MemoryDisk;
use ottla_env::{Disk, OpenMode};
use serde_json::{Value as Json, json};

use super::clusters::made;
use super::disks::may_go_down;
use super::reply::{self, Failed, Reply, Success, created, fail, ok};
use super::{Lab, SNAPSHOT};
use crate::bad::Bad;
use crate::clock::LabClock;
use crate::settings::{self, ClusterSettings};
use crate::tar::{self, TarFile};

/// Each keeps what it holds in memory.
const SNAPSHOTS_MAX: usize = 1_000;
/// What names the directory in an archive.
const PROPERTIES: &str = "meta.properties";
/// Says that a process uses the directory.
const LOCK: &str = ".lock";

pub struct Snapshot {
    id: String,
    /// The cluster that it is of; none where it was brought along.
    of: Option<String>,
    pub disk: MemoryDisk,
    pub clock: LabClock,
    /// What that cluster was made with.
    pub born: Arc<ClusterSettings>,
}

fn show(snapshot: &Snapshot) -> Json {
    json!({ "snapshot": snapshot.id, "cluster": snapshot.of })
}

fn now(lab: &Lab, id: &str) -> Result<Snapshot, Failed> {
    let known = lab.known(id)?;
    let host = lab.host.get().ok_or_else(|| Failed::of(503, "the lab does not serve yet"))?;
    let disk = host.copy(id).ok_or_else(|| Failed::of(503, "the cluster does not serve yet"))?;
    let clock = known.cluster.clock.copy();
    Ok(Snapshot { id: String::new(), of: Some(id.to_owned()), disk, clock, born: known.born })
}

fn keep(lab: &Lab, mut snapshot: Snapshot) -> Result<Arc<Snapshot>, Failed> {
    let mut snapshots = lab.snapshots.lock();
    if snapshots.len() >= SNAPSHOTS_MAX {
        return Err(Failed::of(409, format!("at most {SNAPSHOTS_MAX} snapshots: delete some")));
    }
    snapshot.id = loop {
        let id = format!("s{}", lab.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        if !snapshots.contains_key(&id) {
            break id;
        }
    };
    let snapshot = Arc::new(snapshot);
    snapshots.insert(snapshot.id.clone(), Arc::clone(&snapshot));
    Ok(snapshot)
}

pub fn known(lab: &Lab, id: &str) -> Result<Arc<Snapshot>, Failed> {
    let known = lab.snapshots.lock().get(id).cloned();
    known.ok_or_else(|| Failed::of(404, format!("there is no snapshot {id}")))
}

/// With an archive as the body it is taken in; else one is taken of the cluster of this port.
pub fn all(lab: &Arc<Lab>, here: &str, asked: &Asked) -> Reply {
    match asked.method.as_str() {
        "GET" => {
            let shown: Vec<Json> = lab.snapshots.lock().values().map(|one| show(one)).collect();
            ok(json!({ "snapshots": shown }))
        }
        "POST" if tar::is_one(&asked.body) => import(lab, &asked.body),
        "POST" => take(lab, here, asked),
        _other => fail(405, "GET or POST"),
    }
}

pub fn take(lab: &Arc<Lab>, id: &str, asked: &Asked) -> Reply {
    reply::words(asked, &[])?;
    let began = lab.env.clock.monotonic();
    let snapshot = keep(lab, now(lab, id)?)?;
    let mut shown = show(&snapshot);
    shown["took_us"] = json!(began.until(lab.env.clock.monotonic()).as_micros() as u64);
    created(shown)
}

pub fn one(lab: &Arc<Lab>, id: &str, asked: &Asked) -> Reply {
    match asked.method.as_str() {
        "GET" => known(lab, id).and_then(|snapshot| ok(show(&snapshot))),
        "DELETE" => {
            let removed = lab.snapshots.lock().remove(id);
            removed.map(|_| ()).ok_or_else(|| Failed::of(404, format!("there is no snapshot {id}")))?;
            ok(json!({}))
        }
        _other => fail(405, "GET or DELETE"),
    }
}

/// As `POST /clusters`.
fn words(asked: &Asked) -> Result<ClusterSettings, Failed> {
    let settings = settings::parse(&reply::body(asked)?)?;
    match settings.from {
        Some(_) => Err(Bad::new("from", "the address says it").into()),
        None => Ok(settings),
    }
}

pub async fn fork(lab: &Arc<Lab>, id: &str, asked: &Asked) -> Reply {
    let settings = words(asked)?;
    let began = lab.env.clock.monotonic();
    let snapshot = known(lab, id)?;
    created(made(lab, &lab.make(settings, Some(&snapshot)).await?, began))
}

/// Of a cluster as it is now.
pub async fn fork_cluster(lab: &Arc<Lab>, id: &str, asked: &Asked) -> Reply {
    let settings = words(asked)?;
    let began = lab.env.clock.monotonic();
    let snapshot = now(lab, id)?;
    created(made(lab, &lab.make(settings, Some(&snapshot)).await?, began))
}

/// A cluster becomes what a snapshot is, behind the same port.
pub async fn restore(lab: &Arc<Lab>, here: &str, id: &str, asked: &Asked) -> Reply {
    let of = lab.known(id)?;
    let words = reply::words(asked, &["snapshot"])?;
    let name = words.get("snapshot").and_then(Json::as_str);
    let name = name.ok_or_else(|| Bad::new("snapshot", "the id of a snapshot"))?;
    let snapshot = known(lab, name).map_err(|_| Bad::new("snapshot", "there is no such snapshot"))?;
    may_go_down(here, id)?;
    if snapshot.born.emulate != of.cluster.emulate {
        let why = "emulates another release: the levels of features are on its disk";
        return Err(Bad::new("snapshot", why).into());
    }
    let host = lab.host.get().ok_or_else(|| Failed::of(503, "the lab does not serve yet"))?;
    let began = lab.env.clock.monotonic();
    of.cluster.clock.take_records_time(&snapshot.clock);
    let created = host.restore(id, &snapshot.disk).await.map_err(|why| Failed::of(500, why))?;
    let restored = {
        let mut clusters = lab.clusters.lock();
        let restored =
            clusters.get_mut(id).ok_or_else(|| Failed::of(404, format!("there is no cluster {id}")))?;
        restored.created = created;
        restored.clone()
    };
    ok(made(lab, &restored, began))
}

/// Kafka's data directory, whose files are at the top of the archive.
pub fn export(lab: &Arc<Lab>, id: &str) -> Reply {
    let snapshot = known(lab, id)?;
    let broken = |error: std::io::Error| Failed::of(500, error.to_string());
    let mut files = Vec::new();
    for path in snapshot.disk.files_below(Path::new(SNAPSHOT)) {
        let Ok(name) = path.strip_prefix(SNAPSHOT) else { continue };
        if name == Path::new(LOCK) {
            continue;
        }
        let bytes = Bytes::from(snapshot.disk.read(&path).map_err(broken)?);
        files.push(TarFile { name: name.to_string_lossy().into_owned(), bytes });
    }
    Ok(Success::Tar(tar::write(&files)))
}

fn import(lab: &Arc<Lab>, archive: &Bytes) -> Reply {
    let files = tar::read(archive).map_err(|why| Bad::new("", format!("the archive: {why}")))?;
    let properties = files.iter().map(|file| Path::new(&file.name)).filter(|path| path.ends_with(PROPERTIES));
    let top = properties.min_by_key(|path| path.components().count()).and_then(Path::parent);
    let why = || {
        Bad::new(PROPERTIES, "is not in the archive: a data directory has it, as Kafka and ottla make them")
    };
    let top = top.ok_or_else(why)?.to_owned();
    let disk = MemoryDisk::new();
    let broken = |error: std::io::Error| Failed::of(500, error.to_string());
    disk.create_dir_all(Path::new(SNAPSHOT)).map_err(broken)?;
    for file in &files {
        let Ok(name) = Path::new(&file.name).strip_prefix(&top) else {
            return Err(Bad::new(
                &file.name,
                format!("is not below {}, where {PROPERTIES} is", top.display()),
            )
            .into());
        };
        let path: PathBuf = Path::new(SNAPSHOT).join(name);
        disk.create_dir_all(path.parent().unwrap_or(&path)).map_err(broken)?;
        let made = disk.open(&path, OpenMode::Create).map_err(broken)?;
        made.write_all_at(&file.bytes, 0).map_err(broken)?;
    }
    let clock = LabClock::new(lab.env.clock.clone());
    let snapshot = Snapshot { id: String::new(), of: None, disk, clock, born: Arc::default() };
    let snapshot = keep(lab, snapshot)?;
    created(show(&snapshot))
}
