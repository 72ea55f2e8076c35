//! What of a log is written and not yet on the device.
//! Core.
//!
//! A flush takes a plan under the writer's lock, syncs without it, and says what it has done. Names
//! and the topic's id count as synced from the plan on: one flush of a log runs at a time, and one
//! that fails takes the directory offline.

use std::ops::Range;
use std::sync::Arc;

use ottla_env::Monotonic;
use ottla_model::Offset;

use crate::active_segment::ActiveSegment;
use crate::segment::Segment;

/// Bytes of one log that wait in the page cache before the device is given some. A sync of many at
/// once would hold up appends (the file system's journal waits for it).
const WRITE_OUT_BYTES: u64 = 4 << 20;
const PAGE_BYTES: u64 = 64 << 10;

#[derive(Default)]
pub(crate) struct FlushState {
    /// Rolled segments with bytes that may not be on the device.
    rolled: Vec<Arc<Segment>>,
    /// Segments whose transaction index may not be on the device.
    txn_indexes: Vec<Offset>,
    /// Bytes of the active segment that are on the device.
    active_synced_bytes: u64,
    /// Up to here the active segment's bytes were given to the device, which may not have them yet.
    active_given_bytes: u64,
    /// New names in the folder (and the folder's own) that may not be on the device.
    are_names_unsynced: bool,
    /// The folder's own number in its directory, see `LogDir::note_folder`. 1: found at the start.
    folder_number: u64,
    /// The file with the topic's id may not be on the device.
    is_topic_id_unsynced: bool,
    bytes: u64,
    records: i64,
    /// When the oldest unflushed byte was written.
    since: Monotonic,
}

/// What one flush syncs, and what it proves when done.
pub(crate) struct FlushPlan {
    /// The log's end when the plan was made.
    pub end: Offset,
    pub rolled: Vec<Arc<Segment>>,
    pub txn_indexes: Vec<Offset>,
    /// The active segment and its bytes then.
    pub active: Option<(Arc<Segment>, u64)>,
    pub names: bool,
    pub topic_id: bool,
    pub folder_number: u64,
    records: i64,
    bytes: u64,
}

impl FlushPlan {
    pub fn is_empty(&self) -> bool {
        self.rolled.is_empty() && self.active.is_none() && !self.names && !self.topic_id
    }
}

impl FlushState {
    #[inline]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    #[inline]
    pub fn records(&self) -> i64 {
        self.records
    }

    pub fn since(&self) -> Monotonic {
        self.since
    }

    pub fn is_topic_id_unsynced(&self) -> bool {
        self.is_topic_id_unsynced
    }

    #[inline]
    pub fn note_written(&mut self, bytes: u64, records: i64, now: impl FnOnce() -> Monotonic) {
        if self.bytes == 0 {
            self.since = now();
        }
        self.bytes += bytes;
        self.records += records;
    }

    /// Whether so much of the active segment waits in the page cache that the device is given some.
    #[inline]
    pub fn is_write_out_due(&self, active_bytes: u64) -> bool {
        active_bytes >= self.active_given_bytes.max(self.active_synced_bytes) + WRITE_OUT_BYTES
    }

    /// What is given to the device now: whole pages that nothing more is appended to.
    pub fn take_write_out(&mut self, active_bytes: u64) -> Range<u64> {
        let from = self.active_given_bytes.max(self.active_synced_bytes);
        let to = active_bytes - active_bytes % PAGE_BYTES;
        assert!(from <= to, "a write-out of {from}..{to}");
        self.active_given_bytes = to;
        from..to
    }

    /// The partition's folder was made.
    pub fn note_folder(&mut self, number: u64) {
        self.folder_number = number;
        self.are_names_unsynced = true;
    }

    pub fn note_topic_id(&mut self) {
        self.is_topic_id_unsynced = true;
    }

    pub fn note_txn_index(&mut self, base: Offset) {
        if !self.txn_indexes.contains(&base) {
            self.txn_indexes.push(base);
            // The file may be new.
            self.are_names_unsynced = true;
        }
    }

