//! Records of `__transaction_state`.
//! Core. Written by ottla-protocol-generator; never edited by hand.

use bytes::{Bytes, BytesMut};

use crate::codec::{Decode, DecodeError, Encode, EncodeError, RecordSet, Schema};

pub mod transaction_log_key;
pub mod transaction_log_value;

pub use transaction_log_key::TransactionLogKey;
pub use transaction_log_value::TransactionLogValue;

/// The key of a record in `__transaction_state`.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // Records are read one at a time; none is kept in this shape.
pub enum TransactionKey {
    TransactionLog(TransactionLogKey),
}

impl RecordSet for TransactionKey {
    const NAME: &'static str = "TransactionKey";
    fn api_key(&self) -> i16 {
        match self {
            Self::TransactionLog(_) => 0,
        }
    }
    fn name(&self) -> &'static str {
        match self {
            Self::TransactionLog(_) => "TransactionLogKey",
        }
    }
    fn highest_version(&self) -> i16 {
        match self {
            Self::TransactionLog(_) => TransactionLogKey::HIGHEST_VERSION,
        }
    }
    fn encode_body(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        match self {
            Self::TransactionLog(record) => record.encode(buf, version),
        }
    }
    fn decode_body(api_key: i16, buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        match api_key {
            0 => Ok(Self::TransactionLog(TransactionLogKey::decode(buf, version)?)),
            _ => Err(DecodeError::UnknownRecord { set: Self::NAME, api_key }),
        }
    }
}

impl From<TransactionLogKey> for TransactionKey {
    fn from(record: TransactionLogKey) -> Self {
        Self::TransactionLog(record)
    }
}

/// The value of a record in `__transaction_state`.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // Records are read one at a time; none is kept in this shape.
pub enum TransactionValue {
    TransactionLog(TransactionLogValue),
}

impl RecordSet for TransactionValue {
    const NAME: &'static str = "TransactionValue";
    fn api_key(&self) -> i16 {
        match self {
            Self::TransactionLog(_) => 0,
        }
    }
    fn name(&self) -> &'static str {
        match self {
            Self::TransactionLog(_) => "TransactionLogValue",
        }
    }
    fn highest_version(&self) -> i16 {
        match self {
            Self::TransactionLog(_) => TransactionLogValue::HIGHEST_VERSION,
        }
    }
    fn encode_body(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        match self {
            Self::TransactionLog(record) => record.encode(buf, version),
        }
    }
    fn decode_body(api_key: i16, buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        match api_key {
            0 => Ok(Self::TransactionLog(TransactionLogValue::decode(buf, version)?)),
            _ => Err(DecodeError::UnknownRecord { set: Self::NAME, api_key }),
        }
    }
}

impl From<TransactionLogValue> for TransactionValue {
    fn from(record: TransactionLogValue) -> Self {
        Self::TransactionLog(record)
    }
}
