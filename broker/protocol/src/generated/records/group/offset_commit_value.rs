//! Kafka's `OffsetCommitValue`, API versions 0-4.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Versions 0-4.
#[derive(Clone, Debug, PartialEq)]
pub struct OffsetCommitValue {
    /// The offset that the consumer wants to store (for this partition). (versions 0-4)
    pub offset: i64,
    /// The leader epoch of the last consumed record. (versions 3-4)
    pub leader_epoch: i32,
    /// Any metadata the client wants to keep. (versions 0-4)
    pub metadata: StrBytes,
    /// The time at which the commit was added to the log. (versions 0-4)
    pub commit_timestamp: i64,
    /// The time at which the offset will expire. (versions 1)
    pub expire_timestamp: i64,
    /// The topic id of the committed offset. (versions 4)
    pub topic_id: Uuid,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for OffsetCommitValue {
    fn default() -> Self {
        Self {
            offset: 0,
            leader_epoch: -1,
            metadata: StrBytes::new(),
            commit_timestamp: 0,
            expire_timestamp: -1,
            topic_id: Uuid::nil(),
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for OffsetCommitValue {
    const NAME: &'static str = "OffsetCommitValue";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 4;
}

impl Decode for OffsetCommitValue {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.offset = wire::get_i64(buf)?;
        if version >= 3 {
            value.leader_epoch = wire::get_i32(buf)?;
        }
        value.metadata = wire::get_string(buf, version == 4)?;
        value.commit_timestamp = wire::get_i64(buf)?;
        if version == 1 {
            value.expire_timestamp = wire::get_i64(buf)?;
        }
        if version == 4 {
            wire::get_tags(buf, &mut value.unknown_tagged_fields, |tag, buf| {
                match tag {
                    0 if version == 4 => {
                        value.topic_id = wire::get_uuid(buf)?;
                    }
                    0 => return Err(DecodeError::TagNotInVersion(tag)),
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
        }
        Ok(value)
    }
}

impl Encode for OffsetCommitValue {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i64(buf, self.offset);
        if version >= 3 {
            wire::put_i32(buf, self.leader_epoch);
        }
        wire::put_string(buf, version == 4, &self.metadata)?;
        wire::put_i64(buf, self.commit_timestamp);
        if version == 1 {
            wire::put_i64(buf, self.expire_timestamp);
        }
        if version == 4 {
            let mut tags = wire::Tags::default();
            if version == 4 && !self.topic_id.is_nil() {
                tags.put(0, |buf| {
                    wire::put_uuid(buf, self.topic_id);
                    Ok(())
                })?;
            }
            tags.finish(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}
