//! Writes a Rust type with its codec for a message, and the list of all request and response types.
//! Core: definitions in, Rust text out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::names::{pascal, snake};
use crate::schema::{Field, Message, Struct, Type, Versions};
use crate::versions::name;

/// The APIs whose 4.3.1 versions the kafka-protocol crate lacks: these types are ours.
const OURS: [&str; 15] = [
    "ListOffsets",
    "OffsetCommit",
    "OffsetFetch",
    "InitProducerId",
    "WriteTxnMarkers",
    "DescribeLogDirs",
    "BrokerHeartbeat",
    "ShareFetch",
    "ShareAcknowledge",
    "AddRaftVoter",
    "WriteShareGroupState",
    "ReadShareGroupStateSummary",
    "StreamsGroupHeartbeat",
    "StreamsGroupDescribe",
    "DescribeShareGroupOffsets",
];

pub const WRITTEN_BY: &str = "//! Core. Written by ottla-protocol-generator; never edited by hand.\n\n";

/// The `messages` folder: our own types, and a `mod.rs` that names every type of every API.
pub fn emit_messages(clients: &[Message]) -> Result<BTreeMap<String, String>, String> {
    let mut files = BTreeMap::new();
    let mut module = format!(
        "//! The request and response types of every API: the crate's, or ours where it has a gap.\n{WRITTEN_BY}"
    );
    let (mut ours, mut crates, mut pairs) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    for message in clients.iter().filter(|message| message.api_key.is_some() && !message.valid.is_empty()) {
        let api = message.name.strip_suffix("Response").unwrap_or(name(message));
        if OURS.contains(&api) {
            files.insert(format!("messages/{}.rs", snake(&message.name)), emit_file(message)?);
            ours.insert(message.name.clone());
        } else {
            crates.insert(message.name.clone());
        }
        pairs.insert(message.api_key, api);
    }
    for message in &ours {
        let _ = writeln!(module, "pub mod {};", snake(message));
    }
    module.push('\n');
    for message in &ours {
        let _ = writeln!(module, "pub use {}::{message};", snake(message));
    }
    for message in &crates {
        let _ =
            writeln!(module, "pub use kafka_protocol::messages::{}::{{self, {message}}};", snake(message));
    }
    let mut list = String::new();
    for api in pairs.values() {
        let _ = writeln!(list, "{api} {api}Request {api}Response;");
        let _ = writeln!(
            module,
            "impl crate::codec::Request for {api}Request {{ const API_KEY: crate::ApiKey = crate::ApiKey::{api}; type Response = {api}Response; }}"
        );
    }
    let _ = writeln!(
        module,
        "\n/// Calls the macro named `$each` with every API that has messages: `Name NameRequest NameResponse;`.\n\
         #[macro_export]\nmacro_rules! for_each_api {{ ($each:ident) => {{ $each! {{ {list} }} }}; }}"
    );
    files.insert("messages/mod.rs".to_owned(), module);
    Ok(files)
}

/// One file: the message and its inner structs.
pub fn emit_file(message: &Message) -> Result<String, String> {
    let mut body = String::new();
    for layout in &message.structs {
        emit_struct(message, layout, &mut body)?;
    }
    let article = if message.api_key.is_some() { "API" } else { "record" };
    let mut out =
        format!("//! Kafka's `{}`, {article} versions {}.\n{WRITTEN_BY}", message.name, show(message.valid));
    if body.contains("Self::default();") {
        out.push_str(
            "// Fields are read in the order of the wire, each under its own versions.\n#![allow(clippy::field_reassign_with_default)]\n\n",
        );
    }
    for (word, import) in [
        ("BTreeMap<", "use std::collections::BTreeMap;"),
        ("Bytes", "use bytes::{Bytes, BytesMut};"),
        ("StrBytes", "use kafka_protocol::protocol::StrBytes;"),
        ("Uuid", "use uuid::Uuid;"),
        ("", "use crate::codec::{Decode, DecodeError, Encode, EncodeError, Schema, wire};"),
    ] {
        if body.contains(word) {
            let _ = writeln!(out, "{import}");
        }
    }
    out.push_str(&body);
    Ok(out)
}

