//! Where groups of any type go on when they are told to (`OffsetsUtils` of Kafka's tools).
//! Shell over the client; a new offset is decided by plain functions.

use std::collections::{BTreeMap, BTreeSet};

use ottla_env::Clock;
use ottla_env::real::RealClock;

use crate::admin;
use crate::client::Client;
use crate::error::{Exception, Failure};
use crate::get_offsets;
use crate::options::Options;
use crate::terminal::Terminal;
use crate::times;

pub const LATEST: i64 = -1;
pub const EARLIEST: i64 = -2;
const UTILS: &str = "org.apache.kafka.tools.OffsetsUtils";

/// A topic with the number of a partition.
pub type Key = (String, i32);
pub type Offsets = BTreeMap<Key, i64>;
/// New offsets by group, as a file names them.
type Plan = BTreeMap<String, Offsets>;

/// Where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Earliest,
    Latest,
    Current,
    Shift(i64),
    Offset(i64),
    /// The first record that is not older, in ms since 1970.
    Time(i64),
    File(Plan),
}

impl Target {
    /// What the command line says; `None` when it says nothing.
    pub fn of(options: &Options) -> Result<Option<Target>, Failure> {
        let number = |name: &str| {
            let text = options.get(name).unwrap_or_default();
            text.parse()
                .map_err(|_| Failure::Usage(format!("Cannot parse argument '{text}' of option {name}")))
        };
        Ok(Some(if options.has("to-offset") {
            Target::Offset(number("to-offset")?)
        } else if options.has("to-earliest") {
            Target::Earliest
        } else if options.has("to-latest") {
            Target::Latest
        } else if options.has("shift-by") {
            Target::Shift(number("shift-by")?)
        } else if let Some(text) = options.get("to-datetime") {
            Target::Time(times::datetime(text).map_err(runtime)?)
        } else if let Some(text) = options.get("by-duration") {
            Target::Time(RealClock::new().wall_ms().saturating_sub(times::duration(text)?))
        } else if let Some(path) = options.get("from-file") {
            let text = std::fs::read_to_string(path)
                .map_err(|_| runtime(Exception::new("java.nio.file.NoSuchFileException", path)))?;
            let groups: Vec<&str> = options.all("group").collect();
            Target::File(plan(&text, &groups).map_err(runtime)?)
        } else if options.has("to-current") {
            Target::Current
        } else {
            return Ok(None);
        }))
    }

