//! The wheel in an environment of its own: its tests, and the examples of docs/lab.
//! Shell: pip and pytest as child processes.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

use std::path::PathBuf;
use std::process::Command;

use super::{Stage, last_line_with};
use crate::clients::{is_current, mark_current, prepare};
use crate::failure::{Outcome, fail};
use crate::places::{cache_dir, compat_dir, repository_dir};

const TESTS: [&str; 2] = ["deploy/packages/python/tests", "docs/lab/examples"];

pub(super) fn play(stage: &Stage) -> Outcome<()> {
    let (wheels, requirements) = (fetch()?, requirements());
    let environment = stage.scratch.path().join("environment");
    stage.step("venv", stage.offline("python3").args(["-m", "venv"]).arg(&environment))?;
    let python = environment.join("bin/python");
    let mut install = stage.offline(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]);
    install.arg("--find-links").arg(&wheels).arg("-r").arg(&requirements).arg(stage.built("ottla-", ".whl")?);
    stage.step("pip", &mut install)?;
    for folder in TESTS {
        let mut tests = stage.offline(&python);
        // Nothing is written into the repository.
        tests.args(["-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"]);
        tests.arg(repository_dir().join(folder));
        let output = stage.step("pytest", &mut tests)?;
        match last_line_with(&output, "passed") {
            Some(line) => println!("  {folder}: {line}"),
            None => return fail(format!("{folder}: no test passed\n{output}")),
        }
    }
    Ok(())
}

fn requirements() -> PathBuf {
    compat_dir().join("packages/python-requirements.txt")
}

/// What the tests need beside the package, as wheels.
fn fetch() -> Outcome<PathBuf> {
    const MARK: &str = "packages-python";
    let (folder, sources) = (cache_dir()?.join(MARK), [requirements()]);
    if !is_current(MARK, &sources)? {
        println!("  fetching pytest and confluent-kafka through pip");
        let mut download = Command::new("python3");
        download.args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--only-binary=:all:",
            "-d",
        ]);
        prepare(MARK, download.arg(&folder).arg("-r").arg(&sources[0]))?;
        mark_current(MARK, &sources)?;
    }
    Ok(folder)
}
