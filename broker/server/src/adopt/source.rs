//! What the directories of a stopped Apache Kafka hold: whose they are, and which files are to be taken.
//! Shell: reads, and changes nothing.
//!
//! ```text
//! DIR/  meta.properties          version 1: cluster.id, node.id, directory.id
//!       .kafka_cleanshutdown     a clean stop's last act; a start removes it
//!       *-offset-checkpoint      recovery points, log starts, high watermarks, cleaned parts
//!       bootstrap.checkpoint     what `format` gave the first start; in the log since
//!       topic-partition/         taken when the metadata log knows the topic by the id in partition.metadata
//!       __cluster_metadata-0/    in one of the directories: segments, *.checkpoint, quorum-state
//!       *-delete *-stray *-future  left behind: deleted, of no topic, or copies under way
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ottla_env::Disk;
use ottla_log::{MetaProperties, checkpoint};
use ottla_metadata::{FolderContents, Image, read_folder};
use ottla_model::{BrokerId, TopicId, TopicPartition};

use super::cluster;
use super::refusal::Refusal;

pub const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
pub const META_PROPERTIES: &str = "meta.properties";
const METADATA_FOLDER: &str = "__cluster_metadata-0";
const PARTITION_METADATA: &str = "partition.metadata";

/// Files beside the folders, but for the mark of a clean stop.
const TOP_FILES: [&str; 6] = [
    META_PROPERTIES,
    "bootstrap.checkpoint",
    "recovery-point-offset-checkpoint",
    "log-start-offset-checkpoint",
    "replication-offset-checkpoint",
    "cleaner-offset-checkpoint",
];
/// What a partition's folder keeps; the rest of it is what Kafka's next start would remove.
const KEPT_FILES: [&str; 3] = ["leader-epoch-checkpoint", PARTITION_METADATA, "quorum-state"];
const KEPT_SUFFIXES: [&str; 6] = [".log", ".index", ".timeindex", ".txnindex", ".snapshot", ".checkpoint"];

/// One directory and what is taken of it.
#[derive(Debug)]
pub struct SourceDir {
    pub path: PathBuf,
    pub properties: MetaProperties,
    /// Without it the directory is that of a separate metadata log.
    pub was_cleanly_stopped: bool,
    /// Relative paths and lengths; the mark of the clean stop is not among them.
    pub files: Vec<(PathBuf, u64)>,
    pub folders: Vec<String>,
}

impl SourceDir {
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, len)| len).sum()
    }
}

/// A node that can be taken over.
#[derive(Debug)]
pub struct Source {
    pub dirs: Vec<SourceDir>,
    pub image: Image,
    /// Folders that stay where they are, and why.
    pub left: Vec<String>,
}

