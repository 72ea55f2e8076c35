//! What this machine can do at most, measured in the same run as the brokers.
//! Shell: files, sockets, threads, the clock.

use std::fmt::{Display, Formatter};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, recv};

use super::clients::Client;
use super::frames;
use super::gauge::own_thread_seconds;
use super::load::{self, Span};
use crate::failure::{Failure, Outcome, While};
use crate::places::ScratchDir;

const BLOCK_BYTES: usize = 64 << 10;
/// Files are measured over this much, which no cache here is too small for.
const FILE_BLOCKS: usize = 16_384;
/// A small request and its answer, give or take.
const SMALL_BYTES: usize = 64;
/// Small requests on their way at once.
const SMALL_WINDOW: usize = 64;

/// A rate and what it costs the thread that does it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rate {
    pub gb_per_second: f64,
    pub cpu_seconds_per_gb: f64,
}

/// The limits that the tables name.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Into the page cache as it was found, and after it was filled.
    pub write_as_found: Rate,
    pub write: Rate,
    pub read: Rate,
    pub cold_read: Rate,
    pub crc: Rate,
    /// What the receiver pays.
    pub receive: Rate,
    /// What the sender pays; the receiver takes no copy.
    pub sendfile: Rate,
    pub synced_64k: Rate,
    pub synced_1m: Rate,
    pub syncs_per_second: f64,
    /// Microseconds of a small request for who answers it, pipelined, and their number a second.
    pub echo_us: f64,
    pub echo_per_second: f64,
    /// The median of a small request with none beside it.
    pub echo_alone_ms: f64,
    /// The generator of this program against one who only answers.
    pub generator: Rate,
}

impl Limits {
    /// What a broker cannot do without when it takes batches: receive, checksum, write.
    pub fn produce_cpu(&self) -> f64 {
        self.receive.cpu_seconds_per_gb + self.crc.cpu_seconds_per_gb + self.write.cpu_seconds_per_gb
    }
}

/// Page-cache writes alone, before the memory is made ready.
pub fn page_cache_write() -> Outcome<Rate> {
    let scratch = ScratchDir::new("limits")?;
    write_file(&scratch.path().join("file"))
}

/// All limits, some seconds in all when the span is one.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
pub fn measure(write_as_found: Rate, span: Duration) -> Outcome<Limits> {
    let scratch = ScratchDir::new("limits")?;
    let path = scratch.path().join("file");
    let write = write_file(&path)?;
    let mut file = File::options().read(true).write(true).open(&path)?;
    let read = read_file(&mut file)?;
    let sendfile = sendfile(&file, span)?;
    file.sync_all()?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)
        .while_doing(|| "evicting a file".to_owned())?;
    file.rewind()?;
    let cold_read = read_file(&mut file)?;
    let (echo_us, echo_per_second, _) = echo(SMALL_WINDOW, span)?;
    let (_, _, echo_alone_ms) = echo(1, span)?;
    let synced_4k = synced(&mut file, 4 << 10, span)?;
    Ok(Limits {
        write_as_found,
        write,
        read,
        cold_read,
        crc: crc(span)?,
        receive: loopback(span)?,
        sendfile,
        synced_64k: synced(&mut file, 64 << 10, span)?,
        synced_1m: synced(&mut file, 1 << 20, span)?,
        syncs_per_second: synced_4k.gb_per_second * 1e9 / 4096.0,
        echo_us,
        echo_per_second,
        echo_alone_ms,
        generator: generator(span)?,
    })
}

/// Does something over and over for a while; it says how many bytes each time were.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
fn rate(
    mut once: impl FnMut() -> Outcome<usize>,
    mut goes_on: impl FnMut(Duration) -> bool,
) -> Outcome<Rate> {
    let (start, cpu_before, mut bytes) = (Instant::now(), own_thread_seconds()?, 0);
    while goes_on(start.elapsed()) {
        match once()? {
            0 => break,
            count => bytes += count,
        }
    }
    let gigabytes = bytes as f64 / 1e9;
    Ok(Rate {
        gb_per_second: gigabytes / start.elapsed().as_secs_f64(),
        cpu_seconds_per_gb: (own_thread_seconds()? - cpu_before) / gigabytes,
    })
}

