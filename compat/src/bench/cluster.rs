//! Workloads of three nodes on this one machine: what replication costs, how long it takes to come back, what rest costs.
//! Shell: starts brokers, drives them, reads the clock.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::clients::Client;
use super::frames;
use super::gauge::{cpu_seconds_of, memory_mib_of};
use super::lifecycle::{PARTITIONS_A_TOPIC, millis, topic_name};
use super::load::{self, Load, Span};
use super::machine;
use super::scene::{Bout, Filled, PATIENCE, Rows, Scale, Side};
use super::table::{Figure, Measured};
use crate::broker::{Against, Broker};
use crate::cluster::nodes::{Map, map_within};
use crate::failure::{Failure, Outcome, fail};
use crate::several::{Layout, Several};
use crate::wire::Connection;

const NODES: usize = 3;
const REPLICAS: i16 = 3;
const PARTITIONS: i32 = 12;
const LOOK_INTERVAL: Duration = Duration::from_millis(2);
const IDLE_SPAN: Duration = Duration::from_secs(10);
/// Three JVMs that start on two cores need their time; so do ten thousand partitions of theirs.
const WHOLE_LIMIT: Duration = Duration::from_secs(600);

/// Nodes whose leaders stay where a bout found them, and whose deleted files go at once.
fn start(against: Against) -> Outcome<Several> {
    let overrides = [
        "offsets.topic.replication.factor=3",
        "offsets.topic.num.partitions=5",
        "auto.leader.rebalance.enable=false",
        "log.segment.delete.delay.ms=10",
    ];
    let overrides = overrides.iter().map(|line| (*line).to_owned()).collect();
    Several::start(against, &Layout { count: NODES, overrides, listener: None })
}

