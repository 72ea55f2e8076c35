//! Three nodes under load become five, and three again: replicas move, nothing is lost and no error reaches a client.
//! Shell: processes, threads, the clock.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::cluster::load::{self, Stage};
use crate::cluster::nodes::{Nodes, PATIENCE, map_of_any};
use crate::cluster::{audit, calm, joined};
use crate::failure::{Outcome, fail};
use crate::wire::{Answer, Body, Connection};

const CREATE_TOPICS: i16 = 19;
const ALTER_PARTITION_REASSIGNMENTS: i16 = 45;
const TOPIC: &str = "cluster-moves";
const GROUP: &str = "cluster-moves-group";
const NODES: usize = 5;
const PARTITIONS: usize = 6;
const REPLICAS: usize = 3;
const MOVED_LIMIT: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Where the replicas of each partition are when so many nodes share them; the first one leads.
fn placed_on(nodes: usize) -> Vec<Vec<i32>> {
    let replica = |partition: usize, place: usize| 1 + ((partition + place) % nodes) as i32;
    (0..PARTITIONS).map(|partition| (0..REPLICAS).map(|place| replica(partition, place)).collect()).collect()
}

/// Five nodes run; three of them have the topic at first, then all, then the three again, and the others stop.
pub fn run(overrides: &[String]) -> Outcome<String> {
    let mut nodes = Nodes::start(NODES, None, overrides, None)?;
    let result = under_load(&mut nodes);
    if result.is_err() {
        println!("{}", nodes.last_output(25));
    }
    result
}

fn under_load(nodes: &mut Nodes) -> Outcome<String> {
    let mut open = Connection::open(&nodes.addresses[0], Duration::from_secs(10))?;
    open.create_assigned_topic(TOPIC, &placed_on(REPLICAS))?;
    wait_until_on(&nodes.addresses, &placed_on(REPLICAS))?;
    let stage = Stage::new(nodes.addresses.clone(), TOPIC, GROUP);
    let (moved, acknowledged, committed) = std::thread::scope(|scope| {
        let stage = &stage;
        let producers: Vec<_> =
            (0..PARTITIONS).map(|partition| scope.spawn(move || load::produce(stage, partition))).collect();
        let group = scope.spawn(move || load::commit(stage));
        let moved = grow_and_shrink(nodes, stage);
        stage.settle.store(true, Ordering::SeqCst);
        let acknowledged: Outcome<Vec<u64>> = producers.into_iter().map(|one| joined(one.join())).collect();
        (moved, acknowledged, joined(group.join()))
    });
    let (acknowledged, committed) = (acknowledged?, committed?);
    let gaps = moved?;
    audit::records(&nodes.addresses[..REPLICAS], TOPIC, &acknowledged)?;
    for id in 1..=REPLICAS as i32 {
        nodes.stop(id)?;
    }
    let bytes = audit::copies(&nodes.log_dirs()[..REPLICAS], TOPIC, PARTITIONS)?;
    Ok(format!(
        "{} records acknowledged and {committed} commits while replicas moved to {NODES} nodes and back ({gaps}); each \
         record is there once and in order, and the {bytes} bytes of every copy are equal",
        acknowledged.iter().sum::<u64>()
    ))
}

fn grow_and_shrink(nodes: &mut Nodes, stage: &Stage) -> Outcome<String> {
    calm(stage)?;
    let mut gaps = Vec::new();
    for shared_by in [NODES, REPLICAS] {
        let _before = stage.take_longest_gap();
        let targets = placed_on(shared_by);
        let begin = Instant::now();
        Connection::open(&nodes.addresses[0], PATIENCE)?.reassign(TOPIC, &targets)?;
        wait_until_on(&nodes.addresses, &targets)?;
        let took = begin.elapsed().as_millis();
        calm(stage)?;
        gaps.push(format!(
            "on {shared_by} after {took} ms, longest gap of a partition {} ms",
            stage.take_longest_gap().as_millis()
        ));
    }
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
    Ok(gaps.join("; "))
}

/// Waits until each partition is in sync on these nodes and no others.
fn wait_until_on(addresses: &[String], targets: &[Vec<i32>]) -> Outcome<()> {
    let begin = Instant::now();
    let wanted: Vec<Vec<i32>> = targets.iter().map(|ids| sorted(ids)).collect();
    let mut last = String::new();
    while begin.elapsed() < MOVED_LIMIT {
        match map_of_any(addresses, TOPIC) {
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
    fail(format!("{TOPIC} is not where it ought to be after {MOVED_LIMIT:?}: {last}"))
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

    /// AlterPartitionReassignments v0, which has the flexible encoding.
    fn reassign(&mut self, topic: &str, targets: &[Vec<i32>]) -> Outcome<()> {
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
