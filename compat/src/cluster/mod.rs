//! Three nodes under load while one after the other is killed, stopped and paused: nothing acknowledged is lost.
//! Shell: processes, threads, the clock.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

mod audit;
mod load;
mod moves;
mod nodes;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::broker;
use crate::cluster::load::Stage;
use crate::cluster::nodes::{Nodes, map_of_any};
use crate::failure::{Failure, Outcome, fail};
use crate::wire::Connection;

pub const NAME: &str = "cluster";
const TOPIC: &str = "cluster-load";
const GROUP: &str = "cluster-group";
const NODES: usize = 3;
const PARTITIONS: usize = 6;
/// Load before each disturbance, and after it.
const CALM: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub struct Plan {
    /// How often every disturbance comes.
    pub rounds: u32,
    pub overrides: Vec<String>,
}

/// Whom it meets, and what is done to it.
#[derive(Debug, Clone, Copy)]
enum Disturbance {
    KillLeader,
    KillController,
    KillCoordinator,
    StopLeader,
    PauseLeader,
}

const DISTURBANCES: [Disturbance; 5] = [
    Disturbance::KillLeader,
    Disturbance::KillController,
    Disturbance::KillCoordinator,
    Disturbance::StopLeader,
    Disturbance::PauseLeader,
];

/// Runs all rounds and the audit; true when nothing failed.
pub fn run(plan: &Plan) -> Outcome<bool> {
    println!("building ottla");
    broker::build_ottla()?;
    let begin = Instant::now();
    let mut nodes = Nodes::start(NODES, &plan.overrides)?;
    println!("{NODES} nodes serve after {} ms", begin.elapsed().as_millis());
    match under_load(plan, &mut nodes) {
        Ok(text) => {
            drop(nodes);
            println!("cluster passed in {:.0} s: {text}", begin.elapsed().as_secs_f64());
            run_moves(plan)
        }
        Err(failure) => {
            println!("{}", nodes.last_output(25));
            println!("cluster FAILED after {:.0} s: {failure}", begin.elapsed().as_secs_f64());
            Ok(false)
        }
    }
}

fn run_moves(plan: &Plan) -> Outcome<bool> {
    let begin = Instant::now();
    let moved = moves::run(&plan.overrides);
    match &moved {
        Ok(text) => println!("moves passed in {:.0} s: {text}", begin.elapsed().as_secs_f64()),
        Err(failure) => println!("moves FAILED after {:.0} s: {failure}", begin.elapsed().as_secs_f64()),
    }
    Ok(moved.is_ok())
}

fn under_load(plan: &Plan, nodes: &mut Nodes) -> Outcome<String> {
    let partitions = i32::try_from(PARTITIONS).unwrap_or(1);
    let mut open = Connection::open(&nodes.addresses[0], Duration::from_secs(10))?;
    open.create_replicated_topic(TOPIC, partitions, NODES as i16)?;
    nodes.wait_until_whole(TOPIC)?;
    let stage = Stage::new(nodes.addresses.clone(), TOPIC, GROUP);
    let (disturbed, acknowledged, committed) = std::thread::scope(|scope| {
        let stage = &stage;
        let producers: Vec<_> =
            (0..PARTITIONS).map(|partition| scope.spawn(move || load::produce(stage, partition))).collect();
        let group = scope.spawn(move || load::commit(stage));
        let disturbed = disturb(plan, nodes, stage);
        stage.settle.store(true, Ordering::SeqCst);
        let acknowledged: Outcome<Vec<u64>> = producers.into_iter().map(|one| joined(one.join())).collect();
        (disturbed, acknowledged, joined(group.join()))
    });
    let (acknowledged, committed) = (acknowledged?, committed?);
    disturbed?;
    nodes.wait_until_whole(TOPIC)?;
    audit::records(&nodes.addresses, TOPIC, &acknowledged)?;
    let stored = load::committed(&stage)?;
    // The last one may have been taken without its answer.
    if stored != committed && stored != committed + 1 {
        return fail(format!("offset {committed} was committed, {stored} is stored"));
    }
    for id in 1..=NODES as i32 {
        nodes.stop(id)?;
    }
    let bytes = audit::copies(&nodes.log_dirs(), TOPIC, PARTITIONS)?;
    Ok(format!(
        "{} records acknowledged and {committed} commits; each record is there once and in order, and the {bytes} bytes \
         of every copy are equal",
        acknowledged.iter().sum::<u64>()
    ))
}

fn joined<T>(result: std::thread::Result<Outcome<T>>) -> Outcome<T> {
    result.unwrap_or_else(|_| fail("a thread of the test panicked"))
}

fn disturb(plan: &Plan, nodes: &mut Nodes, stage: &Stage) -> Outcome<()> {
    for round in 1..=plan.rounds {
        for disturbance in DISTURBANCES {
            calm(stage)?;
            let longest_before = stage.take_longest_gap();
            let id = victim(nodes, disturbance)?;
            match disturbance {
                Disturbance::StopLeader => nodes.stop(id)?,
                Disturbance::PauseLeader => {
                    nodes.pause(id, true)?;
                    std::thread::sleep(PAUSE);
                    nodes.pause(id, false)?;
                }
                _ => nodes.kill9(id)?,
            }
            calm(stage)?;
            let longest = stage.take_longest_gap();
            if !matches!(disturbance, Disturbance::PauseLeader) {
                nodes.restart(id)?;
            }
            let whole = nodes.wait_until_whole(TOPIC)?;
            println!(
                "  round {round}, {disturbance:?} (node {id}): longest gap of a partition {} ms (before it {} ms), whole \
                 again {} ms after the node was back",
                longest.as_millis(),
                longest_before.as_millis(),
                whole.as_millis()
            );
        }
    }
    calm(stage)
}

/// Lets the load run, and makes sure that it does.
fn calm(stage: &Stage) -> Outcome<()> {
    let (records, commits) =
        (stage.acknowledged.load(Ordering::Relaxed), stage.commits.load(Ordering::Relaxed));
    let begin = Instant::now();
    let is_going = || {
        stage.acknowledged.load(Ordering::Relaxed) > records
            && stage.commits.load(Ordering::Relaxed) > commits
    };
    while begin.elapsed() < CALM || !is_going() {
        if begin.elapsed() > Duration::from_secs(40) {
            return fail(format!(
                "nothing goes on any more: {} records and {} commits in 40 s",
                stage.acknowledged.load(Ordering::Relaxed) - records,
                stage.commits.load(Ordering::Relaxed) - commits
            ));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn victim(nodes: &Nodes, disturbance: Disturbance) -> Outcome<i32> {
    let map = map_of_any(&nodes.addresses, TOPIC)?;
    match disturbance {
        Disturbance::KillController => Ok(map.controller),
        Disturbance::KillCoordinator => {
            let mut open = Connection::open(&nodes.addresses[0], Duration::from_secs(2))?;
            Ok(open.coordinator(GROUP)?.0)
        }
        Disturbance::KillLeader | Disturbance::StopLeader | Disturbance::PauseLeader => {
            map.leaders.first().copied().ok_or_else(|| Failure("partition 0 has no leader".to_owned()))
        }
    }
}
