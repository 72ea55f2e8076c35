//! A network inside the process: byte streams between two ends, with bounded room and no hidden order.
//! Shell's stand-in. What arrives is decided by who is polled, so it is as deterministic as its callers.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use parking_lot::Mutex;

use crate::BoxFuture;
use crate::disk::File;
use crate::net::{Acceptor, DialOptions, Net, SocketBuffers, Stream};

/// Bytes on the way in one direction, as a socket's buffers hold.
const PIPE_BYTES_DEFAULT: usize = 256 * 1024;
/// Where picked ports start.
const FIRST_PICKED_PORT: u16 = 20_000;
const FIRST_CLIENT_PORT: u16 = 40_000;
/// A file without a descriptor is sent through a buffer of at most this size.
const SEND_FILE_BYTES_MAX: usize = 64 * 1024;

/// One network; clones are the same one.
#[derive(Clone)]
pub struct MemoryNet {
    shared: Arc<Mutex<Places>>,
    pipe_bytes: usize,
}

struct Places {
    listening: HashMap<SocketAddr, Arc<Mutex<Backlog>>>,
    /// Addresses that answer nothing, as behind a cut cable.
    silent: HashSet<SocketAddr>,
    next_picked_port: u16,
    next_client_port: u16,
}

#[derive(Default)]
struct Backlog {
    waiting: VecDeque<io::Result<MemoryStream>>,
    acceptor: Option<Waker>,
}

struct MemoryAcceptor {
    net: MemoryNet,
    local_addr: SocketAddr,
    backlog: Arc<Mutex<Backlog>>,
}

/// One end of a connection.
pub struct MemoryStream {
    local_addr: SocketAddr,
    peer_addr: SocketAddr,
    incoming: Arc<Mutex<Pipe>>,
    outgoing: Arc<Mutex<Pipe>>,
}

/// One direction of a connection.
struct Pipe {
    bytes: BytesMut,
    bytes_max: usize,
    is_writer_gone: bool,
    is_reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl MemoryNet {
    #[allow(clippy::new_without_default, reason = "a network of its own is not a default value")]
    pub fn new() -> MemoryNet {
        MemoryNet::with_pipe_bytes(PIPE_BYTES_DEFAULT)
    }

    /// A network whose connections hold at most so many bytes on the way in each direction.
    pub fn with_pipe_bytes(pipe_bytes: usize) -> MemoryNet {
        MemoryNet {
            shared: Arc::new(Mutex::new(Places {
                listening: HashMap::new(),
                silent: HashSet::new(),
                next_picked_port: FIRST_PICKED_PORT,
                next_client_port: FIRST_CLIENT_PORT,
            })),
            pipe_bytes,
        }
    }

    /// Connects to a listener from this machine.
    pub fn connect(&self, addr: SocketAddr) -> io::Result<MemoryStream> {
        self.connect_from(IpAddr::V4(Ipv4Addr::LOCALHOST), addr)
    }

    /// Connects to a listener from an address.
    pub fn connect_from(&self, ip: IpAddr, addr: SocketAddr) -> io::Result<MemoryStream> {
        let (backlog, client_addr) = {
            let mut places = self.shared.lock();
            let backlog = places.find(addr).ok_or(io::ErrorKind::ConnectionRefused)?;
            let port = places.next_client_port;
            places.next_client_port = port.checked_add(1).unwrap_or(FIRST_CLIENT_PORT);
            (backlog, SocketAddr::new(ip, port))
        };
        let (client, server) = pair(client_addr, addr, self.pipe_bytes);
        push_backlog(&backlog, Ok(server));
        Ok(client)
    }

    /// Lets an address answer nothing (or again): who dials it waits.
    pub fn set_silent(&self, addr: SocketAddr, is_silent: bool) {
        let mut places = self.shared.lock();
        match is_silent {
            true => places.silent.insert(addr),
            false => places.silent.remove(&addr),
        };
    }

    /// Lets the next accept of a listener fail, as when the machine has no descriptors left.
    pub fn fail_accept(&self, addr: SocketAddr, error: io::Error) -> io::Result<()> {
        let backlog = self.shared.lock().find(addr).ok_or(io::ErrorKind::ConnectionRefused)?;
        push_backlog(&backlog, Err(error));
        Ok(())
    }
}

fn push_backlog(backlog: &Mutex<Backlog>, item: io::Result<MemoryStream>) {
    let acceptor = {
        let mut backlog = backlog.lock();
        backlog.waiting.push_back(item);
        backlog.acceptor.take()
    };
    if let Some(acceptor) = acceptor {
        acceptor.wake();
    }
}

impl Places {
    fn find(&self, addr: SocketAddr) -> Option<Arc<Mutex<Backlog>>> {
        let every_v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), addr.port());
        let every_v6 = SocketAddr::new(IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED), addr.port());
        [addr, every_v4, every_v6].iter().find_map(|place| self.listening.get(place)).cloned()
    }
}

