//! The in-sync replicas of a partition as its leader knows them, and the change of them that is under way.
//! Core. A change is proposed to the controller (AlterPartition, KIP-497) and counts at once where that is the stricter
//! choice: `maximal` is what the high watermark waits for.
//!
//! Invariants:
//! - I1. One change is under way at most. It ends with the controller's answer or with newer facts.
//! - I2. Facts of an older partition epoch change nothing.
//! - I3. Who is proposed is proposed with the broker epoch of the fetch that made it eligible, and from the same look
//!   at it (KIP-903, KAFKA-15221).

use std::time::Duration;

use ottla_env::Monotonic;
use ottla_metadata::Replicas;
use ottla_model::{BrokerId, Offset};

use crate::high_watermark;
use crate::replica_progress::{FollowerFetch, ReplicaProgress};
use crate::session_news::Settled;

/// A set of in-sync replicas that the leader wants, as it is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// The partition epoch that it builds on.
    pub partition_epoch: i32,
    pub members: Vec<Member>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    pub id: BrokerId,
    /// -1: not known, or the leader's own.
    pub broker_epoch: i64,
}

/// What the controller says of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IsrFacts<'a> {
    pub partition_epoch: i32,
    pub replicas: &'a [BrokerId],
    pub members: &'a [BrokerId],
}

/// What the leader of several replicas keeps of them. A leader without followers keeps nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Isr {
    leader: BrokerId,
    partition_epoch: i32,
    replicas: Replicas,
    /// As the controller last said.
    committed: Replicas,
    followers: Vec<ReplicaProgress>,
    pending: Option<Proposal>,
}

impl Isr {
    pub fn new(leader: BrokerId, facts: IsrFacts<'_>, now: Monotonic) -> Isr {
        let mut isr = Isr {
            leader,
            partition_epoch: i32::MIN,
            replicas: Replicas::new(),
            committed: Replicas::new(),
            followers: Vec::new(),
            pending: None,
        };
        assert!(isr.set(facts, now), "these are the first facts");
        isr
    }

    /// The controller says who replicates and who is in sync. Who no longer replicates is forgotten. False when this
    /// is known, or older than what is known (I2).
    pub fn set(&mut self, facts: IsrFacts<'_>, now: Monotonic) -> bool {
        let IsrFacts { partition_epoch, replicas, members } = facts;
        assert!(replicas.contains(&self.leader), "a leader is one of its partition's replicas");
        if partition_epoch <= self.partition_epoch {
            return false;
        }
        self.unsettle();
        self.partition_epoch = partition_epoch;
        self.replicas = Replicas::from_slice(replicas);
        self.committed = Replicas::from_slice(members);
        self.pending = None;
        self.followers.retain(|follower| replicas.contains(&follower.id));
        self.forget_joining();
        for id in replicas.iter().filter(|id| **id != self.leader) {
            if !self.followers.iter().any(|follower| follower.id == *id) {
                let in_sync_since = members.contains(id).then_some(now);
                self.followers.push(ReplicaProgress::new(*id, in_sync_since));
            }
        }
        true
    }

    pub fn partition_epoch(&self) -> i32 {
        self.partition_epoch
    }

    pub fn is_replica(&self, id: BrokerId) -> bool {
        self.replicas.contains(&id)
    }

    /// Whether the controller counts it as in sync.
    pub fn is_member(&self, id: BrokerId) -> bool {
        self.committed.contains(&id)
    }

    /// In-sync replicas as the controller knows them, the leader among them.
    pub fn count(&self) -> usize {
        isr_count(self.leader, &self.committed)
    }

    /// In-sync replicas with those that are proposed: whatever becomes of that, no fewer have what is committed.
    pub fn maximal_count(&self) -> usize {
        self.count() + self.followers.iter().filter(|follower| self.is_proposed_anew(follower.id)).count()
    }

    pub fn replica_count(&self) -> usize {
        self.replicas.len()
    }

    pub fn follower(&self, id: BrokerId) -> Option<&ReplicaProgress> {
        self.followers.iter().find(|follower| follower.id == id)
    }

    /// Followers in sync that have a record at `offset`, or would have it next.
    pub fn in_sync_at(&self, offset: Offset) -> impl Iterator<Item = &ReplicaProgress> {
        self.followers.iter().filter(move |follower| {
            self.committed.contains(&follower.id)
                && follower.end().is_some_and(|end| end >= offset)
                && follower.log_start().is_some_and(|start| start <= offset)
        })
    }

