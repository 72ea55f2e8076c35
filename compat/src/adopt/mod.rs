//! A data directory that moves: Apache Kafka's to Ottla by `ottla adopt`, and Ottla's to Apache Kafka.
//! Shell: brokers, client processes, files, the clock. All that a client can see is compared before and after.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

pub(crate) mod dump;
mod folders;
mod hand;
mod state;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::adopt::hand::Hand;
use crate::adopt::state::Facts;
use crate::broker::{self, Against, Broker, BrokerOptions};
use crate::contract::Program;
use crate::crash::batch::{self, Origin};
use crate::failure::{Outcome, fail};
use crate::places::{ScratchDir, now_ms};
use crate::requests::NO_ERROR;
use crate::runner::{Row, print_table};
use crate::steps::{Ending, Steps};
use crate::wire::Connection;

/// How `quick` and `full` name it beside the clients.
pub const NAME: &str = "adopt";

const PATIENCE: Duration = Duration::from_secs(30);
const SETTLE_LIMIT: Duration = Duration::from_secs(20);
const ADOPT_LIMIT: Duration = Duration::from_secs(60);

/// ACLs need an authorizer. A cleaner that looks often has cleaned before the copy is made.
const OVERRIDES: [&str; 5] = [
    "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users=User:ANONYMOUS",
    "log.cleaner.backoff.ms=300",
    "group.initial.rebalance.delay.ms=0",
    // Kafka's metadata is then a snapshot and what follows it.
    "metadata.log.max.snapshot.interval.ms=3000",
];

/// Where the data comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    Kafka,
    Ottla,
}

const PARTS: [Part; 2] = [Part::Kafka, Part::Ottla];

#[derive(Debug, Clone)]
pub struct Plan {
    /// Records of each codec, and a measure for everything else.
    pub records: u32,
    /// Both when empty.
    pub parts: Vec<Part>,
}

impl Plan {
    /// A few megabytes.
    pub fn short() -> Self {
        Self { records: 1_500, parts: Vec::new() }
    }

    pub fn whole() -> Self {
        Self { records: 40_000, parts: Vec::new() }
    }
}

/// Runs the parts one after the other; true when none failed.
pub fn run(plan: &Plan) -> Outcome<bool> {
    let begin = Instant::now();
    println!("building ottla");
    broker::build_ottla()?;
    let program = hand::prepare(&|what| println!("{NAME}: {what}"))?;
    let mut work = ScratchDir::new(NAME)?;
    let parts: Vec<Part> =
        PARTS.into_iter().filter(|part| plan.parts.is_empty() || plan.parts.contains(part)).collect();
    // Both mostly wait for a Kafka to start.
    let rows: Vec<Row> = std::thread::scope(|scope| {
        let running: Vec<_> = parts
            .iter()
            .map(|part| scope.spawn(|| run_part(*part, &program, work.path(), plan.records)))
            .collect();
        running.into_iter().filter_map(|part| part.join().ok()).collect()
    });
    if rows.len() < parts.len() {
        return fail("a part panicked");
    }
    let clean = print_table(&rows, begin.elapsed());
    if !clean {
        work.keep();
        println!("directories and logs are in {}", work.path().display());
    }
    Ok(clean)
}

fn run_part(part: Part, program: &Program, work_dir: &Path, records: u32) -> Row {
    let (name, play): (_, fn(&Stage<'_>, &mut Steps) -> Outcome<()>) = match part {
        Part::Kafka => ("from-kafka", from_kafka),
        Part::Ottla => ("from-ottla", from_ottla),
    };
    let (mut steps, begin) = (Steps::default(), Instant::now());
    let stage = Stage { program, work_dir: work_dir.join(name), records };
    let played =
        std::fs::create_dir_all(&stage.work_dir).map_err(Into::into).and_then(|()| play(&stage, &mut steps));
    if let Err(failure) = played
        && !steps.steps.iter().any(|step| matches!(step.ending, Ending::Failed(_)))
    {
        let _ = steps.step::<()>("begin", || Err(failure));
    }
    Row { name, prepared_in: Duration::ZERO, played_in: begin.elapsed(), steps }
}

struct Stage<'a> {
    program: &'a Program,
    work_dir: PathBuf,
    records: u32,
}

