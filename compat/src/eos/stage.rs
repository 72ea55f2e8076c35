//! What both programs play on: the broker and its deaths, and the look from outside at topics and groups.
//! Shell: the broker's process, client processes, the clock.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::broker::Broker;
use crate::contract::{Client, Event, Program};
use crate::crash::dice::Dice;
use crate::eos::dumped::{Dumped, Value};
use crate::eos::hand::Hand;
use crate::failure::{Outcome, fail};

const PAUSE: Duration = Duration::from_millis(10);
/// A program must come on this soon after a restart: sessions and transactions of the old life end in between.
const PROGRESS_LIMIT: Duration = Duration::from_secs(120);
const LOOK_LIMIT: Duration = Duration::from_secs(90);
/// The longest a kill waits once the programs have come on, so that it lands anywhere in a transaction.
const KILL_DELAY_MS_MAX: usize = 1_500;
/// A second kill comes this soon, while transactions of the last life are still being ended.
const EARLY_KILL_DELAY_MS_MAX: usize = 300;
const ROUNDS_PER_WORKER_DEATH: u32 = 3;
/// Once the broker is gone for longer than the transaction timeout of the programs.
const LONG_DEATH: Duration = Duration::from_secs(12);
const LONG_DEATH_ROUND: u32 = 5;

/// Something that works by itself while the broker dies.
pub(crate) trait Worker {
    /// Takes in what it has said by now.
    fn drain(&mut self) -> Outcome<()>;
    /// All it has done, killed predecessors' shares included.
    fn progress(&self) -> u64;
    /// For a failure message: what it met lately.
    fn last_notes(&self) -> String;
}

pub(crate) struct Stage<'a> {
    pub(crate) broker: &'a mut dyn Broker,
    pub(crate) program: &'a Program,
    pub(crate) work_dir: &'a Path,
    pub(crate) dice: Dice,
    pub(crate) seed: u64,
    pub(crate) kills: u32,
}

impl Stage<'_> {
    pub(crate) fn hand(&self, role: &str, line: &str) -> Outcome<Hand> {
        Hand::start(self.program, role, self.broker.bootstrap(), self.work_dir, line)
    }

    pub(crate) fn look(&self) -> Outcome<Look> {
        self.look_at("look", self.broker.bootstrap())
    }

    /// The same at another broker.
    pub(crate) fn look_at(&self, role: &str, bootstrap: &str) -> Outcome<Look> {
        let client = Client::start(self.program, role, bootstrap, self.work_dir)?;
        Ok(Look { client, dump_path: self.work_dir.join(format!("{role}.tsv")) })
    }

    /// Kills and restarts the broker; each time something was done since the last start. Some deaths are followed by
    /// another one while the broker still takes up what it found, and one lasts longer than a transaction may.
    /// Every third time a worker dies as well and `revive` gets its number.
    pub(crate) fn kill_repeatedly<W: Worker>(
        &mut self,
        feed: &mut impl Worker,
        workers: &mut [W],
        progress_per_round: u64,
        mut revive: impl FnMut(&Self, usize, &mut W) -> Outcome<()>,
    ) -> Outcome<Deaths> {
        let mut deaths = Deaths { early: 0, workers: 0, longest: Duration::ZERO };
        for round in 1..=self.kills {
            wait_for_progress(feed, workers, progress_per_round, round)?;
            self.pause(KILL_DELAY_MS_MAX);
            self.broker.kill9()?;
            let begin = Instant::now();
            if round == LONG_DEATH_ROUND {
                std::thread::sleep(LONG_DEATH);
            }
            self.broker.restart()?;
            deaths.longest = deaths.longest.max(begin.elapsed());
            if self.dice.between(0, 4) == 0 {
                deaths.early += 1;
                self.pause(EARLY_KILL_DELAY_MS_MAX);
                self.broker.kill9()?;
                self.broker.restart()?;
            }
            if round.is_multiple_of(ROUNDS_PER_WORKER_DEATH) {
                let number = deaths.workers as usize % workers.len();
                deaths.workers += 1;
                revive(self, number, &mut workers[number])?;
            }
        }
        wait_for_progress(feed, workers, progress_per_round, self.kills + 1)?;
        Ok(deaths)
    }

    fn pause(&mut self, ms_max: usize) {
        std::thread::sleep(Duration::from_millis(self.dice.between(0, ms_max) as u64));
    }

    /// Kills a worker; its successor is told the same and has to find out what it left behind.
    pub(crate) fn replace(&self, worker: &mut Hand, line: &str) -> Outcome<()> {
        worker.replace(self.program, self.broker.bootstrap(), self.work_dir, line)
    }
}

