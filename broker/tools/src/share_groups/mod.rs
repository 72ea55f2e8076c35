//! `kafka-share-groups`: lists, describes and deletes share groups, moves and deletes where they begin.
//! Shell over the client; `describe` looks, the lines it prints are made by plain functions.

mod describe;

use std::collections::{BTreeMap, BTreeSet};

use ottla_model::ErrorCode;
use ottla_protocol::messages::alter_share_group_offsets_request::{
    AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
};
use ottla_protocol::messages::delete_share_group_offsets_request::DeleteShareGroupOffsetsRequestTopic;
use ottla_protocol::messages::{AlterShareGroupOffsetsRequest, DeleteShareGroupOffsetsRequest, GroupId};

use crate::admin;
use crate::client::Client;
use crate::command::{Line, client, required};
use crate::consumer_groups::coordinator;
use crate::error::{Exception, Failure};
use crate::group_lists::{self, Kind, bracketed, excludes};
use crate::offset_reset::{self, Offsets, Target};
use crate::options::{Known, Options, flag, value};
use crate::terminal::Terminal;

const OPTIONS: &[Known] = &[
    value("bootstrap-server", "REQUIRED: the brokers to connect to."),
    value("command-config", "A properties file for the client."),
    flag("list", "List all share groups; --state shows and filters these."),
    flag("describe", "Describe share groups: their offsets, members or state."),
    flag("delete", "Delete share groups."),
    flag("reset-offsets", "Move where a group begins: with --dry-run it shows what --execute would do."),
    flag("delete-offsets", "Forget a group's offsets of topics."),
    value("group", "The group. May be repeated."),
    flag("all-groups", "All share groups."),
    value("topic", "The topic whose offsets are meant, as TOPIC or TOPIC:0,1. May be repeated."),
    flag("all-topics", "All topics of the group."),
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
    value("to-datetime", "Move to the first record since then: YYYY-MM-DDThh:mm:ss.sss."),
    flag("to-earliest", "Move to the first offset."),
    flag("to-latest", "Move to the end."),
    flag("help", "Show this."),
    flag("version", "Show the version."),
];

pub const LINE: Line = Line {
    about: "This tool helps to list, describe, reset and delete share groups.",
    options: OPTIONS,
    run,
};

pub const KIND: Kind = Kind {
    name: "Share",
    word: "share",
    states: &["Stable", "Dead", "Empty"],
    stranger: "is not a share group.",
};

const ACTIONS: [&str; 5] = ["list", "describe", "delete", "reset-offsets", "delete-offsets"];
const SCENARIOS: [&str; 3] = ["to-datetime", "to-earliest", "to-latest"];

fn run(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    check(options)?;
    let outcome = act(options, terminal);
    // `ShareGroupCommand.run` prints the error and ends well all the same.
    group_lists::told(outcome, terminal, &KIND, 0)
}

fn check(options: &Options) -> Result<(), Failure> {
    let wrong = |message: &str| Err(Failure::Usage(message.to_owned()));
    required(options, "bootstrap-server")?;
    if options.has("describe") {
        group_lists::check_describe(options)?;
    }
    if options.has("delete") {
        match (options.has("group"), options.has("all-groups")) {
            (false, false) => return wrong("Option [delete] takes the options [group] or [all-groups]"),
            (true, true) => return wrong("Option [delete] takes either [group] or [all-groups], not both."),
            _ if options.has("topic") => return wrong("Option [delete] does not take the option: [topic]"),
            _ => {}
        }
    }
    if options.has("delete-offsets") && !(options.has("group") && options.has("topic")) {
        return wrong("Option [delete-offsets] takes the following options: [topic], [group]");
    }
    if options.has("reset-offsets") {
        check_reset(options)?;
    }
    excludes(options, "group", &["all-groups"])?;
    excludes(options, "group", &["list"])?;
    excludes(options, "topic", &["list", "describe"])?;
    if ACTIONS.iter().filter(|action| options.has(action)).count() != 1 {
        return wrong(
            "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, --delete-offsets.",
        );
    }
    Ok(())
}

