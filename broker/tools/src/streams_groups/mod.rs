//! `kafka-streams-groups`: lists, describes and deletes streams groups, moves and deletes their offsets.
//! Shell over the client; `describe` looks, `reset` moves, `internal_topics` says which topics are the group's own.

mod describe;
mod internal_topics;
mod reset;

use std::collections::{BTreeMap, BTreeSet};

use ottla_model::ErrorCode;
use ottla_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use ottla_protocol::messages::{GroupId, OffsetDeleteRequest};

use crate::admin;
use crate::client::Client;
use crate::command::{Line, client, required};
use crate::consumer_groups::coordinator;
use crate::error::{Exception, Failure};
use crate::group_lists::{self, Kind, bracketed, excludes};
use crate::offset_reset::{self, Key, execution};
use crate::options::{Known, Options, flag, value};
use crate::terminal::Terminal;

const OPTIONS: &[Known] = &[
    value("bootstrap-server", "REQUIRED: the brokers to connect to."),
    value("command-config", "A properties file for the client."),
    flag("list", "List all streams groups; --state shows and filters these."),
    flag("describe", "Describe streams groups: their offsets, members or state."),
    flag("delete", "Delete streams groups."),
    flag("reset-offsets", "Move a group's offsets: with --dry-run it shows what --execute would do."),
    flag("delete-offsets", "Delete a group's offsets of input topics."),
    value("group", "The group. May be repeated."),
    flag("all-groups", "All streams groups."),
    value("input-topic", "The input topic that is meant, as TOPIC or TOPIC:0,1. May be repeated."),
    flag("all-input-topics", "All input topics of the group."),
    value(
        "delete-internal-topic",
        "With --reset-offsets --execute: an internal topic to delete. May be repeated.",
    ),
    flag(
        "delete-all-internal-topics",
        "With --delete, or --reset-offsets --execute: delete the group's own topics.",
    ),
    flag("members", "Describe the members."),
    flag("offsets", "Describe the offsets; what --describe does without more."),
    Known {
        is_value_optional: true,
        ..flag("state", "Describe the state; with --list the states to show, between commas.")
    },
    flag("verbose", "Show more."),
    value("timeout", "How long to wait for a group, in ms."),
    flag("dry-run", "Only show."),
    flag("execute", "Do it."),
    flag("export", "Print as CSV."),
    value("to-offset", "Move to an offset."),
    value("shift-by", "Move by a number of records."),
    value("to-datetime", "Move to the first record since then: YYYY-MM-DDThh:mm:ss.sss."),
    value("by-duration", "Move to the first record of the last PnDTnHnMnS."),
    value("from-file", "Move to what a CSV file says."),
    flag("to-earliest", "Move to the first offset."),
    flag("to-latest", "Move to the end."),
    flag("to-current", "Stay at the offset."),
    flag("help", "Show this."),
    flag("version", "Show the version."),
];

pub const LINE: Line =
    Line { about: "This tool helps to list, or describe streams groups.", options: OPTIONS, run };

const KIND: Kind = Kind {
    name: "Streams",
    word: "streams",
    states: &["Empty", "NotReady", "Stable", "Assigning", "Reconciling", "Dead"],
    stranger: "does not exist or is not a streams group.",
};

const ACTIONS: [&str; 5] = ["list", "describe", "reset-offsets", "delete", "delete-offsets"];
const SCENARIOS: [&str; 8] = [
    "to-offset",
    "to-datetime",
    "by-duration",
    "to-earliest",
    "to-latest",
    "to-current",
    "shift-by",
    "from-file",
];

fn run(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    check(options)?;
    let outcome = act(options, terminal);
    group_lists::told(outcome, terminal, &KIND, 1)
}

fn wrong(message: impl Into<String>) -> Result<(), Failure> {
    Err(Failure::Usage(message.into()))
}

