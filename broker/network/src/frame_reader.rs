//! Bytes of a connection cut into frames, in a buffer that grows only with what has arrived.
//! Core.
//!
//! ```text
//! | length i32 | frame: length bytes | length i32 | frame ...
//! ```
//!
//! Frames are slices of the buffer they were read into: nothing is copied but the start of a frame
//! that did not fit the rest of its buffer.

use bytes::{Buf, Bytes, BytesMut};
use ottla_model::limits::{
    CONNECTION_READ_BUFFER_BYTES_IDLE, CONNECTION_READ_BYTES_MAX, REQUEST_FRAME_BYTES_MIN,
};

/// A length prefix no request can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadFrame {
    #[error("frame length {0} is negative")]
    Negative(i32),
    #[error("frame length {0} is too short for a header")]
    TooShort(usize),
    #[error("frame length {len} is over the limit of {max}")]
    TooLong { len: usize, max: usize },
}

impl BadFrame {
    /// Whether the length is the start of a TLS hello: record type 22, version 3.x.
    pub fn is_tls(self) -> bool {
        matches!(self, BadFrame::TooLong { len, .. } if len >> 16 == 0x1603)
    }
}

const PREFIX_BYTES: usize = 4;

/// Small frames are read by at most this much at a time.
const SMALL_FRAMES_READ_BYTES_MAX: usize = 64 * 1024;

/// From this size on a frame says how large the next one will be.
const LARGE_FRAME_BYTES: usize = 16 * 1024;

/// The next frame is taken to be as large as the last one, up to this.
const FRAME_LIKELY_BYTES_MAX: usize = 8 * CONNECTION_READ_BYTES_MAX;

/// A buffer of a frame may be this many times as large as what has arrived of it, so that at most a
/// third of a frame is copied while its buffer grows.
const GROWTH: usize = 4;

pub struct FrameReader {
    buffer: BytesMut,
    frame_bytes_min: usize,
    frame_bytes_max: usize,
    /// What the next read of small frames asks for: doubled when a read is filled.
    read_bytes: usize,
    /// The last frame with its prefix.
    last_frame_bytes: usize,
}

impl FrameReader {
    /// For requests: `frame_bytes_max` is `socket.request.max.bytes`.
    pub fn new(frame_bytes_max: usize) -> FrameReader {
        FrameReader::with_limits(REQUEST_FRAME_BYTES_MIN, frame_bytes_max)
    }

    pub fn with_limits(frame_bytes_min: usize, frame_bytes_max: usize) -> FrameReader {
        assert!(frame_bytes_min <= frame_bytes_max, "no frame is within its limits");
        FrameReader {
            buffer: BytesMut::new(),
            frame_bytes_min,
            frame_bytes_max,
            read_bytes: CONNECTION_READ_BUFFER_BYTES_IDLE,
            last_frame_bytes: 0,
        }
    }

    /// Other limits from the next frame on.
    pub fn set_limits(&mut self, frame_bytes_min: usize, frame_bytes_max: usize) {
        assert!(frame_bytes_min <= frame_bytes_max, "no frame is within its limits");
        (self.frame_bytes_min, self.frame_bytes_max) = (frame_bytes_min, frame_bytes_max);
    }

    /// Takes bytes that somebody else has read, before any other is.
    pub fn begin_with(&mut self, bytes: BytesMut) {
        assert!(self.buffer.is_empty(), "nothing was read before");
        self.buffer = bytes;
    }

