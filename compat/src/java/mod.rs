//! `cargo compat java`: Apache Kafka's own Java tests, as published, against brokers in processes of their own.
//! Shell: processes, files, the clock.
#![allow(clippy::print_stdout, reason = "the table is this program's answer to a person")]

pub mod report;
pub mod rows;
pub mod runs;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use crate::broker::{self, Against};
use crate::failure::{Outcome, While, fail};
use crate::places::{ScratchDir, compat_dir};
use crate::verdict::Verdict;
use crate::{clients, summary};
use report::{Ended, Results};
use rows::{Row, Rows};
use runs::{Bench, Unit};

/// The name of these suites beside the clients of `quick` and `full`.
pub const NAME: &str = "java";

/// A list of classes in `compat/java`, with the ledger of its tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Family {
    list: &'static str,
    ledger: &'static str,
    about: &'static str,
}

const FAMILIES: [Family; 2] = [
    Family { list: "cluster.txt", ledger: "java-cluster.toml", about: "The cluster tests" },
    Family {
        list: "embedded.txt",
        ledger: "java-embedded.toml",
        about: "The tests of Streams, Connect and MirrorMaker on embedded clusters",
    },
];

/// What tells most in little time, each far from its time limits: `quick` runs it on a busy machine.
const SHORT_LIST: [&str; 15] = [
    "kafka.server.ConsumerGroupHeartbeatRequestTest",
    "kafka.server.HeartbeatRequestTest",
    "kafka.server.LeaveGroupRequestTest",
    "kafka.server.OffsetCommitRequestTest",
    "kafka.server.OffsetDeleteRequestTest",
    "kafka.server.OffsetFetchRequestTest",
    "org.apache.kafka.clients.MetadataVersionIntegrationTest",
    "org.apache.kafka.clients.admin.AdminFenceProducersTest",
    "org.apache.kafka.clients.admin.DynamicGroupConfigIntegrationTest",
    "org.apache.kafka.clients.consumer.ConsumerTopicCreationTest",
    "org.apache.kafka.clients.producer.ProducerIntegrationTest",
    "org.apache.kafka.server.log.LogAppendTimeTest",
    "org.apache.kafka.tools.AclCommandTest",
    "org.apache.kafka.tools.TopicCommandTest",
    "org.apache.kafka.tools.UserScramCredentialsCommandTest",
];

/// The tests mostly wait, for groups and for time-outs.
const JOBS: usize = 2;

/// What a run does.
#[derive(Debug, Clone)]
pub struct Plan {
    pub against: Against,
    /// `CLASS` or `CLASS#METHOD`; all classes when there is none, but for those that wait as a whole.
    pub tests: Vec<String>,
    /// JVMs at once.
    pub jobs: usize,
    /// One broker and one controller are one process, also where a test asks for them apart: it takes less time.
    pub together: bool,
    /// Whether the ledgers are written.
    pub ledger: bool,
}

impl Plan {
    /// The part of `cargo compat quick`.
    pub fn short(against: Against) -> Self {
        Self { tests: SHORT_LIST.map(str::to_owned).to_vec(), together: true, ..Self::whole(against) }
    }

    /// The part of `cargo compat full`.
    pub fn whole(against: Against) -> Self {
        Self { against, tests: Vec::new(), jobs: JOBS, together: false, ledger: false }
    }
}

/// Runs what the plan names; true when every test did at least what the ledger says of Apache Kafka and of before.
pub fn run(plan: &Plan) -> Outcome<bool> {
    let begin = Instant::now();
    let class_path = clients::java_suite_class_path(&|what| println!("{NAME}: {what}"))?;
    if plan.against == Against::Ottla {
        broker::build_ottla()?;
    }
    let mut rows = Rows::new();
    for family in FAMILIES {
        rows.extend(read_ledger(family)?);
    }
    let units = select(plan, &rows)?;
    let mut work = ScratchDir::new(NAME)?;
    let bench = Bench {
        against: plan.against,
        class_path,
        work_dir: work.path().to_owned(),
        jobs: plan.jobs,
        together: plan.together,
    };
    let mut results = bench.run(&units)?;
    if plan.jobs > 1 {
        again_alone(&bench, &rows, &mut results)?;
    }
    if plan.ledger {
        write_ledgers(plan.against, &results)?;
    }
    let clean = print_table(plan.against, &results, &rows, begin.elapsed().as_secs());
    if !clean {
        work.keep();
        println!("what the tests logged is in {}", work.path().display());
    }
    Ok(clean)
}

