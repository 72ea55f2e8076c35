//! Requests out of JSON and answers into JSON, for any API and version, sharing nothing with the broker's own codec.
//! Core: values in, bytes out, and back.

use serde_json::{Map, Value, json};

use crate::Outcome;
use crate::batch;
use crate::records;
use crate::schema::{Api, Field, Kind};

pub const ZERO_UUID: &str = "00000000-0000-0000-0000-000000000000";

/// A whole request frame, length prefix included. A version that does not exist is named in the header while the
/// body takes the layout of the nearest one that does.
pub fn request_frame(
    api: &Api,
    version: i16,
    correlation_id: i32,
    client_id: &str,
    body: &Value,
) -> Outcome<Vec<u8>> {
    request_frame_of(api, version, correlation_id, Some(client_id.as_bytes()), body)
}

/// The same from a client whose id is any bytes, or none at all.
pub fn request_frame_of(
    api: &Api,
    version: i16,
    correlation_id: i32,
    client_id: Option<&[u8]>,
    body: &Value,
) -> Outcome<Vec<u8>> {
    let layout = api.nearest_version(version);
    let is_flexible = api.flexible.contains(layout);
    let mut out = vec![0; 4];
    out.extend(api.key.to_be_bytes());
    out.extend(version.to_be_bytes());
    out.extend(correlation_id.to_be_bytes());
    let client_id_length = client_id.map_or(Ok(-1), |id| i16::try_from(id.len()));
    out.extend(client_id_length.map_err(|_| "a long client id")?.to_be_bytes());
    out.extend(client_id.unwrap_or_default());
    if is_flexible {
        out.push(0);
    }
    let empty = Map::new();
    let fields = body.as_object().unwrap_or(&empty);
    Writer { out: &mut out, version: layout, is_flexible }
        .structure(&api.request, fields)
        .map_err(|error| format!("{} v{version}: {error}", api.name))?;
    let length = i32::try_from(out.len() - 4).map_err(|_| "a long request")?;
    out[..4].copy_from_slice(&length.to_be_bytes());
    Ok(out)
}

/// The body of an answer whose correlation id has been taken off. Bytes beyond the layout are told under `$rest`.
pub fn response(api: &Api, version: i16, bytes: &[u8]) -> Outcome<Value> {
    // An ApiVersions answer to a version from the future comes in the oldest layout, whatever was asked.
    let version =
        if api.key == 18 && !api.versions.contains(version) { 0 } else { api.nearest_version(version) };
    let is_flexible = api.flexible.contains(version);
    let mut reader = Reader { bytes, version, is_flexible };
    let mut object = Map::new();
    if is_flexible && api.key != 18 {
        let unknown = reader.tags(&[], &mut object)?;
        if unknown > 0 {
            object.insert("$headerTags".into(), json!(unknown));
        }
    }
    reader
        .structure(&api.response, &mut object)
        .map_err(|error| format!("{} v{version}: {error}", api.name))?;
    if !reader.bytes.is_empty() {
        object.insert("$rest".into(), json!(reader.bytes.len()));
    }
    Ok(Value::Object(object))
}

/// The fields that a version has.
fn fields_of(fields: &[Field], version: i16) -> impl Iterator<Item = &Field> {
    fields.iter().filter(move |field| field.versions.contains(version))
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    version: i16,
    is_flexible: bool,
}

