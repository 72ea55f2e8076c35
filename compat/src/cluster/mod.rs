//! Three nodes under load while one after the other is killed, stopped, paused and cut off: nothing acknowledged is lost.
//! Shell: processes, threads, network namespaces, the clock.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

mod audit;
mod faults;
mod founder;
mod load;
pub mod mixed;
pub mod moves;
mod network;
pub(crate) mod nodes;
mod relay;
mod secured;
mod share;
mod voters;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::broker;
use crate::cluster::load::Stage;
use crate::cluster::network::{Network, Opened};
use crate::cluster::nodes::{Map, Nodes, map_of_any};
use crate::cluster::secured::Secured;
use crate::failure::{Failure, Outcome, fail};
use crate::wire::Connection;

pub const NAME: &str = "cluster";
const TOPIC: &str = "cluster-load";
const GROUP: &str = "cluster-group";
const NODES: usize = 3;
const PARTITIONS: usize = 6;
/// Load before each disturbance, and after it.
const CALM: Duration = Duration::from_secs(2);
/// How long a node is paused, or cut off.
const AWAY: Duration = Duration::from_secs(5);
/// A stop that nobody may take for the end of a node.
const HICCUP: Duration = Duration::from_millis(300);
/// No disturbance of one node may be felt for longer; the limits of docs are for a quiet machine.
const GAP_LIMIT: Duration = Duration::from_secs(4);

#[derive(Debug, Clone)]
pub struct Plan {
    /// How often every disturbance comes.
    pub rounds: u32,
    pub overrides: Vec<String>,
    /// All disturbances, and a share consumer; without, those that a quick look needs.
    pub is_whole: bool,
    /// Whether the nodes speak SASL_SSL among themselves.
    pub is_secured: bool,
}

impl Plan {
    pub fn whole(overrides: Vec<String>) -> Plan {
        Plan { rounds: 1, overrides, is_whole: true, is_secured: false }
    }

    pub fn quick(overrides: Vec<String>) -> Plan {
        Plan { rounds: 1, overrides, is_whole: false, is_secured: false }
    }

    /// The disturbances of a quick look over SASL_SSL, and strangers.
    pub fn secured(overrides: Vec<String>) -> Plan {
        Plan { is_secured: true, ..Plan::quick(overrides) }
    }
}

/// Whom it meets, and what is done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disturbance {
    KillLeader,
    KillController,
    KillCoordinator,
    StopLeader,
    PauseLeader,
    /// A stop of the process that is over before it counts: nobody is elected.
    Hiccup,
    /// From the other nodes, not from its clients.
    IsolateLeader,
    IsolateController,
    /// From clients, too.
    IsolateWhole,
    /// It hears the others, and they don't hear it.
    Mute,
    /// A leader and the controller lose each other, and a third node hears both: nobody is elected.
    CutOneLink,
}

use Disturbance::{
    CutOneLink, Hiccup, IsolateController, IsolateLeader, IsolateWhole, KillController, KillCoordinator,
    KillLeader, Mute, PauseLeader, StopLeader,
};

const DISTURBANCES: [Disturbance; 11] = [
    KillLeader,
    KillController,
    KillCoordinator,
    StopLeader,
    PauseLeader,
    Hiccup,
    IsolateLeader,
    IsolateController,
    IsolateWhole,
    Mute,
    CutOneLink,
];

impl Disturbance {
    fn needs_network(self) -> bool {
        matches!(self, IsolateLeader | IsolateController | IsolateWhole | Mute | CutOneLink)
    }

    /// Whether a quick look has it.
    fn is_quick(self) -> bool {
        !matches!(self, IsolateController | IsolateWhole | Mute | CutOneLink)
    }

    /// Whether the process ends.
    fn ends_it(self) -> bool {
        matches!(self, KillLeader | KillController | KillCoordinator | StopLeader)
    }

    /// Whether every node must keep what it leads.
    fn is_harmless(self) -> bool {
        matches!(self, Hiccup | CutOneLink)
    }
}