fn check_reset(options: &Options) -> Result<(), Failure> {
    let takes = |what: String| Err(Failure::Usage(format!("Option [reset-offsets] takes {what}")));
    group_lists::check_reset(options)?;
    if !options.has("group") {
        return takes("the option: [group]".to_owned());
    }
    if !options.has("topic") && !options.has("all-topics") {
        return takes(format!("one of these options: {}", bracketed(&["topic", "all-topics"])));
    }
    if SCENARIOS.iter().all(|scenario| !options.has(scenario)) {
        return takes(format!("one of these options: {}", bracketed(&SCENARIOS)));
    }
    for scenario in SCENARIOS {
        let others: Vec<&str> = SCENARIOS.into_iter().filter(|other| *other != scenario).collect();
        excludes(options, scenario, &others)?;
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
        reset(&mut client, options, terminal)
    } else {
        delete_offsets(&mut client, options, terminal)
    }
}

fn delete(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let listed = group_lists::listed(client, terminal, &KIND)?;
    let groups = match options.has("all-groups") {
        true => listed.iter().map(|group| group.group.clone()).collect(),
        false => group_lists::meant(client, options, terminal, &KIND)?,
    };
    let (may, mut deletion) = group_lists::deletable(groups, &listed, &KIND);
    group_lists::delete(client, terminal, may, &mut deletion)?;
    for line in deletion.lines(&KIND, "") {
        terminal.say(&line)?;
    }
    Ok(())
}

fn reset(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let group = options.get("group").unwrap_or_default().to_owned();
    let refused = |message: String| Err(Failure::Sentence(message, 1));
    match describe::described(client, terminal, &group) {
        Ok(known) if !["Empty", "Dead"].contains(&known.state.as_str()) => {
            return refused(format!("Share group '{group}' is not empty."));
        }
        Ok(_) => {}
        Err(exception) if exception.is_of(ErrorCode::GroupIdNotFound) => {}
        Err(exception) => return refused(exception.message),
    }
    let wanted: BTreeSet<(String, i32)> = if options.has("topic") {
        offset_reset::named_partitions(client, terminal, options.all("topic"))?
    } else {
        describe::starts(client, terminal, &group)?.into_keys().collect()
    };
    offset_reset::check_there(client, terminal, &wanted)?;
    let Some(target) = Target::of(options)? else { return Ok(()) };
    let offsets = offset_reset::decide(client, terminal, &group, &target, &wanted, &Offsets::new())?;
    if options.has("execute") {
        alter(client, terminal, &group, &offsets)?;
    }
    let groups = if offsets.is_empty() { BTreeMap::new() } else { BTreeMap::from([(group, offsets)]) };
    for line in offset_reset::lines(&groups) {
        terminal.say(&line)?;
    }
    Ok(())
}

fn alter(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    group: &str,
    offsets: &Offsets,
) -> Result<(), Exception> {
    let mut topics: BTreeMap<&str, Vec<AlterShareGroupOffsetsRequestPartition>> = BTreeMap::new();
    for ((topic, partition), offset) in offsets {
        let partition = AlterShareGroupOffsetsRequestPartition::default()
            .with_partition_index(*partition)
            .with_start_offset(*offset);
        topics.entry(topic).or_default().push(partition);
    }
    let topics = topics.into_iter().map(|(topic, partitions)| {
        AlterShareGroupOffsetsRequestTopic::default()
            .with_topic_name(admin::topic_name(topic))
            .with_partitions(partitions)
    });
    let request = AlterShareGroupOffsetsRequest::default()
        .with_group_id(GroupId(admin::text(group)))
        .with_topics(topics.collect());
    let coordinator = coordinator(client, terminal, group)?;
    let response = client.node(terminal, "alterShareGroupOffsets", coordinator, &request)?;
    Exception::check(response.error_code, response.error_message.as_deref())?;
    for partition in response.responses.iter().flat_map(|topic| &topic.partitions) {
        Exception::check(partition.error_code, partition.error_message.as_deref())?;
    }
    Ok(())
}

/// What became of each topic's offsets.
type Forgotten = BTreeMap<String, Result<(), Exception>>;

