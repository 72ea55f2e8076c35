//! Kafka's `ShareAcknowledgeResponse`, API versions 1-2.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Versions 1-2.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShareAcknowledgeResponse {
    /// The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the request did not violate any quota. (versions 1-2)
    pub throttle_time_ms: i32,
    /// The top level response error code. (versions 1-2)
    pub error_code: i16,
    /// The top-level error message, or null if there was no error. (versions 1-2)
    pub error_message: Option<StrBytes>,
    /// The time in milliseconds for which the acquired records are locked. (versions 2)
    pub acquisition_lock_timeout_ms: i32,
    /// The response topics. (versions 1-2)
    pub responses: Vec<ShareAcknowledgeTopicResponse>,
    /// Endpoints for all current leaders enumerated in PartitionData with error NOT_LEADER_OR_FOLLOWER. (versions 1-2)
    pub node_endpoints: Vec<NodeEndpoint>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for ShareAcknowledgeResponse {
    const NAME: &'static str = "ShareAcknowledgeResponse";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 2;
}

impl Decode for ShareAcknowledgeResponse {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.throttle_time_ms = wire::get_i32(buf)?;
        value.error_code = wire::get_i16(buf)?;
        value.error_message = wire::get_nullable_string(buf, true, true)?;
        if version == 2 {
            value.acquisition_lock_timeout_ms = wire::get_i32(buf)?;
        }
        value.responses =
            wire::get_array(buf, true, |buf| ShareAcknowledgeTopicResponse::decode(buf, version))?;
        value.node_endpoints = wire::get_array(buf, true, |buf| NodeEndpoint::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for ShareAcknowledgeResponse {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.throttle_time_ms);
        wire::put_i16(buf, self.error_code);
        wire::put_nullable_string(buf, true, true, self.error_message.as_ref())?;
        if version == 2 {
            wire::put_i32(buf, self.acquisition_lock_timeout_ms);
        }
        wire::put_array(buf, true, &self.responses, |buf, item| item.encode(buf, version))?;
        wire::put_array(buf, true, &self.node_endpoints, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 1-2.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShareAcknowledgeTopicResponse {
    /// The unique topic ID. (versions 1-2)
    pub topic_id: Uuid,
    /// The topic partitions. (versions 1-2)
    pub partitions: Vec<PartitionData>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for ShareAcknowledgeTopicResponse {
    const NAME: &'static str = "ShareAcknowledgeTopicResponse";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 2;
}

impl Decode for ShareAcknowledgeTopicResponse {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.topic_id = wire::get_uuid(buf)?;
        value.partitions = wire::get_array(buf, true, |buf| PartitionData::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for ShareAcknowledgeTopicResponse {
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
pub struct PartitionData {
    /// The partition index. (versions 1-2)
    pub partition_index: i32,
    /// The error code, or 0 if there was no error. (versions 1-2)
    pub error_code: i16,
    /// The error message, or null if there was no error. (versions 1-2)
    pub error_message: Option<StrBytes>,
    /// The current leader of the partition. (versions 1-2)
    pub current_leader: LeaderIdAndEpoch,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for PartitionData {
    const NAME: &'static str = "PartitionData";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 2;
}

impl Decode for PartitionData {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.partition_index = wire::get_i32(buf)?;
        value.error_code = wire::get_i16(buf)?;
        value.error_message = wire::get_nullable_string(buf, true, true)?;
        value.current_leader = LeaderIdAndEpoch::decode(buf, version)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for PartitionData {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.partition_index);
        wire::put_i16(buf, self.error_code);
        wire::put_nullable_string(buf, true, true, self.error_message.as_ref())?;
        self.current_leader.encode(buf, version)?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 1-2.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LeaderIdAndEpoch {
    /// The ID of the current leader or -1 if the leader is unknown. (versions 1-2)
    pub leader_id: i32,
    /// The latest known leader epoch. (versions 1-2)
    pub leader_epoch: i32,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for LeaderIdAndEpoch {
    const NAME: &'static str = "LeaderIdAndEpoch";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 2;
}

impl Decode for LeaderIdAndEpoch {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.leader_id = wire::get_i32(buf)?;
        value.leader_epoch = wire::get_i32(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for LeaderIdAndEpoch {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.leader_id);
        wire::put_i32(buf, self.leader_epoch);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 1-2.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeEndpoint {
    /// The ID of the associated node. (versions 1-2)
    pub node_id: i32,
    /// The node's hostname. (versions 1-2)
    pub host: StrBytes,
    /// The node's port. (versions 1-2)
    pub port: i32,
    /// The rack of the node, or null if it has not been assigned to a rack. (versions 1-2)
    pub rack: Option<StrBytes>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for NodeEndpoint {
    const NAME: &'static str = "NodeEndpoint";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 2;
}

impl Decode for NodeEndpoint {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.node_id = wire::get_i32(buf)?;
        value.host = wire::get_string(buf, true)?;
        value.port = wire::get_i32(buf)?;
        value.rack = wire::get_nullable_string(buf, true, true)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for NodeEndpoint {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.node_id);
        wire::put_string(buf, true, &self.host)?;
        wire::put_i32(buf, self.port);
        wire::put_nullable_string(buf, true, true, self.rack.as_ref())?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
