//! The two clocks of a cluster, records' time (the wall's) and the timers' (the steady one): they run, stand, are moved.
//! Shell around the machine's clock. What waits for the steady clock waits here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ottla_env::{BoxFuture, Clock, Monotonic};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::named_tasks;

/// Settling is given up after so long, and looked at so often.
const SETTLE_MAX: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Thousandths.
const NORMAL_RATE: u32 = 1_000;
/// So many looks in a row without anybody due: what was woken has begun to wait again.
const QUIET_LOOKS: u32 = 5;

/// What a clock does by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    #[default]
    Real,
    Frozen,
    /// So many thousandths as fast as the machine's.
    Scaled(u32),
}

impl Mode {
    fn rate(self) -> u32 {
        match self {
            Mode::Real => NORMAL_RATE,
            Mode::Frozen => 0,
            Mode::Scaled(rate) => rate,
        }
    }
}

#[derive(Clone)]
pub struct LabClock {
    machine: Arc<dyn Clock>,
    hands: Arc<Hands>,
}

struct Hands {
    state: Mutex<State>,
    /// A clock was moved, stopped or started.
    moved: Notify,
}

struct State {
    mode: Mode,
    /// What the machine's two clocks said when these were last set.
    machine_ms: i64,
    machine: i128,
    /// What these said then.
    records_ms: i64,
    /// As nanoseconds.
    timers: i128,
    /// Those who wait, by their deadline.
    sleepers: BTreeSet<(Monotonic, u64)>,
    next: u64,
    /// Timers that ended, by the task that waited.
    fired: BTreeMap<&'static str, u64>,
}

/// Both clocks, to be shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    pub mode: Mode,
    pub records_ms: i64,
    pub timers: Monotonic,
    /// When the first of those who wait is due.
    pub next: Option<Monotonic>,
}

/// What came of a move.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moved {
    /// How many timers ended, by the task that waited.
    pub fired: BTreeMap<&'static str, u64>,
    pub is_settled: bool,
}

/// How far to move each clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Step {
    pub records: Duration,
    pub timers: Duration,
}

impl LabClock {
    pub fn new(machine: Arc<dyn Clock>) -> LabClock {
        LabClock::in_mode(machine, Mode::Real)
    }

    pub fn in_mode(machine: Arc<dyn Clock>, mode: Mode) -> LabClock {
        let (wall_ms, steady) = (machine.wall_ms(), nanos(machine.monotonic()));
        let state = State {
            mode,
            machine_ms: wall_ms,
            machine: steady,
            records_ms: wall_ms,
            timers: steady,
            sleepers: BTreeSet::new(),
            next: 0,
            fired: BTreeMap::new(),
        };
        LabClock { machine, hands: Arc::new(Hands { state: Mutex::new(state), moved: Notify::new() }) }
    }

    /// Another pair that stands or runs as this one does, and is moved by itself from here on.
    pub fn copy(&self) -> LabClock {
        let copy = LabClock::new(self.machine.clone());
        let state = self.hands.state.lock();
        let mut copied = copy.hands.state.lock();
        copied.mode = state.mode;
        (copied.machine_ms, copied.machine) = (state.machine_ms, state.machine);
        (copied.records_ms, copied.timers) = (state.records_ms, state.timers);
        drop(copied);
        copy
    }

    pub fn read(&self) -> Reading {
        let (records_ms, timers) = (self.wall_ms(), self.monotonic());
        let state = self.hands.state.lock();
        let next = state.sleepers.first().map(|(deadline, _)| *deadline);
        Reading { mode: state.mode, records_ms, timers, next }
    }

    /// Neither clock jumps by it.
    pub fn set_mode(&self, mode: Mode) {
        let (wall_ms, steady) = (self.machine.wall_ms(), self.machine.monotonic());
        let mut state = self.hands.state.lock();
        let (records_ms, timers) = (records_at(&state, wall_ms), timers_at(&state, steady));
        (state.machine_ms, state.machine) = (wall_ms, nanos(steady));
        (state.records_ms, state.timers) = (records_ms, timers);
        state.mode = mode;
        drop(state);
        self.hands.moved.notify_waiters();
    }

