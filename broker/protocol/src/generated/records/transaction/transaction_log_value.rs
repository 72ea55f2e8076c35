//! Kafka's `TransactionLogValue`, API versions 0-1.
//! Core. Written by ottla-protocol-generator; never edited by hand.

// Fields are read in the order of the wire, each under its own versions.
#![allow(clippy::field_reassign_with_default)]

use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// Versions 0-1.
#[derive(Clone, Debug, PartialEq)]
pub struct TransactionLogValue {
    /// Producer id in use by the transactional id. (versions 0-1)
    pub producer_id: i64,
    /// Producer id used by the last committed transaction. (versions 1)
    pub previous_producer_id: i64,
    /// Latest producer ID sent to the producer for the given transactional id. (versions 1)
    pub next_producer_id: i64,
    /// Epoch associated with the producer id. (versions 0-1)
    pub producer_epoch: i16,
    /// Producer epoch associated with the NextProducerId (versions 1)
    pub next_producer_epoch: i16,
    /// Transaction timeout in milliseconds. (versions 0-1)
    pub transaction_timeout_ms: i32,
    /// TransactionState the transaction is in. (versions 0-1)
    pub transaction_status: i8,
    /// Partitions involved in the transaction. (versions 0-1)
    pub transaction_partitions: Option<Vec<PartitionsSchema>>,
    /// Time the transaction was last updated. (versions 0-1)
    pub transaction_last_update_timestamp_ms: i64,
    /// Time the transaction was started. (versions 0-1)
    pub transaction_start_timestamp_ms: i64,
    /// The transaction version used by the client. (versions 1)
    pub client_transaction_version: i16,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Default for TransactionLogValue {
    fn default() -> Self {
        Self {
            producer_id: 0,
            previous_producer_id: -1,
            next_producer_id: -1,
            producer_epoch: 0,
            next_producer_epoch: -1,
            transaction_timeout_ms: 0,
            transaction_status: 0,
            transaction_partitions: Some(Vec::new()),
            transaction_last_update_timestamp_ms: 0,
            transaction_start_timestamp_ms: 0,
            client_transaction_version: 0,
            unknown_tagged_fields: BTreeMap::new(),
        }
    }
}

impl Schema for TransactionLogValue {
    const NAME: &'static str = "TransactionLogValue";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 1;
}

impl Decode for TransactionLogValue {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.producer_id = wire::get_i64(buf)?;
        value.producer_epoch = wire::get_i16(buf)?;
        value.transaction_timeout_ms = wire::get_i32(buf)?;
        value.transaction_status = wire::get_i8(buf)?;
        value.transaction_partitions =
            wire::get_nullable_array(buf, version == 1, true, |buf| PartitionsSchema::decode(buf, version))?;
        value.transaction_last_update_timestamp_ms = wire::get_i64(buf)?;
        value.transaction_start_timestamp_ms = wire::get_i64(buf)?;
        if version == 1 {
            wire::get_tags(buf, &mut value.unknown_tagged_fields, |tag, buf| {
                match tag {
                    0 if version == 1 => {
                        value.previous_producer_id = wire::get_i64(buf)?;
                    }
                    0 => return Err(DecodeError::TagNotInVersion(tag)),
                    1 if version == 1 => {
                        value.next_producer_id = wire::get_i64(buf)?;
                    }
                    1 => return Err(DecodeError::TagNotInVersion(tag)),
                    3 if version == 1 => {
                        value.next_producer_epoch = wire::get_i16(buf)?;
                    }
                    3 => return Err(DecodeError::TagNotInVersion(tag)),
                    2 if version == 1 => {
                        value.client_transaction_version = wire::get_i16(buf)?;
                    }
                    2 => return Err(DecodeError::TagNotInVersion(tag)),
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
        }
        Ok(value)
    }
}

impl Encode for TransactionLogValue {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_i64(buf, self.producer_id);
        wire::put_i16(buf, self.producer_epoch);
        wire::put_i32(buf, self.transaction_timeout_ms);
        wire::put_i8(buf, self.transaction_status);
        wire::put_nullable_array(
            buf,
            version == 1,
            true,
            self.transaction_partitions.as_deref(),
            |buf, item| item.encode(buf, version),
        )?;
        wire::put_i64(buf, self.transaction_last_update_timestamp_ms);
        wire::put_i64(buf, self.transaction_start_timestamp_ms);
        if version == 1 {
            let mut tags = wire::Tags::default();
            if self.previous_producer_id != -1 {
                if version == 1 {
                    tags.put(0, |buf| {
                        wire::put_i64(buf, self.previous_producer_id);
                        Ok(())
                    })?;
                } else {
                    return Err(EncodeError::FieldNotInVersion { field: "PreviousProducerId", version });
                }
            }
            if self.next_producer_id != -1 {
                if version == 1 {
                    tags.put(1, |buf| {
                        wire::put_i64(buf, self.next_producer_id);
                        Ok(())
                    })?;
                } else {
                    return Err(EncodeError::FieldNotInVersion { field: "NextProducerId", version });
                }
            }
            if self.next_producer_epoch != -1 {
                if version == 1 {
                    tags.put(3, |buf| {
                        wire::put_i16(buf, self.next_producer_epoch);
                        Ok(())
                    })?;
                } else {
                    return Err(EncodeError::FieldNotInVersion { field: "NextProducerEpoch", version });
                }
            }
            if self.client_transaction_version != 0 {
                if version == 1 {
                    tags.put(2, |buf| {
                        wire::put_i16(buf, self.client_transaction_version);
                        Ok(())
                    })?;
                } else {
                    return Err(EncodeError::FieldNotInVersion {
                        field: "ClientTransactionVersion",
                        version,
                    });
                }
            }
            tags.finish(buf, &self.unknown_tagged_fields)?;
        } else {
            if self.previous_producer_id != -1 {
                return Err(EncodeError::FieldNotInVersion { field: "PreviousProducerId", version });
            }
            if self.next_producer_id != -1 {
                return Err(EncodeError::FieldNotInVersion { field: "NextProducerId", version });
            }
            if self.next_producer_epoch != -1 {
                return Err(EncodeError::FieldNotInVersion { field: "NextProducerEpoch", version });
            }
            if self.client_transaction_version != 0 {
                return Err(EncodeError::FieldNotInVersion { field: "ClientTransactionVersion", version });
            }
        }
        Ok(())
    }
}

/// Versions 0-1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartitionsSchema {
    /// Topic involved in the transaction. (versions 0-1)
    pub topic: StrBytes,
    /// Partition ids involved in the transaction. (versions 0-1)
    pub partition_ids: Vec<i32>,
    /// Tagged fields that this release does not know, kept as they came.
    pub unknown_tagged_fields: BTreeMap<i32, Bytes>,
}

impl Schema for PartitionsSchema {
    const NAME: &'static str = "PartitionsSchema";
    const LOWEST_VERSION: i16 = 0;
    const HIGHEST_VERSION: i16 = 1;
}

impl Decode for PartitionsSchema {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        wire::check_version::<Self>(version)?;
        let mut value = Self::default();
        value.topic = wire::get_string(buf, version == 1)?;
        value.partition_ids = wire::get_array(buf, version == 1, wire::get_i32)?;
        if version == 1 {
            wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;
        }
        Ok(value)
    }
}

impl Encode for PartitionsSchema {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        wire::check_version_to_encode::<Self>(version)?;
        wire::put_string(buf, version == 1, &self.topic)?;
        wire::put_array(buf, version == 1, &self.partition_ids, |buf, item| {
            wire::put_i32(buf, *item);
            Ok(())
        })?;
        if version == 1 {
            wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;
        }
        Ok(())
    }
}