/// Looks at all directories of a node, or says why it can't be taken over.
pub fn look(disk: &dyn Disk, paths: &[PathBuf]) -> Result<Source, Refusal> {
    let mut dirs = Vec::new();
    for path in paths {
        dirs.push(look_at_identity(disk, path)?);
    }
    check_agreement(&dirs)?;
    // What a running or killed Kafka left may be damaged in ways that say less than this.
    if !dirs.iter().any(|dir| dir.was_cleanly_stopped) {
        return Err(Refusal::NotCleanlyStopped(dirs[0].path.clone()));
    }
    let node_id = BrokerId(dirs[0].properties.node_id);
    let contents = read_metadata(disk, &dirs, node_id)?;
    cluster::check(&contents, node_id)?;
    let image = contents.image;
    check_directories(&dirs, &image, node_id)?;
    let mut source = Source { dirs, image, left: Vec::new() };
    source.find_partitions(disk)?;
    Ok(source)
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Refusal {
    let path = path.to_owned();
    move |source| Refusal::Io { path, source }
}

fn look_at_identity(disk: &dyn Disk, path: &Path) -> Result<SourceDir, Refusal> {
    if disk.exists(&path.join(super::MARKER)) {
        return Err(Refusal::Unfinished(path.to_owned()));
    }
    let file = path.join(META_PROPERTIES);
    if !disk.exists(&file) {
        return Err(Refusal::NotKafka(path.to_owned()));
    }
    let text = String::from_utf8_lossy(&disk.read(&file).map_err(io(&file))?).into_owned();
    let wrong = |why: &str| Refusal::Properties { dir: path.to_owned(), why: why.to_owned() };
    let is_version_1 = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .any(|(key, value)| (key.trim(), value.trim()) == ("version", "1"));
    if !is_version_1 {
        return Err(wrong(
            "its meta.properties is not of version 1, which Kafka writes since it has no ZooKeeper",
        ));
    }
    let properties = MetaProperties::parse(&text)
        .ok_or_else(|| wrong("its meta.properties lacks cluster.id or node.id"))?;
    Ok(SourceDir {
        path: path.to_owned(),
        properties,
        was_cleanly_stopped: disk.exists(&path.join(CLEAN_SHUTDOWN)),
        files: Vec::new(),
        folders: Vec::new(),
    })
}

fn check_agreement(dirs: &[SourceDir]) -> Result<(), Refusal> {
    for dir in &dirs[1..] {
        let (first, other) = (&dirs[0].properties, &dir.properties);
        let pairs = [
            ("cluster", first.cluster_id.clone(), other.cluster_id.clone()),
            ("node", first.node_id.to_string(), other.node_id.to_string()),
        ];
        for (what, expected, found) in pairs {
            if expected != found {
                let (dir, first_dir) = (dir.path.clone(), dirs[0].path.clone());
                return Err(Refusal::Mixed { dir, first_dir, what, found, expected });
            }
        }
    }
    Ok(())
}

fn read_metadata(disk: &dyn Disk, dirs: &[SourceDir], node_id: BrokerId) -> Result<FolderContents, Refusal> {
    let mut with_metadata = dirs.iter().filter(|dir| disk.exists(&dir.path.join(METADATA_FOLDER)));
    let Some(dir) = with_metadata.next() else { return Err(Refusal::NoMetadata) };
    if let Some(other) = with_metadata.next() {
        return Err(Refusal::TwoMetadata(dir.path.clone(), other.path.clone()));
    }
    Ok(read_folder(disk, &dir.path.join(METADATA_FOLDER), &dir.properties.cluster_id, node_id)?)
}

/// Every log directory that the broker registered must be here, and cleanly stopped. A directory that it
/// did not register is that of the metadata log, where Kafka leaves no mark.
fn check_directories(dirs: &[SourceDir], image: &Image, node_id: BrokerId) -> Result<(), Refusal> {
    let registered: Vec<TopicId> = image
        .broker(node_id)
        .map(|broker| broker.log_dirs.iter().map(|id| TopicId(*id)).collect())
        .unwrap_or_default();
    for id in &registered {
        if !dirs.iter().any(|dir| dir.properties.directory_id == Some(*id)) {
            return Err(Refusal::DirectoryMissing(id.to_string()));
        }
    }
    for dir in dirs {
        let is_log_dir =
            registered.is_empty() || dir.properties.directory_id.is_some_and(|id| registered.contains(&id));
        if is_log_dir && !dir.was_cleanly_stopped {
            return Err(Refusal::NotCleanlyStopped(dir.path.clone()));
        }
    }
    Ok(())
}

impl Source {
    /// Lists the files to take; each partition of the image must be there once.
    fn find_partitions(&mut self, disk: &dyn Disk) -> Result<(), Refusal> {
        let mut found: BTreeMap<TopicPartition, PathBuf> = BTreeMap::new();
        for dir in &mut self.dirs {
            let mut names = disk.read_dir(&dir.path).map_err(io(&dir.path))?;
            names.sort_by(|a, b| a.name.cmp(&b.name));
            for entry in names {
                if !entry.is_dir {
                    if TOP_FILES.contains(&entry.name.as_str()) {
                        dir.files.push((PathBuf::from(&entry.name), entry.len));
                    }
                    continue;
                }
                let folder = dir.path.join(&entry.name);
                match place_of(disk, &self.image, &folder, &entry.name)? {
                    Place::Metadata => {}
                    Place::Left(why) => {
                        self.left.push(format!("{} ({why})", folder.display()));
                        continue;
                    }
                    Place::Partition(partition) => {
                        if let Some(first) = found.insert(partition.clone(), dir.path.clone()) {
                            let second = dir.path.clone();
                            return Err(Refusal::PartitionTwice { partition, first, second });
                        }
                    }
                }
                list_folder(disk, &folder, &entry.name, &mut dir.files)?;
                dir.folders.push(entry.name);
            }
        }
        for topic in self.image.topics() {
            for index in 0..topic.partitions.len() {
                let index = ottla_model::PartitionIndex(index as i32);
                let partition = TopicPartition::new(topic.name.clone(), index);
                if !found.contains_key(&partition) {
                    return Err(Refusal::PartitionMissing(partition));
                }
            }
        }
        Ok(())
    }

    pub fn bytes(&self) -> u64 {
        self.dirs.iter().map(SourceDir::bytes).sum()
    }

    pub fn file_count(&self) -> usize {
        self.dirs.iter().map(|dir| dir.files.len()).sum()
    }

    /// How many delegation tokens are kept for a release that has them.
    pub fn kept_tokens(&self) -> usize {
        self.image.tokens().count()
    }
}

enum Place {
    Metadata,
    Partition(TopicPartition),
    /// It stays, and why.
    Left(&'static str),
}

fn place_of(disk: &dyn Disk, image: &Image, folder: &Path, name: &str) -> Result<Place, Refusal> {
    if name == METADATA_FOLDER {
        return Ok(Place::Metadata);
    }
    let endings = [
        ("-delete", "deleted"),
        ("-stray", "of no topic, as Kafka found"),
        ("-future", "an unfinished copy between directories"),
    ];
    if let Some((_, why)) = endings.iter().find(|(ending, _)| name.ends_with(ending)) {
        return Ok(Place::Left(why));
    }
    let Some(partition) = TopicPartition::parse(name) else { return Ok(Place::Left("no partition's name")) };
    let Some(topic) = image.topic(partition.topic.as_str()) else { return Ok(Place::Left("of no topic")) };
    if topic.partition(partition.partition).is_none() {
        return Ok(Place::Left("of no partition of its topic"));
    }
    let file = folder.join(PARTITION_METADATA);
    let text = match disk.exists(&file) {
        true => disk.read(&file).map_err(io(&file))?,
        false => Vec::new(),
    };
    match checkpoint::parse_partition_metadata(&String::from_utf8_lossy(&text)) {
        Some(id) if id == topic.id => Ok(Place::Partition(partition)),
        _ => Ok(Place::Left("its partition.metadata has not the topic's id")),
    }
}

fn list_folder(
    disk: &dyn Disk,
    folder: &Path,
    name: &str,
    files: &mut Vec<(PathBuf, u64)>,
) -> Result<(), Refusal> {
    for entry in disk.read_dir(folder).map_err(io(folder))? {
        if entry.name.ends_with(".swap") {
            return Err(Refusal::HalfSwapped(folder.join(&entry.name)));
        }
        let is_kept = KEPT_FILES.contains(&entry.name.as_str())
            || KEPT_SUFFIXES.iter().any(|suffix| entry.name.ends_with(suffix));
        if is_kept && !entry.is_dir {
            files.push((Path::new(name).join(&entry.name), entry.len));
        }
    }
    Ok(())
}
