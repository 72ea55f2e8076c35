//! What listeners do with connections that come, are too many, or cannot be accepted.
//! Core: one thread, a network in memory, a clock set by hand.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ottla_env::memory::net::{MemoryNet, MemoryStream};
use ottla_env::net::SocketBuffers;
use ottla_env::real::TokioTasks;
use ottla_model::SecurityProtocol;
use ottla_quota::{AddressRateLimits, ConnectionRateLimits};
use prometheus::Registry;

use crate::handler::{Answer, Handler};
use crate::listener::{ListenerSpec, Listeners};
use crate::metrics::NetworkMetrics;
use crate::server::NetworkServer;
use crate::settings::{ConnectionLimits, NetworkSettings};
use crate::test_world::{ManualClock, Script, answer, correlation_ids, env, request};

struct House {
    net: MemoryNet,
    clock: Arc<ManualClock>,
    script: Arc<Script>,
    metrics: Arc<NetworkMetrics>,
    server: NetworkServer,
    addr: SocketAddr,
}

fn spec(port: u16) -> ListenerSpec {
    ListenerSpec {
        name: "PLAINTEXT".into(),
        protocol: SecurityProtocol::Plaintext,
        login_frame_bytes_max: 0,
        tls: None,
        host: "127.0.0.1".into(),
        port,
        advertised: None,
        buffers: SocketBuffers::default(),
    }
}

/// Call inside a runtime of one thread.
fn serve(settings: NetworkSettings) -> House {
    let net = MemoryNet::new();
    let clock = Arc::new(ManualClock::default());
    let env = env(net.clone(), Arc::clone(&clock), Arc::new(TokioTasks::current()));
    let script = Arc::new(Script::default());
    let handler: Arc<dyn Handler> = Arc::clone(&script) as Arc<dyn Handler>;
    let metrics = NetworkMetrics::register(&Registry::new()).expect("names are free");
    let listeners = Listeners::bind(&env, &[spec(0)]).expect("a port is free");
    let addr = listeners.bound()[0].bound;
    let server = listeners.serve(handler, settings, Arc::clone(&metrics));
    House { net, clock, script, metrics, server, addr }
}

/// Lets every task run until none has anything to do.
async fn settle() {
    for _turn in 0..50 {
        tokio::task::yield_now().await;
    }
}

fn is_closed(client: &mut MemoryStream) -> bool {
    client.try_read().is_ok_and(|bytes| bytes.is_empty())
}

#[tokio::test]
async fn every_listener_is_bound_or_none() {
    let net = MemoryNet::new();
    let env = env(net.clone(), Arc::default(), Arc::new(TokioTasks::current()));
    let error = Listeners::bind(&env, &[spec(4000), spec(4000)]).err().expect("the port is taken");
    assert_eq!((error.port, error.error.kind()), (4000, io::ErrorKind::AddrInUse));
    assert!(error.to_string().starts_with("listener PLAINTEXT: cannot listen on 127.0.0.1:4000: "));
    assert!(
        net.connect(SocketAddr::from(([127, 0, 0, 1], 4000))).is_err(),
        "the first is not bound any more"
    );
}

#[tokio::test]
async fn clients_that_connect_before_it_serves_are_served() {
    let net = MemoryNet::new();
    let env = env(net.clone(), Arc::default(), Arc::new(TokioTasks::current()));
    let advertised = Some(("broker.example".to_owned(), 0));
    let listeners = Listeners::bind(&env, &[ListenerSpec { advertised, ..spec(0) }]).expect("a port is free");
    let info = Arc::clone(&listeners.bound()[0]);
    assert_eq!(info.advertised, Some(("broker.example".to_owned(), info.bound.port())));
    let mut client = net.connect(info.bound).expect("it listens");
    assert_eq!(client.try_write(&request(1, b'R', 0)).ok(), Some(16));
    let metrics = NetworkMetrics::register(&Registry::new()).expect("names are free");
    let server = listeners.serve(Arc::new(Script::default()), NetworkSettings::default(), metrics);
    settle().await;
    assert_eq!(correlation_ids(client.try_read().expect("it is answered")), [1]);
    assert_eq!(server.connections_count(), 1);
}