    /// Records' time is from here on that of another pair, earlier or later. The timers' goes on: it never goes back.
    pub fn take_records_time(&self, of: &LabClock) {
        let (wall_ms, steady) = (self.machine.wall_ms(), self.machine.monotonic());
        let records_ms = of.wall_ms();
        let mut state = self.hands.state.lock();
        let timers = timers_at(&state, steady);
        (state.machine_ms, state.machine) = (wall_ms, nanos(steady));
        (state.records_ms, state.timers) = (records_ms, timers);
        drop(state);
        self.hands.moved.notify_waiters();
    }

    /// Moves the clocks forward, and waits until all who became due have gone on and wait again.
    pub async fn advance(&self, step: Step) -> Moved {
        let before = {
            let mut state = self.hands.state.lock();
            state.records_ms += i64::try_from(step.records.as_millis()).unwrap_or(i64::MAX);
            state.timers += step.timers.as_nanos() as i128;
            state.fired.clone()
        };
        self.hands.moved.notify_waiters();
        let is_settled = self.settle().await;
        let mut fired = self.hands.state.lock().fired.clone();
        for (what, count) in before {
            if let Some(fired) = fired.get_mut(what) {
                assert!(*fired >= count, "what has ended stays so");
                *fired -= count;
            }
        }
        fired.retain(|_, count| *count > 0);
        Moved { fired, is_settled }
    }

    async fn settle(&self) -> bool {
        let over = self.machine.monotonic().after(SETTLE_MAX);
        let mut quiet = 0;
        while quiet < QUIET_LOOKS {
            let now = self.machine.monotonic();
            if now >= over {
                return false;
            }
            self.machine.sleep_until(now.after(LOOK_EVERY)).await;
            let now = self.monotonic();
            let state = self.hands.state.lock();
            let is_due = state.sleepers.first().is_some_and(|(deadline, _)| *deadline <= now);
            quiet = if is_due { 0 } else { quiet + 1 };
        }
        true
    }

    /// What stands between now and a deadline: nothing, the machine's clock, or a test.
    fn wait(&self, deadline: Monotonic) -> Wait {
        let state = self.hands.state.lock();
        if self.steady(&state) >= deadline {
            return Wait::Over;
        }
        match i128::from(state.mode.rate()) {
            0 => Wait::Moved,
            // Not before it: what is left is rounded up.
            rate => {
                let left = (nanos(deadline) - state.timers) * i128::from(NORMAL_RATE);
                Wait::Machine(monotonic(state.machine + (left + rate - 1).div_euclid(rate)))
            }
        }
    }

    fn steady(&self, state: &State) -> Monotonic {
        monotonic(timers_at(state, self.machine.monotonic()))
    }
}

fn records_at(state: &State, machine_ms: i64) -> i64 {
    let passed = i128::from(machine_ms) - i128::from(state.machine_ms);
    let passed = passed * i128::from(state.mode.rate()) / i128::from(NORMAL_RATE);
    state.records_ms.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX))
}

fn timers_at(state: &State, machine: Monotonic) -> i128 {
    let passed = nanos(machine) - state.machine;
    state.timers + passed * i128::from(state.mode.rate()) / i128::from(NORMAL_RATE)
}

enum Wait {
    Over,
    Moved,
    Machine(Monotonic),
}

fn nanos(at: Monotonic) -> i128 {
    at.0.as_nanos() as i128
}

/// Before the beginning is the beginning; beyond what a duration holds is its end.
fn monotonic(nanos: i128) -> Monotonic {
    let nanos = nanos.max(0) as u128;
    let (seconds, rest) = (nanos / 1_000_000_000, (nanos % 1_000_000_000) as u32);
    Monotonic(Duration::new(u64::try_from(seconds).unwrap_or(u64::MAX), rest))
}

