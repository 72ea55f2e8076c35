//! Finding whole batches behind bytes that are none.
//! Core.

use crate::header::{HEADER_BYTES, MAGIC, MAGIC_AT};
use crate::view::BatchView;

/// The position of the first whole batch with a right checksum that begins at `from` or behind it.
pub fn find_batch(bytes: &[u8], from: usize) -> Option<usize> {
    let last = bytes.len().checked_sub(HEADER_BYTES)?;
    (from..=last).find(|&at| {
        bytes[at + MAGIC_AT] as i8 == MAGIC
            && BatchView::first(&bytes[at..])
                .is_ok_and(|view| view.header().is_plausible() && view.verify_checksum().is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::BatchBuilder;

    fn batch(value: &[u8]) -> Vec<u8> {
        let mut builder = BatchBuilder::new();
        builder.append(1, None, Some(value), &[]);
        builder.build().to_vec()
    }

    #[test]
    fn a_batch_is_found_behind_damage_and_a_damaged_one_is_not() {
        let (first, second) = (batch(b"first"), batch(&[2; 300]));
        let mut bytes = [first.clone(), second].concat();
        assert_eq!(find_batch(&bytes, 0), Some(0));
        assert_eq!(find_batch(&bytes, 1), Some(first.len()));
        for at in [MAGIC_AT, HEADER_BYTES, first.len() - 1] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(find_batch(&damaged, 0), Some(first.len()), "byte {at}");
        }
        *bytes.last_mut().expect("bytes") ^= 1;
        assert_eq!(find_batch(&bytes, 1), None);
        assert_eq!(find_batch(&bytes[..HEADER_BYTES - 1], 0), None);
        assert_eq!(find_batch(&[0; 1000], 0), None);
    }
}
