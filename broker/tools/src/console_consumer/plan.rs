//! What a command line of `kafka-console-consumer` asks for (`ConsoleConsumerOptions`).
//! Shell: reads properties files.

use std::collections::BTreeSet;
use std::time::Duration;

use regex::Regex;

use super::fetcher::{EARLIEST, LATEST, Reset};
use super::formatter::{DEFAULT_CLASS, Formatter};
use super::membership::{MembershipSettings, Protocol};
use crate::client::ClientSettings;
use crate::command::{self, required};
use crate::error::{Exception, Failure};
use crate::options::{Known, Options, flag, value};
use crate::properties::{Properties, newer_or_older, option_number};
use crate::terminal::Terminal;

pub const OPTIONS: &[Known] = &[
    value("bootstrap-server", "REQUIRED: the brokers to connect to: host:port, several between commas."),
    value("topic", "The topic to consume from."),
    value("include", "A regular expression of the topics to consume from."),
    value("partition", "The one partition to consume from; from its end unless --offset says otherwise."),
    value("offset", "Where to begin in it: a number, earliest or latest. Default: latest."),
    flag("from-beginning", "Begin with the first record where the group has no offset."),
    value("group", "The consumer group to be a member of."),
    value("max-messages", "How many records to read before the end."),
    value("timeout-ms", "End when no record came for so long."),
    value("isolation-level", "read_committed or read_uncommitted. Default: read_uncommitted."),
    value(
        "formatter",
        "The class that prints: DefaultMessageFormatter, LoggingMessageFormatter or NoOpMessageFormatter of \
         org.apache.kafka.tools.consumer.",
    ),
    value("formatter-config", "A properties file for the formatter."),
    value(
        "formatter-property",
        "print.timestamp, print.key, print.offset, print.epoch, print.partition, print.headers, print.value, \
         key.separator, line.separator, headers.separator, null.literal, key.deserializer, value.deserializer or \
         headers.deserializer, as key=value. May be repeated.",
    ),
    value("key-deserializer", "The class of org.apache.kafka.common.serialization that reads keys."),
    value("value-deserializer", "The same for values."),
    flag("skip-message-on-error", "Go on behind a record that cannot be printed."),
    value("command-config", "A properties file for the consumer."),
    value("command-property", "A property of the consumer, as key=value. May be repeated."),
    value("consumer-property", "(DEPRECATED) What --command-property says."),
    value("consumer.config", "(DEPRECATED) What --command-config says."),
    value("property", "(DEPRECATED) What --formatter-property says."),
    flag("enable-systest-events", "Say when a signal ended it."),
    flag("help", "Show this."),
    flag("version", "Show the version."),
];

/// What is read.
#[derive(Clone, Debug)]
pub enum Source {
    Topic(String),
    Include(Regex),
    Partition(String, i32),
}

pub struct Plan {
    pub address: String,
    pub client: ClientSettings,
    pub source: Source,
    /// With `--group`; without one nobody else reads along, and nothing is committed.
    pub membership: Option<MembershipSettings>,
    pub reset: Reset,
    pub is_read_committed: bool,
    pub may_create: bool,
    pub messages_max: Option<u64>,
    pub timeout: Option<Duration>,
    pub metadata_max_age: Duration,
    pub formatter: Formatter,
    pub skips_errors: bool,
    pub says_new_protocol: bool,
    pub logs_events: bool,
}

