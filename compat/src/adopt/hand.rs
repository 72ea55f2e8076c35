//! The Java program that fills brokers and looks at them.
//! Shell: a compiler, a child process, the clock.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::contract::{Client, Program};
use crate::failure::Outcome;
use crate::places::{cache_dir, compat_dir};
use crate::{process, reference};

const COMPILE_LIMIT: Duration = Duration::from_secs(120);
const ASK_LIMIT: Duration = Duration::from_secs(180);

/// Compiles the program against the libraries of the reference Kafka; that takes two seconds.
pub(super) fn prepare(say: &dyn Fn(&str)) -> Outcome<Program> {
    process::require("javac", "a Java compiler (apt: default-jdk)")?;
    if !reference::are_libs_here()? {
        say("Apache Kafka through Maven");
    }
    let class_path = reference::classpath()?;
    let classes = cache_dir()?.join("java-adopt");
    let folder = compat_dir().join("clients/java-adopt");
    let mut compile = Command::new("javac");
    compile.arg("-d").arg(&classes).args(["-cp", &class_path]);
    compile.args(["Adopt", "Fill", "State"].map(|name| folder.join(format!("{name}.java"))));
    let output = cache_dir()?.join("prepare-java-adopt.log");
    process::run("javac", &mut compile, &output, COMPILE_LIMIT)?;
    let class_path = format!("{}:{class_path}", classes.display());
    let arguments = [
        "java",
        "-Xmx384m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Dlog4j2.configurationFile=log4j2.properties",
        "-cp",
        &class_path,
        "Adopt",
    ];
    Ok(Program { name: "java-adopt".to_owned(), command: arguments.map(Into::into).to_vec() })
}

pub(super) struct Hand(Client);

impl Hand {
    pub(super) fn start(program: &Program, role: &str, bootstrap: &str, work_dir: &Path) -> Outcome<Self> {
        Client::start(program, role, bootstrap, work_dir).map(Self)
    }

    /// Does one thing and waits until it is done.
    pub(super) fn ask(&mut self, line: &str) -> Outcome<()> {
        self.0.ask(line, ASK_LIMIT).map(drop)
    }
}
