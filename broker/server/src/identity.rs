//! Who this broker is, as its directories remember it: cluster id and a directory id each.
//! Shell. The first start writes `meta.properties` itself; there is no format step.

use std::path::{Path, PathBuf};

use ottla_config::BrokerConfig;
use ottla_env::Env;
use ottla_log::MetaProperties;
use ottla_model::TopicId;

/// What a directory with a cluster has. It is made after meta.properties.
const METADATA_FOLDER: &str = "__cluster_metadata-0";

/// What the directories agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub cluster_id: String,
    /// One a directory, in the order of `log.dirs`.
    pub directory_ids: Vec<TopicId>,
}

/// Whether one of the directories holds the facts of a cluster.
pub fn has_cluster(env: &Env, dirs: &[PathBuf]) -> bool {
    dirs.iter().any(|dir| env.disk.exists(&dir.join(METADATA_FOLDER)))
}

/// Reads what is there, refuses what contradicts the configuration, and writes what is missing.
pub fn of_directories(env: &Env, dirs: &[PathBuf], config: &BrokerConfig) -> Result<Identity, String> {
    let known: Vec<Option<MetaProperties>> =
        dirs.iter().map(|dir| read(env, dir)).collect::<Result<_, _>>()?;
    let mut cluster_id = config.cluster_id.clone();
    for (dir, properties) in dirs.iter().zip(&known) {
        let Some(properties) = properties else { continue };
        if properties.node_id != config.node_id {
            return Err(format!(
                "{}: the directory belongs to node.id={}, but node.id={} is configured; use the directory's \
                 node.id, or another log.dirs",
                dir.display(),
                properties.node_id,
                config.node_id
            ));
        }
        match &cluster_id {
            Some(id) if *id != properties.cluster_id => {
                return Err(format!(
                    "{}: the directory belongs to cluster {}, not to {id}; use another log.dirs",
                    dir.display(),
                    properties.cluster_id
                ));
            }
            _ => cluster_id = Some(properties.cluster_id.clone()),
        }
    }
    if cluster_id.is_none()
        && let Some(dir) = dirs.iter().find(|dir| env.disk.exists(&dir.join(METADATA_FOLDER)))
    {
        // Another id would make another cluster of it: clients, tools and Kafka's own nodes refuse that.
        return Err(format!(
            "{}: meta.properties is missing, and {METADATA_FOLDER} is there: the directory holds a cluster whose \
             id is not known. Restore the file from a copy, or say the cluster's id in the environment \
             (CLUSTER_ID=...), with which it is written anew",
            dir.display()
        ));
    }
    let random_id = || TopicId::from_random(|| env.rng.next_16());
    let cluster_id = cluster_id.unwrap_or_else(|| random_id().to_string());
    let mut directory_ids = Vec::with_capacity(dirs.len());
    for (dir, properties) in dirs.iter().zip(known) {
        let known_id = properties.and_then(|properties| properties.directory_id);
        let directory_id = known_id.unwrap_or_else(random_id);
        if known_id.is_none() {
            let properties = MetaProperties {
                cluster_id: cluster_id.clone(),
                node_id: config.node_id,
                directory_id: Some(directory_id),
            };
            env.disk
                .write_atomically(&path(dir), properties.write().as_bytes())
                .map_err(|error| format!("{}: {error}", path(dir).display()))?;
        }
        directory_ids.push(directory_id);
    }
    assert!(directory_ids.len() == dirs.len() && !cluster_id.is_empty(), "every directory has an id");
    Ok(Identity { cluster_id, directory_ids })
}

fn path(dir: &Path) -> PathBuf {
    dir.join("meta.properties")
}

fn read(env: &Env, dir: &Path) -> Result<Option<MetaProperties>, String> {
    let path = path(dir);
    if !env.disk.exists(&path) {
        return Ok(None);
    }
    let bytes = env.disk.read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    if !MetaProperties::is_checksum_right(&text) {
        return Err(format!(
            "{}: its checksum is wrong: the file is damaged, or was changed by hand; if what it says is right, \
             remove its first line",
            path.display()
        ));
    }
    match MetaProperties::parse(&text) {
        Some(properties) => Ok(Some(properties)),
        None => Err(format!("{}: not a meta.properties of version 1", path.display())),
    }
}
