//! `ottla balance`: shows what would make a cluster even, and does it when asked to.
//! Shell over the client; what moves is decided by the balance room.

use std::collections::BTreeSet;
use std::time::Duration;

use ottla_balance::plan::{Limits, propose};
use ottla_balance::sizes::take_in;
use ottla_balance::{Broker, Loads, MOVING_MAX, Move};
use ottla_protocol::messages::DescribeLogDirsRequest;

use crate::admin;
use crate::client::Client;
use crate::command::{self, Line};
use crate::error::{Exception, Failure};
use crate::moving::{self, Wanted};
use crate::options::{Known, Options, flag, value};
use crate::terminal::Terminal;

const LEADER_RATE: &str = "leader.replication.throttled.rate";
const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";
const LEADER_REPLICAS: &str = "leader.replication.throttled.replicas";
const FOLLOWER_REPLICAS: &str = "follower.replication.throttled.replicas";
/// A partition changes once in a plan: what is left is in the next one.
const ROUNDS_MAX: usize = 5;
const LOOK_AGAIN: Duration = Duration::from_millis(500);

pub const OPTIONS: &[Known] = &[
    value(
        "bootstrap-server",
        "The brokers to connect to: host:port, several between commas. Default: OTTLA_BROKERS, or localhost:9092.",
    ),
    value("command-config", "A properties file for the client."),
    flag("execute", "Do it, and wait until it is done."),
    value("throttle", "Bytes a second that a broker may copy meanwhile; the throttle ends with the moves."),
    flag("help", "Show this."),
    flag("version", "Show the version."),
];

pub const LINE: Line = Line {
    about: "balance: show which replicas would have to move for the brokers to be evenly used.",
    options: OPTIONS,
    run,
};

fn run(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let throttle = match options.get("throttle").map(str::parse::<u64>) {
        None => None,
        Some(Ok(rate)) if rate > 0 => Some(rate),
        Some(_) => return Err(Failure::Usage("--throttle takes a number of bytes".to_owned())),
    };
    let mut client = command::client(options, "bootstrap-server")?;
    for round in 1..=ROUNDS_MAX {
        let (brokers, moves) = look(&mut client, terminal)?;
        for one in &moves {
            terminal.say(&one.to_string())?;
        }
        terminal.say(&format!("{} partition(s) to change.", moves.len()))?;
        if !options.has("execute") || moves.is_empty() {
            return Ok(());
        }
        let topics: BTreeSet<String> = moves.iter().map(|one| one.topic.to_string()).collect();
        let rate = throttle.map(|rate| rate.to_string());
        if rate.is_some() {
            set_throttles(&mut client, terminal, (&brokers, &topics), rate.as_deref())?;
        }
        let done = execute(&mut client, terminal, moves);
        if rate.is_some() {
            set_throttles(&mut client, terminal, (&brokers, &topics), None)?;
        }
        done?;
        if round == ROUNDS_MAX {
            terminal.say("The cluster changes while it is balanced: run it again later.")?;
        }
    }
    Ok(())
}

/// The brokers that take replicas, and what would have to move.
fn look(client: &mut Client, terminal: &mut Terminal<'_>) -> Result<(Vec<Broker>, Vec<Move>), Exception> {
    let mut brokers = moving::standings(client, terminal)?;
    let mut loads = Loads::new();
    for broker in brokers.iter_mut().filter(|broker| broker.is_taking) {
        let request = DescribeLogDirsRequest { topics: None, ..DescribeLogDirsRequest::default() };
        let response = client.node(terminal, "describeLogDirs", broker.id, &request)?;
        broker.disk = take_in(&response, &mut loads);
    }
    let moving = admin::reassignments(client, terminal)?;
    let partitions = moving::partitions(client, terminal)?;
    let planned = propose(&brokers, &partitions, &loads, Limits::default());
    // One that is on its way has its turn when it has arrived.
    let is_still = |one: &Move| !moving.contains_key(&(one.topic.to_string(), one.index));
    brokers.retain(|broker| broker.is_taking);
    Ok((brokers, planned.into_iter().filter(is_still).collect()))
}

fn set_throttles(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    (brokers, topics): (&[Broker], &BTreeSet<String>),
    rate: Option<&str>,
) -> Result<(), Exception> {
    for broker in brokers {
        let resource = (admin::BROKER, &*broker.id.to_string());
        moving::set_config(client, terminal, resource, (LEADER_RATE, rate))?;
        moving::set_config(client, terminal, resource, (FOLLOWER_RATE, rate))?;
    }
    let all = rate.map(|_| "*");
    for topic in topics {
        moving::set_config(client, terminal, (admin::TOPIC, topic), (LEADER_REPLICAS, all))?;
        moving::set_config(client, terminal, (admin::TOPIC, topic), (FOLLOWER_REPLICAS, all))?;
    }
    Ok(())
}

fn execute(client: &mut Client, terminal: &mut Terminal<'_>, moves: Vec<Move>) -> Result<(), Failure> {
    let mut waiting: Vec<Wanted> =
        moves.into_iter().rev().map(|one| (one.topic.to_string(), one.index, Some(one.target))).collect();
    let mut said = None;
    loop {
        let under_way = admin::reassignments(client, terminal)?.len();
        if said != Some((waiting.len(), under_way)) {
            terminal.say(&format!("{under_way} under way, {} to follow.", waiting.len()))?;
            terminal.out.flush()?;
            said = Some((waiting.len(), under_way));
        }
        if waiting.is_empty() && under_way == 0 {
            return Ok(terminal.say("Done.")?);
        }
        let room = MOVING_MAX.saturating_sub(under_way).min(waiting.len());
        let next = waiting.split_off(waiting.len() - room);
        if !next.is_empty() {
            moving::reassign(client, terminal, &next)?;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}
