//! Between the words of the `raft` library and Kafka's: indexes, terms, entries, messages, and its view of the log.
//! Core. Beside `node` the only file that names the types of the library.

use bytes::Bytes;
use ottla_model::{BrokerId, LeaderEpoch, Offset};
use raft::eraftpb::{ConfState, Entry, HardState, Message, MessageType, Snapshot, SnapshotMetadata};
use raft::{GetEntriesContext, RaftState, Storage, StorageError};

use super::log_store::{LogStore, StoredBatch};
use super::wire::{Entries, MessageKind, PeerMessage};
use crate::snapshot::SnapshotId;

/// Batches in a message, about.
const MESSAGE_BYTES: usize = 1 << 20;

/// The library's view of the log.
pub(super) struct StoreView {
    pub log: LogStore,
    pub hard_state: HardState,
    pub conf_state: ConfState,
}

pub(super) fn raft_id(id: BrokerId) -> u64 {
    // The library keeps 0 for nobody.
    u64::try_from(id.0).expect("ids of nodes are not negative") + 1
}

pub(super) fn node_id(id: u64) -> BrokerId {
    BrokerId(i32::try_from(id - 1).expect("an id of a node"))
}

pub(super) fn index(end: Offset) -> u64 {
    u64::try_from(end.0).expect("offsets are not negative")
}

pub(super) fn end_of(index: u64) -> Offset {
    Offset(index as i64)
}

pub(super) fn term(epoch: LeaderEpoch) -> u64 {
    u64::try_from(epoch.0).expect("epochs are not negative")
}

pub(super) fn epoch(term: u64) -> LeaderEpoch {
    LeaderEpoch(i32::try_from(term).expect("an epoch has 31 bits"))
}

/// The entries of a batch, from index `from` on.
pub(super) fn push_entries(entries: &mut Vec<Entry>, batch: &StoredBatch, from: u64, to: u64) {
    let first = index(batch.base) + 1;
    for number in first.max(from)..=index(batch.next).min(to) {
        let data = if number == first { batch.bytes.clone() } else { Bytes::new() };
        entries.push(Entry { term: term(batch.epoch), index: number, data, ..Entry::default() });
    }
}

impl Storage for StoreView {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState { hard_state: self.hard_state.clone(), conf_state: self.conf_state.clone() })
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        _: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low <= index(self.log.snapshot().end_offset) {
            return Err(StorageError::Compacted.into());
        }
        let batches = self
            .log
            .read(end_of(low - 1), end_of(high - 1), MESSAGE_BYTES)
            .map_err(|why| raft::Error::Io(std::io::Error::other(why)))?;
        let mut entries = Vec::new();
        batches.iter().for_each(|batch| push_entries(&mut entries, batch, low, high - 1));
        Ok(entries)
    }

    fn term(&self, idx: u64) -> raft::Result<u64> {
        match self.log.epoch_before(end_of(idx)) {
            Some(epoch) => Ok(term(epoch)),
            None if idx < index(self.log.snapshot().end_offset) => Err(StorageError::Compacted.into()),
            None => Err(StorageError::Unavailable.into()),
        }
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(index(self.log.snapshot().end_offset) + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(index(self.log.end()))
    }

    fn snapshot(&self, request_index: u64, _: u64) -> raft::Result<Snapshot> {
        let SnapshotId { end_offset, epoch } = self.log.snapshot();
        if index(end_offset) < request_index || end_offset == Offset::ZERO {
            return Err(StorageError::SnapshotTemporarilyUnavailable.into());
        }
        Ok(snapshot_of(end_offset, term(epoch), self.conf_state.clone()))
    }
}

pub(super) fn snapshot_of(end: Offset, term: u64, conf_state: ConfState) -> Snapshot {
    let metadata = SnapshotMetadata { conf_state: Some(conf_state), index: index(end), term };
    Snapshot { metadata: Some(metadata), ..Snapshot::default() }
}

