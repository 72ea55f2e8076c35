//! The workloads by name, and the loads among them: what each sends while the brokers take turns.
//! Shell: drives brokers.

use std::time::Duration;

use super::clients::Client;
use super::frames::{self, Frame};
use super::load::{self, Batches, Span};
use super::scene::{
    Bout, Filled, PATIENCE, Rows, Scale, Side, TOPIC, create_topic, delete_topic, drive, fill, start,
    with_peak,
};
use super::secure::{self, Key};
use super::table::Measured;
use super::transactions::{self, Library};
use super::{
    churn, cleaner, cluster, consumer_groups, foreign, groups, growth, lifecycle, parked, quotas, scrape,
};
use crate::broker::{Against, Broker};
use crate::failure::{Outcome, fail};
use crate::wire::{Answer, Body, Connection};

/// How often an event is measured on a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// As often as everything else.
    Rounds,
    Once,
    Never,
}

/// How a workload is measured.
#[derive(Debug)]
pub enum Kind {
    /// All sides are up at once and take turns.
    Turns(fn(&Scale, &[Against]) -> Outcome<Vec<Side>>),
    /// Something that happens to a broker of its own.
    Event { run: fn(Against, &Scale) -> Outcome<Rows>, on_kafka: Times, on_ottla: Times },
}

/// One load or event that the brokers are put through.
#[derive(Debug)]
pub struct Workload {
    pub name: &'static str,
    /// Too long or too large to be run unless it is asked for.
    pub named_only: bool,
    pub kind: Kind,
}

const fn turns(name: &'static str, sides: fn(&Scale, &[Against]) -> Outcome<Vec<Side>>) -> Workload {
    Workload { name, named_only: false, kind: Kind::Turns(sides) }
}

const fn event(
    name: &'static str,
    on_kafka: Times,
    on_ottla: Times,
    run: fn(Against, &Scale) -> Outcome<Rows>,
) -> Workload {
    Workload { name, named_only: false, kind: Kind::Event { run, on_kafka, on_ottla } }
}

use Times::{Never, Once, Rounds};

