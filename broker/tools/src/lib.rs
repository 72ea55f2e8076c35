//! Kafka's commands without a JVM: the names, options, output and exit codes of Apache Kafka's `bin/*.sh`.
//! Shell: what a command line means and how a command ends; each command has a file of its own, named as it is.
//!
//! Reading order: `options` (a command line), `error` (what goes wrong, in Kafka's words), `connection` and
//! `client` (which block), `command` (what all commands share), `admin` (questions that several ask), then the commands.
//!
//! They are programs beside the broker, not a part of it: no core of the broker stands on this room, and it may
//! block, sleep and read the clock, since nothing else happens in its process
//! (docs/decisions/0026-the-commands-have-a-blocking-client.md).

mod acls;
mod admin;
mod balance;
mod broker_api_versions;
mod client;
mod cluster;
mod command;
mod configs;
mod connection;
mod console_consumer;
mod console_producer;
mod consumer_groups;
mod decommission;
mod delete_records;
mod dump_log;
mod error;
mod features;
mod get_offsets;
mod group_lists;
mod groups;
mod leader_election;
mod log_dirs;
mod login;
mod metadata_quorum;
mod moving;
mod offset_reset;
mod options;
mod partitions_file;
mod people;
mod properties;
mod quorum_voters;
mod reassign;
mod share_groups;
mod storage;
mod streams_groups;
mod table;
mod terminal;
mod times;
mod topics;
mod transactions;

use std::io::{BufWriter, Write};
use std::process::ExitCode;

use crate::command::{Action, Actions, Line, Shape};
use crate::error::Failure;
use crate::options::{BadOption, Known, Options, usage};
use crate::terminal::Terminal;

/// The release of Apache Kafka whose commands these are.
const KAFKA_VERSION: &str = "4.3.1";

/// A command that is made.
pub struct Command {
    pub name: &'static str,
    shape: Shape,
}

const COMMANDS: &[Command] = &[
    Command { name: "kafka-acls", shape: Shape::Line(acls::LINE) },
    Command { name: "kafka-broker-api-versions", shape: Shape::Line(broker_api_versions::LINE) },
    Command { name: "kafka-cluster", shape: Shape::Actions(cluster::ACTIONS) },
    Command { name: "kafka-configs", shape: Shape::Line(configs::LINE) },
    Command { name: "kafka-console-consumer", shape: Shape::Line(console_consumer::LINE) },
    Command { name: "kafka-console-producer", shape: Shape::Line(console_producer::LINE) },
    Command { name: "kafka-consumer-groups", shape: Shape::Line(consumer_groups::LINE) },
    Command { name: "kafka-delete-records", shape: Shape::Line(delete_records::LINE) },
    Command { name: "kafka-dump-log", shape: Shape::Line(dump_log::LINE) },
    Command { name: "kafka-features", shape: Shape::Actions(features::ACTIONS) },
    Command { name: "kafka-get-offsets", shape: Shape::Line(get_offsets::LINE) },
    Command { name: "kafka-groups", shape: Shape::Line(groups::LINE) },
    Command { name: "kafka-leader-election", shape: Shape::Line(leader_election::LINE) },
    Command { name: "kafka-log-dirs", shape: Shape::Line(log_dirs::LINE) },
    Command { name: "kafka-metadata-quorum", shape: Shape::Actions(metadata_quorum::ACTIONS) },
    Command { name: "kafka-reassign-partitions", shape: Shape::Line(reassign::LINE) },
    Command { name: "kafka-share-groups", shape: Shape::Line(share_groups::LINE) },
    Command { name: "kafka-storage", shape: Shape::Actions(storage::ACTIONS) },
    Command { name: "kafka-streams-groups", shape: Shape::Line(streams_groups::LINE) },
    Command { name: "kafka-topics", shape: Shape::Line(topics::LINE) },
    Command { name: "kafka-transactions", shape: Shape::Actions(transactions::ACTIONS) },
];

/// What Kafka has no command for: `ottla decommission` and `ottla balance`.
const OWN: &[Command] = &[
    Command { name: "balance", shape: Shape::Line(balance::LINE) },
    Command { name: "decommission", shape: Shape::Line(decommission::LINE) },
];

/// The names of all commands that are made.
pub fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|command| command.name)
}

