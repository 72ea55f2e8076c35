//! The shape of every message of Kafka 4.3.1, in a layout of our own: one file that is read at run time.
//! Core: text in, shapes out.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use crate::Outcome;

/// An inclusive span of versions; empty when the first is above the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    pub first: i16,
    pub last: i16,
}

impl Versions {
    pub const NONE: Versions = Versions { first: 1, last: 0 };

    pub fn contains(self, version: i16) -> bool {
        (self.first..=self.last).contains(&version)
    }

    /// Reads `3`, `3-5`, `3+` and `none`, as Kafka writes them.
    pub fn parse(text: &str) -> Outcome<Self> {
        let number = |part: &str| part.parse::<i16>().map_err(|_| format!("`{text}` is no span of versions"));
        if text == "none" {
            Ok(Self::NONE)
        } else if let Some(first) = text.strip_suffix('+') {
            Ok(Self { first: number(first)?, last: i16::MAX })
        } else if let Some((first, last)) = text.split_once('-') {
            Ok(Self { first: number(first)?, last: number(last)? })
        } else {
            Ok(Self { first: number(text)?, last: number(text)? })
        }
    }

    fn text(self) -> String {
        match self {
            Self { first, last } if first > last => "none".to_owned(),
            Self { first, last: i16::MAX } => format!("{first}+"),
            Self { first, last } => format!("{first}-{last}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Float64,
    String,
    Uuid,
    Bytes,
    /// Bytes that hold record batches.
    Records,
    Struct(Vec<Field>),
}

/// The kinds without parts, by Kafka's name.
const PLAIN_KINDS: [(&str, Kind); 12] = [
    ("bool", Kind::Bool),
    ("int8", Kind::Int8),
    ("int16", Kind::Int16),
    ("uint16", Kind::Uint16),
    ("int32", Kind::Int32),
    ("uint32", Kind::Uint32),
    ("int64", Kind::Int64),
    ("float64", Kind::Float64),
    ("string", Kind::String),
    ("uuid", Kind::Uuid),
    ("bytes", Kind::Bytes),
    ("records", Kind::Records),
];

pub fn plain_kind(name: &str) -> Option<Kind> {
    PLAIN_KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| kind.clone())
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub kind: Kind,
    pub is_list: bool,
    pub versions: Versions,
    pub nullable: Versions,
    /// The tag and the versions in which the field travels under it.
    pub tag: Option<(u32, Versions)>,
    pub default: Value,
}

impl Field {
    pub fn tag_in(&self, version: i16) -> Option<u32> {
        self.tag.filter(|(_, versions)| versions.contains(version)).map(|(tag, _)| tag)
    }

    fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("name".into(), json!(self.name));
        let kind = PLAIN_KINDS.iter().find(|(_, kind)| *kind == self.kind).map_or("struct", |(name, _)| name);
        object.insert("type".into(), json!(format!("{}{kind}", if self.is_list { "[]" } else { "" })));
        object.insert("versions".into(), json!(self.versions.text()));
        if self.nullable != Versions::NONE {
            object.insert("nullable".into(), json!(self.nullable.text()));
        }
        if let Some((tag, versions)) = self.tag {
            object.insert("tag".into(), json!(tag));
            object.insert("tagged".into(), json!(versions.text()));
        }
        object.insert("default".into(), self.default.clone());
        if let Kind::Struct(fields) = &self.kind {
            object.insert("fields".into(), fields.iter().map(Self::to_json).collect());
        }
        Value::Object(object)
    }

    fn from_json(value: &Value) -> Outcome<Self> {
        let text = |name: &str| value[name].as_str().unwrap_or_default();
        let span = |name: &str| match value[name].as_str() {
            Some(text) => Versions::parse(text),
            None => Ok(Versions::NONE),
        };
        let (is_list, kind) =
            text("type").strip_prefix("[]").map_or((false, text("type")), |kind| (true, kind));
        let kind = match plain_kind(kind) {
            Some(kind) => kind,
            None => Kind::Struct(fields_from_json(&value["fields"])?),
        };
        let tag = value["tag"].as_u64().and_then(|tag| u32::try_from(tag).ok());
        Ok(Self {
            name: text("name").to_owned(),
            kind,
            is_list,
            versions: span("versions")?,
            nullable: span("nullable")?,
            tag: tag.map(|tag| Ok::<_, String>((tag, span("tagged")?))).transpose()?,
            default: value["default"].clone(),
        })
    }
}

fn fields_from_json(value: &Value) -> Outcome<Vec<Field>> {
    value.as_array().into_iter().flatten().map(Field::from_json).collect()
}

/// One API: both its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    pub name: String,
    pub key: i16,
    pub versions: Versions,
    /// The next one, which a broker serves only where it is told to.
    pub unstable: Option<i16>,
    pub flexible: Versions,
    pub request: Vec<Field>,
    pub response: Vec<Field>,
}

impl Api {
    pub fn to_json(&self) -> Value {
        let mut value = json!({
            "name": self.name,
            "key": self.key,
            "versions": self.versions.text(),
            "flexible": self.flexible.text(),
            "request": self.request.iter().map(Field::to_json).collect::<Vec<_>>(),
            "response": self.response.iter().map(Field::to_json).collect::<Vec<_>>(),
        });
        if let Some(version) = self.unstable {
            value["unstable"] = version.into();
        }
        value
    }

    fn from_json(value: &Value) -> Outcome<Self> {
        let text = |name: &str| value[name].as_str().unwrap_or_default();
        Ok(Self {
            name: text("name").to_owned(),
            key: value["key"].as_i64().and_then(|key| i16::try_from(key).ok()).ok_or("an API without key")?,
            versions: Versions::parse(text("versions"))?,
            unstable: value["unstable"].as_i64().and_then(|version| i16::try_from(version).ok()),
            flexible: Versions::parse(text("flexible"))?,
            request: fields_from_json(&value["request"])?,
            response: fields_from_json(&value["response"])?,
        })
    }

    /// The version whose layout a body takes when a script asks for one that does not exist.
    pub fn nearest_version(&self, version: i16) -> i16 {
        version.clamp(self.versions.first, self.unstable.unwrap_or(self.versions.last))
    }
}

/// Every API, by its name in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schemas(BTreeMap<String, Api>);

impl Schemas {
    /// The committed ones.
    pub fn kafka() -> &'static Schemas {
        static SCHEMAS: OnceLock<Schemas> = OnceLock::new();
        SCHEMAS.get_or_init(|| match Self::parse(include_str!("../schemas.json")) {
            Ok(schemas) => schemas,
            Err(error) => panic!("protocol-tests/schemas.json: {error}"),
        })
    }

    /// Reads one API a line.
    pub fn parse(text: &str) -> Outcome<Self> {
        let mut apis = BTreeMap::new();
        for line in text.lines() {
            let value = serde_json::from_str::<Value>(line).map_err(|error| error.to_string())?;
            let api = Api::from_json(&value)?;
            apis.insert(api.name.to_lowercase(), api);
        }
        Ok(Self(apis))
    }

    pub fn api(&self, name: &str) -> Outcome<&Api> {
        self.0.get(&name.to_lowercase()).ok_or_else(|| format!("no API is called {name}"))
    }

    pub fn by_key(&self, key: i16) -> Option<&Api> {
        self.0.values().find(|api| api.key == key)
    }

    pub fn all(&self) -> impl Iterator<Item = &Api> {
        self.0.values()
    }
}
