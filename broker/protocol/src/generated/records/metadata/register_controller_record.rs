//! Kafka's `RegisterControllerRecord`, API versions 0.
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
pub struct RegisterControllerRecord {
    /// The controller id. (versions 0)
    pub controller_id: i32,
    /// The incarnation ID of the controller process (versions 0)
    pub incarnation_id: Uuid,
    /// Set if the required configurations for ZK migration are present. (versions 0)
    pub zk_migration_ready: bool,
    /// The endpoints that can be used to communicate with this controller. (versions 0)
    pub end_points: Vec<ControllerEndpoint>,
    /// The features on this controller (versions 0)
    pub features: Vec<ControllerFeature>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for RegisterControllerRecord {
    const NAME: &'static str = "RegisterControllerRecord";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for RegisterControllerRecord {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.controller_id = wire::get_i32(buf)?;
        value.incarnation_id = wire::get_uuid(buf)?;
        value.zk_migration_ready = wire::get_bool(buf)?;
        value.end_points = wire::get_array(buf, true, |buf| ControllerEndpoint::decode(buf, version))?;
        value.features = wire::get_array(buf, true, |buf| ControllerFeature::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for RegisterControllerRecord {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.controller_id);
        wire::put_uuid(buf, self.incarnation_id);
        wire::put_bool(buf, self.zk_migration_ready);
        wire::put_array(buf, true, &self.end_points, |buf, item| item.encode(buf, version))?;
        wire::put_array(buf, true, &self.features, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ControllerEndpoint {
    /// The name of the endpoint. (versions 0)
    pub name: StrBytes,
    /// The hostname. (versions 0)
    pub host: StrBytes,
    /// The port. (versions 0)
    pub port: u16,
    /// The security protocol. (versions 0)
    pub security_protocol: i16,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for ControllerEndpoint {
    const NAME: &'static str = "ControllerEndpoint";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for ControllerEndpoint {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.name = wire::get_string(buf, true)?;
        value.host = wire::get_string(buf, true)?;
        value.port = wire::get_u16(buf)?;
        value.security_protocol = wire::get_i16(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for ControllerEndpoint {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.name)?;
        wire::put_string(buf, true, &self.host)?;
        wire::put_u16(buf, self.port);
        wire::put_i16(buf, self.security_protocol);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ControllerFeature {
    /// The feature name. (versions 0)
    pub name: StrBytes,
    /// The minimum supported feature level. (versions 0)
    pub min_supported_version: i16,
    /// The maximum supported feature level. (versions 0)
    pub max_supported_version: i16,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for ControllerFeature {
    const NAME: &'static str = "ControllerFeature";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for ControllerFeature {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.name = wire::get_string(buf, true)?;
        value.min_supported_version = wire::get_i16(buf)?;
        value.max_supported_version = wire::get_i16(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for ControllerFeature {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.name)?;
        wire::put_i16(buf, self.min_supported_version);
        wire::put_i16(buf, self.max_supported_version);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