/// Runs `ottla topic`, `group`, `produce`, `consume`, `balance` or `decommission`, if the first word is one of them.
pub fn run_short(words: &[String]) -> Option<ExitCode> {
    let (name, arguments) = words.split_first()?;
    let brokers = std::env::var("OTTLA_BROKERS").ok();
    if let Some(own) = OWN.iter().find(|own| own.name == name) {
        return Some(own.run(&people::with_brokers(arguments, brokers.as_deref())));
    }
    let short = people::SHORTS.iter().find(|short| short.name == name)?;
    match short.meant(arguments, brokers.as_deref()) {
        people::Meant::Line(command, line) => {
            let command = find(command);
            assert!(command.is_some(), "a short form stands for a command that is there");
            Some(command?.run(&line))
        }
        people::Meant::Text(text, is_asked) => {
            let written = match is_asked {
                true => std::io::stdout().write_all(text.as_bytes()),
                false => std::io::stderr().write_all(text.as_bytes()),
            };
            // Whoever reads has seen enough: no error of ours.
            let _ = written;
            Some(ExitCode::from(u8::from(!is_asked)))
        }
    }
}

/// The command of this name, with or without `.sh`, wherever the program lies.
pub fn find(program: &str) -> Option<&'static Command> {
    let name = program.rsplit('/').next()?;
    let name = name.strip_suffix(".sh").unwrap_or(name);
    COMMANDS.iter().find(|command| command.name == name)
}

impl Command {
    /// Runs the command over the standard streams; returns what the process ends with.
    pub fn run(&self, arguments: &[String]) -> ExitCode {
        let stdout = std::io::stdout();
        let mut out = BufWriter::new(stdout.lock());
        let mut err = std::io::stderr();
        let code = {
            let mut terminal = Terminal { out: &mut out, err: &mut err };
            self.run_on(arguments, &mut terminal)
        };
        // Whoever reads has seen enough: no error of ours.
        let _ = out.flush();
        ExitCode::from(u8::try_from(code).unwrap_or(1))
    }

    fn run_on(&self, arguments: &[String], terminal: &mut Terminal<'_>) -> i32 {
        let outcome = match &self.shape {
            Shape::Line(line) => run_line(line, arguments, terminal),
            Shape::Actions(actions) => run_actions(actions, arguments, terminal),
        };
        // Who sees both streams in one sees them in the order in which they were written.
        let _ = terminal.out.flush();
        let said = match outcome {
            Ok(()) => return 0,
            Err(Failure::Exit(code)) => return code,
            Err(Failure::Sentence(sentence, code)) => {
                let said = writeln!(terminal.err, "{sentence}");
                return if said.is_ok() { code } else { 1 };
            }
            Err(Failure::Kafka(exception)) => {
                writeln!(terminal.err, "Exception in thread \"main\" {exception}")
            }
            Err(Failure::Usage(message)) => write!(terminal.err, "{}", self.refusal(&message, arguments)),
        };
        // There is nobody left to tell.
        let _ = said;
        1
    }

    /// What a wrong command line is told.
    fn refusal(&self, message: &str, arguments: &[String]) -> String {
        match &self.shape {
            Shape::Line(line) => format!("{message}\n{}", usage(line.options)),
            Shape::Actions(actions) => {
                let action = arguments.iter().find_map(|name| action(actions, name));
                match actions.is_terse {
                    true => format!("Command line error: {message}. Type --help for help.\n"),
                    false => {
                        format!("{}\n{}: error: {message}\n", actions_usage(actions, action), actions.name)
                    }
                }
            }
        }
    }
}

fn run_line(line: &Line, arguments: &[String], terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let options = Options::parse(line.options, arguments).map_err(unreadable)?;
    if options.has("version") {
        return Ok(terminal.say(KAFKA_VERSION)?);
    }
    if arguments.is_empty() || options.has("help") {
        write!(terminal.err, "{}\n{}", line.about, usage(line.options))?;
        return Err(Failure::Exit(if arguments.is_empty() { 1 } else { 0 }));
    }
    (line.run)(&options, terminal)
}

fn unreadable(error: BadOption) -> Failure {
    Failure::Usage(error.to_string())
}

fn action<'a>(actions: &'a Actions, name: &str) -> Option<&'a Action> {
    actions.actions.iter().find(|action| action.name == name)
}

/// Where the action stands: behind the options that all actions have.
fn action_at(globals: &[Known], arguments: &[String]) -> usize {
    let mut at = 0;
    while let Some(name) = arguments.get(at).and_then(|argument| argument.strip_prefix("--")) {
        match globals.iter().find(|known| known.name == name) {
            Some(known) => at += 1 + usize::from(known.takes_value),
            None if name.contains('=') => at += 1,
            None => break,
        }
    }
    at
}

