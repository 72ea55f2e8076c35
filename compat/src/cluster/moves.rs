//! Three nodes under load become five, and three again.
//! Shell: processes, threads, the clock.
//!
//! Replicas move, nothing is lost, no error reaches a client, and what a client waits for its answers stays near what it was.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

use std::time::{Duration, Instant};

use crate::cluster::load::{self, Stage};
use crate::cluster::nodes::{Nodes, PATIENCE, map_of_any};
use crate::cluster::{audit, calm, joined};
use crate::crash::batch::{self, Origin};
use crate::failure::{Outcome, fail};
use crate::places::now_ms;
use crate::requests::NO_ERROR;
use crate::wire::{Answer, Body, Connection};

const CREATE_TOPICS: i16 = 19;
const INCREMENTAL_ALTER_CONFIGS: i16 = 44;
const ALTER_PARTITION_REASSIGNMENTS: i16 = 45;
const TOPIC: &str = "cluster-moves";
/// Nobody writes to it while it moves.
const BULK: &str = "cluster-moves-bulk";
const GROUP: &str = "cluster-moves-group";
const NODES: usize = 5;
const PARTITIONS: usize = 6;
const REPLICAS: usize = 3;
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Load before anything moves: what a client waits on a quiet cluster.
const QUIET: Duration = Duration::from_secs(10);
/// What a batch of the bulk has in it.
const BULK_RECORDS: usize = 10;
const BULK_RECORD_BYTES: usize = 100_000;
/// A client may wait so many times longer while replicas move.
const SLOWER_MAX: u32 = 3;
/// What nobody notices, whatever it was before.
const UNNOTICED: Duration = Duration::from_millis(20);

/// How much moves, and how fast it may.
#[derive(Debug, Clone)]
pub struct Plan {
    /// That are copied to other nodes, both ways together.
    pub megabytes: u64,
    /// That a node may copy a second.
    pub throttle_megabytes: u64,
    pub overrides: Vec<String>,
}

impl Plan {
    /// 10 GB, where the disk has room for the copies of it; else what a fifth of its room allows.
    pub fn whole(overrides: Vec<String>) -> Outcome<Plan> {
        let space = rustix::fs::statvfs(std::env::temp_dir()).map_err(std::io::Error::from)?;
        let free_megabytes = space.f_bavail * space.f_frsize / 1_000_000;
        Ok(Plan { megabytes: 10_000.min(free_megabytes / 5), throttle_megabytes: 25, overrides })
    }

    /// Of three replicas on three nodes two fifths go to others when there are five, and come back.
    fn batches_a_partition(&self) -> u64 {
        let copied_of_each = 2.0 * 3.0 * 0.4;
        let bytes = self.megabytes as f64 * 1e6 / copied_of_each / PARTITIONS as f64;
        (bytes / (BULK_RECORDS * BULK_RECORD_BYTES) as f64).ceil() as u64
    }

    /// A megabyte a second is slower than anything that works.
    fn limit(&self) -> Duration {
        Duration::from_secs(60 + self.megabytes)
    }
}

/// Where the replicas of each partition are when so many nodes share them; the first one leads.
fn placed_on(nodes: usize) -> Vec<Vec<i32>> {
    let replica = |partition: usize, place: usize| 1 + ((partition + place) % nodes) as i32;
    (0..PARTITIONS).map(|partition| (0..REPLICAS).map(|place| replica(partition, place)).collect()).collect()
}

/// Five nodes run; three of them have the topic at first, then all, then the three again, and the others stop.
pub fn run(plan: &Plan) -> Outcome<String> {
    // By default the throttle lets ten seconds' worth through at once.
    let mut overrides = vec!["replication.quota.window.num=2".to_owned()];
    overrides.extend_from_slice(&plan.overrides);
    let mut nodes = Nodes::start(NODES, None, &overrides, None)?;
    let result = under_load(plan, &mut nodes);
    if result.is_err() {
        println!("{}", nodes.last_output(25));
    }
    result
}

fn under_load(plan: &Plan, nodes: &mut Nodes) -> Outcome<String> {
    let mut open = Connection::open(&nodes.addresses[0], Duration::from_secs(10))?;
    for topic in [TOPIC, BULK] {
        open.create_assigned_topic(topic, &placed_on(REPLICAS))?;
        wait_until_on(plan, &nodes.addresses, topic, &placed_on(REPLICAS))?;
    }
    fill(plan, &nodes.addresses)?;
    let stage = Stage::new(nodes.addresses.clone(), TOPIC, GROUP);
    let (moved, acknowledged, committed) =
        load::produce_and_commit_while(&stage, PARTITIONS, || grow_and_shrink(plan, nodes, &stage));
    let (acknowledged, committed) = (acknowledged?, committed?);
    let gaps = moved?;
    audit::records(&nodes.addresses[..REPLICAS], TOPIC, &acknowledged)?;
    for id in 1..=REPLICAS as i32 {
        nodes.stop(id)?;
    }
    let log_dirs = &nodes.log_dirs()[..REPLICAS];
    let bytes = audit::copies(log_dirs, TOPIC, PARTITIONS)? + audit::copies(log_dirs, BULK, PARTITIONS)?;
    Ok(format!(
        "{} records acknowledged and {committed} commits while replicas moved to {NODES} nodes and back ({gaps}); each \
         record is there once and in order, and the {bytes} bytes of every copy are equal",
        acknowledged.iter().sum::<u64>()
    ))
}

