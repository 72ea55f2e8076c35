//! The room's thread on a voter of several: it decides where this node leads, and publishes what is committed.
//! Shell. What the quorum is about goes on in threads of its own (`raft/threads.rs`).
//!
//! Invariants:
//! - I1. An answer leaves when its records are committed and published, or when this node does not lead any more: then
//!   it is NOT_CONTROLLER, whatever becomes of the records.
//! - I2. This node decides under an epoch from the moment when the record that began it is committed and published, to
//!   the moment when it hears of another leader or another epoch.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ottla_env::Env;
use ottla_model::limits::{METADATA_COMMIT_BYTES, METADATA_EVENTS_PER_COMMIT_MAX};
use ottla_model::{BrokerId, ErrorCode, Offset, TopicId};
use ottla_records::BatchView;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::sync::watch;

use crate::active_controller::{ActiveController, Answer, Proposal};
use crate::batch::{Entry, decode_batch};
use crate::controller::election_log::Elections;
use crate::controller::features::KRAFT_VERSION;
use crate::controller::{Now, Rules, scram};
use crate::image::Image;
use crate::metadata::{MetadataOptions, OpenError};
use crate::metadata_log::CommitError;
use crate::metadata_loop::{AbortOnPanic, Event};
use crate::publisher::{Publisher, Shared};
use crate::quorum::{Leadership, Quorum, RaftTransport, Voter};
use crate::quorum_start::{QuorumStart, start};
use crate::raft::log_store::StoredBatch;
use crate::raft::machine::{Heard, Input, RaftMachine};
use crate::raft::threads::{HeardQueue, QuorumThread, QuorumView, Threads};
use crate::raft::writer::LogWriter;
use crate::serve::ServedLog;
use crate::snapshot::{self, SnapshotId};
use crate::upkeep::{Keeping, Upkeep};
use crate::voter_changes::{ChangeVoters, Changing, changed, decide_voters};
use crate::voter_set::VoterSet;

/// What a voter that stops waits for another to lead.
const HAND_OVER_MAX: Duration = Duration::from_millis(250);

/// What the quorum's thread will own.
struct Waiting {
    machine: RaftMachine,
    writer: LogWriter,
    transport: Arc<dyn RaftTransport>,
    told: watch::Sender<Leadership>,
}

/// A decision that is on its way, with those who wait for it.
struct Pending {
    proposal: Proposal,
    answers: Vec<Answer>,
}

pub(crate) struct QuorumLoop {
    env: Env,
    node_id: BrokerId,
    /// The voters of the configuration, and the listener by which controllers reach each other.
    configured: Vec<Voter>,
    listener: String,
    cluster_id: String,
    folder: PathBuf,
    shared: Arc<Shared>,
    rules: Rules,
    publisher: Publisher,
    upkeep: Upkeep,
    kept: Kept,
    leadership: Leadership,
    controller: Option<ActiveController>,
    /// This node stops: it decides nothing any more, even where nobody has taken over yet.
    is_leaving: bool,
    pending: VecDeque<Pending>,
    inputs: Sender<Input>,
    heard: Arc<HeardQueue>,
    /// Until the thread begins.
    quorum: Option<Waiting>,
    view: Arc<ArcSwap<QuorumView>>,
    served: Arc<ServedLog>,
    /// Why this voter takes no part any more.
    failure: watch::Sender<Option<String>>,
}

/// What the upkeep needs to know of the log.
struct Kept {
    commit_offset: Offset,
    /// Committed ones: what lies behind them in the log is no part of a snapshot.
    bytes_since_snapshot: u64,
    inputs: Sender<Input>,
}

impl Keeping for Kept {
    fn commit_offset(&self) -> Offset {
        self.commit_offset
    }

    fn bytes_since_snapshot(&self) -> u64 {
        self.bytes_since_snapshot
    }

    fn sync(&mut self) -> Result<(), CommitError> {
        // The quorum hands out what is on this node's device alone.
        Ok(())
    }

