//! The broker's configuration while it runs: what it was started with, and what was changed since.
//! Shell: one published value. It follows the metadata image (`metadata` publishes each change here); everything
//! that must see a change reads `current`.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::settings::{BrokerConfig, ConfigMap};

/// Kafka's DynamicBrokerConfig: the one owner of the configuration in force.
pub struct DynamicBrokerConfig {
    started_with: BrokerConfig,
    current: ArcSwap<BrokerConfig>,
}

impl DynamicBrokerConfig {
    pub fn new(started_with: BrokerConfig) -> DynamicBrokerConfig {
        let current = ArcSwap::from_pointee(started_with.clone());
        DynamicBrokerConfig { started_with, current }
    }

    /// What the broker was started with: for keys that cannot change while it runs.
    pub fn started_with(&self) -> &BrokerConfig {
        &self.started_with
    }

    /// The configuration in force now.
    pub fn current(&self) -> Arc<BrokerConfig> {
        self.current.load_full()
    }

    /// Publishes what was changed while the broker runs, for this broker and for all.
    pub fn publish(&self, of_this_broker: &ConfigMap, of_all_brokers: &ConfigMap) {
        let next = self.started_with.with_dynamic(of_this_broker, of_all_brokers);
        assert!(next.node_id == self.started_with.node_id, "no change gives a running broker another id");
        self.current.store(Arc::new(next));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_in_force_until_it_is_taken_back() {
        let config = DynamicBrokerConfig::new(BrokerConfig::defaults());
        let none = ConfigMap::new();
        let change = ConfigMap::from([("max.connections".to_owned(), "7".to_owned())]);
        config.publish(&none, &change);
        assert_eq!(config.current().connections_max, 7);
        config.publish(&ConfigMap::from([("max.connections".to_owned(), "8".to_owned())]), &change);
        assert_eq!(config.current().connections_max, 8);
        config.publish(&none, &none);
        assert_eq!(config.current().connections_max, config.started_with().connections_max);
    }
}
