//! One voter of the quorum: what it is told goes in, what it must send, write and publish comes out.
//! Core. With its parts in `node/` and `library`, which translates, the only file that names the types of the `raft` library.
//!
//! Invariants:
//! - I1. A raft index is the offset behind a record (what Kafka calls an end offset): the index of a batch's first
//!   record carries the batch, those of its other records are fillers that carry nothing. So the library's numbers are
//!   Kafka's, and nothing has to be kept to translate them. Batches are never cut in two: limits of the library are off,
//!   and the store gives whole ones.
//! - I2. A term is a leader epoch. The library's empty entry of a new leader is a `LeaderChangeMessage`, made here.
//! - I3. What this voter promises (a vote, an acknowledgement) leaves when all writes before it are on the device.
//!   Heartbeats and pre-votes promise nothing and leave at once.
//! - I4. The library draws no random number that matters: elections are begun here, by a timeout drawn from `env.rng`.
//! - I5. The last set of voters in the log counts (`voter_history`). The library is told of it when its record is appended,
//!   and again when it is cut: its own entries for changes are not used. This node is always known to it, as a learner
//!   where it does not vote.

mod leaving;
mod voters;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use ottla_env::Rng;
use ottla_model::{BrokerId, Offset};
use ottla_protocol::records::control::LeaderChangeMessage;
use ottla_protocol::records::control::leader_change_message::Voter as LeaderChangeVoter;
use ottla_records::ControlRecordType;
use raft::eraftpb::{ConfChange, ConfChangeType, ConfState, Entry, HardState, Message, MessageType};
use raft::{Config, NO_LIMIT, ProgressState, RaftLog, RawNode, Ready, SnapshotStatus, StateRole};
use uuid::Uuid;

use self::voters::{conf_state_of, counted};
use super::effects::{Effects, LostLog, NodeStart, NodeWrite, VoterProgress};
use super::library::{
    StoreView, batch_of, end_of, epoch, index, node_id, of_peer, push_entries, raft_id, term, to_peer,
};
use super::log_store::StoredBatch;
use super::voter_history::{Change, VoterHistory, Voters, change_of};
use super::wire::{MessageKind, PeerMessage};
use crate::batch::encode_control;
use crate::quorum::Leadership;
use crate::snapshot::SnapshotId;
use crate::voter_set::VoterNode;

/// A follower that has heard nothing for so many ticks begins an election, earliest and latest.
pub(crate) const ELECTION_TICKS_MIN: usize = 15;
pub(crate) const ELECTION_TICKS_MAX: usize = 30;
const HEARTBEAT_TICKS: usize = 2;
/// A candidate that was refused waits so long, and up to so much longer.
const RETRY_TICKS_MIN: usize = 2;
const RETRY_TICKS_SPREAD: u64 = 12;
/// What a survivor waits for each voter that may begin before it.
const RANK_TICKS: usize = 3;
/// How often a voter stands quickly while nobody has led yet.
const FIRST_TRIES: usize = 50;
/// The library's own timeout: never.
const NEVER_TICKS: usize = usize::MAX / 4;
/// A voter that is nowhere.
const NOBODY: BrokerId = BrokerId(i32::MAX - 1);
/// Messages to a follower that are on their way.
const INFLIGHT_MAX: usize = 64;

pub(crate) struct RaftNode {
    raw: RawNode<StoreView>,
    me: BrokerId,
    directory_id: Uuid,
    /// This node began with an empty directory.
    is_new: bool,
    history: VoterHistory,
    /// Those that the library has, in the order of their ids.
    voters: Vec<BrokerId>,
    /// Who is sent this leader's log without a vote.
    observers: BTreeSet<BrokerId>,
    rng: Arc<dyn Rng>,
    /// Ticks of silence after which this node begins an election.
    timeout: usize,
    /// How often it may still be short because nobody has led yet.
    first_tries: usize,
    /// The state in which it was drawn.
    drawn_in: (StateRole, u64),
    /// Who voted for this node in the epoch `granted.0`.
    granted: (u64, BTreeSet<BrokerId>),
    /// The last epoch whose leader change was made here.
    led: u64,
    /// The last write that was given out, and the last that is on the device.
    issued: u64,
    written: u64,
    /// The library's number of the last ready of all.
    last_ready: u64,
    /// The write that installs a snapshot.
    installing: Option<u64>,
    /// What leaves when a write is on the device.
    held: VecDeque<(u64, Vec<Message>)>,
}

