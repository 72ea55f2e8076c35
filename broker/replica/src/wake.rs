//! Lists of waiters that an append wakes; those that wait for a flush are in `flush_gate`.
//! Core. Knows no time: deadlines belong to the waiting request.
//!
//! Invariants:
//! - I1. A waiter is woken at the latest by the append that reaches its place; it may be woken before.
//! - I2. To join, to leave and to be woken costs the logarithm of the number of waiters; an append that reaches no
//!   waiter's place looks at one of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::task::Waker;

use ottla_log::Position;
use parking_lot::Mutex;

/// Names one waiting request in every list it waits in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct WaiterId(u64);

impl WaiterId {
    pub fn next() -> WaiterId {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        WaiterId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A byte of a log: the base offset of its segment, and the position in it. Later bytes are greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LogPlace {
    segment: i64,
    position: u64,
}

impl LogPlace {
    /// Reached by whatever happens.
    pub const START: LogPlace = LogPlace { segment: i64::MIN, position: 0 };
    /// Reached by what concerns every waiter.
    pub const END: LogPlace = LogPlace { segment: i64::MAX, position: u64::MAX };

    /// So many bytes behind it in the same segment. Any place in a later segment lies behind that.
    pub fn plus(self, bytes: u64) -> LogPlace {
        LogPlace { segment: self.segment, position: self.position.saturating_add(bytes) }
    }
}

impl From<Position> for LogPlace {
    fn from(position: Position) -> LogPlace {
        LogPlace { segment: position.segment.0, position: position.position }
    }
}

/// Requests that want to look again when a log has grown up to the place they name.
#[derive(Debug, Default)]
pub struct WaitList {
    /// Lets an append skip the lock when nobody waits, which is the common case.
    any: AtomicBool,
    waiters: Mutex<BTreeMap<(LogPlace, WaiterId), Waker>>,
}

impl WaitList {
    /// Adds or refreshes a waiter. It stays until woken or left.
    pub fn join(&self, place: LogPlace, id: WaiterId, waker: &Waker) {
        let mut waiters = self.waiters.lock();
        waiters.entry((place, id)).or_insert_with(|| waker.clone()).clone_from(waker);
        self.any.store(true, Ordering::SeqCst);
        drop(waiters);
        // Either the look that follows sees an append, or that append sees the waiter.
        fence(Ordering::SeqCst);
    }

    /// The waiter waits for another place from now on. If it has been woken meanwhile, it stays so.
    pub fn change(&self, from: LogPlace, to: LogPlace, id: WaiterId) {
        let mut waiters = self.waiters.lock();
        if let Some(waker) = waiters.remove(&(from, id)) {
            waiters.insert((to, id), waker);
        }
    }

    pub fn leave(&self, place: LogPlace, id: WaiterId) {
        let mut waiters = self.waiters.lock();
        waiters.remove(&(place, id));
        if waiters.is_empty() {
            self.any.store(false, Ordering::SeqCst);
        }
    }

    /// Whether a wake would find a waiter.
    pub fn is_waited_for(&self) -> bool {
        fence(Ordering::SeqCst);
        self.any.load(Ordering::SeqCst)
    }

    /// The log reaches up to there now.
    pub fn wake(&self, reached: LogPlace) {
        if !self.is_waited_for() {
            return;
        }
        // One waiter is the common case, and needs no list.
        let (mut first, mut others) = (None, Vec::new());
        {
            let mut waiters = self.waiters.lock();
            while let Some(waiter) = waiters.first_entry()
                && waiter.key().0 <= reached
            {
                match first {
                    None => first = Some(waiter.remove()),
                    Some(_) => others.push(waiter.remove()),
                }
            }
            if waiters.is_empty() {
                self.any.store(false, Ordering::SeqCst);
            }
        }
        first.into_iter().chain(others).for_each(Waker::wake);
    }

    pub fn wake_all(&self) {
        self.wake(LogPlace::END);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// A waker, and how often it was woken.
    fn counted() -> (Arc<Counter>, Waker) {
        let counter = Arc::new(Counter::default());
        (counter.clone(), Waker::from(counter))
    }

    impl Counter {
        fn count(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    fn place(segment: i64, position: u64) -> LogPlace {
        LogPlace { segment, position }
    }

    #[test]
    fn an_append_wakes_each_waiter_once_and_those_who_left_never() {
        let (counter, waker) = counted();
        let list = WaitList::default();
        let (stays, leaves) = (WaiterId::next(), WaiterId::next());
        list.join(LogPlace::START, stays, &waker);
        list.join(LogPlace::START, stays, &waker);
        list.join(LogPlace::START, leaves, &waker);
        list.leave(LogPlace::START, leaves);
        list.wake(place(0, 1));
        list.wake_all();
        assert_eq!(counter.count(), 1);
        assert!(!list.is_waited_for());
    }

    #[test]
    fn an_append_wakes_only_those_whose_place_it_reaches() {
        let (near, near_waker) = counted();
        let (far, far_waker) = counted();
        let list = WaitList::default();
        list.join(place(0, 100), WaiterId::next(), &near_waker);
        list.join(place(0, 200), WaiterId::next(), &far_waker);
        list.wake(place(0, 99));
        assert_eq!((near.count(), far.count()), (0, 0));
        list.wake(place(0, 100));
        assert_eq!((near.count(), far.count()), (1, 0));
        // A segment further on, every place before it is reached.
        list.wake(place(7, 0));
        assert_eq!((near.count(), far.count()), (1, 1));
        list.join(place(7, 500), WaiterId::next(), &far_waker);
        list.wake(place(0, u64::MAX));
        assert_eq!(far.count(), 1);
        list.wake_all();
        assert_eq!(far.count(), 2);
    }

    #[test]
    fn a_changed_place_counts_and_a_woken_waiter_stays_woken() {
        let (counter, waker) = counted();
        let list = WaitList::default();
        let id = WaiterId::next();
        list.join(place(0, 10), id, &waker);
        list.change(place(0, 10), place(0, 20), id);
        list.wake(place(0, 10));
        assert_eq!(counter.count(), 0);
        list.wake(place(0, 20));
        list.change(place(0, 20), place(0, 30), id);
        list.wake_all();
        assert_eq!(counter.count(), 1);
    }
}
