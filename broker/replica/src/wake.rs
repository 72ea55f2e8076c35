//! Lists of waiters that an append wakes; those that wait for a flush are in `flush_gate`.
//! Core. Knows no time: deadlines belong to the waiting request.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;

use parking_lot::Mutex;

/// Names one waiting request in every list it waits in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaiterId(u64);

impl WaiterId {
    pub fn next() -> WaiterId {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        WaiterId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Requests that want to look again when something was appended to one partition.
#[derive(Default)]
pub struct WaitList {
    /// Lets an append skip the lock when nobody waits, which is the common case.
    any: AtomicBool,
    waiters: Mutex<Vec<(WaiterId, Waker)>>,
}

impl WaitList {
    /// Adds or refreshes a waiter. It stays until woken or left.
    pub fn join(&self, id: WaiterId, waker: &Waker) {
        let mut waiters = self.waiters.lock();
        match waiters.iter_mut().find(|(waiting, _)| *waiting == id) {
            Some((_, known)) => known.clone_from(waker),
            None => waiters.push((id, waker.clone())),
        }
        self.any.store(true, Ordering::SeqCst);
    }

    pub fn leave(&self, id: WaiterId) {
        let mut waiters = self.waiters.lock();
        waiters.retain(|(waiting, _)| *waiting != id);
        if waiters.is_empty() {
            self.any.store(false, Ordering::SeqCst);
        }
    }

    pub fn wake_all(&self) {
        if !self.any.load(Ordering::SeqCst) {
            return;
        }
        let woken = {
            let mut waiters = self.waiters.lock();
            self.any.store(false, Ordering::SeqCst);
            std::mem::take(&mut *waiters)
        };
        for (_, waker) in woken {
            waker.wake();
        }
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

    #[test]
    fn an_append_wakes_each_waiter_once_and_those_who_left_never() {
        let counter = Arc::new(Counter::default());
        let waker = Waker::from(counter.clone());
        let list = WaitList::default();
        let (stays, leaves) = (WaiterId::next(), WaiterId::next());
        list.join(stays, &waker);
        list.join(stays, &waker);
        list.join(leaves, &waker);
        list.leave(leaves);
        list.wake_all();
        list.wake_all();
        assert_eq!(counter.0.load(Ordering::SeqCst), 1);
    }
}
