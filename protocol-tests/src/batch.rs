//! Record batches as a script asks for them, the broken ones included.
//! Core: a description in, bytes out.

use std::io::Write;

use serde_json::Value;

use crate::Outcome;
use crate::codec::text_bytes;

/// The first timestamp of a batch that names none: fixed, so that two brokers store the same bytes.
pub const TIMESTAMP_MS: i64 = 1_700_000_000_000;

/// Builds one batch from an object, or several, one behind the other, from a list.
///
/// `records` holds the records (`key`, `value`, `headers`, `timestampDelta`, `offsetDelta`) or their number; `codec`
/// is none, gzip, snappy, lz4 or zstd. All other members overwrite a header field, whatever truth would say:
/// `baseOffset`, `partitionLeaderEpoch`, `magic`, `crc` (`bad` or a number), `attributes`, `lastOffsetDelta`, `timestamp`,
/// `maxTimestamp`, `producerId`, `producerEpoch`, `baseSequence`, `count`, `length`; `cut` takes bytes off the end,
/// `append` adds some. `{hex: ".."}` is just these bytes.
pub fn build(description: &Value) -> Outcome<Vec<u8>> {
    match description {
        Value::Array(items) => {
            items.iter().map(build).collect::<Outcome<Vec<_>>>().map(|batches| batches.concat())
        }
        Value::Object(object) => match object.get("hex") {
            Some(digits) => text_bytes(&format!("hex:{}", digits.as_str().unwrap_or_default())),
            None if object.get("magic").and_then(Value::as_i64).is_some_and(|magic| magic < 2) => {
                Ok(old_message(description))
            }
            None => batch(description),
        },
        other => Err(format!("{other} describes no batch")),
    }
}

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

fn batch(description: &Value) -> Outcome<Vec<u8>> {
    let number = |name: &str| description[name].as_i64();
    let records = match &description["records"] {
        Value::Array(records) => records.clone(),
        Value::Number(count) => (0..count.as_i64().unwrap_or(0))
            .map(|index| serde_json::json!({"value": format!("value-{index}")}))
            .collect(),
        _ => Vec::new(),
    };
    let mut plain = Vec::new();
    let mut last_delta = -1;
    let mut max_timestamp_delta = 0;
    for (index, record) in records.iter().enumerate() {
        let offset_delta = record["offsetDelta"].as_i64().unwrap_or(index as i64);
        let timestamp_delta = record["timestampDelta"].as_i64().unwrap_or(0);
        last_delta = offset_delta;
        max_timestamp_delta = max_timestamp_delta.max(timestamp_delta);
        put_record(&mut plain, record, offset_delta, timestamp_delta)?;
    }
    let codec = description["codec"].as_str().unwrap_or("none");
    let codec_id = CODECS.iter().position(|known| *known == codec).ok_or("an unknown codec")?;
    let payload = match description["payload"].as_str() {
        Some(text) => text_bytes(text)?,
        None => compress(codec_id, &plain)?,
    };
    let timestamp = number("timestamp").unwrap_or(TIMESTAMP_MS);
    let mut out = Vec::new();
    out.extend(number("baseOffset").unwrap_or(0).to_be_bytes());
    out.extend((number("length").unwrap_or(payload.len() as i64 + 49) as i32).to_be_bytes());
    out.extend((number("partitionLeaderEpoch").unwrap_or(-1) as i32).to_be_bytes());
    out.push(number("magic").unwrap_or(2) as u8);
    out.extend([0; 4]);
    out.extend((number("attributes").unwrap_or(0) as i16 | codec_id as i16).to_be_bytes());
    out.extend((number("lastOffsetDelta").unwrap_or(last_delta) as i32).to_be_bytes());
    out.extend(timestamp.to_be_bytes());
    out.extend(number("maxTimestamp").unwrap_or(timestamp + max_timestamp_delta).to_be_bytes());
    out.extend(number("producerId").unwrap_or(-1).to_be_bytes());
    out.extend((number("producerEpoch").unwrap_or(-1) as i16).to_be_bytes());
    out.extend((number("baseSequence").unwrap_or(-1) as i32).to_be_bytes());
    out.extend((number("count").unwrap_or(records.len() as i64) as i32).to_be_bytes());
    out.extend(payload);
    let crc = match &description["crc"] {
        Value::Number(crc) => crc.as_u64().unwrap_or(0) as u32,
        Value::String(_) => !crc32c::crc32c(&out[21..]),
        _ => crc32c::crc32c(&out[21..]),
    };
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    if let Some(text) = description["append"].as_str() {
        out.extend(text_bytes(text)?);
    }
    let cut = number("cut").and_then(|cut| usize::try_from(cut).ok()).unwrap_or(0);
    out.truncate(out.len().saturating_sub(cut));
    Ok(out)
}

