//! Whether a byte quota holds: clients that never rest by themselves, against a bound that the broker knows.
//! Shell: starts brokers, drives them.

use std::time::Duration;

use super::clients::Client;
use super::frames;
use super::load::{self, Span};
use super::scene::{Filled, PATIENCE, Rows, Scale, TOPIC, create_topic, fill, start};
use super::table::{Figure, Measured};
use super::workloads::{BIG, Shape, producers};
use crate::broker::Against;
use crate::failure::{Failure, Outcome, fail};
use crate::wire::{Answer, Body, Connection};

const ALTER_CLIENT_QUOTAS: i16 = 49;
const BYTES_PER_SECOND: f64 = 10e6;
/// What is sampled: after so long the first burst, which no quota stops, is out of sight.
const WINDOW: Duration = Duration::from_secs(11);
/// Whole windows, so that it does not count where in one of them a span begins.
const MEASURED_WINDOWS: u32 = 3;
const CONNECTIONS: usize = 2;

/// AlterClientQuotas v0 for the client id of all frames here.
fn limit(bootstrap: &str) -> Outcome<()> {
    let op = |body: Body, key: &str| {
        body.string(key).i64(i64::from_be_bytes(BYTES_PER_SECOND.to_be_bytes())).i8(0)
    };
    let body = Body::default().i32(1).i32(1).string("client-id").string(frames::CLIENT_ID).i32(2);
    let body = op(op(body, "producer_byte_rate"), "consumer_byte_rate").i8(0);
    let answer = Connection::open(bootstrap, PATIENCE)?.ask(ALTER_CLIENT_QUOTAS, 0, body)?;
    let mut answer = Answer(&answer);
    let (_throttle_ms, _count) = (answer.i32()?, answer.i32()?);
    match (answer.i16()?, answer.string()?) {
        (0, _) => Ok(()),
        (code, message) => {
            fail(format!("AlterClientQuotas answered error {code}, {}", message.unwrap_or_default()))
        }
    }
}

/// Producers and consumers at once, each kind held to its own bound.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
pub fn run(against: Against, scale: &Scale) -> Outcome<Rows> {
    const PARTITIONS: i32 = 2;
    let broker = start(against, &[])?;
    create_topic(broker.as_ref(), TOPIC, PARTITIONS)?;
    let filled = fill(broker.as_ref(), TOPIC, PARTITIONS, Filled::FETCHED_BATCHES)?;
    create_topic(broker.as_ref(), "written", PARTITIONS)?;
    limit(broker.bootstrap())?;
    let shape = Shape { connections: CONNECTIONS, partitions: PARTITIONS, ..BIG };
    // The same records over and over: an answer without any is no error, its client was to rest.
    let consumers = (0..PARTITIONS).map(|index| {
        let mut fetch = filled.fetch(index);
        fetch.frame.error_position = None;
        Client::Gulp { fetch, window: 1 }
    });
    let loads = [("quota-produce", producers("written", shape)), ("quota-fetch", consumers.collect())];
    let span = span(scale);
    let (bootstrap, pid) = (broker.bootstrap(), broker.pid());
    std::thread::scope(|scope| {
        let threads =
            loads.map(|(row, clients)| (row, scope.spawn(move || load::run(bootstrap, pid, clients, span))));
        let rows = threads.map(|(row, thread)| {
            let load = thread.join().map_err(|_| Failure("a load panicked".to_owned()))??;
            let rate = load.bytes as f64 / 1e6 / load.seconds;
            Ok((row, Measured::default().with(Figure::MegabytesPerSecond, rate)))
        });
        rows.into_iter().collect()
    })
}

/// A short run says only whether anything errs.
fn span(scale: &Scale) -> Span {
    let (ramp, measured) = match scale.divisor {
        1 => (WINDOW, WINDOW * MEASURED_WINDOWS),
        2..=10 => (WINDOW, WINDOW),
        _ => (scale.span.ramp, scale.span.measured),
    };
    Span { ramp, measured, bytes_max: u64::MAX }
}
