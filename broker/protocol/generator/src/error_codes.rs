//! Writes where each response carries its error codes.
//! Core: definitions in, Rust text out.

use std::fmt::Write;

use crate::names::snake;
use crate::schema::{Field, Message, Struct, Type, Versions};
use crate::types::{Presence, WRITTEN_BY, is_nullable};

/// The fields whose value Kafka's `errorCounts` count. Others say more about a success: why a topic's
/// configs are left out (TopicConfigErrorCode), what became of an acknowledgement (AcknowledgeErrorCode).
const COUNTED: [&str; 2] = ["ErrorCode", "PartitionErrorCode"];

pub fn emit(clients: &[Message]) -> Result<String, String> {
    let mut out = format!(
        "//! Where the error codes of every response are.\n{WRITTEN_BY}use crate::error_codes::ErrorCodes;\nuse crate::messages::*;\n"
    );
    for message in clients.iter().filter(|message| message.kind == "response" && !message.valid.is_empty()) {
        let mut body = String::new();
        walk(message, &message.structs[0], message.valid, "self", &mut body)?;
        let version = if body.contains("version") { "version" } else { "_version" };
        let each = if body.is_empty() { "_each" } else { "each" };
        let _ = writeln!(
            out,
            "\nimpl ErrorCodes for {} {{ fn error_codes(&self, {version}: i16, {each}: &mut impl FnMut(i16)) {{ {body} }} }}",
            message.name
        );
    }
    Ok(out)
}

/// The codes of one struct at `place`, then those of the structs within it.
fn walk(
    message: &Message,
    layout: &Struct,
    versions: Versions,
    place: &str,
    out: &mut String,
) -> Result<(), String> {
    let versions = versions.intersect(layout.versions);
    for field in &layout.fields {
        let at = format!("{place}.{}", snake(&field.name));
        if field.ty == Type::Int16 && COUNTED.contains(&field.name.as_str()) {
            match Presence::of(field.versions, versions) {
                Presence::Always => out.push_str(&format!("each({at});")),
                Presence::When(condition) => out.push_str(&format!("if {condition} {{ each({at}); }}")),
                Presence::Never => {}
            }
        } else if let Some(inner) = field.ty.struct_name() {
            walk_inner(message, field, inner, versions, &at, out)?;
        }
    }
    Ok(())
}

/// The codes of the elements of a list, or of a struct that may be null.
fn walk_inner(
    message: &Message,
    field: &Field,
    inner: &str,
    versions: Versions,
    at: &str,
    out: &mut String,
) -> Result<(), String> {
    let name = snake(inner);
    let is_nullable = is_nullable(field, versions);
    let is_list = matches!(field.ty, Type::Array(_));
    let place = if is_list || is_nullable { &name } else { at };
    let mut body = String::new();
    walk(message, message.inner(inner)?, versions.intersect(field.versions), place, &mut body)?;
    if body.is_empty() {
        return Ok(());
    }
    match (is_list, is_nullable) {
        (true, false) => out.push_str(&format!("for {name} in &{at} {{ {body} }}")),
        (true, true) => out.push_str(&format!("for {name} in {at}.iter().flatten() {{ {body} }}")),
        (false, true) => out.push_str(&format!("if let Some({name}) = &{at} {{ {body} }}")),
        (false, false) => out.push_str(&body),
    }
    Ok(())
}
