//! The machine we run on.
//! Shell. The only place that names tokio's runtime, `std::fs`, `Instant` and the kernel's random source.

mod clock;
mod disk;
mod net;
mod parent;
mod rng;
mod runtime;
mod tasks;

pub use clock::RealClock;
pub use disk::RealDisk;
pub use net::RealNet;
pub use parent::parent_gone;
pub use rng::RealRng;
pub use runtime::{ReloadSignal, StopSignals, run};
pub use tasks::TokioTasks;

use std::sync::Arc;

use crate::Env;

/// The real world. Call inside a tokio runtime.
pub fn env() -> Env {
    Env {
        clock: Arc::new(RealClock::new()),
        disk: Arc::new(RealDisk),
        net: Arc::new(RealNet),
        rng: Arc::new(RealRng),
        tasks: Arc::new(TokioTasks::current()),
    }
}
