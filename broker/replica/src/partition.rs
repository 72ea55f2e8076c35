//! One hosted partition: its log, what this broker is to it, and who waits for it.
//! Shell.
//!
//! Invariants:
//! - I1. Leader epochs never go back.
//! - I2. A role change is complete before it is seen: the old epoch has ended, its appends are in the
//!   log or refused, and the new role knows its high watermark.
//! - I3. The log is looked up before the role. So a role that is found later than its log is one whose
//!   high watermark is set.

mod view;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, Guard};
use bytes::Bytes;
use ottla_log::{
    AppendError, AppendInfo, AppendOrigin, FlushListener, LogConfig, StorageFailure, UnifiedLog,
};
use ottla_model::{BrokerId, LeaderEpoch, Offset, PartitionIndex, TopicId, TopicName, TopicPartition};
use parking_lot::Mutex;

pub use self::view::{Led, Readable};
use self::view::{check_readable, leader_of};
use crate::acknowledge::{Acks, NotAcknowledged, Pending, Progress, Rule, progress};
use crate::flush_gate::FlushGate;
use crate::high_watermark::Bounds;
use crate::replica_progress::ReplicaProgress;
use crate::role::{Assignment, Leader, Offline, OfflineReason, Role};
use crate::topic_logs::TopicLogs;
use crate::wake::{LogPlace, WaitList};

pub struct Partition {
    pub name: TopicPartition,
    pub topic_id: TopicId,
    pub(crate) topic: Arc<TopicLogs>,
    role: ArcSwap<Role>,
    /// Set when something first needs it: an idle partition costs nothing.
    opened: OnceLock<Opened>,
    /// Held while the log is opened and while the role changes.
    pub(crate) changing: Mutex<()>,
    /// The log directory failed: whatever the image says, nothing is served until a restart.
    is_failed: AtomicBool,
    pub(crate) readers: WaitList,
}

/// As `Role`: what an idle partition takes of memory.
const _: () = assert!(size_of::<Partition>() <= 136, "a partition is small");

pub(crate) struct Opened {
    pub(crate) log: Arc<UnifiedLog>,
    pub(crate) gate: Arc<FlushGate>,
}

/// What became of an append, and what its acknowledgement waits for.
pub struct Appended {
    pub info: AppendInfo,
    /// The leader epoch it was appended under.
    pub epoch: LeaderEpoch,
    /// The end of the append.
    pub end: Offset,
    /// `None`: it is acknowledged.
    pub pending: Option<Pending>,
}

/// What a leader knows of its replicas, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeaderFacts {
    pub epoch: LeaderEpoch,
    pub in_sync: usize,
    /// How many records each follower lacks, of those that were heard of in this leader epoch.
    pub lags: Vec<(BrokerId, i64)>,
}

/// Why a partition cannot serve; each is one of Kafka's answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unavailable {
    /// The request knows an older leader epoch than this broker.
    #[error("the request knows an older leader epoch")]
    FencedLeaderEpoch,
    /// The request knows a newer leader epoch than this broker.
    #[error("the request knows a newer leader epoch")]
    UnknownLeaderEpoch,
    /// Another broker leads it, or none.
    #[error("this broker does not lead the partition")]
    NotLeader,
    /// The topic was deleted.
    #[error("the partition was deleted")]
    Deleted,
    /// The log directory failed.
    #[error("the partition's log directory is offline until a restart")]
    Storage,
}

/// Why an append was refused: nothing was appended.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendRefused {
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// `acks=all`, and fewer replicas are in sync than `min.insync.replicas`.
    #[error("too few replicas are in sync")]
    NotEnoughReplicas,
    #[error(transparent)]
    Log(AppendError),
}

impl From<AppendError> for AppendRefused {
    fn from(error: AppendError) -> AppendRefused {
        match error {
            // The role changed after it was looked up.
            AppendError::FencedLeaderEpoch { .. } => Unavailable::NotLeader.into(),
            error => AppendRefused::Log(error),
        }
    }
}

