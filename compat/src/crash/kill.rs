//! `kill -9` under load, again and again: what was acknowledged is there once, in order, and served the same each time.
//! Shell: producers and readers on threads, the broker's process, the clock.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::broker::Broker;
use crate::crash::batch::{self, Origin};
use crate::crash::dice::Dice;
use crate::failure::{Failure, Outcome, fail};
use crate::places::now_ms;
use crate::requests::{DUPLICATE_SEQUENCE_NUMBER, NO_ERROR, asks_for_another_try};
use crate::wire::Connection;

pub const PARTITION_COUNT: usize = 4;
const PRODUCER_COUNT: usize = 4;
const BATCH_RECORDS_MAX: usize = 20;
const VALUE_BYTES_MAX: usize = 200;
const TOPIC: &str = "crash-kill";
/// The longest that producers may take to have everything acknowledged once the killing ended.
const SETTLE_LIMIT: Duration = Duration::from_secs(60);
const RECONNECT_PAUSE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(30);

/// What producers and readers share with the one who kills.
struct Stage {
    bootstrap: String,
    /// No new batches; what is on its way is still seen through.
    settle: AtomicBool,
    /// Everything is over, or something failed.
    stop: AtomicBool,
    acknowledged_records: AtomicU64,
    resent_batches: AtomicU64,
}

/// What one producer had acknowledged: the number of its records in each partition.
type Acknowledged = [u64; PARTITION_COUNT];

/// Runs all rounds and the final count; the text is for a person.
pub fn run(broker: &mut dyn Broker, rounds: u32, seed: u64) -> Outcome<String> {
    Connection::open(broker.bootstrap(), PATIENCE)?.create_topic(TOPIC, PARTITION_COUNT as i32, &[])?;
    let stage = Stage {
        bootstrap: broker.bootstrap().to_owned(),
        settle: AtomicBool::new(false),
        stop: AtomicBool::new(false),
        acknowledged_records: AtomicU64::new(0),
        resent_batches: AtomicU64::new(0),
    };
    let (killed, producers, read) = std::thread::scope(|scope| {
        let stage = &stage;
        let producers: Vec<_> = (0..PRODUCER_COUNT)
            .map(|number| scope.spawn(move || stop_on_failure(stage, || produce(stage, number, seed))))
            .collect();
        let reader = scope.spawn(move || stop_on_failure(stage, || read_along(stage)));
        let killed = kill_repeatedly(broker, stage, rounds, &mut Dice::new(seed));
        stage.settle.store(true, Ordering::SeqCst);
        if killed.is_err() {
            stage.stop.store(true, Ordering::SeqCst);
        }
        let producers: Vec<_> = producers.into_iter().map(|producer| joined(producer.join())).collect();
        stage.stop.store(true, Ordering::SeqCst);
        (killed, producers, joined(reader.join()))
    });
    let acknowledged = producers.into_iter().collect::<Outcome<Vec<Acknowledged>>>()?;
    killed?;
    let stored = read_all(&stage.bootstrap)?;
    check_stored(&acknowledged, &stored)?;
    check_read(&read?, &stored)?;
    let stored_count: usize = stored.iter().map(Vec::len).sum();
    Ok(format!(
        "{rounds} kills: {} records acknowledged to {PRODUCER_COUNT} producers, {stored_count} stored in \
         {PARTITION_COUNT} partitions, none lost, none twice, all in order ({} batches were sent again)",
        stage.acknowledged_records.load(Ordering::Relaxed),
        stage.resent_batches.load(Ordering::Relaxed)
    ))
}

fn joined<T>(result: std::thread::Result<Outcome<T>>) -> Outcome<T> {
    result.unwrap_or_else(|_| fail("a thread of the test panicked"))
}

fn stop_on_failure<T>(stage: &Stage, action: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    let outcome = action();
    if outcome.is_err() {
        stage.stop.store(true, Ordering::SeqCst);
    }
    outcome
}

