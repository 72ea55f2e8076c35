//! Kafka's `ConsumerProtocolAssignment`, record versions 0-3.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;

/// Versions 0-3.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConsumerProtocolAssignment {
    /// The list of topics and partitions assigned to this consumer. (versions 0-3)
    pub assigned_partitions: Vec<TopicPartition>,
    /// User data. (versions 0-3)
    pub user_data: Option<Bytes>,
}

impl Schema for ConsumerProtocolAssignment {
    const NAME: &'static str = "ConsumerProtocolAssignment";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 3;
}

impl Decode for ConsumerProtocolAssignment {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.assigned_partitions = wire::get_array(buf, false, |buf| TopicPartition::decode(buf, version))?;
        value.user_data = wire::get_nullable_bytes(buf, false, true)?;
        Ok(value)
    }
}

impl Encode for ConsumerProtocolAssignment {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_array(buf, false, &self.assigned_partitions, |buf, item| item.encode(buf, version))?;
        wire::put_nullable_bytes(buf, false, true, self.user_data.as_ref())?;
        Ok(())
    }
}

/// Versions 0-3.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicPartition {
    /// The topic name. (versions 0-3)
    pub topic: StrBytes,
    /// The list of partitions assigned to this consumer. (versions 0-3)
    pub partitions: Vec<i32>,
}

impl Schema for TopicPartition {
    const NAME: &'static str = "TopicPartition";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 3;
}

impl Decode for TopicPartition {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.topic = wire::get_string(buf, false)?;
        value.partitions = wire::get_array(buf, false, wire::get_i32)?;
        Ok(value)
    }
}

impl Encode for TopicPartition {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, false, &self.topic)?;
        wire::put_array(buf, false, &self.partitions, |buf, item| {
            wire::put_i32(buf, *item);
            Ok(())
        })?;
        Ok(())
    }
}
