//! What a broker of tests goes through: topics, groups, clients and producers that come and go, and groups that stay.
//! Shell: starts brokers, talks to them, reads the clock.

use std::time::{Duration, Instant};

use super::gauge::{cpu_seconds, memory_mib};
use super::machine;
use super::scene::{PATIENCE, Rows, Scale, start};
use super::table::{Figure, Measured};
use crate::broker::{Against, Broker};
use crate::crash::batch::{self, Origin};
use crate::failure::{Outcome, While, fail};
use crate::places::now_ms;
use crate::wire::{Answer, Body, Connection};

const ROW: &str = "churn-100000";
const ROW_OF_GROUPS: &str = "groups-one-offset";
/// So many of each kind come, and all of them go.
const COUNT: usize = 100_000;
const WAVE: usize = 1_000;
/// So many groups commit one offset each.
const GROUPS: usize = 50_000;
const PREFIX: &str = "churn";
/// Nothing of what is forgotten by time is kept longer than this.
const EXPIRY: &[&str] = &[
    "ottla.durability=os",
    "producer.id.expiration.ms=1000",
    "producer.id.expiration.check.interval.ms=1000",
    "transactional.id.expiration.ms=1000",
    "transaction.remove.expired.transaction.cleanup.interval.ms=1000",
    "log.retention.check.interval.ms=1000",
];
/// How long the memory may take to come down once nothing is left.
const REST_LIMIT: Duration = Duration::from_secs(20);
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

const OFFSET_COMMIT: i16 = 8;
const FIND_COORDINATOR: i16 = 10;
const CREATE_TOPICS: i16 = 19;
const DELETE_TOPICS: i16 = 20;
const INIT_PRODUCER_ID: i16 = 22;
const DELETE_GROUPS: i16 = 42;
const TIMEOUT_MS: i32 = 60_000;

/// The memory that the broker has more afterwards than before.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
pub fn run(against: Against, scale: &Scale) -> Outcome<Rows> {
    let broker = start(against, EXPIRY)?;
    let mut connection = Connection::open(broker.bootstrap(), PATIENCE)?;
    until_coordinated(&mut connection)?;
    let count = scale.part(COUNT);
    // What stays after a few is what a broker needs to do this at all.
    let mut serial = 0..;
    come_and_go(broker.as_ref(), &mut connection, (count / 20).max(WAVE.min(count)), &mut serial)?;
    let (before, _) = lowest_memory(broker.as_ref(), None)?;
    let (begin, cpu_before) = (Instant::now(), cpu_seconds(broker.pid())?);
    come_and_go(broker.as_ref(), &mut connection, count, &mut serial)?;
    let (seconds, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds(broker.pid())? - cpu_before);
    let (after, rest) = lowest_memory(broker.as_ref(), Some(before))?;
    let measured = Measured::default()
        .with(Figure::PerSecond, count as f64 / seconds)
        .with(Figure::TimeMs, rest.as_secs_f64() * 1e3)
        .with(Figure::CpuSeconds, cpu)
        .with(Figure::MemoryMib, after - before)
        .with(Figure::MemoryKibEach, (after - before) * 1024.0 / count as f64);
    Ok(vec![(ROW, measured)])
}

