//! Client frameworks: a small program in each one's own style carries a topic's lines into another topic and is counted.
//! Shell: the broker, the framework's process, the clock.
#![allow(clippy::print_stdout, reason = "a run says what it fetches")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::clients::{build_go, prepare_npm, prepare_venv};
use crate::contract::Program;
use crate::eos::dumped::{Dumped, Value};
use crate::eos::stage::{Look, Worker};
use crate::failure::{Outcome, fail};
use crate::frameworks::scene::{LEAVE_LIMIT, PARTITION_COUNT, Scene, prepare};
use crate::frameworks::{EXACT, Job, Play, truth};
use crate::places::compat_dir;
use crate::process::Process;
use crate::steps::Steps;
use crate::wire::Connection;

const FROM: &str = "relay-from";
const TO: &str = "relay-to";
const GROUP: &str = "relay-group";
const PROGRESS_PER_ROUND: u64 = 2_000;
const LOOK_PAUSE: Duration = Duration::from_millis(100);
const WIRE_LIMIT: Duration = Duration::from_secs(10);
/// What a program refuses that has dead letters: amounts that this divides.
const REFUSED_DIVISOR: u64 = 50;

/// A row of the table. The program gets the address, from, to, the group, and further words of its own; it ends at SIGTERM.
#[derive(Debug)]
pub(super) struct Relay {
    /// Its folder under `frameworks`.
    folder: &'static str,
    runtime: Runtime,
    words: &'static [&'static str],
    delivery: Delivery,
    /// Lines a second that it is fed.
    rate: usize,
    /// Where it puts the lines that it refuses, if it has such a topic.
    dead_letters: Option<&'static str>,
    /// Whether it gives up while a broker is away and is then started again, as a supervisor would.
    is_supervised: bool,
}

#[derive(Debug, Clone, Copy)]
enum Runtime {
    Java { main_class: &'static str, heap_mib: u32 },
    Python,
    Node,
    Go,
}

/// How often a line may come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivery {
    /// By transactions.
    Once,
    AtLeastOnce,
}

const fn row(folder: &'static str, runtime: Runtime, delivery: Delivery) -> Relay {
    Relay { folder, runtime, words: &[], delivery, rate: 1_000, dead_letters: None, is_supervised: false }
}

const fn job(name: &'static str, about: &'static str, versions: &'static str, relay: &'static Relay) -> Job {
    Job { name, about, versions, play: Play::Relay(relay) }
}

const fn java(heap_mib: u32) -> Runtime {
    Runtime::Java { main_class: "Relay", heap_mib }
}

/// Each line is a transaction of its own.
const SPRING: Relay =
    Relay { words: &["transactions"], rate: 100, ..row("spring", java(256), Delivery::Once) };
const SPRING_RETRIES: Relay = Relay {
    words: &["retries"],
    dead_letters: Some("relay-from-dlt"),
    rate: 400,
    ..row("spring", java(256), Delivery::AtLeastOnce)
};
const PARALLEL: Relay =
    Relay { is_supervised: true, ..row("parallel-consumer", java(256), Delivery::AtLeastOnce) };
const REACTOR: Relay = row("reactor", java(256), Delivery::AtLeastOnce);
const PEKKO: Relay = row("pekko", java(256), Delivery::Once);
/// Its beans must be in a package.
const MICRONAUT_RUNTIME: Runtime = Runtime::Java { main_class: "ottla.relay.Relay", heap_mib: 256 };
const MICRONAUT: Relay = Relay { rate: 100, ..row("micronaut", MICRONAUT_RUNTIME, Delivery::Once) };
const CELERY: Relay = Relay { rate: 100, ..row("celery", Runtime::Python, Delivery::AtLeastOnce) };
const AIOKAFKA: Relay = row("aiokafka", Runtime::Python, Delivery::Once);
const FASTSTREAM: Relay = row("faststream", Runtime::Python, Delivery::AtLeastOnce);
const FAUST: Relay = Relay { rate: 300, ..row("faust", Runtime::Python, Delivery::AtLeastOnce) };
const QUIX: Relay = row("quix", Runtime::Python, Delivery::Once);
const KAFKAJS: Relay = Relay { is_supervised: true, ..row("kafkajs", Runtime::Node, Delivery::Once) };
const NESTJS: Relay = Relay { rate: 300, ..row("nestjs", Runtime::Node, Delivery::AtLeastOnce) };
/// It cannot read an answer with a tagged field, as which a broker that came back tells the new epoch of a leader.
const PLATFORMATIC: Relay =
    Relay { rate: 300, is_supervised: true, ..row("platformatic", Runtime::Node, Delivery::AtLeastOnce) };
const WATERMILL: Relay = Relay { rate: 300, ..row("watermill", Runtime::Go, Delivery::AtLeastOnce) };

