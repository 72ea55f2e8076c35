//! MirrorMaker 2 between two brokers, both ways and exactly once; a group's offsets move with the records.
//! Shell: two brokers, the framework's process, the clock.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::broker::{self, Broker, BrokerOptions};
use crate::contract::Program;
use crate::eos::dumped::Value;
use crate::eos::hand::Hand;
use crate::eos::stage::{Look, Worker};
use crate::failure::{Outcome, fail};
use crate::frameworks::scene::{LEAVE_LIMIT, PARTITION_COUNT, Scene, prepare, start, wait_for_folder};
use crate::frameworks::{EXACT, Job, Play};
use crate::ports::free_ports;
use crate::process::Process;
use crate::steps::Steps;
use crate::wire::Connection;

/// Fed at A, and what B has of it; and the same the other way round.
const EAST: &str = "east";
const EAST_AT_B: &str = "A.east";
const WEST: &str = "west";
const WEST_AT_A: &str = "B.west";
const GROUP: &str = "readers";
const EAST_PER_SECOND: usize = 1_000;
const WEST_PER_SECOND: usize = 200;
const PROGRESS_PER_ROUND: u64 = 2_000;
const TRANSLATE_LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(250);
const LOOK_PAUSE: Duration = Duration::from_millis(100);

pub(super) const JOB: Job = Job {
    name: "mirrormaker",
    about: "MirrorMaker 2 both ways between two brokers, exactly once, topics made and group offsets translated at the other",
    versions: "MirrorMaker 4.3.1",
    play: Play::Own(play),
};

struct Mirror {
    process: Process,
    properties: PathBuf,
    /// Where its copies are counted, and how many there are.
    target: String,
    copied: u64,
    looked_at: Instant,
}

impl Mirror {
    fn start(program: &Program, properties: PathBuf, target: &str, work_dir: &Path) -> Outcome<Self> {
        let process = start(program, "mirror", &[&properties], work_dir)?;
        Ok(Self { process, properties, target: target.to_owned(), copied: 0, looked_at: Instant::now() })
    }

    fn kill_and_start(&mut self, program: &Program, work_dir: &Path) -> Outcome<()> {
        self.process.kill9()?;
        self.process = start(program, "mirror", &[&self.properties], work_dir)?;
        Ok(())
    }
}

impl Worker for Mirror {
    fn drain(&mut self) -> Outcome<()> {
        if let Some(status) = self.process.exited()? {
            return fail(format!("MirrorMaker ended with {status}\n{}", self.last_notes()));
        }
        if self.looked_at.elapsed() > LOOK_PAUSE {
            self.copied = end(&self.target, EAST_AT_B)?;
            self.looked_at = Instant::now();
        }
        Ok(())
    }

    fn progress(&self) -> u64 {
        self.copied
    }

    fn last_notes(&self) -> String {
        self.process.last_output(15)
    }
}

fn end(bootstrap: &str, topic: &str) -> Outcome<u64> {
    let mut connection = Connection::open(bootstrap, Duration::from_secs(10))?;
    let mut sum = 0;
    for partition in 0..PARTITION_COUNT {
        let offset = connection.list_offset(topic, i32::try_from(partition).unwrap_or(0), -1)?;
        sum += u64::try_from(offset).unwrap_or(0);
    }
    Ok(sum)
}

fn properties(a: &str, b: &str, port: u16) -> String {
    let mut text = format!(
        "clusters=A,B\n\
         A.bootstrap.servers={a}\n\
         B.bootstrap.servers={b}\n\
         A->B.enabled=true\n\
         B->A.enabled=true\n\
         topics=east,west\n\
         groups={GROUP}\n\
         replication.factor=1\n\
         tasks.max=2\n\
         refresh.topics.interval.seconds=1\n\
         refresh.groups.interval.seconds=1\n\
         sync.topic.configs.interval.seconds=2\n\
         sync.group.offsets.enabled=true\n\
         sync.group.offsets.interval.seconds=1\n\
         emit.checkpoints.interval.seconds=1\n\
         offset.lag.max=10\n\
         A.exactly.once.source.support=enabled\n\
         B.exactly.once.source.support=enabled\n\
         dedicated.mode.enable.internal.rest=true\n\
         listeners=http://127.0.0.1:{port}\n\
         scheduled.rebalance.max.delay.ms=0\n\
         session.timeout.ms=10000\n\
         heartbeat.interval.ms=1000\n"
    );
    for topic in ["checkpoints.topic", "heartbeats.topic", "offset-syncs.topic"] {
        text.push_str(&format!("{topic}.replication.factor=1\n"));
    }
    for topic in ["offset.storage", "status.storage", "config.storage"] {
        text.push_str(&format!("{topic}.replication.factor=1\n"));
    }
    text
}

