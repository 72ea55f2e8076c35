//! Kafka's `RemoveTopicRecord`, API versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RemoveTopicRecord {
    /// The topic to remove. All associated partitions will be removed as well. (versions 0)
    pub topic_id: Uuid,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for RemoveTopicRecord {
    const NAME: &'static str = "RemoveTopicRecord";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for RemoveTopicRecord {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.topic_id = wire::get_uuid(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for RemoveTopicRecord {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_uuid(buf, self.topic_id);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
