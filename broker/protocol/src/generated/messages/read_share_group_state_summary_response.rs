//! Kafka's `ReadShareGroupStateSummaryResponse`, API versions 0-1.
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
pub struct ReadShareGroupStateSummaryResponse {
    /// The read results. (versions 0-1)
    pub results: Vec<ReadStateSummaryResult>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for ReadShareGroupStateSummaryResponse {
    const NAME: &'static str = "ReadShareGroupStateSummaryResponse";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 1;
}

impl Decode for ReadShareGroupStateSummaryResponse {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.results = wire::get_array(buf, true, |buf| ReadStateSummaryResult::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for ReadShareGroupStateSummaryResponse {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_array(buf, true, &self.results, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0-1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadStateSummaryResult {
    /// The topic identifier. (versions 0-1)
    pub topic_id: Uuid,
    /// The results for the partitions. (versions 0-1)
    pub partitions: Vec<PartitionResult>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for ReadStateSummaryResult {
    const NAME: &'static str = "ReadStateSummaryResult";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 1;
}

impl Decode for ReadStateSummaryResult {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.topic_id = wire::get_uuid(buf)?;
        value.partitions = wire::get_array(buf, true, |buf| PartitionResult::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for ReadStateSummaryResult {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_uuid(buf, self.topic_id);
        wire::put_array(buf, true, &self.partitions, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0-1.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionResult {
    /// The partition index. (versions 0-1)
    pub partition: i32,
    /// The error code, or 0 if there was no error. (versions 0-1)
    pub error_code: i16,
    /// The error message, or null if there was no error. (versions 0-1)
    pub error_message: Option<StrBytes>,
    /// The state epoch of the share-partition. (versions 0-1)
    pub state_epoch: i32,
    /// The leader epoch of the share-partition. (versions 0-1)
    pub leader_epoch: i32,
    /// The share-partition start offset. (versions 0-1)
    pub start_offset: i64,
    /// The number of offsets greater than or equal to share-partition start offset for which delivery has been completed. (versions 1)
    pub delivery_complete_count: i32,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for PartitionResult {
    fn default() -> Self {
        Self {
            partition: 0,
            error_code: 0,
            error_message: None,
            state_epoch: 0,
            leader_epoch: 0,
            start_offset: 0,
            delivery_complete_count: -1,
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for PartitionResult {
    const NAME: &'static str = "PartitionResult";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 1;
}

impl Decode for PartitionResult {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.partition = wire::get_i32(buf)?;
        value.error_code = wire::get_i16(buf)?;
        value.error_message = wire::get_nullable_string(buf, true, true)?;
        value.state_epoch = wire::get_i32(buf)?;
        value.leader_epoch = wire::get_i32(buf)?;
        value.start_offset = wire::get_i64(buf)?;
        if version == 1 {
            value.delivery_complete_count = wire::get_i32(buf)?;
        }
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for PartitionResult {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.partition);
        wire::put_i16(buf, self.error_code);
        wire::put_nullable_string(buf, true, true, self.error_message.as_ref())?;
        wire::put_i32(buf, self.state_epoch);
        wire::put_i32(buf, self.leader_epoch);
        wire::put_i64(buf, self.start_offset);
        if version == 1 {
            wire::put_i32(buf, self.delivery_complete_count);
        }
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
