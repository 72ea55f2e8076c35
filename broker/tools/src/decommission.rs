//! `ottla decommission`: takes a broker's replicas away from it, and the broker out of the cluster; or takes that back.
//! Shell over the client; where replicas go is decided by the balance room.
//!
//! Nothing is kept here. That the broker is cordoned is a config of it, and what moves are reassignments: whoever runs the
//! command again goes on where it was.

use std::time::Duration;

use ottla_balance::leaving::plan;
use ottla_balance::{MOVING_MAX, Move};
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use ottla_protocol::messages::{BrokerId, UnregisterBrokerRequest};

use crate::admin;
use crate::client::Client;
use crate::command::{self, Line};
use crate::error::{Exception, Failure};
use crate::moving::{self, CORDONED, Wanted, brokers, reassign};
use crate::options::{Known, Options, flag, value};
use crate::terminal::Terminal;

const LOOK_AGAIN: Duration = Duration::from_millis(500);

pub const OPTIONS: &[Known] = &[
    value(
        "bootstrap-server",
        "The brokers to connect to: host:port, several between commas. Default: OTTLA_BROKERS, or localhost:9092.",
    ),
    value("command-config", "A properties file for the client."),
    flag("undo", "Take it back: replicas that are moving away stay, and new ones are placed there again."),
    flag("dry-run", "Only show what would move."),
    flag("help", "Show this."),
    flag("version", "Show the version."),
];

pub const LINE: Line = Line {
    about: "decommission ID: move all replicas away from a broker, and take it out of the cluster.",
    options: OPTIONS,
    run,
};

fn run(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let id: i32 = match options.others.as_slice() {
        [id] => id.parse().map_err(|_| Failure::Usage(format!("'{id}' is no broker's id")))?,
        _ => return Err(Failure::Usage("decommission takes the id of one broker".to_owned())),
    };
    let mut client = command::client(options, "bootstrap-server")?;
    if options.has("undo") {
        return undo(&mut client, terminal, id);
    }
    let moves = look(&mut client, terminal, id)?;
    if options.has("dry-run") {
        return show(&moves, terminal);
    }
    cordon(&mut client, terminal, id, Some("*"))?;
    terminal.say(&format!("Broker {id} takes no new replicas."))?;
    move_away(&mut client, terminal, id)?;
    unregister(&mut client, terminal, id)
}

fn show(moves: &[Move], terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    for one in moves {
        terminal.say(&one.to_string())?;
    }
    Ok(terminal.say(&format!("{} replica(s) to move.", moves.len()))?)
}

/// What is still to move.
fn look(client: &mut Client, terminal: &mut Terminal<'_>, id: i32) -> Result<Vec<Move>, Failure> {
    let known = brokers(client, terminal)?;
    if !known.iter().any(|broker| broker.broker_id.0 == id) {
        return Err(Failure::Sentence(format!("Broker {id} is not registered."), 1));
    }
    // Another one may be on its way out.
    let standings = moving::standings(client, terminal)?;
    let partitions = moving::partitions(client, terminal)?;
    plan(&partitions, id, &standings).map_err(|why| Failure::Sentence(why, 1))
}

/// Sets the broker's cordon, or takes it away.
fn cordon(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    id: i32,
    directories: Option<&str>,
) -> Result<(), Exception> {
    moving::set_config(client, terminal, (admin::BROKER, &id.to_string()), (CORDONED, directories))
}

fn move_away(client: &mut Client, terminal: &mut Terminal<'_>, id: i32) -> Result<(), Failure> {
    let mut said = None;
    loop {
        let waiting = look(client, terminal, id)?;
        let moving = admin::reassignments(client, terminal)?;
        let leaving = moving.values().filter(|one| one.removing_replicas.contains(&BrokerId(id))).count();
        if said != Some((waiting.len(), leaving)) {
            terminal.say(&format!("{leaving} replica(s) on their way, {} to follow.", waiting.len()))?;
            terminal.out.flush()?;
            said = Some((waiting.len(), leaving));
        }
        if waiting.is_empty() && leaving == 0 {
            return Ok(());
        }
        let room = MOVING_MAX.saturating_sub(moving.len());
        let next: Vec<Wanted> = waiting
            .into_iter()
            .take(room)
            .map(|one| (one.topic.to_string(), one.index, Some(one.target)))
            .collect();
        if !next.is_empty() {
            reassign(client, terminal, &next)?;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// A broker that runs would register again: it is waited for until it has stopped.
fn unregister(client: &mut Client, terminal: &mut Terminal<'_>, id: i32) -> Result<(), Failure> {
    let is_running = |one: &DescribeClusterBroker| one.broker_id.0 == id && !one.is_fenced;
    let mut is_told = false;
    while brokers(client, terminal)?.iter().any(is_running) {
        if !is_told {
            terminal.say(&format!("Broker {id} has no replicas any more: stop its process now."))?;
            terminal.out.flush()?;
            is_told = true;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    let request = UnregisterBrokerRequest::default().with_broker_id(BrokerId(id));
    let response = client.any(terminal, "unregisterBroker", &request)?;
    Exception::check(response.error_code, response.error_message.as_deref())?;
    cordon(client, terminal, id, None)?;
    Ok(terminal.say(&format!("Broker {id} is no longer registered."))?)
}

fn undo(client: &mut Client, terminal: &mut Terminal<'_>, id: i32) -> Result<(), Failure> {
    cordon(client, terminal, id, None)?;
    let leaving: Vec<Wanted> = admin::reassignments(client, terminal)?
        .into_iter()
        .filter(|(_, one)| one.removing_replicas.contains(&BrokerId(id)))
        .map(|((topic, index), _)| (topic, index, None))
        .collect();
    if !leaving.is_empty() {
        reassign(client, terminal, &leaving)?;
    }
    Ok(terminal.say(&format!(
        "Broker {id} takes new replicas again; {} replica(s) that were on their way stay.",
        leaving.len()
    ))?)
}
