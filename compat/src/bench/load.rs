//! The generator: threads that send encoded requests over raw sockets and time each answer.
//! Shell: sockets, threads, the clock. A window of requests is kept on the way.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::address::{Address, Source};
use super::answers::{Answers, number_at};
use super::clients::Client;
use super::frames::{FetchFrame, Frame};
use super::gauge::{cpu_seconds, cpu_seconds_of};
use crate::failure::{Failure, Outcome, While, fail};

/// Before it, at 0, the load ramps up.
const MEASURING: u8 = 1;
const ENDED: u8 = 2;

/// No answer for so long is a failure of the broker.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a span looks whether enough bytes went through.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);
/// A thread tells the others of its bytes in portions, so that they do not fight for one word of memory.
const PORTION_BYTES: u64 = 4 << 20;

/// What one kind of load brought while it was measured.
#[derive(Debug)]
pub struct Load {
    pub seconds: f64,
    pub broker_cpu_seconds: f64,
    pub generator_cpu_seconds: f64,
    pub requests: u64,
    pub bytes: u64,
    /// In nanoseconds, from the moment a request was due to its answer.
    pub latency: Histogram<u64>,
    /// The same to the moment a consumer had the record; empty where none reads along.
    pub end_to_end: Histogram<u64>,
}

/// Where a span stands, shared by its threads.
#[derive(Debug, Default)]
pub struct Stage {
    phase: AtomicU8,
    bytes: AtomicU64,
    /// Whether any thread was answered since it is measured.
    is_answered: AtomicBool,
}

impl Stage {
    pub fn is_over(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == ENDED
    }

    fn is_measured(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == MEASURING
    }
}

/// What one thread counted.
#[derive(Debug)]
pub struct Tally {
    stage: Arc<Stage>,
    untold: u64,
    pub requests: u64,
    pub bytes: u64,
    pub latency: Histogram<u64>,
    pub end_to_end: Histogram<u64>,
}

/// Up to a minute: the clients have lost patience by then.
fn histogram() -> Outcome<Histogram<u64>> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).while_doing(|| "making a histogram".to_owned())
}

pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Tally {
    pub fn new(stage: &Arc<Stage>) -> Outcome<Self> {
        let stage = stage.clone();
        Ok(Self { stage, untold: 0, requests: 0, bytes: 0, latency: histogram()?, end_to_end: histogram()? })
    }

    pub fn note(&mut self, bytes: usize, since: Instant) {
        self.untold += bytes as u64;
        if self.untold >= PORTION_BYTES {
            self.stage.bytes.fetch_add(self.untold, Ordering::Relaxed);
            self.untold = 0;
        }
        if self.stage.is_measured() {
            if self.requests == 0 {
                self.stage.is_answered.store(true, Ordering::Relaxed);
            }
            self.requests += 1;
            self.bytes += bytes as u64;
            self.latency.saturating_record(nanos(since.elapsed()));
        }
    }

    /// A record that arrived at a consumer.
    pub fn arrived(&mut self, since: Instant) {
        if self.stage.is_measured() {
            self.end_to_end.saturating_record(nanos(since.elapsed()));
        }
    }

    fn add(&mut self, other: &Self) -> Outcome<()> {
        self.requests += other.requests;
        self.bytes += other.bytes;
        self.latency.add(&other.latency).while_doing(|| "adding histograms".to_owned())?;
        self.end_to_end.add(&other.end_to_end).while_doing(|| "adding histograms".to_owned())
    }
}

/// How long a load runs before it counts, how long it counts, and after how many bytes of these it ends early. It
/// counts on until something was answered: a slow machine is no error.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub ramp: Duration,
    pub measured: Duration,
    pub bytes_max: u64,
}

/// Runs every client against the broker at once.
pub fn run(address: &str, pid: u32, clients: Vec<Client>, span: Span) -> Outcome<Load> {
    run_at(&[pid], clients.into_iter().map(|client| (address.into(), client)).collect(), span)
}