    pub fn followers(&self) -> &[ReplicaProgress] {
        &self.followers
    }

    pub fn pending(&self) -> Option<&Proposal> {
        self.pending.as_ref()
    }

    /// A follower's log is one with the leader's up to the offset it fetches. False for a broker that is no replica. A
    /// follower that lost the end of its log reports less than before: what was committed stays so (`high_watermark`, I2).
    pub fn on_fetch(&mut self, fetch: &FollowerFetch) -> bool {
        match self.followers.iter_mut().find(|known| known.id == fetch.follower) {
            Some(known) => known.on_fetch(fetch),
            None => return false,
        }
        true
    }

    /// A follower in sync that has everything need not look here before something changes. False for one out of sync.
    pub fn settle(&mut self, id: BrokerId, settled: Settled) -> bool {
        let is_member = self.committed.contains(&id);
        match self.followers.iter_mut().find(|known| known.id == id && is_member) {
            Some(follower) => follower.settle(settled),
            None => return false,
        }
        true
    }

    /// All followers look again.
    pub fn unsettle(&mut self) {
        self.followers.iter_mut().for_each(ReplicaProgress::unsettle);
    }

    /// Those look again that lack something of a log that ends here, or have not heard where it starts.
    pub fn unsettle_behind(&mut self, log_start: Offset, log_end: Offset) {
        let is_behind = |one: &&mut ReplicaProgress| {
            one.is_settled()
                && (one.end() != Some(log_end) || one.log_start().is_some_and(|start| start < log_start))
        };
        self.followers.iter_mut().filter(is_behind).for_each(ReplicaProgress::unsettle);
    }

    /// One that does not fetch it in its session any more.
    pub fn unsettle_follower(&mut self, id: BrokerId) {
        self.followers.iter_mut().filter(|known| known.id == id).for_each(ReplicaProgress::unsettle);
    }

    /// Proposes a follower that has just fetched, if it is in sync now (`Partition.maybeExpandIsr`): it has all that is
    /// committed, and all that was there when the leader's epoch began, which earlier leaders may have committed. And
    /// what was deleted here is deleted there, or it would be back under that leader.
    pub fn propose_expansion(
        &mut self,
        fetch: &FollowerFetch,
        high_watermark: Offset,
        epoch_start: Offset,
    ) -> bool {
        let has_log_start = fetch.log_start.0 < 0 || fetch.log_start >= fetch.leader_start;
        let is_in_sync = fetch.end >= high_watermark && fetch.end >= epoch_start && has_log_start;
        let may_join = self.pending.is_none()
            && fetch.is_eligible
            && self.is_replica(fetch.follower)
            && !self.committed.contains(&fetch.follower);
        if !(is_in_sync && may_join) {
            return false;
        }
        let ids = self.committed.iter().copied().chain([fetch.follower]).collect();
        self.propose(ids);
        true
    }

    /// Proposes to go on without the followers that are behind for too long (`Partition.maybeShrinkIsr`).
    pub fn propose_shrinking(
        &mut self,
        leader_end: Offset,
        now: Monotonic,
        lag_time_max: Duration,
    ) -> Vec<BrokerId> {
        if self.pending.is_some() {
            return Vec::new();
        }
        let is_behind = |id: &BrokerId| {
            *id != self.leader
                && self
                    .follower(*id)
                    .is_none_or(|follower| !follower.is_caught_up(leader_end, now, lag_time_max))
        };
        let behind: Vec<BrokerId> = self.committed.iter().copied().filter(is_behind).collect();
        if !behind.is_empty() {
            let left = self.committed.iter().copied().filter(|id| !behind.contains(id));
            self.propose(left.collect());
        }
        behind
    }

    fn propose(&mut self, ids: Replicas) {
        assert!(self.pending.is_none(), "one change at a time");
        let epoch_of = |id| self.follower(id).and_then(ReplicaProgress::broker_epoch).unwrap_or(-1);
        let members = ids.iter().map(|id| Member { id: *id, broker_epoch: epoch_of(*id) }).collect();
        self.pending = Some(Proposal { partition_epoch: self.partition_epoch, members });
    }