impl Net for MemoryNet {
    fn bind(&self, addr: SocketAddr, _buffers: SocketBuffers) -> io::Result<Box<dyn Acceptor>> {
        let mut places = self.shared.lock();
        let mut addr = addr;
        if addr.port() == 0 {
            while places.listening.keys().any(|taken| taken.port() == places.next_picked_port) {
                places.next_picked_port += 1;
            }
            addr.set_port(places.next_picked_port);
            places.next_picked_port += 1;
        }
        if places.find(addr).is_some() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let backlog = Arc::new(Mutex::new(Backlog::default()));
        places.listening.insert(addr, Arc::clone(&backlog));
        drop(places);
        Ok(Box::new(MemoryAcceptor { net: self.clone(), local_addr: addr, backlog }))
    }

    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let ip = match host {
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            literal => literal
                .trim_start_matches('[')
                .trim_end_matches(']')
                .parse()
                .map_err(|_not_an_address| io::Error::new(io::ErrorKind::NotFound, "unknown host"))?,
        };
        Ok(vec![SocketAddr::new(ip, port)])
    }

    fn dial(
        &self,
        host: &str,
        port: u16,
        _options: DialOptions,
    ) -> BoxFuture<'static, io::Result<Box<dyn Stream>>> {
        let (net, resolved) = (self.clone(), self.resolve(host, port));
        Box::pin(async move {
            let addr = resolved?[0];
            if net.shared.lock().silent.contains(&addr) {
                std::future::pending::<()>().await;
            }
            Ok(Box::new(net.connect(addr)?) as Box<dyn Stream>)
        })
    }
}

