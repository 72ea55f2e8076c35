//! The one thread behind the room: it drives the log, the controller and the publisher.
//! Shell. Owns all three; nothing else changes any.
//!
//! - `metadata_log`: the records, and up to where they are committed. On every node.
//! - `active_controller`: decides, on an image that is ahead of the commit. Only where it leads.
//! - `publisher`: gives readers and listeners what is committed. On every node.
//!
//! One node leads itself: a round takes what is queued, decides it, appends it as one batch, syncs once,
//! commits, publishes, and answers.

use std::sync::Arc;

use ottla_config::BrokerConfig;
use ottla_env::Env;
use ottla_model::limits::{METADATA_COMMIT_BYTES, METADATA_EVENTS_PER_COMMIT_MAX};
use ottla_model::{BrokerId, LeaderEpoch, Offset, TopicId};
use tokio::sync::mpsc::Receiver;
use uuid::Uuid;

use crate::active_controller::{ActiveController, Answer, Decide, Proposal};
use crate::controller::registration::Registration;
use crate::controller::{Now, Rules};
use crate::image::Image;
use crate::metadata::{MetadataOptions, OpenError};
use crate::metadata_log::{CommitError, MetadataLog};
use crate::observer::Finding;
use crate::publisher::{Publisher, Shared};
use crate::quorum::Voter;
use crate::quorum_state::{self, QuorumState};
use crate::recovery::{Recovered, recover};
use crate::serve::ServedLog;
use crate::upkeep::Upkeep;
use crate::voter_changes::{ChangeVoters, changed, decide_alone};
use crate::voter_set::VoterNode;

pub(crate) enum Event {
    Decide(Decide),
    /// The quorum has something for the room (`HeardQueue`).
    Heard,
    /// An observer has found something out.
    Observed(Finding),
    /// Who votes is to change.
    ChangeVoters(ChangeVoters),
    Stop,
}

pub(crate) struct MetadataLoop {
    env: Env,
    node_id: BrokerId,
    shared: Arc<Shared>,
    log: MetadataLog,
    /// `None` where another node leads; a lone node leads itself from its start on.
    controller: Option<ActiveController>,
    publisher: Publisher,
    upkeep: Option<Upkeep>,
    /// Whether an answer waits until the device has the records.
    sync: bool,
    /// quorum-state says this epoch: everything up to its first answer is on the device.
    is_quorum_state_written: bool,
    /// Where a controller's listener is configured: what observers are given.
    served: Option<Arc<ServedLog>>,
    /// There as well: where this node votes, by which listener. Its directory is known when it is registered.
    votes_at: Option<(Voter, String)>,
    directory_id: Uuid,
}

impl MetadataLoop {
    /// Reads what is there and becomes the leader of it.
    pub fn open(env: &Env, options: MetadataOptions) -> Result<(MetadataLoop, Arc<Shared>), OpenError> {
        let node_id = BrokerId(options.config.node_id);
        let empty = Image::empty(&options.cluster_id, node_id);
        let shared = Shared::new(empty.clone());
        let Recovered { log, publisher, last_epoch, upkeep } = recover(env, &options, &shared, empty)?;
        let rules = Rules::new(&options.config, options.features);
        let mut this = MetadataLoop {
            env: env.clone(),
            node_id,
            shared: shared.clone(),
            sync: options.sync && log.is_kept(),
            log,
            controller: None,
            publisher,
            upkeep,
            is_quorum_state_written: false,
            served: None,
            votes_at: votes_at(&options.config),
            directory_id: Uuid::nil(),
        };
        this.serve(&options.config);
        this.publisher.publish(this.log.commit_offset());
        this.lead(LeaderEpoch(last_epoch.0 + 1), rules, options.unclean_stop)?;
        Ok((this, shared))
    }

    #[cfg(test)]
    pub fn set_upkeep_thresholds(&mut self, snapshot_bytes: u64, materialise_bytes: u64) {
        if let Some(upkeep) = &mut self.upkeep {
            upkeep.set_thresholds(snapshot_bytes, materialise_bytes);
        }
    }