fn show(versions: Versions) -> String {
    if versions.low == versions.high {
        versions.low.to_string()
    } else {
        format!("{}-{}", versions.low, versions.high)
    }
}

/// What the emitters of one struct need to know about it.
struct Scope {
    /// The versions in which the struct can occur.
    versions: Versions,
    /// How many of its versions have tagged fields.
    flexible: Presence,
}

/// In which of the versions of a struct one of its fields is there.
#[derive(Clone, PartialEq)]
pub enum Presence {
    Always,
    Never,
    When(String),
}

impl Presence {
    pub fn of(part: Versions, whole: Versions) -> Presence {
        let part = part.intersect(whole);
        if part.is_empty() {
            Presence::Never
        } else if part == whole {
            Presence::Always
        } else if part.low == part.high {
            Presence::When(format!("version == {}", part.low))
        } else if part.high == whole.high {
            Presence::When(format!("version >= {}", part.low))
        } else if part.low == whole.low {
            Presence::When(format!("version <= {}", part.high))
        } else {
            Presence::When(format!("({}..={}).contains(&version)", part.low, part.high))
        }
    }

    /// As an argument.
    fn expression(&self) -> String {
        match self {
            Presence::Always => "true".to_owned(),
            Presence::Never => "false".to_owned(),
            Presence::When(condition) => condition.clone(),
        }
    }
}

fn emit_struct(message: &Message, layout: &Struct, out: &mut String) -> Result<(), String> {
    let versions = layout.versions.intersect(message.valid);
    let scope = Scope { versions, flexible: Presence::of(message.flexible, versions) };
    let type_name = pascal(&layout.name);
    let tags = !message.flexible.intersect(message.valid).is_empty();
    let fields: Vec<&Field> =
        layout.fields.iter().filter(|field| !field.versions.intersect(message.valid).is_empty()).collect();
    let mut defaults = String::new();
    let mut is_derivable = true;
    for field in &fields {
        let value = default_value(field, &scope)?;
        is_derivable &= !value.starts_with("Some(")
            && !value.contains("static_str")
            && (matches!(value.as_str(), "0" | "0f64" | "false" | "None") || value.ends_with("()"));
        let _ = writeln!(defaults, "{}: {value},", snake(&field.name));
    }
    let derive = if is_derivable { ", Default" } else { "" };
    let _ = writeln!(
        out,
        "\n/// Versions {}.\n#[derive(Clone, Debug{derive}, PartialEq)]\npub struct {type_name} {{",
        show(scope.versions)
    );
    for field in &fields {
        let about = if field.about.is_empty() { &field.name } else { &field.about };
        let versions = show(field.versions.intersect(scope.versions));
        let _ = writeln!(out, "/// {} (versions {versions})", doc(about));
        let _ = writeln!(out, "pub {}: {},", snake(&field.name), rust_type(field, &scope));
    }
    if tags {
        out.push_str("/// Tagged fields that this release does not know, kept as they came.\n");
        out.push_str("pub unknown_tagged_fields: BTreeMap<i32, Bytes>,\n");
        defaults.push_str("unknown_tagged_fields: BTreeMap::new(),\n");
    }
    out.push_str("}\n");
    if !is_derivable {
        let _ = writeln!(
            out,
            "\nimpl Default for {type_name} {{ fn default() -> Self {{ Self {{ {defaults} }} }} }}"
        );
    }
    let _ = writeln!(
        out,
        "\nimpl Schema for {type_name} {{ const NAME: &'static str = \"{}\"; \
         const LOWEST_VERSION: i16 = {}; const HIGHEST_VERSION: i16 = {}; }}",
        layout.name, scope.versions.low, scope.versions.high
    );
    emit_decode(&type_name, &fields, &scope, tags, out);
    emit_encode(&type_name, &fields, &scope, tags, out)
}

/// Text that rustdoc does not take for markup.
fn doc(about: &str) -> String {
    about.replace('<', "\\<").replace('[', "\\[")
}