/// The same where each client has an address of its own, and several processes serve.
pub fn run_at(pids: &[u32], clients: Vec<(Address, Client)>, span: Span) -> Outcome<Load> {
    let stage = Arc::new(Stage::default());
    let mut threads: Vec<JoinHandle<Outcome<Tally>>> = Vec::new();
    for (address, client) in clients {
        let stage = stage.clone();
        threads.push(std::thread::spawn(move || client.run(&address, &stage)));
    }
    std::thread::sleep(span.ramp);
    let own = std::process::id();
    let (cpu_before, own_before, start) = (cpu_seconds_of(pids)?, cpu_seconds(own)?, Instant::now());
    let bytes_max = span.bytes_max.saturating_add(stage.bytes.load(Ordering::Relaxed));
    stage.phase.store(MEASURING, Ordering::Relaxed);
    let is_on = || start.elapsed() < span.measured && stage.bytes.load(Ordering::Relaxed) < bytes_max;
    let is_mute = || !stage.is_answered.load(Ordering::Relaxed) && start.elapsed() < PATIENCE;
    while is_on() || is_mute() {
        if threads.iter().any(JoinHandle::is_finished) {
            break;
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
    stage.phase.store(ENDED, Ordering::Relaxed);
    let seconds = start.elapsed().as_secs_f64();
    let (broker_cpu_seconds, generator_cpu_seconds) =
        (cpu_seconds_of(pids)? - cpu_before, cpu_seconds(own)? - own_before);
    let mut sum = Tally::new(&stage)?;
    for thread in threads {
        sum.add(&thread.join().map_err(|_| Failure("a thread of the load panicked".to_owned()))??)?;
    }
    if sum.bytes == 0 {
        return fail("nothing was answered while it was measured");
    }
    let Tally { requests, bytes, latency, end_to_end, .. } = sum;
    Ok(Load { seconds, broker_cpu_seconds, generator_cpu_seconds, requests, bytes, latency, end_to_end })
}

pub fn connect(address: &str) -> Outcome<TcpStream> {
    let stream = TcpStream::connect(address).while_doing(|| format!("connecting to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// One request and its answer, to prepare something.
pub fn ask_once(address: &str, frame: &Frame) -> Outcome<()> {
    pump(address, std::slice::from_ref(frame), 1)
}

/// Asks until the answer has no error in it: a coordinator or a leader may need a moment.
pub fn until_answered(address: &str, frame: &Frame, patience: Duration) -> Outcome<()> {
    let deadline = Instant::now() + patience;
    loop {
        match ask_once(address, frame) {
            Err(failure) if Instant::now() >= deadline => return Err(failure),
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
            Ok(()) => return Ok(()),
        }
    }
}

/// Sends requests in turn, so many in all and a few at once, and waits for every answer.
pub fn pump(address: &str, frames: &[Frame], count: usize) -> Outcome<()> {
    const WINDOW: usize = 4;
    let (mut stream, mut answers) = (connect(address)?, Answers::small());
    let (mut sent, mut answered) = (0, 0);
    while answered < count {
        while sent < count && sent < answered + WINDOW {
            stream.write_all(&frames[sent % frames.len()].bytes).while_doing(|| "sending".to_owned())?;
            sent += 1;
        }
        answered += answers.read(&mut stream, &frames[0], |_, _| ())?;
    }
    Ok(())
}

/// A log of equal batches: how large one is, and how many records it holds.
#[derive(Debug, Clone, Copy)]
pub struct Batches {
    pub bytes: usize,
    pub records: i64,
}

impl Batches {
    /// Asks for records and says how many came, with the size of the answer.
    pub fn fetch(
        self,
        stream: &mut (impl Source + Write),
        answers: &mut Answers,
        fetch: &FetchFrame,
    ) -> Outcome<(i64, usize)> {
        stream.write_all(&fetch.frame.bytes).while_doing(|| "sending".to_owned())?;
        let mut came = None;
        while came.is_none() {
            answers.read(stream, &fetch.frame, |head, size| {
                let batches = number_at(head, fetch.length_position) / self.bytes;
                came = Some((i64::try_from(batches).unwrap_or(0) * self.records, size));
            })?;
        }
        Ok(came.unwrap_or_default())
    }

    /// Reads a log from its start to its end, once; the bytes that came.
    pub fn drain(self, address: &str, mut fetch: FetchFrame, end_offset: i64) -> Outcome<u64> {
        let (mut stream, mut answers) = (connect(address)?, Answers::large());
        let (mut offset, mut bytes) = (0, 0);
        while offset < end_offset {
            fetch.seek(offset);
            let (records, size) = self.fetch(&mut stream, &mut answers, &fetch)?;
            bytes += size as u64;
            offset += records;
            if records == 0 {
                return fail(format!("nothing to read at offset {offset}"));
            }
        }
        Ok(bytes)
    }
}
