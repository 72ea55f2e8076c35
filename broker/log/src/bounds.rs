//! Where a log begins and ends: numbers that everybody may read and only the writer moves.
//! Core.
//!
//! Invariants:
//! - I1. `log_start <= local_start <= log_end`: what is not on this disk any more, but may be read, is
//!   before the rest. (Nothing is: tiered storage is not there yet, and both move together.)
//! - I2. `flushed <= log_end`: below it everything is on the device.
//! - I3. No number goes back, but by a truncation or a start.

use std::sync::atomic::{AtomicI64, Ordering};

use ottla_model::Offset;

use crate::writer::WriteTurn;

pub(crate) struct Bounds {
    log_start: AtomicI64,
    local_start: AtomicI64,
    log_end: AtomicI64,
    flushed: AtomicI64,
    /// What the replica room last said.
    high_watermark: AtomicI64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            log_start: AtomicI64::new(0),
            local_start: AtomicI64::new(0),
            log_end: AtomicI64::new(0),
            flushed: AtomicI64::new(0),
            high_watermark: AtomicI64::new(i64::MAX),
        }
    }
}

impl Bounds {
    /// The first offset that may be read.
    #[inline]
    pub fn log_start(&self) -> Offset {
        Offset(self.log_start.load(Ordering::Acquire))
    }

    /// The first offset that may be read from this disk.
    #[inline]
    pub fn local_start(&self) -> Offset {
        Offset(self.local_start.load(Ordering::Acquire))
    }

    #[inline]
    pub fn log_end(&self) -> Offset {
        Offset(self.log_end.load(Ordering::Acquire))
    }

    #[inline]
    pub fn flushed(&self) -> Offset {
        Offset(self.flushed.load(Ordering::Acquire))
    }

    /// Nothing at or above it may be deleted: it is not on every in-sync replica.
    pub fn deletable_below(&self) -> Offset {
        Offset(self.high_watermark.load(Ordering::Acquire)).min(self.log_end())
    }

    pub fn set_high_watermark(&self, high_watermark: Offset) {
        self.high_watermark.store(high_watermark.0, Ordering::Release);
    }

    /// As a start found them.
    pub fn set_found(&self, _turn: &mut WriteTurn, log_start: Offset, flushed: Offset, log_end: Offset) {
        assert!(log_start <= log_end, "a log starts at {log_start}, behind its end {log_end}");
        assert!(flushed <= log_end, "flushed to {flushed}, behind the log's end {log_end}");
        self.log_start.store(log_start.0, Ordering::Release);
        self.local_start.store(log_start.0, Ordering::Release);
        self.log_end.store(log_end.0, Ordering::Release);
        self.flushed.store(flushed.0, Ordering::Release);
    }

    /// Batches were written: readers may know.
    #[inline]
    pub fn advance_end(&self, _turn: &mut WriteTurn, to: Offset) {
        let before = self.log_end();
        assert!(before < to, "an append moved the log's end from {before} to {to}");
        self.log_end.store(to.0, Ordering::Release);
    }

    /// Everything below is on the device. Returns how far that is so by now.
    pub fn advance_flushed(&self, _turn: &mut WriteTurn, to: Offset) -> Offset {
        let end = self.log_end();
        assert!(to <= end, "flushed to {to}, behind the log's end {end}");
        self.flushed.fetch_max(to.0, Ordering::AcqRel);
        self.flushed()
    }

    /// Records before it are gone for everybody.
    pub fn advance_log_start(&self, turn: &mut WriteTurn, to: Offset) {
        let (before, end) = (self.log_start(), self.log_end());
        assert!(before <= to && to <= end, "the log's start moved from {before} to {to}; it ends at {end}");
        self.advance_local_start(turn, self.local_start().max(to));
        self.log_start.store(to.0, Ordering::Release);
    }

