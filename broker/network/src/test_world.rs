//! For the tests of this room: a scripted handler, a connection polled by hand, a clock set by hand.
//! Shell: a stand-in for tests.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use ottla_env::clock::{Clock, Monotonic};
use ottla_env::memory::net::{MemoryNet, MemoryStream, pair};
use ottla_env::real::{RealDisk, RealRng};
use ottla_env::tasks::{TaskHandle, Tasks, ThreadHandle};
use ottla_env::{BoxFuture, Env};
use ottla_model::SecurityProtocol;
use parking_lot::Mutex;
use prometheus::Registry;
use tokio::sync::oneshot;

use crate::connection::{Connection, Control};
use crate::handler::{Admitted, Answer, ConnectionInfo, Handler, ListenerInfo};
use crate::metrics::NetworkMetrics;
use crate::response::{Chunk, Response, ResponseBuilder};
use crate::server::Shared;
use crate::settings::NetworkSettings;

/// Counts how often it was woken.
pub struct CountingWaker(AtomicUsize);

impl CountingWaker {
    pub fn new() -> Arc<CountingWaker> {
        Arc::new(CountingWaker(AtomicUsize::new(0)))
    }

    pub fn waker(self: &Arc<CountingWaker>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A clock that moves when a test moves it.
#[derive(Default)]
pub struct ManualClock(Arc<Mutex<ManualTime>>);

#[derive(Default)]
struct ManualTime {
    now: Monotonic,
    sleepers: Vec<Waker>,
}

impl ManualClock {
    pub fn advance(&self, by: Duration) {
        let sleepers = {
            let mut time = self.0.lock();
            time.now = time.now.after(by);
            std::mem::take(&mut time.sleepers)
        };
        sleepers.into_iter().for_each(Waker::wake);
    }
}

impl Clock for ManualClock {
    fn wall_ms(&self) -> i64 {
        self.0.lock().now.0.as_millis() as i64
    }

    fn monotonic(&self) -> Monotonic {
        self.0.lock().now
    }

    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        let time = Arc::clone(&self.0);
        Box::pin(std::future::poll_fn(move |context| {
            let mut time = time.lock();
            if time.now >= deadline {
                return Poll::Ready(());
            }
            time.sleepers.push(context.waker().clone());
            Poll::Pending
        }))
    }
}

/// For worlds where the test polls by hand.
pub struct NoTasks;

impl Tasks for NoTasks {
    fn spawn(&self, name: &'static str, _work: BoxFuture<'static, ()>) -> TaskHandle {
        panic!("nothing is spawned here, but {name}")
    }

