//! The log cleaner: keeps the last value of each key of compacted topics (`cleanup.policy=compact`).
//! Shell over cores: `choose` (what to clean), `offset_map`, `transactions` and `filter` (what
//! stays) are cores; `round` reads and writes, `swap` puts the new segments in the old ones' place.
//!
//! Who is looked at: logs that got a new segment or a new configuration since the last look, and
//! those that only time holds back. A log without appends costs nothing.
//!
//! Invariants:
//! - I1. The active segment, and what is not below the last stable offset, is never touched.
//! - I2. The segments of a log are replaced from the oldest on, so that a tombstone goes only after
//!   everything that it covers has gone.
//! - I3. Before the first segment is replaced the recovery point is on the device, behind all of
//!   them: gaps below it are no damage.
//! - I4. A cleaned segment ends where the next one starts: its last batch stays, empty if need be.

mod choose;
mod figures;
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

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use ottla_env::Monotonic;
use parking_lot::{Condvar, Mutex};

use choose::{Choice, LogFacts, SegmentFacts, choose};
pub use figures::CleanerFigures;
use figures::{Dirtiest, Figures};
pub use round::CleanedStats;
use round::RoundEnd;
pub(crate) use throttle::Throttle;

use crate::config::CleanerSettings;
use crate::unified_log::{Shared, UnifiedLog};

/// What the cleaner knows of one log.
#[derive(Default)]
pub(crate) struct CleaningMark {
    is_candidate: AtomicBool,
    is_in_progress: AtomicBool,
    /// Something in it can't be understood; it is left alone until a restart.
    is_uncleanable: AtomicBool,
    /// Held over each change of which segments there are, but for appends.
    pub swap_turn: Mutex<()>,
}

/// What all cleaner threads share.
pub(crate) struct Cleaner {
    /// What was set last; a round goes by what was set when it began.
    settings: ArcSwap<CleanerSettings>,
    candidates: Mutex<Vec<Weak<UnifiedLog>>>,
    /// Notified when there may be something to do, or time has passed.
    wake: Condvar,
    state: Mutex<State>,
    is_closed: AtomicBool,
    throttle: Throttle,
    pub figures: Figures,
}

#[derive(Default)]
struct State {
    /// Threads that run.
    threads: usize,
    /// Looks that a thread has not begun.
    looks: usize,
    /// Threads that are too fast and wait.
    resting: usize,
    ticks: u64,
    last_look: Option<Monotonic>,
}

impl Cleaner {
    pub fn new(settings: CleanerSettings) -> Cleaner {
        Cleaner {
            settings: ArcSwap::from_pointee(settings),
            candidates: Mutex::default(),
            wake: Condvar::new(),
            state: Mutex::default(),
            is_closed: AtomicBool::new(false),
            throttle: Throttle::default(),
            figures: Figures::default(),
        }
    }

    pub fn settings(&self) -> Arc<CleanerSettings> {
        self.settings.load_full()
    }

    /// In force from the next round on; the speed at once.
    pub fn set_settings(&self, settings: CleanerSettings) {
        self.settings.store(Arc::new(settings));
        self.throttle.restart();
        // Threads that are too many end, those that sleep at once.
        let _state = self.state.lock();
        self.wake.notify_all();
    }

    /// How many more threads there must be. They count as running from here on.
    pub fn take_missing_threads(&self) -> usize {
        let mut state = self.state.lock();
        if self.is_closed() {
            return 0;
        }
        let missing = self.settings.load().threads_wanted().saturating_sub(state.threads);
        state.threads += missing;
        missing
    }

    pub fn thread_count(&self) -> usize {
        self.state.lock().threads
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
    pub fn tick(&self, now: Monotonic) {
        let settings = self.settings.load();
        let has_candidates = !self.candidates.lock().is_empty();
        let mut state = self.state.lock();
        state.ticks += 1;
        let is_due = state.last_look.is_none_or(|last| now >= last.after_ms(settings.backoff_ms));
        if is_due && has_candidates {
            state.last_look = Some(now);
            state.looks = state.threads;
        }
        drop(state);
        self.wake.notify_all();
    }

    /// Sleeps until a look is due. `false`: this thread is to end.
    fn wait_for_look(&self) -> bool {
        let mut state = self.state.lock();
        loop {
            if self.is_closed() || state.threads > self.settings.load().threads_wanted() {
                state.threads -= 1;
                return false;
            }
            if state.looks > 0 {
                state.looks -= 1;
                return true;
            }
            self.wake.wait(&mut state);
        }
    }

    /// Sleeps until the next tick, or until the settings are others.
    fn wait_for_tick(&self, settings: &Arc<CleanerSettings>) {
        let mut state = self.state.lock();
        let ticks = state.ticks;
        state.resting += 1;
        while state.ticks == ticks && !self.is_closed() && Arc::ptr_eq(settings, &self.settings.load()) {
            self.wake.wait(&mut state);
        }
        state.resting -= 1;
    }

    #[cfg(test)]
    fn is_resting(&self) -> bool {
        self.state.lock().resting > 0
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
    let begun = shared.env.clock.monotonic();
    let end = round::clean(&log, &choice, now_ms, is_throttled);
    let was_in_progress = log.cleaning.is_in_progress.swap(false, Ordering::AcqRel);
    assert!(was_in_progress, "one round of a log at a time");
    let now = shared.env.clock.monotonic();
    let partition = log.partition();
    match end {
        RoundEnd::Cleaned(stats) => {
            tracing::debug!(%partition, ?stats, "cleaned");
            shared.cleaner.figures.note_round(&stats, begun.until(now), now);
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
            shared.cleaner.figures.note_uncleanable(&log, choice.total_bytes);
            tracing::warn!(%partition, %why, "this partition is not cleaned until the next start");
            None
        }
        RoundEnd::Offline => None,
    }
}

/// Looks at all candidates and takes the dirtiest; forgets those that can't change by themselves.
fn take_dirtiest(shared: &Shared, now_ms: i64) -> Option<(Arc<UnifiedLog>, Choice)> {
    let candidates = std::mem::take(&mut *shared.cleaner.candidates.lock());
    let mut dirtiest = Dirtiest::default();
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
        dirtiest.take_in(&choice);
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
    shared.cleaner.figures.note_look(&dirtiest);
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
            || !self.shared.cleaner.settings.load().is_enabled
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
        if self.is_deleted() || !config.cleanup_policy.compact || self.place().dir.check().is_err() {
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
                cleaned_to: self.place().dir.cleaned_to(&self.partition),
                log_start: self.log_start_offset(),
                log_end,
                last_stable: self.last_stable_offset(self.deletable_below()),
            },
            now_ms,
        )
    }
}
