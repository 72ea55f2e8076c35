//! The generator: threads that send encoded requests over raw sockets, keep a window of them on their way and time
//! each answer.
//! shell: sockets, threads, the clock.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::frames::{FetchFrame, Frame};
use super::gauge::cpu_seconds;
use crate::failure::{Failure, Outcome, While, fail};

const WARMING: u8 = 0;
const MEASURING: u8 = 1;
const ENDED: u8 = 2;

/// No answer for so long is a failure of the broker.
const PATIENCE: Duration = Duration::from_secs(60);
/// Larger than most answers, so that one read takes many of them.
const READ_BYTES: usize = 256 << 10;
/// As far into an answer as a code or a length may lie.
const HEAD_BYTES: usize = 128;

/// What one kind of load brought while it was measured.
#[derive(Debug)]
pub struct Load {
    pub seconds: f64,
    pub broker_cpu_seconds: f64,
    pub requests: u64,
    pub bytes: u64,
    /// In nanoseconds.
    pub latency: Histogram<u64>,
}

#[derive(Debug)]
struct Tally {
    requests: u64,
    bytes: u64,
    latency: Histogram<u64>,
}

impl Tally {
    fn new() -> Outcome<Self> {
        // Up to a minute: the clients have lost patience by then.
        let latency = Histogram::new_with_bounds(1, 60_000_000_000, 3)
            .while_doing(|| "making a histogram".to_owned())?;
        Ok(Self { requests: 0, bytes: 0, latency })
    }

    fn note(&mut self, phase: &AtomicU8, bytes: usize, since: Instant) {
        if phase.load(Ordering::Relaxed) == MEASURING {
            self.requests += 1;
            self.bytes += bytes as u64;
            let nanos = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.latency.saturating_record(nanos);
        }
    }
}

/// How long a load runs before it counts, and how long it counts.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub warmup: Duration,
    pub measured: Duration,
}

/// One connection of a load.
#[derive(Debug)]
pub enum Client {
    /// The same request again and again, this many on their way at once.
    Repeat { frame: Frame, window: usize },
    /// The same request on a schedule that no slow answer delays, this many a second; a request is late from the
    /// moment it was due.
    Paced { frame: Frame, per_second: u32 },
    /// Reads a log of equal batches from its start, over and over.
    Reader { fetch: FetchFrame, batch_bytes: usize, batch_records: i64, end_offset: i64 },
    /// Reads what arrives; its requests count as none, its bytes do.
    Tail { fetch: FetchFrame, batch_bytes: usize, batch_records: i64 },
}

/// Runs every client against the broker at once.
pub fn run(address: &str, pid: u32, clients: Vec<Client>, span: Span) -> Outcome<Load> {
    let phase = Arc::new(AtomicU8::new(WARMING));
    let mut threads: Vec<JoinHandle<Outcome<Tally>>> = Vec::new();
    for client in clients {
        let (stream, phase) = (connect(address)?, phase.clone());
        threads.push(std::thread::spawn(move || client.run(stream, &phase)));
    }
    std::thread::sleep(span.warmup);
    let (cpu_before, start) = (cpu_seconds(pid)?, Instant::now());
    phase.store(MEASURING, Ordering::Relaxed);
    std::thread::sleep(span.measured);
    phase.store(ENDED, Ordering::Relaxed);
    let (seconds, broker_cpu_seconds) = (start.elapsed().as_secs_f64(), cpu_seconds(pid)? - cpu_before);
    let mut sum = Tally::new()?;
    for thread in threads {
        let tally = thread.join().map_err(|_| Failure("a thread of the load panicked".to_owned()))??;
        sum.requests += tally.requests;
        sum.bytes += tally.bytes;
        sum.latency.add(&tally.latency).while_doing(|| "adding histograms".to_owned())?;
    }
    if sum.bytes == 0 {
        return fail("nothing was answered while it was measured");
    }
    let Tally { requests, bytes, latency } = sum;
    Ok(Load { seconds, broker_cpu_seconds, requests, bytes, latency })
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
    let mut stream = connect(address)?;
    stream.write_all(&frame.bytes)?;
    let mut answers = Answers::new();
    while answers.read(&mut stream, frame, |_, _| ())? == 0 {}
    Ok(())
}

