//! The frames that voters send each other. They are no Kafka API: only voters of one cluster read them.
//! Core.
//!
//! ```text
//! frame: version u8 (1; 2 where the sender's log says who votes) | kind u8 | cluster id: length u8, text (empty: none yet) | directory id, 16 bytes | body
//! kind 1, asks for the cluster's id: no body        kind 2, answers it: no body
//! kind 3, a message of the quorum: message kind u8 | flags u8 (1: rejects, 2: names a snapshot) | term u64 |
//!         log term u64 | index u64 | commit u64 | commit term u64 | reject hint u64 | request snapshot u64 |
//!         snapshot: end offset i64, epoch i32 (flag 2 alone) | context: length u16, bytes |
//!         records of an earlier batch u32, their term u64 | record batches, to the end
//! kind 4, asks for a part of a snapshot: end offset i64 | epoch i32 | position u64
//! kind 6, refuses the receiver, of whom another directory is known: that directory's id, 16 bytes
//! kind 7, a node without a vote asks to be sent the log: a VotersRecord with this node alone
//! kind 8, answers kind 7 where another leads: a VotersRecord with the leader alone
//! kind 5, a part of a snapshot: end offset i64 | epoch i32 | position u64 | length of the file u64 | bytes, to the end
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};
use ottla_model::{LeaderEpoch, Offset};
use ottla_protocol::codec::{Decode, Encode};
use ottla_protocol::records::control::VotersRecord;
use uuid::Uuid;

use super::log_store::StoredBatch;
use crate::snapshot::SnapshotId;
use crate::voter_set::{VoterNode, VoterSet};

const VERSION: u8 = 1;
const VERSION_LOGGED: u8 = 2;
const ASK: u8 = 1;
const ANSWER: u8 = 2;
const MESSAGE: u8 = 3;
const FETCH_SNAPSHOT: u8 = 4;
const SNAPSHOT_PART: u8 = 5;
const REFUSED: u8 = 6;
const OBSERVE: u8 = 7;
const LEADER: u8 = 8;
/// Records that the rest of a batch has at most.
const REST_MAX: u32 = 1 << 22;
const REJECTS: u8 = 1;
const NAMES_SNAPSHOT: u8 = 2;

/// What one voter tells another.
#[derive(Clone, PartialEq, Debug)]
pub struct Frame {
    /// The sender's cluster; empty where it does not belong to one yet.
    pub cluster_id: String,
    /// The directory that holds the sender's log and vote; nil where it has none yet.
    pub directory_id: Uuid,
    /// Whether the sender knows by its log who votes (kraft.version 1), and not by its configuration.
    pub is_logged: bool,
    pub body: Body,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    /// Which cluster does the other belong to?
    AskClusterId,
    /// The head of the frame says it.
    ClusterId,
    Message(PeerMessage),
    FetchSnapshot {
        id: SnapshotId,
        position: u64,
    },
    SnapshotPart {
        id: SnapshotId,
        position: u64,
        /// Of the whole file.
        file_bytes: u64,
        bytes: Bytes,
    },
    /// The receiver voted with this directory before, and comes with another.
    Refused(Uuid),
    /// The sender has no vote and asks to be sent the log.
    Observe(VoterNode),
    /// Who leads, for a node that asked another.
    Leader(VoterNode),
}

/// What a message of the quorum is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageKind {
    Append = 1,
    AppendResponse = 2,
    Vote = 3,
    VoteResponse = 4,
    PreVote = 5,
    PreVoteResponse = 6,
    Heartbeat = 7,
    HeartbeatResponse = 8,
    Snapshot = 9,
    TimeoutNow = 10,
}

/// A message of the quorum. Indexes are end offsets, terms are leader epochs.
#[derive(Clone, PartialEq, Debug)]
pub struct PeerMessage {
    pub kind: MessageKind,
    pub term: u64,
    pub log_term: u64,
    pub index: u64,
    pub commit: u64,
    pub commit_term: u64,
    pub reject: bool,
    pub reject_hint: u64,
    pub request_snapshot: u64,
    pub snapshot: Option<SnapshotId>,
    pub context: Bytes,
    pub entries: Entries,
}

