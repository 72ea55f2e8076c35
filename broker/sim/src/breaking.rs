//! What befalls the broker of a history over its rooms, whatever its clients do.
//! Shell. Each draw comes from the wire's generator, so that a seed repeats.

use std::task::{Context, Waker};

use ottla_env::BoxFuture;
use ottla_env::memory::Faults;

use crate::rooms::{End, World};
use crate::wire::Wire;

/// So many changes of its disk a broker lives on at the most, once it is to die in the middle of something.
const CHANGES_BEFORE_DEATH: u64 = 12;
/// So long are the last steps of a broker that dies slowly.
const STEPS_BEFORE_DEATH: usize = 60;
/// And so many at the most has a disk that fails.
const STEPS_WITH_FAULTS: u64 = 60;

/// A history that its broker's end is part of.
pub trait Breaking {
    fn world(&self) -> &World;
    fn wire(&self) -> &Wire;
    fn clients(&mut self) -> &mut Vec<BoxFuture<'static, ()>>;
    fn note(&self, text: String);
    fn step(&mut self);
    fn restart(&mut self, end: End);

    /// How a broker goes that dies in the middle of something.
    fn end_of_slow_death(&self) -> End {
        End::PowerLoss
    }

    /// And one whose disk has failed.
    fn end_of_failed_disk(&self) -> End {
        End::PowerLoss
    }

    /// One of the clients does its next step.
    fn poll_client(&mut self) {
        let count = self.clients().len() as u64;
        let place = self.wire().rng.below(count) as usize;
        let mut context = Context::from_waker(Waker::noop());
        assert!(self.clients()[place].as_mut().poll(&mut context).is_pending(), "clients never end");
    }

    /// The process dies after some more of its writes, wherever that may be.
    fn die_slowly(&mut self) {
        let changes = self.wire().rng.below(CHANGES_BEFORE_DEATH);
        self.note(format!("dies after {changes} changes"));
        self.world().disk.die_after(changes);
        for _ in 0..STEPS_BEFORE_DEATH {
            self.step();
        }
        self.restart(self.end_of_slow_death());
    }

    /// The disk fails for a while.
    fn fail_something(&mut self) {
        let faults = self.world().random_faults();
        self.note(format!("faults {faults:?}"));
        self.world().disk.set_faults(faults);
        for _ in 0..self.wire().rng.below(STEPS_WITH_FAULTS) {
            self.step();
        }
        self.world().disk.set_faults(Faults::default());
        self.note("faults end".to_owned());
        if self.world().is_offline() {
            self.restart(self.end_of_failed_disk());
        }
    }
}
