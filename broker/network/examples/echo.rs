//! What the network alone costs: CPU per small request, CPU per GB taken in, memory per connection.
//! Shell. `cargo run --release -p ottla-network --example echo`; the load runs in a process of its
//! own, so the figures are the server's.

#![allow(clippy::print_stdout, reason = "the output is the result")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes};
use ottla_env::net::SocketBuffers;
use ottla_env::{File, OpenMode};
use ottla_model::SecurityProtocol;
use ottla_network::{
    Admitted, Answer, Chunk, ConnectionInfo, Handler, ListenerSpec, Listeners, NetworkMetrics,
    NetworkSettings, ResponseBuilder,
};
use tokio::sync::oneshot;

const REQUEST_BYTES: usize = 40;
const CONNECTIONS: usize = 4;
const IDLE_CONNECTIONS: usize = 5000;
const SECONDS: u64 = 3;
const SLICE_BYTES: usize = 256 * 1024;

/// Answers each request with 40 bytes; a request whose fifth byte is 1 only after a task ran, and
/// one whose fifth byte is 2 with a slice of a file more.
struct Echo {
    frames: AtomicUsize,
    bytes: AtomicUsize,
    file: Arc<dyn File>,
}

fn answer(frame: &Bytes) -> Answer {
    let mut builder = ResponseBuilder::with_capacity(REQUEST_BYTES);
    builder.buffer.put_slice(&frame[..REQUEST_BYTES]);
    builder.finish().map_or(Answer::Silent, Answer::Respond)
}

impl Handler for Echo {
    fn admit(&self, _connection: &Arc<ConnectionInfo>, frame: Bytes) -> Admitted {
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(frame.len(), Ordering::Relaxed);
        if frame[4] == 0 {
            return Admitted::Ready(answer(&frame));
        }
        if frame[4] == 2 {
            self.bytes.fetch_add(SLICE_BYTES, Ordering::Relaxed);
            let mut builder = ResponseBuilder::with_capacity(REQUEST_BYTES);
            builder.buffer.put_slice(&frame[..REQUEST_BYTES]);
            builder.push(Chunk::File { file: Arc::clone(&self.file), position: 0, len: SLICE_BYTES });
            return Admitted::Ready(builder.finish().map_or(Answer::Silent, Answer::Respond));
        }
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(async move { sender.send(answer(&frame)) });
        Admitted::Parked(Box::pin(async { receiver.await.unwrap_or(Answer::Silent) }))
    }

    fn on_close(&self, _connection: &Arc<ConnectionInfo>) {}
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("load") => load(&arguments[2], &arguments[3], arguments[4].parse().expect("a depth")),
        Some("idle") => idle(&arguments[2]),
        _ => serve(),
    }
}