fn check(options: &Options) -> Result<(), Failure> {
    required(options, "bootstrap-server")?;
    if options.has("describe") {
        group_lists::check_describe(options)?;
    }
    let has_topic = options.has("input-topic") || options.has("all-input-topics");
    if options.has("delete") {
        if !options.has("group") && !options.has("all-groups") {
            let either = bracketed(&["group", "all-groups"]);
            return wrong(format!("Option [delete] takes one of these options: {either}"));
        }
        if has_topic {
            return wrong(
                "Kafka Streams does not support topic-specific offset deletion from a streams group.",
            );
        }
    }
    if options.has("delete-offsets") {
        let topics = bracketed(&["input-topic", "all-input-topics"]);
        if !has_topic || !options.has("group") {
            return wrong(format!(
                "Option [delete-offsets] takes the [group] and one of these options: {topics}"
            ));
        }
        let groups: Vec<&str> = options.all("group").collect();
        if groups.len() > 1 {
            let found = groups.join(", ");
            return wrong(format!(
                "Option [delete-offsets] supports only one [group] at a time, but found: [{found}]"
            ));
        }
    }
    if options.has("reset-offsets") {
        check_reset(options)?;
    }
    check_internal_topics(options)?;
    if (options.has("dry-run") || options.has("execute")) && !options.has("reset-offsets") {
        return wrong("Only Option [reset-offsets] accepts [execute] or [dry-run]");
    }
    excludes(options, "list", &["members", "offsets"])?;
    excludes(options, "group", &["all-groups"])?;
    excludes(options, "group", &["list"])?;
    excludes(options, "input-topic", &["list", "describe", "delete"])?;
    if ACTIONS.iter().filter(|action| options.has(action)).count() != 1 {
        return wrong(
            "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, or --delete-offsets.",
        );
    }
    Ok(())
}

fn check_reset(options: &Options) -> Result<(), Failure> {
    group_lists::check_reset(options)?;
    if !options.has("group") && !options.has("all-groups") {
        let either = bracketed(&["group", "all-groups"]);
        return wrong(format!("Option [reset-offsets] takes one of these options: {either}"));
    }
    for scenario in SCENARIOS {
        let others: Vec<&str> = SCENARIOS.into_iter().filter(|other| *other != scenario).collect();
        excludes(options, scenario, &others)?;
    }
    Ok(())
}

fn check_internal_topics(options: &Options) -> Result<(), Failure> {
    let is_reset = options.has("reset-offsets");
    if options.has("delete-all-internal-topics") {
        if !is_reset && !options.has("delete") {
            let either = bracketed(&["reset-offsets", "delete"]);
            return wrong(format!(
                "Option [delete-all-internal-topics] takes one of these options: {either}"
            ));
        }
        if is_reset && !options.has("execute") {
            return wrong(
                "Option [delete-all-internal-topics] takes [execute] when [reset-offsets] is used.",
            );
        }
    } else if options.has("delete-internal-topic") && !(is_reset && options.has("execute")) {
        return wrong("Option [delete-internal-topic] takes [reset-offsets] when [execute] is used.");
    }
    Ok(())
}

fn act(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let mut client = client(options, "bootstrap-server")?;
    if options.has("list") {
        group_lists::list(&mut client, options, terminal, &KIND)
    } else if options.has("describe") {
        describe::run(&mut client, options, terminal)
    } else if options.has("delete") {
        delete(&mut client, options, terminal)
    } else if options.has("reset-offsets") {
        reset::run(&mut client, options, terminal)
    } else {
        delete_offsets(&mut client, options, terminal)
    }
}

