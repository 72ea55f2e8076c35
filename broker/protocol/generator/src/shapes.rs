//! Writes the table of what each message holds: names, types, versions, defaults.
//! Core: definitions in, Rust text out.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::names::snake;
use crate::schema::{Field, Message, Struct, Type, Versions};
use crate::types::WRITTEN_BY;
use crate::versions::name;

pub fn emit(clients: &[Message]) -> Result<String, String> {
    let mut structs = BTreeMap::new();
    let mut tables = String::new();
    for (kind, table) in [("request", "REQUESTS"), ("response", "RESPONSES")] {
        let mut messages: Vec<&Message> =
            clients.iter().filter(|message| message.kind == kind && !message.valid.is_empty()).collect();
        messages.sort_by_key(|message| message.api_key);
        let _ = writeln!(tables, "\n/// One row for each API that has a {kind}, by key.");
        let _ = writeln!(tables, "pub(crate) static {table}: [Message; {}] = [", messages.len());
        for message in messages {
            let versions = message.valid;
            let root = structs_of(message, &mut structs)?;
            let _ = writeln!(
                tables,
                "Message {{ key: ApiKey::{}, versions: {}, flexible: {}, root: &{root} }},",
                name(message),
                range(versions),
                range(message.flexible.intersect(versions))
            );
        }
        tables.push_str("];\n");
    }
    let mut out = format!(
        "//! What every request and response holds: fields, types, versions, defaults.\n{WRITTEN_BY}\
         use crate::api_key::ApiKey;\nuse crate::shape::{{Entity, Kind, MAX, Message, NONE, Struct, field}};\n"
    );
    out.push_str(&tables);
    for (static_name, text) in structs {
        let _ = writeln!(out, "\nstatic {static_name}: Struct = Struct {{ fields: &[\n{text}] }};");
    }
    Ok(out)
}

/// Adds the structs of a message; the name of its own.
fn structs_of(message: &Message, structs: &mut BTreeMap<String, String>) -> Result<String, String> {
    for inner in &message.structs {
        structs.insert(static_name(message, inner), fields(message, inner)?);
    }
    Ok(static_name(message, &message.structs[0]))
}

fn static_name(message: &Message, inner: &Struct) -> String {
    match inner.name == message.name {
        true => snake(&message.name).to_uppercase(),
        false => format!("{}_{}", snake(&message.name), snake(&inner.name)).to_uppercase(),
    }
}

fn fields(message: &Message, inner: &Struct) -> Result<String, String> {
    let mut out = String::new();
    for field in &inner.fields {
        let mut text = format!(
            "field({:?}, {}, {})",
            field.name,
            kind(message, &field.ty)?,
            range(field.versions.intersect(message.valid))
        );
        if !field.nullable.is_empty() {
            let _ = write!(text, ".nullable({})", range(field.nullable));
        }
        if !field.tagged.is_empty() {
            let _ = write!(text, ".tagged({}, {})", field.tag, range(field.tagged));
        }
        if let Some(default) = &field.default {
            let _ = write!(text, ".default({default:?})");
        }
        if let Some(entity) = entity(field) {
            let _ = write!(text, ".entity(Entity::{entity})");
        }
        let _ = writeln!(out, "{text},");
    }
    Ok(out)
}

fn entity(field: &Field) -> Option<&'static str> {
    match field.entity.as_deref()? {
        "topicName" => Some("Topic"),
        "groupId" => Some("Group"),
        "transactionalId" => Some("TransactionalId"),
        "brokerId" => Some("Broker"),
        "producerId" => Some("Producer"),
        _other => None,
    }
}

fn kind(message: &Message, ty: &Type) -> Result<String, String> {
    Ok(match ty {
        Type::Bool => "Kind::Bool".to_owned(),
        Type::Int8 => "Kind::Int8".to_owned(),
        Type::Int16 => "Kind::Int16".to_owned(),
        Type::Uint16 => "Kind::Uint16".to_owned(),
        Type::Int32 => "Kind::Int32".to_owned(),
        Type::Uint32 => "Kind::Uint32".to_owned(),
        Type::Int64 => "Kind::Int64".to_owned(),
        Type::Float64 => "Kind::Float64".to_owned(),
        Type::Uuid => "Kind::Uuid".to_owned(),
        Type::String => "Kind::Text".to_owned(),
        Type::Bytes => "Kind::Bytes".to_owned(),
        Type::Array(element) => format!("Kind::Array(&{})", kind(message, element)?),
        Type::Struct(inner) => format!("Kind::Struct(&{})", static_name(message, message.inner(inner)?)),
    })
}

fn range(versions: Versions) -> String {
    match versions {
        _ if versions.is_empty() => "NONE".to_owned(),
        Versions { low, high: i16::MAX } => format!("({low}, MAX)"),
        Versions { low, high } => format!("({low}, {high})"),
    }
}