fn serve() {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = std::env::var("WORKER_THREADS").ok().and_then(|threads| threads.parse().ok()) {
        builder.worker_threads(threads);
    }
    let runtime = builder.enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let env = ottla_env::real::env();
    let spec = ListenerSpec {
        name: "PLAINTEXT".into(),
        protocol: SecurityProtocol::Plaintext,
        login_frame_bytes_max: 0,
        tls: None,
        host: "127.0.0.1".into(),
        port: 0,
        advertised: None,
        buffers: SocketBuffers::default(),
    };
    let listeners = Listeners::bind(&env, &[spec]).expect("a port is free");
    let addr = listeners.bound()[0].bound.to_string();
    let path = std::env::temp_dir().join(format!("ottla-network-echo-{}", std::process::id()));
    let file = env.disk.open(&path, OpenMode::Truncate).expect("the file is made");
    env.disk.remove_file(&path).expect("the open file stays readable");
    file.write_all_at(&vec![7; SLICE_BYTES], 0).expect("the file takes bytes");
    let handler = Arc::new(Echo { frames: AtomicUsize::new(0), bytes: AtomicUsize::new(0), file });
    let metrics = NetworkMetrics::register(&prometheus::Registry::new()).expect("names are free");
    let _server =
        listeners.serve(Arc::clone(&handler) as Arc<dyn Handler>, NetworkSettings::default(), metrics);

    // First, while no memory of busier times is left.
    let before = resident_bytes();
    let mut idle = child(&["idle", &addr]);
    let mut line = String::new();
    let start = Instant::now();
    BufReader::new(idle.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("a line");
    let each = resident_bytes().saturating_sub(before) / IDLE_CONNECTIONS;
    println!(
        "{IDLE_CONNECTIONS} connections, one request each: {:.0} opened/s, {each} bytes resident each",
        IDLE_CONNECTIONS as f64 / start.elapsed().as_secs_f64()
    );
    let cpu = cpu_seconds();
    std::thread::sleep(Duration::from_secs(SECONDS));
    println!("idle with them: {:.2} % of a core", (cpu_seconds() - cpu) / SECONDS as f64 * 100.0);
    drop(idle.stdin.take());
    idle.wait().expect("it ends");

    for (what, kind, depth) in [
        ("small requests, 1 in flight", "small", 1),
        ("small requests, 16 in flight", "small", 16),
        ("small requests, 500 in flight", "small", 500),
        ("parked small requests, 500 in flight", "parked", 500),
        ("64 KiB requests, 4 in flight", "large", 4),
        ("1 MiB requests, 2 in flight", "huge", 2),
        ("256 KiB of a file, 1 in flight", "file", 1),
    ] {
        let (frames, bytes) = (handler.frames.load(Ordering::Relaxed), handler.bytes.load(Ordering::Relaxed));
        let (cpu, start) = (cpu_seconds(), Instant::now());
        let status = child(&["load", &addr, kind, &depth.to_string()]).wait().expect("the load ends");
        assert!(status.success());
        let (cpu, wall) = (cpu_seconds() - cpu, start.elapsed().as_secs_f64());
        let frames = (handler.frames.load(Ordering::Relaxed) - frames) as f64;
        let gb = (handler.bytes.load(Ordering::Relaxed) - bytes) as f64 / 1e9;
        println!(
            "{what:40} {:9.0} req/s {:6.2} GB/s {:7.2} us CPU/req {:7.3} CPU s/GB",
            frames / wall,
            gb / wall,
            cpu * 1e6 / frames,
            cpu / gb
        );
    }
}

fn child(arguments: &[&str]) -> Child {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().expect("a process")
}

fn frame(len: usize, what: u8) -> Vec<u8> {
    let mut frame = (len as i32).to_be_bytes().to_vec();
    frame.resize(4 + len, 0);
    frame[8] = what;
    frame
}

fn load(addr: &str, kind: &str, depth: usize) {
    let frame = match kind {
        "large" => frame(65_536, 0),
        "huge" => frame(1 << 20, 0),
        "parked" => frame(REQUEST_BYTES, 1),
        "file" => frame(REQUEST_BYTES, 2),
        _small => frame(REQUEST_BYTES, 0),
    };
    let requests = frame.repeat(depth);
    let answer_bytes = 4 + REQUEST_BYTES + if kind == "file" { SLICE_BYTES } else { 0 };
    let workers: Vec<_> = (0..CONNECTIONS)
        .map(|_connection| {
            let (addr, requests) = (addr.to_owned(), requests.clone());
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(addr).expect("it listens");
                stream.set_nodelay(true).expect("a socket");
                let mut answers = vec![0; depth * answer_bytes];
                let start = Instant::now();
                while start.elapsed() < Duration::from_secs(SECONDS) {
                    stream.write_all(&requests).expect("it reads");
                    stream.read_exact(&mut answers).expect("it answers");
                }
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().expect("a worker ends"));
}

fn idle(addr: &str) {
    let request = frame(REQUEST_BYTES, 0);
    let mut answer = [0; 4 + REQUEST_BYTES];
    let connections: Vec<TcpStream> = (0..IDLE_CONNECTIONS)
        .map(|_connection| {
            let mut stream = TcpStream::connect(addr).expect("it listens");
            stream.write_all(&request).expect("it reads");
            stream.read_exact(&mut answer).expect("it answers");
            stream
        })
        .collect();
    println!("{} are open", connections.len());
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).expect("the pipe closes");
}

/// User and system time of this process, from clock ticks of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let after_name = &stat[stat.rfind(')').expect("a name") + 2..];
    let fields: Vec<&str> = after_name.split(' ').collect();
    let ticks = |index: usize| fields[index].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / 100.0
}

fn resident_bytes() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4096
}
