//! How much memory all connections together may hold, who waits for some, and in which order.
//! Core: no clock; ticks are arguments.
//!
//! A connection holds `CONNECTION_FREE_BYTES` without asking. What it holds beyond that is charged
//! here. Answers are charged without waiting, since they exist already; only *reading more* waits.
//!
//! Invariants:
//! - M1. Waiters are served first come, first served.
//! - M2. The first in line may always go on: when the budget has no room it gets the one *pass*,
//!   which lets it complete its frame. So the budget is exceeded by at most one frame, and a budget
//!   full of halves of frames is no deadlock.
//! - M3. A pass holder whose frame does not arrive at `PASS_BYTES_PER_TICK_MIN` is named by
//!   `on_tick`, to be closed: a trickle must not stand in everybody's way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use crate::settings::CONNECTION_FREE_BYTES;

/// Charges are multiples of this, so that small changes touch nothing shared.
const CHARGE_STEP_BYTES: usize = 64 * 1024;

/// What a pass holder must receive from one tick to the next.
const PASS_BYTES_PER_TICK_MIN: usize = 256 * 1024;

pub struct MemoryBudget {
    limit_bytes: usize,
    used_bytes: AtomicUsize,
    /// Connections in line, so that a release needs no lock when there are none.
    waiting_count: AtomicUsize,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<(u64, Waker)>,
    pass: Option<Pass>,
}

struct Pass {
    connection: u64,
    /// Still receives the frame it was given the pass for.
    reading: bool,
    held_bytes: usize,
    held_bytes_at_last_tick: Option<usize>,
}

/// What one connection has of the budget; given back when dropped.
pub struct Charge {
    budget: Arc<MemoryBudget>,
    connection: u64,
    charged_bytes: usize,
    in_line: bool,
    has_pass: bool,
}

impl MemoryBudget {
    pub fn new(limit_bytes: usize) -> Arc<MemoryBudget> {
        Arc::new(MemoryBudget {
            limit_bytes,
            used_bytes: AtomicUsize::new(0),
            waiting_count: AtomicUsize::new(0),
            line: Mutex::new(Line::default()),
        })
    }

    pub fn charge(self: &Arc<MemoryBudget>, connection: u64) -> Charge {
        Charge { budget: Arc::clone(self), connection, charged_bytes: 0, in_line: false, has_pass: false }
    }

    pub fn used_bytes(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// One tick has passed: the connection that holds the pass and receives too little, if any.
    pub fn on_tick(&self) -> Option<u64> {
        let mut line = self.line.lock();
        let pass = line.pass.as_mut()?;
        let received = pass.held_bytes_at_last_tick.map(|last| pass.held_bytes.saturating_sub(last));
        pass.held_bytes_at_last_tick = Some(pass.held_bytes);
        (pass.reading && received? < PASS_BYTES_PER_TICK_MIN).then_some(pass.connection)
    }

    fn try_add(&self, bytes: usize) -> bool {
        self.used_bytes
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |used| {
                used.checked_add(bytes).filter(|sum| *sum <= self.limit_bytes)
            })
            .is_ok()
    }

    fn release(&self, bytes: usize) {
        self.used_bytes.fetch_sub(bytes, Ordering::SeqCst);
        self.wake_first();
    }

    fn wake_first(&self) {
        if self.waiting_count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let first = self.line.lock().waiting.front().map(|(_connection, waker)| waker.clone());
        if let Some(waker) = first {
            waker.wake();
        }
    }
}

fn charge_for(held_bytes: usize) -> usize {
    held_bytes.saturating_sub(CONNECTION_FREE_BYTES).next_multiple_of(CHARGE_STEP_BYTES)
}

impl Charge {
    /// Ready when this connection may read until it holds `held_bytes`; otherwise it is in line and
    /// is woken when its turn comes.
    pub fn poll_reserve(&mut self, context: &mut Context<'_>, held_bytes: usize) -> Poll<()> {
        let wanted = charge_for(held_bytes);
        if wanted <= self.charged_bytes {
            self.leave();
            return Poll::Ready(());
        }
        let more = wanted - self.charged_bytes;
        let budget = Arc::clone(&self.budget);
        if self.has_pass {
            budget.used_bytes.fetch_add(more, Ordering::SeqCst);
            self.charged_bytes = wanted;
            return Poll::Ready(());
        }
        if !self.in_line && budget.waiting_count.load(Ordering::SeqCst) == 0 && budget.try_add(more) {
            self.charged_bytes = wanted;
            return Poll::Ready(());
        }
        self.poll_line(context, &budget, more, held_bytes)
    }

    fn poll_line(
        &mut self,
        context: &mut Context<'_>,
        budget: &MemoryBudget,
        more: usize,
        held_bytes: usize,
    ) -> Poll<()> {
        let mut line = budget.line.lock();
        if !self.in_line {
            // Counted before the budget is looked at again: a release in between sees the count.
            budget.waiting_count.fetch_add(1, Ordering::SeqCst);
            line.waiting.push_back((self.connection, context.waker().clone()));
            self.in_line = true;
        }
        let is_first = line.waiting.front().is_some_and(|(first, _waker)| *first == self.connection);
        let served = is_first && {
            if budget.try_add(more) {
                true
            } else if line.pass.is_none() {
                budget.used_bytes.fetch_add(more, Ordering::SeqCst);
                line.pass = Some(Pass {
                    connection: self.connection,
                    reading: true,
                    held_bytes,
                    held_bytes_at_last_tick: None,
                });
                self.has_pass = true;
                true
            } else {
                false
            }
        };
        if served {
            self.charged_bytes += more;
            drop(line);
            self.leave();
            return Poll::Ready(());
        }
        if let Some((_connection, waker)) =
            line.waiting.iter_mut().find(|(connection, _waker)| *connection == self.connection)
        {
            waker.clone_from(context.waker());
        }
        Poll::Pending
    }

