//! A broker in a process of its own, as the rest of this crate sees it; and the one that runs the `ottla` binary.
//! Shell: processes, files, the clock.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::failure::{Outcome, While, fail};
use crate::places::{ScratchDir, repository_dir};
use crate::process::{Process, run};

/// What every broker under test can be asked, whoever wrote it.
pub trait Broker: Send {
    /// `host:port` of the PLAINTEXT listener; the same for the whole life, restarts included.
    fn bootstrap(&self) -> &str;
    /// The same of all of its nodes, with commas between.
    fn bootstraps(&self) -> String {
        self.bootstrap().to_owned()
    }
    fn pid(&self) -> u32;
    /// All of its processes, where it is a cluster.
    fn pids(&self) -> Vec<u32> {
        vec![self.pid()]
    }
    /// The directory that holds the `topic-partition` folders.
    fn log_dir(&self) -> &Path;
    /// Starts again on the same port and data, after a stop or a kill; stops first when it still runs.
    fn restart(&mut self) -> Outcome<()>;
    /// SIGKILL, as a crash would have it.
    fn kill9(&mut self) -> Outcome<()>;
    /// SIGTERM and the wait for a clean end.
    fn stop(&mut self) -> Outcome<()>;
    /// Whether the process still lives.
    fn is_running(&mut self) -> bool;
    /// The end of what it logged, for a failure message.
    fn last_output(&self, line_count: usize) -> String;
}

/// Which broker a run is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Against {
    Ottla,
    Kafka,
}

impl std::fmt::Display for Against {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Against::Ottla => "ottla",
            Against::Kafka => "Apache Kafka",
        })
    }
}

/// Where the data of a broker goes and what its configuration says beyond the starter's own.
#[derive(Debug, Clone, Default)]
pub struct BrokerOptions {
    /// Kept after the run when given; otherwise a directory of its own that vanishes.
    pub dir: Option<PathBuf>,
    /// The data alone, apart from what the starter writes; below `dir` when not given.
    pub log_dir: Option<PathBuf>,
    /// Any free port when not given.
    pub port: Option<u16>,
    /// `key=value`, in Kafka's words; a later one wins.
    pub overrides: Vec<String>,
    /// A program with arguments that runs `ottla` (a tool that counts or traces); none for Kafka.
    pub under: Vec<String>,
    /// Variables for the broker beyond those of this process.
    pub environment: Vec<(String, String)>,
}

impl BrokerOptions {
    pub fn with(overrides: &[&str]) -> Self {
        Self { overrides: overrides.iter().map(|o| (*o).to_owned()).collect(), ..Self::default() }
    }

    pub(crate) fn scratch(&self, name: &str) -> Outcome<ScratchDir> {
        match &self.dir {
            Some(dir) => ScratchDir::borrowed(dir),
            None => ScratchDir::new(name),
        }
    }
}

/// Starts the broker that a run asked for.
pub fn start(against: Against, options: &BrokerOptions) -> Outcome<Box<dyn Broker>> {
    Ok(match against {
        Against::Ottla => Box::new(OttlaServer::start(options)?),
        Against::Kafka => Box::new(crate::reference::KafkaServer::start(options)?),
    })
}

/// A start takes some milliseconds and is measured: a wait that looks less often would be most of it.
const READY_POLL_INTERVAL: Duration = Duration::from_millis(1);
/// The longest wait for `ottla` to say that it is ready, generous for a loaded machine.
const OTTLA_READY_LIMIT: Duration = Duration::from_secs(20);
const OTTLA_STOP_LIMIT: Duration = Duration::from_secs(10);

/// One `ottla` process.
#[derive(Debug)]
pub struct OttlaServer {
    binary: PathBuf,
    process: Option<Process>,
    overrides: Vec<String>,
    under: Vec<String>,
    environment: Vec<(String, String)>,
    log_dir: PathBuf,
    ready_path: PathBuf,
    output_path: PathBuf,
    bootstrap: String,
    http: String,
    listener_port: u16,
    // Last, so that the process is gone before its directory is.
    scratch: ScratchDir,
}

impl OttlaServer {
    /// Starts the binary named by `OTTLA_BINARY`, or the release build of this repository.
    pub fn start(options: &BrokerOptions) -> Outcome<Self> {
        let binary = ottla_binary()?;
        let scratch = options.scratch("ottla")?;
        let mut server = Self {
            binary,
            process: None,
            overrides: options.overrides.clone(),
            under: options.under.clone(),
            environment: options.environment.clone(),
            log_dir: options.log_dir.clone().unwrap_or_else(|| scratch.path().join("data")),
            ready_path: scratch.path().join("ready.json"),
            output_path: scratch.path().join("broker.log"),
            bootstrap: String::new(),
            http: String::new(),
            listener_port: options.port.unwrap_or(0),
            scratch,
        };
        server.spawn()?;
        Ok(server)
    }

