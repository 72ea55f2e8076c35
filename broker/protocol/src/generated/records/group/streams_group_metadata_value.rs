//! Kafka's `StreamsGroupMetadataValue`, API versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 0.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamsGroupMetadataValue {
    /// The group epoch. (versions 0)
    pub epoch: i32,
    /// The hash of all topics in the group. (versions 0)
    pub metadata_hash: i64,
    /// The topology epoch whose topics are validated to be present in a valid configuration in the metadata. (versions 0)
    pub validated_topology_epoch: i32,
    /// The last used configuration parameters as key-value pairs. (versions 0)
    pub last_assignment_configs: Option<Vec<LastAssignmentConfig>>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for StreamsGroupMetadataValue {
    fn default() -> Self {
        Self {
            epoch: 0,
            metadata_hash: 0,
            validated_topology_epoch: -1,
            last_assignment_configs: Some(Vec::new()),
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for StreamsGroupMetadataValue {
    const NAME: &'static str = "StreamsGroupMetadataValue";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for StreamsGroupMetadataValue {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.epoch = wire::get_i32(buf)?;
        value.metadata_hash = wire::get_i64(buf)?;
        wire::get_tags(buf, &mut value.unknown_tagged_fields, |tag, buf| {
            match tag {
                0 => {
                    value.validated_topology_epoch = wire::get_i32(buf)?;
                }
                1 => {
                    value.last_assignment_configs = wire::get_nullable_array(buf, true, true, |buf| {
                        LastAssignmentConfig::decode(buf, version)
                    })?;
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(value)
    }
}

impl Encode for StreamsGroupMetadataValue {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.epoch);
        wire::put_i64(buf, self.metadata_hash);
        let mut tags = wire::Tags::default();
        if self.validated_topology_epoch != -1 {
            tags.put(0, |buf| {
                wire::put_i32(buf, self.validated_topology_epoch);
                Ok(())
            })?;
        }
        if self.last_assignment_configs.as_ref().is_none_or(|value| !value.is_empty()) {
            tags.put(1, |buf| {
                wire::put_nullable_array(
                    buf,
                    true,
                    true,
                    self.last_assignment_configs.as_deref(),
                    |buf, item| item.encode(buf, version),
                )?;
                Ok(())
            })?;
        }
        tags.finish(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LastAssignmentConfig {
    /// Key of the config. (versions 0)
    pub key: StrBytes,
    /// Value of the config. (versions 0)
    pub value: StrBytes,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for LastAssignmentConfig {
    const NAME: &'static str = "LastAssignmentConfig";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for LastAssignmentConfig {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.key = wire::get_string(buf, true)?;
        value.value = wire::get_string(buf, true)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for LastAssignmentConfig {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.key)?;
        wire::put_string(buf, true, &self.value)?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
