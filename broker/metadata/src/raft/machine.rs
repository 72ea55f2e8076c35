//! A voter with all that surrounds its core: frames, the disk, snapshots on their way, the room that publishes.
//! Core: inputs go in, and `Outputs` say what to send, to write and to tell. `quorum_thread` drives it on a thread, the
//! tests in a simulated world.

mod guests;
mod parts;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use ottla_model::{BrokerId, LeaderEpoch, Offset};
use uuid::Uuid;

use super::effects::{Effects, LostLog, VoterProgress};
use super::log_store::StoredBatch;
use super::node::RaftNode;
use super::peers::{Admission, Peers};
use super::snapshot_fetch::{FetchTick, SnapshotFetch};
use super::voter_history::Voters;
use super::wire::{Body, Frame, MessageKind, PeerMessage};
use super::writer::{Part, PartRequest, Write};
use crate::metadata_log::CommitError;
use crate::quorum::{Leadership, Voter, VoterState};
use crate::quorum_state::QuorumState;
use crate::snapshot::SnapshotId;
use crate::voter_set::{VoterNode, VoterSet};

/// Frames that wait until a directory is remembered.
const HELD_MAX: usize = 256;
/// Ticks after which the next part of a snapshot, if a voter does not ask for it, is taken for lost; and the first part:
/// what is lost then is the one message that announced the snapshot, which nobody repeats.
const SNAPSHOT_TICKS: u64 = 100;
const ANNOUNCED_TICKS: u64 = 15;
/// Ticks after which a node without a vote that is silent is sent nothing any more, and between which one asks.
const OBSERVER_TICKS: u64 = 250;
const ASK_TICKS: u64 = 25;
/// Nodes without a vote that one leader sends its log to.
const OBSERVERS_MAX: usize = 64;

/// What happens to a voter.
#[derive(Debug)]
pub(crate) enum Input {
    Tick,
    Frame(BrokerId, Bytes),
    /// The connection to a voter was closed.
    Disconnected(BrokerId),
    /// This node's controller decided something.
    Propose(StoredBatch),
    /// A snapshot that this node made is on the device.
    Snapshot(SnapshotId),
    /// The writer has done this write and all before it.
    Written(Result<u64, CommitError>),
    /// The device is full, and the writer waits for room: another is to lead.
    Full,
    /// The writer has read what a follower asked for.
    Part(PartRequest, Option<Part>),
    /// This node is about to stop: if it leads, another is to do so.
    HandOver,
    Stop,
}

/// What the room hears of its quorum.
#[derive(Debug)]
pub(crate) enum Heard {
    Leadership(Leadership),
    /// Batches that are committed, in the order of the log.
    Committed(Vec<StoredBatch>),
    /// A snapshot took the place of what was there; it is on the device.
    Installed(SnapshotId),
    /// This voter takes no part any more.
    Failed(String),
}

/// What a turn leads to, to be done in the order of the fields.
#[derive(Default)]
pub(crate) struct Outputs {
    pub frames: Vec<(BrokerId, Bytes)>,
    pub writes: Vec<Write>,
    pub reads: Vec<PartRequest>,
    pub heard: Vec<Heard>,
    /// Where other controllers are, as far as that is new.
    pub others: Vec<Voter>,
}

pub(crate) struct RaftMachine {
    node: RaftNode,
    peers: Peers,
    cluster_id: String,
    directory_id: Uuid,
    /// This node, as it would vote.
    me: VoterNode,
    /// The listener by which controllers reach each other.
    listener: String,
    /// Who is sent this leader's log without a vote: what it says of itself, and when it was heard last.
    observers: BTreeMap<BrokerId, (VoterNode, u64)>,
    /// Who asked for this node's vote under an id: the first directory in an epoch, and no other in it.
    stood: BTreeMap<BrokerId, (u64, Uuid)>,
    /// The set that the last outputs rest on.
    known: Option<Arc<VoterSet>>,
    /// Who leads, as a node without a vote was told.
    told_leader: Option<BrokerId>,
    /// What the last write that was given out says.
    state: QuorumState,
    next_write: u64,
    /// Writes that are not on the device: their number, and that of the node's own write in it.
    outstanding: VecDeque<(u64, Option<u64>)>,
    /// Frames of voters whose directory is not remembered yet, with the write that does it.
    held: VecDeque<(u64, BrokerId, Uuid, Body)>,
    fetch: Option<SnapshotFetch>,
    /// The write that ends the fetch.
    last_part: Option<u64>,
    /// Any part's write.
    part_write: Option<u64>,
    ticks: u64,
    /// When each voter last asked for a part, or was told to fetch, and whether it has asked.
    served: BTreeMap<BrokerId, (u64, bool)>,
    voter_states: BTreeMap<BrokerId, VoterState>,
    leadership: Leadership,
    /// Another voter knows another directory under this node's id.
    is_refused: bool,
    /// The same of a voter that knows it from the log.
    replaces: Option<Uuid>,
    failed: bool,
    out: Outputs,
}

