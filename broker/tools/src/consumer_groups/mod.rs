//! `kafka-consumer-groups`: lists, describes and deletes consumer groups, moves and deletes their offsets.
//! Shell over the client; `describe` collects, `table` draws, `reset` moves.

pub mod describe;
pub mod reset;
mod table;

use std::collections::BTreeMap;

use ottla_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use ottla_protocol::messages::{
    DeleteGroupsRequest, FindCoordinatorRequest, GroupId, ListGroupsRequest, OffsetDeleteRequest,
};

use crate::admin;
use crate::client::Client;
use crate::command::{Line, client};
use crate::error::{Exception, Failure};
use crate::options::{Known, Options, flag, value};
use crate::terminal::Terminal;

pub const OPTIONS: &[Known] = &[
    value("bootstrap-server", "REQUIRED: the brokers to connect to."),
    value("command-config", "A properties file for the client."),
    flag("list", "List all consumer groups; --state and --type show and filter these."),
    flag("describe", "Describe groups and their offsets, members or state."),
    flag("delete", "Delete groups."),
    flag("reset-offsets", "Move a group's offsets: with --dry-run it shows what --execute would do."),
    flag("delete-offsets", "Delete a group's offsets of topics."),
    value("group", "The group. May be repeated."),
    flag("all-groups", "All groups."),
    value("topic", "The topic whose offsets are meant, as TOPIC or TOPIC:0,1. May be repeated."),
    flag("all-topics", "All topics of the group."),
    flag("members", "Describe the members."),
    flag("offsets", "Describe the offsets; what --describe does without more."),
    optional("state", "Describe the state; with --list the states to show, between commas."),
    optional("type", "With --list the types to show, between commas."),
    flag("verbose", "Show more."),
    value("timeout", "How long to wait for a group, in ms."),
    flag("dry-run", "Only show."),
    flag("execute", "Do it."),
    flag("export", "Print as CSV."),
    flag("to-earliest", "Move to the first offset."),
    flag("to-latest", "Move to the end."),
    flag("to-current", "Stay at the offset."),
    value("to-offset", "Move to an offset."),
    value("shift-by", "Move by a number of records."),
    value("to-datetime", "Move to the first record since then: YYYY-MM-DDThh:mm:ss.sss."),
    value("by-duration", "Move to the first record of the last PnDTnHnMnS."),
    value("from-file", "Move to what a CSV file says."),
    flag("help", "Show this."),
    flag("version", "Show the version."),
];

pub const LINE: Line = Line {
    about: "This tool helps to list all consumer groups, describe a consumer group, delete consumer group info, or \
            reset consumer group offsets.",
    options: OPTIONS,
    run,
};

/// An option whose value may be left out.
const fn optional(name: &'static str, about: &'static str) -> Known {
    Known { is_value_optional: true, ..flag(name, about) }
}

const ACTIONS: [&str; 5] = ["list", "describe", "delete", "reset-offsets", "delete-offsets"];

fn run(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    check(options)?;
    match act(options, terminal) {
        // `ConsumerGroupCommand.run` prints the error and ends well all the same.
        Err(Failure::Kafka(exception)) => {
            let message = format!("Executing consumer group command failed due to {exception}");
            terminal.say(&format!("\nError: {message}"))?;
            terminal.out.flush()?;
            writeln!(
                terminal.err,
                "java.util.concurrent.ExecutionException: {exception}\nCaused by: {exception}"
            )?;
            Ok(())
        }
        other => other,
    }
}

fn check(options: &Options) -> Result<(), Failure> {
    crate::command::required(options, "bootstrap-server")?;
    if ACTIONS.iter().filter(|action| options.has(action)).count() != 1 {
        let message = "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, \
                       --delete-offsets";
        return Err(Failure::Usage(message.to_owned()));
    }
    let has_group = options.has("group") || options.has("all-groups");
    if options.has("describe") && !has_group {
        let message = "Option [describe] takes one of these options: [group], [all-groups]";
        return Err(Failure::Usage(message.to_owned()));
    }
    if options.has("delete") && !has_group {
        let message = "Option [delete] takes one of these options: [group], [all-groups]";
        return Err(Failure::Usage(message.to_owned()));
    }
    if options.has("delete-offsets") {
        crate::command::required(options, "group")?;
        crate::command::required(options, "topic")?;
    }
    Ok(())
}