#[tokio::test]
async fn one_address_may_not_take_all_places() {
    let house = serve(NetworkSettings {
        limits: ConnectionLimits {
            connections_per_ip_max: 2,
            connections_per_ip_max_overrides: [(IpAddr::from([127, 0, 0, 3]), 0)].into(),
            ..ConnectionLimits::default()
        },
        ..NetworkSettings::default()
    });
    let mut clients: Vec<MemoryStream> =
        (0..3).map(|_client| house.net.connect(house.addr).expect("it listens")).collect();
    let mut other = house.net.connect_from(IpAddr::from([127, 0, 0, 2]), house.addr).expect("it listens");
    settle().await;
    let closed: Vec<bool> = clients.iter_mut().map(is_closed).collect();
    assert_eq!(closed, [false, false, true]);
    assert!(!is_closed(&mut other));
    let mut unwanted = house.net.connect_from(IpAddr::from([127, 0, 0, 3]), house.addr).expect("it listens");
    settle().await;
    assert!(is_closed(&mut unwanted));
    assert_eq!(house.metrics.rejected.get(), 2);

    drop(clients);
    settle().await;
    let mut again = house.net.connect(house.addr).expect("it listens");
    settle().await;
    assert!(!is_closed(&mut again), "a place is free again");
}

#[tokio::test]
async fn beyond_max_connections_the_next_waits_for_a_place() {
    let house = serve(of_connections_max(2));
    let first = house.net.connect(house.addr).expect("it listens");
    let _second = house.net.connect(house.addr).expect("it listens");
    let mut third = house.net.connect(house.addr).expect("it listens");
    assert_eq!(third.try_write(&request(3, b'R', 0)).ok(), Some(16));
    settle().await;
    assert_eq!(house.server.connections_count(), 2);
    drop(first);
    settle().await;
    assert_eq!(correlation_ids(third.try_read().expect("it is answered")), [3]);
}

#[tokio::test]
async fn a_new_limit_counts_at_once_and_closes_nobody() {
    let house = serve(of_connections_max(1));
    let mut first = house.net.connect(house.addr).expect("it listens");
    let mut second = house.net.connect(house.addr).expect("it listens");
    assert_eq!(second.try_write(&request(2, b'R', 0)).ok(), Some(16));
    settle().await;
    assert_eq!(house.server.connections_count(), 1);
    let set_limits = house.server.limits_setter();
    set_limits(of_connections_max(2).limits);
    settle().await;
    assert_eq!(correlation_ids(second.try_read().expect("it is answered")), [2]);
    set_limits(of_connections_max(1).limits);
    let mut third = house.net.connect(house.addr).expect("it listens");
    assert_eq!(third.try_write(&request(3, b'R', 0)).ok(), Some(16));
    settle().await;
    assert_eq!(house.server.connections_count(), 2, "those that are there stay");
    assert!(!is_closed(&mut first) && third.try_read().is_err());
}

#[tokio::test]
async fn a_listener_that_accepts_too_fast_rests_and_then_goes_on() {
    let creation_rates = ConnectionRateLimits { broker: Some(1.0), ..ConnectionRateLimits::default() };
    let limits = ConnectionLimits { creation_rates, ..ConnectionLimits::default() };
    let house = serve(NetworkSettings { limits, ..NetworkSettings::default() });
    let _clients: Vec<MemoryStream> =
        (0..12).map(|_client| house.net.connect(house.addr).expect("it listens")).collect();
    settle().await;
    // All windows' worth at once; the next one rests for a second.
    assert_eq!(house.server.connections_count(), 10);
    house.clock.advance(Duration::from_millis(999));
    settle().await;
    assert_eq!(house.server.connections_count(), 10);
    house.clock.advance(Duration::from_millis(1));
    settle().await;
    assert_eq!(house.server.connections_count(), 11);
    house.server.limits_setter()(ConnectionLimits::default());
    house.clock.advance(Duration::from_secs(1));
    settle().await;
    assert_eq!(house.server.connections_count(), 12);
}

#[tokio::test]
async fn an_address_that_connects_too_fast_is_held_and_closed_and_others_are_served() {
    let house = serve(NetworkSettings::default());
    let address = IpAddr::from([127, 0, 0, 3]);
    let set_rates = house.server.address_rates_setter();
    set_rates(AddressRateLimits { addresses: [(address, 0.5)].into(), any_address: None });
    let mut clients: Vec<MemoryStream> =
        (0..6).map(|_client| house.net.connect_from(address, house.addr).expect("it listens")).collect();
    let mut other = house.net.connect(house.addr).expect("it listens");
    assert_eq!(clients[5].try_write(&request(1, b'R', 0)).ok(), Some(16));
    assert_eq!(other.try_write(&request(2, b'R', 0)).ok(), Some(16));
    settle().await;
    assert_eq!(correlation_ids(other.try_read().expect("it is answered")), [2]);
    assert_eq!(house.server.connections_count(), 5 + 1, "the sixth is not counted");
    assert!(clients[5].try_read().is_err(), "it is neither answered nor closed");
    house.clock.advance(Duration::from_secs(1));
    settle().await;
    let closed: Vec<bool> = clients.iter_mut().map(is_closed).collect();
    assert_eq!(closed, [false, false, false, false, false, true]);
}

