//! Takes records of aborted transactions out of what was acquired: read_committed does not see them.
//! Core.

use std::collections::HashSet;

use super::acquire::{Acquired, AcquiredRange, FetchedBatch};
use super::in_flight::RecordState;
use super::partition::SharePartition;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbortedTransaction {
    pub producer_id: i64,
    pub first_offset: i64,
}

pub(super) fn filter(
    partition: &mut SharePartition,
    batches: &[FetchedBatch],
    acquired: Acquired,
    aborted: &[AbortedTransaction],
) -> Acquired {
    if aborted.is_empty() || acquired.ranges.is_empty() {
        return acquired;
    }
    let aborted = aborted_batches(batches, aborted);
    for batch in &aborted {
        let from =
            partition.batches.range(..=batch.base_offset).next_back().map_or(batch.base_offset, |e| *e.0);
        let keys: Vec<i64> = partition.batches.range(from..=batch.last_offset).map(|(key, _)| *key).collect();
        partition.archive(&keys, batch.base_offset, batch.last_offset, RecordState::Acquired, true);
    }
    let ranges = without(acquired.ranges, &aborted);
    let count = ranges.iter().map(|range| range.last_offset - range.first_offset + 1).sum();
    Acquired { ranges, count }
}

/// The batches that belong to aborted transactions.
fn aborted_batches(batches: &[FetchedBatch], aborted: &[AbortedTransaction]) -> Vec<FetchedBatch> {
    let mut aborted = aborted.to_vec();
    aborted.sort_by_key(|transaction| transaction.first_offset);
    let mut waiting = aborted.into_iter().peekable();
    let mut producers = HashSet::new();
    let mut found = Vec::new();
    for batch in batches.iter().filter(|batch| batch.producer_id >= 0) {
        while let Some(begun) = waiting.next_if(|begun| begun.first_offset <= batch.last_offset) {
            producers.insert(begun.producer_id);
        }
        if batch.is_abort_marker {
            producers.remove(&batch.producer_id);
        } else if batch.is_transactional && producers.contains(&batch.producer_id) {
            found.push(*batch);
        }
    }
    found
}

/// The ranges without the batches; both are in order.
fn without(ranges: Vec<AcquiredRange>, batches: &[FetchedBatch]) -> Vec<AcquiredRange> {
    let mut left = Vec::with_capacity(ranges.len());
    for range in ranges {
        let mut first_offset = range.first_offset;
        let overlapping = batches.iter().filter(|batch| {
            batch.base_offset <= range.last_offset && batch.last_offset >= range.first_offset
        });
        for batch in overlapping {
            if first_offset < batch.base_offset {
                left.push(AcquiredRange { first_offset, last_offset: batch.base_offset - 1, ..range });
            }
            first_offset = batch.last_offset + 1;
        }
        if first_offset <= range.last_offset {
            left.push(AcquiredRange { first_offset, ..range });
        }
    }
    left
}
