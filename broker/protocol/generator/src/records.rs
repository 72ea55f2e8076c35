//! Writes the record schemas: metadata log, coordinator topics, control records, small files.
//! Core: definitions in, Rust text out.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::jars::Definitions;
use crate::names::snake;
use crate::schema::Message;
use crate::types::{WRITTEN_BY, emit_file};

pub fn emit(definitions: &Definitions) -> Result<BTreeMap<String, String>, String> {
    let mut files = BTreeMap::new();
    let data: Vec<&Message> = definitions.clients.iter().filter(|message| message.kind == "data").collect();
    let metadata: Vec<&Message> = definitions.metadata.iter().collect();
    let remote: Vec<&Message> =
        definitions.storage.iter().filter(|message| message.kind == "metadata").collect();
    let small_files: Vec<&Message> = definitions
        .storage
        .iter()
        .chain(&definitions.raft)
        .filter(|message| message.kind == "data")
        .collect();
    folder(
        "control",
        "Control records of the log and the embedded protocols of the clients",
        &data,
        "",
        &mut files,
    )?;
    folder("files", "Small files beside the log", &small_files, "", &mut files)?;
    folder(
        "metadata",
        "Records of the cluster metadata log",
        &metadata,
        &api_enum("MetadataRecord", "A record of the cluster metadata log.", "Record", &metadata),
        &mut files,
    )?;
    folder(
        "remote_storage",
        "Records of the remote log metadata topic",
        &remote,
        &api_enum("RemoteStorageRecord", "A record of the remote log metadata topic.", "Record", &remote),
        &mut files,
    )?;
    for (name, word, about, messages) in [
        ("group", "Group", "`__consumer_offsets`", &definitions.group),
        ("transaction", "Transaction", "`__transaction_state`", &definitions.transaction),
        ("share", "Share", "`__share_group_state`", &definitions.share),
    ] {
        let of_kind = |kind: &str| messages.iter().filter(|message| message.kind == kind).collect::<Vec<_>>();
        let (keys, values) = (of_kind("coordinator-key"), of_kind("coordinator-value"));
        let enums =
            api_enum(&format!("{word}Key"), &format!("The key of a record in {about}."), "Key", &keys)
                + &api_enum(
                    &format!("{word}Value"),
                    &format!("The value of a record in {about}."),
                    "Value",
                    &values,
                );
        folder(
            name,
            &format!("Records of {about}"),
            &messages.iter().collect::<Vec<_>>(),
            &enums,
            &mut files,
        )?;
    }
    files.insert(
        "records/mod.rs".to_owned(),
        format!(
            "//! Kafka's record schemas.\n{WRITTEN_BY}pub mod control;\npub mod files;\npub mod group;\npub mod metadata;\n\
             pub mod remote_storage;\npub mod share;\npub mod transaction;\n"
        ),
    );
    Ok(files)
}

fn folder(
    name: &str,
    about: &str,
    messages: &[&Message],
    enums: &str,
    files: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    let mut module = format!("//! {about}.\n{WRITTEN_BY}");
    if !enums.is_empty() {
        module.push_str("use bytes::{Bytes, BytesMut};\n\nuse crate::codec::{Decode, DecodeError, Encode, EncodeError, RecordSet, Schema};\n\n");
    }
    for message in messages {
        let _ = writeln!(module, "pub mod {};", snake(&message.name));
        files.insert(format!("records/{name}/{}.rs", snake(&message.name)), emit_file(message)?);
    }
    module.push('\n');
    for message in messages {
        let _ = writeln!(module, "pub use {}::{};", snake(&message.name), message.name);
    }
    module.push_str(enums);
    files.insert(format!("records/{name}/mod.rs"), module);
    Ok(())
}

/// An enum over messages that are told apart by their API key, with the codec of the choice.
fn api_enum(name: &str, about: &str, suffix: &str, messages: &[&Message]) -> String {
    let mut messages: Vec<(i16, &Message)> =
        messages.iter().filter_map(|message| Some((message.api_key?, *message))).collect();
    messages.sort_by_key(|(key, _)| *key);
    let arm = |write: &dyn Fn(i16, &str, &str) -> String| {
        messages
            .iter()
            .map(|(key, message)| {
                write(*key, message.name.strip_suffix(suffix).unwrap_or(&message.name), &message.name)
            })
            .collect::<String>()
    };
    let mut out = format!(
        "\n/// {about}\n#[derive(Clone, Debug, PartialEq)]\n\
         #[allow(clippy::large_enum_variant)] // Records are read one at a time; none is kept in this shape.\npub enum {name} {{\n"
    );
    out.push_str(&arm(&|_, variant, message| format!("{variant}({message}),\n")));
    let _ = writeln!(out, "}}\n\nimpl RecordSet for {name} {{\nconst NAME: &'static str = \"{name}\";");
    let _ = writeln!(
        out,
        "fn api_key(&self) -> i16 {{ match self {{ {} }} }}",
        arm(&|key, variant, _| format!("Self::{variant}(_) => {key},\n"))
    );
    let _ = writeln!(
        out,
        "fn name(&self) -> &'static str {{ match self {{ {} }} }}",
        arm(&|_, variant, message| format!("Self::{variant}(_) => \"{message}\",\n"))
    );
    let _ = writeln!(
        out,
        "fn highest_version(&self) -> i16 {{ match self {{ {} }} }}",
        arm(&|_, variant, message| format!("Self::{variant}(_) => {message}::HIGHEST_VERSION,\n"))
    );
    let _ = writeln!(
        out,
        "fn encode_body(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {{ match self {{ {} }} }}",
        arm(&|_, variant, _| format!("Self::{variant}(record) => record.encode(buf, version),\n"))
    );
    let _ = writeln!(
        out,
        "fn decode_body(api_key: i16, buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {{ match api_key {{ {} _ => Err(DecodeError::UnknownRecord {{ set: Self::NAME, api_key }}), }} }}\n}}",
        arm(&|key, variant, message| format!(
            "{key} => Ok(Self::{variant}({message}::decode(buf, version)?)),\n"
        ))
    );
    out.push_str(&arm(&|_, variant, message| {
        format!("\nimpl From<{message}> for {name} {{ fn from(record: {message}) -> Self {{ Self::{variant}(record) }} }}\n")
    }));
    out
}
