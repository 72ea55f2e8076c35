//! The four codecs, as Kafka's clients write them, with a bound on what they may expand to.
//! Core.
//!
//! Snappy comes in two dresses: xerial's (the Java client), drawn below, and one raw block
//! (librdkafka). Lz4 is the standard frame with independent 64 KiB blocks.
//!
//! ```text
//! 82 'S' 'N' 'A' 'P' 'P' 'Y' 00 | version i32 (1) | compatible version i32 (1)
//! | (block length i32 | raw snappy block of at most 32 KiB uncompressed)*
//! ```

use std::cell::RefCell;
use std::io::{self, Read, Write};

use ottla_model::limits::DECOMPRESSED_BATCH_BYTES_MAX;

use crate::record::{RecordFormatError, SliceSource, StreamSource, Walk, walk};

/// The codec a batch says it was written with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CompressionType {
    #[default]
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// A codec and how hard it should try.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Codec {
    #[default]
    None,
    /// 1 to 9, or -1 for the default.
    Gzip(i32),
    Snappy,
    /// 1 to 17. Only the fast compressor exists here, so every level is it.
    Lz4(i32),
    /// -131072 to 22.
    Zstd(i32),
}

/// Why compressed bytes can't be expanded.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    #[error("Unknown compression type id: {0}")]
    Unknown(i16),
    #[error("Failed to decompress record stream: {0}")]
    Malformed(String),
    #[error("the batch expands to more than {DECOMPRESSED_BATCH_BYTES_MAX} bytes")]
    TooLarge,
}

impl CompressionType {
    pub fn id(self) -> i16 {
        self as i16
    }

    pub fn from_id(id: i16) -> Option<CompressionType> {
        Some(match id {
            0 => CompressionType::None,
            1 => CompressionType::Gzip,
            2 => CompressionType::Snappy,
            3 => CompressionType::Lz4,
            4 => CompressionType::Zstd,
            _ => return None,
        })
    }

    pub fn is_none(self) -> bool {
        self == CompressionType::None
    }
}

impl Codec {
    pub fn compression_type(self) -> CompressionType {
        match self {
            Codec::None => CompressionType::None,
            Codec::Gzip(_) => CompressionType::Gzip,
            Codec::Snappy => CompressionType::Snappy,
            Codec::Lz4(_) => CompressionType::Lz4,
            Codec::Zstd(_) => CompressionType::Zstd,
        }
    }

    /// The codec of that kind at its default level.
    pub fn default_of(kind: CompressionType) -> Codec {
        match kind {
            CompressionType::None => Codec::None,
            CompressionType::Gzip => Codec::Gzip(-1),
            CompressionType::Snappy => Codec::Snappy,
            CompressionType::Lz4 => Codec::Lz4(9),
            CompressionType::Zstd => Codec::Zstd(3),
        }
    }
}

const XERIAL_MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
const XERIAL_HEADER_BYTES: usize = 16;
const XERIAL_BLOCK_BYTES: usize = 32 * 1024;

/// Bytes of a codec's output looked at in one go by a walk.
const WINDOW_BYTES: usize = 32 * 1024;

thread_local! {
    static WINDOW: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Compresses `bytes` onto the end of `out`.
pub fn compress_onto(codec: Codec, bytes: &[u8], out: &mut Vec<u8>) {
    const MEMORY: &str = "writing to memory does not fail";
    match codec {
        Codec::None => out.extend_from_slice(bytes),
        Codec::Gzip(level) => {
            let level = if level < 0 {
                flate2::Compression::default()
            } else {
                flate2::Compression::new(level.min(9) as u32)
            };
            let mut encoder = flate2::write::GzEncoder::new(out, level);
            encoder.write_all(bytes).expect(MEMORY);
            encoder.finish().expect(MEMORY);
        }
        Codec::Snappy => {
            out.extend_from_slice(XERIAL_MAGIC);
            out.extend_from_slice(&1i32.to_be_bytes());
            out.extend_from_slice(&1i32.to_be_bytes());
            let mut encoder = snap::raw::Encoder::new();
            for block in bytes.chunks(XERIAL_BLOCK_BYTES) {
                let block = encoder.compress_vec(block).expect("a block is below snappy's limit");
                out.extend_from_slice(&(block.len() as i32).to_be_bytes());
                out.extend_from_slice(&block);
            }
        }
        Codec::Lz4(_) => {
            let info = lz4_flex::frame::FrameInfo::new()
                .block_size(lz4_flex::frame::BlockSize::Max64KB)
                .block_mode(lz4_flex::frame::BlockMode::Independent);
            let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, out);
            encoder.write_all(bytes).expect(MEMORY);
            encoder.finish().expect(MEMORY);
        }
        Codec::Zstd(level) => {
            let mut encoder = zstd::stream::write::Encoder::new(out, level).expect(MEMORY);
            encoder.write_all(bytes).expect(MEMORY);
            encoder.finish().expect(MEMORY);
        }
    }
}

