//! How many bytes a second the cleaner may read and write.
//! Core.

use ottla_env::Monotonic;
use parking_lot::Mutex;

/// A rest shorter than this is not worth it.
const REST_NANOS_MIN: f64 = 0.3e9;

#[derive(Default)]
pub struct Throttle {
    /// When what was asked for so far would have been done at the speed that is allowed.
    paid_until: Mutex<Monotonic>,
}

impl Throttle {
    /// The speed changed: what was done at the old one is paid for.
    pub fn restart(&self) {
        *self.paid_until.lock() = Monotonic::default();
    }

    /// Notes work that is done. Returns until when to rest.
    pub fn spend(&self, bytes: u64, bytes_per_second_max: f64, now: Monotonic) -> Option<Monotonic> {
        let nanos = bytes as f64 / bytes_per_second_max.max(1.0) * 1e9;
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
        let throttle = Throttle::default();
        let at = |millis| Monotonic(Duration::from_millis(millis));
        assert_eq!(throttle.spend(100, 1000.0, at(0)), None);
        assert_eq!(throttle.spend(900, 1000.0, at(0)), Some(at(1000)));
        assert_eq!(throttle.spend(100, 1000.0, at(5000)), None);
        // Twice the speed is half the rest.
        assert_eq!(throttle.spend(1000, 2000.0, at(9000)), Some(at(9500)));
        assert_eq!(Throttle::default().spend(u64::MAX, f64::MAX, at(0)), None);
    }
}
