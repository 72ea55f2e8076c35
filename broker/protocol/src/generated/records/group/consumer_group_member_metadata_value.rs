//! Kafka's `ConsumerGroupMemberMetadataValue`, API versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 0.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerGroupMemberMetadataValue {
    /// The (optional) instance id. (versions 0)
    pub instance_id: Option<StrBytes>,
    /// The (optional) rack id. (versions 0)
    pub rack_id: Option<StrBytes>,
    /// The client id. (versions 0)
    pub client_id: StrBytes,
    /// The client host. (versions 0)
    pub client_host: StrBytes,
    /// The list of subscribed topic names. (versions 0)
    pub subscribed_topic_names: Vec<StrBytes>,
    /// The subscribed topic regular expression. (versions 0)
    pub subscribed_topic_regex: Option<StrBytes>,
    /// The rebalance timeout. (versions 0)
    pub rebalance_timeout_ms: i32,
    /// The server assignor to use; or null if not used. (versions 0)
    pub server_assignor: Option<StrBytes>,
    /// The classic member metadata which includes the supported protocols of the consumer if it uses the classic protocol. The metadata is null if the consumer uses the consumer protocol. (versions 0)
    pub classic_member_metadata: Option<ClassicMemberMetadata>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for ConsumerGroupMemberMetadataValue {
    fn default() -> Self {
        Self {
            instance_id: Some(StrBytes::new()),
            rack_id: Some(StrBytes::new()),
            client_id: StrBytes::new(),
            client_host: StrBytes::new(),
            subscribed_topic_names: Vec::new(),
            subscribed_topic_regex: Some(StrBytes::new()),
            rebalance_timeout_ms: -1,
            server_assignor: Some(StrBytes::new()),
            classic_member_metadata: Some(ClassicMemberMetadata::default()),
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for ConsumerGroupMemberMetadataValue {
    const NAME: &'static str = "ConsumerGroupMemberMetadataValue";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for ConsumerGroupMemberMetadataValue {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.instance_id = wire::get_nullable_string(buf, true, true)?;
        value.rack_id = wire::get_nullable_string(buf, true, true)?;
        value.client_id = wire::get_string(buf, true)?;
        value.client_host = wire::get_string(buf, true)?;
        value.subscribed_topic_names = wire::get_array(buf, true, |buf| wire::get_string(buf, true))?;
        value.subscribed_topic_regex = wire::get_nullable_string(buf, true, true)?;
        value.rebalance_timeout_ms = wire::get_i32(buf)?;
        value.server_assignor = wire::get_nullable_string(buf, true, true)?;
        wire::get_tags(buf, &mut value.unknown_tagged_fields, |tag, buf| {
            match tag {
                0 => {
                    value.classic_member_metadata =
                        wire::get_optional(buf, true, |buf| ClassicMemberMetadata::decode(buf, version))?;
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(value)
    }
}

impl Encode for ConsumerGroupMemberMetadataValue {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_nullable_string(buf, true, true, self.instance_id.as_ref())?;
        wire::put_nullable_string(buf, true, true, self.rack_id.as_ref())?;
        wire::put_string(buf, true, &self.client_id)?;
        wire::put_string(buf, true, &self.client_host)?;
        wire::put_array(buf, true, &self.subscribed_topic_names, |buf, item| {
            wire::put_string(buf, true, item)
        })?;
        wire::put_nullable_string(buf, true, true, self.subscribed_topic_regex.as_ref())?;
        wire::put_i32(buf, self.rebalance_timeout_ms);
        wire::put_nullable_string(buf, true, true, self.server_assignor.as_ref())?;
        let mut tags = wire::Tags::default();
        if self.classic_member_metadata != Some(ClassicMemberMetadata::default()) {
            tags.put(0, |buf| {
                wire::put_optional(buf, true, self.classic_member_metadata.as_ref(), |buf, item| {
                    item.encode(buf, version)
                })?;
                Ok(())
            })?;
        }
        tags.finish(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassicMemberMetadata {
    /// The session timeout if the consumer uses the classic protocol. (versions 0)
    pub session_timeout_ms: i32,
    /// The list of protocols that the member supports if the consumer uses the classic protocol. (versions 0)
    pub supported_protocols: Vec<ClassicProtocol>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for ClassicMemberMetadata {
    const NAME: &'static str = "ClassicMemberMetadata";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for ClassicMemberMetadata {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.session_timeout_ms = wire::get_i32(buf)?;
        value.supported_protocols = wire::get_array(buf, true, |buf| ClassicProtocol::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for ClassicMemberMetadata {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.session_timeout_ms);
        wire::put_array(buf, true, &self.supported_protocols, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassicProtocol {
    /// The protocol name. (versions 0)
    pub name: StrBytes,
    /// The protocol metadata. (versions 0)
    pub metadata: Bytes,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for ClassicProtocol {
    const NAME: &'static str = "ClassicProtocol";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for ClassicProtocol {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.name = wire::get_string(buf, true)?;
        value.metadata = wire::get_bytes(buf, true)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for ClassicProtocol {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.name)?;
        wire::put_bytes(buf, true, &self.metadata)?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
