//! Exactly once under `kill -9`: a Kafka Streams application and transactional copiers over a broker that keeps dying.
//! Shell: brokers, client processes, the clock.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

mod copier;
pub(crate) mod dumped;
pub(crate) mod hand;
pub(crate) mod stage;
mod streams;

use std::time::{Duration, Instant};

use crate::broker::{self, Against, BrokerOptions};
use crate::clients;
use crate::contract::Program;
use crate::crash::dice::Dice;
use crate::eos::stage::Stage;
use crate::failure::Outcome;
use crate::places::ScratchDir;
use crate::runner::{Row, print_table};
use crate::steps::{Ending, Steps};

/// Late transactions are looked for often, so that their abortion meets what the returning producers do.
const OVERRIDES: [&str; 2] =
    ["group.initial.rebalance.delay.ms=0", "transaction.abort.timed.out.transaction.cleanup.interval.ms=200"];

/// The rebalances of a streams group as quick as those of the classic group beside it.
const STREAMS_GROUP_OVERRIDES: [&str; 5] = [
    "group.streams.initial.rebalance.delay.ms=0",
    "group.streams.min.heartbeat.interval.ms=1000",
    "group.streams.heartbeat.interval.ms=1000",
    "group.streams.min.session.timeout.ms=10000",
    "group.streams.session.timeout.ms=10000",
];

/// How `quick` and `full` name it beside the clients.
pub const NAME: &str = "eos";

/// Which programs to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    Copier,
    Streams,
    /// The same application with `group.protocol=streams` (KIP-1071).
    StreamsGroup,
}

const PARTS: [Part; 3] = [Part::Copier, Part::Streams, Part::StreamsGroup];

#[derive(Debug, Clone)]
pub struct Plan {
    pub against: Against,
    /// How often the broker is killed, in each part.
    pub kills: u32,
    /// How often where a streams group runs the application.
    pub streams_group_kills: u32,
    /// How long a transaction of the Streams application may be.
    pub commit_interval_ms: u32,
    pub seed: u64,
    /// All of them when empty.
    pub parts: Vec<Part>,
    pub overrides: Vec<String>,
}

impl Plan {
    /// Two kills in each part, and one under a streams group, which takes three quarters of a minute.
    pub fn short(against: Against, overrides: Vec<String>, seed: u64) -> Self {
        Self { kills: 2, streams_group_kills: 1, ..Self::whole(against, overrides, seed) }
    }

    /// Ten kills in each part.
    pub fn whole(against: Against, overrides: Vec<String>, seed: u64) -> Self {
        Self {
            against,
            kills: 10,
            streams_group_kills: 10,
            commit_interval_ms: 100,
            seed,
            parts: Vec::new(),
            overrides,
        }
    }
}

/// Runs the parts one after the other, each on a broker of its own; true when none failed.
pub fn run(plan: &Plan) -> Outcome<bool> {
    let begin = Instant::now();
    if plan.against == Against::Ottla {
        println!("building ottla");
        broker::build_ottla()?;
    }
    let program = clients::prepare_eos(&|what| println!("{NAME}: {what}"))?;
    println!("seed {}", plan.seed);
    let mut work = ScratchDir::new(NAME)?;
    let mut rows = Vec::new();
    for part in PARTS.iter().filter(|part| plan.parts.is_empty() || plan.parts.contains(part)) {
        let row = run_part(plan, *part, &program, &work);
        let failed = row.steps.steps.iter().any(|step| matches!(step.ending, Ending::Failed(_)));
        if failed {
            println!("again: cargo compat {NAME} --seed {} --kills {} {}", plan.seed, plan.kills, row.name);
        }
        rows.push(row);
    }
    let clean = print_table(&rows, begin.elapsed());
    if !clean {
        work.keep();
        println!("what the clients logged is in {}", work.path().display());
    }
    Ok(clean)
}

fn run_part(plan: &Plan, part: Part, program: &Program, work: &ScratchDir) -> Row {
    let name = match part {
        Part::Copier => "copier",
        Part::Streams => "streams",
        Part::StreamsGroup => "streams-group",
    };
    let mut steps = Steps::default();
    let begin = Instant::now();
    let played = play(plan, part, program, work, name, &mut steps);
    if let Err(failure) = played
        && !steps.steps.iter().any(|step| matches!(step.ending, Ending::Failed(_)))
    {
        let _ = steps.step::<()>("begin", || Err(failure));
    }
    Row { name, prepared_in: Duration::ZERO, played_in: begin.elapsed(), steps }
}

fn play(
    plan: &Plan,
    part: Part,
    program: &Program,
    work: &ScratchDir,
    name: &'static str,
    steps: &mut Steps,
) -> Outcome<()> {
    let work_dir = work.path().join(name);
    std::fs::create_dir_all(&work_dir)?;
    let mut overrides = OVERRIDES.map(str::to_owned).to_vec();
    if part == Part::StreamsGroup {
        overrides.extend(STREAMS_GROUP_OVERRIDES.map(str::to_owned));
    }
    overrides.extend(plan.overrides.iter().cloned());
    let mut broker = broker::start(plan.against, &BrokerOptions { overrides, ..BrokerOptions::default() })?;
    let mut stage = Stage {
        broker: &mut *broker,
        program,
        work_dir: &work_dir,
        dice: Dice::new(plan.seed),
        seed: plan.seed,
        kills: if part == Part::StreamsGroup { plan.streams_group_kills } else { plan.kills },
    };
    let played = match part {
        Part::Copier => copier::play(&mut stage, steps),
        Part::Streams => streams::play(&mut stage, plan.commit_interval_ms, "classic", steps),
        Part::StreamsGroup => streams::play(&mut stage, plan.commit_interval_ms, "streams", steps),
    };
    match played {
        Err(failure) => {
            println!("--- the broker's last lines\n{}\n---", broker.last_output(25));
            Err(failure)
        }
        Ok(text) => {
            println!("{name}: {text}, in {:.0} s", work_time(steps).as_secs_f64());
            steps.step("stop", || broker.stop())
        }
    }
}

fn work_time(steps: &Steps) -> Duration {
    steps.steps.iter().map(|step| step.took).sum()
}
