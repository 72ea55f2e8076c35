//! Connections and tasks of a world in which both move only when a seed says so.
//! Shell in memory. A request may be late, its answer lost, its connection cut at any moment.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ottla_env::memory::{MemoryClock, SeededRng, ThreadTasks};
use ottla_env::tasks::{TaskHandle, ThreadHandle};
use ottla_env::{BoxFuture, Clock, Monotonic, Tasks};
use ottla_model::SecurityProtocol;
use ottla_network::{Admitted, Answer, Chunk, ConnectionInfo, Handler, ListenerInfo, Response};
use ottla_protocol::header::RequestHeader;
use ottla_protocol::{ApiKey, Decode, Encode, versions};
use parking_lot::Mutex;

/// How long a client waits for an answer, in milliseconds of the simulated clock.
const REQUEST_TIMEOUT_MS: u64 = 600;
/// How late a request may be.
const LATE_MS_MAX: u64 = 6_000;

/// The broker's tasks: each is polled when its turn comes.
#[derive(Clone, Default)]
pub struct TurnTasks(Arc<Mutex<Vec<Task>>>);

struct Task {
    /// The connection whose request it answers.
    connection: Option<u64>,
    work: BoxFuture<'static, ()>,
}

impl Tasks for TurnTasks {
    fn spawn(&self, name: &'static str, work: BoxFuture<'static, ()>) -> TaskHandle {
        // Locks on records end when the history looks at them.
        if name != "share lock timers" {
            self.0.lock().push(Task { connection: None, work });
        }
        TaskHandle::new(Box::new(|| {}), Box::pin(async {}))
    }

    fn spawn_thread(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) -> ThreadHandle {
        if name != "log-flusher" {
            return ThreadTasks.spawn_thread(name, work);
        }
        // The history syncs files itself, but for what a stop finds undone.
        let work = Mutex::new(Some(work));
        ThreadHandle::new(Box::new(move || {
            if let Some(work) = work.lock().take() {
                work();
            }
        }))
    }
}

impl TurnTasks {
    /// Polls one task; false when there is none.
    pub fn poll_one(&self, rng: &SeededRng) -> bool {
        let mut task = {
            let mut tasks = self.0.lock();
            if tasks.is_empty() {
                return false;
            }
            let place = rng.below(tasks.len() as u64) as usize;
            tasks.swap_remove(place)
        };
        if task.work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            self.0.lock().push(task);
        }
        true
    }

    pub fn count(&self) -> usize {
        self.0.lock().len()
    }

    /// The process is gone.
    pub fn clear(&self) {
        drop(std::mem::take(&mut *self.0.lock()));
    }

    fn end_connection(&self, id: u64) {
        let (gone, left) = std::mem::take(&mut *self.0.lock())
            .into_iter()
            .partition::<Vec<_>, _>(|task| task.connection == Some(id));
        *self.0.lock() = left;
        drop(gone);
    }
}

/// What becomes of one request.
enum Outcome {
    Waiting,
    Answered(Bytes),
    Lost,
}

type Slot = Arc<Mutex<Outcome>>;

struct Connection {
    info: Arc<ConnectionInfo>,
    frames: VecDeque<(Bytes, Slot)>,
    /// Nothing arrives before this moment.
    late_until: Monotonic,
}

/// How badly the network treats somebody, in cases per thousand requests.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    pub late: u64,
    pub answer_lost: u64,
    /// What was given up may arrive all the same, however much later.
    pub abandoned_arrives: u64,
}

/// A request that the broker has admitted.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub key: i16,
    pub version: i16,
    pub connection: u64,
    /// The how many-th of all that were admitted.
    pub number: u64,
    pub admitted: Monotonic,
}

/// Sees each answer as the broker gives it, whether it arrives or not.
pub type Tap = Arc<dyn Fn(&Request, &Bytes) + Send + Sync>;

/// The network between the clients and the broker.
pub struct Wire {
    pub rng: Arc<SeededRng>,
    pub clock: MemoryClock,
    pub tasks: TurnTasks,
    tap: Option<Tap>,
    admitted: AtomicU64,
    /// Connections that were cut, as the broker has not noticed yet.
    ended: Mutex<VecDeque<Arc<ConnectionInfo>>>,
    connections: Mutex<BTreeMap<u64, Connection>>,
    next_connection: Mutex<u64>,
    /// Counts power losses.
    losses: Mutex<u64>,
}

/// No answer came.
#[derive(Debug)]
pub struct Lost;

/// An answer that was asked for.
pub struct Asked<A> {
    slot: Slot,
    key: ApiKey,
    version: i16,
    deadline: Monotonic,
    clock: MemoryClock,
    answer: std::marker::PhantomData<fn() -> A>,
}

/// One client's end: a connection, and those it has given up.
pub struct Client {
    pub wire: Arc<Wire>,
    pub manners: Manners,
    connection: u64,
    abandoned: Vec<u64>,
}

