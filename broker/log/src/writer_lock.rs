//! The lock of a log's writer: who must wait for it sleeps at once.
//! Shell.
//!
//! An append holds it over a write of some microseconds. A lock whose waiters look again and again
//! before they sleep is made for less: the looking costs CPU time, and the sleep comes anyway.

use std::ops::{Deref, DerefMut};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::writer::Writer;

#[derive(Default)]
pub(crate) struct WriterLock {
    /// Never waited for: only who has the turn locks it.
    writer: Mutex<Writer>,
    turn: Mutex<Turn>,
    given_back: Condvar,
}

#[derive(Default)]
struct Turn {
    is_taken: bool,
    waiting: usize,
}

/// The right to change what the writer owns.
pub(crate) struct WriterGuard<'a> {
    // In this order they are given back.
    writer: MutexGuard<'a, Writer>,
    _turn: TurnGuard<'a>,
}

struct TurnGuard<'a>(&'a WriterLock);

impl WriterLock {
    #[inline]
    pub fn lock(&self) -> WriterGuard<'_> {
        let mut turn = self.turn.lock();
        while turn.is_taken {
            turn.waiting += 1;
            self.given_back.wait(&mut turn);
            turn.waiting -= 1;
        }
        turn.is_taken = true;
        drop(turn);
        WriterGuard { writer: self.writer.lock(), _turn: TurnGuard(self) }
    }
}

impl Drop for TurnGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        let mut turn = self.0.turn.lock();
        assert!(turn.is_taken, "a turn that was not taken");
        turn.is_taken = false;
        let is_awaited = turn.waiting > 0;
        drop(turn);
        if is_awaited {
            self.0.given_back.notify_one();
        }
    }
}

impl Deref for WriterGuard<'_> {
    type Target = Writer;

    #[inline]
    fn deref(&self) -> &Writer {
        &self.writer
    }
}

impl DerefMut for WriterGuard<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Writer {
        &mut self.writer
    }
}
