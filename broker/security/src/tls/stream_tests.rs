//! Tests of TLS over memory streams: both halves against each other, and against peers that mean harm.
//! Core: time stands still.

use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ottla_env::memory::net::{MemoryStream, pair};
use ottla_env::memory::{MemoryClock, MemoryDisk};
use ottla_env::net::Stream;
use ottla_env::{Disk, OpenMode};
use ottla_model::limits::HANDSHAKE_BYTES_MAX;

use super::dev::{self, DevAuthority, DevIssued, DevKey, Validity};
use super::test_stores::{DAY_MS, GOOD, NOW_MS, authority, config, issued};
use super::*;
use crate::KafkaPrincipal;

/// A server, a client, and the files of both.
struct World {
    disk: MemoryDisk,
    clock: Arc<MemoryClock>,
    authority: DevAuthority,
    pairs: Vec<(String, String)>,
}

impl World {
    fn new() -> World {
        let world = World {
            disk: with_root(),
            clock: Arc::new(MemoryClock::new(NOW_MS)),
            authority: authority("ca"),
            pairs: Vec::new(),
        };
        world.put("/server.p12", &issued(&world.authority, "CN=broker").pkcs12("secret").expect("a store"));
        world.put("/trust.jks", &dev::trust_jks(&[world.authority.certificate().clone()], "secret"));
        world
            .with("ssl.truststore.location", "/trust.jks")
            .with("ssl.truststore.password", "secret")
            .with("listener.name.server.ssl.keystore.location", "/server.p12")
            .with("listener.name.server.ssl.keystore.password", "secret")
    }

    fn with(mut self, key: &str, text: &str) -> World {
        self.pairs.push((key.to_owned(), text.to_owned()));
        self
    }

    /// The client shows this.
    fn client(self, issued: &DevIssued) -> World {
        self.put("/client.p12", &issued.pkcs12("secret").expect("a store"));
        self.with("listener.name.client.ssl.keystore.location", "/client.p12")
            .with("listener.name.client.ssl.keystore.password", "secret")
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let file = self.disk.open(Path::new(path), OpenMode::Truncate).expect("a file");
        file.write_all_at(bytes, 0).expect("written");
    }

    fn config(&self) -> ottla_config::BrokerConfig {
        let pairs: Vec<(&str, &str)> =
            self.pairs.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
        config(&pairs)
    }

    fn context(&self) -> Result<TlsContext, TlsError> {
        let clock: Arc<dyn ottla_env::Clock> = Arc::clone(&self.clock) as _;
        let protocol = ottla_model::SecurityProtocol::Ssl;
        TlsContext::load(&self.config().of_listener("SERVER"), protocol, &self.disk, &clock)
    }

    fn listener(&self) -> TlsListener {
        TlsListener::new(self.context().expect("a context"))
    }

    fn dialler(&self) -> ClientTls {
        let clock: Arc<dyn ottla_env::Clock> = Arc::clone(&self.clock) as _;
        ClientTls::load(&self.config().of_listener("CLIENT"), &self.disk, &clock).expect("a client")
    }

    /// Both ends after their handshakes.
    fn connect(&self) -> (io::Result<TlsStream>, io::Result<TlsStream>) {
        connect(&self.dialler(), &self.listener(), "localhost")
    }
}

fn streams(pipe_bytes: usize) -> (MemoryStream, MemoryStream) {
    pair(([127, 0, 0, 1], 40_000).into(), ([127, 0, 0, 1], 9093).into(), pipe_bytes)
}

fn connect(
    dialler: &ClientTls,
    listener: &TlsListener,
    host: &str,
) -> (io::Result<TlsStream>, io::Result<TlsStream>) {
    // Room for a ticket that holds the certificate of a client, which nobody reads before the handshake is over.
    let (client, server) = streams(4096);
    let client = dialler.connect(Box::new(client), host).expect("a name");
    let server = listener.accept(Box::new(server)).expect("a session");
    both(shake(client), shake(server))
}

async fn shake(mut tls: TlsStream) -> io::Result<TlsStream> {
    loop {
        match poll_fn(|context| tls.poll_handshake(context)).await? {
            Handshake::Done => return Ok(tls),
            Handshake::MustCompute => {
                if let Err(error) = tls.compute() {
                    // The alert leaves; who waits for the other side has a deadline, which there is none of here.
                    poll_fn(|context| {
                        let _waits = tls.poll_farewell(context);
                        Poll::Ready(())
                    })
                    .await;
                    return Err(error);
                }
            }
        }
    }
}

