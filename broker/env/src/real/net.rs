//! The machine's TCP.
//! Shell.

use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use rustix::net::{SendAncillaryBuffer, SendFlags};
use tokio::io::{AsyncReadExt, AsyncWrite, Interest};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::BoxFuture;
use crate::disk::File;
use crate::net::{Acceptor, DialOptions, Net, SocketBuffers, Stream};

/// Connections the kernel may hold before they are accepted: a storm of clients after a restart
/// must not see refusals (`socket.listen.backlog.size` is smaller, and a bound of the kernel's).
const LISTEN_BACKLOG: i32 = 4096;

pub struct RealNet;

struct TcpAcceptor {
    listener: TcpListener,
    local_addr: SocketAddr,
}

struct RealStream {
    stream: TcpStream,
    /// Kept, for the system forgets it when the other side is gone.
    peer_addr: SocketAddr,
}

impl Net for RealNet {
    fn bind(&self, addr: SocketAddr, buffers: SocketBuffers) -> io::Result<Box<dyn Acceptor>> {
        let domain = socket2::Domain::for_address(addr);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        // Accepted sockets have the listener's buffers. The one for receiving has to be set before
        // connections are made: it decides the window that their handshakes promise.
        if let Some(bytes) = buffers.receive_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(bytes) = buffers.send_bytes {
            socket.set_send_buffer_size(bytes)?;
        }
        socket.bind(&addr.into())?;
        socket.listen(LISTEN_BACKLOG)?;
        let listener = TcpListener::from_std(socket.into())?;
        let local_addr = listener.local_addr()?;
        Ok(Box::new(TcpAcceptor { listener, local_addr }))
    }

    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }

    fn dial(
        &self,
        host: &str,
        port: u16,
        options: DialOptions,
    ) -> BoxFuture<'static, io::Result<Box<dyn Stream>>> {
        let host = host.to_owned();
        Box::pin(async move {
            let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            for addr in tokio::net::lookup_host((host.as_str(), port)).await? {
                match connect(addr, options).await {
                    Ok(stream) => return Ok(Box::new(stream) as Box<dyn Stream>),
                    Err(error) => failed = error,
                }
            }
            Err(failed)
        })
    }
}

async fn connect(addr: SocketAddr, options: DialOptions) -> io::Result<RealStream> {
    let buffers = options.buffers;
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Before the handshake, which promises the window for receiving.
    if let Some(bytes) = buffers.receive_bytes {
        socket.set_recv_buffer_size(u32::try_from(bytes).unwrap_or(u32::MAX))?;
    }
    if let Some(bytes) = buffers.send_bytes {
        socket.set_send_buffer_size(u32::try_from(bytes).unwrap_or(u32::MAX))?;
    }
    let stream = socket.connect(addr).await?;
    if let Some(silence_max) = options.silence_max {
        give_up_after(&stream, silence_max)?;
    }
    RealStream::new(stream, addr)
}

/// Data that is not acknowledged and probes that are not answered end the connection.
fn give_up_after(stream: &TcpStream, silence_max: Duration) -> io::Result<()> {
    // Two probes in that time; the kernel counts in whole seconds.
    let between = (silence_max / 2).max(Duration::from_secs(1));
    let keepalive = socket2::TcpKeepalive::new().with_time(between).with_interval(between);
    socket2::SockRef::from(stream).set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_tcp_user_timeout(
        stream,
        u32::try_from(silence_max.as_millis()).unwrap_or(u32::MAX),
    )?;
    Ok(())
}

impl RealStream {
    fn new(stream: TcpStream, peer_addr: SocketAddr) -> io::Result<RealStream> {
        stream.set_nodelay(true)?;
        Ok(RealStream { stream, peer_addr })
    }
}

impl Acceptor for TcpAcceptor {
    fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Box<dyn Stream>>> {
        self.listener.poll_accept(context).map(|accepted| {
            let (stream, peer_addr) = accepted?;
            Ok(Box::new(RealStream::new(stream, peer_addr)?) as Box<dyn Stream>)
        })
    }
}

/// Repeats `attempt` until it does not say `WouldBlock`, or the socket is not ready.
macro_rules! poll_io {
    ($ready:expr, $attempt:expr) => {
        loop {
            match $ready {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {}
            }
            match $attempt {
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                result => return Poll::Ready(result),
            }
        }
    };
}

impl Stream for RealStream {
    fn peer_addr(&self) -> SocketAddr {
        self.peer_addr
    }

    fn local_addr(&self) -> SocketAddr {
        // Asked for once, when the connection begins: thousands need not keep it.
        self.stream.local_addr().unwrap_or_else(|_| SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))
    }

    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        // Unlike `try_read_buf` this knows that a read that did not fill the room emptied the socket:
        // the next one waits for the socket without asking the kernel. The future holds no state.
        let read = pin!(self.stream.read_buf(buffer));
        read.poll(context)
    }

    fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        match slices {
            // A plain send is a little cheaper than a gathered one of one slice.
            [one] => stream.poll_write(context, one),
            several => stream.poll_write_vectored(context, several),
        }
    }

    fn poll_write_vectored_more(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        poll_io!(
            self.stream.poll_write_ready(context),
            self.stream.try_io(Interest::WRITABLE, || {
                let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
                let mut no_control = SendAncillaryBuffer::default();
                Ok(rustix::net::sendmsg(&self.stream, slices, &mut no_control, flags)?)
            })
        )
    }

    fn poll_send_file(
        &mut self,
        context: &mut Context<'_>,
        file: &dyn File,
        position: u64,
        len: usize,
    ) -> Poll<io::Result<usize>> {
        if let Some(source) = file.std_file() {
            poll_io!(
                self.stream.poll_write_ready(context),
                self.stream.try_io(Interest::WRITABLE, || {
                    let mut from = position;
                    Ok(rustix::fs::sendfile(&self.stream, source, Some(&mut from), len)?)
                })
            )
        }
        if let Some(bytes) = file.shared_bytes(position, len) {
            return self.poll_write_vectored(context, &[IoSlice::new(&bytes)]);
        }
        let mut bytes = vec![0; len.min(64 * 1024)];
        let read = file.read_at(&mut bytes, position)?;
        self.poll_write_vectored(context, &[IoSlice::new(&bytes[..read])])
    }
}