impl Client {
    fn run(self, stream: TcpStream, phase: &Arc<AtomicU8>) -> Outcome<Tally> {
        match self {
            Self::Repeat { frame, window } => repeat(stream, &frame, window, phase),
            Self::Paced { frame, per_second } => paced(stream, frame, per_second, phase),
            Self::Reader { fetch, batch_bytes, batch_records, end_offset } => {
                read_log(stream, fetch, batch_bytes, batch_records, Some(end_offset), phase)
            }
            Self::Tail { fetch, batch_bytes, batch_records } => {
                let mut tally = read_log(stream, fetch, batch_bytes, batch_records, None, phase)?;
                tally.requests = 0;
                tally.latency.reset();
                Ok(tally)
            }
        }
    }
}

/// The answers of one connection, taken apart without keeping more than their first bytes.
struct Answers {
    buffer: Vec<u8>,
    head: Vec<u8>,
    /// Bytes of the current answer beyond `head` that are still to come.
    rest: usize,
}

impl Answers {
    fn new() -> Self {
        Self { buffer: vec![0; READ_BYTES], head: Vec::with_capacity(HEAD_BYTES), rest: 0 }
    }

    /// Reads once and tells of each answer that ended: its head, and its size as a whole.
    fn read(
        &mut self,
        stream: &mut TcpStream,
        asked: &Frame,
        mut ended: impl FnMut(&[u8], usize),
    ) -> Outcome<usize> {
        let count = stream.read(&mut self.buffer).while_doing(|| "reading an answer".to_owned())?;
        if count == 0 {
            return fail("the broker closed the connection");
        }
        let (mut bytes, mut answers) = (&self.buffer[..count], 0);
        while !bytes.is_empty() {
            if self.rest > 0 {
                let skipped = self.rest.min(bytes.len());
                bytes = &bytes[skipped..];
                self.rest -= skipped;
            } else {
                let wanted = if self.head.len() < 4 { 4 } else { size_of_answer(&self.head).min(HEAD_BYTES) };
                let taken = (wanted - self.head.len()).min(bytes.len());
                self.head.extend_from_slice(&bytes[..taken]);
                bytes = &bytes[taken..];
                if self.head.len() < 4 || self.head.len() < size_of_answer(&self.head).min(HEAD_BYTES) {
                    continue;
                }
                self.rest = size_of_answer(&self.head) - self.head.len();
            }
            if self.rest == 0 {
                check(&self.head, asked)?;
                ended(&self.head, size_of_answer(&self.head));
                self.head.clear();
                answers += 1;
            }
        }
        Ok(answers)
    }
}

fn size_of_answer(head: &[u8]) -> usize {
    4 + number_at(head, 0)
}

fn number_at(head: &[u8], position: usize) -> usize {
    head.get(position..position + 4)
        .and_then(|bytes| bytes.try_into().ok())
        .and_then(|bytes| usize::try_from(i32::from_be_bytes(bytes)).ok())
        .unwrap_or(0)
}

pub fn check(head: &[u8], asked: &Frame) -> Outcome<()> {
    let Some(position) = asked.error_position else { return Ok(()) };
    match head.get(position..position + 2) {
        Some([0, 0]) => Ok(()),
        code => fail(format!("the broker answered with error {code:?}")),
    }
}

fn repeat(mut stream: TcpStream, frame: &Frame, window: usize, phase: &AtomicU8) -> Outcome<Tally> {
    let (mut tally, mut answers) = (Tally::new()?, Answers::new());
    // As many copies as one write may carry: a burst costs one system call.
    let burst = frame.bytes.repeat(window);
    let mut sent_at: VecDeque<Instant> = VecDeque::with_capacity(window);
    loop {
        let ended = phase.load(Ordering::Relaxed) == ENDED;
        if ended && sent_at.is_empty() {
            return Ok(tally);
        }
        let room = window - sent_at.len();
        if !ended && room > 0 {
            let now = Instant::now();
            stream.write_all(&burst[..room * frame.bytes.len()]).while_doing(|| "sending".to_owned())?;
            sent_at.extend(std::iter::repeat_n(now, room));
        }
        answers.read(&mut stream, frame, |_, _| {
            if let Some(since) = sent_at.pop_front() {
                tally.note(phase, frame.bytes.len(), since);
            }
        })?;
    }
}

