//! Plays the scripts against Apache Kafka and against this broker: records the one, compares the other.
//! shell: arguments in, a report out.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ottla_compat::broker::{Broker as _, BrokerOptions};
use ottla_compat::reference::{KafkaServer, libs_dir};
use ottla_protocol_tests::Outcome;
use ottla_protocol_tests::broker::{Broker, SETTINGS};
use ottla_protocol_tests::oracle::{Library, Report};
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
            let mut server = None;
            let address = address_of_kafka(kafka, &mut server)?;
            let count = library.record(&address, &prefix)?;
            println!("{count} exchanges recorded");
            Ok(true)
        }
        Task::Check { against, live_kafka, prefix } => {
            let mut server = None;
            let mut ottla = None;
            let address = match against {
                None if !live_kafka => ottla.insert(Broker::start(&[])?).bootstrap.clone(),
                against => address_of_kafka(against, &mut server)?,
            };
            let report = library.check(&address, &prefix)?;
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

fn address_of_kafka(given: Option<String>, server: &mut Option<KafkaServer>) -> Outcome<String> {
    match given {
        Some(address) => Ok(address),
        None => {
            let started =
                KafkaServer::start(&BrokerOptions::with(&SETTINGS)).map_err(|error| error.to_string())?;
            Ok(server.insert(started).bootstrap().to_owned())
        }
    }
}

fn print_report(report: &Report) {
    for line in report.lines() {
        println!("{line}");
    }
}