impl Stage<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.work_dir.join(name)
    }

    /// A broker over the given data, on the port of an earlier one if that is to be taken for it.
    fn start(
        &self,
        against: Against,
        name: &str,
        log_dir: &Path,
        port: Option<u16>,
    ) -> Outcome<Box<dyn Broker>> {
        let options = BrokerOptions {
            dir: Some(self.path(name)),
            log_dir: Some(log_dir.to_owned()),
            port,
            overrides: OVERRIDES.map(str::to_owned).to_vec(),
            ..BrokerOptions::default()
        };
        broker::start(against, &options)
    }

    fn hand(&self, role: &str, bootstrap: &str) -> Outcome<Hand> {
        Hand::start(self.program, role, bootstrap, &self.work_dir)
    }

    /// Everything that a client can ask of a broker.
    fn facts(&self, hand: &mut Hand, name: &str) -> Outcome<Facts> {
        let path = self.path(&format!("{name}.txt"));
        hand.ask(&format!("state {}", path.display()))?;
        Facts::read(&path)
    }

    /// Apache Kafka serves before it leads everything and has read its groups and transactions: it is looked
    /// at again for a while, until what it shows is right.
    fn settled_facts(
        &self,
        hand: &mut Hand,
        name: &str,
        check: impl Fn(&Facts) -> Outcome<()>,
    ) -> Outcome<()> {
        let deadline = Instant::now() + SETTLE_LIMIT;
        loop {
            let checked = self.facts(hand, name).and_then(|facts| check(&facts));
            if checked.is_ok() || Instant::now() > deadline {
                return checked;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    fn adopt(&self, from: &Path, to: &Path) -> Outcome<String> {
        let output = self.path("adopt.out");
        let mut command = Command::new(broker::ottla_binary()?);
        command.arg("adopt").arg(from).arg("--data-dir").arg(to);
        crate::process::run("ottla adopt", &mut command, &output, ADOPT_LIMIT)?;
        Ok(std::fs::read_to_string(&output)?)
    }
}

fn port_of(bootstrap: &str) -> Option<u16> {
    bootstrap.rsplit_once(':')?.1.parse().ok()
}

/// An idempotent producer that a test writes by hand, so that it may repeat itself.
struct Repeater {
    producer_id: i64,
    epoch: i16,
    sent: Vec<(Vec<u8>, i64)>,
}

impl Repeater {
    const TOPIC: &str = "idempotent";
    const RECORDS_PER_BATCH: i32 = 3;

    fn start(bootstrap: &str) -> Outcome<Self> {
        let mut connection = Connection::open(bootstrap, PATIENCE)?;
        let (producer_id, epoch) = connection.init_producer_id()?;
        let mut repeater = Self { producer_id, epoch, sent: Vec::new() };
        for _ in 0..7 {
            repeater.send_next(&mut connection)?;
        }
        Ok(repeater)
    }

    fn send_next(&mut self, connection: &mut Connection) -> Outcome<()> {
        let number = i32::try_from(self.sent.len()).unwrap_or(0);
        let base_sequence = number * Self::RECORDS_PER_BATCH;
        let values: Vec<Vec<u8>> =
            (0..Self::RECORDS_PER_BATCH).map(|n| format!("{number} {n}").into_bytes()).collect();
        let origin = Origin { producer_id: self.producer_id, producer_epoch: self.epoch, base_sequence };
        let bytes = batch::write(&values, origin, now_ms());
        let answer = connection.produce(Self::TOPIC, 0, &bytes)?;
        if answer.error_code != NO_ERROR {
            return fail(format!("batch {number} of an idempotent producer is refused: {answer:?}"));
        }
        self.sent.push((bytes, answer.base_offset));
        Ok(())
    }

    /// The broker must know its last batches, take none of them twice, and go on with the next.
    fn goes_on(&mut self, bootstrap: &str) -> Outcome<()> {
        let mut connection = Connection::open(bootstrap, PATIENCE)?;
        let end = connection.list_offset(Self::TOPIC, 0, -1)?;
        // Kafka remembers five; after a start from a snapshot, the last.
        let (bytes, offset) = self.sent.last().cloned().unwrap_or_default();
        let answer = connection.produce(Self::TOPIC, 0, &bytes)?;
        if (answer.error_code, answer.base_offset) != (NO_ERROR, offset) {
            return fail(format!("the last batch, at {offset}, was repeated: {answer:?}"));
        }
        if connection.list_offset(Self::TOPIC, 0, -1)? != end {
            return fail("a repeated batch was written twice");
        }
        self.send_next(&mut connection)
    }
}

fn from_kafka(stage: &Stage<'_>, steps: &mut Steps) -> Outcome<()> {
    let (kafka_dir, ottla_dir) = (stage.path("kafka-data"), stage.path("ottla-data"));
    let mut kafka = steps.step("start-kafka", || stage.start(Against::Kafka, "kafka", &kafka_dir, None))?;
    let bootstrap = kafka.bootstrap().to_owned();
    let mut hand = stage.hand("hand", &bootstrap)?;
    let mut repeater = steps.step("fill", || {
        hand.ask(&format!("fill {} kafka", stage.records))?;
        hand.ask("begin open-to-commit txn 40")?;
        hand.ask("begin open-to-abort txn 30")?;
        Repeater::start(&bootstrap)
    })?;
    let before = steps.step("look", || stage.facts(&mut hand, "kafka"))?;
    steps.step("stop-kafka", || kafka.stop())?;
    let told = steps.step("adopt", || stage.adopt(&kafka_dir, &ottla_dir))?;
    print!("{told}");
    let mut ottla = steps
        .step("start-ottla", || stage.start(Against::Ottla, "ottla", &ottla_dir, port_of(&bootstrap)))?;
    let after = steps.step("look-again", || stage.facts(&mut hand, "ottla"))?;
    steps.step("same", || before.expect_same(&after))?;
    steps.step("transactions-end", || {
        hand.ask("more open-to-commit txn 10")?;
        hand.ask("commit open-to-commit")?;
        hand.ask("abort open-to-abort")?;
        hand.ask("again open-to-abort txn 10")
    })?;
    steps.step("repeats-known", || repeater.goes_on(&bootstrap))?;
    let ended = steps.step("look-at-ends", || stage.facts(&mut hand, "ottla-ended"))?;
    steps.step("ends", || ended.expect_ended_transactions(&before))?;
    steps.step("stop-ottla", || ottla.stop())?;
    steps.step("dump", || dump::all(&ottla_dir, &stage.path("dump-adopted")))?;
    let mut back =
        steps.step("back", || stage.start(Against::Kafka, "kafka-back", &ottla_dir, port_of(&bootstrap)))?;
    steps.step("same-back", || {
        stage.settled_facts(&mut hand, "kafka-back", |returned| ended.expect_same(returned))
    })?;
    steps.step("goes-on", || {
        hand.ask("again open-to-commit txn 10")?;
        repeater.goes_on(&bootstrap)
    })?;
    steps.step("stop", || back.stop())
}

fn from_ottla(stage: &Stage<'_>, steps: &mut Steps) -> Outcome<()> {
    let (ottla_dir, kafka_dir) = (stage.path("ottla-data"), stage.path("kafka-data"));
    let mut ottla = steps.step("start-ottla", || stage.start(Against::Ottla, "ottla", &ottla_dir, None))?;
    let bootstrap = ottla.bootstrap().to_owned();
    let mut hand = stage.hand("hand", &bootstrap)?;
    let mut repeater = steps.step("fill", || {
        hand.ask(&format!("fill {} ottla", stage.records))?;
        hand.ask("begin open-to-commit txn 40")?;
        Repeater::start(&bootstrap)
    })?;
    let before = steps.step("look", || stage.facts(&mut hand, "ottla"))?;
    steps.step("stop-ottla", || ottla.stop())?;
    steps.step("dump", || dump::all(&ottla_dir, &stage.path("dump")))?;
    steps.step("create", || {
        // Elsewhere: the producer that goes on must not find this one while its topics are empty.
        let mut fresh = stage.start(Against::Kafka, "kafka-fresh", &kafka_dir, None)?;
        folders::create_topics(fresh.bootstrap(), &before)?;
        fresh.stop()
    })?;
    steps.step("put-folders", || folders::put(&ottla_dir, &kafka_dir, &before))?;
    let mut kafka = steps
        .step("start-kafka", || stage.start(Against::Kafka, "kafka", &kafka_dir, port_of(&bootstrap)))?;
    steps.step("same", || stage.settled_facts(&mut hand, "kafka", |after| before.expect_same_data(after)))?;
    steps.step("goes-on", || {
        hand.ask("commit open-to-commit")?;
        repeater.goes_on(&bootstrap)
    })?;
    steps.step("stop", || kafka.stop())
}