fn put_record(out: &mut Vec<u8>, record: &Value, offset_delta: i64, timestamp_delta: i64) -> Outcome<()> {
    let mut body = vec![0];
    put_varint(&mut body, timestamp_delta);
    put_varint(&mut body, offset_delta);
    put_bytes(&mut body, &record["key"])?;
    put_bytes(&mut body, &record["value"])?;
    let headers = record["headers"].as_array().cloned().unwrap_or_default();
    put_varint(&mut body, headers.len() as i64);
    for header in headers {
        put_bytes(&mut body, &header[0])?;
        put_bytes(&mut body, &header[1])?;
    }
    put_varint(out, record["length"].as_i64().unwrap_or(body.len() as i64));
    out.extend(body);
    Ok(())
}

/// A text, nothing, or `{size: N}` for that many equal bytes.
fn put_bytes(out: &mut Vec<u8>, value: &Value) -> Outcome<()> {
    let bytes = match value {
        Value::Null => {
            put_varint(out, -1);
            return Ok(());
        }
        Value::Object(object) => {
            vec![b'x'; object.get("size").and_then(Value::as_u64).ok_or("a value without size")? as usize]
        }
        Value::String(text) => text_bytes(text)?,
        other => other.to_string().into_bytes(),
    };
    put_varint(out, bytes.len() as i64);
    out.extend(bytes);
    Ok(())
}

fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn compress(codec_id: usize, plain: &[u8]) -> Outcome<Vec<u8>> {
    let done = match codec_id {
        1 => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(plain).and_then(|()| encoder.finish())
        }
        2 => xerial(plain),
        3 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(plain).and_then(|()| encoder.finish().map_err(std::io::Error::from))
        }
        4 => zstd::bulk::compress(plain, 3),
        _ => Ok(plain.to_vec()),
    };
    done.map_err(|error| error.to_string())
}

/// Snappy as Java clients frame it: a magic word, two version numbers, then blocks behind their lengths.
fn xerial(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for block in plain.chunks(32 * 1024) {
        let packed = snap::raw::Encoder::new().compress_vec(block)?;
        out.extend((packed.len() as u32).to_be_bytes());
        out.extend(packed);
    }
    Ok(out)
}

/// A message of the format before batches (magic 0 or 1), which brokers refuse since Kafka 4.
fn old_message(description: &Value) -> Vec<u8> {
    let magic = description["magic"].as_i64().unwrap_or(1) as u8;
    let mut content = vec![magic, 0];
    if magic == 1 {
        content.extend(TIMESTAMP_MS.to_be_bytes());
    }
    content.extend((-1_i32).to_be_bytes());
    content.extend(3_i32.to_be_bytes());
    content.extend(b"old");
    let mut crc = flate2::Crc::new();
    crc.update(&content);
    let mut out = 0_i64.to_be_bytes().to_vec();
    out.extend((content.len() as i32 + 4).to_be_bytes());
    out.extend(crc.sum().to_be_bytes());
    out.extend(content);
    out
}

#[cfg(test)]
mod tests {
    use crate::records::describe;
    use crate::relaxed::parse;

    #[test]
    fn every_codec_comes_back() {
        for codec in super::CODECS {
            let text =
                format!("{{codec: {codec}, records: [{{key: k, value: v, headers: [[h, null]]}}, {{}}]}}");
            let batch = parse(&text).and_then(|description| super::build(&description)).expect("a batch");
            let told = describe(&batch);
            assert_eq!(told[0]["crcIsRight"], true, "{codec}");
            assert_eq!(told[0]["records"][0]["key"], "k", "{codec}");
            assert_eq!(told[0]["records"][0]["headers"][0][0], "h", "{codec}");
            assert_eq!(told[0]["records"][1]["offset"], 1, "{codec}");
        }
    }

    #[test]
    fn a_bad_crc_is_bad() {
        let batch = parse("{records: 1, crc: bad}").and_then(|it| super::build(&it)).expect("a batch");
        assert_eq!(describe(&batch)[0]["crcIsRight"], false);
    }
}
