//! `--reset-offsets`: where a streams group goes on.
//! Shell over the client; `offset_reset` decides.

use std::collections::{BTreeMap, BTreeSet};

use ottla_model::ErrorCode;

use super::{KIND, SCENARIOS, describe, internal_topics};
use crate::admin;
use crate::client::Client;
use crate::consumer_groups;
use crate::error::{Exception, Failure};
use crate::group_lists;
use crate::offset_reset::{self, Key, Offsets, Target, execution, runtime};
use crate::options::Options;
use crate::terminal::Terminal;

pub fn run(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let mut groups: BTreeMap<String, Offsets> = BTreeMap::new();
    for name in group_lists::meant(client, options, terminal, &KIND)? {
        let offsets = match describe::described(client, terminal, &name) {
            Ok(group) if ["Empty", "Dead"].contains(&group.state.as_str()) => {
                let offsets = reset(client, options, terminal, &name)?;
                if options.has("execute") {
                    delete_internal(client, options, terminal, &name)?;
                }
                offsets
            }
            Ok(group) => {
                terminal.say(&format!(
                    "\nError: Assignments can only be reset if the group '{name}' is inactive, but the current state is {}.",
                    group.state
                ))?;
                Offsets::new()
            }
            Err(exception) if exception.is_of(ErrorCode::GroupIdNotFound) => {
                reset(client, options, terminal, &name)?
            }
            Err(exception) => return Err(runtime(exception).into()),
        };
        groups.insert(name, offsets);
    }
    if options.has("export") {
        return Ok(terminal.say(&offset_reset::csv(&groups, options.all("group").count() != 1))?);
    }
    for line in lines(&groups) {
        terminal.say(&line)?;
    }
    Ok(())
}

fn reset(
    client: &mut Client,
    options: &Options,
    terminal: &mut Terminal<'_>,
    group: &str,
) -> Result<Offsets, Failure> {
    let wanted = wanted(client, options, terminal, group)?;
    let Some(target) = Target::of(options)? else {
        let scenarios = group_lists::bracketed(&SCENARIOS);
        let message =
            format!("Option '[reset-offsets]' requires one of the following scenarios: [{scenarios}]");
        return Err(Failure::Usage(message));
    };
    let committed = match target {
        Target::Shift(_) | Target::Current => committed(client, terminal, group)?,
        _ => Offsets::new(),
    };
    let offsets = offset_reset::decide(client, terminal, group, &target, &wanted, &committed)?;
    if options.has("execute") && !offsets.is_empty() {
        consumer_groups::reset::commit(client, terminal, group, &offsets)?;
    }
    Ok(offsets)
}

fn wanted(
    client: &mut Client,
    options: &Options,
    terminal: &mut Terminal<'_>,
    group: &str,
) -> Result<BTreeSet<Key>, Failure> {
    if options.has("all-input-topics") {
        return Ok(input_offsets(client, terminal, group)?.into_keys().collect());
    }
    if options.has("input-topic") {
        let wanted = offset_reset::named_partitions(client, terminal, options.all("input-topic"))?;
        offset_reset::check_there(client, terminal, &wanted)?;
        let known = of_group(client, terminal, group)?;
        if wanted.iter().all(|key| known.contains_key(key)) {
            return Ok(wanted);
        }
        terminal.say(&format!("\nError: One or more topics are not part of the group '{group}'."))?;
        return Ok(BTreeSet::new());
    }
    if options.has("from-file") {
        return Ok(BTreeSet::new());
    }
    Err(Failure::Usage("One of the reset scopes should be defined: --all-topics, --topic.".to_owned()))
}

/// All offsets that the group has committed.
fn of_group(client: &mut Client, terminal: &mut Terminal<'_>, group: &str) -> Result<Offsets, Exception> {
    let committed = consumer_groups::describe::committed(client, terminal, group)?;
    Ok(committed.into_iter().map(|(key, committed)| (key, committed.offset)).collect())
}

/// Those of the topics that the topology reads from outside.
pub fn input_offsets(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    group: &str,
) -> Result<Offsets, Exception> {
    let described =
        describe::described(client, terminal, group).map_err(|error| runtime(execution(error)))?;
    let mut offsets = of_group(client, terminal, group)?;
    offsets.retain(|(topic, _), _| described.subtopologies.iter().any(|one| one.sources.contains(topic)));
    Ok(offsets)
}

/// Those of all topics that the topology reads.
pub fn committed(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    group: &str,
) -> Result<Offsets, Exception> {
    let described =
        describe::described(client, terminal, group).map_err(|error| runtime(execution(error)))?;
    let mut offsets = of_group(client, terminal, group)?;
    offsets.retain(|(topic, _), _| described.subtopologies.iter().any(|one| one.reads(topic)));
    Ok(offsets)
}

fn delete_internal(
    client: &mut Client,
    options: &Options,
    terminal: &mut Terminal<'_>,
    group: &str,
) -> Result<(), Failure> {
    let topics: Vec<String> = if options.has("delete-all-internal-topics") {
        internal_topics::of(client, terminal, &[group.to_owned()])?.remove(group).unwrap_or_default()
    } else {
        options.all("delete-internal-topic").map(str::to_owned).collect()
    };
    if topics.is_empty() {
        return Ok(());
    }
    let Err(exception) = admin::delete_topics(client, terminal, &topics) else { return Ok(()) };
    let message = format!("\nError: Deleting internal topics for group '{group}' failed");
    if exception.is_of(ErrorCode::UnknownTopicOrPartition) {
        return Ok(terminal.say(&format!("{message} because the topics do not exist."))?);
    }
    terminal.say(&format!("{message} due to {exception}"))?;
    terminal.out.flush()?;
    Ok(writeln!(terminal.err, "{exception}")?)
}

fn lines(groups: &BTreeMap<String, Offsets>) -> Vec<String> {
    let line = |group: &str, topic: &str, partition: &str, offset: &str| {
        format!("{group:<30} {topic:<30} {partition:<10} {offset:<15}")
    };
    let mut lines = Vec::new();
    if groups.is_empty() {
        lines.push(String::new());
    } else {
        lines.push(format!("\n{}", line("GROUP", "TOPIC", "PARTITION", "NEW-OFFSET")));
    }
    for (group, offsets) in groups {
        for ((topic, partition), offset) in offsets {
            lines.push(line(group, topic, &partition.to_string(), &offset.to_string()));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_offsets_are_a_wide_table() {
        let offsets = Offsets::from([(("in".to_owned(), 0), 3)]);
        let table = lines(&BTreeMap::from([("g".to_owned(), offsets)]));
        assert_eq!(
            table,
            [
                "\nGROUP                          TOPIC                          PARTITION  NEW-OFFSET     ",
                "g                              in                             0          3              ",
            ]
        );
    }
}
