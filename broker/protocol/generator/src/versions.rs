//! Writes the table of API keys and their version ranges.
//! Core: definitions in, Rust text out.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::schema::{Message, Versions};

/// Keys whose versions Kafka advertises only when a plugin is loaded (a telemetry receiver).
const ADVERTISED_WITH_PLUGIN: [i16; 2] = [71, 72];

/// Kafka advertises Produce from 0 although it serves 3 and later only (KAFKA-18659).
const PRODUCE: i16 = 0;

pub fn emit(clients: &[Message]) -> Result<String, String> {
    let requests: BTreeMap<i16, &Message> = clients
        .iter()
        .filter(|message| message.kind == "request")
        .filter_map(|message| Some((message.api_key?, message)))
        .collect();
    let mut out = String::from(
        "//! Apache Kafka's API keys and version ranges.\n\
         //! Core. Written by ottla-protocol-generator; never edited by hand.\n\n\
         use crate::versions::{ApiRow, VersionRange};\n\n\
         /// Every API key that Kafka has given out, the retired ones included.\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]\n\
         #[repr(i16)]\npub enum ApiKey {\n",
    );
    for (key, message) in &requests {
        let _ = writeln!(out, "{} = {key},", name(message));
    }
    out.push_str("}\n\n/// One row for each key; the index is the key.\npub(crate) static ROWS: [ApiRow; ");
    let _ = writeln!(out, "{}] = [", requests.len());
    for (at, (key, message)) in requests.iter().enumerate() {
        if at as i16 != *key {
            return Err(format!("the keys have a hole before {key}"));
        }
        out.push_str(&row(message));
    }
    out.push_str("];\n");
    Ok(out)
}

/// The API's name: that of its request or response without the last word.
pub fn name(message: &Message) -> &str {
    let name = &message.name;
    name.strip_suffix("Request").or_else(|| name.strip_suffix("Response")).unwrap_or(name)
}

/// The versions a released broker serves unasked: an unstable latest version is left out.
pub fn served(message: &Message) -> Versions {
    let mut versions = message.valid;
    if message.latest_version_unstable && !versions.is_empty() {
        versions.high -= 1;
    }
    versions
}

/// The versions that a broker advertises on a kind of listener.
pub fn advertised(message: &Message, listener: &str) -> Option<Versions> {
    let (served, key) = (served(message), message.api_key?);
    let is_advertised = message.listeners.iter().any(|name| name == listener)
        && !served.is_empty()
        && !ADVERTISED_WITH_PLUGIN.contains(&key);
    let low = if key == PRODUCE { 0 } else { served.low };
    is_advertised.then_some(Versions { low, high: served.high })
}

fn row(message: &Message) -> String {
    let listener = |listener: &str| range(advertised(message, listener));
    let flexible = if message.flexible.is_empty() {
        "None".to_owned()
    } else {
        format!("Some({})", message.flexible.low)
    };
    let unstable = match message.latest_version_unstable {
        true => format!("Some({})", message.valid.high),
        false => "None".to_owned(),
    };
    format!(
        "ApiRow {{ key: ApiKey::{name}, name: \"{name}\", broker: {}, controller: {}, decodable: {}, unstable: {unstable}, flexible_from: {flexible} }},\n",
        listener("broker"),
        listener("controller"),
        range((!message.valid.is_empty()).then_some(message.valid)),
        name = name(message),
    )
}

fn range(versions: Option<Versions>) -> String {
    match versions {
        Some(Versions { low, high }) => format!("Some(VersionRange {{ min: {low}, max: {high} }})"),
        None => "None".to_owned(),
    }
}
