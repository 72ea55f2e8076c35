//! Kafka's `DescribeLogDirsResponse`, API versions 1-5.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 1-5.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DescribeLogDirsResponse {
    /// The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the request did not violate any quota. (versions 1-5)
    pub throttle_time_ms: i32,
    /// The error code, or 0 if there was no error. (versions 3-5)
    pub error_code: i16,
    /// The log directories. (versions 1-5)
    pub results: Vec<DescribeLogDirsResult>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for DescribeLogDirsResponse {
    const NAME: &'static str = "DescribeLogDirsResponse";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 5;
}

impl Decode for DescribeLogDirsResponse {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.throttle_time_ms = wire::get_i32(buf)?;
        if version >= 3 {
            value.error_code = wire::get_i16(buf)?;
        }
        value.results =
            wire::get_array(buf, version >= 2, |buf| DescribeLogDirsResult::decode(buf, version))?;
        if version >= 2 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for DescribeLogDirsResponse {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.throttle_time_ms);
        if version >= 3 {
            wire::put_i16(buf, self.error_code);
        }
        wire::put_array(buf, version >= 2, &self.results, |buf, item| item.encode(buf, version))?;
        if version >= 2 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}

/// Versions 1-5.
#[derive(Clone, Debug, PartialEq)]
pub struct DescribeLogDirsResult {
    /// The error code, or 0 if there was no error. (versions 1-5)
    pub error_code: i16,
    /// The absolute log directory path. (versions 1-5)
    pub log_dir: StrBytes,
    /// The topics. (versions 1-5)
    pub topics: Vec<DescribeLogDirsTopic>,
    /// The total size in bytes of the volume the log directory is in. This value does not include the size of data stored in remote storage. (versions 4-5)
    pub total_bytes: i64,
    /// The usable size in bytes of the volume the log directory is in. This value does not include the size of data stored in remote storage. (versions 4-5)
    pub usable_bytes: i64,
    /// True if this log directory is cordoned. (versions 5)
    pub is_cordoned: bool,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for DescribeLogDirsResult {
    fn default() -> Self {
        Self {
            error_code: 0,
            log_dir: StrBytes::new(),
            topics: Vec::new(),
            total_bytes: -1,
            usable_bytes: -1,
            is_cordoned: false,
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for DescribeLogDirsResult {
    const NAME: &'static str = "DescribeLogDirsResult";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 5;
}

impl Decode for DescribeLogDirsResult {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.error_code = wire::get_i16(buf)?;
        value.log_dir = wire::get_string(buf, version >= 2)?;
        value.topics = wire::get_array(buf, version >= 2, |buf| DescribeLogDirsTopic::decode(buf, version))?;
        if version >= 4 {
            value.total_bytes = wire::get_i64(buf)?;
        }
        if version >= 4 {
            value.usable_bytes = wire::get_i64(buf)?;
        }
        if version == 5 {
            value.is_cordoned = wire::get_bool(buf)?;
        }
        if version >= 2 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for DescribeLogDirsResult {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i16(buf, self.error_code);
        wire::put_string(buf, version >= 2, &self.log_dir)?;
        wire::put_array(buf, version >= 2, &self.topics, |buf, item| item.encode(buf, version))?;
        if version >= 4 {
            wire::put_i64(buf, self.total_bytes);
        }
        if version >= 4 {
            wire::put_i64(buf, self.usable_bytes);
        }
        if version == 5 {
            wire::put_bool(buf, self.is_cordoned);
        }
        if version >= 2 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}

/// Versions 1-5.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DescribeLogDirsTopic {
    /// The topic name. (versions 1-5)
    pub name: StrBytes,
    /// The partitions. (versions 1-5)
    pub partitions: Vec<DescribeLogDirsPartition>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for DescribeLogDirsTopic {
    const NAME: &'static str = "DescribeLogDirsTopic";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 5;
}

impl Decode for DescribeLogDirsTopic {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.name = wire::get_string(buf, version >= 2)?;
        value.partitions =
            wire::get_array(buf, version >= 2, |buf| DescribeLogDirsPartition::decode(buf, version))?;
        if version >= 2 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for DescribeLogDirsTopic {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, version >= 2, &self.name)?;
        wire::put_array(buf, version >= 2, &self.partitions, |buf, item| item.encode(buf, version))?;
        if version >= 2 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}

/// Versions 1-5.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DescribeLogDirsPartition {
    /// The partition index. (versions 1-5)
    pub partition_index: i32,
    /// The size of the log segments in this partition in bytes. (versions 1-5)
    pub partition_size: i64,
    /// The lag of the log's LEO w.r.t. partition's HW (if it is the current log for the partition) or current replica's LEO (if it is the future log for the partition). (versions 1-5)
    pub offset_lag: i64,
    /// True if this log is created by AlterReplicaLogDirsRequest and will replace the current log of the replica in the future. (versions 1-5)
    pub is_future_key: bool,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for DescribeLogDirsPartition {
    const NAME: &'static str = "DescribeLogDirsPartition";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 5;
}

impl Decode for DescribeLogDirsPartition {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.partition_index = wire::get_i32(buf)?;
        value.partition_size = wire::get_i64(buf)?;
        value.offset_lag = wire::get_i64(buf)?;
        value.is_future_key = wire::get_bool(buf)?;
        if version >= 2 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for DescribeLogDirsPartition {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.partition_index);
        wire::put_i64(buf, self.partition_size);
        wire::put_i64(buf, self.offset_lag);
        wire::put_bool(buf, self.is_future_key);
        if version >= 2 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}