    /// The new offset, and what is said when it had to be moved into the log. `at` is where the log has records of the
    /// asked time.
    fn decide(
        &self,
        key: &Key,
        committed: Option<i64>,
        log: &Log,
    ) -> Result<(i64, Option<String>), Exception> {
        let wanted = match self {
            Target::Earliest => return Ok((log.begin, None)),
            Target::Latest => return Ok((log.end, None)),
            Target::Current => return Ok((committed.unwrap_or(log.end), None)),
            Target::Time(_) => return Ok((log.at.unwrap_or(log.end), None)),
            Target::Offset(offset) => *offset,
            Target::File(_) => committed.unwrap_or(log.end),
            Target::Shift(by) => match committed {
                Some(committed) => committed.saturating_add(*by),
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
        Ok(if wanted > log.end {
            (log.end, Some(moved("higher than latest", log.end)))
        } else if wanted < log.begin {
            (log.begin, Some(moved("lower than earliest", log.begin)))
        } else {
            (wanted, None)
        })
    }
}

/// What is known of a partition's log.
struct Log {
    begin: i64,
    end: i64,
    at: Option<i64>,
}

/// The new offsets of a group. `committed` is where it is.
pub fn decide(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    group: &str,
    target: &Target,
    wanted: &BTreeSet<Key>,
    committed: &Offsets,
) -> Result<Offsets, Failure> {
    let none = Offsets::new();
    let (wanted, committed) = match target {
        Target::File(plan) => match plan.get(group) {
            Some(offsets) => (offsets.keys().cloned().collect(), offsets),
            None => {
                terminal.say(&format!("\nError: No reset plan for group {group} found"))?;
                (BTreeSet::new(), &none)
            }
        },
        _ => (wanted.clone(), committed),
    };
    let begins = bounds(client, terminal, &wanted, EARLIEST)?;
    let ends = bounds(client, terminal, &wanted, LATEST)?;
    let at = match target {
        Target::Time(ms) => Some(bounds(client, terminal, &wanted, *ms)?),
        _ => None,
    };
    let mut offsets = Offsets::new();
    for key in wanted {
        let at = at.as_ref().map(|at| at.get(&key).copied().unwrap_or(-1));
        if at == Some(-1) {
            let (topic, partition) = &key;
            let line = format!(
                "\nWarn: Partition {partition} from topic {topic} is empty. Falling back to latest known offset."
            );
            terminal.say(&line)?;
        }
        let log = Log {
            begin: begins.get(&key).copied().unwrap_or(0),
            end: ends.get(&key).copied().unwrap_or(0),
            at: at.filter(|at| *at >= 0),
        };
        let (offset, remark) = target.decide(&key, committed.get(&key).copied(), &log)?;
        if let Some(remark) = remark {
            terminal.log("WARN", &remark, UTILS)?;
        }
        offsets.insert(key, offset);
    }
    Ok(offsets)
}

/// The offset of each partition at a time; of one that cannot be asked, nothing.
pub fn bounds(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    wanted: &BTreeSet<Key>,
    time: i64,
) -> Result<Offsets, Exception> {
    let leaders: BTreeMap<Key, i32> =
        leaders(client, terminal)?.into_iter().filter(|(key, _)| wanted.contains(key)).collect();
    let offsets = get_offsets::offsets(client, terminal, &leaders, time)?;
    Ok(offsets.into_iter().filter_map(|(key, offset)| Some((key, offset.ok()?))).collect())
}

fn leaders(client: &mut Client, terminal: &mut Terminal<'_>) -> Result<BTreeMap<Key, i32>, Exception> {
    let response = client.metadata(terminal, "listTopics", None)?;
    let mut leaders = BTreeMap::new();
    for topic in &response.topics {
        let Some(name) = &topic.name else { continue };
        for partition in &topic.partitions {
            leaders.insert((name.to_string(), partition.partition_index), partition.leader_id.0);
        }
    }
    Ok(leaders)
}

/// Refuses partitions that are not there, or that nobody leads (`checkAllTopicPartitionsValid`).
pub fn check_there(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    wanted: &BTreeSet<Key>,
) -> Result<(), Exception> {
    let names: BTreeSet<String> = wanted.iter().map(|(topic, _)| topic.clone()).collect();
    let names: Vec<String> = names.into_iter().collect();
    admin::describe_topics(client, terminal, &names).map_err(|error| runtime(execution(error)))?;
    let leaders = leaders(client, terminal)?;
    let named = |is_meant: &dyn Fn(&Key) -> bool| -> String {
        let meant = wanted.iter().filter(|key| is_meant(key));
        meant.map(|(topic, partition)| format!("{topic}-{partition}")).collect::<Vec<_>>().join(",")
    };
    let absent = named(&|key| !leaders.contains_key(key));
    if !absent.is_empty() {
        let message = format!("The partitions \"{absent}\" do not exist");
        return Err(Exception::kafka("UnknownTopicOrPartitionException", message));
    }
    let leaderless = named(&|key| leaders.get(key).is_some_and(|leader| *leader < 0));
    if !leaderless.is_empty() {
        let message = format!("The partitions \"{leaderless}\" have no leader");
        return Err(Exception::kafka("LeaderNotAvailableException", message));
    }
    Ok(())
}

/// Partitions of topics as `TOPIC` and `TOPIC:0,1` name them.
pub fn named_partitions<'a>(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    texts: impl Iterator<Item = &'a str>,
) -> Result<BTreeSet<Key>, Exception> {
    let mut named = BTreeSet::new();
    for text in texts {
        match text.split_once(':') {
            None => {
                let topics = admin::describe_topics(client, terminal, &[text.to_owned()])?;
                let partitions = topics.iter().flat_map(|topic| &topic.partitions);
                named.extend(partitions.map(|partition| (text.to_owned(), partition.partition_index)));
            }
            Some((topic, numbers)) => named.extend(numbered(text, topic, numbers)?),
        }
    }
    Ok(named)
}

fn numbered(text: &str, topic: &str, numbers: &str) -> Result<Vec<Key>, Exception> {
    if numbers.is_empty() || numbers.contains(':') {
        let message = format!("Invalid topic arg '{text}', expected topic name and partitions");
        return Err(Exception::illegal_argument(message));
    }
    let one = |number: &str| match number.parse() {
        Ok(partition) => Ok((topic.to_owned(), partition)),
        Err(_) => Err(Exception::illegal_argument(format!(
            "Invalid partition '{number}' specified in topic arg '{text}''"
        ))),
    };
    numbers.split(',').map(one).collect()
}

/// `TOPIC,PARTITION,OFFSET` a line where one group is named; else `GROUP,TOPIC,PARTITION,OFFSET`.
fn plan(text: &str, groups: &[&str]) -> Result<Plan, Exception> {
    let mut plan = Plan::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split(',').map(|word| word.trim().trim_matches('"')).collect();
        let (group, rest) = match (&words[..], groups) {
            ([topic, partition, offset], [group]) => (*group, [*topic, *partition, *offset]),
            ([group, topic, partition, offset], _) => (*group, [*topic, *partition, *offset]),
            _ => return Err(Exception::new("java.io.IOException", format!("No offset: {line}"))),
        };
        let [topic, partition, offset] = rest;
        let (Ok(partition), Ok(offset)) = (partition.parse(), offset.parse()) else {
            return Err(Exception::new("java.io.IOException", format!("No offset: {line}")));
        };
        plan.entry(group.to_owned()).or_default().insert((topic.to_owned(), partition), offset);
    }
    Ok(plan)
}

