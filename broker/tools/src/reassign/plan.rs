//! The JSON that names partitions with their replicas, as `kafka-reassign-partitions` reads and writes it.
//! Core.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::Exception;
use crate::offset_reset::Key;
use crate::partitions_file::operation;

const ANY_DIRECTORY: &str = "any";

/// Replicas by partition.
pub type Assignment = BTreeMap<Key, Vec<i32>>;
/// A partition's replica on a broker: its broker first, as Kafka sorts them.
pub type Replica = (i32, String, i32);
/// The log directory of replicas.
pub type Directories = BTreeMap<Replica, String>;

/// What a file says, in its order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub partitions: Vec<(Key, Vec<i32>)>,
    /// Those replicas whose directory is named.
    pub directories: Directories,
}

pub fn failed(message: impl Into<String>) -> Exception {
    Exception::new("org.apache.kafka.tools.AdminCommandFailedException", message)
}

fn wrong(message: impl Into<String>) -> Exception {
    Exception::new("com.fasterxml.jackson.databind.JsonMappingException", message)
}

/// `TOPIC-PARTITION`.
pub fn name((topic, partition): &Key) -> String {
    format!("{topic}-{partition}")
}

/// `TOPIC-PARTITION-BROKER`.
pub fn replica_name((broker, topic, partition): &Replica) -> String {
    format!("{topic}-{partition}-{broker}")
}

pub fn list(ids: &[i32]) -> String {
    ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

fn field<'a>(entry: &'a Value, name: &str) -> Result<&'a Value, Exception> {
    entry.get(name).ok_or_else(|| wrong(format!("No such field exists: `{name}`")))
}

fn number(value: &Value) -> Result<i32, Exception> {
    let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
    number.ok_or_else(|| wrong(format!("Expected `Integer` value, received {value}")))
}

fn text(value: &Value) -> Result<String, Exception> {
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| wrong(format!("Expected `String` value, received {value}")))
}

fn array(value: &Value) -> Result<&Vec<Value>, Exception> {
    value.as_array().ok_or_else(|| wrong(format!("Expected JSON array, received {value}")))
}

/// Refuses any version but 1.
fn check_version(file: &Value) -> Result<(), Exception> {
    let version = file.get("version").map_or(Ok(1), number)?;
    if version == 1 {
        return Ok(());
    }
    Err(operation(format!("Not supported version field value {version}")))
}

fn parse(json: &str) -> Result<Value, Exception> {
    serde_json::from_str(json)
        .map_err(|error| operation(format!("com.fasterxml.jackson.core.JsonParseException: {error}")))
}

impl Plan {
    pub fn parse(json: &str) -> Result<Plan, Exception> {
        let file = parse(json)?;
        check_version(&file)?;
        let mut plan = Plan::default();
        let Some(partitions) = file.get("partitions") else { return Ok(plan) };
        for entry in array(partitions)? {
            let topic = text(field(entry, "topic")?)?;
            let partition = number(field(entry, "partition")?)?;
            let replicas: Vec<i32> =
                array(field(entry, "replicas")?)?.iter().map(number).collect::<Result<_, _>>()?;
            let directories: Vec<String> = match entry.get("log_dirs") {
                Some(directories) => array(directories)?.iter().map(text).collect::<Result<_, _>>()?,
                None => vec![ANY_DIRECTORY.to_owned(); replicas.len()],
            };
            if replicas.len() != directories.len() {
                let (ids, paths) = (list(&replicas).replace(',', ", "), directories.join(", "));
                return Err(failed(format!(
                    "Size of replicas list [{ids}] is different from size of log dirs list [{paths}] for partition \
                     {topic}-{partition}"
                )));
            }
            for (broker, directory) in replicas.iter().zip(directories) {
                if directory != ANY_DIRECTORY {
                    plan.directories.insert((*broker, topic.clone(), partition), directory);
                }
            }
            plan.partitions.push(((topic, partition), replicas));
        }
        Ok(plan)
    }

