//! Messages of any API as values of one kind, by the table of what each holds.
//! Core. For whoever has to look into every message and knows none (the lab); the broker's own handlers have types.

use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::api_key::ApiKey;
use crate::codec::{DecodeError, EncodeError, wire};
use crate::generated::shapes::{REQUESTS, RESPONSES};
use crate::guard;

/// An inclusive range of versions.
pub type Range = (i16, i16);
pub(crate) const MAX: i16 = i16::MAX;
pub(crate) const NONE: Range = (1, 0);

/// What a field is on the wire.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Float64,
    Uuid,
    Text,
    Bytes,
    Array(&'static Kind),
    Struct(&'static Struct),
}

/// What the value of a field names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entity {
    Topic,
    Group,
    TransactionalId,
    Broker,
    Producer,
}

#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// As Kafka's definition spells it.
    pub name: &'static str,
    pub kind: Kind,
    pub versions: Range,
    pub nullable: Range,
    pub tagged: Range,
    pub tag: u32,
    pub default: Option<&'static str>,
    pub entity: Option<Entity>,
}

#[derive(Debug)]
pub struct Struct {
    pub fields: &'static [Field],
}

/// A request or a response.
#[derive(Debug)]
pub struct Message {
    pub key: ApiKey,
    /// Those that are spoken.
    pub versions: Range,
    pub flexible: Range,
    pub root: &'static Struct,
}

pub(crate) const fn field(name: &'static str, kind: Kind, versions: Range) -> Field {
    Field { name, kind, versions, nullable: NONE, tagged: NONE, tag: 0, default: None, entity: None }
}

impl Field {
    pub(crate) const fn nullable(mut self, versions: Range) -> Field {
        self.nullable = versions;
        self
    }

    pub(crate) const fn tagged(mut self, tag: u32, versions: Range) -> Field {
        (self.tag, self.tagged) = (tag, versions);
        self
    }

    pub(crate) const fn default(mut self, text: &'static str) -> Field {
        self.default = Some(text);
        self
    }

    pub(crate) const fn entity(mut self, entity: Entity) -> Field {
        self.entity = Some(entity);
        self
    }

    pub fn is_in(&self, version: i16) -> bool {
        contains(self.versions, version)
    }

    fn is_tagged(&self, version: i16) -> bool {
        contains(self.tagged, version)
    }

    /// Its value where nobody says another.
    pub fn initial(&self) -> Value {
        match (self.kind, self.default) {
            (_, Some("null")) => Value::Null,
            (Kind::Bool, default) => Value::Bool(default == Some("true")),
            (Kind::Float64, default) => {
                Value::Float(default.and_then(|text| text.parse().ok()).unwrap_or(0.0))
            }
            (Kind::Uuid, _) => Value::Uuid(Uuid::nil()),
            (Kind::Text, default) => Value::Text(StrBytes::from_static_str(default.unwrap_or(""))),
            (Kind::Bytes, _) => Value::Bytes(Bytes::new()),
            (Kind::Array(_), _) => Value::Array(Vec::new()),
            (Kind::Struct(inner), _) => inner.initial(),
            (_number, default) => Value::Int(default.map_or(0, number)),
        }
    }
}

fn number(text: &str) -> i64 {
    match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).unwrap_or(0),
        None => text.parse().unwrap_or(0),
    }
}

pub fn contains(range: Range, version: i16) -> bool {
    range.0 <= version && version <= range.1
}

impl Struct {
    pub fn initial(&self) -> Value {
        Value::Struct(self.fields.iter().map(Field::initial).collect())
    }

    pub fn place_of(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }
}

/// A value of any kind. Structs have a value for each field of their shape, in its order.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Uuid(Uuid),
    Text(StrBytes),
    Bytes(Bytes),
    Array(Vec<Value>),
    Struct(Vec<Value>),
}

/// What a request of this API holds.
pub fn request(key: ApiKey) -> Option<&'static Message> {
    find(&REQUESTS, key)
}

/// What a response of this API holds.
pub fn response(key: ApiKey) -> Option<&'static Message> {
    find(&RESPONSES, key)
}

