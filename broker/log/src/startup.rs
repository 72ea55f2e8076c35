//! Opening log directories: locks, listings, recovery of all folders.
//! Shell.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ottla_env::OpenMode;
use ottla_env::tasks::ThreadHandle;
use ottla_model::TopicPartition;
use parking_lot::Mutex;

use crate::config::LogConfig;
use crate::error::OpenError;
use crate::load_report::{DirRecovery, LoadReport};
use crate::log_dir::LogDir;
use crate::names;
use crate::unified_log::{Shared, UnifiedLog};

pub(crate) fn open_dir(
    shared: &Arc<Shared>,
    path: &Path,
) -> Result<(Arc<LogDir>, Box<dyn Any + Send + Sync>), OpenError> {
    let disk = &shared.env.disk;
    let io = |error| OpenError::Io { dir: path.to_owned(), error };
    make_dir(&**disk, path).map_err(io)?;
    let lock = disk.lock(&path.join(names::LOCK)).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => OpenError::Locked { dir: path.to_owned() },
        _ => io(error),
    })?;
    let dir = Arc::new(LogDir::new(path.to_owned(), disk.clone(), shared.settings.reserve_bytes));
    dir.load_checkpoints();
    dir.prepare_reserve();
    Ok((dir, lock))
}

/// Makes the directory, and durably so: records in it are promised before anybody syncs its name.
fn make_dir(disk: &dyn ottla_env::Disk, path: &Path) -> std::io::Result<()> {
    let made: Vec<&Path> = path.ancestors().take_while(|folder| !disk.exists(folder)).collect();
    disk.create_dir_all(path)?;
    for folder in made {
        if let Some(parent) = folder.parent() {
            disk.sync_dir(parent)?;
        }
    }
    Ok(())
}

/// What one listing of a directory says.
#[derive(Default)]
pub(crate) struct FoundInDir {
    pub logs: Vec<Arc<UnifiedLog>>,
    /// Copies of logs that were to move here.
    pub unfinished: Vec<(TopicPartition, String)>,
    /// Those that were moved here; they count only where they are alone.
    pub moved: Vec<TopicPartition>,
}

/// One listing of the directory; folders of deleted partitions are removed beside the start.
pub(crate) fn find_partitions(
    shared: &Arc<Shared>,
    dir: &Arc<LogDir>,
    was_clean: bool,
) -> std::io::Result<FoundInDir> {
    let mut found = FoundInDir::default();
    let config = Arc::new(LogConfig::default());
    for entry in shared.env.disk.read_names(dir.path())? {
        if !entry.is_dir {
            let moved = entry.text.strip_suffix(names::MOVED_SUFFIX).and_then(TopicPartition::parse);
            found.moved.extend(moved);
            continue;
        }
        if entry.text.ends_with(names::DELETE_DIR_SUFFIX) {
            let (disk, folder) = (shared.env.disk.clone(), dir.path().join(&entry.text));
            shared.flusher.run(Box::new(move || remove_folder(&*disk, &folder)));
        } else if entry.text == names::CLUSTER_METADATA_FOLDER {
            // The metadata room's own: its segments and snapshots follow other rules.
        } else if let Some(partition) = names::partition_of_future(&entry.text) {
            found.unfinished.push((partition, entry.text));
        } else if let Some(partition) = TopicPartition::parse(&entry.text) {
            let log = UnifiedLog::new(partition, dir.clone(), shared.clone(), config.clone(), was_clean);
            found.logs.push(Arc::new(log));
        }
    }
    Ok(found)
}

/// The logs of all directories, each partition once, and the copies that are to be made anew.
pub(crate) struct Settled {
    pub logs: BTreeMap<TopicPartition, Arc<UnifiedLog>>,
    pub unfinished: Vec<(TopicPartition, Arc<LogDir>)>,
}

