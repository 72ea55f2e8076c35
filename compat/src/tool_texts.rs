//! What Apache Kafka's command lines print of a broker, against what they print of Apache Kafka: `compat/tool-texts`.
//! Shell: a compiler, a JVM that runs all of them, files.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::broker::{self, Against, BrokerOptions};
use crate::failure::{Outcome, fail};
use crate::places::{ScratchDir, cache_dir, compat_dir};
use crate::summary::note;
use crate::{process, reference};

/// How `quick` and `full` name it beside the clients.
pub const NAME: &str = "tool-texts";
/// The same with Ottla's commands in the place of those of Kafka's that it has.
pub const OWN_NAME: &str = "commands";

const COMPILE_LIMIT: Duration = Duration::from_secs(120);
const PLAY_LIMIT: Duration = Duration::from_secs(300);
/// Steps that a run shows in full when they differ.
const SHOWN_MAX: usize = 20;

/// One broker, nobody waited for.
const OVERRIDES: [&str; 10] = [
    "node.id=1",
    "group.initial.rebalance.delay.ms=0",
    "offsets.topic.num.partitions=3",
    "offsets.topic.replication.factor=1",
    "share.coordinator.state.topic.num.partitions=3",
    "share.coordinator.state.topic.replication.factor=1",
    "share.coordinator.state.topic.min.isr=1",
    "transaction.state.log.num.partitions=3",
    "transaction.state.log.replication.factor=1",
    "transaction.state.log.min.isr=1",
];

#[derive(Debug, Clone)]
pub struct Plan {
    pub against: Against,
    /// Writes the record anew instead of comparing with it.
    pub record: bool,
    /// Plays Ottla's own commands (`ottla commands`) where it has them.
    pub own: bool,
    pub overrides: Vec<String>,
}

/// A command line with what it printed and its exit code.
#[derive(Debug, PartialEq, Eq)]
struct Step<'a> {
    line: &'a str,
    printed: Vec<&'a str>,
}

fn folder() -> PathBuf {
    compat_dir().join("tool-texts")
}

/// Plays all command lines; true when each printed what is recorded.
pub fn run(plan: &Plan) -> Outcome<bool> {
    let begin = Instant::now();
    if plan.against == Against::Ottla || plan.own {
        println!("building ottla");
        broker::build_ottla()?;
    }
    let text = play(plan)?;
    let path = folder().join("recorded.txt");
    if plan.record {
        fs::write(&path, &text)?;
        println!("{} command lines recorded", steps(&text).len());
        return Ok(true);
    }
    let recorded = fs::read_to_string(&path)?;
    let (expected, found) = (steps(&recorded), steps(&text));
    if expected.is_empty() || expected.len() != found.len() {
        return fail(format!("{} command lines are recorded, {} were played", expected.len(), found.len()));
    }
    let mut differing = 0;
    for (expected, found) in expected.iter().zip(&found).filter(|(expected, found)| expected != found) {
        differing += 1;
        if differing <= SHOWN_MAX {
            let shown = difference(expected, found);
            println!("{shown}");
            note(found.line, &shown);
        }
    }
    let count = found.len();
    println!("{count} command lines, {differing} differ, {:.0} s", begin.elapsed().as_secs_f64());
    Ok(differing == 0)
}

fn play(plan: &Plan) -> Outcome<String> {
    let class_path = prepare()?;
    let mut work = ScratchDir::new(NAME)?;
    let mut options = BrokerOptions::with(&OVERRIDES);
    options.overrides.extend(plan.overrides.iter().cloned());
    let mut broker = broker::start(plan.against, &options)?;
    let mut command = Command::new("java");
    command.args(["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    command.args(["-Dlog4j2.configurationFile=log4j2.properties", "-cp", &class_path, "Tools"]);
    command.arg(broker.bootstrap()).arg(work.path()).arg(folder().join("scenario.txt"));
    if plan.own {
        command.arg(broker::ottla_binary()?);
    }
    let printed = process::capture("tools", &mut command, None, work.path(), PLAY_LIMIT);
    let stopped = broker.stop();
    match (printed, stopped) {
        (Ok(printed), Ok(())) => Ok(printed.output),
        (Err(failure), _) | (_, Err(failure)) => {
            work.keep();
            Err(failure)
        }
    }
}

/// Compiles the runner; returns the class path to start it with.
fn prepare() -> Outcome<String> {
    process::require("javac", "a Java compiler (apt: default-jdk)")?;
    let class_path = reference::classpath()?;
    let classes = cache_dir()?.join("java-tools");
    let mut compile = Command::new("javac");
    compile.arg("-d").arg(&classes).args(["-cp", &class_path]);
    compile.arg(compat_dir().join("clients/java-tools/Tools.java"));
    process::run("javac", &mut compile, &cache_dir()?.join("prepare-java-tools.log"), COMPILE_LIMIT)?;
    Ok(format!("{}:{class_path}", classes.display()))
}

fn steps(text: &str) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(line), _) => steps.push(Step { line, printed: Vec::new() }),
            (None, Some(step)) => step.printed.push(line),
            (None, None) => {}
        }
    }
    steps
}

/// The lines that one has and the other has not.
fn difference(expected: &Step<'_>, found: &Step<'_>) -> String {
    let mut shown = format!("$ {}", found.line);
    let mut add = |mark: &str, some: &Step<'_>, other: &Step<'_>| {
        for line in some.printed.iter().filter(|line| !other.printed.contains(line)) {
            shown.push_str(&format!("\n  {mark} {line}"));
        }
    };
    add("Apache Kafka:", expected, found);
    add("here:        ", found, expected);
    if shown.lines().count() == 1 {
        shown.push_str("\n  the same lines in another order");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_the_lines_of_both() {
        let steps_of_two = steps("$ a\none\ntwo\nexit 0\n$ b\nexit 1\n");
        assert_eq!(steps_of_two.len(), 2);
        assert_eq!(steps_of_two[0], Step { line: "a", printed: vec!["one", "two", "exit 0"] });
        let other = Step { line: "a", printed: vec!["one", "three", "exit 0"] };
        assert_eq!(difference(&steps_of_two[0], &other), "$ a\n  Apache Kafka: two\n  here:         three");
        let turned = Step { line: "a", printed: vec!["two", "one", "exit 0"] };
        assert!(difference(&steps_of_two[0], &turned).ends_with("another order"));
    }

    #[test]
    fn the_record_has_every_command_line_of_the_scenario() {
        let scenario = fs::read_to_string(folder().join("scenario.txt")).expect("the scenario");
        let recorded = fs::read_to_string(folder().join("recorded.txt")).expect("the record");
        let mut in_file = false;
        let lines = scenario.lines().filter(|line| {
            let was_in_file = in_file;
            in_file = (in_file || line.starts_with("file ")) && *line != ".";
            let is_other = ["#", "allow ", "drop ", "file "].iter().any(|other| line.starts_with(other));
            !(was_in_file || is_other || line.is_empty())
        });
        let recorded: Vec<&str> = steps(&recorded).iter().map(|step| step.line).collect();
        assert_eq!(recorded, lines.collect::<Vec<_>>());
    }
}
