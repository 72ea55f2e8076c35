//! The loads by name: what each sends, and what is asked of Ottla under it.
//! shell: starts a broker for each, drives it.

use std::time::Duration;

use super::frames::{self, FetchFrame, Frame};
use super::gauge::memory_mib;
use super::lifecycle;
use super::load::{self, Client, Span};
use super::table::{Figure, Measured};
use crate::broker::{self, Against, Broker, BrokerOptions};
use crate::failure::{Outcome, fail};
use crate::wire::{Answer, Body, Connection};

/// One load or event that both brokers are put through.
#[derive(Debug)]
pub struct Workload {
    pub name: &'static str,
    /// Ottla against Apache Kafka, as the project wants it.
    pub target: &'static str,
    pub run: fn(Against, Span) -> Outcome<Measured>,
}

const fn workload(
    name: &'static str,
    target: &'static str,
    run: fn(Against, Span) -> Outcome<Measured>,
) -> Workload {
    Workload { name, target, run }
}

pub const WORKLOADS: &[Workload] = &[
    workload("produce-64k", "CPU s/GB at most 0.25, MB/s at least 2", |against, span| {
        produce(against, span, &[], Shape { acks: 1, ..BIG })
    }),
    workload("produce-100x100", "CPU s/GB at most 0.15", |against, span| {
        produce(against, span, &[], Shape { records: 100, value_bytes: 100, window: 16, ..BIG })
    }),
    workload("produce-tiny", "CPU us/req at most 0.12", |against, span| {
        produce(against, span, &[], Shape { records: 1, value_bytes: 100, window: 64, ..BIG })
    }),
    workload("acks-all-64k", "MB/s at least 1.3", |against, span| {
        produce(against, span, SYNCED, Shape { acks: -1, ..BIG })
    }),
    workload("acks-all-64-producers", "per s at least 8", |against, span| {
        let alone = Shape { acks: -1, records: 1, window: 1, connections: 64, partitions: 8, ..BIG };
        produce(against, span, SYNCED, alone)
    }),
    workload("fetch-hot-1", "CPU s/GB at most 0.45", |against, span| fetch_hot(against, span, 1)),
    workload("fetch-hot-4", "CPU s/GB at most 0.45", |against, span| fetch_hot(against, span, 4)),
    workload("fetch-hot-16", "CPU s/GB at most 0.45", |against, span| fetch_hot(against, span, 16)),
    workload("fetch-cold", "at least 0.85 of the disk", |against, _| lifecycle::fetch_cold(against)),
    workload("produce-and-tail", "CPU s/GB moved at most 0.4", produce_and_tail),
    workload("storm-metadata", "CPU us/req at most 0.12", |against, span| {
        storm(against, span, |_| Ok(frames::metadata(TOPIC)))
    }),
    workload("storm-api-versions", "CPU us/req at most 0.12", |against, span| {
        storm(against, span, |_| Ok(frames::api_versions()))
    }),
    workload("storm-offset-commit", "CPU us/req at most 0.12", |against, span| {
        storm(against, span, |_| Ok(frames::offset_commit("bench-commits", TOPIC)))
    }),
    workload("storm-heartbeat", "CPU us/req at most 0.12", |against, span| storm(against, span, member)),
    workload("open-loop-1k", "p50 at most 0.4, p99 and p99.9 at most 0.3", |against, span| {
        open_loop(against, span, 1_000)
    }),
    workload("open-loop-10k", "p50 at most 0.4, p99 and p99.9 at most 0.3", |against, span| {
        open_loop(against, span, 10_000)
    }),
    workload("partitions-10000", "time at most 1 s, CPU at most 1 s", |against, _| {
        lifecycle::partitions(against, 100)
    }),
    workload("start-empty", "time at most 0.012", |against, _| lifecycle::start_empty(against)),
    workload("kill-1gb", "at most 500 ms", |against, _| lifecycle::kill_with_data(against)),
    workload("kill-11000-partitions", "at most 1 s", |against, _| lifecycle::kill_with_partitions(against)),
    workload("idle-memory", "at most 20 MiB", |against, _| lifecycle::idle_memory(against)),
    workload("connections-5000", "per s at least 3, at most 16 KiB each", |against, _| {
        lifecycle::connections(against)
    }),
];

pub const TOPIC: &str = "bench";
const SYNCED: &[&str] = &["log.flush.interval.messages=1"];

/// What a producing load looks like.
#[derive(Debug, Clone, Copy)]
struct Shape {
    acks: i16,
    records: usize,
    value_bytes: usize,
    connections: usize,
    partitions: i32,
    /// Requests of one connection on their way at once.
    window: usize,
}

/// 64 KiB of records of 1 KiB, on four connections to four partitions.
const BIG: Shape =
    Shape { acks: 1, records: 64, value_bytes: 1_010, connections: 4, partitions: 4, window: 4 };

pub fn start(against: Against, overrides: &[&str], partitions: i32) -> Outcome<Box<dyn Broker>> {
    let started = broker::start(against, &BrokerOptions::with(overrides))?;
    let mut connection = Connection::open(started.bootstrap(), Duration::from_secs(30))?;
    connection.create_topic(TOPIC, partitions, &[])?;
    for partition in 0..partitions {
        connection.list_offset(TOPIC, partition, -1)?;
    }
    Ok(started)
}

fn producers(shape: Shape) -> Vec<Client> {
    let batch = frames::batch(shape.records, shape.value_bytes);
    (0..shape.connections)
        .map(|index| {
            let partition = i32::try_from(index).unwrap_or(0) % shape.partitions;
            let frame = frames::produce(TOPIC, partition, shape.acks, &batch);
            Client::Repeat { frame, window: shape.window }
        })
        .collect()
}

