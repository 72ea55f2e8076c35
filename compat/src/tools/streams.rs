//! The command line of streams groups: a Kafka Streams application counts words, and is looked at, set back, deleted.
//! Shell: child processes.
//!
//! What is expected is what the tool prints about Apache Kafka, but for ids and addresses; of Ottla's own command too.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{CONSOLE_PRODUCER, TOPICS, Tools};
use crate::contract::{Client, Event};
use crate::failure::{Outcome, fail};
use crate::process::capture;
use crate::{broker, clients};

const STREAMS_GROUPS: &str = "org.apache.kafka.tools.streams.StreamsGroupCommand";
const CLASS_LIMIT: Duration = Duration::from_secs(60);
const WORD_COUNT: u64 = 20;

impl Tools<'_> {
    fn streams_name(&self, what: &str) -> String {
        format!("{}-streams{what}", self.setting.namespace)
    }

    pub(super) fn streams_groups(&mut self) -> Outcome<()> {
        let (from, to) = (self.streams_name("-in"), self.streams_name("-out"));
        let mut application = self.count_words(&from, &to)?;
        let described = self.look_at_streams_group();
        application.tell("leave")?;
        let left = application.wait_for_end(CLASS_LIMIT);
        described.and(left)?;
        self.set_streams_group_back(&from)?;
        self.delete_streams_group(&from)
    }

    /// Ten lines of two words, counted.
    fn count_words(&mut self, from: &str, to: &str) -> Outcome<Client> {
        let program = clients::prepare_eos(&|_| {})?;
        for topic in [from, to] {
            self.ask(TOPICS, &["--create", "--topic", topic, "--partitions", "1"])?;
        }
        let input = self.setting.work_dir.join("words");
        fs::write(&input, (0..10).map(|number| format!("k{number}:a b{number}\n")).collect::<String>())?;
        let bootstrap = self.setting.bootstrap.clone();
        let mut arguments = vec!["--bootstrap-server", &bootstrap, "--topic", from];
        arguments.extend(["--reader-property", "parse.key=true", "--reader-property", "key.separator=:"]);
        self.run(CONSOLE_PRODUCER, &arguments, Some(&input))?;
        let (application, state) = (self.streams_name(""), self.setting.work_dir.join("streams-state"));
        let mut client = Client::start(&program, "streams", &bootstrap, &self.setting.work_dir)?;
        client.tell(&format!("count-words {from} {to} {application} {} 100 streams", state.display()))?;
        let deadline = Instant::now() + CLASS_LIMIT;
        loop {
            match client.next_event(deadline)? {
                Some(Event::Count(WORD_COUNT)) => return Ok(client),
                Some(Event::Count(_) | Event::Note(_)) => {}
                other => {
                    return fail(format!(
                        "the application counts no words: {other:?}\n{}",
                        client.last_errors()
                    ));
                }
            }
        }
    }

    /// What the tool prints, without what differs from run to run, line by line in the order of texts.
    fn streams_tool(&mut self, arguments: &[&str]) -> Outcome<Vec<String>> {
        let text = self.ask(STREAMS_GROUPS, arguments)?;
        Ok(self.known_lines(&text))
    }

    /// What Ottla's own command prints; to be asked only for what changes nothing.
    fn own_streams_tool(&mut self, arguments: &[&str]) -> Outcome<Vec<String>> {
        let mut command = Command::new(broker::ottla_binary()?);
        command.args(["kafka-streams-groups", "--bootstrap-server", &self.setting.bootstrap]).args(arguments);
        self.serial += 1;
        let name = format!("{:02}-own-streams-groups", self.serial);
        let printed = capture(&name, &mut command, None, &self.setting.work_dir, CLASS_LIMIT)?;
        Ok(self.known_lines(&printed.output))
    }

    fn known_lines(&self, text: &str) -> Vec<String> {
        let (namespace, bootstrap) = (self.setting.namespace.clone(), self.setting.bootstrap.clone());
        let known = text.replace(&namespace, "NS").replace(&bootstrap, "BROKER");
        // How many epochs a start takes, and how many transactions, is chance.
        let is_by_chance = |line: &str| {
            line.contains("streams-by-word") || line.contains("BROKER") || line.contains("Thread")
        };
        let squeeze = |line: &str| {
            let words = line.split_whitespace().map(|word| match word.parse::<u64>() {
                Ok(_) if is_by_chance(line) => "N".to_owned(),
                _ => without_ids(word),
            });
            words.collect::<Vec<_>>().join(" ")
        };
        let mut lines: Vec<String> = known.lines().map(squeeze).filter(|line| !line.is_empty()).collect();
        lines.sort();
        lines
    }

    /// Asks until the tool says so: what an application commits is there a moment later.
    fn streams_expect(&mut self, arguments: &[&str], expected: &[&str]) -> Outcome<()> {
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            let mut lines = self.streams_tool(arguments)?;
            let changes = ["--execute", "--delete", "--delete-offsets"];
            let is_question = !arguments.iter().any(|argument| changes.contains(argument));
            if lines == expected && is_question && self.setting.changes_at_once {
                lines = self.own_streams_tool(arguments)?;
            }
            if lines == expected {
                return Ok(());
            }
            if Instant::now() > deadline {
                return fail(format!("{}\n{}", arguments.join(" "), lines.join("\n")));
            }
        }
    }

    fn look_at_streams_group(&mut self) -> Outcome<()> {
        let group = self.streams_name("");
        self.streams_expect(&["--list"], &["NS-streams"])?;
        self.streams_expect(&["--list", "--state", "stable"], &["GROUP STATE", "NS-streams Stable"])?;
        let about = ["--describe", "--group", &group];
        let state = [
            "GROUP COORDINATOR (ID) STATE GROUP-EPOCH TARGET-ASSIGNMENT-EPOCH #MEMBERS",
            "NS-streams BROKER (1) Stable N N N",
        ];
        self.streams_expect(&[&about[..], &["--state", "--verbose"]].concat(), &state)?;
        let members = [
            "GROUP TARGET-ASSIGNMENT-EPOCH TOPOLOGY-EPOCH MEMBER MEMBER-PROTOCOL MEMBER-EPOCH PROCESS CLIENT-ID ASSIGNMENTS",
            "NS-streams N N ID streams N ID NS-streams-ID-StreamThread ACTIVE: 0:[0]; TARGET-ACTIVE: 0:[0];",
            "NS-streams N N ID streams N ID NS-streams-ID-StreamThread ACTIVE: 1:[0]; TARGET-ACTIVE: 1:[0];",
        ];
        self.streams_expect(&[&about[..], &["--members", "--verbose"]].concat(), &members)?;
        let offsets = [
            "GROUP TOPIC PARTITION CURRENT-OFFSET LEADER-EPOCH LOG-END-OFFSET OFFSET-LAG",
            "NS-streams NS-streams-by-word-repartition N N N N N",
            "NS-streams NS-streams-in 0 10 0 10 0",
        ];
        self.streams_expect(&[&about[..], &["--offsets", "--verbose"]].concat(), &offsets)
    }

    fn set_streams_group_back(&mut self, from: &str) -> Outcome<()> {
        let group = self.streams_name("");
        let about = ["--group", &group];
        self.streams_expect(&[&["--describe"], &about[..], &["--members"]].concat(), &[])?;
        let reset = [&about[..], &["--reset-offsets", "--execute"]].concat();
        let heading = "GROUP TOPIC PARTITION NEW-OFFSET";
        let earliest = [heading, "NS-streams NS-streams-in 0 0"];
        self.streams_expect(&[&reset[..], &["--all-input-topics", "--to-earliest"]].concat(), &earliest)?;
        let third = [heading, "NS-streams NS-streams-in 0 3"];
        self.streams_expect(&[&reset[..], &["--input-topic", from, "--to-offset", "3"]].concat(), &third)?;
        let shifted = [heading, "NS-streams NS-streams-in 0 5"];
        self.streams_expect(&[&reset[..], &["--all-input-topics", "--shift-by", "2"]].concat(), &shifted)?;
        let dry =
            [&about[..], &["--reset-offsets", "--dry-run", "--all-input-topics", "--to-latest"]].concat();
        self.streams_expect(&dry, &[heading, "NS-streams NS-streams-in 0 10"])
    }

    fn delete_streams_group(&mut self, from: &str) -> Outcome<()> {
        let group = self.streams_name("");
        let about = ["--group", &group];
        let deleted = [
            "NS-streams-in 0 Successful",
            "Request succeeded for deleting offsets from group NS-streams.",
            "TOPIC PARTITION STATUS",
        ];
        self.streams_expect(&[&about[..], &["--delete-offsets", "--input-topic", from]].concat(), &deleted)?;
        let gone = [
            "Deletion of associated internal topics of the streams groups ('NS-streams') was successful.",
            "Deletion of requested streams groups ('NS-streams') was successful.",
        ];
        self.streams_expect(&[&about[..], &["--delete", "--delete-all-internal-topics"]].concat(), &gone)?;
        self.streams_expect(&["--list"], &[])?;
        let topics = self.ask(TOPICS, &["--list"])?;
        match topics
            .lines()
            .find(|topic| topic.contains("-streams-by-word") || topic.contains("-streams-counts"))
        {
            None => Ok(()),
            Some(topic) => fail(format!("{topic} was to go with its group")),
        }
    }
}

