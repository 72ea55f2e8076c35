//! Kafka's `ProducerSnapshot`, record versions 1.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};

/// Versions 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProducerSnapshot {
    /// CRC of the snapshot data (versions 1)
    pub crc: u32,
    /// The entries in the producer table (versions 1)
    pub producer_entries: Vec<ProducerEntry>,
}

impl Schema for ProducerSnapshot {
    const NAME: &'static str = "ProducerSnapshot";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 1;
}

impl Decode for ProducerSnapshot {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.crc = wire::get_u32(buf)?;
        value.producer_entries = wire::get_array(buf, false, |buf| ProducerEntry::decode(buf, version))?;
        Ok(value)
    }
}

impl Encode for ProducerSnapshot {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_u32(buf, self.crc);
        wire::put_array(buf, false, &self.producer_entries, |buf, item| item.encode(buf, version))?;
        Ok(())
    }
}

/// Versions 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProducerEntry {
    /// The producer ID (versions 1)
    pub producer_id: i64,
    /// Current epoch of the producer (versions 1)
    pub epoch: i16,
    /// Last written sequence of the producer (versions 1)
    pub last_sequence: i32,
    /// Last written offset of the producer (versions 1)
    pub last_offset: i64,
    /// The difference of the last sequence and first sequence in the last written batch (versions 1)
    pub offset_delta: i32,
    /// Max timestamp from the last written entry (versions 1)
    pub timestamp: i64,
    /// The epoch of the last transaction coordinator to send an end transaction marker (versions 1)
    pub coordinator_epoch: i32,
    /// The first offset of the on-going transaction (-1 if there is none) (versions 1)
    pub current_txn_first_offset: i64,
}

impl Schema for ProducerEntry {
    const NAME: &'static str = "ProducerEntry";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 1;
}

impl Decode for ProducerEntry {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.producer_id = wire::get_i64(buf)?;
        value.epoch = wire::get_i16(buf)?;
        value.last_sequence = wire::get_i32(buf)?;
        value.last_offset = wire::get_i64(buf)?;
        value.offset_delta = wire::get_i32(buf)?;
        value.timestamp = wire::get_i64(buf)?;
        value.coordinator_epoch = wire::get_i32(buf)?;
        value.current_txn_first_offset = wire::get_i64(buf)?;
        Ok(value)
    }
}

impl Encode for ProducerEntry {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i64(buf, self.producer_id);
        wire::put_i16(buf, self.epoch);
        wire::put_i32(buf, self.last_sequence);
        wire::put_i64(buf, self.last_offset);
        wire::put_i32(buf, self.offset_delta);
        wire::put_i64(buf, self.timestamp);
        wire::put_i32(buf, self.coordinator_epoch);
        wire::put_i64(buf, self.current_txn_first_offset);
        Ok(())
    }
}
