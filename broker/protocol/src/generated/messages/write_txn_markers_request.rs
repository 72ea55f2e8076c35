//! Kafka's `WriteTxnMarkersRequest`, API versions 1-2.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 1-2.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WriteTxnMarkersRequest {
    /// The transaction markers to be written. (versions 1-2)
    pub markers: Vec<WritableTxnMarker>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for WriteTxnMarkersRequest {
    const NAME: &'static str = "WriteTxnMarkersRequest";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 2;
}

impl Decode for WriteTxnMarkersRequest {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.markers = wire::get_array(buf, true, |buf| WritableTxnMarker::decode(buf, version))?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for WriteTxnMarkersRequest {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_array(buf, true, &self.markers, |buf, item| item.encode(buf, version))?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 1-2.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WritableTxnMarker {
    /// The current producer ID. (versions 1-2)
    pub producer_id: i64,
    /// The current epoch associated with the producer ID. (versions 1-2)
    pub producer_epoch: i16,
    /// The result of the transaction to write to the partitions (false = ABORT, true = COMMIT). (versions 1-2)
    pub transaction_result: bool,
    /// Each topic that we want to write transaction marker(s) for. (versions 1-2)
    pub topics: Vec<WritableTxnMarkerTopic>,
    /// Epoch associated with the transaction state partition hosted by this transaction coordinator. (versions 1-2)
    pub coordinator_epoch: i32,
    /// Transaction version of the marker. Ex: 0/1 = legacy (TV0/TV1), 2 = TV2 etc. (versions 2)
    pub transaction_version: i8,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for WritableTxnMarker {
    const NAME: &'static str = "WritableTxnMarker";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 2;
}

impl Decode for WritableTxnMarker {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.producer_id = wire::get_i64(buf)?;
        value.producer_epoch = wire::get_i16(buf)?;
        value.transaction_result = wire::get_bool(buf)?;
        value.topics = wire::get_array(buf, true, |buf| WritableTxnMarkerTopic::decode(buf, version))?;
        value.coordinator_epoch = wire::get_i32(buf)?;
        if version == 2 {
            value.transaction_version = wire::get_i8(buf)?;
        }
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for WritableTxnMarker {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i64(buf, self.producer_id);
        wire::put_i16(buf, self.producer_epoch);
        wire::put_bool(buf, self.transaction_result);
        wire::put_array(buf, true, &self.topics, |buf, item| item.encode(buf, version))?;
        wire::put_i32(buf, self.coordinator_epoch);
        if version == 2 {
            wire::put_i8(buf, self.transaction_version);
        }
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}

/// Versions 1-2.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WritableTxnMarkerTopic {
    /// The topic name. (versions 1-2)
    pub name: StrBytes,
    /// The indexes of the partitions to write transaction markers for. (versions 1-2)
    pub partition_indexes: Vec<i32>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for WritableTxnMarkerTopic {
    const NAME: &'static str = "WritableTxnMarkerTopic";
    const LOWEST_VERSION: i16 = 1;
    const HIGHEST_VERSION: i16 = 2;
}

impl Decode for WritableTxnMarkerTopic {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.name = wire::get_string(buf, true)?;
        value.partition_indexes = wire::get_array(buf, true, wire::get_i32)?;
        wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        Ok(value)
    }
}

impl Encode for WritableTxnMarkerTopic {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, true, &self.name)?;
        wire::put_array(buf, true, &self.partition_indexes, |buf, item| {
            wire::put_i32(buf, *item);
            Ok(())
        })?;
        wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        Ok(())
    }
}
