//! A node that refuses, keeps silent, comes and goes.
//! Core: every task is polled by hand in a memory network.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use ottla_env::memory::SeededRng;
use ottla_env::memory::net::MemoryNet;
use ottla_env::net::{Acceptor, Net, SocketBuffers, Stream};
use ottla_env::tasks::{TaskHandle, Tasks, ThreadHandle};
use ottla_env::{BoxFuture, Env};
use ottla_protocol::messages::api_versions_response::ApiVersion;
use ottla_protocol::messages::{ApiVersionsResponse, MetadataRequest};
use ottla_protocol::{ApiKey, Encode, RequestHeader, encode_response_header};
use parking_lot::Mutex;

use super::{Backoff, CallError, Peer, PeerSettings};
use crate::test_world::{ManualClock, env};

/// Tasks that run when the test says so, and end when their handle is dropped.
#[derive(Default)]
struct HandTasks(Mutex<Vec<(Arc<AtomicBool>, BoxFuture<'static, ()>)>>);

impl Tasks for HandTasks {
    fn spawn(&self, _name: &'static str, work: BoxFuture<'static, ()>) -> TaskHandle {
        let aborted = Arc::new(AtomicBool::new(false));
        self.0.lock().push((Arc::clone(&aborted), work));
        TaskHandle::new(Box::new(move || aborted.store(true, Ordering::SeqCst)), Box::pin(async {}))
    }

    fn spawn_thread(&self, name: &'static str, _work: Box<dyn FnOnce() + Send>) -> ThreadHandle {
        panic!("no thread is needed here, but {name}")
    }
}

impl HandTasks {
    /// Polls every task as often as anything can come of it.
    fn run(&self) {
        for _round in 0..10 {
            let mut tasks = std::mem::take(&mut *self.0.lock());
            tasks.retain_mut(|(aborted, work)| {
                !aborted.load(Ordering::SeqCst)
                    && work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
            });
            let mut added = self.0.lock();
            tasks.append(&mut added);
            *added = tasks;
        }
    }

    fn count(&self) -> usize {
        self.run();
        self.0.lock().len()
    }
}

struct World {
    net: MemoryNet,
    clock: Arc<ManualClock>,
    tasks: Arc<HandTasks>,
    peer: Peer,
}

fn here() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9093))
}

fn world() -> World {
    let (net, clock, tasks) =
        (MemoryNet::new(), Arc::new(ManualClock::default()), Arc::new(HandTasks::default()));
    let env = Env {
        rng: Arc::new(SeededRng::new(1)),
        ..env(net.clone(), Arc::clone(&clock), Arc::clone(&tasks) as Arc<dyn Tasks>)
    };
    let settings = PeerSettings {
        backoff: Backoff { min: Duration::from_millis(100), max: Duration::from_millis(400) },
        setup_timeout: Duration::from_secs(3),
        ..PeerSettings::default()
    };
    let peer = Peer::new(env, "localhost".to_owned(), here().port(), settings);
    World { net, clock, tasks, peer }
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn accept(acceptor: &mut Box<dyn Acceptor>) -> Option<Box<dyn Stream>> {
    match acceptor.poll_accept(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(stream)) => Some(stream),
        _nobody => None,
    }
}

/// Answers the one request that has arrived.
fn answer(stream: &mut Box<dyn Stream>, version: i16, response: &impl Encode) {
    let mut context = Context::from_waker(Waker::noop());
    let mut bytes = BytesMut::with_capacity(4096);
    assert!(matches!(stream.poll_read(&mut context, &mut bytes), Poll::Ready(Ok(_))));
    bytes.advance(4);
    let header = RequestHeader::decode(&mut bytes.freeze()).expect("a request");
    let mut frame = BytesMut::new();
    let key = header.key().expect("a key");
    encode_response_header(&mut frame, key, version, header.correlation_id);
    response.encode(&mut frame, version).expect("it encodes");
    let mut whole = BytesMut::new();
    whole.put_i32(frame.len() as i32);
    whole.extend_from_slice(&frame);
    let slices = [std::io::IoSlice::new(&whole)];
    assert!(matches!(stream.poll_write_vectored(&mut context, &slices), Poll::Ready(Ok(_))));
}