/// Records behind `index` of a message.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Entries {
    /// Records of a batch that began at or before `index`: the receiver has it.
    pub rest: u32,
    pub rest_term: u64,
    pub batches: Vec<StoredBatch>,
}

/// Bytes that are no frame of this version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a frame of a voter")]
pub struct MalformedFrame;

impl From<bytes::TryGetError> for MalformedFrame {
    fn from(_: bytes::TryGetError) -> MalformedFrame {
        MalformedFrame
    }
}

impl Frame {
    /// By what it is judged whether it is heard.
    pub(super) fn head(&self) -> (&str, Uuid, bool) {
        (&self.cluster_id, self.directory_id, self.is_logged)
    }

    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_u8(if self.is_logged { VERSION_LOGGED } else { VERSION });
        out.put_u8(match &self.body {
            Body::AskClusterId => ASK,
            Body::ClusterId => ANSWER,
            Body::Message(_) => MESSAGE,
            Body::FetchSnapshot { .. } => FETCH_SNAPSHOT,
            Body::SnapshotPart { .. } => SNAPSHOT_PART,
            Body::Refused(_) => REFUSED,
            Body::Observe(_) => OBSERVE,
            Body::Leader(_) => LEADER,
        });
        let length = u8::try_from(self.cluster_id.len()).expect("an id of a cluster is short");
        out.put_u8(length);
        out.put_slice(self.cluster_id.as_bytes());
        out.put_slice(self.directory_id.as_bytes());
        match &self.body {
            Body::AskClusterId | Body::ClusterId => {}
            Body::Message(message) => message.encode(&mut out),
            Body::Refused(directory_id) => out.put_slice(directory_id.as_bytes()),
            Body::Observe(node) | Body::Leader(node) => {
                let record = VoterSet::new([node.clone()]).to_record();
                out.put_slice(&record.encoded(0).expect("version 0 holds every field"));
            }
            Body::FetchSnapshot { id, position } => {
                put_snapshot(&mut out, *id);
                out.put_u64(*position);
            }
            Body::SnapshotPart { id, position, file_bytes, bytes } => {
                put_snapshot(&mut out, *id);
                out.put_u64(*position);
                out.put_u64(*file_bytes);
                out.put_slice(bytes);
            }
        }
        out.freeze()
    }

    pub fn decode(mut bytes: Bytes) -> Result<Frame, MalformedFrame> {
        let is_logged = match bytes.try_get_u8()? {
            VERSION => false,
            VERSION_LOGGED => true,
            _ => return Err(MalformedFrame),
        };
        let kind = bytes.try_get_u8()?;
        let length = usize::from(bytes.try_get_u8()?);
        let cluster_id = take(&mut bytes, length)?;
        let cluster_id = String::from_utf8(cluster_id.to_vec()).map_err(|_| MalformedFrame)?;
        let directory_id = take(&mut bytes, 16)?;
        let directory_id = Uuid::from_slice(&directory_id).map_err(|_| MalformedFrame)?;
        let body = match kind {
            ASK => Body::AskClusterId,
            ANSWER => Body::ClusterId,
            MESSAGE => Body::Message(PeerMessage::decode(&mut bytes)?),
            FETCH_SNAPSHOT => {
                Body::FetchSnapshot { id: get_snapshot(&mut bytes)?, position: bytes.try_get_u64()? }
            }
            SNAPSHOT_PART => Body::SnapshotPart {
                id: get_snapshot(&mut bytes)?,
                position: bytes.try_get_u64()?,
                file_bytes: bytes.try_get_u64()?,
                bytes: std::mem::take(&mut bytes),
            },
            OBSERVE => Body::Observe(get_node(&mut bytes)?),
            LEADER => Body::Leader(get_node(&mut bytes)?),
            REFUSED => {
                let directory_id = take(&mut bytes, 16)?;
                Body::Refused(Uuid::from_slice(&directory_id).map_err(|_| MalformedFrame)?)
            }
            _ => return Err(MalformedFrame),
        };
        if bytes.has_remaining() {
            return Err(MalformedFrame);
        }
        Ok(Frame { cluster_id, directory_id, is_logged, body })
    }
}

