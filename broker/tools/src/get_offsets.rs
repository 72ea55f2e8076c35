//! `kafka-get-offsets`: the offsets of partitions at a time, or at their ends.
//! Shell over the client; which partitions are meant is decided by plain functions.

use std::collections::BTreeMap;

use ottla_protocol::messages::ListOffsetsRequest;
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use regex::Regex;

use crate::admin;
use crate::client::Client;
use crate::command::{Line, client, required};
use crate::error::{Exception, Failure};
use crate::options::{Known, Options, flag, value};
use crate::terminal::Terminal;

const OPTIONS: &[Known] = &[
    value("bootstrap-server", "REQUIRED: the brokers to connect to."),
    value("command-config", "A properties file for the client."),
    value("topic-partitions", "Partitions as TOPIC:N, TOPIC:FROM-TO, TOPIC or :N; several between commas."),
    value("topic", "The topic; a regular expression of whole names."),
    value("partitions", "Partitions of it, several between commas."),
    value("time", "A time in ms, or latest, earliest, max-timestamp, earliest-local, latest-tiered."),
    flag("exclude-internal-topics", "Leave internal topics out."),
    flag("help", "Show this."),
    flag("version", "Show the version."),
];

pub const LINE: Line =
    Line { about: "An interactive shell for getting topic-partition offsets.", options: OPTIONS, run };

/// Kafka's names of times that are none.
const TIMES: [(&str, i64); 6] = [
    ("latest", -1),
    ("earliest", -2),
    ("max-timestamp", -3),
    ("earliest-local", -4),
    ("latest-tiered", -5),
    ("earliest-pending-upload", -6),
];

const ANY_REPLICA: i32 = -1;

fn run(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    required(options, "bootstrap-server")?;
    match act(options, terminal) {
        Err(Failure::Kafka(exception)) => {
            // As `GetOffsetShell.mainNoExit` says it.
            let message = format!("Error occurred: {}", exception.message);
            Err(Failure::Sentence(message, 1))
        }
        other => other,
    }
}

fn act(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let time = parse_time(options.get("time").unwrap_or("latest"))?;
    let filter = filter(options)?;
    let mut client = client(options, "bootstrap-server")?;
    let exclude_internal = options.has("exclude-internal-topics");
    let partitions = meant(&mut client, terminal, &filter, exclude_internal)?;
    if partitions.is_empty() {
        let message = "Could not match any topic-partitions with the specified filters";
        return Err(Exception::illegal_argument(message).into());
    }
    for ((topic, partition), offset) in offsets(&mut client, terminal, &partitions, time)? {
        match offset {
            Ok(-1) => {}
            Ok(offset) => terminal.say(&format!("{topic}:{partition}:{offset}"))?,
            Err(exception) => {
                let why = exception.message;
                writeln!(
                    terminal.err,
                    "Skip getting offsets for topic-partition {topic}-{partition} due to error: {why}"
                )?;
            }
        }
    }
    Ok(())
}

fn parse_time(text: &str) -> Result<i64, Exception> {
    let named = TIMES.iter().find(|(name, _)| *name == text).map(|(_, time)| *time);
    named.or_else(|| text.parse().ok()).ok_or_else(|| {
        Exception::new(
            "org.apache.kafka.server.util.TerseException",
            format!(
                "Malformed time argument {text}. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or \
                 earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload, or a specified long format \
                 timestamp"
            ),
        )
    })
}

/// One rule of `--topic-partitions`, or what `--topic` and `--partitions` mean together.
struct Rule {
    topic: Regex,
    /// From (inclusive) to (exclusive); all when there is none.
    partitions: Vec<(i32, i32)>,
}

impl Rule {
    fn matches(&self, topic: &str, partition: i32) -> bool {
        let inside = |(from, to): &(i32, i32)| (*from..*to).contains(&partition);
        self.topic.is_match(topic) && (self.partitions.is_empty() || self.partitions.iter().any(inside))
    }
}

fn filter(options: &Options) -> Result<Vec<Rule>, Failure> {
    let Some(text) = options.get("topic-partitions") else {
        let numbers = options.get("partitions").unwrap_or_default();
        let partitions = numbers.split(',').filter(|number| !number.is_empty());
        let partitions = partitions.map(range).collect::<Option<Vec<_>>>().ok_or_else(|| {
            let message = "--partitions expects a comma separated list of numeric partition ids";
            Exception::new("org.apache.kafka.server.util.TerseException", message)
        })?;
        return Ok(vec![Rule {
            topic: admin::topic_filter(options.get("topic").unwrap_or(".*"))?,
            partitions,
        }]);
    };
    if options.has("topic") || options.has("partitions") {
        let message = "--topic-partitions cannot be used with --topic or --partitions";
        return Err(Exception::new("org.apache.kafka.server.util.TerseException", message).into());
    }
    let one = |text: &str| {
        let (topic, partitions) = text.split_once(':').unwrap_or((text, ""));
        let topic = admin::topic_filter(if topic.is_empty() { ".*" } else { topic })?;
        let partitions =
            match partitions {
                "" => Vec::new(),
                text => vec![range(text).ok_or_else(|| {
                    Exception::illegal_argument(format!("Invalid rule specification: {text}"))
                })?],
            };
        Ok(Rule { topic, partitions })
    };
    text.split(',').map(one).collect()
}