/// Expands what is no batch; more than `bytes_max` is an error.
pub fn decompress(kind: CompressionType, bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, CodecError> {
    assert!(bytes_max <= DECOMPRESSED_BATCH_BYTES_MAX, "no codec expands more");
    let mut out = Vec::new();
    let read = with_stream(kind, bytes, |stream| stream.take(bytes_max as u64 + 1).read_to_end(&mut out))?;
    match read {
        Ok(read) if read > bytes_max => Err(CodecError::TooLarge),
        Ok(_) => Ok(out),
        Err(error) => Err(CodecError::Malformed(error.to_string())),
    }
}

/// Expands into `out`, which is emptied first.
pub(crate) fn decompress_into(
    kind: CompressionType,
    bytes: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    out.clear();
    let read = with_stream(kind, bytes, |stream| {
        stream.take(DECOMPRESSED_BATCH_BYTES_MAX as u64 + 1).read_to_end(out)
    })?;
    match read {
        Ok(read) if read > DECOMPRESSED_BATCH_BYTES_MAX => Err(CodecError::TooLarge),
        Ok(read) => {
            assert!(out.len() == read, "what is expanded is all that is there");
            Ok(())
        }
        Err(error) => Err(CodecError::Malformed(error.to_string())),
    }
}

/// What is wrong with a batch's records as a walk sees them.
#[derive(Debug)]
pub(crate) enum WalkError {
    Codec(CodecError),
    Format(RecordFormatError),
}

/// Walks the records of a body, expanding through a small reused window where it is compressed.
pub(crate) fn walk_body(kind: CompressionType, body: &[u8], count: i32) -> Result<Walk, WalkError> {
    if kind.is_none() {
        return walk(&mut SliceSource::new(body), count).map_err(WalkError::Format);
    }
    WINDOW.with_borrow_mut(|window| {
        window.resize(WINDOW_BYTES, 0);
        with_stream(kind, body, |stream| {
            let mut source = StreamSource::new(stream, window, DECOMPRESSED_BATCH_BYTES_MAX as u64);
            let walked = walk(&mut source, count);
            match (source.failure, source.exceeded) {
                (Some(error), _) => Err(WalkError::Codec(CodecError::Malformed(error.to_string()))),
                (None, true) => Err(WalkError::Codec(CodecError::TooLarge)),
                (None, false) => walked.map_err(WalkError::Format),
            }
        })
        .map_err(WalkError::Codec)?
    })
}

fn with_stream<T>(
    kind: CompressionType,
    bytes: &[u8],
    read: impl FnOnce(&mut dyn Read) -> T,
) -> Result<T, CodecError> {
    match kind {
        CompressionType::None => Ok(read(&mut { bytes })),
        CompressionType::Gzip => Ok(read(&mut flate2::bufread::MultiGzDecoder::new(bytes))),
        CompressionType::Snappy => Ok(read(&mut SnappyReader::new(bytes))),
        CompressionType::Lz4 => Ok(read(&mut lz4_flex::frame::FrameDecoder::new(bytes))),
        CompressionType::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes)
                .map_err(|error| CodecError::Malformed(error.to_string()))?;
            // A window larger than what may come out can't be needed.
            decoder
                .window_log_max(DECOMPRESSED_BATCH_BYTES_MAX.ilog2().min(27))
                .map_err(|error| CodecError::Malformed(error.to_string()))?;
            Ok(read(&mut decoder))
        }
    }
}

/// Expands snappy block by block.
struct SnappyReader<'a> {
    rest: &'a [u8],
    is_framed: bool,
    block: Vec<u8>,
    at: usize,
}

impl<'a> SnappyReader<'a> {
    fn new(bytes: &'a [u8]) -> SnappyReader<'a> {
        let is_framed = bytes.len() >= XERIAL_HEADER_BYTES && bytes.starts_with(XERIAL_MAGIC);
        let rest = if is_framed { &bytes[XERIAL_HEADER_BYTES..] } else { bytes };
        SnappyReader { rest, is_framed, block: Vec::new(), at: 0 }
    }

    /// Expands the next block; `false` at the end.
    fn next_block(&mut self) -> io::Result<bool> {
        if self.rest.is_empty() {
            return Ok(false);
        }
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "malformed snappy block");
        let block;
        if self.is_framed {
            if self.rest.starts_with(XERIAL_MAGIC) && self.rest.len() >= XERIAL_HEADER_BYTES {
                // Streams may be written one after the other.
                self.rest = &self.rest[XERIAL_HEADER_BYTES..];
                return Ok(true);
            }
            let length = self.rest.first_chunk::<4>().ok_or_else(malformed)?;
            let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| malformed())?;
            block = self.rest.get(4..4 + length).ok_or_else(malformed)?;
            self.rest = &self.rest[4 + length..];
        } else {
            block = self.rest;
            self.rest = &[];
        }
        let expanded = snap::raw::decompress_len(block).map_err(io::Error::other)?;
        // A block can't say more than 64 times what it holds; a lie would only reserve memory.
        if expanded > DECOMPRESSED_BATCH_BYTES_MAX || expanded > block.len().saturating_mul(64) {
            return Err(malformed());
        }
        self.block.resize(expanded, 0);
        snap::raw::Decoder::new().decompress(block, &mut self.block).map_err(io::Error::other)?;
        self.at = 0;
        Ok(true)
    }
}

