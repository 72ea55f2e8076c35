//! One line for each operation that ACLs decided, under `kafka.authorizer.logger`: who, from where, what on which resource.
//! Shell: writes the log and remembers what it wrote. Refusals are at INFO, what was allowed at DEBUG (Kafka's
//! StandardAuthorizerData). Names come from the wire and are written quoted.
//!
//! Invariants:
//! - L1. The same refusal of the same client is logged once a second; the next line says how many were not.
//! - L2. What a list leaves out because its reader may not see it is no refusal: it is logged at TRACE alone.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::Clock;
use ottla_security::{AclOperation, KafkaPrincipal, ResourceType};
use parking_lot::Mutex;
use prometheus::{IntCounter, Registry};

const TARGET: &str = "kafka.authorizer.logger";
const INTERVAL: Duration = Duration::from_secs(1);
/// Refusals that are remembered; beyond them they are logged as if they were new.
const REMEMBERED_MAX: usize = 4_096;

/// What was asked.
#[derive(Clone, Copy, Hash)]
pub(crate) struct Asked<'a> {
    pub principal: &'a KafkaPrincipal,
    pub host: IpAddr,
    /// The request, by its name.
    pub api: &'a str,
    pub operation: AclOperation,
    pub resource_type: ResourceType,
    pub name: &'a str,
}

pub struct OperationAudit {
    clock: Arc<dyn Clock>,
    hasher: RandomState,
    denied: IntCounter,
    /// When a refusal was logged last, and how many were not since.
    logged: Mutex<HashMap<u64, (Duration, u64)>>,
}

impl OperationAudit {
    pub fn register(clock: Arc<dyn Clock>, registry: &Registry) -> Result<OperationAudit, prometheus::Error> {
        let denied = IntCounter::new(
            "ottla_operations_denied_total",
            "Operations that ACLs have refused, each resource of a request by itself.",
        )?;
        registry.register(Box::new(denied.clone()))?;
        Ok(OperationAudit { clock, hasher: RandomState::new(), denied, logged: Mutex::default() })
    }

    pub(crate) fn on_decision(&self, asked: &Asked<'_>, is_allowed: bool) {
        if is_allowed {
            tracing::debug!(
                target: TARGET,
                principal = ?asked.principal.as_str(),
                host = %asked.host,
                api = asked.api,
                operation = ?asked.operation,
                resource = ?asked.resource_type,
                name = ?asked.name,
                "allowed"
            );
            return;
        }
        self.denied.inc();
        let Some(unlogged) = self.may_log(asked) else { return };
        tracing::info!(
            target: TARGET,
            principal = ?asked.principal.as_str(),
            host = %asked.host,
            api = asked.api,
            operation = ?asked.operation,
            resource = ?asked.resource_type,
            name = ?asked.name,
            unlogged,
            "denied"
        );
    }

    /// What a list leaves out.
    pub(crate) fn on_left_out(&self, asked: &Asked<'_>) {
        tracing::trace!(
            target: TARGET,
            principal = ?asked.principal.as_str(),
            api = asked.api,
            operation = ?asked.operation,
            resource = ?asked.resource_type,
            name = ?asked.name,
            "left out"
        );
    }

    /// How many of the same were not logged since the last line; nothing when this one is not either.
    fn may_log(&self, asked: &Asked<'_>) -> Option<u64> {
        let now = self.clock.monotonic().0;
        let key = self.hasher.hash_one(asked);
        let mut logged = self.logged.lock();
        if let Some((since, unlogged)) = logged.get_mut(&key) {
            if now.saturating_sub(*since) < INTERVAL {
                *unlogged += 1;
                return None;
            }
            *since = now;
            return Some(std::mem::take(unlogged));
        }
        if logged.len() >= REMEMBERED_MAX {
            logged.clear();
        }
        logged.insert(key, (now, 0));
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use ottla_env::memory::MemoryClock;

    use super::*;

    #[test]
    fn a_refusal_is_logged_once_a_second_and_counted_each_time() {
        let clock = Arc::new(MemoryClock::new(0));
        let audit = OperationAudit::register(clock.clone(), &Registry::new()).expect("names are free");
        let principal = KafkaPrincipal::user("alice");
        let host = IpAddr::from([127, 0, 0, 1]);
        let others: Vec<String> = (0..2 * REMEMBERED_MAX).map(|number| number.to_string()).collect();
        let asked = |name| Asked {
            principal: &principal,
            host,
            api: "Produce",
            operation: AclOperation::Write,
            resource_type: ResourceType::Topic,
            name,
        };
        assert_eq!((audit.may_log(&asked("a")), audit.may_log(&asked("a"))), (Some(0), None));
        assert_eq!(audit.may_log(&asked("b")), Some(0), "another topic is another refusal");
        audit.on_decision(&asked("a"), false);
        clock.advance(INTERVAL);
        assert_eq!(audit.may_log(&asked("a")), Some(2));
        for name in &others {
            assert_eq!(audit.may_log(&asked(name)), Some(0));
        }
        assert!(audit.logged.lock().len() <= REMEMBERED_MAX);
        audit.on_decision(&asked("a"), true);
        assert_eq!(audit.denied.get(), 1);
    }
}