/// Runs all rounds and the audit; true when nothing failed.
pub fn run(plan: &Plan) -> Outcome<bool> {
    println!("building ottla");
    broker::build_ottla()?;
    let begin = Instant::now();
    let secured = plan.is_secured.then(Secured::make).transpose()?;
    let mut overrides = secured.as_ref().map(Secured::overrides).unwrap_or_default();
    overrides.extend_from_slice(&plan.overrides);
    // Their certificates name this machine, not hosts of a network of their own.
    let network = if plan.is_secured { None } else { network()? };
    let inside = plan.is_secured.then_some("INSIDE");
    let mut nodes = Nodes::start(NODES, inside, &overrides, network)?;
    println!("{NODES} nodes serve after {} ms", begin.elapsed().as_millis());
    match under_load(plan, &mut nodes, secured.as_ref()) {
        Ok(text) => {
            drop(nodes);
            println!("cluster passed in {:.0} s: {text}", begin.elapsed().as_secs_f64());
            if !plan.is_secured && !run_voters(plan) {
                return Ok(false);
            }
            if !plan.is_secured && !run_faults(plan) {
                return Ok(false);
            }
            Ok(!plan.is_whole || run_moves(&moves::Plan::whole(plan.overrides.clone())?))
        }
        Err(failure) => {
            println!("{}", nodes.last_output(25));
            println!("cluster FAILED after {:.0} s: {failure}", begin.elapsed().as_secs_f64());
            Ok(false)
        }
    }
}

/// Builds the program and lets the controllers change.
pub fn run_voters_alone(plan: &Plan) -> Outcome<bool> {
    println!("building ottla");
    broker::build_ottla()?;
    Ok(run_voters(plan))
}

/// Builds the program and lets something be the matter with nodes that live.
pub fn run_faults_alone(plan: &Plan) -> Outcome<bool> {
    println!("building ottla");
    broker::build_ottla()?;
    Ok(run_faults(plan))
}

/// Whether it passed; says what it came to.
fn passes(name: &str, run: impl FnOnce() -> Outcome<String>) -> bool {
    let begin = Instant::now();
    let outcome = run();
    let seconds = begin.elapsed().as_secs_f64();
    match &outcome {
        Ok(text) => println!("{name} passed in {seconds:.0} s: {text}"),
        Err(failure) => println!("{name} FAILED after {seconds:.0} s: {failure}"),
    }
    outcome.is_ok()
}

fn run_faults(plan: &Plan) -> bool {
    passes("faults", || faults::run_all(&plan.overrides))
}

/// Controllers that come and go, and a node that was alone and becomes one of three.
fn run_voters(plan: &Plan) -> bool {
    passes("voters", || voters::run(&plan.overrides)) && passes("founder", || founder::run(&plan.overrides))
}

/// Hosts of their own, where this machine can make them.
fn network() -> Outcome<Option<Network>> {
    Ok(match Network::open(NODES)? {
        Opened::Network(network) => Some(network),
        Opened::NotAllowed(why) => {
            println!("  no node is cut off here, as this machine makes no network namespaces: {why}");
            None
        }
    })
}

/// Builds the program and lets replicas move.
pub fn run_moves_alone(plan: &moves::Plan) -> Outcome<bool> {
    println!("building ottla");
    broker::build_ottla()?;
    Ok(run_moves(plan))
}

fn run_moves(plan: &moves::Plan) -> bool {
    passes("moves", || moves::run(plan))
}

fn under_load(plan: &Plan, nodes: &mut Nodes, secured: Option<&Secured>) -> Outcome<String> {
    let partitions = i32::try_from(PARTITIONS).unwrap_or(1);
    let mut open = Connection::open(&nodes.addresses[0], Duration::from_secs(10))?;
    open.create_replicated_topic(TOPIC, partitions, NODES as i16)?;
    nodes.wait_until_whole(TOPIC)?;
    let stage = Stage::new(nodes.addresses.clone(), TOPIC, GROUP);
    let (disturbed, acknowledged, committed) =
        load::produce_and_commit_while(&stage, PARTITIONS, || disturb(plan, nodes, &stage));
    let (acknowledged, committed) = (acknowledged?, committed?);
    disturbed?;
    nodes.wait_until_whole(TOPIC)?;
    audit::records(&nodes.addresses, TOPIC, &acknowledged)?;
    let stored = load::committed(&stage)?;
    // The last one may have been taken without its answer.
    if stored != committed && stored != committed + 1 {
        return fail(format!("offset {committed} was committed, {stored} is stored"));
    }
    if plan.is_whole {
        println!("  share consumer, each node killed once: {}", share::under_kills(nodes)?);
    }
    nodes.stop(NODES as i32)?;
    if let Some(secured) = secured {
        secured.check_strangers(nodes)?;
    }
    for id in 1..NODES as i32 {
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
            let is_wanted = plan.is_whole || disturbance.is_quick();
            if is_wanted && (!disturbance.needs_network() || nodes.network.is_some()) {
                let text = disturb_once(nodes, stage, disturbance)?;
                println!("  round {round}, {text}");
            }
        }
    }
    calm(stage)
}