/// Once more, and alone, whatever failed beside others: the tests' time limits are for an idle machine.
fn again_alone(bench: &Bench, rows: &Rows, results: &mut Results) -> Outcome<()> {
    let failed = |(key, ended): (&(String, String), &Ended)| {
        counts(bench.against, ended.verdict, row_of(rows, key)).then(|| selector(key))
    };
    let failed: Vec<String> = results.iter().filter_map(failed).collect();
    if failed.is_empty() {
        return Ok(());
    }
    println!("once more, alone: {}", failed.join(" "));
    let alone = Bench {
        jobs: 1,
        work_dir: bench.work_dir.join("alone"),
        class_path: bench.class_path.clone(),
        ..*bench
    };
    results.extend(alone.run(&runs::units(&failed))?);
    Ok(())
}

/// What runs a test again: its method with all its runs, or the class that failed before its first test.
fn selector((class, test): &(String, String)) -> String {
    match test.split('[').next() {
        Some(method) if !method.is_empty() && method != "(class)" => format!("{class}#{method}"),
        _ => class.clone(),
    }
}

fn row_of<'a>(rows: &'a Rows, (class, test): &(String, String)) -> Option<&'a Row> {
    rows.get(class).and_then(|tests| tests.get(test))
}

fn ledger_path(family: Family) -> PathBuf {
    compat_dir().join("ledger").join(family.ledger)
}

fn read_ledger(family: Family) -> Outcome<Rows> {
    match fs::read_to_string(ledger_path(family)) {
        Ok(text) => rows::parse(&text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Rows::new()),
        Err(error) => Err(error).while_doing(|| format!("reading {}", family.ledger)),
    }
}

