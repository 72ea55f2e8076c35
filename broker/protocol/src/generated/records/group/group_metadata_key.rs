//! Kafka's `GroupMetadataKey`, API versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupMetadataKey {
    /// The group id. (versions 0)
    pub group: StrBytes,
}

impl Schema for GroupMetadataKey {
    const NAME: &'static str = "GroupMetadataKey";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for GroupMetadataKey {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.group = wire::get_string(buf, false)?;
        Ok(value)
    }
}

impl Encode for GroupMetadataKey {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, false, &self.group)?;
        Ok(())
    }
}
