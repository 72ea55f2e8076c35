//! The CRC-32C of batches, the one hot place that reads every byte.
//! Core.
//!
//! crc-fast folds with carry-less multiplication (wide registers where the processor has them): for a
//! batch of 64 KiB it is several times as fast as the `crc32` instruction that the crc32c crate uses.
//! `cargo bench -p ottla-records` compares the two.

use crc_fast::{CrcAlgorithm, Digest};

/// The CRC-32C of some bytes.
#[inline]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// The CRC-32C of two pieces, as if they followed each other in memory.
#[inline]
pub fn crc32c_of_two(head: &[u8], rest: &[u8]) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(head);
    digest.update(rest);
    // The digest is as wide as the widest algorithm of the crate.
    digest.finalize() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis_at_every_length_and_cut() {
        // The check value of the catalogue of CRCs (CRC-32/ISCSI).
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        let bytes: Vec<u8> = (0..2_000_u32).map(|n| (n * 31 + n / 256) as u8).collect();
        for length in [0, 1, 7, 8, 15, 16, 40, 63, 64, 127, 128, 255, 256, 257, 1_000, 2_000] {
            let bytes = &bytes[..length];
            let expected = ::crc32c::crc32c(bytes);
            assert_eq!(crc32c(bytes), expected, "{length} bytes");
            for cut in [0, 1, 8, 40, length / 2, length] {
                let (head, rest) = bytes.split_at(cut.min(length));
                assert_eq!(crc32c_of_two(head, rest), expected, "{length} bytes cut at {cut}");
            }
        }
    }
}
