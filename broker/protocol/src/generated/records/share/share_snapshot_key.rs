//! Kafka's `ShareSnapshotKey`, API versions 0.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

/// Versions 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShareSnapshotKey {
    /// The group id. (versions 0)
    pub group_id: StrBytes,
    /// The topic id. (versions 0)
    pub topic_id: Uuid,
    /// The partition index. (versions 0)
    pub partition: i32,
}

impl Schema for ShareSnapshotKey {
    const NAME: &'static str = "ShareSnapshotKey";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 0;
}

impl Decode for ShareSnapshotKey {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.group_id = wire::get_string(buf, false)?;
        value.topic_id = wire::get_uuid(buf)?;
        value.partition = wire::get_i32(buf)?;
        Ok(value)
    }
}

impl Encode for ShareSnapshotKey {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, false, &self.group_id)?;
        wire::put_uuid(buf, self.topic_id);
        wire::put_i32(buf, self.partition);
        Ok(())
    }
}
