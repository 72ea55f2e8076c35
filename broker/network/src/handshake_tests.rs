//! Tests of handshakes: clients that finish, that stall, that send too much, and that come in great numbers.
//! Core: one thread, a network in memory, a clock set by hand.

use std::net::SocketAddr;
use std::time::Duration;

use ottla_env::Clock;
use ottla_env::memory::net::{MemoryNet, MemoryStream};
use ottla_env::memory::{MemoryClock, MemoryDisk};
use ottla_env::net::{DialOptions, Net, SocketBuffers};
use ottla_env::real::TokioTasks;
use ottla_model::SecurityProtocol;
use ottla_security::tls::dev::{self, DevAuthority, DevKey, Validity};
use ottla_security::tls::{ClientTls, TlsContext};
use prometheus::Registry;

use super::*;
use crate::listener::{ListenerSpec, Listeners};
use crate::metrics::NetworkMetrics;
use crate::server::NetworkServer;
use crate::settings::NetworkSettings;
use crate::test_world::{ManualClock, Script, correlation_ids, env, request};

const NOW_MS: i64 = 1_796_000_000_000;

/// A broker with one listener under TLS, and a client that trusts it.
struct House {
    net: MemoryNet,
    clock: Arc<ManualClock>,
    metrics: Arc<NetworkMetrics>,
    server: NetworkServer,
    addr: SocketAddr,
    dialler: ClientTls,
}

/// Call inside a runtime of one thread.
fn serve(settings: NetworkSettings) -> House {
    let net = MemoryNet::new();
    let clock = Arc::new(ManualClock::default());
    let env = env(net.clone(), Arc::clone(&clock), Arc::new(TokioTasks::current()));
    let (listener, dialler) = both_sides();
    let spec = ListenerSpec {
        name: "SSL".into(),
        protocol: SecurityProtocol::Ssl,
        login_frame_bytes_max: 524_288,
        tls: Some(Arc::new(TlsListener::new(listener))),
        host: "127.0.0.1".into(),
        port: 0,
        advertised: None,
        buffers: SocketBuffers::default(),
    };
    let metrics = NetworkMetrics::register(&Registry::new()).expect("names are free");
    let listeners = Listeners::bind(&env, &[spec]).expect("a port is free");
    let addr = listeners.bound()[0].bound;
    let server = listeners.serve(Arc::new(Script::default()), settings, Arc::clone(&metrics));
    House { net, clock, metrics, server, addr, dialler }
}

fn both_sides() -> (TlsContext, ClientTls) {
    let year_ms = 365 * 86_400_000;
    let validity = Validity { from_ms: NOW_MS - year_ms, to_ms: NOW_MS + year_ms };
    let authority = DevAuthority::new("ca", validity).expect("an authority");
    let issued = authority.issue("CN=broker", &["localhost"], DevKey::Ec).expect("a certificate");
    let (key, chain) = (issued.key_pem(), issued.chain_pem());
    let trusted = dev::certificate_pem(authority.certificate());
    let pairs = [
        ("ssl.truststore.type", "PEM"),
        ("ssl.truststore.certificates", trusted.as_str()),
        ("listener.name.ssl.ssl.keystore.type", "PEM"),
        ("listener.name.ssl.ssl.keystore.key", key.as_str()),
        ("listener.name.ssl.ssl.keystore.certificate.chain", chain.as_str()),
    ];
    let pairs: Vec<(String, String)> =
        pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
    let config = ottla_config::load(None, &[], &pairs).expect("a configuration").0;
    // A wall clock of its own: the one of the network begins in 1970.
    let clock: Arc<dyn Clock> = Arc::new(MemoryClock::new(NOW_MS));
    let disk = MemoryDisk::new();
    let context = TlsContext::load(&config.of_listener("SSL"), SecurityProtocol::Ssl, &disk, &clock);
    let dialler = ClientTls::load(&config.of_listener("CLIENT"), &disk, &clock);
    (context.expect("a context"), dialler.expect("a client"))
}

impl House {
    fn connect(&self) -> MemoryStream {
        self.net.connect(self.addr).expect("it listens")
    }

    /// A client of this broker; its handshake is run beside it.
    async fn dial(&self) -> io::Result<Box<dyn Stream>> {
        let stream =
            self.net.dial("127.0.0.1", self.addr.port(), DialOptions::default()).await.expect("it listens");
        secure_dialled(self.dialler.connect(stream, "localhost").expect("a name")).await
    }

    fn held_bytes(&self) -> usize {
        self.server.shared().handshakes.held_bytes()
    }
}

/// Lets every task run until none has anything to do.
async fn settle() {
    for _turn in 0..200 {
        tokio::task::yield_now().await;
    }
}

async fn ask(stream: &mut Box<dyn Stream>, id: i32) -> Vec<i32> {
    let frame = request(id, b'R', 0);
    let slices = [io::IoSlice::new(&frame)];
    let sent = poll_fn(|context| stream.poll_write_vectored(context, &slices)).await.expect("sent");
    assert_eq!(sent, frame.len());
    let mut answer = bytes::BytesMut::with_capacity(1024);
    poll_fn(|context| stream.poll_read(context, &mut answer)).await.expect("answered");
    correlation_ids(answer)
}

