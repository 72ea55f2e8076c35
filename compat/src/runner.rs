//! Runs clients against one broker, a few at a time, each in a namespace of its own, and prints the table.
//! Shell: threads, the broker, the clock.
#![allow(clippy::print_stdout, reason = "the table is this program's answer to a person")]

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::broker::{self, Against};
use crate::clients::{CLIENTS, ClientRow};
use crate::failure::{Outcome, fail};
use crate::places::ScratchDir;
use crate::several;
use crate::steps::{Amounts, Ending, Setting, Steps};

/// Clients mostly wait (for sessions to end, for rebalances), so more of them than processors run at once.
const PARALLEL_COUNT: usize = 4;

/// In the new consumer protocol the broker says how long sessions are: as long as other members' here.
const SHORT_SESSIONS: [&str; 4] = [
    "group.consumer.min.session.timeout.ms=6000",
    "group.consumer.session.timeout.ms=6000",
    "group.consumer.min.heartbeat.interval.ms=1000",
    "group.consumer.heartbeat.interval.ms=1000",
];

/// What a run does.
#[derive(Debug, Clone)]
pub struct Plan {
    pub against: Against,
    pub names: Vec<String>,
    pub amounts: Amounts,
    pub overrides: Vec<String>,
    /// Brokers in the cluster; with several, topics have three replicas.
    pub nodes: usize,
}

/// One client's row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) prepared_in: Duration,
    pub(crate) played_in: Duration,
    pub(crate) steps: Steps,
}

/// Runs what the plan names; true when nothing failed.
pub fn run(plan: &Plan) -> Outcome<bool> {
    let rows = select(&plan.names, plan.nodes)?;
    let begin = Instant::now();
    if plan.against == Against::Ottla {
        println!("building ottla");
        broker::build_ottla()?;
    }
    let overrides =
        SHORT_SESSIONS.iter().map(|key| (*key).to_owned()).chain(plan.overrides.clone()).collect();
    let mut broker = several::start(plan.against, plan.nodes, overrides)?;
    println!(
        "{} serves on {} after {:.1} s",
        plan.against,
        broker.bootstrap(),
        begin.elapsed().as_secs_f64()
    );
    let mut work = ScratchDir::new("work")?;
    let finished = Mutex::new(Vec::new());
    let queue: Mutex<VecDeque<ClientRow>> = Mutex::new(rows.iter().copied().collect());
    // What all clients share; each has a name and a directory of its own.
    let common = Setting {
        bootstrap: broker.bootstrap().to_owned(),
        log_dir: broker.log_dir().to_owned(),
        namespace: "compat".to_owned(),
        work_dir: work.path().to_owned(),
        amounts: plan.amounts,
        // Each node hears of a change by itself.
        changes_at_once: plan.against == Against::Ottla && plan.nodes == 1,
        replicas: plan.nodes.min(3),
    };
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL_COUNT {
            scope.spawn(|| {
                while let Some(client) = next(&queue) {
                    let row = play(&client, &common);
                    println!("{}", summary(&row));
                    finished.lock().unwrap_or_else(PoisonError::into_inner).push(row);
                }
            });
        }
    });
    let mut finished = finished.into_inner().unwrap_or_else(PoisonError::into_inner);
    finished.sort_by_key(|row| rows.iter().position(|client| client.name == row.name));
    let alive = broker.is_running();
    if !alive {
        let said = broker.last_output(40);
        println!("\n{} ended during the run:\n{said}", plan.against);
        crate::summary::note("the broker ended during the run", &said);
    }
    let stopped = broker.stop();
    if let Err(failure) = &stopped {
        println!("\n{failure}");
        crate::summary::note("the broker's stop", &failure.0);
    }
    let clean = print_table(&finished, begin.elapsed()) && alive && stopped.is_ok();
    if !clean {
        work.keep();
        println!("what the clients logged is in {}", work.path().display());
    }
    Ok(clean)
}