fn write_file(path: &Path) -> Outcome<Rate> {
    let block = vec![0x5A; BLOCK_BYTES];
    let mut file = File::options().create(true).truncate(true).write(true).open(path)?;
    let mut blocks = 0;
    let once = || {
        file.write_all(&block)?;
        Ok(BLOCK_BYTES)
    };
    rate(once, |_| {
        blocks += 1;
        blocks <= FILE_BLOCKS
    })
}

fn read_file(file: &mut File) -> Outcome<Rate> {
    file.rewind()?;
    let mut block = vec![0; BLOCK_BYTES];
    rate(|| Ok(file.read(&mut block)?), |_| true)
}

fn synced(file: &mut File, block_bytes: usize, span: Duration) -> Outcome<Rate> {
    let block = vec![0x5A; block_bytes];
    let once = || {
        file.write_all(&block)?;
        file.sync_data()?;
        Ok(block_bytes)
    };
    rate(once, |since| since < span)
}

fn crc(span: Duration) -> Outcome<Rate> {
    let block = vec![0x5A; BLOCK_BYTES];
    let mut crc = 0;
    let once = || {
        crc ^= crc32c::crc32c(std::hint::black_box(&block));
        Ok(BLOCK_BYTES)
    };
    let rate = rate(once, |since| since < span)?;
    std::hint::black_box(crc);
    Ok(rate)
}

fn pair() -> Outcome<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let sender = TcpStream::connect(listener.local_addr()?)?;
    let (receiver, _) = listener.accept()?;
    for stream in [&sender, &receiver] {
        stream.set_nodelay(true)?;
    }
    Ok((sender, receiver))
}

fn joined<T>(thread: std::thread::JoinHandle<Outcome<T>>) -> Outcome<T> {
    thread.join().map_err(|_| Failure("a thread of the limits panicked".to_owned()))?
}

/// One stream of 64 KiB writes; the cost is the receiver's.
fn loopback(span: Duration) -> Outcome<Rate> {
    let (mut sender, mut receiver) = pair()?;
    let sink = std::thread::spawn(move || {
        let mut buffer = vec![0; 256 << 10];
        rate(|| Ok(receiver.read(&mut buffer)?), |_| true)
    });
    let (block, start) = (vec![0x5A; BLOCK_BYTES], Instant::now());
    while start.elapsed() < span {
        sender.write_all(&block)?;
    }
    drop(sender);
    joined(sink)
}

/// A cached file over one stream, a megabyte at a time, to a reader that copies nothing; the cost is the sender's.
fn sendfile(file: &File, span: Duration) -> Outcome<Rate> {
    const COUNT: usize = 1 << 20;
    let (sender, receiver) = pair()?;
    let sink = std::thread::spawn(move || -> Outcome<()> {
        let mut buffer = vec![0; 4 << 20];
        while recv(&receiver, &mut buffer[..], RecvFlags::TRUNC).while_doing(|| "receiving".to_owned())?.1 > 0
        {
        }
        Ok(())
    });
    let end = file.metadata()?.len();
    let mut offset = 0;
    let once = || {
        if offset + COUNT as u64 > end {
            offset = 0;
        }
        rustix::fs::sendfile(&sender, file, Some(&mut offset), COUNT)
            .while_doing(|| "sending a file".to_owned())
    };
    let rate = rate(once, |since| since < span)?;
    drop(sender);
    joined(sink)?;
    Ok(rate)
}

