//! Kafka's `RemoteLogSegmentMetadataSnapshotRecord`, API versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RemoteLogSegmentMetadataSnapshotRecord {
    /// Unique identifier of the log segment (versions 0)
    pub segment_id: Uuid,
    /// Start offset of the segment. (versions 0)
    pub start_offset: i64,
    /// End offset of the segment. (versions 0)
    pub end_offset: i64,
    /// Broker (controller or leader) id from which this event is created or updated. (versions 0)
    pub broker_id: i32,
    /// Maximum timestamp with in this segment. (versions 0)
    pub max_timestamp_ms: i64,
    /// Event timestamp of this segment. (versions 0)
    pub event_timestamp_ms: i64,
    /// Leader epochs of this segment. (versions 0)
    pub segment_leader_epochs: Vec<SegmentLeaderEpochEntry>,
    /// Segment size in bytes (versions 0)
    pub segment_size_in_bytes: i32,
    /// Custom metadata. (versions 0)
    pub custom_metadata: Option<Bytes>,
    /// State of the remote log segment (versions 0)
    pub remote_log_segment_state: i8,
    /// Flag to indicate if the transaction index is empty. (versions 0)
    pub txn_index_empty: bool,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for RemoteLogSegmentMetadataSnapshotRecord {
    const NAME: &'static str = "RemoteLogSegmentMetadataSnapshotRecord";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for RemoteLogSegmentMetadataSnapshotRecord {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.segment_id = wire::get_uuid(buf)?;
        value.start_offset = wire::get_i64(buf)?;
        value.end_offset = wire::get_i64(buf)?;
        value.broker_id = wire::get_i32(buf)?;
        value.max_timestamp_ms = wire::get_i64(buf)?;
        value.event_timestamp_ms = wire::get_i64(buf)?;
        value.segment_leader_epochs =
            wire::get_array(buf, true, |buf| SegmentLeaderEpochEntry::decode(buf, version))?;
        value.segment_size_in_bytes = wire::get_i32(buf)?;
        value.custom_metadata = wire::get_nullable_bytes(buf, true, true)?;
        value.remote_log_segment_state = wire::get_i8(buf)?;
        wire::get_tags(buf, &mut value.unknown_tagged_fields, |tag, buf| {
            match tag {
                0 => {
                    value.txn_index_empty = wire::get_bool(buf)?;
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(value)
    }
}

impl Encode for RemoteLogSegmentMetadataSnapshotRecord {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_uuid(buf, self.segment_id);
        wire::put_i64(buf, self.start_offset);
        wire::put_i64(buf, self.end_offset);
        wire::put_i32(buf, self.broker_id);
        wire::put_i64(buf, self.max_timestamp_ms);
        wire::put_i64(buf, self.event_timestamp_ms);
        wire::put_array(buf, true, &self.segment_leader_epochs, |buf, item| item.encode(buf, version))?;
        wire::put_i32(buf, self.segment_size_in_bytes);
        wire::put_nullable_bytes(buf, true, true, self.custom_metadata.as_ref())?;
        wire::put_i8(buf, self.remote_log_segment_state);
        let mut tags = wire::Tags::default();
        if self.txn_index_empty {
            tags.put(0, |buf| {
                wire::put_bool(buf, self.txn_index_empty);
                Ok(())
            })?;
        }
        tags.finish(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SegmentLeaderEpochEntry {
    /// Leader epoch (versions 0)
    pub leader_epoch: i32,
    /// Start offset for the leader epoch (versions 0)
    pub offset: i64,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for SegmentLeaderEpochEntry {
    const NAME: &'static str = "SegmentLeaderEpochEntry";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for SegmentLeaderEpochEntry {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.leader_epoch = wire::get_i32(buf)?;
        value.offset = wire::get_i64(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for SegmentLeaderEpochEntry {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.leader_epoch);
        wire::put_i64(buf, self.offset);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
