//! What an outgoing connection makes of answers that come in order, late, never, or not as promised.
//! Core: the link's task is polled by hand over a memory stream.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use ottla_env::memory::net::{MemoryStream, pair};
use ottla_protocol::messages::api_versions_response::ApiVersion;
use ottla_protocol::messages::{ApiVersionsResponse, MetadataRequest, MetadataResponse};
use ottla_protocol::{ApiKey, Encode, RequestHeader, StrBytes, encode_response_header};

use super::link::{Link, LinkTask};
use super::{CallError, PeerSettings};
use crate::test_world::ManualClock;

/// A link, its task, and the other node's end.
struct World {
    clock: Arc<ManualClock>,
    task: Option<LinkTask>,
    server: MemoryStream,
    arrived: BytesMut,
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

impl World {
    fn new(settings: PeerSettings) -> (World, Link) {
        let (client, server) = pair(address(1), address(2), 1 << 20);
        let clock = Arc::new(ManualClock::default());
        let (link, task) = Link::over(Box::new(client), Arc::clone(&clock) as _, settings);
        (World { clock, task: Some(task), server, arrived: BytesMut::new() }, link)
    }

    /// A link that has agreed on versions with a node that serves Metadata from 0 to 12.
    fn agreed(settings: PeerSettings) -> (World, Link) {
        let (mut world, link) = World::new(settings);
        let mut agreeing = pin!(link.agree());
        assert!(poll(agreeing.as_mut()).is_pending());
        world.run();
        let request = world.request();
        world.answer(&request, request.api_version, &versions(0, 12));
        world.run();
        let Poll::Ready(Ok(link)) = poll(agreeing) else { panic!("the versions are there") };
        (world, link)
    }

    fn run(&mut self) {
        let Some(task) = &mut self.task else { return };
        if poll(Pin::new(task)).is_ready() {
            self.task = None;
        }
    }

    /// The next request the other node has got.
    fn request(&mut self) -> RequestHeader {
        if let Ok(bytes) = self.server.try_read() {
            self.arrived.extend_from_slice(&bytes);
        }
        let len = self.arrived.get_i32() as usize;
        let mut frame = self.arrived.split_to(len).freeze();
        RequestHeader::decode(&mut frame).expect("a request's header")
    }

    fn answer(&mut self, request: &RequestHeader, version: i16, response: &impl Encode) {
        let mut frame = BytesMut::new();
        let key = request.key().expect("a key");
        encode_response_header(&mut frame, key, version, request.correlation_id);
        response.encode(&mut frame, version).expect("it encodes");
        self.answer_bytes(&frame);
    }

