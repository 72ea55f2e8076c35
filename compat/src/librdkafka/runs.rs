//! One process of librdkafka's test-runner for each test number, most of them several at a time, each with a time limit.
//! Shell: processes, threads, files, the clock.
#![allow(clippy::print_stdout, reason = "a second try is told to the person who waits")]

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::grounds::{Ground, Told};
use super::rows::{Mode, Rows, number};
use super::sources::{Scenario, Test};
use crate::failure::{Outcome, While};
use crate::process::{Process, last_lines};
use crate::verdict::Verdict;

/// The tests mostly wait, so more of them than processors run at once.
const PARALLEL_COUNT: usize = 6;
/// Beyond what a test needs (0113 takes eleven minutes); a crash or a hang costs its own number alone.
const NUMBER_LIMIT: Duration = Duration::from_secs(1_200);
/// The tests' own time limits are for an idle machine.
const TIMEOUT_MULTIPLIER: u32 = 3;

/// Tests that measure time, and fail where others take the processors from them; they run last, one by one.
const ALONE: [&str; 4] = ["0055", "0080", "0143", "0182"];

/// The first use of groups creates a topic on the broker, which some tests' own limits have no room for.
const WARM_UP: &str = "0019";

/// One process: the tests of one number that leave the client, or those that do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    pub number: String,
    pub client_only: bool,
    pub scenario: Scenario,
    pub ground: Ground,
    pub names: Vec<String>,
}

impl Unit {
    fn covers(&self, test: &Test) -> bool {
        number(&test.name) == self.number
            && test.client_only == self.client_only
            && test.scenario == self.scenario
    }

    fn label(&self) -> String {
        let part = if self.client_only { "-client" } else { "" };
        let scenario = if self.scenario == Scenario::Default { "" } else { "-noautocreate" };
        format!("{}{part}{scenario}", self.number)
    }

    fn seconds_in(&self, rows: &Rows) -> u64 {
        self.names.iter().filter_map(|name| rows.get(name)).map(|row| row.seconds).sum()
    }
}

/// The processes that play `tests`, in the suite's order.
pub fn units<'a>(tests: impl IntoIterator<Item = &'a Test>) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for test in tests {
        match units.iter_mut().find(|unit| unit.covers(test)) {
            Some(unit) => unit.names.push(test.name.clone()),
            None => units.push(Unit {
                number: number(&test.name).to_owned(),
                client_only: test.client_only,
                scenario: test.scenario,
                ground: Ground::of(number(&test.name), test.client_only),
                names: vec![test.name.clone()],
            }),
        }
    }
    units
}

/// Which run beside others, the longest first so that none is left over at the end; and which run alone after them.
pub fn schedule<'a>(units: &'a [Unit], rows: &Rows) -> (Vec<&'a Unit>, Vec<&'a Unit>) {
    let (alone, mut beside): (Vec<&Unit>, Vec<&Unit>) =
        units.iter().partition(|unit| ALONE.contains(&unit.number.as_str()));
    beside.sort_by_key(|unit| std::cmp::Reverse(unit.seconds_in(rows)));
    (beside, alone)
}

/// Where the tests are and what they run against.
#[derive(Debug)]
pub struct Bench {
    pub tests_dir: PathBuf,
    pub kafka_path: PathBuf,
    pub work_dir: PathBuf,
    pub told: Told,
    pub mode: Mode,
}

/// What one test came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub verdict: Verdict,
    pub seconds: u64,
    /// The end of what the test printed, when it failed.
    pub said: String,
}

