//! What consumers of the classic protocol put into a group's opaque bytes: subscriptions and assignments.
//! Core. Kafka's `ConsumerProtocol`, versions 0 to 3; of a newer one what those versions know.
//!
//! ```text
//! subscription  version (int16) | topics | user data | from 1: owned partitions | from 2: generation | from 3: rack
//! assignment    version (int16) | partitions by topic | user data
//! ```

use bytes::{BufMut, Bytes, BytesMut};

const VERSION_MAX: i16 = 3;

/// Partitions by topic name.
pub type NamedPartitions = Vec<(String, Vec<i32>)>;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subscription {
    pub version: i16,
    pub topics: Vec<String>,
    pub owned: NamedPartitions,
    pub rack_id: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    pub partitions: NamedPartitions,
    /// A custom assignor wrote something that only its kind understands.
    pub has_user_data: bool,
}

/// `None` when the bytes are no subscription.
pub fn subscription(bytes: &[u8]) -> Option<Subscription> {
    let mut reader = Reader(bytes);
    let version = reader.version()?;
    let topics = reader.array(2, Reader::string)?;
    let _user_data = reader.nullable_bytes()?;
    let mut subscription = Subscription { version, topics, owned: Vec::new(), rack_id: None };
    if version >= 1 {
        subscription.owned = reader.partitions()?;
    }
    if version >= 2 {
        let _generation = reader.int32()?;
    }
    if version >= 3 {
        subscription.rack_id = reader.nullable_string()?;
    }
    Some(subscription)
}

/// `None` when the bytes are no assignment.
pub fn assignment(bytes: &[u8]) -> Option<Assignment> {
    let mut reader = Reader(bytes);
    reader.version()?;
    let partitions = reader.partitions()?;
    let has_user_data = reader.nullable_bytes()?.is_some_and(|data| !data.is_empty());
    Some(Assignment { partitions, has_user_data })
}

/// An assignment without user data, in the version of a member's subscription.
pub fn write_assignment(version: i16, partitions: &NamedPartitions) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(version.min(VERSION_MAX));
    bytes.put_i32(partitions.len() as i32);
    for (topic, partitions) in partitions {
        bytes.put_i16(topic.len() as i16);
        bytes.put_slice(topic.as_bytes());
        bytes.put_i32(partitions.len() as i32);
        partitions.iter().for_each(|partition| bytes.put_i32(*partition));
    }
    bytes.put_i32(-1);
    bytes.freeze()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn int16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn int32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn version(&mut self) -> Option<i16> {
        self.int16().filter(|version| *version >= 0)
    }

    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    fn nullable_string(&mut self) -> Option<Option<String>> {
        let length = self.int16()?;
        if length < 0 {
            return Some(None);
        }
        let text = self.slice(length as usize)?.to_vec();
        String::from_utf8(text).ok().map(Some)
    }

    fn string(&mut self) -> Option<String> {
        self.nullable_string()?
    }

    fn nullable_bytes(&mut self) -> Option<Option<&'a [u8]>> {
        let length = self.int32()?;
        if length < 0 {
            return Some(None);
        }
        self.slice(length as usize).map(Some)
    }

    /// Each element takes so many bytes at least: a count that cannot be is refused before anything is made.
    fn array<T>(
        &mut self,
        element_bytes_min: usize,
        mut element: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let count = usize::try_from(self.int32()?).ok()?;
        if count > self.0.len() / element_bytes_min {
            return None;
        }
        (0..count).map(|_| element(self)).collect()
    }

    fn partitions(&mut self) -> Option<NamedPartitions> {
        self.array(6, |reader| Some((reader.string()?, reader.array(4, Reader::int32)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_of_every_version_are_read_and_garbage_is_refused() {
        let v3 =
            b"\0\x03\0\0\0\x01\0\x01t\xff\xff\xff\xff\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x05\0\0\0\x07\0\x02r1";
        let expected = Subscription {
            version: 3,
            topics: vec!["t".to_owned()],
            owned: vec![("t".to_owned(), vec![5])],
            rack_id: Some("r1".to_owned()),
        };
        assert_eq!(subscription(v3), Some(expected));
        for cut in 0..v3.len() {
            assert_eq!(subscription(&v3[..cut]), None, "{cut}");
        }
        let v0 = b"\0\0\0\0\0\0\xff\xff\xff\xff";
        assert_eq!(subscription(v0).map(|read| read.topics), Some(Vec::new()));
        assert_eq!(subscription(b"\xff\xff\0\0\0\0\xff\xff\xff\xff"), None, "a negative version");
        assert_eq!(subscription(b"\0\0\x7f\xff\xff\xff"), None, "more topics than bytes");
    }

    #[test]
    fn an_assignment_comes_back_as_it_was_written() {
        let partitions = vec![("a".to_owned(), vec![0, 2]), ("b".to_owned(), vec![])];
        let bytes = write_assignment(9, &partitions);
        assert_eq!(bytes[..2], [0, 3]);
        assert_eq!(assignment(&bytes), Some(Assignment { partitions, has_user_data: false }));
        let with_data = assignment(b"\0\0\0\0\0\0\0\0\0\x01x");
        assert_eq!(with_data.map(|read| read.has_user_data), Some(true));
        assert_eq!(assignment(b""), None);
    }
}
