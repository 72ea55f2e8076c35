//! The controller on the node that leads: it decides on an image that is ahead of what is committed.
//! Core.
//!
//! Invariants:
//! - I1. Offsets are contiguous: what is proposed begins where the working image ends.
//! - I2. The epoch is higher than that of every record before it, and stays while this value lives.
//!
//! A node that loses the leadership drops this value; the next one begins with what was published.

use ottla_env::clock::Monotonic;
use ottla_model::{BrokerId, LeaderEpoch, Offset};
use ottla_protocol::StrBytes;
use ottla_protocol::records::control::LeaderChangeMessage;
use ottla_protocol::records::control::leader_change_message::Voter;
use ottla_protocol::records::metadata::{AbortTransactionRecord, MetadataRecord};
use ottla_records::ControlRecordType;
use std::sync::Arc;
use uuid::Uuid;

use crate::batch::{Batch, BatchEncoder, encode_control, encode_voters};
use crate::controller::election_log::Elections;
use crate::controller::features::{ELIGIBLE_LEADER_REPLICAS, METADATA_VERSION, one_min_isr};
use crate::controller::fencing::fence;
use crate::controller::heartbeat::cordon;
use crate::controller::liveness::{Contacts, Liveness};
use crate::controller::partition_change::has_eligible_replicas;
use crate::controller::rebalance::Chores;
use crate::controller::registration::{Registration, feature_changes, leader_changes, register_broker};
use crate::controller::{Deciding, Now, PARTITIONS_PER_REQUEST_MAX, Rules, TopicIds};
use crate::delta::Delta;
use crate::image::{Image, ResourceType};
use crate::metadata_log::CommitError;
use crate::replay::Working;
use crate::voter_set::VoterSet;

/// Sends what was decided, or why it could not be committed.
pub(crate) type Answer = Box<dyn FnOnce(Result<(), CommitError>) + Send>;

/// A decision with the way its answer takes.
pub(crate) struct Decided {
    pub records: Vec<MetadataRecord>,
    pub answer: Answer,
}

