//! Connections: bytes on their way, in order, and the two ends that hold them.
//! Shell: an end is polled by its owner; what arrives does so by the agenda.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};

use super::agenda::Event;
use super::net::{NetEvent, NetState, arrival};
use super::{HostId, Shared};
use crate::disk::File;
use crate::net::Stream;

/// Bytes that were sent and not read, as the buffers of both ends hold them.
const UNREAD_BYTES_MAX: usize = 256 * 1024;
/// A file is sent through a buffer of at most this size.
const SEND_FILE_BYTES_MAX: usize = 64 * 1024;

pub(super) struct Connection {
    ends: [End; 2],
}

struct End {
    host: HostId,
    /// Nobody holds it any more.
    is_gone: bool,
    error: Option<ErrorKind>,
    silence_max: Option<Duration>,
    /// What the other end has sent.
    on_the_way: VecDeque<(Duration, Segment)>,
    is_arrival_due: bool,
    arrived: BytesMut,
    unread: usize,
    is_finished: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

enum Segment {
    Bytes(Bytes),
    Finish,
    Reset,
}

impl End {
    fn new(host: HostId, silence_max: Option<Duration>) -> End {
        End {
            host,
            is_gone: false,
            error: None,
            silence_max,
            on_the_way: VecDeque::new(),
            is_arrival_due: false,
            arrived: BytesMut::new(),
            unread: 0,
            is_finished: false,
            reader: None,
            writer: None,
        }
    }