/// Ends what moves between directories left, see `relocation`.
pub(crate) fn settle_moves(
    shared: &Arc<Shared>,
    found: Vec<(Arc<LogDir>, FoundInDir)>,
) -> Result<Settled, OpenError> {
    let mut logs: BTreeMap<TopicPartition, Arc<UnifiedLog>> = BTreeMap::new();
    let is_moved = |log: &UnifiedLog| {
        found
            .iter()
            .any(|(dir, found)| Arc::ptr_eq(dir, &log.place().dir) && found.moved.contains(log.partition()))
    };
    for log in found.iter().flat_map(|(_, found)| &found.logs) {
        let Some(other) = logs.insert(log.partition().clone(), log.clone()) else { continue };
        let (kept, dropped) = match (is_moved(log), is_moved(&other)) {
            (true, false) => (other, log),
            (false, true) => (log.clone(), &other),
            _ => {
                let [first, second] = [&other, log].map(|log| log.place().folder.clone());
                return Err(OpenError::Twice { partition: log.partition().clone(), first, second });
            }
        };
        tracing::info!(folder = %dropped.place().folder.display(), "removing the copy of a move that was not done");
        set_aside(shared, dropped)?;
        logs.insert(kept.partition().clone(), kept);
    }
    let mut unfinished = Vec::new();
    for (dir, found) in found {
        let io = |error| OpenError::Io { dir: dir.path().to_owned(), error };
        for partition in &found.moved {
            shared.env.disk.remove_file(&dir.path().join(names::moved_mark(partition))).map_err(io)?;
        }
        if !found.moved.is_empty() {
            shared.env.disk.sync_dir(dir.path()).map_err(io)?;
        }
        for (partition, name) in found.unfinished {
            let folder = dir.path().join(name);
            if !logs.contains_key(&partition) {
                tracing::warn!(folder = %folder.display(), "the copy of a partition that is nowhere; it is left alone");
                continue;
            }
            let disk = shared.env.disk.clone();
            shared.flusher.run(Box::new(move || remove_folder(&*disk, &folder)));
            unfinished.push((partition, dir.clone()));
        }
    }
    Ok(Settled { logs, unfinished })
}

fn set_aside(shared: &Shared, log: &UnifiedLog) -> Result<(), OpenError> {
    log.mark_deleted();
    let place = log.place();
    let (disk, dir) = (&shared.env.disk, place.dir.path());
    let unique = u128::from_le_bytes(shared.env.rng.next_16());
    let gone = dir.join(names::delete_folder(log.partition(), unique));
    disk.rename(&place.folder, &gone)
        .and_then(|()| disk.sync_dir(dir))
        .map_err(|error| OpenError::Io { dir: dir.to_owned(), error })?;
    let disk = disk.clone();
    shared.flusher.run(Box::new(move || remove_folder(&*disk, &gone)));
    Ok(())
}

pub(crate) fn remove_folder(disk: &dyn ottla_env::Disk, folder: &Path) {
    if let Err(error) = disk.remove_dir_all(folder) {
        tracing::warn!(folder = %folder.display(), %error, "a deleted partition's folder stays until the next start");
    }
}

/// Puts all folders in order, several at a time.
pub(crate) fn recover(shared: &Arc<Shared>, logs: &[Arc<UnifiedLog>]) -> LoadReport {
    let total = Arc::new(Mutex::new(LoadReport::default()));
    let threads = shared.settings.recovery_threads.min(logs.len()).max(1);
    let queue = Arc::new(Mutex::new(logs.to_vec()));
    let work = {
        let total = total.clone();
        move || {
            loop {
                let Some(log) = queue.lock().pop() else { return };
                let report = log.load_and_report();
                if report.scanned_bytes > 0 || report.truncated_bytes > 0 {
                    // The next checkpoint spares the next start this scan.
                    log.mark_dirty();
                }
                let mut total = total.lock();
                total.scanned_bytes += report.scanned_bytes;
                total.truncated_bytes += report.truncated_bytes;
                total.dropped_segments += report.dropped_segments;
                total.rebuilt_indexes += report.rebuilt_indexes;
            }
        }
    };
    let others: Vec<ThreadHandle> =
        (1..threads).map(|_| shared.env.tasks.spawn_thread("log-recovery", Box::new(work.clone()))).collect();
    work();
    for thread in others {
        thread.join();
    }
    *total.lock()
}

/// From here on a crash needs recovery.
pub(crate) fn remove_clean_marker(shared: &Shared, dir: &Path, was_clean: bool) -> std::io::Result<()> {
    if was_clean {
        shared.env.disk.remove_file(&dir.join(names::CLEAN_SHUTDOWN))?;
        shared.env.disk.sync_dir(dir)?;
    }
    // A directory that can't be written must be known now, not at the first append.
    shared.env.disk.open(&dir.join(names::LOCK), OpenMode::Create).map(|_| ())
}

pub(crate) fn tell(recovery: &DirRecovery) {
    let dir = recovery.dir.display();
    if recovery.was_clean || recovery.partitions == 0 {
        tracing::debug!(%dir, partitions = recovery.partitions, "log directory opened");
        return;
    }
    let LoadReport { scanned_bytes, truncated_bytes, dropped_segments, rebuilt_indexes } = recovery.total;
    tracing::info!(
        "{dir} was not closed cleanly: recovered {} partitions in {} ms, scanned {scanned_bytes} bytes, cut {truncated_bytes} unfinished bytes, dropped {dropped_segments} segments, rebuilt {rebuilt_indexes} indexes",
        recovery.partitions,
        recovery.millis,
    );
}
