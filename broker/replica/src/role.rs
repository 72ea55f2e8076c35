//! What this broker is to a partition: its leader, one of its followers, or neither.
//! Core: the shell in `partition` opens the log and changes the role.
//!
//! Invariants:
//! - I1. A leader's epoch ends before another role is seen, and never begins again.
//! - I2. The high watermark of a leader is set before its log is read or appended to (`Leader::begin`).

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU16, Ordering};

use std::time::Duration;

use ottla_env::Monotonic;
use ottla_metadata::PartitionImage;
use ottla_model::{BrokerId, LeaderEpoch, Offset};
use parking_lot::Mutex;

use crate::high_watermark::Bounds;
use crate::isr::{self, Isr, IsrFacts, Proposal};
use crate::replica_progress::FollowerFetch;
use crate::session_news::Settled;

/// What the controller says of a partition, as far as its replicas act on it.
#[derive(Clone, Copy, Debug)]
pub struct Assignment<'a> {
    pub leader: Option<BrokerId>,
    pub leader_epoch: LeaderEpoch,
    pub partition_epoch: i32,
    pub replicas: &'a [BrokerId],
    pub isr: &'a [BrokerId],
}

impl<'a> From<&'a PartitionImage> for Assignment<'a> {
    fn from(partition: &'a PartitionImage) -> Assignment<'a> {
        Assignment {
            leader: partition.leader,
            leader_epoch: partition.leader_epoch,
            partition_epoch: partition.partition_epoch,
            replicas: &partition.replicas,
            isr: &partition.isr,
        }
    }
}

impl Assignment<'_> {
    /// Whether a broker keeps a replica.
    pub fn is_hosted_by(&self, node: BrokerId) -> bool {
        self.replicas.contains(&node)
    }

    /// Whether there are replicas elsewhere: then what is committed is not what is here.
    pub fn is_replicated(&self) -> bool {
        self.replicas.len() > 1
    }

    fn isr_facts(&self) -> IsrFacts<'_> {
        let Assignment { partition_epoch, replicas, isr: members, .. } = *self;
        IsrFacts { partition_epoch, replicas, members }
    }

    /// What a broker is to the partition from now on.
    pub fn role_of(&self, node: BrokerId, now: Monotonic) -> Role {
        if !self.is_hosted_by(node) {
            return Role::Offline(Offline { epoch: self.leader_epoch, reason: OfflineReason::Moved });
        }
        match self.leader {
            Some(leader) if leader == node => Role::Leader(Leader::new(node, self, now)),
            leader => Role::Follower(Follower::new(self.leader_epoch, leader)),
        }
    }
}

/// There are many partitions, and most are idle.
const _: () = assert!(size_of::<Role>() <= 56, "a role is small");

#[derive(Debug)]
pub enum Role {
    Leader(Leader),
    Follower(Follower),
    Offline(Offline),
}

impl Role {
    pub fn epoch(&self) -> LeaderEpoch {
        match self {
            Role::Leader(leader) => leader.epoch,
            Role::Follower(follower) => follower.epoch,
            Role::Offline(offline) => offline.epoch,
        }
    }

    pub fn leader(&self) -> Option<&Leader> {
        match self {
            Role::Leader(leader) => Some(leader),
            Role::Follower(_) | Role::Offline(_) => None,
        }
    }

    /// The first offset that is not known to be committed; `None` where nothing is known.
    pub fn high_watermark(&self) -> Option<Offset> {
        match self {
            Role::Leader(leader) => known(&leader.high_watermark),
            Role::Follower(follower) => known(&follower.high_watermark),
            Role::Offline(_) => None,
        }
    }
}

fn known(offset: &AtomicI64) -> Option<Offset> {
    let offset = offset.load(Ordering::Acquire);
    (offset >= 0).then_some(Offset(offset))
}

/// One leader epoch of this broker.
#[derive(Debug)]
pub struct Leader {
    epoch: LeaderEpoch,
    is_ended: AtomicBool,
    /// In-sync replicas as the controller knows them, this one among them.
    isr_count: AtomicU16,
    /// With those that are proposed.
    maximal_isr_count: AtomicU16,
    replica_count: AtomicU16,
    /// Where the log ended when the epoch began; −1 before the log is open.
    start_offset: AtomicI64,
    /// −1 before the log is open.
    high_watermark: AtomicI64,
    /// `None` without followers.
    isr: Mutex<Option<Box<Isr>>>,
}

impl Leader {
    fn new(node: BrokerId, assignment: &Assignment<'_>, now: Monotonic) -> Leader {
        let isr = assignment.is_replicated().then(|| Box::new(Isr::new(node, assignment.isr_facts(), now)));
        let members = count(isr::isr_count(node, assignment.isr));
        Leader {
            epoch: assignment.leader_epoch,
            is_ended: AtomicBool::new(false),
            isr_count: AtomicU16::new(members),
            maximal_isr_count: AtomicU16::new(members),
            replica_count: AtomicU16::new(count(assignment.replicas.len())),
            start_offset: AtomicI64::new(Offset::NONE.0),
            high_watermark: AtomicI64::new(Offset::NONE.0),
            isr: Mutex::new(isr),
        }
    }

    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// Whether another epoch has begun: nothing is acknowledged by this one any more.
    #[inline]
    pub fn is_ended(&self) -> bool {
        self.is_ended.load(Ordering::Acquire)
    }

