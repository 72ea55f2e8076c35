//! `kafka-metadata-quorum`: who leads the controllers and how far the others are (`quorum_voters.rs`: who votes).
//! Shell over the client and the clock; the lines it prints are made by plain functions.

use ottla_env::Clock;
use ottla_env::real::RealClock;
use ottla_protocol::messages::describe_quorum_request::{PartitionData as Asked, TopicData};
use ottla_protocol::messages::describe_quorum_response::{Node, PartitionData, ReplicaState};
use ottla_protocol::messages::{DescribeClusterRequest, DescribeQuorumRequest};

use crate::admin;
use crate::client::Client;
use crate::command::{Action, Actions, bootstrap};
use crate::error::{Exception, Failure};
use crate::options::{Known, Options, flag, value};
use crate::quorum_voters::{add_controller, of_quorum, remove_controller};
use crate::table;
use crate::terminal::Terminal;

const GLOBALS: &[Known] = &[
    value("bootstrap-server", "The brokers to connect to."),
    value("bootstrap-controller", "The controllers to connect to."),
    value("command-config", "A properties file for the client."),
];

pub const ACTIONS: Actions = Actions {
    name: "kafka-metadata-quorum",
    globals: GLOBALS,
    is_terse: false,
    actions: &[
        Action {
            name: "describe",
            options: &[
                flag("status", "A short summary of the quorum."),
                flag("replication", "How far each controller and broker is."),
                flag("human-readable", "With --replication: times as spans."),
                flag("help", "Show this.").or('h'),
            ],
            run: describe,
        },
        Action {
            name: "add-controller",
            options: &[
                flag("dry-run", "Print what would be done, and do nothing."),
                flag("help", "Show this.").or('h'),
            ],
            run: add_controller,
        },
        Action {
            name: "remove-controller",
            options: &[
                value("controller-id", "The id of the controller to remove.").or('i'),
                value("controller-directory-id", "The directory id of the controller to remove.").or('d'),
                flag("dry-run", "Print what would be done, and do nothing."),
                flag("help", "Show this.").or('h'),
            ],
            run: remove_controller,
        },
    ],
};

const TOPIC: &str = "__cluster_metadata";

fn refuse<T>(message: &str) -> Result<T, Failure> {
    Err(Failure::Sentence(message.to_owned(), 1))
}

fn describe(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let missing = "one of the arguments --bootstrap-server --bootstrap-controller is required";
    bootstrap(options, missing)?;
    match (options.has("status"), options.has("replication")) {
        (true, true) => {
            return refuse(
                "Only one of --status or --replication should be specified with describe sub-command",
            );
        }
        (false, false) => {
            return refuse("One of --status or --replication must be specified with describe sub-command");
        }
        _ => {}
    }
    match act(options, terminal) {
        Err(Failure::Kafka(exception)) => refuse(&exception.to_string()),
        other => other,
    }
}

/// The quorum as its leader describes it, and where its voters listen.
pub fn quorum(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
) -> Result<(PartitionData, Vec<Node>), Exception> {
    let topic = TopicData::default()
        .with_topic_name(admin::topic_name(TOPIC))
        .with_partitions(vec![Asked::default().with_partition_index(0)]);
    let request = DescribeQuorumRequest::default().with_topics(vec![topic]);
    let response = client.any(terminal, "describeMetadataQuorum", &request)?;
    Exception::check(response.error_code, response.error_message.as_deref())?;
    let partition = response.topics.into_iter().flat_map(|topic| topic.partitions).next();
    let partition =
        partition.ok_or_else(|| Exception::kafka("UnknownServerException", "no quorum was described"))?;
    Exception::check(partition.error_code, partition.error_message.as_deref())?;
    Ok((partition, response.nodes))
}

fn act(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let mut client = of_quorum(options, terminal)?;
    let (partition, nodes) = quorum(&mut client, terminal)?;
    if options.has("replication") {
        let now = options.has("human-readable").then(|| RealClock::new().wall_ms());
        for line in replication(&partition, now) {
            terminal.say(&line)?;
        }
        return Ok(());
    }
    let kind = if options.has("bootstrap-server") { 1 } else { 2 };
    let request = DescribeClusterRequest::default().with_endpoint_type(kind);
    let cluster = client.any(terminal, "describeCluster", &request)?;
    Exception::check(cluster.error_code, cluster.error_message.as_deref())?;
    for line in status(&cluster.cluster_id, &partition, &nodes) {
        terminal.say(&line)?;
    }
    Ok(())
}