/// Writes what is to be moved.
fn fill(plan: &Plan, addresses: &[String]) -> Outcome<()> {
    let begin = Instant::now();
    let map = map_of_any(addresses, BULK)?;
    let values: Vec<Vec<u8>> =
        (0..BULK_RECORDS).map(|record| vec![b'a' + record as u8; BULK_RECORD_BYTES]).collect();
    let origin = Origin { producer_id: -1, producer_epoch: -1, base_sequence: -1 };
    let bytes = &batch::write(&values, origin, now_ms());
    let one = |partition: usize| {
        let Some(address) = map.leader_address(partition) else { return fail("a partition has no leader") };
        let mut open = Connection::open(address, Duration::from_secs(30))?;
        for _ in 0..plan.batches_a_partition() {
            let answer = open.produce(BULK, partition as i32, bytes)?;
            if answer.error_code != NO_ERROR {
                return fail(format!("filling {BULK}-{partition}: error {}", answer.error_code));
            }
        }
        Ok(())
    };
    let one = &one;
    std::thread::scope(|scope| {
        let filling: Vec<_> = (0..PARTITIONS).map(|partition| scope.spawn(move || one(partition))).collect();
        filling.into_iter().try_for_each(|one| joined(one.join()))
    })?;
    let megabytes = plan.batches_a_partition() * PARTITIONS as u64;
    println!(
        "  {megabytes} MB of {BULK}, three times each, are there after {:.0} s",
        begin.elapsed().as_secs_f64()
    );
    Ok(())
}

fn grow_and_shrink(plan: &Plan, nodes: &mut Nodes, stage: &Stage) -> Outcome<String> {
    calm(stage)?;
    let _warming_up = stage.take_p99();
    std::thread::sleep(QUIET);
    let (quiet, batches) = stage.take_p99();
    let mut told = vec![format!("p99 of {batches} batches was {} ms before", quiet.as_millis())];
    set_throttles(plan, nodes, true)?;
    for shared_by in [NODES, REPLICAS] {
        let (_before, _batches) = (stage.take_longest_gap(), stage.take_p99());
        let targets = placed_on(shared_by);
        let begin = Instant::now();
        let mut open = Connection::open(&nodes.addresses[0], PATIENCE)?;
        for topic in [TOPIC, BULK] {
            open.reassign(topic, &targets)?;
        }
        for topic in [TOPIC, BULK] {
            wait_until_on(plan, &nodes.addresses, topic, &targets)?;
        }
        let took = begin.elapsed();
        let (p99, batches) = stage.take_p99();
        calm(stage)?;
        told.push(format!(
            "on {shared_by} after {:.1} s, p99 of {batches} batches {} ms, longest gap of a partition {} ms",
            took.as_secs_f64(),
            p99.as_millis(),
            stage.take_longest_gap().as_millis()
        ));
        println!("  {}", told.last().map_or("", String::as_str));
        if p99 > (quiet * SLOWER_MAX).max(UNNOTICED) {
            return fail(format!("clients waited more than {SLOWER_MAX} times longer: {}", told.join("; ")));
        }
    }
    set_throttles(plan, nodes, false)?;
    // Nobody needs them any more; what they had of the topic is gone from their disks.
    for id in REPLICAS + 1..=NODES {
        let left: Vec<String> = std::fs::read_dir(&nodes.log_dirs()[id - 1])?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.starts_with(TOPIC) && !name.ends_with("-delete"))
            .collect();
        if !left.is_empty() {
            return fail(format!("node {id} has no replica any more, and still {left:?}"));
        }
        nodes.stop(id as i32)?;
    }
    calm(stage)?;
    Ok(told.join("; "))
}

/// Bounds what replicas copy that are not in sync yet, as `kafka-reassign-partitions --throttle` does; or takes that away.
fn set_throttles(plan: &Plan, nodes: &Nodes, is_on: bool) -> Outcome<()> {
    let rate = (plan.throttle_megabytes * 1_000_000).to_string();
    let mut open = Connection::open(&nodes.addresses[0], PATIENCE)?;
    for side in ["leader", "follower"] {
        let rate_key = format!("{side}.replication.throttled.rate");
        for id in 1..=NODES {
            open.set_config((4, &id.to_string()), &rate_key, is_on.then_some(&*rate))?;
        }
        for topic in [TOPIC, BULK] {
            let key = format!("{side}.replication.throttled.replicas");
            open.set_config((2, topic), &key, is_on.then_some("*"))?;
        }
    }
    Ok(())
}

