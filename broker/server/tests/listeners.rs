//! What clients of several listeners are told, IPv6, and how a process with many waiting clients stops.
//! Shell.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A broker of these settings; it and its folder go with the test.
struct Running {
    child: Child,
    folder: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        // A process that ended by itself is fine too, and a folder that stays is the system's to clean.
        let _ended = self.child.kill();
        let _status = self.child.wait();
        let _left = std::fs::remove_dir_all(&self.folder);
    }
}

/// A process that serves, or what the one that does not had to say.
fn try_to_start(settings: &[&str]) -> Result<Running, String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("ottla-listeners-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    let (ready, errors) = (folder.join("ready"), folder.join("errors"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command.stdout(Stdio::null()).stderr(std::fs::File::create(&errors).expect("a file"));
    command.env_remove("CLUSTER_ID").args(["--override", "ottla.http.listener="]);
    command.arg("--override").arg(format!("log.dirs={}", folder.join("data").display()));
    for setting in settings {
        command.args(["--override", setting]);
    }
    let child = command.arg("--ready-file").arg(&ready).spawn().expect("it runs");
    let mut running = Running { child, folder };
    let deadline = Instant::now() + Duration::from_secs(20);
    while !std::fs::read_to_string(&ready).is_ok_and(|line| line.ends_with('\n')) {
        if running.child.try_wait().expect("the child can be asked").is_some() {
            return Err(std::fs::read_to_string(&errors).expect("text"));
        }
        assert!(Instant::now() < deadline, "the broker is not ready after 20 s");
        std::thread::yield_now();
    }
    Ok(running)
}

fn start(settings: &[&str]) -> Running {
    try_to_start(settings).expect("a broker that serves")
}

fn stop(mut running: Running) -> (Duration, ExitStatus) {
    let id = running.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
    let begun = Instant::now();
    let status = running.child.wait().expect("it ends");
    (begun.elapsed(), status)
}

/// Ports that nobody has, on either kind of address where there are two.
fn free_ports<const N: usize>() -> [u16; N] {
    let mut taken = Vec::new();
    std::array::from_fn(|_| {
        loop {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let port = listener.local_addr().expect("it is bound").port();
            taken.push(listener);
            if !has_ipv6() || TcpListener::bind(format!("[::1]:{port}")).is_ok() {
                return port;
            }
        }
    })
}

fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

/// A connection, and an answer read from its front to its back.
struct Client(TcpStream);

struct Answer(Vec<u8>, usize);

impl Client {
    fn open(address: impl Into<SocketAddr>) -> Client {
        let stream = TcpStream::connect(address.into()).expect("the port accepts");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
        Client(stream)
    }

    fn send(&mut self, key: u8, version: u8, body: &[u8]) {
        let head = [0, key, 0, version, 0, 0, 0, 7, 0xff, 0xff];
        let length = (head.len() + body.len()) as i32;
        self.0.write_all(&[&length.to_be_bytes()[..], &head, body].concat()).expect("sent");
    }

    /// The answer behind its correlation id.
    fn ask(&mut self, key: u8, version: u8, body: &[u8]) -> Answer {
        self.send(key, version, body);
        let mut length = [0; 4];
        self.0.read_exact(&mut length).expect("an answer");
        let mut answer = vec![0; i32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut answer).expect("the whole answer");
        Answer(answer, 4)
    }
}

impl Answer {
    fn int(&mut self, count: usize) -> i64 {
        let bytes = &self.0[self.1..self.1 + count];
        self.1 += count;
        bytes.iter().fold(if bytes[0] < 0x80 { 0 } else { -1 }, |sum, &byte| (sum << 8) | i64::from(byte))
    }

    fn text(&mut self, length: i64) -> String {
        let start = self.1;
        self.1 += usize::try_from(length).expect("a text that is there");
        String::from_utf8(self.0[start..self.1].to_vec()).expect("a text")
    }

    fn place(&mut self) -> (String, i64) {
        let length = self.int(2);
        (self.text(length), self.int(4))
    }
}

fn text(name: &str) -> Vec<u8> {
    [&(name.len() as i16).to_be_bytes()[..], name.as_bytes()].concat()
}

/// Where Metadata, DescribeCluster and FindCoordinator of a group and of a transaction send a client that came by this way.
fn told(address: impl Into<SocketAddr>) -> [(String, i64); 4] {
    let mut client = Client::open(address);
    // Of no topic; one broker and its id come before its place.
    let mut metadata = client.ask(3, 1, &[0, 0, 0, 0]);
    assert_eq!(metadata.int(4), 1);
    metadata.int(4);
    // Tags behind the header; rest, code and message; the cluster, its controller; one broker.
    let mut cluster = client.ask(60, 0, &[0, 0, 0]);
    assert_eq!((cluster.int(1), cluster.int(4), cluster.int(2), cluster.int(1)), (0, 0, 0, 0));
    let id_length = cluster.int(1) - 1;
    cluster.text(id_length);
    cluster.int(4);
    assert_eq!(cluster.int(1), 2);
    cluster.int(4);
    let host_length = cluster.int(1) - 1;
    let described = (cluster.text(host_length), cluster.int(4));
    let [group, transaction] = [0, 1].map(|key_type| {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let mut found = client.ask(10, 1, &[text("somebody"), vec![key_type]].concat());
            // The topic behind it may still be in the making.
            let (_rest, code, message) = (found.int(4), found.int(2), found.int(2));
            if code == 0 {
                assert!(message <= 4, "no message, or NONE");
                found.text(message.max(0));
                found.int(4);
                return found.place();
            }
            assert!(Instant::now() < deadline, "{code}");
        }
    });
    [metadata.place(), described, group, transaction]
}

