//! Kafka's `QuorumStateData`, record versions 0-1.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Versions 0-1.
#[derive(Clone, Debug, PartialEq)]
pub struct QuorumStateData {
    /// The cluster id. (versions 0)
    pub cluster_id: StrBytes,
    /// The leader id. (versions 0-1)
    pub leader_id: i32,
    /// The leader epoch. (versions 0-1)
    pub leader_epoch: i32,
    /// The voted id. (versions 0-1)
    pub voted_id: i32,
    /// The voted directory id. (versions 1)
    pub voted_directory_id: Uuid,
    /// The applied offset. (versions 0)
    pub applied_offset: i64,
    /// The current voters. (versions 0)
    pub current_voters: Option<Vec<Voter>>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for QuorumStateData {
    fn default() -> Self {
        Self {
            cluster_id: StrBytes::new(),
            leader_id: -1,
            leader_epoch: -1,
            voted_id: -1,
            voted_directory_id: Uuid::nil(),
            applied_offset: 0,
            current_voters: Some(Vec::new()),
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for QuorumStateData {
    const NAME: &'static str = "QuorumStateData";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 1;
}

impl Decode for QuorumStateData {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        if version == 0 {
            value.cluster_id = wire::get_string(buf, true)?;
        }
        value.leader_id = wire::get_i32(buf)?;
        value.leader_epoch = wire::get_i32(buf)?;
        value.voted_id = wire::get_i32(buf)?;
        if version == 1 {
            value.voted_directory_id = wire::get_uuid(buf)?;
        }
        if version == 0 {
            value.applied_offset = wire::get_i64(buf)?;
        }
        if version == 0 {
            value.current_voters =
                wire::get_nullable_array(buf, true, true, |buf| Voter::decode(buf, version))?;
        }
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for QuorumStateData {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        if version == 0 {
            wire::put_string(buf, true, &self.cluster_id)?;
        } else if !self.cluster_id.is_empty() {
            return Err(EncodeError::FieldNotInVersion { field: "ClusterId", version });
        }
        wire::put_i32(buf, self.leader_id);
        wire::put_i32(buf, self.leader_epoch);
        wire::put_i32(buf, self.voted_id);
        if version == 1 {
            wire::put_uuid(buf, self.voted_directory_id);
        } else if !self.voted_directory_id.is_nil() {
            return Err(EncodeError::FieldNotInVersion { field: "VotedDirectoryId", version });
        }
        if version == 0 {
            wire::put_i64(buf, self.applied_offset);
        } else if self.applied_offset != 0 {
            return Err(EncodeError::FieldNotInVersion { field: "AppliedOffset", version });
        }
        if version == 0 {
            wire::put_nullable_array(buf, true, true, self.current_voters.as_deref(), |buf, item| {
                item.encode(buf, version)
            })?;
        } else if self.current_voters.as_ref().is_none_or(|value| !value.is_empty()) {
            return Err(EncodeError::FieldNotInVersion { field: "CurrentVoters", version });
        }
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Voter {
    /// The voter id. (versions 0)
    pub voter_id: i32,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for Voter {
    const NAME: &'static str = "Voter";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for Voter {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.voter_id = wire::get_i32(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for Voter {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.voter_id);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
