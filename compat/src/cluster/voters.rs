//! Controllers that come and go under load: a fourth joins by itself, a disk is lost, and the leader is taken out.
//! Shell: processes, sockets, the clock.
//!
//! Nothing that was acknowledged is lost, and in the end those vote who ought to, each with the directory that it has.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::broker::ottla_binary;
use crate::cluster::audit;
use crate::cluster::load::{self, Stage};
use crate::cluster::nodes::{Nodes, map_of_any};
use crate::failure::{Failure, Outcome, While, fail};
use crate::places::ScratchDir;
use crate::process::{Process, capture};
use crate::wire::Connection;

const TOPIC: &str = "cluster-voters";
const GROUP: &str = "cluster-voters-group";
const NODES: usize = 3;
const PARTITIONS: usize = 3;
/// How long one step may take.
pub(super) const LIMIT: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Records that must come through behind each step.
const CALM_RECORDS: u64 = 100;

/// Who leads the controllers, and who votes with which directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quorum {
    pub leader: i32,
    pub voters: BTreeMap<i32, String>,
    /// Where they listen, as the log says it; nothing at kraft.version 0.
    pub endpoints: BTreeMap<i32, Vec<String>>,
}

/// The commands of `ottla`, as a person runs them.
pub(super) struct Commands {
    pub scratch: ScratchDir,
}

impl Commands {
    fn of(addresses: &[String], arguments: &[&str]) -> Outcome<Command> {
        let mut command = Command::new(ottla_binary()?);
        let (name, rest) = arguments.split_first().ok_or_else(|| Failure("no command".to_owned()))?;
        command.arg(name).args(["--bootstrap-server", &addresses.join(",")]).args(rest);
        Ok(command)
    }

    pub(super) fn run(&self, addresses: &[String], arguments: &[&str]) -> Outcome<String> {
        let mut command = Self::of(addresses, arguments)?;
        Ok(capture("command", &mut command, None, self.scratch.path(), LIMIT)?.output)
    }

    fn quorum(&self, addresses: &[String]) -> Outcome<Quorum> {
        quorum_of(&self.run(addresses, &["kafka-metadata-quorum", "describe", "--status"])?)
    }

    /// Waits until those vote that have these directories.
    pub(super) fn wait_until_vote(
        &self,
        addresses: &[String],
        wanted: &BTreeMap<i32, String>,
    ) -> Outcome<Quorum> {
        let what = format!("{wanted:?} are to vote");
        self.wait_until(addresses, &what, |quorum| quorum.voters == *wanted && quorum.leader >= 0)
    }

    /// Waits until the quorum is as it ought to be.
    pub(super) fn wait_until(
        &self,
        addresses: &[String],
        what: &str,
        is_so: impl Fn(&Quorum) -> bool,
    ) -> Outcome<Quorum> {
        let begin = Instant::now();
        loop {
            match self.quorum(addresses) {
                Ok(quorum) if is_so(&quorum) => return Ok(quorum),
                found if begin.elapsed() > LIMIT => return fail(format!("{what}, and there is {found:?}")),
                _ => std::thread::sleep(LOOK_AGAIN),
            }
        }
    }
}

fn quorum_of(text: &str) -> Outcome<Quorum> {
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(str::trim).ok_or_else(|| Failure(format!("the quorum has no {name}: {text}")))
    };
    let leader = value("LeaderId")?.parse().while_doing(|| "reading LeaderId".to_owned())?;
    let voters: Vec<serde_json::Value> =
        serde_json::from_str(value("CurrentVoters")?).while_doing(|| "reading CurrentVoters".to_owned())?;
    let voter = |one: &serde_json::Value| {
        let id = i32::try_from(one.get("id")?.as_i64()?).ok()?;
        Some((id, one.get("directoryId")?.as_str()?.to_owned()))
    };
    let endpoints = |one: &serde_json::Value| {
        let id = i32::try_from(one.get("id")?.as_i64()?).ok()?;
        let all = one.get("endpoints")?.as_array()?.iter();
        Some((id, all.filter_map(|one| one.as_str().map(str::to_owned)).collect()))
    };
    let known = voters.iter().map(voter).collect::<Option<BTreeMap<_, _>>>();
    let endpoints = voters.iter().filter_map(endpoints).collect();
    let voters = known.ok_or_else(|| Failure(format!("a voter has no id or no directory: {text}")))?;
    Ok(Quorum { leader, voters, endpoints })
}

