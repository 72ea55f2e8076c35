//! What a voter's core is begun with, and what it wants.
//! Core: values.

use std::sync::Arc;

use ottla_env::Rng;
use ottla_model::{BrokerId, LeaderEpoch, Offset};
use uuid::Uuid;

use super::log_store::{LogStore, StoredBatch};
use super::voter_history::VoterHistory;
use super::wire::PeerMessage;
use crate::snapshot::SnapshotId;

/// What a start knows.
pub(crate) struct NodeStart {
    pub me: BrokerId,
    /// The directory that holds this node's log and votes.
    pub directory_id: Uuid,
    /// It has promised nothing yet, to nobody.
    pub is_new: bool,
    /// Who votes, as the log or the configuration says.
    pub voters: VoterHistory,
    /// The last epoch that was heard of, and whom this node voted for in it.
    pub epoch: LeaderEpoch,
    pub voted: Option<BrokerId>,
    pub store: LogStore,
    /// Below it everything is known to be committed and published.
    pub committed: Offset,
    pub rng: Arc<dyn Rng>,
}

/// What a voter has to do, in the order of the fields.
#[derive(Default, Debug)]
pub(crate) struct Effects {
    pub messages: Vec<(BrokerId, PeerMessage)>,
    /// To be written in this order; `on_written` says when.
    pub writes: Vec<NodeWrite>,
    /// Batches that are committed, in the order of the log.
    pub committed: Vec<StoredBatch>,
}

#[derive(Debug)]
pub(crate) struct NodeWrite {
    pub number: u64,
    /// Epoch and vote, if they changed.
    pub state: Option<(LeaderEpoch, Option<BrokerId>)>,
    pub install: Option<SnapshotId>,
    pub batches: Vec<StoredBatch>,
}

/// Why a voter can't go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LostLog {
    pub acknowledged: Offset,
    pub end: Offset,
}

/// How far a voter is, as its leader knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct VoterProgress {
    pub id: BrokerId,
    pub end: Offset,
}