/// Small messages sent back as they come: the microseconds of each for who answers, how many a second, and the
/// milliseconds of a round trip.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
fn echo(window: usize, span: Duration) -> Outcome<(f64, f64, f64)> {
    let (mut asker, mut answerer) = pair()?;
    let server = std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        let once = || {
            let count = answerer.read(&mut buffer)?;
            answerer.write_all(&buffer[..count])?;
            Ok(count)
        };
        rate(once, |_| true)
    });
    let (burst, mut answer) = (vec![0x5A; SMALL_BYTES * window], vec![0; SMALL_BYTES * window]);
    let (start, mut trips) = (Instant::now(), 0_u64);
    while start.elapsed() < span {
        asker.write_all(&burst)?;
        asker.read_exact(&mut answer)?;
        trips += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    drop(asker);
    let served = joined(server)?;
    let messages = trips as f64 * window as f64;
    let us = served.cpu_seconds_per_gb / 1e9 * SMALL_BYTES as f64 * 1e6;
    Ok((us, messages / seconds, seconds * 1e3 / trips as f64))
}

/// The generator's producers of 64 KiB against a server that throws away what comes and answers each request.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
fn generator(span: Duration) -> Outcome<Rate> {
    const CONNECTIONS: usize = 4;
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?.to_string();
    let frame = frames::produce("sink", 0, 1, &frames::batch(64, 1_010));
    let request_bytes = frame.bytes.len();
    // Long enough for the place of the error code; all zeros, no error.
    let mut answer = vec![0, 0, 0, 60];
    answer.resize(64, 0);
    let server = std::thread::spawn(move || -> Outcome<f64> {
        let mut threads = Vec::new();
        for _ in 0..CONNECTIONS {
            let (mut stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            let answer = answer.clone();
            threads.push(std::thread::spawn(move || -> Outcome<f64> {
                let (mut buffer, mut rest) = (vec![0; 4 << 20], request_bytes);
                let before = own_thread_seconds()?;
                loop {
                    let most = rest.min(buffer.len());
                    match recv(&stream, &mut buffer[..most], RecvFlags::TRUNC) {
                        Ok((_, 0)) | Err(_) => return Ok(own_thread_seconds()? - before),
                        Ok((_, count)) => rest -= count,
                    }
                    if rest == 0 {
                        stream.write_all(&answer)?;
                        rest = request_bytes;
                    }
                }
            }));
        }
        threads.into_iter().map(joined).sum()
    });
    let clients = (0..CONNECTIONS).map(|_| Client::Repeat { frame: frame.clone(), window: 4 }).collect();
    let own = std::process::id();
    let span = Span { ramp: Duration::ZERO, measured: span, bytes_max: u64::MAX };
    let load = load::run(&address, own, clients, span)?;
    let sink_seconds = joined(server)?;
    let gigabytes = load.bytes as f64 / 1e9;
    Ok(Rate {
        gb_per_second: gigabytes / load.seconds,
        cpu_seconds_per_gb: (load.generator_cpu_seconds - sink_seconds).max(0.0) / gigabytes,
    })
}

impl Display for Limits {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let rates = [
            ("page-cache write, memory as found", self.write_as_found),
            ("page-cache write, memory recycled", self.write),
            ("page-cache read", self.read),
            ("cold read", self.cold_read),
            ("crc32c, 64 KiB blocks", self.crc),
            ("loopback TCP, one stream (CPU of the receiver)", self.receive),
            ("sendfile of a cached file (CPU of the sender)", self.sendfile),
            ("append and fdatasync of 64 KiB, one after the other", self.synced_64k),
            ("append and fdatasync of 1 MiB, one after the other", self.synced_1m),
            ("the generator of this program against a sink (CPU of the generator)", self.generator),
        ];
        writeln!(f, "| limit of the machine in this run | GB/s | CPU s/GB |\n| --- | --- | --- |")?;
        for (name, rate) in rates {
            writeln!(f, "| {name} | {:.2} | {:.3} |", rate.gb_per_second, rate.cpu_seconds_per_gb)?;
        }
        writeln!(
            f,
            "\n{:.0} appends of 4 KiB with fdatasync a second, one after the other. A raw echo of {SMALL_BYTES} bytes, \
             {SMALL_WINDOW} on their way: {:.2} us CPU each for who answers, {:.0} a second; alone {:.3} ms.",
            self.syncs_per_second, self.echo_us, self.echo_per_second, self.echo_alone_ms
        )
    }
}
