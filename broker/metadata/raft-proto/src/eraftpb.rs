//! The messages of eraftpb.proto as plain values, with the accessors that `raft` calls.
//! Core.

use std::any::Any;
use std::borrow::Cow;
use std::fmt::Write;
use std::sync::LazyLock;

use bytes::Bytes;
use protobuf::reflect::MessageDescriptor;
use protobuf::{CodedInputStream, CodedOutputStream, ProtobufResult, UnknownFields};

/// Nothing here is ever written to or read from bytes.
fn refused<T>() -> ProtobufResult<T> {
    Err(std::io::Error::from(std::io::ErrorKind::Unsupported).into())
}

/// A message whose length matters to nobody.
fn no_length<M>(_: &M) -> u32 {
    0
}

macro_rules! message {
    ($(#[$doc:meta])* $name:ident, $length:expr, { $($field:ident: $ty:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Debug, Default)]
        pub struct $name {
            $(pub $field: $ty),*
        }

        impl protobuf::Clear for $name {
            fn clear(&mut self) {
                *self = $name::default();
            }
        }

        impl protobuf::Message for $name {
            fn descriptor(&self) -> &'static MessageDescriptor {
                unreachable!("nobody reflects on raft's messages")
            }

            fn is_initialized(&self) -> bool {
                true
            }

            fn merge_from(&mut self, _: &mut CodedInputStream<'_>) -> ProtobufResult<()> {
                refused()
            }

            fn write_to_with_cached_sizes(&self, _: &mut CodedOutputStream<'_>) -> ProtobufResult<()> {
                refused()
            }

            fn compute_size(&self) -> u32 {
                $length(self)
            }

            fn get_cached_size(&self) -> u32 {
                $length(self)
            }

            fn get_unknown_fields(&self) -> &UnknownFields {
                static NONE: LazyLock<UnknownFields> = LazyLock::new(UnknownFields::new);
                &NONE
            }

            fn mut_unknown_fields(&mut self) -> &mut UnknownFields {
                unreachable!("raft's messages have no unknown fields")
            }

            fn as_any(&self) -> &dyn Any {
                self
            }

            fn new() -> $name {
                $name::default()
            }

            fn default_instance() -> &'static $name {
                static DEFAULT: LazyLock<$name> = LazyLock::new($name::default);
                &DEFAULT
            }
        }
    };
}

macro_rules! kinds {
    ($name:ident { $first:ident, $($kind:ident),* $(,)? }) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
        pub enum $name {
            #[default]
            $first,
            $($kind),*
        }
    };
}

kinds!(EntryType { EntryNormal, EntryConfChange, EntryConfChangeV2 });
kinds!(MessageType {
    MsgHup,
    MsgBeat,
    MsgPropose,
    MsgAppend,
    MsgAppendResponse,
    MsgRequestVote,
    MsgRequestVoteResponse,
    MsgSnapshot,
    MsgHeartbeat,
    MsgHeartbeatResponse,
    MsgUnreachable,
    MsgSnapStatus,
    MsgCheckQuorum,
    MsgTransferLeader,
    MsgTimeoutNow,
    MsgReadIndex,
    MsgReadIndexResp,
    MsgRequestPreVote,
    MsgRequestPreVoteResponse,
});
kinds!(ConfChangeTransition { Auto, Implicit, Explicit });
kinds!(ConfChangeType { AddNode, RemoveNode, AddLearnerNode });

message!(Entry, |entry: &Entry| (entry.data.len() + entry.context.len()) as u32 + 16, {
    entry_type: EntryType,
    term: u64,
    index: u64,
    data: Bytes,
    context: Bytes,
});
message!(SnapshotMetadata, no_length, { conf_state: Option<ConfState>, index: u64, term: u64 });
message!(Snapshot, no_length, { data: Bytes, metadata: Option<SnapshotMetadata> });
message!(HardState, no_length, { term: u64, vote: u64, commit: u64 });
message!(ConfState, no_length, {
    voters: Vec<u64>,
    learners: Vec<u64>,
    voters_outgoing: Vec<u64>,
    learners_next: Vec<u64>,
    auto_leave: bool,
});
message!(ConfChange, no_length, {
    id: u64,
    change_type: ConfChangeType,
    node_id: u64,
    context: Bytes,
});
message!(ConfChangeSingle, no_length, { change_type: ConfChangeType, node_id: u64 });
message!(ConfChangeV2, no_length, {
    transition: ConfChangeTransition,
    changes: Vec<ConfChangeSingle>,
    context: Bytes,
});
message!(Message, no_length, {
    msg_type: MessageType,
    to: u64,
    from: u64,
    term: u64,
    log_term: u64,
    index: u64,
    entries: Vec<Entry>,
    commit: u64,
    commit_term: u64,
    snapshot: Option<Snapshot>,
    request_snapshot: u64,
    reject: bool,
    reject_hint: u64,
    context: Bytes,
    deprecated_priority: u64,
    priority: i64,
});

