//! Records of `__share_group_state`.
//! Core. Written by ottla-protocol-generator; never edited by hand.

use bytes::{Bytes, BytesMut};

use crate::codec::{Decode, DecodeError, Encode, EncodeError, RecordSet, Schema};

pub mod share_snapshot_key;
pub mod share_snapshot_value;
pub mod share_update_key;
pub mod share_update_value;

pub use share_snapshot_key::ShareSnapshotKey;
pub use share_snapshot_value::ShareSnapshotValue;
pub use share_update_key::ShareUpdateKey;
pub use share_update_value::ShareUpdateValue;

/// The key of a record in `__share_group_state`.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // Records are read one at a time; none is kept in this shape.
pub enum ShareKey {
    ShareSnapshot(ShareSnapshotKey),
    ShareUpdate(ShareUpdateKey),
}

impl RecordSet for ShareKey {
    const NAME: &'static str = "ShareKey";
    fn api_key(&self) -> i16 {
        match self {
            Self::ShareSnapshot(_) => 0,
            Self::ShareUpdate(_) => 1,
        }
    }
    fn name(&self) -> &'static str {
        match self {
            Self::ShareSnapshot(_) => "ShareSnapshotKey",
            Self::ShareUpdate(_) => "ShareUpdateKey",
        }
    }
    fn highest_version(&self) -> i16 {
        match self {
            Self::ShareSnapshot(_) => ShareSnapshotKey::HIGHEST_VERSION,
            Self::ShareUpdate(_) => ShareUpdateKey::HIGHEST_VERSION,
        }
    }
    fn encode_body(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        match self {
            Self::ShareSnapshot(record) => record.encode(buf, version),
            Self::ShareUpdate(record) => record.encode(buf, version),
        }
    }
    fn decode_body(api_key: i16, buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        match api_key {
            0 => Ok(Self::ShareSnapshot(ShareSnapshotKey::decode(buf, version)?)),
            1 => Ok(Self::ShareUpdate(ShareUpdateKey::decode(buf, version)?)),
            _ => Err(DecodeError::UnknownRecord { set: Self::NAME, api_key }),
        }
    }
}

impl From<ShareSnapshotKey> for ShareKey {
    fn from(record: ShareSnapshotKey) -> Self {
        Self::ShareSnapshot(record)
    }
}

impl From<ShareUpdateKey> for ShareKey {
    fn from(record: ShareUpdateKey) -> Self {
        Self::ShareUpdate(record)
    }
}

/// The value of a record in `__share_group_state`.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // Records are read one at a time; none is kept in this shape.
pub enum ShareValue {
    ShareSnapshot(ShareSnapshotValue),
    ShareUpdate(ShareUpdateValue),
}

impl RecordSet for ShareValue {
    const NAME: &'static str = "ShareValue";
    fn api_key(&self) -> i16 {
        match self {
            Self::ShareSnapshot(_) => 0,
            Self::ShareUpdate(_) => 1,
        }
    }
    fn name(&self) -> &'static str {
        match self {
            Self::ShareSnapshot(_) => "ShareSnapshotValue",
            Self::ShareUpdate(_) => "ShareUpdateValue",
        }
    }
    fn highest_version(&self) -> i16 {
        match self {
            Self::ShareSnapshot(_) => ShareSnapshotValue::HIGHEST_VERSION,
            Self::ShareUpdate(_) => ShareUpdateValue::HIGHEST_VERSION,
        }
    }
    fn encode_body(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        match self {
            Self::ShareSnapshot(record) => record.encode(buf, version),
            Self::ShareUpdate(record) => record.encode(buf, version),
        }
    }
    fn decode_body(api_key: i16, buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        match api_key {
            0 => Ok(Self::ShareSnapshot(ShareSnapshotValue::decode(buf, version)?)),
            1 => Ok(Self::ShareUpdate(ShareUpdateValue::decode(buf, version)?)),
            _ => Err(DecodeError::UnknownRecord { set: Self::NAME, api_key }),
        }
    }
}

impl From<ShareSnapshotValue> for ShareValue {
    fn from(record: ShareSnapshotValue) -> Self {
        Self::ShareSnapshot(record)
    }
}

impl From<ShareUpdateValue> for ShareValue {
    fn from(record: ShareUpdateValue) -> Self {
        Self::ShareUpdate(record)
    }
}