/// The batch that an entry carries; `None` for a filler.
pub(super) fn batch_of(entry: Entry) -> Option<StoredBatch> {
    if entry.data.is_empty() {
        return None;
    }
    let batch = StoredBatch::parse(entry.data).expect("an entry carries a whole batch");
    assert!(
        index(batch.base) + 1 == entry.index && term(batch.epoch) == entry.term,
        "a batch stands at its own offset and epoch"
    );
    Some(batch)
}

/// What goes between voters; the library's other messages stay within one.
const KINDS: [(MessageKind, MessageType); 10] = [
    (MessageKind::Append, MessageType::MsgAppend),
    (MessageKind::AppendResponse, MessageType::MsgAppendResponse),
    (MessageKind::Vote, MessageType::MsgRequestVote),
    (MessageKind::VoteResponse, MessageType::MsgRequestVoteResponse),
    (MessageKind::PreVote, MessageType::MsgRequestPreVote),
    (MessageKind::PreVoteResponse, MessageType::MsgRequestPreVoteResponse),
    (MessageKind::Heartbeat, MessageType::MsgHeartbeat),
    (MessageKind::HeartbeatResponse, MessageType::MsgHeartbeatResponse),
    (MessageKind::Snapshot, MessageType::MsgSnapshot),
    (MessageKind::TimeoutNow, MessageType::MsgTimeoutNow),
];

fn kind_of(of: MessageType) -> Option<MessageKind> {
    KINDS.iter().find(|(_, known)| *known == of).map(|(kind, _)| *kind)
}

fn type_of(kind: MessageKind) -> MessageType {
    KINDS.iter().find(|(known, _)| *known == kind).expect("every kind has its type").1
}

/// A message of the library's as it goes to a peer.
pub(super) fn to_peer(message: Message) -> Option<(BrokerId, PeerMessage)> {
    let kind = kind_of(message.msg_type)?;
    let metadata = message.get_snapshot().get_metadata();
    let snapshot = (metadata.index != 0)
        .then(|| SnapshotId { end_offset: end_of(metadata.index), epoch: epoch(metadata.term) });
    let mut entries = Entries::default();
    for entry in message.entries {
        if entry.data.is_empty() && entries.batches.is_empty() {
            entries.rest += 1;
            entries.rest_term = entry.term;
        } else {
            entries.batches.extend(batch_of(entry));
        }
    }
    let peer = PeerMessage {
        kind,
        term: message.term,
        log_term: message.log_term,
        index: message.index,
        commit: message.commit,
        commit_term: message.commit_term,
        reject: message.reject,
        reject_hint: message.reject_hint,
        request_snapshot: message.request_snapshot,
        snapshot,
        context: message.context,
        entries,
    };
    Some((node_id(message.to), peer))
}

/// A peer's message as the library takes it.
pub(super) fn of_peer(me: BrokerId, from: BrokerId, message: PeerMessage, conf_state: &ConfState) -> Message {
    let mut entries = Vec::new();
    let Entries { rest, rest_term, batches } = message.entries;
    for number in 0..u64::from(rest) {
        entries.push(Entry { term: rest_term, index: message.index + 1 + number, ..Entry::default() });
    }
    batches.iter().for_each(|batch| push_entries(&mut entries, batch, 0, u64::MAX));
    let snapshot = message
        .snapshot
        .map(|SnapshotId { end_offset, epoch }| snapshot_of(end_offset, term(epoch), conf_state.clone()));
    Message {
        msg_type: type_of(message.kind),
        to: raft_id(me),
        from: raft_id(from),
        term: message.term,
        log_term: message.log_term,
        index: message.index,
        entries,
        commit: message.commit,
        commit_term: message.commit_term,
        snapshot,
        request_snapshot: message.request_snapshot,
        reject: message.reject,
        reject_hint: message.reject_hint,
        context: message.context,
        ..Message::default()
    }
}
