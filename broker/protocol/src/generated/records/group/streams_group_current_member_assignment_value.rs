//! Kafka's `StreamsGroupCurrentMemberAssignmentValue`, API versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamsGroupCurrentMemberAssignmentValue {
    /// The current member epoch that is expected from the member in the heartbeat request. (versions 0)
    pub member_epoch: i32,
    /// If the last epoch bump is lost before reaching the member, the member will retry with the previous epoch. (versions 0)
    pub previous_member_epoch: i32,
    /// The member state. See StreamsGroupMember.MemberState for the possible values. (versions 0)
    pub state: i8,
    /// Currently assigned active tasks for this streams client. (versions 0)
    pub active_tasks: Vec<TaskIds>,
    /// Currently assigned standby tasks for this streams client. (versions 0)
    pub standby_tasks: Vec<TaskIds>,
    /// Currently assigned warm-up tasks for this streams client. (versions 0)
    pub warmup_tasks: Vec<TaskIds>,
    /// The active tasks that must be revoked by this member. (versions 0)
    pub active_tasks_pending_revocation: Vec<TaskIds>,
    /// The standby tasks that must be revoked by this member. (versions 0)
    pub standby_tasks_pending_revocation: Vec<TaskIds>,
    /// The warmup tasks that must be revoked by this member. (versions 0)
    pub warmup_tasks_pending_revocation: Vec<TaskIds>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for StreamsGroupCurrentMemberAssignmentValue {
    const NAME: &'static str = "StreamsGroupCurrentMemberAssignmentValue";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for StreamsGroupCurrentMemberAssignmentValue {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.member_epoch = wire::get_i32(buf)?;
        value.previous_member_epoch = wire::get_i32(buf)?;
        value.state = wire::get_i8(buf)?;
        value.active_tasks = wire::get_array(buf, true, |buf| TaskIds::decode(buf, version))?;
        value.standby_tasks = wire::get_array(buf, true, |buf| TaskIds::decode(buf, version))?;
        value.warmup_tasks = wire::get_array(buf, true, |buf| TaskIds::decode(buf, version))?;
        value.active_tasks_pending_revocation =
            wire::get_array(buf, true, |buf| TaskIds::decode(buf, version))?;
        value.standby_tasks_pending_revocation =
            wire::get_array(buf, true, |buf| TaskIds::decode(buf, version))?;
        value.warmup_tasks_pending_revocation =
            wire::get_array(buf, true, |buf| TaskIds::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for StreamsGroupCurrentMemberAssignmentValue {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.member_epoch);
        wire::put_i32(buf, self.previous_member_epoch);
        wire::put_i8(buf, self.state);
        wire::put_array(buf, true, &self.active_tasks, |buf, item| item.encode(buf, version))?;
        wire::put_array(buf, true, &self.standby_tasks, |buf, item| item.encode(buf, version))?;
        wire::put_array(buf, true, &self.warmup_tasks, |buf, item| item.encode(buf, version))?;
        wire::put_array(buf, true, &self.active_tasks_pending_revocation, |buf, item| {
            item.encode(buf, version)
        })?;
        wire::put_array(buf, true, &self.standby_tasks_pending_revocation, |buf, item| {
            item.encode(buf, version)
        })?;
        wire::put_array(buf, true, &self.warmup_tasks_pending_revocation, |buf, item| {
            item.encode(buf, version)
        })?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskIds {
    /// The subtopology ID. (versions 0)
    pub subtopology_id: StrBytes,
    /// The partitions of the input topics processed by this member. (versions 0)
    pub partitions: Vec<i32>,
    /// The epoch at which the partition was assigned to the member. Used to fence zombie commits requests. Of the same length as Partitions. Only defined for active tasks. (versions 0)
    pub assignment_epochs: Option<Vec<i32>>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for TaskIds {
    fn default() -> Self {
        Self {
            subtopology_id: StrBytes::new(),
            partitions: Vec::new(),
            assignment_epochs: Some(Vec::new()),
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
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
        wire::get_tags(buf, &mut value.unknown_tagged_fields, |tag, buf| {
            match tag {
                0 => {
                    value.assignment_epochs = wire::get_nullable_array(buf, true, true, wire::get_i32)?;
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
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
        let mut tags = wire::Tags::default();
        if self.assignment_epochs.as_ref().is_none_or(|value| !value.is_empty()) {
            tags.put(0, |buf| {
                wire::put_nullable_array(buf, true, true, self.assignment_epochs.as_deref(), |buf, item| {
                    wire::put_i32(buf, *item);
                    Ok(())
                })?;
                Ok(())
            })?;
        }
        tags.finish(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
