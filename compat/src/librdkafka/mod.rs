//! `cargo compat librdkafka`: librdkafka's own test suite, unmodified, against a broker, and its ledger.
//! Shell: processes, files, the clock.
#![allow(clippy::print_stdout, reason = "the table is this program's answer to a person")]

pub mod grounds;
pub mod rows;
pub mod runs;
pub mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::broker::{self, Against};
use crate::failure::{Outcome, While, fail};
use crate::places::{ScratchDir, compat_dir};
use crate::verdict::Verdict;
use grounds::{Ground, Stand, Told};
use rows::{Mode, Row, Rows, number};
use runs::{Bench, Ended, Unit};
pub use sources::Version;
use sources::{Scenario, Test};

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
    pub mode: Mode,
    /// Whether the ledger is written.
    pub ledger: bool,
}

impl Plan {
    /// The part of `cargo compat quick`.
    pub fn short(against: Against, overrides: Vec<String>) -> Self {
        let tests = SHORT_LIST.iter().map(|number| (*number).to_owned()).collect();
        Self { against, version: Version::Newest, tests, overrides, mode: Mode::Quick, ledger: false }
    }

    /// The part of `cargo compat full`.
    pub fn whole(against: Against, overrides: Vec<String>) -> Self {
        let (version, mode) = (Version::Newest, Mode::Whole);
        Self { against, version, tests: Vec::new(), overrides, mode, ledger: false }
    }
}

/// Runs what the plan names; true when every test did at least what the ledger says of Apache Kafka.
pub fn run(plan: &Plan) -> Outcome<bool> {
    let tests_dir = sources::tests_dir(plan.version, &|what| println!("{NAME}: {what}"))?;
    let tests = sources::tests(&tests_dir)?;
    let mut rows = read_ledger(plan.version)?;
    let units = select(plan, &tests, &rows)?;
    let mut work = ScratchDir::new(NAME)?;
    if plan.against == Against::Ottla {
        broker::build_ottla()?;
    }
    let kafka_path = sources::kafka_path(work.path())?;
    let begin = Instant::now();
    let (mut ended, mut alive) = (BTreeMap::new(), true);
    let stages: BTreeSet<(Ground, Scenario)> =
        units.iter().map(|unit| (unit.ground, unit.scenario)).collect();
    for stage in stages {
        let of_stage: Vec<Unit> =
            units.iter().filter(|unit| (unit.ground, unit.scenario) == stage).cloned().collect();
        let bench = |told: Told| Bench {
            tests_dir: tests_dir.clone(),
            kafka_path: kafka_path.clone(),
            work_dir: work.path().to_owned(),
            told,
            mode: plan.mode,
        };
        let (results, lived) = run_stage(plan, stage, &of_stage, &rows, &bench)?;
        ended.extend(results);
        alive &= lived;
    }
    if plan.ledger {
        // Read anew: a run on the other broker may have written meanwhile.
        rows = read_ledger(plan.version)?;
        note(&mut rows, plan, &tests, &ended);
        let path = ledger_path(plan.version);
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        fs::write(path, rows::print(&rows, &rows::head(plan.version.name())))?;
    }
    let clean = print_table(plan.against, &ended, &rows, begin.elapsed().as_secs()) && alive;
    if !clean {
        work.keep();
        println!("what the tests logged is in {}", work.path().display());
    }
    Ok(clean)
}

/// Starts a cluster for one ground and scenario and runs its tests; also says whether it lived to a clean end.
fn run_stage(
    plan: &Plan,
    (ground, scenario): (Ground, Scenario),
    units: &[Unit],
    rows: &Rows,
    bench: &dyn Fn(Told) -> Bench,
) -> Outcome<(BTreeMap<String, Ended>, bool)> {
    let certificates = ScratchDir::new("certificates")?;
    let Stand { mut broker, told } =
        Stand::start(ground, plan.against, cluster(plan, scenario), certificates.path())?;
    let ended = bench(told).run(units, rows)?;
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
    Ok((ended, alive && stopped.is_ok()))
}

