//! Maven's artifacts in a project of their own: their tests, and an example with JUnit and kafka-clients.
//! Shell: maven as a child process.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Stage, last_line_with};
use crate::clients::{is_current, mark_current, prepare};
use crate::failure::{Outcome, While, fail};
use crate::places::{cache_dir, repository_dir};
use crate::process::require;

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) fn play(stage: &Stage) -> Outcome<()> {
    require("mvn", "Maven (apt: maven)")?;
    let built = stage.packages.join("maven-repository");
    let project = stage.scratch.path().join("project");
    copy_folder(&repository_dir().join("deploy/packages/maven/example"), &project)?;
    let libraries = fetch(&project, &built)?;
    let mut test = stage.offline("mvn");
    // Programs are unpacked below it.
    test.env("XDG_CACHE_HOME", stage.scratch.path().join("cache"));
    test.current_dir(&project).args(["-B", "--no-transfer-progress", "test"]);
    let output = stage.step("mvn", with_places(&mut test, &libraries, &built))?;
    match last_line_with(&output, "Tests run:") {
        Some(line) if line.contains("Failures: 0, Errors: 0") => println!("  mvn test: {line}"),
        _other => return fail(format!("no test passed\n{output}")),
    }
    Ok(())
}

fn with_places<'a>(command: &'a mut Command, libraries: &Path, built: &Path) -> &'a mut Command {
    command.arg(format!("-Dmaven.repo.local={}", libraries.display()));
    command.arg(format!("-Dottla.version={VERSION}"));
    command.arg(format!("-Dottla.repository=file://{}", built.display()))
}

/// A local repository that has everything but the artifacts which are tried: they come from where they were built.
fn fetch(project: &Path, built: &Path) -> Outcome<PathBuf> {
    const MARK: &str = "packages-maven";
    let sources = [project.join("pom.xml")];
    let libraries = cache_dir()?.join(MARK);
    if !is_current(MARK, &sources)? {
        println!("  fetching JUnit, kafka-clients and Maven's plugins through Maven");
        // Without a test to run, the runner's own libraries would not be fetched.
        let mut command = Command::new("mvn");
        command
            .current_dir(project)
            .args(["-B", "-q", "test", "-Dtest=KafkaClientsTest"])
            .env_remove("OTTLA_BINARY");
        prepare(MARK, with_places(&mut command, &libraries, built))?;
        mark_current(MARK, &sources)?;
    }
    let ours = libraries.join("dev/ottla");
    if ours.exists() {
        fs::remove_dir_all(&ours).while_doing(|| format!("clearing {}", ours.display()))?;
    }
    Ok(libraries)
}

fn copy_folder(from: &Path, to: &Path) -> Outcome<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_folder(&entry.path(), &target)?,
            false => drop(fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}