fn disturb_once(nodes: &mut Nodes, stage: &Stage, disturbance: Disturbance) -> Outcome<String> {
    calm(stage)?;
    let longest_before = stage.take_longest_gap();
    let before = map_of_any(&nodes.addresses, TOPIC)?;
    let id = victim(nodes, &before, disturbance)?;
    do_to(nodes, id, before.controller, disturbance)?;
    calm(stage)?;
    let longest = stage.take_longest_gap();
    if disturbance.ends_it() {
        nodes.restart(id)?;
    }
    let whole = nodes.wait_until_whole(TOPIC)?;
    let after = map_of_any(&nodes.addresses, TOPIC)?;
    if disturbance.is_harmless() && after.epochs != before.epochs {
        return fail(format!(
            "{disturbance:?} (node {id}): leaders were elected, from epochs {:?} to {:?}",
            before.epochs, after.epochs
        ));
    }
    // Where one link is cut, what its ends replicate waits: nobody knows which of them should go.
    if longest > GAP_LIMIT && disturbance != CutOneLink {
        return fail(format!("{disturbance:?} (node {id}): nothing was acknowledged for {longest:?}"));
    }
    Ok(format!(
        "{disturbance:?} (node {id}): longest gap of a partition {} ms (before it {} ms), whole again {} ms after the \
         node was back",
        longest.as_millis(),
        longest_before.as_millis(),
        whole.as_millis()
    ))
}

/// Does it, and undoes what does not end the process.
fn do_to(nodes: &mut Nodes, id: i32, controller: i32, disturbance: Disturbance) -> Outcome<()> {
    let place = |id: i32| usize::try_from(id - 1).unwrap_or(0);
    let paused_for = |nodes: &mut Nodes, wait| {
        nodes.pause(id, true)?;
        std::thread::sleep(wait);
        nodes.pause(id, false)
    };
    match disturbance {
        KillLeader | KillController | KillCoordinator => return nodes.kill9(id),
        StopLeader => return nodes.stop(id),
        PauseLeader => return paused_for(nodes, AWAY),
        Hiccup => return paused_for(nodes, HICCUP),
        IsolateLeader | IsolateController | IsolateWhole | Mute | CutOneLink => {}
    }
    let Some(network) = &nodes.network else { return fail("there is no network to cut") };
    match disturbance {
        IsolateWhole => network.isolate_whole(place(id))?,
        Mute => (0..NODES)
            .filter(|other| *other != place(id))
            .try_for_each(|other| network.cut_one_way(place(id), other))?,
        CutOneLink => {
            let other = if id == controller { id % NODES as i32 + 1 } else { controller };
            network.cut_one_way(place(id), place(other))?;
            network.cut_one_way(place(other), place(id))?;
        }
        _ => network.isolate(place(id))?,
    }
    std::thread::sleep(AWAY);
    network.heal()
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

fn victim(nodes: &Nodes, map: &Map, disturbance: Disturbance) -> Outcome<i32> {
    match disturbance {
        KillController | IsolateController => Ok(map.controller),
        KillCoordinator => {
            let mut open = Connection::open(&nodes.addresses[0], Duration::from_secs(2))?;
            Ok(open.coordinator(GROUP)?.0)
        }
        _ => map.leaders.first().copied().ok_or_else(|| Failure("partition 0 has no leader".to_owned())),
    }
}
