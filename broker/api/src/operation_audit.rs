//! One line for each operation that ACLs decided, under `kafka.authorizer.logger`: who, from where, what on which resource.
//! Shell: writes the log and remembers what it wrote. Refusals are at INFO, what was allowed at DEBUG (Kafka's
//! StandardAuthorizerData). Names come from the wire and are written quoted.
//!
//! Invariants:
//! - L1. The same refusal of the same client is logged once a second; the next line says how many were not.
//! - L2. What a list leaves out because its reader may not see it is no refusal: it is logged at TRACE alone.

use std::net::IpAddr;
use std::sync::Arc;

use ottla_env::Clock;
use ottla_security::{AclOperation, KafkaPrincipal, ResourceType};
use prometheus::{IntCounter, Registry};

use crate::seldom::Seldom;

const TARGET: &str = "kafka.authorizer.logger";

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
    denied: IntCounter,
    refusals: Seldom,
}

impl OperationAudit {
    pub fn register(clock: Arc<dyn Clock>, registry: &Registry) -> Result<OperationAudit, prometheus::Error> {
        let denied = IntCounter::new(
            "ottla_operations_denied_total",
            "Operations that ACLs have refused, each resource of a request by itself.",
        )?;
        registry.register(Box::new(denied.clone()))?;
        Ok(OperationAudit { denied, refusals: Seldom::new(clock) })
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
        let Some(unlogged) = self.refusals.may_log(asked) else { return };
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
}

#[cfg(test)]
mod tests {
    use ottla_env::memory::MemoryClock;

    use super::*;

    #[test]
    fn a_refusal_is_counted_each_time_and_what_is_allowed_is_not() {
        let audit = OperationAudit::register(Arc::new(MemoryClock::new(0)), &Registry::new());
        let audit = audit.expect("names are free");
        let principal = KafkaPrincipal::user("alice");
        let asked = Asked {
            principal: &principal,
            host: IpAddr::from([127, 0, 0, 1]),
            api: "Produce",
            operation: AclOperation::Write,
            resource_type: ResourceType::Topic,
            name: "a",
        };
        audit.on_decision(&asked, false);
        audit.on_decision(&asked, false);
        audit.on_decision(&asked, true);
        assert_eq!(audit.denied.get(), 2);
    }
}
