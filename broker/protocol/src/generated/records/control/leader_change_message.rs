//! Kafka's `LeaderChangeMessage`, record versions 0-1.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Versions 0-1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LeaderChangeMessage {
    /// The version of the leader change message. (versions 0-1)
    pub version: i16,
    /// The ID of the newly elected leader. (versions 0-1)
    pub leader_id: i32,
    /// The set of voters in the quorum for this epoch. (versions 0-1)
    pub voters: Vec<Voter>,
    /// The voters who voted for the leader at the time of election. (versions 0-1)
    pub granting_voters: Vec<Voter>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for LeaderChangeMessage {
    const NAME: &'static str = "LeaderChangeMessage";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 1;
}

impl Decode for LeaderChangeMessage {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.version = wire::get_i16(buf)?;
        value.leader_id = wire::get_i32(buf)?;
        value.voters = wire::get_array(buf, true, |buf| Voter::decode(buf, version))?;
        value.granting_voters = wire::get_array(buf, true, |buf| Voter::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for LeaderChangeMessage {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i16(buf, self.version);
        wire::put_i32(buf, self.leader_id);
        wire::put_array(buf, true, &self.voters, |buf, item| item.encode(buf, version))?;
        wire::put_array(buf, true, &self.granting_voters, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0-1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Voter {
    /// The ID of the voter. (versions 0-1)
    pub voter_id: i32,
    /// The directory id of the voter. (versions 1)
    pub voter_directory_id: Uuid,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for Voter {
    const NAME: &'static str = "Voter";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 1;
}

impl Decode for Voter {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.voter_id = wire::get_i32(buf)?;
        if version == 1 {
            value.voter_directory_id = wire::get_uuid(buf)?;
        }
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for Voter {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.voter_id);
        if version == 1 {
            wire::put_uuid(buf, self.voter_directory_id);
        } else if !self.voter_directory_id.is_nil() {
            return Err(EncodeError::FieldNotInVersion { field: "VoterDirectoryId", version });
        }
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