pub fn plan(options: &Options, terminal: &mut Terminal<'_>) -> Result<Plan, Failure> {
    required(options, "bootstrap-server")?;
    let source = source(options)?;
    let properties = properties(options, terminal)?;
    let group = group(options, &properties)?;
    if group.is_some() && options.has("partition") {
        return refuse("Options group and partition cannot be specified together.");
    }
    let offset = offset(options)?;
    let timeout: Option<i64> = option_number(options, "timeout-ms")?;
    let timeout = timeout.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis);
    let messages: Option<i32> = option_number(options, "max-messages")?;
    let formatter = formatter(options, terminal)?;
    let mut reset = reset(options, &properties)?;
    if let Some(offset) = offset.filter(|_| options.has("partition")) {
        reset = Reset::To(offset);
    }
    let isolation = properties.one_of("isolation.level", &["read_committed", "read_uncommitted"])?;
    let is_read_committed = isolation == "read_committed";
    let protocol = properties.get("group.protocol").unwrap_or("classic");
    let is_classic = protocol.eq_ignore_ascii_case("classic");
    let mut client = ClientSettings {
        client_id: "console-consumer".to_owned(),
        kind: "Consumer",
        ..ClientSettings::default()
    };
    for (key, value) in properties.all() {
        command::apply(&mut client, key, value)?;
    }
    let max_age = properties.number("metadata.max.age.ms", "LONG")?.unwrap_or(300_000);
    Ok(Plan {
        address: options.get("bootstrap-server").unwrap_or_default().to_owned(),
        client,
        source,
        membership: group.map(|group| membership(group, options, &properties)).transpose()?,
        reset,
        is_read_committed,
        may_create: properties.get("allow.auto.create.topics") != Some("false"),
        messages_max: messages.and_then(|messages| u64::try_from(messages).ok()),
        timeout,
        metadata_max_age: Duration::from_millis(max_age),
        formatter,
        skips_errors: options.has("skip-message-on-error"),
        says_new_protocol: !options.has("partition") && is_classic,
        logs_events: options.has("enable-systest-events"),
    })
}

fn refuse<T>(message: &str) -> Result<T, Failure> {
    Err(Failure::Usage(message.to_owned()))
}

fn source(options: &Options) -> Result<Source, Failure> {
    let pattern = match (options.get("topic"), options.get("include")) {
        (Some(_), None) => None,
        (None, Some(pattern)) => Some(pattern),
        _ => return refuse("Exactly one of the following arguments is required: [topic], [include]"),
    };
    if options.has("partition") && !options.has("topic") {
        return refuse("The topic is required when partition is specified.");
    }
    if options.has("offset") && !options.has("partition") {
        return refuse("The partition is required when offset is specified.");
    }
    if options.has("from-beginning") && options.has("offset") {
        return refuse("Options from-beginning and offset cannot be specified together.");
    }
    if let Some(pattern) = pattern {
        let compiled = Regex::new(&format!("^(?:{pattern})$"));
        let compiled = compiled
            .map_err(|error| Exception::new("java.util.regex.PatternSyntaxException", error.to_string()))?;
        return Ok(Source::Include(compiled));
    }
    let topic = options.get("topic").unwrap_or_default().to_owned();
    Ok(match option_number(options, "partition")? {
        Some(partition) => Source::Partition(topic, partition),
        None => Source::Topic(topic),
    })
}

fn properties(options: &Options, terminal: &mut Terminal<'_>) -> Result<Properties, Failure> {
    let property = newer_or_older(
        options,
        "command-property",
        "consumer-property",
        "Options --consumer-property and --command-property cannot be specified together.",
    )?;
    let config = newer_or_older(
        options,
        "command-config",
        "consumer.config",
        "Options --consumer.config and --command-config cannot be specified together.",
    )?;
    for (older, newer) in [("consumer-property", "command-property"), ("consumer.config", "command-config")] {
        if options.has(older) {
            terminal.say(&deprecated(older, newer))?;
        }
    }
    let mut properties = Properties::read(options.get(config), options.all(property))?;
    properties.merge("isolation.level", options, "isolation-level", "read_uncommitted");
    Ok(properties)
}

fn deprecated(older: &str, newer: &str) -> String {
    format!("Option --{older} is deprecated and will be removed in a future version. Use --{newer} instead.")
}

fn group(options: &Options, properties: &Properties) -> Result<Option<String>, Failure> {
    let given = [options.get("group"), properties.get("group.id")];
    let names: BTreeSet<&str> = given.into_iter().flatten().collect();
    if names.len() > 1 {
        let names: Vec<String> = names.into_iter().map(|name| format!("'{name}'")).collect();
        return refuse(&format!(
            "The group ids provided in different places (directly using '--group', via '--consumer-property', or via \
             '--consumer.config') do not match. Detected group ids: {}",
            names.join(", ")
        ));
    }
    Ok(names.into_iter().next().map(str::to_owned))
}

