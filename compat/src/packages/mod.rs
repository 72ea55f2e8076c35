//! `cargo compat packages`: the packages of deploy/packages are built, installed with the network off, and tried.
//! Shell: package managers and test runners as child processes.
//!
//! What the examples need beside the package (a Kafka client, a test runner) is fetched once, into the cache. Then
//! everything happens in a network namespace that has the loopback device and no more. No process of an installed
//! binary may be left at the end.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

mod golang;
mod maven;
mod npm;
mod python;

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::broker;
use crate::failure::{Outcome, While, fail};
use crate::places::{ScratchDir, repository_dir};
use crate::process::{capture, require, run as run_to_end};
use crate::summary::note;

/// How `full` names it beside the clients.
pub const NAME: &str = "packages";

const BUILD_LIMIT: Duration = Duration::from_secs(600);
const TRY_LIMIT: Duration = Duration::from_secs(300);
/// Brings the loopback device up in the new namespace, and becomes the program.
const WITH_LOOPBACK: &str = "ip link set lo up && exec \"$0\" \"$@\"";

/// One kind of package.
struct Kind {
    name: &'static str,
    about: &'static str,
    play: fn(&Stage) -> Outcome<()>,
}

const KINDS: [Kind; 4] = [
    Kind {
        name: "python",
        about: "the wheel, its pytest plugin and the examples of docs/lab",
        play: python::play,
    },
    Kind { name: "npm", about: "@ottla/lab and the package of the platform, with KafkaJS", play: npm::play },
    Kind { name: "go", about: "the module that embeds the binary, with franz-go", play: golang::play },
    Kind {
        name: "maven",
        about: "the library, the binary and the extension of JUnit 5, with kafka-clients",
        play: maven::play,
    },
];

/// Where one kind is tried: the packages as they were built, and room for everything else.
struct Stage {
    scratch: ScratchDir,
    /// Of the build.
    packages: PathBuf,
}

/// Those that are named, or all; true when all passed.
pub fn run(names: &[String]) -> Outcome<bool> {
    if let Some(other) = names.iter().find(|name| KINDS.iter().all(|kind| kind.name != **name)) {
        let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        return fail(format!("there is no package {other}; there are {}", known.join(", ")));
    }
    require("unshare", "unshare (apt: util-linux)")?;
    require("ip", "ip (apt: iproute2)")?;
    require("strip", "strip (apt: binutils)")?;
    println!("building ottla");
    broker::build_ottla()?;
    let mut failures = 0;
    for kind in KINDS.iter().filter(|kind| names.is_empty() || names.iter().any(|name| name == kind.name)) {
        let begin = Instant::now();
        println!("{}: {}", kind.name, kind.about);
        match try_kind(kind) {
            Ok(()) => println!("  passed, {} s", begin.elapsed().as_secs()),
            Err(failure) => {
                println!("  FAILED\n{failure}");
                note(kind.name, &failure.0);
                failures += 1;
            }
        }
    }
    println!("{NAME}: {failures} failed");
    Ok(failures == 0)
}

fn try_kind(kind: &Kind) -> Outcome<()> {
    let scratch = ScratchDir::new(&format!("{NAME}-{}", kind.name))?;
    let packages = scratch.path().join("packages");
    fs::create_dir_all(&packages)?;
    let stage = Stage { scratch, packages };
    stage.build(kind.name)?;
    let played = (kind.play)(&stage);
    // Those of a run that failed are looked for too, and ended: nothing is left behind by this program either.
    let left = stage.end_leftovers()?;
    played?;
    match left.as_slice() {
        [] => Ok(()),
        left => fail(format!("left behind: {}", left.join(", "))),
    }
}

impl Stage {
    fn build(&self, name: &str) -> Outcome<()> {
        let mut command = Command::new("python3");
        command.arg(repository_dir().join("deploy/packages").join(name).join("build.py"));
        command.arg("--binary").arg(broker::ottla_binary()?).arg("--out").arg(&self.packages);
        let output = self.scratch.path().join("build.log");
        run_to_end("the build", &mut command, &output, BUILD_LIMIT)?;
        for line in fs::read_to_string(&output)?.lines() {
            println!("  built {line}");
        }
        Ok(())
    }

    /// The one file that the build has made whose name has this part and this end.
    fn built(&self, part: &str, end: &str) -> Outcome<PathBuf> {
        let entries = fs::read_dir(&self.packages).while_doing(|| "reading what was built".to_owned())?;
        let names =
            entries.filter_map(Result::ok).map(|entry| entry.file_name().to_string_lossy().into_owned());
        let found: Vec<String> = names.filter(|name| name.contains(part) && name.ends_with(end)).collect();
        match found.as_slice() {
            [one] => Ok(self.packages.join(one)),
            several => fail(format!("{} files were built like *{part}*{end}", several.len())),
        }
    }

    /// A command that sees the loopback device and no other network, and none of this run's own choices.
    fn offline(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("unshare");
        command.arg("--net");
        if !rustix::process::getuid().is_root() {
            command.arg("--map-root-user");
        }
        command.args(["sh", "-c", WITH_LOOPBACK]).arg(program);
        // The package is to find its own binary.
        command.env_remove("OTTLA_BINARY").env("HOME", self.scratch.path());
        command.current_dir(self.scratch.path());
        command
    }

    /// Runs it to its end; what it printed is told when it fails.
    fn step(&self, name: &str, command: &mut Command) -> Outcome<String> {
        let printed = capture(name, command, None, self.scratch.path(), TRY_LIMIT)?;
        Ok(printed.output)
    }

    /// Ends every process whose program lies in the stage, and says which there were.
    fn end_leftovers(&self) -> Outcome<Vec<String>> {
        let mut left = Vec::new();
        for entry in fs::read_dir("/proc")?.filter_map(Result::ok) {
            let Ok(program) = fs::read_link(entry.path().join("exe")) else { continue };
            // Also where the file is gone: the kernel then says so behind its name.
            if !program.starts_with(self.scratch.path()) {
                continue;
            }
            let id = entry.file_name().to_string_lossy().into_owned();
            if let Some(pid) = id.parse().ok().and_then(rustix::process::Pid::from_raw) {
                let _gone = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
            left.push(format!("{} ({id})", program.display()));
        }
        Ok(left)
    }
}

/// What a test runner says last with this word.
fn last_line_with<'a>(output: &'a str, word: &str) -> Option<&'a str> {
    output.lines().rev().find(|line| line.contains(word)).map(str::trim)
}