fn kill_repeatedly(broker: &mut dyn Broker, stage: &Stage, rounds: u32, dice: &mut Dice) -> Outcome<()> {
    for round in 1..=rounds {
        // Each round must be one: something was acknowledged since the last start.
        let before = stage.acknowledged_records.load(Ordering::Relaxed);
        let deadline = Instant::now() + PATIENCE;
        while stage.acknowledged_records.load(Ordering::Relaxed) == before {
            if stage.stop.load(Ordering::SeqCst) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return fail(format!(
                    "round {round}: nothing is acknowledged any more\n{}",
                    broker.last_output(20)
                ));
            }
            std::thread::sleep(RECONNECT_PAUSE);
        }
        std::thread::sleep(Duration::from_micros(dice.between(0, 400_000) as u64));
        broker.kill9()?;
        broker.restart()?;
        if round.is_multiple_of(10) || round == rounds {
            let count = stage.acknowledged_records.load(Ordering::Relaxed);
            println!("  {round} of {rounds} kills, {count} records acknowledged");
        }
    }
    Ok(())
}

/// A connection as soon as there is one; `None` when the run ended before.
fn connect(stage: &Stage) -> Option<Connection> {
    while !stage.stop.load(Ordering::SeqCst) {
        if let Ok(connection) = Connection::open(&stage.bootstrap, PATIENCE) {
            return Some(connection);
        }
        std::thread::sleep(RECONNECT_PAUSE);
    }
    None
}

/// A batch on its way: kept until it is acknowledged, and sent again in the same words after a crash.
struct Pending {
    partition: usize,
    bytes: Vec<u8>,
    record_count: u64,
}

/// One idempotent producer: a batch to each partition in one go, then the four answers, over and over.
fn produce(stage: &Stage, number: usize, seed: u64) -> Outcome<Acknowledged> {
    let mut dice = Dice::new(seed ^ ((number as u64 + 1) << 32));
    let mut acknowledged: Acknowledged = [0; PARTITION_COUNT];
    let (producer_id, producer_epoch) = loop {
        let Some(mut connection) = connect(stage) else { return Ok(acknowledged) };
        if let Ok(identity) = connection.init_producer_id() {
            break identity;
        }
    };
    let mut connection = None;
    let mut pending: Vec<Pending> = Vec::new();
    let mut settle_deadline = None;
    while !stage.stop.load(Ordering::SeqCst) {
        if pending.is_empty() {
            if stage.settle.load(Ordering::SeqCst) {
                break;
            }
            pending = (0..PARTITION_COUNT)
                .map(|partition| {
                    let first = acknowledged[partition];
                    let record_count = dice.between(1, BATCH_RECORDS_MAX) as u64;
                    let values: Vec<Vec<u8>> = (first..first + record_count)
                        .map(|serial| value(number, partition, serial, dice.between(0, VALUE_BYTES_MAX)))
                        .collect();
                    let base_sequence = i32::try_from(first).unwrap_or(i32::MAX);
                    let origin = Origin { producer_id, producer_epoch, base_sequence };
                    Pending { partition, bytes: batch::write(&values, origin, now_ms()), record_count }
                })
                .collect();
        }
        if stage.settle.load(Ordering::SeqCst)
            && Instant::now() > *settle_deadline.get_or_insert_with(|| Instant::now() + SETTLE_LIMIT)
        {
            return fail("a batch is still not acknowledged long after the last crash");
        }
        if connection.is_none() {
            connection = connect(stage);
        }
        let Some(open) = connection.as_mut() else { break };
        if send_and_settle(open, stage, &mut pending, &mut acknowledged)?.is_err() {
            connection = None;
            stage.resent_batches.fetch_add(pending.len() as u64, Ordering::Relaxed);
        }
    }
    Ok(acknowledged)
}

