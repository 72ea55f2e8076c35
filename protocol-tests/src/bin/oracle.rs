//! Plays the scripts against Apache Kafka and against this broker: records the one, compares the other.
//! Shell: arguments in, a report out.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ottla_compat::broker::{Broker as _, BrokerOptions};
use ottla_compat::reference::{KafkaServer, libs_dir};
use ottla_protocol_tests::Outcome;
use ottla_protocol_tests::broker::{SETTINGS, Started};
use ottla_protocol_tests::oracle::{Library, Report, SIDE_BY_SIDE};
use ottla_protocol_tests::{runner, schema_source};

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

fn print_report(report: &Report) {
    for line in report.lines() {
        println!("{line}");
    }
}
