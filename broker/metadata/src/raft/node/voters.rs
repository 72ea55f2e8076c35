//! Who votes, as the library is told of it: the last set of the log, and who is sent the log without a vote.
//! Core. A part of `node`.

use super::*;

impl RaftNode {
    /// What those have that are sent this leader's log without a vote.
    pub fn observed(&self) -> Vec<VoterProgress> {
        let of = |id: &BrokerId| {
            let matched = self.raw.raft.prs().get(raft_id(*id)).map_or(0, |progress| progress.matched);
            VoterProgress { id: *id, end: end_of(matched) }
        };
        self.observers.iter().map(of).collect()
    }

    /// Sends this leader's log to a node without a vote. It counts for nothing.
    pub fn add_observer(&mut self, id: BrokerId) {
        if self.leads() && id != self.me && !self.voters.contains(&id) && self.observers.insert(id) {
            self.reconfigure(ConfChangeType::AddLearnerNode, id);
        }
    }

    pub fn remove_observer(&mut self, id: BrokerId) {
        if self.observers.remove(&id) {
            self.reconfigure(ConfChangeType::RemoveNode, id);
        }
    }

    pub(super) fn reconfigure(&mut self, change_type: ConfChangeType, id: BrokerId) {
        let change = ConfChange { change_type, node_id: raft_id(id), ..ConfChange::default() };
        let conf_state = self.raw.apply_conf_change(&change).expect("one node comes or goes");
        self.raw.mut_store().conf_state = conf_state;
    }

    /// Makes the library count those who count by the log.
    pub(super) fn follow_voters(&mut self) {
        let log = &self.raw.raft.raft_log;
        let covered = self.raw.store().log.snapshot().end_offset;
        self.history.cut(|change| change.offset < covered || stands(log, change));
        let wanted = counted(self.me, self.directory_id, self.history.latest());
        if wanted != self.voters {
            let before = std::mem::replace(&mut self.voters, wanted);
            for id in self.voters.clone() {
                if !before.contains(&id) {
                    self.observers.remove(&id);
                    self.reconfigure(ConfChangeType::AddNode, id);
                }
            }
            for id in before.into_iter().filter(|id| !self.voters.contains(id)).collect::<Vec<_>>() {
                // Who leads goes on sending to whom it has removed, so that this is heard there.
                let is_kept = id == self.me || self.leads();
                if id != self.me && is_kept {
                    self.observers.insert(id);
                }
                let change_type =
                    if is_kept { ConfChangeType::AddLearnerNode } else { ConfChangeType::RemoveNode };
                self.reconfigure(change_type, id);
            }
        }
        if !self.leads() {
            for id in std::mem::take(&mut self.observers) {
                self.reconfigure(ConfChangeType::RemoveNode, id);
            }
        }
    }

    /// A snapshot took the place of the log, if it is the one that the library now waits for.
    pub(super) fn take_voters_of(&mut self, id: SnapshotId, voters: Voters) {
        let pending = self.raw.raft.raft_log.unstable.snapshot.as_ref();
        if pending.is_some_and(|snapshot| snapshot.get_metadata().index == index(id.end_offset)) {
            self.voters = counted(self.me, self.directory_id, &voters);
            self.raw.mut_store().conf_state = conf_state_of(self.me, &self.voters);
            self.observers.clear();
            self.history.install(voters);
        }
    }

    pub(super) fn take_changes(&mut self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let log = &self.raw.raft.raft_log;
        let covered = self.raw.store().log.snapshot().end_offset;
        self.history.cut(|change| change.offset < covered || stands(log, change));
        for change in changes.into_iter().filter(|change| change.offset >= covered) {
            if stands(log, &change) {
                self.history.append(change);
            }
        }
    }

    /// I2 of `voter_history`.
    pub(super) fn check_change(&self, change: &Change) {
        let (now, next) = (self.history.latest(), &change.voters.set);
        let is_step = match now.is_dynamic {
            true => now.set.is_one_step_to(next),
            false => now.set.ids().eq(next.ids()),
        };
        assert!(is_step && !next.is_empty(), "one voter comes or goes: {:?} to {next:?}", now.set);
        let committed = self.committed();
        assert!(
            self.history.last_change().is_none_or(|last| last.offset < committed),
            "one set after the other"
        );
        let of_epoch = self.raw.raft.raft_log.term(index(committed));
        assert!(of_epoch.is_ok_and(|term| term == self.raw.raft.term), "the leader's own epoch is committed");
    }
}

/// Whether a change is in the log.
fn stands(log: &RaftLog<StoreView>, change: &Change) -> bool {
    log.term(index(change.offset) + 1).is_ok_and(|found| found == term(change.epoch))
}

/// The voters of a set as this node's library counts them. Another directory under this node's id is another voter, which
/// has no place beside this node; so it is left out, and this node does not stand.
pub(super) fn counted(me: BrokerId, directory_id: Uuid, voters: &Voters) -> Vec<BrokerId> {
    let is_other =
        |voter: &VoterNode| voters.is_dynamic && voter.id == me && voter.directory_id != directory_id;
    let ids: Vec<BrokerId> =
        voters.set.iter().filter(|voter| !is_other(voter)).map(|voter| voter.id).collect();
    // The library knows no empty set.
    if ids.is_empty() { vec![NOBODY] } else { ids }
}

pub(super) fn conf_state_of(me: BrokerId, voters: &[BrokerId]) -> ConfState {
    let learners = if voters.contains(&me) { Vec::new() } else { vec![raft_id(me)] };
    ConfState { voters: voters.iter().copied().map(raft_id).collect(), learners, ..ConfState::default() }
}