pub const WORKLOADS: &[Workload] = &[
    turns("produce-64k", |_, of| sides(of, &[], |_| Ok(producing("produce-64k", BIG)))),
    turns("produce-100x100", |_, of| sides(of, &[], |_| Ok(producing("produce-100x100", MIDDLE)))),
    turns("produce-tiny", |_, of| sides(of, &[], |_| Ok(producing("produce-tiny", TINY)))),
    turns("acks-all-64k", |_, of| {
        sides(of, SYNCED, |_| Ok(producing("acks-all-64k", Shape { acks: -1, ..BIG })))
    }),
    turns("acks-all-64k-kafka-unsynced", |_, of| {
        let all = Shape { acks: -1, ..BIG };
        sides(of, &[], move |_| Ok(producing("acks-all-64k-kafka-unsynced", all)))
    }),
    turns("acks-all-64-producers", |_, of| {
        let alone = Shape { acks: -1, records: 1, window: 1, connections: 64, partitions: 8, ..BIG };
        sides(of, SYNCED, move |_| Ok(producing("acks-all-64-producers", alone)))
    }),
    turns("fetch-hot-1", |scale, of| fetch_hot("fetch-hot-1", scale, of, 1, false)),
    turns("fetch-hot-4", |scale, of| fetch_hot("fetch-hot-4", scale, of, 4, false)),
    turns("fetch-hot-16", |scale, of| fetch_hot("fetch-hot-16", scale, of, 16, false)),
    turns("fetch-hot-4-discarded", |scale, of| fetch_hot("fetch-hot-4-discarded", scale, of, 4, true)),
    turns("fetch-cold", lifecycle::fetch_cold),
    turns("produce-and-tail", |_, of| sides(of, &[], |_| Ok(produce_and_tail()))),
    turns("storm-metadata", |_, of| storm("storm-metadata", of, |_| Ok(frames::metadata(TOPIC)))),
    turns("storm-api-versions", |_, of| storm("storm-api-versions", of, |_| Ok(frames::api_versions()))),
    turns("storm-offset-commit", |_, of| {
        storm("storm-offset-commit", of, |_| Ok(frames::offset_commit("bench-commits", TOPIC)))
    }),
    turns("storm-heartbeat", |_, of| storm("storm-heartbeat", of, member)),
    turns("open-loop-1k", |_, of| open_loop("open-loop-1k", "open-loop-1k-e2e", of, 1_000)),
    turns("open-loop-10k", |_, of| open_loop("open-loop-10k", "open-loop-10k-e2e", of, 10_000)),
    turns("group-500-members", groups::sides_of),
    turns("parked-2000-consumers", parked::sides_of),
    turns("kafka-producer-perf-test", foreign::producer_perf),
    turns("kafka-consumer-perf-test", foreign::consumer_perf),
    turns("kafka-e2e-latency", foreign::end_to_end_latency),
    turns("rdkafka-performance-produce", foreign::rdkafka_produce),
    turns("rdkafka-performance-consume", foreign::rdkafka_consume),
    turns("transactions-java-1", |_, of| {
        transactions::rate("transactions-java-1", Library::Java, 1, SYNCED, of)
    }),
    turns("transactions-java-3", |_, of| {
        transactions::rate("transactions-java-3", Library::Java, 3, SYNCED, of)
    }),
    turns("transactions-rdkafka-1", |_, of| {
        transactions::rate("transactions-rdkafka-1", Library::Librdkafka, 1, SYNCED, of)
    }),
    turns("transactions-rdkafka-3", |_, of| {
        transactions::rate("transactions-rdkafka-3", Library::Librdkafka, 3, SYNCED, of)
    }),
    turns("transactions-rdkafka-3-kafka-unsynced", |_, of| {
        transactions::rate("transactions-rdkafka-3-kafka-unsynced", Library::Librdkafka, 3, &[], of)
    }),
    turns("rdkafka-consume-min-1mib", foreign::rdkafka_consume_large),
    turns("growth-partitions", growth::partitions),
    Workload { named_only: true, ..turns("growth-50gb", growth::log) },
    event("memory-budget", Never, Rounds, growth::memory_budget),
    event("log-cleaner", Once, Once, cleaner::run),
    event("partitions-10000", Once, Rounds, |against, scale| {
        lifecycle::partitions("partitions-10000", against, scale, 100)
    }),
    event("partitions-100000", Never, Once, |against, scale| {
        lifecycle::partitions("partitions-100000", against, scale, 1_000)
    }),
    event("consumer-group", Once, Rounds, consumer_groups::run),
    event("start-empty", Rounds, Rounds, lifecycle::start_empty),
    event("start-clean-1gb", Once, Rounds, lifecycle::start_clean),
    event("kill-1gb", Once, Rounds, lifecycle::kill_with_data),
    event("kill-11000-partitions", Once, Rounds, lifecycle::kill_with_partitions),
    event("idle-memory", Once, Rounds, lifecycle::idle_memory),
    event("churn-100000", Never, Once, churn::run),
    event("groups-one-offset", Never, Once, churn::groups_with_one_offset),
    event("metrics-10000-groups", Never, Rounds, scrape::run),
    turns("cluster-produce-64k", cluster::produce),
    turns("cluster-open-loop-1k", cluster::open_loop),
    event("cluster-10000", Once, Rounds, cluster::partitions),
    event("cluster-return-1gb", Once, Rounds, cluster::node_returns),
    Workload { named_only: true, ..event("cluster-100000", Never, Once, cluster::many_partitions) },
    event("connections-5000", Rounds, Rounds, lifecycle::connections),
    turns("produce-64k-tls", secure::produce),
    turns("fetch-hot-1-tls", |scale, of| secure::fetch("fetch-hot-1-tls", scale, of, 1)),
    turns("fetch-hot-8-tls", |scale, of| secure::fetch("fetch-hot-8-tls", scale, of, 8)),
    turns("tls-handshakes-ecdsa", |_, of| secure::handshakes("tls-handshakes-ecdsa", of, Key::Ecdsa)),
    turns("tls-handshakes-rsa", |_, of| secure::handshakes("tls-handshakes-rsa", of, Key::Rsa)),
    event("connections-5000-tls", Rounds, Rounds, secure::connections),
    turns("scram-logins", secure::logins),
    event("quota-10mb", Once, Once, quotas::run),
];

