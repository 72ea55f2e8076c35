//! Why a data directory of Apache Kafka is not taken over, in words for whoever typed the command.
//! Core.

use std::path::PathBuf;

use ottla_metadata::FolderError;
use ottla_model::TopicPartition;

/// Nothing has been changed but, in `Copy`, what a marker in our own directory says.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{0}: not a data directory of Apache Kafka: it has no meta.properties")]
    NotKafka(PathBuf),
    #[error("{dir}: {why}")]
    Properties { dir: PathBuf, why: String },
    #[error(
        "{0}: not cleanly stopped (.kafka_cleanshutdown is missing): Apache Kafka runs on it, or was killed; start it \
         once more, stop it with SIGTERM, and try again"
    )]
    NotCleanlyStopped(PathBuf),
    #[error("{0}: an unfinished adoption, not Kafka's own directory; name that one")]
    Unfinished(PathBuf),
    #[error("{dir} belongs to {what} {found}, {first_dir} to {expected}: name the directories of one node")]
    Mixed { dir: PathBuf, first_dir: PathBuf, what: &'static str, found: String, expected: String },
    #[error("none of the directories has __cluster_metadata-0: name Kafka's metadata.log.dir as well")]
    NoMetadata,
    #[error("{0} and {1} both have __cluster_metadata-0")]
    TwoMetadata(PathBuf, PathBuf),
    #[error("the metadata log can't be taken over: {0}")]
    Metadata(#[from] FolderError),
    #[error(
        "the node {node_id} is not a broker of this cluster: only a combined broker and controller can be taken over"
    )]
    NotABroker { node_id: i32 },
    #[error(
        "the cluster has other {what} than node {node_id}: {others}; only a cluster of one node can be taken over"
    )]
    OtherNodes { what: &'static str, node_id: i32, others: String },
    #[error(
        "the metadata log was written by another controller than node {node_id}: only a combined broker and controller can be taken over"
    )]
    NotAController { node_id: i32 },
    #[error("a log directory of the node is missing: no directory given has the directory.id {0}")]
    DirectoryMissing(String),
    #[error("{feature} is finalized at {level}, which this release does not know (it knows {min} to {max})")]
    FeatureLevel { feature: String, level: i16, min: i16, max: i16 },
    #[error("the feature {feature} (finalized at {level}) is unknown to this release")]
    FeatureUnknown { feature: String, level: i16 },
    #[error(
        "{partition} has its replicas on {replicas}, not on node {node_id} alone: only a cluster of one node can be taken over"
    )]
    Replicas { partition: TopicPartition, replicas: String, node_id: i32 },
    #[error("{0} has no replica in sync, so nobody could lead it")]
    NoLeader(TopicPartition),
    #[error(
        "the topic {0} keeps records in remote storage (remote.storage.enable), which this release does not read"
    )]
    RemoteStorage(String),
    #[error("{0} is in none of the directories given")]
    PartitionMissing(TopicPartition),
    #[error("{partition} is in {first} and in {second}")]
    PartitionTwice { partition: TopicPartition, first: PathBuf, second: PathBuf },
    #[error(
        "{0}: the swap of a cleaned segment is half done; start Apache Kafka once more, stop it, and try again"
    )]
    HalfSwapped(PathBuf),
    #[error(
        "{sources} directories are given and {targets} to take them over into: give as many (--data-dir)"
    )]
    Counts { sources: usize, targets: usize },
    #[error("{0} and {1} overlap")]
    Overlap(PathBuf, PathBuf),
    #[error("{dir}: not empty ({name} is there); give a directory that is empty or not there")]
    NotEmpty { dir: PathBuf, name: String },
    #[error("{0}: a broker or another adoption holds its lock")]
    Locked(PathBuf),
    #[error("{dir}: {needed} bytes are to be copied, {usable} are free")]
    NoRoom { dir: PathBuf, needed: u64, usable: u64 },
    #[error("{0} changed while it was copied: stop Apache Kafka, and try again")]
    Changed(PathBuf),
}