impl Wire {
    pub fn new(rng: Arc<SeededRng>, clock: MemoryClock, tasks: TurnTasks) -> Wire {
        Wire {
            rng,
            clock,
            tasks,
            tap: None,
            admitted: AtomicU64::new(0),
            ended: Mutex::default(),
            connections: Mutex::default(),
            next_connection: Mutex::new(0),
            losses: Mutex::new(0),
        }
    }

    /// With somebody who sees each answer of the broker, whether it arrives or not.
    pub fn seen(
        rng: Arc<SeededRng>,
        clock: MemoryClock,
        tasks: TurnTasks,
        see: impl Fn(&Wire, &Request, &Bytes) + Send + Sync + 'static,
    ) -> Arc<Wire> {
        Arc::new_cyclic(|wire: &Weak<Wire>| {
            let wire = wire.clone();
            let tap = move |request: &Request, response: &Bytes| {
                if let Some(wire) = wire.upgrade() {
                    see(&wire, request, response);
                }
            };
            Wire { tap: Some(Arc::new(tap)), ..Wire::new(rng, clock, tasks) }
        })
    }

    /// How many requests were admitted.
    pub fn admitted(&self) -> u64 {
        self.admitted.load(Ordering::Relaxed)
    }

    /// A connection that was cut; from now on the broker is to know.
    pub fn next_ended(&self) -> Option<Arc<ConnectionInfo>> {
        self.ended.lock().pop_front()
    }

    pub fn client(self: &Arc<Self>, manners: Manners) -> Client {
        let connection = self.connect();
        Client { wire: self.clone(), manners, connection, abandoned: Vec::new() }
    }

    fn connect(&self) -> u64 {
        let mut next = self.next_connection.lock();
        *next += 1;
        let connection =
            Connection { info: info(*next), frames: VecDeque::new(), late_until: Monotonic::default() };
        self.connections.lock().insert(*next, connection);
        *next
    }

    fn cut(&self, id: u64) {
        if let Some(gone) = self.connections.lock().remove(&id) {
            for (_, slot) in gone.frames {
                *slot.lock() = Outcome::Lost;
            }
            self.ended.lock().push_back(gone.info);
        }
        self.tasks.end_connection(id);
    }

    /// The broker is gone, and every connection with it.
    pub fn on_crash(&self, is_power_lost: bool) {
        self.tasks.clear();
        let ids: Vec<u64> = self.connections.lock().keys().copied().collect();
        for id in ids {
            self.cut(id);
        }
        self.ended.lock().clear();
        *self.losses.lock() += u64::from(is_power_lost);
    }

    pub fn losses(&self) -> u64 {
        *self.losses.lock()
    }

    pub fn is_quiet(&self) -> bool {
        self.connections.lock().values().all(|connection| connection.frames.is_empty())
    }

    /// Hands one request over that is not late.
    pub fn deliver_one(self: &Arc<Self>, handler: &dyn Handler, answer_lost: u64) -> bool {
        let now = self.clock.monotonic();
        let (info, frame, slot) = {
            let mut connections = self.connections.lock();
            let is_ready =
                |connection: &&mut Connection| !connection.frames.is_empty() && connection.late_until <= now;
            let mut ready: Vec<&mut Connection> = connections.values_mut().filter(is_ready).collect();
            if ready.is_empty() {
                return false;
            }
            let place = self.rng.below(ready.len() as u64) as usize;
            let connection = &mut ready[place];
            let Some((frame, slot)) = connection.frames.pop_front() else { return false };
            (connection.info.clone(), frame, slot)
        };
        let id = info.id;
        let number = self.admitted.fetch_add(1, Ordering::Relaxed);
        let word = |at: usize| i16::from_be_bytes([frame[at], frame[at + 1]]);
        let request = Request { key: word(0), version: word(2), connection: id, number, admitted: now };
        let is_lost = self.rng.chance(answer_lost);
        match handler.admit(&info, frame) {
            Admitted::Ready(answer) => self.put(&request, &slot, answer, is_lost),
            Admitted::Parked(answer)
            | Admitted::Exclusive(answer)
            | Admitted::ExclusiveAfterEarlier(answer) => {
                let wire = Arc::downgrade(self);
                let work = async move {
                    let answer = answer.await;
                    if let Some(wire) = wire.upgrade() {
                        wire.put(&request, &slot, answer, is_lost);
                    }
                };
                self.tasks.0.lock().push(Task { connection: Some(id), work: Box::pin(work) });
            }
        }
        true
    }

    fn put(&self, request: &Request, slot: &Slot, answer: Answer, is_lost: bool) {
        let bytes = match answer {
            Answer::Respond(response) => Some(bytes_of(&response)),
            _none => None,
        };
        if let (Some(tap), Some(bytes)) = (&self.tap, &bytes) {
            tap(request, bytes);
        }
        let outcome = match bytes {
            Some(bytes) if !is_lost => Outcome::Answered(bytes),
            _lost => Outcome::Lost,
        };
        if matches!(outcome, Outcome::Lost) {
            self.cut(request.connection);
        }
        *slot.lock() = outcome;
    }
}

