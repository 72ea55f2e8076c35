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
use crate::failure::{Outcome, While, fail};
use load::Span;
use table::{Measured, Table};
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

/// Runs the plan and returns the table as Markdown.
pub fn run(plan: &Plan) -> Outcome<String> {
    let chosen = choose(&plan.workloads)?;
    if plan.only != Some(Against::Kafka) {
        broker::build_ottla()?;
    }
    let seconds = |warmup, measured| Span {
        warmup: Duration::from_secs(warmup),
        measured: Duration::from_secs(measured),
    };
    let span = if plan.quick { seconds(1, 2) } else { seconds(4, 5) };
    let mut table = Table::new(limits::measure()?);
    for workload in chosen {
        for _ in 0..plan.rounds {
            for against in ORDER.into_iter().filter(|against| plan.only.is_none_or(|only| only == *against)) {
                eprintln!("{} against {against}", workload.name);
                let measured = measure(workload, against, span)
                    .while_doing(|| format!("{} against {against}", workload.name))?;
                eprintln!("    {measured}");
                table.add(workload, against, measured);
            }
        }
    }
    Ok(table.to_string())
}

fn measure(workload: &Workload, against: Against, span: Span) -> Outcome<Measured> {
    (workload.run)(against, span)
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