/// The word with ID in the place of each UUID, also of one in Kafka's own form, and without the number of a thread.
fn without_ids(word: &str) -> String {
    const UUID_LEN: usize = 36;
    const SHORT_UUID_LEN: usize = 22;
    let is_uuid = |text: &str| {
        text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    let is_short = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if word.len() == SHORT_UUID_LEN && word.bytes().all(is_short) {
        return "ID".to_owned();
    }
    let mut text = word.to_owned();
    let mut place = 0;
    while place + UUID_LEN <= text.len() {
        if text.get(place..place + UUID_LEN).is_some_and(is_uuid) {
            text.replace_range(place..place + UUID_LEN, "ID");
        }
        place += 1;
    }
    match text.split_once("StreamThread-") {
        Some((before, _)) => format!("{before}StreamThread"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_left_out_wherever_they_are() {
        let id = "123e4567-e89b-12d3-a456-426614174000";
        assert_eq!(without_ids(&format!("app-{id}-{id}x")), "app-ID-IDx");
        assert_eq!(without_ids("N2CtRkvBRjONm0ZWyO5fdA"), "ID");
        assert_eq!(without_ids(&format!("app-{id}-StreamThread-2-consumer")), "app-ID-StreamThread");
        assert_eq!(without_ids("123e4567"), "123e4567");
    }
}
