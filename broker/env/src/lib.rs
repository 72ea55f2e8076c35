//! The outside world behind traits: clock, randomness, disk, network, tasks.
//! Shell (`real/`) and its stand-in (`memory/`). No other room names tokio's runtime, `std::fs`,
//! `Instant` or a random source, which is what makes simulated time and faults possible.
//!
//! Invariants:
//! - I1. `File::sync_data` returning an error means that nothing is known of what reached the disk:
//!   the caller poisons its log directory and never retries.
//! - I2. `Clock::monotonic` never goes back; `Clock::wall_ms` may.

pub mod clock;
pub mod disk;
pub mod memory;
pub mod net;
pub mod real;
pub mod rng;
pub mod tasks;

use std::sync::Arc;

pub use clock::{Clock, Monotonic};
pub use disk::{Disk, File, OpenMode};
pub use rng::Rng;
pub use tasks::Tasks;

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The whole outside world, handed down from `server/wiring.rs`.
#[derive(Clone)]
pub struct Env {
    pub clock: Arc<dyn Clock>,
    pub disk: Arc<dyn Disk>,
    pub net: Arc<dyn net::Net>,
    pub rng: Arc<dyn Rng>,
    pub tasks: Arc<dyn Tasks>,
}
