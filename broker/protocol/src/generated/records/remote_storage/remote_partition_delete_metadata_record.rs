//! Kafka's `RemotePartitionDeleteMetadataRecord`, API versions 0.
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
pub struct RemotePartitionDeleteMetadataRecord {
    /// Represents unique topic partition. (versions 0)
    pub topic_id_partition: TopicIdPartitionEntry,
    /// Broker (controller or leader) id from which this event is created. DELETE_PARTITION_MARKED is sent by the controller. DELETE_PARTITION_STARTED and DELETE_PARTITION_FINISHED are sent by remote log metadata topic partition leader. (versions 0)
    pub broker_id: i32,
    /// Epoch time in milliseconds at which this event is generated. (versions 0)
    pub event_timestamp_ms: i64,
    /// Deletion state identifier of the remote partition, which is RemotePartitionDeleteState.id(). (versions 0)
    pub remote_partition_delete_state: i8,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for RemotePartitionDeleteMetadataRecord {
    const NAME: &'static str = "RemotePartitionDeleteMetadataRecord";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for RemotePartitionDeleteMetadataRecord {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.topic_id_partition = TopicIdPartitionEntry::decode(buf, version)?;
        value.broker_id = wire::get_i32(buf)?;
        value.event_timestamp_ms = wire::get_i64(buf)?;
        value.remote_partition_delete_state = wire::get_i8(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for RemotePartitionDeleteMetadataRecord {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        self.topic_id_partition.encode(buf, version)?;
        wire::put_i32(buf, self.broker_id);
        wire::put_i64(buf, self.event_timestamp_ms);
        wire::put_i8(buf, self.remote_partition_delete_state);
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