impl MessageKind {
    /// Whether a voter says by it that it follows, or whom it votes for.
    pub(super) fn is_answer(self) -> bool {
        use MessageKind::*;
        matches!(self, AppendResponse | VoteResponse | PreVoteResponse | HeartbeatResponse)
    }

    fn of(code: u8) -> Option<MessageKind> {
        use MessageKind::*;
        let kinds = [
            Append,
            AppendResponse,
            Vote,
            VoteResponse,
            PreVote,
            PreVoteResponse,
            Heartbeat,
            HeartbeatResponse,
            Snapshot,
            TimeoutNow,
        ];
        kinds.into_iter().find(|kind| *kind as u8 == code)
    }
}

impl PeerMessage {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(self.kind as u8);
        let rejects = if self.reject { REJECTS } else { 0 };
        out.put_u8(rejects | if self.snapshot.is_some() { NAMES_SNAPSHOT } else { 0 });
        let numbers = [
            self.term,
            self.log_term,
            self.index,
            self.commit,
            self.commit_term,
            self.reject_hint,
            self.request_snapshot,
        ];
        numbers.into_iter().for_each(|number| out.put_u64(number));
        if let Some(snapshot) = self.snapshot {
            put_snapshot(out, snapshot);
        }
        out.put_u16(u16::try_from(self.context.len()).expect("a context is short"));
        out.put_slice(&self.context);
        out.put_u32(self.entries.rest);
        out.put_u64(self.entries.rest_term);
        self.entries.batches.iter().for_each(|batch| out.put_slice(&batch.bytes));
    }

    fn decode(bytes: &mut Bytes) -> Result<PeerMessage, MalformedFrame> {
        let kind = MessageKind::of(bytes.try_get_u8()?).ok_or(MalformedFrame)?;
        let flags = bytes.try_get_u8()?;
        let mut number = || bytes.try_get_u64();
        let [term, log_term, index, commit, commit_term, reject_hint, request_snapshot] =
            [number()?, number()?, number()?, number()?, number()?, number()?, number()?];
        // Epochs have 31 bits, offsets 63.
        if term > i32::MAX as u64 || log_term > i32::MAX as u64 || index > i64::MAX as u64 {
            return Err(MalformedFrame);
        }
        let snapshot = if flags & NAMES_SNAPSHOT != 0 { Some(get_snapshot(bytes)?) } else { None };
        let length = usize::from(bytes.try_get_u16()?);
        let context = take(bytes, length)?;
        let (rest, rest_term) = (bytes.try_get_u32()?, bytes.try_get_u64()?);
        if rest > REST_MAX {
            return Err(MalformedFrame);
        }
        let batches = StoredBatch::parse_all(&std::mem::take(bytes)).ok_or(MalformedFrame)?;
        let mut next = Offset(index as i64) + i64::from(rest);
        for batch in &batches {
            if batch.base != next {
                return Err(MalformedFrame);
            }
            next = batch.next;
        }
        Ok(PeerMessage {
            kind,
            term,
            log_term,
            index,
            commit,
            commit_term,
            reject: flags & REJECTS != 0,
            reject_hint,
            request_snapshot,
            snapshot,
            context,
            entries: Entries { rest, rest_term, batches },
        })
    }
}

fn put_snapshot(out: &mut BytesMut, id: SnapshotId) {
    out.put_i64(id.end_offset.0);
    out.put_i32(id.epoch.0);
}

fn get_node(bytes: &mut Bytes) -> Result<VoterNode, MalformedFrame> {
    let record = VotersRecord::decode(bytes, 0).map_err(|_| MalformedFrame)?;
    let mut nodes = VoterSet::of_record(&record).iter().cloned().collect::<Vec<_>>();
    nodes.pop().filter(|_| nodes.is_empty()).ok_or(MalformedFrame)
}

