//! Kafka's `ShareUpdateValue`, API versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;

/// Versions 0.
#[derive(Clone, Debug, PartialEq)]
pub struct ShareUpdateValue {
    /// The snapshot epoch. (versions 0)
    pub snapshot_epoch: i32,
    /// The leader epoch of the share-partition. (versions 0)
    pub leader_epoch: i32,
    /// The share-partition start offset, or -1 if the start offset is not being updated. (versions 0)
    pub start_offset: i64,
    /// The number of offsets greater than or equal to share-partition start offset for which delivery has been completed. (versions 0)
    pub delivery_complete_count: i32,
    /// The state batches that have been updated. (versions 0)
    pub state_batches: Vec<StateBatch>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for ShareUpdateValue {
    fn default() -> Self {
        Self {
            snapshot_epoch: 0,
            leader_epoch: 0,
            start_offset: 0,
            delivery_complete_count: -1,
            state_batches: Vec::new(),
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for ShareUpdateValue {
    const NAME: &'static str = "ShareUpdateValue";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for ShareUpdateValue {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.snapshot_epoch = wire::get_i32(buf)?;
        value.leader_epoch = wire::get_i32(buf)?;
        value.start_offset = wire::get_i64(buf)?;
        value.state_batches = wire::get_array(buf, true, |buf| StateBatch::decode(buf, version))?;
        wire::get_tags(buf, &mut value.unknown_tagged_fields, |tag, buf| {
            match tag {
                0 => {
                    value.delivery_complete_count = wire::get_i32(buf)?;
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(value)
    }
}

impl Encode for ShareUpdateValue {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.snapshot_epoch);
        wire::put_i32(buf, self.leader_epoch);
        wire::put_i64(buf, self.start_offset);
        wire::put_array(buf, true, &self.state_batches, |buf, item| item.encode(buf, version))?;
        let mut tags = wire::Tags::default();
        if self.delivery_complete_count != -1 {
            tags.put(0, |buf| {
                wire::put_i32(buf, self.delivery_complete_count);
                Ok(())
            })?;
        }
        tags.finish(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateBatch {
    /// The first offset of this state batch. (versions 0)
    pub first_offset: i64,
    /// The last offset of this state batch. (versions 0)
    pub last_offset: i64,
    /// The delivery state - 0:Available,2:Acked,4:Archived. (versions 0)
    pub delivery_state: i8,
    /// The delivery count. (versions 0)
    pub delivery_count: i16,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for StateBatch {
    const NAME: &'static str = "StateBatch";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for StateBatch {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.first_offset = wire::get_i64(buf)?;
        value.last_offset = wire::get_i64(buf)?;
        value.delivery_state = wire::get_i8(buf)?;
        value.delivery_count = wire::get_i16(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for StateBatch {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i64(buf, self.first_offset);
        wire::put_i64(buf, self.last_offset);
        wire::put_i8(buf, self.delivery_state);
        wire::put_i16(buf, self.delivery_count);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
