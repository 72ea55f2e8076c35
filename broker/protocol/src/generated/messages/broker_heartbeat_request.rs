//! Kafka's `BrokerHeartbeatRequest`, API versions 0-2.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Versions 0-2.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerHeartbeatRequest {
    /// The broker ID. (versions 0-2)
    pub broker_id: i32,
    /// The broker epoch. (versions 0-2)
    pub broker_epoch: i64,
    /// The highest metadata offset which the broker has reached. (versions 0-2)
    pub current_metadata_offset: i64,
    /// True if the broker wants to be fenced, false otherwise. (versions 0-2)
    pub want_fence: bool,
    /// True if the broker wants to be shut down, false otherwise. (versions 0-2)
    pub want_shut_down: bool,
    /// Log directories that failed and went offline. (versions 1-2)
    pub offline_log_dirs: Vec<Uuid>,
    /// List of log directories that are cordoned. This is null before the broker reaches the RECOVERY state. (versions 2)
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for BrokerHeartbeatRequest {
    fn default() -> Self {
        Self {
            broker_id: 0,
            broker_epoch: -1,
            current_metadata_offset: 0,
            want_fence: false,
            want_shut_down: false,
            offline_log_dirs: Vec::new(),
            cordoned_log_dirs: None,
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for BrokerHeartbeatRequest {
    const NAME: &'static str = "BrokerHeartbeatRequest";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 2;
}

impl Decode for BrokerHeartbeatRequest {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.broker_id = wire::get_i32(buf)?;
        value.broker_epoch = wire::get_i64(buf)?;
        value.current_metadata_offset = wire::get_i64(buf)?;
        value.want_fence = wire::get_bool(buf)?;
        value.want_shut_down = wire::get_bool(buf)?;
        wire::get_tags(buf, &mut value.unknown_tagged_fields, |tag, buf| {
            match tag {
                0 if version >= 1 => {
                    value.offline_log_dirs = wire::get_array(buf, true, wire::get_uuid)?;
                }
                0 => return Err(DecodeError::TagNotInVersion(tag)),
                1 if version == 2 => {
                    value.cordoned_log_dirs = wire::get_nullable_array(buf, true, true, wire::get_uuid)?;
                }
                1 => return Err(DecodeError::TagNotInVersion(tag)),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(value)
    }
}

impl Encode for BrokerHeartbeatRequest {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.broker_id);
        wire::put_i64(buf, self.broker_epoch);
        wire::put_i64(buf, self.current_metadata_offset);
        wire::put_bool(buf, self.want_fence);
        wire::put_bool(buf, self.want_shut_down);
        let mut tags = wire::Tags::default();
        if !self.offline_log_dirs.is_empty() {
            if version >= 1 {
                tags.put(0, |buf| {
                    wire::put_array(buf, true, &self.offline_log_dirs, |buf, item| {
                        wire::put_uuid(buf, *item);
                        Ok(())
                    })?;
                    Ok(())
                })?;
            } else {
                return Err(EncodeError::FieldNotInVersion { field: "OfflineLogDirs", version });
            }
        }
        if self.cordoned_log_dirs.is_some() {
            if version == 2 {
                tags.put(1, |buf| {
                    wire::put_nullable_array(
                        buf,
                        true,
                        true,
                        self.cordoned_log_dirs.as_deref(),
                        |buf, item| {
                            wire::put_uuid(buf, *item);
                            Ok(())
                        },
                    )?;
                    Ok(())
                })?;
            } else {
                return Err(EncodeError::FieldNotInVersion { field: "CordonedLogDirs", version });
            }
        }
        tags.finish(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