    fn spawn_thread(&self, name: &'static str, _work: Box<dyn FnOnce() + Send>) -> ThreadHandle {
        panic!("nothing is spawned here, but {name}")
    }
}

pub fn env(net: MemoryNet, clock: Arc<ManualClock>, tasks: Arc<dyn Tasks>) -> Env {
    Env { clock, disk: Arc::new(RealDisk), net: Arc::new(net), rng: Arc::new(RealRng), tasks }
}

/// Does what a frame's fifth byte says, and remembers.
#[derive(Default)]
pub struct Script {
    pub admitted: Mutex<Vec<i32>>,
    pub parked: Mutex<HashMap<i32, oneshot::Sender<Answer>>>,
    pub closed: AtomicUsize,
    /// Requests that wait for earlier answers, in the order in which they began.
    pub begun: Arc<Mutex<Vec<i32>>>,
    /// What `b'F'` answers with.
    pub file: Mutex<Option<Chunk>>,
}

/// A request of the script: a correlation id, what to do, and a number.
pub fn request(correlation_id: i32, what: u8, number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.put_i32(12);
    bytes.put_i32(correlation_id);
    bytes.put_u8(what);
    bytes.put_slice(&[0; 3]);
    bytes.put_u32(number);
    bytes
}

/// A request padded to a frame of `len` bytes.
pub fn request_of_len(correlation_id: i32, what: u8, len: usize) -> Vec<u8> {
    let mut bytes = request(correlation_id, what, 0);
    bytes[..4].copy_from_slice(&(len as i32).to_be_bytes());
    bytes.resize(4 + len, 0);
    bytes
}

pub fn answer(correlation_id: i32, body_bytes: usize) -> Response {
    let mut builder = ResponseBuilder::with_capacity(4 + body_bytes);
    builder.buffer.put_i32(correlation_id);
    builder.buffer.put_bytes(0, body_bytes);
    builder.finish().expect("it fits a frame")
}

impl Handler for Script {
    fn admit(&self, connection: &Arc<ConnectionInfo>, mut frame: Bytes) -> Admitted {
        if frame.is_empty() {
            return Admitted::Ready(Answer::Respond(answer(0, 0)));
        }
        let correlation_id = frame.get_i32();
        let what = frame.get_u8();
        frame.advance(3);
        let number = frame.get_u32();
        self.admitted.lock().push(correlation_id);
        match what {
            b'R' => Admitted::Ready(Answer::Respond(answer(correlation_id, number as usize))),
            b'L' => {
                let alice = ottla_security::KafkaPrincipal::user("alice");
                connection.authenticate(Arc::new(ottla_security::Identity::without_sasl(alice)));
                Admitted::Ready(Answer::Respond(answer(correlation_id, 0)))
            }
            b'N' => {
                connection.forget_identity();
                Admitted::Ready(Answer::Respond(answer(correlation_id, 0)))
            }
            b'S' => Admitted::Ready(Answer::Silent),
            b'C' => Admitted::Ready(Answer::Close("the script says so")),
            b'P' => Admitted::Parked(self.park(correlation_id)),
            b'X' => Admitted::Exclusive(self.park(correlation_id)),
            b'A' => {
                let (begun, answer) = (Arc::clone(&self.begun), self.park(correlation_id));
                Admitted::ExclusiveAfterEarlier(Box::pin(async move {
                    begun.lock().push(correlation_id);
                    answer.await
                }))
            }
            b'M' => Admitted::Ready(muting(answer(correlation_id, 0), number)),
            b'D' => Admitted::Ready(Answer::CloseAfter {
                response: Some(answer(correlation_id, 0)),
                delay: Duration::from_millis(number.into()),
                why: "the script says so",
            }),
            b'F' => {
                let mut builder = ResponseBuilder::with_capacity(4);
                builder.buffer.put_i32(correlation_id);
                builder.push(self.file.lock().clone().expect("the test gave a file"));
                Admitted::Ready(Answer::Respond(builder.finish().expect("it fits a frame")))
            }
            other => panic!("no such request: {other}"),
        }
    }

    fn on_close(&self, _connection: &Arc<ConnectionInfo>) {
        self.closed.fetch_add(1, Ordering::SeqCst);
    }
}

/// An answer that mutes its connection for so many milliseconds.
pub fn muting(response: Response, mute_ms: u32) -> Answer {
    let mute = Duration::from_millis(mute_ms.into());
    Answer::ThenMute { answer: Box::new(Answer::Respond(response)), mute }
}

impl Script {
    fn park(&self, correlation_id: i32) -> BoxFuture<'static, Answer> {
        let (sender, receiver) = oneshot::channel();
        self.parked.lock().insert(correlation_id, sender);
        Box::pin(async { receiver.await.unwrap_or(Answer::Close("dropped")) })
    }

    /// Answers a parked request.
    pub fn answer(&self, correlation_id: i32, answer: Answer) {
        let sender = self.parked.lock().remove(&correlation_id).expect("it is parked");
        assert!(sender.send(answer).is_ok(), "its future is there");
    }
}

/// Connections of one server, polled by hand.
pub struct World {
    pub script: Arc<Script>,
    pub shared: Arc<Shared>,
    pub clock: Arc<ManualClock>,
    listener: Arc<ListenerInfo>,
    pipe_bytes: usize,
}

pub struct Polled {
    connection: Option<Pin<Box<Connection>>>,
    control: Arc<Control>,
    info: Arc<ConnectionInfo>,
    woken: Arc<CountingWaker>,
    seen: usize,
    pub client: MemoryStream,
    pub polls: usize,
}

