//! The log directories of replicas: where they are, where they move, and what starts such a move.
//! Shell over the client and the clock; what is said of a move is decided by a plain function.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ottla_model::ErrorCode;
use ottla_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use ottla_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use ottla_protocol::messages::{AlterReplicaLogDirsRequest, DescribeLogDirsRequest};

use super::plan::{Directories, Replica, failed, replica_name};
use crate::admin;
use crate::client::Client;
use crate::error::{Exception, Failure};
use crate::offset_reset::{execution, trace};
use crate::terminal::Terminal;

const PAUSE: Duration = Duration::from_millis(100);

/// Where a replica is, and where it moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub current: Option<String>,
    pub future: Option<String>,
}

/// Where replicas are, as their brokers say.
pub fn places(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    replicas: &BTreeSet<Replica>,
) -> Result<BTreeMap<Replica, Place>, Exception> {
    let mut places: BTreeMap<Replica, Place> =
        replicas.iter().map(|replica| (replica.clone(), Place::default())).collect();
    let mut by_broker: BTreeMap<i32, BTreeMap<&str, Vec<i32>>> = BTreeMap::new();
    for (broker, topic, partition) in replicas {
        by_broker.entry(*broker).or_default().entry(topic).or_default().push(*partition);
    }
    for (broker, topics) in by_broker {
        let topics = topics.into_iter().map(|(topic, partitions)| DescribableLogDirTopic {
            topic: admin::text(topic),
            partitions,
            ..DescribableLogDirTopic::default()
        });
        let request =
            DescribeLogDirsRequest { topics: Some(topics.collect()), ..DescribeLogDirsRequest::default() };
        let response = client.node(terminal, "describeReplicaLogDirs", broker, &request)?;
        Exception::check(response.error_code, None)?;
        for directory in &response.results {
            for topic in &directory.topics {
                for partition in &topic.partitions {
                    let replica = (broker, topic.name.to_string(), partition.partition_index);
                    let Some(place) = places.get_mut(&replica) else { continue };
                    let known = if partition.is_future_key { &mut place.future } else { &mut place.current };
                    *known = Some(directory.log_dir.to_string());
                }
            }
        }
    }
    Ok(places)
}

/// What `--verify` says of a replica that was to move, and whether it still does.
pub fn state(replica: &Replica, place: &Place, target: &str) -> (String, bool) {
    let (broker, topic, partition) = replica;
    let name = replica_name(replica);
    match (&place.current, &place.future) {
        (None, _) => (
            format!(
                "Partition {topic}-{partition} is not found in any live log dir on broker {broker}. There is likely an \
                 offline log directory on the broker."
            ),
            false,
        ),
        (Some(_), Some(future)) if future == target => {
            (format!("Reassignment of replica {name} is still in progress."), true)
        }
        (Some(_), Some(future)) => (
            format!(
                "Partition {topic}-{partition} on broker {broker} is being moved to log dir {future} instead of {target}."
            ),
            true,
        ),
        (Some(current), None) if current == target => {
            (format!("Reassignment of replica {name} completed successfully."), false)
        }
        (Some(current), None) => (
            format!(
                "Partition {topic}-{partition} on broker {broker} is not being moved from log dir {current} to {target}."
            ),
            false,
        ),
    }
}

/// Has replicas move; those that are not on their brokers yet are asked for again.
pub fn start(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    wanted: &Directories,
    timeout: Duration,
) -> Result<(), Failure> {
    let begin = Instant::now();
    let mut pending = wanted.clone();
    loop {
        for replica in alter(client, terminal, &pending)? {
            let directory = pending.remove(&replica).unwrap_or_default();
            let (broker, topic, partition) = &replica;
            terminal.say(&format!(
                "Successfully started moving log directory to {directory} for replica {topic}-{partition} with broker \
                 {broker} "
            ))?;
        }
        if pending.is_empty() {
            return Ok(());
        }
        if begin.elapsed() >= timeout {
            let several = if pending.len() == 1 { "" } else { "s" };
            let names = pending.keys().map(replica_name).collect::<Vec<_>>().join(",");
            terminal.say(&format!(
                "Timed out before log directory move{several} could be started for: {names}"
            ))?;
            return Err(Failure::Exit(1));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Those that were accepted.
fn alter(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    wanted: &Directories,
) -> Result<Vec<Replica>, Failure> {
    let mut by_broker: BTreeMap<i32, BTreeMap<&str, BTreeMap<&str, Vec<i32>>>> = BTreeMap::new();
    for ((broker, topic, partition), directory) in wanted {
        let directories = by_broker.entry(*broker).or_default();
        directories.entry(directory).or_default().entry(topic).or_default().push(*partition);
    }
    let mut accepted = Vec::new();
    for (broker, directories) in by_broker {
        let directories = directories.into_iter().map(|(path, topics)| {
            let topics = topics.into_iter().map(|(topic, partitions)| {
                AlterReplicaLogDirTopic::default()
                    .with_name(admin::topic_name(topic))
                    .with_partitions(partitions)
            });
            AlterReplicaLogDir::default().with_path(admin::text(path)).with_topics(topics.collect())
        });
        let request = AlterReplicaLogDirsRequest::default().with_dirs(directories.collect());
        let response = client.node(terminal, "alterReplicaLogDirs", broker, &request)?;
        for topic in &response.results {
            for partition in &topic.partitions {
                let replica = (broker, topic.topic_name.to_string(), partition.partition_index);
                if partition.error_code == ErrorCode::ReplicaNotAvailable.code() {
                    continue;
                }
                if let Err(cause) = Exception::check(partition.error_code, None) {
                    let why = failed(format!("Failed to alter dir for {}", replica_name(&replica)));
                    let cause = trace(&execution(cause));
                    terminal.say(&format!("Error: {}\n{why}\nCaused by: {cause}\n", why.message))?;
                    return Err(Failure::Exit(1));
                }
                accepted.push(replica);
            }
        }
    }
    accepted.sort();
    Ok(accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_is_told_as_kafka_tells_it() {
        let replica = (1, "t".to_owned(), 0);
        let told = |current: Option<&str>, future: Option<&str>| {
            let place = Place { current: current.map(str::to_owned), future: future.map(str::to_owned) };
            state(&replica, &place, "/b")
        };
        assert_eq!(
            told(Some("/b"), None),
            ("Reassignment of replica t-0-1 completed successfully.".to_owned(), false)
        );
        assert_eq!(
            told(Some("/a"), Some("/b")),
            ("Reassignment of replica t-0-1 is still in progress.".to_owned(), true)
        );
        assert!(told(Some("/a"), Some("/c")).0.ends_with("is being moved to log dir /c instead of /b."));
        assert!(told(Some("/a"), None).0.ends_with("is not being moved from log dir /a to /b."));
        assert!(told(None, None).0.contains("is not found in any live log dir on broker 1."));
    }
}
