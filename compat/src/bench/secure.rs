//! What protection costs: loads over TLS, handshakes, idle connections under TLS, and logins.
//! Shell: starts brokers with a second listener, OpenSSL makes their stores.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::address::Address;
use super::answers::Answers;
use super::clients::Client;
use super::gauge::{cpu_seconds, memory_mib};
use super::load::{self, Load, Span};
use super::scene::{Bout, Rows, Scale, Side, TOPIC, create_topic, fill, with_peak};
use super::table::{Figure, Measured};
use super::workloads::{BIG, producers, with_fresh_topic};
use super::{frames, login};
use crate::broker::{self, Against, Broker, BrokerOptions};
use crate::failure::{Failure, Outcome, While as _};
use crate::places::ScratchDir;
use crate::ports::free_ports;
use crate::process::{capture, require};

/// The password of the stores, which protects nothing.
const NO_SECRET: &str = "changeit";
const LIMIT: Duration = Duration::from_secs(60);
/// Clients that come at once; more of them would only wait for the processors.
const NEWCOMERS: usize = 4;

/// An authority, and a broker's certificate of each kind in a store.
const STORES: &str = r#"set -e
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' > extensions
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=authority \
  -keyout ca.key -out ca.pem -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
issue() { openssl req -newkey $2 -nodes -subj /CN=broker -keyout $1.key -out $1.csr
  openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -days 30 -extfile extensions -out $1.pem
  cat $1.pem ca.pem > $1.chain
  openssl pkcs12 -export -in $1.chain -inkey $1.key -name broker -passout env:STORES -out $1.p12; }
issue rsa rsa:2048
issue ecdsa "ec -pkeyopt ec_paramgen_curve:P-256"
"#;

/// The key of a broker's certificate.
#[derive(Debug, Clone, Copy)]
pub enum Key {
    Ecdsa,
    Rsa,
}

/// The stores of a run. They vanish with this value, when the brokers have long read them.
struct Stores(ScratchDir);

impl Stores {
    fn make() -> Outcome<Self> {
        let scratch = ScratchDir::new("bench-stores")?;
        require("openssl", "OpenSSL 3 (apt: openssl)")?;
        let mut command = Command::new("bash");
        command.args(["-c", STORES]).env("STORES", NO_SECRET).current_dir(scratch.path());
        capture("stores", &mut command, None, scratch.path(), LIMIT)?;
        Ok(Self(scratch))
    }

    fn authority(&self) -> PathBuf {
        self.0.path().join("ca.pem")
    }

    fn store(&self, key: Key) -> PathBuf {
        self.0.path().join(match key {
            Key::Ecdsa => "ecdsa.p12",
            Key::Rsa => "rsa.p12",
        })
    }

    fn start(&self, against: Against, key: Key) -> Outcome<(Box<dyn Broker>, Address)> {
        let keys = [
            format!("ssl.keystore.location={}", self.store(key).display()),
            "ssl.keystore.type=PKCS12".to_owned(),
            format!("ssl.keystore.password={NO_SECRET}"),
        ];
        let (broker, host) = start_with_listener(against, "SSL", &keys)?;
        Ok((broker, Address::with_tls(host, &self.authority())?))
    }
}

/// A broker with a listener like any other and one of a protocol, and where that is.
fn start_with_listener(
    against: Against,
    protocol: &str,
    keys: &[String],
) -> Outcome<(Box<dyn Broker>, String)> {
    let [plain, second, controller] = free_ports()?;
    let listeners = format!("PLAINTEXT://127.0.0.1:{plain},SECURE://127.0.0.1:{second}");
    let mut overrides = vec![
        format!("listeners={listeners},CONTROLLER://127.0.0.1:{controller}"),
        format!("advertised.listeners={listeners}"),
        format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
        format!("listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:{protocol}"),
        "controller.listener.names=CONTROLLER".to_owned(),
        "node.id=1".to_owned(),
        "max.connections.per.ip=10000".to_owned(),
    ];
    overrides.push("log.segment.delete.delay.ms=10".to_owned());
    overrides.extend_from_slice(keys);
    let options = BrokerOptions { overrides, port: Some(plain), ..BrokerOptions::default() };
    Ok((broker::start(against, &options)?, format!("127.0.0.1:{second}")))
}

/// A broker with TLS each, and a bout that knows where it is; the stores live as long as the bout.
fn sides_with_tls(
    of: &[Against],
    key: Key,
    bout: impl Fn(&dyn Broker, Address) -> Outcome<Bout>,
) -> Outcome<Vec<Side>> {
    let side = |against: &Against| {
        let stores = Stores::make()?;
        let (broker, address) = stores.start(*against, key)?;
        let mut inner = bout(broker.as_ref(), address)?;
        let bout: Bout = Box::new(move |broker, span| {
            let _kept = &stores;
            inner(broker, span)
        });
        Ok(Side { against: *against, broker, bout, warmer: None })
    };
    of.iter().map(side).collect()
}

fn drive(broker: &dyn Broker, address: &Address, clients: Vec<Client>, span: Span) -> Outcome<Load> {
    let clients = clients.into_iter().map(|client| (address.clone(), client)).collect();
    load::run_at(&[broker.pid()], clients, span)
}