fn run_actions(actions: &Actions, arguments: &[String], terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let (before, behind) = arguments.split_at(action_at(actions.globals, arguments).min(arguments.len()));
    let Some((name, rest)) = behind.split_first() else {
        return Err(Failure::Usage("too few arguments".to_owned()));
    };
    let rest: Vec<String> = before.iter().chain(rest).cloned().collect();
    if ["--help", "-h"].contains(&name.as_str()) {
        return Ok(terminal.say(&actions_usage(actions, None))?);
    }
    let Some(action) = action(actions, name) else {
        let names: Vec<String> = actions.actions.iter().map(|action| format!("'{}'", action.name)).collect();
        return Err(Failure::Usage(format!("invalid choice: '{name}' (choose from {})", names.join(", "))));
    };
    let known: Vec<Known> = actions.globals.iter().chain(action.options).copied().collect();
    let options = Options::parse(&known, &rest).map_err(|error| match error {
        BadOption::Unknown(name) => Failure::Usage(format!("unrecognized arguments: '--{name}'")),
        other => unreadable(other),
    })?;
    if options.has("help") {
        terminal.say(&actions_usage(actions, Some(action)))?;
        return Ok(write!(terminal.out, "{}", usage(action.options))?);
    }
    (action.run)(&options, terminal)
}

fn actions_usage(actions: &Actions, action: Option<&Action>) -> String {
    match action {
        Some(action) => format!("usage: {} {} [-h] [options]", actions.name, action.name),
        None => {
            let names: Vec<&str> = actions.actions.iter().map(|action| action.name).collect();
            format!("usage: {} [-h] {{{}}} ...", actions.name, names.join(","))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, line: &str) -> (i32, String, String) {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut terminal = Terminal { out: &mut out, err: &mut err };
        let code = find(name)
            .or(OWN.iter().find(|own| own.name == name))
            .expect("a command")
            .run_on(&arguments, &mut terminal);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (code, text(out), text(err))
    }

    #[test]
    fn a_command_is_found_by_its_name_alone() {
        for name in ["kafka-topics", "kafka-topics.sh", "/opt/kafka/bin/kafka-topics.sh"] {
            assert_eq!(find(name).map(|command| command.name), Some("kafka-topics"), "{name}");
        }
        for name in ["ottla", "kafka-", "topics", "kafka-topics.bat"] {
            assert!(find(name).is_none(), "{name}");
        }
    }

    #[test]
    fn a_wrong_line_ends_with_one_and_says_what_would_be_right() {
        let (code, out, err) = run("kafka-topics", "--shoe");
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.starts_with("shoe is not a recognized option\n") && err.contains("--bootstrap-server"));
        let (code, _, err) = run("kafka-cluster", "cluster-id");
        assert_eq!(code, 1);
        assert!(err.contains("kafka-cluster: error: one of the arguments --bootstrap-server/-b"), "{err}");
        assert!(
            run("kafka-cluster", "shoe")
                .2
                .contains("(choose from 'cluster-id', 'unregister', 'list-endpoints')")
        );
        assert!(run("kafka-cluster", "").2.contains("too few arguments"));
    }

    #[test]
    fn help_and_version_are_no_errors() {
        assert_eq!(run("kafka-topics", "--version"), (0, "4.3.1\n".to_owned(), String::new()));
        assert_eq!(run("kafka-topics", "--help").0, 0);
        assert_eq!(run("kafka-topics", "").0, 1);
        assert_eq!(run("kafka-storage", "format --help").0, 0);
    }

    #[test]
    fn options_of_all_actions_stand_before_the_action() {
        let (code, _, err) = run("kafka-features", "--bootstrap-server b:1 upgrade");
        assert_eq!((code, err.as_str()), (1, "You must specify at least one feature to upgrade\n"));
        let (code, _, err) = run("kafka-features", "describe");
        assert_eq!(code, 1);
        assert!(
            err.starts_with("Command line error: You must specify either --bootstrap-controller"),
            "{err}"
        );
        let (_, _, err) = run("kafka-metadata-quorum", "--bootstrap-server b:1 describe");
        assert_eq!(err, "One of --status or --replication must be specified with describe sub-command\n");
        let (_, _, err) = run("kafka-transactions", "--bootstrap-server b:1 find-hanging");
        assert!(
            err.starts_with("The `find-hanging` command requires either --topic or --broker-id"),
            "{err}"
        );
    }

    #[test]
    fn a_random_id_is_one_of_kafka_s() {
        let (code, out, _) = run("kafka-storage", "random-uuid");
        assert_eq!(code, 0);
        assert!(ottla_model::TopicId::parse(out.trim()).is_some(), "{out}");
        assert_ne!(out, run("kafka-storage", "random-uuid").1);
    }
}
