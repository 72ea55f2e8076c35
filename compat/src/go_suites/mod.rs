//! `cargo compat go-suites`: the integration tests that a Go client carries in its module, unmodified, on several nodes.
//! Shell: processes, files, the clock.
#![allow(clippy::print_stdout, reason = "the table is this program's answer to a person")]

mod play;
mod suites;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use crate::broker::{self, Against, Broker as _};
use crate::failure::{Outcome, While, fail};
use crate::librdkafka::rows::{self, Mode, Rows};
use crate::places::{ScratchDir, compat_dir};
use crate::verdict::Verdict;
use play::Ended;
use suites::{SUITES, Suite};

pub const NAME: &str = "go-suites";

/// What a run does.
#[derive(Debug, Clone)]
pub struct Plan {
    pub against: Against,
    /// Suites, and single tests of them as `SUITE#TEST`; all when there is none.
    pub names: Vec<String>,
    pub overrides: Vec<String>,
    /// Whether the ledgers are written.
    pub ledger: bool,
}

impl Plan {
    /// The part of `cargo compat full`.
    pub fn whole(overrides: Vec<String>) -> Self {
        Self { against: Against::Ottla, names: Vec::new(), overrides, ledger: false }
    }
}

/// Runs what the plan names; true when every test did at least what the ledger says of Apache Kafka.
pub fn run(plan: &Plan) -> Outcome<bool> {
    let chosen = choose(&plan.names)?;
    if plan.against == Against::Ottla {
        broker::build_ottla()?;
    }
    let mut clean = true;
    for (suite, tests) in chosen {
        clean &= run_suite(plan, suite, &tests)?;
    }
    Ok(clean)
}

/// The suites that are named, each with the tests that are; no test means all of them.
fn choose(names: &[String]) -> Outcome<Vec<(&'static Suite, Vec<String>)>> {
    let mut chosen: Vec<(&Suite, Vec<String>)> = Vec::new();
    for name in names {
        let (wanted, test) =
            name.split_once('#').map_or((name.as_str(), None), |(suite, test)| (suite, Some(test)));
        let Some(suite) = SUITES.iter().find(|suite| suite.name == wanted) else {
            let known: Vec<_> = SUITES.iter().map(|suite| suite.name).collect();
            return fail(format!("no suite is called {wanted}; there are {}", known.join(", ")));
        };
        let test = test.map(str::to_owned);
        match chosen.iter_mut().find(|(one, _)| one.name == suite.name) {
            Some((_, tests)) => tests.extend(test),
            None => chosen.push((suite, test.into_iter().collect())),
        }
    }
    Ok(if names.is_empty() { SUITES.iter().map(|suite| (suite, Vec::new())).collect() } else { chosen })
}

fn run_suite(plan: &Plan, suite: &Suite, tests: &[String]) -> Outcome<bool> {
    let begin = Instant::now();
    let module = play::fetch(suite)?;
    let tests = if tests.is_empty() { play::tests(&module, suite)? } else { tests.to_vec() };
    let mut work = ScratchDir::new(suite.name)?;
    let mut stage = suites::Stage::start(suite, plan.against, &plan.overrides)?;
    let ended = play::run(&module, suite, &tests, &stage, work.path())?;
    let alive = stage.cluster.is_running();
    if !alive {
        let said = stage.cluster.last_output(40);
        println!("\n{} ended during the run:\n{said}", plan.against);
        crate::summary::note("a broker ended during the run", &said);
    }
    let stopped = stage.cluster.stop();
    if let Err(failure) = &stopped {
        println!("\n{failure}");
        crate::summary::note("the brokers' stop", &failure.0);
    }
    let path = ledger_path(suite);
    let mut rows = read(&path)?;
    if plan.ledger {
        note(&mut rows, plan.against, suite, &ended);
        fs::write(&path, rows::print(&rows, &head(suite)))
            .while_doing(|| format!("writing {}", path.display()))?;
    }
    let clean = print_table(suite, plan.against, &ended, &rows, begin.elapsed().as_secs());
    if !clean || !alive {
        work.keep();
        println!("what was logged is in {}", work.path().display());
    }
    Ok(clean && alive && stopped.is_ok())
}

