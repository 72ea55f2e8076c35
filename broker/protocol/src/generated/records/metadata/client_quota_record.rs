//! Kafka's `ClientQuotaRecord`, API versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientQuotaRecord {
    /// The quota entity to alter. (versions 0)
    pub entity: Vec<EntityData>,
    /// The quota configuration key. (versions 0)
    pub key: StrBytes,
    /// The value to set, otherwise ignored if the value is to be removed. (versions 0)
    pub value: f64,
    /// Whether the quota configuration value should be removed, otherwise set. (versions 0)
    pub remove: bool,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for ClientQuotaRecord {
    const NAME: &'static str = "ClientQuotaRecord";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for ClientQuotaRecord {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.entity = wire::get_array(buf, true, |buf| EntityData::decode(buf, version))?;
        value.key = wire::get_string(buf, true)?;
        value.value = wire::get_f64(buf)?;
        value.remove = wire::get_bool(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for ClientQuotaRecord {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_array(buf, true, &self.entity, |buf, item| item.encode(buf, version))?;
        wire::put_string(buf, true, &self.key)?;
        wire::put_f64(buf, self.value);
        wire::put_bool(buf, self.remove);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, PartialEq)]
pub struct EntityData {
    /// The entity type. (versions 0)
    pub entity_type: StrBytes,
    /// The name of the entity, or null if the default. (versions 0)
    pub entity_name: Option<StrBytes>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for EntityData {
    fn default() -> Self {
        Self {
            entity_type: StrBytes::new(),
            entity_name: Some(StrBytes::new()),
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for EntityData {
    const NAME: &'static str = "EntityData";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for EntityData {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.entity_type = wire::get_string(buf, true)?;
        value.entity_name = wire::get_nullable_string(buf, true, true)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for EntityData {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.entity_type)?;
        wire::put_nullable_string(buf, true, true, self.entity_name.as_ref())?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