    fn answer_bytes(&mut self, frame: &[u8]) {
        let mut bytes = BytesMut::new();
        bytes.put_i32(frame.len() as i32);
        bytes.extend_from_slice(frame);
        assert_eq!(self.server.try_write(&bytes).ok(), Some(bytes.len()));
    }
}

fn versions(min: i16, max: i16) -> ApiVersionsResponse {
    let row = |key: ApiKey, min, max| {
        ApiVersion::default().with_api_key(key.to_i16()).with_min_version(min).with_max_version(max)
    };
    ApiVersionsResponse::default()
        .with_api_keys(vec![row(ApiKey::Metadata, min, max), row(ApiKey::ApiVersions, 0, 2)])
}

fn cluster(name: &'static str) -> MetadataResponse {
    MetadataResponse::default().with_cluster_id(Some(StrBytes::from_static_str(name)))
}

#[test]
fn versions_are_agreed_on_also_with_a_node_that_refuses_the_newest() {
    let (mut world, link) = World::new(PeerSettings::default());
    let mut agreeing = pin!(link.agree());
    assert!(poll(agreeing.as_mut()).is_pending());
    world.run();
    let first = world.request();
    assert!(first.api_version > 2);
    world.answer(&first, 0, &versions(1, 4).with_error_code(35));
    world.run();
    assert!(poll(agreeing.as_mut()).is_pending());
    world.run();
    let second = world.request();
    assert_eq!((second.key(), second.api_version), (Some(ApiKey::ApiVersions), 2));
    world.answer(&second, 2, &versions(1, 4));
    world.run();
    let Poll::Ready(Ok(link)) = poll(agreeing) else { panic!("the versions are there") };
    assert_eq!(link.versions().common(ApiKey::Metadata), Some(4));
    let request = ottla_protocol::messages::FetchRequest::default();
    assert_eq!(link.send(&request).err(), Some(CallError::NoVersion(ApiKey::Fetch)));
}

#[test]
fn requests_are_pipelined_and_each_gets_its_own_answer() {
    let (mut world, link) = World::agreed(PeerSettings::default());
    let mut first = pin!(link.send(&MetadataRequest::default()).expect("it is open"));
    let mut second = pin!(link.send(&MetadataRequest::default()).expect("it is open"));
    world.run();
    let (one, two) = (world.request(), world.request());
    assert_eq!((one.api_version, two.correlation_id), (12, one.correlation_id + 1));
    world.answer(&one, 12, &cluster("one"));
    world.run();
    assert!(poll(second.as_mut()).is_pending());
    let Poll::Ready(Ok(answer)) = poll(first.as_mut()) else { panic!("it is answered") };
    assert_eq!(answer.cluster_id.as_deref(), Some("one"));
    world.answer(&two, 12, &cluster("two"));
    world.run();
    let Poll::Ready(Ok(answer)) = poll(second.as_mut()) else { panic!("it is answered") };
    assert_eq!(answer.cluster_id.as_deref(), Some("two"));
}

#[test]
fn an_answer_out_of_order_closes_the_connection() {
    let (mut world, link) = World::agreed(PeerSettings::default());
    let mut first = pin!(link.send(&MetadataRequest::default()).expect("it is open"));
    let mut second = pin!(link.send(&MetadataRequest::default()).expect("it is open"));
    world.run();
    let (_one, two) = (world.request(), world.request());
    world.answer(&two, 12, &cluster("two"));
    world.run();
    for call in [poll(first.as_mut()), poll(second.as_mut())] {
        let Poll::Ready(Err(CallError::Lost(why))) = call else { panic!("it is lost: {call:?}") };
        assert!(why.contains("correlation id"), "{why}");
    }
    assert!(link.is_closed() && world.task.is_none());
    assert!(matches!(link.send(&MetadataRequest::default()).err(), Some(CallError::Unreachable(_))));
}

#[test]
fn a_request_that_is_not_answered_in_time_ends_all_of_its_connection() {
    let settings = PeerSettings { request_timeout: Duration::from_secs(2), ..PeerSettings::default() };
    let (mut world, link) = World::agreed(settings);
    let mut first = pin!(link.send(&MetadataRequest::default()).expect("it is open"));
    world.run();
    world.clock.advance(Duration::from_secs(1));
    let mut second = pin!(link.send(&MetadataRequest::default()).expect("it is open"));
    world.run();
    let one = world.request();
    world.answer(&one, 12, &cluster("one"));
    world.clock.advance(Duration::from_millis(1500));
    world.run();
    assert!(matches!(poll(first.as_mut()), Poll::Ready(Ok(_))), "the time of an answered request is over");
    assert!(poll(second.as_mut()).is_pending());
    world.clock.advance(Duration::from_millis(500));
    world.run();
    assert!(matches!(poll(second.as_mut()), Poll::Ready(Err(CallError::TimedOut))));
    assert!(link.is_closed());
}

#[test]
fn what_was_sent_is_lost_with_the_connection() {
    let (mut world, link) = World::agreed(PeerSettings::default());
    let mut call = pin!(link.send(&MetadataRequest::default()).expect("it is open"));
    let (_client, other) = pair(address(3), address(4), 1);
    drop(std::mem::replace(&mut world.server, other));
    world.run();
    assert!(matches!(poll(call.as_mut()), Poll::Ready(Err(CallError::Lost(_)))));
}

#[test]
fn a_task_that_is_dropped_leaves_nobody_waiting() {
    let (mut world, link) = World::agreed(PeerSettings::default());
    let mut call = pin!(link.send(&MetadataRequest::default()).expect("it is open"));
    world.task = None;
    assert!(matches!(poll(call.as_mut()), Poll::Ready(Err(CallError::Lost(_)))));
}

#[test]
fn an_answer_that_claims_two_billion_brokers_is_refused() {
    let (mut world, link) = World::agreed(PeerSettings::default());
    let mut call = pin!(link.send(&MetadataRequest::default()).expect("it is open"));
    world.run();
    let request = world.request();
    let mut frame = BytesMut::new();
    encode_response_header(&mut frame, ApiKey::Metadata, 12, request.correlation_id);
    frame.put_slice(&[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    world.answer_bytes(&frame);
    world.run();
    assert!(matches!(poll(call.as_mut()), Poll::Ready(Err(CallError::Malformed(_)))));
    assert!(link.is_closed());
}

#[test]
fn a_promise_over_the_limit_closes_the_connection() {
    let settings = PeerSettings { response_bytes_max: 1000, ..PeerSettings::default() };
    let (mut world, link) = World::agreed(settings);
    let mut call = pin!(link.send(&MetadataRequest::default()).expect("it is open"));
    assert_eq!(world.server.try_write(&1001_i32.to_be_bytes()).ok(), Some(4));
    world.run();
    assert!(matches!(poll(call.as_mut()), Poll::Ready(Err(CallError::Lost(_)))));
}

#[test]
fn requests_in_flight_are_bounded() {
    let settings = PeerSettings { in_flight_max: 2, ..PeerSettings::default() };
    let (mut world, link) = World::agreed(settings);
    let first = link.send(&MetadataRequest::default()).expect("it is open");
    let _second = link.send(&MetadataRequest::default()).expect("it is open");
    assert_eq!(link.send(&MetadataRequest::default()).err(), Some(CallError::TooMany));
    world.run();
    let one = world.request();
    // A caller that gave up still has its place until its answer comes.
    drop(first);
    assert_eq!(link.send(&MetadataRequest::default()).err(), Some(CallError::TooMany));
    world.answer(&one, 12, &cluster("one"));
    world.run();
    assert!(link.send(&MetadataRequest::default()).is_ok());
}
