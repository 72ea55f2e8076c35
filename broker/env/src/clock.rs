//! Time: the wall's (for people and records) and the steady one (for every timer).
//! Shell: interfaces that `real/` and `memory/` implement.

use std::time::Duration;

use crate::BoxFuture;

/// A moment on the steady clock. Only differences mean anything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Monotonic(pub Duration);

impl Monotonic {
    pub fn after(self, wait: Duration) -> Monotonic {
        Monotonic(self.0.saturating_add(wait))
    }

    pub fn after_ms(self, wait_ms: i64) -> Monotonic {
        self.after(Duration::from_millis(wait_ms.max(0) as u64))
    }

    /// How long until `later`; zero when it has passed.
    pub fn until(self, later: Monotonic) -> Duration {
        later.0.saturating_sub(self.0)
    }
}

pub trait Clock: Send + Sync {
    /// Milliseconds since 1970, as record timestamps count. May jump either way.
    fn wall_ms(&self) -> i64;

    /// The steady clock: every timeout, session and deadline is measured on it.
    fn monotonic(&self) -> Monotonic;

    /// Completes when the steady clock reaches `deadline`.
    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()>;
}
