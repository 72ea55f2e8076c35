//! Kafka's `DefaultPrincipalData`, record versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DefaultPrincipalData {
    /// The principal type. (versions 0)
    pub _type: StrBytes,
    /// The principal name. (versions 0)
    pub name: StrBytes,
    /// Whether the principal was authenticated by a delegation token on the forwarding broker. (versions 0)
    pub token_authenticated: bool,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for DefaultPrincipalData {
    const NAME: &'static str = "DefaultPrincipalData";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for DefaultPrincipalData {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value._type = wire::get_string(buf, true)?;
        value.name = wire::get_string(buf, true)?;
        value.token_authenticated = wire::get_bool(buf)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for DefaultPrincipalData {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self._type)?;
        wire::put_string(buf, true, &self.name)?;
        wire::put_bool(buf, self.token_authenticated);
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
