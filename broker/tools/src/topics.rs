//! `kafka-topics`: lists, makes, describes, widens and deletes topics.
//! Shell over the client; the lines it prints are made by plain functions.

use std::collections::BTreeSet;

use ottla_model::{ErrorCode, TopicId};
use ottla_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use ottla_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use ottla_protocol::messages::describe_configs_response::DescribeConfigsResult;
use ottla_protocol::messages::describe_topic_partitions_response::{
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use ottla_protocol::messages::list_partition_reassignments_response::OngoingPartitionReassignment;
use ottla_protocol::messages::{BrokerId, CreatePartitionsRequest, CreateTopicsRequest};

use crate::admin;
use crate::client::Client;
use crate::command::{Line, required};
use crate::error::{Exception, Failure};
use crate::options::{Known, Options, flag, value};
use crate::terminal::Terminal;

const CLASS: &str = "org.apache.kafka.tools.TopicCommand";
const ACTIONS: [&str; 5] = ["list", "describe", "create", "alter", "delete"];
const COLLISIONS: &str = "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore \
                          ('_') could collide. To avoid issues it is best to use either, but not both.";

pub const OPTIONS: &[Known] = &[
    value("bootstrap-server", "The brokers to connect to: host:port, several between commas."),
    value("command-config", "A properties file for the client."),
    flag("list", "List all topics."),
    flag("create", "Make a topic."),
    flag("delete", "Delete a topic."),
    flag("alter", "Change the number of partitions and their replicas."),
    flag("describe", "Show the details of topics."),
    value("topic", "The topic; for all but --create also a regular expression."),
    value("topic-id", "The topic's id, for --describe."),
    value("config", "A config of the topic to make, as name=value. May be repeated."),
    value("partitions", "The number of partitions."),
    value("replication-factor", "The number of replicas of each partition."),
    value("replica-assignment", "The brokers of each partition: 1:2,2:3 and so on."),
    flag("under-replicated-partitions", "Show only partitions with replicas out of sync."),
    flag("unavailable-partitions", "Show only partitions without a leader."),
    flag("under-min-isr-partitions", "Show only partitions with fewer replicas in sync than they must have."),
    flag("at-min-isr-partitions", "Show only partitions with as many replicas in sync as they must have."),
    flag("topics-with-overrides", "Show only topics with configs of their own."),
    flag("if-exists", "Do nothing where the topic is not there."),
    flag("if-not-exists", "Do nothing where the topic is there."),
    flag("exclude-internal", "Leave internal topics out."),
    value("partition-size-limit-per-response", "How many partitions an answer may hold."),
    flag("help", "Show this."),
    flag("version", "Show the version."),
];

pub const LINE: Line = Line { about: "Create, delete, describe, or change a topic.", options: OPTIONS, run };

fn run(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    check(options)?;
    match act(options, terminal) {
        Err(Failure::Kafka(exception)) => {
            terminal.say(&format!("Error while executing topic command : {}", exception.message))?;
            terminal.log("ERROR", &format!("{exception}\n"), CLASS)?;
            Err(Failure::Exit(1))
        }
        other => other,
    }
}

/// What `TopicCommandOptions.checkArgs` refuses.
fn check(options: &Options) -> Result<(), Failure> {
    if ACTIONS.iter().filter(|action| options.has(action)).count() != 1 {
        let message =
            "Command must include exactly one action: --list, --describe, --create, --alter or --delete";
        return Err(Failure::Usage(message.to_owned()));
    }
    if !options.has("bootstrap-server") {
        return Err(Failure::Sentence("--bootstrap-server must be specified".to_owned(), 1));
    }
    let is = |action: &str| options.has(action);
    if is("create") || is("delete") || is("alter") {
        required(options, "topic")?;
    }
    if is("alter") {
        required(options, "partitions")?;
    }
    let only = |option: &'static str, actions: &[&str]| match actions.iter().any(|action| is(action)) {
        false if options.has(option) => {
            let action = ACTIONS.iter().find(|action| is(action)).copied().unwrap_or_default();
            Err(Failure::Usage(format!("Option \"[{option}]\" can't be used with option \"[{action}]\"")))
        }
        _ => Ok(()),
    };
    only("config", &["create"])?;
    only("partitions", &["create", "alter"])?;
    only("replication-factor", &["create"])?;
    only("replica-assignment", &["create", "alter"])?;
    only("if-not-exists", &["create"])?;
    only("if-exists", &["alter", "delete", "describe"])?;
    for shown in REPORTS {
        only(shown, &["describe"])?;
    }
    only("topic-id", &["describe"])?;
    only("exclude-internal", &["list", "describe"])
}