/// The outer result is a broken promise of the broker; the inner one a connection that ended, which is what crashes do.
fn send_and_settle(
    connection: &mut Connection,
    stage: &Stage,
    pending: &mut Vec<Pending>,
    acknowledged: &mut Acknowledged,
) -> Outcome<Outcome<()>> {
    let sent_count = pending.len();
    for batch in pending.iter() {
        let partition = i32::try_from(batch.partition).unwrap_or(-1);
        if let Err(failure) = connection.send_produce(TOPIC, partition, &batch.bytes) {
            return Ok(Err(failure));
        }
    }
    let mut unsettled = Vec::new();
    for index in 0..sent_count {
        let answer = match connection.receive_produce() {
            Ok(answer) => answer,
            Err(failure) => {
                // What was answered before the end is settled; the rest stays pending.
                unsettled.extend(pending.drain(..).skip(index));
                *pending = unsettled;
                return Ok(Err(failure));
            }
        };
        let batch = &pending[index];
        match answer.error_code {
            NO_ERROR | DUPLICATE_SEQUENCE_NUMBER => {
                acknowledged[batch.partition] += batch.record_count;
                stage.acknowledged_records.fetch_add(batch.record_count, Ordering::Relaxed);
            }
            // A broker that has just started may not lead yet: both answers ask for another try.
            code if asks_for_another_try(code) => unsettled.push(Pending {
                partition: batch.partition,
                bytes: batch.bytes.clone(),
                record_count: batch.record_count,
            }),
            code => {
                return fail(format!(
                    "partition {}: a batch was refused with error {code}: {}",
                    batch.partition,
                    answer.error_message.unwrap_or_default()
                ));
            }
        }
    }
    *pending = unsettled;
    Ok(Ok(()))
}

fn value(producer: usize, partition: usize, serial: u64, padding: usize) -> Vec<u8> {
    format!("{producer}:{partition}:{serial}:{}", "x".repeat(padding)).into_bytes()
}

/// Whose record it is: producer and serial number.
type Identity = (usize, u64);

fn identity(partition: usize, value: &[u8]) -> Outcome<Identity> {
    let text = String::from_utf8_lossy(value);
    let mut words = text.split(':');
    let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
    match (number(), number(), number()) {
        (Some(producer), Some(home), Some(serial)) if home == partition as u64 => {
            Ok((usize::try_from(producer).unwrap_or(usize::MAX), serial))
        }
        _ => fail(format!("partition {partition} holds a record that is not its own: {text}")),
    }
}

/// Reads all partitions while brokers come and go; each goes on where it stopped.
fn read_along(stage: &Stage) -> Outcome<Vec<Vec<Identity>>> {
    let mut read: Vec<Vec<Identity>> = vec![Vec::new(); PARTITION_COUNT];
    let mut connection = None;
    while !stage.stop.load(Ordering::SeqCst) {
        if connection.is_none() {
            connection = connect(stage);
        }
        let Some(open) = connection.as_mut() else { break };
        for (partition, identities) in read.iter_mut().enumerate() {
            match read_some(open, partition, identities) {
                Ok(_) => {}
                Err(Reading::Ended) => {
                    connection = None;
                    break;
                }
                Err(Reading::Untrue(failure)) => return Err(failure),
            }
        }
    }
    Ok(read)
}

/// Why a read gave nothing.
enum Reading {
    /// The connection ended, or the broker is not yet ready.
    Ended,
    /// The broker served what it must not.
    Untrue(Failure),
}

/// Reads on from what is known; true when there was something.
fn read_some(
    connection: &mut Connection,
    partition: usize,
    identities: &mut Vec<Identity>,
) -> Result<bool, Reading> {
    let from = identities.len() as i64;
    let answer = connection.fetch(TOPIC, partition as i32, from).map_err(|_| Reading::Ended)?;
    match answer.error_code {
        NO_ERROR => {}
        code if asks_for_another_try(code) => return Err(Reading::Ended),
        code => {
            let text = format!(
                "partition {partition}: reading from offset {from}, which was served up to, is error {code}"
            );
            return Err(Reading::Untrue(Failure(text)));
        }
    }
    let served = batch::read(&answer.bytes, from).map_err(Reading::Untrue)?;
    for record in &served {
        if record.offset != identities.len() as i64 {
            let text = format!(
                "partition {partition}: offset {} came after {}",
                record.offset,
                identities.len() - 1
            );
            return Err(Reading::Untrue(Failure(text)));
        }
        identities.push(identity(partition, &record.value).map_err(Reading::Untrue)?);
    }
    Ok(!served.is_empty())
}

