//! A clock that stands until it is stepped.
//! Shell.

use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use crate::BoxFuture;
use crate::clock::{Clock, Monotonic};

#[derive(Clone)]
pub struct MemoryClock {
    state: Arc<Mutex<State>>,
}

struct State {
    wall_ms: i64,
    monotonic: Monotonic,
    sleepers: Vec<(Monotonic, Waker)>,
}

impl MemoryClock {
    pub fn new(wall_ms: i64) -> MemoryClock {
        MemoryClock {
            state: Arc::new(Mutex::new(State {
                wall_ms,
                monotonic: Monotonic::default(),
                sleepers: Vec::new(),
            })),
        }
    }

    /// Moves both clocks forward and wakes who waited for it.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state.lock();
        state.wall_ms += by.as_millis() as i64;
        state.monotonic = state.monotonic.after(by);
        let now = state.monotonic;
        let (due, waiting) = std::mem::take(&mut state.sleepers).into_iter().partition(|(at, _)| *at <= now);
        state.sleepers = waiting;
        drop(state);
        let due: Vec<(Monotonic, Waker)> = due;
        for (_, waker) in due {
            waker.wake();
        }
    }

    /// Sets the wall clock, either way; the steady clock does not notice.
    pub fn set_wall_ms(&self, wall_ms: i64) {
        self.state.lock().wall_ms = wall_ms;
    }

    /// The next moment somebody waits for.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.state.lock().sleepers.iter().map(|(at, _)| *at).min()
    }
}

impl Clock for MemoryClock {
    fn wall_ms(&self) -> i64 {
        self.state.lock().wall_ms
    }

    fn monotonic(&self) -> Monotonic {
        self.state.lock().monotonic
    }

    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        let shared = self.state.clone();
        Box::pin(std::future::poll_fn(move |context| {
            let mut state = shared.lock();
            if state.monotonic >= deadline {
                return Poll::Ready(());
            }
            state.sleepers.push((deadline, context.waker().clone()));
            Poll::Pending
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stepping_moves_both_clocks_and_a_set_wall_moves_one() {
        let clock = MemoryClock::new(1_000);
        clock.advance(Duration::from_millis(5));
        assert_eq!((clock.wall_ms(), clock.monotonic()), (1_005, Monotonic(Duration::from_millis(5))));
        clock.set_wall_ms(1);
        assert_eq!((clock.wall_ms(), clock.monotonic()), (1, Monotonic(Duration::from_millis(5))));
    }
}
