//! The task that watches the deadlines of a coordinator's shards.
//! Shell.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ottla_env::{Monotonic, Tasks};

use super::runtime::CoordinatorRuntime;
use super::shard::{NEVER, Shard};
use crate::shard::CoordinatorShard;

/// Timers of one shard that are handled before its lock is let go.
const TIMERS_PER_TURN_MAX: usize = 128;

impl<S: CoordinatorShard> CoordinatorRuntime<S> {
    /// Starts the task; `close` ends it.
    pub fn start_timers(self: &Arc<Self>, tasks: &dyn Tasks) {
        let runtime = Arc::clone(self);
        let work = Box::pin(async move { runtime.run_timers().await });
        let before = self.timers.lock().replace(tasks.spawn("coordinator timers", work));
        assert!(before.is_none(), "one task watches the deadlines");
    }

    /// Ends the task and every shard.
    pub fn close(&self) {
        drop(self.timers.lock().take());
        self.unload_all();
    }

    pub(crate) async fn run_timers(&self) {
        loop {
            // While the deadlines are read, a turn that sets one wakes this task; nothing is missed.
            self.armed_us.store(NEVER, Ordering::SeqCst);
            let next_us = self.next_deadline_us();
            self.armed_us.store(next_us, Ordering::SeqCst);
            if next_us == NEVER {
                self.wake.notified().await;
                continue;
            }
            let deadline = Monotonic(Duration::from_micros(next_us));
            if self.outside.clock.monotonic() < deadline {
                tokio::select! {
                    biased;
                    () = self.outside.clock.sleep_until(deadline) => {}
                    () = self.wake.notified() => continue,
                }
            }
            self.tick();
        }
    }

    fn next_deadline_us(&self) -> u64 {
        self.shards.read().values().map(|shard| shard.next_deadline_us()).min().unwrap_or(NEVER)
    }

    /// Handles what is due now. The task does this; simulated time may do it directly.
    pub fn tick(&self) {
        let now_us = self.outside.clock.monotonic().0.as_micros() as u64;
        for shard in self.all_shards() {
            if shard.next_deadline_us() <= now_us {
                self.tick_shard(&shard);
            }
        }
    }

    fn tick_shard(&self, shard: &Arc<Shard<S>>) {
        // A shard that ended meanwhile has no timers any more.
        let _ = self.turn(shard, |guard| {
            let (now, wall_ms) = (guard.now, guard.wall_ms);
            for _ in 0..TIMERS_PER_TURN_MAX {
                let Some(effects) = guard.core().on_tick(now, wall_ms) else { break };
                // What was refused is logged there, and answered to those who wait.
                let _ = guard.perform(effects);
            }
        });
    }
}
