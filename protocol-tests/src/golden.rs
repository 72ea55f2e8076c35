//! The golden bytes that Apache Kafka 4.3.1's own classes wrote (see `golden/`).
//! Shell: reads the committed files.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use ottla_protocol::ApiKey;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Request,
    Response,
}

/// One message of an API as Kafka writes it, without its header.
#[derive(Clone, Debug)]
pub struct ApiBytes {
    pub key: ApiKey,
    pub direction: Direction,
    pub version: i16,
    pub body: Bytes,
}

/// One record as it stands in its log: metadata framed, keys and values of coordinators with their
/// prefix, others bare.
#[derive(Clone, Debug)]
pub struct RecordBytes {
    pub name: String,
    pub version: i16,
    pub body: Bytes,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/bytes").join(name)
}

/// Every message of every API. Panics on a damaged checkout: nothing can be tested without them.
pub fn apis() -> Vec<ApiBytes> {
    let folder = folder("api");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap_or_else(|error| panic!("{error}")).path())
        .collect();
    files.sort();
    let mut messages = Vec::new();
    for file in files {
        let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let key = name.split('-').next().and_then(|key| key.parse().ok()).and_then(ApiKey::from_i16);
        let key = key.unwrap_or_else(|| panic!("{name} is not named after an API key"));
        for (word, version, body) in lines(&file) {
            let direction = if word == "req" { Direction::Request } else { Direction::Response };
            messages.push(ApiBytes { key, direction, version, body });
        }
    }
    messages
}

/// The requests alone.
pub fn requests() -> Vec<ApiBytes> {
    apis().into_iter().filter(|message| message.direction == Direction::Request).collect()
}

/// Every record of a set: `control`, `files`, `group`, `metadata`, `remote_storage`, `share`, `transaction`.
pub fn records(set: &str) -> Vec<RecordBytes> {
    lines(&folder("records").join(format!("{set}.txt")))
        .into_iter()
        .map(|(name, version, body)| RecordBytes { name, version, body })
        .collect()
}

fn lines(file: &Path) -> Vec<(String, i16, Bytes)> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.lines()
        .map(|line| {
            let mut words = line.split(' ');
            let word = words.next().unwrap_or_default().to_owned();
            let version = words.next().and_then(|word| word.parse().ok());
            let body = words.next().and_then(from_hex);
            match (version, body) {
                (Some(version), Some(body)) => (word, version, body),
                _ => panic!("{}: {line:?}", file.display()),
            }
        })
        .collect()
}

fn from_hex(text: &str) -> Option<Bytes> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}
