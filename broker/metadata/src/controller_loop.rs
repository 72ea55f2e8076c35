//! The controller's thread: decide, replay, append and sync once for all who wait, publish, answer.
//! Shell. Owns the working image and the log; nobody else changes either.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ottla_env::Env;
use ottla_log::LogManager;
use ottla_model::limits::{
    METADATA_COMMIT_BYTES, METADATA_EVENTS_PER_COMMIT_MAX, METADATA_LONG_REPLAY_BYTES,
};
use ottla_model::{BrokerId, LeaderEpoch, Offset, TopicId};
use ottla_protocol::StrBytes;
use ottla_protocol::records::control::LeaderChangeMessage;
use ottla_protocol::records::control::leader_change_message::Voter;
use ottla_protocol::records::metadata::{AbortTransactionRecord, MetadataRecord};
use ottla_records::ControlRecordType;
use tokio::sync::mpsc::Receiver;

use crate::batch::{Entry, encode_batch, encode_control};
use crate::controller::registration::{Registration, feature_changes, leader_changes, register_broker};
use crate::controller::{PARTITIONS_PER_REQUEST_MAX, Rules};
use crate::delta::Delta;
use crate::image::{Image, ResourceType};
use crate::metadata::{Answer, Decided, Event, MetadataOptions, OpenError, Shared};
use crate::metadata_log::{CommitError, MetadataLog};
use crate::quorum_state::{self, QuorumState};
use crate::replay::Working;
use crate::snapshot;
use crate::store::{self, Touched};
use crate::upkeep::Upkeep;

pub(crate) struct ControllerLoop {
    env: Env,
    rules: Rules,
    features: Vec<crate::controller::features::Feature>,
    sync: bool,
    working: Working,
    published: Arc<Image>,
    /// This process's reign.
    epoch: LeaderEpoch,
    disk: Option<OnDisk>,
}

struct OnDisk {
    log: MetadataLog,
    folder: PathBuf,
    upkeep: Upkeep,
}

/// Decisions that are committed together.
#[derive(Default)]
struct Group {
    batches: Vec<Bytes>,
    bytes: usize,
    is_change: bool,
    answers: Vec<Answer>,
}

/// What was read from the disk.
struct Recovered {
    working: Working,
    last_epoch: LeaderEpoch,
    disk: Option<OnDisk>,
}

impl ControllerLoop {
    pub fn open(env: &Env, options: MetadataOptions) -> Result<(ControllerLoop, Arc<Image>), OpenError> {
        let empty = Image::empty(&options.cluster_id, BrokerId(options.config.node_id));
        let recovered = match &options.logs {
            None => Recovered { working: Working::new(empty), last_epoch: LeaderEpoch(0), disk: None },
            Some(logs) => recover(env, logs, &empty)?,
        };
        let mut rules = Rules::new(&options.config, options.features.clone());
        rules.refresh(&recovered.working.image);
        let published = Arc::new(recovered.working.image.clone());
        let mut controller = ControllerLoop {
            env: env.clone(),
            rules,
            features: options.features,
            sync: options.sync && recovered.disk.is_some(),
            working: recovered.working,
            published,
            epoch: LeaderEpoch(recovered.last_epoch.0 + 1),
            disk: recovered.disk,
        };
        if let Some(disk) = &mut controller.disk {
            disk.log.set_epoch(controller.epoch);
        }
        controller.activate(options.unclean_stop)?;
        controller.working.delta = Delta::default();
        controller.published = Arc::new(controller.working.image.clone());
        let image = controller.published.clone();
        Ok((controller, image))
    }

    #[cfg(test)]
    pub fn set_upkeep_thresholds(&mut self, snapshot_bytes: u64, materialise_bytes: u64) {
        if let Some(disk) = &mut self.disk {
            disk.upkeep.set_thresholds(snapshot_bytes, materialise_bytes);
        }
    }

