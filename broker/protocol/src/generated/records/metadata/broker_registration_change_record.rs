//! Kafka's `BrokerRegistrationChangeRecord`, API versions 0-3.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Versions 0-3.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BrokerRegistrationChangeRecord {
    /// The broker id. (versions 0-3)
    pub broker_id: i32,
    /// The broker epoch assigned by the controller. (versions 0-3)
    pub broker_epoch: i64,
    /// -1 if the broker has been unfenced, 0 if no change, 1 if the broker has been fenced. (versions 0-3)
    pub fenced: i8,
    /// 0 if no change, 1 if the broker is in controlled shutdown. (versions 1-3)
    pub in_controlled_shutdown: i8,
    /// Log directories configured in this broker which are available. (versions 2-3)
    pub log_dirs: Vec<Uuid>,
    /// Log directories that are cordoned or null if no change. (versions 3)
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for BrokerRegistrationChangeRecord {
    const NAME: &'static str = "BrokerRegistrationChangeRecord";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 3;
}

impl Decode for BrokerRegistrationChangeRecord {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.broker_id = wire::get_i32(buf)?;
        value.broker_epoch = wire::get_i64(buf)?;
        wire::get_tags(buf, &mut value.unknown_tagged_fields, |tag, buf| {
            match tag {
                0 => {
                    value.fenced = wire::get_i8(buf)?;
                }
                1 if version >= 1 => {
                    value.in_controlled_shutdown = wire::get_i8(buf)?;
                }
                1 => return Err(DecodeError::TagNotInVersion(tag)),
                2 if version >= 2 => {
                    value.log_dirs = wire::get_array(buf, true, wire::get_uuid)?;
                }
                2 => return Err(DecodeError::TagNotInVersion(tag)),
                3 if version == 3 => {
                    value.cordoned_log_dirs = wire::get_nullable_array(buf, true, true, wire::get_uuid)?;
                }
                3 => return Err(DecodeError::TagNotInVersion(tag)),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(value)
    }
}

impl Encode for BrokerRegistrationChangeRecord {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.broker_id);
        wire::put_i64(buf, self.broker_epoch);
        let mut tags = wire::Tags::default();
        if self.fenced != 0 {
            tags.put(0, |buf| {
                wire::put_i8(buf, self.fenced);
                Ok(())
            })?;
        }
        if self.in_controlled_shutdown != 0 {
            if version >= 1 {
                tags.put(1, |buf| {
                    wire::put_i8(buf, self.in_controlled_shutdown);
                    Ok(())
                })?;
            } else {
                return Err(EncodeError::FieldNotInVersion { field: "InControlledShutdown", version });
            }
        }
        if !self.log_dirs.is_empty() {
            if version >= 2 {
                tags.put(2, |buf| {
                    wire::put_array(buf, true, &self.log_dirs, |buf, item| {
                        wire::put_uuid(buf, *item);
                        Ok(())
                    })?;
                    Ok(())
                })?;
            } else {
                return Err(EncodeError::FieldNotInVersion { field: "LogDirs", version });
            }
        }
        if self.cordoned_log_dirs.is_some() {
            if version == 3 {
                tags.put(3, |buf| {
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