    fn on_snapshot_begun(&mut self) {
        self.bytes_since_snapshot = 0;
    }

    fn on_snapshot_done(&mut self, _: &Env, _: &Path, id: SnapshotId) {
        drop(self.inputs.blocking_send(Input::Snapshot(id)));
    }
}

/// What the room's interface needs of it.
pub(crate) struct OpenQuorum {
    pub quorum_loop: QuorumLoop,
    pub shared: Arc<Shared>,
    pub leadership: watch::Receiver<Leadership>,
    pub view: Arc<ArcSwap<QuorumView>>,
    pub served: Arc<ServedLog>,
    pub failure: watch::Receiver<Option<String>>,
}

impl QuorumLoop {
    /// `inputs` lead to the quorum's thread.
    pub fn open(
        env: &Env,
        options: MetadataOptions,
        quorum: Quorum,
        inputs: Sender<Input>,
    ) -> Result<OpenQuorum, OpenError> {
        let transport = quorum.transport.clone();
        let QuorumStart { machine, writer, image, log, folder, upkeep } = start(env, &options, &quorum)?;
        let shared = Shared::new(image.clone());
        let commit_offset = image.metadata_offset() + 1;
        let served = ServedLog::new(env, log, folder.clone(), commit_offset);
        let leadership = machine.leadership();
        let (failure, failures) = watch::channel(None);
        let (told, changes) = watch::channel(leadership);
        let view = Arc::new(ArcSwap::from_pointee(QuorumView {
            committed: commit_offset,
            ..QuorumView::of(&machine)
        }));
        let quorum_loop = QuorumLoop {
            env: env.clone(),
            node_id: BrokerId(options.config.node_id),
            configured: quorum.voters,
            listener: quorum.listener,
            cluster_id: options.cluster_id,
            folder,
            shared: shared.clone(),
            rules: Rules::new(&options.config, options.features)
                .beginning_with(scram::records_of_users(&options.first_users)),
            publisher: Publisher::new(shared.clone(), image),
            upkeep,
            kept: Kept { commit_offset, bytes_since_snapshot: 0, inputs: inputs.clone() },
            leadership,
            controller: None,
            is_leaving: false,
            pending: VecDeque::new(),
            inputs,
            heard: Arc::default(),
            quorum: Some(Waiting { machine, writer, transport, told }),
            view: view.clone(),
            served: served.clone(),
            failure,
        };
        Ok(OpenQuorum { quorum_loop, shared, leadership: changes, view, served, failure: failures })
    }

    /// For tests: snapshots of small logs, waited for.
    #[cfg(test)]
    pub fn set_upkeep_thresholds(&mut self, snapshot_bytes: u64) {
        self.upkeep.set_thresholds(snapshot_bytes, u64::MAX);
    }

    /// For tests, which have no thread that does it.
    #[cfg(test)]
    pub fn set_view(&self, view: QuorumView) {
        self.view.store(Arc::new(view));
    }

    /// For tests, which drive them themselves.
    #[cfg(test)]
    pub fn take_quorum(&mut self) -> (RaftMachine, LogWriter) {
        let Waiting { machine, writer, .. } = self.quorum.take().expect("taken once");
        (machine, writer)
    }

    /// The thread's life: ends with `Stop` or when no event can come any more. `wake` leads to `events`.
    pub async fn run(mut self, mut events: Receiver<Event>, wake: Sender<Event>, inputs: Receiver<Input>) {
        let _guard = AbortOnPanic;
        let waiting = self.quorum.take().expect("a loop runs once");
        let Waiting { machine, writer, transport, told: leadership } = waiting;
        let (view, heard) = (self.view.clone(), self.heard.clone());
        let env = self.env.clone();
        let quorum = QuorumThread { env, machine, writer, transport, leadership, view, heard, events: wake };
        let threads = Threads::spawn(quorum, self.inputs.clone(), inputs);
        let mut round = Vec::new();
        while let Some(first) = events.recv().await {
            round.push(first);
            while round.len() < METADATA_EVENTS_PER_COMMIT_MAX
                && let Ok(next) = events.try_recv()
            {
                round.push(next);
            }
            if self.run_round(round.drain(..)) {
                break;
            }
        }
        self.hand_over(&mut events).await;
        threads.stop().await;
        self.upkeep.stop(&mut self.kept);
    }

