//! Frameworks around Kafka: a real job of each, the broker killed in the middle, every record counted at the end.
//! Shell: brokers, the frameworks' processes, the clock.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

mod connect;
mod debezium;
mod flink;
mod jdbc;
mod lying;
mod mariadb;
mod mirror;
mod postgres;
mod relay;
mod rest;
pub mod rows;
mod rsyslog;
mod scene;
mod spark;
mod truth;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::broker::{self, Against, Broker, BrokerOptions};
use crate::clients;
use crate::contract::Program;
use crate::crash::dice::Dice;
use crate::eos::stage::Stage;
use crate::failure::{Outcome, While, fail};
use crate::frameworks::lying::LyingBroker;
use crate::frameworks::scene::Scene;
use crate::places::{ScratchDir, compat_dir};
use crate::runner::{Row, print_table};
use crate::steps::{Ending, Steps};
use crate::verdict::Verdict;

/// How `full` names it beside the clients.
pub const NAME: &str = "frameworks";

/// The step in which a job compares what came out with what went in. A broker that lies must fail it and no other.
pub(crate) const EXACT: &str = "exact";

/// Late transactions are looked for often, so that their abortion meets what the returning programs do.
const OVERRIDES: [&str; 2] =
    ["group.initial.rebalance.delay.ms=0", "transaction.abort.timed.out.transaction.cleanup.interval.ms=200"];

/// A job of a framework.
pub struct Job {
    pub name: &'static str,
    /// What is run, for the ledger.
    pub about: &'static str,
    pub versions: &'static str,
    play: Play,
}