/// What each of many groups takes that has committed one offset of one partition.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
pub fn groups_with_one_offset(against: Against, scale: &Scale) -> Outcome<Rows> {
    let broker = start(against, &["ottla.durability=os"])?;
    let mut connection = Connection::open(broker.bootstrap(), PATIENCE)?;
    until_coordinated(&mut connection)?;
    let topic = 0;
    let topics = array(&[topic], |body, name| body.string(name).i32(1).i16(1).i32(0).i32(0));
    let answer = connection.ask(CREATE_TOPICS, 2, topics.i32(TIMEOUT_MS).i8(0))?;
    all_are_good("CreateTopics", &answer, true)?;
    let count = scale.part(GROUPS);
    let mut serial = 0..;
    let mut commit_by = |count: usize| -> Outcome<()> {
        let mut left = count;
        while left > 0 {
            let numbers: Vec<usize> = serial.by_ref().take(WAVE.min(left)).collect();
            left -= numbers.len();
            commit(&mut connection, &numbers, |_| name(topic))?;
        }
        Ok(())
    };
    // What stays after a few is what a broker needs to do this at all.
    commit_by((count / 10).max(1))?;
    let (before, _) = lowest_memory(broker.as_ref(), None)?;
    let (begin, cpu_before) = (Instant::now(), cpu_seconds(broker.pid())?);
    commit_by(count)?;
    let (seconds, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds(broker.pid())? - cpu_before);
    let (after, _) = lowest_memory(broker.as_ref(), None)?;
    let measured = Measured::default()
        .with(Figure::PerSecond, count as f64 / seconds)
        .with(Figure::CpuSeconds, cpu)
        .with(Figure::MemoryMib, after - before)
        .with(Figure::MemoryKibEach, (after - before) * 1024.0 / count as f64);
    Ok(vec![(ROW_OF_GROUPS, measured)])
}

