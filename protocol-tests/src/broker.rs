//! Starts the `ottla` binary for a test and ends it with the test.
//! Shell: a child process and its directory.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ottla_compat::ports::free_ports;
use serde_json::Value;

use crate::Outcome;

const READY_LIMIT: Duration = Duration::from_secs(30);

/// What both brokers are told, so that their answers can be the same.
pub const SETTINGS: [&str; 7] = [
    "node.id=1",
    "offsets.topic.num.partitions=5",
    "offsets.topic.replication.factor=1",
    "group.initial.rebalance.delay.ms=0",
    // Short enough that a script can watch a session end.
    "group.min.session.timeout.ms=500",
    // Scripts write records with old timestamps, which the default retention would take away under their feet.
    "log.retention.ms=-1",
    "log.initial.task.delay.ms=600000",
];

/// Brokers of this build, as scripts ask for them: one for all that ask for nothing, and one for each other.
#[derive(Debug, Default)]
pub struct Started {
    plain: Option<Broker>,
    own: Vec<Broker>,
}

impl Started {
    pub fn address(&mut self, settings: &[String]) -> Outcome<String> {
        if settings.is_empty() {
            if self.plain.is_none() {
                self.plain = Some(Broker::start(&[])?);
            }
            return Ok(self.plain.iter().map(|broker| broker.bootstrap.clone()).collect());
        }
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let broker = Broker::start(&settings)?;
        let address = broker.bootstrap.clone();
        self.own.push(broker);
        Ok(address)
    }

    /// What they have printed so far.
    pub fn log(&self) -> String {
        self.plain.iter().chain(&self.own).map(Broker::log).collect::<Vec<_>>().join("\n")
    }
}

/// One broker process with a directory that vanishes.
#[derive(Debug)]
pub struct Broker {
    /// None when it runs on its own and is only visited.
    child: Option<Child>,
    pid: u32,
    dir: PathBuf,
    /// What the test set beside [`SETTINGS`].
    settings: Vec<String>,
    /// `OTTLA_LOG`, where the test wants more or less of it than usual.
    log_filter: Option<&'static str>,
    /// `host:port` of its listener.
    pub bootstrap: String,
}

impl Broker {
    /// Starts it on a free port with [`SETTINGS`] and what the test adds. `WIRE_BROKER=PID@HOST:PORT` names one that runs
    /// already, so that a check can be held against Apache Kafka itself.
    pub fn start(more: &[&str]) -> Outcome<Self> {
        Self::start_logging(None, more)
    }