fn act(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let mut client = client(options, "bootstrap-server")?;
    if options.has("list") {
        list(&mut client, options, terminal)
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

/// A group as the brokers list it.
struct Listed {
    group: String,
    state: String,
    kind: String,
}

const STATES: [&str; 7] =
    ["PreparingRebalance", "Stable", "CompletingRebalance", "Reconciling", "Empty", "Assigning", "Dead"];

/// The consumer groups of all brokers, in the order of their names.
fn listed(client: &mut Client, terminal: &mut Terminal<'_>) -> Result<Vec<Listed>, Exception> {
    client.metadata(terminal, "findAllBrokers", Some(Vec::new()))?;
    let nodes: Vec<i32> = client.nodes().map(|node| node.id).collect();
    let mut groups = Vec::new();
    for node in nodes {
        let types = ["Classic", "Consumer"].map(admin::text).to_vec();
        let request = ListGroupsRequest::default().with_types_filter(types);
        let response = client.node(terminal, "listGroups", node, &request)?;
        Exception::check(response.error_code, None)?;
        // Other protocols share the API of classic groups (Kafka Connect's workers).
        let of_consumers =
            response.groups.into_iter().filter(|group| ["", "consumer"].contains(&&*group.protocol_type));
        groups.extend(of_consumers.map(|group| Listed {
            group: group.group_id.to_string(),
            state: group.group_state.to_string(),
            kind: group.group_type.to_string(),
        }));
    }
    groups.sort_by(|a, b| a.group.cmp(&b.group));
    Ok(groups)
}

fn list(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let asked = |name: &str| -> Vec<String> {
        let text = options.get(name).unwrap_or_default();
        text.split(',').map(|word| word.trim().to_lowercase()).filter(|word| !word.is_empty()).collect()
    };
    let (states, kinds) = (asked("state"), asked("type"));
    if let Some(bad) =
        states.iter().find(|state| !STATES.iter().any(|known| known.eq_ignore_ascii_case(state)))
    {
        let message = format!("Invalid state list '{bad}'. Valid states are: {}", STATES.join(", "));
        return Err(Failure::Usage(message));
    }
    if let Some(bad) = kinds.iter().find(|kind| !["classic", "consumer"].contains(&kind.as_str())) {
        return Err(Failure::Usage(format!(
            "Invalid types list '{bad}'. Valid types are: Consumer, Classic"
        )));
    }
    let wanted = |words: &[String], word: &str| words.is_empty() || words.contains(&word.to_lowercase());
    let groups: Vec<Listed> = listed(client, terminal)?
        .into_iter()
        .filter(|group| wanted(&states, &group.state) && wanted(&kinds, &group.kind))
        .collect();
    for line in list_lines(&groups, options.has("state"), options.has("type")) {
        terminal.say(&line)?;
    }
    Ok(())
}

fn list_lines(groups: &[Listed], with_state: bool, with_type: bool) -> Vec<String> {
    let line = |group: &str, kind: &str, state: &str| match (with_type, with_state) {
        (false, false) => group.to_owned(),
        (true, false) => format!("{group:<25} {kind:<20}"),
        (false, true) => format!("{group:<25} {state:<20}"),
        (true, true) => format!("{group:<25} {kind:<20} {state:<20}"),
    };
    let head = (with_state || with_type).then(|| line("GROUP", "TYPE", "STATE"));
    head.into_iter().chain(groups.iter().map(|group| line(&group.group, &group.kind, &group.state))).collect()
}

/// The groups that the command line means.
fn meant(
    client: &mut Client,
    options: &Options,
    terminal: &mut Terminal<'_>,
) -> Result<Vec<String>, Exception> {
    if options.has("all-groups") {
        return Ok(listed(client, terminal)?.into_iter().map(|group| group.group).collect());
    }
    Ok(options.all("group").map(str::to_owned).collect())
}

const GROUP_KEY: i8 = 0;

/// The broker that coordinates a group.
pub fn coordinator(client: &mut Client, terminal: &mut Terminal<'_>, group: &str) -> Result<i32, Exception> {
    let request = FindCoordinatorRequest::default()
        .with_key_type(GROUP_KEY)
        .with_coordinator_keys(vec![admin::text(group)]);
    let response = client.any(terminal, "findCoordinator", &request)?;
    Exception::check(response.error_code, response.error_message.as_deref())?;
    let found = response.coordinators.first();
    let found =
        found.ok_or_else(|| Exception::kafka("CoordinatorNotAvailableException", "No coordinator"))?;
    Exception::check(found.error_code, found.error_message.as_deref())?;
    Ok(found.node_id.0)
}

fn delete(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let mut deleted = Vec::new();
    let mut failed = Vec::new();
    for group in meant(client, options, terminal)? {
        let coordinator = coordinator(client, terminal, &group)?;
        let request = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(admin::text(&group))]);
        let response = client.node(terminal, "deleteConsumerGroups", coordinator, &request)?;
        let outcome =
            response.results.first().map_or(Ok(()), |result| Exception::check(result.error_code, None));
        match outcome {
            Ok(()) => deleted.push(format!("'{group}'")),
            Err(exception) => {
                failed.push(format!("* Group '{group}' could not be deleted due to: {exception}"))
            }
        }
    }
    if failed.is_empty() {
        let line = format!("Deletion of requested consumer groups ({}) was successful.", deleted.join(", "));
        return Ok(terminal.say(&line)?);
    }
    terminal.say(&format!("\nError: Deletion of some consumer groups failed:\n{}", failed.join("\n")))?;
    if !deleted.is_empty() {
        terminal
            .say(&format!("\nThese consumer groups were deleted successfully: {}", deleted.join(", ")))?;
    }
    Ok(())
}