    /// Observers come through a controller's listener; where there is none, nothing is kept for them.
    fn serve(&mut self, config: &BrokerConfig) {
        if config.controller_listeners.is_empty() {
            return;
        }
        if let (Some(log), Some(folder)) = (self.log.unified(), self.log.folder()) {
            self.served = Some(ServedLog::new(&self.env, log.clone(), folder, Offset::ZERO));
        }
    }

    pub fn served(&self) -> Option<Arc<ServedLog>> {
        self.served.clone()
    }

    fn now(&self) -> Now {
        Now { wall_ms: self.env.clock.wall_ms(), monotonic: self.env.clock.monotonic() }
    }

    /// Begins a leader epoch. Nobody waits for its first records, so they are not synced: they reach the
    /// device with the first change that is answered. Raised leader epochs of partitions are the
    /// exception, and what a killed process left in the page cache: both are about to be shown.
    fn lead(&mut self, epoch: LeaderEpoch, rules: Rules, unclean_stop: bool) -> Result<(), CommitError> {
        let now = self.now();
        let shows_unsynced = unclean_stop && self.log.commit_offset() > Offset::ZERO;
        let committed = self.publisher.committed();
        let mut controller = ActiveController::new(committed, epoch, rules, self.log.is_kept());
        self.log.set_epoch(controller.epoch());
        let mut proposals = vec![controller.leader_change(now)];
        let (parts, is_relied_on) = controller.activation(unclean_stop);
        for records in parts {
            controller.apply(records, now);
            proposals.extend(controller.take_proposal());
        }
        self.controller = Some(controller);
        self.commit(proposals, shows_unsynced || is_relied_on)
    }

    /// Registers this node as a broker that serves; readers and listeners have it when this returns.
    pub fn register(&mut self, registration: &Registration) -> Result<(), CommitError> {
        let now = self.now();
        // The metadata log is in the first.
        self.directory_id = registration.log_dirs.first().copied().unwrap_or_default();
        let controller = self.controller.as_mut().expect("a lone node leads from its start on");
        controller.register(registration, now);
        let proposals = controller.take_proposal().into_iter().collect();
        self.commit(proposals, false)
    }

    /// Appends, commits and publishes. What somebody is answered for is synced.
    fn commit(&mut self, proposals: Vec<Proposal>, is_relied_on: bool) -> Result<(), CommitError> {
        let now_ms = self.env.clock.wall_ms();
        for proposal in &proposals {
            self.log.append(&proposal.batch, now_ms)?;
        }
        // What an observer has read must not be lost here.
        if self.sync && (is_relied_on || self.served.is_some()) {
            self.log.sync()?;
        }
        self.log.commit_to(self.log.end_offset());
        if let Some(served) = &self.served {
            served.advance(self.log.commit_offset());
        }
        for Proposal { image, delta, .. } in proposals {
            self.publisher.publish_decided(&image, &delta, self.log.commit_offset());
            if let Some(controller) = &mut self.controller {
                controller.on_published(&delta, &image);
            }
            if let Some(upkeep) = &mut self.upkeep {
                upkeep.on_published(&delta);
            }
        }
        Ok(())
    }

    /// The thread's life: ends with `Stop` or when no request can come any more.
    pub fn run(mut self, mut events: Receiver<Event>) {
        let _guard = AbortOnPanic;
        let mut round = Vec::new();
        loop {
            let Some(first) = events.blocking_recv() else { break };
            round.push(first);
            while round.len() < METADATA_EVENTS_PER_COMMIT_MAX
                && let Ok(next) = events.try_recv()
            {
                round.push(next);
            }
            if self.run_round(round.drain(..)) {
                break;
            }
            if let Some(upkeep) = &mut self.upkeep {
                let image = self.shared.image.load_full();
                upkeep.run_due(&mut self.log, &image);
            }
        }
        self.close();
    }

