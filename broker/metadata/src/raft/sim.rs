//! A simulated quorum: real voters over disks that lose power, links that delay, lose and break, from a seed.
//! Shell, for tests. One thread, virtual milliseconds; a seed gives the same trace each time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_env::memory::{FaultyDisk, MemoryClock, NoNet, SeededRng, ThreadTasks};
use ottla_env::{Disk, Env, Rng};
use ottla_log::{LogManager, LogManagerSettings};
use ottla_model::{BrokerId, LeaderEpoch, Offset};
use ottla_protocol::StrBytes;
use ottla_protocol::records::metadata::{ConfigRecord, MetadataRecord};
use parking_lot::Mutex;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::checks::Checks;
use super::machine::{Heard, Input, RaftMachine};
use super::sim_observers::{Reply, SimObserver};
use super::writer::{GROUP_MAX, LogWriter, PartRequest, Write};
use crate::active_controller::Decided;
use crate::controller::testing::{config_of, features};
use crate::image::{Image, ResourceType};
use crate::metadata::{MetadataOptions, OpenError};
use crate::metadata_loop::Event;
use crate::publisher::Shared;
use crate::quorum::{Quorum, RaftTransport, Voter};
use crate::quorum_loop::{OpenQuorum, QuorumLoop};
use crate::serve::ServedLog;
use crate::voter_changes::{Changed, VoterChange};

const DIR: &str = "/data";
pub(super) const CLUSTER: &str = "AAAAAAAAAAAAAAAAAAAAAQ";
const TICK_MS: u64 = 20;
/// Lines of a failed history.
const TRACE_SHOWN: usize = 60;

/// The world carries the frames itself.
struct NoTransport;

impl RaftTransport for NoTransport {
    fn send(&self, _: BrokerId, _: Bytes) {
        unreachable!("the world takes a voter's outputs");
    }

    fn learn(&self, _: &[Voter]) {}
}

/// What links do to frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub delay_ms_max: u64,
    /// Of a thousand frames.
    pub lost: u64,
    /// What a write of the disk takes.
    pub write_ms_max: u64,
}

impl Default for Weather {
    fn default() -> Weather {
        Weather { delay_ms_max: 3, lost: 0, write_ms_max: 4 }
    }
}

pub(super) enum Happening {
    Tick(usize, u64),
    Frame {
        to: usize,
        from: usize,
        frame: Bytes,
    },
    /// The writer of this life has done what it was at.
    WriterDone(usize, u64),
    Disconnected {
        at: usize,
        of: usize,
    },
    /// An observer asks, and is answered.
    Ask(usize),
    Reply(usize, Reply),
}

/// A voter's process.
pub(super) struct Life {
    /// Which of the node's lives.
    number: u64,
    pub(super) machine: RaftMachine,
    writer: LogWriter,
    writes: Vec<Write>,
    reads: Vec<PartRequest>,
    is_writing: bool,
    pub(super) room: QuorumLoop,
    shared: Arc<Shared>,
    pub(super) served: Arc<ServedLog>,
    inputs: Receiver<Input>,
    _logs: Arc<LogManager>,
}

pub(crate) struct Node {
    pub id: BrokerId,
    pub disk: FaultyDisk,
    pub directory_id: Uuid,
    pub(super) life: Option<Life>,
    lives: u64,
    pub is_paused: bool,
    /// Frames that came while it was paused.
    late: Vec<(usize, Bytes)>,
    /// Why it takes no part any more.
    pub failed: Option<String>,
}

pub(crate) struct World {
    pub rng: SeededRng,
    clock: MemoryClock,
    pub now_ms: u64,
    pub nodes: Vec<Node>,
    pub observers: Vec<SimObserver>,
    pub weather: Weather,
    /// Links that carry nothing, by sender and receiver.
    pub cut: BTreeSet<(usize, usize)>,
    agenda: BTreeMap<(u64, u64), Happening>,
    next_happening: u64,
    pub checks: Checks,
    /// What was asked for, by number: who was answered, and how.
    pub answers: Arc<Mutex<BTreeMap<u64, Result<(), String>>>>,
    pub next_op: u64,
    /// The nodes that the configuration names: the first of them.
    pub(super) configured: usize,
    /// Changes of voters that were asked for.
    pub(super) changes: Vec<(VoterChange, oneshot::Receiver<Changed>)>,
    pub trace: Vec<String>,
    snapshot_bytes: u64,
}

