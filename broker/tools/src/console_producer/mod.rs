//! `kafka-console-producer`: the lines of the standard input as records of a topic.
//! Shell: a thread reads, this one sends; `reader` says what a line means, `partitioner` where it goes.

mod partitioner;
mod reader;
mod sender;

use std::io::{BufRead, IsTerminal};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use ottla_records::{Codec, CompressionType};

use self::reader::{LineReader, split_line};
use self::sender::{Sender, SenderSettings};
use crate::client::{Client, ClientSettings};
use crate::command::{self, Line, required};
use crate::error::{Exception, Failure};
use crate::options::{Known, Options, flag, value};
use crate::properties::{Properties, newer_or_older};
use crate::terminal::Terminal;

const OPTIONS: &[Known] = &[
    value("bootstrap-server", "REQUIRED: the brokers to connect to: host:port, several between commas."),
    value("topic", "REQUIRED: the topic to produce to."),
    value("batch-size", "Bytes that a batch of a partition may have (batch.size). Default: 16384."),
    value("command-config", "A properties file for the producer."),
    value("command-property", "A property of the producer, as key=value. May be repeated."),
    Known {
        is_value_optional: true,
        ..flag("compression-codec", "none, gzip, snappy, lz4 or zstd; without a value gzip.")
    },
    value("line-reader", "The class that reads lines; only Kafka's own is there."),
    value("max-block-ms", "How long to wait for the topic to be there. Default: 60000."),
    value("max-memory-bytes", "Accepted: what waits here is never more than a few batches."),
    value("max-partition-memory-bytes", "(DEPRECATED) What --batch-size says."),
    value("message-send-max-retries", "How often a batch is sent again. Default: 3."),
    value("metadata-expiry-ms", "Accepted: leaders are asked for when they change."),
    value("producer-property", "(DEPRECATED) What --command-property says."),
    value("producer.config", "(DEPRECATED) What --command-config says."),
    value("property", "(DEPRECATED) What --reader-property says."),
    value("reader-config", "A properties file for the reader of lines."),
    value(
        "reader-property",
        "parse.key, parse.headers, ignore.error, key.separator, headers.delimiter, headers.separator, \
         headers.key.separator or null.marker, as key=value. May be repeated.",
    ),
    value("request-required-acks", "0, 1 or all (-1). Default: -1."),
    value("request-timeout-ms", "How long an answer may take. Default: 1500."),
    value("retry-backoff-ms", "How long to wait before a batch is sent again. Default: 100."),
    value("socket-buffer-size", "Accepted: the system's own size is used."),
    flag("sync", "Wait for each record's answer before the next is read."),
    value("timeout", "How long a record may wait for others (linger.ms). Default: 1000."),
    flag("help", "Show this."),
    flag("version", "Show the version."),
];

pub const LINE: Line = Line {
    about: "This tool helps to read data from standard input and publish it to Kafka.",
    options: OPTIONS,
    run,
};

const READER: &str = "org.apache.kafka.tools.LineMessageReader";
/// Lines that may be read ahead.
const AHEAD_MAX: usize = 4096;

fn run(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let plan = plan(options, terminal)?;
    match plan.and_then(|plan| produce(plan, options, terminal)) {
        // `ConsoleProducer.start` prints what is thrown, without a word about the thread.
        Err(Failure::Kafka(exception)) => Err(Failure::Sentence(exception.to_string(), 1)),
        other => other,
    }
}

struct Plan {
    client: Client,
    settings: SenderSettings,
    reader: LineReader,
    linger: Duration,
}

