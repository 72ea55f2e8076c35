//! Kafka's `OffsetFetchRequest`, API versions 1-10.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Versions 1-10.
#[derive(Clone, Debug, PartialEq)]
pub struct OffsetFetchRequest {
    /// The group to fetch offsets for. (versions 1-7)
    pub group_id: StrBytes,
    /// Each topic we would like to fetch offsets for, or null to fetch offsets for all topics. (versions 1-7)
    pub topics: Option<Vec<OffsetFetchRequestTopic>>,
    /// Each group we would like to fetch offsets for. (versions 8-10)
    pub groups: Vec<OffsetFetchRequestGroup>,
    /// Whether broker should hold on returning unstable offsets but set a retriable error code for the partitions. (versions 7-10)
    pub require_stable: bool,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for OffsetFetchRequest {
    fn default() -> Self {
        Self {
            group_id: StrBytes::new(),
            topics: Some(Vec::new()),
            groups: Vec::new(),
            require_stable: false,
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for OffsetFetchRequest {
    const NAME: &'static str = "OffsetFetchRequest";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 10;
}

impl Decode for OffsetFetchRequest {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        if version <= 7 {
            value.group_id = wire::get_string(buf, version >= 6)?;
        }
        if version <= 7 {
            value.topics = wire::get_nullable_array(buf, version >= 6, version >= 2, |buf| {
                OffsetFetchRequestTopic::decode(buf, version)
            })?;
        }
        if version >= 8 {
            value.groups =
                wire::get_array(buf, version >= 6, |buf| OffsetFetchRequestGroup::decode(buf, version))?;
        }
        if version >= 7 {
            value.require_stable = wire::get_bool(buf)?;
        }
        if version >= 6 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for OffsetFetchRequest {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        if version <= 7 {
            wire::put_string(buf, version >= 6, &self.group_id)?;
        } else if !self.group_id.is_empty() {
            return Err(EncodeError::FieldNotInVersion { field: "GroupId", version });
        }
        if version <= 7 {
            wire::put_nullable_array(
                buf,
                version >= 6,
                version >= 2,
                self.topics.as_deref(),
                |buf, item| item.encode(buf, version),
            )?;
        } else if self.topics.as_ref().is_none_or(|value| !value.is_empty()) {
            return Err(EncodeError::FieldNotInVersion { field: "Topics", version });
        }
        if version >= 8 {
            wire::put_array(buf, version >= 6, &self.groups, |buf, item| item.encode(buf, version))?;
        } else if !self.groups.is_empty() {
            return Err(EncodeError::FieldNotInVersion { field: "Groups", version });
        }
        if version >= 7 {
            wire::put_bool(buf, self.require_stable);
        } else if self.require_stable {
            return Err(EncodeError::FieldNotInVersion { field: "RequireStable", version });
        }
        if version >= 6 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}

/// Versions 1-7.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OffsetFetchRequestTopic {
    /// The topic name. (versions 1-7)
    pub name: StrBytes,
    /// The partition indexes we would like to fetch offsets for. (versions 1-7)
    pub partition_indexes: Vec<i32>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for OffsetFetchRequestTopic {
    const NAME: &'static str = "OffsetFetchRequestTopic";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 7;
}

impl Decode for OffsetFetchRequestTopic {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.name = wire::get_string(buf, version >= 6)?;
        value.partition_indexes = wire::get_array(buf, version >= 6, wire::get_i32)?;
        if version >= 6 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for OffsetFetchRequestTopic {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, version >= 6, &self.name)?;
        wire::put_array(buf, version >= 6, &self.partition_indexes, |buf, item| {
            wire::put_i32(buf, *item);
            Ok(())
        })?;
        if version >= 6 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}

/// Versions 8-10.
#[derive(Clone, Debug, PartialEq)]
pub struct OffsetFetchRequestGroup {
    /// The group ID. (versions 8-10)
    pub group_id: StrBytes,
    /// The member id. (versions 9-10)
    pub member_id: Option<StrBytes>,
    /// The member epoch if using the new consumer protocol (KIP-848). (versions 9-10)
    pub member_epoch: i32,
    /// Each topic we would like to fetch offsets for, or null to fetch offsets for all topics. (versions 8-10)
    pub topics: Option<Vec<OffsetFetchRequestTopics>>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for OffsetFetchRequestGroup {
    fn default() -> Self {
        Self {
            group_id: StrBytes::new(),
            member_id: None,
            member_epoch: -1,
            topics: Some(Vec::new()),
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for OffsetFetchRequestGroup {
    const NAME: &'static str = "OffsetFetchRequestGroup";
    const LOWEST_VERSION: i16 = 8;
    const HIGHEST_VERSION: i16 = 10;
}

impl Decode for OffsetFetchRequestGroup {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.group_id = wire::get_string(buf, true)?;
        if version >= 9 {
            value.member_id = wire::get_nullable_string(buf, true, true)?;
        }
        if version >= 9 {
            value.member_epoch = wire::get_i32(buf)?;
        }
        value.topics =
            wire::get_nullable_array(buf, true, true, |buf| OffsetFetchRequestTopics::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for OffsetFetchRequestGroup {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.group_id)?;
        if version >= 9 {
            wire::put_nullable_string(buf, true, true, self.member_id.as_ref())?;
        }
        if version >= 9 {
            wire::put_i32(buf, self.member_epoch);
        }
        wire::put_nullable_array(buf, true, true, self.topics.as_deref(), |buf, item| {
            item.encode(buf, version)
        })?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 8-10.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OffsetFetchRequestTopics {
    /// The topic name. (versions 8-9)
    pub name: StrBytes,
    /// The topic ID. (versions 10)
    pub topic_id: Uuid,
    /// The partition indexes we would like to fetch offsets for. (versions 8-10)
    pub partition_indexes: Vec<i32>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for OffsetFetchRequestTopics {
    const NAME: &'static str = "OffsetFetchRequestTopics";
    const LOWEST_VERSION: i16 = 8;
    const HIGHEST_VERSION: i16 = 10;
}

impl Decode for OffsetFetchRequestTopics {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        if version <= 9 {
            value.name = wire::get_string(buf, true)?;
        }
        if version == 10 {
            value.topic_id = wire::get_uuid(buf)?;
        }
        value.partition_indexes = wire::get_array(buf, true, wire::get_i32)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for OffsetFetchRequestTopics {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        if version <= 9 {
            wire::put_string(buf, true, &self.name)?;
        }
        if version == 10 {
            wire::put_uuid(buf, self.topic_id);
        }
        wire::put_array(buf, true, &self.partition_indexes, |buf, item| {
            wire::put_i32(buf, *item);
            Ok(())
        })?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
