//! Crashes as they happen: kills under load, damaged tails, full disks; each checked from outside, over the wire.
//! Shell: brokers, threads, files.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

pub(crate) mod batch;
pub(crate) mod dice;
mod disk;
mod kill;
mod tails;

use std::time::Instant;

use crate::broker::{self, Against, BrokerOptions};
use crate::failure::Outcome;

/// Which crashes to cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    Kill,
    Tails,
    Disk,
}

const PARTS: [Part; 3] = [Part::Kill, Part::Tails, Part::Disk];

#[derive(Debug, Clone)]
pub struct Plan {
    pub against: Against,
    /// How often the broker is killed under load.
    pub rounds: u32,
    /// How often every kind of damage is done to a tail.
    pub tail_rounds: u32,
    pub seed: u64,
    /// All of them when empty.
    pub parts: Vec<Part>,
    pub overrides: Vec<String>,
}

/// How one part ended.
enum Ending {
    Passed(String),
    Skipped(String),
}

/// Runs the parts, each on a broker of its own; true when none failed.
pub fn run(plan: &Plan) -> Outcome<bool> {
    if plan.against == Against::Ottla {
        println!("building ottla");
        broker::build_ottla()?;
    }
    println!("seed {}", plan.seed);
    let (mut passed_count, mut failed_count) = (0, 0);
    for part in PARTS.iter().filter(|part| plan.parts.is_empty() || plan.parts.contains(part)) {
        let begin = Instant::now();
        match run_part(plan, *part) {
            Ok(Ending::Passed(text)) => {
                passed_count += 1;
                println!("{part:?} passed in {:.0} s: {text}", begin.elapsed().as_secs_f64());
            }
            Ok(Ending::Skipped(reason)) => println!("{part:?} was skipped: {reason}"),
            Err(failure) => {
                failed_count += 1;
                println!("{part:?} FAILED after {:.0} s: {failure}", begin.elapsed().as_secs_f64());
                println!("again: cargo compat crash --seed {} {}", plan.seed, part_name(*part));
            }
        }
    }
    println!("{passed_count} passed, {failed_count} failed");
    Ok(failed_count == 0)
}

fn part_name(part: Part) -> &'static str {
    match part {
        Part::Kill => "kill",
        Part::Tails => "tails",
        Part::Disk => "disk",
    }
}

fn run_part(plan: &Plan, part: Part) -> Outcome<Ending> {
    if part == Part::Disk {
        return disk::run(plan.against, &plan.overrides);
    }
    let options = BrokerOptions { overrides: plan.overrides.clone(), ..BrokerOptions::default() };
    let mut broker = broker::start(plan.against, &options)?;
    let outcome = match part {
        Part::Tails => tails::run(&mut *broker, plan.tail_rounds, plan.seed),
        _ => kill::run(&mut *broker, plan.rounds, plan.seed),
    };
    match outcome {
        // What it wrote is the first thing a person wants to see, and its directory vanishes with it.
        Err(failure) => {
            println!("--- the broker's last lines\n{}\n---", broker.last_output(25));
            Err(failure)
        }
        Ok(text) => broker.stop().map(|()| Ending::Passed(text)),
    }
}