/// What librdkafka's own `scenarios/` and cluster script ask of a cluster; a line of the caller's own wins.
fn cluster(plan: &Plan, scenario: Scenario) -> Vec<String> {
    let mut lines = vec![
        "num.partitions=4".to_owned(),
        format!("auto.create.topics.enable={}", scenario == Scenario::Default),
        // Kafka's default, which the starter of the reference shortens: 0113 counts on members that subscribe
        // one after the other being in the first generation together.
        "group.initial.rebalance.delay.ms=3000".to_owned(),
    ];
    // Some tests deny things to everyone and look whether they are denied.
    lines.push(AUTHORIZER.to_owned());
    lines.push("allow.everyone.if.no.acl.found=true".to_owned());
    // Tests of share groups wait for locks to end.
    lines.push("group.share.min.record.lock.duration.ms=1000".to_owned());
    lines.extend(plan.overrides.iter().cloned());
    lines
}

fn ledger_path(version: Version) -> PathBuf {
    let file = match version {
        Version::Newest => "librdkafka.toml".to_owned(),
        Version::Old => format!("librdkafka-{}.toml", version.name()),
    };
    compat_dir().join("ledger").join(file)
}

fn read_ledger(version: Version) -> Outcome<Rows> {
    match fs::read_to_string(ledger_path(version)) {
        Ok(text) => rows::parse(&text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Rows::new()),
        Err(error) => Err(error).while_doing(|| "reading the ledger".to_owned()),
    }
}

/// The processes to run, in the suite's order. Without any named, those of which every test waits are left out on
/// Ottla, and those that stay in the client on Apache Kafka.
fn select(plan: &Plan, tests: &[Test], rows: &Rows) -> Outcome<Vec<Unit>> {
    let mut units = runs::units(tests);
    if !plan.tests.is_empty() {
        let wanted: BTreeSet<&str> = plan.tests.iter().map(|test| number(test)).collect();
        let known: BTreeSet<&str> = tests.iter().map(|test| number(&test.name)).collect();
        if let Some(unknown) = wanted.difference(&known).next() {
            return fail(format!("librdkafka {} has no test {unknown}", plan.version.name()));
        }
        units.retain(|unit| wanted.contains(unit.number.as_str()));
        if plan.against == Against::Kafka && units.iter().any(|unit| !unit.client_only) {
            units.retain(|unit| !unit.client_only);
        }
        return Ok(units);
    }
    let waits = |name: &String| rows.get(name).is_some_and(|row| row.waits.is_some());
    units.retain(|unit| match plan.against {
        Against::Kafka => !unit.client_only,
        Against::Ottla => !unit.names.iter().all(waits),
    });
    Ok(units)
}