    /// The same with another choice of what it logs.
    pub fn start_logging(log_filter: Option<&'static str>, more: &[&str]) -> Outcome<Self> {
        if let Some((pid, bootstrap)) =
            std::env::var("WIRE_BROKER").ok().as_deref().and_then(|named| named.split_once('@'))
        {
            let pid = pid.parse().map_err(|_| format!("`{pid}` is no process id"))?;
            let (dir, bootstrap) = (PathBuf::new(), bootstrap.to_owned());
            return Ok(Self { child: None, pid, dir, settings: Vec::new(), log_filter, bootstrap });
        }
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("ottla-wire-{}-{serial}", std::process::id()));
        std::fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        let settings = more.iter().map(|setting| (*setting).to_owned()).collect();
        let mut broker = Self { child: None, pid: 0, dir, settings, log_filter, bootstrap: String::new() };
        broker.launch()?;
        Ok(broker)
    }

    /// Ends it in the middle of whatever it does (`kill -9`) and starts it on what is left, at another port.
    pub fn kill_and_start_again(&mut self) -> Outcome<()> {
        let mut child = self.child.take().ok_or("a broker that is only visited can't be killed")?;
        child.kill().map_err(|error| error.to_string())?;
        child.wait().map_err(|error| error.to_string())?;
        self.launch()
    }

    fn launch(&mut self) -> Outcome<()> {
        let ready_path = self.dir.join("ready.json");
        // What the process before it wrote would be taken for its own.
        let _ = std::fs::remove_file(&ready_path);
        let log = std::fs::File::create(self.dir.join("broker.log")).map_err(|error| error.to_string())?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        raise_file_limit();
        let mut command = Command::new(binary()?);
        let mut listeners = "listeners=PLAINTEXT://127.0.0.1:0".to_owned();
        if let Some(names) =
            self.settings.iter().find_map(|one| one.strip_prefix("controller.listener.names="))
        {
            let [port] = free_ports().map_err(|error| error.to_string())?;
            listeners.push_str(&format!(",{names}://127.0.0.1:{port}"));
        }
        command.args(["--override", &listeners]);
        command.args(["--override", "ottla.http.listener=127.0.0.1:0"]);
        command.args(["--override", &format!("log.dirs={}", self.dir.join("data").display())]);
        let settings = self.settings.iter().map(String::as_str);
        for setting in SETTINGS.into_iter().filter(|setting| !is_kafka_only(setting)).chain(settings) {
            command.args(["--override", setting]);
        }
        if let Some(filter) = self.log_filter {
            command.env("OTTLA_LOG", filter);
        }
        command.arg("--ready-file").arg(&ready_path).current_dir(&self.dir);
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let child = command.spawn().map_err(|error| format!("starting ottla: {error}"))?;
        self.pid = child.id();
        self.child = Some(child);
        self.bootstrap = self.wait_until_ready(&ready_path)?;
        Ok(())
    }

    fn wait_until_ready(&mut self, ready_path: &Path) -> Outcome<String> {
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            let line = std::fs::read_to_string(ready_path).unwrap_or_default();
            // A line without its end is still being written.
            if let Ok(ready) = serde_json::from_str::<Value>(&line) {
                let address = ready["bootstrap"].as_str().unwrap_or_default();
                return Ok(address.to_owned());
            }
            let ended = match &mut self.child {
                Some(child) => child.try_wait().map_err(|error| error.to_string())?,
                None => None,
            };
            if ended.is_some() || Instant::now() >= deadline {
                return Err(format!("ottla is not ready ({ended:?}):\n{}", self.log()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it has printed so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("broker.log")).unwrap_or_default()
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The memory that the process holds, in bytes.
    pub fn resident_bytes(&self) -> Outcome<u64> {
        let path = format!("/proc/{}/status", self.pid);
        let status = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line
            .and_then(|rest| rest.trim().strip_suffix(" kB"))
            .and_then(|kib| kib.trim().parse::<u64>().ok());
        kib.map(|kib| kib << 10).ok_or_else(|| format!("{path} tells no VmRSS"))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        // One that is only visited has no directory here.
        if !self.dir.as_os_str().is_empty() {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

/// Thousands of connections need as many descriptors, here and in the broker, which inherits the limit.
fn raise_file_limit() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    // What the system refuses shows itself when the connections run out.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, limit);
}

fn is_kafka_only(setting: &str) -> bool {
    setting.starts_with("log.initial.task.delay.ms")
}

/// `OTTLA_BINARY`, or the build of the same profile beside the running test, made if it is not there or is old.
fn binary() -> Outcome<PathBuf> {
    if let Some(path) = std::env::var_os("OTTLA_BINARY") {
        return Ok(PathBuf::from(path));
    }
    static BUILT: std::sync::OnceLock<Outcome<PathBuf>> = std::sync::OnceLock::new();
    BUILT.get_or_init(build).clone()
}

fn build() -> Outcome<PathBuf> {
    let test = std::env::current_exe().map_err(|error| error.to_string())?;
    // target/PROFILE/oracle or target/PROFILE/deps/oracle-hash
    let mut profile_dir = test.parent().ok_or("a test without directory")?;
    if profile_dir.ends_with("deps") {
        profile_dir = profile_dir.parent().ok_or("a test without target directory")?;
    }
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "-p", "ottla-server", "--bin", "ottla"]);
    if profile_dir.ends_with("release") {
        command.arg("--release");
    }
    if let Some(target_dir) = profile_dir.parent() {
        command.arg("--target-dir").arg(target_dir);
    }
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().map_err(|error| format!("running cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("building ottla:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(profile_dir.join("ottla"))
}
