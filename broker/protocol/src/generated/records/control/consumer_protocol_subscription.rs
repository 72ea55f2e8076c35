//! Kafka's `ConsumerProtocolSubscription`, record versions 0-3.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;

/// Versions 0-3.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerProtocolSubscription {
    /// The topics that the member wants to consume. (versions 0-3)
    pub topics: Vec<StrBytes>,
    /// User data that will be passed back to the consumer. (versions 0-3)
    pub user_data: Option<Bytes>,
    /// The partitions that the member owns. (versions 1-3)
    pub owned_partitions: Vec<TopicPartition>,
    /// The generation id of the member. (versions 2-3)
    pub generation_id: i32,
    /// The rack id of the member. (versions 3)
    pub rack_id: Option<StrBytes>,
}

impl Default for ConsumerProtocolSubscription {
    fn default() -> Self {
        Self {
            topics: Vec::new(),
            user_data: None,
            owned_partitions: Vec::new(),
            generation_id: -1,
            rack_id: None,
        }
    }
}

impl Schema for ConsumerProtocolSubscription {
    const NAME: &'static str = "ConsumerProtocolSubscription";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 3;
}

impl Decode for ConsumerProtocolSubscription {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.topics = wire::get_array(buf, false, |buf| wire::get_string(buf, false))?;
        value.user_data = wire::get_nullable_bytes(buf, false, true)?;
        if version >= 1 {
            value.owned_partitions = wire::get_array(buf, false, |buf| TopicPartition::decode(buf, version))?;
        }
        if version >= 2 {
            value.generation_id = wire::get_i32(buf)?;
        }
        if version == 3 {
            value.rack_id = wire::get_nullable_string(buf, false, true)?;
        }
        Ok(value)
    }
}

impl Encode for ConsumerProtocolSubscription {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_array(buf, false, &self.topics, |buf, item| wire::put_string(buf, false, item))?;
        wire::put_nullable_bytes(buf, false, true, self.user_data.as_ref())?;
        if version >= 1 {
            wire::put_array(buf, false, &self.owned_partitions, |buf, item| item.encode(buf, version))?;
        }
        if version >= 2 {
            wire::put_i32(buf, self.generation_id);
        }
        if version == 3 {
            wire::put_nullable_string(buf, false, true, self.rack_id.as_ref())?;
        }
        Ok(())
    }
}

/// Versions 1-3.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicPartition {
    /// The topic name. (versions 1-3)
    pub topic: StrBytes,
    /// The partition ids. (versions 1-3)
    pub partitions: Vec<i32>,
}

impl Schema for TopicPartition {
    const NAME: &'static str = "TopicPartition";
    const LOWEST_VERSION: i16 = 1;
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