impl RaftNode {
    pub fn new(start: NodeStart) -> RaftNode {
        let NodeStart {
            me,
            directory_id,
            is_new,
            voters: history,
            epoch: known,
            voted,
            store,
            committed,
            rng,
        } = start;
        let voters = counted(me, directory_id, history.latest());
        assert!(
            store.snapshot().end_offset <= committed && committed <= store.end(),
            "what is known is there"
        );
        // An epoch in the log was heard of.
        let (known, voted) =
            if store.last_epoch() > known { (store.last_epoch(), None) } else { (known, voted) };
        let hard_state =
            HardState { term: term(known), vote: voted.map_or(0, raft_id), commit: index(committed) };
        let conf_state = conf_state_of(me, &voters);
        let config = Config {
            id: raft_id(me),
            election_tick: ELECTION_TICKS_MIN,
            heartbeat_tick: HEARTBEAT_TICKS,
            min_election_tick: NEVER_TICKS,
            max_election_tick: NEVER_TICKS + 1,
            applied: index(committed),
            max_size_per_msg: NO_LIMIT,
            max_committed_size_per_ready: NO_LIMIT,
            max_uncommitted_size: NO_LIMIT,
            max_inflight_msgs: INFLIGHT_MAX,
            check_quorum: true,
            pre_vote: true,
            ..Config::default()
        };
        let silent = slog::Logger::root(slog::Discard, slog::o!());
        let raw = RawNode::new(&config, StoreView { log: store, hard_state, conf_state }, &silent)
            .expect("a configuration of constants and a log that was read");
        let drawn_in = (raw.raft.state, raw.raft.term);
        let mut node = RaftNode {
            raw,
            me,
            directory_id,
            is_new,
            history,
            voters,
            observers: BTreeSet::new(),
            rng,
            timeout: 0,
            first_tries: FIRST_TRIES,
            drawn_in,
            granted: (0, BTreeSet::new()),
            led: 0,
            issued: 0,
            written: 0,
            last_ready: 0,
            installing: None,
            held: VecDeque::new(),
        };
        node.draw_timeout();
        node
    }

    fn draw_timeout(&mut self) {
        let raft = &self.raw.raft;
        let is_first = raft.term == 0 && raft.raft_log.last_index() == 0 && self.first_tries > 0;
        let place = self.voters.iter().position(|voter| *voter == self.me);
        self.timeout = match place.filter(|_| is_first) {
            // No leader is to be waited for: a cluster begins, and its voters stand one after the other.
            Some(place) => {
                self.first_tries -= 1;
                1 + place * RANK_TICKS
            }
            None => {
                let spread = (ELECTION_TICKS_MAX - ELECTION_TICKS_MIN) as u64;
                ELECTION_TICKS_MIN + (self.rng.next_u64() % spread) as usize
            }
        };
        self.drawn_in = (self.raw.raft.state, self.raw.raft.term);
    }

    /// Another stands in the same epoch, so neither may win it: they try again soon, and not together.
    fn on_vote_refused(&mut self) {
        let raft = &self.raw.raft;
        if raft.state == StateRole::Candidate {
            let wait = RETRY_TICKS_MIN + (self.rng.next_u64() % RETRY_TICKS_SPREAD) as usize;
            self.timeout = self.timeout.min(raft.election_elapsed + wait);
        }
    }

    pub fn leadership(&self) -> Leadership {
        let raft = &self.raw.raft;
        let leader = (raft.leader_id != 0).then(|| node_id(raft.leader_id));
        Leadership { leader, epoch: epoch(raft.term) }
    }

    pub fn leads(&self) -> bool {
        self.raw.raft.state == StateRole::Leader
    }

    /// The offset that the next record gets.
    pub fn end(&self) -> Offset {
        end_of(self.raw.raft.raft_log.last_index())
    }

    /// Below it everything is committed, as far as this node knows.
    pub fn committed(&self) -> Offset {
        end_of(self.raw.raft.raft_log.committed)
    }

    /// What the voters have, as the leader knows; nothing elsewhere.
    pub fn progress(&self) -> Vec<VoterProgress> {
        if !self.leads() {
            return Vec::new();
        }
        let of = |id: &BrokerId| {
            let matched = self.raw.raft.prs().get(raft_id(*id)).map_or(0, |progress| progress.matched);
            VoterProgress { id: *id, end: end_of(matched) }
        };
        self.voters.iter().map(of).collect()
    }

    /// The last set in the log, with its place there.
    pub fn history(&self) -> &VoterHistory {
        &self.history
    }