/// The least memory the broker has while it rests, or as soon as it is down at `goal`; and how long that took.
fn lowest_memory(broker: &dyn Broker, goal: Option<f64>) -> Outcome<(f64, Duration)> {
    let begin = Instant::now();
    let (mut lowest, mut took) = (f64::INFINITY, Duration::ZERO);
    while begin.elapsed() < REST_LIMIT {
        let now = memory_mib(broker.pid(), "VmRSS")?;
        if now < lowest {
            (lowest, took) = (now, begin.elapsed());
        }
        if goal.is_some_and(|goal| lowest <= goal) {
            break;
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
    Ok((lowest, took))
}

/// The coordinators' own topics are there, and lead.
fn until_coordinated(connection: &mut Connection) -> Outcome<()> {
    let deadline = Instant::now() + PATIENCE;
    for kind in [0, 1] {
        loop {
            let answer = connection.ask(FIND_COORDINATOR, 1, Body::default().string(PREFIX).i8(kind))?;
            let mut answer = Answer(&answer);
            let (_throttle_ms, code) = (answer.i32()?, answer.i16()?);
            if code == 0 {
                break;
            }
            if Instant::now() >= deadline {
                return fail(format!("FindCoordinator answered error {code}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}

fn come_and_go(
    broker: &dyn Broker,
    connection: &mut Connection,
    count: usize,
    serial: &mut impl Iterator<Item = usize>,
) -> Outcome<()> {
    let mut left = count;
    while left > 0 {
        let numbers: Vec<usize> = serial.take(WAVE.min(left)).collect();
        left -= numbers.len();
        wave(connection, &numbers)
            .while_doing(|| format!("a wave from {} on", numbers.first().unwrap_or(&0)))?;
    }
    machine::until_gone(broker.log_dir(), PREFIX)
}

fn name(number: usize) -> String {
    format!("{PREFIX}-{number:07}")
}

fn array(names: &[usize], mut one: impl FnMut(Body, &str) -> Body) -> Body {
    let count = i32::try_from(names.len()).unwrap_or(0);
    names.iter().fold(Body::default().i32(count), |body, number| one(body, &name(*number)))
}

fn wave(connection: &mut Connection, numbers: &[usize]) -> Outcome<()> {
    let topics = array(numbers, |body, topic| body.string(topic).i32(1).i16(1).i32(0).i32(0));
    let answer = connection.ask(CREATE_TOPICS, 2, topics.i32(TIMEOUT_MS).i8(0))?;
    all_are_good("CreateTopics", &answer, true)?;
    write(connection, numbers)?;
    begin_transactional(connection, numbers)?;
    commit(connection, numbers, name)?;
    let answer = connection.ask(DELETE_GROUPS, 0, array(numbers, Body::string))?;
    all_are_good("DeleteGroups", &answer, false)?;
    let answer = connection.ask(DELETE_TOPICS, 1, array(numbers, Body::string).i32(TIMEOUT_MS))?;
    all_are_good("DeleteTopics", &answer, false)
}

/// Each a transactional id of its own; what is not ready yet is asked once more.
fn begin_transactional(connection: &mut Connection, numbers: &[usize]) -> Outcome<()> {
    let mut left = numbers.to_vec();
    while !left.is_empty() {
        for number in &left {
            let body = Body::default().string(&name(*number)).i32(TIMEOUT_MS);
            connection.send_as(&name(*number), INIT_PRODUCER_ID, 0, body)?;
        }
        let mut again = Vec::new();
        for number in left {
            match producer_id(&connection.receive()?)? {
                (0, _id) => {}
                // A coordinator that is loading or looked for elsewhere, and CONCURRENT_TRANSACTIONS.
                (14..=16 | 51, _) => again.push(number),
                (code, _) => return fail(format!("InitProducerId answered error {code}")),
            }
        }
        left = again;
    }
    Ok(())
}

fn producer_id(answer: &[u8]) -> Outcome<(i16, i64)> {
    let mut answer = Answer(answer);
    let (_throttle_ms, code) = (answer.i32()?, answer.i16()?);
    Ok((code, answer.i64()?))
}

/// One record into each topic, each by a producer of its own.
fn write(connection: &mut Connection, numbers: &[usize]) -> Outcome<()> {
    for number in numbers {
        let body = Body::default().null_string().i32(TIMEOUT_MS);
        connection.send_as(&name(*number), INIT_PRODUCER_ID, 0, body)?;
    }
    let mut batches = Vec::with_capacity(numbers.len());
    for _ in numbers {
        let producer_id = match producer_id(&connection.receive()?)? {
            (0, id) => id,
            (code, _) => return fail(format!("InitProducerId answered error {code}")),
        };
        let origin = Origin { producer_id, producer_epoch: 0, base_sequence: 0 };
        batches.push(batch::write(&[b"v".to_vec()], origin, now_ms()));
    }
    for (number, batch) in numbers.iter().zip(&batches) {
        connection.send_produce(&name(*number), 0, batch)?;
    }
    for _ in numbers {
        let answer = connection.receive_produce()?;
        if answer.error_code != 0 {
            return fail(format!("Produce answered error {}", answer.error_code));
        }
    }
    Ok(())
}

/// One offset of each group, each requested by a client of its own name.
fn commit(connection: &mut Connection, numbers: &[usize], topic_of: impl Fn(usize) -> String) -> Outcome<()> {
    for number in numbers {
        let (group, topic) = (name(*number), topic_of(*number));
        let body = Body::default().string(&group).i32(-1).string("").i64(-1).i32(1).string(&topic);
        connection.send_as(&group, OFFSET_COMMIT, 2, body.i32(1).i32(0).i64(1).string(""))?;
    }
    for _ in numbers {
        let answer = connection.receive()?;
        let mut answer = Answer(&answer);
        let (_topics, _topic, _partitions, _partition) =
            (answer.i32()?, answer.string()?, answer.i32()?, answer.i32()?);
        let code = answer.i16()?;
        if code != 0 {
            return fail(format!("OffsetCommit answered error {code}"));
        }
    }
    Ok(())
}

/// A throttle time and a list of names with their errors, some with a text.
fn all_are_good(what: &str, answer: &[u8], has_text: bool) -> Outcome<()> {
    let mut answer = Answer(answer);
    let _throttle_ms = answer.i32()?;
    for _ in 0..answer.i32()? {
        let (name, code) = (answer.string()?, answer.i16()?);
        let text = if has_text { answer.string()? } else { None };
        if code != 0 {
            return fail(format!("{what} of {name:?} answered error {code} {text:?}"));
        }
    }
    Ok(())
}
