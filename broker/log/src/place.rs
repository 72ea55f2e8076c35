//! Where a log's files are: a directory, and the partition's folder in it.
//! Core.

use std::path::PathBuf;
use std::sync::Arc;

use ottla_model::TopicPartition;

use crate::log_dir::LogDir;

/// Replaced whole when the log moves to another directory (`relocation`).
pub(crate) struct Place {
    pub dir: Arc<LogDir>,
    pub folder: PathBuf,
}

impl Place {
    pub fn new(dir: Arc<LogDir>, partition: &TopicPartition) -> Place {
        let folder = dir.path().join(partition.to_string());
        Place { dir, folder }
    }
}
