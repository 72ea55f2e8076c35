//! Kafka's `ListOffsetsResponse`, API versions 1-11.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 1-11.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListOffsetsResponse {
    /// The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the request did not violate any quota. (versions 2-11)
    pub throttle_time_ms: i32,
    /// Each topic in the response. (versions 1-11)
    pub topics: Vec<ListOffsetsTopicResponse>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for ListOffsetsResponse {
    const NAME: &'static str = "ListOffsetsResponse";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 11;
}

impl Decode for ListOffsetsResponse {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        if version >= 2 {
            value.throttle_time_ms = wire::get_i32(buf)?;
        }
        value.topics =
            wire::get_array(buf, version >= 6, |buf| ListOffsetsTopicResponse::decode(buf, version))?;
        if version >= 6 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for ListOffsetsResponse {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        if version >= 2 {
            wire::put_i32(buf, self.throttle_time_ms);
        }
        wire::put_array(buf, version >= 6, &self.topics, |buf, item| item.encode(buf, version))?;
        if version >= 6 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}

/// Versions 1-11.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListOffsetsTopicResponse {
    /// The topic name. (versions 1-11)
    pub name: StrBytes,
    /// Each partition in the response. (versions 1-11)
    pub partitions: Vec<ListOffsetsPartitionResponse>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for ListOffsetsTopicResponse {
    const NAME: &'static str = "ListOffsetsTopicResponse";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 11;
}

impl Decode for ListOffsetsTopicResponse {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.name = wire::get_string(buf, version >= 6)?;
        value.partitions =
            wire::get_array(buf, version >= 6, |buf| ListOffsetsPartitionResponse::decode(buf, version))?;
        if version >= 6 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for ListOffsetsTopicResponse {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, version >= 6, &self.name)?;
        wire::put_array(buf, version >= 6, &self.partitions, |buf, item| item.encode(buf, version))?;
        if version >= 6 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}

/// Versions 1-11.
#[derive(Clone, Debug, PartialEq)]
pub struct ListOffsetsPartitionResponse {
    /// The partition index. (versions 1-11)
    pub partition_index: i32,
    /// The partition error code, or 0 if there was no error. (versions 1-11)
    pub error_code: i16,
    /// The timestamp associated with the returned offset. (versions 1-11)
    pub timestamp: i64,
    /// The returned offset. (versions 1-11)
    pub offset: i64,
    /// The leader epoch associated with the returned offset. (versions 4-11)
    pub leader_epoch: i32,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for ListOffsetsPartitionResponse {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: 0,
            timestamp: -1,
            offset: -1,
            leader_epoch: -1,
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for ListOffsetsPartitionResponse {
    const NAME: &'static str = "ListOffsetsPartitionResponse";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 11;
}

impl Decode for ListOffsetsPartitionResponse {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.partition_index = wire::get_i32(buf)?;
        value.error_code = wire::get_i16(buf)?;
        value.timestamp = wire::get_i64(buf)?;
        value.offset = wire::get_i64(buf)?;
        if version >= 4 {
            value.leader_epoch = wire::get_i32(buf)?;
        }
        if version >= 6 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for ListOffsetsPartitionResponse {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.partition_index);
        wire::put_i16(buf, self.error_code);
        wire::put_i64(buf, self.timestamp);
        wire::put_i64(buf, self.offset);
        if version >= 4 {
            wire::put_i32(buf, self.leader_epoch);
        } else if self.leader_epoch != -1 {
            return Err(EncodeError::FieldNotInVersion { field: "LeaderEpoch", version });
        }
        if version >= 6 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}