impl RaftMachine {
    /// `me`: this node, with the listener by which controllers reach each other.
    pub fn new(
        node: RaftNode,
        peers: Peers,
        cluster_id: String,
        state: QuorumState,
        me: (VoterNode, String),
    ) -> RaftMachine {
        let (me, listener) = me;
        let directory_id = me.directory_id;
        let leadership = node.leadership();
        let voted = state.voted.zip(state.voted_directory);
        let term = u64::try_from(state.leader_epoch.0).expect("epochs are not negative");
        let stood = voted.map(|(id, directory)| (id, (term, directory))).into_iter().collect();
        let mut machine = RaftMachine {
            node,
            peers,
            cluster_id,
            directory_id,
            me,
            listener,
            observers: BTreeMap::new(),
            stood,
            known: None,
            told_leader: None,
            state,
            next_write: 1,
            outstanding: VecDeque::new(),
            held: VecDeque::new(),
            fetch: None,
            last_part: None,
            part_write: None,
            ticks: 0,
            served: BTreeMap::new(),
            voter_states: BTreeMap::new(),
            leadership,
            is_refused: false,
            replaces: None,
            failed: false,
            out: Outputs::default(),
        };
        // Before anything is promised: a later start without this file knows that something was lost.
        machine.follow_voters();
        machine.write_state();
        machine
    }

    pub fn leadership(&self) -> Leadership {
        self.leadership
    }

    pub fn leads(&self) -> bool {
        self.node.leads()
    }

    pub fn committed(&self) -> Offset {
        self.node.committed()
    }

    #[cfg(test)]
    pub fn end(&self) -> Offset {
        self.node.end()
    }

    /// What this leader knows of the voters; empty elsewhere.
    pub fn voter_states(&self) -> Vec<(BrokerId, Option<Uuid>, VoterState)> {
        let of = |progress: VoterProgress| {
            let known = self.voter_states.get(&progress.id).copied().unwrap_or_default();
            let state = VoterState { log_end_offset: progress.end, ..known };
            (progress.id, self.directory(progress.id), state)
        };
        self.node.progress().into_iter().map(of).collect()
    }

    /// The same of those that are sent its log without a vote.
    pub fn observer_states(&self) -> Vec<(VoterNode, VoterState)> {
        let of = |progress: VoterProgress| {
            let (node, _) = self.observers.get(&progress.id)?;
            let known = self.voter_states.get(&progress.id).copied().unwrap_or_default();
            Some((node.clone(), VoterState { log_end_offset: progress.end, ..known }))
        };
        self.node.observed().into_iter().filter_map(of).collect()
    }

    /// The directory that voted under this node's id, where the log of others says another one than this node's.
    pub fn replaces(&self) -> Option<Uuid> {
        self.replaces
    }

    /// Who votes by the log, committed or not.
    pub fn voters(&self) -> &Voters {
        self.node.history().latest()
    }

    fn directory(&self, id: BrokerId) -> Option<Uuid> {
        let voters = self.voters();
        let voter = voters.set.get(id).filter(|_| voters.is_dynamic);
        voter.map(|voter| voter.directory_id).or_else(|| self.peers.directory(id))
    }

