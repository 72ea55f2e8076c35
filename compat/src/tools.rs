//! Apache Kafka's own command lines, as the main classes of its jars, one process each as a person runs them.
//! Shell: child processes and files.

mod share;
mod streams;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::adopt::dump;
use crate::failure::{Outcome, While, fail};
use crate::process::{POLL_INTERVAL, Process, capture};
use crate::reference::java;
use crate::steps::{Setting, Steps};

const LIMIT: Duration = Duration::from_secs(60);
const HEAP_MIB: u32 = 256;
const LINE_COUNT: usize = 1_000;
/// After the first records are deleted from partition 0 its log begins here.
const DELETED_BEFORE: i64 = 10;

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const CONFIGS: &str = "kafka.admin.ConfigCommand";
const CONSOLE_PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";
const CONSOLE_CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
const GET_OFFSETS: &str = "org.apache.kafka.tools.GetOffsetShell";
const DELETE_RECORDS: &str = "org.apache.kafka.tools.DeleteRecordsCommand";
const LOG_DIRS: &str = "org.apache.kafka.tools.LogDirsCommand";
const API_VERSIONS: &str = "org.apache.kafka.tools.BrokerApiVersionsCommand";
const PRODUCER_PERFORMANCE: &str = "org.apache.kafka.tools.ProducerPerformance";
const CONSUMER_PERFORMANCE: &str = "org.apache.kafka.tools.ConsumerPerformance";
const VERIFIABLE_PRODUCER: &str = "org.apache.kafka.tools.VerifiableProducer";
const VERIFIABLE_CONSUMER: &str = "org.apache.kafka.tools.VerifiableConsumer";
const DUMP_LOG: &str = "org.apache.kafka.tools.DumpLogSegments";

pub fn play(setting: &Setting, steps: &mut Steps) -> Outcome<()> {
    let mut tools = Tools {
        setting,
        topic: format!("{}-topic", setting.namespace),
        group: format!("{}-group", setting.namespace),
        serial: 0,
    };
    steps.step("api-versions", || tools.api_versions())?;
    steps.step("topics-create", || tools.create())?;
    steps.step("topics-describe", || tools.describe())?;
    steps.step("topics-alter", || tools.add_partition())?;
    steps.step("configs", || tools.configs())?;
    steps.step("console-producer", || tools.console_producer())?;
    steps.step("console-consumer", || tools.console_consumer())?;
    steps.step("share-consumer", || tools.share_consumer())?;
    steps.step("share-groups", || tools.share_groups())?;
    steps.step("streams-groups", || tools.streams_groups())?;
    steps.step("groups-describe", || tools.describe_group())?;
    steps.step("groups-reset", || tools.reset_group())?;
    steps.step("get-offsets", || tools.get_offsets())?;
    steps.step("delete-records", || tools.delete_records())?;
    steps.step("log-dirs", || tools.log_dirs())?;
    steps.step("producer-perf", || tools.producer_performance())?;
    steps.step("consumer-perf", || tools.consumer_performance())?;
    steps.step("verifiable-producer", || tools.verifiable_producer())?;
    steps.step("verifiable-consumer", || tools.verifiable_consumer())?;
    steps.step("dump-log", || tools.dump_log())?;
    steps.step("groups-delete", || tools.delete_group())?;
    steps.step("topics-delete", || tools.delete_topic())
}

struct Tools<'a> {
    setting: &'a Setting,
    topic: String,
    group: String,
    serial: u32,
}