const SYNCED: &[&str] = &["log.flush.interval.messages=1"];

/// What a producing load looks like.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub acks: i16,
    pub records: usize,
    pub value_bytes: usize,
    pub connections: usize,
    pub partitions: i32,
    /// Requests of one connection on their way at once.
    pub window: usize,
}

/// 64 KiB of records of 1 KiB, on four connections to four partitions.
pub const BIG: Shape = Shape {
    acks: 1,
    records: Filled::RECORDS,
    value_bytes: Filled::VALUE_BYTES,
    connections: 4,
    partitions: 4,
    window: 4,
};
const MIDDLE: Shape = Shape { records: 100, value_bytes: 100, window: 16, ..BIG };
const TINY: Shape = Shape { records: 1, value_bytes: 100, window: 64, ..BIG };

/// The same bout on each broker, prepared on each.
pub fn sides(
    of: &[Against],
    overrides: &[&str],
    prepare: impl Fn(&dyn Broker) -> Outcome<Bout>,
) -> Outcome<Vec<Side>> {
    let side = |against: &Against| {
        let broker = start(*against, overrides)?;
        let bout = prepare(broker.as_ref())?;
        Ok(Side { against: *against, broker, bout, warmer: None })
    };
    of.iter().map(side).collect()
}

pub fn producers(topic: &str, shape: Shape) -> Vec<Client> {
    let batch = frames::batch(shape.records, shape.value_bytes);
    (0..shape.connections)
        .map(|index| {
            let partition = i32::try_from(index).unwrap_or(0) % shape.partitions;
            let frame = frames::produce(topic, partition, shape.acks, &batch);
            Client::Repeat { frame, window: shape.window }
        })
        .collect()
}

/// Each bout has a topic of its own, which is deleted after it.
pub fn with_fresh_topic(
    row: &'static str,
    partitions: i32,
    mut bout: impl FnMut(&dyn Broker, &str, Span) -> Outcome<Rows> + 'static,
) -> Bout {
    let mut serial = 0;
    Box::new(move |broker, span| {
        serial += 1;
        let topic = format!("{row}-{serial:03}");
        create_topic(broker, &topic, partitions)?;
        let rows = bout(broker, &topic, span)?;
        delete_topic(broker, &topic)?;
        Ok(rows)
    })
}

fn producing(row: &'static str, shape: Shape) -> Bout {
    with_fresh_topic(row, shape.partitions, move |broker, topic, span| {
        let load = drive(broker, producers(topic, shape), span)?;
        let few = shape.records == 1;
        let measured = if few { Measured::of_requests(&load) } else { Measured::of_bytes(&load) };
        Ok(vec![(row, with_peak(measured, broker)?)])
    })
}

fn fetch_hot(
    row: &'static str,
    scale: &Scale,
    of: &[Against],
    consumers: i32,
    discards: bool,
) -> Outcome<Vec<Side>> {
    const PARTITIONS: i32 = 4;
    sides(of, &[], |broker| {
        create_topic(broker, TOPIC, PARTITIONS)?;
        let filled = fill(broker, TOPIC, PARTITIONS, scale.part(2_000))?;
        Ok(Box::new(move |broker, span| {
            let reader = |index: i32| Client::Reader {
                fetch: filled.fetch(index % PARTITIONS),
                batches: filled.batches,
                end_offset: filled.end_offset,
                discards,
            };
            let span = Span { bytes_max: u64::MAX, ..span };
            let load = drive(broker, (0..consumers).map(reader).collect(), span)?;
            Ok(vec![(row, with_peak(Measured::of_bytes(&load), broker)?)])
        }))
    })
}

