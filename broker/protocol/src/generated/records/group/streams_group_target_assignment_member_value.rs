//! Kafka's `StreamsGroupTargetAssignmentMemberValue`, API versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamsGroupTargetAssignmentMemberValue {
    /// Currently assigned active tasks for this streams client. (versions 0)
    pub active_tasks: Vec<TaskIds>,
    /// Currently assigned standby tasks for this streams client. (versions 0)
    pub standby_tasks: Vec<TaskIds>,
    /// Currently assigned warm-up tasks for this streams client. (versions 0)
    pub warmup_tasks: Vec<TaskIds>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for StreamsGroupTargetAssignmentMemberValue {
    const NAME: &'static str = "StreamsGroupTargetAssignmentMemberValue";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for StreamsGroupTargetAssignmentMemberValue {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.active_tasks = wire::get_array(buf, true, |buf| TaskIds::decode(buf, version))?;
        value.standby_tasks = wire::get_array(buf, true, |buf| TaskIds::decode(buf, version))?;
        value.warmup_tasks = wire::get_array(buf, true, |buf| TaskIds::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for StreamsGroupTargetAssignmentMemberValue {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_array(buf, true, &self.active_tasks, |buf, item| item.encode(buf, version))?;
        wire::put_array(buf, true, &self.standby_tasks, |buf, item| item.encode(buf, version))?;
        wire::put_array(buf, true, &self.warmup_tasks, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskIds {
    /// The subtopology ID. (versions 0)
    pub subtopology_id: StrBytes,
    /// The partitions of the input topics processed by this member. (versions 0)
    pub partitions: Vec<i32>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for TaskIds {
    const NAME: &'static str = "TaskIds";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for TaskIds {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.subtopology_id = wire::get_string(buf, true)?;
        value.partitions = wire::get_array(buf, true, wire::get_i32)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for TaskIds {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.subtopology_id)?;
        wire::put_array(buf, true, &self.partitions, |buf, item| {
            wire::put_i32(buf, *item);
            Ok(())
        })?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