/// Runs two futures in turn until both are done.
fn both<A: Future, B: Future>(one: A, other: B) -> (A::Output, B::Output) {
    let (mut one, mut other) = (Box::pin(one), Box::pin(other));
    let (mut first, mut second) = (None, None);
    let mut context = Context::from_waker(Waker::noop());
    for _round in 0..100_000 {
        if first.is_none()
            && let Poll::Ready(done) = one.as_mut().poll(&mut context)
        {
            first = Some(done);
        }
        if second.is_none()
            && let Poll::Ready(done) = other.as_mut().poll(&mut context)
        {
            second = Some(done);
        }
        if first.is_some() && second.is_some() {
            break;
        }
    }
    (first.expect("the first came to an end"), second.expect("the second came to an end"))
}

async fn write_all(tls: &mut TlsStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let halves = bytes.split_at(bytes.len() / 3);
        let slices = [io::IoSlice::new(halves.0), io::IoSlice::new(halves.1)];
        let count = poll_fn(|context| tls.poll_write_vectored(context, &slices)).await?;
        bytes = &bytes[count..];
    }
    Ok(())
}

async fn read_all(tls: &mut TlsStream, count: usize, room: usize) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    while all.len() < count {
        let mut buffer = bytes::BytesMut::with_capacity(room);
        match poll_fn(|context| tls.poll_read(context, &mut buffer)).await? {
            0 => break,
            read => assert_eq!(read, buffer.len()),
        }
        assert!(buffer.len() <= room.max(64), "no more than there was room for");
        all.extend_from_slice(&buffer);
    }
    Ok(all)
}

fn pattern(count: usize) -> Vec<u8> {
    (0..count).map(|place| (place * 31 % 251) as u8).collect()
}

fn principal(server: io::Result<TlsStream>) -> Option<String> {
    let principal = server.expect("accepted").principal().expect("a name");
    principal.map(|principal| principal.to_string())
}

#[test]
fn bytes_pass_both_ways_through_narrow_pipes_into_any_room() {
    for versions in ["TLSv1.2", "TLSv1.3", "TLSv1.2,TLSv1.3"] {
        let world = World::new().with("ssl.enabled.protocols", versions);
        let (client, server) = world.connect();
        let (mut client, mut server) = (client.expect("connected"), server.expect("accepted"));
        for (count, room) in [(1, 1), (100, 7), (70_000, 1000), (300_000, 100_000)] {
            let sent = pattern(count);
            let (written, read) = both(write_all(&mut client, &sent), read_all(&mut server, count, room));
            written.expect("written");
            assert_eq!(read.expect("read"), sent, "{versions} {count} {room}");
            let (written, read) = both(write_all(&mut server, &sent), read_all(&mut client, count, room));
            written.expect("written");
            assert_eq!(read.expect("read"), sent, "{versions} {count} {room}");
        }
        drop(client);
        let (end, ()) = both(read_all(&mut server, 1, 64), async {});
        assert_eq!(end.expect("no error"), Vec::<u8>::new(), "the end is said");
    }
}

#[test]
fn a_file_leaves_behind_what_was_written_before_it() {
    let world = World::new();
    let (client, server) = world.connect();
    let (mut client, mut server) = (client.expect("connected"), server.expect("accepted"));
    let content = pattern(200_000);
    world.put("/file", &content);
    let file = world.disk.open(Path::new("/file"), OpenMode::Read).expect("there");
    let sending = async {
        let head = [io::IoSlice::new(b"head")];
        let sealed = poll_fn(|context| server.poll_write_vectored_more(context, &head)).await?;
        assert_eq!(sealed, 4);
        let mut position = 3;
        while position < content.len() {
            let rest = content.len() - position;
            let sent =
                poll_fn(|context| server.poll_send_file(context, &*file, position as u64, rest)).await?;
            assert!(sent > 0);
            position += sent;
        }
        let beyond = poll_fn(|context| server.poll_send_file(context, &*file, 200_000, 1)).await?;
        assert_eq!(beyond, 0, "a file that is shorter than promised");
        io::Result::Ok(())
    };
    let (sent, read) = both(sending, read_all(&mut client, 4 + 199_997, 5000));
    sent.expect("sent");
    let read = read.expect("read");
    assert_eq!(&read[..4], b"head");
    assert_eq!(&read[4..], &content[3..]);
}

