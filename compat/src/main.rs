//! The command line of `cargo compat`: starts brokers, runs foreign clients against them, prints what they said.
//! shell: arguments in, tables out.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand};
use ottla_compat::bench;
use ottla_compat::broker::{Against, Broker as _, BrokerOptions};
use ottla_compat::clients::CLIENTS;
use ottla_compat::crash::{self, Part};
use ottla_compat::failure::{Failure, Outcome};
use ottla_compat::runner::{self, Plan};
use ottla_compat::steps::Amounts;
use ottla_compat::{librdkafka, process, reference};

/// Unmodified Kafka clients and tools against a broker.
#[derive(Parser)]
#[command(name = "cargo compat")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run the reference Apache Kafka in the foreground until SIGINT or SIGTERM; prints one JSON line when it serves.
    Kafka {
        /// The port of its listener; any free one when not given.
        #[arg(long)]
        port: Option<u16>,
        /// Keep the data here instead of in a directory that vanishes.
        #[arg(long)]
        dir: Option<PathBuf>,
        /// A line for its server.properties.
        #[arg(long = "override", value_name = "KEY=VALUE")]
        overrides: Vec<String>,
    },
    /// Play the scenario with every client, or with those named.
    Quick(Selection),
    /// The same with far more records.
    Full(Selection),
    /// Kill the broker under load, damage the tails of its logs, fill its disk.
    Crash(CrashArguments),
    /// Run librdkafka's own test suite, unmodified.
    Librdkafka(LibrdkafkaArguments),
    /// Measure Ottla and Apache Kafka under the same loads, one after the other.
    Bench(BenchArguments),
    /// Name the clients.
    List,
}

#[derive(clap::Args)]
struct Selection {
    /// The broker under test.
    #[arg(long, value_enum, default_value_t = Against::Ottla)]
    against: Against,
    /// A configuration line for the broker.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Clients, as `list` names them; all when none is given.
    names: Vec<String>,
}

#[derive(clap::Args)]
struct LibrdkafkaArguments {
    /// The broker under test.
    #[arg(long, value_enum, default_value_t = Against::Ottla)]
    against: Against,
    /// The librdkafka whose tests are run.
    #[arg(long, value_enum, default_value_t = librdkafka::Version::Newest)]
    version: librdkafka::Version,
    /// Let the tests send fewer messages; some long ones then do nothing.
    #[arg(long)]
    quick: bool,
    /// Write the results into the ledger of that version below compat/ledger.
    #[arg(long)]
    ledger: bool,
    /// A configuration line for the broker.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Numbers of tests; all when none is given, but for those that wait for something in Ottla (and on Kafka for
    /// those that never leave the client).
    tests: Vec<String>,
}

#[derive(clap::Args)]
struct CrashArguments {
    /// The broker under test.
    #[arg(long, value_enum, default_value_t = Against::Ottla)]
    against: Against,
    /// How often it is killed under load.
    #[arg(long, default_value_t = 50)]
    rounds: u32,
    /// How often every kind of damage is done.
    #[arg(long, default_value_t = 5)]
    tail_rounds: u32,
    /// What repeats a run; taken from the clock when not given.
    #[arg(long)]
    seed: Option<u64>,
    /// A configuration line for the broker.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Some parts only; all when none is given.
    #[arg(value_enum)]
    parts: Vec<Part>,
}

#[derive(clap::Args)]
struct BenchArguments {
    /// A second of warm-up and two of load, for errors rather than figures.
    #[arg(long)]
    quick: bool,
    /// How often the order Kafka, Ottla, Ottla, Kafka is gone through.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// One broker alone.
    #[arg(long, value_enum)]
    only: Option<Against>,
    /// Also write the table to this file.
    #[arg(long)]
    write: Option<PathBuf>,
    /// Workloads by name; all when none is given.
    workloads: Vec<String>,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Outcome<ExitCode> {
    match task {
        Task::Kafka { port, dir, overrides } => {
            serve_kafka(&BrokerOptions { dir, port, overrides, ..BrokerOptions::default() })
        }
        Task::Bench(arguments) => bench_brokers(arguments),
        Task::Crash(arguments) => crash_broker(arguments),
        Task::Quick(selection) => run_clients(selection, Amounts::QUICK, librdkafka::Plan::short),
        Task::Full(selection) => run_clients(selection, Amounts::FULL, librdkafka::Plan::whole),
        Task::Librdkafka(arguments) => run_librdkafka(arguments),
        Task::List => {
            for client in CLIENTS {
                println!("{:16} {}", client.name, client.about);
            }
            println!("{:16} librdkafka's own test suite", librdkafka::NAME);
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn serve_kafka(options: &BrokerOptions) -> Outcome<ExitCode> {
    let (asked_to_stop, stop) = mpsc::channel();
    process::on_signal(move || {
        let _ = asked_to_stop.send(());
    })?;
    let mut server = reference::KafkaServer::start(options)?;
    println!("{}", reference::ready_line(&server)?);
    stop.recv().map_err(|_| Failure("the signal thread ended".to_owned()))?;
    server.stop()?;
    Ok(ExitCode::SUCCESS)
}

type SuitePlan = fn(Against, Vec<String>) -> librdkafka::Plan;

fn run_clients(selection: Selection, amounts: Amounts, suite: SuitePlan) -> Outcome<ExitCode> {
    process::end_children_on_signal()?;
    let Selection { against, overrides, mut names } = selection;
    let all = names.is_empty();
    let suite_named = names.iter().any(|name| name == librdkafka::NAME);
    names.retain(|name| name != librdkafka::NAME);
    let mut clean = true;
    if all || !names.is_empty() {
        clean &= runner::run(&Plan { against, names, amounts, overrides: overrides.clone() })?;
    }
    if all || suite_named {
        clean &= librdkafka::run(&suite(against, overrides))?;
    }
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_librdkafka(arguments: LibrdkafkaArguments) -> Outcome<ExitCode> {
    process::end_children_on_signal()?;
    let LibrdkafkaArguments { against, version, quick, ledger, overrides, tests } = arguments;
    let mode = if quick { librdkafka::rows::Mode::Quick } else { librdkafka::rows::Mode::Whole };
    let plan = librdkafka::Plan { against, version, tests, overrides, mode, ledger };
    Ok(if librdkafka::run(&plan)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn bench_brokers(arguments: BenchArguments) -> Outcome<ExitCode> {
    process::end_children_on_signal()?;
    let BenchArguments { quick, rounds, only, write, workloads } = arguments;
    let report = bench::run(&bench::Plan { quick, rounds, only, workloads })?;
    println!("{}", report.text);
    if let Some(path) = write {
        std::fs::write(path, report.text)?;
    }
    for failure in &report.failures {
        eprintln!("error: {failure}");
    }
    Ok(if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn crash_broker(arguments: CrashArguments) -> Outcome<ExitCode> {
    process::end_children_on_signal()?;
    let CrashArguments { against, rounds, tail_rounds, seed, overrides, parts } = arguments;
    let clock_seed = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs());
    let seed = seed.unwrap_or_else(clock_seed);
    let clean = crash::run(&crash::Plan { against, rounds, tail_rounds, seed, parts, overrides })?;
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
