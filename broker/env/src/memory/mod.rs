//! A world in memory: for brokers without a directory, and for tests that need one to break.
//! Shell.

mod clock;
mod disk;
mod faulty;
pub mod net;
mod rng;
pub mod sim;
mod steered;
mod tasks;

pub use clock::MemoryClock;
pub use disk::MemoryDisk;
pub use faulty::{Faults, FaultyDisk};
pub use rng::SeededRng;
pub use steered::{Corrupt, Lose, Steered, SteeredDisk};
pub use tasks::{NoNet, ThreadTasks};

use std::sync::Arc;

use crate::Env;

/// A world without a machine: files in memory, a clock that is stepped, numbers from a seed, no
/// network.
pub fn env(seed: u64) -> Env {
    Env {
        clock: Arc::new(MemoryClock::new(1_700_000_000_000)),
        disk: Arc::new(MemoryDisk::new()),
        net: Arc::new(NoNet),
        rng: Arc::new(SeededRng::new(seed)),
        tasks: Arc::new(ThreadTasks),
    }
}
