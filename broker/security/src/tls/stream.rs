//! A stream under TLS, over any other stream: the one file that knows rustls' connections.
//! Shell.
//!
//! Invariants:
//! - T1. Bytes are reported as written when their records have left, not before: a caller that has written all
//!   needs no further call. The exception is `poll_write_vectored_more`, which promises one.
//! - T2. Until the handshake is over a peer makes this hold `HANDSHAKE_BYTES_MAX` at most.
//! - T3. An idle stream holds no buffer of bytes: what is read and what is sealed passes through buffers of the
//!   worker.

use std::cell::RefCell;
use std::io::{self, IoSlice, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BytesMut};
use ottla_env::disk::File;
use ottla_env::net::Stream;
use ottla_model::limits::HANDSHAKE_BYTES_MAX;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, HandshakeKind, ServerConnection};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::context::TlsContext;
use super::names::distinguished_name;
use super::verifier::in_date;
use crate::KafkaPrincipal;

/// Bytes of a file read, sealed and sent at once.
const FILE_BYTES_MAX: usize = 64 * 1024;
/// Bytes that may be sealed and not sent: a piece of a file and what goes before it.
const SEALED_BYTES_MAX: usize = FILE_BYTES_MAX + 16 * 1024;
/// Bytes taken from the stream at once for a reader that has much room, and for one that has little: a record.
const READ_BYTES: usize = 64 * 1024;
const RECORD_BYTES: usize = 17 * 1024;

thread_local! {
    /// Buffers of the worker, not of a connection: 5,000 idle connections hold none.
    static READ: RefCell<BytesMut> = RefCell::new(BytesMut::with_capacity(READ_BYTES));
    static RECORD: RefCell<BytesMut> = RefCell::new(BytesMut::with_capacity(RECORD_BYTES));
    static FILE: RefCell<Vec<u8>> = RefCell::new(vec![0; FILE_BYTES_MAX]);
}

/// How far a handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// Bytes have arrived that must be worked on: call `compute`. It may take a millisecond.
    MustCompute,
    /// Both sides have what they need.
    Done,
}

/// One connection under TLS.
pub struct TlsStream {
    stream: Box<dyn Stream>,
    tls: Connection,
    /// A listener's side has the context it was accepted with.
    context: Option<Arc<TlsContext>>,
    /// What has arrived and is not yet taken in.
    unread: BytesMut,
    handshake_bytes: usize,
    /// Plain bytes that are sealed, and reported when their records have left.
    sealed: usize,
}

impl TlsStream {
    pub(super) fn accept(
        stream: Box<dyn Stream>,
        context: Arc<TlsContext>,
    ) -> Result<TlsStream, rustls::Error> {
        let tls = ServerConnection::new(Arc::clone(&context.server))?;
        Ok(TlsStream::new(stream, Connection::Server(tls), Some(context)))
    }

    pub(super) fn connect(
        stream: Box<dyn Stream>,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<TlsStream, rustls::Error> {
        let tls = ClientConnection::new(config, name)?;
        Ok(TlsStream::new(stream, Connection::Client(tls), None))
    }

    fn new(stream: Box<dyn Stream>, mut tls: Connection, context: Option<Arc<TlsContext>>) -> TlsStream {
        tls.set_buffer_limit(Some(SEALED_BYTES_MAX));
        TlsStream { stream, tls, context, unread: BytesMut::new(), handshake_bytes: 0, sealed: 0 }
    }

    /// What the other side has shown, its own certificate first.
    #[cfg(test)]
    pub(super) fn peer_chain(&self) -> Vec<rustls::pki_types::CertificateDer<'static>> {
        self.tls.peer_certificates().map(<[_]>::to_vec).unwrap_or_default()
    }

    /// Goes on with new keys, and asks the other side for new ones (KeyUpdate of TLS 1.3).
    #[cfg(test)]
    pub(super) fn change_keys(&mut self) {
        match &mut self.tls {
            Connection::Client(tls) => tls.refresh_traffic_keys(),
            Connection::Server(tls) => tls.refresh_traffic_keys(),
        }
        .expect("TLS 1.3 after its handshake");
    }

    /// Goes on with the handshake as far as the stream lets it.
    pub fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Handshake>> {
        ready!(self.flush(context))?;
        if !self.tls.is_handshaking() {
            return Poll::Ready(Ok(Handshake::Done));
        }
        if self.unread.is_empty() {
            self.unread.reserve(RECORD_BYTES.min(HANDSHAKE_BYTES_MAX));
            let count = ready!(self.stream.poll_read(context, &mut self.unread))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.handshake_bytes += count;
        }
        Poll::Ready(Ok(Handshake::MustCompute))
    }

