//! One connection: bytes in, frames to the handler, answers out in order. One task owns it all.
//! Shell.
//!
//! Invariants:
//! - C1. Frames are admitted in the order they arrived and answered in that order.
//! - C2. When the task sleeps, everything that could let it go on has its waker: the socket, the
//!   awaited answers, the budget's line, the timers of a mute and of a delayed close, and `Control` for
//!   what the server orders.
//! - C3. A poll does a bounded amount of work and then yields.

use std::future::poll_fn;
use std::io::IoSlice;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use ottla_env::net::Stream;
use ottla_env::{BoxFuture, Monotonic};
use ottla_model::limits::{CONNECTION_READ_BYTES_MAX, REQUEST_FRAME_BYTES_MIN};
use parking_lot::Mutex;

use crate::answer_queue::{AnswerQueue, Asks, Outgoing};
use crate::frame_reader::FrameReader;
use crate::handler::{Admitted, Answer, ConnectionInfo};
use crate::memory_budget::Charge;
use crate::metrics::CloseReason;
use crate::server::Shared;

/// Slices gathered into one write.
const SLICES_MAX: usize = 64;
/// Frames admitted before their answers are sent.
const FRAMES_PER_ROUND_MAX: usize = 64;
/// Frames admitted in one poll.
const FRAMES_PER_POLL_MAX: usize = 512;
/// Bytes taken in before answers are sent.
const READ_BYTES_PER_ROUND: usize = 128 * 1024;
/// Bytes moved in one poll.
const BYTES_PER_POLL_MAX: usize = 4 * 1024 * 1024;
/// Awaited answers polled in one round.
const WOKEN_PER_ROUND_MAX: usize = 256;
/// Bytes of a file asked of one `poll_send_file`: it may have to wait for the disk.
const SEND_FILE_BYTES_MAX: usize = 1024 * 1024;

/// What the server may tell a connection, and what it sees of it.
pub(crate) struct Control {
    pub ip: IpAddr,
    /// The tick at which bytes last moved.
    pub active_tick: AtomicU64,
    /// The tick by which the client must be known; `NO_TICK` once it is.
    pub login_tick: AtomicU64,
    order: AtomicU8,
    waker: Mutex<Option<Waker>>,
}

/// Never.
pub(crate) const NO_TICK: u64 = u64::MAX;

const ORDER_NONE: u8 = 0;
/// Admit nothing more, close when all is answered.
const ORDER_DRAIN: u8 = 1;
/// Orders from here on: close now, for the reason of this number.
const ORDER_CLOSE: u8 = 2;

impl Control {
    pub fn new(ip: IpAddr, tick: u64) -> Control {
        Control {
            ip,
            active_tick: AtomicU64::new(tick),
            login_tick: AtomicU64::new(NO_TICK),
            order: AtomicU8::new(ORDER_NONE),
            waker: Mutex::new(None),
        }
    }

    pub fn drain(&self) {
        let unordered =
            self.order.compare_exchange(ORDER_NONE, ORDER_DRAIN, Ordering::AcqRel, Ordering::Acquire);
        if unordered.is_ok() {
            self.wake();
        }
    }

    pub fn close(&self, reason: CloseReason) {
        self.order.store(ORDER_CLOSE + reason as u8, Ordering::Release);
        self.wake();
    }

    /// Waits for an order that ends a connection which has no requests yet.
    pub async fn ordered(&self) -> CloseReason {
        poll_fn(|context| {
            *self.waker.lock() = Some(context.waker().clone());
            match self.order.load(Ordering::Acquire) {
                ORDER_NONE => Poll::Pending,
                ORDER_DRAIN => Poll::Ready(CloseReason::Shutdown),
                close => Poll::Ready(CloseReason::ALL[(close - ORDER_CLOSE) as usize]),
            }
        })
        .await
    }

