//! Reading for requests beside the syncs: one after the other, so that at most one thread of the flusher reads.
//! Shell.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::flusher::Work;
use crate::manager::LogManager;
use crate::unified_log::Shared;

#[derive(Default)]
pub(crate) struct ReadTurns(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: VecDeque<Work>,
    is_reading: bool,
}

impl ReadTurns {
    /// Whether somebody has to take turns now.
    fn push(&self, work: Work) -> bool {
        let mut state = self.0.lock();
        state.waiting.push_back(work);
        !std::mem::replace(&mut state.is_reading, true)
    }

    /// Does one piece of work; whether another waits.
    fn take(&self) -> bool {
        let next = self.0.lock().waiting.pop_front();
        // The thread also syncs: it outlives what goes wrong here.
        if let Some(work) = next
            && catch_unwind(AssertUnwindSafe(work)).is_err()
        {
            tracing::error!("reading for a request panicked; the request is not answered");
        }
        let mut state = self.0.lock();
        assert!(state.is_reading, "turns are taken by one thread at a time");
        state.is_reading = !state.waiting.is_empty();
        state.is_reading
    }
}

fn take_turn(shared: &Arc<Shared>) {
    if shared.reads.take() {
        // Behind the syncs that were requested meanwhile.
        let next = shared.clone();
        shared.flusher.run(Box::new(move || take_turn(&next)));
    }
}

impl LogManager {
    /// Does work that reads files for a request on a thread that may wait for the disk; at once where there are none.
    /// What requests read is read in their order, and holds up no more than one of the threads that sync.
    pub fn read_aside(&self, work: Box<dyn FnOnce() + Send>) {
        let shared = &self.shared;
        if shared.reads.push(work) {
            let first = shared.clone();
            shared.flusher.run(Box::new(move || take_turn(&first)));
        }
    }
}