fn drive(broker: &dyn Broker, clients: Vec<Client>, span: Span) -> Outcome<Measured> {
    let load = load::run(broker.bootstrap(), broker.pid(), clients, span)?;
    Ok(Measured::of(&load).with(Figure::MemoryMib, memory_mib(broker.pid(), "VmHWM")?))
}

fn produce(against: Against, span: Span, overrides: &[&str], shape: Shape) -> Outcome<Measured> {
    let broker = start(against, overrides, shape.partitions)?;
    drive(broker.as_ref(), producers(shape), span)
}

/// Batches of one size in every partition, and how to read them.
#[derive(Debug)]
pub struct Filled {
    pub batch_bytes: usize,
    pub batch_records: i64,
    pub end_offset: i64,
}

impl Filled {
    pub const RECORDS: usize = 64;
    const FETCHED_BATCHES: usize = 15;

    pub fn fetch(&self, partition: i32) -> FetchFrame {
        let bytes_max = i32::try_from(self.batch_bytes * Self::FETCHED_BATCHES).unwrap_or(i32::MAX);
        FetchFrame::new(TOPIC, partition, bytes_max, 500)
    }
}

/// Puts so many batches of 64 KiB into each of the partitions.
pub fn fill(broker: &dyn Broker, partitions: i32, batches: usize) -> Outcome<Filled> {
    let batch = frames::batch(Filled::RECORDS, BIG.value_bytes);
    for partition in 0..partitions {
        load::pump(broker.bootstrap(), &frames::produce(TOPIC, partition, 1, &batch), batches)?;
    }
    let batch_records = i64::try_from(Filled::RECORDS).unwrap_or(0);
    let end_offset = i64::try_from(batches).unwrap_or(0) * batch_records;
    Ok(Filled { batch_bytes: batch.len(), batch_records, end_offset })
}

fn fetch_hot(against: Against, span: Span, consumers: i32) -> Outcome<Measured> {
    const PARTITIONS: i32 = 4;
    let broker = start(against, &[], PARTITIONS)?;
    let filled = fill(broker.as_ref(), PARTITIONS, 2_000)?;
    let readers = (0..consumers).map(|index| Client::Reader {
        fetch: filled.fetch(index % PARTITIONS),
        batch_bytes: filled.batch_bytes,
        batch_records: filled.batch_records,
        end_offset: filled.end_offset,
    });
    drive(broker.as_ref(), readers.collect(), span)
}

fn produce_and_tail(against: Against, span: Span) -> Outcome<Measured> {
    let shape = Shape { connections: 1, partitions: 1, ..BIG };
    let broker = start(against, &[], shape.partitions)?;
    let mut clients = producers(shape);
    let filled = Filled {
        batch_bytes: frames::batch(shape.records, shape.value_bytes).len(),
        batch_records: i64::try_from(shape.records).unwrap_or(0),
        end_offset: 0,
    };
    clients.extend((0..3).map(|_| Client::Tail {
        fetch: filled.fetch(0),
        batch_bytes: filled.batch_bytes,
        batch_records: filled.batch_records,
    }));
    drive(broker.as_ref(), clients, span)
}

fn storm(against: Against, span: Span, frame: fn(&dyn Broker) -> Outcome<Frame>) -> Outcome<Measured> {
    let broker = start(against, &[], 4)?;
    // Asking for the coordinator is what makes the topic of the offsets.
    let mut connection = Connection::open(broker.bootstrap(), Duration::from_secs(30))?;
    connection.ask(10, 0, Body::default().string("bench-commits"))?;
    let frame = frame(broker.as_ref())?;
    lifecycle::until_answered(broker.bootstrap(), &frame)?;
    let clients = (0..4).map(|_| Client::Repeat { frame: frame.clone(), window: 64 }).collect();
    drive(broker.as_ref(), clients, span)
}

/// A group of one member, whose heartbeats are sent.
pub fn member(broker: &dyn Broker) -> Outcome<Frame> {
    const GROUP: &str = "bench-beats";
    lifecycle::until_answered(broker.bootstrap(), &frames::offset_commit("bench-first", TOPIC))?;
    let mut connection = Connection::open(broker.bootstrap(), Duration::from_secs(30))?;
    let body = Body::default().string(GROUP).i32(1_800_000).i32(60_000).string("").string("consumer");
    let answer = connection.ask(11, 2, body.i32(1).string("range").bytes(b""))?;
    let mut answer = Answer(&answer);
    let (_throttle_ms, code, generation) = (answer.i32()?, answer.i16()?, answer.i32()?);
    let (_protocol, _leader, member) = (answer.string()?, answer.string()?, answer.string()?);
    let member = member.unwrap_or_default();
    if code != 0 {
        return fail(format!("JoinGroup answered error {code}"));
    }
    let body = Body::default().string(GROUP).i32(generation).string(&member).i32(1).string(&member);
    let answer = connection.ask(14, 0, body.bytes(b""))?;
    match Answer(&answer).i16()? {
        0 => Ok(frames::heartbeat(GROUP, generation, &member)),
        code => fail(format!("SyncGroup answered error {code}")),
    }
}

fn open_loop(against: Against, span: Span, per_second: u32) -> Outcome<Measured> {
    let broker = start(against, &[], 1)?;
    let frame = frames::produce(TOPIC, 0, 1, &frames::batch(1, 100));
    drive(broker.as_ref(), vec![Client::Paced { frame, per_second }], span)
}
