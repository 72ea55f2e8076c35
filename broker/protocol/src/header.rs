//! Request and response headers, parsed without a panic whatever the bytes.
//! Core.
//!
//! ```text
//! request v1:  api key i16 | api version i16 | correlation id i32 | client id (i16 length, -1 = null)
//! request v2:  the same, then tagged fields
//! response v0: correlation id i32
//! response v1: correlation id i32 | tagged fields
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;

use crate::api_key::ApiKey;
use crate::codec::wire;
use crate::versions::{request_header_version, response_header_version};

/// What stands before every request body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
    pub client_id: Option<StrBytes>,
}

/// Why a frame is no request. Kafka closes the connection on each of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    #[error("the frame ends within its header")]
    Truncated,
    #[error("API key {0} is not known")]
    UnknownKey(i16),
    #[error("the client id has the length {0}")]
    ClientIdLength(i16),
    #[error("the header's tagged fields are malformed")]
    Tags,
}

impl RequestHeader {
    /// Takes the header off the front of a frame. The version need not be one that we speak: the
    /// caller answers an ApiVersions from the future with the fallback and closes on any other.
    pub fn decode(buf: &mut Bytes) -> Result<RequestHeader, HeaderError> {
        if buf.remaining() < 8 {
            return Err(HeaderError::Truncated);
        }
        let api_key = buf.get_i16();
        let key = ApiKey::from_i16(api_key).ok_or(HeaderError::UnknownKey(api_key))?;
        let api_version = buf.get_i16();
        let correlation_id = buf.get_i32();
        let client_id = get_client_id(buf)?;
        if request_header_version(key, api_version) >= 2 {
            skip_tags(buf)?;
        }
        Ok(RequestHeader { api_key, api_version, correlation_id, client_id })
    }

    /// The key as an enum; always there in a header that was decoded.
    pub fn key(&self) -> Option<ApiKey> {
        ApiKey::from_i16(self.api_key)
    }

    /// Writes the header as a client does.
    pub fn encode(&self, buf: &mut BytesMut) {
        buf.put_i16(self.api_key);
        buf.put_i16(self.api_version);
        buf.put_i32(self.correlation_id);
        match self.client_id.as_ref().and_then(|id| Some((id, i16::try_from(id.len()).ok()?))) {
            Some((id, len)) => {
                buf.put_i16(len);
                buf.put_slice(id.as_bytes());
            }
            None => buf.put_i16(-1),
        }
        if self.key().is_some_and(|key| request_header_version(key, self.api_version) >= 2) {
            buf.put_u8(0);
        }
    }
}

/// The client id is never compact, not even in a flexible header. Bytes that are not UTF-8 are
/// replaced as Java replaces them: a strange client id is no reason to refuse a client.
fn get_client_id(buf: &mut Bytes) -> Result<Option<StrBytes>, HeaderError> {
    let len = buf.try_get_i16().map_err(|_| HeaderError::Truncated)?;
    if len == -1 {
        return Ok(None);
    }
    let len = usize::try_from(len).map_err(|_| HeaderError::ClientIdLength(len))?;
    if buf.remaining() < len {
        return Err(HeaderError::Truncated);
    }
    let bytes = buf.split_to(len);
    Ok(Some(match StrBytes::from_utf8(bytes.clone()) {
        Ok(id) => id,
        Err(_) => StrBytes::from_string(String::from_utf8_lossy(&bytes).into_owned()),
    }))
}

fn skip_tags(buf: &mut Bytes) -> Result<(), HeaderError> {
    let count = wire::get_unsigned_varint(buf).map_err(|_| HeaderError::Tags)?;
    for _ in 0..count {
        wire::get_unsigned_varint(buf).map_err(|_| HeaderError::Tags)?;
        let size = wire::get_unsigned_varint(buf).map_err(|_| HeaderError::Tags)? as usize;
        if buf.remaining() < size {
            return Err(HeaderError::Tags);
        }
        buf.advance(size);
    }
    Ok(())
}

