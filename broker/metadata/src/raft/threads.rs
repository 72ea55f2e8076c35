//! The threads of a voter: one for the quorum and one that writes, and the task that lets time pass.
//! Shell.
//!
//! The quorum's thread waits for nothing but what comes in: the writer and the room are handed what they must do, and
//! neither can hold it up.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ottla_env::Env;
use ottla_env::tasks::{TaskHandle, ThreadHandle};
use ottla_model::{BrokerId, Offset};
use parking_lot::Mutex;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use uuid::Uuid;

use super::machine::{Heard, Input, RaftMachine};
use super::voter_history::Voters;
use super::writer::{GROUP_MAX, LogWriter, PartRequest, Write};
use crate::metadata_log::CommitError;
use crate::metadata_loop::{AbortOnPanic, Event};
use crate::quorum::{Leadership, RaftTransport, VoterState};
use crate::voter_set::VoterNode;

const TICK: Duration = Duration::from_millis(20);
/// Ticks after which the room looks at what time brings.
const ROOM_TICKS: u64 = 5;
/// How often room is looked for on a full device.
const ROOM_AGAIN: Duration = Duration::from_millis(100);
/// Inputs that are taken before what they lead to is done.
const ROUND_MAX: usize = 256;
/// Inputs that wait for the quorum's thread.
pub(crate) const INPUTS_QUEUED_MAX: usize = 4096;

/// What the quorum tells the room, in its order.
#[derive(Default)]
pub(crate) struct HeardQueue(Mutex<VecDeque<Heard>>);

impl HeardQueue {
    pub fn push(&self, heard: Vec<Heard>) {
        self.0.lock().extend(heard);
    }

    pub fn take(&self) -> VecDeque<Heard> {
        std::mem::take(&mut self.0.lock())
    }
}

/// What a description of the quorum is made of.
#[derive(Clone, Debug)]
pub(crate) struct QuorumView {
    pub leadership: Leadership,
    pub committed: Offset,
    /// Empty where another node leads.
    pub voters: Vec<(BrokerId, Option<Uuid>, VoterState)>,
    /// Controllers that are sent the leader's log without a vote; empty where another node leads.
    pub observers: Vec<(VoterNode, VoterState)>,
    /// Who votes by the log or the configuration.
    pub set: Voters,
    /// The directory that had this node's vote, and is gone.
    pub replaces: Option<Uuid>,
}

impl QuorumView {
    pub fn of(machine: &RaftMachine) -> QuorumView {
        QuorumView {
            leadership: machine.leadership(),
            committed: machine.committed(),
            voters: machine.voter_states(),
            observers: machine.observer_states(),
            set: machine.voters().clone(),
            replaces: machine.replaces(),
        }
    }
}

enum Job {
    Write(Box<Write>),
    Read(PartRequest),
    Stop,
}

pub(crate) struct QuorumThread {
    pub env: Env,
    pub machine: RaftMachine,
    pub writer: LogWriter,
    pub transport: Arc<dyn RaftTransport>,
    pub leadership: watch::Sender<Leadership>,
    pub view: Arc<ArcSwap<QuorumView>>,
    pub heard: Arc<HeardQueue>,
    /// Wakes the room.
    pub events: Sender<Event>,
}

/// The threads, and how to end them.
pub(crate) struct Threads {
    inputs: Sender<Input>,
    quorum: ThreadHandle,
    ticks: TaskHandle,
}

impl Threads {
    pub fn spawn(quorum: QuorumThread, inputs: Sender<Input>, receiver: Receiver<Input>) -> Threads {
        let env = quorum.env.clone();
        let ticks =
            env.tasks.spawn("raft-ticks", Box::pin(tick(env.clone(), inputs.clone(), quorum.events.clone())));
        let of_thread = inputs.clone();
        let quorum = env.tasks.spawn_machine("raft", Box::pin(quorum.run(of_thread, receiver)));
        Threads { inputs, quorum, ticks }
    }

    /// What was promised is on the device before; nothing is promised behind this.
    pub async fn stop(self) {
        // A thread that has ended takes nothing.
        drop(self.inputs.send(Input::Stop).await);
        self.quorum.ended().await;
        drop(self.ticks);
    }
}