fn paced(mut stream: TcpStream, frame: Frame, per_second: u32, phase: &Arc<AtomicU8>) -> Outcome<Tally> {
    let (start, gap) = (Instant::now(), Duration::from_secs(1) / per_second);
    let mut writer = stream.try_clone()?;
    let (sender_frame, sender_phase) = (frame.clone(), phase.clone());
    let sender = std::thread::spawn(move || -> Outcome<u32> {
        let mut sent = 0;
        while sender_phase.load(Ordering::Relaxed) != ENDED {
            let due = u32::try_from(start.elapsed().as_nanos() / gap.as_nanos()).unwrap_or(u32::MAX);
            while sent <= due {
                writer.write_all(&sender_frame.bytes).while_doing(|| "sending".to_owned())?;
                sent += 1;
            }
            std::thread::sleep((start + gap * sent).saturating_duration_since(Instant::now()));
        }
        // Its answer wakes the reader, who then sees the end.
        writer.write_all(&sender_frame.bytes).while_doing(|| "sending".to_owned())?;
        Ok(sent)
    });
    let (mut tally, mut answers, mut answered) = (Tally::new()?, Answers::new(), 0_u32);
    while phase.load(Ordering::Relaxed) != ENDED {
        answers.read(&mut stream, &frame, |_, _| {
            tally.note(phase, frame.bytes.len(), start + gap * answered);
            answered += 1;
        })?;
    }
    sender.join().map_err(|_| Failure("the sender panicked".to_owned()))??;
    Ok(tally)
}

fn read_log(
    mut stream: TcpStream,
    mut fetch: FetchFrame,
    batch_bytes: usize,
    batch_records: i64,
    end_offset: Option<i64>,
    phase: &AtomicU8,
) -> Outcome<Tally> {
    let (mut tally, mut answers, mut offset) = (Tally::new()?, Answers::new(), 0);
    while phase.load(Ordering::Relaxed) != ENDED {
        fetch.seek(offset);
        let now = Instant::now();
        stream.write_all(&fetch.frame.bytes).while_doing(|| "sending".to_owned())?;
        let mut batches = None;
        while batches.is_none() {
            answers.read(&mut stream, &fetch.frame, |head, size| {
                tally.note(phase, size, now);
                batches = Some(number_at(head, fetch.length_position) / batch_bytes);
            })?;
        }
        offset += i64::try_from(batches.unwrap_or(0)).unwrap_or(0) * batch_records;
        match end_offset {
            Some(end) if offset >= end => offset = 0,
            Some(_) if batches == Some(0) => return fail(format!("nothing to read at offset {offset}")),
            _ => {}
        }
    }
    Ok(tally)
}

/// Sends a request so many times, a few at once, and waits for every answer.
pub fn pump(address: &str, frame: &Frame, count: usize) -> Outcome<()> {
    const WINDOW: usize = 4;
    let (mut stream, mut answers) = (connect(address)?, Answers::new());
    let (mut sent, mut answered) = (0, 0);
    while answered < count {
        while sent < count && sent < answered + WINDOW {
            stream.write_all(&frame.bytes).while_doing(|| "sending".to_owned())?;
            sent += 1;
        }
        answered += answers.read(&mut stream, frame, |_, _| ())?;
    }
    Ok(())
}

/// Reads a log of equal batches from its start to its end, once; the bytes that came.
pub fn drain(
    address: &str,
    mut fetch: FetchFrame,
    batch_bytes: usize,
    batch_records: i64,
    end_offset: i64,
) -> Outcome<u64> {
    let (mut stream, mut answers) = (connect(address)?, Answers::new());
    let (mut offset, mut bytes) = (0, 0);
    while offset < end_offset {
        fetch.seek(offset);
        stream.write_all(&fetch.frame.bytes).while_doing(|| "sending".to_owned())?;
        let mut batches = None;
        while batches.is_none() {
            answers.read(&mut stream, &fetch.frame, |head, size| {
                bytes += size as u64;
                batches = Some(number_at(head, fetch.length_position) / batch_bytes);
            })?;
        }
        match batches {
            Some(count) if count > 0 => offset += i64::try_from(count).unwrap_or(0) * batch_records,
            _ => return fail(format!("nothing to read at offset {offset}")),
        }
    }
    Ok(bytes)
}
