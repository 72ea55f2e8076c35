//! Turns Kafka's own message definitions, as they lie in its clients jar, into our file of shapes.
//! Core: the bytes of a jar in, text out.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::{Map, Value};

use crate::Outcome;
use crate::schema::{Api, Field, Kind, Versions, plain_kind};

/// The text of `schemas.json` for a `kafka-clients` jar: one API a line, by key.
pub fn schemas_text(jar: &[u8]) -> Outcome<String> {
    let definitions = message_definitions(jar)?;
    let mut apis = BTreeMap::new();
    for request in &definitions {
        if request["type"] != "request" || request["validVersions"] == "none" {
            continue;
        }
        let response = definitions
            .iter()
            .find(|other| other["type"] == "response" && other["apiKey"] == request["apiKey"])
            .ok_or("a request without response")?;
        let api = api(request, response)?;
        apis.insert(api.key, api);
    }
    Ok(apis.values().map(|api| api.to_json().to_string() + "\n").collect())
}

fn api(request: &Value, response: &Value) -> Outcome<Api> {
    let text = |name: &str| request[name].as_str().unwrap_or_default();
    let name = text("name").strip_suffix("Request").ok_or("a request that is not called so")?;
    let mut versions = Versions::parse(text("validVersions"))?;
    let is_unstable = request["latestVersionUnstable"] == true;
    let unstable = is_unstable.then_some(versions.last);
    if is_unstable {
        versions.last -= 1;
    }
    Ok(Api {
        name: name.to_owned(),
        key: request["apiKey"].as_i64().and_then(|key| i16::try_from(key).ok()).ok_or("no API key")?,
        versions,
        unstable,
        flexible: Versions::parse(text("flexibleVersions"))?,
        request: message_fields(request)?,
        response: message_fields(response)?,
    })
}

fn message_fields(message: &Value) -> Outcome<Vec<Field>> {
    let mut common = Map::new();
    for part in message["commonStructs"].as_array().into_iter().flatten() {
        common.insert(part["name"].as_str().unwrap_or_default().to_owned(), part["fields"].clone());
    }
    fields(&message["fields"], &common)
}

fn fields(list: &Value, common: &Map<String, Value>) -> Outcome<Vec<Field>> {
    list.as_array().into_iter().flatten().map(|value| field(value, common)).collect()
}

fn field(value: &Value, common: &Map<String, Value>) -> Outcome<Field> {
    let name = value["name"].as_str().ok_or("a field without name")?;
    let type_name = value["type"].as_str().ok_or("a field without type")?;
    if value["flexibleVersions"].is_string() {
        return Err(format!("{name} has flexible versions of its own, which the codec does not know"));
    }
    let (is_list, type_name) = type_name.strip_prefix("[]").map_or((false, type_name), |inner| (true, inner));
    let kind = match plain_kind(type_name) {
        Some(kind) => kind,
        None => Kind::Struct(fields(common.get(type_name).unwrap_or(&value["fields"]), common)?),
    };
    let span = |key: &str| match value[key].as_str() {
        Some(text) => Versions::parse(text),
        None => Ok(Versions::NONE),
    };
    let tag = value["tag"].as_u64().and_then(|tag| u32::try_from(tag).ok());
    Ok(Field {
        name: lower_first(name),
        default: default_value(&value["default"], &kind, is_list)?,
        kind,
        is_list,
        versions: span("versions")?,
        nullable: span("nullableVersions")?,
        tag: tag.map(|tag| Ok::<_, String>((tag, span("taggedVersions")?))).transpose()?,
    })
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn default_value(written: &Value, kind: &Kind, is_list: bool) -> Outcome<Value> {
    let text = match written {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    Ok(match (text.as_str(), kind) {
        ("null", _) => Value::Null,
        _ if is_list => Value::Array(Vec::new()),
        (_, Kind::Struct(_)) => Value::Object(Map::new()),
        (text, Kind::Bool) => Value::Bool(text == "true"),
        (text, Kind::String) => Value::String(text.to_owned()),
        ("", Kind::Bytes | Kind::Records) => Value::String(String::new()),
        ("", Kind::Uuid) => Value::String(crate::codec::ZERO_UUID.to_owned()),
        ("", _) => Value::from(0),
        (text, _) => {
            let number = match text.strip_prefix("0x") {
                Some(digits) => i64::from_str_radix(digits, 16),
                None => text.parse::<i64>(),
            };
            Value::from(number.map_err(|_| format!("`{text}` is no default"))?)
        }
    })
}

/// Every JSON file below `common/message/` of the jar, without its comments.
fn message_definitions(jar: &[u8]) -> Outcome<Vec<Value>> {
    let mut definitions = Vec::new();
    for (name, text) in json_entries(jar).ok_or("this file is no jar")? {
        let bare: String = text.lines().map(without_comment).flat_map(|line| [line, "\n"]).collect();
        definitions.push(serde_json::from_str(&bare).map_err(|error| format!("{name}: {error}"))?);
    }
    Ok(definitions)
}

fn without_comment(line: &str) -> &str {
    let mut in_text = false;
    let bytes = line.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'"' => in_text = !in_text,
            b'/' if !in_text && bytes.get(at + 1) == Some(&b'/') => return &line[..at],
            _ => {}
        }
    }
    line
}

/// Walks the central directory of the zip archive that a jar is.
fn json_entries(zip: &[u8]) -> Option<Vec<(String, String)>> {
    let number = |at: usize, count: usize| -> Option<usize> {
        let bytes = zip.get(at..at + count)?;
        Some(bytes.iter().rev().fold(0, |sum, &byte| (sum << 8) | usize::from(byte)))
    };
    let end = (0..zip.len().checked_sub(22)? + 1).rev().find(|&at| zip[at..].starts_with(b"PK\x05\x06"))?;
    let mut at = number(end + 16, 4)?;
    let mut entries = Vec::new();
    for _ in 0..number(end + 10, 2)? {
        let (name_length, extra_length, comment_length) =
            (number(at + 28, 2)?, number(at + 30, 2)?, number(at + 32, 2)?);
        let name = String::from_utf8_lossy(zip.get(at + 46..at + 46 + name_length)?).into_owned();
        if name.starts_with("common/message/") && name.ends_with(".json") {
            let (method, packed_length, local) =
                (number(at + 10, 2)?, number(at + 20, 4)?, number(at + 42, 4)?);
            let start = local + 30 + number(local + 26, 2)? + number(local + 28, 2)?;
            let packed = zip.get(start..start + packed_length)?;
            let mut text = String::new();
            if method == 0 {
                text.push_str(std::str::from_utf8(packed).ok()?);
            } else {
                flate2::read::DeflateDecoder::new(packed).read_to_string(&mut text).ok()?;
            }
            entries.push((name, text));
        }
        at += 46 + name_length + extra_length + comment_length;
    }
    Some(entries)
}