/// Everything that is stored now.
fn read_all(bootstrap: &str) -> Outcome<Vec<Vec<Identity>>> {
    let mut connection = Connection::open(bootstrap, PATIENCE)?;
    let mut stored = vec![Vec::new(); PARTITION_COUNT];
    for (partition, identities) in stored.iter_mut().enumerate() {
        let end = connection.list_offset(TOPIC, partition as i32, -1)?;
        while (identities.len() as i64) < end {
            match read_some(&mut connection, partition, identities) {
                Ok(true) => {}
                Ok(false) | Err(Reading::Ended) => {
                    return fail(format!(
                        "partition {partition} ends at {end} but nothing is served from {} on",
                        identities.len()
                    ));
                }
                Err(Reading::Untrue(failure)) => return Err(failure),
            }
        }
    }
    Ok(stored)
}

/// In each partition each producer's records are 0, 1, 2 … up to the last acknowledged one, and no others.
fn check_stored(acknowledged: &[Acknowledged], stored: &[Vec<Identity>]) -> Outcome<()> {
    for (partition, identities) in stored.iter().enumerate() {
        let mut next_serials = vec![0_u64; acknowledged.len()];
        for (offset, (producer, serial)) in identities.iter().enumerate() {
            let Some(next) = next_serials.get_mut(*producer) else {
                return fail(format!(
                    "partition {partition}, offset {offset}: there is no producer {producer}"
                ));
            };
            if serial != next {
                let what = if serial < next {
                    "came twice or out of order"
                } else {
                    "came where others are missing"
                };
                return fail(format!(
                    "partition {partition}, offset {offset}: record {serial} of producer {producer} {what} \
                     (due was {next})"
                ));
            }
            *next += 1;
        }
        for (producer, next) in next_serials.iter().enumerate() {
            let promised = acknowledged[producer][partition];
            if *next != promised {
                return fail(format!(
                    "partition {partition}: producer {producer} was promised {promised} records, {next} are stored"
                ));
            }
        }
    }
    Ok(())
}

/// What a reader was served during the crashes is what is there now.
fn check_read(read: &[Vec<Identity>], stored: &[Vec<Identity>]) -> Outcome<()> {
    for (partition, (read, stored)) in read.iter().zip(stored).enumerate() {
        if stored.get(..read.len()) != Some(&read[..]) {
            return fail(format!(
                "partition {partition}: a reader was served records that are not there any more"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acknowledged(counts: [u64; PARTITION_COUNT]) -> Vec<Acknowledged> {
        vec![counts]
    }

    #[test]
    fn a_whole_log_passes_and_each_damage_is_told() {
        let mut stored = vec![vec![(0, 0), (0, 1)], Vec::new(), Vec::new(), Vec::new()];
        assert_eq!(check_stored(&acknowledged([2, 0, 0, 0]), &stored), Ok(()));
        assert!(check_stored(&acknowledged([3, 0, 0, 0]), &stored).is_err());
        stored[0].push((0, 1));
        assert!(check_stored(&acknowledged([2, 0, 0, 0]), &stored).is_err());
        stored[0] = vec![(0, 1), (0, 0)];
        assert!(check_stored(&acknowledged([2, 0, 0, 0]), &stored).is_err());
    }

    #[test]
    fn a_reader_must_not_have_seen_what_went_away() {
        let stored = vec![vec![(0, 0), (0, 1)]];
        assert_eq!(check_read(&[vec![(0, 0)]], &stored), Ok(()));
        assert!(check_read(&[vec![(0, 0), (0, 2)]], &stored).is_err());
        assert!(check_read(&[vec![(0, 0), (0, 1), (0, 2)]], &stored).is_err());
    }
}