fn offset(options: &Options) -> Result<Option<i64>, Failure> {
    match options.get("offset") {
        None if options.has("partition") && options.has("from-beginning") => Ok(Some(EARLIEST)),
        None => Ok(Some(LATEST)),
        Some("earliest") => Ok(Some(EARLIEST)),
        Some("latest") => Ok(Some(LATEST)),
        Some(text) => match text.parse() {
            Ok(offset) if offset >= 0 => Ok(Some(offset)),
            _ => refuse(&format!(
                "The provided offset value '{text}' is incorrect. Valid values are 'earliest', 'latest', or a \
                 non-negative long."
            )),
        },
    }
}

fn formatter(options: &Options, terminal: &mut Terminal<'_>) -> Result<Formatter, Failure> {
    let property = newer_or_older(
        options,
        "formatter-property",
        "property",
        "Options --property and --formatter-property cannot be specified together.",
    )?;
    if options.has("property") {
        terminal.say(&deprecated("property", "formatter-property"))?;
    }
    let mut properties = Properties::read(options.get("formatter-config"), options.all(property))?;
    for (option, key) in
        [("key-deserializer", "key.deserializer"), ("value-deserializer", "value.deserializer")]
    {
        if let Some(class) = options.get(option).filter(|class| !class.is_empty()) {
            properties.set(key, class);
        }
    }
    let class = options.get("formatter").unwrap_or(DEFAULT_CLASS);
    let Some((formatter, missing)) = Formatter::of(class, &properties) else {
        // What Kafka says where it cannot load a class.
        return refuse(class);
    };
    for key in missing {
        let class = properties.get(&key).unwrap_or_default();
        let message = format!("Unable to instantiate a deserializer from {key}");
        terminal.log("ERROR", &message, DEFAULT_CLASS)?;
        writeln!(terminal.err, "java.lang.ClassNotFoundException: {class}")?;
    }
    Ok(formatter)
}

fn reset(options: &Options, properties: &Properties) -> Result<Reset, Failure> {
    let is_first = options.has("from-beginning");
    match properties.get("auto.offset.reset") {
        None if is_first => Ok(Reset::To(EARLIEST)),
        None | Some("latest") if !is_first => Ok(Reset::To(LATEST)),
        Some("earliest") => Ok(Reset::To(EARLIEST)),
        Some("none") if !is_first => Ok(Reset::Refuse),
        Some(other) if is_first => {
            let message = format!(
                "Can't simultaneously specify --from-beginning and 'auto.offset.reset={other}', please remove one option"
            );
            Err(Failure::Sentence(message, 1))
        }
        other => {
            let other = other.unwrap_or_default();
            let message = format!(
                "Invalid value {other} for configuration auto.offset.reset: this command knows 'earliest', 'latest' and \
                 'none'"
            );
            Err(Exception::new("org.apache.kafka.common.config.ConfigException", message).into())
        }
    }
}

fn membership(
    group: String,
    options: &Options,
    properties: &Properties,
) -> Result<MembershipSettings, Failure> {
    let ms = |key: &str, default: u64| {
        Ok::<_, Exception>(Duration::from_millis(properties.number(key, "INT")?.unwrap_or(default)))
    };
    // A group that no option names commits only when it is told to.
    let default = if options.has("group") || properties.get("group.id").is_some() { "true" } else { "false" };
    let commits = properties.get("enable.auto.commit").unwrap_or(default) == "true";
    Ok(MembershipSettings {
        group,
        protocol: group_protocol(properties)?,
        instance: properties.get("group.instance.id").map(str::to_owned),
        session_timeout_ms: properties.number("session.timeout.ms", "INT")?.unwrap_or(45_000),
        rebalance_timeout_ms: properties.number("max.poll.interval.ms", "INT")?.unwrap_or(300_000),
        heartbeat_interval: ms("heartbeat.interval.ms", 3_000)?,
        commit_interval: commits.then_some(ms("auto.commit.interval.ms", 5_000)?),
    })
}