fn play(scene: &mut Scene<'_>, steps: &mut Steps) -> Outcome<String> {
    let main_class = "org.apache.kafka.connect.mirror.MirrorMaker";
    let program = steps.step("prepare", || prepare("connect", "MirrorMaker 4.3.1", main_class, 640, &[]))?;
    let options = BrokerOptions::with(&super::OVERRIDES);
    let mut other = steps.step("other", || broker::start(scene.against, &options))?;
    let (a, b, work_dir) = (scene.bootstrap(), other.bootstrap().to_owned(), scene.stage.work_dir);
    let (mut look_a, mut look_b) = (scene.stage.look()?, scene.stage.look_at("look-b", &b)?);
    let (mut east, mut west, mirror) = steps.step("start", || {
        let east = scene.feed(&mut look_a, EAST, EAST_PER_SECOND)?;
        look_b.create(WEST, PARTITION_COUNT)?;
        let input = scene.path("input.txt");
        let line = format!("feed {WEST} {PARTITION_COUNT} {} {WEST_PER_SECOND}", input.display());
        let west = Hand::start(scene.stage.program, "feed-b", &b, work_dir, &line)?;
        let [port] = free_ports()?;
        let path = scene.path("mirror.properties");
        std::fs::write(&path, properties(&a, &b, port))?;
        let mirror = Mirror::start(&program, path, &b, work_dir)?;
        wait_for_folder(scene.stage.broker, WEST_AT_A)?;
        wait_for_folder(&*other, EAST_AT_B)?;
        Ok((east, west, mirror))
    })?;
    let (kills, mut workers) = (scene.stage.kills, [mirror]);
    let deaths = steps.step(&format!("{kills}-kills"), || {
        scene.stage.kill_repeatedly(&mut east, &mut workers, PROGRESS_PER_ROUND, |_, _, mirror| {
            other.kill9()?;
            other.restart()?;
            mirror.kill_and_start(&program, work_dir)
        })
    })?;
    let [mut mirror] = workers;
    let (east, west) = steps.step("fed", || {
        east.leave(LEAVE_LIMIT)?;
        west.leave(LEAVE_LIMIT)?;
        Ok((east.progress(), west.progress()))
    })?;
    steps.step("settle", || {
        scene.settle(east, || Ok(look_b.dump(EAST_AT_B, Value::Text)?.record_count() as u64))?;
        scene.settle(west, || Ok(look_a.dump(WEST_AT_A, Value::Text)?.record_count() as u64))
    })?;
    scene.weigh(mirror.process.pid());
    steps.step(EXACT, || {
        let at_b = look_b.dump(EAST_AT_B, Value::Text)?;
        at_b.check_lines(EAST_AT_B, scene.fed(east), PARTITION_COUNT)?;
        let at_a = look_a.dump(WEST_AT_A, Value::Text)?;
        at_a.check_lines(WEST_AT_A, scene.fed(west), PARTITION_COUNT)
    })?;
    steps.step("group", || move_group(&mut look_a, &mut look_b))?;
    steps.step("no-loops", || no_loops(&[scene.stage.broker, &*other]))?;
    steps.step("leave", || mirror.process.stop(LEAVE_LIMIT))?;
    steps.step("stop-other", || other.stop())?;
    Ok(format!(
        "{east} records from A to B and {west} from B to A, once and in order, under {kills} kills of A ({deaths}, B \
         with each); a group's offsets moved without a gap"
    ))
}

/// A group that has read all of A's records gets offsets at B that leave none of B's copies out, and most of them behind.
fn move_group(look_a: &mut Look, look_b: &mut Look) -> Outcome<()> {
    let ends = look_a.high_watermarks(EAST)?;
    for (partition, offset) in &ends {
        look_a.commit(GROUP, EAST, *partition, *offset)?;
    }
    let deadline = Instant::now() + TRANSLATE_LIMIT;
    loop {
        let moved = look_b.committed(GROUP)?;
        if moved.len() == ends.len() {
            let copies = look_b.dump(EAST_AT_B, Value::Offset)?;
            for (partition, offset) in &moved {
                let offsets = copies.partitions.get(partition).into_iter().flatten();
                let read = offsets.filter(|(_, at)| at.parse().is_ok_and(|at: i64| at < *offset)).count();
                let due = usize::try_from(ends[partition]).unwrap_or(0);
                if read > due || read < due / 2 {
                    return fail(format!(
                        "{GROUP}, partition {partition}: offset {offset} at B stands behind {read} copies of {due}"
                    ));
                }
            }
            return Ok(());
        }
        if Instant::now() > deadline {
            return fail(format!("{GROUP} has the offsets {moved:?} at B after {TRANSLATE_LIMIT:?}"));
        }
        std::thread::sleep(PAUSE);
    }
}

/// What came from the other side must not be sent back.
fn no_loops(brokers: &[&dyn Broker]) -> Outcome<()> {
    for broker in brokers {
        for entry in std::fs::read_dir(broker.log_dir())? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.starts_with("A.B.") || name.starts_with("B.A.") {
                return fail(format!("{name} is a copy of a copy"));
            }
        }
    }
    Ok(())
}