    /// The records of a new reign. Nobody waits for them, so nothing is synced: they reach the
    /// device with the first change that is answered. Raised leader epochs are the exception, and what a
    /// killed process left in the page cache.
    fn activate(&mut self, unclean_stop: bool) -> Result<(), CommitError> {
        let voter = || Voter { voter_id: self.rules.node_id.0, ..Voter::default() };
        let message = LeaderChangeMessage {
            leader_id: self.rules.node_id.0,
            voters: vec![voter()],
            granting_voters: vec![voter()],
            ..LeaderChangeMessage::default()
        };
        let offset = self.next_offset();
        // Replayed records that only the page cache holds are about to be shown.
        let shows_unsynced = unclean_stop && offset > Offset::ZERO;
        let now_ms = self.env.clock.wall_ms();
        let batch = encode_control(ControlRecordType::LeaderChange, &message, offset, self.epoch, now_ms);
        self.working.replay_control(offset, self.epoch);
        if let Some(disk) = &mut self.disk {
            disk.log.append(&[batch], now_ms)?;
        }
        if self.working.in_transaction() {
            let reason = Some(StrBytes::from_static_str("Controller failover"));
            self.commit_now(vec![AbortTransactionRecord { reason, ..Default::default() }.into()])?;
        }
        let features = feature_changes(&self.working.image, &self.features);
        if !features.is_empty() {
            self.commit_now(features)?;
        }
        let changes = leader_changes(&self.working.image, self.rules.node_id, unclean_stop);
        for part in changes.chunks(PARTITIONS_PER_REQUEST_MAX) {
            self.commit_now(part.to_vec())?;
        }
        if let Some(disk) =
            self.disk.as_mut().filter(|_| self.sync && (shows_unsynced || !changes.is_empty()))
        {
            disk.log.sync()?;
        }
        Ok(())
    }

    fn next_offset(&self) -> Offset {
        self.working.image.metadata_offset() + 1
    }

    fn commit_now(&mut self, records: Vec<MetadataRecord>) -> Result<(), CommitError> {
        let batch = self.replay(records);
        match &mut self.disk {
            Some(disk) => disk.log.append(&[batch], self.env.clock.wall_ms()),
            None => Ok(()),
        }
    }

    /// Applies records to the working image; the batch is what the log gets.
    fn replay(&mut self, records: Vec<MetadataRecord>) -> Bytes {
        let base = self.next_offset();
        let batch = match self.disk {
            Some(_) => encode_batch(&records, base, self.epoch, self.env.clock.wall_ms()),
            None => Bytes::new(),
        };
        for (index, record) in records.into_iter().enumerate() {
            self.working.replay(record, base + index as i64, self.epoch);
        }
        batch
    }

    /// Registers this node; readers and listeners get the image before this returns.
    pub fn register(&mut self, registration: &Registration, shared: &Shared) -> Result<(), CommitError> {
        let offset = self.next_offset();
        let record = register_broker(self.rules.node_id, registration, &self.features, offset);
        self.commit_now(vec![record.into()])?;
        self.publish(shared);
        Ok(())
    }

    fn publish(&mut self, shared: &Shared) {
        let delta = std::mem::take(&mut self.working.delta);
        if delta.configs_changed.iter().any(|resource| resource.resource_type == ResourceType::Broker) {
            self.rules.refresh(&self.working.image);
        }
        self.published = Arc::new(self.working.image.clone());
        shared.publish(&delta, &self.published);
        if let Some(disk) = &mut self.disk {
            disk.upkeep.on_published(&delta);
        }
    }

    /// The thread's life: ends with `Stop` or when nobody can ask any more.
    pub fn run(mut self, mut events: Receiver<Event>, shared: &Shared) {
        let _guard = AbortOnPanic;
        let mut group = Vec::new();
        let mut is_quorum_state_written = false;
        loop {
            let Some(first) = events.blocking_recv() else { break };
            group.push(first);
            while group.len() < METADATA_EVENTS_PER_COMMIT_MAX
                && let Ok(next) = events.try_recv()
            {
                group.push(next);
            }
            if self.commit_group(group.drain(..), shared) {
                break;
            }
            // After the first answer: the log tells the epoch as well.
            if !std::mem::replace(&mut is_quorum_state_written, true) {
                self.write_quorum_state();
            }
            if let Some(disk) = &mut self.disk {
                disk.upkeep.run_due(&mut disk.log, &self.published);
            }
        }
        if !is_quorum_state_written {
            self.write_quorum_state();
        }
        if let Some(disk) = &mut self.disk {
            disk.upkeep.stop(&mut disk.log);
            // What was answered was synced before; this is for what nobody waited for.
            if let Err(error) = disk.log.sync() {
                tracing::error!("the metadata log could not be synced on the way out: {error}");
            }
        }
    }

    /// Decides what was queued, commits it as one write and one sync, publishes, answers. Says
    /// whether the controller is to stop.
    fn commit_group(&mut self, events: impl Iterator<Item = Event>, shared: &Shared) -> bool {
        let mut is_stopping = false;
        let mut group = Group::default();
        let rng = self.env.rng.clone();
        let mut topic_ids = || TopicId::from_random(|| rng.next_16());
        for event in events {
            match event {
                Event::Stop => is_stopping = true,
                Event::Decide(decide) => {
                    let Decided { records, answer } =
                        decide(&self.working.image, &self.rules, &mut topic_ids);
                    group.is_change |= !records.is_empty();
                    if !records.is_empty() {
                        let batch = self.replay(records);
                        group.bytes += batch.len();
                        group.batches.push(batch);
                    }
                    group.answers.push(answer);
                }
            }
            if group.bytes >= METADATA_COMMIT_BYTES {
                self.finish_group(std::mem::take(&mut group), shared);
            }
        }
        self.finish_group(group, shared);
        is_stopping
    }