fn serves() -> ApiVersionsResponse {
    let metadata = ApiVersion::default().with_api_key(ApiKey::Metadata.to_i16()).with_max_version(12);
    let versions = ApiVersion::default().with_api_key(ApiKey::ApiVersions.to_i16()).with_max_version(4);
    ApiVersionsResponse::default().with_api_keys(vec![metadata, versions])
}

#[test]
fn one_connection_serves_all_who_call_at_once_and_ends_with_its_peer() {
    let world = world();
    let mut acceptor = world.net.bind(here(), SocketBuffers::default()).expect("the port is free");
    let World { tasks, peer, .. } = world;
    let (mut first, mut second) = (Box::pin(peer.link()), Box::pin(peer.link()));
    assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    tasks.run();
    let mut stream = accept(&mut acceptor).expect("it was dialled");
    assert!(accept(&mut acceptor).is_none(), "once for both");
    answer(&mut stream, 4, &serves());
    tasks.run();
    let (Poll::Ready(Ok(one)), Poll::Ready(Ok(other))) = (poll(first.as_mut()), poll(second.as_mut())) else {
        panic!("it is open")
    };
    assert_eq!(one.versions(), other.versions());
    drop((first, second));
    assert_eq!(tasks.count(), 1);
    drop(peer);
    assert_eq!(tasks.count(), 0, "nobody needs the connection");
    assert!(one.is_closed());
}

#[test]
fn a_node_that_refuses_is_dialled_again_after_a_growing_rest() {
    let world = world();
    let mut waited = Vec::new();
    for _attempt in 0..4 {
        let mut link = pin!(world.peer.link());
        let mut rested = 0;
        let error = loop {
            match poll(link.as_mut()) {
                Poll::Ready(Err(error)) => break error,
                Poll::Ready(Ok(_)) => panic!("nobody listens"),
                Poll::Pending => {}
            }
            let dialled = world.tasks.count() == 0;
            if !dialled {
                world.clock.advance(Duration::from_millis(10));
                rested += 10;
                assert!(rested < 1000, "it is dialled again");
            }
        };
        assert!(matches!(error, CallError::Unreachable(_)), "{error:?}");
        waited.push(rested);
    }
    assert_eq!(waited[0], 0, "the first attempt is made at once");
    let bounds = [(80, 130), (160, 250), (320, 490)];
    for (wait, (least, most)) in waited[1..].iter().zip(bounds) {
        assert!((least..=most).contains(wait), "{waited:?}");
    }
}

#[test]
fn a_node_that_says_nothing_is_given_up_in_time_and_found_again() {
    let world = world();
    let mut acceptor = world.net.bind(here(), SocketBuffers::default()).expect("the port is free");
    world.net.set_silent(here(), true);
    let mut link = pin!(world.peer.link());
    assert!(poll(link.as_mut()).is_pending());
    world.tasks.run();
    world.clock.advance(Duration::from_millis(2999));
    world.tasks.run();
    assert!(poll(link.as_mut()).is_pending());
    world.clock.advance(Duration::from_millis(1));
    world.tasks.run();
    assert!(matches!(poll(link.as_mut()), Poll::Ready(Err(CallError::Unreachable(_)))));
    // It accepts again, but does not answer ApiVersions: the same limit holds.
    world.net.set_silent(here(), false);
    let mut link = pin!(world.peer.link());
    assert!(poll(link.as_mut()).is_pending());
    world.tasks.run();
    world.clock.advance(Duration::from_millis(120));
    world.tasks.run();
    let stream = accept(&mut acceptor).expect("it was dialled");
    world.clock.advance(Duration::from_secs(3));
    world.tasks.run();
    assert!(matches!(poll(link.as_mut()), Poll::Ready(Err(CallError::Unreachable(_)))));
    drop(stream);
}

#[test]
fn a_lost_connection_is_dialled_again_at_once_by_the_next_call() {
    let world = world();
    let mut acceptor = world.net.bind(here(), SocketBuffers::default()).expect("the port is free");
    let request = MetadataRequest::default();
    for _connection in 0..2 {
        let mut call = pin!(world.peer.call(&request));
        assert!(poll(call.as_mut()).is_pending());
        world.tasks.run();
        let mut stream = accept(&mut acceptor).expect("it was dialled");
        answer(&mut stream, 4, &serves());
        world.tasks.run();
        assert!(poll(call.as_mut()).is_pending());
        world.tasks.run();
        drop(stream);
        world.tasks.run();
        assert!(matches!(poll(call.as_mut()), Poll::Ready(Err(CallError::Lost(_)))));
    }
}

