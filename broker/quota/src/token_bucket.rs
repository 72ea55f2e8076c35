//! Tokens that come at a steady rate up to a burst, and may be owed.
//! Core. Kafka's `TokenBucket` (KIP-599): who has none left waits until the debt is paid.

use crate::rate::{Windows, rounded, seconds};

/// It begins full.
#[derive(Clone, Debug, Default)]
pub struct TokenBucket {
    tokens: f64,
    updated_ms: Option<i64>,
}

impl TokenBucket {
    pub fn record(&mut self, windows: Windows, bound: f64, value: f64, now_ms: i64) {
        let burst = self.refill(windows, bound, now_ms);
        self.tokens = burst.min(self.tokens - value);
    }

    /// How many there are; below zero they are owed.
    pub fn tokens(&mut self, windows: Windows, bound: f64, now_ms: i64) -> f64 {
        self.refill(windows, bound, now_ms);
        self.tokens
    }

    /// How long until nothing is owed, if anything is.
    pub fn throttle_ms(&mut self, windows: Windows, bound: f64, now_ms: i64) -> Option<i64> {
        let tokens = self.tokens(windows, bound, now_ms);
        (tokens < 0.0).then(|| rounded(-tokens / bound * 1000.0))
    }

    /// Whether a new bucket would say the same.
    pub fn is_void(&self, windows: Windows, now_ms: i64) -> bool {
        // A burst's time fills it, unless it owes.
        self.tokens >= 0.0 && self.updated_ms.is_none_or(|at| now_ms - at >= windows.span_ms())
    }

    fn refill(&mut self, windows: Windows, bound: f64, now_ms: i64) -> f64 {
        let burst = f64::from(windows.count) * seconds(windows.length_ms) * bound;
        self.tokens = match self.updated_ms {
            Some(at) => burst.min(self.tokens + bound * seconds(now_ms - at)),
            None => burst,
        };
        self.updated_ms = Some(now_ms);
        burst
    }
}
