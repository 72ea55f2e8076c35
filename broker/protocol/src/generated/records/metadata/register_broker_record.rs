//! Kafka's `RegisterBrokerRecord`, API versions 0-4.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Versions 0-4.
#[derive(Clone, Debug, PartialEq)]
pub struct RegisterBrokerRecord {
    /// The broker id. (versions 0-4)
    pub broker_id: i32,
    /// True if the broker is a ZK broker in migration mode. Otherwise, false (versions 2-4)
    pub is_migrating_zk_broker: bool,
    /// The incarnation ID of the broker process (versions 0-4)
    pub incarnation_id: Uuid,
    /// The broker epoch assigned by the controller. (versions 0-4)
    pub broker_epoch: i64,
    /// The endpoints that can be used to communicate with this broker. (versions 0-4)
    pub end_points: Vec<BrokerEndpoint>,
    /// The features on this broker (versions 0-4)
    pub features: Vec<BrokerFeature>,
    /// The broker rack. (versions 0-4)
    pub rack: Option<StrBytes>,
    /// True if the broker is fenced. (versions 0-4)
    pub fenced: bool,
    /// True if the broker is in controlled shutdown. (versions 1-4)
    pub in_controlled_shutdown: bool,
    /// Log directories configured in this broker which are available. (versions 3-4)
    pub log_dirs: Vec<Uuid>,
    /// Log directories that are cordoned. This is initially null before the broker starts sending the value via its heartbeats. (versions 4)
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for RegisterBrokerRecord {
    fn default() -> Self {
        Self {
            broker_id: 0,
            is_migrating_zk_broker: false,
            incarnation_id: Uuid::nil(),
            broker_epoch: 0,
            end_points: Vec::new(),
            features: Vec::new(),
            rack: Some(StrBytes::new()),
            fenced: true,
            in_controlled_shutdown: false,
            log_dirs: Vec::new(),
            cordoned_log_dirs: None,
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for RegisterBrokerRecord {
    const NAME: &'static str = "RegisterBrokerRecord";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 4;
}

impl Decode for RegisterBrokerRecord {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.broker_id = wire::get_i32(buf)?;
        if version >= 2 {
            value.is_migrating_zk_broker = wire::get_bool(buf)?;
        }
        value.incarnation_id = wire::get_uuid(buf)?;
        value.broker_epoch = wire::get_i64(buf)?;
        value.end_points = wire::get_array(buf, true, |buf| BrokerEndpoint::decode(buf, version))?;
        value.features = wire::get_array(buf, true, |buf| BrokerFeature::decode(buf, version))?;
        value.rack = wire::get_nullable_string(buf, true, true)?;
        value.fenced = wire::get_bool(buf)?;
        if version >= 1 {
            value.in_controlled_shutdown = wire::get_bool(buf)?;
        }
        wire::get_tags(buf, &mut value.unknown_tagged_fields, |tag, buf| {
            match tag {
                0 if version >= 3 => {
                    value.log_dirs = wire::get_array(buf, true, wire::get_uuid)?;
                }
                0 => return Err(DecodeError::TagNotInVersion(tag)),
                1 if version == 4 => {
                    value.cordoned_log_dirs = wire::get_nullable_array(buf, true, true, wire::get_uuid)?;
                }
                1 => return Err(DecodeError::TagNotInVersion(tag)),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(value)
    }
}

impl Encode for RegisterBrokerRecord {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.broker_id);
        if version >= 2 {
            wire::put_bool(buf, self.is_migrating_zk_broker);
        } else if self.is_migrating_zk_broker {
            return Err(EncodeError::FieldNotInVersion { field: "IsMigratingZkBroker", version });
        }
        wire::put_uuid(buf, self.incarnation_id);
        wire::put_i64(buf, self.broker_epoch);
        wire::put_array(buf, true, &self.end_points, |buf, item| item.encode(buf, version))?;
        wire::put_array(buf, true, &self.features, |buf, item| item.encode(buf, version))?;
        wire::put_nullable_string(buf, true, true, self.rack.as_ref())?;
        wire::put_bool(buf, self.fenced);
        if version >= 1 {
            wire::put_bool(buf, self.in_controlled_shutdown);
        } else if self.in_controlled_shutdown {
            return Err(EncodeError::FieldNotInVersion { field: "InControlledShutdown", version });
        }
        let mut tags = wire::Tags::default();
        if !self.log_dirs.is_empty() {
            if version >= 3 {
                tags.put(0, |buf| {
                    wire::put_array(buf, true, &self.log_dirs, |buf, item| {
                        wire::put_uuid(buf, *item);
                        Ok(())
                    })?;
                    Ok(())
                })?;
            } else {
                return Err(EncodeError::FieldNotInVersion { field: "LogDirs", version });
            }
        }
        if self.cordoned_log_dirs.is_some() {
            if version == 4 {
                tags.put(1, |buf| {
                    wire::put_nullable_array(
                        buf,
                        true,
                        true,
                        self.cordoned_log_dirs.as_deref(),
                        |buf, item| {
                            wire::put_uuid(buf, *item);
                            Ok(())
                        },
                    )?;
                    Ok(())
                })?;
            } else {
                return Err(EncodeError::FieldNotInVersion { field: "CordonedLogDirs", version });
            }
        }
        tags.finish(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0-4.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BrokerEndpoint {
    /// The name of the endpoint. (versions 0-4)
    pub name: StrBytes,
    /// The hostname. (versions 0-4)
    pub host: StrBytes,
    /// The port. (versions 0-4)
    pub port: u16,
    /// The security protocol. (versions 0-4)
    pub security_protocol: i16,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for BrokerEndpoint {
    const NAME: &'static str = "BrokerEndpoint";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 4;
}

impl Decode for BrokerEndpoint {
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

impl Encode for BrokerEndpoint {
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

/// Versions 0-4.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BrokerFeature {
    /// The feature name. (versions 0-4)
    pub name: StrBytes,
    /// The minimum supported feature level. (versions 0-4)
    pub min_supported_version: i16,
    /// The maximum supported feature level. (versions 0-4)
    pub max_supported_version: i16,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for BrokerFeature {
    const NAME: &'static str = "BrokerFeature";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 4;
}

impl Decode for BrokerFeature {
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

impl Encode for BrokerFeature {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.name)?;
        wire::put_i16(buf, self.min_supported_version);
        wire::put_i16(buf, self.max_supported_version);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
