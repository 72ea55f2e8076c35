//! The task that watches all shards' deadlines.
//! Shell.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ottla_env::tasks::TaskHandle;
use ottla_env::{Monotonic, Tasks};

use super::coordinator::GroupCoordinator;
use super::shard::{NEVER, Shard};

/// Timers of one shard that are handled before its lock is let go.
const TIMERS_PER_TURN_MAX: usize = 128;

impl GroupCoordinator {
    /// Starts the task; it ends when the handle is dropped.
    pub fn start_timers(self: &Arc<Self>, tasks: &dyn Tasks) -> TaskHandle {
        let coordinator = Arc::clone(self);
        tasks.spawn("group timers", Box::pin(async move { coordinator.run_timers().await }))
    }

    pub(super) async fn run_timers(&self) {
        loop {
            // While the deadlines are read, whoever sets one rings; nothing set meanwhile is missed.
            self.armed_us.store(NEVER, Ordering::SeqCst);
            let next_us = self.next_deadline_us();
            self.armed_us.store(next_us, Ordering::SeqCst);
            if next_us == NEVER {
                self.wake.notified().await;
                continue;
            }
            let deadline = Monotonic(Duration::from_micros(next_us));
            if self.clock.monotonic() < deadline {
                tokio::select! {
                    () = self.clock.sleep_until(deadline) => {}
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
        let now_us = self.clock.monotonic().0.as_micros() as u64;
        for shard in self.all_shards() {
            if shard.next_deadline_us() <= now_us {
                self.tick_shard(&shard);
            }
        }
    }

    fn tick_shard(&self, shard: &Shard) {
        // A shard that closed meanwhile has no timers any more.
        let _ = self.turn(shard, |turnstile| {
            let (now, wall_ms) = (turnstile.now, turnstile.wall_ms);
            for _ in 0..TIMERS_PER_TURN_MAX {
                let Some(effects) = turnstile.core().on_tick(now, wall_ms) else { break };
                // What was refused is logged there, and answered to whoever waits.
                let _ = turnstile.perform(effects);
            }
        });
    }
}
