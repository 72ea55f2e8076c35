//! Kafka's primitive encodings, used by the generated types.
//! Core. A count or length never reserves more memory than the bytes that are there.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{DecodeError, EncodeError, Schema};

pub fn check_version<T: Schema>(version: i16) -> Result<(), DecodeError> {
    if version < T::LOWEST_VERSION || version > T::HIGHEST_VERSION {
        return Err(DecodeError::Version { message: T::NAME, version });
    }
    Ok(())
}

pub fn check_version_to_encode<T: Schema>(version: i16) -> Result<(), EncodeError> {
    if version < T::LOWEST_VERSION || version > T::HIGHEST_VERSION {
        return Err(EncodeError::Version { message: T::NAME, version });
    }
    Ok(())
}

macro_rules! fixed_types {
    ($( $get:ident, $put:ident, $ty:ty, $try_get:ident, $put_raw:ident; )*) => {
        $(
            pub fn $get(buf: &mut Bytes) -> Result<$ty, DecodeError> {
                buf.$try_get().map_err(|_| DecodeError::Truncated)
            }

            pub fn $put(buf: &mut BytesMut, value: $ty) {
                buf.$put_raw(value);
            }
        )*
    };
}

fixed_types! {
    get_i8, put_i8, i8, try_get_i8, put_i8;
    get_i16, put_i16, i16, try_get_i16, put_i16;
    get_u16, put_u16, u16, try_get_u16, put_u16;
    get_i32, put_i32, i32, try_get_i32, put_i32;
    get_u32, put_u32, u32, try_get_u32, put_u32;
    get_i64, put_i64, i64, try_get_i64, put_i64;
    get_f64, put_f64, f64, try_get_f64, put_f64;
}

pub fn get_bool(buf: &mut Bytes) -> Result<bool, DecodeError> {
    Ok(get_i8(buf)? != 0)
}

pub fn put_bool(buf: &mut BytesMut, value: bool) {
    buf.put_u8(u8::from(value));
}

pub fn get_uuid(buf: &mut Bytes) -> Result<Uuid, DecodeError> {
    let mut bytes = [0; 16];
    buf.try_copy_to_slice(&mut bytes).map_err(|_| DecodeError::Truncated)?;
    Ok(Uuid::from_bytes(bytes))
}

pub fn put_uuid(buf: &mut BytesMut, value: Uuid) {
    buf.put_slice(value.as_bytes());
}

