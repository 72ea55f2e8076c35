//! `ottla balance`: shows what would make a cluster even, and does it when asked to.
//! Shell over the client; what moves is decided by `balance_plan`.

use std::collections::BTreeSet;
use std::time::Duration;

use ottla_protocol::messages::DescribeLogDirsRequest;

use crate::admin;
use crate::balance_plan::{Sizes, propose};
use crate::client::Client;
use crate::command::Line;
use crate::error::{Exception, Failure};
use crate::moving::{self, Broker, MOVING_MAX, Move, Wanted};
use crate::options::{Known, Options, flag, value};
use crate::terminal::Terminal;

const LEADER_RATE: &str = "leader.replication.throttled.rate";
const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";
const LEADER_REPLICAS: &str = "leader.replication.throttled.replicas";
const FOLLOWER_REPLICAS: &str = "follower.replication.throttled.replicas";
const LOOK_AGAIN: Duration = Duration::from_millis(500);

pub const OPTIONS: &[Known] = &[
    value("bootstrap-server", "The brokers to connect to: host:port, several between commas."),
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
    let address = options.get("bootstrap-server").unwrap_or("localhost:9092");
    let settings = crate::command::settings(options.get("command-config"), Default::default())?;
    let mut client = Client::new(address, settings)?;
    let taking = taking(&mut client, terminal)?;
    let moves = look(&mut client, terminal, &taking)?;
    for one in &moves {
        let target: Vec<String> = one.target.iter().map(i32::to_string).collect();
        terminal.say(&format!("{}-{}: to {} ({})", one.topic, one.index, target.join(","), one.reason))?;
    }
    terminal.say(&format!("{} partition(s) to change.", moves.len()))?;
    if !options.has("execute") || moves.is_empty() {
        return Ok(());
    }
    let topics: BTreeSet<String> = moves.iter().map(|one| one.topic.clone()).collect();
    let rate = throttle.map(|rate| rate.to_string());
    if rate.is_some() {
        set_throttles(&mut client, terminal, (&taking, &topics), rate.as_deref())?;
    }
    let done = execute(&mut client, terminal, moves);
    if rate.is_some() {
        set_throttles(&mut client, terminal, (&taking, &topics), None)?;
    }
    done
}

/// Brokers that live and take replicas.
fn taking(client: &mut Client, terminal: &mut Terminal<'_>) -> Result<Vec<Broker>, Exception> {
    let mut taking = Vec::new();
    for broker in moving::brokers(client, terminal)?.iter().filter(|broker| !broker.is_fenced) {
        if !moving::is_cordoned(client, terminal, broker.broker_id.0)? {
            taking.push(Broker::from(broker));
        }
    }
    Ok(taking)
}

fn look(client: &mut Client, terminal: &mut Terminal<'_>, taking: &[Broker]) -> Result<Vec<Move>, Exception> {
    let mut sizes = Sizes::new();
    for broker in taking {
        let request = DescribeLogDirsRequest { topics: None, ..DescribeLogDirsRequest::default() };
        let response = client.node(terminal, "describeLogDirs", broker.id, &request)?;
        for topic in response.results.iter().flat_map(|dir| &dir.topics) {
            for partition in topic.partitions.iter().filter(|partition| !partition.is_future_key) {
                let key = (topic.name.to_string(), partition.partition_index);
                let size = u64::try_from(partition.partition_size).unwrap_or(0);
                // The leader's is the largest.
                sizes.entry(key).and_modify(|known| *known = size.max(*known)).or_insert(size);
            }
        }
    }
    let moving = admin::reassignments(client, terminal)?;
    let partitions = moving::partitions(client, terminal)?;
    let planned = propose(taking, &partitions, &sizes);
    // One that is on its way has its turn when it has arrived.
    Ok(planned.into_iter().filter(|one| !moving.contains_key(&(one.topic.clone(), one.index))).collect())
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
        moves.into_iter().rev().map(|one| (one.topic, one.index, Some(one.target))).collect();
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
