//! Kafka's `AddRaftVoterResponse`, API versions 0-1.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 0-1.
#[derive(Clone, Debug, PartialEq)]
pub struct AddRaftVoterResponse {
    /// The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the request did not violate any quota. (versions 0-1)
    pub throttle_time_ms: i32,
    /// The error code, or 0 if there was no error. (versions 0-1)
    pub error_code: i16,
    /// The error message, or null if there was no error. (versions 0-1)
    pub error_message: Option<StrBytes>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for AddRaftVoterResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            error_message: Some(StrBytes::new()),
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for AddRaftVoterResponse {
    const NAME: &'static str = "AddRaftVoterResponse";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 1;
}

impl Decode for AddRaftVoterResponse {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.throttle_time_ms = wire::get_i32(buf)?;
        value.error_code = wire::get_i16(buf)?;
        value.error_message = wire::get_nullable_string(buf, true, true)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for AddRaftVoterResponse {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.throttle_time_ms);
        wire::put_i16(buf, self.error_code);
        wire::put_nullable_string(buf, true, true, self.error_message.as_ref())?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