/// A history that failed says how it ended.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for line in &self.trace[self.trace.len().saturating_sub(TRACE_SHOWN)..] {
                eprintln!("  {line}");
            }
            for node in &self.nodes {
                let machine = node.life.as_ref().map(|life| &life.machine);
                let state = machine.map(|machine| (machine.leadership(), machine.committed(), machine.end()));
                eprintln!("  voter {} at {} ms: {state:?}, failed: {:?}", node.id, self.now_ms, node.failed);
            }
        }
    }
}

impl World {
    pub fn new(seed: u64, voters: usize) -> World {
        let mut world = World {
            rng: SeededRng::new(seed),
            clock: MemoryClock::new(1_700_000_000_000),
            now_ms: 0,
            nodes: Vec::new(),
            observers: Vec::new(),
            weather: Weather::default(),
            cut: BTreeSet::new(),
            agenda: BTreeMap::new(),
            next_happening: 0,
            checks: Checks::default(),
            answers: Arc::default(),
            next_op: 0,
            configured: voters,
            changes: Vec::new(),
            trace: Vec::new(),
            snapshot_bytes: u64::MAX,
        };
        (0..voters).for_each(|_| world.add_node());
        world
    }

    /// A node with an empty disk.
    pub fn add_node(&mut self) {
        let disk = self.new_disk();
        let directory_id = Uuid::from_bytes(self.rng.next_16());
        self.nodes.push(Node {
            id: BrokerId(self.nodes.len() as i32 + 1),
            disk,
            directory_id,
            life: None,
            lives: 0,
            is_paused: false,
            late: Vec::new(),
            failed: None,
        });
    }

    /// Logs are cut behind a snapshot of about this size.
    pub fn with_snapshots(mut self, bytes: u64) -> World {
        self.snapshot_bytes = bytes;
        self
    }

    pub fn started(mut self) -> World {
        (0..self.nodes.len()).for_each(|node| self.start(node).expect("an empty folder"));
        self
    }

    fn new_disk(&self) -> FaultyDisk {
        let disk = FaultyDisk::new(self.rng.next_u64());
        disk.create_dir_all(Path::new(DIR)).expect("a folder");
        disk.sync_dir(Path::new("/")).expect("a durable folder");
        disk
    }

    fn note(&mut self, line: String) {
        self.trace.push(format!("{} {line}", self.now_ms));
    }

    pub(super) fn at(&mut self, wait_ms: u64, happening: Happening) {
        self.next_happening += 1;
        self.agenda.insert((self.now_ms + wait_ms, self.next_happening), happening);
    }

    pub fn lives(&self, node: usize) -> bool {
        self.nodes[node].life.is_some()
    }