#[tokio::test]
async fn requests_pass_after_the_handshake_and_nobody_says_who_has_no_certificate() {
    let house = serve(NetworkSettings::default());
    let mut stream = house.dial().await.expect("connected");
    assert_eq!(ask(&mut stream, 7).await, [7]);
    assert_eq!((house.metrics.tls_handshakes.get(), house.metrics.tls_handshake_failures.get()), (1, 0));
    assert_eq!(house.held_bytes(), 0, "a handshake that is over holds nothing");
    drop(stream);
    settle().await;
    assert_eq!(house.server.connections_count(), 0);
    assert_eq!(house.metrics.closed(CloseReason::Peer).get(), 1);
}

#[tokio::test]
async fn thousands_that_say_nothing_are_in_nobodys_way_and_end() {
    let house = serve(NetworkSettings::default());
    let silent: Vec<MemoryStream> = (0..2_000).map(|_client| house.connect()).collect();
    for _round in 0..20 {
        settle().await;
    }
    assert_eq!(house.server.connections_count(), 2_000);
    assert_eq!(house.held_bytes(), 0);
    let mut stream = house.dial().await.expect("connected");
    assert_eq!(ask(&mut stream, 1).await, [1]);
    house.clock.advance(Duration::from_millis(HANDSHAKE_MS_MAX as u64));
    settle().await;
    house.clock.advance(Duration::from_millis(100));
    settle().await;
    assert_eq!(house.server.connections_count(), 1, "the one that has shaken hands stays");
    assert_eq!(house.metrics.closed(CloseReason::Authentication).get(), 2_000);
    drop(silent);
}

#[tokio::test]
async fn ten_thousand_half_a_hello_hold_little_and_are_in_nobodys_way() {
    const COUNT: usize = 10_000;
    let house = serve(NetworkSettings::default());
    // A record of 512 bytes is promised, 100 come.
    let mut piece = vec![22, 3, 1, 2, 0, 1, 0, 1, 0xFC];
    piece.resize(100, 0);
    let half: Vec<MemoryStream> = (0..COUNT)
        .map(|_client| {
            let mut client = house.connect();
            client.try_write(&piece).expect("room");
            client
        })
        .collect();
    for _round in 0..60 {
        settle().await;
    }
    assert_eq!(house.server.connections_count(), COUNT);
    let held = house.held_bytes();
    assert!((COUNT * piece.len()..=COUNT * 1024).contains(&held), "{held} bytes");
    let mut stream = house.dial().await.expect("connected");
    assert_eq!(ask(&mut stream, 1).await, [1]);
    house.clock.advance(Duration::from_millis(HANDSHAKE_MS_MAX as u64));
    settle().await;
    house.clock.advance(Duration::from_millis(100));
    for _round in 0..60 {
        settle().await;
    }
    assert_eq!((house.server.connections_count(), house.held_bytes()), (1, 0));
    drop(half);
}

#[tokio::test]
async fn a_failed_handshake_is_told_and_held_for_its_delay() {
    let house = serve(NetworkSettings::default());
    let mut plain = house.connect();
    plain.try_write(&request(1, b'R', 0)).expect("room");
    settle().await;
    assert_eq!(plain.try_read().expect("an alert").first(), Some(&21));
    assert_eq!(house.server.connections_count(), 1);
    house.clock.advance(Duration::from_millis(99));
    settle().await;
    assert_eq!(house.server.connections_count(), 1);
    house.clock.advance(Duration::from_millis(1));
    settle().await;
    assert_eq!(house.server.connections_count(), 0);
    assert!(plain.try_read().expect("closed").is_empty());
    assert_eq!(house.metrics.tls_handshake_failures.get(), 1);
}

#[tokio::test]
async fn hellos_that_never_end_hold_no_more_than_their_share() {
    // The share of all handshakes is 256 KiB.
    let settings = NetworkSettings { memory_budget_bytes: 2 * 1024 * 1024, ..NetworkSettings::default() };
    let house = serve(settings);
    let mut greedy: Vec<MemoryStream> = (0..50).map(|_client| house.connect()).collect();
    let mut most = 0;
    for step in 0..8 {
        for client in &mut greedy {
            // A hello of 60,000 bytes, in pieces.
            let mut piece = match step {
                0 => vec![22, 3, 1, 0x20, 0, 1, 0, 0xEA, 0x60],
                _ => vec![22, 3, 1, 0x20, 0],
            };
            piece.resize(5 + 0x2000, 0);
            let _closed = client.try_write(&piece);
        }
        for _round in 0..5 {
            settle().await;
        }
        most = most.max(house.held_bytes());
        assert!(house.held_bytes() <= 256 * 1024, "{} bytes", house.held_bytes());
        assert!(house.dial().await.is_ok(), "an honest client gets in at step {step}");
    }
    assert!(most > 64 * 1024, "they did hold {most} bytes");
    house.clock.advance(Duration::from_millis(100));
    settle().await;
    assert!(house.metrics.closed(CloseReason::Authentication).get() > 30);
}

#[tokio::test]
async fn a_shutdown_waits_for_no_handshake() {
    let house = serve(NetworkSettings::default());
    let mut silent = house.connect();
    settle().await;
    house.server.shutdown(Duration::ZERO).await;
    settle().await;
    assert!(silent.try_read().is_ok_and(|bytes| bytes.is_empty()));
    assert_eq!(house.metrics.closed(CloseReason::Shutdown).get(), 1);
}

#[tokio::test]
async fn failures_are_logged_once_a_second() {
    let handshakes = Handshakes::new(1 << 20);
    let at = |ms: u64| handshakes.may_log(Duration::from_millis(ms));
    assert_eq!([at(0), at(1), at(900)], [Some(0), None, None]);
    assert_eq!([at(1001), at(1002)], [Some(2), None]);
    assert_eq!(at(5000), Some(1));
}
