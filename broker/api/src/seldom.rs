//! What is logged once a second at most, however often it happens.
//! Shell: reads the clock.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;
use std::time::Duration;

use ottla_env::Clock;
use parking_lot::Mutex;

pub const INTERVAL: Duration = Duration::from_secs(1);
/// Events that are remembered; beyond them they are logged as if they were new.
pub const REMEMBERED_MAX: usize = 4_096;

pub struct Seldom {
    clock: Arc<dyn Clock>,
    hasher: RandomState,
    /// When an event was logged last, and how many of it were not since.
    logged: Mutex<HashMap<u64, (Duration, u64)>>,
}

impl Seldom {
    pub fn new(clock: Arc<dyn Clock>) -> Seldom {
        Seldom { clock, hasher: RandomState::new(), logged: Mutex::default() }
    }

    /// How many of the same were not logged since the last line; nothing when this one is not either.
    pub fn may_log(&self, event: &impl Hash) -> Option<u64> {
        let now = self.clock.monotonic().0;
        let key = self.hasher.hash_one(event);
        let mut logged = self.logged.lock();
        if let Some((since, unlogged)) = logged.get_mut(&key) {
            if now.saturating_sub(*since) < INTERVAL {
                *unlogged += 1;
                return None;
            }
            *since = now;
            return Some(std::mem::take(unlogged));
        }
        if logged.len() >= REMEMBERED_MAX {
            logged.clear();
        }
        logged.insert(key, (now, 0));
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use ottla_env::memory::MemoryClock;

    use super::*;

    #[test]
    fn an_event_is_logged_once_a_second_and_the_next_line_says_how_many_were_not() {
        let clock = Arc::new(MemoryClock::new(0));
        let seldom = Seldom::new(clock.clone());
        assert_eq!((seldom.may_log(&"a"), seldom.may_log(&"a"), seldom.may_log(&"a")), (Some(0), None, None));
        assert_eq!(seldom.may_log(&"b"), Some(0), "another event");
        clock.advance(INTERVAL);
        assert_eq!((seldom.may_log(&"a"), seldom.may_log(&"a")), (Some(2), None));
        for number in 0..2 * REMEMBERED_MAX {
            assert_eq!(seldom.may_log(&number), Some(0));
        }
        assert!(seldom.logged.lock().len() <= REMEMBERED_MAX);
    }
}
