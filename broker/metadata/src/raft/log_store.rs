//! The metadata log as the quorum reads it: batches by offset, also those that are not in a file yet.
//! Shell: it reads the log's files; what it holds was handed to the writer (`writer.rs`) as well.
//!
//! Invariants:
//! - I1. Whole batches alone are held, appended and cut. An offset is in a batch or behind the end.
//! - I2. What is behind the newest snapshot at the last start is here, in a file or in memory.
//! - I3. A batch leaves memory only when the writer has it in the file.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use ottla_log::{ReadLimits, UnifiedLog};
use ottla_model::{LeaderEpoch, Offset};
use ottla_records::{BatchView, batches};

use crate::snapshot::SnapshotId;

/// Batches kept in memory for followers that are not far behind.
const RECENT_BYTES_MAX: usize = 4 << 20;

/// A batch as it stands in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct StoredBatch {
    pub base: Offset,
    /// The offset behind its last record.
    pub next: Offset,
    pub epoch: LeaderEpoch,
    pub bytes: Bytes,
}

impl StoredBatch {
    /// The batch that these bytes are; `None` where they are not one whole batch.
    pub fn parse(bytes: Bytes) -> Option<StoredBatch> {
        let view = BatchView::first(&bytes).ok()?;
        let header = view.header();
        let records = header.next_offset() - header.base_offset;
        // A record has bytes of its own.
        if view.bytes().len() != bytes.len() || records <= 0 || records > bytes.len() as i64 {
            return None;
        }
        let (base, next, epoch) = (header.base_offset, header.next_offset(), header.leader_epoch);
        Some(StoredBatch { base, next, epoch, bytes })
    }

    /// The batches that stand in these bytes one after the other, each with its checksum looked at.
    pub fn parse_all(bytes: &Bytes) -> Option<Vec<StoredBatch>> {
        let (mut found, mut at) = (Vec::new(), 0);
        for view in batches(bytes) {
            let view = view.ok()?;
            view.verify_checksum().ok()?;
            let end = at + view.bytes().len();
            found.push(StoredBatch::parse(bytes.slice(at..end))?);
            at = end;
        }
        (at == bytes.len()).then_some(found)
    }
}

struct Recent {
    batch: StoredBatch,
    /// The write that brings it to the file.
    write: u64,
}

pub(crate) struct LogStore {
    log: Arc<UnifiedLog>,
    /// What is before its end is not here.
    snapshot: SnapshotId,
    end: Offset,
    /// Where each epoch behind the snapshot begins.
    epochs: Vec<(Offset, LeaderEpoch)>,
    recent: VecDeque<Recent>,
    recent_bytes: usize,
    /// The last write whose batches are in the file.
    written: u64,
}

impl LogStore {
    /// `epochs`: where each epoch of the log behind the snapshot begins.
    pub fn new(
        log: Arc<UnifiedLog>,
        snapshot: SnapshotId,
        end: Offset,
        epochs: Vec<(Offset, LeaderEpoch)>,
    ) -> LogStore {
        assert!(end >= snapshot.end_offset, "a log goes on behind its snapshot");
        assert!(epochs.is_empty() == (end == snapshot.end_offset), "each record has an epoch");
        LogStore { log, snapshot, end, epochs, recent: VecDeque::new(), recent_bytes: 0, written: 0 }
    }

    pub fn snapshot(&self) -> SnapshotId {
        self.snapshot
    }

    /// The offset that the next record gets.
    pub fn end(&self) -> Offset {
        self.end
    }

    pub fn last_epoch(&self) -> LeaderEpoch {
        self.epochs.last().map_or(self.snapshot.epoch, |(_, epoch)| *epoch)
    }

    /// The epoch of the record before `end`; `None` outside of what is here.
    pub fn epoch_before(&self, end: Offset) -> Option<LeaderEpoch> {
        if end == self.snapshot.end_offset {
            return Some(self.snapshot.epoch);
        }
        if end < self.snapshot.end_offset || end > self.end {
            return None;
        }
        let after = self.epochs.partition_point(|(start, _)| *start < end);
        Some(self.epochs[after - 1].1)
    }