    /// Records before it are not on this disk any more.
    pub fn advance_local_start(&self, _turn: &mut WriteTurn, to: Offset) {
        let (before, end) = (self.local_start(), self.log_end());
        assert!(
            before <= to && to <= end,
            "the local start moved from {before} to {to}; the log ends at {end}"
        );
        self.local_start.store(to.0, Ordering::Release);
    }

    /// What was at or above `end` is no longer in the log.
    pub fn truncate(&self, _turn: &mut WriteTurn, end: Offset) {
        let (start, before) = (self.local_start(), self.log_end());
        assert!(start <= end && end <= before, "a log of {start} to {before} was cut at {end}");
        self.flushed.fetch_min(end.0, Ordering::AcqRel);
        self.log_end.store(end.0, Ordering::Release);
    }

    /// The log is empty and goes on at `offset`.
    pub fn restart_at(&self, _turn: &mut WriteTurn, offset: Offset) {
        assert!(offset.0 >= 0, "a log can't start at {offset}");
        // An end that is read before or after its start never makes a range of wrong records: all are gone.
        for bound in [&self.log_start, &self.local_start, &self.log_end, &self.flushed] {
            bound.store(offset.0, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn found() -> (Bounds, WriteTurn) {
        let (bounds, mut turn) = (Bounds::default(), WriteTurn::default());
        bounds.set_found(&mut turn, Offset(10), Offset(15), Offset(20));
        (bounds, turn)
    }

    fn is_refused(change: impl FnOnce(&Bounds, &mut WriteTurn)) -> bool {
        let (bounds, mut turn) = found();
        catch_unwind(AssertUnwindSafe(|| change(&bounds, &mut turn))).is_err()
    }

    #[test]
    fn the_first_local_offset_may_be_behind_the_first_readable_one() {
        let (bounds, mut turn) = found();
        bounds.advance_local_start(&mut turn, Offset(14));
        assert_eq!((bounds.log_start(), bounds.local_start()), (Offset(10), Offset(14)));
        bounds.advance_log_start(&mut turn, Offset(12));
        assert_eq!((bounds.log_start(), bounds.local_start()), (Offset(12), Offset(14)));
        bounds.advance_log_start(&mut turn, Offset(16));
        assert_eq!((bounds.log_start(), bounds.local_start()), (Offset(16), Offset(16)));
    }

    #[test]
    fn a_truncation_takes_the_flushed_offset_along() {
        let (bounds, mut turn) = found();
        bounds.truncate(&mut turn, Offset(12));
        assert_eq!((bounds.flushed(), bounds.log_end()), (Offset(12), Offset(12)));
        bounds.restart_at(&mut turn, Offset(100));
        assert_eq!((bounds.log_start(), bounds.local_start()), (Offset(100), Offset(100)));
        assert_eq!((bounds.flushed(), bounds.log_end()), (Offset(100), Offset(100)));
    }

    #[test]
    fn what_can_not_be_is_a_bug() {
        assert!(is_refused(|bounds, turn| bounds.advance_end(turn, Offset(20))));
        assert!(is_refused(|bounds, turn| {
            bounds.advance_flushed(turn, Offset(21));
        }));
        assert!(is_refused(|bounds, turn| bounds.advance_log_start(turn, Offset(9))));
        assert!(is_refused(|bounds, turn| bounds.advance_log_start(turn, Offset(21))));
        assert!(is_refused(|bounds, turn| bounds.advance_local_start(turn, Offset(9))));
        assert!(is_refused(|bounds, turn| bounds.truncate(turn, Offset(9))));
        assert!(is_refused(|bounds, turn| bounds.truncate(turn, Offset(21))));
        assert!(is_refused(|bounds, turn| bounds.set_found(turn, Offset(5), Offset(4), Offset(4))));
        assert!(is_refused(|bounds, turn| bounds.set_found(turn, Offset(3), Offset(5), Offset(4))));
        assert!(is_refused(|bounds, turn| bounds.restart_at(turn, Offset(-1))));
        assert!(!is_refused(|bounds, turn| bounds.advance_end(turn, Offset(21))));
    }
}
