//! The broker's configuration while it runs: what it was started with, and what was changed since.
//! Shell: one published value. It follows the metadata image (`metadata` publishes each change here); everything
//! that must see a change reads `current`.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::settings::{BrokerConfig, ConfigMap};

/// Kafka's DynamicBrokerConfig: the one owner of the configuration in force.
pub struct DynamicBrokerConfig {
    started_with: BrokerConfig,
    current: ArcSwap<BrokerConfig>,
    followers: Mutex<Vec<Follower>>,
}

/// Obeys a new configuration: for what keeps a value that came from it.
type Follower = Box<dyn Fn(&BrokerConfig) + Send + Sync>;

impl DynamicBrokerConfig {
    pub fn new(started_with: BrokerConfig) -> DynamicBrokerConfig {
        let current = ArcSwap::from_pointee(started_with.clone());
        DynamicBrokerConfig { started_with, current, followers: Mutex::default() }
    }

    /// What the broker was started with: for keys that cannot change while it runs.
    pub fn started_with(&self) -> &BrokerConfig {
        &self.started_with
    }

    /// The configuration in force now.
    pub fn current(&self) -> Arc<BrokerConfig> {
        self.current.load_full()
    }

    /// Calls `follower` with the configuration in force, now and after each change.
    pub fn follow(&self, follower: impl Fn(&BrokerConfig) + Send + Sync + 'static) {
        let mut followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        follower(&self.current());
        followers.push(Box::new(follower));
    }

    /// The broker ends: nobody follows any more. Followers may hold what holds the configuration.
    pub fn let_followers_go(&self) {
        self.followers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Publishes what was changed while the broker runs, for this broker and for all.
    pub fn publish(&self, of_this_broker: &ConfigMap, of_all_brokers: &ConfigMap) {
        let next = self.started_with.with_dynamic(of_this_broker, of_all_brokers);
        assert!(next.node_id == self.started_with.node_id, "no change gives a running broker another id");
        let followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        self.current.store(Arc::new(next));
        let current = self.current();
        for follower in &*followers {
            follower(&current);
        }
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
        let seen = Arc::new(Mutex::new(Vec::new()));
        let followed = seen.clone();
        config.follow(move |config| followed.lock().unwrap().push(config.connections_max));
        config.publish(&none, &change);
        assert_eq!(config.current().connections_max, 7);
        config.publish(&ConfigMap::from([("max.connections".to_owned(), "8".to_owned())]), &change);
        assert_eq!(config.current().connections_max, 8);
        config.publish(&none, &none);
        let at_first = config.started_with().connections_max;
        assert_eq!(config.current().connections_max, at_first);
        assert_eq!(*seen.lock().unwrap(), [at_first, 7, 8, at_first]);
    }
}
