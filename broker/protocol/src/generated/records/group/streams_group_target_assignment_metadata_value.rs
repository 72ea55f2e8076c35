//! Kafka's `StreamsGroupTargetAssignmentMetadataValue`, API versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamsGroupTargetAssignmentMetadataValue {
    /// The assignment epoch. (versions 0)
    pub assignment_epoch: i32,
    /// The time at which the assignment calculation finished. (versions 0)
    pub assignment_timestamp: i64,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for StreamsGroupTargetAssignmentMetadataValue {
    const NAME: &'static str = "StreamsGroupTargetAssignmentMetadataValue";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for StreamsGroupTargetAssignmentMetadataValue {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.assignment_epoch = wire::get_i32(buf)?;
        wire::get_tags(buf, &mut value.unknown_tagged_fields, |tag, buf| {
            match tag {
                0 => {
                    value.assignment_timestamp = wire::get_i64(buf)?;
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(value)
    }
}

impl Encode for StreamsGroupTargetAssignmentMetadataValue {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.assignment_epoch);
        let mut tags = wire::Tags::default();
        if self.assignment_timestamp != 0 {
            tags.put(0, |buf| {
                wire::put_i64(buf, self.assignment_timestamp);
                Ok(())
            })?;
        }
        tags.finish(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