/// One who waits.
struct Place {
    hands: Arc<Hands>,
    at: (Monotonic, u64),
    /// The task that waits.
    what: &'static str,
    is_over: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.hands.state.lock();
        state.sleepers.remove(&self.at);
        if self.is_over {
            *state.fired.entry(self.what).or_default() += 1;
        }
    }
}

impl Clock for LabClock {
    fn wall_ms(&self) -> i64 {
        let machine_ms = self.machine.wall_ms();
        records_at(&self.hands.state.lock(), machine_ms)
    }

    fn monotonic(&self) -> Monotonic {
        self.steady(&self.hands.state.lock())
    }

    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        Box::pin(async move {
            let at = {
                let mut state = clock.hands.state.lock();
                state.next += 1;
                let at = (deadline, state.next);
                state.sleepers.insert(at);
                at
            };
            let what = named_tasks::current();
            let mut place = Place { hands: Arc::clone(&clock.hands), at, what, is_over: false };
            loop {
                // Asked for before the clock is looked at, so that no move is missed.
                let moved = clock.hands.moved.notified();
                tokio::pin!(moved);
                moved.as_mut().enable();
                match clock.wait(deadline) {
                    Wait::Over => break,
                    Wait::Moved => moved.await,
                    Wait::Machine(until) => {
                        tokio::select! {
                            () = moved => {}
                            () = clock.machine.sleep_until(until) => {}
                        }
                    }
                }
            }
            place.is_over = true;
        })
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use ottla_env::memory::MemoryClock;

    use super::*;

    fn clocks() -> (MemoryClock, LabClock) {
        let machine = MemoryClock::new(1_000_000);
        let clock = LabClock::new(Arc::new(machine.clone()));
        (machine, clock)
    }

    fn is_ready(future: &mut BoxFuture<'static, ()>) -> bool {
        future.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    /// Moves a clock, and settles by moving the machine's.
    fn advance(machine: &MemoryClock, clock: &LabClock, step: Step) -> (u64, bool) {
        let mut moving = Box::pin(clock.advance(step));
        loop {
            match moving.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(moved) => return (moved.fired.values().sum(), moved.is_settled),
                Poll::Pending => machine.advance(LOOK_EVERY),
            }
        }
    }

    #[test]
    fn each_clock_is_moved_by_itself_and_goes_on_with_the_machines() {
        let (machine, clock) = clocks();
        advance(&machine, &clock, Step { records: Duration::from_secs(60), timers: Duration::ZERO });
        let before = clock.read();
        assert_eq!(before.records_ms, machine.wall_ms() + 60_000);
        assert_eq!(before.timers, machine.monotonic());
        advance(&machine, &clock, Step { records: Duration::ZERO, timers: Duration::from_secs(5) });
        assert_eq!(clock.monotonic(), machine.monotonic().after(Duration::from_secs(5)));
        assert_eq!(clock.wall_ms(), machine.wall_ms() + 60_000);
    }

    #[test]
    fn a_clock_that_stands_moves_only_when_it_is_moved_and_does_not_jump() {
        let (machine, clock) = clocks();
        machine.advance(Duration::from_secs(3));
        clock.set_mode(Mode::Frozen);
        let stands = clock.read();
        machine.advance(Duration::from_secs(100));
        assert_eq!(clock.read(), stands);
        advance(&machine, &clock, Step { records: Duration::from_secs(1), timers: Duration::from_secs(2) });
        assert_eq!(clock.read().records_ms, stands.records_ms + 1_000);
        let before = clock.read();
        clock.set_mode(Mode::Real);
        assert_eq!((clock.wall_ms(), clock.monotonic()), (before.records_ms, before.timers));
        machine.advance(Duration::from_secs(1));
        assert_eq!(clock.wall_ms(), before.records_ms + 1_000);
    }

