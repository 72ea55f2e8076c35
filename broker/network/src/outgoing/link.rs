//! One outgoing connection: requests out in order, answers matched to them, deadlines.
//! Shell. One task owns the stream; callers hand it frames and wait for their answers.
//!
//! ```text
//! | length i32 | api key i16 | version i16 | correlation id i32 | client id | [tags] | body |   out
//! | length i32 | correlation id i32 | [tags] | body |                                          in
//! ```

use std::collections::VecDeque;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes, BytesMut};
use ottla_env::net::Stream;
use ottla_env::{BoxFuture, Clock, Monotonic};
use ottla_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use ottla_protocol::{
    ApiKey, Encode, Request, RequestHeader, StrBytes, decode_response, decode_response_header,
    versions as protocol_versions,
};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::versions::PeerVersions;
use super::{CallError, PeerSettings};
use crate::frame_reader::FrameReader;

/// A response has at least a correlation id.
const RESPONSE_FRAME_BYTES_MIN: usize = 4;
const LENGTH_PREFIX_BYTES: usize = 4;
/// Frames gathered into one write.
const SLICES_MAX: usize = 64;
/// Bytes moved in one poll.
const BYTES_PER_POLL_MAX: usize = 4 * 1024 * 1024;
const UNSUPPORTED_VERSION: i16 = 35;

/// A connection that is open, or was. Cheap to clone.
#[derive(Clone)]
pub struct Link {
    shared: Arc<Shared>,
    versions: Arc<PeerVersions>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    settings: PeerSettings,
    client_id: StrBytes,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next_correlation_id: i32,
    /// Frames the task has not taken.
    outbox: Vec<Bytes>,
    /// Requests without an answer, the oldest first.
    waiting: VecDeque<Waiting>,
    task: Option<Waker>,
    /// Why nothing more is sent.
    closed: Option<CallError>,
    /// Whether the other node has answered anything.
    has_answered: bool,
    /// Who waits for the end; they are told by being dropped.
    ends: Vec<oneshot::Sender<()>>,
}

struct Waiting {
    correlation_id: i32,
    deadline: Monotonic,
    answer: oneshot::Sender<Result<Bytes, CallError>>,
}

/// The task's half of a link.
pub(super) struct LinkTask {
    stream: Box<dyn Stream>,
    shared: Arc<Shared>,
    reader: FrameReader,
    unsent: VecDeque<Bytes>,
    /// The oldest request's deadline.
    timer: Option<(Monotonic, BoxFuture<'static, ()>)>,
}

impl Link {
    /// A link over a fresh stream, and the task that must run beside it. Nothing is agreed yet.
    pub(super) fn over(
        stream: Box<dyn Stream>,
        clock: Arc<dyn Clock>,
        settings: PeerSettings,
    ) -> (Link, LinkTask) {
        let shared = Arc::new(Shared {
            clock,
            client_id: StrBytes::from_string(settings.client_id.clone()),
            state: Mutex::default(),
            settings,
        });
        let task = LinkTask {
            stream,
            reader: FrameReader::with_limits(
                RESPONSE_FRAME_BYTES_MIN,
                shared.settings.response_bytes_max.max(RESPONSE_FRAME_BYTES_MIN),
            ),
            shared: Arc::clone(&shared),
            unsent: VecDeque::new(),
            timer: None,
        };
        (Link { shared, versions: Arc::default() }, task)
    }

    /// What the other node serves.
    pub fn versions(&self) -> &PeerVersions {
        &self.versions
    }

    pub fn is_closed(&self) -> bool {
        self.shared.state.lock().closed.is_some()
    }

    /// Whether the other node has answered anything on this connection.
    pub fn has_answered(&self) -> bool {
        self.shared.state.lock().has_answered
    }

