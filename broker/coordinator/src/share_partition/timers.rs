//! The task that watches the locks on records.
//! Shell.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ottla_env::Monotonic;

use super::manager::{Cell, NEVER, SharePartitionManager};

impl SharePartitionManager {
    /// Starts the task; whoever has no share partition has none.
    pub(super) fn start_timers(&self) {
        let Some(manager) = self.me.upgrade() else { return };
        self.timers.lock().get_or_insert_with(|| {
            self.tasks.spawn("share lock timers", Box::pin(async move { manager.run_timers().await }))
        });
    }

    /// Ends the task, and what was begun for requests.
    pub fn close(&self) {
        drop(self.timers.lock().take());
        self.opening.close();
        self.changes.close();
    }

    async fn run_timers(&self) {
        loop {
            // While the deadlines are read, whoever sets one rings; nothing set meanwhile is missed.
            self.armed_us.store(NEVER, Ordering::SeqCst);
            let next_us = self.all_cells().iter().map(|cell| cell.next_deadline_us()).min().unwrap_or(NEVER);
            self.armed_us.store(next_us, Ordering::SeqCst);
            if next_us == NEVER {
                self.wake.notified().await;
                continue;
            }
            let deadline = Monotonic(Duration::from_micros(next_us));
            if self.clock.monotonic() < deadline {
                tokio::select! {
                    biased;
                    () = self.clock.sleep_until(deadline) => {}
                    () = self.wake.notified() => continue,
                }
            }
            self.tick();
        }
    }

    /// Ends the locks that are over now. The task does this; simulated time may do it directly.
    pub fn tick(&self) {
        let now = self.clock.monotonic();
        let now_us = now.0.as_micros() as u64;
        for cell in self.all_cells() {
            if cell.next_deadline_us() <= now_us {
                self.tick_cell(&cell, now);
            }
        }
    }

    fn tick_cell(&self, cell: &Arc<Cell>, now: Monotonic) {
        let limits = self.limits(cell.key.group.as_str());
        let refused = cell.turn(|core| {
            let change = core.release_expired(now, &limits);
            if change.batches.is_empty() {
                return None;
            }
            let written = self.store(cell, core.write_of(change.batches.clone()));
            // The lock is over, whatever the persister says: the records may be delivered again.
            core.commit(change);
            cell.waiters.wake_all();
            written.err()
        });
        if let Some(Some(error)) = refused {
            tracing::warn!(share_partition = %cell.key, code = %error.code, "the end of locks could not be stored");
        }
    }
}
