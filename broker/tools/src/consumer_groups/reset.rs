//! `--reset-offsets`: where a group goes on.
//! Shell over the client; the new offsets are decided by plain functions.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::messages::OffsetCommitRequest;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};

use super::describe::{self, Committed};
use crate::admin;
use crate::client::Client;
use crate::error::{Exception, Failure};
use crate::options::Options;
use crate::terminal::Terminal;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
/// `to-datetime`, `by-duration` and `from-file` are Kafka's too; nobody has asked for them here.
const SCENARIOS: [&str; 5] = ["to-earliest", "to-current", "to-latest", "shift-by", "to-offset"];
const NO_EXECUTE: &str = "WARN: No action will be performed as the --execute option is missing. In version 5.0, this \
                          command will require either --dry-run or --execute to be specified. You should add the \
                          --dry-run option explicitly if you are scripting this command and want to keep the current \
                          default behavior without prompting.";
const UTILS: &str = "org.apache.kafka.tools.OffsetsUtils";

type Offsets = BTreeMap<(String, i32), i64>;

pub fn run(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    if !options.has("execute") && !options.has("dry-run") {
        terminal.out.flush()?;
        writeln!(terminal.err, "{NO_EXECUTE}")?;
    }
    check(options)?;
    for group in super::meant(client, options, terminal)? {
        reset(client, options, terminal, &group)?;
    }
    Ok(())
}

fn check(options: &Options) -> Result<(), Failure> {
    if !options.has("group") && !options.has("all-groups") {
        let message = "Option [reset-offsets] takes one of these options: [group], [all-groups]";
        return Err(Failure::Usage(message.to_owned()));
    }
    if !options.has("topic") && !options.has("all-topics") {
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
) -> Result<(), Failure> {
    refuse_active(client, terminal, group)?;
    let committed = describe::committed(client, terminal, group)?;
    let wanted: BTreeSet<(String, i32)> = if options.has("all-topics") {
        committed.keys().cloned().collect()
    } else {
        let named = super::named_partitions(client, options, terminal)?;
        named
            .iter()
            .flat_map(|(topic, numbers)| numbers.iter().map(|number| (topic.clone(), *number)))
            .collect()
    };
    let begins = describe::ends(client, terminal, &wanted, EARLIEST)?;
    let ends = describe::ends(client, terminal, &wanted, LATEST)?;
    let target = Target::of(options)?;
    let mut offsets = Offsets::new();
    for key in wanted {
        let (begin, end) = (begins.get(&key).copied().unwrap_or(0), ends.get(&key).copied().unwrap_or(0));
        let (offset, remark) = target.decide(&key, committed.get(&key).copied(), begin, end)?;
        if let Some(remark) = remark {
            terminal.log("WARN", &remark, UTILS)?;
        }
        offsets.insert(key, offset);
    }
    if options.has("execute") {
        commit(client, terminal, group, &offsets)?;
    }
    for line in lines(group, &offsets, options.has("export")) {
        terminal.say(&line)?;
    }
    Ok(())
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

/// Where to.
#[derive(Clone, Copy, Debug)]
enum Target {
    Earliest,
    Latest,
    Current,
    Shift(i64),
    Offset(i64),
}

impl Target {
    fn of(options: &Options) -> Result<Target, Failure> {
        let number = |name: &str| {
            let text = options.get(name).unwrap_or_default();
            text.parse()
                .map_err(|_| Failure::Usage(format!("Cannot parse argument '{text}' of option {name}")))
        };
        Ok(if options.has("to-earliest") {
            Target::Earliest
        } else if options.has("to-latest") {
            Target::Latest
        } else if options.has("shift-by") {
            Target::Shift(number("shift-by")?)
        } else if options.has("to-offset") {
            Target::Offset(number("to-offset")?)
        } else {
            Target::Current
        })
    }

    /// The new offset, and what is said when it had to be moved into the log.
    fn decide(
        self,
        key: &(String, i32),
        committed: Option<Committed>,
        begin: i64,
        end: i64,
    ) -> Result<(i64, Option<String>), Exception> {
        let wanted = match self {
            Target::Earliest => begin,
            Target::Latest => end,
            Target::Offset(offset) => offset,
            Target::Current => committed.map_or(end, |committed| committed.offset),
            Target::Shift(by) => match committed {
                Some(committed) => committed.offset.saturating_add(by),
                None => {
                    let (topic, partition) = key;
                    return Err(Exception::illegal_argument(format!(
                        "Cannot shift offset for partition {topic}-{partition} since there is no current committed \
                         offset"
                    )));
                }
            },
        };
        let (topic, partition) = key;
        let moved = |side: &str, to: i64| {
            format!(
                "New offset ({wanted}) is {side} offset for topic partition {topic}-{partition}. Value will be set \
                 to {to}"
            )
        };
        Ok(if wanted > end {
            (end, Some(moved("higher than latest", end)))
        } else if wanted < begin {
            (begin, Some(moved("lower than earliest", begin)))
        } else {
            (wanted, None)
        })
    }
}

fn commit(
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

fn lines(group: &str, offsets: &Offsets, is_export: bool) -> Vec<String> {
    if is_export {
        let rows = offsets.iter().map(|((topic, partition), offset)| format!("{topic},{partition},{offset}"));
        return rows.chain(std::iter::once(String::new())).collect();
    }
    let line = |group: &str, topic: &str, partition: &str, offset: &str| {
        format!("{group:<15} {topic:<15} {partition:<10} {offset}")
    };
    let head = format!("\n{}", line("GROUP", "TOPIC", "PARTITION", "NEW-OFFSET"));
    let rows = offsets
        .iter()
        .map(|((topic, partition), offset)| line(group, topic, &partition.to_string(), &offset.to_string()));
    std::iter::once(head).chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_stays_inside_of_the_log() {
        let key = ("t".to_owned(), 0);
        let at = |offset| Some(Committed { offset, leader_epoch: None });
        let decided =
            |target: Target, committed| target.decide(&key, committed, 2, 9).map(|(offset, _)| offset);
        assert_eq!(decided(Target::Earliest, None), Ok(2));
        assert_eq!(decided(Target::Latest, None), Ok(9));
        assert_eq!(decided(Target::Current, at(5)), Ok(5));
        assert_eq!(decided(Target::Current, None), Ok(9));
        assert_eq!(decided(Target::Shift(-1), at(5)), Ok(4));
        assert_eq!(decided(Target::Shift(9), at(5)), Ok(9));
        assert_eq!(decided(Target::Offset(1), at(5)), Ok(2));
        assert!(decided(Target::Shift(1), None).is_err());
        let (_, remark) = Target::Offset(100).decide(&key, None, 2, 9).expect("an offset");
        let said =
            "New offset (100) is higher than latest offset for topic partition t-0. Value will be set to 9";
        assert_eq!(remark.as_deref(), Some(said));
    }

    #[test]
    fn new_offsets_are_a_table_or_csv() {
        let offsets = Offsets::from([(("texts".to_owned(), 0), 1)]);
        assert_eq!(lines("g", &offsets, true), ["texts,0,1", ""]);
        assert_eq!(lines("g-read", &offsets, false)[1], "g-read          texts           0          1");
    }
}