fn delete(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let groups = group_lists::meant(client, options, terminal, &KIND)?;
    let listed = group_lists::listed(client, terminal, &KIND)?;
    let (may, mut deletion) = group_lists::deletable(groups, &listed, &KIND);
    let mut internal: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if options.has("delete-all-internal-topics") && !may.is_empty() {
        internal = internal_topics::of(client, terminal, &may)?;
    }
    group_lists::delete(client, terminal, may, &mut deletion)?;
    let mut failed: BTreeMap<String, Exception> = BTreeMap::new();
    for group in &deletion.deleted {
        let Some(topics) = internal.get(group) else { continue };
        if let Err(exception) = admin::delete_topics(client, terminal, topics) {
            failed.insert(group.clone(), exception);
        }
    }
    for line in deletion.lines(&KIND, ".") {
        terminal.say(&line)?;
    }
    if !deletion.deleted.is_empty() && !internal.is_empty() {
        let groups: Vec<&String> = internal.keys().filter(|group| deletion.deleted.contains(group)).collect();
        for line in internal_topics::deletion_lines(&groups, &failed) {
            terminal.say(&line)?;
        }
    }
    Ok(())
}

/// What became of each partition's offset; -1 stands for a topic that is not there.
type Forgotten = BTreeMap<Key, Result<(), Exception>>;

fn delete_offsets(
    client: &mut Client,
    options: &Options,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let group = options.get("group").unwrap_or_default().to_owned();
    let mut forgotten = Forgotten::new();
    let mut wanted: BTreeSet<Key> = BTreeSet::new();
    if options.has("all-input-topics") {
        wanted.extend(reset::input_offsets(client, terminal, &group)?.into_keys());
    } else {
        for text in options.all("input-topic") {
            match offset_reset::named_partitions(client, terminal, std::iter::once(text)) {
                Ok(partitions) => wanted.extend(partitions),
                Err(exception) if text.contains(':') => return Err(exception.into()),
                Err(exception) => {
                    forgotten.insert((text.to_owned(), -1), Err(execution(exception)));
                }
            }
        }
    }
    let whole = forget(client, terminal, &group, &wanted, &mut forgotten)?;
    terminal.say(&verdict(&group, &whole))?;
    for line in forgotten_lines(&forgotten) {
        terminal.say(&line)?;
    }
    Ok(())
}

/// Asks for the deletion; what became of all of it together is returned.
fn forget(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    group: &str,
    wanted: &BTreeSet<Key>,
    forgotten: &mut Forgotten,
) -> Result<Result<(), Exception>, Exception> {
    let mut topics: BTreeMap<&str, Vec<OffsetDeleteRequestPartition>> = BTreeMap::new();
    for (topic, partition) in wanted {
        let partition = OffsetDeleteRequestPartition::default().with_partition_index(*partition);
        topics.entry(topic).or_default().push(partition);
    }
    let topics = topics.into_iter().map(|(topic, partitions)| {
        OffsetDeleteRequestTopic::default().with_name(admin::topic_name(topic)).with_partitions(partitions)
    });
    let request = OffsetDeleteRequest::default()
        .with_group_id(GroupId(admin::text(group)))
        .with_topics(topics.collect());
    let coordinator = coordinator(client, terminal, group)?;
    let response = client.node(terminal, "deleteConsumerGroupOffsets", coordinator, &request)?;
    let mut whole = Exception::check(response.error_code, None);
    for key in wanted {
        let found =
            response.topics.iter().filter(|topic| **topic.name == *key.0).find_map(|topic| {
                topic.partitions.iter().find(|partition| partition.partition_index == key.1)
            });
        let outcome = match (&whole, found) {
            (Err(exception), None) => Err(exception.clone()),
            (_, found) => found.map_or(Ok(()), |partition| Exception::check(partition.error_code, None)),
        };
        if whole.is_ok() {
            whole = outcome.clone();
        }
        // Kafka shows these with their class.
        let outcome = outcome.map_err(execution);
        forgotten.insert(key.clone(), outcome);
    }
    Ok(whole)
}

const OF_GROUP: [ErrorCode; 4] = [
    ErrorCode::InvalidGroupId,
    ErrorCode::GroupIdNotFound,
    ErrorCode::GroupAuthorizationFailed,
    ErrorCode::NonEmptyGroup,
];
const OF_PARTITION: [ErrorCode; 3] = [
    ErrorCode::GroupSubscribedToTopic,
    ErrorCode::TopicAuthorizationFailed,
    ErrorCode::UnknownTopicOrPartition,
];

