//! Spark's structured streaming: a topic's lines into files exactly once, and sums a key into another topic.
//! Shell: the broker, the framework's process, its files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::eos::dumped::Value;
use crate::eos::hand::Hand;
use crate::eos::stage::Worker as _;
use crate::failure::{Outcome, While, fail};
use crate::frameworks::scene::{LEAVE_LIMIT, PARTITION_COUNT, Scene, prepare_other};
use crate::frameworks::{EXACT, Job, Play, truth};
use crate::steps::Steps;

const FROM: &str = "spark-lines";
const TO: &str = "spark-sums";
const LINES_PER_SECOND: usize = 1_000;
const PROGRESS_PER_ROUND: u64 = 2_000;
/// What Spark's own start script opens for Java 17.
const JVM: [&str; 11] = [
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.lang.invoke=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/java.net=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.cs=ALL-UNNAMED",
    "--add-opens=java.base/sun.security.action=ALL-UNNAMED",
    "--add-opens=java.base/sun.util.calendar=ALL-UNNAMED",
];

const ABOUT: &str = "structured streaming, local[2]: a topic to files (exactly once) and to sums in a topic (update mode), \
                     failOnDataLoss on, resumed from its checkpoint after a kill";

pub(super) const JOB: Job = Job {
    name: "spark",
    about: ABOUT,
    versions: "Spark 4.2.0, kafka-clients 3.9.2",
    play: Play::Own(|scene, steps| play(scene, steps, "spark", "Spark 4.2.0")),
};

pub(super) const JOB_3: Job = Job {
    name: "spark-3.5",
    about: ABOUT,
    versions: "Spark 3.5.4, kafka-clients 3.4.1",
    play: Play::Own(|scene, steps| play(scene, steps, "spark-3.5", "Spark 3.5.4")),
};

fn play(scene: &mut Scene<'_>, steps: &mut Steps, pom: &str, version: &str) -> Outcome<String> {
    let program = steps.step("prepare", || prepare_other(pom, "spark", version, "Stream", 900, &JVM))?;
    let files = scene.path("files");
    let line = format!("{FROM} {TO} {} {}", files.display(), scene.path("checkpoints").display());
    let mut look = scene.stage.look()?;
    let (bootstrap, work_dir) = (scene.bootstrap(), scene.stage.work_dir);
    let (mut feed, spark) = steps.step("start", || {
        let feed = scene.feed(&mut look, FROM, LINES_PER_SECOND)?;
        look.create(TO, PARTITION_COUNT)?;
        Ok((feed, Hand::start(&program, "spark", &bootstrap, work_dir, &line)?))
    })?;
    let (kills, mut workers) = (scene.stage.kills, [spark]);
    let deaths = steps.step(&format!("{kills}-kills"), || {
        scene.stage.kill_repeatedly(&mut feed, &mut workers, PROGRESS_PER_ROUND, |_, _, spark| {
            spark.replace(&program, &bootstrap, work_dir, &line)
        })
    })?;
    let [mut spark] = workers;
    steps.step("fed", || feed.leave(LEAVE_LIMIT))?;
    let count = feed.progress();
    steps.step("settle-files", || {
        scene.settle(count, || {
            spark.drain()?;
            Ok(committed_text(&files)?.lines().count() as u64)
        })
    })?;
    scene.weigh(spark.pid());
    let sums = truth::sums(scene.fed(count));
    steps.step("settle-sums", || {
        let due: u64 = sums.values().sum();
        scene.settle(due, || {
            spark.drain()?;
            Ok(last_sums(&look.dump(TO, Value::Text)?)?.values().sum())
        })
    })?;
    steps.step("leave", || spark.leave(LEAVE_LIMIT))?;
    steps.step(EXACT, || {
        truth::check_once("the committed files", scene.fed(count), committed_text(&files)?.lines())?;
        let found = last_sums(&look.dump(TO, Value::Text)?)?;
        match sums.iter().find(|(key, sum)| found.get(**key) != Some(*sum)) {
            None if found.len() == sums.len() => Ok(()),
            wrong => fail(format!("{TO}: {} keys for {}, {wrong:?} was due", found.len(), sums.len())),
        }
    })?;
    Ok(format!(
        "{count} lines in files exactly once and {} sums right under {kills} kills of the broker ({deaths})",
        sums.len()
    ))
}

/// The last sum of each key; a batch that is written again brings the same sums again.
fn last_sums(dumped: &crate::eos::dumped::Dumped) -> Outcome<BTreeMap<String, u64>> {
    let mut last = BTreeMap::new();
    for (key, value) in dumped.partitions.values().flatten() {
        let sum = value.parse().while_doing(|| format!("reading the sum {value:?}"))?;
        last.insert(key.clone(), sum);
    }
    Ok(last)
}

/// What is in the files that the sink's own log names; others are left over from batches that were cut off.
fn committed_text(folder: &Path) -> Outcome<String> {
    let mut paths = BTreeSet::new();
    let Ok(entries) = std::fs::read_dir(folder.join("_spark_metadata")) else { return Ok(String::new()) };
    for entry in entries {
        let path = entry?.path();
        // A hidden one is still being written, and one that is gone was compacted into another.
        let is_hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if let (false, Ok(text)) = (is_hidden, std::fs::read_to_string(&path)) {
            for line in text.lines().filter(|line| line.starts_with('{')) {
                let about: serde_json::Value =
                    serde_json::from_str(line).while_doing(|| format!("reading {}", path.display()))?;
                let name = about["path"].as_str().unwrap_or_default().trim_start_matches("file:");
                paths.insert(PathBuf::from(format!("/{}", name.trim_start_matches('/'))));
            }
        }
    }
    let mut text = String::new();
    for path in paths {
        text.push_str(&std::fs::read_to_string(&path).while_doing(|| format!("reading {}", path.display()))?);
    }
    Ok(text)
}