fn all(host: &str, port: u16) -> [(String, i64); 4] {
    [(); 4].map(|()| (host.to_owned(), i64::from(port)))
}

fn ends_well((took, status): (Duration, ExitStatus)) {
    assert!(status.success() && took < Duration::from_secs(5), "{status} after {took:?}");
}

#[test]
fn each_listener_tells_its_own_address() {
    let [inner, outer] = free_ports();
    let running = start(&[
        &format!("listeners=IN://127.0.0.1:{inner},OUT://127.0.0.1:{outer}"),
        "listener.security.protocol.map=IN:PLAINTEXT,OUT:PLAINTEXT",
        "inter.broker.listener.name=IN",
        &format!("advertised.listeners=IN://broker.internal:29092,OUT://localhost:{outer}"),
    ]);
    assert_eq!(told(([127, 0, 0, 1], inner)), all("broker.internal", 29_092));
    assert_eq!(told(([127, 0, 0, 1], outer)), all("localhost", outer));
    ends_well(stop(running));
}

/// KIP-797: one port for both kinds of addresses. A machine without IPv6 has a broker that says so and does not start.
#[test]
fn ipv4_and_ipv6_may_share_a_port_and_each_is_told_its_own() {
    let [port] = free_ports();
    let started = try_to_start(&[
        &format!("listeners=FOUR://127.0.0.1:{port},SIX://[::1]:{port}"),
        &format!("advertised.listeners=FOUR://127.0.0.1:{port},SIX://[::1]:{port}"),
        "listener.security.protocol.map=FOUR:PLAINTEXT,SIX:PLAINTEXT",
        "inter.broker.listener.name=FOUR",
    ]);
    let Ok(running) = started else {
        assert!(!has_ipv6(), "{:?}", started.err());
        return;
    };
    assert_eq!(told(([127, 0, 0, 1], port)), all("127.0.0.1", port));
    assert_eq!(told(([0, 0, 0, 0, 0, 0, 0, 1], port)), all("::1", port));
    ends_well(stop(running));
    let said = try_to_start(&[
        &format!("listeners=FOUR://127.0.0.1:{port},SIX://127.0.0.1:{port}"),
        "listener.security.protocol.map=FOUR:PLAINTEXT,SIX:PLAINTEXT",
        "inter.broker.listener.name=FOUR",
    ]);
    let said = said.err().expect("one port twice on one kind of address");
    assert!(said.contains("listeners") && said.contains(&port.to_string()), "{said}");
}

#[test]
fn a_listener_of_ipv6_alone_and_one_of_every_address_tell_what_was_dialled() {
    let [six, every] = free_ports();
    match try_to_start(&[&format!("listeners=PLAINTEXT://[::1]:{six}")]) {
        Ok(running) => {
            assert_eq!(told(([0, 0, 0, 0, 0, 0, 0, 1], six)), all("::1", six));
            ends_well(stop(running));
        }
        Err(said) => assert!(!has_ipv6(), "{said}"),
    }
    let running = start(&[&format!("listeners=PLAINTEXT://:{every}")]);
    assert_eq!(told(([127, 0, 0, 1], every)), all("127.0.0.1", every));
    assert_eq!(told(([127, 0, 0, 2], every)), all("127.0.0.2", every));
    ends_well(stop(running));
}

#[test]
fn waiting_fetches_do_not_hold_up_a_stop() {
    let [port] = free_ports();
    let running = start(&[&format!("listeners=PLAINTEXT://127.0.0.1:{port}"), "ottla.topics=waited:1"]);
    // Fetch v4 of nobody: a minute, one byte at least; one topic, one partition, from its start.
    let wait = [
        &[0xff; 4][..],
        &60_000_i32.to_be_bytes(),
        &[0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1],
        &text("waited"),
        &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0],
    ]
    .concat();
    let mut waiting: Vec<Client> = (0..50).map(|_| Client::open(([127, 0, 0, 1], port))).collect();
    for client in &mut waiting {
        client.send(1, 4, &wait);
    }
    // One more is served behind them.
    assert_eq!(told(([127, 0, 0, 1], port))[0], ("127.0.0.1".to_owned(), i64::from(port)));
    for client in &waiting {
        client.0.set_nonblocking(true).expect("a socket");
        let told = (&client.0).read(&mut [0; 4]);
        let still_waits = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
        assert!(told.as_ref().err().is_some_and(still_waits), "it waits: {told:?}");
    }
    ends_well(stop(running));
}
