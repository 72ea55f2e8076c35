//! How many bytes a second the cleaner may read and write.
//! Core.

use ottla_env::Monotonic;
use parking_lot::Mutex;

/// A rest shorter than this is not worth it.
const REST_NANOS_MIN: f64 = 0.3e9;

pub struct Throttle {
    bytes_per_second_max: f64,
    /// When what was asked for so far would have been done at that speed.
    paid_until: Mutex<Monotonic>,
}

impl Throttle {
    pub fn new(bytes_per_second_max: f64) -> Throttle {
        Throttle { bytes_per_second_max, paid_until: Mutex::default() }
    }

    /// Notes work that is done. Returns until when to rest.
    pub fn spend(&self, bytes: u64, now: Monotonic) -> Option<Monotonic> {
        let nanos = bytes as f64 / self.bytes_per_second_max.max(1.0) * 1e9;
        if nanos < 1.0 {
            return None;
        }
        let mut paid_until = self.paid_until.lock();
        *paid_until = (*paid_until).max(now).after(std::time::Duration::from_nanos(nanos as u64));
        (now.until(*paid_until).as_nanos() as f64 >= REST_NANOS_MIN).then_some(*paid_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn who_is_too_fast_rests() {
        let throttle = Throttle::new(1000.0);
        let at = |millis| Monotonic(Duration::from_millis(millis));
        assert_eq!(throttle.spend(100, at(0)), None);
        assert_eq!(throttle.spend(900, at(0)), Some(at(1000)));
        assert_eq!(throttle.spend(100, at(5000)), None);
        assert_eq!(Throttle::new(f64::MAX).spend(u64::MAX, at(0)), None);
    }
}
