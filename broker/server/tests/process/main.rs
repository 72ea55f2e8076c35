//! The process as its operator sees it: ready line, refusals, signals, what a stop leaves behind.
//! Shell.

mod advertised;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A folder of its own for one test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ottla-process-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Folder(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that can't be removed is left to the system's own cleaning.
        let _left = std::fs::remove_dir_all(&self.0);
    }
}

struct Running {
    child: Child,
    ready: serde_json::Value,
}

fn ottla() -> Command {
    let mut command = ottla_with_its_own_http_port();
    command.args(["--override", "ottla.http.listener=127.0.0.1:0"]);
    command
}

fn ottla_with_its_own_http_port() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).env_remove("CLUSTER_ID");
    command.args(["--override", "listeners=PLAINTEXT://127.0.0.1:0"]);
    command
}

fn start(folder: &Folder, extra: &[&str]) -> Running {
    start_command(ottla(), folder, extra)
}

fn start_command(mut command: Command, folder: &Folder, extra: &[&str]) -> Running {
    let ready_file = folder.join("ready");
    // A ready file of an earlier run says nothing about this one.
    let _old = std::fs::remove_file(&ready_file);
    command.arg("--override").arg(format!("log.dirs={}", folder.join("data").display()));
    command.arg("--ready-file").arg(&ready_file).args(extra);
    let mut child = command.spawn().expect("the broker starts");
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Ok(text) = std::fs::read_to_string(&ready_file) {
            let ready = serde_json::from_str(&text).expect("one JSON line");
            return Running { child, ready };
        }
        if let Some(status) = child.try_wait().expect("the child can be asked") {
            panic!("the broker ended with {status}: {}", stderr_of(child));
        }
        assert!(Instant::now() < deadline, "the broker is not ready after 20 s");
        std::thread::yield_now();
    }
}

fn stderr_of(mut child: Child) -> String {
    let mut text = String::new();
    child.stderr.take().expect("stderr is piped").read_to_string(&mut text).expect("text");
    text
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill runs");
    assert!(status.success());
}

impl Running {
    fn address(&self, key: &str) -> &str {
        self.ready[key].as_str().expect("an address")
    }

    fn http_get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address("http")).expect("the HTTP port accepts");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: ottla\r\nConnection: close\r\n\r\n").expect("sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        text
    }

    fn stop(mut self) -> (Duration, String) {
        signal(&self.child, "-TERM");
        let begun = Instant::now();
        let status = self.child.wait().expect("it ends");
        let took = begun.elapsed();
        assert!(status.success(), "{status}");
        (took, stderr_of(self.child))
    }

    fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("reaped");
    }
}

fn fails(mut command: Command) -> String {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(status) = child.try_wait().expect("the child can be asked") {
            assert!(!status.success());
            return stderr_of(child);
        }
        if Instant::now() >= deadline {
            child.kill().expect("killed");
            panic!("it should end, and runs: {}", stderr_of(child));
        }
        std::thread::yield_now();
    }
}

/// One Metadata v1 request for all topics, and the length of its answer.
fn ask_metadata(address: &str) -> usize {
    ask_metadata_of(address, &(-1i32).to_be_bytes())
}

/// The same for topics that come to be by it.
fn ask_for_topics(address: &str, names: &[&str]) {
    let mut topics = (names.len() as i32).to_be_bytes().to_vec();
    for name in names {
        topics.extend_from_slice(&(name.len() as i16).to_be_bytes());
        topics.extend_from_slice(name.as_bytes());
    }
    ask_metadata_of(address, &topics);
}

fn ask_metadata_of(address: &str, topics: &[u8]) -> usize {
    let mut stream = TcpStream::connect(address).expect("the port accepts");
    let mut frame = vec![0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff];
    frame.extend_from_slice(topics);
    stream.write_all(&(frame.len() as i32).to_be_bytes()).expect("sent");
    stream.write_all(&frame).expect("sent");
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("an answer");
    let mut answer = vec![0; i32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).expect("the whole answer");
    assert_eq!(&answer[..4], &[0, 0, 0, 7], "the correlation id comes back");
    answer.len()
}

