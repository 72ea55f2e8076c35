//! Reads the message definitions out of Apache Kafka's jars in the local Maven repository.
//! Shell: reads files.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::schema::Message;

/// The Kafka release whose definitions we follow.
pub const KAFKA_VERSION: &str = "4.3.1";

/// The jars that carry definitions, in the order of the [`Definitions`] fields.
const ARTIFACTS: [&str; 7] = [
    "kafka-clients",
    "kafka-metadata",
    "kafka-group-coordinator",
    "kafka-transaction-coordinator",
    "kafka-share-coordinator",
    "kafka-storage",
    "kafka-raft",
];

/// All definitions, by the jar they come from, each list sorted by name.
pub struct Definitions {
    pub clients: Vec<Message>,
    pub metadata: Vec<Message>,
    pub group: Vec<Message>,
    pub transaction: Vec<Message>,
    pub share: Vec<Message>,
    pub storage: Vec<Message>,
    pub raft: Vec<Message>,
}

/// Loads every definition from `repository` (the folder that Maven calls its local repository).
pub fn load(repository: &Path) -> Result<Definitions, String> {
    let mut lists = Vec::new();
    for artifact in ARTIFACTS {
        lists.push(load_jar(&jar_path(repository, artifact))?);
    }
    let mut lists = lists.into_iter();
    let mut next = || lists.next().unwrap_or_default();
    Ok(Definitions {
        clients: next(),
        metadata: next(),
        group: next(),
        transaction: next(),
        share: next(),
        storage: next(),
        raft: next(),
    })
}

/// Major and minor.
pub type Release = (u32, u32);

/// The definitions of each `kafka-clients-RELEASE.jar` in a folder, oldest first; the newest patch of a release counts.
pub fn load_releases(folder: &Path) -> Result<Vec<(Release, Vec<Message>)>, String> {
    let mut jars: BTreeMap<(u32, u32, u32), PathBuf> = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let release = name.strip_prefix("kafka-clients-").and_then(|rest| rest.strip_suffix(".jar"));
        let Some(release) = release else { continue };
        let parts: Vec<u32> = release.split('.').filter_map(|part| part.parse().ok()).collect();
        let [major, minor, patch] = parts[..] else { return Err(format!("{name} names no release")) };
        jars.insert((major, minor, patch), path);
    }
    let mut newest: BTreeMap<Release, PathBuf> = BTreeMap::new();
    newest.extend(jars.into_iter().map(|((major, minor, _), path)| ((major, minor), path)));
    newest.into_iter().map(|(release, path)| Ok((release, load_jar(&path)?))).collect()
}

fn jar_path(repository: &Path, artifact: &str) -> PathBuf {
    repository
        .join("org/apache/kafka")
        .join(artifact)
        .join(KAFKA_VERSION)
        .join(format!("{artifact}-{KAFKA_VERSION}.jar"))
}

fn load_jar(path: &Path) -> Result<Vec<Message>, String> {
    let bytes = fs::read(path).map_err(|error| {
        format!(
            "{} cannot be read ({error}); `mvn -f protocol-tests/golden dependency:resolve` brings the jars",
            path.display()
        )
    })?;
    let mut messages = Vec::new();
    for (name, text) in json_entries(&bytes).ok_or_else(|| format!("{} is not a jar", path.display()))? {
        let message = Message::parse(&text).map_err(|error| format!("{name}: {error}"))?;
        messages.push(message);
    }
    messages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(messages)
}

/// The `message/` and `metadata/` JSON files of a zip archive, found through its central directory.
fn json_entries(zip: &[u8]) -> Option<Vec<(String, String)>> {
    let end = (0..zip.len().saturating_sub(21)).rev().find(|&at| zip[at..].starts_with(b"PK\x05\x06"))?;
    let count = u16_at(zip, end + 10)?;
    let mut at = u32_at(zip, end + 16)? as usize;
    let mut entries = Vec::new();
    for _ in 0..count {
        let method = u16_at(zip, at + 10)?;
        let packed_len = u32_at(zip, at + 20)? as usize;
        let (name_len, extra_len, comment_len) =
            (u16_at(zip, at + 28)?, u16_at(zip, at + 30)?, u16_at(zip, at + 32)?);
        let local = u32_at(zip, at + 42)? as usize;
        let name = std::str::from_utf8(zip.get(at + 46..at + 46 + name_len as usize)?).ok()?;
        if name.ends_with(".json") && (name.contains("message/") || name.contains("metadata/")) {
            let data = local + 30 + u16_at(zip, local + 26)? as usize + u16_at(zip, local + 28)? as usize;
            entries.push((name.to_owned(), unpack(method, zip.get(data..data + packed_len)?)?));
        }
        at += 46 + name_len as usize + extra_len as usize + comment_len as usize;
    }
    Some(entries)
}

fn unpack(method: u16, packed: &[u8]) -> Option<String> {
    let mut text = String::new();
    match method {
        0 => text.push_str(std::str::from_utf8(packed).ok()?),
        8 => {
            flate2::read::DeflateDecoder::new(packed).read_to_string(&mut text).ok()?;
        }
        _ => return None,
    }
    Some(text)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