    /// The next whole frame without its prefix; `None` when more bytes must arrive.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, BadFrame> {
        let Some(total) = self.frame_total()? else { return Ok(None) };
        if self.buffer.len() < total {
            return Ok(None);
        }
        self.last_frame_bytes = total;
        let mut frame = self.buffer.split_to(total).freeze();
        frame.advance(PREFIX_BYTES);
        Ok(Some(frame))
    }

    /// Bytes of the frame at the front, its prefix included, once the prefix is there.
    fn frame_total(&self) -> Result<Option<usize>, BadFrame> {
        let Some(prefix) = self.buffer.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let promised = i32::from_be_bytes(*prefix);
        let len = usize::try_from(promised).map_err(|_negative| BadFrame::Negative(promised))?;
        if len > self.frame_bytes_max {
            return Err(BadFrame::TooLong { len, max: self.frame_bytes_max });
        }
        if len < self.frame_bytes_min {
            return Err(BadFrame::TooShort(len));
        }
        Ok(Some(PREFIX_BYTES + len))
    }

    /// Room the next read should have. What was promised counts only as far as what has arrived, or
    /// what the last frame of this connection was, makes it likely.
    pub fn wanted_bytes(&self) -> usize {
        let arrived = self.buffer.len();
        let likely = match self.last_frame_bytes {
            large if large >= LARGE_FRAME_BYTES => large.min(FRAME_LIKELY_BYTES_MAX),
            _small => 0,
        };
        if arrived == 0 {
            return self.read_bytes.max(likely);
        }
        match self.frame_total() {
            Ok(Some(total)) if total > arrived => {
                let missing = total - arrived;
                missing.min((GROWTH * arrived).max(likely).max(CONNECTION_READ_BUFFER_BYTES_IDLE))
            }
            _unknown => CONNECTION_READ_BUFFER_BYTES_IDLE,
        }
    }

    /// The buffer with room for the next read.
    pub fn buffer_with_room(&mut self) -> &mut BytesMut {
        let spare = self.buffer.capacity() - self.buffer.len();
        let wanted = self.wanted_bytes();
        // A frame that still fits is completed where it is. An empty buffer is worth keeping when
        // a good part of a read fits.
        if spare < wanted && (spare < CONNECTION_READ_BUFFER_BYTES_IDLE.min(wanted) || spare < wanted / 2) {
            self.buffer.reserve(wanted);
        }
        &mut self.buffer
    }

    /// Notes that a read brought `read` bytes where `room` was free.
    pub fn on_read(&mut self, read: usize, room: usize) {
        if read >= room {
            self.read_bytes = (self.read_bytes * 2).min(SMALL_FRAMES_READ_BYTES_MAX);
        } else if read < self.read_bytes / 4 {
            self.read_bytes = (self.read_bytes / 2).max(CONNECTION_READ_BUFFER_BYTES_IDLE);
        }
    }

    /// Nothing arrives for now: an empty buffer is given back.
    pub fn release_if_empty(&mut self) {
        if self.buffer.is_empty() && self.buffer.capacity() > 0 {
            self.buffer = BytesMut::new();
        }
    }

    /// Bytes that arrived and are not part of a frame handed out.
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    #[cfg(test)]
    pub fn allocated_bytes(&self) -> usize {
        self.buffer.capacity()
    }
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;

    use super::*;

    fn frame(len: usize, fill: u8) -> Vec<u8> {
        let mut bytes = (len as i32).to_be_bytes().to_vec();
        bytes.resize(PREFIX_BYTES + len, fill);
        bytes
    }

    /// Reads as a socket with these bytes in it would be read.
    fn read_from(reader: &mut FrameReader, socket: &mut &[u8]) -> usize {
        let buffer = reader.buffer_with_room();
        let room = buffer.capacity() - buffer.len();
        let read = room.min(socket.len());
        buffer.put_slice(&socket[..read]);
        socket.advance(read);
        reader.on_read(read, room);
        read
    }

    #[test]
    fn frames_come_out_whole_and_in_order_byte_by_byte() {
        let mut bytes = frame(8, 1);
        bytes.extend(frame(100, 2));
        let mut reader = FrameReader::new(1000);
        let mut frames = Vec::new();
        for byte in &bytes {
            assert_eq!(read_from(&mut reader, &mut std::slice::from_ref(byte)), 1);
            frames.extend(reader.next_frame().expect("good frames"));
        }
        assert_eq!(frames, [Bytes::from(vec![1; 8]), Bytes::from(vec![2; 100])]);
        assert_eq!(reader.buffered_bytes(), 0);
    }

    #[test]
    fn each_bad_length_has_its_reason() {
        for (prefix, expected) in [
            (-1_i32, BadFrame::Negative(-1)),
            (i32::MIN, BadFrame::Negative(i32::MIN)),
            (0, BadFrame::TooShort(0)),
            (7, BadFrame::TooShort(7)),
            (1001, BadFrame::TooLong { len: 1001, max: 1000 }),
            (i32::MAX, BadFrame::TooLong { len: i32::MAX as usize, max: 1000 }),
        ] {
            let mut reader = FrameReader::new(1000);
            read_from(&mut reader, &mut &prefix.to_be_bytes()[..]);
            assert_eq!(reader.next_frame(), Err(expected));
        }
    }

    #[test]
    fn a_promise_reserves_nothing() {
        let mut reader = FrameReader::new(100 << 20);
        read_from(&mut reader, &mut &(100_i32 << 20).to_be_bytes()[..]);
        assert_eq!(reader.next_frame(), Ok(None));
        reader.buffer_with_room();
        assert!(reader.allocated_bytes() <= 2 * CONNECTION_READ_BUFFER_BYTES_IDLE);
    }

    #[test]
    fn a_large_frame_grows_with_what_arrived() {
        let sent = frame(10 << 20, 7);
        let mut socket = &sent[..];
        let mut reader = FrameReader::new(100 << 20);
        while !socket.is_empty() {
            let before = reader.buffered_bytes();
            read_from(&mut reader, &mut socket);
            assert!(reader.allocated_bytes() <= (GROWTH + 1) * before.max(CONNECTION_READ_BUFFER_BYTES_IDLE));
        }
        let got = reader.next_frame().expect("a good frame").expect("a whole frame");
        assert_eq!(got, &sent[PREFIX_BYTES..]);
    }

    #[test]
    fn a_stream_of_equal_large_frames_is_read_frame_by_frame_into_place() {
        let sent = frame(65_536, 7).repeat(20);
        let mut socket = &sent[..];
        let mut reader = FrameReader::new(100 << 20);
        let mut reads = 0;
        let mut frames = 0;
        while !socket.is_empty() {
            reads += 1;
            read_from(&mut reader, &mut socket);
            while let Some(frame) = reader.next_frame().expect("good frames") {
                frames += 1;
                assert_eq!(frame.len(), 65_536);
            }
        }
        assert_eq!(frames, 20);
        assert!(reads <= 30, "{reads} reads for 20 frames");
    }

    #[test]
    fn an_idle_reader_holds_no_memory() {
        let mut reader = FrameReader::new(1000);
        read_from(&mut reader, &mut &frame(50, 1)[..]);
        assert!(reader.next_frame().expect("a good frame").is_some());
        reader.release_if_empty();
        assert_eq!(reader.allocated_bytes(), 0);
    }
}