pub fn get_unsigned_varint(buf: &mut Bytes) -> Result<u32, DecodeError> {
    let mut value = 0u32;
    for shift in [0, 7, 14, 21, 28] {
        let byte = buf.try_get_u8().map_err(|_| DecodeError::Truncated)?;
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(DecodeError::Varint)
}

pub fn put_unsigned_varint(buf: &mut BytesMut, mut value: u32) {
    while value >= 0x80 {
        buf.put_u8((value as u8) | 0x80);
        value >>= 7;
    }
    buf.put_u8(value as u8);
}

/// A length or count that may mean null; every unit of it takes at least one of the bytes left.
fn get_len(buf: &mut Bytes, compact: bool, short: bool) -> Result<Option<usize>, DecodeError> {
    let len = if compact {
        i64::from(get_unsigned_varint(buf)?) - 1
    } else if short {
        i64::from(get_i16(buf)?)
    } else {
        i64::from(get_i32(buf)?)
    };
    match len {
        -1 => Ok(None),
        _ if short && len > i64::from(i16::MAX) => Err(DecodeError::Length(len)),
        _ => {
            let len = usize::try_from(len).map_err(|_| DecodeError::Length(len))?;
            if len <= buf.remaining() { Ok(Some(len)) } else { Err(DecodeError::Truncated) }
        }
    }
}

fn put_len(buf: &mut BytesMut, compact: bool, short: bool, len: Option<usize>) -> Result<(), EncodeError> {
    let most = if short { i16::MAX as usize } else { i32::MAX as usize };
    if let Some(len) = len.filter(|len| *len > most) {
        return Err(EncodeError::TooLong(len));
    }
    match (compact, short) {
        (true, _) => put_unsigned_varint(buf, len.map_or(0, |len| len as u32 + 1)),
        (false, true) => buf.put_i16(len.map_or(-1, |len| len as i16)),
        (false, false) => buf.put_i32(len.map_or(-1, |len| len as i32)),
    }
    Ok(())
}

/// Null is fine in a version where the field is nullable.
fn unless_null<T>(value: Option<T>, nullable: bool) -> Result<Option<T>, DecodeError> {
    if value.is_none() && !nullable { Err(DecodeError::Null) } else { Ok(value) }
}

pub fn get_nullable_string(
    buf: &mut Bytes,
    compact: bool,
    nullable: bool,
) -> Result<Option<StrBytes>, DecodeError> {
    let Some(len) = unless_null(get_len(buf, compact, true)?, nullable)? else { return Ok(None) };
    StrBytes::from_utf8(buf.split_to(len)).map(Some).map_err(|_| DecodeError::Utf8)
}

pub fn get_string(buf: &mut Bytes, compact: bool) -> Result<StrBytes, DecodeError> {
    get_nullable_string(buf, compact, false)?.ok_or(DecodeError::Null)
}

pub fn put_nullable_string(
    buf: &mut BytesMut,
    compact: bool,
    nullable: bool,
    value: Option<&StrBytes>,
) -> Result<(), EncodeError> {
    if value.is_none() && !nullable {
        return Err(EncodeError::Null);
    }
    put_len(buf, compact, true, value.map(|value| value.len()))?;
    buf.put_slice(value.map_or(b"", |value| value.as_bytes()));
    Ok(())
}

pub fn put_string(buf: &mut BytesMut, compact: bool, value: &StrBytes) -> Result<(), EncodeError> {
    put_nullable_string(buf, compact, false, Some(value))
}

pub fn get_nullable_bytes(
    buf: &mut Bytes,
    compact: bool,
    nullable: bool,
) -> Result<Option<Bytes>, DecodeError> {
    let len = unless_null(get_len(buf, compact, false)?, nullable)?;
    Ok(len.map(|len| buf.split_to(len)))
}

pub fn get_bytes(buf: &mut Bytes, compact: bool) -> Result<Bytes, DecodeError> {
    get_nullable_bytes(buf, compact, false)?.ok_or(DecodeError::Null)
}

pub fn put_nullable_bytes(
    buf: &mut BytesMut,
    compact: bool,
    nullable: bool,
    value: Option<&Bytes>,
) -> Result<(), EncodeError> {
    if value.is_none() && !nullable {
        return Err(EncodeError::Null);
    }
    put_len(buf, compact, false, value.map(|value| value.len()))?;
    buf.put_slice(value.map_or(b"", |value| value));
    Ok(())
}

pub fn put_bytes(buf: &mut BytesMut, compact: bool, value: &Bytes) -> Result<(), EncodeError> {
    put_nullable_bytes(buf, compact, false, Some(value))
}

pub fn get_nullable_array<T>(
    buf: &mut Bytes,
    compact: bool,
    nullable: bool,
    mut get: impl FnMut(&mut Bytes) -> Result<T, DecodeError>,
) -> Result<Option<Vec<T>>, DecodeError> {
    let Some(count) = unless_null(get_len(buf, compact, false)?, nullable)? else { return Ok(None) };
    // An element may be far bigger in memory than on the wire: reserve no more than what came.
    let mut items = Vec::with_capacity(count.min(buf.remaining() / size_of::<T>().max(1)));
    for _ in 0..count {
        items.push(get(buf)?);
    }
    Ok(Some(items))
}

pub fn get_array<T>(
    buf: &mut Bytes,
    compact: bool,
    get: impl FnMut(&mut Bytes) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    get_nullable_array(buf, compact, false, get)?.ok_or(DecodeError::Null)
}

pub fn put_nullable_array<T>(
    buf: &mut BytesMut,
    compact: bool,
    nullable: bool,
    items: Option<&[T]>,
    mut put: impl FnMut(&mut BytesMut, &T) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    if items.is_none() && !nullable {
        return Err(EncodeError::Null);
    }
    put_len(buf, compact, false, items.map(<[T]>::len))?;
    items.unwrap_or_default().iter().try_for_each(|item| put(buf, item))
}

pub fn put_array<T>(
    buf: &mut BytesMut,
    compact: bool,
    items: &[T],
    put: impl FnMut(&mut BytesMut, &T) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    put_nullable_array(buf, compact, false, Some(items), put)
}

/// A struct that may be absent: -1 or (1, the struct). Where it is not nullable there is no mark.
pub fn get_optional<T>(
    buf: &mut Bytes,
    nullable: bool,
    get: impl FnOnce(&mut Bytes) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    if nullable && get_i8(buf)? < 0 {
        return Ok(None);
    }
    get(buf).map(Some)
}

pub fn put_optional<T>(
    buf: &mut BytesMut,
    nullable: bool,
    value: Option<&T>,
    put: impl FnOnce(&mut BytesMut, &T) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    if nullable {
        buf.put_i8(if value.is_some() { 1 } else { -1 });
    }
    match value {
        Some(value) => put(buf, value),
        None if nullable => Ok(()),
        None => Err(EncodeError::Null),
    }
}

/// Reads tagged fields: `known` gets each one's own bytes and says whether it took them.
pub fn get_tags(
    buf: &mut Bytes,
    unknown: &mut BTreeMap<i32, Bytes>,
    mut known: impl FnMut(u32, &mut Bytes) -> Result<bool, DecodeError>,
) -> Result<(), DecodeError> {
    for _ in 0..get_unsigned_varint(buf)? {
        let tag = get_unsigned_varint(buf)?;
        let size = get_unsigned_varint(buf)? as usize;
        if size > buf.remaining() {
            return Err(DecodeError::Truncated);
        }
        let mut value = buf.split_to(size);
        if !known(tag, &mut value)? {
            unknown.insert(tag as i32, value);
        } else if !value.is_empty() {
            return Err(DecodeError::TagSize(tag));
        }
    }
    Ok(())
}

pub fn get_unknown_tags(buf: &mut Bytes, unknown: &mut BTreeMap<i32, Bytes>) -> Result<(), DecodeError> {
    get_tags(buf, unknown, |_, _| Ok(false))
}

/// The tagged fields of one struct that are to be written, in the order of their tags.
#[derive(Default)]
pub struct Tags(BTreeMap<i32, Bytes>);

impl Tags {
    pub fn put(
        &mut self,
        tag: i32,
        put: impl FnOnce(&mut BytesMut) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let mut buf = BytesMut::new();
        put(&mut buf)?;
        let earlier = self.0.insert(tag, buf.freeze());
        assert!(earlier.is_none(), "a struct has a tag once");
        Ok(())
    }

    pub fn finish(mut self, buf: &mut BytesMut, unknown: &BTreeMap<i32, Bytes>) -> Result<(), EncodeError> {
        for (tag, value) in unknown {
            self.0.entry(*tag).or_insert_with(|| value.clone());
        }
        put_unknown_tags(buf, &self.0)
    }
}

pub fn put_unknown_tags(buf: &mut BytesMut, tags: &BTreeMap<i32, Bytes>) -> Result<(), EncodeError> {
    put_unsigned_varint(buf, tags.len() as u32);
    for (tag, value) in tags {
        put_unsigned_varint(buf, *tag as u32);
        let size = u32::try_from(value.len()).map_err(|_| EncodeError::TooLong(value.len()))?;
        put_unsigned_varint(buf, size);
        buf.put_slice(value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_come_back_and_overlong_ones_are_refused() {
        for value in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, u32::MAX] {
            let mut buf = BytesMut::new();
            put_unsigned_varint(&mut buf, value);
            assert_eq!(get_unsigned_varint(&mut buf.freeze()).ok(), Some(value));
        }
        let mut long = Bytes::from_static(&[0x80, 0x80, 0x80, 0x80, 0x80, 0]);
        assert!(matches!(get_unsigned_varint(&mut long), Err(DecodeError::Varint)));
    }

    #[test]
    fn a_count_beyond_the_bytes_left_is_refused_before_anything_is_reserved() {
        let mut array = Bytes::from_static(b"\x7f\xff\xff\xff\0\0");
        assert!(matches!(get_array(&mut array, false, get_i64), Err(DecodeError::Truncated)));
        let mut text = Bytes::from_static(b"\xff\xff\xff\xff\x0f");
        assert!(get_string(&mut text, true).is_err());
    }

    #[test]
    fn null_needs_a_version_that_has_it() {
        let null = || Bytes::from_static(b"\xff\xff");
        assert_eq!(get_nullable_string(&mut null(), false, true).ok(), Some(None));
        assert!(matches!(get_nullable_string(&mut null(), false, false), Err(DecodeError::Null)));
        let mut buf = BytesMut::new();
        assert!(matches!(put_nullable_string(&mut buf, false, false, None), Err(EncodeError::Null)));
    }

    #[test]
    fn known_and_unknown_tags_are_written_in_order() {
        let mut tags = Tags::default();
        assert!(
            tags.put(3, |buf| {
                put_i8(buf, 7);
                Ok(())
            })
            .is_ok()
        );
        let unknown = BTreeMap::from([(1, Bytes::from_static(b"a")), (9, Bytes::from_static(b"b"))]);
        let mut buf = BytesMut::new();
        assert!(tags.finish(&mut buf, &unknown).is_ok());
        assert_eq!(&buf[..], b"\x03\x01\x01a\x03\x01\x07\x09\x01b");
    }

    #[test]
    fn a_known_tag_must_be_as_long_as_it_says() {
        let read = |bytes: &'static [u8]| {
            get_tags(&mut Bytes::from_static(bytes), &mut BTreeMap::new(), |_, buf| get_i8(buf).map(|_| true))
        };
        assert!(read(b"\x01\0\x01\x05").is_ok());
        assert!(matches!(read(b"\x01\0\x02\x05\x06"), Err(DecodeError::TagSize(0))));
        assert!(matches!(read(b"\x01\0\0"), Err(DecodeError::Truncated)));
    }
}
