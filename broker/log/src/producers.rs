//! The producers of one log, as its readers and its writer share them.
//! Shell: a lock around `producer_state`, which is the core.
//!
//! Invariants:
//! - I1. The lock is never held while a file is read, written or synced.
//! - I2. Only who holds the writer's lock takes in batches, so that what `check` let pass is still
//!   true when the batch is taken in (`WriteTurn` proves that).

use std::sync::atomic::{AtomicI64, Ordering};

use ottla_model::Offset;
use parking_lot::Mutex;

use crate::producer_snapshot;
use crate::producer_state::ProducerState;
use crate::verification::{FirstBatch, GuardSource, Verification};
use crate::writer::WriteTurn;

pub(crate) struct Producers {
    known: Mutex<Known>,
    /// The first offset that a read_committed reader may not pass; -1: none.
    first_unstable: AtomicI64,
}

#[derive(Default)]
struct Known {
    state: ProducerState,
    last_snapshot: Option<Offset>,
    guards: GuardSource,
}

impl Default for Producers {
    fn default() -> Producers {
        Producers { known: Mutex::default(), first_unstable: AtomicI64::new(-1) }
    }
}

impl Producers {
    #[inline]
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        let first = self.first_unstable.load(Ordering::Acquire);
        (first >= 0).then_some(Offset(first))
    }

    /// Looks at the state. `look` must not block.
    pub fn read<T>(&self, look: impl FnOnce(&ProducerState) -> T) -> T {
        look(&self.known.lock().state)
    }

    /// Changes the state, and publishes the first unstable offset before anybody else can look.
    pub fn change<T>(&self, _turn: &mut WriteTurn, change: impl FnOnce(&mut ProducerState) -> T) -> T {
        let mut known = self.known.lock();
        let result = change(&mut known.state);
        self.publish(&known.state);
        result
    }

    /// What a transactional write needs before it is appended.
    pub fn begin_verification(&self, batch: &FirstBatch, now_ms: i64) -> Verification {
        let mut known = self.known.lock();
        let fresh = known.guards.fresh();
        known.state.begin_verification(batch, fresh, now_ms)
    }

    /// Markers below the high watermark no longer hold readers back.
    pub fn on_high_watermark(&self, high_watermark: Offset) {
        if self.first_unstable_offset().is_some() {
            let mut known = self.known.lock();
            known.state.on_high_watermark(high_watermark);
            self.publish(&known.state);
        }
    }

    fn publish(&self, state: &ProducerState) {
        let first = state.first_unstable_offset().map_or(-1, |offset| offset.0);
        self.first_unstable.store(first, Ordering::Release);
    }

    /// State that was read from the folder, and the snapshot that it came from.
    pub fn set_found(&self, _turn: &mut WriteTurn, state: ProducerState, last_snapshot: Option<Offset>) {
        let mut known = self.known.lock();
        known.state = state;
        known.last_snapshot = last_snapshot;
        self.publish(&known.state);
    }

    /// A snapshot as of the last batch, unless there is one.
    pub fn encode_snapshot(&self, _turn: &mut WriteTurn) -> Option<(Offset, Vec<u8>)> {
        let mut known = self.known.lock();
        let offset = known.state.end_offset();
        if known.last_snapshot.is_some_and(|last| last >= offset) {
            return None;
        }
        known.last_snapshot = Some(offset);
        Some((offset, producer_snapshot::write(&known.state)))
    }
}
