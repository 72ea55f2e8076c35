//! Kafka's `DescribeShareGroupOffsetsResponse`, API versions 0-1.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Versions 0-1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DescribeShareGroupOffsetsResponse {
    /// The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the request did not violate any quota. (versions 0-1)
    pub throttle_time_ms: i32,
    /// The results for each group. (versions 0-1)
    pub groups: Vec<DescribeShareGroupOffsetsResponseGroup>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for DescribeShareGroupOffsetsResponse {
    const NAME: &'static str = "DescribeShareGroupOffsetsResponse";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 1;
}

impl Decode for DescribeShareGroupOffsetsResponse {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.throttle_time_ms = wire::get_i32(buf)?;
        value.groups =
            wire::get_array(buf, true, |buf| DescribeShareGroupOffsetsResponseGroup::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for DescribeShareGroupOffsetsResponse {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.throttle_time_ms);
        wire::put_array(buf, true, &self.groups, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0-1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DescribeShareGroupOffsetsResponseGroup {
    /// The group identifier. (versions 0-1)
    pub group_id: StrBytes,
    /// The results for each topic. (versions 0-1)
    pub topics: Vec<DescribeShareGroupOffsetsResponseTopic>,
    /// The group-level error code, or 0 if there was no error. (versions 0-1)
    pub error_code: i16,
    /// The group-level error message, or null if there was no error. (versions 0-1)
    pub error_message: Option<StrBytes>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for DescribeShareGroupOffsetsResponseGroup {
    const NAME: &'static str = "DescribeShareGroupOffsetsResponseGroup";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 1;
}

impl Decode for DescribeShareGroupOffsetsResponseGroup {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.group_id = wire::get_string(buf, true)?;
        value.topics =
            wire::get_array(buf, true, |buf| DescribeShareGroupOffsetsResponseTopic::decode(buf, version))?;
        value.error_code = wire::get_i16(buf)?;
        value.error_message = wire::get_nullable_string(buf, true, true)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for DescribeShareGroupOffsetsResponseGroup {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.group_id)?;
        wire::put_array(buf, true, &self.topics, |buf, item| item.encode(buf, version))?;
        wire::put_i16(buf, self.error_code);
        wire::put_nullable_string(buf, true, true, self.error_message.as_ref())?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0-1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DescribeShareGroupOffsetsResponseTopic {
    /// The topic name. (versions 0-1)
    pub topic_name: StrBytes,
    /// The unique topic ID. (versions 0-1)
    pub topic_id: Uuid,
    /// Partitions (versions 0-1)
    pub partitions: Vec<DescribeShareGroupOffsetsResponsePartition>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for DescribeShareGroupOffsetsResponseTopic {
    const NAME: &'static str = "DescribeShareGroupOffsetsResponseTopic";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 1;
}

impl Decode for DescribeShareGroupOffsetsResponseTopic {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.topic_name = wire::get_string(buf, true)?;
        value.topic_id = wire::get_uuid(buf)?;
        value.partitions = wire::get_array(buf, true, |buf| {
            DescribeShareGroupOffsetsResponsePartition::decode(buf, version)
        })?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for DescribeShareGroupOffsetsResponseTopic {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.topic_name)?;
        wire::put_uuid(buf, self.topic_id);
        wire::put_array(buf, true, &self.partitions, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0-1.
#[derive(Clone, Debug, PartialEq)]
pub struct DescribeShareGroupOffsetsResponsePartition {
    /// The partition index. (versions 0-1)
    pub partition_index: i32,
    /// The share-partition start offset. (versions 0-1)
    pub start_offset: i64,
    /// The leader epoch of the partition. (versions 0-1)
    pub leader_epoch: i32,
    /// The share-partition lag. (versions 1)
    pub lag: i64,
    /// The partition-level error code, or 0 if there was no error. (versions 0-1)
    pub error_code: i16,
    /// The partition-level error message, or null if there was no error. (versions 0-1)
    pub error_message: Option<StrBytes>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for DescribeShareGroupOffsetsResponsePartition {
    fn default() -> Self {
        Self {
            partition_index: 0,
            start_offset: 0,
            leader_epoch: 0,
            lag: -1,
            error_code: 0,
            error_message: None,
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for DescribeShareGroupOffsetsResponsePartition {
    const NAME: &'static str = "DescribeShareGroupOffsetsResponsePartition";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 1;
}

impl Decode for DescribeShareGroupOffsetsResponsePartition {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.partition_index = wire::get_i32(buf)?;
        value.start_offset = wire::get_i64(buf)?;
        value.leader_epoch = wire::get_i32(buf)?;
        if version == 1 {
            value.lag = wire::get_i64(buf)?;
        }
        value.error_code = wire::get_i16(buf)?;
        value.error_message = wire::get_nullable_string(buf, true, true)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for DescribeShareGroupOffsetsResponsePartition {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.partition_index);
        wire::put_i64(buf, self.start_offset);
        wire::put_i32(buf, self.leader_epoch);
        if version == 1 {
            wire::put_i64(buf, self.lag);
        }
        wire::put_i16(buf, self.error_code);
        wire::put_nullable_string(buf, true, true, self.error_message.as_ref())?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
