//! Kafka's `BrokerHeartbeatResponse`, API versions 0-2.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;

/// Versions 0-2.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerHeartbeatResponse {
    /// Duration in milliseconds for which the request was throttled due to a quota violation, or zero if the request did not violate any quota. (versions 0-2)
    pub throttle_time_ms: i32,
    /// The error code, or 0 if there was no error. (versions 0-2)
    pub error_code: i16,
    /// True if the broker has approximately caught up with the latest metadata. (versions 0-2)
    pub is_caught_up: bool,
    /// True if the broker is fenced. (versions 0-2)
    pub is_fenced: bool,
    /// True if the broker should proceed with its shutdown. (versions 0-2)
    pub should_shut_down: bool,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for BrokerHeartbeatResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            is_caught_up: false,
            is_fenced: true,
            should_shut_down: false,
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for BrokerHeartbeatResponse {
    const NAME: &'static str = "BrokerHeartbeatResponse";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 2;
}

impl Decode for BrokerHeartbeatResponse {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.throttle_time_ms = wire::get_i32(buf)?;
        value.error_code = wire::get_i16(buf)?;
        value.is_caught_up = wire::get_bool(buf)?;
        value.is_fenced = wire::get_bool(buf)?;
        value.should_shut_down = wire::get_bool(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for BrokerHeartbeatResponse {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.throttle_time_ms);
        wire::put_i16(buf, self.error_code);
        wire::put_bool(buf, self.is_caught_up);
        wire::put_bool(buf, self.is_fenced);
        wire::put_bool(buf, self.should_shut_down);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
