//! Kafka's `GroupMetadataValue`, API versions 0-4.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 0-4.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupMetadataValue {
    /// The protocol type. (versions 0-4)
    pub protocol_type: StrBytes,
    /// The generation id. (versions 0-4)
    pub generation: i32,
    /// The protocol name. (versions 0-4)
    pub protocol: Option<StrBytes>,
    /// The leader id. (versions 0-4)
    pub leader: Option<StrBytes>,
    /// The timestamp of the last state change. (versions 2-4)
    pub current_state_timestamp: i64,
    /// The group members. (versions 0-4)
    pub members: Vec<MemberMetadata>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for GroupMetadataValue {
    fn default() -> Self {
        Self {
            protocol_type: StrBytes::new(),
            generation: 0,
            protocol: Some(StrBytes::new()),
            leader: Some(StrBytes::new()),
            current_state_timestamp: -1,
            members: Vec::new(),
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for GroupMetadataValue {
    const NAME: &'static str = "GroupMetadataValue";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 4;
}

impl Decode for GroupMetadataValue {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.protocol_type = wire::get_string(buf, version == 4)?;
        value.generation = wire::get_i32(buf)?;
        value.protocol = wire::get_nullable_string(buf, version == 4, true)?;
        value.leader = wire::get_nullable_string(buf, version == 4, true)?;
        if version >= 2 {
            value.current_state_timestamp = wire::get_i64(buf)?;
        }
        value.members = wire::get_array(buf, version == 4, |buf| MemberMetadata::decode(buf, version))?;
        if version == 4 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for GroupMetadataValue {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, version == 4, &self.protocol_type)?;
        wire::put_i32(buf, self.generation);
        wire::put_nullable_string(buf, version == 4, true, self.protocol.as_ref())?;
        wire::put_nullable_string(buf, version == 4, true, self.leader.as_ref())?;
        if version >= 2 {
            wire::put_i64(buf, self.current_state_timestamp);
        }
        wire::put_array(buf, version == 4, &self.members, |buf, item| item.encode(buf, version))?;
        if version == 4 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}

/// Versions 0-4.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberMetadata {
    /// The member id. (versions 0-4)
    pub member_id: StrBytes,
    /// The group instance id. (versions 3-4)
    pub group_instance_id: Option<StrBytes>,
    /// The client id. (versions 0-4)
    pub client_id: StrBytes,
    /// The client host. (versions 0-4)
    pub client_host: StrBytes,
    /// The rebalance timeout. (versions 1-4)
    pub rebalance_timeout: i32,
    /// The session timeout. (versions 0-4)
    pub session_timeout: i32,
    /// The subscription. (versions 0-4)
    pub subscription: Bytes,
    /// The assignment. (versions 0-4)
    pub assignment: Bytes,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for MemberMetadata {
    fn default() -> Self {
        Self {
            member_id: StrBytes::new(),
            group_instance_id: None,
            client_id: StrBytes::new(),
            client_host: StrBytes::new(),
            rebalance_timeout: -1,
            session_timeout: 0,
            subscription: Bytes::new(),
            assignment: Bytes::new(),
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for MemberMetadata {
    const NAME: &'static str = "MemberMetadata";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 4;
}

impl Decode for MemberMetadata {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.member_id = wire::get_string(buf, version == 4)?;
        if version >= 3 {
            value.group_instance_id = wire::get_nullable_string(buf, version == 4, true)?;
        }
        value.client_id = wire::get_string(buf, version == 4)?;
        value.client_host = wire::get_string(buf, version == 4)?;
        if version >= 1 {
            value.rebalance_timeout = wire::get_i32(buf)?;
        }
        value.session_timeout = wire::get_i32(buf)?;
        value.subscription = wire::get_bytes(buf, version == 4)?;
        value.assignment = wire::get_bytes(buf, version == 4)?;
        if version == 4 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for MemberMetadata {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, version == 4, &self.member_id)?;
        if version >= 3 {
            wire::put_nullable_string(buf, version == 4, true, self.group_instance_id.as_ref())?;
        }
        wire::put_string(buf, version == 4, &self.client_id)?;
        wire::put_string(buf, version == 4, &self.client_host)?;
        if version >= 1 {
            wire::put_i32(buf, self.rebalance_timeout);
        }
        wire::put_i32(buf, self.session_timeout);
        wire::put_bytes(buf, version == 4, &self.subscription)?;
        wire::put_bytes(buf, version == 4, &self.assignment)?;
        if version == 4 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}
