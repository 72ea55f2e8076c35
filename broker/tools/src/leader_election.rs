//! `kafka-leader-election`: has new leaders elected.
//! Shell over the client; what became of the partitions is told by a plain function.

use std::collections::BTreeMap;

use ottla_model::ErrorCode;
use ottla_protocol::messages::ElectLeadersRequest;
use ottla_protocol::messages::elect_leaders_request::TopicPartitions;

use crate::admin;
use crate::client::{Client, ClientSettings};
use crate::command::{Line, settings};
use crate::error::{Exception, Failure};
use crate::options::{Known, Options, flag, value};
use crate::partitions_file::{self, Named, operation, told_twice};
use crate::properties::{newer_or_older, option_number};
use crate::terminal::Terminal;

const OPTIONS: &[Known] = &[
    value("bootstrap-server", "REQUIRED: the brokers to connect to."),
    value("command-config", "A properties file for the client."),
    value("admin.config", "(DEPRECATED) What --command-config says."),
    value("election-type", "REQUIRED: preferred, or unclean where there is no leader."),
    value("topic", "The topic of one partition."),
    value("partition", "The partition, with --topic."),
    flag("all-topic-partitions", "All partitions that it may concern."),
    value("path-to-json-file", "A file like {\"partitions\": [{\"topic\": \"foo\", \"partition\": 1}]}."),
    flag("help", "Show this."),
    flag("version", "Show the version."),
];

pub const LINE: Line = Line {
    about: "This tool attempts to elect a new leader for a set of topic partitions. The type of elections supported are \
            preferred replicas and unclean replicas.",
    options: OPTIONS,
    run,
};

const TIMEOUT_MS: i32 = 30_000;
const TYPES: [&str; 2] = ["PREFERRED", "UNCLEAN"];
const WAYS: [&str; 3] = ["topic", "all-topic-partitions", "path-to-json-file"];

fn run(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    act(options, terminal).map_err(told_twice)
}

fn refused(message: String) -> Exception {
    Exception::new("org.apache.kafka.tools.AdminCommandFailedException", message)
}

/// Which kind of election, by its place in Kafka's list.
fn check(options: &Options) -> Result<usize, Exception> {
    let missing: Vec<&str> =
        ["bootstrap-server", "election-type"].into_iter().filter(|name| !options.has(name)).collect();
    if !missing.is_empty() {
        return Err(refused(format!("Missing required option(s): {}", missing.join(", "))));
    }
    if WAYS.iter().filter(|way| options.has(way)).count() != 1 {
        let message = format!("One and only one of the following options is required: {}", WAYS.join(", "));
        return Err(refused(message));
    }
    match (options.has("topic"), options.has("partition")) {
        (true, false) => return Err(refused("Missing required option(s): partition".to_owned())),
        (false, true) => {
            return Err(refused("Option partition is only allowed if topic is used".to_owned()));
        }
        _ => {}
    }
    let asked = options.get("election-type").unwrap_or_default();
    TYPES.iter().position(|kind| kind.eq_ignore_ascii_case(asked)).ok_or_else(|| {
        let message = format!("Cannot parse argument '{asked}' of option election-type");
        Exception::new("joptsimple.OptionArgumentConversionException", message)
    })
}

fn act(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let kind = check(options)?;
    let both = "Options --command-config and --admin.config cannot be specified together.";
    let config = newer_or_older(options, "command-config", "admin.config", both)?;
    if config == "admin.config" {
        terminal.say(
            "Option --admin.config has been deprecated and will be removed in a future version. Use --command-config \
             instead.",
        )?;
    }
    let named = named(options)?;
    let settings = settings(options.get(config), ClientSettings::default())?;
    let mut client = Client::new(options.get("bootstrap-server").unwrap_or_default(), settings)?;
    let topics = named.as_ref().map(|named| {
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        named.iter().for_each(|one| topics.entry(&one.topic).or_default().push(one.partition));
        let topic = |(topic, partitions)| {
            TopicPartitions::default().with_topic(admin::topic_name(topic)).with_partitions(partitions)
        };
        topics.into_iter().map(topic).collect()
    });
    let request = ElectLeadersRequest::default()
        .with_election_type(kind as i8)
        .with_topic_partitions(topics)
        .with_timeout_ms(TIMEOUT_MS);
    let response = client.any(terminal, "electLeaders", &request)?;
    if ErrorCode::from_code(response.error_code) == Some(ErrorCode::ClusterAuthorizationFailed) {
        return Err(refused("Not authorized to perform leader election".to_owned()).into());
    }
    Exception::check(response.error_code, None)?;
    let mut outcomes = BTreeMap::new();
    for topic in response.replica_election_results {
        for partition in topic.partition_result {
            let name = format!("{}-{}", topic.topic.as_str(), partition.partition_id);
            let outcome = Exception::check(partition.error_code, partition.error_message.as_deref());
            outcomes.insert(name, outcome);
        }
    }
    let (lines, failed) = told(&outcomes, TYPES[kind]);
    for line in lines {
        terminal.say(&line)?;
    }
    if failed.is_empty() {
        return Ok(());
    }
    let message = format!("{} replica(s) could not be elected", failed.len());
    terminal.say(&message)?;
    let mut sentence = refused(message).to_string();
    failed.iter().for_each(|exception| sentence.push_str(&format!("\n\tSuppressed: {exception}")));
    Err(Failure::Sentence(format!("{sentence}\n"), 1))
}

