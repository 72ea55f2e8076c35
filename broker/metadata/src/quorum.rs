//! What a node of several controllers is told of the others, and how it speaks to them.
//! Core: values and interfaces; `raft` decides, the process carries the frames.

use std::sync::Arc;

use bytes::Bytes;
use ottla_model::{BrokerId, LeaderEpoch, Offset};
use uuid::Uuid;

/// One controller that votes (`controller.quorum.voters`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Voter {
    pub id: BrokerId,
    pub host: String,
    pub port: u16,
}

/// The quorum that a node belongs to. A node that is alone has none: it leads itself and sends nothing.
#[derive(Clone)]
pub struct Quorum {
    /// Those that count where the log says nothing, in the order of their ids. Where this node is not among them it joins
    /// a quorum that runs.
    pub voters: Vec<Voter>,
    /// This node at its controller's listener, with the name of that.
    pub me: Voter,
    pub listener: String,
    /// The id of the directory that holds this node's metadata log.
    pub directory_id: Uuid,
    pub transport: Arc<dyn RaftTransport>,
}

/// Carries frames between voters. A frame may be lost, and frames may come late; those between two voters
/// keep their order while one connection lasts.
pub trait RaftTransport: Send + Sync {
    /// Sends a frame to a voter, or drops it. Never waits.
    fn send(&self, to: BrokerId, frame: Bytes);

    /// Where others are. One that is known elsewhere is dialled anew.
    fn learn(&self, others: &[Voter]);
}

/// What the leader knows of a voter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VoterState {
    pub log_end_offset: Offset,
    /// When it was last heard of, by the wall's clock; -1 where that is not known.
    pub last_fetch_ms: i64,
    /// When it last had all that the leader had.
    pub last_caught_up_ms: i64,
}

impl Default for VoterState {
    fn default() -> VoterState {
        VoterState { log_end_offset: Offset::ZERO, last_fetch_ms: -1, last_caught_up_ms: -1 }
    }
}

/// Who leads the quorum, as far as this node knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leadership {
    /// `None` while an election is under way.
    pub leader: Option<BrokerId>,
    pub epoch: LeaderEpoch,
}
