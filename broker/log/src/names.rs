//! What files and folders are called (Kafka's `LogFileUtils`).
//! Core.

use std::path::{Path, PathBuf};

use ottla_model::{Offset, TopicPartition};

pub const LOG_SUFFIX: &str = ".log";
pub const INDEX_SUFFIX: &str = ".index";
pub const TIME_INDEX_SUFFIX: &str = ".timeindex";
pub const TXN_INDEX_SUFFIX: &str = ".txnindex";
pub const SNAPSHOT_SUFFIX: &str = ".snapshot";
/// Files about to be removed, and half-made ones; a start removes them.
pub const STRAY_SUFFIXES: [&str; 3] = [".deleted", ".cleaned", ".tmp"];
/// A folder about to be removed.
pub const DELETE_DIR_SUFFIX: &str = "-delete";
/// A folder of a partition that has no replica here any more.
pub const STRAY_DIR_SUFFIX: &str = "-stray";
/// A copy of a log that is to move to this directory.
pub const FUTURE_DIR_SUFFIX: &str = "-future";
/// Behind a partition's name: a file that says that its folder was moved here, and counts only where it is the
/// partition's only one.
pub const MOVED_SUFFIX: &str = ".ottla-moved";
pub const INDEX_SUFFIXES: [&str; 3] = [INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX];
pub const SEGMENT_SUFFIXES: [&str; 4] = [LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX];

pub const LEADER_EPOCH_CHECKPOINT: &str = "leader-epoch-checkpoint";
pub const PARTITION_METADATA: &str = "partition.metadata";
pub const RECOVERY_POINT_CHECKPOINT: &str = "recovery-point-offset-checkpoint";
pub const LOG_START_CHECKPOINT: &str = "log-start-offset-checkpoint";
pub const REPLICATION_CHECKPOINT: &str = "replication-offset-checkpoint";
pub const CLEANER_CHECKPOINT: &str = "cleaner-offset-checkpoint";
pub const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
/// The folder of the cluster's own log.
pub const CLUSTER_METADATA_FOLDER: &str = "__cluster_metadata-0";
pub const META_PROPERTIES: &str = "meta.properties";
pub const LOCK: &str = ".lock";
pub const RESERVE: &str = ".ottla-reserve";

pub fn segment_file(folder: &Path, base_offset: Offset, suffix: &str) -> PathBuf {
    folder.join(format!("{:020}{suffix}", base_offset.0))
}

/// The offset a file's name starts with, when it ends with `suffix`.
pub fn offset_of(name: &str, suffix: &str) -> Option<Offset> {
    let digits = name.strip_suffix(suffix)?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(Offset)
}

/// The name of a copy that is to become the partition's folder (`logFutureDirName`).
pub fn future_folder(partition: &TopicPartition, unique: u128) -> String {
    format!("{partition}.{unique:032x}{FUTURE_DIR_SUFFIX}")
}

/// See `MOVED_SUFFIX`.
pub fn moved_mark(partition: &TopicPartition) -> String {
    format!("{partition}{MOVED_SUFFIX}")
}

/// The partition whose copy a folder of this name holds.
pub fn partition_of_future(name: &str) -> Option<TopicPartition> {
    let (partition, _unique) = name.strip_suffix(FUTURE_DIR_SUFFIX)?.rsplit_once('.')?;
    TopicPartition::parse(partition)
}

/// The name a deleted partition's folder gets.
pub fn delete_folder(partition: &TopicPartition, unique: u128) -> String {
    set_aside_folder(partition, unique, DELETE_DIR_SUFFIX)
}

/// The name that the folder of a partition gets that has no replica here any more.
pub fn stray_folder(partition: &TopicPartition, unique: u128) -> String {
    set_aside_folder(partition, unique, STRAY_DIR_SUFFIX)
}

/// At most 255 bytes, so a long topic is cut (`LocalLog.logDirNameWithSuffixCappedLength`).
fn set_aside_folder(partition: &TopicPartition, unique: u128, suffix: &str) -> String {
    let tail = format!("-{}.{unique:032x}{suffix}", partition.partition);
    let topic = partition.topic.as_str();
    let kept = topic.len().min(255 - tail.len());
    format!("{}{tail}", &topic[..kept])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_model::{PartitionIndex, TopicName};

    #[test]
    fn names_are_kafka_s() {
        let path = segment_file(Path::new("t-0"), Offset(42), LOG_SUFFIX);
        assert_eq!(path, Path::new("t-0/00000000000000000042.log"));
        assert_eq!(offset_of("00000000000000000042.log", LOG_SUFFIX), Some(Offset(42)));
        assert_eq!(offset_of("42.log", LOG_SUFFIX), None);
        assert_eq!(offset_of("00000000000000000042.index", LOG_SUFFIX), None);
    }

    #[test]
    fn a_deleted_folder_s_name_fits() {
        let long = TopicPartition::new(TopicName::new(&"x".repeat(249)), PartitionIndex(12));
        let name = delete_folder(&long, 7);
        assert_eq!(name.len(), 255);
        assert!(name.ends_with("-12.00000000000000000000000000000007-delete"));
    }
}
