//! Before a broker stops: nothing more is appended here, and followers get what is there.
//! Shell: a flag, and a look at the followers.
//!
//! So records that nobody but the leader has acknowledged are not lost with its leadership (KAFKA-20554).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::replica_manager::ReplicaManager;
use crate::role::Role;

/// How long a stop waits for followers, and a write for the next leader.
pub const HAND_OVER_MAX: Duration = Duration::from_millis(200);
/// Before followers are looked at again: a fetch or two.
const AGAIN: Duration = Duration::from_millis(2);

/// Whether writes wait for the next leader.
#[derive(Default)]
pub struct HandOver(AtomicBool);

impl HandOver {
    pub fn is_under_way(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl ReplicaManager {
    /// From here on writes wait for the next leader. Returns when the followers in sync have all that is here, or when
    /// they take too long.
    pub async fn hand_over(&self) {
        self.hand_over.0.store(true, Ordering::Release);
        let clock = self.logs().clock().clone();
        let end = clock.monotonic().after(HAND_OVER_MAX);
        while !self.have_followers_all() && clock.monotonic() < end {
            clock.sleep_until(clock.monotonic().after(AGAIN)).await;
        }
    }

    fn have_followers_all(&self) -> bool {
        let hosted = self.hosted();
        hosted.topics().flat_map(|topic| &topic.partitions).all(|partition| match &**partition.role() {
            Role::Leader(leader) => {
                let Some(log) = partition.opened_log() else { return true };
                let end = log.log_end_offset();
                leader.with_isr(|isr| isr.in_sync_at(end).count() + 1 >= isr.count()).unwrap_or(true)
            }
            Role::Follower(_) | Role::Offline(_) => true,
        })
    }
}