    /// Takes batches that the write `write` brings to the file; those that stand in their place are cut.
    pub fn append(&mut self, batches: &[StoredBatch], write: u64) {
        for batch in batches {
            self.cut(batch.base);
            assert!(batch.base == self.end && batch.next > batch.base, "offsets are contiguous");
            assert!(batch.epoch >= self.last_epoch(), "leader epochs never go back");
            if self.last_epoch() < batch.epoch || self.epochs.is_empty() {
                self.epochs.push((batch.base, batch.epoch));
            }
            self.end = batch.next;
            self.recent_bytes += batch.bytes.len();
            self.recent.push_back(Recent { batch: batch.clone(), write });
        }
        self.trim();
    }

    fn cut(&mut self, to: Offset) {
        if to >= self.end {
            return;
        }
        assert!(to >= self.snapshot.end_offset, "what a snapshot holds is committed");
        while let Some(last) = self.recent.back()
            && last.batch.base >= to
        {
            self.recent_bytes -= last.batch.bytes.len();
            self.recent.pop_back();
        }
        assert!(self.recent.back().is_none_or(|last| last.batch.next == to), "a batch is cut whole");
        self.epochs.retain(|(start, _)| *start < to);
        self.end = to;
    }

    pub fn on_written(&mut self, write: u64) {
        self.written = self.written.max(write);
        self.trim();
    }

    fn trim(&mut self) {
        while self.recent_bytes > RECENT_BYTES_MAX
            && let Some(first) = self.recent.front()
            && first.write <= self.written
        {
            self.recent_bytes -= first.batch.bytes.len();
            self.recent.pop_front();
        }
    }

    /// A snapshot takes the place of all that is here.
    pub fn install(&mut self, snapshot: SnapshotId) {
        self.snapshot = snapshot;
        self.end = snapshot.end_offset;
        self.epochs.clear();
        self.recent.clear();
        self.recent_bytes = 0;
    }

    /// What is before a snapshot of this node's is not read any more.
    pub fn compact(&mut self, snapshot: SnapshotId) {
        if snapshot.end_offset <= self.snapshot.end_offset {
            return;
        }
        assert!(snapshot.end_offset <= self.end, "a snapshot holds what was in the log");
        let covering = self.epochs.partition_point(|(start, _)| *start <= snapshot.end_offset);
        self.epochs.drain(..covering.saturating_sub(1));
        if snapshot.end_offset == self.end {
            self.epochs.clear();
        } else if let Some(first) = self.epochs.first_mut() {
            first.0 = first.0.max(snapshot.end_offset);
        }
        while let Some(first) = self.recent.front()
            && first.batch.next <= snapshot.end_offset
            && first.write <= self.written
        {
            self.recent_bytes -= first.batch.bytes.len();
            self.recent.pop_front();
        }
        self.snapshot = snapshot;
    }

    /// The batches from the one that holds `from` on, up to about `bytes_max`, one at least.
    pub fn read(&self, from: Offset, to: Offset, bytes_max: usize) -> Result<Vec<StoredBatch>, String> {
        assert!(self.snapshot.end_offset <= from && from < to && to <= self.end, "reads what is here");
        let in_memory = self.recent.front().map_or(self.end, |first| first.batch.base);
        if from < in_memory {
            let limits = ReadLimits { max_bytes: bytes_max, bound: to.min(in_memory), min_one_batch: true };
            let slice = self.log.read(from, limits).map_err(|error| error.to_string())?;
            let bytes = slice.read_bytes().map_err(|error| error.to_string())?;
            return StoredBatch::parse_all(&bytes)
                .filter(|found| !found.is_empty())
                .ok_or_else(|| format!("no whole batch at offset {from}"));
        }
        let first = self.recent.partition_point(|recent| recent.batch.next <= from);
        let (mut found, mut bytes) = (Vec::new(), 0);
        for Recent { batch, .. } in self.recent.range(first..) {
            if batch.base >= to || (bytes > 0 && bytes + batch.bytes.len() > bytes_max) {
                break;
            }
            bytes += batch.bytes.len();
            found.push(batch.clone());
        }
        Ok(found)
    }
}
