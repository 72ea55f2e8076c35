//! Kafka's `AccessControlEntryRecord`, API versions 0.
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
pub struct AccessControlEntryRecord {
    /// The unique ID of this ACL. (versions 0)
    pub id: Uuid,
    /// The resource type. (versions 0)
    pub resource_type: i8,
    /// The resource name. (versions 0)
    pub resource_name: StrBytes,
    /// The resource name pattern type. (versions 0)
    pub pattern_type: i8,
    /// The principal name. (versions 0)
    pub principal: StrBytes,
    /// The host name. (versions 0)
    pub host: StrBytes,
    /// The AclOperation. (versions 0)
    pub operation: i8,
    /// The AclPermissionType. (versions 0)
    pub permission_type: i8,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for AccessControlEntryRecord {
    const NAME: &'static str = "AccessControlEntryRecord";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for AccessControlEntryRecord {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.id = wire::get_uuid(buf)?;
        value.resource_type = wire::get_i8(buf)?;
        value.resource_name = wire::get_string(buf, true)?;
        value.pattern_type = wire::get_i8(buf)?;
        value.principal = wire::get_string(buf, true)?;
        value.host = wire::get_string(buf, true)?;
        value.operation = wire::get_i8(buf)?;
        value.permission_type = wire::get_i8(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for AccessControlEntryRecord {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_uuid(buf, self.id);
        wire::put_i8(buf, self.resource_type);
        wire::put_string(buf, true, &self.resource_name)?;
        wire::put_i8(buf, self.pattern_type);
        wire::put_string(buf, true, &self.principal)?;
        wire::put_string(buf, true, &self.host)?;
        wire::put_i8(buf, self.operation);
        wire::put_i8(buf, self.permission_type);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
