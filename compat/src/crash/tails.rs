//! Damage that a crash can do to the end of a log, done on purpose between a kill and the next start.
//! Shell: the broker's process and its files.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::broker::Broker;
use crate::crash::batch::{self, Origin};
use crate::crash::dice::Dice;
use crate::failure::{Outcome, While, fail};
use crate::places::now_ms;
use crate::requests::{NO_ERROR, asks_for_another_try};
use crate::wire::Connection;

const PATIENCE: Duration = Duration::from_secs(30);
const BATCH_COUNT: usize = 20;
const BATCH_RECORDS: usize = 5;
/// Flips fall into the last bytes only: what lies further back may long be on the disk.
const TAIL_BYTES: usize = 1_024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    /// The first part of one more batch, as a crash in the middle of a write leaves it.
    TornBatch,
    /// Bytes that mean nothing.
    Garbage,
    /// Zeros, as some file systems leave where a size was written and data was not.
    Zeros,
    /// All index files are gone.
    LostIndexes,
    /// All index files hold nonsense.
    CorruptIndexes,
    /// A crash right after a roll.
    EmptySegment,
    /// A changed bit in the last batch, which was acknowledged.
    FlippedLastBatch,
    /// A changed bit anywhere in the tail.
    FlippedTail,
    /// The file ends within its last batch.
    CutLastBatch,
}

const ALL: [Damage; 9] = [
    Damage::TornBatch,
    Damage::Garbage,
    Damage::Zeros,
    Damage::LostIndexes,
    Damage::CorruptIndexes,
    Damage::EmptySegment,
    Damage::FlippedLastBatch,
    Damage::FlippedTail,
    Damage::CutLastBatch,
];

/// One topic with its damage.
struct Patient {
    damage: Damage,
    topic: String,
    /// No record of it is older.
    begin_ms: i64,
    acknowledged: Vec<Vec<u8>>,
    /// So many records, from the first one on, must still be served.
    due_count: usize,
}

/// Every kind of damage at once, on topics of their own, then a start, `rounds` times.
pub fn run(broker: &mut dyn Broker, rounds: u32, seed: u64) -> Outcome<String> {
    let mut dice = Dice::new(seed);
    for round in 0..rounds {
        let mut patients = Vec::new();
        let mut connection = Connection::open(broker.bootstrap(), PATIENCE)?;
        for damage in ALL {
            patients.push(fill(&mut connection, damage, round, &mut dice)?);
        }
        drop(connection);
        broker.kill9()?;
        for patient in &mut patients {
            damage_log(patient, broker.log_dir(), &mut dice)
                .while_doing(|| format!("damaging {}: {:?}", patient.topic, patient.damage))?;
        }
        broker.restart().while_doing(|| format!("starting on damaged tails, round {}", round + 1))?;
        let mut connection = Connection::open(broker.bootstrap(), PATIENCE)?;
        for patient in &patients {
            check(&mut connection, patient)
                .while_doing(|| format!("round {}, {:?}", round + 1, patient.damage))?;
        }
    }
    Ok(format!(
        "{rounds} rounds of {} kinds of damage: nothing acknowledged was lost but what was itself damaged, \
                and nothing damaged was served",
        ALL.len()
    ))
}

fn fill(connection: &mut Connection, damage: Damage, round: u32, dice: &mut Dice) -> Outcome<Patient> {
    let topic = format!("crash-tail-{round}-{damage:?}");
    connection.create_topic(&topic, 1, &[])?;
    let begin_ms = now_ms();
    let mut acknowledged = Vec::new();
    for number in 0..BATCH_COUNT {
        let values: Vec<Vec<u8>> = (0..BATCH_RECORDS)
            .map(|record| format!("{number}:{record}:{}", "y".repeat(dice.between(0, 100))).into_bytes())
            .collect();
        produce_when_led(connection, &topic, &values)?;
        acknowledged.extend(values);
    }
    let due_count = acknowledged.len();
    Ok(Patient { damage, topic, begin_ms, acknowledged, due_count })
}

/// A topic may be known before it is led, on Apache Kafka.
fn produce_when_led(connection: &mut Connection, topic: &str, values: &[Vec<u8>]) -> Outcome<i64> {
    let batch = batch::write(values, Origin::NOBODY, now_ms());
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let answer = connection.produce(topic, 0, &batch)?;
        match answer.error_code {
            NO_ERROR => return Ok(answer.base_offset),
            code if asks_for_another_try(code) && std::time::Instant::now() < deadline => {}
            code => return fail(format!("producing to {topic}: error {code}, {:?}", answer.error_message)),
        }
    }
}

