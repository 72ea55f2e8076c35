//! `cargo compat bench`: the same loads on Apache Kafka and on Ottla, in turn, and one table of what they cost.
//! shell: starts brokers, prints its progress.
#![allow(clippy::print_stderr, reason = "progress for the person who waits")]

pub mod frames;
pub mod gauge;
pub mod lifecycle;
pub mod limits;
pub mod load;
pub mod table;
pub mod workloads;

use std::time::Duration;

use crate::broker::{self, Against};
use crate::failure::{Outcome, fail};
use load::Span;
use table::Table;
use workloads::{WORKLOADS, Workload};

/// What a run is to do.
#[derive(Debug)]
pub struct Plan {
    pub quick: bool,
    pub rounds: u32,
    pub only: Option<Against>,
    pub workloads: Vec<String>,
}

/// Each order begins and ends with the same broker, so that a drift of the machine hits both alike.
const ORDER: [Against; 4] = [Against::Kafka, Against::Ottla, Against::Ottla, Against::Kafka];

/// What came of it: a slow broker is no failure, one that errs is.
#[derive(Debug)]
pub struct Report {
    /// The tables, as Markdown.
    pub text: String,
    pub failures: Vec<String>,
}

/// Runs the plan.
pub fn run(plan: &Plan) -> Outcome<Report> {
    let chosen = choose(&plan.workloads)?;
    if plan.only != Some(Against::Kafka) {
        broker::build_ottla()?;
    }
    let seconds = |warmup, measured| Span {
        warmup: Duration::from_secs(warmup),
        measured: Duration::from_secs(measured),
    };
    // A JVM that has not run a load for some seconds pays several times the price: short runs flatter Ottla.
    let span = if plan.quick { seconds(1, 2) } else { seconds(8, 5) };
    let (mut table, mut failures) = (Table::new(limits::measure()?), Vec::new());
    for workload in chosen {
        for _ in 0..plan.rounds {
            for against in ORDER.into_iter().filter(|against| plan.only.is_none_or(|only| only == *against)) {
                eprintln!("{} against {against}", workload.name);
                // One that fails must not cost the figures of all the others.
                match (workload.run)(against, span) {
                    Ok(measured) => {
                        eprintln!("    {measured}");
                        table.add(workload, against, measured);
                    }
                    Err(failure) => {
                        eprintln!("    {failure}");
                        failures.push(format!("{} against {against}: {failure}", workload.name));
                    }
                }
            }
        }
    }
    Ok(Report { text: table.to_string(), failures })
}

fn choose(names: &[String]) -> Outcome<Vec<&'static Workload>> {
    for name in names {
        if !WORKLOADS.iter().any(|workload| workload.name == name) {
            let known: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name).collect();
            return fail(format!("no workload is called {name}; there are {}", known.join(", ")));
        }
    }
    Ok(WORKLOADS.iter().filter(|w| names.is_empty() || names.iter().any(|name| name == w.name)).collect())
}
