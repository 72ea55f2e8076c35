//! Kafka's `ConfigRecord`, API versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 0.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigRecord {
    /// The type of resource this configuration applies to. (versions 0)
    pub resource_type: i8,
    /// The name of the resource this configuration applies to. (versions 0)
    pub resource_name: StrBytes,
    /// The name of the configuration key. (versions 0)
    pub name: StrBytes,
    /// The value of the configuration, or null if the it should be deleted. (versions 0)
    pub value: Option<StrBytes>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for ConfigRecord {
    fn default() -> Self {
        Self {
            resource_type: 0,
            resource_name: StrBytes::new(),
            name: StrBytes::new(),
            value: Some(StrBytes::new()),
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for ConfigRecord {
    const NAME: &'static str = "ConfigRecord";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for ConfigRecord {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.resource_type = wire::get_i8(buf)?;
        value.resource_name = wire::get_string(buf, true)?;
        value.name = wire::get_string(buf, true)?;
        value.value = wire::get_nullable_string(buf, true, true)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for ConfigRecord {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i8(buf, self.resource_type);
        wire::put_string(buf, true, &self.resource_name)?;
        wire::put_string(buf, true, &self.name)?;
        wire::put_nullable_string(buf, true, true, self.value.as_ref())?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
