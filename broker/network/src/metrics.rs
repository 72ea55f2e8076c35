//! What the network counts.
//! Shell: counters read at a scrape.

use std::sync::Arc;
use std::time::Duration;

use prometheus::{Counter, CounterVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Why a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloseReason {
    /// The client closed, and has its answers.
    Peer,
    /// The socket failed, or a file slice to be sent was not there any more.
    Error,
    /// `connections.max.idle.ms`.
    Idle,
    /// A length prefix that no request can have.
    BadFrame,
    /// The handler said so.
    Handler,
    /// It held memory all others waited for and did not go on.
    Memory,
    Shutdown,
    /// The client did not say who it is, or nobody here knows it.
    Authentication,
    /// This node is cut off from its cluster: its clients are to find another one.
    CutOff,
}

impl CloseReason {
    pub const ALL: [CloseReason; 9] = [
        CloseReason::Peer,
        CloseReason::Error,
        CloseReason::Idle,
        CloseReason::BadFrame,
        CloseReason::Handler,
        CloseReason::Memory,
        CloseReason::Shutdown,
        CloseReason::Authentication,
        CloseReason::CutOff,
    ];

    pub fn name(self) -> &'static str {
        match self {
            CloseReason::Peer => "peer",
            CloseReason::Error => "error",
            CloseReason::Idle => "idle",
            CloseReason::BadFrame => "bad-frame",
            CloseReason::Handler => "handler",
            CloseReason::Memory => "memory",
            CloseReason::Shutdown => "shutdown",
            CloseReason::Authentication => "authentication",
            CloseReason::CutOff => "cut-off",
        }
    }
}

/// Whose rate of new connections was too high.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ThrottledBy {
    /// The broker's or a listener's: the listener rests.
    Listener,
    /// An address's: its connection is held and closed.
    Address,
}

pub struct NetworkMetrics {
    pub connections: IntGauge,
    pub accepted: IntCounter,
    pub rejected: IntCounter,
    pub accept_errors: IntCounter,
    pub bytes_in: IntCounter,
    pub bytes_out: IntCounter,
    pub frames: IntCounter,
    pub tls_handshakes: IntCounter,
    pub tls_handshake_failures: IntCounter,
    /// What connections hold of the memory budget; set at a tick.
    pub memory_bytes: IntGauge,
    closed: [IntCounter; CloseReason::ALL.len()],
    throttles: [(IntCounter, Counter); 2],
}

impl NetworkMetrics {
    pub fn register(registry: &Registry) -> prometheus::Result<Arc<NetworkMetrics>> {
        let counter = |name: &str, help: &str| -> prometheus::Result<IntCounter> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let gauge = |name: &str, help: &str| -> prometheus::Result<IntGauge> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let closed = IntCounterVec::new(
            Opts::new("ottla_connections_closed_total", "Connections that ended, by reason."),
            &["reason"],
        )?;
        registry.register(Box::new(closed.clone()))?;
        let throttles = IntCounterVec::new(
            Opts::new(
                "ottla_connection_throttles_total",
                "New connections that came too fast, by whose rate it was.",
            ),
            &["by"],
        )?;
        registry.register(Box::new(throttles.clone()))?;
        let throttle_seconds = CounterVec::new(
            Opts::new("ottla_connection_throttle_seconds_total", "How long new connections were held up."),
            &["by"],
        )?;
        registry.register(Box::new(throttle_seconds.clone()))?;
        let of = |by: &str| (throttles.with_label_values(&[by]), throttle_seconds.with_label_values(&[by]));
        Ok(Arc::new(NetworkMetrics {
            connections: gauge("ottla_connections", "Connections that are open.")?,
            accepted: counter("ottla_connections_accepted_total", "Connections accepted.")?,
            rejected: counter(
                "ottla_connections_rejected_total",
                "Connections closed at once because their address has max.connections.per.ip.",
            )?,
            accept_errors: counter("ottla_accept_errors_total", "Failures to accept a connection.")?,
            bytes_in: counter("ottla_network_bytes_in_total", "Bytes read from connections.")?,
            bytes_out: counter("ottla_network_bytes_out_total", "Bytes written to connections.")?,
            frames: counter("ottla_network_frames_total", "Requests taken from connections.")?,
            tls_handshakes: counter("ottla_tls_handshakes_total", "TLS handshakes that came to their end.")?,
            tls_handshake_failures: counter(
                "ottla_tls_handshake_failures_total",
                "TLS handshakes that failed, of clients that went away among them.",
            )?,
            memory_bytes: gauge(
                "ottla_network_memory_bytes",
                "Memory connections hold beyond what each may hold freely.",
            )?,
            throttles: [of("listener"), of("address")],
            closed: CloseReason::ALL.map(|reason| closed.with_label_values(&[reason.name()])),
        }))
    }

    pub(crate) fn on_throttle(&self, by: ThrottledBy, rest: Duration) {
        let (count, seconds) = &self.throttles[by as usize];
        count.inc();
        seconds.inc_by(rest.as_secs_f64());
    }

    pub fn closed(&self, reason: CloseReason) -> &IntCounter {
        &self.closed[reason as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_counter() {
        let metrics = NetworkMetrics::register(&Registry::new()).expect("names are free");
        for (count, reason) in CloseReason::ALL.into_iter().enumerate() {
            metrics.closed(reason).inc_by(count as u64 + 1);
        }
        for (count, reason) in CloseReason::ALL.into_iter().enumerate() {
            assert_eq!(metrics.closed(reason).get(), count as u64 + 1);
        }
    }
}