    fn wake(&self) {
        let waker = self.waker.lock().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// How much one poll may still do.
struct Work {
    frames: usize,
    bytes: usize,
}

impl Work {
    fn is_done(&self) -> bool {
        self.frames == 0 || self.bytes == 0
    }

    fn moved(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// What a poll moved; added to the shared counters once.
#[derive(Default)]
struct Moved {
    bytes_in: usize,
    bytes_out: usize,
    frames: usize,
}

/// What a connection waits for before it goes on; most never have one.
#[derive(Default)]
struct Timers {
    /// Nothing is read until then.
    mute: Option<(Monotonic, BoxFuture<'static, ()>)>,
    /// Then the answer of this number leaves, and the connection is closed.
    close: Option<(u64, BoxFuture<'static, ()>)>,
}

pub(crate) struct Connection {
    id: u64,
    stream: Box<dyn Stream>,
    info: Arc<ConnectionInfo>,
    shared: Arc<Shared>,
    control: Arc<Control>,
    /// The waker `control` has, to compare without a lock.
    task: Option<Waker>,
    reader: FrameReader,
    answers: AnswerQueue,
    charge: Charge,
    /// The client has to say who it is, and has not: frames are limited otherwise.
    is_login: bool,
    /// Why nothing more is taken in; the connection closes once all before is answered.
    ending: Option<CloseReason>,
    timers: Option<Box<Timers>>,
    moved: Moved,
    /// The last read left room: another one would find nothing.
    is_socket_empty: bool,
    closed: CloseReason,
}

impl Connection {
    pub fn new(
        stream: Box<dyn Stream>,
        info: Arc<ConnectionInfo>,
        control: Arc<Control>,
        shared: Arc<Shared>,
    ) -> Connection {
        let mut connection = Connection {
            id: info.id,
            reader: FrameReader::new(shared.settings.socket_request_bytes_max),
            answers: AnswerQueue::new(),
            charge: shared.budget.charge(info.id),
            is_login: false,
            stream,
            info,
            shared,
            control,
            task: None,
            ending: None,
            timers: None,
            moved: Moved::default(),
            is_socket_empty: false,
            // What it is when the task is dropped with the runtime.
            closed: CloseReason::Shutdown,
        };
        if connection.info.listener.protocol.has_sasl() {
            connection.follow_login();
        }
        connection
    }

    /// Begins with bytes that were read off the stream already.
    pub fn with_bytes(mut self, bytes: BytesMut) -> Connection {
        self.reader.begin_with(bytes);
        self
    }

    /// Sets what depends on whether the client is known: limits of frames, and the time it has to say so.
    fn follow_login(&mut self) {
        let is_login = self.info.is_unauthenticated();
        if is_login == self.is_login {
            return;
        }
        self.is_login = is_login;
        let settings = &self.shared.settings;
        let tick = if is_login {
            // A token may be empty.
            self.reader.set_limits(0, self.info.listener.login_frame_bytes_max);
            self.shared.tick.load(Ordering::Relaxed) + settings.login_ticks()
        } else {
            self.reader.set_limits(REQUEST_FRAME_BYTES_MIN, settings.socket_request_bytes_max);
            NO_TICK
        };
        self.control.login_tick.store(tick, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub fn control(&self) -> Arc<Control> {
        Arc::clone(&self.control)
    }

    #[cfg(test)]
    pub fn info(&self) -> Arc<ConnectionInfo> {
        Arc::clone(&self.info)
    }

    fn drive(&mut self, context: &mut Context<'_>) -> Poll<CloseReason> {
        self.register(context);
        let mut work = Work { frames: FRAMES_PER_POLL_MAX, bytes: BYTES_PER_POLL_MAX };
        loop {
            if let Err(reason) = self.obey() {
                return Poll::Ready(reason);
            }
            let polled = self.answers.poll_woken(WOKEN_PER_ROUND_MAX);
            // A timer begun in a later step of this round is polled in the next: each such step is progress.
            self.obey_answers();
            self.poll_timers(context);
            if let Err(reason) = self.write(context, &mut work) {
                return Poll::Ready(reason);
            }
            // What was written may be what an admitted request has waited for.
            let begun = self.answers.begin_waiting();
            let read = match self.read_some(context, &mut work) {
                Ok(read) => read,
                Err(reason) => return Poll::Ready(reason),
            };
            // What was written needs no other round: reading came after it.
            if !(read || begun || polled > 0) {
                self.answers.release_if_empty();
                return Poll::Pending;
            }
            if work.is_done() {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    fn register(&mut self, context: &Context<'_>) {
        self.answers.register(context);
        let waker = context.waker();
        if !self.task.as_ref().is_some_and(|task| task.will_wake(waker)) {
            self.task = Some(waker.clone());
            *self.control.waker.lock() = Some(waker.clone());
        }
    }

    fn obey(&mut self) -> Result<(), CloseReason> {
        match self.control.order.load(Ordering::Acquire) {
            ORDER_NONE => Ok(()),
            ORDER_DRAIN => {
                self.ending.get_or_insert(CloseReason::Shutdown);
                Ok(())
            }
            close => Err(CloseReason::ALL[(close - ORDER_CLOSE) as usize]),
        }
    }

    /// Sends what can be sent.
    fn write(&mut self, context: &mut Context<'_>, work: &mut Work) -> Result<(), CloseReason> {
        while !self.answers.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let result = match self.answers.outgoing(&mut slices) {
                Outgoing::Nothing => break,
                Outgoing::Close(why) => {
                    tracing::debug!(connection = self.id, peer = %self.info.peer_addr, "closing: {why}");
                    return Err(self.ending.unwrap_or(CloseReason::Handler));
                }
                Outgoing::Slices(count) => self.stream.poll_write_vectored(context, &slices[..count]),
                Outgoing::SlicesBeforeFile(count) => {
                    self.stream.poll_write_vectored_more(context, &slices[..count])
                }
                Outgoing::File { file, position, len } => {
                    let len = len.min(SEND_FILE_BYTES_MAX);
                    self.stream.poll_send_file(context, &*file, position, len)
                }
            };
            match result {
                Poll::Pending => return Ok(()),
                // A file that became shorter has nothing to send where its length was promised.
                Poll::Ready(Ok(0)) => {
                    tracing::warn!(
                        connection = self.id,
                        peer = %self.info.peer_addr,
                        "closing: a file is shorter than what was written to it; has somebody cut it?"
                    );
                    return Err(CloseReason::Error);
                }
                Poll::Ready(Ok(sent)) => {
                    self.moved.bytes_out += sent;
                    self.answers.on_sent(sent);
                    work.moved(sent);
                    if work.is_done() {
                        return Ok(());
                    }
                }
                Poll::Ready(Err(error)) => {
                    tracing::debug!(connection = self.id, %error, "closing: the socket takes no answer");
                    return Err(CloseReason::Error);
                }
            }
        }
        match self.ending {
            Some(reason) if self.answers.is_empty() => Err(reason),
            _going_on => Ok(()),
        }
    }

    /// Starts the timers that answers ask for.
    fn obey_answers(&mut self) {
        let Some(asks) = self.answers.take_asks() else { return };
        let Asks { mute, close_after } = *asks;
        let clock = &self.shared.env.clock;
        let now = clock.monotonic();
        let timers = self.timers.get_or_insert_default();
        if let Some(mute) = mute {
            let until = now.after(mute);
            if timers.mute.as_ref().is_none_or(|(known, _)| *known < until) {
                timers.mute = Some((until, clock.sleep_until(until)));
            }
            // A client that is not read cannot be idle.
            let ticks = mute.as_nanos().div_ceil(self.shared.settings.tick().as_nanos().max(1)) as u64;
            let tick = self.shared.tick.load(Ordering::Relaxed).saturating_add(ticks);
            self.control.active_tick.fetch_max(tick, Ordering::Relaxed);
        }
        if let Some((sequence, delay)) = close_after
            && timers.close.as_ref().is_none_or(|(earlier, _)| sequence < *earlier)
        {
            timers.close = Some((sequence, clock.sleep_until(now.after(delay))));
        }
    }

    fn poll_timers(&mut self, context: &mut Context<'_>) {
        let Some(timers) = &mut self.timers else { return };
        if timers.mute.as_mut().is_some_and(|(_, timer)| timer.as_mut().poll(context).is_ready()) {
            timers.mute = None;
        }
        if let Some((sequence, timer)) = &mut timers.close
            && timer.as_mut().poll(context).is_ready()
        {
            self.answers.release_close(*sequence);
            timers.close = None;
        }
        if timers.mute.is_none() && timers.close.is_none() {
            self.timers = None;
        }
    }

    fn is_muted(&self) -> bool {
        self.timers.as_ref().is_some_and(|timers| timers.mute.is_some())
    }

    fn may_read(&self) -> bool {
        let settings = &self.shared.settings;
        self.ending.is_none()
            && self.answers.admits()
            && !self.is_muted()
            && self.answers.len() < settings.requests_in_flight_max
            && self.answers.unsent_memory_bytes() < settings.unsent_bytes_max
    }

    /// Takes in what has arrived, read after read, so that the answers of a pipelining client leave
    /// together: each write costs a segment on the wire and a wake of the client. Bounded, since
    /// the first answer waits for the last frame. True when there was anything.
    fn read_some(&mut self, context: &mut Context<'_>, work: &mut Work) -> Result<bool, CloseReason> {
        let enough = work.bytes.saturating_sub(READ_BYTES_PER_ROUND);
        let mut progress = false;
        while self.read(context, work)? {
            progress = true;
            if self.is_socket_empty || work.is_done() || work.bytes <= enough {
                break;
            }
        }
        Ok(progress)
    }

    /// Takes in what has arrived. True when there was anything.
    fn read(&mut self, context: &mut Context<'_>, work: &mut Work) -> Result<bool, CloseReason> {
        if work.is_done() {
            return Ok(true);
        }
        if !self.may_read() {
            self.charge.leave();
            self.settle();
            return Ok(false);
        }
        // What could not be admitted when it arrived.
        if self.admit(work) > 0 || self.ending.is_some() {
            return Ok(true);
        }
        let room = self.reader.wanted_bytes().min(CONNECTION_READ_BYTES_MAX);
        if self.charge.poll_reserve(context, self.held_bytes() + room).is_pending() {
            self.settle();
            return Ok(false);
        }
        let buffer = self.reader.buffer_with_room();
        let room = buffer.capacity() - buffer.len();
        let read = self.stream.poll_read(context, buffer);
        let result = match read {
            Poll::Pending => {
                self.reader.release_if_empty();
                Ok(false)
            }
            Poll::Ready(Ok(0)) => {
                // Requests sent before are still answered: a client may close its half early.
                self.ending = Some(CloseReason::Peer);
                Ok(true)
            }
            Poll::Ready(Ok(count)) => {
                self.moved.bytes_in += count;
                self.reader.on_read(count, room);
                self.is_socket_empty = count < room;
                work.moved(count);
                self.admit(work);
                Ok(true)
            }
            Poll::Ready(Err(error)) => {
                tracing::debug!(connection = self.id, %error, "closing: the socket gives no bytes");
                Err(CloseReason::Error)
            }
        };
        self.settle();
        result
    }

    /// Hands whole frames to the handler. Returns how many.
    fn admit(&mut self, work: &mut Work) -> usize {
        let mut admitted_count = 0;
        while admitted_count < FRAMES_PER_ROUND_MAX && work.frames > 0 && self.may_read() {
            let frame = match self.reader.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(bad) if self.is_login => {
                    let peer = self.info.peer_addr;
                    tracing::info!(connection = self.id, %peer, "login failed: {bad}");
                    let delay = Duration::from_millis(self.shared.settings.failed_authentication_delay_ms);
                    let close = Answer::CloseAfter { response: None, delay, why: "a login frame is bad" };
                    self.answers.push(Admitted::Ready(close), 0);
                    self.obey_answers();
                    admitted_count += 1;
                    break;
                }
                Err(bad) => {
                    let peer = self.info.peer_addr;
                    tracing::debug!(connection = self.id, %peer, "closing after the answers before: {bad}");
                    if bad.is_tls() && !self.info.listener.protocol.has_tls() {
                        self.shared.on_tls_in_plaintext(&self.info);
                    }
                    self.ending = Some(CloseReason::BadFrame);
                    break;
                }
            };
            work.frames -= 1;
            admitted_count += 1;
            let frame_bytes = frame.len();
            let admitted = self.shared.handler.admit(&self.info, frame);
            if matches!(admitted, Admitted::Ready(Answer::Close(_))) {
                self.ending = Some(CloseReason::Handler);
            }
            self.answers.push(admitted, frame_bytes);
            if self.info.listener.protocol.has_sasl() {
                self.follow_login();
            }
            // A mute counts from here on, whatever else has arrived already.
            self.obey_answers();
        }
        self.moved.frames += admitted_count;
        admitted_count
    }

    fn held_bytes(&self) -> usize {
        self.reader.buffered_bytes() + self.answers.held_bytes()
    }

    fn settle(&mut self) {
        let reading = self.reader.buffered_bytes() > 0;
        self.charge.settle(self.held_bytes(), reading);
    }

    /// Adds what moved to the counters all connections share.
    fn count(&mut self) {
        let moved = std::mem::take(&mut self.moved);
        if moved.bytes_in == 0 && moved.bytes_out == 0 {
            return;
        }
        if self.timers.is_none() {
            self.control.active_tick.store(self.shared.tick.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        let metrics = &self.shared.metrics;
        metrics.bytes_in.inc_by(moved.bytes_in as u64);
        metrics.bytes_out.inc_by(moved.bytes_out as u64);
        metrics.frames.inc_by(moved.frames as u64);
    }
}

impl Future for Connection {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let driven = self.drive(context);
        self.count();
        match driven {
            Poll::Pending => Poll::Pending,
            Poll::Ready(reason) => {
                self.closed = reason;
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Counted as gone last: who waits for that finds everything of it ended.
        self.answers.clear();
        self.shared.handler.on_close(&self.info);
        self.shared.on_closed(self.id, self.control.ip, self.closed);
    }
}