/// Properties of the classic protocol mean nothing in the newer one, and Kafka refuses them there.
fn group_protocol(properties: &Properties) -> Result<Protocol, Exception> {
    let wrong = |message| Exception::new("org.apache.kafka.common.config.ConfigException", message);
    match properties.get("group.protocol").unwrap_or("classic").to_ascii_lowercase().as_str() {
        "classic" => Ok(Protocol::Classic),
        "consumer" => {
            let of_classic = ["partition.assignment.strategy", "heartbeat.interval.ms", "session.timeout.ms"];
            let given: Vec<&str> = of_classic
                .into_iter()
                .filter(|key| properties.get(key).is_some_and(|v| !v.is_empty()))
                .collect();
            if !given.is_empty() {
                let given = given.join(", ");
                return Err(wrong(format!("{given} cannot be set when group.protocol=CONSUMER")));
            }
            Ok(Protocol::Consumer(properties.get("group.remote.assignor").map(str::to_owned)))
        }
        other => Err(wrong(format!(
            "Invalid value {other} for configuration group.protocol: String must be one of (case insensitive): \
             CLASSIC, CONSUMER"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(line: &str) -> Result<Plan, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let options = Options::parse(OPTIONS, &words).expect("a good line");
        let (mut out, mut err) = (Vec::new(), Vec::new());
        plan(&options, &mut Terminal { out: &mut out, err: &mut err }).map_err(|failure| match failure {
            Failure::Usage(text) | Failure::Sentence(text, _) => text,
            Failure::Kafka(exception) => exception.to_string(),
            Failure::Exit(code) => code.to_string(),
        })
    }

    #[test]
    fn a_command_line_must_make_sense() {
        for (line, told) in [
            ("--topic t", "Missing required argument \"[bootstrap-server]\""),
            (
                "--bootstrap-server b:1",
                "Exactly one of the following arguments is required: [topic], [include]",
            ),
            (
                "--bootstrap-server b:1 --include t --partition 0",
                "The topic is required when partition is specified.",
            ),
            (
                "--bootstrap-server b:1 --topic t --offset 3",
                "The partition is required when offset is specified.",
            ),
            (
                "--bootstrap-server b:1 --topic t --partition 0 --group g",
                "Options group and partition cannot be specified together.",
            ),
            (
                "--bootstrap-server b:1 --topic t --partition 0 --offset x",
                "The provided offset value 'x' is incorrect. Valid values are 'earliest', 'latest', or a non-negative long.",
            ),
            ("--bootstrap-server b:1 --topic t --formatter nope", "nope"),
            (
                "--bootstrap-server b:1 --topic t --partition a",
                "joptsimple.OptionArgumentConversionException: Cannot parse argument 'a' of option partition",
            ),
            (
                "--bootstrap-server b:1 --topic t --from-beginning --command-property auto.offset.reset=latest",
                "Can't simultaneously specify --from-beginning and 'auto.offset.reset=latest', please remove one option",
            ),
        ] {
            assert_eq!(planned(line).err().as_deref(), Some(told), "{line}");
        }
    }

    #[test]
    fn a_plan_has_kafka_s_defaults() {
        let plan = |line: &str| {
            planned(&format!("--bootstrap-server b:1 --topic t {line}")).unwrap_or_else(|bad| panic!("{bad}"))
        };
        let plain = plan("");
        assert_eq!(plain.reset, Reset::To(LATEST));
        assert!(plain.membership.is_none() && plain.says_new_protocol && !plain.is_read_committed);
        assert_eq!(plan("--from-beginning").reset, Reset::To(EARLIEST));
        assert_eq!(plan("--partition 1 --offset 5").reset, Reset::To(5));
        assert_eq!(plan("--partition 1 --from-beginning").reset, Reset::To(EARLIEST));
        let member = plan("--group g --timeout-ms 7").membership.expect("a member");
        assert_eq!((member.group.as_str(), member.session_timeout_ms), ("g", 45_000));
        assert_eq!(member.commit_interval, Some(Duration::from_secs(5)));
        assert_eq!(member.protocol, Protocol::Classic);
        let newer = "--group g --command-property group.protocol=Consumer";
        assert_eq!(plan(newer).membership.expect("a member").protocol, Protocol::Consumer(None));
        let refused = planned(&format!(
            "--bootstrap-server b:1 --topic t {newer} --command-property session.timeout.ms=7"
        ));
        let why = "session.timeout.ms cannot be set when group.protocol=CONSUMER";
        assert!(refused.err().is_some_and(|text| text.ends_with(why)));
        let silent = plan("--group g --command-property enable.auto.commit=false").membership;
        assert_eq!(silent.expect("a member").commit_interval, None);
    }
}
