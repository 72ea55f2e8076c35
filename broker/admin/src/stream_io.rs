//! A stream of `env` in the form hyper reads and writes.
//! Shell.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use hyper::rt::{Read, ReadBufCursor, Write};
use ottla_env::net::Stream;

/// Bytes asked of the stream at a time.
const READ_BYTES: usize = 4096;

pub struct StreamIo {
    stream: Box<dyn Stream>,
    /// Bytes read that hyper had no room for yet.
    read: BytesMut,
}

impl StreamIo {
    pub fn new(stream: Box<dyn Stream>) -> StreamIo {
        StreamIo::with_bytes(stream, BytesMut::new())
    }

    /// With bytes that were read off the stream already.
    pub fn with_bytes(stream: Box<dyn Stream>, read: BytesMut) -> StreamIo {
        StreamIo { stream, read }
    }
}

impl Read for StreamIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.read.is_empty() {
            this.read.reserve(READ_BYTES);
            match this.stream.poll_read(context, &mut this.read) {
                Poll::Pending => {
                    // Between requests a connection holds no buffer.
                    this.read = BytesMut::new();
                    return Poll::Pending;
                }
                Poll::Ready(result) => {
                    result?;
                }
            }
        }
        let count = this.read.len().min(cursor.remaining());
        cursor.put_slice(&this.read[..count]);
        this.read.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl Write for StreamIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The stream closes when it is dropped, which follows at once.
        Poll::Ready(Ok(()))
    }
}