/// Creates a topic of one partition (CreateTopics v2); its error code.
fn create_topic(address: &str, name: &str) -> i16 {
    let mut frame = vec![0, 19, 0, 2, 0, 0, 0, 8, 0xff, 0xff, 0, 0, 0, 1];
    frame.extend_from_slice(&(name.len() as i16).to_be_bytes());
    frame.extend_from_slice(name.as_bytes());
    // One partition, one replica, no assignments, no configs; 10 s; not only validated.
    frame.extend_from_slice(&[0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x27, 0x10, 0]);
    let mut stream = TcpStream::connect(address).expect("the port accepts");
    stream.write_all(&(frame.len() as i32).to_be_bytes()).expect("sent");
    stream.write_all(&frame).expect("sent");
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("an answer");
    let mut answer = vec![0; i32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).expect("the whole answer");
    // Correlation id, throttle time, one topic, its name, the code.
    let at = 4 + 4 + 4 + 2 + name.len();
    i16::from_be_bytes([answer[at], answer[at + 1]])
}

/// What a start that fails says.
fn refusal(folder: &Folder, extra: &[&str]) -> String {
    let mut command = ottla();
    command.arg("--override").arg(format!("log.dirs={}", folder.join("data").display())).args(extra);
    fails(command)
}

#[test]
fn a_damaged_metadata_log_stops_the_start_until_its_loss_is_accepted() {
    const EXISTS: i16 = 36;
    let folder = Folder::new();
    let running = start(&folder, &[]);
    let names: Vec<String> = (0..12).map(|number| format!("topic-{number}")).collect();
    for name in &names {
        assert_eq!(create_topic(running.address("bootstrap"), name), 0);
    }
    assert_eq!(create_topic(running.address("bootstrap"), &names[0]), EXISTS);
    running.kill();
    let log = folder.join("data/__cluster_metadata-0/00000000000000000000.log");
    let whole = std::fs::read(&log).expect("the log");
    for third in 0..3 {
        let mut damaged = whole.clone();
        damaged[whole.len() / 6 + third * whole.len() / 3] ^= 4;
        std::fs::write(&log, &damaged).expect("written");
        let text = refusal(&folder, &[]);
        assert!(text.contains("00000000000000000000.log is damaged at byte "), "{text}");
        assert!(text.contains("topic-11") && text.contains("--accept-metadata-loss"), "{text}");
        assert_eq!(std::fs::read(&log).expect("the log"), damaged);
    }
    let running = start(&folder, &["--accept-metadata-loss"]);
    assert_eq!(create_topic(running.address("bootstrap"), &names[0]), EXISTS);
    assert_eq!(create_topic(running.address("bootstrap"), &names[11]), 0);
    let (_, text) = running.stop();
    assert!(text.contains("a copy is in "), "{text}");
    let running = start(&folder, &[]);
    assert_eq!(create_topic(running.address("bootstrap"), &names[11]), EXISTS);
    running.stop();
}

#[test]
fn a_cluster_whose_id_is_lost_or_damaged_does_not_start_under_another() {
    let folder = Folder::new();
    let running = start(&folder, &[]);
    assert_eq!(create_topic(running.address("bootstrap"), "t"), 0);
    running.kill();
    let path = folder.join("data/meta.properties");
    let whole = std::fs::read_to_string(&path).expect("meta.properties");
    for third in 0..3 {
        let mut damaged = whole.clone().into_bytes();
        damaged[whole.len() / 6 + third * whole.len() / 3] ^= 1;
        std::fs::write(&path, damaged).expect("written");
        let text = refusal(&folder, &[]);
        assert!(text.contains("meta.properties: "), "{text}");
    }
    std::fs::remove_file(&path).expect("removed");
    let text = refusal(&folder, &[]);
    assert!(text.contains("meta.properties is missing") && text.contains("CLUSTER_ID"), "{text}");
    assert!(!path.exists());
    let id = whole.lines().find_map(|line| line.strip_prefix("cluster.id=")).expect("an id");
    let mut command = ottla();
    command.env("CLUSTER_ID", id);
    let running = start_command(command, &folder, &[]);
    assert_eq!(create_topic(running.address("bootstrap"), "t"), 36);
    running.stop();
    assert!(std::fs::read_to_string(&path).expect("written anew").contains(&format!("cluster.id={id}")));
}

