//! A Kafka Streams application that counts words with exactly_once_v2: its counts are those of a single thread.
//! Shell: client processes, files, the clock.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::clients::prepare_apt;
use crate::crash::dice::Dice;
use crate::eos::dumped::{Dumped, Value};
use crate::eos::hand::Hand;
use crate::eos::stage::{Look, Stage, Worker as _};
use crate::failure::{Outcome, While, fail};
use crate::steps::Steps;
use crate::words::WORDS_PATH;

const FROM: &str = "lines";
const TO: &str = "word-counts";
const APPLICATION: &str = "word-count";
const REPARTITION: &str = "word-count-by-word-repartition";
const CHANGELOG: &str = "word-count-counts-changelog";
const TOPICS: [&str; 4] = [FROM, REPARTITION, CHANGELOG, TO];
const PARTITION_COUNT: usize = 4;
const WORDS_PER_LINE: usize = 5;
const VOCABULARY: usize = 3_000;
const LINES_PER_SECOND: usize = 300;
const LINES_MAX: usize = 200_000;
/// What must be counted between two kills.
const PROGRESS_PER_ROUND: u64 = 1_000;
const SETTLE_LIMIT: Duration = Duration::from_secs(180);
const LEAVE_LIMIT: Duration = Duration::from_secs(60);

pub(super) fn play(
    stage: &mut Stage<'_>,
    commit_interval_ms: u32,
    group_protocol: &str,
    steps: &mut Steps,
) -> Outcome<String> {
    prepare_apt("wamerican", std::path::Path::new(WORDS_PATH), &|_| {})?;
    let lines = lines(&mut stage.dice)?;
    let input_path = stage.work_dir.join("input.txt");
    std::fs::write(&input_path, lines.join("\n"))?;
    let mut look = stage.look()?;
    let state_dir = stage.work_dir.join("state");
    let state = state_dir.display();
    let count_line =
        format!("count-words {FROM} {TO} {APPLICATION} {state} {commit_interval_ms} {group_protocol}");
    let (mut feed, application) = steps.step("start", || {
        look.create(FROM, PARTITION_COUNT)?;
        look.create(TO, PARTITION_COUNT)?;
        let feed = format!("feed {FROM} {PARTITION_COUNT} {} {LINES_PER_SECOND}", input_path.display());
        Ok((stage.hand("feed", &feed)?, stage.hand("application", &count_line)?))
    })?;
    let kills = stage.kills;
    let mut workers = [application];
    let deaths = steps.step(&format!("{kills}-kills"), || {
        stage.kill_repeatedly(&mut feed, &mut workers, PROGRESS_PER_ROUND, |stage, _, application| {
            stage.replace(application, &count_line)
        })
    })?;
    let [mut application] = workers;
    steps.step("fed", || feed.leave(LEAVE_LIMIT))?;
    let fed = usize::try_from(feed.progress()).unwrap_or(usize::MAX);
    let lines = &lines[..fed.min(LINES_MAX)];
    steps.step("source", || look.dump(FROM, Value::Text)?.check_lines(FROM, lines, PARTITION_COUNT))?;
    let expected = count(lines);
    let word_count = lines.len() * WORDS_PER_LINE;
    let counts = steps.step("settle", || settle(&mut look, &mut application, word_count))?;
    steps.step("leave", || application.leave(LEAVE_LIMIT))?;
    steps.step("counts", || {
        counts.check_each(TO)?;
        counts.check_last(TO, &expected)
    })?;
    steps.step("changelog", || look.dump(CHANGELOG, Value::Long)?.check_last(CHANGELOG, &expected))?;
    steps.step("stable", || look.nothing_hangs(&TOPICS))?;
    steps.step("nothing-more", || match look.dump(TO, Value::Text)?.record_count() {
        found if found == word_count => Ok(()),
        found => fail(format!("{found} counts are committed for {word_count} words")),
    })?;
    Ok(format!(
        "{word_count} words of {} counted exactly once under {kills} kills of the broker ({deaths}), a commit every \
         {commit_interval_ms} ms ({} counts were in transactions that were then aborted)",
        expected.len(),
        application.progress().saturating_sub(word_count as u64)
    ))
}

/// Words of the word list; the first of them are far more frequent, as words are.
fn lines(dice: &mut Dice) -> Outcome<Vec<String>> {
    let text = std::fs::read_to_string(WORDS_PATH).while_doing(|| format!("reading {WORDS_PATH}"))?;
    let all: Vec<&str> = text.lines().collect();
    let words: Vec<&str> = all.iter().step_by((all.len() / VOCABULARY).max(1)).copied().collect();
    let line = |dice: &mut Dice| {
        let mut chosen = Vec::with_capacity(WORDS_PER_LINE);
        for _ in 0..WORDS_PER_LINE {
            let below = dice.between(1, words.len());
            chosen.push(words[dice.between(0, below)]);
        }
        chosen.join(" ")
    };
    Ok((0..LINES_MAX).map(|_| line(dice)).collect())
}

/// The count of a single thread.
fn count(lines: &[String]) -> BTreeMap<&str, u64> {
    let mut counts = BTreeMap::new();
    for word in lines.iter().flat_map(|line| line.split(' ')) {
        *counts.entry(word).or_default() += 1;
    }
    counts
}

/// Waits until as many counts are committed as words were fed; more of them can never become right again.
fn settle(look: &mut Look, application: &mut Hand, word_count: usize) -> Outcome<Dumped> {
    let deadline = Instant::now() + SETTLE_LIMIT;
    loop {
        application.drain()?;
        let dumped = look.dump(TO, Value::Text)?;
        let found = dumped.record_count();
        if found == word_count {
            return Ok(dumped);
        }
        if found > word_count || Instant::now() > deadline {
            // A transaction that nobody ends holds readers of committed records for good; that would be the broker.
            let (order, open) = (dumped.check_each(TO), look.nothing_hangs(&TOPICS));
            return fail(format!(
                "{found} counts are committed for {word_count} words\norder: {order:?}\nopen: {open:?}\n{}",
                application.last_notes()
            ));
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}