fn of_connections_max(connections_max: usize) -> NetworkSettings {
    let limits = ConnectionLimits { connections_max, ..ConnectionLimits::default() };
    NetworkSettings { limits, ..NetworkSettings::default() }
}

#[tokio::test]
async fn accepting_goes_on_after_the_machine_refused() {
    let house = serve(NetworkSettings::default());
    house.net.fail_accept(house.addr, io::Error::from_raw_os_error(24)).expect("it listens");
    house.net.fail_accept(house.addr, io::ErrorKind::ConnectionAborted.into()).expect("it listens");
    let mut client = house.net.connect(house.addr).expect("it listens");
    assert_eq!(client.try_write(&request(1, b'R', 0)).ok(), Some(16));
    settle().await;
    assert!(client.try_read().is_err(), "accepting rests");
    house.clock.advance(Duration::from_millis(100));
    settle().await;
    assert_eq!(correlation_ids(client.try_read().expect("it is answered")), [1]);
    assert_eq!(house.metrics.accept_errors.get(), 1, "an aborted connection is no refusal of the machine");
}

#[tokio::test]
async fn a_handler_that_panics_ends_one_connection() {
    let house = serve(NetworkSettings::default());
    let mut bad = house.net.connect(house.addr).expect("it listens");
    let mut good = house.net.connect(house.addr).expect("it listens");
    assert_eq!(bad.try_write(&request(1, b'?', 0)).ok(), Some(16));
    settle().await;
    assert!(is_closed(&mut bad));
    assert_eq!(house.script.closed.load(Ordering::SeqCst), 1);
    assert_eq!(good.try_write(&request(2, b'R', 0)).ok(), Some(16));
    settle().await;
    assert_eq!(correlation_ids(good.try_read().expect("it is answered")), [2]);
    assert_eq!(house.server.connections_count(), 1);
}

#[tokio::test]
async fn idle_connections_are_closed_by_the_clock() {
    let house = serve(NetworkSettings { connections_idle_ms_max: 8000, ..NetworkSettings::default() });
    let mut client = house.net.connect(house.addr).expect("it listens");
    settle().await;
    for _second in 0..8 {
        house.clock.advance(Duration::from_secs(1));
        settle().await;
        assert!(!is_closed(&mut client));
    }
    house.clock.advance(Duration::from_secs(1));
    settle().await;
    assert!(is_closed(&mut client));
}

#[tokio::test]
async fn shutdown_lets_answers_leave_and_closes_what_still_waits() {
    let house = serve(NetworkSettings::default());
    let mut answered = house.net.connect(house.addr).expect("it listens");
    let mut awaited = house.net.connect(house.addr).expect("it listens");
    assert_eq!(answered.try_write(&request(1, b'P', 0)).ok(), Some(16));
    assert_eq!(awaited.try_write(&request(2, b'P', 0)).ok(), Some(16));
    settle().await;
    let shutdown = tokio::spawn(house.server.shutdown(Duration::from_millis(50)));
    settle().await;
    assert!(house.net.connect(house.addr).is_err(), "nothing is accepted any more");
    house.script.answer(1, Answer::Respond(answer(1, 0)));
    settle().await;
    assert_eq!(correlation_ids(answered.try_read().expect("it is answered")), [1]);
    assert!(is_closed(&mut answered));
    assert!(!is_closed(&mut awaited));
    assert!(!shutdown.is_finished());
    house.clock.advance(Duration::from_millis(50));
    settle().await;
    assert!(is_closed(&mut awaited));
    assert!(shutdown.is_finished());
    assert_eq!(house.script.closed.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn shutdown_of_idle_connections_needs_no_time() {
    let house = serve(NetworkSettings::default());
    let mut client = house.net.connect(house.addr).expect("it listens");
    settle().await;
    house.server.shutdown(Duration::from_millis(50)).await;
    assert!(is_closed(&mut client));
}