#[test]
fn it_serves_when_the_ready_line_is_there_and_stops_quickly_when_asked() {
    let folder = Folder::new();
    let running = start(&folder, &[]);
    assert!(ask_metadata(running.address("bootstrap")) > 4);
    assert!(running.http_get("/health/live").starts_with("HTTP/1.1 200"));
    assert!(running.http_get("/health/ready").starts_with("HTTP/1.1 200"));
    assert!(running.http_get("/metrics").contains("ottla_connections"));
    assert_eq!(running.ready["pid"], running.child.id());
    let (took, log) = running.stop();
    // The bound of the issue is 100 ms; a debug build on a busy machine gets some room.
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(log.contains("stopped cleanly"), "{log}");
}

/// `kafka-configs` of the loggers of broker 1: what it prints on either channel.
fn loggers(running: &Running, words: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command.args(["kafka-configs", "--bootstrap-server", running.address("bootstrap")]);
    command.args(["--entity-type", "broker-loggers", "--entity-name", "1"]).args(words);
    let output = command.output().expect("it runs");
    [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat()
}

#[test]
fn what_is_logged_changes_with_the_levels_of_loggers() {
    const DONE: &str = "Completed updating config for broker-logger 1.\n";
    let silent = |folder: &Folder| {
        let mut command = ottla();
        command.env("OTTLA_LOG", "off,ottla_log=warn");
        start_command(command, folder, &[])
    };
    let folder = Folder::new();
    let running = silent(&folder);
    let shown = loggers(&running, &["--describe"]);
    assert!(shown.starts_with("Dynamic configs for broker-logger 1 are:\n"), "{shown}");
    for line in ["ottla=FATAL", "ottla_log=WARN", "root=FATAL"] {
        assert!(shown.contains(&format!("  {line} sensitive=false synonyms={{}}\n")), "{shown}");
    }
    assert_eq!(loggers(&running, &["--alter", "--add-config", "ottla=INFO,ottla_log=DEBUG"]), DONE);
    let shown = loggers(&running, &["--describe"]);
    assert!(shown.contains("  ottla=INFO ") && shown.contains("  ottla_log=DEBUG "), "{shown}");
    for bad in
        [["--add-config", "ottla_nothing=INFO"], ["--add-config", "ottla=LOUD"], ["--delete-config", "root"]]
    {
        let refused = loggers(&running, &["--alter", bad[0], bad[1]]);
        assert!(
            refused.contains("InvalidConfigurationException") || refused.contains("InvalidRequest"),
            "{refused}"
        );
    }
    let (_, log) = running.stop();
    assert!(log.contains("stopped cleanly") && !log.contains("serves Kafka"), "{log}");
    // The next start has what the environment says, and a level that is taken away is the parent's again.
    let running = silent(&folder);
    assert_eq!(loggers(&running, &["--alter", "--add-config", "ottla=INFO"]), DONE);
    assert_eq!(loggers(&running, &["--alter", "--delete-config", "ottla"]), DONE);
    let (_, log) = running.stop();
    assert!(!log.contains("stopped cleanly"), "{log}");
}

#[test]
fn after_a_clean_stop_there_is_nothing_to_recover_and_after_a_kill_it_starts_by_itself() {
    let folder = Folder::new();
    let cluster = |running: &Running| running.http_get("/");
    let first = start(&folder, &[]);
    let page = cluster(&first);
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    first.stop();
    let (_, log) = start(&folder, &[]).stop();
    assert!(!log.to_lowercase().contains("recover"), "{log}");
    start(&folder, &[]).kill();
    let after_kill = start(&folder, &[]);
    assert!(ask_metadata(after_kill.address("bootstrap")) > 4);
    after_kill.stop();
}

#[test]
fn a_second_broker_on_the_same_directory_is_refused() {
    let folder = Folder::new();
    let running = start(&folder, &[]);
    let mut second = ottla();
    second.arg("--override").arg(format!("log.dirs={}", folder.join("data").display()));
    let error = fails(second);
    assert!(error.contains("another process"), "{error}");
    assert!(error.contains(folder.join("data").to_str().expect("UTF-8")), "{error}");
    running.stop();
}

/// Holds the port that HTTP has when nobody configures it, or finds that another process holds it.
fn take_the_http_port() -> Option<TcpListener> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        match TcpListener::bind("127.0.0.1:9644") {
            Ok(held) => return Some(held),
            // Another run of this test lets it go soon; a broker of this machine's does not.
            Err(_taken) if Instant::now() < deadline => std::thread::yield_now(),
            Err(_taken) => return None,
        }
    }
}