impl Entry {
    pub fn get_entry_type(&self) -> EntryType {
        self.entry_type
    }

    pub fn set_entry_type(&mut self, entry_type: EntryType) {
        self.entry_type = entry_type;
    }

    pub fn get_index(&self) -> u64 {
        self.index
    }

    pub fn get_term(&self) -> u64 {
        self.term
    }

    pub fn get_data(&self) -> &[u8] {
        &self.data
    }

    pub fn take_data(&mut self) -> Bytes {
        std::mem::take(&mut self.data)
    }

    pub fn get_context(&self) -> &[u8] {
        &self.context
    }
}

static NO_METADATA: SnapshotMetadata = SnapshotMetadata { conf_state: None, index: 0, term: 0 };
static NO_SNAPSHOT: Snapshot = Snapshot { data: Bytes::new(), metadata: None };
static NO_CONF_STATE: ConfState = ConfState {
    voters: Vec::new(),
    learners: Vec::new(),
    voters_outgoing: Vec::new(),
    learners_next: Vec::new(),
    auto_leave: false,
};

impl SnapshotMetadata {
    pub fn get_conf_state(&self) -> &ConfState {
        self.conf_state.as_ref().unwrap_or(&NO_CONF_STATE)
    }

    pub fn set_conf_state(&mut self, conf_state: ConfState) {
        self.conf_state = Some(conf_state);
    }

    pub fn mut_conf_state(&mut self) -> &mut ConfState {
        self.conf_state.get_or_insert_default()
    }

    pub fn take_conf_state(&mut self) -> ConfState {
        self.conf_state.take().unwrap_or_default()
    }
}

impl Snapshot {
    pub fn is_empty(&self) -> bool {
        self.get_metadata().index == 0
    }

    pub fn get_metadata(&self) -> &SnapshotMetadata {
        self.metadata.as_ref().unwrap_or(&NO_METADATA)
    }

    pub fn mut_metadata(&mut self) -> &mut SnapshotMetadata {
        self.metadata.get_or_insert_default()
    }

    pub fn set_metadata(&mut self, metadata: SnapshotMetadata) {
        self.metadata = Some(metadata);
    }

    pub fn take_metadata(&mut self) -> SnapshotMetadata {
        self.metadata.take().unwrap_or_default()
    }

    pub fn get_data(&self) -> &[u8] {
        &self.data
    }
}

impl Message {
    pub fn get_msg_type(&self) -> MessageType {
        self.msg_type
    }

    pub fn set_msg_type(&mut self, msg_type: MessageType) {
        self.msg_type = msg_type;
    }

    pub fn get_index(&self) -> u64 {
        self.index
    }

    pub fn set_index(&mut self, index: u64) {
        self.index = index;
    }

    pub fn set_commit(&mut self, commit: u64) {
        self.commit = commit;
    }

    pub fn get_entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn mut_entries(&mut self) -> &mut Vec<Entry> {
        &mut self.entries
    }

    pub fn set_entries(&mut self, entries: Vec<Entry>) {
        self.entries = entries;
    }

    pub fn take_entries(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }

    pub fn take_context(&mut self) -> Bytes {
        std::mem::take(&mut self.context)
    }

    pub fn get_snapshot(&self) -> &Snapshot {
        self.snapshot.as_ref().unwrap_or(&NO_SNAPSHOT)
    }

    pub fn set_snapshot(&mut self, snapshot: Snapshot) {
        self.snapshot = Some(snapshot);
    }

    pub fn take_snapshot(&mut self) -> Snapshot {
        self.snapshot.take().unwrap_or_default()
    }
}

impl HardState {
    pub fn set_commit(&mut self, commit: u64) {
        self.commit = commit;
    }
}

impl ConfState {
    pub fn get_voters(&self) -> &[u64] {
        &self.voters
    }

    pub fn get_learners(&self) -> &[u64] {
        &self.learners
    }

