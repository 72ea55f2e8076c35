//! `ottla decommission`: takes replicas and vote from a broker, and it out of the cluster; or takes that back.
//! Shell over the client; where replicas go is decided by the balance room.
//!
//! Nothing is kept here. That the broker is cordoned is a config of it, and what moves are reassignments: whoever runs the
//! command again goes on where it was.

use std::time::Duration;

use ottla_balance::leaving::plan;
use ottla_balance::{MOVING_MAX, Move};
use ottla_model::ErrorCode;
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use ottla_protocol::messages::describe_quorum_response::PartitionData;
use ottla_protocol::messages::{BrokerId, RemoveRaftVoterRequest, UnregisterBrokerRequest};
use uuid::Uuid;

use crate::admin;
use crate::client::Client;
use crate::command::{self, Line};
use crate::error::{Exception, Failure};
use crate::features::finalized_level;
use crate::metadata_quorum::quorum;
use crate::moving::{self, CORDONED, Wanted, brokers, reassign};
use crate::options::{Known, Options, flag, value};
use crate::terminal::Terminal;

const LOOK_AGAIN: Duration = Duration::from_millis(500);
const KRAFT_VERSION: &str = "kraft.version";
const VOTE_TRIES_MAX: u32 = 20;

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
    let vote = vote_of(&mut client, terminal, id)?;
    if options.has("dry-run") {
        return show(&moves, vote.is_some(), terminal);
    }
    cordon(&mut client, terminal, id, Some("*"))?;
    terminal.say(&format!("Broker {id} takes no new replicas."))?;
    move_away(&mut client, terminal, id)?;
    take_vote(&mut client, terminal, id)?;
    until_stopped(&mut client, terminal, id)?;
    // One that adds itself may have come back meanwhile.
    take_vote(&mut client, terminal, id)?;
    unregister(&mut client, terminal, id)
}

/// The directory by which a broker votes among the controllers; or why its vote can't be taken away.
fn vote_in(quorum: &PartitionData, kraft_version: i16, id: i32) -> Result<Option<Uuid>, String> {
    let Some(voter) = quorum.current_voters.iter().find(|voter| voter.replica_id.0 == id) else {
        return Ok(None);
    };
    if kraft_version == 0 {
        return Err(format!(
            "Broker {id} votes among the controllers, and controller.quorum.voters says for good who does: let the log say \
             it first (kafka-features upgrade --feature {KRAFT_VERSION}=1)."
        ));
    }
    if quorum.current_voters.len() == 1 {
        return Err(format!("Broker {id} is the only controller that votes: add another one first."));
    }
    Ok(Some(voter.replica_directory_id))
}

fn vote_of(client: &mut Client, terminal: &mut Terminal<'_>, id: i32) -> Result<Option<Uuid>, Failure> {
    let (quorum, _) = quorum(client, terminal)?;
    let level = finalized_level(client, terminal, KRAFT_VERSION)?;
    vote_in(&quorum, level, id).map_err(|why| Failure::Sentence(why, 1))
}

/// Takes the vote away, where there is one, while the process runs: those that remain are a majority without it, and those
/// with it may not be without it.
fn take_vote(client: &mut Client, terminal: &mut Terminal<'_>, id: i32) -> Result<(), Failure> {
    for tries in 1.. {
        let Some(directory_id) = vote_of(client, terminal, id)? else { return Ok(()) };
        let request = RemoveRaftVoterRequest::default()
            .with_cluster_id(None)
            .with_voter_id(id)
            .with_voter_directory_id(directory_id);
        let answer = client.any(terminal, "removeRaftVoter", &request)?;
        // Another change is not committed yet, or the answer came from whoever led a moment ago: the vote is looked at again.
        let passes = [ErrorCode::RequestTimedOut, ErrorCode::NotLeaderOrFollower, ErrorCode::VoterNotFound];
        if tries >= VOTE_TRIES_MAX || !passes.iter().any(|code| code.code() == answer.error_code) {
            Exception::check(answer.error_code, answer.error_message.as_deref())?;
            terminal.say(&format!("Broker {id} votes no more among the controllers."))?;
            return Ok(terminal.out.flush()?);
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    unreachable!("tries have an end")
}

fn show(moves: &[Move], votes: bool, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    for one in moves {
        terminal.say(&one.to_string())?;
    }
    if votes {
        terminal.say("Its vote among the controllers is taken away when its replicas have moved.")?;
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

/// A broker that runs would register again.
fn until_stopped(client: &mut Client, terminal: &mut Terminal<'_>, id: i32) -> Result<(), Failure> {
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
    Ok(())
}

fn unregister(client: &mut Client, terminal: &mut Terminal<'_>, id: i32) -> Result<(), Failure> {
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

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::describe_quorum_response::ReplicaState;

    use super::*;

    fn quorum_of(voters: &[i32]) -> PartitionData {
        let voter = |id: &i32| {
            let directory_id = Uuid::from_u128(*id as u128);
            ReplicaState::default().with_replica_id(BrokerId(*id)).with_replica_directory_id(directory_id)
        };
        PartitionData::default().with_current_voters(voters.iter().map(voter).collect())
    }

    #[test]
    fn a_vote_is_taken_where_the_log_says_who_votes_and_others_do() {
        let three = quorum_of(&[1, 2, 3]);
        assert_eq!(vote_in(&three, 1, 3), Ok(Some(Uuid::from_u128(3))));
        assert_eq!(vote_in(&three, 1, 4), Ok(None), "it has none");
        assert_eq!(vote_in(&three, 0, 4), Ok(None));
        let fixed = vote_in(&three, 0, 3).expect_err("refused");
        assert!(fixed.starts_with("Broker 3 votes") && fixed.contains("controller.quorum.voters"), "{fixed}");
        let last = vote_in(&quorum_of(&[3]), 1, 3).expect_err("refused");
        assert_eq!(last, "Broker 3 is the only controller that votes: add another one first.");
    }
}
