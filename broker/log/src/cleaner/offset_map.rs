//! Which offset a key has last, for as many keys as fit into a bounded piece of memory.
//! Core.
//!
//! A key is known by a 128-bit hash with a secret of this run, so that nobody can choose two keys
//! that are taken for one; two keys that meet by chance do so with a probability below 2^-64 for
//! any number of keys that fits. A slot is 24 bytes: the hash and the offset.

use ottla_model::Offset;

/// What one key costs.
pub const SLOT_BYTES: usize = 24;

/// `offset` is one more than the key's offset: 0 is an empty slot.
#[derive(Clone, Copy, Default)]
struct Slot {
    hash: [u64; 2],
    offset: i64,
}

const _: () = assert!(size_of::<Slot>() == SLOT_BYTES);

/// The table. Its memory is taken whole when it is made (untouched pages cost nothing).
pub struct OffsetMap {
    slots: Vec<Slot>,
    count: usize,
    count_max: usize,
    secret: [u64; 2],
    latest: Option<Offset>,
}

impl OffsetMap {
    /// As many slots as `bytes` hold, of which a part of `load_factor` may be used, and no more
    /// than `keys_max` keys need.
    pub fn new(bytes: usize, load_factor: f64, keys_max: u64, secret: [u8; 16]) -> OffsetMap {
        let load_factor = load_factor.clamp(0.01, 1.0);
        let fitting = (bytes / SLOT_BYTES).max(1);
        let needed = (keys_max as f64 / load_factor) as usize;
        let count = fitting.min(needed.saturating_add(2));
        // One slot stays empty, or a search for what is not there would not end.
        let count_max = ((count as f64 * load_factor) as usize).min(count - 1);
        let (low, high) = secret.split_at(8);
        let word = |bytes: &[u8]| u64::from_le_bytes(*bytes.first_chunk().expect("eight bytes"));
        OffsetMap {
            slots: vec![Slot::default(); count],
            count: 0,
            count_max,
            secret: [word(low), word(high)],
            latest: None,
        }
    }

    /// Where the key's slot is, or would be.
    fn find(&self, hash: [u64; 2]) -> usize {
        let count = self.slots.len();
        // The high half of a product spreads the hash evenly over any number of slots.
        let mut at = ((u128::from(hash[0]) * count as u128) >> 64) as usize;
        loop {
            let slot = &self.slots[at];
            if slot.offset == 0 || slot.hash == hash {
                return at;
            }
            at = if at + 1 == count { 0 } else { at + 1 };
        }
    }

    /// Notes that the key was written at `offset`. `false`: there is no room for another key.
    pub fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        if self.count >= self.count_max {
            return false;
        }
        let hash = hash_128(self.secret, key);
        let at = self.find(hash);
        let slot = &mut self.slots[at];
        if slot.offset == 0 {
            self.count += 1;
        }
        *slot = Slot { hash, offset: slot.offset.max(offset.0 + 1) };
        true
    }

    /// The last offset known of the key.
    pub fn get(&self, key: &[u8]) -> Option<Offset> {
        let slot = &self.slots[self.find(hash_128(self.secret, key))];
        (slot.offset > 0).then(|| Offset(slot.offset - 1))
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Every record up to it is in the map.
    pub fn latest_offset(&self) -> Option<Offset> {
        self.latest
    }

    pub fn update_latest(&mut self, offset: Offset) {
        self.latest = Some(self.latest.map_or(offset, |latest| latest.max(offset)));
    }
}

/// SipHash-2-4 with 128 bits of output.
pub fn hash_128(secret: [u64; 2], bytes: &[u8]) -> [u64; 2] {
    let mut v = [
        secret[0] ^ 0x736f_6d65_7073_6575,
        secret[1] ^ 0x646f_7261_6e64_6f6d ^ 0xee,
        secret[0] ^ 0x6c79_6765_6e65_7261,
        secret[1] ^ 0x7465_6462_7974_6573,
    ];
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        take_word(&mut v, u64::from_le_bytes(*word));
    }
    let mut last = (bytes.len() as u64) << 56;
    for (index, byte) in tail.iter().enumerate() {
        last |= u64::from(*byte) << (8 * index);
    }
    take_word(&mut v, last);
    v[2] ^= 0xee;
    rounds(&mut v, 4);
    let low = v[0] ^ v[1] ^ v[2] ^ v[3];
    v[1] ^= 0xdd;
    rounds(&mut v, 4);
    [low, v[0] ^ v[1] ^ v[2] ^ v[3]]
}

#[inline]
fn take_word(v: &mut [u64; 4], word: u64) {
    v[3] ^= word;
    rounds(v, 2);
    v[0] ^= word;
}

#[inline]
fn rounds(v: &mut [u64; 4], count: usize) {
    for _ in 0..count {
        v[0] = v[0].wrapping_add(v[1]);
        v[1] = v[1].rotate_left(13) ^ v[0];
        v[0] = v[0].rotate_left(32);
        v[2] = v[2].wrapping_add(v[3]);
        v[3] = v[3].rotate_left(16) ^ v[2];
        v[0] = v[0].wrapping_add(v[3]);
        v[3] = v[3].rotate_left(21) ^ v[0];
        v[2] = v[2].wrapping_add(v[1]);
        v[1] = v[1].rotate_left(17) ^ v[2];
        v[2] = v[2].rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        // The first and the ninth vector of the reference implementation (key 00..0f, input 00..).
        let secret = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let bytes = |input: &[u8]| {
            let [low, high] = hash_128(secret, input);
            [low.to_le_bytes(), high.to_le_bytes()].concat()
        };
        let empty =
            [0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93];
        assert_eq!(bytes(&[]), empty);
        let one =
            [0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45];
        assert_eq!(bytes(&[0]), one);
    }

    #[test]
    fn the_last_offset_of_each_key_is_known_until_the_map_is_full() {
        let mut map = OffsetMap::new(100 * SLOT_BYTES, 0.9, 1_000, [7; 16]);
        for offset in 0..90 {
            assert!(map.put(format!("k{offset}").as_bytes(), Offset(offset)));
        }
        assert!(!map.put(b"one more", Offset(90)));
        assert_eq!(map.count(), 90);
        for offset in 0..90 {
            assert_eq!(map.get(format!("k{offset}").as_bytes()), Some(Offset(offset)));
        }
        assert_eq!(map.get(b"one more"), None);
        let mut map = OffsetMap::new(100 * SLOT_BYTES, 0.9, 5, [7; 16]);
        assert!(map.slots.len() < 10, "no more slots than keys");
        assert!(map.put(b"k", Offset(0)) && map.put(b"k", Offset(5)) && map.put(b"k", Offset(3)));
        assert_eq!((map.get(b"k"), map.count()), (Some(Offset(5)), 1));
    }
}