    /// Another voter is to lead before this one goes. It is waited for a moment, no longer.
    async fn hand_over(&mut self, events: &mut Receiver<Event>) {
        self.is_leaving = true;
        self.resign();
        drop(self.inputs.send(Input::HandOver).await);
        let deadline = self.env.clock.monotonic().after(HAND_OVER_MAX);
        while self.leadership.leader == Some(self.node_id) && self.env.clock.monotonic() < deadline {
            // Time alone wakes it, too.
            let Some(event) = events.recv().await else { break };
            self.run_round(std::iter::once(event));
        }
    }

    /// Hears the quorum, then decides what was queued. Says whether the thread is to end.
    pub fn run_round(&mut self, events: impl Iterator<Item = Event>) -> bool {
        for heard in self.heard.take() {
            self.on_heard(heard);
        }
        let mut is_stopping = false;
        let mut answers = Vec::new();
        let now = Now { wall_ms: self.env.clock.wall_ms(), monotonic: self.env.clock.monotonic() };
        let rng = self.env.rng.clone();
        let mut topic_ids = || TopicId::from_random(|| rng.next_16());
        if let Some(controller) = &mut self.controller {
            for id in controller.on_time(now, &self.shared.contacts.lock()) {
                tracing::info!("broker {id} is fenced: its session is over");
            }
        }
        for event in events {
            match (event, &mut self.controller) {
                (Event::Stop, _) => is_stopping = true,
                (Event::Heard | Event::Observed(_), _) => {}
                (Event::ChangeVoters(asked), _) => {
                    self.propose(std::mem::take(&mut answers));
                    self.change_voters(asked, now);
                }
                (Event::Decide(decide), Some(controller)) => {
                    answers.push(controller.decide(decide, now, &mut topic_ids));
                    if controller.proposed_bytes() >= METADATA_COMMIT_BYTES {
                        self.propose(std::mem::take(&mut answers));
                    }
                }
                (Event::Decide(decide), None) => (decide(None).answer)(Ok(())),
            }
        }
        let elections = self.controller.as_mut().map(ActiveController::take_elections).unwrap_or_default();
        self.propose(answers);
        self.tell_elections(&elections);
        is_stopping
    }

    /// Decides who votes next. What was decided before was proposed.
    fn change_voters(&mut self, asked: ChangeVoters, now: Now) {
        let ChangeVoters { change, waits, answer } = asked;
        let decided = match &self.controller {
            None => {
                let text =
                    "Request timed out waiting for leader to establish HWM and fence previous voter changes";
                Err(match self.leadership.leader == Some(self.node_id) {
                    true => (ErrorCode::RequestTimedOut, Some(text.to_owned())),
                    false => (ErrorCode::NotLeaderOrFollower, None),
                })
            }
            Some(controller) => {
                let changing = Changing {
                    image: controller.image(),
                    committed: self.kept.commit_offset,
                    view: &self.view.load(),
                    configured: &self.configured,
                    listener: &self.listener,
                    now_ms: now.wall_ms,
                };
                decide_voters(&changing, change)
            }
        };
        let (set, level) = match decided {
            Ok(Some(next)) => next,
            // Who asks may be gone.
            Ok(None) => return drop(answer.send(Ok(()))),
            Err(refused) => return drop(answer.send(Err(refused))),
        };
        tracing::info!("the controllers that vote are to be {}", set.keys());
        let mut answers: Vec<Answer> = Vec::new();
        match waits {
            true => answers.push(Box::new(move |committed| drop(answer.send(changed(committed))))),
            false => drop(answer.send(Ok(()))),
        }
        self.propose_voters(set, level, answers, now);
    }

