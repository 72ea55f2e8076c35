//! Whose turn it is: what is ready on each host, and which of it the seed takes next.
//! Shell: the lock around a queue a host.
//!
//! What became ready in one turn stands in the queue by its number, not in the order in which it was woken: a channel that
//! wakes all who wait may do so in an order that it draws (tokio's `watch` does), and a map with a random hash as well.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use parking_lot::Mutex;

use super::HostId;
use crate::memory::SeededRng;

/// In so many of a thousand turns it is not the one that has waited longest.
const OUT_OF_ORDER: u64 = 300;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Turn {
    Task(u64),
    /// As `Task`, for one whose device has done its part.
    TaskOfDevice(u64),
    Worker(usize),
}

#[derive(Default)]
pub(super) struct Ready(Mutex<State>);

#[derive(Default)]
struct State {
    queues: BTreeMap<HostId, VecDeque<Turn>>,
    /// What became ready since the last turn was chosen.
    fresh: Vec<(HostId, Turn)>,
    paused: BTreeSet<HostId>,
}

impl Ready {
    pub fn push(&self, host: HostId, turn: Turn) {
        self.0.lock().fresh.push((host, turn));
    }

    pub fn set_paused(&self, host: HostId, is_paused: bool) {
        let mut state = self.0.lock();
        match is_paused {
            true => state.paused.insert(host),
            false => state.paused.remove(&host),
        };
    }

    pub fn forget(&self, host: HostId) {
        let mut state = self.0.lock();
        state.queues.remove(&host);
        state.fresh.retain(|(of, _)| *of != host);
        state.paused.remove(&host);
    }

    /// The next turn; `None` where nothing is ready.
    pub fn take(&self, rng: &SeededRng) -> Option<(HostId, Turn)> {
        let mut state = self.0.lock();
        let State { queues, fresh, paused } = &mut *state;
        fresh.sort_unstable();
        for (host, turn) in fresh.drain(..) {
            queues.entry(host).or_default().push_back(turn);
        }
        let is_open = |host: &HostId, queue: &VecDeque<Turn>| !queue.is_empty() && !paused.contains(host);
        let open = queues.iter().filter(|(host, queue)| is_open(host, queue)).count();
        if open == 0 {
            return None;
        }
        let chosen = if open == 1 { 0 } else { rng.below(open as u64) as usize };
        let (host, queue) =
            queues.iter_mut().filter(|(host, queue)| is_open(host, queue)).nth(chosen).expect("counted");
        let place = match queue.len() {
            1 => 0,
            len if rng.chance(OUT_OF_ORDER) => rng.below(len as u64) as usize,
            _ => 0,
        };
        Some((*host, queue.remove(place).expect("within")))
    }
}

/// Makes a task ready, once until it is polled.
pub(super) struct TaskWaker {
    pub ready: Arc<Ready>,
    pub host: HostId,
    pub task: u64,
    pub is_queued: AtomicBool,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::AcqRel) {
            self.ready.push(self.host, Turn::Task(self.task));
        }
    }
}
