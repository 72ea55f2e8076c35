//! Kafka's `ControlRecordTypeSchema`, record versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ControlRecordTypeSchema {
    /// The type of the control record, such as commit or abort (versions 0)
    pub _type: i16,
}

impl Schema for ControlRecordTypeSchema {
    const NAME: &'static str = "ControlRecordTypeSchema";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for ControlRecordTypeSchema {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value._type = wire::get_i16(buf)?;
        Ok(value)
    }
}

impl Encode for ControlRecordTypeSchema {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i16(buf, self._type);
        Ok(())
    }
}