const REPORTS: [&str; 5] = [
    "under-replicated-partitions",
    "unavailable-partitions",
    "under-min-isr-partitions",
    "at-min-isr-partitions",
    "topics-with-overrides",
];

fn act(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let mut client = crate::command::client(options, "bootstrap-server")?;
    let client = &mut client;
    if options.has("create") {
        create(client, options, terminal)
    } else if options.has("alter") {
        alter(client, options, terminal)
    } else if options.has("delete") {
        delete(client, options, terminal)
    } else if options.has("describe") {
        describe(client, options, terminal)
    } else {
        let names = matching(client, options, terminal)?;
        Ok(terminal.say(&names.join("\n"))?)
    }
}

/// The topics that the command line means.
fn matching(
    client: &mut Client,
    options: &Options,
    terminal: &mut Terminal<'_>,
) -> Result<Vec<String>, Exception> {
    let filter = options.get("topic").map(admin::topic_filter).transpose()?;
    let exclude_internal = options.has("exclude-internal");
    let topics = admin::list_topics(client, terminal)?;
    let meant = topics.into_iter().filter(|(name, is_internal)| {
        filter.as_ref().is_none_or(|filter| filter.is_match(name)) && !(exclude_internal && *is_internal)
    });
    Ok(meant.map(|(name, _)| name).collect())
}

fn existing(
    client: &mut Client,
    options: &Options,
    terminal: &mut Terminal<'_>,
) -> Result<Vec<String>, Exception> {
    let names = matching(client, options, terminal)?;
    match options.get("topic") {
        Some(topic) if names.is_empty() && !options.has("if-exists") => {
            Err(Exception::illegal_argument(format!("Topic '{topic}' does not exist as expected")))
        }
        _ => Ok(names),
    }
}

fn number<T: std::str::FromStr>(options: &Options, name: &str) -> Result<Option<T>, Failure> {
    let Some(text) = options.get(name) else { return Ok(None) };
    match text.trim().parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(Exception::new(
            "joptsimple.OptionArgumentConversionException",
            format!("Cannot parse argument '{text}' of option {name}"),
        )
        .into()),
    }
}

fn create(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let name = options.get("topic").unwrap_or_default();
    if name.contains(['.', '_']) {
        terminal.say(COLLISIONS)?;
    }
    let topic = new_topic(name, options)?;
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000);
    let response = client.any(terminal, "createTopics", &request)?;
    for result in &response.topics {
        match Exception::check(result.error_code, result.error_message.as_deref()) {
            Ok(()) => terminal.say(&format!("Created topic {name}."))?,
            Err(exception)
                if exception.is_of(ErrorCode::TopicAlreadyExists) && options.has("if-not-exists") => {}
            Err(exception) => return Err(exception.into()),
        }
    }
    Ok(())
}

fn new_topic(name: &str, options: &Options) -> Result<CreatableTopic, Failure> {
    let partitions: Option<i32> = number(options, "partitions")?;
    if partitions.is_some_and(|count| count < 1) {
        return Err(Exception::illegal_argument("The partitions must be greater than 0").into());
    }
    let factor: Option<i32> = number(options, "replication-factor")?;
    let factor = match factor.map(i16::try_from) {
        None => -1,
        Some(Ok(factor)) if factor >= 1 => factor,
        Some(_) => {
            let message = format!("The replication factor must be between 1 and {} inclusive", i16::MAX);
            return Err(Exception::illegal_argument(message).into());
        }
    };
    let mut configs = Vec::new();
    for pair in options.all("config") {
        let Some((key, value)) = pair.split_once('=') else {
            let message = "requirement failed: Invalid topic config: all configs to be added must be in the \
                           format \"key=val\".";
            return Err(Exception::illegal_argument(message).into());
        };
        configs.push(
            CreatableTopicConfig::default()
                .with_name(admin::text(key.trim()))
                .with_value(Some(admin::text(value.trim()))),
        );
    }
    let topic = CreatableTopic::default().with_name(admin::topic_name(name)).with_configs(configs);
    let Some(text) = options.get("replica-assignment") else {
        return Ok(topic.with_num_partitions(partitions.unwrap_or(-1)).with_replication_factor(factor));
    };
    let assignments = assignment(text)?.into_iter().zip(0..).map(|(brokers, partition)| {
        CreatableReplicaAssignment::default().with_partition_index(partition).with_broker_ids(brokers)
    });
    Ok(topic.with_num_partitions(-1).with_replication_factor(-1).with_assignments(assignments.collect()))
}