#[test]
fn a_client_is_asked_for_its_certificate_as_the_key_says() {
    let with = |auth: &str| World::new().with("listener.name.server.ssl.client.auth", auth);
    let certificate = |world: &World| issued(&world.authority, "CN=alice,OU=people,O=Ottla");
    let alice = Some("User:CN=alice,OU=people,O=Ottla".to_owned());
    let world = with("none");
    let shown = certificate(&world);
    assert_eq!(principal(world.client(&shown).connect().1), None, "it is not asked for");
    for auth in ["requested", "required"] {
        let world = with(auth);
        let shown = certificate(&world);
        assert_eq!(principal(world.client(&shown).connect().1), alice);
        // Another authority's certificate is refused in both cases.
        let stranger = issued(&authority("stranger"), "CN=mallory");
        assert!(with(auth).client(&stranger).connect().1.is_err(), "{auth}");
    }
    assert_eq!(principal(with("requested").connect().1), None);
    assert!(with("required").connect().1.is_err());
}

#[test]
fn a_certificate_in_the_trust_store_is_good_while_it_is_in_date() {
    let ended = Validity { from_ms: NOW_MS - 2 * DAY_MS, to_ms: NOW_MS - DAY_MS };
    for (validity, is_good) in [(GOOD, true), (ended, false)] {
        let lone = DevIssued::self_signed("CN=lone", &["localhost"], validity).expect("a certificate");
        let world = World::new().with("listener.name.server.ssl.client.auth", "required").client(&lone);
        let trusted = [world.authority.certificate().clone(), lone.chain[0].clone()];
        world.put("/trust.jks", &dev::trust_jks(&trusted, "secret"));
        assert_eq!(world.connect().1.is_ok(), is_good);
    }
}

#[test]
fn certificates_out_of_date_are_refused() {
    let ended = Validity { from_ms: NOW_MS - 2 * DAY_MS, to_ms: NOW_MS - DAY_MS };
    let to_come = Validity { from_ms: NOW_MS + DAY_MS, to_ms: NOW_MS + 2 * DAY_MS };
    for validity in [ended, to_come] {
        let world = World::new().with("listener.name.server.ssl.client.auth", "required");
        let shown = world.authority.issue_for("CN=late", &[], DevKey::Ec, validity).expect("a certificate");
        assert!(world.client(&shown).connect().1.is_err());
    }
}

#[test]
fn rules_map_the_name_or_keep_the_client_out() {
    let with = |rules: &str| {
        let world = World::new()
            .with("listener.name.server.ssl.client.auth", "required")
            .with("ssl.principal.mapping.rules", rules);
        let shown = issued(&world.authority, "CN=alice,OU=people");
        world.client(&shown).connect().1.expect("accepted")
    };
    let mapped = with("RULE:^CN=(.*?),.*$/$1/U").principal().expect("a rule applies");
    assert_eq!(mapped.as_ref().map(KafkaPrincipal::as_str), Some("User:ALICE"));
    let why = with("RULE:^CN=bob$/bob/").principal().expect_err("no rule applies");
    assert!(why.contains("No rules apply to CN=alice,OU=people"), "{why}");
}

#[test]
fn the_name_of_a_server_is_checked_unless_that_is_switched_off() {
    let world = World::new();
    for (host, is_good) in [("localhost", true), ("127.0.0.1", true), ("[::1]", false), ("elsewhere", false)]
    {
        let (client, _server) = connect(&world.dialler(), &world.listener(), host);
        assert_eq!(client.is_ok(), is_good, "{host}");
    }
    let world = world.with("ssl.endpoint.identification.algorithm", "");
    assert!(connect(&world.dialler(), &world.listener(), "elsewhere").0.is_ok());
    // Whoever has no chain to the trust store is refused all the same.
    let other = World::new();
    assert!(connect(&world.dialler(), &other.listener(), "localhost").0.is_err());
}

