//! What a workload needs to be run: brokers, topics that come and go, and how big everything is.
//! Shell: starts brokers, talks to them.

use std::time::Duration;

use super::clients::Client;
use super::frames::{self, FetchFrame};
use super::gauge::memory_mib;
use super::load::{self, Batches, Load, Span};
use super::machine;
use super::table::{Figure, Measured};
use crate::broker::{self, Against, Broker, BrokerOptions};
use crate::failure::Outcome;
use crate::wire::Connection;

pub const PATIENCE: Duration = Duration::from_secs(180);

/// How big a run is.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Measurements of each broker.
    pub rounds: u32,
    /// A JVM that has not run a load for some seconds pays several times the price.
    pub kafka_warmup: Duration,
    pub ottla_warmup: Duration,
    pub span: Span,
    /// Amounts of data, topics and members are divided by this.
    pub divisor: usize,
    /// Whether the memory is filled before each workload and refilled between its spans.
    pub fills_memory: bool,
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Scale {
    pub const FULL: Self = Self {
        rounds: 5,
        kafka_warmup: millis(4_500),
        ottla_warmup: millis(1_000),
        // More than this within a span, and the kernel begins to write back beside the faster broker.
        span: Span { ramp: millis(300), measured: millis(2_500), bytes_max: 2_000_000_000 },
        divisor: 1,
        fills_memory: true,
    };
    pub const QUICK: Self = Self {
        rounds: 1,
        kafka_warmup: millis(1_000),
        ottla_warmup: millis(300),
        span: Span { ramp: millis(200), measured: millis(1_000), bytes_max: 1_000_000_000 },
        divisor: 10,
        fills_memory: false,
    };
    pub const SMOKE: Self = Self {
        rounds: 1,
        kafka_warmup: millis(100),
        ottla_warmup: millis(100),
        span: Span { ramp: millis(50), measured: millis(200), bytes_max: 100_000_000 },
        divisor: 100,
        fills_memory: false,
    };

    /// A part of an amount, at least one.
    pub fn part(&self, of: usize) -> usize {
        (of / self.divisor).max(1)
    }

    /// The span of a warm-up: all of it counts, nobody looks.
    pub fn warmup(&self, against: Against) -> Span {
        let measured = match against {
            Against::Kafka => self.kafka_warmup,
            Against::Ottla => self.ottla_warmup,
        };
        Span { ramp: Duration::ZERO, measured, bytes_max: self.span.bytes_max }
    }
}

/// The figures that one measurement brings, each for a row of the table.
pub type Rows = Vec<(&'static str, Measured)>;

/// One measurement on a running broker, as often as it is asked for.
pub type Bout = Box<dyn FnMut(&dyn Broker, Span) -> Outcome<Rows>>;

/// One of those that take turns.
pub struct Side {
    pub against: Against,
    pub broker: Box<dyn Broker>,
    pub bout: Bout,
    /// What warms the broker up, where the measured load is too thin to do it.
    pub warmer: Option<Bout>,
}

/// Starts a broker; deleted files go at once, so that a run needs little disk.
pub fn start(against: Against, overrides: &[&str]) -> Outcome<Box<dyn Broker>> {
    let mut options = BrokerOptions::with(&["log.segment.delete.delay.ms=10"]);
    options.overrides.extend(overrides.iter().map(|pair| (*pair).to_owned()));
    broker::start(against, &options)
}

/// Creates a topic and waits until each of its partitions is led.
pub fn create_topic(broker: &dyn Broker, topic: &str, partitions: i32) -> Outcome<()> {
    let mut connection = Connection::open(broker.bootstrap(), PATIENCE)?;
    connection.create_topic(topic, partitions, &[])?;
    for partition in 0..partitions {
        connection.list_offset(topic, partition, -1)?;
    }
    Ok(())
}

/// Deletes a topic and waits until its files are gone.
pub fn delete_topic(broker: &dyn Broker, topic: &str) -> Outcome<()> {
    Connection::open(broker.bootstrap(), PATIENCE)?.delete_topic(topic)?;
    machine::until_gone(broker.log_dir(), topic)
}

/// The topic of those workloads that need but one.
pub const TOPIC: &str = "bench";

/// Runs clients against a broker.
pub fn drive(broker: &dyn Broker, clients: Vec<Client>, span: Span) -> Outcome<Load> {
    load::run(broker.bootstrap(), broker.pid(), clients, span)
}

/// Adds the most memory that the broker ever held.
pub fn with_peak(measured: Measured, broker: &dyn Broker) -> Outcome<Measured> {
    Ok(measured.with(Figure::MemoryMib, memory_mib(broker.pid(), "VmHWM")?))
}

/// A topic with batches of one size in every partition, and how to read it.
#[derive(Debug, Clone)]
pub struct Filled {
    topic: String,
    pub batches: Batches,
    pub end_offset: i64,
}

impl Filled {
    pub const RECORDS: usize = 64;
    pub const VALUE_BYTES: usize = 1_010;
    /// So many of 64 KiB are a gigabyte in four partitions.
    pub const GIGABYTE: usize = 3_815;
    /// What one fetch takes.
    pub const FETCHED_BATCHES: usize = 15;

    /// A topic that has nothing in it yet.
    pub fn empty(topic: &str) -> Self {
        let bytes = frames::batch(Self::RECORDS, Self::VALUE_BYTES).len();
        let records = i64::try_from(Self::RECORDS).unwrap_or(0);
        Self { topic: topic.to_owned(), batches: Batches { bytes, records }, end_offset: 0 }
    }

    pub fn fetch(&self, partition: i32) -> FetchFrame {
        let bytes_max = i32::try_from(self.batches.bytes * Self::FETCHED_BATCHES).unwrap_or(i32::MAX);
        FetchFrame::new(&self.topic, partition, bytes_max, 500)
    }
}

/// Puts so many batches of 64 KiB into each of the partitions of a topic.
pub fn fill(broker: &dyn Broker, topic: &str, partitions: i32, batches: usize) -> Outcome<Filled> {
    let batch = frames::batch(Filled::RECORDS, Filled::VALUE_BYTES);
    for partition in 0..partitions {
        load::pump(broker.bootstrap(), &[frames::produce(topic, partition, 1, &batch)], batches)?;
    }
    let filled = Filled::empty(topic);
    let end_offset = i64::try_from(batches).unwrap_or(0) * filled.batches.records;
    Ok(Filled { end_offset, ..filled })
}