fn nullable(field: &Field, scope: &Scope) -> Presence {
    Presence::of(field.nullable.intersect(field.versions), field.versions.intersect(scope.versions))
}

/// Whether the field's type is an `Option`, in a struct of these versions.
pub fn is_nullable(field: &Field, versions: Versions) -> bool {
    !field.nullable.intersect(field.versions).intersect(versions).is_empty()
}

fn rust_type(field: &Field, scope: &Scope) -> String {
    let plain = plain_type(&field.ty);
    if nullable(field, scope) == Presence::Never { plain } else { format!("Option<{plain}>") }
}

fn plain_type(ty: &Type) -> String {
    match ty {
        Type::Bool => "bool".to_owned(),
        Type::Int8 => "i8".to_owned(),
        Type::Int16 => "i16".to_owned(),
        Type::Uint16 => "u16".to_owned(),
        Type::Int32 => "i32".to_owned(),
        Type::Uint32 => "u32".to_owned(),
        Type::Int64 => "i64".to_owned(),
        Type::Float64 => "f64".to_owned(),
        Type::Uuid => "Uuid".to_owned(),
        Type::String => "StrBytes".to_owned(),
        Type::Bytes => "Bytes".to_owned(),
        Type::Array(element) => format!("Vec<{}>", plain_type(element)),
        Type::Struct(name) => pascal(name),
    }
}

fn default_value(field: &Field, scope: &Scope) -> Result<String, String> {
    let default = field.default.as_deref().unwrap_or("");
    let is_option = nullable(field, scope) != Presence::Never;
    if default == "null" {
        return if is_option { Ok("None".to_owned()) } else { Err(format!("{} has no null", field.name)) };
    }
    let plain = match &field.ty {
        Type::Bool => (default == "true").to_string(),
        Type::Float64 => format!("{}f64", if default.is_empty() { "0" } else { default }),
        Type::Uuid => "Uuid::nil()".to_owned(),
        Type::String if default.is_empty() => "StrBytes::new()".to_owned(),
        Type::String => format!("StrBytes::from_static_str({default:?})"),
        Type::Bytes => "Bytes::new()".to_owned(),
        Type::Array(_) => "Vec::new()".to_owned(),
        Type::Struct(name) => format!("{}::default()", pascal(name)),
        _ => number(default)?,
    };
    Ok(if is_option { format!("Some({plain})") } else { plain })
}

fn number(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok("0".to_owned());
    }
    let value = match text.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).map_err(|error| error.to_string())?,
        None => text.parse().map_err(|_| format!("{text:?} is no number"))?,
    };
    Ok(value.to_string())
}

/// A condition that holds when the field differs from its default.
fn differs(field: &Field, scope: &Scope) -> Result<String, String> {
    let place = format!("self.{}", snake(&field.name));
    let default = default_value(field, scope)?;
    Ok(match (default.as_str(), &field.ty) {
        ("None", _) => format!("{place}.is_some()"),
        ("false", _) => place,
        ("true", _) => format!("!{place}"),
        ("Uuid::nil()", _) => format!("!{place}.is_nil()"),
        ("StrBytes::new()" | "Bytes::new()" | "Vec::new()", _) => format!("!{place}.is_empty()"),
        (some, Type::String | Type::Bytes | Type::Array(_))
            if some.starts_with("Some(") && some.contains("::new()") =>
        {
            format!("{place}.as_ref().is_none_or(|value| !value.is_empty())")
        }
        _ => format!("{place} != {default}"),
    })
}