#[test]
fn sessions_resume_until_the_configuration_changes() {
    let world = World::new().with("listener.name.server.ssl.client.auth", "required");
    let shown = issued(&world.authority, "CN=alice");
    let world = world.client(&shown);
    let (dialler, listener) = (world.dialler(), world.listener());
    let kind = || {
        let (client, server) = connect(&dialler, &listener, "localhost");
        let (mut client, mut server) = (client.expect("connected"), server.expect("accepted"));
        // A ticket comes with the first bytes.
        let (written, read) = both(write_all(&mut server, b"x"), read_all(&mut client, 1, 64));
        assert!(written.is_ok() && read.is_ok());
        assert_eq!(server.principal().expect("a name").expect("shown").as_str(), "User:CN=alice");
        server.is_resumed()
    };
    assert!(!kind());
    assert!(kind(), "the ticket is taken, and the certificate is remembered");
    listener.replace(world.context().expect("a context"));
    assert!(!kind(), "no ticket outlives the configuration it was given under");
    // A client whose certificate ended meanwhile is not let in by its ticket.
    world.clock.set_wall_ms(GOOD.to_ms + DAY_MS);
    let (_client, server) = connect(&dialler, &listener, "localhost");
    assert!(server.is_err() || server.is_ok_and(|server| server.principal().is_err()));
}

#[test]
fn keys_of_both_kinds_serve_who_can_verify_them() {
    let world = World::new();
    let rsa = world.authority.issue("CN=broker", &["localhost"], DevKey::Rsa).expect("a certificate");
    world.put("/server.p12", &rsa.pkcs12("secret").expect("a store"));
    for suite in ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"] {
        let client = ClientTls::load(
            &config(&[("ssl.truststore.location", "/trust.jks"), ("ssl.cipher.suites", suite)])
                .of_listener("CLIENT"),
            &world.disk,
            &(Arc::clone(&world.clock) as Arc<dyn ottla_env::Clock>),
        )
        .expect("a client");
        let (client, server) = connect(&client, &world.listener(), "localhost");
        assert!(client.is_ok() && server.is_ok(), "{suite}");
    }
}

#[test]
fn a_configuration_that_cannot_protect_is_refused_with_its_key() {
    let refused = |pairs: &[(&str, &str)], key: &str, words: &str| {
        let mut world = World::new();
        for (key, text) in pairs {
            world = world.with(key, text);
        }
        let error = world.context().map(drop).expect_err("refused");
        assert_eq!(error.key, key, "{error}");
        assert!(error.message.contains(words), "{error}");
    };
    refused(&[("ssl.engine.factory.class", "X")], "ssl.engine.factory.class", "Java class");
    refused(&[("ssl.provider", "X")], "ssl.provider", "Java class");
    refused(&[("ssl.trustmanager.algorithm", "X")], "ssl.trustmanager.algorithm", "PKIX");
    refused(&[("ssl.enabled.protocols", "TLSv1.1")], "ssl.enabled.protocols", "allowed: TLSv1.2, TLSv1.3");
    refused(&[("ssl.enabled.protocols", "")], "ssl.enabled.protocols", "empty");
    refused(&[("ssl.protocol", "SSLv3")], "ssl.protocol", "allowed: TLSv1.2, TLSv1.3");
    refused(
        &[("ssl.cipher.suites", "TLS_RSA_WITH_AES_128_CBC_SHA")],
        "ssl.cipher.suites",
        "allowed: TLS_AES",
    );
    refused(&[("ssl.principal.mapping.rules", "X")], "ssl.principal.mapping.rules", "Invalid rule");
    let own = "listener.name.server.ssl.cipher.suites";
    refused(&[(own, "NONE")], own, "none of the cipher suites");

    let store = "listener.name.server.ssl.keystore.location";
    let with = |bytes: &[u8]| {
        let world = World::new();
        world.put("/server.p12", bytes);
        world.context().map(|_| ()).expect_err("refused")
    };
    let (one, other) = (issued(&authority("ca"), "CN=one"), issued(&authority("ca"), "CN=other"));
    let mixed = DevIssued { key: one.key.clone_key(), chain: other.chain.clone() };
    let error = with(&mixed.jks("secret", "secret", [1; 20]));
    assert_eq!((error.key.as_str(), error.message.contains("not that of the certificate")), (store, true));
    let turned =
        DevIssued { key: one.key.clone_key(), chain: vec![one.chain[0].clone(), other.chain[0].clone()] };
    let error = with(&turned.jks("secret", "secret", [1; 20]));
    assert!(error.message.contains("the chain is not in order"), "{error}");
}

