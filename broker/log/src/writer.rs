//! What appends, truncations and retention change, one at a time.
//! Core.

use crate::active_segment::ActiveSegment;
use crate::flush_state::FlushState;

/// Proves that the writer's lock of a log is held: what readers share is changed with one in hand.
#[derive(Default)]
pub(crate) struct WriteTurn {
    _private: (),
}

/// The parts that only the writer knows, and the right to change those that readers share.
#[derive(Default)]
pub(crate) struct Writer {
    pub turn: WriteTurn,
    pub active: ActiveSegment,
    pub flush: FlushState,
    generation: u64,
    is_topic_id_written: bool,
}

impl Writer {
    /// Grows with each truncation: a flush or a cleaning that began before one proves nothing after it.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    pub fn begin_truncation(&mut self) {
        self.generation += 1;
    }

    /// The folder says which topic it belongs to.
    pub fn is_topic_id_written(&self) -> bool {
        self.is_topic_id_written
    }

    pub fn note_topic_id_written(&mut self) {
        self.is_topic_id_written = true;
    }
}
