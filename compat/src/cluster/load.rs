//! Load on a cluster: a producer a partition that never gives a batch up, and a group that commits.
//! Shell: threads, sockets, the clock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::cluster::joined;
use crate::cluster::nodes::{PATIENCE, map_within};
use crate::crash::batch::{self, Origin};
use crate::failure::{Outcome, fail};
use crate::places::now_ms;
use crate::requests::{DUPLICATE_SEQUENCE_NUMBER, NO_ERROR};
use crate::wire::{Answer, Body, Connection};

const OFFSET_COMMIT: i16 = 8;
const OFFSET_FETCH: i16 = 9;
/// How long a client waits for a node that may be cut off from it. A real one waits longer: what is measured is the
/// cluster.
const CLIENT_PATIENCE: Duration = Duration::from_millis(500);
const BATCH_RECORDS: u64 = 5;
/// The pause before a batch or a commit is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(10);
/// Between two batches: a load that the machine carries easily, so that a gap is the cluster's.
const BATCH_PAUSE: Duration = Duration::from_millis(2);
/// The longest that anything may be refused once the disturbances are over.
const SETTLE_LIMIT: Duration = Duration::from_secs(60);

/// What the load shares with the one who disturbs.
pub struct Stage {
    pub addresses: Vec<String>,
    pub topic: &'static str,
    pub group: &'static str,
    /// No new batches; what is on its way is still seen through.
    pub settle: AtomicBool,
    pub acknowledged: AtomicU64,
    pub commits: AtomicU64,
    /// The longest time between two acknowledgements of one partition since it was last taken, in microseconds.
    longest_gap_us: AtomicU64,
    /// How long each batch took, retries included, in microseconds.
    took_us: Mutex<Vec<u64>>,
}

impl Stage {
    pub fn new(addresses: Vec<String>, topic: &'static str, group: &'static str) -> Self {
        Self {
            addresses,
            topic,
            group,
            settle: AtomicBool::new(false),
            acknowledged: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            longest_gap_us: AtomicU64::new(0),
            took_us: Mutex::default(),
        }
    }

    pub fn take_longest_gap(&self) -> Duration {
        Duration::from_micros(self.longest_gap_us.swap(0, Ordering::SeqCst))
    }

    /// What 99 of 100 batches took at most since this was last asked, and how many there were.
    pub fn take_p99(&self) -> (Duration, usize) {
        let mut took = std::mem::take(&mut *self.took_us.lock().unwrap_or_else(PoisonError::into_inner));
        took.sort_unstable();
        let p99 = took.get(took.len() * 99 / 100).copied().unwrap_or(0);
        (Duration::from_micros(p99), took.len())
    }

    fn note_took(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.took_us.lock().unwrap_or_else(PoisonError::into_inner).push(us);
    }

