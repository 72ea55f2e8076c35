//! Kafka's `DelegationTokenRecord`, API versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DelegationTokenRecord {
    /// The delegation token owner. (versions 0)
    pub owner: StrBytes,
    /// The delegation token requester. (versions 0)
    pub requester: StrBytes,
    /// The principals which can renew this token. (versions 0)
    pub renewers: Vec<StrBytes>,
    /// The time at which this timestamp was issued. (versions 0)
    pub issue_timestamp: i64,
    /// The time at which this token cannot be renewed any more. (versions 0)
    pub max_timestamp: i64,
    /// The next time at which this token must be renewed. (versions 0)
    pub expiration_timestamp: i64,
    /// The token id. (versions 0)
    pub token_id: StrBytes,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for DelegationTokenRecord {
    const NAME: &'static str = "DelegationTokenRecord";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for DelegationTokenRecord {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.owner = wire::get_string(buf, true)?;
        value.requester = wire::get_string(buf, true)?;
        value.renewers = wire::get_array(buf, true, |buf| wire::get_string(buf, true))?;
        value.issue_timestamp = wire::get_i64(buf)?;
        value.max_timestamp = wire::get_i64(buf)?;
        value.expiration_timestamp = wire::get_i64(buf)?;
        value.token_id = wire::get_string(buf, true)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for DelegationTokenRecord {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.owner)?;
        wire::put_string(buf, true, &self.requester)?;
        wire::put_array(buf, true, &self.renewers, |buf, item| wire::put_string(buf, true, item))?;
        wire::put_i64(buf, self.issue_timestamp);
        wire::put_i64(buf, self.max_timestamp);
        wire::put_i64(buf, self.expiration_timestamp);
        wire::put_string(buf, true, &self.token_id)?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
