//! Kafka's `RemoteLogSegmentMetadataUpdateRecord`, API versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RemoteLogSegmentMetadataUpdateRecord {
    /// Unique representation of the remote log segment. (versions 0)
    pub remote_log_segment_id: RemoteLogSegmentIdEntry,
    /// Broker id from which this event is generated. (versions 0)
    pub broker_id: i32,
    /// Epoch time in milliseconds at which this event is generated. (versions 0)
    pub event_timestamp_ms: i64,
    /// Custom metadata. (versions 0)
    pub custom_metadata: Option<Bytes>,
    /// State identifier of the remote log segment, which is RemoteLogSegmentState.id(). (versions 0)
    pub remote_log_segment_state: i8,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for RemoteLogSegmentMetadataUpdateRecord {
    const NAME: &'static str = "RemoteLogSegmentMetadataUpdateRecord";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for RemoteLogSegmentMetadataUpdateRecord {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.remote_log_segment_id = RemoteLogSegmentIdEntry::decode(buf, version)?;
        value.broker_id = wire::get_i32(buf)?;
        value.event_timestamp_ms = wire::get_i64(buf)?;
        value.custom_metadata = wire::get_nullable_bytes(buf, true, true)?;
        value.remote_log_segment_state = wire::get_i8(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for RemoteLogSegmentMetadataUpdateRecord {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        self.remote_log_segment_id.encode(buf, version)?;
        wire::put_i32(buf, self.broker_id);
        wire::put_i64(buf, self.event_timestamp_ms);
        wire::put_nullable_bytes(buf, true, true, self.custom_metadata.as_ref())?;
        wire::put_i8(buf, self.remote_log_segment_state);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RemoteLogSegmentIdEntry {
    /// Represents unique topic partition. (versions 0)
    pub topic_id_partition: TopicIdPartitionEntry,
    /// Unique identifier of the remote log segment. (versions 0)
    pub id: Uuid,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for RemoteLogSegmentIdEntry {
    const NAME: &'static str = "RemoteLogSegmentIdEntry";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for RemoteLogSegmentIdEntry {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.topic_id_partition = TopicIdPartitionEntry::decode(buf, version)?;
        value.id = wire::get_uuid(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for RemoteLogSegmentIdEntry {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        self.topic_id_partition.encode(buf, version)?;
        wire::put_uuid(buf, self.id);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicIdPartitionEntry {
    /// Topic name. (versions 0)
    pub name: StrBytes,
    /// Unique identifier of the topic. (versions 0)
    pub id: Uuid,
    /// Partition number. (versions 0)
    pub partition: i32,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for TopicIdPartitionEntry {
    const NAME: &'static str = "TopicIdPartitionEntry";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for TopicIdPartitionEntry {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.name = wire::get_string(buf, true)?;
        value.id = wire::get_uuid(buf)?;
        value.partition = wire::get_i32(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for TopicIdPartitionEntry {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.name)?;
        wire::put_uuid(buf, self.id);
        wire::put_i32(buf, self.partition);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
