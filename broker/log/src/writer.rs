//! What appends, truncations and retention change, one at a time.
//! Core.

use std::sync::Arc;

use ottla_model::Offset;

use crate::segment::Segment;

/// Proves that the writer's lock of a log is held: what readers share is changed with one in hand.
#[derive(Default)]
pub(crate) struct WriteTurn {
    _private: (),
}

#[derive(Default)]
pub(crate) struct Writer {
    pub turn: WriteTurn,
    /// The segment that grows; `None` until the first append makes the folder.
    pub active: Option<Arc<Segment>>,
    pub bytes_since_index_entry: u64,
    pub roll_jitter_ms: i64,
    /// Rolled segments with bytes that may not be on the device.
    pub unsynced: Vec<Arc<Segment>>,
    /// Segments whose transaction index may not be on the device.
    pub unsynced_txn_indexes: Vec<Offset>,
    /// Bytes of the active segment that are on the device.
    pub active_synced_bytes: u64,
    /// New names in the folder (and the folder's own) that may not be on the device.
    pub are_names_unsynced: bool,
    /// The folder's own number in its directory, see `LogDir::note_folder`. 1: found at the start.
    pub folder_number: u64,
    pub unflushed_bytes: u64,
    pub unflushed_records: i64,
    /// When the oldest unflushed byte was written, on the wall clock.
    pub unflushed_since_ms: i64,
    /// Grows with each truncation: a flush that began before one proves nothing after it.
    pub generation: u64,
    pub is_topic_id_written: bool,
    /// The file with the topic's id may not be on the device.
    pub is_topic_id_unsynced: bool,
}