    /// The last set in the log is another than before.
    fn follow_voters(&mut self) {
        let voters = self.voters().clone();
        if self.known.as_ref().is_some_and(|known| **known == *voters.set) {
            return;
        }
        let before = self.known.replace(voters.set.clone());
        self.state.voters = voters.set.ids().collect();
        if !voters.is_dynamic {
            return;
        }
        self.out.others.extend(voters.set.at(&self.listener).into_iter().filter(|one| one.id != self.me.id));
        tracing::info!("the controllers that vote are {}", voters.set.keys());
        // A node that was removed is to read of it.
        let gone = before.iter().flat_map(|before| before.iter());
        for voter in gone.filter(|voter| voters.set.get(voter.id).is_none() && voter.id != self.me.id) {
            self.observers.insert(voter.id, (voter.clone(), self.ticks));
        }
        for id in voters.set.ids() {
            self.observers.remove(&id);
        }
    }

    pub fn take_outputs(&mut self) -> Outputs {
        std::mem::take(&mut self.out)
    }

    /// One thing happens. `now_ms` is the wall's time, which records and descriptions carry.
    pub fn on_input(&mut self, input: Input, now_ms: i64) {
        if self.failed {
            return;
        }
        match input {
            Input::Tick => self.on_tick(now_ms),
            Input::Frame(from, bytes) => self.on_frame(from, bytes, now_ms),
            Input::Disconnected(id) => self.node.on_disconnected(id),
            Input::Propose(batch) => {
                if !self.node.propose(&batch, now_ms) {
                    // Whoever decided it is told that it leads no more before this, or is about to be.
                    tracing::debug!("a decision of leader epoch {} came too late", batch.epoch);
                }
            }
            Input::Snapshot(id) => {
                self.node.on_snapshot(id);
                self.push_write(Write { drop_before: Some(id), ..Write::default() }, None);
            }
            Input::Written(Ok(number)) => self.on_written(number, now_ms),
            Input::Written(Err(error)) => {
                self.fail(format!(
                    "the metadata log can't be written, and this controller takes no part any more: {error}"
                ));
            }
            Input::Part(request, part) => self.on_part_read(request, part),
            Input::HandOver => self.node.hand_over(now_ms),
            Input::Full => {
                if self.node.leads() {
                    self.node.hand_over(now_ms);
                }
            }
            Input::Stop => {}
        }
        self.take_effects();
    }

    fn on_tick(&mut self, now_ms: i64) {
        self.ticks += 1;
        self.node.tick(now_ms);
        if let Some(fetch) = &mut self.fetch {
            match fetch.tick() {
                FetchTick::Wait => {}
                FetchTick::Ask => self.ask_for_part(),
                FetchTick::GiveUp => self.fetch = None,
            }
        }
        self.tend_observers();
        let fetching = self.node.fetching();
        self.served.retain(|id, _| fetching.contains(id));
        for id in fetching {
            let (since, has_asked) = *self.served.entry(id).or_insert((self.ticks, false));
            let patience = if has_asked { SNAPSHOT_TICKS } else { ANNOUNCED_TICKS };
            if self.ticks - since > patience {
                self.served.remove(&id);
                self.node.on_snapshot_failed(id);
            }
        }
    }

    fn on_frame(&mut self, from: BrokerId, bytes: Bytes, now_ms: i64) {
        let Ok(frame) = Frame::decode(bytes) else {
            tracing::debug!("controller {from} sent what is no frame of a voter");
            return;
        };
        if frame.body == Body::AskClusterId {
            self.send(from, Body::ClusterId);
            return;
        }
        let (admission, line) =
            self.peers.admit(from, frame.head(), self.node.history().latest(), self.node.leads());
        if let Some(line) = line {
            tracing::error!("{line}");
        }
        if let Body::Refused(known) = &frame.body
            && frame.is_logged
            && admission != Admission::Refuse
        {
            self.replaces = Some(*known);
        }
        if frame.is_logged && self.node.is_blank() && names_a_commit(&frame.body) {
            // It speaks to the node that had this id before, and whose place in the set this one does not have.
            return;
        }
        match admission {
            Admission::Refuse => self.on_refused_sender(from, &frame),
            Admission::HearNoAnswer => {
                let is_answer = matches!(&frame.body, Body::Message(message) if message.kind.is_answer());
                if !is_answer {
                    self.on_body(from, frame.directory_id, frame.body, now_ms);
                }
            }
            Admission::Hear => match self.held.iter().rev().find(|(_, id, ..)| *id == from) {
                Some(&(write, ..)) => self.hold(write, from, frame),
                None => self.on_body(from, frame.directory_id, frame.body, now_ms),
            },
            Admission::Remember => {
                self.peers.remember(from, frame.directory_id);
                self.state.directories = self.peers.directories().clone();
                let write = self.write_state();
                self.hold(write, from, frame);
            }
        }
    }