    fn finish_group(&mut self, group: Group, shared: &Shared) {
        let result = self.commit(&group.batches);
        match &result {
            Ok(()) if group.is_change => self.publish(shared),
            Ok(()) => {}
            // Back to what is in force; an answer may have been decided on what is now undone.
            Err(_) => self.working = Working::new((*self.published).clone()),
        }
        for answer in group.answers {
            answer(result.clone());
        }
    }

    fn commit(&mut self, batches: &[Bytes]) -> Result<(), CommitError> {
        let now_ms = self.env.clock.wall_ms();
        let Some(disk) = self.disk.as_mut().filter(|_| !batches.is_empty()) else { return Ok(()) };
        disk.log.append(batches, now_ms)?;
        if self.sync { disk.log.sync() } else { Ok(()) }
    }

    fn write_quorum_state(&self) {
        let Some(disk) = &self.disk else { return };
        let state = QuorumState { leader_id: self.rules.node_id, leader_epoch: self.epoch };
        if let Err(error) = quorum_state::write(&*self.env.disk, &disk.folder, &state) {
            tracing::warn!("quorum-state could not be written: {error}");
        }
    }
}

/// Reads snapshot, materialised image and log, whichever make the shortest way to the end.
fn recover(env: &Env, logs: &LogManager, empty: &Image) -> Result<Recovered, OpenError> {
    let mut log = MetadataLog::new(logs)?;
    let folder = &log.folder();
    let io_error = |source| OpenError::Io { path: folder.clone(), source };
    let quorum = quorum_state::read(&*env.disk, folder).unwrap_or_else(|why| {
        tracing::warn!("quorum-state in {} is not used ({why}); the log tells the epoch", folder.display());
        None
    });
    let mut image = newest_snapshot(env, folder, empty).map_err(io_error)?;
    let tail_bytes = log.bytes_after(image.metadata_offset());
    let mut touched = Touched::Everything;
    let mut bytes_to_store = tail_bytes;
    if tail_bytes >= METADATA_LONG_REPLAY_BYTES && env.disk.exists(&store::path(folder)) {
        match store::load(folder, empty.clone()) {
            Ok(stored) if stored.metadata_offset() >= image.metadata_offset() => {
                image = stored;
                touched = Touched::Topics(Default::default());
                bytes_to_store = 0;
            }
            Ok(_) => tracing::info!("the materialised metadata image is older than the snapshot: rebuilt"),
            Err(why) => {
                tracing::warn!("the materialised metadata image is rebuilt from the log: {why}");
                env.disk.remove_dir_all(&store::path(folder)).map_err(io_error)?;
            }
        }
    }
    let from = image.metadata_offset() + 1;
    let mut working = Working::new(image);
    let mut on_entry = |entry: Entry, offset: Offset, epoch: LeaderEpoch| match entry {
        Entry::Record(record) => working.replay(record, offset, epoch),
        Entry::Control(_) => working.replay_control(offset, epoch),
    };
    if let Some(line) = log.replay(from, &mut on_entry)? {
        tracing::warn!("{line}");
    }
    // What was replayed onto a stored image is not in it yet.
    touched.add(&working.delta);
    let last_epoch = working.image.leader_epoch().max(quorum.map_or(LeaderEpoch(0), |q| q.leader_epoch));
    let upkeep = Upkeep::new(env, folder.clone(), touched, bytes_to_store);
    Ok(Recovered { working, last_epoch, disk: Some(OnDisk { folder: log.folder(), log, upkeep }) })
}

fn newest_snapshot(env: &Env, folder: &Path, empty: &Image) -> std::io::Result<Image> {
    for id in snapshot::list(&*env.disk, folder)? {
        match snapshot::read(&*env.disk, folder, id, empty.clone()) {
            Ok(image) => return Ok(image),
            Err(why) => tracing::warn!("the metadata snapshot {} is not used: {why}", id.file_name()),
        }
    }
    Ok(empty.clone())
}

/// A panic in this core would leave readers with facts that nobody keeps: the process ends.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the metadata controller panicked: the process ends");
            std::process::abort();
        }
    }
}