    /// `host:port` of the HTTP listener (metrics, health).
    pub fn http(&self) -> &str {
        &self.http
    }

    /// The directory with the data and the log of the process.
    pub fn dir(&self) -> &Path {
        self.scratch.path()
    }

    fn spawn(&mut self) -> Outcome<()> {
        let _ = fs::remove_file(&self.ready_path);
        let mut command = match self.under.split_first() {
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(&self.binary);
                command
            }
            None => Command::new(&self.binary),
        };
        command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .args(["--override", &format!("listeners=PLAINTEXT://127.0.0.1:{}", self.listener_port)])
            .args(["--override", "ottla.http.listener=127.0.0.1:0"])
            .args(["--override", &format!("log.dirs={}", self.log_dir.display())]);
        for pair in &self.overrides {
            command.args(["--override", pair]);
        }
        command.arg("--ready-file").arg(&self.ready_path).current_dir(self.scratch.path());
        let mut process = Process::start("ottla", &mut command, &self.output_path)?;
        let ready = wait_for_ready_file(&mut process, &self.ready_path)?;
        let field =
            |name: &str| ready.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        self.bootstrap = field("bootstrap");
        self.http = field("http");
        // A restart comes back where the clients look for it.
        self.listener_port = self
            .bootstrap
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse().ok())
            .ok_or(())
            .or_else(|()| fail(format!("the ready file of ottla names no bootstrap address: {ready}")))?;
        self.process = Some(process);
        Ok(())
    }
}

fn wait_for_ready_file(process: &mut Process, ready_path: &Path) -> Outcome<serde_json::Value> {
    let deadline = Instant::now() + OTTLA_READY_LIMIT;
    loop {
        // A line without its end is still being written.
        if let Ok(text) = fs::read_to_string(ready_path)
            && let Ok(value) = serde_json::from_str::<serde_json::Value>(&text)
        {
            return Ok(value);
        }
        if let Some(status) = process.exited()? {
            return fail(format!(
                "ottla ended with {status} before it was ready\n{}",
                process.last_output(30)
            ));
        }
        if Instant::now() >= deadline {
            return fail(format!(
                "ottla was not ready within {OTTLA_READY_LIMIT:?}\n{}",
                process.last_output(30)
            ));
        }
        std::thread::sleep(READY_POLL_INTERVAL);
    }
}

impl Broker for OttlaServer {
    fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    fn pid(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::pid)
    }

    fn log_dir(&self) -> &Path {
        &self.log_dir
    }

    fn restart(&mut self) -> Outcome<()> {
        self.stop()?;
        self.spawn()
    }

    fn kill9(&mut self) -> Outcome<()> {
        self.process.take().map_or(Ok(()), |mut process| process.kill9())
    }

    fn stop(&mut self) -> Outcome<()> {
        self.process.take().map_or(Ok(()), |mut process| process.stop(OTTLA_STOP_LIMIT))
    }

    fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| matches!(process.exited(), Ok(None)))
    }

    fn last_output(&self, line_count: usize) -> String {
        crate::process::last_lines(&self.output_path, line_count)
    }
}

/// The longest a release build may take before a run gives up on it.
const BUILD_LIMIT: Duration = Duration::from_secs(1_800);

fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository_dir().join("target"), PathBuf::from)
}

pub(crate) fn ottla_binary() -> Outcome<PathBuf> {
    let path =
        std::env::var_os("OTTLA_BINARY").map_or_else(|| target_dir().join("release/ottla"), PathBuf::from);
    // The broker is started in a folder of its own, where a relative path names something else.
    if let Some(path) = std::path::absolute(&path).ok().filter(|path| path.is_file()) {
        return Ok(path);
    }
    fail(format!(
        "{} is not there; `cargo build --release -p ottla-server --bin ottla` builds it",
        path.display()
    ))
}

/// Builds the release binary unless `OTTLA_BINARY` names another one.
pub fn build_ottla() -> Outcome<()> {
    if std::env::var_os("OTTLA_BINARY").is_some() {
        return Ok(());
    }
    let output_path = crate::places::cache_dir()?.join("build-ottla.log");
    let _ = fs::remove_file(&output_path);
    let mut command = Command::new("cargo");
    command
        .args(["build", "--release", "-p", "ottla-server", "--bin", "ottla"])
        .current_dir(repository_dir());
    run("cargo build", &mut command, &output_path, BUILD_LIMIT).while_doing(|| "building ottla".to_owned())
}