    /// Whoever lost its directory is told so, beside the line here.
    fn on_refused_sender(&mut self, from: BrokerId, frame: &Frame) {
        if matches!(frame.body, Body::Refused(_)) {
            return;
        }
        let known = self.directory(from).filter(|known| *known != frame.directory_id);
        if let Some(known) = known.filter(|_| frame.cluster_id == self.cluster_id) {
            self.send(from, Body::Refused(known));
        }
    }

    fn hold(&mut self, write: u64, from: BrokerId, frame: Frame) {
        // What is dropped here is sent again, as after any loss.
        if self.held.len() < HELD_MAX {
            self.held.push_back((write, from, frame.directory_id, frame.body));
        }
    }

    fn on_body(&mut self, from: BrokerId, directory_id: Uuid, body: Body, now_ms: i64) {
        if !self.note_guest(from, directory_id, &body) {
            return;
        }
        match body {
            Body::AskClusterId | Body::ClusterId => {}
            Body::Observe(node) => self.tell_leader(from, &node),
            Body::Leader(node) => {
                self.out.others.extend(node.at(&self.listener));
                self.told_leader = Some(node.id);
            }
            Body::Message(message) => {
                if self.may_stand(from, directory_id, &message) {
                    self.on_message(from, message, now_ms);
                }
            }
            Body::Refused(known) if !self.is_refused => {
                self.is_refused = true;
                tracing::error!(
                    "controller {from} refuses this node: under its id the directory {known} has voted, and here is \
                     {}. A directory that lost its records can't vote for others; give this node the old one, or a \
                     copy of it",
                    self.directory_id
                );
            }
            Body::Refused(_) => {}
            Body::FetchSnapshot { id, position } => {
                if self.node.leads() {
                    self.served.insert(from, (self.ticks, true));
                    self.out.reads.push(PartRequest { to: from, id, position });
                }
            }
            Body::SnapshotPart { id, position, file_bytes, bytes } => {
                self.on_part(from, id, position, file_bytes, bytes);
            }
        }
    }

    /// Two directories may not have this node's vote under one id in one epoch.
    fn may_stand(&mut self, from: BrokerId, directory_id: Uuid, message: &PeerMessage) -> bool {
        if message.kind != MessageKind::Vote {
            return true;
        }
        let stands = (message.term, directory_id);
        if self.stood.get(&from).is_some_and(|(term, first)| *term == message.term && *first != directory_id)
        {
            return false;
        }
        if self.stood.len() >= OBSERVERS_MAX {
            self.stood.retain(|_, (term, _)| *term >= message.term);
        }
        self.stood.insert(from, stands);
        true
    }

    fn on_message(&mut self, from: BrokerId, message: PeerMessage, now_ms: i64) {
        if self.node.leads() {
            self.note_heard(from, &message, now_ms);
        }
        if let (MessageKind::Snapshot, Some(id)) = (message.kind, message.snapshot) {
            if self.fetch.as_ref().is_none_or(|fetch| (fetch.from, fetch.id) != (from, id)) {
                self.fetch = Some(SnapshotFetch::new(from, id, message));
                self.ask_for_part();
            }
            return;
        }
        if let Err(LostLog { acknowledged, end }) = self.node.step(from, message, now_ms) {
            self.fail(format!(
                "this controller has lost records that it acknowledged: its log ends at offset {end}, and the \
                 leader counts on it up to {acknowledged}. It takes no part any more. Restore its directory \
                 from a copy that is not older; an empty directory makes another voter of it, which the others \
                 refuse"
            ));
        }
    }

    fn note_heard(&mut self, from: BrokerId, message: &PeerMessage, now_ms: i64) {
        let end = self.node.end();
        let state = self.voter_states.entry(from).or_default();
        state.last_fetch_ms = now_ms;
        let is_caught_up = message.kind == MessageKind::AppendResponse
            && !message.reject
            && message.index >= u64::try_from(end.0).expect("not negative");
        let had_all = state.log_end_offset >= end;
        if message.kind == MessageKind::AppendResponse && !message.reject {
            state.log_end_offset = state.log_end_offset.max(Offset(message.index as i64));
        }
        if is_caught_up || had_all {
            state.last_caught_up_ms = now_ms;
        }
    }

