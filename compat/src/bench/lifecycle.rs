//! What happens once rather than all the time: starts, recoveries, many partitions, many connections, rest.
//! shell: starts brokers, reads the clock, evicts files from the page cache.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use super::frames::{self, Frame};
use super::gauge::{cpu_seconds, memory_mib};
use super::load;
use super::table::{Figure, Measured};
use super::workloads::{TOPIC, fill, start};
use crate::broker::{Against, Broker};
use crate::failure::{Failure, Outcome, While, fail};
use crate::wire::{Answer, Body, Connection};

const PATIENCE: Duration = Duration::from_secs(180);

/// Asks until the answer has no error in it: a coordinator or a leader may need a moment.
pub fn until_answered(address: &str, frame: &Frame) -> Outcome<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match load::ask_once(address, frame) {
            Err(failure) if Instant::now() >= deadline => return Err(failure),
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
            Ok(()) => return Ok(()),
        }
    }
}

fn millis(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// From the start of the process to the first acknowledged record.
fn time_to_first_produce(broker: &mut dyn Broker) -> Outcome<Measured> {
    let start = Instant::now();
    broker.restart()?;
    until_answered(broker.bootstrap(), &frames::produce(TOPIC, 0, 1, &frames::batch(1, 100)))?;
    Ok(Measured::default()
        .with(Figure::TimeMs, millis(start))
        .with(Figure::CpuSeconds, cpu_seconds(broker.pid())?)
        .with(Figure::MemoryMib, memory_mib(broker.pid(), "VmHWM")?))
}

pub fn start_empty(against: Against) -> Outcome<Measured> {
    let mut broker = start(against, &[], 1)?;
    broker.stop()?;
    time_to_first_produce(broker.as_mut())
}

/// A gigabyte in four partitions.
pub fn kill_with_data(against: Against) -> Outcome<Measured> {
    let mut broker = start(against, &[], 4)?;
    fill(broker.as_ref(), 4, 3_815)?;
    broker.kill9()?;
    time_to_first_produce(broker.as_mut())
}

pub fn kill_with_partitions(against: Against) -> Outcome<Measured> {
    let mut broker = start(against, &[], 1)?;
    create_partitions(broker.as_ref(), 110)?;
    let one = frames::batch(1, 100);
    for topic in 0..110 {
        for partition in 0..100 {
            let frame = frames::produce(&topic_name(topic), partition, 1, &one);
            until_answered(broker.bootstrap(), &frame)?;
        }
    }
    broker.kill9()?;
    time_to_first_produce(broker.as_mut())
}

fn topic_name(index: usize) -> String {
    format!("many-{index}")
}

/// Topics of a hundred partitions each, created one after the other, until Metadata gives each partition a leader.
fn create_partitions(broker: &dyn Broker, topics: usize) -> Outcome<()> {
    let mut connection = Connection::open(broker.bootstrap(), PATIENCE)?;
    for topic in 0..topics {
        connection.create_topic(&topic_name(topic), 100, &[])?;
    }
    let deadline = Instant::now() + PATIENCE;
    for topic in 0..topics {
        while !are_all_led(&mut connection, &topic_name(topic))? {
            if Instant::now() >= deadline {
                return fail(format!("{} has partitions without a leader", topic_name(topic)));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

fn are_all_led(connection: &mut Connection, topic: &str) -> Outcome<bool> {
    let answer = connection.ask(3, 4, Body::default().i32(1).string(topic).i8(0))?;
    let mut answer = Answer(&answer);
    let _throttle_ms = answer.i32()?;
    for _ in 0..answer.i32()? {
        let _broker = (answer.i32()?, answer.string()?, answer.i32()?, answer.string()?);
    }
    let (_cluster, _controller, _topics) = (answer.string()?, answer.i32()?, answer.i32()?);
    let (code, _name, _internal, partitions) = (answer.i16()?, answer.string()?, answer.i8()?, answer.i32()?);
    if code != 0 || partitions != 100 {
        return Ok(false);
    }
    for _ in 0..partitions {
        let (code, _partition, leader) = (answer.i16()?, answer.i32()?, answer.i32()?);
        for _ in 0..2 {
            for _ in 0..answer.i32()? {
                answer.i32()?;
            }
        }
        if code != 0 || leader < 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

pub fn partitions(against: Against, topics: usize) -> Outcome<Measured> {
    let broker = start(against, &[], 1)?;
    let (cpu_before, memory_before) = (cpu_seconds(broker.pid())?, memory_mib(broker.pid(), "VmRSS")?);
    let start = Instant::now();
    create_partitions(broker.as_ref(), topics)?;
    Ok(Measured::default()
        .with(Figure::TimeMs, millis(start))
        .with(Figure::CpuSeconds, cpu_seconds(broker.pid())? - cpu_before)
        .with(Figure::MemoryMib, memory_mib(broker.pid(), "VmRSS")? - memory_before))
}

pub fn idle_memory(against: Against) -> Outcome<Measured> {
    let broker = start(against, &[], 1)?;
    std::thread::sleep(Duration::from_secs(3));
    Ok(Measured::default().with(Figure::MemoryMib, memory_mib(broker.pid(), "VmRSS")?))
}

/// Connections that each asked once and stay open; the memory is what all of them added.
pub fn connections(against: Against) -> Outcome<Measured> {
    const COUNT: u32 = 5_000;
    let broker = start(against, &["max.connections.per.ip=10000"], 1)?;
    let (cpu_before, memory_before) = (cpu_seconds(broker.pid())?, memory_mib(broker.pid(), "VmRSS")?);
    let (start, mut open) = (Instant::now(), Vec::new());
    for _ in 0..COUNT {
        let mut connection = Connection::open(broker.bootstrap(), PATIENCE)?;
        connection.ask(18, 0, Body::default())?;
        open.push(connection);
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(Measured::default()
        .with(Figure::PerSecond, f64::from(COUNT) / seconds)
        .with(Figure::CpuSeconds, cpu_seconds(broker.pid())? - cpu_before)
        .with(Figure::MemoryMib, memory_mib(broker.pid(), "VmRSS")? - memory_before))
}

/// A gigabyte in four partitions, out of the page cache, read to its end by four consumers; each broker has read
/// the same log before, so that its code is warm.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
pub fn fetch_cold(against: Against) -> Outcome<Measured> {
    let broker = start(against, &[], 4)?;
    let filled = fill(broker.as_ref(), 4, 3_815)?;
    let read_all = || -> Outcome<u64> {
        let readers: Vec<_> = (0..4)
            .map(|partition| {
                let (address, fetch) = (broker.bootstrap().to_owned(), filled.fetch(partition));
                let (bytes, records, end) = (filled.batch_bytes, filled.batch_records, filled.end_offset);
                std::thread::spawn(move || load::drain(&address, fetch, bytes, records, end))
            })
            .collect();
        let mut bytes = 0;
        for reader in readers {
            bytes += reader.join().map_err(|_| Failure("a reader panicked".to_owned()))??;
        }
        Ok(bytes)
    };
    for _ in 0..3 {
        read_all()?;
    }
    evict(broker.log_dir())?;
    let (cpu_before, start) = (cpu_seconds(broker.pid())?, Instant::now());
    let bytes = read_all()? as f64;
    Ok(Measured::default()
        .with(Figure::MegabytesPerSecond, bytes / 1e6 / start.elapsed().as_secs_f64())
        .with(Figure::CpuSecondsPerGb, (cpu_seconds(broker.pid())? - cpu_before) / (bytes / 1e9))
        .with(Figure::MemoryMib, memory_mib(broker.pid(), "VmHWM")?))
}

/// Writes every file below the directory to the disk and forgets its pages.
fn evict(dir: &Path) -> Outcome<()> {
    for entry in fs::read_dir(dir).while_doing(|| format!("listing {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            evict(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "log") {
            let file = File::open(&path)?;
            file.sync_all()?;
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)
                .while_doing(|| format!("evicting {}", path.display()))?;
        }
    }
    Ok(())
}