/// Decides, or (`None`, on a node that does not lead) refuses.
pub(crate) type Decide = Box<dyn FnOnce(Option<Deciding<'_>>) -> Decided + Send>;

/// Decisions that are appended as one batch; shown to readers and answered when they are committed.
pub(crate) struct Proposal {
    pub batch: Batch,
    /// The facts as of the batch's last record.
    pub image: Arc<Image>,
    /// What changed since the proposal before it.
    pub delta: Delta,
}

pub(crate) struct ActiveController {
    rules: Rules,
    epoch: LeaderEpoch,
    working: Working,
    /// Which brokers live, since this value does.
    liveness: Liveness,
    chores: Chores,
    /// The broker in this process where this node is alone: it needs no session to live.
    local: Option<BrokerId>,
    /// Its directories, in the order of `log.dirs`, once it is registered.
    local_dirs: Vec<Uuid>,
    /// The moment of the last decision.
    now: Monotonic,
    /// Whether a log keeps the records; batches are not encoded otherwise.
    is_kept: bool,
    /// What was decided since the last proposal.
    growing: Option<BatchEncoder>,
    /// Where the next proposal begins.
    base: Offset,
    /// What was elected since somebody asked.
    elections: Vec<Elections>,
}

impl ActiveController {
    /// Begins with the committed facts, `committed`, under an epoch of its own.
    pub fn new(committed: &Working, epoch: LeaderEpoch, rules: Rules, is_kept: bool) -> ActiveController {
        assert!(epoch > committed.image.leader_epoch(), "a new controller has an epoch of its own");
        let local = Some(rules.node_id);
        ActiveController::begin(committed, epoch, rules, local, Monotonic::default(), is_kept)
    }

    /// Begins with the committed facts, the last of which is the record that says that this node leads.
    pub fn elected(committed: &Working, rules: Rules, now: Now) -> ActiveController {
        assert!(committed.image.controller_id() == rules.node_id, "who leads has said so");
        let epoch = committed.image.leader_epoch();
        let mut controller = ActiveController::begin(committed, epoch, rules, None, now.monotonic, true);
        // Every broker gets a fresh session: what another controller heard is not known here.
        controller.liveness.on_begin();
        controller
    }

    fn begin(
        committed: &Working,
        epoch: LeaderEpoch,
        rules: Rules,
        local: Option<BrokerId>,
        now: Monotonic,
        is_kept: bool,
    ) -> ActiveController {
        let working = committed.without_delta();
        let mut controller = ActiveController {
            epoch,
            liveness: Liveness::of(&working.image, rules.broker_session_timeout(), local, now),
            chores: Chores::begin(&rules, now),
            local,
            local_dirs: Vec::new(),
            now,
            is_kept,
            growing: None,
            base: working.image.metadata_offset() + 1,
            elections: Vec::new(),
            rules,
            working,
        };
        controller.rules.refresh(&controller.working.image);
        controller
    }

    /// The records that an elected controller begins with, in the parts that are appended together.
    pub fn elected_activation(&self) -> Vec<Vec<MetadataRecord>> {
        let mut parts = Vec::new();
        if self.working.in_transaction() {
            let reason = Some(StrBytes::from_static_str("Controller failover"));
            parts.push(vec![AbortTransactionRecord { reason, ..Default::default() }.into()]);
        }
        let features = self.feature_changes();
        if !features.is_empty() {
            parts.push(features);
        }
        parts
    }

    /// What the finalized features must become, with what they need.
    fn feature_changes(&self) -> Vec<MetadataRecord> {
        let is_new = self.working.image.feature_level(METADATA_VERSION) == 0;
        let mut records = feature_changes(&self.working.image, &self.rules.features);
        if is_new {
            records.extend_from_slice(&self.rules.first_records);
        }
        let turns_elr_on = |record: &MetadataRecord| match record {
            MetadataRecord::FeatureLevel(level) => {
                level.name.as_str() == ELIGIBLE_LEADER_REPLICAS && level.feature_level > 0
            }
            _ => false,
        };
        if has_eligible_replicas(&self.working.image) || records.iter().any(turns_elr_on) {
            records.extend(one_min_isr(&self.working.image, &self.rules));
        }
        records
    }

    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    fn next_offset(&self) -> Offset {
        self.working.image.metadata_offset() + 1
    }

    /// The control record that says who leads from here on, and under which epoch.
    pub fn leader_change(&mut self, now: Now) -> Proposal {
        assert!(self.growing.is_none() && self.base == self.next_offset(), "an epoch begins with it");
        self.refresh_sessions(now.monotonic);
        let voter = || Voter { voter_id: self.rules.node_id.0, ..Voter::default() };
        let message = LeaderChangeMessage {
            leader_id: self.rules.node_id.0,
            voters: vec![voter()],
            granting_voters: vec![voter()],
            ..LeaderChangeMessage::default()
        };
        let base = self.base;
        let kind = ControlRecordType::LeaderChange;
        let bytes = encode_control(kind, &message, base, self.epoch, now.wall_ms);
        self.working.replay_leader_change(self.rules.node_id, base, self.epoch);
        self.base = base + 1;
        let batch = Batch { base, next: base + 1, bytes };
        Proposal { batch, image: Arc::new(self.working.image.clone()), delta: Delta::default() }
    }

    /// The facts that decisions rest on.
    pub fn image(&self) -> &Image {
        &self.working.image
    }

    /// Who votes from here on, as a batch of its own. What was decided before was proposed.
    pub fn change_voters(&mut self, voters: VoterSet, kraft_version: Option<i16>, now: Now) -> Proposal {
        assert!(self.growing.is_none() && self.base == self.next_offset(), "a batch of its own");
        let batch = encode_voters(&voters, kraft_version, self.base, self.epoch, now.wall_ms);
        if let Some(level) = kraft_version {
            self.working.replay_kraft_version(level, self.base, self.epoch);
        }
        self.working.replay_voters(voters, batch.next + -1, self.epoch);
        self.base = batch.next;
        let delta = std::mem::take(&mut self.working.delta);
        Proposal { batch, image: Arc::new(self.working.image.clone()), delta }
    }

    /// The records that a new epoch begins with, in the parts that are appended together, and whether a
    /// reader may rely on one of them: then they are synced before they are shown.
    pub fn activation(&self, unclean_stop: bool) -> (Vec<Vec<MetadataRecord>>, bool) {
        let mut parts = self.elected_activation();
        let changes = leader_changes(&self.working.image, self.rules.node_id, unclean_stop);
        parts.extend(changes.chunks(PARTITIONS_PER_REQUEST_MAX).map(<[MetadataRecord]>::to_vec));
        (parts, !changes.is_empty())
    }

    /// This node serves; its broker epoch is the offset of the record that says so. It lives as long as this process does,
    /// and needs no session.
    pub fn register(&mut self, registration: &Registration, now: Now) {
        let offset = self.next_offset();
        self.liveness.on_unregistered(self.rules.node_id);
        self.local_dirs.clone_from(&registration.log_dirs);
        let record = register_broker(self.rules.node_id, registration, &self.rules.features, offset);
        self.apply(vec![record.into()], now);
        self.cordon_local_dirs(now);
    }

    /// The broker in this process sends no heartbeats: what they would say of its directories follows from what is
    /// decided.
    fn cordon_local_dirs(&mut self, now: Now) {
        let Some(local) = self.local.filter(|_| !self.local_dirs.is_empty()) else { return };
        let image = &self.working.image;
        let cordoned = self.rules.cordoned_of(image, &self.local_dirs);
        let record = cordon(image, local, &cordoned);
        self.apply(record.into_iter().collect(), now);
    }

    /// Decides and applies what was decided; the answer is due when it is committed.
    pub fn decide(&mut self, decide: Decide, now: Now, topic_ids: TopicIds<'_>) -> Answer {
        self.now = now.monotonic;
        let ActiveController { working, rules, liveness, .. } = self;
        let deciding = Deciding { image: &working.image, rules, now, topic_ids, liveness };
        let Decided { records, answer } = decide(Some(deciding));
        let may_cordon = records.iter().any(|record| match record {
            MetadataRecord::Config(config) => config.resource_type == ResourceType::Broker.code(),
            MetadataRecord::FeatureLevel(level) => level.name.as_str() == METADATA_VERSION,
            _ => false,
        });
        self.apply(records, now);
        if may_cordon {
            self.cordon_local_dirs(now);
        }
        answer
    }

    /// A fresh session for every broker that is registered and not fenced.
    fn refresh_sessions(&mut self, now: Monotonic) {
        let timeout = self.rules.broker_session_timeout();
        self.liveness = Liveness::of(&self.working.image, timeout, self.local, now);
        self.chores = Chores::begin(&self.rules, now);
        self.now = now;
    }

    /// When `on_time` has something to do; on a node that is alone only where there are delegation tokens.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.liveness.next_deadline().into_iter().chain(self.chores.next(&self.working.image)).min()
    }

    /// What is to be done without being asked. Fences who was not heard in time: `contacts` has what came and waits to be
    /// decided, so that a controller that is busy takes nobody for dead who told it otherwise (KAFKA-15019). Then leaders
    /// are elected where that is due. Gives who was fenced.
    pub fn on_time(&mut self, now: Now, contacts: &Contacts) -> Vec<BrokerId> {
        if self.next_deadline().is_none_or(|deadline| now.monotonic <= deadline) {
            return Vec::new();
        }
        self.now = now.monotonic;
        for (id, (epoch, heard)) in contacts {
            self.liveness.on_contact(*id, *epoch, *heard);
        }
        let expired = self.liveness.take_expired(now.monotonic);
        for id in &expired {
            let mut records = Vec::new();
            fence(&self.working.image, &self.rules, *id, &mut records);
            self.apply(records, now);
        }
        let records = self.chores.take_due(&self.working.image, &self.rules, now.monotonic);
        self.apply(records, now);
        let records = self.chores.take_due_tokens(&self.working.image, &self.rules, now);
        self.apply(records, now);
        expired
    }

    /// Applies records to the working image and adds them to the next proposal.
    pub fn apply(&mut self, records: Vec<MetadataRecord>, now: Now) {
        // A node that is alone elects itself.
        if self.local.is_none() {
            self.elections.extend(Elections::of(&self.working.image, &records));
        }
        for record in records {
            if let MetadataRecord::Partition(partition) = &record {
                let leads = |id: i32| id < 0 || partition.replicas.contains(&id);
                assert!(leads(partition.leader), "a partition is led by one of its replicas");
            }
            let offset = self.next_offset();
            if self.is_kept {
                let growing = self.growing.get_or_insert_with(|| BatchEncoder::new(offset, self.epoch));
                growing.append(&record, now.wall_ms);
            }
            self.working.replay(record, offset, self.epoch);
        }
    }

    /// What was elected since the last call.
    pub fn take_elections(&mut self) -> Vec<Elections> {
        std::mem::take(&mut self.elections)
    }

    /// Bytes that the next proposal has so far.
    pub fn proposed_bytes(&self) -> usize {
        self.growing.as_ref().map_or(0, BatchEncoder::size_bytes)
    }

    /// What was decided since the last call; `None` when nothing changed.
    pub fn take_proposal(&mut self) -> Option<Proposal> {
        let next = self.next_offset();
        if self.base == next {
            assert!(self.growing.is_none(), "records move the working image");
            return None;
        }
        let batch = match self.growing.take() {
            Some(growing) => growing.build(),
            None => Batch { base: self.base, next, bytes: bytes::Bytes::new() },
        };
        assert!(batch.base == self.base && batch.next == next, "a proposal holds what was decided, no more");
        self.base = next;
        let delta = std::mem::take(&mut self.working.delta);
        Some(Proposal { batch, image: Arc::new(self.working.image.clone()), delta })
    }

    /// A proposal was published: settings of brokers are in force from here on.
    pub fn on_published(&mut self, delta: &Delta, image: &Image) {
        if delta.configs_changed.iter().any(|resource| resource.resource_type == ResourceType::Broker) {
            self.rules.refresh(image);
        }
    }

    /// What was proposed since `committed` was not committed: it was never decided.
    pub fn go_back_to(&mut self, committed: &Working) {
        assert!(committed.image.metadata_offset() < self.next_offset(), "only what is ahead is taken back");
        self.working = committed.without_delta();
        self.growing = None;
        self.base = self.next_offset();
        // What was heard may belong to registrations that are undone.
        self.refresh_sessions(self.now);
    }
}
