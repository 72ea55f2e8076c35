//! The throttles of moves: which replicas they are put on, and how they are set and taken away.
//! Shell over the client; whom they concern is decided by plain functions.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::messages::list_partition_reassignments_response::OngoingPartitionReassignment;

use super::plan::{Assignment, list};
use crate::admin;
use crate::client::Client;
use crate::error::{Exception, Failure};
use crate::offset_reset::Key;
use crate::terminal::Terminal;

const LEADER_RATE: &str = "leader.replication.throttled.rate";
const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";
const DIRECTORY_RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";
const LEADER_REPLICAS: &str = "leader.replication.throttled.replicas";
const FOLLOWER_REPLICAS: &str = "follower.replication.throttled.replicas";

/// From where to where one partition moves.
#[derive(Debug, PartialEq, Eq)]
pub struct Move {
    sources: BTreeSet<i32>,
    destinations: BTreeSet<i32>,
}

/// All moves: those that go on, and those that are proposed.
pub fn moves(
    ongoing: &BTreeMap<Key, OngoingPartitionReassignment>,
    proposed: &Assignment,
    current: &Assignment,
) -> BTreeMap<Key, Move> {
    let mut moves: BTreeMap<Key, Move> = BTreeMap::new();
    for (key, reassignment) in ongoing {
        let destinations: BTreeSet<i32> = reassignment.adding_replicas.iter().map(|id| id.0).collect();
        let all = reassignment.replicas.iter().map(|id| id.0);
        let sources = all.filter(|id| !destinations.contains(id)).collect();
        moves.insert(key.clone(), Move { sources, destinations });
    }
    for (key, replicas) in proposed {
        let sources = match moves.remove(key) {
            Some(known) => known.sources,
            None => current.get(key).into_iter().flatten().copied().collect(),
        };
        let destinations = replicas.iter().copied().filter(|id| !sources.contains(id)).collect();
        moves.insert(key.clone(), Move { sources, destinations });
    }
    moves
}

/// `PARTITION:BROKER` of one side, between commas, for each topic.
fn replicas(moves: &BTreeMap<Key, Move>, side: fn(&Move) -> &BTreeSet<i32>) -> BTreeMap<&str, String> {
    let mut by_topic: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for ((topic, partition), one) in moves {
        let known = by_topic.entry(topic).or_default();
        known.extend(side(one).iter().map(|broker| format!("{partition}:{broker}")));
    }
    let joined = by_topic
        .into_iter()
        .map(|(topic, replicas)| (topic, replicas.into_iter().collect::<Vec<_>>().join(",")));
    joined.collect()
}

/// Throttles what the brokers of these moves send and take.
pub fn set_between_brokers(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    moves: &BTreeMap<Key, Move>,
    rate: i64,
) -> Result<(), Failure> {
    let leaders = replicas(moves, |one| &one.sources);
    let mut followers = replicas(moves, |one| &one.destinations);
    for (topic, leading) in leaders {
        let following = followers.remove(topic).unwrap_or_default();
        let configs = [(LEADER_REPLICAS.to_owned(), leading), (FOLLOWER_REPLICAS.to_owned(), following)];
        admin::alter_configs(client, terminal, admin::TOPIC, topic, &configs, &[])?;
    }
    let brokers: BTreeSet<i32> =
        moves.values().flat_map(|one| one.sources.iter().chain(&one.destinations)).copied().collect();
    for broker in brokers {
        let configs = [LEADER_RATE, FOLLOWER_RATE].map(|key| (key.to_owned(), rate.to_string()));
        admin::alter_configs(client, terminal, admin::BROKER, &broker.to_string(), &configs, &[])?;
    }
    Ok(terminal.say(&format!("The inter-broker throttle limit was set to {rate} B/s"))?)
}

/// Throttles what moves between the directories of these brokers.
pub fn set_between_directories(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    brokers: &BTreeSet<i32>,
    rate: i64,
) -> Result<(), Failure> {
    for broker in brokers {
        let configs = [(DIRECTORY_RATE.to_owned(), rate.to_string())];
        admin::alter_configs(client, terminal, admin::BROKER, &broker.to_string(), &configs, &[])?;
    }
    Ok(terminal.say(&format!("The replica-alter-dir throttle limit was set to {rate} B/s"))?)
}

/// Takes all throttles away: nobody knows any more which brokers had a part in a move that is done.
pub fn clear(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    partitions: &[(Key, Vec<i32>)],
) -> Result<(), Failure> {
    client.metadata(terminal, "describeCluster", Some(Vec::new()))?;
    let mut brokers: BTreeSet<i32> = client.nodes().map(|node| node.id).collect();
    brokers.extend(partitions.iter().flat_map(|(_, replicas)| replicas));
    let brokers: Vec<i32> = brokers.into_iter().collect();
    let several = |count: usize| if count == 1 { "" } else { "s" };
    let line =
        format!("Clearing broker-level throttles on broker{} {}", several(brokers.len()), list(&brokers));
    terminal.say(&line)?;
    let rates = [LEADER_RATE, FOLLOWER_RATE, DIRECTORY_RATE].map(str::to_owned);
    for broker in brokers {
        admin::alter_configs(client, terminal, admin::BROKER, &broker.to_string(), &[], &rates)?;
    }
    let topics: BTreeSet<&str> = partitions.iter().map(|((topic, _), _)| topic.as_str()).collect();
    let names = topics.iter().copied().collect::<Vec<_>>().join(",");
    terminal.say(&format!("Clearing topic-level throttles on topic{} {names}", several(topics.len())))?;
    let replicas = [LEADER_REPLICAS, FOLLOWER_REPLICAS].map(str::to_owned);
    for topic in topics {
        let cleared = admin::alter_configs(client, terminal, admin::TOPIC, topic, &[], &replicas);
        cleared.map_err(|error: Exception| crate::offset_reset::execution(error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::BrokerId;

    use super::*;

    #[test]
    fn what_goes_on_keeps_its_sources() {
        let key = |partition| ("t".to_owned(), partition);
        let ids = |ids: &[i32]| ids.iter().map(|id| BrokerId(*id)).collect::<Vec<_>>();
        let reassignment = OngoingPartitionReassignment::default()
            .with_replicas(ids(&[3, 1, 2]))
            .with_adding_replicas(ids(&[3]))
            .with_removing_replicas(ids(&[1]));
        let ongoing = BTreeMap::from([(key(0), reassignment)]);
        let proposed = Assignment::from([(key(0), vec![4, 2]), (key(1), vec![2, 3])]);
        let current = Assignment::from([(key(0), vec![3, 1, 2]), (key(1), vec![1, 2])]);
        let moves = moves(&ongoing, &proposed, &current);
        assert_eq!(replicas(&moves, |one| &one.sources)["t"], "0:1,0:2,1:1,1:2");
        assert_eq!(replicas(&moves, |one| &one.destinations)["t"], "0:4,1:3");
    }
}
