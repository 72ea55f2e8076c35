//! What grows and must not make the broker dearer: partitions, the log, requests in flight. Ottla alone.
//! Shell: starts brokers, drives them.

use super::clients::Client;
use super::frames::{self, FetchFrame, Frame};
use super::lifecycle::{create_partitions, topic_name};
use super::load::{Span, pump};
use super::machine::free_disk_gb;
use super::scene::{
    Bout, Filled, Rows, Scale, Side, TOPIC, create_topic, delete_topic, drive, fill, start, with_peak,
};
use super::table::{Figure, Measured};
use super::workloads::with_fresh_topic;
use crate::broker::{Against, Broker};
use crate::failure::{Outcome, fail};

const CONNECTIONS: usize = 4;
const WINDOW: usize = 4;
/// The requests that a connection sends in turn, each to a partition of its own where there are enough.
const FRAMES: usize = 64;

/// Nothing but Ottla takes part; asked for Kafka alone there is nothing to do.
fn takes_part(of: &[Against]) -> bool {
    of.contains(&Against::Ottla)
}

fn side(broker: Box<dyn Broker>, bout: Bout) -> Side {
    Side { against: Against::Ottla, broker, bout, warmer: None }
}

/// The same load on one partition of one, and on 256 of ten thousand.
pub fn partitions(scale: &Scale, of: &[Against]) -> Outcome<Vec<Side>> {
    if !takes_part(of) {
        return Ok(Vec::new());
    }
    let topics = scale.part(100);
    let few = with_fresh_topic("growth-1-partition", 1, |broker, topic, span| {
        rotate("growth-1-partition", broker, span, |_| (topic.to_owned(), 0))
    });
    let first = side(start(Against::Ottla, &[])?, few);
    let broker = start(Against::Ottla, &[])?;
    create_partitions(broker.as_ref(), topics)?;
    let many: Bout = Box::new(move |broker, span| {
        // Spread over all topics; what is written stays, and is deleted with all its topics afterwards.
        let rows = rotate("growth-10000-partitions", broker, span, |index| {
            let partition = index * 39 % (topics * 100);
            (topic_name(partition / 100), i32::try_from(partition % 100).unwrap_or(0))
        })?;
        for topic in 0..topics {
            delete_topic(broker, &topic_name(topic))?;
        }
        create_partitions(broker, topics)?;
        Ok(rows)
    });
    Ok(vec![first, side(broker, many)])
}

fn rotate(
    row: &'static str,
    broker: &dyn Broker,
    span: Span,
    place: impl Fn(usize) -> (String, i32),
) -> Outcome<Rows> {
    let batch = frames::batch(Filled::RECORDS, Filled::VALUE_BYTES);
    let frames_of = |connection: usize| -> Vec<Frame> {
        let frame = |index: usize| {
            let (topic, partition) = place(connection * FRAMES + index);
            frames::produce(&topic, partition, 1, &batch)
        };
        (0..FRAMES).map(frame).collect()
    };
    let mut clients = Vec::new();
    for connection in 0..CONNECTIONS {
        let frames = frames_of(connection);
        // The first append to a partition makes its files; that is no part of the cost of a gigabyte.
        pump(broker.bootstrap(), &frames, FRAMES)?;
        clients.push(Client::Rotate { frames, window: WINDOW });
    }
    let load = drive(broker, clients, span)?;
    Ok(vec![(row, with_peak(Measured::of_bytes(&load), broker)?)])
}

/// The same load on an empty log and on one of 50 GB, or as much as the disk has room for.
pub fn log(scale: &Scale, of: &[Against]) -> Outcome<Vec<Side>> {
    /// What stays free for everything else.
    const RESERVE_GB: u64 = 15;
    if !takes_part(of) {
        return Ok(Vec::new());
    }
    let room = usize::try_from(free_disk_gb()?.saturating_sub(RESERVE_GB)).unwrap_or(0).min(50);
    if room == 0 {
        return fail("the disk has no room for a large log");
    }
    let small = with_fresh_topic("growth-empty-log", 4, |broker, topic, span| {
        rotate("growth-empty-log", broker, span, |index| {
            (topic.to_owned(), i32::try_from(index / FRAMES).unwrap_or(0))
        })
    });
    let first = side(start(Against::Ottla, &[])?, small);
    let broker = start(Against::Ottla, &[])?;
    create_topic(broker.as_ref(), TOPIC, 4)?;
    fill(broker.as_ref(), TOPIC, 4, scale.part(room * Filled::GIGABYTE))?;
    let gigabytes = room as f64 / scale.divisor as f64;
    let large: Bout = Box::new(move |broker, span| {
        let rows = rotate("growth-50gb-log", broker, span, |index| {
            (TOPIC.to_owned(), i32::try_from(index / FRAMES).unwrap_or(0))
        })?;
        Ok(rows
            .into_iter()
            .map(|(row, measured)| (row, measured.with(Figure::LogGigabytes, gigabytes)))
            .collect())
    });
    Ok(vec![first, side(broker, large)])
}

/// Many connections with many megabytes each asked for and sent at once; nobody hurries to read.
pub fn memory_budget(against: Against, scale: &Scale) -> Outcome<Rows> {
    const PRODUCERS: usize = 100;
    const CONSUMERS: usize = 100;
    const FETCHED_BYTES: i32 = 50 << 20;
    let broker = start(against, &[])?;
    create_topic(broker.as_ref(), TOPIC, 4)?;
    fill(broker.as_ref(), TOPIC, 4, scale.part(1_000))?;
    let batch = frames::batch(900, Filled::VALUE_BYTES);
    let mut clients = Vec::new();
    for index in 0..scale.part(PRODUCERS) {
        let frame = frames::produce(TOPIC, i32::try_from(index % 4).unwrap_or(0), -1, &batch);
        clients.push(Client::Repeat { frame, window: 8 });
    }
    for index in 0..scale.part(CONSUMERS) {
        let partition = i32::try_from(index % 4).unwrap_or(0);
        clients
            .push(Client::Gulp { fetch: FetchFrame::new(TOPIC, partition, FETCHED_BYTES, 500), window: 8 });
    }
    let span = Span { bytes_max: scale.span.bytes_max.saturating_mul(16), ..scale.span };
    let load = drive(broker.as_ref(), clients, span)?;
    Ok(vec![("memory-budget", with_peak(Measured::of_bytes(&load), broker.as_ref())?)])
}
