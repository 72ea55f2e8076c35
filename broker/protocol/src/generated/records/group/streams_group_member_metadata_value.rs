//! Kafka's `StreamsGroupMemberMetadataValue`, API versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 0.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamsGroupMemberMetadataValue {
    /// The (optional) instance ID for static membership. (versions 0)
    pub instance_id: Option<StrBytes>,
    /// The (optional) rack ID. (versions 0)
    pub rack_id: Option<StrBytes>,
    /// The client ID. (versions 0)
    pub client_id: StrBytes,
    /// The client host. (versions 0)
    pub client_host: StrBytes,
    /// The rebalance timeout. (versions 0)
    pub rebalance_timeout_ms: i32,
    /// The epoch of the topology. (versions 0)
    pub topology_epoch: i32,
    /// Identity of the streams instance that may have multiple consumers. (versions 0)
    pub process_id: StrBytes,
    /// User-defined endpoint for running interactive queries on this instance. (versions 0)
    pub user_endpoint: Option<Endpoint>,
    /// Used for rack-aware assignment algorithm. (versions 0)
    pub client_tags: Vec<KeyValue>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for StreamsGroupMemberMetadataValue {
    fn default() -> Self {
        Self {
            instance_id: Some(StrBytes::new()),
            rack_id: Some(StrBytes::new()),
            client_id: StrBytes::new(),
            client_host: StrBytes::new(),
            rebalance_timeout_ms: -1,
            topology_epoch: 0,
            process_id: StrBytes::new(),
            user_endpoint: None,
            client_tags: Vec::new(),
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for StreamsGroupMemberMetadataValue {
    const NAME: &'static str = "StreamsGroupMemberMetadataValue";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for StreamsGroupMemberMetadataValue {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.instance_id = wire::get_nullable_string(buf, true, true)?;
        value.rack_id = wire::get_nullable_string(buf, true, true)?;
        value.client_id = wire::get_string(buf, true)?;
        value.client_host = wire::get_string(buf, true)?;
        value.rebalance_timeout_ms = wire::get_i32(buf)?;
        value.topology_epoch = wire::get_i32(buf)?;
        value.process_id = wire::get_string(buf, true)?;
        value.user_endpoint = wire::get_optional(buf, true, |buf| Endpoint::decode(buf, version))?;
        value.client_tags = wire::get_array(buf, true, |buf| KeyValue::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for StreamsGroupMemberMetadataValue {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_nullable_string(buf, true, true, self.instance_id.as_ref())?;
        wire::put_nullable_string(buf, true, true, self.rack_id.as_ref())?;
        wire::put_string(buf, true, &self.client_id)?;
        wire::put_string(buf, true, &self.client_host)?;
        wire::put_i32(buf, self.rebalance_timeout_ms);
        wire::put_i32(buf, self.topology_epoch);
        wire::put_string(buf, true, &self.process_id)?;
        wire::put_optional(buf, true, self.user_endpoint.as_ref(), |buf, item| item.encode(buf, version))?;
        wire::put_array(buf, true, &self.client_tags, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Endpoint {
    /// The host of the endpoint. (versions 0)
    pub host: StrBytes,
    /// The port of the endpoint. (versions 0)
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
        value.host = wire::get_string(buf, true)?;
        value.port = wire::get_u16(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for Endpoint {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.host)?;
        wire::put_u16(buf, self.port);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyValue {
    /// The key of the config. (versions 0)
    pub key: StrBytes,
    /// the value of the config. (versions 0)
    pub value: StrBytes,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for KeyValue {
    const NAME: &'static str = "KeyValue";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for KeyValue {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.key = wire::get_string(buf, true)?;
        value.value = wire::get_string(buf, true)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for KeyValue {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.key)?;
        wire::put_string(buf, true, &self.value)?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
