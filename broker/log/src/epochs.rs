//! The leader epochs of one log, as its readers and its writer share them.
//! Shell: a value that is replaced whole; `leader_epochs` is the core.
//!
//! Invariants:
//! - I1. Readers take no lock.
//! - I2. Only who holds the writer's lock changes it (`WriteTurn` proves that).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwap, Guard};
use ottla_model::{LeaderEpoch, Offset};

use crate::checkpoint::{self, EpochEntry};
use crate::leader_epochs::LeaderEpochs;
use crate::writer::WriteTurn;

#[derive(Default)]
pub(crate) struct Epochs {
    current: ArcSwap<LeaderEpochs>,
    /// The checkpoint file says something else.
    is_unwritten: AtomicBool,
}

impl Epochs {
    #[inline]
    pub fn load(&self) -> Guard<Arc<LeaderEpochs>> {
        self.current.load()
    }

    pub fn latest(&self) -> Option<EpochEntry> {
        self.load().latest()
    }

    /// Batches of `epoch` follow from `start_offset` on.
    #[inline]
    pub fn assign(&self, turn: &mut WriteTurn, epoch: LeaderEpoch, start_offset: Offset) {
        if !self.load().is_known(epoch, start_offset) {
            self.change(turn, |epochs| epochs.assign(epoch, start_offset));
        }
    }

    pub fn truncate_from_end(&self, turn: &mut WriteTurn, end: Offset) {
        self.change(turn, |epochs| epochs.truncate_from_end(end));
    }

    pub fn truncate_from_start(&self, turn: &mut WriteTurn, start: Offset) {
        self.change(turn, |epochs| epochs.truncate_from_start(start));
    }

    pub fn clear(&self, turn: &mut WriteTurn) {
        self.change(turn, |epochs| {
            epochs.clear();
            true
        });
    }

    /// What the folder said.
    pub fn set_found(&self, _turn: &mut WriteTurn, found: LeaderEpochs) {
        self.current.store(Arc::new(found));
    }

    /// `change` says whether it changed anything.
    fn change(&self, _turn: &mut WriteTurn, change: impl FnOnce(&mut LeaderEpochs) -> bool) {
        let mut epochs = LeaderEpochs::clone(&self.load());
        if change(&mut epochs) {
            self.current.store(Arc::new(epochs));
            self.is_unwritten.store(true, Ordering::Relaxed);
        }
    }

    /// What the checkpoint file must say, if that is not what it says. Counts as written from here on.
    pub fn take_unwritten(&self, _turn: &mut WriteTurn) -> Option<String> {
        let is_unwritten = self.is_unwritten.swap(false, Ordering::Relaxed);
        is_unwritten.then(|| checkpoint::write_epochs(self.load().entries()))
    }

    /// The checkpoint file could not be written.
    pub fn note_unwritten(&self) {
        self.is_unwritten.store(true, Ordering::Relaxed);
    }
}
