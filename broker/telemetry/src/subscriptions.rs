//! Which metrics a client is asked for, how often, and the number that says so.
//! Core. `ClientMetricsManager.createClientInstance` (KIP-714).

use std::collections::{BTreeMap, BTreeSet};

use ottla_config::{CLIENT_METRICS_INTERVAL_MS, ClientMetricsSubscription};
use ottla_metadata::{Delta, Image, ResourceType};
use ottla_model::TopicId;
use uuid::Uuid;

/// Asks for every metric.
const ALL: &str = "*";

/// What a client says of itself, in the words of a subscription's patterns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientFacts {
    pub client_id: Option<String>,
    pub software_name: String,
    pub software_version: String,
    pub address: String,
    pub port: String,
}

/// What one client is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub subscription_id: i32,
    /// Prefixes of names.
    pub metrics: BTreeSet<String>,
    pub interval_ms: i32,
}

impl Asked {
    pub fn wants(&self, metric: &str) -> bool {
        self.metrics.iter().any(|prefix| prefix == ALL || metric.starts_with(prefix.as_str()))
    }
}

/// All subscriptions by name.
#[derive(Debug, Default)]
pub struct Subscriptions {
    by_name: BTreeMap<String, ClientMetricsSubscription>,
    version: u64,
}

impl Subscriptions {
    /// Rises with every change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Takes over what changed.
    pub fn follow(&mut self, delta: &Delta, image: &Image) {
        let is_ours = |resource: &&_| {
            let resource: &ottla_metadata::ConfigResource = resource;
            resource.resource_type == ResourceType::ClientMetrics
        };
        for resource in delta.configs_changed.iter().filter(is_ours) {
            let values = image.client_metrics(&resource.name);
            match values.is_empty() {
                true => drop(self.by_name.remove(&resource.name)),
                false => {
                    let subscription = ClientMetricsSubscription::of(&values);
                    self.by_name.insert(resource.name.clone(), subscription);
                }
            }
            self.version += 1;
        }
    }

    /// What a client is asked for: what any subscription for it wants, as often as the most impatient one.
    pub fn of(&self, instance: Uuid, facts: &ClientFacts) -> Asked {
        // As Kafka prints an id.
        let id = TopicId(instance).to_string();
        let attribute = |name: &str| match name {
            "client_instance_id" => Some(id.as_str()),
            "client_id" => facts.client_id.as_deref(),
            "client_software_name" => Some(facts.software_name.as_str()),
            "client_software_version" => Some(facts.software_version.as_str()),
            "client_source_address" => Some(facts.address.as_str()),
            "client_source_port" => Some(facts.port.as_str()),
            _ => None,
        };
        let mut metrics = BTreeSet::new();
        let mut interval_ms = CLIENT_METRICS_INTERVAL_MS;
        for subscription in self.by_name.values().filter(|one| one.clients.matches(attribute)) {
            metrics.extend(subscription.metrics.iter().cloned());
            interval_ms = interval_ms.min(subscription.interval_ms);
        }
        if metrics.contains(ALL) {
            metrics = BTreeSet::from([ALL.to_owned()]);
        }
        Asked { subscription_id: subscription_id(&metrics, interval_ms, instance), metrics, interval_ms }
    }
}

/// A checksum of what is asked for, mixed with the client's id. Kafka's is the same where at most one prefix is asked for:
/// it prints several in the order of a hash set.
fn subscription_id(metrics: &BTreeSet<String>, interval_ms: i32, instance: Uuid) -> i32 {
    let names: Vec<&str> = metrics.iter().map(String::as_str).collect();
    let text = format!("[{}]{interval_ms}", names.join(", "));
    let (high, low) = instance.as_u64_pair();
    let mixed = high ^ low;
    let hash = (mixed >> 32) as u32 ^ mixed as u32;
    (crc32c::crc32c(text.as_bytes()) ^ hash) as i32
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use ottla_config::ConfigMap;

    pub fn subscriptions(all: &[(&str, &[(&str, &str)])]) -> Subscriptions {
        let one = |(name, values): &(&str, &[(&str, &str)])| {
            let values: ConfigMap = values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            ((*name).to_owned(), ClientMetricsSubscription::of(&values))
        };
        Subscriptions { by_name: all.iter().map(one).collect(), version: 1 }
    }

    /// All metrics of everybody, once a second.
    pub fn for_all() -> Subscriptions {
        subscriptions(&[("all", &[("metrics", "*"), ("interval.ms", "1000")])])
    }
}

#[cfg(test)]
mod tests {
    use super::testing::subscriptions;
    use super::*;

    #[test]
    fn a_client_is_asked_for_what_all_its_subscriptions_want() {
        let all = subscriptions(&[
            ("a", &[("metrics", "p.,q."), ("interval.ms", "1000")]),
            (
                "b",
                &[("metrics", "r."), ("interval.ms", "500"), ("match", "client_id=c.*,client_source_port=9")],
            ),
            ("c", &[("metrics", "*"), ("match", "client_software_name=x")]),
        ]);
        let facts = |id: &str, name: &str| ClientFacts {
            client_id: Some(id.to_owned()),
            software_name: name.to_owned(),
            port: "9".to_owned(),
            ..ClientFacts::default()
        };
        let told =
            |asked: &Asked| (asked.metrics.iter().cloned().collect::<Vec<_>>().join(" "), asked.interval_ms);
        let of = |id: &str, name: &str| all.of(Uuid::from_u128(7), &facts(id, name));
        assert_eq!(told(&of("d", "y")), ("p. q.".to_owned(), 1000));
        assert_eq!(told(&of("cc", "y")), ("p. q. r.".to_owned(), 500));
        assert_eq!(told(&of("d", "x")), ("*".to_owned(), 1000));
        assert!(of("d", "x").wants("anything") && of("d", "y").wants("p.a") && !of("d", "y").wants("r.a"));
        let nobody = Subscriptions::default().of(Uuid::from_u128(7), &ClientFacts::default());
        assert_eq!(told(&nobody), (String::new(), 300_000));
        // Not the same for two clients, nor for two sets.
        assert_ne!(nobody.subscription_id, of("d", "y").subscription_id);
        let other = Subscriptions::default().of(Uuid::from_u128(8), &ClientFacts::default());
        assert_ne!(nobody.subscription_id, other.subscription_id);
    }

    #[test]
    fn the_number_is_kafka_s() {
        // What Apache Kafka 4.3.1 answered to this id without subscriptions (protocol-tests/scripts/21-telemetry).
        let id = Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
        assert_eq!(subscription_id(&BTreeSet::new(), 300_000, id), -725_132_338);
    }
}