impl Read for SnappyReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.block.len() {
            if !self.next_block()? {
                return Ok(0);
            }
        }
        let count = out.len().min(self.block.len() - self.at);
        out[..count].copy_from_slice(&self.block[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODECS: [Codec; 4] = [Codec::Gzip(-1), Codec::Snappy, Codec::Lz4(9), Codec::Zstd(3)];

    #[test]
    fn every_codec_gives_back_what_it_got() {
        let bytes: Vec<u8> = (0..200_000u32).map(|n| (n / 7) as u8).collect();
        for codec in CODECS {
            let mut packed = Vec::new();
            compress_onto(codec, &bytes, &mut packed);
            assert!(packed.len() < bytes.len(), "{codec:?}");
            let mut unpacked = Vec::new();
            decompress_into(codec.compression_type(), &packed, &mut unpacked).expect("what we packed");
            assert!(unpacked == bytes, "{codec:?}");
        }
    }

    #[test]
    fn raw_snappy_is_read_too() {
        let packed = snap::raw::Encoder::new().compress_vec(b"hello hello hello").expect("packs");
        let mut unpacked = Vec::new();
        decompress_into(CompressionType::Snappy, &packed, &mut unpacked).expect("raw block");
        assert_eq!(unpacked, b"hello hello hello");
    }

    #[test]
    fn garbage_is_an_error_in_every_codec() {
        for codec in CODECS {
            let mut out = Vec::new();
            let result = decompress_into(codec.compression_type(), &[0x77; 40], &mut out);
            assert!(result.is_err(), "{codec:?}");
        }
    }

    #[test]
    fn expansion_is_bounded_without_holding_it() {
        let zeros = vec![0u8; 1 << 20];
        let mut packed = Vec::new();
        let mut encoder = zstd::stream::write::Encoder::new(&mut packed, 1).expect("memory");
        for _ in 0..(DECOMPRESSED_BATCH_BYTES_MAX >> 20) + 1 {
            encoder.write_all(&zeros).expect("memory");
        }
        encoder.finish().expect("memory");
        // Zero bytes walk as records of length zero, which is malformed at once; a huge single
        // value must be skipped through the window to reach the bound.
        let mut record = Vec::new();
        crate::varint::write_varint(&mut record, i32::MAX);
        record.extend_from_slice(&[0, 0, 0, 1]);
        crate::varint::write_varint(&mut record, i32::MAX - 100);
        let mut head = Vec::new();
        compress_onto(Codec::Zstd(1), &record, &mut head);
        head.extend_from_slice(&packed);
        assert!(matches!(
            walk_body(CompressionType::Zstd, &head, 1),
            Err(WalkError::Codec(CodecError::TooLarge))
        ));
    }

    /// CVE-2023-34455: what a batch says of its own length reserves nothing, whatever it was written with.
    #[test]
    fn no_codec_takes_memory_for_a_mere_claim() {
        // One value of 1 GiB is promised, and the first 8 MiB of it are there, in a few kilobytes.
        let mut record = Vec::new();
        crate::varint::write_varint(&mut record, i32::MAX);
        record.extend_from_slice(&[0, 0, 0, 1]);
        crate::varint::write_varint(&mut record, 1 << 30);
        record.resize(record.len() + (8 << 20), 0);
        for codec in CODECS {
            let mut bomb = Vec::new();
            compress_onto(codec, &record, &mut bomb);
            assert!(bomb.len() < record.len() / 15, "{codec:?}: {} bytes", bomb.len());
            let kind = codec.compression_type();
            assert!(walk_body(kind, &bomb, 1).is_err(), "{codec:?}: the value is cut");
            assert!(WINDOW.with_borrow(Vec::capacity) <= 2 * WINDOW_BYTES, "{codec:?}");
            let bounded = decompress(kind, &bomb, 1 << 20);
            assert!(matches!(bounded, Err(CodecError::TooLarge)), "{codec:?}: {bounded:?}");
        }
        // A block of snappy that says it holds 4 GiB.
        let mut lie = vec![0xff, 0xff, 0xff, 0xff, 0x0f];
        lie.extend_from_slice(&[0; 40]);
        let mut xerial = XERIAL_MAGIC.to_vec();
        xerial.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
        xerial.extend_from_slice(&(lie.len() as u32).to_be_bytes());
        xerial.extend_from_slice(&lie);
        for claimed in [lie, xerial] {
            let mut out = Vec::new();
            assert!(decompress_into(CompressionType::Snappy, &claimed, &mut out).is_err());
            assert!(out.capacity() <= 1 << 20, "{}", out.capacity());
        }
    }
}