/// `produce-64k`, over TLS.
pub fn produce(_scale: &Scale, of: &[Against]) -> Outcome<Vec<Side>> {
    const ROW: &str = "produce-64k-tls";
    sides_with_tls(of, Key::Ecdsa, |_, address| {
        Ok(with_fresh_topic(ROW, BIG.partitions, move |broker, topic, span| {
            let load = drive(broker, &address, producers(topic, BIG), span)?;
            Ok(vec![(ROW, with_peak(Measured::of_bytes(&load), broker)?)])
        }))
    })
}

/// `fetch-hot`, over TLS.
pub fn fetch(row: &'static str, scale: &Scale, of: &[Against], consumers: i32) -> Outcome<Vec<Side>> {
    const PARTITIONS: i32 = 4;
    sides_with_tls(of, Key::Ecdsa, |broker, address| {
        create_topic(broker, TOPIC, PARTITIONS)?;
        let filled = fill(broker, TOPIC, PARTITIONS, scale.part(2_000))?;
        Ok(Box::new(move |broker, span| {
            let reader = |index: i32| Client::Reader {
                fetch: filled.fetch(index % PARTITIONS),
                batches: filled.batches,
                end_offset: filled.end_offset,
                discards: false,
            };
            let span = Span { bytes_max: u64::MAX, ..span };
            let load = drive(broker, &address, (0..consumers).map(reader).collect(), span)?;
            Ok(vec![(row, with_peak(Measured::of_bytes(&load), broker)?)])
        }))
    })
}

/// Clients that connect, are asked for nothing but the first answer, and go; no session is resumed.
pub fn handshakes(row: &'static str, of: &[Against], key: Key) -> Outcome<Vec<Side>> {
    sides_with_tls(of, key, |_, address| {
        Ok(Box::new(move |broker, span| {
            let newcomer = || Client::Newcomer { frame: frames::api_versions() };
            let clients = std::iter::repeat_with(newcomer).take(NEWCOMERS).collect();
            let load = drive(broker, &address, clients, Span { bytes_max: u64::MAX, ..span })?;
            Ok(vec![(row, with_peak(Measured::of_requests(&load), broker)?)])
        }))
    })
}

/// Connections that each asked once and stay open; the memory is what all of them added.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
pub fn connections(against: Against, scale: &Scale) -> Outcome<Rows> {
    let stores = Stores::make()?;
    let (broker, address) = stores.start(against, Key::Ecdsa)?;
    let (cpu_before, memory_before) = (cpu_seconds(broker.pid())?, memory_mib(broker.pid(), "VmRSS")?);
    let start = Instant::now();
    let open = open_and_ask(&address, scale.part(5_000))?;
    let (seconds, count) = (start.elapsed().as_secs_f64(), open.len() as f64);
    let added = memory_mib(broker.pid(), "VmRSS")? - memory_before;
    let measured = Measured::default()
        .with(Figure::PerSecond, count / seconds)
        .with(Figure::CpuSeconds, cpu_seconds(broker.pid())? - cpu_before)
        .with(Figure::MemoryMib, added)
        .with(Figure::MemoryKibEach, added * 1024.0 / count);
    Ok(vec![("connections-5000-tls", measured)])
}

fn open_and_ask(address: &Address, count: usize) -> Outcome<Vec<TcpStream>> {
    let frame = frames::api_versions();
    let one = || {
        let (mut socket, mut answers) = (address.connect()?, Answers::small());
        socket.write_all(&frame.bytes).while_doing(|| "sending".to_owned())?;
        while answers.read(&mut socket, &frame, |_, _| ())? == 0 {}
        Ok(socket.into_stream())
    };
    let part = || (0..count.div_ceil(NEWCOMERS)).map(|_| one()).collect::<Outcome<Vec<_>>>();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..NEWCOMERS).map(|_| scope.spawn(part)).collect();
        let mut open = Vec::with_capacity(count);
        for thread in threads {
            open.extend(thread.join().map_err(|_| Failure("a thread panicked".to_owned()))??);
        }
        Ok(open)
    })
}

/// Clients that connect, log in, and go.
pub fn logins(_scale: &Scale, of: &[Against]) -> Outcome<Vec<Side>> {
    const ROW: &str = "scram-logins";
    let keys = [
        format!("sasl.enabled.mechanisms={}", login::MECHANISM),
        "listener.name.secure.scram-sha-256.sasl.jaas.config=\
         org.apache.kafka.common.security.scram.ScramLoginModule required;"
            .to_owned(),
    ];
    let side = |against: &Against| {
        let (broker, host) = start_with_listener(*against, "SASL_PLAINTEXT", &keys)?;
        login::make_user(broker.bootstrap())?;
        login::until_known(&host)?;
        let address = Address::from(host);
        let bout: Bout = Box::new(move |broker, span| {
            let clients = std::iter::repeat_with(|| Client::Login).take(NEWCOMERS).collect();
            let load = drive(broker, &address, clients, Span { bytes_max: u64::MAX, ..span })?;
            Ok(vec![(ROW, with_peak(Measured::of_requests(&load), broker)?)])
        });
        Ok(Side { against: *against, broker, bout, warmer: None })
    };
    of.iter().map(side).collect()
}