fn delete_offsets(
    client: &mut Client,
    options: &Options,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let group = options.get("group").unwrap_or_default().to_owned();
    let topics: BTreeSet<&str> = options.all("topic").collect();
    let asked = topics.iter().map(|topic| {
        DeleteShareGroupOffsetsRequestTopic::default().with_topic_name(admin::topic_name(topic))
    });
    let request = DeleteShareGroupOffsetsRequest::default()
        .with_group_id(GroupId(admin::text(&group)))
        .with_topics(asked.collect());
    let coordinator = coordinator(client, terminal, &group)?;
    let response = client.node(terminal, "deleteShareGroupOffsets", coordinator, &request)?;
    let whole = Exception::check(response.error_code, response.error_message.as_deref());
    let one = |topic: &str| {
        whole.clone()?;
        let result = response.responses.iter().find(|result| &**result.topic_name == topic);
        result.map_or(Ok(()), |result| Exception::check(result.error_code, result.error_message.as_deref()))
    };
    let forgotten: Forgotten = topics.iter().map(|topic| ((*topic).to_owned(), one(topic))).collect();
    for line in forgotten_lines(&forgotten) {
        terminal.say(&line)?;
    }
    Ok(())
}

/// Errors whose message says all.
const OF_GROUP: [ErrorCode; 4] = [
    ErrorCode::InvalidGroupId,
    ErrorCode::GroupIdNotFound,
    ErrorCode::GroupAuthorizationFailed,
    ErrorCode::NonEmptyGroup,
];
/// Errors that are told beside the topic.
const OF_TOPIC: [ErrorCode; 2] = [ErrorCode::TopicAuthorizationFailed, ErrorCode::UnknownTopicOrPartition];

fn forgotten_lines(forgotten: &Forgotten) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(exception) = forgotten.values().find_map(|outcome| outcome.as_ref().err()) {
        let is_of = |codes: &[ErrorCode]| codes.iter().any(|code| exception.is_of(*code));
        if is_of(&OF_GROUP) {
            lines.push(format!("\nError: {}", exception.message));
        } else if !is_of(&OF_TOPIC) {
            lines.push(format!("\nError: Encounter some unknown error: {exception}"));
        }
    }
    let width = forgotten.keys().map(String::len).max().unwrap_or(0).max(15);
    lines.push(format!("\n{:<width$} STATUS", "TOPIC"));
    for (topic, outcome) in forgotten {
        let status = match outcome {
            Ok(()) => "Successful".to_owned(),
            Err(exception) => format!("Error: {}", exception.message),
        };
        lines.push(format!("{topic:<width$} {status}"));
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
            ("--describe", "Option [describe] takes one of these options: [group], [all-groups]"),
            ("--describe --group g --state Empty", "Option [describe] does not take a value for [state]"),
            ("--delete", "Option [delete] takes the options [group] or [all-groups]"),
            (
                "--delete --group g --all-groups",
                "Option [delete] takes either [group] or [all-groups], not both.",
            ),
            ("--delete --group g --topic t", "Option [delete] does not take the option: [topic]"),
            ("--reset-offsets", "Option [reset-offsets] takes the option: [execute] or [dry-run]"),
            ("--reset-offsets --dry-run", "Option [reset-offsets] takes the option: [group]"),
            ("--list --group g", "Option \"[group]\" can't be used with option \"[list]\""),
            (
                "--list --delete --all-groups",
                "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, --delete-offsets.",
            ),
        ];
        for (line, message) in said {
            assert_eq!(checked(line).as_deref(), Some(message), "{line}");
        }
        for right in ["--list", "--describe --all-groups --members", "--delete-offsets --group g --topic t"] {
            assert_eq!(checked(right), None, "{right}");
        }
    }

    #[test]
    fn what_became_of_each_topic_is_a_table() {
        let unknown = Exception::of(ErrorCode::UnknownTopicOrPartition.code(), None);
        let forgotten = Forgotten::from([("a".to_owned(), Ok(())), ("b".to_owned(), Err(unknown))]);
        assert_eq!(
            forgotten_lines(&forgotten),
            [
                "\nTOPIC           STATUS",
                "a               Successful",
                "b               Error: This server does not host this topic-partition.",
            ]
        );
        let absent = Exception::of(ErrorCode::GroupIdNotFound.code(), Some("Group g not found."));
        let forgotten = Forgotten::from([("a".to_owned(), Err(absent))]);
        assert_eq!(forgotten_lines(&forgotten)[0], "\nError: Group g not found.");
    }
}