pub(super) const JOBS: [Job; 15] = [
    job(
        "spring",
        "two listener containers with a KafkaTransactionManager, answers by @SendTo, exactly once",
        "spring-kafka 4.1.1, kafka-clients 4.2.1",
        &SPRING,
    ),
    job(
        "spring-retries",
        "@RetryableTopic with three attempts; what is refused goes to the topic of dead letters",
        "spring-kafka 4.1.1, kafka-clients 4.2.1",
        &SPRING_RETRIES,
    ),
    job(
        "parallel-consumer",
        "pollAndProduce, unordered, 32 at a time: what is done beyond the offset is kept in the commit's metadata",
        "parallel-consumer-core 0.5.3.3, kafka-clients 3.9.1",
        &PARALLEL,
    ),
    job(
        "reactor",
        "KafkaReceiver to KafkaSender, acknowledged when the copy is stored",
        "reactor-kafka 1.3.25, kafka-clients 3.9.1",
        &REACTOR,
    ),
    job(
        "pekko",
        "Transactional.source to Transactional.flow, restarted with a backoff, exactly once",
        "pekko-connectors-kafka 1.2.0, kafka-clients 3.9.2",
        &PEKKO,
    ),
    job(
        "micronaut",
        "a listener whose answers are sent in transactions with their offsets, exactly once",
        "micronaut-kafka 5.9.0, kafka-clients 3.9.1",
        &MICRONAUT,
    ),
    job(
        "celery",
        "each line a task whose queue is a topic; the worker, which acknowledges late, sends it on",
        "Celery 5.7.0, kombu 5.7.0, confluent-kafka 2.15.1",
        &CELERY,
    ),
    job("aiokafka", "a transaction a poll, offsets sent to it, exactly once", "aiokafka 0.14.0", &AIOKAFKA),
    job(
        "faststream",
        "a subscriber of batches and a publisher, acknowledged when the copies are stored",
        "FastStream 0.7.8, aiokafka 0.14.0",
        &FASTSTREAM,
    ),
    job("faust", "an agent that sends each event on", "faust-streaming 0.15.3, aiokafka 0.12.0", &FAUST),
    job(
        "quix",
        "a data frame from topic to topic, processing_guarantee=exactly-once",
        "quixstreams 3.28.1, confluent-kafka 2.12",
        &QUIX,
    ),
    job("kafkajs", "a transaction a batch, offsets sent to it, exactly once", "KafkaJS 2.2.4", &KAFKAJS),
    job(
        "nestjs",
        "a microservice with an event pattern, whose handler emits through a client",
        "NestJS 11.1.9, KafkaJS 2.2.4",
        &NESTJS,
    ),
    job(
        "platformatic",
        "a stream of messages, each committed when its copy is stored",
        "@platformatic/kafka 1.35.0",
        &PLATFORMATIC,
    ),
    job(
        "watermill",
        "a router with a handler and the retry middleware",
        "watermill-kafka 3.0.6, sarama 1.47.0",
        &WATERMILL,
    ),
];

/// The program's process and the end of what it has written.
struct Carrier {
    process: Process,
    row: &'static Relay,
    program: Program,
    bootstrap: String,
    work_dir: std::path::PathBuf,
    written: u64,
    looked_at: Instant,
    restarts: u32,
}

impl Carrier {
    fn start(row: &'static Relay, program: Program, scene: &Scene<'_>) -> Outcome<Self> {
        let (bootstrap, work_dir) = (scene.bootstrap(), scene.stage.work_dir.to_owned());
        let process = spawn(row, &program, &bootstrap, &work_dir)?;
        let looked_at = Instant::now();
        Ok(Self { process, row, program, bootstrap, work_dir, written: 0, looked_at, restarts: 0 })
    }

    fn start_again(&mut self) -> Outcome<()> {
        self.process.kill9()?;
        self.process = spawn(self.row, &self.program, &self.bootstrap, &self.work_dir)?;
        Ok(())
    }
}

fn spawn(row: &Relay, program: &Program, bootstrap: &str, work_dir: &Path) -> Outcome<Process> {
    let Some((executable, words)) = program.command.split_first() else { return fail("an empty command") };
    let mut command = Command::new(executable);
    command.args(words).args([bootstrap, FROM, TO, GROUP]).args(row.words).current_dir(work_dir);
    Process::start(&program.name, &mut command, &work_dir.join("relay.log"))
}

impl Worker for Carrier {
    fn drain(&mut self) -> Outcome<()> {
        if let Some(status) = self.process.exited()? {
            if !self.row.is_supervised {
                return fail(format!("{} ended with {status}\n{}", self.program.name, self.last_notes()));
            }
            self.restarts += 1;
            self.start_again()?;
        }
        if self.looked_at.elapsed() > LOOK_PAUSE {
            self.written = end(&self.bootstrap)?;
            self.looked_at = Instant::now();
        }
        Ok(())
    }

    fn progress(&self) -> u64 {
        self.written
    }

    fn last_notes(&self) -> String {
        self.process.last_output(25)
    }
}

/// How far the logs of the copies go, markers of transactions and repetitions included.
fn end(bootstrap: &str) -> Outcome<u64> {
    let mut connection = Connection::open(bootstrap, WIRE_LIMIT)?;
    let mut sum = 0;
    for partition in 0..PARTITION_COUNT {
        let offset = connection.list_offset(TO, i32::try_from(partition).unwrap_or(0), -1)?;
        sum += u64::try_from(offset).unwrap_or(0);
    }
    Ok(sum)
}

