//! Apache Kafka 4.3.1, fetched by Maven and run as one combined KRaft node: what every check is proven against first.
//! Shell: processes, files, the clock.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::broker::{Broker, BrokerOptions};
use crate::failure::{Failure, Outcome, While, fail};
use crate::places::{ScratchDir, cache_dir, compat_dir};
use crate::ports::free_ports;
use crate::process::{POLL_INTERVAL, Process, last_lines, run};
use crate::wire::Connection;

pub const KAFKA_VERSION: &str = "4.3.1";

const DOWNLOAD_LIMIT: Duration = Duration::from_secs(300);
const FORMAT_LIMIT: Duration = Duration::from_secs(60);
const READY_LIMIT: Duration = Duration::from_secs(90);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// A cluster id like any other; one broker, so it need not be random.
const CLUSTER_ID: &str = "b3R0bGFDb21wYXQwMDAwMQ";

/// The folder with every jar of the server, the tools and the clients; filled by Maven the first time.
pub fn libs_dir() -> Outcome<PathBuf> {
    // Several may ask at once; the first one fetches.
    static FETCH: Mutex<()> = Mutex::new(());
    let _alone = FETCH.lock().unwrap_or_else(PoisonError::into_inner);
    let cache = cache_dir()?;
    let dir = cache.join(format!("kafka-{KAFKA_VERSION}/libs"));
    if are_libs_here()? {
        return Ok(dir);
    }
    let pom = pom_path();
    crate::process::require("mvn", "Maven (apt: maven)")?;
    crate::process::require("java", "Java 17 or newer (apt: default-jdk)")?;
    let _ = fs::remove_dir_all(&dir);
    let output_path = cache.join("maven-reference.log");
    let _ = fs::remove_file(&output_path);
    let mut command = Command::new("mvn");
    command
        .args(["-q", "-B", "-f"])
        .arg(&pom)
        .arg("org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies")
        .arg("-DincludeScope=runtime")
        .arg(format!("-DoutputDirectory={}", dir.display()));
    run("mvn", &mut command, &output_path, DOWNLOAD_LIMIT)?;
    fs::write(done_path()?, fs::read(&pom)?)?;
    Ok(dir)
}

/// The mark of a complete download holds the pom it was made from, so that a changed pom is fetched again.
pub fn are_libs_here() -> Outcome<bool> {
    let pom = pom_path();
    let pom_text = fs::read(&pom).while_doing(|| format!("reading {}", pom.display()))?;
    Ok(fs::read(done_path()?).is_ok_and(|text| text == pom_text))
}

fn pom_path() -> PathBuf {
    compat_dir().join("reference/pom.xml")
}

fn done_path() -> Outcome<PathBuf> {
    Ok(cache_dir()?.join(format!("kafka-{KAFKA_VERSION}/complete")))
}

/// The class path of server, tools and clients, for `java -cp`.
pub fn classpath() -> Outcome<String> {
    Ok(format!("{}/*:{}", libs_dir()?.display(), compat_dir().join("reference").display()))
}

/// The class path in a file of its own, jar by jar, for programs that read one.
pub fn classpath_file() -> Outcome<PathBuf> {
    let libs = libs_dir()?;
    let mut jars: Vec<String> = fs::read_dir(&libs)?
        .filter_map(Result::ok)
        .map(|entry| entry.path().display().to_string())
        .filter(|path| path.ends_with(".jar"))
        .collect();
    jars.sort();
    jars.push(compat_dir().join("reference").display().to_string());
    let path = cache_dir()?.join(format!("kafka-{KAFKA_VERSION}/classpath"));
    fs::write(&path, jars.join(":"))?;
    Ok(path)
}

/// A JVM with the reference class path and a small heap, ready for a main class and its arguments.
pub fn java(heap_mib: u32) -> Outcome<Command> {
    let mut command = Command::new("java");
    command
        .arg(format!("-Xmx{heap_mib}m"))
        // Short programs on a small machine: starting fast counts for more than running fast.
        .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"])
        .args(["-Dlog4j2.configurationFile=log4j2.properties", "-cp"])
        .arg(classpath()?);
    Ok(command)
}

/// One Apache Kafka process, broker and controller in one.
#[derive(Debug)]
pub struct KafkaServer {
    process: Option<Process>,
    properties_path: PathBuf,
    log_dir: PathBuf,
    output_path: PathBuf,
    bootstrap: String,
    /// Its listener has SASL (`listener.security.protocol.map` says so).
    has_login: bool,
    environment: Vec<(String, String)>,
    _scratch: ScratchDir,
}

impl KafkaServer {
    /// Formats the directory if it is new, starts the node and waits until it serves.
    pub fn start(options: &BrokerOptions) -> Outcome<Self> {
        let [broker_port, controller_port] = free_ports()?;
        let broker_port = options.port.unwrap_or(broker_port);
        let text = |log_dir: &Path| properties(log_dir, broker_port, controller_port, &options.overrides);
        Self::start_with(options, broker_port, CLUSTER_ID, &text)
    }

