//! `kafka-delete-records`: takes records from the beginning of partitions, up to offsets.
//! Shell over the client.

use std::collections::BTreeMap;

use ottla_model::ErrorCode;
use ottla_protocol::messages::DeleteRecordsRequest;
use ottla_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use serde_json::Value;

use crate::admin;
use crate::command::{Line, client, required};
use crate::error::{Exception, Failure, constant_name};
use crate::options::{Known, Options, flag, value};
use crate::partitions_file::{self, Named, operation, told_twice};
use crate::terminal::Terminal;

const OPTIONS: &[Known] = &[
    value("bootstrap-server", "REQUIRED: the brokers to connect to."),
    value("command-config", "A properties file for the client."),
    value(
        "offset-json-file",
        "REQUIRED: a file like {\"partitions\": [{\"topic\": \"foo\", \"partition\": 1, \"offset\": 1}], \"version\": 1}; \
         the offset -1 means all there is.",
    ),
    flag("help", "Show this."),
    flag("version", "Show the version."),
];

pub const LINE: Line = Line {
    about: "This tool helps to delete records of the given partitions down to the specified offset.",
    options: OPTIONS,
    run,
};

const TIMEOUT_MS: i32 = 30_000;
const HANDLER: &str = "org.apache.kafka.clients.admin.internals.DeleteRecordsHandler";

fn run(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    required(options, "bootstrap-server")?;
    required(options, "offset-json-file")?;
    act(options, terminal).map_err(told_twice)
}

fn act(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let file = partitions_file::read(options.get("offset-json-file").unwrap_or_default())?;
    let named = offsets(&file)?;
    let mut client = client(options, "bootstrap-server")?;
    terminal.say("Executing records delete operation")?;
    let topics = named.iter().map(|one| one.topic.as_str()).collect::<std::collections::BTreeSet<_>>();
    let asked =
        topics.iter().map(|topic| MetadataRequestTopic::default().with_name(Some(admin::topic_name(topic))));
    let metadata = client.metadata(terminal, "deleteRecords", Some(asked.collect()))?;
    let mut leaders: BTreeMap<(String, i32), i32> = BTreeMap::new();
    for topic in &metadata.topics {
        let Some(name) = &topic.name else { continue };
        for partition in &topic.partitions {
            leaders.insert((name.to_string(), partition.partition_index), partition.leader_id.0);
        }
    }
    let mut outcomes: BTreeMap<(String, i32), Result<i64, Exception>> = BTreeMap::new();
    let mut by_leader: BTreeMap<i32, BTreeMap<&str, Vec<DeleteRecordsPartition>>> = BTreeMap::new();
    for one in &named {
        let key = (one.topic.clone(), one.partition);
        match leaders.get(&key) {
            Some(leader) if *leader >= 0 => {
                by_leader.entry(*leader).or_default().entry(&one.topic).or_default().push(
                    DeleteRecordsPartition::default()
                        .with_partition_index(one.partition)
                        .with_offset(one.offset.unwrap_or(-1)),
                )
            }
            known => {
                let error = match known {
                    Some(_) => ErrorCode::LeaderNotAvailable,
                    None => ErrorCode::UnknownTopicOrPartition,
                };
                outcomes.insert(key, Err(Exception::of(error.code(), None)));
            }
        }
    }
    for (leader, topics) in by_leader {
        let topics = topics.into_iter().map(|(topic, partitions)| {
            DeleteRecordsTopic::default().with_name(admin::topic_name(topic)).with_partitions(partitions)
        });
        let request =
            DeleteRecordsRequest::default().with_topics(topics.collect()).with_timeout_ms(TIMEOUT_MS);
        let response = client.node(terminal, "deleteRecords", leader, &request)?;
        for topic in response.topics {
            for partition in topic.partitions {
                let (name, index) = (topic.name.to_string(), partition.partition_index);
                let outcome = Exception::check(partition.error_code, None).map(|()| partition.low_watermark);
                if let (Err(_), Some(error)) = (&outcome, ErrorCode::from_code(partition.error_code)) {
                    let message = format!(
                        "[AdminClient clientId={}] DeleteRecords request for topic partition {name}-{index} failed due to \
                         an unexpected error {}",
                        client.settings().client_id,
                        constant_name(error)
                    );
                    terminal.log("ERROR", &message, HANDLER)?;
                }
                outcomes.insert((name, index), outcome);
            }
        }
    }
    terminal.say("Records delete operation completed:")?;
    for ((topic, partition), outcome) in outcomes {
        match outcome {
            Ok(offset) => {
                terminal.say(&format!("partition: {topic}-{partition}\tlow_watermark: {offset}"))?
            }
            Err(exception) => terminal.say(&format!("partition: {topic}-{partition}\terror: {exception}"))?,
        }
    }
    Ok(())
}

/// What the file says, if it is one of version 1.
fn offsets(file: &Value) -> Result<Vec<Named>, Exception> {
    match file.get("version").map(Value::as_i64) {
        None | Some(Some(1)) => {}
        Some(version) => {
            let version = version.map_or_else(|| file["version"].to_string(), |version| version.to_string());
            return Err(operation(format!("Not supported version field value {version}")));
        }
    }
    let named = partitions_file::named(file, "Missing partitions field")?;
    if let Some(twice) = partitions_file::duplicates(&named) {
        let message = format!("Offset json file contains duplicate topic partitions: {twice}");
        return Err(Exception::new("org.apache.kafka.tools.AdminCommandFailedException", message));
    }
    if named.iter().any(|one| one.offset.is_none()) {
        let message = "No such field exists: `offset`";
        return Err(Exception::new("com.fasterxml.jackson.databind.JsonMappingException", message));
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_must_be_one_of_version_1_that_names_each_partition_once() {
        let told = |text: &str| {
            offsets(&partitions_file::parse(text).expect("JSON")).err().map(|error| error.message)
        };
        assert_eq!(told(r#"{"version": 2}"#).as_deref(), Some("Not supported version field value 2"));
        assert_eq!(told(r#"{"version": 1}"#).as_deref(), Some("Missing partitions field"));
        let one = r#"{"topic": "a", "partition": 0, "offset": 3}"#;
        assert_eq!(told(&format!(r#"{{"partitions": [{one}]}}"#)), None);
        assert_eq!(
            told(&format!(r#"{{"partitions": [{one}, {one}]}}"#)).as_deref(),
            Some("Offset json file contains duplicate topic partitions: a-0")
        );
        assert!(told(r#"{"partitions": [{"topic": "a", "partition": 0}]}"#).is_some());
    }
}