fn get_snapshot(bytes: &mut Bytes) -> Result<SnapshotId, MalformedFrame> {
    let (end_offset, epoch) = (Offset(bytes.try_get_i64()?), LeaderEpoch(bytes.try_get_i32()?));
    if end_offset.0 <= 0 || epoch.0 < 0 {
        return Err(MalformedFrame);
    }
    Ok(SnapshotId { end_offset, epoch })
}

fn take(bytes: &mut Bytes, length: usize) -> Result<Bytes, MalformedFrame> {
    if bytes.remaining() < length {
        return Err(MalformedFrame);
    }
    Ok(bytes.split_to(length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::encode_control;
    use ottla_protocol::records::control::LeaderChangeMessage;
    use ottla_records::ControlRecordType;

    fn message() -> PeerMessage {
        let kind = ControlRecordType::LeaderChange;
        let change = LeaderChangeMessage { leader_id: 3, ..LeaderChangeMessage::default() };
        let bytes = encode_control(kind, &change, Offset(9), LeaderEpoch(4), 0);
        PeerMessage {
            kind: MessageKind::Append,
            term: 4,
            log_term: 3,
            index: 7,
            commit: 6,
            commit_term: 0,
            reject: true,
            reject_hint: 5,
            request_snapshot: 2,
            snapshot: Some(SnapshotId { end_offset: Offset(3), epoch: LeaderEpoch(1) }),
            context: Bytes::from_static(b"why"),
            entries: Entries {
                rest: 2,
                rest_term: 3,
                batches: vec![StoredBatch::parse(bytes).expect("a batch")],
            },
        }
    }

    #[test]
    fn a_frame_comes_back_and_a_part_of_it_does_not() {
        let id = SnapshotId { end_offset: Offset(3), epoch: LeaderEpoch(1) };
        for body in [
            Body::AskClusterId,
            Body::ClusterId,
            Body::Message(message()),
            Body::FetchSnapshot { id, position: 77 },
            Body::Refused(Uuid::from_u128(8)),
            Body::Observe(VoterNode {
                id: ottla_model::BrokerId(4),
                directory_id: Uuid::from_u128(7),
                endpoints: Vec::new(),
                kraft_versions: (0, 1),
            }),
        ] {
            let cluster_id = "AAAAAAAAAAAAAAAAAAAAAQ".to_owned();
            let is_logged = matches!(body, Body::Observe(_));
            let frame = Frame { cluster_id, directory_id: Uuid::from_u128(7), is_logged, body };
            let bytes = frame.encode();
            let batches_at = match &frame.body {
                Body::Message(message) => bytes.len() - message.entries.batches[0].bytes.len(),
                _ => bytes.len(),
            };
            assert_eq!(Frame::decode(bytes.clone()), Ok(frame));
            for length in (0..bytes.len()).filter(|length| *length != batches_at) {
                assert_eq!(Frame::decode(bytes.slice(..length)), Err(MalformedFrame), "{length}");
            }
        }
        let bytes = Bytes::from_static(b"part");
        let body = Body::SnapshotPart { id, position: 5, file_bytes: 9, bytes };
        let (cluster_id, is_logged) = (String::new(), true);
        let frame = Frame { cluster_id, directory_id: Uuid::nil(), is_logged, body };
        assert_eq!(Frame::decode(frame.encode()), Ok(frame));
    }

    #[test]
    fn batches_that_do_not_follow_and_damaged_ones_are_refused() {
        let frame = |message| Frame {
            cluster_id: String::new(),
            directory_id: Uuid::nil(),
            is_logged: false,
            body: Body::Message(message),
        };
        let moved = PeerMessage { index: 8, ..message() };
        assert_eq!(Frame::decode(frame(moved).encode()), Err(MalformedFrame));
        let mut damaged = BytesMut::from(&frame(message()).encode()[..]);
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        assert_eq!(Frame::decode(damaged.freeze()), Err(MalformedFrame));
    }
}