    fn on_written(&mut self, number: u64, now_ms: i64) {
        let mut of_node = None;
        while self.outstanding.front().is_some_and(|(write, _)| *write <= number) {
            let (_, node_write) = self.outstanding.pop_front().expect("looked at");
            of_node = node_write.or(of_node);
        }
        if let Some(of_node) = of_node {
            self.node.on_written(of_node);
        }
        if self.part_write.is_some_and(|write| write <= number) {
            self.part_write = None;
            if let Some(fetch) = &mut self.fetch {
                fetch.on_part_written();
            }
            if self.last_part.take().is_some() {
                if let Some(fetch) = self.fetch.take() {
                    // A leader of an earlier epoch is refused.
                    drop(self.node.step(fetch.from, fetch.message, now_ms));
                }
            } else {
                self.ask_for_part();
            }
        }
        while self.held.front().is_some_and(|(write, ..)| *write <= number) {
            let (_, from, directory_id, body) = self.held.pop_front().expect("looked at");
            self.on_body(from, directory_id, body, now_ms);
        }
    }

    fn take_effects(&mut self) {
        let Effects { messages, writes, committed } = self.node.take_effects();
        self.follow_voters();
        let mut installed = None;
        for write in writes {
            if let Some((epoch, voted)) = write.state {
                (self.state.leader_epoch, self.state.voted) = (epoch, voted);
                self.state.voted_directory = voted.and_then(|id| self.directory_voted_for(id, epoch));
            }
            installed = write.install.or(installed);
            let state = write.state.map(|_| self.state.clone());
            let (install, batches) = (write.install, write.batches);
            self.push_write(Write { state, install, batches, ..Write::default() }, Some(write.number));
        }
        for (to, message) in messages {
            self.send(to, Body::Message(message));
        }
        let leadership = self.node.leadership();
        if leadership != self.leadership {
            self.on_leadership(leadership);
        }
        if let Some(id) = installed {
            self.out.heard.push(Heard::Installed(id));
        }
        if !committed.is_empty() {
            self.out.heard.push(Heard::Committed(committed));
        }
    }

    fn directory_voted_for(&self, id: BrokerId, epoch: LeaderEpoch) -> Option<Uuid> {
        if id == self.me.id {
            return Some(self.directory_id);
        }
        let (term, directory) = self.stood.get(&id)?;
        (i64::try_from(*term) == Ok(i64::from(epoch.0))).then_some(*directory)
    }

    fn on_leadership(&mut self, leadership: Leadership) {
        self.leadership = leadership;
        self.voter_states.clear();
        self.observers.clear();
        if self.fetch.as_ref().is_some_and(|fetch| Some(fetch.from) != leadership.leader) {
            (self.fetch, self.last_part, self.part_write) = (None, None, None);
        }
        self.out.heard.push(Heard::Leadership(leadership));
    }

    fn push_write(&mut self, write: Write, of_node: Option<u64>) -> u64 {
        let number = self.next_write;
        self.next_write += 1;
        self.outstanding.push_back((number, of_node));
        self.out.writes.push(Write { number, ..write });
        number
    }

    fn write_state(&mut self) -> u64 {
        let state = Some(self.state.clone());
        self.push_write(Write { state, ..Write::default() }, None)
    }

    fn send(&mut self, to: BrokerId, body: Body) {
        let (cluster_id, directory_id) = (self.cluster_id.clone(), self.directory_id);
        let is_logged = self.voters().is_dynamic;
        self.out.frames.push((to, Frame { cluster_id, directory_id, is_logged, body }.encode()));
    }

    fn fail(&mut self, why: String) {
        self.failed = true;
        let leadership = Leadership { leader: None, epoch: self.leadership.epoch };
        self.leadership = leadership;
        self.out.heard.push(Heard::Leadership(leadership));
        self.out.heard.push(Heard::Failed(why));
    }
}

/// A heartbeat for a voter that has acknowledged something.
fn names_a_commit(body: &Body) -> bool {
    matches!(body, Body::Message(message) if message.kind == MessageKind::Heartbeat && message.commit > 0)
}
