//! A response: bytes made here and slices of files, sent in this order without being copied.
//! Core.
//!
//! The first chunk starts with room for the length prefix, so that a response costs no extra
//! buffer and no extra write:
//!
//! ```text
//! | length i32 | correlation id i32 | [tags] | body ...          | file slice | bytes | file slice |
//! |<--------------------- first chunk ----------------------->|<------- further chunks --------->|
//! ```

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use ottla_env::File;

/// A part of a response.
#[derive(Clone)]
pub enum Chunk {
    Bytes(Bytes),
    File { file: Arc<dyn File>, position: u64, len: usize },
}

impl Chunk {
    pub fn len(&self) -> usize {
        match self {
            Chunk::Bytes(bytes) => bytes.len(),
            Chunk::File { len, .. } => *len,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A whole response, length prefix included.
pub struct Response {
    pub head: Bytes,
    pub rest: Vec<Chunk>,
    len: usize,
}

const LENGTH_PREFIX_BYTES: usize = 4;

/// Builds a response front to back.
pub struct ResponseBuilder {
    /// Bytes since the last file slice.
    pub buffer: BytesMut,
    done: Vec<Chunk>,
    done_len: usize,
    done_file_len: usize,
}

impl ResponseBuilder {
    pub fn with_capacity(body_bytes: usize) -> ResponseBuilder {
        let mut buffer = BytesMut::with_capacity(LENGTH_PREFIX_BYTES + body_bytes);
        buffer.put_i32(0);
        ResponseBuilder { buffer, done: Vec::new(), done_len: 0, done_file_len: 0 }
    }

    /// Adds a part that is sent as it is.
    pub fn push(&mut self, chunk: Chunk) {
        if chunk.is_empty() {
            return;
        }
        let bytes = self.buffer.split().freeze();
        self.done_len += bytes.len() + chunk.len();
        if matches!(chunk, Chunk::File { .. }) {
            self.done_file_len += chunk.len();
        }
        if !bytes.is_empty() {
            self.done.push(Chunk::Bytes(bytes));
        }
        self.done.push(chunk);
    }

    /// Bytes of memory the response holds so far.
    pub fn memory_bytes(&self) -> usize {
        self.done_len - self.done_file_len + self.buffer.len()
    }

    /// Writes the length prefix. `None` when the body is longer than a frame can say.
    pub fn finish(mut self) -> Option<Response> {
        let len = self.done_len + self.buffer.len();
        let prefix = i32::try_from(len - LENGTH_PREFIX_BYTES).ok()?.to_be_bytes();
        let tail = self.buffer;
        let (head, rest) = if self.done.is_empty() {
            (tail, Vec::new())
        } else {
            // The prefix is always at the start of the first chunk, which is bytes of our own.
            let Chunk::Bytes(first) = self.done.remove(0) else { unreachable!("the head is bytes") };
            if !tail.is_empty() {
                self.done.push(Chunk::Bytes(tail.freeze()));
            }
            (first.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..])), self.done)
        };
        let mut head = head;
        head[..LENGTH_PREFIX_BYTES].copy_from_slice(&prefix);
        Some(Response { head: head.freeze(), rest, len })
    }
}

impl Response {
    /// These bytes as they are, whatever they say of their length: what a fault on the way makes of a response.
    pub fn of_bytes(bytes: Bytes) -> Response {
        Response { len: bytes.len(), head: bytes, rest: Vec::new() }
    }

    /// All bytes on the wire, the length prefix included.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        false
    }

    /// Bytes of memory this response holds while it waits to be sent (file slices hold none).
    pub fn memory_bytes(&self) -> usize {
        self.head.len()
            + self
                .rest
                .iter()
                .map(|chunk| match chunk {
                    Chunk::Bytes(bytes) => bytes.len(),
                    Chunk::File { .. } => 0,
                })
                .sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_counts_every_chunk() {
        let mut builder = ResponseBuilder::with_capacity(16);
        builder.buffer.put_i32(7);
        builder.push(Chunk::Bytes(Bytes::from_static(b"records")));
        builder.buffer.put_u8(0);
        let response = builder.finish().expect("it fits a frame");
        assert_eq!(response.len(), 4 + 4 + 7 + 1);
        assert_eq!(&response.head[..], &[0, 0, 0, 12, 0, 0, 0, 7]);
        assert_eq!(response.rest.iter().map(Chunk::len).sum::<usize>(), 8);
    }

    #[test]
    fn a_response_without_chunks_is_one_buffer() {
        let mut builder = ResponseBuilder::with_capacity(4);
        builder.buffer.put_i32(9);
        let response = builder.finish().expect("it fits a frame");
        assert_eq!(&response.head[..], &[0, 0, 0, 4, 0, 0, 0, 9]);
        assert!(response.rest.is_empty());
    }
}
