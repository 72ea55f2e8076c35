//! What a start reads: snapshot, materialised image and log, whichever make the shortest way to the end.
//! Shell.

use std::path::Path;
use std::sync::Arc;

use ottla_env::Env;
use ottla_log::LogManager;
use ottla_model::LeaderEpoch;
use ottla_model::limits::METADATA_LONG_REPLAY_BYTES;

use crate::controller::features::KRAFT_VERSION;
use crate::image::Image;
use crate::inspect::{Start, inspect};
use crate::metadata::{MetadataOptions, OpenError};
use crate::metadata_log::MetadataLog;
use crate::publisher::{Publisher, Shared};
use crate::store::{self, Touched};
use crate::upkeep::Upkeep;
use crate::{quorum_state, snapshot};

/// What was read.
pub(crate) struct Recovered {
    pub log: MetadataLog,
    /// It has replayed all that the log holds, and published nothing of it yet.
    pub publisher: Publisher,
    /// The highest leader epoch that is known.
    pub last_epoch: LeaderEpoch,
    /// `None` without a disk.
    pub upkeep: Option<Upkeep>,
}

pub(crate) fn recover(
    env: &Env,
    options: &MetadataOptions,
    shared: &Arc<Shared>,
    empty: Image,
) -> Result<Recovered, OpenError> {
    match &options.logs {
        Some(logs) => recover_from_disk(env, logs, options, shared, &empty),
        None => Ok(Recovered {
            log: MetadataLog::in_memory(),
            publisher: Publisher::new(shared.clone(), empty),
            last_epoch: LeaderEpoch(0),
            upkeep: None,
        }),
    }
}

fn recover_from_disk(
    env: &Env,
    logs: &LogManager,
    options: &MetadataOptions,
    shared: &Arc<Shared>,
    empty: &Image,
) -> Result<Recovered, OpenError> {
    let mut log = MetadataLog::on_disk(logs)?;
    let folder = &log.folder().expect("a log on a disk has a folder");
    let io_error = |source| OpenError::Io { path: folder.clone(), source };
    let quorum = quorum_state::read(&*env.disk, folder).unwrap_or_else(|why| {
        tracing::warn!("quorum-state in {} is not used ({why}); the log says the epoch", folder.display());
        None
    });
    let start = Start {
        quorum_epoch: quorum.as_ref().map(|quorum| quorum.leader_epoch),
        was_clean: !options.unclean_stop,
        is_voter: false,
        accepts_loss: options.accept_loss,
    };
    inspect(env, folder, &start)?;
    let mut image = newest_snapshot(env, folder, empty).map_err(io_error)?;
    let tail_bytes = log.bytes_after(image.metadata_offset());
    let mut touched = Touched::Everything;
    let mut bytes_to_store = tail_bytes;
    if tail_bytes >= METADATA_LONG_REPLAY_BYTES && env.disk.exists(&store::path(folder)) {
        match store::load(env, folder, empty.clone()) {
            Ok(mut stored) if stored.metadata_offset() >= image.metadata_offset() => {
                // A lone node never writes who votes.
                stored.voters = image.voters.clone();
                let level = image.feature_level(KRAFT_VERSION);
                if level > 0 {
                    stored.features.insert(KRAFT_VERSION.to_owned(), level);
                }
                image = stored;
                touched = Touched::Topics(Default::default());
                bytes_to_store = 0;
            }
            Ok(_) => tracing::info!("the materialised metadata image is older than the snapshot: rebuilt"),
            Err(why) => {
                tracing::warn!("the materialised metadata image is rebuilt from the log: {why}");
                env.disk.remove_dir_all(&store::path(folder)).map_err(io_error)?;
            }
        }
    }
    let from = image.metadata_offset() + 1;
    let mut publisher = Publisher::new(shared.clone(), image);
    let mut on_entry = |entry, offset, epoch| publisher.replay(entry, offset, epoch);
    if let Some(line) = log.replay(from, &mut on_entry)? {
        tracing::warn!("{line}");
    }
    let committed = publisher.committed();
    // What was replayed onto a stored image is not in it yet.
    touched.add(&committed.delta);
    let known = quorum.map_or(LeaderEpoch(0), |quorum| quorum.leader_epoch);
    let last_epoch = committed.image.leader_epoch().max(known);
    let upkeep = Some(Upkeep::new(env, folder.clone(), touched, bytes_to_store));
    Ok(Recovered { log, publisher, last_epoch, upkeep })
}

fn newest_snapshot(env: &Env, folder: &Path, empty: &Image) -> std::io::Result<Image> {
    for id in snapshot::list(&*env.disk, folder)? {
        match snapshot::read(&*env.disk, folder, id, empty.clone()) {
            Ok(image) => return Ok(image),
            Err(why) => tracing::warn!("the metadata snapshot {} is not used: {why}", id.file_name()),
        }
    }
    Ok(empty.clone())
}
