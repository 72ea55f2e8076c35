//! Which transactions a walk over a log has met: whose records are aborted, whose marker may go.
//! Core. (Kafka's `CleanedTransactionMetadata`.)

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ottla_model::{Offset, ProducerId};
use ottla_records::{BatchHeader, ControlRecordType};

use crate::txn_index::AbortedTxn;

#[derive(Default)]
pub struct CleanedTransactions {
    ongoing_committed: BTreeSet<ProducerId>,
    /// With whether a batch of it was met: then its marker stays.
    ongoing_aborted: BTreeMap<ProducerId, (AbortedTxn, bool)>,
    /// Not yet reached, by first offset.
    aborted: VecDeque<AbortedTxn>,
    /// Aborted transactions whose marker stays: what the new index is to say.
    retained: Vec<AbortedTxn>,
}

impl CleanedTransactions {
    /// `aborted`: all of the range that will be walked.
    pub fn new(mut aborted: Vec<AbortedTxn>) -> CleanedTransactions {
        aborted.sort_by_key(|txn| txn.first_offset);
        CleanedTransactions { aborted: aborted.into(), ..CleanedTransactions::default() }
    }

    fn reach(&mut self, offset: Offset) {
        while let Some(txn) = self.aborted.pop_front_if(|txn| txn.first_offset <= offset) {
            self.ongoing_aborted.entry(txn.producer_id).or_insert((txn, false));
        }
    }

    /// Whether the batch belongs to an aborted transaction.
    pub fn on_batch(&mut self, header: &BatchHeader) -> bool {
        self.reach(header.last_offset());
        if !header.attributes.is_transactional() {
            return false;
        }
        match self.ongoing_aborted.get_mut(&header.producer_id) {
            Some((_, is_met)) => {
                *is_met = true;
                true
            }
            None => {
                self.ongoing_committed.insert(header.producer_id);
                false
            }
        }
    }

    /// Whether nothing needs this control batch any more. `kind`: of its record, if it has one.
    pub fn on_control_batch(&mut self, header: &BatchHeader, kind: Option<ControlRecordType>) -> bool {
        self.reach(header.last_offset());
        match kind {
            Some(ControlRecordType::Abort) => match self.ongoing_aborted.remove(&header.producer_id) {
                Some((txn, true)) => {
                    self.retained.push(txn);
                    false
                }
                _ => true,
            },
            Some(ControlRecordType::Commit) => !self.ongoing_committed.remove(&header.producer_id),
            Some(_) => false,
            // Emptied before.
            None => true,
        }
    }

    /// The index entries of what was walked since the last call.
    pub fn take_retained(&mut self) -> Vec<AbortedTxn> {
        std::mem::take(&mut self.retained)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_model::{ProducerEpoch, Sequence};
    use ottla_records::{BatchBuilder, BatchView};

    fn batch(producer: i64, offset: i64) -> BatchHeader {
        let mut builder = BatchBuilder::new()
            .transactional()
            .producer(ProducerId(producer), ProducerEpoch(0), Sequence(0))
            .base_offset(Offset(offset));
        builder.append(1, Some(b"k"), Some(b"v"), &[]);
        *BatchView::first(&builder.build()).expect("a batch").header()
    }

    fn aborted(producer: i64, first: i64, last: i64) -> AbortedTxn {
        AbortedTxn {
            producer_id: ProducerId(producer),
            first_offset: Offset(first),
            last_offset: Offset(last),
            last_stable_offset: Offset(last + 1),
        }
    }

    #[test]
    fn an_abort_marker_stays_while_a_batch_of_its_transaction_is_met() {
        let mut transactions = CleanedTransactions::new(vec![aborted(1, 10, 12), aborted(1, 2, 4)]);
        assert!(!transactions.on_batch(&batch(2, 1)), "another's");
        assert!(transactions.on_batch(&batch(1, 2)));
        assert!(!transactions.on_control_batch(&batch(1, 4), Some(ControlRecordType::Abort)));
        assert_eq!(transactions.take_retained(), [aborted(1, 2, 4)]);
        assert!(!transactions.on_batch(&batch(1, 6)), "committed");
        assert!(!transactions.on_control_batch(&batch(1, 7), Some(ControlRecordType::Commit)));
        assert!(transactions.on_control_batch(&batch(1, 8), Some(ControlRecordType::Commit)), "of nothing");
        assert!(transactions.on_control_batch(&batch(1, 12), Some(ControlRecordType::Abort)), "of nothing");
        assert!(transactions.take_retained().is_empty());
        assert!(transactions.on_control_batch(&batch(1, 13), None), "emptied");
    }
}
