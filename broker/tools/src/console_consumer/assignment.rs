//! Who reads what: subscriptions and assignments as consumers write them, and Kafka's range assignor.
//! Core.
//!
//! ```text
//! subscription  version i16 | topics | user data | from 1: owned partitions | from 2: generation | from 3: rack
//! assignment    version i16 | (topic | partitions i32*)* | user data
//! ```

use std::collections::{BTreeMap, BTreeSet};

use bytes::{BufMut, Bytes, BytesMut};

/// A partition to read; its topic's id where it is known.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Partition {
    pub topic: String,
    pub index: i32,
    pub topic_id: uuid::Uuid,
}

impl Partition {
    pub fn new(topic: &str, index: i32) -> Partition {
        Partition { topic: topic.to_owned(), index, topic_id: uuid::Uuid::nil() }
    }
}

fn put_string(out: &mut BytesMut, text: &str) {
    out.put_i16(i16::try_from(text.len()).expect("a topic's name is short"));
    out.put_slice(text.as_bytes());
}

/// A subscription of version 0: it owns nothing and has no rack.
pub fn write_subscription(topics: &BTreeSet<String>) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(0);
    out.put_i32(topics.len() as i32);
    topics.iter().for_each(|topic| put_string(&mut out, topic));
    out.put_i32(-1);
    out.freeze()
}

/// The topics of a subscription of any version; `None` when the bytes are none.
pub fn read_subscription(bytes: &[u8]) -> Option<BTreeSet<String>> {
    let mut reader = Reader(bytes);
    reader.version()?;
    let count = reader.count(2)?;
    (0..count).map(|_| reader.string()).collect()
}

pub fn write(partitions: &[Partition]) -> Bytes {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        topics.entry(&partition.topic).or_default().push(partition.index);
    }
    let mut out = BytesMut::new();
    out.put_i16(0);
    out.put_i32(topics.len() as i32);
    for (topic, partitions) in topics {
        put_string(&mut out, topic);
        out.put_i32(partitions.len() as i32);
        partitions.into_iter().for_each(|partition| out.put_i32(partition));
    }
    out.put_i32(-1);
    out.freeze()
}

/// The partitions of an assignment; no bytes are no partitions.
pub fn read(bytes: &[u8]) -> Option<Vec<Partition>> {
    let mut partitions = Vec::new();
    if bytes.is_empty() {
        return Some(partitions);
    }
    let mut reader = Reader(bytes);
    reader.version()?;
    for _ in 0..reader.count(6)? {
        let topic = reader.string()?;
        for _ in 0..reader.count(4)? {
            partitions.push(Partition::new(&topic, reader.i32()?));
        }
    }
    Some(partitions)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn i16(&mut self) -> Option<i16> {
        self.take(2)?.try_into().ok().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take(4)?.try_into().ok().map(i32::from_be_bytes)
    }

    fn version(&mut self) -> Option<i16> {
        self.i16().filter(|version| *version >= 0)
    }

    /// A count of things that take so many bytes at least.
    fn count(&mut self, bytes_each: usize) -> Option<usize> {
        let count = usize::try_from(self.i32()?).ok()?;
        (count.checked_mul(bytes_each)? <= self.0.len()).then_some(count)
    }

    fn string(&mut self) -> Option<String> {
        let length = usize::try_from(self.i16()?).ok()?;
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }
}

/// Kafka's range assignor: the partitions of each topic in ranges to its members in the order of their ids, the first
/// of them one more where they do not come out even.
pub fn range(
    members: &BTreeMap<String, BTreeSet<String>>,
    counts: &BTreeMap<String, usize>,
) -> BTreeMap<String, Vec<Partition>> {
    let mut shares: BTreeMap<String, Vec<Partition>> =
        members.keys().map(|member| (member.clone(), Vec::new())).collect();
    for (topic, count) in counts {
        let readers: Vec<&String> =
            members.iter().filter(|(_, topics)| topics.contains(topic)).map(|(member, _)| member).collect();
        if readers.is_empty() {
            continue;
        }
        let (each, more) = (count / readers.len(), count % readers.len());
        let mut next = 0;
        for (at, reader) in readers.into_iter().enumerate() {
            let share = shares.get_mut(reader).expect("every member has a share");
            for _ in 0..each + usize::from(at < more) {
                share.push(Partition::new(topic, next));
                next += 1;
            }
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_written_can_be_read() {
        let both = topics(&["a", "b"]);
        assert_eq!(read_subscription(&write_subscription(&both)), Some(both));
        let partitions = vec![Partition::new("a", 0), Partition::new("a", 3), Partition::new("b", 1)];
        let bytes = write(&partitions);
        assert_eq!(read(&bytes), Some(partitions));
        assert_eq!(read(&[]), Some(Vec::new()));
        for end in 1..bytes.len() - 4 {
            assert_eq!(read(&bytes[..end]), None, "cut at {end}");
        }
        assert_eq!(read(b"\0\0\x7f\xff\xff\xff"), None, "a count that the bytes cannot hold");
    }

    #[test]
    fn ranges_are_kafka_s() {
        let members =
            BTreeMap::from([("m1".to_owned(), topics(&["a", "b"])), ("m2".to_owned(), topics(&["a"]))]);
        let counts = BTreeMap::from([("a".to_owned(), 3), ("b".to_owned(), 1)]);
        let shares = range(&members, &counts);
        let of = |member: &str| -> Vec<(&str, i32)> {
            shares[member].iter().map(|p| (p.topic.as_str(), p.index)).collect()
        };
        assert_eq!(of("m1"), [("a", 0), ("a", 1), ("b", 0)]);
        assert_eq!(of("m2"), [("a", 2)]);
    }
}