fn select(names: &[String], nodes: usize) -> Outcome<Vec<ClientRow>> {
    for name in names {
        if !CLIENTS.iter().any(|client| client.name == name) {
            let known: Vec<_> = CLIENTS.iter().map(|client| client.name).collect();
            return fail(format!("no client is called {name}; there are {}", known.join(", ")));
        }
    }
    let wanted = |client: &&ClientRow| names.is_empty() || names.iter().any(|name| name == client.name);
    let fits = |client: &&ClientRow| nodes == 1 || !client.has_own_broker();
    Ok(CLIENTS.iter().filter(wanted).filter(fits).copied().collect())
}

fn next(queue: &Mutex<VecDeque<ClientRow>>) -> Option<ClientRow> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

fn play(client: &ClientRow, common: &Setting) -> Row {
    let mut steps = Steps::default();
    let begin = Instant::now();
    let say = |what: &str| println!("{}: {what}", client.name);
    let prepared = match client.prepare(&say) {
        Ok(prepared) => prepared,
        Err(failure) => {
            // A preparation that worked is no test of the broker; one that did not must not look like one that did.
            let _ = steps.step::<()>("prepare", || Err(failure));
            return Row { name: client.name, prepared_in: begin.elapsed(), played_in: Duration::ZERO, steps };
        }
    };
    let prepared_in = begin.elapsed();
    let begin = Instant::now();
    let played = setting(client, common).and_then(|setting| prepared.play(&setting, &mut steps));
    // A failure outside of any step still has to be in the table.
    if let Err(failure) = played
        && !steps.steps.iter().any(|step| matches!(step.ending, Ending::Failed(_)))
    {
        let _ = steps.step::<()>("begin", || Err(failure));
    }
    Row { name: client.name, prepared_in, played_in: begin.elapsed(), steps }
}

fn setting(client: &ClientRow, common: &Setting) -> Outcome<Setting> {
    let work_dir = common.work_dir.join(client.name);
    std::fs::create_dir_all(&work_dir)?;
    Ok(Setting { namespace: format!("{}-{}", common.namespace, client.name), work_dir, ..common.clone() })
}

fn summary(row: &Row) -> String {
    let verdict = if row.steps.steps.iter().any(|step| matches!(step.ending, Ending::Failed(_))) {
        "FAILED"
    } else {
        "passed"
    };
    format!(
        "{}: {verdict} in {:.1} s (made ready in {:.1} s)",
        row.name,
        row.played_in.as_secs_f64(),
        row.prepared_in.as_secs_f64()
    )
}

/// Prints a line a client, the failures in full, and the count; true when nothing failed.
pub(crate) fn print_table(rows: &[Row], took: Duration) -> bool {
    let (mut passed_count, mut failed_count) = (0, 0);
    println!();
    for row in rows {
        let mut words = Vec::new();
        for step in &row.steps.steps {
            words.push(match &step.ending {
                Ending::Passed => {
                    passed_count += 1;
                    step.name.clone()
                }
                Ending::Skipped(_) => format!("({})", step.name),
                Ending::Failed(_) => {
                    failed_count += 1;
                    format!("FAILED:{}", step.name)
                }
            });
        }
        println!("{:16} {:6.1} s  {}", row.name, row.played_in.as_secs_f64(), words.join(" "));
    }
    println!("\n(step) was skipped: the client cannot do it on any broker");
    for row in rows {
        for step in &row.steps.steps {
            match &step.ending {
                Ending::Passed => {}
                Ending::Skipped(reason) => println!("  {} {}: {reason}", row.name, step.name),
                Ending::Failed(reason) => {
                    crate::summary::note(&format!("{}, {}", row.name, step.name), reason);
                    println!(
                        "\n--- {}, {} (after {:.1} s):\n{reason}",
                        row.name,
                        step.name,
                        step.took.as_secs_f64()
                    );
                }
            }
        }
    }
    println!("\nall of it took {:.0} s", took.as_secs_f64());
    println!("{passed_count} passed, {failed_count} failed");
    failed_count == 0 && passed_count > 0
}