#[test]
fn hostile_handshakes_end_with_an_error_and_hold_little() {
    let listener = World::new().listener();
    let open = || {
        let (client, server) = streams(1 << 20);
        (client, listener.accept(Box::new(server)).expect("a session"))
    };
    // A request in plain text.
    let (mut client, server) = open();
    client.try_write(&[0, 0, 0, 20, 0, 18, 0, 4, 0, 0, 0, 1]).expect("room");
    client.close_write();
    assert!(both(shake(server), async {}).0.is_err());
    let alert = client.try_read().expect("an alert");
    assert_eq!(alert.first(), Some(&21), "the client is told by an alert");
    // A hello that never ends: fragments of one message.
    let (mut client, server) = open();
    let mut endless = vec![22, 3, 1, 0x40, 0, 1, 0, 0xFF, 0xFF];
    endless.resize(5 + 0x4000, 0);
    let fragment = [[22, 3, 1, 0x40, 0].as_slice(), &vec![0; 0x4000]].concat();
    client.try_write(&endless).expect("room");
    for _more in 0..8 {
        client.try_write(&fragment).expect("room");
    }
    client.close_write();
    let (result, ()) = both(shake(server), async {});
    assert!(result.is_err());
    // Bytes that mean nothing, of many kinds.
    for seed in 0..200_u32 {
        let (mut client, mut server) = open();
        let noise: Vec<u8> = (0..2000_u32)
            .map(|place| (place.wrapping_mul(2_654_435_761).wrapping_add(seed * 40_503) >> 13) as u8)
            .collect();
        let head = [22, 3, 3, 0x07, 0xD0, 1];
        let start = (seed % 7) as usize;
        client.try_write(&[&head[..start.min(6)], &noise].concat()).expect("room");
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Ok(Handshake::MustCompute)) = server.poll_handshake(&mut context) {
            if server.compute().is_err() {
                break;
            }
        }
        assert!(server.handshake_bytes() <= HANDSHAKE_BYTES_MAX);
    }
    // Nothing at all: it waits, for its caller's deadline.
    let (_client, mut server) = open();
    let mut context = Context::from_waker(Waker::noop());
    assert!(server.poll_handshake(&mut context).is_pending());
    assert_eq!(server.handshake_bytes(), 0);
}

#[test]
fn a_reload_may_not_change_who_the_broker_is() {
    let world = World::new();
    let before = world.context().expect("a context");
    assert!(before.is_same(&world.context().expect("a context")), "nothing was changed");
    let becomes = |subject: &str, names: &[&str], allowed: &[(&str, &str)]| {
        let next = world.authority.issue(subject, names, DevKey::Ec).expect("a certificate");
        world.put("/server.p12", &next.pkcs12("secret").expect("a store"));
        let next = world.context().expect("a context");
        assert!(!before.is_same(&next));
        before.may_become(&next, &config(allowed).of_listener("SERVER")).map_err(|error| error.message)
    };
    let same = ["localhost", "127.0.0.1"];
    assert_eq!(becomes("CN=broker", &same, &[]), Ok(()));
    assert_eq!(becomes("CN=broker", &["localhost", "127.0.0.1", "more"], &[]), Ok(()));
    assert!(becomes("CN=other", &same, &[]).expect_err("refused").contains("CN=other"));
    assert_eq!(becomes("CN=other", &same, &[("ssl.allow.dn.changes", "true")]), Ok(()));
    assert!(becomes("CN=broker", &["localhost"], &[]).expect_err("refused").contains("alternative name"));
    assert_eq!(becomes("CN=broker", &["localhost"], &[("ssl.allow.san.changes", "true")]), Ok(()));
}

fn with_root() -> MemoryDisk {
    let disk = MemoryDisk::new();
    disk.create_dir_all(Path::new("/")).expect("room");
    disk
}

/// Java and rustls change their keys in long connections: nothing of what passes is lost, whoever does so and when.
#[test]
fn keys_may_change_in_mid_stream_on_both_sides() {
    let world = World::new().with("ssl.enabled.protocols", "TLSv1.3");
    let (client, server) = world.connect();
    let (mut client, mut server) = (client.expect("connected"), server.expect("accepted"));
    let sent = pattern(100_000);
    for (client_changes, server_changes) in [(true, false), (false, true), (true, true), (true, true)] {
        if client_changes {
            client.change_keys();
        }
        if server_changes {
            server.change_keys();
        }
        let (written, read) = both(write_all(&mut client, &sent), read_all(&mut server, sent.len(), 5000));
        written.expect("written");
        assert_eq!(read.expect("read"), sent, "to the server");
        let (written, read) = both(write_all(&mut server, &sent), read_all(&mut client, sent.len(), 5000));
        written.expect("written");
        assert_eq!(read.expect("read"), sent, "to the client");
    }
    // In the midst of a file, which is sent in pieces.
    let content = pattern(200_000);
    world.put("/file", &content);
    let file = world.disk.open(Path::new("/file"), OpenMode::Read).expect("there");
    let sending = async {
        let mut position = 0;
        while position < content.len() {
            let rest = content.len() - position;
            let sent =
                poll_fn(|context| server.poll_send_file(context, &*file, position as u64, rest)).await?;
            assert!(sent > 0);
            position += sent;
            server.change_keys();
        }
        io::Result::Ok(())
    };
    let (sent, read) = both(sending, read_all(&mut client, content.len(), 7000));
    sent.expect("sent");
    assert_eq!(read.expect("read"), content);
}