    pub fn get_voters_outgoing(&self) -> &[u64] {
        &self.voters_outgoing
    }

    pub fn get_learners_next(&self) -> &[u64] {
        &self.learners_next
    }

    pub fn get_auto_leave(&self) -> bool {
        self.auto_leave
    }

    pub fn set_voters(&mut self, voters: Vec<u64>) {
        self.voters = voters;
    }

    pub fn set_learners(&mut self, learners: Vec<u64>) {
        self.learners = learners;
    }

    pub fn set_voters_outgoing(&mut self, voters: Vec<u64>) {
        self.voters_outgoing = voters;
    }

    pub fn set_learners_next(&mut self, learners: Vec<u64>) {
        self.learners_next = learners;
    }
}

impl<V: IntoIterator<Item = u64>, L: IntoIterator<Item = u64>> From<(V, L)> for ConfState {
    fn from((voters, learners): (V, L)) -> ConfState {
        let (voters, learners) = (voters.into_iter().collect(), learners.into_iter().collect());
        ConfState { voters, learners, ..ConfState::default() }
    }
}

/// Whether two configurations name the same nodes, in whatever order.
#[must_use]
pub fn conf_state_eq(one: &ConfState, other: &ConfState) -> bool {
    let sorted = |ids: &[u64]| {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids
    };
    let parts = |state: &ConfState| {
        [&state.voters, &state.learners, &state.voters_outgoing, &state.learners_next].map(|ids| sorted(ids))
    };
    one.auto_leave == other.auto_leave && parts(one) == parts(other)
}

impl ConfChange {
    pub fn get_change_type(&self) -> ConfChangeType {
        self.change_type
    }
}

impl ConfChangeSingle {
    pub fn get_change_type(&self) -> ConfChangeType {
        self.change_type
    }
}

impl ConfChangeV2 {
    pub fn get_transition(&self) -> ConfChangeTransition {
        self.transition
    }

    pub fn set_changes(&mut self, changes: Vec<ConfChangeSingle>) {
        self.changes = changes;
    }

    pub fn get_changes(&self) -> &[ConfChangeSingle] {
        &self.changes
    }

    /// Whether this change takes two steps (joint consensus), and if so whether the second follows by itself.
    pub fn enter_joint(&self) -> Option<bool> {
        let is_joint = self.transition != ConfChangeTransition::Auto || self.changes.len() > 1;
        is_joint.then_some(self.transition != ConfChangeTransition::Explicit)
    }

    /// Whether this is the second of the two steps.
    pub fn leave_joint(&self) -> bool {
        self.transition == ConfChangeTransition::Auto && self.changes.is_empty()
    }
}

/// A change of one node, or of several.
pub trait ConfChangeI {
    fn into_v2(self) -> ConfChangeV2;
    fn as_v2(&self) -> Cow<'_, ConfChangeV2>;
    fn as_v1(&self) -> Option<&ConfChange>;
}

impl ConfChangeI for ConfChange {
    fn into_v2(self) -> ConfChangeV2 {
        let change = new_conf_change_single(self.node_id, self.change_type);
        ConfChangeV2 { changes: vec![change], context: self.context, ..ConfChangeV2::default() }
    }

    fn as_v2(&self) -> Cow<'_, ConfChangeV2> {
        Cow::Owned(self.clone().into_v2())
    }

    fn as_v1(&self) -> Option<&ConfChange> {
        Some(self)
    }
}

impl ConfChangeI for ConfChangeV2 {
    fn into_v2(self) -> ConfChangeV2 {
        self
    }

    fn as_v2(&self) -> Cow<'_, ConfChangeV2> {
        Cow::Borrowed(self)
    }

    fn as_v1(&self) -> Option<&ConfChange> {
        None
    }
}

pub fn new_conf_change_single(node_id: u64, change_type: ConfChangeType) -> ConfChangeSingle {
    ConfChangeSingle { change_type, node_id }
}

/// As a person reads it: `v1 l2 r3`.
pub fn stringify_conf_change(changes: &[ConfChangeSingle]) -> String {
    let mut text = String::new();
    for change in changes {
        let space = if text.is_empty() { "" } else { " " };
        let letter = match change.change_type {
            ConfChangeType::AddNode => 'v',
            ConfChangeType::AddLearnerNode => 'l',
            ConfChangeType::RemoveNode => 'r',
        };
        write!(text, "{space}{letter}{}", change.node_id).expect("a string takes everything");
    }
    text
}