/// `1:2,2:3`: the brokers of each partition.
fn assignment(text: &str) -> Result<Vec<Vec<BrokerId>>, Exception> {
    let one = |text: &str| -> Result<Vec<BrokerId>, Exception> {
        let mut seen = BTreeSet::new();
        text.split(':')
            .map(|id| match id.trim().parse() {
                Ok(id) if seen.insert(id) => Ok(BrokerId(id)),
                Ok(id) => Err(Exception::new(
                    "org.apache.kafka.server.common.AdminCommandFailedException",
                    format!("Partition replica lists may not contain duplicate entries: {id}"),
                )),
                Err(_) => Err(Exception::new(
                    "java.lang.NumberFormatException",
                    format!("For input string: \"{id}\""),
                )),
            })
            .collect()
    };
    text.split(',').map(one).collect()
}

fn alter(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let names = existing(client, options, terminal)?;
    let count: i32 = number(options, "partitions")?.unwrap_or_default();
    let assignments = options.get("replica-assignment").map(assignment).transpose()?;
    let mut topics = Vec::new();
    for topic in admin::describe_topics(client, terminal, &names)? {
        // The first assignments are those of the partitions that are there.
        let added = assignments.as_ref().map(|all| {
            let added = all.iter().skip(topic.partitions.len());
            added.map(|ids| CreatePartitionsAssignment::default().with_broker_ids(ids.clone())).collect()
        });
        topics.push(
            CreatePartitionsTopic::default()
                .with_name(topic.name.clone().unwrap_or_default())
                .with_count(count)
                .with_assignments(added),
        );
    }
    if topics.is_empty() {
        return Ok(());
    }
    let request = CreatePartitionsRequest::default().with_topics(topics).with_timeout_ms(30_000);
    let response = client.any(terminal, "createPartitions", &request)?;
    for result in &response.results {
        Exception::check(result.error_code, result.error_message.as_deref())?;
    }
    Ok(())
}

fn delete(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let names = existing(client, options, terminal)?;
    if names.is_empty() {
        return Ok(());
    }
    Ok(admin::delete_topics(client, terminal, &names)?)
}

fn describe(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let names = match options.get("topic-id") {
        Some(id) => vec![named_by_id(client, id, terminal)?],
        None => existing(client, options, terminal)?,
    };
    let topics = admin::describe_topics(client, terminal, &names)?;
    let configs = admin::describe_configs(client, terminal, admin::TOPIC, &names, false)?;
    let moving = admin::reassignments(client, terminal)?;
    client.metadata(terminal, "describeCluster", Some(Vec::new()))?;
    let live: BTreeSet<i32> = client.nodes().map(|node| node.id).collect();
    let partitions_only = REPORTS.iter().any(|report| options.has(report));
    for topic in &topics {
        let name = topic.name.as_ref().map(|name| name.to_string()).unwrap_or_default();
        let configs = configs.iter().find(|result| *result.resource_name == *name);
        let overrides = configs.map(overrides).unwrap_or_default();
        if options.has("topics-with-overrides") {
            if !overrides.is_empty() {
                terminal.say(&head(topic, &name, &overrides))?;
            }
            continue;
        }
        if !partitions_only {
            terminal.say(&head(topic, &name, &overrides))?;
        }
        let min_in_sync = configs.and_then(min_in_sync).unwrap_or(1);
        for partition in &topic.partitions {
            let moving = moving.get(&(name.clone(), partition.partition_index));
            if is_shown(options, partition, moving, min_in_sync, &live) {
                terminal.say(&partition_line(&name, partition, moving))?;
            }
        }
    }
    Ok(())
}

fn named_by_id(client: &mut Client, id: &str, terminal: &mut Terminal<'_>) -> Result<String, Exception> {
    let missing = || Exception::illegal_argument(format!("TopicId '{id}' does not exist as expected"));
    let parsed = TopicId::parse(id).ok_or_else(missing)?;
    let response = client.metadata(terminal, "listTopics", None)?;
    let found = response.topics.iter().find(|topic| topic.topic_id == parsed.0);
    found.and_then(|topic| Some(topic.name.as_ref()?.to_string())).ok_or_else(missing)
}

fn is_shown(
    options: &Options,
    partition: &DescribeTopicPartitionsResponsePartition,
    moving: Option<&OngoingPartitionReassignment>,
    min_in_sync: usize,
    live: &BTreeSet<i32>,
) -> bool {
    // Replicas that are only on their way do not count as missing.
    let wanted = moving.map_or(partition.replica_nodes.len(), |moving| {
        moving.replicas.len().saturating_sub(moving.adding_replicas.len())
    });
    let in_sync = partition.isr_nodes.len();
    let conditions = [
        ("under-replicated-partitions", in_sync < wanted),
        ("unavailable-partitions", !live.contains(&partition.leader_id.0)),
        ("under-min-isr-partitions", in_sync < min_in_sync),
        ("at-min-isr-partitions", in_sync == min_in_sync),
    ];
    let asked = conditions.iter().filter(|(report, _)| options.has(report));
    asked.clone().count() == 0 || asked.clone().any(|(_, holds)| *holds)
}

