//! How long to wait before a node is dialled again.
//! Core. The random bits are an argument.

use std::time::Duration;

/// Doubles from `min` to `max`, each wait varied by a fifth (Kafka's `ExponentialBackoff`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    pub min: Duration,
    pub max: Duration,
}

/// The variation either way, as a part of 100.
const JITTER_PERCENT: u64 = 20;

impl Backoff {
    /// The wait after `failures` failed attempts in a row, the first being 1.
    pub fn wait(self, failures: u32, random: u64) -> Duration {
        assert!(failures > 0, "there is nothing to wait for before the first failure");
        let doubled = self.min.saturating_mul(1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX));
        let plain = doubled.clamp(self.min, self.max.max(self.min));
        let percent = 100 - JITTER_PERCENT + random % (2 * JITTER_PERCENT + 1);
        let micros = (plain.as_micros() as u64).saturating_mul(percent) / 100;
        Duration::from_micros(micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: u64 = JITTER_PERCENT;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff { min: Duration::from_millis(50), max: Duration::from_millis(1000) };
        let waits: Vec<u128> = (1..=7).map(|n| backoff.wait(n, MIDDLE).as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff.wait(u32::MAX, MIDDLE).as_millis(), 1000);
    }

    #[test]
    fn waits_vary_by_a_fifth() {
        let backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_millis(100) };
        let waits: Vec<u128> = (0..=40).map(|random| backoff.wait(1, random).as_millis()).collect();
        assert_eq!((waits[0], waits[40]), (80, 120));
        assert!(waits.iter().all(|wait| (80..=120).contains(wait)));
    }
}
