//! What happens once rather than all the time: starts, recoveries, many partitions, many connections, rest.
//! Shell: starts brokers, reads the clock, evicts files from the page cache.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use super::frames::{self, Frame};
use super::gauge::{cpu_seconds, memory_mib, open_files};
use super::load::{pump, until_answered};
use super::scene::{Bout, Filled, PATIENCE, Rows, Scale, Side, TOPIC, create_topic, fill, start};
use super::table::{Figure, Measured};
use super::workloads::sides;
use crate::broker::{Against, Broker};
use crate::failure::{Failure, Outcome, While, fail};
use crate::wire::{Answer, Body, Connection};

pub const PARTITIONS_A_TOPIC: i32 = 100;
/// How long a broker that nobody talks to is watched.
const IDLE_SPAN: Duration = Duration::from_secs(4);

pub fn millis(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// From the start of the process to the first acknowledged record.
fn time_to_first_produce(row: &'static str, broker: &mut dyn Broker) -> Outcome<Rows> {
    let first = frames::produce(TOPIC, 0, 1, &frames::batch(1, 100));
    let start = Instant::now();
    broker.restart()?;
    until_answered(broker.bootstrap(), &first, PATIENCE)?;
    let measured = Measured::default()
        .with(Figure::TimeMs, millis(start))
        .with(Figure::CpuSeconds, cpu_seconds(broker.pid())?)
        .with(Figure::MemoryMib, memory_mib(broker.pid(), "VmHWM")?);
    Ok(vec![(row, measured)])
}

fn start_with_topic(against: Against, partitions: i32) -> Outcome<Box<dyn Broker>> {
    let broker = start(against, &[])?;
    create_topic(broker.as_ref(), TOPIC, partitions)?;
    Ok(broker)
}

pub fn start_empty(against: Against, _scale: &Scale) -> Outcome<Rows> {
    let mut broker = start_with_topic(against, 1)?;
    broker.stop()?;
    time_to_first_produce("start-empty", broker.as_mut())
}

fn start_with_data(against: Against, scale: &Scale) -> Outcome<Box<dyn Broker>> {
    let broker = start_with_topic(against, 4)?;
    fill(broker.as_ref(), TOPIC, 4, scale.part(Filled::GIGABYTE))?;
    Ok(broker)
}

pub fn start_clean(against: Against, scale: &Scale) -> Outcome<Rows> {
    let mut broker = start_with_data(against, scale)?;
    broker.stop()?;
    time_to_first_produce("start-clean-1gb", broker.as_mut())
}

/// A gigabyte in four partitions.
pub fn kill_with_data(against: Against, scale: &Scale) -> Outcome<Rows> {
    let mut broker = start_with_data(against, scale)?;
    broker.kill9()?;
    time_to_first_produce("kill-1gb", broker.as_mut())
}

pub fn kill_with_partitions(against: Against, scale: &Scale) -> Outcome<Rows> {
    let mut broker = start_with_topic(against, 1)?;
    let topics = scale.part(110);
    create_partitions(broker.as_ref(), topics)?;
    let one = frames::batch(1, 100);
    for topic in 0..topics {
        let frames: Vec<Frame> = (0..PARTITIONS_A_TOPIC)
            .map(|partition| frames::produce(&topic_name(topic), partition, 1, &one))
            .collect();
        let deadline = Instant::now() + PATIENCE;
        // A leader that Metadata names may need another moment.
        while let Err(failure) = pump(broker.bootstrap(), &frames, frames.len()) {
            if Instant::now() >= deadline {
                return Err(failure);
            }
        }
    }
    broker.kill9()?;
    time_to_first_produce("kill-11000-partitions", broker.as_mut())
}

pub fn topic_name(index: usize) -> String {
    format!("many-{index:04}")
}

/// Topics of a hundred partitions each, created one after the other, until Metadata gives each partition a leader.
pub fn create_partitions(broker: &dyn Broker, topics: usize) -> Outcome<()> {
    let mut connection = Connection::open(broker.bootstrap(), PATIENCE)?;
    for topic in 0..topics {
        connection.create_topic(&topic_name(topic), PARTITIONS_A_TOPIC, &[])?;
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
    if code != 0 || partitions != PARTITIONS_A_TOPIC {
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

/// Partitions that nobody has written to yet: until all are led, at rest, and after a restart.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
pub fn partitions(row: &'static str, against: Against, scale: &Scale, topics: usize) -> Outcome<Rows> {
    let (mut broker, topics) = (start_with_topic(against, 1)?, scale.part(topics));
    let (cpu_before, memory_before) = (cpu_seconds(broker.pid())?, memory_mib(broker.pid(), "VmRSS")?);
    let start = Instant::now();
    create_partitions(broker.as_ref(), topics)?;
    let (time_ms, cpu) = (millis(start), cpu_seconds(broker.pid())? - cpu_before);
    let (idle_before, idle_start) = (cpu_seconds(broker.pid())?, Instant::now());
    std::thread::sleep(IDLE_SPAN.min(scale.span.measured * 2));
    let idle = (cpu_seconds(broker.pid())? - idle_before) / idle_start.elapsed().as_secs_f64();
    let added = memory_mib(broker.pid(), "VmRSS")? - memory_before;
    let count = topics as f64 * f64::from(PARTITIONS_A_TOPIC);
    let measured = Measured::default()
        .with(Figure::TimeMs, time_ms)
        .with(Figure::CpuSeconds, cpu)
        .with(Figure::MemoryMib, added)
        .with(Figure::MemoryKibEach, added * 1024.0 / count)
        .with(Figure::OpenFiles, open_files(broker.pid())? as f64)
        .with(Figure::IdleCpuPercent, idle * 100.0);
    broker.stop()?;
    let restarted = time_to_first_produce(row, broker.as_mut())?;
    let restart_ms = restarted.iter().filter_map(|(_, figures)| figures.0.get(&Figure::TimeMs)).sum();
    Ok(vec![(row, measured.with(Figure::RestartMs, restart_ms))])
}

pub fn idle_memory(against: Against, scale: &Scale) -> Outcome<Rows> {
    let broker = start_with_topic(against, 1)?;
    let (cpu_before, start) = (cpu_seconds(broker.pid())?, Instant::now());
    std::thread::sleep(IDLE_SPAN.min(scale.span.measured * 2));
    let idle = (cpu_seconds(broker.pid())? - cpu_before) / start.elapsed().as_secs_f64();
    let measured = Measured::default()
        .with(Figure::MemoryMib, memory_mib(broker.pid(), "VmRSS")?)
        .with(Figure::IdleCpuPercent, idle * 100.0);
    Ok(vec![("idle-memory", measured)])
}

const FIRST_CONNECTIONS: usize = 50;

/// Connections that each asked once and stay open; the memory is what all of them added.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
pub fn connections(against: Against, scale: &Scale) -> Outcome<Rows> {
    let count = scale.part(5_000);
    let broker = start(against, &["max.connections.per.ip=10000"])?;
    // What of the program connections need is read from its file by the first ones, and is not theirs.
    drop(open_and_ask(broker.bootstrap(), FIRST_CONNECTIONS)?);
    let (cpu_before, memory_before) = (cpu_seconds(broker.pid())?, memory_mib(broker.pid(), "VmRSS")?);
    let start = Instant::now();
    let open = open_and_ask(broker.bootstrap(), count)?;
    let (seconds, count) = (start.elapsed().as_secs_f64(), open.len() as f64);
    let added = memory_mib(broker.pid(), "VmRSS")? - memory_before;
    let measured = Measured::default()
        .with(Figure::PerSecond, count / seconds)
        .with(Figure::CpuSeconds, cpu_seconds(broker.pid())? - cpu_before)
        .with(Figure::MemoryMib, added)
        .with(Figure::MemoryKibEach, added * 1024.0 / count);
    Ok(vec![("connections-5000", measured)])
}

/// Several at a time: one after the other is a measure of who opens them.
fn open_and_ask(bootstrap: &str, count: usize) -> Outcome<Vec<Connection>> {
    const AT_A_TIME: usize = 4;
    let part = || -> Outcome<Vec<Connection>> {
        let one = || {
            let mut connection = Connection::open(bootstrap, PATIENCE)?;
            connection.ask(18, 0, Body::default())?;
            Ok(connection)
        };
        (0..count.div_ceil(AT_A_TIME)).map(|_| one()).collect()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(part)).collect();
        let mut open = Vec::with_capacity(count);
        for thread in threads {
            open.extend(thread.join().map_err(|_| Failure("a thread panicked".to_owned()))??);
        }
        Ok(open)
    })
}

/// A gigabyte in four partitions, out of the page cache before each bout, read to its end by four consumers.
pub fn fetch_cold(scale: &Scale, of: &[Against]) -> Outcome<Vec<Side>> {
    sides(of, &[], |broker| {
        create_topic(broker, TOPIC, 4)?;
        let filled = fill(broker, TOPIC, 4, scale.part(Filled::GIGABYTE))?;
        Ok(reading_cold(filled))
    })
}

#[allow(clippy::cast_precision_loss, reason = "figures for people")]
fn reading_cold(filled: Filled) -> Bout {
    Box::new(move |broker, span| {
        let begin = Instant::now();
        loop {
            evict(broker.log_dir())?;
            let own = std::process::id();
            let (cpu_before, own_before) = (cpu_seconds(broker.pid())?, cpu_seconds(own)?);
            let start = Instant::now();
            let bytes = read_all(broker, &filled)? as f64;
            let measured = Measured::default()
                .with(Figure::MegabytesPerSecond, bytes / 1e6 / start.elapsed().as_secs_f64())
                .with(Figure::CpuSecondsPerGb, (cpu_seconds(broker.pid())? - cpu_before) / (bytes / 1e9))
                .with(Figure::GeneratorCpuSecondsPerGb, (cpu_seconds(own)? - own_before) / (bytes / 1e9))
                .with(Figure::MemoryMib, memory_mib(broker.pid(), "VmHWM")?);
            // A warm-up has no ramp and reads until its time is over; a measurement reads once.
            if !span.ramp.is_zero() || begin.elapsed() >= span.measured {
                return Ok(vec![("fetch-cold", measured)]);
            }
        }
    })
}

fn read_all(broker: &dyn Broker, filled: &Filled) -> Outcome<u64> {
    let reader = |partition| {
        let (address, fetch) = (broker.bootstrap().to_owned(), filled.fetch(partition));
        let (batches, end) = (filled.batches, filled.end_offset);
        std::thread::spawn(move || batches.drain(&address, fetch, end))
    };
    let readers: Vec<_> = (0..4).map(reader).collect();
    let mut bytes = 0;
    for reader in readers {
        bytes += reader.join().map_err(|_| Failure("a reader panicked".to_owned()))??;
    }
    Ok(bytes)
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