fn damage_log(patient: &mut Patient, log_dir: &Path, dice: &mut Dice) -> Outcome<()> {
    let dir = log_dir.join(format!("{}-0", patient.topic));
    let path = last_segment(&dir)?;
    let mut log = fs::read(&path)?;
    let places = batch::places(&log);
    let Some(&(last_position, last_bytes)) = places.last() else {
        return fail(format!("{} holds no batch", path.display()));
    };
    // Behind the last batch there may be room that was set aside; a crash tears there.
    log.truncate(last_position + last_bytes);
    let end_offset = patient.acknowledged.len();
    match patient.damage {
        Damage::TornBatch => {
            let mut next = batch::write(&[vec![b'z'; 200]], Origin::NOBODY, now_ms());
            next[..8].copy_from_slice(&(end_offset as u64).to_be_bytes());
            next.truncate(dice.between(1, next.len()));
            log.extend(next);
        }
        Damage::Garbage => {
            let count = dice.between(1, 300);
            log.extend((0..count).map(|_| dice.next() as u8));
        }
        Damage::Zeros => log.extend(std::iter::repeat_n(0, dice.between(1, 4_096))),
        Damage::LostIndexes => {
            for index in index_files(&dir)? {
                fs::remove_file(index)?;
            }
        }
        Damage::CorruptIndexes => {
            for index in index_files(&dir)? {
                // A multiple of both entry sizes, so that only the content tells.
                fs::write(index, (0..120).map(|_| dice.next() as u8).collect::<Vec<u8>>())?;
            }
        }
        Damage::EmptySegment => fs::write(dir.join(format!("{end_offset:020}.log")), [])?,
        Damage::FlippedLastBatch => {
            // Not in the leader epoch nor the base offset, which the checksum does not cover and the broker sets.
            log[dice.between(last_position + 17, last_position + last_bytes)] ^= 1 << dice.between(0, 8);
            patient.due_count -= BATCH_RECORDS;
        }
        Damage::FlippedTail => {
            let from = log.len().saturating_sub(TAIL_BYTES);
            let tail = places.iter().position(|(position, _)| *position >= from).unwrap_or(places.len() - 1);
            let number = dice.between(tail, places.len());
            let (position, bytes) = places[number];
            log[dice.between(position + 17, position + bytes)] ^= 1 << dice.between(0, 8);
            patient.due_count = number * BATCH_RECORDS;
        }
        Damage::CutLastBatch => {
            log.truncate(dice.between(last_position + 1, last_position + last_bytes));
            patient.due_count -= BATCH_RECORDS;
        }
    }
    fs::write(&path, log)?;
    Ok(())
}

fn last_segment(dir: &Path) -> Outcome<PathBuf> {
    let mut segments: Vec<PathBuf> = files(dir)?.into_iter().filter(|path| has_end(path, &["log"])).collect();
    segments.sort();
    segments.pop().ok_or(()).or_else(|()| fail(format!("{} holds no segment", dir.display())))
}

fn index_files(dir: &Path) -> Outcome<Vec<PathBuf>> {
    Ok(files(dir)?.into_iter().filter(|path| has_end(path, &["index", "timeindex"])).collect())
}

fn files(dir: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).while_doing(|| format!("reading {}", dir.display()))?;
    Ok(entries.filter_map(Result::ok).map(|entry| entry.path()).collect())
}

fn has_end(path: &Path, ends: &[&str]) -> bool {
    path.extension().is_some_and(|end| ends.iter().any(|wanted| end == *wanted))
}

/// What is served is the beginning of what was acknowledged, at least as far as it is undamaged; then life goes on.
fn check(connection: &mut Connection, patient: &Patient) -> Outcome<()> {
    let served = serve_all(connection, &patient.topic, 0)?;
    if patient.acknowledged.get(..served.len()) != Some(&served[..]) {
        let first = served.iter().zip(&patient.acknowledged).position(|(now, then)| now != then);
        return fail(format!("record {first:?} of {} is not what was acknowledged", served.len()));
    }
    if served.len() < patient.due_count {
        return fail(format!(
            "{} records are served, {} were acknowledged and whole",
            served.len(),
            patient.due_count
        ));
    }
    if served.len() > patient.due_count {
        return fail(format!(
            "{} records are served, of which only {} are undamaged",
            served.len(),
            patient.due_count
        ));
    }
    if connection.list_offset(&patient.topic, 0, patient.begin_ms)? != 0 {
        return fail("the first record is not found by its time");
    }
    let values = vec![b"afterwards".to_vec()];
    let offset = produce_when_led(connection, &patient.topic, &values)?;
    if offset < i64::try_from(patient.due_count).unwrap_or(0) {
        return fail(format!("a new record was stored at offset {offset}, among the acknowledged ones"));
    }
    if serve_all(connection, &patient.topic, offset)? != values {
        return fail(format!("the record stored afterwards at {offset} is not served"));
    }
    Ok(())
}

/// All records from an offset on, until the end or the first place where the broker says that it cannot.
fn serve_all(connection: &mut Connection, topic: &str, from_offset: i64) -> Outcome<Vec<Vec<u8>>> {
    let end_offset = connection.list_offset(topic, 0, -1)?;
    let mut values = Vec::new();
    let mut offset = from_offset;
    while offset < end_offset {
        let answer = connection.fetch(topic, 0, offset)?;
        if answer.error_code != NO_ERROR {
            break;
        }
        let served = batch::read(&answer.bytes, offset)?;
        let Some(last) = served.last() else { break };
        offset = last.offset + 1;
        values.extend(served.into_iter().map(|record| record.value));
    }
    Ok(values)
}
