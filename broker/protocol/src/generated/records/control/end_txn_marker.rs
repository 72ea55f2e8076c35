//! Kafka's `EndTxnMarker`, record versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndTxnMarker {
    /// The coordinator epoch when appending the record (versions 0)
    pub coordinator_epoch: i32,
}

impl Schema for EndTxnMarker {
    const NAME: &'static str = "EndTxnMarker";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for EndTxnMarker {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.coordinator_epoch = wire::get_i32(buf)?;
        Ok(value)
    }
}

impl Encode for EndTxnMarker {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.coordinator_epoch);
        Ok(())
    }
}
