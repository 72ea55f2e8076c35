//! One process of librdkafka's test-runner for each test number, some at a time, each with a time limit.
//! shell: processes, threads, files, the clock.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::rows::{Verdict, number};
use crate::failure::{Outcome, While};
use crate::process::{Process, last_lines};

/// The tests mostly wait, so more of them than processors run at once.
const PARALLEL_COUNT: usize = 6;
/// Far beyond what a test needs; a crash or a hang costs its own number alone.
const NUMBER_LIMIT: Duration = Duration::from_secs(420);
/// The tests' own time limits are for an idle machine.
const TIMEOUT_MULTIPLIER: u32 = 3;

/// Where the tests are and what they run against.
#[derive(Debug)]
pub struct Bench {
    pub tests_dir: PathBuf,
    pub kafka_path: PathBuf,
    pub work_dir: PathBuf,
    pub bootstrap: String,
    /// `-Q`: fewer messages, and some long tests do nothing.
    pub quick: bool,
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
    /// Runs every number in `numbers`; the answer has an entry for each of `names` that belongs to one of them.
    pub fn run(&self, numbers: &[String], names: &[String]) -> Outcome<BTreeMap<String, Ended>> {
        let conf =
            format!("bootstrap.servers={}\ntest.timeout.multiplier={TIMEOUT_MULTIPLIER}\n", self.bootstrap);
        fs::write(self.conf_path(), conf).while_doing(|| "writing test.conf".to_owned())?;
        let queue: Mutex<VecDeque<&String>> = Mutex::new(numbers.iter().collect());
        let ended = Mutex::new(BTreeMap::new());
        std::thread::scope(|scope| {
            for _ in 0..PARALLEL_COUNT {
                scope.spawn(|| {
                    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    while let Some(wanted) = next() {
                        let own = names.iter().filter(|name| number(name) == wanted);
                        let results = self.run_number(wanted, own);
                        ended.lock().unwrap_or_else(PoisonError::into_inner).extend(results);
                    }
                });
            }
        });
        Ok(ended.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn conf_path(&self) -> PathBuf {
        self.work_dir.join("test.conf")
    }

    fn run_number<'a>(&self, wanted: &str, names: impl Iterator<Item = &'a String>) -> Vec<(String, Ended)> {
        let (output_path, report_path) =
            (self.work_dir.join(format!("{wanted}.log")), self.work_dir.join(format!("{wanted}.json")));
        let begin = Instant::now();
        let outcome = self.play(wanted, &output_path, &report_path);
        let took = begin.elapsed().as_secs();
        let report = fs::read_to_string(&report_path).unwrap_or_default();
        names
            .map(|name| {
                let found = state_in(&report, name);
                let verdict = found.map_or(Verdict::Failed, |(verdict, _)| verdict);
                let seconds = found.map_or(took, |(_, seconds)| seconds);
                let said = match (&outcome, verdict) {
                    (_, Verdict::Passed | Verdict::Skipped | Verdict::NotRun) => String::new(),
                    (Err(failure), _) => failure.0.clone(),
                    (Ok(()), _) => last_lines(&output_path, 12),
                };
                (name.clone(), Ended { verdict, seconds, said })
            })
            .collect()
    }

    fn play(&self, wanted: &str, output_path: &Path, report_path: &Path) -> Outcome<()> {
        let mut command = Command::new("./test-runner");
        if self.quick {
            command.arg("-Q");
        }
        command
            .arg("-p1")
            .current_dir(&self.tests_dir)
            .env("LD_LIBRARY_PATH", "../src:../src-cpp")
            .env("RDKAFKA_TEST_CONF", self.conf_path())
            .env("BROKERS", &self.bootstrap)
            .env("TESTS", wanted)
            .env("TEST_KAFKA_VERSION", crate::reference::KAFKA_VERSION)
            .env("TEST_LEVEL", "2")
            .env("TEST_REPORT", report_path)
            .env("KAFKA_PATH", &self.kafka_path);
        let mut process = Process::start(wanted, &mut command, output_path)?;
        if process.wait_until(Instant::now() + NUMBER_LIMIT)?.is_none() {
            process.kill9()?;
            return crate::failure::fail(format!("{wanted} still ran after {NUMBER_LIMIT:?}"));
        }
        Ok(())
    }
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
    use super::*;

    #[test]
    fn the_state_of_a_test_is_read_from_a_report_that_is_no_good_json() {
        let report = r#"{ "tests": {"0001_a": {"name": "0001_a", "state": "SKIPPED", "extra": "a "b"", "duration": 0.000,
            "report": [ ] }, "0002_b": {"name": "0002_b", "state": "FAILED", "duration": 12.345, "report": [ ] } } }"#;
        assert_eq!(state_in(report, "0001_a"), Some((Verdict::Skipped, 0)));
        assert_eq!(state_in(report, "0002_b"), Some((Verdict::Failed, 12)));
        assert_eq!(state_in(report, "0003_c"), None);
    }
}
