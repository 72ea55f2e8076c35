//! The small text files of a log directory and of a partition's folder.
//! Core: text in, text out; the owner of the file reads and writes it.
//!
//! ```text
//! *-offset-checkpoint        leader-epoch-checkpoint     partition.metadata      meta.properties
//! 0                          0                           version: 0              version=1
//! <count>                    <count>                     topic_id: <base64>      node.id=1
//! <topic> <partition> <n>    <epoch> <start offset>                              cluster.id=...
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;

use ottla_model::{LeaderEpoch, Offset, PartitionIndex, TopicId, TopicName, TopicPartition};
use ottla_records::checksum::crc32c;

/// Where an epoch's records start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochEntry {
    pub epoch: LeaderEpoch,
    pub start_offset: Offset,
}

/// A checkpoint file that can't be read; the text says where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed checkpoint: {0}")]
pub struct MalformedCheckpoint(String);

fn lines(text: &str) -> Result<impl Iterator<Item = &str>, MalformedCheckpoint> {
    let mut lines = text.lines();
    let version = lines.next().unwrap_or("0").trim();
    if version != "0" {
        return Err(MalformedCheckpoint(format!("unknown version {version:?}")));
    }
    let count = lines.next().unwrap_or("0").trim();
    let expected: usize = count.parse().map_err(|_| MalformedCheckpoint(format!("entry count {count:?}")))?;
    let entries: Vec<&str> = lines.filter(|line| !line.trim().is_empty()).collect();
    if entries.len() != expected {
        return Err(MalformedCheckpoint(format!("{} entries, not {expected}", entries.len())));
    }
    Ok(entries.into_iter())
}

pub fn parse_offsets(text: &str) -> Result<BTreeMap<TopicPartition, Offset>, MalformedCheckpoint> {
    let mut offsets = BTreeMap::new();
    for line in lines(text)? {
        let malformed = || MalformedCheckpoint(format!("line {line:?}"));
        let mut words = line.split_whitespace();
        let (Some(topic), Some(partition), Some(offset), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(malformed());
        };
        let partition = PartitionIndex(partition.parse().map_err(|_| malformed())?);
        let offset = Offset(offset.parse().map_err(|_| malformed())?);
        offsets.insert(TopicPartition::new(TopicName::new(topic), partition), offset);
    }
    Ok(offsets)
}

pub fn write_offsets<'a>(offsets: impl ExactSizeIterator<Item = (&'a TopicPartition, Offset)>) -> String {
    let mut text = format!("0\n{}\n", offsets.len());
    for (partition, offset) in offsets {
        writeln!(text, "{} {} {offset}", partition.topic, partition.partition)
            .expect("writing to memory does not fail");
    }
    text
}

pub fn parse_epochs(text: &str) -> Result<Vec<EpochEntry>, MalformedCheckpoint> {
    lines(text)?
        .map(|line| {
            let malformed = || MalformedCheckpoint(format!("line {line:?}"));
            let (epoch, offset) = line.trim().split_once(char::is_whitespace).ok_or_else(malformed)?;
            Ok(EpochEntry {
                epoch: LeaderEpoch(epoch.parse().map_err(|_| malformed())?),
                start_offset: Offset(offset.trim().parse().map_err(|_| malformed())?),
            })
        })
        .collect()
}

pub fn write_epochs(entries: &[EpochEntry]) -> String {
    let mut text = format!("0\n{}\n", entries.len());
    for entry in entries {
        writeln!(text, "{} {}", entry.epoch, entry.start_offset).expect("writing to memory does not fail");
    }
    text
}

pub fn write_partition_metadata(topic_id: TopicId) -> String {
    format!("version: 0\ntopic_id: {topic_id}")
}

pub fn parse_partition_metadata(text: &str) -> Option<TopicId> {
    text.lines().find_map(|line| TopicId::parse(line.strip_prefix("topic_id:")?.trim()))
}

/// Whether the bytes are the beginning of a `partition.metadata` and no more: a write that the device
/// has in part, or as zeros.
pub fn is_unfinished_partition_metadata(bytes: &[u8]) -> bool {
    let written = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let whole = write_partition_metadata(TopicId::ZERO);
    let (head, id_len) = whole.as_bytes().split_at(whole.len() - TopicId::ZERO.to_string().len());
    let is_head = written.iter().zip(head).all(|(a, b)| a == b);
    let id = written.get(head.len()..).unwrap_or_default();
    let is_id_char = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    is_head && id.len() < id_len.len() && id.iter().all(is_id_char)
}

