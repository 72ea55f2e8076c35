//! What the network counts.
//! Shell: counters read at a scrape.

use std::sync::Arc;

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

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
    /// Its client did not say in time who it is.
    Login,
}

impl CloseReason {
    pub const ALL: [CloseReason; 8] = [
        CloseReason::Peer,
        CloseReason::Error,
        CloseReason::Idle,
        CloseReason::BadFrame,
        CloseReason::Handler,
        CloseReason::Memory,
        CloseReason::Shutdown,
        CloseReason::Login,
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
            CloseReason::Login => "login",
        }
    }
}

pub struct NetworkMetrics {
    pub connections: IntGauge,
    pub accepted: IntCounter,
    pub rejected: IntCounter,
    pub accept_errors: IntCounter,
    pub bytes_in: IntCounter,
    pub bytes_out: IntCounter,
    pub frames: IntCounter,
    /// What connections hold of the memory budget; set at a tick.
    pub memory_bytes: IntGauge,
    closed: [IntCounter; CloseReason::ALL.len()],
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
            memory_bytes: gauge(
                "ottla_network_memory_bytes",
                "Memory connections hold beyond what each may hold freely.",
            )?,
            closed: CloseReason::ALL.map(|reason| closed.with_label_values(&[reason.name()])),
        }))
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
