//! Kafka's message definitions as data: versions, fields, types.
//! Core: text in, values out.

use serde_json::Value;

/// An inclusive range of versions; empty when `low > high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    pub low: i16,
    pub high: i16,
}

impl Versions {
    pub const NONE: Versions = Versions { low: 1, high: 0 };

    /// Reads `3`, `0-2`, `1+` or `none`.
    pub fn parse(text: &str) -> Result<Versions, String> {
        let number = |part: &str| part.trim().parse::<i16>().map_err(|_| format!("bad versions {text:?}"));
        if text == "none" {
            Ok(Versions::NONE)
        } else if let Some(low) = text.strip_suffix('+') {
            Ok(Versions { low: number(low)?, high: i16::MAX })
        } else if let Some((low, high)) = text.split_once('-') {
            Ok(Versions { low: number(low)?, high: number(high)? })
        } else {
            Ok(Versions { low: number(text)?, high: number(text)? })
        }
    }

    pub fn is_empty(self) -> bool {
        self.low > self.high
    }

    pub fn contains(self, version: i16) -> bool {
        self.low <= version && version <= self.high
    }

    pub fn intersect(self, other: Versions) -> Versions {
        let both = Versions { low: self.low.max(other.low), high: self.high.min(other.high) };
        if both.is_empty() { Versions::NONE } else { both }
    }
}

/// The type of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Float64,
    Uuid,
    String,
    /// `bytes` and `records`: both are a length and opaque bytes.
    Bytes,
    Array(Box<Type>),
    Struct(String),
}

impl Type {
    fn parse(text: &str) -> Type {
        match text {
            "bool" => Type::Bool,
            "int8" => Type::Int8,
            "int16" => Type::Int16,
            "uint16" => Type::Uint16,
            "int32" => Type::Int32,
            "uint32" => Type::Uint32,
            "int64" => Type::Int64,
            "float64" => Type::Float64,
            "uuid" => Type::Uuid,
            "string" => Type::String,
            "bytes" | "records" => Type::Bytes,
            other => match other.strip_prefix("[]") {
                Some(element) => Type::Array(Box::new(Type::parse(element))),
                None => Type::Struct(other.to_owned()),
            },
        }
    }

    /// Bytes on the wire, where that does not depend on the value.
    pub fn fixed_size(&self) -> Option<u32> {
        match self {
            Type::Bool | Type::Int8 => Some(1),
            Type::Int16 | Type::Uint16 => Some(2),
            Type::Int32 | Type::Uint32 => Some(4),
            Type::Int64 | Type::Float64 => Some(8),
            Type::Uuid => Some(16),
            _ => None,
        }
    }

