//! The log cleaner: keeps the last value of each key of compacted topics (`cleanup.policy=compact`).
//! Shell over cores: `choose` (what to clean), `offset_map`, `transactions` and `filter` (what
//! stays) are cores; `round` reads and writes, `swap` puts the new segments in the old ones' place.
//!
//! Who is looked at: logs that got a new segment or a new configuration since the last look, and
//! those that only time holds back. A log that nobody writes to costs nothing.
//!
//! Invariants:
//! - I1. The active segment, and what is not below the last stable offset, is never touched.
//! - I2. The segments of a log are replaced from the oldest on, so that a tombstone goes only after
//!   everything that it covers has gone.
//! - I3. Before the first segment is replaced the recovery point is on the device, behind all of
//!   them: gaps below it are no damage.
//! - I4. A cleaned segment ends where the next one starts: its last batch stays, empty if need be.

mod choose;
mod filter;
mod offset_map;
mod round;
pub(crate) mod swap;
mod throttle;
mod transactions;

#[cfg(test)]
mod filter_tests;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Condvar, Mutex};

use choose::{Choice, LogFacts, SegmentFacts, choose};
pub use round::CleanedStats;
use round::RoundEnd;
use throttle::Throttle;

use crate::unified_log::{Shared, UnifiedLog};

/// What the cleaner obeys (`log.cleaner.*`), read at the start.
#[derive(Clone, PartialEq, Debug)]
pub struct CleanerSettings {
    pub is_enabled: bool,
    /// 0: nobody cleans but who calls `LogManager::clean`.
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
    fn map_bytes(&self) -> usize {
        usize::try_from(self.dedupe_buffer_bytes).unwrap_or(usize::MAX) / self.threads.max(1)
    }

    fn io_bytes(&self) -> usize {
        (self.io_buffer_bytes / self.threads.max(1) / 2).max(4096)
    }
}

/// What the cleaner knows of one log.
#[derive(Default)]
pub(crate) struct CleaningMark {
    is_candidate: AtomicBool,
    is_in_progress: AtomicBool,
    /// Something in it can't be understood; it is left alone until a restart.
    is_uncleanable: AtomicBool,
    /// Held by whoever changes which segments there are, but for appends.
    pub swap_turn: Mutex<()>,
}

/// What all cleaner threads share.
pub(crate) struct Cleaner {
    candidates: Mutex<Vec<Weak<UnifiedLog>>>,
    /// Told when there may be something to do, or time has passed.
    wake: Condvar,
    state: Mutex<State>,
    is_closed: AtomicBool,
    last_look_ms: AtomicI64,
    throttle: Throttle,
}

#[derive(Default)]
struct State {
    /// Looks that a thread has not begun.
    looks: usize,
    ticks: u64,
}

impl Cleaner {
    pub fn new(settings: &CleanerSettings) -> Cleaner {
        Cleaner {
            candidates: Mutex::default(),
            wake: Condvar::new(),
            state: Mutex::default(),
            is_closed: AtomicBool::new(false),
            last_look_ms: AtomicI64::new(i64::MIN),
            throttle: Throttle::new(settings.io_bytes_per_second_max),
        }
    }

    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        // Under the lock, or a thread on its way to sleep would miss it.
        let _state = self.state.lock();
        self.wake.notify_all();
    }

    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Called about once a second: wakes threads when a look is due, and those that are throttled.
    pub fn tick(&self, now_ms: i64, settings: &CleanerSettings) {
        if settings.threads == 0 {
            return;
        }
        let last = self.last_look_ms.load(Ordering::Relaxed);
        let is_due = now_ms.saturating_sub(last) >= settings.backoff_ms || now_ms < last;
        let has_candidates = is_due && !self.candidates.lock().is_empty();
        let mut state = self.state.lock();
        state.ticks += 1;
        if has_candidates {
            self.last_look_ms.store(now_ms, Ordering::Relaxed);
            state.looks = settings.threads;
        }
        drop(state);
        self.wake.notify_all();
    }

    /// Sleeps until a look is due. `false`: the end.
    fn wait_for_look(&self) -> bool {
        let mut state = self.state.lock();
        loop {
            if self.is_closed() {
                return false;
            }
            if state.looks > 0 {
                state.looks -= 1;
                return true;
            }
            self.wake.wait(&mut state);
        }
    }

    /// Sleeps until the next tick.
    fn wait_for_tick(&self) {
        let mut state = self.state.lock();
        let ticks = state.ticks;
        while state.ticks == ticks && !self.is_closed() {
            self.wake.wait(&mut state);
        }
    }
}

/// What a cleaner thread does until the end.
pub(crate) fn work(shared: &Shared) {
    while shared.cleaner.wait_for_look() {
        while clean_dirtiest(shared, shared.env.clock.wall_ms(), true).is_some() {}
    }
}

