//! Lists of waiters: who is woken by an append, and who by a flush.
//! Core. Knows no time: deadlines belong to the waiting request.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use ottla_model::Offset;
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

/// How far a partition's log is known to survive, and who waits for it to get further.
pub struct FlushGate {
    durable: AtomicI64,
    failed: AtomicBool,
    waiters: Mutex<Vec<(i64, Waker)>>,
}

/// The log directory failed: what was not durable before will not become so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StorageFailed;

impl FlushGate {
    pub fn new(durable: Offset) -> FlushGate {
        FlushGate {
            durable: AtomicI64::new(durable.0),
            failed: AtomicBool::new(false),
            waiters: Mutex::new(Vec::new()),
        }
    }

    /// Everything below `offset` survives any single failure from now on.
    pub fn on_flush(&self, offset: Offset) {
        self.durable.fetch_max(offset.0, Ordering::SeqCst);
        let woken: Vec<Waker> = {
            let mut waiters = self.waiters.lock();
            let mut woken = Vec::with_capacity(waiters.len());
            waiters.retain(|(until, waker)| {
                let stays = *until > offset.0;
                if !stays {
                    woken.push(waker.clone());
                }
                stays
            });
            woken
        };
        woken.into_iter().for_each(Waker::wake);
    }

    /// Nothing more becomes durable here.
    pub fn on_failure(&self) {
        self.failed.store(true, Ordering::SeqCst);
        let woken = std::mem::take(&mut *self.waiters.lock());
        for (_, waker) in woken {
            waker.wake();
        }
    }

    pub fn is_durable(&self, until: Offset) -> bool {
        self.durable.load(Ordering::SeqCst) >= until.0
    }

    /// Ready when everything below `until` survives, or never will.
    pub fn poll_durable(&self, until: Offset, context: &mut Context<'_>) -> Poll<Result<(), StorageFailed>> {
        if let Some(done) = self.settled(until) {
            return Poll::Ready(done);
        }
        {
            let mut waiters = self.waiters.lock();
            match waiters
                .iter_mut()
                .find(|(waiting, waker)| *waiting == until.0 && waker.will_wake(context.waker()))
            {
                Some(_) => {}
                None => waiters.push((until.0, context.waker().clone())),
            }
        }
        // A flush between the first look and the registration has woken nobody.
        match self.settled(until) {
            Some(done) => Poll::Ready(done),
            None => Poll::Pending,
        }
    }

    fn settled(&self, until: Offset) -> Option<Result<(), StorageFailed>> {
        if self.is_durable(until) {
            return Some(Ok(()));
        }
        self.failed.load(Ordering::SeqCst).then_some(Err(StorageFailed))
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

    #[test]
    fn a_flush_wakes_only_those_it_satisfies() {
        let counter = Arc::new(Counter::default());
        let waker = Waker::from(counter.clone());
        let mut context = Context::from_waker(&waker);
        let gate = FlushGate::new(Offset(5));
        assert_eq!(gate.poll_durable(Offset(5), &mut context), Poll::Ready(Ok(())));
        assert_eq!(gate.poll_durable(Offset(7), &mut context), Poll::Pending);
        assert_eq!(gate.poll_durable(Offset(9), &mut context), Poll::Pending);
        gate.on_flush(Offset(8));
        assert_eq!(counter.0.load(Ordering::SeqCst), 1);
        assert_eq!(gate.poll_durable(Offset(7), &mut context), Poll::Ready(Ok(())));
        gate.on_failure();
        assert_eq!(gate.poll_durable(Offset(9), &mut context), Poll::Ready(Err(StorageFailed)));
    }
}