    /// The process starts.
    pub fn start(&mut self, number: usize) -> Result<(), OpenError> {
        let node = &self.nodes[number];
        assert!(node.life.is_none(), "a process starts once");
        // Whatever was about to happen to the disk happened to the process before.
        node.disk.kill();
        let env = Env {
            clock: Arc::new(self.clock.clone()),
            disk: Arc::new(node.disk.of_process()),
            net: Arc::new(NoNet),
            rng: Arc::new(SeededRng::new(self.rng.next_u64())),
            tasks: Arc::new(ThreadTasks),
        };
        let settings = LogManagerSettings {
            flusher_threads: 0,
            is_background_on: false,
            recovery_threads: 1,
            reserve_bytes: 4096,
            ..LogManagerSettings::default()
        };
        let opened = LogManager::open(env.clone(), vec![PathBuf::from(DIR)], settings);
        let (logs, recovery) = opened.expect("a disk that works");
        let voter = |node: &Node| Voter { id: node.id, host: "h".to_owned(), port: 1 };
        let quorum = Quorum {
            voters: self.nodes[..self.configured].iter().map(voter).collect(),
            me: voter(node),
            listener: "CONTROLLER".to_owned(),
            directory_id: node.directory_id,
            transport: Arc::new(NoTransport),
        };
        let options = MetadataOptions {
            logs: Some(logs.clone()),
            cluster_id: CLUSTER.to_owned(),
            config: config_of(node.id),
            features: features(),
            first_users: Vec::new(),
            sync: true,
            unclean_stop: recovery.dirs.iter().any(|dir| !dir.was_clean),
            accept_loss: false,
            quorum: Some(quorum.clone()),
        };
        let (sender, inputs) = channel(1 << 16);
        let OpenQuorum { quorum_loop: mut room, shared, served, .. } =
            QuorumLoop::open(&env, options, quorum, sender)?;
        room.set_upkeep_thresholds(self.snapshot_bytes);
        let (machine, writer) = room.take_quorum();
        let node = &mut self.nodes[number];
        node.lives += 1;
        let number_of_life = node.lives;
        node.life = Some(Life {
            number: number_of_life,
            machine,
            writer,
            writes: Vec::new(),
            reads: Vec::new(),
            is_writing: false,
            room,
            shared,
            served,
            inputs,
            _logs: logs,
        });
        (node.is_paused, node.late, node.failed) = (false, Vec::new(), None);
        let epoch = self.life(number).machine.leadership().epoch;
        self.checks.on_start(number, epoch);
        self.note(format!("{number} starts in epoch {epoch}"));
        let phase = self.rng.below(TICK_MS);
        self.at(phase, Happening::Tick(number, number_of_life));
        self.drain(number);
        Ok(())
    }

    pub(super) fn life(&mut self, number: usize) -> &mut Life {
        self.nodes[number].life.as_mut().expect("it lives")
    }

    /// `kill -9`: what was written stays. The others see the connection end.
    pub fn kill(&mut self, number: usize) {
        self.end(number, |disk| disk.kill());
    }

    pub fn lose_power(&mut self, number: usize) {
        self.end(number, |disk| disk.lose_power());
    }

    fn end(&mut self, number: usize, what: impl FnOnce(&FaultyDisk)) {
        if self.nodes[number].life.take().is_none() {
            return;
        }
        what(&self.nodes[number].disk);
        self.note(format!("{number} dies"));
        for other in (0..self.nodes.len()).filter(|other| *other != number) {
            if !self.cut.contains(&(number, other)) {
                let wait = self.rng.below(3);
                self.at(wait, Happening::Disconnected { at: other, of: number });
            }
        }
    }

    /// The disk is replaced by an empty one.
    pub fn wipe(&mut self, number: usize) {
        self.kill(number);
        self.nodes[number].disk = self.new_disk();
        self.nodes[number].directory_id = Uuid::from_bytes(self.rng.next_16());
        self.checks.on_wiped(number);
        self.note(format!("{number} is wiped"));
    }

    pub fn pause(&mut self, number: usize) {
        self.nodes[number].is_paused = true;
        self.note(format!("{number} pauses"));
    }

    pub fn resume(&mut self, number: usize) {
        self.nodes[number].is_paused = false;
        self.note(format!("{number} goes on"));
        for (from, frame) in std::mem::take(&mut self.nodes[number].late) {
            self.input(number, Input::Frame(self.nodes[from].id, frame));
        }
    }