fn overrides(result: &DescribeConfigsResult) -> Vec<String> {
    let own = result.configs.iter().filter(|config| config.config_source != admin::DEFAULT_SOURCE);
    own.map(|config| format!("{}={}", config.name, config.value.as_deref().unwrap_or_default())).collect()
}

fn min_in_sync(result: &DescribeConfigsResult) -> Option<usize> {
    result.configs.iter().find(|config| &*config.name == "min.insync.replicas")?.value.as_ref()?.parse().ok()
}

fn head(topic: &DescribeTopicPartitionsResponseTopic, name: &str, overrides: &[String]) -> String {
    let factor = topic.partitions.first().map_or(0, |partition| partition.replica_nodes.len());
    format!(
        "Topic: {name}\tTopicId: {}\tPartitionCount: {}\tReplicationFactor: {factor}\tConfigs: {}",
        TopicId(topic.topic_id),
        topic.partitions.len(),
        overrides.join(",")
    )
}

fn partition_line(
    name: &str,
    partition: &DescribeTopicPartitionsResponsePartition,
    moving: Option<&OngoingPartitionReassignment>,
) -> String {
    let leader = match partition.leader_id.0 {
        -1 => "none".to_owned(),
        id => id.to_string(),
    };
    let mut line = format!(
        "\tTopic: {name}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}",
        partition.partition_index,
        ids(&partition.replica_nodes),
        ids(&partition.isr_nodes)
    );
    if let Some(moving) = moving {
        line.push_str(&format!(
            "\tAdding Replicas: {}\tRemoving Replicas: {}",
            ids(&moving.adding_replicas),
            ids(&moving.removing_replicas)
        ));
    }
    // Null and empty look alike here: a broker of 4.x always knows.
    let or_none = |nodes: &Option<Vec<BrokerId>>| nodes.as_deref().map(ids).unwrap_or_default();
    line.push_str(&format!(
        "\tElr: {}\tLastKnownElr: {}",
        or_none(&partition.eligible_leader_replicas),
        or_none(&partition.last_known_elr)
    ));
    line
}

fn ids(nodes: &[BrokerId]) -> String {
    nodes.iter().map(|node| node.0.to_string()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Options {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(OPTIONS, &arguments).expect("a good line")
    }

    #[test]
    fn a_command_line_must_make_sense() {
        for bad in [
            "--bootstrap-server b:1",
            "--list",
            "--bootstrap-server b:1 --list --create",
            "--bootstrap-server b:1 --create",
            "--bootstrap-server b:1 --alter --topic t",
            "--bootstrap-server b:1 --list --if-exists",
            "--bootstrap-server b:1 --delete --topic t --partitions 3",
        ] {
            assert!(matches!(check(&options(bad)), Err(Failure::Usage(_) | Failure::Sentence(..))), "{bad}");
        }
        assert!(check(&options("--bootstrap-server b:1 --create --topic t --if-not-exists")).is_ok());
    }

    #[test]
    fn a_new_topic_has_the_broker_s_defaults_where_nothing_is_said() {
        let topic = new_topic("t", &options("--config a=b=c")).expect("a topic");
        assert_eq!((topic.num_partitions, topic.replication_factor), (-1, -1));
        assert_eq!(topic.configs[0].value.as_deref(), Some("b=c"));
        let topic = new_topic("t", &options("--replica-assignment 1:2,2:1")).expect("a topic");
        assert_eq!(topic.assignments[1].broker_ids, [BrokerId(2), BrokerId(1)]);
        for bad in ["--partitions 0", "--replication-factor 40000", "--config x", "--replica-assignment 1:1"]
        {
            assert!(matches!(new_topic("t", &options(bad)), Err(Failure::Kafka(_))), "{bad}");
        }
    }

    #[test]
    fn a_partition_is_shown_when_what_is_asked_for_holds() {
        let partition = DescribeTopicPartitionsResponsePartition::default()
            .with_leader_id(BrokerId(-1))
            .with_replica_nodes(vec![BrokerId(1), BrokerId(2)])
            .with_isr_nodes(vec![BrokerId(1)]);
        let shown = |line: &str, min| is_shown(&options(line), &partition, None, min, &BTreeSet::from([1]));
        assert!(shown("--describe", 1) && shown("--under-replicated-partitions", 1));
        assert!(shown("--unavailable-partitions", 1) && shown("--at-min-isr-partitions", 1));
        assert!(!shown("--under-min-isr-partitions", 1) && shown("--under-min-isr-partitions", 2));
        assert!(
            partition_line("t", &partition, None).starts_with("\tTopic: t\tPartition: 0\tLeader: none\t")
        );
    }
}