    fn close(&mut self) {
        if let Some(upkeep) = &mut self.upkeep {
            upkeep.stop(&mut self.log);
        }
        // What was answered was synced before; this is for the rest.
        match self.log.sync() {
            Ok(()) => self.write_quorum_state(),
            Err(error) => tracing::error!("the metadata log could not be synced on the way out: {error}"),
        }
    }

    /// Decides what was queued, commits it, publishes, answers. Says whether the thread is to end.
    fn run_round(&mut self, events: impl Iterator<Item = Event>) -> bool {
        let mut is_stopping = false;
        let mut answers = Vec::new();
        let now = self.now();
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
                (Event::Decide(decide), Some(controller)) => {
                    answers.push(controller.decide(decide, now, &mut topic_ids));
                    if controller.proposed_bytes() >= METADATA_COMMIT_BYTES {
                        self.finish(std::mem::take(&mut answers));
                    }
                }
                (Event::Decide(decide), None) => answers.push(decide(None).answer),
                // A lone node has nobody to hear from.
                (Event::Heard | Event::Observed(_), _) => {}
                (Event::ChangeVoters(asked), _) => {
                    self.finish(std::mem::take(&mut answers));
                    self.change_voters(asked, now);
                }
            }
        }
        self.finish(answers);
        is_stopping
    }

    /// The log of a node that is alone may begin to say who votes: itself. What was decided before is committed.
    fn change_voters(&mut self, asked: ChangeVoters, now: Now) {
        let ChangeVoters { change, answer, .. } = asked;
        let kept = self.votes_at.as_ref().filter(|_| self.log.is_kept() && !self.directory_id.is_nil());
        let me = kept.map(|(at, listener)| VoterNode::configured(at, listener, self.directory_id));
        let decided = decide_alone(&self.shared.image.load(), me, &change);
        let result = match (decided, &mut self.controller) {
            (Ok(Some((set, level))), Some(controller)) => {
                tracing::info!("the log says from here on which controllers vote: {}", set.keys());
                let proposal = controller.change_voters(set, level, now);
                let committed = self.commit(vec![proposal], true);
                if let (Err(_), Some(controller)) = (&committed, &mut self.controller) {
                    controller.go_back_to(self.publisher.committed());
                }
                changed(committed)
            }
            (decided, _) => decided.map(drop),
        };
        // Who asks may be gone.
        drop(answer.send(result));
    }

    fn finish(&mut self, answers: Vec<Answer>) {
        let proposal = self.controller.as_mut().and_then(ActiveController::take_proposal);
        let result = match proposal {
            None => Ok(()),
            Some(proposal) => self.commit(vec![proposal], true),
        };
        if let (Err(_), Some(controller)) = (&result, &mut self.controller) {
            // An answer may have been decided on what is now undone: all of the round get the error.
            controller.go_back_to(self.publisher.committed());
        }
        for answer in answers {
            answer(result.clone());
        }
        // After the first answers: the log says the epoch as well.
        if !self.is_quorum_state_written && self.log.is_synced() {
            self.write_quorum_state();
        }
    }

    /// Says durably that this epoch has answered: from here on damage in its records is no crash's.
    fn write_quorum_state(&mut self) {
        let (Some(folder), Some(controller)) = (self.log.folder(), &self.controller) else { return };
        assert!(self.log.is_synced(), "quorum-state speaks of what is on the device");
        let state = QuorumState::of_lone(self.node_id, controller.epoch());
        match quorum_state::write(&*self.env.disk, &folder, &state) {
            Ok(()) => self.is_quorum_state_written = true,
            Err(error) => tracing::warn!("quorum-state could not be written: {error}"),
        }
    }
}

/// Where other controllers would reach this one.
pub(crate) fn votes_at(config: &BrokerConfig) -> Option<(Voter, String)> {
    let listener = config.controller_listeners.first()?;
    let (host, port) = config.controller_reached_at(listener)?;
    Some((Voter { id: BrokerId(config.node_id), host, port }, listener.name.clone()))
}

/// A panic behind the room would leave readers with facts that no log keeps: the process ends.
pub(crate) struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the metadata thread panicked: the process ends");
            std::process::abort();
        }
    }
}