/// How a job is played.
enum Play {
    Own(fn(&mut Scene<'_>, &mut Steps) -> Outcome<String>),
    /// A row of the table of client frameworks.
    Relay(&'static relay::Relay),
}

const OWN: [Job; 11] = [
    connect::JOB,
    mirror::JOB,
    flink::JOB,
    flink::JOB_POOLING,
    flink::JOB_1,
    spark::JOB,
    spark::JOB_3,
    debezium::JOB,
    debezium::JOB_MARIADB,
    jdbc::JOB,
    rsyslog::JOB,
];

/// All jobs, the client frameworks last.
pub fn jobs() -> impl Iterator<Item = &'static Job> {
    OWN.iter().chain(&relay::JOBS)
}

#[derive(Debug, Clone)]
pub struct Plan {
    pub against: Against,
    /// How often the broker is killed under each job; every third time a program of the framework dies too.
    pub kills: u32,
    pub seed: u64,
    /// Keep one record from the framework and see that its check notices.
    pub is_lying: bool,
    /// Write the results into the ledger.
    pub ledger: bool,
    pub overrides: Vec<String>,
    /// All when empty.
    pub names: Vec<String>,
}

impl Plan {
    /// Five kills under every job.
    pub fn whole(against: Against, overrides: Vec<String>, seed: u64) -> Self {
        Self { against, kills: 5, seed, is_lying: false, ledger: false, overrides, names: Vec::new() }
    }

    /// Some jobs, each under one kill.
    pub fn short(against: Against, overrides: Vec<String>, seed: u64) -> Self {
        let names = SHORT.map(str::to_owned).to_vec();
        Self { against, kills: 1, seed, is_lying: false, ledger: false, overrides, names }
    }
}

/// Those of the quick run: programs in Python, JavaScript and on the JVM that need no server of their own, a third of a
/// minute each.
const SHORT: [&str; 9] =
    ["aiokafka", "celery", "faust", "faststream", "kafkajs", "nestjs", "pekko", "reactor", "spring"];

/// What a job was like.
struct Played {
    row: Row,
    peak_mib: u64,
}

/// Runs the jobs one after the other, each on a broker of its own; true when none failed.
pub fn run(plan: &Plan) -> Outcome<bool> {
    if let Some(name) = plan.names.iter().find(|name| !jobs().any(|job| job.name == **name)) {
        let known: Vec<_> = jobs().map(|job| job.name).collect();
        return fail(format!("no job is called {name}; there are {}", known.join(", ")));
    }
    let begin = Instant::now();
    if plan.against == Against::Ottla {
        println!("building ottla");
        broker::build_ottla()?;
    }
    let look = clients::prepare_eos(&|what| println!("{NAME}: {what}"))?;
    println!("seed {}", plan.seed);
    let mut work = ScratchDir::new(NAME)?;
    let mut rows = Vec::new();
    for job in jobs().filter(|job| plan.names.is_empty() || plan.names.iter().any(|n| n == job.name)) {
        let played = run_job(plan, job, &look, &work);
        let passed = is_passed(&played.row);
        if !passed {
            println!("again: cargo compat {NAME} --seed {} --kills {} {}", plan.seed, plan.kills, job.name);
        }
        if plan.ledger {
            write_down(plan, job, &played, passed)?;
        }
        rows.push(played.row);
    }
    let clean = print_table(&rows, begin.elapsed());
    if !clean {
        work.keep();
        println!("what the programs logged is in {}", work.path().display());
    }
    Ok(clean)
}

fn is_passed(row: &Row) -> bool {
    !row.steps.steps.iter().any(|step| matches!(step.ending, Ending::Failed(_)))
}

fn run_job(plan: &Plan, job: &'static Job, look: &Program, work: &ScratchDir) -> Played {
    let mut steps = Steps::default();
    let (begin, mut peak_mib) = (Instant::now(), 0);
    let played = play(plan, job, look, work, &mut steps, &mut peak_mib);
    if let Err(failure) = played
        && !steps.steps.iter().any(|step| matches!(step.ending, Ending::Failed(_)))
    {
        let _ = steps.step::<()>("begin", || Err(failure));
    }
    Played {
        row: Row { name: job.name, prepared_in: Duration::ZERO, played_in: begin.elapsed(), steps },
        peak_mib,
    }
}

fn play(
    plan: &Plan,
    job: &Job,
    look: &Program,
    work: &ScratchDir,
    steps: &mut Steps,
    peak_mib: &mut u64,
) -> Outcome<()> {
    let work_dir = work.path().join(job.name);
    std::fs::create_dir_all(&work_dir)?;
    let overrides = OVERRIDES.iter().map(|key| (*key).to_owned()).chain(plan.overrides.clone()).collect();
    let options = BrokerOptions { overrides, ..BrokerOptions::default() };
    let mut liar = None;
    let mut honest = None;
    let broker: &mut dyn Broker = if plan.is_lying {
        liar.insert(LyingBroker::start(plan.against, options, &truth::name(truth::HIDDEN))?)
    } else {
        &mut **honest.insert(broker::start(plan.against, &options)?)
    };
    let stage = Stage {
        broker,
        program: look,
        work_dir: &work_dir,
        dice: Dice::new(plan.seed),
        seed: plan.seed,
        kills: if plan.is_lying { 0 } else { plan.kills },
    };
    let mut scene = Scene::new(stage, plan.against, plan.is_lying);
    let played = match &job.play {
        Play::Own(play) => play(&mut scene, steps),
        Play::Relay(row) => relay::play(job, row, &mut scene, steps),
    };
    *peak_mib = scene.peak_mib;
    let broker = scene.stage.broker;
    let took: Duration = steps.steps.iter().map(|step| step.took).sum();
    let played = match played {
        Err(failure) => {
            println!("--- the broker's last lines\n{}\n---", broker.last_output(25));
            Err(failure)
        }
        Ok(text) => {
            println!("{}: {text}, in {:.0} s, {peak_mib} MiB", job.name, took.as_secs_f64());
            steps.step("stop", || broker.stop())
        }
    };
    match liar {
        Some(liar) => expect_to_be_caught(&liar, played, steps),
        None => played,
    }
}

/// A lie must have been told, and the exact check, nothing else, must have found it.
fn expect_to_be_caught(liar: &LyingBroker, played: Outcome<()>, steps: &mut Steps) -> Outcome<()> {
    let told = liar.hidden_count();
    let caught = steps.steps.last().is_some_and(|step| step.name == EXACT);
    match played {
        Err(failure) if caught && told > 0 => {
            println!("a batch was hidden {told} times, and the check says: {failure}");
            steps.steps.pop();
            steps.step("seen-to-fail", || Ok(()))
        }
        Err(failure) => Err(failure),
        Ok(()) => steps.step("seen-to-fail", || {
            fail(format!("a batch was hidden {told} times and every check passed all the same"))
        }),
    }
}

fn write_down(plan: &Plan, job: &Job, played: &Played, passed: bool) -> Outcome<()> {
    let path: PathBuf = compat_dir().join("ledger/frameworks.toml");
    let text = std::fs::read_to_string(&path).while_doing(|| format!("reading {}", path.display()))?;
    let mut rows = rows::parse(&text)?;
    let row = rows.entry(job.name.to_owned()).or_default();
    (row.job, row.versions) = (job.about.to_owned(), job.versions.to_owned());
    let verdict = if passed { Verdict::Passed } else { Verdict::Failed };
    if plan.is_lying {
        row.seen_to_fail = passed;
    } else if plan.against == Against::Kafka {
        row.kafka = verdict;
        row.kafka_seconds = played.row.played_in.as_secs();
    } else {
        row.ottla = verdict;
        row.seconds = played.row.played_in.as_secs();
        row.memory_mib = played.peak_mib;
    }
    std::fs::write(&path, rows::print(&rows))?;
    Ok(())
}
