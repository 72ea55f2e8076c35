//! A voter with all that surrounds its core: frames, the disk, snapshots on their way, the room that publishes.
//! Core: inputs go in, and `Outputs` say what to send, to write and to tell. `quorum_thread` drives it on a thread, the
//! tests in a simulated world.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use ottla_model::{BrokerId, Offset};
use uuid::Uuid;

use super::effects::{Effects, LostLog, VoterProgress};
use super::log_store::StoredBatch;
use super::node::RaftNode;
use super::peers::{Admission, Peers};
use super::snapshot_fetch::{FetchTick, SnapshotFetch};
use super::wire::{Body, Frame, MessageKind, PeerMessage};
use super::writer::{Part, PartRequest, Write};
use crate::metadata_log::CommitError;
use crate::quorum::{Leadership, VoterState};
use crate::quorum_state::QuorumState;
use crate::snapshot::SnapshotId;

/// Frames that wait until a directory is remembered.
const HELD_MAX: usize = 256;
/// Ticks after which the next part of a snapshot, if a voter does not ask for it, is taken for lost; and the first part:
/// what is lost then is the one message that announced the snapshot, which nobody repeats.
const SNAPSHOT_TICKS: u64 = 100;
const ANNOUNCED_TICKS: u64 = 15;

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
}

pub(crate) struct RaftMachine {
    node: RaftNode,
    peers: Peers,
    cluster_id: String,
    directory_id: Uuid,
    /// What the last write that was given out says.
    state: QuorumState,
    next_write: u64,
    /// Writes that are not on the device: their number, and that of the node's own write in it.
    outstanding: VecDeque<(u64, Option<u64>)>,
    /// Frames of voters whose directory is not remembered yet, with the write that does it.
    held: VecDeque<(u64, BrokerId, Body)>,
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
    failed: bool,
    out: Outputs,
}

impl RaftMachine {
    pub fn new(node: RaftNode, peers: Peers, cluster_id: String, state: QuorumState) -> RaftMachine {
        let directory_id = peers.directory(state.me()).expect("this node knows its own directory");
        let leadership = node.leadership();
        let mut machine = RaftMachine {
            node,
            peers,
            cluster_id,
            directory_id,
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
            failed: false,
            out: Outputs::default(),
        };
        // Before anything is promised: a later start without this file knows that something was lost.
        machine.write_state();
        machine
    }

    pub fn leadership(&self) -> Leadership {
        self.leadership
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
            (progress.id, self.peers.directory(progress.id), state)
        };
        self.node.progress().into_iter().map(of).collect()
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
        let (admission, line) = self.peers.admit(from, &frame.cluster_id, frame.directory_id);
        if let Some(line) = line {
            tracing::error!("{line}");
        }
        match admission {
            Admission::Refuse => self.on_refused_sender(from, &frame),
            Admission::Hear => match self.held.iter().rev().find(|(_, id, _)| *id == from) {
                Some(&(write, ..)) => self.hold(write, from, frame.body),
                None => self.on_body(from, frame.body, now_ms),
            },
            Admission::Remember => {
                self.peers.remember(from, frame.directory_id);
                self.state.directories = self.peers.directories().clone();
                let write = self.write_state();
                self.hold(write, from, frame.body);
            }
        }
    }

    /// Whoever lost its directory is told so, beside the line here.
    fn on_refused_sender(&mut self, from: BrokerId, frame: &Frame) {
        if matches!(frame.body, Body::Refused(_)) {
            return;
        }
        let known = self.peers.directory(from).filter(|known| *known != frame.directory_id);
        if let Some(known) = known.filter(|_| frame.cluster_id == self.cluster_id) {
            self.send(from, Body::Refused(known));
        }
    }

    fn hold(&mut self, write: u64, from: BrokerId, body: Body) {
        // What is dropped here is sent again, as after any loss.
        if self.held.len() < HELD_MAX {
            self.held.push_back((write, from, body));
        }
    }

    fn on_body(&mut self, from: BrokerId, body: Body, now_ms: i64) {
        match body {
            Body::AskClusterId | Body::ClusterId => {}
            Body::Message(message) => self.on_message(from, message, now_ms),
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

    fn ask_for_part(&mut self) {
        let Some(fetch) = &self.fetch else { return };
        let (from, id, position) = (fetch.from, fetch.id, fetch.position());
        self.send(from, Body::FetchSnapshot { id, position });
    }

    fn on_part(&mut self, from: BrokerId, id: SnapshotId, position: u64, file_bytes: u64, bytes: Bytes) {
        let Some(fetch) = &mut self.fetch else { return };
        if !fetch.on_part(from, id, position, bytes.len()) {
            return;
        }
        let is_last = fetch.position() >= file_bytes;
        let part = Part { id, position, file_bytes, bytes };
        let write = self.push_write(Write { part: Some((part, is_last)), ..Write::default() }, None);
        self.part_write = Some(write);
        self.last_part = is_last.then_some(write);
    }

    fn on_part_read(&mut self, request: PartRequest, part: Option<Part>) {
        let Some(Part { id, position, file_bytes, bytes }) = part else {
            // A newer one took its place: the follower hears of that.
            self.served.remove(&request.to);
            self.node.on_snapshot_failed(request.to);
            return;
        };
        self.send(request.to, Body::SnapshotPart { id, position, file_bytes, bytes });
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
            let (_, from, body) = self.held.pop_front().expect("looked at");
            self.on_body(from, body, now_ms);
        }
    }

    fn take_effects(&mut self) {
        let Effects { messages, writes, committed } = self.node.take_effects();
        let mut installed = None;
        for write in writes {
            if let Some((epoch, voted)) = write.state {
                (self.state.leader_epoch, self.state.voted) = (epoch, voted);
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

    fn on_leadership(&mut self, leadership: Leadership) {
        self.leadership = leadership;
        self.voter_states.clear();
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
        self.out.frames.push((to, Frame { cluster_id, directory_id, body }.encode()));
    }

    fn fail(&mut self, why: String) {
        self.failed = true;
        let leadership = Leadership { leader: None, epoch: self.leadership.epoch };
        self.leadership = leadership;
        self.out.heard.push(Heard::Leadership(leadership));
        self.out.heard.push(Heard::Failed(why));
    }
}