    /// The struct at the bottom of this type, if any.
    pub fn struct_name(&self) -> Option<&str> {
        match self {
            Type::Struct(name) => Some(name),
            Type::Array(element) => element.struct_name(),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Field {
    /// The name in the definition, used in errors.
    pub name: String,
    pub ty: Type,
    pub versions: Versions,
    pub nullable: Versions,
    pub tagged: Versions,
    pub tag: u32,
    pub default: Option<String>,
    pub ignorable: bool,
    pub about: String,
    /// What the value names (`topicName`, `groupId`).
    pub entity: Option<String>,
}

impl Field {
    /// The versions in which the field stands at its place, not among the tags.
    pub fn in_place(&self) -> Versions {
        if self.tagged.is_empty() {
            self.versions
        } else {
            self.versions.intersect(Versions { low: 0, high: self.tagged.low - 1 })
        }
    }

    pub fn in_tags(&self) -> Versions {
        self.versions.intersect(self.tagged)
    }
}

#[derive(Clone, Debug)]
pub struct Struct {
    pub name: String,
    pub versions: Versions,
    pub fields: Vec<Field>,
}

#[derive(Clone, Debug)]
pub struct Message {
    pub name: String,
    pub kind: String,
    pub api_key: Option<i16>,
    pub valid: Versions,
    pub flexible: Versions,
    pub listeners: Vec<String>,
    pub latest_version_unstable: bool,
    /// The message itself first, then its inner structs in the order of their first mention.
    pub structs: Vec<Struct>,
}

impl Message {
    pub fn parse(text: &str) -> Result<Message, String> {
        // Kafka's own reader stops after the object, and one definition of a release goes on.
        let text = without_comments(text);
        let first = serde_json::Deserializer::from_str(&text).into_iter().next();
        let json: Value = first.ok_or("nothing is defined")?.map_err(|error| error.to_string())?;
        let name = string(&json, "name")?;
        let valid = Versions::parse(&string(&json, "validVersions")?)?;
        let mut structs = Vec::new();
        collect(&name, valid, &json, valid, &mut structs)?;
        for common in json["commonStructs"].as_array().into_iter().flatten() {
            let versions = Versions::parse(&string(common, "versions")?)?.intersect(valid);
            collect(&string(common, "name")?, versions, common, valid, &mut structs)?;
        }
        Ok(Message {
            name,
            kind: string(&json, "type")?,
            api_key: json["apiKey"].as_i64().and_then(|key| i16::try_from(key).ok()),
            valid,
            flexible: json["flexibleVersions"].as_str().map_or(Ok(Versions::NONE), Versions::parse)?,
            listeners: json["listeners"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|listener| listener.as_str().map(str::to_owned))
                .collect(),
            latest_version_unstable: json["latestVersionUnstable"].as_bool().unwrap_or(false),
            structs,
        })
    }

    pub fn inner(&self, name: &str) -> Result<&Struct, String> {
        self.structs
            .iter()
            .find(|inner| inner.name == name)
            .ok_or_else(|| format!("{} mentions the unknown struct {name}", self.name))
    }
}

fn collect(
    name: &str,
    versions: Versions,
    json: &Value,
    valid: Versions,
    structs: &mut Vec<Struct>,
) -> Result<(), String> {
    let at = structs.len();
    structs.push(Struct { name: name.to_owned(), versions, fields: Vec::new() });
    let mut fields = Vec::new();
    for json in json["fields"].as_array().into_iter().flatten() {
        let field = parse_field(json)?;
        if json.get("fields").is_some() {
            let inner = field.ty.struct_name().ok_or_else(|| format!("{} has fields", field.name))?;
            collect(inner, field.versions.intersect(valid), json, valid, structs)?;
        }
        fields.push(field);
    }
    structs[at].fields = fields;
    Ok(())
}

fn parse_field(json: &Value) -> Result<Field, String> {
    let versions = |key: &str| json[key].as_str().map_or(Ok(Versions::NONE), Versions::parse);
    let tagged = versions("taggedVersions")?;
    Ok(Field {
        name: string(json, "name")?,
        ty: Type::parse(&string(json, "type")?),
        versions: match json["versions"].as_str() {
            Some(text) => Versions::parse(text)?,
            None => tagged,
        },
        nullable: versions("nullableVersions")?,
        tagged,
        tag: json["tag"].as_u64().unwrap_or(0) as u32,
        default: match &json["default"] {
            // A bare `null` is no default to Kafka's own generator; only the text "null" is.
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        },
        ignorable: json["ignorable"].as_bool().unwrap_or(false),
        about: json["about"].as_str().unwrap_or("").split_whitespace().collect::<Vec<_>>().join(" "),
        entity: json["entityType"].as_str().map(str::to_owned),
    })
}

fn string(json: &Value, key: &str) -> Result<String, String> {
    json[key].as_str().map(str::to_owned).ok_or_else(|| format!("{key} is missing"))
}

/// Kafka's definitions are JSON with `//` comments; none of their strings spans lines.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let (mut in_string, mut escaped, mut end) = (false, false, line.len());
        for (at, byte) in line.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_string => escaped = true,
                b'"' => in_string = !in_string,
                b'/' if !in_string && line[at..].starts_with("//") => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        out.push_str(&line[..end]);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_in_every_notation() {
        assert_eq!(Versions::parse("3"), Ok(Versions { low: 3, high: 3 }));
        assert_eq!(Versions::parse("0-2"), Ok(Versions { low: 0, high: 2 }));
        assert_eq!(Versions::parse("1+"), Ok(Versions { low: 1, high: i16::MAX }));
        assert_eq!(Versions::parse("none"), Ok(Versions::NONE));
        assert!(Versions::parse("x").is_err());
    }

    #[test]
    fn comments_go_and_slashes_in_strings_stay() {
        assert_eq!(without_comments("{ // a\n\"b\": \"http://c\" // d\n}"), "{ \n\"b\": \"http://c\" \n}\n");
    }

    #[test]
    fn inner_structs_are_collected_with_their_versions() {
        let message = Message::parse(
            r#"{ "apiKey": 1, "type": "request", "name": "A", "validVersions": "0-4", "flexibleVersions": "3+",
                 "fields": [ { "name": "Bs", "type": "[]B", "versions": "2+", "fields": [
                     { "name": "C", "type": "int32", "versions": "2+", "default": -1 } ] } ] }"#,
        )
        .unwrap_or_else(|error| panic!("{error}"));
        let inner = message.inner("B").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(inner.versions, Versions { low: 2, high: 4 });
        assert_eq!(inner.fields[0].default.as_deref(), Some("-1"));
    }
}