impl Bench {
    /// Runs every unit; the answer has an entry for each of their names. What fails beside others is run again alone,
    /// since the tests' own time limits count on the processors being theirs.
    pub fn run(&self, units: &[Unit], rows: &Rows) -> Outcome<BTreeMap<String, Ended>> {
        let Told { bootstrap, conf, .. } = &self.told;
        let lines = conf.join("\n");
        let conf =
            format!("bootstrap.servers={bootstrap}\ntest.timeout.multiplier={TIMEOUT_MULTIPLIER}\n{lines}\n");
        fs::write(self.conf_path(), conf).while_doing(|| "writing test.conf".to_owned())?;
        if units.iter().any(|unit| !unit.client_only) {
            self.warm_up();
        }
        let (beside, mut alone) = schedule(units, rows);
        let mut ended = self.run_several(&beside, PARALLEL_COUNT);
        let failed = |name: &String| ended.get(name).is_some_and(|ended| ended.verdict == Verdict::Failed);
        alone.extend(beside.into_iter().filter(|unit| unit.names.iter().any(failed)));
        for (name, last) in self.run_several(&alone, 1) {
            let first = ended.insert(name.clone(), last.clone());
            if let Some(first) = first.filter(|first| first.verdict != last.verdict) {
                println!("{name} {} beside others and {} alone", first.verdict.name(), last.verdict.name());
            }
        }
        Ok(ended)
    }

    fn run_several(&self, units: &[&Unit], at_once: usize) -> BTreeMap<String, Ended> {
        let queue: Mutex<VecDeque<&Unit>> = Mutex::new(units.iter().copied().collect());
        let ended = Mutex::new(BTreeMap::new());
        std::thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|| {
                    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    while let Some(unit) = next() {
                        let results = self.run_unit(unit);
                        ended.lock().unwrap_or_else(PoisonError::into_inner).extend(results);
                    }
                });
            }
        });
        ended.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn conf_path(&self) -> PathBuf {
        self.work_dir.join("test.conf")
    }

    /// What it comes to does not matter: the same test is run again and counted with the others.
    fn warm_up(&self) {
        let unit = Unit {
            number: WARM_UP.to_owned(),
            client_only: false,
            scenario: Scenario::Default,
            ground: Ground::One,
            names: Vec::new(),
        };
        let path = |end: &str| self.work_dir.join(format!("warm-up.{end}"));
        let _ = self.play(&unit, &path("log"), &path("json"));
    }

    fn run_unit(&self, unit: &Unit) -> Vec<(String, Ended)> {
        let path = |end: &str| self.work_dir.join(format!("{}.{end}", unit.label()));
        let (output_path, report_path) = (path("log"), path("json"));
        // The log of a first try stays for comparison; the runner writes the report anew.
        let _ = fs::remove_file(&report_path);
        let begin = Instant::now();
        let outcome = self.play(unit, &output_path, &report_path);
        let took = begin.elapsed().as_secs();
        let report = fs::read_to_string(&report_path).unwrap_or_default();
        let end_of = |name: &String| {
            let found = state_in(&report, name);
            let verdict = found.map_or(Verdict::Failed, |(verdict, _)| verdict);
            let seconds = found.map_or(took, |(_, seconds)| seconds);
            let said = match (&outcome, verdict) {
                (_, Verdict::Passed | Verdict::Skipped | Verdict::NotRun) => String::new(),
                (Err(failure), _) => failure.0.clone(),
                (Ok(()), _) => last_lines(&output_path, 12),
            };
            (name.clone(), Ended { verdict, seconds, said })
        };
        unit.names.iter().map(end_of).collect()
    }

    fn play(&self, unit: &Unit, output_path: &Path, report_path: &Path) -> Outcome<()> {
        let mut command = Command::new("./test-runner");
        if self.mode == Mode::Quick {
            command.arg("-Q");
        }
        command
            .arg("-p1")
            // The runner's own words for tests that stay in the client, and for those that do not.
            .arg(if unit.client_only { "-l" } else { "-L" })
            .current_dir(&self.tests_dir)
            .env("LD_LIBRARY_PATH", "../src:../src-cpp")
            .env("RDKAFKA_TEST_CONF", self.conf_path())
            .envs(self.told.environment.iter().map(|(name, value)| (name, value)))
            .env("BROKERS", &self.told.plain_bootstrap)
            .env("TESTS", &unit.number)
            .env("TEST_SCENARIO", unit.scenario.name())
            .env("TEST_KAFKA_VERSION", crate::reference::KAFKA_VERSION)
            .env("TEST_LEVEL", "2")
            .env("TEST_SEED", seed().to_string())
            .env("TEST_REPORT", report_path)
            .env("KAFKA_PATH", &self.kafka_path);
        let mut process = Process::start(&unit.number, &mut command, output_path)?;
        if process.wait_until(Instant::now() + NUMBER_LIMIT)?.is_none() {
            process.kill9()?;
            return crate::failure::fail(format!("{} still ran after {NUMBER_LIMIT:?}", unit.number));
        }
        Ok(())
    }
}