fn find(rows: &'static [Message], key: ApiKey) -> Option<&'static Message> {
    rows.binary_search_by_key(&key, |row| row.key).ok().map(|row| &rows[row])
}

/// Reads a request's body after the guard has walked it.
pub fn decode_request(key: ApiKey, version: i16, mut body: Bytes) -> Result<Value, DecodeError> {
    guard::check(key, version, &body)?;
    let message = request(key).ok_or(DecodeError::Version { message: key.name(), version })?;
    message.decode(&mut body, version)
}

/// Reads a response's body after the guard has walked it.
pub fn decode_response(key: ApiKey, version: i16, mut body: Bytes) -> Result<Value, DecodeError> {
    guard::check_response(key, version, &body)?;
    let message = response(key).ok_or(DecodeError::Version { message: key.name(), version })?;
    message.decode(&mut body, version)
}

impl Message {
    fn decode(&self, buf: &mut Bytes, version: i16) -> Result<Value, DecodeError> {
        get_struct(self.root, buf, Wire { version, compact: contains(self.flexible, version) })
    }

    /// Writes a value of this shape in a version.
    pub fn encode(&self, value: &Value, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        if !contains(self.versions, version) {
            return Err(EncodeError::Version { message: self.key.name(), version });
        }
        put_struct(self.root, value, buf, Wire { version, compact: contains(self.flexible, version) })
    }
}

#[derive(Clone, Copy)]
struct Wire {
    version: i16,
    compact: bool,
}

fn get_struct(shape: &'static Struct, buf: &mut Bytes, wire: Wire) -> Result<Value, DecodeError> {
    let mut values = Vec::with_capacity(shape.fields.len());
    for field in shape.fields {
        let in_place = field.is_in(wire.version) && !field.is_tagged(wire.version);
        values.push(if in_place { get(field, field.kind, buf, wire)? } else { field.initial() });
    }
    if wire.compact {
        let mut unknown = std::collections::BTreeMap::new();
        wire::get_tags(buf, &mut unknown, |tag, buf| {
            let known = |field: &Field| {
                field.is_in(wire.version) && field.is_tagged(wire.version) && field.tag == tag
            };
            let Some(place) = shape.fields.iter().position(known) else { return Ok(false) };
            values[place] = get(&shape.fields[place], shape.fields[place].kind, buf, wire)?;
            Ok(true)
        })?;
    }
    Ok(Value::Struct(values))
}

fn get(field: &Field, kind: Kind, buf: &mut Bytes, wire: Wire) -> Result<Value, DecodeError> {
    let nullable = contains(field.nullable, wire.version);
    Ok(match kind {
        Kind::Bool => Value::Bool(wire::get_bool(buf)?),
        Kind::Int8 => Value::Int(wire::get_i8(buf)?.into()),
        Kind::Int16 => Value::Int(wire::get_i16(buf)?.into()),
        Kind::Uint16 => Value::Int(wire::get_u16(buf)?.into()),
        Kind::Int32 => Value::Int(wire::get_i32(buf)?.into()),
        Kind::Uint32 => Value::Int(wire::get_u32(buf)?.into()),
        Kind::Int64 => Value::Int(wire::get_i64(buf)?),
        Kind::Float64 => Value::Float(wire::get_f64(buf)?),
        Kind::Uuid => Value::Uuid(wire::get_uuid(buf)?),
        Kind::Text => {
            wire::get_nullable_string(buf, wire.compact, nullable)?.map_or(Value::Null, Value::Text)
        }
        Kind::Bytes => {
            wire::get_nullable_bytes(buf, wire.compact, nullable)?.map_or(Value::Null, Value::Bytes)
        }
        Kind::Array(element) => {
            // What is inside of an array is never null.
            let element_field = Field { nullable: NONE, ..*field };
            wire::get_nullable_array(buf, wire.compact, nullable, |buf| {
                get(&element_field, *element, buf, wire)
            })?
            .map_or(Value::Null, Value::Array)
        }
        Kind::Struct(inner) => {
            wire::get_optional(buf, nullable, |buf| get_struct(inner, buf, wire))?.unwrap_or(Value::Null)
        }
    })
}

fn put_struct(
    shape: &'static Struct,
    value: &Value,
    buf: &mut BytesMut,
    wire: Wire,
) -> Result<(), EncodeError> {
    let Value::Struct(values) = value else { return Err(EncodeError::Null) };
    assert_eq!(values.len(), shape.fields.len(), "a struct has a value for each field");
    let mut tags = wire::Tags::default();
    for (field, value) in shape.fields.iter().zip(values) {
        if !field.is_in(wire.version) {
            continue;
        }
        if !field.is_tagged(wire.version) {
            put(field, field.kind, value, buf, wire)?;
        } else if *value != field.initial() {
            tags.put(field.tag as i32, |buf| put(field, field.kind, value, buf, wire))?;
        }
    }
    if wire.compact {
        tags.finish(buf, &std::collections::BTreeMap::new())?;
    }
    Ok(())
}

fn put(field: &Field, kind: Kind, value: &Value, buf: &mut BytesMut, wire: Wire) -> Result<(), EncodeError> {
    let nullable = contains(field.nullable, wire.version);
    match (kind, value) {
        (Kind::Bool, Value::Bool(value)) => wire::put_bool(buf, *value),
        (Kind::Int8, Value::Int(value)) => wire::put_i8(buf, *value as i8),
        (Kind::Int16, Value::Int(value)) => wire::put_i16(buf, *value as i16),
        (Kind::Uint16, Value::Int(value)) => wire::put_u16(buf, *value as u16),
        (Kind::Int32, Value::Int(value)) => wire::put_i32(buf, *value as i32),
        (Kind::Uint32, Value::Int(value)) => wire::put_u32(buf, *value as u32),
        (Kind::Int64, Value::Int(value)) => wire::put_i64(buf, *value),
        (Kind::Float64, Value::Float(value)) => wire::put_f64(buf, *value),
        (Kind::Uuid, Value::Uuid(value)) => wire::put_uuid(buf, *value),
        (Kind::Text, Value::Null) => wire::put_nullable_string(buf, wire.compact, nullable, None)?,
        (Kind::Text, Value::Text(value)) => {
            wire::put_nullable_string(buf, wire.compact, nullable, Some(value))?;
        }
        (Kind::Bytes, Value::Null) => wire::put_nullable_bytes(buf, wire.compact, nullable, None)?,
        (Kind::Bytes, Value::Bytes(value)) => {
            wire::put_nullable_bytes(buf, wire.compact, nullable, Some(value))?;
        }
        (Kind::Array(_), Value::Null) => {
            wire::put_nullable_array::<Value>(buf, wire.compact, nullable, None, |_, _| Ok(()))?;
        }
        (Kind::Array(element), Value::Array(items)) => {
            let element_field = Field { nullable: NONE, ..*field };
            wire::put_array(buf, wire.compact, items, |buf, item| {
                put(&element_field, *element, item, buf, wire)
            })?;
        }
        (Kind::Struct(_), Value::Null) => {
            wire::put_optional::<Value>(buf, nullable, None, |_, _| Ok(()))?;
        }
        (Kind::Struct(inner), value) => {
            wire::put_optional(buf, nullable, Some(value), |buf, value| put_struct(inner, value, buf, wire))?;
        }
        (_, _) => return Err(EncodeError::Null),
    }
    Ok(())
}