/// `N`, `FROM-TO` (without TO), `FROM-` or `-TO`.
fn range(text: &str) -> Option<(i32, i32)> {
    match text.split_once('-') {
        None => {
            let number: i32 = text.trim().parse().ok()?;
            Some((number, number.checked_add(1)?))
        }
        Some((from, to)) => {
            let bound = |text: &str, open| if text.is_empty() { Some(open) } else { text.parse().ok() };
            Some((bound(from, 0)?, bound(to, i32::MAX)?))
        }
    }
}

/// The partitions that are meant, each with its leader.
fn meant(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    filter: &[Rule],
    exclude_internal: bool,
) -> Result<BTreeMap<(String, i32), i32>, Exception> {
    let response = client.metadata(terminal, "listTopics", None)?;
    let mut meant = BTreeMap::new();
    for topic in response.topics.iter().filter(|topic| !(exclude_internal && topic.is_internal)) {
        let Some(name) = &topic.name else { continue };
        for partition in &topic.partitions {
            if filter.iter().any(|rule| rule.matches(name, partition.partition_index)) {
                meant.insert((name.to_string(), partition.partition_index), partition.leader_id.0);
            }
        }
    }
    Ok(meant)
}

type Offsets = BTreeMap<(String, i32), Result<i64, Exception>>;

/// The offset of each partition at a time, asked of its leader; -1 where there is none.
pub fn offsets(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    partitions: &BTreeMap<(String, i32), i32>,
    time: i64,
) -> Result<Offsets, Exception> {
    offsets_seen(client, terminal, partitions, time, false)
}

/// The same as one sees it who reads only what is committed.
pub fn offsets_seen(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    partitions: &BTreeMap<(String, i32), i32>,
    time: i64,
    is_read_committed: bool,
) -> Result<Offsets, Exception> {
    let mut offsets = Offsets::new();
    let mut by_leader: BTreeMap<i32, BTreeMap<&str, Vec<i32>>> = BTreeMap::new();
    for ((topic, partition), leader) in partitions {
        if *leader < 0 {
            let none = Exception::of(ottla_model::ErrorCode::LeaderNotAvailable.code(), None);
            offsets.insert((topic.clone(), *partition), Err(none));
            continue;
        }
        by_leader.entry(*leader).or_default().entry(topic).or_default().push(*partition);
    }
    for (leader, topics) in by_leader {
        let asked = topics.into_iter().map(|(topic, partitions)| {
            let partition = |partition_index| ListOffsetsPartition {
                partition_index,
                current_leader_epoch: -1,
                timestamp: time,
                ..ListOffsetsPartition::default()
            };
            ListOffsetsTopic {
                name: admin::text(topic),
                partitions: partitions.into_iter().map(partition).collect(),
                ..ListOffsetsTopic::default()
            }
        });
        let request = ListOffsetsRequest {
            replica_id: ANY_REPLICA,
            isolation_level: i8::from(is_read_committed),
            topics: asked.collect(),
            timeout_ms: 30_000,
            ..ListOffsetsRequest::default()
        };
        let response = client.node(terminal, "listOffsets", leader, &request)?;
        for topic in response.topics {
            for partition in topic.partitions {
                let found = Exception::check(partition.error_code, None).map(|()| partition.offset);
                offsets.insert((topic.name.to_string(), partition.partition_index), found);
            }
        }
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(line: &str) -> Vec<(&'static str, i32)> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let rules = filter(&Options::parse(OPTIONS, &arguments).expect("a good line")).expect("a filter");
        let all = ["a", "b"].into_iter().flat_map(|topic| (0..4).map(move |partition| (topic, partition)));
        all.filter(|(topic, partition)| rules.iter().any(|rule| rule.matches(topic, *partition))).collect()
    }

    #[test]
    fn partitions_are_named_in_kafka_s_ways() {
        assert_eq!(matched("--topic a --partitions 0,3"), [("a", 0), ("a", 3)]);
        assert_eq!(matched("--topic-partitions a:0-2,b:3"), [("a", 0), ("a", 1), ("b", 3)]);
        assert_eq!(matched("--topic-partitions :2-"), [("a", 2), ("a", 3), ("b", 2), ("b", 3)]);
        assert_eq!(matched("--topic-partitions a:-1"), [("a", 0)]);
        assert_eq!(matched("").len(), 8);
    }

    #[test]
    fn times_have_names() {
        assert_eq!(parse_time("latest"), Ok(-1));
        assert_eq!(parse_time("1700000000000"), Ok(1_700_000_000_000));
        assert!(parse_time("soon").is_err());
    }
}