fn emit_decode(type_name: &str, fields: &[&Field], scope: &Scope, tags: bool, out: &mut String) {
    let _ = writeln!(
        out,
        "\nimpl Decode for {type_name} {{ fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {{\n\
         wire::check_version::<Self>(version)?;\nlet mut value = Self::default();"
    );
    for field in fields {
        let read = format!("value.{} = {};", snake(&field.name), read(field, scope));
        match Presence::of(field.in_place(), scope.versions) {
            Presence::Always => out.push_str(&format!("{read}\n")),
            Presence::Never => {}
            Presence::When(condition) => out.push_str(&format!("if {condition} {{ {read} }}\n")),
        }
    }
    if tags && scope.flexible != Presence::Never {
        let mut arms = String::new();
        for field in fields {
            let read = format!("value.{} = {};", snake(&field.name), read(field, scope));
            match Presence::of(field.in_tags(), scope.versions) {
                Presence::Never => {}
                Presence::Always => {
                    let _ = writeln!(arms, "{} => {{ {read} }}", field.tag);
                }
                Presence::When(condition) => {
                    let _ = writeln!(arms, "{} if {condition} => {{ {read} }}", field.tag);
                    let _ = writeln!(arms, "{} => return Err(DecodeError::TagNotInVersion(tag)),", field.tag);
                }
            }
        }
        let walk = if arms.is_empty() {
            "wire::get_unknown_tags(buf, &mut value.unknown_tagged_fields)?;".to_owned()
        } else {
            format!(
                "wire::get_tags(buf, &mut value.unknown_tagged_fields, |tag, buf| {{ match tag {{ {arms} _ => return Ok(false), }} Ok(true) }})?;"
            )
        };
        match &scope.flexible {
            Presence::When(condition) => out.push_str(&format!("if {condition} {{ {walk} }}\n")),
            _ => out.push_str(&walk),
        }
    }
    out.push_str("Ok(value) } }\n");
}

fn read(field: &Field, scope: &Scope) -> String {
    let compact = scope.flexible.expression();
    let null = nullable(field, scope);
    if null == Presence::Never {
        return read_plain(&field.ty, &compact);
    }
    let null = null.expression();
    match &field.ty {
        Type::String => format!("wire::get_nullable_string(buf, {compact}, {null})?"),
        Type::Bytes => format!("wire::get_nullable_bytes(buf, {compact}, {null})?"),
        Type::Array(element) => {
            format!("wire::get_nullable_array(buf, {compact}, {null}, {})?", reader(element, &compact))
        }
        other => format!("wire::get_optional(buf, {null}, {})?", reader(other, &compact)),
    }
}

fn read_plain(ty: &Type, compact: &str) -> String {
    match ty {
        Type::String => format!("wire::get_string(buf, {compact})?"),
        Type::Bytes => format!("wire::get_bytes(buf, {compact})?"),
        Type::Array(element) => format!("wire::get_array(buf, {compact}, {})?", reader(element, compact)),
        Type::Struct(name) => format!("{}::decode(buf, version)?", pascal(name)),
        fixed => format!("wire::get_{}(buf)?", plain_type(fixed).to_lowercase()),
    }
}

/// A function that reads one element.
fn reader(ty: &Type, compact: &str) -> String {
    match ty {
        Type::Struct(_) | Type::String | Type::Bytes | Type::Array(_) => {
            format!("|buf| {}", read_plain(ty, compact).trim_end_matches('?'))
        }
        fixed => format!("wire::get_{}", plain_type(fixed).to_lowercase()),
    }
}

fn emit_encode(
    type_name: &str,
    fields: &[&Field],
    scope: &Scope,
    tags: bool,
    out: &mut String,
) -> Result<(), String> {
    let _ = writeln!(
        out,
        "\nimpl Encode for {type_name} {{ fn encode(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {{\n\
         wire::check_version_to_encode::<Self>(version)?;"
    );
    for field in fields {
        let write = write(field, scope);
        match Presence::of(field.in_place(), scope.versions) {
            Presence::Always => out.push_str(&write),
            Presence::Never => {}
            Presence::When(condition) => {
                let _ = write!(out, "if {condition} {{ {write} }}");
                // A tagged field takes over in later versions and checks for itself.
                if !field.ignorable && field.tagged.is_empty() {
                    let _ = write!(out, "else if {} {{ {} }}", differs(field, scope)?, refusal(field));
                }
                out.push('\n');
            }
        }
    }
    if tags {
        emit_encode_tags(fields, scope, out)?;
    }
    out.push_str("Ok(()) } }\n");
    Ok(())
}

