//! `cargo compat librdkafka`: librdkafka's own test suite, unmodified, against a broker, and its ledger.
//! shell: processes, files, the clock.
#![allow(clippy::print_stdout, reason = "the table is this program's answer to a person")]

pub mod rows;
pub mod runs;
pub mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use crate::broker::{self, Against, BrokerOptions};
use crate::failure::{Outcome, While, fail};
use crate::places::{ScratchDir, compat_dir};
use rows::{Row, Rows, Verdict, number};
use runs::{Bench, Ended};
pub use sources::Version;

/// The name of this suite beside the clients of `quick` and `full`.
pub const NAME: &str = "librdkafka";

const AUTHORIZER: &str = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer";

/// What tells most in little time: produce and consume, codecs, offsets, groups, admin, idempotence.
const SHORT_LIST: [&str; 18] = [
    "0005", "0012", "0013", "0017", "0019", "0030", "0031", "0034", "0050", "0054", "0059", "0061", "0067",
    "0070", "0073", "0090", "0099", "0130",
];

/// What a run does.
#[derive(Debug, Clone)]
pub struct Plan {
    pub against: Against,
    pub version: Version,
    /// Numbers or names of tests; all but those that wait when there is none.
    pub tests: Vec<String>,
    pub overrides: Vec<String>,
    pub quick: bool,
    /// Whether the ledger is written.
    pub ledger: bool,
}

impl Plan {
    /// The part of `cargo compat quick`.
    pub fn short(against: Against, overrides: Vec<String>) -> Self {
        let tests = SHORT_LIST.iter().map(|number| (*number).to_owned()).collect();
        Self { against, version: Version::Newest, tests, overrides, quick: true, ledger: false }
    }

    /// The part of `cargo compat full`.
    pub fn whole(against: Against, overrides: Vec<String>) -> Self {
        Self { against, version: Version::Newest, tests: Vec::new(), overrides, quick: false, ledger: false }
    }
}

/// Runs what the plan names; true when every test did at least what the ledger says of Apache Kafka.
pub fn run(plan: &Plan) -> Outcome<bool> {
    if plan.ledger && plan.version != Version::Newest {
        return fail("the ledger is kept for the newest librdkafka only");
    }
    let tests_dir = sources::tests_dir(plan.version, &|what| println!("{NAME}: {what}"))?;
    let names = sources::test_names(&tests_dir)?;
    let mut rows = read_ledger()?;
    let numbers = select(plan, &names, &rows)?;
    let mut work = ScratchDir::new(NAME)?;
    if plan.against == Against::Ottla {
        broker::build_ottla()?;
    }
    // What the scenario "default" of the suite asks of its cluster; a line of the caller's own wins.
    let mut overrides = vec!["num.partitions=4".to_owned(), "group.initial.rebalance.delay.ms=0".to_owned()];
    // Some tests deny things to everyone and look whether they are denied.
    overrides.push(AUTHORIZER.to_owned());
    overrides.push("allow.everyone.if.no.acl.found=true".to_owned());
    overrides.extend(plan.overrides.iter().cloned());
    let mut broker = broker::start(plan.against, &BrokerOptions { overrides, ..BrokerOptions::default() })?;
    let begin = Instant::now();
    let bench = Bench {
        tests_dir,
        kafka_path: sources::kafka_path(work.path())?,
        work_dir: work.path().to_owned(),
        bootstrap: broker.bootstrap().to_owned(),
        quick: plan.quick,
    };
    let ended = bench.run(&numbers, &names)?;
    let alive = broker.is_running();
    if !alive {
        println!("\n{} ended during the run:\n{}", plan.against, broker.last_output(40));
    }
    let stopped = broker.stop();
    if plan.ledger {
        // Read anew: a run on the other broker may have written meanwhile.
        rows = read_ledger()?;
        note(&mut rows, plan.against, &ended);
        fs::create_dir_all(ledger_path().parent().unwrap_or(&compat_dir()))?;
        fs::write(ledger_path(), rows::print(&rows))?;
    }
    let clean =
        print_table(plan.against, &ended, &rows, begin.elapsed().as_secs()) && alive && stopped.is_ok();
    if !clean {
        work.keep();
        println!("what the tests logged is in {}", work.path().display());
    }
    Ok(clean)
}

fn ledger_path() -> PathBuf {
    compat_dir().join("ledger/librdkafka.toml")
}

fn read_ledger() -> Outcome<Rows> {
    match fs::read_to_string(ledger_path()) {
        Ok(text) => rows::parse(&text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Rows::new()),
        Err(error) => Err(error).while_doing(|| "reading the ledger".to_owned()),
    }
}