fn fetch(job: &Job, row: &Relay) -> Outcome<Program> {
    let folder = compat_dir().join("frameworks").join(row.folder);
    let (name, say) = (format!("framework-{}", row.folder), |what: &str| println!("{}: {what}", job.name));
    let (about, nice) = (job.versions, ["nice", "-n", "5"]);
    let words: Vec<std::ffi::OsString> = match row.runtime {
        Runtime::Java { main_class, heap_mib } => {
            let program = prepare(row.folder, about, main_class, heap_mib, &[])?;
            return Ok(Program { name: job.name.to_owned(), ..program });
        }
        Runtime::Python => {
            let python = prepare_venv(&name, &folder.join("requirements.txt"), about, &say)?;
            vec![python.into(), "-B".into(), folder.join("relay.py").into()]
        }
        Runtime::Node => {
            prepare_npm(&name, &folder, about, &say)?;
            vec!["node".into(), folder.join("relay.js").into()]
        }
        Runtime::Go => vec![build_go(&name, &folder, ".", about, &say)?.into()],
    };
    let command = nice.iter().map(Into::into).chain(words).collect();
    Ok(Program { name: job.name.to_owned(), command })
}

pub(super) fn play(
    job: &Job,
    row: &'static Relay,
    scene: &mut Scene<'_>,
    steps: &mut Steps,
) -> Outcome<String> {
    let program = steps.step("prepare", || fetch(job, row))?;
    let mut look = scene.stage.look()?;
    let (mut feed, carrier) = steps.step("start", || {
        look.create(TO, PARTITION_COUNT)?;
        let feed = scene.feed(&mut look, FROM, row.rate)?;
        Ok((feed, Carrier::start(row, program, scene)?))
    })?;
    let (kills, mut workers) = (scene.stage.kills, [carrier]);
    let deaths = steps.step(&format!("{kills}-kills"), || {
        // One that lies must have had the time to.
        let is_slow = row.rate < 1_000 && !scene.is_lying;
        let progress = if is_slow { 2 * row.rate as u64 } else { PROGRESS_PER_ROUND };
        scene.stage.kill_repeatedly(&mut feed, &mut workers, progress, |_, _, carrier| carrier.start_again())
    })?;
    let [mut carrier] = workers;
    steps.step("fed", || feed.leave(LEAVE_LIMIT))?;
    let count = feed.progress();
    let is_refused = |line: &String| row.dead_letters.is_some() && truth::amount(line).is_some_and(refuses);
    let (refused, due): (Vec<String>, Vec<String>) = scene.fed(count).iter().cloned().partition(is_refused);
    steps.step("settle", || {
        scene.settle(due.len() as u64, || {
            carrier.drain()?;
            Ok(distinct(&look.dump(TO, Value::Text)?))
        })
    })?;
    if let Some(topic) = row.dead_letters {
        steps.step("settle-dead", || {
            scene.settle(refused.len() as u64, || {
                carrier.drain()?;
                Ok(distinct(&look.dump(topic, Value::Text)?))
            })
        })?;
    }
    scene.weigh(carrier.process.pid());
    steps.step("leave", || carrier.process.stop(LEAVE_LIMIT))?;
    let repeated = steps.step(EXACT, || {
        if let Some(topic) = row.dead_letters {
            check(Delivery::AtLeastOnce, topic, &refused, &look.dump(topic, Value::Text)?)?;
        }
        check(row.delivery, TO, &due, &look.dump(TO, Value::Text)?)
    })?;
    steps.step("committed", || committed_to_the_end(&mut look))?;
    if row.delivery == Delivery::Once {
        steps.step("nothing-hangs", || look.nothing_hangs(&[FROM, TO]))?;
    }
    let restarts =
        if row.is_supervised { format!(", {} ends of its own", carrier.restarts) } else { String::new() };
    Ok(format!(
        "{count} lines under {kills} kills of the broker ({deaths}{restarts}), {} of them dead letters, {repeated} repeated",
        refused.len()
    ))
}

fn refuses(amount: u64) -> bool {
    amount.is_multiple_of(REFUSED_DIVISOR)
}

fn distinct(dumped: &Dumped) -> u64 {
    let lines: BTreeSet<&str> = dumped.partitions.values().flatten().map(|(_, line)| line.as_str()).collect();
    lines.len() as u64
}

/// How many lines came more often than once, where they may.
fn check(delivery: Delivery, topic: &str, due: &[String], dumped: &Dumped) -> Outcome<usize> {
    let found = dumped.partitions.values().flatten().map(|(_, line)| line.as_str());
    truth::check_these(topic, due, found, delivery == Delivery::Once)
}

/// A program that left in order has committed all that it was given.
fn committed_to_the_end(look: &mut Look) -> Outcome<()> {
    let (ends, committed): (BTreeMap<i32, i64>, _) = (look.high_watermarks(FROM)?, look.committed(GROUP)?);
    if ends == committed {
        return Ok(());
    }
    fail(format!("{GROUP} has committed {committed:?}, and {FROM} ends at {ends:?}"))
}