    /// Works on what has arrived in a handshake. After an error there is an alert to send (`poll_farewell`).
    pub fn compute(&mut self) -> io::Result<()> {
        if self.handshake_bytes > HANDSHAKE_BYTES_MAX {
            return Err(invalid(rustls::Error::General(format!(
                "a handshake of more than {HANDSHAKE_BYTES_MAX} bytes"
            ))));
        }
        while !self.unread.is_empty() && self.tls.is_handshaking() {
            if self.take_in()? == 0 {
                return Err(invalid(rustls::Error::General(
                    "a message of a handshake is too long".to_owned(),
                )));
            }
        }
        if self.unread.is_empty() {
            // The room of a handshake is more than most requests need.
            self.unread = BytesMut::new();
        }
        Ok(())
    }

    /// Sends what is left to send to a peer whose handshake failed, and reads what it still sends, so that its
    /// system does not lose the alert to a reset. Ends with the peer; its caller has a deadline.
    pub fn poll_farewell(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.unread.clear();
        match self.flush(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(_gone)) => return Poll::Ready(()),
            Poll::Ready(Ok(())) => {}
        }
        // One buffer in a poll: a peer that sends without an end gets no more of a worker.
        self.unread.reserve(RECORD_BYTES);
        match self.stream.poll_read(context, &mut self.unread) {
            Poll::Ready(Ok(count)) if count > 0 => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(_end) => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Who the client is by its certificate; nothing when it showed none. Call it after the handshake.
    pub fn principal(&self) -> Result<Option<KafkaPrincipal>, String> {
        let Some(context) = &self.context else { return Ok(None) };
        let Some(leaf) = self.tls.peer_certificates().and_then(|chain| chain.first()) else {
            return Ok(None);
        };
        // A session that was resumed brings the certificate of its first handshake.
        in_date(leaf, context.time.now()).map_err(|bad| bad.to_string())?;
        let parsed = X509Certificate::from_der(leaf).ok().map(|(_rest, parsed)| parsed);
        let name = parsed.and_then(|parsed| distinguished_name(parsed.subject().as_raw()));
        let name = name.ok_or("the certificate's name cannot be read")?;
        let rules = &context.rules;
        match rules.name(&name) {
            Some(mapped) => {
                KafkaPrincipal::parse(&format!("User:{mapped}")).map(Some).map_err(|bad| bad.to_string())
            }
            None => Err(format!("No rules apply to {name}, rules {}", rules.text())),
        }
    }

    /// What a handshake has received so far, and so what it makes this hold at most.
    pub fn handshake_bytes(&self) -> usize {
        self.handshake_bytes
    }

    /// Whether the handshake went on from an earlier session of the client.
    pub fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Hands arrived bytes to the session; how many it took.
    fn take_in(&mut self) -> io::Result<usize> {
        let taken = feed(&mut self.tls, &self.unread)?;
        self.unread.advance(taken);
        Ok(taken)
    }

    fn flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.tls.wants_write() {
            let mut sink = Sink { stream: &mut *self.stream, context };
            match self.tls.write_tls(&mut sink) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_count) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Plain bytes that are ready, into the room of `buffer`.
    fn drain(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        drain(&mut self.tls, buffer)
    }

    /// Reads from the stream into a buffer of the worker and takes it in. False when the stream has ended.
    fn fill(&mut self, context: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<bool>> {
        let has_much_room = buffer.capacity() - buffer.len() > RECORD_BYTES;
        let worker = if has_much_room { &READ } else { &RECORD };
        worker.with_borrow_mut(|arrived| {
            arrived.clear();
            let count = ready!(self.stream.poll_read(context, arrived))?;
            if count == 0 {
                return Poll::Ready(Ok(false));
            }
            let mut rest = &arrived[..];
            while !rest.is_empty() {
                let taken = feed(&mut self.tls, rest)?;
                rest = &rest[taken..];
                let drained = drain(&mut self.tls, buffer)?;
                if taken == 0 && drained == 0 {
                    break;
                }
            }
            self.unread.extend_from_slice(rest);
            Poll::Ready(Ok(true))
        })
    }
}

/// Hands bytes to a session and lets it work; how many it took. It takes none while plain bytes wait in it.
fn feed(tls: &mut Connection, mut bytes: &[u8]) -> io::Result<usize> {
    let before = bytes.len();
    match tls.read_tls(&mut bytes) {
        Ok(_count) => {}
        // Its room for plain bytes is full: they must be drained first.
        Err(_full) => return Ok(0),
    }
    tls.process_new_packets().map_err(invalid)?;
    Ok(before - bytes.len())
}

fn drain(tls: &mut Connection, buffer: &mut BytesMut) -> io::Result<usize> {
    let mut total = 0;
    while buffer.len() < buffer.capacity() {
        let mut reader = tls.reader();
        let ready = match io::BufRead::fill_buf(&mut reader) {
            Ok(ready) => ready,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        };
        let count = ready.len().min(buffer.capacity() - buffer.len());
        if count == 0 {
            break;
        }
        buffer.extend_from_slice(&ready[..count]);
        io::BufRead::consume(&mut reader, count);
        total += count;
    }
    Ok(total)
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The stream as rustls writes to it.
struct Sink<'a, 'b, 'c> {
    stream: &'a mut dyn Stream,
    context: &'b mut Context<'c>,
}

impl Write for Sink<'_, '_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.stream.poll_write_vectored(self.context, slices) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for TlsStream {
    fn peer_addr(&self) -> SocketAddr {
        self.stream.peer_addr()
    }

    fn local_addr(&self) -> SocketAddr {
        self.stream.local_addr()
    }

    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        if buffer.capacity() == buffer.len() {
            buffer.reserve(64);
        }
        let before = buffer.len();
        loop {
            self.drain(buffer)?;
            if buffer.len() > before {
                return Poll::Ready(Ok(buffer.len() - before));
            }
            if !self.unread.is_empty() {
                if self.take_in()? > 0 {
                    continue;
                }
                // The session is over; what comes behind its end is nobody's.
                return Poll::Ready(Ok(0));
            }
            self.unread = BytesMut::new();
            // Tickets and changes of keys; where the stream is full its waker is ours.
            if let Poll::Ready(Err(error)) = self.flush(context) {
                return Poll::Ready(Err(error));
            }
            if self.tls.is_handshaking() {
                return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            }
            let is_open = ready!(self.fill(context, buffer))?;
            if buffer.len() > before {
                return Poll::Ready(Ok(buffer.len() - before));
            }
            if !is_open || self.is_ended()? {
                return Poll::Ready(Ok(0));
            }
        }
    }

    fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        while self.sealed == 0 {
            self.sealed = self.tls.writer().write_vectored(slices)?;
            if self.sealed == 0 {
                // Full of what went before.
                ready!(self.flush(context))?;
                if slices.iter().all(|slice| slice.is_empty()) {
                    return Poll::Ready(Ok(0));
                }
            }
        }
        ready!(self.flush(context))?;
        Poll::Ready(Ok(std::mem::take(&mut self.sealed)))
    }

