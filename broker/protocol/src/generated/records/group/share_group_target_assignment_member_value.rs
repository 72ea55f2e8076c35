//! Kafka's `ShareGroupTargetAssignmentMemberValue`, API versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShareGroupTargetAssignmentMemberValue {
    /// The assigned partitions. (versions 0)
    pub topic_partitions: Vec<TopicPartition>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for ShareGroupTargetAssignmentMemberValue {
    const NAME: &'static str = "ShareGroupTargetAssignmentMemberValue";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for ShareGroupTargetAssignmentMemberValue {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.topic_partitions = wire::get_array(buf, true, |buf| TopicPartition::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for ShareGroupTargetAssignmentMemberValue {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_array(buf, true, &self.topic_partitions, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicPartition {
    /// The topic id. (versions 0)
    pub topic_id: Uuid,
    /// The partition indexes. (versions 0)
    pub partitions: Vec<i32>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for TopicPartition {
    const NAME: &'static str = "TopicPartition";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for TopicPartition {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.topic_id = wire::get_uuid(buf)?;
        value.partitions = wire::get_array(buf, true, wire::get_i32)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for TopicPartition {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_uuid(buf, self.topic_id);
        wire::put_array(buf, true, &self.partitions, |buf, item| {
            wire::put_i32(buf, *item);
            Ok(())
        })?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
