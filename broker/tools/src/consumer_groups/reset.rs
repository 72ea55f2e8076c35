//! `--reset-offsets`: where a group goes on.
//! Shell over the client; `offset_reset` decides.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::messages::OffsetCommitRequest;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};

use super::describe;
use crate::admin;
use crate::client::Client;
use crate::error::{Exception, Failure};
use crate::offset_reset::{self, Offsets, Target};
use crate::options::Options;
use crate::terminal::Terminal;

const SCENARIOS: [&str; 8] = [
    "to-earliest",
    "to-current",
    "to-latest",
    "shift-by",
    "to-offset",
    "to-datetime",
    "by-duration",
    "from-file",
];
const NO_EXECUTE: &str = "WARN: No action will be performed as the --execute option is missing. In version 5.0, this \
                          command will require either --dry-run or --execute to be specified. You should add the \
                          --dry-run option explicitly if you are scripting this command and want to keep the current \
                          default behavior without prompting.";

pub fn run(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    if !options.has("execute") && !options.has("dry-run") {
        terminal.out.flush()?;
        writeln!(terminal.err, "{NO_EXECUTE}")?;
    }
    check(options)?;
    let Some(target) = Target::of(options)? else { return Ok(()) };
    let mut groups = BTreeMap::new();
    for group in super::meant(client, options, terminal)? {
        let offsets = reset(client, options, terminal, &group, &target)?;
        groups.insert(group, offsets);
    }
    if options.has("export") {
        return Ok(terminal.say(&offset_reset::csv(&groups, options.all("group").count() != 1))?);
    }
    for line in offset_reset::lines(&groups) {
        terminal.say(&line)?;
    }
    Ok(())
}

fn check(options: &Options) -> Result<(), Failure> {
    if !options.has("group") && !options.has("all-groups") {
        let message = "Option [reset-offsets] takes one of these options: [group], [all-groups]";
        return Err(Failure::Usage(message.to_owned()));
    }
    if ["topic", "all-topics", "from-file"].iter().all(|scope| !options.has(scope)) {
        let message = "One of the reset scopes should be defined: --all-topics, --topic.";
        return Err(Failure::Usage(message.to_owned()));
    }
    if SCENARIOS.iter().filter(|scenario| options.has(scenario)).count() != 1 {
        let names: Vec<String> = SCENARIOS.iter().map(|name| format!("[{name}]")).collect();
        let message = format!(
            "Option '[reset-offsets]' requires one of the following scenarios: [{}]",
            names.join(", ")
        );
        return Err(Failure::Usage(message));
    }
    Ok(())
}

fn reset(
    client: &mut Client,
    options: &Options,
    terminal: &mut Terminal<'_>,
    group: &str,
    target: &Target,
) -> Result<Offsets, Failure> {
    refuse_active(client, terminal, group)?;
    let committed: Offsets = describe::committed(client, terminal, group)?
        .into_iter()
        .map(|(key, committed)| (key, committed.offset))
        .collect();
    let wanted: BTreeSet<(String, i32)> = if options.has("all-topics") {
        committed.keys().cloned().collect()
    } else {
        offset_reset::named_partitions(client, terminal, options.all("topic"))?
    };
    let offsets = offset_reset::decide(client, terminal, group, target, &wanted, &committed)?;
    if options.has("execute") {
        commit(client, terminal, group, &offsets)?;
    }
    Ok(offsets)
}

/// Members would go on from where they are, and commit that.
fn refuse_active(client: &mut Client, terminal: &mut Terminal<'_>, group: &str) -> Result<(), Failure> {
    let state = match describe::describe(client, terminal, group) {
        Ok(described) => described.state,
        Err(exception) if exception.is_of(ottla_model::ErrorCode::GroupIdNotFound) => return Ok(()),
        Err(exception) => return Err(exception.into()),
    };
    if ["Empty", "Dead"].contains(&state.as_str()) {
        return Ok(());
    }
    let message = format!(
        "\nError: Assignments can only be reset if the group '{group}' is inactive, but the current state is {state}."
    );
    terminal.say(&message)?;
    Err(Failure::Exit(0))
}

/// Commits in the place of a group without members.
pub fn commit(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    group: &str,
    offsets: &Offsets,
) -> Result<(), Exception> {
    let response = client.metadata(terminal, "describeTopics", None)?;
    let mut topics: BTreeMap<&str, OffsetCommitRequestTopic> = BTreeMap::new();
    for ((name, partition), offset) in offsets {
        let topic = topics.entry(name).or_insert_with(|| {
            let known = response
                .topics
                .iter()
                .find(|topic| topic.name.as_ref().is_some_and(|known| &***known == name.as_str()));
            OffsetCommitRequestTopic {
                name: admin::text(name),
                topic_id: known.map(|topic| topic.topic_id).unwrap_or_default(),
                ..OffsetCommitRequestTopic::default()
            }
        });
        topic.partitions.push(OffsetCommitRequestPartition {
            partition_index: *partition,
            committed_offset: *offset,
            committed_leader_epoch: -1,
            committed_metadata: Some(admin::text("")),
            ..OffsetCommitRequestPartition::default()
        });
    }
    let request = OffsetCommitRequest {
        group_id: admin::text(group),
        generation_id_or_member_epoch: -1,
        retention_time_ms: -1,
        topics: topics.into_values().collect(),
        ..OffsetCommitRequest::default()
    };
    let coordinator = super::coordinator(client, terminal, group)?;
    let response = client.node(terminal, "alterConsumerGroupOffsets", coordinator, &request)?;
    for partition in response.topics.iter().flat_map(|topic| &topic.partitions) {
        Exception::check(partition.error_code, None)?;
    }
    Ok(())
}