    /// A broker that joins the controllers of another's cluster: `overrides` says who it is and where they are.
    pub fn join(options: &BrokerOptions, cluster_id: &str) -> Outcome<Self> {
        let [free_port] = free_ports()?;
        let port = options.port.unwrap_or(free_port);
        let text = |log_dir: &Path| {
            let mut text = format!(
                "process.roles=broker\n\
                 listeners=PLAINTEXT://127.0.0.1:{port}\n\
                 advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
                 listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
                 controller.listener.names=CONTROLLER\n\
                 log.dirs={}\n",
                log_dir.display()
            );
            for pair in &options.overrides {
                text.push_str(pair);
                text.push('\n');
            }
            text
        };
        Self::start_with(options, port, cluster_id, &text)
    }

    fn start_with(
        options: &BrokerOptions,
        broker_port: u16,
        cluster_id: &str,
        properties: &dyn Fn(&Path) -> String,
    ) -> Outcome<Self> {
        let scratch = options.scratch("kafka")?;
        let dir = scratch.path().to_path_buf();
        let mut server = Self {
            process: None,
            properties_path: dir.join("server.properties"),
            log_dir: options.log_dir.clone().unwrap_or_else(|| dir.join("data")),
            output_path: dir.join("broker.log"),
            bootstrap: format!("127.0.0.1:{broker_port}"),
            has_login: options.overrides.iter().any(|pair| pair.contains("PLAINTEXT:SASL_")),
            environment: options.environment.clone(),
            _scratch: scratch,
        };
        fs::write(&server.properties_path, properties(&server.log_dir))?;
        if !server.log_dir.join("meta.properties").exists() {
            server.format(cluster_id)?;
        }
        server.spawn()?;
        Ok(server)
    }

    fn format(&self, cluster_id: &str) -> Outcome<()> {
        let mut command = java(256)?;
        command
            .args(["kafka.tools.StorageTool", "format", "--cluster-id", cluster_id, "--config"])
            .arg(&self.properties_path);
        run("the storage tool", &mut command, &self.output_path, FORMAT_LIMIT)
    }

    fn spawn(&mut self) -> Outcome<()> {
        let mut command = Command::new("java");
        command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .args(["-Xmx1g", "-Xms256m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"])
            .args(["-Dcompat.log.level=info", "-Dlog4j2.configurationFile=log4j2.properties", "-cp"])
            .arg(classpath()?)
            .arg("kafka.Kafka")
            .arg(&self.properties_path);
        let mut process = Process::start("Apache Kafka", &mut command, &self.output_path)?;
        let deadline = Instant::now() + READY_LIMIT;
        while !serves(&self.bootstrap, self.has_login) {
            if let Some(status) = process.exited()? {
                return fail(format!("Apache Kafka ended with {status}\n{}", process.last_output(30)));
            }
            if Instant::now() >= deadline {
                return fail(format!(
                    "Apache Kafka did not serve within {READY_LIMIT:?}\n{}",
                    process.last_output(30)
                ));
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        self.process = Some(process);
        Ok(())
    }
}

/// It serves when it names itself to a client, which it does once the controller has unfenced it. Where clients
/// must log in, it is asked what it can be asked without.
fn serves(bootstrap: &str, has_login: bool) -> bool {
    let connection = Connection::open(bootstrap, Duration::from_secs(2));
    if has_login {
        return connection.and_then(|mut connection| connection.api_count()).is_ok_and(|count| count > 0);
    }
    connection.and_then(|mut connection| connection.broker_count()).is_ok_and(|count| count > 0)
}

fn properties(log_dir: &Path, broker_port: u16, controller_port: u16, overrides: &[String]) -> String {
    let mut text = format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller_port}\n\
         listeners=PLAINTEXT://127.0.0.1:{broker_port},CONTROLLER://127.0.0.1:{controller_port}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{broker_port}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         controller.listener.names=CONTROLLER\n\
         log.dirs={}\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=5\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         transaction.state.log.num.partitions=5\n\
         share.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\n\
         share.coordinator.state.topic.num.partitions=5\n\
         group.initial.rebalance.delay.ms=0\n\
         # After a kill the controller takes the broker back only when its old session is over.\n\
         broker.heartbeat.interval.ms=250\n\
         broker.session.timeout.ms=1500\n",
        log_dir.display()
    );
    for pair in overrides {
        text.push_str(pair);
        text.push('\n');
    }
    text
}

impl Broker for KafkaServer {
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
        self.process.take().map_or(Ok(()), |mut process| process.stop(STOP_LIMIT))
    }

    fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| matches!(process.exited(), Ok(None)))
    }

    fn last_output(&self, line_count: usize) -> String {
        last_lines(&self.output_path, line_count)
    }
}

/// What `cargo compat kafka` prints when it serves: one line for a script to read.
pub fn ready_line(server: &KafkaServer) -> Outcome<String> {
    let classpath_file = classpath_file()?;
    let line = serde_json::json!({
        "bootstrap": server.bootstrap(),
        "pid": server.pid(),
        "classpath_file": classpath_file.to_str().ok_or_else(|| Failure("a path beyond UTF-8".to_owned()))?,
        "log_dir": server.log_dir().display().to_string(),
    });
    Ok(line.to_string())
}