    pub(crate) fn end(&self) {
        self.is_ended.store(true, Ordering::Release);
    }

    #[inline]
    pub fn isr_count(&self) -> usize {
        usize::from(self.isr_count.load(Ordering::Acquire))
    }

    /// Whether there is no other replica: then it waits for none.
    #[inline]
    pub fn is_only_replica(&self) -> bool {
        self.replica_count.load(Ordering::Acquire) == 1
    }

    /// In-sync replicas with those that are proposed: each of them has what is committed.
    pub fn maximal_isr_count(&self) -> usize {
        usize::from(self.maximal_isr_count.load(Ordering::Acquire))
    }

    fn replica_count(&self) -> usize {
        usize::from(self.replica_count.load(Ordering::Acquire))
    }

    /// Whether fewer replicas are in sync than an append that all of them must acknowledge needs.
    #[inline]
    pub fn is_under_min_isr(&self, min_isr: i32) -> bool {
        isr::is_under_min(self.isr_count(), min_isr, self.replica_count())
    }

    /// The same once it is appended: who is proposed counts (`Partition.checkEnoughReplicasReachOffset`).
    pub fn is_maximally_under_min_isr(&self, min_isr: i32) -> bool {
        isr::is_under_min(self.maximal_isr_count(), min_isr, self.replica_count())
    }

    /// Whether a replica is out of sync.
    pub fn is_under_replicated(&self) -> bool {
        self.isr_count() < self.replica_count()
    }

    /// The first offset that consumers may not see yet.
    #[inline]
    pub fn high_watermark(&self) -> Offset {
        Offset(self.high_watermark.load(Ordering::Acquire))
    }

    /// Where the log ended when the epoch began: "latest" is not answered before the high watermark is
    /// here (KIP-207).
    pub fn start_offset(&self) -> Offset {
        Offset(self.start_offset.load(Ordering::Acquire))
    }

    /// The log is open: what this replica knows to be committed, and all of it when it is alone.
    pub(crate) fn begin(&self, known: Option<Offset>, log_start: Offset, log_end: Offset, min_isr: i32) {
        let at_least = known.unwrap_or(log_start).clamp(log_start, log_end);
        self.start_offset.store(log_end.0, Ordering::Release);
        self.high_watermark.store(at_least.0, Ordering::Release);
        self.advance(|| (log_start, log_end), min_isr);
    }

    /// The controller says who replicates and who is in sync. False when that was known.
    pub(crate) fn set_isr(&self, node: BrokerId, assignment: &Assignment<'_>, now: Monotonic) -> bool {
        let mut isr = self.isr.lock();
        let is_new = match &mut *isr {
            Some(isr) => isr.set(assignment.isr_facts(), now),
            None if assignment.is_replicated() => {
                *isr = Some(Box::new(Isr::new(node, assignment.isr_facts(), now)));
                true
            }
            None => false,
        };
        if let Some(isr) = isr.as_ref().filter(|_| is_new) {
            self.publish_counts(isr);
        }
        is_new
    }

    fn publish_counts(&self, isr: &Isr) {
        self.replica_count.store(count(isr.replica_count()), Ordering::Release);
        self.isr_count.store(count(isr.count()), Ordering::Release);
        self.maximal_isr_count.store(count(isr.maximal_count()), Ordering::Release);
    }

    /// Looks at the followers, or changes what is known of them; `None` without any.
    pub(crate) fn with_isr<T>(&self, change: impl FnOnce(&mut Isr) -> T) -> Option<T> {
        let mut isr = self.isr.lock();
        let isr = isr.as_mut()?;
        let result = change(isr);
        self.publish_counts(isr);
        Some(result)
    }

    pub fn is_replica(&self, id: BrokerId) -> bool {
        self.isr.lock().as_ref().is_some_and(|isr| isr.is_replica(id))
    }

    pub fn is_in_sync(&self, id: BrokerId) -> bool {
        self.isr.lock().as_ref().is_some_and(|isr| isr.is_member(id))
    }

    /// A follower's log is one with this one up to where it fetches.
    pub(crate) fn on_fetch(&self, fetch: &FollowerFetch) -> Fetched {
        let (high_watermark, start) = (self.high_watermark(), self.start_offset());
        self.with_isr(|isr| {
            let log_start = isr.follower(fetch.follower).and_then(|follower| follower.log_start());
            Fetched {
                is_proposed: isr.on_fetch(fetch) && isr.propose_expansion(fetch, high_watermark, start),
                is_log_start_new: log_start != Some(fetch.log_start),
            }
        })
        .unwrap_or_default()
    }

