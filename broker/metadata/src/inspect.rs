//! Looks at the metadata log before anything is done to it, and stops a start that would lose synced records.
//! Shell.

use std::io;
use std::path::{Path, PathBuf};

use ottla_env::{Env, OpenMode};
use ottla_model::LeaderEpoch;

use crate::damage::{Cause, Damage, Inspection};
use crate::folder::segments;
use crate::metadata::OpenError;

/// Where a copy of a damaged log is kept, within its folder: the wall clock's milliseconds follow.
const COPY_PREFIX: &str = "damaged-";

/// What a start knows and wants.
pub(crate) struct Start {
    /// What quorum-state says, if it can be read.
    pub quorum_epoch: Option<LeaderEpoch>,
    /// The last process left everything on the device.
    pub was_clean: bool,
    /// One voter of several wrote it.
    pub is_voter: bool,
    /// Somebody wants to go on without what is damaged.
    pub accepts_loss: bool,
}

/// Gives the start its way: an unfinished end is left to the log, which cuts it off; damage stops the start
/// with nothing changed, or is cut off behind a copy when its loss is accepted.
pub(crate) fn inspect(env: &Env, folder: &Path, start: &Start) -> Result<(), OpenError> {
    let disk = &*env.disk;
    let io_error = |source| OpenError::Io { path: folder.to_owned(), source };
    if !disk.exists(folder) {
        return Ok(());
    }
    let files = segments(disk, folder).map_err(io_error)?;
    let mut inspection = Inspection::default();
    for (base, path) in &files {
        let bytes = disk.read(path).map_err(|source| OpenError::Io { path: path.clone(), source })?;
        inspection.segment(path, *base, &bytes);
    }
    let Some(damage) = inspection.damage() else { return Ok(()) };
    if start.accepts_loss {
        let files: Vec<PathBuf> = files.into_iter().map(|(_, path)| path).collect();
        let copy = give_up(env, folder, &files, &damage).map_err(io_error)?;
        tracing::warn!(
            "{}. The log is cut there, as was accepted; a copy is in {}",
            damage.describe(),
            copy.display()
        );
        return Ok(());
    }
    let cause = if start.is_voter {
        damage.cause_at_voter(start.was_clean)
    } else {
        damage.cause(start.quorum_epoch, start.was_clean)
    };
    match cause {
        Cause::Unfinished => {
            tracing::warn!(
                "the end of the metadata log was not written whole and is cut: {}",
                damage.describe()
            );
            Ok(())
        }
        Cause::Device => {
            let copy = folder.join(COPY_PREFIX);
            Err(OpenError::Damaged { what: damage.describe(), offset: damage.offset, copy })
        }
    }
}

/// Cuts the log before the damage, a copy of all of it kept.
fn give_up(env: &Env, folder: &Path, files: &[PathBuf], damage: &Damage) -> io::Result<PathBuf> {
    let disk = &*env.disk;
    let copy = folder.join(format!("{COPY_PREFIX}{}", env.clock.wall_ms()));
    disk.create_dir_all(&copy)?;
    for path in files {
        disk.copy_file(path, &copy.join(path.file_name().unwrap_or_default()))?;
    }
    disk.sync_dir(&copy)?;
    disk.sync_dir(folder)?;
    // The last first, so that a crash leaves a log without a hole.
    for path in files.iter().rev() {
        if *path == damage.path {
            let file = disk.open(path, OpenMode::ReadWrite)?;
            file.set_len(damage.position)?;
            file.sync_data()?;
            break;
        }
        disk.remove_file(path)?;
        disk.sync_dir(folder)?;
    }
    Ok(copy)
}
