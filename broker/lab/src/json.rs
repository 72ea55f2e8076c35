//! Messages as JSON: Kafka's field names with a small first letter, as its own JSON converters write them.
//! Core.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ottla_protocol::shape::{Field, Kind, Struct, Value};
use serde_json::{Map, Value as Json, json};

/// Of a list so many items are shown.
const ITEMS_MAX: usize = 100;
const BYTES_MAX: usize = 1024;

/// What a message of this version holds.
pub fn of_struct(shape: &Struct, value: &Value, version: i16) -> Json {
    let Value::Struct(values) = value else { return Json::Null };
    let fields = shape.fields.iter().zip(values).filter(|(field, _)| field.is_in(version));
    let fields = fields.map(|(field, value)| (name(field.name), of_field(field, field.kind, value, version)));
    Json::Object(fields.collect::<Map<_, _>>())
}

pub fn name(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

fn of_field(field: &Field, kind: Kind, value: &Value, version: i16) -> Json {
    match (kind, value) {
        (_, Value::Null) => Json::Null,
        (_, Value::Bool(value)) => json!(value),
        (_, Value::Int(value)) => json!(value),
        (_, Value::Float(value)) => json!(value),
        (_, Value::Uuid(value)) => json!(value.to_string()),
        (_, Value::Text(value)) if is_secret(field.name) => json!(format!("({} bytes)", value.len())),
        (_, Value::Text(value)) => json!(value.to_string()),
        (_, Value::Bytes(value)) if field.name == "Records" => json!({ "sizeInBytes": value.len() }),
        (_, Value::Bytes(value)) if is_secret(field.name) || value.len() > BYTES_MAX => {
            json!({ "sizeInBytes": value.len() })
        }
        (_, Value::Bytes(value)) => json!(STANDARD.encode(value)),
        (Kind::Array(element), Value::Array(items)) => {
            let mut shown: Vec<Json> =
                items.iter().take(ITEMS_MAX).map(|item| of_field(field, *element, item, version)).collect();
            if items.len() > ITEMS_MAX {
                shown.push(json!(format!("(and {} more)", items.len() - ITEMS_MAX)));
            }
            Json::Array(shown)
        }
        (Kind::Struct(inner), value) => of_struct(inner, value, version),
        (_, Value::Array(_) | Value::Struct(_)) => Json::Null,
    }
}

/// Credentials are in no journal.
pub fn is_secret(name: &str) -> bool {
    matches!(name, "AuthBytes" | "SaltedPassword" | "Salt" | "Hmac")
}
