//! Kafka's `VotersRecord`, record versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VotersRecord {
    /// The version of the voters record. (versions 0)
    pub version: i16,
    /// The set of voters in the quorum for this epoch. (versions 0)
    pub voters: Vec<Voter>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for VotersRecord {
    const NAME: &'static str = "VotersRecord";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for VotersRecord {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.version = wire::get_i16(buf)?;
        value.voters = wire::get_array(buf, true, |buf| Voter::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for VotersRecord {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i16(buf, self.version);
        wire::put_array(buf, true, &self.voters, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Voter {
    /// The replica id of the voter in the topic partition. (versions 0)
    pub voter_id: i32,
    /// The directory id of the voter in the topic partition. (versions 0)
    pub voter_directory_id: Uuid,
    /// The endpoint that can be used to communicate with the voter. (versions 0)
    pub endpoints: Vec<Endpoint>,
    /// The range of versions of the protocol that the replica supports. (versions 0)
    pub k_raft_version_feature: KRaftVersionFeature,
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
        value.voter_directory_id = wire::get_uuid(buf)?;
        value.endpoints = wire::get_array(buf, true, |buf| Endpoint::decode(buf, version))?;
        value.k_raft_version_feature = KRaftVersionFeature::decode(buf, version)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for Voter {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.voter_id);
        wire::put_uuid(buf, self.voter_directory_id);
        wire::put_array(buf, true, &self.endpoints, |buf, item| item.encode(buf, version))?;
        self.k_raft_version_feature.encode(buf, version)?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Endpoint {
    /// The name of the endpoint. (versions 0)
    pub name: StrBytes,
    /// The hostname. (versions 0)
    pub host: StrBytes,
    /// The port. (versions 0)
    pub port: u16,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for Endpoint {
    const NAME: &'static str = "Endpoint";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for Endpoint {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.name = wire::get_string(buf, true)?;
        value.host = wire::get_string(buf, true)?;
        value.port = wire::get_u16(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for Endpoint {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.name)?;
        wire::put_string(buf, true, &self.host)?;
        wire::put_u16(buf, self.port);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KRaftVersionFeature {
    /// The minimum supported KRaft protocol version. (versions 0)
    pub min_supported_version: i16,
    /// The maximum supported KRaft protocol version. (versions 0)
    pub max_supported_version: i16,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for KRaftVersionFeature {
    const NAME: &'static str = "KRaftVersionFeature";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for KRaftVersionFeature {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.min_supported_version = wire::get_i16(buf)?;
        value.max_supported_version = wire::get_i16(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for KRaftVersionFeature {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i16(buf, self.min_supported_version);
        wire::put_i16(buf, self.max_supported_version);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
