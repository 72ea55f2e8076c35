//! How regularly a node is heard: how long a silence is to be expected of it.
//! Core. As TCP does it for its timeouts: a mean, and how far from it is usual (RFC 6298).

use std::time::Duration;

/// The longest that is ever expected.
const EXPECTED_MAX: Duration = Duration::from_secs(9);
/// How many deviations above the mean are still usual.
const DEVIATIONS: u32 = 4;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Gaps {
    mean: Duration,
    deviation: Duration,
}

impl Gaps {
    /// The node was heard; for so long it was not.
    pub fn on_gap(&mut self, gap: Duration) {
        let off = gap.abs_diff(self.mean);
        // A quarter and an eighth: what was once slow is forgotten in seconds.
        self.deviation = self.deviation * 3 / 4 + off / 4;
        self.mean = self.mean * 7 / 8 + gap / 8;
    }

    /// Silences up to here say nothing.
    pub fn longest_expected(&self) -> Duration {
        (self.mean + self.deviation * DEVIATIONS).min(EXPECTED_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn who_is_regular_is_expected_soon_and_who_is_not_is_given_time() {
        let mut gaps = Gaps::default();
        for _ in 0..100 {
            gaps.on_gap(ms(100));
        }
        assert!(gaps.longest_expected() < ms(110), "{gaps:?}");
        for round in 0..40 {
            gaps.on_gap(ms(if round % 2 == 0 { 20 } else { 380 }));
        }
        assert!(gaps.longest_expected() > ms(600), "{gaps:?}");
        for _ in 0..60 {
            gaps.on_gap(ms(100));
        }
        assert!(gaps.longest_expected() < ms(120), "it is forgotten: {gaps:?}");
        gaps.on_gap(Duration::from_secs(3600));
        assert_eq!(gaps.longest_expected(), EXPECTED_MAX);
    }
}
