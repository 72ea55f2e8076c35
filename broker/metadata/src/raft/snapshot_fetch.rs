//! A follower that is too far behind fetches the leader's snapshot, part by part.
//! Core.

use ottla_model::BrokerId;

use super::wire::PeerMessage;
use crate::snapshot::SnapshotId;

/// Bytes of a part.
pub(crate) const PART_BYTES: usize = 512 << 10;
/// Ticks of silence after which a part is asked for again, and how often that is done.
const PATIENCE_TICKS: usize = 25;
const ATTEMPTS_MAX: usize = 4;

/// A snapshot on its way to this node.
pub(crate) struct SnapshotFetch {
    pub from: BrokerId,
    pub id: SnapshotId,
    /// What the quorum is told when the snapshot is on the device.
    pub message: PeerMessage,
    position: u64,
    /// A part that is being written.
    is_writing: bool,
    ticks: usize,
    attempts: usize,
}

impl SnapshotFetch {
    pub fn new(from: BrokerId, id: SnapshotId, message: PeerMessage) -> SnapshotFetch {
        SnapshotFetch { from, id, message, position: 0, is_writing: false, ticks: 0, attempts: 1 }
    }

    pub fn position(&self) -> u64 {
        self.position
    }

    /// True: this part is the next, and to be written.
    pub fn on_part(&mut self, from: BrokerId, id: SnapshotId, position: u64, bytes: usize) -> bool {
        let is_next =
            from == self.from && id == self.id && position == self.position && !self.is_writing && bytes > 0;
        if is_next {
            self.is_writing = true;
            self.position += bytes as u64;
            (self.ticks, self.attempts) = (0, 1);
        }
        is_next
    }

    /// The part is written; the next may be asked for.
    pub fn on_part_written(&mut self) {
        self.is_writing = false;
        self.ticks = 0;
    }

    /// `Ask`: the part at `position` is to be asked for again. `GiveUp`: the leader does not answer.
    pub fn tick(&mut self) -> FetchTick {
        if self.is_writing {
            return FetchTick::Wait;
        }
        self.ticks += 1;
        if self.ticks < PATIENCE_TICKS {
            return FetchTick::Wait;
        }
        self.ticks = 0;
        self.attempts += 1;
        if self.attempts > ATTEMPTS_MAX { FetchTick::GiveUp } else { FetchTick::Ask }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FetchTick {
    Wait,
    Ask,
    GiveUp,
}