    fn propose_voters(&mut self, set: VoterSet, level: Option<i16>, answers: Vec<Answer>, now: Now) {
        let controller = self.controller.as_mut().expect("who decides leads");
        let proposal = controller.change_voters(set, level, now);
        let batch =
            StoredBatch::parse(proposal.batch.bytes.clone()).expect("the controller makes whole batches");
        self.pending.push_back(Pending { proposal, answers });
        // Where the quorum's thread has ended nobody is answered any more.
        drop(self.inputs.blocking_send(Input::Propose(batch)));
    }

    /// One line a decision, however many leaders it elects.
    fn tell_elections(&self, elections: &[Elections]) {
        for elected in elections {
            tracing::info!("{}", elected.line());
            let count = (elected.elected + elected.leaderless) as u64;
            *self.shared.elections.lock().entry(elected.reason).or_default() += count;
        }
    }

    /// What was decided goes to the quorum; who waits for it is answered when it is committed. An answer without records
    /// waits as well: it may rest on a decision that is on its way.
    fn propose(&mut self, answers: Vec<Answer>) {
        let proposal = self.controller.as_mut().and_then(ActiveController::take_proposal);
        match (proposal, self.pending.back_mut()) {
            (Some(proposal), _) => {
                let bytes = proposal.batch.bytes.clone();
                let batch = StoredBatch::parse(bytes).expect("the controller makes whole batches");
                self.pending.push_back(Pending { proposal, answers });
                // Where the quorum's thread has ended nobody is answered any more.
                drop(self.inputs.blocking_send(Input::Propose(batch)));
            }
            (None, Some(last)) => last.answers.extend(answers),
            (None, None) => answers.into_iter().for_each(|answer| answer(Ok(()))),
        }
    }

    /// The quorum says something.
    pub fn on_heard(&mut self, heard: Heard) {
        match heard {
            Heard::Leadership(leadership) => self.on_leadership(leadership),
            Heard::Committed(batches) => self.on_committed(batches),
            Heard::Installed(id) => self.on_installed(id),
            Heard::Failed(why) => {
                tracing::error!("{why}");
                self.failure.send_replace(Some(why));
            }
        }
        self.name_controller();
        self.served.advance(self.kept.commit_offset);
        let image = self.shared.image.load_full();
        if image.metadata_offset() < self.kept.commit_offset {
            self.upkeep.run_due(&mut self.kept, &image);
        }
    }

    /// After a start or an install whose snapshot has the record that says it.
    fn name_controller(&mut self) {
        let Leadership { leader: Some(leader), epoch } = self.leadership else { return };
        let image = &self.publisher.committed().image;
        if image.metadata_offset() >= Offset::ZERO
            && image.leader_epoch() == epoch
            && image.controller_id() != leader
        {
            assert!(self.controller.is_none(), "who leads has read that it does");
            self.publisher.name_controller(leader);
            self.publisher.publish(self.kept.commit_offset);
        }
    }

    fn on_leadership(&mut self, leadership: Leadership) {
        let before = std::mem::replace(&mut self.leadership, leadership);
        match leadership.leader {
            Some(leader) if leader == self.node_id => {
                tracing::info!("this node was elected controller, leader epoch {}", leadership.epoch);
            }
            Some(leader) => {
                tracing::info!("the controller is node {leader}, leader epoch {}", leadership.epoch)
            }
            None if before.leader.is_some() => {
                tracing::info!(
                    "no controller is known: an election is under way (leader epoch {})",
                    leadership.epoch
                );
            }
            None => {}
        }
        if self.controller.as_ref().is_some_and(|controller| {
            leadership.leader != Some(self.node_id) || leadership.epoch != controller.epoch()
        }) {
            self.resign();
        }
    }

    /// Everything that was decided and is not committed was never decided here.
    fn resign(&mut self) {
        self.controller = None;
        for pending in std::mem::take(&mut self.pending) {
            pending.answers.into_iter().for_each(|answer| answer(Err(CommitError::NotLeader)));
        }
    }