    /// Whether the last set in the log has this node, with this directory.
    pub fn votes(&self) -> bool {
        self.voters.contains(&self.me)
    }

    /// A leader that has removed itself lets another lead when that is committed.
    fn leave_if_removed(&mut self, now_ms: i64) {
        let is_committed = self.history.last_change().is_none_or(|change| change.offset < self.committed());
        if self.leads() && !self.votes() && is_committed && self.raw.raft.lead_transferee.is_none() {
            self.hand_over(now_ms);
        }
    }

    /// 20 ms have passed.
    pub fn tick(&mut self, now_ms: i64) {
        self.raw.tick();
        let raft = &mut self.raw.raft;
        // Between a snapshot and its place on the device there is no log to stand with.
        let may_stand = raft.state != StateRole::Leader && raft.promotable() && self.installing.is_none();
        if may_stand && raft.election_elapsed >= self.timeout {
            raft.election_elapsed = 0;
            // Refused where this node is no voter; nothing follows then.
            drop(self.raw.campaign());
            self.draw_timeout();
        }
        self.leave_if_removed(now_ms);
        self.after(now_ms);
    }

    /// The leader's connection was closed: its lease is over here, as it is on each survivor at this moment. The
    /// voters behind it in the list begin one after the other, so that they do not collide.
    pub fn on_disconnected(&mut self, id: BrokerId) {
        let raft = &mut self.raw.raft;
        if raft.state == StateRole::Leader {
            // A snapshot that was on its way is not any more.
            if raft.prs().get(raft_id(id)).is_some_and(|progress| progress.state == ProgressState::Snapshot) {
                self.raw.report_snapshot(raft_id(id), SnapshotStatus::Failure);
            } else {
                self.raw.report_unreachable(raft_id(id));
            }
            return;
        }
        if raft.leader_id != raft_id(id) {
            return;
        }
        let place = |id: BrokerId| self.voters.iter().position(|voter| *voter == id);
        let (Some(leader), Some(mine)) = (place(id), place(self.me)) else { return };
        let rank = (mine + self.voters.len() - leader - 1) % self.voters.len();
        raft.election_elapsed = raft.election_elapsed.max(ELECTION_TICKS_MIN);
        self.timeout = raft.election_elapsed + rank * RANK_TICKS;
    }

    /// This leader is about to stop: the voter that has most takes over at once. Nothing is proposed from here on.
    pub fn hand_over(&mut self, now_ms: i64) {
        let is_active = |id: BrokerId| {
            self.raw.raft.prs().get(raft_id(id)).is_some_and(|progress| progress.recent_active)
        };
        let others = self.progress().into_iter().filter(|one| one.id != self.me && is_active(one.id));
        // Of those that have the same the first in the list.
        let next = others.rev().max_by_key(|one| one.end);
        if let Some(next) = next {
            self.raw.transfer_leader(raft_id(next.id));
            self.after(now_ms);
        }
    }

    /// A snapshot that this leader announced to a voter was not fetched.
    pub fn on_snapshot_failed(&mut self, to: BrokerId) {
        self.raw.report_snapshot(raft_id(to), SnapshotStatus::Failure);
    }

    /// The voters that were told to fetch a snapshot and have not.
    pub fn fetching(&self) -> Vec<BrokerId> {
        let is_fetching = |id: &BrokerId| {
            let progress = self.raw.raft.prs().get(raft_id(*id));
            self.leads() && progress.is_some_and(|progress| progress.state == ProgressState::Snapshot)
        };
        self.voters.iter().chain(&self.observers).copied().filter(is_fetching).collect()
    }

    /// Whether this node has nothing, and never had under its directory.
    pub fn is_blank(&self) -> bool {
        self.is_new && self.end() == Offset::ZERO
    }

    pub fn step(&mut self, from: BrokerId, message: PeerMessage, now_ms: i64) -> Result<(), LostLog> {
        let raft = &self.raw.raft;
        if message.kind == MessageKind::Heartbeat
            && message.term >= raft.term
            && message.commit > raft.raft_log.last_index()
        {
            // A leader names no commit that this voter has not acknowledged.
            let acknowledged = end_of(message.commit);
            return Err(LostLog { acknowledged, end: self.end() });
        }
        if message.kind == MessageKind::VoteResponse && !message.reject && message.term == raft.term {
            if self.granted.0 != raft.term {
                self.granted = (raft.term, BTreeSet::new());
            }
            self.granted.1.insert(from);
        }
        if message.kind == MessageKind::VoteResponse && message.reject && message.term == raft.term {
            self.on_vote_refused();
        }
        if message.kind == MessageKind::TimeoutNow && self.installing.is_some() {
            return Ok(());
        }
        let changes: Vec<Change> = message.entries.batches.iter().filter_map(change_of).collect();
        let snapshot = message.snapshot.map(|id| (id, self.history.of_snapshot(&message.context)));
        let conf_state = match &snapshot {
            Some((_, voters)) => conf_state_of(self.me, &counted(self.me, self.directory_id, voters)),
            None => ConfState::default(),
        };
        let message = of_peer(self.me, from, message, &conf_state);
        // A message that comes too late is refused, and that is all.
        drop(self.raw.step(message));
        if let Some((id, voters)) = snapshot {
            self.take_voters_of(id, voters);
        }
        self.take_changes(changes);
        self.after(now_ms);
        Ok(())
    }

