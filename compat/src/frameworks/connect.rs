//! Kafka Connect, distributed: a file's lines into a topic exactly once, and out of it into another file.
//! Shell: the broker, two workers, a thread that writes the file, the clock.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::contract::Program;
use crate::eos::dumped::Value;
use crate::eos::stage::Worker;
use crate::failure::{Failure, Outcome, While, fail};
use crate::frameworks::scene::{LEAVE_LIMIT, Scene, prepare, start};
use crate::frameworks::{EXACT, Job, Play, rest, truth};
use crate::ports::free_ports;
use crate::process::Process;
use crate::steps::Steps;

const TOPIC: &str = "connect-lines";
const SOURCE: &str = "lines-in";
const SINK: &str = "lines-out";
const LINES_PER_TURN: usize = 50;
const TURN: Duration = Duration::from_millis(50);
const PROGRESS_PER_ROUND: u64 = 2_000;
const WORKER_COUNT: usize = 2;
const REST_LIMIT: Duration = Duration::from_secs(120);

pub(super) const JOB: Job = Job {
    name: "connect",
    about: "two distributed workers: FileStreamSource exactly once to a topic to FileStreamSink; offsets reset by REST",
    versions: "Kafka Connect 4.3.1",
    play: Play::Own(play),
};

/// The source file grows until it is told to stop.
pub(super) struct Feed {
    written: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Feed {
    pub(super) fn start(path: &Path, lines: Vec<String>) -> Outcome<Self> {
        let mut file = File::create(path).while_doing(|| format!("creating {}", path.display()))?;
        let (written, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, told) = (written.clone(), is_over.clone());
        let thread = std::thread::Builder::new().name("lines".to_owned()).spawn(move || {
            for turn in lines.chunks(LINES_PER_TURN) {
                if told.load(Ordering::Relaxed) {
                    break;
                }
                file.write_all((turn.join("\n") + "\n").as_bytes())?;
                counted.fetch_add(turn.len() as u64, Ordering::Relaxed);
                std::thread::sleep(TURN);
            }
            Ok(())
        })?;
        Ok(Self { written, is_over, thread: Some(thread) })
    }

    pub(super) fn leave(&mut self) -> Outcome<u64> {
        self.is_over.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        match ended {
            Some(Err(_)) => return fail("the thread that wrote the lines panicked"),
            Some(Ok(written)) => written?,
            None => {}
        }
        Ok(self.written.load(Ordering::Relaxed))
    }
}

impl Worker for Feed {
    fn drain(&mut self) -> Outcome<()> {
        Ok(())
    }

    fn progress(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    fn last_notes(&self) -> String {
        String::new()
    }
}

/// A worker of Connect.
pub(super) struct ConnectWorker {
    process: Process,
    name: String,
    properties: PathBuf,
    port: u16,
    /// What the connectors have written is counted once, with the first of the workers.
    sink: Option<PathBuf>,
}

impl ConnectWorker {
    pub(super) fn start(
        scene: &Scene<'_>,
        program: &Program,
        number: usize,
        sink: Option<&Path>,
    ) -> Outcome<Self> {
        let name = format!("worker-{number}");
        let [port] = free_ports()?;
        let properties = scene.path(&format!("{name}.properties"));
        std::fs::write(&properties, worker_properties(&scene.bootstrap(), port))?;
        let process = start(program, &name, &[&properties], scene.stage.work_dir)?;
        Ok(Self { process, name, properties, port, sink: sink.map(Path::to_owned) })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(super) fn stop(&mut self, limit: Duration) -> Outcome<()> {
        self.process.stop(limit)
    }

    pub(super) fn kill_and_start(&mut self, program: &Program, work_dir: &Path) -> Outcome<()> {
        self.process.kill9()?;
        self.process = start(program, &self.name, &[&self.properties], work_dir)?;
        Ok(())
    }
}

impl Worker for ConnectWorker {
    fn drain(&mut self) -> Outcome<()> {
        match self.process.exited()? {
            None => Ok(()),
            Some(status) => fail(format!("{} ended with {status}\n{}", self.name, self.last_notes())),
        }
    }