/// A stall is one tick: who was away for long is not to find many at once. The room looks at its sessions, too.
async fn tick(env: Env, inputs: Sender<Input>, events: Sender<Event>) {
    for number in 1_u64.. {
        env.clock.sleep_until(env.clock.monotonic().after(TICK)).await;
        if number.is_multiple_of(ROOM_TICKS) {
            drop(events.try_send(Event::Heard));
        }
        if let Err(TrySendError::Closed(_)) = inputs.try_send(Input::Tick) {
            return;
        }
    }
}

impl QuorumThread {
    async fn run(mut self, inputs: Sender<Input>, mut receiver: Receiver<Input>) {
        let _guard = AbortOnPanic;
        let (jobs, of_writer) = unbounded_channel();
        let (env, writer) = (self.env.clone(), self.writer.clone());
        let thread = env
            .tasks
            .spawn_machine("metadata-writer", Box::pin(write(self.env.clone(), writer, of_writer, inputs)));
        self.finish(&jobs);
        while let Some(first) = receiver.recv().await {
            let mut is_stopping = self.on_input(first);
            for _ in 1..ROUND_MAX {
                let Ok(next) = receiver.try_recv() else { break };
                is_stopping |= self.on_input(next);
            }
            self.finish(&jobs);
            if is_stopping {
                break;
            }
        }
        // The writer's answers find nobody from here on.
        receiver.close();
        drop(jobs.send(Job::Stop));
        thread.ended().await;
    }

    fn on_input(&mut self, input: Input) -> bool {
        let is_stopping = matches!(input, Input::Stop);
        self.machine.on_input(input, self.env.clock.wall_ms());
        is_stopping
    }

    fn finish(&mut self, jobs: &UnboundedSender<Job>) {
        let outputs = self.machine.take_outputs();
        if !outputs.others.is_empty() {
            self.transport.learn(&outputs.others);
        }
        for (to, frame) in outputs.frames {
            self.transport.send(to, frame);
        }
        for write in outputs.writes {
            drop(jobs.send(Job::Write(Box::new(write))));
        }
        for read in outputs.reads {
            drop(jobs.send(Job::Read(read)));
        }
        let leadership = self.machine.leadership();
        let known = self.view.load();
        if self.machine.leads()
            || known.leadership != leadership
            || known.replaces != self.machine.replaces()
            || !Arc::ptr_eq(&known.set.set, &self.machine.voters().set)
        {
            self.view.store(Arc::new(QuorumView::of(&self.machine)));
        }
        drop(known);
        self.leadership.send_if_modified(|known| {
            let is_changed = *known != leadership;
            *known = leadership;
            is_changed
        });
        if !outputs.heard.is_empty() {
            self.heard.push(outputs.heard);
            // Where its queue is full the room is awake, and looks here in each round.
            drop(self.events.try_send(Event::Heard));
        }
    }
}

/// The writer's life: takes what is there, brings it to the device together, and says so.
async fn write(env: Env, mut writer: LogWriter, mut jobs: UnboundedReceiver<Job>, answers: Sender<Input>) {
    let _guard = AbortOnPanic;
    loop {
        let Some(first) = jobs.recv().await else { return };
        let (mut group, mut reads, mut is_stopping) = (Vec::new(), Vec::new(), false);
        let mut next = Some(first);
        while let Some(job) = next {
            match job {
                Job::Write(write) => group.push(*write),
                Job::Read(read) => reads.push(read),
                Job::Stop => is_stopping = true,
            }
            next = if group.len() < GROUP_MAX { jobs.try_recv().ok() } else { None };
        }
        if !group.is_empty() {
            let Some(written) = write_group(&env, &mut writer, &group, &answers).await else { return };
            drop(answers.send(Input::Written(written)).await);
        }
        for read in reads {
            let part = writer.read_part(&read);
            drop(answers.send(Input::Part(read, part)).await);
        }
        if is_stopping {
            return;
        }
    }
}

/// Waits for room where the device is full, and says so once. `None`: the quorum's thread has ended.
async fn write_group(
    env: &Env,
    writer: &mut LogWriter,
    group: &[Write],
    answers: &Sender<Input>,
) -> Option<Result<u64, CommitError>> {
    let mut is_told = false;
    loop {
        match writer.write(group) {
            Err(CommitError::Refused(why)) => {
                if !is_told {
                    tracing::warn!("the metadata log waits for room: {why}");
                    drop(answers.send(Input::Full).await);
                    is_told = true;
                }
                env.clock.sleep_until(env.clock.monotonic().after(ROOM_AGAIN)).await;
                if answers.is_closed() {
                    return None;
                }
            }
            written => return Some(written),
        }
    }
}