    /// Waits until the connection has ended, whoever ended it.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        let (end, ended) = oneshot::channel();
        let mut state = self.shared.state.lock();
        if state.closed.is_none() {
            state.ends.retain(|end| !end.is_closed());
            state.ends.push(end);
        }
        async move {
            // The sender is only ever dropped.
            let _ended: Result<(), oneshot::error::RecvError> = ended.await;
        }
    }

    /// Sends a request of a kind that Kafka does not have, and that the other node is known to serve. Its answer has
    /// no body.
    pub fn send_private(
        &self,
        api_key: i16,
        version: i16,
        body: &[u8],
    ) -> Result<impl Future<Output = Result<(), CallError>> + Send + 'static, CallError> {
        assert!(ApiKey::from_i16(api_key).is_none(), "a key of Kafka's has a type of its own");
        let answer = self.shared.send_body(api_key, version, body)?;
        Ok(async move { received(answer).await.map(drop) })
    }

    /// Closes the connection; requests without an answer fail as `Lost`.
    pub fn close(&self, why: &str) {
        self.shared.close(CallError::Lost(why.to_owned()));
    }

    /// Sends a request in the highest common version. It is on its way, behind all that were sent
    /// before, when this returns; the future gives its answer.
    pub fn send<R: Request>(
        &self,
        request: &R,
    ) -> Result<impl Future<Output = Result<R::Response, CallError>> + Send + 'static, CallError>
    where
        R::Response: 'static,
    {
        let key = R::API_KEY;
        let version = self.versions.common(key).ok_or(CallError::NoVersion(key))?;
        let answer = self.shared.send(key, version, request)?;
        let shared = Arc::clone(&self.shared);
        Ok(async move {
            let body = received(answer).await?;
            shared.decode(key, version, body)
        })
    }

    /// Sends and waits.
    pub async fn call<R: Request>(&self, request: &R) -> Result<R::Response, CallError>
    where
        R::Response: 'static,
    {
        self.send(request)?.await
    }

    /// Takes for granted what a login needs, and asks for nothing.
    pub(super) fn presume(mut self) -> Link {
        self.versions = Arc::new(PeerVersions::of_login());
        self
    }

    /// Asks for the versions that the other node serves. A node that does not have ours answers in
    /// version 0 with those that it has (KIP-35).
    pub(super) async fn agree(mut self) -> Result<Link, CallError> {
        let key = ApiKey::ApiVersions;
        let mut version = protocol_versions::of(key).decodable.map_or(0, |range| range.max);
        let (name, software_version) = self.shared.settings.software.clone();
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_string(name))
            .with_client_software_version(StrBytes::from_string(software_version));
        loop {
            let plain = ApiVersionsRequest::default();
            let request = if version >= 3 { &request } else { &plain };
            let body = received(self.shared.send(key, version, request)?).await?;
            // The header of this API has no tagged fields in any version.
            let error = body.get(RESPONSE_FRAME_BYTES_MIN..RESPONSE_FRAME_BYTES_MIN + 2);
            let is_refused = error == Some(&UNSUPPORTED_VERSION.to_be_bytes()[..]);
            let answered = if is_refused { 0 } else { version };
            let response: ApiVersionsResponse = self.shared.decode(key, answered, body)?;
            let versions = PeerVersions::of(&response);
            match (is_refused, versions.common(key)) {
                (true, Some(common)) if common < version => version = common,
                (false, _) if response.error_code == 0 => {
                    self.versions = Arc::new(versions);
                    return Ok(self);
                }
                _no_way_on => {
                    let error = CallError::NoVersion(key);
                    self.shared.close(error.clone());
                    return Err(error);
                }
            }
        }
    }
}

async fn received(answer: oneshot::Receiver<Result<Bytes, CallError>>) -> Result<Bytes, CallError> {
    // The task drops what waits only together with itself.
    answer.await.unwrap_or_else(|_gone| Err(CallError::Lost("the connection's task has ended".to_owned())))
}

