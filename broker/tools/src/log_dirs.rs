//! `kafka-log-dirs`: what the log directories of brokers hold.
//! Shell over the client; the JSON it prints is made by a plain function.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::messages::DescribeLogDirsRequest;
use ottla_protocol::messages::describe_log_dirs_response::DescribeLogDirsResult;

use crate::command::{Line, client, required};
use crate::error::{Exception, Failure};
use crate::options::{Known, Options, flag, value};
use crate::partitions_file::told_twice;
use crate::terminal::Terminal;

const OPTIONS: &[Known] = &[
    value("bootstrap-server", "REQUIRED: the brokers to connect to."),
    value("command-config", "A properties file for the client."),
    flag("describe", "REQUIRED: describe the log directories."),
    value("broker-list", "The brokers that are meant, between commas; all when not given."),
    value("topic-list", "The topics that are meant, between commas; all when not given."),
    flag("help", "Show this."),
    flag("version", "Show the version."),
];

pub const LINE: Line = Line {
    about: "This tool helps to query log directory usage on the specified brokers.",
    options: OPTIONS,
    run,
};

fn run(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    required(options, "bootstrap-server")?;
    required(options, "describe")?;
    act(options, terminal).map_err(told_twice)
}

fn words<'a>(options: &'a Options, name: &str) -> Vec<&'a str> {
    options.get(name).unwrap_or_default().split(',').filter(|word| !word.is_empty()).collect()
}

fn act(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let asked = words(options, "broker-list").into_iter().map(|word| {
        word.parse().map_err(|_| {
            let message = format!("For input string: \"{word}\"");
            Exception::new("java.lang.NumberFormatException", message)
        })
    });
    let asked = asked.collect::<Result<BTreeSet<i32>, Exception>>()?;
    let topics: BTreeSet<&str> = words(options, "topic-list").into_iter().collect();
    let mut client = client(options, "bootstrap-server")?;
    client.metadata(terminal, "describeCluster", Some(Vec::new()))?;
    let known: BTreeSet<i32> = client.nodes().map(|node| node.id).collect();
    let list = |ids: &mut dyn Iterator<Item = &i32>| ids.map(i32::to_string).collect::<Vec<_>>().join(",");
    if asked.difference(&known).next().is_some() {
        let (missing, known) = (list(&mut asked.difference(&known)), list(&mut known.iter()));
        let message = format!(
            "ERROR: The given brokers do not exist from --broker-list: {missing}. Current existent brokers: {known}"
        );
        return Err(Failure::Sentence(message, 1));
    }
    let asked = if asked.is_empty() { known } else { asked };
    terminal.say("Querying brokers for log directories information")?;
    let mut found = BTreeMap::new();
    for node in &asked {
        let request = DescribeLogDirsRequest { topics: None, ..DescribeLogDirsRequest::default() };
        let response = client.node(terminal, "describeLogDirs", *node, &request)?;
        Exception::check(response.error_code, None)?;
        found.insert(*node, response.results);
    }
    terminal.say(&format!("Received log directory information from brokers {}", list(&mut asked.iter())))?;
    Ok(terminal.say(&json(&found, &topics))?)
}

/// As Kafka writes it: no blanks, the fields in its order.
fn json(found: &BTreeMap<i32, Vec<DescribeLogDirsResult>>, topics: &BTreeSet<&str>) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let directory = |result: &DescribeLogDirsResult| {
        let mut partitions = Vec::new();
        for topic in result.topics.iter().filter(|topic| topics.is_empty() || topics.contains(&*topic.name)) {
            for partition in &topic.partitions {
                partitions.push(format!(
                    "{{\"partition\":{},\"size\":{},\"offsetLag\":{},\"isFuture\":{}}}",
                    quoted(&format!("{}-{}", &*topic.name, partition.partition_index)),
                    partition.partition_size,
                    partition.offset_lag,
                    partition.is_future_key
                ));
            }
        }
        let error = match Exception::check(result.error_code, None) {
            Ok(()) => "null".to_owned(),
            Err(exception) => quoted(&exception.class),
        };
        format!(
            "{{\"partitions\":[{}],\"error\":{error},\"logDir\":{}}}",
            partitions.join(","),
            quoted(&result.log_dir)
        )
    };
    let broker = |(node, results): (&i32, &Vec<DescribeLogDirsResult>)| {
        let directories: Vec<String> = results.iter().map(directory).collect();
        format!("{{\"broker\":{node},\"logDirs\":[{}]}}", directories.join(","))
    };
    let brokers: Vec<String> = found.iter().map(broker).collect();
    format!("{{\"brokers\":[{}],\"version\":1}}", brokers.join(","))
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::describe_log_dirs_response::{
        DescribeLogDirsPartition, DescribeLogDirsTopic,
    };

    use super::*;
    use crate::admin::text;

    #[test]
    fn directories_are_written_as_kafka_writes_them() {
        let topic = |name: &str| DescribeLogDirsTopic {
            name: text(name),
            partitions: vec![DescribeLogDirsPartition {
                partition_size: 87,
                ..DescribeLogDirsPartition::default()
            }],
            ..DescribeLogDirsTopic::default()
        };
        let result = DescribeLogDirsResult {
            log_dir: text("/data"),
            topics: vec![topic("t"), topic("u")],
            ..DescribeLogDirsResult::default()
        };
        let found = BTreeMap::from([(1, vec![result])]);
        let expected = "{\"brokers\":[{\"broker\":1,\"logDirs\":[{\"partitions\":[{\"partition\":\"t-0\",\"size\":87,\
                        \"offsetLag\":0,\"isFuture\":false}],\"error\":null,\"logDir\":\"/data\"}]}],\"version\":1}";
        assert_eq!(json(&found, &BTreeSet::from(["t"])), expected);
        assert!(json(&found, &BTreeSet::new()).contains("\"u-0\""));
    }
}
