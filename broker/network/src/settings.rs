//! What the configuration says about listeners and connections.
//! Core.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use ottla_model::limits::LOGIN_TIME_MAX;
use ottla_quota::{ConnectionRateLimits, Windows};

/// Kafka's keys of the same names, and the bounds nobody has to set.
#[derive(Clone, Debug)]
pub struct NetworkSettings {
    /// `socket.request.max.bytes`: a frame that promises more closes its connection.
    pub socket_request_bytes_max: usize,
    /// `connections.max.idle.ms`; negative is never.
    pub connections_idle_ms_max: i64,
    pub limits: ConnectionLimits,
    /// What rates of new connections are taken over: `quota.window.num`, `quota.window.size.seconds`.
    pub quota_windows: Windows,
    /// Memory all connections together may hold beyond `CONNECTION_FREE_BYTES` each: frames that
    /// arrive, frames whose answers are awaited, and answers not yet sent.
    pub memory_budget_bytes: usize,
    /// Bytes of answers one connection may hold in memory before it is not read any more.
    pub unsent_bytes_max: usize,
    /// Requests one connection may have admitted and not answered before it is not read any more.
    pub requests_in_flight_max: usize,
    /// `connection.failed.authentication.delay.ms`.
    pub failed_authentication_delay_ms: u64,
}

impl Default for NetworkSettings {
    fn default() -> NetworkSettings {
        NetworkSettings {
            socket_request_bytes_max: 104_857_600,
            connections_idle_ms_max: 600_000,
            limits: ConnectionLimits::default(),
            quota_windows: Windows::of_seconds(11, 1),
            memory_budget_bytes: 256 * 1024 * 1024,
            unsent_bytes_max: 1024 * 1024,
            requests_in_flight_max: ottla_model::limits::REQUESTS_IN_FLIGHT_PER_CONNECTION_MAX,
            failed_authentication_delay_ms: 100,
        }
    }
}

/// How many connections there may be; these may change while the broker runs.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionLimits {
    /// `max.connections`: beyond it nothing is accepted until a connection closes.
    pub connections_max: usize,
    /// `max.connections.per.ip`: beyond it a connection is accepted and closed at once.
    pub connections_per_ip_max: usize,
    /// `max.connections.per.ip.overrides`.
    pub connections_per_ip_max_overrides: HashMap<IpAddr, usize>,
    /// `max.connection.creation.rate`, of the broker and of its listeners: beyond it a listener rests.
    pub creation_rates: ConnectionRateLimits,
}

impl ConnectionLimits {
    pub fn connections_max_of(&self, ip: IpAddr) -> usize {
        self.connections_per_ip_max_overrides.get(&ip).copied().unwrap_or(self.connections_per_ip_max)
    }
}

impl Default for ConnectionLimits {
    fn default() -> ConnectionLimits {
        ConnectionLimits {
            connections_max: i32::MAX as usize,
            connections_per_ip_max: i32::MAX as usize,
            connections_per_ip_max_overrides: HashMap::new(),
            creation_rates: ConnectionRateLimits::default(),
        }
    }
}

/// Memory every connection may hold without asking the budget.
pub const CONNECTION_FREE_BYTES: usize = 64 * 1024;

const TICK_MAX: Duration = Duration::from_secs(5);
const TICK_MIN: Duration = Duration::from_millis(10);

impl NetworkSettings {
    /// How often idleness is looked at: one timer serves all connections, so a connection closes
    /// up to one tick late.
    pub fn tick(&self) -> Duration {
        if self.connections_idle_ms_max < 0 {
            return TICK_MAX;
        }
        (Duration::from_millis(self.connections_idle_ms_max as u64) / 8).clamp(TICK_MIN, TICK_MAX)
    }

    /// Ticks after which a client must be known.
    pub fn login_ticks(&self) -> u64 {
        LOGIN_TIME_MAX.as_millis().div_ceil(self.tick().as_millis()) as u64 + 1
    }

    /// Ticks without a byte after which a connection is idle.
    pub fn idle_ticks(&self) -> Option<u64> {
        let idle_ms = u64::try_from(self.connections_idle_ms_max).ok()?;
        // A connection may have been active just after a tick, so one more must pass.
        Some((idle_ms as u128).div_ceil(self.tick().as_millis()) as u64 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idleness_is_noticed_between_the_limit_and_a_tick_later() {
        let settings = NetworkSettings::default();
        assert_eq!(settings.tick(), Duration::from_secs(5));
        assert_eq!(settings.idle_ticks(), Some(121));
        let short = NetworkSettings { connections_idle_ms_max: 1000, ..NetworkSettings::default() };
        assert_eq!(short.tick(), Duration::from_millis(125));
        assert_eq!(short.idle_ticks(), Some(9));
        let never = NetworkSettings { connections_idle_ms_max: -1, ..NetworkSettings::default() };
        assert_eq!(never.idle_ticks(), None);
    }
}
