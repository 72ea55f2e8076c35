//! The message types of the `raft` crate, written down instead of generated.
//! Core.
//!
//! The registry's raft-proto generates them with protoc, which a fresh machine does not have and which the generator's
//! helper ships for some platforms alone. Nothing of them is ever bytes here: between nodes go the frames of
//! `metadata/src/raft/wire.rs`. So what would encode or parse refuses.

pub mod eraftpb;

pub use eraftpb::{ConfChangeI, conf_state_eq, new_conf_change_single, stringify_conf_change};

pub mod prelude {
    pub use crate::eraftpb::{
        ConfChange, ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2, ConfState, Entry,
        EntryType, HardState, Message, MessageType, Snapshot, SnapshotMetadata,
    };
}