    /// The leader's records behind those that are there. False: this node does not lead under `epoch`, or they do not
    /// follow; nothing was taken.
    pub fn propose(&mut self, batch: &StoredBatch, now_ms: i64) -> bool {
        let raft = &self.raw.raft;
        let follows = index(batch.base) == raft.raft_log.last_index() && term(batch.epoch) == raft.term;
        if !self.leads() || !follows {
            return false;
        }
        let mut entries = Vec::new();
        push_entries(&mut entries, batch, 0, u64::MAX);
        let message = Message {
            msg_type: MessageType::MsgPropose,
            from: raft_id(self.me),
            entries,
            ..Message::default()
        };
        let change = change_of(batch);
        if let Some(change) = &change {
            self.check_change(change);
        }
        let is_taken = self.raw.step(message).is_ok();
        if is_taken {
            self.take_changes(change.into_iter().collect());
        }
        self.after(now_ms);
        is_taken
    }

    /// All writes up to this one are on the device.
    pub fn on_written(&mut self, number: u64) {
        assert!(
            self.written <= number && number <= self.issued,
            "what was given out is written in its order"
        );
        self.written = number;
        self.installing = self.installing.filter(|write| *write > number);
        self.raw.mut_store().log.on_written(number);
        let persisted = if number == self.issued { self.last_ready } else { number };
        self.raw.on_persist_ready(persisted);
        if self.installing.is_none() {
            self.raw.advance_apply();
        }
    }

    /// This node's own snapshot is on the device.
    pub fn on_snapshot(&mut self, snapshot: SnapshotId) {
        self.raw.mut_store().log.compact(snapshot);
        self.history.compact(snapshot);
    }

    /// After each call into the library.
    fn after(&mut self, now_ms: i64) {
        if self.leads() && self.led != self.raw.raft.term {
            self.make_leader_change(now_ms);
        }
        if self.drawn_in != (self.raw.raft.state, self.raw.raft.term) {
            self.draw_timeout();
        }
        self.follow_voters();
    }

    /// A message as it leaves. A snapshot says who votes.
    fn to_peer(&self, message: Message) -> Option<(BrokerId, PeerMessage)> {
        let (to, mut message) = to_peer(message)?;
        if let (MessageKind::Snapshot, Some(id)) = (message.kind, message.snapshot) {
            message.context = self.history.to_snapshot(id);
        }
        Some((to, message))
    }

    /// Puts the control batch into the library's empty entry, also where that is on its way.
    fn make_leader_change(&mut self, now_ms: i64) {
        let raft = &mut self.raw.raft;
        let (term, last) = (raft.term, raft.raft_log.last_index());
        self.led = term;
        if self.granted.0 != term {
            self.granted = (term, BTreeSet::new());
        }
        self.granted.1.insert(self.me);
        let voter = |id: &BrokerId| LeaderChangeVoter { voter_id: id.0, ..LeaderChangeVoter::default() };
        let message = LeaderChangeMessage {
            leader_id: self.me.0,
            voters: self.voters.iter().map(voter).collect(),
            granting_voters: self.granted.1.iter().map(voter).collect(),
            ..LeaderChangeMessage::default()
        };
        let kind = ControlRecordType::LeaderChange;
        let bytes = encode_control(kind, &message, end_of(last - 1), epoch(term), now_ms);
        let fill = |entry: &mut Entry| {
            if entry.index == last && entry.term == term {
                assert!(entry.data.is_empty(), "a leader begins with an empty entry");
                entry.data = bytes.clone();
            }
        };
        raft.r.raft_log.unstable.entries.iter_mut().for_each(fill);
        raft.msgs.iter_mut().flat_map(|message| &mut message.entries).for_each(fill);
    }
}
