//! How fast connections may be made: of the whole broker, of a listener, and from one address (KIP-612).
//! Core. The rules of `ConnectionQuotas`: a listener that is too fast rests before it accepts again; of an
//! address that is too fast the connection itself is not served.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::rate::{Rate, Windows};

/// Addresses whose rate is remembered. Those beyond are not limited: an attacker has more of them anyhow.
const ADDRESSES_MAX: usize = 100_000;

/// Connections a second; `None` is no limit.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ConnectionRateLimits {
    /// `max.connection.creation.rate`.
    pub broker: Option<f64>,
    /// The same of single listeners, by name.
    pub listeners: HashMap<String, f64>,
    /// The listener that the broker's limit does not hold for.
    pub exempt_listener: Option<String>,
}

/// `connection_creation_rate` of addresses.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct AddressRateLimits {
    pub addresses: HashMap<IpAddr, f64>,
    pub any_address: Option<f64>,
}

/// What was accepted of late.
#[derive(Debug)]
pub struct ConnectionRates {
    windows: Windows,
    limits: ConnectionRateLimits,
    address_limits: AddressRateLimits,
    broker: Rate,
    listeners: HashMap<String, Rate>,
    addresses: HashMap<IpAddr, Rate>,
    swept_ms: i64,
}

impl ConnectionRates {
    pub fn new(windows: Windows) -> ConnectionRates {
        ConnectionRates {
            windows,
            limits: ConnectionRateLimits::default(),
            address_limits: AddressRateLimits::default(),
            broker: Rate::default(),
            listeners: HashMap::new(),
            addresses: HashMap::new(),
            swept_ms: 0,
        }
    }

    pub fn set_limits(&mut self, limits: ConnectionRateLimits) {
        self.limits = limits;
    }

    pub fn set_address_limits(&mut self, limits: AddressRateLimits) {
        self.address_limits = limits;
        self.addresses.clear();
    }

    /// Whether anything is limited.
    pub fn is_on(&self) -> bool {
        let ConnectionRateLimits { broker, listeners, .. } = &self.limits;
        broker.is_some() || !listeners.is_empty() || self.limits_addresses()
    }

    fn limits_addresses(&self) -> bool {
        self.address_limits.any_address.is_some() || !self.address_limits.addresses.is_empty()
    }

    /// A listener is about to accept: for how many milliseconds it has to rest before.
    pub fn on_accept(&mut self, listener: &str, now_ms: i64) -> i64 {
        let windows = self.windows;
        let mut rest_ms = 0;
        let is_exempt = self.limits.exempt_listener.as_deref() == Some(listener);
        if let Some(limit) = self.limits.broker.filter(|_| !is_exempt) {
            rest_ms = count(&mut self.broker, windows, limit, now_ms);
        }
        if let Some(limit) = self.limits.listeners.get(listener) {
            let rate = self.listeners.entry(listener.to_owned()).or_default();
            rest_ms = rest_ms.max(count(rate, windows, *limit, now_ms));
        }
        rest_ms
    }

    /// A connection came from an address: if that is too fast, for how many milliseconds it is held before it is
    /// closed. It is not counted then.
    pub fn on_address(&mut self, ip: IpAddr, now_ms: i64) -> Option<i64> {
        let AddressRateLimits { addresses, any_address } = &self.address_limits;
        let limit = addresses.get(&ip).copied().or(*any_address)?;
        self.sweep(now_ms);
        if self.addresses.len() >= ADDRESSES_MAX && !self.addresses.contains_key(&ip) {
            return None;
        }
        let rate = self.addresses.entry(ip).or_default();
        let rest_ms = count(rate, self.windows, limit, now_ms);
        if rest_ms == 0 {
            return None;
        }
        rate.record(self.windows, -1.0, now_ms);
        Some(rest_ms)
    }

    /// Forgets addresses that nothing is known of any more, once in all windows.
    fn sweep(&mut self, now_ms: i64) {
        if now_ms - self.swept_ms < self.windows.span_ms() {
            return;
        }
        self.swept_ms = now_ms;
        let windows = self.windows;
        self.addresses.retain(|_, rate| !rate.is_void(windows, now_ms));
    }
}

/// Counts one; a rest is one window at most (`ConnectionQuotas.maxThrottleTimeMs`).
fn count(rate: &mut Rate, windows: Windows, limit: f64, now_ms: i64) -> i64 {
    rate.record(windows, 1.0, now_ms);
    rate.throttle_ms(windows, limit, now_ms).map_or(0, |rest_ms| rest_ms.min(windows.length_ms))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const WINDOWS: Windows = Windows { count: 11, length_ms: 1000 };

    fn ip(last: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, last).into()
    }

    /// How many connections of one that comes every millisecond get through in so many seconds.
    fn accepted(rates: &mut ConnectionRates, listener: &str, seconds: i64) -> i64 {
        let (mut count, mut now_ms) = (0, 5_000);
        while now_ms < 5_000 + seconds * 1000 {
            now_ms += 1 + rates.on_accept(listener, now_ms);
            count += 1;
        }
        count
    }

    #[test]
    fn a_listener_is_held_to_its_rate_and_the_brokers() {
        let mut rates = ConnectionRates::new(WINDOWS);
        assert!(!rates.is_on());
        assert_eq!(accepted(&mut rates, "A", 1), 1000);
        let listeners = HashMap::from([("A".to_owned(), 20.0)]);
        let limits = ConnectionRateLimits {
            broker: Some(50.0),
            listeners,
            exempt_listener: Some("INTERNAL".to_owned()),
        };
        rates.set_limits(limits);
        assert!(rates.is_on());
        let of_a = accepted(&mut rates, "A", 60);
        assert!((20 * 60..=20 * 72).contains(&of_a), "{of_a}");
        let mut rates = ConnectionRates { limits: rates.limits, ..ConnectionRates::new(WINDOWS) };
        let of_b = accepted(&mut rates, "B", 60);
        assert!((50 * 60..=50 * 72).contains(&of_b), "{of_b}");
        assert_eq!(accepted(&mut rates, "INTERNAL", 1), 1000);
    }

    #[test]
    fn an_address_that_is_too_fast_is_refused_and_the_refusal_is_not_counted() {
        let mut rates = ConnectionRates::new(WINDOWS);
        let addresses = HashMap::from([(ip(1), 2.0)]);
        rates.set_address_limits(AddressRateLimits { addresses, any_address: Some(5.0) });
        let served = |rates: &mut ConnectionRates, ip: IpAddr| {
            (0..1000).filter(|now_ms| rates.on_address(ip, 1_000 + now_ms).is_none()).count()
        };
        // All windows' worth at once, and then as many a second as are allowed.
        assert_eq!(served(&mut rates, ip(1)), 20 + 1);
        assert_eq!(served(&mut rates, ip(2)), 50 + 4);
        let held_ms = rates.on_address(ip(1), 2_000).expect("too fast");
        assert!((1..=1000).contains(&held_ms), "{held_ms}");
        assert_eq!(rates.on_address(ip(1), 60_000), None);
        assert_eq!(rates.addresses.len(), 1, "of the other nothing is known any more");
    }
}
