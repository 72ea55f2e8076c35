//! Kafka's `OffsetCommitResponse`, API versions 2-10.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Versions 2-10.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OffsetCommitResponse {
    /// The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the request did not violate any quota. (versions 3-10)
    pub throttle_time_ms: i32,
    /// The responses for each topic. (versions 2-10)
    pub topics: Vec<OffsetCommitResponseTopic>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for OffsetCommitResponse {
    const NAME: &'static str = "OffsetCommitResponse";
    const LOWEST_VERSION: i16 = 2;
    const HIGHEST_VERSION: i16 = 10;
}

impl Decode for OffsetCommitResponse {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        if version >= 3 {
            value.throttle_time_ms = wire::get_i32(buf)?;
        }
        value.topics =
            wire::get_array(buf, version >= 8, |buf| OffsetCommitResponseTopic::decode(buf, version))?;
        if version >= 8 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for OffsetCommitResponse {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        if version >= 3 {
            wire::put_i32(buf, self.throttle_time_ms);
        }
        wire::put_array(buf, version >= 8, &self.topics, |buf, item| item.encode(buf, version))?;
        if version >= 8 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}

/// Versions 2-10.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OffsetCommitResponseTopic {
    /// The topic name. (versions 2-9)
    pub name: StrBytes,
    /// The topic ID. (versions 10)
    pub topic_id: Uuid,
    /// The responses for each partition in the topic. (versions 2-10)
    pub partitions: Vec<OffsetCommitResponsePartition>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for OffsetCommitResponseTopic {
    const NAME: &'static str = "OffsetCommitResponseTopic";
    const LOWEST_VERSION: i16 = 2;
    const HIGHEST_VERSION: i16 = 10;
}

impl Decode for OffsetCommitResponseTopic {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        if version <= 9 {
            value.name = wire::get_string(buf, version >= 8)?;
        }
        if version == 10 {
            value.topic_id = wire::get_uuid(buf)?;
        }
        value.partitions =
            wire::get_array(buf, version >= 8, |buf| OffsetCommitResponsePartition::decode(buf, version))?;
        if version >= 8 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for OffsetCommitResponseTopic {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        if version <= 9 {
            wire::put_string(buf, version >= 8, &self.name)?;
        }
        if version == 10 {
            wire::put_uuid(buf, self.topic_id);
        }
        wire::put_array(buf, version >= 8, &self.partitions, |buf, item| item.encode(buf, version))?;
        if version >= 8 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}

/// Versions 2-10.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OffsetCommitResponsePartition {
    /// The partition index. (versions 2-10)
    pub partition_index: i32,
    /// The error code, or 0 if there was no error. (versions 2-10)
    pub error_code: i16,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for OffsetCommitResponsePartition {
    const NAME: &'static str = "OffsetCommitResponsePartition";
    const LOWEST_VERSION: i16 = 2;
    const HIGHEST_VERSION: i16 = 10;
}

impl Decode for OffsetCommitResponsePartition {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.partition_index = wire::get_i32(buf)?;
        value.error_code = wire::get_i16(buf)?;
        if version >= 8 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for OffsetCommitResponsePartition {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.partition_index);
        wire::put_i16(buf, self.error_code);
        if version >= 8 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}
