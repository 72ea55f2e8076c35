//! rsyslog, which ships a file's lines into a topic and out of it into another file, on Debian's librdkafka.
//! Shell: the broker, two processes of the framework, a thread that writes the file.
#![allow(clippy::print_stdout, reason = "a run says what it installs")]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::clients::prepare_apt;
use crate::eos::dumped::Value;
use crate::eos::stage::Worker;
use crate::failure::{Outcome, fail};
use crate::frameworks::connect::{Feed, line_count};
use crate::frameworks::scene::{LEAVE_LIMIT, PARTITION_COUNT, Scene};
use crate::frameworks::{EXACT, Job, Play, truth};
use crate::process::Process;
use crate::steps::Steps;

const TOPIC: &str = "rsyslog-lines";
const PROGRESS_PER_ROUND: u64 = 2_000;
const MODULE: &str = "/usr/lib/x86_64-linux-gnu/rsyslog/omkafka.so";

pub(super) const JOB: Job = Job {
    name: "rsyslog",
    about: "imfile to omkafka, idempotent, to a topic to imkafka to omfile; only the broker is killed, since imkafka's own \
            queue is in memory",
    versions: "rsyslog 8.2302, librdkafka 2.0.2",
    play: Play::Own(play),
};

/// One rsyslogd; the reader is the one whose lines are counted.
struct Shipper {
    process: Process,
    name: &'static str,
    output: Option<PathBuf>,
}

impl Shipper {
    fn start(scene: &Scene<'_>, name: &'static str, rules: &str, output: Option<&Path>) -> Outcome<Self> {
        let (conf, dir) = (scene.path(&format!("{name}.conf")), scene.path(name));
        std::fs::create_dir_all(&dir)?;
        std::fs::write(&conf, format!("global(workDirectory=\"{}\")\n{rules}", dir.display()))?;
        let mut command = Command::new("rsyslogd");
        command.arg("-n").arg("-f").arg(&conf).arg("-i").arg(dir.join("pid"));
        let process = Process::start(name, &mut command, &scene.path(&format!("{name}.log")))?;
        Ok(Self { process, name, output: output.map(Path::to_owned) })
    }
}

impl Worker for Shipper {
    fn drain(&mut self) -> Outcome<()> {
        match self.process.exited()? {
            None => Ok(()),
            Some(status) => fail(format!("{} ended with {status}\n{}", self.name, self.last_notes())),
        }
    }

    fn progress(&self) -> u64 {
        self.output.as_deref().map_or(0, line_count)
    }

    fn last_notes(&self) -> String {
        self.process.last_output(15)
    }
}

fn sender_rules(bootstrap: &str, input: &Path) -> String {
    format!(
        "module(load=\"imfile\")\n\
         module(load=\"omkafka\")\n\
         template(name=\"line\" type=\"string\" string=\"%msg%\")\n\
         input(type=\"imfile\" file=\"{}\" tag=\"lines\" ruleset=\"out\")\n\
         ruleset(name=\"out\") {{\n\
         action(type=\"omkafka\" broker=[\"{bootstrap}\"] topic=\"{TOPIC}\" template=\"line\" \
         partitions.auto=\"on\" resubmitOnFailure=\"on\" \
         action.resumeRetryCount=\"-1\" action.resumeInterval=\"1\" \
         confParam=[\"enable.idempotence=true\", \"message.timeout.ms=120000\"])\n\
         }}\n",
        input.display()
    )
}

fn reader_rules(bootstrap: &str, output: &Path) -> String {
    format!(
        "module(load=\"imkafka\")\n\
         template(name=\"line\" type=\"string\" string=\"%rawmsg%\\n\")\n\
         input(type=\"imkafka\" broker=[\"{bootstrap}\"] topic=\"{TOPIC}\" consumergroup=\"rsyslog\" \
         ruleset=\"in\" confParam=[\"auto.offset.reset=earliest\", \"session.timeout.ms=10000\"])\n\
         ruleset(name=\"in\") {{\n\
         action(type=\"omfile\" file=\"{}\" template=\"line\")\n\
         }}\n",
        output.display()
    )
}

fn play(scene: &mut Scene<'_>, steps: &mut Steps) -> Outcome<String> {
    steps.step("prepare", || {
        prepare_apt("rsyslog-kafka", Path::new(MODULE), &|what| println!("rsyslog: {what}"))
    })?;
    let (input, output) = (scene.path("lines.txt"), scene.path("out.txt"));
    let mut look = scene.stage.look()?;
    let (mut feed, mut workers) = steps.step("start", || {
        look.create(TOPIC, PARTITION_COUNT)?;
        let feed = Feed::start(&input, scene.lines.clone())?;
        let bootstrap = scene.bootstrap();
        let sender = Shipper::start(scene, "sender", &sender_rules(&bootstrap, &input), None)?;
        let reader = Shipper::start(scene, "reader", &reader_rules(&bootstrap, &output), Some(&output))?;
        Ok((feed, [sender, reader]))
    })?;
    let kills = scene.stage.kills;
    steps.step(&format!("{kills}-kills"), || {
        scene.stage.kill_repeatedly(&mut feed, &mut workers, PROGRESS_PER_ROUND, |_, _, _| Ok(())).map(drop)
    })?;
    let count = steps.step("fed", || feed.leave())?;
    steps.step("settle", || {
        scene.settle(count, || {
            workers.iter_mut().try_for_each(Worker::drain)?;
            Ok(workers[1].progress())
        })
    })?;
    workers.iter().for_each(|worker| scene.weigh(worker.process.pid()));
    steps.step("leave", || workers.iter_mut().try_for_each(|worker| worker.process.stop(LEAVE_LIMIT)))?;
    let repeated = steps.step(EXACT, || {
        let dumped = look.dump(TOPIC, Value::Text)?;
        let stored = dumped.partitions.values().flatten().map(|(_, value)| value.as_str());
        truth::check_once(TOPIC, scene.fed(count), stored)?;
        let text = std::fs::read_to_string(&output)?;
        truth::check_at_least_once("the reader's file", scene.fed(count), text.lines())
    })?;
    Ok(format!(
        "{count} lines once in the topic under {kills} kills of the broker; {repeated} came out of it again"
    ))
}