/// A number of its own for every process. The names of topics and groups come from it, and the runner's own choice,
/// the clock, gave two that began at once the same ones: each then had the other's members in its group.
fn seed() -> i64 {
    static SERIAL: AtomicI64 = AtomicI64::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed) + 1;
    // Millions apart, so that two runs at the same time do not meet; below the C library's integers.
    (crate::places::now_ms() % 1_000) * 1_000_000
        + i64::from(std::process::id() % 1_000) * 1_000
        + serial % 1_000
}

/// What the report of the runner says of a test. Found by its own marks: the report quotes text of the tests
/// without escapes, which no JSON reader takes.
fn state_in(report: &str, name: &str) -> Option<(Verdict, u64)> {
    let (_, entry) = report.split_once(&format!("\"{name}\": {{"))?;
    let (_, state) = entry.split_once("\"state\": \"")?;
    let verdict = match state.split('"').next()? {
        "PASSED" => Verdict::Passed,
        "SKIPPED" => Verdict::Skipped,
        _ => Verdict::Failed,
    };
    let (_, duration) = state.split_once("\"duration\": ")?;
    let whole = duration.split(['.', ',']).next()?;
    Some((verdict, whole.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::rows::Row;
    use super::*;

    fn test(name: &str, client_only: bool) -> Test {
        Test { name: name.to_owned(), client_only, scenario: Scenario::Default }
    }

    #[test]
    fn tests_of_one_number_share_a_process_unless_only_some_leave_the_client() {
        let tests = [test("0045_a", false), test("0045_b", false), test("0045_c_mock", true)];
        let names: Vec<_> = units(&tests).into_iter().map(|unit| (unit.client_only, unit.names)).collect();
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(names, [(false, owned(&["0045_a", "0045_b"])), (true, owned(&["0045_c_mock"]))]);
    }

    #[test]
    fn the_longest_begins_and_what_measures_time_runs_alone() {
        let units = units(&[test("0001_a", false), test("0055_b", false), test("0113_c", false)]);
        let rows = Rows::from([("0113_c".to_owned(), Row { seconds: 700, ..Row::default() })]);
        let numbers =
            |units: Vec<&Unit>| units.into_iter().map(|unit| unit.number.clone()).collect::<Vec<_>>();
        let (beside, alone) = schedule(&units, &rows);
        assert_eq!(
            (numbers(beside), numbers(alone)),
            (vec!["0113".to_owned(), "0001".to_owned()], vec!["0055".to_owned()])
        );
    }

    #[test]
    fn the_state_of_a_test_is_read_from_a_report_that_is_no_good_json() {
        let report = r#"{ "tests": {"0001_a": {"name": "0001_a", "state": "SKIPPED", "extra": "a "b"", "duration": 0.000,
            "report": [ ] }, "0002_b": {"name": "0002_b", "state": "FAILED", "duration": 12.345, "report": [ ] } } }"#;
        assert_eq!(state_in(report, "0001_a"), Some((Verdict::Skipped, 0)));
        assert_eq!(state_in(report, "0002_b"), Some((Verdict::Failed, 12)));
        assert_eq!(state_in(report, "0003_c"), None);
    }
}