/// The outer error is a wrong command line, the inner one what Kafka's producer throws.
fn plan(options: &Options, terminal: &mut Terminal<'_>) -> Result<Result<Plan, Failure>, Failure> {
    required(options, "topic")?;
    let either = |newer: &'static str, older: &'static str| {
        let (first, second) = if newer == "command-config" || newer == "command-property" {
            (newer, older)
        } else {
            ("reader-property", "property")
        };
        let refusal = format!("Options --{first} and --{second} cannot be specified together.");
        newer_or_older(options, newer, older, &refusal)
    };
    let config = either("command-config", "producer.config")?;
    let property = either("command-property", "producer-property")?;
    let reading = either("reader-property", "property")?;
    for (older, newer) in [
        ("producer-property", "command-property"),
        ("producer.config", "command-config"),
        ("property", "reader-property"),
    ] {
        if options.has(older) {
            terminal.say(&format!(
                "Warning: --{older} is deprecated and will be removed in a future version. Use --{newer} instead."
            ))?;
        }
    }
    if options.has("max-partition-memory-bytes") {
        terminal.say(
            "Warning: --max-partition-memory-bytes is deprecated and will be removed in Apache Kafka 5.0. Use \
             --batch-size instead.",
        )?;
    }
    let Some(address) = options.get("bootstrap-server") else {
        return Err(Failure::Usage("Error while validating the bootstrap address\n".to_owned()));
    };
    if Client::new(address, ClientSettings::default()).is_err() {
        let message = "Please provide valid host:port like host1:9091,host2:9092\n ";
        return Err(Failure::Usage(message.to_owned()));
    }
    Ok(prepare(options, address, options.get(config), property, reading))
}

fn prepare(
    options: &Options,
    address: &str,
    config: Option<&str>,
    property: &str,
    reading: &str,
) -> Result<Plan, Failure> {
    let class = options.get("line-reader").unwrap_or(READER);
    if class != READER {
        return Err(Exception::new("java.lang.ClassNotFoundException", class).into());
    }
    let reader = Properties::read(options.get("reader-config"), options.all(reading))?;
    let reader = LineReader::new(&reader)?;
    let mut properties = Properties::read(config, options.all(property))?;
    let codec = match options.get("compression-codec") {
        None => "none",
        Some("") => "gzip",
        Some(codec) => codec,
    };
    properties.set("compression.type", codec);
    for (key, option, default) in [
        ("linger.ms", "timeout", "1000"),
        ("acks", "request-required-acks", "-1"),
        ("request.timeout.ms", "request-timeout-ms", "1500"),
        ("retries", "message-send-max-retries", "3"),
        ("retry.backoff.ms", "retry-backoff-ms", "100"),
        ("batch.size", "batch-size", "16384"),
        ("batch.size", "max-partition-memory-bytes", "16384"),
        ("max.block.ms", "max-block-ms", "60000"),
    ] {
        properties.merge(key, options, option, default);
    }
    let acks = match properties.one_of("acks", &["all", "-1", "0", "1"])? {
        "0" => 0,
        "1" => 1,
        _ => -1,
    };
    let codec = match properties.one_of("compression.type", &["none", "gzip", "snappy", "lz4", "zstd"])? {
        "gzip" => CompressionType::Gzip,
        "snappy" => CompressionType::Snappy,
        "lz4" => CompressionType::Lz4,
        "zstd" => CompressionType::Zstd,
        _ => CompressionType::None,
    };
    if properties.get("transactional.id").is_some() {
        let message = "transactional.id: this command begins no transaction";
        return Err(Exception::new("java.lang.IllegalStateException", message).into());
    }
    let ms =
        |key: &str| Ok::<_, Exception>(Duration::from_millis(properties.number(key, "LONG")?.unwrap_or(0)));
    let request_timeout_ms: i32 = properties.number("request.timeout.ms", "INT")?.unwrap_or(1500);
    let retries: u32 = properties.number("retries", "INT")?.unwrap_or(3);
    let settings = SenderSettings {
        acks,
        codec: Codec::default_of(codec),
        batch_bytes: properties.number("batch.size", "INT")?.unwrap_or(16_384),
        request_timeout_ms,
        max_block: ms("max.block.ms")?,
        retries,
        backoff: ms("retry.backoff.ms")?,
        is_idempotent: acks == -1 && retries > 0 && properties.get("enable.idempotence") != Some("false"),
        is_sync: options.has("sync"),
    };
    let mut client = ClientSettings {
        client_id: "console-producer".to_owned(),
        kind: "Producer",
        ..ClientSettings::default()
    };
    for (key, value) in properties.all() {
        command::apply(&mut client, key, value)?;
    }
    client.api_timeout = settings.max_block;
    let client = Client::new(address, client)?;
    Ok(Plan { client, settings, reader, linger: ms("linger.ms")? })
}