/// Waits until each partition is in sync on these nodes and no others.
fn wait_until_on(plan: &Plan, addresses: &[String], topic: &str, targets: &[Vec<i32>]) -> Outcome<()> {
    let begin = Instant::now();
    let wanted: Vec<Vec<i32>> = targets.iter().map(|ids| sorted(ids)).collect();
    let mut last = String::new();
    while begin.elapsed() < plan.limit() {
        match map_of_any(addresses, topic) {
            Ok(map) => {
                let isr: Vec<Vec<i32>> = map.isr.iter().map(|ids| sorted(ids)).collect();
                let replicas: Vec<Vec<i32>> = map.replicas.iter().map(|ids| sorted(ids)).collect();
                if isr == wanted && replicas == wanted {
                    return Ok(());
                }
                last = format!("{map:?}");
            }
            Err(failure) => last = failure.to_string(),
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    fail(format!("{topic} is not where it ought to be after {:?}: {last}", plan.limit()))
}

fn sorted(ids: &[i32]) -> Vec<i32> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids
}

/// The length of an array or a text in the flexible encoding; all are short here.
fn length(body: Body, count: usize) -> Body {
    assert!(count < 127, "one byte is enough");
    body.i8(count as i8 + 1)
}

impl Connection {
    /// CreateTopics v2 with the replicas of each partition.
    fn create_assigned_topic(&mut self, topic: &str, replicas: &[Vec<i32>]) -> Outcome<()> {
        let body = Body::default().i32(1).string(topic).i32(-1).i16(-1);
        let mut body = body.i32(i32::try_from(replicas.len()).unwrap_or(0));
        for (index, ids) in (0..).zip(replicas) {
            body = body.i32(index).i32(i32::try_from(ids.len()).unwrap_or(0));
            body = ids.iter().fold(body, |body, id| body.i32(*id));
        }
        let body = body.i32(1).string("min.insync.replicas").string("2").i32(30_000).i8(0);
        let answer = self.ask(CREATE_TOPICS, 2, body)?;
        let mut answer = Answer(&answer);
        let (_throttle_ms, _count, _name) = (answer.i32()?, answer.i32()?, answer.string()?);
        match answer.i16()? {
            0 => Ok(()),
            code => fail(format!("creating {topic}: error {code}")),
        }
    }

    /// IncrementalAlterConfigs v0: sets a key of a resource, or takes it away.
    fn set_config(&mut self, (kind, name): (i8, &str), key: &str, value: Option<&str>) -> Outcome<()> {
        let body = Body::default().i32(1).i8(kind).string(name).i32(1).string(key);
        let body = match value {
            Some(value) => body.i8(0).string(value),
            None => body.i8(1).null_string(),
        };
        let answer = self.ask(INCREMENTAL_ALTER_CONFIGS, 0, body.i8(0))?;
        let mut answer = Answer(&answer);
        let (_throttle_ms, _count) = (answer.i32()?, answer.i32()?);
        match answer.i16()? {
            0 => Ok(()),
            code => fail(format!("setting {key} of {name}: error {code}")),
        }
    }

    /// AlterPartitionReassignments v0, which has the flexible encoding.
    pub(super) fn reassign(&mut self, topic: &str, targets: &[Vec<i32>]) -> Outcome<()> {
        // The header ends with its tags.
        let body = length(Body::default().i8(0).i32(30_000), 1);
        let mut body = length(body, topic.len());
        body.0.extend(topic.as_bytes());
        body = length(body, targets.len());
        for (index, ids) in (0..).zip(targets) {
            body = length(body.i32(index), ids.len());
            body = ids.iter().fold(body, |body, id| body.i32(*id)).i8(0);
        }
        let answer = self.ask(ALTER_PARTITION_REASSIGNMENTS, 0, body.i8(0).i8(0))?;
        let mut answer = Answer(&answer);
        let (_tags, _throttle_ms, code, _text) = (answer.i8()?, answer.i32()?, answer.i16()?, answer.i8()?);
        let (_topics, name_length) = (answer.i8()?, answer.i8()?);
        answer.take(usize::try_from(name_length - 1).unwrap_or(0))?;
        let mut codes = vec![code];
        for _ in 1..answer.i8()? {
            let (_index, code, text) = (answer.i32()?, answer.i16()?, answer.i8()?);
            answer.take(usize::try_from(text - 1).unwrap_or(0))?;
            let _tags = answer.i8()?;
            codes.push(code);
        }
        match codes.iter().all(|code| *code == 0) {
            true => Ok(()),
            false => fail(format!("moving the replicas of {topic}: errors {codes:?}")),
        }
    }
}