    /// A new segment is active. `old` is the one before it, unless that made way.
    pub fn note_roll(&mut self, old: Option<Arc<Segment>>) {
        if let Some(old) = old
            && old.size_bytes() > self.active_synced_bytes
        {
            self.rolled.push(old);
        }
        self.active_synced_bytes = 0;
        self.active_given_bytes = 0;
        self.are_names_unsynced = true;
    }

    /// A start found the folder. Names, too, may be only in the cache.
    pub fn note_found(&mut self, was_clean: bool, now: Monotonic) {
        self.are_names_unsynced = !was_clean;
        self.folder_number = 1;
        self.since = now;
    }

    /// A start found entries of a transaction index that may be only in the cache.
    pub fn note_found_txn_index(&mut self, base: Offset) {
        self.txn_indexes.push(base);
    }

    /// A start went through a segment. Bytes from `synced` to `end` may be only in the page cache.
    pub fn note_scanned(&mut self, segment: &Arc<Segment>, synced: u64, end: u64) {
        assert!(synced <= end, "a scan from {synced} can't end at {end}");
        self.active_synced_bytes = synced;
        self.active_given_bytes = synced;
        if end > synced {
            self.bytes += end - synced;
            self.rolled.push(segment.clone());
        }
    }

    /// Which of the found segments is the active one: it counts by its bytes.
    pub fn set_found_active(&mut self, active: &Arc<Segment>) {
        self.rolled.retain(|segment| !Arc::ptr_eq(segment, active));
    }

    /// These segments are the log's no longer, or are on the device.
    pub fn forget(&mut self, is_gone: impl Fn(&Arc<Segment>) -> bool) {
        self.rolled.retain(|segment| !is_gone(segment));
    }

    /// The log was cut, and what is left is on the device but for rolled segments of before.
    pub fn note_truncated(&mut self, active_bytes: u64) {
        self.active_synced_bytes = active_bytes;
        self.active_given_bytes = active_bytes;
        self.bytes = 0;
        self.records = 0;
    }

    /// The log moved to another folder, in which everything is on the device.
    pub fn note_moved(&mut self, active_bytes: u64) {
        self.rolled.clear();
        self.txn_indexes.clear();
        self.are_names_unsynced = false;
        self.is_topic_id_unsynced = false;
        self.folder_number = 1;
        self.note_truncated(active_bytes);
    }

    pub fn plan(&mut self, active: &ActiveSegment, end: Offset) -> FlushPlan {
        let active = active.segment().and_then(|active| {
            let size = active.size_bytes();
            (size > self.active_synced_bytes).then(|| (active.clone(), size))
        });
        FlushPlan {
            end,
            rolled: self.rolled.clone(),
            txn_indexes: std::mem::take(&mut self.txn_indexes),
            active,
            names: std::mem::take(&mut self.are_names_unsynced),
            topic_id: std::mem::take(&mut self.is_topic_id_unsynced),
            folder_number: self.folder_number,
            records: self.records,
            bytes: self.bytes,
        }
    }

    /// What the plan said is on the device. The log was not cut meanwhile.
    pub fn finish(&mut self, plan: &FlushPlan, active: &ActiveSegment) {
        self.rolled.retain(|segment| {
            let is_synced = plan.rolled.iter().any(|synced| Arc::ptr_eq(synced, segment));
            if is_synced {
                segment.slot().pin(false);
            }
            !is_synced
        });
        if let Some((synced, size)) = &plan.active
            && active.is(synced)
        {
            assert!(*size >= self.active_synced_bytes, "a flush never proves less than the one before");
            if synced.size_bytes() == *size {
                synced.slot().pin(false);
            }
            self.active_synced_bytes = *size;
        }
        assert!(self.bytes >= plan.bytes && self.records >= plan.records, "flushed more than was written");
        self.records -= plan.records;
        self.bytes -= plan.bytes;
    }
}
