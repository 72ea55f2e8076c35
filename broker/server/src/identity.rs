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

/// What the directories say before anything is written.
pub struct Known {
    node_id: i32,
    dirs: Vec<(PathBuf, Option<MetaProperties>)>,
    /// `None` where no directory has a cluster.
    pub cluster_id: Option<String>,
}

impl Known {
    /// Reads what is there, and refuses what contradicts the configuration.
    pub fn read(env: &Env, dirs: &[PathBuf], config: &BrokerConfig) -> Result<Known, String> {
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
        let dirs = dirs.iter().cloned().zip(known).collect();
        Ok(Known { node_id: config.node_id, dirs, cluster_id })
    }

    /// Writes what is missing. `found` is the cluster's id where no directory has one; without it another cluster
    /// begins.
    pub fn keep(self, env: &Env, found: Option<String>) -> Result<Identity, String> {
        let random_id = || TopicId::from_random(|| env.rng.next_16());
        let cluster_id = self.cluster_id.or(found).unwrap_or_else(|| random_id().to_string());
        let mut directory_ids = Vec::with_capacity(self.dirs.len());
        for (dir, properties) in self.dirs {
            let known_id = properties.and_then(|properties| properties.directory_id);
            let directory_id = known_id.unwrap_or_else(random_id);
            if known_id.is_none() {
                let properties = MetaProperties {
                    cluster_id: cluster_id.clone(),
                    node_id: self.node_id,
                    directory_id: Some(directory_id),
                };
                env.disk
                    .write_atomically(&path(&dir), properties.write().as_bytes())
                    .map_err(|error| format!("{}: {error}", path(&dir).display()))?;
            }
            directory_ids.push(directory_id);
        }
        assert!(!directory_ids.is_empty() && !cluster_id.is_empty(), "every directory has an id");
        Ok(Identity { cluster_id, directory_ids })
    }
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
