//! The Go module in a module cache of its own: its tests, and an example with franz-go.
//! Shell: go as a child process.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::Stage;
use crate::clients::prepare;
use crate::failure::{Outcome, fail};
use crate::places::{compat_dir, repository_dir};
use crate::process::require;

pub(super) fn play(stage: &Stage) -> Outcome<()> {
    require("go", "Go 1.24 or newer")?;
    let client = compat_dir().join("clients/franz-go");
    // The example needs the same versions of the same modules.
    prepare("packages-go", Command::new("go").args(["mod", "download"]).current_dir(&client))?;
    let [modules, builds] = [setting(stage, "GOMODCACHE")?, setting(stage, "GOCACHE")?];
    let project = stage.scratch.path().join("project");
    fs::create_dir_all(&project)?;
    for entry in fs::read_dir(repository_dir().join("deploy/packages/go/example"))? {
        let path = entry?.path();
        fs::copy(&path, project.join(path.file_name().unwrap_or_default()))?;
    }
    fs::copy(client.join("go.sum"), project.join("go.sum"))?;
    let proxies = format!(
        "file://{},file://{}",
        stage.packages.join("go-proxy").display(),
        modules.join("cache/download").display()
    );
    let mut test = stage.offline("go");
    test.current_dir(&project).args(["test", "-v", "-count=1", "./..."]);
    test.env("GOPROXY", proxies).env("GOSUMDB", "off").env("GOTOOLCHAIN", "local");
    test.env("GOFLAGS", "-mod=mod -modcacherw").env("GOCACHE", builds);
    test.env("GOMODCACHE", stage.scratch.path().join("modules"));
    let output = stage.step("go", &mut test)?;
    match output.matches("--- PASS: ").count() {
        0 => fail(format!("no test passed\n{output}")),
        count => {
            println!("  go test: {count} passed");
            Ok(())
        }
    }
}

fn setting(stage: &Stage, name: &str) -> Outcome<PathBuf> {
    let value = stage.step("go-env", Command::new("go").args(["env", name]))?;
    Ok(PathBuf::from(value.trim()))
}