fn emit_encode_tags(fields: &[&Field], scope: &Scope, out: &mut String) -> Result<(), String> {
    let (mut writes, mut refusals) = (String::new(), String::new());
    for field in fields {
        let differs = differs(field, scope)?;
        let write = write(field, scope);
        let put = format!("tags.put({}, |buf| {{ {write} Ok(()) }})?;", field.tag);
        let presence = Presence::of(field.in_tags(), scope.versions);
        let refuses = !field.ignorable && field.in_place().intersect(scope.versions).is_empty();
        if presence != Presence::Never && refuses {
            let _ = write!(refusals, "if {differs} {{ {} }}", refusal(field));
        }
        let _ = match presence {
            Presence::Never => Ok(()),
            Presence::Always => write!(writes, "if {differs} {{ {put} }}"),
            Presence::When(condition) if refuses => {
                write!(writes, "if {differs} {{ if {condition} {{ {put} }} else {{ {} }} }}", refusal(field))
            }
            Presence::When(condition) => write!(writes, "if {condition} && {differs} {{ {put} }}"),
        };
    }
    let finish = if writes.is_empty() {
        "wire::put_unknown_tags(buf, &self.unknown_tagged_fields)?;".to_owned()
    } else {
        format!(
            "let mut tags = wire::Tags::default(); {writes} tags.finish(buf, &self.unknown_tagged_fields)?;"
        )
    };
    match &scope.flexible {
        Presence::Always => out.push_str(&finish),
        Presence::Never => {}
        Presence::When(condition) => {
            let _ = write!(out, "if {condition} {{ {finish} }}");
            if !refusals.is_empty() {
                let _ = write!(out, "else {{ {refusals} }}");
            }
            out.push('\n');
        }
    }
    Ok(())
}

fn refusal(field: &Field) -> String {
    format!("return Err(EncodeError::FieldNotInVersion {{ field: \"{}\", version }});", field.name)
}

fn write(field: &Field, scope: &Scope) -> String {
    let compact = scope.flexible.expression();
    let place = format!("self.{}", snake(&field.name));
    let null = nullable(field, scope);
    if null == Presence::Never {
        return write_plain(&field.ty, &place, false, &compact);
    }
    let null = null.expression();
    match &field.ty {
        Type::String => format!("wire::put_nullable_string(buf, {compact}, {null}, {place}.as_ref())?;"),
        Type::Bytes => format!("wire::put_nullable_bytes(buf, {compact}, {null}, {place}.as_ref())?;"),
        Type::Array(element) => format!(
            "wire::put_nullable_array(buf, {compact}, {null}, {place}.as_deref(), {})?;",
            writer(element, &compact)
        ),
        other => format!("wire::put_optional(buf, {null}, {place}.as_ref(), {})?;", writer(other, &compact)),
    }
}

fn write_plain(ty: &Type, place: &str, is_reference: bool, compact: &str) -> String {
    let reference = if is_reference { place.to_owned() } else { format!("&{place}") };
    match ty {
        Type::String => format!("wire::put_string(buf, {compact}, {reference})?;"),
        Type::Bytes => format!("wire::put_bytes(buf, {compact}, {reference})?;"),
        Type::Array(element) => {
            format!("wire::put_array(buf, {compact}, {reference}, {})?;", writer(element, compact))
        }
        Type::Struct(_) => format!("{place}.encode(buf, version)?;"),
        fixed => {
            let value = if is_reference { format!("*{place}") } else { place.to_owned() };
            format!("wire::put_{}(buf, {value});", plain_type(fixed).to_lowercase())
        }
    }
}

/// A function that writes one element.
fn writer(ty: &Type, compact: &str) -> String {
    match ty {
        Type::Struct(_) => "|buf, item| item.encode(buf, version)".to_owned(),
        Type::String | Type::Bytes | Type::Array(_) => {
            format!("|buf, item| {}", write_plain(ty, "item", true, compact).trim_end_matches("?;"))
        }
        _ => format!("|buf, item| {{ {} Ok(()) }}", write_plain(ty, "item", true, compact)),
    }
}
