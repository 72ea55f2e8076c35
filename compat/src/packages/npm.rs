//! The packages of npm in a project of their own: their tests, and an example with KafkaJS.
//! Shell: npm and node as child processes.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{Stage, last_line_with};
use crate::clients::{is_current, mark_current, prepare};
use crate::failure::{Outcome, While, fail};
use crate::places::{cache_dir, compat_dir, repository_dir};
use crate::process::require;

pub(super) fn play(stage: &Stage) -> Outcome<()> {
    let client = fetch()?;
    let project = stage.scratch.path().join("project");
    fs::create_dir_all(&project)?;
    fs::write(project.join("package.json"), "{ \"name\": \"project\", \"private\": true }\n")?;
    let tests = repository_dir().join("deploy/packages/npm/tests");
    let mut names = Vec::new();
    for entry in fs::read_dir(&tests).while_doing(|| format!("reading {}", tests.display()))? {
        let name = entry?.file_name();
        fs::copy(tests.join(&name), project.join(&name))?;
        names.push(name);
    }
    names.sort();
    let mut install = stage.offline("npm");
    install.current_dir(&project).args(["install", "--offline", "--no-audit", "--no-fund"]);
    install.arg("--cache").arg(stage.scratch.path().join("npm-cache"));
    install.args([stage.built("ottla-linux-", ".tgz")?, stage.built("ottla-lab-", ".tgz")?, client]);
    stage.step("npm", &mut install)?;
    let mut run = stage.offline("node");
    run.current_dir(&project).args(["--test", "--test-concurrency=1", "--test-reporter=spec"]).args(names);
    let output = stage.step("node", &mut run)?;
    match (last_line_with(&output, "pass "), last_line_with(&output, "fail 0")) {
        (Some(passed), Some(_)) if !passed.ends_with("pass 0") => println!("  node --test: {passed}"),
        _other => return fail(format!("node --test: no test passed\n{output}")),
    }
    Ok(())
}

/// KafkaJS as a package that can be installed without a registry. It needs no other one.
fn fetch() -> Outcome<PathBuf> {
    const MARK: &str = "packages-npm";
    require("npm", "npm (apt: npm)")?;
    let lock = compat_dir().join("clients/kafkajs/package-lock.json");
    let folder = cache_dir()?.join(MARK);
    let archive = folder.join("kafkajs.tgz");
    if !is_current(MARK, std::slice::from_ref(&lock))? || !archive.is_file() {
        println!("  fetching kafkajs through npm");
        let version = version_in(&fs::read_to_string(&lock)?, "kafkajs")?;
        fs::create_dir_all(&folder)?;
        let mut pack = Command::new("npm");
        pack.args(["pack", "--silent", &format!("kafkajs@{version}")]).current_dir(&folder);
        prepare(MARK, &mut pack)?;
        fs::rename(folder.join(format!("kafkajs-{version}.tgz")), &archive)
            .while_doing(|| "naming what npm has fetched".to_owned())?;
        mark_current(MARK, &[lock])?;
    }
    Ok(archive)
}

/// Of a package, in a lock file of npm.
fn version_in(lock: &str, name: &str) -> Outcome<String> {
    let lock: serde_json::Value =
        serde_json::from_str(lock).while_doing(|| "reading npm's lock file".to_owned())?;
    let version = lock["packages"][format!("node_modules/{name}")]["version"].as_str();
    version.map_or_else(|| fail(format!("the lock file names no {name}")), |version| Ok(version.to_owned()))
}
