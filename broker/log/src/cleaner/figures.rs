//! What the cleaner has done, as Kafka's metrics of it say (`LogCleaner`, `LogCleanerManager`).
//! Shell: numbers behind a lock that is held for a moment.

use std::sync::{Arc, Weak};
use std::time::Duration;

use ottla_env::Monotonic;
use parking_lot::Mutex;

use super::choose::Choice;
use super::round::CleanedStats;
use crate::unified_log::UnifiedLog;

/// A copy for people who watch.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct CleanerFigures {
    /// Of the log that needed cleaning most at the last look: dirty bytes in a hundred.
    pub max_dirty_percent: f64,
    /// How long the oldest record waits beyond its `max.compaction.lag.ms`.
    pub max_compaction_delay: Duration,
    /// Logs that are left alone because of a damaged batch, and their bytes.
    pub uncleanable_partitions: usize,
    pub uncleanable_bytes: u64,
    /// Of the last round: how full the map of keys was, how much stayed, and how long it took.
    pub buffer_utilization_percent: f64,
    pub recopy_percent: f64,
    pub last_clean: Duration,
    /// Since the last round ended.
    pub since_last_run: Option<Duration>,
    /// All rounds.
    pub rounds: u64,
    pub read_bytes: u64,
    pub written_bytes: u64,
    /// Threads that run, and those that should and don't.
    pub threads: usize,
    pub dead_threads: usize,
}

#[derive(Default)]
pub(crate) struct Figures {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: CleanerFigures,
    last_run: Option<Monotonic>,
    uncleanable: Vec<(Weak<UnifiedLog>, u64)>,
}

/// What one look at all candidates found.
#[derive(Default)]
pub(super) struct Dirtiest {
    ratio: f64,
    delay_ms: i64,
}

impl Dirtiest {
    pub fn take_in(&mut self, choice: &Choice) {
        self.ratio = self.ratio.max(choice.dirty_ratio());
        self.delay_ms = self.delay_ms.max(choice.delay_ms);
    }
}

impl Figures {
    pub(super) fn note_look(&self, dirtiest: &Dirtiest) {
        let mut state = self.state.lock();
        state.known.max_dirty_percent = dirtiest.ratio * 100.0;
        state.known.max_compaction_delay = Duration::from_millis(dirtiest.delay_ms.max(0) as u64);
    }

    pub(super) fn note_round(&self, stats: &CleanedStats, took: Duration, now: Monotonic) {
        let mut state = self.state.lock();
        state.last_run = Some(now);
        let known = &mut state.known;
        known.rounds += 1;
        known.read_bytes += stats.read_bytes;
        known.written_bytes += stats.written_bytes;
        known.last_clean = took;
        known.recopy_percent = percent(stats.written_bytes, stats.read_bytes);
        known.buffer_utilization_percent = percent(stats.keys as u64, stats.keys_max as u64);
    }

    pub(super) fn note_uncleanable(&self, log: &Arc<UnifiedLog>, bytes: u64) {
        self.state.lock().uncleanable.push((Arc::downgrade(log), bytes));
    }

    /// `wanted`: threads that should run.
    pub fn read(&self, now: Monotonic, threads: usize, wanted: usize) -> CleanerFigures {
        let mut state = self.state.lock();
        // A log that was deleted is no trouble any more.
        state.uncleanable.retain(|(log, _)| log.upgrade().is_some_and(|log| !log.is_deleted()));
        CleanerFigures {
            uncleanable_partitions: state.uncleanable.len(),
            uncleanable_bytes: state.uncleanable.iter().map(|(_, bytes)| bytes).sum(),
            since_last_run: state.last_run.map(|last| last.until(now)),
            threads,
            dead_threads: wanted.saturating_sub(threads),
            ..state.known
        }
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}
