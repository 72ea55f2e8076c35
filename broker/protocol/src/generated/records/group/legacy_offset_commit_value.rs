//! Kafka's `LegacyOffsetCommitValue`, API versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LegacyOffsetCommitValue {
    /// The offset that the consumer wants to store (for this partition). (versions 0)
    pub offset: i64,
    /// Any metadata the client wants to keep. (versions 0)
    pub metadata: StrBytes,
    /// The time at which the commit was added to the log. (versions 0)
    pub commit_timestamp: i64,
}

impl Schema for LegacyOffsetCommitValue {
    const NAME: &'static str = "LegacyOffsetCommitValue";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for LegacyOffsetCommitValue {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.offset = wire::get_i64(buf)?;
        value.metadata = wire::get_string(buf, false)?;
        value.commit_timestamp = wire::get_i64(buf)?;
        Ok(value)
    }
}

impl Encode for LegacyOffsetCommitValue {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i64(buf, self.offset);
        wire::put_string(buf, false, &self.metadata)?;
        wire::put_i64(buf, self.commit_timestamp);
        Ok(())
    }
}
