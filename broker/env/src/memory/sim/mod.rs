//! A world of several machines from a seed: one thread runs all their tasks, in an order that the seed decides.
//! Shell.
//!
//! Time stands while there is anything to do, and then jumps to what is due next. Nothing here reads the machine's clock,
//! and nothing runs beside the one turn that is being taken: the same seed gives the same turns.
//!
//! Reading order: `agenda` (what is due when), `turns` (whose turn it is), `tasks` and `clock` (a host's view of both),
//! `net` and `stream` (its view of the network).

mod agenda;
mod clock;
mod net;
mod stream;
mod tasks;
#[cfg(test)]
mod tests;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use self::agenda::{Agenda, Event};
use self::clock::{HostClock, Walls};
use self::net::NetState;
pub use self::net::{HostNet, Link};
use self::tasks::{HostTasks, TaskTable};
use self::turns::Ready;
use super::rng::SeededRng;
use crate::disk::Disk;
use crate::{Clock, Env, Monotonic};

/// Turns at one moment after which something spins.
const TURNS_AT_A_MOMENT_MAX: u64 = 400_000;

/// One of the machines.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostId(pub u16);

/// The world. Clones are the same one.
#[derive(Clone)]
pub struct SimWorld {
    shared: Arc<Shared>,
}

struct Shared {
    rng: SeededRng,
    agenda: Mutex<Agenda>,
    ready: Arc<Ready>,
    tasks: Mutex<TaskTable>,
    net: Mutex<NetState>,
    walls: Walls,
    trace: Mutex<Trace>,
}

/// What two runs of a seed are compared by.
struct Trace {
    hash: u64,
    turns: u64,
    turns_at_this_moment: u64,
    /// The hash after each turn, and whose it was, where it is wanted.
    kept: Option<Vec<(u64, Duration, &'static str)>>,
}

impl SimWorld {
    pub fn new(seed: u64) -> SimWorld {
        let shared = Shared {
            rng: SeededRng::new(seed),
            agenda: Mutex::default(),
            ready: Arc::default(),
            tasks: Mutex::default(),
            net: Mutex::new(NetState::new()),
            walls: Walls::default(),
            trace: Mutex::new(Trace {
                hash: 0xcbf2_9ce4_8422_2325,
                turns: 0,
                turns_at_this_moment: 0,
                kept: None,
            }),
        };
        SimWorld { shared: Arc::new(shared) }
    }

    /// The outside world as one machine has it. Numbers of its own come from `seed`.
    pub fn env(&self, host: HostId, disk: Arc<dyn Disk>, seed: u64) -> Env {
        Env {
            clock: Arc::new(HostClock { shared: self.shared.clone(), host }),
            disk,
            net: Arc::new(HostNet { shared: self.shared.clone(), host }),
            rng: Arc::new(SeededRng::new(seed)),
            tasks: Arc::new(HostTasks { shared: self.shared.clone(), host }),
        }
    }

    pub fn now(&self) -> Duration {
        self.shared.agenda.lock().now
    }

    /// The wall clock of a machine jumps, either way.
    pub fn shift_wall(&self, host: HostId, by_ms: i64) {
        self.shared.walls.shift(host, by_ms);
    }

    /// A machine's clock runs faster than the world's by so many millionths, or slower. Before anything looks at it.
    pub fn set_clock_rate(&self, host: HostId, millionths: i32) {
        assert!(self.now() == Duration::ZERO, "a steady clock never goes back");
        self.shared.walls.set_rate(host, millionths);
    }

    /// The process of a machine is stopped, or goes on (SIGSTOP, SIGCONT). What arrives meanwhile waits.
    pub fn set_paused(&self, host: HostId, is_paused: bool) {
        self.shared.ready.set_paused(host, is_paused);
    }

    /// How long a write to a machine's device takes.
    pub fn set_disk_delay(&self, host: HostId, from: Duration, to: Duration) {
        self.shared.tasks.lock().disk_delays.insert(host, (from, to));
    }

    /// The process of a machine is gone (`kill -9`): its tasks end where they are, its connections are reset.
    pub fn kill(&self, host: HostId) {
        net::process_is_gone(&self.shared, host, true);
        self.end_tasks(host);
    }

    /// The machine is gone: nobody hears of it until it is there again.
    pub fn lose_power(&self, host: HostId) {
        net::process_is_gone(&self.shared, host, false);
        self.end_tasks(host);
    }

    /// The machine is there again.
    pub fn power_on(&self, host: HostId) {
        net::power_on(&self.shared, host);
    }

