//! Child processes that cannot outlive the run: each leads a process group, and every group is ended with its owner.
//! Shell: processes, signals, the clock.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use std::os::unix::process::CommandExt as _;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::failure::{Failure, Outcome, While};

/// Groups that live now; the handler of SIGINT and SIGTERM ends them before the run itself ends.
static GROUPS: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// How often a wait for a process, a file or a port looks again.
pub const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A running child, leader of its own process group, with its output in a file.
#[derive(Debug)]
pub struct Process {
    child: Child,
    group: Pid,
    name: String,
    output_path: PathBuf,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` with nothing to read and both outputs in the file `output_path`.
    pub fn start(name: &str, command: &mut Command, output_path: &Path) -> Outcome<Self> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(output_path)
            .while_doing(|| format!("opening {}", output_path.display()))?;
        let errors = output.try_clone()?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        Self::start_as_is(name, command, output_path)
    }

    /// Starts `command` with the standard streams that the caller gave it.
    pub fn start_as_is(name: &str, command: &mut Command, output_path: &Path) -> Outcome<Self> {
        let child = command
            .process_group(0)
            .spawn()
            .while_doing(|| format!("starting {name} ({})", command.get_program().to_string_lossy()))?;
        let group = Pid::from_child(&child);
        GROUPS.lock().unwrap_or_else(PoisonError::into_inner).push(group);
        Ok(Self { child, group, name: name.to_owned(), output_path: output_path.to_owned(), status: None })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The streams that were asked for as pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub fn exited(&mut self) -> Outcome<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.child.try_wait()?;
        }
        Ok(self.status)
    }

    /// Waits for the end; `None` means that it still runs at the deadline.
    pub fn wait_until(&mut self, deadline: Instant) -> Outcome<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.exited()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// SIGKILL to the whole group; returns when the leader is gone.
    pub fn kill9(&mut self) -> Outcome<()> {
        let _ = kill_process_group(self.group, Signal::KILL);
        if self.status.is_none() {
            self.status = Some(self.child.wait()?);
        }
        Ok(())
    }

    /// SIGTERM, then SIGKILL when it has not ended after `patience`; the error says which of both it took.
    pub fn stop(&mut self, patience: Duration) -> Outcome<()> {
        if self.exited()?.is_none() {
            let _ = kill_process_group(self.group, Signal::TERM);
            if self.wait_until(Instant::now() + patience)?.is_none() {
                self.kill9()?;
                return Err(Failure(format!(
                    "{} ignored SIGTERM for {patience:?} and was killed",
                    self.name
                )));
            }
        }
        let _ = kill_process_group(self.group, Signal::KILL);
        Ok(())
    }

    /// The last lines of what it printed, for a failure message.
    pub fn last_output(&self, line_count: usize) -> String {
        last_lines(&self.output_path, line_count)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill9();
        GROUPS.lock().unwrap_or_else(PoisonError::into_inner).retain(|group| *group != self.group);
    }
}

/// The last lines of a text file, or nothing when it cannot be read.
pub fn last_lines(path: &Path, line_count: usize) -> String {
    let text =
        std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    last_lines_of(&text, line_count)
}

/// The last lines of a text.
pub fn last_lines_of(text: &str, line_count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(line_count)..].join("\n")
}

/// Runs a command to its end with its output in a file; any end but success within the limit is a failure that
/// quotes the end of that output.
pub fn run(name: &str, command: &mut Command, output_path: &Path, limit: Duration) -> Outcome<()> {
    let mut process = Process::start(name, command, output_path)?;
    match process.wait_until(Instant::now() + limit)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(Failure(format!("{name} ended with {status}\n{}", process.last_output(30)))),
        None => Err(Failure(format!("{name} still ran after {limit:?}\n{}", process.last_output(30)))),
    }
}

/// Ends every child group and then the run when a person or a parent asks for it.
pub fn end_children_on_signal() -> Outcome<()> {
    on_signal(|| {
        for group in GROUPS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = kill_process_group(*group, Signal::KILL);
        }
        crate::places::remove_scratch_dirs();
        std::process::exit(130);
    })
}

/// Calls `action` once, on a thread of its own, at the first SIGINT or SIGTERM.
pub fn on_signal(action: impl FnOnce() + Send + 'static) -> Outcome<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Registered before the thread starts, so that a signal right after this call is not lost.
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        action();
    })?;
    Ok(())
}

/// Finds a program on the PATH, or says what a person has to install.
pub fn require(program: &str, what: &str) -> Outcome<PathBuf> {
    find(program).ok_or_else(|| Failure(format!("`{program}` is not on the PATH: install {what}")))
}

/// Where the PATH has a program.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|candidate| candidate.is_file())
}

/// What a program that ran to its end had to say.
#[derive(Debug, Clone)]
pub struct Printed {
    pub output: String,
    pub errors: String,
}

/// Runs a program that reads `input` and ends by itself; its streams are kept in `work_dir` under `name`.
pub fn capture(
    name: &str,
    command: &mut Command,
    input: Option<&Path>,
    work_dir: &Path,
    limit: Duration,
) -> Outcome<Printed> {
    let (output_path, errors_path) =
        (work_dir.join(format!("{name}.out")), work_dir.join(format!("{name}.err")));
    let input = match input {
        Some(path) => Stdio::from(File::open(path).while_doing(|| format!("opening {}", path.display()))?),
        None => Stdio::null(),
    };
    command.stdin(input).stdout(File::create(&output_path)?).stderr(File::create(&errors_path)?);
    let mut process = Process::start_as_is(name, command, &errors_path)?;
    let status = process.wait_until(Instant::now() + limit)?;
    let read = |path: &Path| std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let printed = Printed { output: read(&output_path)?, errors: read(&errors_path)? };
    match status {
        Some(status) if status.success() => Ok(printed),
        Some(status) => Err(Failure(format!(
            "{name} ended with {status}\n{}\n{}",
            last_lines(&output_path, 10),
            last_lines(&errors_path, 15)
        ))),
        None => Err(Failure(format!(
            "{name} still ran after {limit:?}\n{}\n{}",
            last_lines(&output_path, 10),
            last_lines(&errors_path, 15)
        ))),
    }
}