/// Partitions of topics as `--topic TOPIC` and `--topic TOPIC:0,1` name them.
fn named_partitions(
    client: &mut Client,
    options: &Options,
    terminal: &mut Terminal<'_>,
) -> Result<BTreeMap<String, Vec<i32>>, Exception> {
    let mut named = BTreeMap::new();
    for text in options.all("topic") {
        let (topic, numbers) = text.split_once(':').unwrap_or((text, ""));
        let partitions = if numbers.is_empty() {
            let topics = admin::describe_topics(client, terminal, &[topic.to_owned()])?;
            topics
                .iter()
                .flat_map(|topic| &topic.partitions)
                .map(|partition| partition.partition_index)
                .collect()
        } else {
            let numbers = numbers.split(',').map(|number| number.trim().parse());
            numbers.collect::<Result<Vec<i32>, _>>().map_err(|_| {
                Exception::illegal_argument(format!(
                    "Invalid topic arg '{text}'. There should be partition numbers"
                ))
            })?
        };
        named.insert(topic.to_owned(), partitions);
    }
    Ok(named)
}

fn delete_offsets(
    client: &mut Client,
    options: &Options,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let group = options.get("group").unwrap_or_default().to_owned();
    let named = named_partitions(client, options, terminal)?;
    let coordinator = coordinator(client, terminal, &group)?;
    let topics = named.iter().map(|(topic, partitions)| {
        let partition = |index: &i32| OffsetDeleteRequestPartition::default().with_partition_index(*index);
        OffsetDeleteRequestTopic::default()
            .with_name(admin::topic_name(topic))
            .with_partitions(partitions.iter().map(partition).collect())
    });
    let request = OffsetDeleteRequest::default()
        .with_group_id(GroupId(admin::text(&group)))
        .with_topics(topics.collect());
    let response = client.node(terminal, "deleteConsumerGroupOffsets", coordinator, &request)?;
    Exception::check(response.error_code, None)?;
    let rows: Vec<(String, i32, Result<(), Exception>)> = response
        .topics
        .iter()
        .flat_map(|topic| {
            topic.partitions.iter().map(|partition| {
                let outcome = Exception::check(partition.error_code, None);
                (topic.name.to_string(), partition.partition_index, outcome)
            })
        })
        .collect();
    if rows.iter().all(|(_, _, outcome)| outcome.is_ok()) {
        terminal.say(&format!("\nRequest succeeded for deleting offsets from group {group}."))?;
    } else {
        terminal.say("\nEncountered some partition-level errors, see the follow-up details.")?;
    }
    terminal.say(&format!("{:<15} {:<10} {:<15}", "TOPIC", "PARTITION", "STATUS"))?;
    for (topic, partition, outcome) in rows {
        let status = match outcome {
            Ok(()) => "Successful".to_owned(),
            Err(exception) => format!("Error: {}", exception.message),
        };
        terminal.say(&format!("{topic:<15} {partition:<10} {status:<15}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_head_when_more_than_names_is_shown() {
        let groups =
            [Listed { group: "g".to_owned(), state: "Empty".to_owned(), kind: "Classic".to_owned() }];
        assert_eq!(list_lines(&groups, false, false), ["g"]);
        let both = list_lines(&groups, true, true);
        assert_eq!(both[0], "GROUP                     TYPE                 STATE               ");
        assert_eq!(both[1], "g                         Classic              Empty               ");
    }
}
