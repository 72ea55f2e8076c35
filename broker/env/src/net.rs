//! Sockets: what a listener and a connection need.
//! Shell: the interfaces that `real/` and `memory/` implement, in poll form so that one task can own both directions
//! of a connection.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;

use crate::BoxFuture;
use crate::disk::File;

/// Sizes of the kernel's buffers of a socket, in bytes; `None` leaves them to the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SocketBuffers {
    pub send_bytes: Option<usize>,
    pub receive_bytes: Option<usize>,
}

/// What an outgoing connection is to be like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DialOptions {
    pub buffers: SocketBuffers,
    /// The connection is given up when the other side acknowledges nothing for so long, be it data or a probe of
    /// an idle connection. `None` leaves it to the kernel, which takes many minutes.
    pub silence_max: Option<Duration>,
}

pub trait Net: Send + Sync {
    /// Binds and listens; port 0 picks a free one. The socket accepts from here on into its
    /// backlog, so bind only when everything behind it is ready to serve.
    /// What it accepts has `buffers`.
    fn bind(&self, addr: SocketAddr, buffers: SocketBuffers) -> io::Result<Box<dyn Acceptor>>;
    /// Addresses a name stands for. May block: for the start of the process only.
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
    /// Opens a connection to a host: resolves its name and tries its addresses in turn. It has no
    /// deadline of its own; dropping the future gives the attempt up.
    fn dial(
        &self,
        host: &str,
        port: u16,
        options: DialOptions,
    ) -> BoxFuture<'static, io::Result<Box<dyn Stream>>>;
}

pub trait Acceptor: Send {
    fn local_addr(&self) -> SocketAddr;
    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Box<dyn Stream>>>;
}

pub trait Stream: Send {
    fn peer_addr(&self) -> SocketAddr;
    /// The address the client dialled, as far as this machine knows it.
    fn local_addr(&self) -> SocketAddr;

    /// Reads into the spare room of `buffer`; 0 is the end of the stream.
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>>;

    fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// As `poll_write_vectored`, for bytes that are followed by more at once: the platform may keep
    /// them back to send both together.
    fn poll_write_vectored_more(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, slices)
    }

    /// Sends up to `len` bytes of a file without copying them through this process where the
    /// platform can (sendfile).
    fn poll_send_file(
        &mut self,
        context: &mut Context<'_>,
        file: &dyn File,
        position: u64,
        len: usize,
    ) -> Poll<io::Result<usize>>;
}