    /// Time passes, and what is due happens.
    pub fn run(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while let Some(first) = self.agenda.first_entry()
            && first.key().0 <= until
        {
            let ((at, _), happening) = first.remove_entry();
            self.clock.advance(Duration::from_millis(at - self.now_ms));
            self.now_ms = at;
            self.happen(happening);
        }
        self.clock.advance(Duration::from_millis(until - self.now_ms));
        self.now_ms = until;
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Tick(number, life) => {
                if self.nodes[number].life.as_ref().is_some_and(|alive| alive.number == life) {
                    self.at(TICK_MS, Happening::Tick(number, life));
                    if !self.nodes[number].is_paused {
                        self.input(number, Input::Tick);
                    }
                }
            }
            Happening::Frame { to, from, frame } => {
                if self.cut.contains(&(from, to)) || !self.lives(to) {
                    return;
                }
                if self.nodes[to].is_paused {
                    self.nodes[to].late.push((from, frame));
                } else {
                    self.input(to, Input::Frame(self.nodes[from].id, frame));
                }
            }
            Happening::WriterDone(number, life) => self.on_writer_done(number, life),
            Happening::Ask(observer) => self.on_ask(observer),
            Happening::Reply(observer, reply) => self.on_reply(observer, reply),
            Happening::Disconnected { at, of } => {
                if self.lives(at) && !self.nodes[at].is_paused {
                    self.input(at, Input::Disconnected(self.nodes[of].id));
                }
            }
        }
    }

    fn on_writer_done(&mut self, number: usize, life: u64) {
        if self.nodes[number].life.as_ref().is_none_or(|alive| alive.number != life) {
            return;
        }
        if self.nodes[number].is_paused {
            self.at(10, Happening::WriterDone(number, life));
            return;
        }
        let alive = self.life(number);
        alive.is_writing = false;
        let rest = alive.writes.split_off(alive.writes.len().min(GROUP_MAX));
        let group = std::mem::replace(&mut alive.writes, rest);
        let reads = std::mem::take(&mut alive.reads);
        let mut answers = Vec::new();
        if !group.is_empty() {
            answers.push(Input::Written(alive.writer.write(&group)));
        }
        for read in reads {
            let part = alive.writer.read_part(&read);
            answers.push(Input::Part(read, part));
        }
        answers.into_iter().for_each(|answer| self.input(number, answer));
    }

    pub fn input(&mut self, number: usize, input: Input) {
        let now_ms = 1_700_000_000_000 + self.now_ms as i64;
        if let Some(life) = self.nodes[number].life.as_mut() {
            life.machine.on_input(input, now_ms);
            self.drain(number);
        }
    }

    /// Does what a voter wants, until it wants nothing.
    fn drain(&mut self, number: usize) {
        loop {
            let life = self.nodes[number].life.as_mut().expect("it lives");
            let outputs = life.machine.take_outputs();
            life.writes.extend(outputs.writes);
            life.reads.extend(outputs.reads);
            let is_busy = !life.writes.is_empty() || !life.reads.is_empty();
            if is_busy && !life.is_writing {
                life.is_writing = true;
                let number_of_life = life.number;
                let wait = self.rng.below(self.weather.write_ms_max + 1);
                self.at(wait, Happening::WriterDone(number, number_of_life));
            }
            for (to, frame) in outputs.frames {
                self.send(number, to, frame);
            }
            for heard in outputs.heard {
                self.hear(number, heard);
            }
            let life = self.nodes[number].life.as_mut().expect("it lives");
            let now_ms = 1_700_000_000_000 + self.now_ms as i64;
            let mut is_quiet = true;
            while let Ok(input) = life.inputs.try_recv() {
                life.machine.on_input(input, now_ms);
                is_quiet = false;
            }
            if is_quiet {
                return;
            }
        }
    }

    fn send(&mut self, from: usize, to: BrokerId, frame: Bytes) {
        let to = to.0 as usize - 1;
        self.checks.on_sent(from, to, &frame);
        if self.cut.contains(&(from, to)) || self.rng.chance(self.weather.lost) {
            return;
        }
        let wait = self.rng.below(self.weather.delay_ms_max + 1);
        self.at(wait, Happening::Frame { to, from, frame });
    }

    fn hear(&mut self, number: usize, heard: Heard) {
        match &heard {
            Heard::Leadership(leadership) => {
                let id = self.nodes[number].id;
                let end = self.life(number).machine.end();
                let me = (number, id, self.nodes[number].directory_id);
                self.checks.on_leadership(me, *leadership, end);
                self.note(format!("{number} knows {:?} of epoch {}", leadership.leader, leadership.epoch));
            }
            Heard::Committed(batches) => {
                self.checks.on_committed(number, batches);
                let end = batches.last().map_or(Offset::ZERO, |batch| batch.next);
                self.note(format!("{number} has committed {end}"));
            }
            Heard::Installed(id) => self.note(format!("{number} installs {}", id.file_name())),
            Heard::Failed(why) => {
                self.note(format!("{number} fails: {why}"));
                self.nodes[number].failed = Some(why.clone());
            }
        }
        self.life(number).room.on_heard(heard);
    }

    /// Asks a voter for a change of `records` records. Gives its number.
    pub fn ask(&mut self, number: usize, records: u64) -> u64 {
        self.next_op += 1;
        let op = self.next_op;
        if !self.lives(number) || self.nodes[number].is_paused {
            return op;
        }
        let answers = self.answers.clone();
        let decide = move |deciding: Option<crate::controller::Deciding<'_>>| {
            let is_leader = deciding.is_some();
            let record = |part| -> MetadataRecord {
                ConfigRecord {
                    resource_type: ResourceType::ClientMetrics.code(),
                    resource_name: StrBytes::from_string(format!("op-{op}")),
                    name: StrBytes::from_string(format!("part-{part}")),
                    value: Some(StrBytes::from_static_str("there")),
                    ..ConfigRecord::default()
                }
                .into()
            };
            let answer = move |committed: Result<(), crate::metadata_log::CommitError>| {
                let result = match (is_leader, committed) {
                    (false, _) => Err("not the leader".to_owned()),
                    (true, committed) => committed.map_err(|error| error.to_string()),
                };
                answers.lock().insert(op, result);
            };
            Decided {
                records: if is_leader { (0..records).map(record).collect() } else { Vec::new() },
                answer: Box::new(answer),
            }
        };
        self.life(number).room.run_round(std::iter::once(Event::Decide(Box::new(decide))));
        self.drain_inputs(number);
        op
    }

    pub(super) fn drain_inputs(&mut self, number: usize) {
        let now_ms = 1_700_000_000_000 + self.now_ms as i64;
        let life = self.life(number);
        while let Ok(input) = life.inputs.try_recv() {
            life.machine.on_input(input, now_ms);
        }
        self.drain(number);
    }

    pub fn is_answered(&self, op: u64) -> bool {
        matches!(self.answers.lock().get(&op), Some(Ok(())))
    }

    /// The node that leads, if a majority of those that live agree.
    pub fn leader(&mut self) -> Option<usize> {
        let living: Vec<usize> = (0..self.nodes.len()).filter(|node| self.lives(*node)).collect();
        let mut votes: BTreeMap<(LeaderEpoch, BrokerId), usize> = BTreeMap::new();
        for number in living {
            let leadership = self.life(number).machine.leadership();
            if let Some(leader) = leadership.leader {
                *votes.entry((leadership.epoch, leader)).or_default() += 1;
            }
        }
        let majority = self.configured / 2 + 1;
        let (_, leader) = votes.into_iter().rev().find(|(_, count)| *count >= majority)?.0;
        let number = leader.0 as usize - 1;
        self.lives(number).then_some(number)
    }

    /// Runs until somebody leads, and gives how long that took.
    pub fn run_until_leader(&mut self, ms_max: u64) -> Option<(usize, u64)> {
        let begun = self.now_ms;
        while self.now_ms - begun < ms_max {
            if let Some(leader) = self.leader() {
                return Some((leader, self.now_ms - begun));
            }
            self.run(5);
        }
        None
    }

    /// Asks whoever leads until something is answered.
    pub fn commit(&mut self, ms_max: u64) -> Option<u64> {
        self.commit_by(ms_max, |world, ms_max| Some(world.run_until_leader(ms_max)?.0))
    }

    /// Asks the node that `find` gives until something is answered.
    pub fn commit_by(&mut self, ms_max: u64, find: impl Fn(&mut World, u64) -> Option<usize>) -> Option<u64> {
        let until = self.now_ms + ms_max;
        while self.now_ms < until {
            let Some(leader) = find(self, until - self.now_ms) else { break };
            let records = 1 + self.rng.below(5);
            let op = self.ask(leader, records);
            for _ in 0..10 {
                self.run(20);
                if self.is_answered(op) {
                    return Some(op);
                }
            }
        }
        None
    }

    /// What was answered as done is in the image.
    pub fn check_answered(&self, image: &Image) {
        let settings = format!("{:?}", image.configs);
        for (op, _) in self.answers.lock().iter().filter(|(_, answer)| answer.is_ok()) {
            assert!(settings.contains(&format!("\"op-{op}\"")), "the answered change {op} is lost");
        }
    }

    pub fn image(&self, number: usize) -> Arc<Image> {
        self.nodes[number].life.as_ref().expect("it lives").shared.image.load_full()
    }

    pub fn machine(&mut self, number: usize) -> &mut RaftMachine {
        &mut self.life(number).machine
    }
}