    /// Sets the charge to what is held now. `reading` says whether a frame is still incomplete.
    pub fn settle(&mut self, held_bytes: usize, reading: bool) {
        let wanted = charge_for(held_bytes);
        if wanted > self.charged_bytes {
            self.budget.used_bytes.fetch_add(wanted - self.charged_bytes, Ordering::SeqCst);
            self.charged_bytes = wanted;
        } else if wanted < self.charged_bytes {
            let less = self.charged_bytes - wanted;
            self.charged_bytes = wanted;
            self.budget.release(less);
        }
        if self.has_pass {
            self.settle_pass(held_bytes, reading);
        }
    }

    fn settle_pass(&mut self, held_bytes: usize, reading: bool) {
        let over = self.budget.used_bytes() > self.budget.limit_bytes;
        {
            let mut line = self.budget.line.lock();
            // The pass is kept while what it allowed is still held beyond the limit.
            if over && self.charged_bytes > 0 {
                if let Some(pass) = line.pass.as_mut() {
                    pass.reading = reading;
                    pass.held_bytes = held_bytes;
                }
                return;
            }
            line.pass = None;
        }
        self.has_pass = false;
        self.budget.wake_first();
    }

    /// This connection does not want to read now.
    pub fn leave(&mut self) {
        if !self.in_line {
            return;
        }
        self.in_line = false;
        {
            let mut line = self.budget.line.lock();
            line.waiting.retain(|(connection, _waker)| *connection != self.connection);
            self.budget.waiting_count.fetch_sub(1, Ordering::SeqCst);
        }
        self.budget.wake_first();
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.settle(0, false);
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_world::CountingWaker;

    const STEP: usize = CHARGE_STEP_BYTES;
    const FREE: usize = CONNECTION_FREE_BYTES;

    fn poll(charge: &mut Charge, held: usize) -> (bool, Arc<CountingWaker>) {
        let counting = CountingWaker::new();
        let waker = counting.waker();
        let ready = charge.poll_reserve(&mut Context::from_waker(&waker), held).is_ready();
        (ready, counting)
    }

    #[test]
    fn the_first_bytes_are_free_and_the_rest_is_given_back() {
        let budget = MemoryBudget::new(2 * STEP);
        let mut charge = budget.charge(1);
        assert!(poll(&mut charge, FREE).0);
        assert_eq!(budget.used_bytes(), 0);
        assert!(poll(&mut charge, FREE + 1).0);
        assert_eq!(budget.used_bytes(), STEP);
        drop(charge);
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn the_first_in_line_gets_the_pass_the_others_wait_in_order() {
        let budget = MemoryBudget::new(STEP);
        let mut holder = budget.charge(1);
        let mut first = budget.charge(2);
        let mut second = budget.charge(3);
        let mut third = budget.charge(4);
        assert!(poll(&mut holder, FREE + STEP).0);
        assert!(poll(&mut first, FREE + STEP).0, "the pass lets one go on");
        let (second_ready, second_woken) = poll(&mut second, FREE + STEP);
        let (third_ready, third_woken) = poll(&mut third, FREE + STEP);
        assert!(!second_ready && !third_ready);
        assert!(poll(&mut first, FREE + 5 * STEP).0, "the pass holder completes its frame");

        // Its answer was sent: the pass goes to the next.
        first.settle(0, false);
        assert!(second_woken.count() >= 1);
        assert_eq!(third_woken.count(), 0);
        assert!(!poll(&mut third, FREE + STEP).0, "it is not its turn");
        assert!(poll(&mut second, FREE + STEP).0);
        drop(second);
        drop(holder);
        assert!(poll(&mut third, FREE + STEP).0);
        drop(third);
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn a_small_connection_never_waits() {
        let budget = MemoryBudget::new(0);
        let mut large = budget.charge(1);
        let mut waiting = budget.charge(2);
        assert!(poll(&mut large, FREE + STEP).0, "by the pass");
        assert!(!poll(&mut waiting, FREE + STEP).0);
        assert!(poll(&mut budget.charge(3), FREE).0);
    }

    #[test]
    fn one_that_leaves_the_line_lets_the_next_go_on() {
        let budget = MemoryBudget::new(0);
        let mut pass = budget.charge(1);
        let mut first = budget.charge(2);
        let mut second = budget.charge(3);
        assert!(poll(&mut pass, FREE + STEP).0);
        assert!(!poll(&mut first, FREE + STEP).0);
        let (ready, woken) = poll(&mut second, FREE + STEP);
        assert!(!ready);
        drop(first);
        assert_eq!(woken.count(), 1);
        drop(pass);
        assert!(poll(&mut second, FREE + STEP).0);
    }

    #[test]
    fn a_trickling_pass_holder_is_named() {
        let budget = MemoryBudget::new(0);
        let mut charge = budget.charge(7);
        assert_eq!(budget.on_tick(), None);
        assert!(poll(&mut charge, FREE + STEP).0);
        assert_eq!(budget.on_tick(), None, "it has had no whole tick yet");
        charge.settle(FREE + STEP + PASS_BYTES_PER_TICK_MIN, true);
        assert_eq!(budget.on_tick(), None, "its frame arrives");
        assert_eq!(budget.on_tick(), Some(7), "nothing has arrived");
        charge.settle(FREE + STEP + PASS_BYTES_PER_TICK_MIN, false);
        assert_eq!(budget.on_tick(), None, "its frame is whole and its answer awaited");
        charge.settle(0, false);
        assert_eq!(budget.used_bytes(), 0);
    }
}
