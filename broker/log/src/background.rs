//! The work in the background on all logs: flushes that are due, checkpoints, retention, files that nobody uses.
//! Shell.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ottla_env::Monotonic;
use ottla_env::tasks::TaskHandle;
use parking_lot::Mutex;

use crate::log_dir::WriteFailure;
use crate::manager::LogManager;
use crate::unified_log::UnifiedLog;

/// How often the background looks for work.
const TICK: Duration = Duration::from_millis(1000);

pub(crate) struct Background {
    task: Mutex<Option<TaskHandle>>,
    /// Logs that were flushed and whose recovery point is to be written.
    to_checkpoint: Mutex<Vec<Arc<UnifiedLog>>>,
    /// A log was deleted that may still be on a list here.
    has_deleted: AtomicBool,
    /// Memory of deleted logs, or of the start, has not been given back yet.
    owes_memory: AtomicBool,
    last_checkpoint: Mutex<Monotonic>,
    last_retention: Mutex<Monotonic>,
    is_ticking: AtomicBool,
}

impl Background {
    pub fn new(now: Monotonic) -> Background {
        Background {
            task: Mutex::default(),
            to_checkpoint: Mutex::default(),
            has_deleted: AtomicBool::new(false),
            owes_memory: AtomicBool::new(true),
            last_checkpoint: Mutex::new(now),
            last_retention: Mutex::new(now),
            is_ticking: AtomicBool::new(false),
        }
    }

    /// A log was marked as deleted, and nobody writes to it any more.
    pub fn note_deleted(&self) {
        self.has_deleted.store(true, Ordering::Release);
    }

    pub fn end(&self) {
        if let Some(task) = self.task.lock().take() {
            task.abort();
        }
    }
}

impl LogManager {
    pub(crate) fn start_background(self: &Arc<Self>) {
        let clock = self.shared.env.clock.clone();
        let manager = Arc::downgrade(self);
        let task = self.shared.env.tasks.spawn(
            "log-background",
            Box::pin(async move {
                loop {
                    let deadline = clock.monotonic().after(TICK);
                    clock.sleep_until(deadline).await;
                    let Some(manager) = manager.upgrade() else { return };
                    if manager.is_closed.load(Ordering::Acquire) {
                        return;
                    }
                    manager.schedule_tick();
                }
            }),
        );
        *self.background.task.lock() = Some(task);
    }

    /// Hands the background's work to a thread that may block, unless the last round still runs.
    fn schedule_tick(self: &Arc<Self>) {
        if self.background.is_ticking.swap(true, Ordering::AcqRel) {
            return;
        }
        let manager = self.clone();
        self.shared.flusher.run(Box::new(move || {
            manager.tick();
            manager.background.is_ticking.store(false, Ordering::Release);
        }));
    }

    /// One round of the work in the background: flushes that are due, checkpoints, retention, idle
    /// files. May block.
    pub fn tick(&self) {
        let settings = &self.shared.settings;
        let now = self.shared.env.clock.monotonic();
        let have_gone = self.forget_deleted();
        self.give_back_memory(have_gone);
        self.flush_due(now);
        self.shared.cleaner.tick(now);
        self.moves.tick();
        if is_due(&self.background.last_checkpoint, now, settings.checkpoint_interval_ms) {
            self.checkpoint();
            self.shared.files.close_idle();
        }
        if is_due(&self.background.last_retention, now, settings.retention_check_interval_ms) {
            self.run_retention(self.shared.env.clock.wall_ms());
        }
    }

    /// Lets go of logs that were deleted since the last round, and says whether there were any. On these lists they
    /// would be kept for a checkpoint's interval: topics that come and go would leave as many as come in that time.
    fn forget_deleted(&self) -> bool {
        if !self.background.has_deleted.swap(false, Ordering::AcqRel) {
            return false;
        }
        for list in [&self.shared.dirty, &self.background.to_checkpoint] {
            let mut logs = list.lock();
            logs.retain(|log| !log.is_deleted());
            logs.shrink_to_fit();
        }
        self.shared.files.forget_gone();
        true
    }

    /// What deleted logs took lies in pages between those in use. They go back together, in the first round in
    /// which no more logs went. The first round of all gives back what the start took.
    fn give_back_memory(&self, have_gone: bool) {
        let is_owed = self.background.owes_memory.swap(have_gone, Ordering::AcqRel);
        if is_owed && !have_gone {
            self.shared.env.tasks.give_back_memory();
        }
    }

    /// Flushes logs that have many or old unsynced bytes; those that are done go to the next
    /// checkpoint.
    fn flush_due(&self, now: Monotonic) {
        let settings = &self.shared.settings;
        let dirty = std::mem::take(&mut *self.shared.dirty.lock());
        for log in dirty {
            let (bytes, since) = {
                let writer = log.writer.lock();
                (writer.flush.bytes(), writer.flush.since())
            };
            let flush_ms = settings.background_flush_ms.min(log.config().flush_ms);
            let is_due = bytes >= settings.background_flush_bytes || now >= since.after_ms(flush_ms);
            if bytes > 0 && !is_due {
                self.shared.dirty.lock().push(log);
                continue;
            }
            if bytes > 0 {
                log.enqueue_flush();
            }
            log.is_dirty.store(false, Ordering::Release);
            self.background.to_checkpoint.lock().push(log);
        }
    }

    /// Writes recovery points, leader epochs and producer snapshots of what was flushed since the
    /// last time, so that a restart after a crash scans little. May block.
    pub fn checkpoint(&self) {
        let logs = std::mem::take(&mut *self.background.to_checkpoint.lock());
        for log in logs {
            if let Err(failure) = log.checkpoint() {
                tracing::debug!(partition = %log.partition(), %failure, "not checkpointed");
            }
        }
        for dir in &self.dirs {
            if let Err(WriteFailure::NoSpace(text)) = dir.write_recovery_points() {
                tracing::debug!(%text, "recovery points not written");
            }
        }
    }

    /// Removes what the topics' rules no longer keep, in all logs. May block. Returns how many
    /// segments went.
    pub fn run_retention(&self, now_ms: i64) -> usize {
        let mut count = 0;
        for log in self.logs().iter().filter(|log| log.is_claimed()) {
            match log.run_retention(now_ms) {
                Ok(removed) => count += removed,
                Err(error) => tracing::debug!(partition = %log.partition(), %error, "retention passed over"),
            }
            if log.is_loaded() {
                let expiration_ms = self.shared.settings.producer_id_expiration_ms;
                let mut writer = log.writer.lock();
                log.producers.change(&mut writer.turn, |state| state.remove_expired(now_ms, expiration_ms));
            }
        }
        count
    }
}

/// Whether the interval has passed since the last time; the next one then begins. On the steady clock:
/// a wall clock that is set back must not hold anything up.
fn is_due(last: &Mutex<Monotonic>, now: Monotonic, interval_ms: i64) -> bool {
    let mut last = last.lock();
    let is_due = now >= last.after_ms(interval_ms);
    if is_due {
        *last = now;
    }
    is_due
}
