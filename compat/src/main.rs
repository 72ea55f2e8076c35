//! The command line of `cargo compat`: starts brokers, runs foreign clients against them, prints what they said.
//! Shell: arguments in, tables out.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

mod sections;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand};
use ottla_compat::bench::{self, scene::Scale};
use ottla_compat::broker::{Against, Broker as _, BrokerOptions};
use ottla_compat::clients::CLIENTS;
use ottla_compat::crash::{self, Part};
use ottla_compat::failure::{Failure, Outcome};
use ottla_compat::summary::Summary;
use ottla_compat::{
    adopt, chart, cluster, eos, frameworks, go_suites, image, instructions, java, librdkafka, packages,
    process, reference, sasl, tool_texts,
};
use sections::{Selection, end_with_summary};

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
    /// Kill, stop, pause and cut off the nodes of a cluster of three under load; count every record, compare the copies.
    Cluster(ClusterArguments),
    /// Let three nodes become five and three again under load, and see what clients feel of it.
    Moves(MovesArguments),
    /// A broker of Apache Kafka beside two of Ottla under one controller of Ottla, each killed under load.
    Mixed,
    /// Kill the broker under a Kafka Streams application and under transactional copiers; count every record.
    Eos(EosArguments),
    /// Run a job of each framework around Kafka, kill the broker in the middle, count every record.
    Frameworks(FrameworksArguments),
    /// Move a data directory from Apache Kafka to Ottla and back, and compare everything that it holds.
    Adopt(AdoptArguments),
    /// Compare what Apache Kafka's command lines print with what they print of Apache Kafka.
    ToolTexts {
        /// The broker under test.
        #[arg(long, value_enum, default_value_t = Against::Ottla)]
        against: Against,
        /// Ask Apache Kafka anew and write down what they print.
        #[arg(long, conflicts_with = "own")]
        record: bool,
        /// Play Ottla's own commands in the place of Kafka's, where it has them.
        #[arg(long)]
        own: bool,
    },
    /// Build the container image and start it with the modules and scripts of test environments (podman and runc).
    Image,
    /// Render the Helm chart, read it as Kubernetes reads it, and start the nodes of one rendering.
    Chart,
    /// Build the packages for languages, install them with the network off, and run their tests and examples.
    Packages {
        /// python, npm, go or maven; all when none is given.
        names: Vec<String>,
    },
    /// Run librdkafka's own test suite, unmodified.
    Librdkafka(LibrdkafkaArguments),
    /// Run the integration tests that franz-go carries in its module, on several nodes.
    GoSuites {
        /// The broker under test.
        #[arg(long, value_enum, default_value_t = Against::Ottla)]
        against: Against,
        /// Write the results into the ledgers below compat/ledger.
        #[arg(long)]
        ledger: bool,
        /// A configuration line for every node.
        #[arg(long = "override", value_name = "KEY=VALUE")]
        overrides: Vec<String>,
        /// Suites, or single tests as SUITE#TEST; all when none is given.
        names: Vec<String>,
    },
    /// Run Apache Kafka's own Java tests, as published, against brokers in processes of their own.
    Java(JavaArguments),
    /// Measure Ottla and Apache Kafka under the same loads, one after the other.
    Bench(BenchArguments),
    /// Count the instructions that Ottla executes for one request of each kind (needs valgrind).
    Instructions {
        /// Also write the table to this file.
        #[arg(long)]
        write: Option<PathBuf>,
        /// Keep what callgrind wrote in this folder.
        #[arg(long)]
        keep: Option<PathBuf>,
        /// Words that the names of the requests hold; all when none is given.
        names: Vec<String>,
    },
    /// Let clients log in, by each mechanism that they have.
    Sasl {
        /// The broker under test.
        #[arg(long, value_enum, default_value_t = Against::Ottla)]
        against: Against,
        /// Clients, as `list` names them; all that log in when none is given.
        names: Vec<String>,
    },
    /// Name the clients.
    List,
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
struct JavaArguments {
    /// The broker under test.
    #[arg(long, value_enum, default_value_t = Against::Ottla)]
    against: Against,
    /// JVMs at once.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Write the results into the ledgers below compat/ledger.
    #[arg(long)]
    ledger: bool,
    /// Classes, by their names or the ends of their names; or single tests, as CLASS#METHOD. All when none is given, but
    /// for classes of which every test waits for something in Ottla.
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
struct ClusterArguments {
    /// How often every disturbance comes.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// The nodes speak SASL_SSL among themselves, and strangers try to join them.
    #[arg(long)]
    secured: bool,
    /// Only let the controllers change: one joins, one loses its disk, the one that leads is taken out.
    #[arg(long, conflicts_with_all = ["secured", "rounds"])]
    voters: bool,
    /// Only let something be the matter with nodes that live: they are stormed, slow, stand still, and have no room.
    #[arg(long, conflicts_with_all = ["secured", "rounds", "voters"])]
    faults: bool,
    /// A configuration line for every node.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
}

#[derive(clap::Args)]
struct MovesArguments {
    /// That are copied to other nodes; 10,000, or what the disk has room for.
    #[arg(long)]
    megabytes: Option<u64>,
    /// That a node may copy a second.
    #[arg(long, default_value_t = 25)]
    throttle_megabytes: u64,
    /// A configuration line for every node.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
}

#[derive(clap::Args)]
struct EosArguments {
    /// The broker under test.
    #[arg(long, value_enum, default_value_t = Against::Ottla)]
    against: Against,
    /// How often the broker is killed, in each part.
    #[arg(long, default_value_t = 10)]
    kills: u32,
    /// How long a transaction of the Streams application may be.
    #[arg(long, default_value_t = 100)]
    commit_interval_ms: u32,
    /// What repeats the choices of a run; taken from the clock when not given.
    #[arg(long)]
    seed: Option<u64>,
    /// A configuration line for the broker.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Some parts only; all when none is given.
    #[arg(value_enum)]
    parts: Vec<eos::Part>,
}

#[derive(clap::Args)]
struct FrameworksArguments {
    /// The broker under test.
    #[arg(long, value_enum, default_value_t = Against::Ottla)]
    against: Against,
    /// How often the broker is killed under each job.
    #[arg(long, default_value_t = 5)]
    kills: u32,
    /// What repeats the choices of a run; taken from the clock when not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Keep one record from the framework behind a proxy, kill nothing, and see that the job's check notices.
    #[arg(long)]
    lying: bool,
    /// Write the results into compat/ledger/frameworks.toml.
    #[arg(long)]
    ledger: bool,
    /// A configuration line for the broker.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Jobs; all when none is given.
    names: Vec<String>,
}

#[derive(clap::Args)]
struct AdoptArguments {
    /// Records of each codec, and a measure for everything else.
    #[arg(long, default_value_t = adopt::Plan::whole().records)]
    records: u32,
    /// Where the data comes from; both when none is given.
    #[arg(value_enum)]
    parts: Vec<adopt::Part>,
}

#[derive(clap::Args)]
struct BenchArguments {
    /// Short spans, little data, cold JVMs: a look at the figures.
    #[arg(long)]
    quick: bool,
    /// Everything on Ottla alone and as small as can be, for errors rather than figures; a part of `quick`.
    #[arg(long)]
    smoke: bool,
    /// Measurements of each broker in each workload; five when not given, and one in a short run.
    #[arg(long)]
    rounds: Option<u32>,
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
        Task::Cluster(ClusterArguments { rounds, secured, voters, faults, overrides }) => {
            process::end_children_on_signal()?;
            if faults {
                let clean = cluster::run_faults_alone(&cluster::Plan::quick(overrides))?;
                return Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
            if voters {
                let clean = cluster::run_voters_alone(&cluster::Plan::quick(overrides))?;
                return Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
            let plan =
                if secured { cluster::Plan::secured(overrides) } else { cluster::Plan::whole(overrides) };
            let clean = cluster::run(&cluster::Plan { rounds, ..plan })?;
            Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Task::Moves(MovesArguments { megabytes, throttle_megabytes, overrides }) => {
            process::end_children_on_signal()?;
            let mut plan = cluster::moves::Plan::whole(overrides)?;
            plan.megabytes = megabytes.unwrap_or(plan.megabytes);
            plan.throttle_megabytes = throttle_megabytes;
            Ok(if cluster::run_moves_alone(&plan)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Task::Mixed => {
            process::end_children_on_signal()?;
            Ok(if cluster::mixed::run()? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Task::Quick(selection) => sections::run_quick(selection),
        Task::Full(selection) => sections::run_full(selection),
        Task::Adopt(AdoptArguments { records, parts }) => {
            process::end_children_on_signal()?;
            let clean = adopt::run(&adopt::Plan { records, parts })?;
            Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Task::ToolTexts { against, record, own } => {
            process::end_children_on_signal()?;
            let against = if record { Against::Kafka } else { against };
            let clean = tool_texts::run(&tool_texts::Plan { against, record, own, overrides: Vec::new() })?;
            Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Task::Image => {
            process::end_children_on_signal()?;
            let mut summary = Summary::default();
            summary.section(image::NAME, image::run);
            Ok(end_with_summary(summary))
        }
        Task::Chart => {
            process::end_children_on_signal()?;
            let mut summary = Summary::default();
            summary.section(chart::NAME, chart::run);
            Ok(end_with_summary(summary))
        }
        Task::Packages { names } => {
            process::end_children_on_signal()?;
            let mut summary = Summary::default();
            summary.section(packages::NAME, || packages::run(&names));
            Ok(end_with_summary(summary))
        }
        Task::Eos(arguments) => run_eos(arguments),
        Task::Frameworks(arguments) => run_frameworks(arguments),
        Task::Librdkafka(arguments) => run_librdkafka(arguments),
        Task::GoSuites { against, ledger, overrides, names } => {
            process::end_children_on_signal()?;
            let clean = go_suites::run(&go_suites::Plan { against, names, overrides, ledger })?;
            Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Task::Java(arguments) => run_java(arguments),
        Task::Instructions { write, keep, names } => count_instructions(&names, keep.as_deref(), write),
        Task::Sasl { against, names } => {
            process::end_children_on_signal()?;
            let clean = sasl::run(against, &names)?;
            Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Task::List => {
            for client in CLIENTS {
                println!("{:16} {}", client.name, client.about);
            }
            println!("{:16} librdkafka's own test suite", librdkafka::NAME);
            println!("{:16} Apache Kafka's own Java tests", java::NAME);
            println!("{:16} the tests of franz-go on several nodes (`full`)", go_suites::NAME);
            println!("{:16} what Apache Kafka's command lines print", tool_texts::NAME);
            println!("{:16} the same with Ottla's own commands", tool_texts::OWN_NAME);
            println!("{:16} the container image under test environments' modules (`full`)", image::NAME);
            println!("{:16} the Helm chart (`full`)", chart::NAME);
            println!(
                "{:16} the packages for languages, installed without a network (`full`)",
                packages::NAME
            );
            println!("{:16} Kafka Streams and transactional copiers under kills", eos::NAME);
            println!("{:16} a job of each framework around Kafka under kills (`full`)", frameworks::NAME);
            println!("{:16} a cluster of three nodes that are killed, stopped and paused", cluster::NAME);
            println!("{:16} clients that log in, by each mechanism that they have", sasl::NAME);
            println!(
                "{:16} brokers of Apache Kafka and of Ottla in one cluster (`full`)",
                cluster::mixed::NAME
            );
            println!("{:16} a data directory that moves between Apache Kafka and Ottla", adopt::NAME);
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

fn run_java(arguments: JavaArguments) -> Outcome<ExitCode> {
    process::end_children_on_signal()?;
    let JavaArguments { against, jobs, ledger, tests } = arguments;
    let clean = java::run(&java::Plan { against, tests, jobs, together: false, ledger })?;
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
    let BenchArguments { quick, smoke, rounds, only, write, workloads } = arguments;
    let mut plan = bench::Plan { scale: Scale::FULL, only, workloads };
    if smoke {
        plan = bench::Plan {
            workloads: plan.workloads,
            only: only.or(Some(Against::Ottla)),
            ..bench::Plan::smoke()
        };
    } else if quick {
        plan.scale = Scale::QUICK;
    }
    plan.scale.rounds = rounds.unwrap_or(plan.scale.rounds);
    let report = bench::run(&plan)?;
    println!("{}", report.text);
    if let Some(path) = write {
        std::fs::write(path, &report.text)?;
    }
    Ok(if is_clean(&report) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says what failed; a time never does.
fn is_clean(report: &bench::Report) -> bool {
    for failure in &report.failures {
        eprintln!("error: {failure}");
    }
    report.failures.is_empty()
}

fn count_instructions(names: &[String], keep: Option<&Path>, write: Option<PathBuf>) -> Outcome<ExitCode> {
    process::end_children_on_signal()?;
    let table = instructions::run(names, keep)?;
    println!("{table}");
    if let Some(path) = write {
        std::fs::write(path, table)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn crash_broker(arguments: CrashArguments) -> Outcome<ExitCode> {
    process::end_children_on_signal()?;
    let CrashArguments { against, rounds, tail_rounds, seed, overrides, parts } = arguments;
    let seed = seed.unwrap_or_else(clock_seed);
    let clean = crash::run(&crash::Plan { against, rounds, tail_rounds, seed, parts, overrides })?;
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_eos(arguments: EosArguments) -> Outcome<ExitCode> {
    process::end_children_on_signal()?;
    let EosArguments { against, kills, commit_interval_ms, seed, overrides, parts } = arguments;
    let seed = seed.unwrap_or_else(clock_seed);
    let clean = eos::run(&eos::Plan {
        against,
        kills,
        streams_group_kills: kills,
        commit_interval_ms,
        seed,
        parts,
        overrides,
    })?;
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_frameworks(arguments: FrameworksArguments) -> Outcome<ExitCode> {
    process::end_children_on_signal()?;
    let FrameworksArguments { against, kills, seed, lying, ledger, overrides, names } = arguments;
    let seed = seed.unwrap_or_else(clock_seed);
    let plan = frameworks::Plan { against, kills, seed, is_lying: lying, ledger, overrides, names };
    Ok(if frameworks::run(&plan)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn clock_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs())
}