    /// Who is out of sync is no longer waited for where it is behind, or gone (`is_eligible` by the image of now). Only a fetch
    /// has it waited for: one whose log directory failed lives, and does not come.
    pub fn refresh_joining(
        &mut self,
        leader_end: Offset,
        now: Monotonic,
        lag_time_max: Duration,
        is_eligible: impl Fn(BrokerId, i64) -> bool,
    ) {
        for follower in &mut self.followers {
            follower.is_joining &= follower.is_caught_up(leader_end, now, lag_time_max)
                && follower.broker_epoch().is_some_and(|epoch| is_eligible(follower.id, epoch));
        }
    }

    /// The controller did not apply the proposal, and said so: what was committed before still is.
    pub fn take_back(&mut self, proposal: &Proposal) {
        if self.pending.as_ref() == Some(proposal) {
            self.pending = None;
        }
    }

    /// The controller applied it. Also when nothing was to be changed, in which case the partition epoch stays.
    pub fn commit(&mut self, proposal: &Proposal, partition_epoch: i32, members: &[BrokerId]) -> bool {
        if self.pending.as_ref() != Some(proposal) || partition_epoch < self.partition_epoch {
            return false;
        }
        self.unsettle();
        self.partition_epoch = partition_epoch;
        self.committed = Replicas::from_slice(members);
        self.pending = None;
        self.forget_joining();
        true
    }

    /// Who left the in-sync replicas, or is not among them yet, is waited for from its next fetch on.
    fn forget_joining(&mut self) {
        let committed = &self.committed;
        for follower in self.followers.iter_mut().filter(|follower| !committed.contains(&follower.id)) {
            follower.is_joining = false;
        }
    }

    fn is_proposed_anew(&self, id: BrokerId) -> bool {
        !self.committed.contains(&id)
            && self
                .pending
                .as_ref()
                .is_some_and(|proposal| proposal.members.iter().any(|member| member.id == id))
    }

    /// The high watermark that follows. A member that was not heard of yet holds it where it is.
    pub fn high_watermark(&self, current: Offset, own_end: Offset, min_isr: i32) -> Offset {
        let is_waited_for = |follower: &&ReplicaProgress| {
            self.committed.contains(&follower.id) || follower.is_joining || self.is_proposed_anew(follower.id)
        };
        let followers = self.followers.iter().filter(is_waited_for);
        let ends = followers.map(|follower| follower.end().unwrap_or(Offset::ZERO));
        let is_under_min_isr = is_under_min(self.count(), min_isr, self.replica_count());
        high_watermark::of_leader(current, own_end, ends, is_under_min_isr)
    }
}

/// How many are in sync: the leader always is, whatever the list says.
pub fn isr_count(leader: BrokerId, members: &[BrokerId]) -> usize {
    members.len() + usize::from(!members.contains(&leader))
}

