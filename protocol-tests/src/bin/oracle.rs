//! Plays the scripts against Apache Kafka and against this broker: records the one, compares the other.
//! Shell: arguments in, a report out.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ottla_compat::broker::{Broker as _, BrokerOptions};
use ottla_compat::ports::free_ports;
use ottla_compat::reference::{KafkaServer, libs_dir};
use ottla_protocol_tests::Outcome;
use ottla_protocol_tests::asked::asked_of_kafka;
use ottla_protocol_tests::broker::{SETTINGS, Started};
use ottla_protocol_tests::oracle::{Library, Report, SIDE_BY_SIDE};
use ottla_protocol_tests::{refusals, runner, schema_source};

/// The same raw requests to two brokers, the answers compared field by field.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Read Kafka's message definitions again and write schemas.json.
    Schemas {
        /// The kafka-clients jar; the one that `cargo compat` fetches when not given.
        jar: Option<PathBuf>,
    },
    /// Play the scripts against Apache Kafka 4.3.1 and write its answers to scripts/recorded.
    Record {
        /// A Kafka that runs already, fresh and with the settings of the scripts.
        #[arg(long)]
        kafka: Option<String>,
        /// Only the scripts whose name begins so.
        #[arg(default_value = "")]
        prefix: String,
    },
    /// Play the scripts against a broker and compare with the recorded answers.
    Check {
        /// A broker that runs already; otherwise `ottla` is built and started.
        #[arg(long, conflicts_with = "live_kafka")]
        against: Option<String>,
        /// Start Apache Kafka and hold it against its own record.
        #[arg(long)]
        live_kafka: bool,
        #[arg(default_value = "")]
        prefix: String,
    },
    /// Ask Apache Kafka 4.3.1 everything as somebody who may do nothing, and write what its authorizer was asked to
    /// tests/operations.txt.
    Operations,
    /// Play one script against a broker and print what it says.
    Show { address: String, prefix: String },
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Outcome<bool> {
    let library = Library::open();
    match task {
        Task::Schemas { jar } => {
            let jar = match jar {
                Some(jar) => jar,
                None => libs_dir().map_err(|error| error.to_string())?.join("kafka-clients-4.3.1.jar"),
            };
            let bytes = std::fs::read(&jar).map_err(|error| format!("{}: {error}", jar.display()))?;
            library.write("schemas.json", &schema_source::schemas_text(&bytes)?)?;
            Ok(true)
        }
        Task::Record { kafka, prefix } => {
            let mut servers = KafkaServers { given: kafka, ..KafkaServers::default() };
            let count = library.record(&mut |settings| servers.address(settings), &prefix)?;
            println!("{count} exchanges recorded");
            Ok(true)
        }
        Task::Check { against, live_kafka, prefix } => {
            let mut ottla = Started::default();
            let mut servers = KafkaServers { given: against, ..KafkaServers::default() };
            let is_other = live_kafka || servers.given.is_some();
            // One broker for all scripts plays them in their order.
            let side_by_side = if servers.given.is_some() { 1 } else { SIDE_BY_SIDE };
            let report = library.check(
                &mut |settings| match is_other {
                    true => servers.address(settings),
                    false => ottla.address(settings),
                },
                side_by_side,
                &prefix,
            )?;
            print_report(&report);
            Ok(report.is_clean())
        }
        Task::Operations => record_operations(&library),
        Task::Show { address, prefix } => {
            for script in library.scripts(&prefix)? {
                for exchange in runner::play(&address, &script.steps)? {
                    println!("{} {}", exchange.ask, exchange.outcome);
                }
            }
            Ok(true)
        }
    }
}

/// Apache Kafka as scripts ask for it: one server for all that ask for nothing, and one for each other.
#[derive(Default)]
struct KafkaServers {
    /// One that runs already: every script is played there.
    given: Option<String>,
    plain: Option<KafkaServer>,
    own: Vec<KafkaServer>,
}

impl KafkaServers {
    fn address(&mut self, settings: &[String]) -> Outcome<String> {
        if let Some(address) = &self.given {
            return Ok(address.clone());
        }
        if let Some(plain) = self.plain.as_ref().filter(|_| settings.is_empty()) {
            return Ok(plain.bootstrap().to_owned());
        }
        let mut options = BrokerOptions::with(&SETTINGS);
        options.overrides.extend(settings.iter().cloned());
        let started = KafkaServer::start(&options).map_err(|error| error.to_string())?;
        let address = started.bootstrap().to_owned();
        match settings.is_empty() {
            true => self.plain = Some(started),
            false => self.own.push(started),
        }
        Ok(address)
    }
}

/// The client is nobody on a plain listener; the node itself comes by a login, so that it may act for the cluster.
fn record_operations(library: &Library) -> Outcome<bool> {
    const MODULE: &str = "org.apache.kafka.common.security.plain.PlainLoginModule required";
    let [port, inside, controller] = free_ports().map_err(|error| error.to_string())?;
    let (plain, inside) = (format!("PLAINTEXT://127.0.0.1:{port}"), format!("INSIDE://127.0.0.1:{inside}"));
    let mut overrides: Vec<String> = SETTINGS.iter().map(|line| (*line).to_owned()).collect();
    overrides.extend([
        format!("listeners={plain},{inside},CONTROLLER://127.0.0.1:{controller}"),
        format!("advertised.listeners={plain},{inside}"),
        format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
    ]);
    let lines = [
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,INSIDE:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
        "inter.broker.listener.name=INSIDE",
        "sasl.enabled.mechanisms=PLAIN",
        "sasl.mechanism.inter.broker.protocol=PLAIN",
        "sasl.mechanism.controller.protocol=PLAIN",
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users=User:node",
    ];
    overrides.extend(lines.map(str::to_owned));
    for listener in ["inside", "controller"] {
        let login = "username=\"node\" password=\"secret\" user_node=\"secret\"";
        overrides.push(format!("listener.name.{listener}.plain.sasl.jaas.config={MODULE} {login};"));
    }
    let environment = vec![("JAVA_TOOL_OPTIONS".to_owned(), "-Dcompat.authorizer.level=trace".to_owned())];
    let options = BrokerOptions { overrides, environment, port: Some(port), ..BrokerOptions::default() };
    let mut kafka = KafkaServer::start(&options).map_err(|error| error.to_string())?;
    let differences = refusals::play(kafka.bootstrap())?;
    kafka.stop().map_err(|error| error.to_string())?;
    let asked = asked_of_kafka(&kafka.last_output(usize::MAX));
    let mut text = OPERATIONS_HEAD.to_owned();
    asked.iter().for_each(|line| text.extend([line, "\n"]));
    library.write("tests/operations.txt", &text)?;
    println!("{} operations recorded", asked.len());
    differences.iter().for_each(|difference| println!("{difference}"));
    Ok(differences.is_empty())
}

const OPERATIONS_HEAD: &str = "\
# What each API asks the authorizer of whoever may do nothing: the API, the operation and the resource that are refused, and
# `quietly` where the refusal only leaves something out. Recorded from Apache Kafka 4.3.1 by `cargo oracle operations`, out of
# the log of its StandardAuthorizer; tests/access.rs holds this broker's audit log against it.
";

fn print_report(report: &Report) {
    for line in report.lines() {
        println!("{line}");
    }
}
