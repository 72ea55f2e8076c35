//! Kafka's `OffsetCommitRequest`, API versions 2-10.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Versions 2-10.
#[derive(Clone, Debug, PartialEq)]
pub struct OffsetCommitRequest {
    /// The unique group identifier. (versions 2-10)
    pub group_id: StrBytes,
    /// The generation of the group if using the classic group protocol or the member epoch if using the consumer protocol. (versions 2-10)
    pub generation_id_or_member_epoch: i32,
    /// The member ID assigned by the group coordinator. (versions 2-10)
    pub member_id: StrBytes,
    /// The unique identifier of the consumer instance provided by end user. (versions 7-10)
    pub group_instance_id: Option<StrBytes>,
    /// The time period in ms to retain the offset. (versions 2-4)
    pub retention_time_ms: i64,
    /// The topics to commit offsets for. (versions 2-10)
    pub topics: Vec<OffsetCommitRequestTopic>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for OffsetCommitRequest {
    fn default() -> Self {
        Self {
            group_id: StrBytes::new(),
            generation_id_or_member_epoch: -1,
            member_id: StrBytes::new(),
            group_instance_id: None,
            retention_time_ms: -1,
            topics: Vec::new(),
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for OffsetCommitRequest {
    const NAME: &'static str = "OffsetCommitRequest";
    const LOWEST_VERSION: i16 = 2;
    const HIGHEST_VERSION: i16 = 10;
}

impl Decode for OffsetCommitRequest {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.group_id = wire::get_string(buf, version >= 8)?;
        value.generation_id_or_member_epoch = wire::get_i32(buf)?;
        value.member_id = wire::get_string(buf, version >= 8)?;
        if version >= 7 {
            value.group_instance_id = wire::get_nullable_string(buf, version >= 8, true)?;
        }
        if version <= 4 {
            value.retention_time_ms = wire::get_i64(buf)?;
        }
        value.topics =
            wire::get_array(buf, version >= 8, |buf| OffsetCommitRequestTopic::decode(buf, version))?;
        if version >= 8 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for OffsetCommitRequest {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, version >= 8, &self.group_id)?;
        wire::put_i32(buf, self.generation_id_or_member_epoch);
        wire::put_string(buf, version >= 8, &self.member_id)?;
        if version >= 7 {
            wire::put_nullable_string(buf, version >= 8, true, self.group_instance_id.as_ref())?;
        } else if self.group_instance_id.is_some() {
            return Err(EncodeError::FieldNotInVersion { field: "GroupInstanceId", version });
        }
        if version <= 4 {
            wire::put_i64(buf, self.retention_time_ms);
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
pub struct OffsetCommitRequestTopic {
    /// The topic name. (versions 2-9)
    pub name: StrBytes,
    /// The topic ID. (versions 10)
    pub topic_id: Uuid,
    /// Each partition to commit offsets for. (versions 2-10)
    pub partitions: Vec<OffsetCommitRequestPartition>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for OffsetCommitRequestTopic {
    const NAME: &'static str = "OffsetCommitRequestTopic";
    const LOWEST_VERSION: i16 = 2;
    const HIGHEST_VERSION: i16 = 10;
}

impl Decode for OffsetCommitRequestTopic {
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
            wire::get_array(buf, version >= 8, |buf| OffsetCommitRequestPartition::decode(buf, version))?;
        if version >= 8 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for OffsetCommitRequestTopic {
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
#[derive(Clone, Debug, PartialEq)]
pub struct OffsetCommitRequestPartition {
    /// The partition index. (versions 2-10)
    pub partition_index: i32,
    /// The message offset to be committed. (versions 2-10)
    pub committed_offset: i64,
    /// The leader epoch of this partition. (versions 6-10)
    pub committed_leader_epoch: i32,
    /// Any associated metadata the client wants to keep. (versions 2-10)
    pub committed_metadata: Option<StrBytes>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for OffsetCommitRequestPartition {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            committed_metadata: Some(StrBytes::new()),
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for OffsetCommitRequestPartition {
    const NAME: &'static str = "OffsetCommitRequestPartition";
    const LOWEST_VERSION: i16 = 2;
    const HIGHEST_VERSION: i16 = 10;
}

impl Decode for OffsetCommitRequestPartition {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.partition_index = wire::get_i32(buf)?;
        value.committed_offset = wire::get_i64(buf)?;
        if version >= 6 {
            value.committed_leader_epoch = wire::get_i32(buf)?;
        }
        value.committed_metadata = wire::get_nullable_string(buf, version >= 8, true)?;
        if version >= 8 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for OffsetCommitRequestPartition {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.partition_index);
        wire::put_i64(buf, self.committed_offset);
        if version >= 6 {
            wire::put_i32(buf, self.committed_leader_epoch);
        }
        wire::put_nullable_string(buf, version >= 8, true, self.committed_metadata.as_ref())?;
        if version >= 8 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}
