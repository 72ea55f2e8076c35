//! Kafka's `AddRaftVoterRequest`, API versions 0-1.
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
pub struct AddRaftVoterRequest {
    /// The cluster id. (versions 0-1)
    pub cluster_id: Option<StrBytes>,
    /// The maximum time to wait for the request to complete before returning. (versions 0-1)
    pub timeout_ms: i32,
    /// The replica id of the voter getting added to the topic partition. (versions 0-1)
    pub voter_id: i32,
    /// The directory id of the voter getting added to the topic partition. (versions 0-1)
    pub voter_directory_id: Uuid,
    /// The endpoints that can be used to communicate with the voter. (versions 0-1)
    pub listeners: Vec<Listener>,
    /// When true, return a response after the new voter set is committed. Otherwise, return after the leader writes the changes locally. (versions 1)
    pub ack_when_committed: bool,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for AddRaftVoterRequest {
    fn default() -> Self {
        Self {
            cluster_id: Some(StrBytes::new()),
            timeout_ms: 0,
            voter_id: 0,
            voter_directory_id: Uuid::nil(),
            listeners: Vec::new(),
            ack_when_committed: true,
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for AddRaftVoterRequest {
    const NAME: &'static str = "AddRaftVoterRequest";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 1;
}

impl Decode for AddRaftVoterRequest {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.cluster_id = wire::get_nullable_string(buf, true, true)?;
        value.timeout_ms = wire::get_i32(buf)?;
        value.voter_id = wire::get_i32(buf)?;
        value.voter_directory_id = wire::get_uuid(buf)?;
        value.listeners = wire::get_array(buf, true, |buf| Listener::decode(buf, version))?;
        if version == 1 {
            value.ack_when_committed = wire::get_bool(buf)?;
        }
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for AddRaftVoterRequest {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_nullable_string(buf, true, true, self.cluster_id.as_ref())?;
        wire::put_i32(buf, self.timeout_ms);
        wire::put_i32(buf, self.voter_id);
        wire::put_uuid(buf, self.voter_directory_id);
        wire::put_array(buf, true, &self.listeners, |buf, item| item.encode(buf, version))?;
        if version == 1 {
            wire::put_bool(buf, self.ack_when_committed);
        } else if !self.ack_when_committed {
            return Err(EncodeError::FieldNotInVersion { field: "AckWhenCommitted", version });
        }
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0-1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listener {
    /// The name of the endpoint. (versions 0-1)
    pub name: StrBytes,
    /// The hostname. (versions 0-1)
    pub host: StrBytes,
    /// The port. (versions 0-1)
    pub port: u16,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for Listener {
    const NAME: &'static str = "Listener";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 1;
}

impl Decode for Listener {
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

impl Encode for Listener {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.name)?;
        wire::put_string(buf, true, &self.host)?;
        wire::put_u16(buf, self.port);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
