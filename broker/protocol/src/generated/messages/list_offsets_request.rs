//! Kafka's `ListOffsetsRequest`, API versions 1-11.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 1-11.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListOffsetsRequest {
    /// The broker ID of the requester, or -1 if this request is being made by a normal consumer. (versions 1-11)
    pub replica_id: i32,
    /// This setting controls the visibility of transactional records. Using READ_UNCOMMITTED (isolation_level = 0) makes all records visible. With READ_COMMITTED (isolation_level = 1), non-transactional and COMMITTED transactional records are visible. To be more concrete, READ_COMMITTED returns all data from offsets smaller than the current LSO (last stable offset), and enables the inclusion of the list of aborted transactions in the result, which allows consumers to discard ABORTED transactional records. (versions 2-11)
    pub isolation_level: i8,
    /// Each topic in the request. (versions 1-11)
    pub topics: Vec<ListOffsetsTopic>,
    /// The timeout to await a response in milliseconds for requests that require reading from remote storage for topics enabled with tiered storage. (versions 10-11)
    pub timeout_ms: i32,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for ListOffsetsRequest {
    const NAME: &'static str = "ListOffsetsRequest";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 11;
}

impl Decode for ListOffsetsRequest {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.replica_id = wire::get_i32(buf)?;
        if version >= 2 {
            value.isolation_level = wire::get_i8(buf)?;
        }
        value.topics = wire::get_array(buf, version >= 6, |buf| ListOffsetsTopic::decode(buf, version))?;
        if version >= 10 {
            value.timeout_ms = wire::get_i32(buf)?;
        }
        if version >= 6 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for ListOffsetsRequest {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.replica_id);
        if version >= 2 {
            wire::put_i8(buf, self.isolation_level);
        } else if self.isolation_level != 0 {
            return Err(EncodeError::FieldNotInVersion { field: "IsolationLevel", version });
        }
        wire::put_array(buf, version >= 6, &self.topics, |buf, item| item.encode(buf, version))?;
        if version >= 10 {
            wire::put_i32(buf, self.timeout_ms);
        }
        if version >= 6 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}

/// Versions 1-11.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListOffsetsTopic {
    /// The topic name. (versions 1-11)
    pub name: StrBytes,
    /// Each partition in the request. (versions 1-11)
    pub partitions: Vec<ListOffsetsPartition>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for ListOffsetsTopic {
    const NAME: &'static str = "ListOffsetsTopic";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 11;
}

impl Decode for ListOffsetsTopic {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.name = wire::get_string(buf, version >= 6)?;
        value.partitions =
            wire::get_array(buf, version >= 6, |buf| ListOffsetsPartition::decode(buf, version))?;
        if version >= 6 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for ListOffsetsTopic {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, version >= 6, &self.name)?;
        wire::put_array(buf, version >= 6, &self.partitions, |buf, item| item.encode(buf, version))?;
        if version >= 6 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}

/// Versions 1-11.
#[derive(Clone, Debug, PartialEq)]
pub struct ListOffsetsPartition {
    /// The partition index. (versions 1-11)
    pub partition_index: i32,
    /// The current leader epoch. (versions 4-11)
    pub current_leader_epoch: i32,
    /// The current timestamp. (versions 1-11)
    pub timestamp: i64,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for ListOffsetsPartition {
    fn default() -> Self {
        Self {
            partition_index: 0,
            current_leader_epoch: -1,
            timestamp: 0,
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for ListOffsetsPartition {
    const NAME: &'static str = "ListOffsetsPartition";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 11;
}

impl Decode for ListOffsetsPartition {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.partition_index = wire::get_i32(buf)?;
        if version >= 4 {
            value.current_leader_epoch = wire::get_i32(buf)?;
        }
        value.timestamp = wire::get_i64(buf)?;
        if version >= 6 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for ListOffsetsPartition {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.partition_index);
        if version >= 4 {
            wire::put_i32(buf, self.current_leader_epoch);
        }
        wire::put_i64(buf, self.timestamp);
        if version >= 6 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}