struct GateListener(Arc<FlushGate>);

impl FlushListener for GateListener {
    fn on_flush(&self, flushed: Result<Offset, StorageFailure>) {
        match flushed {
            Ok(offset) => self.0.on_flush(offset),
            Err(_) => self.0.on_failure(),
        }
    }
}

impl Partition {
    pub(crate) fn new(
        name: TopicPartition,
        topic_id: TopicId,
        topic: Arc<TopicLogs>,
        role: Role,
    ) -> Partition {
        Partition {
            name,
            topic_id,
            topic,
            role: ArcSwap::from_pointee(role),
            opened: OnceLock::new(),
            changing: Mutex::new(()),
            is_failed: AtomicBool::new(false),
            readers: WaitList::default(),
        }
    }

    pub fn topic(&self) -> &TopicName {
        &self.name.topic
    }

    pub fn index(&self) -> PartitionIndex {
        self.name.partition
    }

    pub fn role(&self) -> Guard<Arc<Role>> {
        self.role.load()
    }

    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.role.load().epoch()
    }

    /// Whether this broker leads it now.
    pub fn is_led(&self) -> bool {
        self.role.load().leader().is_some()
    }

    /// Whom this replica follows, and in which leader epoch.
    pub fn follows(&self) -> Option<(BrokerId, LeaderEpoch)> {
        match &**self.role.load() {
            Role::Follower(follower) => Some((follower.leader()?, follower.epoch())),
            Role::Leader(_) | Role::Offline(_) => None,
        }
    }

    /// `None` where it is not led here, or has no other replica.
    pub fn leader_facts(&self) -> Option<LeaderFacts> {
        let role = self.role.load();
        let leader = role.leader()?;
        let end = self.opened_log().map(|log| log.log_end_offset());
        let lag = |follower: &ReplicaProgress| Some((follower.id, (end? - follower.end()?).max(0)));
        let lags = leader.with_isr(|isr| isr.followers().iter().filter_map(lag).collect())?;
        Some(LeaderFacts { epoch: leader.epoch(), in_sync: leader.isr_count(), lags })
    }

    /// Whether another broker has a replica, as far as this one knows.
    pub fn is_replicated(&self) -> bool {
        match &**self.role.load() {
            Role::Leader(leader) => !leader.is_only_replica(),
            Role::Follower(_) => true,
            Role::Offline(_) => false,
        }
    }

    /// The replica's log whatever the role, opened when it is first needed.
    pub fn log(&self) -> Result<&Arc<UnifiedLog>, Unavailable> {
        self.opened().map(|opened| &opened.log)
    }

    #[inline]
    pub(crate) fn opened(&self) -> Result<&Opened, Unavailable> {
        match self.opened.get() {
            Some(opened) => Ok(opened),
            None => self.open(),
        }
    }

    #[cold]
    fn open(&self) -> Result<&Opened, Unavailable> {
        let _one_opens = self.changing.lock();
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let log = self.topic.open(&self.name, self.topic_id).map_err(|error| {
            tracing::error!(partition = %self.name, %error, "the partition's log can't be opened");
            Unavailable::Storage
        })?;
        let gate = Arc::new(FlushGate::new(log.flushed_offset()));
        log.set_flush_listener(Some(Arc::new(GateListener(gate.clone()))));
        let role = self.role.load();
        // Alone, this replica knows all that is committed.
        let is_alone = role.leader().is_some_and(Leader::is_only_replica);
        let known = if is_alone { None } else { self.topic.checkpointed_high_watermark(&self.name) };
        self.begin(&role, known, &log);
        let opened = self.opened.get_or_init(|| Opened { log, gate });
        if opened.log.is_dir_offline() {
            self.on_dir_failure();
        }
        Ok(opened)
    }

    /// A role meets its log: afterwards it knows its high watermark.
    fn begin(&self, role: &Role, known: Option<Offset>, log: &UnifiedLog) {
        let (log_start, log_end) = (log.log_start_offset(), log.log_end_offset());
        match role {
            Role::Leader(leader) => {
                if !leader.is_only_replica() {
                    // A follower may have records of an epoch that is not in this log, and asks where it ends
                    // (`Partition.makeLeader`).
                    log.assign_epoch(leader.epoch());
                }
                leader.begin(known, log_start, log_end, self.topic.min_isr());
            }
            Role::Follower(follower) => {
                let high_watermark = known.unwrap_or(log_start).clamp(log_start, log_end);
                follower.set_high_watermark(high_watermark);
            }
            Role::Offline(_) => return,
        }
        if let Some(high_watermark) = role.high_watermark() {
            self.topic.shared.high_watermarks.note();
            let bounds = Bounds { log_start, high_watermark, log_end }.checked();
            log.on_high_watermark(bounds.high_watermark);
        }
    }

    /// The log, if anything has needed it yet.
    pub fn opened_log(&self) -> Option<&Arc<UnifiedLog>> {
        self.opened.get().map(|opened| &opened.log)
    }

    pub(crate) fn set_config(&self, config: Arc<LogConfig>) {
        if let Some(log) = self.opened_log() {
            log.set_config(config);
        }
    }

    /// What a request needs of a partition that this broker must lead; −1 names no epoch (KIP-320,
    /// `Partition.getLocalLog`).
    pub fn led(&self, current_leader_epoch: i32) -> Result<Led<'_>, Unavailable> {
        let opened = match self.opened.get() {
            Some(opened) => opened,
            None => {
                // A partition that is not led here need not be opened to say so.
                leader_of(&self.role.load(), current_leader_epoch)?;
                self.open()?
            }
        };
        let role = self.role.load();
        leader_of(&role, current_leader_epoch)?;
        Ok(Led { role, opened })
    }

    /// The same where a follower will do (KIP-392).
    pub fn readable(&self, current_leader_epoch: i32) -> Result<Readable<'_>, Unavailable> {
        let opened = match self.opened.get() {
            Some(opened) => opened,
            None => {
                check_readable(&self.role.load(), current_leader_epoch)?;
                self.open()?
            }
        };
        let role = self.role.load();
        check_readable(&role, current_leader_epoch)?;
        Ok(Readable { role, opened })
    }

    /// Appends whole batches as their leader, and wakes who waits for records.
    pub fn append(
        self: &Arc<Self>,
        records: Bytes,
        origin: AppendOrigin,
        acks: Acks,
        wall_ms: i64,
    ) -> Result<Appended, AppendRefused> {
        self.append_led(self.led(-1)?, records, origin, acks, wall_ms)
    }

    /// The same, if the partition is led under this epoch and no other.
    pub fn append_in(
        self: &Arc<Self>,
        epoch: LeaderEpoch,
        records: Bytes,
        origin: AppendOrigin,
        acks: Acks,
        wall_ms: i64,
    ) -> Result<Appended, AppendRefused> {
        let led = self.led(-1)?;
        if led.epoch() != epoch {
            return Err(Unavailable::NotLeader.into());
        }
        self.append_led(led, records, origin, acks, wall_ms)
    }

    fn append_led(
        self: &Arc<Self>,
        led: Led<'_>,
        records: Bytes,
        origin: AppendOrigin,
        acks: Acks,
        wall_ms: i64,
    ) -> Result<Appended, AppendRefused> {
        let (leader, log) = (led.leader(), led.log());
        if acks == Acks::All && leader.is_under_min_isr(self.topic.min_isr()) {
            return Err(AppendRefused::NotEnoughReplicas);
        }
        let info = log.append(records, leader.epoch(), origin, wall_ms)?;
        // A duplicate is acknowledged under the same rule: what it repeats must survive.
        let end = if info.duplicate { log.log_end_offset() } else { info.last_offset + 1 };
        if leader.advance_alone(end) {
            log.on_high_watermark(leader.high_watermark());
        } else {
            self.advance(leader, led.opened);
        }
        self.wake_readers(log);
        let rule = Rule { acks, must_flush: info.must_flush };
        let is_settled = rule == Rule { acks: Acks::Leader, must_flush: false }
            || self.progress_in(leader, &led.opened.gate, end, rule) == Progress::Done(Ok(()));
        let epoch = leader.epoch();
        let pending =
            (!is_settled).then(|| Pending::new(self.clone(), Guard::into_inner(led.role), end, rule));
        Ok(Appended { info, epoch, end, pending })
    }

    /// What an append of an earlier moment still waits for, under the leader epoch that made it.
    pub fn pending(
        self: &Arc<Self>,
        epoch: LeaderEpoch,
        end: Offset,
    ) -> Result<Option<Pending>, NotAcknowledged> {
        let opened = self.opened().map_err(|_| NotAcknowledged::Storage)?;
        let role = self.role.load();
        let leader = match role.leader() {
            Some(leader) if leader.epoch() == epoch => leader,
            _ => return Err(self.why_ended()),
        };
        let rule = Rule { acks: Acks::All, must_flush: false };
        if self.progress_in(leader, &opened.gate, end, rule) == Progress::Done(Ok(())) {
            return Ok(None);
        }
        Ok(Some(Pending::new(self.clone(), Guard::into_inner(role), end, rule)))
    }

    fn progress_in(&self, leader: &Leader, gate: &FlushGate, end: Offset, rule: Rule) -> Progress {
        progress(leader, gate, end, rule, self.topic.durability(), self.topic.min_isr())
    }

    pub(crate) fn progress(&self, leader: &Leader, end: Offset, rule: Rule) -> Progress {
        self.progress_in(leader, self.gate(), end, rule)
    }

    /// The gate of a partition that was appended to.
    pub(crate) fn gate(&self) -> &FlushGate {
        match self.opened.get() {
            Some(opened) => &opened.gate,
            None => unreachable!("only an append waits"),
        }
    }

    /// Asks for a flush up to `end`, to be shared with all who ask meanwhile.
    pub(crate) fn request_flush(&self, end: Offset) {
        if let Some(Opened { log, gate }) = self.opened.get()
            && !gate.is_durable(end)
            && log.request_flush(end)
        {
            // It was there before anybody listened: no call of the listener follows.
            gate.on_flush(log.flushed_offset());
        }
    }

    /// The first offset not yet visible to consumers.
    pub fn high_watermark(&self) -> Result<Offset, Unavailable> {
        self.led(-1).map(|led| led.high_watermark())
    }

    /// The first offset not visible to consumers that read committed records only.
    pub fn last_stable_offset(&self) -> Result<Offset, Unavailable> {
        self.led(-1).map(|led| led.last_stable_offset())
    }

    pub(crate) fn advance(&self, leader: &Leader, opened: &Opened) {
        let log = &opened.log;
        let range = || (log.log_start_offset(), log.log_end_offset());
        if leader.advance(range, self.topic.min_isr()) {
            self.topic.shared.high_watermarks.note();
            log.on_high_watermark(leader.high_watermark());
            opened.gate.wake_up_to(leader.high_watermark());
            self.wake_readers(log);
        }
    }

    /// Wakes the fetches that may have enough now. What they may read ends at the log's end at the latest.
    pub(crate) fn wake_readers(&self, log: &UnifiedLog) {
        if self.readers.is_waited_for() {
            let reached = log.position_of(log.log_end_offset());
            self.readers.wake(reached.map_or(LogPlace::END, LogPlace::from));
        }
    }

    /// `min.insync.replicas` of its topic.
    pub fn min_isr(&self) -> i32 {
        self.topic.min_isr()
    }

    /// The controller says who leads and who replicates.
    pub(crate) fn assign(&self, node: BrokerId, assignment: &Assignment<'_>) {
        let now = self.topic.now();
        let role = self.role.load();
        let is_same_epoch = role.epoch() == assignment.leader_epoch;
        match &**role {
            Role::Leader(leader) if is_same_epoch && assignment.leader == Some(node) => {
                let before = leader.isr_count();
                let is_new = leader.set_isr(node, assignment, now);
                self.topic.note_isr(before, leader.isr_count());
                if is_new && let Some(opened) = self.opened.get() {
                    self.advance(leader, opened);
                    // How many must have it has changed: who waits looks again.
                    opened.gate.wake_all();
                }
            }
            Role::Follower(follower)
                if is_same_epoch
                    && assignment.leader == follower.leader()
                    && assignment.is_hosted_by(node) => {}
            _ => {
                drop(role);
                self.set_role(assignment.role_of(node, now));
            }
        }
    }

    /// Ends the old role and begins the new one (I2).
    fn set_role(&self, role: Role) {
        let _one_change = self.changing.lock();
        let old = self.role.load_full();
        assert!(
            role.epoch() >= old.epoch(),
            "the leader epoch of {} went back from {} to {}",
            self.name,
            old.epoch(),
            role.epoch()
        );
        if let Some(leader) = old.leader() {
            leader.end();
        }
        if let Some(opened) = self.opened.get() {
            if role.epoch() > old.epoch() {
                opened.log.fence_appends_before(role.epoch());
            }
            self.begin(&role, old.high_watermark(), &opened.log);
        }
        self.role.store(Arc::new(role));
        tell_followers(&old);
        if self.is_failed.load(Ordering::SeqCst) {
            self.fail_role();
        }
        self.wake_all();
    }

    fn wake_all(&self) {
        self.readers.wake_all();
        if let Some(opened) = self.opened.get() {
            opened.gate.wake_all();
        }
    }

    /// The log directory failed. Called on the thread that found it, which may hold a lock of the log or
    /// `changing`: takes neither. A role change under way comes to the same end.
    pub(crate) fn on_dir_failure(&self) {
        self.is_failed.store(true, Ordering::SeqCst);
        self.fail_role();
        self.wake_all();
    }

    fn fail_role(&self) {
        let old = self.role.load_full();
        if matches!(&*old, Role::Offline(_)) {
            return;
        }
        if let Some(leader) = old.leader() {
            leader.end();
        }
        let offline = Offline { epoch: old.epoch(), reason: OfflineReason::Storage };
        self.role.store(Arc::new(Role::Offline(offline)));
        tell_followers(&old);
    }

    pub(crate) fn mark_deleted(&self) {
        let epoch = self.leader_epoch();
        self.set_role(Role::Offline(Offline { epoch, reason: OfflineReason::Deleted }));
    }

    /// The controller gave the replica to another broker.
    pub(crate) fn mark_moved(&self, epoch: LeaderEpoch) {
        self.set_role(Role::Offline(Offline { epoch, reason: OfflineReason::Moved }));
    }

    pub fn is_deleted(&self) -> bool {
        self.offline_reason() == Some(OfflineReason::Deleted)
    }

    fn offline_reason(&self) -> Option<OfflineReason> {
        match &**self.role.load() {
            Role::Offline(offline) => Some(offline.reason),
            Role::Leader(_) | Role::Follower(_) => None,
        }
    }

    /// What is answered for an append whose leader epoch has ended.
    pub(crate) fn why_ended(&self) -> NotAcknowledged {
        match self.offline_reason() {
            Some(OfflineReason::Deleted) => NotAcknowledged::Deleted,
            Some(OfflineReason::Storage) => NotAcknowledged::Storage,
            Some(OfflineReason::Moved) | None => NotAcknowledged::NotLeader,
        }
    }
}

/// The followers of a leader epoch that has ended look again: they find another one.
fn tell_followers(old: &Role) {
    if let Some(leader) = old.leader() {
        leader.unsettle();
    }
}
