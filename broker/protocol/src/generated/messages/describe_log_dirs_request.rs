//! Kafka's `DescribeLogDirsRequest`, API versions 1-5.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 1-5.
#[derive(Clone, Debug, PartialEq)]
pub struct DescribeLogDirsRequest {
    /// Each topic that we want to describe log directories for, or null for all topics. (versions 1-5)
    pub topics: Option<Vec<DescribableLogDirTopic>>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for DescribeLogDirsRequest {
    fn default() -> Self {
        Self { topics: Some(Vec::new()), unknown_tagged_fields: BTreeMap::new() }
    }
}

impl Schema for DescribeLogDirsRequest {
    const NAME: &'static str = "DescribeLogDirsRequest";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 5;
}

impl Decode for DescribeLogDirsRequest {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.topics = wire::get_nullable_array(buf, version >= 2, true, |buf| {
            DescribableLogDirTopic::decode(buf, version)
        })?;
        if version >= 2 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for DescribeLogDirsRequest {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_nullable_array(buf, version >= 2, true, self.topics.as_deref(), |buf, item| {
            item.encode(buf, version)
        })?;
        if version >= 2 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}

/// Versions 1-5.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DescribableLogDirTopic {
    /// The topic name. (versions 1-5)
    pub topic: StrBytes,
    /// The partition indexes. (versions 1-5)
    pub partitions: Vec<i32>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for DescribableLogDirTopic {
    const NAME: &'static str = "DescribableLogDirTopic";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 5;
}

impl Decode for DescribableLogDirTopic {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.topic = wire::get_string(buf, version >= 2)?;
        value.partitions = wire::get_array(buf, version >= 2, wire::get_i32)?;
        if version >= 2 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for DescribableLogDirTopic {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, version >= 2, &self.topic)?;
        wire::put_array(buf, version >= 2, &self.partitions, |buf, item| {
            wire::put_i32(buf, *item);
            Ok(())
        })?;
        if version >= 2 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}