/// The directory that a node has now.
pub(super) fn directory_of(log_dir: &Path) -> Outcome<String> {
    let text = std::fs::read_to_string(log_dir.join("meta.properties"))?;
    let id = text.lines().find_map(|line| line.strip_prefix("directory.id="));
    id.map(str::to_owned).ok_or_else(|| Failure(format!("no directory.id in {}", log_dir.display())))
}

fn directories(nodes: &Nodes, ids: &[i32]) -> Outcome<BTreeMap<i32, String>> {
    let dirs = nodes.log_dirs();
    let of = |id: &i32| {
        let place = usize::try_from(id - 1).ok().and_then(|place| dirs.get(place));
        let dir = place.ok_or_else(|| Failure(format!("there is no node {id}")))?;
        Ok((*id, directory_of(dir)?))
    };
    ids.iter().map(of).collect()
}

pub fn run(overrides: &[String]) -> Outcome<String> {
    let mut all = vec!["controller.quorum.auto.join.enable=true".to_owned()];
    all.extend_from_slice(overrides);
    let mut nodes = Nodes::start(NODES, None, &all, None)?;
    let result = under_load(&mut nodes, &all);
    if result.is_err() {
        println!("{}", nodes.last_output(25));
    }
    result
}

fn under_load(nodes: &mut Nodes, overrides: &[String]) -> Outcome<String> {
    let commands = Commands { scratch: ScratchDir::new("voters")? };
    // Before there is anything that could not move.
    refuse_while_fixed(&commands, &nodes.addresses)?;
    let mut open = Connection::open(&nodes.addresses[0], Duration::from_secs(10))?;
    open.create_replicated_topic(TOPIC, PARTITIONS as i32, NODES as i16)?;
    nodes.wait_until_whole(TOPIC)?;
    // The fourth is not there yet.
    let mut stage = Stage::new(nodes.addresses.clone(), TOPIC, GROUP);
    stage.addresses.push(nodes.reserve()?);
    let (changed, acknowledged) =
        load::produce_while(&stage, PARTITIONS, || change(&commands, nodes, &stage, overrides));
    let gone = changed?;
    let acknowledged = acknowledged?;
    let remaining: Vec<i32> = (1..=NODES as i32 + 1).filter(|id| *id != gone).collect();
    wait_until_in_sync(&nodes.addresses, TOPIC, &remaining)?;
    audit::records(&nodes.addresses, TOPIC, &acknowledged)?;
    for id in &remaining {
        nodes.stop(*id)?;
    }
    let dirs = nodes.log_dirs();
    let dirs: Vec<_> = (1..).zip(dirs).filter(|(id, _)| *id != gone).map(|(_, dir)| dir).collect();
    let bytes = audit::copies(&dirs, TOPIC, PARTITIONS)?;
    Ok(format!(
        "{} records acknowledged; each is there once and in order, and the {bytes} bytes of every copy are equal",
        acknowledged.iter().sum::<u64>()
    ))
}

/// A vote that the configuration gives is not taken away, and nothing is done before that is said.
fn refuse_while_fixed(commands: &Commands, addresses: &[String]) -> Outcome<()> {
    match commands.run(addresses, &["decommission", "3"]) {
        Err(Failure(text)) if text.contains("Broker 3 votes among the controllers") => Ok(()),
        other => fail(format!("the decommission of a voter at kraft.version 0 gave {other:?}")),
    }
}

