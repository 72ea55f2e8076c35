//! Kafka's hash of the topics that a group reads: when it changes, the group is assigned anew.
//! Core. XXH3 over the topic's shape, as `org.apache.kafka.coordinator.group.Utils` feeds it (KIP-1101).

use ottla_model::TopicId;
use twox_hash::XxHash3_64;

/// The version of the fields that are hashed.
const MAGIC: u8 = 0;

/// A topic, and for each of its partitions the racks of its replicas.
pub fn topic_hash(id: TopicId, name: &str, partition_racks: &[Vec<String>]) -> i64 {
    let mut bytes = vec![MAGIC];
    let (high, low) = id.0.as_u64_pair();
    bytes.extend_from_slice(&high.to_le_bytes());
    bytes.extend_from_slice(&low.to_le_bytes());
    put_string(&mut bytes, name);
    bytes.extend_from_slice(&(partition_racks.len() as i32).to_le_bytes());
    for (index, racks) in partition_racks.iter().enumerate() {
        bytes.extend_from_slice(&(index as i32).to_le_bytes());
        let mut racks: Vec<&String> = racks.iter().collect();
        racks.sort();
        for rack in racks {
            bytes.extend_from_slice(&(rack.encode_utf16().count() as i32).to_le_bytes());
            put_string(&mut bytes, rack);
        }
    }
    XxHash3_64::oneshot(&bytes) as i64
}

/// The topics of a group, in the order of their names; topics that are not there have the hash 0 and
/// are left out.
pub fn group_hash(topic_hashes: impl Iterator<Item = i64>) -> i64 {
    let bytes: Vec<u8> = topic_hashes.filter(|hash| *hash != 0).flat_map(i64::to_le_bytes).collect();
    if bytes.is_empty() { 0 } else { XxHash3_64::oneshot(&bytes) as i64 }
}

/// UTF-16 units, and behind them how many.
fn put_string(bytes: &mut Vec<u8>, text: &str) {
    let mut count: i32 = 0;
    for unit in text.encode_utf16() {
        bytes.extend_from_slice(&unit.to_le_bytes());
        count += 1;
    }
    bytes.extend_from_slice(&count.to_le_bytes());
}
