//! Several transactional copiers between two topics: each record arrives once and in order, whoever was killed.
//! Shell: client processes, files, the clock.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::eos::dumped::Value;
use crate::eos::hand::Hand;
use crate::eos::stage::{Look, Stage, Worker};
use crate::failure::{Outcome, fail};
use crate::steps::Steps;

const FROM: &str = "copier-from";
const TO: &str = "copier-to";
const GROUP: &str = "copiers";
const PARTITION_COUNT: usize = 6;
const COPIER_COUNT: usize = 3;
const RECORDS_PER_SECOND: usize = 1_500;
const RECORDS_MAX: usize = 1_000_000;
/// What must be copied between two kills.
const PROGRESS_PER_ROUND: u64 = 1_000;
const SETTLE_LIMIT: Duration = Duration::from_secs(120);
const LEAVE_LIMIT: Duration = Duration::from_secs(60);

pub(super) fn play(stage: &mut Stage<'_>, steps: &mut Steps) -> Outcome<String> {
    let lines: Vec<String> = (0..RECORDS_MAX).map(|number| format!("record-{number}")).collect();
    let input_path = stage.work_dir.join("input.txt");
    std::fs::write(&input_path, lines.join("\n"))?;
    let mut look = stage.look()?;
    let (mut feed, mut copiers) = steps.step("start", || {
        look.create(FROM, PARTITION_COUNT)?;
        look.create(TO, PARTITION_COUNT)?;
        let feed = format!("feed {FROM} {PARTITION_COUNT} {} {RECORDS_PER_SECOND}", input_path.display());
        let copiers = (0..COPIER_COUNT)
            .map(|number| stage.hand(&format!("copier-{number}"), &line(stage.seed, number)))
            .collect::<Outcome<Vec<Hand>>>()?;
        Ok((stage.hand("feed", &feed)?, copiers))
    })?;
    let kills = stage.kills;
    let deaths = steps.step(&format!("{kills}-kills"), || {
        stage.kill_repeatedly(&mut feed, &mut copiers, PROGRESS_PER_ROUND, |stage, number, copier| {
            stage.replace(copier, &line(stage.seed.wrapping_add(copier.progress()), number))
        })
    })?;
    steps.step("fed", || feed.leave(LEAVE_LIMIT))?;
    let fed = usize::try_from(feed.progress()).unwrap_or(usize::MAX);
    let lines = &lines[..fed.min(RECORDS_MAX)];
    steps.step("offsets", || wait_for_offsets(&mut look, &mut copiers))?;
    steps.step("leave", || copiers.iter_mut().try_for_each(|copier| copier.leave(LEAVE_LIMIT)))?;
    steps.step("source", || look.dump(FROM, Value::Text)?.check_lines(FROM, lines, PARTITION_COUNT))?;
    steps.step("copies", || look.dump(TO, Value::Text)?.check_lines(TO, lines, PARTITION_COUNT))?;
    steps.step("stable", || look.nothing_hangs(&[FROM, TO]))?;
    let notes: usize = copiers.iter().map(Hand::note_count).sum();
    Ok(format!(
        "{fed} records copied once and in order by {COPIER_COUNT} copiers under {kills} kills of the broker ({deaths}; \
         {notes} transactions met an error)"
    ))
}

fn line(seed: u64, number: usize) -> String {
    let seed = seed.wrapping_mul(31).wrapping_add(number as u64) >> 1;
    format!("copy {FROM} {TO} {GROUP} copier-{number} {seed}")
}

/// Everything is copied when the group's offsets are the ends.
fn wait_for_offsets(look: &mut Look, copiers: &mut [Hand]) -> Outcome<()> {
    let ends = look.high_watermarks(FROM)?;
    let deadline = Instant::now() + SETTLE_LIMIT;
    loop {
        let committed: BTreeMap<i32, i64> = look.committed(GROUP)?;
        if committed == ends {
            return Ok(());
        }
        if Instant::now() > deadline {
            let notes: Vec<_> = copiers.iter().map(Worker::last_notes).collect();
            return fail(format!(
                "committed offsets are {committed:?}, ends are {ends:?}\n{}",
                notes.join("\n---\n")
            ));
        }
        copiers.iter_mut().try_for_each(Worker::drain)?;
        std::thread::sleep(Duration::from_millis(200));
    }
}