fn produce(plan: Plan, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let Plan { client, settings, mut reader, linger } = plan;
    let topic = options.get("topic").unwrap_or_default();
    let mut sender = Sender::new(client, topic, settings);
    let has_prompt = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let lines = read_ahead()?;
    let mut is_asked = false;
    loop {
        if has_prompt && !is_asked {
            write!(terminal.out, ">")?;
            terminal.out.flush()?;
            is_asked = true;
        }
        let next = match sender.since() {
            None => lines.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(since) => lines.recv_timeout(linger.saturating_sub(since.elapsed())),
        };
        match next {
            Ok(line) => {
                is_asked = false;
                for line in split_line(&line?) {
                    match reader.read(line) {
                        Ok(record) => sender.add(terminal, &record)?,
                        Err(exception) => {
                            sender.flush(terminal)?;
                            return Err(exception.into());
                        }
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => sender.flush(terminal)?,
            Err(RecvTimeoutError::Disconnected) => return sender.flush(terminal),
        }
    }
}

/// The lines of the standard input, read by a thread of their own: who types slowly delays nothing.
fn read_ahead() -> Result<Receiver<std::io::Result<Vec<u8>>>, Failure> {
    let (send, receive) = sync_channel(AHEAD_MAX);
    std::thread::Builder::new().name("lines".to_owned()).spawn(move || {
        let mut input = std::io::stdin().lock();
        loop {
            let mut line = Vec::new();
            let read = match input.read_until(b'\n', &mut line) {
                Ok(0) => return,
                Ok(_) => Ok(line),
                Err(error) => Err(error),
            };
            let is_over = read.is_err();
            if send.send(read).is_err() || is_over {
                return;
            }
        }
    })?;
    Ok(receive)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(line: &str) -> Result<Plan, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let options = Options::parse(OPTIONS, &words).expect("a good line");
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let planned = plan(&options, &mut Terminal { out: &mut out, err: &mut err });
        planned.and_then(|plan| plan).map_err(|failure| match failure {
            Failure::Usage(text) | Failure::Sentence(text, _) => text,
            Failure::Kafka(exception) => exception.to_string(),
            Failure::Exit(code) => code.to_string(),
        })
    }

    #[test]
    fn a_command_line_must_make_sense() {
        let refused = |line: &str| prepared(line).err().unwrap_or_default();
        assert_eq!(refused("--bootstrap-server b:1"), "Missing required argument \"[topic]\"");
        assert_eq!(refused("--topic t"), "Error while validating the bootstrap address\n");
        assert!(refused("--topic t --bootstrap-server b").starts_with("Please provide valid host:port"));
        let both = refused("--topic t --bootstrap-server b:1 --property a=b --reader-property c=d");
        assert_eq!(both, "Options --reader-property and --property cannot be specified together.");
        assert_eq!(
            refused("--topic t --bootstrap-server b:1 --request-required-acks many"),
            "org.apache.kafka.common.config.ConfigException: Invalid value many for configuration acks: String must be \
             one of: all, -1, 0, 1"
        );
    }

    #[test]
    fn an_option_has_kafka_s_default() {
        let plan = prepared("--topic t --bootstrap-server b:1 --compression-codec")
            .unwrap_or_else(|bad| panic!("{bad}"));
        assert_eq!((plan.settings.acks, plan.settings.batch_bytes), (-1, 16_384));
        assert_eq!(plan.settings.codec.compression_type(), CompressionType::Gzip);
        assert!(plan.settings.is_idempotent && plan.linger == Duration::from_secs(1));
        let plan = prepared("--topic t --bootstrap-server b:1 --request-required-acks 1")
            .unwrap_or_else(|bad| panic!("{bad}"));
        assert!(!plan.settings.is_idempotent);
    }
}
