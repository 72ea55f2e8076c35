//! Flink 2: running sums from topic to topic, EXACTLY_ONCE, through deaths of the broker and resumed checkpoints.
//! Shell: the broker, the framework's process.

use std::time::{Duration, Instant};

use crate::eos::dumped::Value;
use crate::eos::hand::Hand;
use crate::eos::stage::{Look, Worker as _};
use crate::failure::{Outcome, fail};
use crate::frameworks::scene::{LEAVE_LIMIT, PARTITION_COUNT, Scene, prepare_other};
use crate::frameworks::{EXACT, Job, Play, truth};
use crate::steps::Steps;

const FROM: &str = "flink-lines";
const TO: &str = "flink-sums";
const LINES_PER_SECOND: usize = 1_000;
const PROGRESS_PER_ROUND: u64 = 2_000;
/// What was left open by a killed Flink is aborted by its timeout of a minute.
const STABLE_LIMIT: Duration = Duration::from_secs(90);
const VERSIONS: &str = "Flink 2.3.0, flink-connector-kafka 5.0.0-2.2, kafka-clients 4.2.0";
/// What Flink's own start script opens for Java 17, as far as a job without Kryo needs it.
const JVM: [&str; 3] = [
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.time=ALL-UNNAMED",
];

pub(super) const JOB: Job = Job {
    name: "flink",
    about: "KafkaSource, keyed running sums, KafkaSink with EXACTLY_ONCE; checkpoints every 500 ms, resumed after a kill",
    versions: VERSIONS,
    play: Play::Own(|scene, steps| play(scene, steps, "flink", "INCREMENTING")),
};

pub(super) const JOB_POOLING: Job = Job {
    name: "flink-pooling",
    about: "the job flink with transactions named by POOLING, which asks for transactions and producers of the past",
    versions: VERSIONS,
    play: Play::Own(|scene, steps| play(scene, steps, "flink", "POOLING")),
};

pub(super) const JOB_1: Job = Job {
    name: "flink-1.20",
    about: "the job flink on the last Flink of version 1, whose client speaks the first form of transactions",
    versions: "Flink 1.20.1, flink-connector-kafka 3.4.0-1.20, kafka-clients 3.4.0",
    play: Play::Own(|scene, steps| play(scene, steps, "flink-1.20", "INCREMENTING")),
};

fn play(scene: &mut Scene<'_>, steps: &mut Steps, pom: &str, naming: &str) -> Outcome<String> {
    let program = steps.step("prepare", || prepare_other(pom, "flink", pom, "Sums", 640, &JVM))?;
    let line = format!("{FROM} {TO} {} {naming}", scene.path("checkpoints").display());
    let mut look = scene.stage.look()?;
    let (bootstrap, work_dir) = (scene.bootstrap(), scene.stage.work_dir);
    let (mut feed, flink) = steps.step("start", || {
        let feed = scene.feed(&mut look, FROM, LINES_PER_SECOND)?;
        look.create(TO, PARTITION_COUNT)?;
        Ok((feed, Hand::start(&program, "flink", &bootstrap, work_dir, &line)?))
    })?;
    let (kills, mut workers) = (scene.stage.kills, [flink]);
    let deaths = steps.step(&format!("{kills}-kills"), || {
        scene.stage.kill_repeatedly(&mut feed, &mut workers, PROGRESS_PER_ROUND, |_, _, flink| {
            flink.replace(&program, &bootstrap, work_dir, &line)
        })
    })?;
    let [mut flink] = workers;
    steps.step("fed", || feed.leave(LEAVE_LIMIT))?;
    let count = feed.progress();
    steps.step("settle", || {
        scene.settle(count, || {
            flink.drain()?;
            Ok(look.dump(TO, Value::Text)?.record_count() as u64)
        })
    })?;
    scene.weigh(flink.pid());
    steps.step("leave", || flink.leave(LEAVE_LIMIT))?;
    steps.step("stable", || wait_until_stable(&mut look))?;
    steps.step(EXACT, || {
        let dumped = look.dump(TO, Value::Text)?;
        let sums = dumped.partitions.values().flatten().map(|(_, value)| value.as_str());
        truth::check_sums(TO, scene.fed(count), sums)
    })?;
    steps.step("resumed", || match flink.note_count() {
        0 if kills >= 3 => fail("no checkpoint was taken up after a kill of Flink"),
        _ => Ok(()),
    })?;
    let aborted = (look.dump(TO, Value::OfAll)?.record_count() as u64).saturating_sub(count);
    Ok(format!(
        "{count} records summed exactly once under {kills} kills of the broker ({deaths}); {aborted} more were aborted\n{}",
        flink.last_notes()
    ))
}

/// No transaction is left open once those of the killed have had their timeout.
fn wait_until_stable(look: &mut Look) -> Outcome<()> {
    let deadline = Instant::now() + STABLE_LIMIT;
    loop {
        match look.nothing_hangs(&[FROM, TO]) {
            Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(500)),
            outcome => return outcome,
        }
    }
}