/// RUSTSEC-2023-0053: certificates that all could have signed each other are not tried in every order.
#[test]
fn a_hundred_authorities_of_one_name_are_no_chain() {
    for (count, words) in [(100, "a chain of more than"), (9, "MaximumSignatureChecksExceeded")] {
        let world = World::new().with("listener.name.server.ssl.client.auth", "required");
        let stranger = authority("ca");
        let mut shown = issued(&stranger, "CN=mallory");
        shown.chain.extend((1..count).map(|_other| authority("ca").certificate().clone()));
        let (client, server) = streams(1 << 17);
        let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
        let client = TlsStream::connect(Box::new(client), world.dialler().showing(&shown), name);
        let server = world.listener().accept(Box::new(server)).expect("a session");
        let (_client, refused) = both(shake(client.expect("a session")), shake(server));
        let error = refused.err().expect("refused").to_string();
        assert!(error.contains(words), "{count}: {error}");
    }
}

/// A hello as clients send it, damaged in some places: an error, or a wait for more, and never more memory than there
/// may be.
#[test]
fn a_damaged_hello_is_refused_or_waited_for() {
    let world = World::new();
    let (mut wire, client) = streams(1 << 16);
    let mut client = world.dialler().connect(Box::new(client), "localhost").expect("a name");
    let mut context = Context::from_waker(Waker::noop());
    assert!(client.poll_handshake(&mut context).is_pending());
    let hello = wire.try_read().expect("a hello");
    let listener = world.listener();
    let mut state = 20_261_130_u64;
    let mut below = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    let (mut errors, mut waits, mut answers) = (0, 0, 0);
    for _round in 0..600 {
        let mut damaged = hello.to_vec();
        for _change in 0..below(4) {
            let at = below(damaged.len());
            match below(4) {
                0 => damaged[at] ^= 1 << below(8),
                1 => damaged[at] = 0xff,
                2 => damaged.truncate(at + 1),
                _ => damaged.insert(at, below(256) as u8),
            }
        }
        let (mut client, server) = streams(1 << 17);
        let mut server = listener.accept(Box::new(server)).expect("a session");
        client.try_write(&damaged).expect("room");
        loop {
            match server.poll_handshake(&mut context) {
                Poll::Ready(Ok(Handshake::MustCompute)) if server.compute().is_ok() => {}
                Poll::Ready(Ok(Handshake::Done)) => panic!("a hello is no handshake"),
                Poll::Ready(_failed) => break errors += 1,
                // A whole hello is answered, and the client waited for.
                Poll::Pending if client.try_read().is_ok() => break answers += 1,
                Poll::Pending => break waits += 1,
            }
        }
        assert!(server.handshake_bytes() <= HANDSHAKE_BYTES_MAX);
    }
    assert!(errors > 50 && waits > 10 && answers > 50, "{errors} errors, {waits} waits, {answers} answers");
}

/// strimzi#12364: whoever trusts the root alone has no use for a leaf alone.
#[test]
fn the_whole_chain_is_sent() {
    let world = World::new().with("listener.name.server.ssl.client.auth", "required");
    let (of_server, of_client) =
        (issued(&world.authority, "CN=broker"), issued(&world.authority, "CN=alice"));
    world.put("/server.p12", &of_server.pkcs12("secret").expect("a store"));
    let world = world.client(&of_client);
    let (client, server) = world.connect();
    assert_eq!(client.expect("connected").peer_chain(), of_server.chain);
    assert_eq!(server.expect("accepted").peer_chain(), of_client.chain);
    assert_eq!(of_server.chain.len(), 2);
}