/// Looks at a topic until it is as it should be.
fn wait_for(address: &str, topic: &str, is_so: impl Fn(&Map) -> bool) -> Outcome<Map> {
    let begin = Instant::now();
    loop {
        let last = match map_within(&[address.to_owned()], topic, PATIENCE) {
            Ok(map) if is_so(&map) => return Ok(map),
            Ok(map) => format!("leaders {:?}, ISR {:?}", map.leaders, map.isr),
            Err(failure) => failure.0,
        };
        if begin.elapsed() >= WHOLE_LIMIT {
            return fail(format!("{topic} after {WHOLE_LIMIT:?}: {last}"));
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
}

fn is_whole(map: &Map) -> bool {
    map.is_whole(NODES)
}

/// A topic with all its replicas in sync; where each of its partitions is led.
fn create(address: &str, topic: &str, partitions: i32) -> Outcome<Vec<String>> {
    Connection::open(address, PATIENCE)?.create_replicated_topic(topic, partitions, REPLICAS)?;
    let leaders = leaders(&wait_for(address, topic, is_whole)?)?;
    // A leader that Metadata names may need another moment.
    for (partition, leader) in (0..).zip(&leaders) {
        load::until_answered(
            leader,
            &frames::produce(topic, partition, -1, &frames::batch(1, 100)),
            PATIENCE,
        )?;
    }
    Ok(leaders)
}

fn leaders(map: &Map) -> Outcome<Vec<String>> {
    let address = |partition| map.leader_address(partition).map(str::to_owned);
    let leaders: Option<Vec<String>> = (0..map.leaders.len()).map(address).collect();
    leaders.ok_or_else(|| Failure(format!("a leader has no address: {map:?}")))
}

fn delete(broker: &dyn Broker, folders: &[PathBuf], topic: &str) -> Outcome<()> {
    Connection::open(broker.bootstrap(), PATIENCE)?.delete_topic(topic)?;
    folders.iter().try_for_each(|folder| machine::until_gone(folder, topic))
}

/// A replicated topic of its own for each bout, deleted after it.
fn with_fresh_topic(
    row: &'static str,
    partitions: i32,
    folders: Vec<PathBuf>,
    mut bout: impl FnMut(&dyn Broker, &str, &[String], Span) -> Outcome<Load> + 'static,
    measure: fn(&Load) -> Measured,
) -> Bout {
    let mut serial = 0;
    Box::new(move |broker, span| {
        serial += 1;
        let topic = format!("{row}-{serial:03}");
        let leaders = create(broker.bootstrap(), &topic, partitions)?;
        let load = bout(broker, &topic, &leaders, span)?;
        let peak = memory_mib_of(&broker.pids(), "VmHWM")?;
        delete(broker, &folders, &topic)?;
        Ok(vec![(row, measure(&load).with(Figure::MemoryMib, peak))])
    })
}

fn sides(of: &[Against], prepare: impl Fn(&[PathBuf]) -> (Bout, Option<Bout>)) -> Outcome<Vec<Side>> {
    let side = |against: &Against| {
        let cluster = start(*against)?;
        let folders = cluster.log_dirs();
        let (bout, warmer) = prepare(&folders);
        Ok(Side { against: *against, broker: Box::new(cluster), bout, warmer })
    };
    of.iter().map(side).collect()
}

/// 64 KiB of records of 1 KiB for each partition at its leader, four requests on their way.
fn producing(row: &'static str, folders: &[PathBuf]) -> Bout {
    let batch = frames::batch(Filled::RECORDS, Filled::VALUE_BYTES);
    let bout = move |broker: &dyn Broker, topic: &str, leaders: &[String], span: Span| {
        let client = |(partition, leader): (i32, &String)| {
            let frame = frames::produce(topic, partition, -1, &batch);
            (leader.clone().into(), Client::Repeat { frame, window: 4 })
        };
        load::run_at(&broker.pids(), (0..).zip(leaders).map(client).collect(), span)
    };
    with_fresh_topic(row, PARTITIONS, folders.to_vec(), bout, Measured::of_bytes)
}

/// acks=all with three replicas: CPU of all three nodes.
pub fn produce(_scale: &Scale, of: &[Against]) -> Outcome<Vec<Side>> {
    sides(of, |folders| (producing("cluster-produce-64k", folders), None))
}

/// A thousand records a second, each waited for until all replicas have it.
pub fn open_loop(_scale: &Scale, of: &[Against]) -> Outcome<Vec<Side>> {
    const ROW: &str = "cluster-open-loop-1k";
    sides(of, |folders| {
        let batch = frames::batch(1, 100);
        let bout = move |broker: &dyn Broker, topic: &str, leaders: &[String], span: Span| {
            let frame = frames::produce(topic, 0, -1, &batch);
            let paced = Client::Paced { frame, per_second: 1_000, reader: None };
            load::run_at(&broker.pids(), vec![(leaders[0].clone().into(), paced)], span)
        };
        let bout = with_fresh_topic(ROW, 1, folders.to_vec(), bout, Measured::of_requests);
        // So thin a load would leave a JVM cold.
        (bout, Some(producing("cluster-warm-up", folders)))
    })
}

/// Topics of a hundred partitions with three replicas each; when all were led, and when all were in sync.
fn create_many(address: &str, topics: usize) -> Outcome<(f64, f64)> {
    let start = Instant::now();
    let mut open = Connection::open(address, PATIENCE)?;
    for topic in 0..topics {
        open.create_replicated_topic(&topic_name(topic), PARTITIONS_A_TOPIC, REPLICAS)?;
    }
    let is_all = |map: &Map| map.leaders.len() == PARTITIONS_A_TOPIC as usize && map.is_led();
    (0..topics).try_for_each(|topic| wait_for(address, &topic_name(topic), is_all).map(drop))?;
    let led = millis(start);
    (0..topics).try_for_each(|topic| wait_for(address, &topic_name(topic), is_whole).map(drop))?;
    Ok((led, millis(start)))
}

/// Ten thousand partitions that nobody writes to: until they are there, and what they cost at rest.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
pub fn partitions(against: Against, scale: &Scale) -> Outcome<Rows> {
    let mut cluster = start(against)?;
    let pids = cluster.pids();
    let cpu_before = cpu_seconds_of(&pids)?;
    let (led, whole) = create_many(cluster.bootstrap(), scale.part(100))?;
    let cpu = cpu_seconds_of(&pids)? - cpu_before;
    // What the creation left to do is no rest.
    std::thread::sleep(IDLE_SPAN.min(scale.span.measured * 2));
    let (before, start) = (cpu_seconds_of(&pids)?, Instant::now());
    std::thread::sleep(IDLE_SPAN.min(scale.span.measured * 4));
    let idle = (cpu_seconds_of(&pids)? - before) / start.elapsed().as_secs_f64();
    let memory = memory_mib_of(&pids, "VmRSS")? / NODES as f64;
    cluster.kill9()?;
    Ok(vec![
        (
            "cluster-10000-created",
            Measured::default().with(Figure::TimeMs, led).with(Figure::CpuSeconds, cpu),
        ),
        ("cluster-10000-in-sync", Measured::default().with(Figure::TimeMs, whole)),
        (
            "cluster-10000-idle",
            Measured::default().with(Figure::IdleCpuPercent, idle * 100.0).with(Figure::MemoryMib, memory),
        ),
    ])
}

/// A node is killed, a gigabyte is written to the two others, it comes back: until it is in sync again.
pub fn node_returns(against: Against, scale: &Scale) -> Outcome<Rows> {
    const TOPIC: &str = "cluster-return-1gb";
    let mut cluster = start(against)?;
    let bootstrap = cluster.bootstrap().to_owned();
    create(&bootstrap, TOPIC, 4)?;
    let map = wait_for(&bootstrap, TOPIC, is_whole)?;
    // Node 1 is asked for the map, and an election of a controller is not what is measured.
    let killed = if map.controller == 3 { 2 } else { 3 };
    cluster.node(killed)?.kill9()?;
    let is_taken_over = |map: &Map| map.is_led() && map.isr.iter().all(|isr| !isr.contains(&killed));
    let leaders = leaders(&wait_for(&bootstrap, TOPIC, is_taken_over)?)?;
    let batch = frames::batch(Filled::RECORDS, Filled::VALUE_BYTES);
    for (partition, leader) in (0..).zip(&leaders) {
        let frame = frames::produce(TOPIC, partition, 1, &batch);
        load::pump(leader, &[frame], scale.part(Filled::GIGABYTE))?;
    }
    machine::come_to_rest()?;
    let cpu_before = cpu_seconds_of(&cluster.pids().into_iter().filter(|pid| *pid != 0).collect::<Vec<_>>())?;
    let start = Instant::now();
    cluster.node(killed)?.restart()?;
    wait_for(&bootstrap, TOPIC, is_whole)?;
    let time = millis(start);
    // That of the new process counts from its start.
    let cpu = cpu_seconds_of(&cluster.pids())? - cpu_before;
    cluster.kill9()?;
    Ok(vec![(TOPIC, Measured::default().with(Figure::TimeMs, time).with(Figure::CpuSeconds, cpu))])
}

/// A hundred thousand partitions: the start of all nodes until all are led, and until those of a killed node are led by
/// the others.
pub fn many_partitions(against: Against, scale: &Scale) -> Outcome<Rows> {
    let mut cluster = start(against)?;
    let (bootstrap, topics) = (cluster.bootstrap().to_owned(), scale.part(1_000));
    create_many(&bootstrap, topics)?;
    cluster.kill9()?;
    let start = Instant::now();
    cluster.restart()?;
    let all = |is_so: &dyn Fn(&Map) -> bool| {
        (0..topics).try_for_each(|topic| wait_for(&bootstrap, &topic_name(topic), is_so).map(drop))
    };
    all(&Map::is_led)?;
    let started = millis(start);
    all(&is_whole)?;
    let controller = wait_for(&bootstrap, &topic_name(0), Map::is_led)?.controller;
    let killed = if controller == 3 { 2 } else { 3 };
    let start = Instant::now();
    cluster.node(killed)?.kill9()?;
    all(&|map: &Map| map.is_led() && !map.leaders.contains(&killed))?;
    let taken_over = millis(start);
    let memory = memory_mib_of(&[cluster.pid()], "VmRSS")?;
    cluster.kill9()?;
    Ok(vec![
        (
            "cluster-100000-start",
            Measured::default().with(Figure::TimeMs, started).with(Figure::MemoryMib, memory),
        ),
        ("cluster-100000-failover", Measured::default().with(Figure::TimeMs, taken_over)),
    ])
}