#[test]
fn a_taken_http_port_that_nobody_configured_is_replaced_by_a_free_one() {
    let _held = take_the_http_port();
    let folder = Folder::new();
    let running = start_command(ottla_with_its_own_http_port(), &folder, &[]);
    let http = running.address("http").to_owned();
    assert!(http.starts_with("127.0.0.1:") && !http.ends_with(":9644"), "{http}");
    assert!(running.http_get("/health/ready").starts_with("HTTP/1.1 200"));
    let (_, log) = running.stop();
    let line = format!("127.0.0.1:9644 is taken: metrics and health are served at {http}");
    assert_eq!(log.matches(&line).count(), 1, "{log}");
}

#[test]
fn a_taken_http_port_that_was_configured_stops_the_start() {
    let held = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let setting = format!("ottla.http.listener={}", held.local_addr().expect("bound"));
    let folder = Folder::new();
    let mut command = ottla_with_its_own_http_port();
    command.arg("--override").arg(format!("log.dirs={}", folder.join("data").display()));
    command.args(["--override", &setting]);
    let error = fails(command);
    assert!(error.contains(&setting), "{error}");
}

#[test]
fn a_metric_shows_as_many_series_as_configured_and_says_how_many_it_left_out() {
    let folder = Folder::new();
    let running = start(&folder, &["--override", "ottla.metrics.series.max=2"]);
    let omitted = "ottla_metrics_omitted_series{metric=\"ottla_messages_in_total\"} 3";
    let deadline = Instant::now() + Duration::from_secs(20);
    let text = loop {
        ask_for_topics(running.address("bootstrap"), &["a", "b", "c", "d", "e"]);
        let text = running.http_get("/metrics");
        if text.contains(omitted) {
            break text;
        }
        assert!(Instant::now() < deadline, "{text}");
    };
    assert_eq!(text.matches("ottla_messages_in_total{topic=").count(), 2, "{text}");
    assert!(text.contains("ottla_messages_in_total{topic=\"a\"} 0"), "{text}");
    running.stop();
}

#[test]
fn without_a_directory_nothing_is_left_behind() {
    let folder = Folder::new();
    let running = start(&folder, &["--ephemeral"]);
    assert!(ask_metadata(running.address("bootstrap")) > 4);
    running.stop();
    assert!(!Path::exists(&folder.join("data")));
}

#[test]
fn a_bad_value_stops_the_start_and_names_key_value_and_what_is_allowed() {
    let mut command = ottla();
    command.args(["--override", "num.partitions=none"]);
    let error = fails(command);
    assert!(error.contains("num.partitions") && error.contains("none"), "{error}");

    let mut command = ottla();
    command.args(["--override", "num.partitons=3"]);
    let error = fails(command);
    assert!(error.contains("num.partitons") && error.contains("num.partitions"), "{error}");

    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command.args(["--override", "listeners=SSL://127.0.0.1:0"]);
    let error = fails(command);
    assert!(error.contains("ssl.keystore.location"), "{error}");
}

#[test]
fn an_unchanged_server_properties_of_a_kraft_node_starts_it() {
    let folder = Folder::new();
    let path = folder.join("server.properties");
    let text = format!(
        "process.roles=broker,controller\nnode.id=0\ncontroller.quorum.voters=0@localhost:9093\n\
         listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:9093\n\
         inter.broker.listener.name=PLAINTEXT\ncontroller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
         log.dirs={}\nnum.partitions=1\nottla.http.listener=127.0.0.1:0\nsome.unknown.key=1\n",
        folder.join("data").display()
    );
    std::fs::write(&path, text).expect("written");
    let ready_file = folder.join("ready");
    let mut child = Command::new(env!("CARGO_BIN_EXE_ottla"))
        .arg(&path)
        .arg("--ready-file")
        .arg(&ready_file)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the broker starts");
    let deadline = Instant::now() + Duration::from_secs(20);
    let ready: serde_json::Value = loop {
        if let Ok(text) = std::fs::read_to_string(&ready_file) {
            break serde_json::from_str(&text).expect("JSON");
        }
        assert!(child.try_wait().expect("asked").is_none(), "{}", stderr_of(child));
        assert!(Instant::now() < deadline, "not ready after 20 s");
        std::thread::yield_now();
    };
    assert!(ask_metadata(ready["bootstrap"].as_str().expect("an address")) > 4);
    signal(&child, "-TERM");
    child.wait().expect("it ends");
    let log = stderr_of(child);
    assert!(log.contains("some.unknown.key"), "an unknown key is warned of: {log}");
}

