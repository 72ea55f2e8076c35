//! Which leader epoch starts at which offset (Kafka's `LeaderEpochFileCache`).
//! Core.

use ottla_model::{LeaderEpoch, Offset};

use crate::checkpoint::EpochEntry;

/// Entries in order of both epoch and start offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    entries: Vec<EpochEntry>,
}

impl LeaderEpochs {
    pub fn new(entries: Vec<EpochEntry>) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for entry in entries {
            epochs.assign(entry.epoch, entry.start_offset);
        }
        epochs
    }

    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    pub fn latest(&self) -> Option<EpochEntry> {
        self.entries.last().copied()
    }

    /// Whether `assign` would change nothing.
    #[inline]
    pub fn is_known(&self, epoch: LeaderEpoch, start_offset: Offset) -> bool {
        let is_latest = |latest: &EpochEntry| latest.epoch == epoch && start_offset >= latest.start_offset;
        epoch.0 < 0 || start_offset.0 < 0 || self.entries.last().is_some_and(is_latest)
    }

    /// Notes that `epoch` has records from `start_offset` on. Says whether anything changed.
    pub fn assign(&mut self, epoch: LeaderEpoch, start_offset: Offset) -> bool {
        if self.is_known(epoch, start_offset) {
            return false;
        }
        // What contradicts the new entry came from a leader whose records are gone.
        while self.entries.last().is_some_and(|last| last.epoch >= epoch || last.start_offset >= start_offset)
        {
            self.entries.pop();
        }
        let is_next = |last: &EpochEntry| last.epoch < epoch && last.start_offset < start_offset;
        assert!(self.entries.last().is_none_or(is_next), "leader epochs and their offsets never go back");
        self.entries.push(EpochEntry { epoch, start_offset });
        true
    }

    /// The largest epoch not above `epoch` and where its records end; `None` when unknown
    /// (`LeaderEpochFileCache.endOffsetFor`).
    pub fn end_offset_for(
        &self,
        epoch: LeaderEpoch,
        log_end_offset: Offset,
    ) -> Option<(LeaderEpoch, Offset)> {
        let latest = self.latest()?;
        if epoch == latest.epoch {
            return Some((epoch, log_end_offset));
        }
        let higher = self.entries.iter().position(|entry| entry.epoch > epoch)?;
        let end = self.entries[higher].start_offset;
        match higher.checked_sub(1) {
            Some(floor) => Some((self.entries[floor].epoch, end)),
            None => Some((epoch, end)),
        }
    }

    /// The epoch whose records cover `offset`.
    pub fn epoch_for(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.entries.iter().rev().find(|entry| entry.start_offset <= offset).map(|entry| entry.epoch)
    }

    /// Forgets epochs that start at `end` or later. Says whether anything changed.
    pub fn truncate_from_end(&mut self, end: Offset) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.start_offset < end);
        self.entries.len() != before
    }

    /// Forgets epochs that end before `start`; the one that covers it then starts there.
    pub fn truncate_from_start(&mut self, start: Offset) -> bool {
        let Some(covering) = self.entries.iter().rposition(|entry| entry.start_offset <= start) else {
            return false;
        };
        if covering == 0 && self.entries[0].start_offset == start {
            return false;
        }
        self.entries.drain(..covering);
        self.entries[0].start_offset = start;
        true
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
        LeaderEpochs::new(
            entries
                .iter()
                .map(|(epoch, start)| EpochEntry { epoch: LeaderEpoch(*epoch), start_offset: Offset(*start) })
                .collect(),
        )
    }

    #[test]
    fn ends_are_found_as_kafka_finds_them() {
        let cache = epochs(&[(2, 6), (3, 8), (5, 9)]);
        let end = Offset(20);
        assert_eq!(cache.end_offset_for(LeaderEpoch(5), end), Some((LeaderEpoch(5), end)));
        assert_eq!(cache.end_offset_for(LeaderEpoch(4), end), Some((LeaderEpoch(3), Offset(9))));
        assert_eq!(cache.end_offset_for(LeaderEpoch(2), end), Some((LeaderEpoch(2), Offset(8))));
        assert_eq!(cache.end_offset_for(LeaderEpoch(1), end), Some((LeaderEpoch(1), Offset(6))));
        assert_eq!(cache.end_offset_for(LeaderEpoch(6), end), None);
        assert_eq!(LeaderEpochs::default().end_offset_for(LeaderEpoch(0), end), None);
    }

    #[test]
    fn a_contradicting_entry_replaces_what_it_contradicts() {
        let mut cache = epochs(&[(1, 0), (2, 6), (3, 8)]);
        assert!(cache.assign(LeaderEpoch(4), Offset(7)));
        assert_eq!(cache, epochs(&[(1, 0), (2, 6), (4, 7)]));
        assert!(!cache.assign(LeaderEpoch(4), Offset(9)));
    }

    #[test]
    fn both_ends_can_be_cut() {
        let mut cache = epochs(&[(1, 0), (2, 6), (3, 8)]);
        assert!(cache.truncate_from_start(Offset(7)));
        assert_eq!(cache, epochs(&[(2, 7), (3, 8)]));
        assert!(cache.truncate_from_end(Offset(8)));
        assert_eq!(cache, epochs(&[(2, 7)]));
        assert_eq!(cache.epoch_for(Offset(9)), Some(LeaderEpoch(2)));
        assert_eq!(cache.epoch_for(Offset(6)), None);
    }
}
