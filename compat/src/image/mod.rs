//! `cargo compat image`: the container image under the names that test environments start, with their own modules.
//! Shell: podman, a JVM, Python and Node as child processes.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

mod contracts;
mod podman;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::broker;
use crate::clients::{prepare_image_java, prepare_image_node, prepare_image_python};
use crate::failure::{Outcome, fail};
use crate::places::{ScratchDir, repository_dir};
use crate::process::capture;
use crate::summary::note;
use podman::Podman;

/// How `full` names it beside the clients.
pub const NAME: &str = "image";

const MODULES_LIMIT: Duration = Duration::from_secs(240);
const BYTES_MAX: u64 = 30 * 1024 * 1024;
const READY: &str = "Transitioning from RECOVERY to RUNNING";

/// The names that the modules know, each in a version that their checks let pass.
const TAGS: [&str; 5] = [
    "apache/kafka:4.3.1",
    "apache/kafka-native:4.3.1",
    "confluentinc/cp-kafka:7.6.0",
    "confluentinc/confluent-local:7.6.0",
    "redpandadata/redpanda:v23.1.13",
];

/// Everything; true when all of it passed, or where no container can run.
pub fn run() -> Outcome<bool> {
    let begin = Instant::now();
    println!("building ottla");
    broker::build_ottla()?;
    let scratch = ScratchDir::new(NAME)?;
    let say = |what: &str| println!("installing {what}");
    let mut podman = match Podman::new(scratch.path(), &say) {
        Ok(podman) => podman,
        Err(failure) => return skip(&failure.0),
    };
    let bytes = podman.build(&TAGS)?;
    let empty = match empty_container(&podman) {
        Ok(empty) => empty,
        Err(failure) => return skip(&failure.0),
    };
    println!("{:.1} MB of files", bytes as f64 / 1e6);
    // A debug build has no optimised code to be measured by.
    let is_release = broker::ottla_binary()?.ends_with("release/ottla");
    let mut clean = true;
    if is_release && bytes > BYTES_MAX {
        note("size", &format!("the image has {bytes} bytes, more than {BYTES_MAX}"));
        clean = false;
    }
    measure(&podman, empty)?;
    for (name, ready) in contracts::run(&podman)? {
        println!("  {name:36} {:5.2} s", ready.as_secs_f64());
    }
    let address = podman.serve()?;
    for (name, program) in [
        ("java", prepare_image_java(&say)?),
        ("python", prepare_image_python(&say)?),
        ("node", prepare_image_node(&say)?),
    ] {
        if let Err(failure) = modules(name, &program, &address, scratch.path()) {
            println!("  {name}: {failure}");
            note(name, &failure.0);
            clean = false;
        }
    }
    println!("the image: {:.0} s", begin.elapsed().as_secs_f64());
    Ok(clean)
}

/// No failure of ours: the machine can't.
fn skip(why: &str) -> Outcome<bool> {
    println!("skipped: no container can be run here: {why}");
    Ok(true)
}

/// How long a container takes that does nothing.
fn empty_container(podman: &Podman) -> Outcome<Duration> {
    let image = format!("docker.io/{}", TAGS[0]);
    // The first one unpacks the layer.
    podman.run(&["run", "--rm", &image, "true"])?;
    let container = podman.start("empty", &[&image, "sh", "-c", "echo here; sleep 60"])?;
    container.wait_for("here")
}

fn measure(podman: &Podman, empty: Duration) -> Outcome<()> {
    let image = format!("docker.io/{}", TAGS[0]);
    let container = podman.start("measured", &["--memory", "64m", &image])?;
    let ready = container.wait_for(READY)?;
    let producer = "kafka-topics --bootstrap-server localhost:9092 --create --topic t --partitions 10";
    container.exec(&["sh", "-c", producer])?;
    let memory = container.memory_kib()?;
    let stopped = container.stop()?;
    if !container.logs()?.contains("Kafka Server started") {
        return fail("the lines of readiness are not on standard output");
    }
    println!(
        "started to ready {:.0} ms (an empty container {:.0} ms), {:.0} MB resident at a limit of 64 MB, stopped in \
         {:.0} ms",
        ready.as_secs_f64() * 1e3,
        empty.as_secs_f64() * 1e3,
        memory as f64 / 1024.0,
        stopped.as_secs_f64() * 1e3
    );
    Ok(())
}

/// Runs a language's unchanged modules; each prints a line when it was started, produced to and consumed from.
fn modules(name: &str, program: &[std::ffi::OsString], address: &str, dir: &Path) -> Outcome<()> {
    let mut command = Command::new(&program[0]);
    command
        .args(&program[1..])
        .env("DOCKER_HOST", address)
        .env("TESTCONTAINERS_RYUK_DISABLED", "true")
        .env("TESTCONTAINERS_CHECKS_DISABLE", "true")
        .env("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1")
        // podman 4.3 lists no network mode, by which Python's would find the host.
        .env("TC_HOST", "127.0.0.1")
        .env("TESTCONTAINERS_CONNECTION_MODE", "docker_host")
        .current_dir(repository_dir());
    let printed = capture(name, &mut command, None, dir, MODULES_LIMIT)?;
    let lines: Vec<(&str, &str)> = printed.output.lines().filter_map(|line| line.split_once('\t')).collect();
    if lines.is_empty() {
        return fail(format!("{name} started nothing"));
    }
    for (module, seconds) in lines {
        println!("  {:36} {seconds:>5} s", format!("{name} {module}"));
    }
    Ok(())
}