#[test]
fn a_directory_half_taken_over_does_not_start_and_a_stranger_s_is_refused() {
    let folder = Folder::new();
    let data = folder.join("data");
    std::fs::create_dir_all(&data).expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.arg("adopt").arg(&data).arg("--data-dir").arg(folder.join("ours"));
    let text = fails(command);
    assert!(text.contains("it has no meta.properties"), "{text}");
    assert!(!folder.join("ours").exists());

    std::fs::write(data.join(".ottla-adopting"), "copying\n").expect("written");
    let mut command = ottla();
    command.arg("--override").arg(format!("log.dirs={}", data.display()));
    let text = fails(command);
    assert!(text.contains("`ottla adopt` was cut off here"), "{text}");
    assert!(!data.join("meta.properties").exists());
}

#[test]
fn the_configuration_and_the_listeners_are_explained() {
    let config = Command::new(env!("CARGO_BIN_EXE_ottla")).arg("config").output().expect("it runs");
    let text = String::from_utf8(config.stdout).expect("text");
    assert!(config.status.success() && text.contains("num.partitions") && text.contains("ottla.durability"));
    let listeners =
        Command::new(env!("CARGO_BIN_EXE_ottla")).arg("explain-listeners").output().expect("it runs");
    let text = String::from_utf8(listeners.stdout).expect("text");
    assert!(text.contains("PLAINTEXT: listens on 127.0.0.1, port 9092"), "{text}");
}

/// DescribeCluster v1 for an endpoint type; the code of its answer, or nothing when the connection is closed.
fn describe_cluster(address: &str, endpoint_type: u8) -> Option<i16> {
    answer_code(address, &[0, 60, 0, 1, 0, 0, 0, 9, 0xff, 0xff, 0, 0, endpoint_type, 0], 4 + 1 + 4)
}

/// The code at a place of the answer to a frame.
fn answer_code(address: &str, frame: &[u8], at: usize) -> Option<i16> {
    let answer = exchange(address, frame)?;
    Some(i16::from_be_bytes([answer[at], answer[at + 1]]))
}

/// The answer to a frame, or nothing when the connection is closed.
fn exchange(address: &str, frame: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(address).expect("the port accepts");
    stream.write_all(&(frame.len() as i32).to_be_bytes()).expect("sent");
    stream.write_all(frame).expect("sent");
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut answer = vec![0; i32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).expect("the whole answer");
    Some(answer)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it is bound").port()
}

fn overrides(given: &[&str]) -> Vec<String> {
    given.iter().flat_map(|pair| ["--override".to_owned(), (*pair).to_owned()]).collect()
}

