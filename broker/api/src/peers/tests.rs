//! Frames between two voters over a memory network, lost connections, and brokers by their registrations.
//! Shell: tasks of the real runtime; nothing waits for a clock.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_config::BrokerConfig;
use ottla_env::Env;
use ottla_env::memory::net::MemoryNet;
use ottla_env::net::SocketBuffers;
use ottla_env::real;
use ottla_metadata::{RaftTransport, Voter};
use ottla_model::{BrokerId, SecurityProtocol};
use ottla_network::outgoing::{Peer, PeerLogin, PeerSecret, PeerSettings};
use ottla_network::{ListenerSpec, Listeners, NetworkMetrics, NetworkServer, NetworkSettings};
use ottla_security::Secret;
use ottla_security::sasl::{EnabledMechanism, SaslMechanism, SaslServer};
use prometheus::Registry;
use tokio::sync::mpsc;

use crate::authentication::Authentication;

use super::{Inlet, Voices, VoterEvents, VoterTransport, settings};

#[derive(Clone, PartialEq, Eq, Debug)]
enum Heard {
    Frame(BrokerId, Bytes),
    Gone(BrokerId),
}

struct Ear(mpsc::UnboundedSender<Heard>);

impl VoterEvents for Ear {
    fn on_frame(&self, from: BrokerId, bytes: Bytes) {
        self.0.send(Heard::Frame(from, bytes)).expect("somebody listens");
    }

    fn on_disconnected(&self, voter: BrokerId) {
        self.0.send(Heard::Gone(voter)).expect("somebody listens");
    }
}

fn ear(voices: &Voices) -> mpsc::UnboundedReceiver<Heard> {
    let (sender, heard) = mpsc::unbounded_channel();
    voices.follow(Arc::new(Ear(sender)));
    heard
}

fn voters() -> Vec<Voter> {
    let voter = |id: i32| Voter { id: BrokerId(id), host: "localhost".to_owned(), port: 9000 + id as u16 };
    vec![voter(1), voter(2)]
}

/// The listener of the controller `me`, which takes frames of others.
fn listen(env: &Env, me: BrokerId, voices: &Arc<Voices>) -> NetworkServer {
    listen_with(env, me, voices, SecurityProtocol::Plaintext)
}

/// Where it has logins, voter 1 is `node` with the password `secret`.
fn listen_with(env: &Env, me: BrokerId, voices: &Arc<Voices>, protocol: SecurityProtocol) -> NetworkServer {
    let spec = ListenerSpec {
        name: "CONTROLLER".to_owned(),
        protocol,
        login_frame_bytes_max: 1024,
        tls: None,
        host: "127.0.0.1".to_owned(),
        port: 9002,
        advertised: None,
        buffers: SocketBuffers::default(),
    };
    let logins = Arc::new(Authentication::early(env.clone(), &BrokerConfig::defaults()));
    let enabled = vec![EnabledMechanism { mechanism: SaslMechanism::Plain, session_max: None }];
    let plain_users = [("node".to_owned(), Secret::new("secret"))].into();
    let server = SaslServer { enabled, plain_users, ..SaslServer::default() };
    logins.set_servers([("CONTROLLER".to_owned(), Arc::new(server))].into());
    let inlet = Inlet::new(env.clone(), (me, true), voices.clone(), None, logins);
    let metrics = NetworkMetrics::register(&Registry::new()).expect("names are free");
    let bound = Listeners::bind(env, &[spec]).expect("the port is free");
    bound.serve(Arc::new(inlet), NetworkSettings::default(), metrics)
}

fn run(test: impl Future<Output = ()> + Send + 'static) {
    real::run(Some(1), test).expect("a runtime");
}

fn env() -> Env {
    Env { net: Arc::new(MemoryNet::new()), ..real::env() }
}

fn log_in_as(password: &str) -> PeerSettings {
    let login = PeerLogin {
        mechanism: SaslMechanism::Plain,
        name: "node".to_owned(),
        secret: PeerSecret::Known(Arc::new(Secret::new(password))),
    };
    PeerSettings { login: Some(login), ..settings("1".to_owned()) }
}

