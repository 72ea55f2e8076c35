//! What a job of a framework is played on: the broker, the records it is fed, its programs, and how it all ends.
//! Shell: processes, files, the clock.
#![allow(clippy::print_stdout, reason = "a run says what it fetches")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::bench::gauge::memory_mib;
use crate::broker::{Against, Broker};
use crate::clients::JavaProgram;
use crate::contract::Program;
use crate::eos::hand::Hand;
use crate::eos::stage::{Look, Stage};
use crate::failure::{Outcome, fail};
use crate::frameworks::truth;
use crate::places::compat_dir;
use crate::process::Process;

/// What a job is fed at the most; it is told to stop when the kills are over.
const RECORDS_MAX: usize = 400_000;
/// The input topics of all jobs.
pub(crate) const PARTITION_COUNT: usize = 3;
/// What has not come after this time of silence will not come.
const SILENCE: Duration = Duration::from_secs(40);
/// The same where a broker lies and something is meant to be missing.
const SILENCE_OF_A_LIAR: Duration = Duration::from_secs(15);
const APPEAR_LIMIT: Duration = Duration::from_secs(120);
const SETTLE_LIMIT: Duration = Duration::from_secs(300);
const SETTLE_PAUSE: Duration = Duration::from_millis(250);
pub(crate) const LEAVE_LIMIT: Duration = Duration::from_secs(90);

pub(crate) struct Scene<'a> {
    pub(crate) stage: Stage<'a>,
    pub(crate) against: Against,
    pub(crate) is_lying: bool,
    /// The lines of the input, in order; what was fed is a part from the beginning.
    pub(crate) lines: Vec<String>,
    pub(crate) peak_mib: u64,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(mut stage: Stage<'a>, against: Against, is_lying: bool) -> Self {
        let lines = truth::lines(&mut stage.dice, RECORDS_MAX);
        Self { stage, against, is_lying, lines, peak_mib: 0 }
    }

    pub(crate) fn bootstrap(&self) -> String {
        self.stage.broker.bootstrap().to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.stage.work_dir.join(name)
    }

    /// Makes the topic and feeds it with the lines until told to leave.
    pub(crate) fn feed(&self, look: &mut Look, topic: &str, per_second: usize) -> Outcome<Hand> {
        let path = self.path("input.txt");
        std::fs::write(&path, self.lines.join("\n"))?;
        look.create(topic, PARTITION_COUNT)?;
        self.stage.hand("feed", &format!("feed {topic} {PARTITION_COUNT} {} {per_second}", path.display()))
    }

    /// The lines that were fed.
    pub(crate) fn fed(&self, count: u64) -> &[String] {
        &self.lines[..usize::try_from(count).unwrap_or(usize::MAX).min(self.lines.len())]
    }

    /// Waits until `count` says at least `wanted`, or has said the same for so long that nothing more will come: what is
    /// wrong then, the exact check says better.
    pub(crate) fn settle(&self, wanted: u64, mut count: impl FnMut() -> Outcome<u64>) -> Outcome<()> {
        let silence = if self.is_lying { SILENCE_OF_A_LIAR } else { SILENCE };
        let (begin, mut last, mut since) = (Instant::now(), 0, Instant::now());
        loop {
            let now = count()?;
            if now >= wanted || since.elapsed() > silence {
                return Ok(());
            }
            if now != last {
                (last, since) = (now, Instant::now());
            }
            if begin.elapsed() > SETTLE_LIMIT {
                return fail(format!("{now} of {wanted} after {SETTLE_LIMIT:?}"));
            }
            std::thread::sleep(SETTLE_PAUSE);
        }
    }

    /// Notes how much memory a process has held at the most; one that is gone held nothing more.
    pub(crate) fn weigh(&mut self, pid: u32) {
        let mib = memory_mib(pid, "VmHWM").unwrap_or(0.0).round();
        self.peak_mib = self.peak_mib.max(mib as u64);
    }
}

/// Until somebody has made the topic and written to it.
pub(crate) fn wait_for_folder(broker: &dyn Broker, topic: &str) -> Outcome<()> {
    let path = broker.log_dir().join(format!("{topic}-0"));
    let deadline = Instant::now() + APPEAR_LIMIT;
    while !path.exists() {
        if Instant::now() > deadline {
            return fail(format!("{topic} was not made within {APPEAR_LIMIT:?}"));
        }
        std::thread::sleep(SETTLE_PAUSE);
    }
    Ok(())
}

/// A program of ours under `frameworks/NAME`, with the libraries of its pom; `jvm` are further arguments for the JVM.
pub(crate) fn prepare(
    name: &str,
    about: &str,
    main_class: &'static str,
    heap_mib: u32,
    jvm: &[&str],
) -> Outcome<Program> {
    prepare_other(name, name, about, main_class, heap_mib, jvm)
}

fn folder(name: &str) -> PathBuf {
    compat_dir().join("frameworks").join(name)
}

fn java_files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let paths = std::fs::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.path());
    Ok(paths.filter(|path| path.extension().is_some_and(|extension| extension == "java")).collect())
}

/// The program of another folder with the libraries of the pom of `name`, and with the files of `name` in the place of those
/// that have the same names.
pub(crate) fn prepare_other(
    name: &str,
    program: &str,
    about: &str,
    main_class: &'static str,
    heap_mib: u32,
    jvm: &[&str],
) -> Outcome<Program> {
    let (own, common) = (folder(name), folder(program));
    let mut sources = java_files(&own)?;
    if name != program {
        sources.extend(java_files(&common)?.into_iter().filter(|path| {
            let in_its_place = path.file_name().map(|file| own.join(file));
            !in_its_place.is_some_and(|other| other.exists())
        }));
    }
    if !sources.is_empty() {
        sources.push(compat_dir().join("frameworks/Hand.java"));
    }
    sources.sort();
    sources.insert(0, own.join("pom.xml"));
    let program = JavaProgram {
        name: format!("framework-{name}"),
        about: about.to_owned(),
        sources,
        maven_arguments: Vec::new(),
        main_class,
        heap_mib,
    };
    let mut command = program.prepare(&|what| println!("{name}: {what}"))?;
    command.splice(1..1, jvm.iter().map(Into::into));
    command.splice(0..0, ["nice", "-n", "5"].map(Into::into));
    Ok(Program { name: name.to_owned(), command })
}

/// A program of the framework's own that is told what to do by its arguments.
pub(crate) fn start(program: &Program, role: &str, arguments: &[&Path], work_dir: &Path) -> Outcome<Process> {
    let Some((executable, words)) = program.command.split_first() else {
        return fail("an empty command");
    };
    let mut command = Command::new(executable);
    command.args(words).args(arguments).current_dir(work_dir);
    Process::start(role, &mut command, &work_dir.join(format!("{role}.log")))
}