/// All of a response behind its length.
pub fn bytes_of(response: &Response) -> Bytes {
    let mut bytes = BytesMut::from(&response.head[4..]);
    for chunk in &response.rest {
        match chunk {
            Chunk::Bytes(part) => bytes.extend_from_slice(part),
            Chunk::File { file, position, len } => {
                let mut part = vec![0; *len];
                file.read_exact_at(&mut part, *position).expect("what is answered is readable");
                bytes.extend_from_slice(&part);
            }
        }
    }
    bytes.freeze()
}

pub fn info(id: u64) -> Arc<ConnectionInfo> {
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 9092));
    let listener = ListenerInfo {
        name: "PLAINTEXT".to_owned(),
        protocol: SecurityProtocol::Plaintext,
        login_frame_bytes_max: 0,
        tls: None,
        advertised: None,
        bound: addr,
    };
    Arc::new(ConnectionInfo::new(id, Arc::new(listener), addr, addr))
}

/// A request as it comes over the wire.
pub fn frame<Q: Encode>(key: ApiKey, version: i16, request: &Q) -> Bytes {
    let mut bytes = BytesMut::new();
    let header =
        RequestHeader { api_key: key as i16, api_version: version, correlation_id: 7, client_id: None };
    header.encode(&mut bytes);
    request.encode(&mut bytes, version).expect("a request of this version");
    bytes.freeze()
}

pub fn decoded<A: Decode>(key: ApiKey, version: i16, mut bytes: Bytes) -> A {
    let head = if versions::response_header_version(key, version) >= 1 { 5 } else { 4 };
    let mut body = bytes.split_off(head);
    A::decode(&mut body, version).expect("an answer of this version")
}

impl Client {
    /// Sends a request; requests of one connection arrive in order.
    pub fn ask<Q: Encode, A: Decode>(&mut self, key: ApiKey, version: i16, request: &Q) -> Asked<A> {
        let (wire, now) = (&self.wire, self.wire.clock.monotonic());
        let slot: Slot = Arc::new(Mutex::new(Outcome::Waiting));
        if !wire.connections.lock().contains_key(&self.connection) {
            self.connection = wire.connect();
        }
        let mut connections = wire.connections.lock();
        if let Some(connection) = connections.get_mut(&self.connection) {
            connection.frames.push_back((frame(key, version, request), slot.clone()));
            if wire.rng.chance(self.manners.late) {
                connection.late_until = now.after(Duration::from_millis(wire.rng.below(LATE_MS_MAX)));
            }
        }
        Asked {
            slot,
            key,
            version,
            deadline: now.after(Duration::from_millis(REQUEST_TIMEOUT_MS)),
            clock: wire.clock.clone(),
            answer: std::marker::PhantomData,
        }
    }

    /// Asks and waits.
    pub async fn call<Q: Encode, A: Decode>(
        &mut self,
        key: ApiKey,
        version: i16,
        request: &Q,
    ) -> Result<A, Lost> {
        let answer = self.ask(key, version, request).await;
        if answer.is_err() {
            self.reconnect();
        }
        answer
    }

    /// The connection that the last request was sent over.
    pub fn connection(&self) -> u64 {
        self.connection
    }

    /// The process of the client is gone.
    pub fn die(&mut self) {
        self.forget_abandoned();
        self.wire.cut(self.connection);
    }

    /// Gives the connection up. What was sent on it may still arrive.
    pub fn reconnect(&mut self) {
        if self.wire.rng.chance(self.manners.abandoned_arrives) {
            self.abandoned.push(self.connection);
        } else {
            self.wire.cut(self.connection);
        }
        self.connection = self.wire.connect();
    }

    /// Nothing that was given up arrives any more.
    pub fn forget_abandoned(&mut self) {
        for id in std::mem::take(&mut self.abandoned) {
            self.wire.cut(id);
        }
    }

    /// Lets time go by.
    pub async fn pause(&self, ms_max: u64) {
        let ms = self.wire.rng.below(ms_max);
        let until = self.wire.clock.monotonic().after(Duration::from_millis(ms));
        self.wire.clock.sleep_until(until).await;
    }
}

impl<A: Decode> Future for Asked<A> {
    type Output = Result<A, Lost>;

    fn poll(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        match &*self.slot.lock() {
            Outcome::Answered(bytes) => Poll::Ready(Ok(decoded(self.key, self.version, bytes.clone()))),
            Outcome::Lost => Poll::Ready(Err(Lost)),
            Outcome::Waiting if self.clock.monotonic() >= self.deadline => Poll::Ready(Err(Lost)),
            Outcome::Waiting => Poll::Pending,
        }
    }
}