fn status(cluster_id: &str, partition: &PartitionData, nodes: &[Node]) -> Vec<String> {
    let leader = partition.current_voters.iter().find(|voter| voter.replica_id == partition.leader_id);
    let others = || {
        let followers = partition.current_voters.iter().chain(&partition.observers);
        followers.filter(|replica| replica.replica_id != partition.leader_id)
    };
    let lag = leader.map_or(0, |leader| {
        let furthest = others().map(|replica| leader.log_end_offset - replica.log_end_offset).max();
        furthest.unwrap_or(0).max(0)
    });
    let lag_ms = leader.map_or(0, |leader| {
        let times = others().map(|replica| replica.last_caught_up_timestamp);
        match times.min() {
            None => 0,
            Some(-1) => -1,
            Some(earliest) => (leader.last_caught_up_timestamp - earliest).max(0),
        }
    });
    let all = |replicas: &[ReplicaState]| {
        let replicas: Vec<String> = replicas.iter().map(|replica| member(replica, nodes)).collect();
        format!("[{}]", replicas.join(", "))
    };
    let line = |name: &str, value: String| format!("{:<24}{value}", format!("{name}:"));
    vec![
        line("ClusterId", cluster_id.to_owned()),
        line("LeaderId", partition.leader_id.0.to_string()),
        line("LeaderEpoch", partition.leader_epoch.to_string()),
        line("HighWatermark", partition.high_watermark.to_string()),
        line("MaxFollowerLag", lag.to_string()),
        line("MaxFollowerLagTimeMs", lag_ms.to_string()),
        line("CurrentVoters", all(&partition.current_voters)),
        line("CurrentObservers", all(&partition.observers)),
    ]
}

/// One controller or broker, with what is known of it.
fn member(replica: &ReplicaState, nodes: &[Node]) -> String {
    let mut text = format!("{{\"id\": {}", replica.replica_id.0);
    if !replica.replica_directory_id.is_nil() {
        let directory = ottla_model::TopicId(replica.replica_directory_id);
        text.push_str(&format!(", \"directoryId\": \"{directory}\""));
    }
    let node = nodes.iter().find(|node| node.node_id == replica.replica_id);
    if let Some(node) = node.filter(|node| !node.listeners.is_empty()) {
        let endpoints = node.listeners.iter().map(|one| {
            let (name, host) = (&*one.name, &*one.host);
            let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
            format!("\"{name}://{host}:{}\"", one.port)
        });
        text.push_str(&format!(", \"endpoints\": [{}]", endpoints.collect::<Vec<_>>().join(", ")));
    }
    text.push('}');
    text
}

const HEAD: [&str; 7] =
    ["NodeId", "DirectoryId", "LogEndOffset", "Lag", "LastFetchTimestamp", "LastCaughtUpTimestamp", "Status"];

/// One line a replica; with `now` the times are spans.
fn replication(partition: &PartitionData, now: Option<i64>) -> Vec<String> {
    let is_leader = |replica: &&ReplicaState| replica.replica_id == partition.leader_id;
    let end = partition.current_voters.iter().find(is_leader).map_or(0, |leader| leader.log_end_offset);
    let time = |at: i64| match now {
        Some(now) if at >= 0 => format!("{} ms ago", now - at),
        _ => at.to_string(),
    };
    let row = |replica: &ReplicaState, status: &str| {
        vec![
            replica.replica_id.0.to_string(),
            ottla_model::TopicId(replica.replica_directory_id).to_string(),
            replica.log_end_offset.to_string(),
            (end - replica.log_end_offset).to_string(),
            time(replica.last_fetch_timestamp),
            time(replica.last_caught_up_timestamp),
            status.to_owned(),
        ]
    };
    let leader = partition.current_voters.iter().filter(is_leader).map(|replica| row(replica, "Leader"));
    let followers = partition.current_voters.iter().filter(|replica| !is_leader(replica));
    let followers = followers.map(|replica| row(replica, "Follower"));
    let observers = partition.observers.iter().map(|replica| row(replica, "Observer"));
    table::lines(&HEAD, &leader.chain(followers).chain(observers).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::BrokerId;

    use super::*;

    fn replica(id: i32, end: i64, caught_up: i64) -> ReplicaState {
        ReplicaState::default()
            .with_replica_id(BrokerId(id))
            .with_log_end_offset(end)
            .with_last_fetch_timestamp(caught_up)
            .with_last_caught_up_timestamp(caught_up)
    }

    #[test]
    fn a_quorum_is_told_as_kafka_tells_it() {
        let partition = PartitionData::default()
            .with_leader_id(BrokerId(1))
            .with_leader_epoch(4)
            .with_high_watermark(90)
            .with_current_voters(vec![replica(1, 100, 1000), replica(2, 95, 700)]);
        let lines = status("abc", &partition, &[]);
        assert_eq!(lines[0], "ClusterId:              abc");
        assert_eq!(&lines[4..6], ["MaxFollowerLag:         5", "MaxFollowerLagTimeMs:   300"]);
        assert_eq!(lines[6], "CurrentVoters:          [{\"id\": 1}, {\"id\": 2}]");
        assert_eq!(lines[7], "CurrentObservers:       []");
        let table = replication(&partition, Some(1010));
        assert!(table[1].contains("10 ms ago") && table[1].ends_with("Leader  \t"), "{}", table[1]);
        assert!(table[2].starts_with("2     \t") && table[2].contains("\t5  \t"), "{}", table[2]);
        assert!(replication(&partition, None)[2].contains("\t700"));
    }
}
