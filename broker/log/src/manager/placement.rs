//! Which log directory a new partition gets.
//! Shell over the directories.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_model::TopicPartition;

use super::{LogManager, Logs};
use crate::error::StorageFailure;
use crate::log_dir::LogDir;
use crate::names;

impl LogManager {
    /// Where a new partition goes. The metadata log stays where it is, and begins in the first directory.
    pub(super) fn dir_for(
        &self,
        partition: &TopicPartition,
        logs: &Logs,
    ) -> Result<Arc<LogDir>, StorageFailure> {
        let folder = partition.to_string();
        if folder != names::CLUSTER_METADATA_FOLDER {
            let preferred = self.moves.take_preferred(partition).and_then(|path| self.dir_at(&path));
            if let Some(dir) = preferred.filter(|dir| dir.poisoned().is_none()) {
                return Ok(dir);
            }
            return self.choose_dir(logs);
        }
        let has_it = |dir: &&Arc<LogDir>| self.shared.env.disk.exists(&dir.path().join(&folder));
        match self.dirs.iter().find(has_it).or(self.dirs.first()) {
            Some(dir) => dir.check().map(|()| dir.clone()),
            None => self.choose_dir(logs),
        }
    }

    /// Directories that get no new partitions from now on (KIP-1066), by their places in `log.dirs`.
    pub fn set_cordoned(&self, places: BTreeSet<usize>) {
        *self.cordoned.write() = places;
    }

    pub(crate) fn is_cordoned(&self, dir: &Arc<LogDir>) -> bool {
        let cordoned = self.cordoned.read();
        self.dirs.iter().enumerate().any(|(place, one)| Arc::ptr_eq(one, dir) && cordoned.contains(&place))
    }

    /// Of those that are not cordoned, the directory with the fewest partitions; the first one where all are: a partition
    /// that came here has to be somewhere (`LogManager.nextLogDirs`).
    fn choose_dir(&self, logs: &Logs) -> Result<Arc<LogDir>, StorageFailure> {
        let cordoned = self.cordoned.read();
        let online = || self.dirs.iter().enumerate().filter(|(_, dir)| dir.poisoned().is_none());
        let count =
            |dir: &Arc<LogDir>| logs.values().filter(|log| Arc::ptr_eq(&log.place().dir, dir)).count();
        let open = || online().filter(|(place, _)| !cordoned.contains(place)).map(|(_, dir)| dir);
        let chosen = match &self.dirs[..] {
            [_alone] => open().next(),
            _ => open().min_by_key(|dir| count(dir)),
        };
        let chosen = chosen.or_else(|| online().map(|(_, dir)| dir).next());
        match (chosen, self.dirs.first().and_then(|dir| dir.poisoned())) {
            (Some(dir), _) => Ok(dir.clone()),
            (None, Some(failure)) => Err(failure),
            (None, None) => unreachable!("a manager has a directory, and it is online or not"),
        }
    }
}