    fn on_committed(&mut self, batches: Vec<StoredBatch>) {
        let mut is_replayed = false;
        for batch in batches {
            self.kept.commit_offset = batch.next;
            self.kept.bytes_since_snapshot += batch.bytes.len() as u64;
            let is_own = self.pending.front().is_some_and(|pending| {
                pending.proposal.batch.base == batch.base && pending.proposal.batch.next == batch.next
            });
            if is_own {
                let pending = self.pending.pop_front().expect("looked at");
                self.publish_own(pending);
                continue;
            }
            assert!(self.controller.is_none(), "who leads alone has written what is committed");
            self.replay(&batch);
            is_replayed = true;
        }
        if is_replayed {
            let delta = self.publisher.publish(self.kept.commit_offset);
            self.upkeep.on_published(&delta);
            self.activate();
        }
    }

    fn publish_own(&mut self, Pending { proposal, answers }: Pending) {
        let Proposal { image, delta, .. } = proposal;
        self.publisher.publish_decided(&image, &delta, self.kept.commit_offset);
        if let Some(controller) = &mut self.controller {
            controller.on_published(&delta, &image);
        }
        self.upkeep.on_published(&delta);
        answers.into_iter().for_each(|answer| answer(Ok(())));
    }

    fn replay(&mut self, batch: &StoredBatch) {
        let view = BatchView::first(&batch.bytes).expect("a batch that was parsed");
        let publisher = &mut self.publisher;
        let mut on_entry = |entry: Entry, offset, epoch| publisher.replay(entry, offset, epoch);
        if let Err(error) = decode_batch(&view, &mut on_entry) {
            // A record of a release that this one does not know: what follows can't be understood without it.
            panic!("committed metadata can't be read: {error}");
        }
    }

    /// Begins to decide when the record that began this node's epoch is published.
    fn activate(&mut self) {
        let committed = self.publisher.committed();
        let image = &committed.image;
        let is_begun = image.controller_id() == self.node_id && image.leader_epoch() == self.leadership.epoch;
        let leads = self.leadership.leader == Some(self.node_id) && !self.is_leaving;
        if self.controller.is_some() || !leads || !is_begun {
            return;
        }
        let now = Now { wall_ms: self.env.clock.wall_ms(), monotonic: self.env.clock.monotonic() };
        let mut controller = ActiveController::elected(committed, self.rules.clone(), now);
        let parts = controller.elected_activation();
        tracing::info!("this node is the active controller, leader epoch {}", controller.epoch());
        for records in parts {
            controller.apply(records, now);
            self.controller = Some(controller);
            self.propose(Vec::new());
            controller = self.controller.take().expect("put there");
        }
        let formatted = controller.image().voters().filter(|voters| voters.offset < Offset::ZERO);
        let formatted = formatted.map(|voters| (*voters.set).clone());
        let level = controller.image().feature_level(KRAFT_VERSION);
        self.controller = Some(controller);
        if let Some(set) = formatted {
            // The log itself is to say what the directories were formatted with (`LeaderState`): who joins reads it.
            self.propose_voters(set, Some(level), Vec::new(), now);
        }
    }

    fn on_installed(&mut self, id: SnapshotId) {
        assert!(self.controller.is_none(), "who leads installs nothing");
        let empty = Image::empty(&self.cluster_id, self.leadership.leader.unwrap_or(BrokerId(-1)));
        let image = snapshot::read(&*self.env.disk, &self.folder, id, empty)
            .unwrap_or_else(|error| panic!("the snapshot {} can't be read: {error}", id.file_name()));
        self.kept.commit_offset = id.end_offset;
        self.kept.bytes_since_snapshot = 0;
        let delta = self.publisher.install(image, id.end_offset);
        self.upkeep.on_installed();
        tracing::info!("the snapshot {} of the controller took the place of the log", id.file_name());
        drop(delta);
    }
}