impl Writer<'_> {
    fn structure(&mut self, fields: &[Field], values: &Map<String, Value>) -> Outcome<()> {
        for name in values.keys() {
            if !name.starts_with('$') && !fields.iter().any(|field| field.name == *name) {
                return Err(format!("there is no field {name}"));
            }
        }
        let mut tagged = Vec::new();
        for field in fields_of(fields, self.version) {
            let value = values.get(&field.name).unwrap_or(&field.default);
            match field.tag_in(self.version) {
                None => self.field(field, value).map_err(|error| format!("{}: {error}", field.name))?,
                Some(tag) if *value != field.default => {
                    let mut bytes = Vec::new();
                    Writer { out: &mut bytes, version: self.version, is_flexible: self.is_flexible }
                        .field(field, value)?;
                    tagged.push((tag, bytes));
                }
                Some(_) => {}
            }
        }
        if self.is_flexible {
            tagged.sort();
            self.varint(tagged.len());
            for (tag, bytes) in tagged {
                self.varint(tag as usize);
                self.varint(bytes.len());
                self.out.extend(bytes);
            }
        }
        Ok(())
    }

    fn varint(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.out.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    /// The length before a text, bytes or a list; `None` stands for null.
    fn length(&mut self, length: Option<usize>, is_short: bool) {
        if self.is_flexible {
            self.varint(length.map_or(0, |length| length + 1));
        } else if is_short {
            self.out.extend(length.map_or(-1, |length| length as i16).to_be_bytes());
        } else {
            self.out.extend(length.map_or(-1, |length| length as i32).to_be_bytes());
        }
    }

    fn field(&mut self, field: &Field, value: &Value) -> Outcome<()> {
        if !field.is_list {
            return self.single(field, value);
        }
        // `{$count: N}` promises a count and brings nothing.
        if let Some(count) = value.get("$count").and_then(Value::as_u64) {
            self.length(Some(count as usize), false);
            return Ok(());
        }
        let items = value.as_array();
        self.length(items.map(Vec::len), false);
        items.into_iter().flatten().try_for_each(|item| self.single(field, item))
    }

    fn single(&mut self, field: &Field, value: &Value) -> Outcome<()> {
        let number = || match value {
            Value::Null => Ok(0),
            Value::Bool(on) => Ok(i64::from(*on)),
            other => other.as_i64().ok_or_else(|| format!("{other} is no number")),
        };
        match &field.kind {
            Kind::Bool | Kind::Int8 => self.out.push(number()? as u8),
            Kind::Int16 | Kind::Uint16 => self.out.extend((number()? as u16).to_be_bytes()),
            Kind::Int32 | Kind::Uint32 => self.out.extend((number()? as u32).to_be_bytes()),
            Kind::Int64 => self.out.extend(number()?.to_be_bytes()),
            Kind::Float64 => self.out.extend(value.as_f64().unwrap_or_default().to_be_bytes()),
            Kind::Uuid => self.out.extend(uuid_bytes(value)?),
            Kind::String => {
                let text = odd_text(value)?;
                self.length(text.as_ref().map(Vec::len), true);
                self.out.extend(text.unwrap_or_default());
            }
            Kind::Bytes | Kind::Records => {
                let bytes = match value {
                    Value::Null => None,
                    Value::Object(_) if matches!(field.kind, Kind::Bytes) => odd_text(value)?,
                    Value::Object(_) | Value::Array(_) => Some(batch::build(value)?),
                    Value::String(text) => Some(text_bytes(text)?),
                    other => return Err(format!("{other} is not bytes")),
                };
                self.length(bytes.as_ref().map(Vec::len), false);
                self.out.extend(bytes.unwrap_or_default());
            }
            Kind::Struct(fields) => {
                let is_nullable = !field.is_list && field.nullable.contains(self.version);
                match value {
                    Value::Null => self.out.push(0xff),
                    Value::Object(values) => {
                        if is_nullable {
                            self.out.push(1);
                        }
                        self.structure(fields, values)?;
                    }
                    other => return Err(format!("{other} is no structure")),
                }
            }
        }
        Ok(())
    }
}

/// What a tagged field that did not travel stands for: a broker may as well have sent just that.
fn absent_value(field: &Field, version: i16) -> Value {
    match (&field.kind, &field.default) {
        (Kind::Struct(fields), Value::Object(_)) => Value::Object(
            fields_of(fields, version)
                .map(|inner| (inner.name.clone(), absent_value(inner, version)))
                .collect(),
        ),
        (_, default) => default.clone(),
    }
}

/// A text as a script writes it: as it is, `{size: N}` for that many equal letters, `{hex: ..}` for bytes that no script
/// could hold, nothing for null.
pub fn odd_text(value: &Value) -> Outcome<Option<Vec<u8>>> {
    Ok(match (value, value["size"].as_u64(), value["hex"].as_str()) {
        (Value::Null, ..) => None,
        (Value::String(text), ..) => Some(text.as_bytes().to_vec()),
        (Value::Object(_), Some(size), _) => Some(vec![b'x'; usize::try_from(size).unwrap_or(0)]),
        (Value::Object(_), _, Some(digits)) => Some(text_bytes(&format!("hex:{digits}"))?),
        (other, ..) => Some(other.to_string().into_bytes()),
    })
}

/// A text is its own bytes, but `hex:…` is what its digits say.
pub fn text_bytes(text: &str) -> Outcome<Vec<u8>> {
    let Some(digits) = text.strip_prefix("hex:") else { return Ok(text.as_bytes().to_vec()) };
    let digits: Vec<u8> =
        digits.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'_').collect();
    digits
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).map_err(|error| error.to_string())?;
            u8::from_str_radix(pair, 16).map_err(|_| format!("`{pair}` is not hexadecimal"))
        })
        .collect()
}