/// What happened beyond the kills that were asked for.
#[derive(Debug)]
pub(crate) struct Deaths {
    early: u32,
    workers: u32,
    longest: Duration,
}

impl std::fmt::Display for Deaths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} more right after a start, the longest death {:.1} s, {} kills of workers",
            self.early,
            self.longest.as_secs_f64(),
            self.workers
        )
    }
}

fn progress<W: Worker>(workers: &[W]) -> u64 {
    workers.iter().map(Worker::progress).sum()
}

fn wait_for_progress<W: Worker>(
    feed: &mut impl Worker,
    workers: &mut [W],
    amount: u64,
    round: u32,
) -> Outcome<()> {
    // What was said before the kill is no progress after it.
    workers.iter_mut().try_for_each(Worker::drain)?;
    let (before, deadline) = (progress(workers), Instant::now() + PROGRESS_LIMIT);
    while progress(workers) < before + amount {
        if Instant::now() > deadline {
            let notes: Vec<_> = workers.iter().map(Worker::last_notes).collect();
            return fail(format!(
                "round {round}: only {} of {amount} records within {PROGRESS_LIMIT:?}\n{}",
                progress(workers) - before,
                notes.join("\n---\n")
            ));
        }
        std::thread::sleep(PAUSE);
        feed.drain()?;
        workers.iter_mut().try_for_each(Worker::drain)?;
    }
    Ok(())
}

/// The program in the role of one who looks and changes nothing.
pub(crate) struct Look {
    client: Client,
    dump_path: std::path::PathBuf,
}

impl Look {
    pub(crate) fn create(&mut self, topic: &str, partition_count: usize) -> Outcome<()> {
        self.client.ask(&format!("create {topic} {partition_count}"), LOOK_LIMIT).map(drop)
    }

    /// What a reader of committed records finds, or of all where that is asked for.
    pub(crate) fn dump(&mut self, topic: &str, value: Value) -> Outcome<Dumped> {
        let word = match value {
            Value::Text => "text",
            Value::Long => "long",
            Value::Offset => "offset",
            Value::OfAll => "all",
        };
        self.client.ask(&format!("dump {topic} {word} {}", self.dump_path.display()), LOOK_LIMIT)?;
        Dumped::parse(&std::fs::read_to_string(&self.dump_path)?)
    }

    pub(crate) fn committed(&mut self, group: &str) -> Outcome<BTreeMap<i32, i64>> {
        let events = self.client.ask(&format!("committed {group}"), LOOK_LIMIT)?;
        Ok(offsets(events))
    }

    /// Gives a group without members an offset.
    pub(crate) fn commit(&mut self, group: &str, topic: &str, partition: i32, offset: i64) -> Outcome<()> {
        self.client.ask(&format!("commit {group} {topic} {partition} {offset}"), LOOK_LIMIT).map(drop)
    }

    fn ends(&mut self, topic: &str, isolation: &str) -> Outcome<BTreeMap<i32, i64>> {
        let events = self.client.ask(&format!("ends {topic} {isolation}"), LOOK_LIMIT)?;
        Ok(offsets(events))
    }

    pub(crate) fn high_watermarks(&mut self, topic: &str) -> Outcome<BTreeMap<i32, i64>> {
        self.ends(topic, "read_uncommitted")
    }

    /// No transaction is left open: what a reader of committed records may see ends where the log ends.
    pub(crate) fn nothing_hangs(&mut self, topics: &[&str]) -> Outcome<()> {
        for topic in topics {
            let stable = self.ends(topic, "read_committed")?;
            let ends = self.high_watermarks(topic)?;
            if stable != ends {
                return fail(format!("{topic}: last stable offsets are {stable:?}, ends are {ends:?}"));
            }
        }
        Ok(())
    }
}

fn offsets(events: Vec<Event>) -> BTreeMap<i32, i64> {
    let offset = |event| match event {
        Event::Offset { partition, offset } => Some((partition, offset)),
        _ => None,
    };
    events.into_iter().filter_map(offset).collect()
}