/// All that is done to the voters; gives who is gone in the end.
fn change(commands: &Commands, nodes: &mut Nodes, stage: &Stage, overrides: &[String]) -> Outcome<i32> {
    let mut clock = Instant::now();
    let mut tell = |what: &str| {
        println!("  voters: {what}, {} ms", clock.elapsed().as_millis());
        clock = Instant::now();
    };
    let first = nodes.addresses.clone();
    commands.run(&first, &["kafka-features", "upgrade", "--feature", "kraft.version=1"])?;
    let three = directories(nodes, &[1, 2, 3])?;
    commands.wait_until_vote(&first, &three)?;
    calm(stage)?;
    tell("the log says who votes");

    let fourth = nodes.join(overrides)?;
    let four = directories(nodes, &[1, 2, 3, fourth])?;
    let quorum = commands.wait_until_vote(&first, &four)?;
    calm(stage)?;
    tell("a fourth controller has joined by itself");

    let lost = (1..=NODES as i32).find(|id| *id != quorum.leader).unwrap_or(1);
    nodes.kill9(lost)?;
    nodes.wipe(lost)?;
    nodes.restart(lost)?;
    let renewed = directories(nodes, &[1, 2, 3, fourth])?;
    if renewed.get(&lost) == four.get(&lost) {
        return fail(format!("node {lost} has its old directory although its disk is empty"));
    }
    let quorum = commands.wait_until_vote(&nodes.addresses, &renewed)?;
    wait_until_in_sync(&nodes.addresses, TOPIC, &[1, 2, 3])?;
    calm(stage)?;
    tell(&format!("node {lost} came back with an empty disk, and votes again"));

    let gone = quorum.leader;
    decommission(commands, nodes, gone)?;
    let mut others = renewed;
    others.remove(&gone);
    commands.wait_until_vote(&nodes.addresses, &others)?;
    calm(stage)?;
    tell(&format!("node {gone}, which led the controllers, was taken out"));
    Ok(gone)
}

/// Takes a node out as OPERATING says: the command, and a stop of the process when it asks for it.
fn decommission(commands: &Commands, nodes: &mut Nodes, id: i32) -> Outcome<()> {
    let output = commands.scratch.path().join("decommission.out");
    let mut command = Commands::of(&nodes.addresses, &["decommission", &id.to_string()])?;
    let mut process = Process::start("decommission", &mut command, &output)?;
    let begin = Instant::now();
    let mut is_stopped = false;
    loop {
        let said = std::fs::read_to_string(&output)?;
        if let Some(status) = process.exited()? {
            let votes_no_more = format!("Broker {id} votes no more among the controllers.");
            return match status.success() && is_stopped && said.contains(&votes_no_more) {
                true => Ok(()),
                false => fail(format!("decommission {id} ended with {status}: {said}")),
            };
        }
        if !is_stopped && said.contains("stop its process now") {
            nodes.stop(id)?;
            is_stopped = true;
        }
        if begin.elapsed() > LIMIT {
            return fail(format!("decommission {id} still runs: {said}"));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

pub(super) fn wait_until_in_sync(addresses: &[String], topic: &str, brokers: &[i32]) -> Outcome<()> {
    let begin = Instant::now();
    loop {
        let map = map_of_any(addresses, topic);
        let is_whole = |map: &crate::cluster::nodes::Map| {
            let sorted = |ids: &Vec<i32>| {
                let mut ids = ids.clone();
                ids.sort_unstable();
                ids
            };
            map.isr.iter().all(|isr| sorted(isr) == *brokers) && !map.isr.is_empty()
        };
        match &map {
            Ok(map) if is_whole(map) => return Ok(()),
            _ if begin.elapsed() > LIMIT => return fail(format!("{brokers:?} are not all in sync: {map:?}")),
            _ => std::thread::sleep(LOOK_AGAIN),
        }
    }
}

/// The load goes on.
pub(super) fn calm(stage: &Stage) -> Outcome<()> {
    let (before, begin) = (stage.acknowledged.load(Ordering::Relaxed), Instant::now());
    while stage.acknowledged.load(Ordering::Relaxed) < before + CALM_RECORDS {
        if begin.elapsed() > LIMIT {
            return fail("nothing is acknowledged any more");
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_votes_is_read_from_the_status() {
        let text = "ClusterId:              c\nLeaderId:               2\nCurrentVoters:          [{\"id\": 1, \
                    \"directoryId\": \"d\", \"endpoints\": [\"C://h:1\"]}, {\"id\": 2, \"directoryId\": \"e\"}]\n\
                    CurrentObservers:       []\n";
        let voters = BTreeMap::from([(1, "d".to_owned()), (2, "e".to_owned())]);
        let endpoints = BTreeMap::from([(1, vec!["C://h:1".to_owned()])]);
        assert_eq!(quorum_of(text), Ok(Quorum { leader: 2, voters, endpoints }));
        assert!(quorum_of("LeaderId: 1\nCurrentVoters: [{\"id\": 1}]\n").is_err(), "no directory");
    }
}
