//! The JSON files that name partitions, for `kafka-delete-records` and `kafka-leader-election`.
//! Shell: reads the file; what it must be is decided by plain functions.

use serde_json::Value;

use crate::error::{Exception, Failure};

/// A partition with the offset that the file names beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub topic: String,
    pub partition: i32,
    pub offset: Option<i64>,
}

pub fn read(path: &str) -> Result<Value, Failure> {
    let text = std::fs::read_to_string(path).map_err(|_| {
        let message = format!("Unable to read file {path}");
        let cause = format!("Caused by: java.nio.file.NoSuchFileException: {path}");
        Failure::Sentence(format!("{message}\njava.io.IOException: {message}\n{cause}\n"), 1)
    })?;
    parse(&text).map_err(Failure::Kafka)
}

pub fn operation(message: impl Into<String>) -> Exception {
    Exception::new("org.apache.kafka.tools.AdminOperationException", message)
}

pub fn parse(text: &str) -> Result<Value, Exception> {
    serde_json::from_str(text).map_err(|_| operation("The input string is not a valid JSON"))
}

/// The entries of `partitions`; `missing` is said where there is no such field.
pub fn named(file: &Value, missing: &str) -> Result<Vec<Named>, Exception> {
    let entries = file.get("partitions").and_then(Value::as_array).ok_or_else(|| operation(missing))?;
    entries.iter().map(one).collect()
}

fn one(entry: &Value) -> Result<Named, Exception> {
    let field = |name: &str| {
        entry.get(name).ok_or_else(|| {
            let message = format!("No such field exists: `{name}`");
            Exception::new("com.fasterxml.jackson.databind.JsonMappingException", message)
        })
    };
    let wrong = |name: &str| {
        let message = format!("The field `{name}` is not what it must be");
        Exception::new("com.fasterxml.jackson.databind.JsonMappingException", message)
    };
    let topic = field("topic")?.as_str().ok_or_else(|| wrong("topic"))?.to_owned();
    let partition = field("partition")?.as_i64().and_then(|number| i32::try_from(number).ok());
    let partition = partition.ok_or_else(|| wrong("partition"))?;
    Ok(Named { topic, partition, offset: entry.get("offset").and_then(Value::as_i64) })
}

/// The partitions that are named twice, as `TOPIC-N` between commas; `None` when none is.
pub fn duplicates(named: &[Named]) -> Option<String> {
    let mut twice: Vec<String> = Vec::new();
    for (at, one) in named.iter().enumerate() {
        let name = format!("{}-{}", one.topic, one.partition);
        let is_again =
            named[..at].iter().any(|other| other.topic == one.topic && other.partition == one.partition);
        if is_again && !twice.contains(&name) {
            twice.push(name);
        }
    }
    (!twice.is_empty()).then(|| twice.join(","))
}

/// What Kafka's tools print of what they throw: the message, the exception, and an empty line.
pub fn told_twice(failure: Failure) -> Failure {
    match failure {
        Failure::Kafka(exception) => Failure::Sentence(format!("{}\n{exception}\n", exception.message), 1),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_partitions() {
        let text = r#"{"partitions": [{"topic": "a", "partition": 0, "offset": 3}, {"topic": "a", "partition": 0}]}"#;
        let named = named(&parse(text).expect("JSON"), "none").expect("partitions");
        assert_eq!(named[0], Named { topic: "a".to_owned(), partition: 0, offset: Some(3) });
        assert_eq!(duplicates(&named).as_deref(), Some("a-0"));
        assert_eq!(duplicates(&named[..1]), None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let told = |text: &str| {
            parse(text)
                .and_then(|file| named(&file, "Missing partitions field"))
                .err()
                .map(|error| error.message)
        };
        assert_eq!(told("x").as_deref(), Some("The input string is not a valid JSON"));
        assert_eq!(told("{}").as_deref(), Some("Missing partitions field"));
        assert_eq!(
            told(r#"{"partitions": [{"topic": "a"}]}"#).as_deref(),
            Some("No such field exists: `partition`")
        );
    }
}