/// Whether fewer are in sync than `min.insync.replicas` asks for. It cannot ask for more replicas than
/// there are (`Partition.effectiveMinIsr`).
pub fn is_under_min(isr_count: usize, min_isr: i32, replica_count: usize) -> bool {
    isr_count < usize::try_from(min_isr).unwrap_or(0).min(replica_count)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: BrokerId = BrokerId(1);
    const B: BrokerId = BrokerId(2);
    const C: BrokerId = BrokerId(3);
    const LAG: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    fn facts<'a>(epoch: i32, replicas: &'a [BrokerId], members: &'a [BrokerId]) -> IsrFacts<'a> {
        IsrFacts { partition_epoch: epoch, replicas, members }
    }

    fn isr(replicas: &[BrokerId], members: &[BrokerId]) -> Isr {
        Isr::new(A, facts(0, replicas, members), at(0))
    }

    /// A fetch at second 1 of a leader whose log ends at 10.
    fn fetch(follower: BrokerId, end: i64) -> FollowerFetch {
        FollowerFetch {
            follower,
            broker_epoch: 70 + i64::from(follower.0),
            is_eligible: true,
            end: Offset(end),
            log_start: Offset(2),
            leader_start: Offset(2),
            leader_end: Offset(10),
            received: at(1),
            lag_time_max: LAG,
        }
    }

    fn hw(isr: &Isr, current: i64, min_isr: i32) -> i64 {
        isr.high_watermark(Offset(current), Offset(10), min_isr).0
    }

    fn expands(isr: &mut Isr, fetch: &FollowerFetch, high_watermark: i64, epoch_start: i64) -> bool {
        assert!(isr.on_fetch(fetch));
        isr.propose_expansion(fetch, Offset(high_watermark), Offset(epoch_start))
    }

    #[test]
    fn a_member_that_was_not_heard_of_holds_the_high_watermark() {
        let mut isr = isr(&[A, B, C], &[A, B, C]);
        assert!(isr.on_fetch(&fetch(B, 9)));
        assert_eq!(hw(&isr, 2, 1), 2);
        assert!(isr.on_fetch(&fetch(C, 5)));
        assert_eq!(hw(&isr, 2, 1), 5);
    }

    #[test]
    fn a_replica_out_of_sync_holds_nothing_back() {
        let mut isr = isr(&[A, B, C], &[A, B]);
        assert!(isr.on_fetch(&fetch(B, 9)));
        assert!(isr.on_fetch(&fetch(C, 1)));
        assert_eq!(hw(&isr, 0, 1), 9);
        assert!(isr.set(facts(1, &[A, B, C], &[A, B, C]), at(2)));
        assert_eq!(hw(&isr, 9, 1), 9);
    }

    #[test]
    fn who_is_no_replica_is_not_counted_and_forgotten() {
        let mut isr = isr(&[A, B], &[A, B]);
        assert!(!isr.on_fetch(&fetch(C, 1)));
        assert!(!isr.on_fetch(&fetch(A, 1)), "a leader is not its own follower");
        assert!(isr.on_fetch(&fetch(B, 4)));
        assert!(isr.set(facts(1, &[A, C], &[A]), at(2)));
        assert_eq!(isr.follower(B), None);
        assert_eq!(hw(&isr, 4, 1), 10);
    }

    #[test]
    fn under_its_minimum_nothing_more_is_committed() {
        let mut isr = isr(&[A, B, C], &[A]);
        assert_eq!(hw(&isr, 4, 2), 4);
        assert!(isr.set(facts(1, &[A, B, C], &[A, B]), at(2)));
        assert!(isr.on_fetch(&fetch(B, 7)));
        assert_eq!(hw(&isr, 4, 2), 7);
    }

    #[test]
    fn a_minimum_above_the_number_of_replicas_means_all_of_them() {
        assert!(!is_under_min(1, 2, 1) && is_under_min(1, 2, 3) && !is_under_min(2, 2, 3));
        assert_eq!(hw(&isr(&[A], &[A]), 4, 2), 10);
    }

    #[test]
    fn the_leader_counts_even_where_the_list_forgot_it() {
        assert_eq!(isr_count(A, &[B]), 2);
        assert_eq!(isr_count(A, &[A, B]), 2);
    }

    #[test]
    fn a_follower_joins_with_all_that_is_committed_and_all_the_epoch_began_with() {
        let mut isr = isr(&[A, B, C], &[A, B]);
        assert!(!expands(&mut isr, &fetch(C, 4), 5, 3));
        assert!(!expands(&mut isr, &fetch(C, 5), 5, 6), "an earlier leader may have committed up to 6");
        assert!(!expands(&mut isr, &FollowerFetch { is_eligible: false, ..fetch(C, 6) }, 5, 6));
        let undeleted = FollowerFetch { log_start: Offset(1), ..fetch(C, 6) };
        assert!(!expands(&mut isr, &undeleted, 5, 6), "it has records that are deleted here");
        assert!(!expands(&mut isr, &fetch(B, 6), 5, 6), "it is in sync");
        assert!(expands(&mut isr, &fetch(C, 6), 5, 6));
        let member = |id: BrokerId, broker_epoch| Member { id, broker_epoch };
        let members = vec![member(A, -1), member(B, 72), member(C, 73)];
        assert_eq!(isr.pending(), Some(&Proposal { partition_epoch: 0, members }));
        assert_eq!((isr.count(), isr.maximal_count()), (2, 3));
        assert!(!expands(&mut isr, &fetch(C, 7), 5, 6), "one change at a time");
    }

    #[test]
    fn the_high_watermark_waits_for_who_is_proposed_and_for_who_may_leave() {
        let mut isr = isr(&[A, B, C], &[A, B]);
        assert!(isr.on_fetch(&fetch(B, 10)));
        let stale = FollowerFetch { received: at(100), ..fetch(C, 6) };
        assert!(expands(&mut isr, &stale, 5, 0));
        assert_eq!(hw(&isr, 5, 1), 6, "C is proposed");
        let proposal = isr.pending().cloned().expect("under way");
        assert!(isr.commit(&proposal, 1, &[A, B, C]));
        assert_eq!((isr.partition_epoch(), isr.count(), hw(&isr, 5, 1)), (1, 3, 6));
        assert_eq!(isr.propose_shrinking(Offset(20), at(90), LAG), [B, C]);
        assert_eq!((hw(&isr, 6, 1), isr.maximal_count()), (6, 3), "C may be in sync still");
        let proposal = isr.pending().cloned().expect("under way");
        assert!(isr.commit(&proposal, 2, &[A]));
        assert_eq!(hw(&isr, 6, 1), 10);
    }

    #[test]
    fn who_is_behind_for_too_long_is_to_leave() {
        let mut isr = isr(&[A, B, C], &[A, B, C]);
        assert!(isr.on_fetch(&fetch(B, 10)));
        assert!(isr.on_fetch(&fetch(C, 3)));
        assert_eq!(isr.propose_shrinking(Offset(12), at(30), LAG), []);
        assert_eq!(isr.propose_shrinking(Offset(12), at(31), LAG), [C], "B had everything at second 1");
        assert_eq!(isr.propose_shrinking(Offset(12), at(99), LAG), [], "one change at a time");
        let proposal = isr.pending().cloned().expect("under way");
        isr.take_back(&proposal);
        assert_eq!(isr.propose_shrinking(Offset(12), at(32), LAG), [B, C]);
    }

    #[test]
    fn a_follower_that_has_everything_but_its_membership_is_waited_for_while_it_may_join() {
        let mut isr = isr(&[A, B, C], &[A]);
        assert!(isr.on_fetch(&fetch(B, 10)));
        assert!(isr.on_fetch(&fetch(C, 7)));
        assert_eq!(isr.high_watermark(Offset(6), Offset(14), 1), Offset(10));
        isr.refresh_joining(Offset(14), at(2), LAG, |id, epoch| (id, epoch) != (B, 72));
        assert_eq!(isr.high_watermark(Offset(6), Offset(14), 1), Offset(14), "B is fenced");
    }

    /// Its log directory failed: the controller takes it out, its broker lives, and it fetches no more.
    #[test]
    fn who_was_taken_out_and_lives_is_not_waited_for_before_it_fetches() {
        let mut isr = isr(&[A, B, C], &[A, B, C]);
        assert!(isr.on_fetch(&fetch(B, 10)));
        assert!(isr.on_fetch(&fetch(C, 14)));
        assert!(isr.set(facts(1, &[A, B, C], &[A, C]), at(2)));
        isr.refresh_joining(Offset(14), at(2), LAG, |_, _| true);
        assert_eq!(isr.high_watermark(Offset(6), Offset(14), 1), Offset(14));
        assert!(isr.on_fetch(&fetch(B, 10)));
        isr.refresh_joining(Offset(14), at(2), LAG, |_, _| true);
        assert_eq!(isr.high_watermark(Offset(6), Offset(14), 1), Offset(10), "it comes back");
    }

    #[test]
    fn who_has_left_is_not_waited_for() {
        let mut isr = isr(&[A, B, C], &[A, B, C]);
        assert!(isr.on_fetch(&fetch(B, 10)));
        assert!(isr.on_fetch(&fetch(C, 10)));
        assert_eq!(isr.high_watermark(Offset(6), Offset(14), 1), Offset(10));
        assert!(isr.set(facts(1, &[A, B, C], &[A]), at(2)));
        assert_eq!(isr.high_watermark(Offset(6), Offset(14), 1), Offset(14));
    }

    #[test]
    fn an_answer_to_another_proposal_and_older_facts_change_nothing() {
        let mut isr = isr(&[A, B], &[A]);
        assert!(expands(&mut isr, &fetch(B, 10), 0, 0));
        let old = isr.pending().cloned().expect("under way");
        assert!(isr.set(facts(5, &[A, B], &[A]), at(2)));
        assert_eq!(isr.pending(), None, "newer facts end it");
        assert!(!isr.commit(&old, 6, &[A, B]) && isr.count() == 1);
        assert!(expands(&mut isr, &fetch(B, 10), 0, 0));
        let new = isr.pending().cloned().expect("under way");
        isr.take_back(&old);
        assert!(!isr.commit(&new, 4, &[A, B]), "older than what is known");
        assert!(!isr.set(facts(5, &[A, B], &[A]), at(3)) && isr.pending() == Some(&new));
        assert!(isr.commit(&new, 6, &[A, B]));
        assert!(!isr.set(facts(6, &[A, B], &[A]), at(3)) && isr.count() == 2);
    }
}