/// Writes results into the rows. A quick result never stands in for a whole one, and a whole one forgets what the
/// other broker did quickly, so that the two columns of a row are always of one mode.
fn note(rows: &mut Rows, plan: &Plan, tests: &[Test], ended: &BTreeMap<String, Ended>) {
    for (name, ended) in ended {
        let row = rows.entry(name.clone()).or_default();
        if plan.mode < row.mode {
            continue;
        }
        if plan.mode > row.mode {
            (row.ottla, row.kafka, row.mode) = (Verdict::NotRun, Verdict::NotRun, plan.mode);
        }
        row.client_only = tests.iter().any(|test| test.name == *name && test.client_only);
        row.cluster = Ground::of(number(name), row.client_only).name().map(str::to_owned);
        if row.client_only || plan.against == Against::Ottla {
            (row.ottla, row.seconds) = (ended.verdict, ended.seconds);
        }
        if row.client_only || plan.against == Against::Kafka {
            row.kafka = ended.verdict;
            if row.ottla == Verdict::NotRun {
                row.seconds = ended.seconds;
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
            crate::summary::note(name, &ended.said);
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

    fn tests() -> Vec<Test> {
        [("0001_a", false), ("0001_b", false), ("0002_c", false), ("0002_d_mock", true)]
            .map(|(name, client_only)| Test {
                name: name.to_owned(),
                client_only,
                scenario: Scenario::Default,
            })
            .to_vec()
    }

    fn waiting() -> Row {
        Row { waits: Some("TLS".to_owned()), ..Row::default() }
    }

    fn labels(plan: &Plan, rows: &Rows) -> Vec<(String, bool)> {
        let units = select(plan, &tests(), rows).unwrap();
        units.into_iter().map(|unit| (unit.number, unit.client_only)).collect()
    }

    #[test]
    fn what_only_waits_is_left_out_on_ottla_and_what_stays_in_the_client_on_kafka() {
        let rows = Rows::from([("0001_a".to_owned(), waiting()), ("0002_c".to_owned(), waiting())]);
        let mut plan = Plan::whole(Against::Ottla, Vec::new());
        assert_eq!(labels(&plan, &rows), [("0001".to_owned(), false), ("0002".to_owned(), true)]);
        plan.against = Against::Kafka;
        assert_eq!(labels(&plan, &rows), [("0001".to_owned(), false), ("0002".to_owned(), false)]);
        plan.tests = vec!["0002_c".to_owned()];
        assert_eq!(labels(&plan, &rows), [("0002".to_owned(), false)]);
        plan.against = Against::Ottla;
        assert_eq!(labels(&plan, &rows), [("0002".to_owned(), false), ("0002".to_owned(), true)]);
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

    fn noted(row: Row, name: &str, plan: &Plan, verdict: Verdict) -> Option<Row> {
        let mut rows = Rows::from([(name.to_owned(), row)]);
        let ended = Ended { verdict, seconds: 9, said: String::new() };
        note(&mut rows, plan, &tests(), &BTreeMap::from([(name.to_owned(), ended)]));
        rows.get(name).cloned()
    }

    #[test]
    fn a_run_on_kafka_leaves_the_result_here_as_it_was() {
        let row = Row { ottla: Verdict::Passed, seconds: 3, mode: Mode::Whole, ..Row::default() };
        let plan = Plan::whole(Against::Kafka, Vec::new());
        let expected = Row { kafka: Verdict::Failed, ..row.clone() };
        assert_eq!(noted(row, "0001_a", &plan, Verdict::Failed), Some(expected));
    }

    #[test]
    fn the_columns_of_a_row_are_of_one_mode() {
        let quick = Row { ottla: Verdict::Passed, kafka: Verdict::Passed, ..Row::default() };
        let plan = Plan::whole(Against::Ottla, Vec::new());
        let expected = Row { ottla: Verdict::Failed, seconds: 9, mode: Mode::Whole, ..Row::default() };
        assert_eq!(noted(quick, "0001_a", &plan, Verdict::Failed), Some(expected.clone()));
        let plan = Plan { mode: Mode::Quick, ..plan };
        assert_eq!(noted(expected.clone(), "0001_a", &plan, Verdict::Passed), Some(expected));
    }

    #[test]
    fn a_test_that_stays_in_the_client_is_run_once_for_both() {
        let plan = Plan::whole(Against::Ottla, Vec::new());
        let row = noted(Row::default(), "0002_d_mock", &plan, Verdict::Passed).unwrap();
        assert_eq!((row.ottla, row.kafka, row.client_only), (Verdict::Passed, Verdict::Passed, true));
    }

    #[test]
    fn no_row_says_that_kafka_passes_where_ottla_does_not() {
        for version in [Version::Newest, Version::Old] {
            for (name, row) in read_ledger(version).unwrap() {
                let behind = row.kafka == Verdict::Passed && row.ottla != Verdict::Passed;
                assert!(!behind || row.waits.is_some(), "{name} with librdkafka {}", version.name());
            }
        }
    }
}
