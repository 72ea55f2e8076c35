//! Kafka's record schemas and what frames them in their logs.
//! Core.
//!
//! ```text
//! metadata log:  frame version uvarint (1) | api key uvarint | version uvarint | body
//! coordinators:  key = api key i16 | body (version 0);  value = version i16 | body
//! control batch: key = version i16 | type i16;  EndTxn value = version i16 | body;
//!                leader change, voters, kraft.version, snapshot header and footer: the body alone
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::codec::{Decode, DecodeError, Encode, EncodeError, wire};

pub use crate::codec::RecordSet;
pub use crate::generated::records::*;

/// The only frame version there is.
const FRAME_VERSION: u32 = 1;

/// A record of the metadata log (or of remote storage) with its frame.
pub fn encode_framed<R: RecordSet>(record: &R, version: i16, buf: &mut BytesMut) -> Result<(), EncodeError> {
    wire::put_unsigned_varint(buf, FRAME_VERSION);
    wire::put_unsigned_varint(buf, record.api_key() as u32);
    wire::put_unsigned_varint(buf, version as u32);
    record.encode_body(buf, version)
}

/// Reads what [`encode_framed`] wrote: the record and its version.
pub fn decode_framed<R: RecordSet>(buf: &mut Bytes) -> Result<(R, i16), DecodeError> {
    let frame_version = wire::get_unsigned_varint(buf)?;
    if frame_version != FRAME_VERSION {
        return Err(DecodeError::FrameVersion(frame_version));
    }
    let mut number = || {
        let number = wire::get_unsigned_varint(buf)?;
        i16::try_from(number).map_err(|_| DecodeError::Length(i64::from(number)))
    };
    let (api_key, version) = (number()?, number()?);
    Ok((R::decode_body(api_key, buf, version)?, version))
}

/// The key of a coordinator's record: its type, then the key itself, of which there is only version 0.
pub fn encode_key<K: RecordSet>(key: &K) -> Result<Bytes, EncodeError> {
    let mut buf = BytesMut::new();
    buf.put_i16(key.api_key());
    key.encode_body(&mut buf, 0)?;
    Ok(buf.freeze())
}

/// Reads what [`encode_key`] wrote. A type from the future is [`DecodeError::UnknownRecord`].
pub fn decode_key<K: RecordSet>(mut buf: Bytes) -> Result<K, DecodeError> {
    let api_key = buf.try_get_i16().map_err(|_| DecodeError::Truncated)?;
    K::decode_body(api_key, &mut buf, 0)
}

/// The value of a coordinator's record.
pub fn encode_value<V: RecordSet>(value: &V, version: i16) -> Result<Bytes, EncodeError> {
    let mut buf = BytesMut::new();
    buf.put_i16(version);
    value.encode_body(&mut buf, version)?;
    Ok(buf.freeze())
}

/// Reads what [`encode_value`] wrote; the type is that of the record's key.
pub fn decode_value<V: RecordSet>(api_key: i16, mut buf: Bytes) -> Result<(V, i16), DecodeError> {
    let version = buf.try_get_i16().map_err(|_| DecodeError::Truncated)?;
    Ok((V::decode_body(api_key, &mut buf, version)?, version))
}

/// A message after its version: control record keys, transaction markers, the embedded consumer protocol.
pub fn encode_versioned<T: Encode>(message: &T, version: i16) -> Result<Bytes, EncodeError> {
    let mut buf = BytesMut::with_capacity(2 + message.size_hint(version));
    buf.put_i16(version);
    message.encode(&mut buf, version)?;
    Ok(buf.freeze())
}

/// Reads what [`encode_versioned`] wrote.
pub fn decode_versioned<T: Decode>(mut buf: Bytes) -> Result<(T, i16), DecodeError> {
    let version = buf.try_get_i16().map_err(|_| DecodeError::Truncated)?;
    Ok((T::decode(&mut buf, version)?, version))
}

#[cfg(test)]
mod tests {
    use super::group::{GroupKey, GroupValue, OffsetCommitKey, OffsetCommitValue};
    use super::metadata::{FeatureLevelRecord, MetadataRecord};
    use super::*;

    #[test]
    fn a_metadata_record_is_framed_as_kafka_frames_it() {
        let record: MetadataRecord =
            FeatureLevelRecord { name: "a".into(), feature_level: 5, ..Default::default() }.into();
        let mut buf = BytesMut::new();
        assert!(encode_framed(&record, 0, &mut buf).is_ok());
        assert_eq!(&buf[..], [1, 12, 0, 2, b'a', 0, 5, 0]);
        assert_eq!(decode_framed(&mut buf.freeze()).ok(), Some((record, 0)));
    }

    #[test]
    fn a_coordinator_record_is_found_by_its_key() {
        let key: GroupKey = OffsetCommitKey { group: "g".into(), topic: "t".into(), partition: 3 }.into();
        let encoded = encode_key(&key).unwrap_or_default();
        assert_eq!(&encoded[..], b"\0\x01\0\x01g\0\x01t\0\0\0\x03");
        assert_eq!(decode_key(encoded).ok(), Some(key.clone()));
        let value: GroupValue = OffsetCommitValue { offset: 9, ..Default::default() }.into();
        let encoded = encode_value(&value, 3).unwrap_or_default();
        assert_eq!(decode_value(key.api_key(), encoded).ok(), Some((value, 3)));
    }

    #[test]
    fn records_from_the_future_are_told_apart_from_damage() {
        let unknown = decode_key::<GroupKey>(Bytes::from_static(b"\x03\xe7abc"));
        assert!(matches!(unknown, Err(DecodeError::UnknownRecord { api_key: 999, .. })));
        let damaged = decode_key::<GroupKey>(Bytes::from_static(b"\0\x01\0\x05g"));
        assert!(matches!(damaged, Err(DecodeError::Truncated)));
        let frame = decode_framed::<MetadataRecord>(&mut Bytes::from_static(b"\x02\0\0"));
        assert!(matches!(frame, Err(DecodeError::FrameVersion(2))));
    }
}
