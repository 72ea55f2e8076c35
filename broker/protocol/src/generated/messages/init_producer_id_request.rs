//! Kafka's `InitProducerIdRequest`, API versions 0-6.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 0-6.
#[derive(Clone, Debug, PartialEq)]
pub struct InitProducerIdRequest {
    /// The transactional id, or null if the producer is not transactional. (versions 0-6)
    pub transactional_id: Option<StrBytes>,
    /// The time in ms to wait before aborting idle transactions sent by this producer. This is only relevant if a TransactionalId has been defined. (versions 0-6)
    pub transaction_timeout_ms: i32,
    /// The producer id. This is used to disambiguate requests if a transactional id is reused following its expiration. (versions 3-6)
    pub producer_id: i64,
    /// The producer's current epoch. This will be checked against the producer epoch on the broker, and the request will return an error if they do not match. (versions 3-6)
    pub producer_epoch: i16,
    /// True if the client wants to enable two-phase commit (2PC) protocol for transactions. (versions 6)
    pub enable2_pc: bool,
    /// True if the client wants to keep the currently ongoing transaction instead of aborting it. (versions 6)
    pub keep_prepared_txn: bool,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for InitProducerIdRequest {
    fn default() -> Self {
        Self {
            transactional_id: Some(StrBytes::new()),
            transaction_timeout_ms: 0,
            producer_id: -1,
            producer_epoch: -1,
            enable2_pc: false,
            keep_prepared_txn: false,
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for InitProducerIdRequest {
    const NAME: &'static str = "InitProducerIdRequest";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 6;
}

impl Decode for InitProducerIdRequest {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.transactional_id = wire::get_nullable_string(buf, version >= 2, true)?;
        value.transaction_timeout_ms = wire::get_i32(buf)?;
        if version >= 3 {
            value.producer_id = wire::get_i64(buf)?;
        }
        if version >= 3 {
            value.producer_epoch = wire::get_i16(buf)?;
        }
        if version == 6 {
            value.enable2_pc = wire::get_bool(buf)?;
        }
        if version == 6 {
            value.keep_prepared_txn = wire::get_bool(buf)?;
        }
        if version >= 2 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for InitProducerIdRequest {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_nullable_string(buf, version >= 2, true, self.transactional_id.as_ref())?;
        wire::put_i32(buf, self.transaction_timeout_ms);
        if version >= 3 {
            wire::put_i64(buf, self.producer_id);
        } else if self.producer_id != -1 {
            return Err(EncodeError::FieldNotInVersion { field: "ProducerId", version });
        }
        if version >= 3 {
            wire::put_i16(buf, self.producer_epoch);
        } else if self.producer_epoch != -1 {
            return Err(EncodeError::FieldNotInVersion { field: "ProducerEpoch", version });
        }
        if version == 6 {
            wire::put_bool(buf, self.enable2_pc);
        } else if self.enable2_pc {
            return Err(EncodeError::FieldNotInVersion { field: "Enable2Pc", version });
        }
        if version == 6 {
            wire::put_bool(buf, self.keep_prepared_txn);
        } else if self.keep_prepared_txn {
            return Err(EncodeError::FieldNotInVersion { field: "KeepPreparedTxn", version });
        }
        if version >= 2 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}
