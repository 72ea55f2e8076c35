//! The machine's clocks.
//! Shell.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::BoxFuture;
use crate::clock::{Clock, Monotonic};

pub struct RealClock {
    start: Instant,
}

impl RealClock {
    #[allow(clippy::new_without_default, reason = "a clock that starts now is not a default value")]
    pub fn new() -> RealClock {
        RealClock { start: Instant::now() }
    }
}

impl Clock for RealClock {
    fn wall_ms(&self) -> i64 {
        // A wall clock before 1970 counts as 1970.
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(self.start.elapsed())
    }

    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep_until((self.start + deadline.0).into()))
    }
}