/// The partitions that are meant; `None` are all.
fn named(options: &Options) -> Result<Option<Vec<Named>>, Failure> {
    if let Some(topic) = options.get("topic") {
        let partition = option_number(options, "partition")?.unwrap_or(0);
        return Ok(Some(vec![Named { topic: topic.to_owned(), partition, offset: None }]));
    }
    let Some(path) = options.get("path-to-json-file") else { return Ok(None) };
    let file = partitions_file::read(path)?;
    let named = partitions_file::named(&file, "Replica election data is missing \"partitions\" field")?;
    if let Some(twice) = partitions_file::duplicates(&named) {
        let message = format!("Replica election data contains duplicate partitions: {twice}");
        return Err(operation(message).into());
    }
    if named.is_empty() {
        return Err(operation("Replica election data is empty").into());
    }
    Ok(Some(named))
}

/// The lines for what was done, and what failed.
fn told<'a>(
    outcomes: &'a BTreeMap<String, Result<(), Exception>>,
    kind: &str,
) -> (Vec<String>, Vec<&'a Exception>) {
    let with = |is_it: &dyn Fn(&Result<(), Exception>) -> bool| -> Vec<&str> {
        outcomes.iter().filter(|(_, outcome)| is_it(outcome)).map(|(name, _)| name.as_str()).collect()
    };
    let is_done_already = |outcome: &Result<(), Exception>| {
        outcome.as_ref().is_err_and(|exception| exception.is_of(ErrorCode::ElectionNotNeeded))
    };
    let mut lines = Vec::new();
    let done = with(&|outcome| outcome.is_ok());
    if !done.is_empty() {
        let done = done.join(",");
        lines.push(format!("Successfully completed leader election ({kind}) for partitions {done}"));
    }
    let already = with(&is_done_already);
    if !already.is_empty() {
        lines.push(format!("Valid replica already elected for partitions {}", already.join(",")));
    }
    let mut failed = Vec::new();
    for (name, outcome) in outcomes.iter().filter(|(_, outcome)| !is_done_already(outcome)) {
        if let Err(exception) = outcome {
            lines.push(format!(
                "Error completing leader election ({kind}) for partition: {name}: {exception}"
            ));
            failed.push(exception);
        }
    }
    (lines, failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(line: &str) -> Result<usize, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        check(&Options::parse(OPTIONS, &words).expect("a good line")).map_err(|error| error.message)
    }

    #[test]
    fn a_command_line_must_make_sense() {
        let told = |line: &str| checked(&format!("--bootstrap-server b:1 {line}")).err();
        assert_eq!(told("").as_deref(), Some("Missing required option(s): election-type"));
        assert_eq!(
            told("--election-type preferred").as_deref(),
            Some(
                "One and only one of the following options is required: topic, all-topic-partitions, path-to-json-file"
            )
        );
        assert_eq!(
            told("--election-type preferred --topic t").as_deref(),
            Some("Missing required option(s): partition")
        );
        assert_eq!(checked("--bootstrap-server b:1 --election-type Unclean --all-topic-partitions"), Ok(1));
    }

    #[test]
    fn each_partition_is_told_of_once() {
        let not_needed = Exception::of(ErrorCode::ElectionNotNeeded.code(), None);
        let unknown = Exception::of(ErrorCode::UnknownTopicOrPartition.code(), Some("No such topic as n"));
        let outcomes = BTreeMap::from([
            ("a-0".to_owned(), Ok(())),
            ("b-0".to_owned(), Err(not_needed)),
            ("n-0".to_owned(), Err(unknown)),
        ]);
        let (lines, failed) = told(&outcomes, "UNCLEAN");
        assert_eq!(
            lines,
            [
                "Successfully completed leader election (UNCLEAN) for partitions a-0",
                "Valid replica already elected for partitions b-0",
                "Error completing leader election (UNCLEAN) for partition: n-0: \
                 org.apache.kafka.common.errors.UnknownTopicOrPartitionException: No such topic as n"
            ]
        );
        assert_eq!(failed.len(), 1);
    }
}
