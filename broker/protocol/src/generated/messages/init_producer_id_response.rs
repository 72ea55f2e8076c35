//! Kafka's `InitProducerIdResponse`, API versions 0-6.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;

/// Versions 0-6.
#[derive(Clone, Debug, PartialEq)]
pub struct InitProducerIdResponse {
    /// The duration in milliseconds for which the request was throttled due to a quota violation, or zero if the request did not violate any quota. (versions 0-6)
    pub throttle_time_ms: i32,
    /// The error code, or 0 if there was no error. (versions 0-6)
    pub error_code: i16,
    /// The current producer id. (versions 0-6)
    pub producer_id: i64,
    /// The current epoch associated with the producer id. (versions 0-6)
    pub producer_epoch: i16,
    /// The producer id for ongoing transaction when KeepPreparedTxn is used, -1 if there is no transaction ongoing. (versions 6)
    pub ongoing_txn_producer_id: i64,
    /// The epoch associated with the producer id for ongoing transaction when KeepPreparedTxn is used, -1 if there is no transaction ongoing. (versions 6)
    pub ongoing_txn_producer_epoch: i16,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for InitProducerIdResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            producer_id: -1,
            producer_epoch: 0,
            ongoing_txn_producer_id: -1,
            ongoing_txn_producer_epoch: -1,
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for InitProducerIdResponse {
    const NAME: &'static str = "InitProducerIdResponse";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 6;
}

impl Decode for InitProducerIdResponse {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.throttle_time_ms = wire::get_i32(buf)?;
        value.error_code = wire::get_i16(buf)?;
        value.producer_id = wire::get_i64(buf)?;
        value.producer_epoch = wire::get_i16(buf)?;
        if version == 6 {
            value.ongoing_txn_producer_id = wire::get_i64(buf)?;
        }
        if version == 6 {
            value.ongoing_txn_producer_epoch = wire::get_i16(buf)?;
        }
        if version >= 2 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for InitProducerIdResponse {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i32(buf, self.throttle_time_ms);
        wire::put_i16(buf, self.error_code);
        wire::put_i64(buf, self.producer_id);
        wire::put_i16(buf, self.producer_epoch);
        if version == 6 {
            wire::put_i64(buf, self.ongoing_txn_producer_id);
        } else if self.ongoing_txn_producer_id != -1 {
            return Err(EncodeError::FieldNotInVersion { field: "OngoingTxnProducerId", version });
        }
        if version == 6 {
            wire::put_i16(buf, self.ongoing_txn_producer_epoch);
        } else if self.ongoing_txn_producer_epoch != -1 {
            return Err(EncodeError::FieldNotInVersion { field: "OngoingTxnProducerEpoch", version });
        }
        if version >= 2 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}
