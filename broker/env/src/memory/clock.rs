//! A clock that stands until it is stepped.
//! Shell.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
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
    /// Those who wait, by the moment they wait for and their number. One that is polled again has its
    /// place already; one that is dropped leaves it.
    sleepers: BTreeMap<(Monotonic, u64), Waker>,
    next_sleeper: u64,
}

struct Sleep {
    state: Arc<Mutex<State>>,
    deadline: Monotonic,
    sleeper: u64,
}

impl MemoryClock {
    pub fn new(wall_ms: i64) -> MemoryClock {
        MemoryClock {
            state: Arc::new(Mutex::new(State {
                wall_ms,
                monotonic: Monotonic::default(),
                sleepers: BTreeMap::new(),
                next_sleeper: 0,
            })),
        }
    }

    /// Moves both clocks forward and wakes who waited for it.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state.lock();
        state.wall_ms += by.as_millis() as i64;
        state.monotonic = state.monotonic.after(by);
        let now = state.monotonic;
        let later = state.sleepers.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        due.into_values().for_each(Waker::wake);
    }

    /// Sets the wall clock, either way; the steady clock does not notice.
    pub fn set_wall_ms(&self, wall_ms: i64) {
        self.state.lock().wall_ms = wall_ms;
    }

    /// The next moment somebody waits for.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.state.lock().sleepers.first_key_value().map(|((at, _), _)| *at)
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
        let sleeper = {
            let mut state = self.state.lock();
            state.next_sleeper += 1;
            state.next_sleeper
        };
        Box::pin(Sleep { state: self.state.clone(), deadline, sleeper })
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.monotonic >= self.deadline {
            return Poll::Ready(());
        }
        state.sleepers.insert((self.deadline, self.sleeper), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.state.lock().sleepers.remove(&(self.deadline, self.sleeper));
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

    #[test]
    fn a_sleeper_has_one_place_however_often_it_is_polled_and_none_once_dropped() {
        let clock = MemoryClock::new(0);
        let at = |ms| Monotonic::default().after_ms(ms);
        let mut context = Context::from_waker(Waker::noop());
        let (mut first, mut second) = (clock.sleep_until(at(5)), clock.sleep_until(at(5)));
        for _poll in 0..3 {
            assert!(first.as_mut().poll(&mut context).is_pending());
            assert!(second.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(clock.state.lock().sleepers.len(), 2);
        drop(second);
        assert_eq!(clock.state.lock().sleepers.len(), 1);
        assert_eq!(clock.next_deadline(), Some(at(5)));
        clock.advance(Duration::from_millis(5));
        assert!(first.as_mut().poll(&mut context).is_ready());
        assert_eq!(clock.next_deadline(), None);
    }
}