impl World {
    pub fn new(settings: NetworkSettings) -> World {
        World::with_pipe_bytes(settings, 256 * 1024)
    }

    /// With a listener whose clients have to log in.
    pub fn for_logins(settings: NetworkSettings, login_frame_bytes_max: usize) -> World {
        let mut world = World::new(settings);
        let protocol = SecurityProtocol::SaslPlaintext;
        world.listener =
            Arc::new(ListenerInfo { protocol, login_frame_bytes_max, ..(*world.listener).clone() });
        world
    }

    pub fn with_pipe_bytes(settings: NetworkSettings, pipe_bytes: usize) -> World {
        let script = Arc::new(Script::default());
        let metrics = NetworkMetrics::register(&Registry::new()).expect("names are free");
        let clock = Arc::new(ManualClock::default());
        let env = env(MemoryNet::new(), Arc::clone(&clock), Arc::new(NoTasks));
        let handler: Arc<dyn Handler> = Arc::clone(&script) as Arc<dyn Handler>;
        let listener = ListenerInfo {
            name: "PLAINTEXT".into(),
            protocol: SecurityProtocol::Plaintext,
            login_frame_bytes_max: 0,
            tls: None,
            advertised: None,
            bound: SocketAddr::from(([127, 0, 0, 1], 1)),
        };
        World {
            script,
            shared: Shared::new(env, settings, handler, metrics),
            clock,
            listener: Arc::new(listener),
            pipe_bytes,
        }
    }

    pub fn connect(&self) -> Polled {
        let (client, server) =
            pair(SocketAddr::from(([127, 0, 0, 1], 2)), self.listener.bound, self.pipe_bytes);
        let connection = self.shared.admit(Box::new(server), &self.listener).expect("there is room");
        let mut polled = Polled {
            control: connection.control(),
            info: connection.info(),
            connection: Some(Box::pin(connection)),
            woken: CountingWaker::new(),
            seen: 0,
            client,
            polls: 0,
        };
        polled.poll();
        polled
    }
}

impl Polled {
    fn poll(&mut self) {
        let Some(connection) = self.connection.as_mut() else { return };
        self.polls += 1;
        self.seen = self.woken.count();
        let waker = self.woken.waker();
        if connection.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            self.connection = None;
        }
    }

    /// Polls as long as anything wakes it, as an executor does.
    pub fn run(&mut self) {
        while self.connection.is_some() && self.woken.count() > self.seen {
            self.poll();
        }
    }

    /// Lets the connection end once all is answered.
    pub fn drain(&mut self) {
        self.control.drain();
        self.run();
    }

    pub fn info(&self) -> Arc<ConnectionInfo> {
        Arc::clone(&self.info)
    }

    pub fn is_closed(&self) -> bool {
        self.connection.is_none()
    }

    /// Sends everything, letting the connection run when the way is full. Returns what was not
    /// taken because the connection does not read.
    pub fn send(&mut self, mut bytes: &[u8]) -> usize {
        while !bytes.is_empty() {
            match self.client.try_write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.woken.count() > self.seen => {
                }
                Err(_full_or_closed) => break,
            }
            self.run();
        }
        bytes.len()
    }

    /// Everything the client gets until nothing more comes.
    pub fn receive(&mut self) -> BytesMut {
        let mut received = BytesMut::new();
        loop {
            self.run();
            match self.client.try_read() {
                Ok(bytes) if bytes.is_empty() => return received,
                Ok(bytes) => received.extend_from_slice(&bytes),
                Err(_nothing) => return received,
            }
        }
    }

    /// Correlation ids of the answers received.
    pub fn receive_ids(&mut self) -> Vec<i32> {
        correlation_ids(self.receive())
    }
}

/// Correlation ids of whole answers.
pub fn correlation_ids(mut received: BytesMut) -> Vec<i32> {
    let mut ids = Vec::new();
    while !received.is_empty() {
        let len = received.get_i32() as usize;
        let mut body = received.split_to(len);
        ids.push(body.get_i32());
    }
    ids
}