#[test]
fn a_controller_and_a_broker_may_be_processes_of_their_own() {
    let (port, client_port) = (free_port(), free_port());
    let of_controller = overrides(&[
        "process.roles=controller",
        &format!("listeners=CONTROLLER://127.0.0.1:{port}"),
        "controller.listener.names=CONTROLLER",
        &format!("controller.quorum.voters=1@127.0.0.1:{port}"),
    ]);
    let of_broker = overrides(&[
        "process.roles=broker",
        "node.id=2",
        &format!("listeners=PLAINTEXT://127.0.0.1:{client_port}"),
        "controller.listener.names=CONTROLLER",
        &format!("controller.quorum.bootstrap.servers=127.0.0.1:{port}"),
    ]);
    let (one, two) = (Folder::new(), Folder::new());
    let run = |folder: &Folder, given: &[String]| {
        start(folder, &given.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let controller = run(&one, &of_controller);
    assert_eq!(controller.address("bootstrap"), format!("127.0.0.1:{port}"));
    let broker = run(&two, &of_broker);
    let bootstrap = broker.address("bootstrap").to_owned();
    assert_eq!(create_topic(&bootstrap, "t"), 0);
    assert!(!two.join("data/__cluster_metadata-0").exists(), "an observer keeps no copy");
    assert!(one.join("data/__cluster_metadata-0").exists());
    assert!(!one.join("data/t-0").exists(), "a controller hosts nothing");
    // It knows again what the controller knows.
    broker.stop();
    let broker = run(&two, &of_broker);
    assert_eq!(create_topic(&bootstrap, "t"), 36, "TOPIC_ALREADY_EXISTS");
    // Clients are served, and the log read on, while the controller comes back.
    controller.kill();
    let controller = run(&one, &of_controller);
    ask_metadata(&bootstrap);
    // Perhaps made although the answer said otherwise.
    while ![0, 36].contains(&create_topic(&bootstrap, "another")) {
        std::thread::yield_now();
    }
    broker.stop();
    controller.stop();
}

#[test]
fn a_controllers_listener_serves_tools_and_no_clients() {
    const MISMATCHED_ENDPOINT_TYPE: i16 = 114;
    const UNSUPPORTED_ENDPOINT_TYPE: i16 = 115;
    let folder = Folder::new();
    let held = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let controller = held.local_addr().expect("its address").to_string();
    drop(held);
    let listeners = format!("listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://{controller}");
    let names = "controller.listener.names=CONTROLLER";
    let running = start(&folder, &["--override", &listeners, "--override", names]);
    let broker = running.address("bootstrap").to_owned();
    let (brokers, controllers) = (1, 2);
    assert_eq!(describe_cluster(&controller, controllers), Some(0));
    assert_eq!(describe_cluster(&broker, brokers), Some(0));
    assert_eq!(describe_cluster(&controller, brokers), Some(MISMATCHED_ENDPOINT_TYPE));
    assert_eq!(describe_cluster(&broker, controllers), Some(MISMATCHED_ENDPOINT_TYPE));
    assert_eq!(describe_cluster(&controller, 9), Some(UNSUPPORTED_ENDPOINT_TYPE));
    assert_eq!(create_topic(&controller, "made-by-a-tool"), 0);
    let all_topics = [0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(answer_code(&controller, &all_topics, 4), None, "Metadata is for clients");
    // A voter's frame from nobody who votes.
    let frame = [0x75, 0x30, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 2, 1, 2, 3];
    assert_eq!(answer_code(&controller, &frame, 0), None);
    assert_eq!(answer_code(&broker, &frame, 0), None);
    running.stop();
}

/// Certificates are made anew by others, under the same names: a signal brings them into force, and ends nothing.
#[test]
fn a_hang_up_reads_the_stores_anew_and_keeps_what_cannot_be_read() {
    let folder = Folder::new();
    let make = |name: &str| {
        let made = Command::new(env!("CARGO_BIN_EXE_ottla")).arg("tls-dev").arg(folder.join(name)).output();
        assert!(made.expect("it runs").status.success());
        std::fs::read(folder.join(name).join("server.p12")).expect("a store")
    };
    let (store, next) = (folder.join("first/server.p12"), [make("first"), make("second")]);
    let location = format!("ssl.keystore.location={}", store.display());
    let settings = ["listeners=SSL://localhost:0", &location, "ssl.keystore.password=changeit"];
    let mut broker = start(&folder, &settings.map(|setting| ["--override", setting]).concat());
    // Whatever says that the signal was obeyed is looked for in the order in which it must come.
    let mut log = std::io::BufReader::new(broker.child.stderr.take().expect("stderr is piped"));
    let mut wait_for = |words: &str| {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            let read = std::io::BufRead::read_line(&mut log, &mut line).expect("text");
            assert!(read > 0, "it ended without saying: {words}");
        }
    };
    std::fs::write(&store, &next[1]).expect("replaced");
    signal(&broker.child, "-HUP");
    wait_for("listener SSL: its stores were read anew");
    std::fs::write(&store, b"nonsense").expect("replaced");
    signal(&broker.child, "-HUP");
    wait_for("listener SSL keeps the stores it has");
    std::fs::write(&store, &next[0]).expect("replaced");
    signal(&broker.child, "-HUP");
    wait_for("listener SSL: its stores were read anew");
    signal(&broker.child, "-TERM");
    assert!(broker.child.wait().expect("it ends").success());
}
