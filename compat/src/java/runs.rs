//! One JVM a class, some at a time, each with a time limit; the JVM starts the brokers of its tests.
//! Shell: processes, threads, files, the clock.
#![allow(clippy::print_stdout, reason = "the run tells how far it is")]

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::report::{Ended, Results, parse};
use crate::broker::{Against, ottla_binary};
use crate::failure::{Outcome, While};
use crate::places::compat_dir;
use crate::process::{Process, last_lines};
use crate::verdict::Verdict;

/// Of one class: Apache Kafka takes some seconds to start, and the longest class has a hundred tests.
const CLASS_LIMIT: Duration = Duration::from_secs(3_600);

/// What is run in one JVM: a class, or some methods of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    pub class: String,
    /// All when empty.
    pub methods: Vec<String>,
}

impl Unit {
    fn selectors(&self) -> Vec<String> {
        if self.methods.is_empty() {
            return vec![self.class.clone()];
        }
        self.methods.iter().map(|method| format!("{}#{method}", self.class)).collect()
    }
}

/// `CLASS` and `CLASS#METHOD` of a command line, a unit a class in the order of their first mention.
pub fn units(names: &[String]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for name in names {
        let (class, method) = match name.split_once('#') {
            Some((class, method)) => (class, Some(method.to_owned())),
            None => (name.as_str(), None),
        };
        match units.iter_mut().find(|unit| unit.class == class) {
            Some(unit) if unit.methods.is_empty() => {}
            Some(unit) => match method {
                Some(method) => unit.methods.push(method),
                None => unit.methods.clear(),
            },
            None => units.push(Unit { class: class.to_owned(), methods: method.into_iter().collect() }),
        }
    }
    units
}

/// Where and how the units run.
#[derive(Debug)]
pub struct Bench {
    pub against: Against,
    pub class_path: String,
    pub work_dir: PathBuf,
    /// How many JVMs at once.
    pub jobs: usize,
    /// See [`super::Plan::together`].
    pub together: bool,
}

impl Bench {
    pub fn run(&self, units: &[Unit]) -> Outcome<Results> {
        let queue: Mutex<VecDeque<&Unit>> = Mutex::new(units.iter().collect());
        let results = Mutex::new(Ok(Results::new()));
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(|| {
                    while let Some(unit) = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
                        let ended = self.run_unit(unit);
                        let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                        match (&mut *results, ended) {
                            (Ok(results), Ok(ended)) => results.extend(ended),
                            (results, Err(failure)) => *results = Err(failure),
                            (Err(_), Ok(_)) => {}
                        }
                    }
                });
            }
        });
        results.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn run_unit(&self, unit: &Unit) -> Outcome<Results> {
        let begin = Instant::now();
        let dir = self.work_dir.join(unit.class.replace('.', "-"));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).while_doing(|| format!("creating {}", dir.display()))?;
        let (report_path, output_path) = (dir.join("report"), dir.join("output"));
        let mut process = Process::start(&unit.class, &mut self.command(unit, &dir)?, &output_path)?;
        let status = process.wait_until(Instant::now() + CLASS_LIMIT)?;
        process.kill9()?;
        let mut results = parse(&fs::read_to_string(&report_path).unwrap_or_default());
        if !status.is_some_and(|status| status.success()) {
            let said = format!(
                "its JVM {}\n{}",
                status.map_or_else(
                    || format!("still ran after {CLASS_LIMIT:?}"),
                    |status| format!("ended with {status}")
                ),
                last_lines(&output_path, 10)
            );
            let key = (unit.class.clone(), "(class)".to_owned());
            results.insert(key, Ended { verdict: Verdict::Failed, millis: 0, said });
        }
        let count = |verdict| results.values().filter(|ended| ended.verdict == verdict).count();
        println!(
            "{:72} {:4} passed {:3} failed {:3} skipped {:5.0} s",
            unit.class,
            count(Verdict::Passed),
            count(Verdict::Failed),
            count(Verdict::Skipped),
            begin.elapsed().as_secs_f64()
        );
        Ok(results)
    }

    fn command(&self, unit: &Unit, dir: &std::path::Path) -> Outcome<Command> {
        let log = compat_dir().join("reference/log4j2.properties");
        let mut command = Command::new("java");
        command.args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]);
        let mut property = |name: &str, value: &str| {
            command.arg(format!("-D{name}={value}"));
        };
        property("log4j2.configurationFile", &log.display().to_string());
        property("java.io.tmpdir", &dir.display().to_string());
        property("ottla.suite.log", &log.display().to_string());
        property("ottla.suite.dir", &dir.display().to_string());
        property("ottla.suite.report", &dir.join("report").display().to_string());
        property("ottla.suite.together", &self.together.to_string());
        match self.against {
            Against::Kafka => property("ottla.suite.against", "kafka"),
            Against::Ottla => {
                property("ottla.suite.against", "ottla");
                property("ottla.suite.binary", &ottla_binary()?.display().to_string());
            }
        }
        command.args(["-cp", &self.class_path, "ottla.suite.Run"]).args(unit.selectors()).current_dir(dir);
        Ok(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_one_unit_and_its_methods_are_run_together() {
        let names = ["a.B#one", "c.D", "a.B#two", "c.D#three"].map(str::to_owned);
        let unit = |class: &str, methods: &[&str]| Unit {
            class: class.to_owned(),
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        };
        let units = units(&names);
        assert_eq!(units, [unit("a.B", &["one", "two"]), unit("c.D", &[])]);
        assert_eq!(units[0].selectors(), ["a.B#one", "a.B#two"]);
        assert_eq!(units[1].selectors(), ["c.D"]);
        let whole = super::units(&["a.B#one".to_owned(), "a.B".to_owned()]);
        assert_eq!(whole, [unit("a.B", &[])]);
    }
}