/// Takes the header off the front of an answer to a request of this version; returns its correlation id.
pub fn decode_response_header(buf: &mut Bytes, key: ApiKey, version: i16) -> Result<i32, HeaderError> {
    let correlation_id = buf.try_get_i32().map_err(|_| HeaderError::Truncated)?;
    if response_header_version(key, version) >= 1 {
        skip_tags(buf)?;
    }
    Ok(correlation_id)
}

/// Writes the header of the answer to a request of this version.
pub fn encode_response_header(buf: &mut BytesMut, key: ApiKey, version: i16, correlation_id: i32) {
    buf.put_i32(correlation_id);
    if response_header_version(key, version) >= 1 {
        buf.put_u8(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(api_key: i16, api_version: i16, client_id: Option<&'static str>) -> RequestHeader {
        RequestHeader {
            api_key,
            api_version,
            correlation_id: 7,
            client_id: client_id.map(StrBytes::from_static_str),
        }
    }

    #[test]
    fn headers_of_both_versions_come_back_and_leave_the_body() {
        for header in [
            header(3, 1, Some("kcat")),
            header(3, 13, Some("kcat")),
            header(3, 13, None),
            header(18, 99, Some("")),
        ] {
            let mut buf = BytesMut::new();
            header.encode(&mut buf);
            buf.put_slice(b"body");
            let mut frame = buf.freeze();
            assert_eq!(RequestHeader::decode(&mut frame), Ok(header));
            assert_eq!(&frame[..], b"body");
        }
    }

    #[test]
    fn tagged_fields_of_the_header_are_skipped() {
        let mut frame = Bytes::from_static(b"\0\x03\0\x0d\0\0\0\x01\0\0\x01\x05\x02abX");
        let decoded = RequestHeader::decode(&mut frame);
        assert_eq!(decoded.map(|header| header.correlation_id), Ok(1));
        assert_eq!(&frame[..], b"X");
    }

    #[test]
    fn a_header_cut_anywhere_is_refused() {
        let mut buf = BytesMut::new();
        header(3, 13, Some("kcat")).encode(&mut buf);
        for len in 0..buf.len() {
            let mut frame = Bytes::copy_from_slice(&buf[..len]);
            assert!(RequestHeader::decode(&mut frame).is_err(), "cut at {len}");
        }
    }

    #[test]
    fn bad_keys_lengths_and_tags_are_refused() {
        let decode = |bytes: &'static [u8]| RequestHeader::decode(&mut Bytes::from_static(bytes));
        assert_eq!(decode(b"\0\x5d\0\0\0\0\0\0\xff\xff"), Err(HeaderError::UnknownKey(93)));
        assert_eq!(decode(b"\0\x03\0\0\0\0\0\0\xff\xfe"), Err(HeaderError::ClientIdLength(-2)));
        assert_eq!(decode(b"\0\x03\0\x0d\0\0\0\0\xff\xff\x01\0\xff\xff\xff\xff\x0f"), Err(HeaderError::Tags));
        assert_eq!(decode(b"\0\x03\0\x0d\0\0\0\0\xff\xff\xff\xff\xff\xff\xff"), Err(HeaderError::Tags));
    }

    #[test]
    fn a_client_id_that_is_not_utf8_is_read_as_java_reads_it() {
        let mut frame = Bytes::from_static(b"\0\x03\0\0\0\0\0\0\0\x02a\xff");
        let decoded = RequestHeader::decode(&mut frame).ok().and_then(|header| header.client_id);
        assert_eq!(decoded.as_deref(), Some("a\u{fffd}"));
    }

    #[test]
    fn response_headers_have_tags_only_where_kafka_has_them() {
        let encoded = |key, version| {
            let mut buf = BytesMut::new();
            encode_response_header(&mut buf, key, version, 9);
            buf.to_vec()
        };
        assert_eq!(encoded(ApiKey::ApiVersions, 4), [0, 0, 0, 9]);
        assert_eq!(encoded(ApiKey::Metadata, 8), [0, 0, 0, 9]);
        assert_eq!(encoded(ApiKey::Metadata, 9), [0, 0, 0, 9, 0]);
    }
}