    /// Ends all tasks and what they hold, which else would hold the world for ever.
    pub fn end(&self) {
        let hosts = self.shared.tasks.lock().hosts();
        hosts.into_iter().for_each(|host| self.kill(host));
        let held = self.shared.net.lock().take_all();
        drop(held);
    }

    fn end_tasks(&self, host: HostId) {
        self.shared.ready.forget(host);
        let ended = self.shared.tasks.lock().remove_host(host);
        // Outside of the lock: what they hold may end others.
        drop(ended);
        self.shared.ready.forget(host);
        assert!(self.shared.tasks.lock().of(host) == 0, "a process that is gone begins nothing");
    }

    /// What lies between two machines, in one direction.
    pub fn link(&self, from: HostId, to: HostId) -> Link {
        Link::new(self.shared.clone(), from, to)
    }

    /// All connections between two machines are reset, as by a box between them that forgot them.
    pub fn break_connections(&self, one: HostId, other: HostId) {
        net::break_connections(&self.shared, one, other);
    }

    /// Takes turns until a moment; those at the moment itself are taken.
    pub fn run_until(&self, moment: Duration) {
        while self.turn(moment) {}
    }

    /// Takes turns until something is so, at most until a moment. Says whether it is.
    pub fn run_until_so(&self, moment: Duration, is_so: impl Fn() -> bool) -> bool {
        loop {
            if is_so() {
                return true;
            }
            if !self.turn(moment) {
                return is_so();
            }
        }
    }

    /// Takes one turn, or lets time pass to what is due next. False where nothing is left until `moment`, which it is then.
    pub fn turn(&self, moment: Duration) -> bool {
        if let Some((host, turn)) = self.shared.ready.take(&self.shared.rng) {
            let name = tasks::take_turn(&self.shared, host, turn);
            self.note_turn(host, name);
            return true;
        }
        let due = self.shared.agenda.lock().take_due(moment);
        self.shared.trace.lock().turns_at_this_moment = 0;
        let Some(event) = due else { return false };
        match event {
            Event::Wake(waker) => waker.wake(),
            Event::Net(event) => net::happen(&self.shared, event),
            Event::Disk(host, turn) => self.shared.ready.push(host, turn),
        }
        true
    }

    fn note_turn(&self, host: HostId, name: &'static str) {
        let now = self.now();
        let mut trace = self.shared.trace.lock();
        trace.mix(now.as_nanos() as u64);
        trace.mix(u64::from(host.0));
        name.bytes().for_each(|byte| trace.mix(u64::from(byte)));
        trace.turns += 1;
        trace.turns_at_this_moment += 1;
        assert!(trace.turns_at_this_moment < TURNS_AT_A_MOMENT_MAX, "{name} of {host:?} spins");
        let hash = trace.hash;
        if let Some(kept) = &mut trace.kept {
            kept.push((hash, now, name));
        }
    }

    /// Adds what a history did to what runs are compared by.
    pub fn note(&self, number: u64) {
        self.shared.trace.lock().mix(number);
    }

    /// Keeps each turn from here on, to see where two runs part.
    pub fn keep_trace(&self) {
        self.shared.trace.lock().kept = Some(Vec::new());
    }

    pub fn kept_trace(&self) -> Vec<(u64, Duration, &'static str)> {
        self.shared.trace.lock().kept.clone().unwrap_or_default()
    }

    /// A hash of all turns, and their number.
    pub fn trace(&self) -> (u64, u64) {
        let trace = self.shared.trace.lock();
        (trace.hash, trace.turns)
    }
}

impl Trace {
    fn mix(&mut self, number: u64) {
        self.hash = (self.hash ^ number).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(5);
    }
}

impl Shared {
    fn now(&self) -> Duration {
        self.agenda.lock().now
    }

    fn at(&self, moment: Duration, event: Event) {
        self.agenda.lock().add(moment, event);
    }

    fn between(&self, from: Duration, to: Duration) -> Duration {
        let width = to.saturating_sub(from).as_micros() as u64;
        from + Duration::from_micros(self.rng.below(width + 1))
    }
}

impl Clock for SimWorld {
    fn wall_ms(&self) -> i64 {
        clock::BEGINNING_MS + self.now().as_millis() as i64
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(self.now())
    }

    fn sleep_until(&self, deadline: Monotonic) -> crate::BoxFuture<'static, ()> {
        clock::sleep_until(&self.shared, deadline)
    }
}
