//! The segment that grows: which one it is, and when another takes its place.
//! Shell: the rules of rolling look at its indexes.

use std::io;
use std::sync::Arc;

use ottla_model::Offset;

use crate::config::LogConfig;
use crate::open_files::OpenFiles;
use crate::segment::Segment;

#[derive(Default)]
pub(crate) struct ActiveSegment {
    /// `None` until the first append makes the folder.
    segment: Option<Arc<Segment>>,
    bytes_since_index_entry: u64,
    roll_jitter_ms: i64,
}

/// What is about to be appended, as the rules of rolling see it (Kafka's `RollParams`).
pub(crate) struct Roll<'a> {
    pub config: &'a LogConfig,
    pub bytes: u64,
    pub first_offset: Offset,
    pub last_offset: Offset,
    pub max_timestamp: i64,
    pub now_ms: i64,
}

impl ActiveSegment {
    pub fn segment(&self) -> Option<&Arc<Segment>> {
        self.segment.as_ref()
    }

    pub fn is(&self, segment: &Arc<Segment>) -> bool {
        self.segment.as_ref().is_some_and(|active| Arc::ptr_eq(active, segment))
    }

    /// A new segment grows from here on.
    pub fn start(&mut self, segment: Arc<Segment>, roll_jitter_ms: i64) {
        if let Some(old) = &self.segment {
            let (old, new) = (old.base_offset(), segment.base_offset());
            assert!(old <= new, "segment {old} was active; {new} can't follow it");
        }
        *self = ActiveSegment { segment: Some(segment), bytes_since_index_entry: 0, roll_jitter_ms };
    }

    /// The segment that a start or a truncation left as the last.
    pub fn resume(&mut self, segment: Option<Arc<Segment>>, bytes_since_index_entry: u64) {
        self.segment = segment;
        self.bytes_since_index_entry = bytes_since_index_entry;
    }

    /// The same segment in another folder.
    pub fn relocate(&mut self, segment: Arc<Segment>) {
        let base = self.segment.as_ref().map(|active| active.base_offset());
        assert_eq!(base, Some(segment.base_offset()), "the active segment stays the active one");
        self.segment = Some(segment);
    }

    pub fn clear(&mut self) -> Option<Arc<Segment>> {
        self.segment.take()
    }

    /// Counts written bytes. Says whether the offset index gets an entry for what was written.
    #[inline]
    pub fn note_written(&mut self, bytes: u64, index_interval_bytes: u64) -> bool {
        let is_entry_due = self.bytes_since_index_entry > index_interval_bytes;
        if is_entry_due {
            self.bytes_since_index_entry = 0;
        }
        self.bytes_since_index_entry += bytes;
        is_entry_due
    }

    /// Whether a new segment must take what comes (Kafka's `LogSegment.shouldRoll`).
    pub fn should_roll(&self, roll: &Roll<'_>, files: &OpenFiles) -> io::Result<bool> {
        const OFFSET_ENTRY_BYTES: u64 = 8;
        const TIME_ENTRY_BYTES: u64 = 12;
        let Some(active) = &self.segment else { return Ok(true) };
        if roll.last_offset - active.base_offset() > i64::from(i32::MAX) {
            return Ok(true);
        }
        let size = active.size_bytes();
        if size == 0 {
            return Ok(false);
        }
        let config = roll.config;
        if size + roll.bytes > config.segment_bytes {
            return Ok(true);
        }
        let first_timestamp = active.first_timestamp(files)?.unwrap_or(-1);
        let waited_ms = if first_timestamp >= 0 {
            roll.max_timestamp - first_timestamp
        } else {
            roll.now_ms - active.created_ms
        };
        if waited_ms > config.segment_ms_max().saturating_sub(self.roll_jitter_ms) {
            return Ok(true);
        }
        Ok(active.index.len(files)? >= config.segment_index_bytes / OFFSET_ENTRY_BYTES
            || active.time_index.len(files)? + 1 >= config.segment_index_bytes / TIME_ENTRY_BYTES)
    }
}
