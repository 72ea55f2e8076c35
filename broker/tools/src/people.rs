//! `ottla topic`, `group`, `produce` and `consume`: short forms of Kafka's commands, for people.
//! Core: a short form becomes the command line of the command that does it.

use crate::options::{BadOption, Known, Options, flag, usage, value};

const SERVER: Known =
    value("brokers", "The brokers, host:port. Default: localhost:9092, or OTTLA_BROKERS.").or('b');
const CONFIG: Known = value("config", "A properties file for the client: TLS, SASL.").or('F');
const HELP: Known = flag("help", "Show this.").or('h');

/// A short form.
pub struct Short {
    pub name: &'static str,
    forms: &'static str,
    options: &'static [Known],
    line: fn(&Options) -> Line,
}

/// A command with its arguments, or what is missing.
type Line = Result<(&'static str, Vec<String>), String>;

pub const SHORTS: &[Short] = &[
    Short {
        name: "topic",
        forms: "ottla topic list\n\
                ottla topic describe [NAME]\n\
                ottla topic create NAME [-p PARTITIONS] [-r REPLICAS] [-c KEY=VALUE]...\n\
                ottla topic set NAME KEY=VALUE...\n\
                ottla topic delete NAME",
        options: &[
            SERVER,
            value("partitions", "With create: how many.").or('p'),
            value("replicas", "With create: copies of each.").or('r'),
            value("set", "With create: a config of the topic, KEY=VALUE. May be repeated.").or('c'),
            CONFIG,
            HELP,
        ],
        line: topic,
    },
    Short {
        name: "group",
        forms: "ottla group list\n\
                ottla group describe NAME\n\
                ottla group reset NAME TOPIC earliest|latest|OFFSET\n\
                ottla group delete NAME",
        options: &[SERVER, CONFIG, HELP],
        line: group,
    },
    Short {
        name: "produce",
        forms: "ottla produce TOPIC [-K SEPARATOR] [-z CODEC] < LINES",
        options: &[
            SERVER,
            value("key", "What stands between a line's key and its value.").or('K'),
            value("compression", "gzip, snappy, lz4 or zstd.").or('z'),
            value("acks", "0, 1 or all.").or('a'),
            CONFIG,
            HELP,
        ],
        line: produce,
    },
    Short {
        name: "consume",
        forms: "ottla consume TOPIC [-o beginning|end|OFFSET] [-p PARTITION] [-g GROUP] [-n COUNT]",
        options: &[
            SERVER,
            value("offset", "Where to begin. Default: beginning; with -g where the group is.").or('o'),
            value("partition", "One partition alone.").or('p'),
            value("group", "As a member of this group.").or('g'),
            value("count", "End behind so many records.").or('n'),
            value("wait", "End when none came for so many ms.").or('w'),
            value("key", "Print keys too, with this between key and value.").or('K'),
            flag("all", "Print time, partition, offset, headers and key too.").or('A'),
            flag("committed", "Leave out what was aborted or is open.").or('C'),
            CONFIG,
            HELP,
        ],
        line: consume,
    },
];

/// What a short form came to.
pub enum Meant {
    /// The command with its arguments.
    Line(&'static str, Vec<String>),
    /// What to print, and whether it was asked for.
    Text(String, bool),
}

/// The line of a command of ours that names its brokers as Kafka's do; where it names none, those of the environment.
pub fn with_brokers(arguments: &[String], brokers: Option<&str>) -> Vec<String> {
    let is_named = |word: &String| {
        ["bootstrap-server", "help", "version"]
            .iter()
            .any(|name| word.trim_start_matches('-').starts_with(name))
    };
    let mut line = arguments.to_vec();
    if !arguments.iter().any(is_named) {
        let brokers = brokers.unwrap_or("localhost:9092");
        line.extend(["--bootstrap-server".to_owned(), brokers.to_owned()]);
    }
    line
}

impl Short {
    fn help(&self) -> String {
        format!("{}\n\n{}", self.forms, usage(self.options))
    }

    /// `brokers` are those of the environment.
    pub fn meant(&self, arguments: &[String], brokers: Option<&str>) -> Meant {
        let options = match Options::parse(self.options, arguments) {
            Ok(options) => options,
            Err(bad) => return Meant::Text(format!("{}\n\n{}", said(&bad), self.help()), false),
        };
        if options.has("help") {
            return Meant::Text(self.help(), true);
        }
        match (self.line)(&options) {
            Ok((command, mut line)) => {
                let brokers = options.get("brokers").or(brokers).unwrap_or("localhost:9092");
                line.extend(["--bootstrap-server".to_owned(), brokers.to_owned()]);
                if let Some(file) = options.get("config") {
                    line.extend(["--command-config".to_owned(), file.to_owned()]);
                }
                Meant::Line(command, line)
            }
            Err(why) => Meant::Text(format!("{why}\n\n{}", self.help()), false),
        }
    }
}

fn said(bad: &BadOption) -> String {
    bad.to_string()
}

fn words(options: &Options) -> Vec<&str> {
    options.others.iter().map(String::as_str).collect()
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn topic(options: &Options) -> Line {
    let line = match words(options).as_slice() {
        ["list"] => owned(&["--list"]),
        ["describe"] => owned(&["--describe"]),
        ["describe", name] => owned(&["--describe", "--topic", name]),
        ["delete", name] => owned(&["--delete", "--topic", name]),
        ["create", name] => {
            let mut line = owned(&["--create", "--topic", name]);
            for (option, kafkas) in [("partitions", "--partitions"), ("replicas", "--replication-factor")] {
                line.extend(options.get(option).map(|value| owned(&[kafkas, value])).into_iter().flatten());
            }
            options.all("set").for_each(|set| line.extend(owned(&["--config", set])));
            line
        }
        ["set", name, sets @ ..] if !sets.is_empty() => {
            let mut line = owned(&["--alter", "--entity-type", "topics", "--entity-name", name]);
            line.extend(["--add-config".to_owned(), sets.join(",")]);
            return Ok(("kafka-configs", line));
        }
        _ => return Err("Say what to do with which topic:".to_owned()),
    };
    Ok(("kafka-topics", line))
}

fn group(options: &Options) -> Line {
    let line = match words(options).as_slice() {
        ["list"] => return Ok(("kafka-groups", owned(&["--list"]))),
        ["describe", name] => owned(&["--describe", "--group", name]),
        ["delete", name] => owned(&["--delete", "--group", name]),
        ["reset", name, topic, to] => {
            let mut line = owned(&["--reset-offsets", "--execute", "--group", name, "--topic", topic]);
            line.extend(match *to {
                "earliest" => owned(&["--to-earliest"]),
                "latest" => owned(&["--to-latest"]),
                offset if offset.parse::<u64>().is_ok() => owned(&["--to-offset", offset]),
                _ => return Err(format!("{to} is neither earliest, latest nor an offset:")),
            });
            line
        }
        _ => return Err("Say what to do with which group:".to_owned()),
    };
    Ok(("kafka-consumer-groups", line))
}

fn produce(options: &Options) -> Line {
    let [topic] = words(options)[..] else { return Err("Say which topic:".to_owned()) };
    let mut line = owned(&["--topic", topic]);
    if let Some(separator) = options.get("key") {
        line.extend(owned(&["--reader-property", "parse.key=true", "--reader-property"]));
        line.push(format!("key.separator={separator}"));
    }
    for (option, kafkas) in [("compression", "--compression-codec"), ("acks", "--request-required-acks")] {
        line.extend(options.get(option).map(|value| owned(&[kafkas, value])).into_iter().flatten());
    }
    Ok(("kafka-console-producer", line))
}

fn consume(options: &Options) -> Line {
    let [topic] = words(options)[..] else { return Err("Say which topic:".to_owned()) };
    let mut line = owned(&["--topic", topic]);
    let partition = options.get("partition");
    match (options.get("offset"), partition) {
        (None | Some("beginning"), _) => line.push("--from-beginning".to_owned()),
        (Some("end"), _) => {}
        (Some(offset), Some(_)) => line.extend(owned(&["--offset", offset])),
        (Some(_), None) => return Err("An offset is one of a partition: say -p PARTITION too:".to_owned()),
    }
    for (option, kafkas) in [
        ("partition", "--partition"),
        ("group", "--group"),
        ("count", "--max-messages"),
        ("wait", "--timeout-ms"),
    ] {
        line.extend(options.get(option).map(|value| owned(&[kafkas, value])).into_iter().flatten());
    }
    let mut print = |property: &str| line.extend(owned(&["--formatter-property", property]));
    if options.has("all") {
        for name in ["timestamp", "partition", "offset", "headers"] {
            print(&format!("print.{name}=true"));
        }
    }
    if options.has("all") || options.has("key") {
        print("print.key=true");
    }
    if let Some(separator) = options.get("key") {
        print(&format!("key.separator={separator}"));
    }
    if options.has("committed") {
        line.extend(owned(&["--isolation-level", "read_committed"]));
    }
    Ok(("kafka-console-consumer", line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(text: &str) -> Result<String, bool> {
        let mut words = text.split_whitespace().map(str::to_owned);
        let name = words.next().expect("a name");
        let short = SHORTS.iter().find(|short| short.name == name).expect("a short form");
        match short.meant(&words.collect::<Vec<_>>(), None) {
            Meant::Line(command, line) => Ok(format!("{command} {}", line.join(" "))),
            Meant::Text(_, is_asked) => Err(is_asked),
        }
    }

    #[test]
    fn a_short_form_becomes_one_of_kafka_s_command_lines() {
        for (short, long) in [
            ("topic list -b h:1", "kafka-topics --list --bootstrap-server h:1"),
            (
                "topic create t -p 3 -c retention.ms=1",
                "kafka-topics --create --topic t --partitions 3 --config retention.ms=1 --bootstrap-server localhost:9092",
            ),
            (
                "group reset g t 5 -F c.properties",
                "kafka-consumer-groups --reset-offsets --execute --group g --topic t --to-offset 5 --bootstrap-server \
                 localhost:9092 --command-config c.properties",
            ),
            (
                "produce t -K : -z zstd",
                "kafka-console-producer --topic t --reader-property parse.key=true --reader-property key.separator=: \
                 --compression-codec zstd --bootstrap-server localhost:9092",
            ),
            (
                "consume t -p 0 -o 7 -n 2",
                "kafka-console-consumer --topic t --offset 7 --partition 0 --max-messages 2 --bootstrap-server \
                 localhost:9092",
            ),
            ("consume t -o end", "kafka-console-consumer --topic t --bootstrap-server localhost:9092"),
        ] {
            assert_eq!(meant(short).as_deref(), Ok(long), "{short}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_answered_with_the_forms() {
        for bad in
            ["topic", "topic make t", "group reset g t soon", "produce", "consume t -o 7", "consume t --shoe"]
        {
            assert_eq!(meant(bad), Err(false), "{bad}");
        }
        assert_eq!(meant("consume --help"), Err(true));
    }

    #[test]
    fn a_command_of_ours_is_told_where_the_brokers_are_once() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let line = |text: &str, brokers| with_brokers(&words(text), brokers).join(" ");
        assert_eq!(line("4 --undo", None), "4 --undo --bootstrap-server localhost:9092");
        assert_eq!(line("", Some("b:1")), "--bootstrap-server b:1");
        for own in ["4 --bootstrap-server c:2", "--bootstrap-server=c:2", "--help", "--version"] {
            assert_eq!(line(own, Some("b:1")), own);
        }
    }
}