    fn poll_write_vectored_more(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.sealed == 0 {
            let sealed = self.tls.writer().write_vectored(slices)?;
            if sealed > 0 {
                return Poll::Ready(Ok(sealed));
            }
        }
        self.poll_write_vectored(context, slices)
    }

    fn poll_send_file(
        &mut self,
        context: &mut Context<'_>,
        file: &dyn File,
        position: u64,
        len: usize,
    ) -> Poll<io::Result<usize>> {
        while self.sealed == 0 {
            let wanted = len.min(FILE_BYTES_MAX);
            let writer = &mut self.tls.writer();
            let (count, sealed) = match file.shared_bytes(position, wanted) {
                Some(bytes) => (bytes.len(), writer.write(&bytes)?),
                None => FILE.with_borrow_mut(|buffer| {
                    let count = file.read_at(&mut buffer[..wanted], position)?;
                    Ok::<_, io::Error>((count, writer.write(&buffer[..count])?))
                })?,
            };
            if count == 0 {
                return Poll::Ready(Ok(0));
            }
            self.sealed = sealed;
            if sealed == 0 {
                ready!(self.flush(context))?;
            }
        }
        ready!(self.flush(context))?;
        Poll::Ready(Ok(std::mem::take(&mut self.sealed)))
    }
}

impl TlsStream {
    /// Whether the peer has said that it sends nothing more.
    fn is_ended(&mut self) -> io::Result<bool> {
        Ok(self.tls.process_new_packets().map_err(invalid)?.peer_has_closed())
    }
}

impl Drop for TlsStream {
    /// Says goodbye, as far as that takes no waiting.
    fn drop(&mut self) {
        if self.sealed > 0 {
            return;
        }
        if !self.tls.is_handshaking() {
            self.tls.send_close_notify();
        }
        let _sent = self.flush(&mut Context::from_waker(Waker::noop()));
    }
}
