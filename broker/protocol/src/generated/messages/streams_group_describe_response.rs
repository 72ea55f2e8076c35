//! Kafka's `StreamsGroupDescribeResponse`, API versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamsGroupDescribeResponse {
    /// The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the request did not violate any quota. (versions 0)
    pub throttle_time_ms: i32,
    /// Each described group. (versions 0)
    pub groups: Vec<DescribedGroup>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for StreamsGroupDescribeResponse {
    const NAME: &'static str = "StreamsGroupDescribeResponse";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for StreamsGroupDescribeResponse {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.throttle_time_ms = wire::get_i32(buf)?;
        value.groups = wire::get_array(buf, true, |buf| DescribedGroup::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for StreamsGroupDescribeResponse {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.throttle_time_ms);
        wire::put_array(buf, true, &self.groups, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, PartialEq)]
pub struct DescribedGroup {
    /// The describe error, or 0 if there was no error. (versions 0)
    pub error_code: i16,
    /// The top-level error message, or null if there was no error. (versions 0)
    pub error_message: Option<StrBytes>,
    /// The group ID string. (versions 0)
    pub group_id: StrBytes,
    /// The group state string, or the empty string. (versions 0)
    pub group_state: StrBytes,
    /// The group epoch. (versions 0)
    pub group_epoch: i32,
    /// The assignment epoch. (versions 0)
    pub assignment_epoch: i32,
    /// The topology metadata currently initialized for the streams application. Can be null in case of a describe error. (versions 0)
    pub topology: Option<Topology>,
    /// The members. (versions 0)
    pub members: Vec<Member>,
    /// 32-bit bitfield to represent authorized operations for this group. (versions 0)
    pub authorized_operations: i32,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for DescribedGroup {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: None,
            group_id: StrBytes::new(),
            group_state: StrBytes::new(),
            group_epoch: 0,
            assignment_epoch: 0,
            topology: None,
            members: Vec::new(),
            authorized_operations: -2147483648,
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for DescribedGroup {
    const NAME: &'static str = "DescribedGroup";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for DescribedGroup {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.error_code = wire::get_i16(buf)?;
        value.error_message = wire::get_nullable_string(buf, true, true)?;
        value.group_id = wire::get_string(buf, true)?;
        value.group_state = wire::get_string(buf, true)?;
        value.group_epoch = wire::get_i32(buf)?;
        value.assignment_epoch = wire::get_i32(buf)?;
        value.topology = wire::get_optional(buf, true, |buf| Topology::decode(buf, version))?;
        value.members = wire::get_array(buf, true, |buf| Member::decode(buf, version))?;
        value.authorized_operations = wire::get_i32(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for DescribedGroup {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i16(buf, self.error_code);
        wire::put_nullable_string(buf, true, true, self.error_message.as_ref())?;
        wire::put_string(buf, true, &self.group_id)?;
        wire::put_string(buf, true, &self.group_state)?;
        wire::put_i32(buf, self.group_epoch);
        wire::put_i32(buf, self.assignment_epoch);
        wire::put_optional(buf, true, self.topology.as_ref(), |buf, item| item.encode(buf, version))?;
        wire::put_array(buf, true, &self.members, |buf, item| item.encode(buf, version))?;
        wire::put_i32(buf, self.authorized_operations);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Topology {
    /// The epoch of the currently initialized topology for this group. (versions 0)
    pub epoch: i32,
    /// The subtopologies of the streams application. This contains the configured subtopologies, where the number of partitions are set and any regular expressions are resolved to actual topics. Null if the group is uninitialized, source topics are missing or incorrectly partitioned. (versions 0)
    pub subtopologies: Option<Vec<Subtopology>>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for Topology {
    const NAME: &'static str = "Topology";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for Topology {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.epoch = wire::get_i32(buf)?;
        value.subtopologies =
            wire::get_nullable_array(buf, true, true, |buf| Subtopology::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for Topology {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.epoch);
        wire::put_nullable_array(buf, true, true, self.subtopologies.as_deref(), |buf, item| {
            item.encode(buf, version)
        })?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subtopology {
    /// String to uniquely identify the subtopology. (versions 0)
    pub subtopology_id: StrBytes,
    /// The topics the subtopology reads from. (versions 0)
    pub source_topics: Vec<StrBytes>,
    /// The repartition topics the subtopology writes to. (versions 0)
    pub repartition_sink_topics: Vec<StrBytes>,
    /// The set of state changelog topics associated with this subtopology. Created automatically. (versions 0)
    pub state_changelog_topics: Vec<TopicInfo>,
    /// The set of source topics that are internally created repartition topics. Created automatically. (versions 0)
    pub repartition_source_topics: Vec<TopicInfo>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for Subtopology {
    const NAME: &'static str = "Subtopology";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for Subtopology {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.subtopology_id = wire::get_string(buf, true)?;
        value.source_topics = wire::get_array(buf, true, |buf| wire::get_string(buf, true))?;
        value.repartition_sink_topics = wire::get_array(buf, true, |buf| wire::get_string(buf, true))?;
        value.state_changelog_topics = wire::get_array(buf, true, |buf| TopicInfo::decode(buf, version))?;
        value.repartition_source_topics = wire::get_array(buf, true, |buf| TopicInfo::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for Subtopology {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.subtopology_id)?;
        wire::put_array(buf, true, &self.source_topics, |buf, item| wire::put_string(buf, true, item))?;
        wire::put_array(buf, true, &self.repartition_sink_topics, |buf, item| {
            wire::put_string(buf, true, item)
        })?;
        wire::put_array(buf, true, &self.state_changelog_topics, |buf, item| item.encode(buf, version))?;
        wire::put_array(buf, true, &self.repartition_source_topics, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Member {
    /// The member ID. (versions 0)
    pub member_id: StrBytes,
    /// The member epoch. (versions 0)
    pub member_epoch: i32,
    /// The member instance ID for static membership. (versions 0)
    pub instance_id: Option<StrBytes>,
    /// The rack ID. (versions 0)
    pub rack_id: Option<StrBytes>,
    /// The client ID. (versions 0)
    pub client_id: StrBytes,
    /// The client host. (versions 0)
    pub client_host: StrBytes,
    /// The epoch of the topology on the client. (versions 0)
    pub topology_epoch: i32,
    /// Identity of the streams instance that may have multiple clients. (versions 0)
    pub process_id: StrBytes,
    /// User-defined endpoint for Interactive Queries. Null if not defined for this client. (versions 0)
    pub user_endpoint: Option<Endpoint>,
    /// Used for rack-aware assignment algorithm. (versions 0)
    pub client_tags: Vec<KeyValue>,
    /// Cumulative changelog offsets for tasks. (versions 0)
    pub task_offsets: Vec<TaskOffset>,
    /// Cumulative changelog end offsets for tasks. (versions 0)
    pub task_end_offsets: Vec<TaskOffset>,
    /// The current assignment. (versions 0)
    pub assignment: Assignment,
    /// The target assignment. (versions 0)
    pub target_assignment: Assignment,
    /// True for classic members that have not been upgraded yet. (versions 0)
    pub is_classic: bool,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for Member {
    const NAME: &'static str = "Member";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for Member {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.member_id = wire::get_string(buf, true)?;
        value.member_epoch = wire::get_i32(buf)?;
        value.instance_id = wire::get_nullable_string(buf, true, true)?;
        value.rack_id = wire::get_nullable_string(buf, true, true)?;
        value.client_id = wire::get_string(buf, true)?;
        value.client_host = wire::get_string(buf, true)?;
        value.topology_epoch = wire::get_i32(buf)?;
        value.process_id = wire::get_string(buf, true)?;
        value.user_endpoint = wire::get_optional(buf, true, |buf| Endpoint::decode(buf, version))?;
        value.client_tags = wire::get_array(buf, true, |buf| KeyValue::decode(buf, version))?;
        value.task_offsets = wire::get_array(buf, true, |buf| TaskOffset::decode(buf, version))?;
        value.task_end_offsets = wire::get_array(buf, true, |buf| TaskOffset::decode(buf, version))?;
        value.assignment = Assignment::decode(buf, version)?;
        value.target_assignment = Assignment::decode(buf, version)?;
        value.is_classic = wire::get_bool(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for Member {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.member_id)?;
        wire::put_i32(buf, self.member_epoch);
        wire::put_nullable_string(buf, true, true, self.instance_id.as_ref())?;
        wire::put_nullable_string(buf, true, true, self.rack_id.as_ref())?;
        wire::put_string(buf, true, &self.client_id)?;
        wire::put_string(buf, true, &self.client_host)?;
        wire::put_i32(buf, self.topology_epoch);
        wire::put_string(buf, true, &self.process_id)?;
        wire::put_optional(buf, true, self.user_endpoint.as_ref(), |buf, item| item.encode(buf, version))?;
        wire::put_array(buf, true, &self.client_tags, |buf, item| item.encode(buf, version))?;
        wire::put_array(buf, true, &self.task_offsets, |buf, item| item.encode(buf, version))?;
        wire::put_array(buf, true, &self.task_end_offsets, |buf, item| item.encode(buf, version))?;
        self.assignment.encode(buf, version)?;
        self.target_assignment.encode(buf, version)?;
        wire::put_bool(buf, self.is_classic);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Endpoint {
    /// host of the endpoint (versions 0)
    pub host: StrBytes,
    /// port of the endpoint (versions 0)
    pub port: u16,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for Endpoint {
    const NAME: &'static str = "Endpoint";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for Endpoint {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.host = wire::get_string(buf, true)?;
        value.port = wire::get_u16(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for Endpoint {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.host)?;
        wire::put_u16(buf, self.port);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskOffset {
    /// The subtopology identifier. (versions 0)
    pub subtopology_id: StrBytes,
    /// The partition. (versions 0)
    pub partition: i32,
    /// The offset. (versions 0)
    pub offset: i64,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for TaskOffset {
    const NAME: &'static str = "TaskOffset";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for TaskOffset {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.subtopology_id = wire::get_string(buf, true)?;
        value.partition = wire::get_i32(buf)?;
        value.offset = wire::get_i64(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for TaskOffset {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.subtopology_id)?;
        wire::put_i32(buf, self.partition);
        wire::put_i64(buf, self.offset);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assignment {
    /// Active tasks for this client. (versions 0)
    pub active_tasks: Vec<TaskIds>,
    /// Standby tasks for this client. (versions 0)
    pub standby_tasks: Vec<TaskIds>,
    /// Warm-up tasks for this client. (versions 0)
    pub warmup_tasks: Vec<TaskIds>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for Assignment {
    const NAME: &'static str = "Assignment";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for Assignment {
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

impl Encode for Assignment {
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
    /// The subtopology identifier. (versions 0)
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

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyValue {
    /// key of the config (versions 0)
    pub key: StrBytes,
    /// value of the config (versions 0)
    pub value: StrBytes,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for KeyValue {
    const NAME: &'static str = "KeyValue";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for KeyValue {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.key = wire::get_string(buf, true)?;
        value.value = wire::get_string(buf, true)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for KeyValue {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.key)?;
        wire::put_string(buf, true, &self.value)?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicInfo {
    /// The name of the topic. (versions 0)
    pub name: StrBytes,
    /// The number of partitions in the topic. Can be 0 if no specific number of partitions is enforced. Always 0 for changelog topics. (versions 0)
    pub partitions: i32,
    /// The replication factor of the topic. Can be 0 if the default replication factor should be used. (versions 0)
    pub replication_factor: i16,
    /// Topic-level configurations as key-value pairs. (versions 0)
    pub topic_configs: Vec<KeyValue>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for TopicInfo {
    const NAME: &'static str = "TopicInfo";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for TopicInfo {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.name = wire::get_string(buf, true)?;
        value.partitions = wire::get_i32(buf)?;
        value.replication_factor = wire::get_i16(buf)?;
        value.topic_configs = wire::get_array(buf, true, |buf| KeyValue::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for TopicInfo {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.name)?;
        wire::put_i32(buf, self.partitions);
        wire::put_i16(buf, self.replication_factor);
        wire::put_array(buf, true, &self.topic_configs, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