    /// What is to be done by it; each partition must be named once, with replicas of its own.
    pub fn checked(&self) -> Result<Assignment, Exception> {
        if self.partitions.is_empty() {
            return Err(failed("Partition reassignment list cannot be empty"));
        }
        if self.partitions.iter().any(|(_, replicas)| replicas.is_empty()) {
            return Err(failed("Partition replica list cannot be empty"));
        }
        let twice = duplicates(self.partitions.iter().map(|(key, _)| key));
        if !twice.is_empty() {
            let twice = twice.iter().map(|key| name(key)).collect::<Vec<_>>().join(",");
            return Err(failed(format!(
                "Partition reassignment contains duplicate topic partitions: {twice}"
            )));
        }
        let mut complaints = Vec::new();
        for (key, replicas) in &self.partitions {
            let twice: Vec<i32> = duplicates(replicas.iter()).into_iter().copied().collect();
            if !twice.is_empty() {
                complaints.push(format!("{} contains multiple entries for {}", name(key), list(&twice)));
            }
        }
        if !complaints.is_empty() {
            let complaints = complaints.join(". ");
            let message = format!("Partition replica lists may not contain duplicate entries: {complaints}");
            return Err(failed(message));
        }
        Ok(self.partitions.iter().cloned().collect())
    }
}

/// What stands there more than once, in the order of values.
pub fn duplicates<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(item, _)| item).collect()
}

/// The topics of a file for `--generate`.
pub fn topics(json: &str) -> Result<Vec<String>, Exception> {
    let file: Value =
        serde_json::from_str(json).map_err(|_| operation("The input string is not a valid JSON"))?;
    check_version(&file)?;
    let Some(topics) = file.get("topics") else { return Ok(Vec::new()) };
    array(topics)?.iter().map(|entry| text(field(entry, "topic")?)).collect()
}

/// As Kafka writes it: no blanks, the fields in its order.
pub fn json(assignment: &Assignment, directories: &Directories) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    let partitions = assignment.iter().map(|((topic, partition), replicas)| {
        let directories = replicas.iter().map(|broker| {
            let known = directories.get(&(*broker, topic.clone(), *partition));
            quoted(known.map_or(ANY_DIRECTORY, String::as_str))
        });
        format!(
            "{{\"topic\":{},\"partition\":{partition},\"replicas\":[{}],\"log_dirs\":[{}]}}",
            quoted(topic),
            list(replicas),
            directories.collect::<Vec<_>>().join(",")
        )
    });
    format!("{{\"version\":1,\"partitions\":[{}]}}", partitions.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"version":1,"partitions":[
        {"topic":"a","partition":1,"replicas":[2,1],"log_dirs":["any","/d"]},{"topic":"a","partition":0,"replicas":[3]}]}"#;

    #[test]
    fn a_file_is_read_and_written_again() {
        let plan = Plan::parse(FILE).expect("a plan");
        assert_eq!(plan.directories, Directories::from([((1, "a".to_owned(), 1), "/d".to_owned())]));
        let assignment = plan.checked().expect("a good plan");
        assert_eq!(
            json(&assignment, &plan.directories),
            "{\"version\":1,\"partitions\":[{\"topic\":\"a\",\"partition\":0,\"replicas\":[3],\"log_dirs\":[\"any\"]},\
             {\"topic\":\"a\",\"partition\":1,\"replicas\":[2,1],\"log_dirs\":[\"any\",\"/d\"]}]}"
        );
        assert_eq!(
            topics(r#"{"topics": [{"topic": "a"}, {"topic": "b"}]}"#),
            Ok(vec!["a".to_owned(), "b".to_owned()])
        );
    }

    #[test]
    fn what_is_wrong_is_said_in_kafka_s_words() {
        let told = |json: &str| {
            Plan::parse(json)
                .and_then(|plan| plan.checked())
                .err()
                .map(|error| error.message)
                .unwrap_or_default()
        };
        let one = |entries: &str| told(&format!("{{\"partitions\":[{entries}]}}"));
        assert_eq!(told("{}"), "Partition reassignment list cannot be empty");
        assert_eq!(told("{\"version\":2}"), "Not supported version field value 2");
        assert_eq!(
            one(r#"{"topic":"a","partition":0,"replicas":[]}"#),
            "Partition replica list cannot be empty"
        );
        assert_eq!(
            one(r#"{"topic":"a","partition":0,"replicas":[1,2],"log_dirs":["any"]}"#),
            "Size of replicas list [1, 2] is different from size of log dirs list [any] for partition a-0"
        );
        let twice = r#"{"topic":"a","partition":0,"replicas":[1]}"#;
        assert_eq!(
            one(&format!("{twice},{twice}")),
            "Partition reassignment contains duplicate topic partitions: a-0"
        );
        assert_eq!(
            one(r#"{"topic":"a","partition":0,"replicas":[1,1]}"#),
            "Partition replica lists may not contain duplicate entries: a-0 contains multiple entries for 1"
        );
        assert_eq!(one(r#"{"topic":"a","replicas":[1]}"#), "No such field exists: `partition`");
    }
}