/// What the first line of a meta.properties of ours begins with; Kafka passes over comments.
const CHECKSUM_COMMENT: &str = "#crc32c=";

/// Who a log directory belongs to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetaProperties {
    pub cluster_id: String,
    pub node_id: i32,
    /// As Kafka prints ids; absent in directories of old Kafkas.
    pub directory_id: Option<TopicId>,
}

impl MetaProperties {
    pub fn parse(text: &str) -> Option<MetaProperties> {
        let value = |key: &str| {
            text.lines()
                .filter(|line| !line.trim_start().starts_with('#'))
                .filter_map(|line| line.split_once('='))
                .find(|(name, _)| name.trim() == key)
                .map(|(_, value)| value.trim().replace("\\=", "=").replace("\\:", ":"))
        };
        Some(MetaProperties {
            cluster_id: value("cluster.id")?,
            node_id: value("node.id").or_else(|| value("broker.id"))?.parse().ok()?,
            directory_id: value("directory.id").and_then(|id| TopicId::parse(&id)),
        })
    }

    /// As Kafka writes it, with a checksum in the comment that Kafka's begins with.
    pub fn write(&self) -> String {
        let mut text = format!("version=1\ncluster.id={}\nnode.id={}\n", self.cluster_id, self.node_id);
        if let Some(id) = self.directory_id {
            writeln!(text, "directory.id={id}").expect("writing to memory does not fail");
        }
        format!("{CHECKSUM_COMMENT}{:08x}\n{text}", crc32c(text.as_bytes()))
    }

    /// False when the text has a checksum, and it is not that of what follows.
    pub fn is_checksum_right(text: &str) -> bool {
        let Some((first, rest)) = text.split_once('\n') else { return true };
        let Some(stored) = first.strip_prefix(CHECKSUM_COMMENT) else { return true };
        u32::from_str_radix(stored, 16) == Ok(crc32c(rest.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_survive_a_round_trip() {
        let mut offsets = BTreeMap::new();
        offsets.insert(TopicPartition::parse("a-b-3").expect("a name"), Offset(7));
        offsets.insert(TopicPartition::parse("c-0").expect("a name"), Offset(0));
        let text = write_offsets(offsets.iter().map(|(partition, offset)| (partition, *offset)));
        assert_eq!(text, "0\n2\na-b 3 7\nc 0 0\n");
        assert_eq!(parse_offsets(&text), Ok(offsets));
        let epochs = vec![EpochEntry { epoch: LeaderEpoch(4), start_offset: Offset(9) }];
        assert_eq!(parse_epochs(&write_epochs(&epochs)), Ok(epochs));
    }

    #[test]
    fn a_cut_or_strange_checkpoint_is_refused() {
        assert!(parse_offsets("0\n2\na 0 1\n").is_err());
        assert!(parse_offsets("1\n0\n").is_err());
        assert!(parse_epochs("0\n1\nx y\n").is_err());
        assert_eq!(parse_offsets(""), Ok(BTreeMap::new()));
    }

    #[test]
    fn properties_and_ids_are_read_as_kafka_writes_them() {
        let text = "#\n#Fri Nov 20 10:00:00 UTC 2026\ncluster.id=4L6g3nShT-eMCtK--X86sw\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAQ\nnode.id=1\nversion=1\n";
        let properties = MetaProperties::parse(text).expect("whole");
        assert_eq!((properties.node_id, properties.directory_id), (1, Some(TopicId::METADATA)));
        assert!(MetaProperties::is_checksum_right(text), "Kafka's has none");
        let ours = properties.write();
        assert!(MetaProperties::is_checksum_right(&ours));
        for at in CHECKSUM_COMMENT.len()..ours.len() {
            let mut bytes = ours.clone().into_bytes();
            bytes[at] ^= 1;
            let damaged = String::from_utf8(bytes).expect("text");
            assert!(!MetaProperties::is_checksum_right(&damaged), "{damaged}");
        }
        assert_eq!(MetaProperties::parse(&ours), Some(properties));
        let id = TopicId::METADATA;
        assert_eq!(parse_partition_metadata(&write_partition_metadata(id)), Some(id));
        let text = write_partition_metadata(id);
        for cut in 0..text.len() {
            assert!(is_unfinished_partition_metadata(&text.as_bytes()[..cut]));
        }
        for whole in [text.as_bytes(), b"version: 1", b"version: 0\ntopic_id: ?"] {
            assert!(!is_unfinished_partition_metadata(whole));
        }
    }
}
