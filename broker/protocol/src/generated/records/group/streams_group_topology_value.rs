//! Kafka's `StreamsGroupTopologyValue`, API versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamsGroupTopologyValue {
    /// The epoch of the topology. (versions 0)
    pub epoch: i32,
    /// The sub-topologies of the streams application. (versions 0)
    pub subtopologies: Vec<Subtopology>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for StreamsGroupTopologyValue {
    const NAME: &'static str = "StreamsGroupTopologyValue";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for StreamsGroupTopologyValue {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.epoch = wire::get_i32(buf)?;
        value.subtopologies = wire::get_array(buf, true, |buf| Subtopology::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for StreamsGroupTopologyValue {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.epoch);
        wire::put_array(buf, true, &self.subtopologies, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subtopology {
    /// String to uniquely identify the subtopology. (versions 0)
    pub subtopology_id: StrBytes,
    /// The topics the topology reads from. (versions 0)
    pub source_topics: Vec<StrBytes>,
    /// Regular expressions identifying topics the subtopology reads from. (versions 0)
    pub source_topic_regex: Vec<StrBytes>,
    /// The set of state changelog topics associated with this subtopology. (versions 0)
    pub state_changelog_topics: Vec<TopicInfo>,
    /// The repartition topics the subtopology writes to. (versions 0)
    pub repartition_sink_topics: Vec<StrBytes>,
    /// The set of source topics that are internally created repartition topics. (versions 0)
    pub repartition_source_topics: Vec<TopicInfo>,
    /// A subset of source topics that must be copartitioned. (versions 0)
    pub copartition_groups: Vec<CopartitionGroup>,
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
        value.source_topic_regex = wire::get_array(buf, true, |buf| wire::get_string(buf, true))?;
        value.state_changelog_topics = wire::get_array(buf, true, |buf| TopicInfo::decode(buf, version))?;
        value.repartition_sink_topics = wire::get_array(buf, true, |buf| wire::get_string(buf, true))?;
        value.repartition_source_topics = wire::get_array(buf, true, |buf| TopicInfo::decode(buf, version))?;
        value.copartition_groups = wire::get_array(buf, true, |buf| CopartitionGroup::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for Subtopology {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.subtopology_id)?;
        wire::put_array(buf, true, &self.source_topics, |buf, item| wire::put_string(buf, true, item))?;
        wire::put_array(buf, true, &self.source_topic_regex, |buf, item| wire::put_string(buf, true, item))?;
        wire::put_array(buf, true, &self.state_changelog_topics, |buf, item| item.encode(buf, version))?;
        wire::put_array(buf, true, &self.repartition_sink_topics, |buf, item| {
            wire::put_string(buf, true, item)
        })?;
        wire::put_array(buf, true, &self.repartition_source_topics, |buf, item| item.encode(buf, version))?;
        wire::put_array(buf, true, &self.copartition_groups, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CopartitionGroup {
    /// The topics the topology reads from. Index into the array on the subtopology level. (versions 0)
    pub source_topics: Vec<i16>,
    /// Regular expressions identifying topics the subtopology reads from. Index into the array on the subtopology level. (versions 0)
    pub source_topic_regex: Vec<i16>,
    /// The set of source topics that are internally created repartition topics. Index into the array on the subtopology level. (versions 0)
    pub repartition_source_topics: Vec<i16>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for CopartitionGroup {
    const NAME: &'static str = "CopartitionGroup";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for CopartitionGroup {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.source_topics = wire::get_array(buf, true, wire::get_i16)?;
        value.source_topic_regex = wire::get_array(buf, true, wire::get_i16)?;
        value.repartition_source_topics = wire::get_array(buf, true, wire::get_i16)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for CopartitionGroup {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_array(buf, true, &self.source_topics, |buf, item| {
            wire::put_i16(buf, *item);
            Ok(())
        })?;
        wire::put_array(buf, true, &self.source_topic_regex, |buf, item| {
            wire::put_i16(buf, *item);
            Ok(())
        })?;
        wire::put_array(buf, true, &self.repartition_source_topics, |buf, item| {
            wire::put_i16(buf, *item);
            Ok(())
        })?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicConfig {
    /// The key of the topic-level configuration. (versions 0)
    pub key: StrBytes,
    /// The value of the topic-level configuration. (versions 0)
    pub value: StrBytes,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for TopicConfig {
    const NAME: &'static str = "TopicConfig";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for TopicConfig {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.key = wire::get_string(buf, true)?;
        value.value = wire::get_string(buf, true)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for TopicConfig {
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
    pub topic_configs: Vec<TopicConfig>,
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
        value.topic_configs = wire::get_array(buf, true, |buf| TopicConfig::decode(buf, version))?;
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