fn produce_and_tail() -> Bout {
    const ROW: &str = "produce-and-tail";
    let shape = Shape { connections: 1, partitions: 1, ..BIG };
    with_fresh_topic(ROW, 1, move |broker, topic, span| {
        let (mut clients, filled) = (producers(topic, shape), Filled::empty(topic));
        clients.extend((0..3).map(|_| Client::Tail { fetch: filled.fetch(0), batches: filled.batches }));
        // Most of what moves is read.
        let load = drive(broker, clients, Span { bytes_max: span.bytes_max.saturating_mul(4), ..span })?;
        Ok(vec![(ROW, with_peak(Measured::of_bytes(&load), broker)?)])
    })
}

fn storm(row: &'static str, of: &[Against], frame: fn(&dyn Broker) -> Outcome<Frame>) -> Outcome<Vec<Side>> {
    sides(of, &[], |broker| {
        create_topic(broker, TOPIC, 4)?;
        // Asking for the coordinator is what makes the topic of the offsets.
        let mut connection = Connection::open(broker.bootstrap(), PATIENCE)?;
        connection.ask(10, 0, Body::default().string("bench-commits"))?;
        let frame = frame(broker)?;
        load::until_answered(broker.bootstrap(), &frame, PATIENCE)?;
        Ok(Box::new(move |broker, span| {
            let clients = (0..4).map(|_| Client::Repeat { frame: frame.clone(), window: 64 }).collect();
            let load = drive(broker, clients, Span { bytes_max: u64::MAX, ..span })?;
            Ok(vec![(row, with_peak(Measured::of_requests(&load), broker)?)])
        }))
    })
}

/// A group of one member, whose heartbeats are sent.
pub fn member(broker: &dyn Broker) -> Outcome<Frame> {
    const GROUP: &str = "bench-beats";
    load::until_answered(broker.bootstrap(), &frames::offset_commit("bench-first", TOPIC), PATIENCE)?;
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

/// A schedule of records and a consumer that reads along. So thin a load would leave a JVM cold: it is warmed up by one
/// that sends as fast as it can.
fn open_loop(
    row: &'static str,
    end_to_end_row: &'static str,
    of: &[Against],
    per_second: u32,
) -> Outcome<Vec<Side>> {
    let mut sides = sides(of, &[], |_| Ok(paced(row, end_to_end_row, per_second)))?;
    for side in &mut sides {
        side.warmer = Some(with_fresh_topic("warm-up", 1, |broker, topic, span| {
            let shape = Shape { connections: 2, partitions: 1, window: 4, ..TINY };
            let (mut clients, filled) = (producers(topic, shape), Filled::empty(topic));
            clients.push(Client::Tail { fetch: filled.fetch(0), batches: one_record() });
            drive(broker, clients, span)?;
            Ok(Vec::new())
        }));
    }
    Ok(sides)
}

fn one_record() -> Batches {
    Batches { bytes: frames::batch(1, TINY.value_bytes).len(), records: 1 }
}

fn paced(row: &'static str, end_to_end_row: &'static str, per_second: u32) -> Bout {
    with_fresh_topic(row, 1, move |broker, topic, span| {
        let frame = frames::produce(topic, 0, 1, &frames::batch(1, TINY.value_bytes));
        let reader = Some((Filled::empty(topic).fetch(0), one_record()));
        let load = drive(broker, vec![Client::Paced { frame, per_second, reader }], span)?;
        let measured = with_peak(Measured::of_requests(&load), broker)?;
        Ok(vec![(row, measured), (end_to_end_row, Measured::default().with_latency(&load.end_to_end))])
    })
}
