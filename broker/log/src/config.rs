//! The settings a log obeys, already typed: one topic's effective values, and the manager's own.
//! Core.

use ottla_records::{Codec, TimestampType};

/// What happens to old records (`cleanup.policy`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CleanupPolicy {
    pub delete: bool,
    pub compact: bool,
}

/// The codec batches are stored with (`compression.type`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TopicCompression {
    /// Whatever the producer chose.
    Producer,
    Codec(Codec),
}

/// One topic's effective values; replaced whole when one changes.
#[derive(Clone, PartialEq, Debug)]
pub struct LogConfig {
    pub segment_bytes: u64,
    pub segment_ms: i64,
    pub segment_jitter_ms: i64,
    pub segment_index_bytes: u64,
    pub index_interval_bytes: u64,
    /// -1: for ever.
    pub retention_ms: i64,
    /// -1: no bound.
    pub retention_bytes: i64,
    pub max_message_bytes: usize,
    pub timestamp_type: TimestampType,
    pub timestamp_before_max_ms: i64,
    pub timestamp_after_max_ms: i64,
    pub cleanup_policy: CleanupPolicy,
    pub compression: TopicCompression,
    pub delete_retention_ms: i64,
    /// Records after which a flush is requested, whatever `acks` says.
    pub flush_messages: i64,
    pub flush_ms: i64,
    pub min_compaction_lag_ms: i64,
    pub max_compaction_lag_ms: i64,
    pub min_cleanable_dirty_ratio: f64,
}

impl LogConfig {
    /// The age at which a segment is rolled: records of a compacted topic are cleaned in time.
    pub fn segment_ms_max(&self) -> i64 {
        if self.cleanup_policy.compact && self.max_compaction_lag_ms > 0 {
            self.segment_ms.min(self.max_compaction_lag_ms)
        } else {
            self.segment_ms
        }
    }
}

impl Default for LogConfig {
    /// Kafka 4.3.1's defaults.
    fn default() -> LogConfig {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3_600_000,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            retention_ms: 7 * 24 * 3_600_000,
            retention_bytes: -1,
            max_message_bytes: 1_048_588,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            cleanup_policy: CleanupPolicy { delete: true, compact: false },
            compression: TopicCompression::Producer,
            delete_retention_ms: 24 * 3_600_000,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_cleanable_dirty_ratio: 0.5,
        }
    }
}

/// What the manager and every log below it share.
#[derive(Clone, Debug)]
pub struct LogManagerSettings {
    /// Threads that sync files and delete them. 0: the caller's thread does it at once (files in
    /// memory, tests, simulation).
    pub flusher_threads: usize,
    /// Whether `LogManager::tick` runs by itself. Without it the owner calls it.
    pub is_background_on: bool,
    /// Threads that recover partitions after an unclean stop.
    pub recovery_threads: usize,
    /// Files kept open at most.
    pub open_files_max: usize,
    /// Unsynced bytes of one log after which it is synced by itself, so that a restart
    /// after a crash has little to scan.
    pub background_flush_bytes: u64,
    /// How long written bytes may wait for that.
    pub background_flush_ms: i64,
    /// How often recovery points are written when something changed.
    pub checkpoint_interval_ms: i64,
    /// How often retention looks (`log.retention.check.interval.ms`).
    pub retention_check_interval_ms: i64,
    /// How long an idempotent producer is remembered (`producer.id.expiration.ms`).
    pub producer_id_expiration_ms: i64,
    /// Room kept on each directory for getting out of a full disk.
    pub reserve_bytes: u64,
    pub cleaner: CleanerSettings,
}

impl Default for LogManagerSettings {
    fn default() -> LogManagerSettings {
        LogManagerSettings {
            flusher_threads: 4,
            is_background_on: true,
            recovery_threads: 2,
            open_files_max: 4096,
            background_flush_bytes: 64 << 20,
            background_flush_ms: 5_000,
            checkpoint_interval_ms: 5_000,
            retention_check_interval_ms: 300_000,
            producer_id_expiration_ms: 86_400_000,
            reserve_bytes: 4 << 20,
            cleaner: CleanerSettings::default(),
        }
    }
}

/// What the cleaner obeys (`log.cleaner.*`); all but whether there is one may change at any time.
#[derive(Clone, PartialEq, Debug)]
pub struct CleanerSettings {
    pub is_enabled: bool,
    /// 0: only a call of `LogManager::clean` cleans.
    pub threads: usize,
    pub backoff_ms: i64,
    /// Memory for the keys of one round, over all threads; 24 bytes each.
    pub dedupe_buffer_bytes: u64,
    pub dedupe_buffer_load_factor: f64,
    /// Memory for reading and writing, over all threads.
    pub io_buffer_bytes: usize,
    /// Read and written, over all threads.
    pub io_bytes_per_second_max: f64,
}

impl Default for CleanerSettings {
    /// Kafka 4.3.1's defaults, without threads.
    fn default() -> CleanerSettings {
        CleanerSettings {
            is_enabled: true,
            threads: 0,
            backoff_ms: 15_000,
            dedupe_buffer_bytes: 128 << 20,
            dedupe_buffer_load_factor: 0.9,
            io_buffer_bytes: 512 << 10,
            io_bytes_per_second_max: f64::MAX,
        }
    }
}

impl CleanerSettings {
    pub(crate) fn threads_wanted(&self) -> usize {
        if self.is_enabled { self.threads } else { 0 }
    }

    pub(crate) fn map_bytes(&self) -> usize {
        usize::try_from(self.dedupe_buffer_bytes).unwrap_or(usize::MAX) / self.threads.max(1)
    }

    pub(crate) fn io_bytes(&self) -> usize {
        (self.io_buffer_bytes / self.threads.max(1) / 2).max(4096)
    }
}