/// The node that listens has no broker yet: no versions, no metadata, nothing but the logins.
#[test]
fn voters_log_in_while_there_is_no_broker_and_nobody_else_is_heard() {
    run(async {
        let env = env();
        let (out, back) = (Arc::<Voices>::default(), Arc::<Voices>::default());
        let (mut sender, mut receiver) = (ear(&out), ear(&back));
        let _network = listen_with(&env, BrokerId(2), &back, SecurityProtocol::SaslPlaintext);
        let frame = Bytes::from_static(b"frame");
        let plain = VoterTransport::new(&env, BrokerId(1), &voters(), &settings("1".to_owned()), &out);
        plain.send(BrokerId(2), frame.clone());
        assert_eq!(
            sender.recv().await,
            Some(Heard::Gone(BrokerId(2))),
            "who says nothing of itself is cut off"
        );
        drop(plain);
        let wrong = PeerSettings { agrees_on_versions: false, ..log_in_as("wrong") };
        let refused = Peer::new(env.clone(), "localhost".to_owned(), 9002, wrong).link().await;
        let why = refused.map(drop).expect_err("it is refused").to_string();
        assert!(why.contains("Invalid username or password"), "{why}");
        assert!(receiver.try_recv().is_err(), "nothing was heard of either");
        let known = VoterTransport::new(&env, BrokerId(1), &voters(), &log_in_as("secret"), &out);
        known.send(BrokerId(2), frame.clone());
        assert_eq!(receiver.recv().await, Some(Heard::Frame(BrokerId(1), frame)));
    });
}

#[test]
fn frames_arrive_in_order_and_the_end_of_a_connection_is_heard_on_both_sides() {
    run(async {
        let env = env();
        let (out, back) = (Arc::<Voices>::default(), Arc::<Voices>::default());
        let (mut sender, mut receiver) = (ear(&out), ear(&back));
        let transport = VoterTransport::new(&env, BrokerId(1), &voters(), &settings("1".to_owned()), &out);
        // Nobody is there yet: the frame is lost unless the dial comes late, and nothing waits for it.
        transport.send(BrokerId(2), Bytes::copy_from_slice(&0_u32.to_be_bytes()));
        transport.send(BrokerId(9), Bytes::from_static(b"no voter"));
        tokio::task::yield_now().await;
        let network = listen(&env, BrokerId(2), &back);
        let mut sent: u32 = 1;
        let first = loop {
            transport.send(BrokerId(2), Bytes::copy_from_slice(&sent.to_be_bytes()));
            sent += 1;
            tokio::select! {
                heard = receiver.recv() => break heard.expect("a frame"),
                () = env.clock.sleep_until(env.clock.monotonic().after(Duration::from_millis(5))) => {}
            }
        };
        let Heard::Frame(BrokerId(1), bytes) = first else { panic!("{first:?}") };
        let mut last = u32::from_be_bytes(bytes[..].try_into().expect("four bytes"));
        for number in sent..sent + 50 {
            transport.send(BrokerId(2), Bytes::copy_from_slice(&number.to_be_bytes()));
        }
        while last != sent + 49 {
            let Some(Heard::Frame(BrokerId(1), bytes)) = receiver.recv().await else { panic!("a frame") };
            let number = u32::from_be_bytes(bytes[..].try_into().expect("four bytes"));
            assert!(number > last, "{number} after {last}");
            last = number;
        }
        network.shutdown(Duration::ZERO).await;
        assert_eq!(receiver.recv().await, Some(Heard::Gone(BrokerId(1))));
        assert_eq!(sender.recv().await, Some(Heard::Gone(BrokerId(2))));
    });
}

#[test]
fn a_frame_of_nobody_known_closes_its_connection_and_is_not_heard() {
    run(async {
        let env = env();
        let (out, back) = (Arc::<Voices>::default(), Arc::<Voices>::default());
        let (mut sender, mut receiver) = (ear(&out), ear(&back));
        let network = listen(&env, BrokerId(1), &back);
        let transport = VoterTransport::new(&env, BrokerId(1), &voters(), &settings("1".to_owned()), &out);
        transport.send(BrokerId(2), Bytes::from_static(b"vote for me"));
        assert_eq!(sender.recv().await, Some(Heard::Gone(BrokerId(2))));
        network.shutdown(Duration::ZERO).await;
        assert!(receiver.try_recv().is_err(), "nothing was heard");
    });
}

#[test]
fn a_voter_that_reads_nothing_holds_a_bounded_number_of_frames() {
    run(async {
        let env = env();
        let addr = SocketAddr::from(([127, 0, 0, 1], 9002));
        let _listens = env.net.bind(addr, SocketBuffers::default()).expect("the port is free");
        let out = Arc::<Voices>::default();
        let transport = VoterTransport::new(&env, BrokerId(1), &voters(), &settings("1".to_owned()), &out);
        let frame = Bytes::from(vec![0; 1024 * 1024]);
        for _ in 0..200 {
            transport.send(BrokerId(2), frame.clone());
        }
        let queued = transport.queued_bytes(BrokerId(2));
        assert!(queued <= 32 * 1024 * 1024, "{queued}");
        assert!(queued > 0);
    });
}
