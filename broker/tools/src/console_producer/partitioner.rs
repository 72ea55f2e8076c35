//! Which partition a record goes to: by its key, or where the last ones without a key went.
//! Core; randomness is an argument.

/// Kafka's hash of keys (`Utils.murmur2`).
pub fn murmur2(bytes: &[u8]) -> i32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let mut hash = SEED ^ bytes.len() as u32;
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    (hash ^ (hash >> 15)) as i32
}

/// The partition of a key among `count` (`BuiltInPartitioner.partitionForKey`).
pub fn of_key(key: &[u8], count: usize) -> i32 {
    assert!(count > 0, "a topic has a partition");
    (murmur2(key) & i32::MAX) % i32::try_from(count).unwrap_or(i32::MAX)
}

/// Where records without a key go: to one partition until it got a batch, then to another.
#[derive(Debug, Default)]
pub struct Sticky {
    current: Option<i32>,
    bytes: usize,
}

impl Sticky {
    /// `choices` are partitions that have a leader.
    pub fn next(&mut self, choices: &[i32], bytes: usize, batch_bytes: usize, random: u64) -> i32 {
        assert!(!choices.is_empty(), "there is a partition to choose");
        let current = self.current.filter(|current| choices.contains(current) && self.bytes < batch_bytes);
        let chosen = current.unwrap_or_else(|| {
            self.bytes = 0;
            choices[usize::try_from(random % choices.len() as u64).unwrap_or(0)]
        });
        self.current = Some(chosen);
        self.bytes += bytes;
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_hashed_as_kafka_hashes_them() {
        // The vectors of Kafka's own test (`UtilsTest.testMurmur2`).
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()), hash, "{key}");
        }
        assert_eq!(of_key(b"abc", 4), 479_470_107 % 4);
    }

    #[test]
    fn records_without_a_key_stay_together_for_a_batch() {
        let mut sticky = Sticky::default();
        assert_eq!(sticky.next(&[3, 5], 60, 100, 1), 5);
        assert_eq!(sticky.next(&[3, 5], 60, 100, 0), 5);
        assert_eq!(sticky.next(&[3, 5], 60, 100, 0), 3);
        assert_eq!(sticky.next(&[5], 1, 100, 0), 5, "a partition without a leader is left");
    }
}
