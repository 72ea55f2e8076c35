//! Kafka's `ShareAcknowledgeRequest`, API versions 1-2.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Versions 1-2.
#[derive(Clone, Debug, PartialEq)]
pub struct ShareAcknowledgeRequest {
    /// The group identifier. (versions 1-2)
    pub group_id: Option<StrBytes>,
    /// The member ID. (versions 1-2)
    pub member_id: Option<StrBytes>,
    /// The current share session epoch: 0 to open a share session; -1 to close it; otherwise increments for consecutive requests. (versions 1-2)
    pub share_session_epoch: i32,
    /// Whether Renew type acknowledgements present in AcknowledgementBatches. (versions 2)
    pub is_renew_ack: bool,
    /// The topics containing records to acknowledge. (versions 1-2)
    pub topics: Vec<AcknowledgeTopic>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for ShareAcknowledgeRequest {
    fn default() -> Self {
        Self {
            group_id: None,
            member_id: Some(StrBytes::new()),
            share_session_epoch: 0,
            is_renew_ack: false,
            topics: Vec::new(),
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for ShareAcknowledgeRequest {
    const NAME: &'static str = "ShareAcknowledgeRequest";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 2;
}

impl Decode for ShareAcknowledgeRequest {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.group_id = wire::get_nullable_string(buf, true, true)?;
        value.member_id = wire::get_nullable_string(buf, true, true)?;
        value.share_session_epoch = wire::get_i32(buf)?;
        if version == 2 {
            value.is_renew_ack = wire::get_bool(buf)?;
        }
        value.topics = wire::get_array(buf, true, |buf| AcknowledgeTopic::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for ShareAcknowledgeRequest {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_nullable_string(buf, true, true, self.group_id.as_ref())?;
        wire::put_nullable_string(buf, true, true, self.member_id.as_ref())?;
        wire::put_i32(buf, self.share_session_epoch);
        if version == 2 {
            wire::put_bool(buf, self.is_renew_ack);
        } else if self.is_renew_ack {
            return Err(EncodeError::FieldNotInVersion { field: "IsRenewAck", version });
        }
        wire::put_array(buf, true, &self.topics, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 1-2.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AcknowledgeTopic {
    /// The unique topic ID. (versions 1-2)
    pub topic_id: Uuid,
    /// The partitions containing records to acknowledge. (versions 1-2)
    pub partitions: Vec<AcknowledgePartition>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for AcknowledgeTopic {
    const NAME: &'static str = "AcknowledgeTopic";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 2;
}

impl Decode for AcknowledgeTopic {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.topic_id = wire::get_uuid(buf)?;
        value.partitions = wire::get_array(buf, true, |buf| AcknowledgePartition::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for AcknowledgeTopic {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_uuid(buf, self.topic_id);
        wire::put_array(buf, true, &self.partitions, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 1-2.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AcknowledgePartition {
    /// The partition index. (versions 1-2)
    pub partition_index: i32,
    /// Record batches to acknowledge. (versions 1-2)
    pub acknowledgement_batches: Vec<AcknowledgementBatch>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for AcknowledgePartition {
    const NAME: &'static str = "AcknowledgePartition";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 2;
}

impl Decode for AcknowledgePartition {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.partition_index = wire::get_i32(buf)?;
        value.acknowledgement_batches =
            wire::get_array(buf, true, |buf| AcknowledgementBatch::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for AcknowledgePartition {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.partition_index);
        wire::put_array(buf, true, &self.acknowledgement_batches, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 1-2.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AcknowledgementBatch {
    /// First offset of batch of records to acknowledge. (versions 1-2)
    pub first_offset: i64,
    /// Last offset (inclusive) of batch of records to acknowledge. (versions 1-2)
    pub last_offset: i64,
    /// Array of acknowledge types - 0:Gap,1:Accept,2:Release,3:Reject,4:Renew. (versions 1-2)
    pub acknowledge_types: Vec<i8>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for AcknowledgementBatch {
    const NAME: &'static str = "AcknowledgementBatch";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 2;
}

impl Decode for AcknowledgementBatch {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.first_offset = wire::get_i64(buf)?;
        value.last_offset = wire::get_i64(buf)?;
        value.acknowledge_types = wire::get_array(buf, true, wire::get_i8)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for AcknowledgementBatch {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i64(buf, self.first_offset);
        wire::put_i64(buf, self.last_offset);
        wire::put_array(buf, true, &self.acknowledge_types, |buf, item| {
            wire::put_i8(buf, *item);
            Ok(())
        })?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