/// Bytes as a person wants to read them.
pub fn bytes_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) => text.to_owned(),
        _ => format!("hex:{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

fn uuid_bytes(value: &Value) -> Outcome<[u8; 16]> {
    let text = value.as_str().unwrap_or(ZERO_UUID).replace('-', "");
    u128::from_str_radix(&text, 16).map(u128::to_be_bytes).map_err(|_| format!("{value} is no uuid"))
}

pub fn uuid_text(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

struct Reader<'a> {
    bytes: &'a [u8],
    version: i16,
    is_flexible: bool,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Outcome<&'a [u8]> {
        let (head, rest) = self
            .bytes
            .split_at_checked(count)
            .ok_or_else(|| format!("the answer ends {} bytes too early", count - self.bytes.len()))?;
        self.bytes = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn varint(&mut self) -> Outcome<usize> {
        let mut value = 0_usize;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array()?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a varint without end".to_owned())
    }

    fn length(&mut self, is_short: bool) -> Outcome<Option<usize>> {
        if self.is_flexible {
            return Ok(self.varint()?.checked_sub(1));
        }
        let length = if is_short {
            i32::from(i16::from_be_bytes(self.array()?))
        } else {
            i32::from_be_bytes(self.array()?)
        };
        Ok(usize::try_from(length).ok())
    }

    fn structure(&mut self, fields: &[Field], object: &mut Map<String, Value>) -> Outcome<()> {
        for field in fields_of(fields, self.version) {
            if field.tag_in(self.version).is_some() {
                object.insert(field.name.clone(), absent_value(field, self.version));
            } else {
                let value = self.field(field).map_err(|error| format!("{}: {error}", field.name))?;
                object.insert(field.name.clone(), value);
            }
        }
        if self.is_flexible {
            let unknown = self.tags(fields, object)?;
            if unknown > 0 {
                object.insert("$unknownTags".into(), json!(unknown));
            }
        }
        Ok(())
    }

    /// Reads the tagged fields; the count of those that the layout does not know comes back.
    fn tags(&mut self, fields: &[Field], object: &mut Map<String, Value>) -> Outcome<usize> {
        let mut unknown = 0;
        for _ in 0..self.varint()? {
            let tag = self.varint()?;
            let length = self.varint()?;
            let bytes = self.take(length)?;
            match fields
                .iter()
                .find(|field| field.tag_in(self.version).is_some_and(|own| own as usize == tag))
            {
                None => unknown += 1,
                Some(field) => {
                    let mut inner = Reader { bytes, version: self.version, is_flexible: true };
                    object.insert(field.name.clone(), inner.field(field)?);
                    if !inner.bytes.is_empty() {
                        return Err(format!("tag {tag} is longer than its field"));
                    }
                }
            }
        }
        Ok(unknown)
    }

    fn field(&mut self, field: &Field) -> Outcome<Value> {
        if !field.is_list {
            return self.single(field);
        }
        match self.length(false)? {
            None => Ok(Value::Null),
            Some(count) => {
                let mut items = Vec::new();
                for _ in 0..count {
                    items.push(self.single(field)?);
                }
                Ok(Value::Array(items))
            }
        }
    }

    fn single(&mut self, field: &Field) -> Outcome<Value> {
        Ok(match &field.kind {
            Kind::Bool => json!(self.array::<1>()?[0] != 0),
            Kind::Int8 => json!(i8::from_be_bytes(self.array()?)),
            Kind::Int16 => json!(i16::from_be_bytes(self.array()?)),
            Kind::Uint16 => json!(u16::from_be_bytes(self.array()?)),
            Kind::Int32 => json!(i32::from_be_bytes(self.array()?)),
            Kind::Uint32 => json!(u32::from_be_bytes(self.array()?)),
            Kind::Int64 => json!(i64::from_be_bytes(self.array()?)),
            Kind::Float64 => json!(f64::from_be_bytes(self.array()?)),
            Kind::Uuid => json!(uuid_text(self.take(16)?)),
            Kind::String => match self.length(true)? {
                None => Value::Null,
                Some(length) => json!(String::from_utf8_lossy(self.take(length)?)),
            },
            Kind::Bytes => match self.length(false)? {
                None => Value::Null,
                Some(length) => json!(bytes_text(self.take(length)?)),
            },
            Kind::Records => match self.length(false)? {
                None => Value::Null,
                Some(length) => records::describe(self.take(length)?),
            },
            Kind::Struct(fields) => {
                if !field.is_list && field.nullable.contains(self.version) && self.array::<1>()?[0] == 0xff {
                    return Ok(Value::Null);
                }
                let mut object = Map::new();
                self.structure(fields, &mut object)?;
                Value::Object(object)
            }
        })
    }
}