    fn fail(&mut self, error: ErrorKind, wakers: &mut Vec<Waker>) {
        self.error.get_or_insert(error);
        wakers.extend(self.reader.take());
        wakers.extend(self.writer.take());
    }
}

/// The end of a connection that somebody holds.
pub(super) struct SimStream {
    shared: Arc<Shared>,
    connection: u64,
    end: usize,
    local: SocketAddr,
    peer: SocketAddr,
}

/// Two ends; the first is the dialler's.
pub(super) fn open(
    shared: &Arc<Shared>,
    state: &mut NetState,
    connection: u64,
    near: (HostId, SocketAddr),
    far: (HostId, SocketAddr),
    silence_max: Option<Duration>,
) -> (SimStream, SimStream) {
    let ends = [End::new(near.0, silence_max), End::new(far.0, None)];
    state.connections.insert(connection, Connection { ends });
    let stream = |end, local, peer| SimStream { shared: shared.clone(), connection, end, local, peer };
    (stream(0, near.1, far.1), stream(1, far.1, near.1))
}

/// Sends to an end.
fn send(shared: &Arc<Shared>, state: &mut NetState, id: u64, to: usize, segment: Segment) {
    let Some(connection) = state.connections.get(&id) else { return };
    let (from_host, to_host) = (connection.ends[1 - to].host, connection.ends[to].host);
    let at = arrival(shared, state, from_host, to_host);
    let Some(connection) = state.connections.get_mut(&id) else { return };
    let end = &mut connection.ends[to];
    let at = end.on_the_way.back().map_or(at, |(last, _)| at.max(*last));
    if let Segment::Bytes(bytes) = &segment {
        end.unread += bytes.len();
    }
    end.on_the_way.push_back((at, segment));
    if !std::mem::replace(&mut end.is_arrival_due, true) {
        shared.at(at, Event::Net(NetEvent::Arrive { connection: id, end: to }));
    }
}

/// What is due arrives at an end, if anything can.
pub(super) fn arrive(
    shared: &Arc<Shared>,
    state: &mut NetState,
    id: u64,
    to: usize,
    wakers: &mut Vec<Waker>,
) {
    let Some((from_host, to_host)) = direction(state, id, to) else { return };
    let is_open = state.is_open(from_host, to_host);
    let Some(connection) = state.connections.get_mut(&id) else { return };
    let end = &mut connection.ends[to];
    end.is_arrival_due = false;
    if !is_open {
        return;
    }
    let now = shared.now();
    let mut is_answered_by_reset = false;
    while let Some((_, segment)) = end.on_the_way.pop_front_if(|(at, _)| *at <= now) {
        match segment {
            Segment::Bytes(_) if end.is_gone => is_answered_by_reset = true,
            Segment::Bytes(bytes) => end.arrived.extend_from_slice(&bytes),
            Segment::Finish => end.is_finished = true,
            Segment::Reset => end.fail(ErrorKind::ConnectionReset, wakers),
        }
    }
    wakers.extend(end.reader.take());
    if let Some((next, _)) = end.on_the_way.front() {
        end.is_arrival_due = true;
        shared.at(*next, Event::Net(NetEvent::Arrive { connection: id, end: to }));
    }
    if is_answered_by_reset {
        send(shared, state, id, 1 - to, Segment::Reset);
    }
    forget_if_over(state, id);
}

fn forget_if_over(state: &mut NetState, id: u64) {
    let is_over = state
        .connections
        .get(&id)
        .is_some_and(|connection| connection.ends.iter().all(|end| end.is_gone && end.on_the_way.is_empty()));
    if is_over {
        state.connections.remove(&id);
    }
}

/// From where to where bytes to an end go.
pub(super) fn direction(state: &NetState, id: u64, to: usize) -> Option<(HostId, HostId)> {
    let connection = state.connections.get(&id)?;
    Some((connection.ends[1 - to].host, connection.ends[to].host))
}

pub(super) fn fail(state: &mut NetState, id: u64, end: usize, error: ErrorKind, wakers: &mut Vec<Waker>) {
    if let Some(connection) = state.connections.get_mut(&id) {
        connection.ends[end].fail(error, wakers);
    }
}

/// The ends of a host are nobody's any more; the others are told, as far as anything gets through.
pub(super) fn leave(shared: &Arc<Shared>, state: &mut NetState, host: HostId) {
    let ids: Vec<(u64, usize)> = state
        .connections
        .iter()
        .flat_map(|(id, connection)| (0..2).map(move |end| (*id, end, &connection.ends[end])))
        .filter(|(_, _, end)| end.host == host && !end.is_gone)
        .map(|(id, place, _)| (id, place))
        .collect();
    for (id, place) in ids {
        give_up(state, id, place);
        send(shared, state, id, 1 - place, Segment::Reset);
    }
}

/// What was held back in directions that are open again is on its way.
pub(super) fn mended(shared: &Arc<Shared>, state: &mut NetState, concerns: impl Fn(HostId, HostId) -> bool) {
    let held: Vec<(u64, usize)> = state
        .connections
        .iter()
        .flat_map(|(id, connection)| (0..2).map(move |end| (*id, end, connection)))
        .filter(|(_, place, connection)| {
            let end = &connection.ends[*place];
            concerns(connection.ends[1 - place].host, end.host)
                && !end.is_arrival_due
                && !end.on_the_way.is_empty()
        })
        .map(|(id, place, _)| (id, place))
        .collect();
    for (id, place) in held {
        let Some((from, to)) = direction(state, id, place) else { continue };
        let at = arrival(shared, state, from, to);
        if let Some(connection) = state.connections.get_mut(&id) {
            connection.ends[place].is_arrival_due = true;
            shared.at(at, Event::Net(NetEvent::Arrive { connection: id, end: place }));
        }
    }
}

/// Ends that wait for so long at the most when nothing is heard.
pub(super) fn impatient(
    state: &NetState,
    concerns: impl Fn(HostId, HostId) -> bool,
) -> Vec<(u64, usize, Duration)> {
    let mut found = Vec::new();
    for (id, connection) in &state.connections {
        for (place, end) in connection.ends.iter().enumerate() {
            if let Some(wait) = end.silence_max
                && !end.is_gone
                && concerns(connection.ends[1 - place].host, end.host)
            {
                found.push((*id, place, wait));
            }
        }
    }
    found
}

pub(super) fn ends_between(state: &NetState, one: HostId, other: HostId) -> Vec<(u64, usize)> {
    let is_between = |connection: &Connection| {
        let (first, second) = (connection.ends[0].host, connection.ends[1].host);
        (first, second) == (one, other) || (first, second) == (other, one)
    };
    let between = state.connections.iter().filter(|(_, connection)| is_between(connection));
    between.flat_map(|(id, _)| [(*id, 0), (*id, 1)]).collect()
}

fn give_up(state: &mut NetState, id: u64, place: usize) {
    if let Some(connection) = state.connections.get_mut(&id) {
        let end = &mut connection.ends[place];
        end.is_gone = true;
        end.arrived = BytesMut::new();
        (end.reader, end.writer) = (None, None);
    }
}

impl Stream for SimStream {
    fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        if buffer.capacity() == buffer.len() {
            buffer.reserve(64);
        }
        let mut state = self.shared.net.lock();
        let Some(connection) = state.connections.get_mut(&self.connection) else {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        };
        let end = &mut connection.ends[self.end];
        if let Some(error) = end.error {
            return Poll::Ready(Err(error.into()));
        }
        if end.arrived.is_empty() {
            if end.is_finished {
                return Poll::Ready(Ok(0));
            }
            end.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let count = (buffer.capacity() - buffer.len()).min(end.arrived.len());
        buffer.extend_from_slice(&end.arrived[..count]);
        end.arrived.advance(count);
        end.unread -= count;
        let writer = connection.ends[1 - self.end].writer.take();
        drop(state);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.shared.net.lock();
        let Some(connection) = state.connections.get_mut(&self.connection) else {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        };
        if let Some(error) = connection.ends[self.end].error {
            return Poll::Ready(Err(error.into()));
        }
        let mut room = UNREAD_BYTES_MAX.saturating_sub(connection.ends[1 - self.end].unread);
        if room == 0 {
            connection.ends[self.end].writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let mut bytes = BytesMut::new();
        for slice in slices {
            let count = room.min(slice.len());
            bytes.extend_from_slice(&slice[..count]);
            room -= count;
        }
        let count = bytes.len();
        if count > 0 {
            send(&self.shared, &mut state, self.connection, 1 - self.end, Segment::Bytes(bytes.freeze()));
        }
        Poll::Ready(Ok(count))
    }

    fn poll_send_file(
        &mut self,
        context: &mut Context<'_>,
        file: &dyn File,
        position: u64,
        len: usize,
    ) -> Poll<io::Result<usize>> {
        let mut bytes = vec![0; len.min(SEND_FILE_BYTES_MAX)];
        let count = file.read_at(&mut bytes, position)?;
        self.poll_write_vectored(context, &[IoSlice::new(&bytes[..count])])
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        let mut state = self.shared.net.lock();
        let is_held = state.connections.get(&self.connection).is_some_and(|one| !one.ends[self.end].is_gone);
        if is_held {
            give_up(&mut state, self.connection, self.end);
            send(&self.shared, &mut state, self.connection, 1 - self.end, Segment::Finish);
        }
        forget_if_over(&mut state, self.connection);
    }
}

/// A dial that is under way.
pub(super) struct Dialling {
    pub from: HostId,
    pub addr: SocketAddr,
    pub silence_max: Option<Duration>,
    pub outcome: Option<Result<SimStream, ErrorKind>>,
    pub is_answered: bool,
    pub waker: Option<Waker>,
}

struct Dial {
    shared: Arc<Shared>,
    id: u64,
}

pub(super) async fn dial(
    shared: Arc<Shared>,
    from: HostId,
    addr: SocketAddr,
    silence_max: Option<Duration>,
) -> io::Result<SimStream> {
    let id = {
        let mut state = shared.net.lock();
        let id = state.number();
        let waiting = Dialling { from, addr, silence_max, outcome: None, is_answered: false, waker: None };
        state.dials.insert(id, waiting);
        let delay = shared.between(Duration::from_micros(30), Duration::from_micros(400));
        shared.at(shared.now() + delay, Event::Net(NetEvent::Dial(id)));
        id
    };
    Dial { shared, id }.await
}

impl Future for Dial {
    type Output = io::Result<SimStream>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.shared.net.lock();
        let Some(dial) = state.dials.get_mut(&self.id) else { return Poll::Pending };
        if !dial.is_answered {
            dial.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        let outcome = dial.outcome.take().expect("an answer that is back was given");
        Poll::Ready(outcome.map_err(io::Error::from))
    }
}

impl Drop for Dial {
    fn drop(&mut self) {
        let dropped = self.shared.net.lock().dials.remove(&self.id);
        drop(dropped);
    }
}