/// The new offsets of groups as CSV.
pub fn csv(groups: &BTreeMap<String, Offsets>, with_group: bool) -> String {
    let mut text = String::new();
    for (group, offsets) in groups {
        for ((topic, partition), offset) in offsets {
            let group = if with_group { format!("{group},") } else { String::new() };
            text.push_str(&format!("{group}{topic},{partition},{offset}\n"));
        }
    }
    text
}

/// The new offsets of groups as a table (`OffsetsUtils.printOffsetsToReset`).
pub fn lines(groups: &BTreeMap<String, Offsets>) -> Vec<String> {
    let longest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0).max(15);
    let group_width = longest(&mut groups.keys().map(String::len));
    let topic_width = longest(&mut groups.values().flat_map(BTreeMap::keys).map(|(topic, _)| topic.len()));
    let line = |group: &str, topic: &str, partition: &str, offset: &str| {
        format!("{group:<group_width$} {topic:<topic_width$} {partition:<10} {offset}")
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

/// What Java says of an exception that came out of a future.
pub fn execution(cause: Exception) -> Exception {
    Exception::new("java.util.concurrent.ExecutionException", cause.to_string())
}

/// What Java says of a checked exception that was thrown on.
pub fn runtime(cause: Exception) -> Exception {
    Exception::new("java.lang.RuntimeException", cause.to_string())
}

/// The lines of a stack trace that are no frames: the exception, and what caused it.
pub fn trace(exception: &Exception) -> String {
    let mut lines = exception.to_string();
    let (mut class, mut message) = (exception.class.as_str(), exception.message.as_str());
    while ["java.util.concurrent.ExecutionException", "java.lang.RuntimeException"].contains(&class) {
        let Some((cause, rest)) = message.split_once(": ") else { break };
        lines.push_str(&format!("\nCaused by: {message}"));
        (class, message) = (cause, rest);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(begin: i64, end: i64, at: Option<i64>) -> Log {
        Log { begin, end, at }
    }

    #[test]
    fn an_offset_stays_inside_of_the_log() {
        let key = ("t".to_owned(), 0);
        let decided = |target: Target, committed| {
            target.decide(&key, committed, &log(2, 9, Some(4))).map(|(offset, _)| offset)
        };
        assert_eq!(decided(Target::Earliest, None), Ok(2));
        assert_eq!(decided(Target::Latest, None), Ok(9));
        assert_eq!(decided(Target::Current, Some(5)), Ok(5));
        assert_eq!(decided(Target::Current, None), Ok(9));
        assert_eq!(decided(Target::Shift(-1), Some(5)), Ok(4));
        assert_eq!(decided(Target::Shift(9), Some(5)), Ok(9));
        assert_eq!(decided(Target::Offset(1), Some(5)), Ok(2));
        assert_eq!(decided(Target::Time(7), None), Ok(4));
        assert!(decided(Target::Shift(1), None).is_err());
        let (_, remark) = Target::Offset(100).decide(&key, None, &log(2, 9, None)).expect("an offset");
        let said =
            "New offset (100) is higher than latest offset for topic partition t-0. Value will be set to 9";
        assert_eq!(remark.as_deref(), Some(said));
    }

    #[test]
    fn new_offsets_are_a_table_or_csv() {
        let offsets = Offsets::from([(("texts".to_owned(), 0), 1)]);
        let groups = BTreeMap::from([("g-read".to_owned(), offsets)]);
        assert_eq!(csv(&groups, false), "texts,0,1\n");
        assert_eq!(csv(&groups, true), "g-read,texts,0,1\n");
        assert_eq!(lines(&groups)[1], "g-read          texts           0          1");
        assert_eq!(lines(&BTreeMap::new()), [""]);
    }

    #[test]
    fn a_file_says_what_csv_said() {
        let offsets = Offsets::from([(("a".to_owned(), 0), 1), (("a".to_owned(), 1), 5)]);
        let groups = BTreeMap::from([("g".to_owned(), offsets)]);
        assert_eq!(plan(&csv(&groups, false), &["g"]), Ok(groups.clone()));
        assert_eq!(plan(&csv(&groups, true), &[]), Ok(groups.clone()));
        assert_eq!(plan(&csv(&groups, true), &["g"]), Ok(groups));
        assert!(plan("a,0", &["g"]).is_err() && plan("a,b,1", &["g"]).is_err());
    }

    #[test]
    fn partitions_are_numbers_behind_a_colon() {
        let all = numbered("t:0,2", "t", "0,2").expect("partitions");
        assert_eq!(all, [("t".to_owned(), 0), ("t".to_owned(), 2)]);
        let told = |text: &str| numbered(text, "t", &text[2..]).err().map(|error| error.message);
        assert_eq!(told("t:"), Some("Invalid topic arg 't:', expected topic name and partitions".to_owned()));
        assert_eq!(told("t:x"), Some("Invalid partition 'x' specified in topic arg 't:x''".to_owned()));
    }

    #[test]
    fn a_trace_names_every_cause() {
        let inner = Exception::kafka("GroupIdNotFoundException", "Group none not found.");
        assert_eq!(
            trace(&execution(inner.clone())),
            "java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.GroupIdNotFoundException: Group none \
             not found.\nCaused by: org.apache.kafka.common.errors.GroupIdNotFoundException: Group none not found."
        );
        assert_eq!(trace(&runtime(execution(inner.clone()))).lines().count(), 3);
        assert_eq!(trace(&inner).lines().count(), 1);
    }
}
