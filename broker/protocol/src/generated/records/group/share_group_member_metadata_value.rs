//! Kafka's `ShareGroupMemberMetadataValue`, API versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 0.
#[derive(Clone, Debug, PartialEq)]
pub struct ShareGroupMemberMetadataValue {
    /// The (optional) rack id. (versions 0)
    pub rack_id: Option<StrBytes>,
    /// The client id. (versions 0)
    pub client_id: StrBytes,
    /// The client host. (versions 0)
    pub client_host: StrBytes,
    /// The list of subscribed topic names. (versions 0)
    pub subscribed_topic_names: Vec<StrBytes>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for ShareGroupMemberMetadataValue {
    fn default() -> Self {
        Self {
            rack_id: Some(StrBytes::new()),
            client_id: StrBytes::new(),
            client_host: StrBytes::new(),
            subscribed_topic_names: Vec::new(),
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for ShareGroupMemberMetadataValue {
    const NAME: &'static str = "ShareGroupMemberMetadataValue";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for ShareGroupMemberMetadataValue {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.rack_id = wire::get_nullable_string(buf, true, true)?;
        value.client_id = wire::get_string(buf, true)?;
        value.client_host = wire::get_string(buf, true)?;
        value.subscribed_topic_names = wire::get_array(buf, true, |buf| wire::get_string(buf, true))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for ShareGroupMemberMetadataValue {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_nullable_string(buf, true, true, self.rack_id.as_ref())?;
        wire::put_string(buf, true, &self.client_id)?;
        wire::put_string(buf, true, &self.client_host)?;
        wire::put_array(buf, true, &self.subscribed_topic_names, |buf, item| {
            wire::put_string(buf, true, item)
        })?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