/// The classes of a family, one a line; `#` begins a comment.
fn classes(family: Family) -> Outcome<Vec<String>> {
    let path = compat_dir().join("java").join(family.list);
    let text = fs::read_to_string(&path).while_doing(|| format!("reading {}", path.display()))?;
    let named = text.lines().map(|line| line.split('#').next().unwrap_or("").trim());
    Ok(named.filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// The units of a plan. A name may be the end of a class name, as long as it is the end of one alone.
fn select(plan: &Plan, rows: &Rows) -> Outcome<Vec<Unit>> {
    let mut known = Vec::new();
    for family in FAMILIES {
        known.extend(classes(family)?);
    }
    if plan.tests.is_empty() {
        let waits = |class: &String| {
            let tests = rows.get(class);
            tests.is_some_and(|tests| tests.values().all(|row| row.waits.is_some()))
        };
        known.retain(|class| plan.against == Against::Kafka || !waits(class));
        if !plan.ledger {
            // A class that nobody has run yet has no row to be held against.
            let count = known.len();
            known.retain(|class| rows.contains_key(class));
            println!("{NAME}: {} classes are not in the ledgers yet", count - known.len());
        }
        return Ok(runs::units(&known));
    }
    let mut names = Vec::new();
    for test in &plan.tests {
        let class = test.split('#').next().unwrap_or(test);
        let method = &test[class.len()..];
        let is_named = |full: &&String| *full == class || full.ends_with(&format!(".{class}"));
        let found: Vec<&String> = known.iter().filter(is_named).collect();
        match found[..] {
            [full] => names.push(format!("{full}{method}")),
            [] => return fail(format!("no class of compat/java/*.txt is called {class}")),
            _ => return fail(format!("several classes are called {class}: {found:?}")),
        }
    }
    Ok(runs::units(&names))
}

fn write_ledgers(against: Against, results: &Results) -> Outcome<()> {
    for family in FAMILIES {
        let known: BTreeSet<String> = classes(family)?.into_iter().collect();
        // Read anew: a run on the other broker may have written meanwhile.
        let mut rows = read_ledger(family)?;
        for ((class, test), ended) in results.iter().filter(|((class, _), _)| known.contains(class)) {
            rows.entry(class.clone()).or_default().entry(test.clone()).or_default().note(against, ended);
        }
        fs::write(ledger_path(family), rows::print(&rows, family.about))?;
    }
    Ok(())
}

/// Whether a result counts as a failure: one where nothing is waited for and Apache Kafka does not fail as well, or
/// a test that is skipped though it has passed before.
fn counts(against: Against, verdict: Verdict, row: Option<&Row>) -> bool {
    match (against, verdict) {
        (_, Verdict::Passed) => false,
        (Against::Kafka, verdict) => verdict == Verdict::Failed,
        (Against::Ottla, Verdict::Failed) => {
            row.is_none_or(|row| row.waits.is_none() && row.kafka != Verdict::Failed)
        }
        (Against::Ottla, _) => row.is_some_and(|row| row.ottla == Verdict::Passed),
    }
}

/// Prints every failure and the counts; true when no failure counts.
fn print_table(against: Against, results: &Results, rows: &Rows, took_s: u64) -> bool {
    let count = |verdict| results.values().filter(|ended| ended.verdict == verdict).count();
    let mut clean = true;
    for (key, ended) in results {
        let row = row_of(rows, key);
        let name = format!("{}#{}", key.0, key.1);
        if counts(against, ended.verdict, row) {
            clean = false;
            println!("\nFAILED {name} after {} ms\n{}", ended.millis, ended.said);
            summary::note(&name, &ended.said);
        } else if ended.verdict == Verdict::Failed {
            let note = row.and_then(|row| row.waits.as_ref().or(row.reason.as_ref()));
            println!("failed {name}, as the ledger says: {}", note.map_or("on both", String::as_str));
        }
    }
    println!(
        "\n{NAME} against {against}: {} passed, {} failed, {} skipped in {took_s} s",
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
    fn no_row_of_a_ledger_falls_short_of_apache_kafka() {
        for family in FAMILIES {
            let rows = read_ledger(family).expect("it can be read");
            assert!(!rows.is_empty(), "{}", family.ledger);
            let known: BTreeSet<String> = classes(family).expect("the list is there").into_iter().collect();
            for (class, tests) in &rows {
                assert!(known.contains(class), "{class} is not in {}", family.list);
                for (test, row) in tests {
                    assert!(row.is_good(), "{class}#{test}: {row:?}");
                }
            }
        }
    }

    #[test]
    fn the_short_list_holds_classes_whose_tests_pass() {
        let rows = read_ledger(FAMILIES[0]).expect("it can be read");
        for name in SHORT_LIST {
            let class = name.split('#').next().unwrap_or(name);
            let tests = rows.get(class).expect("a class of the ledger");
            assert!(tests.values().any(|row| row.ottla == Verdict::Passed), "{class}");
        }
        let units = select(&Plan::short(Against::Ottla), &rows).expect("all are known");
        assert_eq!(units.len(), SHORT_LIST.len());
    }

    #[test]
    fn a_class_is_found_by_the_end_of_its_name_if_it_is_the_only_one() {
        let named = |tests: &[&str]| {
            let tests = tests.iter().map(|test| (*test).to_owned()).collect();
            select(&Plan { tests, ..Plan::whole(Against::Ottla) }, &Rows::new())
        };
        let units = named(&["JoinGroupRequestTest#testX"]).expect("one class has this name");
        assert_eq!(
            (units[0].class.as_str(), units[0].methods.len()),
            ("kafka.server.JoinGroupRequestTest", 1)
        );
        assert!(named(&["RequestTest"]).is_err());
    }

    #[test]
    fn a_class_of_which_every_test_waits_is_left_out_on_ottla() {
        let waiting = Row { waits: Some("SASL".to_owned()), ..Row::default() };
        let class = "kafka.server.JoinGroupRequestTest";
        let mut rows = Rows::from([(class.to_owned(), [("testX".to_owned(), waiting)].into())]);
        let has = |plan: Plan, rows: &Rows| {
            select(&plan, rows).expect("the lists are there").iter().any(|unit| unit.class == class)
        };
        assert!(!has(Plan::whole(Against::Ottla), &rows));
        assert!(has(Plan::whole(Against::Kafka), &rows));
        rows.get_mut(class).expect("the class").insert("testY".to_owned(), Row::default());
        assert!(has(Plan::whole(Against::Ottla), &rows));
    }

    #[test]
    fn a_failure_counts_unless_it_waits_or_kafka_fails_too_and_a_new_skip_counts() {
        let row = |ottla, kafka, waits: Option<&str>| Row {
            ottla,
            kafka,
            waits: waits.map(str::to_owned),
            ..Row::default()
        };
        let counts_here = |verdict, row: &Row| counts(Against::Ottla, verdict, Some(row));
        assert!(counts(Against::Ottla, Verdict::Failed, None));
        assert!(counts_here(Verdict::Failed, &row(Verdict::Passed, Verdict::Passed, None)));
        assert!(!counts_here(Verdict::Failed, &row(Verdict::Failed, Verdict::Failed, None)));
        assert!(!counts_here(Verdict::Failed, &row(Verdict::Failed, Verdict::Passed, Some("TLS"))));
        assert!(counts_here(Verdict::Skipped, &row(Verdict::Passed, Verdict::Passed, None)));
        assert!(!counts_here(Verdict::Skipped, &row(Verdict::Skipped, Verdict::Passed, None)));
        assert!(counts(Against::Kafka, Verdict::Failed, Some(&row(Verdict::Passed, Verdict::Failed, None))));
        assert!(!counts(Against::Kafka, Verdict::Skipped, None));
    }

    #[test]
    fn a_test_is_run_again_by_its_method_and_a_class_as_a_whole() {
        let selector = |test: &str| selector(&("a.B".to_owned(), test.to_owned()));
        assert_eq!(selector("testX[12]"), "a.B#testX");
        assert_eq!(selector("testY"), "a.B#testY");
        assert_eq!(selector("(class)"), "a.B");
    }
}
