//! What one client did, step by step, with times; and where a scenario finds what it needs.
//! Shell: reads the clock.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::failure::Outcome;

/// How much a run does.
#[derive(Debug, Clone, Copy)]
pub struct Amounts {
    pub records_per_codec: usize,
    pub records_per_group_phase: usize,
    pub records_for_perf_tools: usize,
    pub records_per_transaction: usize,
}

impl Amounts {
    pub const QUICK: Self = Self {
        records_per_codec: 60,
        records_per_group_phase: 300,
        records_for_perf_tools: 20_000,
        records_per_transaction: 30,
    };
    pub const FULL: Self = Self {
        records_per_codec: 2_000,
        records_per_group_phase: 20_000,
        records_for_perf_tools: 500_000,
        records_per_transaction: 1_500,
    };
}

/// What a scenario is given.
#[derive(Debug, Clone)]
pub struct Setting {
    pub bootstrap: String,
    /// The `topic-partition` folders of the broker under test.
    pub log_dir: PathBuf,
    /// A prefix for topics and groups that no other scenario has.
    pub namespace: String,
    /// A directory for logs of the client's processes.
    pub work_dir: PathBuf,
    pub amounts: Amounts,
    /// Whether what was changed must be so in the next answer already, which is Ottla's promise and not Kafka's.
    pub changes_at_once: bool,
    /// Of the topics that are made.
    pub replicas: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    Passed,
    Skipped(String),
    Failed(String),
}

#[derive(Debug, Clone)]
pub struct Step {
    pub name: String,
    pub ending: Ending,
    pub took: Duration,
}

/// The steps of one client so far.
#[derive(Debug, Default)]
pub struct Steps {
    pub steps: Vec<Step>,
}

impl Steps {
    /// Runs one step and notes how it ended; a failure goes on up, since later steps build on earlier ones.
    pub fn step<T>(&mut self, name: &str, action: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let begin = Instant::now();
        let outcome = action();
        let ending = match &outcome {
            Ok(_) => Ending::Passed,
            Err(failure) => Ending::Failed(failure.0.clone()),
        };
        self.steps.push(Step { name: name.to_owned(), ending, took: begin.elapsed() });
        outcome
    }

    /// Notes what this client cannot do, whoever the broker is.
    pub fn skip(&mut self, name: &str, reason: &str) {
        let ending = Ending::Skipped(reason.to_owned());
        self.steps.push(Step { name: name.to_owned(), ending, took: Duration::ZERO });
    }
}