/// The numbers to run, in the suite's order. Without any named, those of which every test waits are left out on Ottla.
fn select(plan: &Plan, names: &[String], rows: &Rows) -> Outcome<Vec<String>> {
    let all: BTreeSet<String> = names.iter().map(|name| number(name).to_owned()).collect();
    if !plan.tests.is_empty() {
        let wanted: BTreeSet<String> = plan.tests.iter().map(|test| number(test).to_owned()).collect();
        if let Some(unknown) = wanted.difference(&all).next() {
            return fail(format!("librdkafka {} has no test {unknown}", plan.version.name()));
        }
        return Ok(wanted.into_iter().collect());
    }
    let waits = |name: &&String| rows.get(*name).is_some_and(|row| row.waits.is_some());
    let runs_on_ottla =
        |wanted: &String| names.iter().filter(|name| number(name) == wanted).any(|name| !waits(&name));
    Ok(all.into_iter().filter(|wanted| plan.against == Against::Kafka || runs_on_ottla(wanted)).collect())
}

fn note(rows: &mut Rows, against: Against, ended: &BTreeMap<String, Ended>) {
    for (name, ended) in ended {
        let row = rows.entry(name.clone()).or_default();
        match against {
            Against::Ottla => (row.ottla, row.seconds) = (ended.verdict, ended.seconds),
            Against::Kafka => {
                row.kafka = ended.verdict;
                if row.ottla == Verdict::NotRun {
                    row.seconds = ended.seconds;
                }
            }
        }
    }
}

/// Whether a failure counts: not where the row waits for something, nor where Apache Kafka fails as well.
fn counts(against: Against, row: Option<&Row>) -> bool {
    against == Against::Kafka || row.is_none_or(|row| row.waits.is_none() && row.kafka != Verdict::Failed)
}

/// Prints every failure and the counts; true when no failure counts.
fn print_table(against: Against, ended: &BTreeMap<String, Ended>, rows: &Rows, took_s: u64) -> bool {
    let count = |verdict| ended.values().filter(|ended| ended.verdict == verdict).count();
    let mut clean = true;
    for (name, ended) in ended {
        let row = rows.get(name);
        let counted = ended.verdict == Verdict::Failed && counts(against, row);
        clean &= !counted;
        let note = row.and_then(|row| row.waits.as_ref().or(row.reason.as_ref()));
        println!(
            "{name:42} {:7} {:4} s  {}",
            if counted { "FAILED" } else { ended.verdict.name() },
            ended.seconds,
            note.map_or("", String::as_str)
        );
        if counted {
            println!("{}\n", ended.said);
        }
    }
    println!(
        "\nlibrdkafka against {against}: {} passed, {} failed, {} skipped in {took_s} s",
        count(Verdict::Passed),
        count(Verdict::Failed),
        count(Verdict::Skipped)
    );
    clean && count(Verdict::Passed) > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        ["0001_a", "0001_b", "0002_c"].map(str::to_owned).to_vec()
    }

    fn waiting() -> Row {
        Row { waits: Some("TLS".to_owned()), ..Row::default() }
    }

    #[test]
    fn a_number_is_left_out_on_ottla_only_when_all_its_tests_wait() {
        let rows = Rows::from([("0001_a".to_owned(), waiting()), ("0002_c".to_owned(), waiting())]);
        let mut plan = Plan::whole(Against::Ottla, Vec::new());
        assert_eq!(select(&plan, &names(), &rows), Ok(vec!["0001".to_owned()]));
        plan.against = Against::Kafka;
        assert_eq!(select(&plan, &names(), &rows), Ok(vec!["0001".to_owned(), "0002".to_owned()]));
        plan.tests = vec!["0002_c".to_owned()];
        plan.against = Against::Ottla;
        assert_eq!(select(&plan, &names(), &rows), Ok(vec!["0002".to_owned()]));
    }

    #[test]
    fn a_failure_counts_unless_the_row_waits_or_kafka_fails_too() {
        let failing = Row { kafka: Verdict::Failed, ..Row::default() };
        assert!(counts(Against::Ottla, None));
        assert!(counts(Against::Ottla, Some(&Row { kafka: Verdict::Passed, ..Row::default() })));
        assert!(!counts(Against::Ottla, Some(&failing)));
        assert!(!counts(Against::Ottla, Some(&waiting())));
        assert!(counts(Against::Kafka, Some(&failing)));
    }

    #[test]
    fn a_run_on_kafka_leaves_the_result_here_as_it_was() {
        let mut rows =
            Rows::from([("0001_a".to_owned(), Row { ottla: Verdict::Passed, seconds: 3, ..Row::default() })]);
        let ended = Ended { verdict: Verdict::Failed, seconds: 9, said: String::new() };
        note(&mut rows, Against::Kafka, &BTreeMap::from([("0001_a".to_owned(), ended)]));
        let row = rows.get("0001_a").cloned();
        assert_eq!(
            row,
            Some(Row { ottla: Verdict::Passed, kafka: Verdict::Failed, seconds: 3, ..Row::default() })
        );
    }
}
