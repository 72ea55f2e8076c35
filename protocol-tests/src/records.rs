//! The record batches of an answer as JSON: every header field, and the records inside.
//! Core: bytes in, value out.

use std::io::Read;

use serde_json::{Map, Value, json};

use crate::codec::bytes_text;

/// Texts longer than this are told by length and checksum.
const TEXT_BYTES_MAX: usize = 200;

/// Lists the batches; bytes at the end that hold no whole batch are told by their number.
pub fn describe(mut bytes: &[u8]) -> Value {
    let mut batches = Vec::new();
    while bytes.len() >= 61 {
        let length = usize::try_from(int(bytes, 8, 4)).unwrap_or(0) + 12;
        let Some((batch, rest)) = bytes.split_at_checked(length).filter(|_| length >= 61) else { break };
        batches.push(describe_batch(batch));
        bytes = rest;
    }
    if !bytes.is_empty() {
        batches.push(json!({"name": "partial", "bytes": bytes.len()}));
    }
    Value::Array(batches)
}

fn int(bytes: &[u8], at: usize, count: usize) -> i64 {
    let sign = if bytes[at] & 0x80 == 0 { 0 } else { -1 };
    bytes[at..at + count].iter().fold(sign, |sum, &byte| (sum << 8) | i64::from(byte))
}

fn describe_batch(batch: &[u8]) -> Value {
    let attributes = int(batch, 21, 2);
    let base_offset = int(batch, 0, 8);
    let mut object = Map::new();
    let mut tell = |name: &str, value: Value| object.insert(name.to_owned(), value);
    tell("baseOffset", json!(base_offset));
    tell("bytes", json!(batch.len()));
    tell("partitionLeaderEpoch", json!(int(batch, 12, 4)));
    tell("magic", json!(batch[16]));
    tell(
        "crcIsRight",
        json!(
            u32::from_be_bytes([batch[17], batch[18], batch[19], batch[20]]) == crc32c::crc32c(&batch[21..])
        ),
    );
    tell("attributes", json!(attributes));
    tell("lastOffsetDelta", json!(int(batch, 23, 4)));
    tell("baseTimestamp", json!(int(batch, 27, 8)));
    tell("maxTimestamp", json!(int(batch, 35, 8)));
    tell("producerId", json!(int(batch, 43, 8)));
    tell("producerEpoch", json!(int(batch, 51, 2)));
    tell("baseSequence", json!(int(batch, 53, 4)));
    tell("count", json!(int(batch, 57, 4)));
    match decompress(attributes & 7, &batch[61..]) {
        Some(plain) => tell("records", describe_records(&plain, base_offset)),
        None => tell("records", json!("unreadable")),
    };
    Value::Object(object)
}

fn decompress(codec_id: i64, packed: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    match codec_id {
        0 => plain.extend(packed),
        1 => drop(flate2::read::GzDecoder::new(packed).read_to_end(&mut plain).ok()?),
        2 => {
            let mut rest = packed.strip_prefix(b"\x82SNAPPY\0")?.get(8..)?;
            while let Some((length, after)) = rest.split_first_chunk() {
                let (block, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
                plain.extend(snap::raw::Decoder::new().decompress_vec(block).ok()?);
                rest = after;
            }
        }
        3 => drop(lz4_flex::frame::FrameDecoder::new(packed).read_to_end(&mut plain).ok()?),
        4 => drop(zstd::stream::read::Decoder::new(packed).ok()?.read_to_end(&mut plain).ok()?),
        _ => return None,
    }
    Some(plain)
}

fn describe_records(plain: &[u8], base_offset: i64) -> Value {
    let mut reader = Varints(plain);
    let mut records = Vec::new();
    while !reader.0.is_empty() {
        match record(&mut reader, base_offset) {
            Some(record) => records.push(record),
            None => {
                records.push(json!({"unreadableBytes": plain.len()}));
                break;
            }
        }
    }
    Value::Array(records)
}

fn record(reader: &mut Varints<'_>, base_offset: i64) -> Option<Value> {
    reader.next()?;
    reader.0 = reader.0.get(1..)?;
    let timestamp_delta = reader.next()?;
    let offset = base_offset + reader.next()?;
    let key = reader.bytes()?;
    let value = reader.bytes()?;
    let mut headers = Vec::new();
    for _ in 0..reader.next()? {
        headers.push(json!([reader.bytes()?, reader.bytes()?]));
    }
    Some(
        json!({"offset": offset, "timestampDelta": timestamp_delta, "key": key, "value": value, "headers": headers}),
    )
}

struct Varints<'a>(&'a [u8]);

impl Varints<'_> {
    fn next(&mut self) -> Option<i64> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        None
    }

    fn bytes(&mut self) -> Option<Value> {
        let length = self.next()?;
        let Ok(length) = usize::try_from(length) else { return Some(Value::Null) };
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(if length > TEXT_BYTES_MAX {
            json!(format!("{length} bytes, crc32c {:08x}", crc32c::crc32c(bytes)))
        } else {
            json!(bytes_text(bytes))
        })
    }
}
