//! Kafka's `OffsetFetchResponse`, API versions 1-10.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Versions 1-10.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OffsetFetchResponse {
    /// The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the request did not violate any quota. (versions 3-10)
    pub throttle_time_ms: i32,
    /// The responses per topic. (versions 1-7)
    pub topics: Vec<OffsetFetchResponseTopic>,
    /// The top-level error code, or 0 if there was no error. (versions 2-7)
    pub error_code: i16,
    /// The responses per group id. (versions 8-10)
    pub groups: Vec<OffsetFetchResponseGroup>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for OffsetFetchResponse {
    const NAME: &'static str = "OffsetFetchResponse";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 10;
}

impl Decode for OffsetFetchResponse {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        if version >= 3 {
            value.throttle_time_ms = wire::get_i32(buf)?;
        }
        if version <= 7 {
            value.topics =
                wire::get_array(buf, version >= 6, |buf| OffsetFetchResponseTopic::decode(buf, version))?;
        }
        if (2..=7).contains(&version) {
            value.error_code = wire::get_i16(buf)?;
        }
        if version >= 8 {
            value.groups =
                wire::get_array(buf, version >= 6, |buf| OffsetFetchResponseGroup::decode(buf, version))?;
        }
        if version >= 6 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for OffsetFetchResponse {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        if version >= 3 {
            wire::put_i32(buf, self.throttle_time_ms);
        }
        if version <= 7 {
            wire::put_array(buf, version >= 6, &self.topics, |buf, item| item.encode(buf, version))?;
        } else if !self.topics.is_empty() {
            return Err(EncodeError::FieldNotInVersion { field: "Topics", version });
        }
        if (2..=7).contains(&version) {
            wire::put_i16(buf, self.error_code);
        }
        if version >= 8 {
            wire::put_array(buf, version >= 6, &self.groups, |buf, item| item.encode(buf, version))?;
        } else if !self.groups.is_empty() {
            return Err(EncodeError::FieldNotInVersion { field: "Groups", version });
        }
        if version >= 6 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}

/// Versions 1-7.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OffsetFetchResponseTopic {
    /// The topic name. (versions 1-7)
    pub name: StrBytes,
    /// The responses per partition. (versions 1-7)
    pub partitions: Vec<OffsetFetchResponsePartition>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for OffsetFetchResponseTopic {
    const NAME: &'static str = "OffsetFetchResponseTopic";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 7;
}

impl Decode for OffsetFetchResponseTopic {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.name = wire::get_string(buf, version >= 6)?;
        value.partitions =
            wire::get_array(buf, version >= 6, |buf| OffsetFetchResponsePartition::decode(buf, version))?;
        if version >= 6 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for OffsetFetchResponseTopic {
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

/// Versions 1-7.
#[derive(Clone, Debug, PartialEq)]
pub struct OffsetFetchResponsePartition {
    /// The partition index. (versions 1-7)
    pub partition_index: i32,
    /// The committed message offset. (versions 1-7)
    pub committed_offset: i64,
    /// The leader epoch. (versions 5-7)
    pub committed_leader_epoch: i32,
    /// The partition metadata. (versions 1-7)
    pub metadata: Option<StrBytes>,
    /// The error code, or 0 if there was no error. (versions 1-7)
    pub error_code: i16,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for OffsetFetchResponsePartition {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            metadata: Some(StrBytes::new()),
            error_code: 0,
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for OffsetFetchResponsePartition {
    const NAME: &'static str = "OffsetFetchResponsePartition";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 7;
}

impl Decode for OffsetFetchResponsePartition {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.partition_index = wire::get_i32(buf)?;
        value.committed_offset = wire::get_i64(buf)?;
        if version >= 5 {
            value.committed_leader_epoch = wire::get_i32(buf)?;
        }
        value.metadata = wire::get_nullable_string(buf, version >= 6, true)?;
        value.error_code = wire::get_i16(buf)?;
        if version >= 6 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for OffsetFetchResponsePartition {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.partition_index);
        wire::put_i64(buf, self.committed_offset);
        if version >= 5 {
            wire::put_i32(buf, self.committed_leader_epoch);
        }
        wire::put_nullable_string(buf, version >= 6, true, self.metadata.as_ref())?;
        wire::put_i16(buf, self.error_code);
        if version >= 6 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}

/// Versions 8-10.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OffsetFetchResponseGroup {
    /// The group ID. (versions 8-10)
    pub group_id: StrBytes,
    /// The responses per topic. (versions 8-10)
    pub topics: Vec<OffsetFetchResponseTopics>,
    /// The group-level error code, or 0 if there was no error. (versions 8-10)
    pub error_code: i16,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for OffsetFetchResponseGroup {
    const NAME: &'static str = "OffsetFetchResponseGroup";
    const LOWEST_VERSION: i16 = 8;
    const HIGHEST_VERSION: i16 = 10;
}

impl Decode for OffsetFetchResponseGroup {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.group_id = wire::get_string(buf, true)?;
        value.topics = wire::get_array(buf, true, |buf| OffsetFetchResponseTopics::decode(buf, version))?;
        value.error_code = wire::get_i16(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for OffsetFetchResponseGroup {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.group_id)?;
        wire::put_array(buf, true, &self.topics, |buf, item| item.encode(buf, version))?;
        wire::put_i16(buf, self.error_code);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 8-10.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OffsetFetchResponseTopics {
    /// The topic name. (versions 8-9)
    pub name: StrBytes,
    /// The topic ID. (versions 10)
    pub topic_id: Uuid,
    /// The responses per partition. (versions 8-10)
    pub partitions: Vec<OffsetFetchResponsePartitions>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for OffsetFetchResponseTopics {
    const NAME: &'static str = "OffsetFetchResponseTopics";
    const LOWEST_VERSION: i16 = 8;
    const HIGHEST_VERSION: i16 = 10;
}

impl Decode for OffsetFetchResponseTopics {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        if version <= 9 {
            value.name = wire::get_string(buf, true)?;
        }
        if version == 10 {
            value.topic_id = wire::get_uuid(buf)?;
        }
        value.partitions =
            wire::get_array(buf, true, |buf| OffsetFetchResponsePartitions::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for OffsetFetchResponseTopics {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        if version <= 9 {
            wire::put_string(buf, true, &self.name)?;
        }
        if version == 10 {
            wire::put_uuid(buf, self.topic_id);
        }
        wire::put_array(buf, true, &self.partitions, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 8-10.
#[derive(Clone, Debug, PartialEq)]
pub struct OffsetFetchResponsePartitions {
    /// The partition index. (versions 8-10)
    pub partition_index: i32,
    /// The committed message offset. (versions 8-10)
    pub committed_offset: i64,
    /// The leader epoch. (versions 8-10)
    pub committed_leader_epoch: i32,
    /// The partition metadata. (versions 8-10)
    pub metadata: Option<StrBytes>,
    /// The partition-level error code, or 0 if there was no error. (versions 8-10)
    pub error_code: i16,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for OffsetFetchResponsePartitions {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            metadata: Some(StrBytes::new()),
            error_code: 0,
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for OffsetFetchResponsePartitions {
    const NAME: &'static str = "OffsetFetchResponsePartitions";
    const LOWEST_VERSION: i16 = 8;
    const HIGHEST_VERSION: i16 = 10;
}

impl Decode for OffsetFetchResponsePartitions {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.partition_index = wire::get_i32(buf)?;
        value.committed_offset = wire::get_i64(buf)?;
        value.committed_leader_epoch = wire::get_i32(buf)?;
        value.metadata = wire::get_nullable_string(buf, true, true)?;
        value.error_code = wire::get_i16(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for OffsetFetchResponsePartitions {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.partition_index);
        wire::put_i64(buf, self.committed_offset);
        wire::put_i32(buf, self.committed_leader_epoch);
        wire::put_nullable_string(buf, true, true, self.metadata.as_ref())?;
        wire::put_i16(buf, self.error_code);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