impl Acceptor for MemoryAcceptor {
    fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Box<dyn Stream>>> {
        let mut backlog = self.backlog.lock();
        match backlog.waiting.pop_front() {
            Some(Ok(stream)) => Poll::Ready(Ok(Box::new(stream))),
            Some(Err(error)) => Poll::Ready(Err(error)),
            None => {
                backlog.acceptor = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for MemoryAcceptor {
    fn drop(&mut self) {
        self.net.shared.lock().listening.remove(&self.local_addr);
        // Those who wait see their connection closed.
        let waiting = std::mem::take(&mut self.backlog.lock().waiting);
        drop(waiting);
    }
}

/// Two ends of one connection, each with room for `pipe_bytes` on the way to the other.
pub fn pair(client: SocketAddr, server: SocketAddr, pipe_bytes: usize) -> (MemoryStream, MemoryStream) {
    let there = Pipe::new(pipe_bytes);
    let back = Pipe::new(pipe_bytes);
    let client_end = MemoryStream {
        local_addr: client,
        peer_addr: server,
        incoming: Arc::clone(&back),
        outgoing: Arc::clone(&there),
    };
    let server_end = MemoryStream { local_addr: server, peer_addr: client, incoming: there, outgoing: back };
    (client_end, server_end)
}

impl Pipe {
    fn new(bytes_max: usize) -> Arc<Mutex<Pipe>> {
        Arc::new(Mutex::new(Pipe {
            bytes: BytesMut::new(),
            bytes_max,
            is_writer_gone: false,
            is_reader_gone: false,
            reader: None,
            writer: None,
        }))
    }
}

/// Changes a pipe and wakes whom `change` names, with the lock released.
fn with_pipe<T>(pipe: &Mutex<Pipe>, change: impl FnOnce(&mut Pipe) -> (T, Option<Waker>)) -> T {
    let (result, waker) = change(&mut pipe.lock());
    if let Some(waker) = waker {
        waker.wake();
    }
    result
}

impl MemoryStream {
    /// No more is written from this end; the other still may.
    pub fn close_write(&mut self) {
        with_pipe(&self.outgoing, |pipe| {
            pipe.is_writer_gone = true;
            ((), pipe.reader.take())
        });
    }

    /// Writes what there is room for now.
    pub fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut context = Context::from_waker(Waker::noop());
        match self.poll_write_vectored(&mut context, &[IoSlice::new(bytes)]) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Reads all that has arrived; an empty answer is the end of the stream.
    pub fn try_read(&mut self) -> io::Result<BytesMut> {
        let mut buffer = BytesMut::with_capacity(self.incoming.lock().bytes.len().max(1));
        let mut context = Context::from_waker(Waker::noop());
        match self.poll_read(&mut context, &mut buffer) {
            Poll::Ready(result) => result.map(|_count| buffer),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Stream for MemoryStream {
    fn peer_addr(&self) -> SocketAddr {
        self.peer_addr
    }

    fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        if buffer.capacity() == buffer.len() {
            buffer.reserve(64);
        }
        let room = buffer.capacity() - buffer.len();
        with_pipe(&self.incoming, |pipe| {
            if pipe.bytes.is_empty() && pipe.is_writer_gone {
                return (Poll::Ready(Ok(0)), None);
            }
            if pipe.bytes.is_empty() {
                pipe.reader = Some(context.waker().clone());
                return (Poll::Pending, None);
            }
            let count = room.min(pipe.bytes.len());
            buffer.extend_from_slice(&pipe.bytes[..count]);
            pipe.bytes.advance(count);
            (Poll::Ready(Ok(count)), pipe.writer.take())
        })
    }

    fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        with_pipe(&self.outgoing, |pipe| {
            if pipe.is_reader_gone || pipe.is_writer_gone {
                return (Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())), None);
            }
            let mut room = pipe.bytes_max.saturating_sub(pipe.bytes.len());
            if room == 0 {
                pipe.writer = Some(context.waker().clone());
                return (Poll::Pending, None);
            }
            let before = pipe.bytes.len();
            for slice in slices {
                let count = room.min(slice.len());
                pipe.bytes.extend_from_slice(&slice[..count]);
                room -= count;
            }
            assert!(pipe.bytes.len() <= pipe.bytes_max, "a pipe holds no more than its room");
            (Poll::Ready(Ok(pipe.bytes.len() - before)), pipe.reader.take())
        })
    }

    fn poll_send_file(
        &mut self,
        context: &mut Context<'_>,
        file: &dyn File,
        position: u64,
        len: usize,
    ) -> Poll<io::Result<usize>> {
        if let Some(bytes) = file.shared_bytes(position, len) {
            return self.poll_write_vectored(context, &[IoSlice::new(&bytes)]);
        }
        let mut bytes = vec![0; len.min(SEND_FILE_BYTES_MAX)];
        let count = file.read_at(&mut bytes, position)?;
        self.poll_write_vectored(context, &[IoSlice::new(&bytes[..count])])
    }
}

impl Drop for MemoryStream {
    fn drop(&mut self) {
        self.close_write();
        with_pipe(&self.incoming, |pipe| {
            pipe.is_reader_gone = true;
            pipe.bytes.clear();
            ((), pipe.writer.take())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn accept(acceptor: &mut Box<dyn Acceptor>) -> Poll<io::Result<Box<dyn Stream>>> {
        acceptor.poll_accept(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_picked_port_can_be_dialled_and_is_free_again() {
        let net = MemoryNet::new();
        let mut acceptor = net.bind(addr(0), SocketBuffers::default()).expect("a port is free");
        let bound = acceptor.local_addr();
        assert_ne!(bound.port(), 0);
        assert_eq!(
            net.bind(bound, SocketBuffers::default()).err().map(|error| error.kind()),
            Some(io::ErrorKind::AddrInUse)
        );
        let client = net.connect(bound).expect("it listens");
        let Poll::Ready(Ok(server)) = accept(&mut acceptor) else { panic!("a connection waits") };
        assert_eq!((server.peer_addr(), server.local_addr()), (client.local_addr(), client.peer_addr()));
        assert!(accept(&mut acceptor).is_pending());
        drop(acceptor);
        assert_eq!(
            net.connect(bound).err().map(|error| error.kind()),
            Some(io::ErrorKind::ConnectionRefused)
        );
    }

    #[test]
    fn bytes_arrive_in_order_within_the_room_there_is() {
        let (mut client, mut server) = pair(addr(1), addr(2), 4);
        assert_eq!(client.try_write(b"abcdef").ok(), Some(4));
        assert_eq!(client.try_write(b"ef").err().map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
        assert_eq!(&server.try_read().expect("bytes arrived")[..], b"abcd");
        assert_eq!(client.try_write(b"ef").ok(), Some(2));
        client.close_write();
        assert_eq!(&server.try_read().expect("bytes arrived")[..], b"ef");
        assert!(server.try_read().expect("the end is no error").is_empty());
        assert_eq!(server.try_write(b"x").ok(), Some(1), "the other direction is open");
        drop(client);
        assert_eq!(server.try_write(b"x").err().map(|error| error.kind()), Some(io::ErrorKind::BrokenPipe));
    }

    #[test]
    fn a_dial_reaches_a_listener_is_refused_or_waits_in_silence() {
        let net = MemoryNet::new();
        let mut acceptor = net.bind(addr(0), SocketBuffers::default()).expect("a port is free");
        let bound = acceptor.local_addr();
        let dial = |host: &str| {
            let mut dialled = net.dial(host, bound.port(), DialOptions::default());
            dialled.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        };
        let Poll::Ready(Ok(client)) = dial("localhost") else { panic!("it listens") };
        let Poll::Ready(Ok(server)) = accept(&mut acceptor) else { panic!("a connection waits") };
        assert_eq!((server.peer_addr(), server.local_addr()), (client.local_addr(), client.peer_addr()));
        assert!(matches!(dial("no.such.host"), Poll::Ready(Err(_))));
        net.set_silent(bound, true);
        assert!(dial("127.0.0.1").is_pending());
        net.set_silent(bound, false);
        drop(acceptor);
        let Poll::Ready(Err(error)) = dial("127.0.0.1") else { panic!("nobody listens") };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_failing_accept_is_followed_by_a_good_one() {
        let net = MemoryNet::new();
        let mut acceptor = net.bind(addr(0), SocketBuffers::default()).expect("a port is free");
        let bound = acceptor.local_addr();
        net.fail_accept(bound, io::Error::other("no descriptors")).expect("it listens");
        let _client = net.connect(bound).expect("it listens");
        assert!(matches!(accept(&mut acceptor), Poll::Ready(Err(_))));
        assert!(matches!(accept(&mut acceptor), Poll::Ready(Ok(_))));
    }
}