/// KIP-601: who is slow is not asked again and again for what it cannot do in that time.
#[test]
fn a_node_that_is_too_slow_gets_more_time_each_time_and_no_more_once_it_answers() {
    let world = world();
    let mut acceptor = world.net.bind(here(), SocketBuffers::default()).expect("the port is free");
    let mut held = Vec::new();
    for seconds in [3, 6, 12, 24, 24] {
        let mut link = Box::pin(world.peer.link());
        assert!(poll(link.as_mut()).is_pending());
        // It rests before it dials.
        world.clock.advance(Duration::from_millis(500));
        world.tasks.run();
        held.push(accept(&mut acceptor).expect("it was dialled"));
        world.clock.advance(Duration::from_secs(seconds) - Duration::from_millis(1));
        world.tasks.run();
        assert!(poll(link.as_mut()).is_pending(), "{seconds} s are not over");
        world.clock.advance(Duration::from_millis(1));
        world.tasks.run();
        assert!(matches!(poll(link.as_mut()), Poll::Ready(Err(CallError::Unreachable(_)))), "{seconds} s");
    }
    let mut link = Box::pin(world.peer.link());
    assert!(poll(link.as_mut()).is_pending());
    world.clock.advance(Duration::from_millis(500));
    world.tasks.run();
    let mut stream = accept(&mut acceptor).expect("it was dialled");
    answer(&mut stream, 4, &serves());
    world.tasks.run();
    assert!(matches!(poll(link.as_mut()), Poll::Ready(Ok(_))));
    drop((link, stream));
    world.tasks.run();
    // The next one has the time of the first again.
    let mut link = Box::pin(world.peer.link());
    assert!(poll(link.as_mut()).is_pending());
    world.tasks.run();
    held.push(accept(&mut acceptor).expect("it was dialled"));
    world.clock.advance(Duration::from_secs(3));
    world.tasks.run();
    assert!(matches!(poll(link.as_mut()), Poll::Ready(Err(CallError::Unreachable(_)))));
}

#[test]
fn who_is_not_let_in_asks_less_often_than_for_a_node_that_is_away() {
    let world = world();
    let mut acceptor = world.net.bind(here(), SocketBuffers::default()).expect("the port is free");
    let refusal = ApiVersionsResponse::default().with_error_code(58);
    let mut waited = Vec::new();
    for _attempt in 0..8 {
        let mut link = pin!(world.peer.link());
        assert!(poll(link.as_mut()).is_pending());
        let mut rested = 0;
        let mut stream = loop {
            world.tasks.run();
            if let Some(stream) = accept(&mut acceptor) {
                break stream;
            }
            world.clock.advance(Duration::from_millis(10));
            rested += 10;
            assert!(rested < 3_000, "it is dialled again: {waited:?}");
        };
        answer(&mut stream, 4, &refusal);
        world.tasks.run();
        assert!(matches!(poll(link.as_mut()), Poll::Ready(Err(_))));
        waited.push(rested);
    }
    // The longest wait for a node that is away is 400 ms, a fifth more or less.
    assert!(waited[..3].iter().all(|wait| *wait < 250), "it begins as ever: {waited:?}");
    assert!(waited[6..].iter().all(|wait| (1_600..=2_410).contains(wait)), "{waited:?}");
    // Once it is let in, it is as if nothing had been.
    let mut link = pin!(world.peer.link());
    assert!(poll(link.as_mut()).is_pending());
    world.clock.advance(Duration::from_millis(2_500));
    world.tasks.run();
    let mut stream = accept(&mut acceptor).expect("it was dialled");
    answer(&mut stream, 4, &serves());
    world.tasks.run();
    assert!(matches!(poll(link.as_mut()), Poll::Ready(Ok(_))));
    drop(stream);
    world.tasks.run();
    let mut link = pin!(world.peer.link());
    assert!(poll(link.as_mut()).is_pending());
    world.tasks.run();
    assert!(accept(&mut acceptor).is_some(), "at once");
}