    fn note_gap(&self, gap: Duration) {
        self.longest_gap_us.fetch_max(u64::try_from(gap.as_micros()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }
}

/// REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS before and after the append, and whatever says that another node leads.
fn asks_for_another_try(code: i16) -> bool {
    matches!(code, 3 | 5 | 6 | 7 | 13 | 14 | 15 | 16 | 19 | 20 | 56 | 74 | 75)
}

/// Has each partition written to while something is done; gives what came of it, and how many records of each partition
/// were acknowledged.
pub fn produce_while<T>(stage: &Stage, partitions: usize, act: impl FnOnce() -> T) -> (T, Outcome<Vec<u64>>) {
    std::thread::scope(|scope| {
        let producers: Vec<_> =
            (0..partitions).map(|partition| scope.spawn(move || produce(stage, partition))).collect();
        let done = act();
        stage.settle.store(true, Ordering::SeqCst);
        (done, producers.into_iter().map(|one| joined(one.join())).collect())
    })
}

/// The same beside a group that commits; gives the last offset that was committed, too.
pub fn produce_and_commit_while<T>(
    stage: &Stage,
    partitions: usize,
    act: impl FnOnce() -> T,
) -> (T, Outcome<Vec<u64>>, Outcome<i64>) {
    std::thread::scope(|scope| {
        let group = scope.spawn(|| commit(stage));
        let (done, acknowledged) = produce_while(stage, partitions, act);
        (done, acknowledged, joined(group.join()))
    })
}

/// One idempotent producer of one partition; returns how many records were acknowledged.
pub fn produce(stage: &Stage, partition: usize) -> Outcome<u64> {
    let (producer_id, producer_epoch) = identity(stage)?;
    let mut leader: Option<Connection> = None;
    let (mut acknowledged, mut last_answer, mut settling) = (0_u64, Instant::now(), None);
    loop {
        if stage.settle.load(Ordering::SeqCst) {
            return Ok(acknowledged);
        }
        let values: Vec<Vec<u8>> =
            (acknowledged..acknowledged + BATCH_RECORDS).map(|serial| value(partition, serial)).collect();
        let base_sequence = i32::try_from(acknowledged).unwrap_or(i32::MAX);
        let origin = Origin { producer_id, producer_epoch, base_sequence };
        let bytes = batch::write(&values, origin, now_ms());
        let begin = Instant::now();
        loop {
            if stage.settle.load(Ordering::SeqCst)
                && settling.get_or_insert_with(Instant::now).elapsed() > SETTLE_LIMIT
            {
                return fail(format!("partition {partition}: a batch is still not acknowledged"));
            }
            if leader.is_none() {
                leader = leader_of(stage, partition);
            }
            let number = i32::try_from(partition).unwrap_or(-1);
            let answer = leader.as_mut().map(|open| open.produce(stage.topic, number, &bytes));
            match answer {
                Some(Ok(answer)) if [NO_ERROR, DUPLICATE_SEQUENCE_NUMBER].contains(&answer.error_code) => {
                    break;
                }
                Some(Ok(answer)) if asks_for_another_try(answer.error_code) => {}
                Some(Ok(answer)) => {
                    return fail(format!(
                        "partition {partition}, sequence {base_sequence}: error {}: {}",
                        answer.error_code,
                        answer.error_message.unwrap_or_default()
                    ));
                }
                Some(Err(_)) | None => {}
            }
            leader = None;
            std::thread::sleep(RETRY_PAUSE);
        }
        stage.note_took(begin.elapsed());
        stage.note_gap(last_answer.elapsed());
        last_answer = Instant::now();
        acknowledged += BATCH_RECORDS;
        stage.acknowledged.fetch_add(BATCH_RECORDS, Ordering::Relaxed);
        std::thread::sleep(BATCH_PAUSE);
    }
}

pub fn value(partition: usize, serial: u64) -> Vec<u8> {
    format!("{partition}:{serial}:{}", "x".repeat(100)).into_bytes()
}

fn leader_of(stage: &Stage, partition: usize) -> Option<Connection> {
    let map = map_within(&stage.addresses, stage.topic, CLIENT_PATIENCE).ok()?;
    Connection::open(map.leader_address(partition)?, CLIENT_PATIENCE).ok()
}

fn identity(stage: &Stage) -> Outcome<(i64, i16)> {
    let begin = Instant::now();
    loop {
        for address in &stage.addresses {
            match Connection::open(address, PATIENCE).and_then(|mut open| open.init_producer_id()) {
                Ok(identity) => return Ok(identity),
                Err(failure) if begin.elapsed() > SETTLE_LIMIT => return Err(failure),
                Err(_) => std::thread::sleep(RETRY_PAUSE),
            }
        }
    }
}

/// Commits 1, 2, 3 … for a group; returns the last that was acknowledged.
pub fn commit(stage: &Stage) -> Outcome<i64> {
    let (mut coordinator, mut committed) = (None, 0_i64);
    while !stage.settle.load(Ordering::SeqCst) {
        if coordinator.is_none() {
            coordinator = coordinator_of(stage);
        }
        let answer = coordinator.as_mut().map(|open| commit_once(open, stage, committed + 1));
        match answer {
            Some(Ok(NO_ERROR)) => {
                committed += 1;
                stage.commits.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(BATCH_PAUSE);
                continue;
            }
            Some(Ok(code)) if asks_for_another_try(code) => {}
            Some(Ok(code)) => return fail(format!("a commit was refused with error {code}")),
            Some(Err(_)) | None => {}
        }
        coordinator = None;
        std::thread::sleep(RETRY_PAUSE);
    }
    Ok(committed)
}

fn coordinator_of(stage: &Stage) -> Option<Connection> {
    stage.addresses.iter().find_map(|address| {
        let (_, at) = Connection::open(address, CLIENT_PATIENCE).ok()?.coordinator(stage.group).ok()?;
        Connection::open(&at, CLIENT_PATIENCE).ok()
    })
}

fn commit_once(open: &mut Connection, stage: &Stage, offset: i64) -> Outcome<i16> {
    let body = Body::default().string(stage.group).i32(-1).string("").i64(-1).i32(1).string(stage.topic);
    let answer = open.ask(OFFSET_COMMIT, 2, body.i32(1).i32(0).i64(offset).null_string())?;
    let mut answer = Answer(&answer);
    let (_topics, _topic, _partitions, _partition) =
        (answer.i32()?, answer.string()?, answer.i32()?, answer.i32()?);
    answer.i16()
}

/// What the group's coordinator says is committed.
pub fn committed(stage: &Stage) -> Outcome<i64> {
    let begin = Instant::now();
    loop {
        let fetched = coordinator_of(stage).map(|mut open| fetch_committed(&mut open, stage));
        match fetched {
            Some(Ok((offset, NO_ERROR))) => return Ok(offset),
            Some(Ok((_, code))) if begin.elapsed() > SETTLE_LIMIT => {
                return fail(format!("OffsetFetch answered error {code}"));
            }
            _ if begin.elapsed() > SETTLE_LIMIT => return fail("no coordinator was found"),
            _ => std::thread::sleep(RETRY_PAUSE),
        }
    }
}

fn fetch_committed(open: &mut Connection, stage: &Stage) -> Outcome<(i64, i16)> {
    let body = Body::default().string(stage.group).i32(1).string(stage.topic).i32(1).i32(0);
    let answer = open.ask(OFFSET_FETCH, 1, body)?;
    let mut answer = Answer(&answer);
    let (_topics, _topic, _partitions, _partition) =
        (answer.i32()?, answer.string()?, answer.i32()?, answer.i32()?);
    let (offset, _metadata) = (answer.i64()?, answer.string()?);
    Ok((offset, answer.i16()?))
}
