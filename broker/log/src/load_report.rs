//! What a start found in the log directories, and what putting it in order took.
//! Core.

use std::path::PathBuf;

/// What putting one folder in order took.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LoadReport {
    pub scanned_bytes: u64,
    pub truncated_bytes: u64,
    pub dropped_segments: usize,
    pub rebuilt_indexes: usize,
}

/// What the start of one directory found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirRecovery {
    pub dir: PathBuf,
    pub was_clean: bool,
    pub partitions: usize,
    pub total: LoadReport,
    pub millis: u64,
}

/// What a start found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RecoveryReport {
    pub dirs: Vec<DirRecovery>,
}
