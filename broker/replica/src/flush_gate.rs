//! How far a partition's log is known to survive, and the acknowledgements that wait.
//! Core. Knows no time: deadlines belong to the waiting request.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::task::{Context, Waker};

use ottla_model::Offset;
use parking_lot::Mutex;

/// Where an acknowledgement stands in the list; `None` before it waits.
pub type Ticket = Option<u64>;

struct Waiter {
    ticket: u64,
    end: i64,
    waker: Waker,
}

#[derive(Default)]
struct Waiters {
    next: u64,
    /// In the order of their tickets.
    list: Vec<Waiter>,
}

/// One for each partition. It wakes those whose end was passed, or all; a waiter that wakes looks again and
/// may join again.
pub struct FlushGate {
    durable: AtomicI64,
    is_failed: AtomicBool,
    waiters: Mutex<Waiters>,
}

impl FlushGate {
    pub fn new(durable: Offset) -> FlushGate {
        FlushGate {
            durable: AtomicI64::new(durable.0),
            is_failed: AtomicBool::new(false),
            waiters: Mutex::default(),
        }
    }

    /// Everything below `offset` survives a loss of power from now on.
    pub fn on_flush(&self, offset: Offset) {
        self.durable.fetch_max(offset.0, Ordering::SeqCst);
        self.wake_up_to(offset);
    }

    /// Nothing more becomes durable here.
    pub fn on_failure(&self) {
        self.is_failed.store(true, Ordering::SeqCst);
        self.wake_all();
    }

    pub fn is_durable(&self, end: Offset) -> bool {
        self.durable.load(Ordering::SeqCst) >= end.0
    }

    pub fn is_failed(&self) -> bool {
        self.is_failed.load(Ordering::SeqCst)
    }

    /// Adds or refreshes one that waits for `end`. Register first, then look: what passes in between
    /// wakes it.
    pub fn join(&self, ticket: &mut Ticket, end: Offset, context: &Context<'_>) {
        let mut waiters = self.waiters.lock();
        if let Some(place) = ticket.and_then(|ticket| waiters.place_of(ticket)) {
            waiters.list[place].waker.clone_from(context.waker());
            return;
        }
        let next = waiters.next;
        waiters.next += 1;
        waiters.list.push(Waiter { ticket: next, end: end.0, waker: context.waker().clone() });
        *ticket = Some(next);
    }

    pub fn leave(&self, ticket: Ticket) {
        let Some(ticket) = ticket else { return };
        let mut waiters = self.waiters.lock();
        if let Some(place) = waiters.place_of(ticket) {
            waiters.list.remove(place);
        }
    }

    /// Wakes those whose end is not above `offset`.
    pub fn wake_up_to(&self, offset: Offset) {
        let woken: Vec<Waiter> = {
            let mut waiters = self.waiters.lock();
            waiters.list.extract_if(.., |waiter| waiter.end <= offset.0).collect()
        };
        woken.into_iter().for_each(|waiter| waiter.waker.wake());
    }

    /// The rule that they wait under has changed, or there is nothing more to wait for.
    pub fn wake_all(&self) {
        let woken = std::mem::take(&mut self.waiters.lock().list);
        woken.into_iter().for_each(|waiter| waiter.waker.wake());
    }

    pub fn waiter_count(&self) -> usize {
        self.waiters.lock().list.len()
    }
}

impl Waiters {
    fn place_of(&self, ticket: u64) -> Option<usize> {
        self.list.binary_search_by_key(&ticket, |waiter| waiter.ticket).ok()
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

    impl Counter {
        fn count(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn a_flush_wakes_only_those_it_satisfies() {
        let counter = Arc::new(Counter::default());
        let waker = Waker::from(counter.clone());
        let context = Context::from_waker(&waker);
        let gate = FlushGate::new(Offset(5));
        assert!(gate.is_durable(Offset(5)) && !gate.is_durable(Offset(6)));
        let (mut seventh, mut ninth) = (None, None);
        gate.join(&mut seventh, Offset(7), &context);
        gate.join(&mut ninth, Offset(9), &context);
        gate.on_flush(Offset(8));
        assert_eq!((counter.count(), gate.waiter_count()), (1, 1));
        assert!(gate.is_durable(Offset(7)) && !gate.is_failed());
        gate.on_failure();
        assert_eq!((counter.count(), gate.waiter_count()), (2, 0));
        assert!(gate.is_failed() && !gate.is_durable(Offset(9)));
    }

    #[test]
    fn a_waiter_that_looks_again_is_in_the_list_once_and_one_that_left_not_at_all() {
        let (first, second) = (Arc::new(Counter::default()), Arc::new(Counter::default()));
        let wakers = [Waker::from(first.clone()), Waker::from(second.clone())];
        let gate = FlushGate::new(Offset(0));
        let (mut stays, mut leaves) = (None, None);
        gate.join(&mut stays, Offset(1), &Context::from_waker(&wakers[0]));
        gate.join(&mut leaves, Offset(1), &Context::from_waker(&wakers[0]));
        gate.join(&mut stays, Offset(1), &Context::from_waker(&wakers[1]));
        assert_eq!(gate.waiter_count(), 2);
        gate.leave(leaves);
        gate.leave(None);
        gate.on_flush(Offset(1));
        assert_eq!((first.count(), second.count(), gate.waiter_count()), (0, 1, 0));
        gate.leave(stays);
    }
}