    fn progress(&self) -> u64 {
        self.sink.as_deref().map_or(0, line_count)
    }

    fn last_notes(&self) -> String {
        self.process.last_output(15)
    }
}

/// All lines are of one length.
pub(super) fn line_count(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |about| about.len() / (truth::LINE_BYTES as u64 + 1))
}

fn worker_properties(bootstrap: &str, port: u16) -> String {
    format!(
        "bootstrap.servers={bootstrap}\n\
         group.id=connect-workers\n\
         key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.storage.StringConverter\n\
         config.storage.topic=connect-configs\n\
         offset.storage.topic=connect-offsets\n\
         status.storage.topic=connect-status\n\
         config.storage.replication.factor=-1\n\
         offset.storage.replication.factor=-1\n\
         status.storage.replication.factor=-1\n\
         offset.storage.partitions=5\n\
         exactly.once.source.support=enabled\n\
         consumer.isolation.level=read_committed\n\
         offset.flush.interval.ms=1000\n\
         listeners=http://127.0.0.1:{port}\n\
         plugin.discovery=service_load\n\
         # A dead worker's tasks move at once, not after five minutes.\n\
         scheduled.rebalance.max.delay.ms=0\n\
         session.timeout.ms=10000\n\
         heartbeat.interval.ms=1000\n"
    )
}

fn play(scene: &mut Scene<'_>, steps: &mut Steps) -> Outcome<String> {
    let main_class = "org.apache.kafka.connect.cli.ConnectDistributed";
    let jvm = ["-Dorg.slf4j.simpleLogger.log.org.apache.kafka.connect=info"];
    let program =
        steps.step("prepare", || prepare("connect", "Kafka Connect 4.3.1", main_class, 320, &jvm))?;
    let (input, output) = (scene.path("lines.txt"), scene.path("out.txt"));
    let (mut feed, mut workers) = steps.step("start", || {
        let workers = (0..WORKER_COUNT)
            .map(|number| ConnectWorker::start(scene, &program, number, (number == 0).then_some(&output)))
            .collect::<Outcome<Vec<_>>>()?;
        let feed = Feed::start(&input, scene.lines.clone())?;
        put_connectors(workers[0].port, &input, &output)?;
        Ok((feed, workers))
    })?;
    let (kills, work_dir) = (scene.stage.kills, scene.stage.work_dir);
    let deaths = steps.step(&format!("{kills}-kills"), || {
        scene.stage.kill_repeatedly(&mut feed, &mut workers, PROGRESS_PER_ROUND, |_, _, worker| {
            worker.kill_and_start(&program, work_dir)
        })
    })?;
    let count = steps.step("fed", || feed.leave())?;
    steps.step("settle", || {
        scene.settle(count, || {
            workers.iter_mut().try_for_each(Worker::drain)?;
            Ok(workers[0].progress())
        })
    })?;
    workers.iter().for_each(|worker| scene.weigh(worker.pid()));
    let repeated = steps.step(EXACT, || {
        let dumped = scene.stage.look()?.dump(TOPIC, Value::Text)?;
        dumped.check_lines(TOPIC, scene.fed(count), 1)?;
        let text = std::fs::read_to_string(&output)?;
        truth::check_at_least_once("the sink's file", scene.fed(count), text.lines())
    })?;
    steps.step("offsets", || check_source_offset(workers[0].port, &input, count))?;
    steps.step("restart", || restart_all(scene, &program, &mut workers))?;
    steps.step("again", || write_again(scene, &workers[0], &output, count))?;
    steps.step("leave", || workers.iter_mut().try_for_each(|worker| worker.stop(LEAVE_LIMIT)))?;
    Ok(format!(
        "{count} lines through {WORKER_COUNT} workers, in the topic once and in order, under {kills} kills of the broker \
         ({deaths}); the sink wrote {repeated} lines again, and after its offsets were reset all of them once"
    ))
}

fn put_connectors(port: u16, input: &Path, output: &Path) -> Outcome<()> {
    let source = json!({
        "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
        "tasks.max": "1",
        "file": input,
        "topic": TOPIC,
        "batch.size": "200",
        "exactly.once.support": "required",
        "topic.creation.default.replication.factor": "-1",
        "topic.creation.default.partitions": "1",
    });
    let sink = json!({
        "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
        "tasks.max": "1",
        "file": output,
        "topics": TOPIC,
    });
    for (name, config) in [(SOURCE, source), (SINK, sink)] {
        rest::insist(port, "PUT", &format!("/connectors/{name}/config"), Some(&config), REST_LIMIT)?;
    }
    Ok(())
}

/// The source's offset is the position in its file.
fn check_source_offset(port: u16, input: &Path, count: u64) -> Outcome<()> {
    let wanted = count * (truth::LINE_BYTES as u64 + 1);
    let path = format!("/connectors/{SOURCE}/offsets");
    let answer = rest::insist(port, "GET", &path, None, REST_LIMIT)?;
    let expected = json!({"offsets": [{
        "partition": {"filename": input},
        "offset": {"position": wanted},
    }]});
    if answer == expected { Ok(()) } else { fail(format!("the offsets are {answer}, not {expected}")) }
}

/// The workers and the broker end and start again: everything must come back from the three topics.
fn restart_all(scene: &mut Scene<'_>, program: &Program, workers: &mut [ConnectWorker]) -> Outcome<()> {
    workers.iter_mut().try_for_each(|worker| worker.stop(LEAVE_LIMIT))?;
    scene.stage.broker.restart()?;
    for worker in workers.iter_mut() {
        worker.kill_and_start(program, scene.stage.work_dir)?;
    }
    for name in [SOURCE, SINK] {
        wait_for_state(workers[0].port, name, "RUNNING", 1)?;
    }
    Ok(())
}

/// Until the connector and so many tasks are in the state.
fn wait_for_state(port: u16, name: &str, state: &str, task_count: usize) -> Outcome<()> {
    let path = format!("/connectors/{name}/status");
    let deadline = std::time::Instant::now() + REST_LIMIT;
    loop {
        let status = rest::insist(port, "GET", &path, None, REST_LIMIT)?;
        let tasks = status["tasks"].as_array().cloned().unwrap_or_default();
        let is_in = |about: &Json| about["state"] == state;
        if is_in(&status["connector"]) && tasks.len() == task_count && tasks.iter().all(is_in) {
            return Ok(());
        }
        if std::time::Instant::now() > deadline {
            return Err(Failure(format!("{name} is not {state}: {status}")));
        }
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// The sink begins anew with an empty file, and writes each line once.
fn write_again(scene: &Scene<'_>, worker: &ConnectWorker, output: &Path, count: u64) -> Outcome<()> {
    let about = |what: &str| format!("/connectors/{SINK}/{what}");
    rest::insist(worker.port, "PUT", &about("stop"), None, REST_LIMIT)?;
    wait_for_state(worker.port, SINK, "STOPPED", 0)?;
    rest::insist(worker.port, "DELETE", &about("offsets"), None, REST_LIMIT)?;
    std::fs::remove_file(output)?;
    rest::insist(worker.port, "PUT", &about("resume"), None, REST_LIMIT)?;
    scene.settle(count, || Ok(line_count(output)))?;
    let text = std::fs::read_to_string(output)?;
    let found: Vec<&str> = text.lines().collect();
    let fed = scene.fed(count);
    if found == fed {
        Ok(())
    } else {
        fail(format!("{} lines came for {}, or out of order", found.len(), fed.len()))
    }
}