fn ledger_path(suite: &Suite) -> PathBuf {
    compat_dir().join("ledger").join(format!("go-{}.toml", suite.name))
}

fn read(path: &std::path::Path) -> Outcome<Rows> {
    match fs::read_to_string(path) {
        Ok(text) => rows::parse(&text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Rows::new()),
        Err(error) => Err(error).while_doing(|| format!("reading {}", path.display())),
    }
}

fn head(suite: &Suite) -> String {
    format!(
        "# The tests of {} {}: results on Ottla and on Apache Kafka 4.3.1.\n\
         # `cargo compat go-suites {} --ledger [--against kafka]` writes results; reason is kept.\n",
        suite.module, suite.version, suite.name
    )
}

fn note(rows: &mut Rows, against: Against, suite: &Suite, ended: &BTreeMap<String, Ended>) {
    for (name, ended) in ended {
        let row = rows.entry(name.clone()).or_default();
        row.mode = Mode::Whole;
        row.cluster = Some(suite.cluster.to_owned());
        match against {
            Against::Ottla => (row.ottla, row.seconds) = (ended.verdict, ended.seconds),
            Against::Kafka => row.kafka = ended.verdict,
        }
    }
}

/// Prints every failure and the counts; true when no failure counts, which one does not that Apache Kafka has too.
fn print_table(
    suite: &Suite,
    against: Against,
    ended: &BTreeMap<String, Ended>,
    rows: &Rows,
    took_s: u64,
) -> bool {
    let count = |verdict| ended.values().filter(|ended| ended.verdict == verdict).count();
    let mut clean = true;
    for (name, ended) in ended.iter().filter(|(_, ended)| ended.verdict != Verdict::Passed) {
        let row = rows.get(name);
        let excused = against == Against::Ottla && row.is_some_and(|row| row.kafka == Verdict::Failed);
        let counted = ended.verdict == Verdict::Failed && !excused;
        clean &= !counted;
        let word = if counted { "FAILED" } else { ended.verdict.name() };
        let reason = row.and_then(|row| row.reason.as_deref()).unwrap_or_default();
        println!("{name:56} {word:7} {:4} s  {reason}", ended.seconds);
        if counted {
            println!("{}\n", ended.said);
            crate::summary::note(name, &ended.said);
        }
    }
    println!(
        "\n{} against {against}: {} passed, {} failed, {} skipped in {took_s} s",
        suite.name,
        count(Verdict::Passed),
        count(Verdict::Failed),
        count(Verdict::Skipped)
    );
    clean && count(Verdict::Passed) > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_is_chosen_once_with_all_tests_that_are_named() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let chosen = choose(&names(&["franz-go#TestA", "franz-go#TestB"])).unwrap();
        let chosen: Vec<_> = chosen.into_iter().map(|(suite, tests)| (suite.name, tests)).collect();
        assert_eq!(chosen, [("franz-go", names(&["TestA", "TestB"]))]);
        assert_eq!(choose(&[]).unwrap().len(), SUITES.len());
        assert!(choose(&names(&["nothing"])).is_err());
    }

    /// What passes on Apache Kafka passes here; what passes on neither, or is left out, says why.
    #[test]
    fn no_row_falls_short_of_apache_kafka() {
        for suite in &SUITES {
            let rows = read(&ledger_path(suite)).unwrap();
            assert!(rows.len() > 20, "{} has {} rows", suite.name, rows.len());
            for (name, row) in rows {
                let is_good =
                    row.ottla == Verdict::Passed || (row.kafka != Verdict::Passed && row.reason.is_some());
                assert!(is_good, "{}, {name}: {row:?}", suite.name);
            }
        }
    }
}