fn verdict(group: &str, whole: &Result<(), Exception>) -> String {
    match whole {
        Ok(()) => format!("Request succeeded for deleting offsets from group {group}."),
        Err(exception) => match OF_GROUP.iter().find(|code| exception.is_of(**code)) {
            Some(code) => format!("\nError: {}", code.message()),
            None if OF_PARTITION.iter().any(|code| exception.is_of(*code)) => {
                "\nError: Encountered some partition-level error, see the follow-up details.".to_owned()
            }
            None => format!("\nError: Encountered some unknown error: {exception}"),
        },
    }
}

fn forgotten_lines(forgotten: &Forgotten) -> Vec<String> {
    let width = forgotten.keys().map(|(topic, _)| topic.len()).max().unwrap_or(0).max(15);
    let line =
        |topic: &str, partition: &str, status: &str| format!("{topic:<width$} {partition:<10} {status:<15}");
    let mut lines = vec![format!("\n{}", line("TOPIC", "PARTITION", "STATUS"))];
    let mut rows: Vec<(&Key, &Result<(), Exception>)> = forgotten.iter().collect();
    rows.sort_by_key(|((topic, partition), _)| format!("{topic}{partition}"));
    for ((topic, partition), outcome) in rows {
        let partition = if *partition < 0 { "-".to_owned() } else { partition.to_string() };
        let status = match outcome {
            Ok(()) => "Successful".to_owned(),
            Err(exception) => format!("Error: {}", exception.message),
        };
        lines.push(line(topic, &partition, &status));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(line: &str) -> Option<String> {
        let words: Vec<String> =
            format!("--bootstrap-server b:1 {line}").split_whitespace().map(str::to_owned).collect();
        match check(&Options::parse(OPTIONS, &words).expect("a good line")) {
            Ok(()) => None,
            Err(Failure::Usage(message)) => Some(message),
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Sentences that Apache Kafka 4.3.1 says.
    #[test]
    fn a_wrong_line_is_told_in_kafka_s_words() {
        let said = [
            (
                "--delete --group g --input-topic t",
                "Kafka Streams does not support topic-specific offset deletion from a streams group.",
            ),
            (
                "--delete-offsets --group g --group h --all-input-topics",
                "Option [delete-offsets] supports only one [group] at a time, but found: [g, h]",
            ),
            ("--reset-offsets --group g", "Option [reset-offsets] takes the option: [execute] or [dry-run]"),
            (
                "--reset-offsets --group g --dry-run --delete-all-internal-topics",
                "Option [delete-all-internal-topics] takes [execute] when [reset-offsets] is used.",
            ),
            ("--list --execute", "Only Option [reset-offsets] accepts [execute] or [dry-run]"),
            (
                "",
                "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, or --delete-offsets.",
            ),
        ];
        for (line, message) in said {
            assert_eq!(checked(line).as_deref(), Some(message), "{line}");
        }
        for right in ["--list --state", "--reset-offsets --group g --dry-run --all-input-topics --to-latest"]
        {
            assert_eq!(checked(right), None, "{right}");
        }
    }

    #[test]
    fn what_became_of_each_partition_is_a_table() {
        let unknown = Exception::of(ErrorCode::UnknownTopicOrPartition.code(), None);
        let forgotten = Forgotten::from([
            (("a".to_owned(), 0), Ok(())),
            (("b".to_owned(), -1), Err(execution(unknown.clone()))),
        ]);
        assert_eq!(
            forgotten_lines(&forgotten),
            [
                "\nTOPIC           PARTITION  STATUS         ",
                "a               0          Successful     ",
                "b               -          Error: org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This server \
                 does not host this topic-partition.",
            ]
        );
        let said = verdict("g", &Err(unknown));
        assert_eq!(said, "\nError: Encountered some partition-level error, see the follow-up details.");
        let absent = Exception::of(ErrorCode::GroupIdNotFound.code(), None);
        assert_eq!(verdict("g", &Err(absent)), format!("\nError: {}", ErrorCode::GroupIdNotFound.message()));
    }
}
