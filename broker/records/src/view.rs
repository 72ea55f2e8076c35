//! Checked views of whole batches in a buffer, without copying.
//! Core.

use crate::checksum;
use crate::compression::{CodecError, decompress_into};
use crate::header::{
    ATTRIBUTES_AT, BatchHeader, CRC_AT, HEADER_BYTES, LENGTH_AT, LOG_OVERHEAD_BYTES, MAGIC, MAGIC_AT,
};
use crate::record::{RecordFormatError, Records};

/// Why bytes are no batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    #[error("the batch ends after {available} of {needed} bytes")]
    Truncated { needed: usize, available: usize },
    #[error("message format {0} is not supported; only version 2 is")]
    UnsupportedMagic(i8),
    #[error("the batch says that it is {0} bytes long, less than its header")]
    InvalidLength(i32),
    #[error("Record is corrupt (stored crc = {stored}, computed crc = {computed})")]
    Corrupt { stored: u32, computed: u32 },
}

/// One batch: its header, and the bytes it was read from.
#[derive(Clone, Copy, Debug)]
pub struct BatchView<'a> {
    bytes: &'a [u8],
    header: BatchHeader,
}

impl<'a> BatchView<'a> {
    /// The first batch of `bytes`; what follows it is left alone. The checksum is not looked at.
    #[inline]
    pub fn first(bytes: &'a [u8]) -> Result<BatchView<'a>, BatchError> {
        let Some(head) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(short(bytes));
        };
        let header = BatchHeader::parse(head);
        if header.magic != MAGIC {
            return Err(BatchError::UnsupportedMagic(header.magic));
        }
        if header.batch_length < (HEADER_BYTES - LOG_OVERHEAD_BYTES) as i32 {
            return Err(BatchError::InvalidLength(header.batch_length));
        }
        match bytes.get(..header.size_bytes()) {
            Some(bytes) => Ok(BatchView { bytes, header }),
            None => Err(BatchError::Truncated { needed: header.size_bytes(), available: bytes.len() }),
        }
    }

    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub fn header_bytes(&self) -> [u8; HEADER_BYTES] {
        *self.bytes.first_chunk().expect("a view holds a whole header")
    }

    /// What follows the header, compressed or not.
    pub fn body(&self) -> &'a [u8] {
        &self.bytes[HEADER_BYTES..]
    }

    #[inline]
    pub fn verify_checksum(&self) -> Result<(), BatchError> {
        let computed = checksum::crc32c(&self.bytes[ATTRIBUTES_AT..]);
        if computed == self.header.crc {
            Ok(())
        } else {
            Err(BatchError::Corrupt { stored: self.header.crc, computed })
        }
    }

    /// The records; a compressed batch is expanded into `scratch` first (bounded by
    /// `limits::DECOMPRESSED_BATCH_BYTES_MAX`).
    pub fn records<'s>(&self, scratch: &'s mut Vec<u8>) -> Result<Records<'s>, ReadRecordsError>
    where
        'a: 's,
    {
        let codec =
            self.header.attributes.compression().ok_or(CodecError::Unknown(self.header.attributes.0 & 7))?;
        let bytes: &'s [u8] = if codec.is_none() {
            self.body()
        } else {
            decompress_into(codec, self.body(), scratch)?;
            scratch
        };
        Ok(Records::new(&self.header, bytes))
    }
}

/// Why the records of a batch can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadRecordsError {
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error(transparent)]
    Format(#[from] RecordFormatError),
}

/// What fewer bytes than a header can tell: old formats are shorter than ours.
fn short(bytes: &[u8]) -> BatchError {
    if let Some(&magic) = bytes.get(MAGIC_AT)
        && magic as i8 != MAGIC
    {
        return BatchError::UnsupportedMagic(magic as i8);
    }
    let needed = match bytes.get(LENGTH_AT..LENGTH_AT + 4) {
        Some(length) => {
            let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]);
            if length < (HEADER_BYTES - LOG_OVERHEAD_BYTES) as i32 {
                return BatchError::InvalidLength(length);
            }
            LOG_OVERHEAD_BYTES + length as usize
        }
        None => HEADER_BYTES,
    };
    BatchError::Truncated { needed, available: bytes.len() }
}

/// Walks the batches of a buffer. Ends after the first error.
pub fn batches(bytes: &[u8]) -> Batches<'_> {
    Batches { rest: bytes }
}

pub struct Batches<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<BatchView<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let batch = BatchView::first(self.rest);
        self.rest = match &batch {
            Ok(batch) => &self.rest[batch.bytes.len()..],
            Err(_) => &[],
        };
        Some(batch)
    }
}

const _: () = assert!(CRC_AT + 4 == ATTRIBUTES_AT);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::BatchBuilder;

    #[test]
    fn batches_are_walked_and_a_cut_tail_is_an_error() {
        let mut bytes = Vec::new();
        for value in ["a", "bb"] {
            let mut builder = BatchBuilder::new();
            builder.append(7, None, Some(value.as_bytes()), &[]);
            bytes.extend_from_slice(&builder.build());
        }
        let sizes: Vec<usize> = batches(&bytes).map(|batch| batch.expect("whole").bytes().len()).collect();
        assert_eq!(sizes.iter().sum::<usize>(), bytes.len());
        for cut in sizes[0] + 1..bytes.len() {
            let walked: Vec<_> = batches(&bytes[..cut]).collect();
            assert_eq!(walked.len(), 2);
            assert!(matches!(walked[1], Err(BatchError::Truncated { .. })), "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_under_the_checksum_is_seen() {
        let mut builder = BatchBuilder::new();
        builder.append(7, Some(b"k"), Some(b"v"), &[]);
        let whole = builder.build();
        assert_eq!(BatchView::first(&whole).expect("a batch").verify_checksum(), Ok(()));
        for at in ATTRIBUTES_AT..whole.len() {
            let mut flipped = whole.to_vec();
            flipped[at] ^= 1;
            let view = BatchView::first(&flipped).expect("lengths are intact");
            assert!(matches!(view.verify_checksum(), Err(BatchError::Corrupt { .. })), "flip at {at}");
        }
    }

    #[test]
    fn old_formats_are_told_from_cut_ones() {
        let mut bytes = [0u8; 30];
        bytes[11] = 18;
        bytes[16] = 1;
        assert_eq!(BatchView::first(&bytes).err(), Some(BatchError::UnsupportedMagic(1)));
        assert!(matches!(BatchView::first(&[0; 5]).err(), Some(BatchError::Truncated { .. })));
    }
}