/// Cleans the log that needs it most. `None`: none is due.
pub(crate) fn clean_dirtiest(shared: &Shared, now_ms: i64, is_throttled: bool) -> Option<CleanedStats> {
    let (log, choice) = take_dirtiest(shared, now_ms)?;
    let end = round::clean(&log, &choice, now_ms, is_throttled);
    log.cleaning.is_in_progress.store(false, Ordering::Release);
    let partition = log.partition();
    match end {
        RoundEnd::Cleaned(stats) => {
            tracing::debug!(%partition, ?stats, "cleaned");
            log.note_cleanable();
            Some(stats)
        }
        RoundEnd::Interrupted => {
            log.note_cleanable();
            None
        }
        RoundEnd::NoSpace(text) => {
            tracing::warn!(%partition, %text, "not cleaned; tried again later");
            log.note_cleanable();
            None
        }
        RoundEnd::Uncleanable(why) => {
            log.cleaning.is_uncleanable.store(true, Ordering::Release);
            tracing::warn!(%partition, %why, "this partition is not cleaned until the next start");
            None
        }
        RoundEnd::Offline => None,
    }
}

/// Looks at all candidates and takes the dirtiest; forgets those that can't change by themselves.
fn take_dirtiest(shared: &Shared, now_ms: i64) -> Option<(Arc<UnifiedLog>, Choice)> {
    let candidates = std::mem::take(&mut *shared.cleaner.candidates.lock());
    let mut best: Option<(Arc<UnifiedLog>, Choice)> = None;
    let mut kept = Vec::new();
    for candidate in candidates {
        let Some(log) = candidate.upgrade() else { continue };
        if log.cleaning.is_in_progress.load(Ordering::Acquire) {
            kept.push(candidate);
            continue;
        }
        // What comes from now on is a new reason to look.
        log.cleaning.is_candidate.store(false, Ordering::Release);
        let Some(choice) = log.look(now_ms) else { continue };
        if !choice.is_due(log.config().min_cleanable_dirty_ratio) {
            if choice.may_change_with_time && !log.cleaning.is_candidate.swap(true, Ordering::AcqRel) {
                kept.push(candidate);
            }
            continue;
        }
        let is_dirtier = best.as_ref().is_none_or(|(_, other)| choice.dirty_ratio() > other.dirty_ratio());
        let left = if is_dirtier { best.replace((log, choice)).map(|(log, _)| log) } else { Some(log) };
        if let Some(left) = left
            && !left.cleaning.is_candidate.swap(true, Ordering::AcqRel)
        {
            kept.push(Arc::downgrade(&left));
        }
    }
    shared.cleaner.candidates.lock().append(&mut kept);
    let (log, _) = best.as_ref()?;
    if log.cleaning.is_in_progress.swap(true, Ordering::AcqRel) {
        // Another thread came first.
        return None;
    }
    best
}

impl UnifiedLog {
    /// Something happened after which there may be something to clean.
    pub(crate) fn note_cleanable(self: &Arc<Self>) {
        if !self.config.load().cleanup_policy.compact
            || !self.shared.settings.cleaner.is_enabled
            || self.cleaning.is_uncleanable.load(Ordering::Acquire)
            || self.cleaning.is_candidate.swap(true, Ordering::AcqRel)
        {
            return;
        }
        self.shared.cleaner.candidates.lock().push(Arc::downgrade(self));
    }

    /// What there is to clean. A log that can't be read, or is no longer compacted, has nothing.
    fn look(self: &Arc<Self>, now_ms: i64) -> Option<Choice> {
        let config = self.config.load_full();
        if self.is_deleted() || !config.cleanup_policy.compact || self.dir.check().is_err() {
            return None;
        }
        self.ensure_loaded().ok()?;
        let files = &self.shared.files;
        let segments = self.segments.load_full();
        let mut facts = Vec::with_capacity(segments.len());
        for (index, segment) in segments.iter().enumerate() {
            let is_active = index + 1 == segments.len();
            let times = if is_active {
                Ok((-1, -1))
            } else {
                // A segment that is being removed is looked at the next time.
                segment.max_timestamp(files).and_then(|max| {
                    let max = max.map_or(-1, |max| max.timestamp);
                    Ok((max, segment.first_timestamp(files)?.unwrap_or(-1)))
                })
            };
            let (max_timestamp, first_timestamp) = times.ok()?;
            facts.push(SegmentFacts {
                base_offset: segment.base_offset(),
                bytes: segment.size_bytes(),
                max_timestamp,
                first_timestamp,
            });
        }
        let log_end = self.log_end_offset();
        choose(
            &LogFacts {
                config: &config,
                segments: &facts,
                cleaned_to: self.dir.cleaned_to(&self.partition),
                log_start: self.log_start_offset(),
                log_end,
                last_stable: self.last_stable_offset(self.deletable_below()),
            },
            now_ms,
        )
    }
}
