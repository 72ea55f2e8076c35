//! `go test` of a module from Go's proxy: the module fetched, its tests named, run, and what each came to.
//! Shell: processes and files; reading what `go test -json` printed is plain functions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::suites::{Stage, Suite};
use crate::failure::{Failure, Outcome, While, fail};
use crate::places::cache_dir;
use crate::process::{Process, capture, last_lines_of, require};
use crate::verdict::Verdict;

const FETCH_LIMIT: Duration = Duration::from_secs(300);
/// Of all tests of a suite together, in Go's own words, and a little more for their building.
const SUITE_LIMIT: &str = "40m";
const RUN_LIMIT: Duration = Duration::from_secs(50 * 60);
const LINE_COUNT: usize = 25;

/// What one test came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub verdict: Verdict,
    pub seconds: u64,
    /// The end of what it printed.
    pub said: String,
}

/// The folder of the module's sources, as Go keeps them for everybody.
pub fn fetch(suite: &Suite) -> Outcome<PathBuf> {
    require("go", "Go 1.24 or newer")?;
    let module = format!("{}@{}", suite.module, suite.version);
    let mut command = Command::new("go");
    command.args(["mod", "download", "-json", &module]).current_dir(cache_dir()?);
    let printed = capture(&format!("fetch-{}", suite.name), &mut command, None, &cache_dir()?, FETCH_LIMIT)?;
    let told: serde_json::Value =
        serde_json::from_str(&printed.output).map_err(|error| Failure(format!("{module}: {error}")))?;
    match told.get("Dir").and_then(serde_json::Value::as_str) {
        Some(dir) => Ok(PathBuf::from(dir)),
        None => fail(format!("{module} has no folder: {told}")),
    }
}

/// The names of the tests, in the order of the files.
pub fn tests(module: &Path, suite: &Suite) -> Outcome<Vec<String>> {
    let folder = module.join(suite.package);
    let mut names = Vec::new();
    let entries = fs::read_dir(&folder).while_doing(|| format!("reading {}", folder.display()))?;
    let paths: BTreeSet<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    for path in paths {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if file.ends_with("_test.go") {
            names.extend(names_in(&fs::read_to_string(&path)?));
        }
    }
    if names.is_empty() { fail(format!("no tests in {}", folder.display())) } else { Ok(names) }
}

fn names_in(text: &str) -> Vec<String> {
    let name = |line: &str| {
        let (name, _) = line.strip_prefix("func ")?.split_once("(t *testing.T)")?;
        name.starts_with("Test").then(|| name.to_owned())
    };
    text.lines().filter_map(name).collect()
}

/// Runs the tests in one process, as their authors do. A test that says nothing of its end has failed.
pub fn run(
    module: &Path,
    suite: &Suite,
    tests: &[String],
    stage: &Stage,
    dir: &Path,
) -> Outcome<BTreeMap<String, Ended>> {
    let output_path = dir.join("go-test.json");
    let mut command = Command::new("go");
    command
        .args(["test", "-json", "-count=1", "-timeout", SUITE_LIMIT, "-run"])
        .arg(format!("^({})$", tests.join("|")))
        .arg(format!("./{}", suite.package))
        .current_dir(module)
        .envs(stage.environment.iter().map(|(name, value)| (name, value)));
    let mut process = Process::start("go test", &mut command, &output_path)?;
    // Its code says no more than the lines do.
    let is_over = process.wait_until(std::time::Instant::now() + RUN_LIMIT)?.is_some();
    process.kill9()?;
    let text = fs::read_to_string(&output_path).while_doing(|| "reading what go test printed".to_owned())?;
    let mut ended = ended_in(&text);
    if ended.is_empty() {
        return fail(format!("no test ran\n{}", last_lines_of(&text, LINE_COUNT)));
    }
    let silent = || Ended {
        verdict: Verdict::Failed,
        seconds: 0,
        said: if is_over { "it did not come to its end" } else { "it still ran at the limit of all" }
            .to_owned(),
    };
    for test in tests {
        ended.entry(test.clone()).or_insert_with(silent);
    }
    Ok(ended)
}

/// What came of each test; what its subtests print is its own.
fn ended_in(text: &str) -> BTreeMap<String, Ended> {
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    let mut ended = BTreeMap::new();
    for line in text.lines() {
        let Ok(event) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        let word = |key: &str| event.get(key).and_then(serde_json::Value::as_str);
        let (Some(action), Some(test)) = (word("Action"), word("Test")) else { continue };
        let top = test.split('/').next().unwrap_or(test);
        if action == "output" {
            said.entry(top.to_owned()).or_default().push_str(word("Output").unwrap_or_default());
        }
        let verdict = match action {
            "pass" => Verdict::Passed,
            "fail" => Verdict::Failed,
            "skip" => Verdict::Skipped,
            _ => continue,
        };
        if top == test {
            let seconds = event.get("Elapsed").and_then(serde_json::Value::as_f64).unwrap_or(0.0);
            let said = last_lines_of(&said.remove(top).unwrap_or_default(), LINE_COUNT);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time for people")]
            let seconds = seconds.round() as u64;
            ended.insert(top.to_owned(), Ended { verdict, seconds, said });
        }
    }
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_go_say_what_came_of_each_test() {
        let text = r#"
            {"Action":"run","Test":"TestA"}
            {"Action":"output","Test":"TestA/inner","Output":"no leader\n"}
            {"Action":"fail","Test":"TestA/inner","Elapsed":1.0}
            {"Action":"fail","Test":"TestA","Elapsed":2.6}
            {"Action":"skip","Test":"TestB","Elapsed":0}
            {"Action":"pass","Package":"x","Elapsed":3}
            not json"#;
        let ended = |verdict, seconds, said: &str| Ended { verdict, seconds, said: said.to_owned() };
        let expected = BTreeMap::from([
            ("TestA".to_owned(), ended(Verdict::Failed, 3, "no leader")),
            ("TestB".to_owned(), ended(Verdict::Skipped, 0, "")),
        ]);
        assert_eq!(ended_in(text), expected);
    }

    #[test]
    fn a_test_is_a_function_that_takes_a_testing_t() {
        let text = "func TestMain(m *testing.M) {\nfunc TestA(t *testing.T) {\nfunc testB(t *testing.T) {\n";
        assert_eq!(names_in(text), ["TestA"]);
    }
}
