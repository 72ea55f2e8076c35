//! Decoding and encoding as traits over the crate's types and ours, and the one safe way into a request.
//! Core.

use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable};

use crate::api_key::ApiKey;
use crate::guard::{self, GuardError};

pub(crate) mod wire;

/// Why bytes are not a message.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("the message ends too early")]
    Truncated,
    #[error("{message} has no version {version}")]
    Version { message: &'static str, version: i16 },
    #[error("a length or count of {0} cannot be")]
    Length(i64),
    #[error("null where null is not allowed")]
    Null,
    #[error("a varint is longer than its type")]
    Varint,
    #[error("a string is not UTF-8")]
    Utf8,
    #[error("tagged field {0} does not exist in this version")]
    TagNotInVersion(u32),
    #[error("tagged field {0} is not as long as it says")]
    TagSize(u32),
    #[error("{set} has no record with the API key {api_key}")]
    UnknownRecord { set: &'static str, api_key: i16 },
    #[error("unknown frame version {0}")]
    FrameVersion(u32),
    #[error(transparent)]
    Guard(#[from] GuardError),
    #[error("{0}")]
    Crate(Box<dyn std::error::Error + Send + Sync>),
}

/// Why a message cannot be written in a version.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    #[error("{message} has no version {version}")]
    Version { message: &'static str, version: i16 },
    #[error("{field} is set, but version {version} has no such field")]
    FieldNotInVersion { field: &'static str, version: i16 },
    #[error("null where the version does not allow null")]
    Null,
    #[error("{0} bytes or elements are too many")]
    TooLong(usize),
    #[error("{0}")]
    Crate(Box<dyn std::error::Error + Send + Sync>),
}

/// A type that reads itself from bytes of a version. Byte fields are slices of `buf`, not copies.
///
/// For bytes from a stranger use [`decode_request`]: the crate's types believe every count.
pub trait Decode: Sized {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError>;
}

/// A type that writes itself in a version.
pub trait Encode {
    /// Appends to `buf`; after an error `buf` may hold a part.
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError>;

    /// Bytes that `encode` will write, if that is cheap to know; else 0.
    fn size_hint(&self, _version: i16) -> usize {
        0
    }

    /// The message alone in a buffer of its own.
    fn encoded(&self, version: i16) -> Result<Bytes, EncodeError> {
        let mut buf = BytesMut::with_capacity(self.size_hint(version));
        self.encode(&mut buf, version)?;
        Ok(buf.freeze())
    }
}

impl<T: Decodable> Decode for T {
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        <T as Decodable>::decode(buf, version).map_err(|error| DecodeError::Crate(error.into()))
    }
}

impl<T: Encodable> Encode for T {
    fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        <T as Encodable>::encode(self, buf, version).map_err(|error| EncodeError::Crate(error.into()))
    }

    fn size_hint(&self, version: i16) -> usize {
        self.compute_size(version).unwrap_or(0)
    }
}

/// What the definition says about one of our own types.
pub trait Schema {
    const NAME: &'static str;
    const LOWEST_VERSION: i16;
    const HIGHEST_VERSION: i16;
}

/// A request type and the type of its answer.
pub trait Request: Decode + Encode {
    const API_KEY: ApiKey;
    type Response: Decode + Encode;
}

/// Several record types that share a log and are told apart by Kafka's `apiKey`.
pub trait RecordSet: Sized {
    const NAME: &'static str;

    fn api_key(&self) -> i16;

    /// The record type's name in Kafka.
    fn name(&self) -> &'static str;

    fn highest_version(&self) -> i16;

    /// Writes the record without what frames it.
    fn encode_body(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError>;

    fn decode_body(api_key: i16, buf: &mut Bytes, version: i16) -> Result<Self, DecodeError>;
}

/// Decodes a request's body after the guard has walked it. Bytes after the body are ignored, as
/// Kafka does.
pub fn decode_request<T: Decode>(key: ApiKey, version: i16, mut body: Bytes) -> Result<T, DecodeError> {
    guard::check(key, version, &body)?;
    T::decode(&mut body, version)
}

/// Decodes the body of a response after the guard has walked it: what answers at an address need not
/// be a broker.
pub fn decode_response<T: Decode>(key: ApiKey, version: i16, mut body: Bytes) -> Result<T, DecodeError> {
    guard::check_response(key, version, &body)?;
    T::decode(&mut body, version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{MetadataRequest, MetadataResponse, OffsetCommitRequest};

    #[test]
    fn four_bytes_that_claim_two_billion_topics_are_refused() {
        let body = Bytes::from_static(b"\x7f\xff\xff\xff");
        let decoded = decode_request::<MetadataRequest>(ApiKey::Metadata, 1, body);
        assert!(matches!(decoded, Err(DecodeError::Guard(GuardError::Count { .. }))), "{decoded:?}");
    }

    #[test]
    fn four_bytes_that_claim_two_billion_brokers_are_refused() {
        let body = Bytes::from_static(b"\x7f\xff\xff\xff");
        let decoded = decode_response::<MetadataResponse>(ApiKey::Metadata, 1, body);
        assert!(matches!(decoded, Err(DecodeError::Guard(GuardError::Count { .. }))), "{decoded:?}");
    }

    #[test]
    fn bytes_after_the_body_are_accepted() {
        let body = Bytes::from_static(b"\xff\xff\xff\xfftrailing");
        let decoded = decode_request::<MetadataRequest>(ApiKey::Metadata, 1, body);
        assert_eq!(decoded.map(|request| request.topics).ok(), Some(None));
    }

    #[test]
    fn a_field_that_a_version_lacks_must_not_be_set() {
        let request = OffsetCommitRequest { group_instance_id: Some("a".into()), ..Default::default() };
        assert!(request.encoded(7).is_ok());
        let refused = request.encoded(6);
        assert!(matches!(
            refused,
            Err(EncodeError::FieldNotInVersion { field: "GroupInstanceId", version: 6 })
        ));
    }
}