    /// A follower need not look here before something changes, if `is_all` still holds while nothing can.
    pub(crate) fn settle(&self, id: BrokerId, settled: Settled, is_all: impl FnOnce() -> bool) -> bool {
        let mut isr = self.isr.lock();
        let Some(isr) = isr.as_mut().filter(|_| !self.is_ended() && is_all()) else { return false };
        isr.settle(id, settled)
    }

    /// Something changed that is neither the log's end nor the high watermark: all followers look again.
    pub(crate) fn unsettle(&self) {
        if let Some(isr) = &mut *self.isr.lock() {
            isr.unsettle();
        }
    }

    /// One does not fetch it in its session any more.
    pub(crate) fn unsettle_follower(&self, id: BrokerId) {
        if let Some(isr) = &mut *self.isr.lock() {
            isr.unsettle_follower(id);
        }
    }

    /// Who is to leave the in-sync replicas: it was behind for too long. And who is not waited for any more.
    pub(crate) fn review(
        &self,
        (log_start, log_end): (Offset, Offset),
        now: Monotonic,
        lag_time_max: Duration,
        is_eligible: impl Fn(BrokerId, i64) -> bool,
    ) -> Vec<BrokerId> {
        self.with_isr(|isr| {
            isr.unsettle_behind(log_start, log_end);
            isr.refresh_joining(log_end, now, lag_time_max, is_eligible);
            isr.propose_shrinking(log_end, now, lag_time_max)
        })
        .unwrap_or_default()
    }

    /// The controller applied a proposal; false when that is no news.
    pub(crate) fn commit_isr(&self, proposal: &Proposal, partition_epoch: i32, members: &[BrokerId]) -> bool {
        self.with_isr(|isr| isr.commit(proposal, partition_epoch, members)).unwrap_or(false)
    }

    /// What the controller is to be asked for.
    pub(crate) fn proposal(&self) -> Option<Proposal> {
        self.isr.lock().as_ref()?.pending().cloned()
    }

    /// The only replica has committed what it appended up to `end`. False where others replicate:
    /// `advance` then decides.
    #[inline]
    pub(crate) fn advance_alone(&self, end: Offset) -> bool {
        let is_alone = self.is_only_replica();
        if is_alone {
            self.high_watermark.fetch_max(end.0, Ordering::AcqRel);
        }
        is_alone
    }

    /// Moves the high watermark to where the in-sync replicas are; true when it moved. `log_range` is
    /// where the log starts and ends, read while no other thread moves the high watermark.
    pub(crate) fn advance(&self, log_range: impl FnOnce() -> (Offset, Offset), min_isr: i32) -> bool {
        let mut isr = self.isr.lock();
        let current = self.high_watermark();
        let (log_start, log_end) = log_range();
        if self.is_ended() {
            // The log may be another leader's already, and shorter.
            return false;
        }
        let next = match &*isr {
            Some(isr) => isr.high_watermark(current, log_end, min_isr),
            None => current.max(log_end),
        };
        let bounds = Bounds { log_start, high_watermark: next, log_end }.checked();
        self.high_watermark.fetch_max(bounds.high_watermark.0, Ordering::AcqRel);
        match &mut *isr {
            Some(isr) if next > current => isr.unsettle(),
            Some(isr) => isr.unsettle_behind(log_start, log_end),
            None => {}
        }
        next > current
    }
}

fn count(replicas: usize) -> u16 {
    u16::try_from(replicas).unwrap_or(u16::MAX)
}

/// What a follower's fetch has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Fetched {
    /// The follower is proposed as in sync.
    pub is_proposed: bool,
    pub is_log_start_new: bool,
}

/// A replica that copies from a leader elsewhere, or waits for one.
#[derive(Debug)]
pub struct Follower {
    epoch: LeaderEpoch,
    leader: Option<BrokerId>,
    /// −1 while nothing is known.
    high_watermark: AtomicI64,
}

impl Follower {
    fn new(epoch: LeaderEpoch, leader: Option<BrokerId>) -> Follower {
        Follower { epoch, leader, high_watermark: AtomicI64::new(Offset::NONE.0) }
    }

    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    pub fn leader(&self) -> Option<BrokerId> {
        self.leader
    }

    /// −1 while nothing is known.
    pub fn high_watermark(&self) -> Offset {
        Offset(self.high_watermark.load(Ordering::Acquire))
    }

    pub(crate) fn set_high_watermark(&self, offset: Offset) {
        self.high_watermark.store(offset.0, Ordering::Release);
    }
}

/// Why a broker serves nothing of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OfflineReason {
    /// The topic was deleted.
    Deleted,
    /// The replica was moved to another broker.
    Moved,
    /// The log directory failed.
    Storage,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offline {
    pub epoch: LeaderEpoch,
    pub reason: OfflineReason,
}