impl Tools<'_> {
    /// Runs a tool that knows the broker by an option; returns what it printed.
    fn ask(&mut self, class: &str, arguments: &[&str]) -> Outcome<String> {
        let bootstrap = self.setting.bootstrap.clone();
        self.run(class, &[&["--bootstrap-server", &bootstrap], arguments].concat(), None)
    }

    fn run(&mut self, class: &str, arguments: &[&str], input: Option<&PathBuf>) -> Outcome<String> {
        self.serial += 1;
        let name = format!("{:02}-{}", self.serial, class.rsplit('.').next().unwrap_or(class));
        let mut command = java(HEAP_MIB)?;
        command.arg(class).args(arguments);
        let input = input.map(PathBuf::as_path);
        let printed = capture(&name, &mut command, input, &self.setting.work_dir, LIMIT)?;
        // Some tools tell a failure and end with success all the same.
        if printed.output.contains("Exception") {
            return fail(format!("{class} {}\n{}", arguments.join(" "), printed.output));
        }
        Ok(printed.output)
    }

    fn api_versions(&mut self) -> Outcome<()> {
        let text = self.ask(API_VERSIONS, &[])?;
        expect(&text, &["Produce(0): ", "Fetch(1): ", "ApiVersions(18): "])
    }

    fn create(&mut self) -> Outcome<()> {
        let topic = self.topic.clone();
        let text = self.ask(
            TOPICS,
            &["--create", "--topic", &topic, "--partitions", "2", "--config", "segment.bytes=1048576"],
        )?;
        expect(&text, &[&format!("Created topic {topic}.")])
    }

    fn describe(&mut self) -> Outcome<()> {
        let topic = self.topic.clone();
        self.until_in_force(|tools| {
            let text = tools.ask(TOPICS, &["--describe", "--topic", &topic])?;
            expect(&text, &["PartitionCount: 2", "segment.bytes=1048576", "Partition: 1"])
        })
    }

    fn add_partition(&mut self) -> Outcome<()> {
        let topic = self.topic.clone();
        self.ask(TOPICS, &["--alter", "--topic", &topic, "--partitions", "3"])?;
        self.until_in_force(|tools| {
            expect(
                &tools.ask(TOPICS, &["--describe", "--topic", &topic])?,
                &["PartitionCount: 3", "Partition: 2"],
            )
        })
    }

    fn configs(&mut self) -> Outcome<()> {
        let topic = self.topic.clone();
        let about = ["--entity-type", "topics", "--entity-name", &topic];
        self.ask(CONFIGS, &[&about[..], &["--alter", "--add-config", "retention.ms=7200000"]].concat())?;
        self.until_in_force(|tools| {
            let text = tools.ask(CONFIGS, &[&about[..], &["--describe"]].concat())?;
            expect(&text, &["retention.ms=7200000", "segment.bytes=1048576"])
        })?;
        self.ask(CONFIGS, &[&about[..], &["--alter", "--delete-config", "retention.ms"]].concat())?;
        self.until_in_force(|tools| {
            let text = tools.ask(CONFIGS, &[&about[..], &["--describe"]].concat())?;
            if text.contains("retention.ms=7200000") {
                return fail(format!("a deleted config is still described\n{text}"));
            }
            Ok(())
        })
    }

    fn console_producer(&mut self) -> Outcome<()> {
        let input = self.setting.work_dir.join("lines");
        let lines: String = (0..LINE_COUNT).map(|number| format!("key{number}:line {number}\n")).collect();
        fs::write(&input, lines)?;
        let (bootstrap, topic) = (self.setting.bootstrap.clone(), self.topic.clone());
        let mut arguments = vec!["--bootstrap-server", &bootstrap, "--topic", &topic];
        arguments.extend(["--reader-property", "parse.key=true", "--reader-property", "key.separator=:"]);
        arguments.extend(["--compression-codec", "zstd"]);
        self.run(CONSOLE_PRODUCER, &arguments, Some(&input)).map(drop)
    }

    fn console_consumer(&mut self) -> Outcome<()> {
        let (topic, group) = (self.topic.clone(), self.group.clone());
        let count = LINE_COUNT.to_string();
        let mut arguments =
            vec!["--topic", &topic, "--group", &group, "--from-beginning", "--max-messages", &count];
        arguments.extend(["--timeout-ms", "30000", "--formatter-property", "print.key=true"]);
        let text = self.ask(CONSOLE_CONSUMER, &arguments)?;
        let mut came: Vec<&str> = text.lines().collect();
        let produced: Vec<String> =
            (0..LINE_COUNT).map(|number| format!("key{number}\tline {number}")).collect();
        let mut produced: Vec<&str> = produced.iter().map(String::as_str).collect();
        came.sort_unstable();
        produced.sort_unstable();
        if came == produced {
            return Ok(());
        }
        fail(format!("{} lines were produced, {} came", produced.len(), came.len()))
    }

    fn describe_group(&mut self) -> Outcome<()> {
        let group = self.group.clone();
        expect(&self.ask(GROUPS, &["--list"])?, &[&group])?;
        let rows = self.group_rows()?;
        let committed: i64 = rows.iter().map(|row| row.committed).sum();
        let lag: i64 = rows.iter().map(|row| row.lag).sum();
        if rows.len() == 3 && committed == LINE_COUNT as i64 && lag == 0 {
            return Ok(());
        }
        fail(format!(
            "after {LINE_COUNT} records the group is told to be at {committed}, {lag} behind, in {} rows",
            rows.len()
        ))
    }

    fn reset_group(&mut self) -> Outcome<()> {
        let (topic, group) = (self.topic.clone(), self.group.clone());
        let about = ["--group", &group, "--topic", &topic, "--reset-offsets", "--execute"];
        self.ask(GROUPS, &[&about[..], &["--to-earliest"]].concat())?;
        let committed: i64 = self.group_rows()?.iter().map(|row| row.committed).sum();
        if committed != 0 {
            return fail(format!("after a reset to the earliest the group is at {committed}"));
        }
        self.ask(GROUPS, &[&about[..], &["--shift-by", "7"]].concat())?;
        let rows = self.group_rows()?;
        if rows.iter().all(|row| row.committed == 7) {
            return Ok(());
        }
        fail("a shift by 7 did not move every partition by 7".to_owned())
    }

    fn group_rows(&mut self) -> Outcome<Vec<GroupRow>> {
        let group = self.group.clone();
        let text = self.ask(GROUPS, &["--describe", "--group", &group])?;
        Ok(text.lines().filter(|line| line.starts_with(&group)).filter_map(GroupRow::parse).collect())
    }

    fn get_offsets(&mut self) -> Outcome<()> {
        let topic = self.topic.clone();
        let sum = |text: &str| -> i64 { offsets(text).iter().sum() };
        let latest = self.ask(GET_OFFSETS, &["--topic", &topic])?;
        let earliest = self.ask(GET_OFFSETS, &["--topic", &topic, "--time", "earliest"])?;
        let max_timestamp = self.ask(GET_OFFSETS, &["--topic", &topic, "--time", "max-timestamp"])?;
        if (sum(&latest), sum(&earliest), offsets(&max_timestamp).len()) == (LINE_COUNT as i64, 0, 3) {
            return Ok(());
        }
        fail(format!("latest\n{latest}\nearliest\n{earliest}\nmax-timestamp\n{max_timestamp}"))
    }

    fn delete_records(&mut self) -> Outcome<()> {
        let topic = self.topic.clone();
        let path = self.setting.work_dir.join("delete-records.json");
        let request = serde_json::json!({
            "partitions": [{ "topic": topic, "partition": 0, "offset": DELETED_BEFORE }],
            "version": 1,
        });
        fs::write(&path, request.to_string())?;
        let text = self.ask(DELETE_RECORDS, &["--offset-json-file", &path.display().to_string()])?;
        expect(&text, &[&format!("low_watermark: {DELETED_BEFORE}")])?;
        let earliest = self.ask(GET_OFFSETS, &["--topic", &topic, "--time", "earliest"])?;
        expect(&earliest, &[&format!("{topic}:0:{DELETED_BEFORE}")])
    }

    fn log_dirs(&mut self) -> Outcome<()> {
        let topic = self.topic.clone();
        let text = self.ask(LOG_DIRS, &["--describe", "--topic-list", &topic])?;
        let found = text
            .lines()
            .find(|line| line.starts_with('{'))
            .and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .and_then(|json| json["brokers"][0]["logDirs"][0]["partitions"].as_array().cloned())
            .unwrap_or_default();
        if found.len() == 3 && found.iter().all(|partition| partition["size"].as_i64() > Some(0)) {
            return Ok(());
        }
        fail(format!("three partitions with bytes were expected\n{text}"))
    }

    fn producer_performance(&mut self) -> Outcome<()> {
        let (topic, count) =
            (format!("{}-perf", self.topic), self.setting.amounts.records_for_perf_tools.to_string());
        self.ask(TOPICS, &["--create", "--topic", &topic, "--partitions", "3"])?;
        let bootstrap = format!("bootstrap.servers={}", self.setting.bootstrap);
        let mut arguments = vec!["--topic", &topic, "--num-records", &count, "--record-size", "200"];
        arguments.extend(["--throughput", "-1", "--producer-props", &bootstrap, "acks=all"]);
        let text = self.run(PRODUCER_PERFORMANCE, &arguments, None)?;
        expect(&text, &[&format!("{count} records sent, "), "99.9th"])
    }

    fn consumer_performance(&mut self) -> Outcome<()> {
        let (topic, count) = (format!("{}-perf", self.topic), self.setting.amounts.records_for_perf_tools);
        let text = self.ask(
            CONSUMER_PERFORMANCE,
            &["--topic", &topic, "--num-records", &count.to_string(), "--timeout", "30000"],
        )?;
        let consumed = text
            .lines()
            .last()
            .and_then(|line| line.split(", ").nth(4))
            .and_then(|word| word.parse::<usize>().ok());
        if consumed >= Some(count) {
            return Ok(());
        }
        fail(format!("{count} records are there, the tool read\n{text}"))
    }

    fn verifiable_producer(&mut self) -> Outcome<()> {
        let topic = format!("{}-verifiable", self.topic);
        self.ask(TOPICS, &["--create", "--topic", &topic, "--partitions", "3"])?;
        let count = LINE_COUNT.to_string();
        let text =
            self.ask(VERIFIABLE_PRODUCER, &["--topic", &topic, "--max-messages", &count, "--acks", "-1"])?;
        let acked = text.lines().filter(|line| line.contains("\"producer_send_success\"")).count();
        if acked == LINE_COUNT {
            return Ok(());
        }
        fail(format!("{acked} of {LINE_COUNT} records were acknowledged"))
    }

    /// This tool runs until it is asked to end, then leaves its group in an orderly way.
    fn verifiable_consumer(&mut self) -> Outcome<()> {
        let (topic, group) = (format!("{}-verifiable", self.topic), format!("{}-verifiable", self.group));
        let (output, errors) =
            (self.setting.work_dir.join("verifiable.out"), self.setting.work_dir.join("verifiable.err"));
        let mut command = java(HEAP_MIB)?;
        command
            .args([VERIFIABLE_CONSUMER, "--bootstrap-server", &self.setting.bootstrap])
            .args([
                "--topic",
                &topic,
                "--group-id",
                &group,
                "--session-timeout",
                "6000",
                "--reset-policy",
                "earliest",
            ])
            .stdin(std::process::Stdio::null())
            .stdout(fs::File::create(&output)?)
            .stderr(fs::File::create(&errors)?);
        let mut process = Process::start_as_is("VerifiableConsumer", &mut command, &errors)?;
        let deadline = Instant::now() + LIMIT;
        let consumed = |text: &str| -> u64 {
            let events = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
            events
                .filter(|event| event["name"] == "records_consumed")
                .filter_map(|event| event["count"].as_u64())
                .sum()
        };
        while consumed(&fs::read_to_string(&output)?) < LINE_COUNT as u64 {
            if Instant::now() > deadline || process.exited()?.is_some() {
                return fail(format!(
                    "not all {LINE_COUNT} records were consumed\n{}",
                    process.last_output(15)
                ));
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        process.stop(LIMIT)?;
        expect(
            &fs::read_to_string(&output)?,
            &["\"offsets_committed\"", "\"success\":true", "shutdown_complete"],
        )
    }

    /// Kafka's reader of segment files understands what the broker under test wrote.
    fn dump_log(&mut self) -> Outcome<()> {
        let dir = self.setting.log_dir.join(format!("{}-1", self.topic));
        let mut files: Vec<String> = fs::read_dir(&dir)
            .while_doing(|| format!("reading {}", dir.display()))?
            .filter_map(Result::ok)
            .map(|entry| entry.path().display().to_string())
            .filter(|path| [".log", ".index", ".timeindex"].iter().any(|end| path.ends_with(end)))
            .collect();
        files.sort();
        let (way, joined) = (["--print-data-log", "--deep-iteration"], files.join(","));
        let text = self.run(DUMP_LOG, &[&["--files", &joined], &way[..]].concat(), None)?;
        if self.setting.changes_at_once {
            dump::same_without_jvm("dump-log", &way, &joined, (&text, ""), &self.setting.work_dir)?;
        }
        expect(&text, &["starting offset: 0", "compresscodec: zstd", "isvalid: true"])?;
        // What the tool says when an index does not fit its log.
        if ["Mismatches in", "mismatch", "out of order"].iter().any(|complaint| text.contains(complaint)) {
            return fail(format!("an index that does not fit\n{}", crate::process::last_lines_of(&text, 20)));
        }
        if text.contains("isvalid: false") {
            return fail(format!("a batch that is not valid\n{}", beginning(&text)));
        }
        let lines = (0..LINE_COUNT)
            .filter(|number| text.lines().any(|line| line.ends_with(&format!("payload: line {number}"))))
            .count();
        let latest = self.ask(GET_OFFSETS, &["--topic", &self.topic.clone(), "--time", "latest"])?;
        expect(&latest, &[&format!("{}:1:{lines}", self.topic)])
    }

    fn delete_group(&mut self) -> Outcome<()> {
        let group = self.group.clone();
        let text = self.ask(GROUPS, &["--delete", "--group", &group])?;
        expect(&text, &["was successful"])?;
        let listed = self.ask(GROUPS, &["--list"])?;
        if listed.lines().any(|line| line == group) {
            return fail("the deleted group is still listed");
        }
        Ok(())
    }

    fn delete_topic(&mut self) -> Outcome<()> {
        let topic = self.topic.clone();
        self.ask(TOPICS, &["--delete", "--topic", &topic])?;
        self.until_in_force(|tools| {
            if tools.ask(TOPICS, &["--list"])?.lines().any(|line| line == topic) {
                return fail("the deleted topic is still listed");
            }
            Ok(())
        })
    }

    /// Apache Kafka answers a change before every broker has heard of it, so there the look may be repeated.
    fn until_in_force(&mut self, look: impl Fn(&mut Self) -> Outcome<()>) -> Outcome<()> {
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            let seen = look(self);
            if seen.is_ok() || self.setting.changes_at_once || Instant::now() > deadline {
                return seen;
            }
        }
    }
}

/// One partition's line of `--describe --group`.
#[derive(Debug, PartialEq, Eq)]
struct GroupRow {
    committed: i64,
    lag: i64,
}

impl GroupRow {
    /// GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG and more.
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        Some(Self { committed: words.get(3)?.parse().ok()?, lag: words.get(5)?.parse().ok()? })
    }
}

/// The offsets of `topic:partition:offset` lines.
fn offsets(text: &str) -> Vec<i64> {
    text.lines().filter_map(|line| line.rsplit(':').next()?.parse().ok()).collect()
}

fn expect(text: &str, parts: &[&str]) -> Outcome<()> {
    match parts.iter().find(|part| !text.contains(**part)) {
        None => Ok(()),
        Some(part) => fail(format!("\"{part}\" was expected in\n{}", beginning(text))),
    }
}

/// Enough of a long answer for a person to see what is wrong with it.
fn beginning(text: &str) -> String {
    const LINE_COUNT_MAX: usize = 25;
    text.lines().take(LINE_COUNT_MAX).collect::<Vec<_>>().join("\n")
}