impl Shared {
    fn send<Q: Encode>(
        &self,
        key: ApiKey,
        version: i16,
        request: &Q,
    ) -> Result<oneshot::Receiver<Result<Bytes, CallError>>, CallError> {
        let mut body = BytesMut::with_capacity(request.size_hint(version));
        request.encode(&mut body, version).map_err(|error| CallError::encode(version, &error))?;
        self.send_body(key.to_i16(), version, &body)
    }

    fn send_body(
        &self,
        api_key: i16,
        version: i16,
        body: &[u8],
    ) -> Result<oneshot::Receiver<Result<Bytes, CallError>>, CallError> {
        // The lock is taken once the body is there: only the correlation id depends on the order.
        let mut frame = BytesMut::with_capacity(64 + body.len());
        frame.extend_from_slice(&[0; LENGTH_PREFIX_BYTES]);
        let mut header = RequestHeader {
            api_key,
            api_version: version,
            correlation_id: 0,
            client_id: Some(self.client_id.clone()),
        };
        let (answer, receiver) = oneshot::channel();
        let deadline = self.clock.monotonic().after(self.settings.request_timeout);
        let task = {
            let mut state = self.state.lock();
            if let Some(closed) = &state.closed {
                return Err(CallError::Unreachable(closed.to_string()));
            }
            if state.waiting.len() >= self.settings.in_flight_max {
                return Err(CallError::TooMany);
            }
            let correlation_id = state.next_correlation_id;
            state.next_correlation_id = correlation_id.wrapping_add(1);
            header.correlation_id = correlation_id;
            header.encode(&mut frame);
            frame.extend_from_slice(body);
            let length = i32::try_from(frame.len() - LENGTH_PREFIX_BYTES)
                .map_err(|_too_long| CallError::Encode { version, why: "it is too long".to_owned() })?;
            frame[..LENGTH_PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
            state.outbox.push(frame.freeze());
            state.waiting.push_back(Waiting { correlation_id, deadline, answer });
            state.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
        Ok(receiver)
    }

    /// An answer that cannot be read closes the connection: what follows cannot be trusted either.
    fn decode<A: ottla_protocol::Decode>(
        &self,
        key: ApiKey,
        version: i16,
        mut body: Bytes,
    ) -> Result<A, CallError> {
        let malformed = |what: String| {
            let error = CallError::Malformed(what);
            self.close(error.clone());
            error
        };
        decode_response_header(&mut body, key, version).map_err(|error| malformed(error.to_string()))?;
        decode_response(key, version, body).map_err(|error| malformed(error.to_string()))
    }

    /// The first reason stays; what waits for an answer hears it.
    fn close(&self, why: CallError) {
        let (waiting, task) = {
            let mut state = self.state.lock();
            if state.closed.is_some() {
                return;
            }
            state.closed = Some(why.clone());
            state.outbox = Vec::new();
            state.ends = Vec::new();
            (std::mem::take(&mut state.waiting), state.task.take())
        };
        let lost = match why {
            CallError::TimedOut => CallError::TimedOut,
            other => CallError::Lost(other.to_string()),
        };
        for one in waiting {
            // A caller that has given up needs no answer.
            let _given_up = one.answer.send(Err(lost.clone()));
        }
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl LinkTask {
    fn drive(&mut self, context: &mut Context<'_>) -> Poll<CallError> {
        let mut left = BYTES_PER_POLL_MAX;
        loop {
            {
                let mut state = self.shared.state.lock();
                if let Some(closed) = &state.closed {
                    return Poll::Ready(closed.clone());
                }
                state.task = Some(context.waker().clone());
                self.unsent.extend(state.outbox.drain(..));
            }
            let moved = match (self.write(context), self.read(context)) {
                (Ok(written), Ok(read)) => written + read,
                (Err(why), _) | (_, Err(why)) => return Poll::Ready(why),
            };
            if self.is_late(context) {
                return Poll::Ready(CallError::TimedOut);
            }
            if moved == 0 {
                self.reader.release_if_empty();
                return Poll::Pending;
            }
            left = left.saturating_sub(moved);
            if left == 0 {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    /// Returns how many bytes have left.
    fn write(&mut self, context: &mut Context<'_>) -> Result<usize, CallError> {
        if self.unsent.is_empty() {
            return Ok(0);
        }
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let count = self.unsent.len().min(SLICES_MAX);
        for (slice, frame) in slices.iter_mut().zip(&self.unsent) {
            *slice = IoSlice::new(frame);
        }
        let sent = match self.stream.poll_write_vectored(context, &slices[..count]) {
            Poll::Pending => return Ok(0),
            Poll::Ready(Ok(0)) => return Err(CallError::Lost("the socket takes nothing".to_owned())),
            Poll::Ready(Ok(sent)) => sent,
            Poll::Ready(Err(error)) => return Err(CallError::Lost(error.to_string())),
        };
        let mut left = sent;
        while left > 0 {
            let Some(front) = self.unsent.front_mut() else { unreachable!("more was sent than there was") };
            let part = left.min(front.len());
            front.advance(part);
            left -= part;
            if front.is_empty() {
                self.unsent.pop_front();
            }
        }
        Ok(sent)
    }

    /// Returns how many bytes have come.
    fn read(&mut self, context: &mut Context<'_>) -> Result<usize, CallError> {
        let buffer = self.reader.buffer_with_room();
        let room = buffer.capacity() - buffer.len();
        let count = match self.stream.poll_read(context, buffer) {
            Poll::Pending => return Ok(0),
            Poll::Ready(Ok(0)) => return Err(CallError::Lost("the other node closed it".to_owned())),
            Poll::Ready(Ok(count)) => count,
            Poll::Ready(Err(error)) => return Err(CallError::Lost(error.to_string())),
        };
        self.reader.on_read(count, room);
        while let Some(frame) =
            self.reader.next_frame().map_err(|bad| CallError::Malformed(bad.to_string()))?
        {
            self.answer(frame)?;
        }
        Ok(count)
    }

    fn answer(&mut self, frame: Bytes) -> Result<(), CallError> {
        let Some(correlation_id) = frame.first_chunk().copied().map(i32::from_be_bytes) else {
            unreachable!("a shorter frame is a bad one")
        };
        let waiting = {
            let mut state = self.shared.state.lock();
            if state.closed.is_some() {
                return Ok(());
            }
            state.has_answered = true;
            state.waiting.pop_front()
        };
        match waiting {
            Some(waiting) if waiting.correlation_id == correlation_id => {
                // A caller that has given up needs no answer.
                let _given_up = waiting.answer.send(Ok(frame));
                Ok(())
            }
            other => {
                let expected = other.as_ref().map(|waiting| waiting.correlation_id);
                let error = CallError::Malformed(format!(
                    "the correlation id is {correlation_id}, expected was {expected:?}"
                ));
                if let Some(waiting) = other {
                    let _given_up = waiting.answer.send(Err(CallError::Lost(error.to_string())));
                }
                Err(error)
            }
        }
    }

    /// Whether the oldest request has waited too long: with one timeout for all it is the first.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let oldest = self.shared.state.lock().waiting.front().map(|waiting| waiting.deadline);
        let Some(deadline) = oldest else {
            self.timer = None;
            return false;
        };
        if self.timer.as_ref().is_none_or(|(known, _)| *known != deadline) {
            self.timer = Some((deadline, self.shared.clock.sleep_until(deadline)));
        }
        self.timer.as_mut().is_some_and(|(_, timer)| timer.as_mut().poll(context).is_ready())
    }
}

impl Future for LinkTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.drive(context).map(|why| {
            tracing::debug!(peer = %self.stream.peer_addr(), %why, "a connection to another node ends");
            self.shared.close(why);
        })
    }
}

impl Drop for LinkTask {
    fn drop(&mut self) {
        self.shared.close(CallError::Lost("the connection's task has ended".to_owned()));
    }
}