    #[test]
    fn a_clock_that_runs_faster_or_slower_wakes_who_waits_in_its_own_time() {
        let (machine, clock) = clocks();
        let before = clock.read();
        clock.set_mode(Mode::Scaled(60_000));
        let mut waits = clock.sleep_until(clock.monotonic().after(Duration::from_secs(60)));
        assert!(!is_ready(&mut waits));
        machine.advance(Duration::from_millis(999));
        assert!(!is_ready(&mut waits));
        machine.advance(Duration::from_millis(1));
        assert!(is_ready(&mut waits));
        let after = clock.read();
        assert_eq!(after.records_ms, before.records_ms + 60_000);
        assert_eq!(before.timers.until(after.timers), Duration::from_secs(60));
        clock.set_mode(Mode::Scaled(500));
        machine.advance(Duration::from_secs(10));
        assert_eq!(clock.wall_ms(), after.records_ms + 5_000);
        advance(&machine, &clock, Step { records: Duration::from_secs(1), timers: Duration::ZERO });
        clock.set_mode(Mode::Real);
        let stands = clock.wall_ms();
        machine.advance(Duration::from_secs(1));
        assert_eq!(clock.wall_ms(), stands + 1_000);
    }

    #[test]
    fn who_waits_goes_on_when_the_clock_is_there_however_it_came_there() {
        let (machine, clock) = clocks();
        let mut by_machine = clock.sleep_until(clock.monotonic().after(Duration::from_secs(1)));
        let mut by_test = clock.sleep_until(clock.monotonic().after(Duration::from_secs(3600)));
        assert!(!is_ready(&mut by_machine) && !is_ready(&mut by_test));
        machine.advance(Duration::from_secs(2));
        assert!(is_ready(&mut by_machine) && !is_ready(&mut by_test));
        clock.set_mode(Mode::Frozen);
        assert!(!is_ready(&mut by_test));
        machine.advance(Duration::from_secs(7200));
        assert!(!is_ready(&mut by_test), "the clock stands");
        let next = clock.read().next.expect("somebody waits");
        let mut moving =
            Box::pin(clock.advance(Step { records: Duration::ZERO, timers: clock.monotonic().until(next) }));
        let mut context = Context::from_waker(Waker::noop());
        assert!(moving.as_mut().poll(&mut context).is_pending(), "one is due and has not gone on");
        assert!(is_ready(&mut by_test));
        while moving.as_mut().poll(&mut context).is_pending() {
            machine.advance(LOOK_EVERY);
        }
        assert_eq!(clock.read().next, None);
    }

    #[test]
    fn a_copy_shows_the_same_and_is_moved_by_itself() {
        let (machine, clock) = clocks();
        let hour = Step { records: Duration::from_secs(3600), timers: Duration::from_secs(60) };
        advance(&machine, &clock, hour);
        let copy = clock.copy();
        assert_eq!((copy.wall_ms(), copy.monotonic()), (clock.wall_ms(), clock.monotonic()));
        advance(&machine, &copy, hour);
        assert_eq!(copy.wall_ms(), clock.wall_ms() + 3_600_000);
        clock.set_mode(Mode::Frozen);
        assert_eq!((clock.copy().read().mode, copy.read().mode), (Mode::Frozen, Mode::Real));
    }

    #[test]
    fn who_stops_waiting_is_forgotten_and_has_not_fired() {
        let (machine, clock) = clocks();
        let mut waits = clock.sleep_until(clock.monotonic().after(Duration::from_secs(1)));
        assert!(!is_ready(&mut waits));
        assert!(clock.read().next.is_some());
        drop(waits);
        assert_eq!(clock.read().next, None);
        assert_eq!(
            advance(&machine, &clock, Step { records: Duration::ZERO, timers: Duration::from_secs(9) }),
            (0, true)
        );
    }
}
