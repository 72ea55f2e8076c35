//! What one voter of several reads at its start, and whether it may take part at all.
//! Shell.
//!
//! Nothing in the log behind the newest snapshot is known to be committed: it is replayed when the leader says so.

use std::path::PathBuf;
use std::sync::Arc;

use ottla_env::Env;
use ottla_log::UnifiedLog;
use ottla_model::{BrokerId, LeaderEpoch, Offset};

use crate::batch::Entry;
use crate::image::Image;
use crate::inspect::{Start, inspect};
use crate::metadata::{MetadataOptions, OpenError};
use crate::metadata_log::{LogOpenError, MetadataLog};
use crate::quorum::Quorum;
use crate::quorum_state::{self, QuorumState};
use crate::raft::effects::NodeStart;
use crate::raft::log_store::LogStore;
use crate::raft::machine::RaftMachine;
use crate::raft::node::RaftNode;
use crate::raft::peers::Peers;
use crate::raft::voter_history::{Change, VoterHistory, Voters};
use crate::raft::writer::LogWriter;
use crate::snapshot::{self, SnapshotId};
use crate::store::Touched;
use crate::upkeep::Upkeep;
use crate::voter_set::{VoterNode, VoterSet};

pub(crate) struct QuorumStart {
    pub machine: RaftMachine,
    pub writer: LogWriter,
    pub image: Image,
    pub log: Arc<UnifiedLog>,
    pub folder: PathBuf,
    pub upkeep: Upkeep,
}

pub(crate) fn start(env: &Env, options: &MetadataOptions, quorum: &Quorum) -> Result<QuorumStart, OpenError> {
    let logs = options.logs.as_ref().expect("a voter keeps its log");
    let me = BrokerId(options.config.node_id);
    let mut log = MetadataLog::on_disk(logs)?;
    let folder = log.folder().expect("a log on a disk has a folder");
    let io_error = |source| OpenError::Io { path: folder.clone(), source };
    let state =
        quorum_state::read(&*env.disk, &folder).map_err(|why| lost(format!("quorum-state: {why}")))?;
    let inspection = Start {
        quorum_epoch: state.as_ref().map(|state| state.leader_epoch),
        was_clean: !options.unclean_stop,
        is_voter: true,
        accepts_loss: false,
    };
    inspect(env, &folder, &inspection)?;
    let empty = Image::empty(&options.cluster_id, BrokerId(-1));
    let (snapshot, image) = newest_snapshot(env, &folder, &empty).map_err(io_error)?;
    let unified = log.unified().expect("a log on a disk").clone();
    cut_what_a_snapshot_replaced(&unified, snapshot)?;
    let mut epochs: Vec<(Offset, LeaderEpoch)> = Vec::new();
    let configured: Vec<BrokerId> = quorum.voters.iter().map(|voter| voter.id).collect();
    let logged = image.voters().map(|voters| voters.set.clone());
    let mut history = VoterHistory::new(VoterSet::of_ids(&configured), !configured.contains(&me), logged);
    let mut on_entry = |entry: Entry, offset: Offset, epoch: LeaderEpoch| {
        if let Entry::Voters(record) = entry {
            let voters = Voters { set: Arc::new(VoterSet::of_record(&record)), is_dynamic: true };
            history.append(Change { offset, epoch, voters });
        }
        if epochs.last().is_none_or(|(_, last)| *last < epoch) {
            epochs.push((offset, epoch));
        }
    };
    if let Some(line) = log.scan(snapshot.end_offset, &mut on_entry)? {
        tracing::warn!("{line}");
    }
    let store = LogStore::new(unified.clone(), snapshot, log.end_offset(), epochs);
    let voters = history.latest().set.ids().collect();
    let is_new = state.is_none();
    let state = promised(state, &store, (me, voters), quorum)?;
    let upkeep = Upkeep::new(env, folder.clone(), Touched::Everything, 0);
    let directory_id = quorum.directory_id;
    let peers = Peers::new((me, directory_id), options.cluster_id.clone(), state.directories.clone());
    let (epoch, voted) = (state.leader_epoch, state.voted);
    let committed = snapshot.end_offset;
    let rng = env.rng.clone();
    let node = RaftNode::new(NodeStart {
        me,
        directory_id,
        is_new,
        voters: history,
        epoch,
        voted,
        store,
        committed,
        rng,
    });
    let state = QuorumState { directories: peers.directories().clone(), ..state };
    let this = VoterNode::configured(&quorum.me, &quorum.listener, directory_id);
    let this = (this, quorum.listener.clone());
    let machine = RaftMachine::new(node, peers, options.cluster_id.clone(), state, this);
    let writer = LogWriter::new(env.clone(), unified.clone(), folder.clone());
    Ok(QuorumStart { machine, writer, image, log: unified, folder, upkeep })
}

fn lost(what: String) -> OpenError {
    OpenError::LostPromises { what }
}

/// What this voter promised before: its epoch and vote. A voter that has lost them, or records that it acknowledged,
/// could elect a controller that lacks committed records, so it does not start.
fn promised(
    state: Option<QuorumState>,
    store: &LogStore,
    (me, voters): (BrokerId, Vec<BrokerId>),
    quorum: &Quorum,
) -> Result<QuorumState, OpenError> {
    let Some(state) = state else {
        if store.end() > Offset::ZERO {
            return Err(lost("quorum-state is missing, and there are records".to_owned()));
        }
        return Ok(QuorumState {
            voter: Some(me),
            voters,
            ..QuorumState::of_lone(BrokerId(-1), LeaderEpoch(0))
        });
    };
    let last = store.last_epoch();
    if state.voter.is_some() {
        if state.leader_epoch < last {
            let known = state.leader_epoch;
            return Err(lost(format!("quorum-state says leader epoch {known}, and the log has {last}")));
        }
        if let Some(known) = state.directories.get(&me)
            && *known != quorum.directory_id
        {
            return Err(lost(format!("quorum-state belongs to the directory {known}")));
        }
        return Ok(QuorumState { leader_id: BrokerId(-1), voter: Some(me), voters, ..state });
    }
    // A lone node's: it voted for nobody, and its log may be ahead of the file.
    Ok(QuorumState {
        voter: Some(me),
        voters,
        ..QuorumState::of_lone(BrokerId(-1), state.leader_epoch.max(last))
    })
}

/// A snapshot of the leader's may have come while the log held other records in its place.
fn cut_what_a_snapshot_replaced(log: &Arc<UnifiedLog>, snapshot: SnapshotId) -> Result<(), LogOpenError> {
    let end = snapshot.end_offset;
    if end == Offset::ZERO || log.log_start_offset() >= end || log.log_end_offset() <= end {
        return Ok(());
    }
    let epochs = log.leader_epochs();
    let before = epochs.iter().rev().find(|entry| entry.start_offset < end);
    if before.is_none_or(|entry| entry.epoch != snapshot.epoch) {
        log.truncate_fully_and_start_at(end)?;
    }
    Ok(())
}

fn newest_snapshot(
    env: &Env,
    folder: &std::path::Path,
    empty: &Image,
) -> std::io::Result<(SnapshotId, Image)> {
    for id in snapshot::list(&*env.disk, folder)? {
        match snapshot::read(&*env.disk, folder, id, empty.clone()) {
            Ok(image) => return Ok((id, image)),
            Err(why) => tracing::warn!("the metadata snapshot {} is not used: {why}", id.file_name()),
        }
    }
    Ok((SnapshotId { end_offset: Offset::ZERO, epoch: LeaderEpoch(0) }, empty.clone()))
}
