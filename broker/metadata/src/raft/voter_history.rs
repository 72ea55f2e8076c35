//! Which voters count, from which record of the log on.
//! Core.
//!
//! Invariants:
//! - I1. The last set in the log counts, committed or not, as in Kafka (KIP-853) and in Raft's own rule for changes of one
//!   server. A set that is cut from the log counts no more, and the one before it does again.
//! - I2. A set differs from the one before it by one voter (`VoterSet::is_one_step_to`), and is written when the one before
//!   is committed and the writer has committed a record of its own epoch: then each two majorities that decide something
//!   meet.

use std::sync::Arc;

use bytes::Bytes;
use ottla_model::{LeaderEpoch, Offset};
use ottla_protocol::codec::{Decode, Encode};
use ottla_protocol::records::control::VotersRecord;
use ottla_records::BatchView;

use super::log_store::StoredBatch;
use crate::batch::{Entry, decode_batch};
use crate::snapshot::SnapshotId;
use crate::voter_set::VoterSet;

/// A set that counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Voters {
    pub set: Arc<VoterSet>,
    /// Whether the log says it (kraft.version 1). Else the configuration does, and directories are remembered as they are
    /// heard of.
    pub is_dynamic: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Change {
    /// Of the record.
    pub offset: Offset,
    pub epoch: LeaderEpoch,
    pub voters: Voters,
}

pub(crate) struct VoterHistory {
    /// What counts where no record says anything.
    configured: Voters,
    base: Voters,
    /// In the order of the log, all behind the base.
    changes: Vec<Change>,
}

impl VoterHistory {
    /// `logged`: the set of the snapshot with which the log begins. `joins`: this node joins a quorum whose log says who
    /// votes, and has not read it yet.
    pub fn new(configured: VoterSet, joins: bool, logged: Option<Arc<VoterSet>>) -> VoterHistory {
        let configured = Voters { set: Arc::new(configured), is_dynamic: joins };
        let logged = logged.map(|set| Voters { set, is_dynamic: true });
        let base = logged.unwrap_or_else(|| configured.clone());
        VoterHistory { configured, base, changes: Vec::new() }
    }

    pub fn latest(&self) -> &Voters {
        self.changes.last().map_or(&self.base, |change| &change.voters)
    }

    /// Where the latest set stands, if that is behind the base.
    pub fn last_change(&self) -> Option<&Change> {
        self.changes.last()
    }

    /// The set that a snapshot up to `end` has.
    pub fn at(&self, end: Offset) -> &Voters {
        let before = self.changes.iter().rev().find(|change| change.offset < end);
        before.map_or(&self.base, |change| &change.voters)
    }

    /// A record was appended. One that is known is passed over.
    pub fn append(&mut self, change: Change) {
        if self.changes.last().is_none_or(|last| last.offset < change.offset) {
            self.changes.push(change);
        }
    }

    /// Drops the changes that are not in the log any more. `stands` says whether its record is.
    pub fn cut(&mut self, stands: impl Fn(&Change) -> bool) {
        while self.changes.last().is_some_and(|last| !stands(last)) {
            self.changes.pop();
        }
    }

    /// What is before a snapshot is not asked for any more.
    pub fn compact(&mut self, snapshot: SnapshotId) {
        let covered = self.changes.partition_point(|change| change.offset < snapshot.end_offset);
        if let Some(last) = self.changes.drain(..covered).next_back() {
            self.base = last.voters;
        }
    }

    /// A snapshot takes the place of the log.
    pub fn install(&mut self, voters: Voters) {
        self.base = voters;
        self.changes.clear();
    }

    /// What goes with the announcement of a snapshot: its set, or nothing at kraft.version 0.
    pub fn to_snapshot(&self, id: SnapshotId) -> Bytes {
        let voters = self.at(id.end_offset);
        match voters.is_dynamic {
            true => voters.set.to_record().encoded(0).expect("version 0 holds every field"),
            false => Bytes::new(),
        }
    }

    /// The same, read again.
    pub fn of_snapshot(&self, announced: &Bytes) -> Voters {
        if announced.is_empty() {
            return self.configured.clone();
        }
        match VotersRecord::decode(&mut announced.clone(), 0) {
            Ok(record) if !record.voters.is_empty() => {
                Voters { set: Arc::new(VoterSet::of_record(&record)), is_dynamic: true }
            }
            _unreadable => self.latest().clone(),
        }
    }
}

/// The set that a batch says, with the offset of its record.
pub(crate) fn change_of(batch: &StoredBatch) -> Option<Change> {
    let view = BatchView::first(&batch.bytes).ok()?;
    if !view.header().attributes.is_control() {
        return None;
    }
    let mut found = None;
    let mut on_entry = |entry: Entry, offset: Offset, epoch: LeaderEpoch| {
        if let Entry::Voters(record) = entry {
            found = Some((offset, epoch, VoterSet::of_record(&record)));
        }
    };
    // What can't be read stops whoever replays it when it is committed.
    decode_batch(&view, &mut on_entry).ok()?;
    let (offset, epoch, set) = found?;
    Some(Change { offset, epoch, voters: Voters { set: Arc::new(set), is_dynamic: true } })
}

#[cfg(test)]
mod tests {
    use ottla_model::BrokerId;

    use super::*;

    fn voters(ids: &[i32]) -> Voters {
        let ids: Vec<BrokerId> = ids.iter().copied().map(BrokerId).collect();
        Voters { set: Arc::new(VoterSet::of_ids(&ids)), is_dynamic: true }
    }

    fn change(offset: i64, ids: &[i32]) -> Change {
        Change { offset: Offset(offset), epoch: LeaderEpoch(1), voters: voters(ids) }
    }

    #[test]
    fn the_last_set_in_the_log_counts_and_the_one_before_it_when_it_is_cut() {
        let mut history = VoterHistory::new(VoterSet::of_ids(&[BrokerId(1)]), false, None);
        assert!(!history.latest().is_dynamic);
        history.append(change(5, &[1, 2]));
        history.append(change(9, &[1, 2, 3]));
        history.append(change(9, &[7]));
        assert_eq!(*history.latest(), voters(&[1, 2, 3]));
        assert_eq!(*history.at(Offset(9)), voters(&[1, 2]));
        assert_eq!(*history.at(Offset(10)), voters(&[1, 2, 3]));
        history.cut(|change| change.offset < Offset(9));
        assert_eq!(*history.latest(), voters(&[1, 2]));
        history.compact(SnapshotId { end_offset: Offset(6), epoch: LeaderEpoch(1) });
        assert_eq!(history.last_change(), None);
        assert_eq!(*history.at(Offset(3)), voters(&[1, 2]));
        history.install(voters(&[4]));
        assert_eq!(*history.latest(), voters(&[4]));
        let id = SnapshotId { end_offset: Offset(20), epoch: LeaderEpoch(1) };
        assert_eq!(history.of_snapshot(&history.to_snapshot(id)), voters(&[4]));
        assert!(!history.of_snapshot(&Bytes::new()).is_dynamic);
    }
}
